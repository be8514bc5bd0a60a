/*
 * load_data.c: the keys that say what the database holds: tables, masks, attributes, filters.
 *
 * Trust boundary and ownership: as value.c. Only shapes are read here; check_data.c judges them.
 */
#include "value.h"

#include <string.h>

static void table_name(const struct value *value)
{
    struct raw_table *entry = value->entry;
    struct raw_name name = {0};
    value_name(value, &name);
    entry->table.name = name.text;
    entry->table.place = name.place;
}

static void table_except(const struct value *value)
{
    (void)value_names(value, &((struct raw_table *)value->entry)->except);
}

static void table_subject(const struct value *value)
{
    value_name(value, &((struct raw_table *)value->entry)->subject);
}

static void table_dimensions(const struct value *value)
{
    (void)value_names(value, &((struct raw_table *)value->entry)->dimensions);
}

static void table_measures(const struct value *value)
{
    (void)value_names(value, &((struct raw_table *)value->entry)->measures);
}

static void table_erasable(const struct value *value)
{
    struct raw_table *entry = value->entry;
    entry->erasable_place = value_place(value);
    (void)value_bool(value, &entry->table.erasable);
}

static void table_columns(const struct value *value)
{
    struct raw_table *entry = value->entry;
    struct loader *loader = value->loader;
    if (config_setting_type(value->setting) != CONFIG_TYPE_GROUP) {
        load_report(loader, value_place(value),
                    "\"columns\" of a table is %s; it must be a group of categories: "
                    "{ admin = [ \"id\" ]; }",
                    value_type(value->setting));
        return;
    }
    size_t count = (size_t)config_setting_length(value->setting);
    struct policy_category *categories =
        arena_zalloc(loader->arena, count + 1, sizeof(*categories));
    entry->columns = arena_zalloc(loader->arena, count + 1, sizeof(*entry->columns));
    if (categories == NULL || entry->columns == NULL)
        return;
    entry->table.categories = categories;
    for (size_t i = 0; i < count; i++) {
        struct value member = *value;
        member.setting = config_setting_get_elem(value->setting, (unsigned)i);
        struct policy_category *category = &categories[entry->table.category_count];
        category->name = arena_strdup(loader->arena, config_setting_name(member.setting));
        category->place = value_place(&member);
        struct raw_names *columns = &entry->columns[entry->table.category_count];
        if (category->name != NULL && value_names(&member, columns))
            entry->table.category_count++;
    }
}

static void like_match(const struct value *value)
{
    ((struct policy_columns_like *)value->entry)->match = value_text(value);
}

static void like_category(const struct value *value)
{
    ((struct policy_columns_like *)value->entry)->category = value_text(value);
}

static const struct value_key like_keys[] = {
    {"match", "a pattern over column names, like \"*_nir\"", like_match},
    {"category", "the category of the columns that match", like_category},
};

static void table_columns_like(const struct value *value)
{
    struct raw_table *entry = value->entry;
    struct pile pile = {0};
    value_entries(value, "an entry of columns_like", KEYS(like_keys), &pile,
                  sizeof(struct policy_columns_like), offsetof(struct policy_columns_like, place));
    entry->table.columns_like = pile.items;
    entry->table.columns_like_count = pile.count;
}

static const struct value_key table_keys[] = {
    {"name", "\"schema.table\", or a pattern like \"schema.*\"", table_name},
    {"except", NULL, table_except},
    {"subject", NULL, table_subject},
    {"erasable", NULL, table_erasable},
    {"columns", NULL, table_columns},
    {"columns_like", NULL, table_columns_like},
    {"dimensions", NULL, table_dimensions},
    {"measures", NULL, table_measures},
};

void load_tables(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    value_entries(&value, "a table", KEYS(table_keys), &loader->tables, sizeof(struct raw_table),
                  offsetof(struct raw_table, table.place));
}

/* masks and filters: { name = "expression"; ... } */
static void load_expressions(const struct value *value, const char *what,
                             void (*add)(const struct value *, const char *, const char *))
{
    if (config_setting_type(value->setting) != CONFIG_TYPE_GROUP) {
        load_report(value->loader, value_place(value),
                    "\"%s\" is %s; it must be a group: { name = \"SQL expression\"; ... }", what,
                    value_type(value->setting));
        return;
    }
    for (int i = 0; i < config_setting_length(value->setting); i++) {
        struct value member = *value;
        struct raw_name text = {0};
        member.setting = config_setting_get_elem(value->setting, (unsigned)i);
        value_name(&member, &text);
        const char *name = arena_strdup(value->loader->arena, config_setting_name(member.setting));
        if (text.text != NULL && name != NULL)
            add(&member, name, text.text);
    }
}

static void add_mask(const struct value *value, const char *name, const char *expression)
{
    struct policy_mask *mask =
        load_push(value->loader->arena, &value->loader->masks, sizeof(*mask));
    if (mask != NULL)
        *mask = (struct policy_mask){.name = name,
                                     .kind = MASK_EXPRESSION,
                                     .expression = expression,
                                     .place = value_place(value)};
}

static void add_filter(const struct value *value, const char *name, const char *expression)
{
    struct policy_filter *filter =
        load_push(value->loader->arena, &value->loader->filters, sizeof(*filter));
    if (filter != NULL)
        *filter = (struct policy_filter){
            .name = name, .expression = expression, .place = value_place(value)};
}

void load_masks(struct loader *loader, const struct document *document, config_setting_t *group)
{
    struct value value = {.loader = loader, .document = document, .setting = group};
    load_expressions(&value, "masks", add_mask);
}

void load_filters(struct loader *loader, const struct document *document, config_setting_t *group)
{
    struct value value = {.loader = loader, .document = document, .setting = group};
    load_expressions(&value, "filters", add_filter);
}

static void attribute_name(const struct value *value)
{
    ((struct policy_attribute *)value->entry)->name = value_text(value);
}

static void attribute_type(const struct value *value)
{
    ((struct policy_attribute *)value->entry)->type = value_text(value);
}

static const struct value_key attribute_keys[] = {
    {"name", "what placeholders call it, :user.<name>", attribute_name},
    {"type", "its SQL type, like \"text\" or \"int[]\"", attribute_type},
};

void load_attributes(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    value_entries(&value, "an attribute", KEYS(attribute_keys), &loader->attributes,
                  sizeof(struct policy_attribute), offsetof(struct policy_attribute, place));
}
