"""
Non-interference of writes: two databases that differ only in rows and columns that a session may not see answer hostile
INSERTs, UPDATEs and DELETEs alike, byte for byte up to row order, and what the session may see stays alike afterwards.
A canary stands in each hidden cell. What constraints tell is the same in both: the hidden rows have the same keys.
"""
import pytest
import wire
import write_schema
from twin_answers import Session, normal

TWIN = """
ALTER TABLE w.persons DISABLE TRIGGER USER;
UPDATE w.persons SET secret = 'ZZCANARY{L}' || id, version = {n} * id, nir = 'ZZCANARY{L}' || id, born = date '1900-01-01' + {n} * id;
UPDATE w.persons SET name = 'ZZCANARY{L}' || id, phone = '{digits}', amount = {n}, tags = '{{ZZCANARY{L}}}',
    info = jsonb_build_object('ZZCANARY{L}', {n}), state = '{state}', code = 'ZZ{n}' WHERE ward > 2;
ALTER TABLE w.persons ENABLE TRIGGER USER;
UPDATE w.visits SET note = 'ZZCANARY{L}' || id, "Mixed Case" = '{digits}' WHERE person IN (SELECT id FROM w.persons WHERE ward > 2);
UPDATE w.items SET secret = 'ZZCANARY{L}';
UPDATE w.items SET label = 'ZZCANARY{L}' || id WHERE region = 3;
UPDATE w.devices SET label = 'ZZCANARY{L}' || id WHERE ward > 2;
UPDATE w.log SET secret = 'ZZCANARY{L}', what = 'ZZCANARY{L}';
"""


def twin_sql(letter):
    return TWIN.format(L=letter, n=3 if letter == "A" else 7, digits="12345" if letter == "A" else "x", state="done" if letter == "A" else "open")


STATEMENTS = [
    # predicates and expressions that would fail on a hidden row
    "UPDATE w.persons SET phone = phone WHERE phone::int > 0",
    "UPDATE w.persons SET amount = 1 / (amount - 3)",
    "UPDATE w.persons SET amount = amount WHERE 1 / (amount - 7) > -100",
    "UPDATE w.persons SET phone = name::int::text WHERE ward > 2",
    "UPDATE w.persons SET phone = (name::int)::text",
    "UPDATE w.persons SET tags = array_append(tags, 'x') WHERE tags @> '{ZZCANARYA}' RETURNING *",
    "UPDATE w.persons SET info = '{}' WHERE info ? 'ZZCANARYA' RETURNING id",
    "UPDATE w.persons SET phone = 'x' WHERE state = 'done' RETURNING *",
    "UPDATE w.persons SET phone = 'x' WHERE name LIKE 'ZZCANARY%' RETURNING *",
    "UPDATE w.persons SET phone = 'x' WHERE name ~ '('",
    "UPDATE w.persons SET phone = secret",
    "UPDATE w.persons SET phone = 'x' WHERE secret LIKE 'ZZ%'",
    "UPDATE w.persons SET phone = nir",
    "UPDATE w.persons SET phone = persons::text RETURNING phone",
    "UPDATE w.persons SET phone = row_to_json(persons)::text RETURNING phone",
    "UPDATE w.persons SET phone = born::text RETURNING phone, born",
    "DELETE FROM w.persons WHERE 1 / (amount - 3) IS NULL",
    "DELETE FROM w.persons WHERE phone::int = 12345",
    "DELETE FROM w.persons WHERE ward > 2 RETURNING *",
    "DELETE FROM w.persons WHERE born > '1950-01-01' RETURNING *",
    "DELETE FROM w.items WHERE label LIKE 'ZZ%' RETURNING *",
    "DELETE FROM w.devices WHERE length(label) > 9 RETURNING *",
    "DELETE FROM w.visits WHERE note::int > 3",
    "DELETE FROM w.visits v USING w.persons p WHERE p.id = v.person AND p.name::text > 'ZZ' RETURNING *",
    "UPDATE w.visits v SET note = p.name FROM w.persons p WHERE p.id <> v.person AND p.phone::text = '12345' RETURNING p.*",
    "UPDATE w.visits SET note = (SELECT string_agg(name, ',' ORDER BY id) FROM w.persons) RETURNING note",
    "UPDATE w.visits SET note = (SELECT count(*) FROM w.persons WHERE name LIKE 'ZZ%')::text RETURNING note",
    # errors that print rows
    "INSERT INTO w.persons (name, ward) VALUES (NULL, 1)",
    "UPDATE w.persons SET name = NULL",
    "UPDATE w.persons SET name = NULL WHERE id IN (2, 3)",
    "INSERT INTO w.persons (name, ward) VALUES ('x', 3)",
    "UPDATE w.persons SET ward = 3",
    "UPDATE w.persons SET ward = 3 WHERE id = 4 RETURNING *",
    "UPDATE w.persons SET amount = -1",
    "UPDATE w.persons SET code = 'bad'",
    "INSERT INTO w.visits (person, at) VALUES (2, '2030-01-01')",
    "INSERT INTO w.visits (person, at) VALUES (4, '2024-01-04')",
    "INSERT INTO w.visits (person, at) SELECT id, '2024-01-04' FROM generate_series(1, 24) AS id",
    "UPDATE w.visits SET at = '2024-03-03'",
    "INSERT INTO w.items VALUES (1, 3, 'x')",
    "INSERT INTO w.items VALUES (2, 3, 'x')",
    "UPDATE w.items SET region = 3",
    # rows in the way
    "INSERT INTO w.persons (id, name, ward) VALUES (2, 'c', 1)",
    "INSERT INTO w.persons (id, name, ward) SELECT n, 'c', 1 FROM generate_series(2, 3) AS n ON CONFLICT DO NOTHING RETURNING *",
    "INSERT INTO w.persons (id, name, ward) VALUES (2, 'c', 1) ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING *",
    "INSERT INTO w.persons (id, name, ward) VALUES (2, 'c', 3) ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING *",
    "INSERT INTO w.persons (id, name, ward) VALUES (2, 'c', 1) ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE false",
    "INSERT INTO w.persons (id, name, ward) VALUES (2, 'c', 1) ON CONFLICT (id) DO UPDATE SET tags[2] = 'x' RETURNING *",
    "INSERT INTO w.persons (id, name, ward) VALUES (2, 'c', 1) ON CONFLICT (id) DO UPDATE SET (name, ward) = (persons.name, 1)",
    "INSERT INTO w.persons AS x (id, name, ward) VALUES (2, 'c', 1) ON CONFLICT (id) DO UPDATE SET amount = x.amount + 1 / (x.amount - 3)",
    "INSERT INTO w.persons (id, name, ward) VALUES (2, 'c', 1) ON CONFLICT (id) DO UPDATE SET name = 'x' WHERE persons.phone::int > 0",
    "INSERT INTO w.persons (id, name, ward) VALUES (2, 'c', 1) ON CONFLICT (id) DO UPDATE SET phone = (SELECT max(v.note) FROM w.visits v WHERE v.person = persons.id)",
    "INSERT INTO w.items VALUES (2, 3, 'c') ON CONFLICT (id, region) DO UPDATE SET label = excluded.label RETURNING *",
    "INSERT INTO w.items VALUES (2, 3, 'c') ON CONFLICT (id, region) DO UPDATE SET region = 1 RETURNING *",
    # what comes back
    "INSERT INTO w.persons (name) VALUES ('r') RETURNING *",
    "INSERT INTO w.persons (name) VALUES ('r') RETURNING secret",
    "INSERT INTO w.persons AS p (name) VALUES ('r') RETURNING p, to_jsonb(p) - 'id' - 'ticket'",
    "INSERT INTO w.persons (name) VALUES ('r') RETURNING (SELECT string_agg(name, ',' ORDER BY id) FROM w.persons)",
    "INSERT INTO w.persons (name, phone) SELECT name, phone FROM w.persons WHERE ward <> 1 RETURNING *",
    "INSERT INTO w.items SELECT id + 3000, region, label FROM w.items RETURNING *",
    "WITH u AS (UPDATE w.persons SET phone = 'cte' RETURNING *) SELECT count(*), max(name), min(amount) FROM u",
    "WITH d AS (DELETE FROM w.items WHERE id > 14 RETURNING *) SELECT * FROM d ORDER BY 1",
    "WITH i AS (INSERT INTO w.visits (person, at) SELECT id, '2031-01-01' FROM w.persons RETURNING *) SELECT * FROM i WHERE note IS NOT NULL",
    "UPDATE w.persons SET phone = '1' RETURNING version",
    "UPDATE w.devices SET label = upper(label) RETURNING label",
    "UPDATE ONLY w.devices SET label = lower(label) RETURNING *",
    "DELETE FROM w.log RETURNING *",
    "UPDATE w.persons SET phone = current_setting('pgvigil.u_wards')",
    "UPDATE w.persons SET phone = 'x' WHERE ctid IS NOT NULL",
    "DELETE FROM w.persons WHERE xmin::text::int > 0",
    # row locks
    "SELECT * FROM w.persons WHERE phone::int > 0 FOR UPDATE",
    "SELECT id FROM w.persons WHERE 1 / (amount - 3) > -100 ORDER BY name FOR UPDATE",
    "SELECT id FROM w.persons ORDER BY 1 / (amount - 7) LIMIT 3 FOR SHARE",
    "SELECT name FROM w.persons WHERE name LIKE 'ZZ%' FOR UPDATE NOWAIT",
    "SELECT name AS n FROM w.persons WHERE ward > 2 ORDER BY n FOR KEY SHARE",
    "SELECT persons, to_jsonb(persons) FROM w.persons WHERE tags @> '{ZZCANARYA}' OR id = 4 LIMIT 2 FOR UPDATE SKIP LOCKED",
    "SELECT secret FROM w.persons ORDER BY secret LIMIT 1 FOR UPDATE",
    "SELECT \"pgvigil keys\" FROM w.persons LIMIT 1 FOR UPDATE",
    "SELECT label FROM w.items WHERE label LIKE 'ZZ%' ORDER BY length(label) DESC FOR UPDATE",
    "UPDATE w.persons SET phone = 'l' WHERE id IN (SELECT id FROM w.persons WHERE name::text > 'A' ORDER BY name DESC LIMIT 2 FOR UPDATE SKIP LOCKED) RETURNING *",
    "BEGIN; UPDATE w.persons SET phone = 'tx'; SELECT count(*) FROM w.persons WHERE phone = 'tx'; ROLLBACK",
]
LOOK = ["SELECT * FROM w.persons", "SELECT * FROM w.visits", "SELECT * FROM w.items", "SELECT * FROM w.devices"]


@pytest.fixture(scope="module")
def twins(make_stack):
    return make_stack(databases=["twin_a", "twin_b"], extra_sql=write_schema.EXTRA_SQL, extra_policy=[("90-write.cfg", write_schema.POLICY)],
                      changes={"twin_a": twin_sql("A"), "twin_b": twin_sql("B")})


@pytest.fixture(scope="module")
def sessions(twins):
    made = [Session(twins, "nurse1", "twin_" + letter, "care") for letter in "ab"]
    yield made
    for session in made:
        session.close()


def names_of(twins):
    return "|".join(sorted([n for pair in twins.databases.items() for n in pair], key=len, reverse=True)).encode()


answered = {"fine": 0, "failed": 0}


@pytest.mark.parametrize("sql", STATEMENTS, ids=lambda sql: sql[:70])
def test_twins_answer_writes_alike(sql, twins, sessions):
    names = names_of(twins)
    for extended in (False, True):
        if extended and ";" in sql:
            continue
        first, second = (s.ask(sql, extended) for s in sessions)
        for session in sessions:
            assert b"ZZCANARY" not in session.last or b"ZZCANARY" in sql.encode(), session.last
        assert normal(first, names) == normal(second, names)
        error = wire.error_of(first)
        assert error is None or ("D" not in error and error["C"] != "XX000"), error
        answered["failed" if error else "fine"] += 1
    for look in LOOK:
        first, second = (s.ask(look, False) for s in sessions)
        assert normal(first, names) == normal(second, names), look


def test_many_of_them_ran():
    if answered["fine"] + answered["failed"] < 100:
        pytest.skip("only a part of this file was run")
    assert answered["fine"] >= 50 and answered["failed"] >= 40, answered


def test_the_twins_do_differ(twins):
    """The comparison can fail: who sees everything is told the twins apart by each kind of statement."""
    admins = [Session(twins, "admin1", "twin_" + letter, None) for letter in "ab"]
    for sql in ("UPDATE w.persons SET phone = phone WHERE phone::int > 0", "DELETE FROM w.persons WHERE 1 / (amount - 3) IS NULL",
                "INSERT INTO w.persons AS x (id, name, ward) VALUES (2, 'c', 1) ON CONFLICT (id) DO UPDATE SET name = x.name RETURNING name",
                "UPDATE w.persons SET name = NULL WHERE id = 2", "BEGIN; DELETE FROM w.items WHERE region = 3 RETURNING label; ROLLBACK"):
        first, second = (s.ask(sql, False) for s in admins)
        assert normal(first, names_of(twins)) != normal(second, names_of(twins)), sql
    for session in admins:
        session.close()
