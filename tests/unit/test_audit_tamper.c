/*
 * test_audit_tamper.c: whatever is done at random to a trail of plain, compressed and purged files
 * is found, and found where it was done: no finding points at a file that nobody touched.
 *
 * PGVIGIL_TAMPERS: how many (default 500), PGVIGIL_SEED: where the chance begins (default 1). The
 * trail is one chain, whose very end nothing else knows of (test_audit_beside.c): it is spared.
 */
#include "audit/chain.h"
#include "audit/frames.h"
#include "audit/lines.h"
#include "audit_fixture.h"

#include <time.h>
#include <zstd.h>

#define FILES_MAX 32U
#define LINES_MAX 512U
#define DAY       ((time_t)86400)

/* The names are the linker's. NOLINTBEGIN(readability-identifier-naming) */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

static time_t ahead;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += ahead;
    return result;
}
/* NOLINTEND(readability-identifier-naming) */

struct text {
    char *bytes; /* owned */
    size_t len;
    size_t count; /* lines */
    struct {
        const char *at;
        size_t len;
    } line[LINES_MAX];
};

struct item {
    char name[64];
    bool packed;
    char *raw; /* owned: as it stands in the directory */
    size_t raw_len;
    struct text text;
};

struct trail {
    struct fixture fixture;
    struct item items[FILES_MAX]; /* of chain 0, in order */
    size_t count;
    struct key *stranger;
    uint64_t seed;
};

/* What was done: where it may be told. */
struct tamper {
    const char *what;
    const struct item *items[2];
    char other[64];  /* a name that was made; or empty */
    size_t from, to; /* lines (from 1) that a finding may name; 0: any, and the file as a whole */
    size_t also;     /* another such line; 0: none */
};

static uint64_t chance(struct trail *trail, uint64_t below)
{
    trail->seed ^= trail->seed << 13;
    trail->seed ^= trail->seed >> 7;
    trail->seed ^= trail->seed << 17;
    return trail->seed % below;
}

/* ---- the trail ---- */

static void write_day(struct fixture *fixture, unsigned records)
{
    struct audit *audit = fixture_open(fixture, 0);
    for (unsigned i = 0; i < records; i++) {
        assert_int_equal(audit_event(audit, "connect", &some_session, NULL), OK);
        fixture_append(audit, 1);
        if (i % 7 == 3)
            assert_int_equal(audit_event(audit, "disconnect", &some_session, NULL), OK);
    }
    audit_close(audit);
    ahead += DAY;
}

static void split(struct text *text)
{
    const char *at = text->bytes;
    const char *end = at + text->len;
    text->count = 0;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        assert_non_null(newline);
        assert_true(text->count < LINES_MAX);
        text->line[text->count].at = at;
        text->line[text->count++].len = (size_t)(newline - at) + 1;
        at = newline + 1;
    }
}

static void load(struct trail *trail, struct item *item)
{
    char path[512];
    struct lines *lines = NULL;
    const char *why = NULL;
    const char *line = NULL;
    size_t len = 0;
    item->raw = fixture_read(&trail->fixture, item->name, &item->raw_len);
    assert_non_null(item->raw);
    (void)snprintf(path, sizeof path, "%s/%s", trail->fixture.directory, item->name);
    assert_int_equal(lines_open(path, &lines, &why), OK);
    item->text.bytes = malloc((size_t)1 << 20);
    assert_non_null(item->text.bytes);
    while (lines_next(lines, &line, &len) == OK) {
        memcpy(item->text.bytes + item->text.len, line, len);
        item->text.len += len;
    }
    lines_close(lines);
    split(&item->text);
}

/* Days of compressed files, purged ones among them, then plain ones, one of them purged. */
static void trail_start(struct trail *trail, uint64_t seed)
{
    struct audit_pack_result packed;
    struct audit_purge_result purged;
    struct fixture *fixture = &trail->fixture;
    const char *why = NULL;
    char key[200];
    memset(trail, 0, sizeof *trail);
    trail->seed = seed * 2654435761U + 1;
    fixture_start(fixture);
    (void)snprintf(key, sizeof key, "%s/stranger.pem", fixture->base);
    fixture_make_key(key);
    assert_int_equal(key_load(key, &trail->stranger), OK);
    fixture->options.daily = true;
    fixture->options.retention.technical_days = 4;
    ahead = -8 * DAY;
    for (unsigned day = 0; day < 5; day++)
        write_day(fixture, 12);
    audit_close(fixture_open(fixture, 0));
    assert_int_equal(audit_pack(fixture->directory, NULL, NULL, &packed, &why), OK);
    for (unsigned day = 0; day < 4; day++)
        write_day(fixture, 12);
    ahead = 0;
    audit_close(fixture_open(fixture, 0));
    assert_int_equal(audit_purge(&fixture->options, true, "anna", NULL, NULL, &purged, &why), OK);
    assert_true(purged.technical > 0);
    for (unsigned number = 1; number < FILES_MAX; number++) {
        struct item *item = &trail->items[trail->count];
        char path[512];
        for (unsigned form = 0; form < 2; form++) {
            (void)snprintf(item->name, sizeof item->name, "audit-0-%08u.jsonl%s", number,
                           form ? ".zst" : "");
            (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, item->name);
            item->packed = form == 1;
            if (access(path, F_OK) == 0)
                break;
        }
        if (access(path, F_OK) != 0)
            break;
        load(trail, item);
        trail->count++;
    }
    assert_true(trail->count >= 8);
    assert_true(trail->items[0].packed && !trail->items[trail->count - 1].packed);
}

static void trail_end(struct trail *trail)
{
    for (size_t i = 0; i < trail->count; i++) {
        free(trail->items[i].raw);
        free(trail->items[i].text.bytes);
    }
    key_free(trail->stranger);
    fixture_end(&trail->fixture);
}

static void put_packed(const struct trail *trail, const char *name, const char *bytes, size_t len)
{
    char path[512];
    struct packer *packer = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", trail->fixture.directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(packer_new(fd, &packer), OK);
    assert_int_equal(packer_bytes(packer, bytes, len), OK);
    assert_int_equal(packer_end(packer), OK);
    packer_free(packer);
    assert_int_equal(close(fd), 0);
}

static void put(const struct trail *trail, const struct item *item, const char *bytes, size_t len)
{
    if (item->packed)
        put_packed(trail, item->name, bytes, len);
    else
        fixture_write(&trail->fixture, item->name, bytes, len);
}

static void put_lines(const struct trail *trail, const struct item *item, const struct text *text)
{
    char *bytes = malloc((size_t)2 << 20);
    size_t len = 0;
    assert_non_null(bytes);
    for (size_t i = 0; i < text->count; i++) {
        memcpy(bytes + len, text->line[i].at, text->line[i].len);
        len += text->line[i].len;
    }
    put(trail, item, bytes, len);
    free(bytes);
}

/* ---- tampers ---- */

static bool is_last(const struct trail *trail, const struct item *item)
{
    return item == &trail->items[trail->count - 1];
}

static struct item *any(struct trail *trail)
{
    return &trail->items[chance(trail, trail->count)];
}

static struct item *any_packed(struct trail *trail)
{
    struct item *item = any(trail);
    while (!item->packed)
        item = any(trail);
    return item;
}

static void change_byte(struct trail *trail, struct tamper *tamper)
{
    struct item *item = any(trail);
    size_t line = chance(trail, item->text.count);
    size_t at = (size_t)(item->text.line[line].at - item->text.bytes) +
                chance(trail, item->text.line[line].len - 1);
    char old = item->text.bytes[at];
    while (item->text.bytes[at] == old)
        item->text.bytes[at] = (char)(32 + chance(trail, 95));
    put(trail, item, item->text.bytes, item->text.len);
    item->text.bytes[at] = old;
    tamper->items[0] = item;
    tamper->from = tamper->to = line + 1;
}

static void change_stone(struct trail *trail, struct tamper *tamper)
{
    for (;;) {
        struct item *item = any(trail);
        size_t line = chance(trail, item->text.count);
        char *start = item->text.bytes + (item->text.line[line].at - item->text.bytes);
        if (!memmem(start, item->text.line[line].len, "\"type\":\"tombstone\"", 18) &&
            !memmem(start, item->text.line[line].len, "\"type\":\"gap\"", 12))
            continue;
        size_t at = chance(trail, item->text.line[line].len - 1);
        char old = start[at];
        start[at] = old == '7' ? '8' : '7';
        put(trail, item, item->text.bytes, item->text.len);
        start[at] = old;
        tamper->items[0] = item;
        tamper->from = tamper->to = line + 1;
        return;
    }
}

static void remove_lines(struct trail *trail, struct tamper *tamper)
{
    struct item *item = any(trail);
    struct text text = item->text;
    size_t from = chance(trail, text.count - 1);
    size_t most = text.count - from - (is_last(trail, item) ? 1 : 0);
    size_t count = 1 + chance(trail, most);
    if (count == text.count)
        count--;
    text.count -= count;
    memmove(&text.line[from], &text.line[from + count], (text.count - from) * sizeof text.line[0]);
    put_lines(trail, item, &text);
    tamper->items[0] = item;
    tamper->from = tamper->to = from + 1;
}

/* A line of the trail in another place, tombstones too; or one that nobody wrote. */
static void add_line(struct trail *trail, struct tamper *tamper)
{
    struct item *item = any(trail);
    const struct item *source = any(trail);
    struct text text = item->text;
    size_t at = 1 + chance(trail, text.count - 1);
    size_t from = chance(trail, source->text.count);
    memmove(&text.line[at + 1], &text.line[at], (text.count - at) * sizeof text.line[0]);
    text.count++;
    text.line[at].at = source->text.line[from].at;
    text.line[at].len = source->text.line[from].len;
    if (chance(trail, 4) == 0) {
        text.line[at].at = "{\"seq\":3,\"forged\":true}\n";
        text.line[at].len = strlen(text.line[at].at);
    }
    put_lines(trail, item, &text);
    tamper->items[0] = item;
    tamper->from = at;
    tamper->to = at + 2;
}

static void move_line(struct trail *trail, struct tamper *tamper)
{
    struct item *item = any(trail);
    struct text text = item->text;
    if (text.count < 6) {
        change_byte(trail, tamper);
        return;
    }
    size_t from = 1 + chance(trail, text.count - 2);
    size_t to = from;
    while (to == from)
        to = 1 + chance(trail, text.count - 2);
    size_t step = from < to ? 1 : SIZE_MAX;
    for (size_t i = from; i != to; i += step)
        text.line[i] = item->text.line[i + step];
    text.line[to] = item->text.line[from];
    put_lines(trail, item, &text);
    tamper->items[0] = item;
    tamper->from = to + 1;
    tamper->to = to + 1;
    tamper->also = from + 1;
}

static void cut_text(struct trail *trail, struct tamper *tamper)
{
    struct item *item = any(trail);
    size_t keep = 0;
    do {
        keep = 1 + chance(trail, item->text.len - 2);
    } while (item->text.bytes[keep - 1] == '\n');
    size_t line = 1;
    for (size_t i = 0; i < keep; i++)
        line += item->text.bytes[i] == '\n';
    put(trail, item, item->text.bytes, keep);
    tamper->items[0] = item;
    tamper->from = tamper->to = line;
}

static void swap_files(struct trail *trail, struct tamper *tamper)
{
    struct item *a = any(trail);
    struct item *b = any(trail);
    while (a == b)
        b = any(trail);
    put(trail, a, b->text.bytes, b->text.len);
    put(trail, b, a->text.bytes, a->text.len);
    tamper->items[0] = a;
    tamper->items[1] = b;
}

static void copy_over(struct trail *trail, struct tamper *tamper)
{
    struct item *a = any(trail);
    const struct item *b = any(trail);
    while (a == b || is_last(trail, a))
        a = any(trail);
    put(trail, a, b->text.bytes, b->text.len);
    tamper->items[0] = a;
    tamper->items[1] = b;
}

static void rename_file(struct trail *trail, struct tamper *tamper)
{
    char from[512];
    char to[512];
    const struct item *item = any(trail);
    (void)snprintf(tamper->other, sizeof tamper->other, "audit-0-%08u.jsonl%s",
                   40 + (unsigned)chance(trail, 50), item->packed ? ".zst" : "");
    (void)snprintf(from, sizeof from, "%s/%s", trail->fixture.directory, item->name);
    (void)snprintf(to, sizeof to, "%s/%s", trail->fixture.directory, tamper->other);
    assert_int_equal(rename(from, to), 0);
    tamper->items[0] = item;
}

static void remove_file(struct trail *trail, struct tamper *tamper)
{
    char path[512];
    const struct item *item = any(trail);
    while (is_last(trail, item))
        item = any(trail);
    (void)snprintf(path, sizeof path, "%s/%s", trail->fixture.directory, item->name);
    assert_int_equal(unlink(path), 0);
    tamper->items[0] = item;
}

static void change_packed(struct trail *trail, struct tamper *tamper)
{
    struct item *item = any_packed(trail);
    size_t at = chance(trail, item->raw_len);
    char old = item->raw[at];
    item->raw[at] = (char)(old ^ (1 << chance(trail, 8)));
    fixture_write(&trail->fixture, item->name, item->raw, item->raw_len);
    item->raw[at] = old;
    tamper->items[0] = item;
}

static void cut_packed(struct trail *trail, struct tamper *tamper)
{
    const struct item *item = any_packed(trail);
    fixture_write(&trail->fixture, item->name, item->raw, chance(trail, item->raw_len));
    tamper->items[0] = item;
}

/* Bytes behind it, or the right lines compressed in another way. */
static void pack_wrongly(struct trail *trail, struct tamper *tamper)
{
    const struct item *item = any_packed(trail);
    size_t most = ZSTD_compressBound(item->text.len) + item->raw_len;
    char *bytes = malloc(most);
    assert_non_null(bytes);
    size_t len = 0;
    if (chance(trail, 2) == 0) {
        memcpy(bytes, item->raw, item->raw_len);
        len = item->raw_len + 1 + chance(trail, 20);
        memset(bytes + item->raw_len, 'x', len - item->raw_len);
    } else {
        len = ZSTD_compress(bytes, most, item->text.bytes, item->text.len, 5);
        assert_false(ZSTD_isError(len));
    }
    fixture_write(&trail->fixture, item->name, bytes, len);
    free(bytes);
    tamper->items[0] = item;
}

/* The plain file beside its compressed form, and not the same. */
static void both_forms(struct trail *trail, struct tamper *tamper)
{
    const struct item *item = any_packed(trail);
    char *bytes = malloc(item->text.len);
    assert_non_null(bytes);
    memcpy(bytes, item->text.bytes, item->text.len);
    bytes[chance(trail, item->text.len)] ^= 1;
    (void)snprintf(tamper->other, sizeof tamper->other, "%.*s", (int)strlen(item->name) - 4,
                   item->name);
    fixture_write(&trail->fixture, tamper->other, bytes, item->text.len);
    free(bytes);
    tamper->items[0] = item;
}

/* What purging would leave, by somebody who has not the key: a tombstone, or an unsigned gap. */
static void forge_stone(struct trail *trail, struct tamper *tamper)
{
    struct item *item = any(trail);
    struct text text = item->text;
    struct chain_line first;
    struct chain_line last;
    struct buf out;
    size_t from = 1 + chance(trail, text.count - 2);
    size_t count = 1 + chance(trail, text.count - from - 1);
    struct chain_tombstone stone = {.chain = 0, .file = (uint64_t)(item - trail->items) + 1};
    assert_true(chain_line_parse(text.line[from].at, text.line[from].len, &first));
    assert_true(chain_line_parse(text.line[from + count].at, text.line[from + count].len, &last));
    stone.first = first.seq;
    stone.last = last.seq - 1;
    stone.technical = stone.last - stone.first + 1;
    memcpy(stone.prev, first.prev, sizeof stone.prev);
    memcpy(stone.hash, last.prev, sizeof stone.hash);
    memcpy(stone.from, first.time, sizeof stone.from);
    memcpy(stone.to, last.time, sizeof stone.to);
    buf_init(&out, 0);
    if (chance(trail, 2) == 0)
        chain_gap(&stone, &out);
    else
        assert_int_equal(
            chain_tombstone(&stone, trail->stranger, "why not", "nobody", NULL, 0, &out), OK);
    text.line[from].at = (const char *)buf_head(&out);
    text.line[from].len = buf_len(&out);
    text.count -= count - 1;
    memmove(&text.line[from + 1], &text.line[from + count],
            (text.count - from - 1) * sizeof text.line[0]);
    put_lines(trail, item, &text);
    buf_free(&out);
    tamper->items[0] = item;
    tamper->from = tamper->to = from + 1;
}

static const struct {
    const char *what;
    void (*run)(struct trail *trail, struct tamper *tamper);
} kinds[] = {
    {"a byte changed", change_byte},
    {"a tombstone changed", change_stone},
    {"lines removed", remove_lines},
    {"a line added", add_line},
    {"a line moved", move_line},
    {"the end cut off", cut_text},
    {"files swapped", swap_files},
    {"a file copied over another", copy_over},
    {"a file renamed", rename_file},
    {"a file removed", remove_file},
    {"a compressed byte changed", change_packed},
    {"a compressed file cut", cut_packed},
    {"a file compressed wrongly", pack_wrongly},
    {"both forms, not the same", both_forms},
    {"a forged tombstone", forge_stone},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- judgement ---- */

/* A file that is gone is told of by the name of its plain form. */
static bool is_named(const char *found, const struct item *item)
{
    return item && (strcmp(found, item->name) == 0 ||
                    (item->packed && strncmp(found, item->name, strlen(item->name) - 4) == 0));
}

static bool is_there(const struct tamper *tamper, const char *file)
{
    return is_named(file, tamper->items[0]) || is_named(file, tamper->items[1]) ||
           strcmp(file, tamper->other) == 0;
}

/* One line off: of a line that is missing, either neighbour is its place. */
static bool is_at(const struct tamper *tamper, uint64_t line)
{
    return tamper->from == 0 || (line + 1 >= tamper->from && line <= tamper->to + 1) ||
           (tamper->also && line + 1 >= tamper->also && line <= tamper->also + 1) ||
           (tamper->from <= 1 && line == 0);
}

static void restore(const struct trail *trail, const struct tamper *tamper)
{
    char path[512];
    if (tamper->other[0]) {
        (void)snprintf(path, sizeof path, "%s/%s", trail->fixture.directory, tamper->other);
        (void)unlink(path);
    }
    for (size_t i = 0; i < 2; i++) {
        const struct item *item = tamper->items[i];
        if (item)
            fixture_write(&trail->fixture, item->name, item->raw, item->raw_len);
    }
}

static void judge(const struct trail *trail, const struct tamper *tamper, unsigned round,
                  unsigned long seed)
{
    struct findings findings;
    (void)fixture_verify(&trail->fixture, &findings);
    bool located = false;
    bool elsewhere = false;
    for (size_t i = 0; i < findings.count && i < FINDINGS_MAX; i++) {
        bool there = is_there(tamper, findings.at[i].file);
        elsewhere = elsewhere || !there;
        located = located || (there && is_at(tamper, findings.at[i].line));
    }
    if (located && !elsewhere)
        return;
    fixture_print(&findings);
    fail_msg("seed %lu, round %u: %s in %s%s%s, lines %zu to %zu: %s", seed, round, tamper->what,
             tamper->items[0]->name, tamper->items[1] ? " and " : "",
             tamper->items[1] ? tamper->items[1]->name : "", tamper->from, tamper->to,
             !findings.count ? "not found"
             : elsewhere     ? "found in a file that nobody touched"
                             : "found in another place");
}

static unsigned long number_of(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

static void verify_finds_every_random_tamper_at_its_place(void **state)
{
    (void)state;
    struct trail *trail = malloc(sizeof *trail);
    struct findings findings;
    unsigned long count = number_of("PGVIGIL_TAMPERS", 500);
    unsigned long seed = number_of("PGVIGIL_SEED", 1);
    unsigned done[KINDS] = {0};
    assert_non_null(trail);
    trail_start(trail, seed);
    assert_int_equal(fixture_verify(&trail->fixture, &findings).findings, 0);
    for (unsigned round = 0; round < count; round++) {
        struct tamper tamper = {0};
        size_t kind = chance(trail, KINDS);
        tamper.what = kinds[kind].what;
        kinds[kind].run(trail, &tamper);
        judge(trail, &tamper, round, seed);
        restore(trail, &tamper);
        done[kind]++;
    }
    assert_int_equal(fixture_verify(&trail->fixture, &findings).findings, 0);
    for (size_t i = 0; i < KINDS; i++)
        print_message("%5u %s\n", done[i], kinds[i].what);
    trail_end(trail);
    free(trail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_finds_every_random_tamper_at_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
