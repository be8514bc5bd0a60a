"""
How many instructions pgvigil executes for a statement, against the ceilings of bench/ceilings: a change that makes statements
dearer shows here, on a busy machine as on a quiet one, and not a year later in a benchmark.
"""
import os
import pathlib
import platform
import shutil
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import instructions  # noqa: E402

pytestmark = [
    pytest.mark.skipif(not shutil.which("valgrind"), reason="VALGRIND IS NOT INSTALLED: apt-get install valgrind (scripts/test does)"),
    pytest.mark.skipif(bool(os.environ.get("PGVIGIL_SANITIZED")), reason="a sanitizer's instructions are not the product's"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the ceilings are x86-64's"),
]


@pytest.fixture(scope="module")
def count():
    with instructions.Count() as made:
        yield made


@pytest.mark.parametrize("mode", instructions.MODES)
def test_statement_of_each_protocol_stays_below_its_ceiling(count, mode):
    ceiling = instructions.ceilings()[mode]
    counted = count.per_statement(mode, more=50)
    if counted > ceiling:
        counted = count.per_statement(mode, more=50, rounds=3)  # the catalogs were read just then
    # A statement costs a read, a write and TLS both ways at the least: less would mean that none was counted.
    assert 20000 < counted <= ceiling, "%s: %d instructions a statement, the ceiling is %d (bench/ceilings says how to record anew)" % (
        mode, counted, ceiling)
