/*
 * prepared.c: SQL's PREPARE and EXECUTE (see prepared.h).
 *
 * Trust boundary: names are the client's and only ever keys; the server hears pgvigil's own, a hash
 * of what was judged, so that EXECUTE can run nothing but that.
 */
#include "proxy/prepared.h"

#include "proxy/result.h"

#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the judge asks ---- */

/* What PREPARE may hold; a name of the protocol may stand for anything, BEGIN and FETCH too. */
static bool may_be_executed(const struct statement *statement)
{
    if (statement->local || statement->verdict->statement_count != 1)
        return false;
    switch (statement->verdict->statements[0].kind) {
    case STATEMENT_SELECT:
    case STATEMENT_WRITE:
        return true;
    case STATEMENT_EMPTY:
    case STATEMENT_COPY_TO:
    case STATEMENT_COPY_FROM:
    case STATEMENT_DECLARE:
    case STATEMENT_FETCH:
    case STATEMENT_CLOSE:
    case STATEMENT_PREPARE:
    case STATEMENT_EXECUTE:
    case STATEMENT_LISTEN:
    case STATEMENT_UNLISTEN:
    case STATEMENT_PREPARE_TRANSACTION:
    case STATEMENT_EXPLAIN:
    case STATEMENT_UTILITY:
    case STATEMENT_TEMPORARY:
    case STATEMENT_BEGIN:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK:
    case STATEMENT_SAVEPOINT:
    case STATEMENT_RELEASE:
    case STATEMENT_ROLLBACK_TO:
    case STATEMENT_SET:
    case STATEMENT_RESET:
    case STATEMENT_SHOW:
    case STATEMENT_DISCARD:
    case STATEMENT_DEALLOCATE:
    case STATEMENT_OTHER:
        break;
    }
    return false;
}

enum status prepared_judge_again(struct session *session, const struct statement *statement,
                                 struct statement **again, struct refusal *refusal)
{
    struct statement_source source = {.name = statement->name,
                                      .sql = statement->sql,
                                      .len = statement->len,
                                      .types = statement->types,
                                      .type_count = statement->type_count,
                                      .skipped = statement->skipped,
                                      .extended = true};
    *again = NULL;
    enum status status = query_judge(session, &source, again, refusal);
    if (status != OK)
        return status;
    statement_rename_upstream(*again, statement);
    return statements_put(&session->statements, *again);
}

static const char *keep_text(const struct prepared_lookup *lookup, const char *text)
{
    return text == NULL ? NULL : arena_strdup(lookup->statement->arena, text);
}

/* The refusal of another text, as this one's: its place is not in this text. */
static const char *deny(struct prepared_lookup *lookup, const struct refusal *refusal)
{
    lookup->denied = true;
    lookup->refusal = (struct refusal){.sqlstate = keep_text(lookup, refusal->sqlstate),
                                       .message = keep_text(lookup, refusal->message),
                                       .hint = keep_text(lookup, refusal->hint)};
    lookup->denied = lookup->refusal.sqlstate != NULL && lookup->refusal.message != NULL;
    return NULL;
}

static struct statement *find_current(struct prepared_lookup *lookup, const char *name)
{
    struct session *session = lookup->session;
    struct statement *known = statements_find(session->statements, name);
    if (known == NULL || known->epoch == session->epoch)
        return known;
    struct refusal refusal = {.sqlstate = "53200", .message = "out of memory"};
    struct statement *again = NULL;
    enum status status = prepared_judge_again(session, known, &again, &refusal);
    known = status == OK ? statements_find(session->statements, name) : NULL;
    if (status != OK)
        deny(lookup, &refusal);
    statement_unref(again);
    return known;
}

static bool keep_executed(struct statement *statement, struct statement *executed)
{
    struct statement **grown =
        realloc((void *)statement->executes, (statement->execute_count + 1) * sizeof(void *));
    if (grown == NULL)
        return false;
    statement->executes = grown;
    grown[statement->execute_count++] = statement_ref(executed);
    return true;
}

static const char *deny_kind(struct prepared_lookup *lookup)
{
    const struct refusal refusal = {.sqlstate = "0A000",
                                    .message =
                                        "EXECUTE is for SELECT, INSERT, UPDATE and DELETE only",
                                    .hint = "Use the protocol's Bind and Execute."};
    return deny(lookup, &refusal);
}

const char *prepared_name(void *context, const char *name, bool *writes)
{
    struct prepared_lookup *lookup = context;
    /* Before it is judged again, not only behind. The attack: a group that fails gives names back,
     * and two EXECUTEs of each other come of it, which would judge each other without end. */
    const struct statement *named = statements_find(lookup->session->statements, name);
    if (named != NULL && !may_be_executed(named))
        return deny_kind(lookup);
    struct statement *known = find_current(lookup, name);
    if (known == NULL)
        return NULL;
    if (!may_be_executed(known))
        return deny_kind(lookup);
    if (known->server_name[0] == '\0' || !keep_executed(lookup->statement, known)) {
        const struct refusal refusal = {.sqlstate = "53200", .message = "out of memory"};
        return deny(lookup, &refusal);
    }
    *writes = known->verdict->statements[0].writes;
    return known->server_name;
}

bool prepared_is_current(const struct session *session, const struct statement *statement)
{
    for (size_t i = 0; i < statement->execute_count; i++) {
        const struct statement *executed = statement->executes[i];
        if (executed->epoch != session->epoch ||
            statements_find(session->statements, executed->name) != executed)
            return false;
    }
    return true;
}

/* ---- PREPARE ---- */

static enum status refuse(struct session *session, const struct statement *statement,
                          const struct refusal *refusal, bool extended)
{
    if (result_audit_refusal(session, statement, refusal) != OK)
        return ERR_AUDIT;
    return query_refuse(session, refusal, extended);
}

/* The statement inside, as a Parse of it would make it. */
static enum status judge_held(struct session *session, const struct statement *prepare,
                              struct statement **held, struct refusal *refusal)
{
    const struct verdict_statement *one = &prepare->verdict->statements[0];
    struct statement_source source = {.name = one->target,
                                      .sql = prepare->sql + one->held,
                                      .len = one->start + one->len - one->held,
                                      .types = one->types,
                                      .type_count = one->type_count,
                                      .skipped = prepare->skipped +
                                                 text_characters(prepare->sql, one->held),
                                      .extended = true};
    enum status status = query_judge(session, &source, held, refusal);
    if (status == OK)
        statement_name_upstream(*held);
    return status;
}

static enum status name_taken(struct session *session, const struct statement *prepare,
                              enum prepared_way way)
{
    const struct refusal refusal = {
        .sqlstate = "42P05",
        .message = arena_printf(prepare->arena, "prepared statement \"%s\" already exists",
                                prepare->verdict->statements[0].target)};
    return refusal.message == NULL ? ERR_MEMORY
                                   : refuse(session, prepare, &refusal, way == PREPARED_EXTENDED);
}

static enum status aborted(struct session *session, const struct statement *prepare,
                           enum prepared_way way)
{
    const struct refusal refusal = {
        .sqlstate = "25P02",
        .message = "current transaction is aborted, commands ignored until end of "
                   "transaction block"};
    return refuse(session, prepare, &refusal, way == PREPARED_EXTENDED);
}

static struct request *sync(struct session *session)
{
    struct request *request = requests_add(&session->requests, REQUEST_SYNC);
    if (request == NULL)
        return NULL;
    request->group = session->group++;
    session->group_forwarded = false;
    query_unsettle(session);
    wire_put_sync(&session->server->out);
    worker_touch_server(session->worker, session->server);
    return request;
}

/* The server knows it already. */
static enum status prepare_known(struct session *session, struct statement *held,
                                 const struct buf *out, enum prepared_way way)
{
    enum status status = statements_put(&session->statements, held);
    if (status == OK)
        status =
            way == PREPARED_ALONE ? query_finish(session, out) : query_answer(session, out, false);
    /* It waits behind others: should one of its group fail, the name must go again. */
    struct request *last = TAILQ_LAST(&session->requests.list, request_list);
    if (status == OK && way == PREPARED_EXTENDED && last != NULL)
        last->statement = statement_ref(held);
    return status;
}

/* A Parse whose answer is the PREPARE's. */
static enum status prepare_new(struct session *session, struct statement *held,
                               const struct buf *out, enum prepared_way way)
{
    unsigned char *copy = malloc(buf_len(out));
    enum status status = copy == NULL ? ERR_MEMORY : extended_send_parse(session, held, false);
    if (status != OK) {
        free(copy);
        return status;
    }
    struct request *parse = TAILQ_LAST(&session->requests.list, request_list);
    memcpy(copy, buf_head(out), buf_len(out));
    parse->canned = copy;
    parse->canned_len = buf_len(out);
    status = statements_put(&session->statements, held);
    if (status != OK || way == PREPARED_EXTENDED)
        return status;
    struct request *end = sync(session);
    if (end == NULL)
        return ERR_MEMORY;
    end->more = way == PREPARED_PART;
    return OK;
}

static enum status prepare_upstream(struct session *session, struct statement *prepare,
                                    struct statement *held, enum prepared_way way, bool *done)
{
    struct refusal refusal;
    enum status status = query_need_server(session, AHEAD_NEVER, &refusal);
    if (status == DENIED)
        return refuse(session, prepare, &refusal, way == PREPARED_EXTENDED);
    if (status != OK)
        return status;
    statement_take_dialect(held, &session->dialects.now);
    /* As a Parse: in a failed block nothing may say that it worked, and what is in flight tells. */
    bool known = extended_is_prepared(session, held);
    bool failed = session->transaction.block && session->transaction.aborted;
    const struct request *head = requests_head(&session->requests);
    if (known && head != NULL && (failed || head->group != session->group))
        return query_drain(session);
    if (known && failed)
        return aborted(session, prepare, way);
    struct buf out;
    buf_init(&out, 0);
    wire_put_command_complete(&out, "PREPARE");
    *done = way != PREPARED_PART;
    if (out.failed)
        status = ERR_MEMORY;
    else
        status =
            known ? prepare_known(session, held, &out, way) : prepare_new(session, held, &out, way);
    buf_free(&out);
    return status;
}

enum status prepared_run(struct session *session, struct statement *statement,
                         enum prepared_way way, bool *done)
{
    struct refusal refusal;
    *done = true;
    if (session->requests.count == 0 && session->transaction.block && session->transaction.aborted)
        return aborted(session, statement, way);
    if (session->preparing == NULL) {
        if (statements_find(session->statements, statement->verdict->statements[0].target) != NULL)
            return name_taken(session, statement, way);
        struct statement *held = NULL;
        enum status status = judge_held(session, statement, &held, &refusal);
        if (status == DENIED)
            status = refuse(session, held, &refusal, way == PREPARED_EXTENDED);
        else if (status == OK)
            session->preparing = statement_ref(held);
        statement_unref(held);
        if (session->preparing == NULL)
            return status;
    }
    statement_ref(statement);
    enum status status = prepare_upstream(session, statement, session->preparing, way, done);
    statement_unref(statement);
    return status;
}

/* ---- EXECUTE ---- */

enum status prepared_ahead(struct session *session, const struct statement *statement)
{
    bool open = session->group_forwarded;
    bool sent = false;
    /* In a failed transaction only its end is heard; then the server has the name or has it not. */
    for (size_t i = 0; i < statement->execute_count && session->tx != 'E'; i++) {
        struct statement *executed = statement->executes[i];
        if (extended_in_doubt(session, executed))
            return query_drain(session);
        extended_note_reread(session, executed);
        if (extended_is_prepared(session, executed))
            continue;
        enum status status = extended_send_parse(session, executed, true);
        if (status != OK)
            return status;
        TAILQ_LAST(&session->requests.list, request_list)->ahead = !open;
        sent = true;
    }
    if (!sent)
        return OK;
    /* An error would make the server skip the query, which it does in an open group in any case. */
    if (open)
        return query_drain(session);
    struct request *own = sync(session);
    if (own == NULL)
        return ERR_MEMORY;
    own->own = own->ahead = true;
    return OK;
}
