/*
 * digest.c: the generation of a policy: a hash over everything that guards depend on.
 *
 * Two policies that make the same guards have the same digest, however they are spread over files,
 * commented, spaced and ordered; any difference in what may be seen changes it. Fields are written
 * with their lengths, so that no two policies have one serialisation; sets are written in sorted
 * order. The hash names and compares; it does not defend against an administrator who searches for
 * collisions.
 */
#include "private.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>

#include <stdlib.h>
#include <string.h>

static void put_text(struct buf *out, const char *text)
{
    if (text == NULL) {
        buf_u32(out, UINT32_MAX);
        return;
    }
    buf_u32(out, (uint32_t)strlen(text));
    buf_str(out, text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A set of strings: sorted, so that the order in the file does not matter. */
static void put_set(struct buf *out, const char *const *names, size_t count)
{
    const char **sorted = malloc((count + 1) * sizeof(*sorted));
    if (sorted == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = names[i];
    qsort((void *)sorted, count, sizeof(*sorted), by_text);
    buf_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        put_text(out, sorted[i]);
    free((void *)sorted);
}

typedef void (*put_item)(struct buf *out, const struct policy *policy, const void *list,
                         size_t index);

struct chunk {
    const unsigned char *bytes;
    size_t len;
};

static int by_bytes(const void *a, const void *b)
{
    const struct chunk *one = a;
    const struct chunk *two = b;
    size_t len = one->len < two->len ? one->len : two->len;
    int order = len == 0 ? 0 : memcmp(one->bytes, two->bytes, len);
    if (order != 0 || one->len == two->len)
        return order;
    return one->len < two->len ? -1 : 1;
}

/* A set of structured items: each serialised by itself, then sorted by its bytes. */
static void put_items(struct buf *out, const struct policy *policy, const void *list, size_t count,
                      put_item put)
{
    struct buf all;
    buf_init(&all, 0);
    size_t *ends = malloc((count + 1) * sizeof(*ends));
    struct chunk *chunks = malloc((count + 1) * sizeof(*chunks));
    if (ends == NULL || chunks == NULL) {
        out->failed = true;
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        put(&all, policy, list, i);
        ends[i] = buf_len(&all);
    }
    for (size_t i = 0; i < count && !all.failed; i++) {
        size_t start = i == 0 ? 0 : ends[i - 1];
        chunks[i] = (struct chunk){.bytes = buf_head(&all) + start, .len = ends[i] - start};
    }
    out->failed = out->failed || all.failed;
    if (out->failed)
        goto done;
    qsort(chunks, count, sizeof(*chunks), by_bytes);
    buf_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_u32(out, (uint32_t)chunks[i].len);
        buf_append(out, chunks[i].bytes, chunks[i].len);
    }
done:
    buf_free(&all);
    free(ends);
    free(chunks);
}

static void put_category(struct buf *out, const struct policy *policy, const void *list,
                         size_t index)
{
    const struct policy_category *category = (const struct policy_category *)list + index;
    (void)policy;
    put_text(out, category->name);
    put_set(out, category->columns, category->column_count);
}

static void put_like(struct buf *out, const struct policy *policy, const void *list, size_t index)
{
    const struct policy_columns_like *like = (const struct policy_columns_like *)list + index;
    (void)policy;
    put_text(out, like->match);
    put_text(out, like->category);
}

static void put_table(struct buf *out, const struct policy *policy, const void *list, size_t index)
{
    const struct policy_table *table = (const struct policy_table *)list + index;
    put_text(out, table->schema);
    put_text(out, table->name);
    put_set(out, table->except, table->except_count);
    put_text(out, table->subject);
    put_items(out, policy, table->categories, table->category_count, put_category);
    put_items(out, policy, table->columns_like, table->columns_like_count, put_like);
    if (table->dimension_count > 0 ||
        table->measure_count > 0) { /* nothing else: as for truncate */
        put_set(out, table->dimensions, table->dimension_count);
        put_set(out, table->measures, table->measure_count);
    }
}

static void put_mask(struct buf *out, const struct policy *policy, const void *list, size_t index)
{
    const struct policy_mask *mask = (const struct policy_mask *)list + index;
    (void)policy;
    put_text(out, mask->name);
    put_text(out, mask->expression);
}

static void put_attribute(struct buf *out, const struct policy *policy, const void *list,
                          size_t index)
{
    const struct policy_attribute *attribute = (const struct policy_attribute *)list + index;
    (void)policy;
    put_text(out, attribute->name);
    put_text(out, attribute->type);
}

static void put_indexes(struct buf *out, const struct policy *policy, const uint32_t *indexes,
                        size_t count, bool roles)
{
    const char **names = malloc((count + 1) * sizeof(*names));
    if (names == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        names[i] = roles ? policy->roles[indexes[i]].name : policy->missions[indexes[i]].name;
    put_set(out, names, count);
    free((void *)names);
}

static void put_mission(struct buf *out, const struct policy *policy, const void *list,
                        size_t index)
{
    const struct policy_mission *mission = (const struct policy_mission *)list + index;
    (void)policy;
    put_text(out, mission->name);
    if (mission->ages != AGE_ACTIVE)
        buf_u32(out, mission->ages); /* nothing else: as for truncate */
    if (mission->aggregate_only != NULL) {
        buf_str(out, "aggregate_only");
        buf_u32(out, (uint32_t)mission->aggregate_only->k);
    }
}

static void put_role(struct buf *out, const struct policy *policy, const void *list, size_t index)
{
    const struct policy_role *role = (const struct policy_role *)list + index;
    put_text(out, role->name);
    buf_byte(out, role->unrestricted ? 1 : 0);
    put_indexes(out, policy, role->missions, role->mission_count, false);
}

static void put_filter(struct buf *out, const struct policy *policy, const void *list, size_t index)
{
    const struct policy_filter *filter = (const struct policy_filter *)list + index;
    (void)policy;
    put_text(out, filter->name);
    put_text(out, filter->expression);
}

static void put_column(struct buf *out, const struct policy *policy, const void *list, size_t index)
{
    const struct policy_column_rule *column = (const struct policy_column_rule *)list + index;
    put_text(out, column->name);
    put_text(out, policy->masks[column->mask].name);
}

static void put_rule(struct buf *out, const struct policy *policy, const void *list, size_t index)
{
    const struct policy_rule *rule = (const struct policy_rule *)list + index;
    put_indexes(out, policy, rule->roles, rule->role_count, true);
    put_indexes(out, policy, rule->missions, rule->mission_count, false);
    put_set(out, rule->tables, rule->table_count);
    put_text(out, rule->rows);
    put_items(out, policy, rule->columns, rule->column_count, put_column);
    put_set(out, rule->insert, rule->insert_count);
    put_set(out, rule->update, rule->update_count);
    buf_byte(out, rule->delete_rows ? 1 : 0);
    if (rule->truncate)
        buf_byte(out, 1); /* nothing else: rules of before keep their generation */
}

static void put_function(struct buf *out, const struct policy *policy, const void *list,
                         size_t index)
{
    const struct policy_function *function = (const struct policy_function *)list + index;
    put_text(out, function->schema);
    put_text(out, function->name);
    put_indexes(out, policy, function->roles, function->role_count, true);
    put_indexes(out, policy, function->missions, function->mission_count, false);
}

static void put_tables(struct buf *out, const struct policy *policy, const uint32_t *tables,
                       size_t count)
{
    const char **names = malloc((count + 1) * sizeof(*names));
    for (size_t i = 0; names != NULL && i < count; i++) {
        const struct policy_table *table = &policy->tables[tables[i]];
        names[i] = arena_printf(policy->private->arena, "%s.%s", table->schema, table->name);
        out->failed = out->failed || names[i] == NULL;
    }
    if (names == NULL || out->failed)
        out->failed = true;
    else
        put_set(out, names, count);
    free((void *)names);
}

static void put_right(struct buf *out, const struct policy *policy, const void *list, size_t index)
{
    const struct policy_right *right = (const struct policy_right *)list + index;
    put_text(out, right->hide);
    buf_byte(out, right->but ? 1 : 0);
    put_indexes(out, policy, right->missions, right->mission_count, false);
    put_indexes(out, policy, right->roles, right->role_count, true);
    put_tables(out, policy, right->tables, right->table_count);
}

static void put_retention(struct buf *out, const struct policy *policy)
{
    const struct policy_retention *retention = policy->retention;
    const unsigned years[] = {retention->active_years, retention->archive_years,
                              retention->minor_years, retention->death_years};
    const char *const texts[] = {retention->table, retention->last, retention->birth,
                                 retention->death, retention->hold, retention->time_zone};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        put_text(out, texts[i]);
    for (size_t i = 0; i < sizeof(years) / sizeof(years[0]); i++)
        buf_u32(out, years[i]);
    put_tables(out, policy, retention->excepted, retention->excepted_count);
}

enum status policy_digest(struct policy *policy)
{
    struct buf out;
    buf_init(&out, 0);
    buf_printf(&out, "pgvigil policy, guards in format %d\n", POLICY_GUARD_FORMAT);
    put_items(&out, policy, policy->tables, policy->table_count, put_table);
    put_items(&out, policy, policy->masks, policy->mask_count, put_mask);
    put_items(&out, policy, policy->attributes, policy->attribute_count, put_attribute);
    put_items(&out, policy, policy->missions, policy->mission_count, put_mission);
    put_items(&out, policy, policy->roles, policy->role_count, put_role);
    put_items(&out, policy, policy->filters, policy->filter_count, put_filter);
    put_items(&out, policy, policy->rules, policy->rule_count, put_rule);
    put_items(&out, policy, policy->functions, policy->function_count, put_function);
    /* A policy without any keeps the digest that it had before there were such entries. */
    if (policy->sequence_count > 0)
        put_items(&out, policy, policy->sequences, policy->sequence_count, put_function);
    if (policy->right_count > 0)
        put_items(&out, policy, policy->rights, policy->right_count, put_right);
    if (policy->retention != NULL)
        put_retention(&out, policy);
    enum status status = out.failed ? ERR_MEMORY : OK;
    if (status == OK) {
        text_hash128(buf_head(&out), buf_len(&out), policy->digest);
        memcpy(policy->generation, policy->digest, 8);
        policy->generation[8] = '\0';
    }
    buf_free(&out);
    return status;
}
