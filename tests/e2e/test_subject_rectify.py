"""
`pgvigil subject rectify`: a wrong value of a patient's row is put right, that value and no other, in the state in which it was shown;
rows of others, keys, and what says whose a row is, are not for it to change.

Compared are whole tables, read beside pgvigil before and after.
"""
import hashlib
import json
import re
import subprocess

import documents
import erase_schema
import pytest
import rights_schema
from test_retention import SUBJECT, TABLES

REGISTERED = 'rights = ( { name = "registered"; kind = "restriction"; except = [ "audit" ]; register = true; } );\n'
SQL = rights_schema.EXTRA_SQL + """
CREATE TABLE public.notes (code text, n int, patient_id bigint NOT NULL REFERENCES public.patients, body text, PRIMARY KEY (code, n));
CREATE TABLE public.cards (number text PRIMARY KEY, patient_id bigint NOT NULL, state text NOT NULL DEFAULT 'x');
INSERT INTO public.notes SELECT 'a', n, n, 'body ' || n FROM generate_series(1, 600) AS n;
INSERT INTO public.cards SELECT 'card-' || n, n FROM generate_series(1, 600) AS n;
CREATE TABLE public.badges (id bigint PRIMARY KEY, patient_id bigint NOT NULL, code text UNIQUE, slot text UNIQUE, gate text UNIQUE, colour text);
INSERT INTO public.badges SELECT n, n, 'c' || n, 's' || n, 'g' || n, 'red' FROM generate_series(1, 100) AS n;
CREATE TABLE public.uses (id bigint PRIMARY KEY, code text NOT NULL);
INSERT INTO public.uses SELECT n, 'c' || n FROM generate_series(1, 100) AS n;
CREATE VIEW public.holders AS SELECT h.slot AS place, h.patient_id FROM public.badges h;
CREATE TABLE public.lockers (id bigint PRIMARY KEY, slot text NOT NULL);
INSERT INTO public.lockers SELECT n, 's' || n FROM generate_series(1, 100) AS n;
CREATE FUNCTION public.gate_holder(text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT b.patient_id FROM public.badges b WHERE b.gate = $1';
CREATE TABLE public.passages (id bigint PRIMARY KEY, gate text NOT NULL);
INSERT INTO public.passages SELECT n, 'g' || n FROM generate_series(1, 100) AS n UNION ALL SELECT 100 + n, 'h' || n FROM generate_series(1, 100) AS n;
GRANT SELECT ON public.notes, public.cards, public.badges, public.uses, public.holders, public.lockers, public.passages TO pgvigil_owner;
"""
TABLES_MORE = """
tables = (
  { name = "public.notes"; subject = "notes.patient_id"; columns = { admin = [ "code", "n", "patient_id" ]; medical = [ "body" ]; }; },
  { name = "public.cards"; subject = "cards.patient_id"; columns = { admin = [ "number", "patient_id", "state" ]; }; },
  { name = "public.badges"; subject = "badges.patient_id"; columns = { admin = [ "id", "patient_id", "code", "slot", "gate", "colour" ]; }; },
  { name = "public.uses"; subject = "(SELECT b.patient_id FROM public.badges b WHERE b.code = uses.code)"; columns = { admin = [ "id", "code" ]; }; },
  { name = "public.lockers"; subject = "(SELECT b.patient_id FROM public.holders b WHERE b.place = lockers.slot)"; columns = { admin = [ "id", "slot" ]; }; },
  { name = "public.passages"; subject = "public.gate_holder(passages.gate)"; columns = { admin = [ "id", "gate" ]; }; }
);
"""
ALL = dict({t: SUBJECT[t] for t in TABLES}, notes="t.patient_id", cards="t.patient_id", badges="t.patient_id")


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=SQL, extra_policy=[("95-more.cfg", TABLES_MORE + REGISTERED)], config=documents.ORGANISATION)


def rectify(stack, patient, *more):
    return stack.command("subject", "rectify", "-c", stack.config_file, "--as", stack.dba(), "--lang", "en", "--patient", patient, *more, check=False)


def seen(done):
    return re.search(r"--apply --seen ([0-9a-f]{16})$", done.stdout.strip()).group(1)


def apply(stack, patient, *more):
    shown = rectify(stack, patient, *more)
    assert shown.returncode == 1, shown.stderr
    return rectify(stack, patient, *more, "--apply", "--seen", seen(shown), "--reason", "demande du 3 mars")


def tables(stack):
    """{table: {primary key and all else: ...}}: every row of every table, as text."""
    with stack.superuser() as c:
        return {t: sorted(r[0] for r in c.execute("SELECT to_jsonb(t)::text FROM public.%s t" % t)) for t in ALL}


def changed(before, after):
    """[(table, {column: (before, after)})] of what differs."""
    found = []
    for table in before:
        old, new = set(before[table]) - set(after[table]), set(after[table]) - set(before[table])
        assert len(old) == len(new)
        for one, other in zip(sorted(old), sorted(new)):
            one, other = json.loads(one), json.loads(other)
            found.append((table, {k: (one[k], other[k]) for k in one if one[k] != other[k] and k != "updated_at"}))
    return found


def events(stack, patient, name):
    return [r for r in stack.audit_records() if r.get("event") == name and r.get("patient") == str(patient)]


def test_before_and_after_are_shown_and_nothing_is_changed(stack):
    before = tables(stack)
    with stack.superuser() as c:
        (old,) = c.execute("SELECT city FROM patients WHERE id = 11").fetchone()
    words = ("--table", "public.patients", "--key", "11", "--column", "city", "--value", "Saint-Étienne")
    done = rectify(stack, 11, *words)
    assert done.returncode == 1 and "before: %s\n" % old in done.stdout and "after:  Saint-Étienne\n" in done.stdout
    assert tables(stack) == before
    french = rectify(stack, 11, *words, "--lang", "fr")
    assert "avant : " in french.stdout and "Rien n’est modifié" in french.stdout and seen(french) == seen(done)
    plans = events(stack, 11, "subject-rectify-plan")
    assert len(plans) == 2 and "public.patients (id=11) city" in plans[0]["detail"]
    assert "Étienne" not in json.dumps(plans, ensure_ascii=False) and old not in json.dumps(plans, ensure_ascii=False)


def test_one_value_is_changed_and_no_other(stack):
    before = tables(stack)
    done = apply(stack, 12, "--table", "public.patients", "--key", "12", "--column", "birth_date", "--value", "1951-02-03")
    assert done.returncode == 0, done.stderr
    assert [(t, list(d)) for t, d in changed(before, tables(stack))] == [("patients", ["birth_date"])]
    with stack.superuser() as c:
        assert c.execute("SELECT birth_date::text FROM patients WHERE id = 12").fetchone() == ("1951-02-03",)


def test_the_trail_has_row_and_column_and_what_only_the_keys_holder_can_check(stack):
    with stack.superuser() as c:
        (old,) = c.execute("SELECT sex::text FROM patients WHERE id = 13").fetchone()
    new = "F" if old == "M" else "M"
    assert apply(stack, 13, "--table", "public.patients", "--key", "13", "--column", "sex", "--value", new).returncode == 0
    (event,) = events(stack, 13, "subject-rectify")
    assert event["reason"] == "demande du 3 mars"
    number, before, after = re.fullmatch(r"public\.patients \(id=13\) sex, rectification (\S+), before ([0-9a-f]{64}), after ([0-9a-f]{64}), also changed: updated_at",
                                         event["detail"]).groups()
    for word, value, seal in (("before", old, before), ("after", new, after)):
        plain = hashlib.sha256(value.encode()).hexdigest()
        assert seal != plain
        path = stack.folder / "text"
        path.write_text("pgvigil seal 1\n%s\n%s\n%s" % (number, word, plain))
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(stack.certs.audit_key), "-in", str(path)],
                                   check=True, stdout=subprocess.PIPE).stdout
        assert seal == hashlib.sha256(signature).hexdigest()


def test_no_value_is_a_value_and_differs_from_an_empty_one(stack):
    with stack.superuser() as c:
        c.execute("UPDATE patients SET phone = '' WHERE id = 14")
        empty = rectify(stack, 14, "--table", "public.patients", "--key", "14", "--column", "phone", "--null")
        c.execute("UPDATE patients SET phone = NULL WHERE id = 14")
        none = rectify(stack, 14, "--table", "public.patients", "--key", "14", "--column", "phone", "--null")
        assert seen(empty) != seen(none)
        c.execute("UPDATE patients SET phone = '0600000000' WHERE id = 14")
        assert apply(stack, 14, "--table", "public.patients", "--key", "14", "--column", "phone", "--null").returncode == 0
        assert c.execute("SELECT phone FROM patients WHERE id = 14").fetchone() == (None,)
        assert apply(stack, 14, "--table", "public.patients", "--key", "14", "--column", "phone", "--value", "").returncode == 0
        assert c.execute("SELECT phone FROM patients WHERE id = 14").fetchone() == ("",)


def test_what_has_changed_since_it_was_shown_is_not_overwritten(stack):
    words = ("--table", "public.patients", "--key", "15", "--column", "city", "--value", "Brest")
    word = seen(rectify(stack, 15, *words))
    with stack.superuser() as c:
        c.execute("UPDATE patients SET city = 'Quimper' WHERE id = 15")
        before = tables(stack)
        for given in (["--seen", word], [], ["--seen", word[:8]], ["--seen", ""]):
            done = rectify(stack, 15, *words, "--apply", "--reason", "x", *given)
            assert done.returncode == 1 and "nothing is changed" in done.stderr, given
        # The word of one change is not one of another.
        other = seen(rectify(stack, 15, *words[:-1], "Morlaix"))
        assert rectify(stack, 15, *words, "--apply", "--reason", "x", "--seen", other).returncode == 1
        assert tables(stack) == before and not events(stack, 15, "subject-rectify")
    assert apply(stack, 15, *words).returncode == 0
    assert rectify(stack, 15, *words[:-1], "Brest", "--apply", "--seen", word).returncode == 2  # without a reason


WRONG = {
    "another patient's row": (16, ["--table", "public.patients", "--key", "17", "--column", "city", "--value", "x"], 1, "no row of patient 16"),
    "no row": (16, ["--table", "public.patients", "--key", "999999", "--column", "city", "--value", "x"], 1, "no row of patient 16"),
    "a patient who does not exist": (987654, ["--table", "public.patients", "--key", "16", "--column", "city", "--value", "x"], 1, "nothing about"),
    "half a key": (16, ["--table", "public.notes", "--key", "x", "--column", "patient_id", "--value", "17"], 2, "primary key"),
    "the subject itself": (16, ["--table", "public.cards", "--key", "card-16", "--column", "patient_id", "--value", "17"], 2, '"subject"'),
    "the primary key": (16, ["--table", "public.cards", "--key", "card-16", "--column", "number", "--value", "x"], 2, "part of a key"),
    "a foreign key": (16, ["--table", "public.patients", "--key", "16", "--column", "ward_id", "--value", "2"], 2, "part of a key"),
    "a table without a subject": (16, ["--table", "public.wards", "--key", "1", "--column", "name", "--value", "x"], 2, "no table whose rows"),
    "a partition": (16, ["--table", "public.observations_2024", "--key", "1", "--column", "value", "--value", "1"], 2, "through its parent"),
    "no such column": (16, ["--table", "public.patients", "--key", "16", "--column", "town", "--value", "x"], 2, 'no column "town"'),
    "a name that is SQL": (16, ["--table", "public.patients", "--key", "16", "--column", "city = 'x', phone", "--value", "x"], 2, "no column"),
    "no date": (16, ["--table", "public.patients", "--key", "16", "--column", "birth_date", "--value", "yesterday-ish"], 2, "invalid input syntax for type date"),
    "no key": (16, ["--table", "public.patients", "--key", "1 OR true", "--column", "city", "--value", "x"], 2, "invalid input syntax"),
    "against a constraint": (16, ["--table", "public.patients", "--key", "16", "--column", "nir", "--value", "295109912611199"], 2, "nir_key"),
    "none where one must be": (16, ["--table", "public.patients", "--key", "16", "--column", "city", "--null"], 2, "not-null"),
    "an enum's word": (16, ["--table", "public.patients", "--key", "16", "--column", "sex", "--value", "X"], 2, "invalid input value for enum"),
    "value and null": (16, ["--table", "public.patients", "--key", "16", "--column", "city", "--value", "x", "--null"], 2, "--null"),
    "nothing": (16, [], 2, "are needed"),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_what_is_not_its_to_change_is_refused(what, stack):
    patient, words, code, told = WRONG[what]
    before = tables(stack)
    for more in ([], ["--apply", "--seen", "0" * 16, "--reason", "x"]):
        done = rectify(stack, patient, *words, *more)
        assert done.returncode == code and told in done.stderr, done.stderr
        assert "Failing row" not in done.stderr
    assert tables(stack) == before and not events(stack, patient, "subject-rectify")


def test_a_generated_column_is_made_of_others(stack):
    with stack.superuser() as c:
        number, patient = c.execute("SELECT l.id, s.patient_id FROM lab_results l JOIN stays s ON s.id = l.stay_id LIMIT 1").fetchone()
    done = rectify(stack, patient, "--table", "public.lab_results", "--key", number, "--column", "abnormal", "--value", "true")
    assert done.returncode == 2 and "made by the database" in done.stderr
    moved = rectify(stack, patient, "--table", "public.lab_results", "--key", number, "--column", "stay_id", "--value", "1")
    assert moved.returncode == 2 and "part of a key" in moved.stderr
    before = tables(stack)
    assert apply(stack, patient, "--table", "public.lab_results", "--key", number, "--column", "value", "--value", "9999.5").returncode == 0
    assert {t for t, _ in changed(before, tables(stack))} == {"lab_results"}


def test_a_row_that_would_become_anothers_stays(stack):
    """The subject is read through a column that is no foreign key: nothing but the row's new subject tells."""
    with stack.superuser() as c:
        c.execute("ALTER TABLE lab_results DROP CONSTRAINT lab_results_stay_id_fkey")
        number, patient = c.execute("SELECT l.id, s.patient_id FROM lab_results l JOIN stays s ON s.id = l.stay_id LIMIT 1").fetchone()
        (other,) = c.execute("SELECT id FROM stays WHERE patient_id <> %s LIMIT 1", (patient,)).fetchone()
        try:
            done = rectify(stack, patient, "--table", "public.lab_results", "--key", number, "--column", "stay_id", "--value", other)
            assert done.returncode == 2 and "would be another person's" in done.stderr, done.stderr
        finally:
            c.execute("ALTER TABLE lab_results ADD CONSTRAINT lab_results_stay_id_fkey FOREIGN KEY (stay_id) REFERENCES stays")


def test_many_changes_are_all_made_or_none(stack):
    path = stack.folder / "changes.json"
    changes = [{"table": "public.patients", "key": 18, "column": "city", "value": "Nantes"},
               {"table": "public.notes", "key": {"n": 18, "code": "a"}, "column": "body", "value": "juste"},
               {"table": "public.cards", "key": "card-18", "column": "state", "value": "y"},
               {"table": "public.patients", "key": "18", "column": "email", "value": None}]
    with stack.superuser() as c:
        c.execute("UPDATE patients SET email = 'a@b.fr' WHERE id = 18")
    before = tables(stack)
    path.write_text(json.dumps(changes + [{"table": "public.notes", "key": {"n": 19, "code": "a"}, "column": "body", "value": "x"}]))
    done = rectify(stack, 18, "--changes", path)
    assert done.returncode == 1 and "no row of patient 18" in done.stderr
    path.write_text(json.dumps(changes))
    done = apply(stack, 18, "--changes", path)
    assert done.returncode == 0, done.stderr
    assert {(t, c): d[c][1] for t, d in changed(before, tables(stack)) for c in d} == {
        ("patients", "city"): "Nantes", ("patients", "email"): None, ("notes", "body"): "juste", ("cards", "state"): "y"}
    details = [e["detail"] for e in events(stack, 18, "subject-rectify")]
    assert len(details) == 4 and "card-18" not in " ".join(details) and "juste" not in " ".join(details)
    for bad in ("[", "{}", "[]", "[1]", '[{"table": "t", "key": 1, "column": "c", "value": 1.5}]', '[{"table": "t", "key": {}, "column": "c", "value": "x"}]',
                '[{"table": "t", "key": 1, "column": "c", "value": "x", "more": 1}]', '[{"table": "t", "key": 1, "column": "c"}]'):
        path.write_text(bad)
        done = rectify(stack, 18, "--changes", path)
        assert done.returncode == 2 and str(path) in done.stderr, bad
    assert rectify(stack, 18, "--changes", path, "--value", "x").returncode == 2


def test_what_a_trigger_makes_of_a_value_is_what_is_shown(stack):
    words = ("--table", "public.cards", "--key", "card-20", "--column", "state", "--value", "lost")
    with stack.superuser() as c:
        plain = seen(rectify(stack, 20, *words))
        c.execute("CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.state := upper(NEW.state); RETURN NEW; END $$")
        c.execute("CREATE TRIGGER shout BEFORE UPDATE ON cards FOR EACH ROW EXECUTE FUNCTION shout()")
        shown = rectify(stack, 20, *words)
        assert "after:  LOST\n" in shown.stdout
        assert rectify(stack, 20, *words, "--apply", "--seen", plain, "--reason", "x").returncode == 1
        assert rectify(stack, 20, *words, "--apply", "--seen", seen(shown), "--reason", "x").returncode == 0
        c.execute("CREATE OR REPLACE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
        kept = rectify(stack, 20, *words)
        assert kept.returncode == 3 and "a trigger keeps the row" in kept.stderr
        c.execute("DROP TRIGGER shout ON cards; DROP FUNCTION shout()")
        assert c.execute("SELECT state FROM cards WHERE patient_id = 20").fetchone() == ("LOST",)


def test_a_terminal_is_not_written_to_by_values(stack):
    with stack.superuser() as c:
        c.execute("UPDATE cards SET state = E'\\x1b[2Jx' WHERE patient_id = 21")
    done = rectify(stack, 21, "--table", "public.cards", "--key", "card-21", "--column", "state", "--value", "y")
    assert "\x1b" not in done.stdout and "\\u{1b}[2Jx" in done.stdout


def test_it_settles_the_request_that_it_answers(stack):
    def ask(patient, kind):
        done = stack.command("subject", "request", "-c", stack.config_file, "--as", stack.dba(), "--patient", patient, "--kind", kind)
        return done.stdout.split()[1]

    words = ["--table", "public.patients", "--key", "22", "--column", "city", "--value", "Lorient"]
    number, erasure, other = ask(22, "rectification"), ask(22, "erasure"), ask(23, "rectification")
    word = seen(rectify(stack, 22, *words))
    before = tables(stack)
    for wrong in (erasure, other, "77777"):
        assert rectify(stack, 22, *words, "--apply", "--seen", word, "--request", wrong).returncode == 2
    assert tables(stack) == before
    assert rectify(stack, 22, *words, "--apply", "--seen", word, "--request", number).returncode == 0
    with stack.superuser() as c:
        assert c.execute("SELECT id::text FROM pgvigil_rights.requests WHERE closed IS NOT NULL").fetchall() == [(number,)]
    assert events(stack, 22, "request-settled")


def test_without_its_record_nothing_is_changed(stack):
    words = ("--table", "public.patients", "--key", "24", "--column", "city", "--value", "Vannes")
    word, before = seen(rectify(stack, 24, *words)), tables(stack)
    config = stack.folder / "broken.cfg"
    config.write_text(stack.config_file.read_text().replace(str(stack.audit_dir), "/proc/nowhere"))
    done = stack.command("subject", "rectify", "-c", config, "--as", stack.dba(), "--patient", 24, *words, "--apply", "--seen", word, "--reason", "x", check=False)
    assert done.returncode == 3 and tables(stack) == before


REFUSED = {
    "another table's subject reads it": (41, "code", "c1000", "rows of public.uses are"),
    "another table's subject reads it through a view": (42, "slot", "s1000", "rows of public.lockers are"),
    "a function decides, and a row would be nobody's": (43, "gate", "g1000", "rows of public.passages would go, or change hands"),
    "a function decides, and nobody's row would be hers": (44, "gate", "h44", "rows of public.passages would go, or change hands"),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_rows_of_other_tables_do_not_change_hands(what, stack):
    patient, column, value, told = REFUSED[what]
    with stack.superuser() as c:
        if value == "h44":  # nothing is lost: only the gain tells
            c.execute("DELETE FROM passages WHERE gate = 'g44'")
    words, before = ("--table", "public.badges", "--key", patient, "--column"), tables(stack)
    done = rectify(stack, patient, *words, column, "--value", value)
    assert done.returncode == 2 and told in done.stderr, done.stderr
    assert tables(stack) == before and not events(stack, patient, "subject-rectify-plan")
    assert apply(stack, patient, *words, "colour", "--value", "blue").returncode == 0
    assert [(t, list(d)) for t, d in changed(before, tables(stack))] == [("badges", ["colour"])]


def test_what_a_trigger_writes_down_is_no_row_that_changes_hands(stack):
    """A history that a trigger keeps, of hers: a row more, that was not there before."""
    with stack.superuser() as c:
        c.execute("CREATE FUNCTION history() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.notes VALUES ('h' || OLD.id, OLD.patient_id, "
                  "OLD.patient_id, OLD.colour); RETURN NULL; END $$")
        c.execute("CREATE TRIGGER history AFTER UPDATE ON badges FOR EACH ROW EXECUTE FUNCTION history()")
        done = apply(stack, 45, "--table", "public.badges", "--key", "45", "--column", "colour", "--value", "green")
        assert done.returncode == 0, done.stderr
        assert c.execute("SELECT body FROM notes WHERE code = 'h45'").fetchall() == [("red",)]
        c.execute("CREATE OR REPLACE FUNCTION history() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.notes WHERE n = OLD.patient_id; RETURN NULL; END $$")
        taken = rectify(stack, 46, "--table", "public.badges", "--key", "46", "--column", "colour", "--value", "green")
        c.execute("DROP TRIGGER history ON badges; DROP FUNCTION history()")
        assert taken.returncode == 2 and "rows of public.notes would go" in taken.stderr
        assert c.execute("SELECT count(*) FROM notes WHERE n = 46").fetchone() == (1,)


def test_other_columns_that_a_trigger_changes_are_shown(stack):
    words = ("--table", "public.badges", "--key", "47", "--column", "colour", "--value", "blue")
    with stack.superuser() as c:
        plain = rectify(stack, 47, *words)
        assert "also changes" not in plain.stdout
        c.execute("CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.badges SET code = 'of ' || OLD.id WHERE id = OLD.id AND "
                  "code IS DISTINCT FROM 'of ' || OLD.id; RETURN NULL; END $$")
        c.execute("CREATE TRIGGER more AFTER UPDATE ON badges FOR EACH ROW EXECUTE FUNCTION more()")
        c.execute("DELETE FROM uses WHERE code = 'c47'")
        try:
            shown = rectify(stack, 47, *words)
            assert "the database also changes there: code\n" in shown.stdout and seen(shown) != seen(plain)
            assert rectify(stack, 47, *words, "--apply", "--seen", seen(plain), "--reason", "x").returncode == 1
            assert rectify(stack, 47, *words, "--apply", "--seen", seen(shown), "--reason", "x").returncode == 0
            assert c.execute("SELECT code, colour FROM badges WHERE id = 47").fetchone() == ("of 47", "blue")
        finally:
            c.execute("DROP TRIGGER more ON badges; DROP FUNCTION more()")
    (event,) = events(stack, 47, "subject-rectify")
    assert event["detail"].endswith(", also changed: code") and "of 47" not in json.dumps(event)


def test_the_trail_has_the_key_as_the_database_writes_it(stack):
    done = apply(stack, 48, "--table", "public.badges", "--key", " \n048", "--column", "colour", "--value", "blue")
    assert done.returncode == 0 and "public.badges (id=48) colour" in events(stack, 48, "subject-rectify")[0]["detail"]


def test_what_was_not_committed_is_undone_in_the_trail_too(stack):
    words = ["--table", "public.badges", "--key", "49", "--column", "colour", "--value", "blue"]
    asked = stack.command("subject", "request", "-c", stack.config_file, "--as", stack.dba(), "--patient", 49, "--kind", "rectification")
    number = asked.stdout.split()[1]
    word, before = seen(rectify(stack, 49, *words)), tables(stack)
    with stack.superuser() as c:
        # The register's trigger defers again what was asked at once: the commit itself fails.
        c.execute("CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET CONSTRAINTS ALL DEFERRED; RETURN NEW; END $$")
        c.execute("CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$")
        c.execute("CREATE TRIGGER later BEFORE UPDATE ON pgvigil_rights.requests FOR EACH ROW EXECUTE FUNCTION later()")
        c.execute("CREATE CONSTRAINT TRIGGER never AFTER UPDATE ON pgvigil_rights.requests DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION never()")
        done = rectify(stack, 49, *words, "--apply", "--seen", word, "--request", number)
        assert done.returncode == 3 and "not now" in done.stderr
        assert tables(stack) == before
        (made,), (undone,) = events(stack, 49, "subject-rectify"), events(stack, 49, "subject-rectify-undone")
        assert re.search(r"rectification (\S+),", made["detail"]).group(1) in undone["detail"]
        assert len(events(stack, 49, "request-settled")) == len(events(stack, 49, "request-undone")) == 1
        assert number in events(stack, 49, "request-undone")[0]["detail"]
        # Without the first trigger the settlement itself fails: the rectification was on record, the settlement was not.
        c.execute("DROP TRIGGER later ON pgvigil_rights.requests")
        assert rectify(stack, 49, *words, "--apply", "--seen", word, "--request", number).returncode == 3
        assert len(events(stack, 49, "subject-rectify-undone")) == 2 and len(events(stack, 49, "request-settled")) == 1
        c.execute("DROP TRIGGER never ON pgvigil_rights.requests; DROP FUNCTION later(); DROP FUNCTION never()")
    assert rectify(stack, 49, *words, "--apply", "--seen", word, "--request", number).returncode == 0
    assert len(events(stack, 49, "request-undone")) == 1 and len(events(stack, 49, "request-settled")) == 2


@pytest.mark.parametrize("state,again", [("40001", True), ("40P01", True), ("P0001", False)])
def test_a_conflict_says_to_run_it_again_in_the_language_asked_for(stack, state, again):
    """At the change, at the settlement, and at the commit, which a trigger on the register brings about; the change is undone each time."""
    words = ["--table", "public.badges", "--key", "52", "--column", "colour", "--value", "green"]
    asked = stack.command("subject", "request", "-c", stack.config_file, "--as", stack.dba(), "--patient", 52, "--kind", "rectification")
    number = asked.stdout.split()[1]
    word, before = seen(rectify(stack, 52, *words)), tables(stack)
    with stack.superuser() as c:
        c.execute("CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '%s'; END $$" % state)
        c.execute("CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET CONSTRAINTS ALL DEFERRED; RETURN NEW; END $$")
        for drop, *made in (("DROP TRIGGER clash ON badges", "CREATE TRIGGER clash BEFORE UPDATE ON badges FOR EACH ROW EXECUTE FUNCTION clash()"),
                            ("DROP TRIGGER clash ON pgvigil_rights.requests", "CREATE TRIGGER clash BEFORE UPDATE ON pgvigil_rights.requests FOR EACH ROW EXECUTE FUNCTION clash()"),
                            ("DROP TRIGGER clash ON pgvigil_rights.requests; DROP TRIGGER later ON pgvigil_rights.requests",
                             "CREATE CONSTRAINT TRIGGER clash AFTER UPDATE ON pgvigil_rights.requests DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION clash()",
                             "CREATE TRIGGER later BEFORE UPDATE ON pgvigil_rights.requests FOR EACH ROW EXECUTE FUNCTION later()")):
            for one in made:
                c.execute(one)
            for lang, told in (("en", "run it again"), ("fr", "relancez la commande")):
                done = rectify(stack, 52, *words, "--apply", "--seen", word, "--request", number, "--lang", lang)
                assert done.returncode == 3 and (told in done.stderr) == again and tables(stack) == before, done.stderr
            c.execute(drop)
        c.execute("DROP FUNCTION clash(); DROP FUNCTION later()")
    assert rectify(stack, 52, *words, "--apply", "--seen", word, "--request", number, "--lang", "fr").returncode == 0
    with stack.superuser() as c:
        assert c.execute("SELECT outcome FROM pgvigil_rights.requests WHERE id = %s" % number).fetchone() == ("rectifié",)


def test_a_deferred_constraint_is_asked_before_anything_is_on_record(stack):
    words = ["--table", "public.badges", "--key", "50", "--column", "colour", "--value", "blue"]
    with stack.superuser() as c:
        word = seen(rectify(stack, 50, *words))
        c.execute("CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$")
        c.execute("CREATE CONSTRAINT TRIGGER never AFTER UPDATE ON badges DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION never()")
        for more in ([], ["--apply", "--seen", word, "--reason", "x"]):
            done = rectify(stack, 50, *words, *more)
            assert done.returncode == 3 and "not now" in done.stderr
        c.execute("DROP TRIGGER never ON badges; DROP FUNCTION never()")
    assert not events(stack, 50, "subject-rectify")


def test_one_person_does_not_change_until_when_a_record_is_kept(make_stack):
    kept = make_stack(extra_sql=erase_schema.SQL, extra_policy=erase_schema.FILES, config=documents.ORGANISATION, serve=False)
    with kept.superuser() as c:
        ages = rights_schema.ages(c)
        stays = {p: (n, str(at)) for p, n, at in c.execute(
            "SELECT DISTINCT ON (patient_id) patient_id, id, admitted_at FROM stays ORDER BY patient_id, admitted_at DESC")}
        born = {p: str(b) for p, b in c.execute("SELECT p.id, p.birth_date FROM patients p WHERE NOT EXISTS (SELECT FROM deaths d WHERE d.patient_id = p.id)")}
        adult = next(p for p in sorted(stays) if ages[p] == "active" and p in born and stays[p][1][:4] > "2000" and born[p] < "1960")
        minor = next(p for p in sorted(stays) if ages[p] == "active" and p in born and p != adult)
        c.execute("UPDATE patients SET birth_date = '2024-05-05' WHERE id = %s", (minor,))
        c.execute("ALTER TABLE stays DROP CONSTRAINT stays_check")
        before = erase_schema.rows(c)
        stay, at = stays[adult]
        for patient, words in ((adult, ["public.stays", "--key", stay, "--column", "admitted_at", "--value", "%d%s" % (int(at[:4]) - 3, at[4:])]),
                               (adult, ["public.stays", "--key", stay, "--column", "admitted_at", "--value", "%d%s" % (int(at[:4]) + 3, at[4:])]),
                               (minor, ["public.patients", "--key", minor, "--column", "birth_date", "--value", "2023-05-05"])):
            done = rectify(kept, patient, "--table", *words)
            assert done.returncode == 2 and "until when the record is kept" in done.stderr, (words, done.stderr)
        assert erase_schema.rows(c) == before
        # An adult's birth date decides about nothing.
        done = apply(kept, adult, "--table", "public.patients", "--key", adult, "--column", "birth_date", "--value", "1941-02-03")
        assert done.returncode == 0, done.stderr
