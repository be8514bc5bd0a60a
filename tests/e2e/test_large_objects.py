"""
Large objects, for roles whose `allow` has "large-objects": psql, libpq, psycopg2 and JDBC do with them what they do on PostgreSQL, by SQL and
by the function-call message. Without the word nothing of it works; the objects' own rights part the pairs.
"""
import os
import pathlib
import re

import harness
import psycopg
import pytest
import wire
from psycopg import pq
from test_drivers import JDBC, psql, run, through_info
from test_function_call import call

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = """
CREATE TABLE public.images (id int PRIMARY KEY, patient int, content oid);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.images TO pgvigil_owner;
"""
# Two roles have the word, a third has the same rule and not the word.
POLICY = """
tables = ( { name = "public.images"; columns = { all = [ "id", "patient", "content" ]; }; } );
missions = ( { name = "imaging"; } );
roles = ( { name = "imager"; missions = [ "imaging" ]; default = "imaging"; allow = [ "large-objects" ]; },
          { name = "viewer"; missions = [ "imaging" ]; default = "imaging"; allow = [ "large-objects" ]; },
          { name = "plain"; missions = [ "imaging" ]; default = "imaging"; } );
rules = ( { roles = [ "imager", "viewer", "plain" ]; missions = [ "imaging" ]; tables = [ "public.images" ]; columns = { all = "show"; };
            insert = [ "all" ]; update = [ "all" ]; delete = true; } );
users = ( { name = "both1"; auth = "scram"; secret = "@5"; roles = [ "imager", "viewer" ]; },
          { name = "imager1"; auth = "scram"; secret = "@1"; roles = [ "imager" ]; }, { name = "imager2"; auth = "scram"; secret = "@2"; roles = [ "imager" ]; },
          { name = "viewer1"; auth = "scram"; secret = "@3"; roles = [ "viewer" ]; }, { name = "plain1"; auth = "scram"; secret = "@4"; roles = [ "plain" ]; } );
"""
PEOPLE = ("imager1", "imager2", "viewer1", "plain1", "both1")


def policy():
    from test_function_call import secret_of
    text = POLICY
    for number, user in enumerate(PEOPLE, 1):
        text = text.replace("@%d" % number, secret_of(harness.password_of(user)))
    return text


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=SCHEMA, extra_policy=[("90-images.cfg", policy())])


@pytest.fixture(scope="module")
def oracle(stack):
    """PostgreSQL itself, for somebody who owns what she makes."""
    stack.cluster.create("objects_oracle", stack.cluster.template(extra_sql=SCHEMA), "CREATE ROLE object_person LOGIN PASSWORD 'p'; GRANT ALL ON public.images TO object_person;")
    yield lambda: stack.cluster.direct("objects_oracle", "object_person", "p", autocommit=True)
    with stack.cluster.superuser("objects_oracle") as c:
        c.execute("DROP OWNED BY object_person CASCADE; DROP ROLE object_person")
    stack.cluster.drop("objects_oracle")


def answer(connection, sql):
    result = connection.pgconn.exec_(sql.encode())
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        return tuple(result.error_field(f).decode() for f in (pq.DiagnosticField.SQLSTATE, pq.DiagnosticField.MESSAGE_PRIMARY))
    return (result.command_status, [result.fname(i) for i in range(result.nfields)],
            [[result.get_value(r, i) for i in range(result.nfields)] for r in range(result.ntuples)])


PROGRAMS = [
    ["SELECT lo_create(770001)", "SELECT lo_put(770001, 0, '\\x010203')", "SELECT lo_put(770001, 5, '\\xff')", "SELECT lo_get(770001)", "SELECT lo_get(770001, 1, 2)",
     "SELECT lo_unlink(770001)", "SELECT lo_get(770001)"],
    ["SELECT lo_from_bytea(770002, 'abcdef')", "BEGIN", "SELECT lo_open(770002, 393216)", "SELECT loread(0, 3)", "SELECT lo_tell(0), lo_tell64(0)", "SELECT lo_lseek(0, 1, 0)",
     "SELECT lowrite(0, 'XY')", "SELECT lo_lseek64(0, -1, 2)", "SELECT loread(0, 9)", "SELECT lo_truncate(0, 4)", "SELECT lo_close(0)", "COMMIT", "SELECT lo_get(770002)",
     "BEGIN", "SELECT lo_open(770002, 131072)", "SELECT lo_truncate64(0, 2)", "COMMIT", "SELECT lo_get(770002)", "SELECT lo_unlink(770002)"],
    ["BEGIN", "SELECT lo_from_bytea(770003, 'x')", "ROLLBACK", "SELECT lo_get(770003)"],
    ["SELECT lo_open(770099, 131072)", "SELECT lo_close(3)", "SELECT loread(0, 1)", "SELECT lo_put(770099, 0, 'x')"],
    ["INSERT INTO images VALUES (1, 1, lo_from_bytea(770004, 'picture'))", "SELECT id, lo_get(content) FROM images WHERE id = 1", "UPDATE images SET patient = 2 WHERE lo_get(content) = 'picture'",
     "SELECT lo_unlink(content) FROM images WHERE id = 1", "DELETE FROM images WHERE id = 1"],
    ["BEGIN READ ONLY", "SELECT lo_create(770005)", "ROLLBACK"],
    ["SELECT lo_get(16384 + 754617)", "SELECT lo_create(770006), lo_create(770006)"],
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p[0][:40])
def test_sql_does_what_it_does_on_postgresql(stack, oracle, program):
    with stack.connect("imager1", autocommit=True) as mine, oracle() as theirs:
        for sql in program:
            assert answer(mine, sql) == answer(theirs, sql), sql


FUNCTIONS = ["lo_creat(-1)", "lo_create(0)", "lo_open(1, 131072)", "loread(0, 1)", "lowrite(0, 'x')", "lo_lseek(0, 0, 0)", "lo_lseek64(0, 0, 0)", "lo_tell(0)", "lo_tell64(0)", "lo_truncate(0, 0)",
             "lo_truncate64(0, 0)", "lo_close(0)", "lo_unlink(1)", "lo_get(1)", "lo_get(1, 0, 1)", "lo_put(1, 0, 'x')", "lo_from_bytea(0, 'x')"]


def count_of(stack):
    with stack.superuser() as c:
        return c.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()[0]


@pytest.mark.parametrize("call_text", FUNCTIONS)
@pytest.mark.parametrize("user", ["plain1", "nurse1"])
def test_without_the_word_none_is_called(stack, call_text, user):
    before = count_of(stack)
    with stack.connect(user, autocommit=True) as c:
        got = answer(c, "SELECT " + call_text)
        assert got[0] == "42501" and "is not available" in got[1]
    with stack.superuser() as c:
        name = call_text.split("(")[0]
        oids = c.execute("SELECT oid::int8, pronargs FROM pg_proc WHERE proname = %s AND pronamespace = 'pg_catalog'::regnamespace", (name,)).fetchall()
    with wire.open_session(stack, user) as raw:
        for oid, arguments in oids:
            raw.send(call(oid, (), ["1"] * arguments))
            got = raw.until("Z")
            assert wire.error_of(got)["C"] == "42501" and not [m for m in got if m[0] == "V"]
    assert oids and count_of(stack) == before


@pytest.mark.parametrize("sql", ["SELECT lo_import('/etc/hostname')", "SELECT lo_import('/etc/hostname', 770100)", "SELECT lo_export(1, '/tmp/pgvigil-lo')", "SELECT * FROM pg_largeobject",
                                 "SELECT * FROM pg_catalog.pg_largeobject", "ALTER LARGE OBJECT 1 OWNER TO pgvigil", "GRANT SELECT ON LARGE OBJECT 1 TO PUBLIC"])
def test_with_the_word_the_servers_files_and_the_catalogs_stay_closed(stack, sql):
    with stack.connect("imager1", autocommit=True) as c:
        assert answer(c, sql)[0] in ("42501", "0A000", "42P01")
        assert c.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)
    with wire.open_session(stack, "imager1") as raw:
        for oid in (764, 767, 765):  # lo_import, lo_export
            raw.send(call(oid, (), ["/etc/hostname"] * (1 if oid == 764 else 2)))
            assert wire.error_of(raw.until("Z"))["C"] == "42501"


def test_psql_imports_and_exports(stack, tmp_path):
    """libpq's own: lo_creat, lo_open, lowrite and the rest, by the function-call message."""
    (tmp_path / "in").write_bytes(bytes(range(256)) * 900)
    status, out, err = psql(stack, through_info(stack, "imager1"), "\\lo_import '%s'" % (tmp_path / "in"), "\\lo_export :LASTOID '%s'" % (tmp_path / "out"), "\\lo_unlink :LASTOID",
                            "\\lo_export :LASTOID '%s'" % (tmp_path / "gone"))
    assert re.search(r"^lo_import \d+$", out, re.M) and "lo_export" in out and re.search(r"^lo_unlink \d+$", out, re.M), (out, err)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()
    assert "does not exist" in err
    # its twin
    before = count_of(stack)
    status, out, err = psql(stack, through_info(stack, "plain1"), "\\lo_import '%s'" % (tmp_path / "in"))
    assert "lo_import" not in out and "ERROR" in err and count_of(stack) == before


def test_psycopg2_lobject(stack):
    psycopg2 = pytest.importorskip("psycopg2")

    def connect(user):
        return psycopg2.connect(host="127.0.0.1", port=stack.port, dbname="records", user=user, password=harness.password_of(user), sslmode="verify-full", sslrootcert=str(stack.certs.ca))
    c = connect("imager1")
    picture = os.urandom(100000)
    made = c.lobject(0, "wb")
    assert made.write(picture) == len(picture)
    made.close()
    c.commit()
    again = c.lobject(made.oid, "rb")
    again.seek(10)
    assert again.read(20) == picture[10:30] and again.tell() == 30
    again.seek(0)
    assert again.read() == picture
    c.commit()
    gone = c.lobject(made.oid)
    gone.unlink()
    c.commit()
    with pytest.raises(psycopg2.Error):
        c.lobject(made.oid, "rb")
    c.close()
    c = connect("plain1")
    with pytest.raises(psycopg2.Error, match="not available"):
        c.lobject(0, "wb")
    c.close()


def java(stack, info):
    import glob
    import shutil
    if not shutil.which("java") or not os.path.exists(JDBC):
        pytest.skip("JAVA OR ITS DRIVER IS NOT INSTALLED: apt-get install default-jdk-headless libpostgresql-jdbc-java")
    scram = [p for name in ("scram-client", "scram-common", "stringprep", "saslprep", "ongres-scram-client", "ongres-scram-common", "ongres-stringprep", "ongres-saslprep") for p in glob.glob("/usr/share/java/%s.jar" % name)]
    url = "jdbc:postgresql://%s:%d/%s?sslmode=verify-full&sslrootcert=%s" % (info["host"], info["port"], info["dbname"], stack.certs.ca)
    return run(["java", "-cp", ":".join([JDBC] + scram), HERE / "test_large_objects_java.java", url, info["user"], info["password"]], timeout=180)


def test_jdbc_large_object_manager(stack):
    status, out, err = java(stack, through_info(stack, "imager1"))
    assert out.splitlines() == ["size 300000 at 300000", "part true at 6000", "size 1234", "whole true", "error 42704", "then 1"], (out, err)
    status, out, err = java(stack, through_info(stack, "plain1"))
    assert out.splitlines() == ["error 42501", "then 1"], (out, err)


def test_objects_are_the_roles_and_no_other_pairs(stack):
    """Everybody of the role reaches them; another role with the word does not, until the DBA grants it."""
    with stack.connect("imager1", autocommit=True) as maker, stack.connect("imager2", autocommit=True) as colleague, stack.connect("viewer1", autocommit=True) as other:
        (oid,) = maker.execute("SELECT lo_from_bytea(0, 'scan')").fetchone()
        assert bytes(colleague.execute("SELECT lo_get(%d)" % oid).fetchone()[0]) == b"scan"
        for sql in ("lo_get(%d)", "lo_put(%d, 0, 'x')", "lo_unlink(%d)", "lo_open(%d, 262144)"):
            assert answer(other, "SELECT " + sql % oid)[0] == "42501", sql
        with stack.superuser() as c:
            (viewer,) = c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgvigil:viewer/imaging@%'").fetchone()
            c.execute('GRANT SELECT ON LARGE OBJECT %d TO "%s"' % (oid, viewer))
        assert bytes(other.execute("SELECT lo_get(%d)" % oid).fetchone()[0]) == b"scan"
        assert answer(other, "SELECT lo_put(%d, 0, 'x')" % oid)[0] == "42501"
        maker.execute("SELECT lo_unlink(%d)" % oid)


def test_descriptor_ends_with_the_transaction(stack):
    """It is the server connection's: nobody else finds it there."""
    with stack.connect("imager1", autocommit=True) as mine:
        (oid,) = mine.execute("SELECT lo_from_bytea(0, 'scan')").fetchone()
        mine.execute("SELECT lo_open(%d, 262144)" % oid)
        for _ in range(5):
            with stack.connect("imager2", autocommit=True) as other:
                assert answer(other, "SELECT loread(0, 4)")[0] == "42704"
        mine.execute("SELECT lo_unlink(%d)" % oid)


def test_descriptor_is_not_read_in_another_role(stack):
    """PostgreSQL asks for rights when it is opened, and not again: what changes who acts ends the transaction."""
    with stack.connect("both1", autocommit=True) as c:
        (oid,) = c.execute("SELECT lo_from_bytea(0, 'scan')").fetchone()
        for opened in ("SELECT lo_open(%d, 262144)" % oid, "PREPARE o AS SELECT lo_open(%d, 262144)" % oid):
            c.execute("BEGIN")
            c.execute(opened)
            if opened.startswith("PREPARE"):
                c.execute("EXECUTE o")
            assert bytes(c.execute("SELECT loread(0, 2)").fetchone()[0]) == b"sc"
            c.execute("SET pgvigil.role = 'viewer'")
            assert answer(c, "SELECT loread(0, 2)")[0] == "25001"
            assert answer(c, "SELECT loread(0, 2)")[0] == "25P02"
            assert answer(c, "COMMIT")[0] == b"ROLLBACK"
            assert c.execute("SHOW pgvigil.role").fetchone() == ("imager",)
        # its twins: in two transactions, and without an object
        c.execute("BEGIN")
        c.execute("SELECT lo_open(%d, 262144)" % oid)
        c.execute("COMMIT")
        c.execute("BEGIN")
        c.execute("SET LOCAL pgvigil.role = 'viewer'")
        assert answer(c, "SELECT loread(0, 2)")[0] == "42704"
        c.execute("ROLLBACK")
        assert bytes(c.execute("SELECT lo_get(%d)" % oid).fetchone()[0]) == b"scan"
        c.execute("SELECT lo_unlink(%d)" % oid)
    with wire.open_session(stack, "both1") as raw:
        made = call(715, (), ("0",))  # lo_create
        raw.send(made)
        oid = raw.until("Z")[0][1][4:]
        raw.query("BEGIN")
        raw.send(call(952, (), (oid, str(0x40000))))  # lo_open
        assert raw.until("Z")[0][0] == "V"
        raw.query("SET pgvigil.role = 'viewer'")
        raw.send(call(954, (), ("0", "2")))  # loread
        assert wire.error_of(raw.until("Z"))["C"] == "25001"


def test_change_is_on_record_before_it_is_made(stack):
    with stack.connect("imager1", autocommit=True) as c:
        (oid,) = c.execute("SELECT lo_from_bytea(0, 'kept-from-the-record') AS recorded").fetchone()
        c.execute("SELECT lo_get(%d) AS recorded" % oid)
    with wire.open_session(stack, "imager1") as raw:
        raw.send(call(964, (), (str(oid),)))  # lo_unlink
        assert raw.until("Z")[0][0] == "V"
    records = stack.audit_records()
    (made,) = [r for r in records if "lo_from_bytea" in r.get("sql", "") and "recorded" in r["sql"]]
    assert made["type"] == "begin"
    (read,) = [r for r in records if "lo_get" in r.get("sql", "") and "recorded" in r["sql"]]
    assert read["type"] != "begin" and read["rows"] == 1
    unlinked = [r for r in records if re.search(r'"?lo_unlink"?\(\$1\)', r.get("sql", "")) and r["type"] == "begin" and "pg_catalog" in r["sql"]]
    assert unlinked and "kept-from-the-record" not in str(records)
