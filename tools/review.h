/*
 * review.h: who used which right, and when, by the trail.
 */
#ifndef PGVIGIL_TOOLS_REVIEW_H
#define PGVIGIL_TOOLS_REVIEW_H

#include <jansson.h>
#include <pgvigil/arena.h>
#include <pgvigil/map.h>
#include <pgvigil/status.h>
#include <stdint.h>

struct review_use {
    const char *name;
    uint64_t statements;
    uint64_t refused;
    char first[28], last[28];
};

/* A login that acts for others is used by its name as the login, everybody else as the person. */
enum review_as { REVIEW_PERSON, REVIEW_LOGIN, REVIEW_VIEWS };

struct review {
    struct arena *arena;
    struct review_view {
        struct map *whole;  /* name -> struct review_use */
        struct map *rights; /* name, role, mission -> struct review_use */
    } views[REVIEW_VIEWS];
    uint64_t records;
    char first[28], last[28]; /* of what was read of the trail */
};

NODISCARD enum status review_start(struct review *review);
void review_end(struct review *review);
/* An answer of the search. ERR_LIMIT: there are too many people. */
NODISCARD enum status review_add(struct review *review, const json_t *answer);
/* NULL: never. */
const struct review_use *review_whole(const struct review *review, enum review_as as,
                                      const char *name);
const struct review_use *review_right(const struct review *review, enum review_as as,
                                      const char *name, const char *role, const char *mission);

#endif
