/*
 * rights_trail.c: what the trail knows of the register of rights (rights_trail.h).
 *
 * Trust boundary: the trail is read, not verified: `pgvigil audit verify` does that. A detail that
 * is not as subject_rights.c writes it is passed over, as a line of a later version may be.
 */
#include "tools/rights_trail.h"

#include "audit/search.h"
#include "tools/audit_filter.h"
#include "tools/audit_reader.h"

#include <pgvigil/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A change that the trail tells of. */
struct told {
    uint64_t seq;
    char sha256[65];
    size_t made;   /* how often it was about to be committed: entries of earlier versions that were
                      made within one second are the same text */
    size_t undone; /* how often the trail says that it was not */
    bool found;
};

/* An entry of the register that the trail should tell of and does not. */
struct missing {
    uint64_t seq;
    char sha256[65];
};

struct rights_trail {
    struct arena *arena;
    struct told *all;
    size_t count, cap;
    struct missing *missing;
    size_t missing_count, missing_cap;
    uint64_t first; /* the lowest number: what is older may have been purged */
    bool failed;    /* no memory */
};

/* "..., entry 12, <sha256>" */
static bool parse(const char *detail, struct told *told)
{
    static const char word[] = ", entry ";
    const char *at = detail ? strstr(detail, word) : NULL;
    char *end = NULL;
    if (!at)
        return false;
    told->seq = strtoull(at + sizeof word - 1, &end, 10);
    if (told->seq == 0 || strncmp(end, ", ", 2) != 0 || strlen(end + 2) != 64 ||
        strspn(end + 2, "0123456789abcdef") != 64)
        return false;
    (void)snprintf(told->sha256, sizeof told->sha256, "%s", end + 2);
    return true;
}

static struct told *find(const struct rights_trail *trail, uint64_t seq, const char *sha256)
{
    for (size_t i = 0; i < trail->count; i++)
        if (trail->all[i].seq == seq && strcmp(trail->all[i].sha256, sha256) == 0)
            return &trail->all[i];
    return NULL;
}

static bool add(struct rights_trail *trail, const json_t *answer)
{
    struct told told = {0};
    const char *event = json_string_value(json_object_get(answer, "event"));
    bool undone = event && strcmp(event, "right-undone") == 0;
    if (!event ||
        (!undone && strcmp(event, "right-set") != 0 && strcmp(event, "right-lifted") != 0))
        return true;
    if (!parse(json_string_value(json_object_get(answer, "detail")), &told))
        return true;
    struct told *known = find(trail, told.seq, told.sha256);
    if (known) {
        *(undone ? &known->undone : &known->made) += 1;
        return true;
    }
    struct told *grown =
        arena_grow(trail->arena, trail->all, trail->count, &trail->cap, sizeof(*grown));
    if (!grown)
        return false;
    trail->all = grown;
    told.made = !undone;
    told.undone = undone;
    if (trail->first == 0 || told.seq < trail->first)
        trail->first = told.seq;
    grown[trail->count++] = told;
    return true;
}

static int read_all(const struct cli_command *command, const char *directory, struct query *query,
                    struct rights_trail *trail)
{
    struct audit_teller teller;
    struct search_events events;
    struct search *search = NULL;
    const struct audit_index index = {.directory = NULL};
    const json_t *answer = NULL;
    enum status status = OK;
    audit_teller_events(&teller, &events);
    int code = audit_search_open(command, directory, &index, query, &events, &search);
    while (code == CLI_FINE && (status = search_next(search, &answer)) == OK)
        if (!add(trail, answer))
            code = cli_fail(command, CLI_CANNOT, "out of memory");
    if (code == CLI_FINE)
        code = audit_teller_end(&teller, command, search_count(search));
    if (code == CLI_FINE && status != CLOSED)
        code = cli_fail(command, CLI_CANNOT, "%s", status_name(status));
    search_close(search);
    return code;
}

int rights_trail_read(const struct cli_command *command, const struct config *config,
                      const char *database, struct arena *arena, struct rights_trail **trail)
{
    const char *why = NULL;
    struct query query = {.text[QUERY_DATABASE] = database,
                          .either = {"\"right-set\"", "\"right-lifted\"", "\"right-undone\""}};
    *trail = arena_zalloc(arena, 1, sizeof(**trail));
    if (!*trail)
        return cli_fail(command, CLI_CANNOT, "out of memory");
    (*trail)->arena = arena;
    int code = query_prepare(&query, &why) == OK
                   ? read_all(command, config->audit.directory, &query, *trail)
                   : cli_fail(command, CLI_CANNOT, "%s", why ? why : "out of memory");
    query_free(&query);
    return code;
}

enum status rights_trail_wait(PGconn *conn, struct buf *why)
{
    PGresult *result = PQexec(conn, "BEGIN; LOCK TABLE " POLICY_REGISTER_SCHEMA
                                    ".entries IN SHARE MODE; ROLLBACK");
    bool fine = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!fine) {
        const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        buf_printf(why, "%s", primary ? primary : "the connection was lost");
    }
    PQclear(result);
    PQclear(fine ? NULL : PQexec(conn, "ROLLBACK"));
    return fine ? OK : ERR_UPSTREAM;
}

void rights_trail_entry(uint64_t seq, const char *sha256, void *context)
{
    struct rights_trail *trail = context;
    struct told *told = find(trail, seq, sha256);
    if (told) {
        told->found = true;
        return;
    }
    if (trail->count == 0 || seq < trail->first)
        return;
    struct missing *grown = arena_grow(trail->arena, trail->missing, trail->missing_count,
                                       &trail->missing_cap, sizeof(*grown));
    trail->failed = trail->failed || !grown;
    if (!grown)
        return;
    trail->missing = grown;
    grown[trail->missing_count].seq = seq;
    (void)snprintf(grown[trail->missing_count++].sha256, sizeof grown->sha256, "%s", sha256);
}

uint64_t rights_trail_compare(const struct rights_trail *trail, const struct rights_trail *later,
                              rights_finding_fn *tell, void *context)
{
    char text[256];
    uint64_t findings = 0;
    for (size_t i = 0; i < trail->count; i++) {
        const struct told *told = &trail->all[i];
        const struct told *since = find(later, told->seq, told->sha256);
        bool expected = told->made > (since ? since->undone : told->undone);
        if (told->found == expected)
            continue;
        findings++;
        (void)snprintf(
            text, sizeof text,
            !expected ? "entry %llu (%.16s...) is there, and the trail says that it was undone"
                      : "entry %llu (%.16s...) is in the trail and not in the register: it was "
                        "cut off or replaced, or pgvigil died before it was committed",
            (unsigned long long)told->seq, told->sha256);
        tell(text, context);
    }
    for (size_t i = 0; i < trail->missing_count; i++) {
        if (find(later, trail->missing[i].seq, trail->missing[i].sha256))
            continue;
        findings++;
        (void)snprintf(text, sizeof text,
                       "entry %llu is not in the trail, which tells of older ones",
                       (unsigned long long)trail->missing[i].seq);
        tell(text, context);
    }
    if (trail->failed || later->failed) {
        findings++;
        tell("out of memory", context);
    }
    return findings;
}

bool rights_trail_knows(const struct rights_trail *trail)
{
    return trail->count > 0;
}
