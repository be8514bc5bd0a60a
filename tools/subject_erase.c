/*
 * subject_erase.c: `pgvigil subject erase`: what a person may have erased, and what is kept and why
 * (RGPD, article 17).
 *
 * Each database is one transaction: rows, the certificate's text and signature, nothing in between;
 * the file of a certificate and the request's answer are made after it, and by the next run when
 * this one died. The database that applications use goes first: it knows of holds.
 *
 * Trust boundary: as retention_destroy.c. A certificate names nobody; of one person's few rows even
 * a hash would let a suspicion be confirmed, so it is sealed (certificate.h).
 */
#include "tools/certificate.h"
#include "tools/deed.h"
#include "tools/erasure.h"
#include "tools/rule.h"
#include "tools/subject.h"
#include "tools/two_people.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct errand {
    struct subject subject;     /* with what retention has opened: never closed */
    struct retention retention; /* owns */
    const char *people;         /* "anne and paul" */
    struct certificate_folder folder;
    bool french;
    uint64_t goes;    /* of both databases: would go, or has gone */
    const char *kept; /* what stays, and why, of both; "" */
    json_t *sides;
};

/* ---- the certificate ---- */

static json_t *gone_json(const struct errand *errand, const struct erasure *erasure, const char *id)
{
    json_t *tables = json_array();
    for (size_t i = 0; i < erasure->rows.records->count; i++) {
        const struct erasure_table *one = &erasure->tables[i];
        const char *told = erasure->rows.records->tables[i].told;
        char seal[65] = "";
        if (one->goes > 0 &&
            !certificate_seal(errand->folder.key, id, told, one->sum.sha256, seal)) {
            json_decref(tables);
            return NULL;
        }
        if (one->goes > 0)
            (void)json_array_append_new(tables,
                                        json_pack("{s:s, s:I, s:s, s:s}", "table", told, "rows",
                                                  (json_int_t)one->goes, "why",
                                                  erasure_word(one->why_goes), "seal", seal));
    }
    return tables;
}

static json_t *kept_json(const struct erasure *erasure)
{
    json_t *tables = json_array();
    for (size_t i = 0; i < erasure->rows.records->count; i++) {
        const struct erasure_table *one = &erasure->tables[i];
        if (one->stays > 0)
            (void)json_array_append_new(
                tables,
                json_pack("{s:s, s:I, s:s, s:s*}", "table", erasure->rows.records->tables[i].told,
                          "rows", (json_int_t)one->stays, "why", erasure_word(one->why_stays),
                          "needed_by", one->why_stays == ERASURE_REFERRED ? one->tied : NULL));
    }
    return tables;
}

/* In the arena; NULL: no memory. */
static const char *body_of(const struct errand *errand, const struct erasure *erasure,
                           const char *id)
{
    const struct retention *retention = &errand->retention;
    const struct records *records = erasure->rows.records;
    char now[CERTIFICATE_TIME];
    char digest[RULE_DIGEST] = "";
    json_t *tables = certificate_now(now) ? gone_json(errand, erasure, id) : NULL;
    json_t *rule = rule_json(retention->policy, records);
    json_t *body =
        tables && rule_digest(rule, digest)
            ? json_pack(
                  "{s:s, s:s, s:s, s:s, s:s, s:[s, s], s:O, s:o, s:o, s:O, s:s, s:s, s:s*}", "id",
                  id, "what", "erasure", "time", now, "database", retention->database->name,
                  "where", erasure->side == &retention->live ? "database" : "archive", "by",
                  retention->by, retention->and_by, "tables", tables, "kept", kept_json(erasure),
                  "not_looked_at", unseen_json(records->unseen, records->unseen_count), "rule",
                  rule, "rule_sha256", digest, "policy", retention->policy->digest, "request",
                  errand->subject.request)
            : NULL;
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const char *kept = text ? arena_strdup(retention->arena, text) : NULL;
    free(text);
    json_decref(body);
    json_decref(rule);
    json_decref(tables);
    return kept;
}

/* ---- the trail ---- */

/* "database: 3 of public.a, 1 of public.b; 12 are kept; rule HEX" */
static const char *counts_of(const struct erasure *erasure)
{
    struct arena *arena = erasure->retention->arena;
    char digest[RULE_DIGEST] = "";
    const char *all =
        rule_digest_of(erasure->retention->policy, erasure->rows.records, digest) ? "" : NULL;
    for (size_t i = 0; all && i < erasure->rows.records->count; i++)
        if (erasure->tables[i].goes > 0)
            all = arena_printf(arena, "%s%s%llu of %s", all, *all ? ", " : "",
                               (unsigned long long)erasure->tables[i].goes,
                               erasure->rows.records->tables[i].told);
    return all ? arena_printf(arena, "%s: %s; %llu are kept; rule %s",
                              erasure->side == &erasure->retention->live ? "database" : "archive",
                              *all ? all : "nothing", (unsigned long long)erasure->stays, digest)
               : NULL;
}

static enum status record(const struct errand *errand, const char *event, const char *people,
                          const char *detail)
{
    const struct retention *retention = &errand->retention;
    struct deed *deed = NULL;
    if (!detail || deed_open(retention->command, retention->config, retention->database->name,
                             people, &deed) != CLI_FINE)
        return ERR_AUDIT;
    deed_because(deed, errand->subject.reason);
    enum status status = deed_append(deed, event, errand->subject.patient, detail);
    if (status == OK)
        status = deed_flush(deed);
    deed_close(deed);
    return status;
}

/* ---- one database ---- */

/* What PostgreSQL could refuse is done before it is on record, but for the commit itself. */
static enum status take_away(struct erasure *erasure, const char *id, const char *body,
                             const char *signature)
{
    enum status status = erasure_delete(erasure);
    if (status == OK)
        status = rows_certify(&erasure->rows, id, body, signature);
    return status == OK ? erasure_check(erasure) : status;
}

static enum status put_on_record(const struct errand *errand, const struct erasure *erasure,
                                 const char *id)
{
    return record(errand, "subject-erase", errand->people,
                  arena_printf(errand->retention.arena, "%s; certificate %s%s%s",
                               counts_of(erasure), id, errand->subject.request ? ", request " : "",
                               errand->subject.request ? errand->subject.request : ""));
}

static enum status erase_locked(struct errand *errand, struct erasure *erasure)
{
    char id[CERTIFICATE_ID] = "";
    char signature[CERTIFICATE_SIGNATURE] = "";
    enum status status = erasure_sum(erasure);
    if (status != OK)
        return status;
    const char *body = certificate_new_id(id) ? body_of(errand, erasure, id) : NULL;
    if (!body || !certificate_sign(errand->folder.key, body, signature))
        return ERR_MEMORY;
    status = take_away(erasure, id, body, signature);
    if (status == OK)
        status = put_on_record(errand, erasure, id);
    if (status != OK)
        return status;
    status = erasure_still(erasure);
    if (status == OK)
        status = rows_commit(&erasure->rows);
    /* Of a commit whose answer was lost nobody knows; the certificate tells. */
    if (status != OK && rows_undone(&erasure->rows) &&
        record(errand, "subject-erase-undone", errand->people,
               arena_printf(errand->retention.arena,
                            "nothing was erased, there is no certificate %s", id)) != OK)
        (void)cli_fail(errand->retention.command, CLI_CANNOT,
                       errand->french ? "cela n’est pas dans le journal d’audit"
                                      : "that is not on record");
    return status;
}

/* Told only when it is on record, and, with --apply, done. */
static enum status work_on(struct errand *errand, struct retention_side *side)
{
    struct retention *retention = &errand->retention;
    struct erasure erasure;
    struct rows rows = retention_rows(retention, side);
    enum status status = retention->apply
                             ? rows_begin(&rows)
                             : rows_run(&rows, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    if (status == OK)
        status =
            erasure_decide(retention, side, errand->subject.patient, retention->apply, &erasure);
    if (status == OK && !retention->apply)
        status = record(errand, "subject-erase-plan", NULL, counts_of(&erasure));
    if (status == OK && retention->apply && erasure.goes > 0)
        status = erase_locked(errand, &erasure);
    if (PQtransactionStatus(side->conn) != PQTRANS_IDLE)
        PQclear(PQexec(side->conn, "ROLLBACK"));
    if (status == OK)
        status = erasure_kept(&erasure, errand->french, &errand->kept);
    if (status == OK) {
        errand->goes += erasure.goes;
        if (errand->sides)
            (void)json_array_append_new(errand->sides, erasure_json(&erasure));
        else
            erasure_print(&erasure, errand->french);
    }
    arena_reset(retention->moment);
    return status;
}

/* ---- the request that it answers ---- */

/* Certificates that name the request: this run's, or those of one that died after its commit. What
 * nobody signed is none. */
static enum status certificates_in(const struct errand *errand, const struct retention_side *side,
                                   const char **all)
{
    struct arena *arena = errand->retention.arena;
    const char *sql =
        arena_printf(arena,
                     "SELECT id, body, signature FROM " ROWS_SCHEMA
                     ".certificates WHERE pg_catalog.strpos(body, '\"request\":\"%s\"') > 0 AND "
                     "pg_catalog.strpos(body, '\"what\":\"erasure\"') > 0 ORDER BY at, id",
                     errand->subject.request);
    PGresult *result = sql ? PQexec(side->conn, sql) : NULL;
    enum status status = PQresultStatus(result) == PGRES_TUPLES_OK ? OK : ERR_UPSTREAM;
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        if (!certificate_is_signed(&errand->folder, PQgetvalue(result, row, 1),
                                   PQgetvalue(result, row, 2)))
            continue;
        *all = arena_printf(arena, "%s%s%s", *all, **all ? ", " : "", PQgetvalue(result, row, 0));
        status = *all ? OK : ERR_MEMORY;
    }
    PQclear(result);
    return status;
}

static enum status certificates_of(struct errand *errand, const char **all)
{
    const struct retention *retention = &errand->retention;
    *all = "";
    enum status status = certificates_in(errand, &retention->live, all);
    return status == OK && retention->archive.conn
               ? certificates_in(errand, &retention->archive, all)
               : status;
}

/* What may be left of her that was not looked at; "" is nothing, NULL no memory. */
static const char *not_looked_at(const struct errand *errand)
{
    const struct retention *retention = &errand->retention;
    struct arena *arena = retention->arena;
    const struct records *records = &retention->live.records;
    const char *names = unseen_names(records->unseen, records->unseen_count, errand->french, arena);
    if (!names || retention->archive.conn)
        return names;
    return arena_printf(arena, "%s%s%s", errand->french ? "les archives" : "the archive",
                        *names ? ", " : "", names);
}

/* For the register: what went, what stays and why, what nobody looked at. */
static const char *outcome_of(const struct errand *errand, const char *certificates,
                              const char *unseen)
{
    bool french = errand->french;
    const char *gone =
        *certificates ? arena_printf(errand->retention.arena,
                                     french ? "effacé, certificat %s" : "erased, certificate %s",
                                     certificates)
        : french      ? "rien n’a été effacé"
                      : "nothing was erased";
    return gone ? arena_printf(errand->retention.arena, "%s%s%s%s%s", gone,
                               !*errand->kept ? ""
                               : french       ? " ; conservé : "
                                              : "; kept: ",
                               errand->kept,
                               !*unseen ? ""
                               : french ? " ; non examiné : "
                                        : "; not looked at: ",
                               unseen)
                : NULL;
}

/* Of what stays the person must be told, with the reasons (RGPD, article 12.4): that is not for a
 * program to call answered. The register has what there is to tell. */
static int leave_open(struct errand *errand, const char *outcome)
{
    int code = subject_note_request(&errand->subject, outcome);
    if (code != CLI_FINE)
        return code;
    (void)fprintf(
        stderr,
        errand->french
            ? "La demande %s reste ouverte, puisque tout n’a pas été effacé : %s.\nQuand la "
              "personne en aura été informée (RGPD, art. 12.4) : pgvigil subject settle --id %s "
              "--outcome ...\n"
            : "Request %s stays open, since not everything was erased: %s.\nWhen the person has "
              "been told (GDPR, article 12.4): pgvigil subject settle --id %s --outcome ...\n",
        errand->subject.request, outcome, errand->subject.request);
    return CLI_FINE;
}

static int settle(struct errand *errand, const char *outcome)
{
    int code = subject_settle_request(&errand->subject, outcome);
    if (code == CLI_FINE)
        (void)fprintf(stderr,
                      errand->french ? "La demande %s est close : %s.\n"
                                     : "Request %s is settled: %s.\n",
                      errand->subject.request, outcome);
    return code;
}

/* *done: it is answered, or what could be erased was, now or before. */
static int answer(struct errand *errand, bool open, bool found, bool *done)
{
    const char *all = NULL;
    *done = !open;
    if (!open)
        return CLI_FINE;
    enum status status = certificates_of(errand, &all);
    if (status != OK)
        return retention_fail(&errand->retention, status);
    if (!*all && !found)
        return CLI_FINE;
    const char *unseen = not_looked_at(errand);
    const char *outcome = unseen ? outcome_of(errand, all, unseen) : NULL;
    *done = *all != '\0';
    if (!outcome)
        return cli_fail(errand->retention.command, CLI_CANNOT, "out of memory");
    return *all && !*errand->kept && !*unseen ? settle(errand, outcome)
                                              : leave_open(errand, outcome);
}

/* ---- the whole ---- */

/* As one of the databases writes her; nobody: *found is false. */
static int find(struct errand *errand, bool *found)
{
    struct retention *retention = &errand->retention;
    const char *told = NULL;
    int code =
        subject_look(&errand->subject, retention->live.conn, &retention->live.records, &told);
    if (code == CLI_FINE && !told && retention->archive.conn)
        code = subject_look(&errand->subject, retention->archive.conn, &retention->archive.records,
                            &told);
    *found = told != NULL;
    if (told)
        errand->subject.patient = told;
    return code;
}

static int both(struct errand *errand)
{
    struct retention *retention = &errand->retention;
    enum status status = work_on(errand, &retention->live);
    if (status == OK && retention->archive.conn)
        status = work_on(errand, &retention->archive);
    return status == OK ? CLI_FINE : retention_fail(retention, status);
}

static int write_files(struct errand *errand, bool quiet)
{
    const struct retention *retention = &errand->retention;
    errand->folder.quiet = quiet;
    int code = certificate_write_all(&errand->folder, retention->live.conn);
    if (code <= CLI_FINDINGS && retention->archive.conn) {
        int other = certificate_write_all(&errand->folder, retention->archive.conn);
        code = other > code ? other : code;
    }
    return code;
}

/* Who tried to pass for two is on record as well. */
static void refused(const struct errand *errand)
{
    const struct retention *retention = &errand->retention;
    const char *detail = arena_printf(retention->arena, "%s and %s were not both who they said",
                                      retention->by, retention->and_by);
    if (record(errand, "subject-erase-refused", NULL, detail) != OK)
        (void)cli_fail(retention->command, CLI_CANNOT,
                       errand->french ? "cela n’est pas dans le journal d’audit"
                                      : "that is not on record");
}

/* Two people, nobody else at it, and what an earlier run has left to do. */
static int begin(struct errand *errand)
{
    struct retention *retention = &errand->retention;
    const struct policy_retention *rule = retention->policy->retention;
    if (!errand->subject.reason && !errand->subject.request)
        return cli_fail(retention->command, CLI_USAGE,
                        errand->french
                            ? "il manque --reason ou --request : le journal d’audit dit pourquoi "
                              "des lignes ont été effacées"
                            : "--reason or --request is missing: the trail tells why rows went");
    if (!rule)
        return cli_fail(
            retention->command, CLI_CANNOT,
            errand->french
                ? "la politique n’a pas de « retention » : c’est elle qui dit ce que la loi fait "
                  "garder, s’il y a un gel juridique, et qui efface (sa clé « destroy »)"
                : "the policy has no \"retention\": it says what the law keeps, whether there is a "
                  "legal hold, and whose people erase (its key \"destroy\")");
    int code = two_people_ask(retention->command, retention->policy, rule->destroyers,
                              rule->destroyer_count, errand->french ? "effacer" : "erase",
                              retention->by, retention->and_by, errand->french);
    if (code == CLI_FINDINGS)
        refused(errand);
    if (code == CLI_FINE)
        code = retention_lock(retention);
    if (code == CLI_FINE)
        code = certificate_open(&errand->folder, &retention->config->audit);
    struct rows rows = retention_rows(retention, &retention->live);
    enum status status = code == CLI_FINE ? rows_prepare(&rows) : OK;
    rows = retention_rows(retention, &retention->archive);
    if (code == CLI_FINE && status == OK && rows.conn)
        status = rows_prepare(&rows);
    if (status != OK)
        code = retention_fail(retention, status);
    if (code != CLI_FINE)
        return code;
    /* A first look: can files be written there? What is wrong with old ones stops nobody, and is
     * told at the end. */
    code = write_files(errand, true);
    return code == CLI_FINDINGS ? CLI_FINE : code;
}

/* What the list above does not speak of. */
static void print_limits(const struct errand *errand)
{
    bool french = errand->french;
    puts(french ? "Ne sont pas examinées : les tables sans « subject », les sauvegardes"
                : "Not looked at: tables without a \"subject\", backups");
    if (!errand->retention.archive.conn)
        puts(french ? "  et les archives (--archive)." : "  and the archive (--archive).");
    puts(french ? "Sont gardés comme preuve (RGPD, art. 5.2 et 17.3) : le journal d’audit, le "
                  "registre des droits et des demandes, qui ont le numéro du dossier."
                : "Kept as proof (GDPR, articles 5.2 and 17.3): the trail, the register of rights "
                  "and requests, which have the record's number.");
    puts(french ? "Rien n’est modifié sans --apply." : "Nothing is changed without --apply.");
}

static int print_end(struct errand *errand, bool done)
{
    const struct retention *retention = &errand->retention;
    bool french = errand->french;
    if (errand->sides) {
        json_t *all = json_pack("{s:s, s:b, s:O}", "patient", errand->subject.patient, "applied",
                                retention->apply ? 1 : 0, "sides", errand->sides);
        if (!all || json_dumpf(all, stdout, JSON_INDENT(1)) != 0)
            return cli_fail(retention->command, CLI_CANNOT,
                            errand->french ? "impossible d’écrire" : "cannot write");
        (void)putchar('\n');
        json_decref(all);
    } else if (!retention->apply) {
        print_limits(errand);
    } else if (errand->goes > 0) {
        printf(french ? "%llu ligne(s) effacée(s) ; certificats : %s\n"
                      : "%llu row(s) erased; certificates: %s\n",
               (unsigned long long)errand->goes, errand->folder.directory);
    } else {
        puts(french ? "Rien ne peut (plus) être effacé." : "Nothing (more) may be erased.");
    }
    if (fflush(stdout) != 0)
        return cli_fail(retention->command, CLI_CANNOT,
                        errand->french ? "impossible d’écrire" : "cannot write");
    if (retention->apply)
        return errand->goes > 0 || done ? CLI_FINE : CLI_FINDINGS;
    return errand->goes > 0 ? CLI_FINDINGS : CLI_FINE;
}

/* Notices of PostgreSQL's are nobody's to read here. */
static int quiet(struct retention *retention)
{
    const struct retention_side *sides[] = {&retention->live, &retention->archive};
    enum status status = OK;
    for (size_t i = 0; status == OK && i < 2; i++) {
        const struct rows rows = {
            .conn = sides[i]->conn, .arena = retention->moment, .why = &retention->why};
        if (rows.conn)
            status = rows_run(&rows, "SET client_min_messages = warning");
    }
    return status == OK ? CLI_FINE : retention_fail(retention, status);
}

static int run(struct errand *errand)
{
    struct retention *retention = &errand->retention;
    bool found = false;
    bool open = false;
    bool done = false;
    int code = retention->archive.conn ? retention_check_archive(retention) : CLI_FINE;
    if (code == CLI_FINE)
        code = quiet(retention);
    if (code == CLI_FINE)
        code = find(errand, &found);
    if (code == CLI_FINE && retention->apply)
        code = begin(errand);
    if (code == CLI_FINE && errand->subject.request)
        code = subject_check_request(&errand->subject, "erasure", &open);
    if (code == CLI_FINE && found)
        code = both(errand);
    /* What was committed has its certificate, whatever came after it. */
    int written = errand->folder.key ? write_files(errand, false) : CLI_FINE;
    if (code == CLI_FINE && retention->apply && errand->subject.request)
        code = answer(errand, open, found, &done);
    if (code == CLI_FINE && !found && !done)
        return cli_fail(retention->command, CLI_FINDINGS,
                        errand->french ? "il n’y a rien sur le patient %s%s"
                                       : "there is nothing about patient %s%s",
                        errand->subject.patient,
                        retention->archive.conn ? ""
                        : errand->french        ? " (ce qui est archivé : --archive)"
                                                : " (what was archived: --archive)");
    if (code == CLI_FINE)
        code = print_end(errand, done);
    return code == CLI_FINE ? written : code;
}

int subject_erase(struct subject *subject)
{
    const char *format = subject->doc_options.format;
    struct errand errand = {
        .subject = *subject,
        .kept = "",
        .folder = {.command = subject->command,
                   .directory = subject->certificates ? subject->certificates : "certificates"},
        .retention = {.command = subject->command,
                      .config_file = subject->doc_options.config_file,
                      .database_name = subject->database_name,
                      .as = subject->as,
                      .archive_as = subject->archive_as,
                      .by = subject->by,
                      .and_by = subject->and_by,
                      .apply = subject->apply,
                      .all = true}};
    struct retention *retention = &errand.retention;
    int code = cli_read_lang(subject->command, subject->doc_options.lang, &errand.french);
    if (code != CLI_CONTINUE)
        return code;
    if (!subject->patient)
        return cli_fail(subject->command, CLI_USAGE,
                        errand.french ? "il manque --patient" : "--patient is missing");
    if (format && strcmp(format, "json") != 0 && strcmp(format, "text") != 0)
        return cli_fail(subject->command, CLI_USAGE,
                        errand.french ? "--format est text ou json, pas « %s »"
                                      : "--format is text or json, not '%s'",
                        format);
    retention->french = errand.french;
    errand.folder.french = errand.french;
    errand.subject.french = errand.french;
    code = retention_open(retention);
    if (code == CLI_FINE) {
        errand.subject.arena = retention->arena;
        errand.subject.conn = retention->live.conn;
        errand.subject.config = retention->config;
        errand.subject.database = retention->database;
        errand.people =
            arena_printf(retention->arena, "%s and %s", retention->by ? retention->by : "",
                         retention->and_by ? retention->and_by : "");
        errand.sides = format && strcmp(format, "json") == 0 ? json_array() : NULL;
        code = run(&errand);
    }
    json_decref(errand.sides);
    certificate_close(&errand.folder);
    retention_close(retention);
    return code;
}
