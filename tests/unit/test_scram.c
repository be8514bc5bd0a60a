/*
 * SCRAM-SHA-256: RFC 7677's example, secrets as PostgreSQL makes them, a client written here from
 * the RFC, and every wrong step refused.
 *
 * The source itself is included: the RFC's example needs the server's nonce to be the RFC's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/scram.c" // NOLINT(bugprone-suspicious-include)

#define SECRET                                                                                     \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"    \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const unsigned char channel[] = "a certificate's hash, 32 bytes..";
#define CHANNEL_LEN 32

static struct buf out;
static const char *why;

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 0);
    return scram_init() == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

static struct scram *begin(const char *secret, bool bound)
{
    struct scram_options options = {.user = "nurse1", .secret = secret};
    if (bound) {
        options.binding = channel;
        options.binding_len = CHANNEL_LEN;
    }
    struct scram *scram = scram_new(&options);
    assert_non_null(scram);
    return scram;
}

static enum status step(struct scram *scram, const void *body, size_t len)
{
    struct wire_message message = {'p', body, len};
    return scram_step(scram, &message, &out, &why);
}

static enum status step_first_text(struct scram *scram, const char *mechanism, const char *text)
{
    struct buf body;
    buf_init(&body, 0);
    buf_cstr(&body, mechanism);
    buf_u32(&body, (uint32_t)strlen(text));
    buf_str(&body, text);
    enum status status = step(scram, buf_head(&body), buf_len(&body));
    buf_free(&body);
    return status;
}

static void base64(const unsigned char *bytes, size_t len, char *text)
{
    (void)EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
}

/* The payload of the AuthenticationSASLContinue or -Final at the head of `out`, as text. */
static const char *payload(uint32_t code)
{
    static char text[2048];
    struct wire_message message;
    assert_int_equal(wire_next(&out, WIRE_FROM_SERVER, 0, &message), OK);
    assert_int_equal(message.type, 'R');
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, &message);
    assert_int_equal(wire_get_u32(&cursor), code);
    size_t len = wire_left(&cursor);
    memcpy(text, wire_get_bytes(&cursor, len), len);
    text[len] = '\0';
    return text;
}

static void hmac_sha256(const void *key, size_t key_len, const void *text, size_t len,
                        unsigned char result[32])
{
    unsigned size = 0;
    assert_non_null(HMAC(EVP_sha256(), key, (int)key_len, text, len, result, &size));
}

/*
 * The client, from RFC 5802 section 3: a final message for `password` after `server_first`, with
 * `gs2` and binding data as given. *signature is the server's, as expected.
 */
static void client_final(const char *password, const char *first_bare, const char *server_first,
                         const char *gs2, size_t binding_len, char *final, char signature[64])
{
    unsigned char salt[64];
    char nonce[600];
    char salt_text[128];
    char rounds[16];
    assert_int_equal(
        sscanf(server_first, "r=%599[^,],s=%127[^,],i=%15[0-9]", nonce, salt_text, rounds), 3);
    unsigned iterations = (unsigned)strtoul(rounds, NULL, 10);
    int salt_len = decode(salt_text, strlen(salt_text), salt, sizeof salt);
    assert_true(salt_len > 0);
    unsigned char c[256];
    size_t gs2_len = strlen(gs2);
    memcpy(c, gs2, gs2_len); /* NOLINT(bugprone-not-null-terminated-result): bytes, no string */
    memcpy(c + gs2_len, channel, binding_len);
    char c_text[400];
    base64(c, gs2_len + binding_len, c_text);
    char without_proof[1024];
    (void)snprintf(without_proof, sizeof without_proof, "c=%s,r=%s", c_text, nonce);
    char auth[4096];
    (void)snprintf(auth, sizeof auth, "%s,%s,%s", first_bare, server_first, without_proof);

    unsigned char salted[32];
    unsigned char client_key[32];
    unsigned char stored[32];
    unsigned char server_key[32];
    unsigned char proof[32];
    assert_int_equal(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, salt_len,
                                       (int)iterations, EVP_sha256(), 32, salted),
                     1);
    hmac_sha256(salted, 32, "Client Key", 10, client_key);
    hmac_sha256(salted, 32, "Server Key", 10, server_key);
    (void)SHA256(client_key, 32, stored);
    hmac_sha256(stored, 32, auth, strlen(auth), proof);
    for (size_t i = 0; i < 32; i++)
        proof[i] ^= client_key[i];
    char proof_text[64];
    base64(proof, 32, proof_text);
    (void)sprintf(final, "%s,p=%s", without_proof, proof_text);
    hmac_sha256(server_key, 32, auth, strlen(auth), proof);
    base64(proof, 32, signature);
}

/* Both steps; checks the server's signature when it is let in. */
static enum status log_in(struct scram *scram, const char *password, bool bound)
{
    const char *gs2 = bound ? "p=tls-server-end-point,," : "n,,";
    char first[256];
    char final[2048];
    char signature[64];
    (void)snprintf(first, sizeof first, "%sn=,r=clientnonce", gs2);
    enum status status = step_first_text(scram, bound ? MECHANISM_PLUS : MECHANISM, first);
    if (status != NEED_MORE)
        return status;
    char *server_first = strdup(payload(11));
    client_final(password, "n=,r=clientnonce", server_first, gs2, bound ? CHANNEL_LEN : 0, final,
                 signature);
    free(server_first);
    status = step(scram, final, strlen(final));
    if (status == OK) {
        const char *answer = payload(12);
        assert_int_equal(strncmp(answer, "v=", 2), 0);
        assert_string_equal(answer + 2, signature);
    }
    assert_int_equal(buf_len(&out), 0);
    return status;
}

static void rfc_7677_example_is_accepted(void **state)
{
    (void)state;
    static const char server_first[] =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    static const char final[] = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    struct scram *scram = begin(SECRET, false);
    assert_int_equal(step_first_text(scram, MECHANISM, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
                     NEED_MORE);
    (void)payload(11);
    (void)snprintf(scram->nonce, sizeof scram->nonce, "%s",
                   "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    (void)snprintf(scram->server_first, sizeof scram->server_first, "%s", server_first);
    assert_int_equal(step(scram, final, strlen(final)), OK);
    assert_string_equal(payload(12), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert_false(scram_bound(scram));
    scram_free(scram);
}

static void made_secret_is_rfc_7677s(void **state)
{
    (void)state;
    unsigned char salt[16];
    assert_int_equal(decode("W22ZaJ0SNY7soEsUEjb6gQ==", 24, salt, sizeof salt), 16);
    assert_int_equal(scram_make_secret("pencil", salt, 16, 4096, &out, &why), OK);
    buf_byte(&out, 0);
    assert_string_equal((char *)buf_head(&out), SECRET);
}

static void made_secret_lets_its_password_in_and_no_other(void **state)
{
    (void)state;
    static const char *const passwords[] = {"x", "correct horse",
                                            "Ma\xc3\xafs \xc3\xa9t\xc3\xa9 \xe2\x82\xac"};
    for (size_t i = 0; i < 3; i++) {
        struct buf secret;
        buf_init(&secret, 0);
        assert_int_equal(scram_make_secret(passwords[i], NULL, 0, 4096, &secret, &why), OK);
        buf_byte(&secret, 0);
        struct scram *scram = begin((char *)buf_head(&secret), false);
        assert_int_equal(log_in(scram, passwords[i], false), OK);
        scram_free(scram);
        scram = begin((char *)buf_head(&secret), false);
        assert_int_equal(log_in(scram, "other", false), ERR_AUTH);
        scram_free(scram);
        buf_free(&secret);
    }
}

static void passwords_that_clients_normalise_are_refused(void **state)
{
    (void)state;
    char huge[600];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *const passwords[] = {"",         "e\xcc\x81",    "\xef\xac\x81", "\xc2\xa0", "a\tb",
                                     "\xc5\xbf", "\xe2\x80\x8b", "\xff",         "\xc3",     huge};
    for (size_t i = 0; i < sizeof passwords / sizeof passwords[0]; i++) {
        assert_int_equal(scram_make_secret(passwords[i], NULL, 0, 4096, &out, &why), ERR_INVALID);
        assert_true(strlen(why) > 10);
        assert_int_equal(buf_len(&out), 0);
    }
}

static void channel_binding_right_is_accepted_and_wrong_refused(void **state)
{
    (void)state;
    struct scram *scram = begin(SECRET, true);
    assert_int_equal(log_in(scram, "pencil", true), OK);
    assert_true(scram_bound(scram));
    scram_free(scram);

    scram = begin(SECRET, true);
    scram->binding[3] ^= 1; /* the client saw another certificate than ours */
    assert_int_equal(log_in(scram, "pencil", true), ERR_AUTH);
    assert_non_null(strstr(why, "channel binding"));
    scram_free(scram);
}

static void mechanisms_are_offered_as_the_channel_allows(void **state)
{
    (void)state;
    struct scram *scram = begin(SECRET, true);
    scram_start(scram, &out);
    assert_memory_equal(buf_head(&out), "R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0",
                        43);
    scram_free(scram);
    buf_clear(&out);
    scram = begin(SECRET, false);
    scram_start(scram, &out);
    assert_memory_equal(buf_head(&out), "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0", 24);
    scram_free(scram);
}

static void unbound_login_is_accepted_where_binding_is_offered(void **state)
{
    (void)state;
    struct scram *scram = begin(SECRET, true); /* flag 'n': a client without channel binding */
    assert_int_equal(log_in(scram, "pencil", false), OK);
    assert_false(scram_bound(scram));
    scram_free(scram);
}

struct refusal {
    bool bound;
    const char *mechanism;
    const char *text;
    enum status status;
};

static void wrong_first_messages_are_refused(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {false, MECHANISM, "n,,n=u,r=abc", NEED_MORE}, /* the right one, as a twin */
        {false, MECHANISM, "y,,n=u,r=abc", NEED_MORE},
        {true, MECHANISM, "y,,n=u,r=abc", ERR_AUTH}, /* downgrade */
        {true, MECHANISM, "n,,n=u,r=abc", NEED_MORE},
        {true, MECHANISM_PLUS, "n,,n=u,r=abc", ERR_PROTOCOL},
        {true, MECHANISM_PLUS, "y,,n=u,r=abc", ERR_PROTOCOL},
        {true, MECHANISM_PLUS, "p=tls-server-end-point,,n=u,r=abc", NEED_MORE},
        {true, MECHANISM_PLUS, "p=tls-unique,,n=u,r=abc", ERR_PROTOCOL},
        {true, MECHANISM_PLUS, "p=tls-server-end-poin,,n=u,r=abc", ERR_PROTOCOL},
        {true, MECHANISM, "p=tls-server-end-point,,n=u,r=abc", ERR_PROTOCOL},
        {false, MECHANISM_PLUS, "p=tls-server-end-point,,n=u,r=abc", ERR_PROTOCOL},
        {false, "SCRAM-SHA-1", "n,,n=u,r=abc", ERR_PROTOCOL},
        {false, "", "n,,n=u,r=abc", ERR_PROTOCOL},
        {false, MECHANISM, "", ERR_PROTOCOL},
        {false, MECHANISM, "n", ERR_PROTOCOL},
        {false, MECHANISM, "n,", ERR_PROTOCOL},
        {false, MECHANISM, "n,a=admin,n=u,r=abc", ERR_PROTOCOL},
        {false, MECHANISM, "n,,m=x,n=u,r=abc", ERR_PROTOCOL},
        {false, MECHANISM, "n,,r=abc", ERR_PROTOCOL},
        {false, MECHANISM, "n,,n=u", ERR_PROTOCOL},
        {false, MECHANISM, "n,,n=u,", ERR_PROTOCOL},
        {false, MECHANISM, "n,,n=u,r=", ERR_PROTOCOL},
        {false, MECHANISM, "n,,n=u,r=a b", ERR_PROTOCOL},
        {false, MECHANISM, "n,,n=u,r=a\x7f", ERR_PROTOCOL},
        {false, MECHANISM, "n,,n=u,r=a\xc3\xa9", ERR_PROTOCOL},
        {false, MECHANISM, "z,,n=u,r=abc", ERR_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scram *scram = begin(SECRET, cases[i].bound);
        enum status status = step_first_text(scram, cases[i].mechanism, cases[i].text);
        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].text, status_name(status));
        if (status != NEED_MORE) {
            assert_int_equal(buf_len(&out), 0);
            assert_true(strlen(why) > 0);
            /* It is over: the right message does not come back from that. */
            assert_int_equal(step_first_text(scram, MECHANISM, "n,,n=u,r=abc"), ERR_PROTOCOL);
        }
        buf_clear(&out);
        scram_free(scram);
    }
}

static void first_message_lengths_that_lie_are_refused(void **state)
{
    (void)state;
    char nonce[500];
    memset(nonce, 'r', sizeof nonce);
    memcpy(nonce, "n,,n=,r=", 8);
    nonce[sizeof nonce - 1] = '\0';
    struct scram *scram = begin(SECRET, false);
    assert_int_equal(step_first_text(scram, MECHANISM, nonce), ERR_PROTOCOL);
    scram_free(scram);
    static const char *const bodies[] = {
        "SCRAM-SHA-256\0\0\0\0\x0dn,,n=u,r=abc", "SCRAM-SHA-256\0\0\0\0\x0bn,,n=u,r=abc",
        "SCRAM-SHA-256\0\xff\xff\xff\xffn,,n=u,r=abc", "SCRAM-SHA-256\0\x80\0\0\0n,,n=u,r=abc"};
    for (size_t i = 0; i < 4; i++) {
        scram = begin(SECRET, false);
        assert_int_equal(step(scram, bodies[i], 18 + 12), ERR_PROTOCOL);
        scram_free(scram);
    }
    scram = begin(SECRET, false);
    assert_int_equal(step(scram, "SCRAM-SHA-256\0\0\0\0\x0cn,,n=u,r=abc", 30), NEED_MORE);
    scram_free(scram);
    scram = begin(SECRET, false);
    assert_int_equal(step(scram, "SCRAM-SHA-256\0\0\0\0\x0cn,,n=u,r=a\0c", 30), ERR_PROTOCOL);
    scram_free(scram);
    scram = begin(SECRET, false);
    assert_int_equal(step(scram, "SCRAM-SHA-256", 13), ERR_PROTOCOL);
    scram_free(scram);
}

/* Replaces `from` in a right final message by `to`. */
static enum status final_with(const char *from, const char *to)
{
    struct scram *scram = begin(SECRET, false);
    assert_int_equal(step_first_text(scram, MECHANISM, "n,,n=,r=abc"), NEED_MORE);
    char *server_first = strdup(payload(11));
    char final[2048];
    char changed[4096];
    char signature[64];
    client_final("pencil", "n=,r=abc", server_first, "n,,", 0, final, signature);
    free(server_first);
    char *at = strstr(final, from);
    assert_non_null(at);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - final), final, to,
                   at + strlen(from));
    enum status status = step(scram, changed, strlen(changed));
    assert_int_equal(step(scram, final, strlen(final)), ERR_PROTOCOL); /* no second try */
    scram_free(scram);
    buf_clear(&out);
    return status;
}

static void wrong_final_messages_are_refused(void **state)
{
    (void)state;
    assert_int_equal(final_with("c=", "c="), OK);
    assert_int_equal(final_with("c=biws", "c=eSws"), ERR_PROTOCOL);     /* y,, */
    assert_int_equal(final_with("c=biws", "c=biwsbiws"), ERR_PROTOCOL); /* n,,n,, */
    assert_int_equal(final_with("c=biws", "c=biw"), ERR_PROTOCOL);
    assert_int_equal(final_with("c=biws", "c="), ERR_PROTOCOL);
    assert_int_equal(final_with("c=biws,", ""), ERR_PROTOCOL);
    assert_int_equal(final_with("r=abc", "r=abd"), ERR_PROTOCOL);
    assert_int_equal(final_with("r=abc", "r=ab"), ERR_PROTOCOL);
    assert_int_equal(final_with(",r=", ",x="), ERR_PROTOCOL);
    assert_int_equal(final_with(",p=", ",q="), ERR_PROTOCOL);
    assert_int_equal(final_with(",p=", ",p=A"), ERR_PROTOCOL);
    assert_int_equal(final_with(",p=", ",p=AAAA"), ERR_PROTOCOL);
    assert_int_equal(final_with(",p=", ",x=1,p="), ERR_AUTH); /* covered by the proof */
}

static void a_wrong_proof_is_refused(void **state)
{
    (void)state;
    struct scram *scram = begin(SECRET, false);
    assert_int_equal(log_in(scram, "Pencil", false), ERR_AUTH);
    assert_string_equal(why, "password authentication failed");
    scram_free(scram);
    scram = begin(SECRET, false);
    assert_int_equal(log_in(scram, "", false), ERR_AUTH);
    scram_free(scram);
}

static void unknown_user_gets_a_stable_salt_and_is_refused_at_the_end(void **state)
{
    (void)state;
    char salts[2][128];
    for (size_t i = 0; i < 2; i++) {
        struct scram *scram = begin(NULL, false);
        assert_int_equal(step_first_text(scram, MECHANISM, "n,,n=,r=abc"), NEED_MORE);
        const char *text = payload(11);
        assert_int_equal(sscanf(text, "r=%*[^,],s=%127[^,],i=4096", salts[i]), 1);
        scram_free(scram);
    }
    assert_string_equal(salts[0], salts[1]);
    assert_int_equal(strlen(salts[0]), 24);
    struct scram_options other = {.user = "nurse2", .unknown_iterations = 5000};
    struct scram *scram = scram_new(&other);
    assert_int_equal(step_first_text(scram, MECHANISM, "n,,n=,r=abc"), NEED_MORE);
    const char *text = payload(11);
    assert_null(strstr(text, salts[0]));
    assert_non_null(strstr(text, ",i=5000"));
    scram_free(scram);
    scram = begin(NULL, false);
    assert_int_equal(log_in(scram, "pencil", false), ERR_AUTH);
    assert_string_equal(why, "password authentication failed");
    scram_free(scram);
    scram = begin("SCRAM-SHA-256$garbage", false);
    assert_int_equal(log_in(scram, "pencil", false), ERR_AUTH);
    scram_free(scram);
}

static void unknown_user_is_refused_even_with_a_proof_that_fits(void **state)
{
    (void)state;
    struct scram *scram = begin(SECRET, false);
    scram->known = false; /* as if the made-up keys had been guessed */
    assert_int_equal(log_in(scram, "pencil", false), ERR_AUTH);
    scram_free(scram);
}

static void another_message_type_is_refused(void **state)
{
    (void)state;
    struct scram *scram = begin(SECRET, false);
    struct wire_message message = {'Q', (const unsigned char *)"x", 1};
    assert_int_equal(scram_step(scram, &message, &out, &why), ERR_PROTOCOL);
    scram_free(scram);
}

static void malformed_secrets_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "md5d41d8cd98f00b204e9800998ecf8427e",
        "SCRAM-SHA-256$",
        "SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$-1:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$4096:$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:",
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==",
        SECRET "x",
        SECRET "AAAA",
    };
    struct scram_secret secret;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(scram_parse_secret(texts[i], &secret), ERR_INVALID);
    assert_int_equal(scram_parse_secret(SECRET, &secret), OK);
    assert_int_equal(secret.iterations, 4096);
    assert_int_equal(secret.salt_len, 16);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rfc_7677_example_is_accepted),
        TEST(made_secret_is_rfc_7677s),
        TEST(made_secret_lets_its_password_in_and_no_other),
        TEST(passwords_that_clients_normalise_are_refused),
        TEST(channel_binding_right_is_accepted_and_wrong_refused),
        TEST(mechanisms_are_offered_as_the_channel_allows),
        TEST(unbound_login_is_accepted_where_binding_is_offered),
        TEST(wrong_first_messages_are_refused),
        TEST(first_message_lengths_that_lie_are_refused),
        TEST(wrong_final_messages_are_refused),
        TEST(a_wrong_proof_is_refused),
        TEST(unknown_user_gets_a_stable_salt_and_is_refused_at_the_end),
        TEST(unknown_user_is_refused_even_with_a_proof_that_fits),
        TEST(another_message_type_is_refused),
        TEST(malformed_secrets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
