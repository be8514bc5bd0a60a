\echo '-- The patients of her wards, and no other:'
SELECT ward_id, count(*) FROM patients GROUP BY ward_id ORDER BY ward_id;
SELECT id, family_name, given_name, birth_date, phone, allergies FROM patients ORDER BY id LIMIT 3;
\echo '-- A patient of another ward does not exist:'
SELECT count(*) AS "patient 3" FROM patients WHERE id = 3;
\echo '-- The social-security number is not a column of hers:'
SELECT nir FROM patients LIMIT 1;
\echo '-- The vitals of those who are in a bed today:'
SELECT s.bed, p.family_name, o.label, o.value, o.unit
FROM stays s JOIN patients p ON p.id = s.patient_id JOIN observations o ON o.stay_id = s.id
WHERE s.discharged_at IS NULL AND o.label IN ('Température', 'SpO2') ORDER BY s.bed, o.id LIMIT 4;
SELECT app.bmi(72, 178);
\echo '-- What no rule mentions does not exist:'
SELECT * FROM staff_salaries;
\echo '-- Patient 3 collapses before her. Breaking the glass takes a reason and a patient first:'
SET pgvigil.mission = 'emergency';
SET pgvigil.patient = '3';
SET pgvigil.reason = 'malaise dans le couloir, le patient ne répond plus';
SET pgvigil.mission = 'emergency';
\echo '-- Of this one patient, for an hour at most, and the audit and somebody hear of it:'
SELECT id, family_name, blood_group, allergies FROM patients;
SELECT count(*) AS "patient 4" FROM patients WHERE id = 4;
SET pgvigil.mission = 'care';
SELECT count(*) AS "patient 3" FROM patients WHERE id = 3;
