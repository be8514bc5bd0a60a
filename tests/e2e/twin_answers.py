"""
Twin databases, "PAIR_a" and "PAIR_b", that are asked the same: sessions that log in again, answers made comparable, what neither may tell.
"""
import re

import twins_schema
import wire


class Session:
    """A raw session that logs in again when it was ended."""

    def __init__(self, stack, user, database, mission):
        self.stack, self.user, self.database, self.mission = stack, user, database, mission
        self.raw = None
        self.last = b""  # what came for the last statement

    def ask(self, sql, extended):
        if self.raw is None:
            more = {"options": "-cpgvigil.mission=" + self.mission} if self.mission else {}
            self.raw = wire.open_session(self.stack, self.user, self.database, **more)
        start = len(self.raw.received)
        try:
            messages = self.raw.extended(sql) if extended else self.raw.query(sql)
        except wire.Closed:
            messages = [("closed", b"")]
        self.last = bytes(self.raw.received[start:])
        if messages[-1][0] == "closed":
            self.raw = None
        return messages

    def close(self):
        if self.raw:
            self.raw.close()


def normal(messages, names):
    """Messages to compare: rows sorted, database names made equal; rows before an error are a matter of their order."""
    failed = wire.error_of(messages) is not None

    def neutral(data):
        return re.sub(names, b"DATABASE", data)

    rest, rows = [], []
    for kind, body in messages:
        if kind == "D":
            rows.append(tuple(None if v is None else neutral(v) for v in wire.row(body)))
        elif kind == "d":  # a line, or a tuple, of COPY
            rows.append((neutral(body),))
        elif kind in "EN":
            rest.append((kind, {k: neutral(v.encode()) for k, v in wire.fields(body).items()}))
        elif kind == "T":
            rest.append((kind, wire.columns(body)))
        else:
            rest.append((kind, body))
    return rest, [] if failed else sorted(rows, key=repr)


def names_of(twins, pair):
    every = [n for t in "ab" for n in ("%s_%s" % (pair, t), twins.databases["%s_%s" % (pair, t)])]
    return b"|".join(re.escape(n.encode()) for n in sorted(every, key=len, reverse=True))


def open_sessions(twins, pairs):
    """{(pair, twin): session}; `pairs`: {pair: (user, mission)}."""
    return {(pair, twin): Session(twins, user, "%s_%s" % (pair, twin), mission) for pair, (user, mission) in pairs.items() for twin in "ab"}


def ask_both(twins, sessions, pair, sql, extended):
    """What the first twin answers, which is what the second does; and no hidden value comes out of either."""
    both = [sessions[pair, twin] for twin in "ab"]
    answers = [session.ask(sql, extended) for session in both]
    names = names_of(twins, pair)
    assert normal(answers[0], names) == normal(answers[1], names), "%s, %s" % (pair, "extended" if extended else "simple")
    for session in both:
        for canary in twins_schema.CANARIES:
            # what the client itself wrote may come back in an error's text
            if canary in session.last.lower() or canary in session.last:
                assert canary in sql.lower().encode(), "%s: %r came out" % (pair, canary)
    return answers[0]
