/*
 * scrub.h: making what the server says speak of tables, not guards, and say nothing that can hold
 * hidden values.
 *
 * Server text is data that may quote rows: DETAIL, CONTEXT, internal queries and most HINTs are
 * dropped for restricted sessions (an allow-list lets harmless hints through); guard names become
 * the tables'; positions are mapped back to the client's text; source file, line and routine say
 * how the database is reached and are dropped too.
 */
#ifndef PGVIGIL_PROXY_SCRUB_H
#define PGVIGIL_PROXY_SCRUB_H

#include "proxy/statement.h"
#include "proxy/wire.h"

#include <pgvigil/arena.h>

/* For a restricted session: changes the report's fields; texts that are made new are in `arena`.
 * `statement` NULL: a report that belongs to no statement. ERR_MEMORY. */
NODISCARD enum status scrub_report(struct wire_report *report, const struct statement *statement,
                                   struct arena *arena);
/* Guard names in a text -> table names: "pgvigil:..."."public.t" and, `views`, "public.t" in
 * quotes. In the arena; NULL: no memory. */
const char *scrub_names(const char *text, bool views, struct arena *arena);
/* Rewrites OIDs and column numbers of a RowDescription body in place. */
struct temporary;
NODISCARD enum status scrub_row_description(unsigned char *body, size_t len,
                                            const struct catalog *catalog,
                                            const struct temporary *temporary);

/* What the result stage does with each row; hidden subject columns at its end will be read for the
 * audit and stripped. */
struct row_plan {
    size_t strip; /* columns at the end that the client does not see; 0 for now */
};

#endif
