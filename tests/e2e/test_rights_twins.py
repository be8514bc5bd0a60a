"""
Non-interference under retention and rights: two databases that differ only in records that are restricted, archived or expired,
objected to, or hidden from the person, answer hostile statements alike, byte for byte up to row order, and no canary comes out.
"""
import pytest
import rights_schema
import twins_schema
import wire
from hostile_statements import HOSTILE
from twin_answers import Session, ask_both, names_of, normal, open_sessions

PAIRS = {"nurse": ("nurse1", "care"), "receptionist": ("reception1", "admission")}

# Beside what a pair never sees: what it does not because of a right. {where}: patients p whose records are not there.
MORE = {
    "nurse": """
UPDATE public.observations o SET label = 'ZZCANARY%(L)s', loinc = 'ZZCANARY%(L)s', unit = 'ZZCANARY%(L)s', value = value + %(n)d
  WHERE EXISTS (SELECT 1 FROM public.hidden_rows h WHERE h.observation_id = o.id AND h.from_whom = '10000000611');
""",
    "receptionist": """
UPDATE public.stays s SET reason = 'ZZCANARY%(L)s', bed = 'ZZCANARY%(L)s', ward_id = %(n)d, discharged_at = NULL
  WHERE EXISTS (SELECT 1 FROM public.objections o WHERE o.patient_id = s.patient_id AND o.purpose = 'messaging');
UPDATE public.appointments a SET motive = 'ZZCANARY%(L)s', minutes = %(n)d * 100
  WHERE EXISTS (SELECT 1 FROM public.objections o WHERE o.patient_id = a.patient_id AND o.purpose = 'messaging');
""",
}


def twin_sql(pair, twin, hidden):
    first = twin == "a"
    where = "p.id IN (%s)" % ", ".join(map(str, hidden))
    if pair == "nurse":
        where = "(%s OR %s)" % (where, twins_schema.WHERE_HIDDEN["nurse"][0])
    # Objections are what hides rows here: they differ in nothing but their reasons.
    body = (twins_schema.BODY[pair].replace(", purpose = 'ZZCANARY%(L)s'", "") + ("" if pair == "nurse" else twins_schema.HIDDEN_ROWS)
            + MORE[pair])
    values = {"L": twin.upper(), "n": 1 if first else 2, "sex": "F" if first else "M", "blood": "O+" if first else "AB-",
              "nir": 2440713000000 if first else 1850175000000, "hidden": where, "new_ward": "7", "more": 0}
    return twins_schema.HEAD % values + body % values + ("" if first else twins_schema.ONLY_B) + twins_schema.TAIL


@pytest.fixture(scope="module")
def twins(make_stack, cluster):
    template = cluster.template(extra_sql=rights_schema.EXTRA_SQL)
    with cluster.superuser(template) as c:
        known = rights_schema.ages(c)
        restricted = {p for p, in c.execute("SELECT patient_id FROM restrictions WHERE lifted_on IS NULL")}
    hidden = sorted(restricted | {p for p, age in known.items() if age != "active"})
    assert 100 < len(hidden) < len(known) - 200
    names = ["%s_%s" % (pair, twin) for pair in PAIRS for twin in "ab"]
    files = [f for f in rights_schema.files() if f[0] != "90-oracle.cfg"]
    return make_stack(databases=names, extra_sql=rights_schema.EXTRA_SQL, extra_policy=files,
                      changes={"%s_%s" % (p, t): twin_sql(p, t, hidden) for p in PAIRS for t in "ab"})


@pytest.fixture(scope="module")
def sessions(twins):
    made = open_sessions(twins, PAIRS)
    yield made
    for session in made.values():
        session.close()


@pytest.mark.parametrize("number", range(len(HOSTILE)), ids=lambda n: "%d-%s" % (n, HOSTILE[n][1][:55]))
def test_twins_answer_alike(number, twins, sessions):
    _, sql = HOSTILE[number]
    for pair in PAIRS:
        for extended in (False, True):
            ask_both(twins, sessions, pair, sql, extended)
    assert twins.proxy.alive()


def test_visible_rows_are_there_and_hidden_ones_are_not(twins, sessions):
    for pair in PAIRS:
        for table in ("patients", "stays", "appointments"):
            counts = [int(wire.rows_of(sessions[pair, t].ask("SELECT count(*) FROM " + table, False))[0][0]) for t in "ab"]
            with twins.superuser(pair + "_b") as c:
                (whole,) = c.execute("SELECT count(*) FROM " + table).fetchone()
            assert counts[0] == counts[1] > 30 and counts[1] < whole


def test_the_twins_do_differ(twins):
    """The comparison can fail: who sees everything gets other answers from the twins."""
    for pair in PAIRS:
        one, other = (Session(twins, "admin1", "%s_%s" % (pair, twin), None) for twin in "ab")
        for table in ("patients", "stays", "observations" if pair == "nurse" else "appointments"):
            sql = "SELECT * FROM public.%s ORDER BY id" % table
            assert normal(one.ask(sql, False), names_of(twins, pair)) != normal(other.ask(sql, False), names_of(twins, pair))
        one.close()
        other.close()
