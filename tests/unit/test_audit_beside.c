/* Chains that tell of each other: what is taken away of one is known from the rest. */
#include "audit_fixture.h"

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
    expect_one(server, "truncated", 1);
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

static void archives_end_earlier(void **state)
{
    struct server *server = *state;
    struct findings findings;
    char path[512];
    server->fixture.options.file_bytes = 6000;
    start(server, 2);
    for (unsigned i = 0; i < 12; i++)
        write_some(server);
    stop(server);
    expect_whole(server);
    /* The newest of each chain is not in the archive. */
    for (unsigned chain = 0; chain < 2; chain++) {
        unsigned number = 1;
        for (;; number++) {
            (void)snprintf(path, sizeof path, "%s/audit-%u-%08u.jsonl", server->fixture.directory,
                           chain, number + 1);
            if (access(path, F_OK) != 0)
                break;
        }
        assert_true(number > 2);
        (void)snprintf(path, sizeof path, "%s/audit-%u-%08u.jsonl", server->fixture.directory,
                       chain, number);
        assert_int_equal(unlink(path), 0);
        struct audit_verify_result result = fixture_verify(&server->fixture, &findings);
        assert_int_equal(result.findings, chain == 0 ? 1 : 0);
        if (chain == 0)
            assert_non_null(strstr(findings.at[0].message, "truncated: chain 0 "));
    }
}

static void many_chains_are_bounded(void **state)
{
    struct server *server = *state;
    char name[64];
    struct audit_options options = server->fixture.options;
    struct audit *audit = fixture_open(&server->fixture, 0);
    audit_close(audit);
    size_t len = 0;
    name_of(0, name);
    char *bytes = fixture_read(&server->fixture, name, &len);
    for (unsigned i = 1; i < 2 * HEIGHTS_MAX; i++) {
        name_of(AUDIT_CHAIN_BY_HAND + i, name);
        fixture_write(&server->fixture, name, bytes, len);
    }
    free(bytes);
    struct audit_heights *heights = NULL;
    assert_int_equal(audit_heights_new(options.directory, 2, &heights), OK);
    options.heights = heights;
    server->fixture.options = options;
    audit = fixture_open(&server->fixture, 1);
    fixture_append(audit, 1);
    audit_close(audit);
    audit_heights_free(heights);
    name_of(1, name);
    bytes = fixture_read(&server->fixture, name, &len);
    unsigned pairs = 0;
    for (const char *at = strstr(bytes, "\"beside\":["); at != NULL; at = strstr(at + 1, ",[1"))
        pairs++;
    assert_non_null(strstr(bytes, "\"signature\":"));
    assert_true(pairs > HEIGHTS_MAX / 2 && pairs <= HEIGHTS_MAX);
    free(bytes);
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
        TEST(archives_end_earlier),
        TEST(many_chains_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
