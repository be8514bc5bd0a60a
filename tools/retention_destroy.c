/*
 * retention_destroy.c: `pgvigil retention destroy`: records whose term has ended are deleted, by
 * two people, with a certificate.
 *
 * The certificate's text is written into the database by the transaction that deletes the rows:
 * rows are gone exactly if it stands there. Its file is made after the commit, and by the next run
 * when this one died in between.
 *
 * Of the archive's records the database that applications use is asked, too: a hold that was made
 * after they were moved, or a patient who has come back, is known only there.
 *
 * Trust boundary: as retention_archive.c. A certificate holds counts and hashes, nobody's name or
 * number.
 */
#include "tools/certificate.h"
#include "tools/deed.h"
#include "tools/retention.h"
#include "tools/rule.h"
#include "tools/toll.h"
#include "tools/two_people.h"

#include <jansson.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct destruction {
    struct retention *retention;
    struct retention_side *side;
    struct rows rows;
    const char *people; /* "anne and paul" */
    struct certificate_folder *folder;
    uint64_t persons, gone;
    struct rows_ties tied;
};

/* ---- the certificate ---- */

static json_t *tables_json(const struct destruction *one, const struct rows_sum *sums)
{
    json_t *tables = json_array();
    for (size_t i = 0; i < one->rows.records->count; i++)
        if (sums[i].count > 0)
            (void)json_array_append_new(
                tables, json_pack("{s:s, s:I, s:s}", "table", one->rows.records->tables[i].told,
                                  "rows", (json_int_t)sums[i].count, "sha256", sums[i].sha256));
    return tables;
}

/* In the arena; NULL: no memory. */
static const char *body_of(const struct destruction *one, const char *id, size_t persons,
                           const struct rows_sum *sums)
{
    const struct retention *retention = one->retention;
    char time_text[CERTIFICATE_TIME];
    char digest[RULE_DIGEST] = "";
    json_t *rule = rule_json(retention->policy, one->rows.records);
    if (!rule_digest(rule, digest) || !certificate_now(time_text)) {
        json_decref(rule);
        return NULL;
    }
    json_t *body = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:[s, s], s:I, s:o, s:o, s:o, s:s, s:s}", "id", id, "what",
        "destruction", "time", time_text, "database", retention->database->name, "where",
        one->side == &retention->live ? "database" : "archive", "by", retention->by,
        retention->and_by, "records", (json_int_t)persons, "tables", tables_json(one, sums),
        "not_looked_at", unseen_json(one->rows.records->unseen, one->rows.records->unseen_count),
        "rule", rule, "rule_sha256", digest, "policy", retention->policy->digest);
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const char *kept = text ? arena_strdup(one->rows.arena, text) : NULL;
    free(text);
    json_decref(body);
    return kept;
}

/* ---- who may go ---- */

/* Of the archive's: those of whom the database knows a hold, a later consultation, or a record.
 * They stand in the temporary table there. */
static enum status kept_by_live(struct destruction *one, const char ***kept, size_t *kept_count)
{
    struct retention *retention = one->retention;
    struct rows live = retention_rows(retention, &retention->live);
    const struct records_table *people = &live.records->tables[live.records->people];
    const char *reckoned =
        policy_retention_reckoned(retention->policy->retention, NULL, live.arena);
    const char *column =
        text_ident(live.arena, retention->policy->retention->people->subject_column);
    if (reckoned == NULL || column == NULL)
        return ERR_MEMORY;
    return rows_keys(&live,
                     arena_printf(live.arena,
                                  "SELECT (%s)::pg_catalog.text FROM pg_temp.\"pgvigil %zu\" AS "
                                  "%s, LATERAL %s AS w\nWHERE w.held OR (w.last IS NOT NULL AND "
                                  "w.age <> 'expired') OR EXISTS (SELECT FROM %s AS \"pgvigil "
                                  "here\" WHERE \"pgvigil here\".%s = (%s))",
                                  people->subject, live.records->people, people->alias, reckoned,
                                  people->name, column, people->subject),
                     kept, kept_count);
}

static enum status ask_live(struct destruction *one, const char **keys, size_t *count)
{
    struct retention *retention = one->retention;
    struct rows live = retention_rows(retention, &retention->live);
    const char **kept = NULL;
    size_t kept_count = 0;
    const char *list = records_list(keys, *count, live.arena);
    if (list == NULL)
        return ERR_MEMORY;
    enum status status =
        rows_stage(&one->rows, &live, one->rows.records->people, live.records->people, list);
    if (status == OK)
        status = kept_by_live(one, &kept, &kept_count);
    if (status == OK)
        *count = rows_without(keys, *count, kept, kept_count);
    return status;
}

/* The moment before the commit: is it as it was? */
static enum status ask_again(struct destruction *one, const char *const *keys, size_t count,
                             const char *list)
{
    const char **kept = NULL;
    size_t kept_count = 0;
    if (one->side == &one->retention->live)
        return retention_still(one->retention, list, count, AGE_EXPIRED);
    enum status status = kept_by_live(one, &kept, &kept_count);
    for (size_t i = 0; status == OK && i < kept_count; i++)
        for (size_t k = 0; k < count && status == OK; k++)
            if (strcmp(kept[i], keys[k]) == 0) {
                buf_printf(one->rows.why,
                           one->rows.french
                               ? "la base connaît un gel ou une visite faits entre-temps : rien de "
                                 "ce lot n’est détruit ; relancez la commande"
                               : "the database knows of a hold or a visit made meanwhile: nothing "
                                 "of this batch is destroyed; run it again");
                status = ERR_INVALID;
            }
    return status;
}

/* ---- a batch ---- */

static enum status record(struct destruction *one, const char *event, const char *detail,
                          const char *const *keys, size_t count)
{
    const struct retention *retention = one->retention;
    struct deed *deed = NULL;
    if (detail == NULL || deed_open(retention->command, retention->config,
                                    retention->database->name, one->people, &deed) != CLI_FINE)
        return ERR_AUDIT;
    enum status status = OK;
    for (size_t i = 0; status == OK && i < count; i++)
        status = deed_append(deed, event, keys[i], detail);
    if (status == OK)
        status = deed_flush(deed);
    deed_close(deed);
    return status;
}

/* What PostgreSQL could refuse is done before it is on record, but for the commit itself. */
static enum status take_away(struct destruction *one, const char *list, const struct rows_sum *sums,
                             const char *id, size_t count)
{
    char signature[CERTIFICATE_SIGNATURE] = "";
    const char *body = body_of(one, id, count, sums);
    if (body == NULL || !certificate_sign(one->folder->key, body, signature))
        return ERR_MEMORY;
    enum status status = toll_begin(&one->rows);
    if (status == OK)
        status = rows_delete(&one->rows, list, sums);
    if (status == OK)
        status = rows_certify(&one->rows, id, body, signature);
    if (status == OK)
        status = rows_check_constraints(&one->rows);
    return status == OK ? toll_check(&one->rows, sums) : status;
}

static enum status commit(struct destruction *one, const char *id, const char *const *keys,
                          size_t count, const char *list)
{
    struct arena *arena = one->rows.arena;
    char digest[RULE_DIGEST] = "";
    if (!rule_digest_of(one->retention->policy, one->rows.records, digest))
        return ERR_MEMORY;
    enum status status =
        record(one, "retention-destroy",
               arena_printf(arena, "destroyed, certificate %s, rule %s", id, digest), keys, count);
    if (status != OK)
        return status;
    status = ask_again(one, keys, count, list);
    if (status == OK)
        status = rows_commit(&one->rows);
    /* Of a commit whose answer was lost nobody knows; the certificate tells. */
    if (status != OK && rows_undone(&one->rows) &&
        record(one, "retention-destroy-undone",
               arena_printf(arena, "nothing was destroyed, there is no certificate %s", id), keys,
               count) != OK)
        (void)cli_fail(one->retention->command, CLI_CANNOT,
                       one->retention->french ? "cela n’est pas dans le journal d’audit"
                                              : "that is not on record");
    return status;
}

static enum status destroy_locked(struct destruction *one, const char **keys, size_t count)
{
    char id[CERTIFICATE_ID] = "";
    const char *list = NULL;
    struct arena *arena = one->rows.arena;
    struct rows_sum *sums = arena_zalloc(arena, one->rows.records->count + 1, sizeof(*sums));
    enum status status = sums == NULL ? ERR_MEMORY : OK;
    if (status == OK && one->side != &one->retention->live)
        status = ask_live(one, keys, &count);
    if (status == OK)
        status = rows_untie(&one->rows, keys, &count, &list, &one->tied);
    if (status != OK || count == 0)
        return status;
    for (size_t i = 0; status == OK && i < one->rows.records->count; i++)
        status = rows_sum(&one->rows, &one->rows.records->tables[i], list, &sums[i]);
    if (status == OK)
        status = certificate_new_id(id) ? take_away(one, list, sums, id, count) : ERR_MEMORY;
    if (status == OK)
        status = commit(one, id, keys, count, list);
    if (status != OK)
        return status;
    one->persons += count;
    for (size_t i = 0; i < one->rows.records->count; i++)
        one->gone += sums[i].count;
    return OK;
}

static enum status destroy_batch(struct destruction *one, const char *const *keys, size_t count)
{
    const char **locked = NULL;
    size_t locked_count = 0;
    enum status status = rows_begin(&one->rows);
    if (status == OK)
        status = rows_lock(&one->rows, AGE_EXPIRED, keys, count, &locked, &locked_count);
    if (status == OK && locked_count > 0)
        status = destroy_locked(one, locked, locked_count);
    if (PQtransactionStatus(one->rows.conn) != PQTRANS_IDLE)
        (void)!PQresultStatus(PQexec(one->rows.conn, "ROLLBACK"));
    struct rows live = retention_rows(one->retention, &one->retention->live);
    if (one->side != &one->retention->live && status == OK)
        status = rows_drop_stages(&live);
    arena_reset(one->rows.arena);
    return status;
}

/* ---- the whole ---- */

static int destroy_side(struct destruction *one, const char **keys, size_t count)
{
    struct retention *retention = one->retention;
    enum status status = rows_prepare(&one->rows);
    /* A first look: can files be written there? What is wrong with old ones stops nobody. */
    one->folder->quiet = true;
    int code = status == OK ? certificate_write_all(one->folder, one->rows.conn)
                            : retention_fail(retention, status);
    code = code == CLI_FINDINGS ? CLI_FINE : code;
    for (size_t done = 0; code == CLI_FINE && status == OK && done < count;
         done += retention->batch) {
        size_t most = count - done < retention->batch ? count - done : retention->batch;
        status = destroy_batch(one, keys + done, most);
        if (status != OK)
            code = retention_fail(retention, status);
    }
    /* What was committed has its certificate, whatever came after it. */
    one->folder->quiet = false;
    int written = certificate_write_all(one->folder, one->rows.conn);
    printf(retention->french ? "%s : %llu dossier(s) détruit(s), avec %llu ligne(s)\n"
                             : "%s: %llu records destroyed, with %llu rows\n",
           retention_side_told(retention, one->side), (unsigned long long)one->persons,
           (unsigned long long)one->gone);
    if (one->tied.left > 0)
        (void)cli_fail(retention->command, CLI_FINE,
                       retention->french
                           ? "%llu dossier(s) restent, puisque des lignes qui ne sont pas les "
                             "leurs s’y rapportent (%s)"
                           : "%llu records stay, since rows that are not theirs refer to them (%s)",
                       (unsigned long long)one->tied.left, one->tied.told);
    if (code == CLI_FINE)
        code = written;
    return code == CLI_FINE && one->tied.left > 0 ? CLI_FINDINGS : code;
}

static int one_side(struct retention *retention, struct retention_side *side,
                    struct certificate_folder *folder, size_t *due)
{
    const char **keys = NULL;
    size_t count = 0;
    enum status status = retention_due(retention, side, AGE_EXPIRED, &keys, &count);
    if (status != OK)
        return retention_fail(retention, status);
    *due += count;
    if (!retention->apply) {
        printf(retention->french ? "%s : %zu dossier(s) à détruire\n"
                                 : "%s: %zu records would be destroyed\n",
               retention_side_told(retention, side), count);
        unseen_print(side->records.unseen, side->records.unseen_count, retention->french);
        return CLI_FINE;
    }
    struct destruction one = {
        .retention = retention,
        .side = side,
        .rows = retention_rows(retention, side),
        .people = arena_printf(retention->arena, "%s and %s", retention->by, retention->and_by),
        .folder = folder};
    return destroy_side(&one, keys, count);
}

static int both_sides(struct retention *retention, struct certificate_folder *folder)
{
    size_t due = 0;
    int code = one_side(retention, &retention->live, folder, &due);
    if (code <= CLI_FINDINGS && retention->archive.conn) {
        int other = one_side(retention, &retention->archive, folder, &due);
        code = other > code ? other : code;
    }
    if (!retention->apply)
        puts(retention->french ? "Rien n’est modifié sans --apply."
                               : "Nothing is changed without --apply.");
    return code == CLI_FINE && !retention->apply && due > 0 ? CLI_FINDINGS : code;
}

/* Who tried to pass for two is on record as well. */
static void refused(const struct retention *retention)
{
    struct deed *deed = NULL;
    const char *detail = arena_printf(retention->arena, "%s and %s were not both who they said",
                                      retention->by, retention->and_by);
    if (deed_open(retention->command, retention->config, retention->database->name, NULL, &deed) ==
            CLI_FINE &&
        (deed_append(deed, "retention-refused", NULL, detail) != OK || deed_flush(deed) != OK))
        (void)cli_fail(retention->command, CLI_CANNOT,
                       retention->french ? "cela n’est pas dans le journal d’audit"
                                         : "that is not on record");
    deed_close(deed);
}

int retention_destroy(struct retention *retention)
{
    const struct policy_retention *rule = retention->policy->retention;
    struct certificate_folder folder = {
        .command = retention->command,
        .directory = retention->certificates ? retention->certificates : "certificates",
        .french = retention->french};
    if (retention->archive.conn && retention_check_archive(retention) != CLI_FINE)
        return CLI_CANNOT;
    if (!retention->apply)
        return both_sides(retention, NULL);
    int code = two_people_ask(retention->command, retention->policy, rule->destroyers,
                              rule->destroyer_count, retention->french ? "détruire" : "destroy",
                              retention->by, retention->and_by, retention->french);
    if (code == CLI_FINDINGS)
        refused(retention);
    if (code == CLI_FINE)
        code = retention_lock(retention);
    if (code == CLI_FINE)
        code = certificate_open(&folder, &retention->config->audit);
    if (code == CLI_FINE)
        code = both_sides(retention, &folder);
    certificate_close(&folder);
    return code;
}
