/*
 * test_alike.c: a text that stands for another with other constants is what judging it would give.
 *
 * Every statement of the golden cases that is allowed, and some more, with random constants in the
 * places that verdict->constants calls free: allowed as well when it is judged, and with the same
 * text, edits, relations and columns as statement_alike makes of the first. Where it may go as a
 * statement that is prepared once (lookup.h), that is the same text once its values stand in it.
 * Seeded; how many: ALIKE_COUNT (default 20000; a million takes some minutes).
 */
#include "judge_fixture.h"
#include "proxy/lookup.h"
#include "proxy/named.h"

#include <dirent.h>
#include <pgvigil/constants.h>

#define PROTOTYPES_MAX 2000

static struct prototype {
    struct fixture_session session;
    struct statement *statement;
    struct constants constants;
} prototypes[PROTOTYPES_MAX];
static size_t prototype_count;
static size_t constant_count, free_count, named_count, lookup_count;

/* ---- the statements ---- */

static void add(const struct fixture_session *session, const char *sql)
{
    struct prototype *prototype = &prototypes[prototype_count];
    if (session->temporary || session->extended || prototype_count == PROTOTYPES_MAX ||
        !constants_find(sql, strlen(sql), &prototype->constants))
        return;
    prototype->session = *session;
    prototype->session.constants = true;
    struct statement *statement = statement_new("", sql, strlen(sql), NULL, 0, 0);
    assert_non_null(statement);
    bool any = false;
    if (fixture_judge(&prototype->session, statement->sql, statement->len, statement->arena,
                      &statement->verdict) == OK) {
        constant_count += statement->verdict->constant_count;
        for (size_t i = 0; i < statement->verdict->constant_count; i++) {
            any = any || statement->verdict->constants[i];
            free_count += statement->verdict->constants[i];
        }
    }
    if (!any) {
        statement_unref(statement);
        return;
    }
    assert_int_equal(statement->verdict->constant_count, prototype->constants.count);
    assert_true(statement_keep_constants(statement, &prototype->constants));
    prototype->statement = statement;
    prototype_count++;
}

static void add_file(const char *path)
{
    static char sql[65536];
    char line[8192];
    struct fixture_session session = {
        .role = "nurse", .mission = "care", .path = {"public"}, .path_count = 1};
    bool answered = false;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    sql[0] = '\0';
    while (fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == '#') {
            if (line[1] == ' ')
                fixture_read_session(&session, line);
        } else if (strncmp(line, "=>", 2) == 0) {
            answered = true;
            sql[strlen(sql) - 1] = '\0';
            if (session.path_count == 1 && strcmp(session.path[0], "public") == 0)
                add(&session, sql);
            sql[0] = '\0';
        } else if (line[0] == '\n' && sql[0] == '\0') {
            answered = false;
        } else if (!answered) {
            size_t len = strlen(sql);
            assert_true(snprintf(sql + len, sizeof(sql) - len, "%s", line) <
                        (int)(sizeof(sql) - len));
        }
    }
    (void)fclose(file);
}

static void add_all(void)
{
    static const char *const more[] = {
        "SELECT id, family_name FROM patients WHERE id = 5",
        "SELECT id FROM patients WHERE id = -5 AND ward_id IN (1, 2, 3) ORDER BY 1 LIMIT 10",
        "SELECT id, 'x' AS kind, 1.50 FROM patients WHERE id BETWEEN 3 AND 8 OFFSET 4 LIMIT 7",
        "SELECT date_trunc('day', '2024-01-01'::date), '5'::int4 + id FROM patients",
        "SELECT id FROM patients WHERE id = 1 UNION ALL SELECT 2 ORDER BY 1",
        "SELECT DISTINCT ON (1) id, 7 FROM patients ORDER BY 1, 2",
        "SELECT count(*) FILTER (WHERE id > 10) FROM patients HAVING count(*) > 2",
        "SELECT s.id FROM stays s JOIN patients p ON p.ward_id = 4 WHERE s.id <> 3 ;",
        "SELECT CASE WHEN id > 4 THEN 'a' ELSE 'b' END FROM patients WHERE id=+ 4",
        "SELECT 1 FROM patients WHERE 'pg_class'::regclass = 5 AND id = 3",
        "WITH w AS (SELECT id FROM patients WHERE ward_id = 2) SELECT id FROM w WHERE id <> 5",
        "SELECT id FROM patients WHERE (id, ward_id) = (1, 2) AND family_name SIMILAR TO 'a%'",
        "SELECT id FROM patients WHERE family_name ILIKE '%a' ESCAPE '!' AND NULLIF(id, 3) > 1",
        "SELECT id FROM patients WHERE id = ANY('{1,2}') AND id IS DISTINCT FROM 9",
        "SELECT id + 1 AS n, row_number() OVER (ORDER BY id ROWS 2 PRECEDING) FROM patients",
        "SELECT (SELECT count(*) FROM stays WHERE patient_id = p.id AND id > 100) FROM patients p",
        "SELECT id FROM patients WHERE EXISTS (SELECT 1 FROM stays s WHERE s.patient_id = 3)",
        "SELECT lower('A' || family_name), coalesce(family_name, 'none') FROM patients",
        "SELECT id FROM patients WHERE id > 3 GROUP BY GROUPING SETS ((1), ()) HAVING count(*) > 1",
        "SELECT * FROM stays WHERE id = 11",
        "SELECT patient_id, 3 FROM stays s WHERE 7 = s.id AND s.reason <> 4 LIMIT 2;",
        "SELECT s.* FROM stays AS s WHERE (s.id = 12) AND id = 13 AND patient_id IS NULL",
        "SELECT id AS \"a$1\", \"id\" FROM public.stays WHERE public.stays.id=14 GROUP BY 1",
        "SELECT state FROM jobs WHERE id = '5' AND 7 = jobs.id",
        "SELECT family_name FROM patients WHERE id = 'a''b' LIMIT 3",
        "SELECT state FROM jobs WHERE id = 5 AND 6 = jobs.id AND priority > 0",
        "VALUES (1, 'a'), (2, 'b')"};
    struct dirent **names = NULL;
    int count = scandir(JUDGE_FOLDER, &names, NULL, alphasort);
    struct fixture_session nurse = {
        .role = "nurse", .mission = "care", .path = {"public"}, .path_count = 1};
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        add(&nurse, more[i]);
    assert_true(prototype_count >= 8);
    for (int i = 0; i < count; i++) {
        char path[4096];
        const char *dot = strrchr(names[i]->d_name, '.');
        (void)snprintf(path, sizeof(path), "%s%s", JUDGE_FOLDER, names[i]->d_name);
        if (dot != NULL && strcmp(dot, ".sql") == 0)
            add_file(path);
        free(names[i]);
    }
    free((void *)names);
}

/* ---- other constants ---- */

static uint64_t state = 20261126;

static uint64_t draw(uint64_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

static size_t random_constant(enum constant_class class, char *out, size_t size)
{
    static const char *const texts[] = {"",
                                        "a",
                                        "public.patients",
                                        "pg_authid",
                                        "--",
                                        "/*",
                                        "*/",
                                        ";",
                                        "''",
                                        "$1",
                                        "$$",
                                        "\303\251",
                                        " ",
                                        "\n",
                                        "%",
                                        "_",
                                        "\"",
                                        "pgvigil",
                                        "SELECT nir FROM patients",
                                        ")",
                                        "(",
                                        "::regclass",
                                        "1",
                                        "\360\237\217\245",
                                        "nurse",
                                        "null"};
    size_t len = 0;
    if (class == CONSTANT_INTEGER) {
        uint64_t top = draw(2) == 0 ? 20 : 1000000000;
        return (size_t)snprintf(out, size, draw(10) == 0 ? "%05lu" : "%lu",
                                (unsigned long)draw(top));
    }
    if (class == CONSTANT_NUMERIC)
        return (size_t)snprintf(out, size, "%lu.%0*lu", (unsigned long)draw(100000),
                                (int)draw(6) + 1, (unsigned long)draw(10));
    out[len++] = '\'';
    for (uint64_t parts = draw(4); parts > 0; parts--) {
        const char *text = texts[draw(sizeof(texts) / sizeof(texts[0]))];
        len += (size_t)snprintf(out + len, size - len, "%s", text);
    }
    out[len++] = '\'';
    return len;
}

static size_t other_text(const struct prototype *prototype, char *out)
{
    const struct statement *statement = prototype->statement;
    size_t len = 0;
    size_t at = 0;
    for (size_t i = 0; i < prototype->constants.count; i++) {
        const struct constant *constant = &prototype->constants.list[i];
        if (!statement->verdict->constants[i])
            continue;
        memcpy(out + len, statement->sql + at, constant->at - at);
        len += constant->at - at;
        len += random_constant(constant->class, out + len, 128);
        at = constant->at + constant->len;
    }
    memcpy(out + len, statement->sql + at, statement->len - at);
    len += statement->len - at;
    out[len] = '\0';
    return len;
}

/* ---- what must be the same ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_relations(const struct verdict_statement *a, const struct verdict_statement *b)
{
    bool same = a->relation_count == b->relation_count;
    for (size_t i = 0; same && i < a->relation_count; i++) {
        const struct verdict_relation *x = &a->relations[i];
        const struct verdict_relation *y = &b->relations[i];
        same = strcmp(x->schema, y->schema) == 0 && strcmp(x->name, y->name) == 0 &&
               x->rule == y->rule && x->table == y->table && x->writes == y->writes &&
               x->relation == y->relation && x->column_count == y->column_count &&
               same_text(x->guard, y->guard);
        for (size_t k = 0; same && k < x->column_count; k++)
            same = strcmp(x->columns[k].name, y->columns[k].name) == 0 &&
                   x->columns[k].masked == y->columns[k].masked &&
                   x->columns[k].read == y->columns[k].read &&
                   x->columns[k].written == y->columns[k].written;
    }
    return same;
}

static bool same(const struct verdict *a, const struct verdict *b)
{
    const struct verdict_statement *x = &a->statements[0];
    const struct verdict_statement *y = &b->statements[0];
    bool same = a->allowed && b->allowed && a->statement_count == 1 && b->statement_count == 1 &&
                a->sql_len == b->sql_len && strcmp(a->sql, b->sql) == 0 &&
                a->edit_count == b->edit_count && same_text(a->pair, b->pair) &&
                a->keyed_count == b->keyed_count;
    for (size_t i = 0; same && i < a->edit_count; i++)
        same = a->edits[i].at == b->edits[i].at && a->edits[i].removed == b->edits[i].removed &&
               a->edits[i].inserted == b->edits[i].inserted;
    return same && x->kind == y->kind && strcmp(x->tag, y->tag) == 0 && x->start == y->start &&
           x->len == y->len && x->writes == y->writes && x->sequences == y->sequences &&
           x->objects == y->objects && x->subjects == y->subjects &&
           x->subject_lists == y->subject_lists && x->subjects_open == y->subjects_open &&
           same_text(x->normalized, y->normalized) && strcmp(x->fingerprint, y->fingerprint) == 0 &&
           same_relations(x, y);
}

/* Whom they name, too: the values are those of the text at hand. */
static bool same_named(const struct statement *alike, struct verdict *judged)
{
    struct statement *statement = statement_new("", alike->sql, alike->len, NULL, 0, 0);
    struct subjects *lists[] = {subjects_new(), subjects_new()};
    struct audit_patients named[2];
    assert_non_null(statement);
    statement->verdict = judged;
    assert_int_equal(named_add(lists[0], statement, 0, NULL), OK);
    assert_int_equal(named_add(lists[1], alike, 0, NULL), OK);
    for (size_t i = 0; i < 2; i++)
        subjects_list(lists[i], &named[i]);
    bool same = named[0].number_count == named[1].number_count &&
                named[0].text_count == named[1].text_count;
    for (size_t i = 0; same && i < named[0].number_count; i++)
        same = named[0].numbers[i] == named[1].numbers[i];
    for (size_t i = 0; same && i < named[0].text_count; i++)
        same = strcmp(named[0].texts[i], named[1].texts[i]) == 0;
    named_count += named[0].number_count + named[0].text_count;
    statement_unref(statement);
    subjects_free(lists[0]);
    subjects_free(lists[1]);
    return same;
}

/* $1, $2... in order, and nothing else, are other bytes. */
static bool same_lookup(const struct statement *alike)
{
    size_t len;
    const char *text = lookup_text(alike->lookup, &len);
    const char *sql = alike->verdict->sql;
    const char *end = text + len;
    size_t next = 0;
    while (text < end && *sql != '\0') {
        if (*text != '$' || *sql == '$') {
            if (*text++ != *sql++)
                return false;
            continue;
        }
        char mark[8];
        const struct constant *value = &lookup_constants(alike)[next];
        size_t mark_len = (size_t)snprintf(mark, sizeof mark, "$%zu", ++next);
        if (strncmp(text, mark, mark_len) != 0 ||
            strncmp(sql, alike->sql + value->at, value->len) != 0)
            return false;
        text += mark_len;
        sql += value->len;
    }
    lookup_count++;
    return text == end && *sql == '\0' && next == alike->verdict->keyed_count;
}

static void try_one(const struct prototype *prototype)
{
    static char sql[1 << 20];
    size_t len = other_text(prototype, sql);
    struct constants constants;
    assert_true(constants_find(sql, len, &constants));
    assert_int_equal(constants.count, prototype->constants.count);
    struct statement *alike = statement_alike(prototype->statement, sql, len, &constants);
    assert_non_null(alike);
    assert_string_equal(alike->sql, sql);
    struct arena *arena = arena_new(0);
    struct verdict *verdict = NULL;
    enum status status = fixture_judge(&prototype->session, sql, len, arena, &verdict);
    bool good = status == OK && same(verdict, alike->verdict) && same_named(alike, verdict) &&
                (alike->values == NULL || same_lookup(alike));
    if (!good) {
        print_error("of:     %s\ntext:   %s\njudged: %s\nalike:  %s\n", prototype->statement->sql,
                    sql, status == OK ? verdict->sql : verdict->refusal.message,
                    alike->verdict->sql);
        assert_true(false);
    }
    arena_free(arena);
    statement_unref(alike);
}

static void alike_is_what_judging_gives(void **unused)
{
    (void)unused;
    const char *wanted = getenv("ALIKE_COUNT");
    unsigned long count = wanted == NULL ? 20000 : strtoul(wanted, NULL, 10);
    add_all();
    assert_true(prototype_count >= 70);
    for (unsigned long i = 0; i < count; i++)
        try_one(&prototypes[draw(prototype_count)]);
    assert_true(named_count > 0);
    assert_true(lookup_count > 0);
    printf("%lu texts of %zu statements, %zu of their %zu constants free, %zu patients named, "
           "%zu lookups\n",
           count, prototype_count, free_count, constant_count, named_count, lookup_count);
    for (size_t i = 0; i < prototype_count; i++)
        statement_unref(prototypes[i].statement);
}

static bool finds(const char *sql, const char *expected)
{
    struct constants constants;
    char found[512] = "";
    if (!constants_find(sql, strlen(sql), &constants))
        return expected == NULL;
    for (size_t i = 0; i < constants.count; i++)
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%c%.*s ",
                 (char)constants.list[i].class, (int)constants.list[i].len,
                 sql + constants.list[i].at);
    bool good = expected != NULL && strcmp(found, expected) == 0;
    if (!good)
        print_error("%s: %s\n", sql, found);
    return good;
}

static void plain_constants_are_found(void **unused)
{
    (void)unused;
    assert_true(finds("SELECT 1, -2,3.50 , 'a''b', '', x1 FROM t2 WHERE \"c'3\"='\303\251';",
                      "i1 i2 n3.50 s'a''b' s'' s'\303\251' "));
    assert_true(finds("select a[1:2]::int4", "i1 i2 "));
    assert_true(finds("select", ""));
}

/* Whatever PostgreSQL could read otherwise. */
static void anything_else_is_judged(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "SELECT 1 -- 2",   "SELECT 1 /* 2 */",  "SELECT E'a'",        "SELECT e'a\\'b'",
        "SELECT U&'a'",    "SELECT u&\"a\"",    "SELECT B'1'",        "SELECT x'1'",
        "SELECT N'a'",     "SELECT $$a$$",      "SELECT $1",          "SELECT $a$b$a$",
        "SELECT 'a' 'b'",  "SELECT 'a'\n'b'",   "SELECT 'a\\'",       "SELECT 'a",
        "SELECT \"a",      "SELECT 1e5",        "SELECT .5",          "SELECT 5.",
        "SELECT 1.2.3",    "SELECT 1234567890", "SELECT 1; SELECT 2", "SELECT 1;;",
        "SELECT a$1",      "SELECT 1a",         "SELECT 0x1F",        "SELECT '\377'",
        "SELECT \303\251", "SELECT a\1b",       "SELECT `a`",         "SELECT '1'2",
        "SELECT 1_000",    "SELECT 'a'b",       "SELECT \"a\"1",      "SELECT 1..2",
        "SELECT \\1",      "SELECT {1}",        "SELECT a\v1"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_true(finds(texts[i], NULL));
}

static int run(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain_constants_are_found),
                                       cmocka_unit_test(anything_else_is_judged),
                                       cmocka_unit_test(alike_is_what_judging_gives)};
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

int main(void)
{
    return fixture_main(run);
}
