"""
Generated keys as drivers and ORMs ask for them, as a restricted role: RETURNING, nextval before the INSERT, currval after it.
"""
import glob
import os
import pathlib
import shutil

import harness
import pytest
from test_drivers import JDBC, run, through_info
from test_sequences import POLICY, SCHEMA

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=SCHEMA, extra_policy=[("90-sequences.cfg", POLICY)])


def test_jdbc(stack):
    if not shutil.which("java") or not os.path.exists(JDBC):
        pytest.skip("JAVA OR ITS DRIVER IS NOT INSTALLED: apt-get install default-jdk-headless libpostgresql-jdbc-java")
    info = through_info(stack, "nurse1")
    scram = [p for name in ("scram-client", "scram-common", "stringprep", "saslprep", "ongres-scram-client", "ongres-scram-common", "ongres-stringprep", "ongres-saslprep") for p in glob.glob("/usr/share/java/%s.jar" % name)]
    url = "jdbc:postgresql://%s:%d/%s?sslmode=verify-full&sslrootcert=%s" % (info["host"], info["port"], info["dbname"], stack.certs.ca)
    status, out, err = run(["java", "-cp", ":".join([JDBC] + scram), HERE / "test_generated_keys_java.java", url, info["user"], info["password"]], timeout=180)
    assert out.splitlines() == ["the last one true", "the last one true", "error 42P01"], (out, err)


def test_sqlalchemy(stack):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    pytest.importorskip("psycopg2")
    base = orm.declarative_base()

    class Person(base):
        __tablename__ = "persons"
        __table_args__ = {"schema": "s"}
        id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
        name = sqlalchemy.Column(sqlalchemy.Text)

    class Thing(base):  # its key comes of a sequence of its own, drawn before the INSERT
        __tablename__ = "things"
        __table_args__ = {"schema": "s"}
        id = sqlalchemy.Column(sqlalchemy.Integer, sqlalchemy.Sequence("tickets", schema="s"), primary_key=True)
        name = sqlalchemy.Column(sqlalchemy.Text)

    engine = sqlalchemy.create_engine("postgresql+psycopg2://nurse1:%s@127.0.0.1:%d/records?sslmode=verify-full&sslrootcert=%s"
                                      % (harness.password_of("nurse1"), stack.port, stack.certs.ca))
    with orm.Session(engine) as session:
        people, things = [Person(name="a"), Person(name="b")], [Thing(name="c"), Thing(name="d")]
        session.add_all(people + things)
        session.commit()
        assert people[0].id < people[1].id and 1000 <= things[0].id < things[1].id
        assert session.execute(sqlalchemy.select(sqlalchemy.func.count()).where(Thing.id == things[1].id)).scalar() == 1
        assert session.execute(sqlalchemy.Sequence("tickets", schema="s")) > things[1].id
        with pytest.raises(sqlalchemy.exc.ProgrammingError, match="does not exist"):
            session.execute(sqlalchemy.Sequence("secret_id_seq", schema="s"))
    names = sqlalchemy.inspect(engine).get_sequence_names(schema="s")
    assert sorted(names) == ["Odd Seq", "persons_id_seq", "shown_id_seq", "things_id_seq", "tickets"]
    engine.dispose()
