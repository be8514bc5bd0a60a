/*
 * load_rights.c: the keys `retention` and `rights`: for how long records are kept, and what hides
 * rows because a person has a right to it.
 *
 * Trust boundary and ownership: as value.c.
 */
#include "value.h"

#include <string.h>

static struct raw_retention *retention_of(const struct value *value)
{
    return value->entry;
}

static void retention_table(const struct value *value)
{
    value_name(value, &retention_of(value)->table);
}

static void retention_last(const struct value *value)
{
    value_name(value, &retention_of(value)->last);
}

static void retention_birth(const struct value *value)
{
    value_name(value, &retention_of(value)->birth);
}

static void retention_death(const struct value *value)
{
    value_name(value, &retention_of(value)->death);
}

static void retention_hold(const struct value *value)
{
    value_name(value, &retention_of(value)->hold);
}

static void years(const struct value *value, unsigned *out)
{
    uint64_t number = 0;
    if (value_count(value, 1, 200, &number))
        *out = (unsigned)number;
}

static void retention_active(const struct value *value)
{
    years(value, &retention_of(value)->retention.active_years);
}

static void retention_archive(const struct value *value)
{
    years(value, &retention_of(value)->retention.archive_years);
}

static void retention_minor(const struct value *value)
{
    years(value, &retention_of(value)->retention.minor_years);
}

static void retention_death_years(const struct value *value)
{
    years(value, &retention_of(value)->retention.death_years);
}

static void retention_zone(const struct value *value)
{
    const char *zone = value_text(value);
    if (zone == NULL)
        return;
    if (zone[0] == '\0' || strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789/_+-") != strlen(zone))
        load_report(value->loader, value_place(value),
                    "\"%s\" is no time zone: write its name, like \"Europe/Paris\"", zone);
    retention_of(value)->retention.time_zone = zone;
}

static void retention_except(const struct value *value)
{
    (void)value_names(value, &retention_of(value)->except);
}

static void retention_destroy(const struct value *value)
{
    (void)value_names(value, &retention_of(value)->destroy);
}

static const struct value_key retention_keys[] = {
    {"table", "the table whose subject is the person, \"public.patients\"", retention_table},
    {"last", "the date of the last consultation, as SQL over that table", retention_last},
    {"birth", NULL, retention_birth},
    {"death", NULL, retention_death},
    {"hold", NULL, retention_hold},
    {"active_years", NULL, retention_active},
    {"archive_years", NULL, retention_archive},
    {"minor_years", NULL, retention_minor},
    {"death_years", NULL, retention_death_years},
    {"time_zone", NULL, retention_zone},
    {"except", NULL, retention_except},
    {"destroy", NULL, retention_destroy},
};

void load_retention(struct loader *loader, const struct document *document, config_setting_t *group)
{
    struct value value = {.loader = loader, .document = document, .setting = group};
    const struct raw_retention *first = loader->retention.items;
    if (loader->retention.count > 0) {
        load_report(loader, value_place(&value),
                    "\"retention\" is there already, in %s:%u: there is one for all",
                    first->retention.place.file, first->retention.place.line);
        return;
    }
    struct raw_retention *raw = load_push(loader->arena, &loader->retention, sizeof(*raw));
    if (raw == NULL)
        return;
    raw->retention = (struct policy_retention){.active_years = 5,
                                               .archive_years = 15,
                                               .minor_years = 28,
                                               .death_years = 10,
                                               .time_zone = "Europe/Paris",
                                               .place = value_place(&value)};
    value.entry = raw;
    (void)value_group(&value, "retention", KEYS(retention_keys));
}

static struct raw_right *right_of(const struct value *value)
{
    return value->entry;
}

static void right_name(const struct value *value)
{
    right_of(value)->right.name = value_text(value);
}

static void right_kind(const struct value *value)
{
    value_name(value, &right_of(value)->kind);
}

static void right_hide(const struct value *value)
{
    value_name(value, &right_of(value)->hide);
}

static void right_register(const struct value *value)
{
    right_of(value)->register_place = value_place(value);
    (void)value_bool(value, &right_of(value)->right.registered);
}

static void right_missions(const struct value *value)
{
    (void)value_names(value, &right_of(value)->missions);
}

static void right_except(const struct value *value)
{
    (void)value_names(value, &right_of(value)->except);
}

static void right_roles(const struct value *value)
{
    (void)value_names(value, &right_of(value)->roles);
}

static void right_tables(const struct value *value)
{
    (void)value_names(value, &right_of(value)->tables);
}

static const struct value_key right_keys[] = {
    {"name", "what explanations and documents call it", right_name},
    {"kind", "\"objection\", \"restriction\" or \"hidden\"", right_kind},
    {"hide", NULL, right_hide},
    {"register", NULL, right_register},
    {"missions", NULL, right_missions},
    {"except", NULL, right_except},
    {"roles", NULL, right_roles},
    {"tables", NULL, right_tables},
};

void load_rights(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    value_entries(&value, "a right", KEYS(right_keys), &loader->rights, sizeof(struct raw_right),
                  offsetof(struct raw_right, right.place));
}
