/*
 * proposal.c: findings as text, JSON and CSV (see proposal.h).
 */
#include "tools/proposal.h"

#include "tools/audit_cells.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const grounds[] = {[GROUNDS_NONE] = "none",
                                      [GROUNDS_VALUES] = "values",
                                      [GROUNDS_VALUES_AND_NAME] = "values-and-name",
                                      [GROUNDS_NAME] = "name",
                                      [GROUNDS_NAME_FEW] = "name-few-values",
                                      [GROUNDS_KEY] = "key",
                                      [GROUNDS_CONTAINS] = "contains",
                                      [GROUNDS_CONTRADICTED] = "contradicted"};
static const char *const states[] = {[SAMPLED_NOT] = "not-read",
                                     [SAMPLED_ROWS] = "read",
                                     [SAMPLED_EMPTY] = "empty",
                                     [SAMPLED_REFUSED] = "refused",
                                     [SAMPLED_SLOW] = "slow"};

static const char *kind_name(enum kind kind)
{
    const struct detector *detector = detect_of(kind);
    return detector == NULL ? "" : detector->name;
}

/* ---- text ---- */

static void put_column(const struct sampled_column *column, size_t width, bool french, FILE *out)
{
    const struct finding *finding = &column->finding;
    const char *category = finding->category == CATEGORY_NONE
                               ? french ? "à classer" : "unclassified"
                               : category_name(finding->category);
    /* Both words have as many bytes as characters, but for the accent. */
    int pad = finding->category == CATEGORY_NONE && french ? 13 : 12;
    (void)fputs("  ", out);
    cells_text(column->name, out);
    for (size_t i = cells_width(column->name); i < width; i++)
        (void)fputc(' ', out);
    const char *confidence = findings_confidence(finding->confidence, french);
    (void)fprintf(out, "  %-*s  %s", pad, category, confidence);
    for (size_t i = cells_width(confidence); i < 8; i++)
        (void)fputc(' ', out);
    findings_evidence(column, french, out);
    (void)fputc('\n', out);
}

static enum status print_text(const struct sampling *sampling, bool french, FILE *out)
{
    for (size_t i = 0; i < sampling->table_count; i++) {
        const struct sampled_table *table = &sampling->tables[i];
        const char *unread = findings_unread(table, french);
        size_t width = 0;
        (void)fputs(i == 0 ? "" : "\n", out);
        cells_text(table->schema, out);
        (void)fputc('.', out);
        cells_text(table->name, out);
        if (*unread != '\0')
            (void)fprintf(out, " (%s)", unread);
        (void)fputc('\n', out);
        for (size_t j = 0; j < table->column_count; j++)
            if (cells_width(table->columns[j].name) > width)
                width = cells_width(table->columns[j].name);
        for (size_t j = 0; j < table->column_count; j++)
            put_column(&table->columns[j], width, french, out);
    }
    return OK;
}

/* ---- CSV ---- */

static char *sentence(const struct sampled_column *column, bool french)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory == NULL)
        return NULL;
    findings_evidence(column, french, memory);
    if (fclose(memory) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void put_count(size_t count, FILE *out)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%zu", count);
    cells_csv(text, false, out);
}

static enum status print_row(const struct sampled_table *table, const struct sampled_column *column,
                             bool french, FILE *out)
{
    const struct finding *finding = &column->finding;
    char *evidence = sentence(column, french);
    if (evidence == NULL)
        return ERR_MEMORY;
    cells_csv(table->schema, true, out);
    cells_csv(table->name, false, out);
    cells_csv(column->name, false, out);
    cells_csv(column->type, false, out);
    cells_csv(category_name(finding->category), false, out);
    cells_csv(findings_confidence(finding->confidence, false), false, out);
    cells_csv(grounds[finding->grounds], false, out);
    cells_csv(kind_name(finding->kind), false, out);
    put_count(column->traits.values, out);
    put_count(column->traits.valid[finding->kind], out);
    put_count(column->traits.distinct_valid[finding->kind], out);
    cells_csv(evidence, false, out);
    cells_csv_end(out);
    free(evidence);
    return OK;
}

static enum status print_csv(const struct sampling *sampling, bool french, FILE *out)
{
    static const char *const titles[] = {"schema",   "table",      "column",         "type",
                                         "category", "confidence", "grounds",        "detector",
                                         "values",   "valid",      "distinct_valid", "evidence"};
    enum status status = OK;
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        cells_csv(titles[i], i == 0, out);
    cells_csv_end(out);
    for (size_t i = 0; i < sampling->table_count; i++)
        for (size_t j = 0; j < sampling->tables[i].column_count && status == OK; j++)
            status = print_row(&sampling->tables[i], &sampling->tables[i].columns[j], french, out);
    return status;
}

/* ---- JSON ---- */

static json_t *or_null(const char *text)
{
    return text == NULL || *text == '\0' ? json_null() : json_string(text);
}

static json_t *contains(const struct traits *traits)
{
    static const char *const names[HOLDS_COUNT] = {[HOLDS_NIR] = "nir",
                                                   [HOLDS_PHONE] = "phone",
                                                   [HOLDS_EMAIL] = "email",
                                                   [HOLDS_BIRTH_DATE] = "birth-date",
                                                   [HOLDS_NAME] = "name"};
    json_t *object = json_object();
    for (size_t i = 0; i < HOLDS_COUNT; i++)
        if (traits->holds[i] > 0)
            (void)json_object_set_new(object, names[i], json_integer((json_int_t)traits->holds[i]));
    return object;
}

static json_t *column_json(const struct sampled_column *column, bool french)
{
    const struct finding *finding = &column->finding;
    const struct traits *traits = &column->traits;
    char *evidence = sentence(column, french);
    json_t *words = finding->hit.words == NULL
                        ? json_null()
                        : json_stringn(finding->hit.words, strcspn(finding->hit.words, ","));
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "name", column->name,
        "type", column->type, "category", or_null(category_name(finding->category)), "confidence",
        findings_confidence(finding->confidence, false), "grounds", grounds[finding->grounds],
        "detector", or_null(kind_name(finding->kind)), "values", (json_int_t)traits->values,
        "distinct", (json_int_t)traits->distinct, "valid", (json_int_t)traits->valid[finding->kind],
        "distinct_valid", (json_int_t)traits->distinct_valid[finding->kind], "name_says", words,
        "contains", contains(traits), "evidence", or_null(evidence));
    free(evidence);
    return object;
}

static json_t *table_json(const struct sampled_table *table, bool french)
{
    json_t *columns = json_array();
    for (size_t i = 0; i < table->column_count; i++)
        if (json_array_append_new(columns, column_json(&table->columns[i], french)) != 0)
            return NULL;
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:b, s:o, s:b, s:o}", "schema", table->schema,
                     "name", table->name, "state", states[table->state], "sqlstate",
                     or_null(table->sqlstate), "rows_read", (json_int_t)table->rows, "persons",
                     table->persons ? 1 : 0, "subject", or_null(table->subject), "subject_by_name",
                     table->subject_by_name ? 1 : 0, "columns", columns);
}

static enum status print_json(const struct sampling *sampling, bool french, FILE *out)
{
    json_t *tables = json_array();
    bool made = tables != NULL;
    for (size_t i = 0; i < sampling->table_count && made; i++)
        made = json_array_append_new(tables, table_json(&sampling->tables[i], french)) == 0;
    json_t *root = json_pack("{s:i, s:s, s:I, s:o}", "format", 1, "database", sampling->database,
                             "views", (json_int_t)sampling->view_count, "tables", tables);
    int failed = root == NULL || !made ? 1 : json_dumpf(root, out, JSON_INDENT(1));
    json_decref(root);
    (void)fputc('\n', out);
    return failed == 0 ? OK : ERR_MEMORY;
}

static const struct proposal_format formats[] = {
    {"policy", proposal_policy}, {"text", print_text}, {"json", print_json}, {"csv", print_csv}};

const struct proposal_format *proposal_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}
