/*
 * query.h: what is asked of the trail: filters that a record must all meet.
 *
 * Two steps. query_may and query_line_patient look at the bytes of a line, as the writer spells
 * them, and are fast; what they let through is parsed, and query_matches decides on the values. The
 * first may say yes too often, never no too often.
 */
#ifndef PGVIGIL_AUDIT_QUERY_H
#define PGVIGIL_AUDIT_QUERY_H

#include <jansson.h>
#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Filters that one text field of a record must equal. */
enum query_field {
    QUERY_USER,
    QUERY_LOGIN,
    QUERY_ROLE,
    QUERY_MISSION,
    QUERY_DATABASE,
    QUERY_ADDRESS,
    QUERY_APPLICATION,
    QUERY_STATEMENT,
    QUERY_DECISION,
    QUERY_EVENT,
    QUERY_FINGERPRINT,
    QUERY_SQLSTATE,
    QUERY_FIELDS
};

/* The record's key: "person". */
const char *query_key(enum query_field field);

struct query {
    const char *text[QUERY_FIELDS]; /* NULL: any */
    const char *table;              /* "schema.name" or "name"; may hold * and ? */
    const char *column;
    const char *patient;
    size_t patients_max; /* elements of `patients` that one answer lists; 0: BEGUN_PATIENTS */
    bool inexact;        /* with `patient`: statements whose list is not exact, too */
    const char *from;    /* the beginning of a record's time, as far as it is given */
    const char *to;      /* inclusive: "2026-01" lets all of January in */
    bool break_glass;
    const char
        *either[3]; /* bytes: a line that holds none of those that are given is passed over */
    /* query_prepare makes the rest. */
    struct buf needles[QUERY_FIELDS + 3]; /* bytes that a line must hold */
    size_t needle_count;
    const struct buf *user;  /* one of the needles, or NULL */
    struct buf patient_text; /* as the writer spells it, with its quotes */
    bool patient_is_number;
    int64_t patient_number;
};

/* ERR_INVALID: *why (static) says what is wrong; ERR_MEMORY. query_free in any case. */
NODISCARD enum status query_prepare(struct query *query, const char **why);
void query_free(struct query *query);
/* A text as a number that a pair of `patients` may hold: in its one spelling. */
bool query_number(const char *text, int64_t *number);

/* Whether a line whose type is whole, begin or event may meet all filters but patient and time. */
bool query_may(const struct query *query, const char *line, size_t len);
/* Whether the line may name the patient; true when none is asked for. */
bool query_line_patient(const struct query *query, const char *line, size_t len);
/* Whether the line may be of the user; true when none is asked for. */
bool query_line_user(const struct query *query, const char *line, size_t len);
/* `time` is a record's, 27 characters. */
bool query_in_period(const struct query *query, const char *time);

/* Of the parsed record: all filters but patient and time. */
bool query_matches(const struct query *query, const json_t *record);
/* Of any record; true when none is asked for. */
bool query_names_patient(const struct query *query, const json_t *record);
/* Of an element of `patients`. */
bool query_is_patient(const struct query *query, const json_t *element);

#endif
