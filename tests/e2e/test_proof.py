"""
The generated proof, in its short form: 5,000 random statements over 20 random databases and policies, fixed by their seeds
(tests/proof; scripts/prove is the long form).
"""
import collections
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proof"))

import prove  # noqa: E402
import ways  # noqa: E402

UNIVERSES = range(1, 21)
STATEMENTS = 250
total = collections.Counter()


@pytest.mark.parametrize("seed", UNIVERSES)
def test_universe_is_as_postgresql_says(seed, cluster):
    failures = []
    total.update(prove.run_universe(cluster, seed, STATEMENTS, failures.append))
    assert not failures, json.dumps(failures[:3], indent=1, ensure_ascii=False)


def test_the_proof_was_not_of_nothing():
    if total["statements"] < STATEMENTS * len(UNIVERSES):
        pytest.skip("only a part of this file was run")
    assert total["fine"] > 4000 and total["writes"] > 800 and total["failed alike"] > 100, total
    for way in ways.READS:
        assert total["by " + way.__name__] > 150, total
    assert total["by copy_in"] > 30, total
