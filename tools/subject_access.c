/*
 * subject_access.c: `pgvigil subject access | portability`: everything about a person.
 *
 * Found through `subject` over all tables, hidden and unclassified columns too: what a role may see
 * has nothing to do with what a person may know about herself. With it, who has accessed it (RGPD,
 * article 15; Court of Justice, C-579/21: when and why is told, the names of those who acted under
 * the controller's authority only where they are indispensable: --names).
 *
 * Trust boundary: as a DBA. The document holds a whole record: it is written to a file of mode
 * 0600, or where the caller's standard output goes.
 */
#include "audit/search.h"
#include "tools/audit_filter.h"
#include "tools/audit_reader.h"
#include "tools/retention.h"
#include "tools/subject.h"

#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

/* A row as PostgreSQL writes it, each value a text: a number that JSON has no room for is not cut.
 * For a page it is a list of { name, value }: columns may be called anything, elements may not. */
static json_t *row_json(const struct doc *doc, const struct records_table *table,
                        const PGresult *result, int row)
{
    bool list = doc->format != DOC_JSON;
    json_t *all = list ? json_array() : json_object();
    for (size_t i = 0; i < table->relation->column_count; i++) {
        const char *name = table->relation->columns[i].name;
        bool null = PQgetisnull(result, row, (int)i);
        json_t *value = null ? json_null() : json_string(PQgetvalue(result, row, (int)i));
        if (!list)
            (void)json_object_set_new(all, name, value);
        else if (!null)
            (void)json_array_append_new(all, json_pack("{s:s, s:o}", "name", name, "value", value));
    }
    return all;
}

/* "alias"."a"::text, ... */
static const char *columns_sql(struct subject *subject, const struct records_table *table)
{
    const char *all = "";
    for (size_t i = 0; all && i < table->relation->column_count; i++) {
        const char *name = text_ident(subject->arena, table->relation->columns[i].name);
        all = name ? arena_printf(subject->arena, "%s%s%s.%s::pg_catalog.text", all,
                                  i == 0 ? "" : ", ", table->alias, name)
                   : NULL;
    }
    return all;
}

static json_t *columns_json(const struct subject *subject, const struct records_table *table)
{
    const struct policy_table *entry =
        policy_table_for(subject->policy, table->relation->schema, table->relation->name);
    json_t *columns = json_array();
    for (size_t i = 0; i < table->relation->column_count; i++) {
        const char *name = table->relation->columns[i].name;
        const char *category = entry ? policy_category_of(entry, name) : NULL;
        (void)json_array_append_new(columns,
                                    json_pack("{s:s, s:s*}", "name", name, "category", category));
    }
    return columns;
}

static int read_table(struct subject *subject, const struct subject_side *side,
                      const struct doc *doc, const struct records_table *table, const char *list,
                      json_t *tables, uint64_t *total)
{
    const char *columns = columns_sql(subject, table);
    const char *sql =
        columns ? arena_printf(subject->arena, "SELECT %s FROM %s WHERE (%s) = ANY (%s)%s%s",
                               columns, table->from, table->subject, list,
                               table->key ? " ORDER BY " : "", table->key ? table->key : "")
                : NULL;
    PGresult *result = sql ? PQexec(side->conn, sql) : NULL;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        int code = cli_fail(subject->command, CLI_CANNOT, "%s cannot be read (%s)", table->told,
                            state ? state : "the connection was lost");
        PQclear(result);
        return code;
    }
    json_t *rows = json_array();
    for (int row = 0; row < PQntuples(result); row++)
        (void)json_array_append_new(rows, row_json(doc, table, result, row));
    *total += (uint64_t)PQntuples(result);
    if (json_array_size(rows) != (size_t)PQntuples(result)) {
        json_decref(rows);
        PQclear(result);
        return cli_fail(subject->command, CLI_CANNOT, "%s: a row cannot be written down",
                        table->told);
    }
    PQclear(result);
    if (json_array_size(rows) > 0)
        (void)json_array_append_new(tables, json_pack("{s:s, s:s*, s:o, s:o}", "table", table->told,
                                                      "stands", side->stands, "columns",
                                                      columns_json(subject, table), "rows", rows));
    else
        json_decref(rows);
    return CLI_FINE;
}

/* `fhir`: as a FHIR Bundle too; what stands there already stays. */
static int read_side(struct subject *subject, const struct subject_side *side,
                     const struct doc *doc, json_t *tables, uint64_t *total, json_t **fhir)
{
    const char *keys[] = {subject->patient};
    const char *list = records_list(keys, 1, subject->arena);
    int left_out = CLI_FINE;
    if (!list)
        return cli_fail(subject->command, CLI_CANNOT, "out of memory");
    /* For a person to read: times of her own country. */
    const struct policy_retention *retention = subject->policy->retention;
    const char *begin = arena_printf(subject->arena,
                                     "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL "
                                     "TimeZone = '%s'",
                                     retention ? retention->time_zone : "Europe/Paris");
    PGresult *result = begin ? PQexec(side->conn, begin) : NULL;
    int code = PQresultStatus(result) == PGRES_COMMAND_OK
                   ? CLI_FINE
                   : cli_fail(subject->command, CLI_CANNOT, "the connection was lost");
    PQclear(result);
    /* The person first, then what refers to her. */
    for (size_t i = side->records->count; code == CLI_FINE && i-- > 0;)
        code = read_table(subject, side, doc, &side->records->tables[i], list, tables, total);
    if (code == CLI_FINE && fhir && !*fhir)
        left_out = subject_fhir(subject, side, list, doc->made, fhir);
    PQclear(PQexec(side->conn, "ROLLBACK"));
    return code == CLI_FINE ? left_out : code;
}

/* What was moved last is the older: the database comes first. */
static int read_tables(struct subject *subject, const struct doc *doc, json_t *tables,
                       uint64_t *total, json_t **fhir)
{
    const struct subject_side here = {.conn = subject->conn, .records = &subject->records};
    int code = read_side(subject, &here, doc, tables, total, fhir);
    if (code > CLI_FINDINGS || !subject->archive)
        return code;
    const struct subject_side there = {.conn = subject->archive->archive.conn,
                                       .records = &subject->archive->archive.records,
                                       .stands = "archive"};
    int other = read_side(subject, &there, doc, tables, total, fhir);
    return other > code ? other : code;
}

/* ---- accesses ---- */

static const char *text_at(const json_t *answer, const char *key)
{
    const char *text = json_string_value(json_object_get(answer, key));
    return text ? text : "";
}

static const char *title_of(const struct subject *subject, const char *role, const char *mission,
                            bool of_mission)
{
    int index = of_mission ? policy_find_mission(subject->policy, mission)
                           : policy_find_role(subject->policy, role);
    if (index < 0)
        return of_mission ? mission : role;
    const char *title =
        of_mission ? subject->policy->missions[index].title : subject->policy->roles[index].title;
    return title ? title : of_mission ? mission : role;
}

/* The group of this answer: role, mission, and the person where names are told. */
static json_t *group_of(const struct subject *subject, json_t *groups, const json_t *answer)
{
    char key[1024];
    const char *role = text_at(answer, "role");
    const char *mission = text_at(answer, "mission");
    const char *person = subject->names ? text_at(answer, "person") : "";
    (void)snprintf(key, sizeof key, "%s\x1f%s\x1f%s", role, mission, person);
    json_t *group = json_object_get(groups, key);
    if (group)
        return group;
    group = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:o}", "role", role, "role_title",
                      title_of(subject, role, mission, false), "mission", mission, "mission_title",
                      title_of(subject, role, mission, true), "count", 0, "first",
                      text_at(answer, "time"), "last", text_at(answer, "time"), "tables",
                      json_object());
    if (subject->names)
        (void)json_object_set_new(group, "person", json_string(person));
    return json_object_set_new(groups, key, group) == 0 ? group : NULL;
}

static bool add_access(const struct subject *subject, json_t *groups, const json_t *answer)
{
    const json_t *relations = json_object_get(answer, "relations");
    if (json_array_size(relations) == 0 || strcmp(text_at(answer, "decision"), "deny") == 0)
        return true;
    json_t *group = group_of(subject, groups, answer);
    if (!group)
        return false;
    json_int_t count = json_integer_value(json_object_get(group, "count"));
    (void)json_object_set_new(group, "count", json_integer(count + 1));
    const char *time = text_at(answer, "time");
    if (strcmp(time, text_at(group, "first")) < 0)
        (void)json_object_set_new(group, "first", json_string(time));
    if (strcmp(time, text_at(group, "last")) > 0)
        (void)json_object_set_new(group, "last", json_string(time));
    for (size_t i = 0; i < json_array_size(relations); i++) {
        const json_t *relation = json_array_get(relations, i);
        char full[512];
        (void)snprintf(full, sizeof full, "%s.%s", text_at(relation, "schema"),
                       text_at(relation, "name"));
        (void)json_object_set_new(json_object_get(group, "tables"), full, json_true());
    }
    return true;
}

/* Objects become lists, for those who read and for stylesheets. */
static json_t *listed(json_t *groups)
{
    json_t *list = json_array();
    const char *key = NULL;
    json_t *group = NULL;
    json_object_foreach(groups, key, group)
    {
        json_t *tables = json_array();
        const char *table = NULL;
        json_t *unused = NULL;
        json_object_foreach(json_object_get(group, "tables"), table, unused)(void)
            json_array_append_new(tables, json_string(table));
        (void)json_object_set_new(group, "tables", tables);
        (void)json_array_append(list, group);
    }
    json_decref(groups);
    return list;
}

static int read_trail(struct subject *subject, json_t **accesses)
{
    struct audit_teller teller;
    struct search_events events;
    struct search *search = NULL;
    const struct audit_index index = {.directory = NULL};
    const json_t *answer = NULL;
    const char *why = NULL;
    struct query query = {.patient = subject->patient};
    const char *directory = subject->config->audit.directory;
    *accesses = NULL;
    if (query_prepare(&query, &why) != OK)
        return cli_fail(subject->command, CLI_CANNOT, "%s", why ? why : "out of memory");
    audit_teller_events(&teller, &events);
    int code = audit_search_open(subject->command, directory, &index, &query, &events, &search);
    json_t *groups = json_object();
    enum status status = OK;
    while (code == CLI_FINE && (status = search_next(search, &answer)) == OK)
        if (!add_access(subject, groups, answer))
            code = cli_fail(subject->command, CLI_CANNOT, "out of memory");
    if (code == CLI_FINE)
        code = audit_teller_end(&teller, subject->command, search_count(search));
    if (code == CLI_FINE && status != CLOSED)
        code = cli_fail(subject->command, CLI_CANNOT, "%s", status_name(status));
    search_close(search);
    query_free(&query);
    *accesses = listed(groups);
    return code;
}

/* ---- documents ---- */

/* Article 15.1 asks for what the data are for, who sees them, and how long they are kept as well. A
 * policy that does not say how long is no reason to call the answer incomplete. */
static void set_purposes(const struct doc *doc)
{
    json_t *activities = doc_activities(doc);
    for (size_t i = 0; i < json_array_size(activities); i++)
        (void)json_object_del(json_array_get(activities, i), "retention");
    doc_set(doc, "activities", activities);
    doc_set(doc, "hosting", doc_hosting(doc));
    if (doc->policy->retention)
        doc_set(doc, "retention", doc_retention(doc));
}

static int fill_access(struct subject *subject, struct doc *doc)
{
    json_t *tables = json_array();
    json_t *accesses = NULL;
    uint64_t total = 0;
    int code = read_tables(subject, doc, tables, &total, NULL);
    doc_set(doc, "patient", json_string(subject->patient));
    doc_set(doc, "tables", tables);
    doc_set(doc, "rows", json_integer((json_int_t)total));
    set_purposes(doc);
    if (code != CLI_FINE)
        return code;
    code = read_trail(subject, &accesses);
    doc_set(doc, "accesses", accesses ? accesses : json_array());
    return code;
}

/* What a FHIR system takes stands beside the whole, or, with --format fhir, alone. */
static int fill_portability(struct subject *subject, struct doc *doc)
{
    json_t *tables = json_array();
    json_t *bundle = NULL;
    uint64_t total = 0;
    int code = read_tables(subject, doc, tables, &total, &bundle);
    doc_set(doc, "patient", json_string(subject->patient));
    doc_set(doc, "tables", tables);
    doc_set(doc, "rows", json_integer((json_int_t)total));
    if (subject->fhir)
        doc->printed = json_incref(bundle);
    if (bundle)
        doc_set(doc, "fhir", bundle);
    if (code == CLI_FINE && subject->policy->fhir_patient && !bundle)
        code = cli_fail(subject->command, subject->fhir ? CLI_CANNOT : CLI_FINDINGS,
                        "%s has no row of patient %s: there is no FHIR Patient",
                        subject->policy->fhir_patient->table, subject->patient);
    return code;
}

static int make(struct subject *subject, const char *name,
                int (*fill)(struct subject *subject, struct doc *doc))
{
    struct doc doc;
    if (!subject->patient)
        return cli_fail(subject->command, CLI_USAGE, "--patient is missing");
    int code = subject_open(subject, true);
    if (code == CLI_FINE)
        code = subject_open_archive(subject);
    if (code == CLI_FINE && subject->fhir && !subject->policy->fhir_patient)
        code = cli_fail(subject->command, CLI_USAGE,
                        "the policy has no \"fhir_patient\": it says what a FHIR Patient is made "
                        "of");
    if (code == CLI_FINE)
        code = subject_find(subject);
    if (code == CLI_FINE)
        code = subject_record(subject, name, subject->patient, NULL);
    if (code != CLI_FINE)
        return code;
    code = doc_begin(subject->command, &subject->doc_options, name, false, &doc);
    if (code == CLI_FINE)
        code = fill(subject, &doc);
    if (code <= CLI_FINDINGS && json_integer_value(json_object_get(doc.data, "rows")) == 0)
        code = cli_fail(subject->command, CLI_FINDINGS, "there is nothing about patient %s",
                        subject->patient);
    else if (code <= CLI_FINDINGS) {
        int end = doc_end(subject->command, &subject->doc_options, &doc, "subject", NULL);
        code = end > code ? end : code;
    }
    doc_free(&doc);
    return code;
}

int subject_access(struct subject *subject)
{
    return make(subject, "subject-access", fill_access);
}

int subject_portability(struct subject *subject)
{
    const char *format = subject->doc_options.format;
    subject->fhir = format && strcmp(format, "fhir") == 0;
    if (format && !subject->fhir && strcmp(format, "json") != 0)
        return cli_fail(subject->command, CLI_USAGE,
                        "portability is JSON, or fhir: it is for machines");
    subject->doc_options.format = "json";
    return make(subject, "subject-portability", fill_portability);
}
