/*
 * test_copy_subjects.c: what is in front of the lines of a COPY is taken off, whole or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/copy_subjects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct copy_shape text = {COPY_TEXT, ';', '\0'};
static const struct copy_shape csv = {COPY_CSV, ';', '"'};
static const struct copy_shape binary = {.format = COPY_BINARY};

/* What is left of the line, and whom it named: "7,9|rest"; or the error. `cut` bytes are there. */
static const char *taken(const struct copy_shape *copy, struct subjects_shape shape,
                         enum copy_data data, const char *line, size_t cut)
{
    static char out[256];
    struct audit_patients all;
    size_t len = cut;
    size_t used = 0;
    unsigned char *room = malloc(cut + 1); /* of that size: what is read behind it is found */
    struct subjects *subjects = subjects_new();
    assert_non_null(room);
    assert_non_null(subjects);
    memcpy(room, line, cut);
    unsigned char *body = room;
    bool there = copy_are_in(shape, copy, data, room, len);
    enum status status = copy_take(subjects, shape, copy, data, &body, &len);
    assert_int_equal(there, status != NEED_MORE);
    subjects_list(subjects, &all);
    out[0] = '\0';
    for (size_t i = 0; i < all.number_count; i++)
        used += (size_t)snprintf(out + used, sizeof out - used, "%lld,", (long long)all.numbers[i]);
    for (size_t i = 0; i < all.text_count; i++)
        used += (size_t)snprintf(out + used, sizeof out - used, "%s,", all.texts[i]);
    if (status == OK)
        snprintf(out + used, sizeof out - used, "|%.*s", (int)len, (const char *)body);
    subjects_free(subjects);
    free(room);
    return status == OK ? out : status_name(status);
}

static void lines_lose_their_subjects(void **state)
{
    static const struct {
        const struct copy_shape *copy;
        struct subjects_shape shape;
        enum copy_data data;
        const char *line;
        const char *left;
    } cases[] = {
        {&text, {1, 0}, COPY_DATA_ROW, "x37;a;b\n", "7,|a;b\n"},
        {&text, {2, 0}, COPY_DATA_ROW, "x37;;a\n", "7,|a\n"},
        {&text, {1, 0}, COPY_DATA_ROW, "x;a\n", ",|a\n"}, /* a subject of no characters */
        {&text, {2, 2}, COPY_DATA_ROW, "x39;x7b312c327d;\n", "1,2,9,|\n"},
        {&text, {1, 0}, COPY_DATA_NAMES, "pgvigil\\;subject;a\n", "|a\n"},
        {&csv, {1, 0}, COPY_DATA_ROW, "x4127;\"a;b\"\n", "A',|\"a;b\"\n"},
        {&csv, {2, 0}, COPY_DATA_ROW, "\"x37\";\"\";a\n", "7,|a\n"},
        {&csv, {1, 0}, COPY_DATA_NAMES, "pgvigil subject 1;a\n", "|a\n"},
        {&text, {1, 0}, COPY_DATA_ROW, "37;a\n", "err_protocol"},
        {&text, {1, 0}, COPY_DATA_ROW, "x3;a\n", "err_protocol"},
        {&text, {1, 0}, COPY_DATA_ROW, "x3G;a\n", "err_protocol"},
        {&text, {1, 0}, COPY_DATA_ROW, "\\N;a\n", "err_protocol"},
        {&text, {1, 1}, COPY_DATA_ROW, "x37;a\n", "err_protocol"}, /* no list */
        {&csv, {1, 0}, COPY_DATA_ROW, "\"x37\"a;b\n", "err_protocol"},
        {&csv, {1, 0}, COPY_DATA_ROW, "\"x37\";", "7,|"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].line);
        assert_string_equal(taken(cases[i].copy, cases[i].shape, cases[i].data, cases[i].line, len),
                            cases[i].left);
        bool good = strcmp(cases[i].left, "err_protocol") != 0;
        const char *after = strrchr(cases[i].left, '|');
        size_t front = good ? len - strlen(after + 1) : 0;
        for (size_t cut = 0; cut < front; cut++)
            assert_string_equal(
                taken(cases[i].copy, cases[i].shape, cases[i].data, cases[i].line, cut),
                "need_more");
    }
}

static void tuples_lose_their_subjects(void **state)
{
    static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    static const char tuple[] = "\0\3\0\0\0\3x37\377\377\377\377\0\0\0\1a";
    char first[64];
    const size_t tuple_len = sizeof tuple - 1;
    const struct subjects_shape shape = {2, 0};
    (void)state;
    assert_int_equal(sizeof header, COPY_BINARY_HEADER + 1);
    memcpy(first, header, COPY_BINARY_HEADER);
    memcpy(first + COPY_BINARY_HEADER, tuple, tuple_len);
    for (size_t cut = 0; cut < 13; cut++) {
        assert_string_equal(taken(&binary, shape, COPY_DATA_ROW, tuple, cut), "need_more");
        assert_string_equal(taken(&binary, shape, COPY_DATA_FIRST, first, COPY_BINARY_HEADER + cut),
                            "need_more");
    }
    for (int with_header = 0; with_header < 2; with_header++) {
        unsigned char room[64];
        size_t before = with_header ? COPY_BINARY_HEADER : 0;
        size_t len = before + tuple_len;
        unsigned char *body = room;
        memcpy(room, first + COPY_BINARY_HEADER - before, len);
        assert_int_equal(copy_take(NULL, shape, &binary,
                                   with_header ? COPY_DATA_FIRST : COPY_DATA_ROW, &body, &len),
                         OK);
        assert_int_equal(len, before + 7);
        assert_memory_equal(body, header, before);
        assert_memory_equal(body + before, "\0\1\0\0\0\1a", 7);
    }
    assert_string_equal(taken(&binary, (struct subjects_shape){4, 0}, COPY_DATA_ROW,
                              "\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18),
                        "err_protocol");
    assert_true(copy_is_trailer(false, (const unsigned char *)"\377\377", 2));
    assert_false(copy_is_trailer(false, (const unsigned char *)tuple, tuple_len));
    assert_false(copy_is_trailer(true, (const unsigned char *)first, COPY_BINARY_HEADER + 4));
}

static void descriptions_lose_as_many_columns(void **state)
{
    unsigned char room[] = {1, 0, 3, 0, 1, 0, 1, 0, 1};
    unsigned char *body = room;
    size_t len = sizeof room;
    (void)state;
    assert_int_equal(copy_undescribe((struct subjects_shape){3, 0}, &body, &len), ERR_PROTOCOL);
    len--;
    assert_int_equal(copy_undescribe((struct subjects_shape){1, 0}, &body, &len), ERR_PROTOCOL);
    len++;
    assert_int_equal(copy_undescribe((struct subjects_shape){2, 0}, &body, &len), OK);
    assert_int_equal(len, 5);
    assert_memory_equal(body, "\1\0\1\0\1", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_lose_their_subjects),
        cmocka_unit_test(tuples_lose_their_subjects),
        cmocka_unit_test(descriptions_lose_as_many_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
