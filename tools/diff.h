/*
 * diff.h: what one policy gives that another does not.
 *
 * Compared is what comes of the files, not their text: for each pair of role and mission the
 * relations that exist, each column's mask as it takes effect, rows, writes and functions; and
 * people, missions and limits. A rule that moved to another file, a category or a mask with another
 * name and the same effect is no difference.
 *
 * Each item says in which direction it goes. What cannot be told (another condition on rows,
 * another mask in a mask's place, another attribute) is a change: somebody must look at it.
 *
 * Ownership: items and their texts stand in the diff's arena, or in the policies, which must
 * outlive it.
 */
#ifndef PGVIGIL_TOOLS_DIFF_H
#define PGVIGIL_TOOLS_DIFF_H

#include <pgvigil/arena.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum diff_direction {
    DIFF_GAIN = 0, /* somebody may do more */
    DIFF_CHANGE,   /* more for some, perhaps less for others */
    DIFF_LOSS,
    DIFF_OTHER, /* nobody may do more or less: titles, defaults, what the audit says */
    DIFF_DIRECTIONS
};

/* In the order in which they are told. */
enum diff_kind {
    DIFF_UNRESTRICTED = 0, /* of a role */
    DIFF_ROLE,
    DIFF_ROLE_MISSION, /* that a role may take */
    DIFF_RELATION,
    DIFF_COLUMN, /* its mask */
    DIFF_ROWS,   /* their condition */
    DIFF_INSERT,
    DIFF_UPDATE,
    DIFF_DELETE,
    DIFF_TRUNCATE,
    DIFF_CHANNEL, /* of a role */
    DIFF_ALLOW,   /* a word of a role's `allow` */
    DIFF_FUNCTION,
    DIFF_SEQUENCE,
    DIFF_MAX_ROWS, /* of a mission */
    DIFF_ROWS_PER_HOUR,
    DIFF_HOURS,
    DIFF_ADDRESSES,
    DIFF_EXACT_SUBJECTS,
    DIFF_GROUP_SUBJECTS,
    DIFF_AGGREGATE_ONLY,
    DIFF_BREAK_GLASS,
    DIFF_USER,
    DIFF_USER_ROLE,
    DIFF_USER_ATTRIBUTE,
    DIFF_USER_LOGIN, /* how a user logs in */
    DIFF_ATTRIBUTE,  /* its type */
    DIFF_MISSION,    /* title, purpose */
    DIFF_DEFAULT,    /* role of a user, mission of a role */
    DIFF_SUBJECT,    /* of a relation */
    DIFF_CELLS,      /* its dimensions and measures */
    DIFF_KINDS
};

/* NULL where it does not apply. */
struct diff_item {
    enum diff_direction direction;
    enum diff_kind kind;
    const char *role;
    const char *mission;
    const char *user;
    const char *object;   /* relation, function, attribute */
    const char *column;   /* or a pattern of `columns_like` */
    const char *category; /* its category, when all of that category's columns changed alike */
    const char *from;     /* how it was; NULL: not there */
    const char *to;
};

struct diff {
    struct diff_item *items; /* sorted; none twice */
    size_t count;
    size_t cap;
    struct arena *arena;
    bool failed; /* out of memory */
    const struct policy *old;
    const struct policy *new;
    const struct catalog *catalog; /* or NULL: columns are those that the policies name */
};

/* Fills everything behind `arena`, `old`, `new` and `catalog`. ERR_MEMORY. */
NODISCARD enum status diff_make(struct diff *diff);
size_t diff_count(const struct diff *diff, enum diff_direction direction);

/* For people; `only`: gains and changes. */
void diff_print(struct diff *diff, bool only, FILE *out);
/* For machines: every item by itself. ERR_MEMORY. */
NODISCARD enum status diff_print_json(const struct diff *diff, bool only, FILE *out);
const char *diff_kind_name(enum diff_kind kind);
const char *diff_direction_name(enum diff_direction direction);

/* ---- between the files that do it ---- */

void diff_add(struct diff *diff, const struct diff_item *item);
/* The text of an expression as far as it means something: blanks, comments and case of words aside.
 * NULL for NULL and without memory (diff->failed). */
const char *diff_meaning(struct diff *diff, const char *expression);
/* The expression in one line. */
const char *diff_one_line(struct diff *diff, const char *expression);
const char *diff_format(struct diff *diff, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void diff_people(struct diff *diff);
void diff_pairs(struct diff *diff);

/* A set of names in order; each once. */
struct diff_names {
    const char **items;
    size_t count;
    size_t cap;
};
void diff_names_add(struct diff *diff, struct diff_names *names, const char *name);
void diff_names_sort(struct diff_names *names);

#endif
