"""
side_by_side.py: the same bytes to pgvigil, as a restricted user, and to PostgreSQL, where the tables are the views that the test
writes (oracle_schema.py); the answers must be equal, message by message.

A step is SQL text (a simple query) or bytes of the protocol that end in a Sync.
"""
import wire

IGNORED = "SNA"  # parameters, notices, notifications


def shown(kind, body):
    """What of a message must be equal: OIDs of views and hidden fields of errors are not."""
    if kind == "T":
        return [(c[0], c[3], c[6]) for c in wire.columns(body)]
    if kind == "D":
        return wire.row(body)
    if kind == "E":
        fields = wire.fields(body)
        return fields["S"], fields["C"], fields["M"], fields.get("P")
    return body


def answer(raw, step):
    raw.send(wire.query(step) if isinstance(step, str) else step)
    return [(kind, shown(kind, body)) for kind, body in raw.until("Z") if kind not in IGNORED]


def open_oracle(stack, database):
    """A session of PostgreSQL's own, as the superuser."""
    import harness
    raw = wire.Raw(stack.cluster.port, stack.tls_context())
    got = raw.login("postgres", database, harness.SUPER_PASSWORD)
    assert got[-1][0] == "Z", got
    return raw


class Both:
    """A session on each side."""

    def __init__(self, stack, oracle, user, **settings):
        self.mine = wire.open_session(stack, user, **settings)
        self.theirs = open_oracle(stack, oracle)
        self.answers = []

    def run(self, *steps):
        """Each step on both sides; fails at the first difference. The answers of the last step."""
        for step in steps:
            expected, got = answer(self.theirs, step), answer(self.mine, step)
            assert got == expected, step
            self.answers.append(got)
        return self.answers[-1]

    def close(self):
        self.mine.close()
        self.theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def extended(sql, values=(), portal="", rows=0, name="", describe=True, formats=()):
    """Parse, Bind, Describe, Execute; the caller adds the Sync."""
    return (wire.parse(sql, name) + wire.bind(values, portal, name, result_formats=formats) + (wire.describe("P", portal) if describe else b"")
            + wire.execute(portal, rows))
