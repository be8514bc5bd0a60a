/*
 * rights_trail.h: what the trail knows of pgvigil's register of rights (rights_register.h).
 *
 * A chain shows what was changed within it, never that its end was cut off: the entries that are
 * left fit together. But each change has its number and hash in the trail, which is another chain,
 * in another place: what it tells of must be in the register.
 */
#ifndef PGVIGIL_TOOLS_RIGHTS_TRAIL_H
#define PGVIGIL_TOOLS_RIGHTS_TRAIL_H

#include "tools/cli.h"
#include "tools/rights_register.h"

#include <pgvigil/arena.h>

struct rights_trail;

/* Reads the trail of the configuration for changes of this database's register, before the register
 * is read. Stands in `arena`. CLI_FINE, or told. */
int rights_trail_read(const struct cli_command *command, const struct config *config,
                      const char *database, struct arena *arena, struct rights_trail **trail);
/* Whoever was changing the register when the trail was read is done: what it tells of is committed,
 * or never will be. ERR_UPSTREAM, a sentence in `why`. */
NODISCARD enum status rights_trail_wait(PGconn *conn, struct buf *why);
/* One entry of the register; for rights_verify. `context`: the trail. */
void rights_trail_entry(uint64_t seq, const char *sha256, void *context);
/* After all entries: what does not fit. `later`: the trail as it was read after the register, or
 * `trail` itself; an entry made, or told to be undone, in between is no finding. How many. */
uint64_t rights_trail_compare(const struct rights_trail *trail, const struct rights_trail *later,
                              rights_finding_fn *tell, void *context);
/* False: it tells of no change; whether the register's end is there cannot be said. */
bool rights_trail_knows(const struct rights_trail *trail);

#endif
