/*
 * fhir_string.h: what FHIR R4 calls a string, a code and an id.
 */
#ifndef PGVIGIL_AUDIT_FHIR_STRING_H
#define PGVIGIL_AUDIT_FHIR_STRING_H

#include <jansson.h>
#include <stdbool.h>

/*
 * The text as a FHIR string ("[ \r\n\t\S]+" in its schema, where \S is no Unicode white space):
 * control characters become U+FFFD, other spaces U+0020. NULL for no text, for one of spaces alone,
 * which FHIR does not allow either, and when out of memory.
 */
json_t *fhir_string(const char *text);
/* No white space at its ends, single spaces inside. */
bool fhir_is_code(const char *text);
/* A resource's id: 1 to 64 letters, digits, "-" and ".". */
bool fhir_is_id(const char *text);

#endif
