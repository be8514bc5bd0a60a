/*
 * unseen.c: what is about persons and is not looked at (unseen.h).
 *
 * Trust boundary: as records.c; names of relations, and nothing of what they hold.
 */
#include "tools/unseen.h"

#include <pgvigil/guard.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *word; /* for JSON */
    const char *fr, *en;
    const char *fr_advice, *en_advice;
} kinds[] = {
    [UNSEEN_MISSING] = {"missing", "table absente de cette base", "no such table in this database",
                        "la politique la nomme : corrigez-en le nom, ou cherchez la base où elle "
                        "se trouve",
                        "the policy names it: mend the name, or look in the database where it is"},
    [UNSEEN_MATERIALIZED] =
        {"materialized-view", "vue matérialisée", "materialized view",
         "elle garde ce qu’elle a lu : lancez ensuite REFRESH MATERIALIZED VIEW",
         "it keeps what it has read: run REFRESH MATERIALIZED VIEW afterwards"},
    [UNSEEN_FOREIGN] = {"foreign-table", "table étrangère", "foreign table",
                        "ses lignes sont dans une autre base : c’est là qu’il faut agir",
                        "its rows stand in another database, and go there or nowhere"},
    [UNSEEN_VIEW] = {"view", "vue", "view",
                     "elle ne contient rien elle-même : ses lignes sont celles des tables qu’elle "
                     "lit",
                     "it holds nothing itself: its rows are those of the tables that it reads"},
};

/* Of a partition the rows are found through what it is a partition of. */
static bool has_looked(const struct policy *policy, const struct catalog *catalog,
                       const struct catalog_relation *relation)
{
    if (relation->kind == 'r' || relation->kind == 'p')
        return true;
    for (size_t step = 0;
         relation->partition && relation->parent >= 0 && step < catalog->relation_count; step++) {
        relation = &catalog->relations[relation->parent];
        const struct policy_table *table = guard_table(policy, catalog, relation);
        if (table != NULL && table->subject != NULL)
            return true;
    }
    return false;
}

static bool is_excepted(const struct policy *policy, const struct policy_table *table)
{
    const struct policy_retention *retention = policy->retention;
    for (size_t i = 0; retention != NULL && i < retention->excepted_count; i++)
        if (&policy->tables[retention->excepted[i]] == table)
            return true;
    return false;
}

static bool is_there(const struct catalog *catalog, const struct policy_table *table)
{
    for (size_t i = 0; i < catalog->relation_count; i++)
        if (strcmp(catalog->relations[i].schema, table->schema) == 0 &&
            strcmp(catalog->relations[i].name, table->name) == 0)
            return true;
    return false;
}

static enum unseen_kind kind_of(const struct catalog_relation *relation)
{
    if (relation->kind == 'm')
        return UNSEEN_MATERIALIZED;
    return relation->kind == 'f' ? UNSEEN_FOREIGN : UNSEEN_VIEW;
}

enum status unseen_find(const struct policy *policy, const struct catalog *catalog, bool all,
                        struct arena *arena, struct unseen **list, size_t *count)
{
    *count = 0;
    *list = arena_zalloc(arena, catalog->relation_count + policy->table_count + 1, sizeof(**list));
    if (*list == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < catalog->relation_count; i++) {
        const struct catalog_relation *relation = &catalog->relations[i];
        const struct policy_table *table = guard_table(policy, catalog, relation);
        if (table != NULL && table->subject != NULL && (all || !is_excepted(policy, table)) &&
            !has_looked(policy, catalog, relation))
            (*list)[(*count)++] = (struct unseen){
                arena_printf(arena, "%s.%s", relation->schema, relation->name), kind_of(relation)};
    }
    for (size_t i = 0; i < policy->table_count; i++) {
        const struct policy_table *table = &policy->tables[i];
        if (!table->pattern && table->subject != NULL && (all || !is_excepted(policy, table)) &&
            !is_there(catalog, table))
            (*list)[(*count)++] = (struct unseen){
                arena_printf(arena, "%s.%s", table->schema, table->name), UNSEEN_MISSING};
    }
    return arena_failed(arena) ? ERR_MEMORY : OK;
}

bool unseen_holds(const struct unseen *one)
{
    return one->kind != UNSEEN_VIEW;
}

void unseen_print(const struct unseen *list, size_t count, bool french)
{
    if (count > 0)
        puts(french ? "  non examiné :" : "  not looked at:");
    for (size_t i = 0; i < count; i++)
        printf(french ? "    %s (%s) ; %s\n" : "    %s (%s); %s\n", list[i].told,
               french ? kinds[list[i].kind].fr : kinds[list[i].kind].en,
               french ? kinds[list[i].kind].fr_advice : kinds[list[i].kind].en_advice);
}

const char *unseen_names(const struct unseen *list, size_t count, bool french, struct arena *arena)
{
    const char *all = "";
    for (size_t i = 0; all != NULL && i < count; i++)
        if (unseen_holds(&list[i]))
            all = arena_printf(arena, "%s%s%s (%s)", all, *all != '\0' ? ", " : "", list[i].told,
                               french ? kinds[list[i].kind].fr : kinds[list[i].kind].en);
    return all;
}

json_t *unseen_json(const struct unseen *list, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(
            all, json_pack("{s:s, s:s}", "table", list[i].told, "is", kinds[list[i].kind].word));
    return all;
}
