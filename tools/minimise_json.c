/*
 * minimise_json.c: what `pgvigil minimise` found, for programs; and the words that both forms
 * share.
 */
#include "tools/minimise.h"

#include <pgvigil/buf.h>
#include <stdlib.h>
#include <string.h>

const char *minimise_right(enum use_how how)
{
    switch (how) {
    case USE_READ:
        return "read";
    case USE_INSERT:
        return "insert";
    case USE_UPDATE:
        return "update";
    case USE_DELETE:
        return "delete";
    case USE_TRUNCATE:
        return "truncate";
    case USE_TOUCH:
        return "table";
    case USE_ALL:
        return "mission";
    }
    return "mission";
}

const char *minimise_keep_word(enum keep_why why)
{
    static const char *const words[] = {"",       "break_glass", "retention",
                                        "rights", "destroyer",   "purpose",
                                        "asked",  "young",       "not_told"};
    return words[why];
}

const char *minimise_hand_word(enum hand_why why)
{
    static const char *const words[] = {"",          "stays",   "shared",  "no_catalog", "opened",
                                        "not_a_key", "written", "refused", "text"};
    return words[why];
}

const char *minimise_stay_word(enum stay_why why)
{
    static const char *const words[] = {"", "default", "last", "role_unused", "text"};
    return words[why];
}

const char *minimise_place(const struct minimise *minimise, const struct policy_place *place)
{
    const char *file = place->file == NULL ? "" : place->file;
    const char *path = minimise->policy->path;
    size_t len = strlen(path);
    if (strncmp(file, path, len) == 0 && file[len] == '/')
        file += len + 1;
    else if (strcmp(file, path) == 0 && strrchr(file, '/') != NULL)
        file = strrchr(file, '/') + 1;
    const char *text = arena_printf(minimise->arena, "%s:%u", file, place->line);
    return text == NULL ? "" : text;
}

bool minimise_reaches_all(const struct target *target, const struct policy *policy)
{
    return !target->part && target->table->subject != NULL &&
           policy->rules[target->rule].rows == NULL;
}

static void put(json_t *object, const char *key, const char *text)
{
    if (text != NULL && *text != '\0')
        (void)json_object_set_new(object, key, json_string(text));
}

static json_t *pair_json(const struct minimise *minimise, int role, int mission)
{
    return json_pack("{s:s, s:s}", "role", minimise->policy->roles[role].name, "mission",
                     minimise->policy->missions[mission].name);
}

static json_t *unused_json(const struct minimise *minimise)
{
    json_t *list = json_array();
    for (size_t i = 0; i < minimise->unused_count; i++) {
        const struct unused *one = &minimise->unused[i];
        json_t *object = pair_json(minimise, one->pair->role, one->pair->mission);
        put(object, "right", minimise_right(one->how));
        if (one->target != NULL) {
            put(object, "table", one->target->full);
            put(object, "rule",
                minimise_place(minimise, &minimise->policy->rules[one->target->rule].place));
        }
        put(object, "column", one->column);
        (void)json_object_set_new(object, "cut", json_boolean(one->cut));
        if (!one->cut) {
            put(object, "by_hand",
                one->why == HAND_STAYS ? minimise_stay_word(one->pair->stays)
                                       : minimise_hand_word(one->why));
            put(object, "detail", one->why == HAND_REFUSED ? one->detail : NULL);
        }
        if (!one->cut && one->why == HAND_SHARED) {
            json_t *user = pair_json(minimise, one->user->role, one->user->mission);
            put(user, "table", one->user->full);
            (void)json_object_set_new(object, "used_by", user);
        }
        (void)json_array_append_new(list, object);
    }
    return list;
}

static json_t *kept_json(const struct minimise *minimise)
{
    json_t *list = json_array();
    for (size_t i = 0; i < minimise->pair_count; i++) {
        const struct pair *pair = &minimise->pairs[i];
        if (pair->keep == KEEP_NOT)
            continue;
        json_t *object = pair_json(minimise, pair->role, pair->mission);
        put(object, "why", minimise_keep_word(pair->keep));
        put(object, "detail", pair->detail);
        (void)json_array_append_new(list, object);
    }
    for (size_t i = 0; i < minimise->frozen_count; i++) {
        const struct use_frozen *frozen = &minimise->frozen[i];
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "role", frozen->pair->role, "mission",
                            frozen->pair->mission, "table", frozen->relation, "why", "statement",
                            "detail", frozen->why));
    }
    return list;
}

/* Of the pair, each person that PostgreSQL was asked about. NULL: it was not asked. */
static json_t *people_json(const struct minimise *minimise, const struct pair_use *use)
{
    json_t *list = minimise->asked ? json_array() : NULL;
    for (size_t i = 0; i < minimise->reach_count && list != NULL; i++) {
        const struct reach *reach = minimise->reaches_of[i];
        if (reach->use->pair != use)
            continue;
        json_t *object = json_pack("{s:s}", "person", reach->use->person);
        if (!reach->session) {
            (void)json_object_set_new(object, "in_reach",
                                      json_integer((json_int_t)reach->in_reach));
            (void)json_object_set_new(object, "seen", json_integer((json_int_t)reach->seen));
        }
        (void)json_object_set_new(object, "exact", json_boolean(!reach->use->inexact));
        (void)json_object_set_new(object, "session_decides", json_boolean(reach->session));
        (void)json_array_append_new(list, object);
    }
    return list;
}

static json_t *spares_json(const struct minimise *minimise)
{
    json_t *list = json_array();
    for (size_t i = 0; i < minimise->spare_count; i++) {
        const struct spare *spare = &minimise->spares[i];
        json_t *object = json_pack("{s:s, s:s, s:s, s:I}", "person", spare->user->name, "attribute",
                                   spare->attribute, "value", spare->value, "patients",
                                   (json_int_t)spare->patients);
        put(object, "user", minimise_place(minimise, &spare->user->place));
        (void)json_array_append_new(list, object);
    }
    return list;
}

static json_t *rows_json(const struct minimise *minimise)
{
    json_t *list = json_array();
    for (size_t i = 0; i < minimise->pair_count; i++) {
        const struct pair *pair = &minimise->pairs[i];
        json_t *all = json_array();
        for (size_t k = 0; k < minimise->target_count; k++) {
            const struct target *target = minimise->targets[k];
            if (target->role == pair->role && target->mission == pair->mission &&
                minimise_reaches_all(target, minimise->policy))
                (void)json_array_append_new(all, json_string(target->full));
        }
        json_t *object = pair_json(minimise, pair->role, pair->mission);
        const struct pair_use *use = pair->use;
        (void)json_object_set_new(object, "statements",
                                  json_integer(use ? (json_int_t)use->statements : 0));
        (void)json_object_set_new(object, "rows", json_integer(use ? (json_int_t)use->rows : 0));
        (void)json_object_set_new(object, "patients",
                                  json_integer(use ? (json_int_t)map_count(use->patients) : 0));
        (void)json_object_set_new(object, "patients_exact", json_boolean(!use || !use->inexact));
        (void)json_object_set_new(object, "every_patient_of", all);
        json_t *people = use == NULL ? NULL : people_json(minimise, use);
        if (people != NULL)
            (void)json_object_set_new(object, "people", people);
        (void)json_array_append_new(list, object);
    }
    return list;
}

static json_t *diff_json(const struct minimise *minimise)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    enum status status = out == NULL                 ? ERR_MEMORY
                         : minimise->smaller == NULL ? OK
                                                     : policy_edit_diff(&minimise->edits, out);
    if (out != NULL && fclose(out) != 0)
        status = ERR_MEMORY;
    json_t *diff = status == OK ? json_stringn(text, len) : NULL;
    free(text);
    return diff;
}

json_t *minimise_json(const struct minimise *minimise, unsigned days)
{
    json_t *diff = diff_json(minimise);
    json_t *all = json_object();
    (void)json_object_set_new(all, "days", json_integer(days));
    put(all, "since", minimise->since);
    put(all, "trail_reaches", minimise->reaches);
    put(all, "trail_last", minimise->last);
    put(all, "policy_in_force", minimise->in_force);
    put(all, "generation", minimise->policy->generation);
    (void)json_object_set_new(all, "unused", unused_json(minimise));
    (void)json_object_set_new(all, "kept", kept_json(minimise));
    (void)json_object_set_new(all, "rows", rows_json(minimise));
    if (minimise->asked)
        (void)json_object_set_new(all, "spare_values", spares_json(minimise));
    (void)json_object_set_new(all, "diff", diff);
    if (diff != NULL)
        return all;
    json_decref(all);
    return NULL;
}
