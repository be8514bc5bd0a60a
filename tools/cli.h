/*
 * cli.h: what the subcommands share: option parsing, exit codes, loading with errors told.
 *
 * The person at the terminal is trusted; what they point at is checked by the libraries. A
 * subcommand is `int cmd_<name>(int argc, char **argv)` with argv[0] its name; it returns an exit
 * code and prints findings and results to stdout, complaints to stderr. All but serve run on a
 * thread with JUDGE_STACK_BYTES of stack, so that they may load policies and judge.
 */
#ifndef PGVIGIL_TOOLS_CLI_H
#define PGVIGIL_TOOLS_CLI_H

#include <libpq-fe.h>
#include <pgvigil/config.h>
#include <pgvigil/policy.h>
#include <stdbool.h>
#include <stddef.h>

enum cli_exit {
    CLI_FINE = 0,     /* done; nothing found */
    CLI_FINDINGS = 1, /* done, and there is something to act on: an error in a file, a refusal, a
                         broken trail */
    CLI_USAGE = 2,    /* the command line is wrong */
    CLI_CANNOT = 3    /* it could not be done: a file, the network, the database, memory */
};

/* One option; a table ends with a NULL name. Exactly one of `value` and `flag` is set. */
struct cli_option {
    char letter; /* 0: long form only */
    const char *name;
    const char *argument; /* shown in --help: "FILE"; NULL for a flag */
    const char *help;
    const char **value;
    bool *flag;
};

struct cli_command {
    const char *name;     /* "check" */
    const char *operands; /* behind the options in the synopsis: "'SQL'"; NULL: none are taken */
    const char *about;    /* paragraphs for --help */
    const char *exits;    /* the line about exit codes, where they mean something of their own */
    const struct cli_option *options;
    size_t min_operands;
    size_t max_operands;
};

#define CLI_CONTINUE (-1)
/*
 * Reads options (anywhere before "--") and operands; answers --help and --version itself.
 * CLI_CONTINUE, or the exit code to return at once. *operands points into argv, which is reordered.
 */
int cli_parse(const struct cli_command *command, int argc, char **argv, char ***operands,
              size_t *operand_count);
/* "pgvigil NAME: ..." to stderr; returns `code`. */
int cli_fail(const struct cli_command *command, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --lang: "fr", "en", or NULL for the locale's. CLI_CONTINUE, or CLI_USAGE. */
int cli_read_lang(const struct cli_command *command, const char *word, bool *french);

/* "pgvigil.cfg" when -c was not given. */
#define CLI_DEFAULT_CONFIG "pgvigil.cfg"
/* Loads or prints everything that is wrong to `out` (a FILE *, as void to keep this header short).
 * 0, or CLI_FINDINGS when the file is wrong and CLI_CANNOT when it cannot be read. */
int cli_load_config(const char *path, struct config **config, void *out);
int cli_load_policy(const char *path, struct policy **policy, void *out);
/* The one that is named, or the only one when `name` is NULL; tells when there is none. NULL then.
 */
const struct config_database *cli_database(const struct cli_command *command,
                                           const struct config *config, const char *name);
/*
 * A DBA's connection, to the very database that `database` is about: --as without a dbname gets the
 * one of its conninfo, and another one is refused. Guards made in the wrong database protect
 * nothing, and nothing would say so. Without JIT compilation (PostgreSQL, "When to JIT?"). *conn is
 * NULL, and why has been told, unless CLI_FINE.
 */
int cli_connect_dba(const struct cli_command *command, const struct config_database *database,
                    const char *as, PGconn **conn);

int cmd_serve(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_passwd(int argc, char **argv);
int cmd_deploy(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_retention(int argc, char **argv);
int cmd_subject(int argc, char **argv);
int cmd_register(int argc, char **argv);
int cmd_incident(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_notice(int argc, char **argv);
int cmd_dpia(int argc, char **argv);
int cmd_review(int argc, char **argv);
int cmd_minimise(int argc, char **argv);

#endif
