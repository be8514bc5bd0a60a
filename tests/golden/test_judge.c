/*
 * test_judge.c: statements and what judge() makes of them, from tests/golden/judge/ *.sql.
 *
 * A case is
 *     # role mission [path=a,b] [patient] [extended] [temporary]      who asks; absent: as before
 *     the statement, as many lines as it needs
 *     => the text that is sent            or    => refused SQLSTATE reason
 *     -- relation(column, column*)...     what the verdict says is read; * is masked, + is written,
 * & both (an empty line); of role doctor also how many subjects are carried, which are lists,
 * and whom it names ($0=text, $n).
 * In expected text G: stands for the pair's guard schema and C: for the catalog's. A statement is
 * sent again through PostgreSQL's own parser by verification in judge(); that the result means what
 * it should is the e2e tests' to show. JUDGE_UPDATE=1 rewrites the files with what is; read the
 * diff.
 */
#include "judge_fixture.h"

#include <dirent.h>

struct text {
    char *data;
    size_t len;
};

static void text_add(struct text *text, const char *bytes, size_t len)
{
    text->data = realloc(text->data, text->len + len + 1);
    assert_non_null(text->data);
    memcpy(text->data + text->len, bytes, len);
    text->len += len;
    text->data[text->len] = '\0';
}

static void text_put(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

/* "pgvigil:nurse/care@0123abcd" -> G:, "pgvigil:catalog@0123abcd" -> C: */
static void shorten(struct text *out, const char *sql, const char *pair)
{
    struct arena *arena = arena_new(0);
    const char *catalog = guard_catalog_schema(fixture_policy, arena);
    while (*sql != '\0') {
        if (pair != NULL && strncmp(sql, pair, strlen(pair)) == 0) {
            text_put(out, "G:");
            sql += strlen(pair);
        } else if (strncmp(sql, catalog, strlen(catalog)) == 0) {
            text_put(out, "C:");
            sql += strlen(catalog);
        } else {
            text_add(out, sql++, 1);
        }
    }
    arena_free(arena);
}

static void describe_relations(struct text *out, const struct verdict *verdict)
{
    bool any = false;
    for (size_t i = 0; i < verdict->statement_count; i++) {
        for (size_t k = 0; k < verdict->statements[i].relation_count; k++) {
            const struct verdict_relation *relation = &verdict->statements[i].relations[k];
            text_put(out, any ? " " : "-- ");
            any = true;
            text_put(out, relation->schema);
            text_put(out, ".");
            text_put(out, relation->name);
            text_put(out, "(");
            for (size_t c = 0; c < relation->column_count; c++) {
                text_put(out, c == 0 ? "" : " ");
                text_put(out, relation->columns[c].name);
                text_put(out, relation->columns[c].masked ? "*" : "");
                text_put(out, !relation->columns[c].written ? ""
                              : relation->columns[c].read   ? "&"
                                                            : "+");
            }
            text_put(out, ")");
        }
    }
    text_put(out, any ? "\n" : "");
}

/* How many columns tell whose a row is, and whether more is read than they tell. */
static void describe_subjects(struct text *out, const struct verdict *verdict)
{
    char line[64];
    for (size_t i = 0; i < verdict->statement_count; i++) {
        const struct verdict_statement *one = &verdict->statements[i];
        (void)snprintf(line, sizeof(line), "-- subjects: %zu%s", one->subjects,
                       one->subject_lists > 0 ? ", lists" : "");
        text_put(out, line);
        for (size_t k = 0; k < one->subjects && one->subject_lists > 0; k++)
            text_put(out, (one->subject_lists >> k & 1) != 0 ? " 1" : " 0");
        text_put(out, one->subjects_open ? ", open" : "");
        for (size_t k = 0; k < one->named_count; k++) {
            const struct verdict_named *named = &one->named[k];
            (void)snprintf(line, sizeof(line), "%s$%u%s", named->list ? " any " : " ",
                           named->parameter, named->text == NULL ? "" : "=");
            text_put(out, line);
            text_put(out, named->text == NULL ? "" : named->text);
        }
        text_put(out, "\n");
    }
}

static void outcome(struct text *out, const struct fixture_session *session, const char *sql)
{
    struct arena *arena = arena_new(0);
    struct verdict *verdict = NULL;
    enum status status = fixture_judge(session, sql, strlen(sql), arena, &verdict);
    assert_non_null(verdict);
    assert_int_equal(verdict->allowed, status == OK);
    if (status == OK) {
        assert_int_equal(strlen(verdict->sql), verdict->sql_len);
        assert_null(verdict->refusal.message);
        text_put(out, "=> ");
        shorten(out, verdict->sql, verdict->pair);
        text_put(out, "\n");
        describe_relations(out, verdict);
        if (strcmp(session->role, "doctor") == 0)
            describe_subjects(out, verdict);
    } else {
        assert_null(verdict->sql);
        assert_non_null(verdict->refusal.message);
        text_put(out, "=> refused ");
        text_put(out, verdict->refusal.sqlstate);
        text_put(out, " ");
        text_put(out, verdict->refusal.reason);
        text_put(out, ": ");
        text_put(out, verdict->refusal.message);
        text_put(out, "\n");
    }
    arena_free(arena);
}

/* Runs every case of a file; `actual` becomes the file as it would be right now. */
static size_t run_file(FILE *file, struct text *actual)
{
    struct fixture_session session = {
        .role = "nurse", .mission = "care", .path = {"public"}, .path_count = 1};
    struct text sql = {NULL, 0};
    text_put(&sql, "");
    char line[8192];
    bool answered = false;
    size_t cases = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == '#') {
            text_put(actual, line);
            if (line[1] == ' ')
                fixture_read_session(&session, line);
        } else if (strncmp(line, "=>", 2) == 0) {
            assert_true(sql.len > 0); /* an answer to nothing */
            answered = true;
            cases++;
            text_add(actual, sql.data, sql.len);
            sql.data[sql.len - 1] = '\0'; /* the last newline is the file's */
            outcome(actual, &session, sql.data);
            sql.len = 0;
        } else if (answered && line[0] != '\n') {
            continue; /* more of the expectation */
        } else if (line[0] == '\n' && sql.len == 0) {
            answered = false;
            text_put(actual, line);
        } else {
            text_put(&sql, line);
        }
    }
    free(sql.data);
    return cases;
}

static void judge_golden_cases_unchanged(void **state)
{
    struct dirent **names = NULL;
    int count = scandir(JUDGE_FOLDER, &names, NULL, alphasort);
    size_t cases = 0;
    bool same = true;
    (void)state;
    for (int i = 0; i < count; i++) {
        char path[4096];
        const char *dot = strrchr(names[i]->d_name, '.');
        bool wanted = dot != NULL && strcmp(dot, ".sql") == 0;
        (void)snprintf(path, sizeof(path), "%s%s", JUDGE_FOLDER, names[i]->d_name);
        free(names[i]);
        if (!wanted)
            continue;
        struct text actual = {NULL, 0};
        struct text expected = {NULL, 0};
        text_put(&actual, "");
        text_put(&expected, "");
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        cases += run_file(file, &actual);
        rewind(file);
        char chunk[4096];
        size_t got = 0;
        while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
            text_add(&expected, chunk, got);
        (void)fclose(file);
        if (strcmp(actual.data, expected.data) != 0) {
            same = false;
            const char *a = actual.data;
            const char *e = expected.data;
            while (*a == *e && *a != '\0') {
                a++;
                e++;
            }
            print_error("%s differs near:\n%.200s\n", path, a - (a - actual.data > 100 ? 100 : 0));
            if (getenv("JUDGE_UPDATE") != NULL) {
                FILE *out = fopen(path, "w");
                assert_non_null(out);
                (void)fwrite(actual.data, 1, actual.len, out);
                (void)fclose(out);
            }
        }
        free(actual.data);
        free(expected.data);
    }
    free((void *)names);
    assert_true(cases >= 100);
    assert_true(same);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(judge_golden_cases_unchanged)};
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

int main(void)
{
    return fixture_main(run);
}
