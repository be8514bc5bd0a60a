"""
Generated statements over the clinic, each with another text that tells whose rows it reads: the same FROM, WHERE, ORDER BY and
LIMIT, with the subjects written out in the select list at every level. PostgreSQL answers the second one on the views that
oracle_schema.py writes from the policy; nothing of pgvigil's is asked.

Of groups the other text collects them as one text, PATIENT PATIENT..., with the same GROUP BY, HAVING, ORDER BY and LIMIT.

`exact`: the record must name exactly these. Otherwise it must say that it is not exact, and may not name anyone else.
"""
import random

# table -> columns that both pairs see, the column that joins by patient, the subject
TABLES = {
    "patients": (("ward_id", "family_name", "birth_date", "postcode"), "id", "{a}.id"),
    "stays": (("ward_id", "admitted_at", "bed"), "patient_id", "{a}.patient_id"),
    "appointments": (("starts_at", "minutes", "status"), "patient_id", "{a}.patient_id"),
    "patient_stays": (("family_name", "birth_date", "admitted_at"), "patient_id", "{a}.patient_id"),
    "wards": (("name", "beds"), None, None),
}
VIEWS = {"patient_stays": "stay_id"}  # without a rule: patients and stays joined; the key
NURSE = dict(TABLES, **{
    "observations": (("taken_on", "loinc", "value"), "patient_id", "{a}.patient_id"),
    "prescriptions": (("atc", "dose"), "patient_id", "{a}.patient_id"),
    "lab_results": (("loinc", "value", "stay_id"), None, "(SELECT zz.patient_id FROM stays zz WHERE zz.id = {a}.stay_id)"),
})


class Query:
    def __init__(self, text, truth, names, subjects, exact=True, lists=False, unsure=False):
        """lists: its rows are groups'. unsure: there are groups of groups in it, which may have more patients than are told."""
        self.text, self.truth, self.names, self.subjects, self.exact = text, truth, names, subjects, exact
        self.lists, self.unsure = lists, unsure
        self.operation = ""  # UNION...
        self.unique = False  # no two rows have the same k: which LIMIT cuts off is the same each time


class Source:
    """One FROM entry: the client's text and the truth's, what can be selected of it, the subjects by their names in the truth."""

    def __init__(self, text, truth, alias, columns, key, link, subjects, exact=True, lists=False, unsure=False):
        self.text, self.truth, self.alias, self.columns = text, truth, alias, columns
        self.lists, self.unsure, self.unique = lists, unsure, True
        self.key, self.link, self.subjects, self.exact, self.view = key, link, subjects, exact, False


class Statements:
    def __init__(self, seed, pair, groups):
        """groups: the pair's mission has group_subjects, so that groups, too, are told exactly."""
        self.random = random.Random("%s/%s" % (seed, pair))
        self.groups = groups
        self.pair, self.tables, self.count = pair, NURSE if pair == "nurse" else TABLES, 0

    def name(self, letter):
        self.count += 1
        return "%s%d" % (letter, self.count)

    def one(self, *of):
        return self.random.choice(of)

    def maybe(self, chance):
        return self.random.random() < chance

    # ---- FROM

    def table(self, wanted=None):
        name = wanted or self.one(*self.tables)
        columns, link, subject = self.tables[name]
        alias = self.name("t") if self.maybe(0.8) else None
        call = alias or name
        schema = self.one("", "public.")
        text = schema + name + ("" if alias is None else self.one(" ", " AS ") + alias)
        made = Source(text, text, call, ["%s.%s" % (call, c) for c in columns], "%s.%s" % (call, VIEWS.get(name, "id")), link and "%s.%s" % (call, link),
                      [] if subject is None else [subject.format(a=call)])
        made.view = name in VIEWS
        return made

    def derived(self, depth):
        inner = self.grouped(depth - 1, inside=True) if self.maybe(0.25) else self.union(depth - 1) if self.maybe(0.1) else self.select(depth - 1, inside=True)
        alias = self.name("q")
        lateral = self.one("", "LATERAL ")
        columns = ["%s.%s" % (alias, n) for n in inner.names]
        made = Source("%s(%s) %s" % (lateral, inner.text, alias), "%s(%s) %s" % (lateral, inner.truth, alias), alias, columns[2:], columns[0],
                      columns[1] if inner.names[1] == "l" else None, ["%s.%s" % (alias, s) for s in inner.subjects], inner.exact,
                      inner.lists, inner.unsure)
        made.unique = inner.unique
        return made

    def source(self, depth):
        return self.derived(depth) if depth > 0 and self.maybe(0.35) else self.table()

    def joined(self, sources):
        """FROM ... : a chain of joins; the truth's FROM beside it."""
        text, truth = sources[0].text, sources[0].truth
        for i, right in enumerate(sources[1:], 1):
            left = self.one(*[s for s in sources[:i]])
            if left.link and right.link:
                how = self.one("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN") if "LATERAL" not in right.text else self.one("JOIN", "LEFT JOIN")
                on = "ON %s = %s" % (left.link, right.link)
            else:
                how, on = self.one("JOIN", "LEFT JOIN"), "ON %s = %s" % (left.key, right.key)
            text, truth = "%s %s %s %s" % (text, how, right.text, on), "%s %s %s %s" % (truth, how, right.truth, on)
        return text, truth

    # ---- what else

    def where(self, sources):
        """(text, exact): a condition; a sub-query reads rows that are not carried, but they may be the same patient's."""
        at = self.one(*sources)
        kind = self.random.randrange(6)
        if kind == 0 or kind == 1:
            return "%s %% %d = %d" % (at.key, self.random.randrange(2, 9), self.random.randrange(2)), True
        if kind == 2:
            low = self.random.randrange(900)
            return "%s BETWEEN %d AND %d" % (at.key, low, low + self.random.randrange(1, 400)), True
        if kind == 3:
            return "%s IN (%s)" % (at.key, ", ".join(str(self.random.randrange(1, 700)) for _ in range(12))), True
        if kind == 4 and at.link:
            # Rows of the same patient are hers, whose row it is; where the source is no table, nobody says that they are the same.
            tells = at.subjects == [at.link] and not at.view
            form, tied = self.one(("EXISTS (SELECT * FROM stays e WHERE e.patient_id = {l} AND e.ward_id < 3)", True), ("NOT EXISTS (SELECT 1 FROM public.stays e WHERE e.ward_id = 2 AND {l} = e.patient_id)", True),
                                  ("{l} IN (SELECT patient_id FROM stays WHERE ward_id > 1)", True), ("(SELECT count(*) FROM stays e, appointments g WHERE e.patient_id = {l} AND g.patient_id = e.patient_id) > 2", True),
                                  ("{l} NOT IN (SELECT e.patient_id FROM stays e WHERE e.id % 3 = 0)", False),
                                  ("EXISTS (SELECT 1 FROM stays e WHERE e.ward_id = 2 AND (true OR EXISTS (SELECT 1 WHERE e.patient_id = {l})))", False),
                                  ("(SELECT count(*) FROM stays e WHERE NOT EXISTS (SELECT 1 WHERE e.patient_id = {l})) > 3", False), ("EXISTS (SELECT 1 FROM stays e WHERE e.patient_id = {l} OR e.id = 5)", False),
                                  ("{l} IN (SELECT patient_id FROM stays ORDER BY id LIMIT 200)", False), ("EXISTS (SELECT 1 FROM stays e, appointments g WHERE e.patient_id = {l} AND g.id < 3)", False),
                                  ("{k} > (SELECT min(e.id) FROM stays e WHERE e.ward_id = 1)", False))
            return form.format(l=at.link, k=at.key), tells and tied
        return "%s > %d" % (at.key, self.random.randrange(500)), True

    def select(self, depth, inside=False, mark=None):
        sources = [self.source(depth) for _ in range(self.one(1, 1, 1, 2, 2, 3))]
        if len({s.alias for s in sources}) < len(sources):
            sources = sources[:1]
        exact = all(s.exact for s in sources)
        text, truth = self.joined(sources)
        tail = ""
        if self.maybe(0.6):
            condition, tells = self.where(sources)
            tail += " WHERE " + condition
            exact = exact and tells
        keys = [s.key for s in sources]
        outputs = ["%s AS k" % keys[0], "%s AS %s" % ((sources[0].link, "l") if sources[0].link else ("0", "z"))] if inside else []
        names = ["k", "l" if sources[0].link else "z"] if inside else []
        star = False
        if not inside and self.maybe(0.3):
            outputs.append(self.one("*", sources[0].alias + ".*"))
            star = True
        for _ in range(self.one(0, 1, 2) if star else self.one(1, 2, 3)):
            expression = self.one(*(c for s in sources for c in s.columns + [s.key]))
            if not inside and self.maybe(0.2):
                expression = self.one("row_number() OVER (ORDER BY %s)" % ", ".join(keys), "upper((%s)::text)" % expression,
                                      "CASE WHEN %s IS NULL THEN 0 ELSE 1 END" % expression)
            outputs.append("%s AS %s" % (expression, self.name("c")))
            names.append(outputs[-1].rsplit(" ", 1)[1])
        if mark:
            outputs.append("1 AS " + mark)
        on = same = ""
        plain = [o.rsplit(" AS ", 1)[0] for o in outputs if " OVER " not in o and o[0] not in "01"]
        if plain and not star and self.maybe(0.15) and all(s.unique for s in sources):
            # Of each the first.
            by = self.one(*plain)
            number = [o.rsplit(" AS ", 1)[0] for o in outputs].index(by) + 1
            same = "DISTINCT ON (%s) " % by
            on = self.one(same, "DISTINCT ON (%d) " % number)
            tail += " ORDER BY " + ", ".join([by] + [self.one("%s", "%s DESC") % k for k in keys])
        elif self.maybe(0.5):
            tail += " ORDER BY " + ", ".join(self.one("%s", "%s DESC") % k for k in keys)
            if self.maybe(0.6) and all(s.unique for s in sources):
                tail += " LIMIT %d" % self.random.randrange(1, 40)
                tail += " OFFSET %d" % self.random.randrange(5) if self.maybe(0.3) else ""
        subjects = [(s, self.name("s")) for source in sources for s in source.subjects]
        list_ = ", ".join(outputs)
        told = ", ".join(["%s AS %s" % s for s in subjects] or ["NULL AS none"])
        made = Query("SELECT %s%s FROM %s%s" % (on, list_, text, tail), "SELECT %s%s%s FROM %s%s" % (same, ", ".join(outputs) + ", " if inside else "", told, truth, tail),
                     names, [s[1] for s in subjects], exact, any(s.lists for s in sources), any(s.unsure for s in sources))
        made.unique = len(sources) == 1 and sources[0].unique  # k is the first one's key
        return made

    def with_query(self, mark):
        inner = self.one(self.select, self.select, self.grouped)(1, inside=True)
        alias = self.name("w")
        subjects = ", ".join("%s.%s" % (alias, s) for s in inner.subjects) or "NULL"
        list_ = self.one("%s.k", "%s.*") % alias
        twice = self.maybe(0.2)
        also = ", %s other WHERE other.k = %s.k" % (alias, alias) if twice else ""
        return Query("WITH %s AS (%s) SELECT %s, 1 AS %s FROM %s%s" % (alias, inner.text, list_, mark, alias, also),
                     "WITH %s AS (%s) SELECT %s FROM %s%s" % (alias, inner.truth, subjects, alias, also), [], inner.subjects,
                     inner.exact and not (twice and inner.subjects), inner.lists, inner.unsure)

    def grouped(self, depth, inside=False, mark=None):
        """Rows of groups: GROUP BY, aggregates alone, or DISTINCT."""
        sources = [self.source(depth) for _ in range(self.one(1, 1, 2))]
        if len({s.alias for s in sources}) < len(sources):
            sources = sources[:1]
        exact = all(s.exact for s in sources)
        text, truth = self.joined(sources)
        where = ""
        if self.maybe(0.5):
            condition, tells = self.where(sources)
            where = " WHERE " + condition
            exact = exact and tells
        first, link = sources[0].key, sources[0].link or "0"
        told = ["string_agg((%s)::text, ' ')" % s for source in sources for s in source.subjects]
        if self.maybe(0.35):
            return self.distinct(sources, text + where, truth + where, told, exact, inside, mark)
        by = [self.one(*(c for s in sources for c in s.columns + [s.key])) for _ in range(self.one(0, 1, 1, 2))]
        by = list(dict.fromkeys(by))
        outputs = ["max(%s) AS k" % first, "min(%s) AS %s" % (link, "l" if sources[0].link else "z")] if inside else []
        names = ["k", "l" if sources[0].link else "z"] if inside else []
        at = len(outputs)
        for expression in by + [self.one("count(*)", "count(DISTINCT %s)" % first, "max(%s) + 1" % first, "count(*) FILTER (WHERE %s > 40)" % first)]:
            outputs.append("%s AS %s" % (expression, self.name("g")))
            names.append(outputs[-1].rsplit(" ", 1)[1])
        if mark:
            outputs.append("1 AS " + mark)
        rollup = by and self.maybe(0.2)
        numbers = [str(at + 1 + i) for i in range(len(by))]
        group = " GROUP BY ROLLUP (%s)" % ", ".join(by) if rollup else " GROUP BY " + ", ".join(self.one(by, numbers)) if by else ""
        same = group if rollup else " GROUP BY " + ", ".join(by) if by else ""
        having = " HAVING count(*) > %d" % self.random.randrange(1, 12) if self.maybe(0.3) else ""
        order = " ORDER BY " + ", ".join(self.one(by, numbers)) if by and self.maybe(0.5) else ""
        tail, same = group + having + order, same + having + (" ORDER BY " + ", ".join(by) if order else "")
        if order and not rollup and self.maybe(0.6):
            limit = " LIMIT %d" % self.random.randrange(1, 9)
            tail, same = tail + limit, same + limit
        return self.collected(sources, outputs, text + where + tail, truth + where + same, told, names, exact, inside)

    def distinct(self, sources, text, truth, told, exact, inside, mark):
        keys = ["%s AS k" % sources[0].key, "%s AS %s" % (sources[0].link or "0", "l" if sources[0].link else "z")] if inside else []
        names = ["k", "l" if sources[0].link else "z"] if inside else []
        outputs, by = list(keys), [k.rsplit(" AS ", 1)[0] for k in keys if not k.startswith("0")]
        for _ in range(self.one(1, 2)):
            expression = self.one(*(c for s in sources for c in s.columns + [s.key]))
            expression = self.one(expression, expression, "upper((%s)::text)" % expression)
            by.append(expression)
            outputs.append("%s AS %s" % (expression, self.name("d")))
            names.append(outputs[-1].rsplit(" ", 1)[1])
        if mark:
            outputs.append("1 AS " + mark)
        limit = " LIMIT %d" % self.random.randrange(1, 9) if self.maybe(0.5) else ""
        places = [i + 1 for i, o in enumerate(outputs) if o[0] not in "01"]
        order = " ORDER BY " + ", ".join(map(str, places)) if limit or self.maybe(0.3) else ""
        same = " GROUP BY " + ", ".join(by) + (" ORDER BY " + ", ".join(by) if order else "") + limit
        select = self.collected(sources, outputs, text + order + limit, truth + same, told, names, exact, inside)
        select.text = select.text.replace("SELECT ", self.one("SELECT DISTINCT ", "SELECT  DISTINCT\n"), 1)
        return select

    def collected(self, sources, outputs, text, truth, told, names, exact, inside):
        list_ = ", ".join(outputs)
        subjects = [(t, self.name("s")) for t in told]
        all_ = ", ".join(["%s AS %s" % s for s in subjects] or ["NULL AS none"])
        return Query("SELECT %s FROM %s" % (list_, text), "SELECT %s%s FROM %s" % (list_ + ", " if inside else "", all_, truth),
                     names, [s[1] for s in subjects], exact and (self.groups or not told), bool(told), any(s.lists or s.unsure for s in sources))

    def union(self, depth, mark=None):
        """A set operation of two or three arms with the columns k and l; whose they are is one text of each."""
        made, second = None, None
        for _ in range(self.one(2, 2, 3)):
            inner = self.one(self.select, self.grouped)(depth, inside=True)
            alias, second = self.name("u"), second or inner.names[1]
            list_ = "%s.k AS k, %s.%s%s" % (alias, alias, inner.names[1], ", 1 AS " + mark if mark else "")
            list_ = self.one("", "DISTINCT ") * (not inner.subjects) + list_
            told = ", ".join("%s.%s::text" % (alias, s) for s in inner.subjects)
            arm = Query("SELECT %s FROM (%s) %s" % (list_, inner.text, alias),
                        "SELECT %s, %s FROM (%s) %s" % (list_, "concat_ws(' ', %s)" % told if told else "NULL::text", inner.truth, alias),
                        ["k", second], inner.subjects, inner.exact, inner.lists, inner.unsure)
            made = arm if made is None else self.both(made, arm, mark)
        name = self.name("s")
        order = self.one(" ORDER BY 1, 2 DESC", " ORDER BY k, %s DESC" % second) if self.maybe(0.4) else ""
        limit = " LIMIT %d" % self.random.randrange(1, 30) if order and made.unique and self.maybe(0.5) else ""
        truth = "SELECT * FROM (%s) z(k, l%s, %s)%s%s" % (made.truth, ", m" if mark else "", name, order and " ORDER BY 1, 2 DESC", limit)
        if mark:
            truth = "SELECT %s FROM (%s) y" % (name, truth)
        return Query(made.text + order + limit, truth, ["k", second], [name] if made.subjects else [], made.exact, made.lists, made.unsure)

    def both(self, left, right, mark):
        """left OP right. Rows that are there once only are groups of all that are the same."""
        op = self.one("UNION ALL", "UNION ALL", "UNION ALL", "UNION", "UNION", "INTERSECT", "EXCEPT")
        first = self.one("%s", "(%s)") if left.operation in ("", op) else "(%s)"
        text = ("%s%s%s%s%s" % (first, self.one(" ", "\n"), op, self.one(" ", " DISTINCT ") if op != "UNION ALL" else " ", self.one("%s", "(%s)"))) % (left.text, right.text)
        arms = "SELECT *, 1 FROM (%s) a UNION ALL SELECT *, 2 FROM (%s) b" % (left.truth, right.truth)
        columns = "k, l, m" if mark else "k, l"
        if op == "UNION ALL":
            truth = "SELECT %s, s FROM (%s) z(%s, s, arm)" % (columns, arms, columns)
        else:
            having = {"UNION": "", "INTERSECT": " HAVING count(DISTINCT arm) = 2", "EXCEPT": " HAVING max(arm) = 1"}[op]
            truth = "SELECT %s, string_agg(s, ' ') FROM (%s) z(%s, s, arm) GROUP BY %s%s" % (columns, arms, columns, columns, having)
        once, subjects = op != "UNION ALL", left.subjects + right.subjects
        if op == "EXCEPT":
            subjects = left.subjects
        untold = op == "EXCEPT" and right.subjects  # who is not among them
        made = Query(text, truth, left.names, subjects, left.exact and right.exact and not untold and (self.groups or not once or not subjects), left.lists or right.lists or (once and bool(subjects)),
                     left.unsure or right.unsure or (once and (left.lists or right.lists)))
        made.operation, made.unique = op, once
        return made

    def aside(self, mark):
        """What is not told in any mission."""
        source = self.table(self.one("patients", "stays", "appointments"))
        column = self.one(*source.columns)
        text = self.one("SELECT {c} AS {m} FROM {f} INTERSECT ALL SELECT {c} FROM {f}", "SELECT {c} AS {m} FROM {f} EXCEPT ALL (SELECT {c} FROM {f} LIMIT 1)", "SELECT (SELECT count(*) FROM {f}) AS {m}", "SELECT 1 AS {m} WHERE EXISTS (SELECT 1 FROM {f})",
                        "SELECT DISTINCT count(*) AS {m} FROM {f} GROUP BY {c}")
        return Query(text.format(c=column, f=source.text, m=mark), "SELECT %s FROM %s" % (source.subjects[0], source.text), [], ["s"], exact=False)

    def written(self, mark):
        """What is written in WITH, and read whole: nobody's row is lost. Or not: (statement, what it asks, exact)."""
        low = self.random.randrange(600)
        where = "%%s.id BETWEEN %d AND %d" % (low, low + self.random.randrange(1, 60))
        inner = "UPDATE appointments AS a SET minutes = minutes + 5 WHERE %s RETURNING %s" % (where % "a", self.one("*", "a.id, a.minutes", "id"))
        asks = "SELECT a.patient_id FROM appointments a WHERE " + where % "a"
        if self.pair == "nurse":
            inner, asks = self.observed("a", low) + " RETURNING " + self.one("*", "a.*", "id, value"), self.stay(low)
        outer, groups, whole = self.one(("SELECT w.*, 1 AS {m} FROM w", False, True), ("SELECT id, 1 AS {m} FROM w ORDER BY id DESC", False, True), ("SELECT count(*), 1 AS {m} FROM w", True, True),
                                        ("SELECT DISTINCT id, 1 AS {m} FROM w", True, True), ("SELECT id, max(1), 1 AS {m} FROM w GROUP BY id", True, True),
                                        ("SELECT id, 1 AS {m} FROM w WHERE id < 9", False, False), ("SELECT id, 1 AS {m} FROM w LIMIT 1", False, False), ("SELECT w.id, 1 AS {m} FROM w JOIN wards ON wards.id = w.id", False, False),
                                        ("SELECT id, generate_series(1, 0), 1 AS {m} FROM w", False, False), ("SELECT 1 AS {m} FROM (SELECT id FROM w) q", False, False), ("SELECT 1 AS {m}", False, False),
                                        ("SELECT DISTINCT ON (w.minutes) w.id, 1 AS {m} FROM (SELECT id, 1 AS minutes FROM w) w", False, False))
        return "WITH w AS (%s) %s" % (inner, outer.format(m=mark)), asks, whole and (self.groups or not groups)

    def observed(self, alias, number):
        return ("INSERT INTO observations AS %s (id, patient_id, stay_id, taken_on, taken_at, practitioner, loinc, label, value, unit) VALUES "
                "(%d, {patient}, {stay}, '2024-03-01', '2024-03-01 10:00+01', '10000000017', '8310-5', 'x', 37, 'Cel')" % (alias, 900000 + number))

    def stay(self, number):
        return "SELECT s.patient_id, s.id FROM stays s ORDER BY s.id OFFSET %d LIMIT 1" % (number % 50)

    def write(self, mark):
        """In a transaction that is rolled back; the truth is read before."""
        low = self.random.randrange(600)
        returning = self.one("", " RETURNING {m}.id", " RETURNING *", " RETURNING {m}.id + 1, {m}.*").format(m=mark)
        if self.pair == "nurse":
            return self.observed(mark, low) + returning, self.stay(low)
        kind = self.random.randrange(4)
        if kind == 3:
            # What is locked is what is given.
            table = self.one("appointments", "patients")
            where = "%%s.id BETWEEN %d AND %d ORDER BY %%s.%s LIMIT %d" % (low, low + self.random.randrange(1, 60), self.one("id", "id DESC"), self.random.randrange(1, 9))
            lock = self.one(" FOR UPDATE", " FOR NO KEY UPDATE OF %s" % mark, " FOR SHARE SKIP LOCKED", " FOR UPDATE NOWAIT")
            return ("SELECT %s FROM %s %s WHERE %s%s" % (self.one("*", mark + ".*", mark + ".id, 1"), table, mark, where % (mark, mark), lock),
                    "SELECT %s FROM %s a WHERE %s" % ("a.id" if table == "patients" else "a.patient_id", table, where % ("a", "a")))
        if kind == 0:
            where = "%%s.id BETWEEN %d AND %d" % (low, low + self.random.randrange(1, 60))
            return ("UPDATE appointments AS %s SET minutes = minutes + 5 WHERE %s%s" % (mark, where % mark, returning),
                    "SELECT a.patient_id FROM appointments a WHERE " + where % "a")
        if kind == 1:
            where = "%%s.id %%%% %d = 0" % self.random.randrange(50, 300)
            return ("UPDATE patients %s SET phone = '01 02 03 04 05' WHERE %s%s" % (mark, where % mark, returning),
                    "SELECT a.id FROM patients a WHERE " + where % "a")
        where = "p.id = %%s.patient_id AND p.ward_id = %d AND %%s.id < %d" % (self.random.randrange(1, 5), low)
        returning = self.one("", " RETURNING %s.id, p.ward_id" % mark)
        return ("UPDATE appointments %s SET minutes = 20 FROM patients p WHERE %s%s" % (mark, where % (mark, mark), returning),
                "SELECT a.patient_id, p.id FROM appointments a, patients p WHERE " + where % ("a", "a"))
