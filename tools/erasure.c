/*
 * erasure.c: which rows of a person may go because she asks for it (erasure.h).
 *
 * Rows are picked by where they stand, so that one that shares a key with another person's, or
 * whose subject is read through a row that goes before it, is the one that was decided about.
 *
 * Trust boundary: as rows.c. What is not known keeps a row.
 */
#include "tools/erasure.h"

#include "tools/toll.h"

#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {
    [ERASURE_NONE] = "",
    [ERASURE_ERASABLE] = "erasable",
    [ERASURE_EXPIRED] = "expired",
    [ERASURE_HELD] = "hold",
    [ERASURE_UNKNOWN] = "unknown",
    [ERASURE_TERM] = "term",
    [ERASURE_NO_DATE] = "no-date",
    [ERASURE_OTHER_TIME] = "other-time",
    [ERASURE_LIVE] = "patient",
    [ERASURE_NO_RETENTION] = "no-retention",
    [ERASURE_REFERRED] = "referred",
};

const char *erasure_word(enum erasure_reason reason)
{
    return words[reason];
}

/* ---- the person ---- */

/* Adds what the policy's retention says of the one row of `from`; nothing when there is none. */
static enum status ask_person(const struct rows *rows, const char *from, const char *which,
                              struct erasure_person *person)
{
    const char *reckoned = policy_retention_reckoned(rows->policy->retention, NULL, rows->arena);
    const char **told = NULL;
    size_t count = 0;
    char held[2] = "";
    char seen[2] = "";
    char age[16] = "";
    if (reckoned == NULL || from == NULL || which == NULL)
        return ERR_MEMORY;
    enum status status = rows_keys(
        rows,
        arena_printf(rows->arena,
                     "SELECT CASE WHEN w.held THEN 't ' ELSE 'f ' END || CASE WHEN w.last IS NULL "
                     "THEN 'f ' ELSE 't ' END || w.age || ' ' || COALESCE(w.until::pg_catalog.text,"
                     " '')\nFROM %s, LATERAL %s AS w WHERE %s",
                     from, reckoned, which),
        &told, &count);
    if (status != OK || count == 0)
        return status;
    if (count > 1 || sscanf(told[0], "%1s %1s %15s %15s", held, seen, age, person->until) < 3) {
        buf_printf(rows->why,
                   rows->french
                       ? "ce que « retention » de la politique dit de cette personne n’est pas une "
                         "seule réponse"
                       : "what the policy's retention says of this person is not one answer");
        return ERR_INVALID;
    }
    person->known = true;
    person->hold_known = true;
    person->held = held[0] != 'f';
    person->seen = seen[0] != 'f';
    /* Of whom no consultation is known, a birthday alone does not say until when. */
    if (!person->seen)
        person->until[0] = '\0';
    person->age = policy_age_find(age);
    return OK;
}

static enum status ask_side(const struct rows *rows, const char *list,
                            struct erasure_person *person)
{
    const struct records_table *people = &rows->records->tables[rows->records->people];
    return ask_person(rows, people->from,
                      arena_printf(rows->arena, "(%s) = ANY (%s)", people->subject, list), person);
}

/* What the database says of the row that rows_stage has put beside it. */
static enum status ask_staged(const struct rows *live, struct erasure_person *person)
{
    size_t n = live->records->people;
    return ask_person(live,
                      arena_printf(live->arena, "pg_temp.\"pgvigil %zu\" AS %s", n,
                                   live->records->tables[n].alias),
                      "true", person);
}

/* A record that was moved: holds and visits since stand in the database, the row that they are
 * about in the archive. */
static enum status stage(const struct rows *archive, const struct rows *live, const char *list)
{
    return rows_stage(archive, live, archive->records->people, live->records->people, list);
}

/* `conn`: to the database, in the transaction or beside it. */
static enum status judge_live(struct retention *retention, PGconn *conn, const char *list,
                              struct erasure_person *person)
{
    struct rows live = retention_rows(retention, &retention->live);
    struct rows archive = retention_rows(retention, &retention->archive);
    struct erasure_person moved = {0};
    struct erasure_person staged = {0};
    live.conn = conn;
    enum status status = ask_side(&live, list, person);
    if (status != OK || person->known || retention->archive.conn == NULL)
        return status;
    status = ask_side(&archive, list, &moved);
    if (status != OK || !moved.known)
        return status;
    status = stage(&archive, &live, list);
    if (status == OK)
        status = ask_staged(&live, &staged);
    person->hold_known = status == OK;
    person->held = moved.held || staged.held;
    return status;
}

/* `staged`: the archive's row stands there already. */
static enum status judge_by_live(struct retention *retention, const char *list, bool staged,
                                 struct erasure_person *person)
{
    struct rows live = retention_rows(retention, &retention->live);
    struct rows archive = retention_rows(retention, &retention->archive);
    struct erasure_person there = {0};
    struct erasure_person moved = {0};
    enum status status = ask_side(&live, list, &there);
    if (status == OK && !staged)
        status = stage(&archive, &live, list);
    if (status == OK)
        status = ask_staged(&live, &moved);
    person->hold_known = person->hold_known || there.known;
    person->held = person->held || there.held || moved.held;
    person->patient =
        (there.known && there.age != AGE_EXPIRED) || (moved.seen && moved.age != AGE_EXPIRED);
    return status;
}

static enum status judge(struct erasure *erasure)
{
    struct retention *retention = erasure->retention;
    struct erasure_person *person = &erasure->person;
    if (retention->policy->retention == NULL)
        return OK;
    if (erasure->side == &retention->live)
        return judge_live(retention, retention->live.conn, erasure->list, person);
    enum status status = ask_side(&erasure->rows, erasure->list, person);
    return status == OK ? judge_by_live(retention, erasure->list, false, person) : status;
}

/* ---- tables ---- */

static enum erasure_reason why_goes(const struct erasure *erasure,
                                    const struct records_table *table)
{
    const struct policy_retention *rule = erasure->retention->policy->retention;
    const struct erasure_person *person = &erasure->person;
    if (person->held || (rule != NULL && rule->hold != NULL && !person->hold_known))
        return ERASURE_NONE;
    if (table->erasable)
        return ERASURE_ERASABLE;
    return person->known && person->age == AGE_EXPIRED && !person->patient && !table->excepted
               ? ERASURE_EXPIRED
               : ERASURE_NONE;
}

static enum erasure_reason why_stays(const struct erasure *erasure,
                                     const struct records_table *table)
{
    const struct erasure_person *person = &erasure->person;
    if (erasure->retention->policy->retention == NULL)
        return ERASURE_NO_RETENTION;
    if (person->held)
        return ERASURE_HELD;
    if (!person->known)
        return ERASURE_UNKNOWN;
    if (table->excepted)
        return ERASURE_OTHER_TIME;
    if (person->age == AGE_EXPIRED)
        return ERASURE_LIVE;
    return person->until[0] == '\0' ? ERASURE_NO_DATE : ERASURE_TERM;
}

static enum status number(const struct rows *rows, const char *sql, uint64_t *out)
{
    const char **told = NULL;
    size_t count = 0;
    enum status status = rows_keys(rows, sql, &told, &count);
    if (status == OK)
        *out = count == 1 ? strtoull(told[0], NULL, 10) : 0;
    return status;
}

static enum status count_theirs(const struct erasure *erasure, const struct records_table *table,
                                uint64_t *count)
{
    return number(&erasure->rows,
                  arena_printf(erasure->rows.arena,
                               "SELECT pg_catalog.count(*) FROM %s WHERE (%s) = ANY (%s)",
                               table->from, table->subject, erasure->list),
                  count);
}

static enum status pick_table(struct erasure *erasure, size_t n, bool lock)
{
    const struct records_table *table = &erasure->rows.records->tables[n];
    struct erasure_table *one = &erasure->tables[n];
    struct arena *arena = erasure->rows.arena;
    enum status status = count_theirs(erasure, table, &one->stays);
    one->why_goes = why_goes(erasure, table);
    one->why_stays = one->why_goes == ERASURE_NONE ? why_stays(erasure, table) : ERASURE_REFERRED;
    if (status != OK || one->stays == 0 || one->why_goes == ERASURE_NONE)
        return status;
    status = rows_change(
        &erasure->rows,
        arena_printf(arena,
                     "INSERT INTO " ROWS_PICKED
                     " SELECT %zu, %s.tableoid, %s.ctid, %s FROM %s WHERE (%s) = ANY "
                     "(%s)%s%s",
                     n, table->alias, table->alias, table->place == NULL ? "NULL" : table->place,
                     table->from, table->subject, erasure->list, lock ? " FOR UPDATE OF " : "",
                     lock ? table->alias : ""),
        &one->goes);
    if (status == OK && one->goes != one->stays) {
        buf_printf(erasure->rows.why,
                   erasure->rows.french ? "%s change pendant qu’on la lit : relancez la commande"
                                        : "%s changes while it is read: run it again",
                   table->told);
        return ERR_INVALID;
    }
    one->stays = 0;
    return status;
}

/* Rows to which a row refers that does not go stay. */
static enum status untie_link(struct erasure *erasure, const struct records_link *link,
                              uint64_t *untied)
{
    const struct records_table *parent = &erasure->rows.records->tables[link->parent];
    struct erasure_table *one = &erasure->tables[link->parent];
    struct arena *arena = erasure->rows.arena;
    *untied = 0;
    if (one->goes == 0)
        return OK;
    const char *but = link->child < 0
                          ? ""
                          : arena_printf(arena,
                                         " AND NOT EXISTS (SELECT FROM " ROWS_PICKED
                                         " AS k WHERE k.n = %d AND k.t = \"pgvigil "
                                         "child\".tableoid AND k.c = \"pgvigil child\".ctid)",
                                         link->child);
    if (but == NULL)
        return ERR_MEMORY;
    enum status status = rows_change(
        &erasure->rows,
        arena_printf(arena,
                     "DELETE FROM " ROWS_PICKED
                     " AS g USING %s AS \"pgvigil parent\" WHERE g.n = %zu AND \"pgvigil "
                     "parent\".ctid = g.c AND \"pgvigil parent\".tableoid = g.t\n"
                     "AND EXISTS (SELECT FROM %s AS \"pgvigil child\" WHERE %s%s)",
                     parent->name, link->parent, link->name, link->matches, but),
        untied);
    if (status != OK || *untied == 0)
        return status;
    one->goes -= *untied;
    one->stays += *untied;
    if (one->tied == NULL)
        one->tied = arena_printf(erasure->retention->arena, "%s", link->told);
    return one->tied == NULL ? ERR_MEMORY : OK;
}

static enum status untie(struct erasure *erasure)
{
    const struct records *records = erasure->rows.records;
    uint64_t all = 1;
    while (all > 0) {
        all = 0;
        for (size_t i = 0; i < records->link_count; i++) {
            uint64_t untied = 0;
            enum status status = untie_link(erasure, &records->links[i], &untied);
            if (status != OK)
                return status;
            all += untied;
        }
    }
    return OK;
}

/* Nobody changes the person's own row meanwhile, nor adds one that refers to it. */
static enum status lock_person(const struct erasure *erasure)
{
    const struct records *records = erasure->rows.records;
    const char **told = NULL;
    size_t count = 0;
    if (records->people == records->count)
        return OK;
    const struct records_table *people = &records->tables[records->people];
    return rows_keys(&erasure->rows,
                     arena_printf(erasure->rows.arena,
                                  "SELECT '' FROM %s WHERE (%s) = ANY (%s) FOR UPDATE OF %s",
                                  people->from, people->subject, erasure->list, people->alias),
                     &told, &count);
}

enum status erasure_decide(struct retention *retention, struct retention_side *side,
                           const char *patient, bool lock, struct erasure *erasure)
{
    *erasure = (struct erasure){.retention = retention,
                                .side = side,
                                .rows = retention_rows(retention, side),
                                .list = records_list(&patient, 1, retention->arena),
                                .tables = arena_zalloc(retention->arena, side->records.count + 1,
                                                       sizeof(*erasure->tables))};
    erasure->rows.picked = true;
    if (erasure->list == NULL || erasure->tables == NULL)
        return ERR_MEMORY;
    enum status status = lock ? lock_person(erasure) : OK;
    if (status == OK)
        status = judge(erasure);
    if (status == OK)
        status = rows_run(&erasure->rows, "CREATE TEMPORARY TABLE \"pgvigil picked\" (n integer, t "
                                          "oid, c tid, k text) ON COMMIT DROP");
    for (size_t i = 0; status == OK && i < side->records.count; i++)
        status = pick_table(erasure, i, lock);
    if (status == OK)
        status = untie(erasure);
    for (size_t i = 0; status == OK && i < side->records.count; i++) {
        erasure->goes += erasure->tables[i].goes;
        erasure->stays += erasure->tables[i].stays;
    }
    return status;
}

enum status erasure_sum(struct erasure *erasure)
{
    enum status status = OK;
    for (size_t i = 0; status == OK && i < erasure->rows.records->count; i++) {
        struct erasure_table *one = &erasure->tables[i];
        if (one->goes > 0)
            status = rows_sum(&erasure->rows, &erasure->rows.records->tables[i], erasure->list,
                              &one->sum);
        if (status == OK && one->sum.count != one->goes) {
            buf_printf(erasure->rows.why,
                       erasure->rows.french
                           ? "%s change pendant qu’on la lit : relancez la commande"
                           : "%s changes while it is read: run it again",
                       erasure->rows.records->tables[i].told);
            status = ERR_INVALID;
        }
    }
    return status;
}

enum status erasure_delete(struct erasure *erasure)
{
    const struct records *records = erasure->rows.records;
    struct rows_sum *sums = arena_zalloc(erasure->rows.arena, records->count + 1, sizeof(*sums));
    if (sums == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < records->count; i++)
        sums[i] = erasure->tables[i].sum;
    erasure->sums = sums;
    enum status status = toll_begin(&erasure->rows);
    if (status == OK)
        status = rows_delete(&erasure->rows, erasure->list, sums);
    for (size_t i = 0; status == OK && i < records->count; i++) {
        uint64_t left = 0;
        status = count_theirs(erasure, &records->tables[i], &left);
        if (status == OK && left != erasure->tables[i].stays) {
            buf_printf(erasure->rows.why,
                       erasure->rows.french
                           ? "%llu ligne(s) de %s devaient rester, et %llu seraient celles de la "
                             "personne : rien n’est modifié ; examinez les déclencheurs, et si son "
                             "« subject » passe par une ligne qui disparaît"
                           : "%llu rows of %s were to stay, and %llu would be the person's: "
                             "nothing is changed; look at triggers, and whether its subject is "
                             "read through a row that goes",
                       (unsigned long long)erasure->tables[i].stays, records->tables[i].told,
                       (unsigned long long)left);
            status = ERR_INVALID;
        }
    }
    return status;
}

enum status erasure_check(const struct erasure *erasure)
{
    enum status status = rows_check_constraints(&erasure->rows);
    return status == OK ? toll_check(&erasure->rows, erasure->sums) : status;
}

enum status erasure_still(struct erasure *erasure)
{
    struct retention *retention = erasure->retention;
    struct erasure_person now = {0};
    enum status status = OK;
    if (erasure->side == &retention->live) {
        status = judge_live(retention, retention->second, erasure->list, &now);
    } else {
        /* The archive is written by nobody else; what it says is no longer there to be asked. */
        now = erasure->person;
        status = judge_by_live(retention, erasure->list, true, &now);
    }
    if (status == OK &&
        (now.held != erasure->person.held || now.age != erasure->person.age ||
         now.hold_known != erasure->person.hold_known || now.patient != erasure->person.patient)) {
        buf_printf(erasure->rows.why, erasure->rows.french
                                          ? "le dossier a changé entre-temps (gel ou consultation) "
                                            ": rien n’est modifié ; relancez la commande"
                                          : "the record has changed meanwhile, a hold or a "
                                            "consultation: nothing is changed; run it again");
        status = ERR_INVALID;
    }
    return status;
}
