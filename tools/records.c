/*
 * records.c: which tables hold a person's rows.
 *
 * Trust boundary: names come from the catalog and are quoted; expressions are the policy's. A table
 * that the policy does not know, or that is about nobody, is not looked at, but a key of it that
 * refers to a person's row is: what would be torn out of its context, or taken along by a cascade
 * without anybody having asked, stays where it is.
 */
#include "tools/records.h"

#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

const char records_settings[] =
    "SET search_path = ''; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = "
    "'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET client_encoding = "
    "'UTF8'; SET xmloption = 'content'; SET standard_conforming_strings = on; "
    "SET idle_in_transaction_session_timeout = 0; "
    /* A row that a policy of PostgreSQL's hides would be left behind: then it is an error. */
    "SET row_security = off";

/* A key to a partition ties rows that are found through what it is a partition of, and one to a
 * partitioned table those of every partition that has an entry of its own. Rows match as the key
 * itself compares them: for a type like citext, = is another operator under search_path ''. */
static const char foreign_keys[] =
    "SELECT (SELECT pg_catalog.string_agg(o::pg_catalog.text, ' ') FROM (SELECT k.conrelid UNION "
    "SELECT a.o::pg_catalog.oid FROM pg_catalog.pg_partition_ancestors(k.conrelid) AS a (o)) AS t "
    "(o)),\n"
    "    (SELECT pg_catalog.string_agg(o::pg_catalog.text, ' ') FROM (SELECT k.confrelid UNION "
    "SELECT a.o::pg_catalog.oid FROM pg_catalog.pg_partition_ancestors(k.confrelid) AS a (o) UNION "
    "SELECT b.relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree(k.confrelid) AS b) AS t "
    "(o)),\n"
    "    pg_catalog.quote_ident(n.nspname) || '.' || "
    "pg_catalog.quote_ident(c.relname), n.nspname || '.' || c.relname,\n"
    "    (SELECT pg_catalog.string_agg('\"pgvigil parent\".' || pg_catalog.quote_ident(pa.attname) "
    "|| ' OPERATOR(' || pg_catalog.quote_ident(o.nspname) || '.' || e.oprname || ') \"pgvigil "
    "child\".' || pg_catalog.quote_ident(ca.attname), ' AND ' ORDER BY u.i)\n"
    "     FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), "
    "pg_catalog.unnest(k.conpfeqop)) WITH ORDINALITY AS u (ck, pk, eq, i)\n"
    "     JOIN pg_catalog.pg_operator e ON e.oid = u.eq\n"
    "     JOIN pg_catalog.pg_namespace o ON o.oid = e.oprnamespace\n"
    "     JOIN pg_catalog.pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = u.ck\n"
    "     JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = u.pk)\n"
    "FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid\n"
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    "WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY 4, k.conname";

struct finder {
    const struct policy *policy;
    const struct catalog *catalog;
    struct arena *arena;
    struct records *records;
    size_t cap;
    struct buf *why;
};

static bool in_key(const struct catalog_relation *relation, int16_t attnum)
{
    for (size_t i = 0; i < relation->primary_key_count; i++)
        if (relation->primary_key[i] == attnum)
            return true;
    return false;
}

/* The lists of a table's columns. False: no memory. */
static bool list_columns(struct finder *finder, struct records_table *table, const char *alias)
{
    const struct catalog_relation *relation = table->relation;
    struct arena *arena = finder->arena;
    struct buf columns;
    struct buf updates;
    struct buf there;
    struct buf comes;
    struct buf row;
    struct buf key;
    struct buf place;
    buf_init(&columns, 0);
    buf_init(&updates, 0);
    buf_init(&there, 0);
    buf_init(&comes, 0);
    buf_init(&row, 0);
    buf_init(&key, 0);
    buf_init(&place, 0);
    buf_str(&row, "ROW(");
    for (size_t i = 0; i < relation->column_count; i++) {
        const struct catalog_column *column = &relation->columns[i];
        const char *name = text_ident(arena, column->name);
        const char *full = text_qualified(arena, alias, column->name);
        if (name == NULL || full == NULL)
            columns.failed = true;
        buf_printf(&row, "%s%s", i == 0 ? "" : ", ", full == NULL ? "" : full);
        if (in_key(relation, column->attnum)) {
            const char *then = buf_len(&key) == 0 ? "" : ", ";
            buf_printf(&key, "%s%s", then, name == NULL ? "" : name);
            buf_printf(&place, "%s%s", then, full == NULL ? "" : full);
        }
        if (column->generated || name == NULL)
            continue;
        const char *comma = buf_len(&columns) == 0 ? "" : ", ";
        buf_printf(&columns, "%s%s", comma, name);
        buf_printf(&there, "%s%s", comma, full == NULL ? "" : full);
        buf_printf(&comes, "%sEXCLUDED.%s", comma, name);
        if (!in_key(relation, column->attnum) && !column->identity)
            buf_printf(&updates, "%s%s = EXCLUDED.%s", buf_len(&updates) == 0 ? "" : ", ", name,
                       name);
    }
    buf_str(&row, ")::pg_catalog.text");
    table->key = buf_len(&key) == 0 ? NULL : text_take(&key, arena);
    buf_free(&key);
    const char *where = text_take(&place, arena);
    if (table->key != NULL && where != NULL)
        table->place = arena_printf(arena, "ROW(%s)::pg_catalog.text", where);
    table->columns = text_take(&columns, arena);
    table->updates = text_take(&updates, arena);
    const char *now = text_take(&there, arena);
    const char *then = text_take(&comes, arena);
    table->changed = now == NULL || then == NULL
                         ? NULL
                         : arena_printf(arena,
                                        "ROW(%s)::pg_catalog.text IS DISTINCT FROM "
                                        "ROW(%s)::pg_catalog.text",
                                        now, then);
    table->row = text_take(&row, arena);
    return table->columns != NULL && table->updates != NULL && table->changed != NULL &&
           table->row != NULL;
}

static bool is_below(const struct catalog *catalog, const struct catalog_relation *relation,
                     const struct catalog_relation *above)
{
    for (size_t step = 0; relation->parent >= 0 && step < catalog->relation_count; step++) {
        relation = &catalog->relations[relation->parent];
        if (relation == above)
            return true;
    }
    return false;
}

static bool names_except(const struct policy *policy, const struct policy_table *table)
{
    const struct policy_retention *retention = policy->retention;
    for (size_t i = 0; retention != NULL && table != NULL && i < retention->excepted_count; i++)
        if (&policy->tables[retention->excepted[i]] == table)
            return true;
    return false;
}

static const struct policy_table *own_entry(const struct finder *finder,
                                            const struct catalog_relation *relation)
{
    return policy_table_for(finder->policy, relation->schema, relation->name);
}

/* Rows of a partition are found through its parent: what keeps one of them for another time keeps
 * all of the parent's. */
static bool is_excepted(const struct finder *finder, const struct catalog_relation *relation)
{
    const struct catalog *catalog = finder->catalog;
    for (size_t i = 0; i < catalog->relation_count; i++) {
        const struct catalog_relation *other = &catalog->relations[i];
        bool above = other == relation || is_below(catalog, relation, other);
        bool below = other->partition && is_below(catalog, other, relation);
        if ((above || below) && names_except(finder->policy, own_entry(finder, other)))
            return true;
    }
    return false;
}

/* A partition may have an entry of its own, which says no: then the rows that are found through the
 * parent are not erasable. A child by inheritance has columns that its parent's entry does not
 * speak of, and is erasable only by one of its own. */
static bool is_erasable(const struct finder *finder, const struct catalog_relation *relation)
{
    const struct policy_table *own = relation->partition
                                         ? guard_table(finder->policy, finder->catalog, relation)
                                         : own_entry(finder, relation);
    bool erasable = own != NULL && own->erasable;
    for (size_t i = 0; erasable && i < finder->catalog->relation_count; i++) {
        const struct catalog_relation *other = &finder->catalog->relations[i];
        if (!other->partition || !is_below(finder->catalog, other, relation))
            continue;
        const struct policy_table *table = guard_table(finder->policy, finder->catalog, other);
        erasable = table != NULL && table->erasable;
    }
    return erasable;
}

static enum status add_table(struct finder *finder, const struct catalog_relation *relation)
{
    struct arena *arena = finder->arena;
    struct records *records = finder->records;
    const struct policy_retention *retention = finder->policy->retention;
    const char *alias = NULL;
    const char *why = NULL;
    struct records_table table = {.relation = relation,
                                  .found = records->count,
                                  .erasable = is_erasable(finder, relation),
                                  .excepted = is_excepted(finder, relation)};
    enum status status = guard_subject(finder->policy, finder->catalog, relation, arena,
                                       &table.subject, &alias, &why);
    if (status == ERR_INVALID)
        buf_printf(finder->why, "%s.%s: %s", relation->schema, relation->name, why);
    if (status != OK || table.subject == NULL)
        return status;
    struct records_table *grown =
        arena_grow(arena, records->tables, records->count, &finder->cap, sizeof(*grown));
    if (grown == NULL)
        return ERR_MEMORY;
    records->tables = grown;
    bool only = relation->has_children && relation->kind == 'r';
    table.alias = text_ident(arena, alias);
    table.told = arena_printf(arena, "%s.%s", relation->schema, relation->name);
    table.name = text_qualified(arena, relation->schema, relation->name);
    table.from =
        table.name == NULL || table.alias == NULL
            ? NULL
            : arena_printf(arena, "%s%s AS %s", only ? "ONLY " : "", table.name, table.alias);
    if (table.told == NULL || table.from == NULL || !list_columns(finder, &table, alias))
        return ERR_MEMORY;
    if (retention != NULL && strcmp(table.told, retention->table) == 0)
        records->people = records->count;
    grown[records->count++] = table;
    return OK;
}

/* A partition whose rows are found through what it is a partition of, at any level. */
static bool is_parents(const struct finder *finder, const struct catalog_relation *relation)
{
    const struct catalog *catalog = finder->catalog;
    if (relation->partition && relation->parent < 0)
        return true;
    for (size_t step = 0;
         relation->partition && relation->parent >= 0 && step < catalog->relation_count; step++) {
        relation = &catalog->relations[relation->parent];
        const struct policy_table *table = guard_table(finder->policy, catalog, relation);
        if (table != NULL && table->subject != NULL)
            return true;
    }
    return false;
}

/* Partitions are their parent's; children by inheritance are tables of their own, with columns the
 * parent does not know. */
static enum status add_tables(struct finder *finder, bool all)
{
    enum status status = OK;
    for (size_t i = 0; i < finder->catalog->relation_count && status == OK; i++) {
        const struct catalog_relation *relation = &finder->catalog->relations[i];
        const struct policy_table *table = guard_table(finder->policy, finder->catalog, relation);
        if ((relation->kind != 'r' && relation->kind != 'p') || is_parents(finder, relation) ||
            table == NULL || table->subject == NULL || (!all && is_excepted(finder, relation)))
            continue;
        status = add_table(finder, relation);
    }
    return status;
}

/* Is the table one of those that are listed, "16384 16390"? */
static bool is_listed(const struct records_table *table, const char *oids)
{
    for (char *end = NULL; *oids != '\0'; oids = end) {
        if (strtoul(oids, &end, 10) == table->relation->oid)
            return true;
        if (end == oids)
            return false;
    }
    return false;
}

/* The one whose rows hold all rows of the relation; -1: they are not all of one. */
static int table_of(const struct records *records, const char *oids)
{
    for (size_t i = 0; i < records->count; i++)
        if (is_listed(&records->tables[i], oids))
            return (int)i;
    return -1;
}

static enum status add_links(struct finder *finder, const PGresult *result)
{
    struct records *records = finder->records;
    struct arena *arena = finder->arena;
    size_t most = (size_t)PQntuples(result) * records->count;
    records->links = arena_zalloc(arena, most + 1, sizeof(*records->links));
    if (records->links == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < most; i++) {
        int row = (int)(i / records->count);
        size_t parent = i % records->count;
        if (!is_listed(&records->tables[parent], PQgetvalue(result, row, 1)))
            continue;
        struct records_link *link = &records->links[records->link_count++];
        *link = (struct records_link){.parent = parent,
                                      .child = table_of(records, PQgetvalue(result, row, 0)),
                                      .name = arena_strdup(arena, PQgetvalue(result, row, 2)),
                                      .told = arena_strdup(arena, PQgetvalue(result, row, 3)),
                                      .matches = arena_strdup(arena, PQgetvalue(result, row, 4))};
    }
    return arena_failed(arena) ? ERR_MEMORY : OK;
}

static int by_rank(const void *a, const void *b)
{
    const struct records_table *one = a;
    const struct records_table *other = b;
    if (one->rank != other->rank)
        return one->rank < other->rank ? -1 : 1;
    return strcmp(one->told, other->told);
}

/* A subject that reads another table needs its rows. */
static bool reads(const struct records_table *table, const struct records_table *other)
{
    return table != other && (strstr(table->subject, other->told) != NULL ||
                              strstr(table->subject, other->name) != NULL);
}

static bool lift(struct records_table *table, size_t least)
{
    bool lower = table->rank < least;
    table->rank = lower ? least : table->rank;
    return lower;
}

/* What refers comes before what is referred to. Keys that go round in a circle end the search
 * after as many steps as there are tables; PostgreSQL then says which one it is. */
static enum status sort_tables(struct finder *finder)
{
    struct records *records = finder->records;
    bool moved = true;
    for (size_t step = 0; step < records->count && moved; step++) {
        moved = false;
        for (size_t i = 0; i < records->link_count; i++) {
            const struct records_link *link = &records->links[i];
            if (link->child < 0 || (size_t)link->child == link->parent)
                continue;
            moved = lift(&records->tables[link->parent], records->tables[link->child].rank + 1) ||
                    moved;
        }
        for (size_t i = 0; i < records->count * records->count; i++) {
            const struct records_table *reader = &records->tables[i / records->count];
            struct records_table *other = &records->tables[i % records->count];
            moved = (reads(reader, other) && lift(other, reader->rank + 1)) || moved;
        }
    }
    size_t *now = arena_zalloc(finder->arena, records->count + 1, sizeof(*now));
    if (now == NULL)
        return ERR_MEMORY;
    if (records->count > 1)
        qsort(records->tables, records->count, sizeof(*records->tables), by_rank);
    for (size_t i = 0; i < records->count; i++)
        now[records->tables[i].found] = i;
    for (size_t l = 0; l < records->link_count; l++) {
        struct records_link *link = &records->links[l];
        link->parent = now[link->parent];
        if (link->child >= 0)
            link->child = (int)now[link->child];
    }
    if (records->people < records->count)
        records->people = now[records->people];
    return OK;
}

const char *records_state(const struct records *records, struct arena *arena)
{
    const char *oids = "";
    for (size_t i = 0; oids != NULL && i < records->count; i++)
        oids = arena_printf(arena, "%s, %u", oids, (unsigned)records->tables[i].relation->oid);
    return oids == NULL
               ? NULL
               : arena_printf(
                     arena,
                     "SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to("
                     "pg_catalog.concat_ws(';',\n"
                     "(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', k.oid, k.conrelid, "
                     "k.confrelid, k.conkey, k.confkey, k.confdeltype), ',' ORDER BY k.oid) FROM "
                     "pg_catalog.pg_constraint k WHERE k.contype = 'f'),\n"
                     "(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', c.oid, "
                     "c.relnamespace, c.relname, c.relnatts), ',' ORDER BY c.oid) FROM "
                     "pg_catalog.pg_class c WHERE c.oid IN (0%s)),\n"
                     "(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', i.inhrelid, "
                     "i.inhparent), ',' ORDER BY i.inhrelid, i.inhparent) FROM "
                     "pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent "
                     "WHERE p.relkind IN ('r', 'p'))), 'UTF8')), 'hex')",
                     oids);
}

/* Before the keys are read: one that comes in between is found when the state is compared. */
static enum status note_state(struct finder *finder, PGconn *conn)
{
    const char *sql = records_state(finder->records, finder->arena);
    PGresult *result = sql == NULL ? NULL : PQexec(conn, sql);
    bool told = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (told)
        finder->records->state = arena_strdup(finder->arena, PQgetvalue(result, 0, 0));
    else
        buf_printf(finder->why, "%s", PQerrorMessage(conn));
    PQclear(result);
    if (!told)
        return ERR_UPSTREAM;
    return finder->records->state == NULL ? ERR_MEMORY : OK;
}

enum status records_find(const struct policy *policy, const struct catalog *catalog, PGconn *conn,
                         bool all, struct arena *arena, struct records *records, struct buf *why)
{
    struct finder finder = {
        .policy = policy, .catalog = catalog, .arena = arena, .records = records, .why = why};
    *records = (struct records){0};
    records->people = SIZE_MAX;
    enum status status = add_tables(&finder, all);
    if (records->people == SIZE_MAX)
        records->people = records->count;
    if (status == OK)
        status = unseen_find(policy, catalog, all, arena, &records->unseen, &records->unseen_count);
    if (status == OK)
        status = note_state(&finder, conn);
    PGresult *result = status == OK ? PQexec(conn, foreign_keys) : NULL;
    if (status == OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        buf_printf(why, "%s", PQerrorMessage(conn));
        status = ERR_UPSTREAM;
    }
    if (status == OK)
        status = add_links(&finder, result);
    PQclear(result);
    return status == OK ? sort_tables(&finder) : status;
}

const char *records_list(const char *const *keys, size_t count, struct arena *arena)
{
    struct buf out;
    buf_init(&out, 0);
    text_quote_array(&out, keys, count);
    const char *text = text_take(&out, arena);
    return text == NULL ? NULL : text_literal(arena, text);
}
