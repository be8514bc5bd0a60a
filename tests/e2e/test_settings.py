"""
SET and RESET against PostgreSQL itself: the same start-up settings, the same statements, the same tags, values, errors and
ParameterStatus messages (in whatever order). RESET goes back to what the client asked for at its start, on whatever server connection it runs.
"""
import harness
import pytest
import wire
from side_by_side import extended

START = {"options": "-c DateStyle=German,DMY -c statement_timeout=7s -c IntervalStyle=iso_8601", "TimeZone": "Europe/Paris", "extra_float_digits": "2"}
SHOWN = ("SHOW DateStyle", "SHOW TimeZone", "SHOW statement_timeout", "SHOW IntervalStyle", "SHOW extra_float_digits", "SELECT '2024-07-01 10:00+00'::timestamptz::text",
         "SELECT make_interval(mins => 90)::text")

PROGRAMS = {
    "reset": ["SET DateStyle = 'ISO'", "SET TimeZone = 'UTC'", "SET statement_timeout = 0", "RESET DateStyle", "RESET timezone", "RESET statement_timeout"],
    "default": ["SET DateStyle = 'ISO'", "SET TIME ZONE 'UTC'", "SET extra_float_digits = 0", "SET DateStyle TO DEFAULT", "SET TIME ZONE DEFAULT", "SET SESSION extra_float_digits TO DEFAULT"],
    "local": ["SET TimeZone = 'UTC'", "BEGIN", "SET LOCAL TimeZone TO DEFAULT", "SHOW TimeZone", "COMMIT", "SHOW TimeZone", "SET TIME ZONE LOCAL"],
    "transaction": ["BEGIN", "SET TimeZone = 'UTC'", "SAVEPOINT s", "RESET TimeZone", "SHOW TimeZone", "ROLLBACK TO s", "SHOW TimeZone", "RESET TimeZone", "ROLLBACK", "SHOW TimeZone"],
    "without a start": ["SET plan_cache_mode = force_generic_plan", "RESET plan_cache_mode", "SHOW plan_cache_mode", "SET lock_timeout = 5", "SET lock_timeout TO DEFAULT", "SHOW lock_timeout"],
    "several in a text": ["SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; /* both */ RESET TimeZone; RESET DateStyle -- back\n; SHOW TimeZone", "RESET TimeZone;", "; RESET TimeZone"],
    "everything": ["SET TimeZone = 'UTC'", "SET DateStyle = 'ISO'", "RESET ALL", "SHOW TimeZone", "SET TimeZone = 'UTC'", "DISCARD ALL"],
    "quoted": ['SET "TimeZone" = \'UTC\'', 'RESET "TIMEZONE"', "SHOW timezone", "SET timezone = 'nowhere'", "RESET TimeZone"],
}


def answers(raw, program, in_extended):
    """For each statement what came, an error by its SQLSTATE; notices (of SET LOCAL outside a transaction) likewise."""
    out = []
    for sql in program + list(SHOWN):
        raw.send(extended(sql) + wire.SYNC if in_extended else wire.query(sql))
        out.append([(kind, wire.fields(body)["C"]) if kind in "NE" else (kind, body) for kind, body in raw.until("Z")])
        out[-1] = sorted(m for m in out[-1] if m[0] == "S") + [m for m in out[-1] if m[0] != "S"]
    return out


@pytest.mark.parametrize("in_extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_as_postgresql(name, in_extended, stack):
    program = [s for s in PROGRAMS[name] if not (in_extended and ";" in s)]
    mine = wire.Raw(stack.port, stack.tls_context())
    theirs = wire.Raw(stack.cluster.port, stack.tls_context())
    try:
        mine.login("nurse1", "records", "nurse1-demo", **START)
        theirs.login("pgvigil_dba", stack.databases["records"], harness.DBA_PASSWORD, **START)
        for sql, got, expected in zip(program + list(SHOWN), answers(mine, program, in_extended), answers(theirs, program, in_extended)):
            assert got == expected, sql
    finally:
        mine.close()
        theirs.close()
