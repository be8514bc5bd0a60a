"""subjects: what it costs that records name the patients: the same statements where the tables have a `subject`, and where not."""
import os
import re
import shutil

import pgbench
from measures.stream import BYTES, ROWS, one as stream_one
from table import markdown, medians, number

HEADING = "Patients in the record"
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
    with open(path, "w") as f:
        f.write(text)
    return folder


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
    results = {}
    for turn in range(options.rounds):
        for name in list(targets)[::1 if turn % 2 else -1]:
            seconds, cpu = stream_one(world, targets[name], "SELECT")
            results.setdefault(name, []).append((ROWS / seconds, cpu * 1e6 / ROWS))
            print("  round %d/%d  stream  %-3s  %8.0f rows/s  %.3f us CPU a row" % ((turn + 1, options.rounds, name) + results[name][-1]), flush=True)
    of = {name: medians(rows) for name, rows in results.items()}
    for name, (rate, cpu) in of.items():
        lines.append(["%d rows, each another patient's" % ROWS, name, number(rate, 0), number(cpu, 3), number(cpu - of["no"][1], 3)])
    return """The same statements through two policies that differ in the tables' `subject`: `pgbench -S`, whose record then names one patient, and
%d rows each about another. CPU is the proxy's, a statement and a row.

""" % ROWS + markdown(["what", "subjects", "a second", "proxy CPU us", "more us"], lines)
