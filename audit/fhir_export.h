/*
 * fhir_export.h: a directory's records as FHIR resources, one JSON object a line.
 *
 * Reads the trail once, chain by chain, and disturbs nobody: no lock, no write. What is open at the
 * end is exported too, with what is known of it. Memory follows the statements that are open at
 * once, and the patients of the one in hand, not the trail.
 */
#ifndef PGVIGIL_AUDIT_FHIR_EXPORT_H
#define PGVIGIL_AUDIT_FHIR_EXPORT_H

#include "fhir.h"
#include "query.h"

#include <pgvigil/status.h>
#include <stdint.h>
#include <stdio.h>

/* What of a record cannot be exported; line 0: the file as a whole. */
typedef void fhir_problem_fn(const char *file, uint64_t line, const char *what, void *context);
typedef void fhir_progress_fn(uint64_t done, uint64_t total, void *context);

struct fhir_export {
    const char *directory;
    const struct query *period; /* prepared; only its from and to count */
    const char *patient;        /* only hers; NULL: everyone's, and what is about nobody */
    const char *after;          /* a position that an earlier export told, or NULL */
    unsigned bundle; /* resources in a transaction Bundle; 0: no Bundles, a resource a line */
    struct fhir_options fhir;
    fhir_problem_fn *on_problem;
    fhir_progress_fn *on_progress;
    void *context;
};

struct fhir_exported {
    uint64_t files;
    uint64_t records; /* those that resources were made of */
    uint64_t resources;
    uint64_t problems;
    uint64_t no_end; /* statements without an end so far: the next export has them again */
    char *position;  /* owned by the caller: "0:1234,1:88+70": chain, last line, open statements */
};

/* ERR_INVALID: `after` is no position. ERR_IO (errno): the directory, a temporary file or `out`.
 * ERR_MEMORY. `why`: which of them, in a few words. */
NODISCARD enum status fhir_export_run(const struct fhir_export *export, FILE *out,
                                      struct fhir_exported *result, const char **why);

#endif
