/*
 * observed.c: what enforcing would have made of a statement (see observed.h).
 *
 * Trust boundary: none is kept here; the clients of a database in observe mode have the rights of
 * its unrestricted login. What is kept is the record: no constant of a statement's enters it, and
 * no statement runs without one.
 */
#include "proxy/observed.h"

#include "proxy/figures.h"
#include "proxy/mission.h"
#include "proxy/mission_limits.h"
#include "proxy/person.h"
#include "proxy/query.h"
#include "proxy/result.h"

#include <ctype.h>
#include <pgvigil/observe.h>
#include <string.h>
#include <strings.h>

/* ---- what enforcing would do ---- */

static bool fill_relations(const struct observed_statement *from, struct arena *arena,
                           struct audit_observed *out)
{
    struct audit_observed_relation *relations =
        arena_zalloc(arena, from->relation_count + 1, sizeof *relations);
    if (relations == NULL)
        return false;
    for (size_t i = 0; i < from->relation_count; i++) {
        const struct observed_relation *relation = &from->relations[i];
        relations[i] =
            (struct audit_observed_relation){.schema = relation->schema,
                                             .name = relation->name,
                                             .rule = relation->rule,
                                             .shown = relation->shown,
                                             .shown_count = relation->shown_count,
                                             .masked = relation->masked,
                                             .masked_count = relation->masked_count,
                                             .hidden = relation->hidden,
                                             .hidden_count = relation->hidden_count,
                                             .written = relation->writes ? relation->written : NULL,
                                             .written_count = relation->written_count,
                                             .filtered = relation->filtered};
    }
    out->relations = relations;
    out->relation_count = from->relation_count;
    return true;
}

/* For each statement that runs; a refusal is the whole text's. */
static const struct audit_observed *keep(const struct statement *statement,
                                         const struct observation *seen)
{
    size_t count = statement->verdict->statement_count;
    struct audit_observed *observed = arena_zalloc(statement->arena, count + 1, sizeof *observed);
    for (size_t i = 0; observed != NULL && i < count; i++) {
        observed[i] = (struct audit_observed){.decision = seen->allowed ? "allow" : "deny",
                                              .sqlstate = seen->sqlstate,
                                              .reason = seen->reason,
                                              .object = seen->object,
                                              .hint = seen->hint,
                                              .rewritten = seen->rewritten};
        if (seen->statements != NULL && i < seen->statement_count &&
            !fill_relations(&seen->statements[i], statement->arena, &observed[i]))
            return NULL;
    }
    return observed;
}

static bool types_are_allowed(const struct session *session, const struct statement *statement,
                              const struct verdict *verdict)
{
    const char *pair = verdict == NULL ? NULL : verdict->pair;
    const struct catalog *catalog = session->world->databases[session->database_index].catalog;
    for (size_t i = 0; i < statement->type_count; i++)
        if (catalog != NULL && !judge_parameter_type(catalog, pair, statement->types[i]))
            return false;
    return true;
}

/* A mission's hours and addresses hold for every role. */
static enum status place_limits(const struct session *session, struct arena *arena,
                                struct observation *seen)
{
    const char *message = NULL;
    const char *hint = NULL;
    enum status status = mission_limits_place(session, session->identity.role,
                                              session->identity.mission, arena, &message, &hint);
    if (status == DENIED)
        observe_refusal(seen, "42501", "mission", session->who.mission, message, hint);
    return status == DENIED ? OK : status;
}

static enum status look(struct session *session, struct statement *statement,
                        const struct judge_request *request)
{
    struct observation seen = {.allowed = true};
    const struct policy *policy = session->world->policy;
    bool restricted = !policy->roles[session->identity.role].unrestricted;
    if (restricted)
        observe(session->world->databases[session->database_index].observer, request,
                statement->arena, &seen);
    if (identity_is_nobody(&session->identity) && !person_needless(statement->verdict))
        observe_refusal(&seen, "42501", "person", session->who.login,
                        "the login acts for nobody, and may do nothing by itself",
                        "The application must name the person it acts for.");
    if (restricted && seen.allowed && !types_are_allowed(session, statement, seen.verdict))
        observe_refusal(&seen, "42501", "type", "parameter",
                        "parameters of this type are not allowed",
                        "Leave the type to the server, or give the parameter the type text.");
    if (seen.allowed && !query_harmless(session, statement->verdict) &&
        place_limits(session, statement->arena, &seen) != OK)
        return ERR_MEMORY;
    statement->observed = keep(statement, &seen);
    return statement->observed == NULL ? ERR_MEMORY : OK;
}

/* ---- what runs ---- */

/* A text that pgvigil cannot read, or only part of: PostgreSQL can, or will say so itself. Nothing
 * is known of it, so it may write. */
static struct verdict *opaque(const struct statement *statement)
{
    struct verdict *verdict = arena_zalloc(statement->arena, 1, sizeof *verdict);
    struct verdict_statement *one = arena_zalloc(statement->arena, 1, sizeof *one);
    if (verdict == NULL || one == NULL)
        return NULL;
    one->kind = STATEMENT_OTHER;
    one->tag = "UNKNOWN";
    one->len = statement->len;
    one->writes = true;
    verdict->allowed = verdict->unrestricted = true;
    verdict->statements = one;
    verdict->statement_count = 1;
    verdict->sql = statement->sql;
    verdict->sql_len = statement->len;
    return verdict;
}

/* pgvigil's own settings are asked for in a way that they cannot be given: the client must know. */
static bool is_pgvigils(enum status status, const struct verdict *verdict)
{
    const char *reason = verdict == NULL ? NULL : verdict->refusal.reason;
    return status == DENIED && reason != NULL &&
           (strcmp(reason, "setting") == 0 || strcmp(reason, "statement") == 0);
}

enum status observed_judge(struct session *session, struct statement *statement,
                           const struct statement_source *source, struct refusal *refusal)
{
    const char *settings[QUERY_JUDGE_SETTINGS];
    struct judge_request request = query_judge_request(session, settings);
    request.mission = session->identity.mission; /* none is for what would have refused it */
    request.sql = statement->sql;
    request.len = statement->len;
    request.extended = source->extended;
    request.prepared = observe_prepared;
    struct judge_request plain = request;
    plain.unrestricted = true;
    request.sketch = true; /* the texts for the record are those of what runs */
    enum status status = judge(&plain, statement->arena, &statement->verdict);
    const struct verdict *verdict = statement->verdict;
    if (is_pgvigils(status, verdict)) {
        *refusal = (struct refusal){.sqlstate = verdict->refusal.sqlstate,
                                    .message = verdict->refusal.message,
                                    .hint = verdict->refusal.hint,
                                    .position = verdict->refusal.position};
        return DENIED;
    }
    if (status != OK || verdict == NULL)
        statement->verdict = opaque(statement);
    return statement->verdict == NULL ? ERR_MEMORY : look(session, statement, &request);
}

/* ---- what has no text ---- */

const struct audit_statement *observed_unknown(void)
{
    static const struct audit_observed observed = {
        .decision = "deny",
        .sqlstate = "34000",
        .reason = "message",
        .object = "unknown text",
        .hint = "A portal or prepared statement that SQL made is read with FETCH or EXECUTE; a "
                "function is called in a SELECT, not by the function-call message."};
    static const struct audit_statement record = {
        .kind = "EXECUTE", .decision = "allow", .observed = &observed};
    return &record;
}

/* ---- the session's start ---- */

static bool startup_allowed(const struct session *session, const struct judge_setting *setting)
{
    bool allowed = setting_value_allowed(setting->name, setting->value);
    if (strcasecmp(setting->name, "search_path") != 0)
        return allowed && setting_class(setting->name) == SETTING_FORWARD;
    for (size_t i = 0; i < session->identity.path_count; i++)
        allowed = allowed && setting_value_allowed("search_path", session->identity.path[i]);
    return allowed;
}

static enum status record_startup(struct session *session, const char *name)
{
    const struct audit_observed observed = {
        .decision = "deny",
        .sqlstate = "42501",
        .reason = "setting",
        .object = name,
        .hint = "The client asks for it at its start: change that there."};
    const struct audit_statement record = {
        .kind = "STARTUP", .decision = "allow", .observed = &observed};
    const struct audit_outcome outcome = {.rows = 0};
    observed_count(session, &record);
    return audit_whole(session->worker->audit, &session->who, &record, &outcome) == OK ? OK
                                                                                       : ERR_AUDIT;
}

enum status observed_startup(struct session *session)
{
    struct identity *identity = &session->identity;
    bool restricted = !session->world->policy->roles[identity->role].unrestricted;
    for (size_t i = 0; i < identity->setting_count && session_observed(session); i++) {
        const struct judge_setting *setting = &identity->settings[i];
        bool path = strcasecmp(setting->name, "search_path") == 0;
        enum status status = path ? identity_parse_path(identity, setting->value) : OK;
        bool allowed = !restricted || strcasecmp(setting->name, "application_name") == 0 ||
                       (status == OK && startup_allowed(session, setting));
        if (status != ERR_MEMORY)
            status = allowed ? OK : record_startup(session, setting->name);
        if (status != OK)
            return status;
    }
    return OK;
}

/* PostgreSQL splits the options at white space, and a backslash takes what follows as it is. */
static void put_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (isspace((unsigned char)*text) || *text == '\\')
            buf_byte(out, '\\');
        buf_byte(out, (unsigned char)*text);
    }
}

void observed_options(const struct session *session, struct buf *out)
{
    const struct identity *identity = &session->identity;
    for (size_t i = 0; i < identity->setting_count; i++) {
        buf_str(out, " -c ");
        put_escaped(out, identity->settings[i].name);
        buf_byte(out, '=');
        put_escaped(out, identity->settings[i].value);
    }
}

/* ---- the session's own state, as far as judging needs it ---- */

/* PostgreSQL has done it: judging follows, and goes back with the transaction, as in enforcing. */
enum status observed_done(struct session *session, const struct statement *statement,
                          const struct verdict_statement *done)
{
    if (!session_observed(session) || done == NULL)
        return OK;
    struct verdict_statement change = *done;
    bool set = done->kind == STATEMENT_SET || done->kind == STATEMENT_RESET;
    if (done->kind == STATEMENT_DISCARD || (set && done->setting == NULL)) {
        change = (struct verdict_statement){.kind = STATEMENT_RESET};
        change.setting_class = SETTING_PGVIGIL;
    } else if (set && strcasecmp(done->setting, "search_path") == 0) {
        change.setting_class = SETTING_PATH;
    } else {
        return OK;
    }
    struct refusal refusal;
    enum status status = mission_set(session, &change, statement->arena, &refusal);
    return status == DENIED ? OK : status;
}

enum status observed_parameter(struct session *session, const char *name, const char *value)
{
    if (!session_observed(session) || strcmp(name, "application_name") != 0)
        return OK;
    enum status status = mission_keep_start(session);
    if (status == OK)
        status = identity_replace(&session->identity.application, value);
    const struct policy_user *before = session->identity.user;
    if (status == OK)
        person_follow_application(session, &session->identity);
    if (session->identity.user != before)
        session_new_epoch(session);
    session_update_who(session);
    return status;
}

void observed_count(struct session *session, const struct audit_statement *record)
{
    if (record->observed != NULL)
        figures_count(session->worker->process->figures, &session->who, record->observed);
}
