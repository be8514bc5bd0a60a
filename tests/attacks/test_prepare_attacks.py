"""PREPARE, EXECUTE and long texts against somebody who wants pgvigil to work without end, or names to come back that others were judged without."""
import pytest
import wire

FAILS = wire.parse("SELECT $1::int") + wire.bind(["x"]) + wire.execute()


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(pool=2)


@pytest.mark.parametrize("again", [lambda raw: raw.send(wire.bind([], "", "p1") + wire.execute() + wire.SYNC), lambda raw: raw.send(wire.query("EXECUTE p1")),
                                   lambda raw: raw.send(wire.query("EXECUTE p2")), lambda raw: raw.send(wire.describe("S", "p1") + wire.SYNC),
                                   lambda raw: raw.send(wire.parse("EXECUTE p1") + wire.SYNC)])
def test_two_statements_that_execute_each_other_are_no_endless_work(stack, again):
    """A stack that runs over ends pgvigil for everybody; one that does not yet holds everybody of the same event loop."""
    pid = stack.proxy.pid
    with wire.open_session(stack, "nurse1") as raw:
        raw.send(wire.parse("SELECT 1", "p1") + wire.parse("EXECUTE p1", "p2") + wire.SYNC)
        assert wire.error_of(raw.until("Z")) is None
        # p1 executes a p2 that a failed group takes back; the p2 that returns executes p1.
        raw.send(FAILS + wire.close("S", "p2") + wire.parse("SELECT 4711 AS fresh", "p2") + wire.SYNC + wire.close("S", "p1") + wire.parse("EXECUTE p2", "p1") + wire.SYNC)
        assert wire.error_of(raw.until("Z"))["C"] == "22P02" and wire.error_of(raw.until("Z")) is None
        raw.query("SET search_path = public, app")  # all are judged again
        again(raw)
        assert wire.error_of(raw.until("Z"))["C"] == "0A000"
        assert wire.rows_of(raw.query("SELECT 40 + 2")) == [(b"42",)]
        # What they are allowed to execute they do.
        raw.query("DEALLOCATE ALL")
        raw.query("PREPARE p1 AS SELECT 43")
        raw.query("SET search_path = public")
        assert wire.rows_of(raw.query("EXECUTE p1")) == [(b"43",)]
    assert stack.proxy.alive() and stack.proxy.pid == pid


@pytest.mark.parametrize("count", [1, 63, 64, 65, 3000])
def test_text_of_many_parts_is_answered_to_its_end_and_errors_point_into_it(stack, count):
    """Parts that pgvigil answers itself give way to other sessions now and then, and go on."""
    part = "SHOW pgvigil.role /* \xe9 */; "
    with wire.open_session(stack, "nurse1") as raw, wire.open_session(stack, "nurse2") as other:
        raw.query("BEGIN")
        raw.send(wire.query(part * count + "SELECT nothing_of_that_name"))
        assert wire.rows_of(other.query("SELECT 40 + 2")) == [(b"42",)]
        got = raw.until("Z")
        assert wire.rows_of(got) == [(b"nurse",)] * count
        error = wire.error_of(got)
        assert error["C"] == "42703" and int(error["P"]) == len(part * count + "SELECT ") + 1
        raw.query("ROLLBACK")
        got = raw.query(part * count + "SELECT 40 + 2")
        assert wire.error_of(got) is None and wire.rows_of(got) == [(b"nurse",)] * count + [(b"42",)]
