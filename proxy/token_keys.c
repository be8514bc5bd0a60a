/*
 * token_keys.c: public keys from PEM files and JWK sets (see token_keys.h).
 *
 * Trust boundary: the administrator's files, often copied from an identity provider's site. What is
 * of no use is passed over (keys for encryption, algorithms that are not known here); what would be
 * dangerous is an error (symmetric and private keys, short RSA).
 */
#include "proxy/token_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX     ((size_t)1 << 20)
#define KEYS_MAX     100
#define RSA_BITS_MIN 2048
#define NUMBER_MAX   1024 /* bytes of an RSA modulus */

const char *token_algorithm_name(enum token_algorithm algorithm)
{
    static const char *const names[] = {"RS256", "PS256", "ES256", "EdDSA"};
    return names[algorithm];
}

/* ---- base64url ---- */

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

enum status token_base64url(const char *text, size_t len, unsigned char *out, size_t size,
                            size_t *used)
{
    unsigned bits = 0;
    unsigned held = 0;
    *used = 0;
    if (len % 4 == 1)
        return ERR_INVALID;
    for (size_t i = 0; i < len; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return ERR_INVALID;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (*used == size)
            return ERR_INVALID;
        out[(*used)++] = (unsigned char)(bits >> held);
    }
    /* What is left over says nothing, so it must be nothing: one text for each value. */
    return (bits & ((1u << held) - 1)) == 0 ? OK : ERR_INVALID;
}

/* ---- the set ---- */

struct reader {
    struct token_keys *keys;
    struct buf *why;
};

static enum status invalid(const struct reader *reader, const char *why)
{
    buf_str(reader->why, why);
    ERR_clear_error();
    return ERR_INVALID;
}

/* Takes `key`. */
static enum status add(const struct reader *reader, EVP_PKEY *key, enum token_algorithm algorithm,
                       const char *id)
{
    struct token_keys *keys = reader->keys;
    char *copy = id == NULL ? NULL : strdup(id);
    struct token_key *grown = keys->count >= KEYS_MAX
                                  ? NULL
                                  : realloc(keys->keys, (keys->count + 1) * sizeof keys->keys[0]);
    if (grown != NULL)
        keys->keys = grown;
    if (grown == NULL || (id != NULL && copy == NULL)) {
        EVP_PKEY_free(key);
        free(copy);
        return keys->count >= KEYS_MAX ? invalid(reader, "it holds more than 100 keys")
                                       : ERR_MEMORY;
    }
    keys->keys[keys->count++] = (struct token_key){.key = key, .algorithm = algorithm, .id = copy};
    return OK;
}

static bool is_p256(const EVP_PKEY *key)
{
    char group[64];
    size_t len = 0;
    return EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

/* The one algorithm of a key's kind. */
static enum status algorithm_of(const struct reader *reader, const EVP_PKEY *key,
                                enum token_algorithm *algorithm)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        *algorithm = TOKEN_RS256;
        return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN
                   ? OK
                   : invalid(reader, "an RSA key must have 2048 bits or more");
    case EVP_PKEY_EC:
        *algorithm = TOKEN_ES256;
        return is_p256(key) ? OK : invalid(reader, "of elliptic curves only P-256 is supported");
    case EVP_PKEY_ED25519:
        *algorithm = TOKEN_EDDSA;
        return OK;
    default:
        return invalid(reader, "keys are RSA, P-256 or Ed25519");
    }
}

/* ---- PEM ---- */

static EVP_PKEY *key_of_certificate(const unsigned char *data, long len)
{
    X509 *certificate = d2i_X509(NULL, &data, len);
    EVP_PKEY *key = certificate == NULL ? NULL : X509_get_pubkey(certificate);
    X509_free(certificate);
    return key;
}

static enum status read_block(const struct reader *reader, const char *name,
                              const unsigned char *data, long len)
{
    if (strstr(name, "PRIVATE KEY") != NULL)
        return invalid(reader, "it holds a private key: whoever can read it can make tokens; give "
                               "the public half only (openssl pkey -pubout)");
    EVP_PKEY *key = NULL;
    if (strcmp(name, PEM_STRING_PUBLIC) == 0)
        key = d2i_PUBKEY(NULL, &data, len);
    else if (strcmp(name, PEM_STRING_X509) == 0)
        key = key_of_certificate(data, len);
    else
        return invalid(reader, "a PEM file of keys holds \"PUBLIC KEY\" and \"CERTIFICATE\" only");
    if (key == NULL)
        return invalid(reader, "a key in it cannot be read");
    enum token_algorithm algorithm;
    enum status status = algorithm_of(reader, key, &algorithm);
    if (status == OK)
        return add(reader, key, algorithm, NULL);
    EVP_PKEY_free(key);
    return status;
}

static enum status read_pem(const struct reader *reader, const void *text, size_t len)
{
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    enum status status = bio == NULL ? ERR_MEMORY : OK;
    char *name = NULL;
    char *header = NULL;
    unsigned char *data = NULL;
    long size = 0;
    while (status == OK && PEM_read_bio(bio, &name, &header, &data, &size) == 1) {
        status = read_block(reader, name, data, size);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    ERR_clear_error();
    BIO_free(bio);
    if (status == OK && reader->keys->count == 0)
        return invalid(reader, "it is neither a PEM file with public keys nor a JWK set");
    return status;
}

/* ---- JWK ---- */

static enum status member_bytes(const json_t *jwk, const char *name, unsigned char *out,
                                size_t size, size_t *used)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    *used = 0;
    return text == NULL ? ERR_INVALID : token_base64url(text, strlen(text), out, size, used);
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    context = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
    /* A point off the curve, an even modulus. */
    if (key != NULL && (context == NULL || EVP_PKEY_public_check(context) != 1)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *rsa_key(const json_t *jwk)
{
    unsigned char modulus[NUMBER_MAX];
    unsigned char exponent[8];
    size_t modulus_len;
    size_t exponent_len;
    if (member_bytes(jwk, "n", modulus, sizeof modulus, &modulus_len) != OK ||
        member_bytes(jwk, "e", exponent, sizeof exponent, &exponent_len) != OK)
        return NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_len, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_len, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (n != NULL && e != NULL && builder != NULL &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        key = from_parameters("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

static EVP_PKEY *p256_key(const json_t *jwk)
{
    unsigned char point[65] = {4};
    size_t x_len;
    size_t y_len;
    if (member_bytes(jwk, "x", point + 1, 32, &x_len) != OK || x_len != 32 ||
        member_bytes(jwk, "y", point + 33, 32, &y_len) != OK || y_len != 32)
        return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) ==
            1)
        key = from_parameters("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *ed25519_key(const json_t *jwk)
{
    unsigned char raw[32];
    size_t len;
    if (member_bytes(jwk, "x", raw, sizeof raw, &len) != OK || len != sizeof raw)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof raw);
}

static bool is_text(const json_t *jwk, const char *name, const char *text)
{
    const char *value = json_string_value(json_object_get(jwk, name));
    return value != NULL && strcmp(value, text) == 0;
}

/* What a JWK must say of itself for one of the algorithms; EVP_PKEY by its maker. */
static const struct jwk_kind {
    const char *type;
    const char *curve; /* NULL: has none */
    const char *name;  /* alg */
    bool named;        /* only when the JWK says so */
    enum token_algorithm algorithm;
    EVP_PKEY *(*make)(const json_t *jwk);
} jwk_kinds[] = {
    {"RSA", NULL, "RS256", false, TOKEN_RS256, rsa_key},
    {"RSA", NULL, "PS256", true, TOKEN_PS256, rsa_key},
    {"EC", "P-256", "ES256", false, TOKEN_ES256, p256_key},
    {"OKP", "Ed25519", "EdDSA", false, TOKEN_EDDSA, ed25519_key},
};

/* NULL: none that is of use here. */
static const struct jwk_kind *kind_of(const json_t *jwk)
{
    for (size_t i = 0; i < sizeof jwk_kinds / sizeof jwk_kinds[0]; i++) {
        const struct jwk_kind *kind = &jwk_kinds[i];
        bool silent = json_object_get(jwk, "alg") == NULL && !kind->named;
        if (is_text(jwk, "kty", kind->type) &&
            (kind->curve == NULL || is_text(jwk, "crv", kind->curve)) &&
            (silent || is_text(jwk, "alg", kind->name)))
            return kind;
    }
    return NULL;
}

static enum status read_jwk(const struct reader *reader, const json_t *jwk)
{
    if (!json_is_object(jwk))
        return invalid(reader, "\"keys\" of a JWK set holds objects");
    if (is_text(jwk, "kty", "oct") || json_object_get(jwk, "k") != NULL)
        return invalid(reader, "it holds a symmetric key (oct): whoever can read it can make "
                               "tokens; have the issuer sign with RSA, P-256 or Ed25519");
    if (json_object_get(jwk, "d") != NULL)
        return invalid(reader, "it holds a private key: whoever can read it can make tokens; give "
                               "the public half only");
    const struct jwk_kind *kind = kind_of(jwk);
    const json_t *use = json_object_get(jwk, "use");
    if (kind == NULL || (use != NULL && !is_text(jwk, "use", "sig")))
        return OK;
    EVP_PKEY *key = kind->make(jwk);
    if (key == NULL)
        return invalid(reader, "a key in it cannot be read");
    if (kind->algorithm == TOKEN_RS256 || kind->algorithm == TOKEN_PS256) {
        enum token_algorithm unused;
        enum status status = algorithm_of(reader, key, &unused);
        if (status != OK) {
            EVP_PKEY_free(key);
            return status;
        }
    }
    return add(reader, key, kind->algorithm, json_string_value(json_object_get(jwk, "kid")));
}

static enum status read_jwks(const struct reader *reader, const void *text, size_t len)
{
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return invalid(reader, "it is no JSON object, or one with a member twice");
    }
    const json_t *list = json_object_get(root, "keys");
    enum status status = OK;
    if (list == NULL)
        status = read_jwk(reader, root);
    else if (!json_is_array(list))
        status = invalid(reader, "\"keys\" of a JWK set is an array");
    for (size_t i = 0; status == OK && i < json_array_size(list); i++)
        status = read_jwk(reader, json_array_get(list, i));
    json_decref(root);
    if (status == OK && reader->keys->count == 0)
        return invalid(reader, "no key in it is of use: RSA (RS256, PS256), P-256 (ES256) or "
                               "Ed25519 (EdDSA), for signatures");
    return status;
}

/* ---- both ---- */

static enum status make_digest(struct token_keys *keys)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < keys->count; i++) {
        unsigned char *der = NULL;
        int len = i2d_PUBKEY(keys->keys[i].key, &der);
        const char *id = keys->keys[i].id == NULL ? "" : keys->keys[i].id;
        const char *algorithm = token_algorithm_name(keys->keys[i].algorithm);
        good = len > 0 && EVP_DigestUpdate(context, der, (size_t)len) == 1 &&
               EVP_DigestUpdate(context, id, strlen(id) + 1) == 1 &&
               EVP_DigestUpdate(context, algorithm, strlen(algorithm) + 1) == 1;
        OPENSSL_free(der);
    }
    good = good && EVP_DigestFinal_ex(context, keys->digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good ? OK : ERR_MEMORY;
}

enum status token_keys_parse(const void *text, size_t len, struct token_keys **out, struct buf *why)
{
    struct token_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL)
        return ERR_MEMORY;
    const struct reader reader = {.keys = keys, .why = why};
    const char *at = text;
    size_t i = 0;
    while (i < len && (at[i] == ' ' || at[i] == '\t' || at[i] == '\r' || at[i] == '\n'))
        i++;
    enum status status =
        i < len && at[i] == '{' ? read_jwks(&reader, text, len) : read_pem(&reader, text, len);
    if (status == OK)
        status = make_digest(keys);
    if (status != OK) {
        token_keys_free(keys);
        return status;
    }
    *out = keys;
    return OK;
}

enum status token_keys_read(const char *path, struct token_keys **keys, struct buf *why)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &about) != 0) {
        buf_str(why, strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_INVALID;
    }
    enum status status = ERR_INVALID;
    char *text = NULL;
    if (!S_ISREG(about.st_mode) || about.st_size < 1 || (size_t)about.st_size > FILE_MAX) {
        buf_str(why, "it is empty, too large, or no file");
    } else if ((text = malloc((size_t)about.st_size)) == NULL) {
        status = ERR_MEMORY;
    } else {
        ssize_t got = read(fd, text, (size_t)about.st_size);
        if (got < 0)
            buf_str(why, strerror(errno));
        else
            status = token_keys_parse(text, (size_t)got, keys, why);
    }
    free(text);
    close(fd);
    return status;
}

void token_keys_free(struct token_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        EVP_PKEY_free(keys->keys[i].key);
        free(keys->keys[i].id);
    }
    free(keys->keys);
    free(keys);
}

/* ---- of a policy ---- */

struct token_ring {
    atomic_uint refs;
    size_t count;
    struct token_keys *of[]; /* by the user's place in the policy; NULL: none */
};

enum status token_ring_read(const struct policy *policy, struct token_ring **out, struct buf *why)
{
    struct token_ring *ring =
        calloc(1, sizeof *ring + policy->user_count * sizeof(struct token_keys *));
    if (ring == NULL)
        return ERR_MEMORY;
    atomic_init(&ring->refs, 1);
    ring->count = policy->user_count;
    enum status status = OK;
    for (size_t i = 0; i < ring->count && status != ERR_MEMORY; i++) {
        const struct policy_on_behalf *on_behalf = policy->users[i].on_behalf;
        if (on_behalf == NULL || on_behalf->keys == NULL)
            continue;
        struct buf told;
        buf_init(&told, 4096);
        enum status one = token_keys_read(on_behalf->keys, &ring->of[i], &told);
        buf_byte(&told, '\0');
        if (one == ERR_INVALID)
            buf_printf(why, "%s:%u: user \"%s\": the keys in %s cannot be used: %s\n",
                       on_behalf->keys_place.file, on_behalf->keys_place.line,
                       policy->users[i].name, on_behalf->keys,
                       told.failed ? "" : (const char *)buf_head(&told));
        buf_free(&told);
        status = one == OK ? status : one;
    }
    if (status != OK) {
        token_ring_unref(ring);
        return status;
    }
    *out = ring;
    return OK;
}

struct token_ring *token_ring_ref(struct token_ring *ring)
{
    if (ring != NULL)
        atomic_fetch_add_explicit(&ring->refs, 1, memory_order_relaxed);
    return ring;
}

void token_ring_unref(struct token_ring *ring)
{
    if (ring == NULL || atomic_fetch_sub_explicit(&ring->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < ring->count; i++)
        token_keys_free(ring->of[i]);
    free(ring);
}

const struct token_keys *token_ring_keys(const struct token_ring *ring, const struct policy *policy,
                                         const struct policy_user *login)
{
    size_t index = (size_t)(login - policy->users);
    return ring == NULL || index >= ring->count ? NULL : ring->of[index];
}
