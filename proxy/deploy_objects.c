/*
 * deploy_objects.c: large objects and the generations of guards.
 *
 * A large object belongs to the role under which it was made, a pair's, and each generation has
 * roles of its own. So a new generation's pair takes over what the pair of that name has, while
 * sessions of the old one go on reading and writing; and what a role still has when it is dropped
 * becomes the guards' owner's. None is ever removed: they are data.
 *
 * Trust boundary: names are pgvigil's own roles', quoted by format().
 */
#include "proxy/deploy.h"

#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* A pair's name without its generation, "@" and eight digits: see guard_name.c. One that was too
 * long is hashed with them, and has no successor. */
static const char take_over_sql[] =
    "DO $pgvigil$ DECLARE o pg_catalog.record; BEGIN\n"
    "FOR o IN SELECT DISTINCT m.oid AS object, a.privilege_type AS right, now.name AS now\n"
    "    FROM pg_catalog.pg_largeobject_metadata m CROSS JOIN LATERAL "
    "pg_catalog.aclexplode(m.lomacl) a\n"
    "    JOIN pg_catalog.pg_roles was ON was.oid = a.grantee AND was.oid <> m.lomowner\n"
    "    JOIN pg_catalog.unnest(%s::pg_catalog.name[]) now(name)\n"
    "        ON pg_catalog.left(now.name, -9) = pg_catalog.left(was.rolname, -9) AND now.name <> "
    "was.rolname\n"
    "    JOIN pg_catalog.pg_roles r ON r.rolname = now.name AND r.oid <> m.lomowner\n"
    "    WHERE was.rolname LIKE 'pgvigil:%%@%%' LOOP\n"
    "    EXECUTE pg_catalog.format('GRANT %%s ON LARGE OBJECT %%s TO %%I', o.right, o.object, "
    "o.now);\n"
    "END LOOP;\n"
    "FOR o IN SELECT m.oid AS object, was.rolname AS was, now.name AS now\n"
    "    FROM pg_catalog.pg_largeobject_metadata m JOIN pg_catalog.pg_roles was ON was.oid = "
    "m.lomowner\n"
    "    JOIN pg_catalog.unnest(%s::pg_catalog.name[]) now(name)\n"
    "        ON pg_catalog.left(now.name, -9) = pg_catalog.left(was.rolname, -9) AND now.name <> "
    "was.rolname\n"
    "    WHERE was.rolname LIKE 'pgvigil:%%@%%' LOOP\n"
    "    EXECUTE pg_catalog.format('ALTER LARGE OBJECT %%s OWNER TO %%I', o.object, o.now);\n"
    "    EXECUTE pg_catalog.format('GRANT SELECT, UPDATE ON LARGE OBJECT %%s TO %%I', o.object, "
    "o.was);\n"
    "END LOOP;\n"
    "EXCEPTION WHEN insufficient_privilege THEN\n"
    "    RAISE WARNING 'large objects of an older generation stay its own: deploy as a superuser "
    "to hand them over';\n"
    "END $pgvigil$";

/* '{"a","b"}' of the pairs that may use large objects, as an SQL literal; NULL: there is none. */
static const char *pairs_literal(struct deploy *deploy)
{
    const struct policy *policy = deploy->policy;
    struct buf list;
    buf_init(&list, 0);
    for (size_t i = 0; i < policy->role_count; i++) {
        for (size_t k = 0; policy_role_allows(policy, (int)i, ALLOW_LARGE_OBJECTS) &&
                           k < policy->roles[i].mission_count;
             k++) {
            const char *pair =
                guard_pair_name(policy, (int)i, (int)policy->roles[i].missions[k], deploy->arena);
            buf_str(&list, buf_len(&list) == 0 ? "ARRAY[" : ", ");
            if (pair == NULL)
                list.failed = true;
            else
                text_quote_literal(&list, pair);
        }
    }
    if (buf_len(&list) == 0 && !list.failed) {
        buf_free(&list);
        return "";
    }
    buf_byte(&list, ']');
    return text_take(&list, deploy->arena);
}

enum status deploy_objects(struct deploy *deploy)
{
    const char *pairs = pairs_literal(deploy);
    if (pairs == NULL)
        return ERR_MEMORY;
    if (pairs[0] == '\0')
        return OK;
    const char *sql = arena_printf(deploy->arena, take_over_sql, pairs, pairs);
    return sql == NULL ? ERR_MEMORY : deploy_run(deploy, sql, "handing large objects over");
}

const char *deploy_objects_drop(struct deploy *deploy)
{
    const char *owner = text_literal(deploy->arena, deploy->owner);
    if (owner == NULL)
        return NULL;
    return arena_printf(
        deploy->arena,
        "SELECT pg_catalog.format('ALTER LARGE OBJECT %%s OWNER TO %%I', m.oid, %s)\n"
        "FROM pg_catalog.pg_largeobject_metadata m JOIN pg_catalog.pg_roles r ON r.oid = "
        "m.lomowner\n"
        "WHERE r.rolname LIKE 'pgvigil:%%' AND pg_catalog.starts_with(\n"
        "    pg_catalog.shobj_description(r.oid, 'pg_authid'), 'pgvigil ' || $1)\n"
        "UNION ALL SELECT DISTINCT pg_catalog.format('REVOKE ALL ON LARGE OBJECT %%s FROM %%I', "
        "m.oid, r.rolname)\n"
        "FROM pg_catalog.pg_largeobject_metadata m CROSS JOIN LATERAL "
        "pg_catalog.aclexplode(m.lomacl) a\n"
        "JOIN pg_catalog.pg_roles r ON r.oid = a.grantee AND r.oid <> m.lomowner\n"
        "WHERE r.rolname LIKE 'pgvigil:%%' AND pg_catalog.starts_with(\n"
        "    pg_catalog.shobj_description(r.oid, 'pg_authid'), 'pgvigil ' || $1)",
        owner);
}
