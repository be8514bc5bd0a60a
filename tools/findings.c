/*
 * findings.c: all columns of a database, and whose rows its tables hold (see findings.h).
 */
#include "tools/findings.h"

#include <pgvigil/text.h>
#include <string.h>

/* ---- categories ---- */

static void classify_table(struct sampled_table *table, bool medical)
{
    for (size_t i = 0; i < table->column_count; i++) {
        struct sampled_column *column = &table->columns[i];
        struct subject_matter matter = {.table = table->name,
                                        .name = column->name,
                                        .class = column->class,
                                        .key = column->primary || column->foreign,
                                        .traits = &column->traits,
                                        .about = table->about,
                                        .linked = table->subject != NULL,
                                        .medical = medical};
        column->finding = classify(&matter);
    }
}

/* Codes of diseases, drugs or results: what stands beside them is about them. */
static bool is_medical(const struct sampled_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct finding *finding = &table->columns[i].finding;
        if (finding->category == CATEGORY_MEDICAL && finding->confidence == CONFIDENCE_HIGH)
            return true;
    }
    return false;
}

/* Schemas are named by what is in them as well (clin.episode), but hold lists of codes and types,
 * too: only tables whose rows are somebody's. */
static enum table_about about(const struct sampled_table *table)
{
    enum table_about by_name = vocabulary_table(table->name);
    bool medical = table->subject != NULL && by_name == ABOUT_NOTHING &&
                   vocabulary_table(table->schema) == ABOUT_MEDICAL;
    return medical ? ABOUT_MEDICAL : by_name;
}

static void classify_tables(struct sampling *sampling)
{
    for (size_t i = 0; i < sampling->table_count; i++) {
        struct sampled_table *table = &sampling->tables[i];
        table->about = about(table);
        classify_table(table, false);
        if (is_medical(table))
            classify_table(table, true);
    }
}

/* ---- whose rows ---- */

static bool says_who(enum kind kind)
{
    return kind == KIND_NIR || kind == KIND_INS || kind == KIND_BIRTH_DATE ||
           kind == KIND_GIVEN_NAME || kind == KIND_FAMILY_NAME || kind == KIND_FULL_NAME;
}

static bool holds_persons(const struct sampled_table *table)
{
    size_t who = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct finding *finding = &table->columns[i].finding;
        bool said = finding->category == CATEGORY_IDENTIFIER &&
                    (says_who(finding->kind) || says_who(finding->hit.kind));
        who += said ? 1 : 0;
    }
    return table->about == ABOUT_PATIENT || (table->about == ABOUT_PERSON && who >= 2) || who >= 3;
}

/* The one column of the primary key, or NULL. */
static const struct sampled_column *primary_of(const struct sampled_table *table)
{
    const struct sampled_column *only = NULL;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].primary)
            continue;
        if (only != NULL)
            return NULL;
        only = &table->columns[i];
    }
    return only;
}

/* As people write it, where SQL lets them; "user" and "order" are words of SQL. */
static void put_name(struct buf *sql, const char *name)
{
    static const char *const reserved[] = {"all",   "analyse", "check", "column", "default",
                                           "end",   "for",     "from",  "group",  "limit",
                                           "order", "primary", "table", "to",     "user",
                                           "when",  "where",   "grant", "desc",   "references"};
    bool plain = name[strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789")] == '\0' &&
                 strchr("0123456789", name[0]) == NULL;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        plain = plain && strcmp(name, reserved[i]) != 0;
    if (plain)
        buf_str(sql, name);
    else
        text_quote_ident(sql, name);
}

static const char *qualified(struct arena *arena, const char *table, const char *column)
{
    struct buf sql;
    buf_init(&sql, 0);
    put_name(&sql, table);
    buf_byte(&sql, '.');
    put_name(&sql, column);
    return text_take(&sql, arena);
}

static bool points_to_person(const struct sampling *sampling, const struct sampled_column *column,
                             const struct sampled_table **person)
{
    *person = column->refers_to == 0 ? NULL : sample_find(sampling, column->refers_to);
    if (*person == NULL || !(*person)->persons)
        return false;
    const struct sampled_column *primary = primary_of(*person);
    return primary != NULL && primary->attnum == column->refers_attnum;
}

static const char *full_name(const struct sampling *sampling, const struct sampled_table *table)
{
    return arena_printf(sampling->arena, "%s.%s", table->schema, table->name);
}

/* patient_id, id_patient: there is no foreign key in the databases that need one most. */
static bool named_after_patient(const struct sampled_column *column)
{
    struct tokens tokens;
    bool patient = false;
    bool number = false;
    vocabulary_split(column->name, &tokens);
    for (size_t i = 0; i < tokens.count; i++) {
        patient = patient || vocabulary_table(tokens.word[i]) == ABOUT_PATIENT;
        number = number || strcmp(tokens.word[i], "id") == 0 || strcmp(tokens.word[i], "fk") == 0;
    }
    return patient && number && tokens.count == 2;
}

static void find_direct(const struct sampling *sampling, struct sampled_table *table)
{
    const struct sampled_table *person = NULL;
    const struct sampled_table *best = NULL;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct sampled_column *column = &table->columns[i];
        if (!points_to_person(sampling, column, &person) || person == table)
            continue;
        /* A stay points to its patient and to whoever is to be told: the patient's is the first. */
        if (best != NULL && (best->about == ABOUT_PATIENT || person->about != ABOUT_PATIENT))
            continue;
        best = person;
        table->subject = qualified(sampling->arena, table->name, column->name);
        table->subject_of = full_name(sampling, person);
    }
    for (size_t i = 0; i < table->column_count && best == NULL; i++) {
        if (table->columns[i].foreign || !named_after_patient(&table->columns[i]))
            continue;
        table->subject = qualified(sampling->arena, table->name, table->columns[i].name);
        table->subject_by_name = true;
        return;
    }
}

/* Through one table between: a result's stay, a stay's patient. */
static void find_indirect(const struct sampling *sampling, struct sampled_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct sampled_column *column = &table->columns[i];
        const struct sampled_table *between =
            column->refers_to == 0 ? NULL : sample_find(sampling, column->refers_to);
        const struct sampled_column *primary = between == NULL ? NULL : primary_of(between);
        if (primary == NULL || primary->attnum != column->refers_attnum || between->persons ||
            between->subject == NULL || between->subject_by_name || between == table ||
            between->subject[0] == '(')
            continue;
        struct buf sql;
        buf_init(&sql, 0);
        buf_printf(&sql, "(SELECT %s FROM ", between->subject);
        put_name(&sql, between->schema);
        buf_byte(&sql, '.');
        put_name(&sql, between->name);
        buf_printf(&sql, " WHERE %s = ", qualified(sampling->arena, between->name, primary->name));
        buf_printf(&sql, "%s)", qualified(sampling->arena, table->name, column->name));
        table->subject = text_take(&sql, sampling->arena);
        table->subject_of = between->subject_of;
        return;
    }
}

static void find_subjects(struct sampling *sampling)
{
    for (size_t i = 0; i < sampling->table_count; i++)
        sampling->tables[i].persons = sampling->tables[i].about != ABOUT_THING &&
                                      sampling->tables[i].about != ABOUT_PROFESSIONAL &&
                                      primary_of(&sampling->tables[i]) != NULL &&
                                      holds_persons(&sampling->tables[i]);
    for (size_t i = 0; i < sampling->table_count; i++) {
        struct sampled_table *table = &sampling->tables[i];
        if (table->persons) {
            table->subject = qualified(sampling->arena, table->name, primary_of(table)->name);
            table->subject_of = full_name(sampling, table);
        } else {
            find_direct(sampling, table);
        }
    }
    for (size_t i = 0; i < sampling->table_count; i++)
        if (sampling->tables[i].subject == NULL)
            find_indirect(sampling, &sampling->tables[i]);
}

enum status findings_make(struct sampling *sampling)
{
    /* Who the persons are comes from their columns; what a column of another table is, from
     * whether its rows are a person's. */
    classify_tables(sampling);
    find_subjects(sampling);
    classify_tables(sampling);
    return arena_failed(sampling->arena) ? ERR_MEMORY : OK;
}

struct findings_count findings_count(const struct sampling *sampling)
{
    struct findings_count count = {0, 0, 0};
    for (size_t i = 0; i < sampling->table_count; i++) {
        const struct sampled_table *table = &sampling->tables[i];
        count.columns += table->column_count;
        count.unread += table->state == SAMPLED_REFUSED || table->state == SAMPLED_SLOW ? 1 : 0;
        for (size_t j = 0; j < table->column_count; j++)
            count.proposed += table->columns[j].finding.category != CATEGORY_NONE ? 1 : 0;
    }
    return count;
}
