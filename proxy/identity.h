/*
 * identity.h: who a session acts for, in which role and mission, and how the server is told.
 *
 * The person is kept apart from the login that carried the connection. Everything a guard's
 * placeholder can read is here, and identity_person makes the one text that gives it to a server
 * connection (identity_text.h): role, placeholders' settings, search path; identity_preferences the
 * one of the session's own settings. Two sessions with equal texts can use a server one after the
 * other as it is.
 *
 * Values come from the policy and from the client; all are quoted as literals. Owned by a session;
 * one thread.
 */
#ifndef PGVIGIL_PROXY_IDENTITY_H
#define PGVIGIL_PROXY_IDENTITY_H

#include "proxy/identity_text.h"

#include <pgvigil/buf.h>
#include <pgvigil/judge.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

struct break_glass;

enum identity_person {
    IDENTITY_OWN = 0, /* the login is the person; or a shared one, in the role that it has itself */
    IDENTITY_ASSERTED, /* the application says so */
    IDENTITY_PROVEN,   /* by a token, up to `until` */
    IDENTITY_NOBODY,   /* a shared login that acts for nobody, and may nothing by itself */
    IDENTITY_EXPIRED   /* the same, for its token is over: also where it may something by itself, or
                          the end of a token would go unseen */
};

struct identity {
    const struct policy_user *login; /* who is connected; borrowed from the session's world */
    const struct policy_user *user;  /* the person; `login` while nobody is named */
    int64_t until;                   /* PROVEN: seconds since 1970 */
    enum identity_person person;
    bool role_chosen; /* by pgvigil.role: the next person keeps it, where she has it */
    int role;
    int mission;               /* -1: none chosen */
    struct break_glass *glass; /* how such a mission was entered (break_glass.h), a reference; NULL
                                  in all others */
    char *application;
    char *reason; /* NULL: not given */
    char *patient;
    const char *const *path; /* search_path, without "$user"; owned, unless it is the usual one */
    size_t path_count;
    struct judge_setting *settings; /* forwarded settings that the session has set */
    size_t setting_count;
};

/* The user's first role and its default mission; a shared login acts for nobody yet. path: public.
 */
NODISCARD enum status identity_init(struct identity *identity, const struct policy *policy,
                                    const struct policy_user *user);
void identity_free(struct identity *identity);

/* ERR_INVALID with *why (a sentence, in static or arena memory) when the user may not. */
NODISCARD enum status identity_choose_role(struct identity *identity, const struct policy *policy,
                                           const char *name);
/* A shared login's person. Role: the one that was chosen, where she has it, else the first of hers
 * within the ceiling; mission: its default. Reason, patient and a broken glass are hers who gave
 * them: they end, unless she was the person already. ERR_INVALID: she may not be acted for. */
NODISCARD enum status identity_act_for(struct identity *identity, const struct policy *policy,
                                       const struct policy_user *person, enum identity_person kind,
                                       int64_t until);
/* A shared login acts for nobody: what it is then is the policy's `absent`. */
void identity_act_for_nobody(struct identity *identity, const struct policy *policy);
/* The token is over. */
void identity_expire(struct identity *identity, const struct policy *policy);
/* Back to who it was at the session's start, with reason and patient of then. ERR_MEMORY. */
NODISCARD enum status identity_act_as_at_start(struct identity *identity,
                                               const struct policy *policy,
                                               const struct identity *start);
/* Nothing may run: NOBODY or EXPIRED. Then the mission is -1. */
bool identity_is_nobody(const struct identity *identity);
bool identity_same_person(const struct identity *a, const struct identity *b);
/* Role's default; -1 where there is none, and for nobody. */
int identity_default_mission(const struct identity *identity, const struct policy *policy);
/* Her first role within the ceiling, and no longer one that was chosen. */
void identity_first_role(struct identity *identity, const struct policy *policy);
NODISCARD enum status identity_choose_mission(struct identity *identity,
                                              const struct policy *policy, const char *name);
/* The same person, role and mission in a newer policy. ERR_INVALID: one of them is gone. */
NODISCARD enum status identity_move(struct identity *identity, const struct policy *from,
                                    const struct policy *to);

NODISCARD enum status identity_set_path(struct identity *identity, const char *const *names,
                                        size_t count);
/* From one text as in start-up options: names separated by commas, quoted or folded. ERR_INVALID.
 */
NODISCARD enum status identity_parse_path(struct identity *identity, const char *text);
/* As SHOW search_path prints it. */
void identity_show_path(const struct identity *identity, struct buf *out);

/* A forwarded setting of the session; value NULL: back to the server's. */
NODISCARD enum status identity_set(struct identity *identity, const char *name, const char *value);
void identity_clear_settings(struct identity *identity);
/* Replaces an owned string. ERR_MEMORY. */
NODISCARD enum status identity_replace(char **place, const char *value);
/* As PostgreSQL keeps it: its first 63 bytes, whole characters. ERR_MEMORY. */
NODISCARD enum status identity_name_application(struct identity *identity, const char *value);

/* Bytes of a reason, a patient, a search path. The attacks: every record holds the reason, every
 * savepoint all of them; and the environment of the alert program has no room for a long one, so
 * that nobody is told. A record shows a text of that length whole. */
#define IDENTITY_TEXT_MAX ((size_t)4096)

/* What makes a server connection this person's, into a text that holds nothing. `pair` NULL:
 * nobody, with no rights at all. */
NODISCARD enum status identity_person(const struct identity *identity, const struct policy *policy,
                                      const char *pair, const char *address,
                                      struct identity_text *out);
/* The session's own settings as one statement; "" when it has none. */
NODISCARD enum status identity_preferences(const struct identity *identity, struct buf *out);

/* Everything but the forwarded settings, into a struct that holds nothing. */
NODISCARD enum status identity_copy(const struct identity *from, struct identity *to);
/* Moves what identity_copy copies out of `from`; forwarded settings of `to` stay. */
void identity_take(struct identity *to, struct identity *from);
/* Person, role, mission, reason and patient. */
bool identity_same_standing(const struct identity *a, const struct identity *b);
bool identity_same_path(const struct identity *a, const struct identity *b);

#endif
