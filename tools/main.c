/*
 * main.c: `pgvigil COMMAND ...`, dispatched by a table.
 *
 * Commands that load policies or judge recurse deeply in libpg_query and run on a thread with a
 * large stack (judge.h); serve makes such threads itself and keeps the main one for its signals.
 */
#include "tools/cli.h"

#include <pgvigil/judge.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct entry {
    const char *name;
    int (*run)(int argc, char **argv);
    bool large_stack;
    const char *about;
};

static const struct entry entries[] = {
    {"serve", cmd_serve, false, "stand in front of the databases"},
    {"check", cmd_check, true, "find what is wrong in configuration, policy and database"},
    {"explain", cmd_explain, true, "what a statement may see, and what would run"},
    {"test", cmd_test, true, "run tests of a policy"},
    {"diff", cmd_diff, true, "who gains and who loses what between two policies"},
    {"replay", cmd_replay, true, "what enforcing would do to the statements of a log"},
    {"scan", cmd_scan, true, "find sensitive columns, propose the policy's tables"},
    {"passwd", cmd_passwd, false, "turn a password into a secret for a policy file"},
    {"deploy", cmd_deploy, true, "make, show or remove the guards in a database"},
    {"retention", cmd_retention, true, "list, archive and destroy what is past its time"},
    {"subject", cmd_subject, true, "what a person may ask: access, rights, requests"},
    {"register", cmd_register, true, "the record of processing activities (GDPR, article 30)"},
    {"dpia", cmd_dpia, true, "the impact assessment, for the CNIL's tool"},
    {"notice", cmd_notice, true, "what patients are told, for the waiting room"},
    {"review", cmd_review, true, "accounts, rights and their use, to go through and sign"},
    {"minimise", cmd_minimise, true, "what nobody used, and a smaller policy"},
    {"incident", cmd_incident, true,
     "what a breach has touched, for the authority and the persons"},
    {"audit", cmd_audit, true, "verify and search the trail, report from it"},
};

struct call {
    const struct entry *entry;
    int argc;
    char **argv;
    int code;
};

static void *run_call(void *context)
{
    struct call *call = context;
    call->code = call->entry->run(call->argc, call->argv);
    return NULL;
}

static int run_on_large_stack(struct call *call)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0)
        return CLI_CANNOT;
    int error = pthread_attr_setstacksize(&attributes, JUDGE_STACK_BYTES);
    if (error == 0)
        error = pthread_create(&thread, &attributes, run_call, call);
    (void)pthread_attr_destroy(&attributes);
    if (error != 0) {
        (void)fprintf(stderr, "pgvigil: cannot start a thread: %s\n", strerror(error));
        return CLI_CANNOT;
    }
    /* Signals are the command's: one that waits for SIGTERM (audit ship, audit follow) blocks it on
     * its own thread only, and here it would end the process. */
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    (void)pthread_join(thread, NULL);
    return call->code;
}

static void print_help(FILE *out)
{
    (void)fputs(
        "usage: pgvigil COMMAND [OPTION...]\n\n"
        "pgvigil stands between applications and a PostgreSQL records database: each session\n"
        "sees what its role and mission allow, and every access is on record.\n\nCommands:\n",
        out);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        (void)fprintf(out, "  %-10s %s\n", entries[i].name, entries[i].about);
    (void)fputs(
        "\n`pgvigil COMMAND --help` tells more; so do the pages pgvigil(1) and "
        "pgvigil-COMMAND(1).\n"
        "Exit status: 0 fine, 1 something was found or refused, 2 wrong usage, 3 cannot be done.\n",
        out);
}

int main(int argc, char **argv)
{
    /* A peer or a pipe that goes away is an error of one write, not the end of the process. */
    (void)signal(SIGPIPE, SIG_IGN);
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("pgvigil %s\n", PGVIGIL_VERSION);
        return CLI_FINE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return CLI_FINE;
    }
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        struct call call = {&entries[i], argc - 1, argv + 1, CLI_CANNOT};
        if (strcmp(name, entries[i].name) != 0)
            continue;
        if (entries[i].large_stack)
            return run_on_large_stack(&call);
        (void)run_call(&call);
        return call.code;
    }
    if (*name)
        (void)fprintf(stderr, "pgvigil: unknown command \"%s\"\n", name);
    print_help(stderr);
    return CLI_USAGE;
}
