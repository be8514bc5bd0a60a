/*
 * cmd_audit_export.c: `pgvigil audit export`: the trail in another system's format.
 *
 * Trust boundary: the directory's files are evidence that someone may have forged; what is exported
 * is what stands there. Whether that is what was written, `audit verify` says.
 */
#include "audit/fhir_export.h"
#include "tools/audit_filter.h"
#include "tools/audit_reader.h"
#include "tools/cmd_audit.h"
#include "tools/progress.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUNDLE_MAX 100000UL

static const char about[] =
    "Writes the trail in DIRECTORY to standard output as FHIR R4 AuditEvent resources, one JSON\n"
    "object a line: one for each patient of a record, one without a patient where none is known. "
    "A\n"
    "statement's begin, more and end records are put together. --bundle N gives transaction\n"
    "Bundles of N resources instead, one a line, to be POSTed to a FHIR server's base address: "
    "each\n"
    "resource has an id of its own that stays, so that what is sent twice is there once.\n"
    "\n"
    "Times are UTC, as far as wanted: 2026, 2026-01, 2026-01-31T12:00; all of --to is in. The "
    "last\n"
    "line on standard error tells where the next export goes on: --after POSITION. Check the "
    "trail\n"
    "first: pgvigil audit verify DIRECTORY.";

static const char exits[] = "Exit status: 0 all was exported, 1 all but some lines that are none "
                            "of the trail's (told on\nstandard error), 2 wrong usage, 3 cannot be "
                            "done.";

struct arguments {
    const char *format;
    struct query period;
    const char *bundle;
    const char *lang;
    struct fhir_export export;
};

static void on_problem(const char *file, uint64_t line, const char *what, void *context)
{
    progress_clear(context);
    (void)fprintf(stderr, "%s:%" PRIu64 ": not exported: %s\n", file ? file : "-", line, what);
}

static void on_progress(uint64_t done, uint64_t total, void *context)
{
    progress_draw(context, done, total);
}

/* What FHIR calls a uri, and nothing that would have to be escaped. */
static bool is_uri(const char *text)
{
    if (!isalpha((unsigned char)text[0]) || !strchr(text, ':'))
        return false;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at <= ' ' || *at >= 0x7f || *at == '"' || *at == '\\')
            return false;
    }
    return true;
}

static int read_bundle(const struct cli_command *command, const char *text, unsigned *bundle)
{
    if (!text)
        return CLI_CONTINUE;
    char *end = NULL;
    unsigned long value = isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : 0;
    if (value == 0 || value > BUNDLE_MAX || *end)
        return cli_fail(command, CLI_USAGE, "--bundle is a number from 1 to %lu, not '%s'",
                        BUNDLE_MAX, text);
    *bundle = (unsigned)value;
    return CLI_CONTINUE;
}

static int read_arguments(const struct cli_command *command, struct arguments *arguments)
{
    struct fhir_export *export = &arguments->export;
    const char *uris[] = {export->fhir.patient_system, export->fhir.user_system};
    if (arguments->format && strcmp(arguments->format, "fhir") != 0)
        return cli_fail(command, CLI_USAGE, "--format is fhir, not '%s'", arguments->format);
    const char *why = NULL;
    enum status status = query_prepare(&arguments->period, &why);
    if (status != OK)
        return cli_fail(command, status == ERR_INVALID ? CLI_USAGE : CLI_CANNOT, "%s",
                        why ? why : status_name(status));
    export->period = &arguments->period;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        if (uris[i] && !is_uri(uris[i]))
            return cli_fail(command, CLI_USAGE,
                            "a system is a URI such as urn:oid:1.2.250.1.213.1.4.8, not '%s'",
                            uris[i]);
    }
    int code = read_bundle(command, arguments->bundle, &export->bundle);
    bool french = false;
    if (code == CLI_CONTINUE)
        code = cli_read_lang(command, arguments->lang, &french);
    export->fhir.lang = french ? FHIR_FR : FHIR_EN;
    return code;
}

static int run(const struct cli_command *command, struct fhir_export *export)
{
    struct progress progress;
    struct fhir_exported result;
    const char *why = NULL;
    audit_tell_absent(command, export->directory);
    progress_begin(&progress);
    export->on_problem = on_problem;
    export->on_progress = on_progress;
    export->context = &progress;
    errno = 0;
    enum status status = fhir_export_run(export, stdout, &result, &why);
    int error = errno;
    progress_clear(&progress);
    if (status == ERR_INVALID)
        return cli_fail(command, CLI_USAGE, "--after is a position that an export told, not '%s'",
                        export->after);
    if (status != OK)
        return cli_fail(command, CLI_CANNOT, "%s: %s", why ? why : export->directory,
                        status == ERR_IO && error ? strerror(error) : status_name(status));
    if (result.files == 0) {
        free(result.position);
        return cli_fail(command, CLI_CANNOT, "%s holds no audit file", export->directory);
    }
    (void)fprintf(stderr,
                  "%" PRIu64 " resource(s) of %" PRIu64 " record(s) in %" PRIu64 " file(s)\n",
                  result.resources, result.records, result.files);
    if (result.no_end)
        (void)fprintf(stderr,
                      "%" PRIu64 " statement(s) without an end so far: the next export tells how "
                      "they went\n",
                      result.no_end);
    (void)fprintf(stderr, "--after %s\n", result.position);
    free(result.position);
    return result.problems ? CLI_FINDINGS : CLI_FINE;
}

#define OWN_OPTIONS 11

int cmd_audit_export(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct fhir_export *export = &arguments.export;
    struct audit_reader reader = {.doing = "export"};
    const struct cli_option own[OWN_OPTIONS] = {
        {0, "format", "NAME", "fhir, which is the default", &arguments.format, NULL},
        {0, "from", "TIME", "UTC, as far as wanted: 2026-01, 2026-01-31T12:00",
         &arguments.period.from, NULL},
        {0, "to", "TIME", "the same; all of it is in", &arguments.period.to, NULL},
        {0, "patient", "ID", "this patient's only", &export->patient, NULL},
        {0, "after", "POSITION", "what is new since the export that told it", &export->after, NULL},
        {0, "bundle", "N", "transaction Bundles of N resources", &arguments.bundle, NULL},
        {0, "patient-system", "URI", "whose identifiers the patients' are",
         &export->fhir.patient_system, NULL},
        {0, "patient-reference", "PREFIX", "refer to patients, too: Patient/",
         &export->fhir.patient_reference, NULL},
        {0, "user-system", "URI", "whose identifiers the people's names are",
         &export->fhir.user_system, NULL},
        {0, "site", "NAME", "where this pgvigil stands", &export->fhir.site, NULL},
        {0, "lang", "fr|en", "language of outcomeDesc; default: the locale's", &arguments.lang,
         NULL},
    };
    struct cli_option options[OWN_OPTIONS + AUDIT_READER_OPTIONS];
    memcpy(options, own, sizeof own);
    audit_reader_options(&reader, options + OWN_OPTIONS);
    const struct cli_command command = {
        .name = "audit export",
        .operands = "DIRECTORY",
        .about = about,
        .exits = exits,
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
    };
    char **operands = NULL;
    size_t count = 0;
    audit_reader_remember(&reader, argc, argv);
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code == CLI_CONTINUE)
        code = read_arguments(&command, &arguments);
    if (code == CLI_CONTINUE) {
        export->directory = operands[0];
        code = audit_reader_record(&reader, &command, operands[0], export->patient);
        if (code == CLI_FINE)
            code = run(&command, export);
    }
    query_free(&arguments.period);
    return code;
}
