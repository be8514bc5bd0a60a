/*
 * test_audit_verify.c: whatever is done to a trail is found, once, at its place; an untouched one
 * is whole.
 */
#include "audit_fixture.h"

#include <pthread.h>

#define LINES_MAX 4096U
#define FILES_MAX 16U

/* A trail in memory, taken apart into lines, tampered with and written back. */
struct trail {
    struct fixture fixture;
    size_t file_count;
    struct {
        char name[64];
        char *bytes; /* owned */
        size_t len;
    } files[FILES_MAX];
};

struct lines {
    size_t count;
    struct {
        const char *at;
        size_t len; /* with the line end */
    } line[LINES_MAX];
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void trail_start(struct trail *trail, unsigned records, uint64_t file_bytes)
{
    memset(trail, 0, sizeof *trail);
    fixture_start(&trail->fixture);
    trail->fixture.options.file_bytes = file_bytes;
    struct audit *audit = fixture_open(&trail->fixture, 0);
    fixture_append(audit, records);
    audit_close(audit);
    for (unsigned number = 1; number <= FILES_MAX; number++) {
        size_t i = trail->file_count;
        (void)snprintf(trail->files[i].name, sizeof trail->files[i].name, "audit-0-%08u.jsonl",
                       number);
        trail->files[i].bytes =
            fixture_read(&trail->fixture, trail->files[i].name, &trail->files[i].len);
        if (!trail->files[i].bytes)
            break;
        trail->file_count++;
    }
}

static void trail_end(struct trail *trail)
{
    for (size_t i = 0; i < trail->file_count; i++)
        free(trail->files[i].bytes);
    fixture_end(&trail->fixture);
}

/* Puts everything back as it was. */
static void trail_restore(const struct trail *trail)
{
    for (size_t i = 0; i < trail->file_count; i++)
        fixture_write(&trail->fixture, trail->files[i].name, trail->files[i].bytes,
                      trail->files[i].len);
}

static void split(const struct trail *trail, size_t file, struct lines *lines)
{
    const char *at = trail->files[file].bytes;
    const char *end = at + trail->files[file].len;
    memset(lines, 0, sizeof *lines);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        assert_non_null(newline);
        assert_true(lines->count < LINES_MAX);
        lines->line[lines->count].at = at;
        lines->line[lines->count].len = (size_t)(newline - at) + 1;
        lines->count++;
        at = newline + 1;
    }
}

static void join(const struct trail *trail, size_t file, const struct lines *lines)
{
    size_t len = 0;
    for (size_t i = 0; i < lines->count; i++)
        len += lines->line[i].len;
    char *bytes = malloc(len + 1);
    assert_non_null(bytes);
    len = 0;
    for (size_t i = 0; i < lines->count; i++) {
        memcpy(bytes + len, lines->line[i].at, lines->line[i].len);
        len += lines->line[i].len;
    }
    fixture_write(&trail->fixture, trail->files[file].name, bytes, len);
    free(bytes);
}

/* One finding, with this word, at this place. */
static void expect_one(const struct trail *trail, const char *word, const char *file, uint64_t line,
                       unsigned round)
{
    struct findings findings;
    (void)fixture_verify(&trail->fixture, &findings);
    if (findings.count != 1 || strncmp(findings.at[0].message, word, strlen(word)) != 0 ||
        strcmp(findings.at[0].file, file) != 0 || findings.at[0].line != line) {
        fixture_print(&findings);
        fail_msg("round %u: wanted \"%s\" at %s:%lu, got %zu finding(s)", round, word, file,
                 (unsigned long)line, findings.count);
    }
}

static void verify_untouched_trail_is_whole(void **state)
{
    (void)state;
    struct trail trail;
    trail_start(&trail, 120, 20000);
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&trail.fixture, &findings);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.files, trail.file_count);
    assert_in_range(trail.file_count, 3, FILES_MAX - 1);
    uint64_t bytes = 0;
    for (size_t i = 0; i < trail.file_count; i++)
        bytes += trail.files[i].len;
    assert_int_equal(result.bytes, bytes);
    trail_end(&trail);
}

static void verify_random_changed_byte_is_one_finding_there(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    uint32_t seed = 20260101;
    trail_start(&trail, 60, 20000);
    for (unsigned round = 0; round < 400; round++) {
        size_t file = next_random(&seed) % trail.file_count;
        split(&trail, file, &lines);
        size_t line = next_random(&seed) % lines.count;
        /* Every byte but the line end, which makes two lines one: see below. */
        size_t at = next_random(&seed) % (lines.line[line].len - 1);
        char *byte = trail.files[file].bytes + (lines.line[line].at - trail.files[file].bytes) + at;
        char old = *byte;
        do {
            *byte = (char)(next_random(&seed) % 95 + 32);
        } while (*byte == old);
        fixture_write(&trail.fixture, trail.files[file].name, trail.files[file].bytes,
                      trail.files[file].len);
        /* Nothing stands after the trail's last line but its own signature. */
        bool last = file + 1 == trail.file_count && line + 1 == lines.count;
        expect_one(&trail, last ? "" : "changed", trail.files[file].name, line + 1, round);
        *byte = old;
        trail_restore(&trail);
    }
    trail_end(&trail);
}

/* Not a reason to believe that the file was signed with another key, and to check no signature. */
static void verify_changed_key_of_a_header_is_a_change(void **state)
{
    (void)state;
    struct trail trail;
    static const char name[] = "\"key\":\"";
    trail_start(&trail, 60, 10000);
    assert_true(trail.file_count >= 3);
    for (size_t file = 0; file + 1 < trail.file_count; file++) {
        char *key = strstr(trail.files[file].bytes, name);
        assert_non_null(key);
        key += sizeof name - 1;
        for (unsigned digit = 0; digit < 64; digit++) {
            char old = key[digit];
            key[digit] = old == '0' ? '1' : '0';
            trail_restore(&trail);
            expect_one(&trail, "changed", trail.files[file].name, 1, digit);
            key[digit] = old;
        }
        trail_restore(&trail);
    }
    trail_end(&trail);
}

static void verify_random_removed_line_is_one_finding_there(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    uint32_t seed = 7;
    trail_start(&trail, 60, 20000);
    for (unsigned round = 0; round < 200; round++) {
        size_t file = next_random(&seed) % trail.file_count;
        split(&trail, file, &lines);
        size_t line = next_random(&seed) % lines.count;
        bool last = line + 1 == lines.count;
        /* The very end of a trail is what only the next checkpoint protects. */
        if (last && file + 1 == trail.file_count)
            continue;
        lines.count--;
        memmove(&lines.line[line], &lines.line[line + 1],
                (lines.count - line) * sizeof lines.line[0]);
        join(&trail, file, &lines);
        expect_one(&trail, last ? "truncated" : "missing", trail.files[file].name, line + 1, round);
        trail_restore(&trail);
    }
    trail_end(&trail);
}

static void verify_random_added_line_is_one_finding_there(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    struct lines others;
    uint32_t seed = 99;
    trail_start(&trail, 60, 20000);
    for (unsigned round = 0; round < 200; round++) {
        size_t file = next_random(&seed) % trail.file_count;
        size_t from = next_random(&seed) % trail.file_count;
        split(&trail, file, &lines);
        split(&trail, from, &others);
        size_t line = 1 + next_random(&seed) % lines.count;
        size_t source = next_random(&seed) % others.count;
        memmove(&lines.line[line + 1], &lines.line[line],
                (lines.count - line) * sizeof lines.line[0]);
        lines.count++;
        lines.line[line] = others.line[source];
        if (round % 4 == 0) {
            lines.line[line].at = "{\"seq\":3,\"forged\":true}\n";
            lines.line[line].len = strlen(lines.line[line].at);
        }
        join(&trail, file, &lines);
        /* Of a line and its copy beside it either is the copy. At the trail's end, what is no
         * record may be a last record that was changed. */
        bool by_itself = round % 4 != 0 && file == from && (source == line || source + 1 == line);
        bool end = round % 4 == 0 && file + 1 == trail.file_count && line + 1 == lines.count;
        struct findings findings;
        (void)fixture_verify(&trail.fixture, &findings);
        uint64_t place = line + 1;
        if (by_itself && findings.count == 1)
            place = findings.at[0].line;
        assert_in_range(place, line, line + 2);
        expect_one(&trail, end ? "" : "added", trail.files[file].name, place, round);
        trail_restore(&trail);
    }
    trail_end(&trail);
}

static void verify_random_copied_block_is_one_finding(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    uint32_t seed = 15;
    trail_start(&trail, 60, 0);
    split(&trail, 0, &lines);
    const struct lines before = lines;
    for (unsigned round = 0; round < 200; round++) {
        size_t from = next_random(&seed) % before.count;
        size_t count = 1 + next_random(&seed) % (before.count - from);
        size_t to = 1 + next_random(&seed) % before.count;
        lines.count = 0;
        for (size_t i = 0; i <= before.count; i++) {
            for (size_t j = 0; i == to && j < count; j++)
                lines.line[lines.count++] = before.line[from + j];
            if (i < before.count)
                lines.line[lines.count++] = before.line[i];
        }
        join(&trail, 0, &lines);
        struct findings findings;
        (void)fixture_verify(&trail.fixture, &findings);
        /* A copy that lies across its own original can be read as two; one beside it is as good
         * as the original. */
        size_t most = from < to && to < from + count ? 2 : 1;
        bool good = findings.count >= 1 && findings.count <= most;
        for (size_t i = 0; good && i < findings.count; i++)
            good = strncmp(findings.at[i].message, "added", 5) == 0 &&
                   (most == 2 || findings.at[i].line == to + 1 ||
                    (to == from && findings.at[i].line == to + 1 + count));
        if (!good) {
            fixture_print(&findings);
            fail_msg("round %u: %zu lines from %zu copied to %zu: %zu finding(s)", round, count,
                     from, to, findings.count);
        }
        trail_restore(&trail);
    }
    trail_end(&trail);
}

static void verify_random_moved_line_is_one_finding_named_moved(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    uint32_t seed = 3;
    trail_start(&trail, 60, 20000);
    for (unsigned round = 0; round < 200; round++) {
        size_t file = next_random(&seed) % trail.file_count;
        split(&trail, file, &lines);
        size_t from = 1 + next_random(&seed) % (lines.count - 2);
        size_t to = 1 + next_random(&seed) % (lines.count - 2);
        if (from == to)
            continue;
        const struct lines before = lines;
        size_t step = from < to ? 1 : SIZE_MAX;
        for (size_t i = from; i != to; i += step)
            lines.line[i] = before.line[i + step];
        lines.line[to] = before.line[from];
        join(&trail, file, &lines);
        /* Neighbours that changed places: either was moved. */
        struct findings findings;
        (void)fixture_verify(&trail.fixture, &findings);
        bool neighbours = from + 1 == to || to + 1 == from;
        uint64_t line = neighbours && findings.count == 1 && findings.at[0].line == from + 1
                            ? from + 1
                            : to + 1;
        expect_one(&trail, "moved", trail.files[file].name, line, round);
        trail_restore(&trail);
    }
    trail_end(&trail);
}

static void verify_random_removed_block_is_one_finding(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    uint32_t seed = 11;
    trail_start(&trail, 60, 20000);
    for (unsigned round = 0; round < 60; round++) {
        size_t file = next_random(&seed) % trail.file_count;
        split(&trail, file, &lines);
        size_t line = next_random(&seed) % (lines.count - 2);
        size_t count = 1 + next_random(&seed) % (lines.count - line - 1);
        lines.count -= count;
        memmove(&lines.line[line], &lines.line[line + count],
                (lines.count - line) * sizeof lines.line[0]);
        join(&trail, file, &lines);
        expect_one(&trail, "missing", trail.files[file].name, line + 1, round);
        trail_restore(&trail);
    }
    trail_end(&trail);
}

static void verify_random_cut_inside_the_trail_is_truncated(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    uint32_t seed = 5;
    trail_start(&trail, 60, 20000);
    for (unsigned round = 0; round < 40; round++) {
        size_t file = next_random(&seed) % (trail.file_count - 1);
        split(&trail, file, &lines);
        size_t keep = 1 + next_random(&seed) % (trail.files[file].len - 2);
        size_t line = 0;
        for (size_t i = 0; i < keep; i++)
            line += trail.files[file].bytes[i] == '\n';
        fixture_write(&trail.fixture, trail.files[file].name, trail.files[file].bytes, keep);
        expect_one(&trail, "truncated", trail.files[file].name, line + 1, round);
        trail_restore(&trail);
    }
    /* In the last file a line that is cut shows; a whole tail does not until heads go elsewhere. */
    size_t last = trail.file_count - 1;
    split(&trail, last, &lines);
    fixture_write(&trail.fixture, trail.files[last].name, trail.files[last].bytes,
                  trail.files[last].len - 20);
    expect_one(&trail, "truncated", trail.files[last].name, lines.count, 1000);
    trail_end(&trail);
}

static void verify_several_tampers_are_all_found(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    struct findings findings;
    trail_start(&trail, 100, 0);
    split(&trail, 0, &lines);
    assert_int_equal(lines.count, 102);
    /* Line 10 changed, lines 20 and 21 removed, line 40 moved behind 80, line 60 copied to 90. */
    char *changed = malloc(lines.line[9].len);
    assert_non_null(changed);
    memcpy(changed, lines.line[9].at, lines.line[9].len);
    changed[lines.line[9].len - 5]++;
    const struct lines before = lines;
    lines.count = 0;
    for (size_t i = 0; i < before.count; i++) {
        if (i == 19 || i == 20 || i == 39)
            continue;
        lines.line[lines.count++] = before.line[i];
        if (i == 9)
            lines.line[lines.count - 1].at = changed;
        if (i == 79)
            lines.line[lines.count++] = before.line[39];
        if (i == 89)
            lines.line[lines.count++] = before.line[59];
    }
    join(&trail, 0, &lines);
    (void)fixture_verify(&trail.fixture, &findings);
    if (findings.count != 4)
        fixture_print(&findings);
    assert_int_equal(findings.count, 4);
    static const char *const words[] = {"changed", "missing", "moved", "added"};
    static const uint64_t places[] = {10, 20, 78, 89};
    for (size_t i = 0; i < 4; i++) {
        assert_memory_equal(findings.at[i].message, words[i], strlen(words[i]));
        assert_int_equal(findings.at[i].line, places[i]);
    }
    free(changed);
    trail_end(&trail);
}

static void verify_line_end_removed_or_added_is_one_finding(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    trail_start(&trail, 20, 0);
    split(&trail, 0, &lines);
    char *end =
        trail.files[0].bytes + (lines.line[9].at - trail.files[0].bytes) + lines.line[9].len - 1;
    *end = ' ';
    trail_restore(&trail);
    expect_one(&trail, "changed", trail.files[0].name, 10, 0);
    *end = '\n';
    end[-50] = '\n';
    trail_restore(&trail);
    expect_one(&trail, "changed", trail.files[0].name, 10, 1);
    trail_end(&trail);
}

static void verify_removed_file_is_named(void **state)
{
    (void)state;
    struct trail trail;
    trail_start(&trail, 60, 10000);
    assert_true(trail.file_count >= 4);
    for (size_t i = 0; i + 1 < trail.file_count; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", trail.fixture.directory, trail.files[i].name);
        assert_int_equal(unlink(path), 0);
        expect_one(&trail, "missing", trail.files[i].name, 0, (unsigned)i);
        trail_restore(&trail);
    }
    trail_end(&trail);
}

static void verify_emptied_file_is_named(void **state)
{
    (void)state;
    struct trail trail;
    struct findings findings;
    trail_start(&trail, 60, 10000);
    fixture_write(&trail.fixture, trail.files[1].name, "", 0);
    (void)fixture_verify(&trail.fixture, &findings);
    assert_in_range(findings.count, 1, 2);
    for (size_t i = 0; i < findings.count; i++)
        assert_string_equal(findings.at[i].file, trail.files[1].name);
    trail_end(&trail);
}

static void verify_swapped_files_are_named_and_nothing_else(void **state)
{
    (void)state;
    struct trail trail;
    struct findings findings;
    trail_start(&trail, 60, 10000);
    fixture_write(&trail.fixture, trail.files[1].name, trail.files[2].bytes, trail.files[2].len);
    fixture_write(&trail.fixture, trail.files[2].name, trail.files[1].bytes, trail.files[1].len);
    (void)fixture_verify(&trail.fixture, &findings);
    fixture_print(&findings);
    assert_int_equal(findings.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_memory_equal(findings.at[i].message, "swapped", 7);
    trail_end(&trail);
}

static void verify_copied_file_is_added(void **state)
{
    (void)state;
    struct trail trail;
    trail_start(&trail, 60, 10000);
    fixture_write(&trail.fixture, "audit-0-00000099.jsonl", trail.files[1].bytes,
                  trail.files[1].len);
    expect_one(&trail, "added", "audit-0-00000099.jsonl", 0, 0);
    trail_end(&trail);
}

/* What an insider would do who can write the files but has not the key: change a record (the byte
 * behind `needle`) and compute every hash after it anew. */
static void rewrite_from(struct trail *trail, size_t from, const char *needle, char byte,
                         char **out, size_t *out_len)
{
    struct lines lines;
    split(trail, 0, &lines);
    char *bytes = malloc(trail->files[0].len);
    assert_non_null(bytes);
    memcpy(bytes, trail->files[0].bytes, trail->files[0].len);
    for (size_t i = from; i < lines.count; i++) {
        char *line = bytes + (lines.line[i].at - trail->files[0].bytes);
        if (i == from) {
            char *found = memmem(line, lines.line[i].len, needle, strlen(needle));
            assert_non_null(found);
            found[strlen(needle)] = byte;
        } else {
            const char *before = bytes + (lines.line[i - 1].at - trail->files[0].bytes);
            unsigned char digest[32];
            unsigned size = 0;
            assert_int_equal(
                EVP_Digest(before, lines.line[i - 1].len, digest, &size, EVP_sha256(), NULL), 1);
            char *prev = memmem(line, lines.line[i].len, "\"prev\":\"", 8);
            assert_non_null(prev);
            for (size_t j = 0; j < 32; j++) {
                char pair[3];
                (void)snprintf(pair, sizeof pair, "%02x", digest[j]);
                memcpy(prev + 8 + 2 * j, pair, 2);
            }
        }
    }
    *out = bytes;
    *out_len = trail->files[0].len;
}

static void verify_rewritten_chain_is_a_bad_signature(void **state)
{
    (void)state;
    struct trail trail;
    char *bytes = NULL;
    size_t len = 0;
    trail_start(&trail, 20, 0);
    rewrite_from(&trail, 10, "\"rows\":", '9', &bytes, &len);
    fixture_write(&trail.fixture, trail.files[0].name, bytes, len);
    expect_one(&trail, "bad signature", trail.files[0].name, 22, 0);
    free(bytes);
    trail_end(&trail);
}

static void verify_rewritten_chain_without_checkpoints_is_unsigned(void **state)
{
    (void)state;
    struct trail trail;
    struct lines lines;
    char *bytes = NULL;
    size_t len = 0;
    trail_start(&trail, 20, 0);
    split(&trail, 0, &lines);
    /* The last record is from some year later, and the checkpoint behind it is taken away. */
    rewrite_from(&trail, 20, "\"time\":\"20", '9', &bytes, &len);
    fixture_write(&trail.fixture, trail.files[0].name, bytes, len - lines.line[21].len);
    expect_one(&trail, "unsigned", trail.files[0].name, 21, 0);
    /* Its twin: the same end without the lapse of time is what every running server has. */
    fixture_write(&trail.fixture, trail.files[0].name, trail.files[0].bytes,
                  len - lines.line[21].len);
    struct findings findings;
    (void)fixture_verify(&trail.fixture, &findings);
    assert_int_equal(findings.count, 0);
    free(bytes);
    trail_end(&trail);
}

static void verify_chain_signed_by_another_key_is_found(void **state)
{
    (void)state;
    struct trail trail;
    struct fixture other;
    struct findings findings;
    struct audit_verify_result result = {0};
    trail_start(&trail, 20, 0);
    fixture_start(&other);
    audit_close(fixture_open(&other, 0));
    memset(&findings, 0, sizeof findings);
    assert_int_equal(audit_verify(trail.fixture.directory, other.public_key, fixture_on_finding,
                                  NULL, &findings, &result),
                     OK);
    assert_int_equal(findings.count, 1);
    assert_memory_equal(findings.at[0].message, "unknown key", 11);
    fixture_end(&other);
    trail_end(&trail);
}

static void verify_without_directory_or_key_cannot_read(void **state)
{
    (void)state;
    struct trail trail;
    struct audit_verify_result result;
    trail_start(&trail, 1, 0);
    assert_int_equal(
        audit_verify("/nonexistent", trail.fixture.public_key, NULL, NULL, NULL, &result), ERR_IO);
    assert_int_equal(
        audit_verify(trail.fixture.directory, "/nonexistent", NULL, NULL, NULL, &result), ERR_IO);
    assert_int_equal(
        audit_verify(trail.fixture.directory, trail.fixture.key, NULL, NULL, NULL, &result),
        ERR_INVALID);
    trail_end(&trail);
}

static void verify_random_garbage_neither_crashes_nor_passes(void **state)
{
    (void)state;
    struct trail trail;
    struct findings findings;
    uint32_t seed = 77;
    trail_start(&trail, 10, 0);
    for (unsigned round = 0; round < 100; round++) {
        size_t len = trail.files[0].len;
        char *bytes = malloc(len);
        assert_non_null(bytes);
        memcpy(bytes, trail.files[0].bytes, len);
        for (unsigned i = 0; i < 1 + round; i++)
            bytes[next_random(&seed) % (len - 1)] ^= (char)(1 + next_random(&seed) % 255);
        fixture_write(&trail.fixture, trail.files[0].name, bytes, len);
        struct audit_verify_result result = fixture_verify(&trail.fixture, &findings);
        assert_true(result.findings > 0);
        free(bytes);
    }
    trail_end(&trail);
}

static void *write_while_verified(void *context)
{
    struct audit *audit = context;
    for (unsigned i = 0; i < 3000; i++) {
        if (audit_whole(audit, &some_session, &some_statement, &some_outcome) != OK ||
            audit_flush(audit) != OK)
            return audit;
    }
    return NULL;
}

static void verify_beside_a_running_writer_is_whole(void **state)
{
    (void)state;
    struct fixture fixture;
    pthread_t thread;
    void *failed = NULL;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    assert_int_equal(pthread_create(&thread, NULL, write_while_verified, audit), 0);
    struct findings findings;
    for (unsigned i = 0; i < 20; i++) {
        (void)fixture_verify(&fixture, &findings);
        fixture_print(&findings);
        assert_int_equal(findings.count, 0);
    }
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    audit_close(audit);
    assert_int_equal(fixture_verify(&fixture, &findings).records, 3002);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_untouched_trail_is_whole),
        cmocka_unit_test(verify_random_changed_byte_is_one_finding_there),
        cmocka_unit_test(verify_changed_key_of_a_header_is_a_change),
        cmocka_unit_test(verify_random_removed_line_is_one_finding_there),
        cmocka_unit_test(verify_random_added_line_is_one_finding_there),
        cmocka_unit_test(verify_random_copied_block_is_one_finding),
        cmocka_unit_test(verify_random_moved_line_is_one_finding_named_moved),
        cmocka_unit_test(verify_random_removed_block_is_one_finding),
        cmocka_unit_test(verify_random_cut_inside_the_trail_is_truncated),
        cmocka_unit_test(verify_several_tampers_are_all_found),
        cmocka_unit_test(verify_line_end_removed_or_added_is_one_finding),
        cmocka_unit_test(verify_removed_file_is_named),
        cmocka_unit_test(verify_emptied_file_is_named),
        cmocka_unit_test(verify_swapped_files_are_named_and_nothing_else),
        cmocka_unit_test(verify_copied_file_is_added),
        cmocka_unit_test(verify_rewritten_chain_is_a_bad_signature),
        cmocka_unit_test(verify_rewritten_chain_without_checkpoints_is_unsigned),
        cmocka_unit_test(verify_chain_signed_by_another_key_is_found),
        cmocka_unit_test(verify_without_directory_or_key_cannot_read),
        cmocka_unit_test(verify_beside_a_running_writer_is_whole),
        cmocka_unit_test(verify_random_garbage_neither_crashes_nor_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
