"""
sqlsmith's statements through pgvigil as the nurse: none ends it, none shows what is hidden, and each ends as on what PostgreSQL has
of her part of the clinic, or in a named refusal (smith.py). `scripts/sqlsmith` does the same for as many seeds as there is time for.
"""
import shutil
import subprocess

import pytest
import smith

pytestmark = pytest.mark.skipif(not shutil.which("sqlsmith"), reason="SQLSMITH IS NOT INSTALLED: apt-get install sqlsmith (scripts/test does)")


@pytest.fixture(scope="module")
def hammer(cluster):
    made = smith.Hammer(cluster)
    yield made
    made.close()


def test_statements_end_as_on_postgresql_or_in_a_named_refusal(hammer):
    result = hammer.run(1, 120)
    assert result["findings"] == []
    assert result["outcomes"].get("same", 0) > 50, result["outcomes"]
    assert result["outcomes"].get("refused", 0) > 10, result["outcomes"]
    # The comparison can fail: what the nurse may not read is there for who sees everything.
    hammer.sessions()
    with hammer.stack.superuser() as c:
        hidden = "SELECT family_name FROM public.patients WHERE family_name LIKE 'ZZ%'"
        assert c.execute(hidden).fetchall() and not hammer.mine.execute(hidden).fetchall() and not hammer.oracle.execute(hidden).fetchall()


def test_the_program_itself_through_pgvigil(hammer):
    """It reads the catalogs, generates from what it finds there and goes on over errors."""
    info = hammer.stack.conninfo("nurse1")
    target = "host=127.0.0.1 port=%d dbname=records user=nurse1 password=%s sslmode=verify-full sslrootcert=%s" % (hammer.stack.port, info["password"], hammer.stack.certs.ca)
    done = subprocess.run(["sqlsmith", "--target=" + target, "--exclude-catalog", "--seed=2", "--max-queries=60", "--verbose"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Generating indexes...done." in done.stdout and "broken" not in done.stdout.lower()
    assert hammer.stack.proxy.alive()
    with hammer.stack.connect("nurse1") as c:
        assert c.execute("SELECT count(*) FROM wards").fetchone() == (12,)
