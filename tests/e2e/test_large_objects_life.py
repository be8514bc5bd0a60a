"""
Large objects live longer than a policy: what becomes of them when guards are deployed, pruned and removed.
"""
import pytest
from test_large_objects import SCHEMA, answer, policy


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(databases=("second",), extra_sql=SCHEMA, extra_policy=[("90-images.cfg", policy())])


def test_objects_outlive_policies_and_guards(stack):
    """A new generation's pair has what the one of that name had, with what the DBA granted; in the end they are the owner's."""
    def objects():
        with stack.superuser("second") as c:
            return {oid: owner.split("@")[0] for oid, owner in c.execute("SELECT m.oid::int8, r.rolname FROM pg_largeobject_metadata m JOIN pg_roles r ON r.oid = m.lomowner").fetchall()}
    with stack.connect("imager1", database="second", autocommit=True) as old:
        (oid,) = old.execute("SELECT lo_from_bytea(0, 'scan')").fetchone()
        with stack.superuser("second") as c:
            c.execute("SELECT lo_from_bytea(880001, 'before')")
            for (pair,) in c.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'pgvigil:imager/imaging@%'").fetchall():
                c.execute('GRANT SELECT ON LARGE OBJECT 880001 TO "%s"' % pair)
        path = stack.policy / "95-more.cfg"
        path.write_text('functions = ( { name = "app.bmi"; roles = [ "viewer" ]; } );')
        stack.deploy()
        # Sessions of the old generation go on.
        old.execute("SELECT lo_put(%d, 0, 'S')" % oid)
        assert bytes(old.execute("SELECT lo_get(880001)").fetchone()[0]) == b"before"
    log = stack.proxy.log_size()
    stack.proxy.hup()
    stack.proxy.wait_log("event=reload", since=log)
    with stack.connect("imager1", database="second", autocommit=True) as new:
        assert bytes(new.execute("SELECT lo_get(%d)" % oid).fetchone()[0]) == b"Scan"
        assert bytes(new.execute("SELECT lo_get(880001)").fetchone()[0]) == b"before"
        assert answer(new, "SELECT lo_unlink(880001)")[0] == "42501"
        (second,) = new.execute("SELECT lo_from_bytea(0, 'x')").fetchone()
        new.execute("SELECT lo_unlink(%d)" % second)
    with stack.connect("viewer1", database="second", autocommit=True) as other:
        assert answer(other, "SELECT lo_get(%d)" % oid)[0] == "42501"
    stack.command("deploy", "-c", stack.config_file, "--database", "second", "--as", stack.dba("second"), "--prune")
    assert objects() == {oid: "pgvigil:imager/imaging", 880001: "postgres"}
    stack.command("deploy", "-c", stack.config_file, "--database", "second", "--as", stack.dba("second"), "--remove")
    assert objects() == {oid: "pgvigil_owner", 880001: "postgres"}
    with stack.superuser("second") as c:
        assert bytes(c.execute("SELECT lo_get(%d)" % oid).fetchone()[0]) == b"Scan"
        assert c.execute("SELECT count(*) FROM pg_largeobject_metadata, LATERAL aclexplode(lomacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE r.rolname LIKE 'pgvigil:%'").fetchone()[0] == 0


def test_check_warns_of_objects_without_rights(make_stack):
    own = make_stack(serve=False)
    command = ("check", "-c", own.config_file, "--database", "records", "--as", own.dba())
    quiet = own.command(*command, check=False)
    assert "lo_compat_privileges" not in quiet.stdout + quiet.stderr
    with own.cluster.superuser("postgres") as c:
        c.execute('ALTER DATABASE "%s" SET lo_compat_privileges = on' % own.databases["records"])
    loud = own.command(*command, check=False)
    assert "lo_compat_privileges is on" in loud.stdout + loud.stderr
