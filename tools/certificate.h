/*
 * certificate.h: what was destroyed or erased, signed.
 *
 * A file {"certificate": {...}, "signature": HEX}: Ed25519, with the trail's key, over
 * "pgvigil certificate 1\n" and the certificate as Jansson writes it compact and with sorted keys.
 * The line before keeps a signature of one thing from being shown as one of another.
 */
#ifndef PGVIGIL_TOOLS_CERTIFICATE_H
#define PGVIGIL_TOOLS_CERTIFICATE_H

#include "audit/key.h"
#include "tools/cli.h"

#include <libpq-fe.h>
#include <pgvigil/audit.h>

#define CERTIFICATE_SIGNATURE 129U /* hex and a NUL */
#define CERTIFICATE_ID        64U
#define CERTIFICATE_TIME      32U

/* A new name, that sorts by time. False: no randomness. */
bool certificate_new_id(char id[CERTIFICATE_ID]);
/* Now, in UTC. */
bool certificate_now(char time_text[CERTIFICATE_TIME]);
/*
 * A hash of rows that nobody can guess back: of one person's few rows a plain SHA-256 would let
 * whoever has a suspicion confirm it. `out` is the SHA-256 of a signature, which only the holder of
 * the key can make, over "pgvigil seal 1\n", id, what and the plain hash, a line each.
 */
bool certificate_seal(const struct key *key, const char *id, const char *what, const char *sha256,
                      char out[65]);

/* Signs JSON text that is compact and sorted. False: no memory. */
bool certificate_sign(const struct key *key, const char *body,
                      char signature[CERTIFICATE_SIGNATURE]);
/* Where files of certificates go, and who signed them. */
struct certificate_folder {
    const struct cli_command *command;
    struct key *key;        /* signs; own */
    struct key_ring *known; /* the trail's public keys, older ones among them; or NULL; own */
    const char *directory;
    bool french;
    bool quiet; /* findings are not told: for a first look, of which the last tells again */
};
/* Loads the keys: the trail's own, and the public ones that stand beside it. CLI_FINE, or told. */
int certificate_open(struct certificate_folder *folder, const struct audit_options *trail);
void certificate_close(struct certificate_folder *folder);
/* Was it signed with the key, or with one that the trail was signed with before? */
bool certificate_is_signed(const struct certificate_folder *folder, const char *body,
                           const char *signature);
/*
 * Those that stand in a database (rows.h) and are no files yet become DIRECTORY/ID.json, whole and
 * on the disk or not at all. CLI_CANNOT: files cannot be written there. CLI_FINDINGS: one was
 * signed with no key of the trail's, or another file has its name; it is not written, the others
 * are, and nobody needs to stop for it. Told.
 */
int certificate_write_all(const struct certificate_folder *folder, PGconn *conn);
/* Says whether it is what was signed; CLI_FINE, CLI_FINDINGS, CLI_CANNOT. */
int certificate_verify(const struct cli_command *command, const char *public_key_file,
                       const char *file);

#endif
