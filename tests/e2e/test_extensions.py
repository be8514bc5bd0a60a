"""Extensions in the database: their operators bear PostgreSQL's own names, and nobody else's statements may suffer from that."""
import psycopg
import pytest

EXTENSIONS = ("CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION pg_trgm; "
              "ALTER TABLE public.stays ADD hidden_pairs hstore; ALTER TABLE public.wards ALTER COLUMN name TYPE citext")


@pytest.fixture(scope="module")
def nurse(make_stack):
    stack = make_stack(changes={"records": EXTENSIONS})
    with stack.connect("nurse1", autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("sql", (
    "SELECT count(*) FROM patients WHERE family_name || 'x' = 'Girardx'",  # hstore's || and citext's = are over their own types
    "SELECT count(*) FROM stays WHERE id = 1",  # the hstore column is hidden
    "SELECT name FROM wards",  # no operator at all
    "SELECT count(*) FROM wards WHERE id OPERATOR(pg_catalog.=) 1",
))
def test_builtin_operators_work_beside_extensions(sql, nurse):
    assert len(nurse.execute(sql).fetchall()) >= 1


@pytest.mark.parametrize("sql", (
    "SELECT count(*) FROM wards WHERE name = 'CARDIOLOGIE'",  # citext's = would answer otherwise than text's
    "SELECT 'a'::citext = 'A'",
    "SELECT 'abc' % 'abd'",  # pg_trgm's over text: could always have been meant
))
def test_operators_that_may_mean_an_extension_are_refused(sql, nurse):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="operator|type"):
        nurse.execute(sql)
