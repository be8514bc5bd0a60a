/*
 * relay.c: a bare TLS relay before PostgreSQL, the floor of what bench/run compares: it ends the
 * client's TLS, opens TLS to PostgreSQL and passes bytes, one server connection for each client.
 * It knows nothing of the protocol behind SSLRequest, pools nothing and writes nothing down.
 *
 *   relay PORT CERTIFICATE KEY SERVER_PORT CA       listens on 127.0.0.1
 *
 * Trust boundary: none. It is a measuring device and never built with the product. SCRAM passes
 * through it only without channel binding.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define CHUNK  32768
/* Chunks of one side before the other connections get their turn. */
#define TURN_CHUNKS 16

static const char ssl_request[8] = {0, 0, 0, 8, 4, (char)210, 22, 47};

enum stage {
    STAGE_ASKED,   /* the client's SSLRequest is awaited */
    STAGE_ACCEPT,  /* TLS with the client */
    STAGE_CONNECT, /* TCP to the server */
    STAGE_ANSWER,  /* its answer to our SSLRequest */
    STAGE_VERIFY,  /* TLS with it */
    STAGE_RELAY,
};

struct leg {
    struct pair *pair;
    struct leg *other;
    SSL *ssl;
    int fd;
    uint32_t watched;
    /* Read from the other side and not yet taken by this one. Owned; NULL: nothing. */
    char *left;
    size_t left_len;
};

struct pair {
    struct leg client, server;
    enum stage stage;
    bool dead;
    struct pair *next; /* of those that die with this turn */
};

static struct {
    int epoll, listener;
    uint16_t server_port;
    SSL_CTX *accept, *connect;
    struct pair *dead;
    char chunk[CHUNK];
} relay;

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* A pair is freed at the end of the turn: the events of the other leg may still be in the list. */
static void pair_end(struct pair *pair)
{
    if (pair->dead)
        return;
    ERR_clear_error();
    pair->dead = true;
    pair->next = relay.dead;
    relay.dead = pair;
}

static void pairs_free(void)
{
    while (relay.dead) {
        struct pair *pair = relay.dead;
        struct leg *legs[] = {&pair->client, &pair->server};
        relay.dead = pair->next;
        for (size_t i = 0; i < 2; i++) {
            SSL_free(legs[i]->ssl);
            free(legs[i]->left);
            if (legs[i]->fd >= 0)
                close(legs[i]->fd);
        }
        free(pair);
    }
}

static void leg_watch(struct leg *leg, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = leg};
    int operation = leg->watched == UINT32_MAX ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (leg->watched == events)
        return;
    leg->watched = events;
    if (epoll_ctl(relay.epoll, operation, leg->fd, &event) != 0)
        fail("epoll_ctl");
}

static bool leg_ssl(struct leg *leg, SSL_CTX *context)
{
    leg->ssl = SSL_new(context);
    return leg->ssl != NULL && SSL_set_fd(leg->ssl, leg->fd) == 1;
}

/* After an SSL call that did not succeed: what it waits for, or the end. */
static void leg_blocked(struct leg *leg, int result)
{
    int error = SSL_get_error(leg->ssl, result);
    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ)
        leg_watch(leg, EPOLLIN);
    else if (error == SSL_ERROR_WANT_WRITE)
        leg_watch(leg, EPOLLOUT);
    else
        pair_end(leg->pair);
}

/* Gives `to` all of it, or keeps the rest and stops reading the other side. */
static bool leg_give(struct leg *to, const char *bytes, size_t len)
{
    size_t done = 0;
    if (SSL_write_ex(to->ssl, bytes, len, &done) == 1 && done == len)
        return true;
    if (done == 0 && SSL_get_error(to->ssl, 0) != SSL_ERROR_WANT_WRITE) {
        pair_end(to->pair);
        return false;
    }
    char *rest = malloc(len - done);
    if (!rest) {
        pair_end(to->pair);
        return false;
    }
    memcpy(rest, bytes + done, len - done);
    free(to->left);
    to->left = rest;
    to->left_len = len - done;
    leg_watch(to, EPOLLOUT);
    leg_watch(to->other, 0);
    return false;
}

static void leg_pump(struct leg *from)
{
    for (int chunks = 0; chunks < TURN_CHUNKS; chunks++) {
        int got = SSL_read(from->ssl, relay.chunk, CHUNK);
        if (got <= 0) {
            leg_blocked(from, got);
            return;
        }
        if (!leg_give(from->other, relay.chunk, (size_t)got))
            return;
        if (got < CHUNK && !SSL_has_pending(from->ssl))
            return; /* epoll tells when there is more */
    }
}

static void leg_flush(struct leg *to)
{
    char *left = to->left;
    to->left = NULL;
    bool all = leg_give(to, left, to->left_len);
    free(left);
    if (!all)
        return;
    leg_watch(to, EPOLLIN);
    leg_watch(to->other, EPOLLIN);
    leg_pump(to->other); /* what OpenSSL holds already wakes nobody */
}

static void pair_asked(struct pair *pair)
{
    char request[sizeof ssl_request];
    if (recv(pair->client.fd, request, sizeof request, 0) != sizeof request ||
        memcmp(request, ssl_request, sizeof request) != 0 ||
        send(pair->client.fd, "S", 1, MSG_NOSIGNAL) != 1 || !leg_ssl(&pair->client, relay.accept)) {
        pair_end(pair);
        return;
    }
    pair->stage = STAGE_ACCEPT;
}

static void socket_prepare(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void pair_accept(struct pair *pair)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(relay.server_port)};
    int result = SSL_accept(pair->client.ssl);
    if (result != 1) {
        leg_blocked(&pair->client, result);
        return;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pair->server.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (pair->server.fd < 0 ||
        (connect(pair->server.fd, (struct sockaddr *)&address, sizeof address) != 0 &&
         errno != EINPROGRESS)) {
        pair_end(pair);
        return;
    }
    socket_prepare(pair->server.fd);
    pair->stage = STAGE_CONNECT;
    leg_watch(&pair->client, 0);
    leg_watch(&pair->server, EPOLLOUT);
}

static void pair_connect(struct pair *pair)
{
    if (send(pair->server.fd, ssl_request, sizeof ssl_request, MSG_NOSIGNAL) !=
        sizeof ssl_request) {
        pair_end(pair);
        return;
    }
    pair->stage = STAGE_ANSWER;
    leg_watch(&pair->server, EPOLLIN);
}

static void pair_verify(struct pair *pair)
{
    int result = SSL_connect(pair->server.ssl);
    if (result != 1) {
        leg_blocked(&pair->server, result);
        return;
    }
    pair->stage = STAGE_RELAY;
    leg_watch(&pair->client, EPOLLIN);
    leg_watch(&pair->server, EPOLLIN);
    leg_pump(&pair->client);
}

static void pair_answer(struct pair *pair)
{
    char answer = 0;
    if (recv(pair->server.fd, &answer, 1, 0) != 1 || answer != 'S' ||
        !leg_ssl(&pair->server, relay.connect) ||
        SSL_set1_host(pair->server.ssl, "localhost") != 1) {
        pair_end(pair);
        return;
    }
    pair->stage = STAGE_VERIFY;
    pair_verify(pair);
}

static void leg_event(struct leg *leg, uint32_t events)
{
    struct pair *pair = leg->pair;
    /* epoll reports the end of a leg that is not watched, too. */
    if (pair->stage >= STAGE_CONNECT && pair->stage <= STAGE_VERIFY && leg != &pair->server) {
        pair_end(pair);
        return;
    }
    switch (pair->stage) {
    case STAGE_ASKED:
        pair_asked(pair);
        break;
    case STAGE_ACCEPT:
        pair_accept(pair);
        break;
    case STAGE_CONNECT:
        pair_connect(pair);
        break;
    case STAGE_ANSWER:
        pair_answer(pair);
        break;
    case STAGE_VERIFY:
        pair_verify(pair);
        break;
    case STAGE_RELAY:
        if ((events & EPOLLOUT) && leg->left)
            leg_flush(leg);
        else if (!leg->other->left)
            leg_pump(leg);
        else if (events & (EPOLLERR | EPOLLHUP))
            pair_end(pair);
        break;
    }
}

static void listener_event(void)
{
    for (;;) {
        int fd = accept4(relay.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct pair *pair = calloc(1, sizeof *pair);
        if (!pair)
            fail("calloc");
        socket_prepare(fd);
        pair->client =
            (struct leg){.pair = pair, .other = &pair->server, .fd = fd, .watched = UINT32_MAX};
        pair->server =
            (struct leg){.pair = pair, .other = &pair->client, .fd = -1, .watched = UINT32_MAX};
        leg_watch(&pair->client, EPOLLIN);
    }
}

static SSL_CTX *context_make(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384") != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1)
        fail("SSL_CTX");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

static uint16_t port_read(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);
    if (*end != '\0' || port < 1 || port > UINT16_MAX) {
        fprintf(stderr, "relay: %s is no port\n", text);
        exit(2);
    }
    return (uint16_t)port;
}

static void listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN};
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    relay.epoll = epoll_create1(EPOLL_CLOEXEC);
    relay.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (relay.epoll < 0 || relay.listener < 0 ||
        setsockopt(relay.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(relay.listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(relay.listener, 1024) != 0 ||
        epoll_ctl(relay.epoll, EPOLL_CTL_ADD, relay.listener, &event) != 0)
        fail("listen");
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    if (argc != 6) {
        fprintf(stderr, "usage: relay PORT CERTIFICATE KEY SERVER_PORT CA\n");
        return 2;
    }
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        fail("signal");
    relay.server_port = port_read(argv[4]);
    relay.accept = context_make(TLS_server_method());
    relay.connect = context_make(TLS_client_method());
    if (SSL_CTX_use_certificate_chain_file(relay.accept, argv[2]) != 1 ||
        SSL_CTX_use_PrivateKey_file(relay.accept, argv[3], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_locations(relay.connect, argv[5], NULL) != 1)
        fail("certificates");
    SSL_CTX_set_verify(relay.connect, SSL_VERIFY_PEER, NULL);
    listen_on(port_read(argv[1]));
    for (;;) {
        int count = epoll_wait(relay.epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct leg *leg = events[i].data.ptr;
            if (!leg)
                listener_event();
            else if (!leg->pair->dead)
                leg_event(leg, events[i].events);
        }
        pairs_free();
    }
}
