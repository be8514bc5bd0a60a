/*
 * load_fhir.c: the key `fhir_patient`: what a FHIR R4 Patient is made of. Names are FHIR's own.
 *
 * Trust boundary and ownership: as value.c. Only shapes are read here; check_fhir.c judges them.
 */
#include "value.h"

static struct raw_fhir *fhir_of(const struct value *value)
{
    return value->entry;
}

static void fhir_table(const struct value *value)
{
    value_name(value, &fhir_of(value)->table);
}

static void fhir_family(const struct value *value)
{
    value_name(value, &fhir_of(value)->values[FHIR_FAMILY]);
}

static void fhir_given(const struct value *value)
{
    value_name(value, &fhir_of(value)->values[FHIR_GIVEN]);
}

static void fhir_birth_date(const struct value *value)
{
    value_name(value, &fhir_of(value)->values[FHIR_BIRTH_DATE]);
}

static void part_system(const struct value *value)
{
    value_name(value, &((struct raw_fhir_part *)value->entry)->system);
}

static void part_use(const struct value *value)
{
    value_name(value, &((struct raw_fhir_part *)value->entry)->use);
}

static void part_value(const struct value *value)
{
    value_name(value, &((struct raw_fhir_part *)value->entry)->value);
}

static const struct value_key part_keys[] = {
    {"system", "whose numbers these are, or what kind of contact it is", part_system},
    {"use", NULL, part_use},
    {"value", "a column, or SQL over the table", part_value},
};

static void fhir_identifier(const struct value *value)
{
    value_entries(value, "an identifier", KEYS(part_keys), &fhir_of(value)->identifiers,
                  sizeof(struct raw_fhir_part), offsetof(struct raw_fhir_part, part.place));
}

static void fhir_telecom(const struct value *value)
{
    value_entries(value, "a telecom", KEYS(part_keys), &fhir_of(value)->telecoms,
                  sizeof(struct raw_fhir_part), offsetof(struct raw_fhir_part, part.place));
}

static void code_from(const struct value *value)
{
    value_name(value, &((struct raw_fhir_code *)value->entry)->from);
}

static void code_to(const struct value *value)
{
    value_name(value, &((struct raw_fhir_code *)value->entry)->to);
}

static const struct value_key code_keys[] = {
    {"from", "as the database has it", code_from},
    {"to", "\"male\", \"female\", \"other\" or \"unknown\"", code_to},
};

static void gender_value(const struct value *value)
{
    value_name(value, &fhir_of(value)->values[FHIR_GENDER]);
}

static void gender_map(const struct value *value)
{
    value_entries(value, "an entry of map", KEYS(code_keys), &fhir_of(value)->genders,
                  sizeof(struct raw_fhir_code), offsetof(struct raw_fhir_code, place));
}

static const struct value_key gender_keys[] = {
    {"value", "a column, or SQL over the table", gender_value},
    {"map", NULL, gender_map},
};

static void fhir_gender(const struct value *value)
{
    (void)value_group(value, "gender", KEYS(gender_keys));
}

static void address_line(const struct value *value)
{
    value_name(value, &fhir_of(value)->values[FHIR_LINE]);
}

static void address_city(const struct value *value)
{
    value_name(value, &fhir_of(value)->values[FHIR_CITY]);
}

static void address_postal_code(const struct value *value)
{
    value_name(value, &fhir_of(value)->values[FHIR_POSTAL_CODE]);
}

static void address_country(const struct value *value)
{
    value_name(value, &fhir_of(value)->values[FHIR_COUNTRY]);
}

static void address_use(const struct value *value)
{
    value_name(value, &fhir_of(value)->address_use);
}

static const struct value_key address_keys[] = {
    {"line", NULL, address_line},
    {"city", NULL, address_city},
    {"postalCode", NULL, address_postal_code},
    {"country", NULL, address_country},
    {"use", NULL, address_use},
};

static void fhir_address(const struct value *value)
{
    (void)value_group(value, "address", KEYS(address_keys));
}

static const struct value_key fhir_keys[] = {
    {"table", "the table whose rows are patients, \"public.patients\"", fhir_table},
    {"identifier", NULL, fhir_identifier},
    {"family", NULL, fhir_family},
    {"given", NULL, fhir_given},
    {"birthDate", NULL, fhir_birth_date},
    {"gender", NULL, fhir_gender},
    {"telecom", NULL, fhir_telecom},
    {"address", NULL, fhir_address},
};

void load_fhir_patient(struct loader *loader, const struct document *document,
                       config_setting_t *group)
{
    struct value value = {.loader = loader, .document = document, .setting = group};
    const struct raw_fhir *first = loader->fhir.items;
    if (loader->fhir.count > 0) {
        load_report(loader, value_place(&value),
                    "\"fhir_patient\" is there already, in %s:%u: there is one for all",
                    first->patient.place.file, first->patient.place.line);
        return;
    }
    struct raw_fhir *raw = load_push(loader->arena, &loader->fhir, sizeof(*raw));
    if (raw == NULL)
        return;
    raw->patient.place = value_place(&value);
    value.entry = raw;
    (void)value_group(&value, "fhir_patient", KEYS(fhir_keys));
}
