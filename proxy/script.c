/*
 * script.c: running a text in parts (see script.h).
 *
 * Where a part begins is told by the parse tree, never by looking for semicolons: in `SET ... -- ;
 * DROP ...` the one in the comment ends nothing, and what follows it must not run.
 *
 * Trust boundary: as query.c. The whole text is only a plan here; what runs is judged part by part.
 */
#include "proxy/script.h"

#include "proxy/command.h"
#include "proxy/ddl.h"
#include "proxy/mission.h"
#include "proxy/result.h"

#include <pgvigil/text.h>
#include <stdlib.h>

#define PARTS_A_TURN 64

/* How far one has got. */
struct script {
    struct statement *statement; /* the whole text, a reference */
    size_t next;                 /* its next statement */
    size_t counted;              /* bytes of it of which the characters are counted */
    size_t skipped;              /* characters in those */
    bool failed;                 /* an error came: the rest is not run */
};

/* DDL is run apart from the BEGIN and COMMIT around it. */
static bool is_control(enum statement_kind kind)
{
    return query_goes_back(kind) || kind == STATEMENT_BEGIN || kind == STATEMENT_SAVEPOINT ||
           kind == STATEMENT_RELEASE;
}

/* Behind the end of a transaction temporary tables may be others. */
static bool has_temporary(const struct session *session, const struct verdict *verdict)
{
    bool has = temporary_keeps(&session->temporary);
    for (size_t i = 0; i < verdict->outline_count && !session_unrestricted(session); i++)
        has = has || verdict->outline[i].kind == STATEMENT_TEMPORARY;
    return has;
}

bool script_needed(const struct session *session, struct statement *statement)
{
    const struct verdict *verdict = statement->verdict;
    if (verdict == NULL || verdict->outline_count < 2)
        return false;
    if (ddl_splits(session, statement))
        return true;
    bool changes = session->transaction.touched || has_temporary(session, verdict);
    for (size_t i = 0; i < verdict->outline_count; i++) {
        if (command_is_local(session, &verdict->outline[i]))
            return true;
        if (changes && i + 1 < verdict->outline_count && query_goes_back(verdict->outline[i].kind))
            return true;
    }
    return false;
}

/* In the middle of statements that are a transaction by being one text. *at: where. */
static bool splits_transaction(const struct session *session, struct statement *statement,
                               size_t *at)
{
    const struct verdict *verdict = statement->verdict;
    bool ddl = ddl_splits(session, statement);
    bool block = session->transaction.block;
    bool begun = false;
    for (size_t i = 0; i < verdict->outline_count; i++) {
        const struct verdict_statement *one = &verdict->outline[i];
        *at = i;
        if (command_is_local(session, one)) {
            if (!block && begun)
                return true;
        } else if (one->kind == STATEMENT_BEGIN) {
            if (ddl && !block && begun)
                return true;
            block = true;
        } else if (one->kind == STATEMENT_COMMIT || one->kind == STATEMENT_PREPARE_TRANSACTION ||
                   one->kind == STATEMENT_ROLLBACK) {
            block = one->chain;
            begun = false;
        } else {
            begun = true;
        }
    }
    return false;
}

static enum status refuse_part(struct session *session, const struct statement *statement,
                               const struct refusal *refusal)
{
    if (result_audit_refusal(session, statement, refusal) != OK)
        return ERR_AUDIT;
    return query_refuse(session, refusal, false);
}

static enum status refuse_split(struct session *session)
{
    const struct refusal refusal = {
        .sqlstate = "0A000",
        .message = "what pgvigil does itself may not stand in the middle of a text of several "
                   "statements that is a transaction by itself",
        .hint = "Put it first, send it as a statement of its own, or write BEGIN and COMMIT."};
    return refuse_part(session, session->script->statement, &refusal);
}

/* One that pgvigil answers itself; *done: nothing of the text may follow. */
static enum status run_local(struct session *session, struct statement *statement, bool last,
                             bool *done)
{
    struct refusal refusal = {.sqlstate = "25P02",
                              .message =
                                  "current transaction is aborted, commands ignored until end of "
                                  "transaction block"};
    struct command command = {.statement = &statement->verdict->statements[0],
                              .several = session->script != NULL,
                              .arena = statement->arena};
    struct buf out;
    buf_init(&out, 0);
    enum status status = session->transaction.block && session->transaction.aborted
                             ? DENIED
                             : command_run(session, &command, &out, &refusal);
    *done = status != OK || last;
    if (status == OK) {
        status = last ? query_finish(session, &out) : query_answer(session, &out, false);
    } else if (status == DENIED) {
        status = query_answer(session, &out, false); /* a warning */
        if (status == OK)
            status = refuse_part(session, statement, &refusal);
    }
    buf_free(&out);
    return status;
}

enum status script_local(struct session *session, struct statement *statement)
{
    bool done = false;
    enum status status = query_drain(session);
    return status == OK ? run_local(session, statement, true, &done) : status;
}

enum status script_begin(struct session *session, struct statement *statement)
{
    session->script = calloc(1, sizeof *session->script);
    if (session->script == NULL)
        return ERR_MEMORY;
    session->script->statement = statement;
    return OK;
}

void script_fail(struct session *session)
{
    if (session->script != NULL)
        session->script->failed = true;
}

void script_end(struct session *session)
{
    if (session->script != NULL)
        statement_unref(session->script->statement);
    free(session->script);
    session->script = NULL;
}

/* The statement behind the part that begins with `first`. */
static size_t part_end(const struct session *session, size_t first)
{
    const struct verdict *verdict = session->script->statement->verdict;
    size_t end = first + 1;
    bool ddl = ddl_splits(session, session->script->statement);
    if (command_is_local(session, &verdict->outline[first]))
        return end;
    while (end < verdict->outline_count && !query_goes_back(verdict->outline[end - 1].kind) &&
           !command_is_local(session, &verdict->outline[end]) &&
           !(ddl && (is_control(verdict->outline[end - 1].kind) ||
                     is_control(verdict->outline[end].kind))))
        end++;
    return end;
}

/* Judges the next part into session->pending. DENIED: it was refused, and the text is over. */
static enum status judge_part(struct session *session, size_t end)
{
    const struct statement *whole = session->script->statement;
    const struct verdict *verdict = whole->verdict;
    size_t from = verdict->outline[session->script->next].start;
    size_t to = end < verdict->outline_count ? verdict->outline[end].start : whole->len;
    session->script->skipped +=
        text_characters(whole->sql + session->script->counted, from - session->script->counted);
    session->script->counted = from;
    struct statement_source source = {.name = "",
                                      .sql = whole->sql + from,
                                      .len = to - from,
                                      .skipped = session->script->skipped};
    struct refusal refusal;
    struct statement *part = NULL;
    enum status status = query_judge(session, &source, &part, &refusal);
    if (status == DENIED) {
        enum status refused = refuse_part(session, part, &refusal);
        status = refused == OK ? DENIED : refused;
    } else if (status == OK) {
        session->pending = part;
        part = NULL;
    }
    statement_unref(part);
    return status;
}

/* The rest is not run; the client was given an error. */
static enum status stop(struct session *session)
{
    if (session->script->failed)
        return OK;
    struct buf nothing;
    buf_init(&nothing, 0);
    return query_answer(session, &nothing, true);
}

enum status script_step(struct session *session)
{
    size_t count = session->script->statement->verdict->outline_count;
    size_t at = 0;
    size_t turn = 0;
    while (session->script->next < count) {
        enum status status = query_drain(session);
        if (status != OK)
            return status;
        if (session->script->failed || session->muted)
            return stop(session);
        if (session->script->next == 0 &&
            splits_transaction(session, session->script->statement, &at))
            return refuse_split(session);
        status = mission_check_time(session);
        if (status == OK)
            status = query_settle_temporary(session, false);
        if (status != OK)
            return status == DENIED ? OK : status;
        query_drop_stale(session);
        size_t end = part_end(session, session->script->next);
        if (session->pending == NULL)
            status = judge_part(session, end);
        if (status != OK)
            return status == DENIED ? OK : status;
        bool done = false;
        bool prepare = session->pending->local &&
                       session->pending->verdict->statements[0].kind == STATEMENT_PREPARE;
        if (session->pending->local && !prepare)
            status = run_local(session, session->pending, end == count, &done);
        else
            status = query_forward(session, session->pending, end < count, &done);
        if (status != OK || done)
            return status;
        statement_unref(session->pending);
        uses_unref(session->pending_uses);
        statement_unref(session->preparing);
        session->pending = session->preparing = NULL;
        session->pending_uses = NULL;
        session->pending_asked = false;
        session->script->next = end;
        /* Others of the same event loop get their turn: parts that pgvigil answers wait for none.
         */
        if (++turn == PARTS_A_TURN) {
            worker_touch(session->worker, session);
            return NEED_MORE;
        }
    }
    return OK;
}
