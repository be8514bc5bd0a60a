/*
 * check_conditions.c: retention and rights: from raw entries to the policy's lists.
 *
 * Comes last: it needs tables, missions, roles and rules. Whether the expressions' columns exist
 * and are dates is told by `check --database` and deploy.
 */
#include "conditions.h"
#include "expression_check.h"
#include "load.h"
#include "private.h"

#include <string.h>

static const char **table_names(struct loader *loader)
{
    const struct policy *policy = loader->policy;
    const char **names = arena_alloc(loader->arena, (policy->table_count + 1) * sizeof(*names));
    for (size_t i = 0; names != NULL && i < policy->table_count; i++)
        names[i] =
            arena_printf(loader->arena, "%s.%s", policy->tables[i].schema, policy->tables[i].name);
    return arena_failed(loader->arena) ? NULL : names;
}

/* ---- retention ---- */

static const char *expression_of(struct loader *loader, const char *key, const struct raw_name *raw)
{
    bool subject = false;
    const char *what = NULL;
    if (raw->text != NULL && expression_check(loader->policy, raw->text, EXPRESSION_PERSON,
                                              loader->arena, &subject, &what) != OK)
        load_report(loader, raw->place, "\"%s\" of retention: %s", key,
                    what == NULL ? "out of memory" : what);
    return raw->text;
}

/* The table of the people: one table, whose subject is a column of its own, since that is what
 * other tables' subjects are compared with. */
static void check_people_table(struct loader *loader, const struct raw_name *raw,
                               struct policy_retention *retention, const char *const *tables)
{
    int index = raw->text == NULL
                    ? -1
                    : check_find(loader, raw, "table", tables, loader->policy->table_count);
    if (index < 0)
        return;
    const struct policy_table *table = &loader->policy->tables[index];
    retention->table = tables[index];
    retention->people = table;
    if (table->pattern)
        load_report(loader, raw->place, "retention: \"%s\" is a pattern: name the one table",
                    tables[index]);
    else if (table->subject_column == NULL)
        load_report(loader, raw->place,
                    "retention: the subject of \"%s\" must be a column of its own, like \"%s.id\": "
                    "it is what the subjects of other tables are compared with",
                    tables[index], table->name);
}

/* Erased on request, and kept for a time: one of them. */
static void check_erasable(struct loader *loader, const struct policy_retention *retention)
{
    const struct policy_table *tables = loader->policy->tables;
    if (retention->people != NULL && retention->people->erasable)
        load_report(loader, retention->people->place,
                    "%s is the table of \"retention\", whose rows are kept until their term: it "
                    "cannot be erasable",
                    retention->table);
    for (size_t i = 0; i < retention->excepted_count; i++)
        if (tables[retention->excepted[i]].erasable)
            load_report(loader, tables[retention->excepted[i]].place,
                        "%s.%s is erasable, and stands in \"except\" of retention, since it keeps "
                        "another time: one of them",
                        tables[retention->excepted[i]].schema, tables[retention->excepted[i]].name);
}

static void check_retention(struct loader *loader, const char *const *tables)
{
    struct raw_retention *raw = loader->retention.items;
    if (loader->retention.count == 0)
        return;
    struct policy_retention *retention = &raw->retention;
    loader->policy->retention = retention;
    check_people_table(loader, &raw->table, retention, tables);
    retention->last = expression_of(loader, "last", &raw->last);
    retention->birth = expression_of(loader, "birth", &raw->birth);
    retention->death = expression_of(loader, "death", &raw->death);
    retention->hold = expression_of(loader, "hold", &raw->hold);
    retention->excepted = check_indexes(loader, &raw->except, "table", tables,
                                        loader->policy->table_count, &retention->excepted_count);
    check_erasable(loader, retention);
    const char **roles = check_role_names(loader);
    if (roles != NULL)
        retention->destroyers =
            check_indexes(loader, &raw->destroy, "role", roles, loader->policy->role_count,
                          &retention->destroyer_count);
}

/* ---- rights ---- */

static void check_kind(struct loader *loader, const struct raw_name *raw,
                       struct policy_right *right)
{
    static const struct {
        const char *word;
        enum policy_right_kind kind;
    } kinds[] = {{"objection", RIGHT_OBJECTION},
                 {"restriction", RIGHT_RESTRICTION},
                 {"hidden", RIGHT_HIDDEN}};
    for (size_t i = 0; raw->text != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].word, raw->text) == 0)
            right->kind = kinds[i].kind;
    if (raw->text != NULL && right->kind == RIGHT_NONE)
        load_report(loader, raw->place,
                    "right \"%s\": kind is \"objection\", \"restriction\" or \"hidden\", not "
                    "\"%s\"",
                    right->name == NULL ? "?" : right->name, raw->text);
}

/* An expression with :subject has a meaning only where there is one. */
static void check_hide(struct loader *loader, const struct raw_right *raw,
                       struct policy_right *right)
{
    bool subject = false;
    const char *what = NULL;
    right->hide = raw->hide.text;
    if (right->registered == (right->hide != NULL))
        load_report(loader, right->registered ? raw->register_place : right->place,
                    "right \"%s\" needs \"hide\", SQL that is true of a row that does not exist "
                    "then, or register = true, for pgvigil to keep who has it: one of them",
                    right->name);
    if (right->registered && right->name != NULL)
        right->hide = arena_printf(loader->arena,
                                   "EXISTS (SELECT 1 FROM " POLICY_REGISTER_SCHEMA
                                   ".active AS \"pgvigil active\" WHERE \"pgvigil active\".name "
                                   "= '%s' AND \"pgvigil active\".subject = (:subject)::text)",
                                   right->name);
    if (right->hide == NULL)
        return;
    if (expression_check(loader->policy, right->hide, EXPRESSION_FILTER, loader->arena, &subject,
                         &what) != OK) {
        load_report(loader, raw->hide.place, "\"hide\" of right \"%s\": %s", right->name,
                    what == NULL ? "out of memory" : what);
        return;
    }
    for (size_t i = 0; subject && i < right->table_count; i++) {
        const struct policy_table *table = &loader->policy->tables[right->tables[i]];
        if (table->subject == NULL)
            load_report(loader, raw->hide.place,
                        "right \"%s\" uses :subject, but %s.%s has no \"subject\": say there which "
                        "patient a row is about",
                        right->name, table->schema, table->name);
    }
}

static void check_where(struct loader *loader, const struct raw_right *raw,
                        struct policy_right *right)
{
    const char **missions = check_mission_names(loader);
    const char **roles = check_role_names(loader);
    if (missions == NULL || roles == NULL)
        return;
    if (raw->missions.place.file != NULL && raw->except.place.file != NULL)
        load_report(loader, raw->except.place,
                    "right \"%s\" has \"missions\" or \"except\", not both: where it holds, or "
                    "where it does not",
                    right->name);
    right->but = raw->except.place.file != NULL;
    const struct raw_names *listed = right->but ? &raw->except : &raw->missions;
    right->missions = check_indexes(loader, listed, "mission", missions,
                                    loader->policy->mission_count, &right->mission_count);
    right->roles = check_indexes(loader, &raw->roles, "role", roles, loader->policy->role_count,
                                 &right->role_count);
    const struct raw_names *lists[] = {&raw->missions, &raw->roles, &raw->tables};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (lists[i]->place.file != NULL && lists[i]->count == 0)
            load_report(loader, lists[i]->place,
                        "right \"%s\": an empty list would hide nothing: leave the key out for all",
                        right->name);
}

static void check_all_rights(struct loader *loader, const char *const *tables)
{
    struct raw_right *raw = loader->rights.items;
    struct policy_right *rights =
        arena_zalloc(loader->arena, loader->rights.count + 1, sizeof(*rights));
    struct map *seen = map_new();
    size_t count = 0;
    if (rights == NULL || seen == NULL) {
        load_report(loader, (struct policy_place){.file = loader->policy->path}, "out of memory");
        map_free(seen);
        return;
    }
    for (size_t i = 0; i < loader->rights.count; i++) {
        struct policy_right right = raw[i].right;
        if (right.name == NULL || !check_name(loader, right.place, "a right", right.name) ||
            check_duplicate(loader, "right", right.name, right.place, seen))
            continue;
        check_kind(loader, &raw[i].kind, &right);
        check_where(loader, &raw[i], &right);
        right.tables = check_indexes(loader, &raw[i].tables, "table", tables,
                                     loader->policy->table_count, &right.table_count);
        check_hide(loader, &raw[i], &right);
        rights[count++] = right;
    }
    map_free(seen);
    loader->policy->rights = rights;
    loader->policy->right_count = count;
}

/* ---- rules that cannot be both ---- */

/* TRUNCATE takes rows that the rule may not even show. */
static void check_truncate(struct loader *loader, const struct raw_rule *raw,
                           const struct policy_rule *rule)
{
    const struct policy *policy = loader->policy;
    for (size_t r = 0; r < rule->role_count; r++)
        for (size_t m = 0; m < rule->mission_count; m++)
            for (size_t t = 0; t < policy->table_count; t++) {
                const struct policy_table *table = &policy->tables[t];
                struct conditions conditions;
                if (table->pattern ||
                    policy_rule_for(policy, (int)rule->roles[r], (int)rule->missions[m],
                                    table->schema, table->name) != rule ||
                    !conditions_of(policy, (int)rule->roles[r], (int)rule->missions[m], table,
                                   loader->arena, &conditions) ||
                    conditions.count == 0)
                    continue;
                load_report(loader, raw->truncate_place,
                            "\"truncate\" takes every row of a table, and %s hides some of %s.%s: "
                            "leave it out, \"delete\" takes those that are shown",
                            conditions.names[0], table->schema, table->name);
                return;
            }
}

void check_conditions(struct loader *loader)
{
    const char **tables = table_names(loader);
    if (tables == NULL)
        return;
    check_retention(loader, tables);
    check_all_rights(loader, tables);
    /* Conditions are made of what has been checked. */
    if (loader->reports.count > 0 || arena_failed(loader->arena))
        return;
    const struct raw_rule *raw = loader->rules.items;
    for (size_t i = 0; i < loader->policy->rule_count; i++)
        if (raw[i].truncate)
            check_truncate(loader, &raw[i], &loader->policy->rules[i]);
}
