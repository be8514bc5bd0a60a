/*
 * result_rows.c: rows on their way to the client (see result_rows.h).
 *
 * Trust boundary: the server's bytes. Rows are counted for the record and for the mission's limits;
 * what is in them is nobody's business here, but for the lines of a plan, which name guards.
 */
#include "proxy/result_rows.h"

#include "proxy/copy.h"
#include "proxy/explain.h"
#include "proxy/mission_limits.h"
#include "proxy/pool.h"
#include "proxy/subjects.h"

/* What is held for one whole record; a longer result gets begin and more. */
#define HOLD_BYTES ((size_t)32 << 10)

/* The client was given an error in the middle of a group: it is to be one on the server as well. */
static enum status fail_group(struct session *session, const struct request *head)
{
    if (head->kind != REQUEST_EXECUTE || !session->group_forwarded || head->group != session->group)
        return OK;
    struct request *fail = requests_add(&session->requests, REQUEST_FAIL);
    if (fail == NULL)
        return ERR_MEMORY;
    fail->own = fail->in_group = true;
    fail->group = session->group;
    wire_put_execute(&session->server->out, QUERY_FAILING_PORTAL, 0);
    wire_put_flush(&session->server->out);
    worker_touch_server(session->worker, session->server);
    return OK;
}

static enum status over_limit(struct session *session, struct request *head, const char *message)
{
    head->over_limit = head->failed = true;
    if (outbox_drop_uncovered(&session->out) != OK)
        return ERR_PROTOCOL;
    if (!session->muted)
        wire_put_error(&session->out.bytes, "ERROR", "54000", message,
                       "Ask for fewer rows, or for aggregates.", 0);
    enum status status =
        result_cover(session, result_audit_done(session, head, "54000", NULL, false));
    session->muted = true;
    server_cancel(session->server);
    return status == OK ? fail_group(session, head) : status;
}

/* Rows of the portal that gives them, however many FETCHes or Executes ask for them. */
static uint64_t count_portal_rows(struct request *head, uint64_t more)
{
    const struct use *use = uses_at(head->uses, head->index);
    if (use != NULL && use->kind == USE_CURSOR)
        return use->cursor->rows += more;
    struct portal_rows *rows = use != NULL && use->rows != NULL ? use->rows : head->portal_rows;
    return rows == NULL ? head->rows : (rows->count += more);
}

enum status result_count_row(struct session *session, struct request *head)
{
    char message[200];
    head->rows++;
    if (head->statement == NULL)
        return OK;
    uint64_t rows = count_portal_rows(head, 1);
    if (head->over_limit)
        return OK;
    enum status status = mission_limits_row(session, rows, message, sizeof message);
    return status == DENIED ? over_limit(session, head, message) : status;
}

/* Whose rows the head's are: what EXECUTE runs or FETCH reads, by another's name; or NULL. */
static const struct verdict_statement *gives(const struct request *head)
{
    const struct use *use = uses_at(head->uses, head->index);
    bool named = use != NULL && use->statement != NULL && use->kind != USE_DECLARES;
    return named ? statement_at(use->statement, use->index)
                 : statement_at(head->statement, head->index);
}

struct subjects_shape result_subjects(const struct request *head)
{
    const struct verdict_statement *statement = gives(head);
    return statement == NULL
               ? (struct subjects_shape){0}
               : (struct subjects_shape){statement->subjects, statement->subject_lists};
}

bool result_subjects_are_in(const struct session *session, const unsigned char *bytes, size_t len)
{
    const struct request *head = requests_head(&session->requests);
    const struct verdict_statement *statement = head == NULL ? NULL : gives(head);
    enum copy_data data;
    if (statement == NULL || statement->subjects == 0)
        return true;
    const unsigned char *body = bytes + WIRE_HEADER_BYTES;
    size_t body_len = len - WIRE_HEADER_BYTES;
    if (bytes[0] == 'D')
        return subjects_are_in(result_subjects(head), body, body_len);
    return !copy_out_data(head, body, body_len, &data) ||
           copy_are_in(result_subjects(head), &statement->copy, data, body, body_len);
}

bool result_hides_rows(const struct request *head)
{
    const struct verdict_statement *statement = gives(head);
    return statement != NULL && statement->subjects > 0 && statement->subjects_only;
}

/* Where they are kept; NULL with OK: the row does not leave. */
static enum status keep_subjects(struct session *session, const struct request *head,
                                 struct subjects **subjects)
{
    *subjects = NULL;
    if (session->muted || head->over_limit)
        return OK;
    *subjects = result_kept_subjects(session);
    return *subjects == NULL ? ERR_MEMORY : OK;
}

/* A group had more of them than the policy has named: the record says so. */
static void note_over(struct request *head, const struct subjects *subjects)
{
    head->inexact = head->inexact || (subjects != NULL && subjects_over(subjects));
}

/* Off a row's body, of which the first `len` bytes are there. Rows without are left as they are. */
static enum status take_subjects(struct session *session, struct request *head, unsigned char type,
                                 unsigned char **body, size_t *len)
{
    const struct verdict_statement *statement = gives(head);
    struct subjects *subjects;
    enum copy_data data;
    if (statement == NULL || statement->subjects == 0)
        return OK;
    enum status status = keep_subjects(session, head, &subjects);
    if (status == OK && type == 'D')
        status = subjects_take(subjects, result_subjects(head), body, len);
    else if (status == OK && copy_out_data(head, *body, *len, &data))
        status = copy_take(subjects, result_subjects(head), &statement->copy, data, body, len);
    note_over(head, subjects);
    return status == NEED_MORE ? ERR_PROTOCOL : status;
}

static bool names_enough(const struct session *session)
{
    return session->subjects != NULL && subjects_full(session->subjects);
}

static enum status hold_or_record(struct session *session, struct request *head)
{
    if (session->muted || (outbox_uncovered(&session->out) < HOLD_BYTES && !names_enough(session)))
        return OK;
    return result_cover(session, result_audit_more(session, head));
}

static enum status on_plan_line(struct session *session, struct request *head,
                                const struct wire_message *message)
{
    struct wire_message shown;
    struct buf room;
    buf_init(&room, 0);
    enum status status = OK;
    if (explain_row(message, &room, &shown)) {
        head->bytes += shown.len + WIRE_HEADER_BYTES;
        status = result_count_row(session, head);
        if (status == OK)
            result_emit(session, &shown);
    }
    buf_free(&room);
    return status == OK ? hold_or_record(session, head) : status;
}

enum status result_row(struct session *session, struct request *head,
                       const struct wire_message *message)
{
    struct wire_message shown = *message;
    unsigned char *body = (unsigned char *)message->body; /* in the server's own buffer */
    enum status taken = take_subjects(session, head, message->type, &body, &shown.len);
    if (taken != OK)
        return taken;
    if (message->type == 'D' && result_hides_rows(head))
        return hold_or_record(session, head);
    shown.body = body;
    message = &shown;
    if (message->type == 'D' && explain_runs(head) && !session_unrestricted(session))
        return on_plan_line(session, head, message);
    head->bytes += message->len + WIRE_HEADER_BYTES;
    bool row = message->type == 'D' || copy_out_row(head, message->body, message->len);
    enum status status = row ? result_count_row(session, head) : OK;
    if (status != OK)
        return status;
    result_emit(session, message);
    return hold_or_record(session, head);
}

/* Nothing is to be done about a row but to count it: no limit, no mute, no plan's line, and of
 * COPY's data neither the header nor, in binary, the trailer. */
static bool rows_pass(const struct session *session, const struct request *head, unsigned char type)
{
    if (head == NULL || (head->kind != REQUEST_QUERY && head->kind != REQUEST_EXECUTE))
        return false;
    bool passes = type == 'D' ? !explain_runs(head)
                              : head->copy_out && head->copy_begun && !head->copy_binary;
    return passes && !session->muted && !head->over_limit && !mission_limits_rows(session);
}

/* Writes the header of a shortened row where the bytes before `body` are free: in the server's own
 * buffer, over what was taken. Returns where the row begins now. */
static unsigned char *begin_row(unsigned char type, unsigned char *body, size_t body_len)
{
    uint32_t length = (uint32_t)(body_len + 4);
    unsigned char *row = body - WIRE_HEADER_BYTES;
    row[0] = type;
    for (unsigned i = 0; i < 4; i++)
        row[1 + i] = (unsigned char)(length >> (24 - 8 * i));
    return row;
}

/* Puts the row out, unless the client asked for none. `copy`: how it is written, if by COPY. */
static enum status put_without_subjects(struct subjects *subjects, struct subjects_shape hidden,
                                        const struct copy_shape *copy, struct buf *out,
                                        const unsigned char *row, size_t size)
{
    unsigned char *body = (unsigned char *)row + WIRE_HEADER_BYTES; /* the server's own buffer */
    size_t len = size - WIRE_HEADER_BYTES;
    enum status status = row[0] == 'D'
                             ? subjects_take(subjects, hidden, &body, &len)
                             : copy_take(subjects, hidden, copy, COPY_DATA_ROW, &body, &len);
    if (status == OK && out != NULL)
        buf_append(out, begin_row(row[0], body, len), len + WIRE_HEADER_BYTES);
    return status == NEED_MORE ? ERR_PROTOCOL : status;
}

enum status result_rows(struct session *session, const unsigned char *bytes, size_t len,
                        size_t *taken)
{
    struct request *head = requests_head(&session->requests);
    *taken = 0;
    if ((bytes[0] != 'D' && bytes[0] != 'd') || !rows_pass(session, head, bytes[0]))
        return OK;
    size_t size = 0;
    uint64_t rows = 0;
    const struct verdict_statement *statement = gives(head);
    const struct copy_shape *copy = statement == NULL ? NULL : &statement->copy;
    struct subjects_shape hidden = result_subjects(head);
    bool shown = hidden.count == 0 || !result_hides_rows(head);
    struct buf *out = &session->out.bytes;
    size_t before = buf_len(out);
    struct subjects *subjects = NULL;
    enum status status = hidden.count == 0 ? OK : keep_subjects(session, head, &subjects);
    while (status == OK && wire_row_size(bytes + *taken, len - *taken, bytes[0], &size) &&
           !(hidden.count > 0 && subjects_full(subjects))) {
        if (hidden.count > 0)
            status = put_without_subjects(subjects, hidden, copy, shown ? out : NULL,
                                          bytes + *taken, size);
        *taken += size;
        rows++;
    }
    note_over(head, subjects);
    if (rows == 0 || status != OK)
        return status;
    session->answer_waits = false;
    if (hidden.count == 0)
        buf_append(out, bytes, *taken);
    head->bytes += buf_len(out) - before;
    head->rows += shown ? rows : 0;
    if (head->statement != NULL && shown)
        (void)count_portal_rows(head, rows);
    worker_touch(session->worker, session);
    return out->failed ? ERR_MEMORY : hold_or_record(session, head);
}

/* The subjects are in front, so the first piece has them. Its header comes to stand before what is
 * left of it. */
static enum status shorten_piece(struct session *session, struct request *head, unsigned char type,
                                 const void **bytes, size_t *len, size_t left)
{
    unsigned char *body = (unsigned char *)*bytes + WIRE_HEADER_BYTES; /* the server's own buffer */
    size_t body_len = *len - WIRE_HEADER_BYTES;
    enum status status = take_subjects(session, head, type, &body, &body_len);
    if (status != OK)
        return status;
    *bytes = begin_row(type, body, body_len + left);
    *len = body_len + WIRE_HEADER_BYTES;
    return OK;
}

enum status result_piece(struct session *session, unsigned char type, const void *bytes, size_t len,
                         size_t left, bool first)
{
    struct request *head = requests_head(&session->requests);
    bool rows = head != NULL && (head->kind == REQUEST_QUERY || head->kind == REQUEST_EXECUTE);
    if (!rows)
        return ERR_PROTOCOL;
    session->answer_waits = false;
    /* No node's line is that long. */
    if (explain_runs(head) && !session_unrestricted(session))
        return OK;
    if (first && result_subjects(head).count > 0) {
        enum status taken = shorten_piece(session, head, type, &bytes, &len, left);
        if (taken != OK)
            return taken;
    }
    head->bytes += len;
    /* What is that long is a row, in COPY too. */
    bool row = first && (type == 'D' || head->copy_out);
    enum status status = row ? result_count_row(session, head) : OK;
    head->copy_begun = true;
    if (status != OK)
        return status;
    /* Muted in the middle of a row (its record failed): the client could not find the next
     * message's start. */
    if (session->muted && session->out.open > 0)
        return ERR_AUDIT;
    if (session->muted)
        return OK;
    buf_append(&session->out.bytes, bytes, len);
    session->out.open = left;
    worker_touch(session->worker, session);
    return session->out.bytes.failed ? ERR_MEMORY : hold_or_record(session, head);
}
