/*
 * minimise_reach.h: what minimise_reach.c and minimise_spare.c share.
 *
 * Ownership: everything in minimise->arena but the maps of parts, which reach_user frees.
 */
#ifndef PGVIGIL_TOOLS_MINIMISE_REACH_H
#define PGVIGIL_TOOLS_MINIMISE_REACH_H

#include "tools/minimise.h"

/* A relation with a rule of the pair's, of which no rows of patients can be counted. */
struct reach_other {
    const struct catalog_relation *relation;
    bool *attributes; /* of the policy's: those that decide */
};

/* What a pair may read about patients, each as a SELECT of one column: whose a row is. */
struct reach_pair {
    struct pair *pair;
    const char **selects;
    const struct catalog_relation **relations; /* of each */
    size_t count, cap, relation_cap;
    struct reach_other *others;
    size_t other_count, other_cap;
    bool session;     /* what the client says decides: its address, a patient, a reason */
    bool *attributes; /* of the policy's: those that decide, of any relation */
};

/* What a person did as one pair. */
struct reach_part {
    const struct person_use *use;
    const struct reach_pair *pair;
    const char **seen; /* of each relation, an array literal */
    struct map *base;  /* "table patient" of those seen that are in reach; NULL: not counted */
    struct reach *told;
};

struct reach_person {
    const struct policy_user *user;
    struct reach_part *parts;
    size_t count, cap;
};

struct reaching {
    struct minimise *minimise;
    PGconn *conn;
    const struct catalog *catalog;
    const char *owner;         /* in whose name rows are read */
    struct reach_pair **pairs; /* by minimise->pairs; NULL: not asked for yet */
    void (*tick)(size_t done, size_t total, void *context);
    void *context;
};

/* minimise->why says of whom; ERR_UPSTREAM. */
NODISCARD enum status reach_failed(struct reaching *reaching, const struct person_use *use);
/* NULL: it failed. */
PGresult *reach_ask(struct reaching *reaching, const char *sql, const char *const *values,
                    int count);
NODISCARD enum status reach_pair_of(struct reaching *reaching, struct pair *of,
                                    struct reach_pair **found);
/* The placeholders' settings, as a server connection of the user has them. */
bool reach_become(struct reaching *reaching, const struct policy_user *user);
/* Patients in reach, each once. */
NODISCARD enum status reach_count(struct reaching *reaching, const struct person_use *use,
                                  const struct reach_pair *pair, uint64_t *patients);

/* minimise_spare.c: adds the values of the person's attributes that nothing she saw needs, to
 * minimise->spares. In her transaction. */
NODISCARD enum status reach_spares(struct reaching *reaching, const struct reach_person *person);

#endif
