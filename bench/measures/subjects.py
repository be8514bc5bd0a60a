"""subjects: what it costs that records name the patients: the same statements where the tables have a `subject`, and where not."""
import os
import re
import shutil
import subprocess
import sys

import pgbench
from measures.stream import BYTES, ROWS, one as stream_one
from table import markdown, medians, number

HEADING = "Patients in the record"
# Rows of groups, and how many patients each names; the last is over the bound, and names nobody.
GROUPS = (("count(*) of 1,000 rows", "SELECT count(*) FROM public.samples WHERE id <= 1000"),
          ("100 groups of 10 rows", "SELECT id % 100, count(*) FROM public.samples WHERE id <= 1000 GROUP BY 1"),
          ("count(*) of 20,000 rows", "SELECT count(*) FROM public.samples WHERE id <= 20000"),
          ("25,000 groups of 20 rows", "SELECT id % 25000, count(*) FROM public.samples GROUP BY 1"),
          ("UNION of 1,000 rows and 1,000", "SELECT id FROM public.samples WHERE id <= 1000 UNION SELECT id FROM public.samples WHERE id BETWEEN 501 AND 1500"),
          ("UNION of 100,000 rows and 100,000", "SELECT id FROM public.samples WHERE id <= 100000 UNION SELECT id FROM public.samples WHERE id BETWEEN 50001 AND 150000"),
          ("INTERSECT of 100,000 rows and 100,000", "SELECT id FROM public.samples WHERE id <= 100000 INTERSECT SELECT id FROM public.samples WHERE id BETWEEN 50001 AND 150000"),
          ("count(*) of 500,000 rows", "SELECT count(*) FROM public.samples"))
BOUND = 50000
TABLES = {"public.pgbench_accounts": "aid", "public.samples": "id"}


def with_subjects(world):
    """A second policy, beside the first."""
    folder = os.path.join(world.work, "policy-subjects")
    shutil.copytree(os.path.join(world.work, "policy"), folder)
    path = os.path.join(folder, "bench.cfg")
    with open(path) as f:
        text = f.read()
    for table, column in TABLES.items():
        text, found = re.subn(r'(name = "%s";)' % re.escape(table), r'\1 subject = "%s";' % column, text)
        assert found == 1, table
    text, found = re.subn(r'(\{ name = "care";)', r"\1 group_subjects = %d;" % BOUND, text)
    assert found == 1
    with open(path, "w") as f:
        f.write(text)
    return folder


def grouped(world, target, sql):
    """Milliseconds, as psql times it."""
    done = subprocess.run([os.path.join(world.pg_bin, "psql"), "-X", "-q", "-At", "-o", "/dev/null", "-c", "\\timing on", "-c", sql], env=world.environment(target),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    times = re.findall(r"Time: ([0-9.]+) ms", done.stdout)
    if done.returncode != 0 or len(times) != 1:
        sys.exit("psql through %s:\n%s" % (target.name, done.stderr))
    return float(times[0])


def run(world, options):
    plain = world.policy
    world.policy = with_subjects(world)
    world.deploy()
    told = world.pgvigil()
    world.policy = plain
    targets = {"no": world.pgvigil(), "yes": told}
    lines = []
    for mode in options.modes:
        for clients in options.clients:
            results = {}
            for turn in range(options.rounds):
                for name in list(targets)[::1 if turn % 2 else -1]:
                    results.setdefault(name, []).append(pgbench.measure(world, targets[name], ["-S", "-s", "20"], mode, clients, options.seconds))
                    print("  round %d/%d  %-8s  %3d clients  %-3s  %8.0f/s  %.1f us CPU" % ((turn + 1, options.rounds, mode, clients, name) +
                          (results[name][-1][0], results[name][-1][3])), flush=True)
            of = {name: medians(rows) for name, rows in results.items()}
            for name, (rate, _, _, cpu) in of.items():
                lines.append(["one row, %s, %d clients" % (mode, clients), name, number(rate, 0), number(cpu, 1), number(cpu - of["no"][3], 1)])
    count = int(world.superuser("SELECT count(*) FROM public.samples"))
    assert count == ROWS and set(BYTES) >= {"SELECT"}
    for how in ("SELECT", "COPY"):
        results = {}
        for turn in range(options.rounds):
            for name in list(targets)[::1 if turn % 2 else -1]:
                seconds, cpu = stream_one(world, targets[name], how)
                results.setdefault(name, []).append((ROWS / seconds, cpu * 1e6 / ROWS))
                print("  round %d/%d  %-6s  %-3s  %8.0f rows/s  %.3f us CPU a row" % ((turn + 1, options.rounds, how, name) + results[name][-1]), flush=True)
        of = {name: medians(rows) for name, rows in results.items()}
        for name, (rate, cpu) in of.items():
            lines.append(["%d rows, each another patient's, %s" % (ROWS, how), name, number(rate, 0), number(cpu, 3), number(cpu - of["no"][1], 3)])
    return text(lines, groups(world, targets, options))


def groups(world, targets, options):
    """What the database does more, where a row of groups names its patients."""
    lines = []
    for what, sql in GROUPS:
        results = {}
        for turn in range(options.rounds):
            for name in list(targets)[::1 if turn % 2 else -1]:
                results.setdefault(name, []).append((grouped(world, targets[name], sql),))
                print("  round %d/%d  %-26s  %-3s  %.1f ms" % (turn + 1, options.rounds, what, name, results[name][-1][0]), flush=True)
        of = {name: medians(rows)[0] for name, rows in results.items()}
        lines.append([what, number(of["no"], 1), number(of["yes"], 1), "%.1f" % (of["yes"] / of["no"])])
    return lines


def text(lines, grouped_lines):
    return """The same statements through two policies that differ in the tables' `subject`: `pgbench -S`, whose record then names one patient, and
%d rows each about another. CPU is the proxy's, a statement and a row.

""" % ROWS + markdown(["what", "subjects", "a second", "proxy CPU us", "more us"], lines) + """
Rows of groups, in a mission with `group_subjects = %d`: milliseconds of the whole statement, as psql times it; what is more is
PostgreSQL's, which collects and sorts the patients of each group. Each row of the table is another patient's. A group of more than the bound is
collected all the same, and names nobody.

""" % BOUND + markdown(["what", "without subjects, ms", "with, ms", "ratio"], grouped_lines)
