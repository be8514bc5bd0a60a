\set id random(1, 20000)
SELECT id, family_name, given_name, birth_date FROM public.patients WHERE id = :id;
