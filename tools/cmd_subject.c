/*
 * cmd_subject.c: `pgvigil subject`: access, portability, rights and requests of a person.
 *
 * Trust boundary: as of `deploy`: a DBA's conninfo, for one run.
 */
#include "tools/certificate.h"
#include "tools/subject.h"

#include <string.h>

static const char about[] =
    "What a person may ask of those who keep her records (RGPD, articles 15 to 21):\n"
    "\n"
    "  access       everything about her, and who has accessed it: HTML or JSON, with a FHIR "
    "Patient where the policy says of\n"
    "               what (--patient)\n"
    "  portability  the same data for another system: JSON, and a FHIR Patient where the policy "
    "says\n"
    "               what it is made of (--patient)\n"
    "  rectify      a wrong value: before and after; with --apply and --seen it is changed "
    "(--patient,\n"
    "               --table, --key, --column, --value; or --changes; --reason)\n"
    "  erase        what she may have erased, what the law keeps and why; with --apply it goes, by "
    "two\n"
    "               people, with a signed certificate (--patient, --by, --and-by, --reason)\n"
    "  set          an objection or restriction, in force from the next statement on: a right "
    "that\n"
    "               pgvigil keeps itself (--patient, --right, --note)\n"
    "  lift         takes it back (--patient, --right)\n"
    "  verify       is that register what was signed (--key); with FILE: is that certificate\n"
    "  request      somebody has asked for something: its month begins (--patient, --kind)\n"
    "  requests     what is open, and how many days are left\n"
    "  extend       two months more, with the reason that the person is told (--id, --reason)\n"
    "  settle       it is answered (--id, --outcome)\n"
    "\n"
    "rectify and erase only say what they would do, unless --apply.\n"
    "Every step is in the trail before it shows or changes anything.";

static const char exits[] =
    "Exit status: 0 done; 1 there is nothing about the patient; the document lacks something; a "
    "request\n"
    "is late; something would be changed or erased (without --apply), or nothing may be; one of "
    "the two\n"
    "people may not, or gave another password; a certificate is not what was signed, or is none of "
    "the\n"
    "trail's; 2 wrong usage; 3 it could not be done.";

static struct subject options;

static const struct cli_option own_options[] = {
    {'d', "database", "NAME", "database of the configuration; not needed when there is one",
     &options.database_name, NULL},
    {0, "as", "CONNINFO", "connection string of a DBA, for this run; dbname may be left out",
     &options.as, NULL},
    {'p', "patient", "SUBJECT", "the person, as the policy's \"subject\" has her", &options.patient,
     NULL},
    {0, "unknown", NULL, "set, lift, request: of a person about whom there is no row", NULL,
     &options.unknown},
    {0, "names", NULL, "access: name the professionals too", NULL, &options.names},
    {0, "right", "NAME", "set, lift: of the policy's \"rights\"", &options.right, NULL},
    {0, "note", "TEXT", "set, lift: why, for the register", &options.note, NULL},
    {0, "kind", "WORD",
     "request: access, rectification, erasure, restriction, portability or objection",
     &options.kind, NULL},
    {0, "received", "DATE", "request: when it came, YYYY-MM-DD; default: today", &options.received,
     NULL},
    {0, "id", "N", "extend, settle: which request", &options.id, NULL},
    {0, "table", "NAME", "rectify: schema.name", &options.table, NULL},
    {0, "column", "NAME", "rectify: which value of the row is wrong", &options.column, NULL},
    {0, "value", "TEXT", "rectify: the right one, as PostgreSQL takes it", &options.value, NULL},
    {0, "null", NULL, "rectify: instead of --value: none", NULL, &options.null},
    {0, "changes", "FILE", "rectify: JSON, a list of {\"table\", \"key\", \"column\", \"value\"}",
     &options.changes, NULL},
    {0, "seen", "WORD", "rectify: what stands below what was shown", &options.seen, NULL},
    {0, "reason", "TEXT", "extend, rectify, erase: why", &options.reason, NULL},
    {0, "archive", "CONNINFO",
     "access, portability, erase: the same as --as, for the archive database", &options.archive_as,
     NULL},
    {0, "apply", NULL, "rectify, erase: do it", NULL, &options.apply},
    {0, "by", "NAME", "erase: one of two people, who give their passwords", &options.by, NULL},
    {0, "and-by", "NAME", "erase: the other", &options.and_by, NULL},
    {0, "certificates", "DIRECTORY", "erase: where certificates go, default ./certificates",
     &options.certificates, NULL},
    {0, "request", "N", "rectify, erase: the request that it answers, and settles",
     &options.request, NULL},
    {0, "outcome", "TEXT", "settle: what was answered", &options.outcome, NULL},
    {0, "all", NULL, "requests: those that are settled too", NULL, &options.all},
    {0, "key", "FILE",
     "verify: the public key, the trail's public.pem; rectify: the row's primary key",
     &options.key_file, NULL},
    {0, NULL, NULL, NULL, NULL, NULL},
};
#define OWN (sizeof own_options / sizeof own_options[0])

struct subcommand {
    const char *name;
    int (*run)(struct subject *subject);
};

static const struct subcommand subcommands[] = {
    {"access", subject_access},     {"portability", subject_portability},
    {"set", subject_set},           {"lift", subject_lift},
    {"verify", subject_verify},     {"request", subject_request},
    {"requests", subject_requests}, {"extend", subject_extend},
    {"settle", subject_settle},     {"erase", subject_erase},
    {"rectify", subject_rectify},
};

/* Of whom there is no row, a right or a request can be kept; there is nothing to show or change. */
static bool may_be_unknown(const char *name)
{
    return strcmp(name, "set") == 0 || strcmp(name, "lift") == 0 || strcmp(name, "request") == 0;
}

int cmd_subject(int argc, char **argv)
{
    struct cli_option table[1 + DOC_OPTIONS + OWN] = {DOC_CONFIG_OPTION(options.doc_options)};
    doc_options(&options.doc_options,
                "access: html (default) or json; portability: json (default) or fhir; erase: text "
                "(default) or json",
                table + 1);
    memcpy(table + 1 + DOC_OPTIONS, own_options, sizeof own_options);
    const struct cli_command command = {
        .name = "subject",
        .operands = "access|portability|rectify|erase|set|lift|verify "
                    "[FILE]|request|requests|extend|settle",
        .about = about,
        .exits = exits,
        .options = table,
        .min_operands = 1,
        .max_operands = 2,
    };
    char **operands = NULL;
    size_t count = 0;
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code != CLI_CONTINUE)
        return code;
    if (count == 2 && strcmp(operands[0], "verify") == 0)
        return options.key_file
                   ? certificate_verify(&command, options.key_file, operands[1])
                   : cli_fail(&command, CLI_USAGE, "subject verify FILE --key public.pem");
    if (count == 2)
        return cli_fail(&command, CLI_USAGE, "%s takes no '%s'", operands[0], operands[1]);
    if (options.unknown && !may_be_unknown(operands[0]))
        return cli_fail(&command, CLI_USAGE, "--unknown is for set, lift and request, not for '%s'",
                        operands[0]);
    options.command = &command;
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        if (strcmp(subcommands[i].name, operands[0]) != 0)
            continue;
        code = subcommands[i].run(&options);
        subject_close(&options);
        return code;
    }
    return cli_fail(&command, CLI_USAGE, "unknown subcommand '%s': see --help", operands[0]);
}
