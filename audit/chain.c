/*
 * chain.c: the hash chain and its checkpoints (see chain.h).
 *
 * Trust boundary: the parsing half reads files that someone may have tampered with; it accepts the
 * exact spelling that the writing half makes and nothing else, so that no two spellings of a line
 * mean the same.
 */
#include "chain.h"
#include "encode.h"
#include "heights.h"

#include <openssl/evp.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIGNED_MAX     32768U
#define WHY_MAX        600U
#define WHO_MAX        200U
#define SIGNATURE_OPEN ",\"signature\":\""
#define SIGNATURE_TAIL (sizeof SIGNATURE_OPEN - 1 + 2 * KEY_SIGNATURE + 2)

_Static_assert(HEIGHTS_MAX *HEIGHTS_ONE_MAX + 1024 <= SIGNED_MAX, "a checkpoint is signed whole");

/* Signed before the line's bytes: a signature of ours over anything else is never one of these. */
struct prefix {
    size_t len;
    char text[32];
};
static const struct prefix checkpoint_prefix = {27, "pgvigil audit checkpoint 1\n"};
static const struct prefix tombstone_prefix = {26, "pgvigil audit tombstone 1\n"};

struct hasher {
    EVP_MD *md;
    EVP_MD_CTX *ctx;
};

struct hasher *hasher_new(void)
{
    struct hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher)
        return NULL;
    hasher->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->ctx = EVP_MD_CTX_new();
    if (!hasher->md || !hasher->ctx || EVP_DigestInit_ex2(hasher->ctx, hasher->md, NULL) != 1) {
        hasher_free(hasher);
        return NULL;
    }
    return hasher;
}

void hasher_free(struct hasher *hasher)
{
    if (!hasher)
        return;
    EVP_MD_CTX_free(hasher->ctx);
    EVP_MD_free(hasher->md);
    free(hasher);
}

enum status hasher_line(struct hasher *hasher, const void *bytes, size_t len,
                        char hex[CHAIN_HASH_HEX + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (EVP_DigestInit_ex2(hasher->ctx, NULL, NULL) != 1 ||
        EVP_DigestUpdate(hasher->ctx, bytes, len) != 1 ||
        EVP_DigestFinal_ex(hasher->ctx, digest, &size) != 1 || size != 32)
        return ERR_INTERNAL;
    text_hex(digest, size, hex);
    return OK;
}

uint64_t chain_monotonic_seconds(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

void chain_start(struct chain *chain)
{
    memset(chain, 0, sizeof *chain);
    chain->next_seq = 1;
    memset(chain->prev, '0', CHAIN_HASH_HEX);
}

static void two_digits(char *out, int value)
{
    out[0] = (char)('0' + value / 10 % 10);
    out[1] = (char)('0' + value % 10);
}

static void write_second(time_t second, char out[CHAIN_TIME])
{
    struct tm tm = {0};
    (void)gmtime_r(&second, &tm);
    static const char shape[] = "0000-00-00T00:00:00.000000Z";
    for (size_t i = 0; i < CHAIN_TIME; i++)
        out[i] = shape[i];
    two_digits(out, (tm.tm_year + 1900) / 100);
    two_digits(out + 2, (tm.tm_year + 1900) % 100);
    two_digits(out + 5, tm.tm_mon + 1);
    two_digits(out + 8, tm.tm_mday);
    two_digits(out + 11, tm.tm_hour);
    two_digits(out + 14, tm.tm_min);
    two_digits(out + 17, tm.tm_sec);
}

/* Of the second only once in it: gmtime_r takes a lock of the whole process, for each record. */
static void write_time(char out[CHAIN_TIME])
{
    static _Thread_local struct {
        bool made;
        time_t second;
        char text[CHAIN_TIME];
    } last;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (!last.made || last.second != now.tv_sec) {
        write_second(now.tv_sec, last.text);
        last.second = now.tv_sec;
        last.made = true;
    }
    memcpy(out, last.text, CHAIN_TIME);
    int micro = (int)(now.tv_nsec / 1000);
    two_digits(out + 20, micro / 10000);
    two_digits(out + 22, micro / 100);
    two_digits(out + 24, micro);
}

static void line_begin(const struct chain *chain, const char time_text[CHAIN_TIME], struct buf *out,
                       const char *type)
{
    buf_append(out, "{\"seq\":", 7);
    encode_digits(out, chain->next_seq);
    buf_append(out, ",\"prev\":\"", 9);
    buf_append(out, chain->prev, CHAIN_HASH_HEX);
    buf_append(out, "\",\"time\":\"", 10);
    buf_append(out, time_text, CHAIN_TIME);
    buf_append(out, "\",\"type\":\"", 10);
    buf_str(out, type);
    buf_byte(out, '"');
}

void chain_time(char out[CHAIN_TIME + 1])
{
    write_time(out);
    out[CHAIN_TIME] = '\0';
}

void chain_line_begin(const struct chain *chain, struct buf *out, const char *type)
{
    char time_text[CHAIN_TIME];
    write_time(time_text);
    line_begin(chain, time_text, out, type);
}

enum status chain_line_end(struct chain *chain, struct hasher *hasher, struct buf *out,
                           size_t start)
{
    buf_append(out, "}\n", 2);
    if (out->failed)
        return ERR_MEMORY;
    char hash[CHAIN_HASH_HEX + 1];
    enum status status = hasher_line(hasher, out->data + start, out->tail - start, hash);
    if (status != OK)
        return status;
    memcpy(chain->prev, hash, sizeof chain->prev);
    chain->next_seq++;
    if (chain->unsigned_lines++ == 0)
        chain->unsigned_since = chain_monotonic_seconds();
    return OK;
}

/* Signs the line from `start` on and appends the signature to it. */
static enum status sign_line(const struct key *key, const struct prefix *prefix, size_t start,
                             struct buf *out)
{
    unsigned char message[SIGNED_MAX];
    unsigned char signature[KEY_SIGNATURE];
    char hex[2 * KEY_SIGNATURE + 1];
    size_t len = out->tail - start;
    if (out->failed)
        return ERR_MEMORY;
    if (len > sizeof message - prefix->len)
        return ERR_LIMIT;
    memcpy(message, prefix->text, prefix->len);
    memcpy(message + prefix->len, out->data + start, len);
    enum status status = key_sign(key, message, prefix->len + len, signature);
    if (status != OK)
        return status;
    text_hex(signature, sizeof signature, hex);
    buf_str(out, SIGNATURE_OPEN);
    buf_str(out, hex);
    buf_byte(out, '"');
    return OK;
}

enum status chain_checkpoint(struct chain *chain, struct hasher *hasher, const struct key *key,
                             unsigned chain_number, uint64_t file_number, const char *reason,
                             struct audit_heights *heights, struct buf *out)
{
    size_t start = out->tail;
    chain_line_begin(chain, out, "checkpoint");
    encode_number(out, "chain", chain_number);
    encode_number(out, "file", file_number);
    encode_field(out, "reason", reason);
    encode_number(out, "lines", chain->unsigned_lines);
    heights_append(heights, chain_number, out);
    encode_field(out, "key", key_fingerprint(key));
    enum status status = sign_line(key, &checkpoint_prefix, start, out);
    if (status != OK)
        return status;
    status = chain_line_end(chain, hasher, out, start);
    if (status == OK)
        chain->unsigned_lines = 0;
    return status;
}

struct cursor {
    const char *at;
    const char *end;
};

static bool take_text(struct cursor *cursor, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, text, len) != 0)
        return false;
    cursor->at += len;
    return true;
}

static bool take_number(struct cursor *cursor, uint64_t *number)
{
    const char *start = cursor->at;
    uint64_t value = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        if (cursor->at - start >= 19)
            return false;
        value = value * 10 + (uint64_t)(*cursor->at++ - '0');
    }
    *number = value;
    /* JSON readers, ours too, know none above that: a line with one is nothing that we wrote, and
     * what names it could not be read. */
    return cursor->at > start && *start != '0' && value <= INT64_MAX;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool take_hash(struct cursor *cursor, char hash[CHAIN_HASH_HEX + 1])
{
    if ((size_t)(cursor->end - cursor->at) < CHAIN_HASH_HEX)
        return false;
    for (size_t i = 0; i < CHAIN_HASH_HEX; i++) {
        if (!is_hex(cursor->at[i]))
            return false;
    }
    memcpy(hash, cursor->at, CHAIN_HASH_HEX);
    hash[CHAIN_HASH_HEX] = '\0';
    cursor->at += CHAIN_HASH_HEX;
    return true;
}

static bool take_time(struct cursor *cursor, char out[CHAIN_TIME + 1])
{
    static const char shape[] = "0000-00-00T00:00:00.000000Z";
    if ((size_t)(cursor->end - cursor->at) < CHAIN_TIME)
        return false;
    for (size_t i = 0; i < CHAIN_TIME; i++) {
        char c = cursor->at[i];
        if (shape[i] == '0' ? c < '0' || c > '9' : c != shape[i])
            return false;
    }
    memcpy(out, cursor->at, CHAIN_TIME);
    out[CHAIN_TIME] = '\0';
    cursor->at += CHAIN_TIME;
    return true;
}

static bool take_word(struct cursor *cursor, char out[CHAIN_TYPE_MAX + 1])
{
    size_t len = 0;
    while (cursor->at < cursor->end && *cursor->at >= 'a' && *cursor->at <= 'z') {
        if (len == CHAIN_TYPE_MAX)
            return false;
        out[len++] = *cursor->at++;
    }
    out[len] = '\0';
    return len > 0;
}

bool chain_line_parse(const char *bytes, size_t len, struct chain_line *line)
{
    struct cursor cursor = {bytes, bytes + len};
    return take_text(&cursor, "{\"seq\":") && take_number(&cursor, &line->seq) &&
           take_text(&cursor, ",\"prev\":\"") && take_hash(&cursor, line->prev) &&
           take_text(&cursor, "\",\"time\":\"") && take_time(&cursor, line->time) &&
           take_text(&cursor, "\",\"type\":\"") && take_word(&cursor, line->type) &&
           take_text(&cursor, "\"");
}

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static bool verify_line(const struct prefix *prefix, const char *bytes, size_t len,
                        const struct key_ring *ring)
{
    unsigned char message[SIGNED_MAX];
    unsigned char signature[KEY_SIGNATURE];
    if (len < SIGNATURE_TAIL || len - SIGNATURE_TAIL > sizeof message - prefix->len)
        return false;
    struct cursor cursor = {bytes + len - SIGNATURE_TAIL, bytes + len};
    if (!take_text(&cursor, SIGNATURE_OPEN))
        return false;
    for (size_t i = 0; i < KEY_SIGNATURE; i++, cursor.at += 2) {
        if (!is_hex(cursor.at[0]) || !is_hex(cursor.at[1]))
            return false;
        signature[i] = (unsigned char)(hex_value(cursor.at[0]) * 16 + hex_value(cursor.at[1]));
    }
    if (!take_text(&cursor, "\"}"))
        return false;
    memcpy(message, prefix->text, prefix->len);
    memcpy(message + prefix->len, bytes, len - SIGNATURE_TAIL);
    return key_ring_verify(ring, message, prefix->len + len - SIGNATURE_TAIL, signature);
}

bool chain_checkpoint_verify(const char *bytes, size_t len, const struct key_ring *ring)
{
    return verify_line(&checkpoint_prefix, bytes, len, ring);
}

bool chain_checkpoint_is_of(const char *bytes, size_t len, unsigned chain)
{
    char words[64];
    int count = snprintf(words, sizeof words, ",\"type\":\"checkpoint\",\"chain\":%u,", chain);
    return count > 0 && memmem(bytes, len, words, (size_t)count) != NULL;
}

static bool take_count(struct cursor *cursor, const char *name, uint64_t *number)
{
    if (!take_text(cursor, name))
        return false;
    if (cursor->at < cursor->end && *cursor->at == '0') {
        cursor->at++;
        *number = 0;
        return true;
    }
    return take_number(cursor, number);
}

/* What tombstones and gaps have in common, behind the type. */
static bool take_stretch(struct cursor *cursor, struct chain_tombstone *stone)
{
    return take_count(cursor, ",\"last\":", &stone->last) && take_text(cursor, ",\"hash\":\"") &&
           take_hash(cursor, stone->hash) &&
           take_count(cursor, "\",\"technical\":", &stone->technical) &&
           take_count(cursor, ",\"care\":", &stone->care) &&
           take_count(cursor, ",\"other\":", &stone->other) && take_text(cursor, ",\"to\":\"") &&
           take_time(cursor, stone->to) && take_text(cursor, "\"") && stone->last >= stone->first;
}

static bool take_stone(struct cursor *cursor, struct chain_tombstone *stone)
{
    struct chain_line line;
    uint64_t chain = 0;
    const char *bytes = cursor->at;
    size_t len = (size_t)(cursor->end - cursor->at);
    memset(stone, 0, sizeof *stone);
    if (!chain_line_parse(bytes, len, &line))
        return false;
    stone->gap = strcmp(line.type, "gap") == 0;
    if (!stone->gap && strcmp(line.type, "tombstone") != 0)
        return false;
    /* chain_line_parse has seen the opening; what follows it has one spelling, too. */
    static const char opening[] = "\"type\":\"";
    const char *at = memmem(bytes, len, opening, sizeof opening - 1);
    cursor->at = at ? at + sizeof opening - 1 + strlen(line.type) + 1 : cursor->end;
    stone->first = line.seq;
    memcpy(stone->prev, line.prev, sizeof stone->prev);
    memcpy(stone->from, line.time, sizeof stone->from);
    if (!take_stretch(cursor, stone))
        return false;
    if (stone->gap)
        return take_text(cursor, "}");
    if (!take_text(cursor, ",\"from\":\"") || !take_time(cursor, stone->from) ||
        !take_count(cursor, "\",\"chain\":", &chain) || chain > UINT32_MAX ||
        !take_count(cursor, ",\"file\":", &stone->file))
        return false;
    stone->chain = (unsigned)chain;
    return true;
}

bool chain_tombstone_parse(const char *bytes, size_t len, struct chain_tombstone *stone)
{
    struct cursor cursor = {bytes, bytes + len};
    return take_stone(&cursor, stone);
}

static bool take_marks(struct cursor *cursor, struct chain_seal *seal)
{
    if (!take_text(cursor, ",\"gaps\":\""))
        return false;
    for (; cursor->at < cursor->end && *cursor->at != '"'; cursor->at += CHAIN_MARK) {
        if (seal->count == CHAIN_MARKS || (size_t)(cursor->end - cursor->at) < CHAIN_MARK)
            return false;
        memcpy(seal->marks[seal->count++], cursor->at, CHAIN_MARK);
    }
    return true;
}

bool chain_tombstone_verify(const char *bytes, size_t len, const struct key_ring *ring)
{
    return verify_line(&tombstone_prefix, bytes, len, ring);
}

bool chain_seal_open(struct chain_seal *seal, const char *bytes, size_t len,
                     const struct key_ring *ring)
{
    struct cursor cursor = {bytes, bytes + len};
    struct chain_tombstone stone;
    seal->open = true;
    seal->count = 0;
    seal->next = 0;
    seal->broken = !take_stone(&cursor, &stone) || stone.gap || !take_marks(&cursor, seal) ||
                   !chain_tombstone_verify(bytes, len, ring);
    return !seal->broken;
}

bool chain_seal_covers(struct chain_seal *seal, const char *hash)
{
    /* One that is not there is missed by the chain; those behind it are what they were. */
    for (size_t i = seal->next; seal->open && !seal->broken && i < seal->count; i++) {
        if (memcmp(seal->marks[i], hash, CHAIN_MARK) == 0) {
            seal->next = i + 1;
            return true;
        }
    }
    return false;
}

static void put_stretch(const struct chain_tombstone *stone, struct buf *out)
{
    encode_number(out, "last", stone->last);
    encode_field(out, "hash", stone->hash);
    encode_number(out, "technical", stone->technical);
    encode_number(out, "care", stone->care);
    encode_number(out, "other", stone->other);
    encode_field(out, "to", stone->to);
}

void chain_gap(const struct chain_tombstone *stone, struct buf *out)
{
    struct chain chain = {.next_seq = stone->first};
    memcpy(chain.prev, stone->prev, sizeof chain.prev);
    line_begin(&chain, stone->from, out, "gap");
    put_stretch(stone, out);
    buf_append(out, "}\n", 2);
}

enum status chain_tombstone(const struct chain_tombstone *stone, const struct key *key,
                            const char *why, const char *who, const char (*marks)[CHAIN_MARK],
                            size_t mark_count, struct buf *out)
{
    struct chain chain = {.next_seq = stone->first};
    size_t start = out->tail;
    memcpy(chain.prev, stone->prev, sizeof chain.prev);
    chain_line_begin(&chain, out, "tombstone");
    put_stretch(stone, out);
    encode_field(out, "from", stone->from);
    encode_number(out, "chain", stone->chain);
    encode_number(out, "file", stone->file);
    buf_str(out, ",\"gaps\":\"");
    for (size_t i = 0; i < mark_count; i++)
        buf_append(out, marks[i], CHAIN_MARK);
    buf_str(out, "\",\"why\":");
    (void)encode_string(out, why, WHY_MAX);
    buf_str(out, ",\"who\":");
    (void)encode_string(out, who, WHO_MAX);
    encode_field(out, "key", key_fingerprint(key));
    enum status status = sign_line(key, &tombstone_prefix, start, out);
    if (status == OK)
        buf_append(out, "}\n", 2);
    return status == OK && out->failed ? ERR_MEMORY : status;
}
