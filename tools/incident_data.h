/*
 * incident_data.h: an incident as a document's data.
 */
#ifndef PGVIGIL_TOOLS_INCIDENT_DATA_H
#define PGVIGIL_TOOLS_INCIDENT_DATA_H

#include "tools/doc.h"
#include "tools/incident.h"

/* Article 33 of the GDPR: the controller tells the authority within 72 hours of being aware. */
#define INCIDENT_SECONDS (72L * 3600L)

/* What no file knows and a person must judge; NULL is marked in the document. */
struct incident_said {
    const char *aware;
    const char *nature;
    const char *cause;
    const char *consequences;
    const char *measures;
};

/* Each puts into the document what that form of it needs, and no more: what another form would want
 * to know is not missing in it. `aware` is what --aware means, where it was given. */
void incident_fill_report(const struct doc *doc, struct incident *incident,
                          const struct incident_said *said, time_t aware);
void incident_fill_letter(const struct doc *doc, struct incident *incident,
                          const struct incident_said *said);
void incident_fill_list(const struct doc *doc, struct incident *incident);
/* A line for each patient: number, categories. */
void incident_print_patients(const struct doc *doc, struct incident *incident, FILE *out);

#endif
