/*
 * rectification.c: wrong values of a person's rows (rectification.h).
 *
 * Trust boundary: table, key and column are looked up in policy and catalog, and quoted; values are
 * parameters, which PostgreSQL converts. A row is changed only while its `subject` is the person,
 * before and after: a key of another person's row finds none. What is part of a key ties rows
 * together, of other people too: it is the application's to change.
 */
#include "tools/rectification.h"

#include "tools/rectification_effect.h"

#include <openssl/sha.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <string.h>

/* ---- reading ---- */

static int read_one(struct subject *subject, struct rectification *all)
{
    struct rectification_change *one = arena_zalloc(subject->arena, 1, sizeof(*one));
    if (!subject->table || !subject->key_file || !subject->column ||
        (subject->value == NULL) != subject->null)
        return cli_fail(
            subject->command, CLI_USAGE,
            subject->french
                ? "il faut --table, --key, --column et --value (ou --null), ou bien --changes "
                  "FICHIER"
                : "--table, --key, --column and --value (or --null) are needed, or --changes FILE");
    if (!one)
        return cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "mémoire épuisée" : "out of memory");
    *one = (struct rectification_change){.table = subject->table,
                                         .column = subject->column,
                                         .value = subject->value,
                                         .key_values = {subject->key_file},
                                         .key_count = 1};
    *all = (struct rectification){.changes = one, .count = 1};
    return CLI_FINE;
}

/* "text", 37, true as text; NULL for anything else, null among it. */
static const char *scalar(struct arena *arena, const json_t *value)
{
    if (json_is_string(value))
        return strlen(json_string_value(value)) == json_string_length(value)
                   ? arena_strdup(arena, json_string_value(value))
                   : NULL;
    if (json_is_integer(value))
        return arena_printf(arena, "%lld", (long long)json_integer_value(value));
    return json_is_boolean(value) ? (json_is_true(value) ? "true" : "false") : NULL;
}

static bool read_key(struct arena *arena, const json_t *key, struct rectification_change *one)
{
    const char *name = NULL;
    const json_t *value = NULL;
    one->key_values[0] = scalar(arena, key);
    one->key_count = 1;
    if (one->key_values[0])
        return true;
    one->key_count = 0;
    if (json_object_size(key) > RECTIFICATION_KEYS)
        return false;
    void *at = json_object_iter((json_t *)(uintptr_t)key);
    for (; at; at = json_object_iter_next((json_t *)(uintptr_t)key, at)) {
        name = json_object_iter_key(at);
        value = json_object_iter_value(at);
        one->keys[one->key_count] = arena_strdup(arena, name);
        one->key_values[one->key_count] = scalar(arena, value);
        if (!one->keys[one->key_count] || !one->key_values[one->key_count])
            return false;
        one->key_count++;
    }
    return one->key_count > 0;
}

static bool read_change(struct arena *arena, json_t *entry, struct rectification_change *one)
{
    const char *table = NULL;
    const char *column = NULL;
    const json_t *key = NULL;
    const json_t *value = NULL;
    if (json_unpack(entry, "{s:s, s:o, s:s, s:o !}", "table", &table, "key", &key, "column",
                    &column, "value", &value) != 0)
        return false;
    one->table = arena_strdup(arena, table);
    one->column = arena_strdup(arena, column);
    one->value = scalar(arena, value);
    return one->table && one->column && (one->value || json_is_null(value)) &&
           read_key(arena, key, one);
}

static int read_file(struct subject *subject, struct rectification *all)
{
    json_error_t error;
    json_t *list = json_load_file(subject->changes, JSON_REJECT_DUPLICATES, &error);
    if (!list)
        return cli_fail(subject->command, CLI_USAGE, "%s:%d: %s", subject->changes, error.line,
                        error.text);
    size_t count = json_array_size(list);
    int code = CLI_FINE;
    all->changes = arena_zalloc(subject->arena, count + 1, sizeof(*all->changes));
    all->count = count;
    if (!all->changes)
        code = cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "mémoire épuisée" : "out of memory");
    else if (count == 0)
        code = cli_fail(subject->command, CLI_USAGE,
                        subject->french ? "%s:1: ce n’est pas une liste de changements"
                                        : "%s:1: no list of changes",
                        subject->changes);
    for (size_t i = 0; code == CLI_FINE && i < count; i++)
        if (!read_change(subject->arena, json_array_get(list, i), &all->changes[i]))
            code = cli_fail(
                subject->command, CLI_USAGE,
                subject->french
                    ? "%s : le changement %zu n’en est pas un : {\"table\": \"schéma.nom\", "
                      "\"key\": la valeur de la clé primaire, ou {\"colonne\": valeur, ...}, "
                      "\"column\": ..., \"value\": texte, nombre entier, true, false ou null}"
                    : "%s: change %zu is none: {\"table\": \"schema.name\", \"key\": the primary "
                      "key's value, or {\"column\": value, ...}, \"column\": ..., \"value\": text, "
                      "whole number, true, false or null}",
                subject->changes, i + 1);
    json_decref(list);
    return code;
}

int rectification_read(struct subject *subject, struct rectification *all)
{
    bool one = subject->table || subject->column || subject->value || subject->null;
    if (subject->changes && one)
        return cli_fail(
            subject->command, CLI_USAGE,
            subject->french
                ? "--changes contient les changements : sans --table, --column ni --value à côté"
                : "--changes has the changes: no --table, --column, --value beside it");
    return subject->changes ? read_file(subject, all) : read_one(subject, all);
}

/* ---- what it is about ---- */

static const struct catalog_column *column_of(const struct catalog_relation *relation,
                                              const char *name)
{
    for (size_t i = 0; i < relation->column_count; i++)
        if (strcmp(relation->columns[i].name, name) == 0)
            return &relation->columns[i];
    return NULL;
}

static bool is_key(const struct catalog_relation *relation, const struct catalog_column *column)
{
    for (size_t i = 0; i < relation->primary_key_count; i++)
        if (relation->primary_key[i] == column->attnum)
            return true;
    return false;
}

/* A foreign key of this table's, or of another's to it. */
static int in_foreign_key(struct subject *subject, const struct catalog_relation *relation,
                          const struct catalog_column *column, bool *is)
{
    const char *sql = arena_printf(
        subject->arena,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND "
        "((k.conrelid = %u AND %d = ANY (k.conkey)) OR (k.confrelid = %u AND %d = ANY "
        "(k.confkey))))",
        relation->oid, column->attnum, relation->oid, column->attnum);
    PGresult *result = sql ? PQexec(subject->conn, sql) : NULL;
    bool fine = PQresultStatus(result) == PGRES_TUPLES_OK;
    *is = !fine || PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return fine ? CLI_FINE
                : cli_fail(subject->command, CLI_CANNOT,
                           subject->french ? "la connexion est perdue" : "the connection was lost");
}

static int check_column(struct subject *subject, const struct rectification_change *one)
{
    const struct catalog_relation *relation = one->found->relation;
    const struct catalog_column *column = column_of(relation, one->column);
    const struct policy_table *entry =
        policy_table_for(subject->policy, relation->schema, relation->name);
    bool tied = false;
    if (!column)
        return cli_fail(subject->command, CLI_USAGE,
                        subject->french ? "%s n’a pas de colonne « %s »"
                                        : "%s has no column \"%s\"",
                        one->table, one->column);
    if (entry && entry->subject_column && strcmp(entry->subject_column, one->column) == 0)
        return cli_fail(
            subject->command, CLI_USAGE,
            subject->french
                ? "%s.%s dit de qui est la ligne (« subject ») : elle deviendrait celle d’une "
                  "autre personne"
                : "%s.%s says whose the row is (\"subject\"): it would become another person's",
            one->table, one->column);
    if (column->generated || column->identity)
        return cli_fail(subject->command, CLI_USAGE,
                        subject->french
                            ? "%s.%s est calculée par la base : changez ce dont elle est faite"
                            : "%s.%s is made by the database: change what it is made of",
                        one->table, one->column);
    int code = in_foreign_key(subject, relation, column, &tied);
    if (code == CLI_FINE && (tied || is_key(relation, column)))
        code = cli_fail(subject->command, CLI_USAGE,
                        subject->french ? "%s.%s fait partie d’une clé, qui relie des lignes entre "
                                          "elles : c’est à l’application de la changer"
                                        : "%s.%s is part of a key, by which rows belong together: "
                                          "the application changes it",
                        one->table, one->column);
    return code;
}

/* Numbers and uuids say which row it is, and nothing about anybody. */
static bool is_plain(const struct catalog_column *column)
{
    static const char *const types[] = {"int2",     "int4",    "int8",   "uuid",
                                        "smallint", "integer", "bigint", "oid"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(column->base_type, types[i]) == 0)
            return true;
    return false;
}

/* The nth of the primary key; NULL: the catalog has none such. */
static const struct catalog_column *key_column(const struct catalog_relation *relation, size_t n)
{
    for (size_t c = 0; c < relation->column_count; c++)
        if (relation->columns[c].attnum == relation->primary_key[n])
            return &relation->columns[c];
    return NULL;
}

/* Puts the key's values into the order of the primary key. */
static int check_key(struct subject *subject, struct rectification_change *one)
{
    const struct catalog_relation *relation = one->found->relation;
    const char *ordered[RECTIFICATION_KEYS] = {0};
    size_t count = relation->primary_key_count;
    if (count == 0 || count > RECTIFICATION_KEYS)
        return cli_fail(subject->command, CLI_CANNOT,
                        subject->french
                            ? "%s n’a pas de clé primaire de 1 à %u colonnes : ses lignes ne "
                              "peuvent être désignées"
                            : "%s has no primary key of 1 to %u columns: its rows cannot be named",
                        one->table, RECTIFICATION_KEYS);
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        const struct catalog_column *column = key_column(relation, i);
        while (column && k < one->key_count && one->keys[k] &&
               strcmp(one->keys[k], column->name) != 0)
            k++;
        if (!column || one->key_count != count || k == one->key_count)
            return cli_fail(subject->command, CLI_USAGE,
                            subject->french
                                ? "%s : sa clé primaire est (%s) : donnez une valeur pour chaque "
                                  "colonne, dans --changes \"key\": {\"colonne\": valeur, ...}"
                                : "%s: its primary key is (%s): give a value for each, in "
                                  "--changes \"key\": {\"column\": value, ...}",
                            one->table, one->found->key);
        ordered[i] = one->key_values[k];
    }
    memcpy(one->key_values, ordered, sizeof ordered);
    return CLI_FINE;
}

int rectification_resolve(struct subject *subject, struct rectification *all)
{
    int code = CLI_FINE;
    for (size_t i = 0; code == CLI_FINE && i < all->count; i++) {
        struct rectification_change *one = &all->changes[i];
        for (size_t k = 0; k < subject->records.count; k++)
            if (strcmp(subject->records.tables[k].told, one->table) == 0)
                one->found = &subject->records.tables[k];
        if (!one->found)
            return cli_fail(
                subject->command, CLI_USAGE,
                subject->french
                    ? "« %s » n’est pas une table dont les lignes concernent des personnes (« "
                      "subject » de la politique) ; écrivez schéma.nom ; les lignes d’une "
                      "partition se changent par sa table mère"
                    : "\"%s\" is no table whose rows are about persons (policy: its \"subject\"); "
                      "write schema.name; a partition's rows are changed through its parent",
                one->table);
        code = check_key(subject, one);
        if (code == CLI_FINE)
            code = check_column(subject, one);
    }
    return code;
}

/* ---- what the database makes of it ---- */

/* Of what was asked to be written PostgreSQL may say what it likes, but never DETAIL, which prints
 * the whole row. */
static int tell_error(const struct subject *subject, const struct rectification_change *one,
                      const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool value = state && (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0);
    bool again = state && strncmp(state, "40", 2) == 0;
    return cli_fail(subject->command, value ? CLI_USAGE : CLI_CANNOT,
                    subject->french ? "%s.%s : %s (%s) : rien n’est modifié%s"
                                    : "%s.%s: %s (%s): nothing is changed%s",
                    one->table, one->column,
                    primary           ? primary
                    : subject->french ? "la connexion est perdue"
                                      : "the connection was lost",
                    state ? state : "?",
                    !again            ? ""
                    : subject->french ? " ; quelqu’un d’autre y travaillait : relancez la commande"
                                      : "; somebody else was at it: run it again");
}

static int no_row(const struct subject *subject, const struct rectification_change *one)
{
    return cli_fail(subject->command, CLI_FINDINGS,
                    subject->french
                        ? "%s n’a pas de ligne du patient %s sous cette clé : rien n’est modifié"
                        : "%s has no row of patient %s under that key: nothing is changed",
                    one->table, subject->patient);
}

/* "alias"."id" = $2 AND ... AND the row is hers */
static const char *which(struct subject *subject, const struct rectification_change *one,
                         const char *list, size_t first)
{
    const struct catalog_relation *relation = one->found->relation;
    const char *all = arena_printf(subject->arena, "(%s) = ANY (%s)", one->found->subject, list);
    for (size_t i = 0; all && i < relation->primary_key_count; i++)
        for (size_t c = 0; all && c < relation->column_count; c++) {
            if (relation->columns[c].attnum != relation->primary_key[i])
                continue;
            const char *name = text_ident(subject->arena, relation->columns[c].name);
            all = name ? arena_printf(subject->arena, "%s AND %s.%s = $%zu", all, one->found->alias,
                                      name, first + i)
                       : NULL;
        }
    return all;
}

/* "alias"."one"::text, "alias"."other"::text, ...: all of the row. */
static const char *all_columns(struct subject *subject, const struct records_table *table)
{
    const char *all = "";
    for (size_t c = 0; all && c < table->relation->column_count; c++) {
        const char *name = text_ident(subject->arena, table->relation->columns[c].name);
        all = name ? arena_printf(subject->arena, "%s%s%s.%s::pg_catalog.text", all, c ? ", " : "",
                                  table->alias, name)
                   : NULL;
    }
    return all;
}

static int take_row(struct subject *subject, const struct rectification_change *one,
                    const PGresult *result, const char ***row)
{
    size_t count = one->found->relation->column_count;
    const char **values = arena_zalloc(subject->arena, count + 1, sizeof(*values));
    for (size_t c = 0; values && c < count; c++) {
        if (PQgetisnull(result, 0, (int)c))
            continue;
        values[c] = arena_strdup(subject->arena, PQgetvalue(result, 0, (int)c));
        if (!values[c])
            return cli_fail(subject->command, CLI_CANNOT,
                            subject->french ? "mémoire épuisée" : "out of memory");
    }
    *row = values;
    return values ? CLI_FINE
                  : cli_fail(subject->command, CLI_CANNOT,
                             subject->french ? "mémoire épuisée" : "out of memory");
}

/* Locked against others. */
static int read_row(struct subject *subject, const struct rectification_change *one,
                    const char *list, const char ***row)
{
    const char *columns = all_columns(subject, one->found);
    const char *where = which(subject, one, list, 1);
    const char *sql =
        columns && where
            ? arena_printf(subject->arena, "SELECT %s FROM %s WHERE %s FOR UPDATE OF %s", columns,
                           one->found->from, where, one->found->alias)
            : NULL;
    if (!sql)
        return cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "mémoire épuisée" : "out of memory");
    PGresult *result =
        PQexecParams(subject->conn, sql, (int)one->found->relation->primary_key_count, NULL,
                     one->key_values, NULL, NULL, 0);
    int code = PQresultStatus(result) != PGRES_TUPLES_OK ? tell_error(subject, one, result)
               : PQntuples(result) != 1                  ? no_row(subject, one)
                                                         : take_row(subject, one, result, row);
    PQclear(result);
    return code;
}

/* Takes the key as the database writes it, and writes the row down: what was typed may be the same
 * number, and other text. */
static bool name_row(struct subject *subject, struct rectification_change *one)
{
    const struct catalog_relation *relation = one->found->relation;
    one->row = "";
    for (size_t i = 0; one->row && i < relation->primary_key_count; i++) {
        const struct catalog_column *column = key_column(relation, i);
        const char *value = one->stood[column - relation->columns];
        if (!value)
            return false;
        one->key_values[i] = value;
        one->row = arena_printf(subject->arena, "%s%s%s=%s", one->row, i ? ", " : "", column->name,
                                is_plain(column) ? value : "?");
    }
    return one->row != NULL;
}

static int read_before(struct subject *subject, struct rectification_change *one, const char *list)
{
    const struct catalog_relation *relation = one->found->relation;
    int code = read_row(subject, one, list, &one->stood);
    if (code != CLI_FINE)
        return code;
    one->before = one->stood[column_of(relation, one->column) - relation->columns];
    return name_row(subject, one) ? CLI_FINE
                                  : cli_fail(subject->command, CLI_CANNOT,
                                             subject->french ? "mémoire épuisée" : "out of memory");
}

static int write_after(struct subject *subject, struct rectification_change *one, const char *list)
{
    const char *name = text_ident(subject->arena, one->column);
    const char *where = which(subject, one, list, 2);
    const char *sql =
        name && where
            ? arena_printf(subject->arena,
                           "UPDATE %s SET %s = $1 WHERE %s RETURNING ((%s) = ANY (%s)) IS TRUE",
                           one->found->from, name, where, one->found->subject, list)
            : NULL;
    const char *values[RECTIFICATION_KEYS + 1] = {one->value};
    if (!sql)
        return cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "mémoire épuisée" : "out of memory");
    memcpy(values + 1, one->key_values, sizeof one->key_values);
    PGresult *result =
        PQexecParams(subject->conn, sql, 1 + (int)one->found->relation->primary_key_count, NULL,
                     values, NULL, NULL, 0);
    int code = CLI_FINE;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        code = tell_error(subject, one, result);
    else if (PQntuples(result) != 1)
        code = cli_fail(subject->command, CLI_CANNOT,
                        subject->french
                            ? "%s : un déclencheur garde la ligne telle quelle : rien n’est modifié"
                            : "%s: a trigger keeps the row as it is: nothing is changed",
                        one->table);
    else if (PQgetvalue(result, 0, 0)[0] != 't')
        code = cli_fail(
            subject->command, CLI_USAGE,
            subject->french
                ? "%s.%s : la ligne serait alors celle d’une autre personne : rien n’est modifié"
                : "%s.%s: the row would be another person's then: nothing is changed",
            one->table, one->column);
    PQclear(result);
    return code;
}

/* Did anybody ask for this column of this row? */
static bool is_asked(const struct rectification *all, const struct rectification_change *one,
                     const char *column)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->changes[i].found == one->found && strcmp(all->changes[i].column, column) == 0 &&
            strcmp(all->changes[i].row, one->row) == 0)
            return true;
    return false;
}

/* What stands there at last, when every trigger has had its turn: generated columns, and what a
 * trigger has made of others, or of this one once more. */
static int read_after(struct subject *subject, const struct rectification *all,
                      struct rectification_change *one, const char *list)
{
    const struct catalog_relation *relation = one->found->relation;
    const char **stands = NULL;
    int code = read_row(subject, one, list, &stands);
    if (code != CLI_FINE)
        return code;
    one->after = stands[column_of(relation, one->column) - relation->columns];
    one->others = "";
    for (size_t c = 0; one->others && c < relation->column_count; c++)
        if (!text_same(one->stood[c], stands[c]) && !is_asked(all, one, relation->columns[c].name))
            one->others = arena_printf(subject->arena, "%s%s%s", one->others,
                                       *one->others ? ", " : "", relation->columns[c].name);
    return one->others ? CLI_FINE
                       : cli_fail(subject->command, CLI_CANNOT,
                                  subject->french ? "mémoire épuisée" : "out of memory");
}

/* Now, and not with the commit: what they do and say is part of what is shown, and the trail tells
 * of nothing that they refuse. */
static int ask_constraints(struct subject *subject, const struct rectification *all)
{
    PGresult *result = PQexec(subject->conn, "SET CONSTRAINTS ALL IMMEDIATE");
    int code = PQresultStatus(result) == PGRES_COMMAND_OK
                   ? CLI_FINE
                   : tell_error(subject, &all->changes[all->count - 1], result);
    PQclear(result);
    return code;
}

/* Over all that is shown, each with its length, so that no two showings are one text. */
static bool make_seen(const struct subject *subject, struct rectification *all)
{
    struct buf text;
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 1];
    buf_init(&text, 0);
    for (size_t i = 0; i < all->count; i++) {
        const struct rectification_change *one = &all->changes[i];
        const char *const parts[] = {subject->database->name,
                                     subject->patient,
                                     one->table,
                                     one->column,
                                     one->before,
                                     one->after,
                                     one->others};
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            buf_printf(&text, "%d:%s\n", parts[k] ? (int)strlen(parts[k]) : -1,
                       parts[k] ? parts[k] : "");
        for (size_t k = 0; k < one->found->relation->primary_key_count; k++)
            buf_printf(&text, "%zu:%s\n", strlen(one->key_values[k]), one->key_values[k]);
    }
    bool fine = !text.failed && SHA256(buf_head(&text), buf_len(&text), hash) != NULL;
    if (fine) {
        text_hex(hash, sizeof hash, hex);
        (void)snprintf(all->seen, sizeof all->seen, "%.16s", hex);
    }
    buf_free(&text);
    return fine;
}

int rectification_make(struct subject *subject, struct rectification *all)
{
    struct rectification_effect effect = {0};
    const char *list = records_list(&subject->patient, 1, subject->arena);
    int code = list ? rectification_effect_before(subject, all, list, &effect)
                    : cli_fail(subject->command, CLI_CANNOT,
                               subject->french ? "mémoire épuisée" : "out of memory");
    for (size_t i = 0; code == CLI_FINE && i < all->count; i++) {
        code = read_before(subject, &all->changes[i], list);
        if (code == CLI_FINE)
            code = write_after(subject, &all->changes[i], list);
    }
    if (code == CLI_FINE)
        code = ask_constraints(subject, all);
    if (code == CLI_FINE)
        code = rectification_effect_after(subject, &effect);
    for (size_t i = 0; code == CLI_FINE && i < all->count; i++)
        code = read_after(subject, all, &all->changes[i], list);
    if (code == CLI_FINE && !make_seen(subject, all))
        code = cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "mémoire épuisée" : "out of memory");
    return code;
}
