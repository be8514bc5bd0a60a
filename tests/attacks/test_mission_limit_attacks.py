"""A mission's limits against somebody who opens portals, names them anew and holds results: no row more than the policy says."""
import missions_walk
import pytest
import wire

POLICY = """
missions = ( { name = "twenty"; max_rows = 20; } );
roles = ( { name = "clerk"; missions = [ "twenty" ]; default = "twenty"; } );
rules = ( { roles = [ "clerk" ]; missions = [ "twenty" ]; tables = [ "public.patients" ]; columns = { admin = "show"; }; } );
users = ( { name = "clerk1"; auth = "scram"; secret = "%s"; roles = [ "clerk" ]; } );
""" % missions_walk.secret("clerk1")
QUESTION = "SELECT id FROM patients ORDER BY id LIMIT %d"


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_policy=[("80-limits.cfg", POLICY)])


def read(raw, *parts):
    """Rows and error of one group."""
    raw.send(*parts, wire.SYNC)
    got = raw.until("Z")
    return [int(r[0]) for r in wire.rows_of(got)], wire.error_of(got)


@pytest.mark.parametrize("again", [
    lambda n: wire.bind([], "other%d" % n, "q"), lambda n: wire.bind([], "", "q"), lambda n: wire.bind([], "other%d" % n, "q") + wire.execute("other%d" % n, 1),
    lambda n: wire.close("S", "q") + wire.parse(QUESTION % 600, "q"), lambda n: b""])
def test_portal_gives_no_more_rows_because_its_statement_is_bound_again(stack, again):
    with wire.open_session(stack, "clerk1") as raw:
        raw.query("BEGIN")
        rows, error = read(raw, wire.parse(QUESTION % 600, "q"), wire.bind([], "p", "q"), wire.execute("p", 15))
        assert rows == list(range(1, 16)) and error is None
        given = len(rows)
        for n in range(5):
            raw.send(again(n) + wire.FLUSH)
            rows, error = read(raw, wire.execute("p", 4))
            given += len([r for r in rows if r > 15])
            if error is not None:
                break
        assert given <= 20 and error["C"] == "54000" and "max_rows" in error["M"]


def test_portals_of_one_statement_have_their_rows_each(stack):
    with wire.open_session(stack, "clerk1") as raw:
        raw.query("BEGIN")
        assert read(raw, wire.parse(QUESTION % 20, "q"), *(wire.bind([], p, "q") for p in ("a", "b", ""))) == ([], None)
        for piece in (range(1, 16), range(16, 21)):
            for portal in ("a", "b"):
                assert read(raw, wire.execute(portal, 15)) == (list(piece), None)
        assert read(raw, wire.bind([], "", "q"), wire.execute()) == (list(range(1, 21)), None)
        # A portal that FETCH reads is the same one.
        assert read(raw, wire.parse(QUESTION % 600, "r"), wire.bind([], "f", "r"), wire.execute("f", 15)) == (list(range(1, 16)), None)
        assert read(raw, wire.bind([], "g", "r")) == ([], None)
        got = raw.query("FETCH 5 FROM f")
        assert [int(r[0]) for r in wire.rows_of(got)] == list(range(16, 21))
        error = wire.error_of(raw.query("FETCH 1 FROM f"))
        assert error["C"] == "54000" and "max_rows" in error["M"]


def test_request_in_flight_counts_for_the_portal_that_it_was_made_for(stack):
    """The name is another portal's before the rows of the first have come."""
    with wire.open_session(stack, "clerk1") as raw:
        raw.query("BEGIN")
        rows, error = read(raw, wire.parse(QUESTION % 600, "q"), *(wire.bind([], "", "q") + wire.execute("", 15) for _ in range(3)))
        assert error is None and rows == list(range(1, 16)) * 3
        rows, error = read(raw, *(wire.bind([], "", "q") + wire.execute("", 15) + wire.execute("", 15) for _ in range(3)))
        assert error["C"] == "54000" and rows == list(range(1, 16))
