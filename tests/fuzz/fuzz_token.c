/*
 * fuzz_token.c: signed tokens and the files of their keys.
 *
 * The first byte chooses: a token as it is; a header and claims (split at a line end) that are
 * signed here, so that what stands behind the signature is reached too; a file of keys. Beyond not
 * crashing: whoever is let in has a signature that only the private key makes, a printable name and
 * a time that is not over, and no signature with one bit changed is one.
 */
#include "proxy/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1700000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *signer;
static struct token_keys *keys;

static void require(bool truth, const char *what)
{
    if (truth)
        return;
    (void)fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

/* The key of the seeds: 32 bytes of 7. */
static void set_up(void)
{
    static const char jwks[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"fuzz\","
                               "\"x\":\"6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw\"}]}";
    unsigned char seed[32];
    struct buf why;
    if (signer != NULL)
        return;
    memset(seed, 7, sizeof seed);
    buf_init(&why, 0);
    signer = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    require(signer != NULL && token_keys_parse(jwks, sizeof jwks - 1, &keys, &why) == OK,
            "the test's own key");
    buf_free(&why);
}

static void put_base64url(struct buf *out, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < len; i += 3) {
        unsigned value = (unsigned)bytes[i] << 16;
        if (i + 1 < len)
            value |= (unsigned)bytes[i + 1] << 8;
        if (i + 2 < len)
            value |= bytes[i + 2];
        size_t chars = len - i >= 3 ? 4 : len - i + 1;
        for (size_t k = 0; k < chars; k++)
            buf_byte(out, (unsigned char)digits[value >> (18 - 6 * k) & 63]);
    }
}

static void sign(const char *text, size_t len, unsigned char signature[64])
{
    size_t signature_len = 64;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    require(context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, signer) == 1 &&
                EVP_DigestSign(context, signature, &signature_len, (const unsigned char *)text,
                               len) == 1,
            "a signature");
    EVP_MD_CTX_free(context);
}

static enum status check(const char *token)
{
    const struct token_rules rules = {
        .keys = keys, .issuer = "idp", .audience = "records", .claim = "sub"};
    struct token_facts facts;
    const char *why = NULL;
    enum status status = token_check(&rules, token, NOW, &facts, &why);
    require(status == OK || (status == DENIED && why != NULL), "a refusal says why");
    if (status != OK)
        return status;
    size_t len = strlen(facts.person);
    require(len > 0 && len < sizeof facts.person && facts.until > NOW, "who, and until when");
    for (size_t i = 0; i < len; i++)
        require((unsigned char)facts.person[i] >= 0x20, "a printable name");
    return OK;
}

/* Ed25519 has one signature for a text: that of the key's owner. */
static void try_token(const char *token)
{
    if (check(token) != OK)
        return;
    const char *last = strrchr(token, '.');
    unsigned char expected[64];
    unsigned char given[64];
    size_t len = 0;
    require(last != NULL &&
                token_base64url(last + 1, strlen(last + 1), given, sizeof given, &len) == OK,
            "a token that is taken has a signature");
    sign(token, (size_t)(last - token), expected);
    require(len == sizeof given && memcmp(given, expected, sizeof given) == 0,
            "nobody comes in by chance");
}

static void try_claims(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    size_t header = end == NULL ? size : (size_t)(end - data);
    size_t skipped = end == NULL ? size : header + 1;
    unsigned char signature[64];
    struct buf token;
    buf_init(&token, 0);
    put_base64url(&token, data, header);
    buf_byte(&token, '.');
    put_base64url(&token, data + skipped, size - skipped);
    sign((const char *)buf_head(&token), buf_len(&token), signature);
    size_t signed_len = buf_len(&token);
    buf_byte(&token, '.');
    put_base64url(&token, signature, sizeof signature);
    buf_byte(&token, '\0');
    require(!token.failed, "memory");
    char *text = (char *)buf_head(&token);
    if (check(text) == OK) {
        size_t at = signed_len + 1 + size % 80;
        text[at] = text[at] == 'A' ? 'B' : 'A';
        require(check(text) != OK, "a changed signature is none");
    }
    buf_free(&token);
}

static void try_keys(const uint8_t *data, size_t size)
{
    struct token_keys *found = NULL;
    struct buf why;
    buf_init(&why, 0);
    enum status status = token_keys_parse(data, size, &found, &why);
    require(status == OK ? found->count > 0 : buf_len(&why) > 0, "keys, or a reason");
    if (status == OK)
        token_keys_free(found);
    buf_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    set_up();
    if (size == 0)
        return 0;
    if (data[0] == 'k') {
        try_keys(data + 1, size - 1);
        return 0;
    }
    if (data[0] == 'c') {
        try_claims(data + 1, size - 1);
        return 0;
    }
    char *token = malloc(size);
    if (token == NULL)
        return 0;
    memcpy(token, data + 1, size - 1);
    token[size - 1] = '\0';
    try_token(token);
    free(token);
    return 0;
}
