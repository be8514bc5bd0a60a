/*
 * command.h: statements that pgvigil answers itself: SET, RESET and SHOW of its own settings and of
 * the search path, application_name, DEALLOCATE, DISCARD ALL.
 *
 * They mean inside a transaction what PostgreSQL's own settings mean there (mission.h).
 */
#ifndef PGVIGIL_PROXY_COMMAND_H
#define PGVIGIL_PROXY_COMMAND_H

#include "proxy/query.h"

/* Whether a judged statement is pgvigil's to answer in this session. */
bool command_is_local(const struct session *session, const struct verdict_statement *statement);
/* Its result columns: RowDescription (SHOW) or NoData. */
void command_describe(const struct verdict_statement *statement, struct buf *out);

struct command {
    const struct verdict_statement *statement;
    bool extended;
    bool several;        /* of a text with more than one statement, which is a transaction block */
    struct arena *arena; /* for the texts of a refusal */
};
/* Does it and appends its answer up to CommandComplete. Every earlier request must be answered.
 * DENIED with *refusal set: nothing was changed. ERR_MEMORY, ERR_AUDIT. */
NODISCARD enum status command_run(struct session *session, const struct command *command,
                                  struct buf *out, struct refusal *refusal);

#endif
