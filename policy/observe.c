/*
 * observe.c: what enforcing would do to a statement (see observe.h).
 *
 * A hidden column does not exist. Where its name is certain judge() refuses it; where it is not,
 * behind a sub-query's `*`, in USING or as (p).nir, the statement passes, and PostgreSQL says that
 * there is no such column. To foretell that, the statement is judged a second time over guards that
 * hide no column: a name that finds nothing over the real ones and something over those is what
 * PostgreSQL will miss. What else the statement has there and not here it has by `*`, or as a whole
 * row, and runs without.
 */
#include "guard_view.h"
#include "judge_private.h"
#include "observer.h"

#include <string.h>

void observe_refusal(struct observation *out, const char *sqlstate, const char *reason,
                     const char *object, const char *message, const char *hint)
{
    out->allowed = false;
    out->sqlstate = sqlstate;
    out->reason = reason;
    out->object = object;
    out->message = message;
    out->hint = hint;
}

const char *observe_prepared(void *context, const char *name, bool *writes)
{
    (void)context;
    *writes = true;
    return name;
}

static void no_memory(struct observation *out)
{
    *out = (struct observation){.verdict = out->verdict};
    observe_refusal(out, "53200", "memory", "memory",
                    "the statement needs more memory than a session may use", NULL);
}

struct observing {
    const struct observer *observer;
    struct judge_request request;
    struct arena *arena;
    const struct verdict *verdict;
    const struct verdict *opened; /* NULL: no relation of the statement has a hidden column */
    struct observation *out;
    bool failed;
};

/* ---- relations ---- */

static const char *place_text(struct observing *observing, const struct policy_place *place)
{
    return arena_printf(observing->arena, "%s:%u", judge_file_name(place->file), place->line);
}

static bool rule_filters(const struct observing *observing, const struct catalog_relation *relation,
                         unsigned depth)
{
    const struct judge_request *request = &observing->request;
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    if (guard_governing(request->policy, request->catalog, request->role, request->mission,
                        relation, &table, &rule, &as))
        return rule->rows != NULL;
    const struct observer_view *view = observer_view(observing->observer, relation);
    for (size_t i = 0; view != NULL && i < view->count && depth < GUARD_VIEW_DEPTH; i++)
        if (rule_filters(observing, view->reads[i], depth + 1))
            return true;
    return false;
}

static const struct catalog_guard *guard_of(const struct observing *observing,
                                            const struct verdict_relation *relation)
{
    return relation->relation == NULL || relation->guard == NULL
               ? NULL
               : catalog_guard_for(observing->request.catalog, observing->verdict->pair,
                                   relation->relation->oid, GUARD_PLAIN);
}

static bool guard_has(const struct catalog_guard *guard, const char *column)
{
    for (size_t i = 0; i < guard->column_count; i++)
        if (strcmp(guard->columns[i], column) == 0)
            return true;
    return false;
}

static const struct verdict_relation *same_relation(const struct verdict_statement *statement,
                                                    const struct verdict_relation *relation)
{
    for (size_t i = 0; i < statement->relation_count; i++)
        if (statement->relations[i].relation != NULL && relation->relation != NULL &&
            statement->relations[i].relation->oid == relation->relation->oid)
            return &statement->relations[i];
    return NULL;
}

static const char **names(struct observing *observing, size_t count)
{
    const char **list = arena_zalloc(observing->arena, count + 1, sizeof(*list));
    observing->failed = observing->failed || list == NULL;
    return list;
}

static void add_hidden(struct observing *observing, const struct verdict_relation *relation,
                       const struct verdict_statement *opened, struct observed_relation *out)
{
    const struct catalog_guard *guard = guard_of(observing, relation);
    const struct verdict_relation *whole =
        opened == NULL || guard == NULL ? NULL : same_relation(opened, relation);
    const char **hidden = whole == NULL ? NULL : names(observing, whole->column_count);
    if (hidden == NULL)
        return;
    for (size_t i = 0; i < whole->column_count; i++)
        if (whole->columns[i].read && !guard_has(guard, whole->columns[i].name))
            hidden[out->hidden_count++] = whole->columns[i].name;
    out->hidden = hidden;
}

static void fill_relation(struct observing *observing, const struct verdict_relation *relation,
                          const struct verdict_statement *opened, struct observed_relation *out)
{
    const char **shown = names(observing, relation->column_count);
    const char **masked = names(observing, relation->column_count);
    const char **written = names(observing, relation->column_count);
    if (observing->failed)
        return;
    for (size_t i = 0; i < relation->column_count; i++) {
        const struct verdict_column *column = &relation->columns[i];
        if (column->read && column->masked)
            masked[out->masked_count++] = column->name;
        else if (column->read)
            shown[out->shown_count++] = column->name;
        if (column->written)
            written[out->written_count++] = column->name;
    }
    out->schema = relation->schema;
    out->name = relation->name;
    out->shown = shown;
    out->masked = masked;
    out->written = written;
    out->writes = relation->writes;
    out->rule = relation->rule == NULL ? NULL : place_text(observing, &relation->rule->place);
    out->filtered = relation->guard != NULL && relation->relation != NULL &&
                    rule_filters(observing, relation->relation, 0);
    add_hidden(observing, relation, opened, out);
}

static void fill_statements(struct observing *observing)
{
    const struct verdict *verdict = observing->verdict;
    struct observed_statement *statements =
        arena_zalloc(observing->arena, verdict->statement_count + 1, sizeof(*statements));
    observing->failed = statements == NULL;
    for (size_t i = 0; i < verdict->statement_count && !observing->failed; i++) {
        const struct verdict_statement *from = &verdict->statements[i];
        const struct verdict_statement *opened =
            observing->opened == NULL ? NULL : &observing->opened->statements[i];
        struct observed_relation *relations =
            arena_zalloc(observing->arena, from->relation_count + 1, sizeof(*relations));
        observing->failed = relations == NULL;
        for (size_t k = 0; k < from->relation_count && !observing->failed; k++)
            fill_relation(observing, &from->relations[k], opened, &relations[k]);
        statements[i] = (struct observed_statement){relations, from->relation_count};
    }
    observing->out->statements = statements;
    observing->out->statement_count = verdict->statement_count;
}

/* ---- hidden columns ---- */

static bool is_unknown(const struct verdict *verdict, const struct verdict_unknown *unknown)
{
    for (size_t i = 0; i < verdict->unknown_count; i++)
        if (verdict->unknown[i].at == unknown->at &&
            strcmp(verdict->unknown[i].name, unknown->name) == 0)
            return true;
    return false;
}

/* The first name that finds something over open guards alone. */
static const struct verdict_unknown *missed_name(const struct observing *observing)
{
    const struct verdict *verdict = observing->verdict;
    const struct verdict *opened = observing->opened;
    if (opened == NULL || opened->unknown_count >= JUDGE_MAX_UNKNOWN)
        return NULL;
    for (size_t i = 0; i < verdict->unknown_count; i++)
        if (!is_unknown(opened, &verdict->unknown[i]))
            return &verdict->unknown[i];
    return NULL;
}

static bool within(const struct verdict_statement *statement, size_t at)
{
    return at == SIZE_MAX || (at >= statement->start && at < statement->start + statement->len);
}

/* The relation that a missed name is of, or NULL. */
static const struct verdict_relation *relation_of(const struct observing *observing,
                                                  const struct verdict_unknown *unknown)
{
    for (size_t i = 0; i < observing->opened->statement_count; i++) {
        const struct verdict_statement *statement = &observing->opened->statements[i];
        for (size_t k = 0; within(statement, unknown->at) && k < statement->relation_count; k++) {
            const struct verdict_relation *relation = &statement->relations[k];
            const struct catalog_guard *guard = guard_of(observing, relation);
            for (size_t c = 0; guard != NULL && c < relation->column_count; c++)
                if (strcmp(relation->columns[c].name, unknown->name) == 0 &&
                    relation->columns[c].read && !guard_has(guard, unknown->name))
                    return relation;
        }
    }
    return NULL;
}

static const char *hidden_hint(struct observing *observing, const struct verdict_relation *relation,
                               const char *column)
{
    if (relation->rule == NULL || relation->table == NULL)
        return arena_printf(observing->arena,
                            "%s.%s has no rule of its own: it shows what the tables below it show.",
                            relation->schema, relation->name);
    const char *rule = place_text(observing, &relation->rule->place);
    const char *entry = place_text(observing, &relation->table->place);
    const char *category = policy_category_of(relation->table, column);
    if (rule == NULL || entry == NULL)
        return NULL;
    if (category == NULL)
        return arena_printf(observing->arena,
                            "The rule at %s does not show the column \"%s\", which is in no "
                            "category of the entry at %s.",
                            rule, column, entry);
    return arena_printf(observing->arena,
                        "The rule at %s does not show the column \"%s\", of category \"%s\".", rule,
                        column, category);
}

/* The column of the relation that "schema.relation.column" is, or NULL. */
static const char *column_named(struct observing *observing,
                                const struct verdict_relation *relation, const char *name)
{
    const char *front = arena_printf(observing->arena, "%s.%s.", relation->schema, relation->name);
    size_t len = front == NULL ? 0 : strlen(front);
    for (size_t i = 0; front != NULL && i < relation->column_count; i++)
        if (strncmp(name, front, len) == 0 && strcmp(name + len, relation->columns[i].name) == 0)
            return relation->columns[i].name;
    return NULL;
}

static void foretell(struct observing *observing)
{
    const struct verdict_unknown *missed = missed_name(observing);
    if (missed == NULL)
        return;
    const struct verdict_relation *relation = relation_of(observing, missed);
    const char *object = missed->name;
    const char *hint = NULL;
    if (relation != NULL) {
        object = arena_printf(observing->arena, "%s.%s.%s", relation->schema, relation->name,
                              missed->name);
        hint = hidden_hint(observing, relation, missed->name);
    }
    observe_refusal(observing->out, "42703", "column", object, "the policy hides this column",
                    hint);
    observing->out->foretold = true;
    observing->failed = observing->failed || object == NULL;
}

/* ---- the judgement ---- */

static bool may_miss_columns(const struct observing *observing)
{
    const struct verdict *verdict = observing->verdict;
    for (size_t i = 0; i < verdict->statement_count; i++) {
        for (size_t k = 0; k < verdict->statements[i].relation_count; k++) {
            const struct verdict_relation *relation = &verdict->statements[i].relations[k];
            const struct catalog_guard *guard = guard_of(observing, relation);
            if (guard != NULL && guard->column_count < relation->relation->column_count)
                return true;
        }
    }
    return false;
}

/* Left NULL where it is refused too: it wants what only the real guards keep apart, or there is
 * more that is wrong. */
static void judge_opened(struct observing *observing)
{
    struct judge_request request = observing->request;
    struct verdict *opened = NULL;
    request.catalog = observing->observer->opened;
    request.sketch = true;
    if (judge(&request, observing->arena, &opened) == OK)
        observing->opened = opened;
}

/* judge() has refused a hidden column: its hint is for the client, here it is for who can change
 * the policy. */
static void explain_hidden(struct observing *observing)
{
    struct observation *out = observing->out;
    if (strcmp(out->reason, "column") != 0 || strcmp(out->sqlstate, "42703") != 0)
        return;
    judge_opened(observing);
    const struct verdict *opened = observing->opened;
    for (size_t i = 0; opened != NULL && i < opened->statement_count; i++) {
        for (size_t k = 0; k < opened->statements[i].relation_count; k++) {
            const struct verdict_relation *relation = &opened->statements[i].relations[k];
            const char *column = column_named(observing, relation, out->object);
            if (column != NULL)
                out->hint = hidden_hint(observing, relation, column);
        }
    }
}

static void refused(struct observation *out, const struct verdict_refusal *refusal)
{
    observe_refusal(out, refusal->sqlstate == NULL ? "42501" : refusal->sqlstate,
                    refusal->reason == NULL ? "internal" : refusal->reason, refusal->object,
                    refusal->message == NULL ? "statement refused" : refusal->message,
                    refusal->hint);
}

/* What a session does before it has a mission. */
static bool needs_no_mission(const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->statement_count; i++) {
        const struct verdict_statement *one = &verdict->statements[i];
        bool set = one->kind == STATEMENT_SET || one->kind == STATEMENT_RESET;
        bool control = one->kind == STATEMENT_BEGIN || one->kind == STATEMENT_COMMIT ||
                       one->kind == STATEMENT_ROLLBACK || one->kind == STATEMENT_SAVEPOINT ||
                       one->kind == STATEMENT_RELEASE || one->kind == STATEMENT_ROLLBACK_TO;
        bool harmless =
            control || one->kind == STATEMENT_EMPTY || one->kind == STATEMENT_DISCARD ||
            one->kind == STATEMENT_DEALLOCATE ||
            ((set || one->kind == STATEMENT_SHOW) && one->setting_class == SETTING_PGVIGIL) ||
            (one->kind == STATEMENT_SHOW && one->setting_class == SETTING_PATH);
        if (!harmless)
            return false;
    }
    return true;
}

static bool begin(struct observing *observing)
{
    struct judge_request *request = &observing->request;
    struct observation *out = observing->out;
    const struct policy_role *role = &request->policy->roles[request->role];
    if (observing->observer == NULL && !role->unrestricted) {
        observe_refusal(out, "55000", "catalog", "catalog",
                        "the database's catalog is not known, or the policy cannot be used on it",
                        "The administrator finds the reason in pgvigil's log.");
        return false;
    }
    request->catalog = observing->observer == NULL ? NULL : observing->observer->catalog;
    request->unrestricted = false;
    request->wants_unknown = true;
    if (request->mission < 0 && role->mission_count == 0) {
        observe_refusal(out, "42501", "mission", "mission", "the role has no mission",
                        "Give the role a mission.");
        return false;
    }
    if (request->mission < 0)
        request->mission = (int)role->missions[0];
    return true;
}

void observe(const struct observer *observer, const struct judge_request *request,
             struct arena *arena, struct observation *out)
{
    struct observing observing = {
        .observer = observer, .request = *request, .arena = arena, .out = out};
    struct verdict *verdict = NULL;
    *out = (struct observation){.allowed = false};
    if (!begin(&observing))
        return;
    enum status status = judge(&observing.request, arena, &verdict);
    out->verdict = observing.verdict = verdict;
    if (verdict == NULL) {
        no_memory(out);
        return;
    }
    if (status != OK || !verdict->allowed) {
        refused(out, &verdict->refusal);
        explain_hidden(&observing);
        return;
    }
    out->allowed = true;
    out->rewritten = verdict->edit_count > 0;
    if (request->mission < 0 && !needs_no_mission(verdict))
        observe_refusal(out, "42501", "mission", "mission",
                        "no mission is chosen, and the role has none by default",
                        "Give the role a default mission, or SET pgvigil.mission = '...' first.");
    if (!verdict->unrestricted && may_miss_columns(&observing))
        judge_opened(&observing);
    fill_statements(&observing);
    if (out->allowed && !observing.failed)
        foretell(&observing);
    if (observing.failed)
        no_memory(out);
}
