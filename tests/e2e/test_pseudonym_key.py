"""
The pseudonym key reaches PostgreSQL as a start-up option of server connections and stands nowhere else: not in PostgreSQL's own log
at its most talkative, not in pgvigil's, not in the audit, the catalogs, the activity, the processes, or what the tools print.
"""
import base64
import functools
import pathlib

import harness
import psycopg
import pytest

TALKATIVE = """
log_statement = 'all'
log_connections = on
log_disconnections = on
log_duration = on
log_min_duration_statement = 0
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
log_min_messages = debug5
log_min_error_statement = debug5
log_replication_commands = on
debug_print_plan = on
shared_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_verbose = on
auto_explain.log_settings = on
auto_explain.log_nested_statements = on
""".strip().splitlines()

STATEMENTS = [
    "SELECT id, sex, birth_date FROM patients WHERE sex = 'F' AND 'marker-5d1e' <> '' LIMIT 5",
    "SELECT p.id, count(*) FROM patients p JOIN stays s ON s.patient_id = p.id GROUP BY p.id ORDER BY 1 LIMIT 5",
    "SELECT attending, count(*) FROM stays GROUP BY attending LIMIT 5",
    "BEGIN", "SELECT id FROM patients LIMIT 1", "ROLLBACK",
]
FAILING = [
    "SELECT 1 / (id - id) FROM patients", "SELECT attending::int FROM stays", "SELECT attending::bytea::int FROM stays",
    "SELECT nothing FROM patients", "SHOW pgvigil.key_research", "SELECT current_setting('pgvigil.key_research')",
    "SET pgvigil.key_research = 'x'", "RESET pgvigil.key_research", "SHOW ALL",
]


def pads():
    """HMAC's padded keys as the guards get them, computed here."""
    key = harness.pseudonym_mission_key("research").ljust(64, b"\0")
    return bytes(b ^ 0x36 for b in key) + bytes(b ^ 0x5C for b in key)


@functools.lru_cache(maxsize=None)
def needles():
    """The master key, the mission's and both halves that travel, in every form they could be written in."""
    found = set()
    for raw in (bytes.fromhex(harness.MASTER_KEY), harness.pseudonym_mission_key("research"), pads()[:32], pads()[64:96]):
        escaped = "".join("\\%03o" % b if b < 32 or b > 126 else chr(b) for b in raw)
        found |= {raw, raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw)[:40], escaped.encode(),
                  " ".join(map(str, raw)).encode()}  # the last as debug_print_plan writes a bytea
    return found


def holds_key(data):
    data = data if isinstance(data, bytes) else data.encode(errors="surrogateescape")
    return any(needle in data for needle in needles())


@pytest.fixture(scope="module")
def own():
    with harness.Cluster(TALKATIVE) as cluster:
        with harness.Stack(cluster=cluster, config='log_level = "debug";') as stack:
            use(stack)
            yield stack


def use(stack):
    for user in ("research1", "nurse1"):
        with stack.connect(user) as c:
            for sql in STATEMENTS if user == "research1" else ["SELECT count(*) FROM patients"]:
                c.execute(sql)
            for _ in range(7):
                c.execute("SELECT id FROM patients WHERE sex = %s LIMIT 3", ("F",), prepare=True)
    with stack.connect("research1") as c:
        for sql in FAILING:
            with pytest.raises(psycopg.Error) as refused:
                c.execute(sql)
            assert not holds_key(str(refused.value)), sql
        with pytest.raises(psycopg.Error):
            c.execute("SELECT id FROM patients WHERE birth_date = %s::text::int::text::date", ("x",))


def test_needles_are_the_key_that_is_in_use(own):
    """With these very digits a guard shows what research sees through pgvigil; without, nothing."""
    with own.connect("research1") as c:
        expected = c.execute("SELECT id FROM patients ORDER BY id LIMIT 20").fetchall()
    with own.superuser() as c:
        (schema,) = c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgvigil:researcher/research@%'").fetchone()
    sql = 'SELECT id FROM "%s"."public.patients" ORDER BY id LIMIT 20' % schema
    options = "-c pgvigil.key_research=" + pads().hex()
    with own.direct(user="pgvigil", password=harness.LOGIN_PASSWORD, options=options) as c:
        c.execute('SET ROLE "%s"' % schema)
        (setting,) = c.execute("SELECT current_setting('pgvigil.key_research')").fetchone()
        assert holds_key(setting)
        assert c.execute(sql).fetchall() == expected
    with own.direct(user="pgvigil", password=harness.LOGIN_PASSWORD) as c:
        c.execute('SET ROLE "%s"' % schema)
        with pytest.raises(psycopg.Error):
            c.execute(sql)


def test_logs_do_not_hold_the_key(own):
    log = own.cluster.log.read_bytes()
    for said in (b"marker-5d1e", b"connection authorized: user=pgvigil", b"duration:", b"parameters: $1 = 'F'", b"{PLANNEDSTMT",
                 b"Query Text:", b"SET ROLE", b"invalid input syntax"):
        assert said in log, said  # it is as talkative as it should be
    assert not holds_key(log), [line[:300] for line in log.splitlines() if holds_key(line)][:3]
    said = own.proxy.log.read_bytes()
    assert b"level=debug" in said and b"server-open" in said
    assert not holds_key(said)
    with own.superuser() as c:  # had it been said, it would have been found
        c.execute("SELECT length(%s)", (pads().hex(),))
    assert holds_key(own.cluster.log.read_bytes())


def test_audit_does_not_hold_the_key(own):
    files = [p for p in pathlib.Path(own.audit_dir).rglob("*") if p.is_file()]
    text = b"".join(p.read_bytes() for p in files)
    assert b'"research"' in text and len(text) > 10000
    assert not holds_key(text)


def test_database_does_not_hold_the_key(own):
    name = own.databases["records"]
    with own.connect("research1") as research, own.superuser() as c:
        research.execute("BEGIN")
        research.execute("SELECT id FROM patients")
        activity = c.execute("SELECT a::text FROM pg_stat_activity a").fetchall()
        assert any("pgvigil:researcher/" in row[0] for row in activity)
        assert not holds_key(repr(activity))
        pids = [row[0] for row in c.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'pgvigil'").fetchall()]
        for pid in pids + [own.proxy.pid]:
            assert not holds_key(pathlib.Path("/proc/%d/cmdline" % pid).read_bytes())
        for catalog in ("pg_proc", "pg_views", "pg_rewrite", "pg_roles", "pg_authid", "pg_db_role_setting", "pg_description",
                        "pg_shdescription", "pg_attrdef", "pg_constraint", "pg_namespace", "pg_settings", "pg_file_settings",
                        "pg_prepared_statements", "pg_cursors", "pg_statistic", "pg_seclabel"):
            rows = c.execute("SELECT r::text FROM pg_catalog.%s r" % catalog).fetchall()
            assert not holds_key(repr(rows)), catalog
        research.execute("ROLLBACK")
    dump = harness.run([harness.PG_BIN / "pg_dump", "-h", own.cluster.folder, "-p", own.cluster.port, "-U", "postgres", name])
    dump += harness.run([harness.PG_BIN / "pg_dumpall", "-g", "-h", own.cluster.folder, "-p", own.cluster.port, "-U", "postgres"])
    assert "current_setting('pgvigil.key_research'" in dump
    assert not holds_key(dump)


def test_sessions_are_not_shown_the_key(own):
    for user in ("research1", "dr.martin", "nurse1", "admin1"):
        for sql in ("SELECT * FROM pg_settings", "SHOW pgvigil.key_research", "SELECT current_setting('pgvigil.key_research', true)",
                    "SELECT * FROM pg_stat_activity", "SHOW ALL"):
            with own.connect(user) as c:
                try:
                    got = repr(c.execute(sql).fetchall())
                except psycopg.Error as error:
                    got = str(error)
                assert not holds_key(got), (user, sql)


def test_tools_do_not_print_the_key(own):
    as_dba = ("--database", "records", "--as", own.dba())
    for args in (("explain", "-c", own.config_file, "--user", "research1", "SELECT id FROM patients"),
                 ("deploy", "-c", own.config_file, "--dry-run") + as_dba,
                 ("deploy", "-c", own.config_file, "--remove", "--dry-run") + as_dba,
                 ("check", "-c", own.config_file) + as_dba):
        done = own.command(*args, check=False)
        assert len(done.stdout + done.stderr) > 100, args
        assert not holds_key(done.stdout) and not holds_key(done.stderr), args
