\echo '-- Names and telephones of everyone, the end of the social-security number:'
SELECT id, family_name, given_name, phone, nir FROM patients ORDER BY id LIMIT 3;
\echo '-- Who has come, and not what for:'
SELECT bed, admitted_at FROM stays WHERE discharged_at IS NULL ORDER BY bed LIMIT 2;
SELECT diagnosis_label FROM stays LIMIT 1;
SELECT motive FROM appointments LIMIT 1;
SELECT value FROM lab_results LIMIT 1;
