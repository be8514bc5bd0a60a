/*
 * Golden files for what policy_load says: policy/bad/<name>.cfg or a directory <name>, with
 * <name>.err beside it. PGVIGIL_GOLDEN=update writes the .err files instead of comparing: read the
 * difference before committing.
 */
#include <pgvigil/buf.h>
#include <pgvigil/map.h>
#include <pgvigil/policy.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FOLDER TEST_SOURCE_DIR "/tests/golden/policy/"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    text[len] = '\0';
    (void)fclose(file);
    return text;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

/* Paths in messages start at the folder, wherever the sources are. */
static char *without_folder(const char *text)
{
    char *out = calloc(1, strlen(text) + 1);
    assert_non_null(out);
    size_t len = strlen(FOLDER "bad/");
    for (char *to = out; *text != '\0';) {
        if (strncmp(text, FOLDER "bad/", len) == 0)
            text += len;
        else
            *to++ = *text++;
    }
    return out;
}

static char *load_errors(const char *path)
{
    struct policy *policy = NULL;
    struct policy_errors errors = {0};
    struct buf text;
    buf_init(&text, 0);
    enum status status = policy_load(path, &policy, &errors);
    if (status == OK)
        print_error("%s loads\n", path);
    assert_true(status == ERR_INVALID || status == ERR_IO);
    assert_null(policy);
    assert_true(errors.count > 0);
    policy_errors_print(&errors, &text);
    buf_byte(&text, '\0');
    char *out = without_folder((const char *)text.data);
    policy_errors_free(&errors);
    buf_free(&text);
    return out;
}

static bool is_case(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' &&
           ((len > 4 && strcmp(entry->d_name + len - 4, ".cfg") == 0) ||
            strstr(entry->d_name, "directory") != NULL) &&
           strstr(entry->d_name, ".err") == NULL;
}

static size_t count_lines(const char *text, struct map *kinds)
{
    size_t count = 0;
    char *copy = strdup(text);
    char *state = NULL;
    for (char *line = strtok_r(copy, "\n", &state); line != NULL;
         line = strtok_r(NULL, "\n", &state)) {
        const char *message = strstr(line, ": ");
        if (message != NULL && map_get_str(kinds, message) == NULL)
            assert_int_equal(map_put_str(kinds, message, kinds), OK);
        count++;
    }
    free(copy);
    return count;
}

static void bad_policies_tell_every_error(void **state)
{
    (void)state;
    const char *mode = getenv("PGVIGIL_GOLDEN");
    bool update = mode != NULL && strcmp(mode, "update") == 0;
    struct map *kinds = map_new();
    size_t cases = 0;
    size_t different = 0;
    DIR *folder = opendir(FOLDER "bad");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[1024];
        char expected_path[1024];
        if (!is_case(entry))
            continue;
        (void)snprintf(path, sizeof(path), FOLDER "bad/%s", entry->d_name);
        char *stem = strdup(entry->d_name);
        char *dot = strrchr(stem, '.');
        if (dot != NULL)
            *dot = '\0';
        (void)snprintf(expected_path, sizeof(expected_path), FOLDER "bad/%s.err", stem);
        free(stem);
        char *actual = load_errors(path);
        /* Whatever is wrong, no secret is told. */
        assert_null(strstr(actual, "hunter2"));
        assert_null(strstr(actual, "0kgqt5d6"));
        (void)count_lines(actual, kinds);
        cases++;
        if (update) {
            write_file(expected_path, actual);
        } else {
            char *expected = read_file(expected_path);
            if (expected == NULL || strcmp(expected, actual) != 0) {
                print_error("%s: expected\n%s\nbut got\n%s\n", path,
                            expected == NULL ? "" : expected, actual);
                different++;
            }
            free(expected);
        }
        free(actual);
    }
    (void)closedir(folder);
    assert_int_equal(different, 0);
    assert_true(cases >= 30);
    assert_true(map_count(kinds) >= 100);
    map_free(kinds);
}

static void missing_policy_is_an_io_error(void **state)
{
    (void)state;
    struct policy *policy = NULL;
    struct policy_errors errors = {0};
    assert_int_equal(policy_load("/nonexistent/policy", &policy, &errors), ERR_IO);
    assert_null(policy);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.errors[0].place.file, "/nonexistent/policy");
    policy_errors_free(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_policies_tell_every_error),
        cmocka_unit_test(missing_policy_is_an_io_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
