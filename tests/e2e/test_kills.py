"""pgvigil killed at random moments under load: what clients had received stands in a trail that verifies. scripts/kills is the long form."""
import json
import os
import random
import shutil

import pytest

import kills

KILLS = int(os.environ.get("PGVIGIL_KILLS", "16"))


@pytest.fixture(scope="module")
def killed(make_stack):
    """The run and its stack, once it was killed so often."""
    seed = random.randrange(10**6)
    print("seed", seed)
    stack = make_stack(audit=kills.AUDIT, unrestricted=False)
    stack.proxy.stop()
    shutil.rmtree(stack.audit_dir)
    run = kills.Run(stack, seed)
    for _ in range(KILLS):
        run.once()
    print(dict(run.totals))
    return run


def test_whatever_came_is_covered(killed):
    """The run itself has compared; here, that there was something to compare: rows, refusals, and results that were cut."""
    totals = killed.totals
    assert totals["kills"] == KILLS and totals["answered"] > 5 * KILLS and totals["refused"] and totals["cut"], totals


def test_comparison_misses_nothing(killed):
    """Its twin: without the records of one statement, with fewer bytes in them, or with another patient, it is found out."""
    records = killed.records()
    whole = [r for r in records if r["type"] == "whole" and r.get("bytes", 0) > 20 and r.get("patients") and kills.MARK.search(r.get("sql", ""))]
    denied = [r for r in records if r["type"] == "whole" and r["decision"] == "deny" and kills.MARK.search(r.get("sql", ""))]
    assert whole and denied
    for record in whole[:50] + denied[:5]:
        one = kills.Sent(kills.MARK.search(record["sql"]).group(0), record["sql"])
        one.bytes, one.refused = record.get("bytes", 0), record["decision"] == "deny"
        one.patients = {first for first, _ in record.get("patients", [])}
        assert kills.Trail(records).uncovered(one) is None
        others = [r for r in records if r is not record]
        assert kills.Trail(others).uncovered(one)
        changed = json.loads(json.dumps(record))
        if one.refused:
            changed["decision"] = "allow"
        else:
            changed["bytes"] -= 1
        assert kills.Trail(others + [changed]).uncovered(one)
        if one.patients:
            assert kills.Trail(others + [dict(record, patients=[[-2, -1]])]).uncovered(one)


def test_trail_verifies_after_the_last_recovery(killed):
    killed.fresh_trail()
    killed.stack.proxy.start()
