/*
 * texts.h: what stands ready in words about the sessions that are at work.
 *
 * Who a session is, as its server connection is told and as its records say, is the same from one
 * statement to the next and is put together once. Thousands of idle sessions would hold half a
 * kilobyte each for it, so a worker keeps a bounded number: each session has one place, which
 * others share, and now and then one puts another out. All of it can be made again. Owned by a
 * worker; its thread only.
 */
#ifndef PGVIGIL_PROXY_TEXTS_H
#define PGVIGIL_PROXY_TEXTS_H

#include "proxy/identity_text.h"

#include <stdint.h>

struct policy;
struct policy_user;
struct session;

struct session_texts {
    struct session *session; /* whose; NULL: nobody's, and all else is empty */
    struct {                 /* see session_person_text; of that moment: */
        struct identity_text text;
        uint64_t epoch;
        const struct policy *policy;
        const struct policy_user *user;
        int role;
        int mission;
    } person;
    void *who; /* what session->who.encoded points to, or NULL */
};

struct texts;

/* `workers`: how many the process has. NULL: out of memory. */
struct texts *texts_new(unsigned workers);
/* Accepts NULL. */
void texts_free(struct texts *texts);
/* The session's place, as it left it, or an empty one. Good until the next call for another. */
struct session_texts *texts_of(struct texts *texts, struct session *session);
/* Before the session is freed. */
void texts_forget(struct texts *texts, const struct session *session);

#endif
