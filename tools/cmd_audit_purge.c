/*
 * cmd_audit_purge.c: `pgvigil audit purge`: records that are not wanted any longer.
 *
 * Trust boundary: who runs it has the private key, and could do worse. What is purged, by whom and
 * why is on record, and each gap is signed.
 */
#include "tools/cmd_audit.h"

#include <inttypes.h>
#include <pgvigil/audit.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

static const char about[] =
    "Takes the records that audit.retention does not want any longer out of the trail's closed "
    "files:\n"
    "technical ones after technical_days, those about care after care_years. In their places "
    "stand\n"
    "signed tombstones, so that the chain still verifies and says how many are gone.\n"
    "\n"
    "Without --yes it only says what is due. It may run beside the server, and may be ended at "
    "any\n"
    "time: each file is the old one or the new one. The files that are being written are not "
    "touched,\n"
    "and files that are not what was written are left alone: they are evidence.";

static void on_file(const struct audit_purge_file *file, void *context)
{
    (void)context;
    if (file->refused)
        (void)printf("%s: left alone: %s\n", file->name, file->refused);
    else
        (void)printf("%s: %" PRIu64 " technical, %" PRIu64 " care record(s) of %" PRIu64
                     " line(s)\n",
                     file->name, file->technical, file->care, file->lines);
}

/* "anna@clinic-1": the machine's word, which is what there is. */
static void name_person(char *out, size_t size)
{
    char host[128] = "";
    char space[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    (void)gethostname(host, sizeof host - 1);
    if (getpwuid_r(getuid(), &entry, space, sizeof space, &found) == 0 && found)
        (void)snprintf(out, size, "%s@%s", found->pw_name, host);
    else
        (void)snprintf(out, size, "uid %ju@%s", (uintmax_t)getuid(), host);
}

static int purge(const struct cli_command *command, const struct config *config, bool yes)
{
    struct audit_purge_result result;
    const char *why = NULL;
    char who[256];
    name_person(who, sizeof who);
    enum status status = audit_purge(&config->audit, yes, who, on_file, NULL, &result, &why);
    if (status != OK)
        return cli_fail(command, CLI_CANNOT, "%s", why);
    (void)printf("%s: %" PRIu64 " technical and %" PRIu64 " care record(s) in %" PRIu64
                 " file(s) %s",
                 config->audit.directory, result.technical, result.care, result.files,
                 yes ? "were purged" : "are due");
    if (yes)
        (void)printf("; %" PRIu64 " byte(s) became %" PRIu64 "\n", result.bytes, result.bytes_left);
    else
        (void)printf("%s\n", result.files ? "; nothing was changed: --yes does it" : "");
    return result.refused ? CLI_FINDINGS : CLI_FINE;
}

int cmd_audit_purge(int argc, char **argv)
{
    const char *path = CLI_DEFAULT_CONFIG;
    bool yes = false;
    bool dry = false;
    const struct cli_option options[] = {
        {'c', "config", "FILE", "the configuration; default " CLI_DEFAULT_CONFIG, &path, NULL},
        {0, "dry-run", NULL, "say what is due, change nothing (the default)", NULL, &dry},
        {0, "yes", NULL, "do it", NULL, &yes},
        {0, NULL, NULL, NULL, NULL, NULL},
    };
    const struct cli_command command = {
        .name = "audit purge",
        .about = about,
        .options = options,
        .exits = "Exit status: 0 done, 1 files were left alone, 2 wrong usage, 3 cannot be done.",
    };
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code != CLI_CONTINUE)
        return code;
    if (yes && dry)
        return cli_fail(&command, CLI_USAGE, "--dry-run and --yes: which?");
    struct config *config = NULL;
    code = cli_load_config(path, &config, stderr);
    if (code != CLI_FINE)
        return code;
    code = purge(&command, config, yes);
    config_free(config);
    return code;
}
