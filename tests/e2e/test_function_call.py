"""
The FunctionCall message of a restricted role: judged and recorded as a call of that function in a SELECT, answered as
PostgreSQL answers it; every function that a SELECT may not call, and every one that a guard stands for, is refused.
"""
import base64
import hashlib
import hmac
import struct

import harness
import pytest
import side_by_side
import wire
from function_calls import UNSTEADY

SCHEMA = """
CREATE FUNCTION app.tripled(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 3 * $1 $$;
CREATE FUNCTION app.written(text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'w' || $1 $$;
CREATE FUNCTION app.recorded(text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'w' || $1 $$;
CREATE FUNCTION app.of_class(regclass) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1::text $$;
CREATE FUNCTION app.of_row(public.patients) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1.family_name $$;
CREATE FUNCTION app.of_any(anyelement) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1::text $$;
CREATE FUNCTION app.many() RETURNS SETOF int LANGUAGE sql STABLE AS $$ SELECT 1 UNION ALL SELECT 2 $$;
CREATE FUNCTION app.closed(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 4 * $1 $$;
CREATE FUNCTION app.fails(int) RETURNS int LANGUAGE sql STABLE AS $$ SELECT 1 / $1 $$;
GRANT USAGE ON SCHEMA app TO pgvigil_owner;
"""
POLICY = """
functions = ( { name = "app.tripled"; roles = [ "nurse" ]; }, { name = "app.written"; roles = [ "nurse" ]; }, { name = "app.recorded"; roles = [ "nurse" ]; },
  { name = "app.of_class"; }, { name = "app.of_row"; }, { name = "app.of_any"; }, { name = "app.many"; },
  { name = "app.fails"; roles = [ "nurse" ]; } );
"""

# function, formats, arguments, format of the result
CALLS = [
    ("pg_catalog.upper(text)", (), ("abc",), 0),
    ("pg_catalog.upper(text)", (1,), (b"abc",), 1),
    ("pg_catalog.upper(text)", (0,), (None,), 0),
    ("pg_catalog.substr(text,integer,integer)", (0, 1, 0), ("abcdef", struct.pack("!i", 2), "3"), 0),
    ("pg_catalog.mod(integer,integer)", (1,), (struct.pack("!i", 40), struct.pack("!i", 9)), 1),
    ("pg_catalog.mod(integer,integer)", (), ("x", "2"), 0),
    ("pg_catalog.mod(integer,integer)", (), ("2147483647", "0"), 0),
    ("pg_catalog.mod(integer,integer)", (1,), (b"\0", b"\0\0\0\1"), 0),
    ("pg_catalog.md5(text)", (), ("abc",), 0),
    ("pg_catalog.md5(bytea)", (1,), (b"abc",), 1),
    ("pg_catalog.pi()", (), (), 1),
    ("pg_catalog.pi()", (), (), 0),
    ("pg_catalog.date_part(text,timestamp without time zone)", (), ("year", "2024-02-03 04:05"), 0),
    ("pg_catalog.sha256(bytea)", (1,), (b"\0\1\2",), 1),
    ("app.tripled(integer)", (), ("14",), 0),
    ("app.tripled(integer)", (1,), (struct.pack("!i", 14),), 1),
    ("app.written(text)", (), ("x",), 0),
    ("app.fails(integer)", (), ("0",), 0),
]

DENIED = [
    "pg_catalog.nextval(regclass)", "pg_catalog.setval(regclass,bigint)", "pg_catalog.lastval()", "pg_catalog.pg_read_file(text)",
    "pg_catalog.pg_sleep(double precision)", "pg_catalog.set_config(text,text,boolean)", "pg_catalog.current_setting(text)",
    "pg_catalog.query_to_xml(text,boolean,boolean,text)", "pg_catalog.pg_get_viewdef(oid)", "pg_catalog.pg_relation_size(regclass)",
    "pg_catalog.pg_terminate_backend(integer,bigint)", "pg_catalog.regclassin(cstring)", "pg_catalog.to_regclass(text)",
    "pg_catalog.has_table_privilege(text,text)", "pg_catalog.pg_table_is_visible(oid)", "pg_catalog.record_out(record)",
    "pg_catalog.textin(cstring)", "pg_catalog.lo_open(oid,integer)", "pg_catalog.lo_import(text)", "pg_catalog.lo_export(oid,text)",
    "pg_catalog.array_length(anyarray,integer)", "pg_catalog.sum(integer)", "pg_catalog.generate_series(integer,integer)",
    "pg_catalog.row_number()", "pg_catalog.to_tsvector(regconfig,text)", "app.closed(integer)", "app.of_class(regclass)", "app.of_row(public.patients)", "app.of_any(anyelement)",
    "app.many()", "pg_catalog.pg_advisory_lock(bigint)", "pg_catalog.getpgusername()", "pg_catalog.concat(\"any\")",
    "pg_catalog.pg_stat_get_activity(integer)",
]


def call(oid, formats=(), values=(), result=0):
    body = struct.pack("!IH", oid, len(formats)) + b"".join(struct.pack("!H", f) for f in formats) + struct.pack("!H", len(values))
    for value in values:
        value = value.encode() if isinstance(value, str) else value
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return wire.message("F", body + struct.pack("!H", result))


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=SCHEMA, extra_policy=[("90-calls.cfg", POLICY)])


@pytest.fixture(scope="module")
def oid_of(stack):
    c = stack.superuser()
    yield lambda name: int(c.execute("SELECT oid::int8 FROM pg_proc WHERE oid = '%s'::regprocedure" % name).fetchone()[0])
    c.close()


@pytest.mark.parametrize("case", CALLS, ids=lambda c: "%s %r %d" % (c[0], c[2], c[3]))
def test_call_is_answered_as_by_postgresql(stack, oid_of, case):
    function, formats, values, result = case
    message = call(oid_of(function), formats, values, result)
    with side_by_side.Both(stack, stack.databases["records"], "nurse1") as both:
        answer = both.run(message)
        assert answer[-1][0] == "Z" and answer[0][0] in "VE"
        both.run("SELECT 1")
        both.run("BEGIN", message)
        both.run("ROLLBACK")


def test_answers_were_not_all_errors(stack, oid_of):
    with wire.open_session(stack, "nurse1") as raw:
        raw.send(call(oid_of("pg_catalog.reverse(text)"), (), ("abc",)))
        assert raw.until("Z")[0] == ("V", struct.pack("!i", 3) + b"cba")


@pytest.mark.parametrize("function", DENIED)
def test_function_that_may_not_be_called_is_refused(stack, oid_of, function):
    count = 0 if function.endswith("()") else function.count(",") + 1
    with wire.open_session(stack, "nurse1") as raw:
        for values in ([b"1"] * count, [None] * count):
            raw.send(call(oid_of(function), (), values))
            answer = raw.until("Z")
            assert wire.error_of(answer)["C"] == "42501" and not [m for m in answer if m[0] == "V"], answer
            assert raw.query("SELECT 1")[-1][0] == "Z"


def test_every_function_that_a_select_may_not_call_is_refused(stack):
    """All of pg_catalog by OID: what passes is of the reviewed list, and no guard stands for it."""
    listed = {}
    for line in (harness.ROOT / "policy" / "functions.list").read_text().splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            listed[words[0]] = words[1]
    with stack.superuser() as c:
        functions = c.execute("SELECT oid::int8, proname, pronargs FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace ORDER BY oid").fetchall()
    passed = set()
    with wire.open_session(stack, "nurse1") as raw:
        for at in range(0, len(functions), 100):
            part = [f for f in functions[at:at + 100] if f[1] not in UNSTEADY]
            # Too many arguments: what may be called says so, by 08P01, and nothing runs.
            raw.send(b"".join(call(oid, (), [None] * (nargs + 1)) for oid, _, nargs in part))
            for _, name, _ in part:
                state = wire.error_of(raw.until("Z"))["C"]
                assert state in ("42501", "08P01"), name
                if state == "08P01":
                    passed.add(name)
    assert len(passed) > 300
    assert {name for name in passed if listed[name] != "allow"} == set()


def test_oid_that_is_nothing_is_refused_like_a_closed_function(stack, oid_of):
    with wire.open_session(stack, "nurse1") as raw:
        texts = []
        for oid in (oid_of("app.closed(integer)"), 4294967295, 0):
            raw.send(call(oid, (), ("1",)))
            texts.append({k: v.replace("OID %d" % oid, "N") for k, v in wire.error_of(raw.until("Z")).items()})
        assert texts[0] == texts[1] == texts[2]


def test_other_pair_may_not_call_it(stack, oid_of):
    with wire.open_session(stack, "reception1") as raw:
        raw.send(call(oid_of("app.tripled(integer)"), (), ("1",)))
        assert wire.error_of(raw.until("Z"))["C"] == "42501"


@pytest.mark.parametrize("body", [b"", b"\0\0\0\1", struct.pack("!IHH", 871, 3, 7), struct.pack("!IHHHH", 871, 1, 2, 0, 0),
                                  struct.pack("!IHHiH", 871, 0, 1, -2, 0), struct.pack("!IHHiH", 871, 0, 1, 900, 0),
                                  struct.pack("!IHHi", 871, 0, 1, -1), struct.pack("!IHHiHH", 871, 0, 1, -1, 0, 0), struct.pack("!IHHiH", 871, 0, 1, -1, 2)])
def test_malformed_call_ends_the_session(stack, body):
    with wire.open_session(stack, "nurse1") as raw:
        raw.send(wire.message("F", body))
        answer = raw.drain()
        assert wire.error_of(answer)["C"] == "08P01" and not [m for m in answer if m[0] in "VZ"]


def test_refusal_fails_the_transaction(stack, oid_of):
    with side_by_side.Both(stack, stack.databases["records"], "nurse1") as both:
        both.run("BEGIN")
        both.mine.send(call(oid_of("pg_catalog.pg_sleep(double precision)"), (), ("0",)))
        assert both.mine.until("Z")[-1] == ("Z", b"E")
        both.theirs.query("SELECT 1 / 0")
        both.run("SELECT 1", call(oid_of("pg_catalog.pi()")), "ROLLBACK", call(oid_of("pg_catalog.pi()")))


def test_calls_are_pipelined(stack, oid_of):
    pi, reverse, sleep = (oid_of(f) for f in ("pg_catalog.pi()", "pg_catalog.reverse(text)", "pg_catalog.pg_sleep(double precision)"))
    with wire.open_session(stack, "nurse1") as raw:
        raw.send(call(pi) + call(sleep, (), ("1",)) + wire.query("SELECT 7") + call(reverse, (), ("x",)) + wire.parse("SELECT 8") + wire.bind()
                 + wire.execute() + wire.message("S") + call(pi, (), (), 1))
        kinds = ["".join(k for k, _ in raw.until("Z")) for _ in range(6)]
        assert kinds == ["VZ", "EZ", "TDCZ", "VZ", "12DCZ", "VZ"]


def test_call_in_a_failed_group_waits_for_its_sync(stack, oid_of):
    pi = oid_of("pg_catalog.pi()")
    with side_by_side.Both(stack, stack.databases["records"], "nurse1") as both:
        group = wire.parse("SELECT 1 / 0") + wire.bind() + wire.execute()
        for raw in (both.mine, both.theirs):
            raw.send(group + wire.message("H") + call(pi) + wire.message("S") + call(pi))
        mine, theirs = ([k for k, _ in raw.until("Z") + raw.until("Z") if k not in "SN"] for raw in (both.mine, both.theirs))
        assert mine == theirs


def test_record_is_that_of_the_select(stack, oid_of):
    with wire.open_session(stack, "nurse1") as raw:
        raw.send(call(oid_of("app.recorded(text)"), (), ("kept-from-the-record",)))
        assert raw.until("Z")[0][0] == "V"
        raw.send(call(oid_of("pg_catalog.reverse(text)"), (), ("kept-from-the-record",)))
        raw.until("Z")
        raw.send(call(oid_of("app.closed(integer)"), (), ("1",)))
        raw.until("Z")
    records = stack.audit_records()
    (begun,) = [r for r in records if "recorded" in r.get("sql", "")]
    assert begun["type"] == "begin" and begun["statement"] == "SELECT"
    (end,) = [r for r in records if r["type"] == "end" and r["begin"] == begun["seq"] and r["session"] == begun["session"]]
    assert end["rows"] == 1 and end["tag"] == "FUNCTION CALL"
    (whole,) = [r for r in records if "reverse" in r.get("sql", "") and r["session"] == begun["session"]]
    assert whole["decision"] == "allow" and whole["rows"] == 1
    assert [r for r in records if r.get("refused", "").startswith("function OID ") and r["session"] == begun["session"]]
    assert "kept-from-the-record" not in str(records)


def test_values_count_against_the_rows_of_an_hour(make_stack):
    own = make_stack(extra_policy=[("90.cfg", 'missions = ( { name = "counted"; rows_per_hour = 3; } ); roles = ( { name = "counter"; missions = [ "counted" ]; } ); '
                                    'users = ( { name = "counter1"; auth = "scram"; secret = "%s"; roles = [ "counter" ]; } );'
                                    % secret_of("counter1-demo"))])
    with wire.open_session(own, "counter1") as raw:
        states = []
        for _ in range(5):
            raw.send(call(1610))
            answer = raw.until("Z")
            states.append("V" if answer[0][0] == "V" else wire.error_of(answer)["C"])
        assert states == ["V", "V", "V", "54000", "54000"]


def secret_of(password):
    salt = b"0123456789abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return "SCRAM-SHA-256$4096:%s$%s:%s" % tuple(base64.b64encode(x).decode() for x in (salt, client, server))


def test_unrestricted_role_calls_anything(stack, oid_of):
    with wire.open_session(stack, "admin1") as raw:
        raw.send(call(oid_of("app.closed(integer)"), (), ("2",)))
        assert raw.until("Z")[0] == ("V", struct.pack("!i", 1) + b"8")
