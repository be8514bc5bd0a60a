"""
ON CONFLICT DO UPDATE against row filters that name their column in ways of their own.

PostgreSQL applies no view's WHERE to the row in the way: whoever may set the column that the filter asks for makes a
hidden row her own, and RETURNING prints it. Each table here has one row that nurse1 may see and one that she may not.
"""
import pytest

import wire

LONG = "owner_" + "o" * 57  # 63 bytes: as long as a name can be
CUT = "owner_" + "o" * 55 + "é"  # 63 bytes; with one more letter in front of the é it would be cut before it

# table: (its column that decides, the filter)
FILTERS = {
    "in_plain": ("owner", "in_plain.owner = 'me'"),
    "in_capitals": ("owner", "IN_CAPITALS.OWNER = 'me'"),
    "in_quotes": ("Owner", "in_quotes.\"Owner\" = 'me'"),
    "whole_row": ("owner", "to_jsonb(whole_row) ->> 'owner' = 'me'"),
    "star": ("owner", "to_jsonb(star.*) ->> 'owner' = 'me'"),
    "spaced_star": ("owner", "to_jsonb(spaced_star . *) ->> 'owner' = 'me'"),
    "qualified_star": ("owner", "to_jsonb(public.qualified_star.*) ->> 'owner' = 'me'"),
    "star_in_a_function": ("owner", "app.mine(star_in_a_function.*)"),
    "longer_than_names_are": (LONG, "longer_than_names_are.%sooooo = 'me'" % LONG),
    "longer_in_quotes": (LONG, "longer_in_quotes.\"%sooooo\" = 'me'" % LONG),
    "cut_before_a_letter": (LONG[:-1], "cut_before_a_letter.%sé = 'me'" % LONG[:-1]),
    "cut_nowhere": (CUT, "cut_nowhere.%s = 'me'" % CUT),
}


def schema():
    text = ""
    for table, (column, _) in FILTERS.items():
        text += "CREATE TABLE public.%s (id int PRIMARY KEY, \"%s\" text, note text);\n" % (table, column)
        text += "INSERT INTO public.%s VALUES (1, 'me', 'mine'), (2, 'you', 'hidden');\n" % table
        text += "GRANT SELECT, INSERT, UPDATE ON public.%s TO pgvigil_owner;\n" % table
    return text + ("CREATE FUNCTION app.mine(r public.star_in_a_function) RETURNS boolean LANGUAGE sql STABLE "
                   "AS $$ SELECT r.owner = 'me' $$;\nGRANT EXECUTE ON FUNCTION app.mine TO pgvigil_owner;\n")


def policy():
    tables, rules = [], []
    for table, (column, rows) in FILTERS.items():
        tables.append('{ name = "public.%s"; columns = { admin = [ "id", "%s", "note" ]; }; }' % (table, column))
        rules.append('{ roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.%s" ]; rows = "%s"; '
                     'columns = { admin = "show"; }; insert = [ "admin" ]; update = [ "admin" ]; }'
                     % (table, rows.replace('"', '\\"')))
    return "tables = (\n%s\n);\nrules = (\n%s\n);\n" % (",\n".join(tables), ",\n".join(rules))


@pytest.fixture(scope="module")
def filtered(make_stack):
    return make_stack(extra_sql=schema(), extra_policy=[("90-filters.cfg", policy())])


@pytest.mark.parametrize("table", FILTERS)
def test_a_hidden_row_is_not_captured_by_on_conflict(filtered, table):
    column = FILTERS[table][0]
    with wire.open_session(filtered, "nurse1") as raw:
        messages = raw.query("INSERT INTO %s VALUES (2, 'me', 'new') ON CONFLICT (id) DO UPDATE SET \"%s\" = 'me' "
                             "RETURNING *" % (table, column))
        assert wire.error_of(messages)["C"] in ("0A000", "44000") and wire.rows_of(messages) == []
        assert wire.rows_of(raw.query("SELECT id, note FROM %s" % table)) == [(b"1", b"mine")]
    with filtered.superuser() as c:
        assert c.execute('SELECT "%s", note FROM public.%s WHERE id = 2' % (column, table)).fetchone() == ("you", "hidden")


@pytest.mark.parametrize("table", ["in_plain", "in_capitals", "in_quotes", "longer_than_names_are"])
def test_another_column_of_a_visible_row_is_set(filtered, table):
    with wire.open_session(filtered, "nurse1") as raw:
        raw.query("BEGIN")
        messages = raw.query("INSERT INTO %s VALUES (1, 'me', 'new') ON CONFLICT (id) DO UPDATE SET note = excluded.note "
                             "RETURNING id, note" % table)
        assert wire.error_of(messages) is None and wire.rows_of(messages) == [(b"1", b"new")]
        raw.query("ROLLBACK")


@pytest.fixture(scope="module")
def triggered(make_stack):
    schema_of_it = """
        CREATE TABLE public.by_trigger (id int PRIMARY KEY, owner text, note text);
        INSERT INTO public.by_trigger VALUES (1, 'me', 'mine'), (2, 'you', 'hidden');
        CREATE FUNCTION app.derive() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.owner := split_part(NEW.note, ' ', 1); RETURN NEW; END $$;
        CREATE TRIGGER derive BEFORE UPDATE ON public.by_trigger FOR EACH ROW EXECUTE FUNCTION app.derive();
        GRANT SELECT, INSERT, UPDATE ON public.by_trigger TO pgvigil_owner;"""
    rule = """
        tables = ( { name = "public.by_trigger"; columns = { admin = [ "id", "owner", "note" ]; }; } );
        rules = ( { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.by_trigger" ];
                    rows = "by_trigger.owner = 'me'"; columns = { admin = "show"; };
                    insert = [ "admin" ]; update = [ "admin" ]; } );"""
    return make_stack(extra_sql=schema_of_it, extra_policy=[("90-trigger.cfg", rule)])


def test_a_trigger_that_sets_the_filters_column(triggered):
    with wire.open_session(triggered, "nurse1") as raw:
        messages = raw.query("INSERT INTO by_trigger VALUES (2, 'me', 'x') ON CONFLICT (id) DO UPDATE SET note = 'me 2' "
                             "RETURNING *")
        assert wire.rows_of(messages) == []
    with triggered.superuser() as c:
        assert c.execute("SELECT owner FROM public.by_trigger WHERE id = 2").fetchone() == ("you",)
