"""
Writes by somebody who may log in, may write a little, and knows the source: each case is a way that might give more.

CASES: (name, who, SQL, what must be). What must be:
    a set of SQLSTATEs    refused with one of them; afterwards every table is as it was
    a list of rows        these rows come back, and nothing else changed: the transaction is rolled back
Both protocols are tried, inside a transaction that is rolled back and, for refusals, outside of one.
"""
import pytest

import wire

NO = {"42501"}
GONE = {"42703"}
UNSUPPORTED = {"0A000"}
CHECK = {"44000"}
SYNTAX = {"42601"}
OBSERVATION = "id, patient_id, stay_id, taken_on, taken_at, loinc, label, value, unit, practitioner"
MINE = "(SELECT min(id) FROM patients)"
NEW = "SELECT 900001, p.id, s.id, '2026-01-01', now(), '8867-4', 'x', 1, 'u', '10000000611' FROM patients p JOIN stays s ON s.patient_id = p.id ORDER BY p.id, s.id LIMIT 1"
FOREIGN = "VALUES (900002, {patient}, {stay}, '2026-01-01', now(), '8867-4', 'x', 1, 'u', '10000000611')"

CASES = [
    # ---- what is hidden, through what is written
    ("update_to_a_hidden_column", "reception1", "UPDATE patients SET phone = blood_group::text RETURNING phone", GONE),
    ("update_to_a_masked_column_gives_the_mask", "reception1", "UPDATE patients SET phone = nir::text WHERE id = {any} RETURNING phone ~ '^[*]+..$'", [("t",)]),
    ("returning_of_a_hidden_column", "reception1", "UPDATE patients SET phone = phone RETURNING blood_group", GONE),
    ("returning_of_the_whole_row_gives_the_guards", "reception1", "UPDATE patients p SET phone = phone WHERE id = {any} RETURNING to_jsonb(p) ? 'blood_group'", [("f",)]),
    ("returning_of_a_masked_column_is_masked", "reception1", "UPDATE patients SET phone = phone WHERE id = {any} RETURNING nir::text ~ '^[*]+..$'", [("t",)]),
    ("where_on_a_hidden_column", "reception1", "UPDATE patients SET phone = 'x' WHERE blood_group = 'A+'", GONE),
    ("where_on_a_masked_column_compares_the_mask", "reception1", "UPDATE patients SET phone = 'x' WHERE nir::text !~ '^[*]+..$' RETURNING 1", []),
    ("hidden_column_by_row_comparison", "reception1", "UPDATE patients SET phone = 'x' WHERE patients < ROW(1) RETURNING 1", {"42804", "0A000", "42601", "42883"}),
    ("hidden_table_in_from", "reception1", "UPDATE patients SET phone = s.gross::text FROM staff_salaries s", NO),
    ("hidden_table_in_using", "dr.martin", "WITH x AS (INSERT INTO prescriptions SELECT * FROM prescriptions WHERE false RETURNING 1) SELECT * FROM staff_salaries", NO),
    ("hidden_table_in_a_subselect", "reception1", "UPDATE patients SET phone = (SELECT max(gross) FROM staff_salaries)::text", NO),
    ("hidden_table_in_returning", "reception1", "UPDATE patients SET phone = phone RETURNING (SELECT max(gross) FROM staff_salaries)", NO),
    ("hidden_table_as_target", "nurse1", "INSERT INTO staff_salaries SELECT 1, 1, now()::date, 1", NO),
    ("hidden_table_as_target_of_delete", "nurse1", "DELETE FROM staff_salaries", NO),
    ("hidden_table_as_target_in_with", "nurse1", "WITH x AS (UPDATE staff_salaries SET gross = 0 RETURNING *) SELECT * FROM x", NO),

    # ---- rows that are hidden
    ("observation_of_anothers_patient", "nurse1", "INSERT INTO observations (" + OBSERVATION + ") " + FOREIGN, CHECK),
    ("observation_of_anothers_patient_in_a_partition", "nurse1", "INSERT INTO observations_other (" + OBSERVATION + ") " + FOREIGN, CHECK | NO),
    ("observation_of_ones_own_patient_is_fine", "nurse1", "INSERT INTO observations (" + OBSERVATION + ") " + NEW + " RETURNING id", [("900001",)]),
    ("insert_of_selected_foreign_rows", "nurse1", "INSERT INTO observations (" + OBSERVATION + ") SELECT id + 900000, patient_id, stay_id, taken_on, taken_at, loinc, label, value, unit, practitioner FROM observations WHERE patient_id = {patient} RETURNING 1", []),
    ("conflict_with_a_hidden_row_does_nothing", "nurse1", "INSERT INTO observations (" + OBSERVATION + ") " + FOREIGN.replace("900002", "{foreign}") + " ON CONFLICT DO NOTHING RETURNING *", CHECK | {"none"}),
    ("conflict_that_updates_what_may_not_be", "nurse1", "INSERT INTO observations (" + OBSERVATION + ") " + NEW + " ON CONFLICT (id, taken_on) DO UPDATE SET value = 0", NO),
    ("conflict_that_reads_the_row_in_the_way", "dr.martin", "INSERT INTO prescriptions AS r SELECT * FROM prescriptions LIMIT 1 ON CONFLICT (id) DO UPDATE SET dose = r.label", UNSUPPORTED),
    ("conflict_that_tests_the_row_in_the_way", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions LIMIT 1 ON CONFLICT (id) DO UPDATE SET dose = excluded.dose WHERE prescriptions.label LIKE 'x%'", UNSUPPORTED),
    ("conflict_that_captures_by_the_filters_column", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions LIMIT 1 ON CONFLICT (id) DO UPDATE SET patient_id = excluded.patient_id", NO | UNSUPPORTED),
    ("conflict_whole_row", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions LIMIT 1 ON CONFLICT (id) DO UPDATE SET dose = prescriptions::text", UNSUPPORTED),
    ("conflict_subselect_over_the_row", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions LIMIT 1 ON CONFLICT (id) DO UPDATE SET dose = (SELECT prescriptions.label FROM wards LIMIT 1)", UNSUPPORTED),
    ("conflict_on_constraint_reads_the_row_in_the_way", "dr.martin", "INSERT INTO prescriptions AS r SELECT * FROM prescriptions LIMIT 1 ON CONFLICT ON CONSTRAINT prescriptions_pkey DO UPDATE SET dose = r.label", UNSUPPORTED),
    ("conflict_on_constraint_captures_by_the_filters_column", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions LIMIT 1 ON CONFLICT ON CONSTRAINT prescriptions_pkey DO UPDATE SET patient_id = excluded.patient_id", NO | UNSUPPORTED),
    ("conflict_on_constraint_is_fine", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions ORDER BY id LIMIT 1 ON CONFLICT ON CONSTRAINT prescriptions_pkey DO UPDATE SET dose = 'excl' RETURNING dose", [("excl",)]),
    ("conflict_on_a_constraint_of_another_table", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions LIMIT 1 ON CONFLICT ON CONSTRAINT patients_pkey DO NOTHING", {"42704"}),
    ("conflict_with_excluded_only_is_fine", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions ORDER BY id LIMIT 1 ON CONFLICT (id) DO UPDATE SET dose = 'excl' RETURNING dose", [("excl",)]),
    ("update_of_another_patients_row", "dr.martin", "UPDATE prescriptions SET dose = 'x' WHERE patient_id = {not_martins} RETURNING 1", []),
    ("update_by_a_cast_of_hidden_rows", "dr.martin", "UPDATE prescriptions SET dose = 'x' WHERE dose::int > 0 AND false RETURNING 1", []),

    # ---- rights that are not given
    ("insert_without_the_right", "reception1", "INSERT INTO patients (id) VALUES (1)", NO),
    ("delete_without_the_right", "reception1", "DELETE FROM patients", NO),
    ("update_of_another_column", "reception1", "UPDATE patients SET family_name = 'x'", NO),
    ("update_of_a_masked_column", "reception1", "UPDATE patients SET nir = '284058832102532'", NO),
    ("update_of_a_hidden_column", "reception1", "UPDATE patients SET blood_group = 'O+'", GONE),
    ("update_in_a_row_of_columns", "reception1", "UPDATE patients SET (phone, family_name) = ('x', 'y')", NO),
    ("update_of_a_system_column", "reception1", "UPDATE patients SET ctid = '(0,1)'", GONE),
    ("update_by_quoted_unicode_name", "reception1", "UPDATE patients SET U&\"family\\005fname\" = 'x'", NO),
    ("update_by_upper_case_name", "reception1", "UPDATE PATIENTS SET FAMILY_NAME = 'x'", NO),
    ("update_by_alias", "reception1", "UPDATE patients AS wards SET family_name = 'x'", NO),
    ("update_through_a_view", "reception1", "UPDATE patient_stays SET family_name = 'x'", NO),
    ("update_of_a_catalog", "reception1", "UPDATE pg_class SET relname = 'x'", NO),
    ("update_of_an_open_catalog", "reception1", "UPDATE pg_am SET amname = 'x'", NO),
    ("delete_from_information_schema", "reception1", "DELETE FROM information_schema.tables", NO),
    ("update_of_a_guard_by_name", "reception1", "UPDATE \"pgvigil:receptionist/admission@00000000\".\"public.patients\" SET phone = 'x'", NO),
    ("insert_into_a_temporary_schema", "reception1", "INSERT INTO pg_temp.x VALUES (1)", NO),
    ("delete_of_what_was_prescribed", "dr.martin", "DELETE FROM prescriptions", NO),
    ("insert_of_more_columns_than_named", "nurse1", "INSERT INTO observations (id, patient_id) VALUES (1, 2, 3)", SYNTAX),
    ("insert_into_wards", "nurse1", "INSERT INTO wards VALUES (99, 'x', 'x', 'x', 1, 1, 'x')", NO),
    ("truncate", "reception1", "TRUNCATE patients", NO),
    ("merge", "reception1", "MERGE INTO patients p USING stays s ON s.patient_id = p.id WHEN MATCHED THEN UPDATE SET phone = 'x'", UNSUPPORTED),
    ("where_current_of", "reception1", "UPDATE patients SET phone = 'x' WHERE CURRENT OF c", UNSUPPORTED),
    ("lock_table", "reception1", "LOCK TABLE patients", UNSUPPORTED | NO),

    # ---- functions, types and settings in writes
    ("file_in_a_value", "reception1", "UPDATE patients SET phone = pg_read_file('/etc/passwd')", NO),
    ("sql_in_a_value", "reception1", "UPDATE patients SET phone = query_to_xml('SELECT 1', true, true, '')::text", NO),
    ("setting_in_a_value", "reception1", "UPDATE patients SET phone = current_setting('pgvigil.u_name') RETURNING phone", {"42704"}),
    ("sleep_in_returning", "reception1", "UPDATE patients SET phone = phone RETURNING pg_sleep(0)", NO),
    ("large_object_in_a_value", "reception1", "UPDATE patients SET phone = lo_get(1)::text", NO),
    ("sequence_in_a_value", "reception1", "UPDATE patients SET phone = nextval('x')::text", {"42P01"}),
    ("function_as_a_field", "reception1", "UPDATE patients SET phone = (phone).pg_read_file", NO),
    ("regclass_in_a_value", "reception1", "UPDATE patients SET phone = (SELECT 'staff_salaries'::regclass)::text", {"42P01"}),
    ("row_type_in_a_value", "reception1", "UPDATE patients SET phone = (NULL::staff_salaries)::text", NO),
    ("function_in_on_conflict", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions LIMIT 1 ON CONFLICT (id) DO UPDATE SET dose = pg_read_file('x')", NO),
    ("function_in_the_arbiter", "dr.martin", "INSERT INTO prescriptions SELECT * FROM prescriptions LIMIT 1 ON CONFLICT (id) WHERE pg_sleep(0) IS NULL DO NOTHING", NO),
    ("operator_of_another_schema", "reception1", "UPDATE patients SET phone = phone OPERATOR(public.||) 'x'", NO),

    # ---- text games
    ("cte_named_like_the_target", "reception1", "WITH patients AS (SELECT 1 AS id) DELETE FROM patients", NO),
    ("cte_named_like_the_target_is_no_target", "reception1", "WITH patients AS (SELECT {any} AS id) UPDATE patients SET phone = 'cte' FROM patients c WHERE c.id = patients.id RETURNING phone", [("cte",)]),
    ("comment_between_target_and_set", "reception1", "UPDATE patients/* SET family_name = 'x' */SET phone = 'c' WHERE id = {any} RETURNING phone", [("c",)]),
    ("alias_runs_into_set", "reception1", "UPDATE patients\"p\"SET phone='c'WHERE\"p\".id={any} RETURNING\"p\".phone", [("c",)]),
    ("statement_behind_a_semicolon", "reception1", "UPDATE patients SET phone = 'x' WHERE id = {any}; DELETE FROM patients", NO | SYNTAX),
    ("statement_in_a_string", "reception1", "UPDATE patients SET phone = '; DELETE FROM patients --' WHERE id = {any} RETURNING phone", [("; DELETE FROM patients --",)]),
    ("dollar_quoted_statement", "reception1", "UPDATE patients SET phone = $$'; DELETE FROM patients$$ WHERE id = {any} RETURNING length(phone)", [("23",)]),
    ("ordinal_shift_by_insert_without_columns", "nurse1", "INSERT INTO observations " + NEW + " RETURNING id", [("900001",)]),
    ("ordinal_shift_with_too_few_columns", "nurse1", "INSERT INTO observations SELECT 900001, " + MINE, {"23502"}),
    ("default_for_a_hidden_column", "reception1", "UPDATE patients SET blood_group = DEFAULT", GONE),
    ("subscript_of_a_hidden_column", "reception1", "UPDATE patients SET allergies[1] = 'x'", GONE),
    ("overriding", "nurse1", "INSERT INTO observations (" + OBSERVATION + ") OVERRIDING SYSTEM VALUE " + NEW + " RETURNING id", [("900001",)]),
]
TABLES = ("patients", "stays", "appointments", "observations", "prescriptions", "staff_salaries", "wards", "care_team")


@pytest.fixture(scope="module")
def facts(stack):
    with stack.superuser() as c:
        patient, stay, foreign = c.execute("SELECT p.id, s.id, o.id FROM patients p JOIN stays s ON s.patient_id = p.id JOIN observations o ON o.stay_id = s.id "
                                           "WHERE p.ward_id = 3 ORDER BY 1, 2, 3 LIMIT 1").fetchone()
        (not_martins,) = c.execute("SELECT min(patient_id) FROM prescriptions r WHERE NOT EXISTS (SELECT 1 FROM care_team t WHERE t.patient_id = r.patient_id "
                                   "AND t.practitioner = '10000000017')").fetchone()
        (any_patient,) = c.execute("SELECT min(id) FROM patients").fetchone()
    return {"patient": patient, "stay": stay, "foreign": foreign, "not_martins": not_martins, "any": any_patient}


@pytest.fixture(scope="module")
def people(stack):
    made = {}

    def session(who):
        if who not in made:
            made[who] = wire.open_session(stack, who)
        return made[who]

    yield session
    for one in made.values():
        one.close()


def contents(stack):
    with stack.superuser() as c:
        return c.execute("SELECT " + ", ".join("(SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM %s t)" % t for t in TABLES)).fetchone()


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("name, who, sql, must", CASES, ids=[c[0] for c in CASES])
def test_write_attack(name, who, sql, must, extended, stack, people, facts):
    for word, value in facts.items():
        sql = sql.replace("{%s}" % word, str(value))
    raw = people(who)
    before = contents(stack)
    raw.query("BEGIN")
    messages = raw.extended(sql) if extended else raw.query(sql)
    raw.query("ROLLBACK")
    error = wire.error_of(messages)
    rows = [tuple(None if v is None else v.decode() for v in row) for row in wire.rows_of(messages)]
    if isinstance(must, set):
        assert (error is None and "none" in must and rows == []) or (error and error["C"] in must), error or rows
        assert error is None or ("D" not in error and ("pgvigil:" not in str(error) or "pgvigil:" in sql)), error
        if "none" not in must:
            # Without a transaction to roll back there is nothing to undo either.
            messages = raw.extended(sql) if extended else raw.query(sql)
            assert wire.error_of(messages)
    else:
        assert error is None and rows == must, error or rows
    assert contents(stack) == before


def test_there_are_enough_cases_with_names_of_their_own():
    assert len({c[0] for c in CASES}) == len(CASES) >= 70
