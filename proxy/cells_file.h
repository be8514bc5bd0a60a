/*
 * cells_file.h: the file that a person's answers are kept in. Private to cells.c.
 */
#ifndef PGVIGIL_PROXY_CELLS_FILE_H
#define PGVIGIL_PROXY_CELLS_FILE_H

#include "proxy/cells_state.h"

/* <directory>/aggregate-<hash of the key>.cells; NULL: no memory. */
char *cells_file_path(const char *directory, const char *key, size_t len);
/* No file is an empty state. ERR_IO, ERR_INVALID (damaged), logged; ERR_MEMORY. */
NODISCARD enum status cells_file_read(const char *path, struct cells_state *state);
/* Whole, under another name first. ERR_IO, logged; ERR_MEMORY. */
NODISCARD enum status cells_file_write(const char *path, const struct cells_state *state,
                                       bool sync);

#endif
