"""The spine with restricted roles: pooling, identities, missions, prepared statements, refusals in every protocol position."""
import threading
import time

import psycopg
import pytest
from psycopg import errors

import wire


@pytest.fixture
def nurse(stack):
    with stack.connect("nurse1") as c:
        yield c


def count_as(stack, user):
    with stack.connect(user) as c:
        return c.execute("SELECT count(*) FROM patients").fetchone()[0]


def test_people_of_one_pair_share_servers_and_not_rows(stack):
    alone = {user: count_as(stack, user) for user in ("nurse1", "nurse2")}
    assert alone["nurse1"] != alone["nurse2"]
    with stack.connect("nurse1") as one, stack.connect("nurse2") as two:
        for _ in range(10):
            assert one.execute("SELECT count(*) FROM patients").fetchone()[0] == alone["nurse1"]
            assert two.execute("SELECT count(*) FROM patients").fetchone()[0] == alone["nurse2"]


def test_more_sessions_than_servers(stack):
    expected = {user: count_as(stack, user) for user in ("nurse1", "nurse2")}
    wrong = []

    def work(user):
        with stack.connect(user) as c:
            for _ in range(20):
                got = c.execute("SELECT count(*) FROM patients WHERE id > %s", (0,), prepare=True).fetchone()[0]
                if got != expected[user]:
                    wrong.append((user, got))

    threads = [threading.Thread(target=work, args=(user,)) for user in ("nurse1", "nurse2") * 20]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_prepared_statement_follows_the_mission(stack):
    """One that was prepared in a mission is judged again in the next: it gives what that one shows, and refuses what it does not."""
    count, names = "SELECT count(*) FROM patients", "SELECT family_name FROM patients ORDER BY 1 LIMIT 1"
    with stack.connect("dr.martin", mission="research") as c:
        of_research = c.execute(count).fetchone()
    with stack.connect("dr.martin") as c:
        of_care = c.execute(count, prepare=True).fetchone()
        c.execute(names, prepare=True)
        assert of_care != of_research and c.execute(count, prepare=True).fetchone() == of_care
        c.execute("SET pgvigil.mission = 'research'")
        assert c.execute(count, prepare=True).fetchone() == of_research
        with pytest.raises(errors.UndefinedColumn):
            c.execute(names, prepare=True)
        c.execute("SET pgvigil.mission = 'care'")
        assert c.execute(count, prepare=True).fetchone() == of_care and c.execute(names, prepare=True).fetchone()


def test_a_mission_that_the_role_lacks_is_refused(nurse):
    with pytest.raises(errors.InsufficientPrivilege, match="may not take the mission"):
        nurse.execute("SET pgvigil.mission = 'research'")
    assert nurse.execute("SHOW pgvigil.mission").fetchone() == ("care",)


def test_a_mission_that_the_role_lacks_is_refused_in_a_transaction_and_fails_it(stack):
    with stack.connect("nurse1", autocommit=False) as c:
        c.execute("SELECT 1")
        with pytest.raises(errors.InsufficientPrivilege, match="may not take the mission"):
            c.execute("SET LOCAL pgvigil.mission = 'research'")
        with pytest.raises(errors.InFailedSqlTransaction):
            c.execute("SELECT 1")
        c.rollback()
        c.execute("SELECT 1")


def test_refusal_fails_the_transaction_on_the_server_too(stack):
    with stack.connect("nurse1", autocommit=False) as c:
        assert c.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(errors.InsufficientPrivilege):
            c.execute("SELECT * FROM invoices")
        assert c.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        with pytest.raises(errors.InFailedSqlTransaction):
            c.execute("SELECT 1")
        c.rollback()
        assert c.execute("SELECT 2").fetchone() == (2,)


def test_refusal_outside_a_transaction_leaves_none(nurse):
    with pytest.raises(errors.InsufficientPrivilege):
        nurse.execute("SELECT * FROM invoices")
    assert nurse.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert nurse.execute("SELECT 1").fetchone() == (1,)


def test_refusal_in_a_pipeline_skips_to_sync(stack):
    raw = wire.Raw(stack.port, stack.tls_context())
    raw.login("nurse1", next(iter(stack.databases)), "nurse1-demo")
    run = wire.bind() + wire.execute()
    raw.send(wire.parse("SELECT 1") + run + wire.parse("SELECT * FROM invoices") + run + wire.parse("SELECT 2") + run
             + wire.SYNC + wire.parse("SELECT 3") + run + wire.SYNC)
    assert "".join(kind for kind, _ in raw.until("Z") + raw.until("Z")) == "12DCEZ12DCZ"


def test_mission_in_front_of_a_statement_in_one_text(nurse):
    cursor = nurse.execute("SET pgvigil.mission = 'care'; SELECT count(*) FROM patients")
    while cursor.nextset():
        pass
    assert cursor.fetchone()[0] > 0


def test_local_settings_in_a_pipeline_keep_their_order(nurse):
    with nurse.pipeline():
        one = nurse.execute("SELECT 1")
        mission = nurse.execute("SHOW pgvigil.mission")
        two = nurse.execute("SELECT 2")
    assert (one.fetchone(), mission.fetchone(), two.fetchone()) == ((1,), ("care",), (2,))


def test_row_description_names_the_table_not_the_guard(stack, nurse):
    cursor = nurse.execute("SELECT id, phone FROM patients LIMIT 1")
    with stack.superuser() as su:
        oid, attnum = su.execute("SELECT attrelid, attnum FROM pg_attribute WHERE attrelid = 'patients'::regclass "
                                 "AND attname = 'phone'").fetchone()
    assert cursor.pgresult.ftable(1) == oid
    assert cursor.pgresult.ftablecol(1) == attnum


def test_hidden_column_gets_a_hint(nurse):
    with pytest.raises(errors.UndefinedColumn) as caught:
        nurse.execute("SELECT nir FROM patients")
    assert "policy hides column" in caught.value.diag.message_hint


def test_server_errors_do_not_name_guards(nurse):
    for text in ("SELECT family_name::int FROM patients", "SELECT no_such FROM patients p",
                 "SELECT sum(family_name) FROM patients", "SELECT id FROM patients GROUP BY family_name"):
        with pytest.raises(psycopg.Error) as caught:
            nurse.execute(text)
        said = " ".join(str(x) for x in (caught.value.diag.message_primary, caught.value.diag.message_detail,
                                         caught.value.diag.message_hint, caught.value.diag.context,
                                         caught.value.diag.source_file))
        assert "pgvigil:" not in said and "public.patients\"" not in said and ".c" not in said.split()[-1], said


def test_session_settings_stay_with_their_session(stack):
    with stack.connect("nurse1") as one, stack.connect("nurse1") as two:
        one.execute("SET TimeZone = 'Asia/Tokyo'")
        assert two.execute("SHOW TimeZone").fetchone() != ("Asia/Tokyo",)
        assert one.execute("SHOW TimeZone").fetchone() == ("Asia/Tokyo",)
    with stack.connect("nurse1") as three:
        assert three.execute("SHOW TimeZone").fetchone() != ("Asia/Tokyo",)


def test_start_up_settings_are_applied(stack):
    with stack.connect("nurse1", options="-c TimeZone=Asia/Tokyo -c DateStyle=German") as c:
        assert c.execute("SHOW TimeZone").fetchone() == ("Asia/Tokyo",)
        assert c.info.parameter_status("TimeZone") == "Asia/Tokyo"
    with stack.connect("nurse1") as c:
        assert c.execute("SHOW TimeZone").fetchone() != ("Asia/Tokyo",)
    with pytest.raises(psycopg.OperationalError, match="session_replication_role"):
        stack.connect("nurse1", options="-c session_replication_role=replica")
    with pytest.raises(psycopg.OperationalError, match="mission"):
        stack.connect("nurse1", mission="research")


def test_search_path_is_tracked(nurse):
    nurse.execute("SET search_path = app, public")
    assert nurse.execute("SHOW search_path").fetchone() == ("app, public",)
    nurse.execute("RESET search_path")
    assert nurse.execute("SHOW search_path").fetchone() == ("public",)


def test_discard_and_deallocate(nurse):
    nurse.execute("SELECT 1", prepare=True)
    nurse.execute("DISCARD ALL")
    nurse.execute("DEALLOCATE ALL")
    with pytest.raises(errors.InvalidSqlStatementName):
        nurse.execute("DEALLOCATE not_there")


def test_portals_with_a_row_limit(stack):
    raw = wire.Raw(stack.port, stack.tls_context())
    raw.login("nurse1", next(iter(stack.databases)), "nurse1-demo")
    raw.send(wire.query("BEGIN"))
    raw.until("Z")
    raw.send(wire.parse("SELECT id FROM patients ORDER BY id", "s"), wire.bind(statement="s", portal="p"),
             wire.execute("p", 5), wire.execute("p", 5), wire.message("S"))
    kinds = "".join(kind for kind, _ in raw.until("Z"))
    assert kinds == "12" + "D" * 5 + "s" + "D" * 5 + "sZ"
    raw.send(wire.execute("nowhere"), wire.message("S"))
    got = raw.until("Z")
    assert wire.fields(got[0][1])["C"] == "34000" and got[-1][1] == b"E"


def test_unknown_prepared_statement(stack):
    raw = wire.Raw(stack.port, stack.tls_context())
    raw.login("nurse1", next(iter(stack.databases)), "nurse1-demo")
    raw.send(wire.bind(statement="nobody"), wire.execute(), wire.message("S"))
    got = raw.until("Z")
    assert [k for k, _ in got] == ["E", "Z"] and wire.fields(got[0][1])["C"] == "26000"


def test_a_server_that_dies_hurts_its_session_only(stack):
    with stack.connect("nurse1", autocommit=False) as victim, stack.connect("nurse2") as other:
        victim.execute("SELECT 1")
        with stack.superuser() as su:
            su.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil' "
                       "AND state = 'idle in transaction'")
        with pytest.raises(psycopg.OperationalError):
            victim.execute("SELECT 1")
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert count_as(stack, "nurse1") > 0


def test_refusals_are_recorded(stack):
    with stack.connect("nurse1", application_name="refused-one") as c:
        with pytest.raises(errors.InsufficientPrivilege):
            c.execute("SELECT * FROM invoices WHERE id = 77123")
    deadline = time.monotonic() + 5
    mine = []
    while not mine and time.monotonic() < deadline:
        mine = [r for r in stack.audit_records()
                if r.get("application") == "refused-one" and r.get("decision") == "deny"]
        time.sleep(0.05)
    assert mine and "invoices" in str(mine[0]["refused"]) and "77123" not in str(mine[0])


def test_row_limit_of_a_mission(stack):
    many = "SELECT a.id FROM patients a, patients b"
    with stack.connect("research1") as c:
        for _ in range(3):
            with pytest.raises(errors.ProgramLimitExceeded, match="10000 rows"):
                c.execute(many)
            assert len(c.execute(many + " LIMIT 10000").fetchall()) == 10000
    with stack.connect("research1", autocommit=False) as c:
        with pytest.raises(errors.ProgramLimitExceeded):
            c.execute(many)
        with pytest.raises(errors.InFailedSqlTransaction):
            c.execute("SELECT 1")
        c.rollback()
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_row_limit_counts_a_portals_parts_together(stack):
    raw = wire.Raw(stack.port, stack.tls_context())
    raw.login("research1", next(iter(stack.databases)), "research1-demo")
    raw.send(wire.parse("SELECT a.id FROM patients a, patients b") + wire.bind(portal="p"))
    got = []
    for _ in range(3):
        raw.send(wire.execute("p", 4000) + wire.message("H"))
        got += raw.until("sE")
    assert sum(1 for kind, _ in got if kind == "D") <= 10000
    assert got[-1][0] == "E" and wire.fields(got[-1][1])["C"] == "54000"
    raw.send(wire.SYNC)
    assert raw.until("Z")[-1] == ("Z", b"I")
