"""Names that pgvigil itself uses on a server connection: a client who takes them harms nobody else who gets that connection."""
import pytest
import wire

OWN = ["pgvigil identity", "pgvigil refused", "pgvigil copy", "pgvigil "]


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(pool=1)  # one server connection for each worker: the next session has what the last one left


def answer(raw, *parts):
    raw.send(*parts, wire.SYNC)
    got = raw.until("Z")
    return wire.rows_of(got), (wire.error_of(got) or {}).get("C")


@pytest.mark.parametrize("name", OWN)
def test_portal_by_an_own_name_is_refused_and_the_mission_changes_all_the_same(stack, name):
    for _ in range(2):
        with wire.open_session(stack, "nurse1") as raw:
            raw.query("BEGIN")
            assert answer(raw, wire.parse("SELECT 1", name), wire.bind([], "p", name), wire.execute("p")) == ([(b"1",)], None)
            assert answer(raw, wire.bind([], name, name), wire.execute(name)) == ([], "42602")
            raw.query("ROLLBACK")
            raw.query("BEGIN")
            assert wire.error_of(raw.query('DECLARE "%s" CURSOR FOR SELECT 1' % name))["C"] == "42602"
            raw.query("ROLLBACK")
            raw.send(wire.bind([], name, name) + wire.parse("SET pgvigil.mission = 'admission'") + wire.bind() + wire.execute() + wire.parse("SELECT 2") + wire.bind()
                     + wire.execute() + wire.SYNC)
            assert wire.error_of(raw.until("Z"))["C"] == "42602"
    for user in ("nurse1", "nurse2") * 2:
        with wire.open_session(stack, user) as raw:
            assert wire.error_of(raw.query("BEGIN")) is None
            assert wire.error_of(raw.query("SET LOCAL pgvigil.reason = 'another identity, inside the transaction'")) is None
            assert wire.rows_of(raw.query("SELECT 40 + 2")) == [(b"42",)]
            assert wire.tag_of(raw.query("COMMIT")) == "COMMIT"


def test_identity_that_could_not_be_set_is_set_the_next_time(stack):
    """What the failed exchange left on the server connection does not stand in the way of the next one."""
    def timed_out(error):
        """Nothing else may come; each statement of such a transaction may be too slow on a busy machine, SAVEPOINT and ROLLBACK TO too."""
        assert error is None or error["C"] == "57014", error
        return error is not None

    def start(raw):
        raw.query("ROLLBACK")
        raw.query("BEGIN")
        return timed_out(wire.error_of(raw.query("SET LOCAL statement_timeout = '1ms'"))) or timed_out(wire.error_of(raw.query("SAVEPOINT s")))

    def again(what):
        return next(n for n in range(100) if not what())

    with wire.open_session(stack, "nurse1") as raw:
        again(lambda: start(raw))
        for n in range(200):
            if not timed_out(wire.error_of(raw.query("SET LOCAL pgvigil.reason = 'reason number %d'" % n))):
                timed_out(wire.error_of(raw.query("SELECT 1")))
            again(lambda: timed_out(wire.error_of(raw.query("ROLLBACK TO s"))))
        raw.query("ROLLBACK")
    for user in ("nurse1", "nurse2") * 2:
        with wire.open_session(stack, user) as raw:
            raw.query("BEGIN")
            raw.query("SET LOCAL pgvigil.reason = 'another identity, inside the transaction'")
            assert wire.rows_of(raw.query("SELECT 40 + 2")) == [(b"42",)]
            assert wire.tag_of(raw.query("COMMIT")) == "COMMIT"
