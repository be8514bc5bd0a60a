"""
Random statements over what a pair may see: every form of SELECT that pgvigil supports, and writes. Typed, so that most of
them run; some fail, and then must fail alike. Where rows are cut (LIMIT), the order is total.
"""
import random

from universe import literal, q

AGGREGATES = {"int": ("sum", "min", "max", "count"), "bigint": ("min", "max", "count"), "numeric": ("sum", "min", "max", "avg"),
              "text": ("min", "max", "count"), "date": ("min", "max", "count"), "timestamptz": ("min", "max"), "boolean": ("bool_and", "bool_or", "count"),
              "uuid": ("count",), "jsonb": ("count",), "text[]": ("count", "min"), "mood": ("min", "max", "count")}


class Source:
    """An entry of FROM: its name in references, or None, and its columns."""

    def __init__(self, alias, columns, relation=None):
        self.alias, self.columns, self.relation = alias, columns, relation


class Statements:
    def __init__(self, universe, pair, seed):
        self.universe, self.pair = universe, pair
        self.random = random.Random(seed)
        self.visible = universe.visible(pair)
        self.aliases = 0

    def statement(self):
        """(SQL for pgvigil, SQL for the oracle, "read", "write" or "copy": its lines are in self.data)"""
        self.aliases = 0
        r = self.random.random()
        if r < 0.66:
            sql = self.query(0)
            kind = "read"
        elif r < 0.72:
            sql = self.locking_query() or self.query(0)
            kind = "read"
        elif r < 0.75 and (copied := self.copy_from()):
            return copied + ("copy",)
        else:
            sql = self.write()
            kind = "write" if sql else "read"
            sql = sql or self.query(0)
        return self.texts(sql) + (kind,)

    def texts(self, sql):
        """{only:...} stands for FROM ONLY: the oracle has views of their own for that."""
        mine, theirs = sql, sql
        for relation, _ in self.visible:
            mark = "{only:%s}" % relation.q
            if mark in sql:
                mine = mine.replace(mark, "ONLY " + relation.q)
                theirs = theirs.replace(mark, "%s" % self.universe.only_name(relation))
        return mine, theirs

    # ---- names ----

    def alias(self):
        self.aliases += 1
        return self.random.choice(("a%d", "A %d", "é%d", "select%d")) % self.aliases

    def name_of(self, relation):
        """As a client may write it: with its schema, or without where the search path has it."""
        if relation.schema == "public" and self.random.random() < 0.5:
            return q(relation.name)
        return relation.q

    # ---- FROM ----

    def source(self, depth, outer):
        r = self.random
        chance = r.random()
        alias = self.alias()
        if chance < 0.72 or depth > 2:
            relation, columns = r.choice(self.visible)
            columns = [c for c, _ in columns]
            if relation.children and r.random() < 0.15:
                return "{only:%s} AS %s" % (relation.q, q(alias)), Source(q(alias), columns, relation)
            name = self.name_of(relation)
            if r.random() < 0.2 and not any(s.alias == q(relation.name) for s in outer):
                return name, Source(q(relation.name), columns, relation)
            return "%s AS %s" % (name, q(alias)), Source(q(alias), columns, relation)
        if chance < 0.86:
            text, columns = self.simple_query(depth + 1, [])
            return "(%s) AS %s" % (text, q(alias)), Source(q(alias), columns)
        if chance < 0.93:
            rows = ", ".join("(%d, %s)" % (n, literal(r.choice(("x", "y", "O'Neil")))) for n in range(1, r.randint(2, 5)))
            return "(VALUES %s) AS %s (n, w)" % (rows, q(alias)), Source(q(alias), [C("n", "int"), C("w", "text")])
        return "generate_series(1, %d) AS %s (n)" % (r.randint(1, 5), q(alias)), Source(q(alias), [C("n", "int")])

    def from_clause(self, depth):
        r = self.random
        text, first = self.source(depth, [])
        sources = [first]
        for _ in range(r.choice((0, 0, 1, 1, 2)) if depth < 2 else 0):
            if r.random() < 0.15:
                alias = self.alias()
                inner, columns = self.simple_query(depth + 1, sources)
                text += ", LATERAL (%s) AS %s" % (inner, q(alias))
                sources.append(Source(q(alias), columns))
                continue
            more, source = self.source(depth, sources)
            join = r.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ","))
            if join in (",", "CROSS JOIN"):
                text += (", " if join == "," else " CROSS JOIN ") + more
                sources.append(source)
                continue
            condition = self.join_condition(sources, source)
            if join == "FULL JOIN" and " = " not in condition:
                join = "LEFT JOIN"
            text += " %s %s ON %s" % (join, more, condition)
            sources.append(source)
        return text, sources

    def join_condition(self, sources, source):
        for kind in ("int", "text", "date"):
            left = [s.alias + "." + c.q for s in sources for c in s.columns if c.kind == kind]
            right = [source.alias + "." + c.q for c in source.columns if c.kind == kind]
            if left and right and self.random.random() < 0.8:
                return "%s = %s" % (self.random.choice(left), self.random.choice(right))
        return "%s.%s IS NOT NULL" % (source.alias, source.columns[0].q)

    # ---- expressions ----

    def column(self, sources, kind):
        found = [s.alias + "." + c.q for s in sources for c in s.columns if c.kind == kind]
        return self.random.choice(found) if found else None

    def expression(self, sources, kind, depth=0):
        r = self.random
        column = self.column(sources, kind)
        if column and (depth > 2 or r.random() < 0.5):
            return column
        if depth > 2:
            return self.constant(kind)
        sub = lambda k: self.expression(sources, k, depth + 1)  # noqa: E731
        chance = r.random()
        if chance < 0.12:
            return "CASE WHEN %s THEN %s ELSE %s END" % (self.condition(sources, depth + 1), sub(kind), sub(kind))
        if chance < 0.2:
            return "COALESCE(%s, %s)" % (sub(kind), sub(kind))
        if chance < 0.26 and depth < 2:
            scalar = self.scalar(sources, kind)
            if scalar:
                return scalar
        forms = {
            "int": lambda: r.choice(("(%s + %s)" % (sub("int"), r.randint(0, 9)), "(%s * 2)" % sub("int"), "length(%s)" % sub("text"), "abs(%s)" % sub("int"),
                                     "(%s %% 7)" % sub("int"), "(%s / NULLIF(%s, 0))" % (sub("int"), sub("int")), "(10 / (%s - 3))" % sub("int"),
                                     "cardinality(%s)" % sub("text[]"), "extract(year FROM %s)::int" % sub("date"))),
            "text": lambda: r.choice(("upper(%s)" % sub("text"), "(%s || %s)" % (sub("text"), sub("text")), "left(%s, 3)" % sub("text"), "%s::text" % self.anything(sources, depth),
                                      "concat(%s, '-', %s)" % (sub("text"), sub("int")), "(%s ->> 'k')" % sub("jsonb"), "%s::pg_catalog.text" % sub("mood"),
                                      "md5(%s)" % sub("text"), "substring(%s from 1 for 2)" % sub("text"), "trim(%s)" % sub("text"))),
            "numeric": lambda: r.choice(("(%s + 0.5)" % sub("numeric"), "round(%s, 1)" % sub("numeric"), "%s::numeric" % sub("int"), "(%s / 4)" % sub("numeric"),
                                         "greatest(%s, %s)" % (sub("numeric"), sub("numeric")))),
            "boolean": lambda: "(%s)" % self.condition(sources, depth + 1),
            "date": lambda: r.choice(("(%s + %d)" % (sub("date"), r.randint(0, 40)), "(%s AT TIME ZONE 'UTC')::date" % sub("timestamptz"))),
            "timestamptz": lambda: "(%s + interval '1 day')" % sub("timestamptz"),
            "text[]": lambda: r.choice(("ARRAY[%s, %s]" % (sub("text"), sub("text")), "array_append(%s, %s)" % (sub("text[]"), sub("text")))),
            "jsonb": lambda: r.choice(("jsonb_build_object('k', %s)" % sub("int"), "to_jsonb(%s)" % sub("text"), "(%s -> 'n')" % sub("jsonb"))),
            "bigint": lambda: "(%s::bigint + 1)" % sub("int"),
        }
        return forms[kind]() if kind in forms else column or self.constant(kind)

    def anything(self, sources, depth):
        kind = self.random.choice(("int", "numeric", "date", "boolean", "text[]", "jsonb", "uuid", "bigint"))
        return self.expression(sources, kind, depth + 1)

    def type_name(self, kind):
        """A type of the database can be named where a column of it is shown."""
        if kind != "mood":
            return kind
        return "public.mood" if any(c.kind == "mood" for _, columns in self.visible for c, _ in columns) else "text"

    def constant(self, kind):
        if self.random.random() < 0.1:
            return "NULL::%s" % (self.type_name(kind))
        value = self.universe._value(kind)  # noqa: SLF001
        return "%s::%s" % (literal(value), self.type_name(kind))

    def scalar(self, sources, kind):
        relation, columns = self.random.choice(self.visible)
        found = [c for c, _ in columns if c.kind == kind]
        if not found or kind not in AGGREGATES or "min" not in AGGREGATES[kind]:
            return None
        alias = q(self.alias())
        inner = Source(alias, [c for c, _ in columns], relation)
        return "(SELECT %s(%s.%s) FROM %s AS %s WHERE %s)" % (self.random.choice(("min", "max")), alias, self.random.choice(found).q, self.name_of(relation), alias,
                                                            self.condition([inner] + sources, 2))

    def condition(self, sources, depth=0):
        r = self.random
        if depth < 2 and r.random() < 0.3:
            joined = r.choice((" AND ", " OR ")).join(self.condition(sources, depth + 1) for _ in range(2))
            return "NOT (%s)" % joined if r.random() < 0.3 else "(%s)" % joined
        kind = r.choice(("int", "int", "text", "text", "numeric", "date", "boolean", "text[]", "jsonb", "mood", "uuid", "timestamptz"))
        sub = self.expression(sources, kind, depth + 1)
        chance = r.random()
        if chance < 0.12:
            return "%s IS %sNULL" % (sub, r.choice(("", "NOT ")))
        if chance < 0.22 and depth < 2:
            return self.exists(sources)
        if chance < 0.3 and kind in ("int", "text", "date") and depth < 2:
            inner = self.in_query(sources, kind)
            if inner:
                return "%s %sIN (%s)" % (sub, r.choice(("", "NOT ")), inner)
        other = self.expression(sources, kind, depth + 1)
        forms = {
            "boolean": ("@ IS TRUE", "@ IS NOT FALSE", "@"),
            "text": ("@ LIKE '%a%'", "@ = " + other, "@ ~ '^[A-Z]'", "@ < " + other, "@ IN ('x', 'alpha', '7')", "@ ILIKE 'A%'", "@ BETWEEN 'a' AND 'm'",
                     "@::int > 3" if r.random() < 0.15 else "@ > ''", "@ SIMILAR TO '(a|b)%'", "@ COLLATE \"C\" > 'a'", "@ IS DISTINCT FROM " + other),
            "text[]": ("@ && ARRAY['a', 'x']", "'a' = ANY(@)", "@ @> ARRAY['a']", "@ = " + other),
            "jsonb": ("@ ? 'k'", "@ @> '{\"k\": 1}'", "jsonb_typeof(@) = 'object'"),
        }
        if kind in forms:
            return r.choice(forms[kind]).replace("@", sub, 1)
        operator = r.choice(("=", "<>", "<", ">=", "IS NOT DISTINCT FROM"))
        if kind == "int" and r.random() < 0.2:
            return "%s BETWEEN %d AND %d" % (sub, r.randint(-1, 3), r.randint(3, 20))
        return "%s %s %s" % (sub, operator, other)

    def exists(self, sources):
        relation, columns = self.random.choice(self.visible)
        alias = q(self.alias())
        inner = Source(alias, [c for c, _ in columns], relation)
        return "%sEXISTS (SELECT 1 FROM %s AS %s WHERE %s AND %s)" % (self.random.choice(("", "NOT ")), self.name_of(relation), alias,
                                                                     self.join_condition(sources, inner), self.condition([inner] + sources, 2))

    def in_query(self, sources, kind):
        relation, columns = self.random.choice(self.visible)
        found = [c for c, _ in columns if c.kind == kind]
        alias = q(self.alias())
        inner = Source(alias, [c for c, _ in columns], relation)
        return found and "SELECT %s.%s FROM %s AS %s WHERE %s" % (alias, self.random.choice(found).q, self.name_of(relation), alias, self.condition([inner] + sources, 2))

    # ---- queries ----

    def targets(self, sources, count):
        out = []
        for number in range(count):
            kind = self.random.choice(("int", "text", "text", "numeric", "date", "boolean", "jsonb", "text[]", "mood", "uuid", "bigint", "timestamptz"))
            out.append(("o%d" % number, kind, self.expression(sources, kind)))
        return out

    def simple_query(self, depth, outer):
        """A query that can stand in FROM: (text, columns)."""
        text, sources = self.from_clause(depth + 1)
        targets = self.targets(sources + outer, self.random.randint(1, 3))
        where = " WHERE " + self.condition(sources + outer) if self.random.random() < 0.6 else ""
        return ("SELECT %s FROM %s%s" % (", ".join("%s AS %s" % (e, n) for n, _, e in targets), text, where), [C(n, k) for n, k, _ in targets])

    def query(self, depth):
        r = self.random
        form = r.random()
        if form < 0.1:
            return self.star_query()
        if form < 0.3:
            return self.grouped_query()
        if form < 0.38:
            return self.window_query()
        if form < 0.48:
            return self.set_query()
        if form < 0.58:
            return self.with_query()
        if form < 0.64:
            return self.row_query()
        text, columns = self.simple_query(depth, [])
        if r.random() < 0.15:
            text = text.replace("SELECT ", "SELECT DISTINCT ", 1)
        return text + self.tail(len(columns))

    def tail(self, count):
        """A total order (ties are equal rows), and a cut."""
        r = self.random
        if r.random() < 0.5:
            return ""
        order = ", ".join("%d%s" % (n, r.choice(("", " DESC", " NULLS FIRST", " DESC NULLS LAST"))) for n in range(1, count + 1))
        cut = r.choice(("", " LIMIT %d" % r.randint(0, 9), " LIMIT 5 OFFSET %d" % r.randint(0, 5), " FETCH FIRST 3 ROWS ONLY"))
        return " ORDER BY " + order + cut

    def locking_query(self):
        """Rows of one table, locked: all that the condition finds, or as many as LIMIT says."""
        found = self.writable("update")
        if not found:
            return None
        r = self.random
        relation, columns, _ = self.target(found)
        alias = q(self.alias())
        source = Source(alias, columns, relation)
        targets = self.targets([source], r.randint(1, 2)) + [("key", "int", alias + "." + columns[0].q)]
        where = " WHERE " + self.condition([source]) if r.random() < 0.7 else ""
        tail = " ORDER BY %s.%s%s" % (alias, columns[0].q, r.choice(("", " DESC", " LIMIT 4"))) if r.random() < 0.5 and columns[0].name == "id" and not relation.children else ""
        lock = r.choice(("UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE")) + r.choice(("", "", " OF " + alias)) + r.choice(("", " NOWAIT", " SKIP LOCKED"))
        return "SELECT %s FROM %s AS %s%s%s FOR %s" % (", ".join("%s AS %s" % (e, n) for n, _, e in targets), self.name_of(relation), alias, where, tail, lock)

    def star_query(self):
        text, sources = self.from_clause(1)
        star = self.random.choice(("*", sources[0].alias + ".*", "%s.*, 1 AS one" % sources[-1].alias))
        where = " WHERE " + self.condition(sources) if self.random.random() < 0.5 else ""
        if self.random.random() < 0.1 and sources[0].relation is not None and len(sources) == 1:
            return "TABLE " + self.name_of(sources[0].relation)
        return "SELECT %s FROM %s%s" % (star, text, where)

    def row_query(self):
        relation, _ = self.random.choice(self.visible)
        alias = q(self.alias())
        form = self.random.choice(("to_jsonb({0})", "{0}::text", "row_to_json({0})::text", "({0}).id", "({0} IS NULL)", "count({0})", "({0}.*)::text"))
        return "SELECT %s AS r FROM %s AS %s" % (form.format(alias), self.name_of(relation), alias)

    def grouped_query(self):
        r = self.random
        text, sources = self.from_clause(1)
        keys = [self.expression(sources, r.choice(("int", "text", "date", "boolean", "mood")), 2) for _ in range(r.randint(1, 2))]
        kinds = [k for k in AGGREGATES if self.column(sources, k)]
        calls = []
        for _ in range(r.randint(1, 2)):
            kind = r.choice(kinds)
            argument = self.expression(sources, kind, 1)
            extra = " FILTER (WHERE %s)" % self.condition(sources, 2) if r.random() < 0.25 else ""
            calls.append("%s(%s%s)%s" % (r.choice(AGGREGATES[kind]), "DISTINCT " if r.random() < 0.15 else "", argument, extra))
        if r.random() < 0.2:
            column = self.column(sources, "text")
            if column:
                calls.append("string_agg(%s, ',' ORDER BY %s)" % (column, column))
        groups = [keys, ["ROLLUP (%s)" % ", ".join(keys)], ["CUBE (%s)" % ", ".join(keys)], ["GROUPING SETS ((%s), ())" % keys[0]]]
        group = groups[0] if r.random() < 0.75 else r.choice(groups[1:])
        shown = keys if "SETS" not in group[0] else keys[:1]
        where = " WHERE " + self.condition(sources) if r.random() < 0.4 else ""
        having = " HAVING count(*) > %d" % r.randint(0, 2) if r.random() < 0.3 else ""
        parts = ["(%s) AS k%d" % (k, n) for n, k in enumerate(shown)] + ["%s AS v%d" % (c, n) for n, c in enumerate(calls)] + ["count(*) AS n"]
        return "SELECT %s FROM %s%s GROUP BY %s%s%s" % (", ".join(parts), text, where, ", ".join(group), having, self.tail(len(parts)))

    def window_query(self):
        r = self.random
        relation, columns = r.choice([v for v in self.visible if v[0].kind not in ("view",)])
        alias = q(self.alias())
        source = Source(alias, [c for c, _ in columns], relation)
        order = ", ".join("%s.%s" % (alias, c.q) for c, _ in columns if c.kind not in ("jsonb",))
        partition = self.expression([source], r.choice(("int", "boolean")), 2)
        call = r.choice(("row_number()", "rank()", "count(*)", "lag(%s)" % self.expression([source], "int", 2), "sum(%s)" % self.expression([source], "int", 2),
                         "first_value(%s)" % self.expression([source], "text", 2)))
        if r.random() < 0.5:
            return "SELECT %s.id, %s OVER (PARTITION BY %s ORDER BY %s) AS w FROM %s AS %s" % (alias, call, partition, order, self.name_of(relation), alias)
        return "SELECT %s.id, %s OVER w FROM %s AS %s WINDOW w AS (PARTITION BY %s ORDER BY %s)" % (alias, call, self.name_of(relation), alias, partition, order)

    def set_query(self):
        r = self.random
        kinds = [r.choice(("int", "text", "date", "numeric")) for _ in range(r.randint(1, 2))]
        arms = []
        for _ in range(r.choice((2, 2, 3))):
            text, sources = self.from_clause(2)
            where = " WHERE " + self.condition(sources) if r.random() < 0.5 else ""
            arms.append("(SELECT %s FROM %s%s)" % (", ".join(self.expression(sources, k) for k in kinds), text, where))
        operators = [r.choice((" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ", " EXCEPT ALL ")) for _ in arms[1:]]
        return arms[0] + "".join(o + a for o, a in zip(operators, arms[1:])) + self.tail(len(kinds))

    def with_query(self):
        r = self.random
        if r.random() < 0.3:
            relation, columns = r.choice(self.visible)
            alias = q(self.alias())
            return ("WITH RECURSIVE up (n, d) AS (SELECT min(id), 0 FROM %s UNION ALL SELECT %s.id, up.d + 1 FROM %s AS %s JOIN up ON %s.id = up.n + 1 WHERE up.d < 5) "
                    "SELECT * FROM up" % (self.name_of(relation), alias, self.name_of(relation), alias, alias))
        inner, columns = self.simple_query(1, [])
        # A CTE may hide a table of its name.
        name = q(r.choice([v[0].name for v in self.visible] + ["w"]))
        source = Source(name, columns)
        return "WITH %s AS %s(%s) SELECT %s FROM %s%s" % (name, r.choice(("", "MATERIALIZED ", "NOT MATERIALIZED ")), inner,
                                                      ", ".join("%s AS o%d" % (self.expression([source], c.kind), n) for n, c in enumerate(columns)), name,
                                                      self.tail(len(columns)))

    # ---- writes ----

    def writable(self, right):
        """Not what another table's filter reads: by writing there a session gets to see rows that were hidden, and may."""
        rules = self.universe.rules[self.pair]
        return [(v, rules[v[0]]) for v in self.visible
                if v[0] in rules and getattr(rules[v[0]], right) and (v[0].parent or v[0]) not in self.universe.filter_tables]

    def write(self):
        r = self.random
        form = r.choice((self.insert, self.update, self.update, self.delete, self.write_in_with))
        return form()

    def target(self, found):
        ((relation, columns), rule) = self.random.choice(found)
        return relation, [c for c, _ in columns], rule

    def returning(self, alias, columns):
        r = self.random
        if r.random() < 0.4:
            return ""
        if r.random() < 0.3:
            return " RETURNING *"
        source = Source(alias, columns)
        return " RETURNING " + ", ".join("%s AS o%d" % (self.expression([source], c.kind, 1), n) for n, c in enumerate(r.sample(columns, min(2, len(columns)))))

    def insert(self):
        found = [f for f in self.writable("insert")]
        if not found:
            return None
        r = self.random
        relation, columns, rule = self.target(found)
        names = [c for c in columns if c.name in rule.insert]
        alias = q(self.alias())
        if "id" not in rule.insert:
            return None
        start = r.randint(2000, 900000)
        conflict = self.conflict(relation, rule, names, alias) if r.random() < 0.25 else ""
        values = lambda number: "(%s)" % ", ".join(  # noqa: E731
            str(r.choice((start + number, start + number, r.randint(1, 24) if conflict else start + number))) if c.name == "id"
            else str(r.randint(1, 4)) if c.name == "grp" else r.choice((self.constant(c.kind), self.constant(c.kind), "DEFAULT")) for c in names)
        body = "VALUES " + ", ".join(values(n) for n in range(r.randint(1, 3)))
        if r.random() < 0.25:
            text, sources = self.source(2, [])
            body = "SELECT %s FROM %s LIMIT 0" % (", ".join("NULL::%s" % (self.type_name(c.kind)) for c in names), text)
            picked = [self.expression([sources], c.kind) if c.name not in ("id", "grp") else "%d" % start if c.name == "id" else "%d" % r.randint(1, 4) for c in names]
            body = "SELECT %s FROM (SELECT 1) AS one LEFT JOIN %s ON false" % (", ".join(picked), text)
        return "INSERT INTO %s AS %s (%s) %s%s%s" % (self.name_of(relation), alias, ", ".join(c.q for c in names), body, conflict, self.returning(alias, columns))

    def copy_from(self):
        """COPY FROM STDIN of some rows, and the INSERT that it means; None where there is no table for it."""
        found = [f for f in self.writable("insert") if "id" in f[1].insert]
        if not found:
            return None
        r = self.random
        relation, columns, rule = self.target(found)
        names = [c for c in columns if c.name in rule.insert]
        r.shuffle(names)
        start, rows = r.randint(2000, 900000), []
        for number in range(r.randint(0, 4)):
            rows.append([start + number if c.name == "id" else r.randint(1, 4) if c.name == "grp" else None if r.random() < 0.15 else
                         self.universe._value(c.kind) for c in names])  # noqa: SLF001
        csv = r.random() < 0.4
        self.data = "".join((",".join("" if v is None else '"%s"' % str(v).replace('"', '""') for v in row) if csv else
                             "\t".join("\\N" if v is None else str(v).replace("\\", "\\\\") for v in row)) + "\n" for row in rows)
        listed = "%s (%s)" % (self.name_of(relation), ", ".join(c.q for c in names))
        body = ", ".join("(%s)" % ", ".join("%s::%s" % (literal(v), self.type_name(c.kind)) for c, v in zip(names, row)) for row in rows)
        if not rows:
            body = "SELECT %s WHERE false" % ", ".join("NULL::%s" % (self.type_name(c.kind)) for c in names)
        return ("COPY %s FROM STDIN%s" % (listed, " (FORMAT csv)" if csv else ""), "INSERT INTO %s %s%s" % (listed, "VALUES " if rows else "", body))

    def conflict(self, relation, rule, names, alias):
        r = self.random
        key = "(id, grp)" if (relation.parent or relation).kind == "partitioned" else "(id)"
        if r.random() < 0.4:
            return " ON CONFLICT DO NOTHING" if r.random() < 0.5 else " ON CONFLICT %s DO NOTHING" % key
        free = [c for c in names if c.name in rule.update and c.name not in ("id", "grp")]
        if not free:
            return ""
        if rule.rows:
            return " ON CONFLICT %s DO UPDATE SET %s" % (key, ", ".join("%s = excluded.%s" % (c.q, c.q) for c in free[:2]))
        source = Source(alias, names)
        return " ON CONFLICT %s DO UPDATE SET %s WHERE %s" % (key, ", ".join("%s = COALESCE(excluded.%s, %s.%s)" % (c.q, c.q, alias, c.q) for c in free[:2]),
                                                            self.condition([source], 1))

    def update(self):
        found = [f for f in self.writable("update")]
        if not found:
            return None
        r = self.random
        relation, columns, rule = self.target(found)
        free = [c for c in columns if c.name in rule.update and c.name != "id"]
        if not free:
            return None
        alias = q(self.alias())
        source = Source(alias, columns, relation)
        sources, extra = [source], ""
        if r.random() < 0.25:
            text, other = self.source(2, sources)
            extra = " FROM " + text
            # One row at the most for each target, or which one is taken would be PostgreSQL's choice.
            other_id = self.column([other], "int")
            sources = [source]
            condition = "%s.id = %s AND " % (alias, other_id) if other_id and other.relation is not None and other_id.endswith('"id"') else "false AND "
        else:
            condition = ""
        chosen = r.sample(free, min(len(free), r.randint(1, 2)))
        if len(chosen) == 2 and r.random() < 0.3:
            assign = "(%s) = (SELECT %s)" % (", ".join(c.q for c in chosen), ", ".join(self.assigned(c, sources) for c in chosen))
        else:
            assign = ", ".join("%s = %s" % (c.q, "DEFAULT" if r.random() < 0.1 else self.assigned(c, sources)) for c in chosen)
        only = relation.children and r.random() < 0.15
        name = "{only:%s}" % relation.q if only else self.name_of(relation)
        return "UPDATE %s AS %s SET %s%s WHERE %s%s%s" % (name, alias, assign, extra, condition, self.condition(sources), self.returning(alias, columns))

    def assigned(self, column, sources):
        if column.name == "grp":
            return str(self.random.randint(1, 4))
        return self.expression(sources, column.kind, 1)

    def delete(self):
        found = [f for f in self.writable("delete")]
        if not found:
            return None
        relation, columns, _ = self.target(found)
        alias = q(self.alias())
        source = Source(alias, columns, relation)
        using, condition = "", self.condition([source])
        if self.random.random() < 0.2:
            text, other = self.source(2, [source])
            using, condition = " USING " + text, self.join_condition([source], other) + " AND " + condition
        returning = self.returning(alias, columns) if not using else ""
        return "DELETE FROM %s AS %s%s WHERE %s%s" % (self.name_of(relation), alias, using, condition, returning)

    def write_in_with(self):
        inner = self.random.choice((self.insert, self.update, self.delete))()
        if not inner or " RETURNING " not in inner:
            return inner
        relation, _ = self.random.choice(self.visible)
        return "WITH written AS (%s) SELECT (SELECT count(*) FROM written) AS n, count(*) AS m FROM %s" % (inner, self.name_of(relation))


class C:
    """A column of something that is no table."""

    def __init__(self, name, kind):
        self.name, self.kind, self.q = name, kind, q(name)
