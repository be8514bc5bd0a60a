"""
Non-interference: two databases that differ only in what a session may not see answer hostile statements alike, byte for byte up
to row order: rows, command tags, SQLSTATEs, messages, notices. And no hidden value (a canary stands in each hidden cell) is in
any byte that arrives.
"""
import re

import pytest
import twins_schema
import wire
from hostile_statements import EXISTENCE, HOSTILE
from twin_answers import Session, ask_both, names_of, normal, open_sessions

PAIRS = {"nurse": ("nurse1", "care"), "receptionist": ("reception1", "admission"), "researcher": ("research1", "research")}


@pytest.fixture(scope="module")
def twins(make_stack):
    """One pgvigil before six databases: the twins of each pair."""
    names = ["%s_%s" % (pair, twin) for pair in PAIRS for twin in "ab"]
    return make_stack(databases=names, changes={"%s_%s" % (p, t): twins_schema.twin_sql(p, t) for p in PAIRS for t in "ab"})


@pytest.fixture(scope="module")
def sessions(twins):
    made = open_sessions(twins, PAIRS)
    yield made
    for session in made.values():
        session.close()


@pytest.mark.parametrize("number", range(len(HOSTILE)), ids=lambda n: "%d-%s" % (n, HOSTILE[n][1][:55]))
def test_twins_answer_alike(number, twins, sessions):
    expect, sql = HOSTILE[number]
    for pair in PAIRS:
        for extended in (False, True):
            first = ask_both(twins, sessions, pair, sql, extended)
            if pair == "nurse":
                error = wire.error_of(first)
                if expect == "ok":
                    assert error is None, error
                if expect == "refused":
                    assert error is not None, "answered %r" % (first[:3],)
                    assert error["C"] != "XX000", error
        assert twins.proxy.alive()


@pytest.mark.parametrize("sql", EXISTENCE)
def test_hidden_name_is_refused_whether_it_exists_or_not(sql, sessions):
    for pair in PAIRS:
        for twin in "ab":
            error = wire.error_of(sessions[pair, twin].ask(sql, True))
            assert error and error["C"] in ("42501", "42P01", "42703"), error
            assert b"ZZCANARY" not in sessions[pair, twin].last and "D" not in error


def test_there_are_enough_hostile_statements():
    assert len({sql for _, sql in HOSTILE}) >= 200
    assert sum(1 for expect, _ in HOSTILE if expect == "ok") >= 25


def test_the_twins_do_differ(twins):
    """The comparison can fail: who sees everything gets different answers from the twins for many of the statements."""
    different, canaries = 0, 0
    sessions = [Session(twins, "admin1", "nurse_" + twin, None) for twin in "ab"]
    for _, sql in HOSTILE:
        if not re.match(r"\s*(SELECT|TABLE|EXPLAIN SELECT)", sql) or re.search(
                r"backend|pg_sleep|switch_wal|promote|reload|INTO|activity|lo_|nextval|set_config|reset|FOR UPDATE|emit", sql):
            continue
        first, second = (s.ask(sql, False) for s in sessions)
        if normal(first, names_of(twins, "nurse")) != normal(second, names_of(twins, "nurse")):
            different += 1
        if any(c in s.last.lower() for s in sessions for c in twins_schema.CANARIES[:3]):
            canaries += 1
    for session in sessions:
        session.close()
    assert different >= 60 and canaries >= 20, (different, canaries)


def test_visible_rows_are_there(twins, sessions):
    """Not a comparison of nothing: each pair sees rows in both twins, and the nurse fewer than there are."""
    for pair in PAIRS:
        counts = [int(wire.rows_of(sessions[pair, t].ask("SELECT count(*) FROM patients", False))[0][0]) for t in "ab"]
        assert counts[0] == counts[1] > 50
        with twins.superuser(pair + "_b") as c:
            (whole,) = c.execute("SELECT count(*) FROM patients").fetchone()
        if pair == "receptionist":
            assert counts[1] == whole
        else:
            assert counts[1] < whole
