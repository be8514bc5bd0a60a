"""
Reflection as a restricted role: SQLAlchemy's inspector, Django's inspectdb and JDBC's DatabaseMetaData see through pgvigil what
PostgreSQL itself shows of a database in which only the pair's own tables and columns are left.

What pgvigil shows less of on purpose (docs/sql-support.md) is taken out of that database too: CHECK constraints, defaults,
triggers, texts of views, access rights.
"""
import glob
import os
import re
import shutil

import harness
import pytest
import twins_schema
from test_drivers import HERE, JDBC, run

sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLALCHEMY IS NOT INSTALLED: apt-get install python3-sqlalchemy python3-psycopg2 (scripts/test does)")

REDUCED = """
DROP VIEW public.patient_stays;
DROP TABLE public.staff_salaries, public.invoices, public."ActesCCAM", public.documents, public.consents, public.objections CASCADE;
ALTER TABLE public.patients DROP COLUMN nir, DROP COLUMN preferences;
ALTER TABLE public.practitioners DROP COLUMN email;
DROP DOMAIN app.nir;
DROP FUNCTION app.touch() CASCADE;
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.t, found.conname);
    END LOOP;
    FOR found IN SELECT adrelid::regclass AS t, attname FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE attgenerated = '' LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', found.t, found.attname);
    END LOOP;
END $$;
DROP FUNCTION app.luhn_valid(text);
CREATE VIEW public.patient_stays AS
    SELECT p.id AS patient_id, p.family_name, p.given_name, p.birth_date, s.id AS stay_id, s.ward_id, s.admitted_at, s.discharged_at, s.diagnosis
    FROM public.patients p JOIN public.stays s ON s.patient_id = p.id;
COMMENT ON VIEW public.patient_stays IS 'A view of the applications; its rules are those of its tables';
"""


@pytest.fixture(scope="module")
def stack(make_stack):
    """The clinic with what only B of the nurse's twins has: hidden tables, columns, indexes, a hidden schema."""
    return make_stack(databases=("records",), changes={"records": twins_schema.ONLY_B})


@pytest.fixture(scope="module")
def reduced(stack):
    """The name of a database that holds only what the nurse sees."""
    name = stack.cluster.create("reduced_reflection", stack.cluster.template(), REDUCED)
    yield name
    stack.cluster.drop(name)


def info(stack, reduced=None):
    if reduced:
        return {"host": "127.0.0.1", "port": stack.cluster.port, "dbname": reduced, "user": "postgres", "password": harness.SUPER_PASSWORD}
    return {"host": "127.0.0.1", "port": stack.port, "dbname": "records", "user": "nurse1", "password": "nurse1-demo"}


# ---- SQLAlchemy ---------------------------------------------------------------------------------------------------------

def inspector(stack, reduced=None):
    given = info(stack, reduced)
    url = "postgresql+psycopg2://%(user)s:%(password)s@%(host)s:%(port)s/%(dbname)s" % given
    return sqlalchemy.inspect(sqlalchemy.create_engine(url + "?sslmode=verify-full&sslrootcert=%s" % stack.certs.ca, poolclass=sqlalchemy.pool.NullPool))


def plain(value):
    """Types as text, so that they can be compared."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k != "computed"}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, sqlalchemy.types.TypeEngine):
        return repr(value)
    return value


@pytest.fixture(scope="module")
def inspectors(stack, reduced):
    return inspector(stack), inspector(stack, reduced)


WHOLE = {
    "schemas": lambda i: i.get_schema_names(), "default schema": lambda i: i.default_schema_name, "tables": lambda i: sorted(i.get_table_names()),
    "views": lambda i: sorted(i.get_view_names()), "materialized": lambda i: i.get_view_names(include=("materialized",)), "sequences": lambda i: i.get_sequence_names(),
    "enums": lambda i: i.get_enums("*"), "tables of app": lambda i: i.get_table_names("app"), "foreign tables": lambda i: i.get_foreign_table_names(),
    "sorted": lambda i: [(t, sorted(k)) for t, k in i.get_sorted_table_and_fkc_names()][:3] and sorted(t or "" for t, _ in i.get_sorted_table_and_fkc_names()),
}


@pytest.mark.parametrize("what", WHOLE)
def test_sqlalchemy_sees_the_database_that_is_left(what, inspectors):
    mine, theirs = (plain(WHOLE[what](i)) for i in inspectors)
    assert mine == theirs
    assert mine or what in ("sequences", "tables of app", "foreign tables")


@pytest.mark.parametrize("what", ["columns", "pk_constraint", "foreign_keys", "indexes", "unique_constraints", "check_constraints", "table_comment", "table_oid"])
def test_sqlalchemy_sees_each_relation_as_it_is_left(what, inspectors):
    relations = inspectors[1].get_table_names() + inspectors[1].get_view_names()
    assert len(relations) >= 16
    filled = 0
    for relation in relations:
        mine, theirs = (plain(getattr(i, "get_" + what)(relation)) for i in inspectors)
        if what == "table_oid":
            assert isinstance(mine, int)
        elif what == "columns":
            for one, other in zip(mine, theirs):
                assert one == other, relation
            assert len(mine) == len(theirs)
        else:
            assert mine == theirs, relation
        filled += bool(mine)
    assert filled or what == "check_constraints"


def test_sqlalchemy_knows_nothing_hidden(inspectors):
    mine, _ = inspectors
    for name in ("staff_salaries", "documents", "zzcanary_b", "zzcanary_view"):
        assert not mine.has_table(name)
        with pytest.raises(sqlalchemy.exc.NoSuchTableError):
            mine.get_columns(name)
        with pytest.raises(sqlalchemy.exc.NoSuchTableError):
            mine.get_indexes(name)
    assert not mine.has_table("patients", schema="zzcanary_schema")
    assert mine.get_view_definition("patient_stays") is None
    assert "zzcanary" not in repr([mine.get_schema_names(), mine.get_table_names(), mine.get_columns("patients")])


def test_sqlalchemy_reflects_and_reads(stack, inspectors):
    engine = inspectors[0].bind
    meta = sqlalchemy.MetaData()
    meta.reflect(engine, only=["patients", "stays", "wards"])
    patients, stays = meta.tables["patients"], meta.tables["stays"]
    query = sqlalchemy.select(patients.c.id, patients.c.family_name, sqlalchemy.func.count(stays.c.id)).select_from(
        patients.join(stays)).group_by(patients.c.id).order_by(patients.c.id)
    with engine.connect() as c, stack.superuser() as s:
        expected = s.execute("SELECT p.id, p.family_name, count(s.id) FROM patients p JOIN stays s ON s.patient_id = p.id "
                             "WHERE p.ward_id IN (1, 2) GROUP BY p.id ORDER BY p.id").fetchall()
        assert [tuple(row) for row in c.execute(query)] == expected and len(expected) > 50


# ---- Django -------------------------------------------------------------------------------------------------------------

def inspectdb(stack, reduced=None):
    pytest.importorskip("django", reason="DJANGO IS NOT INSTALLED: apt-get install python3-django (scripts/test does)")
    given = info(stack, reduced)
    settings = ("import django; from django.conf import settings; settings.configure(DATABASES={'default': dict(ENGINE='django.db.backends.postgresql', NAME=%r, USER=%r, "
                "PASSWORD=%r, HOST='127.0.0.1', PORT=%d, OPTIONS={'sslmode': 'verify-full', 'sslrootcert': %r})}, INSTALLED_APPS=[]); django.setup(); "
                "from django.core.management import call_command; call_command('inspectdb', '--include-views', '--include-partitions')"
                % (given["dbname"], given["user"], given["password"], given["port"], str(stack.certs.ca)))
    status, out, err = run(["/usr/bin/python3", "-c", settings])
    assert status == 0, err
    return out


def test_django_inspectdb_writes_the_models_of_the_database_that_is_left(stack, reduced):
    mine, theirs = inspectdb(stack), inspectdb(stack, reduced)
    assert "Unable to inspect" not in mine and "zzcanary" not in mine and "nir" not in mine
    assert mine == theirs and mine.count("(models.Model)") >= 16


# ---- JDBC ---------------------------------------------------------------------------------------------------------------

def java(stack, reduced=None):
    if not shutil.which("java") or not os.path.exists(JDBC):
        pytest.skip("JAVA OR ITS DRIVER IS NOT INSTALLED: apt-get install default-jdk-headless libpostgresql-jdbc-java (scripts/test does)")
    given = info(stack, reduced)
    scram = [p for name in ("scram-client", "scram-common", "stringprep", "saslprep") for prefix in ("", "ongres-") for p in glob.glob("/usr/share/java/%s%s.jar" % (prefix, name))]
    url = "jdbc:postgresql://127.0.0.1:%s/%s?sslmode=verify-full&sslrootcert=%s" % (given["port"], given["dbname"], stack.certs.ca)
    status, out, err = run(["java", "-cp", ":".join([JDBC] + scram), HERE / "test_reflection_java.java", url, given["user"], given["password"]], timeout=300)
    assert status == 0, err
    return out


def comparable(line):
    """Not in the comparison: the session's name, its rights (a pair has its guards'), and numbers that statistics give."""
    if re.match(r"(user|catalogs|table rights|column rights|client info|type info)", line):
        return None
    if "IS_GENERATEDCOLUMN=YES" in line:
        line = re.sub(r"COLUMN_DEF=.*? SQL_DATA_TYPE", "COLUMN_DEF= SQL_DATA_TYPE", line)  # its expression, which may quote values
    return re.sub(r"SPECIFIC_NAME=(\w+?)_\d+", r"SPECIFIC_NAME=\1", re.sub(r"(OID|oid)=\d+", r"\1=", line))


def test_jdbc_metadata_is_that_of_the_database_that_is_left(stack, reduced):
    mine, theirs = java(stack), java(stack, reduced)
    assert "FAILED" not in mine and "FAILED" not in theirs, [line for line in mine.splitlines() if "FAILED" in line]
    one, other = ([comparable(line) for line in text.splitlines() if comparable(line)] for text in (mine, theirs))
    assert [line for line in one if line not in other] == [] and [line for line in other if line not in one] == []
    assert one == other and len(one) > 300
    found = re.sub(r"^[\w ]+ zzcanary_(b|schema) (:|done)", "", mine, flags=re.M)  # what the program itself asked for
    assert "user : nurse1" in mine and "zzcanary" not in found and "=nir " not in mine
    types = set(re.findall(r"^type info : TYPE_NAME=(\S+)", mine, re.M))
    assert "int4" in types and any("sex" in t for t in types) and not [t for t in types if "nir" in t or "zzcanary" in t]
