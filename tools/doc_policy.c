/*
 * doc_policy.c: what missions are for, which data they use and who works under them (see doc.h).
 *
 * What is told is what takes effect: for a role, a mission and a table the one rule that applies,
 * and what it makes of each column. A category that a pair sees only through masks is told as that.
 */
#include "tools/doc.h"

#include <string.h>

/* How much of a category a pair sees. */
enum sight { SIGHT_NONE, SIGHT_MASKED, SIGHT_SHOWN };

static enum sight more(enum sight one, enum sight other)
{
    return one > other ? one : other;
}

static enum sight sight_of(const struct policy *policy, uint32_t mask)
{
    switch (policy->masks[mask].kind) {
    case MASK_SHOW:
        return SIGHT_SHOWN;
    case MASK_PSEUDONYM:
    case MASK_EXPRESSION:
        return SIGHT_MASKED;
    case MASK_HIDE:
    case MASK_NULL:
        break;
    }
    return SIGHT_NONE;
}

static enum sight column_sight(const struct policy *policy, const struct policy_table *table,
                               const struct policy_rule *rule, const char *column)
{
    const struct policy_mask *mask = policy_mask_for(policy, table, rule, column);
    return sight_of(policy, (uint32_t)(mask - policy->masks));
}

/* Columns that a pattern puts there are the database's: the rule's word for the category counts. */
static enum sight like_sight(const struct policy *policy, const struct policy_rule *rule,
                             const char *category)
{
    for (size_t i = 0; i < rule->column_count; i++) {
        if (strcmp(rule->columns[i].name, category) == 0)
            return sight_of(policy, rule->columns[i].mask);
    }
    return SIGHT_NONE;
}

/* ---- categories ---- */

static const char *persons_word(const struct policy *policy, const struct policy_table *table,
                                const char *category)
{
    const struct policy_category_text *text = policy_category_text(policy, category);
    switch (text ? text->persons : PERSONS_UNSAID) {
    case PERSONS_PATIENTS:
        return "patients";
    case PERSONS_STAFF:
        return "staff";
    case PERSONS_NOBODY:
        return "nobody";
    case PERSONS_UNSAID:
        break;
    }
    return table->subject ? "patients" : "nobody";
}

json_t *doc_category(const struct doc *doc, const char *name)
{
    char what[128];
    const struct policy_category_text *text = name ? policy_category_text(doc->policy, name) : NULL;
    if (!name)
        return json_pack("{s:b}", "unclassified", 1);
    (void)snprintf(what, sizeof what, "categories.%s", name);
    json_t *sensitive = text ? json_boolean(text->sensitive) : doc_missing("policy: categories");
    return json_pack(
        "{s:s, s:o, s:o}", "name", name, "title",
        doc_title(doc, text ? text->title : NULL, text ? text->title_en : NULL, what, "title"),
        "sensitive", sensitive);
}

/* Of categories by name: what is seen of each, and of whom it is. */
struct seen {
    const struct doc *doc;
    json_t *categories; /* name -> { sight, persons } */
};

static void note(struct seen *seen, const struct policy_table *table, const char *category,
                 enum sight sight)
{
    json_t *entry = json_object_get(seen->categories, category);
    if (sight == SIGHT_NONE)
        return;
    if (!entry) {
        entry = json_pack("{s:i, s:{}}", "sight", 0, "persons");
        (void)json_object_set_new(seen->categories, category, entry);
    }
    enum sight before = (enum sight)json_integer_value(json_object_get(entry, "sight"));
    (void)json_object_set_new(entry, "sight", json_integer(more(before, sight)));
    (void)json_object_set_new(json_object_get(entry, "persons"),
                              persons_word(seen->doc->policy, table, category), json_true());
}

static void note_table(struct seen *seen, const struct policy_table *table,
                       const struct policy_rule *rule, bool all)
{
    const struct policy *policy = seen->doc->policy;
    for (size_t i = 0; i < table->category_count; i++) {
        const struct policy_category *category = &table->categories[i];
        enum sight sight = all ? SIGHT_SHOWN : SIGHT_NONE;
        for (size_t k = 0; !all && k < category->column_count; k++)
            sight = more(sight, column_sight(policy, table, rule, category->columns[k]));
        note(seen, table, category->name, sight);
    }
    for (size_t i = 0; i < table->columns_like_count; i++) {
        const char *category = table->columns_like[i].category;
        note(seen, table, category, all ? SIGHT_SHOWN : like_sight(policy, rule, category));
    }
}

static void note_pair(struct seen *seen, uint32_t role, uint32_t mission)
{
    const struct policy *policy = seen->doc->policy;
    bool all = policy->roles[role].unrestricted;
    for (size_t i = 0; i < policy->table_count; i++) {
        const struct policy_table *table = &policy->tables[i];
        const struct policy_rule *rule =
            all ? NULL
                : policy_rule_for(policy, (int)role, (int)mission, table->schema, table->name);
        if (all || rule)
            note_table(seen, table, rule, all);
    }
}

/* In the order of the names, so that a policy in other files makes the same document. */
static json_t *list_categories(const struct seen *seen)
{
    json_t *list = json_array();
    const char *name = NULL;
    json_t *entry = NULL;
    json_object_foreach(seen->categories, name, entry)
    {
        json_t *category = doc_category(seen->doc, name);
        bool shown = json_integer_value(json_object_get(entry, "sight")) == SIGHT_SHOWN;
        json_t *persons = json_array();
        const char *person = NULL;
        json_t *unused = NULL;
        json_object_foreach(json_object_get(entry, "persons"), person, unused)(void)
            json_array_append_new(persons, json_string(person));
        (void)json_object_set_new(category, "masked_only", json_boolean(!shown));
        (void)json_object_set_new(category, "persons", persons);
        size_t at = 0;
        while (at < json_array_size(list) &&
               strcmp(json_string_value(json_object_get(json_array_get(list, at), "name")), name) <
                   0)
            at++;
        (void)json_array_insert_new(list, at, category);
    }
    return list;
}

json_t *doc_categories(const struct doc *doc)
{
    struct seen seen = {doc, json_object()};
    const struct policy *policy = doc->policy;
    for (uint32_t role = 0; role < policy->role_count; role++) {
        for (size_t i = 0; i < policy->roles[role].mission_count; i++)
            note_pair(&seen, role, policy->roles[role].missions[i]);
    }
    json_t *list = list_categories(&seen);
    json_decref(seen.categories);
    return list;
}

/* ---- missions ---- */

static json_int_t users_of(const struct policy *policy, uint32_t role)
{
    json_int_t count = 0;
    for (size_t i = 0; i < policy->user_count; i++)
        count += !policy->users[i].on_behalf && policy_user_has_role(&policy->users[i], (int)role);
    return count;
}

static json_t *recipient_of(const struct doc *doc, uint32_t role, uint32_t mission)
{
    const struct policy_role *one = &doc->policy->roles[role];
    struct seen seen = {doc, json_object()};
    char what[128];
    (void)snprintf(what, sizeof what, "roles.%s", one->name);
    note_pair(&seen, role, mission);
    json_t *data = json_pack("{s:s, s:o, s:b, s:I, s:o}", "name", one->name, "title",
                             doc_title(doc, one->title, one->title_en, what, "title"),
                             "unrestricted", one->unrestricted, "users",
                             users_of(doc->policy, role), "categories", list_categories(&seen));
    json_decref(seen.categories);
    return data;
}

/* The records' retention: a policy that says how long they are kept says it here. */
json_t *doc_retention(const struct doc *doc)
{
    const struct policy_retention *rule = doc->policy->retention;
    if (!rule)
        return doc_missing("policy: retention");
    json_t *data =
        json_pack("{s:i, s:i, s:i, s:b}", "active_years", (int)rule->active_years, "archive_years",
                  (int)rule->archive_years, "whole_years",
                  (int)(rule->active_years + rule->archive_years), "holds", rule->hold != NULL);
    if (rule->birth)
        (void)json_object_set_new(data, "minor_years", json_integer(rule->minor_years));
    if (rule->death)
        (void)json_object_set_new(data, "death_years", json_integer(rule->death_years));
    return data;
}

json_t *doc_rights(const struct doc *doc)
{
    static const char *const kinds[] = {[RIGHT_NONE] = "none",
                                        [RIGHT_OBJECTION] = "objection",
                                        [RIGHT_RESTRICTION] = "restriction",
                                        [RIGHT_HIDDEN] = "hidden"};
    bool persons = false;
    bool erasable = false;
    for (size_t i = 0; i < doc->policy->table_count; i++) {
        persons = persons || doc->policy->tables[i].subject;
        erasable = erasable || doc->policy->tables[i].erasable;
    }
    json_t *held = json_array();
    for (size_t i = 0; i < doc->policy->right_count; i++)
        (void)json_array_append_new(held,
                                    json_pack("{s:s, s:s}", "name", doc->policy->rights[i].name,
                                              "kind", kinds[doc->policy->rights[i].kind]));
    return json_pack("{s:b, s:b, s:o}", "persons", persons, "erasable", erasable, "held", held);
}

static json_t *limits_of(const struct policy_mission *mission)
{
    return json_pack("{s:I, s:I, s:b, s:b, s:b}", "max_rows", (json_int_t)mission->max_rows,
                     "rows_per_hour", (json_int_t)mission->rows_per_hour, "hours",
                     mission->hours_count > 0, "addresses", mission->address_count > 0,
                     "break_glass", mission->break_glass != NULL);
}

static json_t *activity_of(const struct doc *doc, uint32_t mission)
{
    const struct policy_mission *one = &doc->policy->missions[mission];
    struct seen seen = {doc, json_object()};
    json_t *recipients = json_array();
    char what[128];
    char basis[160];
    (void)snprintf(what, sizeof what, "missions.%s", one->name);
    (void)snprintf(basis, sizeof basis, "policy: %s.legal_basis", what);
    for (uint32_t role = 0; role < doc->policy->role_count; role++) {
        if (!policy_role_has_mission(doc->policy, (int)role, (int)mission))
            continue;
        note_pair(&seen, role, mission);
        (void)json_array_append_new(recipients, recipient_of(doc, role, mission));
    }
    json_t *categories = list_categories(&seen);
    json_decref(seen.categories);
    bool sensitive = false;
    for (size_t i = 0; i < json_array_size(categories); i++)
        sensitive =
            sensitive || json_is_true(json_object_get(json_array_get(categories, i), "sensitive"));
    json_t *data = json_pack(
        "{s:s, s:o, s:o, s:s*, s:o, s:o}", "name", one->name, "title",
        doc_title(doc, one->title, one->title_en, what, "title"), "description",
        doc_title(doc, one->description, one->description_en, what, "description"), "purpose",
        one->purpose, "legal_basis", doc_text(one->legal_basis, basis), "limits", limits_of(one));
    (void)snprintf(basis, sizeof basis, "policy: %s.special_basis", what);
    /* Article 9 is asked for where health data are used, and told where it is said. */
    (void)json_object_set_new(data, "special_basis",
                              sensitive || one->special_basis ? doc_text(one->special_basis, basis)
                                                              : json_null());
    (void)json_object_set_new(data, "sensitive", json_boolean(sensitive));
    (void)json_object_set_new(data, "categories", categories);
    (void)json_object_set_new(data, "recipients", recipients);
    (void)json_object_set_new(data, "retention", doc_retention(doc));
    return data;
}

json_t *doc_activities(const struct doc *doc)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < doc->policy->mission_count; i++)
        (void)json_array_append_new(list, activity_of(doc, i));
    return list;
}
