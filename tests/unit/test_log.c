/*
 * test_log.c: a line is one line whatever a peer sends, and says when and how bad.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgvigil/log.h>
#include <pgvigil/status.h>

static int saved_stderr;
static int pipe_ends[2];

static void capture(void)
{
    assert_int_equal(pipe(pipe_ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(saved_stderr >= 0);
    assert_true(dup2(pipe_ends[1], STDERR_FILENO) >= 0);
    assert_int_equal(close(pipe_ends[1]), 0);
}

static size_t release(char *out, size_t size)
{
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    (void)close(saved_stderr);
    size_t len = 0;
    ssize_t got = 0;
    while ((got = read(pipe_ends[0], out + len, size - 1 - len)) > 0)
        len += (size_t)got;
    (void)close(pipe_ends[0]);
    out[len] = '\0';
    return len;
}

static void log_event_writes_time_level_and_keys(void **state)
{
    (void)state;
    char out[8192];
    capture();
    log_event(LOG_LEVEL_WARNING, "session=%d event=%s", 7, "connect");
    (void)release(out, sizeof out);
    /* time=2026-01-02T03:04:05.678Z */
    assert_memory_equal(out, "time=", 5);
    assert_int_equal(out[5 + 10], 'T');
    assert_int_equal(out[5 + 19], '.');
    assert_int_equal(out[5 + 23], 'Z');
    assert_string_equal(out + 29, " level=warning session=7 event=connect\n");
}

static void log_event_below_level_writes_nothing(void **state)
{
    (void)state;
    char out[8192];
    capture();
    log_event(LOG_LEVEL_DEBUG, "event=%s", "quiet");
    log_set_level(LOG_LEVEL_ERROR);
    log_event(LOG_LEVEL_WARNING, "event=%s", "quiet");
    log_set_level(LOG_LEVEL_INFO);
    assert_int_equal(release(out, sizeof out), 0);
}

static void log_event_long_line_is_cut_at_4_kb(void **state)
{
    (void)state;
    char out[16384];
    char text[9000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    capture();
    log_event(LOG_LEVEL_INFO, "text=%s", text);
    size_t len = release(out, sizeof out);
    assert_true(len <= 4096 && len > 4000);
    assert_int_equal(out[len - 1], '\n');
    assert_non_null(strstr(out, " cut=true\n"));
}

static void log_event_forged_line_stays_one_line(void **state)
{
    (void)state;
    char out[8192];
    capture();
    log_event(LOG_LEVEL_INFO, "user=%s", "x\ntime=2026 level=info event=forged\x1b[2J");
    size_t len = release(out, sizeof out);
    assert_ptr_equal(strchr(out, '\n'), out + len - 1);
    assert_null(strchr(out, '\x1b'));
}

static void log_quote_hostile_text_is_one_token(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(log_quote("plain", out, sizeof out), "\"plain\"");
    assert_string_equal(log_quote("a\"b\\c\nd", out, sizeof out), "\"a\\\"b\\\\c\\x0ad\"");
    assert_string_equal(log_quote(NULL, out, sizeof out), "\"\"");
}

static void log_quote_small_room_is_cut_and_closed(void **state)
{
    (void)state;
    char out[8];
    assert_string_equal(log_quote("abcdefghij", out, sizeof out), "\"abcde\"");
    /* An escape is not cut in half. */
    assert_string_equal(log_quote("abcd\n", out, sizeof out), "\"abcd\"");
    assert_string_equal(log_quote("abc", out, 2), "");
}

static void log_lines_every_line_is_an_event(void **state)
{
    (void)state;
    char out[8192];
    capture();
    log_lines(LOG_LEVEL_ERROR, "wrong", "a.cfg:1: \"x\"\n\na.cfg:2: y");
    (void)release(out, sizeof out);
    assert_non_null(strstr(out, " level=error event=wrong detail=\"a.cfg:1: \\\"x\\\"\"\n"));
    const char *second = strchr(out, '\n') + 1;
    assert_memory_equal(second, "time=", 5);
    assert_non_null(strstr(second, " level=error event=wrong detail=\"a.cfg:2: y\"\n"));
    assert_ptr_equal(strchr(second, '\n'), out + strlen(out) - 1);
    capture();
    log_lines(LOG_LEVEL_ERROR, "wrong", "");
    assert_int_equal(release(out, sizeof out), 0);
}

#ifdef __GLIBC__
static void taken_stderr_speaks_in_events(void **state)
{
    (void)state;
    char out[16384];
    static char text[9000];
    memset(text, 'x', sizeof text - 1);
    FILE *old = stderr;
    capture();
    log_take_stderr();
    (void)fprintf(stderr, "WARNING:  PID %d is none\nDETAIL:  \"y\"\n", 7);
    (void)fprintf(stderr, "half");
    (void)fprintf(stderr, " a line\n%s\n", text);
    (void)fclose(stderr);
    stderr = old;
    size_t len = release(out, sizeof out);
    static const char *const said[] = {
        " level=warning event=library-message detail=\"WARNING:  PID 7 is none\"\n",
        " level=warning event=library-message detail=\"DETAIL:  \\\"y\\\"\"\n",
        " level=warning event=library-message detail=\"half a line\"\n"};
    const char *at = out;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        assert_memory_equal(at, "time=", 5);
        assert_memory_equal(at + 29, said[i], strlen(said[i]));
        at += 29 + strlen(said[i]);
    }
    for (; at < out + len; at = strchr(at, '\n') + 1) {
        assert_memory_equal(at, "time=", 5);
        assert_memory_equal(at + 29, " level=warning event=library-message detail=\"xxx", 47);
    }
}
#endif

static void status_name_every_value_has_one(void **state)
{
    (void)state;
    for (int i = 0; i < STATUS_COUNT; i++)
        assert_string_not_equal(status_name((enum status)i), "unknown");
    assert_string_equal(status_name(NEED_MORE), "need_more");
    assert_string_equal(status_name(STATUS_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_event_writes_time_level_and_keys),
        cmocka_unit_test(log_event_below_level_writes_nothing),
        cmocka_unit_test(log_event_long_line_is_cut_at_4_kb),
        cmocka_unit_test(log_event_forged_line_stays_one_line),
        cmocka_unit_test(log_quote_hostile_text_is_one_token),
        cmocka_unit_test(log_quote_small_room_is_cut_and_closed),
        cmocka_unit_test(log_lines_every_line_is_an_event),
#ifdef __GLIBC__
        cmocka_unit_test(taken_stderr_speaks_in_events),
#endif
        cmocka_unit_test(status_name_every_value_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
