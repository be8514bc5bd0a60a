/*
 * policy.h: the rules as data, read from *.cfg files (docs/policy-language.md).
 *
 * A struct policy is immutable once policy_load returned it and is shared by reference count
 * between threads; statements hold the one they were judged by. All strings and arrays live in its
 * arena and are NUL-terminated; every list has a count beside it. Names in files are resolved to
 * indexes here, so that a lookup can never miss at run time.
 */
#ifndef PGVIGIL_POLICY_H
#define PGVIGIL_POLICY_H

#include <pgvigil/arena.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Part of the digest: raise it when the same policy begins to make other guards, so that those of
 * an older pgvigil are not taken for this one's. */
#define POLICY_GUARD_FORMAT 3

/* Where something stands in the files, for messages. */
struct policy_place {
    const char *file;
    unsigned line;
};

struct policy_columns_like {
    const char *match;    /* pattern over column names */
    const char *category; /* index is policy->categories' business: see category below */
    struct policy_place place;
};

struct policy_category {
    const char *name;
    const char *const *columns; /* exact names */
    size_t column_count;
    struct policy_place place;
};

/* An entry of `tables`: one relation, or a pattern ("ehr.*"). */
struct policy_table {
    const char *schema; /* the part before the dot; may hold * and ? when pattern */
    const char *name;
    bool pattern;
    const char *const *except; /* patterns "schema.name" that this pattern leaves out */
    size_t except_count;
    const char *subject;        /* SQL expression, or NULL */
    const char *subject_column; /* of the table's own, when it is nothing else; or NULL */
    bool erasable; /* nothing that the law keeps: a person's rows may go when she asks for it */
    const struct policy_category *categories;
    size_t category_count;
    const struct policy_columns_like *columns_like;
    size_t columns_like_count;
    /* For missions that are aggregate_only: columns of the table's own. */
    const char *const *dimensions; /* what groups may be made of */
    size_t dimension_count;
    const char *const *measures; /* what may be summed */
    size_t measure_count;
    struct policy_place place;
};

/* What a column is to a mission that is aggregate_only. */
enum policy_part { PART_NONE = 0, PART_DIMENSION, PART_MEASURE };

enum policy_mask_kind {
    MASK_HIDE = 0, /* zero is the closed one */
    MASK_SHOW,
    MASK_NULL,
    MASK_PSEUDONYM,
    MASK_EXPRESSION
};

struct policy_mask {
    const char *name;
    enum policy_mask_kind kind;
    const char *expression; /* over :col, only for MASK_EXPRESSION */
    struct policy_place place;
};

struct policy_attribute {
    const char *name;
    const char *type; /* as written: "text", "int[]" */
    struct policy_place place;
};

struct policy_break_glass {
    unsigned reason_min; /* characters */
    unsigned minutes;
    const char *const *require; /* session settings, e.g. "patient" */
    size_t require_count;
};

/* Part of a day, in minutes from midnight; from > to: over midnight into the next day. */
struct policy_hours {
    unsigned days; /* bit 0: Monday */
    unsigned from, to;
    const char *text; /* as written */
};

struct policy_network {
    bool v6;
    unsigned char bytes[16]; /* network order; the first four of IPv4 */
    unsigned prefix;
    const char *text;
};

/* Where a patient's record stands between the last consultation and its destruction. Bits. */
enum policy_age {
    AGE_NONE = 0,
    AGE_ACTIVE = 1 << 0,
    AGE_ARCHIVED = 1 << 1, /* for missions that say so */
    AGE_EXPIRED = 1 << 2   /* due for destruction */
};
#define AGE_ALL (AGE_ACTIVE | AGE_ARCHIVED | AGE_EXPIRED)

/* A mission that gives groups of patients only (policy/guard_cell.c, policy/judge_cube.c). */
struct policy_aggregate {
    uint64_t k;                  /* the fewest patients of a cell; cells of fewer do not exist */
    uint64_t statements_per_day; /* of one person, by days of UTC, that read tables of patients */
};
#define POLICY_AGGREGATE_K          11
#define POLICY_AGGREGATE_STATEMENTS 200

/* What a mission's group_subjects may be: a list of as many is one value of one row. */
#define POLICY_GROUP_SUBJECTS_MAX 100000

struct policy_mission {
    const char *name;
    const char *title;    /* or NULL */
    const char *title_en; /* this and the next four are for documents; or NULL */
    const char *description;
    const char *description_en;
    const char *legal_basis;          /* of the GDPR's article 6: "6.1.c" */
    const char *special_basis;        /* of its article 9: "9.2.h" */
    const char *purpose;              /* HL7 v3 PurposeOfUse code, or NULL */
    uint64_t max_rows;                /* 0: no limit */
    uint64_t rows_per_hour;           /* of one person; 0: no limit */
    const struct policy_hours *hours; /* count 0: always */
    size_t hours_count;
    const struct policy_network *addresses; /* of clients; count 0: everywhere */
    size_t address_count;
    const struct policy_break_glass *break_glass; /* NULL: an ordinary mission */
    uint64_t group_subjects; /* patients that one row of groups may name; 0: none */
    unsigned ages;           /* enum policy_age: whose records it reaches; AGE_ACTIVE by default */
    bool exact_subjects;     /* statements whose patients cannot be told by rows are refused */
    const struct policy_aggregate *aggregate_only; /* NULL: rows of patients may be read */
    struct policy_place place;
};

/* What a role may do beside reading and writing rows, see allow.c. Bits. */
enum policy_allow {
    ALLOW_NONE = 0,
    ALLOW_LOCK = 1 << 0,
    ALLOW_LISTEN = 1 << 1,
    ALLOW_NOTIFY = 1 << 2,
    ALLOW_PREPARED_TRANSACTIONS = 1 << 3,
    ALLOW_EXPLAIN = 1 << 4,
    ALLOW_LARGE_OBJECTS = 1 << 5,
    ALLOW_TEMPORARY = 1 << 6
};

struct policy_role {
    const char *name;
    const char *title; /* for documents; or NULL */
    const char *title_en;
    bool unrestricted;
    unsigned allows;             /* enum policy_allow; 0 for an unrestricted role */
    const char *const *channels; /* of LISTEN and NOTIFY: names or patterns */
    size_t channel_count;
    const uint32_t *missions; /* indexes */
    size_t mission_count;
    int default_mission; /* index, or -1 */
    struct policy_place place;
};

/* Whom data are about. Not said: patients, in tables with a subject, and else nobody. */
enum policy_persons { PERSONS_UNSAID = 0, PERSONS_PATIENTS, PERSONS_STAFF, PERSONS_NOBODY };

/* What documents say of a category; nothing is enforced by it. */
struct policy_category_text {
    const char *name;
    const char *title; /* or NULL */
    const char *title_en;
    bool sensitive; /* article 9 of the GDPR: health and its like */
    enum policy_persons persons;
    struct policy_place place;
};

struct policy_filter {
    const char *name;
    const char *expression;
    struct policy_place place;
};

/* What a rule does with a category or a column name. */
struct policy_column_rule {
    const char *name; /* of a category or of a column; a column's name beats its category */
    uint32_t mask;    /* index into policy->masks */
    struct policy_place place;
};

struct policy_rule {
    const uint32_t *roles; /* indexes; role_count 0 never occurs */
    size_t role_count;
    const uint32_t *missions;
    size_t mission_count;
    const char *const *tables; /* "schema.name", possibly patterns */
    size_t table_count;
    const char *rows; /* SQL expression (a named filter is already replaced by its text), or NULL:
                         every row */
    const char *filter_name; /* for explain; NULL when `rows` was written out */
    const struct policy_column_rule *columns;
    size_t column_count;
    const char *const *insert; /* categories or columns that may be written */
    size_t insert_count;
    const char *const *update;
    size_t update_count;
    bool delete_rows;
    bool truncate; /* never with `rows` */
    /* What `rows` also holds, beside what the rule says: "retention (active)", a right's name. */
    const char *const *conditions;
    size_t condition_count;
    struct policy_place place;
};

/*
 * For how long records are kept: 5 years from the last consultation, then 15 archived (the CNIL's
 * and the CNOM's guide for practices); until 28 for minors, 10 years from a death within 10 years
 * of the last visit (code de la santé publique, R1112-7). Expressions are over `table`, whose
 * subject is the person; NULL where the policy does not say.
 */
struct policy_retention {
    const char *table;                 /* "public.patients", as `tables` has it */
    const struct policy_table *people; /* that entry */
    const char *last;                  /* date of the last consultation; NULL there: never due */
    const char *birth;                 /* date */
    const char *death;                 /* date */
    const char *hold;                  /* boolean: a legal hold, which beats every date */
    unsigned active_years, archive_years, minor_years, death_years;
    const char *time_zone;    /* whose days are meant */
    const uint32_t *excepted; /* tables that keep their own time, such as invoices: indexes */
    size_t excepted_count;
    const uint32_t *destroyers; /* roles two people of which destroy what is expired; indexes */
    size_t destroyer_count;
    struct policy_place place;
};

enum policy_right_kind {
    RIGHT_NONE = 0,
    RIGHT_OBJECTION,   /* article 21 */
    RIGHT_RESTRICTION, /* article 18: stored, shown to nobody but the missions that are named */
    RIGHT_HIDDEN       /* a document that some may not see: a professional, a representative */
};

/* Which columns, or SQL over the table, a FHIR R4 Patient is made of. */
enum policy_fhir_element {
    FHIR_FAMILY = 0,
    FHIR_GIVEN, /* a text, or a list of them */
    FHIR_BIRTH_DATE,
    FHIR_GENDER,
    FHIR_LINE, /* of the address, as given */
    FHIR_CITY,
    FHIR_POSTAL_CODE,
    FHIR_COUNTRY,
    FHIR_ELEMENTS
};

struct policy_fhir_part { /* an identifier, a telecom */
    const char *system;   /* a URI; "phone", "email" */
    const char *use;      /* or NULL */
    const char *value;
    struct policy_place place;
};

struct policy_fhir_code {
    const char *from; /* as the database has it */
    const char *to;   /* FHIR's word */
};

struct policy_fhir_patient {
    const char *table; /* "public.patients", as `tables` has it */
    const char *values[FHIR_ELEMENTS];
    struct policy_place places[FHIR_ELEMENTS];
    const struct policy_fhir_code *genders; /* count 0: the value is FHIR's word already */
    size_t gender_count;
    const struct policy_fhir_part *identifiers;
    size_t identifier_count;
    const struct policy_fhir_part *telecoms;
    size_t telecom_count;
    const char *address_use; /* or NULL */
    struct policy_place place;
};

/*
 * Where a database has no table for it, pgvigil keeps who has which right itself: in a schema of
 * its own, which deploy makes (proxy/deploy_register.c says of what) and `pgvigil subject` writes
 * to.
 */
#define POLICY_REGISTER_SCHEMA "pgvigil_rights"

/* Rows that do not exist because a person has a right to it: whatever the rules show. */
struct policy_right {
    const char *name;
    enum policy_right_kind kind;
    const char *hide; /* SQL over the table, with :subject and the rest: not false hides the row */
    const uint32_t *missions; /* where it holds, or, with `but`, where it does not; indexes */
    size_t mission_count;     /* 0: it holds in all */
    bool but;
    bool registered;       /* `hide` asks pgvigil's own register */
    const uint32_t *roles; /* for whom; count 0: for all */
    size_t role_count;
    const uint32_t *tables; /* indexes; count 0: every table with a subject */
    size_t table_count;
    struct policy_place place;
};

/* A function outside pg_catalog that may be called, or a sequence that may be drawn from. */
struct policy_function {
    const char *schema;
    const char *name;
    const uint32_t *roles; /* count 0: every role */
    size_t role_count;
    const uint32_t *missions; /* count 0: every mission */
    size_t mission_count;
    struct policy_place place;
};

/* AUTH_NONE: nobody logs in by that name; a shared login may act for the person. */
enum policy_auth { AUTH_NONE = 0, AUTH_SCRAM, AUTH_CERT, AUTH_CERT_AND_SCRAM };

/* What a shared login names a person by. */
enum policy_person_from { PERSON_FROM_USER = 0, PERSON_FROM_TOKEN, PERSON_FROM_APPLICATION };

/* A login that many people share: whom it may act for, and what is asked to prove who it is. */
struct policy_on_behalf {
    const uint32_t *roles; /* the ceiling: a person has those of her own that are here; none is
                              unrestricted */
    size_t role_count;
    enum policy_person_from from;
    bool proven;      /* by a signed token */
    const char *keys; /* the file of its keys, with the policy file's folder; NULL: not proven */
    const char *issuer;
    const char *audience;
    const char *claim; /* which one names the person */
    int absent;        /* the login's own role while nobody is named; -1: nothing then */
    struct policy_place place;
    struct policy_place keys_place;
};

struct policy_user_attribute {
    uint32_t attribute;        /* index */
    bool is_list;              /* written as [ ... ] */
    const char *const *values; /* one for a scalar */
    size_t value_count;
    /* The value as the text that goes into the setting: the scalar itself, or a PostgreSQL array
     * literal
     * ({"1","2"}; every element quoted). */
    const char *setting;
};

struct policy_user {
    const char *name;
    enum policy_auth auth;
    const char *secret;         /* PostgreSQL's SCRAM-SHA-256$... form, or NULL */
    const char *certificate_cn; /* or NULL */
    const uint32_t *roles;
    size_t role_count; /* at least 1; the first is the default */
    const struct policy_user_attribute *attributes;
    size_t attribute_count;
    const struct policy_on_behalf *on_behalf; /* NULL: acts for itself only; else `roles` is what
                                                 `absent` says, or the ceiling */
    struct policy_place place;
};

/* What a server connection is told a person by, made once: a turn to another person must not cost
 * their putting together. */
struct policy_names {
    const char *const *pairs;      /* [role * mission_count + mission]: guard_pair_name; NULL where
                                      the role does not have the mission */
    const char *const *attributes; /* policy_placeholder_setting of each, and of: */
    const char *user_name;
    const char *address;
    const char *reason;
    const char *patient;
};

struct policy {
    const char *path; /* as configured */
    /* 8 hex digits over everything that guards depend on (tables, masks, attributes, missions,
     * roles, filters, rules, functions, sequences; not users): the generation in guard names. */
    char generation[9];
    char digest[33]; /* the same, 128 bits: written beside the guards and compared before use */
    const struct policy_table *tables;
    size_t table_count;
    const struct policy_mask *masks; /* 0 hide, 1 show, 2 null, 3 pseudonym, then the file's */
    size_t mask_count;
    const struct policy_attribute *attributes;
    size_t attribute_count;
    const struct policy_mission *missions;
    size_t mission_count;
    const struct policy_role *roles;
    size_t role_count;
    const struct policy_filter *filters;
    size_t filter_count;
    const struct policy_rule *rules; /* as written: policy_rule_for adds retention and rights */
    size_t rule_count;
    const struct policy_retention *retention;       /* NULL: nothing is said */
    const struct policy_fhir_patient *fhir_patient; /* NULL: nothing is said */
    const struct policy_right *rights;
    size_t right_count;
    const struct policy_function *functions;
    size_t function_count;
    const struct policy_function *sequences;
    size_t sequence_count;
    const struct policy_user *users;
    size_t user_count;
    const struct policy_category_text *category_texts;
    size_t category_text_count;
    const struct policy_names *names;
    struct policy_private *private; /* arena, reference count, name maps */
};

/* One thing that is wrong in the files. */
struct policy_error {
    struct policy_place place;
    const char *message; /* what is wrong, and what would be right */
};

/* All that is wrong, in file and line order. Owned by the caller; policy_errors_free. */
struct policy_errors {
    struct policy_error *errors;
    size_t count;
    struct arena *arena;
};

/*
 * Reads a directory's *.cfg (in name order) or one file, with @include, and checks everything that
 * can be checked without a database. On OK *policy has one reference and errors is empty. On
 * ERR_INVALID *policy is NULL and errors tells all of it; ERR_IO and ERR_MEMORY put one error there
 * too. Runs libpg_query: the calling thread needs a large stack (see judge.h).
 */
NODISCARD enum status policy_load(const char *path, struct policy **policy,
                                  struct policy_errors *errors);
void policy_errors_free(struct policy_errors *errors);
void policy_errors_print(const struct policy_errors *errors,
                         struct buf *out); /* file:line: message\n each */

struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy); /* accepts NULL; the last one frees */

/* Lookups; -1 when there is none. */
int policy_find_role(const struct policy *policy, const char *name);
int policy_find_mission(const struct policy *policy, const char *name);
const struct policy_user *policy_find_user(const struct policy *policy, const char *name);
bool policy_role_has_mission(const struct policy *policy, int role, int mission);
bool policy_user_has_role(const struct policy_user *user, int role);
/* May a shared login act for the person, in that role? */
bool policy_may_act(const struct policy_user *login, const struct policy_user *person, int role);

/* The words of `allow`. ALLOW_NONE: there is no such word. policy_allow_word: of each in turn, then
 * NULL. */
enum policy_allow policy_allow_find(const char *word);
const char *policy_allow_word(size_t index);
/* False for an unrestricted role: it is not asked. */
bool policy_role_allows(const struct policy *policy, int role, enum policy_allow allow);

/* Is it one of the role's channels? */
bool policy_channel_open(const struct policy *policy, int role, const char *channel);

/* May the mission be used at that time (0: Monday; minutes from midnight), from that address? */
bool policy_hours_open(const struct policy_mission *mission, unsigned weekday, unsigned minute);
bool policy_address_open(const struct policy_mission *mission, const char *address);

/* The one table entry that governs a relation (exact beats pattern), or NULL. */
const struct policy_table *policy_table_for(const struct policy *policy, const char *schema,
                                            const char *name);
/* The one rule for (role, mission, relation) (exact beats pattern), or NULL: closed. Its `rows`
 * hold what retention and rights hide. */
const struct policy_rule *policy_rule_for(const struct policy *policy, int role, int mission,
                                          const char *schema, const char *name);
/* For check --database: is a relation closed because two patterns match it, which no file could
 * tell? *why (arena) says so with their places. With role -1 the entries of `tables` are looked at,
 * else the rules of the pair. */
bool policy_is_ambiguous(const struct policy *policy, int role, int mission, const char *schema,
                         const char *name, struct arena *arena, const char **why);
/* What `categories` says of one, or NULL. */
const struct policy_category_text *policy_category_text(const struct policy *policy,
                                                        const char *name);
/* Is it the name of one of the table's categories? */
bool policy_is_category(const struct policy_table *table, const char *name);
/* The category of a column, or NULL: in none, so hidden. */
const char *policy_category_of(const struct policy_table *table, const char *column);
enum policy_part policy_part_of(const struct policy_table *table, const char *column);
/* What a rule makes of a column of `table`: never NULL; masks[0] (hide) for what is not named. */
const struct policy_mask *policy_mask_for(const struct policy *policy,
                                          const struct policy_table *table,
                                          const struct policy_rule *rule, const char *column);
bool policy_may_insert(const struct policy_table *table, const struct policy_rule *rule,
                       const char *column);
bool policy_may_update(const struct policy_table *table, const struct policy_rule *rule,
                       const char *column);
bool policy_function_allowed(const struct policy *policy, int role, int mission, const char *schema,
                             const char *name);
/* By an entry of `sequences`; a rule's `insert` allows those of its columns besides. */
bool policy_sequence_allowed(const struct policy *policy, int role, int mission, const char *schema,
                             const char *name);

/*
 * Where a person's record stands: a sub-select for FROM, over a row of retention->table under its
 * own name (LATERAL), with the columns last, birth, death (dates), held, today, active_until, until
 * (the last days of being active and of being kept; NULL: not known) and age ('active', 'archived',
 * 'expired'). A term ends with the whole of its last day (code civil, 2229): five years from 1
 * March 2020 are over on 2 March 2025. `today` is SQL of type date, or NULL for the day it is in
 * the policy's time zone when the statement began. In the arena; NULL: no memory.
 */
const char *policy_retention_reckoned(const struct policy_retention *retention, const char *today,
                                      struct arena *arena);
/* The word for one of enum policy_age; AGE_NONE for what is no word. */
const char *policy_age_word(enum policy_age age);
enum policy_age policy_age_find(const char *word);

/* Placeholders in an expression, in order of first use. */
enum policy_placeholder_kind {
    PLACEHOLDER_USER_NAME,      /* :user.name, text */
    PLACEHOLDER_USER_ATTRIBUTE, /* :user.<attribute> */
    PLACEHOLDER_SESSION,        /* :session.<setting>, text */
    PLACEHOLDER_CLIENT_ADDRESS, /* :client.address, inet */
    PLACEHOLDER_SUBJECT,        /* :subject */
    PLACEHOLDER_COLUMN          /* :col, in masks only */
};
struct policy_placeholder {
    enum policy_placeholder_kind kind;
    const char *name;   /* attribute or setting name, else NULL */
    uint32_t attribute; /* index, for PLACEHOLDER_USER_ATTRIBUTE */
    size_t start, end;  /* byte range in the expression, of one use */
};
/*
 * Finds every use of a placeholder, with SQL's own lexical rules: not inside strings, quoted
 * identifiers or comments, and `::type` is a cast. `a[1:n]` array slices need spaces round the
 * colon to be told apart. ERR_INVALID with *what set (arena) for an unknown one.
 */
NODISCARD enum status policy_placeholders(const struct policy *policy, const char *expression,
                                          struct arena *arena, struct policy_placeholder **list,
                                          size_t *count, const char **what);
/* The setting that carries a placeholder on a server connection: "pgvigil.u_wards",
 * "pgvigil.u_name" (the user's name), "pgvigil.s_patient", "pgvigil.address". In the arena.
 * PLACEHOLDER_SUBJECT and _COLUMN: NULL. */
const char *policy_placeholder_setting(const struct policy_placeholder *placeholder,
                                       struct arena *arena);

#endif
