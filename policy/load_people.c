/*
 * load_people.c: the keys that say who works and why: missions, roles, functions, sequences, users.
 *
 * Trust boundary and ownership: as value.c. Secrets pass through here: no message holds a value.
 */
#include "opening.h"
#include "value.h"

#include <string.h>

/* missions */

static void mission_name(const struct value *value)
{
    ((struct raw_mission *)value->entry)->mission.name = value_text(value);
}

static void mission_title(const struct value *value)
{
    ((struct raw_mission *)value->entry)->mission.title = value_text(value);
}

static void mission_purpose(const struct value *value)
{
    ((struct raw_mission *)value->entry)->mission.purpose = value_text(value);
}

static void mission_max_rows(const struct value *value)
{
    (void)value_count(value, 1, INT64_MAX, &((struct raw_mission *)value->entry)->mission.max_rows);
}

static void mission_rows_per_hour(const struct value *value)
{
    (void)value_count(value, 1, INT64_MAX,
                      &((struct raw_mission *)value->entry)->mission.rows_per_hour);
}

static void mission_patients_per_hour(const struct value *value)
{
    load_report(
        value->loader, value_place(value),
        "\"patients_per_hour\" is not yet supported: leave it out; \"rows_per_hour\" limits "
        "what one person reads");
}

static void mission_exact_subjects(const struct value *value)
{
    (void)value_bool(value, &((struct raw_mission *)value->entry)->mission.exact_subjects);
}

static void mission_group_subjects(const struct value *value)
{
    (void)value_count(value, 1, POLICY_GROUP_SUBJECTS_MAX,
                      &((struct raw_mission *)value->entry)->mission.group_subjects);
}

static void mission_retention(const struct value *value)
{
    (void)value_names(value, &((struct raw_mission *)value->entry)->ages);
}

static void mission_hours(const struct value *value)
{
    struct policy_mission *mission = &((struct raw_mission *)value->entry)->mission;
    struct raw_names names = {0};
    if (!value_names(value, &names))
        return;
    struct policy_hours *hours =
        arena_zalloc(value->loader->arena, names.count + 1, sizeof(*hours));
    if (names.count == 0)
        load_report(value->loader, value_place(value),
                    "\"hours\" is empty: the mission could never be used; leave it out for always");
    for (size_t i = 0; hours != NULL && i < names.count; i++)
        if (opening_read_hours(names.items[i].text, &hours[mission->hours_count]) == OK)
            mission->hours_count++;
        else
            load_report(value->loader, names.items[i].place,
                        "\"%s\" is no part of a day: write \"08:00-20:00\", with days "
                        "\"mon-fri 08:00-20:00\" or \"sat,sun 22:00-06:00\"",
                        names.items[i].text);
    mission->hours = hours;
}

static void mission_addresses(const struct value *value)
{
    struct policy_mission *mission = &((struct raw_mission *)value->entry)->mission;
    struct raw_names names = {0};
    if (!value_names(value, &names))
        return;
    struct policy_network *networks =
        arena_zalloc(value->loader->arena, names.count + 1, sizeof(*networks));
    if (names.count == 0)
        load_report(
            value->loader, value_place(value),
            "\"addresses\" is empty: the mission could be used from nowhere; leave it out for "
            "everywhere");
    for (size_t i = 0; networks != NULL && i < names.count; i++)
        if (opening_read_network(names.items[i].text, &networks[mission->address_count]) == OK)
            mission->address_count++;
        else
            load_report(value->loader, names.items[i].place,
                        "\"%s\" is no range of addresses: write \"10.0.0.0/8\", \"192.0.2.7\" or "
                        "\"2001:db8::/32\", with no bits behind the prefix",
                        names.items[i].text);
    mission->addresses = networks;
}

static void glass_reason_min(const struct value *value)
{
    uint64_t number = 0;
    if (value_count(value, 1, 1000, &number))
        ((struct policy_break_glass *)value->entry)->reason_min = (unsigned)number;
}

static void glass_minutes(const struct value *value)
{
    uint64_t number = 0;
    if (value_count(value, 1, 1440, &number))
        ((struct policy_break_glass *)value->entry)->minutes = (unsigned)number;
}

static void glass_require(const struct value *value)
{
    struct policy_break_glass *glass = value->entry;
    struct raw_names names = {0};
    if (!value_names(value, &names))
        return;
    const char **require = arena_alloc(value->loader->arena, (names.count + 1) * sizeof(*require));
    if (require == NULL)
        return;
    glass->require = require;
    for (size_t i = 0; i < names.count; i++)
        if (check_name(value->loader, names.items[i].place, "a setting", names.items[i].text))
            require[glass->require_count++] = names.items[i].text;
}

static const struct value_key glass_keys[] = {
    {"reason_min", "how many characters a reason must have", glass_reason_min},
    {"minutes", "after how many minutes the mission ends by itself", glass_minutes},
    {"require", NULL, glass_require},
};

static void mission_break_glass(const struct value *value)
{
    struct policy_break_glass *glass = arena_zalloc(value->loader->arena, 1, sizeof(*glass));
    struct raw_mission *raw = value->entry;
    struct value group = *value;
    if (glass == NULL)
        return;
    group.entry = glass;
    raw->mission.break_glass = glass;
    (void)value_group(&group, "break_glass", KEYS(glass_keys));
}

static void aggregate_k(const struct value *value)
{
    (void)value_count(value, 2, 10000, &((struct policy_aggregate *)value->entry)->k);
}

static void aggregate_statements(const struct value *value)
{
    (void)value_count(value, 1, 100000,
                      &((struct policy_aggregate *)value->entry)->statements_per_day);
}

static const struct value_key aggregate_keys[] = {
    {"k", NULL, aggregate_k},
    {"statements_per_day", NULL, aggregate_statements},
};

static void mission_aggregate_only(const struct value *value)
{
    struct policy_aggregate *aggregate = arena_zalloc(value->loader->arena, 1, sizeof(*aggregate));
    struct raw_mission *raw = value->entry;
    struct value group = *value;
    if (aggregate == NULL)
        return;
    *aggregate = (struct policy_aggregate){.k = POLICY_AGGREGATE_K,
                                           .statements_per_day = POLICY_AGGREGATE_STATEMENTS};
    group.entry = aggregate;
    raw->mission.aggregate_only = aggregate;
    (void)value_group(&group, "aggregate_only", KEYS(aggregate_keys));
}

static const struct value_key mission_keys[] = {
    {"name", "what sessions call it, SET pgvigil.mission = '<name>'", mission_name},
    {"title", NULL, mission_title},
    {"title_en", NULL, load_mission_title_en},
    {"description", NULL, load_mission_description},
    {"description_en", NULL, load_mission_description_en},
    {"legal_basis", NULL, load_mission_legal_basis},
    {"special_basis", NULL, load_mission_special_basis},
    {"purpose", NULL, mission_purpose},
    {"max_rows", NULL, mission_max_rows},
    {"rows_per_hour", NULL, mission_rows_per_hour},
    {"patients_per_hour", NULL, mission_patients_per_hour},
    {"exact_subjects", NULL, mission_exact_subjects},
    {"group_subjects", NULL, mission_group_subjects},
    {"retention", NULL, mission_retention},
    {"aggregate_only", NULL, mission_aggregate_only},
    {"hours", NULL, mission_hours},
    {"addresses", NULL, mission_addresses},
    {"break_glass", NULL, mission_break_glass},
};

void load_missions(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    value_entries(&value, "a mission", KEYS(mission_keys), &loader->missions,
                  sizeof(struct raw_mission), offsetof(struct raw_mission, mission.place));
}

/* roles */

static void role_name(const struct value *value)
{
    ((struct raw_role *)value->entry)->role.name = value_text(value);
}

static void role_missions(const struct value *value)
{
    (void)value_names(value, &((struct raw_role *)value->entry)->missions);
}

static void role_default(const struct value *value)
{
    value_name(value, &((struct raw_role *)value->entry)->fallback);
}

static void role_unrestricted(const struct value *value)
{
    (void)value_bool(value, &((struct raw_role *)value->entry)->role.unrestricted);
}

static void role_allow(const struct value *value)
{
    (void)value_names(value, &((struct raw_role *)value->entry)->allow);
}

static void role_channels(const struct value *value)
{
    (void)value_names(value, &((struct raw_role *)value->entry)->channels);
}

static const struct value_key role_keys[] = {
    {"name", "what rules and users call it", role_name},
    {"title", NULL, load_role_title},
    {"title_en", NULL, load_role_title_en},
    {"missions", "the missions it may work under", role_missions},
    {"default", NULL, role_default},
    {"unrestricted", NULL, role_unrestricted},
    {"allow", NULL, role_allow},
    {"channels", NULL, role_channels},
};

void load_roles(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    value_entries(&value, "a role", KEYS(role_keys), &loader->roles, sizeof(struct raw_role),
                  offsetof(struct raw_role, role.place));
}

/* functions */

static void function_name(const struct value *value)
{
    struct raw_function *entry = value->entry;
    entry->name.text = value_text(value);
}

static void function_roles(const struct value *value)
{
    (void)value_names(value, &((struct raw_function *)value->entry)->roles);
}

static void function_missions(const struct value *value)
{
    (void)value_names(value, &((struct raw_function *)value->entry)->missions);
}

static const struct value_key function_keys[] = {
    {"name", "\"schema.function\"", function_name},
    {"roles", NULL, function_roles},
    {"missions", NULL, function_missions},
};

void load_functions(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    value_entries(&value, "a function", KEYS(function_keys), &loader->functions,
                  sizeof(struct raw_function), offsetof(struct raw_function, name.place));
}

static const struct value_key sequence_keys[] = {
    {"name", "\"schema.sequence\"", function_name},
    {"roles", NULL, function_roles},
    {"missions", NULL, function_missions},
};

void load_sequences(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    value_entries(&value, "a sequence", KEYS(sequence_keys), &loader->sequences,
                  sizeof(struct raw_function), offsetof(struct raw_function, name.place));
}

/* users */

static void user_name(const struct value *value)
{
    ((struct raw_user *)value->entry)->user.name = value_text(value);
}

static void user_auth(const struct value *value)
{
    value_name(value, &((struct raw_user *)value->entry)->auth);
}

static void user_secret(const struct value *value)
{
    value_name(value, &((struct raw_user *)value->entry)->secret);
}

static void user_cn(const struct value *value)
{
    value_name(value, &((struct raw_user *)value->entry)->cn);
}

static void user_roles(const struct value *value)
{
    struct raw_user *entry = value->entry;
    entry->roles_given = true;
    (void)value_names(value, &entry->roles);
}

/* One value of an attribute: strings as they are, whole numbers and booleans as their text. */
static bool attribute_value(const struct value *value, const char *name, struct raw_name *out)
{
    struct arena *arena = value->loader->arena;
    out->place = value_place(value);
    switch (config_setting_type(value->setting)) {
    case CONFIG_TYPE_STRING:
        return value_string(value, &out->text);
    case CONFIG_TYPE_INT:
        out->text = arena_printf(arena, "%d", config_setting_get_int(value->setting));
        return out->text != NULL;
    case CONFIG_TYPE_INT64:
        out->text = arena_printf(arena, "%lld", config_setting_get_int64(value->setting));
        return out->text != NULL;
    case CONFIG_TYPE_BOOL:
        out->text = config_setting_get_bool(value->setting) == CONFIG_TRUE ? "true" : "false";
        return true;
    default:
        load_report(value->loader, out->place,
                    "the value of attribute \"%s\" is %s; write it in quotes, or [ \"a\", \"b\" ] "
                    "for a list",
                    name, value_type(value->setting));
        return false;
    }
}

static bool user_attribute(const struct value *value, struct raw_attribute *out)
{
    struct loader *loader = value->loader;
    int type = config_setting_type(value->setting);
    out->name.text = arena_strdup(loader->arena, config_setting_name(value->setting));
    out->name.place = value_place(value);
    out->is_list = type == CONFIG_TYPE_ARRAY;
    size_t count = out->is_list ? (size_t)config_setting_length(value->setting) : 1;
    out->values = arena_zalloc(loader->arena, count + 1, sizeof(*out->values));
    if (out->name.text == NULL || out->values == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct value element = *value;
        if (out->is_list)
            element.setting = config_setting_get_elem(value->setting, (unsigned)i);
        if (!attribute_value(&element, out->name.text, &out->values[i]))
            return false;
    }
    out->value_count = count;
    return true;
}

static void user_attributes(const struct value *value)
{
    struct raw_user *entry = value->entry;
    if (config_setting_type(value->setting) != CONFIG_TYPE_GROUP) {
        load_report(value->loader, value_place(value),
                    "\"attributes\" of a user is %s; it must be a group: { rpps = \"...\"; }",
                    value_type(value->setting));
        return;
    }
    size_t count = (size_t)config_setting_length(value->setting);
    entry->attributes = arena_zalloc(value->loader->arena, count + 1, sizeof(*entry->attributes));
    if (entry->attributes == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        struct value member = *value;
        member.setting = config_setting_get_elem(value->setting, (unsigned)i);
        if (user_attribute(&member, &entry->attributes[entry->attribute_count]))
            entry->attribute_count++;
    }
}

static const struct value_key user_keys[] = {
    {"name", "the name to log in with", user_name},
    {"auth", "\"scram\", \"cert\", \"cert+scram\", or \"none\" for who is only acted for",
     user_auth},
    {"secret", NULL, user_secret},
    {"certificate_cn", NULL, user_cn},
    {"roles", NULL, user_roles}, /* needed, but for those who act for others */
    {"attributes", NULL, user_attributes},
    {"on_behalf", NULL, load_on_behalf},
};

void load_users(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    size_t first = loader->users.count;
    value_entries(&value, "a user", KEYS(user_keys), &loader->users, sizeof(struct raw_user),
                  offsetof(struct raw_user, user.place));
    for (size_t i = first; i < loader->users.count; i++) {
        const struct raw_user *user = (const struct raw_user *)loader->users.items + i;
        if (!user->roles_given && user->on_behalf == NULL)
            load_report(
                loader, user->user.place,
                "a user needs the key \"roles\": at least one role; the first is the default");
    }
}
