/*
 * audit_filter.c: filters as options, progress and damage (see audit_filter.h).
 */
#include "tools/audit_filter.h"
#include "tools/audit_cells.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define DAMAGES_TOLD 20U

void audit_filter_options(struct query *query, struct cli_option *options)
{
    const struct cli_option rows[AUDIT_FILTER_OPTIONS] = {
        {0, "patient", "ID",
         "statements whose rows were about this patient, and glasses broken for it",
         &query->patient, NULL},
        {0, "inexact", NULL, "with --patient: also those whose list of patients is not exact", NULL,
         &query->inexact},
        {0, "user", "NAME", "the person", &query->text[QUERY_USER], NULL},
        {0, "login", "NAME", "the login that carried the connection", &query->text[QUERY_LOGIN],
         NULL},
        {0, "role", "NAME", NULL, &query->text[QUERY_ROLE], NULL},
        {0, "mission", "NAME", NULL, &query->text[QUERY_MISSION], NULL},
        {0, "database", "NAME", NULL, &query->text[QUERY_DATABASE], NULL},
        {0, "table", "NAME", "a relation, with or without its schema; * and ? stand for others",
         &query->table, NULL},
        {0, "column", "NAME", "shown, masked or written; of --table where that is given",
         &query->column, NULL},
        {0, "from", "TIME", "UTC: 2026, 2026-01, 2026-01-31, 2026-01-31T12:00...", &query->from,
         NULL},
        {0, "to", "TIME", "the same; all of it is in: --to 2026-01 ends with January", &query->to,
         NULL},
        {0, "decision", "WORD", "allow or deny", &query->text[QUERY_DECISION], NULL},
        {0, "break-glass", NULL, "only under a break-glass mission", NULL, &query->break_glass},
        {0, "address", "TEXT", "the client's", &query->text[QUERY_ADDRESS], NULL},
        {0, "application", "NAME", NULL, &query->text[QUERY_APPLICATION], NULL},
        {0, "statement", "KIND", "SELECT, UPDATE, COPY...", &query->text[QUERY_STATEMENT], NULL},
        {0, "event", "WORD", "connect, mission, break-glass-begin, audit-read...",
         &query->text[QUERY_EVENT], NULL},
        {0, "sqlstate", "CODE", "statements that ended with this error",
         &query->text[QUERY_SQLSTATE], NULL},
    };
    memcpy(options, rows, sizeof rows);
    for (size_t i = 0; i < AUDIT_FILTER_OPTIONS; i++) {
        if (!options[i].help)
            options[i].help = "as the record has it";
    }
}

void audit_index_options(struct audit_index *index, struct cli_option *options)
{
    options[0] = (struct cli_option){0,
                                     "index",
                                     "DIRECTORY",
                                     "where the indexes are; default: beside the files",
                                     &index->directory,
                                     NULL};
    options[1] = (struct cli_option){0, "no-index", NULL, "read everything", NULL, &index->off};
}

static void on_damage(const char *file, uint64_t line, const char *what, void *context)
{
    struct audit_teller *teller = context;
    if (++teller->told > DAMAGES_TOLD)
        return;
    progress_clear(&teller->progress);
    if (line)
        (void)fprintf(stderr, "%s:%" PRIu64 ": %s\n", file, line, what);
    else
        (void)fprintf(stderr, "%s: %s\n", file, what);
}

static void on_index(const char *file, const char *what, void *context)
{
    struct audit_teller *teller = context;
    progress_clear(&teller->progress);
    if (++teller->no_index <= DAMAGES_TOLD)
        (void)fprintf(stderr, "%s: %s: read without it\n", file, what);
}

static void on_progress(uint64_t done, uint64_t total, void *context)
{
    progress_draw(&((struct audit_teller *)context)->progress, done, total);
}

void audit_teller_events(struct audit_teller *teller, struct search_events *events)
{
    *teller = (struct audit_teller){.told = 0};
    progress_begin(&teller->progress);
    *events = (struct search_events){on_damage, on_index, on_progress, teller};
}

int audit_teller_end(struct audit_teller *teller, const struct cli_command *command,
                     const struct search_counts *counts)
{
    progress_clear(&teller->progress);
    if (counts->headless)
        (void)cli_fail(command, 0,
                       "of %" PRIu64
                       " statement(s) the begin is not in these files: their role and "
                       "relations are not known",
                       counts->headless);
    if (counts->twice)
        (void)cli_fail(command, 0,
                       "%" PRIu64
                       " compressed file(s) stand beside the plain one: only that was read",
                       counts->twice);
    if (!counts->damaged)
        return CLI_FINE;
    return cli_fail(command, CLI_CANNOT,
                    "%" PRIu64
                    " line(s) or part(s) of the trail could not be read: what is found may "
                    "not be all (pgvigil audit verify tells more)",
                    counts->damaged);
}

void audit_tell_absent(const struct cli_command *command, const char *directory)
{
    unsigned count = 0;
    unsigned first = 0;
    /* What cannot be listed is told by whoever reads it. */
    if (audit_absent(directory, &count, &first) == OK && count > 0)
        (void)cli_fail(command, 0,
                       "of %u chain(s) no file is there, of chain %u to begin with (audit-%u-*): "
                       "what is found is not all (pgvigil audit verify tells more)",
                       count, first, first);
}

int audit_search_open(const struct cli_command *command, const char *directory,
                      const struct audit_index *index, const struct query *query,
                      const struct search_events *events, struct search **search)
{
    errno = 0;
    enum status status =
        search_open(directory, index->directory, !index->off, query, events, search);
    if (status == OK) {
        audit_tell_absent(command, directory);
        return CLI_FINE;
    }
    if (status == CLOSED)
        return cli_fail(command, CLI_CANNOT, "%s holds no audit file", directory);
    return cli_fail(command, CLI_CANNOT, "%s: %s", directory,
                    status == ERR_IO && errno ? strerror(errno) : status_name(status));
}
