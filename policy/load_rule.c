/*
 * load_rule.c: the key `rules`: who sees what of which tables.
 *
 * Trust boundary and ownership: as value.c. A rule that could not be read in full is marked bad;
 * since any error fails the load, that only spares the reader messages that follow from others.
 */
#include "value.h"

#include <string.h>

static struct raw_rule *rule_of(const struct value *value)
{
    return value->entry;
}

static void rule_names(const struct value *value, struct raw_names *names)
{
    if (!value_names(value, names))
        rule_of(value)->bad = true;
}

static void rule_roles(const struct value *value)
{
    rule_names(value, &rule_of(value)->roles);
}

static void rule_missions(const struct value *value)
{
    rule_names(value, &rule_of(value)->missions);
}

static void rule_tables(const struct value *value)
{
    rule_names(value, &rule_of(value)->tables);
}

static void rule_rows(const struct value *value)
{
    value_name(value, &rule_of(value)->rows);
}

static void rule_filter(const struct value *value)
{
    value_name(value, &rule_of(value)->filter);
}

static void rule_columns(const struct value *value)
{
    struct raw_rule *rule = rule_of(value);
    struct arena *arena = value->loader->arena;
    rule->columns_place = value_place(value);
    if (config_setting_type(value->setting) != CONFIG_TYPE_GROUP) {
        load_report(value->loader, rule->columns_place,
                    "\"columns\" of a rule is %s; it must be a group: { category_or_column = "
                    "\"mask\"; }",
                    value_type(value->setting));
        rule->bad = true;
        return;
    }
    size_t count = (size_t)config_setting_length(value->setting);
    rule->columns = arena_zalloc(arena, count + 1, sizeof(*rule->columns));
    if (rule->columns == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        struct value member = *value;
        struct raw_name mask = {0};
        member.setting = config_setting_get_elem(value->setting, (unsigned)i);
        value_name(&member, &mask);
        struct raw_column *column = &rule->columns[rule->column_count];
        column->mask = mask.text;
        column->name.place = mask.place;
        column->name.text = arena_strdup(arena, config_setting_name(member.setting));
        if (mask.text == NULL || column->name.text == NULL)
            rule->bad = true;
        else
            rule->column_count++;
    }
}

static void rule_insert(const struct value *value)
{
    rule_names(value, &rule_of(value)->insert);
}

static void rule_update(const struct value *value)
{
    rule_names(value, &rule_of(value)->update);
}

static void rule_delete(const struct value *value)
{
    (void)value_bool(value, &rule_of(value)->delete_rows);
}

static void rule_truncate(const struct value *value)
{
    rule_of(value)->truncate_place = value_place(value);
    (void)value_bool(value, &rule_of(value)->truncate);
}

static const struct value_key rule_keys[] = {
    {"roles", "whom it is for", rule_roles},
    {"missions", "under which missions", rule_missions},
    {"tables", "which relations it is about", rule_tables},
    {"rows", NULL, rule_rows},
    {"filter", NULL, rule_filter},
    {"columns", "what is shown, { category_or_column = \"mask\"; }", rule_columns},
    {"insert", NULL, rule_insert},
    {"update", NULL, rule_update},
    {"delete", NULL, rule_delete},
    {"truncate", NULL, rule_truncate},
};

void load_rules(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    value_entries(&value, "a rule", KEYS(rule_keys), &loader->rules, sizeof(struct raw_rule),
                  offsetof(struct raw_rule, place));
}
