/*
 * packing.h: the thread that compresses the trail's closed files while pgvigil serves.
 *
 * It looks once a minute. Its priority is the lowest, it takes no lock that a worker takes, and
 * when it fails nothing but disk space is lost: the files stay as they are, and the log says so.
 */
#ifndef PGVIGIL_PROXY_PACKING_H
#define PGVIGIL_PROXY_PACKING_H

#include <pgvigil/status.h>

struct packing;

/* Borrows the directory's name. ERR_MEMORY. */
NODISCARD enum status packing_start(const char *directory, struct packing **packing);
/* Ends what is under way, joins. Accepts NULL. */
void packing_stop(struct packing *packing);

#endif
