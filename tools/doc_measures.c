/*
 * doc_measures.c: what protects the records, as configuration and policy have it (see doc.h).
 *
 * Only what is switched on is a measure. What is switched off that a reader would take for granted
 * (encryption on the way, enforcement itself) is a weakness, and is told as one. What no file knows
 * (fire doors, antivirus, training) is not told at all: the document says that it is not.
 */
#include "tools/doc.h"

#include <libpq-fe.h>
#include <string.h>

struct lists {
    json_t *measures;
    json_t *weaknesses;
};

/* Takes `details`, an object, and names it. */
static void put(json_t *list, const char *name, json_t *details)
{
    (void)json_object_set_new(details, "name", json_string(name));
    (void)json_array_append_new(list, details);
}

static void put_if(json_t *list, bool there, const char *name)
{
    if (there)
        put(list, name, json_object());
}

static bool is_verified(const char *conninfo)
{
    PQconninfoOption *options = conninfo ? PQconninfoParse(conninfo, NULL) : NULL;
    bool verified = false;
    bool socket = false;
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        if (option->val && strcmp(option->keyword, "sslmode") == 0)
            verified = strcmp(option->val, "verify-full") == 0;
        else if (option->val && strcmp(option->keyword, "host") == 0)
            socket = option->val[0] == '/';
    }
    PQconninfoFree(options);
    return verified || socket;
}

static void connections(const struct config *config, struct lists *lists)
{
    bool verified = true;
    bool observed = false;
    for (size_t i = 0; i < config->database_count; i++) {
        const struct config_database *database = &config->databases[i];
        verified = verified && is_verified(database->conninfo) &&
                   (!database->unrestricted || is_verified(database->unrestricted));
        observed = observed || database->observe;
    }
    put_if(lists->measures, config->listen.certificate && !config->listen.plaintext, "tls-clients");
    put_if(lists->measures, verified, "tls-database");
    put_if(lists->measures, config->listen.client_ca != NULL, "client-certificates");
    put_if(lists->weaknesses, config->listen.plaintext, "plaintext");
    put_if(lists->weaknesses, !verified, "database-unverified");
    put_if(lists->weaknesses, observed, "observe");
    put_if(lists->measures, !observed, "views");
}

static void people(const struct policy *policy, const struct config *config, struct lists *lists)
{
    json_int_t counts[4] = {0};
    json_int_t shared = 0;
    for (size_t i = 0; i < policy->user_count; i++) {
        counts[policy->users[i].auth]++;
        shared += policy->users[i].on_behalf != NULL;
    }
    put(lists->measures, "accounts",
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "password", counts[AUTH_SCRAM], "certificate",
                  counts[AUTH_CERT], "both", counts[AUTH_CERT_AND_SCRAM], "acted_for",
                  counts[AUTH_NONE], "shared", shared));
    put(lists->measures, "failed-logins",
        json_pack("{s:I}", "count", (json_int_t)config->limits.failed_logins));
    put(lists->measures, "roles",
        json_pack("{s:I, s:I, s:I}", "roles", (json_int_t)policy->role_count, "missions",
                  (json_int_t)policy->mission_count, "rules", (json_int_t)policy->rule_count));
}

static bool uses_mask(const struct policy *policy, enum policy_mask_kind kind)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        for (size_t k = 0; k < policy->rules[i].column_count; k++) {
            if (policy->masks[policy->rules[i].columns[k].mask].kind == kind)
                return true;
        }
    }
    return false;
}

static void missions(const struct policy *policy, struct lists *lists)
{
    bool rows = policy->retention != NULL || policy->right_count > 0;
    bool limited = false;
    bool when = false;
    for (size_t i = 0; i < policy->rule_count; i++)
        rows = rows || policy->rules[i].rows != NULL;
    for (size_t i = 0; i < policy->mission_count; i++) {
        const struct policy_mission *mission = &policy->missions[i];
        limited = limited || mission->max_rows || mission->rows_per_hour;
        when = when || mission->hours_count || mission->address_count;
        if (mission->aggregate_only)
            put(lists->measures, "aggregate",
                json_pack("{s:s, s:I, s:I}", "mission", mission->name, "k",
                          (json_int_t)mission->aggregate_only->k, "statements_per_day",
                          (json_int_t)mission->aggregate_only->statements_per_day));
        if (mission->break_glass)
            put(lists->measures, "break-glass",
                json_pack("{s:s, s:I, s:I}", "mission", mission->name, "minutes",
                          (json_int_t)mission->break_glass->minutes, "reason_min",
                          (json_int_t)mission->break_glass->reason_min));
    }
    put_if(lists->measures, rows, "rows");
    put_if(lists->measures, uses_mask(policy, MASK_PSEUDONYM), "pseudonyms");
    put_if(lists->measures, uses_mask(policy, MASK_EXPRESSION), "masks");
    put_if(lists->measures, limited, "limits");
    put_if(lists->measures, when, "hours");
}

static void trail(const struct config *config, struct lists *lists)
{
    const struct audit_options *audit = &config->audit;
    put(lists->measures, "trail",
        json_pack("{s:I, s:b}", "checkpoint_seconds", (json_int_t)audit->checkpoint_seconds,
                  "synced", audit->durability == AUDIT_SYNCED));
    if (audit->retention.technical_days)
        put(lists->measures, "trail-retention",
            json_pack("{s:I, s:I, s:s*}", "technical_days",
                      (json_int_t)audit->retention.technical_days, "care_years",
                      (json_int_t)audit->retention.care_years, "justification",
                      audit->retention.justification));
    if (config->ship_count)
        put(lists->measures, "ship", json_pack("{s:I}", "count", (json_int_t)config->ship_count));
    put_if(lists->measures, config->alert_command != NULL, "alert");
}

json_t *doc_measures(const struct doc *doc)
{
    struct lists lists = {json_array(), json_array()};
    connections(doc->config, &lists);
    people(doc->policy, doc->config, &lists);
    missions(doc->policy, &lists);
    trail(doc->config, &lists);
    return json_pack("{s:o, s:o}", "measures", lists.measures, "weaknesses", lists.weaknesses);
}
