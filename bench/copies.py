"""
copies.py: times psql's \\copy against PostgreSQL and pgvigil in turns and prints medians. Called by bench/copy.

Rows a second are of the whole psql, login and all. The order is turned by one each round; the table is emptied before
each copy into it, and holds the rows before each copy out of it.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import time

from table import number, processor, ratio, write_section
from world import cpu_seconds

HEADING = "What COPY costs"
COLUMNS = "(id, ward_id, label, taken_at, value)"
BY_HAND = ["BEGIN", "SET LOCAL bench.wards = '{1,2,3,4,5,6,7,8,9,10,11,12}'",
           "CREATE TEMPORARY TABLE t ON COMMIT DROP AS SELECT id, ward_id, label, taken_at, value FROM by_hand WITH NO DATA",
           "\\copy t from '{file}' (format csv)", "INSERT INTO by_hand %s SELECT id, ward_id, label, taken_at, value FROM t" % COLUMNS,
           "COMMIT"]
# (direction, name, through pgvigil, psql's commands)
RUNS = [
    ("in", "direct", False, ["\\copy samples %s from '{file}' (format csv)" % COLUMNS]),
    ("in", "direct, by way of a temporary table", False, BY_HAND),
    ("in", "pgvigil", True, ["\\copy samples %s from '{file}' (format csv)" % COLUMNS]),
    ("out", "direct", False, ["\\copy samples to '{out}' (format csv)"]),
    ("out", "direct, by way of the view", False, ["SET bench.wards = '{1,2,3,4,5,6,7,8,9,10,11,12}'", "\\copy (SELECT * FROM by_hand) to '{out}' (format csv)"]),
    ("out", "pgvigil", True, ["\\copy samples to '{out}' (format csv)"]),
]


def psql(options, port, commands, superuser=False):
    environment = dict(os.environ, PGPORT=str(port))
    args = [options.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    if superuser:
        args += ["-h", options.socket, "-U", "postgres"]
        environment.pop("PGSSLMODE")
    for command in commands:
        args += ["-c", command]
    done = subprocess.run(args, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("psql %s:\n%s\n%s" % (commands, done.stdout, done.stderr))
    return done.stdout


def one_run(options, direction, name, vigil, commands):
    """(rows a second, proxy CPU us a row)"""
    names = {"{file}": options.file, "{out}": "/dev/null"}
    commands = [re.sub(r"\{(file|out)\}", lambda found: names[found.group()], command) for command in commands]
    if direction == "in":
        psql(options, options.direct, ["TRUNCATE public.samples", "CHECKPOINT"], superuser=True)
    before, begin = cpu_seconds(options.pid), time.monotonic()
    psql(options, options.vigil if vigil else options.direct, commands)
    seconds, cpu = time.monotonic() - begin, cpu_seconds(options.pid) - before
    there = int(psql(options, options.direct, ["\\t", "SELECT count(*) FROM public.samples"], superuser=True))
    if there != options.rows:
        sys.exit("%s left %d rows, not %d" % (name, there, options.rows))
    return options.rows / seconds, cpu * 1e6 / options.rows if vigil else None


def report(results):
    lines = ["| \\copy | through | rows/s | of direct | proxy CPU us a row |", "|---|---|---|---|---|"]
    for direction, name, _, _ in RUNS:
        rate, cpu = [None if column[0] is None else statistics.median(column) for column in zip(*results[direction, name])]
        direct = statistics.median([rate for rate, _ in results[direction, "direct"]])
        lines.append("| %s | %s | %s | %s | %s |" % (direction, name, number(rate, 0), ratio(rate, direct), number(cpu, 2)))
    return "\n".join(lines)


def write(options, table):
    write_section(options.results, HEADING, """Written by `bench/copy --write`: %d rows of five columns (bigint, int, text, timestamptz, numeric; %.0f bytes a row as CSV),
psql's \\copy of a file into an empty table without indexes, and out of it. pgvigil with a row filter by the user's wards and a
CHECK OPTION; "by way of" is what pgvigil has PostgreSQL do, done from psql; "proxy CPU" is the proxy's own time. TLS on every
leg, fsync off; psql, PostgreSQL and the proxy share the machine (%s). They took turns; medians of %d rounds.

%s""" % (options.rows, os.path.getsize(options.file) / options.rows, processor(), options.rounds, table))


def main():
    parser = argparse.ArgumentParser()
    for name in ("psql", "work", "socket", "results"):
        parser.add_argument("--" + name, required=True)
    for name in ("direct", "vigil", "pid"):
        parser.add_argument("--" + name, type=int, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=300000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.file = os.path.join(options.work, "samples.csv")
    with open(options.file, "w") as f:
        for n in range(options.rows):
            f.write("%d,%d,sample %d of the day,2026-01-%02d 08:%02d:00+01,%d.%02d\n"
                    % (n, 1 + n % 12, n % 1000, 1 + n % 28, n % 60, n % 5000, n % 100))
    results = {}
    for turn in range(options.rounds):
        runs = [run for direction in ("in", "out") for run in RUNS if run[0] == direction]
        half = len(runs) // 2
        for part in (runs[:half], runs[half:]):
            order = part[turn % half:] + part[:turn % half]
            for direction, name, vigil, commands in order:
                measured = one_run(options, direction, name, vigil, commands)
                results.setdefault((direction, name), []).append(measured)
                print("  round %d/%d  %-3s  %-36s  %8.0f rows/s  %s" % (turn + 1, options.rounds, direction, name, measured[0],
                      "" if measured[1] is None else "%.2f us CPU" % measured[1]), flush=True)
    table = report(results)
    print("\nMedians of %d rounds of %d rows:\n\n%s" % (options.rounds, options.rows, table))
    if options.write:
        write(options, table)
        print("\nwritten to %s" % options.results)


if __name__ == "__main__":
    main()
