/*
 * fhir_places.h: where an export stopped, so that the next one goes on there.
 *
 * For each chain the last line that was read, and the statements that had begun before it and not
 * ended: "0:1234,1:88+70+81" is line 1234 of chain 0, and line 88 of chain 1 with the statements of
 * lines 70 and 81 open.
 */
#ifndef PGVIGIL_AUDIT_FHIR_PLACES_H
#define PGVIGIL_AUDIT_FHIR_PLACES_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place {
    unsigned chain;
    uint64_t last;
    uint64_t *open; /* owned */
    size_t open_count;
};

struct places {
    struct place *at; /* owned */
    size_t count;
};

/* ERR_INVALID, ERR_MEMORY: *places is empty. */
NODISCARD enum status places_parse(const char *text, struct places *places);
/* malloc'ed; NULL when out of memory. "" for none. */
char *places_text(const struct places *places);
void places_free(struct places *places);
/* Of the chain, or NULL; borrowed until the next places_add. */
struct place *places_find(const struct places *places, unsigned chain);
/* The chain's, made if it is not there. NULL when out of memory. */
struct place *places_add(struct places *places, unsigned chain);
NODISCARD enum status place_open(struct place *place, uint64_t seq);
bool place_has(const struct place *place, uint64_t seq);

#endif
