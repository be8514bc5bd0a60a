/*
 * command.c: what pgvigil answers itself (see command.h).
 *
 * Trust boundary: names and values are the client's; they were taken apart by the judge and are
 * only compared with the policy or stored here. Portals end with the mission.
 */
#include "proxy/command.h"

#include "proxy/pool.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TYPE_TEXT 25

/* Settings whose truth is here, not on a server connection that several people share. */
static bool own_setting(const char *name)
{
    static const char *const names[] = {"application_name", "session_authorization",
                                        "is_superuser"};
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

bool command_is_local(const struct session *session, const struct verdict_statement *statement)
{
    bool restricted = !session_unrestricted(session);
    switch (statement->kind) {
    case STATEMENT_SET:
    case STATEMENT_RESET:
    case STATEMENT_SHOW:
        if (statement->setting == NULL)
            return restricted;
        return statement->setting_class == SETTING_PGVIGIL ||
               (restricted &&
                (statement->setting_class == SETTING_PATH || own_setting(statement->setting)));
    case STATEMENT_DISCARD:
    case STATEMENT_DEALLOCATE:
        return restricted;
    case STATEMENT_EMPTY:
    case STATEMENT_SELECT:
    case STATEMENT_WRITE:
    case STATEMENT_COPY_TO:
    case STATEMENT_DECLARE:
    case STATEMENT_FETCH:
    case STATEMENT_CLOSE:
    case STATEMENT_BEGIN:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK:
    case STATEMENT_SAVEPOINT:
    case STATEMENT_RELEASE:
    case STATEMENT_ROLLBACK_TO:
    case STATEMENT_OTHER:
        return false;
    }
    return false;
}

static enum status refuse(const struct command *command, struct refusal *refusal,
                          const char *sqlstate, const char *message, const char *hint)
{
    (void)command;
    *refusal = (struct refusal){.sqlstate = sqlstate, .message = message, .hint = hint};
    return message == NULL ? ERR_MEMORY : DENIED;
}

/* ---- SHOW ---- */

static void put_row_description(const char *setting, struct buf *out)
{
    struct wire_column column = {
        .name = setting, .type_oid = TYPE_TEXT, .type_len = -1, .type_mod = -1};
    wire_put_row_description(out, &column, 1);
}

void command_describe(const struct verdict_statement *statement, struct buf *out)
{
    if (statement->kind == STATEMENT_SHOW && statement->setting != NULL)
        put_row_description(statement->setting, out);
    else
        wire_put_no_data(out);
}

static const char *shown_value(const struct session *session, const char *setting)
{
    const struct identity *identity = &session->identity;
    const struct policy *policy = session->world->policy;
    const char *value = NULL;
    if (strcasecmp(setting, "pgvigil.role") == 0)
        value = policy->roles[identity->role].name;
    else if (strcasecmp(setting, "pgvigil.mission") == 0)
        value = identity->mission < 0 ? NULL : policy->missions[identity->mission].name;
    else if (strcasecmp(setting, "pgvigil.reason") == 0)
        value = identity->reason;
    else if (strcasecmp(setting, "pgvigil.patient") == 0)
        value = identity->patient;
    else if (strcasecmp(setting, "application_name") == 0)
        value = identity->application;
    else if (strcasecmp(setting, "session_authorization") == 0)
        value = identity->user->name;
    else if (strcasecmp(setting, "is_superuser") == 0)
        value = "off";
    return value == NULL ? "" : value;
}

static enum status run_show(struct session *session, const struct command *command, struct buf *out,
                            struct refusal *refusal)
{
    const char *setting = command->statement->setting;
    if (setting == NULL)
        return refuse(command, refusal, "0A000", "SHOW ALL is not supported through pgvigil", NULL);
    if (command->describe)
        put_row_description(setting, out);
    struct buf path;
    buf_init(&path, 0);
    const char *value = NULL;
    if (command->statement->setting_class == SETTING_PATH) {
        identity_show_path(&session->identity, &path);
        buf_byte(&path, '\0');
        value = path.failed ? "" : (const char *)buf_head(&path);
    } else {
        value = shown_value(session, setting);
    }
    wire_put_data_row(out, &value, 1);
    wire_put_command_complete(out, "SHOW");
    enum status status = path.failed ? ERR_MEMORY : OK;
    buf_free(&path);
    return status;
}

/* ---- SET and RESET of pgvigil's own ---- */

static enum status audit_mission(struct session *session)
{
    session_new_epoch(session);
    statements_end_portals(session->statements, UINT64_MAX);
    use_end(session);
    char detail[200];
    snprintf(detail, sizeof detail, "role %s, mission %s", session->who.role,
             session->who.mission == NULL ? "none" : session->who.mission);
    return audit_event(session->worker->audit, "mission", &session->who, detail) == OK ? OK
                                                                                       : ERR_AUDIT;
}

/* A role that goes over from guarded to unrestricted use, or back, needs a server of the other
 * kind. */
static void change_pool(struct session *session, bool was_unrestricted)
{
    if (session_unrestricted(session) == was_unrestricted)
        return;
    if (session->server != NULL)
        server_release(session->server, true);
    statements_clear(session->statements);
    session->pinned = !was_unrestricted;
}

static enum status set_role(struct session *session, const struct command *command,
                            const char *value, struct refusal *refusal)
{
    bool was_unrestricted = session_unrestricted(session);
    struct policy *policy = session->world->policy;
    if (value == NULL)
        value = policy->roles[session->identity.user->roles[0]].name;
    if (identity_choose_role(&session->identity, policy, value) != OK)
        return refuse(command, refusal, "42501",
                      arena_printf(command->arena, "user \"%s\" does not have the role \"%s\"",
                                   session->identity.user->name, value),
                      NULL);
    change_pool(session, was_unrestricted);
    return audit_mission(session);
}

static char *mission_list(const struct session *session, struct arena *arena)
{
    const struct policy *policy = session->world->policy;
    const struct policy_role *role = &policy->roles[session->identity.role];
    char *list = arena_strdup(arena, "Missions of this role: ");
    for (size_t i = 0; list != NULL && i < role->mission_count; i++)
        list = arena_printf(arena, "%s%s%s", list, i == 0 ? "" : ", ",
                            policy->missions[role->missions[i]].name);
    return list;
}

static enum status set_mission(struct session *session, const struct command *command,
                               const char *value, struct refusal *refusal)
{
    struct policy *policy = session->world->policy;
    const char *role = policy->roles[session->identity.role].name;
    if (value == NULL) {
        session->identity.mission = policy->roles[session->identity.role].default_mission;
        return audit_mission(session);
    }
    int mission = policy_find_mission(policy, value);
    if (mission >= 0 && policy->missions[mission].break_glass != NULL)
        return refuse(command, refusal, "0A000", "break-glass missions are not supported yet",
                      NULL);
    if (identity_choose_mission(&session->identity, policy, value) != OK)
        return refuse(command, refusal, "42501",
                      arena_printf(command->arena, "role \"%s\" may not take the mission \"%s\"",
                                   role, value),
                      mission_list(session, command->arena));
    return audit_mission(session);
}

static enum status set_own(struct session *session, const struct command *command,
                           struct refusal *refusal)
{
    const struct verdict_statement *statement = command->statement;
    const char *value = statement->kind == STATEMENT_SET && statement->value_count > 0
                            ? statement->values[0]
                            : NULL;
    const char *setting = statement->setting;
    if (strcasecmp(setting, "pgvigil.role") == 0)
        return set_role(session, command, value, refusal);
    if (strcasecmp(setting, "pgvigil.mission") == 0)
        return set_mission(session, command, value, refusal);
    char **place = strcasecmp(setting, "pgvigil.reason") == 0    ? &session->identity.reason
                   : strcasecmp(setting, "pgvigil.patient") == 0 ? &session->identity.patient
                                                                 : NULL;
    if (place == NULL)
        return refuse(
            command, refusal, "42704",
            arena_printf(command->arena, "unrecognized configuration parameter \"%s\"", setting),
            NULL);
    enum status status = identity_replace(place, value);
    return status == OK ? audit_mission(session) : status;
}

static enum status set_path(struct session *session, const struct verdict_statement *statement)
{
    static const char *const fallback[] = {"public"};
    bool given = statement->kind == STATEMENT_SET && statement->value_count > 0;
    enum status status = identity_set_path(&session->identity, given ? statement->values : fallback,
                                           given ? statement->value_count : 1);
    session_new_epoch(session);
    return status;
}

static enum status set_application(struct session *session,
                                   const struct verdict_statement *statement, struct buf *out)
{
    bool given = statement->kind == STATEMENT_SET && statement->value_count > 0;
    enum status status =
        identity_replace(&session->identity.application, given ? statement->values[0] : "");
    session_update_who(session);
    wire_put_parameter_status(out, "application_name", shown_value(session, "application_name"));
    return status;
}

/* Back to what the session was at its start, as far as pgvigil keeps it; a server with state of its
 * own is given back. */
static enum status forget_settings(struct session *session)
{
    static const char *const fallback[] = {"public"};
    identity_clear_settings(&session->identity);
    if (session->server != NULL && !session_unrestricted(session)) {
        server_release(session->server, true);
        session->pinned = false;
    }
    session_new_epoch(session);
    return identity_set_path(&session->identity, fallback, 1);
}

static enum status run_set(struct session *session, const struct command *command, struct buf *out,
                           struct refusal *refusal)
{
    const struct verdict_statement *statement = command->statement;
    const char *tag = statement->kind == STATEMENT_SET ? "SET" : "RESET";
    enum status status;
    bool application =
        statement->setting != NULL && strcasecmp(statement->setting, "application_name") == 0;
    if (!application && (command->in_transaction || statement->local))
        return refuse(command, refusal, "25001",
                      arena_printf(command->arena,
                                   "%s cannot be changed inside a transaction through pgvigil",
                                   statement->setting == NULL ? "settings" : statement->setting),
                      "Change it before BEGIN (in drivers: in autocommit mode), or at start with "
                      "options='-c name=value'.");
    if (statement->setting == NULL)
        status = forget_settings(session);
    else if (statement->setting_class == SETTING_PGVIGIL)
        status = set_own(session, command, refusal);
    else if (statement->setting_class == SETTING_PATH)
        status = set_path(session, statement);
    else if (application)
        status = set_application(session, statement, out);
    else
        return refuse(
            command, refusal, "55P02",
            arena_printf(command->arena, "parameter \"%s\" cannot be changed", statement->setting),
            NULL);
    if (status == OK)
        wire_put_command_complete(out, tag);
    return status;
}

/* ---- DISCARD, DEALLOCATE ---- */

static enum status run_discard(struct session *session, const struct command *command,
                               struct buf *out, struct refusal *refusal)
{
    if (command->in_transaction)
        return refuse(command, refusal, "25001",
                      "DISCARD ALL cannot run inside a transaction block", NULL);
    const struct policy *policy = session->world->policy;
    statements_clear(session->statements);
    session->identity.mission = policy->roles[session->identity.role].default_mission;
    enum status status = identity_replace(&session->identity.reason, NULL);
    if (status == OK)
        status = identity_replace(&session->identity.patient, NULL);
    if (status == OK)
        status = forget_settings(session);
    if (status == OK)
        status = audit_mission(session);
    if (status == OK)
        wire_put_command_complete(out, "DISCARD ALL");
    return status;
}

static enum status run_deallocate(struct session *session, const struct command *command,
                                  struct buf *out, struct refusal *refusal)
{
    const char *name = command->statement->target;
    if (name == NULL) {
        statements_clear(session->statements);
        wire_put_command_complete(out, "DEALLOCATE ALL");
        return OK;
    }
    if (name[0] == '\0' || statements_find(session->statements, name) == NULL)
        return refuse(
            command, refusal, "26000",
            arena_printf(command->arena, "prepared statement \"%s\" does not exist", name), NULL);
    statements_remove(session->statements, name);
    wire_put_command_complete(out, "DEALLOCATE");
    return OK;
}

enum status command_run(struct session *session, const struct command *command, struct buf *out,
                        struct refusal *refusal)
{
    switch (command->statement->kind) {
    case STATEMENT_SET:
    case STATEMENT_RESET:
        return run_set(session, command, out, refusal);
    case STATEMENT_SHOW:
        return run_show(session, command, out, refusal);
    case STATEMENT_DISCARD:
        return run_discard(session, command, out, refusal);
    case STATEMENT_DEALLOCATE:
        return run_deallocate(session, command, out, refusal);
    case STATEMENT_EMPTY:
    case STATEMENT_SELECT:
    case STATEMENT_WRITE:
    case STATEMENT_COPY_TO:
    case STATEMENT_DECLARE:
    case STATEMENT_FETCH:
    case STATEMENT_CLOSE:
    case STATEMENT_BEGIN:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK:
    case STATEMENT_SAVEPOINT:
    case STATEMENT_RELEASE:
    case STATEMENT_ROLLBACK_TO:
    case STATEMENT_OTHER:
        break;
    }
    return ERR_INTERNAL;
}
