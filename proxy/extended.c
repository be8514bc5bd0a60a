/*
 * extended.c: Parse, Bind, Describe, Execute, Close, Sync, Flush.
 *
 * Names of prepared statements are the session's; a shared server connection knows their texts by
 * pgvigil's own names, so a client reaches only what was judged for it. A statement that the server
 * at hand lacks is prepared there ahead of its use. What was judged under another role, mission,
 * path, identity or policy is judged again before it is bound.
 *
 * Trust boundary: as query.c.
 */
#include "proxy/ddl.h"
#include "proxy/query.h"

#include "proxy/command.h"
#include "proxy/mission_limits.h"
#include "proxy/named.h"
#include "proxy/person.h"
#include "proxy/prepared.h"
#include "proxy/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARSE_TYPES_MAX 65535
#define NAME_BYTES_MAX  63

static enum status refuse(struct session *session, const struct statement *statement,
                          const struct refusal *refusal, bool record)
{
    if (record && result_audit_refusal(session, statement, refusal) != OK)
        return ERR_AUDIT;
    return query_refuse(session, refusal, true);
}

static enum status refuse_name(struct session *session, const char *sqlstate, const char *what,
                               const char *name, const char *how)
{
    char message[256];
    if (name[0] == '\0')
        snprintf(message, sizeof message, "unnamed %s %s", what, how);
    else
        snprintf(message, sizeof message, "%s \"%s\" %s", what, name, how);
    const struct refusal refusal = {.sqlstate = sqlstate, .message = message};
    return query_refuse(session, &refusal, true);
}

/*
 * PostgreSQL tells names apart by their first 63 bytes. The attack: of two portals whose names
 * differ behind that, one is bound, closed by a third such name and bound again as the other; it
 * would run under the first one's record.
 */
static bool too_long(const char *name)
{
    return strlen(name) > NAME_BYTES_MAX;
}

static enum status refuse_long(struct session *session)
{
    const struct refusal refusal = {
        .sqlstate = "42622",
        .message = "the name of a prepared statement or portal is longer than 63 bytes",
        .hint = "PostgreSQL would cut it off, and could not tell it from others."};
    return query_refuse(session, &refusal, true);
}

static enum status refuse_aborted(struct session *session)
{
    const struct refusal refusal = {
        .sqlstate = "25P02",
        .message = "current transaction is aborted, commands ignored until end of "
                   "transaction block"};
    return query_refuse(session, &refusal, true);
}

static struct request *forward(struct session *session, enum request_kind kind,
                               struct statement *statement)
{
    struct request *request = requests_add(&session->requests, kind);
    if (request == NULL)
        return NULL;
    request->in_group = true;
    request->group = session->group;
    request->statement = statement_ref(statement);
    request->started = clock_microseconds();
    session->group_forwarded = true;
    worker_touch_server(session->worker, session->server);
    return request;
}

/* The same for what makes or ends a portal. */
static struct request *forward_named(struct session *session, enum request_kind kind,
                                     struct statement *statement, const char *portal)
{
    struct request *request = forward(session, kind, statement);
    if (request == NULL || portal[0] == '\0')
        return request;
    request->name = strdup(portal);
    return request->name == NULL ? NULL : request;
}

/* ---- what the server at hand has prepared ---- */

static const char *upstream_name(const struct statement *statement)
{
    return statement->names_own ? statement->name : statement->server_name;
}

/*
 * Whether the server knows this text, and no other, by its name when a message sent now is read. A
 * Parse in flight from an earlier group may be skipped there after an error, which would leave the
 * text before it: a client would run that one under this one's verdict and record. In the same
 * group the message sent now would be skipped as well.
 */
static bool parse_settled(const struct session *session, const struct statement *statement)
{
    return statement->parsing == 0 || statement->parse_group == session->group;
}

bool extended_is_prepared(const struct session *session, const struct statement *statement)
{
    const struct server *server = session->server;
    /* An unrestricted session has a server of its own, where DEALLOCATE and PREPARE are the
     * client's: PostgreSQL knows best what is there. */
    if (statement->names_own)
        return true;
    const char *name = upstream_name(statement);
    if (name[0] == '\0')
        return statement_same(server->unnamed, statement) &&
               dialect_same(&server->unnamed_dialect, &statement->dialect) &&
               parse_settled(session, server->unnamed);
    return map_get_str(server->prepared, name) != NULL;
}

enum status extended_send_parse(struct session *session, struct statement *statement, bool own)
{
    struct server *server = session->server;
    const char *name = upstream_name(statement);
    struct request *request = forward(session, REQUEST_PARSE, statement);
    if (request == NULL)
        return ERR_MEMORY;
    request->own = own;
    statement->parsing++;
    statement->parse_group = session->group;
    wire_put_parse(&server->out, name, statement->verdict->sql, statement->verdict->sql_len,
                   statement->types, (uint16_t)statement->type_count);
    if (statement->names_own)
        return OK;
    if (name[0] == '\0') {
        server_forget_unnamed(server);
        server->unnamed = statement_ref(statement);
        server->unnamed_dialect = session->dialects.now;
        return OK;
    }
    return map_put_str(server->prepared, name, server);
}

/* A Parse that gave the server this name is in flight from an earlier group: an error there would
 * have it skipped, and nothing known by the name. */
bool extended_in_doubt(const struct session *session, const struct statement *statement)
{
    const char *name = upstream_name(statement);
    const struct request *request;
    if (session->requests.parses == 0 || statement->names_own || name[0] == '\0')
        return false;
    TAILQ_FOREACH(request, &session->requests.list, link)
    {
        if (request->kind == REQUEST_PARSE && request->group != session->group &&
            request->statement != NULL && strcmp(upstream_name(request->statement), name) == 0)
            return true;
    }
    return false;
}

void extended_note_reread(const struct session *session, const struct statement *statement)
{
    if (!statement->names_own && !dialect_same(&statement->dialect, &session->dialects.now))
        session->server->reread = true;
}

/* OK; NEED_MORE: what is in flight must be answered first. */
static enum status ensure_prepared(struct session *session, struct statement *statement)
{
    enum status status = OK;
    for (size_t i = 0; i < statement->execute_count && status == OK; i++)
        status = ensure_prepared(session, statement->executes[i]); /* these execute nothing */
    if (status != OK)
        return status;
    if (extended_in_doubt(session, statement))
        return query_drain(session);
    extended_note_reread(session, statement);
    return extended_is_prepared(session, statement) ? OK
                                                    : extended_send_parse(session, statement, true);
}

/* A group that begins with BEGIN has more behind it, which may not go before the answer. */
static enum ahead ahead_of(const struct statement *statement)
{
    return query_is_plain(statement) ? AHEAD_SHARED : AHEAD_NEVER;
}

/* ---- Parse ---- */

static void parse_types(const struct wire_parse *parse, uint32_t *types)
{
    struct wire_cursor cursor;
    wire_cursor_init(&cursor, parse->types, (size_t)parse->type_count * 4);
    for (size_t i = 0; i < parse->type_count; i++)
        types[i] = wire_get_u32(&cursor);
}

static enum status judge_parse(struct session *session, const struct wire_parse *parse)
{
    uint32_t few[16];
    bool are_few = parse->type_count <= sizeof few / sizeof *few;
    uint32_t *types = are_few ? few : calloc(parse->type_count, sizeof *types);
    if (types == NULL)
        return ERR_MEMORY;
    struct refusal refusal;
    struct statement *statement = NULL;
    parse_types(parse, types);
    struct statement_source source = {.name = parse->statement,
                                      .sql = parse->sql,
                                      .len = parse->sql_len,
                                      .types = types,
                                      .type_count = parse->type_count,
                                      .extended = true};
    enum status status = query_judge(session, &source, &statement, &refusal);
    if (!are_few)
        free(types);
    if (status == DENIED)
        status = refuse(session, statement, &refusal, true);
    else if (status == OK) {
        statement_name_upstream(statement);
        session->pending = statement;
        return OK;
    }
    statement_unref(statement);
    return status;
}

static bool ends_transaction(const struct statement *statement)
{
    return statement->verdict->statement_count > 0 &&
           query_goes_back(statement->verdict->statements[0].kind);
}

static enum status answer_complete(struct session *session, void (*put)(struct buf *out))
{
    struct buf out;
    buf_init(&out, 0);
    put(&out);
    enum status status = query_answer(session, &out, false);
    buf_free(&out);
    return status;
}

/* An answer of ours that waits behind others: should one of its group fail, the server would have
 * skipped the message, and the names must be as they were. */
static void can_be_undone(struct session *session, struct statement *added,
                          struct statement *displaced)
{
    struct request *last = TAILQ_LAST(&session->requests.list, request_list);
    if (last == NULL || last->kind != REQUEST_LOCAL)
        return; /* it is given, and what pgvigil asks on its own account may be in flight */
    last->statement = statement_ref(added);
    last->displaced = statement_ref(displaced);
}

/* Before a message about one of pgvigil's own statements is answered: in a failed block PostgreSQL
 * refuses it. OK; NEED_MORE; DENIED: the error was given. */
static enum status settle_local(struct session *session)
{
    enum status status = query_drain(session);
    if (status != OK || !session->transaction.block || !session->transaction.aborted)
        return status;
    status = refuse_aborted(session);
    return status == OK ? DENIED : status;
}

static enum status parse_local(struct session *session, struct statement *statement)
{
    struct statement *displaced =
        statement_ref(statements_find(session->statements, statement->name));
    enum status status = statements_put(&session->statements, statement);
    if (status == OK)
        status = answer_complete(session, wire_put_parse_complete);
    if (status == OK)
        can_be_undone(session, statement, displaced);
    statement_unref(displaced);
    return status;
}

enum status extended_parse(struct session *session, const struct wire_message *message)
{
    struct wire_parse parse;
    if (wire_parse_parse(message, &parse) != OK)
        return ERR_PROTOCOL;
    if (too_long(parse.statement))
        return refuse_long(session);
    query_drop_stale(session);
    if (session->pending == NULL) {
        if (parse.statement[0] != '\0' && !session_unrestricted(session) &&
            statements_find(session->statements, parse.statement) != NULL)
            return refuse_name(session, "42P05", "prepared statement", parse.statement,
                               "already exists");
        enum status status = judge_parse(session, &parse);
        if (status != OK || session->pending == NULL)
            return status;
    }
    struct statement *statement = session->pending;
    if (statement->local) {
        enum status status = settle_local(session);
        if (status == DENIED)
            return OK;
        return status == OK ? parse_local(session, statement) : status;
    }
    struct refusal refusal;
    enum status status = query_need_server(session, ahead_of(statement), &refusal);
    if (status == DENIED)
        return refuse(session, statement, &refusal, false);
    if (status != OK)
        return status;
    statement_take_dialect(statement, &session->dialects.now);
    bool known = !statement->names_own && extended_is_prepared(session, statement);
    /* In a failed block PostgreSQL would refuse to parse; what is prepared already must not say
     * otherwise, and what is not answered yet may tell. */
    const struct request *head = requests_head(&session->requests);
    bool aborted = session->transaction.block && session->transaction.aborted;
    if (known && head != NULL && (aborted || head->group != session->group))
        return query_drain(session);
    if (known && aborted && statement->verdict->statement_count > 0 && !ends_transaction(statement))
        return refuse_aborted(session);
    if (known)
        return parse_local(session, statement);
    status = extended_send_parse(session, statement, false);
    if (status != OK)
        return status;
    TAILQ_LAST(&session->requests.list, request_list)->displaced =
        statement_ref(statements_find(session->statements, statement->name));
    return statements_put(&session->statements, statement);
}

/* ---- Bind ---- */

/* A statement by name, judged for the session as it is now. OK with *found NULL: unrestricted and
 * not known here. DENIED: the error was given. */
static enum status current_statement(struct session *session, const char *name,
                                     struct statement **found)
{
    struct statement *statement = statements_find(session->statements, name);
    *found = statement;
    if (statement == NULL) {
        if (session_observed(session) || (session_unrestricted(session) && name[0] != '\0'))
            return OK;
        enum status status =
            refuse_name(session, "26000", "prepared statement", name, "does not exist");
        return status == OK ? DENIED : status;
    }
    if (statement->epoch == session->epoch && prepared_is_current(session, statement))
        return OK;
    struct refusal refusal;
    struct statement *again = NULL;
    enum status status = prepared_judge_again(session, statement, &again, &refusal);
    if (status == DENIED)
        status = refuse(session, again, &refusal, true) == OK ? DENIED : ERR_MEMORY;
    if (status == OK)
        *found = statements_find(session->statements, name);
    statement_unref(again);
    return status;
}

/* Whose rows it gives: of EXECUTE those of what it runs, of FETCH those of the cursor or portal; or
 * NULL: none. */
static const struct verdict_statement *runs(const struct session *session,
                                            const struct statement *statement)
{
    const struct verdict_statement *one = statement_at(statement, 0);
    if (one == NULL || one->target == NULL)
        return one;
    if (one->kind == STATEMENT_EXECUTE)
        return statement_at(statements_find(session->statements, one->target), 0);
    if (one->kind != STATEMENT_FETCH)
        return one->kind == STATEMENT_DECLARE ? NULL : one;
    const struct cursor *cursor = cursors_find(session->cursors, one->target);
    return cursor != NULL ? statement_at(cursor->statement, cursor->index)
                          : statement_at(statements_portal(session->statements, one->target), 0);
}

/* Formats that are given one by one are given for the subjects in front, too. Where the client
 * knows of no rows PostgreSQL takes any number of formats. */
static enum status put_bind(struct session *session, const struct statement *statement,
                            struct wire_bind *bind)
{
    const struct verdict_statement *one = runs(session, statement);
    size_t subjects = one == NULL ? 0 : one->subjects;
    struct buf formats;
    buf_init(&formats, 0);
    if (subjects > 0 && one->subjects_only)
        bind->result_format_count = 0;
    if (subjects > 0 && bind->result_format_count > 1) {
        if (bind->result_format_count + subjects > UINT16_MAX)
            return ERR_PROTOCOL;
        for (size_t i = 0; i < subjects; i++)
            buf_u16(&formats, 0);
        buf_append(&formats, bind->result_formats, (size_t)bind->result_format_count * 2);
        bind->result_formats = buf_head(&formats);
        bind->result_format_count = (uint16_t)(bind->result_format_count + subjects);
    }
    if (!formats.failed)
        wire_put_bind(&session->server->out, bind);
    enum status status = formats.failed ? ERR_MEMORY : OK;
    buf_free(&formats);
    return status;
}

static enum status bind_portal(struct session *session, struct statement *statement,
                               const struct wire_bind *bind)
{
    struct subjects *named = NULL;
    enum status status = named_bound(statement, bind, &named);
    if (status == OK)
        status =
            statements_bind(&session->statements, bind->portal, session->group, statement, named);
    if (status != OK)
        subjects_free(named);
    return status;
}

static enum status bind_upstream(struct session *session, struct statement *statement,
                                 struct wire_bind *bind)
{
    struct refusal refusal;
    enum status status = query_need_server(session, ahead_of(statement), &refusal);
    if (status == DENIED)
        return refuse(session, statement, &refusal, false);
    if (status == OK && statement != NULL)
        status = ensure_prepared(session, statement);
    if (status == OK && statement != NULL)
        status = use_plan_bind(session, statement);
    if (status != OK)
        return status;
    struct request *request = forward_named(session, REQUEST_BIND, statement, bind->portal);
    if (request == NULL)
        return ERR_MEMORY;
    if (statement != NULL) {
        bind->statement = upstream_name(statement);
        status = bind_portal(session, statement, bind);
        if (status == OK && session->pending_uses != NULL)
            statements_keep_uses(session->statements, bind->portal, session->pending_uses);
    }
    return status == OK ? put_bind(session, statement, bind) : status;
}

static bool is_named(const struct statement *statement, const char *name)
{
    return statement != NULL && strcmp(statement->name, name) == 0;
}

/* A Parse or Close of an earlier group gave the name its meaning, and an error in that group would
 * take it back. */
static bool name_in_doubt(const struct session *session, const char *name)
{
    const struct requests *requests = &session->requests;
    const struct request *request;
    if (requests->parses == 0 && requests->count == requests->remote)
        return false;
    TAILQ_FOREACH(request, &requests->list, link)
    {
        bool names = request->kind == REQUEST_PARSE || request->kind == REQUEST_LOCAL;
        if (names && !request->own && request->group != session->group &&
            (is_named(request->statement, name) || is_named(request->displaced, name)))
            return true;
    }
    return false;
}

/* What a name means is known only once the Parse or Close of it that is in flight has been
 * answered; of an unrestricted client the names are the server's. */
static enum status settle_name(struct session *session, const char *name)
{
    if (session->requests.remote == 0)
        return OK;
    if (!session_unrestricted(session))
        return name_in_doubt(session, name) ? query_drain(session) : OK;
    const struct statement *statement = statements_find(session->statements, name);
    if (statement != NULL && (statement->local || parse_settled(session, statement)))
        return OK;
    return query_drain(session);
}

enum status extended_bind(struct session *session, const struct wire_message *message)
{
    struct wire_bind bind;
    if (wire_parse_bind(message, &bind) != OK)
        return ERR_PROTOCOL;
    if (too_long(bind.portal) || too_long(bind.statement))
        return refuse_long(session);
    /* A refused statement is made to fail upstream by executing what does not exist, and a mission
     * that changes in a transaction is told to the server by a portal too. */
    if (strncmp(bind.portal, QUERY_OWN_PORTALS, strlen(QUERY_OWN_PORTALS)) == 0)
        return refuse_name(session, "42602", "portal", bind.portal, "is a reserved name");
    enum status status = settle_name(session, bind.statement);
    struct cursor *cursor = NULL;
    if (status == OK && cursors_find(session->cursors, bind.portal) != NULL)
        status = use_find_cursor(session, bind.portal, &cursor);
    if (status != OK)
        return status;
    if (cursor != NULL)
        return refuse_name(session, "42P03", "cursor", bind.portal, "already exists");
    struct statement *statement = NULL;
    status = current_statement(session, bind.statement, &statement);
    if (status == DENIED)
        return OK;
    if (status != OK)
        return status;
    if (statement == NULL || !statement->local)
        return bind_upstream(session, statement, &bind);
    status = settle_local(session);
    if (status != OK)
        return status == DENIED ? OK : status;
    if (bind.value_count > 0) {
        const struct refusal refusal = {
            .sqlstate = "08P01",
            .message = "bind message supplies parameters, but the statement takes none"};
        return refuse(session, statement, &refusal, false);
    }
    status = statements_bind(&session->statements, bind.portal, session->group, statement, NULL);
    return status == OK ? answer_complete(session, wire_put_bind_complete) : status;
}

/* ---- Describe, Close ---- */

static enum status describe_local(struct session *session, const struct statement *statement,
                                  bool whole)
{
    struct buf out;
    buf_init(&out, 0);
    if (whole)
        wire_put_parameter_description(&out, NULL, 0);
    command_describe(&statement->verdict->statements[0], &out);
    enum status status = query_answer(session, &out, false);
    buf_free(&out);
    return status;
}

static enum status describe_upstream(struct session *session, struct statement *statement,
                                     unsigned char kind, const char *name)
{
    struct refusal refusal;
    enum status status = query_need_server(session, AHEAD_NEVER, &refusal);
    if (status == DENIED)
        return refuse(session, statement, &refusal, false);
    if (status == OK && kind == 'S' && statement != NULL)
        status = ensure_prepared(session, statement);
    if (status != OK)
        return status;
    if (forward(session, REQUEST_DESCRIBE, statement) == NULL)
        return ERR_MEMORY;
    wire_put_describe(&session->server->out, kind,
                      kind == 'S' && statement != NULL ? upstream_name(statement) : name);
    return OK;
}

/* A portal of the session; OK with *found NULL: unrestricted, a cursor that SQL made. DENIED: the
 * error was given. */
static enum status current_portal(struct session *session, const char *name,
                                  struct statement **found)
{
    *found = statements_portal(session->statements, name);
    if (*found != NULL || (session_unrestricted(session) && session->server != NULL))
        return OK;
    struct refusal refusal;
    bool nobody = identity_is_nobody(&session->identity);
    if (nobody)
        person_refusal(session, &refusal);
    enum status status = nobody || query_glass_over(session, &refusal)
                             ? refuse(session, NULL, &refusal, true)
                             : refuse_name(session, "34000", "portal", name, "does not exist");
    return status == OK ? DENIED : status;
}

enum status extended_describe(struct session *session, const struct wire_message *message)
{
    unsigned char kind;
    const char *name;
    if (wire_parse_target(message, &kind, &name) != OK)
        return ERR_PROTOCOL;
    if (too_long(name))
        return refuse_long(session);
    struct statement *statement = NULL;
    struct cursor *cursor = NULL;
    enum status status =
        kind == 'S' ? settle_name(session, name) : use_find_cursor(session, name, &cursor);
    if (status == OK && cursor != NULL)
        statement = cursor->statement;
    else if (status == OK)
        status = kind == 'S' ? current_statement(session, name, &statement)
                             : current_portal(session, name, &statement);
    if (status == DENIED)
        return OK;
    if (status != OK)
        return status;
    if (statement != NULL && statement->local)
        return describe_local(session, statement, kind == 'S');
    return describe_upstream(session, statement, kind, name);
}

static enum status close_upstream(struct session *session, unsigned char kind, const char *name,
                                  struct statement *displaced)
{
    struct request *request = forward_named(session, REQUEST_CLOSE, NULL, kind == 'P' ? name : "");
    if (request == NULL)
        return ERR_MEMORY;
    request->displaced = statement_ref(displaced);
    wire_put_close(&session->server->out, kind, name);
    if (kind == 'S')
        map_remove_str(session->server->prepared, name);
    return OK;
}

static enum status close_local(struct session *session, struct statement *displaced)
{
    enum status status = answer_complete(session, wire_put_close_complete);
    if (status == OK)
        can_be_undone(session, NULL, displaced);
    return status;
}

enum status extended_close(struct session *session, const struct wire_message *message)
{
    unsigned char kind;
    const char *name;
    if (wire_parse_target(message, &kind, &name) != OK)
        return ERR_PROTOCOL;
    if (too_long(name))
        return refuse_long(session);
    bool bound = session->server != NULL && session->server->state == SERVER_ACTIVE;
    struct statement *displaced = NULL;
    bool upstream;
    if (kind == 'S') {
        displaced = statement_ref(statements_find(session->statements, name));
        statements_remove(session->statements, name);
        upstream = session_unrestricted(session) && bound;
    } else {
        const struct statement *portal = statements_portal(session->statements, name);
        upstream = bound && (portal == NULL || !portal->local);
        statements_close_portal(session->statements, name);
    }
    enum status status =
        upstream ? close_upstream(session, kind, name, displaced) : close_local(session, displaced);
    statement_unref(displaced);
    return status;
}

/* ---- Execute, Sync, Flush ---- */

static enum status execute_local(struct session *session, struct statement *statement)
{
    if (statement->verdict->statements[0].kind == STATEMENT_PREPARE) {
        bool done = false;
        return prepared_run(session, statement, PREPARED_EXTENDED, &done);
    }
    enum status status = settle_local(session);
    if (status != OK)
        return status == DENIED ? OK : status;
    const struct command command = {.statement = &statement->verdict->statements[0],
                                    .extended = true,
                                    .arena = statement->arena};
    struct refusal refusal;
    struct buf out;
    buf_init(&out, 0);
    statement_ref(statement); /* DISCARD ALL and DEALLOCATE drop the names that hold it */
    status = command_run(session, &command, &out, &refusal);
    bool denied = status == DENIED;
    if (status == OK || denied)
        status = query_answer(session, &out, false); /* denied: a warning at most */
    if (status == OK && denied)
        status = refuse(session, statement, &refusal, true);
    statement_unref(statement);
    buf_free(&out);
    return status;
}

/* What the server does for an Execute. */
struct execution {
    struct statement *statement; /* NULL: not known here, of an unrestricted session */
    size_t index;                /* of a cursor: where its DECLARE stands in the text */
    bool cursor;                 /* the rest of the text, and DECLARE itself, are done with */
};

static bool execution_writes(const struct session *session, const struct execution *execution)
{
    const struct verdict_statement *one = statement_at(execution->statement, execution->index);
    return execution->statement == NULL || (one != NULL && one->writes) ||
           use_writes(uses_at(session->pending_uses, execution->index));
}

/* What comes of the statement's being run, beside its result. */
static void note_execution(struct session *session, const struct execution *execution)
{
    if (execution->cursor)
        return;
    query_note_settings(session, execution->statement);
    if (execution->statement == NULL || ends_transaction(execution->statement))
        query_unsettle(session);
}

static enum status execute_upstream(struct session *session, const char *portal,
                                    const struct execution *execution, uint32_t max_rows)
{
    struct statement *statement = execution->statement;
    struct refusal refusal;
    enum status status = mission_limits_statement(session, statement, &refusal);
    if (status == DENIED)
        return refuse(session, statement, &refusal, true);
    if (status == OK)
        temporary_begin(session, statement);
    if (status == OK)
        status = query_need_server(session, AHEAD_NEVER, &refusal);
    uint64_t id = 0;
    bool ddl = status == OK && !execution->cursor && ddl_wanted(session, statement);
    if (ddl)
        status = query_drain(session);
    bool writes = execution_writes(session, execution);
    if (status == DENIED)
        return refuse(session, statement, &refusal, false);
    if (status == OK)
        status = query_begin_record(session, statement, execution->index, writes, &id, &refusal);
    if (status == DENIED) /* in the audit's reserve that, at least, can be recorded */
        return refuse(session, statement, &refusal, true);
    if (status != OK)
        return status;
    ddl = ddl && server_lend(session->server);
    struct request *request = forward(session, REQUEST_EXECUTE, statement);
    if (request == NULL)
        return ERR_MEMORY;
    if (writes)
        session->wrote_group = session->group;
    request->audit_id = id;
    request->index = execution->index;
    request->uses = uses_ref(session->pending_uses);
    request->portal_rows = portal_rows_ref(statements_portal_rows(session->statements, portal));
    note_execution(session, execution);
    if (ddl)
        return ddl_start(session, statement, true);
    const struct verdict_statement *one = execution->cursor ? NULL : runs(session, statement);
    bool all = one != NULL && one->subjects_only; /* the client knows of no rows */
    wire_put_execute(&session->server->out, portal, all ? 0 : max_rows);
    return OK;
}

enum status extended_execute(struct session *session, const struct wire_message *message)
{
    const char *portal;
    uint32_t max_rows;
    if (wire_parse_execute(message, &portal, &max_rows) != OK)
        return ERR_PROTOCOL;
    if (too_long(portal))
        return refuse_long(session);
    /* A Bind in flight from an earlier group may fail and leave the portal that had the name: it
     * would run under the new one's record. */
    if (session->requests.remote > 0 &&
        !statements_portal_of_group(session->statements, portal, session->group)) {
        enum status drained = query_drain(session);
        if (drained != OK)
            return drained;
    }
    struct statement *statement = NULL;
    struct cursor *cursor = NULL;
    struct execution execution = {.statement = NULL};
    enum status status = use_find_cursor(session, portal, &cursor);
    if (status == OK && cursor != NULL)
        statement = cursor->statement;
    else if (status == OK)
        status = current_portal(session, portal, &statement);
    if (status == DENIED)
        return OK;
    if (status != OK)
        return status;
    /* A portal whose text is not known here could be anything on record. What SQL declared for an
     * unrestricted role is read with FETCH. */
    if (statement == NULL && session_observed(session))
        return execute_upstream(session, portal, &execution, max_rows);
    if (statement == NULL)
        return refuse_name(session, "34000", "portal", portal, "does not exist");
    if (statement->local)
        return execute_local(session, statement);
    struct refusal refusal;
    status = cursor != NULL ? use_cursor(session, cursor)
                            : use_plan_portal(session, portal, statement, &refusal);
    if (status == DENIED)
        return refuse(session, statement, &refusal, true);
    if (status != OK)
        return status;
    execution.statement = statement;
    execution.cursor = cursor != NULL;
    execution.index = cursor != NULL ? cursor->index : 0;
    return execute_upstream(session, portal, &execution, max_rows);
}

/*
 * A result that is ended for its rows is an error to the client, who takes the writes of the same
 * group for undone; so the group must fail on the server too (result.c), and a Sync that was sent
 * would have it committed first.
 */
static bool may_yet_fail(const struct session *session)
{
    const struct request *request;
    if (session->wrote_group != session->group || !mission_limits_rows(session))
        return false;
    TAILQ_FOREACH(request, &session->requests.list, link)
    {
        const struct statement *statement = request->statement;
        bool runs = request->kind == REQUEST_EXECUTE && request->group == session->group;
        const struct verdict_statement *one = runs ? statement_at(statement, request->index) : NULL;
        if (one != NULL && !one->writes)
            return true;
    }
    return false;
}

enum status extended_sync(struct session *session, const struct wire_message *message)
{
    if (wire_parse_empty(message) != OK)
        return ERR_PROTOCOL;
    if (session->state == SESSION_COPY_IN)
        return OK; /* as PostgreSQL does */
    if (session->state == SESSION_SKIPPING)
        session_enter(session, SESSION_READY);
    if (!session->group_forwarded) {
        struct buf nothing;
        buf_init(&nothing, 0);
        enum status status = query_answer(session, &nothing, true);
        session->group++;
        return status;
    }
    if (may_yet_fail(session))
        return query_drain(session);
    struct request *request = requests_add(&session->requests, REQUEST_SYNC);
    if (request == NULL)
        return ERR_MEMORY;
    request->group = session->group++;
    session->group_forwarded = false;
    query_unsettle(session);
    wire_put_sync(&session->server->out);
    worker_touch_server(session->worker, session->server);
    return OK;
}

enum status extended_flush(struct session *session, const struct wire_message *message)
{
    if (wire_parse_empty(message) != OK)
        return ERR_PROTOCOL;
    session->answer_due = true;
    if (session->group_forwarded && session->server != NULL && session->state != SESSION_COPY_IN) {
        wire_put_flush(&session->server->out);
        worker_touch_server(session->worker, session->server);
    }
    return OK;
}
