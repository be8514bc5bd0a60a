/*
 * login.h: what a session needs only until its client has logged in.
 *
 * Thousands of sessions are idle, and none of them needs the start-up packet, the SCRAM exchange or
 * the certificate again: what outlives the login is the session's own. Owned by a session; one
 * thread.
 */
#ifndef PGVIGIL_PROXY_LOGIN_H
#define PGVIGIL_PROXY_LOGIN_H

#include "proxy/scram.h"
#include "proxy/startup.h"

struct tls_context;

struct login {
    struct arena *arena; /* strings of the start-up packet, and what a refusal says */
    struct startup startup;
    struct tls_context *tls; /* a reference: the certificate the handshake used; NULL: no TLS */
    struct scram *scram;
    const char *common_name; /* of a verified client certificate, the arena's, or NULL */
    uint64_t delayed_until;  /* DELAYED */
    unsigned negotiations;   /* SSLRequests and GSSENCRequests answered */
};

/* NULL: out of memory. */
struct login *login_new(void);
/* Accepts NULL. */
void login_free(struct login *login);

#endif
