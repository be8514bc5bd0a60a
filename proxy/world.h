/*
 * world.h: making a world (see reload.h) from files and databases. Blocks; needs a large stack.
 */
#ifndef PGVIGIL_PROXY_WORLD_H
#define PGVIGIL_PROXY_WORLD_H

#include "proxy/reload.h"

#include <pgvigil/buf.h>

/*
 * `files`: policy and certificates are read again; else only catalogs. What cannot be used is told
 * in `why` (sentences, each with a newline). OK: *world is new (one reference), or NULL when
 * nothing has changed (only without `files`); `why` may name parts that stay as they were.
 * ERR_INVALID: the policy cannot be used (does not load; not deployed while another is in force).
 * ERR_MEMORY. `now` NULL: the first one; databases that cannot be reached or have no guards of this
 * policy are then left without a catalog.
 */
NODISCARD enum status world_make(const struct config *config, struct world *now, bool files,
                                 struct world **world, struct buf *why);

#endif
