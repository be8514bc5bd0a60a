/*
 * record.c: from requests and verdicts to audit records.
 *
 * The texts of a statement's record are made once and kept in its arena. No literal of the client's
 * enters a record: texts are the verdict's normalised ones.
 */
#include "proxy/named.h"
#include "proxy/observed.h"
#include "proxy/result.h"
#include "proxy/result_rows.h"
#include "proxy/texts.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool split_columns(const struct verdict_relation *relation, struct arena *arena,
                          struct audit_relation *out)
{
    const char **shown = arena_zalloc(arena, relation->column_count + 1, sizeof *shown);
    const char **masked = arena_zalloc(arena, relation->column_count + 1, sizeof *masked);
    const char **written = arena_zalloc(arena, relation->column_count + 1, sizeof *written);
    if (shown == NULL || masked == NULL || written == NULL)
        return false;
    for (size_t i = 0; i < relation->column_count; i++) {
        const struct verdict_column *column = &relation->columns[i];
        if (column->read && column->masked)
            masked[out->masked_count++] = column->name;
        else if (column->read)
            shown[out->shown_count++] = column->name;
        if (column->written)
            written[out->written_count++] = column->name;
    }
    out->schema = relation->schema;
    out->name = relation->name;
    out->shown = shown;
    out->masked = masked;
    out->written = relation->writes ? written : NULL;
    return true;
}

static const char *rule_place(const struct verdict_statement *statement, struct arena *arena)
{
    for (size_t i = 0; i < statement->relation_count; i++) {
        const struct policy_rule *rule = statement->relations[i].rule;
        if (rule == NULL || rule->place.file == NULL)
            continue;
        const char *slash = strrchr(rule->place.file, '/');
        return arena_printf(arena, "%s:%u", slash == NULL ? rule->place.file : slash + 1,
                            rule->place.line);
    }
    return NULL;
}

/* The statement may be run a million times. */
static bool encode_record(struct audit_statement *record, struct arena *arena)
{
    struct buf text;
    buf_init(&text, 0);
    char *copy = NULL;
    if (audit_encode_statement(record, &text) == OK)
        copy = arena_alloc(arena, buf_len(&text));
    if (copy != NULL) {
        memcpy(copy, buf_head(&text), buf_len(&text));
        record->encoded = (struct audit_text){copy, buf_len(&text)};
    }
    buf_free(&text);
    return copy != NULL;
}

static bool fill_record(const struct verdict_statement *from, const struct audit_observed *observed,
                        struct arena *arena, struct audit_statement *record)
{
    struct audit_relation *relations =
        arena_zalloc(arena, from->relation_count + 1, sizeof *relations);
    if (relations == NULL)
        return false;
    for (size_t i = 0; i < from->relation_count; i++)
        if (!split_columns(&from->relations[i], arena, &relations[i]))
            return false;
    record->kind = from->tag;
    record->sql = from->normalized;
    record->fingerprint = from->fingerprint[0] == '\0' ? NULL : from->fingerprint;
    record->relations = relations;
    record->relation_count = from->relation_count;
    record->decision = "allow";
    record->rule = rule_place(from, arena);
    record->observed = observed;
    return encode_record(record, arena);
}

static const struct audit_statement unknown_record = {.kind = "EXECUTE", .decision = "allow"};

static const struct audit_statement *record_of(struct statement *statement, size_t index)
{
    if (statement == NULL || index >= statement->verdict->statement_count)
        return &unknown_record;
    if (statement->origin != NULL)
        statement = statement->origin;
    if (statement->records == NULL) {
        size_t count = statement->verdict->statement_count;
        struct audit_statement *records = arena_zalloc(statement->arena, count, sizeof *records);
        for (size_t i = 0; records != NULL && i < count; i++)
            if (!fill_record(&statement->verdict->statements[i],
                             statement->observed == NULL ? NULL : &statement->observed[i],
                             statement->arena, &records[i]))
                records = NULL;
        statement->records = records;
    }
    return statement->records == NULL ? NULL : &statement->records[index];
}

/* The statement's own record; with the relations and the rule of what it reads by another's name.
 * In `room` where it is put together. */
static const struct audit_statement *record_with(const struct session *session,
                                                 struct statement *statement, size_t index,
                                                 const struct use *use,
                                                 struct audit_statement *room)
{
    const struct audit_statement *record = record_of(statement, index);
    if (record == &unknown_record)
        return session_observed(session) ? observed_unknown() : record;
    if (use == NULL || use->statement == NULL || record == NULL)
        return record;
    const struct audit_statement *read = record_of(use->statement, use->index);
    if (read == NULL)
        return NULL;
    /* A cursor that the protocol executes: there is no text but the one that declared it. */
    bool text =
        use->kind != USE_CURSOR || statement->verdict->statements[index].kind == STATEMENT_FETCH;
    *room = text ? *record : *read;
    room->encoded = (struct audit_text){0};
    room->kind = text ? record->kind : "FETCH";
    room->relations = read->relations;
    room->relation_count = read->relation_count;
    room->rule = read->rule;
    return room;
}

/* Who it is stands the same in all records of a session's statements, up to the next change. */
static const struct audit_session *who_of(struct session *session)
{
    struct audit_session *who = &session->who;
    if (who->encoded.len > 0)
        return who;
    struct buf text;
    buf_init(&text, 0);
    struct session_texts *texts = texts_of(session->worker->texts, session);
    free(texts->who);
    texts->who = NULL;
    if (audit_encode_session(who, &text) == OK)
        texts->who = malloc(buf_len(&text));
    if (texts->who != NULL) {
        memcpy(texts->who, buf_head(&text), buf_len(&text));
        who->encoded = (struct audit_text){texts->who, buf_len(&text)};
    }
    buf_free(&text);
    return who;
}

enum status result_audit_begin(struct session *session, struct statement *statement, size_t index,
                               const struct use *use, uint64_t *id)
{
    struct audit_statement room;
    const struct audit_statement *record = record_with(session, statement, index, use, &room);
    if (record == NULL)
        return ERR_MEMORY;
    observed_count(session, record);
    return audit_begin(session->worker->audit, who_of(session), record, id);
}

enum status result_audit_refusal(struct session *session, const struct statement *statement,
                                 const struct refusal *refusal)
{
    struct audit_statement record = {.kind = "UNKNOWN", .decision = "deny"};
    const struct verdict *verdict = statement == NULL ? NULL : statement->verdict;
    char refused[256];
    if (verdict != NULL && verdict->statement_count > 0 && verdict->statements != NULL) {
        record.kind = verdict->statements[0].tag;
        record.sql = verdict->statements[0].normalized;
        record.fingerprint = verdict->statements[0].fingerprint[0] == '\0'
                                 ? NULL
                                 : verdict->statements[0].fingerprint;
    }
    if (verdict != NULL && verdict->refusal.reason != NULL) {
        snprintf(refused, sizeof refused, "%s %s", verdict->refusal.reason,
                 verdict->refusal.object == NULL ? "" : verdict->refusal.object);
        record.refused = refused;
    }
    const struct audit_outcome outcome = {.sqlstate = refusal->sqlstate};
    meter_count(session->meter, FIGURE_REFUSAL);
    return audit_whole(session->worker->audit, who_of(session), &record, &outcome);
}

/* Where the number of a request's begin record is kept: NULL when there is no room for one. */
static uint64_t *begun_of(struct request *request)
{
    struct statement *statement = request->statement;
    if (request->kind != REQUEST_QUERY)
        return &request->audit_id;
    if (statement->begun == NULL)
        statement->begun = arena_zalloc(statement->arena, statement->verdict->statement_count + 1,
                                        sizeof *statement->begun);
    if (statement->begun == NULL)
        return NULL;
    /* A text that only PostgreSQL could read (observe mode) holds more than the one statement that
     * it counts as. */
    if (request->index >= statement->verdict->statement_count)
        return &request->audit_id;
    return &statement->begun[request->index];
}

static bool reads_more(const struct statement *statement, size_t index)
{
    const struct verdict_statement *one = statement_at(statement, index);
    return one != NULL && one->subjects_open;
}

static bool reads_somebody(const struct statement *statement, size_t index)
{
    const struct verdict_statement *one = statement_at(statement, index);
    return one != NULL && one->subjects > 0;
}

/* An error while rows are read may say what a row holds ("invalid input syntax for type integer:
 * ..."), of one that no list names. What PostgreSQL says of the text alone (class 42, with a place
 * in it; a value that is no tsquery has none), of the transaction (25), and that it was stopped
 * (57), does not. */
static bool error_tells(const struct request *request, const char *sqlstate)
{
    return sqlstate != NULL && (request->late || strncmp(sqlstate, "42", 2) != 0) &&
           strncmp(sqlstate, "25", 2) != 0 && strncmp(sqlstate, "57", 2) != 0;
}

/* PostgreSQL runs a write to its end before it gives the first row of RETURNING: a portal that is
 * left in the middle has written rows that nobody asked for. */
static bool gives_part(const struct request *request, const struct use *use, const char *tag)
{
    const struct verdict_statement *one = statement_at(request->statement, request->index);
    bool writes = one != NULL && one->writes;
    return (writes || use_writes(use)) && (tag == NULL || (use != NULL && use->kind == USE_PORTAL));
}

/* Do the rows, as they come, not tell whose they are? */
static bool is_aggregate(const struct request *request)
{
    const struct use *use = uses_at(request->uses, request->index);
    /* Of what was withheld some may be named. */
    return request->over_limit || request->inexact ||
           reads_more(request->statement, request->index) ||
           (use != NULL && reads_more(use->statement, use->index));
}

/* The same of the statement as a whole. */
static bool ends_aggregate(const struct request *request, const char *sqlstate, const char *tag)
{
    const struct use *use = uses_at(request->uses, request->index);
    bool reads = reads_somebody(request->statement, request->index) ||
                 (use != NULL && reads_somebody(use->statement, use->index));
    /* MOVE gives no row and tells how many there are. */
    bool moves = tag != NULL && strncmp(tag, "MOVE", 4) == 0;
    bool partly =
        sqlstate == NULL ? moves || gives_part(request, use, tag) : error_tells(request, sqlstate);
    return is_aggregate(request) || (reads && partly);
}

/* Whose rows the next record covers, in `room`; NULL: nobody's. */
static const struct audit_patients *patients_of(struct session *session, bool aggregate,
                                                struct audit_patients *room)
{
    *room = (struct audit_patients){0};
    if (session->subjects != NULL)
        subjects_list(session->subjects, room);
    room->aggregate = aggregate;
    return room->failed || room->aggregate || room->number_count + room->text_count > 0 ? room
                                                                                        : NULL;
}

struct subjects *result_kept_subjects(struct session *session)
{
    if (session->subjects == NULL) {
        session->subjects = session->worker->spare_subjects;
        session->worker->spare_subjects = NULL;
    }
    if (session->subjects == NULL)
        session->subjects = subjects_new();
    return session->subjects;
}

/* Whom the statement asks about, where its rows do not tell. Once for each. */
static enum status add_named(struct session *session, struct request *request)
{
    const struct use *use = uses_at(request->uses, request->index);
    const struct statement *used = use == NULL ? NULL : use->statement;
    if (request->statement == NULL)
        return OK;
    const struct portal_rows *bound =
        use != NULL && use->rows != NULL ? use->rows : request->portal_rows;
    bool any = named_any(request->statement, request->index) ||
               (used != NULL && named_any(used, use->index));
    if (!any || request->named)
        return OK;
    request->named = true;
    struct subjects *subjects = result_kept_subjects(session);
    enum status status = subjects == NULL
                             ? ERR_MEMORY
                             : named_add(subjects, request->statement, request->index, NULL);
    if (status == OK && used != NULL)
        status = named_add(
            subjects, used, use->index,
            use->kind == USE_PREPARED ? statement_at(request->statement, request->index) : NULL);
    return status == OK && bound != NULL && bound->named != NULL
               ? subjects_merge(subjects, bound->named)
               : status;
}

/* A record names them. */
static void subjects_named(struct session *session)
{
    struct worker *worker = session->worker;
    if (session->subjects == NULL)
        return;
    subjects_clear(session->subjects);
    if (worker->spare_subjects == NULL)
        worker->spare_subjects = session->subjects;
    else
        subjects_free(session->subjects);
    session->subjects = NULL;
}

/* One row of groups may bring more patients than a record names. */
static enum status more(struct session *session, const struct request *request, uint64_t id,
                        const struct audit_patients *patients)
{
    struct audit_patients rest = {0};
    if (patients != NULL)
        rest = *patients;
    enum status status = OK;
    do {
        const struct audit_patients part = subjects_part(&rest);
        status = audit_more(session->worker->audit, who_of(session), id, request->rows,
                            request->bytes, patients == NULL ? NULL : &part);
    } while (status == OK && rest.number_count + rest.text_count > 0);
    return status;
}

enum status result_audit_more(struct session *session, struct request *request)
{
    uint64_t *begun = begun_of(request);
    struct audit_patients room;
    if (begun == NULL)
        return ERR_MEMORY;
    bool first = *begun == 0;
    if (first) {
        uint64_t id = 0;
        enum status status = result_audit_begin(session, request->statement, request->index,
                                                uses_at(request->uses, request->index), &id);
        if (status != OK)
            return status;
        *begun = id + 1;
    }
    bool aggregate = is_aggregate(request);
    enum status named = aggregate ? add_named(session, request) : OK;
    if (named != OK || (first && session->subjects == NULL))
        return named;
    enum status status = more(session, request, *begun - 1, patients_of(session, aggregate, &room));
    subjects_named(session);
    return status;
}

static void measure(struct session *session, const struct request *request, uint64_t now,
                    bool failed)
{
    uint64_t started = request->started;
    meter_count(session->meter, FIGURE_STATEMENT);
    if (failed)
        meter_count(session->meter, FIGURE_STATEMENT_FAILED);
    meter_add(session->meter, FIGURE_ROW, request->rows);
    meter_observe(session->meter, HISTOGRAM_STATEMENT, now - started);
    session->answered = now;
    if (session->began == 0)
        session->began = started;
}

static enum status record_outcome_of(struct session *session, struct request *request,
                                     const struct audit_outcome *outcome)
{
    uint64_t *begun = begun_of(request);
    if (begun == NULL)
        return ERR_MEMORY;
    uint64_t number = *begun;
    if (begun == &request->audit_id)
        *begun = 0;
    if (number != 0)
        return audit_end(session->worker->audit, who_of(session), number - 1, outcome);
    struct audit_statement room;
    const struct audit_statement *record = record_with(
        session, request->statement, request->index, uses_at(request->uses, request->index), &room);
    if (record == NULL)
        return ERR_MEMORY;
    observed_count(session, record);
    return audit_whole(session->worker->audit, who_of(session), record, outcome);
}

enum status result_audit_done(struct session *session, struct request *request,
                              const char *sqlstate, const char *tag, bool unfinished)
{
    uint64_t now = clock_microseconds();
    struct audit_patients room;
    bool aggregate = ends_aggregate(request, sqlstate, tag);
    enum status before = aggregate ? add_named(session, request) : OK;
    if (before == OK && session->subjects != NULL && subjects_full(session->subjects))
        before = result_audit_more(session, request);
    if (before != OK)
        return before;
    const struct audit_outcome outcome = {.sqlstate = sqlstate,
                                          .tag = tag,
                                          .rows = request->rows,
                                          .bytes = request->bytes,
                                          .microseconds = now - request->started,
                                          .unfinished = unfinished,
                                          .patients = patients_of(session, aggregate, &room)};
    measure(session, request, now, sqlstate != NULL || unfinished);
    enum status status = record_outcome_of(session, request, &outcome);
    subjects_named(session);
    return status;
}

enum status result_audit_not_run(struct session *session, struct request *request,
                                 const char *sqlstate)
{
    const struct audit_outcome outcome = {.sqlstate = sqlstate};
    if (request->kind != REQUEST_QUERY)
        return request->audit_id == 0 ? OK
                                      : audit_end(session->worker->audit, who_of(session),
                                                  request->audit_id - 1, &outcome);
    const struct statement *statement = request->statement;
    for (size_t i = request->index;
         statement->begun != NULL && i < statement->verdict->statement_count; i++) {
        if (statement->begun[i] == 0)
            continue;
        enum status status =
            audit_end(session->worker->audit, who_of(session), statement->begun[i] - 1, &outcome);
        if (status != OK)
            return status;
    }
    return OK;
}

static bool runs_something(const struct request *request)
{
    return request->kind == REQUEST_QUERY || request->kind == REQUEST_EXECUTE ||
           request->kind == REQUEST_FUNCTION;
}

void result_abandon(struct session *session)
{
    enum status status = OK;
    struct request *request;
    struct request *head = requests_head(&session->requests);
    if (head != NULL && head->kind == REQUEST_IDENTITY)
        head = TAILQ_NEXT(head, link); /* what came with it may have run */
    TAILQ_FOREACH(request, &session->requests.list, link)
    {
        if (status != OK || request->own || request->failed || !runs_something(request))
            continue;
        const uint64_t *begun = begun_of(request);
        if (request == head || (begun != NULL && *begun != 0))
            status = result_audit_done(session, request, NULL, NULL, true);
    }
    result_drop_pending(session);
    if (status != OK)
        log_event(LOG_LEVEL_ERROR, "session=%lu event=audit-failed status=%s",
                  (unsigned long)session->id, status_name(status));
    requests_clear(&session->requests);
}
