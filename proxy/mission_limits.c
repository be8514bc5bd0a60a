/*
 * mission_limits.c: a mission's limits, asked and counted (see mission_limits.h).
 *
 * Trust boundary: the client's address is the socket's; the time is the server's own, local.
 */
#include "proxy/mission_limits.h"

#include "proxy/person.h"

#include "proxy/break_glass.h"
#include "proxy/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Rows taken from the hour's count at a time. */
#define PORTION 64

static const char *list_hours(const struct policy_mission *mission, struct arena *arena)
{
    const char *list = "";
    for (size_t i = 0; list != NULL && i < mission->hours_count; i++)
        list = arena_printf(arena, "%s%s%s", list, i == 0 ? "" : ", ", mission->hours[i].text);
    return list;
}

static bool hours_open(const struct policy_mission *limits, struct tm *local)
{
    time_t now = time(NULL);
    return limits->hours_count == 0 ||
           (localtime_r(&now, local) != NULL &&
            policy_hours_open(limits, (unsigned)(local->tm_wday + 6) % 7,
                              (unsigned)(local->tm_hour * 60 + local->tm_min)));
}

enum status mission_limits_place(const struct session *session, int role, int mission,
                                 struct arena *arena, const char **message, const char **hint)
{
    const struct policy *policy = session->world->policy;
    if (mission < 0)
        return OK;
    const struct policy_mission *limits = &policy->missions[mission];
    const char *role_name = policy->roles[role].name;
    if (!policy_address_open(limits, session->address)) {
        *message = arena_printf(arena,
                                "mission \"%s\" of role \"%s\" may not be used from the address %s "
                                "(addresses)",
                                limits->name, role_name, session->address);
        *hint = "The policy says from where: \"addresses\" of the mission.";
        return *message == NULL ? ERR_MEMORY : DENIED;
    }
    struct tm local = {.tm_hour = 0};
    if (hours_open(limits, &local))
        return OK;
    const char *open = list_hours(limits, arena);
    *message =
        open == NULL
            ? NULL
            : arena_printf(arena,
                           "mission \"%s\" of role \"%s\" may be used at %s only (hours): it "
                           "is %02d:%02d here",
                           limits->name, role_name, open, local.tm_hour, local.tm_min);
    *hint = "The policy says when: \"hours\" of the mission, in the server's local time.";
    return *message == NULL ? ERR_MEMORY : DENIED;
}

bool mission_limits_timed(const struct session *session)
{
    const struct identity *identity = &session->identity;
    bool hours = identity->mission >= 0 &&
                 session->world->policy->missions[identity->mission].hours_count > 0;
    return !session_observed(session) &&
           (identity->person == IDENTITY_PROVEN || identity->glass != NULL || hours);
}

bool mission_limits_over(const struct session *session)
{
    const struct identity *identity = &session->identity;
    const struct break_glass *glass = identity->glass;
    struct tm local;
    return mission_limits_timed(session) &&
           (person_is_over(identity) || (glass != NULL && session->worker->now >= glass->until) ||
            (identity->mission >= 0 &&
             !hours_open(&session->world->policy->missions[identity->mission], &local)));
}

static const struct policy_mission *row_limits(const struct session *session)
{
    int mission = session->identity.mission;
    return session_unrestricted(session) || mission < 0
               ? NULL
               : &session->world->policy->missions[mission];
}

bool mission_limits_rows(const struct session *session)
{
    const struct policy_mission *limits = row_limits(session);
    return limits != NULL && (limits->max_rows > 0 || limits->rows_per_hour > 0);
}

static enum status hour_is_used_up(const struct session *session,
                                   const struct policy_mission *limits, char *message, size_t size)
{
    snprintf(message, size,
             "mission \"%s\" of role \"%s\" gives a person %lu rows at most in an hour "
             "(rows_per_hour)",
             limits->name, session->who.role, (unsigned long)limits->rows_per_hour);
    return DENIED;
}

struct rows_taken {
    struct quota_portion portion;
    const char *person;  /* whose; the policy's text, as the next */
    const char *mission; /* which mission's */
};

void mission_limits_settle(struct session *session)
{
    struct rows_taken *taken = session->rows_taken;
    if (taken != NULL && taken->portion.rows > 0)
        quota_give_back(session->worker->process->quota, taken->person, taken->mission,
                        &taken->portion, session->worker->now);
}

/* Takes a portion when none of this minute is at hand: rows are counted when they leave, not when a
 * result began that nobody read for an hour. */
static enum status take(struct session *session, const struct policy_mission *limits)
{
    const char *person = session->identity.user->name;
    if (session->rows_taken == NULL)
        session->rows_taken = calloc(1, sizeof *session->rows_taken);
    struct rows_taken *taken = session->rows_taken;
    if (taken == NULL)
        return ERR_MEMORY;
    bool same = taken->person == person && taken->mission == limits->name;
    if (same && quota_is_fresh(&taken->portion, session->worker->now))
        return OK;
    mission_limits_settle(session);
    taken->mission = limits->name;
    taken->person = person;
    return quota_take(session->worker->process->quota, person, limits->name, limits->rows_per_hour,
                      PORTION, session->worker->now, &taken->portion);
}

/* How many of its statements ask about groups of patients. */
static uint64_t asking(const struct statement *statement)
{
    const struct verdict *verdict = statement == NULL ? NULL : statement->verdict;
    uint64_t count = 0;
    for (size_t i = 0; verdict != NULL && i < verdict->statement_count; i++)
        count += verdict->statements[i].aggregate ? 1 : 0;
    return count;
}

/* An answer that is not counted could be had again and again. */
static enum status cannot_count(struct session *session, enum status status,
                                struct refusal *refusal)
{
    static const char *const why[] = {"cannot be written: is the disk full?", "is full",
                                      "was damaged: the day counts as used up"};
    static const char *const hints[] = {
        "An administrator finds it in the audit directory; the log says more.",
        "It holds the people who asked today; there is room after midnight, UTC.",
        "An administrator who moves it away and restarts pgvigil gives the day back to everybody; "
        "else there are more after midnight, UTC."};
    size_t which = status == ERR_IO ? 0 : status == ERR_LIMIT ? 1 : 2;
    snprintf(session_lost_text(session), SESSION_LOST_BYTES,
             "the day's statements of mission \"%s\" cannot be counted (statements_per_day): the "
             "file " BUDGET_FILE " %s",
             session->who.mission, why[which]);
    *refusal = (struct refusal){.sqlstate = which == 0 ? "58030" : "54000",
                                .message = session_lost_text(session),
                                .hint = hints[which]};
    return DENIED;
}

enum status mission_limits_ask(struct session *session, const struct statement *statement,
                               struct refusal *refusal)
{
    const struct policy_mission *limits = row_limits(session);
    uint64_t count = limits == NULL || limits->aggregate_only == NULL ? 0 : asking(statement);
    if (count == 0)
        return OK;
    uint64_t most = limits->aggregate_only->statements_per_day;
    enum status status =
        budget_take(session->worker->process->budget, session->identity.user->name, limits->name,
                    session->database->name, most, count, (uint64_t)time(NULL) / 86400);
    if (status == ERR_IO || status == ERR_LIMIT || status == ERR_INVALID)
        return cannot_count(session, status, refusal);
    if (status != DENIED)
        return status;
    snprintf(session_lost_text(session), SESSION_LOST_BYTES,
             "mission \"%s\" of role \"%s\" gives a person %lu answers about patients at most in "
             "a day (statements_per_day)",
             limits->name, session->who.role, (unsigned long)most);
    *refusal = (struct refusal){.sqlstate = "54000",
                                .message = session_lost_text(session),
                                .hint = "They are used up; there are more after midnight, UTC."};
    return DENIED;
}

static struct arena *refusal_arena(struct session *session)
{
    if (session->arena == NULL)
        session->arena = arena_new((size_t)1 << 16);
    else
        arena_reset(session->arena);
    return session->arena;
}

enum status mission_limits_statement(struct session *session, const struct statement *statement,
                                     struct refusal *refusal)
{
    if (session_observed(session) ||
        (statement != NULL && query_harmless(session, statement->verdict)))
        return OK;
    const char *message = NULL;
    const char *hint = NULL;
    struct arena *arena = statement == NULL ? refusal_arena(session) : statement->arena;
    if (arena == NULL)
        return ERR_MEMORY;
    enum status status = mission_limits_place(session, session->identity.role,
                                              session->identity.mission, arena, &message, &hint);
    if (status == DENIED)
        *refusal = (struct refusal){.sqlstate = "42501", .message = message, .hint = hint};
    if (status == OK && !session->pending_asked) {
        status = mission_limits_ask(session, statement, refusal);
        session->pending_asked = status == OK;
    }
    const struct policy_mission *limits = row_limits(session);
    if (status != OK || limits == NULL || limits->rows_per_hour == 0)
        return status;
    status = take(session, limits);
    if (status != OK || session->rows_taken->portion.rows > 0)
        return status;
    status = hour_is_used_up(session, limits, session_lost_text(session), SESSION_LOST_BYTES);
    *refusal = (struct refusal){.sqlstate = "54000",
                                .message = session_lost_text(session),
                                .hint = "They are used up; more come as the hour goes by."};
    return status;
}

enum status mission_limits_row(struct session *session, uint64_t rows, char *message, size_t size)
{
    const struct policy_mission *limits = row_limits(session);
    if (limits == NULL)
        return OK;
    if (limits->max_rows > 0 && rows > limits->max_rows) {
        snprintf(message, size,
                 "mission \"%s\" of role \"%s\" allows %lu rows at most for a statement (max_rows)",
                 limits->name, session->who.role, (unsigned long)limits->max_rows);
        return DENIED;
    }
    if (limits->rows_per_hour == 0)
        return OK;
    enum status status = take(session, limits);
    if (status != OK)
        return status;
    if (session->rows_taken->portion.rows == 0)
        return hour_is_used_up(session, limits, message, size);
    session->rows_taken->portion.rows--;
    return OK;
}
