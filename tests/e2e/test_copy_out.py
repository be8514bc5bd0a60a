"""
COPY TO STDOUT by restricted roles: the bytes that PostgreSQL itself gives for COPY (SELECT ...) on views that the test writes
(oracle_schema.py), in every format, by both protocols; what is refused; what is on record.
"""
import time

import psycopg
import pytest
import wire
from copies import Refused, copy_out
from psycopg import pq
from test_oracle import PAIRS, oracles, sessions, stack  # noqa: F401

NURSE, DESK, RESEARCH = PAIRS
ALL = tuple(PAIRS)
PATIENTS = {NURSE: "id, ward_id, family_name, given_name, sex, birth_date, phone, email, address, postcode, city, blood_group, allergies, "
                   "created_at, updated_at",
            DESK: "id, ward_id, nir, family_name, given_name, sex, birth_date, phone, email, address, postcode, city",
            RESEARCH: "id, sex, birth_date, postcode, blood_group, allergies"}
LAB = {NURSE: "id, stay_id, loinc, label, value, unit, low, high, taken_at",  # abnormal is generated: COPY of a table leaves it out
       RESEARCH: "id, stay_id, loinc, label, value, unit, low, high, taken_at"}
OPTIONS = (
    "", "WITH (FORMAT text)", "(FORMAT csv)", "(FORMAT csv, HEADER)", "(HEADER true)", "(FORMAT csv, HEADER off)", "WITH (FORMAT binary)",
    "(FORMAT csv, DELIMITER ';', NULL '-', QUOTE '''', ESCAPE '\\')", "(DELIMITER E'\\x01', NULL 'NULL')", "(FORMAT csv, FORCE_QUOTE *)",
    "(FORMAT csv, ENCODING 'UTF8')", "WITH CSV HEADER DELIMITER AS '|' NULL AS '' QUOTE AS '~'", "CSV FORCE QUOTE *", "WITH BINARY", "BINARY",
    "DELIMITER ','", "WITH NULL AS 'x'",
)


def same(columns):
    return {pair: columns for pair in ALL}


# (table as the client names it, its columns for each pair that may, the view of the oracle)
TABLES = [
    ("patients", PATIENTS, "public.patients"),
    ('"public" . patients', PATIENTS, "public.patients"),
    ("public.lab_results", LAB, "public.lab_results"),
    ('"Étage"."Chambres"', same('"Numéro", "Niveau", nom, "select", tags, info, prix, ouvert, depuis, "Mixed Case"'), '"Étage"."Chambres"'),
    ('U&"\\00C9tage".mesures', same("*"), '"Étage".mesures'),
    ('"Étage".appareil', same("*"), '"Étage".only_appareil'),  # COPY reads no children
    ('"Étage".pompe', same("id, nom, ward, serie"), '"Étage".pompe'),
    ("observations_2023", {NURSE: "*"}, "public.observations_2023"),
    ('patients (id, sex)', same("id, sex"), "public.patients"),
    ('patients(birth_date,"id")', same("birth_date, id"), "public.patients"),
    ('"Étage"."Chambres" ("select", "Numéro")', same('"select", "Numéro"'), '"Étage"."Chambres"'),
]
QUERIES = [
    "SELECT id, sex, birth_date FROM patients ORDER BY id",
    "SELECT count(*), max(birth_date) FROM patients",
    'SELECT c.*, ROW(1, nom) FROM "Étage"."Chambres" c ORDER BY "Numéro"',
    "SELECT id, name FROM wards ORDER BY 1",
    "VALUES (1, 'a'), (2, NULL), (3, 'b\tc\\d\n\"e\"')",
    "WITH p AS MATERIALIZED (SELECT id FROM patients) SELECT count(*) FROM p UNION ALL SELECT 0 ORDER BY 1",
    "SELECT octets, plage, adr, u, code, duree FROM \"Étage\".mesures ORDER BY id",
    "SELECT 1 WHERE false",
    "SELECT",
]


CASES = [(pair, table, columns[pair], view) for table, columns, view in TABLES for pair in ALL if pair in columns]


@pytest.mark.parametrize("pair,table,columns,view", CASES, ids=lambda v: str(v)[:40])
def test_table_is_copied_as_postgresql_copies_the_view(pair, table, columns, view, sessions, oracles):  # noqa: F811
    seen = 0
    for options in OPTIONS:
        for way in ("simple", "extended"):
            expected = copy_out(oracles[pair], "COPY (SELECT %s FROM %s) TO STDOUT %s" % (columns, view, options), way)
            got = copy_out(sessions[pair], "COPY %s TO STDOUT %s" % (table, options), way)
            assert sorted(got[0]) == sorted(expected[0]) and got[1:] == expected[1:], (options, way)
            if "csv" in options and "HEADER)" in options:
                assert got[0][0] == expected[0][0]
            seen += len(got[0])
    assert seen > 2 * len(OPTIONS)


@pytest.mark.parametrize("old,new", [
    ("COPY BINARY patients TO STDOUT", "(FORMAT binary)"), ("COPY BINARY patients TO STDOUT WITH", "(FORMAT binary)"),
    ("COPY patients TO STDOUT USING DELIMITERS ';'", "(DELIMITER ';')"), ("COPY patients TO STDIN DELIMITERS ';' WITH NULL 'x'", "(DELIMITER ';', NULL 'x')"),
    ("COPY patients TO STDOUT DELIMITERS ';' CSV HEADER", "(FORMAT csv, DELIMITER ';', HEADER)"),
    ("COPY patients -- a table (with a view behind it)\nTO /* TO */ STDOUT -- end", ""),
    ("copy\"patients\"to stdout", ""), ("COPY U&\"p!0061tients\" UESCAPE '!' TO STDOUT;", ""),
])
def test_forms_of_old_and_odd_spelling(old, new, sessions, oracles):  # noqa: F811
    for pair in ALL:
        expected = copy_out(oracles[pair], "COPY (SELECT %s FROM public.patients) TO STDOUT %s" % (PATIENTS[pair], new))
        for way in ("simple", "extended"):
            got = copy_out(sessions[pair], old, way)
            assert sorted(got[0]) == sorted(expected[0]) and got[1:] == expected[1:]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("pair", ALL)
def test_query_is_copied(pair, query, sessions, oracles):  # noqa: F811
    for options in OPTIONS:
        if "FORCE" in options and query == "SELECT":
            continue
        for way in ("simple", "extended"):
            sql = "COPY (%s) TO STDOUT %s" % (query, options)
            expected = copy_out(oracles[pair], sql, way)
            assert copy_out(sessions[pair], sql, way) == expected, (options, way)


@pytest.mark.parametrize("sql", [
    "COPY patients TO STDOUT (FORMAT nosuch)", "COPY patients TO STDOUT (FORMAT csv, FORMAT text)", "COPY patients TO STDOUT (DELIMITER 'xx')",
    "COPY patients TO STDOUT (HEADER match)", "COPY patients TO STDOUT (HEADER maybe)", "COPY patients TO STDOUT (FORMAT binary, HEADER)",
    "COPY patients TO STDOUT (FORCE_QUOTE *)", "COPY patients (nosuch) TO STDOUT", "COPY patients (id, id) TO STDOUT",
    "COPY patients (patients) TO STDOUT", "COPY observations TO STDOUT", "COPY ward_occupancy TO STDOUT", "COPY lab_results (abnormal) TO STDOUT",
    "COPY nosuch TO STDOUT", "COPY (SELECT 1/0) TO STDOUT", "COPY (SELECT nosuch FROM patients) TO STDOUT", "COPY patients TO STDOUT WHERE id = 1",
])
def test_error_is_postgresqls_own(sql, stack, sessions):  # noqa: F811
    """Compared with the table itself, by somebody who may read it whole."""
    with stack.superuser() as direct:
        for way in ("simple", "extended"):
            with pytest.raises(Refused) as theirs:
                copy_out(direct, sql, way)
            with pytest.raises(Refused) as mine:
                copy_out(sessions[NURSE], sql, way)
            assert mine.value.sqlstate == theirs.value.sqlstate
            assert str(mine.value).splitlines()[0] == str(theirs.value).splitlines()[0]


@pytest.mark.parametrize("sqlstate,sql", [
    ("42703", "COPY patients (nir) TO STDOUT"), ("42703", "COPY patients (id, preferences) TO STDOUT"), ("42703", "COPY patients (ctid) TO STDOUT"),
    ("42703", "COPY (SELECT nir FROM patients) TO STDOUT"), ("42703", "COPY patients TO STDOUT (FORMAT csv, FORCE_QUOTE (nir))"),
    ("42501", "COPY staff_salaries TO STDOUT"), ("42501", "COPY (SELECT * FROM staff_salaries) TO STDOUT"), ("42501", "COPY pg_authid TO STDOUT"),
    ("42501", "COPY (SELECT ctid FROM patients) TO STDOUT"), ("42501", "COPY (SELECT pg_read_file('/etc/passwd')) TO STDOUT"),
    ("42501", "COPY patients TO '/tmp/pgvigil-copy'"), ("42501", "COPY patients TO ''"), ("42501", "COPY patients TO PROGRAM 'touch /tmp/pgvigil-copy'"),
    ("42501", "COPY (SELECT 1) TO PROGRAM 'touch /tmp/pgvigil-copy'"), ("42501", "COPY (SELECT 1) TO '/tmp/pgvigil-copy'"),
    ("42501", "COPY patients TO E'STDOUT'"), ("42501", "COPY (SELECT 1) TO $$STDOUT$$"), ("42501", "COPY patients FROM PROGRAM 'id'"),
    ("0A000", "COPY patients TO STDOUT (FREEZE)"), ("0A000", "COPY patients TO STDOUT (ENCODING 'LATIN1')"), ("0A000", "COPY patients TO STDOUT ENCODING 'SQL_ASCII'"),
    ("0A000", "COPY patients TO STDOUT (nosuch 'x')"), ("0A000", "COPY patients TO STDOUT (\"FORMAT\" csv)"), ("0A000", "COPY (SELECT 1 INTO x) TO STDOUT"),
    ("0A000", "COPY BINARY patients TO STDOUT (DELIMITER ',')"), ("42501", "COPY (SELECT * FROM patients FOR UPDATE) TO STDOUT"),
    ("42501", "COPY \"pgvigil:nurse/care@00000000\".\"public.patients\" TO STDOUT"), ("42501", "COPY pg_temp.x TO STDOUT"),
    ("42P01", "COPY \"pat\"\"ients\" TO STDOUT"), ("42P01", "COPY \"patients) TO STDOUT--\" TO STDOUT"),
    ("42703", "COPY patients (\"id\"\", nir\") TO STDOUT"), ("42703", "COPY patients (\"id) TO STDOUT; --\") TO STDOUT"),
    ("42P01", "COPY \"patıents\" TO STDOUT"), ("42P01", "COPY \"patients \" TO STDOUT"),
])
def test_copy_outside_the_policy_is_refused(sqlstate, sql, sessions):  # noqa: F811
    for way in ("simple", "extended"):
        with pytest.raises(Refused) as caught:
            copy_out(sessions[NURSE], sql, way)
        assert caught.value.sqlstate == sqlstate, caught.value
        assert "pgvigil:" not in str(caught.value) or "pgvigil:" in sql


@pytest.mark.parametrize("body", [b"COPY pat\0ients TO STDOUT\0", b"COPY \"pat\xc3ients\" TO STDOUT\0", b"COPY patients (\"\xff\") TO STDOUT\0",
                                  b"COPY \"\xed\xa0\x80\" TO STDOUT\0"])
def test_names_that_are_no_text_run_nothing(body, stack):  # noqa: F811
    raw = wire.open_session(stack, "nurse1")
    raw.send(wire.message("Q", body))
    try:
        got = raw.until("Z")
    except wire.Closed:
        got = []
    assert not any(kind in "Hd" for kind, _ in got)
    raw.close()
    with stack.connect("nurse1") as c:
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_hidden_column_has_a_hint_and_an_unknown_one_has_none(sessions):  # noqa: F811
    with pytest.raises(psycopg.errors.UndefinedColumn) as hidden:
        with sessions[NURSE].cursor().copy("COPY patients (nir) TO STDOUT") as copy:
            copy.read()
    assert "hides column \"nir\" of public.patients" in hidden.value.diag.message_hint
    with pytest.raises(psycopg.errors.UndefinedColumn) as unknown:
        with sessions[NURSE].cursor().copy("COPY patients (nosuch) TO STDOUT") as copy:
            copy.read()
    assert unknown.value.diag.message_hint is None


def test_several_copies_and_queries_in_one_text(stack, oracles):  # noqa: F811
    raw = wire.open_session(stack, "nurse1")
    got = raw.query("COPY (SELECT 1) TO STDOUT; SELECT count(*) FROM patients; COPY wards (id) TO STDOUT (FORMAT csv, HEADER); SELECT 2")
    (patients,) = oracles[NURSE].execute("SELECT count(*) FROM public.patients").fetchone()
    (wards,) = oracles[NURSE].execute("SELECT count(*) FROM public.wards").fetchone()
    tags = [body[:-1].decode() for kind, body in got if kind == "C"]
    assert tags == ["COPY 1", "SELECT 1", "COPY %d" % wards, "SELECT 1"]
    assert wire.rows_of(got) == [(str(patients).encode(),), (b"2",)]
    assert [body for kind, body in got if kind == "d"][1] == b"id\n"
    raw.close()


def test_copy_in_a_pipeline_and_in_a_transaction(stack, oracles):  # noqa: F811
    raw = wire.open_session(stack, "nurse1")
    one = wire.parse("COPY (SELECT id FROM patients ORDER BY id) TO STDOUT") + wire.bind() + wire.describe() + wire.execute()
    raw.send(one + wire.parse("SELECT 7") + wire.bind() + wire.execute() + one + wire.SYNC)
    got = raw.until("Z")
    ids = [b"%d\n" % row[0] for row in oracles[NURSE].execute("SELECT id FROM public.patients ORDER BY id")]
    assert [body for kind, body in got if kind == "d"] == ids + ids
    assert [kind for kind, _ in got if kind in "HcCnD"] == list("nHcCDCnHcC")
    assert raw.query("BEGIN")[-1] == ("Z", b"T")
    assert raw.query("COPY patients (nir) TO STDOUT")[-1] == ("Z", b"E")
    assert wire.error_of(raw.query("COPY patients (id) TO STDOUT"))["C"] == "25P02"
    assert raw.query("ROLLBACK")[-1] == ("Z", b"I")
    raw.close()


def test_error_in_the_middle_of_a_copy(stack):  # noqa: F811
    """Rows that left before it are on record, and so is the error."""
    raw = wire.open_session(stack, "reception1", application_name="copy-error")
    raw.send(wire.query("COPY (SELECT repeat('x', 1000), 1 / (n - 900) FROM generate_series(1, 1000) n) TO STDOUT"))
    got = raw.until("Z")
    rows = sum(1 for kind, _ in got if kind == "d")
    assert wire.error_of(got)["C"] == "22012" and 0 < rows < 900
    raw.close()
    (end,) = records(stack, "copy-error", type="end")
    assert end["sqlstate"] == "22012" and end["rows"] == 899 >= rows


def records(stack, application, seconds=5, **wanted):  # noqa: F811
    """What the trail says of an application, by its begin records where the record itself does not say."""
    deadline = time.monotonic() + seconds
    while True:
        every = stack.audit_records()
        sessions_of = {r.get("session") for r in every if r.get("application") == application}
        found = [r for r in every if r.get("session") in sessions_of and all(r.get(k) == v for k, v in wanted.items())]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


@pytest.mark.parametrize("sql,options,rows", [
    ("COPY wards TO STDOUT", "text", 12), ("COPY wards TO STDOUT (FORMAT csv, HEADER)", "csv", 12), ("COPY wards TO STDOUT (FORMAT binary)", "binary", 12),
    ("COPY (SELECT 'secret-literal' WHERE false) TO STDOUT (FORMAT binary, NULL 'secret-literal')", "none", None),
    ("COPY (SELECT 'secret-literal' WHERE false) TO STDOUT (FORMAT csv, NULL 'secret-literal')", "none", 0),
])
def test_record_of_a_copy(sql, options, rows, stack):  # noqa: F811
    for number, way in enumerate(("simple", "extended")):
        name = "copy-record-%s-%s-%s" % (options, way, rows)
        with stack.connect("nurse1", application_name=name) as c:
            try:
                data, tag, _ = copy_out(c, sql, way)
            except Refused:
                data = None
        kept = records(stack, name, statement="COPY")
        assert len(kept) == 1, kept
        (record,) = kept
        assert "secret-literal" not in str(record)
        if data is None:
            assert record["sqlstate"] and rows is None
            continue
        assert (record["type"], record["decision"], record["tag"], record["rows"]) == ("whole", "allow", tag, rows)
        assert record["bytes"] == sum(len(d) + 5 for d in data)
        if "wards" in sql:
            (relation,) = record["relations"]
            assert (relation["schema"], relation["name"]) == ("public", "wards") and "beds" in relation["shown"]


def test_long_copy_is_on_record_before_it_leaves(stack):  # noqa: F811
    for protocol in ("simple", "extended"):
        with wire.open_session(stack, "reception1", application_name="copy-long-" + protocol) as raw:
            sql = "COPY (SELECT a.id, repeat('x', 500) FROM patients a, wards b) TO STDOUT"
            raw.send(wire.query(sql) if protocol == "simple" else wire.parse(sql) + wire.bind() + wire.execute() + wire.SYNC)
            first = raw.receive()
            while first[0] != "d":
                first = raw.receive()
            (begin,) = [r for r in stack.audit_records() if r.get("application") == "copy-long-" + protocol and r.get("statement") == "COPY"]
            assert begin["type"] == "begin" and [r["name"] for r in begin["relations"]] == ["patients", "wards"]
            rest = [first] + raw.until("Z")
            rows = [body for kind, body in rest if kind == "d"]
            assert len(rows) == 7200 and wire.tag_of(rest) == "COPY 7200"
        (end,) = records(stack, "copy-long-" + protocol, type="end")
        assert end["rows"] == len(rows) and end["tag"] == "COPY 7200" and end["bytes"] == sum(5 + len(body) for body in rows)


def test_row_longer_than_a_megabyte(sessions, oracles):  # noqa: F811
    for options in ("", "(FORMAT binary)", "(FORMAT csv, HEADER)"):
        sql = "COPY (SELECT n, repeat('é', 1500000) AS t FROM generate_series(1, 3) n) TO STDOUT " + options
        assert copy_out(sessions[NURSE], sql) == copy_out(oracles[NURSE], sql)


@pytest.mark.parametrize("options", ["", "(FORMAT csv, HEADER)", "(FORMAT binary)"])
@pytest.mark.parametrize("way", ["simple", "extended"])
def test_max_rows_counts_the_rows_of_a_copy(options, way, sessions):  # noqa: F811
    """The clinic's research mission allows 10,000 rows; neither the header nor the trailer is one."""
    data, tag, _ = copy_out(sessions[RESEARCH], "COPY (SELECT n FROM generate_series(1, 10000) n) TO STDOUT " + options, way)
    assert tag == "COPY 10000"
    with pytest.raises(Refused) as caught:
        copy_out(sessions[RESEARCH], "COPY (SELECT n FROM generate_series(1, 10001) n) TO STDOUT " + options, way)
    assert caught.value.sqlstate == "54000"
    assert copy_out(sessions[RESEARCH], "COPY (SELECT 1) TO STDOUT")[0] == [b"1\n"]


def test_copy_follows_the_mission(stack, oracles):  # noqa: F811
    with stack.connect("dr.martin") as c:
        care = copy_out(c, "COPY patients (id) TO STDOUT")[0]
        c.execute("SET pgvigil.mission = 'research'")
        with pytest.raises(Refused):
            copy_out(c, "COPY patients (family_name) TO STDOUT")
        c.execute("SET pgvigil.mission = 'care'")
        assert copy_out(c, "COPY patients (id) TO STDOUT")[0] == care


def test_cancel_of_a_copy(stack):  # noqa: F811
    with stack.connect("reception1") as c:
        raw = c.pgconn
        result = raw.exec_(b"COPY (SELECT a.id, repeat('x', 5000) FROM patients a, patients b, wards) TO STDOUT")
        assert result.status == pq.ExecStatus.COPY_OUT
        raw.get_copy_data(0)
        c.cancel()
        while raw.get_copy_data(0)[0] > 0:
            pass
        last = raw.get_result()
        assert last.error_field(pq.DiagnosticField.SQLSTATE) == b"57014"
        while raw.get_result() is not None:
            pass
        assert c.execute("SELECT 1").fetchone() == (1,)
