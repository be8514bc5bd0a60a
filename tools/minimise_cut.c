/*
 * minimise_cut.c: what serves nothing, out of the policy's files (see minimise.h).
 *
 * A part of a rule serves every pair and every table of the rule, and is only cut when it serves
 * none of them. What is left of a category whose columns are not all used gets exclusions, which
 * are the language's `name = "hide"`. A relation is closed for a pair only where nothing else could
 * open it: another rule's pattern, the rule of the parent, the definition of a view.
 *
 * Everything here is a proposal: minimise_prove.c decides.
 */
#include "tools/minimise.h"

#include <ctype.h>
#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <string.h>
#include <strings.h>

/* A rule at work. */
struct cut {
    struct minimise *minimise;
    size_t index;
    const struct policy_rule *rule;
    const struct rule_use *use;
    const struct text_node *node;
    struct rule_column *columns;
    size_t column_count;
    bool *no_role, *no_mission, *no_table; /* cut */
};

static bool can(const struct minimise *minimise, const struct text_node *node)
{
    return node != NULL &&
           policy_text_editable(&minimise->text, node->begin,
                                node->separator != NULL ? node->separator : node->last);
}

/* ---- the rules' places ---- */

static bool same_names(const struct text_node *rule, const char *key, const char *const *names,
                       size_t count)
{
    const struct text_node *list = text_member(rule, key);
    if (list == NULL || list->kind != NODE_ARRAY || list->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (list->items[i]->value == NULL || strcmp(list->items[i]->value, names[i]) != 0)
            return false;
    return true;
}

static bool same_rule(const struct minimise *minimise, const struct policy_rule *rule,
                      const struct text_node *node)
{
    const struct policy *policy = minimise->policy;
    const char *names[512];
    if (node->kind != NODE_GROUP || rule->role_count > 512 || rule->mission_count > 512)
        return false;
    for (size_t i = 0; i < rule->role_count; i++)
        names[i] = policy->roles[rule->roles[i]].name;
    bool same = same_names(node, "roles", names, rule->role_count);
    for (size_t i = 0; i < rule->mission_count; i++)
        names[i] = policy->missions[rule->missions[i]].name;
    same = same && same_names(node, "missions", names, rule->mission_count) &&
           same_names(node, "tables", rule->tables, rule->table_count);
    const struct text_node *columns = text_member(node, "columns");
    same = same && columns != NULL && columns->count == rule->column_count;
    for (size_t i = 0; same && i < rule->column_count; i++)
        same = strcmp(columns->items[i]->name, rule->columns[i].name) == 0;
    const struct text_node *insert = text_member(node, "insert");
    const struct text_node *update = text_member(node, "update");
    return same &&
           (insert == NULL ? rule->insert_count == 0
                           : same_names(node, "insert", rule->insert, rule->insert_count)) &&
           (update == NULL ? rule->update_count == 0
                           : same_names(node, "update", rule->update, rule->update_count));
}

static enum status find_rules(struct minimise *minimise)
{
    size_t count = 0;
    enum status status =
        policy_text_entries(&minimise->text, "rules", &minimise->rule_nodes, &count);
    if (status != OK)
        return status;
    bool same = count == minimise->policy->rule_count;
    for (size_t i = 0; same && i < count; i++)
        same = same_rule(minimise, &minimise->policy->rules[i], minimise->rule_nodes[i]);
    if (same)
        return OK;
    minimise->why = "the files have changed while they were read, or are written in a way that "
                    "this command does not follow";
    return ERR_INVALID;
}

/* ---- may a relation be closed? ---- */

static bool has_pattern(const struct policy_rule *rule)
{
    for (size_t i = 0; i < rule->table_count; i++)
        if (strpbrk(rule->tables[i], "*?") != NULL)
            return true;
    return false;
}

static bool has(const uint32_t *list, size_t count, int value)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == (uint32_t)value)
            return true;
    return false;
}

/* A pattern of another rule of the pair might match what this one lets go. */
static bool might_open(const struct minimise *minimise, size_t index, const struct pair *pair)
{
    const struct policy *policy = minimise->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (i != index && has(rule->roles, rule->role_count, pair->role) &&
            has(rule->missions, rule->mission_count, pair->mission) && has_pattern(rule))
            return true;
    }
    return false;
}

/* `via` SIZE_MAX: all of the rule's tables. */
static bool closable(const struct minimise *minimise, size_t index, const struct pair *pair,
                     size_t via)
{
    if (pair->gone)
        return true;
    if (pair->keep != KEEP_NOT || minimise->catalog == NULL || might_open(minimise, index, pair))
        return false;
    for (size_t i = 0; i < minimise->rules[index].target_count; i++) {
        const struct target *target = minimise->rules[index].targets[i];
        if (target->role != pair->role || target->mission != pair->mission ||
            (via != SIZE_MAX && target->via != via))
            continue;
        /* A child follows its parent's rule, and a view without one shows what its tables do. */
        if (target->relation == NULL ||
            (!target->part && (target->relation->parent >= 0 || target->relation->kind == 'v')))
            return false;
    }
    return true;
}

static bool all_closable(const struct minimise *minimise, size_t index, int role, int mission,
                         size_t via)
{
    const struct policy_rule *rule = &minimise->policy->rules[index];
    bool any = false;
    for (size_t i = 0; i < minimise->pair_count; i++) {
        const struct pair *pair = &minimise->pairs[i];
        if (!has(rule->roles, rule->role_count, pair->role) ||
            !has(rule->missions, rule->mission_count, pair->mission) ||
            (role >= 0 && pair->role != role) || (mission >= 0 && pair->mission != mission))
            continue;
        any = true;
        if (!closable(minimise, index, pair, via))
            return false;
    }
    return any;
}

static bool has_target(const struct minimise *minimise, size_t index, size_t via)
{
    for (size_t i = 0; i < minimise->rules[index].target_count; i++)
        if (via == SIZE_MAX || minimise->rules[index].targets[i]->via == via)
            return true;
    return false;
}

static bool whole_rule_goes(const struct minimise *minimise, size_t index)
{
    return !minimise->rules[index].any && has_target(minimise, index, SIZE_MAX) &&
           all_closable(minimise, index, -1, -1, SIZE_MAX);
}

/* ---- roles, missions and tables of a rule ---- */

static bool some_stay(const bool *cut, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!cut[i])
            return true;
    return false;
}

static bool some_go(const bool *cut, size_t count)
{
    return memchr(cut, true, count) != NULL;
}

static void cut_list(struct cut *cut, const char *key, bool *marks, size_t count)
{
    const struct text_node *list = text_member(cut->node, key);
    if (!some_go(marks, count))
        return;
    if (can(cut->minimise, list) && some_stay(marks, count))
        policy_edit_cut_elements(&cut->minimise->edits, list, marks);
    else
        memset(marks, false, count);
}

static void cut_whom(struct cut *cut)
{
    const struct minimise *minimise = cut->minimise;
    const struct policy_rule *rule = cut->rule;
    for (size_t i = 0; i < rule->role_count; i++)
        cut->no_role[i] = !cut->use->roles[i] &&
                          all_closable(minimise, cut->index, (int)rule->roles[i], -1, SIZE_MAX);
    for (size_t i = 0; i < rule->mission_count; i++)
        cut->no_mission[i] =
            !cut->use->missions[i] &&
            all_closable(minimise, cut->index, -1, (int)rule->missions[i], SIZE_MAX);
    for (size_t i = 0; i < rule->table_count; i++)
        cut->no_table[i] = !cut->use->tables[i] && has_target(minimise, cut->index, i) &&
                           all_closable(minimise, cut->index, -1, -1, i);
    cut_list(cut, "roles", cut->no_role, rule->role_count);
    cut_list(cut, "missions", cut->no_mission, rule->mission_count);
    cut_list(cut, "tables", cut->no_table, rule->table_count);
}

/* Is the target the rule's still? */
static bool remains(const struct cut *cut, const struct target *target)
{
    const struct policy_rule *rule = cut->rule;
    if (cut->no_table[target->via] ||
        minimise_pair(cut->minimise, target->role, target->mission)->gone)
        return false;
    for (size_t i = 0; i < rule->role_count; i++)
        if (cut->no_role[i] && rule->roles[i] == (uint32_t)target->role)
            return false;
    for (size_t i = 0; i < rule->mission_count; i++)
        if (cut->no_mission[i] && rule->missions[i] == (uint32_t)target->mission)
            return false;
    return true;
}

/* ---- writing ---- */

/* Does the name speak of the column in a relation of the rule? */
static bool speaks(const struct cut *cut, const char *name, const char *column, bool remaining)
{
    for (size_t i = 0; i < cut->use->target_count; i++) {
        const struct target *target = cut->use->targets[i];
        if ((!remaining || remains(cut, target)) && minimise_speaks(target->table, name, column))
            return true;
    }
    return false;
}

static bool written(const struct rule_column *column, enum use_how how)
{
    return how == USE_INSERT ? column->insert : column->update;
}

static bool write_used(const struct rule_column *column, enum use_how how)
{
    return how == USE_INSERT ? column->insert_used : column->update_used;
}

static bool is_listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A category of one table whose columns are all named can be written out as those that are used. */
static const struct policy_table *only_table(const struct cut *cut)
{
    const struct policy_table *table = NULL;
    if (cut->rule->table_count != 1 || has_pattern(cut->rule))
        return NULL;
    for (size_t i = 0; i < cut->use->target_count; i++)
        table = cut->use->targets[i]->table;
    return table == NULL || table->columns_like_count > 0 ? NULL : table;
}

/* "phone", "email" in the place of "contact"; NULL: it cannot be said so, or all of it is used. */
static const char *write_out(const struct cut *cut, const char *const *names, size_t count,
                             size_t which, enum use_how how)
{
    const struct policy_table *table = only_table(cut);
    struct buf out;
    bool any_unused = false;
    bool sayable = table != NULL && policy_is_category(table, names[which]);
    buf_init(&out, 0);
    for (size_t i = 0; sayable && i < cut->column_count; i++) {
        const struct rule_column *column = &cut->columns[i];
        if (!minimise_speaks(table, names[which], column->name) || !written(column, how))
            continue;
        any_unused = any_unused || !write_used(column, how);
        if (!write_used(column, how) || is_listed(names, count, column->name))
            continue;
        sayable = !policy_is_category(table, column->name);
        buf_str(&out, buf_len(&out) == 0 ? "" : ", ");
        text_quote_config(&out, column->name);
    }
    bool empty = buf_len(&out) == 0;
    const char *text = text_take(&out, cut->minimise->arena);
    return sayable && any_unused && !empty ? text : NULL;
}

static void cut_writes(struct cut *cut, const char *key, const char *const *names, size_t count,
                       const bool *marks, enum use_how how)
{
    struct minimise *minimise = cut->minimise;
    const struct text_node *list = text_member(cut->node, key);
    bool *gone = arena_zalloc(minimise->arena, count + 1, sizeof(*gone));
    bool possible = can(minimise, list) && gone != NULL;
    for (size_t i = 0; i < count; i++) {
        const char *less = NULL;
        if (possible && !marks[i])
            gone[i] = true;
        else if (possible)
            less = write_out(cut, names, count, i, how);
        if (less != NULL)
            policy_edit_value(&minimise->edits, list->items[i], less);
        for (size_t k = 0; k < cut->column_count; k++) {
            struct rule_column *column = &cut->columns[k];
            if (gone != NULL && !gone[i] && speaks(cut, names[i], column->name, false))
                column->still_written =
                    column->still_written || less == NULL || write_used(column, how);
        }
    }
    if (possible && some_go(gone, count))
        policy_edit_cut_elements(&minimise->edits, list, gone);
}

static void cut_flag(struct cut *cut, const char *key)
{
    const struct text_node *setting = text_member(cut->node, key);
    if (can(cut->minimise, setting))
        policy_edit_value(&cut->minimise->edits, setting, "false");
}

/* ---- reading ---- */

static bool is_key(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return isalpha((unsigned char)name[0]) && name[len] == '\0' && strcasecmp(name, "true") != 0 &&
           strcasecmp(name, "false") != 0;
}

static bool is_category_somewhere(const struct cut *cut, const char *name)
{
    for (size_t i = 0; i < cut->use->target_count; i++)
        if (policy_is_category(cut->use->targets[i]->table, name))
            return true;
    return false;
}

static size_t entry_named(const struct policy_rule *rule, const char *name)
{
    for (size_t i = 0; i < rule->column_count; i++)
        if (strcmp(rule->columns[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

/* Without its own entry the column would be what its category is. */
static bool category_would_show(const struct cut *cut, const char *name)
{
    for (size_t i = 0; i < cut->use->target_count; i++) {
        const struct target *target = cut->use->targets[i];
        const char *category =
            remains(cut, target) ? policy_category_of(target->table, name) : NULL;
        size_t entry = category == NULL ? SIZE_MAX : entry_named(cut->rule, category);
        if (entry != SIZE_MAX && !policy_is_category(target->table, name) &&
            cut->rule->columns[entry].mask != MASK_HIDE && cut->use->columns[entry])
            return true;
    }
    return false;
}

static bool blocked(const struct cut *cut, const char *name)
{
    for (size_t i = 0; i < cut->column_count; i++)
        if (cut->columns[i].still_written && speaks(cut, name, cut->columns[i].name, false))
            return true;
    return false;
}

/* An exclusion that speaks of no table that is left would be an error. */
static bool idle_exclusion(const struct cut *cut, const char *name)
{
    bool speaks_of_gone = false;
    if (!some_go(cut->no_table, cut->rule->table_count))
        return false;
    for (size_t i = 0; i < cut->rule->table_count; i++) {
        const char *dot = strchr(cut->rule->tables[i], '.');
        char schema[256];
        if (strpbrk(cut->rule->tables[i], "*?") != NULL || dot == NULL ||
            (size_t)(dot - cut->rule->tables[i]) >= sizeof schema)
            return false;
        memcpy(schema, cut->rule->tables[i], (size_t)(dot - cut->rule->tables[i]));
        schema[dot - cut->rule->tables[i]] = '\0';
        const struct policy_table *table = policy_table_for(cut->minimise->policy, schema, dot + 1);
        bool speaks_here = table != NULL && (policy_is_category(table, name) ||
                                             policy_category_of(table, name) != NULL);
        if (speaks_here && !cut->no_table[i])
            return false;
        speaks_of_gone = speaks_of_gone || speaks_here;
    }
    return speaks_of_gone;
}

static void exclude(struct cut *cut, size_t entry, const struct text_node *behind, bool *done)
{
    struct minimise *minimise = cut->minimise;
    const char **names =
        arena_alloc(minimise->arena, (cut->column_count + 1) * sizeof(const char *));
    size_t count = 0;
    for (size_t i = 0; names != NULL && i < cut->column_count; i++) {
        const struct rule_column *column = &cut->columns[i];
        if (done[i] || column->read_used || column->insert_used || column->update_used ||
            column->still_written || entry_named(cut->rule, column->name) != SIZE_MAX ||
            !is_key(column->name) || is_category_somewhere(cut, column->name) ||
            !speaks(cut, cut->rule->columns[entry].name, column->name, true))
            continue;
        done[i] = true;
        names[count++] = column->name;
    }
    if (count > 0)
        policy_edit_put_settings(&minimise->edits, behind, names, count, "hide");
}

static void cut_columns(struct cut *cut)
{
    struct minimise *minimise = cut->minimise;
    const struct text_node *group = text_member(cut->node, "columns");
    bool *done = arena_zalloc(minimise->arena, cut->column_count + 1, sizeof(*done));
    for (size_t i = 0; done != NULL && i < cut->rule->column_count; i++) {
        const struct policy_column_rule *entry = &cut->rule->columns[i];
        const struct text_node *node = group->items[i];
        if (!can(minimise, node))
            continue;
        if (entry->mask == MASK_HIDE) {
            if (idle_exclusion(cut, entry->name))
                policy_edit_cut_setting(&minimise->edits, node);
        } else if (cut->use->columns[i]) {
            exclude(cut, i, node, done);
        } else if (!blocked(cut, entry->name)) {
            if (category_would_show(cut, entry->name))
                policy_edit_value(&minimise->edits, node, "\"hide\"");
            else
                policy_edit_cut_setting(&minimise->edits, node);
        }
    }
    if (done == NULL)
        minimise->edits.failed = true;
}

/* ---- a rule, and all of them ---- */

static enum status cut_rule(struct minimise *minimise, size_t index)
{
    const struct policy_rule *rule = &minimise->policy->rules[index];
    struct arena *arena = minimise->arena;
    struct cut cut = {.minimise = minimise,
                      .index = index,
                      .rule = rule,
                      .use = &minimise->rules[index],
                      .node = minimise->rule_nodes[index],
                      .no_role = arena_zalloc(arena, rule->role_count + 1, 1),
                      .no_mission = arena_zalloc(arena, rule->mission_count + 1, 1),
                      .no_table = arena_zalloc(arena, rule->table_count + 1, 1)};
    cut.columns = minimise_rule_columns(minimise, index, &cut.column_count);
    if (cut.columns == NULL || arena_failed(arena))
        return ERR_MEMORY;
    if (!has_target(minimise, index, SIZE_MAX))
        return OK;
    cut_whom(&cut);
    cut_writes(&cut, "insert", rule->insert, rule->insert_count, cut.use->insert, USE_INSERT);
    cut_writes(&cut, "update", rule->update, rule->update_count, cut.use->update, USE_UPDATE);
    if (rule->delete_rows && !cut.use->delete_rows)
        cut_flag(&cut, "delete");
    if (rule->truncate && !cut.use->truncate)
        cut_flag(&cut, "truncate");
    cut_columns(&cut);
    return OK;
}

static size_t node_index(const struct minimise *minimise, const struct text_node *node)
{
    for (size_t i = 0; i < minimise->policy->rule_count; i++)
        if (minimise->rule_nodes[i] == node)
            return i;
    return SIZE_MAX;
}

/* Rules that go as a whole, list by list: which commas stay depends on all of them. */
static enum status cut_rules(struct minimise *minimise)
{
    enum status status = OK;
    for (size_t i = 0; i < minimise->text.root_count && status == OK; i++) {
        const struct text_node *list = text_member(minimise->text.roots[i], "rules");
        bool *gone = list == NULL ? NULL : arena_zalloc(minimise->arena, list->count + 1, 1);
        if (list == NULL)
            continue;
        if (gone == NULL)
            return ERR_MEMORY;
        for (size_t k = 0; k < list->count && status == OK; k++) {
            size_t rule = node_index(minimise, list->items[k]);
            if (!minimise->groups[minimise_group(minimise, rule)])
                continue;
            gone[k] = can(minimise, list) && whole_rule_goes(minimise, rule);
            if (!gone[k])
                status = cut_rule(minimise, rule);
        }
        if (some_go(gone, list->count))
            policy_edit_cut_elements(&minimise->edits, list, gone);
    }
    return status;
}

static const struct text_node *role_missions(const struct minimise *minimise, const char *role)
{
    const struct text_node **roles = NULL;
    size_t count = 0;
    if (policy_text_entries(&minimise->text, "roles", &roles, &count) != OK)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const struct text_node *name = text_member(roles[i], "name");
        if (name != NULL && name->value != NULL && strcmp(name->value, role) == 0)
            return text_member(roles[i], "missions");
    }
    return NULL;
}

static enum status cut_missions(struct minimise *minimise)
{
    const struct policy *policy = minimise->policy;
    for (size_t r = 0; r < policy->role_count; r++) {
        const struct text_node *list = role_missions(minimise, policy->roles[r].name);
        bool *gone = arena_zalloc(minimise->arena, policy->mission_count + 1, sizeof(*gone));
        if (gone == NULL)
            return ERR_MEMORY;
        for (size_t i = 0; list != NULL && i < list->count && i < policy->mission_count; i++) {
            const struct pair *pair =
                minimise_pair(minimise, (int)r, policy_find_mission(policy, list->items[i]->value));
            gone[i] = pair != NULL && pair->gone;
        }
        if (list != NULL && some_go(gone, policy->mission_count))
            policy_edit_cut_elements(&minimise->edits, list, gone);
    }
    return OK;
}

/* Rules of a pair that goes, go with it. */
size_t minimise_group(const struct minimise *minimise, size_t rule)
{
    const struct policy_rule *of = &minimise->policy->rules[rule];
    for (size_t i = 0; i < minimise->pair_count; i++)
        if (minimise->pairs[i].gone && has(of->roles, of->role_count, minimise->pairs[i].role) &&
            has(of->missions, of->mission_count, minimise->pairs[i].mission))
            return 0;
    return rule + 1;
}

enum status minimise_cut(struct minimise *minimise)
{
    minimise->edits = (struct policy_edits){.text = &minimise->text};
    enum status status = minimise->groups[0] ? cut_missions(minimise) : OK;
    if (status == OK)
        status = cut_rules(minimise);
    return status == OK && minimise->edits.failed ? ERR_MEMORY : status;
}

enum status minimise_find(struct minimise *minimise, const char *path)
{
    enum status status = policy_text_read(path, minimise->arena, &minimise->text);
    if (status == ERR_IO || status == ERR_SYNTAX)
        minimise->why = minimise->text.why;
    if (status == OK)
        status = find_rules(minimise);
    minimise->group_count = minimise->policy->rule_count + 1;
    minimise->groups = arena_zalloc(minimise->arena, minimise->group_count, sizeof(bool));
    if (status != OK || minimise->groups == NULL)
        return status != OK ? status : ERR_MEMORY;
    for (size_t i = 0; i < minimise->pair_count; i++) {
        struct pair *pair = &minimise->pairs[i];
        if (!pair->gone ||
            can(minimise, role_missions(minimise, minimise->policy->roles[pair->role].name)))
            continue;
        pair->gone = false;
        pair->stays = STAY_TEXT;
    }
    return OK;
}
