/*
 * subject_rights.c: `pgvigil subject set | lift | verify`: rights in pgvigil's own register.
 *
 * Trust boundary: as rights_register.c. The record in the trail is written after the change is
 * ready and before it is committed: without one nothing changes.
 */
#include "tools/operator.h"
#include "tools/rights_register.h"
#include "tools/rights_trail.h"
#include "tools/subject.h"

#include <pgvigil/text.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct policy_right *find_right(const struct subject *subject)
{
    for (size_t i = 0; i < subject->policy->right_count; i++)
        if (strcmp(subject->policy->rights[i].name, subject->right) == 0)
            return &subject->policy->rights[i];
    return NULL;
}

static int check_right(const struct subject *subject)
{
    if (!subject->patient || !subject->right)
        return cli_fail(subject->command, CLI_USAGE, "--patient and --right are needed");
    const struct policy_right *right = find_right(subject);
    if (!right)
        return cli_fail(subject->command, CLI_USAGE, "the policy has no right \"%s\"",
                        subject->right);
    if (!right->registered)
        return cli_fail(subject->command, CLI_USAGE,
                        "right \"%s\" (%s:%u) stands in tables of the database: it is changed "
                        "there, by the application",
                        subject->right, right->place.file, right->place.line);
    return CLI_FINE;
}

static int append(struct subject *subject, bool lift)
{
    struct operator operator;
    char sha256[65] = "";
    uint64_t seq = 0;
    struct key *key = NULL;
    operator_find(&operator);
    if (key_load(subject->config->audit.key_file, &key) != OK)
        return cli_fail(subject->command, CLI_CANNOT, "%s is no Ed25519 private key",
                        subject->config->audit.key_file);
    const struct rights_entry entry = {.lift = lift,
                                       .name = subject->right,
                                       .subject = subject->patient,
                                       .by = operator.person,
                                       .database = subject->database->name,
                                       .note = subject->note};
    enum status status = rights_append(subject->conn, key, &entry, &seq, sha256, &subject->why);
    key_free(key);
    if (status == DENIED)
        return cli_fail(subject->command, CLI_FINDINGS, "%s for this patient: nothing is changed",
                        lift ? "it is not set" : "it is set already");
    if (status != OK)
        return subject_fail(subject, status);
    const char *detail = arena_printf(subject->arena, "right %s %s, entry %llu, %s", subject->right,
                                      lift ? "lifted" : "set", (unsigned long long)seq, sha256);
    int code = detail ? subject_record(subject, lift ? "right-lifted" : "right-set",
                                       subject->patient, detail)
                      : cli_fail(subject->command, CLI_CANNOT, "out of memory");
    if (code != CLI_FINE)
        return code;
    PGresult *result = PQexec(subject->conn, "COMMIT");
    bool fine = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!fine) {
        /* Of a commit whose answer was lost nobody knows. */
        if (PQstatus(subject->conn) == CONNECTION_OK)
            (void)subject_record(subject, "right-undone", subject->patient, detail);
        return cli_fail(subject->command, CLI_CANNOT,
                        "the change could not be committed; the trail's entry %llu tells of none",
                        (unsigned long long)seq);
    }
    printf("entry %llu: right %s %s\n", (unsigned long long)seq, subject->right,
           lift ? "lifted" : "set");
    return CLI_FINE;
}

static int change(struct subject *subject, bool lift)
{
    int code = subject_open(subject, true);
    if (code == CLI_FINE)
        code = check_right(subject);
    if (code == CLI_FINE && subject->note && !text_is_utf8(subject->note, strlen(subject->note)))
        code = cli_fail(subject->command, CLI_USAGE, "--note is no UTF-8");
    if (code == CLI_FINE)
        code = subject_find(subject);
    return code == CLI_FINE ? append(subject, lift) : code;
}

int subject_set(struct subject *subject)
{
    return change(subject, false);
}

int subject_lift(struct subject *subject)
{
    return change(subject, true);
}

static void tell(const char *what, void *context)
{
    (void)context;
    puts(what);
}

static void pass_over(const char *what, void *context)
{
    (void)what;
    (void)context;
}

/* What does not fit may be somebody's work of this moment: an entry made since the trail was read,
 * or one whose undoing is being written. The trail's next reading tells. */
static int compare(struct subject *subject, const struct rights_trail *trail,
                   struct rights_verdict *verdict)
{
    const struct timespec pause = {.tv_sec = 1};
    struct rights_trail *later = NULL;
    if (rights_trail_compare(trail, trail, pass_over, NULL) == 0)
        return CLI_FINE;
    (void)nanosleep(&pause, NULL);
    int code = rights_trail_read(subject->command, subject->config, subject->database->name,
                                 subject->arena, &later);
    if (code == CLI_FINE)
        verdict->findings += rights_trail_compare(trail, later, tell, NULL);
    return code;
}

/* The trail first, then whoever was at it, then the register: what the trail knows is committed by
 * then, or never. */
static enum status verify_all(struct subject *subject, const struct key_ring *ring,
                              struct rights_trail *trail, struct rights_verdict *verdict)
{
    const struct rights_listener listener = {.entry = rights_trail_entry, .context = trail};
    enum status status = rights_trail_wait(subject->conn, &subject->why);
    if (status == OK)
        status = rights_verify(subject->conn, ring, subject->database->name, tell, NULL, &listener,
                               verdict, &subject->why);
    return status;
}

int subject_verify(struct subject *subject)
{
    struct key_ring *ring = NULL;
    struct rights_trail *trail = NULL;
    struct rights_verdict verdict;
    if (!subject->key_file)
        return cli_fail(subject->command, CLI_USAGE, "--key is missing: the trail's public.pem");
    int code = subject_open(subject, false);
    if (code == CLI_FINE)
        code = rights_trail_read(subject->command, subject->config, subject->database->name,
                                 subject->arena, &trail);
    if (code != CLI_FINE)
        return code;
    if (key_ring_load(subject->key_file, &ring) != OK)
        return cli_fail(subject->command, CLI_CANNOT, "%s holds no Ed25519 public key",
                        subject->key_file);
    enum status status = verify_all(subject, ring, trail, &verdict);
    key_ring_free(ring);
    if (status != OK)
        return subject_fail(subject, status);
    code = compare(subject, trail, &verdict);
    if (code != CLI_FINE)
        return code;
    if (verdict.entries > 0 && !rights_trail_knows(trail))
        puts("the trail tells of no entry: whether the register's end was cut off cannot be said");
    printf("%llu entries, %llu rights in force, %llu findings\n",
           (unsigned long long)verdict.entries, (unsigned long long)verdict.active,
           (unsigned long long)verdict.findings);
    return verdict.findings > 0 ? CLI_FINDINGS : CLI_FINE;
}
