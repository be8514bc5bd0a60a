"""
How a statement reaches the server: each is a way that clients have, and gives one Answer, that of the statement itself.

The same way is taken through pgvigil, in the twin and in the oracle. A cursor or COPY of what cannot be one must fail
alike. Rows have no order that the statement does not give them, so FETCH takes them all.
"""
import random
import re

from psycopg import pq

NUMERIC = 1700  # its type's OID
DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
NUMBER = re.compile(rb"(?<![\w.])-?\d+\.\d+(?![\w.])")


def plain(number):
    """1.50 and 1.5 are equal: which of them a DISTINCT or INTERSECT keeps is the plan's choice."""
    return number.rstrip(b"0").rstrip(b".") if b"." in number else number


def value_of(value, numeric, binary):
    if value is None or not numeric:
        return repr(value)
    return repr(value[:6] + value[8:] if binary else plain(value))  # without the display scale


class Answer:
    def __init__(self, result, binary=False):
        self.state = self.message = self.detail = None
        self.columns, self.rows, self.tag = [], [], b""
        if result.status in DONE:
            self.columns = [result.fname(i).decode() for i in range(result.nfields)]
            numeric = [result.ftype(i) == NUMERIC for i in range(result.nfields)]
            self.rows = sorted(tuple(value_of(result.get_value(r, i), numeric[i], binary) for i in range(result.nfields)) for r in range(result.ntuples))
            self.tag = result.command_status
        else:
            self.state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"?").decode()
            self.message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"?").decode()
            self.detail = result.error_field(pq.DiagnosticField.MESSAGE_DETAIL)

    def key(self):
        return self.state, self.columns, self.rows, self.tag

    def text(self):
        return "%s %s" % (self.state, self.message) if self.state else "%s, %d rows %r" % (self.tag.decode(), len(self.rows), self.rows[:3])


def run(raw, sql):
    return Answer(raw.exec_(sql.encode()))


def simple(raw, sql):
    return run(raw, sql)


def extended(raw, sql):
    return Answer(raw.exec_params(sql.encode(), []))


def binary(raw, sql):
    return Answer(raw.exec_params(sql.encode(), [], result_format=pq.Format.BINARY), binary=True)


def named(raw, sql):
    """A prepared statement of the protocol."""
    parsed = raw.prepare(b"proof", sql.encode())
    answer = Answer(raw.exec_prepared(b"proof", [])) if parsed.status in DONE else Answer(parsed)
    if parsed.status in DONE:
        run(raw, "DEALLOCATE proof")
    return answer


def prepare(raw, sql):
    """SQL's own."""
    answer = run(raw, "PREPARE proof AS " + sql)
    if answer.state is None:
        answer = run(raw, "EXECUTE proof")
        run(raw, "DEALLOCATE proof")
    return answer


def block(raw, sql):
    """A text of several statements."""
    raw.send_query(("BEGIN; %s; COMMIT" % sql).encode())
    results = []
    while (result := raw.get_result()) is not None:
        results.append(Answer(result))
    wrong = [r for r in results if r.state is not None]
    if wrong:
        run(raw, "ROLLBACK")
    return wrong[0] if wrong else results[1]


def savepoint(raw, sql):
    """Done, undone, and done again."""
    run(raw, "BEGIN")
    run(raw, "SAVEPOINT proof")
    first = run(raw, sql)
    run(raw, "ROLLBACK TO proof")
    second = run(raw, sql)
    run(raw, "COMMIT")
    if first.key() != second.key():
        first.state, first.message = first.state or "?", "not the same when done again: %s" % second.text()
    return first


def cursor(raw, sql):
    run(raw, "BEGIN")
    answer = run(raw, "DECLARE proof CURSOR FOR " + sql)
    if answer.state is None:
        answer = run(raw, "FETCH ALL FROM proof")
        run(raw, "CLOSE proof")
    run(raw, "COMMIT")
    return answer


def scroll(raw, sql):
    """Read to its end, taken back, and read again."""
    run(raw, "BEGIN")
    answer = run(raw, "DECLARE proof SCROLL CURSOR FOR " + sql)
    if answer.state is None:
        first = run(raw, "FETCH ALL FROM proof")
        moved = run(raw, "MOVE BACKWARD ALL IN proof")
        answer = run(raw, "FETCH FORWARD ALL FROM proof")
        answer.tag += b" " + moved.tag + b" " + first.tag
    run(raw, "COMMIT")
    return answer


def copied(raw, sql, options):
    started = raw.exec_(("COPY (%s) TO STDOUT (%s)" % (sql, options)).encode())
    if started.status != pq.ExecStatus.COPY_OUT:
        return Answer(started)
    rows = []
    while True:
        size, data = raw.get_copy_data(0)
        if size <= 0:
            break
        rows.append((repr(NUMBER.sub(lambda m: plain(m.group()), bytes(data))),))
    answer = Answer(raw.get_result())
    while raw.get_result() is not None:
        pass
    answer.rows = sorted(rows)
    return answer


def copy_text(raw, sql):
    return copied(raw, sql, "FORMAT text")


def copy_csv(raw, sql):
    return copied(raw, sql, "FORMAT csv, FORCE_QUOTE *")


def copy_in(raw, sql, data):
    """COPY FROM STDIN."""
    started = raw.exec_(sql.encode())
    if started.status != pq.ExecStatus.COPY_IN:
        return Answer(started)
    raw.put_copy_data(data.encode())
    raw.put_copy_end()
    answer = Answer(raw.get_result())
    while raw.get_result() is not None:
        pass
    answer.tag = answer.tag.replace(b"COPY", b"INSERT 0")
    return answer


READS = (simple, extended, simple, extended, binary, named, prepare, block, savepoint, cursor, scroll, copy_text, copy_csv)
WRITES = (simple, extended, simple, extended, binary, named, prepare, block, savepoint, copy_text)


def choose(seed, kind):
    return random.Random(seed).choice(WRITES if kind == "write" else READS)
