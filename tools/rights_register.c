/*
 * rights_register.c: pgvigil's own register of rights (rights_register.h).
 *
 * Trust boundary: who can write to the database can change the tables; the signatures tell, and an
 * end that was cut off is told by the trail, which holds the hash of each entry.
 */
#include "tools/rights_register.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pgvigil/map.h>
#include <pgvigil/policy.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRIES   POLICY_REGISTER_SCHEMA ".entries"
#define ACTIVE    POLICY_REGISTER_SCHEMA ".active"
#define CANONICAL (JSON_COMPACT | JSON_SORT_KEYS)

#define PREFIX "pgvigil right 1\n"

/* What is signed; malloc'ed. */
static char *prefixed(const char *body)
{
    size_t size = sizeof PREFIX + strlen(body);
    char *text = malloc(size);
    if (text)
        (void)snprintf(text, size, "%s%s", PREFIX, body);
    return text;
}

static enum status failed(PGconn *conn, const PGresult *result, struct buf *why)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state && strcmp(state, "42P01") == 0)
        buf_printf(why,
                   "database %s has no register of rights: a right with register = true, and "
                   "pgvigil deploy, make it",
                   PQdb(conn));
    else
        buf_printf(why, "%s", message ? message : "the connection was lost");
    return ERR_UPSTREAM;
}

static enum status ask(PGconn *conn, const char *sql, int count, const char *const *values,
                       PGresult **result, struct buf *why)
{
    *result = PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(*result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return OK;
    enum status answer = failed(conn, *result, why);
    PQclear(*result);
    *result = NULL;
    return answer;
}

static enum status run(PGconn *conn, const char *sql, int count, const char *const *values,
                       struct buf *why)
{
    PGresult *result = NULL;
    enum status status = ask(conn, sql, count, values, &result, why);
    PQclear(result);
    return status;
}

/* What the next entry says of this one. */
static bool hash_entry(const char *body, const char *signature, char out[65])
{
    unsigned char digest[32];
    unsigned int len = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fine = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, body, strlen(body)) == 1 &&
                EVP_DigestUpdate(context, signature, strlen(signature)) == 1 &&
                EVP_DigestFinal_ex(context, digest, &len) == 1 && len == sizeof digest;
    EVP_MD_CTX_free(context);
    if (fine)
        text_hex(digest, sizeof digest, out);
    return fine;
}

/* ---- appending ---- */

/* Number and hash of the last one; 0 and "" where there is none. */
static enum status last_entry(PGconn *conn, uint64_t *seq, char prev[65], struct buf *why)
{
    PGresult *result = NULL;
    enum status status =
        ask(conn, "SELECT seq, body, signature FROM " ENTRIES " ORDER BY seq DESC LIMIT 1", 0, NULL,
            &result, why);
    if (status != OK)
        return status;
    *seq = 0;
    prev[0] = '\0';
    if (PQntuples(result) == 1) {
        *seq = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        status =
            hash_entry(PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2), prev) ? OK : ERR_MEMORY;
    }
    PQclear(result);
    return status;
}

static enum status is_active(PGconn *conn, const struct rights_entry *entry, bool *active,
                             struct buf *why)
{
    PGresult *result = NULL;
    const char *values[] = {entry->name, entry->subject};
    enum status status = ask(conn, "SELECT FROM " ACTIVE " WHERE name = $1 AND subject = $2", 2,
                             values, &result, why);
    *active = status == OK && PQntuples(result) == 1;
    PQclear(result);
    return status;
}

/* malloc'ed; NULL: no memory, or no randomness. Two entries are never the same text: of one that
 * was undone and one that was cut off the trail could not tell which it means. */
static char *body_of(const struct rights_entry *entry, uint64_t seq, const char *prev)
{
    unsigned char random[16];
    char nonce[2 * sizeof random + 1];
    char at[32];
    struct tm tm;
    time_t now = time(NULL);
    if (RAND_bytes(random, sizeof random) != 1)
        return NULL;
    text_hex(random, sizeof random, nonce);
    if (!gmtime_r(&now, &tm) || strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return NULL;
    json_t *body =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:s, s:s}", "seq", (json_int_t)seq,
                  "database", entry->database, "at", at, "what", entry->lift ? "lift" : "set",
                  "name", entry->name, "subject", entry->subject, "by", entry->by, "note",
                  entry->note, "prev", prev, "nonce", nonce);
    char *text = body ? json_dumps(body, CANONICAL) : NULL;
    json_decref(body);
    return text;
}

static enum status put_entry(PGconn *conn, const struct key *key, const struct rights_entry *entry,
                             uint64_t seq, const char *body, char sha256[65], struct buf *why)
{
    unsigned char signature[KEY_SIGNATURE];
    char hex[2 * KEY_SIGNATURE + 1];
    char number[24];
    char *signed_text = prefixed(body);
    bool made = signed_text && key_sign(key, signed_text, strlen(signed_text), signature) == OK;
    free(signed_text);
    if (!made)
        return ERR_MEMORY;
    text_hex(signature, sizeof signature, hex);
    if (!hash_entry(body, hex, sha256))
        return ERR_MEMORY;
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)seq);
    const char *row[] = {number, body, hex};
    const char *now[] = {entry->name, entry->subject, number};
    enum status status =
        run(conn, "INSERT INTO " ENTRIES " VALUES ($1::bigint, $2, $3)", 3, row, why);
    if (status != OK)
        return status;
    return entry->lift
               ? run(conn, "DELETE FROM " ACTIVE " WHERE name = $1 AND subject = $2", 2, now, why)
               : run(conn, "INSERT INTO " ACTIVE " VALUES ($1, $2, $3::bigint)", 3, now, why);
}

enum status rights_append(PGconn *conn, const struct key *key, const struct rights_entry *entry,
                          uint64_t *seq, char sha256[65], struct buf *why)
{
    char prev[65] = "";
    bool active = false;
    enum status status = run(conn, "BEGIN", 0, NULL, why);
    if (status == OK)
        status = run(conn, "LOCK TABLE " ENTRIES " IN EXCLUSIVE MODE", 0, NULL, why);
    if (status == OK)
        status = is_active(conn, entry, &active, why);
    if (status == OK && active != entry->lift)
        status = DENIED;
    if (status == OK)
        status = last_entry(conn, seq, prev, why);
    if (status != OK)
        return status;
    char *body = body_of(entry, ++*seq, prev);
    status = body ? put_entry(conn, key, entry, *seq, body, sha256, why) : ERR_MEMORY;
    free(body);
    return status;
}

/* ---- verifying ---- */

struct verifier {
    const struct key_ring *ring;
    const char *database;
    rights_finding_fn *tell;
    void *context;
    struct rights_verdict *verdict;
    const struct rights_listener *listener;
    struct map *active; /* "name\x1fsubject" -> not NULL */
    uint64_t seq;
    char prev[65];
};

static void find(struct verifier *one, uint64_t seq, const char *what)
{
    char text[256];
    (void)snprintf(text, sizeof text, "entry %llu %s", (unsigned long long)seq, what);
    one->verdict->findings++;
    one->tell(text, one->context);
}

static bool signature_fits(const struct verifier *one, const char *body, const char *hex)
{
    unsigned char signature[KEY_SIGNATURE];
    if (strlen(hex) != 2 * KEY_SIGNATURE || strspn(hex, "0123456789abcdef") != 2 * KEY_SIGNATURE)
        return false;
    for (size_t i = 0; i < KEY_SIGNATURE; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        signature[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    char *text = prefixed(body);
    bool fits = text && key_ring_verify(one->ring, text, strlen(text), signature);
    free(text);
    return fits;
}

/* "name\x1fsubject" */
static size_t pair_key(char *key, size_t size, const char *name, const char *subject)
{
    int len = snprintf(key, size, "%s\x1f%s", name, subject);
    return len < 0 || (size_t)len >= size ? 0 : (size_t)len;
}

static enum status replay(struct verifier *one, const json_t *body)
{
    static const char set = 's';
    char key[4096];
    const char *what = json_string_value(json_object_get(body, "what"));
    const char *name = json_string_value(json_object_get(body, "name"));
    const char *subject = json_string_value(json_object_get(body, "subject"));
    size_t len = name && subject ? pair_key(key, sizeof key, name, subject) : 0;
    if (!what || len == 0) {
        find(one, one->seq, "is no entry");
        return OK;
    }
    if (strcmp(what, "lift") == 0) {
        (void)map_remove(one->active, key, len);
        return OK;
    }
    return map_put(one->active, key, len, (void *)(uintptr_t)&set);
}

static enum status verify_entry(struct verifier *one, uint64_t seq, const char *text,
                                const char *signature)
{
    json_t *body = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *prev = json_string_value(json_object_get(body, "prev"));
    if (seq != one->seq + 1)
        find(one, seq, "does not follow: entries are missing before it");
    one->seq = seq;
    if (!signature_fits(one, text, signature))
        find(one, seq, "is not what was signed");
    else if (!prev || strcmp(prev, one->prev) != 0)
        find(one, seq, "does not fit to the one before it");
    if ((uint64_t)json_integer_value(json_object_get(body, "seq")) != seq)
        find(one, seq, "stands under another number");
    const char *database = json_string_value(json_object_get(body, "database"));
    if (!database || strcmp(database, one->database) != 0)
        find(one, seq, "is of another database");
    enum status status = hash_entry(text, signature, one->prev) ? replay(one, body) : ERR_MEMORY;
    if (status == OK)
        one->listener->entry(seq, one->prev, one->listener->context);
    json_decref(body);
    return status;
}

static enum status verify_active(struct verifier *one, PGconn *conn, struct buf *why)
{
    PGresult *result = NULL;
    char key[4096];
    enum status status = ask(conn, "SELECT name, subject FROM " ACTIVE, 0, NULL, &result, why);
    if (status != OK)
        return status;
    size_t known = 0;
    for (int row = 0; row < PQntuples(result); row++) {
        size_t len =
            pair_key(key, sizeof key, PQgetvalue(result, row, 0), PQgetvalue(result, row, 1));
        if (len > 0 && map_get(one->active, key, len))
            known++;
        else {
            one->verdict->findings++;
            one->tell("a right is active that no entry has set", one->context);
        }
    }
    one->verdict->active = (uint64_t)PQntuples(result);
    if (known < map_count(one->active)) {
        one->verdict->findings++;
        one->tell("a right that an entry has set is not active, and none has lifted it",
                  one->context);
    }
    PQclear(result);
    return OK;
}

/* What would turn rights off, or let somebody else change them, whatever the entries say. */
static const char holes_sql[] =
    "SELECT c.relname || CASE WHEN c.relkind <> 'r' THEN ' is no table'\n"
    "    WHEN c.relrowsecurity THEN ' has row security, which hides rights from the guards'\n"
    "    WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT "
    "t.tgisinternal) THEN ' has triggers'\n"
    "    WHEN EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid) THEN ' has "
    "rules'\n"
    "    ELSE ' may be written to by others than its owner' END\n"
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    "WHERE n.nspname = '" POLICY_REGISTER_SCHEMA "' AND c.relname IN ('entries', 'active') AND "
    "(c.relkind <> 'r' OR c.relrowsecurity\n"
    "    OR EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT "
    "t.tgisinternal)\n"
    "    OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid)\n"
    "    OR EXISTS (SELECT FROM pg_catalog.aclexplode(c.relacl) a WHERE a.grantee <> c.relowner "
    "AND a.privilege_type <> 'SELECT'))";

static enum status find_holes(struct verifier *one, PGconn *conn, struct buf *why)
{
    PGresult *result = NULL;
    enum status status = ask(conn, holes_sql, 0, NULL, &result, why);
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        one->verdict->findings++;
        one->tell(PQgetvalue(result, row, 0), one->context);
    }
    PQclear(result);
    return status;
}

enum status rights_verify(PGconn *conn, const struct key_ring *ring, const char *database,
                          rights_finding_fn *tell, void *context,
                          const struct rights_listener *listener, struct rights_verdict *verdict,
                          struct buf *why)
{
    PGresult *result = NULL;
    struct verifier one = {.ring = ring,
                           .database = database,
                           .tell = tell,
                           .context = context,
                           .listener = listener,
                           .verdict = verdict,
                           .active = map_new()};
    *verdict = (struct rights_verdict){0};
    enum status status = one.active ? OK : ERR_MEMORY;
    if (status == OK)
        status = run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0, NULL, why);
    if (status == OK)
        status = ask(conn, "SELECT seq, body, signature FROM " ENTRIES " ORDER BY seq", 0, NULL,
                     &result, why);
    for (int row = 0; status == OK && row < PQntuples(result); row++)
        status = verify_entry(&one, strtoull(PQgetvalue(result, row, 0), NULL, 10),
                              PQgetvalue(result, row, 1), PQgetvalue(result, row, 2));
    if (status == OK) {
        verdict->entries = (uint64_t)PQntuples(result);
        status = verify_active(&one, conn, why);
    }
    if (status == OK)
        status = find_holes(&one, conn, why);
    PQclear(result);
    map_free(one.active);
    struct buf ignored;
    buf_init(&ignored, 0);
    enum status ended = run(conn, "ROLLBACK", 0, NULL, &ignored);
    buf_free(&ignored);
    return status == OK ? ended : status;
}
