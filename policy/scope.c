/*
 * scope.c: query levels, the names that FROM and WITH bring, and who sees them.
 *
 * The rules are parse_relation.c's: a CTE hides a table of its name but never a qualified one; a
 * reference looks at the innermost level first; a join with an alias hides what it joins; a
 * sub-query in FROM sees its own level's earlier entries only when it is LATERAL (that is what
 * level->low and ->high are set to).
 */
#include "judge_private.h"

#include <string.h>

void scope_enter(struct judge *judge, struct level *level, const PgQuery__SelectStmt *select)
{
    *level = (struct level){.parent = judge->level,
                            .ctes = judge->level == NULL ? NULL : judge->level->ctes,
                            .select = select};
    judge->level = level;
}

void scope_leave(struct judge *judge)
{
    judge->level = judge->level->parent;
}

struct range_item *scope_add(struct judge *judge)
{
    struct level *level = judge->level;
    struct range_item *items =
        arena_grow(judge->arena, level->items, level->item_count, &level->item_cap, sizeof(*items));
    if (items == NULL)
        return NULL;
    level->items = items;
    struct range_item *item = &level->items[level->item_count++];
    *item = (struct range_item){.name = NULL};
    return item;
}

enum status scope_cte(struct judge *judge, const char *name, const struct cte **cte)
{
    size_t steps = 0;
    *cte = judge->level->ctes;
    for (; *cte != NULL && strcmp((*cte)->name, name) != 0; *cte = (*cte)->next)
        steps++;
    return judge_work(judge, steps);
}

size_t scope_size(const struct judge *judge)
{
    size_t size = 0;
    for (const struct level *at = judge->level; at != NULL; at = at->parent)
        size += 1 + at->item_count;
    return size;
}

enum status scope_push_cte(struct judge *judge, const char *name, const struct column_list *columns,
                           struct carry *carry)
{
    struct cte *cte = arena_alloc(judge->arena, sizeof(*cte));
    if (cte == NULL)
        return judge_no_memory(judge);
    *cte =
        (struct cte){.name = name, .columns = *columns, .carry = carry, .next = judge->level->ctes};
    judge->level->ctes = cte;
    return OK;
}

enum status scope_rename(struct judge *judge, struct column_list *columns, PgQuery__Node **names,
                         size_t count)
{
    if (count == 0)
        return OK;
    size_t total = columns->known && columns->count > count ? columns->count : count;
    const char **renamed = arena_zalloc(judge->arena, total, sizeof(*renamed));
    if (renamed == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < total; i++) {
        const char *name = i < count ? tree_string(names[i]) : columns->names[i];
        if (i < count && judge_new_name(judge, name) != OK)
            return DENIED;
        renamed[i] = name == NULL ? "" : name;
    }
    columns->names = renamed;
    columns->count = total;
    return OK;
}

static bool item_named(const struct range_item *item, const char *schema, const char *name)
{
    if (item->hidden || item->name == NULL)
        return false;
    if (schema == NULL)
        return strcmp(item->name, name) == 0;
    return item->schema != NULL && strcmp(item->schema, schema) == 0 &&
           strcmp(item->name, name) == 0;
}

struct range_item *scope_item(const struct judge *judge, const char *schema, const char *name,
                              struct level **level, size_t *matches)
{
    *matches = 0;
    for (struct level *at = judge->level; at != NULL; at = at->parent) {
        struct range_item *found = NULL;
        for (size_t i = at->low; i < at->high; i++) {
            if (!item_named(&at->items[i], schema, name))
                continue;
            found = found == NULL ? &at->items[i] : found;
            (*matches)++;
        }
        if (found != NULL) {
            *level = at;
            return found;
        }
    }
    return NULL;
}

long scope_column(const struct range_item *item, const char *name)
{
    for (size_t i = 0; i < item->columns.count; i++) {
        if (strcmp(item->columns.names[i], name) == 0)
            return (long)i;
    }
    return -1;
}

static void use_one(const struct level *level, struct range_item *item, size_t column)
{
    if (item->use != NULL && column < item->use->column_count)
        item->use->used[column] = true;
    if (item->ungrouped != NULL && level->clause == CLAUSE_OUTPUT && level->aggregate_depth == 0)
        item->ungrouped[column] = true;
}

void scope_use(struct level *level, struct range_item *item, long column)
{
    item->touched = true;
    item->wholes += column < 0 ? 1 : 0;
    if (column >= 0) {
        use_one(level, item, (size_t)column);
        return;
    }
    for (size_t i = 0; i < item->columns.count; i++)
        use_one(level, item, i);
}
