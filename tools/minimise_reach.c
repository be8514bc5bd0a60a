/*
 * minimise_reach.c: how many patients a person's rules let her see today, how many of these she
 * saw, and which values of her attributes she could do without.
 *
 * What PostgreSQL counts is the SELECT of the guards themselves, over the real tables, with the
 * rights of their owner and the settings that pgvigil gives a server connection for that person:
 * what is in reach cannot differ from what she would be shown.
 *
 * Values that she could do without (minimise_spare.c) are as the rows are today. Rows move on, and
 * who was in a ward last month may be in another now: so they are told, and never cut.
 *
 * Trust boundary: values come from the policy and the trail and reach PostgreSQL as parameters.
 * Ownership: results stand in minimise->arena.
 */
#include "tools/minimise_reach.h"

#include <pgvigil/buf.h>
#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS "127.0.0.1" /* what depends on it is not counted */

enum status reach_failed(struct reaching *reaching, const struct person_use *use)
{
    const char *message = PQerrorMessage(reaching->conn);
    reaching->minimise->why = arena_printf(
        reaching->minimise->arena, "the rows in reach of %s as %s/%s cannot be counted: %.*s",
        use->person, use->pair->role, use->pair->mission, (int)strcspn(message, "\n"), message);
    return ERR_UPSTREAM;
}

/* ---- what a pair may read ---- */

/* The placeholder's setting, as it stands in a guard. NULL: no memory. */
static const char *setting_of(const struct minimise *minimise, enum policy_placeholder_kind kind,
                              const char *name)
{
    struct policy_placeholder placeholder = {.kind = kind, .name = name};
    return policy_placeholder_setting(&placeholder, minimise->arena);
}

/* Which settings the SQL of a guard reads. */
static enum status note_settings(struct reaching *reaching, struct reach_pair *pair,
                                 const char *sql, bool *attributes)
{
    static const struct {
        enum policy_placeholder_kind kind;
        const char *name;
    } of_session[] = {{PLACEHOLDER_CLIENT_ADDRESS, NULL},
                      {PLACEHOLDER_SESSION, "reason"},
                      {PLACEHOLDER_SESSION, "patient"}};
    struct minimise *minimise = reaching->minimise;
    char quoted[160];
    for (size_t i = 0; i < sizeof of_session / sizeof of_session[0]; i++) {
        const char *setting = setting_of(minimise, of_session[i].kind, of_session[i].name);
        if (setting == NULL)
            return ERR_MEMORY;
        (void)snprintf(quoted, sizeof quoted, "'%s'", setting);
        pair->session = pair->session || strstr(sql, quoted) != NULL;
    }
    for (size_t i = 0; i < minimise->policy->attribute_count; i++) {
        const char *setting =
            setting_of(minimise, PLACEHOLDER_USER_ATTRIBUTE, minimise->policy->attributes[i].name);
        if (setting == NULL)
            return ERR_MEMORY;
        (void)snprintf(quoted, sizeof quoted, "'%s'", setting);
        attributes[i] = strstr(sql, quoted) != NULL;
        pair->attributes[i] = pair->attributes[i] || attributes[i];
    }
    return OK;
}

static enum status add_other(struct reaching *reaching, struct reach_pair *pair,
                             const struct catalog_relation *relation, bool *attributes)
{
    struct reach_other *others = arena_grow(reaching->minimise->arena, pair->others,
                                            pair->other_count, &pair->other_cap, sizeof(*others));
    if (others == NULL)
        return ERR_MEMORY;
    pair->others = others;
    others[pair->other_count++] =
        (struct reach_other){.relation = relation, .attributes = attributes};
    return OK;
}

static enum status add_select(struct reaching *reaching, struct reach_pair *pair,
                              const struct catalog_relation *relation, const char *sql)
{
    struct arena *arena = reaching->minimise->arena;
    const char **selects =
        arena_grow(arena, pair->selects, pair->count, &pair->cap, sizeof(*selects));
    const struct catalog_relation **relations =
        arena_grow(arena, pair->relations, pair->count, &pair->relation_cap,
                   sizeof(const struct catalog_relation *));
    if (selects == NULL || relations == NULL)
        return ERR_MEMORY;
    pair->selects = selects;
    pair->relations = relations;
    relations[pair->count] = relation;
    selects[pair->count] = arena_printf(
        arena, "SELECT g.\"%s\"::pg_catalog.text AS s FROM (%s) g WHERE g.\"%s\" IS NOT NULL",
        GUARD_SUBJECT_COLUMN, sql, GUARD_SUBJECT_COLUMN);
    return selects[pair->count++] == NULL ? ERR_MEMORY : OK;
}

/* A relation with a rule of its own; what is below or above it shows the same rows. */
static enum status add_relation(struct reaching *reaching, struct reach_pair *pair,
                                const struct catalog_relation *relation)
{
    struct minimise *minimise = reaching->minimise;
    const struct policy *policy = minimise->policy;
    int role = pair->pair->role;
    int mission = pair->pair->mission;
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    const char *const *columns = NULL;
    size_t count = 0;
    const char *sql = NULL;
    const char *why = NULL;
    if (!guard_governing(policy, reaching->catalog, role, mission, relation, &table, &rule, &as) ||
        as != relation)
        return OK;
    bool *attributes = arena_zalloc(minimise->arena, policy->attribute_count + 1, sizeof(bool));
    enum status status =
        attributes == NULL
            ? ERR_MEMORY
            : guard_definition(policy, reaching->catalog, role, mission, relation, GUARD_SUBJECT,
                               minimise->arena, &sql, &columns, &count, &why);
    /* Without a column that is shown nobody is told whose row it is. */
    bool counts =
        status == OK && count > 1 && strcmp(columns[count - 1], GUARD_SUBJECT_COLUMN) == 0;
    if (status != ERR_MEMORY && !counts)
        status = guard_definition(policy, reaching->catalog, role, mission, relation, GUARD_PLAIN,
                                  minimise->arena, &sql, &columns, &count, &why);
    if (status == ERR_MEMORY)
        return status;
    if (status != OK) /* no guard at all: nobody reads it */
        return OK;
    status = note_settings(reaching, pair, sql, attributes);
    if (status != OK)
        return status;
    return counts ? add_select(reaching, pair, relation, sql)
                  : add_other(reaching, pair, relation, attributes);
}

enum status reach_pair_of(struct reaching *reaching, struct pair *of, struct reach_pair **found)
{
    struct minimise *minimise = reaching->minimise;
    size_t at = (size_t)(of - minimise->pairs);
    *found = reaching->pairs[at];
    if (*found != NULL)
        return OK;
    struct reach_pair *pair = arena_zalloc(minimise->arena, 1, sizeof(*pair));
    if (pair == NULL)
        return ERR_MEMORY;
    pair->pair = of;
    pair->attributes =
        arena_zalloc(minimise->arena, minimise->policy->attribute_count + 1, sizeof(bool));
    enum status status = pair->attributes == NULL ? ERR_MEMORY : OK;
    for (size_t i = 0; i < reaching->catalog->relation_count && status == OK; i++)
        status = add_relation(reaching, pair, &reaching->catalog->relations[i]);
    reaching->pairs[at] = *found = pair;
    return status;
}

/* ---- asking PostgreSQL ---- */

/* NULL: it failed. */
PGresult *reach_ask(struct reaching *reaching, const char *sql, const char *const *values,
                    int count)
{
    PGresult *result = PQexecParams(reaching->conn, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    PQclear(result);
    return NULL;
}

static bool run(struct reaching *reaching, const char *sql)
{
    PGresult *result = reach_ask(reaching, sql, NULL, 0);
    PQclear(result);
    return result != NULL;
}

static bool set(struct reaching *reaching, enum policy_placeholder_kind kind, const char *name,
                const char *value)
{
    const char *values[] = {setting_of(reaching->minimise, kind, name), value};
    PGresult *result =
        values[0] == NULL
            ? NULL
            : reach_ask(reaching, "SELECT pg_catalog.set_config($1, $2, true)", values, 2);
    PQclear(result);
    return result != NULL;
}

/* As a server connection is told (identity.c). */
bool reach_become(struct reaching *reaching, const struct policy_user *user)
{
    const struct policy *policy = reaching->minimise->policy;
    bool good = set(reaching, PLACEHOLDER_USER_NAME, NULL, user->name) &&
                set(reaching, PLACEHOLDER_CLIENT_ADDRESS, NULL, ADDRESS) &&
                set(reaching, PLACEHOLDER_SESSION, "reason", "") &&
                set(reaching, PLACEHOLDER_SESSION, "patient", "");
    for (size_t i = 0; i < policy->attribute_count && good; i++) {
        const char *value = "";
        for (size_t k = 0; k < user->attribute_count; k++)
            if (user->attributes[k].attribute == i)
                value = user->attributes[k].setting;
        good = set(reaching, PLACEHOLDER_USER_ATTRIBUTE, policy->attributes[i].name, value);
    }
    return good;
}

/* Patients in reach, each once. */
enum status reach_count(struct reaching *reaching, const struct person_use *use,
                        const struct reach_pair *pair, uint64_t *patients)
{
    struct buf sql;
    buf_init(&sql, 0);
    buf_str(&sql, "SELECT pg_catalog.count(*) FROM (");
    for (size_t i = 0; i < pair->count; i++)
        buf_printf(&sql, "%s%s", i == 0 ? "" : " UNION ", pair->selects[i]);
    buf_cstr(&sql, pair->count == 1 ? " GROUP BY 1) u" : ") u");
    PGresult *result =
        sql.failed ? NULL : reach_ask(reaching, (const char *)buf_head(&sql), NULL, 0);
    enum status status = sql.failed       ? ERR_MEMORY
                         : result == NULL ? reach_failed(reaching, use)
                                          : OK;
    if (status == OK)
        *patients = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    buf_free(&sql);
    return status;
}

/* Of those that she saw in a table, those that are in reach there. */
static enum status ask_seen(struct reaching *reaching, const struct person_use *use,
                            const struct reach_pair *pair, const char *const *seen,
                            PGresult **result)
{
    struct buf sql;
    buf_init(&sql, 0);
    for (size_t i = 0; i < pair->count; i++)
        buf_printf(&sql,
                   "%sSELECT DISTINCT '%zu ' || u.s FROM (%s) u WHERE u.s IN (SELECT "
                   "pg_catalog.unnest($%zu::pg_catalog.text[]))",
                   i == 0 ? "" : " UNION ALL ", i, pair->selects[i], i + 1);
    buf_byte(&sql, '\0');
    *result = sql.failed
                  ? NULL
                  : reach_ask(reaching, (const char *)buf_head(&sql), seen, (int)pair->count);
    enum status status = sql.failed        ? ERR_MEMORY
                         : *result == NULL ? reach_failed(reaching, use)
                                           : OK;
    buf_free(&sql);
    return status;
}

/* ---- one person ---- */

/* What a statement read by way of a view may be of any table; what has a rule and is about nobody
 * reads of none. */
static bool may_be_of(const struct reaching *reaching, const struct reach_pair *pair,
                      const char *used, size_t at)
{
    const struct policy *policy = reaching->minimise->policy;
    char name[MINIMISE_RELATION];
    for (size_t i = 0; i < pair->count; i++) {
        minimise_relation(name, pair->relations[i]->schema, pair->relations[i]->name);
        if (strcmp(name, used) == 0)
            return i == at;
    }
    for (size_t i = 0; i < reaching->catalog->relation_count; i++) {
        const struct catalog_relation *relation = &reaching->catalog->relations[i];
        minimise_relation(name, relation->schema, relation->name);
        if (strcmp(name, used) == 0) {
            const struct policy_table *table = guard_table(policy, reaching->catalog, relation);
            return relation->parent >= 0 || table == NULL || table->subject != NULL ||
                   relation->kind == 'v' || relation->kind == 'm';
        }
    }
    return true;
}

/* NULL: no memory. */
static const char *seen_in(const struct reaching *reaching, const struct person_use *use,
                           const struct reach_pair *pair, size_t at)
{
    struct arena *arena = reaching->minimise->arena;
    const char **names = NULL;
    size_t count = 0;
    size_t cap = 0;
    for (size_t i = 0; i < use->table_count; i++) {
        const char *key = NULL;
        size_t len = 0;
        size_t cursor = 0;
        void *value = NULL;
        if (!may_be_of(reaching, pair, use->tables[i].relation, at))
            continue;
        while (map_next(use->tables[i].patients, &cursor, &key, &len, &value)) {
            names = arena_grow(arena, names, count, &cap, sizeof(*names));
            if (names == NULL || (names[count++] = arena_strndup(arena, key, len)) == NULL)
                return NULL;
        }
    }
    struct buf list;
    buf_init(&list, 0);
    text_quote_array(&list, names, count);
    buf_byte(&list, '\0');
    const char *text = list.failed ? NULL : arena_strdup(arena, (const char *)buf_head(&list));
    buf_free(&list);
    return text;
}

/* As she is. */
static enum status measure(struct reaching *reaching, struct reach_part *part)
{
    PGresult *result = NULL;
    struct map *persons = map_new();
    enum status status = persons == NULL
                             ? ERR_MEMORY
                             : reach_count(reaching, part->use, part->pair, &part->told->in_reach);
    if (status == OK)
        status = ask_seen(reaching, part->use, part->pair, part->seen, &result);
    for (int i = 0; status == OK && i < PQntuples(result); i++) {
        const char *key = PQgetvalue(result, i, 0);
        status = map_put_str(part->base, key, part->told);
        if (status == OK)
            status = map_put_str(persons, strchr(key, ' ') + 1, part->told);
    }
    part->told->seen = persons == NULL ? 0 : map_count(persons);
    map_free(persons);
    PQclear(result);
    return status;
}

static enum status add_part(struct reaching *reaching, struct reach_person *person,
                            const struct person_use *use)
{
    struct minimise *minimise = reaching->minimise;
    int role = policy_find_role(minimise->policy, use->pair->role);
    int mission = policy_find_mission(minimise->policy, use->pair->mission);
    struct pair *pair = role < 0 || mission < 0 ? NULL : minimise_pair(minimise, role, mission);
    struct reach_pair *found = NULL;
    if (pair == NULL || !policy_user_has_role(person->user, role))
        return OK;
    enum status status = reach_pair_of(reaching, pair, &found);
    if (status != OK)
        return status;
    struct reach *reaches = arena_zalloc(minimise->arena, 1, sizeof(*reaches));
    struct reach_part *parts =
        arena_grow(minimise->arena, person->parts, person->count, &person->cap, sizeof(*parts));
    struct reach **list = arena_grow(minimise->arena, minimise->reaches_of, minimise->reach_count,
                                     &minimise->reach_cap, sizeof(struct reach *));
    if (reaches == NULL || parts == NULL || list == NULL)
        return ERR_MEMORY;
    person->parts = parts;
    minimise->reaches_of = list;
    *reaches = (struct reach){.use = use, .session = found->session};
    struct reach_part *part = &parts[person->count++];
    *part = (struct reach_part){.use = use, .pair = found};
    if (found->count > 0)
        list[minimise->reach_count++] = reaches;
    if (found->session || found->count == 0)
        return OK;
    *part = (struct reach_part){
        .use = use,
        .pair = found,
        .seen = arena_zalloc(minimise->arena, found->count, sizeof(const char *)),
        .base = map_new(),
        .told = reaches};
    if (part->seen == NULL || part->base == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < found->count; i++)
        if ((part->seen[i] = seen_in(reaching, use, found, i)) == NULL)
            return ERR_MEMORY;
    return OK;
}

static enum status measure_person(struct reaching *reaching, struct reach_person *person)
{
    bool begun = run(reaching, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY") &&
                 run(reaching, "SET LOCAL search_path = ''") &&
                 run(reaching, arena_printf(reaching->minimise->arena, "SET LOCAL ROLE %s",
                                            reaching->owner)) &&
                 reach_become(reaching, person->user);
    enum status status = begun ? OK : reach_failed(reaching, person->parts[0].use);
    for (size_t i = 0; i < person->count && status == OK; i++)
        if (person->parts[i].base != NULL)
            status = measure(reaching, &person->parts[i]);
    if (status == OK)
        status = reach_spares(reaching, person);
    (void)run(reaching, "ROLLBACK");
    return status;
}

static enum status reach_user(struct reaching *reaching, const struct policy_user *user)
{
    struct minimise *minimise = reaching->minimise;
    struct reach_person person = {.user = user};
    enum status status = OK;
    for (size_t i = 0; i < minimise->person_count && status == OK; i++)
        if (strcmp(minimise->people[i]->person, user->name) == 0)
            status = add_part(reaching, &person, minimise->people[i]);
    if (status == OK && person.count > 0)
        status = measure_person(reaching, &person);
    for (size_t i = 0; i < person.count; i++)
        map_free(person.parts[i].base);
    return status;
}

/* Functions that filters and subjects call run now, whoever has written them, and a transaction
 * that only reads does not keep a superuser from COPY TO PROGRAM. So it is done with the rights of
 * the guards' owner, as the guards themselves, by a login that has no others to go back to. */
static enum status check_login(struct reaching *reaching)
{
    struct minimise *minimise = reaching->minimise;
    PGresult *result = reach_ask(
        reaching,
        "SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = SESSION_USER AND r.rolsuper", NULL,
        0);
    bool plain = result != NULL && PQntuples(result) == 0;
    if (result == NULL)
        minimise->why = arena_strdup(minimise->arena, PQerrorMessage(reaching->conn));
    else if (!plain)
        minimise->why = arena_printf(
            minimise->arena,
            "--as is a superuser's, and functions that the policy's filters call would run with "
            "all of its rights: take a login that is no superuser and may SET ROLE %s",
            reaching->owner);
    PQclear(result);
    return plain ? OK : ERR_UPSTREAM;
}

enum status minimise_reach(struct minimise *minimise, PGconn *conn, const struct catalog *catalog,
                           const char *owner,
                           void (*tick)(size_t done, size_t total, void *context), void *context)
{
    struct buf quoted;
    buf_init(&quoted, 0);
    text_quote_ident(&quoted, owner);
    buf_byte(&quoted, '\0');
    struct reaching reaching = {
        .minimise = minimise, .conn = conn, .catalog = catalog, .tick = tick, .context = context};
    reaching.owner =
        quoted.failed ? NULL : arena_strdup(minimise->arena, (const char *)buf_head(&quoted));
    buf_free(&quoted);
    reaching.pairs =
        arena_zalloc(minimise->arena, minimise->pair_count + 1, sizeof(struct reach_pair *));
    enum status status =
        reaching.pairs == NULL || reaching.owner == NULL ? ERR_MEMORY : check_login(&reaching);
    for (size_t i = 0; i < minimise->policy->user_count && status == OK; i++) {
        tick(i, minimise->policy->user_count, context);
        status = reach_user(&reaching, &minimise->policy->users[i]);
    }
    return status;
}
