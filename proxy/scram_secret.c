/*
 * scram_secret.c: from a password to the secret that stands in a policy file (see scram.h).
 *
 * Clients normalise a password with SASLprep before they hash it. All of ASCII and the precomposed
 * Latin letters are what they are under it; anything else is refused here rather than stored in a
 * form that no client arrives at.
 */
#include "proxy/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#define PASSWORD_MAX 512
#define SALT_BYTES   16

/* Letters of U+00C0 to U+017F that NFKC leaves alone, and the euro sign. */
static bool stable(unsigned point)
{
    if (point < 0xc0)
        return false;
    switch (point) {
    case 0x132: /* IJ and its kin are compatibility characters */
    case 0x133:
    case 0x13f:
    case 0x140:
    case 0x149:
    case 0x17f:
        return false;
    case 0x20ac:
        return true;
    default:
        return point <= 0x17f;
    }
}

/* The length of the acceptable character at `at`, or 0. */
static size_t character(const unsigned char *at)
{
    if (at[0] >= 0x20 && at[0] < 0x7f)
        return 1;
    if (at[0] >= 0xc3 && at[0] <= 0xc5 && (at[1] & 0xc0) == 0x80)
        return stable((unsigned)(at[0] & 0x1f) << 6 | (at[1] & 0x3fU)) ? 2 : 0;
    return memcmp(at, "\xe2\x82\xac", 3) == 0 ? 3 : 0;
}

static const char *objection(const char *password)
{
    size_t len = strlen(password);
    if (len == 0)
        return "the password is empty";
    if (len > PASSWORD_MAX)
        return "the password is longer than 512 bytes";
    /* memcmp in character() needs three bytes to look at. */
    unsigned char bytes[PASSWORD_MAX + 4] = {0};
    memcpy(bytes, password, len + 1);
    const char *why = NULL;
    for (size_t i = 0; i < len && !why;) {
        size_t step = character(bytes + i);
        if (step == 0)
            why = "the password holds a character that clients may normalise differently; use "
                  "printable ASCII, "
                  "European letters in their composed form (UTF-8) and the euro sign";
        i += step;
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
    return why;
}

static void put_base64(struct buf *out, const unsigned char *bytes, size_t len)
{
    unsigned char text[4 * SCRAM_SALT_MAX];
    int size = EVP_EncodeBlock(text, bytes, (int)len);
    buf_append(out, text, (size_t)size);
}

static enum status derive(const char *password, const unsigned char *salt, size_t salt_len,
                          uint32_t iterations, struct scram_secret *secret)
{
    unsigned char salted[SCRAM_KEY_BYTES];
    unsigned char client_key[SCRAM_KEY_BYTES];
    unsigned size = 0;
    bool fine = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, (int)salt_len,
                                  (int)iterations, EVP_sha256(), SCRAM_KEY_BYTES, salted) == 1 &&
                HMAC(EVP_sha256(), salted, SCRAM_KEY_BYTES, (const unsigned char *)"Client Key", 10,
                     client_key, &size) &&
                HMAC(EVP_sha256(), salted, SCRAM_KEY_BYTES, (const unsigned char *)"Server Key", 10,
                     secret->server_key, &size) &&
                SHA256(client_key, sizeof client_key, secret->stored_key);
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(client_key, sizeof client_key);
    return fine ? OK : ERR_TLS;
}

enum status scram_make_secret(const char *password, const unsigned char *salt, size_t salt_len,
                              uint32_t iterations, struct buf *out, const char **why)
{
    unsigned char drawn[SALT_BYTES];
    *why = objection(password);
    if (*why)
        return ERR_INVALID;
    if (!salt) {
        *why = "no random bytes from the system";
        if (RAND_bytes(drawn, sizeof drawn) != 1)
            return ERR_TLS;
        salt = drawn;
        salt_len = sizeof drawn;
    }
    *why = "the salt or the number of iterations is out of range";
    if (salt_len == 0 || salt_len > SCRAM_SALT_MAX || iterations == 0 || iterations > 10000000)
        return ERR_INVALID;
    struct scram_secret secret;
    enum status status = derive(password, salt, salt_len, iterations, &secret);
    if (status != OK)
        return *why = "OpenSSL cannot compute SCRAM keys", status;
    buf_printf(out, "SCRAM-SHA-256$%u:", iterations);
    put_base64(out, salt, salt_len);
    buf_byte(out, '$');
    put_base64(out, secret.stored_key, SCRAM_KEY_BYTES);
    buf_byte(out, ':');
    put_base64(out, secret.server_key, SCRAM_KEY_BYTES);
    OPENSSL_cleanse(&secret, sizeof secret);
    *why = "";
    return out->failed ? ERR_MEMORY : OK;
}
