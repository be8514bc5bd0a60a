/*
 * scrub.c: reports and descriptions in the client's own terms (see scrub.h).
 *
 * Attacks: "Failing row contains (...)" in DETAIL prints every column of a row, hidden ones too;
 * CONTEXT and internal queries print filters and trigger texts; guard names tell role, mission and
 * generation. So what is not known to be harmless is dropped.
 */
#include "proxy/scrub.h"

#include "proxy/copy.h"
#include "proxy/reload.h"
#include "proxy/temporary.h"

#include <ctype.h>
#include <pgvigil/buf.h>
#include <pgvigil/catalog.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hints of the parser about names and types: they speak of the statement and of guards' columns
 * only. */
static const char *const harmless_hints[] = {
    "No function matches the given name and argument types.",
    "No operator matches the given name and argument type",
    "Could not choose a best candidate",
    "You might need to add",
    "You will need to rewrite or cast",
    "Perhaps you meant to reference",
    "There is an entry for table",
    "To refer to table",
    "There is a column named",
    "If a set is to be",
};

static bool hint_is_harmless(const char *hint)
{
    for (size_t i = 0; i < sizeof harmless_hints / sizeof harmless_hints[0]; i++)
        if (strncmp(hint, harmless_hints[i], strlen(harmless_hints[i])) == 0)
            return true;
    return false;
}

/* ---- guard names ---- */

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Behind "pgvigil:...": the first byte that cannot be of a guard schema's name in this quoting. */
static const char *schema_end(const char *at, bool quoted)
{
    while (*at != '\0' &&
           (quoted ? *at != '"' : !isspace((unsigned char)*at) && *at != '.' && *at != '"'))
        at++;
    return at;
}

/* "public.patients" or "public.patients!only" (or !subject) as a view's name -> patients. Returns
 * its end, or NULL when it is not one. */
static const char *view_name(const char *at, char close, const char **name, size_t *len)
{
    const char *end = strchr(at, close);
    if (end == NULL)
        return NULL;
    const char *dot = memchr(at, '.', (size_t)(end - at));
    if (dot == NULL || dot == at || dot + 1 == end)
        return NULL;
    const char *stop = end;
    if (stop - dot > 6 && memcmp(stop - 5, "!only", 5) == 0)
        stop -= 5;
    else if (stop - dot > 9 && memcmp(stop - 8, "!subject", 8) == 0)
        stop -= 8;
    *name = dot + 1;
    *len = (size_t)(stop - dot - 1);
    return end;
}

/* "pgvigil:role/mission@generation.schema.table" in one pair of quotes, as "relation ... does not
 * exist" has it. Returns its end, or NULL when it is not one. */
static const char *put_joined(const char *at, const char *end, struct buf *out)
{
    const char *generation = memchr(at, '@', (size_t)(end - at));
    const char *dot =
        generation == NULL ? NULL : memchr(generation, '.', (size_t)(end - generation));
    const char *name;
    size_t len;
    if (dot == NULL || view_name(dot + 1, '"', &name, &len) == NULL)
        return NULL;
    buf_byte(out, '"');
    buf_append(out, name, len);
    buf_byte(out, '"');
    return end + 1;
}

/* A whole "pgvigil:role/mission@generation"[.]"schema.table" or, unquoted,
 * pgvigil:...@....schema.table; the schema alone is shown as "public", for want of better. */
static const char *put_guard(const char *at, struct buf *out)
{
    bool quoted = *at == '"';
    const char *end = schema_end(at + quoted, quoted);
    const char *joined = quoted && *end == '"' ? put_joined(at, end, out) : NULL;
    if (joined != NULL)
        return joined;
    if (quoted && *end == '"')
        end++;
    if (*end != '.') {
        buf_str(out, quoted ? "\"public\"" : "public");
        return end;
    }
    end++;
    const char *name;
    size_t len;
    const char *stop = *end == '"' ? view_name(end + 1, '"', &name, &len) : NULL;
    if (stop != NULL) {
        buf_append(out, name, len);
        return stop + 1;
    }
    /* A built-in guard's function, or an unquoted view's name: what follows stands as it is. */
    return end;
}

const char *scrub_names(const char *text, bool views, struct arena *arena)
{
    struct buf out;
    buf_init(&out, 0);
    const char *at = text;
    while (*at != '\0') {
        const char *name;
        size_t len;
        const char *end;
        bool word_start = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (starts(at, "\"pgvigil:") || (word_start && starts(at, "pgvigil:"))) {
            at = put_guard(at, &out);
        } else if (views && *at == '"' && (end = view_name(at + 1, '"', &name, &len)) != NULL &&
                   strchr(at + 1, ' ') != at + 1 &&
                   memchr(at + 1, ' ', (size_t)(end - at - 1)) == NULL) {
            buf_byte(&out, '"');
            buf_append(&out, name, len);
            buf_byte(&out, '"');
            at = end + 1;
        } else {
            buf_byte(&out, (unsigned char)*at++);
        }
    }
    return text_take(&out, arena);
}

static enum status clean(const char **field, bool views, struct arena *arena)
{
    if (*field == NULL)
        return OK;
    *field = scrub_names(*field, views, arena);
    return *field == NULL ? ERR_MEMORY : OK;
}

/* A guard is a view to PostgreSQL, the client's table to the client. */
static const char *say_table(const char *message, struct arena *arena)
{
    static const char *const words[] = {"check option for view ", "permission denied for view ",
                                        "column of view ", "of view \""};
    for (size_t i = 0; message != NULL && i < sizeof words / sizeof words[0]; i++) {
        const char *at = strstr(message, words[i]);
        const char *view = at == NULL ? NULL : strstr(at, "view");
        if (view != NULL)
            return arena_printf(arena, "%.*stable%s", (int)(view - message), message, view + 4);
    }
    return message;
}

/* Why a row was not let in. */
static const char *filter_hint(const struct statement *statement, struct arena *arena)
{
    const struct verdict *verdict = statement->verdict;
    const struct policy *policy = statement->world->policy;
    for (size_t i = 0; i < verdict->statement_count; i++) {
        const struct verdict_statement *one = &verdict->statements[i];
        for (size_t k = 0; k < one->relation_count; k++) {
            const struct policy_rule *rule = one->relations[k].rule;
            if (!one->relations[k].writes || rule == NULL || rule->rows == NULL)
                continue;
            const char *slash = strrchr(rule->place.file, '/');
            return arena_printf(arena,
                                "A row can be written only if the role %s in the mission %s may "
                                "see it afterwards: `rows` or `filter` of the rule at %s:%u.",
                                policy->roles[statement->role].name,
                                statement->mission < 0 ? "none"
                                                       : policy->missions[statement->mission].name,
                                slash == NULL ? rule->place.file : slash + 1, rule->place.line);
        }
    }
    return NULL;
}

/* ---- columns that the policy hides ---- */

/* `column nir does not exist`, `column "nir" does not exist`, `column p.nir does not exist` -> nir.
 */
static const char *missing_column(const char *message, struct arena *arena)
{
    if (message == NULL || !starts(message, "column "))
        return NULL;
    const char *at = message + strlen("column ");
    const char *end = strstr(at, " does not exist");
    if (end == NULL || end == at)
        return NULL;
    if (*at == '"' && end[-1] == '"' && end - at > 2)
        return arena_strndup(arena, at + 1, (size_t)(end - at - 2));
    for (const char *dot = end; dot > at; dot--)
        if (dot[-1] == '.') {
            at = dot;
            break;
        }
    return arena_strndup(arena, at, (size_t)(end - at));
}

static const char *hidden_hint(const struct wire_report *report, const struct statement *statement,
                               struct arena *arena)
{
    const char *column = missing_column(report->message, arena);
    const struct verdict *verdict = statement->verdict;
    const struct policy *policy = statement->world->policy;
    for (size_t i = 0; column != NULL && i < verdict->statement_count; i++) {
        const struct verdict_statement *one = &verdict->statements[i];
        for (size_t k = 0; k < one->relation_count; k++) {
            const struct verdict_relation *relation = &one->relations[k];
            if (relation->rule == NULL || relation->relation == NULL ||
                catalog_column(relation->relation, column) == NULL)
                continue;
            return arena_printf(
                arena,
                "The policy hides column \"%s\" of %s.%s from the role %s in the mission %s.",
                column, relation->schema, relation->name, policy->roles[statement->role].name,
                statement->mission < 0 ? "none" : policy->missions[statement->mission].name);
        }
    }
    return NULL;
}

/* ---- reports ---- */

static const char *client_position(const char *position, const struct statement *statement,
                                   struct arena *arena)
{
    if (position == NULL || statement == NULL)
        return NULL;
    size_t mapped = verdict_map_position(statement->verdict, statement->sql,
                                         (size_t)strtoul(position, NULL, 10));
    return mapped == 0 ? NULL : arena_printf(arena, "%zu", mapped + statement->skipped);
}

/* What EXECUTE calls a statement on the server is the client's name for it again. */
static const char *client_names(const char *message, const struct statement *statement,
                                struct arena *arena)
{
    for (size_t i = 0; statement != NULL && message != NULL && i < statement->execute_count; i++) {
        const struct statement *executed = statement->executes[i];
        const char *at = strstr(message, executed->server_name);
        if (at != NULL)
            message = arena_printf(arena, "%.*s%s%s", (int)(at - message), message, executed->name,
                                   at + strlen(executed->server_name));
    }
    return message;
}

/* A prepared transaction's name begins with its owner's hash on the server, or is one. */
static const char *client_transaction(const char *message, const struct statement *statement,
                                      struct arena *arena)
{
    const char *first = message == NULL ? NULL : strstr(message, "\"pgv/");
    const char *last = first == NULL ? NULL : strrchr(first + 1, '"');
    if (last == NULL)
        return message;
    const char *name = "";
    for (size_t i = 0; statement != NULL && i < statement->verdict->statement_count; i++) {
        const struct verdict_statement *one = &statement->verdict->statements[i];
        if ((one->kind == STATEMENT_PREPARE_TRANSACTION || one->kind == STATEMENT_UTILITY) &&
            one->target != NULL)
            name = one->target;
    }
    return arena_printf(arena, "%.*s\"%s%s", (int)(first - message), message, name, last);
}

/* The judge qualifies builtins; a client that wrote them bare reads them bare. */
static const char *unqualify(const char *message, const struct statement *statement,
                             struct arena *arena)
{
    static const char prefix[] = "pg_catalog.";
    if (statement == NULL || message == NULL || strstr(message, prefix) == NULL ||
        strstr(statement->sql, prefix) != NULL)
        return message;
    char *copy = arena_strdup(arena, message);
    char *at = copy;
    while (at != NULL && (at = strstr(at, prefix)) != NULL)
        memmove(at, at + strlen(prefix), strlen(at + strlen(prefix)) + 1);
    return copy;
}

/* pg_temp_12 -> pg_temp. */
static const char *own_schema(const char *message, struct arena *arena)
{
    static const char prefix[] = JUDGE_TEMPORARY_SCHEMA "_";
    const char *at = message == NULL ? NULL : strstr(message, prefix);
    while (at != NULL) {
        const char *end = at + strlen(prefix) + strspn(at + strlen(prefix), "0123456789");
        const char *rest = arena_strdup(arena, end);
        if (rest == NULL)
            return NULL;
        if (end == at + strlen(prefix))
            return message; /* a name that looks like it */
        message = arena_printf(arena, "%.*s%s%s", (int)(at - message), message,
                               JUDGE_TEMPORARY_SCHEMA, rest);
        at = message == NULL ? NULL : strstr(message, prefix);
    }
    return message;
}

enum status scrub_report(struct wire_report *report, const struct statement *statement,
                         struct arena *arena)
{
    const char *where = NULL;
    if (copy_from_report(report, statement, &where, arena) != OK)
        return ERR_MEMORY;
    report->detail = NULL;
    report->where = where;
    report->internal_query = NULL;
    report->internal_position = NULL;
    report->file = NULL;
    report->line = NULL;
    report->routine = NULL;
    /* It may propose the column that carries subjects (policy/judge_subject.c). */
    if (report->hint != NULL &&
        (!hint_is_harmless(report->hint) || strstr(report->hint, GUARD_SUBJECT_COLUMN) != NULL))
        report->hint = NULL;
    report->position = client_position(report->position, statement, arena);
    if (report->schema != NULL && starts(report->schema, "pgvigil:"))
        report->schema = report->table = NULL;
    /* Which number a connection has tells of the others. */
    if (report->schema != NULL && starts(report->schema, JUDGE_TEMPORARY_SCHEMA "_"))
        report->schema = JUDGE_TEMPORARY_SCHEMA;
    report->message = own_schema(report->message, arena);
    /* Data exceptions quote values, "01.02.2020" too. */
    bool views = report->sqlstate == NULL || !starts(report->sqlstate, "22");
    const char **const fields[] = {&report->message,   &report->hint,   &report->schema,
                                   &report->table,     &report->column, &report->data_type,
                                   &report->constraint};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (clean(fields[i], views, arena) != OK)
            return ERR_MEMORY;
    if (report->sqlstate != NULL && strcmp(report->sqlstate, "44000") == 0 && statement != NULL)
        report->hint = filter_hint(statement, arena);
    report->message = say_table(unqualify(report->message, statement, arena), arena);
    report->message = client_names(report->message, statement, arena);
    report->message = client_transaction(report->message, statement, arena);
    if (report->message == NULL && arena_failed(arena))
        return ERR_MEMORY;
    if (report->sqlstate != NULL && strcmp(report->sqlstate, "42703") == 0 && statement != NULL) {
        const char *hint = hidden_hint(report, statement, arena);
        report->hint = hint != NULL ? hint : report->hint;
    }
    return OK;
}

/* ---- RowDescription ---- */

/* OIDs below are PostgreSQL's own. */
#define FIRST_NORMAL_OID 16384u

static void base_origin(uint32_t *table_oid, int16_t *attnum, void *context)
{
    const struct catalog *catalog = context;
    if (*table_oid < FIRST_NORMAL_OID)
        return;
    const struct catalog_guard *guard = catalog_guard_oid(catalog, *table_oid);
    if (guard == NULL && catalog_find_oid(catalog, *table_oid) != NULL)
        return;
    if (guard == NULL) {
        /* A temporary table: its number comes from a counter that hidden rows move as well. */
        *table_oid = 0;
        *attnum = 0;
        return;
    }
    bool known = *attnum > 0 && (size_t)*attnum <= guard->column_count &&
                 guard->base_attnums[*attnum - 1] > 0 && guard->base_oid != 0;
    *table_oid = known ? guard->base_oid : 0;
    *attnum = known ? guard->base_attnums[*attnum - 1] : 0;
}

#define TYPE_RECORD       2249u
#define TYPE_RECORD_ARRAY 2287u

static uint32_t base_row_type(const struct catalog *catalog, const struct temporary *temporary,
                              uint32_t type_oid)
{
    bool array = false;
    if (type_oid < FIRST_NORMAL_OID)
        return type_oid;
    if (temporary_row_type(temporary, type_oid, &array))
        return array ? TYPE_RECORD_ARRAY : TYPE_RECORD;
    for (size_t i = 0; i < catalog->guard_count; i++) {
        const struct catalog_guard *guard = &catalog->guards[i];
        if (guard->row_type_oid != type_oid && guard->row_array_oid != type_oid)
            continue;
        const struct catalog_relation *base = catalog_find_oid(catalog, guard->base_oid);
        if (base == NULL)
            return type_oid;
        return guard->row_type_oid == type_oid ? base->row_type_oid : base->row_array_oid;
    }
    return type_oid;
}

static void put_u32(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

static enum status base_row_types(unsigned char *body, size_t len, const struct catalog *catalog,
                                  const struct temporary *temporary)
{
    struct wire_cursor cursor;
    wire_cursor_init(&cursor, body, len);
    uint16_t count = wire_get_u16(&cursor);
    for (uint16_t i = 0; i < count && !cursor.failed; i++) {
        struct wire_column column;
        wire_get_column(&cursor, &column);
        if (cursor.failed)
            break;
        /* Type OID, length (2), modifier (4), format (2) end the column. */
        unsigned char *type_at = body + (cursor.at - body) - 12;
        put_u32(type_at, base_row_type(catalog, temporary, column.type_oid));
    }
    return wire_end(&cursor);
}

enum status scrub_row_description(unsigned char *body, size_t len, const struct catalog *catalog,
                                  const struct temporary *temporary)
{
    enum status status = wire_rewrite_origins(body, len, base_origin, (void *)(uintptr_t)catalog);
    return status == OK ? base_row_types(body, len, catalog, temporary) : status;
}
