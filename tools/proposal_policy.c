/*
 * proposal_policy.c: findings as a policy file (see proposal.h).
 *
 * Trust boundary: names are the database's owners', and the file is one that decides what is shown:
 * every name stands in quotes, in comments too, so that none can end a comment or a string and add
 * a line of its own.
 */
#include "tools/proposal.h"

#include "tools/audit_cells.h"

#include <pgvigil/text.h>
#include <string.h>

/* The order in which categories stand in an entry: what needs most care first. */
static const enum category order[] = {CATEGORY_IDENTIFIER, CATEGORY_CONTACT, CATEGORY_MEDICAL,
                                      CATEGORY_FREE_TEXT,  CATEGORY_STAFF,   CATEGORY_BILLING,
                                      CATEGORY_LEGAL,      CATEGORY_ADMIN,   CATEGORY_TECHNICAL};
#define ORDER_COUNT (sizeof order / sizeof order[0])

static void put_quoted(const char *text, FILE *out)
{
    struct buf quoted;
    buf_init(&quoted, 0);
    text_quote_config(&quoted, text);
    (void)fwrite(buf_head(&quoted), 1, buf_len(&quoted), out);
    buf_free(&quoted);
}

static void put_table_name(const struct sampled_table *table, FILE *out)
{
    struct buf name;
    buf_init(&name, 0);
    buf_printf(&name, "%s.%s", table->schema, table->name);
    buf_byte(&name, '\0');
    if (!name.failed)
        put_quoted((const char *)buf_head(&name), out);
    buf_free(&name);
}

/* "schema.table" is taken apart at its dot, and * and ? would make a pattern of it. */
static bool writable(const struct sampled_table *table)
{
    bool control = false;
    for (const char *at = table->name; *at != '\0'; at++)
        control = control || (unsigned char)*at < 0x20;
    return !control && strpbrk(table->schema, ".*?") == NULL && strpbrk(table->name, ".*?") == NULL;
}

static bool writable_column(const struct sampled_column *column)
{
    for (const char *at = column->name; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    return true;
}

static enum category category_of(const struct sampled_column *column)
{
    return writable_column(column) ? column->finding.category : CATEGORY_NONE;
}

static size_t count_of(const struct sampled_table *table, enum category category)
{
    size_t count = 0;
    for (size_t i = 0; i < table->column_count; i++)
        count += category_of(&table->columns[i]) == category ? 1 : 0;
    return count;
}

/* A category may not be called like a column of its table: the policy could not tell them apart. */
static bool taken(const struct sampled_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcasecmp(table->columns[i].name, name) == 0)
            return true;
    return false;
}

static void put_category(const struct sampled_table *table, enum category category, bool french,
                         FILE *out)
{
    size_t left = count_of(table, category);
    if (left == 0)
        return;
    (void)fprintf(out, "      %s%s = [\n", category_name(category),
                  taken(table, category_name(category)) ? "_data" : "");
    for (size_t i = 0; i < table->column_count; i++) {
        const struct sampled_column *column = &table->columns[i];
        if (category_of(column) != category)
            continue;
        (void)fputs("        ", out);
        put_quoted(column->name, out);
        (void)fprintf(out, french ? "%s # confiance %s ; " : "%s # confidence %s; ",
                      --left > 0 ? "," : "",
                      findings_confidence(column->finding.confidence, french));
        findings_evidence(column, french, out);
        (void)fputc('\n', out);
    }
    (void)fputs("      ];\n", out);
}

static void put_unclassified(const struct sampled_table *table, bool french, FILE *out)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct sampled_column *column = &table->columns[i];
        if (category_of(column) != CATEGORY_NONE)
            continue;
        (void)fprintf(out, "      # %s ", french ? "à classer :" : "to be classified:");
        put_quoted(column->name, out);
        (void)fputs(" (", out);
        cells_text(column->type, out);
        (void)fputs(french ? ") ; " : "); ", out);
        if (!writable_column(column))
            (void)fputs(
                french ? "un caractère de commande dans le nom, qu’une politique ne peut écrire"
                       : "a control character in its name, which no policy can write",
                out);
        else
            findings_evidence(column, french, out);
        (void)fputc('\n', out);
    }
}

static void put_subject(const struct sampled_table *table, bool french, FILE *out)
{
    if (table->subject == NULL)
        return;
    (void)fputs("    # subject = ", out);
    put_quoted(table->subject, out);
    (void)fputs(";  # ", out);
    if (table->persons)
        (void)fputs(french ? "une ligne est une personne" : "a row is a person", out);
    else if (table->subject_by_name)
        (void)fputs(french ? "par le nom de la colonne : aucune clé étrangère"
                           : "by the column's name: there is no foreign key",
                    out);
    else
        (void)fputs(french ? "par clé étrangère, vers " : "by foreign key, to ", out);
    if (!table->persons && !table->subject_by_name)
        put_quoted(table->subject_of, out);
    (void)fputs(french ? " ; à vérifier\n" : "; to be verified\n", out);
}

static void put_head(const struct sampled_table *table, bool french, FILE *out)
{
    const char *unread = findings_unread(table, french);
    (void)fputs("\n  # ", out);
    put_table_name(table, out);
    (void)fputs(" (", out);
    if (*unread != '\0')
        (void)fputs(unread, out);
    else
        (void)fprintf(out, french ? "lignes lues : %zu" : "rows read: %zu", table->rows);
    if (table->sqlstate[0] != '\0')
        (void)fprintf(out, ", SQLSTATE %s", table->sqlstate);
    (void)fputs(")\n", out);
}

static void put_table(const struct sampled_table *table, bool last, bool french, FILE *out)
{
    put_head(table, french, out);
    (void)fputs("  { name = ", out);
    put_table_name(table, out);
    (void)fputs(";\n", out);
    put_subject(table, french, out);
    (void)fputs("    columns = {\n", out);
    for (size_t i = 0; i < ORDER_COUNT; i++)
        put_category(table, order[i], french, out);
    put_unclassified(table, french, out);
    (void)fprintf(out, "    }; }%s\n", last ? "" : ",");
}

static void put_unwritable(const struct sampled_table *table, bool french, FILE *out)
{
    put_head(table, french, out);
    (void)fputs(french
                    ? "  # Une politique ne peut nommer cette table (point, * ou ? dans son nom) : "
                      "elle reste cachée.\n"
                    : "  # A policy cannot name this table (a dot, * or ? in its name): it stays "
                      "hidden.\n",
                out);
}

static void put_preface(const struct sampling *sampling, bool french, FILE *out)
{
    struct findings_count count = findings_count(sampling);
    (void)fputs(french ? "# Ce que contient la base " : "# What the database ", out);
    put_quoted(sampling->database, out);
    (void)fprintf(
        out,
        french
            ? ", d’après « pgvigil scan ». C’est une proposition : lisez chaque ligne.\n#\n"
              "# %zu tables, %zu colonnes : %zu proposées, %zu à classer. Une colonne sans "
              "catégorie "
              "reste cachée.\n"
              "# « Élevée » : au moins 9 valeurs sur 10, sur 50 ou plus, le disent. « Faible » : "
              "le "
              "nom seul.\n"
            : " holds, as pgvigil scan proposes it. Read every line: a proposal is not a "
              "decision.\n"
              "#\n# %zu tables, %zu columns: %zu proposed, %zu to be classified. A column in no "
              "category stays hidden.\n"
              "# High: at least 9 in 10 of 50 values or more say so. Low: the name alone does.\n",
        sampling->table_count, count.columns, count.proposed, count.columns - count.proposed);
    if (sampling->view_count > 0)
        (void)fprintf(
            out,
            french ? "# Vues, absentes d’ici : %zu. Sans entrée, une vue montre ce que montrent "
                     "ses tables.\n"
                   : "# Views, which are not here: %zu. Without an entry a view shows what its "
                     "tables show.\n",
            sampling->view_count);
    if (count.unread > 0)
        (void)fprintf(
            out,
            french ? "# ATTENTION, tables qui n’ont pas pu être lues : %zu ; pour elles, seuls "
                     "les noms parlent.\n"
                   : "# ATTENTION, tables that could not be read: %zu; of them only names "
                     "speak.\n",
            count.unread);
}

enum status proposal_policy(const struct sampling *sampling, bool french, FILE *out)
{
    const struct sampled_table *last = NULL;
    for (size_t i = 0; i < sampling->table_count; i++)
        if (writable(&sampling->tables[i]))
            last = &sampling->tables[i];
    put_preface(sampling, french, out);
    (void)fputs("\ntables = (", out);
    for (size_t i = 0; i < sampling->table_count; i++) {
        const struct sampled_table *table = &sampling->tables[i];
        if (writable(table))
            put_table(table, table == last, french, out);
        else
            put_unwritable(table, french, out);
    }
    (void)fputs(last == NULL ? " );\n" : "\n);\n", out);
    return OK;
}
