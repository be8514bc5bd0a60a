/*
 * catalog_file.c: a struct catalog to a file and back (see catalog_file.h).
 *
 * Trust boundary: the names come from a database, where anyone with CREATE can put one: every text
 * is written as a string with its quotes escaped. A file is read as a policy is: what is not
 * understood is an error with its line.
 */
#include "tools/catalog_file.h"

#include "policy/value.h"

#include <errno.h>
#include <pgvigil/map.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT 1

/* ---- writing ---- */

static void put_strings(struct buf *out, const char *const *names, size_t count)
{
    buf_str(out, "[ ");
    for (size_t i = 0; i < count; i++) {
        buf_str(out, i == 0 ? "" : ", ");
        text_quote_config(out, names[i]);
    }
    buf_str(out, count == 0 ? "]" : " ]");
}

/* ", "word value"", the word alone without a value. */
static void put_word(struct buf *out, const char *word, const char *value)
{
    struct buf text;
    buf_init(&text, 0);
    buf_str(&text, word);
    if (value != NULL)
        buf_printf(&text, " %s", value);
    buf_byte(&text, '\0');
    buf_str(out, ", ");
    if (text.failed)
        out->failed = true;
    else
        text_quote_config(out, (const char *)buf_head(&text));
    buf_free(&text);
}

static void put_column(struct buf *out, const struct catalog_column *column)
{
    buf_str(out, "[ ");
    text_quote_config(out, column->name);
    buf_str(out, ", ");
    text_quote_config(out, column->type);
    if (strcmp(column->type, column->base_type) != 0)
        put_word(out, "over", column->base_type);
    if (column->not_null)
        put_word(out, "not null", NULL);
    if (column->has_default)
        put_word(out, "default", column->default_expression);
    if (column->generated)
        put_word(out, "generated", NULL);
    if (column->identity)
        put_word(out, "identity", NULL);
    if (column->operand)
        put_word(out, "operand", NULL);
    buf_str(out, " ]");
}

static const char *name_of_attnum(const struct catalog_relation *relation, int16_t attnum)
{
    for (size_t i = 0; i < relation->column_count; i++)
        if (relation->columns[i].attnum == attnum)
            return relation->columns[i].name;
    return "";
}

static void put_key(struct buf *out, const struct catalog_relation *relation)
{
    const char *names[32];
    size_t count = 0;
    for (size_t i = 0; i < relation->primary_key_count && count < 32; i++)
        names[count++] = name_of_attnum(relation, relation->primary_key[i]);
    if (count == 0)
        return;
    buf_str(out, " key = ");
    put_strings(out, names, count);
    buf_byte(out, ';');
}

static const char *const constraint_words[] = {[CONSTRAINT_SHARED] = "shared",
                                               [CONSTRAINT_UNIQUE] = "unique",
                                               [CONSTRAINT_EXCLUSION] = "exclusion"};

/* [ name, word, columns ]; an expression's column is "". */
static void put_constraints(struct buf *out, const struct catalog_relation *relation)
{
    if (relation->constraint_count == 0)
        return;
    buf_str(out, "\n    constraints = (");
    for (size_t i = 0; i < relation->constraint_count; i++) {
        const struct catalog_constraint *constraint = &relation->constraints[i];
        const char *names[34] = {constraint->name, constraint_words[constraint->kind]};
        size_t count = 2;
        for (size_t k = 0; k < constraint->column_count && count < 34; k++)
            names[count++] = name_of_attnum(relation, constraint->columns[k]);
        buf_str(out, i == 0 ? "\n      " : ",\n      ");
        put_strings(out, names, count);
    }
    buf_str(out, " );");
}

static bool of_the_system(const struct catalog_relation *relation)
{
    return strcmp(relation->schema, "pg_catalog") == 0 ||
           strcmp(relation->schema, "information_schema") == 0;
}

static void put_columns(struct buf *out, const struct catalog_relation *relation)
{
    buf_str(out, "\n    columns = (");
    for (size_t i = 0; i < relation->column_count; i++) {
        buf_str(out, i == 0 ? "\n      " : ",\n      ");
        put_column(out, &relation->columns[i]);
    }
    buf_str(out, " );");
}

/* Of the system's own catalogs a decision needs the columns' names and no more: a line each, which
 * changes with PostgreSQL's version only. */
static void put_names(struct buf *out, const struct catalog_relation *relation)
{
    buf_str(out, " names = [ ");
    for (size_t i = 0; i < relation->column_count; i++) {
        buf_str(out, i == 0 ? "" : ", ");
        text_quote_config(out, relation->columns[i].name);
    }
    buf_str(out, " ];");
}

static void put_relation(struct buf *out, const struct catalog *catalog,
                         const struct catalog_relation *relation)
{
    buf_str(out, "  { schema = ");
    text_quote_config(out, relation->schema);
    buf_str(out, "; name = ");
    text_quote_config(out, relation->name);
    buf_printf(out, "; kind = \"%c\";", relation->kind);
    if (of_the_system(relation)) {
        put_names(out, relation);
        buf_str(out, " }");
        return;
    }
    buf_str(out, " owner = ");
    text_quote_config(out, relation->owner);
    buf_byte(out, ';');
    put_key(out, relation);
    if (relation->parent >= 0) {
        const struct catalog_relation *parent = &catalog->relations[relation->parent];
        const char *names[2] = {parent->schema, parent->name};
        buf_str(out, " parent = ");
        put_strings(out, names, 2);
        buf_byte(out, ';');
    }
    if (relation->partition)
        buf_str(out, " partition = true;");
    if (relation->has_children)
        buf_str(out, " has_children = true;");
    if (relation->update_trigger)
        buf_str(out, " update_trigger = true;");
    if (relation->function_count > 0)
        buf_printf(out, " functions = %zu;", relation->function_count);
    if (relation->definition != NULL) {
        buf_str(out, "\n    definition = ");
        text_quote_config(out, relation->definition);
        buf_byte(out, ';');
    }
    put_constraints(out, relation);
    put_columns(out, relation);
    buf_str(out, " }");
}

/* "schema.name" of a type: the first dot parts them, and they are joined again when read. */
static void put_type(struct buf *out, const char *type)
{
    char schema[256];
    const char *dot = strchr(type, '.');
    size_t len = dot == NULL ? 0 : (size_t)(dot - type);
    const char *names[2] = {schema, dot == NULL ? type : dot + 1};
    if (len >= sizeof schema) {
        out->failed = true;
        return;
    }
    memcpy(schema, type, len);
    schema[len] = '\0';
    put_strings(out, names, 2);
}

/* [ schema, name ], or with the schema, name and column of its owner. */
static void put_sequence(struct buf *out, const struct catalog *catalog,
                         const struct catalog_sequence *sequence)
{
    const char *parts[5] = {sequence->schema, sequence->name};
    size_t count = 2;
    const struct catalog_relation *owner = catalog_find_oid(catalog, sequence->owner_oid);
    if (owner != NULL) {
        parts[count++] = owner->schema;
        parts[count++] = owner->name;
        parts[count++] = name_of_attnum(owner, sequence->owner_attnum);
    }
    put_strings(out, parts, count);
}

static void put_catalog(struct buf *out, const struct catalog *catalog)
{
    buf_printf(out,
               "# What a database holds: names, types and view definitions, no value of any row.\n"
               "# Written by pgvigil check --save-catalog, for pgvigil test and pgvigil diff.\n\n"
               "format = %d;\ndatabase = ",
               FORMAT);
    text_quote_config(out, catalog->database);
    buf_printf(out, ";\nserver_version = %u;\nschemas = ", catalog->server_version);
    put_strings(out, catalog->schemas, catalog->schema_count);
    buf_str(out, ";\noperators = ");
    put_strings(out, catalog->operators, catalog->operator_count);
    buf_str(out, ";\ntyped_operators = ");
    put_strings(out, catalog->typed_operators, catalog->typed_operator_count);
    buf_str(out, ";\nfunctions = (");
    for (size_t i = 0; i < catalog->function_count; i++) {
        const struct catalog_function *function = &catalog->functions[i];
        const char *parts[5] = {function->schema, function->name};
        size_t count = 2;
        if (function->security_definer)
            parts[count++] = "security definer";
        if (function->is_volatile)
            parts[count++] = "volatile";
        if (function->aggregate)
            parts[count++] = "aggregate";
        buf_str(out, i == 0 ? "\n  " : ",\n  ");
        put_strings(out, parts, count);
    }
    buf_str(out, " );\nsequences = (");
    for (size_t i = 0; i < catalog->sequence_count; i++) {
        buf_str(out, i == 0 ? "\n  " : ",\n  ");
        put_sequence(out, catalog, &catalog->sequences[i]);
    }
    buf_str(out, " );\ntypes = (");
    for (size_t i = 0; i < catalog->type_count; i++) {
        buf_str(out, i == 0 ? "\n  " : ",\n  ");
        put_type(out, catalog->types[i]);
    }
    buf_str(out, " );\nrelations = (");
    for (size_t i = 0; i < catalog->relation_count; i++) {
        buf_str(out, i == 0 ? "\n" : ",\n");
        put_relation(out, catalog, &catalog->relations[i]);
    }
    buf_str(out, " );\n");
}

static bool write_bytes(const char *path, const struct buf *text)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    bool written = fwrite(buf_head(text), 1, buf_len(text), file) == buf_len(text);
    bool closed = fclose(file) == 0;
    return written && closed;
}

enum status catalog_file_write(const struct catalog *catalog, const char *path, struct buf *why)
{
    struct buf text;
    char beside[4096];
    buf_init(&text, 0);
    put_catalog(&text, catalog);
    int len = snprintf(beside, sizeof beside, "%s.new", path);
    enum status status = text.failed ? ERR_MEMORY : OK;
    if (status == OK && (len < 0 || (size_t)len >= sizeof beside)) {
        errno = ENAMETOOLONG;
        status = ERR_IO;
    }
    if (status == OK && (!write_bytes(beside, &text) || rename(beside, path) != 0)) {
        int error = errno;
        (void)unlink(beside);
        errno = error;
        status = ERR_IO;
    }
    buf_free(&text);
    if (status != OK)
        buf_printf(why, "%s cannot be written: %s", path,
                   status == ERR_MEMORY ? "out of memory" : strerror(errno));
    return status;
}

/* ---- reading ---- */

struct raw_constraint {
    const char *parts[34];
    size_t count;
};

struct raw_relation {
    const char *schema;
    const char *name;
    const char *kind;
    const char *owner;
    const char *definition;
    struct raw_names key;
    struct raw_constraint *constraints;
    size_t constraint_count;
    const char *parent[2];
    bool partition;
    bool has_children;
    bool update_trigger;
    uint64_t functions;
    struct catalog_column *columns;
    size_t column_count;
    struct policy_place place;
};

struct raw_sequence {
    const char *parts[5];
    size_t count;
};

struct reading {
    struct catalog_builder *builder;
    struct pile relations; /* struct raw_relation */
    struct raw_sequence *sequences;
    size_t sequence_count;
    const char *database;
    uint64_t format;
    uint64_t server_version;
};

static struct reading *reading_of(const struct value *value)
{
    return value->loader->context;
}

/* [ "a", "b" ], from `least` to `most` strings; false after a report. */
static bool read_strings(const struct value *value, size_t least, size_t most, const char **out,
                         size_t *count)
{
    *count = 0;
    bool array = config_setting_type(value->setting) == CONFIG_TYPE_ARRAY;
    size_t length = array ? (size_t)config_setting_length(value->setting) : 0;
    if (!array || length < least || length > most) {
        load_report(value->loader, value_place(value),
                    "this must be an array of %zu to %zu strings: was the file changed by hand?",
                    least, most);
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        struct value element = *value;
        element.setting = config_setting_get_elem(value->setting, (unsigned)i);
        if (!value_string(&element, &out[i]))
            return false;
    }
    *count = length;
    return true;
}

/* Calls `each` for every element of a list. */
static void read_list(const struct value *value, void (*each)(const struct value *))
{
    int type = config_setting_type(value->setting);
    if (type != CONFIG_TYPE_LIST && config_setting_length(value->setting) > 0) {
        load_report(value->loader, value_place(value), "this must be a list: ( [ ... ], [ ... ] )");
        return;
    }
    for (int i = 0; i < config_setting_length(value->setting); i++) {
        struct value element = *value;
        element.setting = config_setting_get_elem(value->setting, (unsigned)i);
        each(&element);
    }
}

static void relation_schema(const struct value *value)
{
    ((struct raw_relation *)value->entry)->schema = value_text(value);
}

static void relation_name(const struct value *value)
{
    ((struct raw_relation *)value->entry)->name = value_text(value);
}

static void relation_kind(const struct value *value)
{
    struct raw_relation *entry = value->entry;
    entry->kind = value_text(value);
    if (entry->kind != NULL && (strlen(entry->kind) != 1 || !strchr("rpvmf", entry->kind[0])))
        load_report(value->loader, value_place(value),
                    "\"kind\" is one of r, p, v, m and f, as in pg_class.relkind");
}

static void relation_owner(const struct value *value)
{
    ((struct raw_relation *)value->entry)->owner = value_text(value);
}

static void relation_definition(const struct value *value)
{
    ((struct raw_relation *)value->entry)->definition = value_text(value);
}

static void relation_key(const struct value *value)
{
    (void)value_names(value, &((struct raw_relation *)value->entry)->key);
}

static void relation_parent(const struct value *value)
{
    size_t count = 0;
    (void)read_strings(value, 2, 2, ((struct raw_relation *)value->entry)->parent, &count);
}

static void relation_partition(const struct value *value)
{
    (void)value_bool(value, &((struct raw_relation *)value->entry)->partition);
}

static void relation_update_trigger(const struct value *value)
{
    (void)value_bool(value, &((struct raw_relation *)value->entry)->update_trigger);
}

static void relation_functions(const struct value *value)
{
    (void)value_count(value, 0, UINT32_MAX, &((struct raw_relation *)value->entry)->functions);
}

static void relation_has_children(const struct value *value)
{
    (void)value_bool(value, &((struct raw_relation *)value->entry)->has_children);
}

static void column_word(const struct value *value, struct catalog_column *column, const char *word)
{
    bool *flag = NULL;
    if (strncmp(word, "over ", 5) == 0) {
        column->base_type = word + 5;
        return;
    }
    if (strncmp(word, "default ", 8) == 0) {
        column->default_expression = word + 8;
        flag = &column->has_default;
    } else if (strcmp(word, "default") == 0) {
        flag = &column->has_default;
    } else if (strcmp(word, "not null") == 0) {
        flag = &column->not_null;
    } else if (strcmp(word, "generated") == 0) {
        flag = &column->generated;
    } else if (strcmp(word, "identity") == 0) {
        flag = &column->identity;
    } else if (strcmp(word, "operand") == 0) {
        flag = &column->operand;
    }
    if (flag != NULL)
        *flag = true;
    else
        load_report(value->loader, value_place(value), "\"%s\" is nothing that a column is", word);
}

/*
 * A file holds names, and what asks whether a pair sees a column of a type compares OIDs: those of
 * a file are made from the names, above all that a server gives. An array "_x" is made of "x".
 */
static uint32_t name_oid(const char *name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return hash | 0x80000000U;
}

static uint32_t type_oid(const struct value *value, const char *const parts[2])
{
    const char *joined = arena_printf(value->loader->arena, "%s.%s", parts[0], parts[1]);
    return joined == NULL ? 0 : name_oid(joined);
}

/* Of a column's type as format_type writes it: app.nir, app."Nir", app.nir[]. Zero for a builtin.
 */
static uint32_t column_type_oid(const struct value *value, const char *type)
{
    char *name = strchr(type, '.') == NULL ? NULL : arena_strdup(value->loader->arena, type);
    size_t len = 0;
    if (name == NULL)
        return 0;
    for (const char *from = type; *from != '\0' && *from != '['; from++) {
        if (*from == '"' && from[1] == '"')
            name[len++] = *from++;
        else if (*from != '"')
            name[len++] = *from;
    }
    name[len] = '\0';
    return name_oid(name);
}

static void read_column(const struct value *value)
{
    struct raw_relation *entry = value->entry;
    const char *parts[8];
    size_t count = 0;
    if (!read_strings(value, 2, 8, parts, &count))
        return;
    struct catalog_column *column = &entry->columns[entry->column_count++];
    *column = (struct catalog_column){.name = parts[0],
                                      .attnum = (int16_t)entry->column_count,
                                      .type = parts[1],
                                      .type_oid = column_type_oid(value, parts[1]),
                                      .base_type = parts[1]};
    for (size_t i = 2; i < count; i++)
        column_word(value, column, parts[i]);
}

static void relation_columns(const struct value *value)
{
    struct raw_relation *entry = value->entry;
    int length = config_setting_length(value->setting);
    entry->columns = arena_zalloc(value->loader->arena, length < 0 ? 1 : (size_t)length + 1,
                                  sizeof(*entry->columns));
    if (entry->columns == NULL)
        return;
    entry->column_count = 0;
    read_list(value, read_column);
}

static void read_constraint(const struct value *value)
{
    struct raw_relation *entry = value->entry;
    struct raw_constraint *raw = &entry->constraints[entry->constraint_count];
    if (!read_strings(value, 3, 34, raw->parts, &raw->count))
        return;
    for (size_t i = 0; i < sizeof constraint_words / sizeof constraint_words[0]; i++) {
        if (strcmp(raw->parts[1], constraint_words[i]) == 0) {
            entry->constraint_count++;
            return;
        }
    }
    load_report(value->loader, value_place(value), "\"%s\" is nothing that a constraint is",
                raw->parts[1]);
}

static void relation_constraints(const struct value *value)
{
    struct raw_relation *entry = value->entry;
    int length = config_setting_length(value->setting);
    entry->constraints = arena_zalloc(value->loader->arena, length < 0 ? 1 : (size_t)length + 1,
                                      sizeof(*entry->constraints));
    if (entry->constraints == NULL)
        return;
    entry->constraint_count = 0;
    read_list(value, read_constraint);
}

static void relation_names(const struct value *value)
{
    struct raw_relation *entry = value->entry;
    struct raw_names names = {0};
    if (!value_names(value, &names))
        return;
    entry->columns = arena_zalloc(value->loader->arena, names.count + 1, sizeof(*entry->columns));
    for (size_t i = 0; entry->columns != NULL && i < names.count; i++)
        entry->columns[i] = (struct catalog_column){.name = names.items[i].text,
                                                    .attnum = (int16_t)(i + 1),
                                                    .type = "unknown",
                                                    .base_type = "unknown"};
    entry->column_count = entry->columns == NULL ? 0 : names.count;
}

static const struct value_key relation_keys[] = {
    {"schema", "the schema's name", relation_schema},
    {"name", "the relation's name", relation_name},
    {"kind", "as in pg_class.relkind", relation_kind},
    {"owner", NULL, relation_owner},
    {"key", NULL, relation_key},
    {"parent", NULL, relation_parent},
    {"partition", NULL, relation_partition},
    {"has_children", NULL, relation_has_children},
    {"update_trigger", NULL, relation_update_trigger},
    {"functions", NULL, relation_functions},
    {"definition", NULL, relation_definition},
    {"constraints", NULL, relation_constraints},
    {"columns", NULL, relation_columns},
    {"names", NULL, relation_names},
};

static void read_relations(const struct value *value)
{
    value_entries(value, "a relation", KEYS(relation_keys), &reading_of(value)->relations,
                  sizeof(struct raw_relation), offsetof(struct raw_relation, place));
}

static void read_function(const struct value *value)
{
    const char *parts[5];
    size_t count = 0;
    if (!read_strings(value, 2, 5, parts, &count))
        return;
    struct catalog_function function = {.schema = parts[0], .name = parts[1]};
    for (size_t i = 2; i < count; i++) {
        if (strcmp(parts[i], "security definer") == 0)
            function.security_definer = true;
        else if (strcmp(parts[i], "volatile") == 0)
            function.is_volatile = true;
        else if (strcmp(parts[i], "aggregate") == 0)
            function.aggregate = true;
    }
    catalog_add_function(reading_of(value)->builder, &function);
}

static void read_functions(const struct value *value)
{
    read_list(value, read_function);
}

static void read_sequence(const struct value *value)
{
    struct reading *reading = reading_of(value);
    struct raw_sequence *raw = &reading->sequences[reading->sequence_count];
    if (!read_strings(value, 2, 5, raw->parts, &raw->count))
        return;
    if (raw->count == 2 || raw->count == 5)
        reading->sequence_count++;
    else
        load_report(value->loader, value_place(value),
                    "a sequence is its schema and name, and its owner's schema, name and column");
}

static void read_sequences(const struct value *value)
{
    struct reading *reading = reading_of(value);
    int length = config_setting_length(value->setting);
    reading->sequences = arena_zalloc(value->loader->arena, length < 0 ? 1 : (size_t)length + 1,
                                      sizeof(*reading->sequences));
    reading->sequence_count = 0;
    if (reading->sequences != NULL)
        read_list(value, read_sequence);
}

static void read_type(const struct value *value)
{
    const char *parts[2];
    size_t count = 0;
    if (!read_strings(value, 2, 2, parts, &count))
        return;
    const char *element = parts[1] + (parts[1][0] == '_' ? 1 : 0);
    catalog_add_type(reading_of(value)->builder, parts[0], parts[1], type_oid(value, parts),
                     type_oid(value, (const char *[]){parts[0], element}));
}

static void read_types(const struct value *value)
{
    read_list(value, read_type);
}

static void read_names(const struct value *value,
                       void (*add)(struct catalog_builder *, const char *))
{
    struct raw_names names = {0};
    if (!value_names(value, &names))
        return;
    for (size_t i = 0; i < names.count; i++)
        add(reading_of(value)->builder, names.items[i].text);
}

static void read_schemas(const struct value *value)
{
    read_names(value, catalog_add_schema);
}

static void read_operators(const struct value *value)
{
    read_names(value, catalog_add_operator);
}

static void read_typed_operators(const struct value *value)
{
    read_names(value, catalog_add_typed_operator);
}

static void read_format(const struct value *value)
{
    (void)value_count(value, FORMAT, FORMAT, &reading_of(value)->format);
}

static void read_database(const struct value *value)
{
    reading_of(value)->database = value_text(value);
}

static void read_version(const struct value *value)
{
    (void)value_count(value, 90000, 999999, &reading_of(value)->server_version);
}

static const struct value_key top_keys[] = {
    {"format", "1", read_format},
    {"database", "the database's name", read_database},
    {"server_version", "as server_version_num", read_version},
    {"schemas", "the names of its schemas", read_schemas},
    {"operators", "those outside pg_catalog", read_operators},
    {"typed_operators", "those outside pg_catalog", read_typed_operators},
    {"functions", "those outside pg_catalog", read_functions},
    {"sequences", NULL, read_sequences},
    {"types", "those outside pg_catalog", read_types},
    {"relations", "what can be read", read_relations},
};

static void read_document(struct loader *loader, const struct document *document,
                          config_setting_t *root)
{
    struct value value = {.loader = loader, .document = document, .setting = root};
    (void)value_group(&value, "a saved catalog", KEYS(top_keys));
}

static bool column_number(const struct raw_relation *raw, const char *name, int16_t *number)
{
    for (size_t i = 0; i < raw->column_count; i++) {
        if (strcmp(raw->columns[i].name, name) == 0) {
            *number = raw->columns[i].attnum;
            return true;
        }
    }
    return false;
}

static void add_constraint(struct reading *reading, const struct raw_relation *raw,
                           const struct raw_constraint *constraint)
{
    int16_t columns[32] = {0};
    struct catalog_constraint made = {.name = constraint->parts[0], .columns = columns};
    for (size_t i = 0; i < sizeof constraint_words / sizeof constraint_words[0]; i++)
        if (strcmp(constraint->parts[1], constraint_words[i]) == 0)
            made.kind = (enum catalog_constraint_kind)i;
    for (size_t i = 2; i < constraint->count; i++)
        (void)column_number(raw, constraint->parts[i], &columns[made.column_count++]);
    catalog_add_constraint(reading->builder, &made);
}

static void add_relation(struct reading *reading, const struct raw_relation *raw, uint32_t oid)
{
    int16_t key[32];
    struct catalog_relation relation = {.oid = oid,
                                        .row_type_oid = oid + 1,
                                        .schema = raw->schema,
                                        .name = raw->name,
                                        .kind = raw->kind[0],
                                        .columns = raw->columns,
                                        .column_count = raw->column_count,
                                        .primary_key = key,
                                        .partition = raw->partition,
                                        .has_children = raw->has_children,
                                        .update_trigger = raw->update_trigger,
                                        .function_count = (size_t)raw->functions,
                                        .owner = raw->owner == NULL ? "" : raw->owner,
                                        .definition = raw->definition};
    for (size_t i = 0; i < raw->key.count && i < 32; i++)
        if (column_number(raw, raw->key.items[i].text, &key[relation.primary_key_count]))
            relation.primary_key_count++;
    catalog_add_relation(reading->builder, &relation);
    for (size_t i = 0; i < raw->constraint_count; i++)
        add_constraint(reading, raw, &raw->constraints[i]);
}

static uint32_t oid_of(size_t index)
{
    return CATALOG_FILE_OID + 2 * (uint32_t)index;
}

/* A partition whose parent is not in the file has none: it is then closed, unless a rule names it.
 * A sequence without its owner is one that nothing owns. */
static void link_relations(struct reading *reading, struct arena *arena)
{
    const struct raw_relation *all = reading->relations.items;
    struct map *known = map_new();
    for (size_t i = 0; known != NULL && i < reading->relations.count; i++) {
        const char *key = text_qualified(arena, all[i].schema, all[i].name);
        if (key != NULL && map_put_str(known, key, (void *)(uintptr_t)&all[i]) != OK)
            break; /* catalog_finish will not find more memory */
    }
    for (size_t i = 0; known != NULL && i < reading->relations.count; i++) {
        const char *key = all[i].parent[0] == NULL
                              ? NULL
                              : text_qualified(arena, all[i].parent[0], all[i].parent[1]);
        const struct raw_relation *parent = key == NULL ? NULL : map_get_str(known, key);
        if (parent != NULL)
            catalog_set_parent(reading->builder, oid_of(i), oid_of((size_t)(parent - all)));
    }
    for (size_t i = 0; known != NULL && i < reading->sequence_count; i++) {
        const struct raw_sequence *raw = &reading->sequences[i];
        struct catalog_sequence sequence = {.schema = raw->parts[0], .name = raw->parts[1]};
        const char *key =
            raw->count < 5 ? NULL : text_qualified(arena, raw->parts[2], raw->parts[3]);
        const struct raw_relation *owner = key == NULL ? NULL : map_get_str(known, key);
        if (owner != NULL && column_number(owner, raw->parts[4], &sequence.owner_attnum))
            sequence.owner_oid = oid_of((size_t)(owner - all));
        catalog_add_sequence(reading->builder, &sequence);
    }
    map_free(known);
}

enum status catalog_file_read(const char *path, struct catalog **catalog,
                              struct policy_errors *errors)
{
    *catalog = NULL;
    *errors = (struct policy_errors){0};
    struct arena *arena = arena_new(0);
    struct reading reading = {.builder = catalog_builder_new()};
    enum status status = arena == NULL || reading.builder == NULL
                             ? ERR_MEMORY
                             : load_file(path, read_document, &reading, arena, errors);
    const struct raw_relation *all = reading.relations.items;
    for (size_t i = 0; status == OK && i < reading.relations.count; i++)
        add_relation(&reading, &all[i], oid_of(i));
    if (status == OK) {
        link_relations(&reading, arena);
        catalog_set_database(reading.builder, reading.database, (uint32_t)reading.server_version,
                             "");
    }
    struct catalog *made = NULL;
    enum status finished =
        reading.builder == NULL ? ERR_MEMORY : catalog_finish(reading.builder, &made);
    status = status == OK ? finished : status;
    arena_free(arena);
    if (status != OK) {
        catalog_unref(made);
        return status;
    }
    *catalog = made;
    return OK;
}

int catalog_file_open(const struct cli_command *command, const char *path, struct catalog **catalog)
{
    struct policy_errors errors = {0};
    struct buf text;
    enum status status = catalog_file_read(path, catalog, &errors);
    buf_init(&text, (size_t)1 << 20);
    policy_errors_print(&errors, &text);
    policy_errors_free(&errors);
    if (buf_len(&text) > 0)
        (void)fwrite(buf_head(&text), 1, buf_len(&text), stderr);
    buf_free(&text);
    return status == OK ? CLI_FINE
                        : cli_fail(command, CLI_CANNOT, "%s: %s", path, status_name(status));
}
