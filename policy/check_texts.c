/*
 * check_texts.c: `categories`: from raw entries to the policy's list, and by name.
 */
#include "load.h"
#include "private.h"

#include <pgvigil/text.h>

#include <string.h>

static bool has_category(const struct policy_table *table, const char *name)
{
    for (size_t i = 0; i < table->category_count; i++)
        if (strcmp(table->categories[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < table->columns_like_count; i++)
        if (table->columns_like[i].category != NULL &&
            strcmp(table->columns_like[i].category, name) == 0)
            return true;
    return false;
}

/* A title for a category that no table has would stand in no document, and nobody would notice. */
static void check_used(struct loader *loader, const struct policy_category_text *text)
{
    const struct policy *policy = loader->policy;
    for (size_t i = 0; i < policy->table_count; i++)
        if (has_category(&policy->tables[i], text->name))
            return;
    load_report(loader, text->place,
                "no table has a category \"%s\": write it as \"columns\" of the tables do, or "
                "leave the entry out",
                text->name);
}

void check_categories(struct loader *loader)
{
    struct map *seen = map_new();
    struct policy_category_text *texts = loader->categories.items;
    struct policy_category_text *kept =
        arena_alloc(loader->arena, (loader->categories.count + 1) * sizeof(*kept));
    size_t count = 0;
    for (size_t i = 0; seen != NULL && kept != NULL && i < loader->categories.count; i++) {
        if (texts[i].name == NULL ||
            check_duplicate(loader, "category", texts[i].name, texts[i].place, seen))
            continue;
        check_used(loader, &texts[i]);
        kept[count++] = texts[i];
    }
    loader->policy->category_texts = kept;
    loader->policy->category_text_count = count;
    map_free(seen);
}

const struct policy_category_text *policy_category_text(const struct policy *policy,
                                                        const char *name)
{
    for (size_t i = 0; i < policy->category_text_count; i++)
        if (strcmp(policy->category_texts[i].name, name) == 0)
            return &policy->category_texts[i];
    return NULL;
}
