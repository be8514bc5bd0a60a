/*
 * scram.c: the server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (see scram.h).
 *
 * Trust boundary: every message is an attacker's who knows the protocol. Four things are defended:
 * - who exists: unknown users take the same steps with a made-up secret; the failure comes at the
 * same place;
 * - the password: only StoredKey and ServerKey are ever held, compared in constant time, wiped when
 * done;
 * - the channel: with -PLUS the proof covers our certificate's hash; a client that could bind but
 * believes that we cannot (flag 'y' while we offered it) has been lied to by somebody in between,
 * and is refused;
 * - freshness: 18 random bytes of ours in the nonce, checked on the way back.
 */
#include "proxy/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MECHANISM      "SCRAM-SHA-256"
#define MECHANISM_PLUS "SCRAM-SHA-256-PLUS"
#define NONCE_BYTES    18
#define NONCE_MAX      512
#define MESSAGE_MAX    1024 /* PostgreSQL's PG_MAX_SASL_MESSAGE_LENGTH */
#define BINDING_MAX    64
#define MOCK_SALT      16

enum scram_state { SCRAM_FIRST = 0, SCRAM_FINAL, SCRAM_OVER };

struct scram {
    enum scram_state state;
    bool known; /* there is a secret; a false one can never be passed */
    bool bound;
    struct scram_secret secret;
    unsigned char binding[BINDING_MAX];
    size_t binding_len;
    char gs2[MESSAGE_MAX + 1]; /* the client's GS2 header, as it must come back in c= */
    char first_bare[MESSAGE_MAX + 1];
    char nonce[NONCE_MAX + 1]; /* the client's and ours */
    char server_first[MESSAGE_MAX + NONCE_MAX];
};

static unsigned char mock_key[SCRAM_KEY_BYTES];
static bool mock_key_set;

enum status scram_init(void)
{
    if (RAND_bytes(mock_key, sizeof mock_key) != 1)
        return ERR_TLS;
    mock_key_set = true;
    return OK;
}

static bool hmac(const unsigned char *key, const void *bytes, size_t len,
                 unsigned char out[SCRAM_KEY_BYTES])
{
    unsigned size = 0;
    return HMAC(EVP_sha256(), key, SCRAM_KEY_BYTES, bytes, len, out, &size) &&
           size == SCRAM_KEY_BYTES;
}

/* Strict base64: whole groups of four, padding only at the end. Returns the length, or -1. */
static int decode(const char *text, size_t len, unsigned char *out, size_t size)
{
    if (len == 0 || len % 4 != 0 || len / 4 * 3 > MESSAGE_MAX)
        return -1;
    size_t padding = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '+' || c == '/';
        if (c == '=' && i + 2 >= len)
            padding++;
        else if (!letter || padding > 0)
            return -1;
    }
    unsigned char bytes[MESSAGE_MAX + 3];
    int got = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len);
    size_t count = got < 0 ? 0 : (size_t)got - padding;
    if (got < 0 || count > size)
        return -1;
    memcpy(out, bytes, count);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return (int)count;
}

/* ---- secrets ---- */

enum status scram_parse_secret(const char *text, struct scram_secret *secret)
{
    static const char prefix[] = MECHANISM "$";
    memset(secret, 0, sizeof *secret);
    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return ERR_INVALID;
    const char *at = text + sizeof prefix - 1;
    if (*at < '1' || *at > '9')
        return ERR_INVALID;
    char *end = NULL;
    unsigned long iterations = strtoul(at, &end, 10);
    if (*end != ':' || iterations > INT32_MAX)
        return ERR_INVALID;
    const char *salt = end + 1;
    size_t salt_chars = strcspn(salt, "$");
    if (salt[salt_chars] != '$')
        return ERR_INVALID;
    const char *stored = salt + salt_chars + 1;
    size_t stored_chars = strcspn(stored, ":");
    if (stored[stored_chars] != ':')
        return ERR_INVALID;
    const char *server = stored + stored_chars + 1;
    int salt_len = decode(salt, salt_chars, secret->salt, sizeof secret->salt);
    if (salt_len < 1 ||
        decode(stored, stored_chars, secret->stored_key, SCRAM_KEY_BYTES) != SCRAM_KEY_BYTES ||
        decode(server, strlen(server), secret->server_key, SCRAM_KEY_BYTES) != SCRAM_KEY_BYTES) {
        OPENSSL_cleanse(secret, sizeof *secret);
        return ERR_INVALID;
    }
    secret->iterations = (uint32_t)iterations;
    secret->salt_len = (size_t)salt_len;
    return OK;
}

/* The same salt for the same name as long as the process lives: a salt that changed would tell that
 * nobody is there. */
static bool mock_secret(const struct scram_options *options, struct scram_secret *secret)
{
    unsigned char salt[SCRAM_KEY_BYTES];
    if (!mock_key_set || !hmac(mock_key, options->user, strlen(options->user), salt))
        return false;
    secret->iterations =
        options->unknown_iterations ? options->unknown_iterations : SCRAM_DEFAULT_ITERATIONS;
    secret->salt_len = MOCK_SALT;
    memcpy(secret->salt, salt, MOCK_SALT);
    return RAND_bytes(secret->stored_key, SCRAM_KEY_BYTES) == 1 &&
           RAND_bytes(secret->server_key, SCRAM_KEY_BYTES) == 1;
}

struct scram *scram_new(const struct scram_options *options)
{
    struct scram *scram = calloc(1, sizeof *scram);
    if (!scram)
        return NULL;
    /* Both ways are walked for everybody, so that time does not tell either. */
    struct scram_secret mock;
    bool mocked = mock_secret(options, &mock);
    scram->known = scram_parse_secret(options->secret ? options->secret : "", &scram->secret) == OK;
    if (!scram->known)
        scram->secret = mock;
    if (!mocked || options->binding_len > BINDING_MAX) {
        scram_free(scram);
        return NULL;
    }
    if (options->binding) {
        memcpy(scram->binding, options->binding, options->binding_len);
        scram->binding_len = options->binding_len;
    }
    return scram;
}

void scram_free(struct scram *scram)
{
    if (!scram)
        return;
    OPENSSL_cleanse(scram, sizeof *scram);
    free(scram);
}

bool scram_bound(const struct scram *scram)
{
    return scram->bound;
}

void scram_start(struct scram *scram, struct buf *out)
{
    static const char *const mechanisms[] = {MECHANISM_PLUS, MECHANISM};
    bool plus = scram->binding_len > 0;
    wire_put_auth_sasl(out, plus ? mechanisms : mechanisms + 1, plus ? 2 : 1);
}

/* ---- the client's first message ---- */

/* Moves *at behind "x=" and the value; NULL when it is not there. *len is the value's. */
static const char *attribute(const char **at, char name, size_t *len)
{
    const char *text = *at;
    if (text[0] != name || text[1] != '=')
        return NULL;
    *len = strcspn(text + 2, ",");
    *at = text + 2 + *len;
    return text + 2;
}

/* Printable ASCII but the comma, as RFC 5802 has it. */
static bool printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x21 || text[i] > 0x7e || text[i] == ',')
            return false;
    }
    return len > 0;
}

/* The channel binding flag and authorisation name, up to the bare message. */
static enum status read_gs2(struct scram *scram, const char **at, bool plus, const char **why)
{
    const char *text = *at;
    size_t len = 0;
    switch (text[0]) {
    case 'n':
        if (plus)
            return *why = "SCRAM-SHA-256-PLUS was chosen without channel binding", ERR_PROTOCOL;
        (*at)++;
        break;
    case 'y':
        if (plus)
            return *why = "SCRAM-SHA-256-PLUS was chosen without channel binding", ERR_PROTOCOL;
        if (scram->binding_len > 0)
            return *why = "SCRAM channel binding negotiation error: the client supports it and "
                          "thinks that the server does not; somebody may be in between",
                   ERR_AUTH;
        (*at)++;
        break;
    case 'p': {
        static const char type[] = "tls-server-end-point";
        const char *value = attribute(at, 'p', &len);
        if (!plus)
            return *why = "channel binding without SCRAM-SHA-256-PLUS", ERR_PROTOCOL;
        if (!value || len != sizeof type - 1 || memcmp(value, type, len) != 0)
            return *why = "unsupported SCRAM channel-binding type", ERR_PROTOCOL;
        break;
    }
    default:
        return *why = "malformed SCRAM message: unexpected channel-binding flag", ERR_PROTOCOL;
    }
    if (**at != ',')
        return *why = "malformed SCRAM message: comma expected", ERR_PROTOCOL;
    (*at)++;
    if (**at != ',')
        return *why = "SCRAM authorization identity is not supported", ERR_PROTOCOL;
    (*at)++;
    memcpy(scram->gs2, text, (size_t)(*at - text));
    scram->gs2[*at - text] = '\0';
    return OK;
}

static enum status read_first(struct scram *scram, const char *text, bool plus, const char **why)
{
    const char *at = text;
    enum status status = read_gs2(scram, &at, plus, why);
    if (status != OK)
        return status;
    (void)snprintf(scram->first_bare, sizeof scram->first_bare, "%s", at);
    size_t len = 0;
    if (*at == 'm')
        return *why = "client requires an unsupported SCRAM extension", ERR_PROTOCOL;
    /* The name in here is ignored, as by PostgreSQL: the start-up message's counts. */
    if (!attribute(&at, 'n', &len) || *at++ != ',')
        return *why = "malformed SCRAM message: no user name", ERR_PROTOCOL;
    const char *nonce = attribute(&at, 'r', &len);
    if (!nonce || !printable(nonce, len))
        return *why = "malformed SCRAM message: no printable nonce", ERR_PROTOCOL;
    if (len > NONCE_MAX - 32)
        return *why = "SCRAM nonce is too long", ERR_PROTOCOL;
    memcpy(scram->nonce, nonce, len);
    scram->nonce[len] = '\0';
    /* Optional extensions after the nonce are covered by the proof and otherwise ignored. */
    return OK;
}

static enum status put_server_first(struct scram *scram, struct buf *out)
{
    unsigned char random[NONCE_BYTES];
    if (RAND_bytes(random, sizeof random) != 1)
        return ERR_TLS;
    size_t used = strlen(scram->nonce);
    (void)EVP_EncodeBlock((unsigned char *)scram->nonce + used, random, sizeof random);
    unsigned char salt[SCRAM_SALT_MAX * 2];
    (void)EVP_EncodeBlock(salt, scram->secret.salt, (int)scram->secret.salt_len);
    int len = snprintf(scram->server_first, sizeof scram->server_first, "r=%s,s=%s,i=%u",
                       scram->nonce, (char *)salt, scram->secret.iterations);
    wire_put_auth_sasl_continue(out, scram->server_first, (size_t)len);
    return out->failed ? ERR_MEMORY : NEED_MORE;
}

/* A copy that ends in a NUL and holds none before it. */
static bool copy_text(const unsigned char *bytes, size_t len, char out[MESSAGE_MAX + 1])
{
    if (!bytes || len > MESSAGE_MAX || memchr(bytes, 0, len))
        return false;
    memcpy(out, bytes, len);
    out[len] = '\0';
    return true;
}

static enum status step_first(struct scram *scram, const struct wire_message *message,
                              struct buf *out, const char **why)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    const char *mechanism = wire_get_cstr(&cursor);
    int32_t len = 0;
    const unsigned char *bytes = wire_get_value(&cursor, &len);
    if (wire_end(&cursor) != OK)
        return *why = "malformed SASLInitialResponse", ERR_PROTOCOL;
    bool plus = strcmp(mechanism, MECHANISM_PLUS) == 0;
    if ((plus && scram->binding_len == 0) || (!plus && strcmp(mechanism, MECHANISM) != 0))
        return *why = "client selected an invalid SASL authentication mechanism", ERR_PROTOCOL;
    char text[MESSAGE_MAX + 1];
    if (len < 0 || !copy_text(bytes, (size_t)len, text))
        return *why = "malformed SCRAM message: its length is wrong", ERR_PROTOCOL;
    enum status status = read_first(scram, text, plus, why);
    if (status != OK)
        return status;
    scram->bound = plus;
    return put_server_first(scram, out);
}

/* ---- the client's final message ---- */

/* c= holds the GS2 header again and, bound, our certificate's hash: what the client saw is what we
 * have. */
static enum status check_binding(const struct scram *scram, const char *value, size_t len,
                                 const char **why)
{
    unsigned char expected[MESSAGE_MAX + BINDING_MAX];
    size_t gs2 = strlen(scram->gs2);
    memcpy(expected, scram->gs2, gs2);
    size_t expected_len = gs2;
    if (scram->bound) {
        memcpy(expected + gs2, scram->binding, scram->binding_len);
        expected_len += scram->binding_len;
    }
    unsigned char got[MESSAGE_MAX];
    int got_len = decode(value, len, got, sizeof got);
    if (got_len >= 0 && (size_t)got_len == expected_len &&
        CRYPTO_memcmp(got, expected, expected_len) == 0)
        return OK;
    *why = scram->bound ? "SCRAM channel binding check failed"
                        : "unexpected SCRAM channel-binding attribute in client-final-message";
    return scram->bound ? ERR_AUTH : ERR_PROTOCOL;
}

/* Reads c=, r=, extensions, p=; *proof is decoded, *without_proof the text's length before ",p=".
 */
static enum status read_final(const struct scram *scram, const char *text,
                              unsigned char proof[SCRAM_KEY_BYTES], size_t *without_proof,
                              const char **why)
{
    const char *at = text;
    size_t len = 0;
    const char *binding = attribute(&at, 'c', &len);
    if (!binding || *at++ != ',')
        return *why = "malformed SCRAM message: no channel binding", ERR_PROTOCOL;
    enum status status = check_binding(scram, binding, len, why);
    if (status != OK)
        return status;
    const char *nonce = attribute(&at, 'r', &len);
    if (!nonce)
        return *why = "malformed SCRAM message: no nonce", ERR_PROTOCOL;
    if (len != strlen(scram->nonce) || CRYPTO_memcmp(nonce, scram->nonce, len) != 0)
        return *why = "invalid SCRAM response: nonce does not match", ERR_PROTOCOL;
    const char *last = strrchr(text, ',');
    /* Optional extensions may stand between; the proof is the last attribute. */
    if (!last || last < at || last[1] != 'p' || last[2] != '=')
        return *why = "malformed SCRAM message: no proof at its end", ERR_PROTOCOL;
    if (decode(last + 3, strlen(last + 3), proof, SCRAM_KEY_BYTES) != SCRAM_KEY_BYTES)
        return *why = "malformed SCRAM message: malformed proof", ERR_PROTOCOL;
    *without_proof = (size_t)(last - text);
    return OK;
}

/* StoredKey == H(proof xor HMAC(StoredKey, AuthMessage)), and the server's signature over the same.
 */
static bool proof_fits(const struct scram *scram, const char *auth_message, size_t len,
                       const unsigned char proof[SCRAM_KEY_BYTES],
                       unsigned char server_signature[SCRAM_KEY_BYTES])
{
    unsigned char signature[SCRAM_KEY_BYTES];
    unsigned char key[SCRAM_KEY_BYTES];
    unsigned char stored[SCRAM_KEY_BYTES];
    if (!hmac(scram->secret.stored_key, auth_message, len, signature) ||
        !hmac(scram->secret.server_key, auth_message, len, server_signature))
        return false;
    for (size_t i = 0; i < SCRAM_KEY_BYTES; i++)
        key[i] = proof[i] ^ signature[i];
    bool hashed = SHA256(key, sizeof key, stored) != NULL;
    bool equal = CRYPTO_memcmp(stored, scram->secret.stored_key, SCRAM_KEY_BYTES) == 0;
    OPENSSL_cleanse(key, sizeof key);
    return hashed && equal && scram->known;
}

static enum status step_final(struct scram *scram, const struct wire_message *message,
                              struct buf *out, const char **why)
{
    char text[MESSAGE_MAX + 1];
    if (!copy_text(message->body, message->len, text))
        return *why = "malformed SCRAM message: its length is wrong", ERR_PROTOCOL;
    unsigned char proof[SCRAM_KEY_BYTES];
    size_t without_proof = 0;
    enum status status = read_final(scram, text, proof, &without_proof, why);
    if (status != OK)
        return status;
    char auth[3 * MESSAGE_MAX + NONCE_MAX];
    int len = snprintf(auth, sizeof auth, "%s,%s,%.*s", scram->first_bare, scram->server_first,
                       (int)without_proof, text);
    unsigned char signature[SCRAM_KEY_BYTES];
    if (len < 0 || (size_t)len >= sizeof auth)
        return *why = "SCRAM messages are too long", ERR_PROTOCOL;
    if (!proof_fits(scram, auth, (size_t)len, proof, signature))
        return *why = "password authentication failed", ERR_AUTH;
    char final[64] = "v=";
    int encoded = EVP_EncodeBlock((unsigned char *) final + 2, signature, sizeof signature);
    wire_put_auth_sasl_final(out, final, (size_t)encoded + 2);
    return out->failed ? ERR_MEMORY : OK;
}

enum status scram_step(struct scram *scram, const struct wire_message *message, struct buf *out,
                       const char **why)
{
    enum scram_state state = scram->state;
    scram->state = SCRAM_OVER;
    *why = "";
    if (message->type != 'p' || state == SCRAM_OVER)
        return *why = "unexpected message during authentication", ERR_PROTOCOL;
    if (state == SCRAM_FINAL)
        return step_final(scram, message, out, why);
    enum status status = step_first(scram, message, out, why);
    if (status == NEED_MORE)
        scram->state = SCRAM_FINAL;
    return status;
}
