/*
 * rectification.h: values of a person's rows that are wrong, and what they should be (RGPD,
 * article 16).
 *
 * What the database makes of each is shown before anything is changed, and told apart from what it
 * would make of it later by a word over all of it: `seen`.
 */
#ifndef PGVIGIL_TOOLS_RECTIFICATION_H
#define PGVIGIL_TOOLS_RECTIFICATION_H

#include "tools/subject.h"

#define RECTIFICATION_KEYS 8U /* columns of a primary key, at most */
#define RECTIFICATION_SEEN 17U

struct rectification_change {
    const char *table, *column;
    const char *value;                    /* NULL: none is to be there */
    const char *keys[RECTIFICATION_KEYS]; /* names, beside `key_values`; NULL: of the only column */
    const char *key_values[RECTIFICATION_KEYS];
    size_t key_count;
    /* Resolved. */
    const struct records_table *found;
    const char *row; /* "id=37", for people and for the trail: values only of numbers and uuids */
    /* As the database wrote them: NULL is no value. */
    const char *before, *after;
    const char **stood; /* the whole row before, in the catalog's order of columns */
    const char *others; /* names of columns that changed and nobody asked for; "" */
    const char *id;     /* its number in the trail; NULL: none yet */
};

struct rectification {
    struct rectification_change *changes;
    size_t count;
    char seen[RECTIFICATION_SEEN];
};

/* From --table, --key, --column, --value or --null, or from --changes. CLI_FINE, or told. */
int rectification_read(struct subject *subject, struct rectification *all);
/* Tables, keys and columns that are there and may be changed. */
int rectification_resolve(struct subject *subject, struct rectification *all);
/* Makes the changes in the open transaction of subject->conn (REPEATABLE READ, nothing written
 * yet), and fills before, after, others and seen. Deferred constraints have been asked then. */
int rectification_make(struct subject *subject, struct rectification *all);

#endif
