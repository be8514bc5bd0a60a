/*
 * transport.c: one socket, with or without TLS, that never blocks (see transport.h).
 *
 * Trust boundary: ciphertext and connection state are the peer's. OpenSSL's error queue is one per
 * thread, shared by all connections of a loop: it is emptied before each call and read right after
 * it, so that one peer's failure cannot be taken for another's. A TLS stream that ends without
 * close_notify is a failure, not an end: somebody in the middle may have cut it. Ownership:
 * accepted sockets belong to the transport; upstream's belong to the PGconn.
 */
#include "proxy/transport.h"
#include "proxy/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One TLS record; also what a plain read asks for at a time. */
#define READ_SIZE ((size_t)16384)
/* Behind a TLS record of at least this size more is likely to wait in the socket. */
#define LONG_READ       ((size_t)4096)
#define TLS_ERROR_BYTES ((size_t)160)
/* What a server's socket is asked for at once: results come in records of 8 kB. */
#define STREAM_READ ((size_t)65536)

struct transport_kind {
    /* At most `len` bytes; OK with *count > 0, or a status that says why there are none. */
    enum status (*read)(struct transport *transport, void *bytes, size_t len, size_t *count);
    enum status (*write)(struct transport *transport, const void *bytes, size_t len, size_t *count);
};

struct transport {
    const struct transport_kind *kind;
    int fd;
    int lent_fd; /* the same socket under a number of our own, while it is lent; else -1 */
    SSL *ssl;
    bool owned;       /* fd and ssl are ours */
    bool handshaking; /* TLS started, not finished */
    bool direct;      /* ALPN is required */
    bool broken;      /* TLS failed: no close_notify may be sent */
    bool ended;       /* the peer's stream has, under TLS */
    bool told;        /* `error` is owned: only the failure of the moment could word it */
    enum transport_want want;
    enum figure received;
    enum figure sent;
    uint64_t bytes_in;
    struct meter *meter; /* borrowed, or NULL */
    const char *error;   /* static text, or `told`; NULL: none */
};

static void forget_error(struct transport *transport)
{
    if (transport->told)
        free((void *)transport->error);
    transport->told = false;
}

static enum status fail(struct transport *transport, enum status status, const char *what)
{
    forget_error(transport);
    transport->error = what;
    return status;
}

static enum status fail_told(struct transport *transport, enum status status, const char *what)
{
    char *copy = strdup(what);
    (void)fail(transport, status, copy == NULL ? "out of memory" : copy);
    transport->told = copy != NULL;
    return status;
}

static enum status fail_errno(struct transport *transport, int error)
{
    char text[80];
    (void)fail_told(transport, ERR_IO, strerror_r(error, text, sizeof text));
    return error == EPIPE || error == ECONNRESET ? CLOSED : ERR_IO;
}

/* ---- plain ---- */

static enum status receive(struct transport *transport, void *bytes, size_t len, int flags,
                           size_t *count)
{
    for (;;) {
        ssize_t got = recv(transport->fd, bytes, len, flags);
        if (got > 0) {
            *count = (size_t)got;
            return OK;
        }
        if (got == 0)
            return fail(transport, CLOSED, "end of stream");
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            transport->want = TRANSPORT_WANT_READ;
            return NEED_MORE;
        }
        if (errno != EINTR)
            return fail_errno(transport, errno);
    }
}

static enum status plain_read(struct transport *transport, void *bytes, size_t len, size_t *count)
{
    return receive(transport, bytes, len, 0, count);
}

static enum status plain_write(struct transport *transport, const void *bytes, size_t len,
                               size_t *count)
{
    for (;;) {
        ssize_t put = send(transport->fd, bytes, len, MSG_NOSIGNAL);
        if (put >= 0) {
            *count = (size_t)put;
            return OK;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            transport->want = TRANSPORT_WANT_WRITE;
            return NEED_MORE;
        }
        if (errno != EINTR)
            return fail_errno(transport, errno);
    }
}

static const struct transport_kind plain_kind = {plain_read, plain_write};

/* ---- the socket under TLS ---- */

/*
 * OpenSSL's socket BIO holds 216 bytes for each connection, and thousands are idle. After the
 * handshake all clients of a thread share one that holds nothing: whose socket is meant is said by
 * the call that is under way. Without one there is no socket, so that a call that forgot to say so
 * fails instead of writing into another's stream.
 */
static _Thread_local struct transport *calling;

/* Counts `*done` bytes, or tells OpenSSL why there are none. */
static int socket_outcome(BIO *bio, ssize_t result, int again, size_t *done)
{
    *done = result > 0 ? (size_t)result : 0;
    if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_flags(bio, again | BIO_FLAGS_SHOULD_RETRY);
    return result > 0 ? 1 : (int)result;
}

static int socket_read(BIO *bio, char *out, size_t size, size_t *done)
{
    BIO_clear_retry_flags(bio);
    *done = 0;
    if (calling == NULL)
        return -1;
    ssize_t got = recv(calling->fd, out, size, 0);
    calling->ended = got == 0;
    return socket_outcome(bio, got, BIO_FLAGS_READ, done);
}

static int socket_write(BIO *bio, const char *bytes, size_t size, size_t *done)
{
    BIO_clear_retry_flags(bio);
    *done = 0;
    if (calling == NULL)
        return -1;
    return socket_outcome(bio, send(calling->fd, bytes, size, MSG_NOSIGNAL), BIO_FLAGS_WRITE, done);
}

static long socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return calling != NULL && calling->ended;
    return command == BIO_CTRL_FLUSH;
}

static pthread_once_t socket_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *socket_method;
static pthread_key_t socket_key;
static bool socket_keyed;

static void forget_socket(void *bio)
{
    BIO_free(bio);
}

static void make_method(void)
{
    socket_keyed = pthread_key_create(&socket_key, forget_socket) == 0;
    socket_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket at hand");
    if (socket_method != NULL && (BIO_meth_set_read_ex(socket_method, socket_read) != 1 ||
                                  BIO_meth_set_write_ex(socket_method, socket_write) != 1 ||
                                  BIO_meth_set_ctrl(socket_method, socket_ctrl) != 1)) {
        BIO_meth_free(socket_method);
        socket_method = NULL;
    }
}

/* Of this thread, or NULL: a connection keeps its own then. */
static BIO *shared_socket(void)
{
    (void)pthread_once(&socket_once, make_method);
    if (socket_method == NULL || !socket_keyed)
        return NULL;
    BIO *bio = pthread_getspecific(socket_key);
    if (bio != NULL)
        return bio;
    bio = BIO_new(socket_method);
    if (bio != NULL)
        BIO_set_init(bio, 1);
    if (bio != NULL && pthread_setspecific(socket_key, bio) != 0) {
        BIO_free(bio);
        bio = NULL;
    }
    return bio;
}

/* No handshake is under way: one would put a buffer of its own before the BIO. */
static void share_socket(struct transport *transport)
{
    BIO *bio = shared_socket();
    if (bio != NULL && BIO_up_ref(bio) == 1)
        SSL_set_bio(transport->ssl, bio, bio);
}

/* What the BIO last told of another's socket is not this one's: a stream that has failed would be
 * waited for. */
static void begin_call(struct transport *transport)
{
    if (transport->owned)
        BIO_clear_retry_flags(SSL_get_rbio(transport->ssl));
    calling = transport;
}

/* ---- TLS ---- */

/* Nearly always empty, and clearing it goes through all of its places. */
static void clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* What a call that returned `result` means; `error` is errno as the call left it. */
static enum status tls_outcome(struct transport *transport, int result, int error)
{
    char text[TLS_ERROR_BYTES];
    switch (SSL_get_error(transport->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        transport->want = TRANSPORT_WANT_READ;
        return NEED_MORE;
    case SSL_ERROR_WANT_WRITE:
        transport->want = TRANSPORT_WANT_WRITE;
        return NEED_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return fail(transport, CLOSED, "close_notify");
    case SSL_ERROR_SYSCALL:
        transport->broken = true;
        if (ERR_peek_error() == 0 && error != 0)
            return fail_errno(transport, error);
        break;
    default:
        transport->broken = true;
        break;
    }
    bool cut = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (cut)
        return fail(transport, ERR_TLS, "the TLS stream ended without close_notify");
    return fail_told(transport, ERR_TLS, tls_error_text(text, sizeof text));
}

static enum status tls_read(struct transport *transport, void *bytes, size_t len, size_t *count)
{
    clear_errors();
    errno = 0;
    begin_call(transport);
    int result = SSL_read_ex(transport->ssl, bytes, len, count);
    calling = NULL;
    return result > 0 ? OK : tls_outcome(transport, result, errno);
}

static enum status tls_write(struct transport *transport, const void *bytes, size_t len,
                             size_t *count)
{
    clear_errors();
    errno = 0;
    begin_call(transport);
    int result = SSL_write_ex(transport->ssl, bytes, len, count);
    calling = NULL;
    return result > 0 ? OK : tls_outcome(transport, result, errno);
}

static const struct transport_kind tls_kind = {tls_read, tls_write};

/* Partial writes and moving buffers, since callers keep what was not sent in a buffer that moves.
 * Read-ahead saves one recv a record. */
static void set_modes(SSL *ssl)
{
    (void)SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_AUTO_RETRY);
    SSL_set_read_ahead(ssl, 1);
}

/* ---- life ---- */

static struct transport *transport_new(int fd, bool owned)
{
    struct transport *transport = calloc(1, sizeof *transport);
    if (!transport)
        return NULL;
    transport->kind = &plain_kind;
    transport->fd = fd;
    transport->lent_fd = -1;
    transport->owned = owned;
    return transport;
}

struct transport *transport_accepted(int fd)
{
    return transport_new(fd, true);
}

struct transport *transport_upstream(int fd, SSL *ssl)
{
    struct transport *transport = transport_new(fd, false);
    if (!transport || !ssl)
        return transport;
    set_modes(ssl);
    SSL_set_default_read_buffer_len(ssl, STREAM_READ);
    transport->ssl = ssl;
    transport->kind = &tls_kind;
    return transport;
}

void transport_free(struct transport *transport)
{
    if (!transport)
        return;
    if (transport->owned) {
        SSL_free(transport->ssl);
        (void)close(transport->fd);
    }
    forget_error(transport);
    free(transport);
}

enum status transport_peek(struct transport *transport, unsigned char *byte)
{
    size_t count = 0;
    return receive(transport, byte, 1, MSG_PEEK, &count);
}

enum status transport_start_tls(struct transport *transport, struct tls_context *tls, bool direct)
{
    if (transport->ssl || !transport->owned)
        return fail(transport, ERR_INTERNAL, "TLS started twice");
    clear_errors();
    transport->ssl = SSL_new(tls_context_ssl(tls));
    if (!transport->ssl)
        return fail(transport, ERR_MEMORY, "out of memory for TLS");
    if (SSL_set_fd(transport->ssl, transport->fd) != 1)
        return fail(transport, ERR_TLS, "cannot attach the socket to TLS");
    set_modes(transport->ssl);
    /* Thousands of idle sessions must not hold 34 kB each; servers are few. */
    (void)SSL_set_mode(transport->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_set_accept_state(transport->ssl);
    transport->kind = &tls_kind;
    transport->handshaking = true;
    transport->direct = direct;
    return OK;
}

enum status transport_handshake(struct transport *transport)
{
    if (!transport->handshaking)
        return OK;
    clear_errors();
    errno = 0;
    int result = SSL_do_handshake(transport->ssl);
    if (result != 1)
        return tls_outcome(transport, result, errno);
    if (transport->direct) {
        /* Without ALPN another protocol's client could be made to talk to us across protocols
         * (ALPACA). */
        const unsigned char *protocol = NULL;
        unsigned len = 0;
        SSL_get0_alpn_selected(transport->ssl, &protocol, &len);
        if (len != 10 || memcmp(protocol, "postgresql", 10) != 0)
            return fail(transport, ERR_TLS, "direct TLS without ALPN protocol postgresql");
    }
    transport->handshaking = false;
    share_socket(transport);
    return OK;
}

/* ---- bytes ---- */

enum status transport_read(struct transport *transport, struct buf *into, size_t budget)
{
    if (transport->handshaking)
        return fail(transport, ERR_INTERNAL, "read before the end of the handshake");
    while (budget > 0) {
        size_t want = budget < READ_SIZE ? budget : READ_SIZE;
        if (into->limit) {
            size_t room = into->limit - buf_len(into);
            if (room == 0)
                return fail(transport, ERR_MEMORY, "the input buffer is full");
            want = want < room ? want : room;
        }
        unsigned char *place = buf_reserve(into, want);
        if (!place)
            return fail(transport, ERR_MEMORY, "out of memory for input");
        size_t count = 0;
        enum status status = transport->kind->read(transport, place, want, &count);
        if (status != OK)
            return status;
        buf_commit(into, count);
        transport->bytes_in += count;
        if (transport->meter)
            meter_add(transport->meter, transport->received, count);
        budget -= count;
        /* A short read emptied the socket, and what read-ahead took beyond the record is pending:
         * the next event tells of more, and a call that only says so is a syscall a message. */
        bool emptied =
            transport->ssl ? count < LONG_READ && !SSL_has_pending(transport->ssl) : count < want;
        if (emptied && budget > 0) {
            transport->want = TRANSPORT_WANT_READ;
            return NEED_MORE;
        }
    }
    return OK;
}

enum status transport_write(struct transport *transport, const void *bytes, size_t len,
                            size_t *written)
{
    const unsigned char *at = bytes;
    *written = 0;
    if (transport->handshaking)
        return fail(transport, ERR_INTERNAL, "write before the end of the handshake");
    while (*written < len) {
        size_t count = 0;
        enum status status =
            transport->kind->write(transport, at + *written, len - *written, &count);
        if (status != OK)
            return status;
        *written += count;
        if (transport->meter)
            meter_add(transport->meter, transport->sent, count);
    }
    return OK;
}

enum status transport_flush(struct transport *transport, struct buf *from)
{
    size_t len = buf_len(from);
    if (len == 0)
        return OK;
    size_t written = 0;
    enum status status = transport_write(transport, buf_head(from), len, &written);
    buf_consume(from, written);
    return status;
}

enum transport_want transport_want(const struct transport *transport)
{
    return transport->want;
}

bool transport_pending(const struct transport *transport)
{
    return transport->ssl && !transport->handshaking && SSL_has_pending(transport->ssl);
}

void transport_shutdown(struct transport *transport)
{
    if (transport->ssl && !transport->handshaking && !transport->broken) {
        clear_errors();
        begin_call(transport);
        (void)SSL_shutdown(transport->ssl);
        calling = NULL;
        clear_errors();
    }
    (void)shutdown(transport->fd, SHUT_WR);
}

void transport_abort(struct transport *transport)
{
    (void)shutdown(transport->lent_fd >= 0 ? transport->lent_fd : transport->fd, SHUT_RDWR);
}

/* libpq waits for the socket, and would wait for ever for records that were read ahead. */
bool transport_lend(struct transport *transport)
{
    if (transport->ssl != NULL && SSL_has_pending(transport->ssl))
        return false;
    transport->lent_fd = fcntl(transport->fd, F_DUPFD_CLOEXEC, 0);
    if (transport->lent_fd < 0)
        return false;
    if (transport->ssl != NULL)
        SSL_set_read_ahead(transport->ssl, 0);
    return true;
}

static enum status gone_read(struct transport *transport, void *bytes, size_t len, size_t *count)
{
    (void)bytes;
    (void)len;
    *count = 0;
    return fail(transport, CLOSED, "the connection was lost while it was lent");
}

static enum status gone_write(struct transport *transport, const void *bytes, size_t len,
                              size_t *count)
{
    return gone_read(transport, (void *)bytes, len, count);
}

static const struct transport_kind gone_kind = {gone_read, gone_write};

void transport_take_back(struct transport *transport, bool open)
{
    (void)close(transport->lent_fd);
    transport->lent_fd = -1;
    if (!open) {
        transport->kind = &gone_kind;
        transport->ssl = NULL;
        transport->fd = -1;
    } else if (transport->ssl != NULL) {
        SSL_set_read_ahead(transport->ssl, 1);
    }
}

SSL *transport_ssl(const struct transport *transport)
{
    return transport->ssl;
}

const char *transport_tls_version(const struct transport *transport)
{
    return transport->ssl ? SSL_get_version(transport->ssl) : NULL;
}

const char *transport_error(const struct transport *transport)
{
    return transport->error != NULL ? transport->error : "no error";
}

uint64_t transport_bytes_in(const struct transport *transport)
{
    return transport->bytes_in;
}

void transport_meter(struct transport *transport, struct meter *meter, enum figure received,
                     enum figure sent)
{
    if (!transport)
        return;
    transport->meter = meter;
    transport->received = received;
    transport->sent = sent;
}
