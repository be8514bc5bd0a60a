/*
 * key.h: the Ed25519 keys of the trail.
 *
 * The private key signs checkpoints; verification needs public keys only. A public key file may
 * hold several PEM keys, one after the other: that is how a key is replaced without losing the
 * older files.
 */
#ifndef PGVIGIL_AUDIT_KEY_H
#define PGVIGIL_AUDIT_KEY_H

#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

#define KEY_SIGNATURE   ((size_t)64)
#define KEY_FINGERPRINT 65U /* SHA-256 of the DER public key in hex, and a NUL */

struct key;      /* one private key */
struct key_ring; /* some public keys */

/* ERR_IO (cannot be read), ERR_INVALID (not an Ed25519 private key in PEM), ERR_MEMORY. */
NODISCARD enum status key_load(const char *file, struct key **key);
void key_free(struct key *key);
const char *key_fingerprint(const struct key *key);
/* Appends the public key as PEM. */
NODISCARD enum status key_public_pem(const struct key *key, struct buf *out);
NODISCARD enum status key_sign(const struct key *key, const void *bytes, size_t len,
                               unsigned char signature[KEY_SIGNATURE]);

/* ERR_IO, ERR_INVALID (no Ed25519 public key in it), ERR_MEMORY. */
NODISCARD enum status key_ring_load(const char *file, struct key_ring **ring);
void key_ring_free(struct key_ring *ring);
bool key_ring_holds(const struct key_ring *ring, const char *fingerprint);
/* True when one of the keys made the signature. */
bool key_ring_verify(const struct key_ring *ring, const void *bytes, size_t len,
                     const unsigned char signature[KEY_SIGNATURE]);

#endif
