"""
Row locks with several real sessions at once: who waits, who skips, what is asked again after a wait, and what is never
locked. Where PostgreSQL has an answer of its own, the same is done on a plain table that holds what the session may see.
"""
import json
import re
import threading
import time

import lock_schema
import psycopg
import pytest
import wire

EXTRA_SQL = lock_schema.EXTRA_SQL + """
CREATE TABLE k.queue (id bigint PRIMARY KEY, ward int NOT NULL, state text NOT NULL, prio int NOT NULL, taken_by text, times int NOT NULL DEFAULT 0);
INSERT INTO k.queue SELECT n, 1 + n % 5, CASE WHEN n % 4 = 0 THEN 'done' ELSE 'ready' END, n % 10 FROM generate_series(1, 800) AS n;
CREATE TABLE k.big (id bigint PRIMARY KEY, ward int NOT NULL, state text NOT NULL, prio int NOT NULL);
INSERT INTO k.big SELECT n, 1 + n % 5, CASE WHEN n % 4 = 0 THEN 'done' ELSE 'ready' END, n % 10 FROM generate_series(1, 30000) AS n;
GRANT SELECT, UPDATE ON k.queue, k.big TO pgvigil_owner;
"""
POLICY = lock_schema.POLICY.replace("tables = (", """tables = (
  { name = "k.queue"; columns = { all = [ "id", "ward", "state", "prio", "taken_by", "times" ]; }; },
  { name = "k.big"; columns = { all = [ "id", "ward", "state", "prio" ]; }; },""", 1).replace("rules = (", """rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.queue" ]; rows = "queue.ward = ANY(:user.wards)";
    columns = { all = "show"; }; update = [ "state", "taken_by", "times" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.big" ]; rows = "big.ward = ANY(:user.wards)";
    columns = { all = "show"; }; update = [ "state" ]; },""", 1)


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(databases=["sessions"], extra_sql=EXTRA_SQL, extra_policy=[("90-lock.cfg", POLICY)])


@pytest.fixture(scope="module")
def oracle(stack):
    name = "oracle_sessions"
    stack.cluster.create(name, stack.cluster.template(extra_sql=EXTRA_SQL), lock_schema.oracle_sql())
    yield name
    stack.cluster.drop(name)


def nurse(stack, user="nurse1"):
    return stack.connect(user, mission="care")


class Waiting(threading.Thread):
    """A statement in a transaction of its own, that somebody else's lock holds up."""

    def __init__(self, connection, sql):
        super().__init__(daemon=True)
        self.connection, self.sql, self.rows, self.error = connection, sql, None, None
        connection.execute("BEGIN")
        self.start()

    def run(self):
        try:
            self.rows = self.connection.execute(self.sql).fetchall()
        except psycopg.Error as error:
            self.error = error.sqlstate

    def result(self):
        self.join(30)
        assert not self.is_alive(), "still waiting"
        return self.error or self.rows


def until_waits(superuser, thread):
    """Until a server process waits for a row that somebody has locked."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        (count,) = superuser.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").fetchone()
        if count:
            return
        assert thread.is_alive(), "it did not wait: %r" % (thread.error or thread.rows)
        time.sleep(0.02)
    raise AssertionError("nobody waits")


# ---- queues ----

TAKE = ["UPDATE k.queue SET state = 'taken', taken_by = %s, times = times + 1 WHERE id = "
        "(SELECT id FROM k.queue WHERE state = 'ready' ORDER BY prio DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id",
        "WITH n AS (SELECT id FROM k.queue WHERE state LIKE 'read_' ORDER BY id LIMIT 3 FOR UPDATE SKIP LOCKED) "
        "UPDATE k.queue q SET state = 'taken', taken_by = %s, times = times + 1 FROM n WHERE n.id = q.id RETURNING q.id"]


def work(stack, user, number, taken, problems):
    """A worker takes jobs until there are none: in one statement, or row by row in transactions."""
    try:
        with nurse(stack, user) as c:
            while True:
                if number % 3 < 2:
                    rows = c.execute(TAKE[number % 3], ("w%d" % number,)).fetchall()
                else:
                    with c.transaction():
                        rows = c.execute("SELECT * FROM k.queue WHERE state = 'ready' ORDER BY prio, id LIMIT 2 FOR UPDATE SKIP LOCKED").fetchall()
                        for row in rows:
                            c.execute("UPDATE k.queue SET state = 'taken', taken_by = %s, times = times + 1 WHERE id = %s", ("w%d" % number, row[0]))
                taken.extend((number, row[0]) for row in rows)
                if not rows:
                    return
    except Exception as error:  # noqa: BLE001 - it is shown by the test
        problems.append(repr(error))


def test_eight_workers_take_each_job_once(stack):
    with stack.superuser() as su:
        want = {1: [i for (i,) in su.execute("SELECT id FROM k.queue WHERE state = 'ready' AND ward IN (1, 2)").fetchall()],
                2: [i for (i,) in su.execute("SELECT id FROM k.queue WHERE state = 'ready' AND ward = 3").fetchall()]}
        others = su.execute("SELECT count(*) FROM k.queue WHERE state = 'ready' AND ward > 3").fetchone()
        taken, problems = [], []
        threads = [threading.Thread(target=work, args=(stack, "nurse1" if n < 6 else "nurse2", n, taken, problems)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not problems, problems
        assert len(want[1]) == 240 and len(want[2]) == 120
        assert sorted(i for n, i in taken if n < 6) == sorted(want[1])
        assert sorted(i for n, i in taken if n >= 6) == sorted(want[2])
        assert len({n for n, _ in taken}) > 4, "the workers did not work side by side"
        assert su.execute("SELECT count(*) FROM k.queue WHERE state = 'ready' AND ward > 3").fetchone() == others
        assert su.execute("SELECT count(*) FROM k.queue WHERE times > 1 OR (times = 1) <> (state = 'taken')").fetchone() == (0,)


# ---- what is asked again after a wait ----

ONE = "SELECT id, state, prio FROM k.jobs WHERE state = 'ready' AND code LIKE 'c%' ORDER BY id LIMIT 2 FOR UPDATE"
CHANGES = [
    ("ROLLBACK", "UPDATE {t} SET state = 'gone' WHERE id = {id}"),
    ("COMMIT", "UPDATE {t} SET state = 'gone' WHERE id = {id}"),     # no longer asked for: the next one comes instead
    ("COMMIT", "UPDATE {t} SET code = 'x' WHERE id = {id}"),         # the same, by a predicate that is asked above the guard
    ("COMMIT", "UPDATE {t} SET prio = 77 WHERE id = {id}"),          # as it is now
    ("COMMIT", "DELETE FROM {t} WHERE id = {id}"),
    ("COMMIT", "UPDATE {t} SET prio = 78 WHERE id = {id}; UPDATE {t} SET prio = 79 WHERE id = {id}"),
    ("COMMIT", "SELECT FROM {t} WHERE id = {id} FOR UPDATE"),
]


@pytest.mark.parametrize("end,change", CHANGES, ids=lambda v: v[:40])
@pytest.mark.parametrize("sql", [ONE, ONE.replace("UPDATE", "NO KEY UPDATE"), ONE.replace("UPDATE", "SHARE"),
                                 ONE.replace(" LIMIT 2", ""), ONE.replace("state = 'ready'", "state IN (SELECT 'ready'::text)"),
                                 "SELECT (SELECT id FROM k.jobs WHERE state = 'ready' AND code LIKE 'c%' ORDER BY id LIMIT 1 FOR UPDATE)"],
                         ids=["update", "no-key", "share", "all", "sub-select", "in-output"])
def test_row_changed_while_waiting_is_asked_again(sql, end, change, stack, oracle):
    """The same change on both sides, while the same statement waits for the row: PostgreSQL decides what comes back."""
    answers = []
    for name, holder, reader in (("mine", stack.superuser(), nurse(stack)),
                                 ("plain", stack.cluster.superuser(oracle), stack.cluster.superuser(oracle))):
        with holder, reader:
            (row,) = holder.execute("SELECT min(id) FROM k.jobs WHERE state = 'ready' AND ward IN (1, 2)").fetchone()
            keep = holder.execute("SELECT * FROM k.jobs WHERE id = %s", (row,)).fetchone()
            holder.execute("BEGIN")
            for part in change.format(t="k.jobs", id=row).split("; "):
                holder.execute(part)
            waiting = Waiting(reader, sql)
            with (stack.superuser() if name == "mine" else stack.cluster.superuser(oracle)) as su:
                until_waits(su, waiting)
            holder.execute(end)
            answers.append(waiting.result())
            reader.execute("ROLLBACK")
            holder.execute("DELETE FROM k.jobs WHERE id = %s", (row,))
            holder.execute("INSERT INTO k.jobs VALUES (%s)" % ", ".join(["%s"] * len(keep)), keep)
    assert answers[0] == answers[1]
    assert answers[0]


def test_row_hidden_while_waiting_is_left_out(stack):
    """It becomes another ward's: the next one comes instead, and nothing of it."""
    with stack.superuser() as holder, stack.superuser() as su, nurse(stack) as reader:
        (first, second) = [i for (i,) in holder.execute("SELECT id FROM k.jobs WHERE state = 'ready' AND ward IN (1, 2) ORDER BY id LIMIT 2").fetchall()]
        for ward, expected in ((4, second), (1, first)):
            (before,) = holder.execute("SELECT ward FROM k.jobs WHERE id = %s", (first,)).fetchone()
            holder.execute("BEGIN")
            holder.execute("UPDATE k.jobs SET ward = %s WHERE id = %s", (ward, first))
            waiting = Waiting(reader, ONE.replace("LIMIT 2", "LIMIT 1"))
            until_waits(su, waiting)
            holder.execute("COMMIT")
            rows = waiting.result()
            reader.execute("ROLLBACK")
            holder.execute("UPDATE k.jobs SET ward = %s WHERE id = %s", (before, first))
            assert [r[0] for r in rows] == [expected]


def test_row_whose_key_changes_while_waiting_is_left_out(stack):
    """Written in docs/sql-support.md: the one difference from a table."""
    with stack.superuser() as holder, stack.superuser() as su, nurse(stack) as reader:
        (first, second) = [i for (i,) in holder.execute("SELECT id FROM k.jobs WHERE state = 'ready' AND ward IN (1, 2) ORDER BY id LIMIT 2").fetchall()]
        holder.execute("BEGIN")
        holder.execute("UPDATE k.jobs SET id = id + 100000 WHERE id = %s", (first,))
        waiting = Waiting(reader, ONE.replace("LIMIT 2", "LIMIT 1"))
        until_waits(su, waiting)
        holder.execute("COMMIT")
        rows = waiting.result()
        reader.execute("ROLLBACK")
        holder.execute("UPDATE k.jobs SET id = %s WHERE id = %s", (first, first + 100000))
        assert [r[0] for r in rows] == [second]


def test_changed_row_under_repeatable_read_fails(stack):
    with stack.superuser() as holder, nurse(stack) as reader:
        (row,) = holder.execute("SELECT min(id) FROM k.jobs WHERE state = 'ready' AND ward IN (1, 2)").fetchone()
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM k.jobs")
        holder.execute("UPDATE k.jobs SET prio = prio WHERE id = %s", (row,))
        with pytest.raises(psycopg.Error) as error:
            reader.execute(ONE)
        assert error.value.sqlstate == "40001"
        reader.execute("ROLLBACK")
        with reader.transaction():
            assert reader.execute(ONE).fetchone()[0] == row


def test_read_only_transaction_locks_nothing(stack):
    with nurse(stack) as reader:
        for sql in (ONE, "SELECT id FROM k.free WHERE note LIKE 'note%' FOR SHARE", "SELECT id FROM k.jobs FOR KEY SHARE"):
            reader.execute("BEGIN READ ONLY")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                reader.execute(sql)
            reader.execute("ROLLBACK")
            assert reader.execute(sql).fetchall()


# ---- who can lock what at the same time ----

def test_locked_row_is_refused_with_nowait_and_skipped(stack):
    with nurse(stack) as first, nurse(stack) as second, nurse(stack, "nurse2") as other:
        first.execute("BEGIN")
        rows = first.execute("SELECT id FROM k.jobs WHERE state = 'ready' ORDER BY id LIMIT 2 FOR UPDATE").fetchall()
        with pytest.raises(psycopg.errors.LockNotAvailable) as error:
            second.execute("SELECT id FROM k.jobs WHERE state = 'ready' ORDER BY id LIMIT 2 FOR UPDATE NOWAIT")
        assert "pgvigil" not in str(error.value)
        skipped = second.execute("SELECT id FROM k.jobs WHERE state = 'ready' ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED").fetchall()
        assert skipped and not set(skipped) & set(rows)
        assert len(other.execute("SELECT id FROM k.jobs WHERE state = 'ready' ORDER BY id LIMIT 2 FOR UPDATE NOWAIT").fetchall()) == 2
        assert second.execute("SELECT id FROM k.jobs WHERE state = 'ready' ORDER BY id LIMIT 2").fetchall() == rows
        first.execute("COMMIT")
        assert second.execute("SELECT id FROM k.jobs WHERE state = 'ready' ORDER BY id LIMIT 2 FOR UPDATE NOWAIT").fetchall() == rows


def test_strengths_meet_as_in_postgresql(stack, oracle):
    """For each pair of strengths: does the second wait? Asked of PostgreSQL on the plain table."""
    strengths = ("UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE")
    text = "SELECT id FROM k.jobs WHERE state LIKE 'ready' ORDER BY id LIMIT 1 FOR %s NOWAIT"
    answers = []
    for one, two in ((nurse(stack), nurse(stack)), (stack.cluster.superuser(oracle), stack.cluster.superuser(oracle))):
        found = {}
        with one, two:
            for a in strengths:
                for b in strengths:
                    one.execute("BEGIN")
                    one.execute(text % a)
                    try:
                        found[a, b] = two.execute(text % b).fetchall()
                    except psycopg.errors.LockNotAvailable:
                        found[a, b] = "55P03"
                    one.execute("ROLLBACK")
        answers.append(found)
    assert answers[0] == answers[1]
    assert list(answers[0].values()).count("55P03") == 10


@pytest.mark.parametrize("sql", ["SELECT * FROM k.jobs FOR UPDATE", "SELECT * FROM k.jobs WHERE note LIKE 'n%' ORDER BY amount FOR UPDATE",
                                 "SELECT id FROM k.jobs ORDER BY id LIMIT 30 FOR SHARE", "SELECT id FROM k.parts WHERE label LIKE 'p%' FOR UPDATE"])
def test_hidden_rows_are_never_locked(sql, stack):
    """Whoever may see them can lock them all at the same time, and the session does not wait for their locks either."""
    hidden = {"k.jobs": "ward NOT IN (1, 2)", "k.parts": "region > 2"}
    table = re.search(r"k\.\w+", sql).group()
    with nurse(stack) as c, stack.superuser() as su:
        c.execute("BEGIN")
        assert len(c.execute(sql).fetchall()) > 10
        assert len(su.execute("SELECT * FROM %s WHERE %s FOR UPDATE NOWAIT" % (table, hidden[table])).fetchall()) > 10
        c.execute("ROLLBACK")
        su.execute("BEGIN")
        su.execute("SELECT * FROM %s WHERE %s FOR UPDATE" % (table, hidden[table]))
        assert len(c.execute(sql + " NOWAIT").fetchall()) > 10
        su.execute("ROLLBACK")


# ---- the protocol ----

def locked_jobs(su, table="k.jobs"):
    everything = {i for (i,) in su.execute("SELECT id FROM " + table).fetchall()}
    return everything - {i for (i,) in su.execute("SELECT id FROM %s FOR UPDATE SKIP LOCKED" % table).fetchall()}


def test_portal_with_a_row_limit_locks_as_it_is_read(stack):
    raw = wire.open_session(stack, "nurse1", **{"options": "-cpgvigil.mission=care"})
    with raw, stack.superuser() as su:
        raw.query("BEGIN")
        raw.send(wire.parse("SELECT id FROM k.jobs WHERE state = $1 AND code LIKE $2 ORDER BY id DESC LIMIT $3 FOR UPDATE", "s")
                 + wire.bind(("ready", "c%", "5"), portal="p", statement="s") + wire.execute("p", 2) + wire.SYNC)
        got = raw.until("Z")
        first = [int(r[0]) for r in wire.rows_of(got)]
        assert len(first) == 2 and any(kind == "s" for kind, _ in got)
        assert locked_jobs(su) == set(first)
        raw.send(wire.execute("p", 2) + wire.SYNC)
        second = [int(r[0]) for r in wire.rows_of(raw.until("Z"))]
        assert len(second) == 2 and locked_jobs(su) == set(first + second)
        raw.send(wire.execute("p", 0) + wire.SYNC)
        got = raw.until("Z")
        rest = [int(r[0]) for r in wire.rows_of(got)]
        assert wire.tag_of(got) == "SELECT 1" and locked_jobs(su) == set(first + second + rest)
        assert first + second + rest == sorted(first + second + rest, reverse=True)
        raw.query("COMMIT")
        assert not locked_jobs(su)


def test_prepared_statement_locks_for_whoever_runs_it(stack):
    """Parameters of WHERE, ORDER BY and LIMIT, run often enough for a generic plan."""
    with nurse(stack) as c, stack.superuser() as su:
        for n in range(1, 9):
            with c.transaction():
                rows = c.execute("SELECT id, prio + %s::int AS p FROM k.jobs WHERE state = %s AND amount > %s::numeric ORDER BY p NULLS FIRST, id LIMIT %s FOR UPDATE",
                                 (n, "ready", n * 5, n), prepare=True).fetchall()
                assert len(rows) == n and locked_jobs(su) == {r[0] for r in rows}
                expected = su.execute("SELECT id, prio + %s FROM k.jobs WHERE ward IN (1, 2) AND state = %s AND amount > %s ORDER BY prio + %s NULLS FIRST, id LIMIT %s",
                                      (n, "ready", n * 5, n, n)).fetchall()
                assert rows == expected


def test_cursor_locks_as_it_is_read(stack, oracle):
    """In SQL: what FETCH locks, and what PostgreSQL says of cursors that lock."""
    query = "SELECT id FROM k.jobs WHERE state = 'ready' AND code LIKE 'c%' ORDER BY prio, id FOR UPDATE"
    answers = []
    for c, su in ((nurse(stack), stack.superuser()), (stack.cluster.superuser(oracle), stack.cluster.superuser(oracle))):
        found = []
        with c, su:
            for declare in ("c CURSOR FOR", "c NO SCROLL CURSOR FOR", "c SCROLL CURSOR FOR", "c CURSOR WITH HOLD FOR", "c INSENSITIVE CURSOR FOR"):
                c.execute("BEGIN")
                try:
                    c.execute("DECLARE %s %s" % (declare, query))
                    for step in ("FETCH 2 FROM c", "FETCH FROM c", "MOVE 2 FROM c", "FETCH 1 FROM c", "FETCH BACKWARD 1 FROM c"):
                        rows = c.execute(step)
                        found.append((step, rows.fetchall() if rows.description else rows.statusmessage, sorted(locked_jobs(su))))
                except psycopg.Error as error:
                    found.append((declare, error.sqlstate))
                c.execute("ROLLBACK")
                assert not locked_jobs(su)
        answers.append(found)
    assert answers[0] == answers[1]
    assert len(answers[0]) == 13 and len(answers[0][3][2]) == 6


def test_copy_locks_what_it_returns(stack):
    query = "SELECT id FROM k.jobs WHERE state = 'ready' AND code LIKE 'c%' ORDER BY prio, id LIMIT 3 FOR UPDATE"
    with nurse(stack) as c, stack.superuser() as su:
        c.execute("BEGIN")
        rows = [r[0] for r in c.execute(query).fetchall()]
        c.execute("ROLLBACK")
        c.execute("BEGIN")
        with c.cursor().copy("COPY (%s) TO STDOUT" % query) as copy:
            assert [int(line) for line in b"".join(copy).split()] == rows
        assert locked_jobs(su) == set(rows)
        c.execute("ROLLBACK")
        with pytest.raises(psycopg.Error) as error:
            c.execute("COPY (SELECT id FROM k.removed FOR UPDATE) TO STDOUT")
        assert error.value.sqlstate == "42501"


def test_savepoint_gives_locks_back(stack):
    with nurse(stack) as c, stack.superuser() as su:
        c.execute("BEGIN")
        c.execute("SAVEPOINT a")
        assert c.execute(ONE).fetchall()
        assert locked_jobs(su)
        c.execute("ROLLBACK TO a")
        assert not locked_jobs(su)
        c.execute("ROLLBACK")


# ---- rights ----

def test_postgresql_wants_update_for_a_lock(stack):
    """Its own answer on a view, for roles with one right each: that is what the policy's `update` is asked for."""
    with stack.superuser() as su:
        su.execute("CREATE VIEW k.asked AS SELECT id, label FROM k.devices")
        try:
            found = {}
            for right in ("INSERT", "DELETE", "UPDATE (label)"):
                su.execute("CREATE ROLE lock_asker")
                su.execute("GRANT USAGE ON SCHEMA k TO lock_asker")
                su.execute("GRANT SELECT, %s ON k.asked TO lock_asker" % right)
                su.execute("SET ROLE lock_asker")
                for strength in ("UPDATE", "KEY SHARE"):
                    try:
                        su.execute("SELECT id FROM k.asked FOR " + strength)
                        found[right, strength] = "may"
                    except psycopg.errors.InsufficientPrivilege:
                        found[right, strength] = "may not"
                su.execute("RESET ROLE")
                su.execute("DROP OWNED BY lock_asker")
                su.execute("DROP ROLE lock_asker")
        finally:
            su.execute("RESET ROLE")
            su.execute("DROP VIEW k.asked")
    assert {r for (r, _), answer in found.items() if answer == "may"} == {"UPDATE (label)"}
    with nurse(stack) as c, stack.connect("reception1", mission="admission") as reception:
        for connection, sql in ((c, "SELECT id FROM k.removed FOR KEY SHARE"), (c, "SELECT id FROM k.wards FOR UPDATE"),
                                (reception, "SELECT id FROM k.jobs FOR SHARE"), (reception, "SELECT id FROM k.free WHERE id = 1 FOR UPDATE")):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not be locked"):
                connection.execute(sql)
        assert c.execute("SELECT id FROM k.devices FOR KEY SHARE").fetchall()


def test_lock_is_on_record_before_it_runs(stack):
    with nurse(stack) as c:
        c.execute("SELECT id FROM k.jobs WHERE state = 'recorded-value' ORDER BY prio LIMIT 1 FOR UPDATE")
        with pytest.raises(psycopg.Error):
            c.execute("SELECT id FROM k.removed FOR UPDATE")
    records = stack.audit_records()
    (begin,) = [r for r in records if r["type"] == "begin" and r.get("sql", "").startswith("SELECT id FROM k.jobs WHERE state = $1 ORDER BY prio LIMIT")]
    assert begin["statement"] == "SELECT" and begin["decision"] == "allow"
    (relation,) = begin["relations"]
    assert sorted(relation["shown"]) == ["id", "prio", "state"] and not relation.get("written")
    assert [r for r in records if r["type"] == "end" and r["begin"] == begin["seq"] and r["session"] == begin["session"]]
    refused = [r["refused"] for r in records if r.get("decision") == "deny" and r["session"] == begin["session"]]
    assert refused == ["lock k.removed"]
    assert "recorded-value" not in str(records)


# ---- plans ----

def nodes(plan, above=()):
    yield plan, above
    for inner in plan.get("Plans", ()):
        yield from nodes(inner, above + (plan,))


def sent(stack, sql):
    """The text that pgvigil would send."""
    done = stack.command("explain", "-c", stack.config_file, "--user", "nurse1", sql)
    text = re.search(r"(?ms)^sql +(.*)", done.stdout).group(1)
    return "\n".join(line.strip() for line in text.splitlines())


@pytest.mark.parametrize("sql,locks", [
    ("SELECT * FROM k.big WHERE state = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED", 1),
    ("SELECT * FROM k.big WHERE state = 'ready' ORDER BY state, id LIMIT 1 FOR UPDATE SKIP LOCKED", 1),
    ("SELECT * FROM k.big WHERE state = 'ready' AND prio = 1 ORDER BY prio, state DESC, id LIMIT 4 FOR UPDATE", 4),
    ("SELECT id FROM k.big WHERE state LIKE 're%' LIMIT 3 FOR UPDATE", 3),
    ("SELECT id FROM k.big WHERE ward IN (SELECT id FROM k.wards WHERE open) ORDER BY prio, id LIMIT 2 FOR UPDATE", 2),
    ("SELECT id FROM k.big b WHERE EXISTS (SELECT 1 FROM k.wards w WHERE w.id = b.ward AND w.label LIKE 'w%') ORDER BY abs(prio - 4) LIMIT 2 FOR UPDATE", 2),
    ("SELECT id FROM k.big WHERE id = 5 FOR UPDATE", 1),
])
def test_plan_locks_row_by_row(sql, locks, stack):
    """The keys are ordered below, each row is locked by its index, and nothing sorts or joins above the locks."""
    text = sent(stack, sql)
    with stack.superuser() as su:
        for setting in ("", "SET enable_nestloop = off", "SET plan_cache_mode = force_generic_plan", "SET enable_hashjoin = off; SET enable_sort = off"):
            su.execute("RESET ALL; SET search_path = ''; SET \"pgvigil.u_wards\" = '{1,2}'; " + setting)
            (plan,) = su.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + text).fetchone()
            plan = plan if isinstance(plan, list) else json.loads(plan)
            real = [(node, above) for node, above in nodes(plan[0]["Plan"])
                    if node["Node Type"] == "LockRows" and node["Plans"][-1].get("Relation Name") == "big"]
            assert len(real) == 1
            node, above = real[0]
            assert node["Actual Rows"] == 1 and node["Actual Loops"] == locks, plan
            assert node["Plans"][-1]["Node Type"] == "Index Scan"
            kinds = [n["Node Type"] for n in above]
            assert "Sort" not in kinds and "Incremental Sort" not in kinds and kinds.count("Nested Loop") == 1
            assert not {"Hash Join", "Merge Join", "Hash", "Materialize"} & set(kinds)
