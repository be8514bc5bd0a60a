/*
 * guard.h: from policy and catalog to the views, roles and grants that PostgreSQL enforces.
 *
 * Pure text: nothing here talks to a server. tools/cmd_deploy.c runs the plan in one transaction.
 *
 * Names. A pair (role, mission) of a generation is at once a NOLOGIN role and a schema:
 * pgvigil:<role>/<mission>@<generation>. Built-in guards over the system catalogs stand once a
 * generation in pgvigil:catalog@<generation>; they find out whose turn it is by current_user, which
 * is the pair. A name over 63 bytes keeps its readable start and ends in a hash. The view of
 * public.patients is named "public.patients", of ONLY public.patients "public.patients!only", the
 * one with the subject "public.patients!subject". Each guard carries COMMENT ON VIEW in the form
 * "schema"."name" (both in double quotes, doubled inside) and " only" or " subject" for those
 * variants, which is how it is found again; each guard schema carries COMMENT
 * ON SCHEMA 'pgvigil <digest>', the catalog one 'pgvigil <digest> <hash of the built-in guards>'.
 *
 * Settings on a server connection that guards read (all text; set by pgvigil, never by clients):
 *   pgvigil.u_name, pgvigil.u_<attribute>, pgvigil.s_<setting>, pgvigil.address   placeholders
 *   pgvigil.search_path    the session's path as an array literal, for pg_table_is_visible and the
 * like pgvigil.key_<mission>  pseudonym key of a mission: 256 hex digits, (K xor ipad) then (K xor
 * opad) of HMAC-SHA-256, at connection start-up only. A '-' in a name becomes '$' in a setting.
 *
 * Server connections of pairs run under search_path = '' always, so every reference in what judge()
 * emits is qualified and only pg_catalog's operators are found.
 */
#ifndef PGVIGIL_GUARD_H
#define PGVIGIL_GUARD_H

#include <pgvigil/arena.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A server connection that works for a generation says so with a session-level shared advisory
 * lock, so that `deploy --prune` leaves it alone: pg_advisory_lock_shared(GUARD_LOCK_CLASS, ('x' ||
 * first 8 digits of the digest)::bit(32)::int).
 */
#define GUARD_LOCK_CLASS 1886221927

/* Of a role that has the mission: the policy's own text; NULL: it has not. */
const char *guard_pair(const struct policy *policy, int role, int mission);
/* In the arena; NULL when it is out of memory. */
const char *guard_pair_name(const struct policy *policy, int role, int mission,
                            struct arena *arena);
const char *guard_catalog_schema(const struct policy *policy, struct arena *arena);
const char *guard_view_name(const char *schema, const char *name, enum guard_variant variant,
                            struct arena *arena);

/* What the policy says of a relation: its own entry, or that of what it is a partition or
 * inheritance child of; NULL: nothing. */
const struct policy_table *guard_table(const struct policy *policy, const struct catalog *catalog,
                                       const struct catalog_relation *relation);

/* The rule and table entry that govern a relation for a pair: its own, or, for a partition or
 * inheritance child without one, its parent's (with *as the parent whose name filters use). false:
 * closed. */
bool guard_governing(const struct policy *policy, const struct catalog *catalog, int role,
                     int mission, const struct catalog_relation *relation,
                     const struct policy_table **table, const struct policy_rule **rule,
                     const struct catalog_relation **as);

/* Whose a row of the relation is, as SQL over it under the name `*alias` (its own, or that of the
 * parent whose entry it follows). *sql NULL: its rows are about nobody. ERR_INVALID with *why. */
NODISCARD enum status guard_subject(const struct policy *policy, const struct catalog *catalog,
                                    const struct catalog_relation *relation, struct arena *arena,
                                    const char **sql, const char **alias, const char **why);

/* Does nobody stand twice in the table of `retention`? By a key of its own over the subject. */
bool guard_people_unique(const struct policy *policy, const struct catalog *catalog);

/* The setting that holds a mission's pseudonym key: "pgvigil.key_research". In the arena. */
const char *guard_key_setting(const char *mission, struct arena *arena);

/*
 * The SELECT that is a guard's body, and the columns it shows (GUARD_SUBJECT's last one tells the
 * subject; DENIED where a row is about nobody). For a view without a rule of its own, the expansion
 * of its definition over guards (GUARD_SUBJECT's tells a list; DENIED where a row may be of more
 * than it can tell). DENIED: the relation does not exist for this pair (*why NULL).
 * ERR_INVALID with *why (a sentence): it should, and cannot (pseudonym on an int, a view that needs
 * its own rule...).
 */
NODISCARD enum status guard_definition(const struct policy *policy, const struct catalog *catalog,
                                       int role, int mission,
                                       const struct catalog_relation *relation,
                                       enum guard_variant variant, struct arena *arena,
                                       const char **sql, const char *const **columns,
                                       size_t *column_count, const char **why);

/* The same of a table of patients in a mission that is aggregate_only, all rows and whose they are:
 * what cells are made of. For deploy to look at the expressions in it. */
NODISCARD enum status guard_cube_definition(const struct policy *policy,
                                            const struct catalog *catalog, int role, int mission,
                                            const struct catalog_relation *relation,
                                            struct arena *arena, const char **sql,
                                            const char **why);

/*
 * What the guard that is `r` (pg_rewrite) reads, by the names of the moment, as an MD5: everything
 * that its rule depends on, with the labels of enums. PostgreSQL's views follow renames silently: a
 * guard made of patients.phone goes on showing that column under that name when the column has
 * become another's, and the policy, which speaks of names, no longer says what the guard does. So
 * deploy leaves it as the comment of the guard's rule, and a guard for which it has changed is none
 * until it is made again. Reads the catalogs only and takes no lock: a guard that somebody is
 * changing must not hold up those who look.
 */
#define GUARD_READS_SQL                                                                            \
    "pg_catalog.md5(COALESCE((SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', i.type, "     \
    "i.identity,\n"                                                                                \
    "    (SELECT pg_catalog.string_agg(e.enumlabel::pg_catalog.text, ',' ORDER BY "                \
    "e.enumsortorder)\n"                                                                           \
    "     FROM pg_catalog.pg_enum e WHERE e.enumtypid = d.refobjid\n"                              \
    "     AND d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass)), ';'\n"                   \
    "    ORDER BY d.refclassid, d.refobjid, d.refobjsubid)\n"                                      \
    "FROM (SELECT DISTINCT k.refclassid, k.refobjid, k.refobjsubid FROM pg_catalog.pg_depend k\n"  \
    "    WHERE k.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND k.objid = r.oid\n"     \
    "    AND (k.refclassid <> 'pg_catalog.pg_class'::pg_catalog.regclass OR k.refobjid <> "        \
    "r.ev_class)) d\n"                                                                             \
    "CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) "   \
    "i), ''))"

struct guard_statement {
    const char *sql;
    const char *
        about; /* "guard nurse/care public.patients": for --dry-run headings, progress and errors */
};

/* One guard view of a pair, so that deploy can tell what is there from what should be. */
struct guard_view {
    int role;
    int mission;
    const char *pair;
    const char *view;
    const struct catalog_relation *relation;
    enum guard_variant variant;
    bool expansion;   /* of a view without a rule: PostgreSQL may refuse it, which leaves only this
                         view out */
    const char *hash; /* 32 hex over everything below: equal means nothing to do */
    const char *body; /* the SELECT */
    const char *const *columns;
    size_t column_count;
    const struct guard_statement *statements; /* make it; run as the owner */
    size_t count;
};

/* Something a plan leaves out, or cannot do. */
struct guard_finding {
    bool
        error; /* the plan must not be run; else a warning: the relation is left out for the pair */
    const char *message;
    struct policy_place place; /* file NULL: none */
};

/* A step: plain statements, then views, then plain ones. */
struct guard_plan {
    const char *catalog_schema;
    const char *digest;
    const char *catalog_hash;            /* 32 hex over the built-in guards */
    const struct guard_statement *roles; /* run as the DBA: roles, memberships, schemas */
    size_t role_count;
    const struct guard_statement
        *built_in; /* run as the owner: the guards over the system catalogs */
    size_t built_in_count;
    const struct guard_view
        *views; /* run as the owner, in this order: what is read stands before what reads */
    size_t view_count;
    const struct guard_statement
        *finish; /* run as the owner: comments that say the generation is whole */
    size_t finish_count;
    const struct guard_finding *findings;
    size_t finding_count;
    size_t error_count;
    const char *const *pairs; /* names of roles and schemas */
    size_t pair_count;
};
/* Everything that makes this generation, assuming none of it exists. `owner` owns the guards;
 * `login` is granted the pairs' roles. Also OK when findings hold errors. */
NODISCARD enum status guard_plan_make(const struct policy *policy, const struct catalog *catalog,
                                      const char *owner, const char *login, struct arena *arena,
                                      struct guard_plan *plan);

/* The system catalogs (policy/guard_catalog*.c). */
enum catalog_access {
    CATALOG_CLOSED = 0, /* refused by name */
    CATALOG_OPEN,       /* holds nothing about data: pg_am, pg_cast...: read as it is, qualified */
    CATALOG_GUARDED     /* a built-in guard stands in guard_catalog_schema */
};
enum catalog_access guard_catalog_access(const char *schema, const char *relation);
/* A pg_catalog function, or SQL value function (current_user, session_user, user, current_role,
 * current_schema, current_catalog), that is replaced by a built-in guard function of the same name
 * in guard_catalog_schema. */
bool guard_catalog_function(const char *name);
/* Does the reviewed list speak of a pg_catalog function of that name, whatever it says? */
bool guard_function_listed(const char *name);
/*
 * Casts to and from reg* types read names through the search path, so they have guards too, in the
 * same schema: for each T of regclass, regtype, regproc, regprocedure, regnamespace, regrole,
 * regoperator, `T_in(text) returns T` (an error as PostgreSQL's when there is none that the pair
 * may see) and `T_out(oid) returns text` (the number when it may not). The judge puts them in the
 * place of 'x'::regclass and oid::regclass.
 */

#endif
