"""select: pgbench -S (one row of 2,000,000 by primary key) in the three protocols."""
import pgbench
from table import markdown

HEADING = "One row by primary key: pgbench -S"
NAMES = ["direct", "pgbouncer", "relay"]


def targets(world):
    """(name, chooser) of what pgbench's protocols can be measured through."""
    bouncer, session = world.pgbouncer(), None
    relay, direct = world.relay(), world.direct()
    vigils = world.pgvigils()
    session = world.pgbouncer(mode="session", pool=140)
    fixed = [("direct", direct), ("relay", relay)] + [(target.name, target) for target in vigils]
    chosen = [("pgbouncer", lambda mode: session if mode == "prepared" else bouncer)]
    return chosen + [(name, lambda mode, target=target: target) for name, target in fixed]


def table(world, options, script):
    through = targets(world)
    for _, choose in through:  # caches and plans warm, for each alike
        pgbench.measure(world, choose("simple"), script, "simple", 8, 1)
    cases = [(mode, clients) for mode in options.modes for clients in options.clients]
    medians = pgbench.interleaved(world, options, through, cases, script)
    return markdown(pgbench.HEAD, pgbench.rows(medians, NAMES + list(world.binaries)))


def run(world, options):
    return """`pgbench -S` on 2,000,000 accounts; every statement has another literal or parameter. Through pgvigil a row filter by
an attribute of the user stands on the table. PgBouncer 1.18 pools by transaction, in prepared mode by session (it cannot carry
prepared statements otherwise); it and pgvigil may open 40 server connections.

""" + table(world, options, ["-S", "-s", "20"])
