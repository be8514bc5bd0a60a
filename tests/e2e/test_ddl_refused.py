"""
DDL through pgvigil that cannot be: a policy that does not fit what would be, a login without the right to touch guards, locks that
others hold, a client that goes away. The database, the guards and what a nurse sees are then as they were.
"""
import threading
import time

import psycopg
import pytest

import ddl_schema
import wire

from test_ddl import ask, ext, guards, of


@pytest.fixture(scope="module")
def guarded(make_stack):
    return make_stack(extra_sql=ddl_schema.TABLES, changes={"records": ddl_schema.RIGHTS}, extra_policy=[("60-ddl.cfg", ddl_schema.POLICY)])


def compare(stack):
    with stack.connect("nurse1", mission="care") as nurse, stack.superuser() as truth:
        for table in ddl_schema.SEEN:
            assert ddl_schema.seen(nurse, table) == ddl_schema.expected(truth, table), table


def definitions(stack):
    """What the tables are, and what guards there are."""
    with stack.superuser() as c:
        return c.execute("SELECT attrelid::regclass::text, attnum, attname, atttypid FROM pg_attribute WHERE attnum > 0 AND attrelid IN"
                         " (SELECT oid FROM pg_class WHERE relnamespace = 'ddl'::regnamespace) ORDER BY 1, 2").fetchall(), guards(stack)


def codes(messages):
    return [m[1][1] if m[0] == "E" else m[0] for m in messages]


MISFITS = [
    ("ALTER TABLE ddl.a RENAME ward TO station", "column a.ward does not exist", 22),
    ("ALTER TABLE ddl.a DROP COLUMN ward", "column a.ward does not exist", 22),
    ("ALTER TABLE ddl.a ALTER ward TYPE text", "operator does not exist", 22),
    ("ALTER TABLE ddl.a RENAME TO z; ALTER TABLE ddl.b RENAME TO a", "does not exist", 22),
    ("DROP TABLE ddl.w", 'relation "ddl.w" does not exist', 27),
    ("ALTER TABLE ddl.w RENAME open TO opened", "column w.open does not exist", 27),
    ("ALTER TABLE ddl.w SET SCHEMA app", 'relation "ddl.w" does not exist', 27),
    ("ALTER FUNCTION ddl.visible(int) RENAME TO seen", "function ddl.visible", 26),
    ("DROP FUNCTION ddl.visible", "function ddl.visible", 26),
    ("DROP FUNCTION ddl.visible CASCADE", "function ddl.visible", 26),
    ("SELECT 1; ALTER TABLE ddl.a DROP COLUMN ward; INSERT INTO ddl.c VALUES (77, 'x')", "column a.ward does not exist", 22),
]


def line_of(rule):
    """The line of the policy where the rule begins whose filter names that."""
    lines = ddl_schema.POLICY.splitlines()
    at = next(i for i, line in enumerate(lines) if rule in line)
    while "roles =" not in lines[at]:
        at -= 1
    return at + 1


RULES = {22: "a.ward = ANY", 26: "ddl.visible(f.id)", 27: "w.ward = by_w.ward"}


@pytest.mark.parametrize("statement, why, rule", MISFITS, ids=[m[0] for m in MISFITS])
def test_policy_that_would_not_fit(guarded, statement, why, rule):
    before = definitions(guarded)
    with wire.open_session(guarded, "admin1") as dba:
        got = ask(dba, statement)
        assert got[-1] == ("Z", b"I")
        kind, (severity, code, message, _) = got[-2]
        assert (kind, severity, code) == ("E", "ERROR", "2BP01"), got
        assert why in message and "60-ddl.cfg:%d" % line_of(RULES[rule]) in message
        assert definitions(guarded) == before
        # In a transaction: it has failed, and a savepoint brings it back.
        assert codes(ask(dba, "BEGIN")) == ["C", "Z"]
        assert codes(ask(dba, "ALTER TABLE ddl.c ADD COLUMN within int")) == ["C", "Z"]
        assert codes(ask(dba, "SAVEPOINT s")) == ["C", "Z"]
        got = ask(dba, statement)
        assert "2BP01" in codes(got) and got[-1] == ("Z", b"E")
        assert codes(ask(dba, "SELECT 1"))[0] == "25P02"
        assert codes(ask(dba, "ROLLBACK TO s")) == ["C", "Z"]
        assert codes(ask(dba, "SELECT within FROM ddl.c"))[0] == "T"
        assert codes(ask(dba, "ROLLBACK")) == ["C", "Z"]
        # By the extended protocol: all up to Sync is skipped.
        if ";" not in statement:
            got = ask(dba, ext(statement)[:-5] + ext("INSERT INTO ddl.c VALUES (78, 'y')"))
            assert codes(got)[-2:] == ["2BP01", "Z"] and got[-1] == ("Z", b"I")
        assert codes(ask(dba, "SELECT 1"))[-1] == "Z"
    assert definitions(guarded) == before
    with guarded.superuser() as c:
        assert c.execute("SELECT count(*) FROM ddl.c WHERE id > 70").fetchone() == (0,)
    compare(guarded)


def test_the_hint_says_what_to_do(guarded):
    with guarded.connect("admin1") as c, pytest.raises(psycopg.Error) as error:
        c.execute("ALTER TABLE ddl.a DROP COLUMN ward")
    assert "pgvigil deploy --remove" in error.value.diag.message_hint
    assert [r for r in guarded.audit_records() if r.get("sqlstate") == "2BP01" and r.get("person") == "admin1"]


def test_login_without_the_right(guarded):
    """PostgreSQL's own error, and how to mend it; renames, which it lets through, close the relation until deploy."""
    before = definitions(guarded)
    with guarded.superuser() as c:
        c.execute("REVOKE pgvigil_owner FROM pgvigil_dba")
    try:
        with guarded.connect("admin1") as dba:
            for statement, code in (("ALTER TABLE ddl.c ALTER label TYPE varchar(99)", "0A000"), ("ALTER TABLE ddl.c DROP COLUMN label", "2BP01"),
                                    ("DROP TABLE ddl.c", "2BP01")):
                with pytest.raises(psycopg.Error) as error:
                    dba.execute(statement)
                assert error.value.sqlstate == code
                assert "pgvigil deploy --remove" in error.value.diag.message_hint
            assert definitions(guarded) == before
            checked = guarded.command("check", "-c", guarded.config_file, "--database", "records", "--as", guarded.dba(), check=False)
            assert 'GRANT "pgvigil_owner" TO "pgvigil_dba"' in checked.stdout + checked.stderr
            dba.execute("ALTER TABLE ddl.b RENAME note TO was; ALTER TABLE ddl.b RENAME hidden TO note")
            # The catalogs have been read before this is answered.
            with guarded.connect("nurse1") as nurse:
                assert ddl_schema.seen(nurse, "ddl.b") is None
                assert ddl_schema.seen(nurse, "ddl.c")
            dba.execute("ALTER TABLE ddl.b RENAME note TO hidden; ALTER TABLE ddl.b RENAME was TO note")
        compare(guarded)
    finally:
        with guarded.superuser() as c:
            c.execute("GRANT pgvigil_owner TO pgvigil_dba")
    checked = guarded.command("check", "-c", guarded.config_file, "--database", "records", "--as", guarded.dba(), check=False)
    assert 'GRANT "pgvigil_owner" TO "pgvigil_dba"' not in checked.stdout + checked.stderr


def test_what_cannot_be_seen_beforehand(guarded):
    before = definitions(guarded)
    with guarded.connect("admin1") as dba:
        with pytest.raises(psycopg.Error) as error:
            dba.execute("DO $$ BEGIN ALTER TABLE ddl.c DROP COLUMN label; END $$")
        assert error.value.sqlstate == "2BP01" and "pgvigil deploy --remove" in error.value.diag.message_hint
        assert definitions(guarded) == before
        since = guarded.proxy.log_size()
        dba.execute("DO $$ BEGIN ALTER TABLE ddl.c RENAME label TO marking; END $$")
        guarded.proxy.wait_log("event=guards-stale", since=since)
        with guarded.connect("nurse1") as nurse:
            assert ddl_schema.seen(nurse, "ddl.c") is None
            assert ddl_schema.seen(nurse, "ddl.b")
        # The next thing that is seen puts it right.
        dba.execute("CREATE TABLE ddl.unrelated (id int)")
        with guarded.connect("nurse1") as nurse:
            assert ddl_schema.seen(nurse, "ddl.c")[0] == ["id"]
        dba.execute("ALTER TABLE ddl.c RENAME marking TO label; DROP TABLE ddl.unrelated")
    compare(guarded)


def test_locks_that_others_hold(guarded):
    before = guards(guarded)
    with guarded.connect("nurse1", mission="care", autocommit=False) as nurse, guarded.connect("admin1") as dba:
        rows = nurse.execute("SELECT * FROM ddl.a").fetchall()
        dba.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.Error) as error:
            dba.execute("ALTER TABLE ddl.a ALTER name TYPE varchar(70)")
        assert error.value.sqlstate == "55P03"
        dba.execute("RESET lock_timeout")
        assert nurse.execute("SELECT * FROM ddl.a").fetchall() == rows
        assert guards(guarded) == before
        done = []
        thread = threading.Thread(target=lambda: done.append(dba.execute("ALTER TABLE ddl.a ALTER name TYPE varchar(70)")))
        thread.start()
        wait_for_lock(guarded)
        assert not done
        assert nurse.execute("SELECT 1").fetchone() == (1,)
        nurse.rollback()
        thread.join(30)
        assert done
    compare(guarded)


def wait_for_lock(stack, gone=False):
    deadline = time.monotonic() + 30
    with stack.superuser() as c:
        while time.monotonic() < deadline:
            (waiting,) = c.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'pgvigil_dba'"
                                   " AND datname = current_database()").fetchone()
            if (waiting == 0) == gone:
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits" if not gone else "somebody waits still")


def test_cancel_and_disconnect_while_it_waits(guarded):
    before = definitions(guarded)
    with guarded.connect("nurse1", mission="care", autocommit=False) as nurse:
        nurse.execute("SELECT * FROM ddl.a").fetchall()
        with guarded.connect("admin1") as dba:
            errors = []

            def alter():
                try:
                    dba.execute("ALTER TABLE ddl.a DROP COLUMN name")
                except psycopg.Error as error:
                    errors.append(error.sqlstate)

            thread = threading.Thread(target=alter)
            thread.start()
            wait_for_lock(guarded)
            dba.cancel()
            thread.join(30)
            assert errors == ["57014"]
            assert dba.execute("SELECT 1").fetchone() == (1,)
        gone = wire.open_session(guarded, "admin1")
        gone.send(wire.query("ALTER TABLE ddl.a DROP COLUMN name"))
        wait_for_lock(guarded)
        gone.close()
        wait_for_lock(guarded, gone=True)
        assert nurse.execute("SELECT count(*) FROM ddl.a").fetchone()[0] > 0
    assert definitions(guarded) == before
    with guarded.connect("admin1") as dba:
        dba.execute("ALTER TABLE ddl.a ADD COLUMN afterwards int")
    compare(guarded)


def test_readers_and_ddl_at_the_same_time(guarded):
    """A nurse who reads all the while gets what there was or what there is, never an error of the guards, never a hidden value."""
    stop = threading.Event()
    problems, answers = [], set()

    def read():
        with guarded.connect("nurse1", mission="care") as nurse:
            while not stop.is_set():
                try:
                    answers.update(str(r) for r in nurse.execute("SELECT name FROM ddl.a WHERE id = 1").fetchall())
                except psycopg.Error as error:
                    problems.append((error.sqlstate, str(error)))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with guarded.connect("admin1") as dba:
            for kind in ("varchar(90)", "text", "varchar(80)", "text"):
                dba.execute("ALTER TABLE ddl.a ALTER name TYPE %s" % kind)
            dba.execute("BEGIN")
            dba.execute("ALTER TABLE ddl.a RENAME name TO gone; ALTER TABLE ddl.a RENAME secret TO name")
            dba.execute("ROLLBACK")
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert answers == {"('name 1',)"}
    # A statement that waited for the lock may find that its guard is another one, as with any view that is replaced.
    assert {code for code, _ in problems} <= {"42P01", "0A000", "55000", "XX000"}, problems
    compare(guarded)


def test_two_dbas_at_the_same_time(guarded):
    with guarded.connect("admin1", autocommit=False) as one, guarded.connect("admin1", autocommit=False) as two:
        one.execute("ALTER TABLE ddl.b ADD COLUMN of_one int")
        two.execute("ALTER TABLE ddl.part ADD COLUMN of_two int")
        two.execute("ALTER TABLE ddl.part RENAME v TO value")
        two.commit()
        one.execute("ALTER TABLE ddl.b DROP COLUMN of_one")
        one.commit()
        two.execute("ALTER TABLE ddl.part RENAME value TO v")
        two.commit()
    compare(guarded)
    assert of(guards(guarded), "ddl.part1")


def test_end_of_pgvigil_while_it_waits(make_stack):
    own = make_stack(extra_sql=ddl_schema.TABLES, changes={"records": ddl_schema.RIGHTS}, extra_policy=[("60-ddl.cfg", ddl_schema.POLICY)])
    before = definitions(own)
    with own.superuser(autocommit=False) as holder:
        holder.execute("LOCK TABLE ddl.a IN ACCESS SHARE MODE")
        with wire.open_session(own, "admin1") as dba:
            dba.send(wire.query("ALTER TABLE ddl.a DROP COLUMN name"))
            wait_for_lock(own)
            own.proxy.stop()
        wait_for_lock(own, gone=True)
    assert definitions(own) == before
    own.serve()
    compare(own)


def test_policy_that_changes_in_the_middle_of_a_migration(make_stack):
    """The guards of the policy in force are made again, not those of the one that the transaction began with."""
    own = make_stack(extra_sql=ddl_schema.TABLES, changes={"records": ddl_schema.RIGHTS}, extra_policy=[("60-ddl.cfg", ddl_schema.POLICY)])
    with own.connect("admin1", autocommit=False) as dba:
        dba.execute("SELECT 1")
        changed = ddl_schema.POLICY.replace('"ddl.b"; columns = { admin = [ "id", "a", "note" ]', '"ddl.b"; columns = { admin = [ "id", "note" ]')
        assert changed != ddl_schema.POLICY
        (own.policy / "60-ddl.cfg").write_text(changed, encoding="utf-8")
        own.deploy()
        since = own.proxy.log_size()
        own.proxy.hup()
        own.proxy.wait_log(r"event=reload\s", since=since, seconds=60)
        dba.execute("ALTER TABLE ddl.b ADD COLUMN later int")
        dba.commit()
        dba.execute("ALTER TABLE ddl.b DROP COLUMN later")
        dba.commit()
    with own.connect("nurse1", mission="care") as nurse:
        assert ddl_schema.seen(nurse, "ddl.b")[0] == ["id", "note"]
        assert ddl_schema.seen(nurse, "ddl.a")
    # The older one's guard of that table is gone: whoever goes back to it deploys it.
    (own.policy / "60-ddl.cfg").write_text(ddl_schema.POLICY, encoding="utf-8")
    own.deploy()
    since = own.proxy.log_size()
    own.proxy.hup()
    own.proxy.wait_log(r"event=reload\s", since=since, seconds=60)
    compare(own)
