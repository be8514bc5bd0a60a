/*
 * token.c: checking a signed token (see token.h).
 *
 * The order is the defence: size, form, header, key, signature; only then the claims are looked at.
 */
#include "proxy/token.h"

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>
#include <strings.h>

#define PART_MAX       (TOKEN_MAX / 4 * 3)
#define ES256_HALF     32
#define SECONDS_MAX    253402300799.0 /* the year 9999 */
#define CLAIM_PLAIN(c) ((unsigned char)(c) >= 0x20 && (c) != 0x7f)

struct part {
    const char *text;
    size_t len;
};

static enum status deny(const char **why, const char *sentence)
{
    *why = sentence;
    ERR_clear_error();
    return DENIED;
}

/* header.payload.signature */
static bool split(const char *token, struct part parts[3])
{
    size_t count = 0;
    for (const char *at = token;; count++) {
        const char *dot = strchr(at, '.');
        if (count == 3)
            return false;
        parts[count].text = at;
        parts[count].len = dot == NULL ? strlen(at) : (size_t)(dot - at);
        if (dot == NULL)
            break;
        at = dot + 1;
    }
    return count == 2;
}

/* The JSON object in a part; NULL: none, or one that could be read in two ways. */
static json_t *object_of(const struct part *part)
{
    unsigned char bytes[PART_MAX];
    size_t len = 0;
    if (token_base64url(part->text, part->len, bytes, sizeof bytes, &len) != OK)
        return NULL;
    json_t *object = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

/* ---- the key ---- */

struct choice {
    const char *algorithm;
    const char *id; /* kid, or NULL */
};

static enum status read_header(const json_t *header, struct choice *choice, const char **why)
{
    const json_t *type = json_object_get(header, "typ");
    const json_t *id = json_object_get(header, "kid");
    choice->algorithm = json_string_value(json_object_get(header, "alg"));
    choice->id = json_string_value(id);
    if (choice->algorithm == NULL)
        return deny(why, "its header names no algorithm (alg)");
    if (strcasecmp(choice->algorithm, "none") == 0)
        return deny(why, "it is not signed (alg \"none\")");
    if (id != NULL && choice->id == NULL)
        return deny(why, "the key that its header names (kid) is no text");
    /* What must be understood is not: RFC 7515, 4.1.11. */
    if (json_object_get(header, "crit") != NULL)
        return deny(why, "its header asks for extensions (crit) that pgvigil does not know");
    const char *name = json_string_value(type);
    if (type != NULL &&
        (name == NULL || (strcasecmp(name, "JWT") != 0 && strcasecmp(name, "at+jwt") != 0)))
        return deny(why, "it is of another type (typ) than JWT");
    return OK;
}

/* A key that has no name is tried for every token; a token that names none is tried only where
 * there is nothing to choose. */
static bool is_meant(const struct token_keys *keys, const struct token_key *key, const char *id)
{
    if (key->id == NULL)
        return true;
    return id == NULL ? keys->count == 1 : strcmp(key->id, id) == 0;
}

/* ---- the signature ---- */

/* r and s, 32 bytes each, as OpenSSL wants them. Negative: cannot be. */
static int ecdsa_der(const unsigned char raw[2 * ES256_HALF], unsigned char **der)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, ES256_HALF, NULL);
    BIGNUM *s = BN_bin2bn(raw + ES256_HALF, ES256_HALF, NULL);
    int len = -1;
    if (signature == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(signature, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else {
        len = i2d_ECDSA_SIG(signature, der);
    }
    ECDSA_SIG_free(signature);
    return len;
}

static bool set_padding(EVP_PKEY_CTX *context, enum token_algorithm algorithm)
{
    switch (algorithm) {
    case TOKEN_RS256:
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    case TOKEN_PS256:
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    case TOKEN_ES256:
    case TOKEN_EDDSA:
        break;
    }
    return true;
}

static bool verify(const struct token_key *key, const char *token, size_t signed_len,
                   const unsigned char *signature, size_t len)
{
    unsigned char *der = NULL;
    if (key->algorithm == TOKEN_ES256) {
        int der_len = len == (size_t)2 * ES256_HALF ? ecdsa_der(signature, &der) : -1;
        if (der_len < 0)
            return false;
        signature = der;
        len = (size_t)der_len;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context = NULL;
    const EVP_MD *digest = key->algorithm == TOKEN_EDDSA ? NULL : EVP_sha256();
    bool good =
        context != NULL &&
        EVP_DigestVerifyInit(context, &key_context, digest, NULL, key->key) == 1 &&
        set_padding(key_context, key->algorithm) &&
        EVP_DigestVerify(context, signature, len, (const unsigned char *)token, signed_len) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    ERR_clear_error();
    return good;
}

static enum status check_signature(const struct token_keys *keys, const struct choice *choice,
                                   const char *token, const struct part parts[3], const char **why)
{
    unsigned char signature[PART_MAX];
    size_t len = 0;
    if (token_base64url(parts[2].text, parts[2].len, signature, sizeof signature, &len) != OK)
        return deny(why, "its signature is no base64url");
    bool meant = false;
    bool fits = false;
    size_t signed_len = (size_t)(parts[2].text - token) - 1;
    for (size_t i = 0; i < keys->count; i++) {
        const struct token_key *key = &keys->keys[i];
        if (!is_meant(keys, key, choice->id))
            continue;
        meant = true;
        /* The key says how it verifies; a token that says otherwise is not looked at. */
        if (strcmp(choice->algorithm, token_algorithm_name(key->algorithm)) != 0)
            continue;
        fits = true;
        if (verify(key, token, signed_len, signature, len))
            return OK;
    }
    if (!meant)
        return deny(why, choice->id == NULL
                             ? "it names no key (kid), and the policy has several"
                             : "it is signed with a key (kid) that the policy does not have");
    return deny(why, fits ? "its signature is not that of a key of the policy"
                          : "it is signed with an algorithm (alg) that its key is not for");
}

/* ---- the claims ---- */

static bool names_audience(const json_t *claims, const char *audience)
{
    const json_t *aud = json_object_get(claims, "aud");
    if (json_is_string(aud))
        return strcmp(json_string_value(aud), audience) == 0;
    bool found = false;
    for (size_t i = 0; i < json_array_size(aud); i++) {
        const char *one = json_string_value(json_array_get(aud, i));
        if (one == NULL)
            return false;
        found = found || strcmp(one, audience) == 0;
    }
    return found;
}

/* A NumericDate. `floor` of it, so that a token never lives longer than it says. */
static bool read_time(const json_t *value, int64_t *seconds)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0 && number <= SECONDS_MAX))
        return false;
    *seconds = (int64_t)number;
    return true;
}

static enum status check_times(const json_t *claims, int64_t now, struct token_facts *facts,
                               const char **why)
{
    const json_t *end = json_object_get(claims, "exp");
    const json_t *begin = json_object_get(claims, "nbf");
    const json_t *made = json_object_get(claims, "iat");
    int64_t from = 0;
    if (end == NULL)
        return deny(why, "it does not say when it ends (exp)");
    if (!read_time(end, &facts->until))
        return deny(why, "the time when it ends (exp) is no number of seconds");
    if (facts->until <= now)
        return deny(why, "it has expired (exp)");
    if (begin != NULL && !read_time(begin, &from))
        return deny(why, "the time when it begins (nbf) is no number of seconds");
    if (from > now + TOKEN_SKEW)
        return deny(why, "it is not valid yet (nbf)");
    from = 0;
    if (made != NULL && !read_time(made, &from))
        return deny(why, "the time when it was made (iat) is no number of seconds");
    if (from > now + TOKEN_SKEW)
        return deny(why, "it was made in the future (iat)");
    return OK;
}

static enum status read_person(const json_t *value, struct token_facts *facts, const char **why)
{
    const char *person = json_string_value(value);
    if (value == NULL)
        return deny(why, "the claim that names the person is not in it");
    if (person == NULL)
        return deny(why, "the claim that names the person is no text");
    size_t len = strlen(person);
    bool plain = len > 0 && len < sizeof facts->person;
    for (size_t i = 0; plain && i < len; i++)
        plain = CLAIM_PLAIN(person[i]);
    if (!plain)
        return deny(why, "the claim that names the person is empty, longer than 63 bytes or not "
                         "printable");
    memcpy(facts->person, person, len + 1);
    return OK;
}

static enum status check_claims(const struct token_rules *rules, const json_t *claims, int64_t now,
                                struct token_facts *facts, const char **why)
{
    const char *issuer = json_string_value(json_object_get(claims, "iss"));
    if (issuer == NULL || strcmp(issuer, rules->issuer) != 0)
        return deny(why, "it is of another issuer (iss) than the policy's");
    if (!names_audience(claims, rules->audience))
        return deny(why, "it was made for someone else (aud) than the policy's audience");
    enum status status = check_times(claims, now, facts, why);
    return status == OK ? read_person(json_object_get(claims, rules->claim), facts, why) : status;
}

enum status token_check(const struct token_rules *rules, const char *token, int64_t now,
                        struct token_facts *facts, const char **why)
{
    struct part parts[3];
    struct choice choice;
    memset(facts, 0, sizeof *facts);
    if (rules->keys == NULL || rules->issuer == NULL || rules->audience == NULL ||
        rules->claim == NULL)
        return deny(why, "the login takes no tokens");
    if (strnlen(token, TOKEN_MAX + 1) > TOKEN_MAX)
        return deny(why, "it is longer than 8192 bytes");
    if (!split(token, parts))
        return deny(why, "it is no signed token: header.payload.signature");
    json_t *header = object_of(&parts[0]);
    if (header == NULL)
        return deny(why, "its header is no JSON object in base64url, or has a member twice");
    enum status status = read_header(header, &choice, why);
    if (status == OK)
        status = check_signature(rules->keys, &choice, token, parts, why);
    json_decref(header);
    if (status != OK)
        return status;
    json_t *claims = object_of(&parts[1]);
    if (claims == NULL)
        return deny(why, "its claims are no JSON object in base64url, or one stands there twice");
    status = check_claims(rules, claims, now, facts, why);
    json_decref(claims);
    return status;
}
