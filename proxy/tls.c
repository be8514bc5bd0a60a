/*
 * tls.c: what the listener offers (see tls.h).
 *
 * Trust boundary: the files are the administrator's. What peers may negotiate is decided here and
 * nowhere else: TLS 1.2 or later, forward secrecy and authenticated encryption only, no
 * renegotiation, no compression, no session resumption (a resumed session would skip the client
 * certificate's check, and a ticket key would undo forward secrecy).
 */
#include "proxy/tls.h"
#include "proxy/certificate.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_context {
    atomic_uint references;
    SSL_CTX *ssl;
    unsigned char binding[CERTIFICATE_HASH_MAX];
    size_t binding_len;
};

const char *tls_error_text(char *out, size_t size)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    if (reason)
        (void)snprintf(out, size, "%s", reason);
    else if (error)
        (void)snprintf(out, size, "OpenSSL error %08lx", error);
    else
        (void)snprintf(out, size, "connection failed");
    ERR_clear_error();
    return out;
}

/* Takes "postgresql" out of the client's list; a list without it is ended with the alert the RFC
 * asks for. */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *unused)
{
    static const unsigned char ours[] = "\012postgresql";
    (void)ssl;
    (void)unused;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_rules(SSL_CTX *ssl)
{
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                       SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                       SSL_OP_PRIORITIZE_CHACHA |
                                       SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(ssl, "X25519:P-256:P-384") == 1;
}

static enum status say(struct buf *why, const char *what, const char *file)
{
    char text[160];
    buf_printf(why, "%s \"%s\": %s", what, file, tls_error_text(text, sizeof text));
    return ERR_INVALID;
}

/* A key with a passphrase cannot be asked for at a reload: no prompt, but an error. */
static int no_passphrase(char *out, int size, int writing, void *unused)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)unused;
    return -1;
}

static enum status load_files(SSL_CTX *ssl, const struct config_listen *listen, struct buf *why)
{
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ssl, listen->certificate) != 1)
        return say(why, "cannot read certificate", listen->certificate);
    if (SSL_CTX_use_PrivateKey_file(ssl, listen->key, SSL_FILETYPE_PEM) != 1)
        return say(
            why,
            "cannot read key (it must be PEM, without a passphrase, and the certificate's own)",
            listen->key);
    if (SSL_CTX_check_private_key(ssl) != 1)
        return say(why, "the certificate does not belong to key", listen->key);
    if (!listen->client_ca)
        return OK;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(listen->client_ca);
    if (!names || SSL_CTX_load_verify_file(ssl, listen->client_ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return say(why, "cannot read client_ca", listen->client_ca);
    }
    SSL_CTX_set_client_CA_list(ssl, names);
    /* Optional: who must have one is the user's `auth`, judged after the start-up message. One that
     * does not verify ends the handshake. */
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    return OK;
}

enum status tls_context_new(const struct config_listen *listen, struct tls_context **context,
                            struct buf *why)
{
    *context = NULL;
    if (!listen->certificate || !listen->key) {
        buf_str(why, "no certificate and key are configured");
        return ERR_INVALID;
    }
    ERR_clear_error();
    struct tls_context *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return ERR_MEMORY;
    atomic_init(&fresh->references, 1);
    enum status status = ERR_MEMORY;
    fresh->ssl = SSL_CTX_new(TLS_server_method());
    if (!fresh->ssl)
        goto failed;
    status = ERR_TLS;
    if (!set_rules(fresh->ssl)) {
        buf_str(why, "OpenSSL does not support the required TLS settings");
        goto failed;
    }
    SSL_CTX_set_alpn_select_cb(fresh->ssl, select_protocol, NULL);
    status = load_files(fresh->ssl, listen, why);
    if (status != OK)
        goto failed;
    status = certificate_end_point_hash(SSL_CTX_get0_certificate(fresh->ssl), fresh->binding,
                                        &fresh->binding_len);
    if (status != OK && status != ERR_INVALID)
        goto failed;
    *context = fresh;
    return OK;
failed:
    tls_context_unref(fresh);
    ERR_clear_error();
    return status;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (!context || atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

SSL_CTX *tls_context_ssl(const struct tls_context *context)
{
    return context->ssl;
}

const unsigned char *tls_context_binding(const struct tls_context *context, size_t *len)
{
    *len = context->binding_len;
    return context->binding_len ? context->binding : NULL;
}
