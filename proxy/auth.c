/*
 * auth.c: from the first packet to ReadyForQuery (see auth.h).
 *
 * Trust boundary: everything here is said by someone who has proved nothing yet. Bytes pipelined
 * behind SSLRequest could be taken for encrypted ones by a careless server, so they end the
 * connection. The database's existence is told only after authentication, as PostgreSQL does.
 */
#include "proxy/auth.h"

#include "proxy/admission.h"
#include "proxy/cancel.h"
#include "proxy/certificate.h"
#include "proxy/console.h"
#include "proxy/mission.h"
#include "proxy/mission_limits.h"
#include "proxy/observed.h"
#include "proxy/parameter.h"
#include "proxy/person.h"
#include "proxy/pool.h"
#include "proxy/query.h"
#include "proxy/tls.h"

#include <pgvigil/judge.h>
#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NEGOTIATIONS_MAX 2

/* ---- before the session ---- */

static enum status answer_byte(struct session *session, unsigned char byte)
{
    size_t written = 0;
    /* One byte on a fresh socket: it fits, or the peer is gone. */
    if (transport_write(session->transport, &byte, 1, &written) != OK) {
        session_end(session, "client closed the connection");
        return CLOSED;
    }
    return OK;
}

static enum status start_tls(struct session *session)
{
    if (buf_len(&session->in) > 0) {
        session_fail(session, ERR_PROTOCOL, NULL, "received unencrypted data after SSL request");
        return ERR_PROTOCOL;
    }
    if (session->world->tls == NULL)
        return answer_byte(session, 'N');
    if (answer_byte(session, 'S') != OK)
        return CLOSED;
    return session_start_tls(session, false) ? OK : ERR_TLS;
}

static enum status negotiate(struct session *session, enum startup_kind kind)
{
    /* Inside TLS, or again and again, no client asks. */
    if (session->state != SESSION_ACCEPTED || ++session->login->negotiations > NEGOTIATIONS_MAX) {
        session_fail(session, ERR_PROTOCOL, "0A000", "unsupported frontend protocol");
        return ERR_PROTOCOL;
    }
    if (kind == STARTUP_SSL_REQUEST)
        return start_tls(session);
    if (buf_len(&session->in) > 0) {
        session_fail(session, ERR_PROTOCOL, NULL,
                     "received unencrypted data after GSSAPI encryption request");
        return ERR_PROTOCOL;
    }
    return answer_byte(session, 'N');
}

static void audit_login(struct session *session, const char *event, const char *detail)
{
    if (audit_event(session->worker->audit, event, &session->who, detail) != OK)
        log_event(LOG_LEVEL_ERROR, "session=%lu event=audit-failed", (unsigned long)session->id);
}

/* ---- authentication ---- */

static uint64_t failed_login(struct session *session, const char *detail)
{
    audit_login(session, "auth-failed", detail);
    meter_count(session->meter, FIGURE_LOGIN_FAILED);
    char quoted[200];
    log_event(LOG_LEVEL_WARNING, "session=%lu event=auth-failed user=%s address=%s detail=\"%s\"",
              (unsigned long)session->id,
              log_quote(session->login->startup.user, quoted, sizeof quoted), session->address,
              detail);
    return admission_failed(session->worker->process->admission, session->address,
                            session->worker->now);
}

/* The words are the same whatever was wrong; only the record tells. */
static enum status refuse_login(struct session *session, const char *detail)
{
    uint64_t delay = failed_login(session, detail);
    snprintf(session_lost_text(session), SESSION_LOST_BYTES,
             "password authentication failed for user \"%s\"", session->login->startup.user);
    snprintf(session->lost_sqlstate, sizeof session->lost_sqlstate, "28P01");
    if (delay == 0) {
        session_fail(session, ERR_AUTH, session->lost_sqlstate, session_lost_text(session));
        return ERR_AUTH;
    }
    session->login->delayed_until = session->worker->now + delay * 1000u;
    session_enter(session, SESSION_DELAYED);
    return NEED_MORE;
}

static bool certificate_fits(const struct session *session, const struct policy_user *user)
{
    return user->certificate_cn != NULL && session->login->common_name != NULL &&
           strcmp(user->certificate_cn, session->login->common_name) == 0;
}

/* The client's business and the server's: its connection is opened with it. */
static enum status apply_observed(struct session *session, const char *name, const char *value)
{
    struct identity *identity = &session->identity;
    enum status status =
        strcasecmp(name, "application_name") == 0 ? identity_name_application(identity, value) : OK;
    return status == OK ? identity_set(identity, name, value) : status;
}

static enum status apply_setting(struct session *session, const char *name, const char *value,
                                 const char **why)
{
    struct identity *identity = &session->identity;
    if (strcasecmp(name, "pgvigil.role") == 0 || strcasecmp(name, "pgvigil.user") == 0 ||
        strcasecmp(name, "pgvigil.token") == 0)
        return OK; /* chosen before all others */
    *why = "the login acts for nobody yet: name the person as well";
    if (identity_is_nobody(identity) &&
        (strcasecmp(name, "pgvigil.mission") == 0 || strcasecmp(name, "pgvigil.reason") == 0 ||
         strcasecmp(name, "pgvigil.patient") == 0))
        return ERR_INVALID;
    if (strcasecmp(name, "pgvigil.mission") == 0) {
        *why = "this role may not take that mission, or there is none of that name";
        int mission = policy_find_mission(session->world->policy, value);
        if (mission >= 0 && session->world->policy->missions[mission].break_glass != NULL) {
            *why = "a break-glass mission is entered in the session, with SET pgvigil.mission "
                   "after SET pgvigil.reason";
            return ERR_INVALID;
        }
        enum status status = identity_choose_mission(identity, session->world->policy, value);
        const char *hint = NULL;
        return status == OK ? mission_limits_place(session, identity->role, identity->mission,
                                                   session->login->arena, why, &hint)
                            : status;
    }
    bool reason = strcasecmp(name, "pgvigil.reason") == 0;
    if (reason || strcasecmp(name, "pgvigil.patient") == 0) {
        *why = "it is longer than 4096 bytes";
        return strlen(value) > IDENTITY_TEXT_MAX
                   ? ERR_INVALID
                   : identity_replace(reason ? &identity->reason : &identity->patient, value);
    }
    if (strcasecmp(name, "application_name") == 0 && !session_observed(session))
        return identity_name_application(identity, value);
    if (session_observed(session) && strncasecmp(name, "pgvigil.", 8) != 0)
        return apply_observed(session, name, value);
    if (strcasecmp(name, "client_encoding") == 0) {
        *why = "only UTF8 is supported as client_encoding";
        bool utf8 = strcasecmp(value, "utf8") == 0 || strcasecmp(value, "utf-8") == 0 ||
                    strcasecmp(value, "unicode") == 0 || strcasecmp(value, "'utf-8'") == 0;
        return utf8 ? OK : ERR_INVALID;
    }
    bool unrestricted = session_unrestricted(session);
    if (strcasecmp(name, "search_path") == 0 && !unrestricted) {
        *why = "search_path is not a list of names";
        enum status status = identity_parse_path(identity, value);
        for (size_t i = 0; status == OK && i < identity->path_count; i++)
            status = setting_value_allowed(name, identity->path[i]) ? OK : ERR_INVALID;
        return status;
    }
    *why = "this setting may not be changed through pgvigil";
    if (strncasecmp(name, "pgvigil.", 8) == 0)
        return ERR_INVALID;
    if (!unrestricted &&
        (setting_class(name) != SETTING_FORWARD || !setting_value_allowed(name, value)))
        return ERR_INVALID;
    return identity_set(identity, name, value);
}

static const char *startup_setting(const struct startup *startup, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < startup->setting_count; i++)
        if (strcasecmp(startup->settings[i].name, name) == 0)
            value = startup->settings[i].value;
    return value;
}

/* Before all else: role, mission, reason and patient are the person's. */
static enum status apply_person(struct session *session)
{
    static const char *const names[] = {"pgvigil.user", "pgvigil.token"};
    struct identity *identity = &session->identity;
    struct refusal refusal = {.sqlstate = "53200", .message = "out of memory"};
    enum status status = OK;
    for (size_t i = 0; status == OK && i < sizeof names / sizeof names[0]; i++) {
        const char *value = startup_setting(&session->login->startup, names[i]);
        if (value != NULL)
            status =
                person_name(session, identity, names[i], value, session->login->arena, &refusal);
    }
    const char *application = startup_setting(&session->login->startup, "application_name");
    if (status == OK && application != NULL) {
        status = identity_name_application(identity, application);
        person_follow_application(session, identity);
    }
    if (status == OK)
        return OK;
    session_update_who(session);
    audit_login(session, "refused-connection", refusal.message);
    session_fail(session, status == DENIED ? ERR_INVALID : status, refusal.sqlstate,
                 refusal.message);
    return ERR_INVALID;
}

static enum status apply_settings(struct session *session)
{
    const struct startup *startup = &session->login->startup;
    const char *role = startup_setting(startup, "pgvigil.role");
    char message[256];
    if (apply_person(session) != OK)
        return ERR_INVALID;
    if (role != NULL &&
        identity_choose_role(&session->identity, session->world->policy, role) != OK) {
        struct refusal refusal;
        enum status status = person_refuse_role(&session->identity, session->world->policy, role,
                                                session->login->arena, &refusal);
        session_fail(session, status == DENIED ? ERR_INVALID : status,
                     status == DENIED ? refusal.sqlstate : NULL,
                     status == DENIED ? refusal.message : "out of memory");
        return ERR_INVALID;
    }
    session->identity.role_chosen = role != NULL;
    for (size_t i = 0; i < startup->setting_count; i++) {
        const char *why = "";
        enum status status =
            apply_setting(session, startup->settings[i].name, startup->settings[i].value, &why);
        if (status == OK)
            continue;
        snprintf(message, sizeof message, "start-up setting \"%s\" refused: %s",
                 startup->settings[i].name, status == ERR_MEMORY ? "out of memory" : why);
        session_fail(session, status, status == ERR_INVALID ? "42501" : NULL, message);
        return status;
    }
    return OK;
}

static enum status authenticated(struct session *session, const struct policy_user *user,
                                 const char *method)
{
    struct worker *worker = session->worker;
    admission_succeeded(worker->process->admission, session->address);
    session->who.auth = method;
    if (identity_init(&session->identity, session->world->policy, user) != OK) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return ERR_MEMORY;
    }
    session_update_who(session);
    if (!admission_user_enter(worker->process->admission, user->name)) {
        audit_login(session, "refused-connection", "too many connections for the user");
        session_fail(session, ERR_LIMIT, "53300", "too many connections for this user");
        return ERR_LIMIT;
    }
    session->counted = true;
    struct buf out;
    buf_init(&out, 0);
    wire_put_auth_ok(&out);
    session_say(session, &out);
    buf_free(&out);
    session->database = config_find_database(worker->config, session->login->startup.database);
    if (session->database == NULL && console_opens(session, user))
        return console_start(session);
    if (session->database == NULL) {
        char message[200];
        snprintf(message, sizeof message, "database \"%s\" does not exist",
                 session->login->startup.database);
        audit_login(session, "refused-connection", "no such database");
        session_fail(session, ERR_INVALID, "3D000", message);
        return ERR_INVALID;
    }
    session->database_index = (size_t)(session->database - worker->config->databases);
    session_use_meter(session, &worker->meters[session->database_index]);
    session->who.database = session->database->name;
    if (apply_settings(session) != OK)
        return ERR_INVALID;
    session_update_who(session);
    enum status observed = observed_startup(session);
    if (observed != OK) {
        session_fail(session, observed, NULL, "the start of the session could not be recorded");
        return observed;
    }
    session_enter(session, SESSION_LOGIN);
    struct pool *pool = session_pool(session);
    struct server *known = TAILQ_FIRST(&pool->all);
    if (pool->kind == POOL_PAIRS && known != NULL && session->identity.setting_count == 0)
        auth_welcome(session, known);
    else
        pool_wait(pool, session);
    return session->state == SESSION_READY ? OK : NEED_MORE;
}

static enum status begin_scram(struct session *session, const struct policy_user *user)
{
    size_t binding_len = 0;
    const unsigned char *binding =
        session->login->tls == NULL ? NULL : tls_context_binding(session->login->tls, &binding_len);
    bool password =
        user != NULL && (user->auth == AUTH_SCRAM ||
                         (user->auth == AUTH_CERT_AND_SCRAM && certificate_fits(session, user)));
    struct scram_options options = {.user = session->login->startup.user,
                                    .secret = password ? user->secret : NULL,
                                    .binding = binding_len == 0 ? NULL : binding,
                                    .binding_len = binding_len,
                                    .unknown_iterations = session->world->scram_iterations};
    session->login->scram = scram_new(&options);
    if (session->login->scram == NULL) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return ERR_MEMORY;
    }
    struct buf out;
    buf_init(&out, 0);
    scram_start(session->login->scram, &out);
    session_say(session, &out);
    buf_free(&out);
    session_enter(session, SESSION_AUTHENTICATING);
    return OK;
}

static enum status begin(struct session *session)
{
    struct startup *startup = &session->login->startup;
    bool encrypted = transport_tls_version(session->transport) != NULL;
    session->who.id = session->id;
    session->who.login = session->who.person = startup->user;
    session->who.address = session->address;
    session->who.port = session->port;
    session->who.tls = transport_tls_version(session->transport);
    if (!encrypted && !session->worker->config->listen.plaintext) {
        session_fail(session, ERR_AUTH, "28000",
                     "pgvigil takes connections over TLS only (sslmode=require)");
        return ERR_AUTH;
    }
    if (startup->replication) {
        session_fail(session, ERR_INVALID, "0A000", "replication connections are not supported");
        return ERR_INVALID;
    }
    if (startup->negotiate) {
        struct buf out;
        buf_init(&out, 0);
        startup_put_negotiate(&out, startup);
        session_say(session, &out);
        buf_free(&out);
    }
    char name[256];
    if (encrypted &&
        certificate_peer_common_name(transport_ssl(session->transport), name, sizeof name) == OK)
        session->login->common_name =
            name[0] == '\0' ? NULL : arena_strdup(session->login->arena, name);
    const struct policy_user *user = policy_find_user(session->world->policy, startup->user);
    if (user != NULL && user->auth == AUTH_CERT && certificate_fits(session, user))
        return authenticated(session, user, "cert");
    return begin_scram(session, user);
}

enum status auth_startup(struct session *session)
{
    struct wire_message message;
    enum status status = wire_next_startup(&session->in, &message);
    if (status == NEED_MORE)
        return status;
    const char *sqlstate = NULL;
    const char *why = "invalid length of startup packet";
    if (status == OK)
        status = startup_parse(&message, session->login->arena, &session->login->startup, &sqlstate,
                               &why);
    if (status != OK) {
        session_fail(session, status, sqlstate, why == NULL ? "invalid startup packet" : why);
        return status;
    }
    switch (session->login->startup.kind) {
    case STARTUP_SSL_REQUEST:
    case STARTUP_GSS_REQUEST:
        return negotiate(session, session->login->startup.kind);
    case STARTUP_CANCEL:
        cancel_request(session->worker->process->cancels, session->login->startup.process_id,
                       session->login->startup.secret_key);
        session_end(session, "cancel request");
        return CLOSED;
    case STARTUP_SESSION:
        return begin(session);
    }
    return ERR_INTERNAL;
}

enum status auth_step(struct session *session)
{
    struct wire_message message;
    enum status status = wire_next(&session->in, WIRE_FROM_CLIENT_AUTH, WIRE_AUTH_MAX, &message);
    if (status == NEED_MORE)
        return status;
    if (status != OK) {
        session_fail(session, ERR_PROTOCOL, NULL, "expected SASL response");
        return ERR_PROTOCOL;
    }
    struct buf out;
    buf_init(&out, 0);
    const char *why = NULL;
    status = scram_step(session->login->scram, &message, &out, &why);
    if (out.failed)
        status = ERR_MEMORY;
    const struct policy_user *user =
        policy_find_user(session->world->policy, session->login->startup.user);
    bool certificate = user != NULL && user->auth == AUTH_CERT_AND_SCRAM;
    /* The mock exchange of an unknown user cannot succeed; a certificate alone is never made up for
     * by one. */
    if (status == OK && (user == NULL || user->auth == AUTH_NONE || user->auth == AUTH_CERT ||
                         (certificate && !certificate_fits(session, user))))
        status = ERR_AUTH;
    if (status == OK || status == NEED_MORE)
        session_say(session, &out);
    buf_free(&out);
    if (status == NEED_MORE)
        return OK; /* that message is done; look for the next */
    if (status == OK) {
        bool bound = scram_bound(session->login->scram);
        return authenticated(session, user,
                             certificate
                                 ? (bound ? "cert+scram-sha-256-plus" : "cert+scram-sha-256")
                                 : (bound ? "scram-sha-256-plus" : "scram-sha-256"));
    }
    if (status == ERR_AUTH)
        return refuse_login(session,
                            user == NULL ? "unknown user" : "wrong password or certificate");
    failed_login(session, "malformed SASL exchange");
    session_fail(session, status, NULL, why == NULL ? "malformed SASL exchange" : why);
    return status;
}

/* ---- welcome ---- */

static void put_parameters(struct session *session, struct server *server, struct buf *out)
{
    const char *values[PARAMETER_COUNT] = {NULL};
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        const char *name = parameter_name(i);
        /* Of a connection that may be someone else's: as it was opened, without their settings. */
        values[i] = server->session == session ? server_parameter(server, name)
                                               : PQparameterStatus(server->conn, name);
        if (values[i] != NULL)
            wire_put_parameter_status(out, name, values[i]);
    }
    if (!parameters_start(&session->parameters, values, &session->worker->parameter_values))
        out->failed = true;
    if (session_observed(session)) {
        static const char *const own[] = {"application_name", "is_superuser",
                                          "session_authorization"};
        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
            const char *value = server_parameter(server, own[i]);
            if (value != NULL)
                wire_put_parameter_status(out, own[i], value);
        }
        return;
    }
    wire_put_parameter_status(
        out, "application_name",
        session->identity.application == NULL ? "" : session->identity.application);
    wire_put_parameter_status(out, "is_superuser", "off");
    wire_put_parameter_status(out, "session_authorization", session->identity.login->name);
}

void auth_welcome(struct session *session, struct server *server)
{
    struct worker *worker = session->worker;
    if (cancel_register(worker->process->cancels, session) != OK) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return;
    }
    session->connected = true;
    if (audit_event(worker->audit, "connect", &session->who, NULL) != OK) {
        session_fail(session, ERR_AUDIT, NULL,
                     "the audit record of this connection could not be written");
        return;
    }
    struct buf *out = &session->out.bytes;
    put_parameters(session, server, out);
    wire_put_key_data(out, session->key_id, session->key_secret);
    wire_put_ready(out, 'I');
    outbox_cover(&session->out);
    session_logged_in(session);
    session->pinned = session_unrestricted(session);
    dialect_start(session);
    meter_count(session->meter, FIGURE_LOGIN);
    session_new_epoch(session);
    session_enter(session, SESSION_READY);
    char quoted[200];
    char database[200];
    log_event(LOG_LEVEL_INFO, "session=%lu event=connect user=%s database=%s auth=%s tls=%s",
              (unsigned long)session->id,
              log_quote(session->identity.login->name, quoted, sizeof quoted),
              log_quote(session->database->name, database, sizeof database), session->who.auth,
              session->who.tls == NULL ? "no" : session->who.tls);
    worker_touch(worker, session);
    session_maybe_release(session);
}
