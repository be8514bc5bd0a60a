/*
 * audit_reader.h: those who read the trail are on record, too.
 *
 * Before anything of a live trail is shown, a record "audit-read" is appended to a chain of the
 * readers' own in the same directory: who (the system's user, and the one behind sudo), what was
 * asked for, which patient. The chain is open for that moment only; another reader waits.
 *
 * It is signed as the others are, which needs a private key: the server's (its configuration says
 * where it is, and whoever may read the trail's 0600 files can mostly read that), or a key that the
 * auditors have for it. Each key has a chain of its own, so that none begins a new file for
 * another's sake. Without a key, or in a directory that cannot be written to, nothing can be
 * recorded: that is said, and with --require-record nothing is read either.
 */
#ifndef PGVIGIL_TOOLS_AUDIT_READER_H
#define PGVIGIL_TOOLS_AUDIT_READER_H

#include "tools/cli.h"

/* The chains of workers are far below; a key's chain is this and up to 4095 more. */
#define AUDIT_READERS_CHAIN 1000000U
/* With the row that ends the table. */
#define AUDIT_READER_OPTIONS 4U

struct audit_reader {
    const char *doing; /* "search" */
    const char *config_file;
    const char *key_file;
    bool require;
    char asked[2048]; /* the command line */
};

/* Puts AUDIT_READER_OPTIONS rows there, the last of which ends the table. */
void audit_reader_options(struct audit_reader *reader, struct cli_option *options);
/* Keeps the command line, which cli_parse reorders. */
void audit_reader_remember(struct audit_reader *reader, int argc, char **argv);
/* Appends the record; `patient` may be NULL. CLI_FINE: it stands, or need not; CLI_CANNOT. */
int audit_reader_record(const struct audit_reader *reader, const struct cli_command *command,
                        const char *directory, const char *patient);

#endif
