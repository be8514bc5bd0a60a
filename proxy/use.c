/*
 * use.c: what a statement reads that names another one (see use.h).
 *
 * Trust boundary: names are the client's. The attack is a record that names the wrong query, or a
 * cursor that outlives the mission it was declared in: so a name is looked up only when nothing is
 * in flight that could give it another meaning, and a name that is not known is never sent.
 */
#include "proxy/use.h"

#include "proxy/mission_limits.h"
#include "proxy/query.h"

#include <stdlib.h>
#include <string.h>

static struct uses *uses_new(size_t count)
{
    struct uses *uses = calloc(1, sizeof *uses + count * sizeof uses->items[0]);
    if (uses != NULL) {
        uses->refs = 1;
        uses->count = count;
    }
    return uses;
}

struct uses *uses_ref(struct uses *uses)
{
    if (uses != NULL)
        uses->refs++;
    return uses;
}

void uses_unref(struct uses *uses)
{
    if (uses == NULL || --uses->refs > 0)
        return;
    for (size_t i = 0; i < uses->count; i++) {
        statement_unref(uses->items[i].statement);
        cursor_unref(uses->items[i].cursor);
        portal_rows_unref(uses->items[i].rows);
    }
    free(uses);
}

const struct use *uses_at(const struct uses *uses, size_t index)
{
    return uses == NULL || index >= uses->count || uses->items[index].kind == USE_NONE
               ? NULL
               : &uses->items[index];
}

bool use_writes(const struct use *use)
{
    return use != NULL && use->statement != NULL &&
           use->statement->verdict->statements[use->index].writes;
}

bool use_sequences(const struct use *use)
{
    return use != NULL && use->statement != NULL &&
           use->statement->verdict->statements[use->index].sequences;
}

bool use_objects(const struct use *use)
{
    return use != NULL && use->statement != NULL &&
           use->statement->verdict->statements[use->index].objects;
}

/* ---- what may change a name while it is in flight ---- */

static bool kind_changes_names(enum statement_kind kind)
{
    switch (kind) {
    case STATEMENT_EMPTY:
    case STATEMENT_SELECT:
    case STATEMENT_WRITE:
    case STATEMENT_COPY_TO:
    case STATEMENT_COPY_FROM:
    case STATEMENT_FETCH:
    case STATEMENT_EXECUTE:
    case STATEMENT_LISTEN:
    case STATEMENT_UNLISTEN:
    case STATEMENT_EXPLAIN:
    case STATEMENT_UTILITY:
    case STATEMENT_TEMPORARY:
    case STATEMENT_PREPARE:
    case STATEMENT_SHOW:
        return false;
    case STATEMENT_DECLARE:
    case STATEMENT_CLOSE:
    case STATEMENT_BEGIN:
    case STATEMENT_COMMIT:
    case STATEMENT_PREPARE_TRANSACTION:
    case STATEMENT_ROLLBACK:
    case STATEMENT_SAVEPOINT:
    case STATEMENT_RELEASE:
    case STATEMENT_ROLLBACK_TO:
    case STATEMENT_SET:
    case STATEMENT_RESET:
    case STATEMENT_DISCARD:
    case STATEMENT_DEALLOCATE:
    case STATEMENT_OTHER:
        break;
    }
    return true;
}

/* FETCH, or a cursor whose text is a DECLARE and which the protocol executes. */
static bool reads_portal(const struct request *request)
{
    const struct use *use = uses_at(request->uses, request->index);
    return use != NULL && use->kind != USE_DECLARES;
}

static bool changes_names(const struct request *request, bool binds)
{
    const struct statement *statement = request->statement;
    switch (request->kind) {
    case REQUEST_LOCAL:
    case REQUEST_PARSE:
    case REQUEST_DESCRIBE:
    case REQUEST_IDENTITY:
    case REQUEST_DISUSED:
        return false;
    case REQUEST_BIND:
        return binds && request->name != NULL;
    case REQUEST_CLOSE:
        return request->name != NULL;
    case REQUEST_EXECUTE:
        return statement == NULL ||
               (statement->verdict->statement_count > 0 && !reads_portal(request) &&
                kind_changes_names(statement->verdict->statements[0].kind));
    case REQUEST_QUERY:
    case REQUEST_FUNCTION:
    case REQUEST_FAIL:
    case REQUEST_SYNC:
        break;
    }
    return true;
}

/* Will a name mean on the server, when a message sent now arrives there, what it means here?
 * `bound`: it is a portal bound in this group, which only what came in the group can have ended. */
static bool settled(const struct session *session, bool bound)
{
    const struct request *request;
    TAILQ_FOREACH(request, &session->requests.list, link)
    {
        bool earlier = request->group != session->group;
        if (changes_names(request, !bound) && !(bound && earlier))
            return false;
    }
    return true;
}

/* ---- looking up ---- */

static enum status refuse(struct statement *statement, struct refusal *refusal,
                          const char *sqlstate, const char *message, const char *hint)
{
    (void)statement;
    *refusal = (struct refusal){.sqlstate = sqlstate, .message = message, .hint = hint};
    return message == NULL ? ERR_MEMORY : DENIED;
}

/* What a portal may hold for FETCH to read it: a query, and not another FETCH, whose own meaning
 * could have changed. Nor a write whose only rows are pgvigil's: to the client it gives none. */
static bool is_query(const struct statement *portal)
{
    return !portal->local && portal->verdict->statement_count == 1 &&
           !portal->verdict->statements[0].subjects_only &&
           (portal->verdict->statements[0].kind == STATEMENT_SELECT ||
            portal->verdict->statements[0].kind == STATEMENT_WRITE);
}

static bool of_this_mission(const struct session *session, const struct cursor *cursor)
{
    return cursor->statement->user == session->identity.user &&
           cursor->statement->role == session->identity.role &&
           cursor->statement->mission == session->identity.mission &&
           cursor->statement->world->policy == session->world->policy;
}

static void fill_cursor(struct use *use, struct cursor *cursor)
{
    *use = (struct use){.kind = USE_CURSOR,
                        .statement = statement_ref(cursor->statement),
                        .index = cursor->index,
                        .cursor = cursor_ref(cursor)};
}

static enum status look_up(struct session *session, struct statement *statement, size_t index,
                           const struct cursors *ahead, struct use *use, struct refusal *refusal)
{
    const struct verdict_statement *one = &statement->verdict->statements[index];
    if (one->target == NULL)
        return OK; /* CLOSE ALL */
    struct cursor *cursor = cursors_find(ahead, one->target);
    bool reads = one->kind == STATEMENT_FETCH;
    if (cursor != NULL && of_this_mission(session, cursor)) {
        if (reads)
            fill_cursor(use, cursor);
        return OK;
    }
    struct statement *portal =
        cursor == NULL ? statements_portal(session->statements, one->target) : NULL;
    if (portal == NULL || portal->local)
        return refuse(statement, refusal, "34000",
                      arena_printf(statement->arena, "cursor \"%s\" does not exist", one->target),
                      NULL);
    if (!reads)
        return OK;
    if (!is_query(portal))
        return refuse(statement, refusal, "0A000",
                      arena_printf(statement->arena,
                                   "%s of the portal \"%s\" is not supported: it holds no query",
                                   one->tag, one->target),
                      "Use Execute.");
    *use = (struct use){
        .kind = USE_PORTAL,
        .statement = statement_ref(portal),
        .rows = portal_rows_ref(statements_portal_rows(session->statements, one->target))};
    return OK;
}

/* `number`: which EXECUTE of the text it is. The name was looked up when the text was judged. Since
 * then another statement may have got it, and PostgreSQL would run that one. */
static enum status look_up_prepared(struct session *session, struct statement *statement,
                                    size_t index, size_t number, struct use *use,
                                    struct refusal *refusal)
{
    const struct verdict_statement *one = &statement->verdict->statements[index];
    struct statement *executed =
        number < statement->execute_count ? statement->executes[number] : NULL;
    if (executed == NULL || statements_find(session->statements, one->target) != executed)
        return refuse(
            statement, refusal, "26000",
            arena_printf(statement->arena, "prepared statement \"%s\" does not exist", one->target),
            "It was deallocated or prepared anew since this EXECUTE was bound.");
    enum status status = mission_limits_ask(session, executed, refusal);
    if (status == OK)
        *use = (struct use){.kind = USE_PREPARED, .statement = statement_ref(executed)};
    return status;
}

static enum status plan_one(struct session *session, struct statement *statement, size_t index,
                            size_t *executes, struct cursors *ahead, struct use *use,
                            struct refusal *refusal)
{
    const struct verdict_statement *one = &statement->verdict->statements[index];
    enum status status = OK;
    if (one->kind == STATEMENT_DECLARE) {
        use->kind = USE_DECLARES;
        use->cursor = cursor_new(one->target, statement, index, one->hold);
        status = use->cursor == NULL ? ERR_MEMORY : OK;
    } else if (one->kind == STATEMENT_FETCH || one->kind == STATEMENT_CLOSE) {
        status = look_up(session, statement, index, ahead, use, refusal);
    } else if (one->kind == STATEMENT_EXECUTE) {
        status = look_up_prepared(session, statement, index, (*executes)++, use, refusal);
    }
    if (status == OK)
        status = cursors_apply(&ahead, one, false, use->cursor);
    if (status == ERR_LIMIT)
        return refuse(statement, refusal, "54000", "too many cursors are open", NULL);
    return status;
}

/* Runs the text on a copy of the names: what it declares it may read, what it ends it may not. */
static enum status plan(struct session *session, struct statement *statement, struct uses *uses,
                        struct refusal *refusal)
{
    struct cursors *ahead = cursors_copy(session->cursors);
    enum status status = ahead == NULL ? ERR_MEMORY : OK;
    bool aborted = session->tx == 'E';
    size_t executes = 0;
    for (size_t i = 0; i < uses->count && status == OK; i++) {
        aborted = aborted && !query_goes_back(statement->verdict->statements[i].kind);
        status = plan_one(session, statement, i, &executes, ahead, &uses->items[i], refusal);
    }
    cursors_free(ahead);
    if (status == DENIED && aborted)
        return refuse(statement, refusal, "25P02",
                      "current transaction is aborted, commands ignored until end of "
                      "transaction block",
                      NULL);
    return status;
}

static bool names_cursors(const struct session *session, const struct statement *statement)
{
    const struct verdict *verdict = statement->verdict;
    for (size_t i = 0; i < verdict->statement_count && !session_unrestricted(session); i++) {
        enum statement_kind kind = verdict->statements[i].kind;
        if (kind == STATEMENT_DECLARE || kind == STATEMENT_FETCH || kind == STATEMENT_CLOSE)
            return true;
    }
    return false;
}

enum status use_plan(struct session *session, struct statement *statement, struct refusal *refusal)
{
    bool cursors = names_cursors(session, statement);
    if (session->pending_uses != NULL || (!cursors && statement->execute_count == 0))
        return OK;
    if (cursors && !settled(session, false)) {
        enum status drained = query_drain(session);
        if (drained != OK)
            return drained;
    }
    struct uses *uses = uses_new(statement->verdict->statement_count);
    enum status status = uses == NULL ? ERR_MEMORY : plan(session, statement, uses, refusal);
    if (status == OK)
        session->pending_uses = uses_ref(uses);
    uses_unref(uses);
    return status;
}

static bool is_fetch(const struct session *session, const struct statement *statement)
{
    return statement->verdict->statement_count > 0 && !session_unrestricted(session) &&
           statement->verdict->statements[0].kind == STATEMENT_FETCH;
}

enum status use_plan_bind(struct session *session, struct statement *statement)
{
    struct refusal refusal;
    if (!is_fetch(session, statement))
        return OK;
    enum status status = use_plan(session, statement, &refusal);
    /* PostgreSQL, too, says so when it is executed. */
    return status == DENIED ? OK : status;
}

static bool reads_the_same(const struct uses *a, const struct uses *b)
{
    const struct use *bound = uses_at(a, 0);
    const struct use *found = uses_at(b, 0);
    return bound != NULL && found != NULL && bound->kind == found->kind &&
           bound->statement == found->statement && bound->index == found->index &&
           bound->cursor == found->cursor && bound->rows == found->rows;
}

enum status use_plan_portal(struct session *session, const char *portal,
                            struct statement *statement, struct refusal *refusal)
{
    if (session->pending_uses != NULL)
        return OK;
    if (!is_fetch(session, statement))
        return use_plan(session, statement, refusal);
    struct uses *bound = statements_portal_uses(session->statements, portal);
    if (bound == NULL || !bound->read) {
        enum status status = use_plan(session, statement, refusal);
        if (status != OK)
            return status;
        /* PostgreSQL 15 gives the rows of another cursor as the columns of the one that was there
         * when the FETCH was bound, and ends with a segmentation fault, the whole server with it.
         */
        if (bound == NULL || !reads_the_same(bound, session->pending_uses))
            return refuse(statement, refusal, "34000",
                          arena_printf(statement->arena,
                                       "cursor \"%s\" is not what it was when this %s was bound",
                                       statement->verdict->statements[0].target,
                                       statement->verdict->statements[0].tag),
                          "Bind it again.");
        bound->read = true;
    }
    if (session->pending_uses == NULL)
        session->pending_uses = uses_ref(bound);
    return OK;
}

enum status use_find_cursor(struct session *session, const char *name, struct cursor **cursor)
{
    *cursor = NULL;
    if (name[0] == '\0' || session_unrestricted(session))
        return OK;
    bool bound = statements_portal(session->statements, name) != NULL;
    bool known = cursors_find(session->cursors, name) != NULL;
    if (!settled(session, bound && !known)) {
        enum status drained = query_drain(session);
        if (drained != OK)
            return drained;
    }
    *cursor = cursors_find(session->cursors, name);
    if (*cursor != NULL && !of_this_mission(session, *cursor))
        *cursor = NULL;
    return OK;
}

enum status use_cursor(struct session *session, struct cursor *cursor)
{
    if (session->pending_uses != NULL)
        return OK;
    struct uses *uses = uses_new(cursor->index + 1);
    if (uses == NULL)
        return ERR_MEMORY;
    fill_cursor(&uses->items[cursor->index], cursor);
    session->pending_uses = uses;
    return OK;
}

/* ---- what the server did ---- */

enum status use_done(struct session *session, const struct request *request, const char *tag)
{
    const struct statement *statement = request->statement;
    if (statement == NULL || request->index >= statement->verdict->statement_count ||
        session_unrestricted(session))
        return OK;
    const struct verdict_statement *done = &statement->verdict->statements[request->index];
    const struct use *use = uses_at(request->uses, request->index);
    struct cursor *declared = use != NULL && use->kind == USE_DECLARES ? use->cursor : NULL;
    /* Whatever stood under the name is not there any more. */
    if (declared != NULL)
        statements_close_portal(session->statements, declared->name);
    if (done->kind == STATEMENT_CLOSE && done->target != NULL)
        statements_close_portal(session->statements, done->target);
    else if (done->kind == STATEMENT_CLOSE)
        statements_end_portals(session->statements, UINT64_MAX);
    bool rolled_back =
        (done->kind == STATEMENT_COMMIT || done->kind == STATEMENT_PREPARE_TRANSACTION) &&
        strcmp(tag, "ROLLBACK") == 0;
    return cursors_apply(&session->cursors, done, rolled_back, declared);
}

void use_closed(struct session *session, const char *name)
{
    cursors_remove(session->cursors, name);
}

void use_end(struct session *session)
{
    if (session->server != NULL && cursors_held(session->cursors))
        session->server->stale_cursors = true;
    cursors_clear(session->cursors);
}
