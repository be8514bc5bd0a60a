"""
Schemas that nobody of this project designed, for test_scan.py: GNUmed's server, Request Tracker and Roundcube, out of Debian's packages
(GPL; nothing of them is kept here). They are fetched by apt into build/scan; Unavailable where that cannot be done.

scan/*.truth says which of their columns are about people: written by reading the schemas.
"""
import fcntl
import os
import pathlib
import random
import shutil
import subprocess

import harness
import scan_data

KEPT = harness.ROOT / "build" / "scan"
SENSITIVE = {"identifier", "contact", "medical", "free_text", "staff", "billing", "legal"}
OTHER = {"interval": "1 day", "point": "(1,2)", "bytea": "\\x00", "integer[]": "{1}", "text[]": "{a}", "boolean": "t", "time without time zone": "12:00", '"char"': "x", "double precision": "1.5", "real": "1.5"}


class Unavailable(Exception):
    pass


def package(name):
    """The folder that a package is unpacked in."""
    KEPT.mkdir(parents=True, exist_ok=True)
    folder = KEPT / name
    if not folder.exists():
        making = KEPT / (name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        try:
            fetched = subprocess.run(["apt-get", "-q", "-o", "Acquire::Retries=2", "-o", "APT::Sandbox::User=root", "download", name], cwd=making, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(str(error)) from error
        debs = list(making.glob("*.deb"))
        if fetched.returncode != 0 or not debs:
            raise Unavailable("NO PACKAGE %s HERE: %s" % (name, fetched.stderr.strip()[-200:]))
        harness.run(["dpkg-deb", "-x", debs[0], making])
        making.rename(folder)
    return folder


def locked(function):
    """Two test runs of one build do not make the same thing at a time."""
    def wrapped(*args):
        KEPT.mkdir(parents=True, exist_ok=True)
        with open(KEPT / (function.__name__ + ".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return function(*args)
    return wrapped


ROLES = ("gm-dbo", "gm-doctors", "gm-public", "gm-staff", "gm-logins", "any-doc", "any-staff")


@locked
def gnumed_dump():
    """
    Made once, in some minutes: GNUmed's own bootstrapping makes version 2 of its database and brings it to 22, with its reference data.
    """
    dump = KEPT / "gnumed_v22.dump"
    if dump.exists():
        return dump
    server = package("gnumed-server") / "var/lib/gnumed/server"
    with harness.Cluster(bare=True) as cluster:
        place = cluster.folder / "gnumed"  # where the server's account may write
        shutil.copytree(server, place / "server")
        (place / "Gnumed").symlink_to("server")
        place.chmod(0o777)
        for folder, _, _ in os.walk(place):
            os.chmod(folder, 0o777)
        env = dict(os.environ, HOME=str(place), PGHOST=str(cluster.folder), PGPORT=str(cluster.port), GM_DB_PORT=str(cluster.port), PYTHONPATH=str(place), PYTHONDONTWRITEBYTECODE="1")
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        log = place / "bootstrap.log"
        try:
            done = subprocess.run(as_postgres + ["/usr/bin/python3", "./bootstrap_gm_db_system.py", "--log-file=%s" % log, "--conf-file=bootstrap-latest.conf", "--quiet"], cwd=place / "server" / "bootstrap",
                                  env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        except subprocess.TimeoutExpired as error:
            raise Unavailable("GNUMED'S BOOTSTRAPPING TAKES MORE THAN TEN MINUTES HERE") from error
        if done.returncode != 0:
            raise Unavailable("GNUMED'S BOOTSTRAPPING FAILED: %s" % (done.stdout + done.stderr)[-300:])
        harness.run([harness.PG_BIN / "pg_dump", "-h", cluster.folder, "-p", cluster.port, "-U", "postgres", "-Fc", "-f", KEPT / "gnumed.making", "gnumed_v22"])
    (KEPT / "gnumed.making").rename(dump)
    return dump


def gnumed(cluster, name):
    dump = gnumed_dump()
    for role in ROLES:
        cluster.sql("postgres", "DO $$ BEGIN CREATE ROLE \"%s\"; EXCEPTION WHEN duplicate_object THEN NULL; END $$;" % role)
    cluster.sql("postgres", "CREATE DATABASE %s;" % name)
    # Comments and publications of other roles' may fail; what counts is counted by the test.
    subprocess.run([str(a) for a in (harness.PG_BIN / "pg_restore", "-h", cluster.folder, "-p", cluster.port, "-U", "postgres", "-d", name, "--no-owner", "--no-privileges", dump)], capture_output=True, timeout=300)
    return name


@locked
def rt_schema():
    return package("request-tracker5") / "usr/share/request-tracker5/etc/schema.Pg"


def rt(cluster, name):
    schema = rt_schema()
    cluster.sql("postgres", "CREATE DATABASE %s;" % name)
    cluster.psql(name, "-f", schema)
    return name


@locked
def roundcube_schema():
    return package("roundcube-core") / "usr/share/roundcube/SQL/postgres.initial.sql"


def roundcube(cluster, name):
    schema = roundcube_schema()
    cluster.sql("postgres", "CREATE DATABASE %s;" % name)
    cluster.psql(name, "-f", schema)
    return name


# ---- truth ----

def truth(name):
    """{"schema.table.column": (category, kind)} of scan/NAME.truth."""
    said = {}
    for line in (pathlib.Path(__file__).parent / "scan" / (name + ".truth")).read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        table, *parts = [part.strip() for part in line.split("|")]
        for part in parts:
            category, columns = part.split(":")
            for column in columns.split():
                column, kind = column.split("/")
                assert category in SENSITIVE and "%s.%s" % (table, column) not in said, line
                said["%s.%s" % (table, column)] = (category, kind)
    return said


def with_audit(said, columns):
    """GNUmed's audit.log_X has the columns of X."""
    whole = dict(said)
    for key in columns:
        schema, table, column = key.split(".")
        if schema == "audit" and table.startswith("log_"):
            for other in list(said):
                if other.split(".")[1:] == [table[4:], column]:
                    whole[key] = said[other]
    return whole


# ---- rows ----

COLUMNS = """SELECT n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, NULL), a.atttypmod, coalesce(a.attnum = ANY (p.conkey), false)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
  LEFT JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p'
  WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname !~ '^pg_|^information_schema' ORDER BY 1, 2, a.attnum"""
LOOSEN = """DO $$ DECLARE o record; BEGIN
  FOR o IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype IN ('c', 'x', 'u') AND conrelid <> 0 AND conislocal LOOP
    BEGIN EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', o.t, o.conname); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP;
  FOR o IN SELECT indexrelid::regclass AS i FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE indisunique AND NOT indisprimary AND n.nspname !~ '^pg_' LOOP
    EXECUTE format('DROP INDEX %s CASCADE', o.i); END LOOP;
  FOR o IN SELECT rulename, ev_class::regclass AS t FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE c.relkind = 'r' AND r.oid > 16384 LOOP
    EXECUTE format('DROP RULE %I ON %s CASCADE', o.rulename, o.t); END LOOP;
  FOR o IN SELECT attrelid::regclass AS t, attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND attnum > 0 AND attnotnull AND NOT attisdropped AND n.nspname !~ '^pg_|^information_schema' LOOP
    BEGIN EXECUTE format('ALTER TABLE %s ALTER %I DROP NOT NULL', o.t, o.attname); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$;"""


def generator(key, type_name, primary, said, seed):
    """(row, number) -> text for a column."""
    if key in said and said[key][1] in scan_data.PEOPLE and type_name not in ("bytea", "interval", "point", "text[]"):
        make = scan_data.PEOPLE[said[key][1]]
        if type_name in ("integer", "bigint", "smallint"):
            return lambda r, i: r.randint(1, 30000)
        return lambda r, i: '{"%s"}' % make(r) if type_name.endswith("[]") else make(r)
    if type_name in ("integer", "bigint", "smallint", "numeric"):
        if primary:
            return lambda r, i: 100000 + i if type_name != "smallint" else i
        return scan_data.nobody("int", key, seed)[1]
    if type_name.endswith("[]") and type_name not in OTHER:
        return lambda r, i: "{}"
    if type_name == "date" or type_name.startswith("timestamp"):
        return scan_data.nobody("date", key, seed)[1]
    if type_name in OTHER:
        return lambda r, i: OTHER[type_name]
    if type_name in ("text", "character varying", "character", "name", "citext"):
        made = scan_data.nobody("text", key, seed)[1]
        return (lambda r, i: "%d %s" % (i, made(r, i))) if primary else made
    return lambda r, i: None


def fill(connection, said, seed):
    """Rows for every table that has less than fifty: plausible where the truth says what, adversarial elsewhere."""
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET client_min_messages = error")
    connection.execute(LOOSEN)
    tables = {}
    for schema, table, column, type_name, width, primary in connection.execute(COLUMNS).fetchall():
        tables.setdefault((schema, table), []).append((column, type_name, width, primary))
    said = with_audit(said, ["%s.%s.%s" % (s, t, c[0]) for (s, t), columns in tables.items() for c in columns])
    filled = 0
    for (schema, table), columns in tables.items():
        if connection.execute('SELECT count(*) FROM (SELECT FROM ONLY "%s"."%s" LIMIT 50) x' % (schema, table)).fetchone()[0] == 50:
            continue
        connection.execute('DELETE FROM ONLY "%s"."%s"' % (schema, table))
        r = random.Random("%s %s %s" % (schema, table, seed))
        makers = [(generator("%s.%s.%s" % (schema, table, c), t, p, said, seed), w if t in ("character varying", "character") else -1) for c, t, w, p in columns]
        with connection.cursor().copy('COPY "%s"."%s" (%s) FROM STDIN' % (schema, table, ", ".join('"%s"' % c[0] for c in columns))) as copy:
            for i in range(scan_data.ROWS):
                values = [(make(r, i), width) for make, width in makers]
                copy.write_row([None if v is None else str(v)[:width - 4] if width > 4 else str(v) for v, width in values])
        filled += 1
    return filled


# ---- figures ----

def judge(scanned, said):
    """What a scan (--format json) of a database says, against the truth."""
    columns = {"%s.%s.%s" % (t["schema"], t["name"], c["name"]): c for t in scanned["tables"] for c in t["columns"]}
    said = with_audit(said, columns)
    missing = [key for key in said if key not in columns]
    assert not missing, "the truth speaks of columns that are not there: %s" % missing
    flagged = {key for key, c in columns.items() if c["category"] in SENSITIVE}
    wrong = {key: columns[key] for key in flagged - set(said)}
    # A date of birth among medical columns is found; which word it got is another question.
    return {"columns": len(columns), "sensitive": len(said), "found": len(flagged & set(said)),
            "as": sum(columns[key]["category"] == said[key][0] for key in flagged & set(said)),
            "identifiers": sum(said[key][0] in ("identifier", "contact") for key in said), "identifiers_found": sum(said[key][0] in ("identifier", "contact") and key in flagged for key in said),
            "wrong": wrong, "wrong_high": {key: c for key, c in wrong.items() if c["confidence"] == "high"},
            "missed": sorted(set(said) - flagged), "unclassified": sum(c["category"] is None for c in columns.values())}
