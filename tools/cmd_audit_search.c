/*
 * cmd_audit_search.c: `pgvigil audit search`: who did what.
 *
 * Trust boundary: the trail's files are read as they are; what they hold is made harmless where it
 * is printed (audit_cells.h). Whether they are what was written is `audit verify`'s to say.
 */
#include "tools/audit_filter.h"
#include "tools/audit_print.h"
#include "tools/audit_reader.h"
#include "tools/cmd_audit.h"

#include <errno.h>
#include <stdio.h>

static const char about[] =
    "Prints the statements and events in the trail that meet all filters, in the order of their "
    "ends.\n"
    "A statement's begin, more and end are one answer; without an end its outcome is \"unknown\": "
    "it\n"
    "may have run. In the period is what has a record in it.\n"
    "\n"
    "Believed is what the files say: \"pgvigil audit verify\" tells whether they are as they were\n"
    "written. Closed files that \"pgvigil audit index\" has been over are read through their "
    "index;\n"
    "an index that does not fit its file is told and not used, but one that somebody forged can "
    "hide\n"
    "records: --no-index reads everything, \"pgvigil audit index --check\" compares.\n"
    "\n"
    "That you have searched becomes a record of the trail, too (see --config).";

static const char exits[] = "Exit status: 0 something was found, 1 nothing was, 2 wrong usage, 3 "
                            "cannot be done, or part of "
                            "the\ntrail could not be read and answers may lack.";

static int print_all(const struct cli_command *command, struct search *search,
                     struct audit_teller *teller, enum audit_format format)
{
    const json_t *answer = NULL;
    enum status status = OK;
    audit_print_head(format, stdout);
    while ((status = search_next(search, &answer)) == OK) {
        progress_clear(&teller->progress);
        audit_print_answer(format, answer, stdout);
        if (ferror(stdout)) /* `| head` has read enough */
            return errno == EPIPE ? CLI_FINE : cli_fail(command, CLI_CANNOT, "cannot write");
    }
    bool flushed = fflush(stdout) == 0;
    int code = audit_teller_end(teller, command, search_count(search));
    if (status != CLOSED)
        return cli_fail(command, CLI_CANNOT, "%s", status_name(status));
    if (!flushed)
        return cli_fail(command, CLI_CANNOT, "cannot write");
    return code != CLI_FINE ? code : search_count(search)->answers ? CLI_FINE : CLI_FINDINGS;
}

int cmd_audit_search(int argc, char **argv)
{
    struct query query = {0};
    struct audit_reader reader = {.doing = "search"};
    const char *word = NULL;
    struct audit_index index = {NULL};
    struct cli_option
        options[AUDIT_FILTER_OPTIONS + AUDIT_INDEX_OPTIONS + AUDIT_READER_OPTIONS + 1] = {0};
    struct cli_option *own = options + AUDIT_FILTER_OPTIONS;
    audit_filter_options(&query, options);
    *own++ = (struct cli_option){
        0, "format", "WORD", "text (default), json (a line each) or csv", &word, NULL};
    audit_index_options(&index, own);
    audit_reader_options(&reader, own + AUDIT_INDEX_OPTIONS);
    const struct cli_command command = {
        .name = "audit search",
        .operands = "DIRECTORY",
        .about = about,
        .exits = exits,
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
    };
    char **operands = NULL;
    size_t count = 0;
    enum audit_format format = AUDIT_TEXT;
    audit_reader_remember(&reader, argc, argv);
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code != CLI_CONTINUE)
        return code;
    if (!audit_format_parse(word, &format))
        return cli_fail(&command, CLI_USAGE, "--format is text, json or csv, not '%s'", word);
    const char *why = NULL;
    enum status status = query_prepare(&query, &why);
    if (status != OK) {
        query_free(&query);
        return cli_fail(&command, status == ERR_INVALID ? CLI_USAGE : CLI_CANNOT, "%s",
                        why ? why : status_name(status));
    }
    struct audit_teller teller;
    struct search_events events;
    struct search *search = NULL;
    audit_teller_events(&teller, &events);
    code = audit_reader_record(&reader, &command, operands[0], query.patient);
    if (code == CLI_FINE)
        code = audit_search_open(&command, operands[0], &index, &query, &events, &search);
    if (code == CLI_FINE)
        code = print_all(&command, search, &teller, format);
    search_close(search);
    query_free(&query);
    return code;
}
