/*
 * token_keys.h: the public keys by which a shared login's tokens are verified.
 *
 * A key says itself by which one algorithm it verifies; nothing in a token can choose another. Only
 * public halves are taken: whoever holds a secret that verifies can also sign, so symmetric keys
 * and private ones are errors of the policy. Read with the policy, immutable from then on, shared
 * by reference count between threads.
 */
#ifndef PGVIGIL_PROXY_TOKEN_KEYS_H
#define PGVIGIL_PROXY_TOKEN_KEYS_H

#include <openssl/evp.h>
#include <pgvigil/buf.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

enum token_algorithm { TOKEN_RS256, TOKEN_PS256, TOKEN_ES256, TOKEN_EDDSA };

const char *token_algorithm_name(enum token_algorithm algorithm);

struct token_key {
    EVP_PKEY *key;
    enum token_algorithm algorithm;
    char *id; /* kid; NULL: of any token (a PEM file has no names) */
};

struct token_keys {
    struct token_key *keys;
    size_t count;
    unsigned char digest[32]; /* of the keys and their names */
};

/* A PEM file of public keys or certificates, or a JWK set. ERR_INVALID: *why (a sentence) is
 * appended. ERR_MEMORY. */
NODISCARD enum status token_keys_read(const char *path, struct token_keys **keys, struct buf *why);
/* The same of text in memory. */
NODISCARD enum status token_keys_parse(const void *text, size_t len, struct token_keys **keys,
                                       struct buf *why);
void token_keys_free(struct token_keys *keys); /* accepts NULL */

/* Those of all logins of a policy. */
struct token_ring;
/* ERR_INVALID: `why` has "file:line: ..." lines, of all that is wrong. */
NODISCARD enum status token_ring_read(const struct policy *policy, struct token_ring **ring,
                                      struct buf *why);
struct token_ring *token_ring_ref(struct token_ring *ring);
void token_ring_unref(struct token_ring *ring); /* accepts NULL */
/* Borrowed; NULL: the login takes no tokens. `login` is of the ring's policy. */
const struct token_keys *token_ring_keys(const struct token_ring *ring, const struct policy *policy,
                                         const struct policy_user *login);

/* base64url without padding, exactly: ERR_INVALID for anything that another text stands for too. */
NODISCARD enum status token_base64url(const char *text, size_t len, unsigned char *out, size_t size,
                                      size_t *used);

#endif
