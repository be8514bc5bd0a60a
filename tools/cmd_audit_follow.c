/*
 * cmd_audit_follow.c: `pgvigil audit follow`: the trail as it is written.
 *
 * Trust boundary: as of `audit search`; a chain that does not go on where it should is told, not
 * passed over.
 */
#include "audit/search_live.h"
#include "audit/tail.h"
#include "tools/audit_filter.h"
#include "tools/audit_print.h"
#include "tools/audit_reader.h"
#include "tools/cmd_audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_MILLISECONDS 500U

static const char about[] =
    "Prints the statements and events that meet all filters as they are written, of all chains, "
    "until\n"
    "it is ended. A statement that can write, or whose result is long, is printed when it begins\n"
    "(\"begun\") and again when it ends. What was written before is \"pgvigil audit search\"'s.\n"
    "\n"
    "A chain that does not go on where it should (a line changed or taken away) is told on stderr, "
    "and\nnot followed any further; the others are.";

static const char exits[] =
    "Exit status: 0 the reader of the output has ended, 2 wrong usage, 3 cannot be done. Mostly it "
    "is\nended by a signal.";

struct follower {
    const struct cli_command *command;
    const struct query *query;
    enum audit_format format;
    struct tail *tail;
    struct search_live *live;
    char told[512]; /* what was said of a chain last: it is said once */
};

/* Lines until there are none; CLI_CONTINUE: there will be more. */
static int print_new(struct follower *follower)
{
    for (;;) {
        struct tail_line line;
        const json_t *answer = NULL;
        enum status status = tail_next(follower->tail, &line);
        if (status == NEED_MORE)
            return fflush(stdout) == 0 ? CLI_CONTINUE : CLI_FINE;
        if (status == ERR_INVALID || status == ERR_IO) {
            const char *why = tail_why(follower->tail);
            if (strncmp(follower->told, why, sizeof follower->told - 1) == 0)
                return CLI_CONTINUE;
            (void)snprintf(follower->told, sizeof follower->told, "%s", why);
            (void)cli_fail(follower->command, CLI_CANNOT, "%s", why);
            continue;
        }
        if (status == OK)
            status = search_live_line(follower->live, line.at.chain, line.at.file, line.bytes,
                                      line.len, &answer);
        if (status != OK)
            return cli_fail(follower->command, CLI_CANNOT, "%s", status_name(status));
        if (answer)
            audit_print_answer(follower->format, answer, stdout);
        if (ferror(stdout)) /* whoever read this has ended */
            return errno == EPIPE ? CLI_FINE
                                  : cli_fail(follower->command, CLI_CANNOT, "cannot write");
    }
}

static int follow(struct follower *follower, const char *directory,
                  const struct search_events *events)
{
    const char *why = NULL;
    enum status status = tail_open(directory, &follower->tail, &why);
    if (status == OK) {
        status = tail_to_end(follower->tail);
        why = tail_why(follower->tail);
    }
    if (status == OK) {
        why = NULL;
        status = search_live_open(directory, follower->query, events, &follower->live);
    }
    if (status != OK)
        return cli_fail(follower->command, CLI_CANNOT, "%s: %s", directory,
                        why && *why ? why : status_name(status));
    audit_print_head(follower->format, stdout);
    int code = CLI_CONTINUE;
    while ((code = print_new(follower)) == CLI_CONTINUE)
        tail_wait(WAIT_MILLISECONDS);
    return code;
}

int cmd_audit_follow(int argc, char **argv)
{
    struct query query = {0};
    struct audit_reader reader = {.doing = "follow"};
    const char *word = NULL;
    struct cli_option options[AUDIT_FILTER_OPTIONS + AUDIT_READER_OPTIONS + 1] = {0};
    audit_filter_options(&query, options);
    options[AUDIT_FILTER_OPTIONS] = (struct cli_option){
        0, "format", "WORD", "text (default), json (a line each) or csv", &word, NULL};
    audit_reader_options(&reader, options + AUDIT_FILTER_OPTIONS + 1);
    const struct cli_command command = {
        .name = "audit follow",
        .operands = "DIRECTORY",
        .about = about,
        .exits = exits,
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
    };
    struct follower follower = {.command = &command, .query = &query};
    char **operands = NULL;
    size_t count = 0;
    audit_reader_remember(&reader, argc, argv);
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code != CLI_CONTINUE)
        return code;
    if (!audit_format_parse(word, &follower.format))
        return cli_fail(&command, CLI_USAGE, "--format is text, json or csv, not '%s'", word);
    const char *why = NULL;
    enum status status = query_prepare(&query, &why);
    struct audit_teller teller;
    struct search_events events;
    audit_teller_events(&teller, &events);
    if (status != OK)
        code = cli_fail(&command, status == ERR_INVALID ? CLI_USAGE : CLI_CANNOT, "%s",
                        why ? why : status_name(status));
    else
        code = audit_reader_record(&reader, &command, operands[0], query.patient);
    if (code == CLI_FINE)
        code = follow(&follower, operands[0], &events);
    search_live_close(follower.live);
    tail_close(follower.tail);
    query_free(&query);
    return code;
}
