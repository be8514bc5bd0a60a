/*
 * command.c: what pgvigil answers itself (see command.h).
 *
 * Trust boundary: names and values are the client's; they were taken apart by the judge and are
 * only compared with the policy or stored.
 */
#include "proxy/command.h"

#include "proxy/mission.h"

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
    case STATEMENT_PREPARE:
        return restricted;
    case STATEMENT_EMPTY:
    case STATEMENT_SELECT:
    case STATEMENT_WRITE:
    case STATEMENT_COPY_TO:
    case STATEMENT_COPY_FROM:
    case STATEMENT_DECLARE:
    case STATEMENT_FETCH:
    case STATEMENT_CLOSE:
    case STATEMENT_EXECUTE:
    case STATEMENT_LISTEN:
    case STATEMENT_UNLISTEN:
    case STATEMENT_PREPARE_TRANSACTION:
    case STATEMENT_EXPLAIN:
    case STATEMENT_UTILITY:
    case STATEMENT_TEMPORARY:
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

static enum status refuse(struct refusal *refusal, const char *sqlstate, const char *message,
                          const char *hint)
{
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
    bool nobody = identity_is_nobody(identity);
    if (strcasecmp(setting, "pgvigil.role") == 0)
        value = nobody ? NULL : policy->roles[identity->role].name;
    else if (strcasecmp(setting, "pgvigil.user") == 0) /* pgvigil.token shows nothing, ever */
        value = nobody || (identity->person == IDENTITY_OWN && identity->login->on_behalf != NULL)
                    ? NULL
                    : identity->user->name;
    else if (strcasecmp(setting, "pgvigil.mission") == 0)
        value = identity->mission < 0 ? NULL : policy->missions[identity->mission].name;
    else if (strcasecmp(setting, "pgvigil.reason") == 0)
        value = identity->reason;
    else if (strcasecmp(setting, "pgvigil.patient") == 0)
        value = identity->patient;
    else if (strcasecmp(setting, "pgvigil.mode") == 0)
        value = session->database->mode;
    else if (strcasecmp(setting, "application_name") == 0)
        value = identity->application;
    else if (strcasecmp(setting, "session_authorization") == 0)
        value = identity->login->name;
    else if (strcasecmp(setting, "is_superuser") == 0)
        value = "off";
    return value == NULL ? "" : value;
}

static enum status run_show(struct session *session, const struct command *command, struct buf *out,
                            struct refusal *refusal)
{
    const char *setting = command->statement->setting;
    if (setting == NULL)
        return refuse(refusal, "0A000", "SHOW ALL is not supported through pgvigil", NULL);
    if (strcasecmp(setting, "pgvigil.mode") == 0 && session_observed(session))
        wire_put_notice(out, "WARNING", "01000",
                        "this database is in observe mode: nothing is enforced");
    if (!command->extended)
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

/* ---- SET and RESET ---- */

static bool in_block(const struct session *session, const struct command *command)
{
    return session->transaction.block || command->several;
}

static bool in_transaction(const struct session *session, const struct command *command)
{
    return in_block(session, command) || query_in_transaction(session);
}

/* Settings that went upstream are on a server connection: it is given back for the next one to be a
 * fresh one. */
static enum status reset_all(struct session *session, const struct command *command,
                             struct refusal *refusal)
{
    static const struct verdict_statement everything = {.kind = STATEMENT_RESET,
                                                        .setting_class = SETTING_PGVIGIL};
    if (in_transaction(session, command) && session->settings_sent)
        return refuse(
            refusal, "25001",
            "RESET ALL cannot run through pgvigil in a transaction after SET of a setting "
            "of PostgreSQL's",
            "Reset settings one by one, or after the transaction.");
    bool pinned = session->settings_sent && !session_unrestricted(session);
    if (pinned && session->listening && command->statement->kind == STATEMENT_RESET)
        return refuse(refusal, "0A000",
                      "RESET ALL is not supported through pgvigil while the session listens",
                      "Reset settings one by one, or UNLISTEN * first.");
    enum status status = mission_set(session, &everything, command->arena, refusal);
    if (status != OK || !pinned)
        return status;
    session->reset_parameters = true;
    if (session->server != NULL)
        server_release(session->server, true);
    session_settings_gone(session);
    return OK;
}

static enum status run_set(struct session *session, const struct command *command, struct buf *out,
                           struct refusal *refusal)
{
    const struct verdict_statement *statement = command->statement;
    const char *tag = statement->kind == STATEMENT_SET ? "SET" : "RESET";
    enum status status;
    bool alone = statement->local && !in_block(session, command);
    if (alone)
        wire_put_notice(out, "WARNING", "25P01",
                        "SET LOCAL can only be used in transaction blocks");
    if (statement->setting == NULL)
        status = reset_all(session, command, refusal);
    else if (alone && !command->extended)
        /* Over with this very statement. */
        status = mission_try(session, statement, command->arena, refusal);
    else
        status = mission_set(session, statement, command->arena, refusal);
    if (status == OK)
        wire_put_command_complete(out, tag);
    return status;
}

/* ---- DISCARD, DEALLOCATE ---- */

static enum status run_discard(struct session *session, const struct command *command,
                               struct buf *out, struct refusal *refusal)
{
    if (in_transaction(session, command))
        return refuse(refusal, "25001", "DISCARD ALL cannot run inside a transaction block", NULL);
    statements_clear(session->statements);
    enum status status = reset_all(session, command, refusal);
    if (status == OK && session->server != NULL && !session_unrestricted(session)) {
        server_release(session->server, true);
        session_settings_gone(session);
    }
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
            refusal, "26000",
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
