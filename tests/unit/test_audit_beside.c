/* Chains that tell of each other: what is taken away of one is known from the rest. */
#include "audit_fixture.h"

#include "audit/chain.h"
#include "audit/heights.h"

#define CHAINS 3U

struct server {
    struct fixture fixture;
    struct audit_heights *heights;
    struct audit *chains[CHAINS];
    unsigned count;
};

static void start(struct server *server, unsigned count)
{
    struct audit_options *options = &server->fixture.options;
    assert_int_equal(audit_heights_new(options->directory, count, &server->heights), OK);
    options->heights = server->heights;
    options->chains = count;
    server->count = count;
    for (unsigned i = 0; i < count; i++)
        server->chains[i] = fixture_open(&server->fixture, i);
}

static void stop(struct server *server)
{
    for (unsigned i = 0; i < server->count; i++)
        audit_close(server->chains[i]);
    audit_heights_free(server->heights);
    server->fixture.options.heights = NULL;
    server->count = 0;
}

static void by_hand(struct server *server)
{
    const char *why = NULL;
    struct audit_options options = server->fixture.options;
    options.heights = NULL;
    options.chains = 0;
    assert_int_equal(audit_by_hand(&options, AUDIT_CHAIN_BY_HAND, 1, "audit-read", &some_session,
                                   "somebody reads", &why),
                     OK);
}

/* Everything of each chain, signed; each chain signs behind the others once. */
static void write_some(struct server *server)
{
    for (unsigned i = 0; i < server->count; i++)
        fixture_append(server->chains[i], 5 + i);
}

static int make(void **state)
{
    struct server *server = calloc(1, sizeof *server);
    fixture_start(&server->fixture);
    *state = server;
    return 0;
}

static int unmake(void **state)
{
    struct server *server = *state;
    fixture_end(&server->fixture);
    free(server);
    return 0;
}

static void name_of(unsigned chain, char out[64])
{
    (void)snprintf(out, 64, "audit-%u-00000001.jsonl", chain);
}

static void move_away(const struct server *server, unsigned chain, const char *to)
{
    char name[64];
    char from[512];
    name_of(chain, name);
    (void)snprintf(from, sizeof from, "%s/%s", server->fixture.directory, name);
    assert_int_equal(rename(from, to), 0);
}

static void move_back(const struct server *server, unsigned chain, const char *from)
{
    char name[64];
    char to[512];
    name_of(chain, name);
    (void)snprintf(to, sizeof to, "%s/%s", server->fixture.directory, name);
    assert_int_equal(rename(from, to), 0);
}

static void expect_whole(const struct server *server)
{
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&server->fixture, &findings);
    fixture_print(&findings);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.chains_missing, 0);
}

static void expect_one(const struct server *server, const char *word, unsigned chain)
{
    struct findings findings;
    char what[32];
    (void)fixture_verify(&server->fixture, &findings);
    if (findings.count != 1)
        fixture_print(&findings);
    assert_int_equal(findings.count, 1);
    assert_int_equal(strncmp(findings.at[0].message, word, strlen(word)), 0);
    (void)snprintf(what, sizeof what, "chain %u ", chain);
    assert_non_null(strstr(findings.at[0].message, what));
}

static void expect_one_of(const struct server *server, const char *word, const char *what)
{
    struct findings findings;
    (void)fixture_verify(&server->fixture, &findings);
    if (findings.count != 1)
        fixture_print(&findings);
    assert_int_equal(findings.count, 1);
    assert_int_equal(strncmp(findings.at[0].message, word, strlen(word)), 0);
    assert_non_null(strstr(findings.at[0].message, what));
}

/* Not by our own hasher. */
static void hash_of(const char *bytes, size_t len, char hex[65])
{
    unsigned char digest[32];
    assert_int_equal(EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL), 1);
    for (unsigned i = 0; i < 32; i++)
        (void)sprintf(hex + (size_t)2 * i, "%02x", digest[i]);
}

static unsigned newest(const struct server *server, unsigned chain)
{
    char path[512];
    unsigned number = 1;
    for (;; number++) {
        (void)snprintf(path, sizeof path, "%s/audit-%u-%08u.jsonl", server->fixture.directory,
                       chain, number);
        bool plain = access(path, F_OK) == 0;
        (void)snprintf(path, sizeof path, "%s/audit-%u-%08u.jsonl.zst", server->fixture.directory,
                       chain, number);
        if (!plain && access(path, F_OK) != 0)
            return number - 1;
    }
}

static void each_chain_that_is_gone_is_told(void **state)
{
    struct server *server = *state;
    char aside[128];
    (void)snprintf(aside, sizeof aside, "%s/aside", server->fixture.base);
    by_hand(server);
    start(server, CHAINS);
    write_some(server);
    stop(server);
    by_hand(server);
    expect_whole(server);
    const unsigned chains[] = {0, 1, 2, AUDIT_CHAIN_BY_HAND};
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        move_away(server, chains[i], aside);
        expect_one(server, "missing", chains[i]);
        move_back(server, chains[i], aside);
    }
    expect_whole(server);
}

/* Fewer workers than before: the chains are not written to any more, and still of the trail. */
static void chains_of_an_earlier_start_are_told(void **state)
{
    struct server *server = *state;
    char aside[128];
    (void)snprintf(aside, sizeof aside, "%s/aside", server->fixture.base);
    start(server, CHAINS);
    write_some(server);
    stop(server);
    for (unsigned i = 0; i < 2; i++) {
        start(server, 1);
        write_some(server);
        stop(server);
        expect_whole(server);
    }
    for (unsigned chain = 1; chain < CHAINS; chain++) {
        move_away(server, chain, aside);
        expect_one(server, "missing", chain);
        move_back(server, chain, aside);
    }
}

/* What stood up to the end of line `lines`. Returns what was there. */
static char *cut(const struct server *server, unsigned chain, unsigned lines, size_t *len)
{
    char name[64];
    name_of(chain, name);
    char *bytes = fixture_read(&server->fixture, name, len);
    assert_non_null(bytes);
    const char *at = bytes;
    for (unsigned i = 0; i < lines; i++)
        at = strchr(at, '\n') + 1;
    fixture_write(&server->fixture, name, bytes, (size_t)(at - bytes));
    return bytes;
}

static void ends_that_were_cut_off_are_told(void **state)
{
    struct server *server = *state;
    char name[64];
    for (unsigned i = 0; i < 2; i++) { /* each signs behind the others' last record */
        start(server, CHAINS);
        write_some(server);
        stop(server);
    }
    for (unsigned chain = 0; chain < CHAINS; chain++) {
        size_t len = 0;
        char *bytes = cut(server, chain, 1 + 5 + chain + 1, &len); /* behind the first signature */
        expect_one(server, "truncated", chain);
        name_of(chain, name);
        fixture_write(&server->fixture, name, bytes, len);
        free(bytes);
    }
    expect_whole(server);
}

/* Cut, and grown over: the next start tells. */
static void what_is_gone_is_known_at_the_next_start(void **state)
{
    struct server *server = *state;
    struct audit_behind behind;
    size_t cursor = 0;
    size_t len = 0;
    start(server, CHAINS);
    write_some(server);
    stop(server);
    start(server, CHAINS);
    assert_false(audit_heights_behind(server->heights, &cursor, &behind));
    write_some(server);
    stop(server);
    free(cut(server, 1, 1 + 6 + 1, &len));
    cursor = 0;
    start(server, CHAINS);
    assert_true(audit_heights_behind(server->heights, &cursor, &behind));
    assert_int_equal(behind.chain, 1);
    assert_int_equal(behind.had, 8);
    assert_int_equal(behind.named, 15);
    assert_true(behind.by == 0 || behind.by == 2);
    assert_false(audit_heights_behind(server->heights, &cursor, &behind));
    /* As the server does. */
    assert_int_equal(
        audit_event(server->chains[2], "audit-behind", NULL, "chain 1 has 8 record(s), and so on"),
        OK);
    for (unsigned i = 0; i < 4; i++)
        write_some(server);
    stop(server);
    /* The event, and the records that stand there now. */
    struct findings findings;
    (void)fixture_verify(&server->fixture, &findings);
    assert_int_equal(findings.count, 2);
    assert_int_equal(strncmp(findings.at[0].message, "truncated", 9), 0);
    assert_int_equal(strncmp(findings.at[1].message, "changed", 7), 0);
    assert_non_null(strstr(findings.at[1].message, "of chain 1 "));
}

/* Lines of somebody's own up to a number: each holds the hash of the one before. */
static void fill_up(const struct server *server, unsigned chain, uint64_t from, uint64_t to)
{
    char name[64];
    char prev[65];
    size_t len = 0;
    name_of(chain, name);
    char *old = fixture_read(&server->fixture, name, &len);
    char *bytes = realloc(old, len + (size_t)(to - from + 1) * 256);
    assert_non_null(bytes);
    const char *last = memrchr(bytes, '\n', len - 1);
    size_t start = last ? (size_t)(last + 1 - bytes) : 0;
    for (uint64_t seq = from; seq <= to; seq++) {
        hash_of(bytes + start, len - start, prev);
        start = len;
        len += (size_t)sprintf(bytes + len,
                               "{\"seq\":%lu,\"prev\":\"%s\",\"time\":\"2026-01-01T00:00:00.000000Z"
                               "\",\"type\":\"event\",\"event\":\"connect\"}\n",
                               (unsigned long)seq, prev);
    }
    fixture_write(&server->fixture, name, bytes, len);
    free(bytes);
}

/* To the same number: only the hash tells. */
static void what_was_filled_up_again_is_told(void **state)
{
    struct server *server = *state;
    struct audit_behind behind;
    struct findings findings;
    size_t len = 0;
    for (unsigned i = 0; i < 2; i++) {
        start(server, CHAINS);
        write_some(server);
        stop(server);
    }
    free(cut(server, 1, 1 + 6 + 1, &len));
    fill_up(server, 1, 9, 15);
    expect_one_of(server, "changed", "of chain 1 ");
    for (unsigned i = 0; i < 3; i++) {
        size_t cursor = 0;
        char text[300];
        start(server, CHAINS);
        bool told = audit_heights_behind(server->heights, &cursor, &behind);
        assert_int_equal(told, i == 0); /* and not again */
        if (told) {
            assert_int_equal(behind.chain, 1);
            assert_int_equal(behind.named, 15);
            assert_true(behind.other);
            audit_behind_text(&behind, text, sizeof text);
            assert_int_equal(audit_event(server->chains[CHAINS - 1], "audit-behind", NULL, text),
                             OK);
            assert_false(audit_heights_behind(server->heights, &cursor, &behind));
        }
        if (i == 1)
            write_some(server);
        stop(server);
        (void)fixture_verify(&server->fixture, &findings);
        assert_int_equal(findings.count, 2);
        assert_int_equal(strncmp(findings.at[0].message, "truncated", 9), 0);
        assert_int_equal(strncmp(findings.at[1].message, "changed", 7), 0);
    }
}

/* A loss is told once, though those that name it have not signed since. */
static void a_loss_is_told_once(void **state)
{
    struct server *server = *state;
    struct audit_behind behind;
    size_t len = 0;
    unsigned told = 0;
    for (unsigned i = 0; i < 2; i++) {
        start(server, CHAINS);
        write_some(server);
        stop(server);
    }
    free(cut(server, 1, 1 + 6 + 1, &len));
    for (unsigned i = 0; i < 3; i++) {
        struct audit_heights *heights = NULL;
        struct audit_options options = server->fixture.options;
        size_t cursor = 0;
        char text[300];
        assert_int_equal(audit_heights_new(options.directory, CHAINS, &heights), OK);
        server->fixture.options.heights = heights;
        struct audit *service = fixture_open(&server->fixture, CHAINS - 1);
        while (audit_heights_behind(heights, &cursor, &behind)) {
            audit_behind_text(&behind, text, sizeof text);
            assert_int_equal(audit_event(service, "audit-behind", NULL, text), OK);
            told++;
        }
        audit_close(service);
        audit_heights_free(heights);
        server->fixture.options.heights = NULL;
    }
    assert_int_equal(told, 1);
    free(cut(server, 1, 1 + 6, &len)); /* another one */
    struct audit_heights *heights = NULL;
    size_t cursor = 0;
    assert_int_equal(audit_heights_new(server->fixture.directory, CHAINS, &heights), OK);
    assert_true(audit_heights_behind(heights, &cursor, &behind));
    audit_heights_free(heights);
}

/* Its last checkpoint is far back in it, or in a compressed file before. */
static void a_checkpoint_that_is_far_back_is_found(void **state)
{
    struct server *server = *state;
    const char *why = NULL;
    struct audit_pack_result packed;
    struct audit_behind behind;
    size_t len = 0;
    server->fixture.options.file_bytes = 3000;
    start(server, 2);
    for (unsigned i = 0; i < 4; i++)
        write_some(server);
    stop(server);
    assert_int_equal(audit_pack(server->fixture.directory, NULL, NULL, &packed, &why), OK);
    assert_true(packed.files >= 2);
    /* Chain 1's newest file becomes one of somebody's, without a checkpoint. */
    char name[64];
    unsigned number = newest(server, 1);
    (void)snprintf(name, sizeof name, "audit-1-%08u.jsonl", number);
    char *bytes = fixture_read(&server->fixture, name, &len);
    const char *newline = strchr(bytes, '\n');
    size_t stuffing = (size_t)5 << 20;
    char *stuffed = malloc(len + stuffing);
    assert_non_null(stuffed);
    size_t head = (size_t)(newline + 1 - bytes);
    memcpy(stuffed, bytes, head);
    while (head < stuffing) {
        static const char junk[] = "what is no record\n";
        memcpy(stuffed + head, junk, sizeof junk - 1);
        head += sizeof junk - 1;
    }
    fixture_write(&server->fixture, name, stuffed, head);
    free(stuffed);
    free(bytes);
    /* And of chain 0, which it names, the newest files go. */
    for (number = newest(server, 0); number > 1; number--) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/audit-0-%08u.jsonl", server->fixture.directory,
                       number);
        (void)unlink(path);
        (void)snprintf(path, sizeof path, "%s/audit-0-%08u.jsonl.zst", server->fixture.directory,
                       number);
        (void)unlink(path);
    }
    struct audit_heights *heights = NULL;
    size_t cursor = 0;
    assert_int_equal(audit_heights_new(server->fixture.directory, 2, &heights), OK);
    assert_true(audit_heights_behind(heights, &cursor, &behind));
    assert_int_equal(behind.chain, 0);
    assert_int_equal(behind.by, 1);
    audit_heights_free(heights);
}

/* What somebody puts there, and takes away again, is not signed of. */
static void planted_files_are_not_named(void **state)
{
    struct server *server = *state;
    static const char line[] =
        "{\"seq\":%s,\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\","
        "\"time\":\"2026-01-01T00:00:00.000000Z\",\"type\":\"event\"}\n";
    static const char *const numbers[] = {"7", "1000000000000", "9223372036854775807",
                                          "9999999999999999998"};
    char text[256];
    char name[64];
    size_t len = 0;
    by_hand(server);
    start(server, 2);
    write_some(server);
    stop(server);
    name_of(0, name);
    char *genuine = fixture_read(&server->fixture, name, &len);
    for (unsigned i = 0; i < 4; i++) {
        name_of(700 + i, name);
        (void)snprintf(text, sizeof text, line, numbers[i]);
        fixture_write(&server->fixture, name, text, strlen(text));
    }
    name_of(704, name); /* a checkpoint of another chain */
    fixture_write(&server->fixture, name, genuine, len);
    free(genuine);
    start(server, 2);
    write_some(server);
    for (unsigned i = 0; i < 5; i++) {
        char path[512];
        name_of(700 + i, name);
        (void)snprintf(path, sizeof path, "%s/%s", server->fixture.directory, name);
        assert_int_equal(unlink(path), 0);
    }
    stop(server);
    expect_whole(server);
    name_of(1, name);
    genuine = fixture_read(&server->fixture, name, &len);
    assert_non_null(strstr(genuine, "\"beside\":[[0,"));
    assert_non_null(strstr(genuine, ",[1000,")); /* what a command has signed is */
    assert_null(strstr(genuine, ",[70"));
    free(genuine);
}

/* No reader of JSON takes a greater one: were it a line of ours, the chain would go on behind it.
 */
static void numbers_that_nobody_reads_are_none(void **state)
{
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const struct {
        const char *number;
        bool good;
    } cases[] = {{"1", true},
                 {"9223372036854775807", true},
                 {"9223372036854775808", false},
                 {"9999999999999999998", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chain_line line;
        char text[256];
        int len = snprintf(text, sizeof text,
                           "{\"seq\":%s,\"prev\":\"%s\",\"time\":\"2026-01-01T00:00:00.000000Z\","
                           "\"type\":\"event\"}\n",
                           cases[i].number, zeros);
        assert_int_equal(chain_line_parse(text, (size_t)len, &line), cases[i].good);
    }
}

/* A client's text is no event of the server's. */
static void an_event_in_a_value_is_none(void **state)
{
    struct server *server = *state;
    start(server, 1);
    assert_int_equal(
        audit_event(server->chains[0], "mission", NULL,
                    "\",\"type\":\"event\",\"event\":\"audit-behind\",\"detail\":\"chain 7 "),
        OK);
    stop(server);
    expect_whole(server);
}

/* A forger's checkpoint names what never was: the signature is bad, and that is all. */
static void names_without_a_signature_are_not_believed(void **state)
{
    struct server *server = *state;
    struct findings findings;
    char name[64];
    size_t len = 0;
    start(server, 2);
    write_some(server);
    stop(server);
    name_of(1, name);
    char *bytes = fixture_read(&server->fixture, name, &len);
    char *at = strstr(bytes, "\"beside\":[[0,");
    assert_non_null(at);
    at[13] = '9';
    fixture_write(&server->fixture, name, bytes, len);
    free(bytes);
    (void)fixture_verify(&server->fixture, &findings);
    assert_int_equal(findings.count, 1);
    assert_int_equal(strncmp(findings.at[0].message, "bad signature", 13), 0);
}

static void remove_newest(const struct server *server, unsigned chain)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/audit-%u-%08u.jsonl", server->fixture.directory, chain,
                   newest(server, chain));
    assert_int_equal(unlink(path), 0);
}

/* The newest file of each chain is not in it; of the last chain, none is. A trail in its place of
 * which the same was taken away looks no different: only who asks knows. */
static void archives_are_what_somebody_says_they_are(void **state)
{
    struct server *server = *state;
    struct findings findings;
    struct audit_verify_result result;
    server->fixture.options.file_bytes = 6000;
    start(server, 2);
    for (unsigned i = 0; i < 12; i++)
        write_some(server);
    stop(server);
    expect_whole(server);
    assert_true(newest(server, 0) > 2 && newest(server, 1) > 2);
    for (unsigned i = 0; i < 2; i++)
        remove_newest(server, 0);
    remove_newest(server, 1);
    (void)fixture_verify(&server->fixture, &findings);
    assert_int_equal(findings.count, 1);
    assert_int_equal(strncmp(findings.at[0].message, "truncated: chain 0 ", 19), 0);
    while (newest(server, 1) > 0)
        remove_newest(server, 1);
    (void)fixture_verify(&server->fixture, &findings);
    assert_true(findings.count >= 1);
    for (size_t i = 0; i < findings.count; i++)
        assert_non_null(strstr(findings.at[i].message, "--copy"));
    memset(&findings, 0, sizeof findings);
    assert_int_equal(audit_verify_copy(server->fixture.directory, server->fixture.public_key,
                                       fixture_on_finding, NULL, &findings, &result),
                     OK);
    assert_int_equal(result.findings, 0);
    assert_int_equal(findings.count, 0);
    /* What is there is compared all the same. */
    char name[64];
    size_t len = 0;
    name_of(0, name);
    char *bytes = fixture_read(&server->fixture, name, &len);
    strstr(bytes, "nurse1")[5] = '2';
    fixture_write(&server->fixture, name, bytes, len);
    free(bytes);
    assert_int_equal(audit_verify_copy(server->fixture.directory, server->fixture.public_key,
                                       fixture_on_finding, NULL, &findings, &result),
                     OK);
    assert_true(result.findings >= 1);
}

static void many_chains_are_bounded(void **state)
{
    struct server *server = *state;
    char name[64];
    struct audit_options options = server->fixture.options;
    size_t len = 0;
    for (unsigned i = 0; i < HEIGHTS_MAX + 20; i++) {
        struct audit *one = fixture_open(&server->fixture, i ? AUDIT_CHAIN_BY_HAND + i : 0);
        audit_close(one);
    }
    struct audit_heights *heights = NULL;
    assert_int_equal(audit_heights_new(options.directory, 2, &heights), OK);
    options.heights = heights;
    server->fixture.options = options;
    struct audit *audit = fixture_open(&server->fixture, 1);
    fixture_append(audit, 1);
    audit_close(audit);
    audit_heights_free(heights);
    name_of(1, name);
    char *bytes = fixture_read(&server->fixture, name, &len);
    unsigned pairs = 0;
    for (const char *at = strstr(bytes, "\"beside\":["); at != NULL; at = strstr(at + 1, ",[1"))
        pairs++;
    assert_non_null(strstr(bytes, "\"signature\":"));
    assert_true(pairs > HEIGHTS_MAX / 2 && pairs <= HEIGHTS_MAX);
    free(bytes);
    expect_whole(server); /* and what is signed can be read */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_chain_that_is_gone_is_told),
        TEST(chains_of_an_earlier_start_are_told),
        TEST(ends_that_were_cut_off_are_told),
        TEST(what_is_gone_is_known_at_the_next_start),
        TEST(an_event_in_a_value_is_none),
        TEST(names_without_a_signature_are_not_believed),
        TEST(archives_are_what_somebody_says_they_are),
        TEST(what_was_filled_up_again_is_told),
        TEST(a_loss_is_told_once),
        TEST(a_checkpoint_that_is_far_back_is_found),
        TEST(planted_files_are_not_named),
        TEST(numbers_that_nobody_reads_are_none),
        TEST(many_chains_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
