/*
 * record.c: the fields of the records (see record.h).
 *
 * A NULL text is left out, a false flag too; numbers are always there.
 */
#include "record.h"
#include "encode.h"

#include <stdlib.h>
#include <string.h>

#ifndef NDEBUG
/* A record that names whoever it was before is the worst that could happen here. */
static void must_be(const struct audit_text *encoded, struct buf *fresh)
{
    if (!fresh->failed && (buf_len(fresh) != encoded->len ||
                           memcmp(buf_head(fresh), encoded->bytes, encoded->len) != 0))
        abort();
    buf_free(fresh);
}
#endif

static void session_fields(struct buf *out, const struct audit_session *session)
{
    encode_number(out, "session", session->id);
    encode_field(out, "person", session->person);
    encode_field(out, "login", session->login);
    encode_field(out, "identity", session->identity);
    encode_field(out, "auth", session->auth);
    encode_field(out, "database", session->database);
    encode_field(out, "role", session->role);
    encode_field(out, "mission", session->mission);
    encode_field(out, "purpose", session->purpose);
    encode_field(out, "reason", session->reason);
    if (session->break_glass)
        encode_true(out, "break_glass");
    encode_field(out, "patient", session->patient);
    encode_field(out, "address", session->address);
    if (session->address)
        encode_number(out, "port", session->port);
    encode_field(out, "application", session->application);
    encode_field(out, "tls", session->tls);
}

enum status audit_encode_session(const struct audit_session *session, struct buf *out)
{
    session_fields(out, session);
    return out->failed ? ERR_MEMORY : OK;
}

void record_session(struct buf *out, const struct audit_session *session)
{
    if (!session)
        return;
    if (session->encoded.len == 0) {
        session_fields(out, session);
        return;
    }
    buf_append(out, session->encoded.bytes, session->encoded.len);
#ifndef NDEBUG
    struct buf fresh;
    buf_init(&fresh, 0);
    session_fields(&fresh, session);
    must_be(&session->encoded, &fresh);
#endif
}

void record_reference(struct buf *out, const struct audit_session *session, uint64_t begin)
{
    encode_number(out, "begin", begin);
    if (!session)
        return;
    encode_number(out, "session", session->id);
    encode_field(out, "person", session->person);
    encode_field(out, "login", session->login);
}

static void names(struct buf *out, const char *key, const char *const *list, size_t count)
{
    buf_str(out, key);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_byte(out, ',');
        (void)encode_string(out, list[i] ? list[i] : "", ENCODE_VALUE_MAX);
    }
    buf_byte(out, ']');
}

static void relations(struct buf *out, const struct audit_statement *statement)
{
    if (statement->relation_count == 0)
        return;
    buf_str(out, ",\"relations\":[");
    for (size_t i = 0; i < statement->relation_count; i++) {
        const struct audit_relation *relation = &statement->relations[i];
        buf_str(out, i ? ",{\"schema\":" : "{\"schema\":");
        (void)encode_string(out, relation->schema ? relation->schema : "", ENCODE_VALUE_MAX);
        encode_field(out, "name", relation->name ? relation->name : "");
        names(out, ",\"shown\":[", relation->shown, relation->shown_count);
        names(out, ",\"masked\":[", relation->masked, relation->masked_count);
        if (relation->written)
            names(out, ",\"written\":[", relation->written, relation->written_count);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static void observed_relations(struct buf *out, const struct audit_observed *observed)
{
    if (observed->relation_count == 0)
        return;
    buf_str(out, ",\"relations\":[");
    for (size_t i = 0; i < observed->relation_count; i++) {
        const struct audit_observed_relation *relation = &observed->relations[i];
        buf_str(out, i ? ",{\"schema\":" : "{\"schema\":");
        (void)encode_string(out, relation->schema ? relation->schema : "", ENCODE_VALUE_MAX);
        encode_field(out, "name", relation->name ? relation->name : "");
        encode_field(out, "rule", relation->rule);
        names(out, ",\"shown\":[", relation->shown, relation->shown_count);
        names(out, ",\"masked\":[", relation->masked, relation->masked_count);
        names(out, ",\"hidden\":[", relation->hidden, relation->hidden_count);
        if (relation->written)
            names(out, ",\"written\":[", relation->written, relation->written_count);
        if (relation->filtered)
            encode_true(out, "filtered");
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static void observation(struct buf *out, const struct audit_observed *observed)
{
    buf_str(out, ",\"observed\":{\"decision\":");
    (void)encode_string(out, observed->decision, ENCODE_VALUE_MAX);
    encode_field(out, "sqlstate", observed->sqlstate);
    encode_field(out, "reason", observed->reason);
    encode_field(out, "object", observed->object);
    encode_field(out, "hint", observed->hint);
    observed_relations(out, observed);
    if (observed->rewritten)
        encode_true(out, "rewritten");
    buf_byte(out, '}');
}

static void statement_fields(struct buf *out, const struct audit_statement *statement)
{
    encode_field(out, "statement", statement->kind);
    encode_field(out, "decision", statement->decision);
    encode_field(out, "rule", statement->rule);
    encode_field(out, "refused", statement->refused);
    relations(out, statement);
    if (statement->observed)
        observation(out, statement->observed);
    encode_field(out, "fingerprint", statement->fingerprint);
    if (!statement->sql)
        return;
    buf_str(out, ",\"sql\":");
    size_t kept = encode_string(out, statement->sql, RECORD_SQL_MAX);
    if (statement->sql[kept])
        encode_number(out, "sql_bytes", strlen(statement->sql));
}

enum status audit_encode_statement(const struct audit_statement *statement, struct buf *out)
{
    statement_fields(out, statement);
    return out->failed ? ERR_MEMORY : OK;
}

void record_statement(struct buf *out, const struct audit_statement *statement)
{
    if (statement->encoded.len == 0) {
        statement_fields(out, statement);
        return;
    }
    buf_append(out, statement->encoded.bytes, statement->encoded.len);
#ifndef NDEBUG
    struct buf fresh;
    buf_init(&fresh, 0);
    statement_fields(&fresh, statement);
    must_be(&statement->encoded, &fresh);
#endif
}

static void signed_digits(struct buf *out, int64_t number)
{
    if (number < 0)
        buf_byte(out, '-');
    encode_digits(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* [first,last] */
static void number_runs(struct buf *out, const struct audit_patients *patients)
{
    for (size_t i = 0; i < patients->number_count;) {
        size_t last = i;
        while (last + 1 < patients->number_count &&
               patients->numbers[last + 1] == patients->numbers[last] + 1)
            last++;
        buf_str(out, i == 0 ? "[" : ",[");
        signed_digits(out, patients->numbers[i]);
        buf_byte(out, ',');
        signed_digits(out, patients->numbers[last]);
        buf_byte(out, ']');
        i = last + 1;
    }
}

void record_patients(struct buf *out, const struct audit_patients *patients)
{
    if (patients == NULL)
        return;
    out->failed = out->failed || patients->failed;
    if (patients->number_count + patients->text_count > 0) {
        buf_str(out, ",\"patients\":[");
        number_runs(out, patients);
        for (size_t i = 0; i < patients->text_count; i++) {
            buf_str(out, i == 0 && patients->number_count == 0 ? "" : ",");
            (void)encode_string(out, patients->texts[i], ENCODE_VALUE_MAX);
        }
        buf_byte(out, ']');
    }
    if (patients->aggregate)
        encode_field(out, "subjects", "aggregate");
}

void record_outcome(struct buf *out, const struct audit_outcome *outcome)
{
    encode_field(out, "sqlstate", outcome->sqlstate);
    encode_field(out, "tag", outcome->tag);
    encode_number(out, "rows", outcome->rows);
    encode_number(out, "bytes", outcome->bytes);
    encode_number(out, "microseconds", outcome->microseconds);
    if (outcome->unfinished)
        encode_true(out, "unfinished");
    record_patients(out, outcome->patients);
}
