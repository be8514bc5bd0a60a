\echo '-- Wards and practitioners, to understand a line of the audit:'
SELECT w.code, count(*) AS practitioners FROM wards w JOIN practitioners p ON p.ward_id = w.id GROUP BY 1 ORDER BY 1 LIMIT 3;
\echo '-- But none of the records:'
SELECT count(*) FROM patients;
