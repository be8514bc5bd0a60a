/*
 * scram.h: the server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677, 5929).
 *
 * A step machine over one SASL message at a time; no I/O. Everything that comes in is hostile.
 * Secrets have PostgreSQL's own form, SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>. A
 * user that does not exist goes through the same steps with a secret that no password fits (stable
 * salt per name), so that neither answers nor time tell who exists.
 */
#ifndef PGVIGIL_PROXY_SCRAM_H
#define PGVIGIL_PROXY_SCRAM_H

#include "proxy/wire.h"
#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRAM_KEY_BYTES          32
#define SCRAM_SALT_MAX           64
#define SCRAM_DEFAULT_ITERATIONS 4096

struct scram_secret {
    uint32_t iterations;
    unsigned char salt[SCRAM_SALT_MAX];
    size_t salt_len;
    unsigned char stored_key[SCRAM_KEY_BYTES];
    unsigned char server_key[SCRAM_KEY_BYTES];
};

/* ERR_INVALID when the text is not a secret of PostgreSQL's form. */
NODISCARD enum status scram_parse_secret(const char *text, struct scram_secret *secret);

/* A per-process key from which the salts of unknown users come. Once, before any thread starts.
 * ERR_TLS: no randomness. */
NODISCARD enum status scram_init(void);

struct scram_options {
    const char
        *user; /* as in the start-up message; only the salt of an unknown user depends on it */
    const char *secret; /* the user's, borrowed; NULL: no such user, or one without a password */
    const unsigned char
        *binding; /* tls_context_binding of the connection, or NULL (plaintext, no hash) */
    size_t binding_len;
    uint32_t
        unknown_iterations; /* what the mock says; give the policy's commonest count. 0: 4096 */
};

struct scram;
/* NULL: out of memory or randomness. Copies what it needs. scram_free wipes; accepts NULL. */
struct scram *scram_new(const struct scram_options *options);
void scram_free(struct scram *scram);

/* Appends AuthenticationSASL with the mechanisms: -PLUS first, and only, where there is a binding.
 */
void scram_start(struct scram *scram, struct buf *out);
/*
 * Takes the next 'p' message (SASLInitialResponse, then SASLResponse).
 * NEED_MORE: AuthenticationSASLContinue was appended; wait for the next one.
 * OK: authenticated; AuthenticationSASLFinal was appended (AuthenticationOk is the caller's).
 * ERR_AUTH: wrong password, unknown user, channel binding that does not fit: the client hears the
 * same "password authentication failed" for all. ERR_PROTOCOL: malformed, *why says how (08P01).
 * ERR_MEMORY. After anything but NEED_MORE the exchange is over; another call gives ERR_PROTOCOL.
 */
NODISCARD enum status scram_step(struct scram *scram, const struct wire_message *message,
                                 struct buf *out, const char **why);
/* After OK: whether the channel was bound (SCRAM-SHA-256-PLUS). */
bool scram_bound(const struct scram *scram);

/*
 * A secret for a password, for `pgvigil passwd`. ERR_INVALID with a sentence in *why when the
 * password is empty, too long, or holds characters that clients would normalise (SASLprep) in ways
 * that are not done here: printable ASCII and the precomposed Latin letters of Europe are accepted.
 * `salt` NULL draws one of 16 bytes. Appends the text without a NUL.
 */
NODISCARD enum status scram_make_secret(const char *password, const unsigned char *salt,
                                        size_t salt_len, uint32_t iterations, struct buf *out,
                                        const char **why);

#endif
