/*
 * value.c: the typed reading of libconfig settings.
 *
 * Trust boundary: an administrator's files. Types are compared, never converted; messages tell keys
 * and types, not values, since a value may be a secret.
 */
#include "value.h"

#include <pgvigil/text.h>

#include <string.h>

struct policy_place value_place(const struct value *value)
{
    const struct policy_place *own = config_setting_get_hook(value->setting);
    if (own != NULL)
        return *own;
    return document_place(value->document, config_setting_source_line(value->setting));
}

const char *value_type(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group { ... }";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a number";
    case CONFIG_TYPE_FLOAT:
        return "a decimal number";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_ARRAY:
        return "an array [ ... ]";
    case CONFIG_TYPE_LIST:
        return "a list ( ... )";
    default:
        return "nothing known";
    }
}

/* "name" of the setting, or of the list it is an element of. */
static const char *setting_name(const config_setting_t *setting)
{
    while (setting != NULL && config_setting_name(setting) == NULL)
        setting = config_setting_parent(setting);
    return setting == NULL ? "the value" : config_setting_name(setting);
}

static bool wrong_type(const struct value *value, const char *expected)
{
    bool element = config_setting_name(value->setting) == NULL;
    load_report(value->loader, value_place(value), "%s\"%s\" is %s; it must be %s",
                element ? "an element of " : "", setting_name(value->setting),
                value_type(value->setting), expected);
    return false;
}

bool value_string(const struct value *value, const char **text)
{
    if (config_setting_type(value->setting) != CONFIG_TYPE_STRING)
        return wrong_type(value, "a string in double quotes");
    const char *given = config_setting_get_string(value->setting);
    if (given == NULL || !text_is_utf8(given, strlen(given))) {
        load_report(value->loader, value_place(value), "\"%s\" is not UTF-8 text",
                    setting_name(value->setting));
        return false;
    }
    *text = arena_strdup(value->loader->arena, given);
    return *text != NULL;
}

void value_name(const struct value *value, struct raw_name *name)
{
    name->place = value_place(value);
    if (!value_string(value, &name->text))
        return;
    if (name->text[0] != '\0')
        return;
    load_report(value->loader, name->place, "\"%s\" is empty: give it a value or leave the key out",
                setting_name(value->setting));
    name->text = NULL;
}

const char *value_text(const struct value *value)
{
    struct raw_name name = {0};
    value_name(value, &name);
    return name.text;
}

bool value_bool(const struct value *value, bool *truth)
{
    if (config_setting_type(value->setting) != CONFIG_TYPE_BOOL)
        return wrong_type(value, "true or false, without quotes");
    *truth = config_setting_get_bool(value->setting) == CONFIG_TRUE;
    return true;
}

bool value_count(const struct value *value, uint64_t least, uint64_t most, uint64_t *number)
{
    int type = config_setting_type(value->setting);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        return wrong_type(value, "a whole number");
    long long given = type == CONFIG_TYPE_INT ? config_setting_get_int(value->setting)
                                              : config_setting_get_int64(value->setting);
    if (given < 0 || (uint64_t)given < least || (uint64_t)given > most) {
        load_report(value->loader, value_place(value), "\"%s\" must be from %llu to %llu",
                    setting_name(value->setting), (unsigned long long)least,
                    (unsigned long long)most);
        return false;
    }
    *number = (uint64_t)given;
    return true;
}

static bool read_names(const struct value *value, struct raw_names *names)
{
    if (config_setting_type(value->setting) != CONFIG_TYPE_ARRAY)
        return wrong_type(value, "an array of strings: [ \"a\", \"b\" ]");
    size_t count = (size_t)config_setting_length(value->setting);
    names->items = arena_zalloc(value->loader->arena, count + 1, sizeof(*names->items));
    if (names->items == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct value element = *value;
        struct raw_name *name = &names->items[names->count];
        element.setting = config_setting_get_elem(value->setting, (unsigned)i);
        value_name(&element, name);
        if (name->text == NULL)
            return false;
        bool twice = false;
        for (size_t k = 0; k < names->count && !twice; k++)
            twice = strcmp(names->items[k].text, name->text) == 0;
        if (twice)
            load_report(value->loader, name->place, "\"%s\" is in \"%s\" twice: keep one",
                        name->text, setting_name(value->setting));
        else
            names->count++;
    }
    names->place = value_place(value);
    return true;
}

bool value_names(const struct value *value, struct raw_names *names)
{
    if (read_names(value, names))
        return true;
    *names = (struct raw_names){0}; /* as if not there: nobody shall also say that it is empty */
    return false;
}

static void unknown_key(const struct value *member, const char *what, const struct value_key *keys,
                        size_t key_count)
{
    const char *names[32];
    const char *name = config_setting_name(member->setting);
    for (size_t i = 0; i < key_count && i < 32; i++)
        names[i] = keys[i].name;
    const char *nearest = text_nearest(name, names, key_count);
    if (nearest != NULL) {
        load_report(member->loader, value_place(member),
                    "unknown key \"%s\" in %s (did you mean \"%s\"?)", name, what, nearest);
        return;
    }
    const char *all = "";
    for (size_t i = 0; i < key_count && all != NULL; i++)
        all = arena_printf(member->loader->arena, "%s%s%s", all, i == 0 ? "" : ", ", names[i]);
    load_report(member->loader, value_place(member), "unknown key \"%s\" in %s; known are: %s",
                name, what, all == NULL ? "" : all);
}

bool value_group(const struct value *value, const char *what, const struct value_key *keys,
                 size_t key_count)
{
    uint32_t seen = 0;
    if (config_setting_type(value->setting) != CONFIG_TYPE_GROUP)
        return wrong_type(value, "a group: { key = value; ... }");
    for (int i = 0; i < config_setting_length(value->setting); i++) {
        struct value member = *value;
        member.setting = config_setting_get_elem(value->setting, (unsigned)i);
        size_t key = 0;
        while (key < key_count && strcmp(keys[key].name, config_setting_name(member.setting)) != 0)
            key++;
        if (key == key_count) {
            unknown_key(&member, what, keys, key_count);
            continue;
        }
        seen |= (uint32_t)1 << key;
        keys[key].read(&member);
    }
    for (size_t key = 0; key < key_count; key++)
        if (keys[key].needed != NULL && (seen & ((uint32_t)1 << key)) == 0)
            load_report(value->loader, value_place(value), "%s needs the key \"%s\": %s", what,
                        keys[key].name, keys[key].needed);
    return true;
}

void value_entries(const struct value *value, const char *what, const struct value_key *keys,
                   size_t key_count, struct pile *pile, size_t size, size_t place_offset)
{
    int type = config_setting_type(value->setting);
    int count = config_setting_length(value->setting);
    if (type != CONFIG_TYPE_LIST && !(type == CONFIG_TYPE_ARRAY && count == 0)) {
        (void)wrong_type(value, "a list of groups: ( { ... }, { ... } )");
        return;
    }
    for (int i = 0; i < count; i++) {
        struct value element = *value;
        element.setting = config_setting_get_elem(value->setting, (unsigned)i);
        if (config_setting_type(element.setting) != CONFIG_TYPE_GROUP) {
            (void)wrong_type(&element, "a group: { key = value; ... }");
            continue;
        }
        char *entry = load_push(value->loader->arena, pile, size);
        if (entry == NULL)
            return;
        struct policy_place place = value_place(&element);
        memcpy(entry + place_offset, &place, sizeof(place));
        element.entry = entry;
        (void)value_group(&element, what, keys, key_count);
    }
}
