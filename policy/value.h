/*
 * value.h: settings of a policy file, read with their types and told apart by their keys.
 *
 * libconfig converts and forgives; here a string is a string. Every reader reports what is wrong
 * with its place and answers false (or an empty list); results are copies in the policy's arena.
 */
#ifndef PGVIGIL_POLICY_VALUE_H
#define PGVIGIL_POLICY_VALUE_H

#include "load.h"

/* What a reader of a key gets. */
struct value {
    struct loader *loader;
    const struct document *document;
    config_setting_t *setting;
    void *entry; /* the raw entry being filled */
};

/* A key that a group may hold. */
struct value_key {
    const char *name;
    const char *needed; /* not NULL: the key must be there, and this says what for */
    void (*read)(const struct value *value);
};

#define KEYS(array) (array), sizeof(array) / sizeof((array)[0])

struct policy_place value_place(const struct value *value);
bool value_string(const struct value *value, const char **text);
bool value_bool(const struct value *value, bool *truth);
bool value_count(const struct value *value, uint64_t least, uint64_t most, uint64_t *number);
/* [ "a", "b" ]; the place of each element. An element twice is reported. */
bool value_names(const struct value *value, struct raw_names *names);
/* Strings with their place. */
void value_name(const struct value *value, struct raw_name *name);
/* The same without the place; NULL when it is no string (reported). */
const char *value_text(const struct value *value);

/* Calls the key's reader for each member of a group, reports unknown and missing keys. `what`: "a
 * rule". */
bool value_group(const struct value *value, const char *what, const struct value_key *keys,
                 size_t key_count);
/* ( {...}, {...} ): for each group a zeroed entry of `size` on the pile, then value_group.
 * `place` in the entry stands at `place_offset`. */
void value_entries(const struct value *value, const char *what, const struct value_key *keys,
                   size_t key_count, struct pile *pile, size_t size, size_t place_offset);

const char *value_type(const config_setting_t *setting); /* "a string" */

#endif
