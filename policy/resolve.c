/*
 * resolve.c: a relation's name in FROM -> its guard.
 *
 * The name is resolved as PostgreSQL would for this session (its tracked search_path, pg_catalog
 * first), against the session's own temporary relations and the catalog snapshot; then the policy
 * says whether the relation exists for this role and mission. What is sent names the guard (or the
 * temporary table, by its schema), with the original name as alias. Guard schemas and other
 * sessions' temporary ones are never reachable by name, whatever the path says.
 */
#include "guard_cell.h"
#include "judge_cube.h"

#include <pgvigil/text.h>
#include <string.h>

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *written_name(struct judge *judge, const PgQuery__RangeVar *var)
{
    return var->schemaname[0] == '\0' ? var->relname
                                      : judge_format(judge, "%s.%s", var->schemaname, var->relname);
}

static enum status refuse_schema(struct judge *judge, const char *schema, size_t at)
{
    return judge_deny(judge, "relation", schema, at,
                      judge_format(judge, "schema \"%s\" is not available", schema));
}

static bool closed_schema(const char *schema)
{
    return starts_with(schema, "pgvigil:") || starts_with(schema, "pg_temp") ||
           starts_with(schema, "pg_toast");
}

static enum status find(struct judge *judge, const PgQuery__RangeVar *var, size_t at,
                        const struct catalog_relation **out)
{
    const struct judge_request *request = judge->request;
    const struct catalog *catalog = request->catalog;
    if (var->catalogname[0] != '\0' && strcmp(var->catalogname, catalog->database) != 0)
        return judge_refuse(
            judge, DENIED, "0A000", "relation", var->catalogname, at,
            judge_format(judge, "cross-database references are not implemented: \"%s.%s.%s\"",
                         var->catalogname, var->schemaname, var->relname));
    /* The path cannot name pg_temp, so that it is searched before everything else. */
    bool own =
        strcmp(var->schemaname, JUDGE_TEMPORARY_SCHEMA) == 0 && judge_temporary_allowed(judge);
    if (!own && closed_schema(var->schemaname))
        return refuse_schema(judge, var->schemaname, at);
    if (own || var->schemaname[0] == '\0')
        *out = judge_temporary(judge, var->relname);
    if (*out != NULL)
        return OK;
    if (!own)
        *out = var->schemaname[0] != '\0'
                   ? catalog_find(catalog, var->schemaname, var->relname)
                   : catalog_resolve(catalog, request->path, request->path_count, var->relname);
    if (*out == NULL) {
        const char *name = written_name(judge, var);
        if (judge_sequence_exists(judge, var->schemaname, var->relname)) {
            enum status status =
                judge_deny(judge, "sequence", name, at,
                           judge_format(judge, "sequence \"%s\" cannot be read", name));
            judge_hint(judge, "It tells how much others insert: use nextval and currval.");
            return status;
        }
        return judge_refuse(judge, DENIED, "42P01", "relation", name, at,
                            judge_format(judge, "relation \"%s\" does not exist", name));
    }
    return closed_schema((*out)->schema) ? refuse_schema(judge, (*out)->schema, at) : OK;
}

/* Placeholders of an expression that this user or session has no value for. */
static enum status needs(struct judge *judge, const char *expression,
                         const struct catalog_relation *relation, size_t at)
{
    const struct judge_request *request = judge->request;
    struct policy_placeholder *list = NULL;
    size_t count = 0;
    const char *what = NULL;
    if (expression == NULL)
        return OK;
    if (policy_placeholders(request->policy, expression, judge->arena, &list, &count, &what) != OK)
        return judge_deny(
            judge, "relation", relation->name, at,
            judge_format(judge, "the rule of relation \"%s\" cannot be applied", relation->name));
    for (size_t i = 0; i < count; i++) {
        const struct policy_placeholder *placeholder = &list[i];
        bool there = true;
        const char *kind = NULL;
        if (placeholder->kind == PLACEHOLDER_USER_ATTRIBUTE) {
            kind = "attribute";
            there = false;
            for (size_t k = 0; request->user != NULL && k < request->user->attribute_count; k++)
                there = there || request->user->attributes[k].attribute == placeholder->attribute;
        } else if (placeholder->kind == PLACEHOLDER_SESSION) {
            kind = "session setting";
            there = false;
            for (size_t k = 0; k < request->session_setting_count; k++)
                there = there || strcmp(request->session_settings[k], placeholder->name) == 0;
        }
        if (!there) {
            enum status status = judge_deny(
                judge, "attribute", placeholder->name, at,
                judge_format(judge, "relation \"%s.%s\" needs the %s \"%s\", which has no value,",
                             relation->schema, relation->name, kind, placeholder->name));
            judge_hint(judge,
                       placeholder->kind == PLACEHOLDER_SESSION
                           ? judge_format(judge, "SET pgvigil.%s = '...' first.", placeholder->name)
                           : "The policy gives attributes to users.");
            return status;
        }
    }
    return OK;
}

static enum status check_needs(struct judge *judge, const struct policy_table *table,
                               const struct policy_rule *rule,
                               const struct catalog_relation *relation, size_t at)
{
    enum status status = needs(judge, rule->rows, relation, at);
    if (status == OK && table != NULL && rule->rows != NULL &&
        strstr(rule->rows, ":subject") != NULL)
        status = needs(judge, table->subject, relation, at);
    for (size_t i = 0; i < rule->column_count && status == OK; i++)
        status = needs(judge, judge->request->policy->masks[rule->columns[i].mask].expression,
                       relation, at);
    return status;
}

const char *judge_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static enum status no_rule(struct judge *judge, const struct catalog_relation *relation, size_t at)
{
    const struct policy *policy = judge->request->policy;
    const char *name = judge_format(judge, "%s.%s", relation->schema, relation->name);
    enum status status = judge_deny(judge, "relation", name, at,
                                    judge_format(judge, "relation \"%s\" is not open", name));
    const struct policy_table *table = policy_table_for(policy, relation->schema, relation->name);
    const char *declared =
        table == NULL ? judge_format(judge, "no entry of `tables` covers it")
                      : judge_format(judge, "declared at %s:%u", judge_file_name(table->place.file),
                                     table->place.line);
    judge_hint(
        judge,
        judge_format(judge,
                     "No rule for roles = [ \"%s\" ], missions = [ \"%s\" ], tables = [ \"%s\" ] "
                     "in the policy (%s).",
                     judge->role, judge->mission, name, declared == NULL ? "" : declared));
    return status;
}

static enum status no_guard(struct judge *judge, const struct catalog_relation *relation, size_t at)
{
    enum status status = judge_refuse(
        judge, DENIED, "55000", "guard", relation->name, at,
        judge_format(
            judge,
            "the guard of relation \"%s.%s\" is not deployed for role \"%s\" in mission \"%s\"",
            relation->schema, relation->name, judge->role, judge->mission));
    judge_hint(judge, "The administrator runs `pgvigil deploy`.");
    return status;
}

/* Its rows by themselves would be told from the others'. */
static enum status part_of_cube(struct judge *judge, const struct catalog_relation *relation,
                                const struct catalog_relation *as, size_t at)
{
    enum status status =
        judge_deny(judge, "relation", relation->name, at,
                   judge_format(judge, "a part of a table of patients, %s.%s, is not available",
                                relation->schema, relation->name));
    judge_hint(judge, judge_format(judge,
                                   "The mission is aggregate_only: ask %s.%s, with all its "
                                   "partitions and children.",
                                   as->schema, as->name));
    return status;
}

static struct relation_use *use_find(struct judge *judge, const struct catalog_relation *relation,
                                     const struct catalog_guard *guard)
{
    for (size_t i = 0; i < judge->use_count; i++) {
        if (judge->uses[i]->shown.relation == relation && judge->uses[i]->guard == guard)
            return judge->uses[i];
    }
    return NULL;
}

/* The record of this relation in the statement: one, however often it is named. */
static struct relation_use *use_of(struct judge *judge, const struct catalog_relation *relation,
                                   const struct catalog_guard *guard, const char *schema,
                                   const char *view)
{
    struct relation_use *use = use_find(judge, relation, guard);
    if (use != NULL)
        return use;
    use = arena_zalloc(judge->arena, 1, sizeof(*use));
    struct relation_use **uses =
        arena_grow(judge->arena, judge->uses, judge->use_count, &judge->use_cap, sizeof(void *));
    if (use == NULL || uses == NULL)
        return NULL;
    const char **columns = NULL;
    size_t count = guard == NULL ? relation->column_count : guard->column_count;
    columns = arena_zalloc(judge->arena, count + 1, sizeof(*columns));
    use->used = arena_zalloc(judge->arena, count + 1, sizeof(*use->used));
    use->written = arena_zalloc(judge->arena, count + 1, sizeof(*use->written));
    if (columns == NULL || use->used == NULL || use->written == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        columns[i] = guard == NULL ? relation->columns[i].name : guard->columns[i];
    for (size_t i = 0; i < count; i++) {
        const struct catalog_column *column = catalog_column(relation, columns[i]);
        judge->foreign_type = judge->foreign_type || (column != NULL && column->operand);
        judge->castable = judge->castable || (column != NULL && column->castable);
    }
    use->columns = columns;
    use->column_count = count;
    use->guard = guard;
    use->shown.relation = relation;
    use->shown.schema = relation->schema;
    use->shown.name = relation->name;
    if (view != NULL) {
        use->shown.guard = text_qualified(judge->arena, schema, view);
        if (use->shown.guard == NULL)
            return NULL;
    }
    judge->uses = uses;
    judge->uses[judge->use_count++] = use;
    return use;
}

static const struct range_item *emitted_as(const struct level *level, const char *name)
{
    for (size_t i = 0; i < level->item_count; i++) {
        const struct range_item *item = &level->items[i];
        if (!item->hidden && item->emitted != NULL && strcmp(item->emitted, name) == 0)
            return item;
    }
    return NULL;
}

/*
 * The alias of a relation that has none in the client's text. Two relations of one name in
 * different schemas may stand beside each other without aliases; any other meeting of names is
 * PostgreSQL's error.
 */
static enum status choose_alias(struct judge *judge, const struct catalog_relation *relation,
                                size_t at, const char **alias)
{
    *alias = relation->name;
    for (unsigned round = 0;; round++) {
        enum status status = judge_work(judge, judge->level->item_count + 1);
        if (status != OK)
            return status;
        const struct range_item *other = emitted_as(judge->level, *alias);
        if (other == NULL)
            return OK;
        bool apart =
            other->schema != NULL && other->use != NULL && other->use->shown.relation != relation;
        if (round == 0 && !apart)
            return judge_refuse(
                judge, DENIED, "42712", "relation", relation->name, at,
                judge_format(judge, "table name \"%s\" specified more than once", relation->name));
        *alias = round == 0
                     ? judge_format(judge, "%s.%s", relation->schema, relation->name)
                     : judge_format(judge, "%s.%s/%u", relation->schema, relation->name, round);
        if (*alias == NULL)
            return judge_no_memory(judge);
    }
}

/* Where in the text a relation's name stands. */
struct place {
    size_t at, end;   /* the name */
    size_t alias_at;  /* an alias may be put here: behind `*` or the parenthesis of ONLY */
    size_t table_at;  /* the word TABLE of the TABLE command, or SIZE_MAX */
    size_t table_end; /* one past it */
};

static bool token_is(const struct judge *judge, size_t index, int kind)
{
    return index < judge->tokens.count && judge->tokens.tokens[index].kind == kind;
}

static enum status locate(struct judge *judge, const PgQuery__RangeVar *var, size_t at,
                          struct place *place)
{
    const struct token *tokens = judge->tokens.tokens;
    size_t parts =
        1U + (var->schemaname[0] != '\0' ? 1U : 0U) + (var->catalogname[0] != '\0' ? 1U : 0U);
    size_t next = 0;
    size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
    size_t end = index == SIZE_MAX ? 0 : scan_dotted_end(&judge->tokens, index, parts, &next);
    if (end == 0)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", var->relname, at,
                            "the name of a relation was not found in the text");
    *place = (struct place){at, end, end, SIZE_MAX, 0};
    size_t before = index; /* first token of the relation expression */
    if (!var->inh && index >= 2 && token_is(judge, index - 1, PG_QUERY__TOKEN__ASCII_40) &&
        token_is(judge, index - 2, PG_QUERY__TOKEN__ONLY)) {
        before = index - 2;
        if (!token_is(judge, next, PG_QUERY__TOKEN__ASCII_41))
            return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", var->relname, at,
                                "the end of ONLY (...) was not found in the text");
        place->alias_at = tokens[next].start + 1;
    } else if (!var->inh && index >= 1 && token_is(judge, index - 1, PG_QUERY__TOKEN__ONLY)) {
        before = index - 1;
    } else if (token_is(judge, next, PG_QUERY__TOKEN__ASCII_42)) {
        place->alias_at = tokens[next].start + 1;
    }
    if (before >= 1 && token_is(judge, before - 1, PG_QUERY__TOKEN__TABLE)) {
        place->table_at = tokens[before - 1].start;
        place->table_end = place->table_at + strlen("TABLE");
    }
    return OK;
}

/* The name becomes "schema"."view"; without an alias of its own it gets `alias` (NULL: none is
 * needed). */
static enum status emit(struct judge *judge, PgQuery__RangeVar *var, struct range_item *item,
                        size_t at, const char *schema, const char *view, const char *alias)
{
    struct place place = {0}; /* at -O3 gcc cannot see that locate() fills it or fails */
    const char *name = text_qualified(judge->arena, schema, view);
    enum status status = locate(judge, var, at, &place);
    if (status != OK)
        return status;
    const char *suffix = "";
    if (alias != NULL) {
        const char *quoted = rewrite_quote(judge, alias);
        suffix = quoted == NULL ? NULL : judge_format(judge, " AS %s", quoted);
        var->alias = arena_alloc(judge->arena, sizeof(*var->alias));
        if (suffix == NULL || var->alias == NULL)
            return judge_no_memory(judge);
        pg_query__alias__init(var->alias);
        var->alias->aliasname = arena_strdup(judge->arena, alias);
        /* TABLE takes no alias; SELECT * FROM is the same tree. */
        if (place.table_at != SIZE_MAX)
            status = rewrite_edit(judge, place.table_at, place.table_end - place.table_at,
                                  "SELECT * FROM");
    }
    bool apart = place.alias_at != place.end;
    item->var = var;
    item->emitted_edit = judge->edit_count;
    item->emitted_suffix = apart ? "" : suffix;
    if (status == OK && name != NULL)
        status = rewrite_edit(judge, place.at, place.end - place.at,
                              apart ? name : judge_format(judge, "%s%s", name, suffix));
    if (status == OK && apart && alias != NULL)
        status = rewrite_edit(judge, place.alias_at, 0, suffix);
    var->catalogname = (char *)"";
    var->schemaname = arena_strdup(judge->arena, schema);
    var->relname = arena_strdup(judge->arena, view);
    if (status == OK && (name == NULL || var->schemaname == NULL || var->relname == NULL))
        return judge_no_memory(judge);
    return status;
}

static enum status item_fill(struct judge *judge, struct range_item *item, struct relation_use *use,
                             const struct catalog_relation *relation)
{
    if (use == NULL)
        return judge_no_memory(judge);
    const char **names = arena_zalloc(judge->arena, use->column_count + 1, sizeof(*names));
    if (names == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < use->column_count; i++)
        names[i] = use->columns[i];
    item->columns = (struct column_list){.names = names, .count = use->column_count, .known = true};
    item->use = use;
    item->name = relation->name;
    item->schema = relation->schema;
    return OK;
}

static enum status system_relation(struct judge *judge, PgQuery__RangeVar *var,
                                   struct range_item *item, const struct catalog_relation *relation,
                                   size_t at)
{
    enum catalog_access access = guard_catalog_access(relation->schema, relation->name);
    bool guarded = access == CATALOG_GUARDED;
    if (access == CATALOG_CLOSED)
        return judge_deny(judge, "relation", relation->name, at,
                          judge_format(judge, "system catalog \"%s.%s\" is not available",
                                       relation->schema, relation->name));
    const char *schema = guarded ? judge->catalog_schema : relation->schema;
    const char *view =
        guarded ? guard_view_name(relation->schema, relation->name, GUARD_PLAIN, judge->arena)
                : relation->name;
    if (view == NULL)
        return judge_no_memory(judge);
    struct relation_use *use = use_of(judge, relation, NULL, schema, guarded ? view : NULL);
    enum status status = item_fill(judge, item, use, relation);
    if (status != OK)
        return status;
    if (!guarded && var->schemaname[0] != '\0' && var->catalogname[0] == '\0' && var->alias != NULL)
        return OK; /* as it is */
    const char *alias = NULL;
    if (var->alias == NULL)
        status = choose_alias(judge, relation, at, &alias);
    if (status != OK)
        return status;
    item->emitted = alias; /* NULL: the client's own alias */
    return emit(judge, var, item, at, schema, view, alias);
}

static enum status no_table(struct judge *judge, const struct catalog_relation *relation, size_t at)
{
    if (relation->kind == 'r')
        return judge_unsupported(
            judge, "relation",
            judge_format(judge, "the use of \"%s\" in the text that makes it", relation->name),
            "Its columns are not known yet: name them, or send what follows as a text of its own.");
    return judge_refuse(judge, DENIED, "42809", "relation", relation->name, at,
                        judge_format(judge, "\"%s\" is %s", relation->name,
                                     relation->kind == 'i' ? "an index" : "not a table"));
}

static enum status temporary_relation(struct judge *judge, PgQuery__RangeVar *var,
                                      struct range_item *item,
                                      const struct catalog_relation *relation, size_t at)
{
    if (relation->kind != 'r' || relation->columns == NULL)
        return no_table(judge, relation, at);
    struct relation_use *use = use_of(judge, relation, NULL, NULL, NULL);
    enum status status = item_fill(judge, item, use, relation);
    if (status != OK)
        return status;
    const char *alias = NULL;
    if (var->alias == NULL)
        status = choose_alias(judge, relation, at, &alias);
    if (status != OK)
        return status;
    item->emitted = alias;  /* NULL: the client's own alias */
    judge->subjects_read++; /* nobody knows whose rows went in */
    return emit(judge, var, item, at, JUDGE_TEMPORARY_SCHEMA, relation->name, alias);
}

enum status judge_temporary_written(struct judge *judge, const struct catalog_relation *relation)
{
    struct relation_use *use = use_of(judge, relation, NULL, NULL, NULL);
    if (use == NULL)
        return judge_no_memory(judge);
    use->shown.writes = true;
    return OK;
}

enum status judge_relation(struct judge *judge, PgQuery__RangeVar *var, struct range_item *item)
{
    const struct judge_request *request = judge->request;
    size_t at = var->location < 0 ? SIZE_MAX : (size_t)var->location;
    const struct catalog_relation *relation = NULL;
    const struct catalog_relation *as = NULL;
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    enum status status = find(judge, var, at, &relation);
    if (status != OK || relation == NULL)
        return status;
    if (judge_is_temporary(relation))
        return temporary_relation(judge, var, item, relation, at);
    if (starts_with(relation->schema, "pg_") || strcmp(relation->schema, "information_schema") == 0)
        return system_relation(judge, var, item, relation, at);
    const struct catalog_guard *guard = catalog_guard_for(
        request->catalog, judge->verdict->pair, relation->oid, !var->inh && relation->has_children);
    bool governed = guard_governing(request->policy, request->catalog, request->role,
                                    request->mission, relation, &table, &rule, &as);
    /* A view without a rule of its own is what its tables are, if deploy could make its guard. */
    if (!governed && (relation->kind != 'v' || guard == NULL))
        return no_rule(judge, relation, at);
    if (governed)
        status = check_needs(judge, table, rule, relation, at);
    if (status != OK)
        return status;
    if (guard == NULL && governed && guard_is_cube(request->policy, request->mission, table) &&
        (relation->parent >= 0 || !var->inh))
        return part_of_cube(judge, relation, as, at);
    if (guard == NULL)
        return no_guard(judge, relation, at);
    struct relation_use *use = use_of(judge, relation, guard, guard->pair, guard->view);
    if (use != NULL) {
        use->shown.rule = governed ? rule : NULL;
        use->shown.table = governed ? table : NULL;
        judge_cube_note(judge, use);
    }
    status = item_fill(judge, item, use, relation);
    if (status != OK)
        return status;
    const char *alias = NULL;
    if (var->alias == NULL)
        status = choose_alias(judge, relation, at, &alias);
    if (status != OK)
        return status;
    item->emitted = alias; /* NULL: the client's own alias */
    if (guard->variant == GUARD_PLAIN && (!governed || table->subject != NULL))
        item->subject =
            catalog_guard_for(request->catalog, judge->verdict->pair, relation->oid, GUARD_SUBJECT);
    const struct catalog_guard *told = item->subject;
    item->subject_lists = told != NULL && told->column_count > 0 &&
                          strcmp(told->columns[told->column_count - 1], GUARD_SUBJECTS_COLUMN) == 0;
    judge->subjects_read += !governed || table->subject != NULL ? 1 : 0;
    return emit(judge, var, item, at, guard->pair, guard->view, alias);
}
