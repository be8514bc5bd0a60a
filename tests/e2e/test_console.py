"""
The console: SHOW for admins on the database name "pgvigil", with PgBouncer's columns, by the simple and the extended protocol; for
nobody else, and nothing else for them.
"""
import contextlib
import glob
import os
import re
import shutil
import subprocess
import threading
import time

import figures
import harness
import psycopg
import psycopg2
import pytest
import wire
from psycopg.rows import dict_row

HERE = harness.ROOT / "tests" / "e2e"
JDBC = os.environ.get("PGVIGIL_JDBC", "/usr/share/java/postgresql.jar")

# As PgBouncer's manual has them, in its order.
PGBOUNCER = {
    "STATS": "database total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time avg_xact_count "
             "avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time",
    "POOLS": "database user cl_active cl_waiting sv_active sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode",
    "CLIENTS": "type user database state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link remote_pid tls "
               "application_name",
    "SERVERS": "type user database state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link remote_pid tls "
               "application_name",
    "DATABASES": "name host port database force_user pool_size min_pool_size reserve_pool pool_mode max_connections current_connections paused disabled",
    "CONFIG": "key value default changeable",
    "VERSION": "version",
}
OURS = {"STATS": "total_refused_count total_row_count", "POOLS": "kind cl_idle pool_size", "CLIENTS": "id worker person role mission",
        "SERVERS": "id worker kind role mission", "DATABASES": "mode"}


def with_admin(make_stack, users=("admin1",), **kw):
    port = harness.free_port()
    names = ", ".join('"%s"' % user for user in users)
    own = make_stack(config="admin = { port = %d; users = [ %s ]; };" % (port, names), **kw)
    own.admin = port
    return own


@pytest.fixture(scope="module")
def stack(make_stack):
    return with_admin(make_stack, databases=("records", "other"))


def console(stack, user="admin1", **kw):
    return stack.connect(user, database="pgvigil", row_factory=dict_row, **kw)


def show(stack, what):
    with console(stack) as c:
        return c.execute("SHOW " + what).fetchall()


def settled(ask, fits):
    """The first answer that fits; connections come and go behind their clients' backs."""
    deadline = time.monotonic() + 20
    while True:
        found = ask()
        if fits(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def psql(stack, text, user="admin1", database="pgvigil"):
    info = stack.conninfo(user, database=database)
    env = dict(os.environ, PGPASSWORD=info.pop("password"), PGSSLMODE=info["sslmode"], PGSSLROOTCERT=info["sslrootcert"])
    return subprocess.run([str(harness.PG_BIN / "psql"), "-X", "-A", "-h", info["host"], "-p", str(info["port"]), "-U", user, "-d", database, "-f", "-"],
                          input=text, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)


# ---- what it shows ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("what", PGBOUNCER)
def test_columns_are_pgbouncers_then_our_own(stack, what):
    with console(stack) as c:
        found = [d.name for d in c.execute("SHOW " + what).description]
    expected = PGBOUNCER[what].split()
    assert found[:len(expected)] == expected
    assert set(OURS.get(what, "").split()) <= set(found[len(expected):])
    if what not in OURS:
        assert found == expected


@pytest.mark.parametrize("text", ["SHOW VERSION", "show version", "Show Version;", "  SHOW\n\tVERSION ; ;", "sHoW vErSiOn;"])
def test_words_are_read_in_any_case_with_and_without_semicolon(stack, text):
    with wire.open_session(stack, database="pgvigil") as raw:
        got = raw.query(text)
        assert wire.rows_of(got) == [(b"pgvigil 0.1.0",)] and wire.tag_of(got) == "SHOW" and got[-1] == ("Z", b"I")
        assert wire.rows_of(raw.extended(text)) == [(b"pgvigil 0.1.0",)]
        assert [kind for kind, _ in raw.query(";")] == [kind for kind, _ in raw.query("")] == ["I", "Z"]


def test_stats_are_what_was_done(stack):
    before = {r["database"]: r for r in show(stack, "STATS")}
    assert set(before) == {"records", "other"}
    with stack.connect("nurse1") as c:
        for _ in range(6):
            c.execute("SELECT id FROM patients ORDER BY id LIMIT 2").fetchall()
        with c.transaction():
            c.execute("SELECT 1")
        with pytest.raises(psycopg.Error):
            c.execute("SELECT * FROM staff_salaries")
        with pytest.raises(psycopg.Error):
            c.execute("SELECT 1 / (id - id) FROM patients LIMIT 1")
    after = {r["database"]: r for r in show(stack, "STATS")}
    grown = {name: after["records"][name] - before["records"][name] for name in before["records"] if name.startswith("total_")}
    assert grown["total_query_count"] == 6 + 3 + 1 and grown["total_xact_count"] == 6 + 1 + 1
    assert grown["total_refused_count"] == grown["total_error_count"] == 1
    assert grown["total_row_count"] == 6 * 2 + 1 and grown["total_login_count"] == 1
    assert min(grown[name] for name in ("total_received", "total_sent", "total_xact_time", "total_query_time")) > 0
    assert {n: v for n, v in after["other"].items() if n.startswith("total_")} == {n: v for n, v in before["other"].items() if n.startswith("total_")}


def test_stats_and_the_admin_port_say_the_same(stack):
    (mine,) = [r for r in show(stack, "STATS") if r["database"] == "records"]
    seen = figures.Figures(stack.admin)
    for name, metric in (("total_query_count", "pgvigil_statements_total"), ("total_xact_count", "pgvigil_transactions_total"),
                         ("total_refused_count", "pgvigil_refusals_total"), ("total_row_count", "pgvigil_rows_total")):
        assert mine[name] == seen.sum(metric, database="records"), name


def test_averages_are_those_of_the_last_period(stack):
    """None has ended yet, or the figures fit each other."""
    for row in show(stack, "STATS"):
        assert row["avg_query_count"] * 60 <= row["total_query_count"] and row["avg_query_time"] <= row["total_query_time"]


def test_pools_count_clients_and_servers_of_all_workers(make_stack):
    own = with_admin(make_stack, pool=4)  # two for each worker

    def pool(kind="pairs"):
        (row,) = [r for r in show(own, "POOLS") if r["kind"] == kind]
        return row

    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(own.connect("nurse1", autocommit=False)) for _ in range(6)]
        row = settled(pool, lambda r: r["cl_active"] == 6)
        assert (row["database"], row["user"], row["cl_waiting"], row["sv_active"], row["cl_idle"], row["pool_mode"], row["pool_size"]) == \
            ("records", "pgvigil", 0, 0, 6, "transaction", 4)
        for c in clients[:4]:
            c.execute("SELECT 1")
        settled(pool, lambda r: (r["cl_active"], r["cl_idle"], r["sv_active"], r["sv_idle"]) == (6, 2, 4, 0))
        busy = threading.Thread(target=clients[4].execute, args=("SELECT 1",))
        busy.start()
        row = settled(pool, lambda r: r["cl_waiting"] == 1 and r["maxwait"] * 1000000 + r["maxwait_us"] > 0)
        assert (row["cl_active"], row["sv_active"]) == (5, 4)
        (waiting,) = [r for r in show(own, "CLIENTS") if r["state"] == "waiting"]
        assert waiting["link"] == "" and waiting["wait"] * 1000000 + waiting["wait_us"] > 0
        for c in clients[:4]:
            c.rollback()
        busy.join(30)
        clients[4].rollback()
        settled(pool, lambda r: r["sv_active"] == r["cl_waiting"] == 0 and r["cl_active"] == 6)
        with own.connect("admin1") as dba:
            dba.execute("SELECT 1")
            row = settled(lambda: pool("unrestricted"), lambda r: r["sv_active"] == 1)
            assert (row["user"], row["cl_active"], row["pool_mode"]) == ("pgvigil_dba", 1, "session")
        (database,) = show(own, "DATABASES")
        assert (database["name"], database["database"], database["host"], database["port"], database["pool_size"], database["mode"]) == \
            ("records", own.databases["records"], "127.0.0.1", str(own.cluster.port), 4, "enforce")
        assert database["current_connections"] >= 4
    settled(pool, lambda r: r["cl_active"] == 0)


def test_clients_of_both_workers_are_there_with_role_and_mission(stack):
    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(stack.connect("nurse1", application_name="ward %d" % n, autocommit=False)) for n in range(4)]
        research = open_ones.enter_context(stack.connect("research1", mission="research", database="other"))
        research.execute("SELECT 1")
        clients[0].execute("SELECT 1")
        rows = settled(lambda: show(stack, "CLIENTS"), lambda found: len(found) == 6)
        mine = {r["application_name"]: r for r in rows if r["user"] == "nurse1"}
        assert set(mine) == {"ward 0", "ward 1", "ward 2", "ward 3"} and {r["worker"] for r in mine.values()} == {0, 1}
        for name, row in mine.items():
            assert (row["type"], row["database"], row["person"], row["role"], row["mission"], row["addr"], row["tls"]) == \
                ("C", "records", "nurse1", "nurse", "care", "127.0.0.1", "TLSv1.3")
            assert row["state"] == ("active" if name == "ward 0" else "idle") and (row["link"] != "") == (name == "ward 0")
            assert row["ptr"] == "C%d" % row["id"] and row["local_port"] == stack.port
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", row["connect_time"])
        assert len({r["port"] for r in rows}) == len(rows)
        (other,) = [r for r in rows if r["user"] == "research1"]
        assert (other["database"], other["role"], other["mission"]) == ("other", "researcher", "research")
        (me,) = [r for r in rows if r["user"] == "admin1"]
        assert (me["database"], me["role"], me["mission"]) == ("pgvigil", None, None)
        (server,) = [r for r in show(stack, "SERVERS") if r["ptr"] == mine["ward 0"]["link"]]
        assert (server["link"], server["state"], server["role"], server["mission"]) == (mine["ward 0"]["ptr"], "active", "nurse", "care")


def test_servers_are_those_that_postgresql_has(stack):
    with stack.connect("nurse1", autocommit=False) as c, stack.connect("admin1") as dba:
        c.execute("SELECT 1")
        dba.execute("SELECT 1")
        with stack.superuser() as root:
            there = {(pid, user): port for pid, user, port in root.execute(
                "SELECT pid, usename, client_port FROM pg_stat_activity WHERE datname = ANY(%s) AND usename IN ('pgvigil', 'pgvigil_dba') "
                "AND application_name <> 'pgvigil catalog'", (list(stack.databases.values()),))}
        rows = {(r["remote_pid"], r["user"]): r for r in show(stack, "SERVERS")}
        assert set(rows) <= set(there) and len(rows) >= 2
        for row in rows.values():
            assert (row["type"], row["addr"], row["port"], row["tls"]) == ("S", "127.0.0.1", stack.cluster.port, "TLSv1.3")
        kinds = {(r["user"], r["kind"]) for r in rows.values()}
        assert kinds == {("pgvigil", "pairs"), ("pgvigil_dba", "unrestricted")}


def test_config_is_what_stands_in_the_file_without_secrets(stack):
    rows = {r["key"]: r for r in show(stack, "CONFIG")}
    assert rows["listen.port"]["value"] == str(stack.port) and rows["listen.port"]["default"] == "6432"
    assert rows["workers"]["value"] == "2" and rows["admin.users"]["value"] == "admin1" and rows["audit.durability"]["value"] == "written"
    assert rows["databases.records.pool"]["value"] == "20" and rows["listen.key"]["value"] == str(stack.certs.server_key)
    assert "password='***'" in rows["databases.records.conninfo"]["value"] and "user='pgvigil'" in rows["databases.records.conninfo"]["value"]
    assert "password='***'" in rows["databases.records.unrestricted"]["value"]
    everything = repr(rows)
    for secret in (harness.LOGIN_PASSWORD, harness.DBA_PASSWORD, harness.MASTER_KEY, "PRIVATE KEY"):
        assert secret not in everything


def test_config_has_every_key_that_there_is(stack, make_stack):
    """check knows them all, and tells them of one that it does not know."""
    shown = {r["key"] for r in show(stack, "CONFIG")}
    own = make_stack(serve=False, deploy=False)
    kept = own.config_file.read_text(encoding="utf-8")
    groups = ["listen", "databases", "audit", "limits", "alert", "admin"]
    for group in ("listen", "audit", "limits", "alert", "admin", ""):
        text = "%s = { zz_9_zz = 1; };" % group if group else "zz_9_zz = 1;"
        without = re.sub(r"(?m)^%s *=.*\n" % group, "", kept) if group else kept
        own.config_file.write_text(without + text + "\n", encoding="utf-8")
        told = own.command("check", "-c", own.config_file, check=False).stdout
        (known,) = re.findall(r'unknown key "zz_9_zz"; known here: (.*)', told)
        keys = [group + "." + key if group else key for key in known.split(", ") if group or key not in groups]
        assert keys and all(key in shown or any(row.startswith(key + ".") for row in shown) for key in keys), keys


def test_no_text_of_sql_no_reason_and_no_patient_is_shown(stack):
    with stack.connect("nurse1", autocommit=False) as c:
        c.execute("SELECT family_name, 'the-literal' FROM patients LIMIT 1")
        c.execute("SET pgvigil.reason = 'the reason that was typed'")
        c.execute("SET pgvigil.patient = '424242'")
        everything = "".join(repr(show(stack, what)) for what in PGBOUNCER)
    for text in ("the-literal", "family_name", "the reason that was typed", "424242"):
        assert text not in everything


def test_help_is_a_notice_as_pgbouncers(stack):
    done = psql(stack, "SHOW HELP;\n")
    assert done.returncode == 0 and "SHOW STATS|POOLS|DATABASES|CLIENTS|SERVERS" in done.stderr
    with console(stack) as c:
        notices = []
        c.add_notice_handler(lambda n: notices.append(n.message_primary))
        assert c.execute("SHOW HELP").description is None
        assert "Console usage" in notices[0]


# ---- clients ----------------------------------------------------------------------------------------------------------------

def test_psql_prints_the_tables(stack):
    done = psql(stack, "show pools;\nSHOW VERSION\n;\nSHOW STATS;\n")
    assert done.stderr == "" and done.returncode == 0
    assert "database|user|cl_active|" in done.stdout and "pgvigil 0.1.0" in done.stdout and "records|" in done.stdout


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_by_name_and_in_binary(stack, binary):
    """The extended protocol: unnamed at first, then prepared; numbers are bigint."""
    with console(stack) as c, c.cursor(binary=binary) as cursor:
        for n in range(12):
            rows = cursor.execute("SHOW POOLS", prepare=n > 5).fetchall()
            assert [(r["database"], r["kind"], r["pool_size"]) for r in rows] == [
                (database, kind, 20) for database in ("records", "other") for kind in ("pairs", "unrestricted")]
            (count,) = {len(cursor.execute("SHOW VERSION").fetchall())}
            assert count == 1


def test_psycopg2_by_the_simple_protocol(stack):
    info = stack.conninfo("admin1", database="pgvigil")
    c = psycopg2.connect(**info)
    try:
        c.autocommit = True
        cursor = c.cursor()
        cursor.execute("SHOW STATS")
        assert {row[0] for row in cursor.fetchall()} == {"records", "other"}
        assert isinstance(show(stack, "STATS")[0]["total_sent"], int)
    finally:
        c.close()


def test_jdbc(stack):
    if not shutil.which("java") or not os.path.exists(JDBC):
        pytest.skip("JAVA OR ITS DRIVER IS NOT INSTALLED: apt-get install default-jdk-headless libpostgresql-jdbc-java (scripts/test does)")
    scram = [p for name in ("scram-client", "scram-common", "stringprep", "saslprep", "ongres-scram-client", "ongres-scram-common", "ongres-stringprep", "ongres-saslprep")
             for p in glob.glob("/usr/share/java/%s.jar" % name)]
    url = "jdbc:postgresql://127.0.0.1:%d/pgvigil?sslmode=verify-ca&sslrootcert=%s" % (stack.port, stack.certs.ca)
    out = harness.run(["java", "-cp", ":".join([JDBC] + scram), HERE / "test_console_java.java", url, "admin1", "admin1-demo"], timeout=180)
    lines = out[out.index("pgvigil 0.1.0\n"):].splitlines()  # behind the driver's warning of so old a PostgreSQL
    assert lines[0] == "pgvigil 0.1.0" and lines[1:5] == ["records pairs 20", "records unrestricted 20", "other pairs 20", "other unrestricted 20"]
    assert lines.count("other pairs 20") == 12 and lines[-1] == "error 0A000"


def test_pipelined_questions_are_answered_in_order(stack):
    with wire.open_session(stack, database="pgvigil") as raw:
        raw.send(b"".join(wire.query("SHOW " + what) for what in ("CLIENTS", "VERSION", "POOLS", "NOTHING", "SERVERS", "STATS")))
        answers = [raw.until("Z") for _ in range(6)]
        assert [wire.tag_of(a) for a in answers] == ["SHOW", "SHOW", "SHOW", None, "SHOW", "SHOW"]
        assert wire.rows_of(answers[1]) == [(b"pgvigil 0.1.0",)] and wire.error_of(answers[3])["C"] == "0A000"
        group = wire.parse("SHOW CLIENTS", "a") + wire.bind(statement="a") + wire.describe() + wire.execute()
        raw.send(group + wire.bind(statement="a", portal="p") + wire.execute("p") + wire.close("S", "a") + wire.SYNC)
        assert [kind for kind, _ in raw.until("Z") if kind != "D"] == ["1", "2", "T", "C", "2", "C", "3", "Z"]
        # After an error everything up to Sync is skipped, and nothing of it is remembered.
        raw.send(wire.parse("SELECT 1", "b") + wire.parse("SHOW VERSION", "c") + wire.bind(statement="c") + wire.execute() + wire.SYNC)
        assert [kind for kind, _ in raw.until("Z")] == ["E", "Z"]
        raw.send(wire.bind(statement="c") + wire.execute() + wire.SYNC)
        assert wire.error_of(raw.until("Z"))["C"] == "26000"
        raw.send(wire.execute("p") + wire.SYNC)  # portals end with the group
        assert wire.error_of(raw.until("Z"))["C"] == "34000"


def test_clients_that_leave_while_workers_are_asked_harm_nobody(stack):
    for n in range(60):
        with wire.open_session(stack, database="pgvigil") as raw:
            raw.send(wire.query("SHOW CLIENTS") * (n % 4 + 1))
            if n % 2:
                raw.send(wire.TERMINATE)
    assert show(stack, "VERSION") == [{"version": "pgvigil 0.1.0"}]
    settled(lambda: show(stack, "CLIENTS"), lambda found: len(found) == 1)


def test_many_consoles_while_clients_come_and_go(stack):
    """What workers tell of each other, with all of them busy."""
    errors = []

    def repeat(work):
        try:
            until = time.monotonic() + 4
            while time.monotonic() < until:
                work()
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    def come_and_go():
        with stack.connect("nurse1") as c:
            c.execute("SELECT count(*) FROM patients").fetchall()

    def look():
        with console(stack) as c:
            for what in PGBOUNCER:
                c.execute("SHOW " + what).fetchall()
        figures.Figures(stack.admin)

    threads = [threading.Thread(target=repeat, args=(work,)) for work in (come_and_go, come_and_go, look, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]


# ---- what it does not do ----------------------------------------------------------------------------------------------------

REFUSED = ["SELECT 1", "SELECT * FROM patients", "SHOW", "SHOW NOTHING", "SHOW STATS POOLS", "SHOW STATS; SELECT 1", "SHOW STATS; SHOW POOLS", "SHOWSTATS",
           "SHOW search_path", "SHOW pgvigil.mission", "SET pgvigil.mission = 'care'", "SET x = 1", "BEGIN", "COMMIT", "ROLLBACK", "RELOAD", "PAUSE", "KILL records",
           "SHUTDOWN", "COPY patients TO STDOUT", "LISTEN x", "DISCARD ALL", "SHOW STATS -- and more", "/* */ SHOW STATS", "SHOW 'STATS'", 'SHOW "stats"',
           "SHOW\0STATS", "x" * 100000, "SHOW " + "S" * 100000, "\N{LATIN SMALL LETTER LONG S}HOW STATS"]


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_anything_else_is_refused_with_what_there_is(stack, text):
    if "\0" in text:
        with wire.open_session(stack, database="pgvigil") as raw:
            raw.send(wire.message("Q", text.encode() + b"\0"))
            assert wire.error_of(raw.drain())["C"] == "08P01"
        return
    with wire.open_session(stack, database="pgvigil") as raw:
        for got in (raw.query(text), raw.extended(text)):
            error = wire.error_of(got)
            assert error["C"] == "0A000" and "console" in error["M"] and "SHOW STATS, POOLS" in error["H"]
            assert not wire.rows_of(got) and got[-1] == ("Z", b"I")
        assert wire.rows_of(raw.query("SHOW VERSION"))


@pytest.mark.parametrize("data,sqlstate", [
    (wire.parse("SHOW STATS", types=(23,)) + wire.SYNC, "42P02"),
    (wire.parse("SHOW STATS") + wire.bind(("1",)) + wire.SYNC, "08P01"),
    (wire.parse("SHOW STATS") + wire.bind(result_formats=(0, 1)) + wire.SYNC, "08P01"),
    (wire.bind(statement="nothing") + wire.SYNC, "26000"),
    (wire.execute("nothing") + wire.SYNC, "34000"),
    (wire.describe("S", "nothing") + wire.SYNC, "26000"),
    (wire.describe("P", "nothing") + wire.SYNC, "34000"),
    (wire.parse("SHOW STATS", "a" * 64) + wire.SYNC, "42622"),
    (wire.parse("SHOW STATS", "t") + wire.parse("SHOW STATS", "t") + wire.SYNC, "42P05"),
    (b"".join(wire.parse("SHOW STATS", "n%d" % n) for n in range(100)) + wire.SYNC, "54000"),
    (wire.parse("SHOW CONFIG") + wire.bind() + wire.execute(rows=1) + wire.SYNC, "0A000"),
], ids=range(11))
def test_extended_messages_that_do_not_fit_are_refused(stack, data, sqlstate):
    with wire.open_session(stack, database="pgvigil") as raw:
        raw.send(data)
        got = raw.until("Z")
        assert wire.error_of(got)["C"] == sqlstate and not wire.rows_of(got)
        assert wire.rows_of(raw.query("SHOW VERSION"))


@pytest.mark.parametrize("data", [wire.message("F", b"\0\0\0\1\0\0\0\0\0\0"), wire.message("d", b"x"), wire.message("p", b"x"), wire.message("?"), wire.message("E", b"x"), b"Q\0\0\0\1"], ids=range(6))
def test_other_messages_end_the_session(stack, data):
    with wire.open_session(stack, database="pgvigil") as raw:
        raw.send(data)
        assert wire.error_of(raw.drain())["C"] == "08P01"
    assert show(stack, "VERSION")


def test_no_server_connection_is_made_for_it(make_stack):
    own = with_admin(make_stack, unrestricted=False)
    with console(own) as c:
        for what in PGBOUNCER:
            c.execute("SHOW " + what)
        assert c.execute("SHOW SERVERS").fetchall() == []
    assert "event=server-open" not in own.proxy.log.read_text()


# ---- who may ----------------------------------------------------------------------------------------------------------------

def refusal(stack, user, database, password=None):
    """All that is said to a client from its start to the end, with the database's name taken out."""
    with wire.Raw(stack.port, stack.tls_context()) as raw:
        got = raw.login(user, database, password or user + "-demo")
        assert got[-1][0] == "E", got
        return [(kind, wire.fields(body)["M"].replace(database, "?"), wire.fields(body)["C"]) if kind == "E" else kind for kind, body in got]


@pytest.mark.parametrize("user", ["nurse1", "research1", "reception1"])
def test_others_are_told_that_there_is_no_such_database(stack, user):
    told = refusal(stack, user, "pgvigil")
    assert told == refusal(stack, user, "nothing-like-it") and told[-1] == ("E", 'database "?" does not exist', "3D000")
    assert refusal(stack, user, "pgvigil", "wrong") == refusal(stack, user, "records", "wrong")
    with stack.connect(user) as c:
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_admin_must_prove_who_it_is(stack):
    assert refusal(stack, "admin1", "pgvigil", "wrong") == refusal(stack, "admin1", "records", "wrong")
    with wire.Raw(stack.port, tls=False) as raw:
        raw.send(wire.startup("admin1", "pgvigil"))
        assert wire.error_of(raw.drain())["C"] == "28000"


def test_other_spellings_are_not_the_console(stack):
    for name in ("PGVIGIL", "pgvigil ", "pgbouncer", "Pgvigil"):
        assert refusal(stack, "admin1", name)[-1][2] == "3D000"


def test_without_admins_there_is_no_console(make_stack):
    own = make_stack()
    assert refusal(own, "admin1", "pgvigil") == refusal(own, "admin1", "nothing-like-it")


def test_a_mission_is_not_for_the_console(stack):
    with pytest.raises(psycopg.OperationalError, match="the console has no roles and missions"):
        stack.connect("admin1", database="pgvigil", mission="maintenance")
    with console(stack, options="-cstatement_timeout=5s -csearch_path=public") as c:
        assert c.execute("SHOW VERSION").fetchall()


def test_a_login_that_acts_for_others_is_no_admin(make_stack):
    own = with_admin(make_stack, users=("admin1", "ward-app"))
    assert refusal(own, "ward-app", "pgvigil")[-1][2] == "3D000"
    done = own.command("check", "-c", own.config_file, check=False)
    assert done.returncode == 1 and 'admin.users: "ward-app" is a login that acts for others' in done.stdout
    assert show(own, "VERSION")


def test_admin_who_has_gone_from_the_policy_is_ended(make_stack):
    extra = (harness.CLINIC / "policy" / "50-users.cfg").read_text(encoding="utf-8")
    (secret,) = re.findall(r'name = "nurse1";.*?secret = "(.*?)"', extra, re.S)
    mine = 'users = ( { name = "watcher"; auth = "scram"; roles = [ "nurse" ]; secret = "%s"; attributes = { wards = [ "1" ]; rpps = "1"; }; } );' % secret
    own = with_admin(make_stack, users=("admin1", "watcher"), extra_policy=[("90-watcher.cfg", mine)])
    with own.connect("watcher", database="pgvigil", password="nurse1-demo") as c:
        assert c.execute("SHOW VERSION").fetchone()
        (own.policy / "90-watcher.cfg").write_text("", encoding="utf-8")
        own.deploy()
        since = own.proxy.log_size()
        own.proxy.hup()
        own.proxy.wait_log(r"event=reload\s", since=since, seconds=60)
        with pytest.raises(psycopg.OperationalError, match="this user is gone"):
            for _ in range(100):
                c.execute("SHOW VERSION")
                time.sleep(0.1)


def test_name_is_kept_for_the_console(make_stack):
    own = make_stack(databases=("pgvigil",), serve=False, deploy=False)
    done = own.command("check", "-c", own.config_file, check=False)
    assert done.returncode == 1 and "kept for pgvigil's own console" in done.stdout


# ---- the trail --------------------------------------------------------------------------------------------------------------

def test_each_look_is_on_record(stack):
    name = "look %d" % time.monotonic_ns()
    with console(stack, application_name=name) as c:
        c.execute("SHOW CLIENTS")
        c.execute("show config")
        with pytest.raises(psycopg.Error):
            c.execute("SELECT 'the-literal'")
        c.execute("SHOW HELP")
    found = settled(lambda: [r for r in stack.audit_records() if r.get("application") == name], lambda records: records and records[-1]["event"] == "disconnect")
    assert [(r["event"], r.get("detail")) for r in found] == [
        ("connect", None), ("console", "SHOW CLIENTS"), ("console", "SHOW CONFIG"), ("console", "refused: nothing that the console answers"),
        ("console", "SHOW HELP"), ("disconnect", "client terminated")]
    for record in found:
        assert (record["database"], record["person"], record["login"], record["auth"], record["address"]) == \
            ("pgvigil", "admin1", "admin1", "scram-sha-256-plus", "127.0.0.1")
        assert "role" not in record and "mission" not in record and "the-literal" not in repr(record)


def test_trail_with_the_console_in_it_is_whole(make_stack):
    own = with_admin(make_stack)
    for what in PGBOUNCER:
        assert show(own, what) is not None
    own.proxy.stop()
    done = own.command("audit", "verify", "--public-key", own.certs.audit_public, own.audit_dir)
    assert done.returncode == 0


def test_nothing_is_shown_without_its_record(make_stack, small_disk):
    own = with_admin(make_stack, audit_dir=small_disk / "audit", audit="reserve_bytes = 0")
    with wire.open_session(own, database="pgvigil") as raw:
        assert wire.rows_of(raw.query("SHOW CLIENTS"))
        ballast = small_disk / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            for size in (65536, 64):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * size)
        refused = 0
        for _ in range(200):  # what the last page still holds may be written first
            got = raw.query("SHOW CLIENTS")
            error = wire.error_of(got)
            refused += error is not None
            assert (error is None) == bool(wire.rows_of(got)) and (error is None or error["C"] == "58030")
        assert refused > 0
        got = raw.extended("SHOW CLIENTS")
        assert wire.error_of(got)["C"] == "58030" and not wire.rows_of(got)
        ballast.unlink()
        got = settled(lambda: raw.query("SHOW CLIENTS"), lambda answer: wire.error_of(answer) is None)
        assert wire.rows_of(got)
