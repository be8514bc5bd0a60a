/*
 * cmd_passwd.c: `pgvigil passwd`: a password in, a SCRAM secret for a policy file out.
 *
 * Trust boundary: the password never stands in an argument, in the environment or on the screen; it
 * lives in two buffers that are wiped. What is printed does not give it away but allows guessing:
 * policy files are not for everybody to read.
 */
#include "proxy/scram.h"
#include "tools/password.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_passwd(int argc, char **argv)
{
    const char *number = "4096";
    const struct cli_option options[] = {{'i', "iterations", "N",
                                          "work for each guess, 4096 to 10000000; default 4096",
                                          &number, NULL},
                                         {.name = NULL}};
    const struct cli_command command = {
        .name = "passwd",
        .about = "Reads a password, twice from the terminal without echo or one line from a pipe, "
                 "and prints a secret in\n"
                 "PostgreSQL's form (SCRAM-SHA-256$...) for a user's `secret` in a policy file.",
        .options = options};
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code != CLI_CONTINUE)
        return code;
    char *end = NULL;
    unsigned long iterations = strtoul(number, &end, 10);
    if (!*number || *end || iterations < 4096 || iterations > 10000000)
        return cli_fail(&command, CLI_USAGE, "--iterations must be a number from 4096 to 10000000");
    char password[PASSWORD_SIZE] = "";
    code = password_read(&command, "Password: ", true, password);
    if (code == CLI_FINE) {
        struct buf secret;
        const char *why = "";
        buf_init(&secret, 0);
        if (scram_make_secret(password, NULL, 0, (uint32_t)iterations, &secret, &why) != OK)
            code = cli_fail(&command, CLI_FINDINGS, "%s", why);
        else
            printf("%.*s\n", (int)buf_len(&secret), (const char *)buf_head(&secret));
        buf_free(&secret);
    }
    explicit_bzero(password, sizeof password);
    return code;
}
