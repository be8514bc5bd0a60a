/*
 * deploy_drop.c: taking generations of guards away, without a trace.
 *
 * Everything of pgvigil's is found by its name ("pgvigil:...") and its comment ("pgvigil
 * <digest>"); what has one without the other is left alone. Roles belong to the cluster: one that
 * another database still uses stays until that database is cleaned too.
 */
#include "proxy/deploy.h"

#include <stdlib.h>
#include <string.h>

/* The digests that stand here, and whether a session works with each (guard.h: GUARD_LOCK_CLASS).
 */
static const char generations_sql[] =
    "SELECT g.digest, EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory'\n"
    "    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = "
    "pg_catalog.current_database())\n"
    "    AND l.classid = 1886221927 AND l.objid = ('x' || pg_catalog.left(g.digest, "
    "8))::bit(32)::bigint::pg_catalog.oid)\n"
    "FROM (SELECT pg_catalog.split_part(pg_catalog.obj_description(n.oid, 'pg_namespace'), ' ', 2) "
    "AS digest\n"
    "      FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'pgvigil:%'\n"
    "      AND pg_catalog.starts_with(pg_catalog.obj_description(n.oid, 'pg_namespace'), 'pgvigil "
    "')\n"
    "      UNION SELECT pg_catalog.split_part(pg_catalog.shobj_description(r.oid, 'pg_authid'), ' "
    "', 2)\n"
    "      FROM pg_catalog.pg_roles r WHERE r.rolname LIKE 'pgvigil:%'\n"
    "      AND pg_catalog.starts_with(pg_catalog.shobj_description(r.oid, 'pg_authid'), 'pgvigil "
    "')) g\n"
    "ORDER BY 1";

static const char schemas_sql[] =
    "SELECT pg_catalog.format('DROP SCHEMA %I CASCADE', n.nspname) FROM pg_catalog.pg_namespace n\n"
    "WHERE n.nspname LIKE 'pgvigil:%' AND pg_catalog.starts_with(pg_catalog.obj_description(n.oid, "
    "'pg_namespace'),\n"
    "    'pgvigil ' || $1) ORDER BY n.nspname";

/* What a pair's role holds outside its own schema: rights to name schemas, to call functions, to
 * truncate tables and to draw from sequences. */
static const char rights_sql[] =
    "SELECT DISTINCT pg_catalog.format('REVOKE ALL ON SCHEMA %I FROM %I', n.nspname, r.rolname)\n"
    "FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a\n"
    "JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE r.rolname LIKE 'pgvigil:%'\n"
    "AND pg_catalog.starts_with(pg_catalog.shobj_description(r.oid, 'pg_authid'), 'pgvigil ' || "
    "$1)\n"
    "UNION SELECT pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM %I', "
    "p.oid::pg_catalog.regprocedure, r.rolname)\n"
    "FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a\n"
    "JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE r.rolname LIKE 'pgvigil:%'\n"
    "AND pg_catalog.starts_with(pg_catalog.shobj_description(r.oid, 'pg_authid'), 'pgvigil ' || "
    "$1)\n"
    "UNION SELECT pg_catalog.format('REVOKE ALL ON TABLE %s FROM %I', "
    "s.oid::pg_catalog.regclass, r.rolname)\n"
    "FROM pg_catalog.pg_class s CROSS JOIN LATERAL pg_catalog.aclexplode(s.relacl) a\n"
    "JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE s.relkind IN ('r', 'p') AND r.rolname "
    "LIKE 'pgvigil:%'\n"
    "AND pg_catalog.starts_with(pg_catalog.shobj_description(r.oid, 'pg_authid'), 'pgvigil ' || "
    "$1)\n"
    "UNION SELECT pg_catalog.format('REVOKE ALL ON SEQUENCE %s FROM %I', "
    "s.oid::pg_catalog.regclass, r.rolname)\n"
    "FROM pg_catalog.pg_class s CROSS JOIN LATERAL pg_catalog.aclexplode(s.relacl) a\n"
    "JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE s.relkind = 'S' AND r.rolname LIKE "
    "'pgvigil:%'\n"
    "AND pg_catalog.starts_with(pg_catalog.shobj_description(r.oid, 'pg_authid'), 'pgvigil ' || "
    "$1) ORDER BY 1";

static const char roles_sql[] =
    "SELECT pg_catalog.format('DROP ROLE %I', r.rolname), EXISTS (SELECT FROM "
    "pg_catalog.pg_shdepend s\n"
    "    WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = r.oid\n"
    "    AND s.dbid NOT IN (0, (SELECT d.oid FROM pg_catalog.pg_database d\n"
    "        WHERE d.datname = pg_catalog.current_database())))\n"
    "FROM pg_catalog.pg_roles r WHERE r.rolname LIKE 'pgvigil:%'\n"
    "AND pg_catalog.starts_with(pg_catalog.shobj_description(r.oid, 'pg_authid'), 'pgvigil ' || "
    "$1)\n"
    "ORDER BY r.rolname";

/* Runs the statements that a query gives, but for lines whose second column is true. */
static enum status run_each(struct deploy *deploy, const char *sql, const char *digest,
                            const char *about, bool counts)
{
    PGresult *result = NULL;
    enum status status = deploy_query(deploy, sql, 1, &digest, &result);
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        if (PQnfields(result) > 1 && PQgetvalue(result, row, 1)[0] == 't') {
            continue;
        }
        status = deploy_run(deploy, PQgetvalue(result, row, 0), about);
        deploy->dropped += counts && status == OK ? 1 : 0;
    }
    PQclear(result);
    return status;
}

static enum status drop_generation(struct deploy *deploy, const char *digest)
{
    enum status status = run_each(deploy, schemas_sql, digest, "dropping guard schemas", true);
    const char *objects = deploy_objects_drop(deploy);
    if (status == OK) {
        status = objects == NULL ? ERR_MEMORY
                                 : run_each(deploy, objects, digest,
                                            "giving the large objects of the guards' roles to "
                                            "the guards' owner",
                                            false);
    }
    if (status == OK) {
        status = run_each(deploy, rights_sql, digest, "revoking what the guards' roles were given",
                          false);
    }
    return status == OK ? run_each(deploy, roles_sql, digest, "dropping guard roles", true)
                        : status;
}

enum status deploy_drop(struct deploy *deploy, const char *keep, bool unused)
{
    PGresult *result = NULL;
    enum status status = deploy_query(deploy, generations_sql, 0, NULL, &result);
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        const char *digest = PQgetvalue(result, row, 0);
        bool used = PQgetvalue(result, row, 1)[0] == 't';
        if (strlen(digest) != 32 || (keep != NULL && strcmp(digest, keep) == 0)) {
            continue;
        }
        if (unused && used) {
            (void)fprintf(stderr, "generation %.8s is still used by a session and stays\n", digest);
            continue;
        }
        status = drop_generation(deploy, digest);
    }
    PQclear(result);
    return status;
}
