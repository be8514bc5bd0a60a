/*
 * certificate.c: what pgvigil reads from X.509 certificates (see certificate.h).
 *
 * Trust boundary: a certificate authority vouched for a client's certificate, but a name in it may
 * still be crafted so that it reads differently to different programs; such a name is refused,
 * never cut or cleaned.
 */
#include "proxy/certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <pgvigil/text.h>
#include <string.h>

/* The digest RFC 5929 asks for, or NULL. RSA-PSS names its hash in parameters, which
 * X509_get_signature_info reads. */
static const EVP_MD *end_point_digest(X509 *certificate)
{
    int digest = NID_undef;
    if (X509_get_signature_info(certificate, &digest, NULL, NULL, NULL) != 1)
        return NULL;
    if (digest == NID_md5 || digest == NID_sha1)
        return EVP_sha256();
    return digest == NID_undef ? NULL : EVP_get_digestbynid(digest);
}

enum status certificate_end_point_hash(X509 *certificate, unsigned char out[CERTIFICATE_HASH_MAX],
                                       size_t *len)
{
    *len = 0;
    const EVP_MD *digest = end_point_digest(certificate);
    ERR_clear_error();
    if (!digest || EVP_MD_get_size(digest) > CERTIFICATE_HASH_MAX)
        return ERR_INVALID;
    unsigned size = 0;
    if (X509_digest(certificate, digest, out, &size) != 1)
        return ERR_TLS;
    *len = size;
    return OK;
}

/* UTF-8 without control bytes. The conversion gives a length, so that a NUL inside is seen. */
static enum status read_name(const ASN1_STRING *value, char *out, size_t size)
{
    unsigned char *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, value);
    ERR_clear_error();
    if (len < 0)
        return ERR_INVALID;
    enum status status = ERR_INVALID;
    if (len > 0 && (size_t)len < size && text_is_utf8(text, (size_t)len)) {
        status = OK;
        for (int i = 0; i < len; i++) {
            if (text[i] < 0x20 || text[i] == 0x7f)
                status = ERR_INVALID;
        }
        memcpy(out, text, (size_t)len);
        out[len] = '\0';
    }
    if (status != OK)
        out[0] = '\0';
    OPENSSL_free(text);
    return status;
}

enum status certificate_peer_common_name(SSL *ssl, char *out, size_t size)
{
    out[0] = '\0';
    X509 *certificate = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK)
        return DENIED;
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, index) >= 0)
        return ERR_INVALID;
    return read_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)), out, size);
}
