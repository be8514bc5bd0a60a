/*
 * rule.c: what decided which rows may go (rule.h).
 *
 * Trust boundary: the policy's own words; nothing of a row.
 */
#include "tools/rule.h"

#include <openssl/sha.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* Into an array that is in order, whatever order policy and keys have. */
static void put_in_order(json_t *list, json_t *name)
{
    size_t at = 0;
    while (name != NULL && at < json_array_size(list) &&
           strcmp(json_string_value(json_array_get(list, at)), json_string_value(name)) < 0)
        at++;
    (void)json_array_insert_new(list, at, name);
}

static json_t *excepted_json(const struct policy *policy)
{
    json_t *list = json_array();
    const struct policy_retention *retention = policy->retention;
    for (size_t i = 0; retention != NULL && i < retention->excepted_count; i++) {
        const struct policy_table *table = &policy->tables[retention->excepted[i]];
        put_in_order(list, json_sprintf("%s.%s", table->schema, table->name));
    }
    return list;
}

static json_t *erasable_json(const struct records *records)
{
    json_t *list = json_array();
    for (size_t i = 0; i < records->count; i++)
        if (records->tables[i].erasable)
            put_in_order(list, json_string(records->tables[i].told));
    return list;
}

/* As the policy has it: what it was put into for SQL, "(...\n)", is not its own. */
static json_t *own_words(const char *subject)
{
    size_t len = strlen(subject);
    return len > 3 && subject[0] == '(' && strcmp(subject + len - 2, "\n)") == 0
               ? json_stringn(subject + 1, len - 3)
               : json_string(subject);
}

static json_t *subjects_json(const struct records *records)
{
    json_t *object = json_object();
    for (size_t i = 0; i < records->count; i++)
        (void)json_object_set_new(object, records->tables[i].told,
                                  own_words(records->tables[i].subject));
    return object;
}

json_t *rule_json(const struct policy *policy, const struct records *records)
{
    const struct policy_retention *rule = policy->retention;
    json_t *all = json_pack("{s:o, s:o, s:o}", "except", excepted_json(policy), "erasable",
                            erasable_json(records), "subjects", subjects_json(records));
    json_t *terms = all == NULL || rule == NULL
                        ? NULL
                        : json_pack("{s:i, s:i, s:i, s:i, s:s, s:s, s:s*, s:s*, s:s*, s:s*}",
                                    "active_years", (int)rule->active_years, "archive_years",
                                    (int)rule->archive_years, "minor_years", (int)rule->minor_years,
                                    "death_years", (int)rule->death_years, "people", rule->table,
                                    "last", rule->last, "birth", rule->birth, "death", rule->death,
                                    "hold", rule->hold, "time_zone", rule->time_zone);
    if (rule != NULL && (terms == NULL || json_object_update(all, terms) != 0)) {
        json_decref(all);
        all = NULL;
    }
    json_decref(terms);
    return all;
}

bool rule_digest(const json_t *rule, char digest[RULE_DIGEST])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char *text = rule == NULL ? NULL : json_dumps(rule, JSON_COMPACT | JSON_SORT_KEYS);
    bool fine = text != NULL && SHA256((const unsigned char *)text, strlen(text), hash) != NULL;
    if (fine)
        text_hex(hash, sizeof hash, digest);
    free(text);
    return fine;
}

bool rule_digest_of(const struct policy *policy, const struct records *records,
                    char digest[RULE_DIGEST])
{
    json_t *rule = rule_json(policy, records);
    bool fine = rule_digest(rule, digest);
    json_decref(rule);
    return fine;
}
