"""tpcb: pgbench's own transaction: three UPDATEs, a SELECT, an INSERT between BEGIN and END."""
from measures.select import table

HEADING = "TPC-B: pgbench's own transaction"


def run(world, options):
    options.clients = [clients for clients in options.clients if clients <= 32] or [8]
    return """A transaction of seven statements, scale 20, fsync off; figures are for the whole transaction. Through pgvigil a row
filter with a CHECK OPTION stands on each of the four tables, and each statement that writes has two records in the audit.

""" + table(world, options, ["-b", "tpcb-like", "-s", "20"])
