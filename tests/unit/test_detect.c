/*
 * test_detect.c: each kind of value with ones that are it, ones that are not, and near misses;
 * names of columns; and what becomes of a column with such values.
 *
 * Numbers with check digits were computed by other means (Python, from the published rules), or are
 * published examples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/classify.h"
#include "tools/detect.h"
#include "tools/traits.h"
#include "tools/vocabulary.h"

#define TODAY 20250630

struct vector {
    enum kind kind;
    bool valid;
    const char *text;
};

static const struct vector vectors[] = {
    {KIND_NIR, true, "284058832102532"},
    {KIND_NIR, true, "284052A32102552"},
    {KIND_NIR, true, "253072B07300470"},
    {KIND_NIR, true, "2 84 05 88 321 025 32"},
    {KIND_NIR, true, "2 84 05 2a 321 025 52"},
    {KIND_NIR, false, "295109912611199"},
    {KIND_NIR, false, "284058832102533"}, /* the key */
    {KIND_NIR, false, "284058832102523"}, /* two digits have changed places */
    {KIND_NIR, false, "284052B32102552"}, /* the other half of Corsica */
    {KIND_NIR, false, "28405A832102532"},
    {KIND_NIR, false, "2840588321025"},
    {KIND_NIR, false, "28405883210253"},
    {KIND_NIR, false, "000000000000097"}, /* modulo 97 it is right */
    {KIND_NIR, false, ""},
    {KIND_NIR_WITHOUT_KEY, true, "2840588321025"},
    {KIND_NIR_WITHOUT_KEY, true, "284052A321025"},
    {KIND_NIR_WITHOUT_KEY, false, "2841388321025"}, /* month 13 */
    {KIND_NIR_WITHOUT_KEY, false, "4840588321025"}, /* sex 4 */
    {KIND_NIR_WITHOUT_KEY, false, "2840500321025"}, /* department 00 */
    {KIND_NIR_WITHOUT_KEY, false, "2840588321000"}, /* order 000 */
    {KIND_NIR_WITHOUT_KEY, false, "1764194520000"}, /* milliseconds since 1970 */
    {KIND_INS, true, "284058832102532^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"},
    {KIND_INS, false, "284058832102533^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"},
    {KIND_INS, false, "284058832102532^^^LOCAL&1.2.250.1.213.1.5&ISO^PI"},
    {KIND_INS, false, "284058832102532"},
    {KIND_RPPS, true, "10000000017"},
    {KIND_RPPS, true, "10000000025"},
    {KIND_RPPS, false, "10000000018"},
    {KIND_RPPS, false, "20000000016"},
    {KIND_RPPS, false, "1000000001"},
    {KIND_RPPS, false, "11111111111"},
    {KIND_ADELI, true, "759123456"},
    {KIND_ADELI, false, "009123456"},
    {KIND_ADELI, false, "75912345"},
    {KIND_AM_NUMBER, true, "751234567"},
    {KIND_AM_NUMBER, false, "991234567"},
    {KIND_SIREN, true, "732829320"},
    {KIND_SIREN, true, "732 829 320"},
    {KIND_SIREN, false, "732829321"},
    {KIND_SIREN, false, "000000000"},
    {KIND_SIRET, true, "73282932000074"},
    {KIND_SIRET, true, "35600000049837"}, /* the post office: its digits add up to 45 */
    {KIND_SIRET, false, "73282932000075"},
    {KIND_SIRET, false, "35600000049838"},
    {KIND_FINESS, true, "750712184"},
    {KIND_FINESS, true, "690781810"},
    {KIND_FINESS, true, "2A0000014"},
    {KIND_FINESS, true, "2B0000020"},
    {KIND_FINESS, false, "750712185"},
    {KIND_FINESS, false, "2B0000014"},
    {KIND_FINESS, false, "7A0712184"},
    {KIND_LOINC, true, "2345-7"},
    {KIND_LOINC, true, "718-7"},
    {KIND_LOINC, true, "59408-5"},
    {KIND_LOINC, false, "2345-6"},
    {KIND_LOINC, false, "23457"},
    {KIND_LOINC, false, "-7"},
    {KIND_LOINC, false, "12345678-1"},
    {KIND_CIP13, true, "3400935955838"},
    {KIND_CIP13, false, "3400935955839"},
    {KIND_CIP13, false, "4006381333931"}, /* an EAN of something else */
    {KIND_CIP7, true, "3595583"},
    {KIND_CIP7, false, "3595584"},
    {KIND_IBAN, true, "FR7630006000011234567890189"},
    {KIND_IBAN, true, "FR76 3000 6000 0112 3456 7890 189"},
    {KIND_IBAN, true, "DE89370400440532013000"},
    {KIND_IBAN, true, "GB29NWBK60161331926819"},
    {KIND_IBAN, false, "FR7630006000011234567890188"},
    {KIND_IBAN, false, "FR76"},
    {KIND_IBAN, false, "7630006000011234567890189"},
    {KIND_PHONE, true, "06 12 34 56 78"},
    {KIND_PHONE, true, "06.12.34.56.78"},
    {KIND_PHONE, true, "+33612345678"},
    {KIND_PHONE, true, "+33 (0)6 12 34 56 78"},
    {KIND_PHONE, true, "0033612345678"},
    {KIND_PHONE, true, "+49 341 123456"},
    {KIND_PHONE, false, "0612345678"}, /* it may be a number of anything */
    {KIND_PHONE, false, "00 12 34 56 78"},
    {KIND_PHONE, false, "+33"},
    {KIND_PHONE, false, "06 12 34 56 7a"},
    {KIND_PHONE, false, "2025-06-30"},
    {KIND_PHONE, false, "06 12 34 56"},
    {KIND_PHONE_DIGITS, true, "0612345678"},
    {KIND_PHONE_DIGITS, true, "0341/12345"},
    {KIND_PHONE_DIGITS, false, "12345"},
    {KIND_EMAIL, true, "jeanne.o'neil+x@courriel.example"},
    {KIND_EMAIL, true, "a@b.fr"},
    {KIND_EMAIL, false, "a@b"},
    {KIND_EMAIL, false, "@b.fr"},
    {KIND_EMAIL, false, "a b@c.fr"},
    {KIND_EMAIL, false, "a@b..fr"},
    {KIND_EMAIL, false, "a@b.f1"},
    {KIND_EMAIL, false, "a@b@c.fr"},
    {KIND_POSTCODE, true, "01000"},
    {KIND_POSTCODE, true, "97400"},
    {KIND_POSTCODE, false, "00100"},
    {KIND_POSTCODE, false, "99100"},
    {KIND_POSTCODE, false, "1000"},
    {KIND_POSTCODE, false, "2A000"},
    {KIND_BIRTH_DATE, true, "1961-05-30"},
    {KIND_BIRTH_DATE, true, "30/05/1961"},
    {KIND_BIRTH_DATE, true, "1961-05-30 00:00:00+00"},
    {KIND_BIRTH_DATE, true, "2025-06-30"},
    {KIND_BIRTH_DATE, false, "2025-07-01"}, /* tomorrow */
    {KIND_BIRTH_DATE, false, "1789-07-14"},
    {KIND_BIRTH_DATE, false, "1961-13-30"},
    {KIND_BIRTH_DATE, false, "05/30/1961"},
    {KIND_BIRTH_DATE, false, "1961-05/30"},
    {KIND_GIVEN_NAME, true, "Hélène"},
    {KIND_GIVEN_NAME, true, "HÉLÈNE"},
    {KIND_GIVEN_NAME, true, "Jean-Pierre"},
    {KIND_GIVEN_NAME, false, "Tableau"},
    {KIND_GIVEN_NAME, false, "Jean2"},
    {KIND_FAMILY_NAME, true, "Le Gall"},
    {KIND_FAMILY_NAME, true, "D'Angelo"},
    {KIND_FAMILY_NAME, true, "LEFÈVRE"},
    {KIND_FAMILY_NAME, false, "Lefèvrex"},
    {KIND_FAMILY_NAME, false, "Martin 3"},
    {KIND_FULL_NAME, true, "DUPONT Marie"},
    {KIND_FULL_NAME, true, "Dr Jean Martin"},
    {KIND_FULL_NAME, false, "Marie"},
    {KIND_FULL_NAME, false, "Radiographie du thorax"},
    {KIND_ADDRESS, true, "12 rue des Lilas"},
    {KIND_ADDRESS, true, "3 bis, place de l'Église"},
    {KIND_ADDRESS, true, "Gartenstraße 5"},
    {KIND_ADDRESS, true, "24 cours Lafayette"},
    {KIND_ADDRESS, true, "rue du Général-de-Gaulle"},
    {KIND_ADDRESS, false, "Lilas"},
    {KIND_ADDRESS, false, "Place 17"}, /* in a theatre */
    {KIND_ADDRESS, false, "Cours de mathématiques"},
    {KIND_ADDRESS, false, "voie orale"},
    {KIND_ADDRESS, false, "12 rue"},
    {KIND_ADDRESS, false,
     "il est venu nous voir hier et a repris la route sans rien dire à personne"},
    {KIND_ICD10, true, "I50.0"},
    {KIND_ICD10, true, "I10"},
    {KIND_ICD10, true, "M5118"},
    {KIND_ICD10, false, "i10"},
    {KIND_ICD10, false, "I1"},
    {KIND_ICD10, false, "I10."},
    {KIND_ICD10, false, "I10-12"},
    {KIND_CCAM, true, "DEQP003"},
    {KIND_CCAM, false, "DEQP03"},
    {KIND_CCAM, false, "DEQ0003"},
    {KIND_CCAM, false, "XEQP003"}, /* no region of the body */
    {KIND_ATC, true, "N02BE01"},
    {KIND_ATC, false, "N08BE01"}, /* N ends with 07 */
    {KIND_ATC, false, "Z02BE01"},
    {KIND_ATC, false, "N02B101"},
    {KIND_IP_ADDRESS, true, "192.0.2.7"},
    {KIND_IP_ADDRESS, true, "2001:db8::1"},
    {KIND_IP_ADDRESS, true, "192.0.2.0/24"},
    {KIND_IP_ADDRESS, false, "192.0.2.256"},
    {KIND_IP_ADDRESS, false, "1.2.3"},
    {KIND_UUID, true, "123e4567-e89b-12d3-a456-426614174000"},
    {KIND_UUID, false, "123e4567-e89b-12d3-a456-42661417400"},
    {KIND_UUID, false, "123e4567-e89b-12d3-a456+426614174000"},
    {KIND_HASH, true, "d41d8cd98f00b204e9800998ecf8427e"},
    {KIND_HASH, false, "12345678901234567890123456789012"},
    {KIND_HASH, false, "d41d8cd98f00b204e9800998ecf8427"},
};

static void value_is_told_as_what_it_is(void **state)
{
    bool with[KIND_COUNT] = {false};
    bool without[KIND_COUNT] = {false};
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *vector = &vectors[i];
        const struct detector *detector = detect_of(vector->kind);
        assert_non_null(detector);
        if (detector->valid(vector->text, strlen(vector->text), TODAY) != vector->valid)
            fail_msg("%s: \"%s\"", detector->name, vector->text);
        *(vector->valid ? &with[vector->kind] : &without[vector->kind]) = true;
    }
    for (size_t i = KIND_NONE + 1; i < KIND_COUNT; i++)
        if (!with[i] || !without[i])
            fail_msg("%s has no vector", detect_of((enum kind)i)->name);
}

static void text_is_told_what_it_holds(void **state)
{
    static const struct {
        const char *text;
        unsigned holds;
    } texts[] = {
        {"Vu ce jour Mme Dupont pour un renouvellement", 1u << HOLDS_NAME},
        {"madame, veuillez trouver ci-joint le compte rendu", 0},
        {"le patient, né le 30/05/1961, a séjourné ici", 1u << HOLDS_BIRTH_DATE},
        {"il a séjourné du 30/05/2024 au 02/06/2024", 0},
        {"son numéro est le 2 84 05 88 321 025 32, à corriger", 1u << HOLDS_NIR},
        {"son numéro est le 2 84 05 88 321 025 33, à corriger", 0},
        {"à rappeler au 06 12 34 56 78 demain", 1u << HOLDS_PHONE},
        {"le dossier 0612345678 est clos", 0},
        {"écrire à jeanne@courriel.example, merci", 1u << HOLDS_EMAIL},
        {"tarif @ 12.50", 0},
        {"Jean Dupont est venu", 1u << HOLDS_NAME},
        {"Radiographie du Thorax", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (detect_holds(texts[i].text, strlen(texts[i].text)) != texts[i].holds)
            fail_msg("%s", texts[i].text);
}

/* What a database holds is anything: nothing is read past its end (a build with ASan tells). */
static void any_bytes_are_survived(void **state)
{
    static const char favoured[] = "0123456789AB -.@+/\xc3\xa9 eE\xff";
    size_t count = 0;
    const struct detector *table = detect_table(&count);
    uint64_t random = 42;
    (void)state;
    for (size_t round = 0; round < 20000; round++) {
        size_t len = round % 300;
        char *text = test_malloc(len + 1);
        for (size_t i = 0; i < len; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            size_t at = (size_t)(random >> 33);
            text[i] = round % 2 == 0 ? favoured[at % (sizeof favoured - 1)]
                                     : (char)(unsigned char)(at % 255 + 1);
        }
        text[len] = '\0';
        for (size_t i = 0; i < count; i++)
            (void)table[i].valid(text, len, TODAY);
        (void)detect_holds(text, len);
        (void)detect_is_prose(text, len);
        (void)vocabulary_column(text, VALUE_TEXT);
        (void)vocabulary_table(text);
        test_free(text);
    }
}

static void name_of_a_column_is_taken_apart(void **state)
{
    static const struct {
        const char *name;
        enum value_class class;
        enum category category;
        enum kind kind;
    } names[] = {
        {"date_naissance", VALUE_DATE, CATEGORY_IDENTIFIER, KIND_BIRTH_DATE},
        {"dateNaissance", VALUE_DATE, CATEGORY_IDENTIFIER, KIND_BIRTH_DATE},
        {"Date de naissance", VALUE_DATE, CATEGORY_IDENTIFIER, KIND_BIRTH_DATE},
        {"PATIENT_DDN", VALUE_DATE, CATEGORY_IDENTIFIER, KIND_BIRTH_DATE},
        {"prénom", VALUE_TEXT, CATEGORY_IDENTIFIER, KIND_GIVEN_NAME},
        {"FirstName", VALUE_TEXT, CATEGORY_IDENTIFIER, KIND_GIVEN_NAME},
        {"tel_portable", VALUE_TEXT, CATEGORY_CONTACT, KIND_PHONE},
        {"adresse_ip", VALUE_TEXT, CATEGORY_TECHNICAL, KIND_IP_ADDRESS},
        {"EmailAddress", VALUE_TEXT, CATEGORY_CONTACT, KIND_EMAIL},
        {"email", VALUE_BOOLEAN, CATEGORY_NONE, KIND_NONE}, /* whether she wants any */
        {"filename", VALUE_TEXT, CATEGORY_NONE, KIND_NONE},
        {"file_name", VALUE_TEXT, CATEGORY_NONE, KIND_NONE},
        {"mutuelle", VALUE_TEXT, CATEGORY_BILLING, KIND_NONE},
        {"allergies", VALUE_DOCUMENT, CATEGORY_MEDICAL, KIND_NONE},
        {"telemetry", VALUE_TEXT, CATEGORY_NONE, KIND_NONE},
        {"nominal", VALUE_TEXT, CATEGORY_NONE, KIND_NONE},
        {"x", VALUE_TEXT, CATEGORY_NONE, KIND_NONE},
        {"", VALUE_TEXT, CATEGORY_NONE, KIND_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct hit hit = vocabulary_column(names[i].name, names[i].class);
        if (hit.category != names[i].category || hit.kind != names[i].kind)
            fail_msg("%s: %s", names[i].name, category_name(hit.category));
    }
    assert_int_equal(vocabulary_table("T_PATIENTS"), ABOUT_PATIENT);
    assert_int_equal(vocabulary_table("Medecins"), ABOUT_PROFESSIONAL);
    assert_int_equal(vocabulary_table("wards"), ABOUT_THING);
    assert_int_equal(vocabulary_table("zzz"), ABOUT_NOTHING);
}

/* ---- columns ---- */

/* `count` values: printf's of `format` with i * step + start, which comes back after `distinct`. */
static struct finding column(const char *name, const char *format, unsigned long long start,
                             unsigned step, size_t count, size_t distinct)
{
    struct traits traits;
    struct traits_work *work = traits_begin(VALUE_TEXT);
    assert_non_null(work);
    for (size_t i = 0; i < count; i++) {
        char text[64];
        /* Out of order, as rows of people are. */
        unsigned long long n = start + (unsigned long long)(i * 7919 % distinct) * step;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof text, format, n);
#pragma GCC diagnostic pop
        assert_int_equal(traits_add(work, text, strlen(text)), OK);
    }
    assert_int_equal(traits_end(work, TODAY, &traits), OK);
    const struct subject_matter matter = {
        .table = "t", .name = name, .class = VALUE_TEXT, .traits = &traits, .about = ABOUT_NOTHING};
    return classify(&matter);
}

static void numbers_that_count_up_are_nothing(void **state)
{
    (void)state;
    /* One in ten of them passes for an RPPS number. */
    struct finding finding = column("a", "%011llu", 10000000017ULL, 19, 500, 500);
    assert_int_equal(finding.category, CATEGORY_NONE);
}

/* Luhn's digit behind ten digits, as the number's owner computes it. */
static unsigned long long with_luhn(unsigned long long ten)
{
    unsigned sum = 0;
    unsigned long long rest = ten;
    for (unsigned i = 0; rest > 0; i++, rest /= 10) {
        unsigned digit = (unsigned)(rest % 10) * (i % 2 == 0 ? 2 : 1);
        sum += digit / 10 + digit % 10;
    }
    return ten * 10 + (10 - sum % 10) % 10;
}

static struct finding rpps_column(size_t count, size_t distinct, size_t wrong)
{
    struct traits traits;
    struct traits_work *work = traits_begin(VALUE_NUMBER);
    for (size_t i = 0; i < count; i++) {
        char text[32];
        unsigned long long number = with_luhn(1000000000ULL + i % distinct);
        (void)snprintf(text, sizeof text, "%llu", i < wrong ? number ^ 1 : number);
        assert_int_equal(traits_add(work, text, strlen(text)), OK);
    }
    assert_int_equal(traits_end(work, TODAY, &traits), OK);
    const struct subject_matter matter = {
        .table = "t", .name = "a", .class = VALUE_NUMBER, .traits = &traits};
    return classify(&matter);
}

static void nine_in_ten_of_fifty_are_enough(void **state)
{
    (void)state;
    assert_int_equal(rpps_column(50, 50, 5).confidence, CONFIDENCE_HIGH);
    assert_int_equal(rpps_column(50, 50, 5).category, CATEGORY_STAFF);
    assert_int_equal(rpps_column(50, 50, 6).category, CATEGORY_NONE);
    assert_int_equal(rpps_column(49, 49, 0).category, CATEGORY_NONE);
}

static void one_valid_number_again_and_again_proves_nothing(void **state)
{
    (void)state;
    assert_int_equal(rpps_column(1000, 1, 0).category, CATEGORY_NONE);
    assert_int_equal(rpps_column(1000, 11, 0).category, CATEGORY_NONE);
    assert_int_equal(rpps_column(1000, 12, 0).category, CATEGORY_STAFF);
}

static void what_any_number_passes_needs_the_name(void **state)
{
    (void)state;
    assert_int_equal(column("code", "%05llu", 10000, 83, 300, 300).category, CATEGORY_NONE);
    assert_int_equal(column("code_postal", "%05llu", 10000, 83, 300, 300).category,
                     CATEGORY_CONTACT);
    assert_int_equal(column("ref", "06%08llu", 10000000, 8311, 300, 300).category, CATEGORY_NONE);
    struct finding finding = column("telephone", "06%08llu", 10000000, 8311, 300, 300);
    assert_int_equal(finding.category, CATEGORY_CONTACT);
    assert_int_equal(finding.grounds, GROUNDS_VALUES_AND_NAME);
}

static void name_that_values_contradict_is_not_believed(void **state)
{
    (void)state;
    struct finding finding = column("nir", "%015llu", 999999, 7777, 300, 300);
    assert_int_equal(finding.category, CATEGORY_NONE);
    assert_int_equal(finding.grounds, GROUNDS_CONTRADICTED);
}

static void name_with_few_values_is_believed_a_little(void **state)
{
    (void)state;
    struct finding finding = column("nir", "%015llu", 999999, 7777, 5, 5);
    assert_int_equal(finding.category, CATEGORY_IDENTIFIER);
    assert_int_equal(finding.confidence, CONFIDENCE_LOW);
    assert_int_equal(finding.grounds, GROUNDS_NAME_FEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_is_told_as_what_it_is),
        cmocka_unit_test(text_is_told_what_it_holds),
        cmocka_unit_test(any_bytes_are_survived),
        cmocka_unit_test(name_of_a_column_is_taken_apart),
        cmocka_unit_test(numbers_that_count_up_are_nothing),
        cmocka_unit_test(nine_in_ten_of_fifty_are_enough),
        cmocka_unit_test(one_valid_number_again_and_again_proves_nothing),
        cmocka_unit_test(what_any_number_passes_needs_the_name),
        cmocka_unit_test(name_that_values_contradict_is_not_believed),
        cmocka_unit_test(name_with_few_values_is_believed_a_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
