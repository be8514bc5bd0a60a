/*
 * judge.c: SQL text in, verdict out.
 *
 * The order is the defence: length and encoding, tokens and their depth bound, only then
 * libpg_query's parser and anything recursive; then the allow-list, the resolver and the rules;
 * then the edits, and last the proof that the edited text reads as what was judged. The verdict is
 * allowed only when all of it returned OK; until then it is the zeroed one that denies.
 */
#include "judge_cube.h"
#include "judge_write.h"

#include <pgvigil/text.h>
#include <string.h>

static enum status check_text(struct judge *judge)
{
    const struct judge_request *request = judge->request;
    if (request->len > JUDGE_MAX_BYTES)
        return judge_refuse(
            judge, ERR_LIMIT, "54000", "length", "length", SIZE_MAX,
            judge_format(judge, "the statement is longer than %zu bytes", JUDGE_MAX_BYTES));
    if (request->sql[request->len] != '\0' || !text_is_utf8(request->sql, request->len))
        return judge_refuse(judge, ERR_SYNTAX, "22021", "encoding", "encoding", SIZE_MAX,
                            "the statement is not valid UTF-8");
    size_t at = 0;
    if (scan_runs(request->sql, request->len, &at) != OK)
        return judge_refuse(judge, ERR_LIMIT, "54001", "operators", "operators", at,
                            "the statement has too many operator characters in a row");
    return OK;
}

static enum status parse(struct judge *judge, PgQuery__ParseResult **tree)
{
    const struct judge_request *request = judge->request;
    const char *message = NULL;
    size_t position = 0;
    size_t at = 0;
    enum status scanned = scan_tokens(request->sql, request->len, judge->arena, &judge->tokens);
    if (scanned == ERR_MEMORY)
        return judge_no_memory(judge);
    /* Without tokens there is no bound on the depth, and nothing recursive may run. ERR_SYNTAX
     * alone goes on: what the scanner cannot read the parser stops at, before it makes a tree. */
    if (scanned != OK && scanned != ERR_SYNTAX)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "scanner", SIZE_MAX,
                            "the statement could not be split into tokens");
    if (judge->tokens.count > JUDGE_MAX_TOKENS)
        return judge_refuse(
            judge, ERR_LIMIT, "54000", "length", "length", SIZE_MAX,
            judge_format(judge, "the statement has more than %zu tokens", JUDGE_MAX_TOKENS));
    enum status status = scanned == OK ? scan_depth(&judge->tokens, JUDGE_MAX_DEPTH, &at) : OK;
    if (status == ERR_LIMIT)
        return judge_refuse(judge, ERR_LIMIT, "54001", "depth", "depth", at,
                            "the statement is nested too deeply");
    if (status != OK)
        return judge_no_memory(judge);
    if (scanned == OK && judge_free_word(judge) != OK)
        return ERR_MEMORY;
    status = tree_parse(judge->request->sql, judge->arena, tree, &message, &position);
    if (status == ERR_MEMORY)
        return judge_no_memory(judge);
    if (status == ERR_SYNTAX) {
        judge_refuse(judge, ERR_SYNTAX, "42601", "syntax", "syntax", SIZE_MAX, message);
        judge->verdict->refusal.position = position;
        return ERR_SYNTAX;
    }
    /* What the scanner refuses the parser must refuse, or the two do not read the same text. */
    return scanned == OK ? OK
                         : judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "scanner",
                                        SIZE_MAX, "the statement could not be split into tokens");
}

/* The statement's bytes, without the white space and comments in front. */
static void range_of(const struct judge *judge, const PgQuery__RawStmt *raw,
                     struct verdict_statement *out)
{
    size_t start = raw->stmt_location < 0 ? 0 : (size_t)raw->stmt_location;
    size_t end = raw->stmt_len > 0 ? start + (size_t)raw->stmt_len : judge->request->len;
    end = end > judge->request->len ? judge->request->len : end;
    size_t first = scan_from(&judge->tokens, start);
    if (first < judge->tokens.count)
        start = judge->tokens.tokens[first].start;
    out->start = start < end ? start : end;
    out->len = end - out->start;
}

static enum status describe(struct judge *judge, const PgQuery__Node *node,
                            struct verdict_statement *out)
{
    if (judge->request->sketch)
        return OK;
    char *sql = arena_strndup(judge->arena, judge->request->sql + out->start, out->len);
    if (sql == NULL)
        return judge_no_memory(judge);
    PgQueryFingerprintResult print = pg_query_fingerprint(sql);
    if (print.error == NULL && print.fingerprint_str != NULL)
        memcpy(out->fingerprint, print.fingerprint_str, strnlen(print.fingerprint_str, 16));
    pg_query_free_fingerprint_result(print);
    if (out->len >
        JUDGE_MAX_NORMALIZED) { /* normalizing is slow there, and no record should be that long */
        out->normalized = judge_format(judge, "... (%zu bytes)", out->len);
        return out->normalized == NULL ? judge_no_memory(judge) : OK;
    }
    PgQueryNormalizeResult normal = pg_query_normalize(sql);
    /* Never the text itself: it may hold values. */
    out->normalized =
        arena_strdup(judge->arena, normal.error == NULL ? normal.normalized_query : "...");
    if (out->normalized != NULL)
        out->normalized = judge_mask_constants(judge, out->normalized, node);
    pg_query_free_normalize_result(normal);
    bool setting = node != NULL && (node->node_case == PG_QUERY__NODE__NODE_VARIABLE_SET_STMT ||
                                    node->node_case == PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT);
    if (setting && out->normalized != NULL)
        judge_restore_word((char *)(uintptr_t)out->normalized);
    return out->normalized == NULL ? judge_no_memory(judge) : OK;
}

static enum status relation_columns(struct judge *judge, struct relation_use *use)
{
    const struct policy *policy = judge->request->policy;
    struct verdict_column *columns =
        arena_zalloc(judge->arena, use->column_count + 1, sizeof(*columns));
    if (columns == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < use->column_count; i++) {
        if (!use->used[i] && !use->written[i])
            continue;
        bool ruled = use->shown.rule != NULL && use->shown.table != NULL;
        columns[use->shown.column_count++] = (struct verdict_column){
            .name = use->columns[i],
            .masked =
                ruled &&
                policy_mask_for(policy, use->shown.table, use->shown.rule, use->columns[i])->kind !=
                    MASK_SHOW,
            .read = use->used[i],
            .written = use->written[i]};
    }
    use->shown.columns = columns;
    return OK;
}

static enum status collect_relations(struct judge *judge, struct verdict_statement *out)
{
    struct verdict_relation *relations =
        arena_zalloc(judge->arena, judge->use_count + 1, sizeof(*relations));
    if (relations == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < judge->use_count; i++) {
        enum status status = relation_columns(judge, judge->uses[i]);
        if (status != OK)
            return status;
        relations[i] = judge->uses[i]->shown;
    }
    out->relations = relations;
    out->relation_count = judge->use_count;
    return OK;
}

static enum status one_statement(struct judge *judge, const PgQuery__RawStmt *raw,
                                 struct verdict_statement *out)
{
    judge->uses = NULL;
    judge->use_count = judge->use_cap = 0;
    judge->level = NULL;
    judge->calls_foreign_function = judge->writes = false;
    judge->sequences = judge->objects = judge->changes = false;
    judge->cubes = false;
    judge->changing = NULL;
    judge->argument = (struct cube_argument){.ref = NULL};
    judge->foreign_type = judge->castable = false;
    judge->foreign_operator = NULL;
    judge->carried = NULL;
    judge->subjects_read = judge->subjects_carried = judge->sets = 0;
    judge->subjects_mixed = false;
    judge->ties = NULL;
    judge->tie_count = judge->tie_cap = judge->tie_work = 0;
    judge->named = NULL;
    judge->padding[0] = judge->padding[1] = NULL;
    judge->named_count = judge->named_cap = judge->named_work = 0;
    range_of(judge, raw, out);
    /* Before the tree is changed: it parses the text again. */
    enum status status = describe(judge, raw->stmt, out);
    if (status == OK && raw->stmt == NULL)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "statement", SIZE_MAX,
                            "the statement has no tree");
    if (status == OK)
        status = judge->verdict->unrestricted ? judge_unrestricted(judge, raw->stmt, out)
                                              : judge_statement(judge, raw->stmt, out);
    if (status == OK && out->normalized != NULL && out->kind == STATEMENT_EMPTY)
        status = judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "statement", SIZE_MAX,
                              "the statement has no kind");
    if (status == OK)
        status = judge_foreign_operator(judge);
    if (status == OK)
        status = judge_cube_statement(judge, out);
    if ((out->kind != STATEMENT_SELECT && out->kind != STATEMENT_WRITE &&
         out->kind != STATEMENT_DECLARE &&
         (out->kind != STATEMENT_COPY_TO || out->copy.format == COPY_UNKNOWN)) ||
        judge->verdict->unrestricted)
        judge->carried = NULL;
    if (status == OK)
        status = judge_subjects(judge, out);
    out->writes = out->writes || judge->changes;
    out->sequences = judge->sequences;
    out->objects = judge->objects;
    return status == OK ? collect_relations(judge, out) : status;
}

/* Does pgvigil itself do this, rather than the server? */
static bool applied_here(const struct verdict *verdict, const struct verdict_statement *statement)
{
    switch (statement->kind) {
    case STATEMENT_SET:
    case STATEMENT_RESET:
    case STATEMENT_SHOW:
        return statement->setting_class == SETTING_PATH ||
               statement->setting_class == SETTING_PGVIGIL;
    case STATEMENT_DISCARD:
    case STATEMENT_DEALLOCATE:
    case STATEMENT_PREPARE:
    case STATEMENT_COPY_FROM:
        return !verdict->unrestricted;
    case STATEMENT_EMPTY:
    case STATEMENT_SELECT:
    case STATEMENT_WRITE:
    case STATEMENT_COPY_TO:
    case STATEMENT_DECLARE:
    case STATEMENT_FETCH:
    case STATEMENT_CLOSE:
    case STATEMENT_EXECUTE:
    case STATEMENT_LISTEN:
    case STATEMENT_UNLISTEN:
    case STATEMENT_PREPARE_TRANSACTION:
    case STATEMENT_EXPLAIN:
    case STATEMENT_UTILITY:
    case STATEMENT_TEMPORARY:
    case STATEMENT_BEGIN:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK:
    case STATEMENT_SAVEPOINT:
    case STATEMENT_RELEASE:
    case STATEMENT_ROLLBACK_TO:
    case STATEMENT_OTHER:
        break;
    }
    return false;
}

static enum status refuse_mix(struct judge *judge, const struct verdict_statement *one)
{
    return judge_refuse(
        judge, DENIED, "0A000", "statement", one->tag, one->start,
        judge_format(judge, "%s%s%s must be sent by itself, not with other statements", one->tag,
                     one->setting == NULL ? "" : " ", one->setting == NULL ? "" : one->setting));
}

static enum status check_mix(struct judge *judge, const struct verdict_statement *statements,
                             size_t count)
{
    for (size_t i = 0; i < count && count > 1; i++) {
        if (applied_here(judge->verdict, &statements[i]))
            return refuse_mix(judge, &statements[i]);
    }
    return OK;
}

static enum status outline(struct judge *judge, const PgQuery__ParseResult *tree)
{
    struct verdict_statement *list = arena_zalloc(judge->arena, tree->n_stmts, sizeof(*list));
    if (list == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < tree->n_stmts; i++) {
        range_of(judge, tree->stmts[i], &list[i]);
        list[i].kind = STATEMENT_OTHER;
        if (tree->stmts[i]->stmt != NULL &&
            judge_outline(judge, tree->stmts[i]->stmt, &list[i]) != OK)
            return ERR_MEMORY;
    }
    judge->verdict->outline = list;
    judge->verdict->outline_count = tree->n_stmts;
    return OK;
}

static enum status all_statements(struct judge *judge, PgQuery__ParseResult *tree)
{
    size_t count = tree->n_stmts;
    struct verdict_statement *statements =
        arena_zalloc(judge->arena, count + 1, sizeof(*statements));
    if (statements == NULL)
        return judge_no_memory(judge);
    if (judge->request->extended && count > 1)
        return judge_refuse(judge, DENIED, "42601", "syntax", "syntax", SIZE_MAX,
                            "cannot insert multiple commands into a prepared statement");
    if (count > 1 && outline(judge, tree) != OK)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        enum status status = one_statement(judge, tree->stmts[i], &statements[i]);
        judge->verdict->statements = statements; /* what was refused is named in the audit too */
        judge->verdict->statement_count = i + 1;
        /* At once: what comes behind it may EXECUTE it. */
        if (status == OK && count > 1 && statements[i].kind == STATEMENT_PREPARE)
            status = refuse_mix(judge, &statements[i]);
        if (status != OK)
            return status;
    }
    judge->verdict->statements = statements;
    judge->verdict->statement_count = count;
    enum status status = judge_rows_or_writes(judge, statements, count);
    if (status == OK)
        status = check_mix(judge, statements, count);
    return status == OK ? judge_copy_around(judge, tree) : status;
}

static enum status prepare(struct judge *judge)
{
    const struct judge_request *request = judge->request;
    const struct policy *policy = request->policy;
    if (request->unrestricted) {
        judge->role = judge->mission = "";
        judge->verdict->unrestricted = true;
        return OK;
    }
    if (request->role < 0 || (size_t)request->role >= policy->role_count || request->mission < 0 ||
        (size_t)request->mission >= policy->mission_count)
        return judge_refuse(judge, DENIED, "42501", "role", "role", SIZE_MAX,
                            "the session has no role or mission");
    judge->role = policy->roles[request->role].name;
    judge->mission = policy->missions[request->mission].name;
    judge->verdict->unrestricted = policy->roles[request->role].unrestricted;
    if (judge->verdict->unrestricted)
        return OK;
    if (request->catalog == NULL)
        return judge_refuse(judge, DENIED, "57P03", "catalog", "catalog", SIZE_MAX,
                            "the database's catalog is not known yet");
    for (size_t i = 0; i < request->temporary_count && judge_temporary_allowed(judge); i++) {
        if (judge_temporary_note(judge, &request->temporary[i]) != OK)
            return ERR_MEMORY;
    }
    judge->verdict->pair = guard_pair_name(policy, request->role, request->mission, judge->arena);
    judge->catalog_schema = guard_catalog_schema(policy, judge->arena);
    return judge->verdict->pair == NULL || judge->catalog_schema == NULL ? judge_no_memory(judge)
                                                                         : OK;
}

static enum status run(struct judge *judge)
{
    PgQuery__ParseResult *tree = NULL;
    enum status status = prepare(judge);
    if (status == OK)
        status = check_text(judge);
    if (status == OK)
        status = parse(judge, &tree);
    if (status == OK && tree != NULL)
        status = all_statements(judge, tree);
    if (status == OK)
        status = rewrite_finish(judge);
    if (status == OK && !judge->request->sketch)
        status = verify(judge, tree);
    if (status == OK && judge->request->wants_constants && tree != NULL)
        status = judge_constants(judge, tree);
    return status;
}

/* Trees and tokens of one text, see judge_keep.c. */
#define SCRATCH_BYTES ((size_t)1 << 30)

enum status judge(const struct judge_request *request, struct arena *arena,
                  struct verdict **verdict)
{
    *verdict = NULL;
    struct arena *scratch = arena_new(SCRATCH_BYTES);
    struct verdict *judged = scratch == NULL ? NULL : arena_zalloc(scratch, 1, sizeof(*judged));
    if (judged == NULL) {
        arena_free(scratch);
        return ERR_MEMORY;
    }
    struct judge state = {.request = request, .arena = scratch, .verdict = judged};
    enum status status = run(&state);
    if (status == OK && arena_failed(scratch))
        status = ERR_MEMORY;
    judged->allowed = status == OK;
    judged->unknown = state.unknown;
    judged->unknown_count = state.unknown_count;
    if (status != OK || request->sketch) {
        judged->sql = NULL;
        judged->sql_len = 0;
    }
    if (status != ERR_MEMORY && judge_keep(request, judged, arena, verdict) != OK)
        status = ERR_MEMORY;
    arena_free(scratch);
    return status;
}
