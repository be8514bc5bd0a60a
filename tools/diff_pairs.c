/*
 * diff_pairs.c: what pairs of role and mission may see and do, in two policies (see diff.h).
 *
 * Relations and columns are asked for one by one, with the lookups that judge() and deploy use:
 * which rule wins, what it makes of a column. Without a catalog they are those that the policies
 * name, and patterns stand for what they match: "ehr.*" is asked for as if it were a relation, and
 * "*_nir" as if it were a column, which those patterns match. With a catalog they are the
 * database's own.
 */
#include "tools/diff.h"

#include <pgvigil/buf.h>
#include <pgvigil/expression.h>
#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* A pair in one of the policies. */
struct side {
    const struct policy *policy;
    int role; /* -1: the policy has no such pair */
    int mission;
};

/* A relation for one side. */
struct view {
    const struct policy_table *table;
    const struct policy_rule *rule; /* NULL: closed */
};

struct pair {
    struct diff *diff;
    const char *role;
    const char *mission;
    struct side old, new;
};

/* A relation that is asked for. */
struct relation {
    const char *full;
    const char *schema;
    const char *name;
    const struct catalog_relation *known; /* NULL: only the policies tell of its columns */
};

struct relations {
    struct relation *items;
    size_t count;
};

/* What became of a column. */
struct column {
    const char *name;
    const char *category; /* in both policies; NULL when it has moved or has none */
    bool whole;           /* see label() */
    enum diff_direction direction;
    const char *from, *to; /* both NULL: nothing */
};

/* ---- relations and columns ---- */

static const char *rule_category(const struct policy_table *table, const char *name)
{
    for (size_t i = 0; i < table->category_count; i++)
        if (strcmp(table->categories[i].name, name) == 0)
            return name;
    for (size_t i = 0; i < table->columns_like_count; i++)
        if (strcmp(table->columns_like[i].category, name) == 0)
            return name;
    return NULL;
}

static void table_columns(struct diff *diff, const struct view *view, struct diff_names *names)
{
    const struct policy_table *table = view->table;
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->category_count; i++)
        for (size_t k = 0; k < table->categories[i].column_count; k++)
            diff_names_add(diff, names, table->categories[i].columns[k]);
    for (size_t i = 0; i < table->columns_like_count; i++)
        diff_names_add(diff, names, table->columns_like[i].match);
    /* A column that only a rule names, and a pattern classifies. */
    for (size_t i = 0; view->rule != NULL && i < view->rule->column_count; i++)
        if (rule_category(table, view->rule->columns[i].name) == NULL)
            diff_names_add(diff, names, view->rule->columns[i].name);
}

static struct diff_names columns_of(struct diff *diff, const struct relation *relation,
                                    const struct view *old, const struct view *new)
{
    struct diff_names names = {0};
    for (size_t i = 0; relation->known != NULL && i < relation->known->column_count; i++)
        diff_names_add(diff, &names, relation->known->columns[i].name);
    if (relation->known == NULL) {
        table_columns(diff, old, &names);
        table_columns(diff, new, &names);
    }
    diff_names_sort(&names);
    return names;
}

static void policy_relations(struct diff *diff, const struct policy *policy,
                             struct diff_names *names)
{
    for (size_t i = 0; i < policy->table_count; i++) {
        const struct policy_table *table = &policy->tables[i];
        diff_names_add(diff, names, diff_format(diff, "%s.%s", table->schema, table->name));
        for (size_t k = 0; k < table->except_count; k++)
            diff_names_add(diff, names, table->except[k]);
    }
    for (size_t i = 0; i < policy->rule_count; i++)
        for (size_t k = 0; k < policy->rules[i].table_count; k++)
            diff_names_add(diff, names, policy->rules[i].tables[k]);
}

/* Relations that the database has and a policy speaks of. A partition that none names follows its
 * parent. */
static void catalog_relations(struct diff *diff, struct diff_names *names)
{
    for (size_t i = 0; i < diff->catalog->relation_count; i++) {
        const struct catalog_relation *relation = &diff->catalog->relations[i];
        if (policy_table_for(diff->old, relation->schema, relation->name) != NULL ||
            policy_table_for(diff->new, relation->schema, relation->name) != NULL)
            diff_names_add(diff, names,
                           diff_format(diff, "%s.%s", relation->schema, relation->name));
    }
}

static bool is_pattern(const char *name)
{
    return strpbrk(name, "*?") != NULL;
}

static struct relations all_relations(struct diff *diff)
{
    struct relations all = {0};
    struct diff_names names = {0};
    policy_relations(diff, diff->old, &names);
    policy_relations(diff, diff->new, &names);
    if (diff->catalog != NULL)
        catalog_relations(diff, &names);
    diff_names_sort(&names);
    all.items = arena_zalloc(diff->arena, names.count + 1, sizeof(*all.items));
    if (all.items == NULL)
        diff->failed = true;
    for (size_t i = 0; all.items != NULL && i < names.count; i++) {
        const char *dot = strchr(names.items[i], '.');
        struct relation *relation = &all.items[all.count];
        if (dot == NULL || (diff->catalog != NULL && is_pattern(names.items[i])))
            continue; /* what a pattern matches is known by name */
        relation->full = names.items[i];
        relation->schema =
            arena_strndup(diff->arena, names.items[i], (size_t)(dot - names.items[i]));
        relation->name = dot + 1;
        if (relation->schema == NULL) {
            diff->failed = true;
            break;
        }
        if (diff->catalog != NULL)
            relation->known = catalog_find(diff->catalog, relation->schema, relation->name);
        all.count++;
    }
    return all;
}

static struct view look(const struct diff *diff, const struct side *side,
                        const struct relation *relation)
{
    struct view view = {0};
    const struct catalog_relation *as = NULL;
    if (side->role < 0)
        return view;
    if (relation->known != NULL) {
        if (!guard_governing(side->policy, diff->catalog, side->role, side->mission,
                             relation->known, &view.table, &view.rule, &as))
            view = (struct view){0};
        return view;
    }
    view.table = policy_table_for(side->policy, relation->schema, relation->name);
    if (view.table != NULL)
        view.rule = policy_rule_for(side->policy, side->role, side->mission, relation->schema,
                                    relation->name);
    return view;
}

/* ---- masks ---- */

static bool same_meaning(struct diff *diff, const char *a, const char *b)
{
    return text_same(a, b) || text_same(diff_meaning(diff, a), diff_meaning(diff, b));
}

static const struct policy_mask *mask_of(const struct side *side, const struct view *view,
                                         const char *column)
{
    return view->rule == NULL ? &side->policy->masks[MASK_HIDE]
                              : policy_mask_for(side->policy, view->table, view->rule, column);
}

/* How much a mask lets through, as far as it can be told. */
static int openness(const struct policy_mask *mask)
{
    switch (mask->kind) {
    case MASK_HIDE:
        return 0;
    case MASK_NULL:
        return 1;
    case MASK_PSEUDONYM:
    case MASK_EXPRESSION:
        return 2;
    case MASK_SHOW:
        return 3;
    }
    return 3;
}

static bool same_mask(struct diff *diff, const struct policy_mask *a, const struct policy_mask *b)
{
    return a->kind == b->kind &&
           (a->kind != MASK_EXPRESSION || same_meaning(diff, a->expression, b->expression));
}

static const char *describe(struct diff *diff, const struct policy_mask *mask, bool whole)
{
    switch (mask->kind) {
    case MASK_HIDE:
        return "hidden";
    case MASK_SHOW:
        return "shown";
    case MASK_NULL:
        return "null";
    case MASK_PSEUDONYM:
        return "pseudonym";
    case MASK_EXPRESSION:
        return whole ? diff_format(diff, "masked by %s: %s", mask->name,
                                   diff_one_line(diff, mask->expression))
                     : diff_format(diff, "masked by %s", mask->name);
    }
    return "unknown";
}

static enum diff_direction direction_of(int old, int new)
{
    if (new == old)
        return DIFF_CHANGE;
    return new > old ? DIFF_GAIN : DIFF_LOSS;
}

static void compare_mask(struct pair *pair, const struct view *old, const struct view *new,
                         struct column *column)
{
    struct diff *diff = pair->diff;
    const struct policy_mask *was = mask_of(&pair->old, old, column->name);
    const struct policy_mask *is = mask_of(&pair->new, new, column->name);
    if (same_mask(diff, was, is))
        return;
    /* A name says enough unless both have the same. */
    bool whole = text_same(was->name, is->name);
    column->direction = direction_of(openness(was), openness(is));
    column->from = describe(diff, was, whole);
    column->to = describe(diff, is, whole);
}

/* ---- categories ---- */

static const char *category_in_both(const struct view *old, const struct view *new,
                                    const char *column)
{
    const char *was = old->table == NULL ? NULL : policy_category_of(old->table, column);
    const char *is = new->table == NULL ? NULL : policy_category_of(new->table, column);
    if (old->table == NULL)
        return is;
    if (new->table == NULL)
        return was;
    return text_same(was, is) ? is : NULL;
}

static bool alike(const struct column *a, const struct column *b)
{
    return a->direction == b->direction && text_same(a->from, b->from) && text_same(a->to, b->to);
}

/* Marks the columns of each category whose columns all changed alike, so that the category's name
 * can stand for them. A category of one column goes by the column's name. */
static void mark_whole(struct column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t others = 0;
        columns[i].whole = columns[i].category != NULL;
        for (size_t k = 0; k < count; k++) {
            if (!text_same(columns[k].category, columns[i].category))
                continue;
            others += k == i ? 0 : 1;
            columns[i].whole = columns[i].whole && alike(&columns[i], &columns[k]);
        }
        columns[i].whole = columns[i].whole && others > 0;
    }
}

static struct column *make_columns(struct diff *diff, const struct diff_names *names,
                                   const struct view *old, const struct view *new)
{
    struct column *columns = arena_zalloc(diff->arena, names->count + 1, sizeof(*columns));
    if (columns == NULL)
        diff->failed = true;
    for (size_t i = 0; columns != NULL && i < names->count; i++) {
        columns[i].name = names->items[i];
        columns[i].category = category_in_both(old, new, names->items[i]);
    }
    return columns;
}

static void add_columns(struct pair *pair, enum diff_kind kind, const struct relation *relation,
                        struct column *columns, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = any || columns[i].from != NULL;
    if (any)
        mark_whole(columns, count);
    for (size_t i = 0; any && i < count; i++) {
        if (columns[i].from == NULL)
            continue;
        struct diff_item item = {.direction = columns[i].direction,
                                 .kind = kind,
                                 .role = pair->role,
                                 .mission = pair->mission,
                                 .object = relation->full,
                                 .column = columns[i].name,
                                 .category = columns[i].whole ? columns[i].category : NULL,
                                 .from = columns[i].from,
                                 .to = columns[i].to};
        diff_add(pair->diff, &item);
    }
}

/* ---- rows ---- */

static const char *keep_placeholder(void *context, const struct policy_placeholder *placeholder)
{
    struct diff *diff = ((void **)context)[0];
    const char *subject = ((void **)context)[1];
    switch (placeholder->kind) {
    case PLACEHOLDER_USER_NAME:
        return ":user.name";
    case PLACEHOLDER_USER_ATTRIBUTE:
        return diff_format(diff, ":user.%s", placeholder->name);
    case PLACEHOLDER_SESSION:
        return diff_format(diff, ":session.%s", placeholder->name);
    case PLACEHOLDER_CLIENT_ADDRESS:
        return ":client.address";
    case PLACEHOLDER_SUBJECT:
        return subject == NULL ? ":subject" : diff_format(diff, "(%s)", subject);
    case PLACEHOLDER_COLUMN:
        return ":col";
    }
    return NULL;
}

/* With the table's own subject in the place of :subject: the same filter over another subject keeps
 * other rows. */
static const char *rows_of(struct diff *diff, const struct side *side, const struct view *view)
{
    const char *text = NULL;
    const char *what = NULL;
    if (view->rule == NULL || view->rule->rows == NULL)
        return NULL;
    void *context[2] = {diff, (void *)(uintptr_t)view->table->subject};
    if (expression_substitute(side->policy, view->rule->rows, diff->arena, keep_placeholder,
                              context, &text, &what) != OK)
        return view->rule->rows;
    return text;
}

/* As the policy has it: one filter of many tables reads alike in all of them. */
static const char *rows_text(struct diff *diff, const struct view *view)
{
    return view->rule->rows == NULL ? "every row" : diff_one_line(diff, view->rule->rows);
}

static void compare_rows(struct pair *pair, const struct relation *relation, const struct view *old,
                         const struct view *new)
{
    struct diff *diff = pair->diff;
    const char *was = rows_of(diff, &pair->old, old);
    const char *is = rows_of(diff, &pair->new, new);
    if (same_meaning(diff, was, is))
        return;
    /* The texts tell, unless the subject alone has changed. */
    bool subject = same_meaning(diff, old->rule->rows, new->rule->rows);
    struct diff_item item = {.kind = DIFF_ROWS,
                             .role = pair->role,
                             .mission = pair->mission,
                             .object = relation->full,
                             .from = subject ? diff_one_line(diff, was) : rows_text(diff, old),
                             .to = subject ? diff_one_line(diff, is) : rows_text(diff, new)};
    item.direction = direction_of(was == NULL ? 1 : 0, is == NULL ? 1 : 0);
    diff_add(diff, &item);
}

/* Which patient a row is about matters to the audit, whoever reads it; where a filter uses it, the
 * rows are told too. */
static void compare_subject(struct diff *diff, const struct relation *relation)
{
    const struct policy_table *old = policy_table_for(diff->old, relation->schema, relation->name);
    const struct policy_table *new = policy_table_for(diff->new, relation->schema, relation->name);
    if (old == NULL || new == NULL || same_meaning(diff, old->subject, new->subject))
        return;
    struct diff_item item = {.direction = DIFF_OTHER,
                             .kind = DIFF_SUBJECT,
                             .object = relation->full,
                             .from = diff_one_line(diff, old->subject),
                             .to = diff_one_line(diff, new->subject)};
    diff_add(diff, &item);
}

static const char *list(struct diff *diff, const char *const *names, size_t count)
{
    const char *all = "none";
    for (size_t i = 0; i < count && all != NULL; i++)
        all = i == 0 ? names[0] : diff_format(diff, "%s, %s", all, names[i]);
    return all;
}

static const char *cells_text(struct diff *diff, const struct policy_table *table)
{
    return diff_format(diff, "by %s; of %s", list(diff, table->dimensions, table->dimension_count),
                       list(diff, table->measures, table->measure_count));
}

/* More dimensions are finer groups of fewer rows, and so neither more nor less. */
static void compare_cells(struct diff *diff, const struct relation *relation)
{
    const struct policy_table *old = policy_table_for(diff->old, relation->schema, relation->name);
    const struct policy_table *new = policy_table_for(diff->new, relation->schema, relation->name);
    if (old == NULL || new == NULL)
        return;
    struct diff_item item = {.direction = DIFF_CHANGE,
                             .kind = DIFF_CELLS,
                             .object = relation->full,
                             .from = cells_text(diff, old),
                             .to = cells_text(diff, new)};
    if (item.from != NULL && item.to != NULL && strcmp(item.from, item.to) != 0)
        diff_add(diff, &item);
}

/* ---- writes ---- */

static bool may_write(const struct relation *relation, const struct view *view, enum diff_kind kind,
                      const char *column)
{
    if (view->rule == NULL ||
        (relation->known != NULL && strchr("rp", relation->known->kind) == NULL))
        return false;
    return kind == DIFF_INSERT ? policy_may_insert(view->table, view->rule, column)
                               : policy_may_update(view->table, view->rule, column);
}

static void compare_writes(struct pair *pair, enum diff_kind kind, const struct relation *relation,
                           const struct view *old, const struct view *new,
                           const struct diff_names *names)
{
    struct column *columns = make_columns(pair->diff, names, old, new);
    for (size_t i = 0; columns != NULL && i < names->count; i++) {
        bool was = may_write(relation, old, kind, names->items[i]);
        bool is = may_write(relation, new, kind, names->items[i]);
        if (was == is)
            continue;
        columns[i].direction = is ? DIFF_GAIN : DIFF_LOSS;
        columns[i].from = was ? "yes" : "no";
        columns[i].to = is ? "yes" : "no";
    }
    if (columns != NULL)
        add_columns(pair, kind, relation, columns, names->count);
}

/* All rows of it, by DELETE or by TRUNCATE. */
static bool may_empty(const struct relation *relation, const struct view *view, enum diff_kind kind)
{
    return view->rule != NULL &&
           (kind == DIFF_DELETE ? view->rule->delete_rows : view->rule->truncate) &&
           (relation->known == NULL || strchr("rp", relation->known->kind) != NULL);
}

static void compare_delete(struct pair *pair, enum diff_kind kind, const struct relation *relation,
                           const struct view *old, const struct view *new)
{
    bool was = may_empty(relation, old, kind);
    bool is = may_empty(relation, new, kind);
    struct diff_item item = {.direction = is ? DIFF_GAIN : DIFF_LOSS,
                             .kind = kind,
                             .role = pair->role,
                             .mission = pair->mission,
                             .object = relation->full,
                             .from = was ? "yes" : "no",
                             .to = is ? "yes" : "no"};
    if (was != is)
        diff_add(pair->diff, &item);
}

/* ---- a relation that is opened or closed ---- */

static const char *label(const struct column *column)
{
    return column->whole ? column->category : column->name;
}

/* "shown: admin, nir; masked by year: birth_date; rows: ..." */
static const char *summary(struct diff *diff, const struct side *side, const struct view *view,
                           const struct diff_names *names)
{
    struct diff_names ways = {0};
    struct buf out;
    struct column *columns = make_columns(diff, names, view, view);
    buf_init(&out, 0);
    for (size_t i = 0; columns != NULL && i < names->count; i++) {
        const struct policy_mask *mask = mask_of(side, view, names->items[i]);
        columns[i].to = describe(diff, mask, false);
        if (mask->kind != MASK_HIDE)
            diff_names_add(diff, &ways, columns[i].to);
    }
    if (columns != NULL)
        mark_whole(columns, names->count);
    diff_names_sort(&ways);
    for (size_t w = ways.count; w-- > 0;) { /* "shown" sorts last and stands first */
        struct diff_names labels = {0};
        for (size_t i = 0; columns != NULL && i < names->count; i++)
            if (text_same(columns[i].to, ways.items[w]))
                diff_names_add(diff, &labels, label(&columns[i]));
        diff_names_sort(&labels);
        buf_printf(&out, "%s: ", ways.items[w]);
        for (size_t i = 0; i < labels.count; i++)
            buf_printf(&out, "%s%s", i == 0 ? "" : ", ", labels.items[i]);
        buf_str(&out, "; ");
    }
    buf_printf(&out, "%s%s%s", ways.count == 0 ? "no column; " : "",
               view->rule->rows == NULL ? "" : "rows: ", rows_text(diff, view));
    const char *text = text_take(&out, diff->arena);
    diff->failed = diff->failed || text == NULL;
    return text == NULL ? "" : text;
}

static void compare_open(struct pair *pair, const struct relation *relation, const struct view *old,
                         const struct view *new, const struct diff_names *names)
{
    bool opened = old->rule == NULL;
    struct diff_item item = {.direction = opened ? DIFF_GAIN : DIFF_LOSS,
                             .kind = DIFF_RELATION,
                             .role = pair->role,
                             .mission = pair->mission,
                             .object = relation->full};
    if (opened)
        item.to = summary(pair->diff, &pair->new, new, names);
    else
        item.from = summary(pair->diff, &pair->old, old, names);
    diff_add(pair->diff, &item);
}

/* ---- a pair ---- */

static void compare_relation(struct pair *pair, const struct relation *relation)
{
    struct diff *diff = pair->diff;
    struct view old = look(diff, &pair->old, relation);
    struct view new = look(diff, &pair->new, relation);
    if (old.rule == NULL && new.rule == NULL)
        return;
    struct diff_names names = columns_of(diff, relation, &old, &new);
    if (old.rule == NULL || new.rule == NULL) {
        compare_open(pair, relation, &old, &new, &names);
    } else {
        struct column *columns = make_columns(diff, &names, &old, &new);
        for (size_t i = 0; columns != NULL && i < names.count; i++)
            compare_mask(pair, &old, &new, &columns[i]);
        if (columns != NULL)
            add_columns(pair, DIFF_COLUMN, relation, columns, names.count);
        compare_rows(pair, relation, &old, &new);
    }
    compare_writes(pair, DIFF_INSERT, relation, &old, &new, &names);
    compare_writes(pair, DIFF_UPDATE, relation, &old, &new, &names);
    compare_delete(pair, DIFF_DELETE, relation, &old, &new);
    compare_delete(pair, DIFF_TRUNCATE, relation, &old, &new);
}

/* The functions, or the sequences, that a policy names. */
struct named {
    const struct policy_function *items;
    size_t count;
};

static struct named named_of(const struct policy *policy, enum diff_kind kind)
{
    return kind == DIFF_FUNCTION ? (struct named){policy->functions, policy->function_count}
                                 : (struct named){policy->sequences, policy->sequence_count};
}

static bool may_use(const struct side *side, enum diff_kind kind,
                    const struct policy_function *named)
{
    if (side->role < 0)
        return false;
    return kind == DIFF_FUNCTION ? policy_function_allowed(side->policy, side->role, side->mission,
                                                           named->schema, named->name)
                                 : policy_sequence_allowed(side->policy, side->role, side->mission,
                                                           named->schema, named->name);
}

static void compare_one(struct pair *pair, enum diff_kind kind, const struct policy_function *named)
{
    bool was = may_use(&pair->old, kind, named);
    bool is = may_use(&pair->new, kind, named);
    struct diff_item item = {.direction = is ? DIFF_GAIN : DIFF_LOSS,
                             .kind = kind,
                             .role = pair->role,
                             .mission = pair->mission,
                             .object = diff_format(pair->diff, "%s.%s", named->schema, named->name),
                             .from = was ? "yes" : "no",
                             .to = is ? "yes" : "no"};
    if (was != is)
        diff_add(pair->diff, &item);
}

static bool has_named(const struct named *list, size_t count, const struct policy_function *named)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list->items[i].schema, named->schema) == 0 &&
            strcmp(list->items[i].name, named->name) == 0)
            return true;
    return false;
}

/* Each once, though entries for it may be many. */
static void compare_named(struct pair *pair, enum diff_kind kind)
{
    struct named old = named_of(pair->diff->old, kind);
    struct named new = named_of(pair->diff->new, kind);
    for (size_t i = 0; i < old.count; i++)
        if (!has_named(&old, i, &old.items[i]))
            compare_one(pair, kind, &old.items[i]);
    for (size_t i = 0; i < new.count; i++)
        if (!has_named(&new, i, &new.items[i]) && !has_named(&old, old.count, &new.items[i]))
            compare_one(pair, kind, &new.items[i]);
}

static struct side side_of(const struct policy *policy, const char *role, const char *mission)
{
    struct side side = {.policy = policy, .role = policy_find_role(policy, role)};
    side.mission = policy_find_mission(policy, mission);
    if (!policy_role_has_mission(policy, side.role, side.mission))
        side.role = -1;
    return side;
}

static bool is_unrestricted(const struct policy *policy, const char *role)
{
    int found = policy_find_role(policy, role);
    return found >= 0 && policy->roles[found].unrestricted;
}

static void pairs_of(struct diff *diff, const struct policy *policy, struct diff_names *roles,
                     struct diff_names *missions)
{
    for (size_t i = 0; i < policy->role_count; i++)
        diff_names_add(diff, roles, policy->roles[i].name);
    for (size_t i = 0; i < policy->mission_count; i++)
        diff_names_add(diff, missions, policy->missions[i].name);
}

void diff_pairs(struct diff *diff)
{
    struct relations relations = all_relations(diff);
    struct diff_names roles = {0};
    struct diff_names missions = {0};
    for (size_t i = 0; i < relations.count; i++) {
        compare_subject(diff, &relations.items[i]);
        compare_cells(diff, &relations.items[i]);
    }
    pairs_of(diff, diff->old, &roles, &missions);
    pairs_of(diff, diff->new, &roles, &missions);
    diff_names_sort(&roles);
    diff_names_sort(&missions);
    for (size_t r = 0; r < roles.count && !diff->failed; r++) {
        /* No rule speaks of such a role: that it is one is the whole difference. */
        if (is_unrestricted(diff->old, roles.items[r]) ||
            is_unrestricted(diff->new, roles.items[r]))
            continue;
        for (size_t m = 0; m < missions.count; m++) {
            struct pair pair = {.diff = diff,
                                .role = roles.items[r],
                                .mission = missions.items[m],
                                .old = side_of(diff->old, roles.items[r], missions.items[m]),
                                .new = side_of(diff->new, roles.items[r], missions.items[m])};
            if (pair.old.role < 0 && pair.new.role < 0)
                continue;
            for (size_t i = 0; i < relations.count; i++)
                compare_relation(&pair, &relations.items[i]);
            compare_named(&pair, DIFF_FUNCTION);
            compare_named(&pair, DIFF_SEQUENCE);
        }
    }
}
