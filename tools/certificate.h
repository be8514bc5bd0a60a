/*
 * certificate.h: what was destroyed, signed.
 *
 * A file {"certificate": {...}, "signature": HEX}: Ed25519, with the trail's key, over
 * "pgvigil certificate 1\n" and the certificate as Jansson writes it compact and with sorted keys.
 * The line before keeps a signature of one thing from being shown as one of another.
 */
#ifndef PGVIGIL_TOOLS_CERTIFICATE_H
#define PGVIGIL_TOOLS_CERTIFICATE_H

#include "audit/key.h"
#include "tools/cli.h"

#define CERTIFICATE_SIGNATURE 129U /* hex and a NUL */

/* Signs JSON text that is compact and sorted. False: no memory. */
bool certificate_sign(const struct key *key, const char *body,
                      char signature[CERTIFICATE_SIGNATURE]);
/* Writes DIRECTORY/ID.json, whole and on the disk or not at all. One that is there already stays;
 * what `key` did not sign is not written, and said. CLI_FINE, CLI_FINDINGS or CLI_CANNOT, told. */
int certificate_write(const struct cli_command *command, const struct key *key,
                      const char *directory, const char *id, const char *body,
                      const char *signature);
/* Says whether it is what was signed; CLI_FINE, CLI_FINDINGS, CLI_CANNOT. */
int certificate_verify(const struct cli_command *command, const char *public_key_file,
                       const char *file);

#endif
