/*
 * judging.c: from a client's text to a statement with its verdict (see query.h).
 *
 * What the worker has judged lately for the same context (statement_cache.h) is not judged again;
 * whether the session as it is may run it is asked each time.
 *
 * Trust boundary: SQL text is hostile; only policy/ reads it.
 */
#include "proxy/query.h"

#include "proxy/command.h"
#include "proxy/observed.h"
#include "proxy/person.h"
#include "proxy/prepared.h"
#include "proxy/statement_cache.h"

#include <string.h>

/* A verdict's arena. */
#define STATEMENT_ARENA_MAX ((size_t)1 << 30)

/* They touch nothing, and a session that lost its mission must be able to end its transaction. */
static bool controls_transaction(enum statement_kind kind)
{
    return kind == STATEMENT_BEGIN || kind == STATEMENT_COMMIT || kind == STATEMENT_ROLLBACK ||
           kind == STATEMENT_SAVEPOINT || kind == STATEMENT_RELEASE ||
           kind == STATEMENT_ROLLBACK_TO;
}

/* What a session may do that has no mission: choose one, and end its transaction. */
bool query_harmless(const struct session *session, const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->statement_count; i++) {
        enum statement_kind kind = verdict->statements[i].kind;
        bool harmless = kind == STATEMENT_EMPTY || kind == STATEMENT_SHOW ||
                        kind == STATEMENT_DISCARD || kind == STATEMENT_DEALLOCATE ||
                        ((kind == STATEMENT_SET || kind == STATEMENT_RESET) &&
                         verdict->statements[i].setting_class == SETTING_PGVIGIL);
        if (!controls_transaction(kind) &&
            !(harmless && command_is_local(session, &verdict->statements[i])))
            return false;
    }
    return true;
}

static enum status no_mission(const struct session *session, const struct verdict *verdict,
                              struct refusal *refusal)
{
    if (query_harmless(session, verdict))
        return OK;
    *refusal = (struct refusal){.sqlstate = "42501",
                                .message = "no mission is chosen, and the role has none by default",
                                .hint = "Choose one first: SET pgvigil.mission = '...'"};
    return DENIED;
}

bool query_glass_over(struct session *session, struct refusal *refusal)
{
    if (session->glass_notice == NULL)
        return false;
    snprintf(session_lost_text(session), SESSION_LOST_BYTES, "%s", session->glass_notice);
    free(session->glass_notice);
    session->glass_notice = NULL;
    *refusal = (struct refusal){.sqlstate = "42501",
                                .message = session_lost_text(session),
                                .hint = "To break the glass again, give a new pgvigil.reason and "
                                        "choose the mission."};
    return true;
}

/* The reason names hosts and files: it is in the log, where the administrator is. */
static enum status not_ready(const struct session *session, struct refusal *refusal)
{
    bool known = session->world->databases[session->database_index].why != NULL;
    *refusal = (struct refusal){
        .sqlstate = "55000",
        .message = known ? "the database cannot be used: its catalog could not be loaded, or the "
                           "policy in force is not deployed in it"
                         : "the database's catalog is not loaded yet",
        .hint = known ? "The administrator finds the reason in pgvigil's log; \"pgvigil deploy\" "
                        "makes the guards of a policy."
                      : NULL};
    return DENIED;
}

/* What judging said, for the session as it is: the same whether it was judged now or before. */
static enum status settle_verdict(struct session *session, const struct statement *statement,
                                  enum status status, const struct prepared_lookup *lookup,
                                  struct refusal *refusal)
{
    const struct verdict *verdict = statement->verdict;
    const struct identity *identity = &session->identity;
    bool nobody = identity_is_nobody(identity);
    if (nobody && status != ERR_SYNTAX && !(verdict->allowed && person_needless(verdict))) {
        person_refusal(session, refusal);
        return DENIED;
    }
    if (lookup != NULL && lookup->denied && !verdict->allowed) {
        *refusal = lookup->refusal;
        return DENIED;
    }
    bool harmless = status == OK && verdict->allowed && query_harmless(session, verdict);
    if (!harmless && status != ERR_SYNTAX && query_glass_over(session, refusal))
        return DENIED;
    if (status == OK && verdict->allowed)
        return identity->mission >= 0 || nobody ? OK : no_mission(session, verdict, refusal);
    *refusal = (struct refusal){
        .sqlstate = verdict->refusal.sqlstate == NULL ? "42501" : verdict->refusal.sqlstate,
        .message =
            verdict->refusal.message == NULL ? "statement refused" : verdict->refusal.message,
        .hint = verdict->refusal.hint,
        .position =
            verdict->refusal.position == 0 ? 0 : verdict->refusal.position + statement->skipped};
    if (status == NEED_CATALOG)
        reload_catalogs(session->worker->process->reload);
    return DENIED;
}

static int judged_mission(const struct session *session)
{
    const struct identity *identity = &session->identity;
    const struct policy_role *role = &session->world->policy->roles[identity->role];
    return identity->mission >= 0 || role->mission_count == 0 ? identity->mission
                                                              : (int)role->missions[0];
}

/* ---- what of a session a verdict depends on ---- */

/*
 * The two that follow belong together: an input that is given to the judge and not told to the
 * cache would have one person's verdict serve another.
 */
struct judge_request query_judge_request(const struct session *session,
                                         const char *settings[QUERY_JUDGE_SETTINGS])
{
    const struct identity *identity = &session->identity;
    struct judge_request request = {.policy = session->world->policy,
                                    .catalog =
                                        session->world->databases[session->database_index].catalog,
                                    .user = identity->user,
                                    .role = identity->role,
                                    .mission = judged_mission(session),
                                    .path = identity->path,
                                    .path_count = identity->path_count,
                                    .session_settings = settings,
                                    .start_settings = identity->settings,
                                    .start_setting_count = identity->setting_count};
    if (identity->reason != NULL)
        settings[request.session_setting_count++] = "reason";
    if (identity->patient != NULL)
        settings[request.session_setting_count++] = "patient";
    request.temporary = temporary_relations(&session->temporary, &request.temporary_count);
    return request;
}

/*
 * 0: nothing is kept. A world's number stands for its policies and catalogs; start settings matter
 * to RESET only, which is never kept (statement_cache_fits), nor is what temporary tables may hide
 * (judged_alike). The text, its protocol and types are the rest of the key.
 */
static uint64_t judged_context(struct session *session)
{
    if (session->context_epoch == session->epoch)
        return session->context;
    const char *settings[QUERY_JUDGE_SETTINGS];
    const struct judge_request request = query_judge_request(session, settings);
    const struct policy_user *user = request.user;
    struct buf key;
    buf_init(&key, 0);
    buf_append(&key, &session->world->id, sizeof session->world->id);
    buf_append(&key, &session->database_index, sizeof session->database_index);
    buf_append(&key, &request.role, sizeof request.role);
    buf_append(&key, &request.mission, sizeof request.mission);
    buf_append(&key, &user->attribute_count, sizeof user->attribute_count);
    for (size_t i = 0; i < user->attribute_count; i++)
        buf_append(&key, &user->attributes[i].attribute, sizeof user->attributes[i].attribute);
    buf_append(&key, &request.session_setting_count, sizeof request.session_setting_count);
    for (size_t i = 0; i < request.session_setting_count; i++)
        buf_cstr(&key, request.session_settings[i]);
    for (size_t i = 0; i < request.path_count; i++)
        buf_cstr(&key, request.path[i]);
    session->context = key.failed ? 0
                                  : statement_cache_context(session->worker->statements,
                                                            buf_head(&key), buf_len(&key));
    session->context_epoch = session->epoch;
    buf_free(&key);
    return session->context;
}

/* `call`: a FunctionCall, whose text is made from it; NULL: the statement's own text. */
static enum status run_judge(struct session *session, struct statement *statement,
                             const struct wire_call *call, bool extended, struct refusal *refusal)
{
    const struct identity *identity = &session->identity;
    const struct policy_role *role = &session->world->policy->roles[identity->role];
    if (session->world->databases[session->database_index].catalog == NULL && !role->unrestricted)
        return not_ready(session, refusal);
    if (identity->mission < 0 && role->mission_count == 0) {
        *refusal = (struct refusal){.sqlstate = "42501", .message = "the role has no mission"};
        return DENIED;
    }
    struct prepared_lookup lookup = {.session = session, .statement = statement};
    const char *settings[QUERY_JUDGE_SETTINGS];
    struct judge_request request = query_judge_request(session, settings);
    request.sql = statement->sql;
    request.len = statement->len;
    request.extended = extended;
    request.prepared = prepared_name;
    request.context = &lookup;
    request.wants_constants = call == NULL && !extended;
    enum status status = call == NULL
                             ? judge(&request, statement->arena, &statement->verdict)
                             : judge_call(&request, call->function, call->value_count,
                                          statement->arena, &statement->sql, &statement->verdict);
    if (call != NULL)
        statement->len = strlen(statement->sql);
    if (statement->verdict == NULL)
        return status == ERR_MEMORY ? ERR_MEMORY : ERR_INTERNAL;
    return settle_verdict(session, statement, status, &lookup, refusal);
}

/* The types that Parse gave its parameters, which the text does not show: for the pair of the
 * moment, so again when the mission has changed. */
static enum status judge_types(const struct session *session, const struct statement *statement,
                               struct refusal *refusal)
{
    const struct catalog *catalog = session->world->databases[session->database_index].catalog;
    for (size_t i = 0; i < statement->type_count; i++) {
        if (judge_parameter_type(catalog, statement->verdict->pair, statement->types[i]))
            continue;
        *refusal = (struct refusal){
            .sqlstate = "42501",
            .message = "parameters of this type are not allowed",
            .hint = "Leave the type to the server, or give the parameter the type text."};
        return DENIED;
    }
    return OK;
}

/* ---- what was judged before ---- */

/* Temporary tables are the session's own, and an older world would be kept alive for nothing. */
static bool judged_alike(const struct session *session)
{
    const struct identity *identity = &session->identity;
    const struct policy_role *role = &session->world->policy->roles[identity->role];
    size_t temporary_count = 0;
    if (identity->mission < 0 && role->mission_count == 0)
        return false;
    (void)temporary_relations(&session->temporary, &temporary_count);
    return temporary_count == 0 && session->world == session->worker->world &&
           !session_observed(session);
}

static void note_session(struct session *session, struct statement *statement,
                         const struct statement_source *source)
{
    statement->skipped = source->skipped;
    statement->epoch = session->epoch;
    statement->user = session->identity.user;
    statement->role = session->identity.role;
    statement->mission = session->identity.mission;
    statement->names_own = session_unrestricted(session);
}

static enum status judge_text(struct session *session, const struct statement_source *source,
                              struct statement **out, struct refusal *refusal)
{
    struct statement *statement =
        statement_new(source->name, source->sql, source->len, source->types, source->type_count,
                      STATEMENT_ARENA_MAX);
    if (statement == NULL)
        return ERR_MEMORY;
    statement->world = world_ref(session->world);
    note_session(session, statement, source);
    enum status status = session_observed(session)
                             ? observed_judge(session, statement, source, refusal)
                             : run_judge(session, statement, NULL, source->extended, refusal);
    if (status == OK && !session_unrestricted(session) && !session_observed(session))
        status = judge_types(session, statement, refusal);
    if (status != OK && status != DENIED) {
        statement_unref(statement);
        return status == ERR_MEMORY ? ERR_MEMORY : ERR_INTERNAL;
    }
    *out = statement;
    return status;
}

/* Of a simple query the constants may be others; see constants.h. */
static bool constants_of(const struct statement_source *source, struct constants *constants)
{
    return !source->extended && source->type_count == 0 && source->name[0] == '\0' &&
           constants_find(source->sql, source->len, constants) && constants->count > 0;
}

/* As judge_text, by way of what is kept. */
static enum status judge_once(struct session *session, const struct statement_source *source,
                              struct statement **out, struct refusal *refusal)
{
    struct statement_cache *cache = session->worker->statements;
    const struct statement_key key = {.context = judged_context(session),
                                      .extended = source->extended,
                                      .sql = source->sql,
                                      .len = source->len,
                                      .types = source->types,
                                      .type_count = source->type_count};
    struct constants constants;
    bool varied = constants_of(source, &constants);
    *out = varied ? statement_cache_find_alike(cache, &key, &constants) : NULL;
    struct statement *known = *out == NULL ? statement_cache_find(cache, &key) : NULL;
    if (known != NULL)
        *out = statement_again(known, source->name);
    meter_count(session->meter, *out != NULL ? FIGURE_CACHE_HIT : FIGURE_CACHE_MISS);
    if (*out != NULL) {
        note_session(session, *out, source);
        return settle_verdict(session, *out, OK, NULL, refusal);
    }
    enum status status = judge_text(session, source, out, refusal);
    if (status != OK || !statement_cache_fits((*out)->verdict))
        return status;
    known = *out;
    if (!(varied && statement_cache_put_alike(cache, &key, &constants, known)) &&
        !statement_cache_put(cache, &key, known))
        return status;
    /* What is kept has nothing of a session's. */
    *out = statement_again(known, source->name);
    statement_unref(known);
    if (*out == NULL)
        return ERR_MEMORY;
    note_session(session, *out, source);
    return status;
}

enum status query_judge(struct session *session, const struct statement_source *source,
                        struct statement **out, struct refusal *refusal)
{
    bool alike = judged_alike(session);
    if (!alike)
        meter_count(session->meter, FIGURE_CACHE_MISS);
    enum status status = alike ? judge_once(session, source, out, refusal)
                               : judge_text(session, source, out, refusal);
    if (status == OK)
        (*out)->local = (*out)->verdict->statement_count == 1 &&
                        command_is_local(session, &(*out)->verdict->statements[0]);
    return status;
}

enum status query_judge_call(struct session *session, const struct wire_call *call,
                             struct statement **out, struct refusal *refusal)
{
    struct statement *statement = statement_new("", "", 0, NULL, 0, STATEMENT_ARENA_MAX);
    if (statement == NULL)
        return ERR_MEMORY;
    statement->world = world_ref(session->world);
    statement->epoch = session->epoch;
    statement->role = session->identity.role;
    statement->mission = session->identity.mission;
    enum status status = run_judge(session, statement, call, false, refusal);
    if (status != OK && status != DENIED) {
        statement_unref(statement);
        return status == ERR_MEMORY ? ERR_MEMORY : ERR_INTERNAL;
    }
    *out = statement;
    return status;
}
