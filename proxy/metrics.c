/*
 * metrics.c: all meters in Prometheus' text format (see metrics.h).
 *
 * Names are a promise: dashboards and alerts are written against them. Base units (seconds, bytes),
 * _total behind what only grows; a label for the worker and, where it is one's, the database.
 *
 * Trust boundary: names of databases are the administrator's, and escaped. No name of a person, a
 * table or an application is here.
 */
#include "proxy/metrics.h"

#include "proxy/meter.h"

/* A worker looks around once a second; one that has not for so long is stuck. */
#define STUCK_MICROSECONDS 30000000u

enum scope { PER_DATABASE, PER_WORKER, ANYWHERE };

struct metric {
    const char *name;
    const char *help;   /* of the first of a name; NULL: another row of the one before */
    const char *labels; /* further ones, or "" */
    enum figure figure;
    enum scope scope;
    bool gauge;
    double unit; /* 0: as it is */
};

static const struct metric metrics[] = {
    {"pgvigil_statements_total", "Statements that the database answered.", "", FIGURE_STATEMENT,
     PER_DATABASE, false, 0},
    {"pgvigil_statement_errors_total", "Of those, answered with an error or not to the end.", "",
     FIGURE_STATEMENT_FAILED, PER_DATABASE, false, 0},
    {"pgvigil_refusals_total", "Statements that pgvigil refused.", "", FIGURE_REFUSAL, PER_DATABASE,
     false, 0},
    {"pgvigil_transactions_total", "Transactions with a statement in them that are over.", "",
     FIGURE_TRANSACTION, PER_DATABASE, false, 0},
    {"pgvigil_transaction_seconds_total",
     "Time from the first statement of a transaction to its last answer.", "",
     FIGURE_TRANSACTION_MICROSECONDS, PER_DATABASE, false, 1e-6},
    {"pgvigil_rows_total", "Rows of the answers.", "", FIGURE_ROW, PER_DATABASE, false, 0},
    {"pgvigil_cache_hits_total", "Texts whose verdict was there already.", "", FIGURE_CACHE_HIT,
     PER_DATABASE, false, 0},
    {"pgvigil_cache_misses_total", "Texts that had to be judged.", "", FIGURE_CACHE_MISS,
     PER_DATABASE, false, 0},
    {"pgvigil_lookups_total",
     "Simple queries by primary key that ran as a statement which is prepared once.", "",
     FIGURE_LOOKUP, PER_DATABASE, false, 0},
    {"pgvigil_server_waits_total", "Times that a session found no server connection free.", "",
     FIGURE_WAIT, PER_DATABASE, false, 0},
    {"pgvigil_server_turns_total",
     "Times that a server connection became another person's, or role's or mission's.", "",
     FIGURE_TURN, PER_DATABASE, false, 0},
    {"pgvigil_servers_opened_total", "Server connections opened.", "", FIGURE_SERVER_OPENED,
     PER_DATABASE, false, 0},
    {"pgvigil_server_open_failures_total", "Server connections that could not be opened.", "",
     FIGURE_SERVER_OPEN_FAILED, PER_DATABASE, false, 0},
    {"pgvigil_client_received_bytes_total", "Bytes from clients, without TLS's own.", "",
     FIGURE_CLIENT_RECEIVED, ANYWHERE, false, 0},
    {"pgvigil_client_sent_bytes_total", "Bytes to clients, without TLS's own.", "",
     FIGURE_CLIENT_SENT, ANYWHERE, false, 0},
    {"pgvigil_server_received_bytes_total", "Bytes from databases, without TLS's own.", "",
     FIGURE_SERVER_RECEIVED, PER_DATABASE, false, 0},
    {"pgvigil_server_sent_bytes_total", "Bytes to databases, without TLS's own.", "",
     FIGURE_SERVER_SENT, PER_DATABASE, false, 0},
    {"pgvigil_logins_total", "Clients that have logged in.", "", FIGURE_LOGIN, ANYWHERE, false, 0},
    {"pgvigil_login_failures_total", "Clients that did not prove who they are.", "",
     FIGURE_LOGIN_FAILED, PER_WORKER, false, 0},
    {"pgvigil_client_connections", "Clients, by what they do.", "state=\"active\"",
     FIGURE_CLIENTS_ACTIVE, PER_DATABASE, true, 0},
    {"pgvigil_client_connections", NULL, "state=\"idle\"", FIGURE_CLIENTS_IDLE, ANYWHERE, true, 0},
    {"pgvigil_client_connections", NULL, "state=\"waiting\"", FIGURE_CLIENTS_WAITING, PER_DATABASE,
     true, 0},
    {"pgvigil_client_connections", NULL, "state=\"login\"", FIGURE_CLIENTS_LOGIN, PER_WORKER, true,
     0},
    {"pgvigil_server_connections", "Server connections, by what they do.", "state=\"active\"",
     FIGURE_SERVERS_ACTIVE, PER_DATABASE, true, 0},
    {"pgvigil_server_connections", NULL, "state=\"idle\"", FIGURE_SERVERS_IDLE, PER_DATABASE, true,
     0},
    {"pgvigil_server_connections", NULL, "state=\"opening\"", FIGURE_SERVERS_OPENING, PER_DATABASE,
     true, 0},
    {"pgvigil_server_connections", NULL, "state=\"resetting\"", FIGURE_SERVERS_RESETTING,
     PER_DATABASE, true, 0},
    {"pgvigil_audit_flush_failures_total",
     "Times that records could not be written; what they cover was refused.", "",
     FIGURE_AUDIT_FAILED, PER_WORKER, false, 0},
};

static const struct {
    const char *name;
    const char *help;
    enum histogram_name histogram;
    enum scope scope;
} histograms[] = {
    {"pgvigil_statement_duration_seconds",
     "From a client's statement to the end of its answer, as pgvigil sees it.", HISTOGRAM_STATEMENT,
     PER_DATABASE},
    {"pgvigil_server_wait_seconds", "For a server connection; 0 where one was free.",
     HISTOGRAM_WAIT, PER_DATABASE},
    {"pgvigil_audit_flush_seconds", "Giving records to the kernel, or to the disk.",
     HISTOGRAM_AUDIT_FLUSH, PER_WORKER},
};

static void put_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            buf_str(out, "\\n");
            continue;
        }
        if (*text == '"' || *text == '\\')
            buf_byte(out, '\\');
        buf_byte(out, (unsigned char)*text);
    }
}

static void put_head(struct buf *out, const char *name, const char *help, const char *type)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* worker="0",database="records" */
static void put_place(struct buf *out, const struct worker *worker, size_t meter)
{
    buf_printf(out, "worker=\"%u\"", worker->index);
    if (meter >= worker->config->database_count)
        return;
    buf_str(out, ",database=\"");
    put_escaped(out, worker->config->databases[meter].name);
    buf_byte(out, '"');
}

static bool in_scope(enum scope scope, size_t meter, size_t databases)
{
    return scope == ANYWHERE || (scope == PER_WORKER) == (meter == databases);
}

static void put_metric(const struct process *process, const struct metric *metric, struct buf *out)
{
    size_t databases = process->config->database_count;
    if (metric->help != NULL)
        put_head(out, metric->name, metric->help, metric->gauge ? "gauge" : "counter");
    for (unsigned i = 0; i < process->config->workers; i++) {
        const struct worker *worker = &process->workers[i];
        for (size_t j = 0; j <= databases; j++) {
            if (!in_scope(metric->scope, j, databases))
                continue;
            uint64_t value = meter_read(&worker->meters[j], metric->figure);
            buf_printf(out, "%s{", metric->name);
            put_place(out, worker, j);
            buf_printf(out, "%s%s} ", metric->labels[0] == '\0' ? "" : ",", metric->labels);
            if (metric->unit > 0)
                buf_printf(out, "%.6f\n", (double)value * metric->unit);
            else
                buf_printf(out, "%lu\n", (unsigned long)value);
        }
    }
}

static void put_buckets(const struct worker *worker, size_t meter, size_t which, struct buf *out)
{
    const char *name = histograms[which].name;
    struct meter_sum sum = {.figures = {0}};
    uint64_t below = 0;
    meter_sum(&worker->meters[meter], &sum);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += sum.histograms[histograms[which].histogram].buckets[i];
        buf_printf(out, "%s_bucket{", name);
        put_place(out, worker, meter);
        if (i + 1 < HISTOGRAM_BUCKETS)
            buf_printf(out, ",le=\"%.6f\"} %lu\n",
                       (double)((uint64_t)1 << (HISTOGRAM_FIRST_BIT + i)) * 1e-6,
                       (unsigned long)below);
        else
            buf_printf(out, ",le=\"+Inf\"} %lu\n", (unsigned long)below);
    }
    buf_printf(out, "%s_sum{", name);
    put_place(out, worker, meter);
    buf_printf(out, "} %.6f\n%s_count{",
               (double)sum.histograms[histograms[which].histogram].microseconds * 1e-6, name);
    put_place(out, worker, meter);
    buf_printf(out, "} %lu\n", (unsigned long)below);
}

static void put_histogram(const struct process *process, size_t which, struct buf *out)
{
    size_t databases = process->config->database_count;
    put_head(out, histograms[which].name, histograms[which].help, "histogram");
    for (unsigned i = 0; i < process->config->workers; i++)
        for (size_t j = 0; j <= databases; j++)
            if (in_scope(histograms[which].scope, j, databases))
                put_buckets(&process->workers[i], j, which, out);
}

/* How long ago, by the worker's own meter; 0 for what is not the case. */
static uint64_t age(const struct worker *worker, enum figure figure)
{
    uint64_t since = meter_read(worker_meter(worker), figure);
    uint64_t now = clock_microseconds();
    return since == 0 || since > now ? 0 : now - since;
}

static void put_age(const struct process *process, const char *name, const char *help,
                    enum figure figure, struct buf *out)
{
    put_head(out, name, help, "gauge");
    for (unsigned i = 0; i < process->config->workers; i++)
        buf_printf(out, "%s{worker=\"%u\"} %.6f\n", name, i,
                   (double)age(&process->workers[i], figure) * 1e-6);
}

void metrics_write(const struct process *process, struct buf *out)
{
    put_head(out, "pgvigil_build_info", "The version that runs.", "gauge");
    buf_printf(out, "pgvigil_build_info{version=\"%s\"} 1\n", PGVIGIL_VERSION);
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        put_metric(process, &metrics[i], out);
    for (size_t i = 0; i < sizeof histograms / sizeof histograms[0]; i++)
        put_histogram(process, i, out);
    put_age(process, "pgvigil_audit_lag_seconds",
            "For how long records have waited to be written, or could not be; 0: all are.",
            FIGURE_AUDIT_SINCE, out);
    put_age(process, "pgvigil_worker_turn_age_seconds",
            "Since the worker last looked around, which it does once a second.", FIGURE_TURNED,
            out);
}

bool metrics_healthy(const struct process *process, const char **why)
{
    for (unsigned i = 0; i < process->config->workers; i++) {
        const struct worker *worker = &process->workers[i];
        if (age(worker, FIGURE_TURNED) > STUCK_MICROSECONDS) {
            *why = "a worker is stuck";
            return false;
        }
        if (meter_read(worker_meter(worker), FIGURE_AUDIT_BROKEN) != 0) {
            *why = "the audit cannot be written";
            return false;
        }
    }
    return true;
}
