/*
 * minimise_use.c: what each pair of role and mission used, from the trail (see minimise.h).
 *
 * A record names the columns that a statement reads, wherever they stand in it, and those that it
 * writes; not how. So what a statement of the plain kinds did is told by its kind, if none of its
 * words could mean more: FOR UPDATE needs a right to update and the key, ON CONFLICT reads and may
 * update, a WITH may write. Where there is doubt, everything of its relations counts as used.
 *
 * Trust boundary: the trail, whose chain was verified before.
 */
#include "tools/minimise.h"

#include "policy/guard_tree.h"
#include "policy/lexer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Each is some 100 bytes, twice. */
#define PERSON_PATIENTS_MAX 3000000U
#define KEY_MAX             4096U /* two names of MINIMISE_NAME bytes, and PostgreSQL's */
#define RAN_MAX             2000U /* statements of one pair that are kept */
#define PARSED_MAX          ((size_t)64 << 20) /* bytes of texts whose places are known */
#define PARSED_MORE         64U                /* that the map has for each */

/* 0: names that nothing in a database can have. */
static size_t make_key(char out[KEY_MAX], const char *role, const char *mission, const char *schema,
                       const char *name, enum use_how how, const char *column)
{
    int len = snprintf(out, KEY_MAX, "%s\x1f%s\x1f%s\x1f%s\x1f%c\x1f%s", role, mission, schema,
                       name, (char)how, column);
    return len < 0 || len >= (int)KEY_MAX ? 0 : (size_t)len;
}

bool minimise_used(const struct minimise *minimise, const char *role, const char *mission,
                   const char *schema, const char *name, enum use_how how, const char *column)
{
    char key[KEY_MAX];
    size_t len = make_key(key, role, mission, schema, name, USE_ALL, "");
    if (len == 0 || map_get(minimise->used, key, len) != NULL)
        return true;
    len = make_key(key, role, mission, schema, name, how, column);
    return len == 0 || map_get(minimise->used, key, len) != NULL;
}

static enum status use(struct minimise *minimise, struct pair_use *pair, const char *schema,
                       const char *name, enum use_how how, const char *column)
{
    char key[KEY_MAX];
    size_t len = make_key(key, pair->role, pair->mission, schema, name, how, column);
    return len == 0 ? OK : map_put(minimise->used, key, len, minimise);
}

/* The relation is in the list once. */
static enum status touch(struct minimise *minimise, struct pair_use *pair, const char *schema,
                         const char *name)
{
    if (minimise_used(minimise, pair->role, pair->mission, schema, name, USE_TOUCH, ""))
        return OK;
    struct use_relation *relations =
        arena_grow(minimise->arena, minimise->relations, minimise->relation_count,
                   &minimise->relation_cap, sizeof(*relations));
    if (relations == NULL)
        return ERR_MEMORY;
    minimise->relations = relations;
    struct use_relation *relation = &relations[minimise->relation_count++];
    *relation = (struct use_relation){.pair = pair,
                                      .schema = arena_strdup(minimise->arena, schema),
                                      .name = arena_strdup(minimise->arena, name)};
    if (relation->schema == NULL || relation->name == NULL)
        return ERR_MEMORY;
    return use(minimise, pair, schema, name, USE_TOUCH, "");
}

static enum status freeze(struct minimise *minimise, struct pair_use *pair, const char *schema,
                          const char *name, const char *why)
{
    enum status status = touch(minimise, pair, schema, name);
    if (status != OK ||
        minimise_used(minimise, pair->role, pair->mission, schema, name, USE_ALL, ""))
        return status;
    struct use_frozen *frozen =
        arena_grow(minimise->arena, minimise->frozen, minimise->frozen_count, &minimise->frozen_cap,
                   sizeof(*frozen));
    if (frozen == NULL)
        return ERR_MEMORY;
    minimise->frozen = frozen;
    frozen[minimise->frozen_count++] =
        (struct use_frozen){.pair = pair,
                            .relation = arena_printf(minimise->arena, "%s.%s", schema, name),
                            .why = arena_strdup(minimise->arena, why)};
    return use(minimise, pair, schema, name, USE_ALL, "");
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static struct pair_use *pair_of(struct minimise *minimise, const char *role, const char *mission)
{
    char key[KEY_MAX];
    int len = snprintf(key, sizeof key, "%s\x1f%s", role, mission);
    if (len < 0 || len >= (int)sizeof key)
        return NULL;
    struct pair_use *pair = map_get(minimise->pairs_used, key, (size_t)len);
    if (pair != NULL)
        return pair;
    pair = arena_zalloc(minimise->arena, 1, sizeof(*pair));
    if (pair == NULL)
        return NULL;
    pair->role = arena_strdup(minimise->arena, role);
    pair->mission = arena_strdup(minimise->arena, mission);
    pair->patients = map_new();
    if (pair->role == NULL || pair->mission == NULL || pair->patients == NULL ||
        map_put(minimise->pairs_used, key, (size_t)len, pair) != OK) {
        map_free(pair->patients);
        return NULL;
    }
    return pair;
}

/* ---- the words of a statement ---- */

struct words {
    unsigned insert, update, delete_rows, merge, share, conflict, truncate;
};

static void count_words(const char *sql, struct words *words)
{
    const struct {
        const char *word;
        unsigned *count;
    } list[] = {{"insert", &words->insert},      {"update", &words->update},
                {"delete", &words->delete_rows}, {"merge", &words->merge},
                {"share", &words->share},        {"conflict", &words->conflict},
                {"truncate", &words->truncate}};
    size_t at = 0;
    for (size_t start = 0;; start = at) {
        enum lexeme lexeme = lexer_next(sql, &at);
        if (lexeme == LEXEME_END)
            return;
        for (size_t i = 0; lexeme == LEXEME_WORD && i < sizeof(list) / sizeof(list[0]); i++)
            if (strlen(list[i].word) == at - start &&
                strncasecmp(sql + start, list[i].word, at - start) == 0)
                ++*list[i].count;
    }
}

/* Sees what takes columns by their places, or by whatever names two sides share. */
static bool visit_places(const ProtobufCMessage *message, void *context)
{
    bool *found = context;
    const PgQuery__Alias *alias = NULL;
    if (guard_tree_is(message, &pg_query__range_var__descriptor)) {
        alias = ((const PgQuery__RangeVar *)message)->alias;
    } else if (guard_tree_is(message, &pg_query__join_expr__descriptor)) {
        alias = ((const PgQuery__JoinExpr *)message)->alias;
        *found = *found || ((const PgQuery__JoinExpr *)message)->is_natural;
    }
    *found = *found || (alias != NULL && alias->n_colnames > 0);
    return !*found;
}

/* patients x(a, b): b is the second column that is shown, and another one when the first is cut.
 * NATURAL JOIN: without a column that both sides have, other rows meet. Nothing fails then, and the
 * answer is another. A text that does not parse without its constants counts as such. */
static enum status look_for_places(const char *sql, bool *found)
{
    struct arena *arena = arena_new(0);
    PgQuery__ParseResult *tree = NULL;
    const char *why = NULL;
    if (arena == NULL)
        return ERR_MEMORY;
    *found = false;
    enum status status = guard_tree_parse(sql, arena, &tree, &why);
    if (status == OK)
        status = guard_tree_walk(&tree->base, visit_places, found);
    arena_free(arena);
    if (status == ERR_MEMORY)
        return status;
    *found = *found || status != OK;
    return OK;
}

/* An application sends a few texts again and again, and parsing one costs more than all else that
 * is done with a record. What is kept is bounded: a trail may have any number of them. */
static enum status by_place(struct minimise *minimise, const char *sql, bool *found)
{
    static char no, yes;
    size_t len = strlen(sql);
    const char *known = map_get(minimise->parsed, sql, len);
    if (known != NULL) {
        *found = known == &yes;
        return OK;
    }
    enum status status = look_for_places(sql, found);
    if (status != OK || minimise->parsed_bytes + len > PARSED_MAX)
        return status;
    minimise->parsed_bytes += len + PARSED_MORE;
    return map_put(minimise->parsed, sql, len, *found ? &yes : &no);
}

/* What a statement of a plain kind does with what it writes; USE_ALL: it may do more than its kind
 * says. */
static enum use_how plain(const char *kind, const char *sql)
{
    struct words words = {0};
    if (sql == NULL)
        return USE_ALL;
    count_words(sql, &words);
    unsigned locks = words.share + words.conflict + words.merge + words.truncate;
    if (strcmp(kind, "INSERT") == 0)
        return locks + words.update + words.delete_rows == 0 && words.insert == 1 ? USE_INSERT
                                                                                  : USE_ALL;
    if (strcmp(kind, "UPDATE") == 0)
        return locks + words.insert + words.delete_rows == 0 && words.update == 1 ? USE_UPDATE
                                                                                  : USE_ALL;
    if (strcmp(kind, "DELETE") == 0)
        return locks + words.insert + words.update == 0 && words.delete_rows == 1 ? USE_DELETE
                                                                                  : USE_ALL;
    /* A FETCH names what its cursor reads; whether that locks stands in the cursor's own record. */
    if (strcmp(kind, "COPY") == 0 || strcmp(kind, "SELECT") == 0 ||
        strcmp(kind, "DECLARE CURSOR") == 0 || strcmp(kind, "FETCH") == 0 ||
        strcmp(kind, "MOVE") == 0)
        return locks + words.insert + words.update + words.delete_rows == 0
                   ? (*kind == 'C' ? USE_INSERT : USE_READ)
                   : USE_ALL;
    return USE_ALL;
}

/* ---- records ---- */

static bool is_catalog(const char *schema)
{
    return strcmp(schema, "pg_catalog") == 0 || strcmp(schema, "information_schema") == 0 ||
           strncmp(schema, "pg_temp", 7) == 0;
}

static enum status add_columns(struct minimise *minimise, struct pair_use *pair,
                               const json_t *relation, const char *key, enum use_how how)
{
    const json_t *list = json_object_get(relation, key);
    const char *schema = text_of(relation, "schema");
    const char *name = text_of(relation, "name");
    enum status status = OK;
    for (size_t i = 0; i < json_array_size(list) && status == OK; i++) {
        const char *column = json_string_value(json_array_get(list, i));
        if (column != NULL)
            status = use(minimise, pair, schema, name, how, column);
    }
    return status;
}

static enum status add_relation(struct minimise *minimise, struct pair_use *pair,
                                const json_t *relation, enum use_how how, const char *kind)
{
    const char *schema = text_of(relation, "schema");
    const char *name = text_of(relation, "name");
    if (schema == NULL || name == NULL || is_catalog(schema))
        return OK;
    if (how == USE_ALL)
        return freeze(minimise, pair, schema, name, kind);
    enum status status = touch(minimise, pair, schema, name);
    if (status == OK)
        status = add_columns(minimise, pair, relation, "shown", USE_READ);
    if (status == OK)
        status = add_columns(minimise, pair, relation, "masked", USE_READ);
    if (status != OK || json_object_get(relation, "written") == NULL)
        return status;
    if (how == USE_READ) /* of a kind that writes nothing */
        return freeze(minimise, pair, schema, name, kind);
    return how == USE_DELETE ? use(minimise, pair, schema, name, USE_DELETE, "")
                             : add_columns(minimise, pair, relation, "written", how);
}

static enum status add_patients(struct map *patients, bool *inexact, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "patients");
    enum status status = OK;
    if (text_of(answer, "subjects") != NULL || json_object_get(answer, "patients_left_out") != NULL)
        *inexact = true;
    for (size_t i = 0; i < json_array_size(list) && status == OK; i++) {
        const json_t *element = json_array_get(list, i);
        if (json_is_string(element)) {
            status = map_put_str(patients, json_string_value(element), patients);
            continue;
        }
        json_int_t first = json_integer_value(json_array_get(element, 0));
        json_int_t last = json_integer_value(json_array_get(element, 1));
        for (json_int_t one = first; one <= last && status == OK;) {
            char text[24];
            (void)snprintf(text, sizeof text, "%lld", (long long)one);
            status = map_put_str(patients, text, patients);
            if (map_count(patients) > 1000000) { /* enough to be said */
                *inexact = true;
                return status;
            }
            if (one == last) /* it may be the greatest that there is */
                break;
            one++;
        }
    }
    return status;
}

/* NULL: no memory. */
static struct person_use *person_of(struct minimise *minimise, const struct pair_use *pair,
                                    const char *person)
{
    char key[3 * MINIMISE_NAME + 3];
    (void)snprintf(key, sizeof key, "%s\x1f%s\x1f%s", pair->role, pair->mission, person);
    struct person_use *found = map_get_str(minimise->people_used, key);
    if (found != NULL)
        return found;
    struct person_use **people =
        arena_grow(minimise->arena, minimise->people, minimise->person_count, &minimise->person_cap,
                   sizeof(struct person_use *));
    found = arena_zalloc(minimise->arena, 1, sizeof(*found));
    if (people == NULL || found == NULL)
        return NULL;
    minimise->people = people;
    found->pair = pair;
    found->person = arena_strdup(minimise->arena, person);
    if (found->person == NULL || map_put_str(minimise->people_used, key, found) != OK)
        return NULL;
    people[minimise->person_count++] = found;
    return found;
}

/* NULL: no memory. */
static struct map *table_of(struct minimise *minimise, struct person_use *person,
                            const char *relation)
{
    for (size_t i = 0; i < person->table_count; i++)
        if (strcmp(person->tables[i].relation, relation) == 0)
            return person->tables[i].patients;
    struct person_table *tables = arena_grow(minimise->arena, person->tables, person->table_count,
                                             &person->table_cap, sizeof(*tables));
    const char *name = arena_strdup(minimise->arena, relation);
    if (tables == NULL || name == NULL)
        return NULL;
    person->tables = tables;
    struct map *patients = map_new();
    if (patients != NULL)
        tables[person->table_count++] =
            (struct person_table){.relation = name, .patients = patients};
    return patients;
}

void minimise_relation(char out[MINIMISE_RELATION], const char *schema, const char *name)
{
    (void)snprintf(out, MINIMISE_RELATION, "%.200s\x1f%.200s", schema, name);
}

/* Of one relation. Lists of many people over many tables are long: from some size on nothing is
 * said of whom comes next. */
static enum status add_table(struct minimise *minimise, struct person_use *person,
                             const json_t *relation, const json_t *answer)
{
    char name[MINIMISE_RELATION];
    const char *schema = text_of(relation, "schema");
    const char *table = text_of(relation, "name");
    if (schema == NULL || table == NULL || is_catalog(schema))
        return OK;
    minimise_relation(name, schema, table);
    struct map *patients = table_of(minimise, person, name);
    if (patients == NULL)
        return ERR_MEMORY;
    if (minimise->person_patients > PERSON_PATIENTS_MAX) {
        person->inexact = true;
        return OK;
    }
    size_t before = map_count(patients);
    enum status status = add_patients(patients, &person->inexact, answer);
    minimise->person_patients += map_count(patients) - before;
    return status;
}

/* Of another database's patients the numbers say nothing. */
static enum status add_person(struct minimise *minimise, const struct pair_use *pair,
                              const json_t *answer)
{
    const char *name = text_of(answer, "person");
    const char *database = text_of(answer, "database");
    if (minimise->database == NULL || name == NULL || strlen(name) > MINIMISE_NAME)
        return OK;
    struct person_use *person = person_of(minimise, pair, name);
    if (person == NULL)
        return ERR_MEMORY;
    if (database == NULL || strcmp(database, minimise->database) != 0) {
        person->elsewhere = true;
        return OK;
    }
    const json_t *relations = json_object_get(answer, "relations");
    enum status status = OK;
    for (size_t i = 0; i < json_array_size(relations) && status == OK; i++)
        status = add_table(minimise, person, json_array_get(relations, i), answer);
    return status;
}

/* A text of each form, so that it can be asked whether it would still run. */
static enum status remember(struct minimise *minimise, struct pair_use *pair, const char *sql)
{
    char key[KEY_MAX];
    int len = snprintf(key, sizeof key, "%s\x1f%s\x1f%s", pair->role, pair->mission, sql);
    if (len < 0 || len >= (int)sizeof key || pair->ran_count == RAN_MAX) {
        pair->ran_more = true;
        return OK;
    }
    if (map_get(minimise->told, key, (size_t)len) != NULL)
        return OK;
    struct use_statement *ran =
        arena_grow(minimise->arena, pair->ran, pair->ran_count, &pair->ran_cap, sizeof(*ran));
    if (ran == NULL)
        return ERR_MEMORY;
    pair->ran = ran;
    ran[pair->ran_count].sql = arena_strdup(minimise->arena, sql);
    if (ran[pair->ran_count++].sql == NULL)
        return ERR_MEMORY;
    return map_put(minimise->told, key, (size_t)len, pair);
}

static enum status add_statement(struct minimise *minimise, struct pair_use *pair,
                                 const json_t *answer)
{
    const char *decision = text_of(answer, "decision");
    const char *kind = text_of(answer, "statement");
    const char *sql = text_of(answer, "sql");
    const json_t *relations = json_object_get(answer, "relations");
    /* A refused statement took nothing; one whose beginning is not there says nothing, and a trail
     * that lacks it does not verify. */
    if (decision == NULL || kind == NULL || strcmp(decision, "allow") != 0)
        return OK;
    pair->statements++;
    pair->rows += (uint64_t)json_integer_value(json_object_get(answer, "rows"));
    bool observed = json_object_get(answer, "observed") != NULL;
    bool whole = sql != NULL && json_object_get(answer, "sql_bytes") == NULL && !observed;
    enum use_how how = whole ? plain(kind, sql) : USE_ALL;
    bool placed = false;
    enum status status = add_patients(pair->patients, &pair->inexact, answer);
    if (status == OK)
        status = add_person(minimise, pair, answer);
    if (status == OK && how != USE_ALL && json_array_size(relations) > 0)
        status = by_place(minimise, sql, &placed);
    how = placed ? USE_ALL : how;
    /* Those without a relation, too: a type is there as long as a column of it is. */
    if (status == OK && whole)
        status = remember(minimise, pair, sql);
    for (size_t i = 0; i < json_array_size(relations) && status == OK; i++)
        status = add_relation(minimise, pair, json_array_get(relations, i), how,
                              observed ? "observe" : kind);
    return status;
}

/* ---- which policy was in force ---- */

/* "policy generation 3f2a91c0 in force", with a version before it or not. */
static void note_policy(struct minimise *minimise, const json_t *answer, const char *time)
{
    static const char words[] = "policy generation ";
    const char *detail = text_of(answer, "detail");
    const char *found = detail == NULL ? NULL : strstr(detail, words);
    bool same = found != NULL && strncmp(found + sizeof words - 1, minimise->policy->generation,
                                         strlen(minimise->policy->generation)) == 0;
    minimise->other_policy = found != NULL && !same;
    if (!same)
        minimise->in_force[0] = '\0';
    else if (minimise->in_force[0] == '\0')
        (void)snprintf(minimise->in_force, sizeof minimise->in_force, "%s", time);
}

static enum status add_event(struct minimise *minimise, const json_t *answer, const char *time)
{
    const char *event = text_of(answer, "event");
    if (event != NULL && (strcmp(event, "start") == 0 || strcmp(event, "reload") == 0))
        note_policy(minimise, answer, time);
    return OK;
}

enum status minimise_add(struct minimise *minimise, const json_t *answer)
{
    const char *time = text_of(answer, "time");
    const char *type = text_of(answer, "type");
    const char *role = text_of(answer, "role");
    const char *mission = text_of(answer, "mission");
    if (time == NULL || type == NULL)
        return OK;
    /* Of the day of the purge. */
    if (strcmp(type, "tombstone") == 0 || strcmp(type, "gap") == 0)
        return OK;
    enum status status = OK;
    if (strcmp(type, "event") == 0)
        status = add_event(minimise, answer, time);
    if (strcmp(time, minimise->last) > 0)
        (void)snprintf(minimise->last, sizeof minimise->last, "%s", time);
    /* A statement that began before and ended within was used within. */
    const char *ended = text_of(answer, "ended");
    /* Names that no policy can have: nothing of this one was used. */
    if (role != NULL && mission != NULL &&
        (strlen(role) > MINIMISE_NAME || strlen(mission) > MINIMISE_NAME))
        return status;
    if (status != OK || role == NULL || mission == NULL ||
        strcmp(ended == NULL ? time : ended, minimise->since) < 0)
        return status;
    struct pair_use *pair = pair_of(minimise, role, mission);
    if (pair == NULL)
        return ERR_MEMORY;
    minimise->records++;
    return strcmp(type, "statement") == 0 ? add_statement(minimise, pair, answer) : OK;
}

/* ---- what is used through views and sequences ---- */

struct below {
    struct minimise *minimise;
    struct pair_use *pair;
    enum status status;
};

static bool visit(const ProtobufCMessage *message, void *context)
{
    struct below *below = context;
    if (!guard_tree_is(message, &pg_query__range_var__descriptor))
        return true;
    const PgQuery__RangeVar *range = (const PgQuery__RangeVar *)message;
    /* pg_get_viewdef() under an empty path: what has no schema is a WITH query. */
    if (below->status == OK && range->schemaname != NULL && range->schemaname[0] != '\0' &&
        !is_catalog(range->schemaname))
        below->status =
            freeze(below->minimise, below->pair, range->schemaname, range->relname, "view");
    return true;
}

static enum status freeze_below(struct minimise *minimise, struct pair_use *pair,
                                const struct catalog_relation *view)
{
    struct below below = {.minimise = minimise, .pair = pair, .status = OK};
    PgQuery__ParseResult *tree = NULL;
    const char *why = NULL;
    if (guard_tree_parse(view->definition, minimise->arena, &tree, &why) != OK ||
        guard_tree_walk(&tree->base, visit, &below) != OK) {
        pair->frozen = arena_printf(minimise->arena, "%s.%s", view->schema, view->name);
        return pair->frozen == NULL ? ERR_MEMORY : OK;
    }
    return below.status;
}

/* A sequence goes with the column that owns it: who may insert that may draw. */
static enum status use_sequence(struct minimise *minimise, struct pair_use *pair,
                                const struct catalog_sequence *sequence, bool *known)
{
    const struct catalog *catalog = minimise->catalog;
    for (size_t i = 0; i < catalog->relation_count; i++) {
        const struct catalog_relation *owner = &catalog->relations[i];
        if (sequence->owner_oid == 0 || owner->oid != sequence->owner_oid)
            continue;
        *known = true;
        return freeze(minimise, pair, owner->schema, owner->name, "sequence");
    }
    return OK;
}

static bool is_policy_sequence(const struct policy *policy, const struct use_relation *relation)
{
    for (size_t i = 0; i < policy->sequence_count; i++)
        if (strcmp(policy->sequences[i].schema, relation->schema) == 0 &&
            strcmp(policy->sequences[i].name, relation->name) == 0)
            return true;
    return false;
}

/* A relation without a rule: a view made of others, a sequence, a partition. What stands behind it
 * is used; where that is not known, everything is. */
static enum status look_behind(struct minimise *minimise, struct use_relation *relation)
{
    struct pair_use *pair = relation->pair;
    bool known = is_policy_sequence(minimise->policy, relation);
    enum status status = OK;
    if (minimise->catalog != NULL && !known) {
        const struct catalog_relation *view =
            catalog_find(minimise->catalog, relation->schema, relation->name);
        const struct catalog_sequence *sequence =
            catalog_find_sequence(minimise->catalog, relation->schema, relation->name);
        if (view != NULL && view->definition != NULL) {
            known = true;
            status = freeze_below(minimise, pair, view);
        } else if (view != NULL && view->parent >= 0) {
            const struct catalog_relation *parent = &minimise->catalog->relations[view->parent];
            known = true;
            status = freeze(minimise, pair, parent->schema, parent->name, "partition");
        } else if (sequence != NULL) {
            status = use_sequence(minimise, pair, sequence, &known);
        }
    }
    if (!known && status == OK && pair->frozen == NULL)
        pair->frozen = arena_printf(minimise->arena, "%s.%s", relation->schema, relation->name);
    return status;
}

enum status minimise_use_finish(struct minimise *minimise)
{
    enum status status = OK;
    /* The list grows by what stands behind. */
    for (size_t i = 0; i < minimise->relation_count && status == OK; i++) {
        struct use_relation relation = minimise->relations[i];
        int role = policy_find_role(minimise->policy, relation.pair->role);
        int mission = policy_find_mission(minimise->policy, relation.pair->mission);
        if (role < 0 || mission < 0 || minimise->policy->roles[role].unrestricted ||
            policy_rule_for(minimise->policy, role, mission, relation.schema, relation.name) !=
                NULL)
            continue;
        status = look_behind(minimise, &relation);
    }
    return status;
}

enum status minimise_start(struct minimise *minimise)
{
    minimise->arena = arena_new(0);
    minimise->used = map_new();
    minimise->pairs_used = map_new();
    minimise->people_used = map_new();
    minimise->told = map_new();
    minimise->parsed = map_new();
    bool complete = minimise->arena && minimise->used && minimise->pairs_used &&
                    minimise->people_used && minimise->told && minimise->parsed;
    return complete ? OK : ERR_MEMORY;
}

void minimise_end(struct minimise *minimise)
{
    size_t cursor = 0;
    const char *key = NULL;
    size_t len = 0;
    void *value = NULL;
    while (minimise->pairs_used && map_next(minimise->pairs_used, &cursor, &key, &len, &value))
        map_free(((struct pair_use *)value)->patients);
    for (size_t i = 0; i < minimise->person_count; i++)
        for (size_t k = 0; k < minimise->people[i]->table_count; k++)
            map_free(minimise->people[i]->tables[k].patients);
    map_free(minimise->used);
    map_free(minimise->pairs_used);
    map_free(minimise->people_used);
    map_free(minimise->told);
    map_free(minimise->parsed);
    policy_unref(minimise->smaller);
    arena_free(minimise->arena);
}
