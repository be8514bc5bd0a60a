"""idle: what a client that does nothing holds, and whether it grows: 1,000 and 5,000 TLS clients over 20 server connections."""
import time

from crowd import Crowd
from table import markdown, number, ratio
from world import memory_kb

HEADING = "Memory: 5,000 TLS clients over 20 server connections"
STEPS = (1000, 5000)
AT_ONCE = 20
SQL = "SELECT id, family_name, given_name, birth_date FROM public.patients WHERE id = ?"
TURNS = 4
WARM_SECONDS = 10
PART_SECONDS = 120


def settled(pid):
    """The memory when it has come to rest: allocators and event loops give back a little later."""
    last = memory_kb(pid)
    for _ in range(20):
        time.sleep(0.5)
        now = memory_kb(pid)
        if abs(now[0] - last[0]) < 64:
            break
        last = now
    return now[0]


def one(world, target, options):
    """[(what, clients, Pss in kB, kB a client)]"""
    with Crowd(world, target, SQL) as warm:  # server connections and caches are no client's
        warm.open(AT_ONCE, "bench1")
        warm.run(min(options.seconds, WARM_SECONDS), AT_ONCE)
    begin = settled(target.pid)
    rows = [("none, after %d s of statements" % min(options.seconds, WARM_SECONDS), 0, begin, None)]
    with Crowd(world, target, SQL) as crowd:
        count = 0

        def note(what):
            pss = settled(target.pid)
            rows.append((what, count, pss, (pss - begin) / count if count else None))
            print("  %-9s  %5d clients  %-40s  %7.1f MB  %s" % (target.name, count, what, pss / 1024,
                  "%.1f kB a client" % rows[-1][3] if count else ""), flush=True)

        for step in STEPS:
            cpu = target.cpu()
            fresh = step - count
            count = crowd.open(fresh, "bench1")
            print("  %-9s  %.0f us CPU a login" % (target.name, (target.cpu() - cpu) * 1e6 / fresh), flush=True)
            note("logged in")
        for turn in range(TURNS):
            crowd.send(count, AT_ONCE)
            note("each sent a statement, turn %d" % (turn + 1))
        done = 0
        while done < options.seconds:  # does it grow?
            part = min(PART_SECONDS, options.seconds - done)
            crowd.run(part, AT_ONCE)
            done += part
            note("after %d s of statements" % done)
    count = 0
    note("all gone")
    return rows


def run(world, options):
    results = {}
    for make in (lambda: [world.pgbouncer(pool=AT_ONCE)], lambda: world.pgvigils(pool=AT_ONCE)):
        for target in make():
            results[target.name] = one(world, target, options)
            world.stop(target)
    lines = []
    for name, rows in results.items():
        for (what, count, pss, each), reference in zip(rows, results["pgbouncer"]):
            lines.append([name, count, what, number(pss / 1024, 1), number(each, 1), ratio(each, reference[3]), ratio(pss, reference[2])])
    return """Pss of the proxy (/proc/PID/smaps_rollup) after it has come to rest, in this order; kB a client is what it grew by since there was
none. TLS and SCRAM for each client, no statement before "each sent"; then every one of the 5,000 sends one in turn, 20 under way.

""" + markdown(["through", "clients", "when", "Pss MB", "kB a client", "a client / PgBouncer", "all / PgBouncer"], lines)
