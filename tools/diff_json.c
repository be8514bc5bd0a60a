/*
 * diff_json.c: differences of two policies for machines: every item by itself (see diff.h).
 */
#include "tools/diff.h"

#include <jansson.h>
#include <string.h>

/* Takes `value`. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool put_text(json_t *object, const char *key, const char *text)
{
    return text == NULL || put(object, key, json_string(text));
}

static json_t *item_json(const struct diff_item *item)
{
    json_t *object = json_object();
    bool whole =
        object != NULL && put_text(object, "direction", diff_direction_name(item->direction)) &&
        put_text(object, "kind", diff_kind_name(item->kind)) &&
        put_text(object, "role", item->role) && put_text(object, "mission", item->mission) &&
        put_text(object, "user", item->user) && put_text(object, "object", item->object) &&
        put_text(object, "column", item->column) && put_text(object, "from", item->from) &&
        put_text(object, "to", item->to);
    if (!whole) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *policy_json(const struct policy *policy)
{
    json_t *object = json_object();
    if (object == NULL || !put_text(object, "path", policy->path) ||
        !put_text(object, "generation", policy->generation)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static bool fill(const struct diff *diff, bool only, json_t *all)
{
    json_t *counts = json_object();
    json_t *changes = json_array();
    bool whole = put(all, "old", policy_json(diff->old)) && put(all, "new", policy_json(diff->new));
    for (int i = DIFF_GAIN; i < DIFF_DIRECTIONS; i++)
        whole = whole && put(counts, diff_direction_name((enum diff_direction)i),
                             json_integer((json_int_t)diff_count(diff, (enum diff_direction)i)));
    for (size_t i = 0; whole && i < diff->count; i++)
        if (!only || diff->items[i].direction < DIFF_LOSS)
            whole = json_array_append_new(changes, item_json(&diff->items[i])) == 0;
    /* json_object_set_new takes its value also when it fails. */
    bool counted = put(all, "counts", counts);
    return put(all, "changes", changes) && counted && whole;
}

enum status diff_print_json(const struct diff *diff, bool only, FILE *out)
{
    json_t *all = json_object();
    enum status status = all != NULL && fill(diff, only, all) ? OK : ERR_MEMORY;
    if (status == OK && json_dumpf(all, out, JSON_INDENT(1) | JSON_PRESERVE_ORDER) != 0)
        status = ERR_IO;
    if (status == OK)
        (void)fputc('\n', out);
    json_decref(all);
    return status;
}
