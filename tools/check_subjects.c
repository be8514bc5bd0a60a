/*
 * check_subjects.c: views that a rule opens and that tell of patients without saying of whom.
 *
 * A view with an entry of its own and no `subject` is about nobody to the audit: a record of its
 * rows names nobody and calls itself exact. Where it reads a table that has a subject, that is most
 * likely an oversight.
 */
#include "tools/check_database.h"

#include <libpq-fe.h>
#include <stdio.h>

/* What a view reads, through other views too. */
static const char reads[] =
    "WITH RECURSIVE below AS (\n"
    "    SELECT $1::pg_catalog.oid AS oid\n"
    "    UNION SELECT d.refobjid FROM below b\n"
    "    JOIN pg_catalog.pg_rewrite r ON r.ev_class = b.oid\n"
    "    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass\n"
    "        AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)\n"
    "SELECT n.nspname, c.relname FROM below b JOIN pg_catalog.pg_class c ON c.oid = b.oid\n"
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    "WHERE b.oid <> $1::pg_catalog.oid ORDER BY 1, 2";

/* The first is enough: the view needs a subject. */
static void check_view(struct check *check, const struct catalog_relation *view,
                       const struct policy_table *entry)
{
    char oid[16];
    (void)snprintf(oid, sizeof(oid), "%u", view->oid);
    PGresult *result = check_query(check, reads, 1, (const char *const[]){oid});
    for (int row = 0; result != NULL && row < PQntuples(result); row++) {
        const char *schema = PQgetvalue(result, row, 0);
        const char *name = PQgetvalue(result, row, 1);
        const struct policy_table *table = policy_table_for(check->policy, schema, name);
        if (table == NULL || table->subject == NULL) {
            continue;
        }
        check_say(check, CHECK_INFO, &entry->place,
                  "%s.%s reads %s.%s, whose rows are of patients, and has no \"subject\": records "
                  "of what it shows name nobody",
                  view->schema, view->name, schema, name);
        break;
    }
    PQclear(result);
}

void check_subjects(struct check *check)
{
    for (size_t i = 0; i < check->catalog->relation_count; i++) {
        const struct catalog_relation *relation = &check->catalog->relations[i];
        const struct policy_table *entry =
            policy_table_for(check->policy, relation->schema, relation->name);
        if ((relation->kind == 'v' || relation->kind == 'm') && entry != NULL &&
            entry->subject == NULL) {
            check_view(check, relation, entry);
        }
    }
}
