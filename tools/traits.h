/*
 * traits.h: what the values of one column are like, as counts.
 *
 * Different values are judged once each and counted as often as they come: how many different valid
 * ones there are is what keeps a constant from looking like proof.
 */
#ifndef PGVIGIL_TOOLS_TRAITS_H
#define PGVIGIL_TOOLS_TRAITS_H

#include "tools/detect.h"

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

struct traits {
    size_t values; /* neither NULL nor blank */
    size_t distinct;
    size_t valid[KIND_COUNT];
    size_t distinct_valid[KIND_COUNT];
    size_t holds[HOLDS_COUNT];
    size_t prose;
    size_t name_like; /* letters only, as a name */
    size_t holding;   /* prose or documents that hold any identifier */
    bool ordered;     /* they only rise, or only fall */
    int first_year;   /* of dates; 0: none */
    int last_year;
};

struct traits_work;
/* NULL when out of memory. */
struct traits_work *traits_begin(enum value_class class);
/* The value is copied, and forgotten by traits_end. */
NODISCARD enum status traits_add(struct traits_work *work, const char *value, size_t len);
/* Takes `work`, also NULL. */
NODISCARD enum status traits_end(struct traits_work *work, int today, struct traits *traits);

#endif
