/*
 * replay.h: statements of a log, judged as if they were sent by somebody of the policy.
 *
 * What enforcing would do comes from an observer (policy/observe.c): nothing is connected to and
 * nothing runs. Verdicts are kept by text, person, role, mission and path, within a bound, since a
 * log holds the same statements again and again.
 */
#ifndef PGVIGIL_TOOLS_REPLAY_H
#define PGVIGIL_TOOLS_REPLAY_H

#include "tools/logread.h"
#include "tools/report.h"

#include <pgvigil/observe.h>

#define REPLAY_LIST_MAX 32

/* Whose statements those of one login of the log are. NULL: the user's first role, the role's
 * default mission. */
struct replay_login {
    const char *login; /* NULL: of every line */
    const char *user;
    const char *role;
    const char *mission;
};

struct replay_options {
    const struct replay_login
        *logins; /* the first that fits; what has none is the user of that name */
    size_t login_count;
    const char *const *path; /* search_path at a session's start */
    size_t path_count;
    const char *const *settings; /* pgvigil.* settings that sessions have given */
    size_t setting_count;
    const char *const *skipped; /* logins whose statements are left out */
    size_t skipped_count;
    const char *database; /* what the log calls the database; NULL: any */
    const char
        *trail_database; /* the same of pgvigil's trail, where it is the configuration's name */
};

/* What comes of one statement; lives until the next one. */
struct replay_case {
    struct report_who who;
    struct report_case report;
    bool allowed;
    const char *sqlstate;
    const char *fingerprint; /* or NULL */
};

struct replay;

/* Borrows everything. NULL when out of memory. */
struct replay *replay_new(const struct policy *policy, const struct observer *observer,
                          const struct replay_options *options);
void replay_free(struct replay *replay);
/* OK; DENIED: nothing was judged (it is no statement, or was counted in left_out); ERR_MEMORY. */
NODISCARD enum status replay_judge(struct replay *replay, const struct logread_entry *entry,
                                   struct report_left_out *left_out, struct replay_case *one);
/* The same from what a record of the trail says was observed. */
NODISCARD enum status replay_observed(struct replay *replay, const struct logread_entry *entry,
                                      struct report_left_out *left_out, struct replay_case *one);
uint64_t replay_kept(const struct replay *replay); /* statements whose verdict was known already */

#endif
