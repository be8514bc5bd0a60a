\echo '-- Ward 3 by day ...'
SHOW pgvigil.role;
SELECT count(*) AS patients, min(ward_id) AS "from ward", max(ward_id) AS "to ward" FROM patients;
SELECT diagnosis_label FROM stays ORDER BY id LIMIT 1;
\echo '-- ... and the reception desk by night: everyone''s name, nobody''s diagnosis:'
SET pgvigil.role = 'receptionist';
SELECT count(*) AS patients FROM patients;
SELECT diagnosis_label FROM stays LIMIT 1;
