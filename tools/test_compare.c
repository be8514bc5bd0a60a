/*
 * test_compare.c: is the decision what the test says? (see policy_test.h)
 *
 * What came is told by names only: of relations, columns and rules, never by a value of a row.
 */
#include "tools/policy_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names that are told sorted, each once. */
struct names {
    const char **items;
    size_t count;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_names(struct buf *out, struct names *names)
{
    if (names->count > 0)
        qsort((void *)names->items, names->count, sizeof(*names->items), by_text);
    size_t told = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0 && strcmp(names->items[i], names->items[i - 1]) == 0)
            continue;
        buf_printf(out, "%s%s", told++ == 0 ? "" : ", ", names->items[i]);
    }
    if (told == 0)
        buf_str(out, "none");
}

static size_t column_total(const struct verdict *verdict)
{
    size_t total = 1;
    for (size_t i = 0; verdict != NULL && i < verdict->statement_count; i++)
        for (size_t k = 0; k < verdict->statements[i].relation_count; k++)
            total += verdict->statements[i].relations[k].column_count + 1;
    return total;
}

/* "nir", "patients.nir" or "public.patients.nir". */
static bool is_column(const char *said, const struct verdict_relation *relation, const char *column)
{
    char name[256];
    if (strcmp(said, column) == 0)
        return true;
    if ((size_t)snprintf(name, sizeof name, "%s.%s", relation->name, column) < sizeof name &&
        strcmp(said, name) == 0)
        return true;
    return (size_t)snprintf(name, sizeof name, "%s.%s.%s", relation->schema, relation->name,
                            column) < sizeof name &&
           strcmp(said, name) == 0;
}

static bool is_said(const struct raw_names *said, const struct verdict_relation *relation,
                    const char *column)
{
    for (size_t i = 0; i < said->count; i++)
        if (is_column(said->items[i].text, relation, column))
            return true;
    return false;
}

/* Calls for each column that the statement names. */
typedef void each_column(void *context, const struct verdict_relation *relation,
                         const struct verdict_column *column);

static void for_columns(const struct verdict *verdict, each_column *each, void *context)
{
    for (size_t i = 0; i < verdict->statement_count; i++) {
        const struct verdict_statement *statement = &verdict->statements[i];
        for (size_t k = 0; k < statement->relation_count; k++)
            for (size_t c = 0; c < statement->relations[k].column_count; c++)
                each(context, &statement->relations[k], &statement->relations[k].columns[c]);
    }
}

enum way { WAY_SHOWN, WAY_MASKED, WAY_WRITTEN };

struct columns {
    const struct raw_names *said;
    struct arena *arena;
    enum way way;
    bool qualified; /* more than one relation: tell which */
    bool wrong;
    bool *met; /* of each that was said */
    struct names came;
};

static bool goes(const struct verdict_column *column, enum way way)
{
    if (way == WAY_WRITTEN)
        return column->written;
    return column->read && column->masked == (way == WAY_MASKED);
}

static void collect(void *context, const struct verdict_relation *relation,
                    const struct verdict_column *column)
{
    struct columns *columns = context;
    if (!goes(column, columns->way))
        return;
    columns->wrong = columns->wrong || !is_said(columns->said, relation, column->name);
    for (size_t i = 0; i < columns->said->count; i++)
        columns->met[i] =
            columns->met[i] || is_column(columns->said->items[i].text, relation, column->name);
    const char *name = columns->qualified
                           ? arena_printf(columns->arena, "%s.%s", relation->name, column->name)
                           : column->name;
    columns->came.items[columns->came.count++] = name == NULL ? column->name : name;
}

static void put_said(struct buf *wrong, const struct raw_names *said, struct arena *arena)
{
    struct names names = {.items = arena_zalloc(arena, said->count + 1, sizeof(char *))};
    for (size_t i = 0; names.items != NULL && i < said->count; i++)
        names.items[names.count++] = said->items[i].text;
    put_names(wrong, &names);
}

static size_t relation_total(const struct verdict *verdict)
{
    size_t total = 0;
    for (size_t i = 0; i < verdict->statement_count; i++)
        total += verdict->statements[i].relation_count;
    return total;
}

static void compare_columns(const struct test_bench *bench, const struct verdict *verdict,
                            const struct raw_names *said, enum way way, struct buf *wrong)
{
    static const char *const words[] = {"shown", "masked", "written"};
    struct columns columns = {.said = said, .arena = bench->arena, .way = way};
    if (said->place.file == NULL)
        return;
    columns.qualified = relation_total(verdict) > 1;
    columns.met = arena_zalloc(bench->arena, said->count + 1, sizeof(*columns.met));
    columns.came.items = arena_zalloc(bench->arena, column_total(verdict), sizeof(char *));
    if (columns.met == NULL || columns.came.items == NULL) {
        buf_str(wrong, "out of memory\n");
        return;
    }
    for_columns(verdict, collect, &columns);
    for (size_t i = 0; i < said->count; i++)
        columns.wrong = columns.wrong || !columns.met[i];
    if (!columns.wrong)
        return;
    buf_printf(wrong, "columns %s: expected ", words[way]);
    put_said(wrong, said, bench->arena);
    buf_str(wrong, "; came ");
    put_names(wrong, &columns.came);
    buf_byte(wrong, '\n');
}

static void compare_relations(const struct test_bench *bench, const struct verdict *verdict,
                              const struct raw_names *said, struct buf *wrong)
{
    struct names came = {.items =
                             arena_zalloc(bench->arena, column_total(verdict), sizeof(char *))};
    if (said->place.file == NULL || came.items == NULL)
        return;
    bool differs = false;
    for (size_t i = 0; i < verdict->statement_count; i++) {
        for (size_t k = 0; k < verdict->statements[i].relation_count; k++) {
            const struct verdict_relation *relation = &verdict->statements[i].relations[k];
            const char *name =
                arena_printf(bench->arena, "%s.%s", relation->schema, relation->name);
            bool known = false;
            for (size_t s = 0; name != NULL && s < said->count; s++)
                known = known || strcmp(said->items[s].text, name) == 0;
            differs = differs || !known;
            came.items[came.count++] = name == NULL ? "" : name;
        }
    }
    for (size_t s = 0; s < said->count; s++) {
        bool met = false;
        for (size_t i = 0; i < came.count; i++)
            met = met || strcmp(said->items[s].text, came.items[i]) == 0;
        differs = differs || !met;
    }
    if (!differs)
        return;
    buf_str(wrong, "relations: expected ");
    put_said(wrong, said, bench->arena);
    buf_str(wrong, "; came ");
    put_names(wrong, &came);
    buf_byte(wrong, '\n');
}

static bool guard_has(const struct catalog_guard *guard, const char *column)
{
    for (size_t i = 0; guard != NULL && i < guard->column_count; i++)
        if (strcmp(guard->columns[i], column) == 0)
            return true;
    return guard == NULL; /* not guarded: all of it is there */
}

/* How many of the relation's columns go by that name; those that exist for the pair are told. */
static size_t hidden_of(const struct test_bench *bench, const struct verdict *verdict,
                        const struct verdict_relation *relation, const char *said,
                        struct buf *wrong)
{
    size_t met = 0;
    const struct catalog_relation *base = relation->relation;
    const struct catalog_guard *guard =
        base == NULL || verdict->pair == NULL
            ? NULL
            : catalog_guard_for(bench->catalog, verdict->pair, base->oid, GUARD_PLAIN);
    for (size_t i = 0; base != NULL && i < base->column_count; i++) {
        if (!is_column(said, relation, base->columns[i].name))
            continue;
        met++;
        if (guard_has(guard, base->columns[i].name))
            buf_printf(wrong, "column %s: expected hidden; %s.%s has it\n", said, relation->schema,
                       relation->name);
    }
    return met;
}

/* Every relation of the statement that has a column of that name counts, and one must. */
static void compare_hidden(const struct test_bench *bench, const struct verdict *verdict,
                           const char *said, struct buf *wrong)
{
    size_t met = 0;
    for (size_t i = 0; i < verdict->statement_count; i++)
        for (size_t k = 0; k < verdict->statements[i].relation_count; k++)
            met += hidden_of(bench, verdict, &verdict->statements[i].relations[k], said, wrong);
    if (met == 0)
        buf_printf(wrong,
                   "column %s: expected hidden; no relation of the statement has it at all\n",
                   said);
}

static void put_refusal(struct buf *out, const char *reason, const char *object,
                        const char *sqlstate)
{
    buf_printf(out, "refused (%s", reason == NULL ? "for no reason" : reason);
    if (object != NULL)
        buf_printf(out, " %s", object);
    if (sqlstate != NULL)
        buf_printf(out, ", %s", sqlstate);
    buf_byte(out, ')');
}

static void put_came(const struct test_outcome *outcome, struct buf *out)
{
    if (outcome->allowed) {
        buf_str(out, "allowed");
        return;
    }
    put_refusal(out, outcome->reason, outcome->object, outcome->sqlstate);
    if (outcome->message != NULL)
        buf_printf(out, ": %s", outcome->message);
}

static bool same(const char *said, const char *came)
{
    return said == NULL || (came != NULL && strcmp(said, came) == 0);
}

static bool refused_as_said(const struct test_case *test, const struct test_outcome *outcome,
                            bool rows)
{
    const struct test_refused *refused = &test->refused;
    /* PostgreSQL's own answer is not known without it: that it is let through to it is all there is
     * to see. */
    if (strcmp(refused->reason, "database") == 0 && !rows)
        return outcome->allowed;
    return !outcome->allowed && same(refused->reason, outcome->reason) &&
           same(refused->object, outcome->object) && same(refused->sqlstate, outcome->sqlstate);
}

static void put_rules(const struct test_outcome *outcome, struct buf *out)
{
    const struct verdict *verdict = outcome->verdict;
    for (size_t i = 0; verdict != NULL && i < verdict->statement_count; i++)
        for (size_t k = 0; k < verdict->statements[i].relation_count; k++) {
            const struct verdict_relation *relation = &verdict->statements[i].relations[k];
            if (relation->rule != NULL)
                buf_printf(out, "rule of %s.%s: %s:%u\n", relation->schema, relation->name,
                           relation->rule->place.file, relation->rule->place.line);
        }
}

static void compare_gives(const struct test_bench *bench, const struct test_case *test,
                          const struct test_outcome *outcome, struct buf *wrong)
{
    const struct test_gives *gives = &test->gives;
    const struct verdict *verdict = outcome->verdict;
    if (!outcome->allowed || verdict == NULL) {
        buf_str(wrong, "expected allowed; came ");
        put_came(outcome, wrong);
        buf_byte(wrong, '\n');
        return;
    }
    compare_relations(bench, verdict, &gives->relations, wrong);
    compare_columns(bench, verdict, &gives->shown, WAY_SHOWN, wrong);
    compare_columns(bench, verdict, &gives->masked, WAY_MASKED, wrong);
    compare_columns(bench, verdict, &gives->written, WAY_WRITTEN, wrong);
    for (size_t i = 0; i < gives->hidden.count; i++)
        compare_hidden(bench, verdict, gives->hidden.items[i].text, wrong);
}

void test_compare(const struct test_bench *bench, const struct test_case *test,
                  const struct test_outcome *outcome, bool rows, struct buf *wrong)
{
    size_t before = buf_len(wrong);
    if (test->has_gives) {
        compare_gives(bench, test, outcome, wrong);
    } else if (!refused_as_said(test, outcome, rows)) {
        buf_str(wrong, "expected ");
        put_refusal(wrong, test->refused.reason, test->refused.object, test->refused.sqlstate);
        buf_str(wrong, "; came ");
        put_came(outcome, wrong);
        buf_byte(wrong, '\n');
    }
    if (buf_len(wrong) > before || wrong->failed)
        put_rules(outcome, wrong);
}
