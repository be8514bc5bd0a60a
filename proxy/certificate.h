/*
 * certificate.h: what pgvigil reads from X.509 certificates.
 *
 * A client's certificate was verified against client_ca by the handshake before anything here looks
 * at it; its fields are still bytes that the peer chose.
 */
#ifndef PGVIGIL_PROXY_CERTIFICATE_H
#define PGVIGIL_PROXY_CERTIFICATE_H

#include <openssl/ssl.h>
#include <pgvigil/status.h>
#include <stddef.h>

#define CERTIFICATE_HASH_MAX 64

/* RFC 5929 section 4.1: the hash of the signature algorithm, SHA-256 in place of MD5 and SHA-1.
 * ERR_INVALID when the algorithm has none (Ed25519): there is no tls-server-end-point binding then.
 * ERR_TLS. */
NODISCARD enum status
certificate_end_point_hash(X509 *certificate, unsigned char out[CERTIFICATE_HASH_MAX], size_t *len);

/*
 * The common name of the peer's verified certificate, NUL-terminated UTF-8.
 * OK. DENIED: the peer sent no certificate, or it was not verified. ERR_INVALID: no common name,
 * more than one, one with a NUL or control byte in it (the classic "admin\0.evil.example"), or
 * longer than `size`.
 */
NODISCARD enum status certificate_peer_common_name(SSL *ssl, char *out, size_t size);

#endif
