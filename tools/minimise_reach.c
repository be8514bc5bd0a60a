/*
 * minimise_reach.c: how many patients a person's rules let her see today, how many of these she
 * saw, and which values of her attributes she could do without.
 *
 * What PostgreSQL counts is the SELECT of the guards themselves, over the real tables, with the
 * settings that pgvigil gives a server connection for that person: what is in reach cannot differ
 * from what she would be shown. It runs as the DBA who asks, in transactions that only read.
 *
 * A value is spare when nothing that she saw is out of reach without it, as the rows are today, and
 * without those that were found spare before it. Rows move on, and who was in a ward last month may
 * be in another now: so it is told, and never cut.
 *
 * Trust boundary: values come from the policy and the trail and reach PostgreSQL as parameters.
 * Ownership: results stand in minimise->arena.
 */
#include "tools/minimise.h"

#include <pgvigil/buf.h>
#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS "127.0.0.1" /* what depends on it is not counted */

/* What a pair may read about patients, each as a SELECT of one column: whose a row is. */
struct reach_pair {
    struct pair *pair;
    const char **selects;
    const struct catalog_relation **relations; /* of each */
    size_t count, cap, relation_cap;
    bool session;     /* what the client says decides: its address, a patient, a reason */
    bool *attributes; /* of the policy's: those that decide */
};

struct reaching {
    struct minimise *minimise;
    PGconn *conn;
    const struct catalog *catalog;
    struct reach_pair **pairs; /* by minimise->pairs; NULL: not asked for yet */
    void (*tick)(size_t done, size_t total, void *context);
    void *context;
};

static enum status failed(struct reaching *reaching, const struct person_use *use)
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

static enum status note_settings(struct reaching *reaching, struct reach_pair *pair,
                                 const char *sql)
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
        pair->attributes[i] = pair->attributes[i] || strstr(sql, quoted) != NULL;
    }
    return OK;
}

/* A relation with a rule of its own; what is below or above it shows the same rows. */
static enum status add_select(struct reaching *reaching, struct reach_pair *pair,
                              const struct catalog_relation *relation)
{
    struct minimise *minimise = reaching->minimise;
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    const char *const *columns = NULL;
    size_t count = 0;
    const char *sql = NULL;
    const char *why = NULL;
    if (!guard_governing(minimise->policy, reaching->catalog, pair->pair->role, pair->pair->mission,
                         relation, &table, &rule, &as) ||
        as != relation)
        return OK;
    enum status status =
        guard_definition(minimise->policy, reaching->catalog, pair->pair->role, pair->pair->mission,
                         relation, GUARD_SUBJECT, minimise->arena, &sql, &columns, &count, &why);
    if (status == ERR_MEMORY)
        return status;
    /* Without a column that is shown nobody is told whose row it is. */
    if (status != OK || count < 2 || strcmp(columns[count - 1], GUARD_SUBJECT_COLUMN) != 0)
        return OK;
    const char **selects =
        arena_grow(minimise->arena, pair->selects, pair->count, &pair->cap, sizeof(*selects));
    const struct catalog_relation **relations =
        arena_grow(minimise->arena, pair->relations, pair->count, &pair->relation_cap,
                   sizeof(const struct catalog_relation *));
    if (selects == NULL || relations == NULL)
        return ERR_MEMORY;
    pair->selects = selects;
    pair->relations = relations;
    relations[pair->count] = relation;
    selects[pair->count] =
        arena_printf(minimise->arena,
                     "SELECT g.\"%s\"::pg_catalog.text AS s FROM (%s) g WHERE g.\"%s\" IS NOT NULL",
                     GUARD_SUBJECT_COLUMN, sql, GUARD_SUBJECT_COLUMN);
    return selects[pair->count++] == NULL ? ERR_MEMORY : note_settings(reaching, pair, sql);
}

static enum status pair_of(struct reaching *reaching, struct pair *of, struct reach_pair **found)
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
        status = add_select(reaching, pair, &reaching->catalog->relations[i]);
    reaching->pairs[at] = *found = pair;
    return status;
}

/* ---- asking PostgreSQL ---- */

/* NULL: it failed. */
static PGresult *ask(struct reaching *reaching, const char *sql, const char *const *values,
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
    PGresult *result = ask(reaching, sql, NULL, 0);
    PQclear(result);
    return result != NULL;
}

static bool set(struct reaching *reaching, enum policy_placeholder_kind kind, const char *name,
                const char *value)
{
    const char *values[] = {setting_of(reaching->minimise, kind, name), value};
    PGresult *result = values[0] == NULL
                           ? NULL
                           : ask(reaching, "SELECT pg_catalog.set_config($1, $2, true)", values, 2);
    PQclear(result);
    return result != NULL;
}

/* As a server connection is told (identity.c). */
static bool become(struct reaching *reaching, const struct policy_user *user)
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
static enum status count_reach(struct reaching *reaching, const struct person_use *use,
                               const struct reach_pair *pair, uint64_t *patients)
{
    struct buf sql;
    buf_init(&sql, 0);
    buf_str(&sql, "SELECT pg_catalog.count(*) FROM (");
    for (size_t i = 0; i < pair->count; i++)
        buf_printf(&sql, "%s%s", i == 0 ? "" : " UNION ", pair->selects[i]);
    buf_cstr(&sql, pair->count == 1 ? " GROUP BY 1) u" : ") u");
    PGresult *result = sql.failed ? NULL : ask(reaching, (const char *)buf_head(&sql), NULL, 0);
    enum status status = sql.failed ? ERR_MEMORY : result == NULL ? failed(reaching, use) : OK;
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
    *result =
        sql.failed ? NULL : ask(reaching, (const char *)buf_head(&sql), seen, (int)pair->count);
    enum status status = sql.failed ? ERR_MEMORY : *result == NULL ? failed(reaching, use) : OK;
    buf_free(&sql);
    return status;
}

/* ---- one person ---- */

/* What a person did as one pair. */
struct reach_part {
    const struct person_use *use;
    const struct reach_pair *pair;
    const char **seen; /* of each relation, an array literal */
    struct map *base;  /* "table patient" of those seen that are in reach */
    struct reach *told;
};

struct reach_person {
    const struct policy_user *user;
    struct reach_part *parts;
    size_t count, cap;
};

/* What a statement read by way of a view may be of any table; what has a rule and is about nobody
 * reads of none. */
static bool may_be_of(const struct reaching *reaching, const struct reach_pair *pair,
                      const char *used, size_t at)
{
    const struct policy *policy = reaching->minimise->policy;
    char name[512];
    for (size_t i = 0; i < pair->count; i++) {
        (void)snprintf(name, sizeof name, "%s.%s", pair->relations[i]->schema,
                       pair->relations[i]->name);
        if (strcmp(name, used) == 0)
            return i == at;
    }
    for (size_t i = 0; i < reaching->catalog->relation_count; i++) {
        const struct catalog_relation *relation = &reaching->catalog->relations[i];
        (void)snprintf(name, sizeof name, "%s.%s", relation->schema, relation->name);
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

/* How many of the part's base are there now. */
static enum status still_seen(struct reaching *reaching, const struct reach_part *part,
                              size_t *hits)
{
    PGresult *result = NULL;
    enum status status = ask_seen(reaching, part->use, part->pair, part->seen, &result);
    *hits = 0;
    for (int i = 0; status == OK && i < PQntuples(result); i++)
        *hits += map_get_str(part->base, PQgetvalue(result, i, 0)) != NULL;
    PQclear(result);
    return status;
}

/* As she is. */
static enum status measure(struct reaching *reaching, struct reach_part *part)
{
    PGresult *result = NULL;
    struct map *persons = map_new();
    enum status status = persons == NULL
                             ? ERR_MEMORY
                             : count_reach(reaching, part->use, part->pair, &part->told->in_reach);
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

/* Is the value spare, with the attribute as it is without it? `user` has it so. */
static enum status is_spare(struct reaching *reaching, const struct reach_person *person,
                            const struct policy_user *user, size_t attribute, bool *spare,
                            uint64_t *left)
{
    *spare = become(reaching, user);
    *left = 0;
    enum status status = *spare ? OK : failed(reaching, person->parts[0].use);
    for (size_t i = 0; i < person->count && status == OK && *spare; i++) {
        const struct reach_part *part = &person->parts[i];
        size_t hits = 0;
        uint64_t patients = 0;
        if (!part->pair->attributes[attribute])
            continue;
        status = still_seen(reaching, part, &hits);
        *spare = hits == map_count(part->base);
        if (status == OK && *spare)
            status = count_reach(reaching, part->use, part->pair, &patients);
        *left += patients;
    }
    return status;
}

/* The user with those values of the attribute alone for which `gone` is false. */
static const struct policy_user *without(struct arena *arena, const struct policy_user *user,
                                         size_t at, const bool *gone)
{
    const struct policy_user_attribute *whole = &user->attributes[at];
    struct policy_user *copy = arena_zalloc(arena, 1, sizeof(*copy));
    struct policy_user_attribute *attributes =
        arena_zalloc(arena, user->attribute_count, sizeof(*attributes));
    const char **values = arena_zalloc(arena, whole->value_count, sizeof(*values));
    struct buf list;
    if (copy == NULL || attributes == NULL || values == NULL)
        return NULL;
    memcpy(attributes, user->attributes, user->attribute_count * sizeof(*attributes));
    size_t count = 0;
    for (size_t i = 0; i < whole->value_count; i++)
        if (!gone[i])
            values[count++] = whole->values[i];
    buf_init(&list, 0);
    text_quote_array(&list, values, count);
    buf_byte(&list, '\0');
    attributes[at].values = values;
    attributes[at].value_count = count;
    attributes[at].setting =
        list.failed ? NULL : arena_strdup(arena, (const char *)buf_head(&list));
    buf_free(&list);
    *copy = *user;
    copy->attributes = attributes;
    return attributes[at].setting == NULL ? NULL : copy;
}

static enum status add_spare(struct minimise *minimise, const struct policy_user *user,
                             const struct policy_user_attribute *attribute, size_t value,
                             uint64_t patients)
{
    struct spare *spares = arena_grow(minimise->arena, minimise->spares, minimise->spare_count,
                                      &minimise->spare_cap, sizeof(*spares));
    if (spares == NULL)
        return ERR_MEMORY;
    minimise->spares = spares;
    spares[minimise->spare_count++] =
        (struct spare){.user = user,
                       .attribute = minimise->policy->attributes[attribute->attribute].name,
                       .value = attribute->values[value],
                       .patients = patients};
    return OK;
}

static enum status try_values(struct reaching *reaching, const struct reach_person *person,
                              size_t at)
{
    struct minimise *minimise = reaching->minimise;
    const struct policy_user_attribute *attribute = &person->user->attributes[at];
    bool *gone = arena_zalloc(minimise->arena, attribute->value_count, sizeof(*gone));
    uint64_t before = 0;
    enum status status = gone == NULL ? ERR_MEMORY : OK;
    for (size_t i = 0; i < person->count; i++)
        before += person->parts[i].pair->attributes[attribute->attribute]
                      ? person->parts[i].told->in_reach
                      : 0;
    for (size_t i = 0; i < attribute->value_count && status == OK; i++) {
        bool spare = false;
        uint64_t left = 0;
        gone[i] = true;
        const struct policy_user *user = without(minimise->arena, person->user, at, gone);
        status = user == NULL
                     ? ERR_MEMORY
                     : is_spare(reaching, person, user, attribute->attribute, &spare, &left);
        gone[i] = spare;
        if (status == OK && spare) {
            status =
                add_spare(minimise, person->user, attribute, i, before > left ? before - left : 0);
            before = left;
        }
    }
    return status;
}

/* Does it decide anything that she used, for certain, and nothing that is left as it is? */
static enum status may_try(struct reaching *reaching, const struct reach_person *person, size_t at,
                           bool *may)
{
    struct minimise *minimise = reaching->minimise;
    const struct policy_user_attribute *attribute = &person->user->attributes[at];
    *may = false;
    if (!attribute->is_list || attribute->value_count < 2)
        return OK;
    for (size_t i = 0; i < person->count; i++) {
        const struct reach_part *part = &person->parts[i];
        if (!part->pair->attributes[attribute->attribute])
            continue;
        *may = *may || map_count(part->base) > 0;
        if (part->pair->session || part->use->inexact) {
            *may = false;
            return OK;
        }
    }
    for (size_t i = 0; i < minimise->pair_count && *may; i++) {
        struct pair *pair = &minimise->pairs[i];
        struct reach_pair *reach = NULL;
        bool hers = false;
        for (size_t k = 0; k < person->user->role_count; k++)
            hers = hers || (int)person->user->roles[k] == pair->role;
        if (!hers || pair->keep == KEEP_NOT)
            continue;
        enum status status = pair_of(reaching, pair, &reach);
        if (status != OK)
            return status;
        *may = !reach->attributes[attribute->attribute];
    }
    return OK;
}

static enum status add_part(struct reaching *reaching, struct reach_person *person,
                            const struct person_use *use)
{
    struct minimise *minimise = reaching->minimise;
    int role = policy_find_role(minimise->policy, use->pair->role);
    int mission = policy_find_mission(minimise->policy, use->pair->mission);
    struct pair *pair = role < 0 || mission < 0 ? NULL : minimise_pair(minimise, role, mission);
    struct reach_pair *found = NULL;
    bool hers = false;
    for (size_t i = 0; i < person->user->role_count; i++)
        hers = hers || (int)person->user->roles[i] == role;
    if (pair == NULL || !hers)
        return OK;
    enum status status = pair_of(reaching, pair, &found);
    if (status != OK || found->count == 0)
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
    list[minimise->reach_count++] = reaches;
    *reaches = (struct reach){.use = use, .session = found->session};
    if (found->session)
        return OK;
    struct reach_part *part = &parts[person->count++];
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
                 run(reaching, "SET LOCAL search_path = ''") && become(reaching, person->user);
    enum status status = begun ? OK : failed(reaching, person->parts[0].use);
    for (size_t i = 0; i < person->count && status == OK; i++)
        status = measure(reaching, &person->parts[i]);
    for (size_t i = 0; i < person->user->attribute_count && status == OK; i++) {
        bool may = false;
        status = may_try(reaching, person, i, &may);
        if (status == OK && may)
            status = try_values(reaching, person, i);
    }
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

enum status minimise_reach(struct minimise *minimise, PGconn *conn, const struct catalog *catalog,
                           void (*tick)(size_t done, size_t total, void *context), void *context)
{
    struct reaching reaching = {
        .minimise = minimise, .conn = conn, .catalog = catalog, .tick = tick, .context = context};
    reaching.pairs =
        arena_zalloc(minimise->arena, minimise->pair_count + 1, sizeof(struct reach_pair *));
    enum status status = reaching.pairs == NULL ? ERR_MEMORY : OK;
    for (size_t i = 0; i < minimise->policy->user_count && status == OK; i++) {
        tick(i, minimise->policy->user_count, context);
        status = reach_user(&reaching, &minimise->policy->users[i]);
    }
    return status;
}
