/*
 * admin.c: HTTP on the admin port (see admin.h).
 *
 * Trust boundary: whoever reaches the port. A request is a line and headers of at most 4 kB, and a
 * body that is only read to be refused; each connection gets one answer and ten seconds in all, and
 * there are sixteen at a time: one that sends a byte now and then could otherwise hold a descriptor
 * for days.
 */
#include "proxy/admin.h"

#include "proxy/metrics.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <pgvigil/log.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_BYTES            4096
#define BODY_BYTES              1024
#define TIMEOUT_SECONDS         5
#define CONNECTIONS_MAX         16u
#define CONNECTION_MICROSECONDS 10000000u
#define SWEEP_MICROSECONDS      200000

/* A reference to a connection's bufferevent, which evhttp has forgotten once it has no callbacks:
 * evhttp itself tells nobody how many connections it has. */
struct connection {
    struct bufferevent *bev; /* NULL: a free place */
    uint64_t accepted;
};

struct admin {
    const struct process *process;
    struct event_base *base;
    struct evhttp *http;
    struct evconnlistener *listener; /* http's */
    struct event *sweep_event;
    struct event *stop_event;
    int stop_fd;
    bool started;
    pthread_t thread;
    atomic_bool stopping;
    struct connection connections[CONNECTIONS_MAX];
};

/* ---- connections ---- */

static struct bufferevent *on_connection(struct event_base *base, void *context)
{
    struct admin *admin = context;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    size_t used = 0;
    bool placed = false;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &admin->connections[i];
        if (bev != NULL && connection->bev == NULL && !placed) {
            placed = true;
            connection->bev = bev;
            connection->accepted = clock_microseconds();
            bufferevent_incref(bev);
        }
        used += connection->bev != NULL;
    }
    if (used == CONNECTIONS_MAX)
        evconnlistener_disable(admin->listener);
    return bev;
}

static void sweep_one(struct connection *connection, uint64_t now)
{
    bufferevent_data_cb read_callback = NULL;
    bufferevent_event_cb event_callback = NULL;
    if (connection->bev == NULL)
        return;
    bufferevent_getcb(connection->bev, &read_callback, NULL, &event_callback, NULL);
    if (read_callback == NULL && event_callback == NULL) {
        bufferevent_decref(connection->bev); /* closes the socket */
        connection->bev = NULL;
    } else if (connection->accepted + CONNECTION_MICROSECONDS < now) {
        (void)shutdown(bufferevent_getfd(connection->bev), SHUT_RDWR);
    }
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct admin *admin = context;
    uint64_t now = clock_microseconds();
    size_t used = 0;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        sweep_one(&admin->connections[i], now);
        used += admin->connections[i].bev != NULL;
    }
    if (used < CONNECTIONS_MAX)
        evconnlistener_enable(admin->listener);
}

/* ---- answers ---- */

static void answer(struct evhttp_request *request, int code, const char *reason, const char *type,
                   const struct buf *body)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *out = evbuffer_new();
    bool whole = out != NULL && !body->failed &&
                 evbuffer_add(out, buf_head(body), buf_len(body)) == 0 &&
                 evhttp_add_header(headers, "Content-Type", type) == 0 &&
                 evhttp_add_header(headers, "Cache-Control", "no-store") == 0 &&
                 evhttp_add_header(headers, "Connection", "close") == 0 &&
                 (code != 405 || evhttp_add_header(headers, "Allow", "GET") == 0);
    if (whole)
        evhttp_send_reply(request, code, reason, out);
    else
        evhttp_send_error(request, HTTP_INTERNAL, "out of memory");
    if (out != NULL)
        evbuffer_free(out);
}

static void answer_text(struct evhttp_request *request, int code, const char *reason,
                        const char *text)
{
    struct buf body;
    buf_init(&body, 0);
    buf_printf(&body, "%s\n", text);
    answer(request, code, reason, "text/plain; charset=utf-8", &body);
    buf_free(&body);
}

static void on_metrics(struct admin *admin, struct evhttp_request *request)
{
    struct buf body;
    buf_init(&body, 0);
    metrics_write(admin->process, &body);
    answer(request, HTTP_OK, "OK", METRICS_TYPE, &body);
    buf_free(&body);
}

static void on_healthz(struct admin *admin, struct evhttp_request *request)
{
    const char *why = "stopping";
    if (!atomic_load(&admin->stopping) && metrics_healthy(admin->process, &why))
        answer_text(request, HTTP_OK, "OK", "ok");
    else
        answer_text(request, HTTP_SERVUNAVAIL, "Service Unavailable", why);
}

static const struct {
    const char *path;
    void (*handle)(struct admin *admin, struct evhttp_request *request);
} paths[] = {{"/metrics", on_metrics}, {"/healthz", on_healthz}};

static void on_request(struct evhttp_request *request, void *context)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    for (size_t i = 0; path != NULL && i < sizeof paths / sizeof paths[0]; i++) {
        if (strcmp(path, paths[i].path) != 0)
            continue;
        if (evhttp_request_get_command(request) == EVHTTP_REQ_GET)
            paths[i].handle(context, request);
        else
            answer_text(request, HTTP_BADMETHOD, "Method Not Allowed", "only GET is answered here");
        return;
    }
    answer_text(request, HTTP_NOTFOUND, "Not Found", "there are /metrics and /healthz");
}

/* ---- life ---- */

static void on_stop(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(((struct admin *)context)->base);
}

static void *admin_main(void *context)
{
    struct admin *admin = context;
    if (event_base_dispatch(admin->base) < 0)
        log_event(LOG_LEVEL_ERROR, "event=admin-loop-failed");
    return NULL;
}

static enum status bind_port(struct admin *admin)
{
    const struct config_admin *config = &admin->process->config->admin;
    bool any = config->address[0] == '\0' || strcmp(config->address, "*") == 0;
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(
        admin->http, any ? "0.0.0.0" : config->address, config->port);
    if (bound == NULL) {
        log_event(LOG_LEVEL_ERROR, "event=listen-failed address=%s port=%u why=\"%s\"",
                  any ? "*" : config->address, config->port, strerror(errno));
        return ERR_IO;
    }
    admin->listener = evhttp_bound_socket_get_listener(bound);
    return OK;
}

static enum status open_loop(struct admin *admin)
{
    struct timeval sweep = {0, SWEEP_MICROSECONDS};
    admin->base = event_base_new();
    admin->http = admin->base == NULL ? NULL : evhttp_new(admin->base);
    admin->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (admin->http == NULL || admin->stop_fd < 0)
        return ERR_MEMORY;
    evhttp_set_max_headers_size(admin->http, HEADER_BYTES);
    evhttp_set_max_body_size(admin->http, BODY_BYTES);
    evhttp_set_timeout(admin->http, TIMEOUT_SECONDS);
    /* All, so that ours says 405 where evhttp would say 501. */
    evhttp_set_allowed_methods(admin->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                                EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                                EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
    evhttp_set_gencb(admin->http, on_request, admin);
    evhttp_set_bevcb(admin->http, on_connection, admin);
    admin->stop_event = event_new(admin->base, admin->stop_fd, EV_READ, on_stop, admin);
    admin->sweep_event = event_new(admin->base, -1, EV_PERSIST, on_sweep, admin);
    if (admin->stop_event == NULL || admin->sweep_event == NULL ||
        event_add(admin->stop_event, NULL) != 0 || event_add(admin->sweep_event, &sweep) != 0)
        return ERR_MEMORY;
    return bind_port(admin);
}

enum status admin_start(const struct process *process, struct admin **out)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        return ERR_MEMORY;
    admin->process = process;
    enum status status = open_loop(admin);
    if (status == OK) {
        admin->started = pthread_create(&admin->thread, NULL, admin_main, admin) == 0;
        status = admin->started ? OK : ERR_MEMORY;
    }
    if (status != OK) {
        admin_stop(admin);
        return status;
    }
    log_event(LOG_LEVEL_INFO, "event=admin-ready address=%s port=%u",
              process->config->admin.address, process->config->admin.port);
    *out = admin;
    return OK;
}

void admin_stopping(struct admin *admin)
{
    if (admin != NULL)
        atomic_store(&admin->stopping, true);
}

void admin_stop(struct admin *admin)
{
    if (admin == NULL)
        return;
    if (admin->started) {
        uint64_t one = 1;
        ssize_t written = write(admin->stop_fd, &one, sizeof one);
        (void)written;
        pthread_join(admin->thread, NULL);
    }
    if (admin->http != NULL)
        evhttp_free(admin->http);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (admin->connections[i].bev != NULL)
            bufferevent_decref(admin->connections[i].bev);
    if (admin->stop_event != NULL)
        event_free(admin->stop_event);
    if (admin->sweep_event != NULL)
        event_free(admin->sweep_event);
    if (admin->base != NULL)
        event_base_free(admin->base);
    if (admin->stop_fd >= 0)
        close(admin->stop_fd);
    free(admin);
}
