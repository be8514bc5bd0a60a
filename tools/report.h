/*
 * report.h: what enforcing would refuse, hide, mask and filter, by application and person.
 *
 * Fed by `pgvigil replay`, case by case, from statements that it judged or from what the trail says
 * was observed. Texts are copied; of each finding one normalised statement is kept as a sample, so
 * no constant is ever here. Application and names of objects are the clients', so there are bounds:
 * what comes after counts for its group, and the report says that it is not told apart.
 */
#ifndef PGVIGIL_TOOLS_REPORT_H
#define PGVIGIL_TOOLS_REPORT_H

#include <jansson.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum report_kind {
    REPORT_REFUSED = 0, /* the whole text */
    REPORT_HIDDEN,      /* columns that * would give, and that are not there */
    REPORT_MASKED,
    REPORT_FILTERED,
    REPORT_KINDS
};

/* NULL: not known. */
struct report_who {
    const char *application;
    const char *user;
    const char *role;
    const char *mission;
};

struct report_finding {
    enum report_kind kind;
    const char *reason;  /* of a refusal: "relation" */
    const char *object;  /* "public.payroll" */
    const char *columns; /* "nir, phone", or NULL */
    const char *hint;    /* the rule or entry to change, or NULL */
};

struct report_case {
    const struct report_finding *findings;
    size_t count;
    const char *sql;  /* normalised, or NULL */
    const char *time; /* or NULL */
};

/* What was read and is not judged. */
struct report_left_out {
    uint64_t broken;    /* lines that are not of the format */
    uint64_t clipped;   /* statements without their whole text */
    uint64_t unparsed;  /* normalised texts that do not read as SQL any more */
    uint64_t elsewhere; /* of other databases */
    uint64_t skipped;   /* of logins that were to be left out */
};

struct report;

struct report *report_new(void); /* NULL when out of memory */
void report_free(struct report *report);
NODISCARD enum status report_add(struct report *report, const struct report_who *who,
                                 const struct report_case *one);
uint64_t report_statements(const struct report *report);
uint64_t report_refused(const struct report *report);

void report_print(struct report *report, const struct report_left_out *left_out, FILE *out);
NODISCARD enum status report_print_json(struct report *report,
                                        const struct report_left_out *left_out, FILE *out);
const char *report_kind_name(enum report_kind kind);
/* A finding as JSON; NULL when out of memory. */
json_t *report_finding_json(const struct report_finding *finding);

/* ---- between the files that do it ---- */

struct report_line {
    struct report_finding finding;
    uint64_t count;
    const char *first, *last; /* times as they were written, or NULL */
    const char *sql;
};

struct report_group {
    struct report_who who;
    uint64_t statements;
    uint64_t counts[REPORT_KINDS]; /* statements, not findings */
    struct report_line **lines;
    size_t line_count, line_cap;
};

/* Most refusals first, then most statements; within a group by kind and count. */
struct report_group *const *report_sorted(struct report *report, size_t *count);
/* Findings that are not told apart. */
uint64_t report_untold(const struct report *report);
void report_span(const struct report *report, const char **first, const char **last);

#endif
