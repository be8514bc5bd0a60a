/*
 * tls.h: what the listener offers: certificate, key, accepted client certificates.
 *
 * A tls_context is immutable and reference-counted (atomically: workers share it). A reload makes a
 * new one; connections go on with the one they were accepted under. Keys are read here and nowhere
 * else.
 */
#ifndef PGVIGIL_PROXY_TLS_H
#define PGVIGIL_PROXY_TLS_H

#include <openssl/ssl.h>
#include <pgvigil/buf.h>
#include <pgvigil/config.h>
#include <pgvigil/status.h>
#include <stddef.h>

struct tls_context;

/* Reads listen->certificate, key and client_ca. ERR_INVALID, ERR_IO with a sentence appended to
 * `why`; ERR_MEMORY. Not for a configuration without a certificate (plaintext only): ERR_INVALID.
 */
NODISCARD enum status tls_context_new(const struct config_listen *listen,
                                      struct tls_context **context, struct buf *why);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); /* accepts NULL; the last one frees */

SSL_CTX *tls_context_ssl(const struct tls_context *context);
/* The tls-server-end-point channel binding (RFC 5929): a hash of the server's certificate; *len of
 * 0 when the certificate's signature has no usable hash: SCRAM-SHA-256-PLUS is then not offered.
 * Lives with the context. */
const unsigned char *tls_context_binding(const struct tls_context *context, size_t *len);

/* The newest entry of OpenSSL's error queue as text, and empties the queue. In `out`, which is
 * returned. */
const char *tls_error_text(char *out, size_t size);

#endif
