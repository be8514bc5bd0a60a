"""
COPY FROM STDIN by restricted roles: what it does to the tables, its tag and its errors are those of PostgreSQL's own COPY into the table
(write_schema.py), for rows that the pair may write; what it may not is refused, and changes nothing.
"""
import os
import time

import pytest
import wire
import write_schema
from psycopg import pq
from test_write_oracle import contents

PAIRS = {"nurse": ("nurse1", "care"), "receptionist": ("reception1", "admission")}

# (pair, table and columns, options, data): PostgreSQL copies the same into raw.<table>, or into what is named second
COPIES = [
    ("nurse", "persons (ward, name)", "", "1\tA\n2\tB\n1\t\\N\\\\C\n"),
    ("nurse", "persons (name)", "", "default ward\nanother\n"),
    ("nurse", "persons (id, name, ward)", "(FORMAT csv, HEADER)", "id,name,ward\n9001,\"quoted, \"\"x\"\"\",1\n9002,\"two\nlines\",2\n"),
    ("nurse", "persons (name, phone, code, state, tags, info, amount)", "(FORMAT csv, NULL 'nil')",
     "I,nil,ZZ9,done,\"{a,b}\",\"{\"\"x\"\": [1, 2]}\",12.5\nJ,06,AA1,new,{},nil,0\n"),
    ("nurse", 'persons ("name", "ward")', "CSV HEADER DELIMITER AS ';' QUOTE AS '''' ESCAPE AS '\\'", "name;ward\n'a\\'b;c';2\n"),
    ("nurse", "persons(name,ward)", "(HEADER match)", "name\tward\nX\t1\n"),
    ("nurse", "persons (name, ward)", "(FORMAT csv, HEADER match)", "ward,name\n1,X\n"),
    ("nurse", "persons (name, phone)", "(FORMAT csv, FORCE_NULL (phone))", "N1,\"\"\nN2,x\n"),
    ("nurse", "persons (name, phone)", "(FORMAT csv, FORCE_NOT_NULL (phone))", "M1,\nM2,x\n"),
    ("nurse", "persons (name, phone)", "(FORMAT csv, FORCE_NULL (ward))", "N1,\n"),
    ("nurse", "persons (name, phone)", "(FORMAT csv, FORCE_NULL (nosuch))", "N1,\n"),
    ("nurse", "persons (name)", "(FORMAT csv, ENCODING 'utf8')", "Été çà et là\n"),
    ("nurse", "persons (name)", "", ""),
    ("nurse", "persons (name)", "", "no newline at the end"),
    ("nurse", "persons (name)", "", "before the end\n\\.\n"),
    ("nurse", "persons (name)", "DELIMITERS '|'", "old\n"),
    ("nurse", ("items", "items (id, region, label)"), "", "301\t1\tx\n302\t2\t\\N\n"),
    ("nurse", "items_1 (id, region)", "", "311\t1\n"),
    ("nurse", "items_1 (id, region)", "", "312\t2\n"),
    ("nurse", "items (label, region, id)", "(FORMAT csv)", "a,1,321\nb,2,322\n"),
    ("nurse", 'visits (person, note, at, "Mixed Case", id)', "", "4\tn\t2025-01-01\tM\t7000\n4\tn\t2025-01-02\tM\t7001\n"),
    ("nurse", "visits", "", "7002\t4\tn\t2025-01-05\tM\n"),
    ("nurse", "visits (person, note, at)", "", "4\tn\t2025-01-03\n8\tn\t2025-01-04\n"),
    ("nurse", '"Odd Name"', "", "50\tfifty\t5\n51\t\\N\t\\N\n"),
    ("nurse", '"Odd Name" ("été", "Id")', "(FORMAT csv)", "1,60\n,61\n"),
    ("nurse", 'U&"Odd!0020Name" UESCAPE \'!\' ("select", "Id")', "", "s\t70\n"),
    ("receptionist", "persons (name, nir, phone, ward)", "", "R\tNIRX\t06\t3\n"),
    ("receptionist", "persons (name)", "(FORMAT csv)", "S\n"),
    ("receptionist", "visits (person, at)", "", "4\t2026-01-01\n"),
    # errors of the data
    ("nurse", "persons (name, ward)", "", "A\t1\nB\tx\n"),
    ("nurse", "persons (name, ward)", "", "A\t1\nB\n"),
    ("nurse", "persons (name, ward)", "", "A\t1\nB\t2\t3\n"),
    ("nurse", "persons (name, ward)", "(FORMAT csv)", "A,1\n\"B,2\n"),
    ("nurse", "persons (name, code)", "", "A\tAA1\nB\tbad code\n"),
    ("nurse", "persons (name, state)", "", "A\topen\nB\tnosuch\n"),
    ("nurse", "persons (name, tags)", "", "A\t{a}\nB\t{a\n"),
    ("nurse", "persons (name, info)", "", "A\t{}\nB\t{x}\n"),
    ("nurse", "persons (name, amount)", "", "A\t1\nB\t12345678901\n"),
    ("nurse", "persons (name, ward)", "(FORMAT binary)", "not binary"),
    ("nurse", "persons (name, ward)", "(FORMAT csv, HEADER match)", "name,nosuch\n"),
    ("nurse", "persons (name)", "", b"\xff\xfe\n"),
    ("nurse", "persons (name)", "", b"a\0b\n"),
    # errors of the table
    ("nurse", "persons (ward)", "", "1\n"),
    ("nurse", "persons (name, amount)", "", "A\t1\nB\t-1\n"),
    ("nurse", "persons (id, name)", "", "9001\tagain\n"),
    ("nurse", "visits (person, at)", "", "4\t2025-01-03\n"),
    ("nurse", "items (id, region)", "", "1\t\\N\n"),
    ("receptionist", "visits (person, at)", "", "99999\t2026-02-02\n"),
    ("receptionist", "persons (name, nir)", "", "A\tNIR5\n"),
    # errors of the options
    ("nurse", "persons (name)", "(FORMAT nosuch)", ""),
    ("nurse", "persons (name)", "(DELIMITER 'xx')", ""),
    ("nurse", "persons (name)", "(FORMAT csv, FORMAT csv)", ""),
    ("nurse", "persons (name)", "(FORMAT binary, DELIMITER ',')", ""),
    ("nurse", "persons (name)", "(FORCE_NULL (name))", ""),
]

DENIED = [
    ("nurse", "w.persons (name, nir) FROM STDIN"), ("nurse", "w.persons (name, secret) FROM STDIN"), ("nurse", "w.persons (name, version) FROM STDIN"),
    ("nurse", "w.persons (name, lot) FROM STDIN"), ("nurse", "w.persons (name, born) FROM STDIN"), ("nurse", "w.persons (name, ticket) FROM STDIN"),
    ("nurse", "w.persons (name, twice) FROM STDIN"), ("nurse", "w.persons FROM STDIN"), ("nurse", "w.devices FROM STDIN"), ("nurse", "w.devices (id, ward) FROM STDIN"),
    ("nurse", "w.pumps (id, ward) FROM STDIN"), ("nurse", "w.log (who) FROM STDIN"), ("nurse", "w.nosuch FROM STDIN"), ("nurse", "w.persons (nosuch) FROM STDIN"),
    ("nurse", "w.persons (name, ctid) FROM STDIN"), ("nurse", "w.persons (persons) FROM STDIN"), ("nurse", "w.persons (name, name) FROM STDIN"),
    ("nurse", "patients (id) FROM STDIN"), ("nurse", "staff_salaries FROM STDIN"), ("nurse", "pg_class FROM STDIN"), ("nurse", "ward_occupancy FROM STDIN"),
    ("nurse", 'pg_temp."pgvigil copy" FROM STDIN'), ("nurse", '"pgvigil copy" FROM STDIN'), ("nurse", 'w."persons) FROM STDIN; --" FROM STDIN'),
    ("nurse", 'w.persons ("name) FROM STDIN; DROP TABLE w.log; --") FROM STDIN'),
    ("receptionist", "w.persons (name, code) FROM STDIN"), ("receptionist", "w.visits (id, person) FROM STDIN"), ("receptionist", "w.items (id, label) FROM STDIN"),
    ("nurse", "w.persons (name) FROM '/etc/passwd'"), ("nurse", "w.persons (name) FROM ''"), ("nurse", "w.persons (name) FROM PROGRAM 'id'"),
    ("nurse", "w.persons (name) FROM STDIN (FREEZE)"), ("nurse", "w.persons (name) FROM STDIN WHERE name <> 'x'"), ("nurse", "w.persons (name) FROM STDIN (ENCODING 'LATIN1')"),
    ("nurse", "w.persons (name) FROM STDIN (FORCE_QUOTE *)"), ("nurse", "w.persons (name) FROM STDIN (nosuch 1)"), ("nurse", "w.persons (name) FROM STDIN FREEZE"),
]


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(databases=tuple(PAIRS), extra_sql=write_schema.EXTRA_SQL, extra_policy=[("90-write.cfg", write_schema.POLICY)], pool=2)


class Pair:
    """A session, its database, and a database that held the same, whose tables are in the schema raw."""

    def __init__(self, stack, pair):
        user, mission = PAIRS[pair]
        self.user, self.database = user, pair
        self.name = "copy_oracle_" + pair
        stack.cluster.create(self.name, stack.cluster.template(extra_sql=write_schema.EXTRA_SQL), write_schema.oracle_sql(pair))
        self.session = stack.connect(user, database=pair, mission=mission)
        self.mine = stack.superuser(pair)
        self.oracle = stack.cluster.superuser(self.name)

    def even(self):
        """Numbers that a failed COPY drew are gone, on each side others: from here on the sequences go on alike."""
        sql = "SELECT c.relname, pg_sequence_last_value(c.oid) FROM pg_class c WHERE c.relkind = 'S' AND c.relnamespace = %s::regnamespace"
        for name, value in self.mine.execute(sql, ("w",)).fetchall():
            if value is not None:
                self.oracle.execute("SELECT setval(format('raw.%%I', %s::text)::regclass, %s)", (name, value))

    def close(self):
        for connection in (self.session, self.mine, self.oracle):
            connection.close()


@pytest.fixture(scope="module")
def pairs(stack):
    made = {}

    def get(pair):
        if pair not in made:
            made[pair] = Pair(stack, pair)
        return made[pair]

    yield get
    for one in made.values():
        one.close()
        stack.cluster.drop(one.name)


def copy_in(connection, sql, data=b"", pieces=1, fail=None):
    """(SQLSTATE, message, context, tag, formats of CopyInResponse or None)."""
    raw = connection.pgconn
    result = raw.exec_(sql.encode() if isinstance(sql, str) else sql)
    shape = None
    if result.status == pq.ExecStatus.COPY_IN:
        shape = result.binary_tuples, [result.fformat(i) for i in range(result.nfields)]
        data = data.encode() if isinstance(data, str) else data
        size = max(1, -(-len(data) // pieces))
        for at in range(0, len(data), size):
            raw.put_copy_data(data[at:at + size])
        raw.put_copy_end(fail)
        result = raw.get_result()
        assert raw.get_result() is None
    if result.status == pq.ExecStatus.COMMAND_OK:
        return None, None, None, result.command_status.decode(), shape

    def field(which):
        value = result.error_field(which)
        return value.decode(errors="replace") if value else None

    return field(pq.DiagnosticField.SQLSTATE), field(pq.DiagnosticField.MESSAGE_PRIMARY), field(pq.DiagnosticField.CONTEXT), None, shape


def place(context):
    """COPY t, line n[, column c], without the value."""
    lines = [line.split(":")[0] for line in (context or "").split("\n") if line.startswith("COPY ")]
    return lines[0] if lines else None


def label(case):
    return " ".join(str(part) for part in case[:3])[:70] if isinstance(case, tuple) else str(case)


seen = {"rows": 0, "data": 0, "table": 0}


@pytest.mark.parametrize("case", COPIES, ids=label)
def test_copy_does_what_postgresql_does(case, pairs):
    pair, table, options, data = case
    table, theirs = table if isinstance(table, tuple) else (table, table)
    one = pairs(pair)
    pieces = 1 + 6 * (COPIES.index(case) % 2)  # CopyData may end anywhere
    before = contents(one.mine, "w")
    one.even()
    assert before == contents(one.oracle, "raw")
    expected = copy_in(one.oracle, "COPY raw.%s FROM STDIN %s" % (theirs, options), data, pieces)
    got = copy_in(one.session, "COPY w.%s FROM STDIN %s" % (table, options), data, pieces)
    assert got[0] == expected[0] and got[3:] == expected[3:], (got, expected)
    if expected[0] is not None:
        assert got[1].replace("w.", "") == expected[1].replace("raw.", ""), (got, expected)
        assert "pgvigil" not in str(got) and "S3CR3T" not in str(got)
        of_data = expected[0] in ("22P02", "22P04", "22021", "22003", "23514") and "check constraint" not in expected[1].replace("domain", "")
        if got[2] is not None:
            assert got[2] == place(expected[2]), (got, expected)
            seen["data"] += 1
        else:
            assert expected[2] is None or not of_data or expected[0].startswith("23"), (got, expected)
            seen["table"] += 1
        assert contents(one.mine, "w") == before
    else:
        seen["rows"] += int(expected[3].split()[1])
    assert contents(one.mine, "w") == contents(one.oracle, "raw")


def test_the_copies_wrote_something():
    if sum(seen.values()) < 50:
        pytest.skip("only a part of this file was run")
    assert seen["rows"] >= 35 and seen["data"] >= 12 and seen["table"] >= 14, seen


def test_binary_format(pairs):
    one = pairs("nurse")
    raw = one.oracle.pgconn
    raw.exec_(b"COPY (SELECT 'bin' || n, 1 + n % 2, ARRAY['a', NULL], n / 4.0, 'open'::raw.state, NULL::jsonb FROM generate_series(1, 50) n) TO STDOUT (FORMAT binary)")
    data = b""
    while True:
        size, chunk = raw.get_copy_data(0)
        if size < 0:
            break
        data += bytes(chunk)
    raw.get_result(), raw.get_result()
    columns = "(name, ward, tags, amount, state, info) FROM STDIN (FORMAT binary)"
    one.even()
    expected = copy_in(one.oracle, "COPY raw.persons " + columns, data, 3)
    assert expected[3] == "COPY 50" and copy_in(one.session, "COPY w.persons " + columns, data, 3) == expected
    assert copy_in(one.session, "COPY BINARY w.persons (name, ward, tags, amount, state, info) FROM STDIN", data)[3] == "COPY 50"
    copy_in(one.oracle, "COPY raw.persons " + columns, data)
    assert contents(one.mine, "w") == contents(one.oracle, "raw")
    spoilt = data[:100] + b"\xff" + data[101:]
    theirs, mine = copy_in(one.oracle, "COPY raw.persons " + columns, spoilt), copy_in(one.session, "COPY w.persons " + columns, spoilt)
    assert mine[0] == theirs[0] is not None and place(mine[2]) == place(theirs[2])
    one.even()
    assert contents(one.mine, "w") == contents(one.oracle, "raw")


@pytest.mark.parametrize("data", ["A\t3\n", "A\t1\nB\t4\n"])
def test_row_that_the_filter_hides_is_not_copied(data, pairs):
    """Nor is any other of the COPY; the same as by INSERT into the view that the test wrote."""
    one = pairs("nurse")
    before = contents(one.mine, "w")
    values = ", ".join("('%s', %s)" % tuple(line.split("\t")) for line in data.splitlines())
    result = one.oracle.pgconn.exec_(("INSERT INTO w.persons (name, ward) VALUES " + values).encode())
    got = copy_in(one.session, "COPY w.persons (name, ward) FROM STDIN", data)
    assert got[0] == result.error_field(pq.DiagnosticField.SQLSTATE).decode() == "44000"
    assert "pgvigil" not in str(got)
    assert contents(one.mine, "w") == before


@pytest.mark.parametrize("pair,sql", DENIED)
def test_copy_outside_the_policy_is_refused(pair, sql, pairs):
    one = pairs(pair)
    before = contents(one.mine, "w")
    got = copy_in(one.session, "COPY " + sql, "x\n")
    assert got[0] in ("42501", "42703", "42P01", "0A000", "42P10", "42701") and got[4] is None, got
    assert "S3CR3T" not in str(got) and "pgvigil copy" not in str(got).replace(sql, "").replace('"pgvigil copy" does not exist', "")
    assert contents(one.mine, "w") == before


def test_extended_protocol_and_longer_texts_are_refused(stack, pairs):
    one = pairs("nurse")
    before = contents(one.mine, "w")
    result = one.session.pgconn.exec_params(b"COPY w.persons (name) FROM STDIN", [])
    assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"0A000"
    assert b"simple query" in result.error_field(pq.DiagnosticField.MESSAGE_HINT)
    for sql in ("SELECT 1; COPY w.persons (name) FROM STDIN", "COPY w.persons (name) FROM STDIN; SELECT 1", "BEGIN; COPY w.persons (name) FROM STDIN; COMMIT"):
        got = copy_in(one.session, sql, "x\n")
        assert got[0] == "0A000" and "by itself" in got[1]
    assert contents(one.mine, "w") == before


@pytest.mark.parametrize("body", [b"COPY w.persons (\"na\0me\") FROM STDIN", b"COPY w.\"pers\xffons\" FROM STDIN", b"COPY w.persons (\"\xc3\") FROM STDIN", b"COPY \"\xed\xa0\x80\" FROM STDIN"])
def test_names_that_are_no_text(body, stack, pairs):
    raw = wire.open_session(stack, "nurse1", "nurse")
    raw.send(wire.message("Q", body + b"\0"))
    try:
        got = raw.until("GZ")
    except wire.Closed:
        got = [("closed", b"")]
    assert not any(kind == "G" for kind, _ in got)
    raw.close()


# ---- transactions ------------------------------------------------------------------------------------------------------------

def count(one, where):
    return one.mine.execute("SELECT count(*) FROM w.persons WHERE name LIKE %s", (where,)).fetchone()[0]


def test_in_transactions(stack, pairs):
    one = pairs("nurse")
    with wire.open_session(stack, "nurse1", "nurse") as raw:
        def copy(name, tag="COPY 1"):
            raw.send(wire.query("COPY w.persons (name) FROM STDIN"))
            got = raw.until("GE")
            if got[-1][0] == "G":
                raw.send(wire.message("d", name.encode() + b"\n") + wire.message("c"))
            got = raw.until("Z")
            assert wire.tag_of(got) == tag, got
            return got

        raw.query("BEGIN")
        copy("tx-1")
        copy("tx-2")
        raw.query("SAVEPOINT s")
        copy("tx-3")
        raw.query("ROLLBACK TO s")
        copy("tx-4")
        assert count(one, "tx-%") == 0
        raw.query("COMMIT")
        assert count(one, "tx-%") == 3
        raw.query("BEGIN")
        copy("tx-5")
        raw.query("ROLLBACK")
        assert count(one, "tx-5") == 0
        raw.query("BEGIN; SELECT 1 FROM w.persons LIMIT 1")
        raw.send(wire.query("COPY w.persons (name, ward) FROM STDIN"))
        raw.until("G")
        raw.send(wire.message("d", b"tx-6\tx\n") + wire.message("c"))
        got = raw.until("Z")
        assert wire.error_of(got)["C"] == "22P02" and got[-1] == ("Z", b"E")
        raw.send(wire.query("COPY w.persons (name) FROM STDIN"))
        assert wire.error_of(raw.until("Z"))["C"] == "25P02"
        raw.query("ROLLBACK")
        copy("tx-7")
        raw.query("BEGIN READ ONLY")
        raw.send(wire.query("COPY w.persons (name) FROM STDIN"))
        error = wire.error_of(raw.until("Z"))
        assert (error["C"], error["M"]) == ("25006", "cannot execute COPY FROM in a read-only transaction")
        raw.query("ROLLBACK")
        assert wire.rows_of(raw.query("SELECT count(*) FROM pg_class WHERE relname LIKE '%vigil%'")) == [(b"0",)]
    assert count(one, "tx-%") == 4


def test_deferred_constraint_fails_the_copy(make_stack):
    """It is checked when the transaction ends: no tag may have left before."""
    own = make_stack(databases=("records",), extra_sql=write_schema.EXTRA_SQL + """
        CREATE TABLE w.late (id int, person int REFERENCES w.persons DEFERRABLE INITIALLY DEFERRED);
        GRANT SELECT, INSERT ON w.late TO pgvigil_owner;""", extra_policy=[("90-write.cfg", write_schema.POLICY), ("91-late.cfg", """
        tables = ( { name = "w.late"; columns = { all = [ "id", "person" ]; }; } );
        rules = ( { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "w.late" ]; columns = { all = "show"; }; insert = [ "all" ]; } );""")])
    with wire.open_session(own, "nurse1", application_name="late") as raw:
        raw.send(wire.query("COPY w.late FROM STDIN"))
        raw.until("G")
        raw.send(wire.message("d", b"1\t99999\n") + wire.message("c"))
        got = raw.until("Z")
        assert [kind for kind, _ in got if kind in "CE"] == ["E"] and wire.error_of(got)["C"] == "23503"
        raw.send(wire.query("COPY w.late FROM STDIN"))
        raw.until("G")
        raw.send(wire.message("d", b"1\t4\n") + wire.message("c"))
        assert wire.tag_of(raw.until("Z")) == "COPY 1"
    ends = [r for r in own.audit_records() if r["type"] == "end"]
    assert [(r.get("sqlstate"), r["rows"]) for r in ends if r.get("sqlstate") == "23503" or r.get("tag") == "COPY 1"] == [("23503", 0), (None, 1)]


def test_database_without_temporary_tables_says_so(make_stack):
    own = make_stack(databases=("records",), extra_sql=write_schema.EXTRA_SQL, extra_policy=[("90-write.cfg", write_schema.POLICY)])
    with own.superuser() as c, own.connect("nurse1") as session:
        assert copy_in(session, "COPY w.persons (name) FROM STDIN", "x\n")[3] == "COPY 1"
        c.execute('REVOKE TEMPORARY ON DATABASE "%s" FROM PUBLIC' % own.databases["records"])
        got = copy_in(session, "COPY w.persons (name) FROM STDIN", "x\n")
        assert got[0] == "42501" and "temporary tables" in got[1] and own.databases["records"] not in str(got)
        assert session.execute("SELECT count(*) FROM w.persons WHERE name = 'x'").fetchone() == (1,)


def server_state(stack, pair):
    """Temporary tables, and what is in the table, as the superuser sees them."""
    with stack.superuser(pair) as c:
        return c.execute("SELECT count(*) FROM pg_class WHERE relname = 'pgvigil copy'").fetchone()[0]


@pytest.mark.parametrize("how", ["fail", "terminate", "close", "reset", "server"])
def test_copy_that_is_cut_off_leaves_nothing(how, stack, pairs):
    one = pairs("nurse")
    before = contents(one.mine, "w")
    application = "cut-" + how
    raw = wire.open_session(stack, "nurse1", "nurse", application_name=application)
    raw.send(wire.query("COPY w.persons (name, ward) FROM STDIN"))
    raw.until("G")
    raw.send(*[wire.message("d", b"cut off\t1\n")] * 200)
    if how == "fail":
        raw.send(wire.message("f", b"I have changed my mind\0"))
        got = raw.until("Z")
        assert wire.error_of(got)["C"] == "57014" and "changed my mind" in wire.error_of(got)["M"]
    elif how == "terminate":
        raw.send(wire.TERMINATE)
    elif how == "server":
        with stack.superuser("nurse") as c:
            c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil' AND query LIKE '%pgvigil copy%' AND state = 'active'")
        with pytest.raises(wire.Closed):
            while True:
                raw.receive()
    elif how == "reset":
        import socket
        import struct
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    deadline = time.monotonic() + 10
    while True:
        every = stack.audit_records()
        begins = [r for r in every if r.get("application") == application and r.get("statement") == "COPY FROM"]
        ends = [r for r in every if r["type"] == "end" and begins and r["begin"] == begins[0]["seq"] and r["session"] == begins[0]["session"]]
        if ends or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert begins[0]["type"] == "begin" and len(ends) == 1
    assert ends[0].get("sqlstate") == "57014" if how == "fail" else ends[0].get("unfinished") is True
    while server_state(stack, "nurse"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert contents(one.mine, "w") == before
    with stack.connect("nurse1", database="nurse") as c:
        assert c.execute("SELECT count(*) FROM w.persons WHERE name = 'cut off'").fetchone() == (0,)


def test_cancel_of_a_copy(stack, pairs):
    one = pairs("nurse")
    before = contents(one.mine, "w")
    raw = wire.open_session(stack, "nurse1", "nurse")
    raw.send(wire.query("COPY w.persons (name) FROM STDIN"))
    raw.until("G")
    raw.send(wire.message("d", b"cancelled\n"))
    with wire.Raw(stack.port, stack.tls_context()) as other:
        other.send(wire.cancel(*raw.key))
        other.drain()
    deadline = time.monotonic() + 20
    raw.socket.settimeout(0.05)
    while True:  # the server looks when it reads
        raw.send(wire.message("d", b"cancelled\n"))
        try:
            kind, body = raw.receive()
            break
        except TimeoutError:
            assert time.monotonic() < deadline
    raw.socket.settimeout(20)
    assert kind == "E" and wire.fields(body)["C"] == "57014"
    assert raw.until("Z")[-1] == ("Z", b"I")
    assert wire.rows_of(raw.query("SELECT 1")) == [(b"1",)]
    raw.close()
    assert contents(one.mine, "w") == before


# ---- on record -------------------------------------------------------------------------------------------------------------------

def test_record_is_there_before_the_server_asks_for_rows(stack, pairs):
    pairs("nurse")
    with wire.open_session(stack, "nurse1", "nurse", application_name="copy-record") as raw:
        raw.send(wire.query("COPY w.persons (ward, name) FROM STDIN (NULL 'SECRET-LITERAL')"))
        raw.until("G")
        (begin,) = [r for r in stack.audit_records() if r.get("application") == "copy-record" and r.get("statement") == "COPY FROM"]
        assert begin["type"] == "begin" and begin["decision"] == "allow" and "90-write.cfg" in begin["rule"]
        (relation,) = begin["relations"]
        assert (relation["schema"], relation["name"]) == ("w", "persons") and sorted(relation["written"]) == ["name", "ward"]
        rows = [b"1\tSECRET-VALUE %d\n" % n for n in range(30)]
        raw.send(*[wire.message("d", row) for row in rows], wire.message("c"))
        assert wire.tag_of(raw.until("Z")) == "COPY 30"
    deadline = time.monotonic() + 5
    while True:
        ends = [r for r in stack.audit_records() if r["type"] == "end" and r["begin"] == begin["seq"] and r["session"] == begin["session"]]
        if ends or time.monotonic() > deadline:
            break
    (end,) = ends
    assert (end["rows"], end["tag"], end["bytes"]) == (30, "COPY 30", sum(len(row) + 5 for row in rows)) and "sqlstate" not in end
    assert "SECRET" not in str(stack.audit_records()).replace("S3CR3T", "")


def test_refused_copy_is_on_record(stack, pairs):
    one = pairs("nurse")
    copy_in(one.session, "COPY w.persons (name, secret) FROM STDIN")
    refused = [r for r in stack.audit_records() if r.get("statement") == "COPY FROM" and r.get("decision") == "deny"]
    assert any("secret" in r["refused"] for r in refused)


# ---- drivers ---------------------------------------------------------------------------------------------------------------------

def test_psycopg_copy(stack, pairs):
    one = pairs("nurse")
    with one.session.cursor() as cursor:
        with cursor.copy("COPY w.persons (name, ward, tags) FROM STDIN") as copy:
            for n in range(100):
                copy.write_row(("psycopg %d" % n, 1 + n % 2, ["a", "b"]))
        assert cursor.rowcount == 100
        with cursor.copy("COPY w.persons (name, ward) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["text", "int4"])
            copy.write_row(("psycopg binary", 1))
        with pytest.raises(Exception, match="no such day"):
            with cursor.copy("COPY w.persons (name) FROM STDIN") as copy:
                copy.write_row(("psycopg never",))
                raise ValueError("no such day")
    assert count(one, "psycopg %") == 101
    assert one.session.execute("SELECT count(*) FROM w.persons WHERE name LIKE 'psycopg %'").fetchone() == (101,)


def test_psql_copy(stack, tmp_path):
    """psql's \\copy, which reads a file of the client's."""
    import harness
    file = tmp_path / "rows.csv"
    file.write_text("".join("psql %d,%d\n" % (n, 1 + n % 2) for n in range(500)))
    info = stack.conninfo("nurse1", "nurse")
    environment = dict(os.environ, PGPASSWORD=info.pop("password"))
    done = harness.run([harness.PG_BIN / "psql", "-X", "-v", "ON_ERROR_STOP=1", " ".join("%s='%s'" % pair for pair in info.items()),
                        "-c", "\\copy w.persons (name, ward) from '%s' (format csv)" % file], env=environment)
    assert "COPY 500" in done


def test_large_copy_is_held_back_and_arrives(stack, pairs):
    """More than any buffer holds, in messages of all sizes."""
    one = pairs("nurse")
    row = "large\t" + "x" * 3000 + "\n"
    assert copy_in(one.session, "COPY w.persons (name, phone) FROM STDIN", row * 5000, 333)[3] == "COPY 5000"
    assert count(one, "large") == 5000
    one.mine.execute("DELETE FROM w.persons WHERE name = 'large'")
