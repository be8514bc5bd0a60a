/*
 * ship_syslog.c: records to a syslog server over TLS (RFC 5425) (see ship.h).
 *
 * Trust boundary: the receiver proves who it is (certificate authority and name, TLS 1.2 at least)
 * before the first byte; what it sends back is not read as anything.
 *
 * Syslog has no acknowledgement. What stands in for one is the end of the connection: after a batch
 * we send close_notify and the end of our side, and wait for the receiver's end. A batch is
 * confirmed, and the place saved, when that has come, our last byte is acknowledged, and nothing
 * was reset. A receiver that ends in the middle cannot look like that: with bytes unread its kernel
 * resets the connection (RFC 2525, 2.17), and what comes after it has closed is answered with a
 * reset, too. So it has read all, our close_notify too. RFC 5425 (4.4) bids it answer with its own
 * close_notify; rsyslog's gtls driver does not, so that is not demanded: whoever sits between the
 * two and takes the connection's place can make us believe in an end. The gap in the numbers tells.
 * Until it is confirmed a batch counts as not sent, and is sent again, byte for byte the same.
 */
#include "audit/syslog.h"
#include "tools/ship.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPEN_SECONDS  15U
#define CLOSE_SECONDS 30U /* to end a batch after stop, or for a kernel to acknowledge */
#define POLL_MS       100

struct syslog_ship {
    struct ship *ship;
    SSL_CTX *tls;
    SSL *ssl;
    int fd;
    int lock;
    struct ship_batch batch;
};

/* ---- the connection ---- */

static enum status tls_failed(struct syslog_ship *link, const char *what)
{
    char reason[256] = "the receiver has closed the connection";
    unsigned long code = ERR_peek_last_error();
    int error = errno;
    long verdict = link->ssl ? SSL_get_verify_result(link->ssl) : X509_V_OK;
    if (verdict != X509_V_OK)
        (void)snprintf(reason, sizeof reason, "its certificate is refused: %s",
                       X509_verify_cert_error_string(verdict));
    else if (code)
        ERR_error_string_n(code, reason, sizeof reason);
    else if (error)
        (void)snprintf(reason, sizeof reason, "%s", strerror(error));
    ERR_clear_error();
    return ship_failed(link->ship, ERR_TLS, "%s: %s", what, reason);
}

static bool stopping(const struct syslog_ship *link)
{
    return atomic_load(link->ship->stop);
}

/* Waits for what OpenSSL wants. False: it is an error. */
static bool tls_wants(struct syslog_ship *link, int result)
{
    int error = SSL_get_error(link->ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return false;
    struct pollfd one = {.fd = link->fd,
                         .events = (short)(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT)};
    (void)poll(&one, 1, POLL_MS);
    return true;
}

static void disconnect(struct syslog_ship *link)
{
    SSL_free(link->ssl);
    link->ssl = NULL;
    if (link->fd >= 0)
        (void)close(link->fd);
    link->fd = -1;
}

static int connect_one(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int error = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
        struct pollfd one = {.fd = fd, .events = POLLOUT};
        socklen_t len = sizeof error;
        error = ETIMEDOUT;
        if (poll(&one, 1, (int)OPEN_SECONDS * 1000) == 1 &&
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
            error = errno;
    }
    if (error) {
        (void)close(fd);
        errno = error;
        return -1;
    }
    /* A receiver that is switched off must not be waited for until somebody restarts us. */
    const int on = 1;
    const int idle = 30;
    const int between = 10;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
    return fd;
}

static enum status connect_tcp(struct syslog_ship *link)
{
    const struct config_ship *to = link->ship->to;
    char port[8];
    struct addrinfo *found = NULL;
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    (void)snprintf(port, sizeof port, "%u", (unsigned)to->port);
    int result = getaddrinfo(to->host, port, &wanted, &found);
    if (result != 0)
        return ship_failed(link->ship, ERR_IO, "%s has no address: %s", to->host,
                           gai_strerror(result));
    for (const struct addrinfo *at = found; at && link->fd < 0 && !stopping(link); at = at->ai_next)
        link->fd = connect_one(at);
    int error = errno;
    freeaddrinfo(found);
    return link->fd >= 0 ? OK
                         : ship_failed(link->ship, ERR_IO, "no connection: %s", strerror(error));
}

static bool set_name(SSL *ssl, const char *name)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static enum status connect_tls(struct syslog_ship *link)
{
    enum status status = connect_tcp(link);
    if (status != OK)
        return status;
    link->ssl = SSL_new(link->tls);
    if (!link->ssl || !set_name(link->ssl, link->ship->to->name) ||
        SSL_set_fd(link->ssl, link->fd) != 1)
        return tls_failed(link, "TLS cannot be set up");
    uint64_t until = chain_monotonic_seconds() + OPEN_SECONDS;
    for (;;) {
        errno = 0;
        int result = SSL_connect(link->ssl);
        if (result == 1)
            return OK;
        if (!tls_wants(link, result))
            return tls_failed(link, "the TLS handshake failed");
        if (chain_monotonic_seconds() > until || stopping(link))
            return ship_failed(link->ship, ERR_TLS, "the receiver does not finish the handshake");
    }
}

static enum status make_tls(struct syslog_ship *link)
{
    const struct config_ship *to = link->ship->to;
    link->tls = SSL_CTX_new(TLS_client_method());
    if (!link->tls || SSL_CTX_set_min_proto_version(link->tls, TLS1_2_VERSION) != 1)
        return tls_failed(link, "TLS cannot be set up");
    SSL_CTX_set_verify(link->tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(link->tls, SSL_MODE_AUTO_RETRY);
    (void)SSL_CTX_set_options(link->tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (SSL_CTX_load_verify_file(link->tls, to->ca) != 1)
        return tls_failed(link, to->ca);
    if (to->certificate &&
        (SSL_CTX_use_certificate_chain_file(link->tls, to->certificate) != 1 ||
         SSL_CTX_use_PrivateKey_file(link->tls, to->key, SSL_FILETYPE_PEM) != 1 ||
         SSL_CTX_check_private_key(link->tls) != 1))
        return tls_failed(link, to->certificate);
    return OK;
}

/* ---- a batch ---- */

static enum status send_batch(struct syslog_ship *link)
{
    uint64_t told = chain_monotonic_seconds();
    uint64_t stopped = 0;
    while (buf_len(&link->batch.bytes) > 0) {
        size_t len = buf_len(&link->batch.bytes) < 16384 ? buf_len(&link->batch.bytes) : 16384;
        errno = 0;
        int result = SSL_write(link->ssl, buf_head(&link->batch.bytes), (int)len);
        if (result > 0) {
            buf_consume(&link->batch.bytes, (size_t)result);
            told = chain_monotonic_seconds();
            continue;
        }
        if (!tls_wants(link, result))
            return tls_failed(link, "the connection broke");
        /* A receiver whose disk is full takes nothing and is there: to hang up and send all of it
         * again would give it twice what it has. */
        uint64_t now = chain_monotonic_seconds();
        if (now - told >= 60) {
            told = now;
            (void)ship_failed(link->ship, OK, "the receiver takes nothing; waiting for it");
        }
        if (stopping(link) && !stopped)
            stopped = now;
        if (stopped && now - stopped > CLOSE_SECONDS)
            return ship_failed(link->ship, ERR_IO, "ended while the receiver takes nothing");
    }
    return OK;
}

/* Our last byte has been acknowledged, and nothing was reset. */
static bool acknowledged(const struct syslog_ship *link)
{
    for (unsigned i = 0; i < CLOSE_SECONDS * 1000 / 10; i++) {
        int left = 0;
        int error = 0;
        socklen_t len = sizeof error;
        if (ioctl(link->fd, SIOCOUTQ, &left) != 0 ||
            getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0)
            return false;
        if (left == 0)
            return true;
        (void)poll(NULL, 0, 10);
    }
    return false;
}

/* Ends the connection so that its end says that everything was read (see above). */
static enum status confirm_batch(struct syslog_ship *link)
{
    char byte = 0;
    uint64_t stopped = 0;
    int result = SSL_shutdown(link->ssl);
    while (result < 0 && tls_wants(link, result) && !stopping(link))
        result = SSL_shutdown(link->ssl);
    if (result < 0 || shutdown(link->fd, SHUT_WR) != 0)
        return tls_failed(link, "the connection broke");
    for (;;) {
        errno = 0;
        result = SSL_read(link->ssl, &byte, 1);
        if (result > 0)
            continue;
        if (SSL_get_error(link->ssl, result) == SSL_ERROR_ZERO_RETURN)
            break;
        if (!tls_wants(link, result))
            return tls_failed(link, "the receiver ended before it had read all of a batch");
        uint64_t now = chain_monotonic_seconds();
        if (stopping(link) && !stopped)
            stopped = now;
        if (stopped && now - stopped > CLOSE_SECONDS)
            return ship_failed(link->ship, ERR_IO, "ended before the receiver had read all");
    }
    ssize_t got = 1;
    while (got != 0) {
        struct pollfd one = {.fd = link->fd, .events = POLLIN};
        if (poll(&one, 1, (int)CLOSE_SECONDS * 1000) != 1)
            return ship_failed(link->ship, ERR_IO, "the receiver does not close the connection");
        got = recv(link->fd, &byte, 1, 0);
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return ship_failed(link->ship, ERR_IO, "the connection broke: %s", strerror(errno));
    }
    if (!acknowledged(link))
        return ship_failed(link->ship, ERR_IO,
                           "the receiver ended before it had read all of a batch");
    disconnect(link);
    return OK;
}

static enum status put_line(void *context, const struct tail_line *line)
{
    struct syslog_ship *link = context;
    const struct config_ship *to = link->ship->to;
    const struct syslog_form form = {.site = to->site,
                                     .facility = to->facility_number,
                                     .max_message_bytes = to->max_message_bytes};
    if (to->checkpoints_only && strcmp(line->head.type, "checkpoint") != 0)
        return OK;
    syslog_put(&link->batch.bytes, &form, line);
    link->batch.records++;
    return OK;
}

static enum status send_all(void *context, struct tail *tail)
{
    struct syslog_ship *link = context;
    enum status status = tail_settle(tail);
    if (status != OK)
        return ship_failed(link->ship, status, "%s", tail_why(tail));
    status = connect_tls(link);
    if (status == OK)
        status = send_batch(link);
    if (status == OK)
        status = confirm_batch(link);
    disconnect(link);
    if (status != OK)
        return status;
    size_t count = 0;
    const struct tail_position *places = tail_positions(tail, &count);
    if (tail_save(link->ship->to->state, places, count) != OK)
        return ship_failed(link->ship, ERR_IO,
                           "what was sent cannot be saved in %s: %s; it will be sent again",
                           link->ship->to->state, strerror(errno));
    ship_confirmed(link->ship, link->batch.records);
    return OK;
}

/* ---- the whole ---- */

static enum status take_lock(struct syslog_ship *link)
{
    char *name = NULL;
    if (asprintf(&name, "%s.lock", link->ship->to->state) < 0)
        return ERR_MEMORY;
    link->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum status status = OK;
    if (link->lock < 0)
        status = ship_failed(link->ship, ERR_IO, "%s: %s", name, strerror(errno));
    else if (flock(link->lock, LOCK_EX | LOCK_NB) != 0)
        status = ship_failed(link->ship, ERR_IO,
                             "%s is locked: another pgvigil audit ship has this state", name);
    free(name);
    return status;
}

static enum status resume(struct ship *ship, struct tail **tail)
{
    struct tail_position *places = NULL;
    size_t count = 0;
    const char *why = NULL;
    enum status status = tail_load(ship->to->state, &places, &count);
    if (status != OK)
        return ship_failed(
            ship, status, "%s %s: put it back, or remove it and expect all records again",
            ship->to->state,
            status == ERR_INVALID ? "does not hold what was saved in it" : strerror(errno));
    status = tail_open(ship->directory, tail, &why);
    if (status != OK)
        (void)ship_failed(ship, status, "%s", why);
    else if ((status = tail_resume(*tail, places, count)) != OK)
        (void)ship_failed(ship, status, "%s", tail_why(*tail));
    free(places);
    return status;
}

enum status ship_syslog(struct ship *ship)
{
    struct syslog_ship link = {.ship = ship, .fd = -1, .lock = -1};
    const struct ship_receiver receiver = {put_line, send_all, &link};
    struct tail *tail = NULL;
    buf_init(&link.batch.bytes, 0);
    enum status status = take_lock(&link);
    if (status == OK)
        status = make_tls(&link);
    if (status == OK)
        status = resume(ship, &tail);
    if (status == OK)
        status = ship_follow(ship, tail, &link.batch, &receiver);
    disconnect(&link);
    tail_close(tail);
    SSL_CTX_free(link.tls);
    buf_free(&link.batch.bytes);
    if (link.lock >= 0)
        (void)close(link.lock);
    return status;
}
