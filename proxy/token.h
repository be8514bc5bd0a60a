/*
 * token.h: whom a signed token (JWT, RFC 7519, as JWS compact) speaks for.
 *
 * Verified here with OpenSSL, and not with Debian's libjwt 1.10.2: that one takes the algorithm
 * from the token (so that a public key's text becomes an HMAC secret), accepts a member twice,
 * ignores "crit", and knows neither PS256 nor EdDSA.
 *
 * Trust boundary: a token is the client's. Nothing of it is believed before its signature has been
 * verified by a key of the policy, with that key's algorithm. No text of it enters a message.
 */
#ifndef PGVIGIL_PROXY_TOKEN_H
#define PGVIGIL_PROXY_TOKEN_H

#include "proxy/token_keys.h"

#include <stdint.h>

/* Longer ones are refused unread. */
#define TOKEN_MAX 8192
/* Seconds by which another clock may be ahead (nbf, iat). None for the end (exp). */
#define TOKEN_SKEW 30

struct token_rules {
    const struct token_keys *keys;
    const char *issuer;
    const char *audience;
    const char *claim; /* that names the person */
};

struct token_facts {
    char person[64];
    int64_t until; /* seconds since 1970: the first one in which it is no longer valid */
};

/* `now`: seconds since 1970. OK; DENIED with *why, a static sentence; ERR_MEMORY. */
NODISCARD enum status token_check(const struct token_rules *rules, const char *token, int64_t now,
                                  struct token_facts *facts, const char **why);

#endif
