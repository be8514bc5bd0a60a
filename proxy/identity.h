/*
 * identity.h: who a session acts for, in which role and mission, and how the server is told.
 *
 * The person is kept apart from the login that carried the connection. Everything a guard's
 * placeholder can read is here, and identity_person makes the one text that gives it to a server
 * connection: role, placeholders' settings, search path; identity_preferences the one of the
 * session's own settings. Two sessions with equal texts can use a server one after the other as it
 * is.
 *
 * Values come from the policy and from the client; all are quoted as literals. Owned by a session;
 * one thread.
 */
#ifndef PGVIGIL_PROXY_IDENTITY_H
#define PGVIGIL_PROXY_IDENTITY_H

#include <pgvigil/buf.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

struct break_glass;

struct identity_setting {
    char *name; /* lower case */
    char *value;
};

struct identity {
    const struct policy_user *user; /* borrowed from the session's world */
    int role;
    int mission;               /* -1: none chosen */
    struct break_glass *glass; /* how such a mission was entered (break_glass.h), a reference; NULL
                                  in all others */
    char *application;
    char *reason; /* NULL: not given */
    char *patient;
    char **path; /* search_path, without "$user" */
    size_t path_count;
    struct identity_setting *settings; /* forwarded settings that the session has set */
    size_t setting_count;
};

/* The user's first role and its default mission. path: public. */
NODISCARD enum status identity_init(struct identity *identity, const struct policy *policy,
                                    const struct policy_user *user);
void identity_free(struct identity *identity);

/* ERR_INVALID with *why (a sentence, in static or arena memory) when the user may not. */
NODISCARD enum status identity_choose_role(struct identity *identity, const struct policy *policy,
                                           const char *name);
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

/* What makes a server connection this person's: one statement, no values in it but as literals;
 * all of it up to *path_at says who acts and why, the rest is the search path. `pair` NULL: nobody,
 * with no rights at all. */
NODISCARD enum status identity_person(const struct identity *identity, const struct policy *policy,
                                      const char *pair, const char *address, struct buf *out,
                                      size_t *path_at);
/* The session's own settings likewise; "" when it has none. */
NODISCARD enum status identity_preferences(const struct identity *identity, struct buf *out);

/* Everything but the forwarded settings, into a struct that holds nothing. */
NODISCARD enum status identity_copy(const struct identity *from, struct identity *to);
/* Moves what identity_copy copies out of `from`; forwarded settings of `to` stay. */
void identity_take(struct identity *to, struct identity *from);
/* Role, mission, reason and patient. */
bool identity_same_standing(const struct identity *a, const struct identity *b);
bool identity_same_path(const struct identity *a, const struct identity *b);

#endif
