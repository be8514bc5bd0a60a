/*
 * copy_subjects.h: whose rows are on their way to the client by COPY TO (judge.h: struct
 * copy_shape).
 *
 * Lines of a COPY whose verdict carries subjects begin with them, written so that no delimiter,
 * quote or escape is in them. They are taken off here: of the line of column names, of rows in text
 * and CSV, of tuples of the binary format.
 */
#ifndef PGVIGIL_PROXY_COPY_SUBJECTS_H
#define PGVIGIL_PROXY_COPY_SUBJECTS_H

#include "proxy/subjects.h"

#include <pgvigil/judge.h>

/* What stands in a CopyData. */
enum copy_data {
    COPY_DATA_ROW,
    COPY_DATA_NAMES, /* the line of column names */
    COPY_DATA_FIRST  /* binary: the file's header, and the first tuple */
};

/* The binary format's file header: "PGCOPY\n\377\r\n\0", flags, the length of its extension, which
 * is always empty (PostgreSQL documentation, COPY, Binary Format). */
#define COPY_BINARY_HEADER ((size_t)19)

/* Is it the trailer of the binary format, behind the last tuple? `first`: the header may stand
 * before it. */
bool copy_is_trailer(bool first, const unsigned char *body, size_t len);

/*
 * Takes the subjects off a CopyData's body, in place: *body and *len become those of the client's.
 * `subjects` NULL: they are not kept. NEED_MORE: the body is not all there, and the subjects are
 * not. ERR_PROTOCOL: there are none. ERR_MEMORY.
 */
NODISCARD enum status copy_take(struct subjects *subjects, struct subjects_shape shape,
                                const struct copy_shape *copy, enum copy_data data,
                                unsigned char **body, size_t *len);

/* Would it find them, of a body of which `len` bytes are there? */
bool copy_are_in(struct subjects_shape shape, const struct copy_shape *copy, enum copy_data data,
                 const unsigned char *body, size_t len);

/* The same of a CopyOutResponse's body, whose number of columns and formats become the client's.
 * ERR_PROTOCOL. */
NODISCARD enum status copy_undescribe(struct subjects_shape shape, unsigned char **body,
                                      size_t *len);

#endif
