/*
 * Sockets with and without TLS, against OpenSSL's own client on the other end of a socket pair, in
 * one thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/certificate.h"
#include "proxy/tls.h"
#include "proxy/transport.h"
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static EVP_PKEY *ca_key;
static X509 *ca;
static struct tls_context *tls;
static struct config_listen listening;
static char cert_path[128];
static char key_path[128];
static char ca_path[128];

/* ---- certificates ---- */

static X509 *make_certificate(EVP_PKEY *key, const void *cn, int cn_len, bool authority)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_NAME_new();
    assert_int_equal(
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, cn, cn_len, -1, 0), 1);
    (void)X509_set_version(certificate, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), authority ? 1 : 2);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    (void)X509_set_subject_name(certificate, name);
    (void)X509_set_issuer_name(certificate, authority ? name : X509_get_subject_name(ca));
    (void)X509_set_pubkey(certificate, key);
    X509_NAME_free(name);
    if (authority) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        (void)X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    assert_true(X509_sign(certificate, authority ? key : ca_key, EVP_sha256()) > 0);
    return certificate;
}

static void write_pem(const char *path, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(certificate ? PEM_write_X509(file, certificate)
                                 : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                     1);
    assert_int_equal(fclose(file), 0);
    (void)chmod(path, 0600);
}

static int group_setup(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    strcpy(dir, "/tmp/pgvigil-transport-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(cert_path, sizeof cert_path, "%s/s.crt", dir);
    (void)snprintf(key_path, sizeof key_path, "%s/s.key", dir);
    (void)snprintf(ca_path, sizeof ca_path, "%s/ca.crt", dir);
    ca_key = EVP_EC_gen("P-256");
    ca = make_certificate(ca_key, "CA", -1, true);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *server = make_certificate(key, "localhost", -1, false);
    write_pem(cert_path, server, NULL);
    write_pem(key_path, NULL, key);
    write_pem(ca_path, ca, NULL);
    X509_free(server);
    EVP_PKEY_free(key);
    listening =
        (struct config_listen){.certificate = cert_path, .key = key_path, .client_ca = ca_path};
    struct buf why;
    buf_init(&why, 0);
    enum status status = tls_context_new(&listening, &tls, &why);
    buf_free(&why);
    return status == OK ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    char command[128];
    tls_context_unref(tls);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command); // NOLINT(cert-env33-c): a directory of our own
}

/* ---- two ends ---- */

struct ends {
    struct transport *server;
    int fd; /* the client's */
    SSL_CTX *ctx;
    SSL *client;
    struct buf in;
};

static void open_ends(struct ends *ends)
{
    int fds[2];
    memset(ends, 0, sizeof *ends);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    ends->server = transport_accepted(fds[0]);
    assert_non_null(ends->server);
    ends->fd = fds[1];
    buf_init(&ends->in, 0);
}

static void close_ends(struct ends *ends)
{
    transport_free(ends->server);
    SSL_free(ends->client);
    SSL_CTX_free(ends->ctx);
    if (ends->fd >= 0)
        (void)close(ends->fd);
    buf_free(&ends->in);
}

static void open_client(struct ends *ends)
{
    ends->ctx = SSL_CTX_new(TLS_client_method());
    ends->client = SSL_new(ends->ctx);
    (void)SSL_set_fd(ends->client, ends->fd);
    SSL_set_connect_state(ends->client);
}

/* Lets both ends work until the server's is done or failed. */
static enum status shake(struct ends *ends, bool direct)
{
    enum status status = transport_start_tls(ends->server, tls, direct);
    assert_int_equal(status, OK);
    status = NEED_MORE;
    for (int turn = 0; turn < 20 && status == NEED_MORE; turn++) {
        (void)SSL_do_handshake(ends->client);
        status = transport_handshake(ends->server);
    }
    (void)SSL_do_handshake(ends->client);
    ERR_clear_error();
    return status;
}

static void open_tls(struct ends *ends)
{
    open_ends(ends);
    open_client(ends);
    assert_int_equal(shake(ends, false), OK);
}

/* ---- plain ---- */

static void plain_bytes_are_read_within_the_budget(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    assert_int_equal(transport_read(ends.server, &ends.in, 100), NEED_MORE);
    assert_int_equal(transport_want(ends.server), TRANSPORT_WANT_READ);
    assert_int_equal(write(ends.fd, "hello, world", 12), 12);
    assert_int_equal(transport_read(ends.server, &ends.in, 5), OK);
    assert_int_equal(buf_len(&ends.in), 5);
    assert_int_equal(transport_read(ends.server, &ends.in, 100), NEED_MORE);
    assert_memory_equal(buf_head(&ends.in), "hello, world", 12);
    assert_int_equal(transport_bytes_in(ends.server), 12);
    assert_int_equal(write(ends.fd, "!", 1), 1);
    (void)close(ends.fd);
    ends.fd = -1;
    assert_int_equal(transport_read(ends.server, &ends.in, 100), NEED_MORE);
    assert_int_equal(transport_read(ends.server, &ends.in, 100), CLOSED);
    assert_int_equal(buf_len(&ends.in), 13);
    assert_null(transport_tls_version(ends.server));
    close_ends(&ends);
}

static void a_peek_leaves_the_byte(void **state)
{
    (void)state;
    struct ends ends;
    unsigned char byte = 0;
    open_ends(&ends);
    assert_int_equal(transport_peek(ends.server, &byte), NEED_MORE);
    assert_int_equal(write(ends.fd, "\x16x", 2), 2);
    assert_int_equal(transport_peek(ends.server, &byte), OK);
    assert_int_equal(byte, 0x16);
    assert_int_equal(transport_read(ends.server, &ends.in, 10), NEED_MORE);
    assert_int_equal(buf_len(&ends.in), 2);
    (void)close(ends.fd);
    ends.fd = -1;
    assert_int_equal(transport_peek(ends.server, &byte), CLOSED);
    close_ends(&ends);
}

static void a_full_input_buffer_is_an_error_and_not_a_loop(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    ends.in.limit = 4;
    assert_int_equal(write(ends.fd, "12345678", 8), 8);
    assert_int_equal(transport_read(ends.server, &ends.in, 100), ERR_MEMORY);
    assert_int_equal(buf_len(&ends.in), 4);
    buf_consume(&ends.in, 4);
    assert_int_equal(transport_read(ends.server, &ends.in, 4), OK);
    assert_memory_equal(buf_head(&ends.in), "5678", 4);
    close_ends(&ends);
}

/* Sends a megabyte through a socket that takes little at a time; the reader must get the same
 * bytes. */
static void push(struct ends *ends)
{
    struct buf from;
    size_t total = (size_t)1 << 20;
    buf_init(&from, 0);
    for (size_t i = 0; i < total / 4; i++)
        buf_u32(&from, (uint32_t)(i * 2654435761U));
    unsigned char *sent = malloc(total);
    unsigned char *got = malloc(total);
    assert_non_null(sent);
    assert_non_null(got);
    memcpy(sent, buf_head(&from), total);
    size_t have = 0;
    size_t waits = 0;
    while (have < total) {
        enum status status = transport_flush(ends->server, &from);
        assert_true(status == OK || status == NEED_MORE);
        if (status == NEED_MORE) {
            waits++;
            assert_int_equal(transport_want(ends->server), TRANSPORT_WANT_WRITE);
        }
        ssize_t count = ends->client ? SSL_read(ends->client, got + have, 7001)
                                     : read(ends->fd, got + have, 7001);
        have += count > 0 ? (size_t)count : 0;
    }
    assert_int_equal(buf_len(&from), 0);
    assert_true(waits > 0);
    assert_memory_equal(got, sent, total);
    free(sent);
    free(got);
    buf_free(&from);
}

static void plain_writes_go_on_where_they_stopped(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    push(&ends);
    close_ends(&ends);
}

static void a_write_to_a_peer_that_left_is_closed(void **state)
{
    (void)state;
    struct ends ends;
    size_t written = 0;
    open_ends(&ends);
    (void)close(ends.fd);
    ends.fd = -1;
    assert_int_equal(transport_write(ends.server, "x", 1, &written), CLOSED);
    close_ends(&ends);
}

/* ---- TLS ---- */

static void tls_carries_bytes_both_ways(void **state)
{
    (void)state;
    struct ends ends;
    open_tls(&ends);
    assert_string_equal(transport_tls_version(ends.server), "TLSv1.3");
    assert_int_equal(SSL_write(ends.client, "hello", 5), 5);
    assert_int_equal(transport_read(ends.server, &ends.in, 2), OK);
    assert_true(transport_pending(ends.server));
    assert_int_equal(transport_read(ends.server, &ends.in, 100), NEED_MORE);
    assert_false(transport_pending(ends.server));
    assert_memory_equal(buf_head(&ends.in), "hello", 5);
    push(&ends);
    close_ends(&ends);
}

/* After the handshake they share what stands between TLS and the socket. */
static void clients_of_one_thread_do_not_meet(void **state)
{
    (void)state;
    enum { CLIENTS = 4 };
    struct ends ends[CLIENTS];
    size_t done = 0;
    char text[64];
    for (size_t i = 0; i < CLIENTS; i++)
        open_tls(&ends[i]);
    /* One whose socket is full, and one whose peer is gone without a word. */
    static const char much[65536];
    enum status full = OK;
    for (int turn = 0; turn < 100 && full == OK; turn++)
        full = transport_write(ends[2].server, much, sizeof much, &done);
    assert_int_equal(full, NEED_MORE);
    (void)close(ends[3].fd);
    ends[3].fd = -1;
    for (int turn = 0; turn < 50; turn++) {
        for (size_t i = 0; i < 2; i++) {
            int len = snprintf(text, sizeof text, "question %d of client %zu", turn, i);
            assert_int_equal(SSL_write(ends[i].client, text, len), len);
        }
        assert_int_equal(transport_read(ends[3].server, &ends[3].in, 100), ERR_TLS);
        for (size_t i = 0; i < 2; i++) {
            int len = snprintf(text, sizeof text, "question %d of client %zu", turn, i);
            assert_int_equal(transport_read(ends[i].server, &ends[i].in, 1000), NEED_MORE);
            assert_int_equal(transport_want(ends[i].server), TRANSPORT_WANT_READ);
            assert_int_equal(buf_len(&ends[i].in), len);
            assert_memory_equal(buf_head(&ends[i].in), text, (size_t)len);
            assert_int_equal(
                transport_write(ends[i].server, buf_head(&ends[i].in), (size_t)len, &done), OK);
            buf_consume(&ends[i].in, (size_t)len);
            assert_int_equal(transport_read(ends[2].server, &ends[2].in, 100), NEED_MORE);
            char got[64];
            assert_int_equal(SSL_read(ends[i].client, got, sizeof got), len);
            assert_memory_equal(got, text, (size_t)len);
        }
    }
    for (size_t i = 0; i < CLIENTS; i++)
        close_ends(&ends[i]);
}

/* A key update that asks for one back makes reading write. */
static void keys_are_renewed_whoever_asks(void **state)
{
    (void)state;
    struct ends ends;
    size_t done = 0;
    char got[8];
    open_tls(&ends);
    for (int turn = 0; turn < 5; turn++) {
        assert_int_equal(SSL_key_update(ends.client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(ends.client, "hello", 5), 5);
        assert_int_equal(transport_read(ends.server, &ends.in, 100), NEED_MORE);
        assert_int_equal(buf_len(&ends.in), 5);
        buf_consume(&ends.in, 5);
        assert_int_equal(transport_write(ends.server, "world", 5, &done), OK);
        assert_int_equal(SSL_read(ends.client, got, sizeof got), 5);
        assert_memory_equal(got, "world", 5);
    }
    close_ends(&ends);
}

static void tls_end_with_notice_is_closed_and_without_is_an_error(void **state)
{
    (void)state;
    struct ends ends;
    open_tls(&ends);
    assert_int_equal(SSL_write(ends.client, "last", 4), 4);
    (void)SSL_shutdown(ends.client);
    assert_int_equal(transport_read(ends.server, &ends.in, 100), CLOSED);
    assert_int_equal(buf_len(&ends.in), 4);
    close_ends(&ends);

    open_tls(&ends);
    (void)shutdown(ends.fd, SHUT_WR);
    assert_int_equal(transport_read(ends.server, &ends.in, 100), ERR_TLS);
    assert_non_null(strstr(transport_error(ends.server), "close_notify"));
    close_ends(&ends);
}

static void a_changed_record_is_an_error(void **state)
{
    (void)state;
    struct ends ends;
    open_tls(&ends);
    static const unsigned char record[] = "\x17\x03\x03\x00\x20 thirty-two bytes of no meaning..";
    assert_true(write(ends.fd, record, 37) == 37);
    assert_int_equal(transport_read(ends.server, &ends.in, 100), ERR_TLS);
    assert_int_equal(buf_len(&ends.in), 0);
    close_ends(&ends);
    /* The failure must not stay in the thread's queue and hit another connection. */
    assert_int_equal(ERR_peek_error(), 0);
}

static void goodbye_reaches_the_client(void **state)
{
    (void)state;
    struct ends ends;
    char byte;
    open_tls(&ends);
    transport_shutdown(ends.server);
    assert_int_equal(SSL_read(ends.client, &byte, 1), 0);
    assert_int_equal(SSL_get_error(ends.client, 0), SSL_ERROR_ZERO_RETURN);
    close_ends(&ends);
}

static void bytes_that_are_not_tls_are_refused(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    assert_int_equal(transport_start_tls(ends.server, tls, false), OK);
    assert_int_equal(transport_handshake(ends.server), NEED_MORE);
    assert_int_equal(transport_read(ends.server, &ends.in, 10), ERR_INTERNAL);
    assert_int_equal(write(ends.fd, "\0\0\0\x10\0\3\0\0user\0x\0\0", 16), 16);
    assert_int_equal(transport_handshake(ends.server), ERR_TLS);
    close_ends(&ends);
}

static void old_versions_and_weak_ciphers_are_refused(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    open_client(&ends);
    SSL_set_security_level(ends.client, 0);
    (void)SSL_set_min_proto_version(ends.client, TLS1_VERSION);
    (void)SSL_set_max_proto_version(ends.client, TLS1_1_VERSION);
    assert_int_equal(shake(&ends, false), ERR_TLS);
    close_ends(&ends);

    open_ends(&ends);
    open_client(&ends);
    (void)SSL_set_max_proto_version(ends.client, TLS1_2_VERSION);
    (void)SSL_set_cipher_list(ends.client, "ECDHE-ECDSA-AES128-SHA");
    assert_int_equal(shake(&ends, false), ERR_TLS);
    close_ends(&ends);

    open_ends(&ends);
    open_client(&ends);
    (void)SSL_set_max_proto_version(ends.client, TLS1_2_VERSION);
    assert_int_equal(shake(&ends, false), OK);
    assert_string_equal(transport_tls_version(ends.server), "TLSv1.2");
    close_ends(&ends);
}

static void renegotiation_is_refused(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    open_client(&ends);
    (void)SSL_set_max_proto_version(ends.client, TLS1_2_VERSION);
    assert_int_equal(shake(&ends, false), OK);
    (void)SSL_renegotiate(ends.client);
    (void)SSL_do_handshake(ends.client);
    assert_int_equal(transport_read(ends.server, &ends.in, 100), NEED_MORE);
    char byte;
    assert_true(SSL_read(ends.client, &byte, 1) <= 0);
    assert_int_equal(SSL_get_error(ends.client, -1), SSL_ERROR_SSL);
    ERR_clear_error();
    close_ends(&ends);
}

static enum status shake_with_protocol(const unsigned char *protocols, unsigned len, bool direct)
{
    struct ends ends;
    open_ends(&ends);
    open_client(&ends);
    if (protocols)
        assert_int_equal(SSL_set_alpn_protos(ends.client, protocols, len), 0);
    enum status status = shake(&ends, direct);
    close_ends(&ends);
    return status;
}

static void direct_tls_needs_the_protocols_name(void **state)
{
    (void)state;
    static const unsigned char ours[] = "\012postgresql";
    static const unsigned char other[] = "\010http/1.1";
    static const unsigned char both[] = "\010http/1.1\012postgresql";
    assert_int_equal(shake_with_protocol(ours, 11, true), OK);
    assert_int_equal(shake_with_protocol(both, 20, true), OK);
    assert_int_equal(shake_with_protocol(other, 9, true), ERR_TLS);
    assert_int_equal(shake_with_protocol(NULL, 0, true), ERR_TLS);
    assert_int_equal(shake_with_protocol(NULL, 0, false), OK);
    assert_int_equal(shake_with_protocol(ours, 11, false), OK);
    assert_int_equal(shake_with_protocol(other, 9, false), ERR_TLS);
}

static void tls_cannot_be_started_twice(void **state)
{
    (void)state;
    struct ends ends;
    open_tls(&ends);
    assert_int_equal(transport_start_tls(ends.server, tls, false), ERR_INTERNAL);
    close_ends(&ends);
}

static void a_borrowed_ssl_is_not_freed(void **state)
{
    (void)state;
    struct ends ends;
    open_tls(&ends);
    /* The client's end as libpq would hand it over. */
    struct transport *upstream = transport_upstream(ends.fd, ends.client);
    size_t written = 0;
    assert_int_equal(transport_write(upstream, "query", 5, &written), OK);
    assert_int_equal(transport_read(ends.server, &ends.in, 5), OK);
    assert_int_equal(transport_write(ends.server, "answer", 6, &written), OK);
    buf_clear(&ends.in);
    assert_int_equal(transport_read(upstream, &ends.in, 100), NEED_MORE);
    assert_memory_equal(buf_head(&ends.in), "answer", 6);
    transport_free(upstream);
    assert_int_equal(SSL_write(ends.client, "again", 5), 5);
    close_ends(&ends);
}

/* ---- certificates ---- */

static void the_binding_is_the_certificates_hash(void **state)
{
    (void)state;
    unsigned char expected[32];
    unsigned char *der = NULL;
    size_t len = 0;
    int der_len = i2d_X509(SSL_CTX_get0_certificate(tls_context_ssl(tls)), &der);
    (void)SHA256(der, (size_t)der_len, expected);
    const unsigned char *binding = tls_context_binding(tls, &len);
    assert_int_equal(len, 32);
    assert_memory_equal(binding, expected, 32);
    OPENSSL_free(der);
}

static size_t hash_length(const EVP_MD *digest, const char *key_type)
{
    unsigned char hash[CERTIFICATE_HASH_MAX];
    size_t len = 0;
    EVP_PKEY *key =
        strcmp(key_type, "EC") == 0 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, key_type);
    X509 *certificate = make_certificate(key, "x", -1, false);
    assert_true(X509_sign(certificate, key, digest) > 0);
    enum status status = certificate_end_point_hash(certificate, hash, &len);
    assert_int_equal(status, len ? OK : ERR_INVALID);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return len;
}

static void the_binding_follows_the_signature(void **state)
{
    (void)state;
    assert_int_equal(hash_length(EVP_sha256(), "EC"), 32);
    assert_int_equal(hash_length(EVP_sha384(), "EC"), 48);
    assert_int_equal(hash_length(EVP_sha512(), "EC"), 64);
    assert_int_equal(hash_length(EVP_sha1(), "EC"), 32);
    assert_int_equal(hash_length(NULL, "ED25519"), 0);
}

/* The name read from a client with a certificate for `cn`, signed by the CA. */
static enum status name_of(const void *cn, int cn_len, const void *second, char *name, size_t size)
{
    struct ends ends;
    open_ends(&ends);
    open_client(&ends);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key, cn, cn_len, false);
    if (second) {
        X509_NAME *subject = X509_NAME_dup(X509_get_subject_name(certificate));
        (void)X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, second, -1, -1, 0);
        (void)X509_set_subject_name(certificate, subject);
        X509_NAME_free(subject);
        assert_true(X509_sign(certificate, ca_key, EVP_sha256()) > 0);
    }
    (void)SSL_use_certificate(ends.client, certificate);
    (void)SSL_use_PrivateKey(ends.client, key);
    assert_int_equal(shake(&ends, false), OK);
    enum status status = certificate_peer_common_name(transport_ssl(ends.server), name, size);
    X509_free(certificate);
    EVP_PKEY_free(key);
    close_ends(&ends);
    return status;
}

static void a_clients_name_is_read_and_crafted_ones_are_refused(void **state)
{
    (void)state;
    char name[64];
    assert_int_equal(name_of("lab.clinic.example", -1, NULL, name, sizeof name), OK);
    assert_string_equal(name, "lab.clinic.example");
    assert_int_equal(name_of("h\xc3\xb4pital", -1, NULL, name, sizeof name), OK);
    assert_string_equal(name, "h\xc3\xb4pital");
    assert_int_equal(name_of("admin\0.evil.example", 19, NULL, name, sizeof name), ERR_INVALID);
    assert_string_equal(name, "");
    assert_int_equal(name_of("admin\n", 6, NULL, name, sizeof name), ERR_INVALID);
    assert_int_equal(name_of("lab", -1, "admin", name, sizeof name), ERR_INVALID);
    assert_int_equal(name_of("longer than it may be", -1, NULL, name, 10), ERR_INVALID);
}

static void a_client_without_a_certificate_has_no_name(void **state)
{
    (void)state;
    struct ends ends;
    char name[64] = "x";
    open_tls(&ends);
    assert_int_equal(certificate_peer_common_name(transport_ssl(ends.server), name, sizeof name),
                     DENIED);
    assert_string_equal(name, "");
    assert_int_equal(certificate_peer_common_name(NULL, name, sizeof name), DENIED);
    close_ends(&ends);
}

static void a_certificate_of_another_authority_ends_the_handshake(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    open_client(&ends);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key, "lab.clinic.example", -1, false);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0); /* by itself */
    (void)SSL_use_certificate(ends.client, certificate);
    (void)SSL_use_PrivateKey(ends.client, key);
    assert_int_equal(shake(&ends, false), ERR_TLS);
    X509_free(certificate);
    EVP_PKEY_free(key);
    close_ends(&ends);
}

static void unusable_files_are_told(void **state)
{
    (void)state;
    struct tls_context *context = NULL;
    struct buf why;
    struct config_listen wrong[] = {listening, listening, listening, {0}};
    wrong[0].certificate = key_path;
    wrong[1].key = cert_path;
    wrong[2].client_ca = key_path;
    buf_init(&why, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(tls_context_new(&wrong[i], &context, &why), ERR_INVALID);
        assert_null(context);
        assert_true(buf_len(&why) > 20);
        buf_clear(&why);
        assert_int_equal(ERR_peek_error(), 0);
    }
    EVP_PKEY *other = EVP_EC_gen("P-256");
    char path[128];
    (void)snprintf(path, sizeof path, "%s/other.key", dir);
    write_pem(path, NULL, other);
    wrong[0] = listening;
    wrong[0].key = path;
    assert_int_equal(tls_context_new(&wrong[0], &context, &why), ERR_INVALID);
    EVP_PKEY_free(other);
    buf_free(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_bytes_are_read_within_the_budget),
        cmocka_unit_test(a_peek_leaves_the_byte),
        cmocka_unit_test(a_full_input_buffer_is_an_error_and_not_a_loop),
        cmocka_unit_test(plain_writes_go_on_where_they_stopped),
        cmocka_unit_test(a_write_to_a_peer_that_left_is_closed),
        cmocka_unit_test(tls_carries_bytes_both_ways),
        cmocka_unit_test(clients_of_one_thread_do_not_meet),
        cmocka_unit_test(keys_are_renewed_whoever_asks),
        cmocka_unit_test(tls_end_with_notice_is_closed_and_without_is_an_error),
        cmocka_unit_test(a_changed_record_is_an_error),
        cmocka_unit_test(goodbye_reaches_the_client),
        cmocka_unit_test(bytes_that_are_not_tls_are_refused),
        cmocka_unit_test(old_versions_and_weak_ciphers_are_refused),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(direct_tls_needs_the_protocols_name),
        cmocka_unit_test(tls_cannot_be_started_twice),
        cmocka_unit_test(a_borrowed_ssl_is_not_freed),
        cmocka_unit_test(the_binding_is_the_certificates_hash),
        cmocka_unit_test(the_binding_follows_the_signature),
        cmocka_unit_test(a_clients_name_is_read_and_crafted_ones_are_refused),
        cmocka_unit_test(a_client_without_a_certificate_has_no_name),
        cmocka_unit_test(a_certificate_of_another_authority_ends_the_handshake),
        cmocka_unit_test(unusable_files_are_told),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
