/*
 * incident.c: what of the trail belongs to an incident (see incident.h).
 *
 * Trust boundary: as of `audit search`: the files as they are; whether they are what was written is
 * for `audit verify` to say, and the document says to run it.
 */
#include "tools/incident.h"
#include "tools/audit_tally.h"

#include <stdio.h>
#include <string.h>

#define ARENA_BYTES ((size_t)256 << 20)
#define SEPARATOR   '\x1f'
/* What happens after so many lines is counted, and told not to be in it. */
#define TIMELINE_LINES 20000U

static void all_groups(struct incident *incident, struct incident_groups *out[5])
{
    out[0] = &incident->persons;
    out[1] = &incident->tables;
    out[2] = &incident->columns;
    out[3] = &incident->categories;
    out[4] = &incident->timeline;
}

enum status incident_start(struct incident *incident, const struct policy *policy)
{
    struct incident_groups *groups[5];
    *incident = (struct incident){.policy = policy, .arena = arena_new(ARENA_BYTES)};
    bool fine = incident->arena != NULL;
    all_groups(incident, groups);
    for (size_t i = 0; i < 5; i++) {
        groups[i]->map = map_new();
        groups[i]->most = groups[i] == &incident->timeline ? TIMELINE_LINES : SIZE_MAX;
        fine = fine && groups[i]->map;
    }
    return fine ? OK : ERR_MEMORY;
}

void incident_end(struct incident *incident)
{
    struct incident_groups *groups[5];
    all_groups(incident, groups);
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < groups[i]->count; k++)
            subject_set_free(&groups[i]->list[k]->patients);
        map_free(groups[i]->map);
    }
    subject_set_free(&incident->patients);
    arena_free(incident->arena);
}

/* The group of these cells, made if it is not there. NULL: no memory, or too many. */
static struct incident_group *group_of(struct incident *incident, struct incident_groups *groups,
                                       const char *const *cells, size_t count)
{
    struct buf key;
    buf_init(&key, (size_t)1 << 20);
    for (size_t i = 0; i < count; i++) {
        buf_str(&key, cells[i] ? cells[i] : "");
        buf_byte(&key, SEPARATOR);
    }
    struct incident_group *group =
        key.failed ? NULL : map_get(groups->map, buf_head(&key), buf_len(&key));
    if (group || key.failed || groups->count >= groups->most)
        goto done;
    struct incident_group **list = arena_grow(incident->arena, groups->list, groups->count,
                                              &groups->cap, sizeof(struct incident_group *));
    group = arena_zalloc(incident->arena, 1, sizeof *group);
    for (size_t i = 0; group && i < count; i++)
        group->cells[i] = arena_strdup(incident->arena, cells[i]);
    if (!list || arena_failed(incident->arena) ||
        map_put(groups->map, buf_head(&key), buf_len(&key), group) != OK) {
        group = NULL;
        goto done;
    }
    groups->list = list;
    groups->list[groups->count++] = group;
done:
    buf_free(&key);
    return group;
}

static void widen(char first[28], char last[28], const char *time)
{
    if (time && (!first[0] || strcmp(time, first) < 0))
        (void)snprintf(first, 28, "%s", time);
    if (time && strcmp(time, last) > 0)
        (void)snprintf(last, 28, "%s", time);
}

static enum status add_patients(struct subject_set *set, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "patients");
    enum status status = OK;
    for (size_t i = 0; i < json_array_size(list) && status == OK; i++)
        status = subject_set_add(set, json_array_get(list, i));
    return status;
}

static bool is(const json_t *answer, const char *key, const char *word)
{
    const char *text = tally_text(answer, key);
    return text && strcmp(text, word) == 0;
}

static uint64_t rows_of(const json_t *answer)
{
    json_int_t rows = json_integer_value(json_object_get(answer, "rows"));
    return rows > 0 ? (uint64_t)rows : 0;
}

/* Counts a statement in a group, once. */
static enum status count_in(struct incident *incident, struct incident_group *group,
                            const json_t *answer)
{
    if (!group)
        return ERR_LIMIT;
    if (group->mark == incident->statements)
        return OK;
    group->mark = incident->statements;
    group->statements++;
    group->rows += rows_of(answer);
    widen(group->first, group->last, tally_text(answer, "time"));
    widen(group->first, group->last, tally_text(answer, "ended"));
    return add_patients(&group->patients, answer);
}

/* ---- what was touched ---- */

static const char *const uses[] = {"shown", "masked", "written"};

static enum status count_category(struct incident *incident, const char *category,
                                  const char *column, const char *use, const json_t *answer)
{
    const char *cells[] = {category ? category : "", column, use};
    struct incident_group *whole = group_of(incident, &incident->categories, cells, 1);
    enum status status = count_in(incident, whole, answer);
    if (status != OK || !column)
        return status;
    struct incident_group *group = group_of(incident, &incident->columns, cells, 3);
    if (!group)
        return ERR_LIMIT;
    if (group->mark != incident->statements)
        group->statements++;
    group->mark = incident->statements;
    return OK;
}

/* The trail does not say which columns: all that the policy puts into a category. */
static enum status count_whole_table(struct incident *incident, const struct policy_table *table,
                                     const json_t *answer)
{
    enum status status = OK;
    for (size_t i = 0; i < table->category_count && status == OK; i++)
        status = count_category(incident, table->categories[i].name, NULL, NULL, answer);
    for (size_t i = 0; i < table->columns_like_count && status == OK; i++)
        status = count_category(incident, table->columns_like[i].category, NULL, NULL, answer);
    return status;
}

static enum status count_columns(struct incident *incident, const struct policy_table *table,
                                 const json_t *relation, const char *full, const char *use,
                                 const json_t *answer)
{
    const json_t *list = json_object_get(relation, use);
    enum status status = OK;
    for (size_t i = 0; i < json_array_size(list) && status == OK; i++) {
        const char *column = json_string_value(json_array_get(list, i));
        char name[2048];
        (void)snprintf(name, sizeof name, "%s.%s", full, column ? column : "?");
        status =
            count_category(incident, table && column ? policy_category_of(table, column) : NULL,
                           name, use, answer);
    }
    return status;
}

static enum status count_relation(struct incident *incident, const json_t *relation,
                                  const json_t *answer, bool *written)
{
    const char *schema = tally_text(relation, "schema");
    const char *name = tally_text(relation, "name");
    char full[1024];
    const char *cell = full;
    size_t columns = 0;
    schema = schema ? schema : "";
    name = name ? name : "?";
    (void)snprintf(full, sizeof full, "%s%s%s", schema, *schema ? "." : "", name);
    const struct policy_table *table = policy_table_for(incident->policy, schema, name);
    struct incident_group *group = group_of(incident, &incident->tables, &cell, 1);
    enum status status = count_in(incident, group, answer);
    if (status == OK && json_object_get(relation, "written")) {
        *written = true;
        group->written = true;
    }
    for (size_t i = 0; i < sizeof uses / sizeof uses[0] && status == OK; i++) {
        columns += json_array_size(json_object_get(relation, uses[i]));
        status = count_columns(incident, table, relation, full, uses[i], answer);
    }
    if (status != OK || columns > 0 || !table)
        return status;
    incident->unnamed++;
    return count_whole_table(incident, table, answer);
}

/* ---- who and when ---- */

static enum status count_who(struct incident *incident, const json_t *answer, const char *event)
{
    char hour[14] = "";
    const char *time = tally_text(answer, "time");
    (void)snprintf(hour, sizeof hour, "%.13s", time ? time : "");
    bool glass = json_is_true(json_object_get(answer, "break_glass"));
    const char *cells[INCIDENT_CELLS] = {
        hour,
        tally_text(answer, "person"),
        tally_text(answer, "login"),
        tally_text(answer, "role"),
        tally_text(answer, "mission"),
        tally_text(answer, "address"),
        tally_text(answer, "application"),
        glass ? "glass" : "",
        event,
    };
    struct incident_group *line = group_of(incident, &incident->timeline, cells, INCIDENT_CELLS);
    struct incident_group *person = group_of(incident, &incident->persons, cells + 1, 2);
    bool full = !line && incident->timeline.count >= TIMELINE_LINES;
    if (!person || (!line && !full))
        return ERR_LIMIT;
    bool refused = is(answer, "outcome", "refused");
    incident->timeline_cut += full;
    if (event || refused)
        person->refused += refused;
    if (line && (event || refused)) {
        line->refused += refused;
        line->statements += event != NULL;
        widen(line->first, line->last, time);
    }
    if (event || refused)
        return OK;
    enum status status = line ? count_in(incident, line, answer) : OK;
    return status == OK ? count_in(incident, person, answer) : status;
}

/* Events that a reader of the timeline wants; what else happens is in the statements. */
static const char *event_of(const json_t *answer)
{
    static const char *const words[] = {"auth-failed", "refused-connection", "break-glass-begin",
                                        "break-glass-end"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (is(answer, "event", words[i]))
            return words[i];
    }
    return NULL;
}

static enum status add_statement(struct incident *incident, const json_t *answer)
{
    const json_t *relations = json_object_get(answer, "relations");
    bool written = false;
    incident->statements++;
    incident->rows += rows_of(answer);
    incident->inexact += json_object_get(answer, "subjects") != NULL;
    incident->uncertain += is(answer, "outcome", "unknown") ||
                           is(answer, "outcome", "unfinished") ||
                           json_is_true(json_object_get(answer, "headless"));
    incident->left_out +=
        (uint64_t)json_integer_value(json_object_get(answer, "patients_left_out"));
    widen(incident->first, incident->last, tally_text(answer, "time"));
    widen(incident->first, incident->last, tally_text(answer, "ended"));
    enum status status = add_patients(&incident->patients, answer);
    for (size_t i = 0; i < json_array_size(relations) && status == OK; i++)
        status = count_relation(incident, json_array_get(relations, i), answer, &written);
    incident->writes += written;
    return status == OK ? count_who(incident, answer, NULL) : status;
}

enum status incident_add(struct incident *incident, const json_t *answer)
{
    const char *event = event_of(answer);
    if (!is(answer, "type", "statement")) {
        incident->answers += event != NULL;
        return event ? count_who(incident, answer, event) : OK;
    }
    incident->answers++;
    if (!is(answer, "outcome", "refused"))
        return add_statement(incident, answer);
    incident->refused++;
    return count_who(incident, answer, NULL);
}
