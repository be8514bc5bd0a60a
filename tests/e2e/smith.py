"""
smith.py: statements that sqlsmith makes, through pgvigil as the nurse, and on what PostgreSQL has of her part of the clinic.

The oracle is a copy of the clinic in which only her tables, columns and rows are left. sqlsmith makes its statements from that
schema, so that they name what she may name; each goes both ways, and its two outcomes are set against each other:

    same      rows alike, or an error of the same SQLSTATE class
    refused   a named refusal of pgvigil's, counted by its reason
    limits    cut off by statement_timeout on either side, or by pgvigil's limit of depth or size
    known     another error than PostgreSQL's, which docs/sql-support.md tells of (KNOWN); or an error of a value (class 22) on one side
              only, in a statement whose LIMIT may leave another row
    differs   everything else: a finding

The hidden cells behind pgvigil hold canaries; one in any byte that arrives is a finding too, and so is a pgvigil that ends.
`scripts/sqlsmith` runs it for many seeds; test_sqlsmith.py runs one.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import time

import harness
import twins_schema
from psycopg import pq
from test_functions import of_verdict
from test_reflection import REDUCED

LEFT_ROWS = """
SET session_replication_role = replica;
DELETE FROM public.patients WHERE ward_id IS NULL OR ward_id NOT IN (1, 2);
DELETE FROM public.stays s WHERE NOT EXISTS (SELECT 1 FROM public.patients p WHERE p.id = s.patient_id);
DELETE FROM public.appointments s WHERE NOT EXISTS (SELECT 1 FROM public.patients p WHERE p.id = s.patient_id);
DELETE FROM public.care_team s WHERE NOT EXISTS (SELECT 1 FROM public.patients p WHERE p.id = s.patient_id);
DELETE FROM public.observations s WHERE NOT EXISTS (SELECT 1 FROM public.patients p WHERE p.id = s.patient_id);
DELETE FROM public.prescriptions s WHERE NOT EXISTS (SELECT 1 FROM public.patients p WHERE p.id = s.patient_id);
DELETE FROM public.lab_results s WHERE NOT EXISTS (SELECT 1 FROM public.stays t WHERE t.id = s.stay_id);
RESET session_replication_role;
"""
# What sqlsmith makes its statements from: the same schema, with the functions of the reviewed list and some others
# (test_functions.py asks for each), and without the operators of types that no value has here.
SOURCE = """
CREATE SCHEMA smith;
-- Without sizes, which are NULL whatever is asked for.
CREATE VIEW smith.pg_proc AS SELECT * FROM pg_catalog.pg_proc p WHERE p.proname !~ '^pg_.*_size$'
    AND (p.pronamespace <> 'pg_catalog'::regnamespace OR p.proname = ANY ('%s') OR p.oid::int8 %% 40 = 0) ORDER BY oid;
-- It is no table to make statements of.
DO $$ BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW information_schema.tables AS ' || replace(pg_get_viewdef('information_schema.tables'), 'WHERE (', 'WHERE nc.nspname <> ''smith'' AND (');
END $$;
SET allow_system_table_mods = on;
DELETE FROM pg_catalog.pg_operator o WHERE EXISTS (SELECT 1 FROM pg_type t WHERE t.oid IN (o.oprleft, o.oprright, o.oprresult)
    AND (t.typtype = 'p' OR t.typname IN ('tid', 'xid', 'xid8', 'cid', 'aclitem', '_aclitem')));
"""

# Rows that need not be the same: which ones a LIMIT leaves, what a clock says.
UNSTEADY = re.compile(r"\blimit\b|tablesample|timeofday|clock_timestamp|random|statement_timestamp|\bnow\b|transaction_timestamp|gen_random|current_|session_user|"
                      r"pg_backend|float|xmin|ctid|version|inet_|_agg\b|first_value|last_value|nth_value|row_number|rank|ntile|\blag\b|\blead\b", re.I)
# pgvigil's state and message, PostgreSQL's. What is asked of an object that is not there, and how names in values are read.
KNOWN = [(None, "", "22023", "unrecognized privilege type"), (None, "", "42704", 'role "[^"]*" does not exist'), (None, "", "22003", "out of range for type oid"),
         ("22023", "string is not a valid identifier", "42602", ""), ("22023", "string is not a valid identifier", "42P01", ""),
         ("42883", "function .* does not exist", "22P02", "expected a left parenthesis"), ("42704", "constraint .* for table .* does not exist", "....[0-9A-Z]", "")]
TIMEOUT = "SET statement_timeout = '3s'"


class Hammer:
    """The two sides, and what came of the statements."""

    def __init__(self, cluster=None):
        self.stack = harness.Stack(cluster=cluster, databases=("records",), changes={"records": twins_schema.twin_sql("nurse", "b")})
        self.oracle_name = self.stack.cluster.create("smith_oracle_%d" % time.monotonic_ns(), self.stack.cluster.template(), twins_schema.twin_sql("nurse", "b").split(
            "CREATE TABLE public.zzcanary_b")[0] + twins_schema.TAIL + REDUCED + LEFT_ROWS)
        self.source_name = self.oracle_name + "_source"
        with self.stack.cluster.superuser() as c:
            c.execute('CREATE DATABASE "%s" TEMPLATE "%s"' % (self.source_name, self.oracle_name))
        self.stack.cluster.sql(self.source_name, SOURCE % ("{%s}" % ",".join(sorted(of_verdict("allow", "guard")))))
        self.mine = self.oracle = None

    def statements(self, seed, count):
        """What sqlsmith makes of the oracle's schema; the same for the same seed and schema."""
        info = "host=%s port=%d dbname=%s user=postgres options=-csearch_path=smith,pg_catalog,public" % (self.stack.cluster.folder, self.stack.cluster.port, self.source_name)
        done = subprocess.run(["sqlsmith", "--target=" + info, "--exclude-catalog", "--seed=%d" % seed, "--max-queries=%d" % count, "--dry-run"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
        # TABLESAMPLE is refused always, and stands in two of three statements.
        plain = re.sub(r"\btablesample (?:system|bernoulli) \([\d.]+\)", "", done.stdout)
        found = [s.strip() for s in re.split(r";\s*\n", plain) if s.strip()]
        if done.returncode != 0 or len(found) < count // 2:
            raise harness.HarnessError("sqlsmith gave %d statements of %d: %s" % (len(found), count, done.stderr[-500:]))
        return found

    def sessions(self):
        if self.mine is None or self.mine.pgconn.status != pq.ConnStatus.OK:
            self.mine = self.stack.connect("nurse1")
            self.mine.execute(TIMEOUT)
        if self.oracle is None or self.oracle.pgconn.status != pq.ConnStatus.OK:
            self.oracle = self.stack.cluster.superuser(self.oracle_name)
            self.oracle.execute(TIMEOUT)

    def ask(self, connection, sql, keep):
        """(SQLSTATE or None, message, hint, columns, rows, bytes that came). keep: nothing the statement writes stays."""
        raw = connection.pgconn
        if not keep:
            raw.exec_(b"BEGIN")
        result = raw.exec_(sql.encode())
        field = pq.DiagnosticField
        state = (result.error_field(field.SQLSTATE) or b"08006").decode() if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK) else None
        message, hint = ((result.error_field(f) or b"").decode() for f in (field.MESSAGE_PRIMARY, field.MESSAGE_HINT))
        rows = [tuple(result.get_value(r, c) for c in range(result.nfields)) for r in range(result.ntuples)]
        columns = [result.fname(c) for c in range(result.nfields)]
        if not keep:
            raw.exec_(b"ROLLBACK")
        came = b"\0".join([v or b"" for row in rows for v in row] + columns + [message.encode(), hint.encode(), result.error_field(field.MESSAGE_DETAIL) or b"",
                                                                               result.error_field(field.CONTEXT) or b""])
        return state, message, hint, columns, rows, came

    def compare(self, sql):
        """(outcome, reason) of one statement."""
        self.sessions()
        state, message, hint, columns, rows, came = self.ask(self.mine, sql, keep=True)
        if not self.stack.proxy.alive():
            return "differs", "pgvigil ended"
        for canary in twins_schema.CANARIES:
            if canary in came or canary in came.lower():
                return "differs", "a canary came out"
        if state is not None:
            named = re.search(r' for role "nurse" in mission "care"', message)
            if named or (state == "0A000" and "is not supported" in message):
                reason = re.search(r"Reason: ([a-z-]+)", hint)
                return "refused", re.sub(r'"[^"]*"', "...", re.sub(r" for role.*", "", message)) + (" (%s)" % reason.group(1) if reason else "")
        if state in ("57014", "54001", "54000"):
            return "limits", state
        theirs = self.ask(self.oracle, sql, keep=False)
        if theirs[0] == "57014":
            return "limits", "57014 on the oracle"
        if state is not None or theirs[0] is not None:
            if state is not None and theirs[0] is not None and state[:2] == theirs[0][:2]:
                return "same", "error " + state
            for my_state, my_message, their_state, their_message in KNOWN:
                if my_state == state and re.search(my_message, message) and re.fullmatch(their_state, theirs[0] or "") and re.search(their_message, theirs[1]):
                    return "known", "%s, PostgreSQL %s" % (state, theirs[0])
            if (state is None or theirs[0] is None) and (state or theirs[0])[:2] == "22" and UNSTEADY.search(sql):
                return "known", "an error of a value on one side, %s" % (state or theirs[0])
            return "differs", "%s %s | %s %s" % (state, message, theirs[0], theirs[1])
        if columns != theirs[3]:
            return "differs", "columns"
        if UNSTEADY.search(sql):
            return "same", "rows, which need not be equal"
        order = lambda row: tuple((v is None, v or b"") for v in row)  # noqa: E731
        return ("same", "rows") if sorted(rows, key=order) == sorted(theirs[4], key=order) else ("differs", "rows: %d and %d" % (len(rows), len(theirs[4])))

    def run(self, seed, count):
        """What came of a seed: numbers by outcome and reason, and the findings with their statements."""
        reasons, findings = collections.Counter(), []
        statements = self.statements(seed, count)
        for sql in statements:
            outcome, reason = self.compare(sql)
            reasons["%s: %s" % (outcome, reason if outcome != "differs" else reason[:160])] += 1
            if outcome == "differs":
                findings.append({"reason": reason, "sql": sql})
        outcomes = collections.Counter()
        for name, number in reasons.items():
            outcomes[name.split(":")[0]] += number
        return {"seed": seed, "statements": len(statements), "outcomes": dict(outcomes), "reasons": dict(reasons.most_common()), "findings": findings}

    def close(self):
        for connection in (self.mine, self.oracle):
            if connection is not None:
                connection.close()
        for name in (self.oracle_name, self.source_name):
            self.stack.cluster.drop(name)
        self.stack.close()


def total(results):
    """Numbers over all seeds, as text."""
    outcomes, reasons = collections.Counter(), collections.Counter()
    for result in results:
        outcomes.update(result["outcomes"])
        reasons.update(result["reasons"])
    statements = sum(outcomes.values())
    lines = ["%d seeds, %d statements" % (len(results), statements)]
    lines += ["%-8s %6d  %4.1f %%" % (name, number, 100.0 * number / max(statements, 1)) for name, number in outcomes.most_common()]
    lines += ["    %6d  %s" % (number, reason) for reason, number in reasons.most_common(40)]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", default="1-20")
    parser.add_argument("--statements", type=int, default=500)
    parser.add_argument("--out", type=pathlib.Path)
    given = parser.parse_args()
    out = given.out or given.root / "build" / "sqlsmith.jsonl"
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    done = {}
    if out.exists():
        for line in out.read_text(encoding="utf-8").splitlines():
            result = json.loads(line)
            done[result["seed"], result["asked"]] = result
    left = [seed for seed in seeds if (seed, given.statements) not in done]
    out.parent.mkdir(parents=True, exist_ok=True)
    if left:
        hammer = Hammer()
        try:
            for seed in left:
                result = dict(hammer.run(seed, given.statements), asked=given.statements)
                done[seed, given.statements] = result
                with open(out, "a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")
                print("seed %d: %s" % (seed, result["outcomes"]), flush=True)
        finally:
            hammer.close()
    results = [done[seed, given.statements] for seed in seeds]
    print(total(results))
    findings = [finding for result in results for finding in result["findings"]]
    for finding in findings:
        print("\nFINDING %s\n%s" % (finding["reason"], finding["sql"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
