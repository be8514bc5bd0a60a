/*
 * console.c: sessions of the console (see console.h).
 *
 * Trust boundary: an admin's client, authenticated; its messages are bounded and checked as all
 * are. Texts are compared with a few words and never kept; names of statements and portals are few
 * and short. Workers' answers come later, and only the one that is waited for is taken.
 */
#include "proxy/console.h"

#include "proxy/cancel.h"
#include "proxy/gather.h"
#include "proxy/mission.h"
#include "proxy/wire.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMES_MAX      32u
#define NAME_BYTES_MAX 63u
#define TYPE_TEXT      25u
#define TYPE_INT8      20u

#define CONSOLE_HINT                                                                               \
    "There are SHOW " VIEW_WORDS ", one a message. Drivers: autocommit, no parameters."

/* A prepared statement or a portal; both are no more than what is to be shown, and how. */
struct named {
    bool used;
    char name[NAME_BYTES_MAX + 1];
    enum view_name view;
    uint64_t binary; /* portals: bit i: column i in binary format */
};

struct console {
    struct named statements[NAMES_MAX];
    struct named portals[NAMES_MAX];
    uint64_t serial; /* of the answer that is waited for */
    enum view_name asked;
    uint64_t binary;
    uint32_t max_rows;
    bool simple; /* asked with a Query */
};

void console_free(struct console *console)
{
    free(console);
}

/* ---- answering ---- */

/* What was appended has its record, or needs none. */
static void cover(struct session *session)
{
    outbox_cover(&session->out);
    worker_touch(session->worker, session);
}

static struct buf *out(struct session *session)
{
    return &session->out.bytes;
}

static enum status ready(struct session *session)
{
    session->muted = false;
    wire_put_ready(out(session), 'I');
    cover(session);
    return OK;
}

static enum status complain(struct session *session, bool simple, const char *sqlstate,
                            const char *message)
{
    if (!session->muted)
        wire_put_error(out(session), "ERROR", sqlstate, message, CONSOLE_HINT, 0);
    cover(session);
    if (simple)
        return ready(session);
    session_enter(session, SESSION_SKIPPING);
    return OK;
}

static enum status record(struct session *session, const char *detail)
{
    return audit_event(session->worker->audit, "console", &session->who, detail);
}

static enum status refuse(struct session *session, bool simple)
{
    if (record(session, "refused: nothing that the console answers") != OK)
        return complain(session, simple, "58030", "the audit record could not be written");
    meter_count(session->meter, FIGURE_REFUSAL);
    return complain(session, simple, "0A000",
                    "this is pgvigil's console: it answers SHOW and nothing else");
}

static void put_description(struct session *session, enum view_name name, uint64_t binary)
{
    struct wire_column columns[64];
    const struct view *view = view_of(name);
    if (view == NULL) {
        wire_put_no_data(out(session));
        return;
    }
    memset(columns, 0, sizeof columns);
    for (size_t i = 0; i < view->column_count; i++) {
        columns[i] =
            (struct wire_column){.name = view->columns[i].name,
                                 .type_oid = view->columns[i].number ? TYPE_INT8 : TYPE_TEXT,
                                 .type_len = view->columns[i].number ? 8 : -1,
                                 .type_mod = -1,
                                 .format = (binary >> i) & 1u};
    }
    wire_put_row_description(out(session), columns, view->column_count);
}

/* One value of a DataRow; a number's text becomes eight bytes where that was asked for. */
static bool put_cell(struct buf *to, struct wire_cursor *cells, bool binary_number)
{
    uint32_t len = wire_get_u32(cells);
    if (len == UINT32_MAX) {
        buf_u32(to, len);
        return !cells->failed;
    }
    const unsigned char *text = wire_get_bytes(cells, len);
    if (text == NULL)
        return false;
    if (!binary_number) {
        buf_u32(to, len);
        buf_append(to, text, len);
        return true;
    }
    uint64_t number = 0;
    for (uint32_t i = 0; i < len; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    buf_u32(to, 8);
    buf_u32(to, (uint32_t)(number >> 32));
    buf_u32(to, (uint32_t)number);
    return true;
}

static bool put_rows(struct session *session, const struct view *view, uint64_t binary,
                     const struct view_rows *rows)
{
    struct wire_cursor cells;
    wire_cursor_init(&cells, rows->cells.data == NULL ? (const void *)"" : buf_head(&rows->cells),
                     buf_len(&rows->cells));
    for (size_t i = 0; i < rows->count; i++) {
        size_t mark = wire_begin(out(session), 'D');
        buf_u16(out(session), (uint16_t)view->column_count);
        for (size_t j = 0; j < view->column_count; j++)
            if (!put_cell(out(session), &cells, view->columns[j].number && ((binary >> j) & 1u)))
                return false;
        wire_finish(out(session), mark);
    }
    return wire_end(&cells) == OK;
}

/* The whole answer, behind its record. */
static enum status show(struct session *session, const struct view_rows *rows)
{
    const struct console *console = session->console;
    const struct view *view = view_of(console->asked);
    char detail[32] = "SHOW ";
    size_t len = strlen(detail);
    for (const char *at = view->word; *at != '\0' && len + 1 < sizeof detail; at++)
        detail[len++] = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
    if (rows->cells.failed)
        return ERR_MEMORY;
    if (console->max_rows != 0 && rows->count > console->max_rows)
        return complain(session, console->simple, "0A000",
                        "the console cannot answer in parts: ask without a limit of rows");
    if (record(session, detail) != OK)
        return complain(session, console->simple, "58030",
                        "the audit record could not be written: the result is withheld");
    if (!session->muted) {
        if (console->simple)
            put_description(session, console->asked, 0);
        if (!put_rows(session, view, console->binary, rows))
            return ERR_INTERNAL;
        wire_put_command_complete(out(session), "SHOW");
    }
    cover(session);
    return console->simple ? ready(session) : OK;
}

static enum status finish(struct session *session, const struct view_part *parts)
{
    struct view_rows rows = {.count = 0};
    buf_init(&rows.cells, 0);
    view_finish(session->worker, session->console->asked, parts, &rows);
    enum status status = show(session, &rows);
    buf_free(&rows.cells);
    return status;
}

static void fail(struct session *session, enum status status)
{
    session_fail(session, status, NULL,
                 status == ERR_PROTOCOL ? "invalid message format"
                                        : "the console could not answer");
}

static void gathered(struct worker *worker, const struct gather *gather)
{
    struct session *session;
    TAILQ_FOREACH(session, &worker->sessions, link)
    if (session->id == gather->session)
        break;
    if (session == NULL || session->console == NULL || session->state != SESSION_WAIT_ROWS ||
        session->console->serial != gather->serial)
        return;
    session_enter(session, SESSION_READY);
    enum status status = finish(session, gather->parts);
    if (status != OK)
        fail(session, status);
}

void console_tick(struct session *session)
{
    uint64_t limit = (uint64_t)session->worker->config->limits.connect_seconds * 1000000u;
    if (session->state != SESSION_WAIT_ROWS || session->last_active + limit >= session->worker->now)
        return;
    session->console->serial++;
    session_enter(session, SESSION_READY);
    (void)complain(session, session->console->simple, "57014",
                   "a worker of pgvigil does not answer");
}

/* ---- what is asked ---- */

static enum status help(struct session *session, bool simple)
{
    if (record(session, "SHOW HELP") != OK)
        return complain(session, simple, "58030", "the audit record could not be written");
    if (!session->muted) {
        wire_put_notice(out(session), "NOTICE", "00000",
                        "Console usage\nSHOW STATS|POOLS|DATABASES|CLIENTS|SERVERS\n"
                        "SHOW CONFIG|VERSION|HELP");
        wire_put_command_complete(out(session), "SHOW");
    }
    cover(session);
    return simple ? ready(session) : OK;
}

static enum status ask(struct session *session, enum view_name name)
{
    struct console *console = session->console;
    console->asked = name;
    if (!view_of(name)->collects)
        return finish(session, NULL);
    enum status status =
        gather_start(session->worker, session->id, ++console->serial, name, gathered);
    if (status == OK)
        session_enter(session, SESSION_WAIT_ROWS);
    return status;
}

static enum status run(struct session *session, enum view_name name, bool simple)
{
    session->console->simple = simple;
    if (name == VIEW_HELP)
        return help(session, simple);
    if (name == VIEW_NONE)
        return refuse(session, simple);
    if (name != VIEW_EMPTY)
        return ask(session, name);
    if (!session->muted)
        wire_put_empty_query(out(session));
    cover(session);
    return simple ? ready(session) : OK;
}

static enum status on_query(struct session *session, const struct wire_message *message)
{
    const char *sql;
    size_t len;
    if (wire_parse_query(message, &sql, &len) != OK)
        return ERR_PROTOCOL;
    session->console->binary = 0;
    session->console->max_rows = 0;
    return run(session, view_parse(sql, len), true);
}

/* ---- the extended protocol ---- */

static struct named *find(struct named *list, const char *name)
{
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (list[i].used && strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

/* A place for a name; the unnamed one is taken again. NULL: the error was given. */
static struct named *place(struct session *session, struct named *list, const char *name)
{
    struct named *there = find(list, name);
    if (there != NULL && name[0] == '\0')
        return there;
    if (there != NULL || strlen(name) > NAME_BYTES_MAX) {
        (void)complain(session, false, there != NULL ? "42P05" : "42622",
                       there != NULL ? "that name is taken already"
                                     : "the name is longer than 63 bytes");
        return NULL;
    }
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (list[i].used)
            continue;
        list[i].used = true;
        snprintf(list[i].name, sizeof list[i].name, "%s", name);
        return &list[i];
    }
    (void)complain(session, false, "54000", "too many prepared statements for the console");
    return NULL;
}

static enum status done(struct session *session, void (*put)(struct buf *to))
{
    if (!session->muted)
        put(out(session));
    cover(session);
    return OK;
}

static enum status on_parse(struct session *session, const struct wire_message *message)
{
    struct wire_parse parse;
    if (wire_parse_parse(message, &parse) != OK)
        return ERR_PROTOCOL;
    enum view_name view = view_parse(parse.sql, parse.sql_len);
    if (view == VIEW_NONE)
        return refuse(session, false);
    if (parse.type_count > 0)
        return complain(session, false, "42P02", "the console's statements take no parameters");
    struct named *statement = place(session, session->console->statements, parse.statement);
    if (statement == NULL)
        return OK;
    statement->view = view;
    return done(session, wire_put_parse_complete);
}

static enum status on_bind(struct session *session, const struct wire_message *message)
{
    struct console *console = session->console;
    struct wire_bind bind;
    if (wire_parse_bind(message, &bind) != OK)
        return ERR_PROTOCOL;
    const struct named *statement = find(console->statements, bind.statement);
    if (statement == NULL)
        return complain(session, false, "26000", "there is no prepared statement of that name");
    const struct view *view = view_of(statement->view);
    size_t columns = view == NULL ? 0 : view->column_count;
    if (bind.value_count > 0)
        return complain(session, false, "08P01", "the console's statements take no parameters");
    if (bind.result_format_count > 1 && bind.result_format_count != columns)
        return complain(session, false, "08P01", "there are not so many columns");
    struct named *portal = place(session, console->portals, bind.portal);
    if (portal == NULL)
        return OK;
    portal->view = statement->view;
    portal->binary = 0;
    for (size_t i = 0; i < columns; i++)
        portal->binary |= (uint64_t)(wire_bind_result_format(&bind, i) & 1u) << i;
    return done(session, wire_put_bind_complete);
}

static enum status on_describe(struct session *session, const struct wire_message *message)
{
    struct console *console = session->console;
    unsigned char kind;
    const char *name;
    if (wire_parse_target(message, &kind, &name) != OK)
        return ERR_PROTOCOL;
    const struct named *found = find(kind == 'S' ? console->statements : console->portals, name);
    if (found == NULL)
        return complain(session, false, kind == 'S' ? "26000" : "34000",
                        "there is no prepared statement or portal of that name");
    if (!session->muted) {
        if (kind == 'S')
            wire_put_parameter_description(out(session), NULL, 0);
        put_description(session, found->view, kind == 'S' ? 0 : found->binary);
    }
    cover(session);
    return OK;
}

static enum status on_execute(struct session *session, const struct wire_message *message)
{
    struct console *console = session->console;
    const char *name;
    uint32_t max_rows;
    if (wire_parse_execute(message, &name, &max_rows) != OK)
        return ERR_PROTOCOL;
    const struct named *portal = find(console->portals, name);
    if (portal == NULL)
        return complain(session, false, "34000", "there is no portal of that name");
    console->binary = portal->binary;
    console->max_rows = max_rows;
    return run(session, portal->view, false);
}

static enum status on_close(struct session *session, const struct wire_message *message)
{
    struct console *console = session->console;
    unsigned char kind;
    const char *name;
    if (wire_parse_target(message, &kind, &name) != OK)
        return ERR_PROTOCOL;
    struct named *found = find(kind == 'S' ? console->statements : console->portals, name);
    if (found != NULL)
        found->used = false;
    return done(session, wire_put_close_complete);
}

static enum status on_sync(struct session *session, const struct wire_message *message)
{
    if (wire_parse_empty(message) != OK)
        return ERR_PROTOCOL;
    if (session->state == SESSION_SKIPPING)
        session_enter(session, SESSION_READY);
    memset(session->console->portals, 0, sizeof session->console->portals);
    return ready(session);
}

static enum status on_flush(struct session *session, const struct wire_message *message)
{
    (void)session;
    return wire_parse_empty(message); /* nothing is kept back */
}

static enum status on_terminate(struct session *session, const struct wire_message *message)
{
    (void)message;
    session_end(session, "client terminated");
    return CLOSED;
}

static const struct {
    unsigned char code;
    bool when_skipping;
    enum status (*handle)(struct session *session, const struct wire_message *message);
} message_rows[] = {
    {'Q', false, on_query},    {'P', false, on_parse},   {'B', false, on_bind},
    {'D', false, on_describe}, {'E', false, on_execute}, {'C', false, on_close},
    {'S', true, on_sync},      {'H', false, on_flush},   {'X', true, on_terminate},
};

/* As for any session: who has gone from the policy is nobody's admin. False: the session ended. */
static bool follow_policy(struct session *session)
{
    worker_refresh_world(session->worker);
    struct world *world = session->worker->world;
    if (session->world == world)
        return true;
    const struct policy_user *user = policy_find_user(world->policy, session->identity.login->name);
    if (user == NULL || !console_opens(session, user)) {
        session_fail(session, CLOSED, "57P01",
                     "terminating connection: the policy has changed and this user is gone");
        return false;
    }
    session->identity.login = session->identity.user = user;
    session_update_who(session);
    world_unref(session->world);
    session->world = world_ref(world);
    return true;
}

enum status console_next(struct session *session)
{
    struct wire_message message;
    enum status status = wire_next(&session->in, WIRE_FROM_CLIENT,
                                   session->worker->config->limits.message_bytes, &message);
    if (status == NEED_MORE)
        return status;
    if (status == OK && !follow_policy(session))
        return CLOSED;
    session->last_active = session->worker->now;
    for (size_t i = 0; status == OK && i < sizeof message_rows / sizeof message_rows[0]; i++) {
        if (message_rows[i].code != message.type)
            continue;
        if (session->state == SESSION_SKIPPING && !message_rows[i].when_skipping)
            return OK;
        status = message_rows[i].handle(session, &message);
        if (status != OK && session->state != SESSION_DEAD && session->state != SESSION_CLOSING)
            fail(session, status);
        return status == OK ? OK : CLOSED;
    }
    session_fail(session, ERR_PROTOCOL, NULL, "the console does not take this message");
    return CLOSED;
}

/* ---- the start ---- */

bool console_opens(const struct session *session, const struct policy_user *user)
{
    return strcmp(session->login->startup.database, CONFIG_CONSOLE_DATABASE) == 0 &&
           config_is_admin(session->worker->config, user->name) && user->on_behalf == NULL;
}

static enum status read_settings(struct session *session)
{
    const struct startup *startup = &session->login->startup;
    for (size_t i = 0; i < startup->setting_count; i++) {
        const char *name = startup->settings[i].name;
        if (strncasecmp(name, "pgvigil.", strlen("pgvigil.")) == 0) {
            session_fail(session, ERR_INVALID, "42501",
                         "start-up setting refused: the console has no roles and missions");
            return ERR_INVALID;
        }
        if (strcasecmp(name, "application_name") != 0)
            continue; /* of numbers and words in one encoding nothing depends on them */
        if (identity_name_application(&session->identity, startup->settings[i].value) != OK) {
            session_fail(session, ERR_MEMORY, NULL, "out of memory");
            return ERR_MEMORY;
        }
    }
    return OK;
}

static void put_parameters(struct session *session)
{
    /* With PgBouncer's kind of version drivers do not take it for a PostgreSQL to set up. */
    static const struct {
        const char *name;
        const char *value;
    } parameters[] = {{"server_version", PGVIGIL_VERSION "/pgvigil"},
                      {"server_encoding", "UTF8"},
                      {"client_encoding", "UTF8"},
                      {"DateStyle", "ISO"},
                      {"TimeZone", "UTC"},
                      {"integer_datetimes", "on"},
                      {"standard_conforming_strings", "on"},
                      {"is_superuser", "off"}};
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        wire_put_parameter_status(out(session), parameters[i].name, parameters[i].value);
    wire_put_parameter_status(out(session), "session_authorization", session->identity.login->name);
}

enum status console_start(struct session *session)
{
    struct worker *worker = session->worker;
    session->identity.role = session->identity.mission = -1;
    session->who.database = CONFIG_CONSOLE_DATABASE;
    if (read_settings(session) != OK)
        return ERR_INVALID;
    session_update_who(session);
    session->console = calloc(1, sizeof *session->console);
    if (session->console == NULL || cancel_register(worker->process->cancels, session) != OK) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return ERR_MEMORY;
    }
    session_enter(session, SESSION_LOGIN);
    session->connected = true;
    if (audit_event(worker->audit, "connect", &session->who, NULL) != OK) {
        session_fail(session, ERR_AUDIT, NULL,
                     "the audit record of this connection could not be written");
        return ERR_AUDIT;
    }
    put_parameters(session);
    wire_put_key_data(out(session), session->key_id, session->key_secret);
    wire_put_ready(out(session), 'I');
    cover(session);
    session_logged_in(session);
    meter_count(session->meter, FIGURE_LOGIN);
    session_enter(session, SESSION_READY);
    char quoted[200];
    log_event(LOG_LEVEL_INFO, "session=%lu event=connect user=%s database=\"%s\" auth=%s tls=%s",
              (unsigned long)session->id,
              log_quote(session->identity.login->name, quoted, sizeof quoted),
              CONFIG_CONSOLE_DATABASE, session->who.auth,
              session->who.tls == NULL ? "no" : session->who.tls);
    return OK;
}
