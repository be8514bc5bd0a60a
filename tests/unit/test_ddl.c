/* Which statements of an unrestricted role meet the guards, and of what. */
#include <pgvigil/ddl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* "changes alone copies controls: r s.t, y t, f f": what was read, in a line. */
static const char *summary(const char *sql)
{
    static char out[600];
    static const char kinds[] = "ryfseo";
    struct arena *arena = arena_new(0);
    struct ddl ddl;
    assert_int_equal(ddl_read(sql, arena, &ddl), OK);
    int used = snprintf(out, sizeof out, "%s%s%s%s", ddl.changes ? "changes " : "",
                        ddl.alone ? "alone " : "", ddl.copies ? "copies " : "",
                        ddl.controls ? "controls " : "");
    for (size_t i = 0; i < ddl.target_count; i++)
        used += snprintf(out + used, sizeof out - (size_t)used, "%c %s%s%s ",
                         kinds[ddl.targets[i].object],
                         ddl.targets[i].schema == NULL ? "" : ddl.targets[i].schema,
                         ddl.targets[i].schema == NULL ? "" : ".",
                         ddl.targets[i].name == NULL ? "-" : ddl.targets[i].name);
    assert_true((ddl_guards_sql(&ddl, arena) != NULL) == (ddl.target_count > 0));
    arena_free(arena);
    return out;
}

static void what_alters_a_table_names_it(void **state)
{
    (void)state;
    assert_string_equal(summary("ALTER TABLE patients ALTER phone TYPE varchar(80)"),
                        "changes r patients ");
    assert_string_equal(summary("ALTER TABLE ONLY \"S x\".\"T\" DROP a, ADD b int"),
                        "changes r S x.T ");
    assert_string_equal(summary("ALTER TABLE a RENAME b TO c"), "changes r a ");
    assert_string_equal(summary("ALTER TABLE s.a RENAME TO c"), "changes r s.a ");
    assert_string_equal(summary("ALTER VIEW a RENAME COLUMN b TO c"), "changes r a ");
    assert_string_equal(summary("ALTER TABLE a SET SCHEMA t"), "changes r a ");
    assert_string_equal(summary("ALTER TABLE a ATTACH PARTITION s.b DEFAULT"),
                        "changes r s.b r a ");
    assert_string_equal(summary("ALTER TABLE a DETACH PARTITION b CONCURRENTLY"),
                        "changes alone r b r a ");
    assert_string_equal(summary("ALTER TABLE a INHERIT b"), "changes r b r a ");
}

static void what_alters_no_guard_is_let_be(void **state)
{
    (void)state;
    assert_string_equal(summary("ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0), OWNER TO x"), "");
    assert_string_equal(summary("ALTER TABLE a DISABLE TRIGGER ALL"), "");
    assert_string_equal(summary("CREATE INDEX CONCURRENTLY ON a (b)"), "");
    assert_string_equal(summary("DROP INDEX CONCURRENTLY a"), "");
    assert_string_equal(summary("ALTER INDEX a RENAME TO b"), "");
    assert_string_equal(summary("ALTER TABLE a RENAME CONSTRAINT b TO c"), "");
    assert_string_equal(summary("VACUUM FULL a"), "");
    assert_string_equal(summary("CREATE TEMPORARY TABLE a (b int)"), "");
    assert_string_equal(summary("DO $$ BEGIN EXECUTE 'DROP TABLE a'; END $$"), "");
    assert_string_equal(summary("SELECT 1"), "");
}

static void other_objects_are_found_by_their_kind(void **state)
{
    (void)state;
    assert_string_equal(summary("DROP TABLE a, s.b CASCADE"), "changes r a r s.b ");
    assert_string_equal(summary("DROP VIEW IF EXISTS a"), "changes r a ");
    assert_string_equal(summary("DROP TYPE s.a"), "changes y s.a ");
    assert_string_equal(summary("DROP DOMAIN a"), "changes y a ");
    assert_string_equal(summary("ALTER TYPE a RENAME TO b"), "changes y a ");
    assert_string_equal(summary("ALTER TYPE a RENAME VALUE 'x' TO 'y'"), "changes ");
    assert_string_equal(summary("DROP FUNCTION s.f(int)"), "changes f s.f ");
    assert_string_equal(summary("ALTER FUNCTION f(int) RENAME TO g"), "changes f f ");
    assert_string_equal(summary("DROP SCHEMA s CASCADE"), "changes s s ");
    assert_string_equal(summary("ALTER SCHEMA s RENAME TO t"), "changes s s ");
    assert_string_equal(summary("DROP EXTENSION e"), "changes e e ");
    assert_string_equal(summary("DROP OWNED BY clinic, CURRENT_USER"), "changes o clinic o - ");
    assert_string_equal(summary("DROP OPERATOR +(a, a)"), "changes ");
    assert_string_equal(summary("CREATE OR REPLACE VIEW v AS SELECT 1"), "changes r v ");
    assert_string_equal(summary("CREATE VIEW v AS SELECT 1"), "changes ");
    assert_string_equal(summary("CREATE TABLE t PARTITION OF p DEFAULT"), "changes ");
    assert_string_equal(summary("CREATE MATERIALIZED VIEW m AS SELECT 1"), "changes ");
}

static void texts_of_several_are_read_whole(void **state)
{
    (void)state;
    assert_string_equal(summary("BEGIN; INSERT INTO a VALUES (1); DROP TABLE a; COMMIT"),
                        "changes controls r a ");
    assert_string_equal(summary("DROP TABLE a; COPY b FROM STDIN"), "changes copies r a ");
    assert_string_equal(summary("SELECT 'DROP TABLE a' -- ; DROP TABLE b"), "");
}

static void names_cannot_leave_their_quotes(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct ddl ddl;
    assert_int_equal(ddl_read("DROP TABLE \"a'); DROP TABLE b --\"", arena, &ddl), OK);
    const char *sql = ddl_guards_sql(&ddl, arena);
    assert_non_null(strstr(sql, "to_regclass('\"a''); DROP TABLE b --\"')"));
    assert_int_equal(ddl_read("DROP TABLE (", arena, &ddl), ERR_SYNTAX);
    arena_free(arena);
}

static void tags_of_definitions_are_known(void **state)
{
    (void)state;
    assert_true(ddl_tag("ALTER TABLE"));
    assert_true(ddl_tag("DO"));
    assert_true(ddl_tag("DROP OWNED"));
    assert_false(ddl_tag("INSERT"));
    assert_false(ddl_tag("DOES"));
    assert_false(ddl_tag("SELECT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_alters_a_table_names_it),
        cmocka_unit_test(what_alters_no_guard_is_let_be),
        cmocka_unit_test(other_objects_are_found_by_their_kind),
        cmocka_unit_test(texts_of_several_are_read_whole),
        cmocka_unit_test(names_cannot_leave_their_quotes),
        cmocka_unit_test(tags_of_definitions_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
