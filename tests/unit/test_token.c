/*
 * test_token.c: times to the second, claims of every wrong kind, and files of keys. What is forged
 * with other keys and algorithms is in tests/attacks/test_token_attacks.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/token.h"

#include <openssl/pem.h>

#define NOW 1700000000

static EVP_PKEY *signer;
static struct token_keys *keys;

static int set_up(void **state)
{
    (void)state;
    struct buf pem;
    buf_init(&pem, 0);
    signer = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, signer), 1);
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    enum status status = token_keys_parse(text, (size_t)len, &keys, &pem);
    BIO_free(bio);
    buf_free(&pem);
    return status != OK;
}

static int tear_down(void **state)
{
    (void)state;
    token_keys_free(keys);
    EVP_PKEY_free(signer);
    return 0;
}

static void put_base64url(char *out, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned held = 0;
    unsigned bits = 0;
    out += strlen(out);
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            *out++ = digits[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *out++ = digits[bits << (6 - held) & 63];
    *out = '\0';
}

/* What is said of a token with these claims, signed as it should be; "": it is taken. */
static const char *said(const char *claims, struct token_facts *facts)
{
    static const char header[] = "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}";
    const struct token_rules rules = {
        .keys = keys, .issuer = "idp", .audience = "records", .claim = "sub"};
    char token[4096] = "";
    unsigned char signature[64];
    size_t signature_len = sizeof signature;
    put_base64url(token, (const unsigned char *)header, strlen(header));
    token[strlen(token)] = '.'; /* the rest is zeros */
    put_base64url(token, (const unsigned char *)claims, strlen(claims));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, signer), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &signature_len,
                                    (const unsigned char *)token, strlen(token)),
                     1);
    EVP_MD_CTX_free(context);
    token[strlen(token)] = '.'; /* the rest is zeros */
    put_base64url(token, signature, signature_len);
    const char *why = NULL;
    enum status status = token_check(&rules, token, NOW, facts, &why);
    assert_true(status == OK || status == DENIED);
    return status == OK ? "" : why;
}

static void check(const char *claims, const char *expected)
{
    struct token_facts facts;
    const char *why = said(claims, &facts);
    if (expected[0] == '\0' ? why[0] != '\0' : strstr(why, expected) == NULL)
        fail_msg("%s: \"%s\" where \"%s\" was expected", claims, why, expected);
}

#define GOOD "\"iss\":\"idp\",\"aud\":\"records\",\"sub\":\"anna\""

static void token_names_its_person_and_its_end(void **state)
{
    (void)state;
    struct token_facts facts;
    assert_string_equal(said("{" GOOD ",\"exp\":1700000600.9}", &facts), "");
    assert_string_equal(facts.person, "anna");
    assert_int_equal(facts.until, 1700000600);
}

static void token_ends_at_its_second_and_begins_at_most_30_early(void **state)
{
    (void)state;
    check("{" GOOD ",\"exp\":1700000001}", "");
    check("{" GOOD ",\"exp\":1700000000}", "expired");
    check("{" GOOD ",\"exp\":1700000000.9}", "expired");
    check("{" GOOD ",\"exp\":1700000600,\"nbf\":1700000030}", "");
    check("{" GOOD ",\"exp\":1700000600,\"nbf\":1700000031}", "not valid yet");
    check("{" GOOD ",\"exp\":1700000600,\"iat\":1700000030}", "");
    check("{" GOOD ",\"exp\":1700000600,\"iat\":1700000031}", "in the future");
}

static void claims_of_a_wrong_kind_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{" GOOD "}", "when it ends"},
        {"{" GOOD ",\"exp\":\"1700000600\"}", "no number"},
        {"{" GOOD ",\"exp\":-1}", "no number"},
        {"{" GOOD ",\"exp\":1e300}", "no number"},
        {"{" GOOD ",\"exp\":null}", "no number"},
        {"{" GOOD ",\"exp\":1700000600,\"nbf\":\"now\"}", "(nbf) is no number"},
        {"{" GOOD ",\"exp\":1700000600,\"iat\":[]}", "(iat) is no number"},
        {"{" GOOD ",\"exp\":1700000600,\"sub\":\"bert\"}", "stands there twice"},
        {"{" GOOD ",\"exp\":1700000600} ", ""},
        {"{" GOOD ",\"exp\":1700000600}{}", "no JSON object"},
        {"[]", "no JSON object"},
        {"", "no JSON object"},
        {"{\"aud\":\"records\",\"sub\":\"anna\",\"exp\":1700000600}", "(iss)"},
        {"{\"iss\":\"idp2\",\"aud\":\"records\",\"sub\":\"anna\",\"exp\":1700000600}", "(iss)"},
        {"{\"iss\":[\"idp\"],\"aud\":\"records\",\"sub\":\"anna\",\"exp\":1700000600}", "(iss)"},
        {"{\"iss\":\"idp\",\"sub\":\"anna\",\"exp\":1700000600}", "(aud)"},
        {"{\"iss\":\"idp\",\"aud\":\"record\",\"sub\":\"anna\",\"exp\":1700000600}", "(aud)"},
        {"{\"iss\":\"idp\",\"aud\":[],\"sub\":\"anna\",\"exp\":1700000600}", "(aud)"},
        {"{\"iss\":\"idp\",\"aud\":[\"x\",\"records\"],\"sub\":\"anna\",\"exp\":1700000600}", ""},
        {"{\"iss\":\"idp\",\"aud\":[\"records\",1],\"sub\":\"anna\",\"exp\":1700000600}", "(aud)"},
        {"{\"iss\":\"idp\",\"aud\":\"records\",\"exp\":1700000600}", "is not in it"},
        {"{\"iss\":\"idp\",\"aud\":\"records\",\"sub\":7,\"exp\":1700000600}", "is no text"},
        {"{\"iss\":\"idp\",\"aud\":\"records\",\"sub\":[\"anna\"],\"exp\":1700000600}",
         "is no text"},
        {"{\"iss\":\"idp\",\"aud\":\"records\",\"sub\":\"\",\"exp\":1700000600}", "is empty"},
        {"{\"iss\":\"idp\",\"aud\":\"records\",\"sub\":\"an\\nna\",\"exp\":1700000600}",
         "printable"},
        {"{\"iss\":\"idp\",\"aud\":\"records\",\"sub\":\"an\\u0000na\",\"exp\":1700000600}",
         "no JSON"},
        {"{\"iss\":\"idp\",\"aud\":\"records\",\"exp\":1700000600,\"sub\":"
         "\"0123456789012345678901234567890123456789012345678901234567890123\"}",
         "longer than 63"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(cases[i][0], cases[i][1]);
}

static void base64url_has_one_text_for_a_value(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status status;
    } cases[] = {
        {"", OK},
        {"QQ", OK},
        {"QUI", OK},
        {"QUJD", OK},
        {"-_-_", OK},
        {"QR", ERR_INVALID},
        {"QUJ", ERR_INVALID},
        {"Q", ERR_INVALID},
        {"QUJDQ", ERR_INVALID},
        {"QQ==", ERR_INVALID},
        {"+/+/", ERR_INVALID},
        {"QU D", ERR_INVALID},
        {"QUJD\n", ERR_INVALID},
    };
    unsigned char out[8];
    size_t used = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            token_base64url(cases[i].text, strlen(cases[i].text), out, sizeof out, &used),
            cases[i].status);
    assert_int_equal(token_base64url("QUJDQUJD", 8, out, 5, &used), ERR_INVALID);
}

static void check_keys(const char *text, const char *expected)
{
    struct token_keys *found = NULL;
    struct buf why;
    buf_init(&why, 0);
    enum status status = token_keys_parse(text, strlen(text), &found, &why);
    buf_byte(&why, '\0');
    const char *told = (const char *)buf_head(&why);
    if (expected == NULL ? status != OK : status != ERR_INVALID || strstr(told, expected) == NULL)
        fail_msg("%s: status %d, \"%s\"", text, (int)status, told);
    token_keys_free(found);
    buf_free(&why);
}

#define P256                                                                                       \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\","      \
    "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\""

static void files_of_keys_hold_public_keys_of_known_kinds(void **state)
{
    (void)state;
    check_keys("{\"keys\":[{" P256 ",\"kid\":\"a\"}]}", NULL);
    check_keys("  {" P256 ",\"alg\":\"ES256\",\"use\":\"sig\"}", NULL);
    check_keys("{\"keys\":[{" P256 ",\"use\":\"enc\"}]}", "no key in it is of use");
    check_keys("{\"keys\":[{" P256 ",\"alg\":\"HS256\"}]}", "no key in it is of use");
    check_keys("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\"},{" P256 "}]}", NULL);
    check_keys("{\"keys\":[{" P256 ",\"d\":\"AA\"}]}", "private key");
    check_keys("{\"keys\":[{" P256 "},{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}", "symmetric key");
    check_keys("{\"keys\":[{" P256 ",\"kid\":\"a\",\"kid\":\"b\"}]}", "member twice");
    check_keys("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}",
               "cannot be read");
    /* Off the curve. */
    check_keys("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
               "\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\",\"y\":"
               "\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\"}]}",
               "cannot be read");
    check_keys("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "");
    check_keys("{\"keys\":{}}", "an array");
    check_keys("{\"keys\":[]}", "no key in it is of use");
    check_keys("{", "no JSON object");
    check_keys("", "neither a PEM file");
    check_keys("secret-secret-secret-secret-secret", "neither a PEM file");
    check_keys("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "private key");
    check_keys("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_names_its_person_and_its_end),
        cmocka_unit_test(token_ends_at_its_second_and_begins_at_most_30_early),
        cmocka_unit_test(claims_of_a_wrong_kind_are_refused),
        cmocka_unit_test(base64url_has_one_text_for_a_value),
        cmocka_unit_test(files_of_keys_hold_public_keys_of_known_kinds),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
