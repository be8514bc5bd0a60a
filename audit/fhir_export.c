/*
 * fhir_export.c: reads the trail, puts statements together, writes resources (see fhir_export.h).
 *
 * Trust boundary: the files may be a forger's; whether they are what was written is `audit
 * verify`'s to say. Here a line that is none of ours is told and passed over, and no line makes
 * memory grow beyond itself and the statements that are open.
 */
#include "fhir_export.h"
#include "fhir_places.h"
#include "lines.h"
#include "seen.h"
#include "shelf.h"
#include "spans.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OUT_BYTES      ((size_t)64 << 10)
#define PROGRESS_LINES 4096U

struct job {
    const struct fhir_export *export;
    struct fhir_exported *result;
    FILE *out;
    struct buf text; /* what is to be written */
    unsigned bundled;
    struct hasher *hasher;
    struct spans *spans; /* of the chain in hand */
    struct span *left;   /* of chains that were read */
    struct places after;
    struct places now;
    char started[CHAIN_TIME + 1]; /* the newest start of the server, and the newest end of one */
    char stopped[CHAIN_TIME + 1];
    const char *why;
    /* The line in hand. */
    unsigned chain;
    uint64_t first; /* number of the chain's first line that is here; 0: none yet */
    const char *file;
    uint64_t line;
    const char *bytes;
    size_t len;
    struct chain_line parsed;
};

static void problem(struct job *job, const char *what)
{
    job->result->problems++;
    if (job->export->on_problem)
        job->export->on_problem(job->file, job->line, what, job->export->context);
}

static enum status write_out(struct job *job)
{
    size_t len = buf_len(&job->text);
    job->why = "what was made cannot be written";
    if (job->text.failed)
        return ERR_MEMORY;
    if (len && fwrite(buf_head(&job->text), 1, len, job->out) != len)
        return ERR_IO;
    buf_clear(&job->text);
    job->why = NULL;
    return OK;
}

static enum status end_bundle(struct job *job)
{
    if (job->bundled == 0)
        return OK;
    job->bundled = 0;
    buf_str(&job->text, "]}\n");
    return write_out(job);
}

/* PUT, under an id that stays: what is sent twice is there once. */
static enum status resource(struct job *job, const struct fhir_event *event, const char *patient,
                            uint64_t number)
{
    const struct fhir_export *export = job->export;
    if (export->bundle)
        buf_str(&job->text,
                job->bundled ? ",{\"resource\":"
                             : "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":["
                               "{\"resource\":");
    enum status status = fhir_event_write(&export->fhir, event, patient, number, &job->text);
    if (status != OK)
        return status;
    job->result->resources++;
    if (export->bundle) {
        char id[FHIR_ID_MAX];
        fhir_event_id(event, number, id);
        buf_printf(&job->text, ",\"request\":{\"method\":\"PUT\",\"url\":\"AuditEvent/%s\"}}", id);
        return ++job->bundled == export->bundle ? end_bundle(job) : OK;
    }
    buf_byte(&job->text, '\n');
    return buf_len(&job->text) > OUT_BYTES ? write_out(job) : OK;
}

static bool wanted_text(const struct job *job, const char *patient)
{
    return !job->export->patient || strcmp(job->export->patient, patient) == 0;
}

/* A run of integers; `number` is the place of its first. */
static enum status resources_of_run(struct job *job, const struct fhir_event *event,
                                    const struct patient *run, uint64_t number)
{
    enum status status = OK;
    char text[24];
    int64_t first = run->first;
    int64_t last = run->last;
    if (job->export->patient) {
        char *end = NULL;
        errno = 0;
        long long wanted = strtoll(job->export->patient, &end, 10);
        (void)snprintf(text, sizeof text, "%lld", wanted);
        if (errno || strcmp(text, job->export->patient) != 0 || wanted < first || wanted > last)
            return OK;
        number += (uint64_t)wanted - (uint64_t)first;
        first = wanted;
        last = wanted;
    }
    for (int64_t at = first; status == OK; at++, number++) {
        (void)snprintf(text, sizeof text, "%" PRId64, at);
        status = resource(job, event, text, number);
        if (at == last)
            break;
    }
    return status;
}

/* One patient, or a run of them, as far as the statement has not had them yet. */
static enum status resources_of(struct job *job, const struct fhir_event *event, struct seen *seen,
                                const struct patient *patient, uint64_t *number)
{
    enum status status = OK;
    struct seen_run gap;
    struct patient number_text = {0};
    bool fresh = false;
    /* "17" and [17,17] are one patient. */
    if (patient->text && query_number(patient->text, &number_text.first)) {
        number_text.last = number_text.first;
        patient = &number_text;
    }
    if (patient->text) {
        status = seen_text(seen, patient->text, &fresh);
        if (status == OK && fresh && wanted_text(job, patient->text))
            status = resource(job, event, patient->text, *number);
        *number += fresh;
        return status;
    }
    while (status == OK && seen_gap(seen, patient->first, patient->last, &gap)) {
        const struct patient run = {.first = gap.first, .last = gap.last};
        status = resources_of_run(job, event, &run, *number);
        *number += (uint64_t)gap.last - (uint64_t)gap.first + 1;
        if (status == OK)
            status = seen_add(seen, gap.first, gap.last);
    }
    return status;
}

static enum status resources(struct job *job, const struct fhir_event *event,
                             struct patients *patients)
{
    struct patient patient;
    struct seen seen = {0};
    uint64_t number = 0;
    enum status status = OK;
    while ((status = patients_next(patients, &patient)) == OK || status == ERR_INVALID) {
        if (status == ERR_INVALID)
            problem(job, "its patients are not texts and pairs of integers");
        else
            status = resources_of(job, event, &seen, &patient, &number);
        if (status != OK && status != ERR_INVALID)
            break;
    }
    seen_free(&seen);
    if (status == ERR_IO && !job->why)
        job->why = "the temporary file for a long statement's patients";
    if (status != CLOSED)
        return status;
    if (number == 0 &&
        (!job->export->patient || (event->claimed && wanted_text(job, event->claimed))))
        return resource(job, event, NULL, 0);
    return OK;
}

static enum status emit(struct job *job, const struct fhir_record *record, const struct span *span)
{
    struct fhir_event event;
    struct patients patients;
    enum status status = fhir_event_make(&job->export->fhir, record, &event);
    if (status == ERR_INVALID) {
        problem(job, "this is no record");
        return OK;
    }
    if (status != OK)
        return status;
    uint64_t before = job->result->resources;
    patients_of(&patients, record->record, span);
    status = resources(job, &event, &patients);
    patients_end(&patients);
    fhir_event_free(&event);
    job->result->records += job->result->resources > before;
    return status;
}

static enum status emit_span(struct job *job, struct span *span, const json_t *end,
                             enum fhir_end how)
{
    struct fhir_record record = {
        .record = span->begin,
        .end = end,
        .how = how,
        .chain = span->chain,
        .hash = span->hash,
        .rows = span->rows,
        .aggregate = span->aggregate,
    };
    return emit(job, &record, span);
}

/* NULL: it was told. */
static json_t *load(struct job *job)
{
    json_t *object = json_loadb(job->bytes, job->len, 0, NULL);
    if (json_is_object(object))
        return object;
    json_decref(object);
    problem(job, "this is no JSON object");
    return NULL;
}

static bool in_period(const struct job *job)
{
    return query_in_period(job->export->period, job->parsed.time);
}

static bool is_done(const struct job *job)
{
    const struct place *after = places_find(&job->after, job->chain);
    return after && job->parsed.seq <= after->last && !place_has(after, job->parsed.seq);
}

static enum status on_record(struct job *job)
{
    char hash[CHAIN_HASH_HEX + 1];
    if (!in_period(job) || is_done(job))
        return OK;
    json_t *object = load(job);
    if (!object)
        return OK;
    enum status status = hasher_line(job->hasher, job->bytes, job->len, hash);
    const char *subjects = json_string_value(json_object_get(object, "subjects"));
    struct fhir_record record = {
        .record = object,
        .how = FHIR_ENDED,
        .chain = job->chain,
        .hash = hash,
        .aggregate = subjects && strcmp(subjects, "aggregate") == 0,
    };
    if (status == OK)
        status = emit(job, &record, NULL);
    json_decref(object);
    return status;
}

/* Inside a JSON text a quote has a backslash: these bytes can only be the member itself. */
static bool is_event(const struct job *job, const char *member)
{
    return memmem(job->bytes, job->len, member, strlen(member)) != NULL;
}

static enum status on_event(struct job *job)
{
    char *newest = is_event(job, "\"event\":\"start\"")  ? job->started
                   : is_event(job, "\"event\":\"stop\"") ? job->stopped
                                                         : NULL;
    if (newest && strcmp(newest, job->parsed.time) < 0)
        memcpy(newest, job->parsed.time, sizeof job->parsed.time);
    return on_record(job);
}

static enum status on_begin(struct job *job)
{
    char hash[CHAIN_HASH_HEX + 1];
    if (!in_period(job) || is_done(job))
        return OK;
    json_t *object = load(job);
    if (!object)
        return OK;
    enum status status = hasher_line(job->hasher, job->bytes, job->len, hash);
    if (status == OK)
        status = spans_begin(job->spans, job->chain, job->parsed.seq, hash, object);
    json_decref(object);
    if (status == ERR_INVALID) {
        problem(job, "another line of this number has begun a statement");
        return OK;
    }
    return status;
}

/* The open statement that this line goes on with; *object is then the caller's. One that began in a
 * file that is not here is told: what it read belongs to whoever has that file. */
static struct span *continued(struct job *job, json_t **object)
{
    static const char member[] = "\"begin\":";
    const char *at = memmem(job->bytes, job->len, member, sizeof member - 1);
    *object = NULL;
    if (!at)
        return NULL;
    uint64_t begin = strtoull(at + sizeof member - 1, NULL, 10);
    struct span *span = spans_find(job->spans, begin);
    if (span)
        *object = load(job);
    else if (begin < job->first && in_period(job) && !is_done(job))
        problem(job, "the line that its statement began with is in a file that is not here");
    return *object ? span : NULL;
}

static enum status on_more(struct job *job)
{
    json_t *object = NULL;
    struct span *span = continued(job, &object);
    enum status status = span ? span_more(span, object) : OK;
    json_decref(object);
    if (status == ERR_IO)
        job->why = "the temporary file for a long statement's patients";
    return status;
}

static enum status on_end(struct job *job)
{
    json_t *object = NULL;
    struct span *span = continued(job, &object);
    if (!span)
        return OK;
    /* The last part of the result left with it. */
    enum status status = span_more(span, object);
    if (status == ERR_IO)
        job->why = "the temporary file for a long statement's patients";
    if (status == OK)
        status = emit_span(job, span, object, FHIR_ENDED);
    spans_take(job->spans, span);
    span_free(span);
    json_decref(object);
    return status;
}

static enum status on_own(struct job *job)
{
    (void)job; /* the chain's own: who checks it reads the chain */
    return OK;
}

struct type_row {
    const char *type;
    enum status (*on)(struct job *job);
};

static const struct type_row types[] = {
    {"whole", on_record}, {"begin", on_begin}, {"more", on_more},      {"end", on_end},
    {"event", on_event},  {"header", on_own},  {"checkpoint", on_own},
};

static enum status one_line(struct job *job)
{
    if (!chain_line_parse(job->bytes, job->len, &job->parsed)) {
        problem(job, "this does not begin as a line of the trail does");
        return OK;
    }
    struct place *now = places_add(&job->now, job->chain);
    if (!now)
        return ERR_MEMORY;
    if (job->first == 0)
        job->first = job->parsed.seq;
    if (job->parsed.seq > now->last)
        now->last = job->parsed.seq;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].type, job->parsed.type) == 0)
            return types[i].on(job);
    }
    return on_record(job); /* recovery, and what later versions write */
}

static enum status open_file(const struct shelf *shelf, const struct shelf_file *file,
                             struct lines **lines, const char **why)
{
    enum status status = lines_open_at(shelf->dir_fd, file->name, lines, why);
    if (status != ERR_IO || errno != ENOENT || file->compressed)
        return status;
    /* It was compressed since the directory was read. */
    char packed[SHELF_NAME_MAX + 8];
    (void)snprintf(packed, sizeof packed, "%s.zst", file->name);
    return lines_open_at(shelf->dir_fd, packed, lines, why);
}

static void progress(struct job *job, const struct shelf *shelf, uint64_t before,
                     const struct lines *lines)
{
    if (job->export->on_progress && job->line % PROGRESS_LINES == 0)
        job->export->on_progress(before + lines_read(lines), shelf->bytes, job->export->context);
}

static enum status read_lines(struct job *job, const struct shelf *shelf, uint64_t before,
                              bool may_grow, struct lines *lines)
{
    for (;;) {
        enum status status = lines_next(lines, &job->bytes, &job->len);
        job->line++;
        progress(job, shelf, before, lines);
        if (status == OK) {
            status = one_line(job);
        } else if (status == CLOSED || (status == NEED_MORE && may_grow)) {
            return OK;
        } else if (status == NEED_MORE) {
            problem(job, "the file ends within a line");
            return OK;
        } else if (status == ERR_LIMIT) {
            problem(job, "a line longer than any of the trail's");
            status = OK;
        } else if (status == ERR_INVALID) {
            problem(job, "compressed bytes that do not decompress");
            status = OK;
        } else {
            job->why = job->file;
        }
        if (status != OK)
            return status;
    }
}

static enum status read_file(struct job *job, const struct shelf *shelf, size_t index,
                             uint64_t before)
{
    struct lines *lines = NULL;
    const struct shelf_file *file = &shelf->files[index];
    if (index == 0 || shelf->files[index - 1].chain != file->chain)
        job->first = 0;
    job->chain = file->chain;
    job->file = file->name;
    job->line = 0;
    enum status status = open_file(shelf, file, &lines, &job->why);
    if (status != OK)
        return status;
    status = read_lines(job, shelf, before, file->last, lines);
    lines_close(lines);
    job->result->files++;
    return status;
}

static void keep_leftover(struct job *job)
{
    struct span **end = &job->left;
    while (*end)
        end = &(*end)->next;
    *end = spans_leftover(job->spans);
}

/* Whether the end of a statement can still come: not when the server has ended or begun since. */
static enum fhir_end how_it_stands(const struct job *job, const struct span *span)
{
    const char *began = json_string_value(json_object_get(span->begin, "time"));
    if (began && (strcmp(began, job->started) < 0 || strcmp(began, job->stopped) < 0))
        return FHIR_CUT;
    return FHIR_NO_END;
}

static enum status emit_leftover(struct job *job)
{
    enum status status = OK;
    while (job->left && status == OK) {
        struct span *span = job->left;
        enum fhir_end how = how_it_stands(job, span);
        status = emit_span(job, span, NULL, how);
        struct place *place = how == FHIR_NO_END ? places_add(&job->now, span->chain) : NULL;
        if (status == OK && place)
            status = place_open(place, span->seq);
        job->result->no_end += how == FHIR_NO_END;
        job->left = span->next;
        span_free(span);
    }
    return status;
}

static enum status read_all(struct job *job)
{
    struct shelf shelf;
    uint64_t before = 0;
    job->why = job->export->directory;
    enum status status = shelf_open(job->export->directory, &shelf);
    if (status != OK)
        return status;
    job->why = NULL;
    for (size_t i = 0; status == OK && i < shelf.count; i++) {
        status = read_file(job, &shelf, i, before);
        before += shelf.files[i].size;
        if (shelf.files[i].last)
            keep_leftover(job);
    }
    if (status == OK)
        status = emit_leftover(job);
    job->file = NULL;
    int error = errno;
    shelf_close(&shelf);
    errno = error;
    return status;
}

/* Where the next export goes on: chains that are not here any more stay as they were. */
static enum status tell_position(struct job *job)
{
    for (size_t i = 0; i < job->after.count; i++) {
        struct place *now = places_add(&job->now, job->after.at[i].chain);
        if (!now)
            return ERR_MEMORY;
        if (now->last < job->after.at[i].last)
            now->last = job->after.at[i].last;
    }
    job->result->position = places_text(&job->now);
    return job->result->position ? OK : ERR_MEMORY;
}

enum status fhir_export_run(const struct fhir_export *export, FILE *out,
                            struct fhir_exported *result, const char **why)
{
    struct job job = {.export = export, .result = result, .out = out};
    memset(result, 0, sizeof *result);
    buf_init(&job.text, 0);
    job.hasher = hasher_new();
    job.spans = spans_new();
    enum status status = job.hasher && job.spans ? OK : ERR_MEMORY;
    if (status == OK && export->after) {
        job.why = "the position to go on behind";
        status = places_parse(export->after, &job.after);
    }
    if (status == OK)
        status = read_all(&job);
    if (status == OK)
        status = end_bundle(&job);
    if (status == OK)
        status = write_out(&job);
    if (status == OK && fflush(out) != 0) {
        job.why = "what was made cannot be written";
        status = ERR_IO;
    }
    if (status == OK)
        status = tell_position(&job);
    int error = errno;
    *why = job.why;
    while (job.left) {
        struct span *next = job.left->next;
        span_free(job.left);
        job.left = next;
    }
    spans_free(job.spans);
    hasher_free(job.hasher);
    places_free(&job.after);
    places_free(&job.now);
    buf_free(&job.text);
    errno = error;
    return status;
}
