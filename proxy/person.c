/*
 * person.c: who a shared login acts for (see person.h).
 *
 * Trust boundary: names and tokens are the client's. An unproven name is believed within the
 * policy's ceiling, and every record says that it was only asserted. A token enters no message, no
 * log and no record, and no server hears of it.
 */
#include "proxy/person.h"

#include "proxy/texts.h"
#include "proxy/token.h"

#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* As users' names in the policy. */
#define NAME_BYTES_MAX 63

static const char *const setting_names[] = {
    [PERSON_FROM_USER] = "pgvigil.user",
    [PERSON_FROM_TOKEN] = "pgvigil.token",
    [PERSON_FROM_APPLICATION] = "application_name",
};

static enum status refuse(struct refusal *refusal, const char *sqlstate, const char *message,
                          const char *hint)
{
    *refusal = (struct refusal){.sqlstate = sqlstate, .message = message, .hint = hint};
    return message == NULL ? ERR_MEMORY : DENIED;
}

/* Not time(), whose clock may be a tick behind the one that the token's end was read from. */
static int64_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
}

/* ---- naming ---- */

static enum status act_for(const struct session *session, struct identity *identity,
                           const char *name, int64_t until, struct arena *arena,
                           struct refusal *refusal)
{
    const struct policy *policy = session->world->policy;
    const struct policy_user *person = policy_find_user(policy, name);
    enum identity_person kind =
        identity->login->on_behalf->proven ? IDENTITY_PROVEN : IDENTITY_ASSERTED;
    if (person != NULL && identity_act_for(identity, policy, person, kind, until) == OK)
        return OK;
    const char *login = identity->login->name;
    if (strlen(name) > NAME_BYTES_MAX) /* a token, say, which no log shall hold */
        return refuse(refusal, "42501",
                      arena_printf(arena,
                                   "login \"%s\" cannot act for whom was named: the name is "
                                   "longer than 63 bytes",
                                   login),
                      NULL);
    if (person == NULL)
        return refuse(
            refusal, "42501",
            arena_printf(arena, "login \"%s\" cannot act for \"%s\": no such user", login, name),
            "People that a login acts for are users of the policy; auth = \"none\" for "
            "those who never log in.");
    return refuse(refusal, "42501",
                  arena_printf(arena,
                               "login \"%s\" may not act for \"%s\", who has none of its roles",
                               login, name),
                  "The policy's on_behalf of the login says in which roles it may act for others.");
}

static enum status name_by_token(const struct session *session, struct identity *identity,
                                 const char *token, struct arena *arena, struct refusal *refusal)
{
    const struct world *world = session->world;
    const struct policy_user *login = identity->login;
    const struct token_rules rules = {
        .keys = token_ring_keys(world->tokens, world->policy, login),
        .issuer = login->on_behalf->issuer,
        .audience = login->on_behalf->audience,
        .claim = login->on_behalf->claim,
    };
    struct token_facts facts;
    const char *why = NULL;
    enum status status = token_check(&rules, token, now_seconds(), &facts, &why);
    if (status == DENIED)
        return refuse(
            refusal, "28000",
            arena_printf(arena, "the token for login \"%s\" was refused: %s", login->name, why),
            "The policy's on_behalf of the login says whose tokens it takes.");
    return status == OK ? act_for(session, identity, facts.person, facts.until, arena, refusal)
                        : status;
}

enum status person_name(const struct session *session, struct identity *identity,
                        const char *setting, const char *value, struct arena *arena,
                        struct refusal *refusal)
{
    const struct policy_on_behalf *on_behalf = identity->login->on_behalf;
    if (on_behalf == NULL)
        return refuse(
            refusal, "42501",
            arena_printf(arena, "user \"%s\" acts for nobody but herself", identity->login->name),
            "The policy's on_behalf of a user makes it a login that acts for others.");
    if (strcasecmp(setting, setting_names[on_behalf->from]) != 0)
        return refuse(refusal, "42501",
                      arena_printf(arena,
                                   "people that login \"%s\" acts for are named by %s, not %s",
                                   identity->login->name, setting_names[on_behalf->from], setting),
                      "The policy's on_behalf of the login says so (from).");
    if (value[0] == '\0') {
        identity_act_for_nobody(identity, session->world->policy);
        return OK;
    }
    return on_behalf->from == PERSON_FROM_TOKEN
               ? name_by_token(session, identity, value, arena, refusal)
               : act_for(session, identity, value, 0, arena, refusal);
}

void person_follow_application(const struct session *session, struct identity *identity)
{
    const struct policy_user *login = identity->login;
    if (login->on_behalf == NULL || login->on_behalf->from != PERSON_FROM_APPLICATION)
        return;
    const struct policy *policy = session->world->policy;
    const struct policy_user *person =
        identity->application == NULL ? NULL : policy_find_user(policy, identity->application);
    /* A name that drivers give is no mistake, so it is not an error; it names nobody. */
    if (person == NULL || identity_act_for(identity, policy, person, IDENTITY_ASSERTED, 0) != OK)
        identity_act_for_nobody(identity, policy);
}

/* ---- nobody ---- */

bool person_is_over(const struct identity *identity)
{
    return identity->person == IDENTITY_PROVEN && now_seconds() >= identity->until;
}

void person_refusal(struct session *session, struct refusal *refusal)
{
    static const char *const hints[] = {
        [PERSON_FROM_USER] = "Name the person first: SET LOCAL pgvigil.user = '...' in a "
                             "transaction, or SET pgvigil.user = '...'.",
        [PERSON_FROM_TOKEN] = "Name the person first: SET LOCAL pgvigil.token = '...' in a "
                              "transaction, or SET pgvigil.token = '...'.",
        [PERSON_FROM_APPLICATION] = "Name the person first: SET application_name = '...', with a "
                                    "name that the policy's users have.",
    };
    const struct identity *identity = &session->identity;
    const struct policy_on_behalf *on_behalf = identity->login->on_behalf;
    bool expired = identity->person == IDENTITY_EXPIRED;
    snprintf(session_lost_text(session), SESSION_LOST_BYTES,
             expired ? "the token of the person that login \"%s\" acted for has expired"
                     : "login \"%s\" acts for nobody yet, and may do nothing by itself",
             identity->login->name);
    *refusal = (struct refusal){.sqlstate = expired ? "28000" : "42501",
                                .message = session_lost_text(session),
                                .hint = expired ? "Give a new one: SET pgvigil.token = '...'."
                                                : hints[on_behalf->from]};
}

enum status person_refuse_role(const struct identity *identity, const struct policy *policy,
                               const char *role, struct arena *arena, struct refusal *refusal)
{
    const char *login = identity->login->name;
    int index = policy_find_role(policy, role);
    bool hers = index >= 0 && policy_user_has_role(identity->user, index);
    if (identity->login->on_behalf == NULL || identity->user == identity->login || !hers)
        return refuse(refusal, "42501",
                      arena_printf(arena, "user \"%s\" does not have the role \"%s\"",
                                   identity->user->name, role),
                      NULL);
    return refuse(refusal, "42501",
                  arena_printf(arena, "login \"%s\" may not act for \"%s\" in the role \"%s\"",
                               login, identity->user->name, role),
                  "The policy's on_behalf of the login says in which roles it may act for others.");
}

bool person_needless(const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->statement_count; i++) {
        const struct verdict_statement *one = &verdict->statements[i];
        switch (one->kind) {
        case STATEMENT_EMPTY:
        case STATEMENT_BEGIN:
        case STATEMENT_COMMIT:
        case STATEMENT_ROLLBACK:
        case STATEMENT_SAVEPOINT:
        case STATEMENT_RELEASE:
        case STATEMENT_ROLLBACK_TO:
        case STATEMENT_SET:
        case STATEMENT_RESET:
        case STATEMENT_SHOW:
        case STATEMENT_DISCARD:
        case STATEMENT_DEALLOCATE:
            break;
        case STATEMENT_SELECT: /* what drivers and pools send to see whether somebody is there */
            if (one->relation_count > 0 || one->writes || one->sequences || one->objects)
                return false;
            break;
        case STATEMENT_WRITE:
        case STATEMENT_COPY_TO:
        case STATEMENT_COPY_FROM:
        case STATEMENT_DECLARE:
        case STATEMENT_FETCH:
        case STATEMENT_CLOSE:
        case STATEMENT_PREPARE:
        case STATEMENT_EXECUTE:
        case STATEMENT_LISTEN:
        case STATEMENT_UNLISTEN:
        case STATEMENT_PREPARE_TRANSACTION:
        case STATEMENT_EXPLAIN:
        case STATEMENT_UTILITY:
        case STATEMENT_TEMPORARY:
        case STATEMENT_OTHER:
            return false;
        }
    }
    return true;
}

/* ---- a newer policy ---- */

static bool same_proof(const struct policy_user *a, const struct world *before,
                       const struct policy_user *b, const struct world *now)
{
    const struct token_keys *old = token_ring_keys(before->tokens, before->policy, a);
    const struct token_keys *new = token_ring_keys(now->tokens, now->policy, b);
    return old != NULL && new != NULL &&memcmp(old->digest, new->digest, sizeof old->digest) == 0 &&
           text_same(a->on_behalf->issuer, b->on_behalf->issuer) &&
           text_same(a->on_behalf->audience, b->on_behalf->audience) &&
           text_same(a->on_behalf->claim, b->on_behalf->claim);
}

void person_move(struct identity *identity, const struct policy_user *login_before,
                 const struct world *before, const struct world *now)
{
    if (identity->person == IDENTITY_PROVEN &&
        !same_proof(login_before, before, identity->login, now))
        identity_expire(identity, now->policy);
}

const char *person_kind(const struct identity *identity)
{
    if (identity->login == NULL || identity->login->on_behalf == NULL)
        return NULL;
    switch (identity->person) {
    case IDENTITY_OWN:
        return "login";
    case IDENTITY_ASSERTED:
        return "asserted";
    case IDENTITY_PROVEN:
        return "proven";
    case IDENTITY_NOBODY:
    case IDENTITY_EXPIRED:
        break;
    }
    return "nobody";
}

/* ---- as a server connection is told ---- */

static enum status person_text(struct session *session, struct identity_text *out)
{
    const struct identity *identity = &session->identity;
    const struct policy *policy = session->world->policy;
    const char *pair =
        identity->mission < 0 ? NULL : guard_pair(policy, identity->role, identity->mission);
    if (identity->mission >= 0 && pair == NULL)
        return ERR_INTERNAL;
    return identity_person(identity, policy, pair, session->address, out);
}

/* The epoch grows with everything that stands in it; what matters most is looked at all the same.
 */
static bool person_is_current(const struct session *session, const struct session_texts *texts)
{
    return texts->person.text.bytes != NULL && texts->person.epoch == session->epoch &&
           texts->person.policy == session->world->policy &&
           texts->person.user == session->identity.user &&
           texts->person.role == session->identity.role &&
           texts->person.mission == session->identity.mission;
}

const struct identity_text *session_person_text(struct session *session)
{
    struct session_texts *texts = texts_of(session->worker->texts, session);
    if (!person_is_current(session, texts)) {
        identity_text_free(&texts->person.text);
        if (person_text(session, &texts->person.text) != OK)
            return NULL;
        texts->person.epoch = session->epoch;
        texts->person.policy = session->world->policy;
        texts->person.user = session->identity.user;
        texts->person.role = session->identity.role;
        texts->person.mission = session->identity.mission;
    }
    return &texts->person.text;
}
