/*
 * cli.c: what the subcommands share (see cli.h).
 *
 * Trust boundary: the command line is the caller's own. Texts from files are printed as they are,
 * to the terminal of the person who can read those files anyway.
 */
#include "tools/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_usage(const struct cli_command *command, FILE *out)
{
    (void)fprintf(out, "usage: pgvigil %s [OPTION...]%s%s\n", command->name,
                  command->operands ? " " : "", command->operands ? command->operands : "");
}

static void print_help(const struct cli_command *command)
{
    print_usage(command, stdout);
    printf("\n%s\n\nOptions:\n", command->about);
    for (const struct cli_option *option = command->options; option->name; option++) {
        char left[64];
        char letter[5] = "    ";
        if (option->letter)
            (void)snprintf(letter, sizeof letter, "-%c, ", option->letter);
        (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name,
                       option->argument ? " " : "", option->argument ? option->argument : "");
        printf("  %-26s %s\n", left, option->help);
    }
    printf("  %-26s %s\n", "-h, --help", "print this");
    printf("  %-26s %s\n", "    --version", "print the version");
    printf("\n%s\n", command->exits ? command->exits
                                    : "Exit status: 0 fine, 1 something was found or refused, 2 "
                                      "wrong usage, 3 cannot be done.");
}

int cli_fail(const struct cli_command *command, int code, const char *format, ...)
{
    va_list args;
    (void)fprintf(stderr, "pgvigil %s: ", command->name);
    va_start(args, format);
    (void)vfprintf(stderr, format, args); // NOLINT(clang-analyzer-valist.Uninitialized): it is
    va_end(args);
    (void)fputc('\n', stderr);
    return code;
}

static int usage_error(const struct cli_command *command, const char *what, const char *argument)
{
    (void)fprintf(stderr, "pgvigil %s: %s%s\n", command->name, what, argument);
    print_usage(command, stderr);
    (void)fprintf(stderr, "Try: pgvigil %s --help\n", command->name);
    return CLI_USAGE;
}

/* The option that `argument` names, with its inline value ("--name=value", "-cvalue") in *value. */
static const struct cli_option *find_option(const struct cli_command *command, const char *argument,
                                            const char **value)
{
    *value = NULL;
    for (const struct cli_option *option = command->options; option->name; option++) {
        if (argument[1] != '-') {
            if (option->letter != argument[1] || !option->letter)
                continue;
            *value = argument[2] ? argument + 2 : NULL;
            return option;
        }
        size_t len = strcspn(argument + 2, "=");
        if (strlen(option->name) != len || strncmp(option->name, argument + 2, len) != 0)
            continue;
        *value = argument[2 + len] ? argument + 3 + len : NULL;
        return option;
    }
    return NULL;
}

static bool is(const char *argument, const char *one, const char *other)
{
    return strcmp(argument, one) == 0 || strcmp(argument, other) == 0;
}

/* Takes argv[*at] and, when it needs one, its argument. */
static int take_option(const struct cli_command *command, int argc, char **argv, int *at)
{
    const char *argument = argv[*at];
    if (is(argument, "--help", "-h")) {
        print_help(command);
        return CLI_FINE;
    }
    if (is(argument, "--version", "-V")) {
        printf("pgvigil %s\n", PGVIGIL_VERSION);
        return CLI_FINE;
    }
    const char *value = NULL;
    const struct cli_option *option = find_option(command, argument, &value);
    if (!option)
        return usage_error(command, "unknown option ", argument);
    if (option->flag) {
        if (value)
            return usage_error(command, "no value belongs to ", argument);
        *option->flag = true;
        return CLI_CONTINUE;
    }
    if (!value && *at + 1 >= argc)
        return usage_error(command, "a value is missing behind ", argument);
    *option->value = value ? value : argv[++*at];
    return CLI_CONTINUE;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, char ***operands,
              size_t *operand_count)
{
    size_t count = 0;
    bool only_operands = false;
    for (int i = 1; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1]) {
            int code = take_option(command, argc, argv, &i);
            if (code != CLI_CONTINUE)
                return code;
        } else {
            argv[1 + count++] = argv[i];
        }
    }
    if (count > command->max_operands)
        return usage_error(command, "unexpected argument ", argv[1 + command->max_operands]);
    if (count < command->min_operands)
        return usage_error(command, "missing ", command->operands);
    if (operands)
        *operands = argv + 1;
    if (operand_count)
        *operand_count = count;
    return CLI_CONTINUE;
}

static int load_exit(enum status status)
{
    switch (status) {
    case OK:
        return CLI_FINE;
    case ERR_INVALID:
    case ERR_SYNTAX:
    case ERR_LIMIT:
        return CLI_FINDINGS;
    case NEED_MORE:
    case DENIED:
    case NEED_CATALOG:
    case CLOSED:
    case ERR_MEMORY:
    case ERR_PROTOCOL:
    case ERR_AUTH:
    case ERR_TLS:
    case ERR_IO:
    case ERR_UPSTREAM:
    case ERR_AUDIT:
    case ERR_INTERNAL:
    case STATUS_COUNT:
        break;
    }
    return CLI_CANNOT;
}

static void print_buf(struct buf *text, enum status status, const char *what, FILE *out)
{
    if (status != OK && buf_len(text) == 0)
        (void)fprintf(out, "%s: cannot be read (%s)\n", what, status_name(status));
    else if (buf_len(text) > 0)
        (void)fwrite(buf_head(text), 1, buf_len(text), out);
}

int cli_load_config(const char *path, struct config **config, void *out)
{
    struct buf errors;
    buf_init(&errors, (size_t)4 << 20);
    enum status status = config_load(path, config, &errors);
    print_buf(&errors, status, path, out);
    buf_free(&errors);
    return load_exit(status);
}

int cli_load_policy(const char *path, struct policy **policy, void *out)
{
    struct policy_errors errors = {0};
    struct buf text;
    buf_init(&text, (size_t)64 << 20);
    enum status status = policy_load(path, policy, &errors);
    policy_errors_print(&errors, &text);
    print_buf(&text, status, path, out);
    buf_free(&text);
    policy_errors_free(&errors);
    return load_exit(status);
}

const struct config_database *cli_database(const struct cli_command *command,
                                           const struct config *config, const char *name)
{
    if (!name && config->database_count == 1)
        return &config->databases[0];
    const struct config_database *database = name ? config_find_database(config, name) : NULL;
    if (database)
        return database;
    if (name)
        (void)cli_fail(command, CLI_CANNOT, "%s names no database \"%s\"; it has:", config->path,
                       name);
    else
        (void)cli_fail(command, CLI_USAGE, "which database? --database one of:");
    for (size_t i = 0; i < config->database_count; i++)
        (void)fprintf(stderr, "  %s\n", config->databases[i].name);
    return NULL;
}

/* What a conninfo says for a keyword, in `value`; false when it says nothing or is no conninfo. */
static bool conninfo_value(const char *conninfo, const char *keyword, char *value, size_t size)
{
    PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
    bool found = false;
    for (const PQconninfoOption *at = parsed; at != NULL && at->keyword != NULL; at++) {
        if (at->val != NULL && strcmp(at->keyword, keyword) == 0) {
            (void)snprintf(value, size, "%s", at->val);
            found = true;
        }
    }
    PQconninfoFree(parsed);
    return found;
}

int cli_connect_dba(const struct cli_command *command, const struct config_database *database,
                    const char *as, PGconn **conn)
{
    char wanted[256] = "";
    char given[256] = "";
    char *wrong = NULL;
    PQconninfoOption *parsed = PQconninfoParse(as, &wrong);
    *conn = NULL;
    if (parsed == NULL) {
        int code = cli_fail(command, CLI_USAGE, "--as wants a conninfo, \"host=... user=...\": %s",
                            wrong == NULL ? "out of memory" : wrong);
        PQfreemem(wrong);
        return code;
    }
    PQconninfoFree(parsed);
    (void)conninfo_value(database->conninfo, "dbname", wanted, sizeof wanted);
    /* libpq takes the first dbname apart as a conninfo; a second one is a plain name and beats it.
     */
    bool named = wanted[0] == '\0' || conninfo_value(as, "dbname", given, sizeof given);
    const char *keywords[] = {"dbname", named ? NULL : "dbname", NULL};
    const char *values[] = {as, wanted, NULL};
    *conn = PQconnectdbParams(keywords, values, 1);
    int code = CLI_FINE;
    if (PQstatus(*conn) != CONNECTION_OK) {
        const char *why = *conn == NULL ? "out of memory" : PQerrorMessage(*conn);
        size_t length = strlen(why);
        while (length > 0 && why[length - 1] == '\n') {
            length--;
        }
        code = cli_fail(command, CLI_CANNOT, "cannot connect as the DBA: %.*s", (int)length, why);
    } else if (wanted[0] != '\0' && strcmp(PQdb(*conn), wanted) != 0) {
        code = cli_fail(command, CLI_USAGE,
                        "--as is for database \"%s\", but the conninfo of \"%s\" (%s:%u) is for "
                        "\"%s\": leave dbname out of --as",
                        PQdb(*conn), database->name, database->place.file, database->place.line,
                        wanted);
    }
    if (code != CLI_FINE) {
        PQfinish(*conn);
        *conn = NULL;
    } else {
        /* Long queries that run once: to compile one takes several times as long as to run it. A
         * server that refuses is only slower. */
        PQclear(PQexec(*conn, "SET jit = off"));
    }
    return code;
}

static bool locale_is_french(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        /* Nobody changes the environment. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        const char *value = getenv(names[i]);
        if (value && *value)
            return strncmp(value, "fr", 2) == 0;
    }
    return false;
}

int cli_read_lang(const struct cli_command *command, const char *word, bool *french)
{
    *french = word ? strcmp(word, "fr") == 0 : locale_is_french();
    return !word || *french || strcmp(word, "en") == 0
               ? CLI_CONTINUE
               : cli_fail(command, CLI_USAGE, "--lang is en or fr, not '%s'", word);
}
