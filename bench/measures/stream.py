"""stream: 500,000 rows out of a table, by SELECT and by COPY."""
import os
import subprocess
import sys
import time

from table import markdown, medians, number, ratio

HEADING = "500,000 rows by SELECT and by COPY"
ROWS = 500000
HOW = {"SELECT": "SELECT id, ward_id, label, taken_at, value FROM public.samples",
       "COPY": "\\copy (SELECT id, ward_id, label, taken_at, value FROM public.samples) TO '/dev/null'"}
COLUMNS = "octet_length(concat(id, ward_id, label, taken_at, value))"
# What one row is on the wire: DataRow has its head and five lengths, CopyData its head, four tabs and the end of the line.
BYTES = {"SELECT": "sum(7 + 5 * 4 + %s)" % COLUMNS, "COPY": "sum(5 + 4 + 1 + %s)" % COLUMNS}


def one(world, target, how):
    """(MB a second, proxy CPU ms a MB, seconds)"""
    begin, cpu = time.monotonic(), target.cpu()
    done = subprocess.run([os.path.join(world.pg_bin, "psql"), "-X", "-q", "-At", "-o", "/dev/null", "-c", HOW[how]],
                          env=world.environment(target), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seconds, cpu = time.monotonic() - begin, target.cpu() - cpu
    if done.returncode != 0:
        sys.exit("psql through %s:\n%s" % (target.name, done.stderr))
    return seconds, cpu


def run(world, options):
    targets = [world.direct(), world.pgbouncer(), world.relay()] + world.pgvigils()
    count, *sizes = world.superuser("SELECT count(*), %s, %s FROM public.samples" % (BYTES["SELECT"], BYTES["COPY"])).split("|")
    if int(count) != ROWS:
        sys.exit("samples holds %s rows" % count)
    megabytes = {how: int(size) / 1e6 for how, size in zip(BYTES, sizes)}
    results = {}
    for turn in range(options.rounds):
        shift = turn % len(targets)
        for how in HOW:
            for target in targets[shift:] + targets[:shift]:
                seconds, cpu = one(world, target, how)
                size = megabytes[how]
                results.setdefault((how, target.name), []).append((size / seconds, cpu * 1000 / size if target.pid else None))
                print("  round %d/%d  %-6s  %-9s  %6.1f MB/s  %s" % (
                    turn + 1, options.rounds, how, target.name, size / seconds,
                    "%.2f ms CPU a MB" % (cpu * 1000 / size) if target.pid else ""), flush=True)
    lines = []
    for how in HOW:
        of = {target.name: medians(results[how, target.name]) for target in targets}
        for name, (rate, cpu) in of.items():
            lines.append([how, name, number(rate, 1), number(cpu, 2), ratio(rate, of["pgbouncer"][0]),
                          ratio(cpu, of["pgbouncer"][1]), ratio(cpu, of["relay"][1])])
    return """%d rows of five columns, %.1f MB of protocol as SELECT's rows and %.1f MB as COPY's; psql throws them away. Through pgvigil with
a row filter. The rate is of the whole psql, login and its own formatting with it.

""" % (ROWS, megabytes["SELECT"], megabytes["COPY"]) + markdown(
        ["by", "through", "MB/s", "proxy CPU ms a MB", "rate / PgBouncer", "CPU / PgBouncer", "CPU / relay"], lines)
