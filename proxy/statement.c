/*
 * statement.c: judged texts and a session's names for them (see statement.h).
 *
 * Names come from the client and are only ever keys here; what the server is told is pgvigil's own
 * name, so a client cannot reach a statement that was prepared for someone else on a shared server
 * connection.
 */
#include "proxy/statement.h"

#include "proxy/lookup.h"
#include "proxy/reload.h"
#include "proxy/subjects.h"
#include "proxy/use.h"

#include <openssl/evp.h>
#include <pgvigil/arena.h>
#include <pgvigil/constants.h>
#include <pgvigil/map.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* A client that prepares without end is told so before it fills the memory. */
#define STATEMENTS_MAX 10000
#define PORTALS_MAX    1000
/* Error texts and the like of one run. */
#define AGAIN_BYTES ((size_t)16 << 20)

/* Each simple query makes a statement and ends it: these are used again, memory and arena. */
#define SPARE_BYTES ((size_t)2048) /* of an arena's first chunk; longer texts have more chunks */
#ifdef ARENA_ASAN
#define SPARES_MAX 0 /* one that is used after its end is seen */
#else
#define SPARES_MAX 32
#endif

/* SPARE_EMPTY: its arena has no chunk, and it may stay with an idle session. SPARE_ROOM: of
 * SPARE_BYTES. */
enum spare { SPARE_NO = 0, SPARE_EMPTY, SPARE_ROOM, SPARE_KINDS };

struct spares {
    struct statement *first; /* of a list, by `origin` */
    int count;
};
static _Thread_local struct spares spares[SPARE_KINDS];

struct portal {
    struct statement *statement;
    struct portal_rows *rows;
    struct uses *uses;
    uint64_t group;
};

struct statements {
    struct map *named; /* NULL: there has been none, as the next */
    struct map *portals;
    struct statement *unnamed;
    struct portal unnamed_portal;
};

struct statement *statement_new(const char *name, const char *sql, size_t len,
                                const uint32_t *types, size_t type_count, size_t limit)
{
    struct arena *arena = arena_new(limit);
    if (arena == NULL)
        return NULL;
    struct statement *statement = calloc(1, sizeof *statement);
    uint32_t *own_types = arena_zalloc(arena, type_count + 1, sizeof *own_types);
    char *own_sql = arena_strndup(arena, sql, len);
    char *own_name = arena_strdup(arena, name);
    if (statement == NULL || own_types == NULL || own_sql == NULL || own_name == NULL) {
        free(statement);
        arena_free(arena);
        return NULL;
    }
    if (type_count > 0)
        memcpy(own_types, types, type_count * sizeof *types);
    statement->refs = 1;
    statement->arena = arena;
    statement->name = own_name;
    statement->sql = own_sql;
    statement->len = len;
    statement->types = own_types;
    statement->type_count = type_count;
    return statement;
}

static void free_memory(struct statement *statement)
{
    arena_free(statement->arena);
    free(statement);
}

/* All zeros but for its arena; NULL: out of memory. */
static struct statement *take_memory(enum spare kind)
{
    struct spares *kept = &spares[kind];
    struct statement *statement = kept->first;
    struct arena *arena;
    if (statement != NULL) {
        arena = statement->arena;
        kept->first = statement->origin;
        kept->count--;
        memset(statement, 0, sizeof *statement);
    } else {
        statement = calloc(1, sizeof *statement);
        arena =
            kind == SPARE_ROOM ? arena_new_of(AGAIN_BYTES, SPARE_BYTES) : arena_new(AGAIN_BYTES);
        if (statement == NULL || arena == NULL) {
            arena_free(arena);
            free(statement);
            return NULL;
        }
    }
    statement->arena = arena;
    statement->spare = kind;
    return statement;
}

/* Nothing in it is held any more. */
static void give_memory(struct statement *statement)
{
    struct spares *kept = &spares[statement->spare];
    bool used = statement->spare == SPARE_EMPTY && arena_size(statement->arena) > 0;
    if (statement->spare == SPARE_NO || used || kept->count >= SPARES_MAX) {
        free_memory(statement);
        return;
    }
    arena_reset(statement->arena);
    statement->origin = kept->first;
    kept->first = statement;
    kept->count++;
}

void statement_free_spares(void)
{
    for (int kind = SPARE_NO; kind < SPARE_KINDS; kind++) {
        struct statement *statement;
        while ((statement = spares[kind].first) != NULL) {
            spares[kind].first = statement->origin;
            free_memory(statement);
        }
        spares[kind].count = 0;
    }
}

static void set_again(struct statement *statement, struct statement *from, const char *name)
{
    statement->refs = 1;
    statement->origin = statement_ref(from->origin == NULL ? from : from->origin);
    statement->world = from->world;
    statement->name = name;
    statement->sql = from->sql;
    statement->len = from->len;
    statement->types = from->types;
    statement->type_count = from->type_count;
    statement->verdict = from->verdict;
}

struct statement *statement_again(struct statement *from, const char *name)
{
    struct statement *statement = take_memory(name[0] == '\0' ? SPARE_EMPTY : SPARE_NO);
    if (statement == NULL)
        return NULL;
    const char *own_name = name[0] == '\0' ? "" : arena_strdup(statement->arena, name);
    if (own_name == NULL) {
        free_memory(statement);
        return NULL;
    }
    set_again(statement, from, own_name);
    return statement;
}

size_t statement_sent_at(const struct verdict *verdict, size_t at)
{
    size_t sent = at;
    for (size_t i = 0; i < verdict->edit_count && verdict->edits[i].at < at; i++)
        sent = sent - verdict->edits[i].removed + verdict->edits[i].inserted;
    return sent;
}

/* The text that is sent for `from`, with the constants of another text in it. Those that are not
 * free are the same, and may be in what an edit takes out. */
static char *fill(const struct statement *from, const char *sql, const struct constants *constants,
                  struct arena *arena, size_t *len)
{
    const struct verdict *verdict = from->verdict;
    const struct constant *old = from->constants;
    size_t size = verdict->sql_len;
    for (size_t i = 0; i < constants->count; i++)
        size = size - old[i].len + constants->list[i].len;
    char *text = arena_alloc(arena, size + 1);
    if (text == NULL)
        return NULL;
    size_t out = 0;
    size_t at = 0;
    for (size_t i = 0; i < constants->count; i++) {
        if (!verdict->constants[i])
            continue;
        size_t place = statement_sent_at(verdict, old[i].at);
        memcpy(text + out, verdict->sql + at, place - at);
        out += place - at;
        memcpy(text + out, sql + constants->list[i].at, constants->list[i].len);
        out += constants->list[i].len;
        at = place + old[i].len;
    }
    memcpy(text + out, verdict->sql + at, verdict->sql_len - at);
    text[size] = '\0';
    *len = size;
    return text;
}

/* Edits and the statement's own length move with the constants before them. */
static bool move(const struct statement *from, const struct constants *constants,
                 struct arena *arena, struct verdict *to)
{
    const struct verdict *verdict = from->verdict;
    struct verdict_edit *edits = arena_zalloc(arena, verdict->edit_count + 1, sizeof *edits);
    struct verdict_statement *one = arena_alloc(arena, sizeof *one);
    if (edits == NULL || one == NULL)
        return false;
    size_t next = 0;
    size_t moved = 0; /* modulo 2^64 */
    for (size_t i = 0; i < verdict->edit_count; i++) {
        for (; next < constants->count && from->constants[next].at < verdict->edits[i].at; next++)
            moved += (size_t)constants->list[next].len - from->constants[next].len;
        edits[i] = verdict->edits[i];
        edits[i].at += moved;
    }
    for (; next < constants->count; next++)
        moved += (size_t)constants->list[next].len - from->constants[next].len;
    *one = verdict->statements[0];
    one->len += moved;
    to->edits = edits;
    to->statements = one;
    return true;
}

bool statement_keep_constants(struct statement *statement, const struct constants *constants)
{
    struct constant *list = arena_zalloc(statement->arena, constants->count, sizeof *list);
    if (list == NULL)
        return false;
    memcpy(list, constants->list, constants->count * sizeof *list);
    statement->constants = list;
    statement->lookup = lookup_new(statement);
    return true;
}

struct statement *statement_alike(struct statement *from, const char *sql, size_t len,
                                  const struct constants *constants)
{
    struct statement *statement = take_memory(SPARE_ROOM);
    if (statement == NULL)
        return NULL;
    set_again(statement, from, "");
    struct arena *arena = statement->arena;
    struct verdict *verdict = arena_alloc(arena, sizeof *verdict);
    char *text = arena_strndup(arena, sql, len);
    if (verdict != NULL && text != NULL) {
        *verdict = *from->verdict;
        verdict->sql = fill(from, sql, constants, arena, &verdict->sql_len);
        if (verdict->sql != NULL && move(from, constants, arena, verdict)) {
            statement->verdict = verdict;
            statement->sql = text;
            statement->len = len;
            lookup_take(statement, from, constants);
            return statement;
        }
    }
    statement_unref(statement);
    return NULL;
}

const struct verdict_statement *statement_at(const struct statement *statement, size_t index)
{
    const struct verdict *verdict = statement == NULL ? NULL : statement->verdict;
    return verdict == NULL || index >= verdict->statement_count ? NULL
                                                                : &verdict->statements[index];
}

bool statement_same(const struct statement *a, const struct statement *b)
{
    return a != NULL && b != NULL && a->verdict == b->verdict;
}

struct statement *statement_ref(struct statement *statement)
{
    if (statement != NULL)
        statement->refs++;
    return statement;
}

void statement_unref(struct statement *statement)
{
    if (statement == NULL || --statement->refs > 0)
        return;
    for (size_t i = 0; i < statement->execute_count; i++)
        statement_unref(statement->executes[i]);
    free((void *)statement->executes);
    if (statement->origin == NULL)
        world_unref(statement->world);
    statement_unref(statement->origin);
    give_memory(statement);
}

bool statement_hash(const struct statement *statement, const char *kind,
                    const struct statement_text *text, char out[STATEMENT_SERVER_NAME])
{
    const uint64_t world = statement->world == NULL ? 0 : statement->world->id;
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done =
        context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(context, text->types, text->type_count * sizeof *text->types) == 1 &&
        EVP_DigestUpdate(context, "/", 1) == 1 &&
        EVP_DigestUpdate(context, &world, sizeof world) == 1 &&
        EVP_DigestUpdate(context, text->sql, text->len) == 1 &&
        EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!done)
        return false;
    memcpy(out, kind, 4);
    text_hex(digest, 16, out + 4);
    return true;
}

/* Unnamed upstream where it fails, and prepared again at each Bind, which is slow but right. */
void statement_name_upstream(struct statement *statement)
{
    statement->server_name[0] = '\0';
    if (statement->name[0] == '\0' || statement->local)
        return;
    struct statement *origin = statement->origin;
    struct statement *judged = statement_same(origin, statement) ? origin : statement;
    const struct statement_text text = {.sql = judged->verdict->sql,
                                        .len = judged->verdict->sql_len,
                                        .types = judged->types,
                                        .type_count = judged->type_count};
    if (judged->hashed_name[0] != '\0' ||
        statement_hash(judged, "pgv_", &text, judged->hashed_name))
        dialect_name(&statement->dialect, judged->hashed_name, statement->server_name);
}

void statement_take_dialect(struct statement *statement, const struct dialect *dialect)
{
    if (dialect_same(&statement->dialect, dialect))
        return;
    statement->dialect = *dialect;
    statement_name_upstream(statement);
}

void statement_rename_upstream(struct statement *statement, const struct statement *before)
{
    const struct verdict *now = statement->verdict;
    const struct verdict *then = before->verdict;
    bool same = !statement->local && before->server_name[0] != '\0' &&
                now->sql_len == then->sql_len && memcmp(now->sql, then->sql, now->sql_len) == 0;
    statement->dialect = before->dialect;
    if (same)
        memcpy(statement->server_name, before->server_name, sizeof statement->server_name);
    else
        statement_name_upstream(statement);
}

/* The first name makes them. */
static bool have(struct statements **statements)
{
    if (*statements == NULL)
        *statements = calloc(1, sizeof **statements);
    return *statements != NULL;
}

static bool put(struct map **map, const char *name, void *value)
{
    if (*map == NULL)
        *map = map_new();
    return *map != NULL && map_put_str(*map, name, value) == OK;
}

struct portal_rows *portal_rows_ref(struct portal_rows *rows)
{
    if (rows != NULL)
        rows->refs++;
    return rows;
}

void portal_rows_unref(struct portal_rows *rows)
{
    if (rows == NULL || --rows->refs > 0)
        return;
    subjects_free(rows->named);
    free(rows);
}

static struct portal_rows *portal_rows_new(void)
{
    struct portal_rows *rows = calloc(1, sizeof *rows);
    return portal_rows_ref(rows);
}

static void portal_free(struct portal *portal)
{
    portal_rows_unref(portal->rows);
    statement_unref(portal->statement);
    uses_unref(portal->uses);
    free(portal);
}

void statements_free(struct statements *statements)
{
    if (statements == NULL)
        return;
    statements_clear(statements);
    statements_end_portals(statements, UINT64_MAX);
    map_free(statements->named);
    map_free(statements->portals);
    free(statements);
}

void statements_clear(struct statements *statements)
{
    if (statements == NULL)
        return;
    size_t cursor = 0;
    const char *key;
    size_t key_len;
    void *value;
    while (map_next(statements->named, &cursor, &key, &key_len, &value))
        statement_unref(value);
    map_clear(statements->named);
    statement_unref(statements->unnamed);
    statements->unnamed = NULL;
}

struct statement *statements_find(const struct statements *statements, const char *name)
{
    if (statements == NULL)
        return NULL;
    return name[0] == '\0' ? statements->unnamed : map_get_str(statements->named, name);
}

enum status statements_put(struct statements **place, struct statement *statement)
{
    if (!have(place))
        return ERR_MEMORY;
    struct statements *statements = *place;
    if (statement->name[0] == '\0') {
        statement_ref(statement);
        statement_unref(statements->unnamed);
        statements->unnamed = statement;
        return OK;
    }
    struct statement *old = map_get_str(statements->named, statement->name);
    if (old == NULL && map_count(statements->named) >= STATEMENTS_MAX)
        return ERR_LIMIT;
    if (!put(&statements->named, statement->name, statement))
        return ERR_MEMORY;
    statement_ref(statement);
    statement_unref(old);
    return OK;
}

void statements_remove(struct statements *statements, const char *name)
{
    if (statements == NULL)
        return;
    if (name[0] == '\0') {
        statement_unref(statements->unnamed);
        statements->unnamed = NULL;
        return;
    }
    statement_unref(map_remove_str(statements->named, name));
}

bool statements_on_server(const struct statements *statements, struct map *names)
{
    size_t cursor = 0;
    const char *name;
    size_t len;
    void *value;
    while (statements != NULL && map_next(statements->named, &cursor, &name, &len, &value)) {
        struct statement *statement = value;
        if (statement->server_name[0] != '\0' &&
            map_put_str(names, statement->server_name, statement) != OK)
            return false;
    }
    return true;
}

enum status statements_bind(struct statements **place, const char *name, uint64_t group,
                            struct statement *statement, struct subjects *named)
{
    struct portal_rows *rows = have(place) ? portal_rows_new() : NULL;
    if (rows == NULL)
        return ERR_MEMORY;
    struct statements *statements = *place;
    if (name[0] == '\0') {
        statement_ref(statement);
        statements_close_portal(statements, "");
        statements->unnamed_portal =
            (struct portal){.statement = statement, .rows = rows, .group = group};
        rows->named = named;
        return OK;
    }
    struct portal *portal =
        map_count(statements->portals) < PORTALS_MAX ? calloc(1, sizeof *portal) : NULL;
    if (portal == NULL) {
        portal_rows_unref(rows);
        return map_count(statements->portals) < PORTALS_MAX ? ERR_MEMORY : ERR_LIMIT;
    }
    *portal = (struct portal){.statement = statement_ref(statement), .rows = rows, .group = group};
    struct portal *old = map_get_str(statements->portals, name);
    if (!put(&statements->portals, name, portal)) {
        portal_free(portal);
        return ERR_MEMORY;
    }
    if (old != NULL)
        portal_free(old);
    rows->named = named;
    return OK;
}

static const struct portal *find_portal(const struct statements *statements, const char *name)
{
    if (statements == NULL)
        return NULL;
    return name[0] == '\0' ? &statements->unnamed_portal : map_get_str(statements->portals, name);
}

struct statement *statements_portal(const struct statements *statements, const char *name)
{
    const struct portal *portal = find_portal(statements, name);
    return portal == NULL ? NULL : portal->statement;
}

bool statements_portal_of_group(const struct statements *statements, const char *name,
                                uint64_t group)
{
    const struct portal *portal = find_portal(statements, name);
    return portal != NULL && portal->statement != NULL && portal->group == group;
}

void statements_close_portal(struct statements *statements, const char *name)
{
    if (statements == NULL)
        return;
    if (name[0] == '\0') {
        statement_unref(statements->unnamed_portal.statement);
        portal_rows_unref(statements->unnamed_portal.rows);
        uses_unref(statements->unnamed_portal.uses);
        statements->unnamed_portal = (struct portal){.statement = NULL};
        return;
    }
    struct portal *portal = map_remove_str(statements->portals, name);
    if (portal != NULL)
        portal_free(portal);
}

struct portal_rows *statements_portal_rows(struct statements *statements, const char *name)
{
    const struct portal *portal = find_portal(statements, name);
    return portal == NULL ? NULL : portal->rows;
}

struct uses *statements_portal_uses(struct statements *statements, const char *name)
{
    const struct portal *portal = find_portal(statements, name);
    return portal == NULL ? NULL : portal->uses;
}

void statements_keep_uses(struct statements *statements, const char *name, struct uses *uses)
{
    struct portal *portal = (struct portal *)find_portal(statements, name); /* it is ours */
    if (portal == NULL || portal->statement == NULL)
        return;
    uses_ref(uses);
    uses_unref(portal->uses);
    portal->uses = uses;
}

/* Drops one portal that is due; false when there is none (a map must not change during a walk). */
static bool end_one_portal(struct statements *statements, uint64_t group)
{
    size_t cursor = 0;
    const char *key;
    size_t key_len;
    void *value;
    while (map_next(statements->portals, &cursor, &key, &key_len, &value)) {
        struct portal *portal = value;
        if (portal->group > group)
            continue;
        map_remove(statements->portals, key, key_len);
        portal_free(portal);
        return true;
    }
    return false;
}

void statements_end_portals(struct statements *statements, uint64_t group)
{
    if (statements == NULL)
        return;
    if (statements->unnamed_portal.statement != NULL && statements->unnamed_portal.group <= group)
        statements_close_portal(statements, "");
    while (map_count(statements->portals) > 0 && end_one_portal(statements, group))
        continue;
}
