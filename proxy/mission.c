/*
 * mission.c: changes of who acts and why, and their undoing (see mission.h).
 *
 * Trust boundary: values are the client's; they are compared with the policy or stored. What the
 * server says of its transactions decides when a change is undone.
 */
#include "proxy/mission.h"

#include "proxy/alert.h"
#include "proxy/break_glass.h"
#include "proxy/mission_limits.h"
#include "proxy/person.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what a change means ---- */

static enum status record(struct session *session, const char *event,
                          const struct audit_session *who, const char *detail)
{
    return audit_event(session->worker->audit, event, who, detail) == OK ? OK : ERR_AUDIT;
}

static enum status record_change(struct session *session, const struct identity *before,
                                 const char *how)
{
    char person[120] = "";
    char detail[400];
    const struct audit_session *who = &session->who;
    if (!identity_same_person(before, &session->identity))
        snprintf(person, sizeof person, "person %s, %s, ",
                 identity_is_nobody(&session->identity) ? "none" : who->person, who->identity);
    snprintf(detail, sizeof detail, "%srole %s, mission %s%s", person,
             who->role == NULL ? "none" : who->role, who->mission == NULL ? "none" : who->mission,
             how);
    return record(session, "mission", who, detail);
}

/* Of an identity that the session no longer has. */
static enum status record_end(struct session *session, const struct identity *identity,
                              const char *how)
{
    struct audit_session who = session->who;
    char detail[160];
    session_fill_who(session, identity, &who);
    snprintf(detail, sizeof detail, "of %u minutes%s", identity->glass->minutes, how);
    return record(session, "break-glass-end", &who, detail);
}

static enum status record_begin(struct session *session, const char *how)
{
    struct break_glass *glass = session->identity.glass;
    char detail[160];
    snprintf(detail, sizeof detail, "%u minutes%s", glass->minutes, how);
    enum status status = record(session, "break-glass-begin", &session->who, detail);
    if (status != OK || how[0] != '\0')
        return status;
    /* Not one that an undo brought back. */
    break_glass_unref(session->glass_entered);
    session->glass_entered = break_glass_ref(glass);
    session->held.glass = false;
    return break_glass_registry_note(session->worker->process->reasons,
                                     session->identity.user->name, glass->reason);
}

static bool unrestricted(const struct session *session, const struct identity *identity)
{
    /* In observe mode all roles work alike. */
    return session_observed(session) || session->world->policy->roles[identity->role].unrestricted;
}

/* The identity is another one than `before`. */
static enum status changed(struct session *session, const struct identity *before, const char *how)
{
    const struct identity *now = &session->identity;
    bool other_glass = before->glass != now->glass;
    if (other_glass && before->glass != NULL && record_end(session, before, how) != OK)
        return ERR_AUDIT;
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
    temporary_end(&session->temporary);
    enum status status = record_change(session, before, how);
    return status == OK && other_glass && now->glass != NULL ? record_begin(session, how) : status;
}

static uint64_t monotonic(const struct session *session)
{
    return session->worker->now;
}

/* An identity whose entry does not hold any more for what it has become. */
static void settle(const struct session *session, struct identity *identity)
{
    (void)break_glass_settle(session->world->policy, identity, monotonic(session));
}

/* Few sessions ever become another than they were at their start. */
enum status mission_keep_start(struct session *session)
{
    if (session->start != NULL)
        return OK;
    struct identity *start = calloc(1, sizeof *start);
    if (start == NULL || identity_copy(&session->identity, start) != OK) {
        free(start);
        return ERR_MEMORY;
    }
    session->start = start;
    return OK;
}

/* The identity as it is, and what RESET goes back to: both before it becomes another. */
static enum status before_change(struct session *session, struct identity *before)
{
    enum status status = mission_keep_start(session);
    return status == OK ? identity_copy(&session->identity, before) : status;
}

const struct identity *mission_start(const struct session *session)
{
    return session->start == NULL ? &session->identity : session->start;
}

void mission_free_start(struct session *session)
{
    if (session->start != NULL)
        identity_free(session->start);
    free(session->start);
    session->start = NULL;
}

/* ---- one setting ---- */

struct change {
    const struct session *session;
    const struct verdict_statement *statement;
    const char *value; /* NULL: back to the start */
    struct arena *arena;
    struct refusal *refusal;
    struct break_glass *entered; /* borrowed from the session's identity, which got it first */
};

static enum status refuse(const struct change *change, const char *sqlstate, const char *message,
                          const char *hint)
{
    *change->refusal = (struct refusal){.sqlstate = sqlstate, .message = message, .hint = hint};
    return message == NULL ? ERR_MEMORY : DENIED;
}

static bool as_at_start(const struct change *change, const struct identity *identity)
{
    return identity_same_person(identity, mission_start(change->session));
}

static enum status refuse_nobody(const struct change *change)
{
    return refuse(change, "42501",
                  arena_printf(change->arena,
                               "login \"%s\" acts for nobody: there is no one to take a role or a "
                               "mission",
                               change->session->identity.login->name),
                  "Name the person first.");
}

static enum status set_role(const struct change *change, struct identity *identity)
{
    struct policy *policy = change->session->world->policy;
    const struct identity *start = mission_start(change->session);
    bool nobody = identity_is_nobody(identity);
    if (change->value == NULL && (nobody || !as_at_start(change, identity))) {
        if (!nobody)
            identity_first_role(identity, policy);
        return OK;
    }
    if (nobody)
        return refuse_nobody(change);
    const char *value = change->value != NULL ? change->value : policy->roles[start->role].name;
    if (identity_choose_role(identity, policy, value) == OK) {
        identity->role_chosen = change->value != NULL || start->role_chosen;
        return OK;
    }
    return person_refuse_role(identity, policy, value, change->arena, change->refusal);
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

/* What a commit will leave takes the same entry as what is, where it fits there too. */
static enum status enter_kept(const struct change *change, struct identity *identity, int mission)
{
    struct identity copy = *identity;
    copy.mission = mission;
    copy.glass = change->entered;
    if (!break_glass_holds(change->session->world->policy, &copy, monotonic(change->session)))
        return DENIED;
    break_glass_unref(identity->glass);
    identity->glass = break_glass_ref(change->entered);
    identity->mission = mission;
    return OK;
}

static enum status enter(const struct change *change, struct identity *identity, int mission)
{
    const struct policy *policy = change->session->world->policy;
    if (identity->mission == mission &&
        break_glass_holds(policy, identity, monotonic(change->session)))
        return OK; /* it is not made longer */
    if (change->entered != NULL)
        return enter_kept(change, identity, mission);
    struct break_glass_refusal why = {NULL, NULL};
    struct break_glass *glass = NULL;
    enum status status =
        break_glass_enter(change->session->worker->process->reasons, policy, mission, identity,
                          monotonic(change->session), change->arena, &why, &glass);
    if (status == DENIED)
        return refuse(change, "42501", why.message, why.hint);
    if (status != OK)
        return status;
    break_glass_unref(identity->glass);
    identity->glass = glass;
    identity->mission = mission;
    return OK;
}

static enum status set_mission(const struct change *change, struct identity *identity)
{
    struct policy *policy = change->session->world->policy;
    const struct policy_role *role = &policy->roles[identity->role];
    if (change->value == NULL) {
        int start = mission_start(change->session)->mission;
        bool has = start >= 0 && as_at_start(change, identity) &&
                   policy_role_has_mission(policy, identity->role, start);
        identity->mission = has ? start : identity_default_mission(identity, policy);
        return OK;
    }
    if (identity_is_nobody(identity))
        return refuse_nobody(change);
    int mission = policy_find_mission(policy, change->value);
    bool has = mission >= 0 && policy_role_has_mission(policy, identity->role, mission);
    const char *message = NULL;
    const char *hint = NULL;
    enum status status = has ? mission_limits_place(change->session, identity->role, mission,
                                                    change->arena, &message, &hint)
                             : OK;
    if (status != OK)
        return status == DENIED ? refuse(change, "42501", message, hint) : status;
    if (has && policy->missions[mission].break_glass != NULL)
        return enter(change, identity, mission);
    if (identity_choose_mission(identity, policy, change->value) == OK)
        return OK;
    return refuse(change, "42501",
                  arena_printf(change->arena, "role \"%s\" may not take the mission \"%s\"",
                               role->name, change->value),
                  mission_list(policy, identity->role, change->arena));
}

static enum status too_long(const struct change *change)
{
    return refuse(change, "54000",
                  arena_printf(change->arena, "the value of \"%s\" is longer than %zu bytes",
                               change->statement->setting, IDENTITY_TEXT_MAX),
                  NULL);
}

static enum status set_path(const struct change *change, struct identity *identity)
{
    const struct verdict_statement *statement = change->statement;
    const struct identity *start = mission_start(change->session);
    size_t bytes = 0;
    if (change->value == NULL)
        return identity_set_path(identity, start->path, start->path_count);
    for (size_t i = 0; i < statement->value_count && bytes <= IDENTITY_TEXT_MAX; i++)
        bytes += strlen(statement->values[i]) + 1;
    if (bytes > IDENTITY_TEXT_MAX)
        return too_long(change);
    return identity_set_path(identity, statement->values, statement->value_count);
}

static enum status set_text(const struct change *change, char **place, const char *start)
{
    if (change->value != NULL && strlen(change->value) > IDENTITY_TEXT_MAX)
        return too_long(change);
    return identity_replace(place, change->value != NULL ? change->value : start);
}

/* Reason and patient: the person's who gives them. */
static enum status set_of_person(const struct change *change, struct identity *identity,
                                 char **place, const char *start)
{
    if (change->value != NULL && identity_is_nobody(identity))
        return refuse_nobody(change);
    return set_text(change, place, as_at_start(change, identity) ? start : NULL);
}

static enum status set_application(const struct change *change, struct identity *identity)
{
    const char *start = mission_start(change->session)->application;
    enum status status =
        identity_name_application(identity, change->value != NULL ? change->value : start);
    if (status == OK)
        person_follow_application(change->session, identity);
    return status;
}

static enum status set_person(const struct change *change, struct identity *identity)
{
    const struct session *session = change->session;
    if (change->value != NULL)
        return person_name(session, identity, change->statement->setting, change->value,
                           change->arena, change->refusal);
    return identity->login->on_behalf == NULL
               ? OK
               : identity_act_as_at_start(identity, session->world->policy, mission_start(session));
}

static bool names_person(const char *setting)
{
    return strcasecmp(setting, "pgvigil.user") == 0 || strcasecmp(setting, "pgvigil.token") == 0;
}

static enum status apply(const struct change *change, struct identity *identity)
{
    const char *name = change->statement->setting;
    const struct identity *start = mission_start(change->session);
    if (change->statement->setting_class == SETTING_PATH)
        return set_path(change, identity);
    if (strcasecmp(name, "application_name") == 0)
        return set_application(change, identity);
    if (names_person(name))
        return set_person(change, identity);
    if (strcasecmp(name, "pgvigil.role") == 0)
        return set_role(change, identity);
    if (strcasecmp(name, "pgvigil.mission") == 0)
        return set_mission(change, identity);
    if (strcasecmp(name, "pgvigil.reason") == 0)
        return set_of_person(change, identity, &identity->reason, start->reason);
    if (strcasecmp(name, "pgvigil.patient") == 0)
        return set_of_person(change, identity, &identity->patient, start->patient);
    if (strcasecmp(name, "pgvigil.mode") == 0)
        return refuse(change, "55P02", "parameter \"pgvigil.mode\" cannot be changed",
                      "It stands in pgvigil's configuration.");
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
    enum status status = identity_copy(mission_start(change->session), &copy);
    if (status == OK)
        identity_take(identity, &copy);
    return status;
}

/* Role, mission, reason and patient that one person sets are not another's. */
static bool is_of_person(const struct change *change)
{
    static const char *const names[] = {"pgvigil.role", "pgvigil.mission", "pgvigil.reason",
                                        "pgvigil.patient"};
    const char *setting = change->statement->setting;
    for (size_t i = 0; setting != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(setting, names[i]) == 0)
            return true;
    return false;
}

/* What could not be done to what a commit leaves. */
static void fall_back(const struct change *change, struct identity *kept)
{
    const struct policy *policy = change->session->world->policy;
    const char *setting = change->statement->setting;
    /* Closed: not the person before. */
    if (setting != NULL && names_person(setting) && kept->login->on_behalf != NULL)
        identity_expire(kept, policy);
    else
        kept->mission = identity_default_mission(kept, policy);
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
    if (kept == NULL || (is_of_person(change) && !identity_same_person(kept, &session->identity)))
        return OK;
    enum status status =
        change->statement->setting == NULL ? apply_all(change, kept) : apply(change, kept);
    if (status == DENIED)
        fall_back(change, kept);
    settle(session, kept);
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

static void forget_notice(struct session *session)
{
    free(session->glass_notice);
    session->glass_notice = NULL;
}

enum status mission_set(struct session *session, const struct verdict_statement *statement,
                        struct arena *arena, struct refusal *refusal)
{
    struct change change = change_of(session, statement, arena, refusal);
    struct identity before;
    if (before_change(session, &before) != OK)
        return ERR_MEMORY;
    enum status status = statement->setting == NULL ? apply_all(&change, &session->identity)
                                                    : apply(&change, &session->identity);
    if (status == OK &&
        unrestricted(session, &before) != unrestricted(session, &session->identity) &&
        (session->transaction.block || query_in_transaction(session))) {
        identity_take(&session->identity, &before);
        return refuse_kind(&change);
    }
    if (status == OK)
        settle(session, &session->identity);
    bool local = statement->local && statement->kind == STATEMENT_SET;
    if (status == OK)
        status = transaction_touch(&session->transaction, &before, local);
    if (session->identity.glass != before.glass)
        change.entered = session->identity.glass;
    if (status == OK && !local)
        status = apply_kept(&change);
    if (status == OK)
        status = changed(session, &before, "");
    if (status == OK && !identity_same_standing(&before, &session->identity))
        forget_notice(session);
    identity_free(&before);
    return status;
}

/* ---- the end of a broken glass ---- */

struct leaving {
    const struct policy *policy;
    const struct break_glass *glass;
};

static void leave(struct identity *identity, void *context)
{
    const struct leaving *leaving = context;
    (void)break_glass_leave(leaving->policy, identity, leaving->glass);
}

/* Nothing brings it back: it is taken out of what an undo or a commit would restore, too. */
static enum status leave_everywhere(struct session *session, const char *how)
{
    struct identity before;
    if (before_change(session, &before) != OK)
        return ERR_MEMORY;
    enum status status = OK;
    bool open = session->transaction.block || session->transaction.count > 0 ||
                query_in_transaction(session);
    if (open)
        status = transaction_touch(&session->transaction, &before, false);
    if (status == OK) {
        struct leaving leaving = {session->world->policy, before.glass};
        transaction_visit(&session->transaction, leave, &leaving);
        leave(&session->identity, &leaving);
        status = changed(session, &before, how);
    }
    identity_free(&before);
    return status;
}

/* An undo may bring the person back; her token is as old then, and this comes again. */
static enum status expire(struct session *session)
{
    struct identity before;
    if (before_change(session, &before) != OK)
        return ERR_MEMORY;
    enum status status = OK;
    if (session->transaction.block || session->transaction.count > 0 ||
        query_in_transaction(session))
        status = transaction_touch(&session->transaction, &before, false);
    if (status == OK) {
        identity_expire(&session->identity, session->world->policy);
        status = changed(session, &before, ", the token has expired");
    }
    identity_free(&before);
    return status;
}

enum status mission_check_time(struct session *session)
{
    if (person_is_over(&session->identity)) {
        enum status drained = query_drain(session);
        return drained == OK ? expire(session) : drained;
    }
    const struct break_glass *glass = session->identity.glass;
    if (glass == NULL || monotonic(session) < glass->until)
        return OK;
    enum status status = query_drain(session);
    if (status != OK)
        return status;
    char how[64];
    char name[64];
    unsigned minutes = glass->minutes;
    snprintf(how, sizeof how, ", its time is over");
    snprintf(name, sizeof name, "%s", glass->mission);
    status = leave_everywhere(session, how);
    const char *mission = session->who.mission;
    forget_notice(session);
    char notice[200];
    snprintf(notice, sizeof notice,
             "break-glass mission \"%s\" has ended after its %u minutes; the session's mission is "
             "%s now",
             name, minutes, mission == NULL ? "none" : mission);
    session->glass_notice = strdup(notice);
    return status == OK && session->glass_notice == NULL ? ERR_MEMORY : status;
}

static void announce(struct session *session, const struct break_glass *glass)
{
    char person[160];
    const struct audit_session *who = &session->who;
    /* Not the reason and not the patient: they are the client's texts, and the audit's. */
    log_event(LOG_LEVEL_WARNING,
              "session=%lu event=break-glass person=%s role=%s mission=%s minutes=%u",
              (unsigned long)session->id, log_quote(who->person, person, sizeof person),
              glass->role, glass->mission, glass->minutes);
    int mission = policy_find_mission(session->world->policy, glass->mission);
    struct alert_facts facts = {.session = session->id,
                                .event = "break-glass",
                                .person = who->person,
                                .login = who->login,
                                .identity = who->identity,
                                .role = glass->role,
                                .mission = glass->mission,
                                .reason = glass->reason,
                                .patient = glass->patient,
                                .database = who->database,
                                .address = who->address,
                                .application = who->application,
                                .minutes = glass->minutes};
    if (mission >= 0)
        facts.purpose = session->world->policy->missions[mission].purpose;
    alert_post(session->worker->process->alert, &facts);
}

enum status mission_confirm(struct session *session, bool flushed)
{
    struct break_glass *glass = session->glass_entered;
    enum status status = OK;
    session->glass_entered = NULL;
    if (flushed)
        announce(session, glass);
    else if (session->identity.glass == glass)
        status = leave_everywhere(session, ", its record could not be written");
    break_glass_unref(glass);
    return status;
}

enum status mission_glass_over(struct session *session, const char *how)
{
    char detail[160];
    if (session->identity.glass == NULL)
        return OK;
    /* With the names that the session's records have: between two policies the identity is numbers
     * of the next one already. */
    snprintf(detail, sizeof detail, "of %u minutes%s", session->identity.glass->minutes, how);
    return record(session, "break-glass-end", &session->who, detail);
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
    if (transaction_keeps_nothing(&session->transaction))
        return run_undo(session, undo, name);
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

/* An unrestricted session's RESET ALL or DISCARD ALL ran on its server: what is kept here follows,
 * but for a role of the other kind. */
static enum status reset_with_server(struct session *session)
{
    static const struct verdict_statement everything = {.kind = STATEMENT_RESET,
                                                        .setting_class = SETTING_PGVIGIL};
    struct change change = {.session = session, .statement = &everything};
    struct identity before;
    if (before_change(session, &before) != OK)
        return ERR_MEMORY;
    enum status status = transaction_touch(&session->transaction, &before, false);
    if (status == OK)
        status = apply_all(&change, &session->identity);
    if (status == OK && !unrestricted(session, &session->identity)) {
        session->identity.role = before.role;
        session->identity.mission =
            identity_default_mission(&session->identity, session->world->policy);
    }
    if (status == OK)
        status = changed(session, &before, "");
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
    else if (strcmp(tag, "DISCARD ALL") == 0 ||
             (strcmp(tag, "RESET") == 0 && statement != NULL &&
              statement->kind == STATEMENT_RESET && statement->setting == NULL))
        return reset_with_server(session);
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
