/*
 * listener.c: accepting (see listener.h).
 *
 * Trust boundary: anyone who can reach the port. Out of descriptors, accepting pauses instead of
 * spinning.
 */
#include "proxy/listener.h"

#include "proxy/admission.h"
#include "proxy/session.h"
#include "proxy/wire.h"
#include "proxy/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pgvigil/log.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
/* Of a core: from here on the next loop is better company. */
#define BUSY_PERCENT        50
#define BUSY_EVERY          100000u /* microseconds */
#define NANOSECONDS_PERCENT 10u     /* of a microsecond */

/* How much of a core a worker's thread has had of late. */
struct busy {
    uint64_t asked; /* monotonic microseconds */
    uint64_t spent; /* nanoseconds of CPU by then */
    bool above;     /* BUSY_PERCENT */
};

struct listener {
    int fd;
    struct event *event;
    struct event *resume;
    const struct process *process;
    struct worker *workers;
    struct busy *busy; /* one for each */
};

struct accepted {
    int fd;
    char address[INET6_ADDRSTRLEN];
    uint16_t port;
};

static void take(struct worker *worker, void *context)
{
    struct accepted *accepted = context;
    session_accept(worker, accepted->fd, accepted->address, accepted->port);
    free(accepted);
}

static void name_peer(const struct sockaddr_storage *peer, struct accepted *accepted)
{
    const void *address = NULL;
    int family = peer->ss_family;
    if (family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)peer;
        address = &in->sin_addr;
        accepted->port = ntohs(in->sin_port);
    } else if (family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
        address = &in6->sin6_addr;
        accepted->port = ntohs(in6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            family = AF_INET;
            address = &in6->sin6_addr.s6_addr[12];
        }
    }
    if (address == NULL ||
        inet_ntop(family, address, accepted->address, sizeof accepted->address) == NULL)
        snprintf(accepted->address, sizeof accepted->address, "unknown");
}

/* Too many: the client is told in PostgreSQL's words, without its start-up packet being read. */
static void turn_away(struct listener *listener, struct accepted *accepted, bool total)
{
    struct buf out;
    buf_init(&out, 0);
    wire_put_error(&out, "FATAL", "53300",
                   total ? "sorry, too many clients already"
                         : "too many connections from this address",
                   NULL, 0);
    ssize_t sent =
        out.failed ? 0
                   : send(accepted->fd, buf_head(&out), buf_len(&out), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
    buf_free(&out);
    close(accepted->fd);
    log_event(LOG_LEVEL_WARNING, "event=refused-connection address=%s reason=%s", accepted->address,
              total ? "total" : "address");
    reload_audit_event(listener->process->reload, "refused-connection",
                       total ? "too many connections" : "too many connections from one address");
    free(accepted);
}

static bool is_busy(struct busy *busy, const struct worker *worker)
{
    uint64_t now = clock_microseconds();
    clockid_t clock;
    struct timespec spent;
    if (now - busy->asked < BUSY_EVERY || pthread_getcpuclockid(worker->thread, &clock) != 0 ||
        clock_gettime(clock, &spent) != 0)
        return busy->above;
    uint64_t nanoseconds = (uint64_t)spent.tv_sec * 1000000000u + (uint64_t)spent.tv_nsec;
    busy->above =
        nanoseconds - busy->spent > (now - busy->asked) * NANOSECONDS_PERCENT * BUSY_PERCENT;
    busy->asked = now;
    busy->spent = nanoseconds;
    return busy->above;
}

/*
 * The first that may be filled up, or else the one with the fewest: a loop with few sessions wakes
 * for each message of each, and waking costs more than a small statement does.
 */
static struct worker *choose(struct listener *listener)
{
    struct worker *best = &listener->workers[0];
    for (unsigned i = 0; i < listener->process->config->workers; i++) {
        struct worker *worker = &listener->workers[i];
        bool busy = is_busy(&listener->busy[i], worker);
        if (atomic_load(&worker->load) < listener->process->config->worker_fill && !busy)
            return worker;
    }
    for (unsigned i = 1; i < listener->process->config->workers; i++)
        if (atomic_load(&listener->workers[i].load) < atomic_load(&best->load))
            best = &listener->workers[i];
    return best;
}

static void hand_over(struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
    struct accepted *accepted = calloc(1, sizeof *accepted);
    if (accepted == NULL) {
        close(fd);
        return;
    }
    accepted->fd = fd;
    name_peer(peer, accepted);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    bool total = false;
    if (!admission_enter(listener->process->admission, accepted->address, &total)) {
        turn_away(listener, accepted, total);
        return;
    }
    struct worker *worker = choose(listener);
    atomic_fetch_add(&worker->load, 1);
    if (worker_post(worker, take, accepted) == OK)
        return;
    atomic_fetch_sub(&worker->load, 1);
    admission_leave(listener->process->admission, accepted->address);
    close(fd);
    free(accepted);
}

static void on_accept(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct listener *listener = context;
    for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        int client = accept4(fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            hand_over(listener, client, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            struct timeval pause = {0, 200000};
            log_event(LOG_LEVEL_ERROR, "event=accept-failed errno=%d", errno);
            event_del(listener->event);
            event_add(listener->resume, &pause);
        }
        return;
    }
}

static void on_resume(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_add(((struct listener *)context)->event, NULL);
}

static int bind_socket(const struct config_listen *listen_config)
{
    struct sockaddr_storage address = {0};
    socklen_t size;
    bool any = listen_config->address[0] == '\0' || strcmp(listen_config->address, "*") == 0;
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
    if (!any && inet_pton(AF_INET, listen_config->address, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(listen_config->port);
        size = sizeof *in;
    } else {
        if (any)
            in6->sin6_addr = in6addr_any;
        else if (inet_pton(AF_INET6, listen_config->address, &in6->sin6_addr) != 1) {
            errno = EINVAL;
            return -1;
        }
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(listen_config->port);
        size = sizeof *in6;
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    int off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
        listen(fd, (int)listen_config->backlog) != 0) {
        int failure = errno;
        close(fd);
        errno = failure;
        return -1;
    }
    return fd;
}

enum status listener_open(struct event_base *base, const struct process *process,
                          struct worker *workers, struct listener **out)
{
    const struct config_listen *listen_config = &process->config->listen;
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return ERR_MEMORY;
    listener->process = process;
    listener->workers = workers;
    listener->busy = calloc(process->config->workers, sizeof *listener->busy);
    listener->fd = -1;
    if (listener->busy == NULL) {
        listener_close(listener);
        return ERR_MEMORY;
    }
    listener->fd = bind_socket(listen_config);
    if (listener->fd < 0) {
        log_event(LOG_LEVEL_ERROR, "event=listen-failed address=%s port=%u why=\"%s\"",
                  listen_config->address, listen_config->port, strerror(errno));
        listener_close(listener);
        return ERR_IO;
    }
    listener->event = event_new(base, listener->fd, EV_READ | EV_PERSIST, on_accept, listener);
    listener->resume = event_new(base, -1, 0, on_resume, listener);
    if (listener->event == NULL || listener->resume == NULL ||
        event_add(listener->event, NULL) != 0) {
        listener_close(listener);
        return ERR_MEMORY;
    }
    *out = listener;
    return OK;
}

void listener_close(struct listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->event != NULL)
        event_free(listener->event);
    if (listener->resume != NULL)
        event_free(listener->resume);
    if (listener->fd >= 0)
        close(listener->fd);
    free(listener->busy);
    free(listener);
}
