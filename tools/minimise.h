/*
 * minimise.h: what a policy gives and nobody used, and the smaller policy.
 *
 * Four steps, each a file. minimise_use.c reads the trail: what each pair of role and mission read
 * and wrote. minimise_grant.c asks the policy, with the lookups that judge() uses, what it gives,
 * and notes which part of which rule serves what was used. minimise_cut.c turns what serves nothing
 * into edits of the policy's files, and what it cannot cut into things to be done by hand.
 * minimise_prove.c loads the edited files and lets nothing pass but losses of what was not used.
 *
 * The side on which it errs: what the trail does not tell for certain counts as used.
 *
 * Beside them minimise_reach.c asks PostgreSQL how many patients are in reach of whom.
 *
 * Ownership: everything stands in minimise->arena but the maps and policies, which minimise_end
 * frees.
 */
#ifndef PGVIGIL_TOOLS_MINIMISE_H
#define PGVIGIL_TOOLS_MINIMISE_H

#include "tools/policy_edit.h"
#include "tools/policy_text.h"

#include <jansson.h>
#include <libpq-fe.h>
#include <pgvigil/arena.h>
#include <pgvigil/catalog.h>
#include <pgvigil/map.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define MINIMISE_TIME 28    /* bytes of a record's time */
#define MINIMISE_NAME 1000U /* of a role's or a mission's name; a policy's have 48 at most */

/* ---- what was used (minimise_use.c) ---- */

enum use_how {
    USE_TOUCH = 't', /* the relation, whatever of it */
    USE_READ = 'r',
    USE_INSERT = 'i',
    USE_UPDATE = 'u',
    USE_DELETE = 'd',
    USE_TRUNCATE = 'x',
    USE_ALL = '*' /* everything of the relation counts as used: the trail does not tell */
};

/* A statement that ran, for whoever wants to see whether it still would. */
struct use_statement {
    const char *sql; /* normalised */
};

/* Of a pair, as the trail has it. */
struct pair_use {
    const char *role, *mission;
    uint64_t statements, rows;
    struct map *patients;
    bool inexact;       /* some of its statements do not tell their patients */
    const char *frozen; /* why everything of it counts as used; NULL: it does not */
    struct use_statement *ran;
    size_t ran_count, ran_cap;
    bool ran_more; /* statements that are not kept */
};

/* Whose rows a person was shown, or wrote, by statements that name the relation. */
struct person_table {
    const char *relation; /* minimise_relation() */
    struct map *patients;
};

/* Of a person in a pair, in the database that is asked about. */
struct person_use {
    const struct pair_use *pair;
    const char *person;
    struct person_table *tables;
    size_t table_count, table_cap;
    bool inexact;   /* some statements do not tell theirs */
    bool elsewhere; /* she worked in another database, too */
};

/* A relation of which everything counts as used. */
struct use_frozen {
    const struct pair_use *pair;
    const char *relation; /* "schema.name" */
    const char *why;      /* the statement's kind, or "observed"... */
};

/* A relation that a pair used. */
struct use_relation {
    struct pair_use *pair;
    const char *schema, *name;
};

/* ---- what is given (minimise_grant.c) ---- */

/* A relation under a rule, for a pair. */
struct target {
    int role, mission;
    const char *schema, *name;
    const char *full;
    const struct policy_table *table;
    const struct catalog_relation
        *relation; /* NULL: the catalog does not know it, or there is none */
    size_t rule;   /* index */
    size_t via;    /* of the rule's `tables` */
    bool part;     /* a partition or a child that follows its parent's rule: not told by itself */
    bool touched;
    const char *kept; /* a column that stays though nobody used it: rows were counted */
    const char **columns;
    size_t column_count;
};

/* Which parts of a rule serve something that was used. */
struct rule_use {
    bool *roles, *missions, *tables, *columns, *insert, *update;
    bool delete_rows, truncate;
    bool any;
    struct target **targets; /* of the rule */
    size_t target_count, target_cap;
};

enum keep_why {
    KEEP_NOT = 0,
    KEEP_GLASS,     /* breaks the glass */
    KEEP_RETENTION, /* reaches archived or expired records */
    KEEP_RIGHTS,    /* a right excepts it: article 18 */
    KEEP_DESTROYER,
    KEEP_PURPOSE, /* control, legal, emergency: HL7's purposes */
    KEEP_ASKED,   /* --keep */
    KEEP_YOUNG,   /* --was does not have it */
    KEEP_FROZEN   /* what it did does not tell what it used */
};

enum stay_why {
    STAY_NOT = 0,
    STAY_DEFAULT, /* it is the role's default */
    STAY_LAST,    /* the role would have none, or another default */
    STAY_ROLE,    /* nobody worked in the role at all: a question of accounts */
    STAY_TEXT     /* its place in the files cannot be cut */
};

struct pair {
    int role, mission;
    enum keep_why keep;
    const char *detail;
    struct pair_use *use; /* NULL: the trail does not know it */
    bool gone;            /* to be taken from the role */
    enum stay_why stays;  /* never entered, and not to be taken */
};

/* Why something unused is not cut. */
enum hand_why {
    HAND_NOT = 0,
    HAND_STAYS,   /* the pair's `stays` says it */
    HAND_SHARED,  /* the rule serves others, who use it */
    HAND_CATALOG, /* only with a catalog is it known that nothing else would open it */
    HAND_OPENED,  /* something else might open it */
    HAND_NAME,    /* no exclusion can name it */
    HAND_WRITTEN, /* it may be written, and that cannot be taken alone */
    HAND_REFUSED, /* `detail` says what was wrong with it */
    HAND_TEXT     /* its place in the files cannot be cut alone */
};

/* What was given and not used. */
struct unused {
    const struct pair *pair;
    const struct target *target; /* NULL: the whole mission */
    const char *column;          /* NULL: the whole relation, or DELETE and TRUNCATE of it */
    enum use_how how;
    bool cut; /* by the proposal */
    enum hand_why why;
    const struct target *user; /* with HAND_SHARED: who uses it */
    const char *detail;
};

/* A column, over all targets of a rule. */
struct rule_column {
    const char *name;
    bool given, insert, update; /* by the policy */
    bool read_used, insert_used, update_used;
    const struct target *user; /* one that used it */
    bool still_written;        /* a list that stays lets it be written */
};

/* How many patients a person's rules let her see, as the rows are today (minimise_reach.c). */
struct reach {
    const struct person_use *use;
    bool session;      /* what the client says decides: it is not counted */
    uint64_t in_reach; /* each once */
    uint64_t seen;     /* of these, since */
};

/* A value of a person's attribute without which all that she saw would still be in reach. */
struct spare {
    const struct policy_user *user;
    const char *attribute, *value;
    uint64_t patients; /* that it alone opens, in each of her pairs */
};

/* What one edit, or several that need each other, could not do. */
struct refusal {
    size_t group;
    const char *why;
};

struct minimise {
    const char *path; /* of the policy, absolute */
    struct arena *arena;
    const struct policy *policy;
    const struct policy *was;      /* as it was, or NULL: nothing is young */
    const struct catalog *catalog; /* or NULL */
    const char *keep;              /* "role,role/mission,/mission", or NULL */
    char since[MINIMISE_TIME];     /* uses before it do not count */
    char reaches[MINIMISE_TIME];   /* back to where the trail does */
    char last[MINIMISE_TIME];      /* its last record */
    char in_force[MINIMISE_TIME]; /* since when the policy is, as far as the trail tells; "": not */
    bool other_policy;            /* the last one that the trail saw loaded is another */
    struct map *used;             /* keys of minimise_key */
    struct map *pairs_used;       /* "role\x1fmission" -> struct pair_use */
    struct map *told;             /* statements that are kept */
    struct map *parsed;           /* texts that were parsed, and what by_place() found */
    size_t parsed_bytes;
    struct use_relation *relations; /* used, each once */
    size_t relation_count, relation_cap;
    struct use_frozen *frozen;
    size_t frozen_count, frozen_cap;
    uint64_t records;
    const char *database;       /* whose patients are kept by person; NULL: no database's */
    struct map *people_used;    /* "role\x1fmission\x1fperson" -> struct person_use */
    struct person_use **people; /* in the order of the trail */
    size_t person_count, person_cap;
    size_t person_patients; /* over all their tables */
    bool asked;             /* PostgreSQL, what is in reach of them */
    struct reach **reaches_of;
    size_t reach_count, reach_cap;
    struct spare *spares;
    size_t spare_count, spare_cap;

    struct pair *pairs;
    size_t pair_count;
    struct target **targets;
    size_t target_count, target_cap;
    struct rule_use *rules;

    struct policy_text text;
    const struct text_node **rule_nodes;
    struct policy_edits edits;
    size_t group_count; /* 0: pairs that go; then one for each rule */
    bool *groups;       /* those that are proposed */
    struct refusal *refusals;
    size_t refusal_count, refusal_cap;
    struct policy *smaller; /* what comes of it; NULL: nothing is proposed */

    struct unused *unused;
    size_t unused_count, unused_cap;
    const char *why; /* of a failure */
};

NODISCARD enum status minimise_start(struct minimise *minimise);
void minimise_end(struct minimise *minimise);

/* An answer of the search, all of the trail, in order. */
NODISCARD enum status minimise_add(struct minimise *minimise, const json_t *answer);
/* At the end of the trail: what is used through views and sequences. */
NODISCARD enum status minimise_use_finish(struct minimise *minimise);
/* A name for schema and relation together that no other pair of names has. */
#define MINIMISE_RELATION 512
void minimise_relation(char out[MINIMISE_RELATION], const char *schema, const char *name);
bool minimise_used(const struct minimise *minimise, const char *role, const char *mission,
                   const char *schema, const char *name, enum use_how how, const char *column);

NODISCARD enum status minimise_pairs(struct minimise *minimise); /* minimise_pair.c */
NODISCARD enum status minimise_grants(struct minimise *minimise);
struct pair *minimise_pair(const struct minimise *minimise, int role, int mission);
/* Does the column count as used, by any of its targets' own uses or because the pair is kept? */
bool minimise_target_used(const struct minimise *minimise, const struct target *target,
                          enum use_how how, const char *column);
bool minimise_given(const struct policy *policy, const struct policy_table *table,
                    const struct policy_rule *rule, enum use_how how, const char *column);
/* Does a name in a rule speak of the column in that table: its own, or its category's? */
bool minimise_speaks(const struct policy_table *table, const char *name, const char *column);
/* Of those in `columns` the one that counts: a column's name beats its category. SIZE_MAX: none. */
size_t minimise_entry(const struct policy_table *table, const struct policy_rule *rule,
                      const char *column);
/* All columns of a rule's targets. In the arena; NULL: no memory. */
struct rule_column *minimise_rule_columns(struct minimise *minimise, size_t rule, size_t *count);

/* The policy's files and where its rules stand in them. ERR_IO, ERR_SYNTAX, ERR_INVALID with
 * minimise->why. */
NODISCARD enum status minimise_find(struct minimise *minimise, const char *path);
/* Makes the edits of the groups that minimise->groups lets in. */
NODISCARD enum status minimise_cut(struct minimise *minimise);
size_t minimise_group(const struct minimise *minimise, size_t rule);
/* Decides which groups are proposed. ERR_INTERNAL with minimise->why: not even what is known to be
 * right can be shown to be. */
NODISCARD enum status minimise_prove(struct minimise *minimise);
/* Lists what is unused, and what becomes of it. */
NODISCARD enum status minimise_list(struct minimise *minimise);

/* minimise_still.c: the first statement that ran and would not under `smaller`, or NULL. Needs the
 * catalog. ERR_MEMORY. */
NODISCARD enum status minimise_still_runs(struct minimise *minimise, struct policy *smaller,
                                          const char **why);

/* minimise_reach.c: what the rows of the database at the other end of `conn` come to, for each
 * person that the trail knows; `owner` owns the guards. ERR_UPSTREAM with minimise->why. */
NODISCARD enum status minimise_reach(struct minimise *minimise, PGconn *conn,
                                     const struct catalog *catalog, const char *owner,
                                     void (*tick)(size_t done, size_t total, void *context),
                                     void *context);

/* ---- for people and programs (minimise_print.c, minimise_json.c) ---- */

void minimise_print(const struct minimise *minimise, bool french, unsigned days, FILE *out);
/* NULL: no memory. */
json_t *minimise_json(const struct minimise *minimise, unsigned days);
/* "40-rules.cfg:12": relative to the policy. In the arena. */
const char *minimise_place(const struct minimise *minimise, const struct policy_place *place);
/* Rules without a condition on rows over tables of patients: all of them are in reach. */
bool minimise_reaches_all(const struct target *target, const struct policy *policy);
const char *minimise_right(enum use_how how); /* "read" */
const char *minimise_keep_word(enum keep_why why);
const char *minimise_hand_word(enum hand_why why);
const char *minimise_stay_word(enum stay_why why);

#endif
