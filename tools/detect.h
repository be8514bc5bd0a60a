/*
 * detect.h: what a value of a column may be: a number with a check digit, a code, a name...
 *
 * Each kind is a row of a table: a function that says whether one value is such a thing, and how
 * much that tells. Values that any number of its length would pass (nine digits, five digits, a
 * letter and two digits) prove nothing by themselves: such a kind needs the column's name as well.
 *
 * Trust boundary: values are patients' records. Functions here read them, keep none and print none.
 */
#ifndef PGVIGIL_TOOLS_DETECT_H
#define PGVIGIL_TOOLS_DETECT_H

#include <stdbool.h>
#include <stddef.h>

/* Words of the policies of examples/clinic; what is in no category is hidden. */
enum category {
    CATEGORY_NONE = 0, /* to be classified by somebody */
    CATEGORY_TECHNICAL,
    CATEGORY_ADMIN,
    CATEGORY_STAFF,
    CATEGORY_BILLING,
    CATEGORY_LEGAL,
    CATEGORY_CONTACT,
    CATEGORY_FREE_TEXT,
    CATEGORY_IDENTIFIER,
    CATEGORY_MEDICAL,
    CATEGORY_COUNT
};
/* "free_text": as a policy writes it; "" for CATEGORY_NONE. */
const char *category_name(enum category category);

enum kind {
    KIND_NONE = 0, /* no value tells: by name only */
    KIND_NIR,
    KIND_INS,
    KIND_NIR_WITHOUT_KEY,
    KIND_RPPS,
    KIND_ADELI,
    KIND_AM_NUMBER,
    KIND_SIREN,
    KIND_SIRET,
    KIND_FINESS,
    KIND_PHONE,
    KIND_PHONE_DIGITS,
    KIND_EMAIL,
    KIND_POSTCODE,
    KIND_BIRTH_DATE,
    KIND_GIVEN_NAME,
    KIND_FAMILY_NAME,
    KIND_FULL_NAME,
    KIND_ADDRESS,
    KIND_ICD10,
    KIND_CCAM,
    KIND_LOINC,
    KIND_ATC,
    KIND_CIP13,
    KIND_CIP7,
    KIND_IBAN,
    KIND_IP_ADDRESS,
    KIND_UUID,
    KIND_HASH,
    KIND_COUNT
};

/* What a column's type lets its values be. */
enum value_class {
    VALUE_OTHER = 0, /* not read */
    VALUE_TEXT,
    VALUE_NUMBER,
    VALUE_DATE,
    VALUE_BOOLEAN,
    VALUE_UUID,
    VALUE_INET,
    VALUE_DOCUMENT, /* json, xml, arrays: read as text, for what they contain */
    VALUE_ENUM
};
#define CLASS_BIT(class) (1u << (class))
#define CLASSES_TEXT     CLASS_BIT(VALUE_TEXT)
#define CLASSES_DIGITS   (CLASS_BIT(VALUE_TEXT) | CLASS_BIT(VALUE_NUMBER))
#define CLASSES_DATE     (CLASS_BIT(VALUE_TEXT) | CLASS_BIT(VALUE_DATE))

struct detector {
    enum kind kind;
    const char *name; /* in files, --format json and csv: "nir" */
    enum category category;
    unsigned classes;
    unsigned percent;  /* of the values, that must be valid */
    unsigned distinct; /* how many different valid values chance would not bring: a column of one
                          valid value again and again proves nothing */
    bool needs_name;   /* values alone cannot tell it apart */
    bool unordered;    /* values that only count up are numbers of rows, or days of a log */
    /* Whether `text` (trimmed, `len` bytes, NUL behind) is one. `today` is yyyymmdd. */
    bool (*valid)(const char *text, size_t len, int today);
    const char *title[2]; /* for people, in English and French */
};

/* The rows, `*count` of them, in the order in which they are preferred. */
const struct detector *detect_table(size_t *count);
/* NULL for KIND_NONE. */
const struct detector *detect_of(enum kind kind);

/* ---- detect_numbers.c: check digits ---- */
bool detect_nir(const char *text, size_t len, int today);
/* A NIR and the OID of the identity that it is: 279...^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8. */
bool detect_ins(const char *text, size_t len, int today);
bool detect_nir_without_key(const char *text, size_t len, int today);
bool detect_rpps(const char *text, size_t len, int today);
bool detect_adeli(const char *text, size_t len, int today);
bool detect_am_number(const char *text, size_t len, int today);
bool detect_siren(const char *text, size_t len, int today);
bool detect_siret(const char *text, size_t len, int today);
bool detect_finess(const char *text, size_t len, int today);
bool detect_loinc(const char *text, size_t len, int today);
bool detect_cip13(const char *text, size_t len, int today);
bool detect_cip7(const char *text, size_t len, int today);
bool detect_iban(const char *text, size_t len, int today);

/* ---- detect_shapes.c: how it is written ---- */
bool detect_phone(const char *text, size_t len, int today);
bool detect_phone_digits(const char *text, size_t len, int today);
bool detect_email(const char *text, size_t len, int today);
bool detect_postcode(const char *text, size_t len, int today);
bool detect_birth_date(const char *text, size_t len, int today);
bool detect_icd10(const char *text, size_t len, int today);
bool detect_ccam(const char *text, size_t len, int today);
bool detect_atc(const char *text, size_t len, int today);
bool detect_ip_address(const char *text, size_t len, int today);
bool detect_uuid(const char *text, size_t len, int today);
bool detect_hash(const char *text, size_t len, int today);
/* yyyymmdd of "1961-05-30", "30/05/1961" and what is like them; 0 when it is none. */
int detect_date(const char *text, size_t len);

/* ---- detect_people.c: names of people and streets ---- */
bool detect_given_name(const char *text, size_t len, int today);
bool detect_family_name(const char *text, size_t len, int today);
bool detect_full_name(const char *text, size_t len, int today);
bool detect_address(const char *text, size_t len, int today);
/* Small letters without accents of Latin text; at most size - 1 bytes. */
void detect_fold(const char *text, size_t len, char *out, size_t size);

/* ---- detect_text.c: what longer text contains ---- */
enum text_holds {
    HOLDS_NIR = 0,
    HOLDS_PHONE,
    HOLDS_EMAIL,
    HOLDS_BIRTH_DATE,
    HOLDS_NAME,
    HOLDS_COUNT
};
/* A bit for each that stands somewhere in the text. */
unsigned detect_holds(const char *text, size_t len);
const char *detect_holds_title(enum text_holds holds, bool french);
/* Whether it is prose rather than a word, a code or a number. */
bool detect_is_prose(const char *text, size_t len);

#endif
