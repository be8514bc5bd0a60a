/*
 * view.c: what SHOW answers (see view.h).
 *
 * Trust boundary: names of people and applications are those that the trail has, too; they go to
 * admins, as text.
 */
#include "proxy/view.h"

#include "proxy/meter.h"
#include "proxy/pool.h"
#include "proxy/server.h"
#include "proxy/session.h"
#include "proxy/stats.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define TEXT(name)                                                                                 \
    {                                                                                              \
        name, false                                                                                \
    }
#define NUMBER(name)                                                                               \
    {                                                                                              \
        name, true                                                                                 \
    }

static const struct view_column version_columns[] = {TEXT("version")};

static const struct view_column config_columns[] = {TEXT("key"), TEXT("value"), TEXT("default"),
                                                    TEXT("changeable")};

static const struct view_column stats_columns[] = {
    TEXT("database"),
    NUMBER("total_xact_count"),
    NUMBER("total_query_count"),
    NUMBER("total_received"),
    NUMBER("total_sent"),
    NUMBER("total_xact_time"),
    NUMBER("total_query_time"),
    NUMBER("total_wait_time"),
    NUMBER("avg_xact_count"),
    NUMBER("avg_query_count"),
    NUMBER("avg_recv"),
    NUMBER("avg_sent"),
    NUMBER("avg_xact_time"),
    NUMBER("avg_query_time"),
    NUMBER("avg_wait_time"),
    NUMBER("total_error_count"),
    NUMBER("total_refused_count"),
    NUMBER("total_row_count"),
    NUMBER("total_wait_count"),
    NUMBER("total_login_count"),
    NUMBER("total_cache_hits"),
    NUMBER("total_cache_misses"),
    NUMBER("total_turn_count"),
};

static const struct view_column pool_columns[] = {
    TEXT("database"),    TEXT("user"),      NUMBER("cl_active"),  NUMBER("cl_waiting"),
    NUMBER("sv_active"), NUMBER("sv_idle"), NUMBER("sv_used"),    NUMBER("sv_tested"),
    NUMBER("sv_login"),  NUMBER("maxwait"), NUMBER("maxwait_us"), TEXT("pool_mode"),
    TEXT("kind"),        NUMBER("cl_idle"), NUMBER("pool_size"),
};

static const struct view_column database_columns[] = {
    TEXT("name"),
    TEXT("host"),
    TEXT("port"),
    TEXT("database"),
    TEXT("force_user"),
    NUMBER("pool_size"),
    NUMBER("min_pool_size"),
    NUMBER("reserve_pool"),
    TEXT("pool_mode"),
    NUMBER("max_connections"),
    NUMBER("current_connections"),
    NUMBER("paused"),
    NUMBER("disabled"),
    TEXT("mode"),
};

/* What a connection of either side has, as PgBouncer names it. */
#define CONNECTION                                                                                 \
    TEXT("type"), TEXT("user"), TEXT("database"), TEXT("state"), TEXT("addr"), NUMBER("port"),     \
        TEXT("local_addr"), NUMBER("local_port"), TEXT("connect_time"), TEXT("request_time"),      \
        NUMBER("wait"), NUMBER("wait_us"), NUMBER("close_needed"), TEXT("ptr"), TEXT("link"),      \
        NUMBER("remote_pid"), TEXT("tls"), TEXT("application_name"), NUMBER("id"),                 \
        NUMBER("worker")

static const struct view_column client_columns[] = {CONNECTION, TEXT("person"), TEXT("role"),
                                                    TEXT("mission")};

static const struct view_column server_columns[] = {CONNECTION, TEXT("kind"), TEXT("role"),
                                                    TEXT("mission")};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct view views[] = {
    {VIEW_VERSION, "version", version_columns, COUNT(version_columns), false},
    {VIEW_CONFIG, "config", config_columns, COUNT(config_columns), false},
    {VIEW_DATABASES, "databases", database_columns, COUNT(database_columns), true},
    {VIEW_STATS, "stats", stats_columns, COUNT(stats_columns), false},
    {VIEW_POOLS, "pools", pool_columns, COUNT(pool_columns), true},
    {VIEW_CLIENTS, "clients", client_columns, COUNT(client_columns), true},
    {VIEW_SERVERS, "servers", server_columns, COUNT(server_columns), true},
};

const struct view *view_of(enum view_name name)
{
    for (size_t i = 0; i < COUNT(views); i++)
        if (views[i].name == name)
            return &views[i];
    return NULL;
}

/* ---- what is asked ---- */

static size_t skip(const char *sql, size_t len, size_t at, const char *what)
{
    while (at < len && sql[at] != '\0' && strchr(what, sql[at]) != NULL)
        at++;
    return at;
}

static size_t word_end(const char *sql, size_t len, size_t at)
{
    while (at < len && isalpha((unsigned char)sql[at]))
        at++;
    return at;
}

static bool is_word(const char *sql, size_t from, size_t to, const char *word)
{
    return to - from == strlen(word) && strncasecmp(sql + from, word, to - from) == 0;
}

enum view_name view_parse(const char *sql, size_t len)
{
    static const char space[] = " \t\r\n\f\v";
    size_t at = skip(sql, len, 0, " \t\r\n\f\v;");
    if (at == len)
        return VIEW_EMPTY;
    size_t end = word_end(sql, len, at);
    size_t next = skip(sql, len, end, space);
    if (!is_word(sql, at, end, "show") || next == end)
        return VIEW_NONE;
    size_t last = word_end(sql, len, next);
    size_t rest = skip(sql, len, last, " \t\r\n\f\v;");
    if (rest != len)
        return VIEW_NONE;
    if (is_word(sql, next, last, "help"))
        return VIEW_HELP;
    for (size_t i = 0; i < COUNT(views); i++)
        if (is_word(sql, next, last, views[i].word))
            return views[i].name;
    return VIEW_NONE;
}

/* ---- cells ---- */

void view_put_text(struct view_rows *rows, const char *text)
{
    if (text == NULL) {
        buf_u32(&rows->cells, UINT32_MAX);
        return;
    }
    size_t len = strlen(text);
    buf_u32(&rows->cells, (uint32_t)len);
    buf_append(&rows->cells, text, len);
}

void view_put_number(struct view_rows *rows, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lu", (unsigned long)number);
    view_put_text(rows, text);
}

static const char *present(const char *text)
{
    return text == NULL ? "" : text;
}

/* ---- STATS ---- */

static uint64_t per_second(const struct stats_line *line, enum figure figure)
{
    return line->seconds > 0 ? (uint64_t)((double)line->grown.figures[figure] / line->seconds) : 0;
}

static uint64_t average(uint64_t sum, uint64_t count)
{
    return count == 0 ? 0 : sum / count;
}

static void put_totals(struct view_rows *rows, const struct meter_sum *total)
{
    const uint64_t *figures = total->figures;
    view_put_number(rows, figures[FIGURE_TRANSACTION]);
    view_put_number(rows, figures[FIGURE_STATEMENT]);
    view_put_number(rows, figures[FIGURE_CLIENT_RECEIVED]);
    view_put_number(rows, figures[FIGURE_CLIENT_SENT]);
    view_put_number(rows, figures[FIGURE_TRANSACTION_MICROSECONDS]);
    view_put_number(rows, total->histograms[HISTOGRAM_STATEMENT].microseconds);
    view_put_number(rows, total->histograms[HISTOGRAM_WAIT].microseconds);
}

static void put_averages(struct view_rows *rows, const struct stats_line *line)
{
    const struct meter_sum *grown = &line->grown;
    view_put_number(rows, per_second(line, FIGURE_TRANSACTION));
    view_put_number(rows, per_second(line, FIGURE_STATEMENT));
    view_put_number(rows, per_second(line, FIGURE_CLIENT_RECEIVED));
    view_put_number(rows, per_second(line, FIGURE_CLIENT_SENT));
    view_put_number(rows, average(grown->figures[FIGURE_TRANSACTION_MICROSECONDS],
                                  grown->figures[FIGURE_TRANSACTION]));
    view_put_number(rows, average(grown->histograms[HISTOGRAM_STATEMENT].microseconds,
                                  grown->histograms[HISTOGRAM_STATEMENT].count));
    view_put_number(rows, average(grown->histograms[HISTOGRAM_WAIT].microseconds,
                                  grown->histograms[HISTOGRAM_WAIT].count));
}

static void put_stats(const struct worker *worker, struct view_rows *rows)
{
    static const enum figure more[] = {
        FIGURE_STATEMENT_FAILED, FIGURE_REFUSAL,    FIGURE_ROW, FIGURE_WAIT, FIGURE_LOGIN,
        FIGURE_CACHE_HIT,        FIGURE_CACHE_MISS, FIGURE_TURN};
    for (size_t i = 0; i < worker->config->database_count; i++) {
        struct stats_line line;
        stats_read(worker->process->stats, worker->process, i, &line);
        view_put_text(rows, worker->config->databases[i].name);
        put_totals(rows, &line.total);
        put_averages(rows, &line);
        for (size_t j = 0; j < COUNT(more); j++)
            view_put_number(rows, line.total.figures[more[j]]);
        rows->count++;
    }
}

/* ---- POOLS, DATABASES ---- */

static struct census sum_pool(const struct worker *worker, const struct view_part *parts,
                              size_t pool)
{
    struct census sum = {0};
    for (unsigned i = 0; i < worker->config->workers; i++)
        if (parts[i].pools != NULL)
            census_add(&sum, &parts[i].pools[pool]);
    return sum;
}

static void put_conninfo_value(struct view_rows *rows, const char *conninfo, const char *keyword)
{
    PQconninfoOption *options = conninfo == NULL ? NULL : PQconninfoParse(conninfo, NULL);
    const char *value = "";
    for (const PQconninfoOption *option = options; option != NULL && option->keyword; option++)
        if (option->val != NULL && strcmp(option->keyword, keyword) == 0)
            value = option->val;
    view_put_text(rows, value);
    PQconninfoFree(options);
}

static void put_pools(const struct worker *worker, const struct view_part *parts,
                      struct view_rows *rows)
{
    for (size_t i = 0; i < worker->config->database_count * 2; i++) {
        const struct config_database *database = &worker->config->databases[i / 2];
        struct census sum = sum_pool(worker, parts, i);
        bool pairs = i % 2 == POOL_PAIRS;
        if (!pairs && database->unrestricted == NULL)
            continue;
        view_put_text(rows, database->name);
        put_conninfo_value(rows, pairs ? database->conninfo : database->unrestricted, "user");
        view_put_number(rows, sum.clients_active + sum.clients_idle);
        view_put_number(rows, sum.clients_waiting);
        view_put_number(rows, sum.servers_active);
        view_put_number(rows, sum.servers_idle);
        view_put_number(rows, 0); /* none is checked before its use */
        view_put_number(rows, sum.servers_resetting);
        view_put_number(rows, sum.servers_opening);
        view_put_number(rows, sum.longest_wait / 1000000u);
        view_put_number(rows, sum.longest_wait % 1000000u);
        view_put_text(rows, pairs ? "transaction" : "session");
        view_put_text(rows, pairs ? "pairs" : "unrestricted");
        view_put_number(rows, sum.clients_idle);
        view_put_number(rows, database->pool);
        rows->count++;
    }
}

static void put_databases(const struct worker *worker, const struct view_part *parts,
                          struct view_rows *rows)
{
    for (size_t i = 0; i < worker->config->database_count; i++) {
        const struct config_database *database = &worker->config->databases[i];
        struct census sum = sum_pool(worker, parts, i * 2 + POOL_PAIRS);
        struct census other = sum_pool(worker, parts, i * 2 + POOL_UNRESTRICTED);
        census_add(&sum, &other);
        view_put_text(rows, database->name);
        put_conninfo_value(rows, database->conninfo, "host");
        put_conninfo_value(rows, database->conninfo, "port");
        put_conninfo_value(rows, database->conninfo, "dbname");
        put_conninfo_value(rows, database->conninfo, "user");
        view_put_number(rows, database->pool);
        view_put_number(rows, 0);
        view_put_number(rows, 0);
        view_put_text(rows, database->observe ? "session" : "transaction");
        view_put_number(rows, 0);
        view_put_number(rows, sum.servers_active + sum.servers_idle + sum.servers_resetting +
                                  sum.servers_opening);
        view_put_number(rows, 0);
        view_put_number(rows, 0);
        view_put_text(rows, database->mode);
        rows->count++;
    }
}

/* ---- CLIENTS, SERVERS ---- */

/* A monotonic moment, as a clock on the wall had it. */
static void put_time(struct view_rows *rows, const struct worker *worker, uint64_t moment)
{
    char text[48];
    struct tm parts;
    uint64_t ago = worker->now > moment ? worker->now - moment : 0;
    time_t then = time(NULL) - (time_t)(ago / 1000000u);
    text[0] = '\0';
    if (gmtime_r(&then, &parts) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    view_put_text(rows, text);
}

/* C12, S7: what PgBouncer's addresses of objects are for. */
static void put_pointer(struct view_rows *rows, char kind, uint64_t id)
{
    char text[32] = "";
    if (id != 0)
        snprintf(text, sizeof text, "%c%lu", kind, (unsigned long)id);
    view_put_text(rows, text);
}

static const char *session_database(const struct session *session)
{
    if (session->database != NULL)
        return session->database->name;
    return session->console != NULL ? CONFIG_CONSOLE_DATABASE : "";
}

static void put_client(const struct worker *worker, const struct session *session,
                       struct view_rows *rows)
{
    const struct identity *identity = &session->identity;
    const struct config_listen *listen = &worker->config->listen;
    bool known = identity->login != NULL;
    bool waits = session->waiting_in != NULL && session->wait_began != 0 &&
                 worker->now > session->wait_began;
    uint64_t wait = waits ? worker->now - session->wait_began : 0;
    view_put_text(rows, "C");
    view_put_text(rows, known ? identity->login->name : "");
    view_put_text(rows, session_database(session));
    view_put_text(rows, census_client_state(session));
    view_put_text(rows, session->address);
    view_put_number(rows, session->port);
    view_put_text(rows, listen->address);
    view_put_number(rows, listen->port);
    put_time(rows, worker, session->accepted);
    put_time(rows, worker, session->last_active);
    view_put_number(rows, wait / 1000000u);
    view_put_number(rows, wait % 1000000u);
    view_put_number(rows, session->state == SESSION_CLOSING);
    put_pointer(rows, 'C', session->id);
    put_pointer(rows, 'S', session->server == NULL ? 0 : session->server->id);
    view_put_number(rows, 0);
    view_put_text(rows, present(transport_tls_version(session->transport)));
    view_put_text(rows, known ? present(identity->application) : "");
    view_put_number(rows, session->id);
    view_put_number(rows, worker->index);
    view_put_text(rows, known && !identity_is_nobody(identity) ? identity->user->name : NULL);
    view_put_text(rows, known ? session->who.role : NULL);
    view_put_text(rows, known ? session->who.mission : NULL);
    rows->count++;
}

static void put_server(const struct worker *worker, const struct server *server,
                       struct view_rows *rows)
{
    const struct pool *pool = server->pool;
    const struct session *session = server->session;
    /* libpq and its TLS are another thread's for as long. */
    bool lent = server->state == SERVER_LENT;
    view_put_text(rows, "S");
    put_conninfo_value(
        rows, pool->kind == POOL_PAIRS ? pool->database->conninfo : pool->database->unrestricted,
        "user");
    view_put_text(rows, pool->database->name);
    view_put_text(rows, census_server_state(server));
    const char *address = lent ? NULL : PQhostaddr(server->conn);
    const char *port = lent ? NULL : PQport(server->conn);
    view_put_text(rows, present(address));
    view_put_number(rows, port == NULL ? 0 : strtoul(port, NULL, 10));
    view_put_text(rows, "");
    view_put_number(rows, 0);
    put_time(rows, worker, server->opened);
    uint64_t idle = server->idle_since == 0 ? server->opened : server->idle_since;
    put_time(rows, worker, session == NULL ? idle : session->last_active);
    view_put_number(rows, 0);
    view_put_number(rows, 0);
    view_put_number(rows, server->policy_id != worker->world->policy_id);
    put_pointer(rows, 'S', server->id);
    put_pointer(rows, 'C', session == NULL ? 0 : session->id);
    int pid = lent ? 0 : PQbackendPID(server->conn);
    view_put_number(rows, pid > 0 ? (uint64_t)pid : 0);
    view_put_text(rows, lent ? "" : present(transport_tls_version(server->transport)));
    view_put_text(rows, session == NULL ? "" : present(session->identity.application));
    view_put_number(rows, server->id);
    view_put_number(rows, worker->index);
    view_put_text(rows, pool->kind == POOL_PAIRS ? "pairs" : "unrestricted");
    view_put_text(rows, session == NULL ? NULL : session->who.role);
    view_put_text(rows, session == NULL ? NULL : session->who.mission);
    rows->count++;
}

/* ---- putting together ---- */

void view_collect(const struct worker *worker, enum view_name name, struct view_part *part)
{
    size_t pools = worker->config->database_count * 2;
    const struct session *session;
    const struct server *server;
    if (name == VIEW_CLIENTS) {
        TAILQ_FOREACH(session, &worker->sessions, link)
        put_client(worker, session, &part->rows);
        return;
    }
    for (size_t i = 0; name == VIEW_SERVERS && i < pools; i++)
        TAILQ_FOREACH(server, &worker->pools[i].all, all_link)
    put_server(worker, server, &part->rows);
    if (name == VIEW_SERVERS)
        return;
    part->pools = calloc(pools, sizeof *part->pools);
    part->rows.cells.failed = part->pools == NULL;
    for (size_t i = 0; part->pools != NULL && i < pools; i++)
        census_take(worker, i, &part->pools[i]);
}

static void join(const struct worker *worker, const struct view_part *parts, struct view_rows *rows)
{
    for (unsigned i = 0; i < worker->config->workers; i++) {
        const struct buf *cells = &parts[i].rows.cells;
        if (buf_len(cells) > 0)
            buf_append(&rows->cells, buf_head(cells), buf_len(cells));
        rows->count += parts[i].rows.count;
    }
}

void view_finish(const struct worker *worker, enum view_name name, const struct view_part *parts,
                 struct view_rows *rows)
{
    for (unsigned i = 0; parts != NULL && i < worker->config->workers; i++)
        rows->cells.failed = rows->cells.failed || parts[i].rows.cells.failed;
    switch (name) {
    case VIEW_VERSION:
        view_put_text(rows, "pgvigil " PGVIGIL_VERSION);
        rows->count++;
        break;
    case VIEW_CONFIG:
        view_put_config(worker->config, rows);
        break;
    case VIEW_STATS:
        put_stats(worker, rows);
        break;
    case VIEW_POOLS:
        put_pools(worker, parts, rows);
        break;
    case VIEW_DATABASES:
        put_databases(worker, parts, rows);
        break;
    case VIEW_CLIENTS:
    case VIEW_SERVERS:
        join(worker, parts, rows);
        break;
    case VIEW_NONE:
    case VIEW_EMPTY:
    case VIEW_HELP:
        break;
    }
}
