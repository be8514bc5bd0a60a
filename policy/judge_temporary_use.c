/*
 * judge_temporary_use.c: DROP, CREATE INDEX, ANALYZE and DISCARD of what is the session's own in
 * pg_temp.
 *
 * Each name is resolved as PostgreSQL would; what it finds must be temporary, and is sent with its
 * schema. A name that means something else is refused, whatever the role could do with it: these
 * are no statements about the database.
 */
#include "judge_private.h"

#include <string.h>

static enum status not_own(struct judge *judge, const char *tag, const char *name)
{
    enum status status =
        judge_deny(judge, "relation", name, SIZE_MAX,
                   judge_format(judge,
                                "%s of \"%s\", which is not a temporary table, is not "
                                "available",
                                tag, name));
    judge_hint(judge, "The session's own temporary tables only.");
    return status;
}

static enum status begin(struct judge *judge, const char *tag, struct verdict_statement *out)
{
    out->kind = STATEMENT_TEMPORARY;
    out->tag = tag;
    out->writes = true;
    if (judge_temporary_allowed(judge))
        return OK;
    return judge_unsupported(judge, "statement", tag,
                             "Changes of the database itself are for unrestricted roles.");
}

/* A relation that no alias is put behind. */
static enum status target(struct judge *judge, PgQuery__RangeVar *var, const char *tag,
                          struct range_item *item)
{
    PgQuery__Alias none = PG_QUERY__ALIAS__INIT;
    const char *name = arena_strdup(judge->arena, var->relname);
    *item = (struct range_item){.name = NULL};
    if (name == NULL)
        return judge_no_memory(judge);
    bool plain = strcmp(var->schemaname, JUDGE_TEMPORARY_SCHEMA) == 0 ||
                 (var->schemaname[0] == '\0' && judge_temporary(judge, name) != NULL);
    var->alias = &none;
    enum status status = judge_relation(judge, var, item);
    var->alias = NULL;
    if (status == DENIED)
        judge->verdict->refusal.position = 0; /* as PostgreSQL's, which has none */
    if (status == OK && (!plain || !judge_is_temporary(item->use->shown.relation)))
        return not_own(judge, tag, name);
    if (status == OK)
        item->use->shown.writes = true;
    return status;
}

/* ---- DROP TABLE, DROP INDEX ---- */

struct dropped {
    const char *tag;
    size_t index; /* the token where the next name begins */
};

static enum status lost(struct judge *judge, const char *what)
{
    return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", what, SIZE_MAX,
                        judge_format(judge, "a name of %s was not found in the text", what));
}

/* By the parts of a name: what stands there, or NULL; DENIED when it is not the session's. */
static enum status find_own(struct judge *judge, const struct dropped *dropped, const char *schema,
                            const char *name, const struct catalog_relation **out)
{
    const struct judge_request *request = judge->request;
    bool own = schema != NULL && strcmp(schema, JUDGE_TEMPORARY_SCHEMA) == 0;
    *out = own || schema == NULL ? judge_temporary(judge, name) : NULL;
    if (*out != NULL || own)
        return OK;
    if (schema == NULL)
        return catalog_resolve(request->catalog, request->path, request->path_count, name) == NULL
                   ? OK
                   : not_own(judge, dropped->tag, name);
    return not_own(judge, dropped->tag, judge_format(judge, "%s.%s", schema, name));
}

static enum status drop_one(struct judge *judge, struct dropped *dropped, PgQuery__Node *object)
{
    PgQuery__List *list = object->node_case == PG_QUERY__NODE__NODE_LIST ? object->list : NULL;
    size_t next = 0;
    size_t parts = list == NULL ? 0 : list->n_items;
    if (parts < 1 || parts > 3)
        return judge_unsupported(judge, "statement", "this form of DROP", NULL);
    size_t end = scan_dotted_end(&judge->tokens, dropped->index, parts, &next);
    const char *name = tree_string(list->items[parts - 1]);
    const char *schema = parts > 1 ? tree_string(list->items[parts - 2]) : NULL;
    const char *database = parts > 2 ? tree_string(list->items[0]) : NULL;
    if (end == 0 || name == NULL)
        return lost(judge, dropped->tag);
    size_t at = judge->tokens.tokens[dropped->index].start;
    dropped->index = next + 1; /* behind the comma */
    if (database != NULL && strcmp(database, judge->request->catalog->database) != 0)
        return not_own(judge, dropped->tag, name);
    const struct catalog_relation *relation = NULL;
    enum status status = find_own(judge, dropped, schema, name, &relation);
    if (status != OK)
        return status;
    const char *quoted = rewrite_quote(judge, name);
    PgQuery__Node **names = tree_new_names(judge->arena, JUDGE_TEMPORARY_SCHEMA, name);
    if (quoted == NULL || names == NULL)
        return judge_no_memory(judge);
    if (relation == NULL && catalog_find(judge->request->catalog, "pg_catalog", name) != NULL)
        return not_own(judge, dropped->tag, name);
    list->items = relation == NULL ? names + 1 : names;
    list->n_items = relation == NULL ? 1 : 2;
    /* PostgreSQL says it, in its own time. Under the server's path a bare name can mean nothing but
     * a temporary relation or a system catalog, and this is neither. */
    if (relation == NULL)
        return rewrite_edit(judge, at, end - at, quoted);
    status = rewrite_edit(judge, at, end - at,
                          judge_format(judge, JUDGE_TEMPORARY_SCHEMA ".%s", quoted));
    if (status == OK)
        status = judge_temporary_written(judge, relation);
    judge_temporary_forget(judge, name);
    return status;
}

static bool token_is(const struct judge *judge, size_t index, int kind)
{
    return index < judge->tokens.count && judge->tokens.tokens[index].kind == kind;
}

enum status judge_drop(struct judge *judge, PgQuery__DropStmt *drop, struct verdict_statement *out)
{
    bool table = drop->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE;
    bool index = drop->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX;
    if (!table && !index)
        return judge_unsupported(judge, "statement", out->tag,
                                 "Changes of the database itself are for unrestricted roles.");
    struct dropped dropped = {.tag = table ? "DROP TABLE" : "DROP INDEX",
                              .index = scan_from(&judge->tokens, out->start) + 2};
    enum status status = begin(judge, dropped.tag, out);
    if (status == OK && drop->concurrent)
        dropped.index++;
    if (status == OK && drop->missing_ok) {
        if (!token_is(judge, dropped.index, PG_QUERY__TOKEN__IF_P) ||
            !token_is(judge, dropped.index + 1, PG_QUERY__TOKEN__EXISTS))
            return lost(judge, dropped.tag);
        dropped.index += 2;
    }
    for (size_t i = 0; i < drop->n_objects && status == OK; i++) {
        if (i > 0 && !token_is(judge, dropped.index - 1, PG_QUERY__TOKEN__ASCII_44))
            return lost(judge, dropped.tag);
        status = drop_one(judge, &dropped, drop->objects[i]);
    }
    return status;
}

/* ---- CREATE INDEX ---- */

/* In pg_catalog, which alone is searched. */
static bool is_builtin_name(PgQuery__Node *const *names, size_t count)
{
    const char *first = count == 0 ? NULL : tree_string(names[0]);
    return count <= 1 || (count == 2 && first != NULL && strcmp(first, "pg_catalog") == 0);
}

static enum status index_element(struct judge *judge, PgQuery__Node *node)
{
    PgQuery__IndexElem *element =
        node->node_case == PG_QUERY__NODE__NODE_INDEX_ELEM ? node->index_elem : NULL;
    if (element == NULL || element->n_opclassopts > 0)
        return judge_unsupported(judge, "statement", "this element of an index", NULL);
    if (!is_builtin_name(element->collation, element->n_collation) ||
        !is_builtin_name(element->opclass, element->n_opclass))
        return judge_unsupported(judge, "statement",
                                 "a collation or operator class outside pg_catalog in an index",
                                 NULL);
    return judge_stored(judge, element->expr);
}

static enum status index_elements(struct judge *judge, PgQuery__Node **list, size_t count)
{
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK; i++)
        status = index_element(judge, list[i]);
    return status;
}

static bool known_method(const char *name)
{
    static const char *const methods[] = {"", "btree", "hash", "gist", "gin", "spgist", "brin"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i], name) == 0)
            return true;
    }
    return false;
}

static enum status note_index(struct judge *judge, const char *name)
{
    struct catalog_relation *relation = arena_zalloc(judge->arena, 1, sizeof(*relation));
    if (relation == NULL)
        return judge_no_memory(judge);
    *relation = (struct catalog_relation){
        .schema = JUDGE_TEMPORARY_SCHEMA, .name = name, .kind = 'i', .parent = -1};
    return name[0] == '\0' ? OK : judge_temporary_note(judge, relation);
}

enum status judge_create_index(struct judge *judge, PgQuery__IndexStmt *index,
                               struct verdict_statement *out)
{
    struct level level;
    struct range_item item;
    enum status status = begin(judge, "CREATE INDEX", out);
    if (status != OK)
        return status;
    if (index->table_space[0] != '\0' || !known_method(index->access_method))
        return judge_unsupported(judge, "statement",
                                 "a tablespace or another access method of an index", NULL);
    scope_enter(judge, &level, NULL);
    status = target(judge, index->relation, out->tag, &item);
    struct range_item *place = status == OK ? scope_add(judge) : NULL;
    if (status == OK && place == NULL)
        status = judge_no_memory(judge);
    if (place != NULL) {
        *place = item;
        place->emitted = place->name;
        level.clause = CLAUSE_WHERE;
        level.high = 1;
    }
    if (status == OK)
        status = index_elements(judge, index->index_params, index->n_index_params);
    if (status == OK)
        status =
            index_elements(judge, index->index_including_params, index->n_index_including_params);
    if (status == OK)
        status = judge_stored(judge, index->where_clause);
    scope_leave(judge);
    if (status == OK)
        status = judge_storage(judge, index->options, index->n_options);
    if (status == OK)
        status = judge_own_name(judge, index->idxname);
    return status == OK ? note_index(judge, index->idxname) : status;
}

/* ---- ANALYZE, DISCARD ---- */

enum status judge_analyze(struct judge *judge, PgQuery__VacuumStmt *vacuum,
                          struct verdict_statement *out)
{
    struct level level;
    if (vacuum->is_vacuumcmd)
        return judge_unsupported(judge, "statement", out->tag,
                                 "Changes of the database itself are for unrestricted roles.");
    enum status status = begin(judge, "ANALYZE", out);
    /* VERBOSE tells of pages, and the names of schemas. */
    if (status == OK && (vacuum->n_options > 0 || vacuum->n_rels == 0))
        status = judge_unsupported(judge, "statement", "ANALYZE with options or without a table",
                                   "ANALYZE t, of a temporary table.");
    scope_enter(judge, &level, NULL);
    for (size_t i = 0; i < vacuum->n_rels && status == OK; i++) {
        PgQuery__Node *node = vacuum->rels[i];
        struct range_item item;
        bool named = node->node_case == PG_QUERY__NODE__NODE_VACUUM_RELATION &&
                     node->vacuum_relation->relation != NULL;
        status = named ? target(judge, node->vacuum_relation->relation, "ANALYZE", &item)
                       : judge_unsupported(judge, "statement", "this form of ANALYZE", NULL);
    }
    scope_leave(judge);
    return status;
}

enum status judge_discard_temporary(struct judge *judge, struct verdict_statement *out)
{
    enum status status = begin(judge, "DISCARD TEMP", out);
    if (status == OK)
        judge_temporary_forget(judge, NULL);
    return status;
}
