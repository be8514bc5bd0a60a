/*
 * cmd_retention.c: `pgvigil retention`: what is past its time, listed, moved and destroyed.
 *
 * Trust boundary: as of `deploy`: DBAs' conninfos, for one run.
 */
#include "tools/certificate.h"
#include "tools/retention.h"

#include <stdio.h>
#include <string.h>

static const char about[] =
    "Works by the policy's \"retention\": five years from the last consultation, then fifteen in\n"
    "the archive, then destruction; minors until 28, ten years from a death, and a legal hold\n"
    "beats every date.\n"
    "\n"
    "  init     makes an empty copy of the tables the archive of this database (--archive)\n"
    "  plan     what is due, and when; changes nothing\n"
    "  archive  moves what is past its active years to the archive database (--archive)\n"
    "  destroy  deletes what is past its term, by two people (--by, --and-by), with a signed\n"
    "           certificate; in the archive too, if it is given\n"
    "  verify   a certificate: FILE, with --key\n"
    "\n"
    "init, archive and destroy only say what they would do, unless --apply. They can be stopped at "
    "any\n"
    "moment and be run again: a row is copied, compared and only then deleted.";

static const char exits[] =
    "Exit status: 0 done, or nothing is due; 1 something is due, or was left where it is; 2 wrong\n"
    "usage; 3 it could not be done.";

static struct retention options;
static const char *key_file;

static const struct cli_option option_table[] = {
    {'c', "config", "FILE", "configuration (" CLI_DEFAULT_CONFIG ")", &options.config_file, NULL},
    {'d', "database", "NAME", "database of the configuration; not needed when there is one",
     &options.database_name, NULL},
    {0, "as", "CONNINFO", "connection string of a DBA, for this run; dbname may be left out",
     &options.as, NULL},
    {0, "archive", "CONNINFO", "the same for the archive database", &options.archive_as, NULL},
    {0, "on", "DATE", "plan: as if it were that day, YYYY-MM-DD", &options.on, NULL},
    {0, "format", "WORD", "plan: text (default), json or csv", &options.format, NULL},
    {0, "lang", "WORD", "en or fr; default: the locale's", &options.lang, NULL},
    {0, "apply", NULL, "archive, destroy: do it", NULL, &options.apply},
    {0, "batch", "N", "records in one transaction, default 100", &options.batch_size, NULL},
    {0, "by", "NAME", "destroy: one of two people, who give their passwords", &options.by, NULL},
    {0, "and-by", "NAME", "destroy: the other", &options.and_by, NULL},
    {0, "certificates", "DIRECTORY", "destroy: where certificates go, default ./certificates",
     &options.certificates, NULL},
    {0, "key", "FILE", "verify: the public key, the trail's public.pem", &key_file, NULL},
    {0, NULL, NULL, NULL, NULL, NULL},
};

static const struct cli_command command = {
    .name = "retention",
    .operands = "init|plan|archive|destroy|verify [FILE]",
    .about = about,
    .exits = exits,
    .options = option_table,
    .min_operands = 1,
    .max_operands = 2,
};

struct subcommand {
    const char *name;
    int (*run)(struct retention *retention);
};

static const struct subcommand subcommands[] = {
    {"init", retention_init},
    {"plan", retention_plan},
    {"archive", retention_archive},
    {"destroy", retention_destroy},
};

/* "YYYY-MM-DD" as SQL; PostgreSQL says whether there is such a day. */
static int read_day(const char **day)
{
    static char sql[32];
    if (!*day)
        return CLI_FINE;
    if (strlen(*day) != 10 || strspn(*day, "0123456789-") != 10 || (*day)[4] != '-' ||
        (*day)[7] != '-')
        return cli_fail(&command, CLI_USAGE, "--on is a day, YYYY-MM-DD, not '%s'", *day);
    (void)snprintf(sql, sizeof sql, "date '%s'", *day);
    *day = sql;
    return CLI_FINE;
}

static int run(const struct subcommand *subcommand)
{
    options.command = &command;
    if (options.on && strcmp(subcommand->name, "plan") != 0)
        return cli_fail(&command, CLI_USAGE, "--on is for plan: what is done is done today");
    int code = read_day(&options.on);
    if (code != CLI_FINE)
        return code;
    code = cli_read_lang(&command, options.lang, &options.french);
    if (code != CLI_CONTINUE)
        return code;
    code = retention_open(&options);
    if (code == CLI_FINE)
        code = subcommand->run(&options);
    retention_close(&options);
    return code;
}

int cmd_retention(int argc, char **argv)
{
    char **operands = NULL;
    size_t count = 0;
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code != CLI_CONTINUE)
        return code;
    if (strcmp(operands[0], "verify") == 0) {
        if (count != 2 || !key_file)
            return cli_fail(&command, CLI_USAGE, "retention verify FILE --key public.pem");
        return certificate_verify(&command, key_file, operands[1]);
    }
    for (size_t i = 0; count == 1 && i < sizeof subcommands / sizeof subcommands[0]; i++)
        if (strcmp(subcommands[i].name, operands[0]) == 0)
            return run(&subcommands[i]);
    return cli_fail(&command, CLI_USAGE,
                    "there is init, plan, archive, destroy and verify FILE; not '%s'",
                    operands[count == 1 ? 0 : 1]);
}
