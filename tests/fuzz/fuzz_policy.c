/*
 * fuzz_policy.c: policy files and expressions that nobody would write.
 *
 * Input that begins with '!' is one expression: when it is accepted and its placeholders are
 * replaced, a WHERE that puts it in parentheses must still be one SELECT whose last condition is
 * the one behind it. All other input is a policy file: it loads, or there is at least one error,
 * and nothing leaks or crashes.
 */
#include "policy/expression_check.h"

#include <pgvigil/expression.h>
#include <pgvigil/policy.h>

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

static void require(bool truth, const char *what)
{
    if (truth)
        return;
    (void)fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static const char *replacement(void *context, const struct policy_placeholder *placeholder)
{
    (void)placeholder;
    return context;
}

/* SELECT 1 FROM t WHERE (...) AND secret, and nothing else? */
static bool is_contained(const PgQuery__ParseResult *tree)
{
    if (tree->n_stmts != 1 || tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return false;
    const PgQuery__SelectStmt *select = tree->stmts[0]->stmt->select_stmt;
    const PgQuery__Node *where = select->where_clause;
    if (select->n_target_list != 1 || select->n_from_clause != 1 || select->larg != NULL ||
        select->n_group_clause != 0 || select->n_sort_clause != 0 || select->limit_count != NULL ||
        where == NULL || where->node_case != PG_QUERY__NODE__NODE_BOOL_EXPR ||
        where->bool_expr->boolop != PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR)
        return false;
    const PgQuery__Node *last = where->bool_expr->args[where->bool_expr->n_args - 1];
    return last->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && last->column_ref->n_fields == 1 &&
           strcmp(last->column_ref->fields[0]->string->sval, "secret") == 0;
}

static void check_containment(const struct policy *policy, const char *text, struct arena *arena)
{
    char value[] = "((SELECT pg_catalog.current_setting('pgvigil.u_x')::text)::text)";
    const char *out = NULL;
    const char *what = NULL;
    enum status status =
        expression_substitute(policy, text, arena, replacement, value, &out, &what);
    require(status == OK, "what was accepted can be substituted");
    char *sql = arena_printf(arena, "SELECT 1 FROM t WHERE (\n%s\n) AND secret", out);
    require(sql != NULL, "memory");
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql);
    /* A placeholder may still be where only a plain name parses; then deploy fails. It must not
     * escape. */
    if (result.error == NULL) {
        PgQuery__ParseResult *tree = pg_query__parse_result__unpack(
            NULL, result.parse_tree.len, (const uint8_t *)result.parse_tree.data);
        require(tree != NULL && is_contained(tree), "an expression stays in its parentheses");
        pg_query__parse_result__free_unpacked(tree, NULL);
    }
    pg_query_free_protobuf_parse_result(result);
}

static void try_expression(const struct input *input)
{
    static const struct policy_attribute attributes[] = {{.name = "a", .type = "text"},
                                                         {.name = "b-c", .type = "int[]"}};
    const struct policy policy = {.attributes = attributes, .attribute_count = 2};
    struct arena *arena = arena_new(0);
    char *text = arena_strndup(arena, (const char *)input->data, input->size);
    bool subject = false;
    const char *what = NULL;
    enum status status = expression_check(&policy, text, EXPRESSION_FILTER, arena, &subject, &what);
    require((status == OK) == (what == NULL), "a refusal has its reason");
    if (status == OK)
        check_containment(&policy, text, arena);
    arena_free(arena);
}

static void try_file(const struct input *input)
{
    char path[64];
    struct policy *policy = NULL;
    struct policy_errors errors = {0};
    int fd = memfd_create("policy", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, input->data, input->size) == (ssize_t)input->size, "memfd");
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    enum status status = policy_load(path, &policy, &errors);
    require((status == OK) == (policy != NULL), "a policy or an error");
    require((status == OK) == (errors.count == 0), "an error is told");
    policy_errors_free(&errors);
    policy_unref(policy);
    (void)close(fd);
}

static void *run(void *argument)
{
    struct input *input = argument;
    if (input->size > 0 && input->data[0] == '!') {
        struct input rest = {.data = input->data + 1, .size = input->size - 1};
        try_expression(&rest);
    } else {
        try_file(input);
    }
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* libpg_query recurses: the stack that judge.h asks for. */
    struct input input = {.data = data, .size = size};
    pthread_attr_t attributes;
    pthread_t thread;
    require(pthread_attr_init(&attributes) == 0 &&
                pthread_attr_setstacksize(&attributes, (size_t)256 << 20) == 0 &&
                pthread_create(&thread, &attributes, run, &input) == 0 &&
                pthread_join(thread, NULL) == 0,
            "a thread");
    (void)pthread_attr_destroy(&attributes);
    return 0;
}
