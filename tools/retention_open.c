/*
 * retention_open.c: what `pgvigil retention` works on (retention.h).
 *
 * Trust boundary: the DBA's conninfos; that the archive is another database than the one that
 * records leave is asked of the servers themselves, since a row that is copied onto itself and then
 * deleted is gone.
 */
#include "tools/retention.h"

#include "proxy/catalog_load.h"

#include <pgvigil/guard.h>
#include <pgvigil/text.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int retention_fail(struct retention *retention, enum status status)
{
    if (buf_len(&retention->why) == 0)
        return cli_fail(retention->command, CLI_CANNOT, "%s", status_name(status));
    int code = cli_fail(retention->command, CLI_CANNOT, "%.*s", (int)buf_len(&retention->why),
                        (const char *)buf_head(&retention->why));
    buf_clear(&retention->why);
    return code;
}

const char *retention_side_told(const struct retention *retention,
                                const struct retention_side *side)
{
    return side == &retention->live ? (retention->french ? "la base" : "the database")
                                    : (retention->french ? "les archives" : "the archive");
}

struct rows retention_rows(struct retention *retention, struct retention_side *side)
{
    return (struct rows){.conn = side->conn,
                         .policy = retention->policy,
                         .records = &side->records,
                         .arena = retention->moment,
                         .why = &retention->why,
                         .state = retention->state,
                         .french = retention->french};
}

static int load(struct retention *retention)
{
    const struct cli_command *command = retention->command;
    const char *file = retention->config_file ? retention->config_file : CLI_DEFAULT_CONFIG;
    int code = cli_load_config(file, &retention->config, stderr);
    if (code == CLI_FINE)
        code = cli_load_policy(retention->config->policy, &retention->policy, stderr);
    if (code != CLI_FINE)
        return CLI_CANNOT;
    if (retention->policy->retention == NULL && !retention->all)
        return cli_fail(
            command, CLI_CANNOT,
            retention->french
                ? "la politique n’a pas de « retention » : c’est elle qui dit combien de temps les "
                  "dossiers sont gardés"
                : "the policy has no \"retention\": it says for how long records are kept");
    retention->database = cli_database(command, retention->config, retention->database_name);
    if (retention->database == NULL)
        return retention->database_name ? CLI_CANNOT : CLI_USAGE;
    char *end = NULL;
    unsigned long batch = retention->batch_size ? strtoul(retention->batch_size, &end, 10) : 100;
    if (batch < 1 || batch > 10000 || (end && *end))
        return cli_fail(command, CLI_USAGE,
                        retention->french ? "--batch est un nombre de 1 à 10000"
                                          : "--batch is a number from 1 to 10000");
    retention->batch = batch;
    return CLI_FINE;
}

static int check_people(struct retention *retention, const struct retention_side *side)
{
    if (side->records.people == side->records.count)
        return cli_fail(retention->command, CLI_CANNOT,
                        retention->french ? "%s : il n’y a pas de table %s" : "%s has no table %s",
                        retention_side_told(retention, side), retention->policy->retention->table);
    const struct catalog_relation *people = side->records.tables[side->records.people].relation;
    if (!guard_people_unique(retention->policy, side->catalog))
        return cli_fail(
            retention->command, CLI_CANNOT,
            retention->french
                ? "%s : le « subject » de %s doit avoir une clé primaire ou une contrainte UNIQUE "
                  "à lui seul : d’une personne qui y figure deux fois, nul ne peut dire ce qui est "
                  "dû"
                : "%s: the subject of %s needs a primary key or a UNIQUE constraint of its own: of "
                  "a person who stands there twice nobody can say what is due",
            retention_side_told(retention, side), retention->policy->retention->table);
    if (people->has_children && people->kind == 'r')
        return cli_fail(
            retention->command, CLI_CANNOT,
            retention->french
                ? "%s : %s a des tables filles par héritage, dont les personnes ne seraient pas "
                  "trouvées"
                : "%s: %s has children by inheritance, whose persons would not be found",
            retention_side_told(retention, side), retention->policy->retention->table);
    return CLI_FINE;
}

/* What these commands cannot do, and would do wrong. */
static int check_tables(struct retention *retention, const struct retention_side *side)
{
    int code = retention->policy->retention ? check_people(retention, side) : CLI_FINE;
    if (code != CLI_FINE)
        return code;
    for (size_t i = 0; i < side->records.count; i++) {
        const struct catalog_relation *relation = side->records.tables[i].relation;
        for (size_t k = 0; k < relation->column_count; k++)
            if (strcmp(relation->columns[k].base_type, "oid") == 0)
                return cli_fail(
                    retention->command, CLI_CANNOT,
                    retention->french
                        ? "%s.%s : la colonne « %s » est de type oid et désigne peut-être un « "
                          "large object », que ces commandes laisseraient derrière elles"
                        : "%s.%s: column \"%s\" is of type oid and may name a large object, which "
                          "these commands would leave behind",
                    relation->schema, relation->name, relation->columns[k].name);
    }
    return CLI_FINE;
}

/* A person is found by = as search_path '' knows it. For a type that brings its own (citext), that
 * is the one of text, and the same person written otherwise would be missed. */
static int check_subject(struct retention *retention, struct retention_side *side,
                         const struct records_table *table)
{
    struct arena *arena = retention->arena;
    const char *sql =
        arena_printf(arena, "SELECT (%s) FROM %s LIMIT 0", table->subject, table->from);
    PGresult *result = sql ? PQexec(side->conn, sql) : NULL;
    unsigned type = PQresultStatus(result) == PGRES_TUPLES_OK ? PQftype(result, 0) : 0;
    PQclear(result);
    sql = arena_printf(arena,
                       "SELECT typname FROM pg_catalog.pg_type WHERE oid = %u AND typtype <> 'e' "
                       "AND typnamespace <> 'pg_catalog'::pg_catalog.regnamespace",
                       type);
    const char **own = NULL;
    size_t count = 0;
    struct rows rows = retention_rows(retention, side);
    if (type == 0)
        return cli_fail(retention->command, CLI_CANNOT,
                        retention->french ? "%s : le « subject » de %s n’est pas lisible : %s"
                                          : "%s: the subject of %s cannot be read: %s",
                        retention_side_told(retention, side), table->told,
                        PQerrorMessage(side->conn));
    enum status status = rows_keys(&rows, sql, &own, &count);
    if (status != OK)
        return retention_fail(retention, status);
    return count == 0
               ? CLI_FINE
               : cli_fail(
                     retention->command, CLI_CANNOT,
                     retention->french
                         ? "%s : le « subject » de %s est de type %s, qui a son propre = : des "
                           "lignes de la même personne pourraient échapper ; la politique peut "
                           "dire (...)::text"
                         : "%s: the subject of %s is of type %s, which has an = of its own: rows "
                           "of the same person could be missed; the policy can say (...)::text",
                     retention_side_told(retention, side), table->told, own[0]);
}

static int check_subjects(struct retention *retention, struct retention_side *side)
{
    int code = CLI_FINE;
    for (size_t i = 0; code == CLI_FINE && i < side->records.count; i++)
        code = check_subject(retention, side, &side->records.tables[i]);
    return code;
}

static int look(struct retention *retention, struct retention_side *side)
{
    enum status status =
        catalog_load_conn(side->conn, retention->policy, &side->catalog, &retention->why);
    if (status == OK)
        status = records_find(retention->policy, side->catalog, side->conn, retention->all,
                              retention->arena, &side->records, &retention->why);
    if (status != OK)
        return retention_fail(retention, status);
    int code = retention->reading ? CLI_FINE : check_tables(retention, side);
    if (code != CLI_FINE)
        return code;
    struct rows rows = retention_rows(retention, side);
    status = rows_run(&rows, records_settings);
    if (status != OK)
        return retention_fail(retention, status);
    return retention->reading ? CLI_FINE : check_subjects(retention, side);
}

/* "system identifier, database": NULL where the server does not tell it to this login. */
static const char *place_of(struct retention *retention, PGconn *conn, const char *what)
{
    PGresult *result = PQexec(conn, what);
    const char *place = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1
                            ? arena_strdup(retention->arena, PQgetvalue(result, 0, 0))
                            : NULL;
    PQclear(result);
    return place;
}

static const char server_sql[] = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
static const char database_sql[] =
    "SELECT system_identifier || ' ' || pg_catalog.current_database() FROM "
    "pg_catalog.pg_control_system()";

static int compare_places(struct retention *retention)
{
    const char *one = place_of(retention, retention->live.conn, database_sql);
    const char *other = place_of(retention, retention->archive.conn, database_sql);
    if (!one || !other)
        return cli_fail(retention->command, CLI_CANNOT,
                        retention->french
                            ? "impossible de dire si les archives sont une autre base : le DBA de "
                              "chacune a besoin d’EXECUTE sur pg_control_system()"
                            : "cannot tell whether the archive is another database: the DBA of "
                              "each needs EXECUTE on pg_control_system()");
    if (strcmp(one, other) == 0)
        return cli_fail(retention->command, CLI_USAGE,
                        retention->french ? "--archive est la base elle-même : les dossiers "
                                            "seraient copiés sur eux-mêmes, puis supprimés"
                                          : "--archive is the database itself: records would be "
                                            "copied onto themselves and deleted");
    if (retention->reading)
        return CLI_FINE;
    one = place_of(retention, retention->live.conn, server_sql);
    other = place_of(retention, retention->archive.conn, server_sql);
    if (one && other && strcmp(one, other) == 0)
        (void)cli_fail(retention->command, CLI_FINE,
                       retention->french ? "avertissement : les archives sont sur le même serveur "
                                           "; elles devraient être sur un support distinct"
                                         : "warning: the archive stands on the same server; it "
                                           "should be a support of its own");
    return CLI_FINE;
}

static int open_archive(struct retention *retention)
{
    struct retention_side *archive = &retention->archive;
    archive->conn = PQconnectdb(retention->archive_as);
    if (PQstatus(archive->conn) != CONNECTION_OK) {
        const char *why = PQerrorMessage(archive->conn);
        return cli_fail(retention->command, CLI_CANNOT,
                        retention->french ? "connexion aux archives impossible : %.*s"
                                          : "cannot connect to the archive: %.*s",
                        (int)strcspn(why, "\n"), why);
    }
    int code = compare_places(retention);
    return code == CLI_FINE ? look(retention, archive) : code;
}

int retention_lock(struct retention *retention)
{
    PGconn *const conns[] = {retention->live.conn, retention->archive.conn};
    for (size_t i = 0; i < sizeof conns / sizeof conns[0]; i++) {
        if (!conns[i])
            continue;
        PGresult *result =
            PQexec(conns[i], "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext('pgvigil "
                             "retention'), 1)");
        bool locked =
            PQresultStatus(result) == PGRES_TUPLES_OK && PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
        if (!locked)
            return cli_fail(
                retention->command, CLI_CANNOT,
                retention->french
                    ? "une autre exécution travaille sur ces dossiers : une seule à la fois"
                    : "another run is at these records: one at a time");
    }
    int code =
        cli_connect_dba(retention->command, retention->database, retention->as, &retention->second);
    struct rows second = retention_rows(retention, &retention->live);
    second.conn = retention->second;
    if (code == CLI_FINE && rows_run(&second, records_settings) != OK)
        code = retention_fail(retention, ERR_UPSTREAM);
    return code;
}

enum status retention_still(struct retention *retention, const char *list, size_t count,
                            enum policy_age age)
{
    struct rows second = retention_rows(retention, &retention->live);
    const struct records_table *people = &second.records->tables[second.records->people];
    const char *reckoned =
        policy_retention_reckoned(retention->policy->retention, NULL, second.arena);
    const char **still = NULL;
    size_t still_count = 0;
    second.conn = retention->second;
    if (reckoned == NULL)
        return ERR_MEMORY;
    enum status status = rows_keys(
        &second,
        arena_printf(second.arena,
                     "SELECT (%s)::pg_catalog.text FROM %s WHERE (%s) = ANY (%s) AND (SELECT w.age "
                     "FROM %s AS w) = '%s'",
                     people->subject, people->from, people->subject, list, reckoned,
                     policy_age_word(age)),
        &still, &still_count);
    if (status == OK && still_count != count) {
        buf_printf(second.why, retention->french
                                   ? "un dossier a changé entre-temps (gel ou consultation) : rien "
                                     "de ce lot n’est modifié ; relancez la commande"
                                   : "a record has changed meanwhile, a hold or a consultation: "
                                     "nothing of this batch is changed; run it again");
        return ERR_INVALID;
    }
    return status;
}

/* ---- whose archive it is ---- */

static const char source_sql[] = "SELECT source FROM " ROWS_SCHEMA ".archive_of";

int retention_check_archive(struct retention *retention)
{
    const char *here = place_of(retention, retention->live.conn, database_sql);
    const char *there = place_of(retention, retention->archive.conn, source_sql);
    if (!there)
        return cli_fail(retention->command, CLI_CANNOT,
                        retention->french
                            ? "--archive n’est pas une base d’archives : « pgvigil retention init "
                              "» en fait une d’une copie vide des tables de la base"
                            : "--archive is no archive: \"pgvigil retention init\" makes one of an "
                              "empty copy of the database's tables");
    if (!here || strcmp(here, there) != 0)
        return cli_fail(retention->command, CLI_CANNOT,
                        retention->french
                            ? "--archive contient les archives d’une autre base ; si la base a "
                              "changé de serveur, « pgvigil retention init » le lui dit"
                            : "--archive is the archive of another database; where the database "
                              "has moved to another server, \"pgvigil retention init\" says so");
    return CLI_FINE;
}

int retention_init(struct retention *retention)
{
    if (!retention->archive.conn)
        return cli_fail(retention->command, CLI_USAGE,
                        retention->french ? "il manque --archive" : "--archive is missing");
    struct rows rows = retention_rows(retention, &retention->archive);
    const struct records_table *people = &rows.records->tables[rows.records->people];
    const char *here = place_of(retention, retention->live.conn, database_sql);
    const char *there = place_of(retention, retention->archive.conn, source_sql);
    const char **found = NULL;
    size_t count = 0;
    enum status status = rows_keys(
        &rows, arena_printf(rows.arena, "SELECT '' FROM %s LIMIT 1", people->name), &found, &count);
    if (status != OK || !here)
        return retention_fail(retention, status == OK ? ERR_UPSTREAM : status);
    if (count > 0 && !there)
        return cli_fail(retention->command, CLI_CANNOT,
                        retention->french
                            ? "%s contient déjà des personnes, et n’est pas une base d’archives : "
                              "rien n’est modifié"
                            : "%s holds persons already, and is no archive: nothing is changed",
                        people->told);
    if (!retention->apply) {
        printf(retention->french ? "les archives deviendraient celles de %s%s\n"
                                 : "the archive would be made that of %s%s\n",
               here,
               there ? retention->french ? ", au lieu d’une autre base" : ", instead of another's"
                     : "");
        return CLI_FINDINGS;
    }
    status = rows_prepare(&rows);
    if (status == OK)
        status = rows_run(&rows, arena_printf(rows.arena,
                                              "DELETE FROM " ROWS_SCHEMA
                                              ".archive_of; INSERT INTO " ROWS_SCHEMA
                                              ".archive_of VALUES (%s)",
                                              text_literal(rows.arena, here)));
    if (status != OK)
        return retention_fail(retention, status);
    printf(retention->french ? "les archives sont celles de %s\n" : "the archive is that of %s\n",
           here);
    return CLI_FINE;
}

int retention_open(struct retention *retention)
{
    buf_init(&retention->why, (size_t)1 << 16);
    retention->arena = arena_new(0);
    retention->moment = arena_new(0);
    if (!retention->arena || !retention->moment)
        return cli_fail(retention->command, CLI_CANNOT,
                        retention->french ? "mémoire épuisée" : "out of memory");
    int code = load(retention);
    if (code == CLI_FINE && !retention->as)
        code = cli_fail(retention->command, CLI_USAGE,
                        retention->french ? "il manque --as : la connexion d’un DBA à la base"
                                          : "--as is missing: a DBA's connection to the database");
    if (code == CLI_FINE)
        code = cli_connect_dba(retention->command, retention->database, retention->as,
                               &retention->live.conn);
    if (code == CLI_FINE)
        code = look(retention, &retention->live);
    return code == CLI_FINE && retention->archive_as ? open_archive(retention) : code;
}

static void close_side(struct retention_side *side)
{
    PQfinish(side->conn);
    catalog_unref(side->catalog);
}

void retention_close(struct retention *retention)
{
    PQfinish(retention->second);
    close_side(&retention->live);
    close_side(&retention->archive);
    policy_unref(retention->policy);
    config_free(retention->config);
    arena_free(retention->arena);
    arena_free(retention->moment);
    buf_free(&retention->why);
}

enum status retention_due(struct retention *retention, struct retention_side *side,
                          enum policy_age age, const char ***keys, size_t *count)
{
    const struct records_table *people = &side->records.tables[side->records.people];
    struct rows rows = retention_rows(retention, side);
    rows.arena = retention->arena;
    const char *reckoned =
        policy_retention_reckoned(retention->policy->retention, retention->on, retention->arena);
    const char *sql =
        reckoned == NULL
            ? NULL
            : arena_printf(retention->arena,
                           "SELECT (%s)::pg_catalog.text FROM %s\n"
                           "WHERE (SELECT w.age FROM %s AS w) = '%s' AND (%s) IS NOT NULL "
                           "ORDER BY (%s)",
                           people->subject, people->from, reckoned, policy_age_word(age),
                           people->subject, people->subject);
    return sql == NULL ? ERR_MEMORY : rows_keys(&rows, sql, keys, count);
}
