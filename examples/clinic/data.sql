-- Fills schema.sql: about 560,000 rows, always the same (no random(), no clock: "today" is 30 June 2025).
--
-- pick(n, salt, m) is a number from 0 to m-1 that looks random and is not. Every person is invented.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'Europe/Paris';
SET synchronous_commit = off;
BEGIN;

CREATE FUNCTION pg_temp.pick(n bigint, salt bigint, m bigint) RETURNS int LANGUAGE sql IMMUTABLE
    AS $$ SELECT ((((n + 17) * (1103515245 + salt * 96542) % 2147483647) * 48271 % 2147483629) / 7 % m)::int $$;

CREATE FUNCTION pg_temp.with_luhn(digits text) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$
    SELECT digits || (10 - sum(CASE WHEN (length(digits) - i) % 2 = 0 THEN (d * 2) / 10 + (d * 2) % 10 ELSE d END) % 10) % 10
    FROM (SELECT i, substr(digits, i, 1)::int AS d FROM generate_series(1, length(digits)) AS i) AS each_digit
    $$;

CREATE FUNCTION pg_temp.with_key(number text) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT number || lpad((97 - replace(replace(number, '2A', '19'), '2B', '18')::bigint % 97)::text, 2, '0') $$;

CREATE FUNCTION pg_temp.plain(name text) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT translate(lower(name), 'éèêëàâçîïôûüœ ''-', 'eeeeaaciiouuo') $$;

CREATE FUNCTION pg_temp.rpps(practitioner bigint) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT pg_temp.with_luhn((1000000000 + practitioner)::text) $$;

-- Words ----------------------------------------------------------------------------------------------

CREATE TEMP TABLE words (kind text, list text[]);
INSERT INTO words VALUES
('family', '{Martin,Bernard,Thomas,Petit,Robert,Richard,Durand,Dubois,Moreau,Laurent,Simon,Michel,Lefebvre,Leroy,Roux,David,Bertrand,Morel,Fournier,Girard,Bonnet,Dupont,Lambert,Fontaine,Rousseau,Vincent,Muller,Lefèvre,Faure,André,Mercier,Blanc,Guérin,Boyer,Garnier,Chevalier,François,Legrand,Gauthier,Garcia,Perrin,Robin,Clément,Morin,Nicolas,Henry,Roussel,Mathieu,Gautier,Masson,Marchand,Duval,Denis,Dumont,Marie,Lemaire,Noël,Meyer,Dufour,Meunier,Brun,Blanchard,Giraud,Joly,Rivière,Lucas,Brunet,Gaillard,Barbier,Arnaud,Martinez,Gérard,Roche,Renard,Schmitt,Roy,Leroux,Colin,Vidal,Caron,Picard,Roger,Fabre,Aubert,Lemoine,Renaud,Dumas,Lacroix,Olivier,Philippe,Bourgeois,Pierre,Benoît,Rey,Leclerc,Payet,Rolland,Leclercq,Guillaume,Lecomte,Nguyen,Haddad,Diallo,Traoré,Benali,Cohen,"Le Gall",D''Angelo}'),
('F', '{Marie,Jeanne,Françoise,Monique,Catherine,Nathalie,Isabelle,Jacqueline,Sylvie,Anne,Martine,Madeleine,Nicole,Suzanne,Hélène,Christine,Valérie,Émilie,Camille,Léa,Manon,Chloé,Inès,Sarah,Louise,Jade,Aïcha,Fatou,Zoé,Océane}'),
('M', '{Jean,Pierre,Michel,André,Philippe,René,Louis,Alain,Jacques,Bernard,Marcel,Daniel,Roger,Robert,Paul,Claude,Christian,Nicolas,Thomas,Hugo,Lucas,Théo,Karim,Mohamed,Gabriel,Raphaël,Mamadou,Noé,Léon,Éloi}'),
('street', '{rue de la République,avenue Jean-Jaurès,rue Victor-Hugo,place de l''Église,rue des Lilas,boulevard Voltaire,rue Pasteur,chemin des Vignes,impasse du Moulin,rue du Général-de-Gaulle,allée des Tilleuls,rue Marie-Curie}'),
('department', '{01,2A,06,13,2B,21,25,31,33,34,35,38,42,44,45,49,54,57,59,62,63,67,69,75,76,77,78,80,83,92,93,94,95,99}'),
('allergy', '{pénicilline,arachide,latex,iode,aspirine,pollens,gluten,œuf,sulfamides,venin de guêpe}'),
('motive', '{Suivi,Première consultation,Résultats d''examens,Renouvellement d''ordonnance,Douleur,Bilan préopératoire,Contrôle postopératoire,Vaccination}');

CREATE FUNCTION pg_temp.word(which text, n bigint, salt bigint) RETURNS text LANGUAGE plpgsql STABLE
    AS $$
DECLARE words text[];
BEGIN
    SELECT list INTO words FROM pg_temp.words WHERE kind = which;
    RETURN words[1 + pg_temp.pick(n, salt, array_length(words, 1))];
END
$$;

CREATE TEMP TABLE towns (n int, postcode text, city text);
INSERT INTO towns VALUES
(0, '69001', 'Lyon'), (1, '69003', 'Lyon'), (2, '69100', 'Villeurbanne'), (3, '69200', 'Vénissieux'), (4, '69300', 'Caluire-et-Cuire'),
(5, '69400', 'Villefranche-sur-Saône'), (6, '38200', 'Vienne'), (7, '38000', 'Grenoble'), (8, '01000', 'Bourg-en-Bresse'),
(9, '42000', 'Saint-Étienne'), (10, '71000', 'Mâcon'), (11, '26000', 'Valence'), (12, '07100', 'Annonay'), (13, '20000', 'Ajaccio');

CREATE TEMP TABLE diagnoses (ward int, n int, code text, label text, reason text);
INSERT INTO diagnoses VALUES
(1, 0, 'I50.0', 'Insuffisance cardiaque congestive', 'Dyspnée d''effort'), (1, 1, 'I21.4', 'Infarctus sous-endocardique aigu', 'Douleur thoracique'),
(1, 2, 'I48.0', 'Fibrillation auriculaire paroxystique', 'Palpitations'), (1, 3, 'I10', 'Hypertension essentielle', 'Céphalées'),
(2, 0, 'J44.1', 'BPCO avec exacerbation', 'Toux et dyspnée'), (2, 1, 'J18.9', 'Pneumopathie', 'Fièvre et toux'),
(2, 2, 'J45.0', 'Asthme allergique', 'Crise d''asthme'), (2, 3, 'A15.0', 'Tuberculose pulmonaire', 'Hémoptysie'),
(3, 0, 'K35.8', 'Appendicite aiguë', 'Douleur abdominale'), (3, 1, 'K80.2', 'Lithiase vésiculaire', 'Colique hépatique'),
(3, 2, 'K40.9', 'Hernie inguinale', 'Tuméfaction inguinale'), (3, 3, 'K57.3', 'Diverticulose colique', 'Rectorragie'),
(4, 0, 'S72.0', 'Fracture du col du fémur', 'Chute'), (4, 1, 'M17.1', 'Gonarthrose', 'Douleur du genou'),
(4, 2, 'M51.1', 'Hernie discale avec radiculopathie', 'Sciatique'), (4, 3, 'S52.5', 'Fracture du radius distal', 'Chute'),
(5, 0, 'O80.0', 'Accouchement céphalique spontané', 'Travail'), (5, 1, 'O82.0', 'Césarienne programmée', 'Césarienne'),
(5, 2, 'O14.1', 'Prééclampsie sévère', 'Hypertension gravidique'), (5, 3, 'Z64.0', 'Grossesse non désirée', 'Interruption volontaire de grossesse'),
(6, 0, 'J21.0', 'Bronchiolite à VRS', 'Détresse respiratoire'), (6, 1, 'A08.0', 'Gastroentérite à rotavirus', 'Déshydratation'),
(6, 2, 'E10.9', 'Diabète de type 1', 'Polyurie'), (6, 3, 'T74.1', 'Sévices physiques', 'Ecchymoses'),
(7, 0, 'F00.1', 'Démence de la maladie d''Alzheimer', 'Désorientation'), (7, 1, 'R29.6', 'Chutes à répétition', 'Chute'),
(7, 2, 'E86', 'Hypovolémie', 'Altération de l''état général'), (7, 3, 'N39.0', 'Infection urinaire', 'Confusion'),
(8, 0, 'C50.9', 'Tumeur maligne du sein', 'Chimiothérapie'), (8, 1, 'C34.9', 'Tumeur maligne du poumon', 'Bilan d''extension'),
(8, 2, 'C18.9', 'Tumeur maligne du côlon', 'Chimiothérapie'), (8, 3, 'C61', 'Tumeur maligne de la prostate', 'Radiothérapie'),
(9, 0, 'I63.9', 'Infarctus cérébral', 'Hémiparésie'), (9, 1, 'G40.9', 'Épilepsie', 'Crise convulsive'),
(9, 2, 'G20', 'Maladie de Parkinson', 'Tremblements'), (9, 3, 'G35', 'Sclérose en plaques', 'Névrite optique'),
(10, 0, 'S06.0', 'Commotion cérébrale', 'Traumatisme crânien'), (10, 1, 'T39.1', 'Intoxication au paracétamol', 'Intoxication volontaire'),
(10, 2, 'R07.4', 'Douleur thoracique', 'Douleur thoracique'), (10, 3, 'F10.0', 'Intoxication alcoolique aiguë', 'Troubles de la vigilance'),
(11, 0, 'N18.5', 'Maladie rénale chronique, stade 5', 'Hémodialyse'), (11, 1, 'N17.9', 'Insuffisance rénale aiguë', 'Oligurie'),
(11, 2, 'B24', 'Maladie due au VIH', 'Fièvre prolongée'), (11, 3, 'N04.9', 'Syndrome néphrotique', 'Œdèmes'),
(12, 0, 'F32.2', 'Épisode dépressif sévère', 'Idées suicidaires'), (12, 1, 'F20.0', 'Schizophrénie paranoïde', 'Délire'),
(12, 2, 'F31.1', 'Trouble bipolaire, épisode maniaque', 'Agitation'), (12, 3, 'F50.0', 'Anorexie mentale', 'Dénutrition');

CREATE TEMP TABLE lab_codes (n int, loinc text, label text, unit text, low numeric, high numeric);
INSERT INTO lab_codes VALUES
(0, '2345-7', 'Glucose', 'mg/dL', 70, 110), (1, '718-7', 'Hémoglobine', 'g/dL', 12, 17), (2, '2160-0', 'Créatinine', 'mg/dL', 0.5, 1.2),
(3, '2951-2', 'Sodium', 'mmol/L', 136, 145), (4, '2823-3', 'Potassium', 'mmol/L', 3.5, 5.1), (5, '1988-5', 'Protéine C réactive', 'mg/L', 0, 5),
(6, '4548-4', 'Hémoglobine A1c', '%', 4, 6), (7, '6690-2', 'Leucocytes', '10*3/uL', 4, 10), (8, '777-3', 'Plaquettes', '10*3/uL', 150, 400),
(9, '1742-6', 'ALAT', 'U/L', 7, 45);

CREATE TEMP TABLE vital_codes (n int, loinc text, label text, unit text, base numeric, span int);
INSERT INTO vital_codes VALUES
(0, '8867-4', 'Fréquence cardiaque', '/min', 55, 60), (1, '8310-5', 'Température', 'Cel', 36, 4), (2, '8480-6', 'Pression systolique', 'mm[Hg]', 95, 80),
(3, '8462-4', 'Pression diastolique', 'mm[Hg]', 55, 45), (4, '9279-1', 'Fréquence respiratoire', '/min', 12, 14), (5, '59408-5', 'SpO2', '%', 88, 12),
(6, '29463-7', 'Poids', 'kg', 45, 60), (7, '8302-2', 'Taille', 'cm', 150, 45);

CREATE TEMP TABLE drugs (n int, atc text, label text, dose text, route text);
INSERT INTO drugs VALUES
(0, 'N02BE01', 'Paracétamol', '1 g × 3', 'orale'), (1, 'B01AB05', 'Énoxaparine', '4000 UI × 1', 'sous-cutanée'), (2, 'C07AB07', 'Bisoprolol', '2,5 mg × 1', 'orale'),
(3, 'C09AA05', 'Ramipril', '5 mg × 1', 'orale'), (4, 'A10BA02', 'Metformine', '850 mg × 2', 'orale'), (5, 'J01CR02', 'Amoxicilline-acide clavulanique', '1 g × 3', 'intraveineuse'),
(6, 'N05BA12', 'Alprazolam', '0,25 mg × 2', 'orale'), (7, 'N06AB06', 'Sertraline', '50 mg × 1', 'orale'), (8, 'R03AC02', 'Salbutamol', '5 mg', 'inhalée'),
(9, 'C10AA05', 'Atorvastatine', '20 mg × 1', 'orale'), (10, 'N02AA01', 'Morphine', '10 mg × 6', 'orale'), (11, 'J05AR10', 'Lopinavir-ritonavir', '400/100 mg × 2', 'orale');

-- The house ------------------------------------------------------------------------------------------

INSERT INTO public.wards (id, code, name, building, floor, beds, phone)
SELECT n, code, name, CASE WHEN n <= 6 THEN 'A' ELSE 'B' END, (n - 1) % 6, beds, '04 72 00 10 ' || lpad(n::text, 2, '0')
FROM (VALUES (1, 'CARD', 'Cardiologie', 32), (2, 'PNEU', 'Pneumologie', 28), (3, 'DIGE', 'Chirurgie digestive', 30),
             (4, 'ORTH', 'Orthopédie', 34), (5, 'MATE', 'Maternité', 26), (6, 'PEDI', 'Pédiatrie', 24), (7, 'GERI', 'Gériatrie', 40),
             (8, 'ONCO', 'Oncologie', 30), (9, 'NEUR', 'Neurologie', 26), (10, 'URGE', 'Urgences', 18), (11, 'NEPH', 'Néphrologie', 20),
             (12, 'PSYC', 'Psychiatrie', 36)) AS w (n, code, name, beds);

-- Physicians 1 to 60, nurses 61 to 180, others to 200; number n works in ward 1 + (n - 1) mod 12.
INSERT INTO public.practitioners (id, rpps, family_name, given_name, profession, specialty, ward_id, email)
SELECT n, pg_temp.rpps(n), family, given,
       CASE WHEN n <= 60 THEN 'médecin' WHEN n <= 180 THEN 'infirmier' WHEN n <= 190 THEN 'masseur-kinésithérapeute' ELSE 'pharmacien' END,
       CASE WHEN n <= 60 THEN w.name END, w.id,
       pg_temp.plain(given) || '.' || pg_temp.plain(family) || n || '@clinique.example'
FROM (SELECT n, CASE WHEN n = 1 THEN 'Martin' ELSE pg_temp.word('family', n, 1) END AS family,
             pg_temp.word(CASE WHEN pg_temp.pick(n, 2, 2) = 0 THEN 'F' ELSE 'M' END, n, 3) AS given
      FROM generate_series(1, 200) AS n) AS p
JOIN public.wards w ON w.id = 1 + (n - 1) % 12;

INSERT INTO public.staff_salaries (id, practitioner_id, month, gross)
SELECT row_number() OVER (ORDER BY p.id, m), p.id, make_date(2025, m, 1),
       CASE p.profession WHEN 'médecin' THEN 5200 ELSE 2300 END + pg_temp.pick(p.id, 4, 180) * 10
FROM public.practitioners p, generate_series(1, 6) AS m;

INSERT INTO public."ActesCCAM" ("Code", "Libelle", "Tarif") VALUES
('DEQP003', 'Électrocardiographie sur au moins 12 dérivations', 14.26), ('ZBQK002', 'Radiographie du thorax', 21.28),
('HHFA009', 'Appendicectomie par cœlioscopie', 195.13), ('NEKA020', 'Remplacement de la hanche par prothèse totale', 459.80),
('JQGD010', 'Accouchement céphalique unique par voie naturelle', 313.50), ('ACQN001', 'Scanographie du crâne', 25.27),
('JVJF004', 'Séance d''hémodialyse', 41.34), ('YYYY600', 'Consultation spécialisée', 55.00);

-- The patients ---------------------------------------------------------------------------------------

CREATE TEMP TABLE draft AS
SELECT i, CASE WHEN ward = 5 THEN 'F' ELSE sex END AS sex, CASE WHEN i % 20 = 0 THEN NULL ELSE ward END AS ward,
       ward AS usual_ward,
       CASE ward WHEN 6 THEN date '2008-01-01' + pg_temp.pick(i, 5, 5000)
                 WHEN 7 THEN date '1928-01-01' + pg_temp.pick(i, 5, 8700)
                 WHEN 5 THEN date '1979-01-01' + pg_temp.pick(i, 5, 9100)
                 ELSE date '1934-01-01' + pg_temp.pick(i, 5, 26000) END AS born
FROM (SELECT i, 1 + pg_temp.pick(i, 6, 12) AS ward, CASE WHEN pg_temp.pick(i, 7, 100) < 52 THEN 'F' ELSE 'M' END AS sex
      FROM generate_series(1, 20000) AS i) AS d;

INSERT INTO public.patients (id, ward_id, nir, family_name, given_name, sex, birth_date, phone, email, address, postcode, city,
                             blood_group, allergies, preferences, created_at, updated_at)
SELECT i, ward,
       pg_temp.with_key((CASE sex WHEN 'M' THEN '1' ELSE '2' END) || to_char(born, 'YYMM') || pg_temp.word('department', i, 8)
                        || lpad((1 + i % 300)::text, 3, '0') || lpad((1 + i / 300)::text, 3, '0')),
       family, given, sex::app.sex, born,
       CASE WHEN i % 17 <> 0 THEN '06 ' || regexp_replace(lpad(pg_temp.pick(i, 9, 100000000)::text, 8, '0'), '(..)(..)(..)(..)', '\1 \2 \3 \4') END,
       CASE WHEN i % 3 <> 0 THEN pg_temp.plain(given) || '.' || pg_temp.plain(family) || i || '@courriel.example' END,
       (1 + pg_temp.pick(i, 10, 180)) || ' ' || pg_temp.word('street', i, 11), t.postcode, t.city,
       CASE WHEN i % 11 <> 0 THEN ('{O+,O+,O+,O+,A+,A+,A+,A+,O-,A-,B+,B+,B-,AB+,AB-}'::app.blood_group[])[1 + pg_temp.pick(i, 12, 15)] END,
       CASE pg_temp.pick(i, 13, 10) WHEN 0 THEN ARRAY[pg_temp.word('allergy', i, 14)]
                                    WHEN 1 THEN ARRAY[pg_temp.word('allergy', i, 14), pg_temp.word('allergy', i + 1, 15)]
                                    ELSE '{}' END,
       jsonb_build_object('langue', CASE WHEN i % 25 = 0 THEN 'en' ELSE 'fr' END, 'chambre_seule', i % 4 = 0),
       timestamptz '2021-01-04 08:00' + pg_temp.pick(i, 16, 300) * interval '1 day' + pg_temp.pick(i, 17, 600) * interval '1 minute',
       timestamptz '2025-01-06 08:00' + pg_temp.pick(i, 18, 170) * interval '1 day'
FROM (SELECT *, pg_temp.word('family', i, 19) AS family, pg_temp.word(sex, i, 20) AS given, pg_temp.pick(i, 21, 14) AS town
      FROM draft) AS d
JOIN towns t ON t.n = d.town;

-- A physician and a nurse of the ward, and one whose part has often ended.
INSERT INTO public.care_team (id, patient_id, practitioner, part, starts_on, ends_on)
SELECT (i - 1) * 3 + k, i,
       pg_temp.rpps(CASE k WHEN 1 THEN usual_ward + 12 * pg_temp.pick(i, 22, 5)
                           WHEN 2 THEN 60 + usual_ward + 12 * pg_temp.pick(i, 23, 10)
                           ELSE 1 + (usual_ward + pg_temp.pick(i, 24, 11)) % 12 + 12 * pg_temp.pick(i, 25, 5) END),
       CASE k WHEN 1 THEN 'référent' WHEN 2 THEN 'soins' ELSE 'avis' END,
       date '2022-01-03' + pg_temp.pick(i * 3 + k, 26, 900),
       CASE WHEN k = 3 AND i % 3 <> 0 THEN date '2024-12-31' + pg_temp.pick(i, 27, 150) END
FROM draft, generate_series(1, 3) AS k;

-- Two stays each; two hundred are still in their beds.
INSERT INTO public.stays (id, patient_id, ward_id, bed, admitted_at, discharged_at, attending, reason, diagnosis, diagnosis_label)
SELECT s, i, w.id, w.code || '-' || lpad((1 + pg_temp.pick(s, 30, w.beds))::text, 2, '0'), admitted,
       CASE WHEN NOT current THEN admitted + (1 + pg_temp.pick(s, 31, 12)) * interval '1 day' + interval '3 hours' END,
       pg_temp.rpps(w.id + 12 * pg_temp.pick(s, 32, 5)), d.reason, d.code, d.label
FROM (SELECT s, i, CASE WHEN s % 5 <> 3 OR usual_ward = 6 THEN usual_ward ELSE 10 END AS stay_ward,
             s > 20000 AND s % 100 = 7 AS current,
             CASE WHEN s > 20000 AND s % 100 = 7 THEN timestamptz '2025-06-18 09:00' + pg_temp.pick(s, 33, 12 * 24) * interval '1 hour'
                  ELSE timestamptz '2022-01-03 07:00' + pg_temp.pick(s, 33, 1250 * 24) * interval '1 hour' END AS admitted
      FROM generate_series(1, 40000) AS s JOIN draft ON i = 1 + (s - 1) % 20000) AS each_stay
JOIN public.wards w ON w.id = stay_ward
JOIN diagnoses d ON d.ward = w.id AND d.n = pg_temp.pick(s, 34, 4);

INSERT INTO public.appointments (id, patient_id, practitioner, ward_id, starts_at, minutes, status, motive)
SELECT a, i, pg_temp.rpps(usual_ward + 12 * pg_temp.pick(a, 40, 5)), usual_ward,
       timestamptz '2024-07-01 08:30' + day * interval '1 day' + pg_temp.pick(a, 41, 32) * interval '15 minutes',
       15 * (1 + pg_temp.pick(a, 42, 3)),
       (CASE WHEN day > 364 THEN CASE WHEN a % 9 = 0 THEN 'cancelled' ELSE 'booked' END
             WHEN a % 13 = 0 THEN 'missed' WHEN a % 17 = 0 THEN 'cancelled' ELSE 'done' END)::app.appointment_status,
       pg_temp.word('motive', a, 43)
FROM (SELECT a, 1 + pg_temp.pick(a, 44, 20000) AS patient, pg_temp.pick(a, 45, 450) AS day FROM generate_series(1, 45000) AS a) AS x
JOIN draft ON i = patient;

-- Care -----------------------------------------------------------------------------------------------

INSERT INTO public.observations (id, patient_id, stay_id, taken_on, taken_at, loinc, label, value, unit, practitioner)
SELECT o, s.patient_id, s.id, (at AT TIME ZONE 'Europe/Paris')::date, at, v.loinc, v.label,
       v.base + round(pg_temp.pick(o, 50, v.span * 10) / 10.0, 1), v.unit, pg_temp.rpps(60 + s.ward_id + 12 * pg_temp.pick(o, 51, 10))
FROM generate_series(1, 160000) AS o
JOIN public.stays s ON s.id = 1 + (o - 1) % 40000
JOIN vital_codes v ON v.n = (o + o / 40000 * 3 + o / 100) % 8
CROSS JOIN LATERAL (SELECT s.admitted_at + pg_temp.pick(o, 52, 72) * interval '20 minutes' AS at) AS moment;

INSERT INTO public.lab_results (id, stay_id, loinc, label, value, unit, low, high, taken_at)
SELECT r, s.id, c.loinc, c.label, round(c.low + (c.high - c.low) * (pg_temp.pick(r, 60, 150) - 15) / 110.0 + 0.3, 2), c.unit, c.low, c.high,
       s.admitted_at + pg_temp.pick(r, 61, 48) * interval '30 minutes'
FROM generate_series(1, 100000) AS r
JOIN public.stays s ON s.id = 1 + (r - 1) % 40000
JOIN lab_codes c ON c.n = (r + r / 40000 * 3 + r / 100) % 10;

INSERT INTO public.prescriptions (id, patient_id, stay_id, prescriber, atc, label, dose, route, starts_on, ends_on)
SELECT p, s.patient_id, s.id, s.attending, d.atc, d.label, d.dose, d.route, s.admitted_at::date,
       CASE WHEN s.discharged_at IS NOT NULL THEN s.discharged_at::date + pg_temp.pick(p, 70, 30) END
FROM generate_series(1, 50000) AS p
JOIN public.stays s ON s.id = 1 + (p - 1) % 40000
JOIN drugs d ON d.n = pg_temp.pick(p, 71, 12);

INSERT INTO public.documents (id, patient_id, stay_id, kind, title, author, written_at, body)
SELECT n, p.id, s.id, CASE WHEN n % 3 = 0 THEN 'courrier' ELSE 'compte rendu' END,
       CASE WHEN n % 3 = 0 THEN 'Lettre de liaison' ELSE 'Compte rendu d''hospitalisation' END, s.attending,
       coalesce(s.discharged_at, s.admitted_at + interval '1 hour'),
       format(E'Cher confrère,\n\n%s %s, né(e) le %s, a séjourné en %s à partir du %s pour : %s.\nDiagnostic retenu : %s (%s).\nLes suites ont été %s.\n\nConfraternellement',
              CASE p.sex WHEN 'F' THEN 'Madame' ELSE 'Monsieur' END, p.given_name || ' ' || upper(p.family_name),
              to_char(p.birth_date, 'DD/MM/YYYY'), w.name, to_char(s.admitted_at, 'DD/MM/YYYY'), lower(s.reason), s.diagnosis_label, s.diagnosis,
              (ARRAY['simples', 'marquées par une fièvre passagère', 'compliquées d''une douleur persistante'])[1 + n % 3])
FROM generate_series(1, 20000) AS n
JOIN public.stays s ON s.id = 2 * n
JOIN public.patients p ON p.id = s.patient_id
JOIN public.wards w ON w.id = s.ward_id;

-- The office -----------------------------------------------------------------------------------------

INSERT INTO public.invoices (id, patient_id, stay_id, number, act, amount, reimbursed, issued_on, paid_on)
SELECT s.id, s.patient_id, s.id, 'F' || to_char(issued, 'YYYY') || '-' || lpad(s.id::text, 6, '0'), a."Code", amount,
       round(amount * (CASE WHEN s.id % 4 = 0 THEN 1.0 ELSE 0.7 END), 2), issued, CASE WHEN s.id % 8 <> 0 THEN issued + pg_temp.pick(s.id, 80, 60) END
FROM public.stays s
JOIN (SELECT *, row_number() OVER (ORDER BY "Code") - 1 AS n FROM public."ActesCCAM") AS a ON a.n = pg_temp.pick(s.id, 81, 8)
CROSS JOIN LATERAL (SELECT coalesce(s.discharged_at, s.admitted_at + interval '1 hour')::date AS issued,
                           a."Tarif" + 20 * (1 + pg_temp.pick(s.id, 82, 12)) AS amount) AS x;

INSERT INTO public.consents (id, patient_id, purpose, given_on, withdrawn_on)
SELECT i, i, (ARRAY['dossier partagé', 'messagerie', 'recherche'])[1 + i % 3], date '2022-01-03' + pg_temp.pick(i, 90, 900),
       CASE WHEN i % 40 = 0 THEN date '2025-01-06' + pg_temp.pick(i, 91, 150) END
FROM generate_series(1, 20000) AS i;

INSERT INTO public.objections (id, patient_id, purpose, registered_on, reason)
SELECT n, n * 23, CASE WHEN n % 4 = 0 THEN 'messaging' ELSE 'research' END, date '2023-05-02' + pg_temp.pick(n, 92, 700),
       CASE WHEN n % 5 = 0 THEN 'par courrier' END
FROM generate_series(1, 800) AS n;

REFRESH MATERIALIZED VIEW public.ward_occupancy;
DROP TABLE words, towns, diagnoses, lab_codes, vital_codes, drugs, draft;
COMMIT;
SET client_min_messages = error;   -- the owner may not analyze the shared catalogs, and is told so for each
ANALYZE;
