/*
 * aggregate.c: groups of patients on their way to the client (see aggregate.h).
 */
#include "proxy/aggregate.h"

#include "proxy/cells.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a withheld row costs: that it was is a bit about few patients, where a statement was made
 * for it. */
#define WITHHELD_COSTS 5
/* Of one statement: each is compared with all earlier answers, and the loop waits for it. */
#define GROUPS_MAX ((size_t)1000)
/* A row of an answer, in hexadecimal digits (policy/judge_aggregate_text.c). */
#define ROW_DIGITS ((size_t)34)

/* The statement whose rows the head's are. */
static const struct statement *giver(const struct request *head, size_t *index)
{
    const struct use *use = uses_at(head->uses, head->index);
    bool named = use != NULL && use->statement != NULL && use->kind != USE_DECLARES;
    *index = named ? use->index : head->index;
    return named ? use->statement : head->statement;
}

bool aggregate_runs(const struct request *request)
{
    size_t index = 0;
    const struct statement *statement = giver(request, &index);
    const struct verdict_statement *gives = statement_at(statement, index);
    return gives != NULL && gives->aggregate > 0;
}

/* Whose answers they are, and what bounds them: those that the statement was judged by. */
static enum status whose(struct session *session, const struct statement *statement,
                         struct cells_person **person, const struct policy_aggregate **bounds)
{
    const struct policy *policy = statement->world->policy;
    const struct policy_mission *mission =
        statement->mission < 0 ? NULL : &policy->missions[statement->mission];
    if (mission == NULL || mission->aggregate_only == NULL || statement->user == NULL)
        return ERR_PROTOCOL;
    *bounds = mission->aggregate_only;
    return cells_open(session->worker->process->cells, statement->user->name, mission->name,
                      session->worker->config->databases[session->database_index].name, person);
}

static bool asks(const struct statement *statement)
{
    const struct verdict *verdict = statement == NULL ? NULL : statement->verdict;
    for (size_t i = 0; verdict != NULL && i < verdict->statement_count; i++)
        if (verdict->statements[i].aggregate > 0)
            return true;
    return false;
}

enum status aggregate_may_ask(struct session *session, const struct statement *statement,
                              struct refusal *refusal)
{
    struct cells_person *person = NULL;
    const struct policy_aggregate *bounds = NULL;
    if (!asks(statement))
        return OK;
    enum status status = whose(session, statement, &person, &bounds);
    if (status == ERR_IO || status == ERR_INVALID) {
        *refusal = (struct refusal){
            .sqlstate = "58030",
            .message = "what was answered before is not known: the file that keeps it cannot be "
                       "read",
            .hint = "The administrator finds its name in pgvigil's log (aggregate-state-...)."};
        return DENIED;
    }
    if (status != OK || cells_left(person, bounds, time(NULL)) > 0)
        return status;
    const char *message =
        arena_printf(statement->arena,
                     "mission \"%s\" of role \"%s\" gives a person %llu answers in a day "
                     "(answers_per_day): they are used up",
                     statement->world->policy->missions[statement->mission].name, session->who.role,
                     (unsigned long long)bounds->answers_per_day);
    *refusal = (struct refusal){.sqlstate = "54000",
                                .message = message,
                                .hint = "More come at midnight, UTC. A question that was answered "
                                        "already costs nothing while some are left."};
    return message == NULL ? ERR_MEMORY : DENIED;
}

/* ---- rows ---- */

static bool digit(char c, unsigned *value)
{
    bool decimal = c >= '0' && c <= '9';
    *value = decimal ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
    return decimal || (c >= 'a' && c <= 'f');
}

static bool read_hex(const char *text, size_t digits, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        unsigned value = 0;
        if (!digit(text[i], &value))
            return false;
        *number = *number << 4 | value;
    }
    return true;
}

/* The rows of one relation, behind the last '#'. ERR_LIMIT: they are too many. */
static enum status read_rows(const char *text, size_t len, struct cells_row **rows, size_t *count)
{
    const char *mark = len == 0 ? NULL : memrchr(text, '#', len);
    size_t left = mark == NULL ? 0 : len - (size_t)(mark + 1 - text);
    if (mark == NULL || (left % ROW_DIGITS != 0 && left != 1))
        return ERR_PROTOCOL;
    if (left == 1)
        return mark[1] == '!' ? ERR_LIMIT : ERR_PROTOCOL;
    *count = left / ROW_DIGITS;
    *rows = malloc((*count + 1) * sizeof **rows);
    if (*rows == NULL)
        return ERR_MEMORY;
    const char *at = mark + 1;
    for (size_t i = 0; i < *count; i++, at += ROW_DIGITS) {
        uint64_t columns = 0;
        if (!read_hex(at, 16, &(*rows)[i].row) || !read_hex(at + 16, 16, &(*rows)[i].patient) ||
            !read_hex(at + 32, 2, &columns)) {
            free(*rows);
            return ERR_PROTOCOL;
        }
        (*rows)[i].columns = (uint8_t)columns;
    }
    return OK;
}

static enum status admit(struct cells_person *person, const struct policy_aggregate *bounds,
                         const char *text, size_t len, bool *fresh)
{
    struct cells_row *rows = NULL;
    size_t count = 0;
    bool tells = false;
    enum status status = read_rows(text, len, &rows, &count);
    if (status != OK)
        return status;
    status = cells_admit(person, bounds, rows, count, time(NULL), &tells);
    *fresh = *fresh || tells;
    free(rows);
    return status;
}

/* All relations' of a row. A NULL is nobody: no answer. */
static enum status admit_row(struct cells_person *person, const struct policy_aggregate *bounds,
                             const struct wire_message *message, size_t hidden, bool *fresh)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    size_t columns = wire_get_u16(&cursor);
    if (hidden == 0 || columns < hidden)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < hidden; i++) {
        int32_t len = 0;
        const unsigned char *value = wire_get_value(&cursor, &len);
        if (cursor.failed)
            return ERR_PROTOCOL;
        enum status status =
            value == NULL ? DENIED : admit(person, bounds, (const char *)value, (size_t)len, fresh);
        if (status != OK)
            return status;
    }
    return OK;
}

static void used_up(char *why, size_t size, const struct policy_aggregate *bounds)
{
    (void)snprintf(why, size,
                   "the mission gives a person %llu answers in a day (answers_per_day): they are "
                   "used up",
                   (unsigned long long)bounds->answers_per_day);
}

static void withhold(struct session *session, struct request *head, struct cells_person *person)
{
    head->withheld++;
    cells_charge(person, WITHHELD_COSTS, time(NULL));
    session->answered_person = person;
    char name[256];
    log_event(LOG_LEVEL_WARNING, "session=%lu event=aggregate-withheld person=%s mission=\"%s\"",
              (unsigned long)session->id, log_quote(session->who.person, name, sizeof name),
              session->who.mission);
}

enum status aggregate_row(struct session *session, struct request *head,
                          const struct wire_message *message, bool *shown, char *why, size_t size)
{
    size_t index = 0;
    const struct statement *statement = giver(head, &index);
    const struct verdict_statement *gives = statement_at(statement, index);
    struct cells_person *person = NULL;
    const struct policy_aggregate *bounds = NULL;
    bool fresh = false;
    *shown = false;
    enum status status = gives == NULL ? ERR_PROTOCOL : whose(session, statement, &person, &bounds);
    if (status != OK)
        return status == ERR_MEMORY ? status : ERR_PROTOCOL;
    /* A statement that was begun ends with what it has, but for what asks about few. */
    bool begun = head->charged && head->withheld == 0;
    if (!begun && cells_left(person, bounds, time(NULL)) == 0) {
        used_up(why, size, bounds);
        return DENIED;
    }
    if (head->rows + head->withheld >= GROUPS_MAX) {
        (void)snprintf(why, size, "an aggregate_only mission gives %zu groups at most at a time",
                       GROUPS_MAX);
        return DENIED;
    }
    status = admit_row(person, bounds, message, gives->subjects, &fresh);
    if (status == ERR_LIMIT) {
        (void)snprintf(why, size,
                       "the answer is over more rows than can be kept apart from "
                       "earlier answers'");
        return DENIED;
    }
    if (status == DENIED)
        withhold(session, head, person);
    if (status == OK && fresh && !head->charged) {
        cells_charge(person, 1, time(NULL));
        head->charged = true;
    }
    if (status == OK)
        session->answered_person = person;
    *shown = status == OK;
    return status == DENIED ? OK : status;
}

/* ---- endings ---- */

static void tell_withheld(struct session *session, const struct request *head)
{
    char text[200];
    (void)snprintf(text, sizeof text,
                   "%zu group%s left out: with what was answered before, %s would tell of fewer "
                   "patients than the mission allows",
                   head->withheld, head->withheld == 1 ? " is" : "s are",
                   head->withheld == 1 ? "it" : "they");
    if (!session->muted)
        wire_put_notice(&session->out.bytes, "NOTICE", "01000", text);
}

void aggregate_done(struct session *session, struct request *head, bool failed)
{
    size_t index = 0;
    const struct statement *statement = giver(head, &index);
    struct cells_person *person = NULL;
    const struct policy_aggregate *bounds = NULL;
    if (statement == NULL || whose(session, statement, &person, &bounds) != OK)
        return;
    session->answered_person = person;
    if (failed)
        cells_charge(person, WITHHELD_COSTS, time(NULL));
    else if (head->rows == 0 && head->withheld == 0 && !head->charged)
        cells_charge(person, 1, time(NULL)); /* that there is no such group is an answer, too */
    if (head->withheld > 0 && !failed)
        tell_withheld(session, head);
    head->charged = false;
    head->withheld = 0;
}

enum status aggregate_save(struct session *session)
{
    struct cells_person *person = session->answered_person;
    session->answered_person = NULL;
    return person == NULL ? OK : cells_save(person);
}
