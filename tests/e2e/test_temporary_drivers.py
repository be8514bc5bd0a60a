"""
Temporary tables by node-pg and JDBC: the same program as a restricted user through pgvigil and on PostgreSQL directly, where the tables are
views with what she may see, prints the same.
"""
import glob
import os
import shutil

import harness
import pytest
import temporary_schema
from test_drivers import HERE, JDBC, NODE_PATH, run


@pytest.fixture(scope="module")
def stack(make_stack):
    return temporary_schema.make(make_stack, pool=8)


@pytest.fixture(scope="module")
def oracle(stack):
    name = "oracle_temporary_drivers"
    stack.cluster.create(name, stack.cluster.template(extra_sql=temporary_schema.EXTRA_SQL), temporary_schema.ORACLE_SQL)
    yield name
    stack.cluster.drop(name)


def both(stack, oracle, program):
    through = program(stack.port, "records", "nurse1", "nurse1-demo")
    direct = program(stack.cluster.port, oracle, "postgres", harness.SUPER_PASSWORD)
    assert through[0] == 0, through
    assert through[:2] == direct[:2]
    assert len(through[1].splitlines()) > 15 and "error" in through[1]


def test_node(stack, oracle):
    if not glob.glob(NODE_PATH.split(":")[0] + "/pg/package.json"):
        pytest.skip("NODE-PG IS NOT INSTALLED: see test_drivers.py")
    both(stack, oracle, lambda port, database, user, password: run(["node", HERE / "test_temporary_drivers.js", "127.0.0.1", port, database, user, password, stack.certs.ca], env={"NODE_PATH": NODE_PATH}))


def test_jdbc(stack, oracle):
    if not shutil.which("java") or not os.path.exists(JDBC):
        pytest.skip("JAVA OR ITS DRIVER IS NOT INSTALLED: see test_drivers.py")
    scram = [p for name in ("scram-client", "scram-common", "stringprep", "saslprep", "ongres-scram-client", "ongres-scram-common", "ongres-stringprep", "ongres-saslprep") for p in glob.glob("/usr/share/java/%s.jar" % name)]

    def program(port, database, user, password):
        url = "jdbc:postgresql://127.0.0.1:%s/%s?sslmode=verify-full&sslrootcert=%s" % (port, database, stack.certs.ca)
        return run(["java", "-cp", ":".join([JDBC] + scram), HERE / "test_temporary_drivers.java", url, user, password])

    both(stack, oracle, program)
