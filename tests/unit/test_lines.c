/*
 * test_lines.c: a file of the trail reads the same, plain and compressed; what is damaged is told,
 * and what stands behind it is still read.
 */
#include "audit/frames.h"
#include "audit/lines.h"
#include "audit_fixture.h"

#include <sys/stat.h>
#

#define LINES 6000U

struct place {
    char base[64];
    char plain[128];
    char packed[128];
    char *text; /* owned: what is in both */
    size_t len;
    size_t at[LINES + 1]; /* where the lines begin */
};

static void put(const char *path, const char *bytes, size_t len)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static char *get(const char *path, size_t *len)
{
    struct stat st;
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_int_equal(fstat(fileno(in), &st), 0);
    *len = (size_t)st.st_size;
    char *bytes = malloc(*len + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *len, in), *len);
    assert_int_equal(fclose(in), 0);
    return bytes;
}

/* In pieces that know nothing of lines. */
static void pack(const char *path, const char *bytes, size_t len)
{
    struct packer *packer = NULL;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(packer_new(fd, &packer), OK);
    for (size_t at = 0; at < len; at += 70001)
        assert_int_equal(packer_bytes(packer, bytes + at, len - at < 70001 ? len - at : 70001), OK);
    assert_int_equal(packer_end(packer), OK);
    packer_free(packer);
    assert_int_equal(close(fd), 0);
}

static void place_start(struct place *place)
{
    memset(place, 0, sizeof *place);
    (void)snprintf(place->base, sizeof place->base, "/tmp/pgvigil-lines-XXXXXX");
    assert_non_null(mkdtemp(place->base));
    (void)snprintf(place->plain, sizeof place->plain, "%s/a.jsonl", place->base);
    (void)snprintf(place->packed, sizeof place->packed, "%s/a.jsonl.zst", place->base);
    place->text = malloc((size_t)LINES * 1300);
    assert_non_null(place->text);
    for (unsigned i = 0; i < LINES; i++) {
        place->at[i] = place->len;
        place->len += (size_t)sprintf(place->text + place->len, "{\"seq\":%u,\"x\":\"%0*u\"}\n",
                                      i + 1, (int)(i * 7919 % 1100 + 1), i * 2654435761U);
    }
    place->at[LINES] = place->len;
    put(place->plain, place->text, place->len);
    pack(place->packed, place->text, place->len);
}

static void place_end(struct place *place)
{
    free(place->text);
    fixture_remove_files(place->base);
    assert_int_equal(rmdir(place->base), 0);
}

static struct lines *opened(const char *path)
{
    struct lines *lines = NULL;
    const char *why = NULL;
    assert_int_equal(lines_open(path, &lines, &why), OK);
    assert_null(why);
    return lines;
}

static void expect_line(struct lines *lines, const struct place *place, size_t i)
{
    const char *line = NULL;
    size_t len = 0;
    assert_int_equal(lines_offset(lines), place->at[i]);
    assert_int_equal(lines_next(lines, &line, &len), OK);
    assert_int_equal(len, place->at[i + 1] - place->at[i]);
    assert_memory_equal(line, place->text + place->at[i], len);
}

static void expect_closed(struct lines *lines)
{
    const char *line = NULL;
    size_t len = 0;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(lines_next(lines, &line, &len), CLOSED);
}

static void lines_of_both_forms_are_the_same(void **state)
{
    (void)state;
    struct place place;
    place_start(&place);
    const char *paths[] = {place.plain, place.packed};
    for (unsigned form = 0; form < 2; form++) {
        struct lines *lines = opened(paths[form]);
        for (size_t i = 0; i < LINES; i++)
            expect_line(lines, &place, i);
        assert_int_equal(lines_offset(lines), place.len);
        expect_closed(lines);
        lines_close(lines);
    }
    place_end(&place);
}

/* What we write is what zstd itself reads. */
static void lines_packed_are_read_by_zstd(void **state)
{
    (void)state;
    struct place place;
    char command[512];
    if (access("/usr/bin/zstd", X_OK) != 0)
        skip();
    place_start(&place);
    (void)snprintf(command, sizeof command, "zstd -q -d -c %s | cmp - %s", place.packed,
                   place.plain);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): files of our own
    place_end(&place);
}

static void lines_seek_is_the_line_that_was_there(void **state)
{
    (void)state;
    struct place place;
    uint32_t seed = 5;
    place_start(&place);
    const char *paths[] = {place.plain, place.packed};
    for (unsigned form = 0; form < 2; form++) {
        struct lines *lines = opened(paths[form]);
        for (unsigned round = 0; round < 500; round++) {
            seed = seed * 1664525U + 1013904223U;
            size_t i = (seed >> 8) % (LINES - 2);
            assert_int_equal(lines_seek(lines, place.at[i]), OK);
            expect_line(lines, &place, i);
            expect_line(lines, &place, i + 1);
        }
        assert_int_equal(lines_seek(lines, place.len), OK);
        expect_closed(lines);
        assert_int_equal(lines_seek(lines, 0), OK);
        expect_line(lines, &place, 0);
        assert_int_equal(lines_seek(lines, place.len + 1), ERR_INVALID);
        lines_close(lines);
    }
    place_end(&place);
}

static void lines_of_a_growing_file_come_when_they_are_whole(void **state)
{
    (void)state;
    struct place place;
    const char *line = NULL;
    size_t len = 0;
    place_start(&place);
    put(place.plain, "one\ntw", 6);
    struct lines *lines = opened(place.plain);
    assert_int_equal(lines_next(lines, &line, &len), OK);
    assert_int_equal(lines_next(lines, &line, &len), NEED_MORE);
    assert_int_equal(len, 2);
    assert_int_equal(lines_offset(lines), 4);
    assert_int_equal(lines_next(lines, &line, &len), NEED_MORE);
    /* Cut off and written anew, as a server does when it starts. */
    put(place.plain, "one\nthree\n", 10);
    assert_int_equal(lines_next(lines, &line, &len), OK);
    assert_memory_equal(line, "three\n", 6);
    assert_int_equal(lines_next(lines, &line, &len), CLOSED);
    put(place.plain, "one\nthree\nfour\n", 15);
    assert_int_equal(lines_next(lines, &line, &len), OK);
    assert_memory_equal(line, "four\n", 5);
    lines_close(lines);
    place_end(&place);
}

static void lines_longer_than_any_of_ours_are_skipped(void **state)
{
    (void)state;
    struct place place;
    const char *line = NULL;
    size_t len = 0;
    size_t big = LINES_LINE_MAX + ((size_t)3 << 20);
    place_start(&place);
    char *bytes = malloc(big + 10);
    assert_non_null(bytes);
    memset(bytes, 'x', big);
    memcpy(bytes + big, "\nshort\n", 7); // NOLINT(bugprone-not-null-terminated-result)
    put(place.plain, bytes, big + 7);
    pack(place.packed, bytes, big + 7);
    const char *paths[] = {place.plain, place.packed};
    for (unsigned form = 0; form < 2; form++) {
        struct lines *lines = opened(paths[form]);
        assert_int_equal(lines_next(lines, &line, &len), ERR_LIMIT);
        assert_int_equal(lines_offset(lines), big + 1);
        assert_int_equal(lines_next(lines, &line, &len), OK);
        assert_memory_equal(line, "short\n", 6);
        expect_closed(lines);
        lines_close(lines);
    }
    free(bytes);
    place_end(&place);
}

static void lines_of_an_empty_file_are_none(void **state)
{
    (void)state;
    struct place place;
    place_start(&place);
    put(place.plain, "", 0);
    pack(place.packed, "", 0);
    const char *paths[] = {place.plain, place.packed};
    for (unsigned form = 0; form < 2; form++) {
        struct lines *lines = opened(paths[form]);
        expect_closed(lines);
        assert_int_equal(lines_seek(lines, 0), OK);
        expect_closed(lines);
        lines_close(lines);
    }
    place_end(&place);
}

/* Reads all there is; returns how many errors there were. Lines that come are lines of the text. */
static unsigned read_damaged(const struct place *place, size_t *good)
{
    struct lines *lines = opened(place->packed);
    unsigned errors = 0;
    *good = 0;
    for (;;) {
        const char *line = NULL;
        size_t len = 0;
        uint64_t offset = lines_offset(lines);
        enum status status = lines_next(lines, &line, &len);
        if (status == CLOSED || status == NEED_MORE)
            break;
        if (status != OK) {
            assert_int_equal(status, ERR_INVALID);
            errors++;
            continue;
        }
        if (offset + len <= place->len && memcmp(place->text + offset, line, len) == 0)
            (*good)++;
    }
    lines_close(lines);
    return errors;
}

static void lines_of_any_changed_byte_are_told(void **state)
{
    (void)state;
    struct place place;
    size_t len = 0;
    size_t good = 0;
    uint32_t seed = 17;
    place_start(&place);
    assert_int_equal(read_damaged(&place, &good), 0);
    assert_int_equal(good, LINES);
    char *bytes = get(place.packed, &len);
    for (unsigned round = 0; round < 300; round++) {
        seed = seed * 1664525U + 1013904223U;
        /* The end is where the table is. */
        size_t at = round < 60 ? len - 1 - round : (seed >> 8) % len;
        char old = bytes[at];
        bytes[at] ^= (char)(1 << round % 8);
        put(place.packed, bytes, len);
        assert_true(read_damaged(&place, &good) > 0);
        /* One frame of some is lost, not what stands behind it. */
        if (round >= 60)
            assert_true(good > LINES / 3);
        bytes[at] = old;
    }
    for (unsigned round = 0; round < 100; round++) {
        seed = seed * 1664525U + 1013904223U;
        put(place.packed, bytes, round < 60 ? len - 1 - round : (seed >> 8) % len);
        assert_true(read_damaged(&place, &good) > 0);
    }
    /* Bytes behind the table. */
    bytes[len] = 'x';
    put(place.packed, bytes, len + 1);
    assert_true(read_damaged(&place, &good) > 0);
    assert_int_equal(good, LINES);
    free(bytes);
    place_end(&place);
}

static void lines_without_file_say_why(void **state)
{
    (void)state;
    struct lines *lines = NULL;
    const char *why = NULL;
    assert_int_equal(lines_open("/nonexistent/a.jsonl", &lines, &why), ERR_IO);
    assert_non_null(strstr(why, "No such file"));
    struct place place;
    place_start(&place);
    assert_int_equal(unlink(place.plain), 0);
    assert_int_equal(symlink(place.packed, place.plain), 0);
    assert_int_equal(lines_open(place.plain, &lines, &why), ERR_IO);
    place_end(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_both_forms_are_the_same),
        cmocka_unit_test(lines_packed_are_read_by_zstd),
        cmocka_unit_test(lines_seek_is_the_line_that_was_there),
        cmocka_unit_test(lines_of_a_growing_file_come_when_they_are_whole),
        cmocka_unit_test(lines_longer_than_any_of_ours_are_skipped),
        cmocka_unit_test(lines_of_an_empty_file_are_none),
        cmocka_unit_test(lines_of_any_changed_byte_are_told),
        cmocka_unit_test(lines_without_file_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
