/*
 * login.c: what a session needs only until its client has logged in (see login.h).
 *
 * Trust boundary: a password's proof and a start-up packet with what somebody typed into it are not
 * held for as long as the session. The proof is wiped (scram.c); the packet's memory is given back.
 */
#include "proxy/login.h"

#include "proxy/tls.h"

#include <stdlib.h>

/* A start-up packet has 10,000 bytes at most; its settings twice, as an array and as text. */
#define LOGIN_BYTES_MAX ((size_t)1 << 20)

struct login *login_new(void)
{
    struct login *login = calloc(1, sizeof *login);
    struct arena *arena = arena_new(LOGIN_BYTES_MAX);
    if (login == NULL || arena == NULL) {
        free(login);
        arena_free(arena);
        return NULL;
    }
    login->arena = arena;
    return login;
}

void login_free(struct login *login)
{
    if (login == NULL)
        return;
    scram_free(login->scram);
    tls_context_unref(login->tls);
    arena_free(login->arena);
    free(login);
}
