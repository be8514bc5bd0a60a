/*
 * judge_sequence.c: nextval, currval, lastval.
 *
 * A sequence follows the column that owns it: who may insert that column may draw from it, by
 * nextval, and ask for what she drew, by currval. One that nothing owns needs an entry of
 * `sequences` in the policy. setval moves the numbers of others and stays refused, as does reading
 * the sequence itself, which tells how much others insert.
 *
 * The argument is a regclass, and resolving a name tells whether it exists: so it must be a
 * constant, which is looked up here as PostgreSQL would for this session, among what exists for the
 * pair, and is sent as the qualified name that was found. Behind it stands PostgreSQL's own USAGE
 * on the sequence, which `deploy` gives the pair's role for just these.
 */
#include "judge_private.h"

#include <pgvigil/text.h>
#include <string.h>

#define NAME_BYTES_MAX ((size_t)63)

bool judge_is_sequence_function(const char *name)
{
    return strcmp(name, "nextval") == 0 || strcmp(name, "currval") == 0 ||
           strcmp(name, "lastval") == 0;
}

/* ---- what exists for the pair ---- */

/* The rule over the column that owns a sequence; NULL: there is none. */
static const struct policy_rule *owner_rule(const struct judge *judge,
                                            const struct catalog_sequence *sequence,
                                            const struct catalog_relation **relation,
                                            const struct policy_table **table, const char **column)
{
    const struct judge_request *request = judge->request;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    *relation =
        sequence->owner_oid == 0 ? NULL : catalog_find_oid(request->catalog, sequence->owner_oid);
    if (*relation == NULL ||
        !guard_governing(request->policy, request->catalog, request->role, request->mission,
                         *relation, table, &rule, &as) ||
        catalog_guard_for(request->catalog, judge->verdict->pair, (*relation)->oid, GUARD_PLAIN) ==
            NULL)
        return NULL;
    for (size_t i = 0; i < (*relation)->column_count; i++) {
        *column = (*relation)->columns[i].name;
        if ((*relation)->columns[i].attnum == sequence->owner_attnum)
            return rule;
    }
    return NULL;
}

static bool listed(const struct judge *judge, const struct catalog_sequence *sequence)
{
    const struct judge_request *request = judge->request;
    return policy_sequence_allowed(request->policy, request->role, request->mission,
                                   sequence->schema, sequence->name);
}

/* As the guards over the catalogs show it: with the column that owns it. */
static bool exists(const struct judge *judge, const struct catalog_sequence *sequence)
{
    const struct catalog_relation *relation = NULL;
    const struct policy_table *table = NULL;
    const char *column = NULL;
    const struct policy_rule *rule = owner_rule(judge, sequence, &relation, &table, &column);
    return listed(judge, sequence) ||
           (rule != NULL &&
            policy_mask_for(judge->request->policy, table, rule, column)->kind != MASK_HIDE);
}

/* ---- names ---- */

struct parts {
    const char *names[3];
    size_t count;
};

static bool blank(char byte)
{
    return byte != '\0' && strchr(" \t\n\r\f\v", byte) != NULL;
}

/* One identifier at *at, as PostgreSQL's SplitIdentifierString; NULL: it is none. */
static char *identifier(struct judge *judge, const char **at)
{
    const char *text = *at;
    char *name = arena_strdup(judge->arena, text);
    size_t len = 0;
    if (name == NULL)
        return NULL;
    if (*text == '"') {
        for (text++; *text != '\0' && (*text != '"' || text[1] == '"'); text++) {
            text += *text == '"' ? 1 : 0;
            name[len++] = *text;
        }
        if (*text++ != '"')
            return NULL;
    } else {
        for (; *text != '\0' && *text != '.' && !blank(*text); text++)
            name[len++] = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
    }
    name[len] = '\0';
    while (blank(*text))
        text++;
    *at = text;
    return len == 0 ? NULL : name;
}

/* false: PostgreSQL says "invalid name syntax", or cuts a name that is too long off. */
static bool split(struct judge *judge, const char *text, struct parts *parts)
{
    parts->count = 0;
    while (blank(*text))
        text++;
    for (;;) {
        char *name = parts->count == 3 ? NULL : identifier(judge, &text);
        if (name == NULL || strlen(name) > NAME_BYTES_MAX)
            return false;
        parts->names[parts->count++] = name;
        if (*text == '\0')
            return true;
        if (*text++ != '.')
            return false;
        while (blank(*text))
            text++;
    }
}

static bool relation_exists(const struct judge *judge, const char *schema, const char *name)
{
    const struct catalog *catalog = judge->request->catalog;
    const struct catalog_relation *relation = catalog_find(catalog, schema, name);
    if (relation == NULL)
        return false;
    return strcmp(schema, "pg_catalog") == 0 || strcmp(schema, "information_schema") == 0 ||
           catalog_guard_for(catalog, judge->verdict->pair, relation->oid, GUARD_PLAIN) != NULL;
}

/* *sequence NULL: what the name means is none. False: it means nothing. */
static bool find_in(const struct judge *judge, const char *schema, const char *name,
                    const struct catalog_sequence **sequence)
{
    *sequence = catalog_find_sequence(judge->request->catalog, schema, name);
    if (*sequence != NULL && exists(judge, *sequence))
        return true;
    *sequence = NULL;
    return relation_exists(judge, schema, name);
}

static bool find(const struct judge *judge, const struct parts *parts,
                 const struct catalog_sequence **sequence)
{
    const struct judge_request *request = judge->request;
    const char *name = parts->names[parts->count - 1];
    if (parts->count == 3 && strcmp(parts->names[0], request->catalog->database) != 0)
        return false;
    if (parts->count > 1)
        return find_in(judge, parts->names[parts->count - 2], name, sequence);
    bool named = false;
    for (size_t i = 0; i < request->path_count; i++)
        named = named || strcmp(request->path[i], "pg_catalog") == 0;
    if (!named && find_in(judge, "pg_catalog", name, sequence))
        return true;
    for (size_t i = 0; i < request->path_count; i++) {
        if (find_in(judge, request->path[i], name, sequence))
            return true;
    }
    return false;
}

bool judge_sequence_exists(const struct judge *judge, const char *schema, const char *name)
{
    const struct catalog_sequence *sequence = NULL;
    struct parts parts = {.names = {schema, name}, .count = 2};
    if (schema[0] == '\0')
        parts = (struct parts){.names = {name}, .count = 1};
    return find(judge, &parts, &sequence) && sequence != NULL;
}

/* ---- arguments ---- */

static bool simple(const PgQuery__FuncCall *call, size_t arguments)
{
    return call->n_args == arguments && call->n_agg_order == 0 && call->agg_filter == NULL &&
           call->over == NULL && !call->agg_within_group && !call->agg_star &&
           !call->agg_distinct && !call->func_variadic;
}

/* 'x', 'x'::regclass, 'x'::text; NULL: no constant text. */
static const char *constant(const PgQuery__Node *node)
{
    static const char *const types[] = {"regclass", "text", "varchar"};
    while (node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
        const PgQuery__TypeName *type = node->type_cast->type_name;
        const char *name =
            type == NULL || type->n_names == 0 ? NULL : tree_string(type->names[type->n_names - 1]);
        const char *schema =
            type != NULL && type->n_names == 2 ? tree_string(type->names[0]) : NULL;
        bool plain = name != NULL && type->n_names <= 2 && type->n_typmods == 0 &&
                     type->n_array_bounds == 0 && !type->setof && !type->pct_type &&
                     (type->n_names == 1 || (schema != NULL && strcmp(schema, "pg_catalog") == 0));
        bool known = false;
        for (size_t i = 0; plain && i < sizeof(types) / sizeof(types[0]); i++)
            known = known || strcmp(types[i], name) == 0;
        if (!known || node->type_cast->arg == NULL)
            return NULL;
        node = node->type_cast->arg;
    }
    if (node->node_case != PG_QUERY__NODE__NODE_A_CONST || node->a_const->isnull ||
        node->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL)
        return NULL;
    return node->a_const->sval->sval;
}

static enum status refuse_form(struct judge *judge, const char *function, size_t at)
{
    enum status status =
        judge_deny(judge, "sequence", function, at,
                   judge_format(judge, "this form of function \"%s\" is not available", function));
    judge_hint(judge,
               "Write the sequence's name as a constant: nextval('public.patients_id_seq').");
    return status;
}

static enum status no_sequence(struct judge *judge, const char *text, const struct parts *parts,
                               bool relation, size_t at)
{
    if (parts->count == 0)
        return judge_refuse(judge, DENIED, "42602", "sequence", text, at, "invalid name syntax");
    const char *name = parts->names[parts->count - 1];
    if (relation)
        return judge_refuse(judge, DENIED, "42809", "sequence", name, at,
                            judge_format(judge, "\"%s\" is not a sequence", name));
    const char *whole = parts->count == 1
                            ? name
                            : judge_format(judge, "%s.%s", parts->names[parts->count - 2], name);
    return judge_refuse(judge, DENIED, "42P01", "sequence", whole, at,
                        judge_format(judge, "relation \"%s\" does not exist", whole));
}

/* pg_get_serial_sequence('table', 'column') with constants: what owns that column. */
static enum status of_column(struct judge *judge, const PgQuery__FuncCall *call,
                             const char *function, size_t at,
                             const struct catalog_sequence **sequence)
{
    const char *table = constant(call->args[0]);
    const char *column = constant(call->args[1]);
    struct parts parts;
    if (table == NULL || column == NULL || !split(judge, table, &parts))
        return refuse_form(judge, function, at);
    const struct judge_request *request = judge->request;
    const char *name = parts.names[parts.count - 1];
    const struct catalog_relation *relation =
        parts.count == 1
            ? catalog_resolve(request->catalog, request->path, request->path_count, name)
            : catalog_find(request->catalog, parts.names[parts.count - 2], name);
    if (relation == NULL || !relation_exists(judge, relation->schema, relation->name))
        return no_sequence(judge, table, &parts, false, at);
    const struct catalog_column *owned = catalog_column(relation, column);
    for (size_t i = 0; owned != NULL && i < request->catalog->sequence_count; i++) {
        const struct catalog_sequence *one = &request->catalog->sequences[i];
        if (one->owner_oid == relation->oid && one->owner_attnum == owned->attnum &&
            exists(judge, one)) {
            *sequence = one;
            return OK;
        }
    }
    return refuse_form(judge, function, at);
}

static bool is_serial_sequence(const PgQuery__Node *node)
{
    if (node->node_case != PG_QUERY__NODE__NODE_FUNC_CALL || !simple(node->func_call, 2))
        return false;
    const PgQuery__FuncCall *call = node->func_call;
    const char *name = tree_string(call->funcname[call->n_funcname - 1]);
    const char *schema = call->n_funcname == 2 ? tree_string(call->funcname[0]) : "pg_catalog";
    return name != NULL && schema != NULL && call->n_funcname <= 2 &&
           strcmp(schema, "pg_catalog") == 0 && strcmp(name, "pg_get_serial_sequence") == 0;
}

static enum status argument(struct judge *judge, const PgQuery__FuncCall *call,
                            const char *function, size_t at,
                            const struct catalog_sequence **sequence)
{
    const PgQuery__Node *node = call->args[0];
    const char *text = constant(node);
    struct parts parts;
    if (text == NULL && is_serial_sequence(node))
        return of_column(judge, node->func_call, function, at, sequence);
    /* A number is an OID. */
    if (text == NULL || text[strspn(text, "0123456789")] == '\0' || strcmp(text, "-") == 0)
        return refuse_form(judge, function, at);
    if (!split(judge, text, &parts)) {
        parts.count = 0;
        return no_sequence(judge, text, &parts, false, at);
    }
    bool found = find(judge, &parts, sequence);
    return found && *sequence != NULL ? OK : no_sequence(judge, text, &parts, found, at);
}

/* ---- rights ---- */

static enum status may_draw(struct judge *judge, const struct catalog_sequence *sequence, size_t at)
{
    const struct catalog_relation *relation = NULL;
    const struct policy_table *table = NULL;
    const char *column = NULL;
    const struct policy_rule *rule = owner_rule(judge, sequence, &relation, &table, &column);
    if (listed(judge, sequence) || (rule != NULL && strchr("rp", relation->kind) != NULL &&
                                    policy_may_insert(table, rule, column)))
        return OK;
    const char *name = judge_format(judge, "%s.%s", sequence->schema, sequence->name);
    enum status status =
        judge_deny(judge, "sequence", name, at,
                   judge_format(judge, "sequence \"%s\" may not be drawn from", name));
    if (rule != NULL)
        judge_hint(judge,
                   judge_format(judge,
                                "It belongs to column \"%s\" of %s.%s, which is not in `insert` of "
                                "the rule at %s:%u; or `sequences` may name it.",
                                column, relation->schema, relation->name,
                                judge_file_name(rule->place.file), rule->place.line));
    return status;
}

/* It stands in the record beside the relations. */
static enum status note(struct judge *judge, const struct catalog_sequence *sequence)
{
    for (size_t i = 0; i < judge->use_count; i++) {
        if (judge->uses[i]->shown.name == sequence->name &&
            judge->uses[i]->shown.schema == sequence->schema)
            return OK;
    }
    struct relation_use *use = arena_zalloc(judge->arena, 1, sizeof(*use));
    struct relation_use **uses =
        arena_grow(judge->arena, judge->uses, judge->use_count, &judge->use_cap, sizeof(void *));
    if (use == NULL || uses == NULL)
        return judge_no_memory(judge);
    use->shown.schema = sequence->schema;
    use->shown.name = sequence->name;
    judge->uses = uses;
    judge->uses[judge->use_count++] = use;
    return OK;
}

/* lastval() is of whatever was drawn from last. Where an INSERT draws for a hidden column, with a
 * right that the pair has for just that, it would show the hidden value. */
static enum status last(struct judge *judge, size_t at)
{
    const struct judge_request *request = judge->request;
    const struct catalog *catalog = request->catalog;
    for (size_t i = 0; i < catalog->relation_count; i++) {
        const struct catalog_relation *relation = &catalog->relations[i];
        const struct policy_table *table = NULL;
        const struct policy_rule *rule = NULL;
        const struct catalog_relation *as = NULL;
        for (size_t k = 0; strchr("rp", relation->kind) != NULL && k < relation->column_count;
             k++) {
            const struct catalog_column *column = &relation->columns[k];
            if (column->default_expression == NULL ||
                strstr(column->default_expression, "nextval(") == NULL)
                continue;
            if (guard_governing(request->policy, catalog, request->role, request->mission, relation,
                                &table, &rule, &as) &&
                rule->insert_count > 0 &&
                policy_mask_for(request->policy, table, rule, column->name)->kind != MASK_SHOW) {
                enum status status = judge_deny(judge, "sequence", "lastval", at,
                                                "function \"lastval\" is not available");
                judge_hint(judge, "An INSERT may draw for a column that the policy hides, and "
                                  "lastval() would show it: use currval('sequence') or RETURNING.");
                return status;
            }
        }
    }
    return OK;
}

/* ---- the call ---- */

/* The whole of the argument becomes the one constant. */
static enum status write_name(struct judge *judge, PgQuery__FuncCall *call,
                              const struct catalog_sequence *sequence, size_t at)
{
    size_t open = 0;
    size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
    size_t end =
        index == SIZE_MAX ? 0 : scan_dotted_end(&judge->tokens, index, call->n_funcname, &open);
    size_t close = open;
    long depth = 0;
    for (; end != 0 && close < judge->tokens.count; close++) {
        int kind = judge->tokens.tokens[close].kind;
        depth += kind == PG_QUERY__TOKEN__ASCII_40 ? 1 : kind == PG_QUERY__TOKEN__ASCII_41 ? -1 : 0;
        if (depth <= 0)
            break;
    }
    if (end == 0 || close >= judge->tokens.count || close < open + 2)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "function", at,
                            "the argument of a function was not found in the text");
    const char *name = text_qualified(judge->arena, sequence->schema, sequence->name);
    const char *literal = name == NULL ? NULL : text_literal(judge->arena, name);
    PgQuery__Node *node = name == NULL ? NULL : tree_new_text(judge->arena, name);
    if (literal == NULL || node == NULL)
        return judge_no_memory(judge);
    call->args[0] = node;
    size_t from = judge->tokens.tokens[open + 1].start;
    return rewrite_edit(judge, from, judge->tokens.tokens[close].start - from, literal);
}

enum status judge_sequence(struct judge *judge, PgQuery__FuncCall *call, const char *function,
                           size_t at)
{
    judge->sequences = true;
    if (strcmp(function, "lastval") == 0)
        return simple(call, 0) ? last(judge, at) : refuse_form(judge, function, at);
    if (!simple(call, 1))
        return refuse_form(judge, function, at);
    const struct catalog_sequence *sequence = NULL;
    enum status status = judge_work(judge, judge->request->catalog->sequence_count + 1);
    if (status == OK)
        status = argument(judge, call, function, at, &sequence);
    if (status == OK && sequence == NULL)
        return refuse_form(judge, function, at);
    if (status == OK)
        status = may_draw(judge, sequence, at);
    if (status == OK)
        status = note(judge, sequence);
    judge->changes = judge->changes || strcmp(function, "nextval") == 0;
    return status == OK ? write_name(judge, call, sequence, at) : status;
}
