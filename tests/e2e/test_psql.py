"""
psql's describing commands. Restricted: they work, show what exists for the pair and nothing else, and tell twins that differ in
hidden data, names, sizes and statistics nothing. Unrestricted: they show what a direct connection shows.
"""
import os
import re
import subprocess

import harness
import psql_commands
import pytest
import twins_schema

PAIRS = {"nurse": ("nurse1", psql_commands.EVERYTHING), "researcher": ("research1", psql_commands.SHORT + psql_commands.HIDDEN)}
MARK = "=====pgvigil-test====="
# What a policy hides from the nurse, and what nobody may see.
HIDDEN_WORDS = ["staff_salaries", "invoices", "documents", "objections", "consents", "ActesCCAM", "nir", "preferences", "zzcanary", "pgvigil:", "luhn", "touch", "pgvigil_owner", "pgvigil_dba"]


@pytest.fixture(scope="module")
def twins(make_stack):
    names = ["%s_%s" % (pair, twin) for pair in PAIRS for twin in "ab"]
    return make_stack(databases=names, changes={n: twins_schema.twin_sql(*n.split("_")) for n in names})


def psql(info, commands):
    """{command: what psql printed for it, errors where they stand}."""
    script = "".join("\\echo %s%d\n%s\n" % (MARK, n, command) for n, command in enumerate(commands))
    env = {"PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(info["port"]), "PGUSER": info["user"], "PGPASSWORD": info["password"],
           "PGDATABASE": info["dbname"], "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(info["sslrootcert"]), "PAGER": "cat", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([str(harness.PG_BIN / "psql"), "-X", "-P", "pager=off", "-f", "-"], input=script, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-2000:]
    parts = re.split(r"^%s(\d+)\n" % MARK, done.stdout, flags=re.M)
    assert parts[0] == "" and len(parts) == 2 * len(commands) + 1
    return dict(zip(commands, parts[2::2]))


@pytest.fixture(scope="module")
def shown(twins):
    """{(pair, twin): {command: text}}, with the database's name made equal."""
    made = {}
    for pair, (user, commands) in PAIRS.items():
        for twin in "ab":
            name = "%s_%s" % (pair, twin)
            texts = psql(twins.conninfo(user, database=name), commands)
            made[pair, twin] = {c: t.replace(twins.databases[name], "DATABASE").replace(name, "DATABASE") for c, t in texts.items()}
    return made


@pytest.mark.parametrize("pair", PAIRS)
def test_twins_show_alike(pair, shown):
    different = {c: (t, shown[pair, "b"][c]) for c, t in shown[pair, "a"].items() if [l.rstrip() for l in t.splitlines()] != [l.rstrip() for l in shown[pair, "b"][c].splitlines()]}
    assert different == {}
    for twin in "ab":
        for command, text in shown[pair, twin].items():
            for canary in twins_schema.CANARIES:
                assert canary.decode().lower() not in text.lower() or canary.decode().lower() in command.lower() or "zz" in command, (command, text)


@pytest.mark.parametrize("pair", PAIRS)
def test_no_command_fails(pair, shown):
    """But for what does not exist. `psql ... ERROR` is an error of the server's, `Did not find` one of psql's own."""
    for command, text in shown[pair, "a"].items():
        if command not in psql_commands.HIDDEN:
            assert "ERROR" not in text and "FATAL" not in text, (command, text)


def test_hidden_names_do_not_appear(shown):
    for twin in "ab":
        for command, text in shown["nurse", twin].items():
            for word in HIDDEN_WORDS:
                found = [line for line in text.splitlines() if re.search(r"(?<![\w])%s(?!\w)" % re.escape(word), line)]
                # A name that was asked for comes back in "does not exist".
                found = [line for line in found if not re.search("Did not find|does not exist", line)]
                assert found == [], (command, word, found)


@pytest.mark.parametrize("command", psql_commands.HIDDEN)
def test_what_is_hidden_does_not_exist(command, shown):
    for pair in PAIRS:
        text = shown[pair, "a"][command]
        rows = re.search(r"\((\d+) rows?\)", text)
        empty = re.search("Did not find|does not exist", text) or (rows and rows.group(1) == "0")
        roles = command.startswith(r"\du") and len(text.splitlines()) <= 4
        assert empty or roles, text


def columns_of(text):
    """The rows of the first table that psql printed: lists of stripped cells."""
    lines = text.splitlines()
    (at,) = [i for i, line in enumerate(lines) if re.match(r"^-+(\+-+)+$", line)][:1]
    rows = []
    for line in lines[at + 1:]:
        if "|" not in line:
            break
        rows.append([cell.strip() for cell in line.split("|")])
    return rows


@pytest.mark.parametrize("table", ["patients", "stays", "observations", "observations_2024", "wards", "patient_stays", "ward_occupancy"])
def test_describe_is_postgresqls_own_less_what_is_hidden(table, twins, shown):
    """Columns, types and nullability, in order; indexes, keys and references line by line."""
    command = {"patients": r"\d patients", "stays": r"\d public.stays"}.get(table, r"\d " + table)
    info = dict(twins.conninfo("nurse1", database="nurse_a"))
    whole = twins.cluster.psql(twins.databases["nurse_a"], "-c", command)
    mine = psql(info, [command])[command]
    theirs = {row[0]: row for row in columns_of(whole)}
    with twins.connect("nurse1", database="nurse_a") as c:
        visible = [d.name for d in c.execute("SELECT * FROM public.%s LIMIT 0" % table).description]
    assert [row[0] for row in columns_of(mine)] == visible
    for row in columns_of(mine):
        # All but the last cell, the default: those that quote values are not shown.
        assert row[:4] == theirs[row[0]][:4]
    rest = [line for line in mine.splitlines() if line.startswith("    ")]
    own = whole.splitlines()
    assert [line for line in rest if line not in own and "Partition" not in line and "Partition of" not in line] == [
        line for line in rest if line.startswith("         ") and line not in own]
    hidden = {"nir", "preferences"}
    for line in own:
        if line.startswith("    ") and "btree" in line and line not in rest:
            assert any(re.search(r"\b%s\b" % word, line) for word in hidden) or "WHERE" in line or "(lower" in line or "gin" in line, line


def test_list_of_tables_is_what_the_policy_shows(twins):
    with twins.superuser("nurse_a") as c:
        guards = c.execute("""SELECT DISTINCT v.relname FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace
                              WHERE n.nspname LIKE 'pgvigil:nurse/care@%' AND v.relname !~ '!(only|subject)$'""").fetchall()
        kinds = dict(c.execute("SELECT 'public.' || relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall())
        whole = {"public." + r[0] for r in c.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND has_table_privilege(%s, oid, 'SELECT')",
            (c.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'pgvigil:nurse/care@%'").fetchone()[0],)).fetchall()}
    expected = {g[0] for g in guards} | whole
    texts = psql(twins.conninfo("nurse1", database="nurse_a"), [r"\dt", r"\dv", r"\dm"])
    for command, letters in ((r"\dt", "rp"), (r"\dv", "v"), (r"\dm", "m")):
        listed = {"public." + row[1] for row in columns_of(texts[command])}
        assert listed == {name for name in expected if kinds[name] in letters}
    assert len(expected) >= 15


def test_unrestricted_commands_show_what_a_direct_connection_shows(twins):
    commands = [c for c in psql_commands.EVERYTHING if c != r"\conninfo"]
    through = psql(twins.conninfo("admin1", database="nurse_a"), commands)
    real = twins.databases["nurse_a"]
    direct = psql({"port": twins.cluster.port, "user": "pgvigil_dba", "password": harness.DBA_PASSWORD, "dbname": real, "sslrootcert": twins.certs.ca}, commands)
    different = {}
    for command in commands:
        one, other = (t[command] for t in (through, direct))
        if command.startswith(r"\dconfig"):
            # pgvigil's own connection says who it is and that it speaks UTF-8.
            one, other = ([re.sub("[ +-]+", " ", line) for line in t.splitlines() if not re.search(r"application_name|client_encoding|rows", line)]
                          for t in (one, other))
        if one != other:
            different[command] = (one, other)
    assert different == {}
