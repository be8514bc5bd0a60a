\echo '-- Everything as it is, and every statement in the audit:'
SELECT id, nir, family_name FROM patients ORDER BY id LIMIT 2;
SELECT count(*) AS salaries FROM staff_salaries;
