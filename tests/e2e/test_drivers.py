"""
Drivers, unchanged: psql, psycopg 3 (text, binary, pipeline, server-side prepared), node-pg, JDBC, each through TLS with SCRAM, and one with a
certificate. Two comparisons: an unrestricted role through pgvigil against the same login on PostgreSQL directly, equal in all that the
driver shows; a restricted role against what it may see.
"""
import glob
import os
import pathlib
import re
import shutil
import subprocess

import harness
import psycopg
import pytest

HERE = pathlib.Path(__file__).resolve().parent
NODE_PATH = os.environ.get("NODE_PATH", "/usr/share/nodejs")
JDBC = os.environ.get("PGVIGIL_JDBC", "/usr/share/java/postgresql.jar")


def direct_info(stack):
    return {"host": "127.0.0.1", "port": stack.cluster.port, "dbname": stack.databases["records"], "user": "pgvigil_dba", "password": harness.DBA_PASSWORD}


def through_info(stack, user="admin1"):
    return {"host": "127.0.0.1", "port": stack.port, "dbname": "records", "user": user, "password": user + "-demo"}


def run(args, env=None, timeout=120):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout, done.stderr


def neutral(stack, text):
    """Database names and ports aside."""
    text = text.replace(stack.databases["records"], "records").replace("pgvigil_dba", "USER").replace("admin1", "USER")
    return text.replace(str(stack.port), "PORT").replace(str(stack.cluster.port), "PORT")


# ---- psql ---------------------------------------------------------------------------------------------------------------

def psql(stack, info, *commands, sslmode="verify-full", env=None, extra=""):
    conninfo = " ".join("%s=%s" % (k, v) for k, v in info.items() if v != "") + " sslmode=%s sslrootcert=%s %s" % (sslmode, stack.certs.ca, extra)
    args = [harness.PG_BIN / "psql", "-X", "-d", conninfo]
    for command in commands:
        args += ["-c", command]
    return run(args, env=env)


PSQL = [
    "SELECT id, name, beds FROM wards ORDER BY id", "SELECT * FROM patients ORDER BY id LIMIT 7", "\\x on", "SELECT count(*), sex FROM patients GROUP BY sex ORDER BY sex", "\\d wards", "\\d patients", "\\d+ stays", "\\dt", "\\dt+ wards", "\\dn", "\\df app.*",
    "\\dv", "\\d patient_stays", "\\di", "\\dT app.*", "\\d observations", "\\dm", "\\l records", "\\du pgvigil_dba", "\\dp wards", "\\sf app.bmi", "SELECT nothing FROM wards", "SELECT 1/0", "\\gdesc", "SELECT 1 AS a \\; SELECT 2 AS b", "SHOW server_version", "\\encoding", "\\copy (SELECT id FROM wards ORDER BY id) TO STDOUT",
    "EXPLAIN (COSTS OFF) SELECT id FROM wards", "BEGIN; SELECT 1; ROLLBACK",
]


@pytest.mark.parametrize("command", PSQL)
def test_psql_unrestricted_sees_what_a_direct_connection_sees(command, stack):
    through = psql(stack, through_info(stack), command)
    direct = psql(stack, direct_info(stack), command)
    assert [neutral(stack, x) if isinstance(x, str) else x for x in through] == [neutral(stack, x) if isinstance(x, str) else x for x in direct]
    assert direct[1] or direct[2] or command in ("\\x on", "\\gdesc")


def test_psql_by_certificate(stack):
    extra = "sslcert=%s sslkey=%s" % (stack.certs.lab, stack.certs.lab_key)
    info = dict(through_info(stack, "svc-lab"), password="")
    status, out, err = psql(stack, info, "SELECT count(*), min(sex::text) FROM patients", "SELECT birth_date FROM patients WHERE extract(month FROM birth_date) <> 1", extra=extra)
    assert status == 0 and "600" in out and "(0 rows)" in out, err
    # Its twins: no certificate, another's certificate, and a certificate for a user who has a password.
    status, out, err = psql(stack, info, "SELECT 1", env={"PGPASSWORD": "svc-lab-demo"})
    assert status == 2 and "FATAL" in err
    cert, key = stack.certs.issue("other", "other.clinic.example")
    status, out, err = psql(stack, info, "SELECT 1", extra="sslcert=%s sslkey=%s" % (cert, key), env={"PGPASSWORD": "x"})
    assert status == 2 and "FATAL" in err
    status, out, err = psql(stack, dict(through_info(stack, "nurse1"), password=""), "SELECT 1", extra=extra, env={"PGPASSWORD": "x"})
    assert status == 2 and "FATAL" in err
    strange = harness.Certificates(stack.folder / "strange")
    status, out, err = psql(stack, info, "SELECT 1", extra="sslcert=%s sslkey=%s" % (strange.lab, strange.lab_key), env={"PGPASSWORD": "x"})
    assert status == 2


def test_certificate_and_password_together(make_stack):
    """auth = "cert+scram": either alone is not enough."""
    secret = "SCRAM-SHA-256$4096:6Vdd688XKZjKuDTo0WIbHw==$KRPbOUjlsg4s3RPmkXH49eZZeVy9vFv/iKjkd2vWlvA=:c4bocRyttz+yEBEYbHvEH533SWn9ef5n8RaC5+XtOJM="  # nurse1-demo
    own = make_stack(extra_policy=[("60-both.cfg", 'users = ( { name = "both"; auth = "cert+scram"; certificate_cn = "both.clinic.example"; secret = "%s"; roles = [ "biller" ]; } );\n' % secret)])
    cert, key = own.certs.issue("both", "both.clinic.example")
    with own.connect("both", password="nurse1-demo", sslcert=str(cert), sslkey=str(key)) as c:
        assert c.execute("SELECT count(*) FROM wards").fetchone() == (12,)
    (record,) = [r for r in own.audit_records() if r.get("event") == "connect" and r.get("login") == "both"]
    assert record["auth"].startswith("cert+scram-sha-256")
    for more in ({"password": "wrong", "sslcert": str(cert), "sslkey": str(key)}, {"password": "nurse1-demo"},
                 {"password": "nurse1-demo", "sslcert": str(own.certs.lab), "sslkey": str(own.certs.lab_key)}):
        with pytest.raises(psycopg.OperationalError):
            own.connect("both", **more)


def test_psql_channel_binding_is_used_when_required(stack):
    status, out, err = psql(stack, through_info(stack), "SELECT 1", extra="channel_binding=require")
    assert status == 0, err
    status, out, err = psql(stack, through_info(stack), "SELECT 1", extra="channel_binding=disable")
    assert status == 0, err


def test_psql_wrong_password_and_unknown_database(stack):
    status, _, err = psql(stack, dict(through_info(stack), password="wrong"), "SELECT 1")
    assert status == 2 and 'password authentication failed for user "admin1"' in err
    status, _, err = psql(stack, dict(through_info(stack), dbname="nothing"), "SELECT 1")
    assert status == 2 and "nothing" in err and "FATAL" in err
    status, _, err = psql(stack, through_info(stack), "SELECT 1", sslmode="disable")
    assert status == 2 and "FATAL" in err


def test_psql_nurse_sees_her_wards_and_no_number(stack):
    status, out, err = psql(stack, through_info(stack, "nurse1"), "SELECT * FROM patients")
    assert status == 0 and "family_name" in out and "nir" not in out, err
    status, out, _ = psql(stack, through_info(stack, "nurse1"), "\\d patients")
    assert status == 0 and "family_name" in out and " nir " not in out and "preferences" not in out
    status, out, _ = psql(stack, through_info(stack, "nurse1"), "\\dt")
    assert status == 0 and "patients" in out and "staff_salaries" not in out and "invoices" not in out
    status, out, _ = psql(stack, through_info(stack, "reception1"), "\\d stays")
    assert status == 0 and "admitted_at" in out and "diagnosis" not in out
    status, _, err = psql(stack, through_info(stack, "nurse1"), "SELECT nir FROM patients")
    assert status == 1 and "nir" in err
    status, _, err = psql(stack, through_info(stack, "nurse1"), "SELECT * FROM staff_salaries")
    assert status == 1 and "staff_salaries" in err and "nurse" in err


@pytest.mark.parametrize("command", ["\\d", "\\d wards", "\\d+ patients", "\\dt", "\\dt+", "\\dn", "\\dn+", "\\df app.*", "\\l", "\\l+", "\\dv", "\\d patient_stays", "\\dm", "\\di", "\\dT app.*", "\\dT+", "\\du", "\\dp", "\\ds", "\\dx", "\\do", "\\dC", "\\d observations", "\\dP", "\\dd", "\\dD", "\\dO", "\\conninfo", "\\encoding"])
@pytest.mark.parametrize("user", ["nurse1", "research1"])
def test_psql_describes_for_a_restricted_role(command, user, stack):
    status, out, err = psql(stack, through_info(stack, user), command)
    assert status == 0, err
    for hidden in ("staff_salaries", "pgvigil:", "pgvigil_owner", "preferences"):
        assert hidden not in out, out
    if command in ("\\d wards", "\\d", "\\dt", "\\dn", "\\l", "\\df app.*", "\\dT app.*"):
        assert re.search(r"beds|wards|public|records|bmi|age|sex|UTF8", out) or user == "research1", out


# ---- psycopg ------------------------------------------------------------------------------------------------------------

READS = [
    ("SELECT id, name, beds FROM wards ORDER BY id", ()), ("SELECT * FROM patients ORDER BY id LIMIT 20", ()), ("SELECT id, name FROM wards WHERE id = %s OR name = %s ORDER BY id", (3, "Neurologie")),
    ("SELECT p.id, p.birth_date, s.admitted_at, l.value, l.abnormal FROM patients p JOIN stays s ON s.patient_id = p.id JOIN lab_results l ON l.stay_id = s.id WHERE p.id < %s ORDER BY p.id, s.id, l.id", (40,)),
    ("SELECT array_agg(id ORDER BY id), jsonb_build_object('n', count(*)), now() - now(), 1.5::numeric, 2.5::float8, NULL::text, '\\x00ff'::bytea, true FROM wards", ()), ("SELECT %s::int[] || id FROM wards ORDER BY id", ([1, 2],)),
    ("SELECT preferences, allergies, sex, nir FROM patients ORDER BY id LIMIT 9", ()), ("SELECT count(*) FROM observations WHERE taken_on > %s", ("2024-01-01",)), ("SELECT", ()), ("SELECT repeat('é', 100000)", ()),
]


def psycopg_answers(connection, binary=False, prepare=None):
    answers = []
    for sql, params in READS:
        cursor = connection.cursor(binary=binary)
        cursor.execute(sql, params or None, prepare=prepare)
        answers.append(([(c.name, c.type_code, c.internal_size, c.precision, c.scale) for c in cursor.description or []], cursor.fetchall() if cursor.description else None, cursor.statusmessage))
    return answers


def pipeline_answers(connection):
    with connection.pipeline():
        cursors = []
        for sql, params in READS * 3:
            cursor = connection.cursor()
            cursor.execute(sql, params or None)
            cursors.append(cursor)
    return [c.fetchall() if c.description else None for c in cursors]


@pytest.mark.parametrize("way", ["text", "binary", "prepared", "never prepared", "pipeline", "auto prepared"])
def test_psycopg_reads_what_a_direct_connection_reads(way, stack):
    answers = []
    for open_one in (lambda: stack.connect("admin1"), lambda: stack.direct()):
        with open_one() as connection:
            if way == "pipeline":
                answers.append(pipeline_answers(connection))
            elif way == "auto prepared":  # past the threshold of five executions
                answers.append([psycopg_answers(connection) for _ in range(8)][-1])
            else:
                answers.append(psycopg_answers(connection, binary=way == "binary", prepare={"prepared": True, "never prepared": False}.get(way)))
    assert answers[0] == answers[1]
    assert len(answers[0]) >= len(READS)


def test_psycopg_raw_query_cursor_and_server_cursor_for_unrestricted(stack):
    for open_one in (lambda: stack.connect("admin1", autocommit=False), lambda: stack.direct(autocommit=False)):
        with open_one() as connection:
            with connection.cursor(name="server side") as cursor:
                cursor.itersize = 100
                cursor.execute("SELECT id FROM stays ORDER BY id")
                assert [r[0] for r in cursor] == list(range(1, 1201))
            with connection.cursor().copy("COPY wards (id) TO STDOUT") as copy:
                assert len(b"".join(copy).split()) == 12


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("prepare", [None, True, False])
def test_psycopg_restricted_reads(binary, prepare, stack):
    with stack.connect("nurse1") as nurse, stack.superuser() as c:
        expected = c.execute("SELECT id, family_name, birth_date FROM patients WHERE ward_id IN (1, 2) ORDER BY id").fetchall()
        for _ in range(7):
            cursor = nurse.cursor(binary=binary)
            cursor.execute("SELECT id, family_name, birth_date FROM patients WHERE id > %s ORDER BY id", (0,), prepare=prepare)
            assert cursor.fetchall() == expected and len(expected) > 50
            with pytest.raises(psycopg.errors.UndefinedColumn):
                cursor.execute("SELECT nir FROM patients WHERE id > %s", (0,), prepare=prepare)


def test_psycopg_restricted_pipeline(stack):
    with stack.connect("nurse1") as nurse:
        with nurse.pipeline():
            cursors = [nurse.execute("SELECT count(*) + %s FROM wards", (n,)) for n in range(50)]
        assert [c.fetchone()[0] for c in cursors] == [12 + n for n in range(50)]
        with pytest.raises(psycopg.errors.UndefinedColumn):
            with nurse.pipeline():
                nurse.execute("SELECT 1")
                nurse.execute("SELECT nir FROM patients")
                nurse.execute("SELECT 2")
        assert nurse.execute("SELECT 3").fetchone() == (3,)


def test_psycopg_transactions_and_mission(stack):
    with stack.connect("dr.martin") as doctor:
        assert doctor.execute("SHOW pgvigil.mission").fetchone() == ("care",)
        care = doctor.execute("SELECT count(*) FROM patients").fetchone()[0]
        doctor.execute("SET pgvigil.mission = 'research'")
        research = doctor.execute("SELECT count(*) FROM patients").fetchone()[0]
        assert care < research and care > 0
        with pytest.raises(psycopg.errors.UndefinedColumn):
            doctor.execute("SELECT family_name FROM patients")
        doctor.execute("RESET pgvigil.mission")
        assert doctor.execute("SHOW pgvigil.mission").fetchone() == ("care",)
        assert doctor.execute("SELECT count(*) FROM patients").fetchone()[0] == care
        with doctor.transaction():
            doctor.execute("SET LOCAL pgvigil.mission = 'research'")
            assert doctor.execute("SELECT count(*) FROM patients").fetchone()[0] == research
        assert doctor.execute("SELECT count(*) FROM patients").fetchone()[0] == care
    with stack.connect("dr.martin", mission="research") as doctor:
        assert doctor.execute("SELECT count(*) FROM patients").fetchone()[0] == research
    with pytest.raises(psycopg.OperationalError):
        stack.connect("nurse1", mission="research")
    with stack.connect("nurse2", role="receptionist", mission="admission") as both:
        assert both.execute("SELECT count(*) FROM patients").fetchone() == (600,)


def test_prepared_statement_is_judged_again_when_the_mission_changes(stack):
    with stack.connect("dr.martin") as doctor:
        query = "SELECT family_name FROM patients WHERE id > %s"
        assert doctor.execute(query, (0,), prepare=True).fetchall()
        doctor.execute("SET pgvigil.mission = 'research'")
        with pytest.raises(psycopg.Error):
            doctor.execute(query, (0,), prepare=True)
        doctor.execute("SET pgvigil.mission = 'care'")
        assert doctor.execute(query, (0,), prepare=True).fetchall()


# ---- node-pg and JDBC ---------------------------------------------------------------------------------------------------

def node(stack, info, kind=""):
    if not shutil.which("node"):
        pytest.skip("NODE IS NOT INSTALLED: apt-get install nodejs node-pg (scripts/test does)")
    if not glob.glob(NODE_PATH.split(":")[0] + "/pg/package.json"):
        pytest.skip("NODE-PG IS NOT INSTALLED: apt-get install node-pg (scripts/test does)")
    return run(["node", HERE / "test_drivers_node.js", info["host"], info["port"], info["dbname"], info["user"], info["password"], stack.certs.ca, kind], env={"NODE_PATH": NODE_PATH})


def java(stack, info, kind=""):
    if not shutil.which("java") or not os.path.exists(JDBC):
        pytest.skip("JAVA OR ITS DRIVER IS NOT INSTALLED: apt-get install default-jdk-headless libpostgresql-jdbc-java (scripts/test does)")
    scram = [p for name in ("scram-client", "scram-common", "stringprep", "saslprep", "ongres-scram-client", "ongres-scram-common", "ongres-stringprep", "ongres-saslprep") for p in glob.glob("/usr/share/java/%s.jar" % name)]
    url = "jdbc:postgresql://%s:%s/%s?sslmode=verify-full&sslrootcert=%s" % (info["host"], info["port"], info["dbname"], stack.certs.ca)
    return run(["java", "-cp", ":".join([JDBC] + scram), HERE / "test_drivers_java.java", url, info["user"], info["password"], kind], timeout=180)


@pytest.mark.parametrize("driver", [node, java], ids=["node-pg", "JDBC"])
def test_driver_reads_what_a_direct_connection_reads(driver, stack):
    through = driver(stack, through_info(stack))
    assert through[0] == 0, through[2]
    direct = driver(stack, direct_info(stack))
    assert direct[0] == 0, direct[2]
    assert neutral(stack, through[1]).splitlines() == neutral(stack, direct[1]).splitlines()
    assert len(direct[1]) > 3000


def test_node_restricted(stack):
    info = through_info(stack, "nurse1")
    status, out, err = node(stack, info, "restricted")
    assert status == 0, err
    assert "NOT REFUSED" not in out and out.count("refused") == 3 and "Cardiologie" in out


def test_jdbc_restricted(stack):
    status, out, err = java(stack, through_info(stack, "nurse1"), "restricted")
    assert status == 0, err
    assert "NOT REFUSED" not in out and out.count("refused") == 3
    assert "column patients family_name text" in out and "nir" not in out and "staff_salaries" not in out
    assert "table wards TABLE" in out and "key id" in out


def test_every_login_of_the_clinic_works(stack):
    for user in ("dr.martin", "nurse1", "nurse2", "reception1", "billing1", "research1", "audit1", "admin1"):
        with stack.connect(user) as c:
            assert c.execute("SELECT count(*) FROM wards").fetchone() == (12,), user
