/*
 * search_chain.c: a search within one chain (see search.h).
 *
 * Trust boundary: lines may be anything. What is no record is told and passed over; a record whose
 * fields are not of the kind that they should be does not match, or is told; nothing that a line
 * says makes us allocate more than a bound.
 */
#include "search_chain.h"
#include "chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGUN_BYTES    ((size_t)64 << 20) /* of all chains together */
#define BEGUN_COUNT    100000U
#define PROGRESS_LINES 16384U

static const char *file_name_of(const struct search_chain *chain)
{
    return chain->search->shelf.files[chain->at].name;
}

static void damage(struct search_chain *chain, const char *file, uint64_t line, const char *what)
{
    struct search *search = chain->search;
    search->counts.damaged++;
    if (search->events.on_damage)
        search->events.on_damage(file, line, what, search->events.context);
}

static void not_indexed(struct search *search, const char *file, const char *what)
{
    if (search->events.on_index)
        search->events.on_index(file, what, search->events.context);
}

/* ---- which blocks ---- */

/* False: this index is not to be used. */
static enum status meet_key(const struct index *index, enum index_kind kind, const char *text,
                            bool inexact, struct index_set *wanted)
{
    struct index_set found = {0};
    enum status status = index_set_new(index, false, &found);
    if (status == OK)
        status = index_find(index, kind, text, &found);
    if (status == OK && inexact)
        status = index_find(index, INDEX_INEXACT, "", &found);
    if (status == OK)
        index_set_meet(wanted, &found);
    index_set_free(&found);
    return status;
}

static void leave_out_of_period(const struct query *query, const struct index *index,
                                struct index_set *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        const struct index_block *block = index_block(index, i);
        if ((query->from && strncmp(block->to, query->from, strlen(query->from)) < 0) ||
            (query->to && strncmp(block->from, query->to, strlen(query->to)) > 0))
            wanted->bits[i >> 3] = (unsigned char)(wanted->bits[i >> 3] & ~(1u << (i & 7)));
    }
}

static enum status want_begun(const struct index *index, uint64_t seq, struct index_set *wanted)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)seq);
    return index_find(index, INDEX_BEGUN, digits, wanted);
}

static bool is_met(const struct begun_statement *statement)
{
    return statement->line && statement->met;
}

static enum status choose_blocks(struct search_chain *chain)
{
    const struct query *query = chain->search->query;
    struct index_set *wanted = &chain->wanted;
    enum status status = index_set_new(chain->index, true, wanted);
    if (status != OK)
        return status;
    leave_out_of_period(query, chain->index, wanted);
    if (query->text[QUERY_USER])
        status = meet_key(chain->index, INDEX_PERSON, query->text[QUERY_USER], false, wanted);
    if (status == OK && query->patient)
        status = meet_key(chain->index, INDEX_SUBJECT, query->patient, query->inexact, wanted);
    for (size_t i = 0; i < chain->begun.count && status == OK; i++) {
        if (is_met(&chain->begun.items[i]))
            status = want_begun(chain->index, chain->begun.items[i].seq, wanted);
    }
    return status;
}

static void drop_index(struct search_chain *chain)
{
    index_set_free(&chain->wanted);
    index_close(chain->index);
    chain->index = NULL;
}

/* A statement that will be an answer: its other lines are wanted, too. */
static enum status follow(struct search_chain *chain, uint64_t seq)
{
    if (!chain->index)
        return OK;
    enum status status = want_begun(chain->index, seq, &chain->wanted);
    if (status == ERR_MEMORY || status == OK)
        return status;
    not_indexed(chain->search, file_name_of(chain), "its index is damaged");
    for (size_t i = 0; i < chain->wanted.count; i++)
        index_set_add(&chain->wanted, i);
    return OK;
}

/* ---- files ---- */

static bool may_use_index(const struct search *search)
{
    const struct query *query = search->query;
    return search->indexed && search->index_fd >= 0 &&
           (query->patient || query->text[QUERY_USER] || query->from || query->to);
}

/* *index NULL: the file is read whole. */
static enum status open_at(struct search *search, const struct shelf_file *file,
                           struct lines **lines, struct index **index, const char **why)
{
    *index = NULL;
    enum status status = lines_open_at(search->shelf.dir_fd, file->name, lines, why);
    if (status == ERR_IO && !file->compressed) {
        /* Compressed since the listing? */
        char packed[SHELF_NAME_MAX + 8];
        (void)snprintf(packed, sizeof packed, "%s.zst", file->name);
        if (faccessat(search->shelf.dir_fd, packed, R_OK, 0) == 0)
            status = lines_open_at(search->shelf.dir_fd, packed, lines, why);
    }
    if (status != OK || !may_use_index(search))
        return status;
    char name[SHELF_NAME_MAX + sizeof INDEX_SUFFIX];
    const char *wrong = NULL;
    shelf_stem(file, name);
    memcpy(name + strlen(name), INDEX_SUFFIX, sizeof INDEX_SUFFIX);
    status = index_open(search->index_fd, name, *lines, index, &wrong);
    if (status == ERR_INVALID)
        not_indexed(search, file->name, wrong);
    else if (status == ERR_IO)
        not_indexed(search, file->name, "its index cannot be read");
    return status == ERR_MEMORY ? status : OK;
}

static void close_file(struct search_chain *chain)
{
    drop_index(chain);
    lines_close(chain->lines);
    chain->lines = NULL;
    chain->search->bytes_done += chain->search->shelf.files[chain->at].size;
    chain->at++;
}

static enum status open_file(struct search_chain *chain)
{
    struct search *search = chain->search;
    const struct shelf_file *file = &search->shelf.files[chain->at];
    const char *why = NULL;
    chain->line = 0;
    chain->block = 0;
    chain->block_end = 0;
    enum status status = open_at(search, file, &chain->lines, &chain->index, &why);
    if (status == ERR_MEMORY)
        return status;
    if (status != OK) {
        damage(chain, file->name, 0, why ? why : "cannot be read");
        chain->lines = NULL;
        close_file(chain);
        return OK;
    }
    search->counts.files++;
    if (!chain->index)
        return OK;
    status = choose_blocks(chain);
    if (status == ERR_INVALID || status == ERR_IO) {
        not_indexed(search, file->name, "its index is damaged");
        drop_index(chain);
        return OK;
    }
    if (status != OK)
        return status;
    search->counts.indexed++;
    for (uint64_t i = index_damaged(chain->index); i > 0; i--)
        damage(chain, file->name, 0, "holds a line that is no record");
    return OK;
}

/* Goes on to where something is wanted: in a block, or behind all that the index covers. */
static enum status next_block(struct search_chain *chain)
{
    size_t at = chain->block;
    while (at < chain->wanted.count && !index_set_has(&chain->wanted, at))
        at++;
    if (at > chain->block) {
        /* What has begun may end there. */
        chain->skipped = true;
        begun_prune(&chain->begun);
    }
    uint64_t offset = index_text_size(chain->index);
    if (at < chain->wanted.count) {
        const struct index_block *block = index_block(chain->index, at);
        chain->block_end =
            at + 1 < chain->wanted.count ? index_block(chain->index, at + 1)->offset : offset;
        offset = block->offset;
        chain->block = at + 1;
        chain->line = block->first_line - 1;
    } else {
        chain->line = index_lines(chain->index);
        drop_index(chain);
    }
    return lines_offset(chain->lines) == offset ? OK : lines_seek(chain->lines, offset);
}

/* ---- answers ---- */

static json_t *parse_line(struct search_chain *chain, const char *file, uint64_t number,
                          const char *line, size_t len)
{
    json_t *record = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(record))
        return record;
    json_decref(record);
    damage(chain, file, number, "this is no record: its JSON is broken");
    return NULL;
}

static json_t *subjects(const struct query *query, const json_t *record,
                        const struct begun_statement *statement)
{
    const json_t *lists[] = {json_object_get(record, "patients"),
                             statement ? statement->patients : NULL};
    json_t *all = NULL;
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < json_array_size(lists[i]); k++) {
            json_t *element = json_array_get(lists[i], k);
            if (query->patient && !query_is_patient(query, element))
                continue;
            if (!all)
                all = json_array();
            (void)json_array_append(all, element);
        }
    }
    return all;
}

static const char *outcome_of(const json_t *record, const struct begun_statement *statement,
                              const json_t *end)
{
    const json_t *result = statement ? end : record;
    const char *decision = json_string_value(json_object_get(record, "decision"));
    if (!result)
        return "unknown";
    if (json_is_true(json_object_get(result, "unfinished")))
        return "unfinished";
    if (decision && strcmp(decision, "deny") == 0)
        return "refused";
    return json_object_get(result, "sqlstate") ? "error" : "done";
}

static void copy_fields(json_t *answer, json_t *from)
{
    static const char *const own[] = {"seq", "prev", "time", "type", "begin", "patients"};
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(from, key, value)
    {
        bool taken = false;
        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
            taken = taken || strcmp(key, own[i]) == 0;
        if (!taken)
            (void)json_object_set(answer, key, value);
    }
}

static void add_result(json_t *answer, const struct begun_statement *statement, json_t *end)
{
    if (statement->has_rows) {
        (void)json_object_set_new(answer, "rows", json_integer((json_int_t)statement->rows));
        (void)json_object_set_new(answer, "bytes", json_integer((json_int_t)statement->bytes));
    }
    if (statement->aggregate)
        (void)json_object_set_new(answer, "subjects", json_string("aggregate"));
    if (end)
        copy_fields(answer, end);
    if (statement->headless)
        (void)json_object_set_new(answer, "headless", json_true());
}

/* `record` is the begin, or the only one; `statement` NULL: it is the only one. */
static enum status make_answer(struct search_chain *chain, const char *file, json_t *record,
                               const struct begun_statement *statement, json_t *end)
{
    const char *time = json_string_value(json_object_get(record, "time"));
    const char *type = json_string_value(json_object_get(record, "type"));
    const char *ended = json_string_value(json_object_get(end, "time"));
    bool is_statement = statement || (type && strcmp(type, "whole") == 0);
    uint64_t seq =
        statement ? statement->seq : (uint64_t)json_integer_value(json_object_get(record, "seq"));
    json_t *answer = json_pack("{s:s?, s:I, s:s, s:I, s:s}", "time", time, "chain",
                               (json_int_t)chain->search->shelf.files[chain->first].chain, "file",
                               file, "seq", (json_int_t)seq, "type",
                               is_statement ? "statement"
                               : type       ? type
                                            : "");
    if (!answer)
        return ERR_MEMORY;
    if (is_statement)
        (void)json_object_set_new(answer, "outcome",
                                  json_string(outcome_of(record, statement, end)));
    if (ended)
        (void)json_object_set_new(answer, "ended", json_string(ended));
    copy_fields(answer, record);
    if (statement)
        add_result(answer, statement, end);
    json_t *all = subjects(chain->search->query, record, statement);
    if (all)
        (void)json_object_set_new(answer, "patients", all);
    if (statement && statement->patients_left_out)
        (void)json_object_set_new(answer, "patients_left_out",
                                  json_integer((json_int_t)statement->patients_left_out));
    (void)snprintf(chain->time, sizeof chain->time, "%s", ended ? ended : time ? time : "");
    json_decref(chain->answer);
    chain->answer = answer;
    return OK;
}

/* What is left of a statement without its begin says who, and nothing of role or relations: that it
 * does not meet a filter cannot be told of it. */
static bool headless_matches(const struct query *query, const json_t *record)
{
    struct query who = {0};
    who.text[QUERY_USER] = query->text[QUERY_USER];
    who.text[QUERY_LOGIN] = query->text[QUERY_LOGIN];
    return query_matches(&who, record);
}

/* The statement is over, or nothing more of it is there (`line` NULL). Forgets it. */
static enum status conclude(struct search_chain *chain, struct begun_statement *statement,
                            uint64_t number, const char *line, size_t len)
{
    const struct query *query = chain->search->query;
    enum status status = OK;
    json_t *record = NULL;
    json_t *end = NULL;
    if (!is_met(statement))
        goto done;
    record = parse_line(chain, statement->file, 0, statement->line, statement->len);
    if (line)
        end = parse_line(chain, file_name_of(chain), number, line, len);
    if (!record)
        goto done;
    bool matches = statement->headless ? headless_matches(query, record) : false;
    if (!statement->headless) {
        /* The code is the end's; everything else is the begin's. */
        json_t *code = json_object_get(end, "sqlstate");
        if (code)
            (void)json_object_set(record, "sqlstate", code);
        matches = query_matches(query, record);
    }
    if (matches)
        status = make_answer(chain, statement->file, record, statement, end);
done:
    json_decref(record);
    json_decref(end);
    begun_remove(&chain->begun, statement);
    return status;
}

/* ---- lines ---- */

/* The number behind a key in the writer's spelling. */
static bool number_in(const char *line, size_t len, const char *key, uint64_t *number)
{
    size_t key_len = strlen(key);
    const char *at = memmem(line, len, key, key_len);
    const char *end = line + len;
    if (!at || (at += key_len) >= end || *at < '0' || *at > '9')
        return false;
    uint64_t value = 0;
    for (int digits = 0; at < end && *at >= '0' && *at <= '9'; at++) {
        if (++digits > 19)
            return false;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    *number = value;
    return true;
}

/* Whether this record of a statement is what is asked for. The bytes say so first, then the values.
 */
static bool record_meets(struct search_chain *chain, const char *file, uint64_t number,
                         const char *time, const char *line, size_t len)
{
    const struct query *query = chain->search->query;
    if (!query_in_period(query, time) || !query_line_patient(query, line, len))
        return false;
    if (!query->patient)
        return true;
    json_t *record = parse_line(chain, file, number, line, len);
    bool names = record && query_names_patient(query, record);
    json_decref(record);
    return names;
}

static enum status add_begin(struct search_chain *chain, const char *file,
                             const struct chain_line *parsed, const char *line, size_t len)
{
    const struct query *query = chain->search->query;
    struct begun_statement *statement = begun_add(&chain->begun, parsed->seq);
    if (!statement)
        return ERR_MEMORY;
    if (!query_may(query, line, len))
        return OK;
    statement->met = record_meets(chain, file, chain->line, parsed->time, line, len);
    (void)snprintf(statement->file, sizeof statement->file, "%s", file);
    return begun_keep(&chain->begun, statement, line, len);
}

static enum status on_begin(struct search_chain *chain, const struct chain_line *parsed,
                            const char *line, size_t len)
{
    enum status status = OK;
    struct begun_statement *old = begun_find(&chain->begun, parsed->seq);
    size_t limit = BEGUN_BYTES / chain->search->chain_count;
    if (old) {
        damage(chain, file_name_of(chain), chain->line, "a second record of this number");
    } else if (chain->begun.bytes > limit || chain->begun.count > BEGUN_COUNT) {
        old = chain->begun.items;
        if (old->line)
            damage(
                chain, old->file, 0,
                "too many statements without an end: one is told without looking further for it");
    }
    if (old)
        status = conclude(chain, old, 0, NULL, 0);
    if (status == OK)
        status = add_begin(chain, file_name_of(chain), parsed, line, len);
    const struct begun_statement *statement = begun_find(&chain->begun, parsed->seq);
    if (status == OK && statement && is_met(statement))
        status = follow(chain, parsed->seq);
    return status;
}

static enum status absorb_part(struct search_chain *chain, struct begun_statement *statement,
                               const char *file, uint64_t number, const char *time,
                               const char *line, size_t len)
{
    const struct query *query = chain->search->query;
    static const char inexact[] = ",\"subjects\":\"aggregate\"";
    static const char listed[] = ",\"patients\":[";
    statement->has_rows = number_in(line, len, ",\"rows\":", &statement->rows) &&
                          number_in(line, len, ",\"bytes\":", &statement->bytes);
    if (memmem(line, len, inexact, sizeof inexact - 1))
        statement->aggregate = true;
    if (!statement->met)
        statement->met = record_meets(chain, file, number, time, line, len);
    if (!memmem(line, len, listed, sizeof listed - 1) || !query_line_patient(query, line, len))
        return OK;
    json_t *more = parse_line(chain, file, number, line, len);
    enum status status = more ? begun_more(&chain->begun, statement, query, more) : OK;
    json_decref(more);
    return status;
}

/* What blocks that were skipped hold of a statement, up to record `before`, from one file. */
static enum status recall_from(struct search_chain *chain, size_t at, uint64_t seq, uint64_t before)
{
    struct search *search = chain->search;
    const struct shelf_file *file = &search->shelf.files[at];
    struct lines *lines = NULL;
    struct index *index = NULL;
    struct index_set wanted = {0};
    const char *why = NULL;
    enum status status = open_at(search, file, &lines, &index, &why);
    if (status != OK)
        return status == ERR_MEMORY ? status : OK;
    if (index &&
        (index_set_new(index, false, &wanted) != OK || want_begun(index, seq, &wanted) != OK)) {
        index_close(index);
        index = NULL;
    }
    size_t block = 0;
    uint64_t end = 0;
    for (;;) {
        if (index && lines_offset(lines) >= end) {
            while (block < wanted.count && !index_set_has(&wanted, block))
                block++;
            if (block == wanted.count || lines_seek(lines, index_block(index, block)->offset) != OK)
                break;
            block++;
            end = block < wanted.count ? index_block(index, block)->offset : index_text_size(index);
        }
        const char *line = NULL;
        size_t len = 0;
        struct chain_line parsed;
        uint64_t begin = 0;
        enum status got = lines_next(lines, &line, &len);
        if (got == ERR_LIMIT || got == ERR_INVALID)
            continue; /* it was told, or will be */
        if (got != OK)
            break;
        if (!chain_line_parse(line, len, &parsed))
            continue;
        if (parsed.seq >= before)
            break;
        struct begun_statement *statement = begun_find(&chain->begun, seq);
        if (parsed.seq == seq && strcmp(parsed.type, "begin") == 0 && !statement)
            status = add_begin(chain, file->name, &parsed, line, len);
        else if (statement && statement->line && strcmp(parsed.type, "more") == 0 &&
                 number_in(line, len, ",\"begin\":", &begin) && begin == seq)
            status = absorb_part(chain, statement, file->name, 0, parsed.time, line, len);
        if (status != OK)
            break;
    }
    index_set_free(&wanted);
    index_close(index);
    lines_close(lines);
    return status;
}

/* The number of the first record of a file; 0: it cannot be told. */
static uint64_t first_seq(const struct search *search, size_t at)
{
    struct lines *lines = NULL;
    const char *why = NULL;
    const char *line = NULL;
    size_t len = 0;
    struct chain_line parsed = {0};
    if (lines_open_at(search->shelf.dir_fd, search->shelf.files[at].name, &lines, &why) != OK)
        return 0;
    if (lines_next(lines, &line, &len) != OK || !chain_line_parse(line, len, &parsed))
        parsed.seq = 0;
    lines_close(lines);
    return parsed.seq;
}

/* A part of a statement is wanted, and its begin stands in a block that was not read. */
static enum status recall(struct search_chain *chain, uint64_t seq, uint64_t before)
{
    size_t at = chain->at;
    while (at > chain->first && first_seq(chain->search, at) > seq)
        at--;
    enum status status = OK;
    for (; at <= chain->at && status == OK; at++)
        status = recall_from(chain, at, seq, before);
    return status;
}

/* Is it worth the while to look for the begin of this part? */
static bool is_wanted_part(const struct search_chain *chain, const struct chain_line *parsed,
                           const char *line, size_t len)
{
    const struct query *query = chain->search->query;
    if (!query_in_period(query, parsed->time))
        return false;
    if (query->patient && !query_line_patient(query, line, len))
        return false;
    return query_line_user(query, line, len);
}

static enum status find_begun(struct search_chain *chain, const struct chain_line *parsed,
                              const char *line, size_t len, uint64_t begin)
{
    if (begun_find(&chain->begun, begin))
        return OK;
    if (chain->skipped) {
        if (!is_wanted_part(chain, parsed, line, len))
            return OK;
        enum status status = recall(chain, begin, parsed->seq);
        if (status != OK || begun_find(&chain->begun, begin))
            return status;
    }
    chain->search->counts.headless++;
    struct begun_statement *statement = begun_add(&chain->begun, begin);
    if (!statement)
        return ERR_MEMORY;
    statement->headless = true;
    (void)snprintf(statement->file, sizeof statement->file, "%s", file_name_of(chain));
    return begun_keep(&chain->begun, statement, line, len);
}

static enum status on_part(struct search_chain *chain, const struct chain_line *parsed,
                           const char *line, size_t len, bool is_end)
{
    uint64_t begin = 0;
    if (!number_in(line, len, ",\"begin\":", &begin)) {
        damage(chain, file_name_of(chain), chain->line, "does not say what it belongs to");
        return OK;
    }
    struct begun_statement *statement = begun_find(&chain->begun, begin);
    bool met = statement && is_met(statement);
    enum status status = find_begun(chain, parsed, line, len, begin);
    statement = status == OK ? begun_find(&chain->begun, begin) : NULL;
    if (!statement)
        return status;
    if (statement->line) {
        status = absorb_part(chain, statement, file_name_of(chain), chain->line, parsed->time, line,
                             len);
        if (status == OK && !is_end && !met && is_met(statement))
            status = follow(chain, begin);
    }
    return status == OK && is_end ? conclude(chain, statement, chain->line, line, len) : status;
}

static enum status on_single(struct search_chain *chain, const struct chain_line *parsed,
                             const char *line, size_t len)
{
    const struct query *query = chain->search->query;
    if (!query_in_period(query, parsed->time) || !query_may(query, line, len) ||
        !query_line_patient(query, line, len))
        return OK;
    json_t *record = parse_line(chain, file_name_of(chain), chain->line, line, len);
    enum status status = OK;
    if (record && query_matches(query, record) && query_names_patient(query, record))
        status = make_answer(chain, file_name_of(chain), record, NULL, NULL);
    json_decref(record);
    return status;
}

static enum status on_line(struct search_chain *chain, const char *line, size_t len)
{
    struct chain_line parsed;
    if (!chain_line_parse(line, len, &parsed) || line[len - 2] != '}') {
        damage(chain, file_name_of(chain), chain->line, "this is no record");
        return OK;
    }
    memcpy(chain->last, parsed.time, sizeof chain->last);
    if (strcmp(parsed.type, "begin") == 0)
        return on_begin(chain, &parsed, line, len);
    if (strcmp(parsed.type, "more") == 0 || strcmp(parsed.type, "end") == 0)
        return on_part(chain, &parsed, line, len, parsed.type[0] == 'e');
    if (strcmp(parsed.type, "header") == 0 || strcmp(parsed.type, "checkpoint") == 0)
        return OK;
    return on_single(chain, &parsed, line, len);
}

static void report_progress(struct search_chain *chain)
{
    struct search *search = chain->search;
    if (search->events.on_progress && chain->line % PROGRESS_LINES == 0)
        search->events.on_progress(search->bytes_done + lines_read(chain->lines),
                                   search->shelf.bytes, search->events.context);
}

static enum status next_line(struct search_chain *chain)
{
    const char *line = NULL;
    size_t len = 0;
    if (chain->index && lines_offset(chain->lines) >= chain->block_end) {
        enum status status = next_block(chain);
        if (status == ERR_MEMORY)
            return status;
        if (status != OK) {
            damage(chain, file_name_of(chain), 0, "cannot be read where its index says");
            close_file(chain);
            return OK;
        }
    }
    enum status status = lines_next(chain->lines, &line, &len);
    chain->line++;
    switch ((int)status) {
    case OK:
        report_progress(chain);
        return on_line(chain, line, len);
    case ERR_LIMIT:
        damage(chain, file_name_of(chain), chain->line, "longer than any record is");
        return OK;
    case ERR_INVALID:
        damage(chain, file_name_of(chain), chain->line, "compressed bytes that are damaged");
        return OK;
    case ERR_MEMORY:
        return status;
    case NEED_MORE: /* the end of a file that is being written; in another, something was cut */
        if (!chain->search->shelf.files[chain->at].last)
            damage(chain, file_name_of(chain), chain->line, "ends in the middle of a line");
        break;
    case ERR_IO:
        damage(chain, file_name_of(chain), chain->line, strerror(errno));
        break;
    default:
        break;
    }
    close_file(chain);
    return OK;
}

enum status search_chain_next(struct search_chain *chain)
{
    enum status status = OK;
    chain->answer = NULL;
    while (status == OK && !chain->answer) {
        if (chain->lines)
            status = next_line(chain);
        else if (chain->at < chain->end)
            status = open_file(chain);
        else if (chain->begun.count > 0)
            status = conclude(chain, chain->begun.items, 0, NULL, 0);
        else
            break;
    }
    return status;
}

/* ---- a chain that is being written ---- */

static enum status announce(struct search_chain *chain, struct begun_statement *statement)
{
    const struct query *query = chain->search->query;
    statement->announced = true;
    if (statement->headless || query->text[QUERY_SQLSTATE])
        return OK;
    json_t *record = parse_line(chain, statement->file, 0, statement->line, statement->len);
    enum status status = OK;
    if (record && query_matches(query, record))
        status = make_answer(chain, statement->file, record, statement, NULL);
    json_decref(record);
    if (chain->answer)
        (void)json_object_set_new(chain->answer, "outcome", json_string("begun"));
    return status;
}

enum status search_chain_feed(struct search_chain *chain, const char *line, size_t len)
{
    struct chain_line parsed;
    uint64_t id = 0;
    chain->answer = NULL;
    enum status status = on_line(chain, line, len);
    if (status != OK || chain->answer || !chain_line_parse(line, len, &parsed))
        return status;
    if (strcmp(parsed.type, "begin") == 0)
        id = parsed.seq;
    else if (strcmp(parsed.type, "more") != 0 || !number_in(line, len, ",\"begin\":", &id))
        return OK;
    struct begun_statement *statement = begun_find(&chain->begun, id);
    return statement && is_met(statement) && !statement->announced ? announce(chain, statement)
                                                                   : OK;
}

void search_chain_close(struct search_chain *chain)
{
    drop_index(chain);
    lines_close(chain->lines);
    begun_clear(&chain->begun);
    json_decref(chain->answer);
}
