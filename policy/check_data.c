/*
 * check_data.c: attributes, masks, filters and tables: from raw entries to the policy's lists.
 *
 * Every check reports and goes on; entries that have a name are kept, so that what refers to them
 * is not reported as unknown.
 */
#include "expression_check.h"
#include "load.h"
#include "private.h"

#include <pgvigil/text.h>

#include <string.h>
#include <strings.h>

static void check_expression(struct loader *loader, struct policy_place place, const char *about,
                             const char *expression, enum expression_kind kind)
{
    bool subject = false;
    const char *what = NULL;
    if (expression_check(loader->policy, expression, kind, loader->arena, &subject, &what) != OK)
        load_report(loader, place, "%s: %s", about, what == NULL ? "out of memory" : what);
}

bool check_duplicate(struct loader *loader, const char *what, const char *name,
                     struct policy_place place, struct map *seen)
{
    const struct policy_place *first = map_get_str(seen, name);
    if (first != NULL) {
        load_report(loader, place, "%s \"%s\" is there already, in %s:%u", what, name, first->file,
                    first->line);
        return true;
    }
    struct policy_place *copy = arena_alloc(loader->arena, sizeof(*copy));
    if (copy != NULL) {
        *copy = place;
        if (map_put_str(seen, name, copy) != OK)
            load_report(loader, place, "out of memory");
    }
    return false;
}

/* Settings carry attributes to the server, and their names know no case: "Wards" and "wards" would
 * be one. */
static void check_attribute_twins(struct loader *loader, const struct policy_attribute *attribute)
{
    const struct policy_attribute *all = loader->policy->attributes;
    for (size_t i = 0; i < loader->policy->attribute_count; i++) {
        size_t len = strlen(all[i].name);
        if (strcasecmp(all[i].name, attribute->name) == 0 &&
            strcmp(all[i].name, attribute->name) != 0)
            load_report(loader, attribute->place,
                        "attribute \"%s\" differs from \"%s\" only in case: name it otherwise",
                        attribute->name, all[i].name);
        size_t own = strlen(attribute->name);
        if ((own > len && attribute->name[len] == '-' &&
             strncmp(attribute->name, all[i].name, len) == 0) ||
            (len > own && all[i].name[own] == '-' &&
             strncmp(attribute->name, all[i].name, own) == 0))
            load_report(loader, attribute->place,
                        "attributes \"%s\" and \"%s\" cannot be told apart in an expression (- is "
                        "minus): name one otherwise",
                        all[i].name, attribute->name);
    }
}

static void check_attributes(struct loader *loader, struct map *seen)
{
    struct policy *policy = loader->policy;
    struct policy_attribute *attributes = loader->attributes.items;
    size_t count = 0;
    for (size_t i = 0; i < loader->attributes.count; i++) {
        struct policy_attribute attribute = attributes[i];
        bool is_list = false;
        const char *base = NULL;
        const char *what = NULL;
        if (attribute.name == NULL || attribute.type == NULL ||
            check_duplicate(loader, "attribute", attribute.name, attribute.place, seen))
            continue;
        if (!check_name(loader, attribute.place, "an attribute", attribute.name))
            continue;
        if (strcasecmp(attribute.name, "name") == 0)
            load_report(loader, attribute.place,
                        "attribute \"name\" is reserved: :user.name is the user's name");
        if (expression_check_type(attribute.type, loader->arena, &is_list, &base, &what) != OK)
            load_report(loader, attribute.place, "attribute \"%s\": %s", attribute.name,
                        what == NULL ? "out of memory" : what);
        policy->attributes = attributes;
        policy->attribute_count = count;
        check_attribute_twins(loader, &attribute);
        attributes[count++] = attribute;
    }
    policy->attributes = attributes;
    policy->attribute_count = count;
}

static void check_masks(struct loader *loader, struct map *seen)
{
    static const struct policy_mask builtin[] = {
        {.name = "hide", .kind = MASK_HIDE},
        {.name = "show", .kind = MASK_SHOW},
        {.name = "null", .kind = MASK_NULL},
        {.name = "pseudonym", .kind = MASK_PSEUDONYM},
    };
    const size_t builtin_count = sizeof(builtin) / sizeof(builtin[0]);
    const struct policy_mask *raw = loader->masks.items;
    struct policy_mask *masks =
        arena_alloc(loader->arena, (builtin_count + loader->masks.count) * sizeof(*masks));
    if (masks == NULL)
        return;
    memcpy(masks, builtin, sizeof(builtin));
    size_t count = builtin_count;
    for (size_t i = 0; i < loader->masks.count; i++) {
        bool is_builtin = false;
        for (size_t k = 0; k < builtin_count; k++)
            is_builtin = is_builtin || strcmp(builtin[k].name, raw[i].name) == 0;
        if (is_builtin)
            load_report(loader, raw[i].place, "mask \"%s\" is built in: name this one otherwise",
                        raw[i].name);
        else if (!check_duplicate(loader, "mask", raw[i].name, raw[i].place, seen))
            masks[count++] = raw[i];
        (void)check_name(loader, raw[i].place, "a mask", raw[i].name);
        char *about = arena_printf(loader->arena, "mask \"%s\"", raw[i].name);
        if (about != NULL)
            check_expression(loader, raw[i].place, about, raw[i].expression, EXPRESSION_MASK);
    }
    loader->policy->masks = masks;
    loader->policy->mask_count = count;
}

static void check_filters(struct loader *loader, struct map *seen)
{
    struct policy_filter *filters = loader->filters.items;
    size_t count = 0;
    for (size_t i = 0; i < loader->filters.count; i++) {
        struct policy_filter filter = filters[i];
        (void)check_name(loader, filter.place, "a filter", filter.name);
        char *about = arena_printf(loader->arena, "filter \"%s\"", filter.name);
        if (about != NULL)
            check_expression(loader, filter.place, about, filter.expression, EXPRESSION_FILTER);
        if (!check_duplicate(loader, "filter", filter.name, filter.place, seen))
            filters[count++] = filter;
    }
    loader->policy->filters = filters;
    loader->policy->filter_count = count;
}

/* "schema.name": one dot at least, no quotes, both parts there. */
bool check_relation_name(struct loader *loader, struct policy_place place, const char *what,
                         const char *name)
{
    const char *dot = strchr(name, '.');
    if (dot != NULL && dot > name && dot[1] != '\0' && strchr(name, '"') == NULL)
        return true;
    if (strchr(name, '"') != NULL)
        load_report(loader, place,
                    "\"%s\": write the name of %s without quotes, as it stands in the catalog",
                    name, what);
    else
        load_report(loader, place, "\"%s\" does not say the schema of %s: write \"schema.%s\"",
                    name, what, name[0] == '\0' || dot != NULL ? "name" : name);
    return false;
}

static bool is_system(const char *schema)
{
    return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0 ||
           strncmp(schema, "pgvigil:", 8) == 0;
}

static void split_name(struct loader *loader, struct policy_table *table)
{
    const char *full = table->name;
    const char *dot = strchr(full, '.');
    table->pattern = policy_is_pattern(full);
    table->schema = arena_strndup(loader->arena, full, (size_t)(dot - full));
    table->name = dot + 1;
    if (table->schema != NULL && is_system(table->schema))
        load_report(loader, table->place,
                    "\"%s\": the catalogs are guarded by pgvigil itself and need no entry", full);
}

static void fill_categories(struct loader *loader, struct raw_table *raw, struct map *seen)
{
    struct policy_category *categories = (struct policy_category *)(uintptr_t)raw->table.categories;
    map_clear(seen);
    for (size_t i = 0; i < raw->table.category_count; i++) {
        struct raw_names *names = &raw->columns[i];
        (void)check_name(loader, categories[i].place, "a category", categories[i].name);
        const char **columns = arena_alloc(loader->arena, (names->count + 1) * sizeof(*columns));
        if (columns == NULL)
            return;
        for (size_t k = 0; k < names->count; k++) {
            columns[k] = names->items[k].text;
            const char *other = map_get_str(seen, columns[k]);
            if (other != NULL)
                load_report(
                    loader, names->items[k].place,
                    "column \"%s\" is in category \"%s\" already: a column has one category",
                    columns[k], other);
            else if (map_put_str(seen, columns[k], (void *)(uintptr_t)categories[i].name) != OK)
                return;
        }
        categories[i].columns = columns;
        categories[i].column_count = names->count;
    }
    for (size_t i = 0; i < raw->table.category_count; i++)
        if (map_get_str(seen, categories[i].name) != NULL)
            load_report(loader, categories[i].place,
                        "category \"%s\" has the name of a column of this table: name it otherwise",
                        categories[i].name);
}

static void check_columns_like(struct loader *loader, struct policy_table *table)
{
    struct policy_columns_like *likes =
        (struct policy_columns_like *)(uintptr_t)table->columns_like;
    size_t count = 0;
    for (size_t i = 0; i < table->columns_like_count; i++) {
        const struct policy_columns_like *like = &likes[i];
        if (like->match == NULL || like->category == NULL)
            continue;
        (void)check_name(loader, like->place, "a category", like->category);
        if (!policy_is_pattern(like->match))
            load_report(loader, like->place,
                        "\"%s\" is not a pattern: * stands for any run of characters, ? for one",
                        like->match);
        for (size_t k = 0; k < count; k++)
            if (strcmp(likes[k].match, like->match) == 0)
                load_report(loader, like->place, "the pattern \"%s\" is there already, in line %u",
                            like->match, likes[k].place.line);
        likes[count++] = *like;
    }
    table->columns_like_count = count;
}

static void check_except(struct loader *loader, struct raw_table *raw)
{
    const struct raw_names *except = &raw->except;
    const char **patterns = arena_alloc(loader->arena, (except->count + 1) * sizeof(*patterns));
    if (patterns == NULL)
        return;
    if (except->place.file != NULL && !raw->table.pattern)
        load_report(loader, except->place,
                    "\"except\" is for patterns only; \"%s.%s\" is one table", raw->table.schema,
                    raw->table.name);
    for (size_t i = 0; i < except->count; i++)
        if (check_relation_name(loader, except->items[i].place, "a table", except->items[i].text))
            patterns[raw->table.except_count++] = except->items[i].text;
    raw->table.except = patterns;
}

static bool stands_in(const struct raw_names *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (names->items[i].text != NULL && strcmp(names->items[i].text, name) == 0)
            return true;
    return false;
}

/* Columns by their own names: a pattern or a category would grow with the table, and each column
 * more makes cells smaller. */
static const char *const *check_parts(struct loader *loader, const struct raw_table *raw,
                                      const struct raw_names *names, const struct raw_names *others,
                                      const char *key, size_t *count)
{
    const char **columns = arena_alloc(loader->arena, (names->count + 1) * sizeof(*columns));
    if (columns == NULL || names->place.file == NULL)
        return NULL;
    if (raw->table.pattern || raw->subject.text == NULL)
        load_report(loader, names->place,
                    "\"%s\" is for one table with a \"subject\": it says what an aggregate_only "
                    "mission may ask of its patients",
                    key);
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i].text;
        if (name == NULL)
            continue;
        if (policy_is_pattern(name))
            load_report(loader, names->items[i].place,
                        "\"%s\" of \"%s\" is a pattern: name the columns", name, key);
        if (others != NULL && stands_in(others, others->count, name))
            load_report(loader, names->items[i].place,
                        "\"%s\" is both in \"dimensions\" and in \"measures\": it can be one "
                        "of them",
                        name);
        columns[(*count)++] = name;
    }
    return columns;
}

static void check_table(struct loader *loader, struct raw_table *raw, struct map *columns)
{
    split_name(loader, &raw->table);
    if (raw->table.schema == NULL)
        return;
    check_except(loader, raw);
    fill_categories(loader, raw, columns);
    check_columns_like(loader, &raw->table);
    raw->table.subject = raw->subject.text;
    char *about =
        arena_printf(loader->arena, "subject of %s.%s", raw->table.schema, raw->table.name);
    if (raw->subject.text != NULL && about != NULL)
        check_expression(loader, raw->subject.place, about, raw->subject.text, EXPRESSION_SUBJECT);
    if (raw->subject.text != NULL)
        raw->table.subject_column =
            expression_column(raw->subject.text, raw->table.name, loader->arena);
    raw->table.dimensions =
        check_parts(loader, raw, &raw->dimensions, NULL, "dimensions", &raw->table.dimension_count);
    raw->table.measures = check_parts(loader, raw, &raw->measures, &raw->dimensions, "measures",
                                      &raw->table.measure_count);
    if (raw->table.erasable && raw->subject.text == NULL)
        load_report(loader, raw->erasable_place,
                    "%s.%s is erasable, but has no \"subject\": say which patient a row is about",
                    raw->table.schema, raw->table.name);
}

static void check_tables(struct loader *loader, struct map *seen, struct map *columns)
{
    struct raw_table *raw = loader->tables.items;
    struct policy_table *tables =
        arena_alloc(loader->arena, (loader->tables.count + 1) * sizeof(*tables));
    size_t count = 0;
    for (size_t i = 0; tables != NULL && i < loader->tables.count; i++) {
        const char *name = raw[i].table.name;
        if (name == NULL || !check_relation_name(loader, raw[i].table.place, "a table", name))
            continue;
        check_table(loader, &raw[i], columns);
        if (raw[i].table.schema != NULL &&
            !check_duplicate(loader, "table", name, raw[i].table.place, seen))
            tables[count++] = raw[i].table;
    }
    loader->policy->tables = tables;
    loader->policy->table_count = count;
    if (policy_index_tables(loader->policy) != OK)
        load_report(loader, (struct policy_place){.file = loader->policy->path}, "out of memory");
}

void check_data(struct loader *loader)
{
    struct map *seen = map_new();
    struct map *columns = map_new();
    if (seen != NULL && columns != NULL) {
        check_attributes(loader, seen);
        map_clear(seen);
        check_masks(loader, seen);
        map_clear(seen);
        check_filters(loader, seen);
        map_clear(seen);
        check_tables(loader, seen, columns);
    } else {
        load_report(loader, (struct policy_place){.file = loader->policy->path}, "out of memory");
    }
    map_free(seen);
    map_free(columns);
}
