"""
Temporary tables of a shared login end with the person it acts for: by another name, inside transactions and savepoints, and with the
token that proved her.
"""
import time

import psycopg
import pytest
import tokens
from psycopg import errors
from shared_people import SQL, policy
from temporary_schema import TEMPORARY

ROLE = '{ name = "ward-nurse"; missions = [ "ward", "limited", "night" ]; default = "ward"; }'


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return tokens.Key(tmp_path_factory.mktemp("keys"), "idp", "EC")


@pytest.fixture(scope="module")
def stack(make_stack, key):
    files = policy({"keys": [key.jwk(kid="k1", alg="ES256", use="sig")]})
    allowed = [(name, text.replace(ROLE, ROLE[:-1] + 'allow = [ "temporary" ]; }')) for name, text in files]
    assert allowed != files
    return make_stack(extra_policy=allowed, extra_sql=SQL, pool=4)


def on_server(stack):
    with stack.superuser() as c:
        return [row[1] for row in c.execute(TEMPORARY)]


def people(c):
    return {row[0] for row in c.execute("SELECT person FROM kept").fetchall()}


def test_another_person_does_not_read_the_table(stack):
    with stack.connect("ehr-app") as c:
        c.execute("SET pgvigil.user = 'w01'")
        c.execute("CREATE TEMP TABLE kept AS SELECT * FROM w")
        assert people(c) == {"w01"}
        c.execute("SET pgvigil.user = 'w02'")
        with pytest.raises(errors.UndefinedTable):
            people(c)
        assert on_server(stack) == []
        c.execute("CREATE TEMP TABLE kept AS SELECT * FROM w")
        assert people(c) == {"w02"}
        c.execute("SET pgvigil.user = 'w01'")
        with pytest.raises(errors.UndefinedTable):
            people(c)


def test_another_person_in_a_transaction(stack):
    with stack.connect("ehr-app") as c:
        c.execute("SET pgvigil.user = 'w01'")
        c.execute("CREATE TEMP TABLE kept AS SELECT * FROM w")
        c.execute("BEGIN")
        c.execute("SET LOCAL pgvigil.user = 'w02'")
        c.execute("SAVEPOINT s")
        c.execute("SELECT 1")
        c.execute("ROLLBACK TO s")
        with pytest.raises(errors.UndefinedTable):
            people(c)
        c.execute("ROLLBACK TO s")
        c.execute("CREATE TEMP TABLE kept AS SELECT * FROM w")
        assert people(c) == {"w02"}
        c.execute("COMMIT")
        assert c.execute("SHOW pgvigil.user").fetchone() == ("w01",)
        with pytest.raises(errors.UndefinedTable):
            people(c)
        assert on_server(stack) == []


def test_table_ends_with_the_token(stack, key):
    with stack.connect("ehr-token") as c:
        def give(token):
            c.execute(psycopg.sql.SQL("SET pgvigil.token = {}").format(token))
        ends = int(time.time()) + 3
        give(tokens.token(key, tokens.claims("w02", exp=ends)))
        c.execute("CREATE TEMP TABLE kept AS SELECT * FROM w")
        assert people(c) == {"w02"}
        while time.time() < ends:
            time.sleep(0.05)
        with pytest.raises(errors.InvalidAuthorizationSpecification, match="expired"):
            people(c)
        give(tokens.token(key, tokens.claims("w04")))
        with pytest.raises(errors.UndefinedTable):
            people(c)
        assert on_server(stack) == []
        c.execute("CREATE TEMP TABLE kept AS SELECT * FROM w")
        assert people(c) == {"w04"}
        c.execute("RESET pgvigil.token")
        with pytest.raises(errors.InsufficientPrivilege, match="acts for nobody"):
            c.execute("CREATE TEMP TABLE own (a int)")
        with pytest.raises(psycopg.Error):
            people(c)
