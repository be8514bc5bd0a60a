/*
 * fhir.c: AuditEvent (see fhir.h). docs/audit.md has the mapping as a table.
 *
 * Trust boundary: a record's texts are the client's and the application's (SQL, names, reasons), or
 * a forger's. Nothing of them becomes a code of HL7's or DICOM's; what is free text is cleaned to
 * what FHIR calls a string.
 */
#include "fhir.h"
#include "fhir_string.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Leading digits of the line's hash in an id: 128 bits. */
#define ID_HASH 32

static const char *text_of(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

static json_t *coding(const char *system, const char *code, const char *display)
{
    return json_pack("{s:s, s:s, s:s*}", "system", system, "code", code, "display", display);
}

static json_t *code_of(const struct fhir_code *code)
{
    return coding(code->system, code->code, code->display);
}

/* A word of the policy's or the client's in a code system of ours; as text where it is no code. */
static json_t *concept(const char *system, const char *word)
{
    json_t *text = fhir_string(word);
    if (!text)
        return NULL;
    if (!fhir_is_code(word))
        return json_pack("{s:o}", "text", text);
    return json_pack("{s:[o], s:o}", "coding", coding(system, word, NULL), "text", text);
}

static json_t *purpose_of(const json_t *record)
{
    const char *purpose = text_of(record, "purpose");
    json_t *mission = fhir_string(text_of(record, "mission"));
    if (purpose && fhir_purpose_known(purpose))
        return json_pack("{s:[o], s:o*}", "coding", coding(FHIR_ACT_REASON, purpose, NULL), "text",
                         mission);
    json_t *own = fhir_string(purpose);
    if (own && mission) {
        json_t *both = json_sprintf("%s: %s", json_string_value(mission), json_string_value(own));
        json_decref(own);
        json_decref(mission);
        return json_pack("{s:o}", "text", both);
    }
    return own || mission ? json_pack("{s:o}", "text", own ? own : mission) : NULL;
}

/* What is there; an array of none is not allowed in FHIR. Steals both. */
static json_t *array_of(json_t *one, json_t *other)
{
    json_t *array = one || other ? json_array() : NULL;
    if (one && json_array_append_new(array, one) != 0)
        return NULL;
    if (other && json_array_append_new(array, other) != 0)
        return NULL;
    return array;
}

static json_t *network(const json_t *record)
{
    json_t *address = fhir_string(text_of(record, "address"));
    return address ? json_pack("{s:o, s:s}", "address", address, "type", "2") : NULL;
}

static json_t *identifier(const char *system, const char *value)
{
    json_t *text = fhir_string(value);
    return text ? json_pack("{s:s*, s:o}", "system", system, "value", text) : NULL;
}

static json_t *who(const char *system, const char *value)
{
    json_t *display = fhir_string(value);
    return display ? json_pack("{s:o, s:o}", "identifier", identifier(system, value), "display",
                               display)
                   : NULL;
}

/* Whoever works: what she reads comes to her, what she writes comes from her. */
static json_t *participation(const char *action)
{
    const char *code = strcmp(action, "R") == 0 ? "IRCP" : strcmp(action, "E") != 0 ? "AUT" : NULL;
    return code ? json_pack("{s:[o]}", "coding", coding(FHIR_PARTICIPATION, code, NULL)) : NULL;
}

static json_t *user_agent(const struct fhir_options *options, const json_t *record,
                          const char *action)
{
    const char *person = text_of(record, "person");
    const char *login = text_of(record, "login");
    const char *named = person ? person : login;
    if (!named)
        return NULL;
    return json_pack("{s:o*, s:o*, s:o*, s:o*, s:o*, s:b, s:o*, s:o*}", "type",
                     participation(action), "role",
                     array_of(concept(FHIR_OUR_ROLE, text_of(record, "role")), NULL), "who",
                     who(options->user_system, named), "altId", fhir_string(login), "name",
                     fhir_string(named), "requestor", 1, "network", network(record), "purposeOfUse",
                     array_of(purpose_of(record), NULL));
}

static json_t *dicom_agent(const char *code, const char *display, json_t *whom, json_t *where)
{
    return json_pack("{s:{s:[o]}, s:o*, s:b, s:o*}", "type", "coding",
                     coding(FHIR_DCM, code, display), "who", whom, "requestor", 0, "network",
                     where);
}

static json_t *pgvigil_reference(void)
{
    return json_pack("{s:s, s:s}", "type", "Device", "display", "pgvigil");
}

static json_t *client_agent(const json_t *record)
{
    json_t *address = network(record);
    json_t *application = fhir_string(text_of(record, "application"));
    if (!address && !application)
        return NULL;
    return dicom_agent("110153", "Source Role ID",
                       application ? json_pack("{s:o}", "display", application) : NULL, address);
}

static json_t *agents(const struct fhir_options *options, const json_t *record, const char *action)
{
    json_t *array = json_array();
    json_t *user = user_agent(options, record, action);
    json_t *client = client_agent(record);
    const char *database = text_of(record, "database");
    if (user)
        (void)json_array_append_new(array, user);
    if (client)
        (void)json_array_append_new(array, client);
    if (database)
        (void)json_array_append_new(array, dicom_agent("110152", "Destination Role ID",
                                                       who(FHIR_OUR_DATABASE, database), NULL));
    /* pgvigil's own doing: it started, it read its configuration. */
    if (json_array_size(array) == 0)
        (void)json_array_append_new(
            array, dicom_agent("110150", "Application", pgvigil_reference(), NULL));
    return array;
}

static json_t *subtypes(const json_t *record, const struct fhir_class *class)
{
    json_t *array = json_array();
    const char *kind = text_of(record, "statement");
    const char *event = text_of(record, "event");
    const char *word = kind ? kind : event ? event : text_of(record, "type");
    if (class->subtype.code)
        (void)json_array_append_new(array, code_of(&class->subtype));
    if (word && fhir_is_code(word))
        (void)json_array_append_new(array,
                                    coding(kind ? FHIR_OUR_STATEMENT : FHIR_OUR_EVENT, word, NULL));
    if (kind && json_is_true(json_object_get(record, "break_glass")))
        (void)json_array_append_new(array, coding(FHIR_OUR_EVENT, "break-glass", NULL));
    if (json_array_size(array) > 0)
        return array;
    json_decref(array);
    return NULL;
}

/* "refused: relation public.payroll (42501)". */
static json_t *described(const char *what, const char *object, const char *sqlstate)
{
    json_t *name = fhir_string(object);
    json_t *state = fhir_string(sqlstate);
    json_t *text =
        json_sprintf("%s%s%s%s%s%s", what, name ? ": " : "", name ? json_string_value(name) : "",
                     state ? " (" : "", state ? json_string_value(state) : "", state ? ")" : "");
    json_decref(name);
    json_decref(state);
    return text;
}

static const char *statement_outcome(const struct fhir_record *from,
                                     const struct fhir_options *options, json_t **description)
{
    const json_t *end = from->end ? from->end : from->record;
    const char *sqlstate = text_of(end, "sqlstate");
    const char *decision = text_of(from->record, "decision");
    const json_t *observed = json_object_get(from->record, "observed");
    const char *would = text_of(observed, "decision");
    const char *outcome = fhir_sqlstate_outcome(sqlstate);
    if (from->how == FHIR_CUT) {
        *description = described(fhir_text(FHIR_DIED, options->lang), NULL, NULL);
        return "12";
    }
    if (from->how == FHIR_NO_END) {
        *description = described(fhir_text(FHIR_RUNNING, options->lang), NULL, NULL);
        return NULL;
    }
    if (!decision || strcmp(decision, "allow") != 0) {
        *description = described(fhir_text(FHIR_REFUSED, options->lang),
                                 text_of(from->record, "refused"), sqlstate);
        return strcmp(outcome, "0") == 0 ? "4" : outcome;
    }
    if (json_is_true(json_object_get(end, "unfinished"))) {
        *description = described(fhir_text(FHIR_UNFINISHED, options->lang), NULL, sqlstate);
        return "8";
    }
    if (sqlstate)
        *description = described(fhir_text(FHIR_ERROR, options->lang), NULL, sqlstate);
    else if (would && strcmp(would, "allow") != 0)
        *description = described(fhir_text(FHIR_OBSERVED, options->lang),
                                 text_of(observed, "object"), text_of(observed, "sqlstate"));
    return outcome;
}

static json_t *source(const struct fhir_options *options)
{
    return json_pack("{s:o*, s:o, s:[o]}", "site", fhir_string(options->site), "observer",
                     pgvigil_reference(), "type", coding(FHIR_SOURCE_TYPE, "6", "Security Server"));
}

static json_t *period(const struct fhir_record *from)
{
    const char *end = text_of(from->end, "time");
    return end ? json_pack("{s:s, s:s}", "start", text_of(from->record, "time"), "end", end) : NULL;
}

static json_t *why(const json_t *record)
{
    json_t *reason = fhir_string(text_of(record, "reason"));
    return array_of(purpose_of(record), reason ? json_pack("{s:o}", "text", reason) : NULL);
}

/* The members before "entity", as text without the braces. */
static char *head(const struct fhir_options *options, const struct fhir_record *from)
{
    bool statement = text_of(from->record, "statement") != NULL;
    struct fhir_class class =
        statement ? fhir_statement_class(from->record) : fhir_event_class(from->record);
    json_t *description = NULL;
    const char *outcome = class.outcome;
    if (statement)
        outcome = statement_outcome(from, options, &description);
    else if (strcmp(outcome, "0") != 0)
        description = fhir_string(text_of(from->record, "detail"));
    json_t *object = json_pack(
        "{s:o, s:o*, s:s, s:o*, s:s, s:s*, s:o*, s:o*, s:o, s:o}", "type", code_of(&class.type),
        "subtype", subtypes(from->record, &class), "action", class.action, "period", period(from),
        "recorded", text_of(from->record, "time"), "outcome", outcome, "outcomeDesc", description,
        "purposeOfEvent", why(from->record), "agent", agents(options, from->record, class.action),
        "source", source(options));
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    size_t len = text ? strlen(text) : 0;
    if (len < 2) {
        free(text);
        return NULL;
    }
    memmove(text, text + 1, len - 2);
    text[len - 2] = '\0';
    return text;
}

static bool detail(json_t *details, const char *type, json_t *value)
{
    return !value || json_array_append_new(
                         details, json_pack("{s:s, s:o}", "type", type, "valueString", value)) == 0;
}

static json_t *number_text(const json_t *value)
{
    return json_is_integer(value) ? json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value))
                                  : NULL;
}

static json_t *entity(const char *role, const char *display, json_t *name, json_t *details)
{
    if (details && json_array_size(details) == 0) {
        json_decref(details);
        details = NULL;
    }
    return json_pack("{s:o, s:o, s:o*, s:o*}", "type",
                     coding(FHIR_ENTITY_TYPE, "2", "System Object"), "role",
                     coding(FHIR_OBJECT_ROLE, role, display), "name", name, "detail", details);
}

/* sev-1: an entity has a name or a query, never both. Ours with a query has nothing else. */
static json_t *query_entity(const json_t *record)
{
    const char *sql = text_of(record, "sql");
    size_t len = sql ? strlen(sql) : 0;
    if (len == 0 || len > ((size_t)64 << 20))
        return NULL;
    char *encoded = malloc((len + 2) / 3 * 4 + 1);
    if (!encoded)
        return NULL;
    (void)EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)sql, (int)len);
    json_t *object = entity("24", "Query", NULL, NULL);
    (void)json_object_set_new(object, "query", json_string(encoded));
    free(encoded);
    return object;
}

/* "id, family_name". */
static json_t *listed(const json_t *names)
{
    struct buf out;
    buf_init(&out, 0);
    size_t index = 0;
    json_t *name = NULL;
    json_array_foreach((json_t *)names, index, name)
    {
        buf_str(&out, index ? ", " : "");
        buf_str(&out, json_is_string(name) ? json_string_value(name) : "");
    }
    buf_byte(&out, '\0');
    json_t *text = out.failed ? NULL : fhir_string((const char *)buf_head(&out));
    buf_free(&out);
    return text;
}

static json_t *relation_entity(const json_t *relation)
{
    static const char *const columns[] = {"shown", "masked", "written"};
    const char *schema = text_of(relation, "schema");
    const char *name = text_of(relation, "name");
    json_t *full = json_sprintf("%s%s%s", schema ? schema : "", schema && *schema ? "." : "",
                                name ? name : "");
    json_t *clean = fhir_string(json_string_value(full));
    json_t *details = json_array();
    json_decref(full);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        (void)detail(details, columns[i], listed(json_object_get(relation, columns[i])));
    /* Rows that are deleted get no values: there is no column to name. */
    const json_t *written = json_object_get(relation, "written");
    if (written && json_array_size(written) == 0)
        (void)detail(details, "written", json_string("rows"));
    return entity("22", "Table", clean, details);
}

/* The record itself: where it stands, and what FHIR has no element for. */
static json_t *record_entity(const struct fhir_record *from)
{
    static const char *const texts[] = {
        "identity", "auth",  "tls",  "rule", "refused", "tag", "detail",       "fingerprint",
        "sqlstate", "error", "from", "to",   "why",     "who", "previous_key", "cut_sha256"};
    static const char *const numbers[] = {
        "session",         "port",      "rows", "bytes",     "microseconds", "sql_bytes",
        "refused_records", "cut_bytes", "last", "technical", "care",         "other"};
    json_t *details = json_array();
    (void)detail(details, "line", json_string(from->hash));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const json_t *value = json_object_get(from->record, texts[i]);
        if (!value)
            value = json_object_get(from->end, texts[i]);
        (void)detail(details, texts[i], fhir_string(json_string_value(value)));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const json_t *value = json_object_get(from->record, numbers[i]);
        if (!value)
            value = json_object_get(from->end, numbers[i]);
        (void)detail(details, numbers[i], number_text(value));
    }
    if (from->how != FHIR_ENDED)
        (void)detail(details, "rows", json_sprintf("%" PRIu64, from->rows));
    if (from->aggregate)
        (void)detail(details, "subjects", json_string("aggregate"));
    const json_t *observed = json_object_get(from->record, "observed");
    if (observed)
        (void)detail(details, "observed", fhir_string(text_of(observed, "decision")));
    json_t *name = json_sprintf("audit-%u:%" JSON_INTEGER_FORMAT, from->chain,
                                json_integer_value(json_object_get(from->record, "seq")));
    return entity("20", "Job", name, details);
}

static bool append(struct buf *out, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text)
        return false;
    buf_byte(out, ',');
    buf_str(out, text);
    free(text);
    return true;
}

static enum status entities(const struct fhir_record *from, char **text)
{
    struct buf out;
    buf_init(&out, 0);
    bool good = true;
    size_t index = 0;
    json_t *relation = NULL;
    if (text_of(from->record, "sql"))
        good = append(&out, query_entity(from->record));
    json_array_foreach(json_object_get(from->record, "relations"), index, relation)
    {
        good = good && append(&out, relation_entity(relation));
    }
    good = good && append(&out, record_entity(from));
    buf_byte(&out, '\0');
    if (good && !out.failed)
        *text = strdup((const char *)buf_head(&out));
    buf_free(&out);
    return *text ? OK : ERR_MEMORY;
}

enum status fhir_event_make(const struct fhir_options *options, const struct fhir_record *record,
                            struct fhir_event *event)
{
    const char *patient = text_of(record->record, "patient");
    memset(event, 0, sizeof *event);
    if (!text_of(record->record, "time"))
        return ERR_INVALID;
    event->hash = record->hash;
    event->aggregate = record->aggregate;
    event->head = head(options, record);
    enum status status = event->head ? entities(record, &event->entities) : ERR_MEMORY;
    if (status == OK && patient) {
        event->claimed = strdup(patient);
        status = event->claimed ? OK : ERR_MEMORY;
    }
    if (status != OK)
        fhir_event_free(event);
    return status;
}

void fhir_event_free(struct fhir_event *event)
{
    free(event->head);
    free(event->entities);
    free(event->claimed);
    memset(event, 0, sizeof *event);
}

void fhir_event_id(const struct fhir_event *event, uint64_t number, char out[FHIR_ID_MAX])
{
    (void)snprintf(out, FHIR_ID_MAX, "%.*s-%" PRIu64, ID_HASH, event->hash, number);
}

/* `how`: what makes it doubtful that this patient's rows left, or NULL. */
static json_t *patient_entity(const struct fhir_options *options, const char *patient,
                              const char *how)
{
    json_t *reference = options->patient_reference && fhir_is_id(patient)
                            ? json_sprintf("%s%s", options->patient_reference, patient)
                            : NULL;
    json_t *what = json_pack("{s:o*, s:s, s:o*}", "reference", reference, "type", "Patient",
                             "identifier", identifier(options->patient_system, patient));
    json_t *details = NULL;
    if (how)
        details = json_pack("[{s:s, s:s}]", "type", "subjects", "valueString", how);
    return json_pack("{s:o, s:o, s:o, s:o*}", "what", what, "type",
                     coding(FHIR_ENTITY_TYPE, "1", "Person"), "role",
                     coding(FHIR_OBJECT_ROLE, "1", "Patient"), "detail", details);
}

enum status fhir_event_write(const struct fhir_options *options, const struct fhir_event *event,
                             const char *patient, uint64_t number, struct buf *out)
{
    char id[FHIR_ID_MAX];
    const char *shown = patient ? patient : event->claimed;
    const char *how = !patient ? "given" : event->aggregate ? "aggregate" : NULL;
    fhir_event_id(event, number, id);
    buf_str(out, "{\"resourceType\":\"AuditEvent\",\"id\":\"");
    buf_str(out, id);
    buf_str(out, "\",\"language\":\"");
    buf_str(out, fhir_lang_code(options->lang));
    buf_str(out, "\",");
    buf_str(out, event->head);
    buf_str(out, ",\"entity\":[");
    if (shown) {
        char *text = NULL;
        json_t *object = patient_entity(options, shown, how);
        if (object)
            text = json_dumps(object, JSON_COMPACT);
        json_decref(object);
        if (!text)
            return ERR_MEMORY;
        buf_str(out, text);
        free(text);
    }
    /* Each of the others has its comma before it. */
    buf_str(out, shown ? event->entities : event->entities + 1);
    buf_str(out, "]}");
    return out->failed ? ERR_MEMORY : OK;
}
