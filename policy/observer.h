/*
 * observer.h: what statements are observed by. Private to policy/.
 */
#ifndef PGVIGIL_OBSERVER_H
#define PGVIGIL_OBSERVER_H

#include <pgvigil/map.h>
#include <pgvigil/observe.h>

/* Relations that the definition of a view names. */
struct observer_view {
    const struct catalog_relation **reads;
    size_t count;
};

struct observer {
    struct policy *policy;   /* a reference */
    struct catalog *catalog; /* with guards; a reference, as the next */
    struct catalog *opened;  /* the same, where guards hide no column */
    struct map *views;       /* by the relation's OID */
    struct arena *arena;     /* of what `views` holds */
};

/* NULL: not a view, or one whose definition does not parse. */
const struct observer_view *observer_view(const struct observer *observer,
                                          const struct catalog_relation *relation);

#endif
