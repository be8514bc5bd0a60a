"""
measure.py: runs pgbench against several targets in turns and prints medians. Called by bench/run.

A target is NAME:PORT:PID; PID is the process whose CPU time is charged to the target's statements (0: none).
The order of the targets is turned by one each round.
"""
import argparse
import glob
import os
import re
import statistics
import subprocess
import sys

# PgBouncer 1.18 loses protocol-level prepared statements when it changes servers.
IMPOSSIBLE = {("pgbouncer", "prepared")}


def cpu_seconds(pid):
    """Time on a CPU of all threads there are, in seconds."""
    total = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        with open(path) as f:
            total += int(f.read().split()[0])
    return total / 1e9


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def one_run(options, port, pid, mode, clients, seconds):
    """(statements a second, p50 ms, p99 ms, proxy CPU us a statement)"""
    prefix = os.path.join(options.work, "latency")
    for old in glob.glob(prefix + "*"):
        os.unlink(old)
    before = cpu_seconds(pid) if pid else 0
    done = subprocess.run(
        [options.pgbench, "-n", "-M", mode, "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", options.script,
         "-l", "--log-prefix", prefix],
        env=dict(os.environ, PGPORT=str(port)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    cpu = (cpu_seconds(pid) if pid else 0) - before
    rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.M)
    failed = re.search(r"^number of failed transactions: ([0-9]+)", done.stdout, re.M)
    if done.returncode != 0 or not rate or (failed and failed.group(1) != "0"):
        sys.exit("pgbench -M %s -c %d on port %d:\n%s\n%s" % (mode, clients, port, done.stdout, done.stderr))
    latencies = []
    for path in glob.glob(prefix + "*"):
        with open(path) as f:
            latencies += [int(line.split()[2]) for line in f]
    latencies.sort()
    return (float(rate.group(1)), percentile(latencies, 0.5) / 1000, percentile(latencies, 0.99) / 1000,
            cpu * 1e6 / len(latencies) if pid else None)


def number(value, digits):
    return "-" if value is None else "%.*f" % (digits, value)


def ratio(part, whole):
    return "-" if part is None or not whole else "%.2f" % (part / whole)


def report(results, targets, modes, clients):
    lines = ["| mode | clients | through | statements/s | p50 ms | p99 ms | proxy CPU us | of direct | of PgBouncer | CPU of PgBouncer's |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for mode in modes:
        for count in clients:
            median = {}
            for name, _, _ in targets:
                runs = results.get((name, mode, count))
                if runs:
                    median[name] = [None if column[0] is None else statistics.median(column) for column in zip(*runs)]
            for name, _, _ in targets:
                if name not in median:
                    lines.append("| %s | %d | %s | not possible | | | | | | |" % (mode, count, name))
                    continue
                rate, p50, p99, cpu = median[name]
                direct, bouncer = median.get("direct"), median.get("pgbouncer")
                lines.append("| %s | %d | %s | %s | %s | %s | %s | %s | %s | %s |" % (
                    mode, count, name, number(rate, 0), number(p50, 2), number(p99, 2), number(cpu, 1),
                    ratio(rate, direct and direct[0]), ratio(rate, bouncer and bouncer[0]),
                    ratio(cpu, bouncer and bouncer[3])))
    return "\n".join(lines)


def processor():
    with open("/proc/cpuinfo") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return "%d × %s" % (os.cpu_count(), names[0] if names else "?")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pgbench", required=True)
    parser.add_argument("--script", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--results", required=True)
    parser.add_argument("--target", action="append", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--clients", default="8,32")
    parser.add_argument("--modes", default="simple,extended,prepared")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    targets = [(name, int(port), int(pid)) for name, port, pid in (t.split(":") for t in options.target)]
    modes = options.modes.split(",")
    clients = [int(c) for c in options.clients.split(",")]

    for name, port, pid in targets:  # caches and plans warm, for each alike
        one_run(options, port, pid, modes[0], clients[0], 2)
    results = {}
    for turn in range(options.rounds):
        order = targets[turn % len(targets):] + targets[:turn % len(targets)]
        for mode in modes:
            for count in clients:
                for name, port, pid in order:
                    if (name, mode) in IMPOSSIBLE:
                        continue
                    measured = one_run(options, port, pid, mode, count, options.seconds)
                    results.setdefault((name, mode, count), []).append(measured)
                    print("  round %d/%d  %-8s %2d clients  %-9s  %7.0f/s  p50 %5.2f ms  p99 %6.2f ms  %s" % (
                        turn + 1, options.rounds, mode, count, name, measured[0], measured[1], measured[2],
                        "" if measured[3] is None else "%.1f us CPU" % measured[3]), flush=True)
    table = report(results, targets, modes, clients)
    print("\nMedians of %d rounds of %d s:\n\n%s" % (options.rounds, options.seconds, table))
    if options.write:
        with open(options.results) as f:
            others = f.read().partition("\n# ")[1:]  # what other benchmarks have written
        with open(options.results, "w") as f:
            f.write("""# What pgvigil costs

Written by `bench/run --write`: one table of 20,000 rows read by primary key, four columns. Direct and through PgBouncer
1.18 (transaction pooling; both proxies may open 40 server connections) the rows come as they are; through pgvigil with one column masked and
rows filtered by the user's wards. TLS on every leg. The clients, PostgreSQL and the proxy share the machine (%s), so
throughput tells of the sum; "proxy CPU" is the proxy's own time for one statement. The three took turns; medians of %d
rounds of %d seconds. PgBouncer 1.18 cannot carry prepared statements under transaction pooling.

%s
%s""" % (processor(), options.rounds, options.seconds, table, "".join(others)))
        print("\nwritten to %s" % options.results)


if __name__ == "__main__":
    main()
