/*
 * dialect.c: see dialect.h.
 */
#include "proxy/dialect.h"

#include "proxy/session.h"

#include <openssl/evp.h>
#include <pgvigil/judge.h>
#include <pgvigil/text.h>
#include <string.h>

bool dialect_same(const struct dialect *a, const struct dialect *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

void dialect_name(const struct dialect *dialect, const char name[DIALECT_NAME_BYTES],
                  char out[DIALECT_NAME_BYTES])
{
    static const struct dialect none;
    unsigned char bytes[DIALECT_NAME_BYTES + sizeof *dialect] = {0};
    unsigned char digest[EVP_MAX_MD_SIZE];
    out[0] = '\0';
    if (dialect_same(dialect, &none)) {
        memcpy(out, name, DIALECT_NAME_BYTES);
        return;
    }
    memcpy(bytes, name, DIALECT_NAME_BYTES);
    memcpy(bytes + DIALECT_NAME_BYTES, dialect, sizeof *dialect);
    if (EVP_Digest(bytes, sizeof bytes, digest, NULL, EVP_sha256(), NULL) != 1)
        return;
    memcpy(out, name, 4); /* "pgv_" */
    text_hex(digest, 16, out + 4);
}

/* '...' in all its forms, and $tag$...$tag$; $1 is none. */
bool dialect_has_strings(const char *sql, size_t len)
{
    const char *end = sql + len;
    if (memchr(sql, '\'', len) != NULL)
        return true;
    for (const char *at = sql; (at = memchr(at, '$', (size_t)(end - at))) != NULL; at++)
        if (at + 1 == end || at[1] < '0' || at[1] > '9')
            return true;
    return false;
}

/* Into what nobody else has, and this session has not had: no hash but by chance. */
static void change(struct session *session)
{
    const uint64_t own[2] = {session->id, ++session->dialects.turns};
    _Static_assert(sizeof own == sizeof session->dialects.now, "a dialect's size");
    memcpy(&session->dialects.now, own, sizeof own);
}

void dialect_start(struct session *session)
{
    const struct identity *identity = &session->identity;
    struct buf settings;
    session->dialects.open = false;
    memset(&session->dialects.now, 0, sizeof session->dialects.now);
    buf_init(&settings, 0);
    for (size_t i = 0; i < identity->setting_count; i++) {
        if (!setting_reads_constants(identity->settings[i].name))
            continue;
        buf_cstr(&settings, identity->settings[i].name);
        buf_cstr(&settings, identity->settings[i].value);
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (settings.failed ||
        (buf_len(&settings) > 0 && EVP_Digest(buf_head(&settings), buf_len(&settings), digest, NULL,
                                              EVP_sha256(), NULL) != 1))
        change(session);
    else if (buf_len(&settings) > 0)
        memcpy(&session->dialects.now, digest, sizeof session->dialects.now);
    buf_free(&settings);
}

void dialect_sent(struct session *session, const struct statement *statement)
{
    for (size_t i = 0; i < statement->verdict->statement_count; i++) {
        const struct verdict_statement *one = &statement->verdict->statements[i];
        if ((one->kind != STATEMENT_SET && one->kind != STATEMENT_RESET) ||
            (one->setting != NULL && !setting_reads_constants(one->setting)))
            continue;
        change(session);
        session->dialects.open = true;
    }
}

void dialect_undone(struct session *session)
{
    if (session->dialects.open)
        change(session);
}

void dialect_settled(struct session *session)
{
    session->dialects.open = false;
}
