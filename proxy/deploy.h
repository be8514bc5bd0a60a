/*
 * deploy.h: what `pgvigil deploy` does to a database, in steps. Private to tools/.
 *
 * All steps run on one connection of the DBA's, inside one transaction that the caller ends: an
 * error anywhere leaves the database as it was.
 */
#ifndef PGVIGIL_TOOLS_DEPLOY_H
#define PGVIGIL_TOOLS_DEPLOY_H

#include <libpq-fe.h>
#include <pgvigil/arena.h>
#include <pgvigil/guard.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdio.h>

struct deploy {
    PGconn *conn;
    struct arena *arena;
    const struct policy *policy;
    const char *database; /* as configured, for messages */
    const char *owner;
    const char *login;
    bool dry_run;  /* statements are printed, none is run */
    bool progress; /* on stderr */
    /* Results */
    size_t made, replaced, dropped, granted, warnings;
    size_t done, total; /* for progress */
};

/* ERR_UPSTREAM: libpq's message was printed, with what was being done. */
NODISCARD enum status deploy_run(struct deploy *deploy, const char *sql, const char *about);
NODISCARD enum status deploy_query(struct deploy *deploy, const char *sql, int count,
                                   const char *const *values, PGresult **result);
/* "name" quoted, in the arena; "" when it is out of memory (the statement then fails). */
const char *deploy_quoted(struct deploy *deploy, const char *name);

/* Says everything that the connection lacks for deploying. ERR_INVALID then. */
NODISCARD enum status deploy_rights(struct deploy *deploy);
/* Brings the plan's generation into being: all of it, or what differs. */
NODISCARD enum status deploy_make(struct deploy *deploy, const struct guard_plan *plan);

/* Drops every generation but `keep` (a digest; NULL: all). With `unused`, only those that no
 * session works with. */
NODISCARD enum status deploy_drop(struct deploy *deploy, const char *keep, bool unused);

#endif
