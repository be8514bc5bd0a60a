/*
 * config_organisation.c: `organisation` in pgvigil.cfg (see pgvigil/organisation.h).
 *
 * Trust boundary: as config.c. What stands here is printed in documents that go to patients and to
 * the authority: a number that cannot be one, a day that is none and a host outside the European
 * Economic Area that nobody has accounted for are refused here, before they are printed.
 */
#include "proxy/config_read.h"

#include <ctype.h>
#include <pgvigil/organisation.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(kind_of, type, member, ...)                                                          \
    {                                                                                              \
        .name = #member, .form = kind_of, .offset = offsetof(type, member), __VA_ARGS__            \
    }

static const struct config_field organisation_fields[] = {
    FIELD(FIELD_TEXT, struct config_organisation, name, .required = false),
    FIELD(FIELD_TEXT, struct config_organisation, kind, .required = false),
    FIELD(FIELD_TEXT, struct config_organisation, address, .required = false),
    FIELD(FIELD_TEXT, struct config_organisation, siret, .required = false),
    FIELD(FIELD_TEXT, struct config_organisation, finess, .required = false),
    FIELD(FIELD_TEXT, struct config_organisation, phone, .required = false),
    FIELD(FIELD_TEXT, struct config_organisation, email, .required = false),
    {.name = "controller", .form = FIELD_GROUP},
    {.name = "dpo", .form = FIELD_GROUP},
    {.name = "hosting", .form = FIELD_GROUP},
    {.name = NULL}};

static const struct config_field controller_fields[] = {
    FIELD(FIELD_TEXT, struct config_controller, name, .required = false),
    FIELD(FIELD_TEXT, struct config_controller, role, .required = false),
    FIELD(FIELD_TEXT, struct config_controller, email, .required = false),
    {.name = NULL}};

static const struct config_field dpo_fields[] = {
    FIELD(FIELD_TEXT, struct config_dpo, name, .required = false),
    FIELD(FIELD_TEXT, struct config_dpo, email, .required = false),
    FIELD(FIELD_TEXT, struct config_dpo, phone, .required = false),
    FIELD(FIELD_BOOL, struct config_dpo, external, .required = false),
    FIELD(FIELD_TEXT, struct config_dpo, organisation, .required = false),
    FIELD(FIELD_TEXT, struct config_dpo, not_designated, .required = false),
    {.name = NULL}};

static const struct config_field hosting_fields[] = {
    FIELD(FIELD_TEXT, struct config_hosting, host, .required = false),
    FIELD(FIELD_TEXT, struct config_hosting, hds_certificate, .required = false),
    FIELD(FIELD_TEXT, struct config_hosting, hds_expires, .required = false),
    FIELD(FIELD_TEXT, struct config_hosting, country, .required = false),
    FIELD(FIELD_TEXT, struct config_hosting, outside_eea_reason, .required = false),
    FIELD(FIELD_TEXT, struct config_hosting, processor_contract, .required = false),
    {.name = "hds_scope", .form = FIELD_GROUP},
    {.name = "staff", .form = FIELD_GROUP},
    {.name = NULL}};

/* ---- what a text may be ---- */

bool config_read_day(const char *text, long *day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int part[3] = {0, 0, 0};
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 4 || i == 7;
        if (dash ? text[i] != '-' : !isdigit((unsigned char)text[i]))
            return false;
    }
    if (len != 10)
        return false;
    part[0] = (int)strtol(text, NULL, 10);
    part[1] = (int)strtol(text + 5, NULL, 10);
    part[2] = (int)strtol(text + 8, NULL, 10);
    bool leap = part[0] % 4 == 0 && (part[0] % 100 != 0 || part[0] % 400 == 0);
    if (part[0] < 1970 || part[1] < 1 || part[1] > 12 || part[2] < 1 ||
        part[2] > lengths[part[1] - 1] + (leap && part[1] == 2))
        return false;
    long count = 0;
    for (int year = 1970; year < part[0]; year++)
        count += 365 + (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    for (int month = 1; month < part[1]; month++)
        count += lengths[month - 1] + (leap && month == 2);
    *day = count + part[2] - 1;
    return true;
}

static bool digits(const char *text, size_t count)
{
    size_t len = strspn(text, "0123456789");
    return len == count && text[len] == '\0';
}

/* Luhn's sum, as INSEE has it; the offices of La Poste have the plain sum of their digits. */
static bool is_siret(const char *text)
{
    unsigned sum = 0;
    unsigned plain = 0;
    if (!digits(text, 14))
        return false;
    for (size_t i = 0; i < 14; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        plain += digit;
        digit *= i % 2 == 0 ? 2 : 1;
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0 || (strncmp(text, "356000000", 9) == 0 && plain % 5 == 0);
}

/* Nine digits, the first two the département's: Corsica's are 2A and 2B. */
static bool is_finess(const char *text)
{
    bool corsica = text[0] == '2' && (text[1] == 'A' || text[1] == 'B');
    return corsica ? digits(text + 2, 7) : digits(text, 9);
}

static bool is_country(const char *text)
{
    return isupper((unsigned char)text[0]) && isupper((unsigned char)text[1]) && text[2] == '\0';
}

/* The Union's twenty-seven with the outermost regions that have a code of their own, and Iceland,
 * Liechtenstein and Norway. */
static bool in_eea(const char *country)
{
    static const char codes[] = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT "
                                "RO SK SI ES SE GP MQ GF RE YT MF AX IS LI NO ";
    for (const char *at = codes; *at; at += 3) {
        if (strncmp(at, country, 2) == 0)
            return true;
    }
    return false;
}

static bool is_email(const char *text)
{
    const char *at = strchr(text, '@');
    return at && at != text && strchr(at + 1, '.') && !strpbrk(text, " \t\"<>,;");
}

static void check_email(struct config_reader *reader, const config_setting_t *group,
                        const char *email)
{
    if (email && !is_email(email))
        config_complain(reader, config_setting_get_member(group, "email"),
                        "email \"%s\" is no address of the form name@example.org: people will "
                        "write to it",
                        email);
}

/* ---- the groups ---- */

static void read_dpo(struct config_reader *reader, const config_setting_t *group,
                     struct config_dpo *dpo)
{
    config_read_fields(reader, group, dpo_fields, dpo);
    check_email(reader, group, dpo->email);
    const config_setting_t *why = config_setting_get_member(group, "not_designated");
    if (why && config_setting_length(group) > 1)
        config_complain(reader, why,
                        "dpo.not_designated says why there is no data protection officer: leave it "
                        "out, or the officer's name and address");
    if (dpo->not_designated && !*dpo->not_designated)
        config_complain(reader, why, "dpo.not_designated must say why nobody is designated");
}

static void read_scope(struct config_reader *reader, const config_setting_t *list,
                       struct config_hosting *hosting)
{
    int count = config_setting_is_array(list) ? config_setting_length(list) : -1;
    hosting->scope_said = count > 0;
    for (int i = 0; i < count; i++) {
        const char *word = config_setting_get_string_elem(list, i);
        if (word && word[0] >= '1' && word[0] <= '6' && word[1] == '\0')
            hosting->scope[word[0] - '1'] = true;
        else
            count = -1;
    }
    if (count < 0)
        config_complain(reader, list,
                        "hds_scope is the activities that the certificate covers, \"1\" to \"6\": "
                        "[ \"1\", \"2\", \"5\" ]");
}

static void read_staff(struct config_reader *reader, const config_setting_t *list,
                       struct config_hosting *hosting)
{
    size_t count = config_setting_is_array(list) ? (size_t)config_setting_length(list) : 0;
    bool fine = config_setting_is_array(list);
    const char **staff = arena_zalloc(reader->arena, count + 1, sizeof *staff);
    for (size_t i = 0; fine && staff && i < count; i++) {
        const char *name = config_setting_get_string_elem(list, (int)i);
        fine = name && *name;
        staff[i] = arena_strdup(reader->arena, name);
    }
    if (!fine)
        config_complain(reader, list,
                        "staff must be names of the policy's users: [ \"host-admin1\" ]");
    hosting->staff = staff;
    hosting->staff_count = fine && staff ? count : 0;
}

static void check_country(struct config_reader *reader, const config_setting_t *group,
                          struct config_hosting *hosting)
{
    const config_setting_t *setting = config_setting_get_member(group, "country");
    if (!hosting->country)
        return;
    if (!is_country(hosting->country)) {
        config_complain(reader, setting,
                        "country \"%s\" must be the two capitals of ISO 3166: \"FR\"",
                        hosting->country);
        return;
    }
    hosting->in_eea = in_eea(hosting->country);
    if (!hosting->in_eea && (!hosting->outside_eea_reason || !*hosting->outside_eea_reason))
        config_complain(reader, setting,
                        "country \"%s\" is outside the European Economic Area: health records go "
                        "there only under chapter V of the GDPR; name a host inside it, or say in "
                        "outside_eea_reason what allows it (adequacy decision, standard clauses)",
                        hosting->country);
}

static void read_hosting(struct config_reader *reader, const config_setting_t *group,
                         struct config_hosting *hosting)
{
    config_read_fields(reader, group, hosting_fields, hosting);
    const config_setting_t *scope = config_setting_get_member(group, "hds_scope");
    const config_setting_t *staff = config_setting_get_member(group, "staff");
    const config_setting_t *expires = config_setting_get_member(group, "hds_expires");
    hosting->place = config_place(reader, group);
    hosting->expires_place = config_place(reader, expires ? expires : group);
    if (scope)
        read_scope(reader, scope, hosting);
    if (staff)
        read_staff(reader, staff, hosting);
    if (hosting->hds_expires && !config_read_day(hosting->hds_expires, &hosting->expires_day))
        config_complain(reader, expires, "hds_expires \"%s\" is no day: write \"2027-06-30\"",
                        hosting->hds_expires);
    check_country(reader, group, hosting);
}

void config_read_organisation(struct config_reader *reader, const config_setting_t *root,
                              struct config_organisation *organisation)
{
    const config_setting_t *group = config_group(reader, root, "organisation");
    if (!group)
        return;
    organisation->said = true;
    organisation->place = config_place(reader, group);
    config_read_fields(reader, group, organisation_fields, organisation);
    check_email(reader, group, organisation->email);
    if (organisation->siret && !is_siret(organisation->siret))
        config_complain(reader, config_setting_get_member(group, "siret"),
                        "siret \"%s\" is none: 14 digits without spaces, the last of which checks "
                        "the others",
                        organisation->siret);
    if (organisation->finess && !is_finess(organisation->finess))
        config_complain(reader, config_setting_get_member(group, "finess"),
                        "finess \"%s\" is none: 9 digits without spaces (2A or 2B and 7 digits in "
                        "Corsica)",
                        organisation->finess);
    const config_setting_t *controller = config_group(reader, group, "controller");
    const config_setting_t *dpo = config_group(reader, group, "dpo");
    const config_setting_t *hosting = config_group(reader, group, "hosting");
    if (controller) {
        config_read_fields(reader, controller, controller_fields, &organisation->controller);
        check_email(reader, controller, organisation->controller.email);
    }
    if (dpo)
        read_dpo(reader, dpo, &organisation->dpo);
    if (hosting)
        read_hosting(reader, hosting, &organisation->hosting);
}
