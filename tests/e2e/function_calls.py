"""
Calls of pg_catalog functions, made from their declared types: what a hostile session would try on each function that it may call.

calls(connection, names) gives (name, statement): for each overload its arguments from VALUES in turns, all NULL, and, where a
column of `patients` has the type, a column of it. Names of hidden relations and the OIDs of hidden ones stand among the values.
"""

HIDDEN_NAMES = ["'public.staff_salaries'", "'documents'", "'patients'", "'nir'"]
VALUES = {
    "text": HIDDEN_NAMES + ["'YYYY-MM'", "'UTC'", "'$.a'", "''"],
    "name": ["'staff_salaries'::name", "'UTF8'::name", "'LATIN1'::name"],
    "character": ["'x'::bpchar", "'patients'::bpchar"],
    "character varying": ["'x'::varchar", "'patients'::varchar"],
    '"char"': ["'x'::\"char\""],
    "integer": ["2", "1", "0", "-1", "2147483647"],
    "smallint": ["2::int2", "0::int2", "-1::int2"],
    "bigint": ["2::int8", "0::int8", "9223372036854775807"],
    "numeric": ["2.5", "0::numeric", "'NaN'::numeric", "1e300::numeric"],
    "double precision": ["0.5::float8", "0::float8", "'Infinity'::float8", "-1::float8"],
    "real": ["0.5::float4", "'NaN'::float4"],
    "money": ["2::money"],
    "boolean": ["true", "false"],
    "bytea": [r"'\xfe00'::bytea", r"'\x41'::bytea", r"''::bytea"],
    "bit": ["B'101'", "B''"],
    "bit varying": ["'101'::varbit"],
    "date": ["date '2024-02-29'", "'infinity'::date"],
    "time without time zone": ["time '12:00'", "time '00:00'"],
    "time with time zone": ["timetz '12:00+02'"],
    "timestamp without time zone": ["timestamp '2024-02-29 12:00'", "'-infinity'::timestamp"],
    "timestamp with time zone": ["timestamptz '2024-02-29 12:00+00'", "'infinity'::timestamptz"],
    "interval": ["interval '1 day'", "interval '-3 months'", "interval '0'"],
    "json": ["""'{"a": [1, {"b": "x"}]}'::json""", "'[1, 2]'::json", "'null'::json"],
    "jsonb": ["""'{"a": [1, {"b": "x"}]}'::jsonb""", "'[1, 2]'::jsonb", "'\"x\"'::jsonb"],
    "jsonpath": ["'$.a[*]'::jsonpath", "'$.a == 1'::jsonpath", "'$.datetime()'::jsonpath"],
    "xml": ["'<a>1</a>'::xml", """'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'::xml"""],
    "inet": ["'10.0.0.1/8'::inet", "'::1'::inet"],
    "cidr": ["'10.0.0.0/8'::cidr"],
    "macaddr": ["'08:00:2b:01:02:03'::macaddr"],
    "macaddr8": ["'08:00:2b:01:02:03:04:05'::macaddr8"],
    "point": ["point '(1,2)'"], "line": ["line '{1,2,3}'"], "lseg": ["lseg '((0,0),(1,1))'"], "box": ["box '((0,0),(1,1))'"],
    "path": ["path '((0,0),(1,1))'", "path '[(0,0),(1,1)]'"], "polygon": ["polygon '((0,0),(1,1),(2,0))'"], "circle": ["circle '((0,0),1)'"],
    "tsquery": ["'a & b'::tsquery"], "tsvector": ["'a b:2'::tsvector"],
    "regconfig": ["'simple'::regconfig", "'english'::regconfig"], "regdictionary": ["'simple'::regdictionary"],
    "oid": ["{hidden_oid}::oid", "{hidden_type}::oid", "{b_only}::oid", "2249::oid", "0::oid"],
    "oidvector": ["'{hidden_type} {b_type} 23'::oidvector"],
    "xid8": ["'5'"], "tid": ["'(0,1)'"], "pg_lsn": ["'0/1'::pg_lsn"], "cid": ["'1'"], "xid": ["'5'"], "uuid": ["'00000000-0000-0000-0000-000000000001'::uuid"],
    "int4range": ["int4range(1, 5)"], "int8range": ["int8range(1, 5)"], "numrange": ["numrange(1, 5)"], "daterange": ["daterange('2024-01-01', NULL)"],
    "tsrange": ["tsrange(NULL, '2024-01-01')"], "tstzrange": ["tstzrange(NULL, NULL)"],
    '"any"': ["p", "'x'::text", "1", "NULL::text"],
    "anyelement": ["p", "1", "'x'::text", "NULL::app.sex", "ARRAY[1, 2]"],
    "anynonarray": ["p", "1"],
    "anyarray": ["ARRAY[1, 2]", "allergies", "ARRAY[p]", "'{}'::text[]"],
    "anyenum": ["NULL::app.sex", "'F'::app.sex", "NULL::app.blood_group"],
    "anyrange": ["int4range(1, 5)", "'empty'::int4range"], "anymultirange": ["int4multirange(int4range(1, 5))"],
    "anycompatible": ["1", "'x'::text"], "anycompatiblearray": ["ARRAY[1, 2]", "allergies"], "anycompatiblenonarray": ["1"],
    "anycompatiblerange": ["int4range(1, 5)"], "anycompatiblemultirange": ["int4multirange(int4range(1, 5))"],
    "record": ["p", "ROW(1, 'x')"], "pg_node_tree": ["NULL"], "regclass": ["'staff_salaries'"], "regtype": ["'staff_salaries'"],
}
COLUMNS = {"text": "family_name", "integer": "id", "date": "birth_date", "timestamp with time zone": "created_at",
           "anyenum": "sex", "anyarray": "allergies", '"any"': "p", "record": "p", "anyelement": "family_name",
           "name": "family_name::name", "numeric": "id::numeric", "double precision": "id::float8", "bytea": "family_name::bytea",
           "jsonb": "to_jsonb(p)", "json": "to_json(p)"}
# What does not give the same twice, or holds the server a while.
UNSTEADY = {"random", "gen_random_uuid", "clock_timestamp", "timeofday", "now", "statement_timestamp", "transaction_timestamp"}

# What a large argument would keep busy for hours.
SMALL = {"generate_series", "repeat", "lpad", "rpad", "array_fill", "factorial"}

OVERLOADS = """
SELECT p.proname, p.prokind, p.proretset, p.provariadic <> 0, p.pronargs,
       ARRAY(SELECT t::regtype::text FROM unnest(p.proargtypes) t), p.prorettype = 'record'::regtype AND p.proallargtypes IS NULL,
       a.aggkind, a.aggnumdirectargs
FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
WHERE p.pronamespace = %s::regnamespace AND p.proname = ANY(%s) ORDER BY p.proname, p.oid
"""


def value(kind, turn):
    """The `turn`-th value of a type; an array of it where the type is one."""
    if kind in VALUES:
        return VALUES[kind][turn % len(VALUES[kind])]
    if kind.endswith("[]"):
        return "ARRAY[%s]::%s" % (value(kind[:-2], turn), kind)
    raise KeyError("no values of type %s in function_calls.py" % kind)


def written(overload, arguments, bare):
    name, kind, retset, variadic, count, _, record, aggregate, direct = overload
    call = '"%s"' % name if bare else 'pg_catalog."%s"' % name
    arguments = list(arguments)
    if variadic and arguments and arguments[-1].startswith("ARRAY["):
        arguments[-1] = "VARIADIC " + arguments[-1]
    if aggregate in ("o", "h"):
        text = "%s(%s) WITHIN GROUP (ORDER BY %s)" % (call, ", ".join(arguments[:direct]), ", ".join(arguments[direct:] or ["id"]))
        return "SELECT %s FROM patients p" % text
    text = "%s(%s)" % (call, ", ".join(arguments) if arguments or kind != "a" else "*")
    if kind == "a":
        return "SELECT %s FROM patients p" % text
    if kind == "w":
        return "SELECT %s OVER (ORDER BY id) FROM patients p" % text
    if retset and record:
        return "SELECT x.* FROM (SELECT * FROM patients ORDER BY id LIMIT 2) p, LATERAL %s AS x(a text, b int)" % text
    if retset:
        return "SELECT x.* FROM (SELECT * FROM patients ORDER BY id LIMIT 2) p, LATERAL %s AS x LIMIT 300" % text
    return "SELECT %s FROM (SELECT * FROM patients ORDER BY id LIMIT 3) p" % text


def calls(connection, names, schema="pg_catalog", oids=None):
    """(name, statement) of every overload of the functions; oids: numbers for {hidden_oid}, {hidden_type}, {b_only}, {b_type}."""
    made = []
    for overload in connection.execute(OVERLOADS, (schema, sorted(names))).fetchall():
        kinds = overload[5]
        turns = max([len(VALUES.get(k, ())) for k in kinds] + [1])
        variants = [[value(k, turn + i * (turn % 3)) for i, k in enumerate(kinds)] for turn in range(turns)]
        if overload[0] in SMALL:
            variants = [[value(k, 0) for k in kinds]]
        if kinds:
            variants.append(["NULL"] * len(kinds))
            if any(k in COLUMNS for k in kinds):
                variants.append([COLUMNS.get(k) or value(k, 0) for k in kinds])
        for turn, arguments in enumerate(variants):
            sql = written(overload, arguments, turn % 2 == 1)
            for word, number in (oids or {}).items():
                sql = sql.replace("{%s}" % word, str(number))
            made.append((overload[0], sql))
    return made
