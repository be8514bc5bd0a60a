"""
Simple queries by primary key go upstream as a statement that is prepared once (proxy/lookup.h). Nobody may notice: the same texts go to
PostgreSQL as texts, on the views that the test writes, and every message must be the same, in transactions, after errors, in pipelines
and between the statements of the extended protocol.
"""
import random
import time

import allow_schema
import harness
import oracle_schema
import pytest
import wire
from side_by_side import IGNORED, Both, extended, shown
from test_admin import Grown, with_port
from test_oracle import PAIRS

SYNC = wire.SYNC
OWN_SQL = oracle_schema.EXTRA_SQL + """
CREATE TABLE "Étage".paires (note text NOT NULL, a smallint, b bigint, c int, secret text, PRIMARY KEY (b, a));
INSERT INTO "Étage".paires SELECT 'é' || n, n % 5, n / 5, n % 3, 'SECRET' || n FROM generate_series(0, 99) AS n;
CREATE DOMAIN "Étage".numero AS int;
CREATE TABLE "Étage".domaines (id "Étage".numero PRIMARY KEY, note text);
INSERT INTO "Étage".domaines SELECT n, 'd' || n FROM generate_series(0, 30) AS n;
CREATE TABLE "Étage".uuids (id uuid PRIMARY KEY, note text);
INSERT INTO "Étage".uuids SELECT ('00000000-0000-4000-8000-0000000000a' || n)::uuid, 'u' || n FROM generate_series(0, 9) AS n;
CREATE TABLE "Étage".codes (code varchar(12), petit smallint, texte text, note text, PRIMARY KEY (code, petit, texte));
INSERT INTO "Étage".codes SELECT c, n, t, c || n || t FROM unnest(ARRAY['', 'a', 'a''b', 'é ', '12']) AS c, generate_series(0, 9) AS n, unnest(ARRAY['', 'x', '$1']) AS t;
CREATE TABLE "Étage".textes (id text PRIMARY KEY);
INSERT INTO "Étage".textes VALUES (''), ('a'), ('a''b'), ('é '), ('12'), ('$1');
CREATE TABLE "Étage".listes (id varchar(5)[] PRIMARY KEY);
INSERT INTO "Étage".listes VALUES ('{a}'), ('{12}');
CREATE TABLE "Étage".fixes (id char(3) PRIMARY KEY, note text);
INSERT INTO "Étage".fixes VALUES ('a', 'a'), ('ab', 'ab');
GRANT SELECT ON ALL TABLES IN SCHEMA "Étage" TO pgvigil_owner;
"""
OWN_VIEWS = {"nurse": 'SELECT note, a, b, c FROM raw_e.paires WHERE b > 2', "receptionist": 'SELECT note, NULL::smallint AS a, b, c FROM raw_e.paires',
             "researcher": "SELECT note, a, b, c FROM raw_e.paires"}
OWN_POLICY = """
tables = (
  { name = "Étage.paires"; columns = { paire = [ "note", "a", "b", "c" ]; coffre2 = [ "secret" ]; }; },
  { name = "Étage.domaines"; columns = { paire = [ "id", "note" ]; }; },
  { name = "Étage.uuids"; columns = { paire = [ "id", "note" ]; }; },
  { name = "Étage.codes"; columns = { paire = [ "code", "petit", "texte", "note" ]; }; },
  { name = "Étage.listes"; columns = { paire = [ "id" ]; }; },
  { name = "Étage.textes"; columns = { paire = [ "id" ]; }; },
  { name = "Étage.fixes"; columns = { paire = [ "id", "note" ]; }; }
);
rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "Étage.paires" ]; rows = "paires.b > 2"; columns = { paire = "show"; }; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "Étage.paires" ]; columns = { paire = "show"; a = "null"; }; },
  { roles = [ "researcher" ]; missions = [ "research" ]; tables = [ "Étage.paires" ]; columns = { paire = "show"; }; },
  { roles = [ "nurse", "receptionist", "researcher" ]; missions = [ "care", "admission", "research" ]; tables = [ "Étage.domaines", "Étage.uuids", "Étage.codes", "Étage.textes", "Étage.listes", "Étage.fixes" ]; columns = { paire = "show"; }; }
);
"""

# What may go so in one pair or the other...
KEYED = (
    "SELECT id, family_name FROM patients WHERE id = {n}", "SELECT * FROM patients p WHERE {n} = p.id", "SELECT p.*, p FROM patients AS p WHERE (p.id = {n}) AND sex IS NOT NULL LIMIT {k}",
    "SELECT count(*), id + {k} FROM patients WHERE id = {n} GROUP BY id + {k} HAVING count(*) < {k} ORDER BY id + {k}", "SELECT DISTINCT id, {k} FROM patients WHERE id = {n} ORDER BY id, {k}",
    "SELECT id / {z}, {k} FROM patients WHERE id = {n}", "SELECT {k} / {z} FROM patients WHERE id = {n}", 'SELECT id, id = {k}, id IN ({k}, {k}) FROM public.patients WHERE public.patients.id={n};',
    'SELECT * FROM "Étage".paires WHERE b = {n} AND a = {n}', 'SELECT note AS "é" FROM "Étage".paires AS "ü" WHERE {n} = a AND c <> {k} AND "ü".b = {n}',
    'SELECT u.nom, (SELECT count(*) FROM "Étage".unites v WHERE v.parent = u.id AND v.lits > {k}) FROM "Étage".unites u WHERE u.id = {n}', 'SELECT * FROM "Étage".mesures WHERE id = {n}',
    "SELECT id FROM patients WHERE id = {n} AND id = {n} OFFSET {z}", "SELECT now() > clock_timestamp(), id FROM patients WHERE id = {n} AND ward_id >= {z}",
    'SELECT "Numéro", prix * {k} FROM "Étage"."Chambres" WHERE "Numéro" = {n}', "SELECT id FROM patients WHERE id = {n} AND EXISTS (SELECT FROM stays WHERE patient_id = patients.id)",
    # strings, where the key is read from one
    'SELECT * FROM "Étage".uuids WHERE id = {u}', 'SELECT * FROM "Étage".textes WHERE id = {t}', "SELECT id, family_name FROM patients WHERE id = {s}", "SELECT id FROM patients WHERE id = {s} AND id = {n}", "SELECT id, family_name FROM patients WHERE {s} = id LIMIT {k}",
    'SELECT * FROM "Étage".codes WHERE code = {t} AND petit = {s} AND texte = {t}', 'SELECT note AS "é" FROM "Étage".codes WHERE texte = {t} AND code = {t} AND petit = {n} AND nosuch = {k}',
    'SELECT note FROM "Étage".paires WHERE a = {s} AND b = {s}',
    # errors of their own, with places before and behind the values
    'SELECT id AS "é" FROM patients WHERE id = {n} AND nosuch = {k}', "SELECT nosuch FROM patients WHERE id = {n}", "SELECT id FROM patients WHERE id = {n} AND family_name = {k}", 'SELECT note AS "é" FROM "Étage".paires WHERE a = {n} AND b = {n} AND note = {k} AND nosuch2 IS NULL',
    "SELECT id FROM patients WHERE id = {n} GROUP BY id + {k}", "SELECT family_name FROM patients WHERE id = {n} HAVING count(*) = {k}",
)
# ...and what looks like it.
OTHERS = (
    "SELECT id FROM patients WHERE id = {n} OR id = {n} ORDER BY id", "SELECT id FROM patients WHERE NOT id = {n} ORDER BY id LIMIT {k}", "SELECT id FROM patients WHERE id = -{n}",
    "SELECT id FROM patients WHERE id = {n}::int", "SELECT id FROM patients WHERE id = {n} + {k}", "SELECT id FROM patients WHERE id = {n}.0", "SELECT id, 'é' FROM patients WHERE id = {n}",
    "SELECT id FROM patients WHERE id = {n} UNION ALL SELECT id FROM patients WHERE id = {n} ORDER BY id", "SELECT p.id FROM patients p JOIN stays s ON s.patient_id = p.id WHERE p.id = {n} ORDER BY s.id",
    "SELECT id FROM patients p (id, sex) WHERE id = {n}", "SELECT note FROM \"Étage\".paires WHERE a = {n} ORDER BY b, a LIMIT {k}", "WITH patients AS (SELECT {n} AS id) SELECT * FROM patients WHERE id = {n}",
    "SELECT id FROM (SELECT id FROM patients WHERE id = {n}) AS p WHERE id = {n}", "SELECT (SELECT family_name FROM patients p WHERE p.id = {n})",
    "SELECT id FROM patients WHERE id BETWEEN {n} AND {n} ORDER BY id", "SELECT count(*) FROM patients WHERE id IN ({n}, {n})", 'SELECT id FROM "Étage".appareil WHERE id = {n}', 'SELECT id FROM ONLY "Étage".appareil WHERE id = {n}',
    'SELECT * FROM "Étage".domaines WHERE id = {n}', 'SELECT * FROM "Étage".fixes WHERE id = {t}', 'SELECT * FROM "Étage".listes WHERE id = \'{a}\'', "SELECT id, 'x' FROM patients WHERE id = {s}", "SELECT id FROM patients WHERE id = {s} || ''",
    'SELECT id FROM "Étage".uuids WHERE id = {u} AND note = {t}', 'SELECT id FROM "Étage".uuids WHERE id::text = {u}', 'SELECT id FROM "Étage".uuids WHERE id = {u}::uuid', "SELECT {n}, {k} AS id ORDER BY id",
    "SELECT id, now() = statement_timestamp() FROM patients WHERE id = {n}", "SELECT id AS %s FROM patients WHERE id = {n}" % ("a" * 64), 'SELECT id AS "%s" FROM patients WHERE id = {n}' % ("é " * 32),
    'SELECT id, (SELECT count(*) FROM "Étage"."Ouvertes") FROM patients WHERE id = {n}',
)
REFUSED = ("SELECT id FROM patients WHERE id = {n} FOR UPDATE", "SELECT id, pg_backend_pid() FROM patients WHERE id = {n}", "SELECT secret FROM \"Étage\".paires WHERE b = {n} AND a = {n}")
STRINGS = {"{s}": tuple("'%d'" % n for n in range(24)) * 2 + ("''", "' 3'", "'3 '", "'+3'", "'-3'", "'0003'", "'99999'", "'9999999999'", "'3.0'", "'x'", "'3_0'", "'0x3'", "NULL", "'9223372036854775808'"),
           "{u}": tuple("'00000000-0000-4000-8000-0000000000A%d'" % n for n in range(10)) * 2 + ("'0000000000004000800000000000000A1'", "'{00000000-0000-4000-8000-0000000000a1}'", "'x'", "''",
                                                                                         "'00000000-0000-4000-8000-0000000000a'", "'00000000-0000-4000-8000-0000000000ag'", "NULL"),
           "{t}": ("''", "'a'", "'a''b'", "'é '", "'é'", "'12'", "'x'", "'$1'", "'%'", "'" + "y" * 1001 + "'", "'a\\b'", "'a'", "'x'", "NULL")}
NUMBERS = tuple(range(0, 64)) + (99, 100, 32767, 32768, 99999, 999999999)


def make(make_stack, more=""):
    return with_port(make_stack, more, extra_sql=OWN_SQL, extra_policy=[("90-oracle.cfg", oracle_schema.POLICY), ("91-own.cfg", OWN_POLICY)], pool=2, workers=1)


@pytest.fixture(scope="module")
def stack(make_stack):
    return make(make_stack)


@pytest.fixture(scope="module")
def as_text(make_stack):
    """Where they go as they come."""
    return make(make_stack, "}; limits = { prepared_lookups = 0;")


@pytest.fixture(scope="module")
def oracles(stack):
    names = {}
    template = stack.cluster.template(extra_sql=OWN_SQL)
    for pair in PAIRS:
        sql = oracle_schema.oracle_sql(pair, harness.pseudonym_mission_key("research"))
        sql += 'CREATE VIEW "Étage".paires AS %s;\n' % OWN_VIEWS[pair]
        sql += "".join('CREATE VIEW "Étage".%s AS SELECT * FROM raw_e.%s;\n' % (t, t) for t in ("domaines", "uuids", "codes", "textes", "listes", "fixes"))
        names[pair] = stack.cluster.create("lookup_" + pair, template, sql)
    yield names
    for name in names.values():
        stack.cluster.drop(name)


def fill(rnd, template):
    """Values that are alike more often than not, so that what is prepared is met again."""
    text = template
    for mark, values in (("{n}", NUMBERS), ("{k}", (7, 7, 7, 7, 7, 7, 123)), ("{z}", (1, 1, 1, 1, 0)), *STRINGS.items()):
        while mark in text:
            text = text.replace(mark, str(rnd.choice(values)), 1)
    return text


def plain(kind, body):
    """What must be equal. pgvigil has words of its own for two errors, and a row's type is that of either's own view."""
    if kind in "EN":
        severity, code, text, place = shown("E", body)
        return severity, code, None if code in ("42803", "34000") else text, place
    if kind == "T":
        return [(name, "own" if oid >= 16384 else oid, form) for name, oid, form in shown(kind, body)]
    return shown(kind, body)


def messages(raw, data):
    """All that comes for it. An empty query is answered in a failed transaction, too."""
    raw.send(data + SYNC + wire.query(""))
    found = [raw.receive()]
    while found[-1][0] != "I":
        found.append(raw.receive())
    return [(kind, plain(kind, body)) for kind, body in found + raw.until("Z") if kind not in IGNORED or kind == "N"]


class Program:
    """Steps that leave open what there is, now and then."""

    def __init__(self, rnd, pair):
        self.rnd, self.hot = rnd, rnd.sample(KEYED, 6) + rnd.sample(OTHERS + REFUSED, 3)

    def text(self):
        return fill(self.rnd, self.rnd.choice(self.hot if self.rnd.random() < 0.8 else KEYED + OTHERS + REFUSED))

    def step(self):
        rnd, kind = self.rnd, self.rnd.random()
        if kind < 0.62:
            return wire.query(self.text())
        if kind < 0.72:  # one after the other, none awaited
            texts = [self.text() for _ in range(rnd.randint(2, 6))]
            if rnd.random() < 0.4:
                texts.insert(rnd.randrange(len(texts)), rnd.choice(("BEGIN", "COMMIT", "ROLLBACK", "SELECT 1/0")))
            return b"".join(wire.query(t) for t in texts)
        if kind < 0.80:
            return wire.query(rnd.choice(("BEGIN", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "SELECT 1/0")))
        if kind < 0.86:
            return extended(self.text()) + SYNC
        if kind < 0.92:  # in the middle of a group that is not ended
            return extended(self.text()) + wire.query(self.text()) + extended(self.text()) + SYNC
        if kind < 0.96:  # the unnamed portal and statement, and one by a name, around it
            bound = wire.parse(self.text()) + wire.bind() + wire.describe("P", "")
            return bound + wire.execute("", 1) + SYNC + wire.query(self.text()) + wire.execute("", 1) + SYNC
        return wire.query(self.text().rstrip(";") + "; " + self.text())


@pytest.mark.parametrize("pair", PAIRS)
def test_all_of_them_again_and_again(pair, stack, oracles):
    """
    Beside PostgreSQL, each template by itself, ten times with other values; and it is known which go so. Before the others: what is not
    of the key stays as the first of the texts had it.
    """
    went = {}
    with Both(stack, oracles[pair], PAIRS[pair][0]) as both:
        for template in KEYED + OTHERS:
            grown = Grown(stack)
            rnd = random.Random(template)
            for _ in range(30 if "{s}" in template or "{u}" in template or "{t}" in template else 10):
                # The refused ones are refused by pgvigil, in other words than PostgreSQL's.
                data = wire.query(fill(rnd, template.replace("{k}", "7").replace("{z}", "1")))
                expected, got = messages(both.theirs, data), messages(both.mine, data)
                assert got == expected, data
            went[template] = grown("pgvigil_lookups_total") > 0
    assert not [t for t in OTHERS if went[t]]
    masked = {"nurse": (), "receptionist": ("paires",), "researcher": ("patients", )}[pair]
    errors = [t for t in KEYED if "nosuch" in t or "note = {k}" in t or "GROUP BY id + {k}" in t and "count" not in t or "HAVING count(*) = {k}" in t]
    expected = [t for t in KEYED if not any(m in t for m in masked) and t not in errors]
    assert [t for t in KEYED if went[t] and t not in errors] == expected


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pair", PAIRS)
def test_every_message_is_what_the_text_would_bring(pair, seed, stack, as_text):
    """Beside pgvigil that sends them as texts: whatever it refuses itself it refuses in the same place."""
    rnd = random.Random("%s %d" % (pair, seed))
    grown, none = Grown(stack), Grown(as_text)
    for _ in range(2):
        program = Program(rnd, pair)
        with wire.open_session(stack, PAIRS[pair][0]) as mine, wire.open_session(as_text, PAIRS[pair][0]) as other:
            for _ in range(300):
                data = program.step()
                expected, got = messages(other, data), messages(mine, data)
                assert got == expected, data
    assert grown("pgvigil_lookups_total") > 10 and none("pgvigil_lookups_total") == 0


ASK = "SELECT id, postcode FROM patients WHERE id = %d"


def ask(raw, n):
    got = raw.query(ASK % n)
    assert wire.error_of(got) is None, got
    return wire.rows_of(got), [(c[0], c[3], c[6], c[5]) for kind, body in got if kind == "T" for c in wire.columns(body)]


def test_a_column_gets_another_type_and_nobody_hears_of_a_plan(make_stack):
    """PostgreSQL would say "cached plan must not change result type" to who had prepared it; she has not."""
    own = with_port(make_stack, pool=1, workers=1)
    with wire.open_session(own, "dr.martin") as raw:
        grown = Grown(own)
        before = [ask(raw, n) for n in range(1, 12)]
        assert grown("pgvigil_lookups_total") > 4
        for width in (40, 41):
            with own.connect("admin1", autocommit=True) as dba:
                dba.execute("ALTER TABLE patients ALTER COLUMN postcode TYPE varchar(%d)" % width)
            grown = Grown(own)
            after = [ask(raw, n) for n in range(1, 12)]
            assert [rows for rows, _ in after] == [rows for rows, _ in before]
            assert {columns[1][1:] for _, columns in after} == {(1043, 0, width + 4)}
            assert grown("pgvigil_lookups_total") > 0


def test_a_transaction_of_before_the_change_goes_on(make_stack):
    """Its world is an older one: what it asks goes as a text."""
    own = with_port(make_stack, pool=2, workers=1)
    with wire.open_session(own, "dr.martin") as raw:
        before = [ask(raw, n)[0] for n in range(1, 12)]
        assert wire.error_of(raw.query("BEGIN")) is None
        assert wire.error_of(raw.query("SELECT 1")) is None
        with own.connect("admin1", autocommit=True) as dba:
            dba.execute("ALTER TABLE patients ALTER COLUMN postcode TYPE varchar(40)")
        with wire.open_session(own, "dr.martin") as other:
            ask(other, 1)
        grown = Grown(own)
        assert [ask(raw, n)[0] for n in range(1, 12)] == before
        assert grown("pgvigil_lookups_total") == 0
        raw.query("COMMIT")


def test_guards_that_go_and_come_back(make_stack):
    """What fails to be prepared is not taken for prepared."""
    own = with_port(make_stack, pool=1, workers=1)
    with wire.open_session(own, "nurse1") as raw, own.superuser() as dba:
        dba.autocommit = True
        expected = [wire.rows_of(raw.query("SELECT id, sex FROM patients WHERE id = %d" % n)) for n in range(1, 4)]
        for n in range(4, 8):
            raw.query("SELECT id, sex FROM patients WHERE id = %d" % n)
        schema, view = dba.execute("SELECT schemaname, viewname FROM pg_views WHERE schemaname LIKE 'pgvigil:nurse/care%' AND viewname = 'public.patients!subject'").fetchone()
        for _ in range(2):
            dba.execute('ALTER VIEW "%s"."%s" RENAME TO "gone"' % (schema, view))
            for n in range(1, 4):
                assert wire.error_of(raw.query("SELECT id, sex FROM patients WHERE id = %d" % n))["C"] in ("42P01", "57P03")
            dba.execute('ALTER VIEW "%s"."gone" RENAME TO "%s"' % (schema, view))
            deadline = time.monotonic() + 20
            while wire.error_of(raw.query("SELECT id, sex FROM patients WHERE id = 1")) is not None:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            for _ in range(3):
                assert [wire.rows_of(raw.query("SELECT id, sex FROM patients WHERE id = %d" % n)) for n in range(1, 4)] == expected


def test_no_more_than_the_limit_of_them(make_stack):
    own = with_port(make_stack, "}; limits = { prepared_lookups = 2;", pool=1, workers=1)
    texts = ["SELECT %s FROM patients WHERE id = %%d" % columns for columns in ("id", "id, sex", "sex", "birth_date")]
    with wire.open_session(own, "nurse1") as raw:
        went = []
        for text in texts:
            grown = Grown(own)
            for n in range(10):
                assert wire.error_of(raw.query(text % n)) is None
            went.append(grown("pgvigil_lookups_total"))
    assert [count > 0 for count in went] == [True, True, False, False]


@pytest.mark.parametrize("kept", (False, True))
def test_places_that_are_taken_are_given_anew(make_stack, kept):
    """One client's texts do not keep the places for as long as the connection lasts, once others have gone without often enough; but
    while a session keeps the connection it keeps them too."""
    own = with_port(make_stack, "}; limits = { prepared_lookups = 2;", pool=1, workers=1)
    first, late = (["SELECT %s FROM patients WHERE id = %%d" % columns for columns in pair] for pair in (("id", "id, sex"), ("sex", "birth_date")))

    def went(raw, texts, times):
        grown = Grown(own)
        for n in range(times):
            for text in texts:
                assert wire.error_of(raw.query(text % n)) is None
        return grown("pgvigil_lookups_total")

    with wire.open_session(own, "nurse1") as raw:
        assert went(raw, first, 10) > 0
        assert went(raw, late, 90) == 0
    with wire.open_session(own, "nurse1") as raw:
        if kept:
            raw.query("BEGIN")
        went(raw, late, 20)
        assert (went(raw, late, 10) == 20) is not kept
        assert (went(raw, first, 1) == 0) is not kept


def test_records_are_those_of_the_texts(stack, as_text):
    """Who read whom, how many rows and what was refused: nothing of a record tells how it went."""
    kept = []
    for own in (stack, as_text):
        with wire.open_session(own, "nurse1", application_name="records") as raw:
            for n in list(range(20)) + [999999999]:
                raw.query("SELECT family_name, id FROM patients WHERE id = %d" % n)
            raw.query("BEGIN")
            raw.query("SELECT family_name, id FROM patients WHERE id = 7")
            raw.query("SELECT family_name, id, nosuch FROM patients WHERE id = 7")
            raw.query("ROLLBACK")
        records = [r for r in own.audit_records() if r.get("application") == "records" and r["type"] != "event"]
        hidden = ("time", "session", "id", "begin", "microseconds", "port", "seq", "prev")
        kept.append([{k: v for k, v in r.items() if k not in hidden} for r in records])
    assert len(kept[0]) == 25 and kept[0] == kept[1]


def test_no_portal_stays_open_in_a_transaction(make_stack):
    """An open one would keep TRUNCATE from its table: "because it is being used by active queries in this session"."""
    own = with_port(lambda **more: allow_schema.make(make_stack, **more), pool=1, workers=1)
    with own.connect("admin1", autocommit=True) as dba:
        dba.execute("ALTER TABLE u.numbered ADD PRIMARY KEY (id)")
        dba.execute("INSERT INTO u.numbered (note) SELECT 'n' FROM generate_series(1, 20)")
    with wire.open_session(own, "nurse1") as raw:
        deadline, grown = time.monotonic() + 20, Grown(own)
        while grown("pgvigil_lookups_total") < 1:  # until the key is known
            assert time.monotonic() < deadline
            for n in range(12):
                assert wire.error_of(raw.query("SELECT note FROM u.numbered WHERE id = %d" % n)) is None
        for ahead in (False, True):  # of the answer to BEGIN
            assert ahead or wire.error_of(raw.query("BEGIN")) is None
            grown = Grown(own)
            raw.send((wire.query("BEGIN") if ahead else b"") + b"".join(wire.query("SELECT note FROM u.numbered WHERE id = %d" % n) for n in range(3)))
            for _ in range(3 + ahead):
                assert wire.error_of(raw.until("Z")) is None
            assert grown("pgvigil_lookups_total") == 3
            raw.send(wire.parse("TRUNCATE u.numbered", "t%d" % ahead) + wire.bind((), "p", "t%d" % ahead) + wire.execute("p") + SYNC)
            assert wire.error_of(raw.until("Z")) is None
            raw.query("ROLLBACK")


FLOATS = "SELECT id, (1.0::float8/3)::text, chr(65)::bytea::text FROM patients WHERE id = %d AND (id::float8/7)::text = (9::float8/7)::text"


def test_what_a_plan_computed_by_one_setting_is_nobody_elses(make_stack):
    """PostgreSQL writes a constant's text when it plans, by extra_float_digits and bytea_output of then."""
    own = with_port(make_stack, pool=1, workers=1)
    settings = ({}, {"extra_float_digits": "-8"}, {"bytea_output": "escape"}, {})
    expected = []
    for more in settings:
        with wire.open_session(own, "nurse1", **more) as raw:
            expected.append(wire.rows_of(raw.query(FLOATS % 9)))
    assert len({str(e) for e in expected}) == 3 and all(expected)
    grown = Grown(own)
    for more, rows in zip(settings, expected):
        with wire.open_session(own, "nurse1", **more) as raw:
            for n in [1, 9] * 8:
                assert wire.rows_of(raw.query(FLOATS % n)) == (rows if n == 9 else [])
    assert grown("pgvigil_lookups_total") > 30
    with wire.open_session(own, "nurse1") as raw:
        for name, value, rows in (("extra_float_digits", "-8", expected[1]), ("bytea_output", "escape", None)):
            for _ in range(9):
                assert wire.rows_of(raw.query(FLOATS % 9)) == expected[0]
            for begin, end in (("BEGIN", "ROLLBACK"), (None, None)):
                if begin:
                    raw.query(begin)
                raw.query("SET %s = %s" % (name, value))
                got = wire.rows_of(raw.query(FLOATS % 9))
                assert got == (rows or expected[2])
                if end:
                    raw.query(end)
                    assert wire.rows_of(raw.query(FLOATS % 9)) == expected[0]
            raw.query("RESET ALL")


def test_guards_that_are_removed_and_deployed_again(make_stack):
    """As docs/operations.md says for what cannot go through pgvigil; nothing is asked meanwhile, so that pgvigil knows nothing of it."""
    own = with_port(make_stack, pool=1, workers=1)
    with wire.open_session(own, "dr.martin") as raw:
        before = [ask(raw, n)[0] for n in range(1, 12)]
        own.deploy("--remove")
        with own.superuser() as dba:
            dba.autocommit = True
            dba.execute("ALTER TABLE patients ALTER COLUMN postcode TYPE varchar(55)")
        own.deploy()
        first = wire.error_of(raw.query(ASK % 3))
        assert first is None or first["C"] == "0A000"  # PostgreSQL's word, once
        for _ in range(3):
            assert [ask(raw, n)[0] for n in range(1, 12)] == before
        deadline, grown = time.monotonic() + 20, Grown(own)
        while grown("pgvigil_lookups_total") < 1:
            assert time.monotonic() < deadline
            assert {ask(raw, n)[1][1][3] for n in range(1, 12)} == {59}


def test_places_are_not_kept_for_worlds_that_are_gone(make_stack):
    own = with_port(make_stack, "}; limits = { prepared_lookups = 1;", pool=1, workers=1)
    with wire.open_session(own, "dr.martin") as raw:
        for width in (40, 41, 42):
            with own.connect("admin1", autocommit=True) as dba:
                dba.execute("ALTER TABLE patients ALTER COLUMN postcode TYPE varchar(%d)" % width)
            grown = Grown(own)
            for n in range(1, 12):
                ask(raw, n)
            assert grown("pgvigil_lookups_total") > 0


def test_many_that_are_not_awaited_are_the_first_of_their_kind(make_stack):
    """None is sent behind a Parse that has no answer yet: a second Parse of the name would fail, and so would what stands behind a failed one."""
    own = with_port(make_stack, pool=1, workers=1)
    with wire.open_session(own, "nurse1") as raw:
        for columns in ("id", "sex", "id, sex", "id, nosuch"):
            text = "SELECT %s FROM patients WHERE id = %%d" % columns
            for n in range(6):
                raw.query(text % n)
            raw.send(b"".join(wire.query(text % n) for n in range(6)))
            for _ in range(6):
                error = wire.error_of(raw.until("Z"))
                assert (error is None) == ("nosuch" not in columns) and (error is None or error["C"] == "42703"), error


@pytest.mark.parametrize("first", ("number", "string"))
def test_a_number_and_a_string_are_parameters_of_two_types(first, stack, oracles):
    """The texts are alike once their values are taken out; int4 would not hold what bigint does."""
    columns = "id, phone" if first == "number" else "phone, id"
    texts = {"number": "SELECT %s FROM patients WHERE id = %%d" % columns, "string": "SELECT %s FROM patients WHERE id = '%%d'" % columns}
    grown = Grown(stack)
    with Both(stack, oracles["nurse"], "nurse1") as both:
        for text in (texts[first], texts["string"], texts["number"]):
            for n in range(10):
                both.run(text % n)
        for n in (99999999999, 3, 999999999999999999):
            both.run(texts["string"] % n)
    assert grown("pgvigil_lookups_total") > 8
