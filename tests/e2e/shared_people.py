"""
shared_people.py: sixty people, the logins that act for them, and the table whose rows are each person's: for tests of shared logins.
"""
import json

import missions_walk
import psycopg.sql

# Whom no login here may act for: w51 to w60 have another role than those of its ceiling.
SQL = """
CREATE TABLE public.w (id int PRIMARY KEY, person text, mission text, unit text, note text);
INSERT INTO public.w SELECT row_number() OVER (), 'w' || lpad(p::text, 2, '0'), m, 'u' || (p % 7), 'note ' || p
  FROM generate_series(1, 60) p, unnest('{ward,office,night}'::text[]) m, generate_series(1, 3);
INSERT INTO public.w VALUES (10001, 'ehr-desk', 'office', 'u9', 'desk'), (10002, 'ehr-token-desk', 'office', 'u9', 'desk');
GRANT SELECT, UPDATE ON public.w TO pgvigil_owner WITH GRANT OPTION;
CREATE TABLE public.w_log (id serial PRIMARY KEY, person text, note text);
GRANT SELECT, INSERT ON public.w_log TO pgvigil_owner WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE public.w_log_id_seq TO pgvigil_owner WITH GRANT OPTION;
CREATE TABLE public.w_people (person text PRIMARY KEY, mission text, unit text);
INSERT INTO public.w_people SELECT 'w' || lpad(p::text, 2, '0'), CASE WHEN p % 3 = 0 THEN 'office' ELSE 'ward' END, 'u' || (p % 7)
  FROM generate_series(1, 50) p;
INSERT INTO public.w_people VALUES ('ehr-desk', 'office', 'u9');
CREATE VIEW public.w_oracle AS SELECT w.id, w.person, w.mission, w.unit FROM public.w JOIN public.w_people p USING (person, mission, unit)
  WHERE p.person = current_setting('my.person', true);
"""


def roles_of(number):
    if number > 50:
        return ["warden"]
    if number == 50:
        return ["ward-nurse", "warden"]
    return ["clerk", "ward-nurse"] if number % 3 == 0 else ["ward-nurse", "clerk"] if number % 3 == 1 else ["ward-nurse"]


def rule(role, mission, rows, more=""):
    return """{ roles = [ "%s" ]; missions = [ "%s" ]; tables = [ "public.w" ]; columns = { all = "show"; %s;
      rows = "w.person = :user.name AND w.mission = '%s' AND w.unit = :user.unit"; }""" % (role, mission, more or "}", rows)


def login(name, how, attributes=""):
    return """{ name = "%s"; auth = "scram"; secret = "%s"; %s on_behalf = { roles = [ "ward-nurse", "clerk" ]; %s }; }""" % (
        name, missions_walk.secret(name), attributes, how)


TOKEN = 'from = "pgvigil.token"; proof = "jwt"; keys = "keys.json"; issuer = "https://idp.test"; audience = "records"; '
NOTES = 'notes = "show"; }; update = [ "notes" ]'


def policy(keys):
    people = ["""{ name = "w%02d"; auth = "none"; roles = [ %s ]; attributes = { unit = "u%d"; }; }""" % (
        i, ", ".join('"%s"' % r for r in roles_of(i)), i % 7) for i in range(1, 61)]
    logins = [login("ehr-app", 'from = "pgvigil.user"; proof = "none";'),
              login("ehr-desk", 'from = "pgvigil.user"; proof = "none"; absent = "clerk";', 'attributes = { unit = "u9"; };'),
              login("ehr-name", 'from = "application_name"; proof = "none";'), login("ehr-token", TOKEN),
              login("ehr-token-desk", TOKEN + 'absent = "clerk";', 'attributes = { unit = "u9"; };')]
    rules = [rule("ward-nurse", "ward", "ward", NOTES), rule("ward-nurse", "limited", "ward"), rule("ward-nurse", "night", "night"),
             """{ roles = [ "ward-nurse" ]; missions = [ "ward" ]; tables = [ "public.w_log" ]; columns = { all = "show"; }; insert = [ "all" ];
      rows = "w_log.person = :user.name"; }""", rule("clerk", "office", "office"), rule("warden", "ward", "ward")]
    return [("keys.json", json.dumps(keys)), ("90-shared.cfg", """
attributes = ( { name = "unit"; type = "text"; } );
tables = ( { name = "public.w"; columns = { all = [ "id", "person", "mission", "unit" ]; notes = [ "note" ]; }; },
           { name = "public.w_log"; columns = { all = [ "id", "person", "note" ]; }; } );
missions = ( { name = "ward"; }, { name = "office"; }, { name = "limited"; rows_per_hour = 5; },
             { name = "night"; break_glass = { reason_min = 20; minutes = 30; require = [ "patient" ]; }; } );
roles = ( { name = "ward-nurse"; missions = [ "ward", "limited", "night" ]; default = "ward"; }, { name = "clerk"; missions = [ "office" ]; },
          { name = "warden"; missions = [ "ward" ]; } );
rules = ( %s );
users = ( %s );
""" % (",\n".join(rules), ",\n".join(logins + people)))]


def on_record(stack, **wanted):
    return [r for r in stack.audit_records() if all(r.get(k) == v for k, v in wanted.items())]


def seen(connection):
    """Whose rows come."""
    return {person for (person,) in connection.execute("SELECT person FROM w").fetchall()}


def own_rows(stack, person):
    """PostgreSQL's answer for a person."""
    with stack.superuser() as c:
        c.execute("SELECT set_config('my.person', %s, false)", (person,))
        return c.execute("SELECT id, person, mission, unit FROM w_oracle ORDER BY id").fetchall()


ROWS = "SELECT id, person, mission, unit FROM w ORDER BY id"


def set_token(c, token, local=""):
    c.execute(psycopg.sql.SQL("SET%s pgvigil.token = {}" % local).format(psycopg.sql.Literal(token)))
