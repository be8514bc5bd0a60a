/*
 * key.c: the Ed25519 keys of the trail (see key.h).
 *
 * Trust boundary: whoever holds the private key can rewrite the trail, so it is read once, never
 * copied, and an encrypted key is refused rather than asked for on the terminal.
 */
#include "key.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pgvigil/log.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RING_MAX 64U

struct key {
    EVP_PKEY *pkey;
    char fingerprint[KEY_FINGERPRINT];
};

struct key_ring {
    size_t count;
    struct key keys[RING_MAX];
};

/* No pass phrase is ever asked for: a server has no terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static enum status fingerprint(EVP_PKEY *pkey, char out[KEY_FINGERPRINT])
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    if (len <= 0)
        return ERR_INVALID;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_len = 0;
    int ok = EVP_Digest(der, (size_t)len, digest, &digest_len, EVP_sha256(), NULL);
    OPENSSL_free(der);
    if (ok != 1 || digest_len != 32)
        return ERR_MEMORY;
    text_hex(digest, digest_len, out);
    return OK;
}

static void warn_if_readable(FILE *file, const char *path)
{
    struct stat st;
    char quoted[512];
    if (fstat(fileno(file), &st) == 0 && (st.st_mode & 077) != 0)
        log_event(LOG_LEVEL_WARNING, "event=audit-key-readable file=%s mode=%04o",
                  log_quote(path, quoted, sizeof quoted), (unsigned)(st.st_mode & 07777));
}

enum status key_load(const char *file, struct key **key)
{
    FILE *in = fopen(file, "re");
    if (!in)
        return ERR_IO;
    warn_if_readable(in, file);
    EVP_PKEY *pkey = PEM_read_PrivateKey(in, NULL, no_passphrase, NULL);
    (void)fclose(in);
    ERR_clear_error();
    enum status status = ERR_INVALID;
    struct key *fresh = NULL;
    if (!pkey || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519)
        goto fail;
    status = ERR_MEMORY;
    fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        goto fail;
    status = fingerprint(pkey, fresh->fingerprint);
    if (status != OK)
        goto fail;
    fresh->pkey = pkey;
    *key = fresh;
    return OK;
fail:
    free(fresh);
    EVP_PKEY_free(pkey);
    return status;
}

void key_free(struct key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

const char *key_fingerprint(const struct key *key)
{
    return key->fingerprint;
}

enum status key_public_pem(const struct key *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio)
        return ERR_MEMORY;
    char *text = NULL;
    long len = 0;
    if (PEM_write_bio_PUBKEY(bio, key->pkey) == 1)
        len = BIO_get_mem_data(bio, &text);
    if (len > 0)
        buf_append(out, text, (size_t)len);
    (void)BIO_free(bio);
    return len > 0 && !out->failed ? OK : ERR_MEMORY;
}

enum status key_sign(const struct key *key, const void *bytes, size_t len,
                     unsigned char signature[KEY_SIGNATURE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx)
        return ERR_MEMORY;
    size_t size = KEY_SIGNATURE;
    bool ok = EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
              EVP_DigestSign(ctx, signature, &size, bytes, len) == 1 && size == KEY_SIGNATURE;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok ? OK : ERR_INTERNAL;
}

static enum status ring_read(FILE *in, struct key_ring *ring)
{
    for (;;) {
        EVP_PKEY *pkey = PEM_read_PUBKEY(in, NULL, no_passphrase, NULL);
        if (!pkey)
            return ring->count ? OK : ERR_INVALID;
        if (ring->count == RING_MAX || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519 ||
            fingerprint(pkey, ring->keys[ring->count].fingerprint) != OK) {
            EVP_PKEY_free(pkey);
            return ERR_INVALID;
        }
        ring->keys[ring->count++].pkey = pkey;
    }
}

enum status key_ring_load(const char *file, struct key_ring **ring)
{
    FILE *in = fopen(file, "re");
    if (!in)
        return ERR_IO;
    struct key_ring *fresh = calloc(1, sizeof *fresh);
    enum status status = fresh ? ring_read(in, fresh) : ERR_MEMORY;
    (void)fclose(in);
    ERR_clear_error();
    if (status != OK) {
        key_ring_free(fresh);
        return status;
    }
    *ring = fresh;
    return OK;
}

void key_ring_free(struct key_ring *ring)
{
    if (!ring)
        return;
    for (size_t i = 0; i < ring->count; i++)
        EVP_PKEY_free(ring->keys[i].pkey);
    free(ring);
}

bool key_ring_holds(const struct key_ring *ring, const char *wanted)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (strcmp(ring->keys[i].fingerprint, wanted) == 0)
            return true;
    }
    return false;
}

bool key_ring_verify(const struct key_ring *ring, const void *bytes, size_t len,
                     const unsigned char signature[KEY_SIGNATURE])
{
    bool good = false;
    for (size_t i = 0; i < ring->count && !good; i++) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        good = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, ring->keys[i].pkey) == 1 &&
               EVP_DigestVerify(ctx, signature, KEY_SIGNATURE, bytes, len) == 1;
        EVP_MD_CTX_free(ctx);
    }
    ERR_clear_error();
    return good;
}
