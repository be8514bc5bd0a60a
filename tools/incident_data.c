/*
 * incident_data.c: an incident as a document's data (see incident_data.h).
 */
#include "tools/incident_data.h"
#include "tools/audit_cells.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A page of more lines would not be read; JSON has them all. */
#define TIMELINE_MOST 2000U

static const char *text(const char *cell)
{
    return cell ? cell : "";
}

static int by_first(const void *left, const void *right)
{
    const struct incident_group *a = *(struct incident_group *const *)left;
    const struct incident_group *b = *(struct incident_group *const *)right;
    int order = strcmp(a->first, b->first);
    for (size_t i = 0; i < INCIDENT_CELLS && order == 0; i++)
        order = strcmp(text(a->cells[i]), text(b->cells[i]));
    return order;
}

static int by_cells(const void *left, const void *right)
{
    const struct incident_group *a = *(struct incident_group *const *)left;
    const struct incident_group *b = *(struct incident_group *const *)right;
    int order = 0;
    for (size_t i = 0; i < INCIDENT_CELLS && order == 0; i++)
        order = strcmp(text(a->cells[i]), text(b->cells[i]));
    return order;
}

static void sort(struct incident_groups *groups, int (*compare)(const void *, const void *))
{
    if (groups->count > 0)
        qsort((void *)groups->list, groups->count, sizeof(struct incident_group *), compare);
}

/* What every group has counted; takes `data`, an object, and answers it. */
static json_t *counted(json_t *data, struct incident_group *group)
{
    (void)json_object_set_new(data, "statements", json_integer((json_int_t)group->statements));
    (void)json_object_set_new(data, "rows", json_integer((json_int_t)group->rows));
    (void)json_object_set_new(data, "patients",
                              json_integer((json_int_t)subject_set_count(&group->patients)));
    (void)json_object_set_new(data, "first", json_string(group->first));
    (void)json_object_set_new(data, "last", json_string(group->last));
    return data;
}

static json_t *columns_of(struct incident *incident, const char *category)
{
    json_t *list = json_array();
    for (size_t i = 0; i < incident->columns.count; i++) {
        const struct incident_group *group = incident->columns.list[i];
        if (strcmp(text(group->cells[0]), category) == 0)
            (void)json_array_append_new(
                list, json_pack("{s:s, s:s, s:I}", "column", group->cells[1], "use",
                                group->cells[2], "statements", (json_int_t)group->statements));
    }
    return list;
}

static json_t *categories_of(const struct doc *doc, struct incident *incident)
{
    json_t *list = json_array();
    sort(&incident->categories, by_cells);
    sort(&incident->columns, by_cells);
    for (size_t i = 0; i < incident->categories.count; i++) {
        struct incident_group *group = incident->categories.list[i];
        const char *name = text(group->cells[0]);
        json_t *category = doc_category(doc, *name ? name : NULL);
        (void)json_object_set_new(category, "columns", columns_of(incident, name));
        (void)json_array_append_new(list, counted(category, group));
    }
    return list;
}

static json_t *tables_of(struct incident *incident)
{
    json_t *list = json_array();
    sort(&incident->tables, by_cells);
    for (size_t i = 0; i < incident->tables.count; i++) {
        struct incident_group *group = incident->tables.list[i];
        json_t *table = json_pack("{s:s, s:b}", "name", group->cells[0], "written", group->written);
        (void)json_array_append_new(list, counted(table, group));
    }
    return list;
}

static json_t *persons_of(struct incident *incident)
{
    json_t *list = json_array();
    sort(&incident->persons, by_first);
    for (size_t i = 0; i < incident->persons.count; i++) {
        struct incident_group *group = incident->persons.list[i];
        json_t *person = json_pack("{s:s, s:s, s:I}", "person", text(group->cells[0]), "login",
                                   text(group->cells[1]), "refused", (json_int_t)group->refused);
        (void)json_array_append_new(list, counted(person, group));
    }
    return list;
}

static json_t *timeline_of(const struct doc *doc, struct incident *incident)
{
    static const char *const keys[INCIDENT_CELLS] = {
        "hour", "person", "login", "role", "mission", "address", "application", "glass", "event"};
    json_t *list = json_array();
    sort(&incident->timeline, by_first);
    for (size_t i = 0; i < incident->timeline.count; i++) {
        struct incident_group *group = incident->timeline.list[i];
        if (doc->format == DOC_HTML && i == TIMELINE_MOST)
            break;
        json_t *line = json_pack("{s:I}", "refused", (json_int_t)group->refused);
        for (size_t k = 0; k < INCIDENT_CELLS; k++) {
            if (group->cells[k] && *group->cells[k])
                (void)json_object_set_new(line, keys[k], json_string(group->cells[k]));
        }
        (void)json_array_append_new(list, counted(line, group));
    }
    return list;
}

static json_t *counts_of(struct incident *incident)
{
    return json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "patients",
                     (json_int_t)subject_set_count(&incident->patients), "at_least",
                     incident->inexact > 0 || incident->left_out > 0, "statements",
                     (json_int_t)incident->statements, "rows", (json_int_t)incident->rows,
                     "refused", (json_int_t)incident->refused, "writes",
                     (json_int_t)incident->writes, "inexact", (json_int_t)incident->inexact,
                     "uncertain", (json_int_t)incident->uncertain, "columns_unknown",
                     (json_int_t)incident->unnamed, "left_out", (json_int_t)incident->left_out);
}

static json_t *clock_of(const struct doc *doc, const struct incident_said *said, time_t aware)
{
    char local[DOC_TIME_BYTES];
    char utc[DOC_TIME_BYTES];
    char end[DOC_TIME_BYTES];
    char end_utc[DOC_TIME_BYTES];
    if (!said->aware)
        return doc_missing("--aware");
    time_t deadline = aware + INCIDENT_SECONDS;
    doc_time_local(aware, local);
    doc_time_utc(aware, utc);
    doc_time_local(deadline, end);
    doc_time_utc(deadline, end_utc);
    json_int_t left = (json_int_t)deadline - (json_int_t)doc->made;
    json_int_t minutes = (left < 0 ? -left : left) / 60;
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b}", "aware", local, "aware_utc", utc,
                     "deadline", end, "deadline_utc", end_utc, "left_seconds", left, "hours",
                     minutes / 60, "minutes", minutes % 60, "late", left < 0);
}

void incident_fill_letter(const struct doc *doc, struct incident *incident,
                          const struct incident_said *said)
{
    doc_set(doc, "first", incident->first[0] ? json_string(incident->first) : json_null());
    doc_set(doc, "last", incident->last[0] ? json_string(incident->last) : json_null());
    doc_set(doc, "nature", doc_text(said->nature, "--nature"));
    doc_set(doc, "consequences", doc_text(said->consequences, "--consequences"));
    doc_set(doc, "measures_taken", doc_text(said->measures, "--measures"));
    doc_set(doc, "categories", categories_of(doc, incident));
}

void incident_fill_report(const struct doc *doc, struct incident *incident,
                          const struct incident_said *said, time_t aware)
{
    bool cut = doc->format == DOC_HTML && incident->timeline.count > TIMELINE_MOST;
    incident_fill_letter(doc, incident, said);
    doc_set(doc, "clock", clock_of(doc, said, aware));
    doc_set(doc, "cause", doc_text(said->cause, "--cause"));
    doc_set(doc, "counts", counts_of(incident));
    doc_set(doc, "tables", tables_of(incident));
    doc_set(doc, "persons", persons_of(incident));
    doc_set(doc, "timeline", timeline_of(doc, incident));
    doc_set(doc, "timeline_left_out",
            json_integer(cut ? (json_int_t)(incident->timeline.count - TIMELINE_MOST) : 0));
    doc_set(doc, "timeline_cut", json_integer((json_int_t)incident->timeline_cut));
    doc_set(doc, "security", doc_measures(doc));
    if (doc->format != DOC_HTML)
        doc_set(doc, "patients", subject_set_list(&incident->patients));
}

/* It says nothing of the organisation, whatever is missing there. */
void incident_fill_list(const struct doc *doc, struct incident *incident)
{
    (void)json_object_del(doc->data, "organisation");
    doc_set(doc, "counts", counts_of(incident));
    doc_set(doc, "categories", categories_of(doc, incident));
    doc_set(doc, "patients", subject_set_list(&incident->patients));
}

/* ---- the list for the letters ---- */

static void put_category(const struct doc *doc, const struct incident_group *group,
                         struct buf *titles)
{
    const char *name = text(group->cells[0]);
    const struct policy_category_text *words = policy_category_text(doc->policy, name);
    const char *title = !words ? NULL : doc->french ? words->title : words->title_en;
    buf_printf(titles, "%s%s", buf_len(titles) ? ", " : "",
               title         ? title
               : *name       ? name
               : doc->french ? "autres données"
                             : "other data");
}

static void print_patient(const struct doc *doc, struct incident *incident, const char *name,
                          const int64_t *number, FILE *out)
{
    struct buf titles;
    buf_init(&titles, 0);
    for (size_t i = 0; i < incident->categories.count; i++) {
        const struct incident_group *group = incident->categories.list[i];
        if (number ? subject_set_have_number(&group->patients, *number)
                   : subject_set_have_text(&group->patients, name))
            put_category(doc, group, &titles);
    }
    cells_csv(name, true, out);
    cells_csv(cells_string(&titles), false, out);
    cells_csv_end(out);
    buf_free(&titles);
}

void incident_print_patients(const struct doc *doc, struct incident *incident, FILE *out)
{
    json_t *list = subject_set_list(&incident->patients);
    cells_csv("patient", true, out);
    cells_csv(doc->french ? "catégories de données" : "categories of data", false, out);
    cells_csv_end(out);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *element = json_array_get(list, i);
        const char *name = json_string_value(element);
        if (name) {
            print_patient(doc, incident, name, NULL, out);
            continue;
        }
        int64_t number = json_integer_value(json_array_get(element, 0));
        int64_t last = json_integer_value(json_array_get(element, 1));
        for (;; number++) {
            char digits[32];
            (void)snprintf(digits, sizeof digits, "%" PRId64, number);
            print_patient(doc, incident, digits, &number, out);
            if (number == last || ferror(out))
                break;
        }
    }
    json_decref(list);
}
