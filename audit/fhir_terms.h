/*
 * fhir_terms.h: the words that FHIR, DICOM and HL7 have for what stands in the trail.
 *
 * Codes and displays are those of the published code systems (DICOM PS3.16 annex D, HL7
 * terminology); what they have no word for gets one of ours, beside the nearest of theirs.
 */
#ifndef PGVIGIL_AUDIT_FHIR_TERMS_H
#define PGVIGIL_AUDIT_FHIR_TERMS_H

#include <jansson.h>
#include <stdbool.h>

#define FHIR_DCM           "http://dicom.nema.org/resources/ontology/DCM"
#define FHIR_ENTITY_TYPE   "http://terminology.hl7.org/CodeSystem/audit-entity-type"
#define FHIR_OBJECT_ROLE   "http://terminology.hl7.org/CodeSystem/object-role"
#define FHIR_SOURCE_TYPE   "http://terminology.hl7.org/CodeSystem/security-source-type"
#define FHIR_ACT_REASON    "http://terminology.hl7.org/CodeSystem/v3-ActReason"
#define FHIR_PARTICIPATION "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
#define FHIR_OUR_STATEMENT "urn:pgvigil:statement" /* SELECT, BEGIN...: a record's `statement` */
#define FHIR_OUR_EVENT     "urn:pgvigil:event"     /* connect, mission...: a record's `event` */
#define FHIR_OUR_ROLE      "urn:pgvigil:role"      /* the policy's */
#define FHIR_OUR_DATABASE  "urn:pgvigil:database"  /* the configuration's */

struct fhir_code {
    const char *system;
    const char *code;
    const char *display; /* or NULL */
};

/* What a record is in AuditEvent.type, .subtype and .action. */
struct fhir_class {
    struct fhir_code type;
    struct fhir_code subtype; /* code NULL: DICOM has none */
    const char *action;       /* C, R, U, D, E */
    const char *outcome;      /* of an event: "0", "4", "8"; NULL: the record's outcome tells */
};

/* Of a record of type event, recovery, or one that this version does not know. */
struct fhir_class fhir_event_class(const json_t *record);
/* Of a whole or begin record. */
struct fhir_class fhir_statement_class(const json_t *record);
/* "0", "4", "8": PostgreSQL's error code, or NULL for success. */
const char *fhir_sqlstate_outcome(const char *sqlstate);
/* A code of the value set v3-PurposeOfUse (HL7 terminology). */
bool fhir_purpose_known(const char *code);

/* Texts of outcomeDesc, in the languages that auditors read. */
enum fhir_lang { FHIR_EN, FHIR_FR, FHIR_LANGS };
enum fhir_text {
    FHIR_REFUSED,
    FHIR_ERROR,
    FHIR_UNFINISHED,
    FHIR_DIED,
    FHIR_RUNNING,
    FHIR_OBSERVED,
    FHIR_TEXTS
};
const char *fhir_text(enum fhir_text text, enum fhir_lang lang);
/* "en", "fr". */
const char *fhir_lang_code(enum fhir_lang lang);

#endif
