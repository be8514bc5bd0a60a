/*
 * audit_tally_grants.c: what the policy gives and nobody took (see audit_tally.h): what
 * minimisation could take away.
 *
 * Used is what a statement that ran names, shown or masked or written, in that role and mission.
 * What the policy gives is asked of the same lookups that judge() and deploy use.
 */
#include "tools/audit_tally.h"

#include <pgvigil/catalog.h>
#include <pgvigil/guard.h>
#include <string.h>

static const struct tally_column columns[] = {
    {"role", {"Role", "Fonction"}, TALLY_CELL, 0},
    {"mission", {"Mission", "Mission"}, TALLY_CELL, 1},
    {"table", {"Table", "Table"}, TALLY_CELL, 2},
    {"whole", {"Whole table", "Table entière"}, TALLY_CELL, 3},
    {"unused", {"Unused columns", "Colonnes inutilisées"}, TALLY_NUMBER, 0},
    {"granted", {"Of", "Sur"}, TALLY_NUMBER, 1},
    {"rule", {"Rule", "Règle"}, TALLY_CELL, 4},
    {"columns", {"Columns", "Colonnes"}, TALLY_SET, 0},
};

#define KEY_MAX 4096U

/* role, mission, relation, and a column or "" */
static size_t make_key(char out[KEY_MAX], const char *role, const char *mission, const char *schema,
                       const char *name, const char *column)
{
    int len =
        snprintf(out, KEY_MAX, "%s\x1f%s\x1f%s\x1f%s\x1f%s", role, mission, schema, name, column);
    return len < 0 || len >= (int)KEY_MAX ? KEY_MAX - 1 : (size_t)len;
}

static enum status use(struct tally *tally, const char *role, const char *mission,
                       const json_t *relation, const char *column)
{
    char key[KEY_MAX];
    const char *schema = tally_text(relation, "schema");
    const char *name = tally_text(relation, "name");
    if (!schema || !name || !column)
        return OK;
    return map_put(tally->open, key, make_key(key, role, mission, schema, name, column), tally);
}

static enum status add(struct tally *tally, const json_t *answer)
{
    static const char *const lists[] = {"shown", "masked", "written"};
    const char *role = tally_text(answer, "role");
    const char *mission = tally_text(answer, "mission");
    const char *decision = tally_text(answer, "decision");
    const json_t *relations = json_object_get(answer, "relations");
    if (!role || !mission || !decision || strcmp(decision, "allow") != 0)
        return OK;
    enum status status = OK;
    for (size_t i = 0; i < json_array_size(relations) && status == OK; i++) {
        const json_t *relation = json_array_get(relations, i);
        status = use(tally, role, mission, relation, "");
        for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
            const json_t *list = json_object_get(relation, lists[k]);
            for (size_t c = 0; c < json_array_size(list) && status == OK; c++)
                status =
                    use(tally, role, mission, relation, json_string_value(json_array_get(list, c)));
        }
    }
    return status;
}

/* A relation as a pair may read it. */
struct grant {
    struct tally *tally;
    const char *role, *mission, *schema, *name;
    const struct policy_table *table;
    const struct policy_rule *rule;
    struct tally_group *group; /* NULL: every column so far was used */
    uint64_t columns;
};

static bool is_used(const struct grant *grant, const char *column)
{
    char key[KEY_MAX];
    size_t len = make_key(key, grant->role, grant->mission, grant->schema, grant->name, column);
    return map_get(grant->tally->open, key, len) != NULL;
}

static enum status look_at_column(struct grant *grant, const char *column)
{
    const struct policy_mask *mask =
        policy_mask_for(grant->tally->policy, grant->table, grant->rule, column);
    if (mask->kind == MASK_HIDE)
        return OK;
    grant->columns++;
    if (is_used(grant, column))
        return OK;
    if (!grant->group) {
        char full[1024];
        char rule[1024];
        const char *file = grant->rule->place.file ? strrchr(grant->rule->place.file, '/') : NULL;
        (void)snprintf(full, sizeof full, "%s.%s", grant->schema, grant->name);
        (void)snprintf(rule, sizeof rule, "%s:%u", file ? file + 1 : grant->rule->place.file,
                       grant->rule->place.line);
        const char *cells[TALLY_CELLS] = {grant->role, grant->mission, full,
                                          tally_yes(grant->tally, !is_used(grant, "")), rule};
        grant->group = tally_group(grant->tally, cells);
        if (!grant->group)
            return ERR_LIMIT;
    }
    grant->group->numbers[0]++;
    return tally_name(grant->tally, grant->group, 0, column);
}

static enum status look_at_named(struct grant *grant)
{
    const struct policy_table *table = grant->table;
    enum status status = OK;
    for (size_t i = 0; i < table->category_count; i++)
        for (size_t k = 0; k < table->categories[i].column_count && status == OK; k++)
            status = look_at_column(grant, table->categories[i].columns[k]);
    return status;
}

static enum status finish_grant(struct grant *grant, enum status status)
{
    if (grant->group)
        grant->group->numbers[1] = grant->columns;
    return status;
}

static enum status look_at_policy(struct tally *tally, int role, int mission)
{
    const struct policy *policy = tally->policy;
    enum status status = OK;
    for (size_t i = 0; i < policy->table_count && status == OK; i++) {
        const struct policy_table *table = &policy->tables[i];
        if (table->pattern)
            continue;
        struct grant grant = {.tally = tally,
                              .role = policy->roles[role].name,
                              .mission = policy->missions[mission].name,
                              .schema = table->schema,
                              .name = table->name,
                              .table = table};
        grant.rule = policy_rule_for(policy, role, mission, table->schema, table->name);
        if (grant.rule)
            status = finish_grant(&grant, look_at_named(&grant));
    }
    return status;
}

static enum status look_at_catalog(struct tally *tally, int role, int mission)
{
    const struct policy *policy = tally->policy;
    enum status status = OK;
    for (size_t i = 0; i < tally->catalog->relation_count && status == OK; i++) {
        const struct catalog_relation *relation = &tally->catalog->relations[i];
        const struct catalog_relation *as = NULL;
        struct grant grant = {.tally = tally,
                              .role = policy->roles[role].name,
                              .mission = policy->missions[mission].name,
                              .schema = relation->schema,
                              .name = relation->name};
        /* A partition is read through its parent. */
        if (relation->partition ||
            !guard_governing(policy, tally->catalog, role, mission, relation, &grant.table,
                             &grant.rule, &as) ||
            !grant.rule || !grant.table)
            continue;
        for (size_t c = 0; c < relation->column_count && status == OK; c++)
            status = look_at_column(&grant, relation->columns[c].name);
        status = finish_grant(&grant, status);
    }
    return status;
}

static enum status finish(struct tally *tally)
{
    const struct policy *policy = tally->policy;
    enum status status = OK;
    for (size_t r = 0; r < policy->role_count; r++) {
        const struct policy_role *role = &policy->roles[r];
        for (size_t m = 0; m < role->mission_count && !role->unrestricted && status == OK; m++) {
            int mission = (int)role->missions[m];
            status = tally->catalog ? look_at_catalog(tally, (int)r, mission)
                                    : look_at_policy(tally, (int)r, mission);
        }
    }
    return status;
}

const struct tally_kind tally_grants = {
    .name = "unused-grants",
    .about = "what the policy lets a role read in a mission, and nobody did: -c",
    .title = {"Granted and never used", "Accordé et jamais utilisé"},
    .note =
        {"Used is what a statement that was allowed named, in that role and mission and period. "
         "A period in\nwhich rare work was not done (a year's end, an inspection) says nothing "
         "of it. Without --catalog,\ntables and columns that the policy names by patterns are "
         "not looked at.",
         "Utilisé : nommé par une requête autorisée, dans cette fonction, cette mission et cette "
         "période.\nUne période sans tel travail rare (clôture, inspection) n'en dit rien. Sans "
         "--catalog, les tables\net colonnes que la politique nomme par motifs ne sont pas "
         "examinées."},
    .columns = columns,
    .column_count = sizeof columns / sizeof columns[0],
    .needs_policy = true,
    .either = {"\"decision\":\"allow\""},
    .add = add,
    .finish = finish,
};
