/*
 * cmd_incident.c: `pgvigil incident`: what a breach has touched, for the authority and the persons.
 *
 * Trust boundary: as of `audit search`; reading the trail is itself on record. The document holds
 * the numbers of patients: it goes to stdout or to a file that its owner alone can read.
 */
#include "tools/audit_filter.h"
#include "tools/audit_reader.h"
#include "tools/incident_data.h"

#include <stdio.h>
#include <string.h>

static const char about[] =
    "Says what the trail knows of a breach of personal data: which patients, which records, which\n"
    "categories of data, by whom and when; with the clock of 72 hours (GDPR, article 33), what "
    "the\n"
    "CNIL's form asks for, and the letter to the persons (article 34). Say with filters, which "
    "are\n"
    "those of \"pgvigil audit search\", which records belong to it.\n"
    "\n"
    "  --form report   the file of the incident (default)\n"
    "  --form letter   the letter to the persons, one for all\n"
    "  --form list     the patients and their categories, for merging: CSV or JSON\n"
    "\n"
    "Times that are given or shown as local are of this machine's time zone (TZ); the trail's are\n"
    "UTC.";

static const char exits[] =
    "Exit status: 0 complete, 1 something is to be completed or no record was found, 2 wrong\n"
    "usage, 3 cannot be done, or part of the trail could not be read and the numbers may be low.";

enum form { FORM_REPORT, FORM_LETTER, FORM_LIST };

struct options {
    struct query query;
    struct audit_reader reader;
    struct doc_options doc;
    struct incident_said said;
    const char *form;
    struct audit_index index;
};

#define OWN_OPTIONS 6U

static void own_options(struct options *options, struct cli_option *rows)
{
    const struct cli_option made[OWN_OPTIONS] = {
        {0, "form", "WORD", "report (default), letter or list", &options->form, NULL},
        {0, "aware", "TIME", "when the controller became aware of it: 2026-03-28T14:30",
         &options->said.aware, NULL},
        {0, "nature", "TEXT", "what happened, in a sentence", &options->said.nature, NULL},
        {0, "cause", "TEXT", "how it could happen", &options->said.cause, NULL},
        {0, "consequences", "TEXT", "what it may mean for the persons", &options->said.consequences,
         NULL},
        {0, "measures", "TEXT", "what was done about it, and what they can do",
         &options->said.measures, NULL},
    };
    memcpy(rows, made, sizeof made);
}

static int read_form(const struct cli_command *command, const struct options *options,
                     enum form *form)
{
    static const char *const words[] = {"report", "letter", "list"};
    const char *format = options->doc.format;
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(options->form ? options->form : "report", words[i]) != 0)
            continue;
        *form = (enum form)i;
        bool csv = format && strcmp(format, "csv") == 0;
        if (csv && *form != FORM_LIST)
            return cli_fail(command, CLI_USAGE, "--format csv is for --form list");
        if (*form == FORM_LIST && !csv && (!format || strcmp(format, "json") != 0))
            return cli_fail(command, CLI_USAGE, "--form list wants --format csv or json");
        return CLI_FINE;
    }
    return cli_fail(command, CLI_USAGE, "--form is report, letter or list, not '%s'",
                    options->form);
}

/* Without a filter everything since the beginning would be the incident. */
static bool is_asked(const struct query *query)
{
    bool asked = query->patient || query->table || query->column || query->from || query->to ||
                 query->break_glass;
    for (size_t i = 0; i < QUERY_FIELDS; i++)
        asked = asked || query->text[i];
    return asked;
}

static void put_filters(const struct doc *doc, const struct query *query)
{
    json_t *filters = json_array();
    const struct {
        const char *name;
        const char *value;
    } others[] = {{"patient", query->patient}, {"table", query->table},
                  {"column", query->column},   {"from", query->from},
                  {"to", query->to},           {"break-glass", query->break_glass ? "yes" : NULL}};
    for (size_t i = 0; i < QUERY_FIELDS; i++) {
        if (query->text[i])
            (void)json_array_append_new(filters, json_pack("{s:s, s:s}", "name",
                                                           query_key((enum query_field)i), "value",
                                                           query->text[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i].value)
            (void)json_array_append_new(
                filters, json_pack("{s:s, s:s}", "name", others[i].name, "value", others[i].value));
    }
    doc_set(doc, "filters", filters);
}

/* *read: the trail was gone through to its end, so that there is something to tell; the code says
 * whether parts of it could not be read. */
static int gather(const struct cli_command *command, const struct options *options,
                  const char *directory, struct incident *incident, bool *read)
{
    struct audit_teller teller;
    struct search_events events;
    struct search *search = NULL;
    const json_t *answer = NULL;
    audit_teller_events(&teller, &events);
    int code = audit_reader_record(&options->reader, command, directory, options->query.patient);
    if (code == CLI_FINE)
        code = audit_search_open(command, directory, &options->index, &options->query, &events,
                                 &search);
    if (code != CLI_FINE)
        return code;
    enum status status = OK;
    while (status == OK && (status = search_next(search, &answer)) == OK)
        status = incident_add(incident, answer);
    code = audit_teller_end(&teller, command, search_count(search));
    search_close(search);
    if (status == ERR_LIMIT)
        return cli_fail(command, CLI_CANNOT,
                        "the tables would be too large: narrow it down (--from, --to, --user...)");
    if (status != CLOSED)
        return cli_fail(command, CLI_CANNOT, "%s", status_name(status));
    *read = true;
    if (incident->left_out > 0)
        return cli_fail(command, CLI_CANNOT,
                        "a statement names more patients than fit in memory: the number is too "
                        "low");
    return code;
}

static void print_list(const struct doc *doc, FILE *out)
{
    incident_print_patients(doc, doc->context, out);
}

static int write_document(const struct cli_command *command, const struct options *options,
                          struct doc *doc, struct incident *incident, enum form form, time_t aware)
{
    doc->context = incident;
    switch (form) {
    case FORM_REPORT:
        put_filters(doc, &options->query);
        incident_fill_report(doc, incident, &options->said, aware);
        return doc_end(command, &options->doc, doc, "incident", NULL);
    case FORM_LETTER:
        incident_fill_letter(doc, incident, &options->said);
        return doc_end(command, &options->doc, doc, "letter", NULL);
    case FORM_LIST:
        incident_fill_list(doc, incident);
        return doc_end(command, &options->doc, doc, "letter", print_list);
    }
    return CLI_CANNOT;
}

static int run(const struct cli_command *command, struct options *options, const char *directory)
{
    struct doc doc = {.name = NULL};
    struct incident incident = {.policy = NULL};
    enum form form = FORM_REPORT;
    time_t aware = 0;
    const char *why = NULL;
    int code = read_form(command, options, &form);
    if (code != CLI_FINE)
        return code;
    if (!is_asked(&options->query))
        return cli_fail(command, CLI_USAGE,
                        "say which records belong to the incident: --user, --address, --from, "
                        "--to...");
    if (options->said.aware && !doc_time_parse(options->said.aware, &aware, &why))
        return cli_fail(command, CLI_USAGE, "--aware %s: %s", options->said.aware, why);
    options->doc.config_file = options->reader.config_file;
    options->query.patients_max = SIZE_MAX;
    enum status status = query_prepare(&options->query, &why);
    if (status != OK)
        return cli_fail(command, status == ERR_INVALID ? CLI_USAGE : CLI_CANNOT, "%s",
                        why ? why : status_name(status));
    code = doc_begin(command, &options->doc, "incident", form == FORM_LIST, &doc);
    if (code == CLI_FINE && incident_start(&incident, doc.policy) != OK)
        code = cli_fail(command, CLI_CANNOT, "out of memory");
    else if (code == CLI_FINE) {
        bool read = false;
        int damage = gather(command, options, directory, &incident, &read);
        /* A trail that cannot be read must not look like one that holds nothing; of a damaged one
         * is told what could be read, and that it is not all. */
        doc_set(&doc, "damaged", json_boolean(damage != CLI_FINE));
        if (read)
            code = write_document(command, options, &doc, &incident, form, aware);
        if (code == CLI_FINE && incident.answers == 0)
            code = CLI_FINDINGS;
        code = damage != CLI_FINE ? damage : code;
    }
    incident_end(&incident);
    doc_free(&doc);
    return code;
}

int cmd_incident(int argc, char **argv)
{
    struct options options = {.reader = {.doing = "incident"}};
    struct cli_option table[AUDIT_FILTER_OPTIONS + OWN_OPTIONS + AUDIT_INDEX_OPTIONS + DOC_OPTIONS +
                            AUDIT_READER_OPTIONS] = {0};
    struct cli_option *rows = table;
    audit_filter_options(&options.query, rows);
    own_options(&options, rows += AUDIT_FILTER_OPTIONS);
    audit_index_options(&options.index, rows += OWN_OPTIONS);
    doc_options(&options.doc, "html (default) or json; of a list, csv or json",
                rows += AUDIT_INDEX_OPTIONS);
    audit_reader_options(&options.reader, rows + DOC_OPTIONS);
    const struct cli_command command = {.name = "incident",
                                        .operands = "DIRECTORY",
                                        .about = about,
                                        .exits = exits,
                                        .options = table,
                                        .min_operands = 1,
                                        .max_operands = 1};
    char **operands = NULL;
    size_t count = 0;
    audit_reader_remember(&options.reader, argc, argv);
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code == CLI_CONTINUE)
        code = run(&command, &options, operands[0]);
    query_free(&options.query);
    return code;
}
