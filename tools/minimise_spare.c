/*
 * minimise_spare.c: which values of a person's attributes she could do without (minimise_reach.h).
 *
 * A value is spare when without it all that she saw is still in reach, and nothing is in reach that
 * was not: of `ward <> ALL (:user.closed)` a value that is taken away opens a ward. Each is tried
 * beside those that were found spare before it, of other attributes, too. Nothing is said of an
 * attribute that decides what cannot be counted: rows that are nobody's, what the client says,
 * another database, records that do not name all their patients, missions that are left as they
 * are. The side on which it errs: what is not known is needed.
 */
#include "tools/minimise_reach.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 1000000 /* "table patient", of a pair; where there are more nothing is tried */

/* ---- may it be tried? ---- */

static bool is_relation(const struct catalog_relation *relation, const char *used)
{
    char name[MINIMISE_RELATION];
    minimise_relation(name, relation->schema, relation->name);
    return strcmp(name, used) == 0;
}

/* Of a sequence nothing but its numbers is told. */
static bool is_sequence(const struct catalog *catalog, const char *used)
{
    char name[MINIMISE_RELATION];
    bool found = false;
    for (size_t i = 0; i < catalog->sequence_count && !found; i++) {
        minimise_relation(name, catalog->sequences[i].schema, catalog->sequences[i].name);
        found = strcmp(name, used) == 0;
    }
    return found;
}

/* What was read of a relation without a rule of its own, a view, was decided by any of the pair's
 * rules. */
static bool decides_uncounted(const struct reaching *reaching, const struct reach_pair *pair,
                              const char *used, size_t attribute)
{
    for (size_t i = 0; i < pair->count; i++)
        if (is_relation(pair->relations[i], used))
            return false;
    for (size_t i = 0; i < pair->other_count; i++)
        if (is_relation(pair->others[i].relation, used))
            return pair->others[i].attributes[attribute];
    return pair->attributes[attribute] && !is_sequence(reaching->catalog, used);
}

static bool part_blocks(const struct reaching *reaching, const struct reach_part *part,
                        size_t attribute)
{
    const struct person_use *use = part->use;
    if (!part->pair->attributes[attribute])
        return false;
    bool blocks = part->pair->session || use->inexact || use->elsewhere;
    for (size_t i = 0; i < use->table_count && !blocks; i++)
        blocks = decides_uncounted(reaching, part->pair, use->tables[i].relation, attribute);
    return blocks;
}

/* A mission that is left as it is, used or not, needs what it has. */
static enum status kept_needs(struct reaching *reaching, const struct policy_user *user,
                              size_t attribute, bool *needs)
{
    struct minimise *minimise = reaching->minimise;
    enum status status = OK;
    for (size_t i = 0; i < minimise->pair_count && status == OK && !*needs; i++) {
        struct pair *pair = &minimise->pairs[i];
        struct reach_pair *found = NULL;
        if (pair->keep == KEEP_NOT || !policy_user_has_role(user, pair->role))
            continue;
        status = reach_pair_of(reaching, pair, &found);
        *needs = status == OK && found->attributes[attribute];
    }
    return status;
}

static enum status may_try(struct reaching *reaching, const struct reach_person *person, size_t at,
                           bool *may)
{
    const struct policy_user_attribute *attribute = &person->user->attributes[at];
    bool needed = false;
    *may = false;
    if (!attribute->is_list || attribute->value_count < 2)
        return OK;
    for (size_t i = 0; i < person->count; i++) {
        const struct reach_part *part = &person->parts[i];
        if (part_blocks(reaching, part, attribute->attribute)) {
            *may = false;
            return OK;
        }
        *may = *may || (part->pair->attributes[attribute->attribute] && part->base != NULL &&
                        map_count(part->base) > 0);
    }
    enum status status =
        *may ? kept_needs(reaching, person->user, attribute->attribute, &needed) : OK;
    *may = *may && !needed;
    return status;
}

/* ---- trying ---- */

/* The parts that the attribute decides, and what was in reach of each before. */
struct trial {
    struct reaching *reaching;
    const struct reach_person *person;
    size_t attribute; /* index in the policy */
    struct map **before;
    uint64_t patients; /* in reach, over these parts */
    bool many;         /* too many rows */
};

static bool is_decided(const struct trial *trial, size_t part)
{
    const struct reach_part *one = &trial->person->parts[part];
    return one->base != NULL && one->pair->attributes[trial->attribute];
}

/* All rows' "table patient" in reach now. NULL with OK: too many. */
static enum status rows_of(const struct trial *trial, size_t at, struct map **rows)
{
    const struct reach_part *part = &trial->person->parts[at];
    struct buf sql;
    buf_init(&sql, 0);
    for (size_t i = 0; i < part->pair->count; i++)
        buf_printf(&sql, "%sSELECT DISTINCT '%zu ' || u.s FROM (%s) u", i == 0 ? "" : " UNION ALL ",
                   i, part->pair->selects[i]);
    buf_printf(&sql, " LIMIT %d", ROWS_MAX + 1);
    buf_byte(&sql, '\0');
    PGresult *result =
        sql.failed ? NULL : reach_ask(trial->reaching, (const char *)buf_head(&sql), NULL, 0);
    enum status status = sql.failed       ? ERR_MEMORY
                         : result == NULL ? reach_failed(trial->reaching, part->use)
                                          : OK;
    buf_free(&sql);
    bool many = status == OK && PQntuples(result) > ROWS_MAX;
    *rows = status != OK || many ? NULL : map_new();
    if (status == OK && !many && *rows == NULL)
        status = ERR_MEMORY;
    for (int i = 0; status == OK && !many && i < PQntuples(result); i++)
        status = map_put_str(*rows, PQgetvalue(result, i, 0), trial->before);
    PQclear(result);
    if (status != OK) {
        map_free(*rows);
        *rows = NULL;
    }
    return status;
}

static bool holds(const struct map *whole, const struct map *part)
{
    const char *key = NULL;
    size_t len = 0;
    size_t cursor = 0;
    void *value = NULL;
    bool all = true;
    while (all && map_next(part, &cursor, &key, &len, &value))
        all = map_get(whole, key, len) != NULL;
    return all;
}

/* How it is with the user as she would be: which rows, in `rows` by part, and how many patients. */
static enum status look(struct trial *trial, const struct policy_user *user, struct map **rows,
                        uint64_t *patients)
{
    *patients = 0;
    enum status status = reach_become(trial->reaching, user)
                             ? OK
                             : reach_failed(trial->reaching, trial->person->parts[0].use);
    for (size_t i = 0; i < trial->person->count && status == OK && !trial->many; i++) {
        const struct reach_part *part = &trial->person->parts[i];
        uint64_t count = 0;
        if (!is_decided(trial, i))
            continue;
        status = rows_of(trial, i, &rows[i]);
        trial->many = trial->many || rows[i] == NULL;
        if (status == OK && !trial->many)
            status = reach_count(trial->reaching, part->use, part->pair, &count);
        *patients += count;
    }
    return status;
}

static bool is_spare(const struct trial *trial, struct map *const *rows)
{
    bool spare = !trial->many;
    for (size_t i = 0; i < trial->person->count && spare; i++)
        if (is_decided(trial, i))
            spare =
                holds(rows[i], trial->person->parts[i].base) && holds(trial->before[i], rows[i]);
    return spare;
}

static void free_rows(struct map **rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        map_free(rows[i]);
        rows[i] = NULL;
    }
}

/* The user, with those of the values that she had alone for which `gone` is false. */
static const struct policy_user *without(struct arena *arena, const struct policy_user *user,
                                         const struct policy_user *as_was, size_t at,
                                         const bool *gone)
{
    const struct policy_user_attribute *whole = &as_was->attributes[at];
    struct policy_user *copy = arena_zalloc(arena, 1, sizeof(*copy));
    struct policy_user_attribute *attributes =
        arena_zalloc(arena, user->attribute_count, sizeof(*attributes));
    const char **values = arena_zalloc(arena, whole->value_count, sizeof(*values));
    struct buf list;
    if (copy == NULL || attributes == NULL || values == NULL)
        return NULL;
    memcpy(attributes, user->attributes, user->attribute_count * sizeof(*attributes));
    size_t count = 0;
    for (size_t i = 0; i < whole->value_count; i++)
        if (!gone[i])
            values[count++] = whole->values[i];
    buf_init(&list, 0);
    text_quote_array(&list, values, count);
    buf_byte(&list, '\0');
    attributes[at].values = values;
    attributes[at].value_count = count;
    attributes[at].setting =
        list.failed ? NULL : arena_strdup(arena, (const char *)buf_head(&list));
    buf_free(&list);
    *copy = *user;
    copy->attributes = attributes;
    return attributes[at].setting == NULL ? NULL : copy;
}

static enum status add_spare(struct minimise *minimise, const struct policy_user *user,
                             const struct policy_user_attribute *attribute, size_t value,
                             uint64_t patients)
{
    struct spare *spares = arena_grow(minimise->arena, minimise->spares, minimise->spare_count,
                                      &minimise->spare_cap, sizeof(*spares));
    if (spares == NULL)
        return ERR_MEMORY;
    minimise->spares = spares;
    spares[minimise->spare_count++] =
        (struct spare){.user = user,
                       .attribute = minimise->policy->attributes[attribute->attribute].name,
                       .value = attribute->values[value],
                       .patients = patients};
    return OK;
}

static bool is_first(const struct policy_user_attribute *attribute, size_t value)
{
    size_t first = 0;
    while (strcmp(attribute->values[first], attribute->values[value]) != 0)
        first++;
    return first == value;
}

/* All places of the value at once: with one of two nothing would change. */
static enum status try_value(struct trial *trial, const struct policy_user **user, size_t at,
                             bool *gone, size_t value)
{
    struct minimise *minimise = trial->reaching->minimise;
    const struct policy_user *whole = trial->person->user;
    const struct policy_user_attribute *attribute = &whole->attributes[at];
    size_t count = trial->person->count;
    uint64_t left = 0;
    struct map **rows = arena_zalloc(minimise->arena, count, sizeof(struct map *));
    for (size_t i = value; i < attribute->value_count; i++)
        gone[i] = gone[i] || strcmp(attribute->values[i], attribute->values[value]) == 0;
    const struct policy_user *fewer = without(minimise->arena, *user, whole, at, gone);
    enum status status =
        rows == NULL || fewer == NULL ? ERR_MEMORY : look(trial, fewer, rows, &left);
    bool spare = status == OK && left < trial->patients && is_spare(trial, rows);
    for (size_t i = value; i < attribute->value_count && !spare; i++)
        if (strcmp(attribute->values[i], attribute->values[value]) == 0)
            gone[i] = false;
    if (spare) {
        status = add_spare(minimise, whole, attribute, value, trial->patients - left);
        for (size_t i = 0; i < count; i++) {
            struct map *old = trial->before[i];
            trial->before[i] = rows[i];
            rows[i] = old;
        }
        trial->patients = left;
        *user = fewer;
    }
    if (rows != NULL)
        free_rows(rows, count);
    return status;
}

static enum status try_values(struct reaching *reaching, const struct reach_person *person,
                              size_t at, const struct policy_user **user)
{
    struct arena *arena = reaching->minimise->arena;
    const struct policy_user_attribute *attribute = &person->user->attributes[at];
    struct trial trial = {.reaching = reaching,
                          .person = person,
                          .attribute = attribute->attribute,
                          .before = arena_zalloc(arena, person->count, sizeof(struct map *))};
    bool *gone = arena_zalloc(arena, attribute->value_count, sizeof(*gone));
    enum status status = gone == NULL || trial.before == NULL
                             ? ERR_MEMORY
                             : look(&trial, *user, trial.before, &trial.patients);
    for (size_t i = 0; i < attribute->value_count && status == OK && !trial.many; i++)
        if (is_first(attribute, i))
            status = try_value(&trial, user, at, gone, i);
    if (trial.before != NULL)
        free_rows(trial.before, person->count);
    return status;
}

enum status reach_spares(struct reaching *reaching, const struct reach_person *person)
{
    const struct policy_user *user = person->user;
    enum status status = OK;
    for (size_t i = 0; i < person->user->attribute_count && status == OK; i++) {
        bool may = false;
        status = may_try(reaching, person, i, &may);
        if (status == OK && may)
            status = try_values(reaching, person, i, &user);
    }
    return status;
}
