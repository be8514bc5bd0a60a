/*
 * fuzz_sql.c: any bytes as SQL, for a restricted role that reads and for one that writes.
 *
 * Beyond not crashing: what is allowed must name guards and reviewed catalogs only, and write to
 * guards only. Every relation in the text that would be sent is looked at again here, by other code
 * than the judge's.
 *
 *     build/fuzz/fuzz_sql -max_len=4096 CORPUS tests/fuzz/seeds/sql
 */
#define JUDGE_FIXTURE_PLAIN
#include "policy/guard_tree.h"
#include "tests/golden/judge_fixture.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct names {
    const char *ctes[256];
    size_t count;
    bool copies; /* a COPY FROM, which has a temporary table */
};

static bool collect(const ProtobufCMessage *message, void *context)
{
    struct names *names = context;
    if (message->descriptor == &pg_query__common_table_expr__descriptor && names->count < 256)
        names->ctes[names->count++] = ((const PgQuery__CommonTableExpr *)message)->ctename;
    return true;
}

static bool check(const ProtobufCMessage *message, void *context)
{
    const struct names *names = context;
    if (message->descriptor == &pg_query__locking_clause__descriptor)
        return false; /* OF names entries of FROM */
    if (message->descriptor != &pg_query__range_var__descriptor)
        return true;
    const PgQuery__RangeVar *var = (const PgQuery__RangeVar *)message;
    bool known = strncmp(var->schemaname, "pgvigil:", 8) == 0 ||
                 (names->copies && strcmp(var->schemaname, "pg_temp") == 0 &&
                  strcmp(var->relname, JUDGE_COPY_TABLE) == 0) ||
                 (strcmp(var->schemaname, "pg_catalog") == 0 &&
                  guard_catalog_access("pg_catalog", var->relname) == CATALOG_OPEN);
    for (size_t i = 0; var->schemaname[0] == '\0' && i < names->count; i++)
        known = known || strcmp(names->ctes[i], var->relname) == 0;
    assert_true(known || names->count == 256);
    return true;
}

/* Nothing but a guard is written to, by whatever statement, at whatever depth. */
static bool check_target(const ProtobufCMessage *message, void *context)
{
    const PgQuery__RangeVar *target = NULL;
    (void)context;
    if (message->descriptor == &pg_query__insert_stmt__descriptor)
        target = ((const PgQuery__InsertStmt *)message)->relation;
    else if (message->descriptor == &pg_query__update_stmt__descriptor)
        target = ((const PgQuery__UpdateStmt *)message)->relation;
    else if (message->descriptor == &pg_query__delete_stmt__descriptor)
        target = ((const PgQuery__DeleteStmt *)message)->relation;
    assert_true(message->descriptor != &pg_query__merge_stmt__descriptor);
    assert_true(target == NULL || (strncmp(target->schemaname, "pgvigil:nurse/", 14) == 0));
    return true;
}

static void check_sent(const struct verdict *verdict)
{
    struct arena *arena = arena_new(0);
    PgQuery__ParseResult *tree = NULL;
    const char *why = NULL;
    struct names names = {.copies = verdict->statement_count == 1 &&
                                    verdict->statements[0].kind == STATEMENT_COPY_FROM};
    assert_int_equal(guard_tree_parse(verdict->sql, arena, &tree, &why), OK);
    /* Deeper than the walk goes, nothing is looked at. */
    enum status status = guard_tree_walk(&tree->base, collect, &names);
    if (status == OK)
        status = guard_tree_walk(&tree->base, check, &names);
    if (status == OK)
        status = guard_tree_walk(&tree->base, check_target, NULL);
    assert_true(status == OK || status == ERR_LIMIT);
    arena_free(arena);
}

struct input {
    const uint8_t *data;
    size_t size;
};

static void judge_as(const char *mission, const char *sql, size_t size)
{
    struct fixture_session nurse = {
        .role = "nurse", .path = {"public", "ehr"}, .path_count = 2, .constants = true};
    struct arena *arena = arena_new((size_t)256 << 20);
    struct verdict *verdict = NULL;
    (void)snprintf(nurse.mission, sizeof(nurse.mission), "%s", mission);
    enum status status = fixture_judge(&nurse, sql, size, arena, &verdict);
    assert_true(status != ERR_INTERNAL);
    if (verdict != NULL) {
        assert_int_equal(verdict->allowed, status == OK);
        assert_true(verdict->allowed || (verdict->sql == NULL && verdict->refusal.message != NULL));
        if (verdict->allowed)
            check_sent(verdict);
    }
    arena_free(arena);
}

static void *run(void *argument)
{
    const struct input *input = argument;
    char *sql = malloc(input->size + 1);
    assert_non_null(sql);
    if (input->size > 0)
        memcpy(sql, input->data, input->size);
    sql[input->size] = '\0';
    judge_as("care", sql, input->size);
    judge_as("writing", sql, input->size); /* where rows can be locked and written */
    free(sql);
    return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return fixture_setup(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    pthread_attr_t attributes;
    pthread_t thread;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, JUDGE_STACK_BYTES);
    assert_int_equal(pthread_create(&thread, &attributes, run, &input), 0);
    (void)pthread_join(thread, NULL);
    (void)pthread_attr_destroy(&attributes);
    return 0;
}
