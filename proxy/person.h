/*
 * person.h: whom a shared login acts for: the settings pgvigil.user and pgvigil.token, and
 * application_name where the policy says so.
 *
 * identity.h has what an identity is; here a client's text becomes one, by the rule that the
 * policy's on_behalf gives the login.
 */
#ifndef PGVIGIL_PROXY_PERSON_H
#define PGVIGIL_PROXY_PERSON_H

#include "proxy/query.h"

/* Names the person with the setting of the rule; "": nobody. OK; DENIED with *refusal (texts in the
 * arena or static; no text of a token): nothing was changed. ERR_MEMORY. */
NODISCARD enum status person_name(const struct session *session, struct identity *identity,
                                  const char *setting, const char *value, struct arena *arena,
                                  struct refusal *refusal);
/* The application's name has changed: where it names the person, she is another one; nobody, when
 * it is no name of one. */
void person_follow_application(const struct session *session, struct identity *identity);
/* The person's token is over. */
bool person_is_over(const struct identity *identity);
/* What a statement of nobody's is refused with. Texts are static, or in the session. */
void person_refusal(struct session *session, struct refusal *refusal);
/* What she may not be: DENIED with *refusal, or ERR_MEMORY. */
NODISCARD enum status person_refuse_role(const struct identity *identity,
                                         const struct policy *policy, const char *role,
                                         struct arena *arena, struct refusal *refusal);
/* May a statement of nobody's run: one that touches no data? */
bool person_needless(const struct verdict *verdict);
/* In a newer world: a person whose token would be judged by other keys, or another rule, must be
 * named again. */
void person_move(struct identity *identity, const struct policy_user *login_before,
                 const struct world *before, const struct world *now);
/* "asserted", "proven", "login", "nobody"; NULL for who acts for herself. */
const char *person_kind(const struct identity *identity);

#endif
