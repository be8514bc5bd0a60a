"""
Documents that a minor keeps from those who represent her (code de la santé publique, L1111-5 and R1111-6): gone for the legal
representative and for nobody else, from the next statement on, in every form. What there must be is asked of PostgreSQL in plain SQL.
"""
import re

import harness
import psycopg
import pytest

CHILDREN = (10, 11, 12)
SQL = """
CREATE TABLE public.kept_secret (document_id bigint PRIMARY KEY REFERENCES public.documents (id));
DELETE FROM public.documents WHERE patient_id IN (10, 11, 12, 13);
INSERT INTO public.documents (id, patient_id, kind, title, author, written_at, body)
    SELECT 800000 + n, 10 + n % 4, 'report', 'title ' || n, '10000000017', now(), 'body ' || n FROM generate_series(0, 39) n;
INSERT INTO public.kept_secret SELECT id FROM public.documents WHERE id >= 800000 AND id % 5 = 0;
DELETE FROM public.care_team WHERE patient_id IN (10, 11, 12, 13);
INSERT INTO public.care_team (id, patient_id, practitioner, part, starts_on) SELECT 800000 + p, p, '10000000017', 'attending', current_date FROM unnest(ARRAY[10, 11, 12, 13]) p;
GRANT SELECT ON public.kept_secret TO pgvigil_owner;
"""
POLICY = """
missions = ( { name = "portal"; title = "Espace des familles"; title_en = "Families"; purpose = "PATRQT"; legal_basis = "6.1.e"; special_basis = "9.2.h";
    description = "Consulter le dossier d’un enfant."; description_en = "To read a child's record."; } );
roles = ( { name = "representative"; title = "Titulaire de l’autorité parentale"; title_en = "Legal representative"; missions = [ "portal" ]; default = "portal"; } );
attributes = ( { name = "children"; type = "int[]"; } );
rules = ( { roles = [ "representative" ]; missions = [ "portal" ]; tables = [ "public.documents" ]; rows = "documents.patient_id = ANY(:user.children)";
    columns = { admin = "show"; medical = "show"; }; } );
users = ( { name = "parent1"; auth = "scram"; roles = [ "representative" ]; attributes = { children = [ %s ]; }; secret = "%s"; } );
rights = ( { name = "minors-secret"; kind = "hidden"; tables = [ "public.documents" ]; roles = [ "representative" ];
    hide = "EXISTS (SELECT 1 FROM public.kept_secret k WHERE k.document_id = documents.id)"; } );
"""
SHOWN = "SELECT id FROM documents WHERE patient_id = ANY(%s) AND id >= 800000 AND NOT EXISTS (SELECT FROM kept_secret k WHERE k.document_id = documents.id) ORDER BY id"
FORMS = ["SELECT id FROM documents ORDER BY id", "SELECT d.id FROM documents d JOIN documents e USING (id) ORDER BY 1", "TABLE documents ORDER BY id",
         "SELECT id FROM documents UNION SELECT id FROM documents ORDER BY 1", "WITH d AS (SELECT * FROM documents) SELECT id FROM d ORDER BY 1",
         "SELECT unnest(array_agg(id ORDER BY id)) FROM documents", "SELECT id FROM documents WHERE body LIKE 'body%' ORDER BY id",
         "SELECT (SELECT e.id FROM documents e WHERE e.id = d.id) FROM documents d ORDER BY 1"]


@pytest.fixture(scope="module")
def stack(make_stack):
    users = (harness.CLINIC / "policy" / "50-users.cfg").read_text(encoding="utf-8")
    secret = re.search(r'name = "nurse1".*?secret = "([^"]+)"', users, re.S).group(1)
    return make_stack(extra_sql=SQL, extra_policy=[("95-families.cfg", POLICY % (", ".join('"%d"' % c for c in CHILDREN), secret))])


@pytest.fixture(scope="module")
def parent(stack):
    with stack.connect("parent1", mission="portal", password=harness.password_of("nurse1"), autocommit=True) as c:
        yield c


def column(rows):
    return [row[0] for row in rows]


def shown(stack):
    with stack.superuser() as c:
        return column(c.execute(SHOWN, [list(CHILDREN)]).fetchall())


@pytest.mark.parametrize("sql", FORMS)
def test_what_a_minor_keeps_secret_is_not_there_for_the_representative(stack, parent, sql):
    expected = shown(stack)
    assert column(parent.execute(sql).fetchall()) == expected and 10 < len(expected) < 30


def test_the_physician_sees_it(stack):
    with stack.connect("dr.martin", mission="care") as c, stack.superuser() as s:
        all_of = column(s.execute("SELECT id FROM documents WHERE id >= 800000 ORDER BY id").fetchall())
        assert column(c.execute("SELECT id FROM documents WHERE id >= 800000 ORDER BY id").fetchall()) == all_of
        assert len(all_of) == 40


def test_a_change_of_mind_takes_effect_on_the_next_statement(stack, parent):
    for change in ("DELETE FROM kept_secret WHERE document_id = 800005", "INSERT INTO kept_secret VALUES (800001), (800005)"):
        before = column(parent.execute(FORMS[0]).fetchall())
        with stack.superuser() as c:
            c.execute(change)
        after = column(parent.execute(FORMS[0]).fetchall())
        assert after == shown(stack) != before


def test_nothing_tells_that_there_is_a_secret(stack, parent):
    """Neither a count, nor an error that only its row could raise, nor its number asked for; a row that is shown does raise it."""
    secret, plain = 800010, 800002
    with stack.superuser() as c:
        assert c.execute("SELECT array_agg(document_id = %s) FROM kept_secret WHERE document_id IN (%s, %s)", [secret, secret, plain]).fetchone() == ([True],)
    assert parent.execute("SELECT count(*) FROM documents WHERE id = %d" % secret).fetchone() == (0,)
    raising = "SELECT 1 / (CASE WHEN id = %d THEN 0 ELSE 1 END) FROM documents"
    assert len(parent.execute(raising % secret).fetchall()) == len(shown(stack))
    with pytest.raises(psycopg.errors.DivisionByZero):
        parent.execute(raising % plain)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        parent.execute("SELECT * FROM kept_secret")
