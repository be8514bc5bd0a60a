\echo '-- Pseudonyms, years of birth, departments:'
SELECT id, sex, birth_date, postcode, blood_group FROM patients ORDER BY id LIMIT 3;
\echo '-- They still join, and count as they are:'
SELECT s.diagnosis_label, count(DISTINCT p.id) AS patients, round(avg(2025 - extract(year FROM p.birth_date))) AS age
FROM patients p JOIN stays s ON s.patient_id = p.id GROUP BY 1 ORDER BY 2 DESC LIMIT 4;
\echo '-- Nobody''s name, and no free text:'
SELECT family_name FROM patients LIMIT 1;
SELECT body FROM documents LIMIT 1;
