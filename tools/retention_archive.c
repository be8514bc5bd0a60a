/*
 * retention_archive.c: `pgvigil retention archive`: records past their active years go to the
 * archive.
 *
 * A batch of persons at a time: copied, committed there, read back and compared, and only then
 * deleted here. A row is thus never in no place. When the run dies between the two commits the rows
 * are in both: pgvigil_retention.open in the archive names the persons, and the next run either
 * finishes (copying again changes nothing) or, where a record has become active meanwhile, takes
 * the copies away.
 *
 * REPEATABLE READ here: what is deleted is what was copied; a row that comes in meanwhile stays.
 *
 * Trust boundary: both databases are the administrator's. Records pass through unread.
 */
#include "tools/deed.h"
#include "tools/retention.h"
#include "tools/rule.h"
#include "tools/toll.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct move {
    struct retention *retention;
    struct rows from, to;
    size_t *places; /* of each table here, the index there */
    uint64_t moved, rows;
    struct rows_ties tied;
};

/* Every table has its like in the archive, with the same columns and a key. */
static int match_tables(struct move *move)
{
    const struct records *here = move->from.records;
    const struct records *there = move->to.records;
    const struct cli_command *command = move->retention->command;
    move->places = arena_zalloc(move->retention->arena, here->count + 1, sizeof(*move->places));
    if (!move->places)
        return cli_fail(command, CLI_CANNOT, "out of memory");
    for (size_t i = 0; i < here->count; i++) {
        const struct records_table *table = &here->tables[i];
        size_t k = 0;
        while (k < there->count && strcmp(there->tables[k].told, table->told) != 0)
            k++;
        if (k == there->count)
            return cli_fail(command, CLI_CANNOT,
                            move->retention->french
                                ? "les archives n’ont pas de table %s : créez-la d’après le schéma "
                                  "de la base (pg_dump --schema-only)"
                                : "the archive has no table %s: make it of the database's schema "
                                  "(pg_dump --schema-only)",
                            table->told);
        if (!table->key || !there->tables[k].key || strcmp(table->key, there->tables[k].key) != 0)
            return cli_fail(command, CLI_CANNOT,
                            move->retention->french
                                ? "%s n’a pas de clé primaire, ou en a une autre dans les archives "
                                  ": ses lignes ne se distingueraient pas"
                                : "%s has no primary key, or another one in the archive: its rows "
                                  "could not be told from each other",
                            table->told);
        if (strcmp(table->columns, there->tables[k].columns) != 0)
            return cli_fail(command, CLI_CANNOT,
                            move->retention->french
                                ? "%s a d’autres colonnes dans les archives : %s au lieu de %s"
                                : "%s has other columns in the archive: %s, not %s",
                            table->told, there->tables[k].columns, table->columns);
        move->places[i] = k;
    }
    return CLI_FINE;
}

static enum status copy(struct move *move, const char *const *keys, size_t count, const char *list)
{
    enum status status = rows_run(&move->to, "BEGIN");
    for (size_t i = move->from.records->count; status == OK && i-- > 0;) {
        status = rows_stage(&move->from, &move->to, i, move->places[i], list);
        if (status == OK)
            status = rows_unstage(&move->to, move->places[i], list);
    }
    for (size_t i = 0; status == OK && i < count; i++) {
        const char *one = records_list(&keys[i], 1, move->to.arena);
        status = one == NULL
                     ? ERR_MEMORY
                     : rows_run(&move->to,
                                arena_printf(move->to.arena,
                                             "INSERT INTO " ROWS_SCHEMA ".open (subject) SELECT "
                                             "(%s::pg_catalog.text[])[1] ON CONFLICT DO NOTHING",
                                             one));
    }
    return status;
}

/* What stands in the archive now, read back, is what stands here. */
static enum status compare(struct move *move, const char *list, struct rows_sum *sums)
{
    for (size_t i = 0; i < move->from.records->count; i++) {
        struct rows_sum there = {0};
        enum status status = rows_sum(&move->from, &move->from.records->tables[i], list, &sums[i]);
        if (status == OK)
            status = rows_staged_sum(&move->to, move->places[i], &there);
        if (status != OK)
            return status;
        if (there.count != sums[i].count || strcmp(there.sha256, sums[i].sha256) != 0) {
            buf_printf(
                move->from.why,
                move->retention->french
                    ? "%s : les archives n’ont pas les mêmes lignes (%llu sur %llu) : rien n’est "
                      "supprimé ; un déclencheur les y modifie peut-être (les archives n’en ont "
                      "pas besoin), ou un autre type"
                    : "%s: the archive has not the same rows (%llu of %llu): nothing is deleted; a "
                      "trigger there may change them (the archive needs none), or another type",
                move->from.records->tables[i].told, (unsigned long long)there.count,
                (unsigned long long)sums[i].count);
            return ERR_INVALID;
        }
    }
    return OK;
}

static enum status record(struct move *move, const char *event, const char *detail,
                          const char *const *keys, size_t count)
{
    const struct retention *retention = move->retention;
    struct deed *deed = NULL;
    /* For this moment only: others have something to put on record, too. */
    if (detail == NULL || deed_open(retention->command, retention->config,
                                    retention->database->name, NULL, &deed) != CLI_FINE)
        return ERR_AUDIT;
    enum status status = OK;
    for (size_t i = 0; status == OK && i < count; i++)
        status = deed_append(deed, event, keys[i], detail);
    if (status == OK)
        status = deed_flush(deed);
    deed_close(deed);
    return status;
}

static enum status close_open(struct move *move, const char *list)
{
    enum status status = rows_run(
        &move->to, arena_printf(move->to.arena,
                                "DELETE FROM " ROWS_SCHEMA ".open WHERE subject = ANY (%s)", list));
    return status == OK ? rows_drop_stages(&move->to) : status;
}

/* What stands here goes. What PostgreSQL could refuse is done before it is on record, but for the
 * commit itself. */
static enum status leave(struct move *move, const char *const *keys, size_t count, const char *list,
                         const struct rows_sum *sums)
{
    enum status status = toll_begin(&move->from);
    if (status == OK)
        status = rows_delete(&move->from, list, sums);
    if (status == OK)
        status = rows_check_constraints(&move->from);
    if (status == OK)
        status = toll_check(&move->from, sums);
    char digest[RULE_DIGEST] = "";
    if (status == OK && !rule_digest_of(move->retention->policy, move->from.records, digest))
        status = ERR_MEMORY;
    if (status == OK)
        status = record(
            move, "retention-archive",
            arena_printf(move->from.arena, "moved to the archive with all rows, rule %s", digest),
            keys, count);
    if (status != OK)
        return status;
    status = retention_still(move->retention, list, count, AGE_ARCHIVED);
    if (status == OK)
        status = rows_commit(&move->from);
    if (status != OK && rows_undone(&move->from) &&
        record(move, "retention-archive-undone", "the rows still stand in the database", keys,
               count) != OK)
        (void)cli_fail(move->retention->command, CLI_CANNOT,
                       move->retention->french ? "cela n’est pas dans le journal d’audit"
                                               : "that is not on record");
    return status;
}

static enum status move_locked(struct move *move, const char **keys, size_t count)
{
    const char *list = NULL;
    struct rows_sum *sums =
        arena_zalloc(move->from.arena, move->from.records->count + 1, sizeof(*sums));
    enum status status =
        sums == NULL ? ERR_MEMORY : rows_untie(&move->from, keys, &count, &list, &move->tied);
    if (status != OK || count == 0)
        return status;
    status = copy(move, keys, count, list);
    /* Before it is committed, since --archive may be what it should not; and after, as it stands.
     */
    if (status == OK)
        status = compare(move, list, sums);
    if (status == OK)
        status = rows_run(&move->to, "COMMIT");
    if (status == OK)
        status = compare(move, list, sums);
    if (status == OK)
        status = leave(move, keys, count, list, sums);
    if (status != OK)
        return status;
    move->moved += count;
    for (size_t i = 0; i < move->from.records->count; i++)
        move->rows += sums[i].count;
    return close_open(move, list);
}

static enum status move_once(struct move *move, const char *const *keys, size_t count)
{
    const char **locked = NULL;
    size_t locked_count = 0;
    enum status status = rows_begin(&move->from);
    if (status == OK)
        status = rows_lock(&move->from, AGE_ARCHIVED, keys, count, &locked, &locked_count);
    if (status == OK && locked_count > 0)
        status = move_locked(move, locked, locked_count);
    if (PQtransactionStatus(move->from.conn) != PQTRANS_IDLE)
        (void)!PQresultStatus(PQexec(move->from.conn, "ROLLBACK"));
    if (PQtransactionStatus(move->to.conn) != PQTRANS_IDLE)
        (void)!PQresultStatus(PQexec(move->to.conn, "ROLLBACK"));
    arena_reset(move->from.arena);
    return status;
}

/* A key that refers to somebody who stays: whose, is found by moving them one by one. */
static enum status move_batch(struct move *move, const char *const *keys, size_t count)
{
    enum status status = move_once(move, keys, count);
    if (status != ERR_UPSTREAM || strcmp(move->retention->state, "23503") != 0)
        return status;
    if (count == 1) {
        if (move->tied.left++ == 0)
            (void)snprintf(move->tied.told, sizeof move->tied.told, "%.*s",
                           (int)buf_len(move->from.why), (const char *)buf_head(move->from.why));
        buf_clear(move->from.why);
        return OK;
    }
    buf_clear(move->from.why);
    status = OK;
    for (size_t i = 0; i < count && status == OK; i++)
        status = move_batch(move, keys + i, 1);
    return status;
}

/* ---- what an earlier run left open ---- */

/* Their rows are here and not due: what the archive has of the same rows was a copy. */
static enum status take_back(struct move *move, const char *list)
{
    struct rows_sum *sums =
        arena_zalloc(move->to.arena, move->to.records->count + 1, sizeof(*sums));
    enum status status = sums == NULL ? ERR_MEMORY : OK;
    for (size_t i = move->from.records->count; status == OK && i-- > 0;)
        status = rows_stage(&move->from, &move->to, i, move->places[i], list);
    if (status == OK)
        status = rows_run(&move->to, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    if (status == OK)
        status = toll_begin(&move->to);
    for (size_t i = 0; status == OK && i < move->from.records->count; i++) {
        const struct records_table *there = &move->to.records->tables[move->places[i]];
        status = rows_change(
            &move->to,
            arena_printf(move->to.arena,
                         "DELETE FROM %s WHERE (%s) IN (SELECT %s FROM pg_temp.\"pgvigil %zu\")",
                         there->from, there->key, there->key, move->places[i]),
            &sums[move->places[i]].count);
    }
    if (status == OK)
        status = rows_check_constraints(&move->to);
    if (status == OK)
        status = toll_check(&move->to, sums);
    return status == OK ? rows_commit(&move->to) : status;
}

/* Those of the list whose records here are archived, or are not. */
static enum status open_here(struct move *move, const char *list, const char *is,
                             const char ***keys, size_t *count)
{
    const struct records_table *people = &move->from.records->tables[move->from.records->people];
    const char *reckoned =
        policy_retention_reckoned(move->retention->policy->retention, NULL, move->from.arena);
    return reckoned == NULL
               ? ERR_MEMORY
               : rows_keys(&move->from,
                           arena_printf(move->from.arena,
                                        "SELECT (%s)::pg_catalog.text FROM %s WHERE (%s) = ANY "
                                        "(%s) AND (SELECT w.age FROM %s AS w) %s 'archived'",
                                        people->subject, people->from, people->subject, list,
                                        reckoned, is),
                           keys, count);
}

static enum status settle(struct move *move)
{
    const char **open = NULL;
    const char **again = NULL;
    const char **due = NULL;
    size_t count = 0;
    size_t again_count = 0;
    size_t due_count = 0;
    enum status status =
        rows_keys(&move->to, "SELECT subject FROM " ROWS_SCHEMA ".open ORDER BY 1", &open, &count);
    if (status != OK || count == 0)
        return status;
    const char *list = records_list(open, count, move->to.arena);
    if (list == NULL)
        return ERR_MEMORY;
    status = open_here(move, list, "<>", &again, &again_count);
    if (status == OK)
        status = open_here(move, list, "=", &due, &due_count);
    const char *back = records_list(again, again_count, move->to.arena);
    const char *still = records_list(due, due_count, move->to.arena);
    if (back == NULL || still == NULL)
        return ERR_MEMORY;
    if (status == OK && again_count > 0)
        status = take_back(move, back);
    if (status == ERR_INVALID ||
        (status == ERR_UPSTREAM && strcmp(move->retention->state, "23503") == 0)) {
        /* Older rows of theirs stand on the copies, and would block this or go along by a cascade:
         * the copies stay until these are moved again. */
        buf_clear(move->from.why);
        PQclear(PQexec(move->to.conn, "ROLLBACK"));
        arena_reset(move->from.arena);
        return OK;
    }
    /* Those that are due are copied again, and are closed then. */
    if (status == OK)
        status = rows_run(&move->to, arena_printf(move->to.arena,
                                                  "DELETE FROM " ROWS_SCHEMA
                                                  ".open WHERE subject = ANY (%s) AND NOT "
                                                  "subject = ANY (%s)",
                                                  list, still));
    if (status == OK)
        status = rows_drop_stages(&move->to);
    arena_reset(move->from.arena);
    return status;
}

/* ---- the whole ---- */

static void show_progress(size_t done, size_t count)
{
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "\r%zu of %zu", done, count);
}

static int run(struct move *move, const char **keys, size_t count)
{
    struct retention *retention = move->retention;
    enum status status = rows_prepare(&move->to);
    if (status == OK)
        status = rows_run(&move->from, "SET client_min_messages = warning");
    if (status == OK)
        status = settle(move);
    for (size_t done = 0; status == OK && done < count; done += retention->batch) {
        size_t most = count - done < retention->batch ? count - done : retention->batch;
        show_progress(done, count);
        status = move_batch(move, keys + done, most);
    }
    if (isatty(STDERR_FILENO))
        (void)fputs("\r\033[K", stderr);
    printf(retention->french ? "%llu dossier(s) déplacé(s), avec %llu ligne(s)\n"
                             : "%llu records moved, with %llu rows\n",
           (unsigned long long)move->moved, (unsigned long long)move->rows);
    if (status != OK)
        return retention_fail(retention, status);
    if (move->tied.left == 0)
        return CLI_FINE;
    return cli_fail(
        retention->command, CLI_FINDINGS,
        retention->french
            ? "%llu dossier(s) restent, puisque des lignes qui ne sont pas déplacées s’y "
              "rapportent (%s) : celles de tables sans « subject », de « except » ou d’autres "
              "personnes les retiennent"
            : "%llu records stay, since rows that are not moved belong to theirs (%s): tables "
              "without a \"subject\", those of \"except\", and other persons' hold them",
        (unsigned long long)move->tied.left, move->tied.told);
}

int retention_archive(struct retention *retention)
{
    const char **keys = NULL;
    size_t count = 0;
    if (!retention->archive.conn)
        return cli_fail(retention->command, CLI_USAGE,
                        retention->french
                            ? "il manque --archive : la connexion d’un DBA à la base d’archives"
                            : "--archive is missing: a DBA's connection to the archive database");
    struct move move = {.retention = retention,
                        .from = retention_rows(retention, &retention->live),
                        .to = retention_rows(retention, &retention->archive)};
    int code = match_tables(&move);
    if (code != CLI_FINE)
        return code;
    enum status status = retention_due(retention, &retention->live, AGE_ARCHIVED, &keys, &count);
    if (status != OK)
        return retention_fail(retention, status);
    if (!retention->apply) {
        printf(retention->french
                   ? "%zu dossier(s) à déplacer vers les archives, avec leurs lignes de :\n"
                   : "%zu records would be moved to the archive, with their rows of:\n",
               count);
        for (size_t i = 0; i < retention->live.records.count; i++)
            printf("  %s\n", retention->live.records.tables[i].told);
        unseen_print(retention->live.records.unseen, retention->live.records.unseen_count,
                     retention->french);
        puts(retention->french ? "Rien n’est modifié sans --apply."
                               : "Nothing is changed without --apply.");
        return count > 0 ? CLI_FINDINGS : CLI_FINE;
    }
    code = retention_check_archive(retention);
    if (code == CLI_FINE)
        code = retention_lock(retention);
    if (code == CLI_FINE)
        code = run(&move, keys, count);
    return code;
}
