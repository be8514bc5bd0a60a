/*
 * certificate.h: what was destroyed, signed.
 *
 * A file {"certificate": {...}, "key": FINGERPRINT, "signature": HEX}: Ed25519 over the certificate
 * as Jansson writes it compact and with sorted keys. The key is the trail's.
 */
#ifndef PGVIGIL_TOOLS_CERTIFICATE_H
#define PGVIGIL_TOOLS_CERTIFICATE_H

#include "tools/cli.h"

/* Writes DIRECTORY/ID.json, whole and on the disk or not at all; `body` is JSON text. One that is
 * there already stays. CLI_FINE or CLI_CANNOT, told. */
int certificate_write(const struct cli_command *command, const char *key_file,
                      const char *directory, const char *id, const char *body);
/* Says whether it is what was signed; CLI_FINE, CLI_FINDINGS, CLI_CANNOT. */
int certificate_verify(const struct cli_command *command, const char *public_key_file,
                       const char *file);

#endif
