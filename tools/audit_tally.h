/*
 * audit_tally.h: reports over the trail: records counted in groups, as a table.
 *
 * A kind of report says which columns its table has and puts each answer of the search into a
 * group; what a group counts and gathers is the same for all. A table is text, CSV or JSON, its
 * headings and words English or French (JSON's keys are the same in both). Groups are bounded: a
 * report that has more says so instead of taking all memory.
 */
#ifndef PGVIGIL_TOOLS_AUDIT_TALLY_H
#define PGVIGIL_TOOLS_AUDIT_TALLY_H

#include "audit/query.h"
#include "tools/audit_print.h"
#include "tools/cli.h"

#include <pgvigil/arena.h>
#include <pgvigil/config.h>
#include <pgvigil/map.h>
#include <pgvigil/status.h>
#include <stdio.h>

enum tally_lang { TALLY_EN, TALLY_FR, TALLY_LANGS };

#define TALLY_CELLS   9U
#define TALLY_NUMBERS 5U
#define TALLY_SETS    2U

/* What stands in a column: a cell, a number, a set of names, or when the group began and ended. */
enum tally_source { TALLY_CELL, TALLY_NUMBER, TALLY_SET, TALLY_FIRST, TALLY_LAST };

struct tally_column {
    const char *key; /* in JSON */
    const char *heading[TALLY_LANGS];
    enum tally_source source;
    unsigned index; /* of the cell, number or set */
};

struct tally_names {
    const char **items; /* in the arena */
    size_t count;
    size_t cap;
};

struct tally_group {
    const char *cells[TALLY_CELLS]; /* NULL: empty */
    uint64_t numbers[TALLY_NUMBERS];
    struct tally_names sets[TALLY_SETS];
    char first[28];
    char last[28];
};

struct tally;

struct tally_kind {
    const char *name;
    const char *about; /* for --help */
    const char *title[TALLY_LANGS];
    const char *note[TALLY_LANGS]; /* what it does not say, or NULL */
    const struct tally_column *columns;
    size_t column_count;
    bool by_count; /* the largest first number first; else the earliest */
    bool needs_patient, needs_user, needs_policy;
    bool needs_staff;      /* of the host's: organisation.hosting.staff */
    const char *either[3]; /* see query.h */
    enum status (*add)(struct tally *tally, const json_t *answer);
    enum status (*finish)(struct tally *tally); /* or NULL */
};

struct tally {
    const struct tally_kind *kind;
    enum tally_lang lang;
    const struct query *query;
    struct arena *arena;
    struct map *groups;
    struct map *members; /* of sets */
    struct map *open;    /* a kind's own */
    struct tally_group **list;
    size_t count;
    size_t cap;
    uint64_t records;
    char first[28], last[28]; /* of all records */
    const struct policy *policy;
    const struct catalog *catalog;
    const struct config *config; /* with needs_staff */
};

NODISCARD enum status tally_start(struct tally *tally);
void tally_end(struct tally *tally);
/* The group of these cells (by all that are not NULL), made if it is not there. NULL: no memory, or
 * too many. The cells are copied. */
struct tally_group *tally_group(struct tally *tally, const char *const cells[TALLY_CELLS]);
/* One that is not to be found again by its cells. */
struct tally_group *tally_new_group(struct tally *tally);
/* The records' time counts into the group's first and last. */
void tally_time(struct tally_group *group, const char *time);
/* Adds a name to a set, once; of more than a bound only the first are kept, and "...". */
NODISCARD enum status tally_name(struct tally *tally, struct tally_group *group, unsigned set,
                                 const char *name);
/* Adds the relations of an answer. */
NODISCARD enum status tally_relations(struct tally *tally, struct tally_group *group, unsigned set,
                                      const json_t *answer);
const char *tally_text(const json_t *answer, const char *key); /* NULL: it is not there */
const char *tally_yes(const struct tally *tally, bool yes);    /* NULL: no */

void tally_print(struct tally *tally, enum audit_format format, FILE *out);

/* The kinds, in the order of --help; NULL: there are no more. */
const struct tally_kind *tally_kind_at(size_t index);
extern const struct tally_kind tally_grants;

#endif
