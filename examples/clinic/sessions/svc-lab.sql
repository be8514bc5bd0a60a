\echo '-- The laboratory: whose sample it is, without a name (this session has a certificate and no password):'
SELECT p.id, p.sex, p.birth_date, l.label, l.value, l.unit, l.abnormal
FROM lab_results l JOIN stays s ON s.id = l.stay_id JOIN patients p ON p.id = s.patient_id ORDER BY l.id LIMIT 3;
SELECT family_name FROM patients LIMIT 1;
