/*
 * proposal_check.c: `pgvigil scan --check`: a policy against what the live database holds.
 *
 * A column that is in no category is hidden, which breaks nothing but says that nobody has looked.
 * One whose values are identifiers or medical, and whose category is meant for less, is shown to
 * people who should not see it. Categories are the policy's own words: only those that mean less
 * beyond doubt are held against it, and only findings of high confidence.
 */
#include "tools/proposal.h"

#include "tools/audit_cells.h"

#include <pgvigil/catalog.h>
#include <pgvigil/guard.h>
#include <string.h>

/* What these words, ours and the usual French ones, promise less than. */
static bool means_less(const char *category, enum category found)
{
    static const char *const words[] = {"admin",         "technical", "administrative",
                                        "administratif", "technique", "billing",
                                        "facturation",   "public",    "contact"};
    if (found != CATEGORY_IDENTIFIER && found != CATEGORY_MEDICAL)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(category, words[i]) == 0)
            return true;
    return false;
}

static void put_place(const struct sampling *sampling, const struct policy_table *entry,
                      const struct sampled_table *table, const struct sampled_column *column,
                      bool french, FILE *out)
{
    if (entry != NULL && entry->place.file != NULL)
        (void)fprintf(out, "%s:%u: ", entry->place.file, entry->place.line);
    else
        (void)fprintf(out, french ? "base %s : " : "database %s: ", sampling->database);
    cells_text(table->schema, out);
    (void)fputc('.', out);
    cells_text(table->name, out);
    (void)fputc('.', out);
    cells_text(column->name, out);
    (void)fputs(": ", out);
}

/* medical = [ "x" ]; with the category that is proposed, or a word to be replaced. */
static void put_assignment(const struct sampled_column *column, bool french, FILE *out)
{
    const char *category = category_name(column->finding.category);
    (void)fprintf(out, "%s = [ \"",
                  *category != '\0' ? category
                  : french          ? "CATÉGORIE"
                                    : "CATEGORY");
    cells_text(column->name, out);
    (void)fputs("\" ];", out);
}

/* Why that one, and the end of the line. */
static void put_reason(const struct sampled_column *column, bool french, FILE *out)
{
    if (column->finding.category != CATEGORY_NONE) {
        (void)fprintf(out, french ? " (confiance %s ; " : " (confidence %s; ",
                      findings_confidence(column->finding.confidence, french));
        findings_evidence(column, french, out);
        (void)fputc(')', out);
    }
    (void)fputc('\n', out);
}

static void say_unclassified(const struct policy_table *entry, const struct sampled_table *table,
                             const struct sampled_column *column, bool french, FILE *out)
{
    if (entry == NULL) {
        (void)fputs(french ? "cette table n’est dans aucun fichier ; y écrire { name = \""
                           : "its table is in no file; write { name = \"",
                    out);
        cells_text(table->schema, out);
        (void)fputc('.', out);
        cells_text(table->name, out);
        (void)fputs("\"; columns = { ", out);
        put_assignment(column, french, out);
        (void)fputs(french ? " }; } dans tables" : " }; } into tables", out);
        put_reason(column, french, out);
        return;
    }
    (void)fputs(french ? "dans aucune catégorie ; écrire ici, sous columns : "
                       : "in no category; write here, in columns: ",
                out);
    put_assignment(column, french, out);
    put_reason(column, french, out);
}

static void say_weaker(const char *category, const struct sampled_column *column, bool french,
                       FILE *out)
{
    (void)fprintf(out,
                  french
                      ? "classée « %s », mais ses valeurs disent plus ; écrire ici, sous columns : "
                      : "classified \"%s\", but its values say more; write here, in columns: ",
                  category);
    put_assignment(column, french, out);
    put_reason(column, french, out);
}

static bool check_column(const struct sampling *sampling, const struct policy_table *entry,
                         const struct sampled_table *table, const struct sampled_column *column,
                         bool french, FILE *out)
{
    const struct finding *finding = &column->finding;
    const char *category = entry == NULL ? NULL : policy_category_of(entry, column->name);
    bool weaker = category != NULL && finding->confidence == CONFIDENCE_HIGH &&
                  means_less(category, finding->category);
    if (category != NULL && !weaker)
        return false;
    put_place(sampling, entry, table, column, french, out);
    if (weaker)
        say_weaker(category, column, french, out);
    else
        say_unclassified(entry, table, column, french, out);
    return true;
}

enum status proposal_check(const struct sampling *sampling, const struct policy *policy,
                           const struct catalog *catalog, bool french, FILE *out, size_t *found)
{
    *found = 0;
    for (size_t i = 0; i < sampling->table_count; i++) {
        const struct sampled_table *table = &sampling->tables[i];
        const struct catalog_relation *relation = catalog_find(catalog, table->schema, table->name);
        /* Made since the catalog was read: the next run tells. */
        if (relation == NULL)
            continue;
        const struct policy_table *entry = guard_table(policy, catalog, relation);
        for (size_t j = 0; j < table->column_count; j++)
            *found += check_column(sampling, entry, table, &table->columns[j], french, out) ? 1 : 0;
    }
    return ferror(out) != 0 ? ERR_IO : OK;
}
