/*
 * upstream_cancel.c: cancelling what a server connection runs (see upstream_cancel.h).
 *
 * Trust boundary: the network between pgvigil and the database. Ownership: the copied conninfo
 * holds the login's password and is wiped; pool connections' own options (they carry the pseudonym
 * keys) are left out, nothing here needs them.
 */
#include "proxy/upstream_cancel.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_SECONDS "10"

struct upstream_cancel {
    PGcancel *plain; /* without TLS; else: */
    PQconninfoOption *options;
    char *host;
    char *address;
    char *port;
    char process_id[16];
};

static char *copy(const char *text)
{
    return text && *text ? strdup(text) : NULL;
}

struct upstream_cancel *upstream_cancel_new(PGconn *conn)
{
    struct upstream_cancel *cancel = calloc(1, sizeof *cancel);
    if (!cancel)
        return NULL;
    if (!PQsslInUse(conn)) {
        cancel->plain = PQgetCancel(conn);
    } else {
        /* Of several hosts the one that this connection is to. */
        cancel->options = PQconninfo(conn);
        cancel->host = copy(PQhost(conn));
        cancel->address = copy(PQhostaddr(conn));
        cancel->port = copy(PQport(conn));
        (void)snprintf(cancel->process_id, sizeof cancel->process_id, "%d", PQbackendPID(conn));
    }
    if (cancel->plain || (cancel->options && cancel->host && cancel->port))
        return cancel;
    upstream_cancel_free(cancel);
    return NULL;
}

void upstream_cancel_free(struct upstream_cancel *cancel)
{
    if (!cancel)
        return;
    if (cancel->plain)
        PQfreeCancel(cancel->plain);
    for (PQconninfoOption *option = cancel->options; option && option->keyword; option++) {
        if (option->val)
            explicit_bzero(option->val, strlen(option->val));
    }
    PQconninfoFree(cancel->options);
    free(cancel->host);
    free(cancel->address);
    free(cancel->port);
    free(cancel);
}

/* The value to connect with; NULL: the option is left out. */
static const char *value_of(const struct upstream_cancel *cancel, const PQconninfoOption *option)
{
    if (strcmp(option->keyword, "host") == 0)
        return cancel->host;
    if (strcmp(option->keyword, "hostaddr") == 0)
        return cancel->address;
    if (strcmp(option->keyword, "port") == 0)
        return cancel->port;
    if (strcmp(option->keyword, "connect_timeout") == 0)
        return TIMEOUT_SECONDS;
    if (strcmp(option->keyword, "options") == 0 ||
        strcmp(option->keyword, "target_session_attrs") == 0)
        return NULL;
    /* What became a TLS connection must not be allowed to be another kind this time. */
    if (strcmp(option->keyword, "sslmode") == 0 && option->val &&
        strncmp(option->val, "verify-", 7) != 0)
        return "require";
    return option->val;
}

static PGconn *connect_again(const struct upstream_cancel *cancel)
{
    size_t count = 0;
    for (const PQconninfoOption *option = cancel->options; option->keyword; option++)
        count++;
    const char **keywords = calloc(count + 1, sizeof *keywords);
    const char **values = calloc(count + 1, sizeof *values);
    PGconn *conn = NULL;
    if (keywords && values) {
        size_t used = 0;
        for (const PQconninfoOption *option = cancel->options; option->keyword; option++) {
            keywords[used] = option->keyword;
            values[used] = value_of(cancel, option);
            used += values[used] != NULL;
        }
        keywords[used] = NULL;
        conn = PQconnectdbParams(keywords, values, 0);
    }
    free(keywords);
    free(values);
    return conn;
}

static void quiet(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

enum status upstream_cancel_run(const struct upstream_cancel *cancel, char *error, size_t size)
{
    if (cancel->plain)
        return PQcancel(cancel->plain, error, (int)size) ? OK : ERR_UPSTREAM;
    PGconn *conn = connect_again(cancel);
    PGresult *result = NULL;
    const char *const parameters[] = {cancel->process_id};
    /* That the process is gone is a WARNING of the server's, and no news. */
    (void)PQsetNoticeReceiver(conn, quiet, NULL);
    if (PQstatus(conn) == CONNECTION_OK)
        result = PQexecParams(conn, "SELECT pg_catalog.pg_cancel_backend($1::pg_catalog.int4)", 1,
                              NULL, parameters, NULL, NULL, 0);
    /* False: that backend is gone, and so is what it ran. */
    bool told = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (!told)
        (void)snprintf(error, size, "%s", conn ? PQerrorMessage(conn) : "out of memory");
    PQclear(result);
    PQfinish(conn);
    return told ? OK : ERR_UPSTREAM;
}
