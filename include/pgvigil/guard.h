/*
 * guard.h: from policy and catalog to the views, roles and grants that PostgreSQL enforces.
 *
 * Pure text: nothing here talks to a server. tools/deploy.c runs the plan in one transaction.
 *
 * Names. A pair (role, mission) of a generation is at once a NOLOGIN role and a schema:
 * pgvigil:<role>/<mission>@<generation>. Built-in guards over the system catalogs stand once a generation in
 * pgvigil:catalog@<generation>; they find out whose turn it is by current_user, which is the pair. A name over
 * 63 bytes keeps its readable start and ends in a hash. The view of public.patients is named "public.patients",
 * of ONLY public.patients "public.patients!only". Each guard carries COMMENT ON VIEW in the form
 * quote_ident(schema) || '.' || quote_ident(name) [ || ' only' ], which is how it is found again; each guard schema
 * carries COMMENT ON SCHEMA 'pgvigil <digest>'.
 *
 * Settings on a server connection that guards read (all text; set by pgvigil, never by clients):
 *   pgvigil.u_name, pgvigil.u_<attribute>, pgvigil.s_<setting>, pgvigil.address   placeholders
 *   pgvigil.search_path    the session's path as an array literal, for pg_table_is_visible and the like
 *   pgvigil.key_<mission>  pseudonym key of a mission: 256 hex digits, (K xor ipad) then (K xor opad) of HMAC-SHA-256,
 *                          at connection start-up only. A '-' in a name becomes '$' in a setting.
 *
 * Server connections of pairs run under search_path = '' always, so every reference in what judge() emits is
 * qualified and only pg_catalog's operators are found.
 */
#ifndef PGVIGIL_GUARD_H
#define PGVIGIL_GUARD_H

#include <pgvigil/arena.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

/* In the arena; NULL when it is out of memory. */
const char *guard_pair_name(const struct policy *policy, int role, int mission, struct arena *arena);
const char *guard_catalog_schema(const struct policy *policy, struct arena *arena);
const char *guard_view_name(const char *schema, const char *name, bool only, struct arena *arena);

/* The rule and table entry that govern a relation for a pair: its own, or, for a partition or inheritance child
 * without one, its parent's (with *as the parent whose name filters use). false: closed. */
bool guard_governing(const struct policy *policy, const struct catalog *catalog, int role, int mission,
                     const struct catalog_relation *relation, const struct policy_table **table,
                     const struct policy_rule **rule, const struct catalog_relation **as);

/*
 * The SELECT that is a guard's body, and the columns it shows. ERR_INVALID with *why (a sentence) when the rule
 * cannot be a guard here (pseudonym on an int, a view that needs its own rule...). For a view without a rule of its
 * own, the expansion of its definition over guards.
 */
NODISCARD enum status guard_definition(const struct policy *policy, const struct catalog *catalog, int role,
                                       int mission, const struct catalog_relation *relation, bool only,
                                       struct arena *arena, const char **sql, const char *const **columns,
                                       size_t *column_count, const char **why);

struct guard_statement {
    const char *sql;
    const char *about; /* "guard nurse/care public.patients": for --dry-run headings, progress and errors */
};
struct guard_plan {
    const struct guard_statement *statements; /* run in order, in one transaction */
    size_t count;
    const char *const *warnings; /* relations left out and why */
    size_t warning_count;
    size_t pair_count;
    size_t view_count;
};
/* Everything that makes this generation, assuming none of it exists. `owner` owns the guards; `login` is granted the
 * pairs' roles. The statements end with SET ROLE undone and comments in place. */
NODISCARD enum status guard_plan_make(const struct policy *policy, const struct catalog *catalog, const char *owner,
                                      const char *login, struct arena *arena, struct guard_plan *plan);

/* The system catalogs (policy/guard_catalog*.c). */
enum catalog_access {
    CATALOG_CLOSED = 0, /* refused by name */
    CATALOG_OPEN,       /* holds nothing about data: pg_am, pg_cast...: read as it is, qualified */
    CATALOG_GUARDED     /* a built-in guard stands in guard_catalog_schema */
};
enum catalog_access guard_catalog_access(const char *schema, const char *relation);
/* A pg_catalog function, or SQL value function (current_user, session_user, user, current_role, current_schema,
 * current_catalog), that is replaced by a built-in guard function of the same name in guard_catalog_schema. */
bool guard_catalog_function(const char *name);

#endif
