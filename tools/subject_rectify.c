/*
 * subject_rectify.c: `pgvigil subject rectify`: wrong values of a person's rows put right (RGPD,
 * article 16).
 *
 * Without --apply the changes are made, shown and undone: what PostgreSQL, and the table's
 * triggers, make of a value is known only then. What is shown has a word; --apply takes that word
 * and changes nothing when what it would do is anything else.
 *
 * Trust boundary: as subject_open.c. The terminal sees values; the trail sees which row and column,
 * and seals (certificate.h) of before and after.
 */
#include "tools/audit_cells.h"
#include "tools/certificate.h"
#include "tools/deed.h"
#include "tools/rectification.h"

#include <openssl/sha.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <string.h>

static void print_value(const char *label, const char *value, bool french)
{
    printf("  %s ", label);
    if (value)
        cells_text(value, stdout);
    else
        (void)fputs(french ? "(aucune valeur)" : "(no value)", stdout);
    (void)putchar('\n');
}

static void print_changes(const struct rectification *all, bool french)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct rectification_change *one = &all->changes[i];
        printf("%s (%s), %s\n", one->table, one->row, one->column);
        print_value(french ? "avant :" : "before:", one->before, french);
        print_value(french ? "après :" : "after: ", one->after, french);
        if (*one->others)
            print_value(french ? "la base y modifie aussi :" : "the database also changes there:",
                        one->others, french);
    }
}

/* ---- the trail ---- */

static bool seal_value(const struct key *key, const char *id, const char *what, const char *value,
                       char out[65])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 1] = "";
    if (value && !SHA256((const unsigned char *)value, strlen(value), hash))
        return false;
    if (value)
        text_hex(hash, sizeof hash, hex);
    return certificate_seal(key, id, what, hex, out);
}

/* "public.patients (id=37) phone, before <seal>, after <seal>"; NULL: it cannot be made. */
static const char *detail_of(struct subject *subject, const struct key *key,
                             struct rectification_change *one)
{
    char id[CERTIFICATE_ID] = "";
    char before[65] = "";
    char after[65] = "";
    one->id = certificate_new_id(id) ? arena_strdup(subject->arena, id) : NULL;
    if (!one->id || !seal_value(key, id, "before", one->before, before) ||
        !seal_value(key, id, "after", one->after, after))
        return NULL;
    return arena_printf(subject->arena, "%s (%s) %s, rectification %s, before %s, after %s%s%s%s%s",
                        one->table, one->row, one->column, id, before, after,
                        *one->others ? ", also changed: " : "", one->others,
                        subject->request ? ", request " : "",
                        subject->request ? subject->request : "");
}

/* One record a value, before any is changed or shown. */
static int record(struct subject *subject, const struct rectification *all, const char *event)
{
    struct key *key = NULL;
    struct deed *deed = NULL;
    if (key_load(subject->config->audit.key_file, &key) != OK)
        return cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "%s n’est pas une clé privée Ed25519"
                                        : "%s is no Ed25519 private key",
                        subject->config->audit.key_file);
    int code = deed_open(subject->command, subject->config, subject->database->name, NULL, &deed);
    enum status status = code == CLI_FINE ? OK : ERR_AUDIT;
    if (status == OK)
        deed_because(deed, subject->reason);
    for (size_t i = 0; status == OK && i < all->count; i++) {
        const char *detail = detail_of(subject, key, &all->changes[i]);
        status = detail ? deed_append(deed, event, subject->patient, detail) : ERR_MEMORY;
    }
    if (status == OK)
        status = deed_flush(deed);
    if (status != OK && code == CLI_FINE)
        code = cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "rien n’est fait, puisqu’il n’en resterait pas de trace"
                                        : "nothing is done, since it would leave no record");
    deed_close(deed);
    key_free(key);
    return code;
}

/* The trail tells of changes that were not made after all. `settled`: and of a request. */
static void undone(struct subject *subject, const struct rectification *all, bool settled)
{
    struct deed *deed = NULL;
    enum status status = deed_open(subject->command, subject->config, subject->database->name, NULL,
                                   &deed) == CLI_FINE
                             ? OK
                             : ERR_AUDIT;
    if (status == OK)
        deed_because(deed, subject->reason);
    for (size_t i = 0; status == OK && i < all->count; i++) {
        const struct rectification_change *one = &all->changes[i];
        const char *detail =
            arena_printf(subject->arena, "%s (%s) %s, rectification %s: nothing was changed",
                         one->table, one->row, one->column, one->id);
        status = detail ? deed_append(deed, "subject-rectify-undone", subject->patient, detail)
                        : ERR_MEMORY;
    }
    const char *request =
        settled ? arena_printf(subject->arena, "request %s was not settled", subject->request)
                : NULL;
    if (status == OK && settled)
        status =
            request ? deed_append(deed, "request-undone", subject->patient, request) : ERR_MEMORY;
    if (status == OK)
        status = deed_flush(deed);
    if (status != OK)
        (void)cli_fail(subject->command, CLI_CANNOT,
                       subject->french ? "cela n’est pas dans le journal d’audit"
                                       : "that is not on record");
    deed_close(deed);
}

/* ---- the whole ---- */

static int step(const struct subject *subject, const char *sql)
{
    PGresult *result = PQexec(subject->conn, sql);
    bool fine = PQresultStatus(result) == PGRES_COMMAND_OK;
    /* What a deferred constraint says comes with the commit. */
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool again = state && (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0);
    int code =
        fine ? CLI_FINE
             : cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "%s : rien n’est modifié%s" : "%s: nothing is changed%s",
                        primary           ? primary
                        : subject->french ? "la connexion est perdue"
                                          : "the connection was lost",
                        !again ? ""
                        : subject->french
                            ? " ; quelqu’un d’autre y travaillait : relancez la commande"
                            : "; somebody else was at it: run it again");
    PQclear(result);
    return code;
}

static int apply(struct subject *subject, const struct rectification *all, bool open)
{
    if (!subject->seen || strcmp(subject->seen, all->seen) != 0)
        return cli_fail(
            subject->command, CLI_FINDINGS,
            subject->french ? "%s : rien n’est modifié ; regardez de nouveau sans --apply"
                            : "%s: nothing is changed; look again without --apply",
            subject->seen ? subject->french ? "ce n’est plus ce qui a été montré : la ligne, ou ce "
                                              "que la base fait de la valeur, a changé depuis"
                                            : "that is not what was shown: the row, or what the "
                                              "database makes of the value, has changed since"
            : subject->french ? "il manque --seen, le mot qui figure sous ce qui a été montré"
                              : "--seen is missing, the word that stands below what was shown");
    int code = record(subject, all, "subject-rectify");
    if (code != CLI_FINE)
        return code;
    if (open)
        code = subject_settle_request(subject, subject->french ? "rectifié" : "rectified");
    bool settled = open && code == CLI_FINE;
    if (code == CLI_FINE)
        code = step(subject, "COMMIT");
    /* Of a commit whose answer was lost nobody knows. */
    if (code != CLI_FINE && PQstatus(subject->conn) == CONNECTION_OK &&
        (PQtransactionStatus(subject->conn) == PQTRANS_IDLE ||
         step(subject, "ROLLBACK") == CLI_FINE))
        undone(subject, all, settled);
    return code;
}

static int show(struct subject *subject, const struct rectification *all, bool french)
{
    int code = step(subject, "ROLLBACK");
    if (code == CLI_FINE)
        code = record(subject, all, "subject-rectify-plan");
    if (code != CLI_FINE)
        return code;
    print_changes(all, french);
    printf(french ? "Rien n’est modifié sans --apply --seen %s\n"
                  : "Nothing is changed without --apply --seen %s\n",
           all->seen);
    return CLI_FINDINGS;
}

static int work(struct subject *subject, bool french)
{
    struct rectification all = {0};
    bool open = false;
    int code = rectification_read(subject, &all);
    if (code == CLI_FINE)
        code = subject_find(subject);
    if (code == CLI_FINE && subject->request)
        code = subject_check_request(subject, "rectification", &open);
    if (code == CLI_FINE)
        code = rectification_resolve(subject, &all);
    if (code == CLI_FINE)
        code = step(subject, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    if (code == CLI_FINE)
        code = rectification_make(subject, &all);
    if (code != CLI_FINE || !subject->apply)
        return code == CLI_FINE ? show(subject, &all, french) : code;
    code = apply(subject, &all, open);
    if (code == CLI_FINE)
        printf(french ? "%zu valeur(s) rectifiée(s)\n" : "%zu value(s) rectified\n", all.count);
    return code;
}

int subject_rectify(struct subject *subject)
{
    int code = cli_read_lang(subject->command, subject->doc_options.lang, &subject->french);
    if (code != CLI_CONTINUE)
        return code;
    if (!subject->patient)
        return cli_fail(subject->command, CLI_USAGE,
                        subject->french ? "il manque --patient" : "--patient is missing");
    if (subject->apply && !subject->reason && !subject->request)
        return cli_fail(
            subject->command, CLI_USAGE,
            subject->french
                ? "il manque --reason ou --request : le journal d’audit dit pourquoi la valeur a "
                  "été changée"
                : "--reason or --request is missing: the trail tells why it was changed");
    code = subject_open(subject, true);
    return code == CLI_FINE ? work(subject, subject->french) : code;
}
