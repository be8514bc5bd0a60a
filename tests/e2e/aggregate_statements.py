"""
Statements about groups, made by a seeded generator: whatever SQL has to group by, to filter by and to compute from groups, and,
in one of three, something that tells rows of a cell apart, or might. For test_aggregate_twins.py and prove_aggregate.py.

A statement is asked of two databases that differ in all but numbers about whole cells (aggregate_schema.twin): they must answer
alike, byte for byte. One that is answered is asked of PostgreSQL itself as well, over the views of schema told.
"""
import random

import aggregate_schema

DIMENSIONS = {cube: list(d) for cube, (_, d, _) in aggregate_schema.CUBES.items()}
MEASURES = {cube: list(m) for cube, (_, _, m) in aggregate_schema.CUBES.items()}
SAMPLES = {
    "ward": ["1", "2", "6", "8", "9", "66", "77", "NULL"], "sex": ["'F'", "'M'", "'X'"], "way": ["'emergency'", "'planned'"],
    "admitted": ["'2022-01-01'", "'2023-01-01'"], "price": ["1", "1.0", "2", "1.00"], "city": ["'City 1'", "'City 4'", "'Rare 1'", "'ZZCANARY'"],
    "born": ["'1920-01-01'", "'1960-01-01'"], "kind": ["'kind 1'", "'kind 3'", "'kind 11'"],
}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.hostile = None
        self.names = 0

    def chance(self, p):
        return self.random.random() < p

    def pick(self, *of):
        return self.random.choice(of)

    def name(self):
        self.names += 1
        return "n%d" % self.names

    # ---- values that are the same for a whole cell ----

    def value(self, items, depth=2):
        """(SQL, of which type, roughly): over dimensions of the items, (alias, cube) each."""
        alias, cube = self.random.choice(items)
        if cube == "wards":
            return self.pick(("%s.floor" % alias, "int"), ("%s.name" % alias, "text"), ("%s.id" % alias, "int"))
        column = self.random.choice(DIMENSIONS[cube])
        sql = "%s.%s" % (alias, column) if self.chance(0.9) or len(items) > 1 else column
        kind = {"ward": "int", "price": "numeric", "admitted": "date", "born": "date", "way": "way"}.get(column, "text")
        if depth and self.chance(0.3):
            wraps = {
                "int": [("%s %% 3", "int"), ("-%s", "int"), ("%s::text", "text"), ("COALESCE(%s, -1)", "int"), ("1000 / (%s - 3)", "int"), ("%s + 1", "int")],
                "numeric": [("%s::text", "text"), ("scale(%s)", "int"), ("round(%s)", "numeric"), ("%s * 2", "numeric")],
                "date": [("extract(year from %s)::int", "int"), ("to_char(%s, 'YYYY')", "text"), ("%s + 30", "date"), ("age(%s)::text", "text")],
                "text": [("lower(%s)", "text"), ("length(%s)", "int"), ("left(%s, 6)", "text"), ("COALESCE(%s, '?')", "text"), ("md5(%s)", "text"), ("octet_length(%s)", "int")],
                "way": [("%s::text", "text"), ("COALESCE(%s, 'planned')", "way")],
            }
            wrap, kind = self.random.choice(wraps[kind])
            sql = wrap % sql
        return sql, kind

    def condition(self, items, depth=2):
        if depth and self.chance(0.35):
            return "(%s %s %s)" % (self.condition(items, depth - 1), self.pick("AND", "OR"), self.condition(items, depth - 1))
        if depth and self.chance(0.1):
            return "NOT (%s)" % self.condition(items, depth - 1)
        alias, cube = self.random.choice(items)
        if cube != "wards" and self.chance(0.75):
            column = self.random.choice(DIMENSIONS[cube])
            sql, samples = "%s.%s" % (alias, column), SAMPLES[column]
            return self.random.choice([
                lambda: "%s %s %s" % (sql, self.pick("=", "<>", "<", ">=", "IS DISTINCT FROM"), self.random.choice(samples)),
                lambda: "%s IN (%s, %s)" % (sql, samples[0], self.random.choice(samples)),
                lambda: "%s IS %sNULL" % (sql, self.pick("", "NOT ")),
                lambda: "%s BETWEEN %s AND %s" % (sql, samples[0], samples[1]),
                lambda: "%s::text = %s::text" % (sql, self.random.choice(samples)),
                lambda: "EXISTS (SELECT 1 FROM epi.wards z WHERE z.floor = 1 AND z.id::text = %s::text)" % sql,
            ])()
        sql, kind = self.value(items)
        if kind in ("int", "numeric"):
            return "%s %s %d" % (sql, self.pick("=", "<", ">", "<>"), self.random.randrange(10))
        return "%s IS NOT NULL" % sql if kind == "way" else "%s::text %s %s" % (sql, self.pick("LIKE", "~~*", "<"), self.pick("'%1%'", "'City%'", "'2023%'"))

    def aggregate(self, items):
        alias, cube = self.random.choice([i for i in items if i[1] != "wards"])
        measure = "%s.%s" % (alias, self.random.choice(MEASURES[cube]))
        function = self.pick("sum", "avg", "count")
        made = self.random.choice([
            lambda: "count(*)", lambda: "count(*)", lambda: "%s(%s)" % (function, measure), lambda: "%s(%s)" % (function, measure),
            lambda: "max(%s)" % self.value(items)[0] if self.chance(0.9) else "min(length(%s::text))" % self.value(items)[0],
            lambda: "count(DISTINCT %s)" % self.value(items)[0],
            lambda: "sum(length((%s)::text))" % self.value(items)[0],
            lambda: "bool_or(%s)" % self.condition(items, 1),
        ])()
        if self.chance(0.2) and "DISTINCT" not in made:
            made += " FILTER (WHERE %s)" % self.condition(items, 1)
        return made

    # ---- queries ----

    def source(self, depth):
        """(FROM, items)"""
        cube = self.pick("stays", "stays", "people", "readings")
        alias = self.name()
        items, sql = [(alias, cube)], "epi.%s %s%s" % (cube, self.pick("", "AS "), alias)
        roll = self.random.random()
        if cube == "stays" and roll < 0.25:
            other = self.name()
            sql += " %s epi.wards %s ON %s.id = %s.ward" % (self.pick("JOIN", "LEFT JOIN", "FULL JOIN"), other, other, alias)
            items.append((other, "wards"))
        elif roll < 0.29 and cube != "readings":
            other, second = self.name(), self.pick("people", "stays")
            # Products of all rows would take long.
            sql += " JOIN epi.%s %s ON %s.sex = %s.sex AND %s.sex = 'F' AND %s" % (second, other, alias, other, alias, self.condition([(other, second)], 0))
            items.append((other, second))
        elif roll < 0.4 and depth:
            other = self.name()
            sql += " CROSS JOIN LATERAL (SELECT count(*) AS c FROM epi.wards w WHERE w.id::text < %s::text) %s" % (self.value(items)[0], other)
        return sql, items

    def grouped(self, depth=2, outer=None):
        """(SQL, number of columns): a SELECT that groups."""
        source, items = self.source(depth)
        groups = [self.value(items)[0] for _ in range(self.random.randrange(4))]
        shown = [g for g in groups if self.chance(0.85)]
        aggregates = [self.aggregate(items) for _ in range(self.random.randrange(0 if groups else 1, 4))]
        outputs = shown + aggregates
        if not outputs:
            outputs = ["count(*)"]
        if depth and self.chance(0.15):
            outputs.append("(SELECT %s FROM epi.%s q WHERE %s)" % (self.pick("count(*)", "sum(q.days)"), "stays", self.condition([("q", "stays")], 1)))
        if groups and self.chance(0.1):
            outputs.append(self.pick("sum(count(*)) OVER ()", "rank() OVER (ORDER BY count(*))", "count(*) * 100.0 / sum(count(*)) OVER ()"))
        outputs = [self.mark(o, items) for o in outputs]
        where = [self.condition(items)] if self.chance(0.6) else []
        if self.hostile == "where":
            where.append(self.intruding(items))
        sql = "SELECT %s FROM %s" % (", ".join("%s AS o%d" % (o, i) for i, o in enumerate(outputs)), source)
        if where:
            sql += " WHERE " + " AND ".join(where)
        if groups:
            how = "ROLLUP (%s)" if self.chance(0.07) else "CUBE (%s)" if len(groups) < 3 and self.chance(0.05) else "%s"
            sql += " GROUP BY " + how % ", ".join(groups)
        if (groups or aggregates) and self.chance(0.15):
            sql += " HAVING " + self.pick("count(*) > 7", "count(*) < 60", "count(*) %% 2 = 0".replace("%%", "%"))
        return sql, len(outputs)

    def mark(self, output, items):
        if self.hostile == "output":
            self.hostile = None
            return self.intruding_output(items)
        return output

    def intruding(self, items):
        """A condition that tells rows of a cell apart."""
        self.hostile = None
        alias, cube = self.random.choice([i for i in items if i[1] != "wards"])
        measure = self.random.choice(MEASURES[cube])
        person = aggregate_schema.SUBJECTS[cube]
        return self.random.choice([
            "%s.%s > 10" % (alias, measure), "%s.%s IS NULL" % (alias, measure), "%s.id %% 2 = 0" % alias, "%s.%s < 100" % (alias, person),
            "random() < 0.5", "epi.flip(1)", "%s.ctid > '(0,5)'" % alias, "%s.tableoid > 0" % alias, "%s IS NOT NULL" % alias, "(%s).%s = 3" % (alias, measure),
            "clock_timestamp() > '2020-01-01'", "gen_random_uuid()::text < '8'", "%s::text LIKE '%%7%%'" % alias, "row(%s.*) IS NOT NULL" % alias,
            "EXISTS (SELECT 1 FROM epi.wards z WHERE z.id = %s.%s)" % (alias, measure), "hashtext(%s::text) > 0" % alias,
            "%s.%s = (SELECT max(id) FROM epi.wards)" % (alias, person), "COALESCE(%s.%s, 0) > 5" % (alias, measure),
            "%s.%s IN (SELECT x.id FROM epi.people x GROUP BY x.id)" % (alias, person),
            "nextval('epi.s') > 0", "set_config('a.b', '1', false) = '1'", "pg_column_size(%s.%s) > 4" % (alias, DIMENSIONS[cube][0]),
        ])

    def intruding_output(self, items):
        alias, cube = self.random.choice([i for i in items if i[1] != "wards"])
        measure = self.random.choice(MEASURES[cube])
        dimension = "%s.%s" % (alias, self.random.choice(DIMENSIONS[cube]))
        person = "%s.%s" % (alias, aggregate_schema.SUBJECTS[cube])
        m = "%s.%s" % (alias, measure)
        return self.random.choice([
            "max(%s)" % m, "min(%s)" % m, "stddev(%s)" % m, "variance(%s)" % m, "array_agg(%s)" % m, "sum(%s + 0)" % m, "sum(CASE WHEN %s > 5 THEN 1 END)" % m, "count(DISTINCT %s)" % m, "sum(DISTINCT %s)" % m,
            "string_agg(%s::text, ',')" % dimension, "array_agg(%s)" % dimension, "json_agg(%s)" % dimension, "mode() WITHIN GROUP (ORDER BY %s)" % dimension,
            "percentile_disc(0.5) WITHIN GROUP (ORDER BY %s)" % m, "count(%s)" % alias, "count(%s.*)" % alias, "%s" % m, "%s.id" % alias,
            "count(%s)" % person, "sum(%s)" % person, "sum(%s) OVER ()" % m,
            "(SELECT sum(%s) FROM epi.wards)" % m, "(SELECT sum(%s) FILTER (WHERE z.floor > 0) FROM epi.wards z)" % m, "(SELECT array_agg(%s) FROM epi.wards)" % dimension,
            "(SELECT %s || count(%s)::text FROM epi.stays v LIMIT 1)" % ("v.sex", dimension), "(SELECT v.sex FROM epi.stays v LIMIT 1)",
            "sum(%s) FILTER (WHERE %s > 10)" % (m, m), "count(*) FILTER (WHERE %s IS NULL)" % m, "corr(%s, %s)" % (m, m), "regr_count(%s, %s)" % (m, m), "bit_xor(%s::int)" % m,
            "(SELECT count(*) FROM epi.stays v WHERE v.days = %s)" % m, "xmlagg(xmlelement(name a, %s))" % dimension, "to_json(%s)" % alias, "%s.ctid" % alias,
            "max((%s).%s)" % (alias, measure), "sum(random())", "every(%s > 3)" % m,
        ])

    def statement(self):
        """(SQL, was something put in that is to be refused?)"""
        self.names = 0
        self.hostile = self.pick("where", "output", "shape") if self.chance(0.34) else None
        asked = self.hostile is not None
        if self.hostile == "shape":
            self.hostile = None
            return self.shape(), True
        sql, columns = self.grouped()
        order = ", ".join(str(i + 1) for i in range(columns))
        roll = self.random.random()
        if roll < 0.12:
            other, more = self.grouped(1)
            keep = min(columns, more)
            sql = "SELECT %s FROM (%s) a UNION ALL SELECT %s FROM (%s) b" % (
                ", ".join("o%d::text" % i for i in range(keep)), sql, ", ".join("o%d::text" % i for i in range(keep)), other)
        elif roll < 0.24:
            sql = "WITH w AS %s(%s) SELECT count(*), max(o0::text), string_agg(o0::text, ',' ORDER BY o0::text) FROM w" % (self.pick("", "MATERIALIZED "), sql)
        elif roll < 0.32:
            sql = "SELECT a.*, b.o0 FROM (%s) a LEFT JOIN (%s) b ON a.o0::text = b.o0::text" % (sql, self.grouped(1)[0])
        elif roll < 0.45:
            sql += " ORDER BY %s LIMIT %d" % (order, self.random.randrange(1, 6))
            if self.chance(0.3):
                sql += " OFFSET %d" % self.random.randrange(3)
        elif roll < 0.5:
            sql = "SELECT DISTINCT %s FROM epi.stays s WHERE %s" % (self.value([("s", "stays")])[0], self.condition([("s", "stays")]))
        elif roll < 0.55:
            dimensions = ", ".join(DIMENSIONS["people"])
            sql = "SELECT %s, count(DISTINCT id) FROM epi.people s WHERE %s GROUP BY %s" % (dimensions, self.condition([("s", "people")]), dimensions)
        elif roll < 0.6:
            sql = "SELECT s.sex, count(*), sum(days) FROM epi.stays s JOIN epi.people p USING (sex) WHERE p.born < '1940-01-01' AND s.ward = 1 GROUP BY s.sex"
        self.hostile = None
        return sql, asked and roll < 0.45

    def shape(self):
        cube = self.pick("stays", "people", "readings")
        dimension, measure = self.random.choice(DIMENSIONS[cube]), self.random.choice(MEASURES[cube])
        person = aggregate_schema.SUBJECTS[cube]
        condition = self.condition([(cube, cube)], 1)
        values = {"c": cube, "d": dimension, "m": measure, "p": person, "w": condition}
        return self.random.choice([
            "SELECT * FROM epi.%(c)s", "TABLE epi.%(c)s", "SELECT %(d)s FROM epi.%(c)s WHERE %(w)s", "SELECT %(d)s FROM epi.%(c)s LIMIT 3", "SELECT 1 FROM epi.%(c)s",
            "SELECT DISTINCT ON (%(d)s) %(d)s FROM epi.%(c)s", "SELECT count(*) FROM (SELECT %(d)s FROM epi.%(c)s LIMIT 10) q", "SELECT DISTINCT row_number() OVER () FROM epi.%(c)s",
            "SELECT count(*) FROM epi.%(c)s TABLESAMPLE BERNOULLI (50)", "SELECT count(*) FROM ONLY epi.readings", "COPY epi.%(c)s TO STDOUT", "COPY epi.%(c)s (%(d)s) TO STDOUT",
            "EXPLAIN SELECT count(*) FROM epi.%(c)s WHERE %(w)s", "EXPLAIN ANALYZE SELECT count(*) FROM epi.%(c)s", "SELECT count(*) FROM epi.%(c)s GROUP BY %(m)s",
            "SELECT %(d)s FROM epi.%(c)s GROUP BY 1 ORDER BY max(%(m)s)", "SELECT count(*) FROM epi.%(c)s HAVING max(%(m)s) > 3", "SELECT count(*) FROM epi.%(c)s GROUP BY %(p)s",
            "SELECT count(DISTINCT %(p)s) FROM epi.%(c)s WHERE %(w)s", "SELECT %(d)s, count(DISTINCT %(p)s) FROM epi.%(c)s GROUP BY ROLLUP (%(d)s)",
            "SELECT %(d)s FROM epi.%(c)s FOR UPDATE", "SELECT count(*) FROM epi.%(c)s NATURAL JOIN epi.people", "SELECT count(*) FROM epi.%(c)s a JOIN epi.%(c)s b USING (%(p)s)",
            "SELECT count(*) FROM (epi.%(c)s a JOIN epi.wards b ON true) j", "SELECT sum(j.%(m)s) FROM (epi.%(c)s a JOIN epi.wards b ON true) j",
            "SELECT count(*) FROM epi.readings_2023", "SELECT x.* FROM epi.wards w, LATERAL (SELECT %(m)s FROM epi.%(c)s WHERE %(w)s) x", "VALUES ((SELECT %(m)s FROM epi.%(c)s LIMIT 1))",
            "SELECT (SELECT count(%(c)s.%(d)s) FROM epi.wards) FROM epi.%(c)s", "SELECT %(c)s FROM epi.%(c)s GROUP BY %(c)s", "SELECT count(*) FROM epi.%(c)s, epi.wards WHERE %(m)s = id",
            "UPDATE epi.wards SET name = 'x' FROM epi.%(c)s WHERE %(w)s", "DELETE FROM epi.%(c)s", "INSERT INTO epi.wards SELECT 50, max(%(d)s)::text, 1 FROM epi.%(c)s",
            "CREATE TEMP TABLE t AS SELECT %(d)s FROM epi.%(c)s", "SELECT count(*) INTO TEMP t FROM epi.%(c)s", "DECLARE k CURSOR FOR SELECT %(d)s FROM epi.%(c)s",
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, epi.%(c)s WHERE n < 2) SELECT count(*) FROM r",
            "SELECT sum(z.q) FROM epi.%(c)s AS z(q)", "SELECT unnest(array_agg(%(d)s)) FROM epi.%(c)s", "SELECT %(d)s FROM epi.%(c)s UNION SELECT %(d)s FROM epi.%(c)s",
            "SELECT %(d)s, sum(%(m)s) OVER (PARTITION BY %(d)s) FROM epi.%(c)s", "SELECT xmlforest(%(m)s) FROM epi.%(c)s", "SELECT count(*) FROM epi.%(c)s WHERE (%(m)s, 1) = (5, 1)",
            "SELECT count(*) FROM epi.%(c)s WHERE %(m)s = ANY (ARRAY[1, 2, 3])", "SELECT count(*) FROM epi.%(c)s WHERE CASE WHEN %(m)s > 5 THEN true ELSE 1 / 0 > 1 END",
        ]) % values
