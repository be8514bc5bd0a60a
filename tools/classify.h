/*
 * classify.h: a category for a column, from its name and its values, with what speaks for it.
 *
 * Values decide when nine in ten of at least fifty say the same and enough of them are different;
 * what values cannot tell apart needs the name as well; a name alone is little, and said to be.
 */
#ifndef PGVIGIL_TOOLS_CLASSIFY_H
#define PGVIGIL_TOOLS_CLASSIFY_H

#include "tools/detect.h"
#include "tools/traits.h"
#include "tools/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>

#define CLASSIFY_VALUES 50

enum confidence { CONFIDENCE_NONE = 0, CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH };

enum grounds {
    GROUNDS_NONE = 0,
    GROUNDS_VALUES,          /* the values alone */
    GROUNDS_VALUES_AND_NAME, /* both */
    GROUNDS_NAME,            /* the name alone */
    GROUNDS_NAME_FEW,        /* the name; too few values, or too few different ones, to tell */
    GROUNDS_KEY,             /* it numbers rows, or points to them */
    GROUNDS_CONTAINS,        /* longer text that holds identifiers */
    GROUNDS_CONTRADICTED     /* the name says what the values are not: to be classified */
};

struct finding {
    enum category category;
    enum confidence confidence;
    enum grounds grounds;
    enum kind kind; /* of values; KIND_NONE where only the name speaks */
    struct hit hit; /* of the name */
};

/* Of a column, as far as it is needed here. */
struct subject_matter {
    const char *table;
    const char *name;
    enum value_class class;
    bool key; /* in a primary or foreign key */
    const struct traits *traits;
    enum table_about about; /* the table */
    bool linked;            /* its rows are somebody's, or are persons */
    bool medical;           /* it has other columns that are medical beyond doubt */
};

struct finding classify(const struct subject_matter *matter);

#endif
