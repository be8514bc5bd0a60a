"""
`pgvigil diff`: what comes of two policies, compared. Files only.

Each kind of difference is told in its direction, and the other way round it goes the other way. Random policies are
compared with what this file works out by itself: which rule wins, what it makes of each column.
"""
import copy
import json
import random
import re
import subprocess

import harness
import pytest

SECRET = "SCRAM-SHA-256$4096:0kgqt5d6Nbb9GV1Vhwxvsw==$D6rx0Gb6n2RsyH0NCnkkT2xJpEDc1Hc2P5Bqqzq1Cb4=:5JtXFdvKzdGdvAYZ8yuvV5kKVIkGVc8Wkp7cRvXyW3M="
SECRET2 = SECRET.replace("0kgq", "1kgq")

BASE = """
tables = (
  { name = "public.patients"; subject = "patients.id";
    columns = { admin = [ "id", "ward_id" ]; identifier = [ "nir", "name" ]; medical = [ "blood", "allergies" ]; }; },
  { name = "public.stays"; subject = "stays.patient_id"; columns = { admin = [ "id", "patient_id" ]; medical = [ "reason", "diagnosis" ]; }; },
  { name = "ehr.*"; except = [ "ehr.tmp_*" ]; columns = { admin = [ "id" ]; };
    columns_like = ( { match = "*_nir"; category = "identifier"; } ); }
);
masks = { year = "make_date(extract(year from :col)::int, 1, 1)"; first = "left(:col, 1)"; };
attributes = ( { name = "wards"; type = "int[]"; }, { name = "rpps"; type = "text"; } );
missions = ( { name = "care"; title = "Care"; purpose = "TREAT"; }, { name = "research"; max_rows = 100; } );
roles = ( { name = "nurse"; missions = [ "care" ]; }, { name = "clerk"; missions = [ "care", "research" ]; default = "care"; },
          { name = "dba"; missions = [ "care" ]; } );
filters = { mine = "patients.ward_id = ANY(:user.wards)"; of_mine = "EXISTS (SELECT 1 FROM public.patients p WHERE p.id = :subject)"; };
rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.patients" ]; filter = "mine";
    columns = { admin = "show"; identifier = "show"; nir = "null"; }; update = [ "name" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.stays" ]; filter = "of_mine"; columns = { admin = "show"; medical = "hide"; }; },
  { roles = [ "clerk" ]; missions = [ "care" ]; tables = [ "ehr.*" ]; columns = { admin = "show"; identifier = "pseudonym"; }; },
  { roles = [ "clerk" ]; missions = [ "research" ]; tables = [ "public.patients" ]; columns = { medical = "show"; name = "first"; }; }
);
functions = ( { name = "app.bmi"; roles = [ "nurse" ]; } );
users = (
  { name = "n1"; auth = "scram"; secret = "%s"; roles = [ "nurse", "clerk" ]; attributes = { wards = [ "1" ]; rpps = "7"; }; },
  { name = "c1"; auth = "cert"; certificate_cn = "c1"; roles = [ "clerk" ]; }
);
""" % SECRET


def pgvigil(*args):
    done = subprocess.run([harness.binary()] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


FIELDS = ("direction", "kind", "role", "mission", "user", "object", "column", "from", "to")


def items(old, new, *more):
    """The differences, as tuples; the exit code must agree with them."""
    status, out, err = pgvigil("diff", "--json", *more, old, new)
    assert status in (0, 1) and err == "", out + err
    found = json.loads(out)
    assert status == (1 if found["changes"] else 0)
    listed = [tuple(change.get(field) for field in FIELDS) for change in found["changes"]]
    assert len(set(listed)) == len(listed)
    assert all(set(change) <= set(FIELDS) for change in found["changes"])
    if "--gains-only" not in more:
        for direction, count in found["counts"].items():
            assert sum(1 for item in listed if item[0] == direction) == count
    return listed


def mirrored(listed):
    """The other way round: what was gained is lost, and what was is what is."""
    turn = {"gain": "loss", "loss": "gain", "change": "change", "other": "other"}
    return {(turn[item[0]],) + item[1:-2] + (item[-1], item[-2]) for item in listed}


@pytest.fixture()
def write(tmp_path):
    def one(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path
    return one


def edited(*edits):
    text = BASE
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def item(direction, kind, who="", object_=None, column=None, was=None, now=None):
    """`who`: role/mission, role, /mission or @user."""
    role, _, mission = who.partition("/")
    user = None
    if role.startswith("@"):
        user, role = role[1:], mission
        mission = ""
    return (direction, kind, role or None, mission or None, user, object_, column, was, now)


MINE = "patients.ward_id = ANY(:user.wards)"
CELLS = "cells of %d; %d statements a day"
CASES = {
    "a column shown": ([('nir = "null"; }', 'nir = "show"; }')], {item("gain", "column", "nurse/care", "public.patients", "nir", "null", "shown")}),
    "a column hidden": ([('nir = "null"; }', 'nir = "hide"; }')], {item("loss", "column", "nurse/care", "public.patients", "nir", "null", "hidden")}),
    "a column masked": ([('nir = "null"; }', 'nir = "first"; }')], {item("gain", "column", "nurse/care", "public.patients", "nir", "null", "masked by first")}),
    "a mask in a mask's place": ([('name = "first"', 'name = "pseudonym"')], {item("change", "column", "clerk/research", "public.patients", "name", "masked by first", "pseudonym")}),
    "a mask that does something else": ([('"left(:col, 1)"', '"left(:col, 2)"')], {item("change", "column", "clerk/research", "public.patients", "name", "masked by first: left(:col, 1)", "masked by first: left(:col, 2)")}),
    "a mask taken away": ([('name = "first"', 'name = "show"')], {item("gain", "column", "clerk/research", "public.patients", "name", "masked by first", "shown")}),
    "a category shown": ([('medical = "hide"', 'medical = "show"')], {item("gain", "column", "nurse/care", "public.stays", column, "hidden", "shown") for column in ("reason", "diagnosis")}),
    "a column moved to another category": ([('identifier = [ "nir", "name" ]; medical = [ "blood"', 'identifier = [ "nir", "name", "blood" ]; medical = [ "x"')],
                                           {item("gain", "column", "nurse/care", "public.patients", "blood", "hidden", "shown"), item("loss", "column", "clerk/research", "public.patients", "blood", "shown", "hidden"),
                                            item("gain", "column", "clerk/research", "public.patients", "x", "hidden", "shown")}),
    "a relation opened": ([('tables = [ "public.stays" ]', 'tables = [ "public.stays" ]'), ('medical = "show"; name = "first"; }; }', 'medical = "show"; name = "first"; }; },\n { roles = [ "clerk" ]; missions = [ "care" ]; tables = [ "public.stays" ]; columns = { admin = "show"; reason = "null"; }; insert = [ "id" ]; delete = true; }')],
                          {item("gain", "relation", "clerk/care", "public.stays", None, None, "shown: admin; null: reason; every row"), item("gain", "insert", "clerk/care", "public.stays", "id", "no", "yes"), item("gain", "delete", "clerk/care", "public.stays", None, "no", "yes")}),
    "a relation closed": ([('tables = [ "public.stays" ]; filter = "of_mine"; columns = { admin = "show"; medical = "hide"; }', 'tables = [ "ehr.*" ]; columns = { admin = "show"; }')],
                          {item("loss", "relation", "nurse/care", "public.stays", None, "shown: admin; rows: EXISTS (SELECT 1 FROM public.patients p WHERE p.id = :subject)", None), item("gain", "relation", "nurse/care", "ehr.*", None, None, "shown: id; every row")}),
    "a pattern's exception gone": ([(' except = [ "ehr.tmp_*" ];', "")], {item("gain", "relation", "clerk/care", "ehr.tmp_*", None, None, "shown: id; pseudonym: *_nir; every row")}),
    "a pattern's columns": ([('match = "*_nir"', 'match = "*_number"')], {item("loss", "column", "clerk/care", "ehr.*", "*_nir", "pseudonym", "hidden"), item("gain", "column", "clerk/care", "ehr.*", "*_number", "hidden", "pseudonym")}),
    "a condition taken away": ([('tables = [ "public.patients" ]; filter = "mine";', 'tables = [ "public.patients" ];')], {item("gain", "rows", "nurse/care", "public.patients", None, MINE, "every row")}),
    "another condition": ([("= ANY(:user.wards)", "<> ALL(:user.wards)")], {item("change", "rows", "nurse/care", "public.patients", None, MINE, "patients.ward_id <> ALL(:user.wards)")}),
    "other cells": ([('subject = "stays.patient_id";', 'subject = "stays.patient_id"; dimensions = [ "reason" ]; measures = [ "id" ];')],
                    {item("change", "cells", "", "public.stays", None, "by none; of none", "by reason; of id")}),
    "another subject": ([('subject = "stays.patient_id"', 'subject = "stays.id"')], {item("other", "subject", "", "public.stays", None, "stays.patient_id", "stays.id"),
                        item("change", "rows", "nurse/care", "public.stays", None, "EXISTS (SELECT 1 FROM public.patients p WHERE p.id = (stays.patient_id) )", "EXISTS (SELECT 1 FROM public.patients p WHERE p.id = (stays.id) )")}),
    "a write more": ([('update = [ "name" ]', 'update = [ "name", "ward_id" ]; insert = [ "admin" ]; delete = true')],
                     {item("gain", "update", "nurse/care", "public.patients", "ward_id", "no", "yes"), item("gain", "insert", "nurse/care", "public.patients", "id", "no", "yes"), item("gain", "insert", "nurse/care", "public.patients", "ward_id", "no", "yes"), item("gain", "delete", "nurse/care", "public.patients", None, "no", "yes")}),
    "a write less": ([(' update = [ "name" ];', "")], {item("loss", "update", "nurse/care", "public.patients", "name", "yes", "no")}),
    "a function": ([('roles = [ "nurse" ]; } );\nusers', 'roles = [ "nurse" ]; }, { name = "app.age"; roles = [ "clerk" ]; missions = [ "care" ]; } );\nusers')], {item("gain", "function", "clerk/care", "app.age", None, "no", "yes")}),
    "a function for everyone": ([('{ name = "app.bmi"; roles = [ "nurse" ]; }', '{ name = "app.bmi"; }')], {item("gain", "function", who, "app.bmi", None, "no", "yes") for who in ("clerk/care", "clerk/research", "dba/care")}),
    "a mission more": ([('{ name = "nurse"; missions = [ "care" ]; }', '{ name = "nurse"; missions = [ "care", "research" ]; default = "care"; }')], {item("gain", "role_mission", "nurse/research", None, None, "no", "yes"), item("gain", "function", "nurse/research", "app.bmi", None, "no", "yes")}),
    "a role more": ([('{ name = "dba"; missions = [ "care" ]; }', '{ name = "dba"; missions = [ "care" ]; }, { name = "guest"; missions = [ "research" ]; }')], {item("gain", "role", "guest", None, None, "no", "yes"), item("gain", "role_mission", "guest/research", None, None, "no", "yes")}),
    "a role without any restriction": ([('{ name = "dba"; missions = [ "care" ]; }', '{ name = "dba"; missions = [ "care" ]; unrestricted = true; }')], {item("gain", "unrestricted", "dba", None, None, "no", "yes")}),
    "another default": ([('default = "care"; }', 'default = "research"; }')], {item("other", "default", "clerk", None, None, "care", "research")}),
    "more rows": ([("max_rows = 100;", "max_rows = 200;")], {item("gain", "max_rows", "/research", None, None, "100 rows", "200 rows")}),
    "rows in an hour": ([("max_rows = 100;", "max_rows = 100; rows_per_hour = 500;")], {item("loss", "rows_per_hour", "/research", None, None, "no limit", "500 rows")}),
    "hours and addresses": ([("max_rows = 100;", 'max_rows = 100; hours = [ "mon-fri 08:00-20:00", "sat 09:00-12:00" ]; addresses = [ "10.0.0.0/8" ];')],
                            {item("loss", "hours", "/research", None, None, "always", "mon-fri 08:00-20:00; sat 09:00-12:00"), item("loss", "addresses", "/research", None, None, "everywhere", "10.0.0.0/8")}),
    "patients of groups": ([("max_rows = 100;", "max_rows = 100; group_subjects = 20;")], {item("other", "group_subjects", "/research", None, None, "none", "20 patients")}),
    "exact patients": ([("max_rows = 100;", "max_rows = 100; exact_subjects = true;")], {item("loss", "exact_subjects", "/research", None, None, "allowed", "refused")}),
    "groups only": ([("max_rows = 100;", "max_rows = 100; aggregate_only = { };")], {item("loss", "aggregate_only", "/research", None, None, "rows", CELLS % (11, 200))}),
    "rows without a limit": ([(" max_rows = 100;", "")], {item("gain", "max_rows", "/research", None, None, "100 rows", "no limit")}),
    "a title": ([('title = "Care"', 'title = "Soins"')], {item("other", "mission", "/care", None, None, "Care, TREAT", "Soins, TREAT")}),
    "a purpose": ([('purpose = "TREAT"', 'purpose = "ETREAT"')], {item("other", "mission", "/care", None, None, "Care, TREAT", "Care, ETREAT")}),
    "a mission": ([('{ name = "research"; max', '{ name = "audit"; title = "A"; }, { name = "research"; max')], {item("other", "mission", "/audit", None, None, None, "A; no limit; no break-glass")}),
    "a user more": ([('users = (', 'users = ( { name = "n2"; auth = "cert+scram"; secret = "%s"; certificate_cn = "n2"; roles = [ "clerk", "nurse" ]; attributes = { wards = [ "2", "3" ]; rpps = "8"; }; },' % SECRET)],
                    {item("gain", "user", "@n2", None, None, None, 'clerk, nurse; by certificate and password of n2; rpps=8; wards={"2","3"}')}),
    "a role of a user": ([('roles = [ "clerk" ]; }\n)', 'roles = [ "clerk", "dba" ]; }\n)')], {item("gain", "user_role", "@c1/dba", None, None, "no", "yes")}),
    "the first role of a user": ([('roles = [ "nurse", "clerk" ]', 'roles = [ "clerk", "nurse" ]')], {item("other", "default", "@n1", None, None, "nurse", "clerk")}),
    "an attribute of a user": ([('wards = [ "1" ];', 'wards = [ "1", "2" ];')], {item("change", "user_attribute", "@n1", "wards", None, '{"1"}', '{"1","2"}')}),
    "an attribute that a user lacked": ([('certificate_cn = "c1";', 'certificate_cn = "c1"; attributes = { rpps = "9"; };')], {item("gain", "user_attribute", "@c1", "rpps", None, None, "9")}),
    "the type of an attribute": ([('{ name = "wards"; type = "int[]"; }', '{ name = "wards"; type = "bigint[]"; }')], {item("change", "attribute", "", "wards", None, "int[]", "bigint[]")}),
    "an attribute": ([('{ name = "rpps"; type = "text"; } )', '{ name = "rpps"; type = "text"; }, { name = "desk"; type = "text"; } )')], {item("other", "attribute", "", "desk", None, None, "text")}),
    "a password": ([(SECRET, SECRET2)], {item("change", "user_login", "@n1", None, None, "password (not the same)", "password (not the same)")}),
    "a certificate": ([('certificate_cn = "c1"', 'certificate_cn = "c2"')], {item("change", "user_login", "@c1", None, None, "certificate of c1", "certificate of c2")}),
    "a login that acts for others": ([('certificate_cn = "c1"; roles = [ "clerk" ];',
                                      'certificate_cn = "c1"; on_behalf = { roles = [ "clerk" ]; from = "pgvigil.user"; proof = "none"; absent = "clerk"; };')],
                                     {item("change", "user_login", "@c1", None, None, "certificate of c1",
                                           "certificate of c1; acts for others as clerk, named by pgvigil.user, not proven; for itself clerk")}),
    "a way to log in": ([('auth = "scram"; secret', 'auth = "cert+scram"; certificate_cn = "n1"; secret')], {item("change", "user_login", "@n1", None, None, "password", "certificate and password of n1")}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_difference(name, write):
    edits, wanted = CASES[name]
    old, new = write("old.cfg", BASE), write("new.cfg", edited(*edits))
    forth, back = items(old, new), items(new, old)
    assert set(forth) == wanted
    assert set(back) == mirrored(wanted)
    # What must be looked at, and nothing else.
    assert set(items(old, new, "--gains-only")) == {i for i in wanted if i[0] in ("gain", "change")}


BETWEEN = [  # what one mission's keys become
    ('hours = [ "08:00-20:00" ];', 'hours = [ "08:00-21:00" ];', item("change", "hours", "/research", None, None, "08:00-20:00", "08:00-21:00")),
    ('addresses = [ "10.0.0.0/8" ];', 'addresses = [ "10.0.0.0/16" ];', item("change", "addresses", "/research", None, None, "10.0.0.0/8", "10.0.0.0/16")),
    ("rows_per_hour = 5;", "rows_per_hour = 6;", item("gain", "rows_per_hour", "/research", None, None, "5 rows", "6 rows")),
    ("aggregate_only = { k = 12; };", "aggregate_only = { };", item("gain", "aggregate_only", "/research", None, None, CELLS % (12, 200), CELLS % (11, 200))),
    ("aggregate_only = { statements_per_day = 300; };", "aggregate_only = { };", item("loss", "aggregate_only", "/research", None, None, CELLS % (11, 300), CELLS % (11, 200))),
    ("aggregate_only = { k = 12; };", "aggregate_only = { statements_per_day = 100; };", item("change", "aggregate_only", "/research", None, None, CELLS % (12, 200), CELLS % (11, 100))),
    ("exact_subjects = true;", "exact_subjects = true; group_subjects = 5;", item("gain", "group_subjects", "/research", None, None, "none", "5 patients")),
    ("exact_subjects = true; group_subjects = 5;", "exact_subjects = true; group_subjects = 6;", item("other", "group_subjects", "/research", None, None, "5 patients", "6 patients")),
]


@pytest.mark.parametrize("was, now, wanted", BETWEEN)
def test_each_way_of_a_missions_key(was, now, wanted, write):
    old, new = (write(name, edited(("max_rows = 100;", "max_rows = 100; " + keys))) for name, keys in (("old.cfg", was), ("new.cfg", now)))
    assert items(old, new) == [wanted]
    assert set(items(new, old)) == mirrored([wanted])


SAME = {
    "blanks and comments": [(' = ANY(:user.wards)"; of', '\\n   =  any( :user.wards )  "; of'), ('masks = {', '# another comment\nmasks = {')],
    "the order of rules": [('columns = { admin = "show"; identifier = "show"; nir = "null"; }', 'columns = { nir = "null"; identifier = "show"; admin = "show"; }')],
    "a category's name": [('medical = [ "reason", "diagnosis" ]', 'clinical = [ "diagnosis", "reason" ]'), ('admin = "show"; medical = "hide"; }', 'admin = "show"; clinical = "hide"; }')],
    "a mask's name": [("first = ", "initial = "), ('name = "first"', 'name = "initial"')],
    "a filter's name": [("mine = \"patients", "own = \"patients"), ('filter = "mine"', 'filter = "own"')],
    "a filter written out": [('filter = "mine"', 'rows = "%s"' % MINE)],
    "a rule in two": [('tables = [ "public.stays" ]; filter = "of_mine"; columns = { admin = "show"; medical = "hide"; }', 'tables = [ "public.stays" ]; filter = "of_mine"; columns = { id = "show"; patient_id = "show"; }')],
    "the order of attributes": [('wards = [ "1" ]; rpps = "7";', 'rpps = 7; wards = [ 1 ];')],
    "a hidden table": [('tables = (\n', 'tables = (\n  { name = "public.nobody"; columns = { admin = [ "id" ]; }; },\n')],
    "a filter that nobody uses": [("filters = {", 'filters = { other = "true";')],
    "a function listed twice": [('{ name = "app.bmi"; roles = [ "nurse" ]; }', '{ name = "app.bmi"; roles = [ "nurse" ]; }, { name = "app.bmi"; roles = [ "nurse" ]; missions = [ "care" ]; }')],
}


@pytest.mark.parametrize("name", SAME)
def test_what_has_no_effect_is_no_difference(name, write):
    old, new = write("old.cfg", BASE), write("new.cfg", edited(*SAME[name]))
    assert items(old, new) == [] and items(new, old) == []
    status, out, err = pgvigil("diff", old, new)
    assert status == 0 and "0 gains, 0 changes, 0 losses, 0 other" in out and err == ""


@pytest.mark.parametrize("was,now", [("patients.name = 'A b'", "patients.name = 'A  b'"), ("patients.name = 'a'", "patients.name = 'A'"), ('patients.\\"Name\\" = \'a\'', 'patients.\\"name\\" = \'a\''), ("patients.id = 1 - -1", "patients.id = 1 + -1"), ("patients.name LIKE 'a b'", "patients.name LIKE 'ab'"), ("patients.id @ -1 = 1", "patients.id @- 1 = 1")])
def test_what_looks_alike_and_means_something_else_is_one(was, now, write):
    old, new = write("old.cfg", edited((MINE, was))), write("new.cfg", edited((MINE, now)))
    assert [i[:2] for i in items(old, new)] == [("change", "rows")]


def test_a_directory_and_a_file_with_the_same(tmp_path, write):
    folder = tmp_path / "policy"
    folder.mkdir()
    head, tail = BASE.split("rules = (")
    (folder / "10.cfg").write_text(head)
    (folder / "20.cfg").write_text("rules = (" + tail)
    assert items(folder, write("one.cfg", BASE)) == []
    assert items(harness.CLINIC / "policy", harness.CLINIC / "policy", "--catalog", harness.CLINIC / "catalog.cfg") == []


def test_secrets_are_not_told(write):
    old, new = write("old.cfg", BASE), write("new.cfg", edited((SECRET, SECRET2)))
    for more in ([], ["--json"]):
        for pair in ((old, new), (write("none.cfg", ""), old), (old, write("none.cfg", ""))):
            _, out, err = pgvigil("diff", *more, *pair)
            assert "n1" in out and "SCRAM-SHA-256$" not in out + err


# ---- with a catalog --------------------------------------------------------------------------------------------------------

def catalog_text(relations):
    rows = ['{ schema = "%s"; name = "%s"; kind = "r"; owner = "o"; columns = ( %s ); }' % (*name.split("."), ", ".join('[ "%s", "text" ]' % c for c in columns)) for name, columns in relations.items()]
    return 'format = 1; database = "d"; server_version = 150001; schemas = [ ]; operators = [ ]; typed_operators = [ ]; functions = ( ); types = ( ); relations = ( %s );' % ",\n".join(rows)


def test_a_catalog_says_what_patterns_match(write):
    catalog = write("catalog.cfg", catalog_text({"ehr.doses": ["id", "patient_nir", "free"], "ehr.tmp_1": ["id"], "public.patients": ["id", "ward_id", "nir", "name", "blood", "allergies"], "public.stays": ["id", "patient_id", "reason", "diagnosis"]}))
    old = write("old.cfg", BASE)
    new = write("new.cfg", edited((' except = [ "ehr.tmp_*" ];', ""), ('identifier = "pseudonym"', 'identifier = "show"')))
    assert set(items(old, new, "--catalog", catalog)) == {item("gain", "column", "clerk/care", "ehr.doses", "patient_nir", "pseudonym", "shown"), item("gain", "relation", "clerk/care", "ehr.tmp_1", None, None, "shown: id; every row")}
    # Without it the patterns themselves are told.
    assert set(items(old, new)) == {item("gain", "column", "clerk/care", "ehr.*", "*_nir", "pseudonym", "shown"), item("gain", "relation", "clerk/care", "ehr.tmp_*", None, None, "shown: id; shown: *_nir; every row".replace("; shown: ", ", ").replace("id, *_nir", "*_nir, id"))}


def test_a_relation_that_the_catalog_lacks_is_compared_nevertheless(write):
    """A saved catalog can be older than the policy: what is opened must not go unseen."""
    catalog = write("catalog.cfg", catalog_text({"public.stays": ["id", "patient_id", "reason", "diagnosis"]}))
    old, new = write("old.cfg", BASE), write("new.cfg", edited(('nir = "null"; }', 'nir = "show"; }')))
    assert set(items(old, new, "--catalog", catalog)) == {item("gain", "column", "nurse/care", "public.patients", "nir", "null", "shown")}


# ---- on paper --------------------------------------------------------------------------------------------------------------

def wide(mask, rows=""):
    """Forty tables of ten columns, one rule, three roles."""
    tables = ", ".join('{ name = "public.t%02d"; columns = { admin = [ "id", "ref" ]; medical = [ %s ]; }; }' % (i, ", ".join('"m%d"' % c for c in range(10))) for i in range(40))
    names = ", ".join('"public.t%02d"' % i for i in range(40))
    return ('tables = ( %s ); missions = ( { name = "care"; } ); roles = ( { name = "a"; missions = [ "care" ]; }, { name = "b"; missions = [ "care" ]; }, { name = "c"; missions = [ "care" ]; } );\n'
            'rules = ( { roles = [ "a", "b", "c" ]; missions = [ "care" ]; tables = [ %s ]; %s columns = { admin = "show"; medical = "%s"; }; } );' % (tables, names, rows, mask))


def test_one_change_of_a_category_is_one_paragraph(write):
    old, new = write("old.cfg", wide("hide")), write("new.cfg", wide("show", 'rows = "true";'))
    assert len(items(old, new)) == 3 * 40 * 10 + 3 * 40
    status, out, _ = pgvigil("diff", old, new)
    assert status == 1 and len(out.splitlines()) < 40, out
    assert re.search(r"^  columns: hidden -> shown\n    a/care, b/care, c/care\n        medical of public\.t00, public\.t01,", out, re.M)
    # Nothing is left out.
    gains, losses = out[out.index("GAINS"):out.index("LOSSES")], out[out.index("LOSSES"):]
    for i in range(40):
        assert gains.count("public.t%02d" % i) == 1 and losses.count("public.t%02d" % i) == 1
    assert re.search(r"was: every row\n +now: true", losses)
    assert all(len(line) <= 120 for line in out.splitlines()[1:])  # behind the files' names


EXPECTED = """\
OLD -> NEW: 5 gains, 1 change, 2 losses, 1 other

GAINS: somebody may see or do more

  columns: hidden -> shown
    nurse/care
        diagnosis of public.stays

  columns: null -> shown
    nurse/care
        nir of public.patients

  columns that may be written in new rows
    nurse/care
        admin, name of public.patients

CHANGES: more for some, perhaps less for others; look at each

  attributes of users
    n1
        wards
          was: {"1"}
          now: {"2"}

LOSSES: somebody may see or do less

  columns: shown -> masked by first
    clerk/research
        medical of public.patients

OTHER: nobody may see or do more or less

  missions
    care
          was: Care, TREAT
          now: Soins, TREAT

generation G -> G: NEW needs other guards (pgvigil deploy)
"""


def test_the_whole_on_paper(write):
    new = edited(('admin = "show"; medical = "hide"; }', 'admin = "show"; diagnosis = "show"; }'), ('nir = "null"; }', 'nir = "show"; }; insert = [ "admin", "name" ]'), ('wards = [ "1" ]', 'wards = [ "2" ]'), ('medical = "show"; name', 'medical = "first"; name'), ('"Care"', '"Soins"'))
    old, new = write("old.cfg", BASE), write("new.cfg", new)
    status, out, err = pgvigil("diff", old, new)
    shown = re.sub(r"generation \w{8} -> \w{8}", "generation G -> G", out.replace(str(old), "OLD").replace(str(new), "NEW"))
    assert status == 1 and err == "" and shown == EXPECTED
    status, out, err = pgvigil("diff", "--gains-only", old, new)
    assert status == 1 and "GAINS" in out and "CHANGES" in out and "LOSSES" not in out and "OTHER" not in out
    # Again, and it is the same.
    assert pgvigil("diff", "--json", old, new) == pgvigil("diff", "--json", old, new)


def test_only_losses_and_only_gains_asked_for(write):
    old, new = write("old.cfg", BASE), write("new.cfg", edited((' update = [ "name" ];', "")))
    assert pgvigil("diff", old, new)[0] == 1
    status, out, _ = pgvigil("diff", "--gains-only", old, new)
    assert status == 0 and "LOSSES" not in out


def test_wrong_files_and_usage_are_2(tmp_path, write):
    good, bad = write("good.cfg", BASE), write("bad.cfg", "roles = ( { } );")
    for args, word in (([good], "missing OLD NEW"), ([good, good, good], "unexpected"), ([bad, good], "bad.cfg:1:"), ([good, bad], "bad.cfg:1:"), ([good, tmp_path / "none"], "none"), (["--catalog", tmp_path / "none", good, good], "none"), (["--catalog", bad, good, good], "bad.cfg:1:"), (["--gains", good, good], "--gains")):
        status, out, err = pgvigil("diff", *args)
        assert status == 2 and word in err and out == "", (args, out, err)
    # Everything that is wrong, at once.
    worse = write("worse.cfg", "users = ( { } );")
    _, _, err = pgvigil("diff", bad, worse)
    assert "bad.cfg:1:" in err and "worse.cfg:1:" in err


# ---- random policies, and what they give by another reckoning --------------------------------------------------------------

RELATIONS = {name: ["k%d" % i for i in range(1, 7)] for name in ("s.a", "s.b", "s.c", "s.tmp_x")}
MASKS = {"hide": "hidden", "show": "shown", "null": "null", "pseudonym": "pseudonym", "m1": "masked by m1", "m2": "masked by m2"}
OPEN = {"hidden": 0, "null": 1, "pseudonym": 2, "masked by m1": 2, "masked by m2": 2, "shown": 3}
PAIRS = [("r1", "x"), ("r1", "y"), ("r2", "x")]


class Random:
    """A policy made by chance, as data and as text."""

    def __init__(self, chance):
        self.chance = chance
        self.tables = {}
        for name in RELATIONS:
            if chance.random() < .6:
                self.tables[name] = self.categories(RELATIONS[name])
        self.pattern = None
        if chance.random() < .6 or not self.tables:
            self.pattern = {"like": {"?1": "A", "k2*": "B", "*2": chance.choice("AB"), "*6": chance.choice("AB")}, "except": chance.random() < .5}
        self.rules, self.star = {}, {}
        for pair in PAIRS:
            for name in RELATIONS:
                if self.table(name) is not None and chance.random() < .5:
                    self.rules[pair + (name,)] = self.rule(name)
            if self.pattern and chance.random() < .4:
                self.star[pair] = {"columns": {c: chance.choice(list(MASKS)) for c in "AB"}, "rows": chance.choice([None, "true", "false"]), "insert": [], "update": [], "delete": chance.random() < .3}

    def categories(self, columns):
        chosen = {c: self.chance.choice(["A", "B", None]) for c in columns}
        return {cat: [c for c in columns if chosen[c] == cat] for cat in "AB"}

    def table(self, name):
        if name in self.tables:
            return self.tables[name]
        if self.pattern and not (self.pattern["except"] and name.startswith("s.tmp_")):
            return self.pattern
        return None

    def category(self, name, column):
        table = self.table(name)
        if table is self.pattern:
            found = {cat for match, cat in table["like"].items() if re.fullmatch(match.replace("?", ".").replace("*", ".*"), column)}
            return found.pop() if len(found) == 1 else None
        return next((cat for cat in "AB" if column in table[cat]), None)

    def rule(self, name):
        classified = [c for c in RELATIONS[name] if self.category(name, c)]
        columns = {c: self.chance.choice(list(MASKS)) for c in ("A", "B", *classified) if self.chance.random() < .5}
        rule = {"columns": columns or {"A": "show"}, "rows": self.chance.choice([None, "true", "false"]), "delete": self.chance.random() < .3}
        shown = [c for c in classified if self.mask(name, rule, c) == "show"]
        rule["insert"] = [c for c in shown if self.chance.random() < .4]
        rule["update"] = [c for c in shown if self.chance.random() < .4]
        return rule

    def mask(self, name, rule, column):
        category = self.category(name, column)
        return "hide" if category is None else rule["columns"].get(column, rule["columns"].get(category, "hide"))

    def access(self, pair, name):
        """None: closed. Else what each column is, the rows, and the writes."""
        if self.table(name) is None:
            return None
        rule = self.rules.get(pair + (name,)) or self.star.get(pair)
        if rule is None:
            return None
        return {"columns": {c: MASKS[self.mask(name, rule, c)] for c in RELATIONS[name]}, "rows": rule["rows"] or "every row", "insert": set(rule["insert"]), "update": set(rule["update"]), "delete": rule["delete"]}

    def text(self):
        def names(values):
            return "[ %s ]" % ", ".join('"%s"' % v for v in values)

        def rule(pair, table, r):
            return '{ roles = [ "%s" ]; missions = [ "%s" ]; tables = [ "%s" ]; %s columns = { %s }; insert = %s; update = %s; delete = %s; }' % (
                *pair, table, 'rows = "%s";' % r["rows"] if r["rows"] else "", " ".join('%s = "%s";' % c for c in r["columns"].items()), names(r["insert"]), names(r["update"]), "true" if r["delete"] else "false")
        tables = ['{ name = "%s"; columns = { %s }; }' % (name, " ".join("%s = %s;" % (c, names(v)) for c, v in table.items())) for name, table in self.tables.items()]
        if self.pattern:
            tables.append('{ name = "s.*"; %s columns_like = ( %s ); }' % ('except = [ "s.tmp_*" ];' if self.pattern["except"] else "", ", ".join('{ match = "%s"; category = "%s"; }' % m for m in self.pattern["like"].items())))
        rules = [rule(key[:2], key[2], r) for key, r in self.rules.items()] + [rule(pair, "s.*", r) for pair, r in self.star.items()]
        for entries in (tables, rules):
            self.chance.shuffle(entries)
        return ('masks = { m1 = "left(:col, 1)"; m2 = "left(:col, 2)"; };\nmissions = ( { name = "x"; }, { name = "y"; } );\nroles = ( { name = "r1"; missions = [ "x", "y" ]; default = "x"; }, { name = "r2"; missions = [ "x" ]; } );\n'
                'tables = (\n%s\n);\nrules = (\n%s\n);\n' % (",\n".join(tables), ",\n".join(rules)))


def reckoned(old, new):
    """What must be told of relations, without the words for what is opened and closed."""
    wanted = set()
    for pair in PAIRS:
        for name in RELATIONS:
            was, now = old.access(pair, name), new.access(pair, name)
            who = pair + (None, name)
            nothing = {"insert": set(), "update": set(), "delete": False}
            if (was is None) != (now is None):
                wanted.add(("gain" if was is None else "loss", "relation") + who + (None,))
            elif was is not None:
                for c in RELATIONS[name]:
                    a, b = was["columns"][c], now["columns"][c]
                    if a != b:
                        wanted.add(("gain" if OPEN[b] > OPEN[a] else "loss" if OPEN[b] < OPEN[a] else "change", "column") + who + (c, a, b))
                a, b = was["rows"], now["rows"]
                if a != b:
                    wanted.add(("gain" if b == "every row" else "loss" if a == "every row" else "change", "rows") + who + (None, a, b))
            a, b = was or nothing, now or nothing
            for kind in ("insert", "update"):
                wanted |= {("gain", kind) + who + (c, "no", "yes") for c in b[kind] - a[kind]} | {("loss", kind) + who + (c, "yes", "no") for c in a[kind] - b[kind]}
            if a["delete"] != b["delete"]:
                wanted.add(("gain" if b["delete"] else "loss", "delete") + who + (None, "no" if b["delete"] else "yes", "yes" if b["delete"] else "no"))
    return wanted


@pytest.mark.parametrize("seed", range(8))
def test_random_policies_are_compared_as_reckoned(seed, write):
    chance = random.Random(seed)
    catalog = write("catalog.cfg", catalog_text(RELATIONS))
    seen = 0
    for _ in range(5):
        p = Random(chance)
        q = copy.deepcopy(p) if chance.random() < .2 else Random(chance)
        old, new = write("p.cfg", p.text()), write("q.cfg", q.text())
        forth = items(old, new, "--catalog", catalog)
        told = {i[:7] if i[1] == "relation" else i for i in forth}
        assert told == reckoned(p, q), (p.text(), q.text())
        assert set(items(new, old, "--catalog", catalog)) == mirrored(forth)
        seen += len(told)
        # The properties, without a catalog too: nothing between a policy and itself, and gains are the losses of the way back.
        for more in ([], ["--catalog", catalog]):
            assert items(old, old, *more) == []
        forth, back = items(old, new), items(new, old)
        assert {i for i in mirrored(forth) if i[0] == "loss"} == {i for i in back if i[0] == "loss"}
        assert mirrored(forth) == set(back)
    assert seen > 20
