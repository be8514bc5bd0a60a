/*
 * password.h: reading a password from whoever is at the terminal.
 */
#ifndef PGVIGIL_TOOLS_PASSWORD_H
#define PGVIGIL_TOOLS_PASSWORD_H

#include "tools/cli.h"

#define PASSWORD_SIZE 600

/* Asks on the terminal, a second time with `twice`; where the standard input is none, takes the
 * next line of it. CLI_FINE, or another code after telling why. The caller wipes. */
int password_read(const struct cli_command *command, const char *prompt, bool twice,
                  char password[PASSWORD_SIZE]);

#endif
