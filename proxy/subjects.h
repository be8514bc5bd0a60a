/*
 * subjects.h: whose rows are on their way to the client.
 *
 * The rows of a statement whose verdict carries subjects begin with them (judge.h: `subjects`).
 * They are taken off here, and kept until the record that covers the rows is made. Each is kept
 * once, numbers as numbers: a ward's patients are mostly runs of them.
 *
 * One statement's at a time: a session has one, from its first such row to its record. One thread.
 */
#ifndef PGVIGIL_PROXY_SUBJECTS_H
#define PGVIGIL_PROXY_SUBJECTS_H

#include <pgvigil/audit.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one record names; more of them take a record more. */
#define SUBJECTS_RECORD_MAX ((size_t)10000)

/* How the rows of a statement begin. */
struct subjects_shape {
    size_t count;
    uint32_t lists; /* bit by bit, those columns that hold a group's (judge.h: `subject_lists`) */
};

struct subjects;

struct subjects *subjects_new(void);            /* NULL when out of memory */
void subjects_free(struct subjects *subjects);  /* accepts NULL */
void subjects_clear(struct subjects *subjects); /* what it held is not kept */

/* A subject as PostgreSQL writes it. ERR_MEMORY. */
NODISCARD enum status subjects_add(struct subjects *subjects, const void *text, size_t len);
/*
 * A group's: PostgreSQL's text form of an array of texts ({7,"a b",NULL}), several of them one
 * behind the other, or "!" in the place of one that the policy's bound left out. Written over.
 * ERR_PROTOCOL: it is none. ERR_MEMORY.
 */
NODISCARD enum status subjects_add_list(struct subjects *subjects, char *text, size_t len);
/* Those of `from` too. ERR_MEMORY. */
NODISCARD enum status subjects_merge(struct subjects *subjects, struct subjects *from);
/* Was one left out since they were cleared? */
bool subjects_over(const struct subjects *subjects);
/* As many as a record names. */
bool subjects_full(struct subjects *subjects);
/* Sorted, each once; borrowed until the next call. */
void subjects_list(struct subjects *subjects, struct audit_patients *out);
/* What one record names of `rest`, which loses it. */
struct audit_patients subjects_part(struct audit_patients *rest);

/* Are the first columns of a DataRow there as a whole, of whose body `len` bytes are? */
bool subjects_are_in(struct subjects_shape shape, const unsigned char *body, size_t len);
/*
 * Takes the first columns off a DataRow's body, in place: *body and *len become those of
 * the row that the client asked for. A NULL is nobody (an outer join). `subjects` NULL: they are
 * not kept. ERR_PROTOCOL: the row has not as many, whole, within *len. ERR_MEMORY.
 */
NODISCARD enum status subjects_take(struct subjects *subjects, struct subjects_shape shape,
                                    unsigned char **body, size_t *len);
/* The same of a RowDescription, of as many as are called as judge() calls them; no client may call
 * a column so. *left: how many others there are. ERR_PROTOCOL. */
NODISCARD enum status subjects_undescribe(unsigned char **body, size_t *len, size_t *count,
                                          size_t *left);

#endif
