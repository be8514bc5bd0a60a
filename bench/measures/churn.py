"""churn: a new connection for each statement, TLS and SCRAM from the beginning."""
import os

import pgbench
from table import markdown, number, ratio
from world import HERE

HEADING = "A connection for each statement: TLS and SCRAM each time"


def run(world, options):
    targets = [world.direct(), world.pgbouncer(), world.relay()] + world.pgvigils()
    through = [(target.name, lambda mode, target=target: target) for target in targets]
    for target in targets:
        pgbench.run(world, target, ["-C", "-c", "8", "-t", "5", "-f", os.path.join(HERE, "one.sql")])
    medians = pgbench.interleaved(world, options, through, [("simple", 8)], ["-C", "-f", os.path.join(HERE, "one.sql")], logins=True)
    (of,) = medians.values()
    bouncer = of["pgbouncer"]
    lines = [[name, number(rate, 0), number(p99, 1), number(cpu, 0), ratio(rate, bouncer[0]), ratio(cpu, bouncer[3])]
             for name, (rate, _, p99, cpu) in of.items()]
    return """`pgbench -C`, 8 clients: connect, log in, `SELECT 1`, end. The same P-256 certificate for all, no TLS session is resumed; the
password as a SCRAM secret in all. The relay's SCRAM is without channel binding and opens a connection to PostgreSQL each time.

""" + markdown(["through", "connections/s", "p99 ms", "proxy CPU us a connection", "rate / PgBouncer", "CPU / PgBouncer"], lines)
