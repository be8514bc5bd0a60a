/*
 * mission.c: changes of who acts and why, and their undoing (see mission.h).
 *
 * Trust boundary: values are the client's; they are compared with the policy or stored. What the
 * server says of its transactions decides when a change is undone.
 */
#include "proxy/mission.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- what a change means ---- */

static enum status record_change(struct session *session, const char *how)
{
    char detail[240];
    snprintf(detail, sizeof detail, "role %s, mission %s%s", session->who.role,
             session->who.mission == NULL ? "none" : session->who.mission, how);
    return audit_event(session->worker->audit, "mission", &session->who, detail) == OK ? OK
                                                                                       : ERR_AUDIT;
}

static bool unrestricted(const struct session *session, const struct identity *identity)
{
    return session->world->policy->roles[identity->role].unrestricted;
}

/* The identity is another one than `before`. */
static enum status changed(struct session *session, const struct identity *before, const char *how)
{
    const struct identity *now = &session->identity;
    if (unrestricted(session, before) != unrestricted(session, now)) {
        statements_clear(session->statements);
        session_fit_server(session);
    }
    if (identity_same_standing(before, now)) {
        if (!identity_same_path(before, now))
            session_new_epoch(session);
        else
            session_update_who(session);
        return OK;
    }
    session_new_epoch(session);
    statements_end_portals(session->statements, UINT64_MAX);
    use_end(session);
    return record_change(session, how);
}

enum status mission_start(struct session *session)
{
    identity_free(&session->start);
    return identity_copy(&session->identity, &session->start);
}

/* ---- one setting ---- */

struct change {
    const struct session *session;
    const struct verdict_statement *statement;
    const char *value; /* NULL: back to the start */
    struct arena *arena;
    struct refusal *refusal;
};

static enum status refuse(const struct change *change, const char *sqlstate, const char *message,
                          const char *hint)
{
    *change->refusal = (struct refusal){.sqlstate = sqlstate, .message = message, .hint = hint};
    return message == NULL ? ERR_MEMORY : DENIED;
}

static enum status set_role(const struct change *change, struct identity *identity)
{
    struct policy *policy = change->session->world->policy;
    const char *value =
        change->value != NULL ? change->value : policy->roles[change->session->start.role].name;
    if (identity_choose_role(identity, policy, value) == OK)
        return OK;
    return refuse(change, "42501",
                  arena_printf(change->arena, "user \"%s\" does not have the role \"%s\"",
                               identity->user->name, value),
                  NULL);
}

static char *mission_list(const struct policy *policy, int role_index, struct arena *arena)
{
    const struct policy_role *role = &policy->roles[role_index];
    char *list = arena_strdup(arena, "Missions of this role: ");
    for (size_t i = 0; list != NULL && i < role->mission_count; i++)
        list = arena_printf(arena, "%s%s%s", list, i == 0 ? "" : ", ",
                            policy->missions[role->missions[i]].name);
    return list;
}

static enum status set_mission(const struct change *change, struct identity *identity)
{
    struct policy *policy = change->session->world->policy;
    const struct policy_role *role = &policy->roles[identity->role];
    if (change->value == NULL) {
        int start = change->session->start.mission;
        bool has = start >= 0 && policy_role_has_mission(policy, identity->role, start);
        identity->mission = has ? start : role->default_mission;
        return OK;
    }
    int mission = policy_find_mission(policy, change->value);
    if (mission >= 0 && policy->missions[mission].break_glass != NULL)
        return refuse(change, "0A000", "break-glass missions are not supported yet", NULL);
    if (identity_choose_mission(identity, policy, change->value) == OK)
        return OK;
    return refuse(change, "42501",
                  arena_printf(change->arena, "role \"%s\" may not take the mission \"%s\"",
                               role->name, change->value),
                  mission_list(policy, identity->role, change->arena));
}

static enum status set_path(const struct change *change, struct identity *identity)
{
    const struct verdict_statement *statement = change->statement;
    const struct identity *start = &change->session->start;
    if (change->value == NULL)
        return identity_set_path(identity, (const char *const *)start->path, start->path_count);
    return identity_set_path(identity, statement->values, statement->value_count);
}

static enum status set_text(const struct change *change, char **place, const char *start)
{
    return identity_replace(place, change->value != NULL ? change->value : start);
}

static enum status apply(const struct change *change, struct identity *identity)
{
    const char *name = change->statement->setting;
    const struct identity *start = &change->session->start;
    if (change->statement->setting_class == SETTING_PATH)
        return set_path(change, identity);
    if (strcasecmp(name, "application_name") == 0)
        return set_text(change, &identity->application, start->application);
    if (strcasecmp(name, "pgvigil.role") == 0)
        return set_role(change, identity);
    if (strcasecmp(name, "pgvigil.mission") == 0)
        return set_mission(change, identity);
    if (strcasecmp(name, "pgvigil.reason") == 0)
        return set_text(change, &identity->reason, start->reason);
    if (strcasecmp(name, "pgvigil.patient") == 0)
        return set_text(change, &identity->patient, start->patient);
    if (change->statement->setting_class == SETTING_PGVIGIL)
        return refuse(
            change, "42704",
            arena_printf(change->arena, "unrecognized configuration parameter \"%s\"", name), NULL);
    return refuse(change, "55P02",
                  arena_printf(change->arena, "parameter \"%s\" cannot be changed", name), NULL);
}

/* RESET ALL: everything as at the session's start. */
static enum status apply_all(const struct change *change, struct identity *identity)
{
    struct identity copy;
    enum status status = identity_copy(&change->session->start, &copy);
    if (status == OK)
        identity_take(identity, &copy);
    return status;
}

/* A change that a commit keeps is made to what a commit leaves as well, where SET LOCAL has made it
 * differ. A mission that the kept role does not have becomes that role's default. */
static enum status apply_kept(const struct change *change)
{
    struct session *session = (struct session *)change->session;
    bool failed = false;
    struct identity *kept = transaction_kept(&session->transaction, &failed);
    if (failed)
        return ERR_MEMORY;
    if (kept == NULL)
        return OK;
    enum status status =
        change->statement->setting == NULL ? apply_all(change, kept) : apply(change, kept);
    if (status == DENIED)
        kept->mission = session->world->policy->roles[kept->role].default_mission;
    return status == DENIED ? OK : status;
}

static enum status refuse_kind(const struct change *change)
{
    const struct policy *policy = change->session->world->policy;
    return refuse(
        change, "25001",
        arena_printf(change->arena,
                     "the role cannot change from \"%s\" here: one of the two is unrestricted and "
                     "works on another server connection than the transaction's",
                     policy->roles[change->session->identity.role].name),
        "Change it before BEGIN (in drivers: in autocommit mode), or at start with "
        "options='-c pgvigil.role=...'.");
}

static struct change change_of(const struct session *session,
                               const struct verdict_statement *statement, struct arena *arena,
                               struct refusal *refusal)
{
    bool given = statement->kind == STATEMENT_SET && statement->value_count > 0;
    return (struct change){.session = session,
                           .statement = statement,
                           .value = given ? statement->values[0] : NULL,
                           .arena = arena,
                           .refusal = refusal};
}

enum status mission_try(const struct session *session, const struct verdict_statement *statement,
                        struct arena *arena, struct refusal *refusal)
{
    struct change change = change_of(session, statement, arena, refusal);
    struct identity copy;
    if (identity_copy(&session->identity, &copy) != OK)
        return ERR_MEMORY;
    enum status status = apply(&change, &copy);
    identity_free(&copy);
    return status;
}

enum status mission_set(struct session *session, const struct verdict_statement *statement,
                        struct arena *arena, struct refusal *refusal)
{
    struct change change = change_of(session, statement, arena, refusal);
    struct identity before;
    if (identity_copy(&session->identity, &before) != OK)
        return ERR_MEMORY;
    enum status status = statement->setting == NULL ? apply_all(&change, &session->identity)
                                                    : apply(&change, &session->identity);
    if (status == OK &&
        unrestricted(session, &before) != unrestricted(session, &session->identity) &&
        (session->transaction.block || query_in_transaction(session))) {
        identity_take(&session->identity, &before);
        return refuse_kind(&change);
    }
    bool local = statement->local && statement->kind == STATEMENT_SET;
    if (status == OK)
        status = transaction_touch(&session->transaction, &before, local);
    if (status == OK && !local)
        status = apply_kept(&change);
    if (status == OK)
        status = changed(session, &before, "");
    identity_free(&before);
    return status;
}

/* ---- the server's transactions ---- */

enum undo { UNDO_ABORT, UNDO_ROLLBACK, UNDO_ROLLBACK_TO, UNDO_COMMIT };

static enum status run_undo(struct session *session, enum undo undo, const char *name)
{
    struct transaction *transaction = &session->transaction;
    switch (undo) {
    case UNDO_ABORT:
        return transaction_abort(transaction, &session->identity);
    case UNDO_ROLLBACK:
        return transaction_rollback(transaction, &session->identity);
    case UNDO_ROLLBACK_TO:
        return transaction_rollback_to(transaction, name, &session->identity);
    case UNDO_COMMIT:
        return transaction_commit(transaction, &session->identity);
    }
    return ERR_INTERNAL;
}

static enum status undo(struct session *session, enum undo undo, const char *name)
{
    if (transaction_clean(&session->transaction))
        return run_undo(session, undo, name);
    /* What was set on the server inside the transaction is gone there, or is not: nobody knows. */
    if (undo != UNDO_COMMIT && session->server != NULL)
        session->server->doubtful = true;
    struct identity before;
    enum status status = identity_copy(&session->identity, &before);
    if (status != OK)
        return status;
    status = run_undo(session, undo, name);
    if (status == OK)
        status =
            changed(session, &before,
                    undo == UNDO_COMMIT ? ", after SET LOCAL" : ", undone with the transaction");
    identity_free(&before);
    return status;
}

static enum status end_block(struct session *session, enum undo how, bool chain)
{
    enum status status = undo(session, how, NULL);
    if (chain)
        transaction_begin(&session->transaction);
    return status;
}

enum status mission_completed(struct session *session, const struct verdict_statement *statement,
                              const char *tag)
{
    struct transaction *transaction = &session->transaction;
    const char *target = statement == NULL ? NULL : statement->target;
    bool chain = statement != NULL && statement->chain;
    if (strcmp(tag, "BEGIN") == 0 || strcmp(tag, "START TRANSACTION") == 0)
        transaction_begin(transaction);
    else if (strcmp(tag, "SAVEPOINT") == 0 && target != NULL)
        return transaction_savepoint(transaction, target);
    else if (strcmp(tag, "RELEASE") == 0 && target != NULL)
        transaction_release(transaction, target);
    else if (strcmp(tag, "COMMIT") == 0 || strcmp(tag, "PREPARE TRANSACTION") == 0)
        return end_block(session, UNDO_COMMIT, chain);
    else if (strcmp(tag, "ROLLBACK") == 0 && statement != NULL &&
             statement->kind == STATEMENT_ROLLBACK_TO)
        return undo(session, UNDO_ROLLBACK_TO, target);
    else if (strcmp(tag, "ROLLBACK") == 0)
        return end_block(session, UNDO_ROLLBACK, chain);
    return OK;
}

enum status mission_failed(struct session *session)
{
    return undo(session, UNDO_ABORT, NULL);
}

enum status mission_ready(struct session *session, unsigned char tx, bool failed)
{
    struct transaction *transaction = &session->transaction;
    if (tx == 'I')
        return undo(session, failed || transaction->aborted ? UNDO_ROLLBACK : UNDO_COMMIT, NULL);
    transaction->block = true;
    transaction->aborted = tx == 'E';
    return OK;
}
