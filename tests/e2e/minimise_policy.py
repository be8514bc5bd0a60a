"""
A policy for tests of `pgvigil minimise`: the clinic's, with rules that are laid out oddly (comments everywhere, @include at the top
and inside brackets, lists over several lines, several rules on one line, a file name with a blank), and what is asked under it.
"""
import json
import pathlib
import shutil

import harness
import psycopg

CARE = """/* Care.
   { roles = [ "nobody" ]; } in a comment is no rule. */

@include "shared/office rules.inc"

rules :
(
\t# A nurse ("{ [ (" in a comment changes nothing)
\t{ roles = [ "nurse",       // on the wards
\t            "physician"    # everywhere
\t          ];
\t  missions = [ "care" ]; tables = [ "public.patients" ],
\t  columns = {
\t    admin = "show";        # keys
\t    identifier = "show"    /* no semicolon behind it */
\t    contact = "show";
\t    @include "shared/medical.inc"
\t    nir = "nu" "ll";
\t  };
\t  update = [ "contact", "medical" ]; },

\t{ roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.stays", "public.appointments",
\t                                                         "public.documents" ];
\t  rows = "1 = 1 OR 'x' = "   // two strings are one
\t         "'}; delete = false'";
\t  columns = { admin = "show"; medical = "show"; }; },
\t{ roles = [ "physician" ]; missions = [ "care" ]; tables = [ "public.stays" ]; columns = { admin = "show"; medical = "show"; }; }, { roles = [ "nurse", "physician" ]; missions = [ "care" ]; tables = [ "public.wards" ]; columns = { admin = "show"; }; },
\t# She notes observations.
\t{ roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.observations" ];
\t  columns = { admin = "show"; medical = "show"; };
\t  insert  = [
\t    "admin",     # who and when
\t    "medical"
\t  ];
\t  update  = [ "medical" ];
\t  delete  = true; },
\t{ roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.care_team" ]; columns = { admin = "show"; }; delete = true; },
\t{ roles = [ "physician" ]; missions = [ "care" ]; tables = [ "public.prescriptions" ];
\t  columns = { admin = "show"; medical = "show"; }; insert = [ "admin", "medical" ]; update = [ "dose", "route", "ends_on" ]; }
)
;
/* The end, without a line end. */"""

MEDICAL = """# What is known of the body.
medical = "show";
"""

OFFICE = """# Included at the top: a document of its own.
rules = (
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "public.patients", "public.stays" ];
    columns = { id = "show"; ward_id = "show"; family_name = "show"; birth_date = "year"; phone = "show"; }; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "public.wards" ]; columns = { admin = "show"; }; },
  { roles = [ "biller" ]; missions = [ "billing" ]; tables = [ "public.invoices", "public.ActesCCAM" ]; columns = { id = "show"; billing = "show"; }; },
  { roles = [ "auditor" ]; missions = [ "audit" ]; tables = [ "public.wards" ]; columns = { admin = "show"; }; }
);
"""


def make(folder):
    policy = pathlib.Path(folder) / "policy"
    shutil.copytree(harness.CLINIC / "policy", policy)
    for name in ("40-rules-care.cfg", "41-rules-office.cfg"):
        (policy / name).unlink()
    (policy / "shared").mkdir()
    (policy / "40 care.cfg").write_text(CARE, encoding="utf-8")
    (policy / "shared" / "medical.inc").write_text(MEDICAL, encoding="utf-8")
    (policy / "shared" / "office rules.inc").write_text(OFFICE, encoding="utf-8")
    return policy


# The pairs that are asked, with a person of each.
PEOPLE = {("nurse", "care"): "nurse1", ("physician", "care"): "dr.martin", ("physician", "research"): "dr.martin",
          ("receptionist", "admission"): "reception1", ("biller", "billing"): "billing1", ("researcher", "research"): "research1",
          ("auditor", "audit"): "audit1"}


class Used:
    """What statements use, told by hand: (pair, table, right, column)."""

    def __init__(self):
        self.all = set()

    def add(self, pair, table, right, columns):
        for column in columns.split() if isinstance(columns, str) else columns:
            self.all.add((pair, table, right, column))


def granted(stack, tables):
    """Asked of pgvigil and PostgreSQL, one right on one column at a time: {(pair, table, right, column)}; nothing is changed."""
    found = set()
    for pair, user in PEOPLE.items():
        try:
            c = stack.connect(user, role=pair[0], mission=pair[1])
        except psycopg.OperationalError as error:
            assert "may not take that mission" in str(error), error
            continue
        with c:
            for table, columns in tables.items():
                schema, name = table.split(".")
                relation = '"%s"."%s"' % (schema, name)
                for column in columns:
                    q = '"%s"' % column
                    asks = {"read": "SELECT %s FROM %s LIMIT 0" % (q, relation)}
                    if runs(c, asks["read"]):
                        found.add((pair, table, "read", column))
                        asks["insert"] = "INSERT INTO %s (%s) SELECT %s FROM %s WHERE false" % (relation, q, q, relation)
                        asks["update"] = "UPDATE %s SET %s = %s WHERE false" % (relation, q, q)
                        found |= {(pair, table, right, column) for right in ("insert", "update") if runs(c, asks[right])}
                if runs(c, "DELETE FROM %s WHERE false" % relation):
                    found.add((pair, table, "delete", ""))
    return found


def runs(connection, sql):
    try:
        connection.execute(sql)
    except psycopg.errors.InsufficientPrivilege:
        return False
    except psycopg.errors.UndefinedColumn:
        return False
    except psycopg.errors.UndefinedTable:
        return False
    return True


def tables_of(stack):
    """The columns of the tables that the policy names, from PostgreSQL's catalog."""
    with stack.superuser() as c:
        rows = c.execute("SELECT n.nspname || '.' || r.relname, a.attname FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace "
                         "JOIN pg_attribute a ON a.attrelid = r.oid WHERE n.nspname = 'public' AND r.relkind IN ('r', 'p', 'm') AND NOT r.relispartition "
                         "AND a.attnum > 0 AND NOT a.attisdropped").fetchall()
    tables = {}
    for table, column in rows:
        tables.setdefault(table, []).append(column)
    return tables


def defaults_of(stack, table):
    """Columns that have a default, an identity or an expression."""
    with stack.superuser() as c:
        return {r[0] for r in c.execute("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND "
                                        "(atthasdef OR attidentity <> '' OR attgenerated <> '')", (table,)).fetchall()}


def told(report, before):
    """The report's `unused`, written out as rights on columns: {(pair, table, right, column): cut}."""
    out = {}
    for one in report["unused"]:
        pair = (one["role"], one["mission"])
        for right in before:
            if right[0] != pair:
                continue
            if one["right"] == "mission":
                if one["cut"]:
                    out[right] = True
            elif right[1] == one["table"] and (one["right"] == "table" or (right[2] == one["right"] and right[3] == one.get("column", ""))):
                out[right] = one["cut"]
    return out


def report(stack, *args, code=None, policy=None):
    """minimise --json; with `policy` in the place of the stack's."""
    config = stack.config_file
    if policy is not None:
        config = stack.folder / "other.cfg"
        config.write_text(stack.config_file.read_text(encoding="utf-8").replace('policy = "policy"', 'policy = "%s"' % policy), encoding="utf-8")
    done = stack.command("minimise", "-c", config, "--short-trail", "--json", *args, check=False)
    assert done.returncode in ((0, 1) if code is None else (code,)), done.stdout + done.stderr
    return json.loads(done.stdout)
