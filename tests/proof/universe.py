"""
A universe: a random database, a random policy over it, and what the policy means, as views that this file writes itself.

From one seed: schemas and tables with odd names, many types, partitions, inheritance, views and views on views; rows; two
(role, mission) pairs with rules of their own: shown, masked, hidden columns, row filters of several kinds, rights to write;
for each pair the views through which PostgreSQL itself is the oracle, and the changes that make a twin: a database that
differs only in rows and columns that the pair may not see.

Nothing here asks pgvigil.
"""
import random

import harness

TYPES = ("int", "text", "numeric", "date", "boolean", "text[]", "jsonb", "timestamptz", "mood", "uuid", "bigint")
TABLE_NAMES = ("patients", "stays", "Notes", "select", "acte é", "lab_results", "Dossier Patient", "user", "t", "x_1", "Ωmega", "order")
COLUMN_NAMES = ("name", "ward", "Value", "from", "date de", "note", "état", "COUNT", "kind", "a", "b", "amount", "tags", "info", "at",
                "Group", "x y", "ref", "code", "flag", "limit")
WORDS = ("alpha", "beta", "été", "O'Neil", "x", "", "42", "7", "Dr. No", "%", "a_b", "Zoé", "NULL", "1e3", "  pad ", "{}", "ZED")


def q(name):
    return '"' + name.replace('"', '""') + '"'


def literal(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


class Column:
    def __init__(self, name, kind):
        self.name, self.kind, self.q = name, kind, q(name)


class Relation:
    """A table, partition, child or view. `columns` in the catalog's own order."""

    def __init__(self, schema, name, columns, kind="table", parent=None):
        self.schema, self.name, self.columns, self.kind, self.parent = schema, name, columns, kind, parent
        self.q = q(schema) + "." + q(name)
        self.raw = q("raw " + schema) + "." + q(name)
        self.policy_name = schema + "." + name
        self.children = []
        self.key = columns[0]
        self.region = None  # the partition key
        self.view = None  # of a view: function(name of relation -> SQL) -> its text
        self.sources = []

    def column(self, name):
        return next(c for c in self.columns if c.name == name)


class Rule:
    def __init__(self):
        self.masks = {}  # column name -> mask name ("show", "hide", ...)
        self.rows = None  # policy text
        self.oracle_rows = None  # the same with the person's values, over raw tables
        self.insert, self.update, self.delete = [], [], False

    def visible(self, column):
        return self.masks.get(column, "hide") != "hide"

    def shown(self, column):
        return self.masks.get(column) == "show"


class Universe:
    PAIRS = (("r1", "m1", "person1"), ("r2", "m2", "person2"))

    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)
        self.tables, self.relations = [], []
        self.filter_columns = set()  # (table, column) that some filter reads
        self.filter_tables = set()
        self.wards = {"person1": [1, 2], "person2": [2, 3]}
        self._make_tables()
        self._make_views()
        self.rules = {pair: self._make_rules(pair) for pair in self.PAIRS}
        self.rights, self.retention = [], None
        if seed % 2 == 1:
            self._make_rights(random.Random(seed * 31 + 7))

    # ---- the database ----

    def _name(self, pool, used):
        name = self.random.choice([n for n in pool if n not in used])
        used.add(name)
        return name

    def _columns(self, extra=()):
        used = {"id", "grp"}
        columns = [Column("id", "int"), Column("grp", "int")] + list(extra)
        for _ in range(self.random.randint(3, 7)):
            columns.append(Column(self._name(COLUMN_NAMES, used), self.random.choice(TYPES)))
        return columns

    def _make_tables(self):
        used = {"public": set(), "Étage 2": set()}
        for number in range(self.random.randint(4, 6)):
            schema = self.random.choice(("public", "public", "Étage 2"))
            table = Relation(schema, self._name(TABLE_NAMES, used[schema]), self._columns())
            shape = self.random.random()
            self.tables.append(table)
            self.relations.append(table)
            if shape < 0.25:
                table.kind = "partitioned"
                table.region = table.columns[1]
                for part in range(2):
                    child = Relation(schema, "%s part %d" % (table.name, part), table.columns, "partition", table)
                    used[schema].add(child.name)
                    table.children.append(child)
                    self.relations.append(child)
            elif shape < 0.45:
                child = Relation(schema, table.name + " kind", table.columns + [Column("more", "text")], "child", table)
                table.children.append(child)
                self.relations.append(child)
            elif number == 0 or shape < 0.6:
                table.kind = "unique"  # with a second key

    def _value(self, kind):
        r = self.random
        if kind in ("int", "bigint"):
            return r.choice((0, 1, 2, 3, 3, 5, 7, 10, -1, 1000))
        if kind == "text":
            return r.choice(WORDS)
        if kind == "numeric":
            return r.choice(("0", "1.50", "2.25", "-3", "100", "7"))
        if kind == "date":
            return "20%02d-%02d-%02d" % (r.randint(0, 25), r.randint(1, 12), r.randint(1, 28))
        if kind == "timestamptz":
            return "2024-%02d-%02d %02d:00:00+00" % (r.randint(1, 12), r.randint(1, 28), r.randint(0, 23))
        if kind == "boolean":
            return r.choice(("t", "f"))
        if kind == "text[]":
            return r.choice(("{}", "{a}", "{a,b}", "{x,NULL}", "{alpha,beta}"))
        if kind == "jsonb":
            return r.choice(("{}", '{"k": 1}', '{"k": "v", "n": [1, 2]}', "[1, 2]", "null", '"s"'))
        if kind == "mood":
            return r.choice(("low", "mid", "high"))
        return "00000000-0000-4000-8000-%012d" % r.randint(0, 99)

    def _row(self, table, number, region):
        values = [number, region]
        for column in table.columns[2:]:
            values.append(None if self.random.random() < 0.15 else self._value(column.kind))
        return "(" + ", ".join(literal(v) for v in values) + ")"

    def schema_sql(self):
        """Everything but rows, in the schemas' own names."""
        lines = ["CREATE SCHEMA %s;" % q("Étage 2"), "CREATE TYPE public.mood AS ENUM ('low', 'mid', 'high');"]
        for table in self.tables:
            body = ", ".join("%s %s%s" % (c.q, "public.mood" if c.kind == "mood" else c.kind, self._constraint(table, c)) for c in table.columns)
            key = "PRIMARY KEY (id, grp)" if table.kind == "partitioned" else "PRIMARY KEY (id)"
            lines.append("CREATE TABLE %s (%s, %s)%s;" % (table.q, body, key, " PARTITION BY LIST (grp)" if table.kind == "partitioned" else ""))
            if table.kind == "unique":
                lines.append("ALTER TABLE %s ADD UNIQUE (id, grp);" % table.q)
            for number, child in enumerate(table.children):
                if child.kind == "partition":
                    bound = "IN (1, 2)" if number == 0 else None
                    lines.append("CREATE TABLE %s PARTITION OF %s %s;" % (child.q, table.q, "FOR VALUES " + bound if bound else "DEFAULT"))
                else:
                    lines.append("CREATE TABLE %s (%s text, PRIMARY KEY (id)) INHERITS (%s);" % (child.q, q("more"), table.q))
        for view in self.views:
            lines.append("CREATE VIEW %s AS %s;" % (view.q, view.view(lambda r: r.q)))
        return "\n".join(lines)

    def _constraint(self, table, column):
        if column.name in ("id", "grp"):
            return " NOT NULL"
        if column.kind == "numeric" and sum(map(ord, column.name)) % 3 == 0:
            return " CHECK (%s < 5000)" % column.q
        if column.kind == "text" and sum(map(ord, column.name)) % 4 == 0:
            return " DEFAULT 'dflt'"
        return ""

    def rows_sql(self):
        state = self.random.getstate()
        self.random.seed(self.seed * 7919 + 1)
        lines = []
        for table in self.tables:
            rows = [self._row(table, n, 1 + n % 4) for n in range(1, 25)]
            lines.append("INSERT INTO %s VALUES %s;" % (table.q, ", ".join(rows)))
            for child in table.children:
                if child.kind == "child":
                    rows = [self._row(table, n, 1 + n % 4)[:-1] + ", 'm%d')" % n for n in range(101, 111)]
                    lines.append("INSERT INTO %s VALUES %s;" % (child.q, ", ".join(rows)))
        self.random.setstate(state)
        return "\n".join(lines)

    # ---- views of the database ----

    def _make_views(self):
        self.views = []
        for number in range(self.random.randint(1, 3)):
            below = self.random.choice([t for t in self.tables] + self.views)
            names = [c for c in below.columns if self.random.random() < 0.7] or below.columns[:2]
            if below.columns[0] not in names:
                names = [below.columns[0]] + names
            columns = [Column(c.name, c.kind) for c in names]
            view = Relation("public", "view %d" % number, columns, "view")
            condition = self.random.choice(("", "grp < 4", "id > 2"))
            if condition and not all(w in [c.name for c in below.columns] for w in condition.split()[:1]):
                condition = ""
            used = [condition.split()[0]] if condition else []
            view.sources = [(below, [c.name for c in names], used)]
            view.view = (lambda b, n, w: lambda name: "SELECT %s FROM %s v%s" % (
                ", ".join("v." + c.q for c in n), name(b), " WHERE v." + w if w else ""))(below, names, condition)
            self.views.append(view)
            self.relations.append(view)

    # ---- the policy ----

    MASKS = {"text": ("first", "null", "pseudonym"), "date": ("year", "null"), "numeric": ("tens", "null"), "bigint": ("null", "pseudonym"),
             "uuid": ("pseudonym", "null"), "int": ("null", "parity"), "jsonb": ("null",), "boolean": ("null",)}
    MASK_SQL = {"first": "left({0}, 1) || '.'", "year": "make_date(extract(year from {0})::int, 1, 1)", "tens": "round({0}, -1)", "parity": "{0} % 2"}

    def _make_rules(self, pair):
        rules = {}
        for table in self.tables:
            if self.random.random() < 0.1 and (rules or table is not self.tables[-1]):
                continue  # closed, but not all of them
            rules[table] = rule = self._make_rule(table, pair)
            for child in table.children:
                rules[child] = rule
        return rules

    def _make_rule(self, table, pair):
        r, rule = self.random, Rule()
        rule.masks["id"] = "show"
        for column in table.columns[1:]:
            chance = r.random()
            if column.name == "grp" and chance < 0.7 or chance < 0.55:
                rule.masks[column.name] = "show"
            elif chance < 0.75 and column.kind in self.MASKS:
                rule.masks[column.name] = r.choice(self.MASKS[column.kind])
        self._make_filter(table, rule, pair)
        shown = [c.name for c in table.columns if rule.shown(c.name)]
        if r.random() < 0.7:
            rule.update = [n for n in shown if r.random() < 0.6]
        if r.random() < 0.6 and rule.shown("grp"):
            rule.insert = [n for n in shown if n in ("id", "grp") or r.random() < 0.6]
        rule.delete = r.random() < 0.5
        return rule

    def _make_filter(self, table, rule, pair):
        r, person = self.random, pair[2]
        kind = r.choice(("none", "ward", "ward", "less", "exists", "not", "subject", "name"))
        wards = "ARRAY[%s]" % ", ".join(map(str, self.wards[person]))
        mine = q(table.name)
        others = [t for t in self.tables if t is not table] or [table]
        if kind == "none":
            return
        self.filter_columns.update({(table, "grp"), (table, "id")})
        if kind == "ward":
            rule.rows, rule.oracle_rows = mine + ".grp = ANY(:user.wards)", "{0}.grp = ANY(%s)" % wards
        elif kind == "less":
            rule.rows = rule.oracle_rows = None
            rule.rows, rule.oracle_rows = mine + ".id < 15", "{0}.id < 15"
        elif kind == "not":
            rule.rows, rule.oracle_rows = "NOT (%s.grp = 4 OR %s.id = 3)" % (mine, mine), "NOT ({0}.grp = 4 OR {0}.id = 3)"
        elif kind == "name":
            rule.rows = "%s.grp < 1 + length(:user.name)" % mine if r.random() < 0.5 else "(:user.name = 'person1') = (%s.grp < 3)" % mine
            rule.oracle_rows = rule.rows.replace(":user.name", "'%s'::text" % person).replace(mine, "{0}")
        else:
            other = r.choice(others)
            self.filter_columns.update({(other, "grp"), (other, "id")})
            self.filter_tables.add(other)
            text = "EXISTS (SELECT 1 FROM %s o WHERE o.id = %s AND o.grp = ANY(%s))"
            subject = ":subject" if kind == "subject" else mine + ".id"
            rule.rows = text % (other.q, subject, ":user.wards")
            rule.oracle_rows = text % (other.raw, "{0}.id", wards)

    def _make_rights(self, r):
        """What hides rows beside the rules: (text of the policy, does it hold for (pair, table), the same as SQL over {0})."""
        plain = [t for t in self.tables if not t.children]
        for number in range(r.randint(0, 2)):
            other = r.choice(self.tables)
            self.filter_columns.update({(other, "grp"), (other, "id")})
            self.filter_tables.add(other)
            group = r.randint(1, 4)
            exists = "EXISTS (SELECT 1 FROM %s o WHERE o.id %% 24 = %s %% 24 AND o.grp = %d)"
            where = r.choice(('missions = [ "m1" ]; ', 'except = [ "m1" ]; ', ""))
            holds = {'missions = [ "m1" ]; ': ("m1",), 'except = [ "m1" ]; ': ("m2",), "": ("m1", "m2")}[where]
            only = [r.choice(self.tables)] if r.random() < 0.4 else self.tables
            if len(only) == 1:
                where += 'tables = [ "%s" ]; ' % only[0].policy_name
            for table in only:
                self.filter_columns.update({(table, "grp"), (table, "id")})
            text = exists % (other.q, ":subject", group)
            if r.random() < 0.3:  # may be NULL, which hides
                text = "CASE WHEN %s THEN true WHEN (:subject) = 5 THEN NULL ELSE false END" % text
                mine = "CASE WHEN %s THEN true WHEN ({0}.id) = 5 THEN NULL ELSE false END" % (exists % (other.raw, "{0}.id", group))
                mine = "(%s) IS NOT DISTINCT FROM false" % mine
            else:
                mine = "NOT " + exists % (other.raw, "{0}.id", group)
            self.rights.append(('  { name = "right%d"; kind = "restriction"; %shide = "%s"; }' % (number, where, text.replace('"', '\\"')),
                                holds, only, mine))
        if plain and r.random() < 0.7:
            self._make_retention(r, r.choice(plain))

    def _make_retention(self, r, people):
        """Group 3 was last seen in 2015, group 4 in 1990: archived, and expired."""
        self.filter_columns.update({(t, c) for t in self.tables for c in ("id", "grp")})
        self.filter_tables.add(people)
        mine = q(people.name)
        last = "CASE %s.grp WHEN 1 THEN NULL WHEN 3 THEN date '2015-06-01' WHEN 4 THEN date '1990-06-01' ELSE current_date - 10 END" % mine
        hold = r.choice((None, "%s.id %% 7 = 0" % mine))
        spared = r.choice([None] + [t for t in self.tables if t is not people])
        self.retention = ('retention = { table = "%s"; last = "%s"; birth = "date \'1980-01-01\'"; %s%s};' % (
            people.policy_name, last.replace('"', '\\"'), 'hold = "%s"; ' % hold.replace('"', '\\"') if hold else "",
            'except = [ "%s" ]; ' % spared.policy_name if spared else ""))
        for mission, gone in (("m1", "(3, 4)"), ("m2", "(4)")):
            away = "{0}.grp IN %s%s" % (gone, " AND {0}.id % 7 <> 0" if hold else "")
            self.rights.append((None, (mission,), [people], "NOT (%s)" % away))
            self.rights.append((None, (mission,), [t for t in self.tables if t is not people and t is not spared],
                                "NOT EXISTS (SELECT 1 FROM %s w WHERE w.id = {0}.id AND %s)" % (people.raw, away.replace("{0}", "w"))))

    def oracle_rows(self, pair, table, rule):
        """Which rows of a table exist, as SQL over {0}; None: all."""
        table = table.parent or table
        parts = [rule.oracle_rows] if rule.rows else []
        parts += [mine for _, missions, tables, mine in self.rights if pair[1] in missions and table in tables]
        return " AND ".join("(%s)" % p for p in parts) or None

    def policy(self):
        tables = []
        for table in self.tables:
            columns = " ".join('%s = [ "%s" ];' % (self.category(table, c.name), c.name) for c in table.columns)
            tables.append('  { name = "%s"; subject = "id"; columns = { %s }; }' % (table.policy_name, columns))
        rules = []
        for pair, of_pair in self.rules.items():
            for table in self.tables:
                if table in of_pair:
                    rules.append(self._rule_text(pair, table, of_pair[table]))
        masks = " ".join('%s = "%s";' % (n, s.format(":col")) for n, s in self.MASK_SQL.items())
        people = ",\n".join('  { name = "%s"; auth = "scram"; secret = "%s"; roles = [ "%s" ]; attributes = { wards = [ %s ]; }; }'
                            % (p, self.secrets[p], r, ", ".join('"%d"' % w for w in self.wards[p])) for r, _, p in self.PAIRS)
        return """masks = { %s };
attributes = ( { name = "wards"; type = "int[]"; } );
missions = ( { name = "m1"; purpose = "TREAT"; }, { name = "m2"; purpose = "HRESCH"; %s}, { name = "all"; purpose = "HSYSADMIN"; } );
roles = ( { name = "r1"; missions = [ "m1" ]; default = "m1"; }, { name = "r2"; missions = [ "m2" ]; default = "m2"; },
          { name = "root"; missions = [ "all" ]; default = "all"; unrestricted = true; } );
tables = (
%s
);
rules = (
%s
);
users = (
%s,
  { name = "admin1"; auth = "scram"; secret = "%s"; roles = [ "root" ]; }
);
%s
""" % (masks, 'retention = [ "active", "archived" ]; ' if self.retention else "", ",\n".join(tables), ",\n".join(rules), people, self.secrets["admin1"],
       (self.retention or "") + ("\nrights = (\n%s\n);" % ",\n".join(t for t, *_ in self.rights if t) if any(t for t, *_ in self.rights) else ""))

    secrets = {}

    def _rule_text(self, pair, table, rule):
        parts = ['roles = [ "%s" ]; missions = [ "%s" ]; tables = [ "%s" ];' % (pair[0], pair[1], table.policy_name)]
        if rule.rows:
            parts.append('rows = "%s";' % rule.rows.replace('"', '\\"'))
        parts.append("columns = { %s };" % self._columns_text(table, rule))
        for key, names in (("insert", rule.insert), ("update", rule.update)):
            if names:
                parts.append("%s = [ %s ];" % (key, ", ".join('"%s"' % n for n in names)))
        if rule.delete:
            parts.append("delete = true;")
        return "  { %s }" % " ".join(parts)

    @staticmethod
    def category(table, name):
        """Each column has a category of its own: keys of libconfig are plain words, and columns' names are not."""
        return "c%d" % [c.name for c in table.columns].index(name)

    def _columns_text(self, table, rule):
        return " ".join('%s = "%s";' % (self.category(table, n), m) for n, m in rule.masks.items() if m != "hide")

    # ---- what the policy means ----

    def mask_sql(self, pair, column, mask, alias):
        raw = alias + "." + column.q
        kind = "public.mood" if column.kind == "mood" else column.kind
        if mask == "show":
            return raw
        if mask == "null":
            return "NULL::" + kind
        if mask == "pseudonym":
            return {"text": 'pseudo.of_text(%s)', "bigint": 'pseudo.of_bigint(%s)', "uuid": 'pseudo.of_uuid(%s)'}[column.kind] % raw
        return "(%s)::%s" % (self.MASK_SQL[mask].format(raw), kind)

    def visible(self, pair):
        """[(Relation, [(Column, shown as it is)])] that exist for the pair."""
        rules, out = self.rules[pair], []
        for relation in self.relations:
            if relation.kind == "view":
                columns = self.view_columns(pair, relation)
                if columns is not None:
                    out.append((relation, [(c, False) for c in columns]))
            elif relation in rules:
                rule = rules[relation]
                base = relation.parent or relation
                out.append((relation, [(c, rule.shown(c.name)) for c in base.columns if rule.visible(c.name)]))
        return out

    def view_columns(self, pair, view):
        """The columns of a view without a rule: those of visible columns; None where it does not exist."""
        (below, names, used), = view.sources
        if below.kind == "view":
            there = self.view_columns(pair, below)
            there = None if there is None else [c.name for c in there]
        else:
            rule = self.rules[pair].get(below)
            there = None if rule is None else [c.name for c in below.columns if rule.visible(c.name)]
        if there is None or not all(u in there for u in used):
            return None
        return [c for c in view.columns if c.name in there] or None

    def oracle_sql(self, pair):
        """Turns a copy of the database into the oracle of one pair: raw schemas, and views under the tables' names."""
        mission = pair[1]
        key = harness.pseudonym_mission_key(mission)
        inner = bytes(b ^ 0x36 for b in key.ljust(64, b"\0")).hex()
        outer = bytes(b ^ 0x5C for b in key.ljust(64, b"\0")).hex()
        mac = "sha256('\\x%s'::bytea || sha256('\\x%s'::bytea || {0}))" % (outer, inner)
        lines = ["CREATE SCHEMA pseudo;",
                 "CREATE FUNCTION pseudo.of_text(v text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT substr(encode(%s, 'hex'), 1, 32) $$;"
                 % mac.format("convert_to(v, 'UTF8')"),
                 "CREATE FUNCTION pseudo.of_bigint(v bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || substr(encode(%s, 'hex'), 1, 16))::bit(64)::bigint & 9223372036854775807 $$;"
                 % mac.format("int8send(v)"),
                 "CREATE FUNCTION pseudo.of_uuid(v uuid) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT substr(encode(%s, 'hex'), 1, 32)::uuid $$;"
                 % mac.format("uuid_send(v)")]
        for view in reversed(self.views):
            lines.append("DROP VIEW %s;" % view.q)
        for schema in ("public", "Étage 2"):
            lines.append("ALTER SCHEMA %s RENAME TO %s; CREATE SCHEMA %s;" % (q(schema), q("raw " + schema), q(schema)))
        lines.append('ALTER TYPE "raw public".mood SET SCHEMA public;')
        for relation, columns in self.visible(pair):
            if relation.kind == "view":
                continue
            rule = self.rules[pair][relation]
            for only in (False, True) if relation.children else (False,):
                lines.append(self._oracle_view(pair, relation, rule, [c for c, _ in columns], only))
        for view in self.views:
            columns = self.view_columns(pair, view)
            if columns is not None:
                (below, _, used), = view.sources
                condition = view.view(lambda r: r.q).partition(" WHERE ")[2]
                lines.append("CREATE VIEW %s AS SELECT %s FROM %s v%s;" % (view.q, ", ".join("v." + c.q for c in columns), below.q,
                                                                          " WHERE " + condition if condition else ""))
        return "\n".join(lines)

    @staticmethod
    def only_name(relation):
        return q(relation.schema) + "." + q("only " + relation.name)

    def _oracle_view(self, pair, relation, rule, columns, only):
        alias = "t"
        options = []
        rows = self.oracle_rows(pair, relation, rule)
        if rows:
            options.append("security_barrier")
        if (rule.insert or rule.update) and relation.kind != "view":
            options.append("check_option = cascaded")
        return "CREATE VIEW %s %s AS SELECT %s FROM %s%s %s%s;" % (
            self.only_name(relation) if only else relation.q, "WITH (%s)" % ", ".join(options) if options else "",
            ", ".join("%s AS %s" % (self.mask_sql(pair, c, rule.masks[c.name], alias), c.q) for c in columns), "ONLY " if only else "",
            relation.raw, alias, " WHERE " + rows.format(alias) if rows else "")

    # ---- twins ----

    def twin_sql(self, pair):
        """Other values wherever the pair cannot see: hidden and nulled columns, every free column of hidden rows, more hidden rows."""
        lines = ["SET session_replication_role = replica;"]
        for table in self.tables:
            rule = self.rules[pair].get(table)
            free = [c for c in table.columns if (table, c.name) not in self.filter_columns and c.name not in ("id", "grp")]
            names = {"raw": table.raw, "own": table.q}
            blind = [c for c in free if rule is None or rule.masks.get(c.name, "hide") in ("hide", "null")]
            if blind:
                lines.append("UPDATE %s SET %s;" % (names["own"], ", ".join("%s = %s" % (c.q, self.other(c)) for c in blind)))
            rows = None if rule is None else self.oracle_rows(pair, table, rule)
            if rows and free:
                hidden = "NOT COALESCE((%s), false)" % rows.format("t")
                for other in self.tables:
                    hidden = hidden.replace(other.raw, other.q)
                lines.append("UPDATE %s t SET %s WHERE %s;" % (names["own"], ", ".join("%s = %s" % (c.q, self.other(c)) for c in free), hidden))
                if table not in self.filter_tables and not table.children and table.kind == "table" and "{0}.id" not in rows:
                    columns = ", ".join("id + 100000" if c.name == "id" else c.q for c in table.columns)
                    lines.append("INSERT INTO %s SELECT %s FROM %s t WHERE %s;" % (names["own"], columns, names["own"], hidden))
        return "\n".join(lines)

    @staticmethod
    def other(column):
        return {"int": "777", "bigint": "777777", "text": "'CANARY' || md5(random()::text)", "numeric": "4321", "date": "date '1901-01-01'",
                "boolean": "NOT COALESCE(%s, false)" % column.q, "text[]": "ARRAY['CANARY']", "jsonb": "'{\"CANARY\": 1}'", "uuid": "gen_random_uuid()",
                "timestamptz": "timestamptz '1901-01-01 00:00+00'", "mood": "'low'"}[column.kind]
