/*
 * deploy.h: what makes and replaces guards in a database, in steps: for `pgvigil deploy`, and for
 * DDL of unrestricted roles (ddl.h).
 *
 * All steps run on one connection, inside one transaction that the caller ends: an error anywhere
 * leaves the database as it was.
 */
#ifndef PGVIGIL_PROXY_DEPLOY_H
#define PGVIGIL_PROXY_DEPLOY_H

#include <libpq-fe.h>
#include <pgvigil/arena.h>
#include <pgvigil/guard.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdio.h>

/* Why a step failed, where nobody reads stderr. */
struct deploy_failure {
    const char *sqlstate; /* in the arena, as the next two; NULL: no server's error */
    const char *message;
    const char *about;
    const struct guard_view *view; /* that could not be made, or NULL */
};

struct deploy {
    PGconn *conn;
    struct arena *arena;
    const struct policy *policy;
    const struct catalog *catalog; /* that the plan was made over; may be NULL */
    const char *database;          /* as configured, for messages */
    const char *owner;
    const char *login;
    bool dry_run;  /* statements are printed, none is run */
    bool progress; /* on stderr */
    /* In the middle of somebody's transaction: nothing is said on stderr, the first failure is kept
     * here, and only guards over relations are looked after. NULL: `pgvigil deploy`. */
    struct deploy_failure *failure;
    const char *back; /* with `failure`: the statement that ends acting as the owner */
    /* Results */
    size_t made, replaced, dropped, granted, warnings;
    size_t done, total; /* for progress */
};

/* ERR_UPSTREAM: libpq's message was printed, with what was being done. */
NODISCARD enum status deploy_run(struct deploy *deploy, const char *sql, const char *about);
NODISCARD enum status deploy_query(struct deploy *deploy, const char *sql, int count,
                                   const char *const *values, PGresult **result);
/* An error that is nobody's fault and not the policy's: another try may go well. */
bool deploy_passing(const char *sqlstate);
/* "name" quoted, in the arena; "" when it is out of memory (the statement then fails). */
const char *deploy_quoted(struct deploy *deploy, const char *name);

/* Says everything that the connection lacks for deploying. ERR_INVALID then. */
NODISCARD enum status deploy_rights(struct deploy *deploy);
/* Brings the plan's generation into being: all of it, or what differs. */
NODISCARD enum status deploy_make(struct deploy *deploy, const struct guard_plan *plan);

/* With `failure`: makes again what differs of a generation that is deployed. ERR_INVALID: it is
 * not.
 */
NODISCARD enum status deploy_again(struct deploy *deploy, const struct guard_plan *plan);
/* The schema of pgvigil's own register of rights, where the policy has any that stand in it
 * (deploy_register.c). */
NODISCARD enum status deploy_register(struct deploy *deploy);
/* ERR_INVALID, told: the server does not know the time zone of `retention`. */
NODISCARD enum status deploy_time_zone(struct deploy *deploy);
/* Large objects of an older generation's pairs become this one's (deploy_objects.c). */
NODISCARD enum status deploy_objects(struct deploy *deploy);
/* A query of one parameter, a digest: the statements that leave its roles no large object and no
 * right on one. NULL: out of memory. */
const char *deploy_objects_drop(struct deploy *deploy);

/* Drops every generation but `keep` (a digest; NULL: all). With `unused`, only those that no
 * session works with. */
NODISCARD enum status deploy_drop(struct deploy *deploy, const char *keep, bool unused);

#endif
