"""
Names of prepared statements, portals and cursors that PostgreSQL and pgvigil might take for different things: what runs
must be what is on record.
"""
import pytest

import wire

LONG = "A" * 63
SECRET = "SELECT family_name FROM patients ORDER BY id LIMIT 2"
OTHER = "SELECT 'harmless'"


def answer(raw, *parts):
    raw.send(b"".join(parts) + wire.SYNC)
    return raw.until("Z")


def test_portals_that_differ_behind_63_bytes(stack):
    """PostgreSQL knows both by one name: the second, bound after the first was closed by that name, ran as the first."""
    with wire.open_session(stack, "dr.martin") as raw:
        raw.query("BEGIN")
        refused = wire.error_of(answer(raw, wire.parse(OTHER, "one"), wire.bind((), LONG + "x", "one")))
        assert refused["C"] == "42622"
        raw.query("ROLLBACK")
        raw.query("BEGIN")
        answer(raw, wire.parse(SECRET, "two"), wire.bind((), LONG, "two"))
        for message in (wire.execute(LONG + "x"), wire.describe("P", LONG + "x"), wire.close("P", LONG + "x")):
            raw.query("SAVEPOINT s")
            messages = answer(raw, message)
            assert wire.error_of(messages)["C"] == "42622" and wire.rows_of(messages) == []
            raw.query("ROLLBACK TO s")


def test_a_portal_of_63_bytes_is_a_portal(stack):
    with wire.open_session(stack, "dr.martin") as raw:
        messages = answer(raw, wire.parse(OTHER, LONG), wire.bind((), LONG, LONG), wire.describe("P", LONG),
                          wire.execute(LONG), wire.close("P", LONG), wire.close("S", LONG))
        assert wire.error_of(messages) is None and wire.rows_of(messages) == [(b"harmless",)]


@pytest.mark.parametrize("user", ["dr.martin", "admin1"])
def test_statements_that_differ_behind_63_bytes(stack, user):
    with wire.open_session(stack, user) as raw:
        for messages in (answer(raw, wire.parse(OTHER, LONG + "x")), answer(raw, wire.bind((), "", LONG + "x")),
                         answer(raw, wire.describe("S", LONG + "x")), answer(raw, wire.close("S", LONG + "x"))):
            assert wire.error_of(messages)["C"] == "42622"
        assert wire.rows_of(raw.query(OTHER)) == [(b"harmless",)]


@pytest.mark.parametrize("together", [False, True], ids=["one-by-one", "pipelined"])
@pytest.mark.parametrize("drop", ["DEALLOCATE p", "DEALLOCATE PREPARE p", "DEALLOCATE ALL", "DISCARD ALL"])
def test_a_name_that_sql_has_given_to_another_text(stack, drop, together):
    """An unrestricted client's names are the server's, and SQL may give one away: it ran as what Parse had said."""
    with wire.open_session(stack, "admin1") as raw:
        assert wire.error_of(answer(raw, wire.parse(OTHER, "p"))) is None
        again = wire.bind((), "", "p") + wire.execute() + wire.SYNC
        texts = (drop, "PREPARE p AS " + SECRET)
        if together:
            raw.send(b"".join(wire.query(text) for text in texts) + again)
            messages = raw.until("Z") + raw.until("Z") + raw.until("Z")
        else:
            messages = [m for text in texts for m in raw.query(text)]
            raw.send(again)
            messages += raw.until("Z")
        assert wire.rows_of(messages) == [], "it would be on record as " + OTHER
        assert wire.error_of(messages)["C"] == "34000"
        assert len(wire.rows_of(raw.query("EXECUTE p"))) == 2
        assert wire.error_of(answer(raw, wire.parse(OTHER, "q"))) is None
        assert wire.rows_of(answer(raw, wire.bind((), "", "q"), wire.execute())) == [(b"harmless",)]
