/*
 * cmd_audit_report.c: `pgvigil audit report`: who saw a patient, what a person did, broken glasses,
 * refusals, grants that nobody uses.
 *
 * Trust boundary: as of `audit search`.
 */
#include "tools/audit_filter.h"
#include "tools/audit_reader.h"
#include "tools/audit_tally.h"
#include "tools/catalog_file.h"
#include "tools/cmd_audit.h"

#include <pgvigil/config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char about[] =
    "Prints a table of what the trail says:\n"
    "\n"
    "  patient        who saw a patient, when, as what, which tables, how often: --patient\n"
    "  user           what a person did, day by day: --user\n"
    "  host-staff     what the host's people did: organisation.hosting.staff of -c\n"
    "  break-glass    each broken glass: for whom, why, what was read in it, how it ended\n"
    "  refusals       what was refused, to whom, how often\n"
    "  unused-grants  what the policy of -c lets a role read in a mission, and nobody read: what\n"
    "                 could be taken away\n"
    "\n"
    "Filters are those of \"pgvigil audit search\". Times and days are UTC.";

static const char exits[] =
    "Exit status: 0 done, 1 there is no such record (unused-grants: everything is used), 2 wrong\n"
    "usage, 3 cannot be done, or part of the trail could not be read and the table may lack some.";

struct options {
    struct query query;
    struct audit_reader reader;
    const char *format;
    const char *lang;
    struct audit_index index;
    const char *catalog_file;
};

static void note_record(struct tally *tally, const json_t *answer)
{
    const char *time = tally_text(answer, "time");
    tally->records++;
    if (time && (!tally->first[0] || strcmp(time, tally->first) < 0))
        (void)snprintf(tally->first, sizeof tally->first, "%s", time);
    if (time && strcmp(time, tally->last) > 0)
        (void)snprintf(tally->last, sizeof tally->last, "%s", time);
}

static int fill(const struct cli_command *command, struct tally *tally, struct search *search,
                struct audit_teller *teller)
{
    const json_t *answer = NULL;
    enum status status = OK;
    while ((status = search_next(search, &answer)) == OK) {
        note_record(tally, answer);
        status = tally->kind->add(tally, answer);
        if (status != OK)
            break;
    }
    if (status == CLOSED)
        status = tally->kind->finish ? tally->kind->finish(tally) : OK;
    int code = audit_teller_end(teller, command, search_count(search));
    if (status == ERR_LIMIT)
        return cli_fail(command, CLI_CANNOT,
                        "the table would be too large: narrow it down (--from, --to, --role...)");
    if (status != OK)
        return cli_fail(command, CLI_CANNOT, "%s", status_name(status));
    return code;
}

static int load_policy(const struct cli_command *command, const struct options *options,
                       struct policy **policy, struct catalog **catalog)
{
    struct config *config = NULL;
    const char *file =
        options->reader.config_file ? options->reader.config_file : CLI_DEFAULT_CONFIG;
    int code = cli_load_config(file, &config, stderr);
    if (code == CLI_FINE)
        code = cli_load_policy(config->policy, policy, stderr);
    config_free(config);
    if (code != CLI_FINE)
        return CLI_CANNOT;
    return options->catalog_file ? catalog_file_open(command, options->catalog_file, catalog)
                                 : CLI_FINE;
}

/* The configuration, where the report is about people whom it names. The caller frees it. */
static int load_staff(const struct cli_command *command, const struct options *options,
                      struct config **config)
{
    const char *file =
        options->reader.config_file ? options->reader.config_file : CLI_DEFAULT_CONFIG;
    int code = cli_load_config(file, config, stderr);
    if (code != CLI_FINE)
        return CLI_CANNOT;
    if ((*config)->organisation.hosting.staff_count > 0)
        return CLI_FINE;
    return cli_fail(command, CLI_CANNOT,
                    "%s names nobody of the host's: list the policy's users who are, in "
                    "organisation.hosting.staff",
                    file);
}

static int run(const struct cli_command *command, const struct options *options,
               struct tally *tally, const char *directory, enum audit_format format)
{
    struct audit_teller teller;
    struct search_events events;
    struct search *search = NULL;
    audit_teller_events(&teller, &events);
    int code = audit_reader_record(&options->reader, command, directory, options->query.patient);
    if (code == CLI_FINE)
        code = audit_search_open(command, directory, &options->index, &options->query, &events,
                                 &search);
    if (code != CLI_FINE)
        return code;
    if (tally_start(tally) != OK)
        code = cli_fail(command, CLI_CANNOT, "out of memory");
    else
        code = fill(command, tally, search, &teller);
    search_close(search);
    /* Part of the table is told, too, when lines were damaged: stderr and the exit code say so. */
    if (tally->arena && !arena_failed(tally->arena)) {
        tally_print(tally, format, stdout);
        if (code == CLI_FINE && tally->count == 0)
            code = CLI_FINDINGS;
    }
    return fflush(stdout) == 0 ? code : cli_fail(command, CLI_CANNOT, "cannot write");
}

static int choose(const struct cli_command *command, const struct options *options,
                  const char *word, struct tally *tally, enum audit_format *format)
{
    for (size_t i = 0; !tally->kind && tally_kind_at(i); i++) {
        if (strcmp(tally_kind_at(i)->name, word) == 0)
            tally->kind = tally_kind_at(i);
    }
    if (!tally->kind)
        return cli_fail(
            command, CLI_USAGE,
            "there is no report '%s': patient, user, host-staff, break-glass, refusals, "
            "unused-grants",
            word);
    if (tally->kind->needs_patient && !options->query.patient)
        return cli_fail(command, CLI_USAGE, "report %s wants --patient", word);
    if (tally->kind->needs_user && !options->query.text[QUERY_USER])
        return cli_fail(command, CLI_USAGE, "report %s wants --user", word);
    if (!audit_format_parse(options->format, format))
        return cli_fail(command, CLI_USAGE, "--format is text, json or csv, not '%s'",
                        options->format);
    bool french = false;
    int code = cli_read_lang(command, options->lang, &french);
    tally->lang = french ? TALLY_FR : TALLY_EN;
    return code == CLI_CONTINUE ? CLI_FINE : code;
}

static int start(const struct cli_command *command, struct options *options, char **operands)
{
    struct tally tally = {.query = &options->query};
    struct policy *policy = NULL;
    struct catalog *catalog = NULL;
    struct config *config = NULL;
    enum audit_format format = AUDIT_TEXT;
    int code = choose(command, options, operands[0], &tally, &format);
    if (code != CLI_FINE || !tally.kind)
        return code;
    memcpy(options->query.either, tally.kind->either, sizeof options->query.either);
    const char *why = NULL;
    enum status status = query_prepare(&options->query, &why);
    if (status != OK)
        code = cli_fail(command, status == ERR_INVALID ? CLI_USAGE : CLI_CANNOT, "%s",
                        why ? why : status_name(status));
    if (code == CLI_FINE && tally.kind->needs_policy)
        code = load_policy(command, options, &policy, &catalog);
    if (code == CLI_FINE && tally.kind->needs_staff)
        code = load_staff(command, options, &config);
    tally.policy = policy;
    tally.catalog = catalog;
    tally.config = config;
    if (code == CLI_FINE)
        code = run(command, options, &tally, operands[1], format);
    tally_end(&tally);
    query_free(&options->query);
    catalog_unref(catalog);
    policy_unref(policy);
    config_free(config);
    return code;
}

int cmd_audit_report(int argc, char **argv)
{
    struct options options = {.reader = {.doing = "report"}};
    struct cli_option table[AUDIT_FILTER_OPTIONS + AUDIT_INDEX_OPTIONS + AUDIT_READER_OPTIONS + 3] =
        {0};
    struct cli_option *own = table + AUDIT_FILTER_OPTIONS;
    audit_filter_options(&options.query, table);
    *own++ = (struct cli_option){
        0, "format", "WORD", "text (default), json or csv", &options.format, NULL};
    *own++ = (struct cli_option){
        0, "lang", "WORD", "en or fr; default: the locale's", &options.lang, NULL};
    *own++ = (struct cli_option){0,
                                 "catalog",
                                 "FILE",
                                 "unused-grants: what \"check --save-catalog\" wrote",
                                 &options.catalog_file,
                                 NULL};
    audit_index_options(&options.index, own);
    audit_reader_options(&options.reader, own + AUDIT_INDEX_OPTIONS);
    const struct cli_command command = {
        .name = "audit report",
        .operands = "KIND DIRECTORY",
        .about = about,
        .exits = exits,
        .options = table,
        .min_operands = 2,
        .max_operands = 2,
    };
    char **operands = NULL;
    size_t count = 0;
    audit_reader_remember(&options.reader, argc, argv);
    int code = cli_parse(&command, argc, argv, &operands, &count);
    return code != CLI_CONTINUE ? code : start(&command, &options, operands);
}
