/*
 * functions.c: which pg_catalog functions a restricted session may call.
 *
 * The table is functions.list, reviewed by hand for PostgreSQL 15 and turned into C at build time.
 * A name that is not in it (a newer server's) is FUNCTION_UNKNOWN, which everybody treats as
 * refused. Verdicts are by name, not by signature: one bad overload closes them all.
 */
#include "functions.h"

#include <pgvigil/guard.h>
#include <stdlib.h>
#include <string.h>

enum entry_verdict { ENTRY_DENY = 0, ENTRY_GUARD, ENTRY_ALLOW };

struct entry {
    const char *name;
    enum entry_verdict verdict;
    const char *reason;
};

static const struct entry entries[] = {
#include "functions_table.inc"
};

/* Sorted. Columns in their arguments need no grouping. */
static const char *const aggregates[] = {
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "cume_dist",
    "dense_rank",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "mode",
    "percent_rank",
    "percentile_cont",
    "percentile_disc",
    "range_agg",
    "range_intersect_agg",
    "rank",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
    "xmlagg",
};

/* Sorted. Of those that may be called: what answers otherwise each time, within one statement. */
static const char *const volatiles[] = {
    "clock_timestamp", "currval",       "gen_random_uuid", "lastval", "lo_close",
    "lo_creat",        "lo_create",     "lo_from_bytea",   "lo_get",  "lo_lseek",
    "lo_lseek64",      "lo_open",       "lo_put",          "lo_tell", "lo_tell64",
    "lo_truncate",     "lo_truncate64", "lo_unlink",       "loread",  "lowrite",
    "nextval",         "random",        "timeofday"};

static int entry_compare(const void *key, const void *entry)
{
    return strcmp(key, ((const struct entry *)entry)->name);
}

static int string_compare(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

static const struct entry *find(const char *name)
{
    return bsearch(name, entries, sizeof(entries) / sizeof(entries[0]), sizeof(entries[0]),
                   entry_compare);
}

enum function_class functions_class(const char *name, const char **reason)
{
    *reason = NULL;
    if (guard_catalog_function(name))
        return FUNCTION_GUARDED;
    const struct entry *entry = find(name);
    if (entry == NULL)
        return FUNCTION_UNKNOWN;
    *reason = entry->reason;
    if (entry->verdict == ENTRY_ALLOW)
        return FUNCTION_ALLOWED;
    /* ENTRY_GUARD without a guard of that name: closed. */
    if (*reason == NULL)
        *reason = "catalog-definition";
    return FUNCTION_DENIED;
}

bool guard_function_listed(const char *name)
{
    return find(name) != NULL;
}

bool functions_aggregate(const char *name)
{
    return bsearch(name, aggregates, sizeof(aggregates) / sizeof(aggregates[0]),
                   sizeof(aggregates[0]), string_compare) != NULL;
}

bool functions_volatile(const char *name)
{
    return bsearch(name, volatiles, sizeof(volatiles) / sizeof(volatiles[0]), sizeof(volatiles[0]),
                   string_compare) != NULL;
}
