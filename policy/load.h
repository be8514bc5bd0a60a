/*
 * load.h: what the files of policy loading share while a policy is being made.
 *
 * Loading has three steps: source.c turns files into documents (text with places), load_*.c reads
 * the settings of each document into the raw entries below, and check_*.c resolves names to indexes
 * and tells everything that is wrong. No step stops at the first error. Everything lives in the
 * policy's arena but messages, which live in the errors' arena and outlast a failed load.
 */
#ifndef PGVIGIL_POLICY_LOAD_H
#define PGVIGIL_POLICY_LOAD_H

#include <pgvigil/arena.h>
#include <pgvigil/map.h>
#include <pgvigil/policy.h>

#include <libconfig.h>

/* A list that grows in the policy's arena. */
struct pile {
    void *items;
    size_t count;
    size_t cap;
};

/* A name (or text) and where it was written; text is NULL when the key is not there. */
struct raw_name {
    const char *text;
    struct policy_place place;
};
struct raw_names {
    struct raw_name *items;
    size_t count;
    struct policy_place place; /* of the key; file NULL when the key is not there */
};

struct raw_table {
    struct policy_table table;
    struct raw_name subject;
    struct policy_place erasable_place;
    struct raw_names *columns; /* one for each category */
    struct raw_names except;
    struct raw_names dimensions;
    struct raw_names measures;
};
struct raw_role {
    struct policy_role role;
    struct raw_names missions;
    struct raw_name fallback; /* the key `default` */
    struct raw_names allow;
    struct raw_names channels;
};
struct raw_mission {
    struct policy_mission mission;
    struct raw_names ages; /* the key `retention` */
};
struct raw_retention {
    struct policy_retention retention;
    struct raw_name table;
    struct raw_name last;
    struct raw_name birth;
    struct raw_name death;
    struct raw_name hold;
    struct raw_names except;
    struct raw_names destroy;
};
struct raw_right {
    struct policy_right right;
    struct raw_name kind;
    struct raw_name hide;
    struct policy_place register_place;
    struct raw_names missions;
    struct raw_names except;
    struct raw_names roles;
    struct raw_names tables;
};
struct raw_fhir_part {
    struct policy_fhir_part part;
    struct raw_name system;
    struct raw_name use;
    struct raw_name value;
};
struct raw_fhir_code {
    struct policy_place place;
    struct raw_name from;
    struct raw_name to;
};
struct raw_fhir {
    struct policy_fhir_patient patient;
    struct raw_name table;
    struct raw_name values[FHIR_ELEMENTS];
    struct raw_name address_use;
    struct pile genders;     /* struct raw_fhir_code */
    struct pile identifiers; /* struct raw_fhir_part */
    struct pile telecoms;    /* struct raw_fhir_part */
};
struct raw_column {
    struct raw_name name;
    const char *mask;
};
struct raw_rule {
    struct policy_place place;
    struct raw_names roles;
    struct raw_names missions;
    struct raw_names tables;
    struct raw_name rows;
    struct raw_name filter;
    struct raw_column *columns;
    size_t column_count;
    struct policy_place columns_place;
    struct raw_names insert;
    struct raw_names update;
    bool delete_rows;
    bool truncate;
    struct policy_place truncate_place;
    bool bad;       /* reported already: later checks would only repeat it */
    bool bad_masks; /* an unknown mask: what may be written cannot be told */
};
struct raw_function {
    struct raw_name name;
    struct raw_names roles;
    struct raw_names missions;
};
struct raw_attribute {
    struct raw_name name;
    bool is_list;
    struct raw_name *values;
    size_t value_count;
};
struct raw_on_behalf {
    struct policy_on_behalf on_behalf;
    struct raw_names roles;
    struct raw_name from;
    struct raw_name proof;
    struct raw_name keys;
    struct raw_name issuer;
    struct raw_name audience;
    struct raw_name claim;
    struct raw_name absent;
};
struct raw_user {
    struct policy_user user;
    struct raw_on_behalf *on_behalf;
    bool roles_given;
    struct raw_name auth;
    struct raw_name secret;
    struct raw_name cn;
    struct raw_names roles;
    struct raw_attribute *attributes;
    size_t attribute_count;
};

struct loader_error {
    struct policy_error error;
    size_t order;
};

struct document;
struct loader;
/* What is done with a document once it has parsed. */
typedef void load_reader(struct loader *loader, const struct document *document,
                         config_setting_t *root);

struct loader {
    load_reader *read;
    void *context; /* the reader's, for files that are no policy */
    struct policy *policy;
    struct arena *arena; /* the policy's */
    struct policy_errors *errors;
    struct pile reports; /* struct loader_error, in the errors' arena */
    struct pile files;   /* struct loader_file, in order of reading */
    unsigned include_depth;
    bool io_failed;

    struct pile tables;     /* struct raw_table */
    struct pile masks;      /* struct policy_mask */
    struct pile attributes; /* struct policy_attribute */
    struct pile missions;   /* struct raw_mission */
    struct pile roles;      /* struct raw_role */
    struct pile filters;    /* struct policy_filter */
    struct pile rules;      /* struct raw_rule */
    struct pile functions;  /* struct raw_function */
    struct pile sequences;  /* struct raw_function */
    struct pile users;      /* struct raw_user */
    struct pile retention;  /* struct raw_retention; one at most is right */
    struct pile rights;     /* struct raw_right */
    struct pile fhir;       /* struct raw_fhir; one at most is right */
    struct pile categories; /* struct policy_category_text */
    struct pile known;      /* struct policy_table: every exact relation named, for the checks */
};

/* A document: flat text with its includes in place, and the file and line each of its lines came
 * from. */
struct policy_place document_place(const struct document *document, unsigned line);

/* Says one thing that is wrong. Never put a secret or an attribute's value into it. */
void load_report(struct loader *loader, struct policy_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Room for one more, zeroed; NULL when out of memory (the arena remembers). */
void *load_push(struct arena *arena, struct pile *pile, size_t size);

/* source.c: reads one file as a document and hands its settings to loader->read. `from` is where an
 * @include asked for it; file NULL for the first. */
void source_read(struct loader *loader, const char *path, struct policy_place from);
struct loader_file {
    const char *name;
    unsigned long long device;
    unsigned long long inode;
    bool open; /* an include of it now would be a circle */
};

/* load.c */
void load_document(struct loader *loader, const struct document *document, config_setting_t *root);
/*
 * Files of another kind in the same syntax, told apart from policies by their reader alone: results
 * stand in `arena`, loader->context is `context`. Errors and status as policy_load's.
 */
NODISCARD enum status load_file(const char *path, load_reader *read, void *context,
                                struct arena *arena, struct policy_errors *errors);

/* load_data.c, load_people.c, load_rule.c: one top-level key each. */
void load_tables(struct loader *loader, const struct document *document, config_setting_t *list);
void load_masks(struct loader *loader, const struct document *document, config_setting_t *group);
void load_filters(struct loader *loader, const struct document *document, config_setting_t *group);
void load_attributes(struct loader *loader, const struct document *document,
                     config_setting_t *list);
void load_missions(struct loader *loader, const struct document *document, config_setting_t *list);
void load_roles(struct loader *loader, const struct document *document, config_setting_t *list);
void load_functions(struct loader *loader, const struct document *document, config_setting_t *list);
void load_sequences(struct loader *loader, const struct document *document, config_setting_t *list);
void load_users(struct loader *loader, const struct document *document, config_setting_t *list);
/* The key `on_behalf` of a user; `value->entry` is its struct raw_user. */
struct value;
void load_on_behalf(const struct value *value);
/* load_texts.c: the keys of a mission and of a role that documents alone read. */
void load_mission_title_en(const struct value *value);
void load_mission_description(const struct value *value);
void load_mission_description_en(const struct value *value);
void load_mission_legal_basis(const struct value *value);
void load_mission_special_basis(const struct value *value);
void load_role_title(const struct value *value);
void load_role_title_en(const struct value *value);
void load_categories(struct loader *loader, const struct document *document,
                     config_setting_t *list);
void load_rules(struct loader *loader, const struct document *document, config_setting_t *list);

/* load_rights.c */
void load_retention(struct loader *loader, const struct document *document,
                    config_setting_t *group);
void load_rights(struct loader *loader, const struct document *document, config_setting_t *list);

/* load_fhir.c */
void load_fhir_patient(struct loader *loader, const struct document *document,
                       config_setting_t *group);

/* check_*.c: each fills its part of the policy. The order is that of this list. */
void check_data(struct loader *loader);   /* attributes, masks, filters, tables */
void check_people(struct loader *loader); /* missions, roles, functions, sequences */
void check_users(struct loader *loader);
void check_categories(struct loader *loader);
/* check_behalf.c: a user's `on_behalf`; sets roles too. `roles`: the policy's. */
void check_on_behalf(struct loader *loader, struct raw_user *user, const char *const *roles);
void check_rules(struct loader *loader);
void check_conditions(struct loader *loader); /* retention, rights, what missions say of them */
void check_aggregates(struct loader *loader); /* what missions that are aggregate_only may have */
void check_fhir(struct loader *loader);       /* fhir_patient */
void check_rule_pairs(
    struct loader *loader); /* two rules for one relation; what depends on which wins */

/* Names of things: [A-Za-z][A-Za-z0-9_-]*, up to 48 bytes. Reports and answers false. */
bool check_name(struct loader *loader, struct policy_place place, const char *what,
                const char *name);
/* "schema.name", as it stands in the catalog; `what`: "a table". */
bool check_relation_name(struct loader *loader, struct policy_place place, const char *what,
                         const char *name);
/* Reports a second thing of one name; `seen` maps names to places. */
bool check_duplicate(struct loader *loader, const char *what, const char *name,
                     struct policy_place place, struct map *seen);
/* The index of a name in an array of `count` names, or -1 after reporting it with the nearest. */
int check_find(struct loader *loader, const struct raw_name *name, const char *what,
               const char *const *names, size_t count);

/* The policy's, for check_find and check_indexes; in the arena. */
const char **check_mission_names(struct loader *loader);
const char **check_role_names(struct loader *loader);
/* Indexes of the names that are known; the others are reported. */
uint32_t *check_indexes(struct loader *loader, const struct raw_names *raw, const char *what,
                        const char *const *names, size_t count, size_t *found);

#endif
