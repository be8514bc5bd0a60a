/*
 * query.c: what is asked of the trail (see query.h).
 *
 * Trust boundary: filters are the caller's own; lines may be a forger's, whose spelling the fast
 * step need not know: a line that the writer never made is verify's to find.
 */
#include "query.h"
#include "encode.h"

#include <errno.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const keys[QUERY_FIELDS] = {
    [QUERY_USER] = "person",
    [QUERY_LOGIN] = "login",
    [QUERY_ROLE] = "role",
    [QUERY_MISSION] = "mission",
    [QUERY_DATABASE] = "database",
    [QUERY_ADDRESS] = "address",
    [QUERY_APPLICATION] = "application",
    [QUERY_STATEMENT] = "statement",
    [QUERY_DECISION] = "decision",
    [QUERY_EVENT] = "event",
    [QUERY_FINGERPRINT] = "fingerprint",
    [QUERY_SQLSTATE] = "sqlstate",
};

const char *query_key(enum query_field field)
{
    return keys[field];
}

bool query_number(const char *text, int64_t *number)
{
    const char *digits = *text == '-' ? text + 1 : text;
    size_t len = strlen(digits);
    if (len == 0 || len > 19 || strspn(digits, "0123456789") != len ||
        (*digits == '0' && (len > 1 || *text == '-')))
        return false;
    errno = 0;
    *number = strtoll(text, NULL, 10);
    return errno == 0;
}

/* ---- preparing ---- */

/* "2026-01-31T12:00:00.000000Z", cut off anywhere between two parts. */
static bool is_time(const char *text)
{
    static const char shape[] = "0000-00-00T00:00:00.000000Z";
    size_t len = strlen(text);
    if (len < 4 || len >= sizeof shape)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    }
    return len >= 19 ? len != 20 : shape[len] != '0';
}

static struct buf *needle(struct query *query)
{
    struct buf *out = &query->needles[query->needle_count++];
    buf_init(out, 0);
    return out;
}

static enum status add_field(struct query *query, enum query_field field)
{
    const char *value = query->text[field];
    /* What an `end` says stands in another line than the filters that a `begin` must meet. */
    if (!value || field == QUERY_SQLSTATE || strlen(value) > ENCODE_VALUE_MAX)
        return OK;
    struct buf *out = needle(query);
    encode_field(out, keys[field], value);
    if (field == QUERY_USER)
        query->user = out;
    return out->failed ? ERR_MEMORY : OK;
}

/* The name alone: it may stand in `relations` or in `refused`. */
static enum status add_name(struct query *query, const char *name)
{
    if (!name || strpbrk(name, "*?\""))
        return OK;
    const char *dot = strrchr(name, '.');
    struct buf text;
    buf_init(&text, 0);
    (void)encode_string(&text, dot ? dot + 1 : name, ENCODE_VALUE_MAX);
    struct buf *out = needle(query);
    if (buf_len(&text) > 2)
        buf_append(out, buf_head(&text) + 1, buf_len(&text) - 2);
    bool failed = text.failed || out->failed;
    buf_free(&text);
    return failed ? ERR_MEMORY : OK;
}

static bool texts_are_valid(const struct query *query)
{
    const char *const more[] = {query->table, query->column, query->patient};
    bool valid = true;
    for (size_t i = 0; i < QUERY_FIELDS; i++)
        valid = valid && (!query->text[i] || text_is_utf8(query->text[i], strlen(query->text[i])));
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        valid = valid && (!more[i] || text_is_utf8(more[i], strlen(more[i])));
    return valid;
}

enum status query_prepare(struct query *query, const char **why)
{
    query->needle_count = 0;
    query->user = NULL;
    buf_init(&query->patient_text, 0);
    *why = NULL;
    if (!texts_are_valid(query))
        *why = "what is searched for must be UTF-8";
    else if ((query->from && !is_time(query->from)) || (query->to && !is_time(query->to)))
        *why = "a time is UTC, as 2026, 2026-01, 2026-01-31, 2026-01-31T12, 2026-01-31T12:00 or "
               "2026-01-31T12:00:00";
    else if (query->inexact && !query->patient)
        *why = "--inexact goes with --patient";
    if (*why)
        return ERR_INVALID;
    enum status status = OK;
    for (size_t i = 0; i < QUERY_FIELDS && status == OK; i++)
        status = add_field(query, (enum query_field)i);
    if (status == OK)
        status = add_name(query, query->table);
    if (status == OK)
        status = add_name(query, query->column);
    if (status == OK && query->break_glass) {
        struct buf *out = needle(query);
        buf_str(out, ",\"break_glass\":true");
        status = out->failed ? ERR_MEMORY : OK;
    }
    if (status == OK && query->patient) {
        query->patient_is_number = query_number(query->patient, &query->patient_number);
        (void)encode_string(&query->patient_text, query->patient, ENCODE_VALUE_MAX);
        status = query->patient_text.failed ? ERR_MEMORY : OK;
    }
    return status;
}

void query_free(struct query *query)
{
    for (size_t i = 0; i < query->needle_count; i++)
        buf_free(&query->needles[i]);
    query->needle_count = 0;
    buf_free(&query->patient_text);
}

/* ---- bytes of a line ---- */

static bool holds(const char *line, size_t len, const char *bytes)
{
    return memmem(line, len, bytes, strlen(bytes)) != NULL;
}

bool query_may(const struct query *query, const char *line, size_t len)
{
    bool any = !query->either[0];
    for (size_t i = 0; i < sizeof query->either / sizeof query->either[0] && !any; i++)
        any = query->either[i] && holds(line, len, query->either[i]);
    if (!any)
        return false;
    for (size_t i = 0; i < query->needle_count; i++) {
        const struct buf *bytes = &query->needles[i];
        if (buf_len(bytes) && !memmem(line, len, buf_head(bytes), buf_len(bytes)))
            return false;
    }
    return true;
}

static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\')
            at++;
    }
    return at < end ? at + 1 : end;
}

static const char *take_integer(const char *at, const char *end, int64_t *number)
{
    bool minus = at < end && *at == '-';
    uint64_t value = 0;
    const char *start = minus ? at + 1 : at;
    for (at = start; at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    *number = minus ? (int64_t)(0 - value) : (int64_t)value;
    return at > start ? at : NULL;
}

/* The elements from `at` on, behind the "[": true as soon as one is the patient, or when they are
 * not spelled as ours are. */
static bool elements_name(const struct query *query, const char *at, const char *end)
{
    size_t len = buf_len(&query->patient_text);
    while (at < end && *at != ']') {
        if (*at == '"') {
            const char *start = at;
            at = skip_string(at, end);
            if ((size_t)(at - start) == len &&
                memcmp(start, buf_head(&query->patient_text), len) == 0)
                return true;
        } else if (*at == '[') {
            int64_t first = 0;
            int64_t last = 0;
            at = take_integer(at + 1, end, &first);
            if (!at || at >= end || *at != ',' || !(at = take_integer(at + 1, end, &last)) ||
                at >= end || *at != ']')
                return true;
            at++;
            if (query->patient_is_number && first <= query->patient_number &&
                query->patient_number <= last)
                return true;
        } else {
            return true;
        }
        if (at < end && *at == ',')
            at++;
    }
    return false;
}

bool query_line_patient(const struct query *query, const char *line, size_t len)
{
    static const char list[] = ",\"patients\":[";
    static const char one[] = ",\"patient\":";
    if (!query->patient)
        return true;
    /* Between the quotes of a value every quote is escaped: these stand only where keys do. */
    const char *at = memmem(line, len, list, sizeof list - 1);
    if (at && elements_name(query, at + sizeof list - 1, line + len))
        return true;
    at = memmem(line, len, one, sizeof one - 1);
    size_t wanted = buf_len(&query->patient_text);
    if (at && (size_t)(line + len - at) > sizeof one - 1 + wanted &&
        memcmp(at + sizeof one - 1, buf_head(&query->patient_text), wanted) == 0)
        return true;
    return query->inexact && holds(line, len, ",\"subjects\":\"aggregate\"");
}

bool query_line_user(const struct query *query, const char *line, size_t len)
{
    return !query->user || memmem(line, len, buf_head(query->user), buf_len(query->user));
}

bool query_in_period(const struct query *query, const char *time)
{
    return (!query->from || strncmp(time, query->from, strlen(query->from)) >= 0) &&
           (!query->to || strncmp(time, query->to, strlen(query->to)) <= 0);
}

/* ---- values ---- */

static const char *text_of(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

static bool relation_named(const char *wanted, const char *schema, const char *name)
{
    char full[2 * 8192 + 8];
    if (text_matches(wanted, name))
        return true;
    int len = snprintf(full, sizeof full, "%s.%s", schema, name);
    if (len < 0 || (size_t)len >= sizeof full)
        return false;
    return text_matches(wanted, full);
}

static bool relation_has_column(const json_t *relation, const char *wanted)
{
    static const char *const lists[] = {"shown", "masked", "written"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const json_t *list = json_object_get(relation, lists[i]);
        for (size_t k = 0; k < json_array_size(list); k++) {
            const char *name = json_string_value(json_array_get(list, k));
            if (name && text_matches(wanted, name))
                return true;
        }
    }
    return false;
}

/* "relation public.payroll", "column public.patients.nir": a refusal's relations are not listed. */
static bool refusal_names(const struct query *query, const char *refused)
{
    char object[1024];
    const char *space = refused ? strchr(refused, ' ') : NULL;
    if (!space || strlen(space + 1) >= sizeof object)
        return false;
    memcpy(object, space + 1, strlen(space + 1) + 1);
    const char *column = NULL;
    if (strncmp(refused, "column ", 7) == 0) {
        char *dot = strrchr(object, '.');
        column = dot ? dot + 1 : object;
        if (dot)
            *dot = '\0';
    }
    if (query->column && (!column || !text_matches(query->column, column)))
        return false;
    const char *dot = strrchr(object, '.');
    return !query->table || text_matches(query->table, object) ||
           (dot && text_matches(query->table, dot + 1));
}

static bool objects_match(const struct query *query, const json_t *record)
{
    if (!query->table && !query->column)
        return true;
    const json_t *relations = json_object_get(record, "relations");
    for (size_t i = 0; i < json_array_size(relations); i++) {
        const json_t *relation = json_array_get(relations, i);
        const char *schema = text_of(relation, "schema");
        const char *name = text_of(relation, "name");
        if (query->table && (!name || !relation_named(query->table, schema ? schema : "", name)))
            continue;
        if (!query->column || relation_has_column(relation, query->column))
            return true;
    }
    return refusal_names(query, text_of(record, "refused"));
}

bool query_matches(const struct query *query, const json_t *record)
{
    for (size_t i = 0; i < QUERY_FIELDS; i++) {
        const char *value = query->text[i] ? text_of(record, keys[i]) : NULL;
        if (query->text[i] && (!value || strcmp(value, query->text[i]) != 0))
            return false;
    }
    if (query->break_glass && !json_is_true(json_object_get(record, "break_glass")))
        return false;
    return objects_match(query, record);
}

bool query_is_patient(const struct query *query, const json_t *element)
{
    if (json_is_string(element))
        return strcmp(json_string_value(element), query->patient) == 0;
    return query->patient_is_number && json_array_size(element) == 2 &&
           json_integer_value(json_array_get(element, 0)) <= query->patient_number &&
           json_integer_value(json_array_get(element, 1)) >= query->patient_number;
}

bool query_names_patient(const struct query *query, const json_t *record)
{
    if (!query->patient)
        return true;
    const json_t *list = json_object_get(record, "patients");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (query_is_patient(query, json_array_get(list, i)))
            return true;
    }
    const char *one = text_of(record, "patient");
    if (one && strcmp(one, query->patient) == 0)
        return true;
    const char *subjects = text_of(record, "subjects");
    return query->inexact && subjects && strcmp(subjects, "aggregate") == 0;
}
