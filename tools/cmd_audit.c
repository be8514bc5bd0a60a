/*
 * cmd_audit.c: `pgvigil audit`: what can be asked of the trail.
 *
 * Trust boundary: none of its own; each subcommand says what it makes of the trail's files.
 */
#include "tools/cmd_audit.h"

#include <stdio.h>
#include <string.h>

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct subcommand subcommands[] = {
    {"verify", cmd_audit_verify, "is the trail what was written"},
    {"ship", cmd_audit_ship, "sends its records to syslog and to a central PostgreSQL"},
    {"compress", cmd_audit_compress, "compress the files that are closed"},
    {"purge", cmd_audit_purge, "take out what is not kept any longer"},
    {"search", cmd_audit_search, "who did what"},
    {"report", cmd_audit_report, "who saw a patient, broken glasses, refusals, unused grants"},
    {"follow", cmd_audit_follow, "what is being done"},
    {"index", cmd_audit_index, "so that searching reads only what it must"},
    {"export", cmd_audit_export, "the trail as FHIR AuditEvent resources"},
};

static const char about[] =
    "Asks the trail of pgvigil's records. \"pgvigil audit SUBCOMMAND --help\" tells more:\n";

static void names(char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        int len =
            snprintf(out + used, size - used, "%s'%s'", i == 0 ? "" : ", ", subcommands[i].name);
        if (len < 0 || (size_t)len >= size - used)
            return;
        used += (size_t)len;
    }
}

/* The paragraph for --help. */
static const char *described(char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%s", about);
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0] && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "\n  %-8s  %s", subcommands[i].name,
                                 subcommands[i].help);
    return out;
}

int cmd_audit(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof subcommands / sizeof subcommands[0]; i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
    }
    char text[4096];
    const struct cli_option options[] = {{0, NULL, NULL, NULL, NULL, NULL}};
    const struct cli_command command = {
        .name = "audit",
        .operands = "SUBCOMMAND ...",
        .about = described(text, sizeof text),
        .options = options,
        .min_operands = 1,
        .max_operands = (size_t)argc + 1,
    };
    char **operands = NULL;
    size_t count = 0;
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code != CLI_CONTINUE)
        return code;
    char known[512] = "";
    names(known, sizeof known);
    return cli_fail(&command, CLI_USAGE, "unknown subcommand '%s': there is %s", operands[0],
                    known);
}
