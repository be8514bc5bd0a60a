/*
 * retention.c: where a person's record stands, active, archived or expired, as SQL.
 *
 * Purpose: one text says it everywhere: in guards, where it hides rows, and in the commands that
 * move and destroy them. Were there two, a row could be archived for one and active for the other.
 *
 * The rules: five years from the last consultation, then fifteen archived (guide of the CNIL and
 * the CNOM); code de la santé publique, R1112-7: not before the 28th birthday, and ten years from a
 * death that came within ten years of the last visit; a legal hold beats every date. Terms are
 * counted as the code civil counts them (2228, 2229): whole days, the last one included.
 *
 * Trust boundary: expressions are the policy's, checked to be one each. Days are those of the
 * policy's time zone, never of the session's, which a client may set. Ownership: the caller's
 * arena.
 */
#include "conditions.h"

#include <pgvigil/policy.h>
#include <pgvigil/text.h>

#include <string.h>

static const struct {
    enum policy_age age;
    const char *word;
} ages[] = {{AGE_ACTIVE, "active"}, {AGE_ARCHIVED, "archived"}, {AGE_EXPIRED, "expired"}};
#define AGE_COUNT (sizeof(ages) / sizeof(ages[0]))

const char *policy_age_word(enum policy_age age)
{
    for (size_t i = 0; i < AGE_COUNT; i++)
        if (ages[i].age == age)
            return ages[i].word;
    return NULL;
}

enum policy_age policy_age_find(const char *word)
{
    for (size_t i = 0; i < AGE_COUNT; i++)
        if (strcmp(ages[i].word, word) == 0)
            return ages[i].age;
    return AGE_NONE;
}

static const char *today_of(const struct policy_retention *retention, struct arena *arena)
{
    return arena_printf(
        arena, "(pg_catalog.timezone('%s', pg_catalog.statement_timestamp()))::pg_catalog.date",
        retention->time_zone);
}

/* "(expr) AS name": date_pli takes a date and nothing else, so that an expression of another type
 * is an error of deploy's and not a conversion by the session's time zone. */
static const char *date_column(const char *expression, const char *name, struct arena *arena)
{
    return expression == NULL
               ? arena_printf(arena, "NULL::pg_catalog.date AS %s", name)
               : arena_printf(arena, "pg_catalog.date_pli((%s), 0) AS %s", expression, name);
}

/* The last day on which a record that is archived is kept; NULL: it is not known, so kept. */
static const char *last_day(const struct policy_retention *retention, struct arena *arena)
{
    unsigned years = retention->active_years + retention->archive_years;
    const char *usual = arena_printf(arena, "(w.last + '%u years'::interval)::date", years);
    if (retention->birth != NULL)
        usual = arena_printf(arena,
                             "CASE WHEN w.birth IS NULL THEN NULL ELSE GREATEST(%s, "
                             "(w.birth + '%u years'::interval)::date) END",
                             usual, retention->minor_years);
    if (retention->death == NULL || usual == NULL)
        return usual;
    return arena_printf(arena,
                        "CASE WHEN w.death < (w.last + '%u years'::interval)::date THEN "
                        "(GREATEST(w.death, w.last) + '%u years'::interval)::date ELSE %s END",
                        retention->death_years, retention->death_years, usual);
}

const char *policy_retention_reckoned(const struct policy_retention *retention, const char *today,
                                      struct arena *arena)
{
    const char *day = today == NULL ? today_of(retention, arena) : today;
    const char *last = date_column(retention->last, "last", arena);
    const char *birth = date_column(retention->birth, "birth", arena);
    const char *death = date_column(retention->death, "death", arena);
    const char *until = last_day(retention, arena);
    if (day == NULL || last == NULL || birth == NULL || death == NULL || until == NULL)
        return NULL;
    /* OFFSET 0: or the planner would put the expressions in each of their places, and read the
     * last consultation three times. */
    return arena_printf(
        arena,
        "(SELECT w.*, CASE WHEN w.held OR w.last IS NULL OR w.today <= w.active_until "
        "THEN 'active'\n"
        "    WHEN w.until IS NULL OR w.today <= w.until THEN 'archived' ELSE 'expired' END AS age\n"
        "FROM (SELECT w.*, (w.last + '%u years'::interval)::date AS active_until, %s AS until\n"
        "FROM (SELECT %s, %s, %s, ((%s)::pg_catalog.bool IS NOT FALSE) AS held, %s AS today\n"
        "OFFSET 0) AS w) AS w)",
        retention->active_years, until, last, birth, death,
        retention->hold == NULL ? "false" : retention->hold, day);
}

/* The word alone, as an expression. */
static const char *age_sql(const struct policy_retention *retention, struct arena *arena)
{
    const char *reckoned = policy_retention_reckoned(retention, NULL, arena);
    return reckoned == NULL ? NULL : arena_printf(arena, "(SELECT w.age FROM %s AS w)", reckoned);
}

/* "('active', 'archived')" of those that `mask` has. */
static const char *words_of(unsigned mask, struct arena *arena)
{
    const char *all = "";
    for (size_t i = 0; all != NULL && i < AGE_COUNT; i++)
        if ((mask & (unsigned)ages[i].age) != 0)
            all = arena_printf(arena, "%s%s'%s'", all, all[0] == '\0' ? "" : ", ", ages[i].word);
    return all == NULL ? NULL : arena_printf(arena, "(%s)", all);
}

const char *retention_condition(const struct policy_retention *retention,
                                const struct policy_table *table, unsigned mask,
                                struct arena *arena)
{
    const char *age = age_sql(retention, arena);
    const char *shown = words_of(mask, arena);
    const char *others = words_of(AGE_ALL & ~mask, arena);
    if (age == NULL || shown == NULL || others == NULL)
        return NULL;
    if (table == retention->people)
        return arena_printf(arena, "%s IN %s", age, shown);
    /*
     * Through a sub-select of its own, so that the row's subject stands outside of the FROM whose
     * names could capture it. A row about nobody is nobody's record: it stays with the active ones.
     */
    bool active = (mask & AGE_ACTIVE) != 0;
    const char *column = text_ident(arena, retention->people->subject_column);
    if (column == NULL)
        return NULL;
    return arena_printf(
        arena,
        "%s (SELECT FROM (SELECT \"%s\".%s AS key FROM \"%s\".\"%s\"\n"
        "WHERE %s IN %s) AS \"pgvigil person\" WHERE \"pgvigil person\".key = (:subject))",
        active ? "NOT EXISTS" : "EXISTS", retention->people->name, column,
        retention->people->schema, retention->people->name, age, active ? others : shown);
}

const char *retention_told(unsigned mask, struct arena *arena)
{
    const char *all = "";
    for (size_t i = 0; all != NULL && i < AGE_COUNT; i++)
        if ((mask & (unsigned)ages[i].age) != 0)
            all = arena_printf(arena, "%s%s%s", all, all[0] == '\0' ? "" : ", ", ages[i].word);
    return all == NULL ? NULL : arena_printf(arena, "retention (%s)", all);
}
