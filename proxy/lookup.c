/*
 * lookup.c: see lookup.h.
 *
 * Trust boundary: what is bound are constants that constants.h found, and only such as PostgreSQL
 * reads without an error: one would have its place in the text.
 */
#include "proxy/lookup.h"

#include "proxy/query.h"
#include "proxy/wire.h"

#include <limits.h>
#include <pgvigil/constants.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As JDBC's prepareThreshold: what is asked less often is not worth a place on the servers. */
#define RUNS_BEFORE 5
#define KEYS_MAX    32u
/* Longer ones stay in the text. */
#define VALUE_MAX 1000u

/* What the server owes. */
enum { OWES_PARSE = 1, OWES_BIND = 2, OWES_CLOSE = 4 };

struct lookup {
    struct statement_text text; /* with as many types as parameters */
    unsigned runs;              /* up to RUNS_BEFORE */
    uint32_t types[KEYS_MAX];
    unsigned char kinds[KEYS_MAX]; /* enum verdict_key */
    size_t keys[KEYS_MAX];         /* which of the constants they are */
    size_t marks[KEYS_MAX];        /* where they stand in it: byte offsets */
    char name[STATEMENT_SERVER_NAME];
};

struct lookup_values {
    const struct constant *constants; /* in the client's text */
    unsigned char *bytes;             /* as Bind has them: a length and the value, each */
    size_t len;
};

/* OIDs of PostgreSQL's own types (pg_type.dat). */
static uint32_t type_of(enum verdict_key key)
{
    static const uint32_t types[] = {
        [KEY_NONE] = 0,    [KEY_NUMBER] = 23, [KEY_SMALLINT] = 21, [KEY_INTEGER] = 23,
        [KEY_BIGINT] = 20, [KEY_UUID] = 2950, [KEY_TEXT] = 25};
    return types[key];
}

/* The verdict's text with $1, $2... */
static bool write_text(struct lookup *lookup, const struct statement *statement)
{
    const struct verdict *verdict = statement->verdict;
    struct statement_text *text = &lookup->text;
    struct buf out;
    buf_init(&out, 0);
    size_t from = 0;
    for (size_t i = 0; i < verdict->constant_count; i++) {
        if (verdict->keyed[i] == KEY_NONE)
            continue;
        size_t at = statement_sent_at(verdict, statement->constants[i].at);
        buf_append(&out, verdict->sql + from, at - from);
        lookup->keys[text->type_count] = i;
        lookup->kinds[text->type_count] = verdict->keyed[i];
        lookup->types[text->type_count] = type_of(verdict->keyed[i]);
        lookup->marks[text->type_count++] = buf_len(&out);
        buf_printf(&out, "$%zu", text->type_count);
        from = at + statement->constants[i].len;
    }
    buf_append(&out, verdict->sql + from, verdict->sql_len - from);
    text->types = lookup->types;
    text->len = buf_len(&out);
    text->sql = text_take(&out, statement->arena);
    return text->sql != NULL;
}

/* PostgreSQL says with each text that a name of 64 bytes or more is cut. Words and what stands in
 * double quotes; more than names are taken for long. */
static bool has_long_name(const char *sql, size_t len)
{
    size_t run = 0;
    bool quoted = false;
    for (size_t i = 0; i < len && run < 64; i++) {
        bool ends = quoted ? sql[i] == '"' : strchr(" \t\n\r(),;.=\"", sql[i]) != NULL;
        if (sql[i] == '"')
            quoted = !quoted;
        run = ends ? 0 : run + 1;
    }
    return run >= 64;
}

struct lookup *lookup_new(const struct statement *statement)
{
    const struct verdict *verdict = statement->verdict;
    if (verdict->keyed == NULL || verdict->keyed_count > KEYS_MAX)
        return NULL;
    struct lookup *lookup = arena_zalloc(statement->arena, 1, sizeof *lookup);
    bool made = lookup != NULL && write_text(lookup, statement) &&
                !dialect_has_strings(lookup->text.sql, lookup->text.len) &&
                !has_long_name(lookup->text.sql, lookup->text.len) &&
                statement_hash(statement, "pgl_", &lookup->text, lookup->name);
    return made ? lookup : NULL;
}

const char *lookup_text(const struct lookup *lookup, size_t *len)
{
    *len = lookup->text.len;
    return lookup->text.sql;
}

/* Its free constants stand in the text that is prepared as they are. */
static bool others_are_the_same(const struct statement *statement, const struct statement *origin,
                                const struct constants *constants)
{
    const struct verdict *verdict = origin->verdict;
    bool same = true;
    for (size_t i = 0; same && i < constants->count; i++) {
        const struct constant *mine = &constants->list[i];
        const struct constant *its = &origin->constants[i];
        same = verdict->keyed[i] != KEY_NONE ||
               (mine->len == its->len &&
                memcmp(statement->sql + mine->at, origin->sql + its->at, mine->len) == 0);
    }
    return same;
}

static bool all_digits(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && text[i] >= '0' && text[i] <= '9')
        i++;
    return len > 0 && i == len;
}

/* Between the quotes: can it be bound without an error? */
static bool is_of(enum verdict_key key, const char *text, size_t len)
{
    switch (key) {
    case KEY_SMALLINT:
        return len <= 4 && all_digits(text, len);
    case KEY_INTEGER:
        return len <= 9 && all_digits(text, len);
    case KEY_BIGINT:
        return len <= 18 && all_digits(text, len);
    case KEY_UUID:
        return text_is_uuid(text, len);
    case KEY_TEXT:
        return len <= VALUE_MAX;
    case KEY_NONE:
    case KEY_NUMBER:
        break;
    }
    return false;
}

/* What the constant stands for; false: it is to stay in the text. Quotes in it are doubled. */
static bool put_value(struct lookup_values *values, enum verdict_key key, const char *token,
                      size_t len)
{
    size_t from = key == KEY_NUMBER ? 0 : 1;
    if (key != KEY_NUMBER && !is_of(key, token + 1, len - 2))
        return false;
    unsigned char *out = values->bytes + values->len;
    size_t count = 0;
    for (size_t i = from; i < len - from; i++) {
        out[4 + count++] = (unsigned char)token[i];
        i += from == 1 && token[i] == '\'' ? 1 : 0;
    }
    out[0] = out[1] = 0;
    out[2] = (unsigned char)(count >> 8);
    out[3] = (unsigned char)count;
    values->len += 4 + count;
    return true;
}

void lookup_take(struct statement *statement, const struct statement *origin,
                 const struct constants *constants)
{
    struct lookup *lookup = origin->lookup;
    if (lookup == NULL || !others_are_the_same(statement, origin, constants))
        return;
    if (lookup->runs < RUNS_BEFORE) {
        lookup->runs++;
        return;
    }
    size_t room = 0;
    for (size_t i = 0; i < lookup->text.type_count; i++)
        room += 4u + constants->list[lookup->keys[i]].len;
    struct lookup_values *values = arena_zalloc(statement->arena, 1, sizeof *values);
    struct constant *list = arena_alloc(statement->arena, lookup->text.type_count * sizeof *list);
    unsigned char *bytes = arena_alloc(statement->arena, room);
    if (values == NULL || list == NULL || bytes == NULL)
        return;
    values->constants = list;
    values->bytes = bytes;
    for (size_t i = 0; i < lookup->text.type_count; i++) {
        list[i] = constants->list[lookup->keys[i]];
        if (!put_value(values, lookup->kinds[i], statement->sql + list[i].at, list[i].len))
            return;
    }
    statement->values = values;
    statement->lookup = lookup;
}

const struct constant *lookup_constants(const struct statement *statement)
{
    return statement->values->constants;
}

/* What a place costs to be prepared again is little against so many that go as texts. */
#define LOOKUP_PATIENCE 100U

/* ---- to the server ---- */

static void put_parse(struct buf *out, const struct lookup *lookup, const char *name)
{
    const struct statement_text *text = &lookup->text;
    wire_put_parse(out, name, text->sql, text->len, text->types, (uint16_t)text->type_count);
}

static void put_bind(struct buf *out, const struct statement *statement, const char *name)
{
    const struct wire_bind bind = {.portal = "",
                                   .statement = name,
                                   .value_count = (uint16_t)statement->lookup->text.type_count,
                                   .values = statement->values->bytes,
                                   .values_len = statement->values->len};
    wire_put_bind(out, &bind);
}

/* Places are a world's: what was prepared for an older one is not asked for any more. */
static bool has_place(const struct session *session)
{
    struct server *server = session->server;
    const unsigned places = session->worker->config->limits.prepared_lookups;
    if (server->lookups_world != session->world->id)
        server->lookups = server->lookups_missed = 0;
    server->lookups_world = session->world->id;
    if (server->lookups < places)
        return true;
    server->lookups_missed += places > 0 && server->lookups_missed < UINT_MAX ? 1 : 0;
    return false;
}

bool lookup_wants_places(const struct server *server)
{
    return server->lookups > 0 && server->lookups_missed / LOOKUP_PATIENCE >= server->lookups;
}

/*
 * Is its name known there, or may it be? A Parse that fails leaves nothing by the name, and what
 * was sent behind it by the name would fail with it, where as a text it might not: so nothing is
 * in flight when one is sent, and the name counts once it is answered.
 */
static bool is_prepared(const struct session *session, const char *name, bool *known)
{
    *known = map_get_str(session->server->prepared, name) != NULL;
    return *known || (has_place(session) && query_nothing_before(session));
}

bool lookup_send(struct session *session, const struct statement *statement,
                 struct request *request)
{
    struct server *server = session->server;
    char name[STATEMENT_SERVER_NAME] = "";
    bool known;
    /* What is judged for an older world than the worker's has no lookup (judging.c). */
    if (statement->values == NULL || request->more || session->script != NULL ||
        session->tx == 'E' || session->dialects.open ||
        session->worker->stale_world == session->world->id)
        return false;
    dialect_name(&session->dialects.now, statement->lookup->name, name);
    if (name[0] == '\0' || !is_prepared(session, name, &known))
        return false;
    if (!known) {
        request->name = strdup(name);
        if (request->name == NULL)
            return false;
        request->owes |= OWES_PARSE;
        put_parse(&server->out, statement->lookup, name);
    }
    request->lookup = true;
    request->owes |= OWES_BIND;
    put_bind(&server->out, statement, name);
    wire_put_describe(&server->out, 'P', "");
    wire_put_execute(&server->out, "", 0);
    /* An open portal keeps DDL from its tables; the end of a transaction closes it. */
    if (session->tx != 'I' || !query_nothing_before(session)) {
        request->owes |= OWES_CLOSE;
        wire_put_close(&server->out, 'P', "");
    }
    wire_put_sync(&server->out);
    meter_count(session->meter, FIGURE_LOOKUP);
    return true;
}

/* ---- from the server ---- */

enum status lookup_acknowledged(struct session *session, struct request *request,
                                unsigned char type)
{
    unsigned char answered = type == '1' ? OWES_PARSE : type == '2' ? OWES_BIND : OWES_CLOSE;
    /* In order. */
    if ((request->owes & answered) == 0 || (request->owes & (answered - 1u)) != 0)
        return ERR_PROTOCOL;
    request->owes = (unsigned char)(request->owes & ~answered);
    if (answered != OWES_PARSE)
        return OK;
    struct server *server = session->server;
    server->lookups++;
    return map_put_str(server->prepared, request->name, server);
}

void lookup_failed(struct request *request, const char **position, char room[LOOKUP_POSITION_BYTES])
{
    if (!request->lookup)
        return;
    const struct statement *statement = request->statement;
    const struct lookup *lookup = statement->lookup;
    request->owes = 0;
    if (*position == NULL)
        return;
    size_t there = (size_t)strtoul(*position, NULL, 10); /* in characters, from 1 */
    size_t here = there;
    for (size_t i = 0; i < lookup->text.type_count; i++) {
        const struct constant *value = &statement->values->constants[i];
        size_t len = i < 9 ? 2 : 3; /* $1 to $32 */
        if (there > text_characters(lookup->text.sql, lookup->marks[i]) + len)
            here = here - len + text_characters(statement->sql + value->at, value->len);
    }
    snprintf(room, LOOKUP_POSITION_BYTES, "%zu", here);
    *position = room;
}

enum status lookup_ready(const struct request *request)
{
    return request->owes != 0 && !request->failed ? ERR_PROTOCOL : OK;
}
