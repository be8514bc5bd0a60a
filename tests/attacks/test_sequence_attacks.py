"""
Numbers of sequences that are not the pair's, functions by their number, and constraints by name: each case is a way that somebody might
try (nurse1 has a few sequences, reception1 others; see e2e/test_sequences.py for the tables).

CASES: (name, who, [SQL or bytes of the protocol], SQLSTATEs of the last one, or None: it is answered). Afterwards no sequence that is not
hers has moved, and no answer names a guard or a hidden sequence that she did not write herself.
"""
import pytest
import wire
from test_function_call import call
from test_sequences import POLICY, SCHEMA

NO = {"42501"}
GONE = {"42P01"}
UNSUPPORTED = {"0A000"}
UNDEFINED = {"55000"}

CASES = [
    ("nextval_of_a_closed_tables_sequence", "nurse1", ["SELECT nextval('s.secret_id_seq')"], GONE),
    ("nextval_by_pg_get_serial_sequence_of_a_closed_table", "nurse1", ["SELECT nextval(pg_get_serial_sequence('s.secret', 'id'))"], GONE),
    ("nextval_by_the_path", "nurse1", ["SET search_path = s", "SELECT nextval('secret_id_seq')"], GONE),
    ("nextval_by_quotes", "nurse1", ["SELECT nextval('\"s\".\"secret_id_seq\"')"], GONE),
    ("nextval_by_an_escape_string", "nurse1", ["SELECT nextval(E's.\\x73ecret_id_seq')"], GONE),
    ("nextval_by_unicode", "nurse1", ["SELECT nextval(U&'s.\\0073ecret_id_seq')"], GONE),
    ("nextval_by_a_string_in_two_lines", "nurse1", ["SELECT nextval('s.secret'\n'_id_seq')"], GONE),
    ("nextval_by_dollar_quotes", "nurse1", ["SELECT nextval($x$s.secret_id_seq$x$)"], GONE),
    ("nextval_by_the_database", "nurse1", ["SELECT nextval('records.s.secret_id_seq')"], GONE),
    ("nextval_by_a_cast_of_a_cast", "nurse1", ["SELECT nextval(CAST('s.secret_id_seq' AS text)::regclass)"], GONE),
    ("nextval_by_an_expression", "nurse1", ["SELECT nextval(concat('s.', 'secret_id_seq')::regclass)"], NO),
    ("nextval_by_a_sub_select", "nurse1", ["SELECT nextval((SELECT 's.secret_id_seq')::regclass)"], NO),
    ("nextval_by_a_column", "nurse1", ["SELECT nextval(name::regclass) FROM s.persons"], NO),
    ("nextval_by_case", "nurse1", ["SELECT nextval(CASE WHEN true THEN 's.secret_id_seq' END)"], NO),
    ("nextval_by_an_oid", "nurse1", ["SELECT nextval(16400::oid)"], NO),
    ("nextval_by_digits", "nurse1", ["SELECT nextval('16400')"], NO),
    ("nextval_by_a_named_argument", "nurse1", ["SELECT nextval(regclass => 's.secret_id_seq')"], NO),
    ("nextval_by_a_field", "nurse1", ["SELECT ('s.secret_id_seq'::text).nextval"], NO),
    ("nextval_in_from", "nurse1", ["SELECT * FROM ROWS FROM (nextval('s.secret_id_seq'))"], GONE),
    ("nextval_in_a_default_of_insert", "nurse1", ["INSERT INTO s.persons (id) VALUES (nextval('s.secret_id_seq'))"], GONE),
    ("nextval_in_returning", "nurse1", ["INSERT INTO s.persons (name) VALUES ('x') RETURNING nextval('s.secret_id_seq')"], GONE),
    ("nextval_in_on_conflict", "nurse1", ["INSERT INTO s.persons (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET ward = nextval('s.secret_id_seq')"], GONE),
    ("nextval_in_limit", "nurse1", ["SELECT 1 LIMIT nextval('s.secret_id_seq')"], GONE),
    ("nextval_by_prepare", "nurse1", ["PREPARE q (text) AS SELECT nextval($1::regclass)", "EXECUTE q('s.secret_id_seq')"], NO | {"26000"}),
    ("nextval_in_an_argument_of_execute", "nurse1", ["PREPARE q (bigint) AS SELECT $1", "EXECUTE q(nextval('s.secret_id_seq'))"], GONE | UNSUPPORTED),
    ("nextval_of_a_sequence_of_another_role", "reception1", ["SELECT nextval('s.tickets')"], GONE),
    ("nextval_of_a_shown_column_that_is_not_inserted", "nurse1", ["SELECT nextval('s.shown_id_seq')"], NO),
    ("currval_of_a_hidden_columns_default", "reception1", ["INSERT INTO s.visits (person) VALUES (1)", "SELECT currval('s.visits_lot_seq')"], GONE),
    ("lastval_of_a_hidden_columns_default", "reception1", ["INSERT INTO s.visits (person) VALUES (1)", "SELECT lastval()"], NO),
    ("lastval_of_a_triggers_sequence", "nurse1", ["BEGIN", "INSERT INTO s.things (name) VALUES ('x')", "SELECT lastval()"], UNDEFINED),
    ("setval_of_ones_own", "nurse1", ["SELECT nextval('s.tickets')", "SELECT setval('s.tickets', 1)"], NO),
    ("setval_by_pg_catalog", "nurse1", ["SELECT pg_catalog.setval('s.tickets'::regclass, 1, false)"], NO),
    ("sequence_as_a_relation", "nurse1", ["SELECT last_value FROM s.tickets"], NO),
    ("sequence_by_table", "nurse1", ["TABLE s.tickets"], NO),
    ("sequence_by_copy", "nurse1", ["COPY s.tickets TO STDOUT"], NO | {"42809"}),
    ("sequence_for_update", "nurse1", ["SELECT * FROM s.tickets FOR UPDATE"], NO),
    ("sequence_that_is_hidden_as_a_relation", "nurse1", ["SELECT last_value FROM s.secret_id_seq"], GONE),
    ("sequence_restarted", "nurse1", ["ALTER SEQUENCE s.tickets RESTART"], UNSUPPORTED),
    ("sequence_by_its_definition", "nurse1", ["SELECT * FROM pg_sequence_parameters(16400)"], NO),
    ("sequences_last_value_in_the_catalog", "nurse1", ["SELECT 1 / count(last_value) FROM pg_sequences"], {"22012"}),
    ("sequence_discarded", "nurse1", ["DISCARD SEQUENCES"], UNSUPPORTED),
    ("fastpath_nextval", "nurse1", [call(1574, (), ("s.secret_id_seq",))], NO),
    ("fastpath_nextval_of_ones_own", "nurse1", [call(1574, (), ("s.tickets",))], NO),
    ("fastpath_setval", "nurse1", [call(1576, (), ("s.tickets", "1"))], NO),
    ("fastpath_lastval", "nurse1", [call(2559)], NO),
    ("fastpath_lo_import", "nurse1", [call(764, (), ("/etc/passwd",))], NO),
    ("fastpath_in_a_transaction", "nurse1", ["BEGIN", call(1574, (), ("s.secret_id_seq",))], NO),
    ("constraint_of_another_table", "nurse1", ["INSERT INTO s.persons (name) VALUES ('x') ON CONFLICT ON CONSTRAINT secret_pkey DO NOTHING"], {"42704"}),
    ("constraint_by_a_guards_name", "nurse1", ["INSERT INTO s.persons (name) VALUES ('x') ON CONFLICT ON CONSTRAINT \"pgvigil:nurse/care\" DO NOTHING"], {"42704"}),
    ("nextval_of_ones_own_is_fine", "nurse1", ["SELECT nextval('s.tickets')", "SELECT currval('s.tickets'), lastval()"], None),
    ("constraint_of_ones_own_is_fine", "nurse1", ["INSERT INTO s.persons (name) VALUES ('x') ON CONFLICT ON CONSTRAINT persons_pkey DO NOTHING"], None),
]


@pytest.fixture(scope="module")
def attacked(make_stack):
    return make_stack(extra_sql=SCHEMA, extra_policy=[("90-sequences.cfg", POLICY)])


def numbers(stack):
    with stack.superuser() as c:
        return [c.execute("SELECT last_value, is_called FROM s." + name).fetchone() for name in ("secret_id_seq", "lost", "shown_id_seq")]


@pytest.mark.parametrize("name,who,steps,states", CASES, ids=[c[0] for c in CASES])
def test_attack(attacked, name, who, steps, states):
    before = numbers(attacked)
    for way in ("simple", "extended"):
        with wire.open_session(attacked, who) as raw:
            for step in steps:
                if isinstance(step, bytes):
                    raw.send(step)
                    answer = raw.until("Z")
                else:
                    answer = raw.query(step) if way == "simple" else raw.extended(step)
            error = wire.error_of(answer)
            assert (error is None) if states is None else (error is not None and error["C"] in states), (way, answer)
            said = b" ".join(body for _, body in answer)
            assert b"pgvigil:" not in said.replace(b'"pgvigil:nurse/care"', b"") and b"log_id_seq" not in said
    assert numbers(attacked) == before


def test_names_are_each_others_own():
    assert len({c[0] for c in CASES}) == len(CASES)
