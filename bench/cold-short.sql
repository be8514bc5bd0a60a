\set id random(1, 20000)
\set n random(1, 1000000000)
SELECT id AS c:n, family_name, given_name, birth_date FROM public.patients WHERE id = :id;
