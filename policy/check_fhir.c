/*
 * check_fhir.c: fhir_patient: from raw entries to the policy's mapping.
 *
 * FHIR's words must be FHIR's: a code that is none makes a resource that no other system takes, and
 * the person would learn it there. Whether columns exist the database says.
 */
#include "expression_check.h"
#include "load.h"

#include <stdio.h>
#include <string.h>

/* Value sets of FHIR R4 with required bindings: identifier-use, contact-point-system,
 * contact-point-use, address-use, administrative-gender. */
static const char *const identifier_uses[] = {"usual", "official", "temp", "secondary", "old"};
static const char *const telecom_systems[] = {"phone", "fax", "email", "pager",
                                              "url",   "sms", "other"};
static const char *const telecom_uses[] = {"home", "work", "temp", "old", "mobile"};
static const char *const address_uses[] = {"home", "work", "temp", "old", "billing"};
static const char *const genders[] = {"male", "female", "other", "unknown"};
#define WORDS(array) (array), sizeof(array) / sizeof((array)[0])

/* France's national health identifiers, as the ANS has registered them. */
static const struct {
    const char *word, *uri;
} systems[] = {{"ins-nir", "urn:oid:1.2.250.1.213.1.4.8"},
               {"ins-nia", "urn:oid:1.2.250.1.213.1.4.9"},
               {"ins-nir-test", "urn:oid:1.2.250.1.213.1.4.10"}};

static void check_word(struct loader *loader, const struct raw_name *raw, const char *what,
                       const char *const *words, size_t count)
{
    if (raw->text != NULL)
        (void)check_find(loader, raw, what, words, count);
}

static const char *check_value(struct loader *loader, const struct raw_name *raw)
{
    bool subject = false;
    const char *what = NULL;
    if (raw->text != NULL && expression_check(loader->policy, raw->text, EXPRESSION_PERSON,
                                              loader->arena, &subject, &what) != OK)
        load_report(loader, raw->place, "fhir_patient: %s", what == NULL ? "out of memory" : what);
    return raw->text;
}

static const char *check_system(struct loader *loader, const struct raw_name *raw)
{
    if (raw->text == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++)
        if (strcmp(raw->text, systems[i].word) == 0)
            return systems[i].uri;
    if (strchr(raw->text, ':') == NULL || strpbrk(raw->text, " \t\r\n") != NULL)
        load_report(loader, raw->place,
                    "\"%s\" is no identifier's system: a URI, like \"urn:oid:1.2.250.1...\" or "
                    "\"https://hospital.example/patients\", or \"ins-nir\", \"ins-nia\", "
                    "\"ins-nir-test\"",
                    raw->text);
    return raw->text;
}

static const struct policy_fhir_part *check_parts(struct loader *loader, const struct pile *pile,
                                                  bool identifier)
{
    const struct raw_fhir_part *raw = pile->items;
    struct policy_fhir_part *parts = arena_zalloc(loader->arena, pile->count + 1, sizeof(*parts));
    for (size_t i = 0; parts != NULL && i < pile->count; i++) {
        parts[i] = raw[i].part;
        parts[i].value = check_value(loader, &raw[i].value);
        parts[i].use = raw[i].use.text;
        parts[i].system = identifier ? check_system(loader, &raw[i].system) : raw[i].system.text;
        if (!identifier)
            check_word(loader, &raw[i].system, "telecom's system", WORDS(telecom_systems));
        if (identifier)
            check_word(loader, &raw[i].use, "identifier's use", WORDS(identifier_uses));
        else
            check_word(loader, &raw[i].use, "telecom's use", WORDS(telecom_uses));
    }
    return parts;
}

static void check_genders(struct loader *loader, const struct raw_fhir *raw,
                          struct policy_fhir_patient *patient)
{
    const struct raw_fhir_code *codes = raw->genders.items;
    struct policy_fhir_code *made =
        arena_zalloc(loader->arena, raw->genders.count + 1, sizeof(*made));
    for (size_t i = 0; made != NULL && i < raw->genders.count; i++) {
        check_word(loader, &codes[i].to, "gender", WORDS(genders));
        made[i] = (struct policy_fhir_code){.from = codes[i].from.text, .to = codes[i].to.text};
        for (size_t k = 0; k < i; k++)
            if (made[i].from != NULL && made[k].from != NULL &&
                strcmp(made[i].from, made[k].from) == 0)
                load_report(loader, codes[i].place, "gender: \"%s\" is there already",
                            made[i].from);
    }
    patient->genders = made;
    patient->gender_count = raw->genders.count;
}

static void check_table(struct loader *loader, const struct raw_fhir *raw,
                        struct policy_fhir_patient *patient)
{
    const struct policy *policy = loader->policy;
    const char **names = arena_alloc(loader->arena, (policy->table_count + 1) * sizeof(*names));
    for (size_t i = 0; names != NULL && i < policy->table_count; i++)
        names[i] =
            arena_printf(loader->arena, "%s.%s", policy->tables[i].schema, policy->tables[i].name);
    if (names == NULL || arena_failed(loader->arena) || raw->table.text == NULL)
        return;
    int index = check_find(loader, &raw->table, "table", names, policy->table_count);
    if (index < 0)
        return;
    patient->table = names[index];
    if (policy->tables[index].pattern)
        load_report(loader, raw->table.place,
                    "fhir_patient: \"%s\" is a pattern: name the one table", names[index]);
    else if (policy->tables[index].subject == NULL)
        load_report(loader, raw->table.place,
                    "fhir_patient: \"%s\" has no \"subject\": say which patient a row is about",
                    names[index]);
}

void check_fhir(struct loader *loader)
{
    struct raw_fhir *raw = loader->fhir.items;
    if (loader->fhir.count == 0)
        return;
    struct policy_fhir_patient *patient = &raw->patient;
    loader->policy->fhir_patient = patient;
    check_table(loader, raw, patient);
    for (size_t i = 0; i < FHIR_ELEMENTS; i++) {
        patient->values[i] = check_value(loader, &raw->values[i]);
        patient->places[i] = raw->values[i].place;
    }
    check_genders(loader, raw, patient);
    check_word(loader, &raw->address_use, "address's use", WORDS(address_uses));
    patient->address_use = raw->address_use.text;
    patient->identifiers = check_parts(loader, &raw->identifiers, true);
    patient->identifier_count = raw->identifiers.count;
    patient->telecoms = check_parts(loader, &raw->telecoms, false);
    patient->telecom_count = raw->telecoms.count;
}
