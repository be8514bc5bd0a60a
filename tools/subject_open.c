/*
 * subject_open.c: what `pgvigil subject` works on (subject.h).
 *
 * Trust boundary: a DBA's conninfo, for one run. Every step is on record before it shows or changes
 * anything.
 */
#include "tools/subject.h"

#include "proxy/catalog_load.h"
#include "tools/deed.h"
#include "tools/retention.h"

#include <pgvigil/text.h>
#include <stdio.h>
#include <string.h>

int subject_fail(struct subject *subject, enum status status)
{
    if (buf_len(&subject->why) == 0)
        return cli_fail(subject->command, CLI_CANNOT, "%s", status_name(status));
    int code = cli_fail(subject->command, CLI_CANNOT, "%.*s", (int)buf_len(&subject->why),
                        (const char *)buf_head(&subject->why));
    buf_clear(&subject->why);
    return code;
}

static int load(struct subject *subject)
{
    const char *file = subject->doc_options.config_file;
    int code = cli_load_config(file ? file : CLI_DEFAULT_CONFIG, &subject->config, stderr);
    if (code == CLI_FINE)
        code = cli_load_policy(subject->config->policy, &subject->policy, stderr);
    if (code != CLI_FINE)
        return CLI_CANNOT;
    subject->database = cli_database(subject->command, subject->config, subject->database_name);
    if (subject->database == NULL)
        return subject->database_name ? CLI_CANNOT : CLI_USAGE;
    if (!subject->as)
        return cli_fail(subject->command, CLI_USAGE,
                        subject->french ? "il manque --as : la connexion d’un DBA à la base"
                                        : "--as is missing: a DBA's connection to the database");
    return cli_connect_dba(subject->command, subject->database, subject->as, &subject->conn);
}

int subject_open(struct subject *subject, bool records)
{
    buf_init(&subject->why, (size_t)1 << 16);
    subject->arena = arena_new(0);
    if (!subject->arena)
        return cli_fail(subject->command, CLI_CANNOT, "out of memory");
    int code = load(subject);
    if (code != CLI_FINE)
        return code;
    enum status status = OK;
    if (records)
        status =
            catalog_load_conn(subject->conn, subject->policy, &subject->catalog, &subject->why);
    if (records && status == OK)
        status = records_find(subject->policy, subject->catalog, subject->conn, true,
                              subject->arena, &subject->records, &subject->why);
    const struct rows rows = {.conn = subject->conn,
                              .arena = subject->arena,
                              .why = &subject->why,
                              .french = subject->french};
    if (status == OK)
        status = rows_run(&rows, records_settings);
    return status == OK ? CLI_FINE : subject_fail(subject, status);
}

int subject_open_archive(struct subject *subject)
{
    if (!subject->archive_as)
        return CLI_FINE;
    subject->archive = arena_zalloc(subject->arena, 1, sizeof(*subject->archive));
    if (!subject->archive)
        return cli_fail(subject->command, CLI_CANNOT, "out of memory");
    *subject->archive = (struct retention){.command = subject->command,
                                           .config_file = subject->doc_options.config_file,
                                           .database_name = subject->database_name,
                                           .as = subject->as,
                                           .archive_as = subject->archive_as,
                                           .reading = true,
                                           .all = true};
    int code = retention_open(subject->archive);
    return code == CLI_FINE ? retention_check_archive(subject->archive) : code;
}

/* In one table: *found is set (arena) when it has a row of hers. */
static int find_in(struct subject *subject, PGconn *conn, const struct records_table *table,
                   const char *list, const char **found)
{
    const char *sql = arena_printf(subject->arena,
                                   "SELECT (%s)::pg_catalog.text FROM %s WHERE (%s) = ANY (%s) "
                                   "LIMIT 1",
                                   table->subject, table->from, table->subject, list);
    PGresult *result = sql ? PQexec(conn, sql) : NULL;
    int code = CLI_FINE;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        bool form = state && strncmp(state, "22", 2) == 0;
        code = cli_fail(subject->command, form ? CLI_USAGE : CLI_CANNOT,
                        form              ? subject->french
                                                ? "--patient n’est rien que le « subject » de %s puisse être"
                                                : "--patient is nothing that the subject of %s could be"
                        : subject->french ? "%s n’est pas lisible"
                                          : "%s cannot be read",
                        table->told);
    } else if (PQntuples(result) == 1)
        *found = arena_strdup(subject->arena, PQgetvalue(result, 0, 0));
    PQclear(result);
    return code;
}

int subject_look(struct subject *subject, PGconn *conn, const struct records *records,
                 const char **found)
{
    const char *keys[] = {subject->patient};
    *found = NULL;
    if (strlen(subject->patient) > 1000 ||
        !text_is_utf8(subject->patient, strlen(subject->patient)))
        return cli_fail(subject->command, CLI_USAGE,
                        subject->french
                            ? "--patient fait plus de 1000 octets, ou n’est pas en UTF-8"
                            : "--patient is longer than 1000 bytes, or no UTF-8");
    const char *list = records_list(keys, 1, subject->arena);
    int code = list ? CLI_FINE : cli_fail(subject->command, CLI_CANNOT, "out of memory");
    for (size_t i = records->count; code == CLI_FINE && !*found && i-- > 0;)
        code = find_in(subject, conn, &records->tables[i], list, found);
    return code;
}

int subject_find(struct subject *subject)
{
    const char *found = NULL;
    int code = subject_look(subject, subject->conn, &subject->records, &found);
    if (code == CLI_FINE && !found && subject->archive)
        code = subject_look(subject, subject->archive->archive.conn,
                            &subject->archive->archive.records, &found);
    if (code == CLI_FINE && !found && !subject->unknown)
        code = cli_fail(subject->command, CLI_FINDINGS,
                        subject->french ? "il n’y a rien sur le patient %s%s"
                                        : "there is nothing about patient %s%s",
                        subject->patient,
                        subject->archive  ? ""
                        : subject->french ? " (ce qui est archivé est dans les archives)"
                                          : " (what was archived is in the archive)");
    if (found)
        subject->patient = found;
    return code;
}

void subject_close(struct subject *subject)
{
    if (subject->archive)
        retention_close(subject->archive);
    PQfinish(subject->conn);
    catalog_unref(subject->catalog);
    policy_unref(subject->policy);
    config_free(subject->config);
    arena_free(subject->arena);
    buf_free(&subject->why);
}

int subject_record(struct subject *subject, const char *event, const char *patient,
                   const char *detail)
{
    struct deed *deed = NULL;
    int code = deed_open(subject->command, subject->config, subject->database->name, NULL, &deed);
    if (code == CLI_FINE &&
        (deed_append(deed, event, patient, detail) != OK || deed_flush(deed) != OK))
        code = cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "rien n’est fait, puisqu’il n’en resterait pas de trace"
                                        : "nothing is done, since it would leave no record");
    deed_close(deed);
    return code;
}
