\echo '-- Invoices with the number that the health insurance asks for:'
SELECT i.number, p.nir, p.family_name, i.act, a."Libelle", i.amount
FROM invoices i JOIN patients p ON p.id = i.patient_id JOIN "ActesCCAM" a ON a."Code" = i.act
WHERE i.paid_on IS NULL ORDER BY i.id LIMIT 3;
\echo '-- But neither diagnosis nor telephone:'
SELECT diagnosis FROM stays LIMIT 1;
SELECT phone FROM patients LIMIT 1;
