\echo '-- Those in whose care team he is:'
SELECT count(*) AS patients FROM patients;
SELECT p.id, p.family_name, p.nir, s.diagnosis_label
FROM patients p JOIN stays s ON s.patient_id = p.id ORDER BY s.admitted_at DESC, s.id LIMIT 3;
\echo '-- The same person in a study sees no one he could know:'
SET pgvigil.mission = 'research';
SELECT id, birth_date FROM patients ORDER BY id LIMIT 2;
SELECT family_name FROM patients LIMIT 1;
