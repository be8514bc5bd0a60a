"""
The command line: exit codes (0 fine, 1 found or refused, 2 wrong usage, 3 cannot be done), --help everywhere, errors as file:line.
"""
import re
import subprocess

import harness
import psycopg
import pytest

COMMANDS = ["serve", "check", "explain", "test", "diff", "replay", "scan", "passwd", "deploy", "retention", "subject", "register", "dpia", "notice", "review", "minimise", "incident", "audit"]


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack()


def pgvigil(*args, text=None, cwd=None):
    done = subprocess.run([harness.binary()] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, input=text, timeout=60, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", [[]] + [[c] for c in COMMANDS] + [["audit", "verify"]], ids=" ".join)
def test_help_is_on_stdout_and_fine(command):
    status, out, err = pgvigil(*command, "--help")
    assert status == 0 and out.startswith("usage: pgvigil") and err == ""
    assert re.search(r"[Ee]xit status", out)
    assert all(len(line) < 130 for line in out.splitlines())
    if not command:
        assert all(c in out for c in COMMANDS)


@pytest.mark.parametrize("args", [["nothing"], [], ["check", "--nothing"], ["serve", "extra"], ["audit"], ["audit", "nothing"], ["explain"], ["deploy", "--dry-run", "--nothing"], ["passwd", "--iterations", "x"], ["check", "-c"], ["check", "--save-catalog", "x"], ["test"], ["test", "--as", "x", "y"], ["diff", "x"], ["replay"], ["replay", "x"], ["scan"], ["scan", "--as", "x", "--rows", "1"], ["scan", "--as", "x", "--format", "xml"], ["scan", "--as", "x", "--check", "-o", "y"], ["scan", "--as", "x", "-p", "y"]], ids=" ".join)
def test_wrong_usage_is_2(args, tmp_path):
    status, out, err = pgvigil(*args, cwd=tmp_path)
    assert status == 2 and err and out == "", (out, err)


def told_commands():
    """The commands that --help lists: what a shell's completion reads."""
    _, out, _ = pgvigil("--help")
    listed = re.search(r"^Commands:\n((?:  \S.*\n)+)", out, re.M).group(1)
    return re.findall(r"^  (\S+) +\S", listed, re.M)


def test_every_command_is_told_and_tested():
    assert told_commands() == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_page_with_every_option(command):
    """What --help lists the page has, and the other way round; the pages that list commands list it."""
    page = (harness.ROOT / "man" / ("pgvigil-%s.1" % command)).read_text(encoding="utf-8").replace("\\-", "-")
    assert page.startswith(".TH PGVIGIL-%s 1 " % command.upper()) and "pgvigil-%s - " % command in page
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"):
        assert "\n.SH %s\n" % section in page, section
    helps = [pgvigil(command, "--help")[1]]
    if command == "audit":  # each of its subcommands has options of its own, and some a page
        helps += [pgvigil(command, sub, "--help")[1] for sub in re.findall(r"^  ([a-z-]+)  ", helps[0], re.M)
                  if sub not in ("search", "report", "follow", "index", "export")]
        assert len(helps) > 1
    listed = {option for text in helps for option in re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.M)} - {"--help", "--version"}
    described = set(re.findall(r"^\.(?:BR?|TP) .*?(--[a-z-]+)", page[page.index("\n.SH DESCRIPTION"):], re.M))
    assert listed <= described, listed - described
    for option in set(re.findall(r"--[a-z-]+", page)) - listed:
        assert any(option in pgvigil(other, "--help")[1] for other in COMMANDS), option
    assert ".BR pgvigil-%s (1)" % command in (harness.ROOT / "man" / "pgvigil.1").read_text(encoding="utf-8").replace("\\-", "-")
    assert "| `pgvigil %s" % command in (harness.ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_version():
    status, out, _ = pgvigil("--version")
    assert status == 0 and re.search(r"\d+\.\d+\.\d+", out)


@pytest.mark.parametrize("command", ["serve", "check", "explain", "deploy"])
def test_missing_configuration_cannot_be_done(command, tmp_path):
    more = ["--user", "x", "SELECT 1"] if command == "explain" else ["--database", "x", "--as", "host=127.0.0.1 port=1"] if command == "deploy" else []
    status, out, err = pgvigil(command, "-c", tmp_path / "none.cfg", *more)
    assert status in (1, 3) and "none.cfg" in out + err


# ---- check -----------------------------------------------------------------------------------------------------------------

def test_check_of_the_clinic_is_fine(stack):
    done = stack.command("check", "-c", stack.config_file, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    done = stack.command("check", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr


def bad_policy(tmp_path, text):
    path = tmp_path / "bad.cfg"
    path.write_text(text, encoding="utf-8")
    return pgvigil("check", "--policy", path)


BAD = {
    "syntax": ('tables = (\n  { name = "public.t" columns = }\n);\n', ["bad.cfg:2:"]),
    "unknown key": ('tables = ( { name = "public.t"; colums = { a = [ "x" ]; }; } );\n', ["bad.cfg:1:", "colums"]),
    "unknown role": ('missions = ( { name = "care"; title = "t"; purpose = "TREAT"; } );\nroles = ( { name = "nurse"; missions = [ "care" ]; } );\ntables = ( { name = "public.t"; columns = { a = [ "x" ]; }; } );\n'
                     'rules = (\n  { roles = [ "nrse" ]; missions = [ "care" ]; tables = [ "public.t" ]; columns = { a = "show"; }; } );\n', ["bad.cfg:5:", "nrse"]),
    "two rules": ('missions = ( { name = "care"; title = "t"; purpose = "TREAT"; } );\nroles = ( { name = "nurse"; missions = [ "care" ]; } );\ntables = ( { name = "public.t"; columns = { a = [ "x" ]; }; } );\n'
                  'rules = (\n  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.t" ]; columns = { a = "show"; }; },\n'
                  '  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.t" ]; columns = { a = "hide"; }; } );\n', ["bad.cfg:6:", "public.t"]),
    "unknown mask": ('missions = ( { name = "care"; title = "t"; purpose = "TREAT"; } );\nroles = ( { name = "nurse"; missions = [ "care" ]; } );\ntables = ( { name = "public.t"; columns = { a = [ "x" ]; }; } );\n'
                     'rules = ( { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.t" ];\n columns = { a = "shwo"; }; } );\n', ["bad.cfg:5:", "shwo"]),
    "placeholder": ('missions = ( { name = "care"; title = "t"; purpose = "TREAT"; } );\nroles = ( { name = "nurse"; missions = [ "care" ]; } );\ntables = ( { name = "public.t"; columns = { a = [ "x" ]; }; } );\n'
                    'rules = ( { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.t" ];\n rows = "t.x = :user.nothing"; columns = { a = "show"; }; } );\n', ["bad.cfg:5:", "nothing"]),
    "expression": ('missions = ( { name = "care"; title = "t"; purpose = "TREAT"; } );\nroles = ( { name = "nurse"; missions = [ "care" ]; } );\ntables = ( { name = "public.t"; columns = { a = [ "x" ]; }; } );\n'
                   'rules = ( { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.t" ];\n rows = "t.x = = 3"; columns = { a = "show"; }; } );\n', ["bad.cfg:5:"]),
    "writable masked": ('masks = { m = "left(:col, 1)"; };\nmissions = ( { name = "care"; title = "t"; purpose = "TREAT"; } );\nroles = ( { name = "nurse"; missions = [ "care" ]; } );\ntables = ( { name = "public.t"; columns = { a = [ "x" ]; }; } );\n'
                        'rules = ( { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.t" ]; columns = { a = "m"; };\n update = [ "a" ]; } );\n', ["bad.cfg:6:"]),
    "user without role": ('missions = ( { name = "care"; title = "t"; purpose = "TREAT"; } );\nroles = ( { name = "nurse"; missions = [ "care" ]; } );\nusers = (\n  { name = "u"; auth = "cert"; certificate_cn = "x"; roles = [ ]; } );\n', ["bad.cfg:4:"]),
    "certificate twice": ('missions = ( { name = "care"; title = "t"; purpose = "TREAT"; } );\nroles = ( { name = "nurse"; missions = [ "care" ]; } );\nusers = (\n  { name = "u"; auth = "cert"; certificate_cn = "x"; roles = [ "nurse" ]; },\n'
                          '  { name = "v"; auth = "cert"; certificate_cn = "x"; roles = [ "nurse" ]; } );\n', ["bad.cfg:5:", '"x"']),
    "break glass": ('missions = ( { name = "e"; title = "t"; purpose = "ETREAT";\n break_glass = { reason_min = 20; minutes = 60; require = [ "ward" ]; }; } );\n', ["bad.cfg:", '"ward"', '"patient"']),
    "break glass by default": ('missions = ( { name = "e"; break_glass = { reason_min = 20; minutes = 60; }; }, { name = "m"; } );\nroles = (\n{ name = "r"; missions = [ "e", "m" ]; default = "e"; } );\n',
                               ["bad.cfg:3:", "break-glass"]),
}


@pytest.mark.parametrize("name", BAD)
def test_check_tells_file_and_line(name, tmp_path):
    text, wanted = BAD[name]
    status, out, err = bad_policy(tmp_path, text)
    assert status == 1, (out, err)
    for word in wanted:
        assert word in out + err, (word, out, err)


def test_check_tells_everything_at_once(tmp_path):
    text = 'tables = (\n { name = "public.t"; colums = 1; },\n { name = "nodot"; columns = { a = [ "x" ]; }; }\n);\nroles = (\n { name = "r"; missions = [ "nothing" ]; } );\n'
    status, out, err = bad_policy(tmp_path, text)
    lines = set(re.findall(r"bad\.cfg:(\d+):", out + err))
    assert status == 1 and {"2", "6"} <= lines, (out, err)


def test_check_database_finds_what_is_wrong(make_stack):
    own = make_stack(serve=False, deploy=False, extra_policy=[("99-wrong.cfg", """
tables = ( { name = "public.not_there"; columns = { a = [ "x" ]; }; }, { name = "public.staff_salaries"; columns = { pay = [ "id", "gorss" ]; }; } );
masks = { unsteady = "to_char(now(), :col)"; };
rules = ( { roles = [ "auditor" ]; missions = [ "audit" ]; tables = [ "public.staff_salaries" ]; rows = "staff_salaries.gross > 'x'::int[]"; columns = { pay = "show"; }; } );
""")])
    own.cluster.sql(own.databases["records"], "GRANT SELECT ON public.documents TO PUBLIC;")
    done = own.command("check", "-c", own.config_file, "--database", "records", "--as", own.dba(), check=False)
    text = done.stdout + done.stderr
    assert done.returncode == 1, text
    for word in ("not_there", "gorss", "99-wrong.cfg:", "preferences", "documents", "PUBLIC"):
        assert word in text, (word, text)
    # Its twin: the clinic as it is has none of these, but says that preferences is in no category.
    clean = make_stack(serve=False)
    done = clean.command("check", "-c", clean.config_file, "--database", "records", "--as", clean.dba(), check=False)
    assert "not_there" not in done.stdout + done.stderr and "PUBLIC" not in done.stdout + done.stderr
    assert "preferences" in done.stdout + done.stderr


def test_check_database_finds_tables_that_two_patterns_close(make_stack):
    own = make_stack(serve=False, deploy=False, extra_sql="CREATE TABLE public.pilot_wards (id int PRIMARY KEY); CREATE TABLE public.pilot_beds (id int PRIMARY KEY);", extra_policy=[("99-patterns.cfg", """
tables = ( { name = "public.pilot_w*"; columns = { pilot = [ "id" ]; }; }, { name = "public.*_wards"; columns = { pilot = [ "id" ]; }; },
           { name = "public.pilot_b*"; columns = { pilot = [ "id" ]; }; } );
rules = ( { roles = [ "auditor" ]; missions = [ "audit" ]; tables = [ "public.pilot_b*" ]; columns = { pilot = "show"; }; },
          { roles = [ "auditor" ]; missions = [ "audit" ]; tables = [ "public.pilot_*s" ]; columns = { pilot = "null"; }; } );
""")])
    done = own.command("check", "-c", own.config_file, "--database", "records", "--as", own.dba(), check=False)
    text = done.stdout + done.stderr
    assert done.returncode == 1, text
    for line in (r"error: public\.pilot_wards is closed: .*99-patterns\.cfg:2.*99-patterns\.cfg:2",
                 r"error: public\.pilot_beds is closed for auditor/audit: .*99-patterns\.cfg:4.*99-patterns\.cfg:5"):
        assert re.search(line, text), text
    assert "pilot_wards is in no file" not in text
    # Its twin: an entry and a rule that name them are all it needs.
    path = own.policy / "99-patterns.cfg"
    path.write_text(path.read_text().replace('"public.pilot_w*"', '"public.pilot_wards"').replace(
        'tables = [ "public.pilot_b*" ]', 'tables = [ "public.pilot_beds" ]'))
    done = own.command("check", "-c", own.config_file, "--database", "records", "--as", own.dba(), check=False)
    assert "is closed" not in done.stdout + done.stderr, done.stdout


# ---- explain ---------------------------------------------------------------------------------------------------------------

def test_explain_allows(stack):
    done = stack.command("explain", "-c", stack.config_file, "--user", "nurse1", "SELECT family_name FROM patients WHERE id = 3", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("allow", "public.patients", "family_name", "40-rules-care.cfg:", "pgvigil:nurse/care@"):
        assert word in done.stdout, (word, done.stdout)


@pytest.mark.parametrize("sql,word", [("SELECT * FROM staff_salaries", "staff_salaries"), ("DELETE FROM patients", "may not be deleted"), ("SELECT pg_read_file('x')", "pg_read_file")])
def test_explain_refuses(sql, word, stack):
    done = stack.command("explain", "-c", stack.config_file, "--user", "nurse1", sql, check=False)
    assert done.returncode == 1 and word in done.stdout + done.stderr


def test_explain_names_hidden_columns(stack):
    """A hidden column does not exist, and the refusal says that it is the policy's doing; explain says which ones are hidden."""
    done = stack.command("explain", "-c", stack.config_file, "--user", "nurse1", "SELECT nir FROM patients", check=False)
    assert done.returncode == 1 and 'hides column "nir"' in done.stdout
    done = stack.command("explain", "-c", stack.config_file, "--user", "nurse1", "SELECT id FROM patients", check=False)
    assert re.search(r"hidden\s+nir, preferences", done.stdout), done.stdout
    view = done.stdout[done.stdout.index("view"):done.stdout.index("runs as")]
    assert "nir" not in view and "family_name" in view


def test_explain_agrees_with_serve(stack):
    statements = ["SELECT count(*) FROM patients", "SELECT * FROM invoices", "SELECT id FROM wards", "SELECT * FROM prescriptions", "SELECT now()", "SHOW ALL", "EXPLAIN SELECT 1", "BEGIN", "SELECT pg_backend_pid()"]
    for user in ("nurse1", "reception1", "research1"):
        with stack.connect(user) as c:
            for text in statements:
                explained = stack.command("explain", "-c", stack.config_file, "--user", user, text, check=False).returncode == 0
                try:
                    c.execute(text)
                    ran = True
                except psycopg.Error:
                    ran = False
                c.pgconn.exec_(b"ROLLBACK")
                assert explained == ran, (user, text)


def test_explain_of_nobody(stack):
    done = stack.command("explain", "-c", stack.config_file, "--user", "nobody", "SELECT 1", check=False)
    assert done.returncode in (1, 2, 3) and "nobody" in done.stderr + done.stdout


# ---- passwd ----------------------------------------------------------------------------------------------------------------

def test_passwd_makes_a_secret_that_logs_in(make_stack):
    status, out, err = pgvigil("passwd", text="un mot de passe\n")
    assert status == 0, err
    secret = out.strip().splitlines()[-1]
    assert re.fullmatch(r"SCRAM-SHA-256\$4096:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}", secret)
    own = make_stack(extra_policy=[("60-more.cfg", 'users = ( { name = "nouveau"; auth = "scram"; roles = [ "biller" ]; secret = "%s"; } );\n' % secret)])
    with own.connect("nouveau", password="un mot de passe") as c:
        assert c.execute("SELECT count(*) FROM wards").fetchone() == (12,)
    with pytest.raises(psycopg.OperationalError):
        own.connect("nouveau", password="un autre mot de passe")


def test_passwd_refuses_nothing():
    status, out, err = pgvigil("passwd", text="\n")
    assert status in (1, 2, 3) and "SCRAM" not in out and err


def test_passwd_salts_differ():
    assert pgvigil("passwd", text="x y z\n")[1] != pgvigil("passwd", text="x y z\n")[1]


# ---- serve -----------------------------------------------------------------------------------------------------------------

def test_serve_with_a_bad_policy_does_not_start(make_stack, tmp_path):
    own = make_stack(serve=False, deploy=False)
    (own.policy / "99-bad.cfg").write_text("roles = ( { name = \"x\"; missions = [ \"none\" ]; } );\n")
    status, _, err = pgvigil("serve", "-c", own.config_file)
    assert status in (1, 3) and "99-bad.cfg:1:" in err


def test_serve_on_a_port_in_use_cannot_be_done(stack):
    status, _, err = pgvigil("serve", "-c", stack.config_file)
    assert status == 3 and err


def test_as_for_another_database_is_refused_and_without_one_takes_the_right_one(make_stack):
    """Guards in the wrong database protect nothing, and nothing would say so."""
    own = make_stack(serve=False)
    real = own.databases["records"]
    other = own.cluster.conninfo("postgres", "postgres", harness.SUPER_PASSWORD)
    for command in ("deploy", "check"):
        more = ["--dry-run"] if command == "deploy" else []
        done = own.command(command, "-c", own.config_file, "--database", "records", "--as", other, *more, check=False)
        assert done.returncode == 2, done.stdout + done.stderr
        assert '"postgres"' in done.stderr and '"%s"' % real in done.stderr and "CREATE" not in done.stdout
    nameless = " ".join(word for word in own.dba().split() if not word.startswith("dbname="))
    assert nameless != own.dba()
    done = own.command("deploy", "-c", own.config_file, "--database", "records", "--as", nameless)
    assert "nothing to do" in done.stdout, done.stdout
