/*
 * fhir.h: a record of the trail as FHIR R4 (4.0.1) AuditEvent resources.
 *
 * A resource for each patient of the record, or one without a patient where none is known. Their
 * ids are made of the hash of the record's line, the one that the next line holds as "prev", and
 * the patient's place in it: the same record gives the same ids whenever it is exported, and each
 * resource can be traced back to its line.
 *
 * What FHIR allows in a string is less than what a record may hold: control characters become
 * U+FFFD, Unicode's other spaces plain ones, a text of spaces alone is left out.
 */
#ifndef PGVIGIL_AUDIT_FHIR_H
#define PGVIGIL_AUDIT_FHIR_H

#include "fhir_terms.h"

#include <jansson.h>
#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdint.h>

/* Borrowed; NULL texts are left out. */
struct fhir_options {
    const char *patient_system;    /* a URI: of the identifiers that subjects are */
    const char *patient_reference; /* "Patient/": a reference is made of it and the subject */
    const char *user_system;       /* a URI: of people's names */
    const char *site;              /* AuditEvent.source.site */
    enum fhir_lang lang;           /* of outcomeDesc */
};

enum fhir_end {
    FHIR_ENDED,  /* a whole record, an event, or a begin record with its end */
    FHIR_CUT,    /* a begin record whose end will never come: the server was started anew since */
    FHIR_NO_END, /* a begin record without an end so far */
};

struct fhir_record {
    const json_t *record; /* whole, begin, event, or another with the four first fields */
    const json_t *end;    /* of a begin record: the record with its outcome, or NULL */
    enum fhir_end how;
    unsigned chain;
    const char *hash; /* of the record's line, 64 hex digits */
    uint64_t rows;    /* without an end: released, as the last more record says */
    bool aggregate;   /* the subjects are not exactly the rows' */
};

/* What the resources of one record have in common. */
struct fhir_event {
    char *head;     /* owned: members before "entity", without braces */
    char *entities; /* owned: all but the patient's, with a comma before each; may be "" */
    char *claimed; /* owned, or NULL: the patient that the person has named: she broke the glass for
                      her, or asked the trail about her */
    const char *hash;
    bool aggregate;
};

/* ERR_MEMORY, ERR_INVALID (not a record of ours). */
NODISCARD enum status fhir_event_make(const struct fhir_options *options,
                                      const struct fhir_record *record, struct fhir_event *event);
void fhir_event_free(struct fhir_event *event);
/* Appends one resource, without a line end. `number`: the patient's place in the record, from 0;
 * `patient` NULL: none is known. ERR_MEMORY. */
NODISCARD enum status fhir_event_write(const struct fhir_options *options,
                                       const struct fhir_event *event, const char *patient,
                                       uint64_t number, struct buf *out);
/* The id of that resource. */
#define FHIR_ID_MAX 65U
void fhir_event_id(const struct fhir_event *event, uint64_t number, char out[FHIR_ID_MAX]);

#endif
