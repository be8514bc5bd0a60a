/*
 * cmd_audit.h: the subcommands of `pgvigil audit`, each in a cmd_audit_<name>.c and a row of
 * cmd_audit.c's table. argv[0] is the subcommand's name; they return an exit code (cli.h).
 */
#ifndef PGVIGIL_TOOLS_CMD_AUDIT_H
#define PGVIGIL_TOOLS_CMD_AUDIT_H

#include "tools/cli.h"

int cmd_audit_verify(int argc, char **argv);
int cmd_audit_ship(int argc, char **argv);
int cmd_audit_compress(int argc, char **argv);
int cmd_audit_purge(int argc, char **argv);
int cmd_audit_search(int argc, char **argv);
int cmd_audit_index(int argc, char **argv);
int cmd_audit_report(int argc, char **argv);
int cmd_audit_follow(int argc, char **argv);
int cmd_audit_export(int argc, char **argv);

#endif
