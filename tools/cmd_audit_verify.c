/*
 * cmd_audit_verify.c: `pgvigil audit verify`: is the trail what was written?
 *
 * Trust boundary: the directory's files are evidence that someone may have forged; audit/verify.c
 * reads them. The public key decides what counts as ours: the one that lies beside the files is
 * only as good as the directory, so an auditor brings their own.
 */
#include "tools/cmd_audit.h"
#include "tools/progress.h"

#include "audit/heads.h"

#include <errno.h>
#include <inttypes.h>
#include <pgvigil/audit.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char about[] =
    "Reads every file of the trail in DIRECTORY and checks each line against the one before it "
    "and\n"
    "each checkpoint against the public key. Prints one line for each finding: what was changed,\n"
    "removed, added, moved or cut, as FILE:LINE: what. Chains tell of each other: one of which "
    "all\n"
    "files are gone, or the end, is told as well.\n"
    "\n"
    "Without --public-key the key in DIRECTORY/public.pem is used. Whoever can write there can "
    "put\n"
    "a key of their own beside a trail of their own: keep a copy of the key elsewhere.\n"
    "\n"
    "With --heads the trail is compared with the checkpoints that a syslog server has kept: when "
    "the\n"
    "ends of all chains were cut off together, nothing in what is left shows it.\n"
    "\n"
    "With --copy the files are an archive, or were copied while the server wrote: chains of which "
    "no\n"
    "file is there, and ends that others name, are notes then. Of a trail in its place they are\n"
    "findings, since somebody may have taken them away.";

static void on_finding(const struct audit_finding *finding, void *context)
{
    progress_clear(context);
    if (finding->note) {
        (void)printf("%s: note: %s\n", finding->file, finding->message);
        return;
    }
    if (finding->line)
        (void)printf("%s:%" PRIu64 ": %s\n", finding->file, finding->line, finding->message);
    else
        (void)printf("%s: %s\n", finding->file, finding->message);
}

static void on_progress(uint64_t done, uint64_t total, void *context)
{
    progress_draw(context, done, total);
}

static const char *reason_text(enum status status)
{
    switch ((int)status) {
    case ERR_IO:
        return errno ? strerror(errno) : "cannot be read";
    case ERR_INVALID:
        return "no Ed25519 public key (PEM) in the key file";
    default:
        return status_name(status);
    }
}

static const char *verdict(const struct audit_verify_result *result, bool copy)
{
    if (result->findings)
        return copy ? " (a copy: ends were not compared)" : "";
    return copy ? "whole, as far as it goes (a copy: ends were not compared)" : "whole";
}

static int compare(const struct cli_command *command, const char *directory, const char *public_key,
                   const char *kept)
{
    struct progress progress = {0};
    struct heads_result result;
    errno = 0;
    enum status status = heads_compare(directory, public_key, kept, on_finding, &progress, &result);
    if (status != OK)
        return cli_fail(command, CLI_CANNOT, "%s: %s", kept, reason_text(status));
    if (result.heads == 0 && result.findings == 0)
        return cli_fail(command, CLI_CANNOT,
                        "%s holds no checkpoint of this key (%" PRIu64 " of other keys)", kept,
                        result.others);
    (void)printf("%s: %" PRIu64 " checkpoint(s) that were sent, %" PRIu64
                 " of them before the first record that is here, %" PRIu64 " of other keys: ",
                 kept, result.heads, result.archived, result.others);
    if (result.findings)
        (void)printf("%" PRIu64 " finding(s)\n", result.findings);
    else
        (void)printf("all there\n");
    return result.findings ? CLI_FINDINGS : CLI_FINE;
}

static int verify(const struct cli_command *command, const char *directory, const char *public_key,
                  const char *kept, bool copy)
{
    struct progress progress;
    struct audit_verify_result result;
    char beside[4096];
    if (!public_key) {
        int len = snprintf(beside, sizeof beside, "%s/public.pem", directory);
        if (len < 0 || (size_t)len >= sizeof beside)
            return cli_fail(command, CLI_USAGE, "the directory's name is too long");
        public_key = beside;
        if (access(directory, F_OK) == 0 && access(beside, F_OK) != 0)
            return cli_fail(command, CLI_USAGE, "%s is not there: give --public-key", beside);
    }
    progress_begin(&progress);
    errno = 0;
    enum status status = (copy ? audit_verify_copy : audit_verify)(
        directory, public_key, on_finding, on_progress, &progress, &result);
    const char *reason = reason_text(status);
    progress_clear(&progress);
    if (status != OK)
        return cli_fail(command, CLI_CANNOT, "%s with key %s: %s", directory, public_key, reason);
    if (result.files == 0)
        return cli_fail(command, CLI_CANNOT, "%s holds no audit file", directory);
    if (result.tombstones)
        (void)printf("%s: %" PRIu64 " tombstone(s), each signed: %" PRIu64 " technical and %" PRIu64
                     " care record(s) were purged\n",
                     directory, result.tombstones, result.purged_technical, result.purged_care);
    (void)printf("%s: %" PRIu64 " file(s), %" PRIu64 " line(s), %" PRIu64 " checkpoint(s), %" PRIu64
                 " byte(s): ",
                 directory, result.files, result.records, result.checkpoints, result.bytes);
    if (result.findings)
        (void)printf("%" PRIu64 " finding(s)%s\n", result.findings, verdict(&result, copy));
    else
        (void)printf("%s\n", verdict(&result, copy));
    int code = kept ? compare(command, directory, public_key, kept) : CLI_FINE;
    return code == CLI_FINE && result.findings ? CLI_FINDINGS : code;
}

int cmd_audit_verify(int argc, char **argv)
{
    const char *public_key = NULL;
    const char *kept = NULL;
    bool copy = false;
    const struct cli_option options[] = {
        {0, "public-key", "FILE", "the public key that verifies, PEM; may hold several",
         &public_key, NULL},
        {0, "heads", "FILE", "what a syslog server has kept: compare its checkpoints", &kept, NULL},
        {0, "copy", NULL, "an archive, or copied while the server wrote: ends are notes", NULL,
         &copy},
        {0, NULL, NULL, NULL, NULL, NULL},
    };
    const struct cli_command command = {
        .name = "audit verify",
        .operands = "DIRECTORY",
        .about = about,
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
    };
    char **operands = NULL;
    size_t count = 0;
    int code = cli_parse(&command, argc, argv, &operands, &count);
    return code != CLI_CONTINUE ? code : verify(&command, operands[0], public_key, kept, copy);
}
