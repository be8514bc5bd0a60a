/*
 * temporary.c: a session's own temporary tables (see temporary.h).
 *
 * Attacks: a table made in one mission and read in another, by way of a savepoint that takes the
 * drop back; a table that a function has left on a shared connection; so many tables that the proxy
 * runs out of memory.
 *
 * Trust boundary: the answer is the server's. Names in it are the client's, and only ever compared.
 */
#include "proxy/temporary.h"

#include "proxy/session.h"

#include <stdlib.h>
#include <string.h>

#define RELATIONS_MAX 1000
#define COLUMNS_MAX   20000
#define LIST_BYTES    ((size_t)8 << 20)
#define ENDED_MAX     100000

/* OIDs below are PostgreSQL's own. */
#define FIRST_NORMAL_OID "16384"

struct temporary_list {
    struct arena *arena;
    struct catalog_relation *relations;
    size_t count, cap;
    struct catalog_column *columns; /* of the last relation, while the list is being read */
    size_t column_cap;
    size_t total; /* columns of all of them */
};

const char temporary_question[] =
    "SELECT c.oid, c.reltype, c.relkind, c.relname, a.attnum, a.attname, a.attgenerated <> '', "
    "a.atttypid >= " FIRST_NORMAL_OID ", "
    "(SELECT t.typarray FROM pg_catalog.pg_type t WHERE t.oid = c.reltype) "
    "FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_attribute a "
    "ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r' "
    "WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relname <> '" JUDGE_COPY_TABLE "' "
    "ORDER BY c.oid, a.attnum";

/* ---- lists ---- */

static struct temporary_list *list_new(void)
{
    struct temporary_list *list = calloc(1, sizeof *list);
    if (list != NULL)
        list->arena = arena_new(LIST_BYTES);
    if (list != NULL && list->arena == NULL) {
        free(list);
        list = NULL;
    }
    return list;
}

static void list_free(struct temporary_list *list)
{
    if (list == NULL)
        return;
    arena_free(list->arena);
    free(list);
}

static bool same_column(const struct catalog_column *a, const struct catalog_column *b)
{
    return a->attnum == b->attnum && a->generated == b->generated && a->operand == b->operand &&
           strcmp(a->name, b->name) == 0;
}

static bool same_relation(const struct catalog_relation *a, const struct catalog_relation *b)
{
    if (a->oid != b->oid || a->kind != b->kind || a->column_count != b->column_count ||
        strcmp(a->name, b->name) != 0)
        return false;
    for (size_t i = 0; i < a->column_count; i++)
        if (!same_column(&a->columns[i], &b->columns[i]))
            return false;
    return true;
}

/* What is judged by the one would be judged alike by the other. */
static bool same_list(const struct temporary_list *a, const struct temporary_list *b)
{
    size_t count = a == NULL ? 0 : a->count;
    if (count != (b == NULL ? 0 : b->count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!same_relation(&a->relations[i], &b->relations[i]))
            return false;
    return true;
}

const struct catalog_relation *temporary_relations(const struct temporary *temporary, size_t *count)
{
    bool usable = temporary->known != NULL && !temporary->ended;
    *count = usable ? temporary->known->count : 0;
    return usable ? temporary->known->relations : NULL;
}

bool temporary_row_type(const struct temporary *temporary, uint32_t oid, bool *array)
{
    for (size_t i = 0; oid != 0 && temporary->known != NULL && i < temporary->known->count; i++) {
        const struct catalog_relation *relation = &temporary->known->relations[i];
        *array = relation->row_array_oid == oid;
        if (relation->row_type_oid == oid || *array)
            return true;
    }
    return false;
}

/* ---- what happens ---- */

static void unanswered(struct temporary *temporary)
{
    list_free(temporary->reading);
    temporary->reading = NULL;
}

void temporary_gone(struct temporary *temporary)
{
    unanswered(temporary);
    list_free(temporary->known);
    free(temporary->ended_oids);
    *temporary = (struct temporary){.made = false};
}

void temporary_free(struct temporary *temporary)
{
    temporary_gone(temporary);
}

bool temporary_keeps(const struct temporary *temporary)
{
    return temporary->made;
}

bool temporary_unsettled(const struct temporary *temporary)
{
    return temporary->made && (temporary->stale || temporary->ended);
}

static bool makes(const struct statement *statement)
{
    const struct verdict *verdict = statement == NULL ? NULL : statement->verdict;
    for (size_t i = 0; verdict != NULL && i < verdict->statement_count; i++)
        if (verdict->statements[i].kind == STATEMENT_TEMPORARY)
            return true;
    return false;
}

void temporary_begin(struct session *session, const struct statement *statement)
{
    struct temporary *temporary = &session->temporary;
    if (temporary->cleaned || !makes(statement))
        return;
    temporary->made = true;
    temporary->ended = true;
}

/* May a statement other than those on temporary tables change them? */
static bool changes(const struct verdict_statement *one)
{
    /* A SELECT writes when it calls a function of the database's; what that does is its own. */
    return one->kind == STATEMENT_TEMPORARY || (one->kind == STATEMENT_SELECT && one->writes) ||
           (one->kind == STATEMENT_EXECUTE && one->writes);
}

static bool ends_something(enum statement_kind kind)
{
    return kind == STATEMENT_COMMIT || kind == STATEMENT_ROLLBACK || kind == STATEMENT_ROLLBACK_TO;
}

void temporary_sent(struct session *session, const struct statement *statement)
{
    struct temporary *temporary = &session->temporary;
    if (statement == NULL || session_unrestricted(session))
        return;
    if (makes(statement)) {
        temporary->made = true;
        session->server->had_temporary = true;
    }
    for (size_t i = 0; temporary->made && i < statement->verdict->statement_count; i++) {
        const struct verdict_statement *one = &statement->verdict->statements[i];
        if (changes(one))
            temporary->stale = temporary->open = true;
        else if (ends_something(one->kind) && temporary->open)
            temporary->stale = true;
    }
}

void temporary_failed(struct temporary *temporary)
{
    temporary->stale = temporary->stale || temporary->open;
}

void temporary_ready(struct temporary *temporary, unsigned char tx)
{
    if (tx != 'I' || !temporary->open)
        return;
    temporary->stale = true;
    temporary->open = false;
}

void temporary_end(struct temporary *temporary)
{
    temporary->ended = temporary->made;
}

/* ---- asking ---- */

static enum status start_relation(struct temporary_list *list, const struct catalog_relation *read)
{
    struct catalog_relation *grown =
        arena_grow(list->arena, list->relations, list->count, &list->cap, sizeof *grown);
    if (grown == NULL)
        return ERR_LIMIT;
    list->relations = grown;
    list->column_cap = 0;
    list->columns = arena_zalloc(list->arena, 1, sizeof *list->columns);
    struct catalog_relation *relation = &list->relations[list->count];
    *relation = *read;
    relation->name = arena_strdup(list->arena, read->name);
    relation->columns = list->columns;
    if (relation->name == NULL || list->columns == NULL || ++list->count > RELATIONS_MAX)
        return ERR_LIMIT;
    return OK;
}

static enum status add_column(struct temporary_list *list, const struct catalog_column *column)
{
    struct catalog_relation *relation = &list->relations[list->count - 1];
    struct catalog_column *grown =
        arena_grow(list->arena, relation->column_count == 0 ? NULL : list->columns,
                   relation->column_count, &list->column_cap, sizeof *grown);
    if (grown == NULL || ++list->total > COLUMNS_MAX)
        return ERR_LIMIT;
    list->columns = grown;
    grown[relation->column_count] = *column;
    grown[relation->column_count].name = arena_strdup(list->arena, column->name);
    if (grown[relation->column_count].name == NULL)
        return ERR_LIMIT;
    relation->columns = grown;
    relation->column_count++;
    return OK;
}

enum { OID, ROW_TYPE, KIND, NAME, ATTNUM, COLUMN, GENERATED, OPERAND, ROW_ARRAY, FIELDS };
#define VALUE_BYTES 64 /* names have at most 63 */

enum status temporary_row(struct temporary *temporary, const struct wire_message *message)
{
    char values[FIELDS][VALUE_BYTES] = {{0}};
    bool null[FIELDS] = {false};
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    if (wire_get_u16(&cursor) != FIELDS)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < FIELDS; i++) {
        int32_t len = 0;
        const unsigned char *value = wire_get_value(&cursor, &len);
        null[i] = len < 0;
        if (len >= VALUE_BYTES)
            return ERR_PROTOCOL;
        if (value != NULL && len > 0)
            memcpy(values[i], value, (size_t)len);
    }
    if (wire_end(&cursor) != OK)
        return ERR_PROTOCOL;
    if (temporary->reading == NULL && (temporary->reading = list_new()) == NULL)
        return ERR_MEMORY;
    struct temporary_list *list = temporary->reading;
    const struct catalog_relation relation = {
        .oid = (uint32_t)strtoul(values[OID], NULL, 10),
        .row_type_oid = (uint32_t)strtoul(values[ROW_TYPE], NULL, 10),
        .row_array_oid = (uint32_t)strtoul(values[ROW_ARRAY], NULL, 10),
        .kind = values[KIND][0],
        .schema = JUDGE_TEMPORARY_SCHEMA,
        .name = values[NAME],
        .parent = -1};
    enum status status = OK;
    if (list->count == 0 || list->relations[list->count - 1].oid != relation.oid)
        status = start_relation(list, &relation);
    if (status != OK || null[ATTNUM])
        return status;
    const struct catalog_column column = {.name = values[COLUMN],
                                          .attnum = (int16_t)strtol(values[ATTNUM], NULL, 10),
                                          .generated = values[GENERATED][0] == 't',
                                          .operand = values[OPERAND][0] == 't'};
    return add_column(list, &column);
}

static bool is_ended(const struct temporary *temporary, const struct temporary_list *list)
{
    for (size_t i = 0; list != NULL && i < list->count; i++)
        for (size_t k = 0; k < temporary->ended_count; k++)
            if (temporary->ended_oids[k] == list->relations[i].oid)
                return true;
    return false;
}

/* A savepoint may bring them back. */
static enum status remember_ended(struct temporary *temporary, const struct temporary_list *list)
{
    size_t count = list == NULL ? 0 : list->count;
    if (count == 0)
        return OK;
    if (temporary->ended_count + count > ENDED_MAX)
        return ERR_LIMIT;
    uint32_t *grown = realloc(temporary->ended_oids,
                              (temporary->ended_count + count) * sizeof *temporary->ended_oids);
    if (grown == NULL)
        return ERR_MEMORY;
    temporary->ended_oids = grown;
    for (size_t i = 0; i < count; i++)
        grown[temporary->ended_count++] = list->relations[i].oid;
    return OK;
}

enum status temporary_answered(struct session *session, bool discarded)
{
    struct temporary *temporary = &session->temporary;
    struct temporary_list *read = temporary->reading;
    bool within = session->tx != 'I' || session->group_forwarded;
    enum status status = OK;
    temporary->reading = NULL;
    if (discarded) {
        status = remember_ended(temporary, read);
        temporary->cleaned = true;
        temporary->ended = temporary->stale = false;
        temporary->open = temporary->open || within;
    } else {
        temporary->stale = false;
        temporary->ended = is_ended(temporary, read);
    }
    if (discarded || temporary->ended) {
        list_free(read);
        read = NULL;
    }
    bool same = same_list(temporary->known, read);
    list_free(temporary->known);
    temporary->known = read;
    if (!same)
        session_new_epoch(session);
    if (!within && !temporary->ended) {
        /* Nothing can come back. */
        temporary->ended_count = 0;
        temporary->made = read != NULL && read->count > 0;
    }
    return status;
}

void temporary_unanswered(struct temporary *temporary)
{
    unanswered(temporary);
    temporary->ahead = false;
}
