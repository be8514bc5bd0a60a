/*
 * subject_fhir.c: a person as a FHIR R4 Patient, of what the policy's fhir_patient says.
 *
 * A Bundle of type "collection" with a Patient for each of her rows in that table, and nothing that
 * no mapping gives: no profile is claimed, no code guessed. What is not there is left out, as FHIR
 * has it; what is there and is not FHIR's (a date that is none, a word without a mapping) is left
 * out too, and told.
 *
 * Trust boundary: values are the database's; complaints name elements, never values.
 */
#include "tools/subject.h"

#include <ctype.h>
#include <openssl/rand.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct maker {
    struct subject *subject;
    const struct policy_fhir_patient *map;
    const PGresult *result;
    int row;
    bool left_out;
};

static void complain(struct maker *maker, const char *element, struct policy_place place,
                     const char *what)
{
    maker->left_out = true;
    (void)cli_fail(maker->subject->command, CLI_FINDINGS, "%s:%u: %s: %s: it is left out",
                   place.file, place.line, element, what);
}

/* FHIR's strings: not empty, and no control character but these. */
static bool is_string(const char *text)
{
    bool visible = false;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at < ' ' && *at != '\t' && *at != '\r' && *at != '\n')
            return false;
        visible = visible || *at > ' ';
    }
    return visible;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* NULL: nothing is there, or it cannot stand in FHIR. */
static json_t *string_at(struct maker *maker, int column, const char *element,
                         struct policy_place place)
{
    const char *text = PQgetvalue(maker->result, maker->row, column);
    if (PQgetisnull(maker->result, maker->row, column) || is_blank(text))
        return NULL;
    if (is_string(text))
        return json_string(text);
    complain(maker, element, place, "the value has control characters");
    return NULL;
}

/* Of YYYY-MM, in the Gregorian calendar. */
static long days_of(const char *text)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    long year = strtol(text, NULL, 10);
    long month = strtol(text + 5, NULL, 10);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month < 1 || month > 12 ? 0 : days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* YYYY, YYYY-MM or YYYY-MM-DD, with a month and a day that there are. */
static bool is_date(const char *text)
{
    size_t len = strlen(text);
    if ((len != 4 && len != 7 && len != 10) || strspn(text, "0123456789-") != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((text[i] == '-') != (i == 4 || i == 7))
            return false;
    bool month = len < 7 || (strncmp(text + 5, "01", 2) >= 0 && strncmp(text + 5, "12", 2) <= 0);
    long number = len < 10 ? 1 : strtol(text + 8, NULL, 10);
    bool day = len < 10 || (number >= 1 && number <= days_of(text));
    return month && day && strncmp(text, "0000", 4) != 0;
}

static json_t *date_at(struct maker *maker)
{
    struct policy_place place = maker->map->places[FHIR_BIRTH_DATE];
    json_t *value = string_at(maker, FHIR_BIRTH_DATE, "birthDate", place);
    if (!value || is_date(json_string_value(value)))
        return value;
    json_decref(value);
    complain(maker, "birthDate", place, "no date as FHIR has it, YYYY-MM-DD");
    return NULL;
}

static json_t *gender_at(struct maker *maker)
{
    static const char *const words[] = {"male", "female", "other", "unknown"};
    const struct policy_fhir_patient *map = maker->map;
    struct policy_place place = map->places[FHIR_GENDER];
    const char *text = PQgetvalue(maker->result, maker->row, FHIR_GENDER);
    if (PQgetisnull(maker->result, maker->row, FHIR_GENDER))
        return NULL;
    for (size_t i = 0; i < map->gender_count; i++)
        if (strcmp(map->genders[i].from, text) == 0)
            return json_string(map->genders[i].to);
    for (size_t i = 0; map->gender_count == 0 && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], text) == 0)
            return json_string(text);
    complain(maker, "gender", place, "\"map\" has no word for the value");
    return NULL;
}

/* A text, or a list of them. */
static json_t *given_at(struct maker *maker)
{
    struct policy_place place = maker->map->places[FHIR_GIVEN];
    if (PQgetisnull(maker->result, maker->row, FHIR_GIVEN))
        return NULL;
    json_t *all = json_array();
    json_t *value =
        json_loads(PQgetvalue(maker->result, maker->row, FHIR_GIVEN), JSON_DECODE_ANY, NULL);
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(value) ? json_array_get(value, i) : value;
        const char *text = json_string_value(one);
        if (text && is_string(text))
            (void)json_array_append_new(all, json_string(text));
        else if (!json_is_null(one) && !(text && is_blank(text)))
            complain(maker, "given", place, "neither a text nor a list of texts");
    }
    json_decref(value);
    if (json_array_size(all) > 0)
        return all;
    json_decref(all);
    return NULL;
}

/* Takes `value`; sets nothing where nothing is. */
static void put(json_t *object, const char *key, json_t *value)
{
    if (value)
        (void)json_object_set_new(object, key, value);
}

/* [object], or nothing of an empty one. */
static void put_one(json_t *patient, const char *key, json_t *object)
{
    if (json_object_size(object) > 0)
        put(patient, key, json_pack("[o]", object));
    else
        json_decref(object);
}

static json_t *name_of(struct maker *maker)
{
    json_t *name = json_object();
    put(name, "family", string_at(maker, FHIR_FAMILY, "family", maker->map->places[FHIR_FAMILY]));
    put(name, "given", given_at(maker));
    return name;
}

/* SQL that reads no column, but is a text (perhaps with its type, 'FR'::text). */
static bool is_constant(const char *expression)
{
    bool inside = false;
    for (const char *at = expression; at && *at; at++) {
        if (*at == '\'')
            inside = !inside;
        else if (!inside && strncmp(at, "::", 2) == 0)
            at += 1 + strspn(at + 2, " .abcdefghijklmnopqrstuvwxyz_");
        else if (!inside && !isspace((unsigned char)*at) && *at != '(' && *at != ')')
            return false;
    }
    return expression != NULL;
}

static json_t *address_of(struct maker *maker)
{
    static const struct {
        enum policy_fhir_element element;
        const char *key;
    } parts[] = {{FHIR_CITY, "city"}, {FHIR_POSTAL_CODE, "postalCode"}, {FHIR_COUNTRY, "country"}};
    json_t *address = json_object();
    json_t *line = string_at(maker, FHIR_LINE, "line", maker->map->places[FHIR_LINE]);
    if (line)
        put(address, "line", json_pack("[o]", line));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        put(address, parts[i].key,
            string_at(maker, parts[i].element, parts[i].key, maker->map->places[parts[i].element]));
    /* A country that the policy says of everyone is no address. */
    if (json_object_size(address) == 1 && json_object_get(address, "country") &&
        is_constant(maker->map->values[FHIR_COUNTRY]))
        (void)json_object_clear(address);
    if (maker->map->address_use && json_object_size(address) > 0)
        put(address, "use", json_string(maker->map->address_use));
    return address;
}

/* Those of them that have a value; `column` is the first one's. */
static void put_parts(struct maker *maker, json_t *patient, const char *key,
                      const struct policy_fhir_part *parts, size_t count, int column)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *value = string_at(maker, column + (int)i, key, parts[i].place);
        if (value)
            (void)json_array_append_new(all,
                                        json_pack("{s:s, s:s*, s:o}", "system", parts[i].system,
                                                  "use", parts[i].use, "value", value));
    }
    if (json_array_size(all) > 0)
        put(patient, key, all);
    else
        json_decref(all);
}

static json_t *patient_of(struct maker *maker)
{
    const struct policy_fhir_patient *map = maker->map;
    json_t *patient = json_pack("{s:s}", "resourceType", "Patient");
    put_parts(maker, patient, "identifier", map->identifiers, map->identifier_count, FHIR_ELEMENTS);
    put_one(patient, "name", name_of(maker));
    put_parts(maker, patient, "telecom", map->telecoms, map->telecom_count,
              FHIR_ELEMENTS + (int)map->identifier_count);
    put(patient, "gender", gender_at(maker));
    put(patient, "birthDate", date_at(maker));
    put_one(patient, "address", address_of(maker));
    return patient;
}

/* ---- the bundle ---- */

/* A random one (RFC 4122, version 4): the resource stands nowhere but here. */
static bool new_url(char url[46])
{
    unsigned char bytes[16];
    char hex[33];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[6] = (unsigned char)((bytes[6] & 0x0fU) | 0x40U);
    bytes[8] = (unsigned char)((bytes[8] & 0x3fU) | 0x80U);
    text_hex(bytes, sizeof bytes, hex);
    (void)snprintf(url, 46, "urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
    return true;
}

static json_t *bundle_of(struct maker *maker, time_t made)
{
    char at[32] = "";
    struct tm tm;
    json_t *entries = json_array();
    for (maker->row = 0; maker->row < PQntuples(maker->result); maker->row++) {
        char url[46];
        if (new_url(url))
            (void)json_array_append_new(
                entries, json_pack("{s:s, s:o}", "fullUrl", url, "resource", patient_of(maker)));
    }
    if (json_array_size(entries) != (size_t)PQntuples(maker->result) || !gmtime_r(&made, &tm) ||
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        json_decref(entries);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "resourceType", "Bundle", "type", "collection",
                     "timestamp", at, "entry", entries);
}

/* The columns in the order of the elements, then identifiers, then telecoms. */
static const char *sql_of(const struct maker *maker, const struct records_table *table,
                          const char *list)
{
    struct arena *arena = maker->subject->arena;
    const struct policy_fhir_patient *map = maker->map;
    const char *all = "";
    for (size_t i = 0; all && i < FHIR_ELEMENTS; i++)
        all = arena_printf(arena,
                           i == FHIR_GIVEN ? "%s%spg_catalog.to_jsonb((%s\n))"
                                           : "%s%s(%s\n)::pg_catalog.text",
                           all, i == 0 ? "" : ", ",
                           map->values[i]    ? map->values[i]
                           : i == FHIR_GIVEN ? "NULL::pg_catalog.text"
                                             : "NULL");
    for (size_t i = 0; all && i < map->identifier_count; i++)
        all = arena_printf(arena, "%s, (%s\n)::pg_catalog.text", all, map->identifiers[i].value);
    for (size_t i = 0; all && i < map->telecom_count; i++)
        all = arena_printf(arena, "%s, (%s\n)::pg_catalog.text", all, map->telecoms[i].value);
    return all ? arena_printf(arena, "SELECT %s FROM %s WHERE (%s) = ANY (%s)%s%s", all,
                              table->from, table->subject, list, table->key ? " ORDER BY " : "",
                              table->key ? table->key : "")
               : NULL;
}

int subject_fhir(struct subject *subject, const struct subject_side *side, const char *list,
                 time_t made, json_t **bundle)
{
    struct maker maker = {.subject = subject, .map = subject->policy->fhir_patient};
    const struct records_table *table = NULL;
    const struct cli_command *command = subject->command;
    *bundle = NULL;
    if (!maker.map)
        return CLI_FINE;
    for (size_t i = 0; i < side->records->count; i++)
        if (strcmp(side->records->tables[i].told, maker.map->table) == 0)
            table = &side->records->tables[i];
    if (!table)
        return cli_fail(command, CLI_CANNOT, "%s:%u: the %s has no table %s", maker.map->place.file,
                        maker.map->place.line, side->stands ? side->stands : "database",
                        maker.map->table);
    const char *sql = sql_of(&maker, table, list);
    PGresult *result = sql ? PQexec(side->conn, sql) : NULL;
    maker.result = result;
    int code = CLI_FINE;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        code = cli_fail(command, CLI_CANNOT, "%s:%u: fhir_patient: %s", maker.map->place.file,
                        maker.map->place.line,
                        state && strncmp(state, "42", 2) == 0 && primary ? primary
                                                                         : "it cannot be read");
    } else if (PQntuples(result) > 0) {
        *bundle = bundle_of(&maker, made);
        code = !*bundle         ? cli_fail(command, CLI_CANNOT, "a row cannot be written down")
               : maker.left_out ? CLI_FINDINGS
                                : CLI_FINE;
    }
    PQclear(result);
    return code;
}
