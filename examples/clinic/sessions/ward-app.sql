\echo '-- One login for all the wards: by itself it may do nothing.'
SELECT count(*) FROM patients;
\echo '-- For nurse3, who never logs in, the patients of ward 4, in this transaction:'
BEGIN;
SET LOCAL pgvigil.user = 'nurse3';
SELECT ward_id, count(*) FROM patients GROUP BY ward_id ORDER BY ward_id;
COMMIT;
\echo '-- For dr.martin those in whose care team he is:'
BEGIN;
SET LOCAL pgvigil.user = 'dr.martin';
SHOW pgvigil.role;
SELECT count(*) FROM patients;
COMMIT;
\echo '-- nurse2 is a nurse here; what else she is, the application does not reach:'
BEGIN;
SET LOCAL pgvigil.user = 'nurse2';
SELECT ward_id, count(*) FROM patients GROUP BY ward_id ORDER BY ward_id;
SET LOCAL pgvigil.role = 'receptionist';
ROLLBACK;
\echo '-- And not for a receptionist at all:'
SET pgvigil.user = 'reception1';
