"""pgbench.py: one run of pgbench through a target."""
import glob
import os
import re
import subprocess
import sys


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def run(world, target, words, environment=None):
    """pgbench's output; a failed statement ends the benchmark."""
    done = subprocess.run([os.path.join(world.pg_bin, "pgbench"), "-n"] + words, env=world.environment(target, **(environment or {})),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    failed = re.search(r"^number of failed transactions: ([0-9]+)", done.stdout, re.M)
    if done.returncode != 0 or (failed and failed.group(1) != "0"):
        log = ""
        if target.log:
            with open(target.log, errors="replace") as f:
                log = "\n%s's log ends:\n%s" % (target.name, f.read()[-2000:])
        sys.exit("pgbench %s through %s:\n%s\n%s%s" % (" ".join(words), target.name, done.stdout, done.stderr, log))
    return done.stdout


def measure(world, target, script, mode, clients, seconds, logins=False, environment=None):
    """
    (transactions a second, p50 ms, p99 ms, proxy CPU us a transaction). script: pgbench's words that choose it.
    Without `logins` what logging in cost is taken off: of two runs of one transaction a client the first opens what servers it needs.
    """
    words = ["-M", mode, "-c", str(clients), "-j", str(min(2, clients))] + script
    login = 0.0
    for _ in range(0 if logins else 2):
        begin = target.cpu()
        run(world, target, words + ["-t", "1"], environment)
        login = target.cpu() - begin
    for _ in range(4):
        begin = target.cpu()
        rate, latencies = one(world, target, words, seconds, environment)
        cpu = target.cpu() - begin - login
        counted = len(latencies) - (0 if logins else clients)
        if rate and counted > (1 if logins else 10) * clients:
            return (rate, percentile(latencies, 0.5) / 1000, percentile(latencies, 0.99) / 1000,
                    cpu * 1e6 / counted if target.pid else None)
        seconds *= 2  # pgbench counts opening connections in, and on a busy machine a hundred take seconds
    sys.exit("pgbench through %s: too short a run" % target.name)


def one(world, target, words, seconds, environment):
    """(transactions a second, latencies in microseconds, sorted)"""
    prefix = os.path.join(world.work, "latency")
    for old in glob.glob(prefix + "*"):
        os.unlink(old)
    out = run(world, target, words + ["-T", str(seconds), "-l", "--log-prefix", prefix], environment)
    latencies = []
    for path in glob.glob(prefix + "*"):
        with open(path) as f:
            latencies += [int(line.split()[2]) for line in f]
    rate = re.search(r"^tps = ([0-9.]+)", out, re.M)
    return float(rate.group(1)) if rate else 0, sorted(latencies)


HEAD = ["mode", "clients", "through", "per second", "p50 ms", "p99 ms", "proxy CPU us", "rate / direct", "rate / PgBouncer",
        "p99 / PgBouncer", "CPU / PgBouncer", "CPU us above relay"]


def rows(medians, names):
    """
    Rows of HEAD for (mode, clients). medians: {(mode, clients): {name: what measure gives, or None for impossible}}.
    """
    from table import number, ratio
    lines = []
    for (mode, clients), of in medians.items():
        direct, bouncer, relay = (of.get(name) for name in ("direct", "pgbouncer", "relay"))
        for name in names:
            if of.get(name) is None:
                lines.append([mode, clients, name, "not possible"] + [""] * 8)
                continue
            rate, p50, p99, cpu = of[name]
            above = None if cpu is None or not relay else cpu - relay[3]
            lines.append([mode, clients, name, number(rate, 0), number(p50, 2), number(p99, 2), number(cpu, 1),
                          ratio(rate, direct and direct[0]), ratio(rate, bouncer and bouncer[0]), ratio(p99, bouncer and bouncer[2]),
                          ratio(cpu, bouncer and bouncer[3]), number(above, 1)])
    return lines


def interleaved(world, options, targets, cases, script, logins=False, says=print):
    """
    Every case (mode, clients) through every target in turns, the order turned by one each round. targets: (name, choose), where
    choose(mode) is the target, or None. {case: {name: medians}}
    """
    from table import medians, number
    results = {}
    for turn in range(options.rounds):
        shift = turn % len(targets)
        for mode, clients in cases:
            for name, choose in targets[shift:] + targets[:shift]:
                target = choose(mode)
                if target is None:
                    continue
                one = measure(world, target, script, mode, clients, options.seconds, logins)
                results.setdefault((mode, clients), {}).setdefault(name, []).append(one)
                says("  round %d/%d  %-8s %3d clients  %-17s %7.0f/s  p50 %6.2f ms  p99 %7.2f ms  %s us CPU" % (
                    turn + 1, options.rounds, mode, clients, name, one[0], one[1], one[2], number(one[3], 1)), flush=True)
    return {case: {name: medians(runs) for name, runs in of.items()} for case, of in results.items()}
