/*
 * verify_runs.c: what was done to a chain, from the runs it fell into (see verify.h).
 *
 * The *backbone* is the heaviest series of runs whose numbers ascend: what nobody touched. The
 * others are strays. A gap in the backbone's numbers wants records: a stray whose hash the line
 * after the gap holds was moved; strays that stand in the gap were changed; what is left over is
 * missing, and strays that no gap wants were added. Two neighbours without a gap whose link does
 * not hold: the first was changed, unless the second one's own link field was.
 *
 * So one tampering is one finding, whatever stands after it.
 */
#include "verify.h"

#include <inttypes.h>
#include <pgvigil/map.h>
#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

/* The best chain of runs that ends below a number, as a Fenwick tree over the ranks of last_seq. */
struct best {
    uint64_t weight;
    size_t run; /* NONE: nothing yet */
};

struct backbone {
    uint64_t *numbers; /* all last_seq, sorted. Owned. */
    size_t count;
    struct best *tree; /* owned */
    size_t *before;    /* for each run, the one before it in its best chain. Owned. */
};

static int compare_numbers(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* How many numbers are below `number`. */
static size_t rank_of(const struct backbone *backbone, uint64_t number)
{
    size_t low = 0;
    size_t high = backbone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (backbone->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of two equally heavy chains the one with lower numbers: a number that was changed mostly grows.
 */
static bool is_better(const struct verify *verify, struct best a, struct best b)
{
    if (a.run == NONE || b.run == NONE)
        return b.run == NONE && a.run != NONE;
    if (a.weight != b.weight)
        return a.weight > b.weight;
    /* Of two copies the later one: then all that was put in stands together before it. */
    return verify->runs[a.run].last_seq <= verify->runs[b.run].last_seq;
}

static void choose_backbone(struct verify *verify, struct backbone *backbone)
{
    struct best best = {.run = NONE};
    for (size_t i = 0; i <= backbone->count; i++)
        backbone->tree[i] = best;
    for (size_t i = 0; i < verify->run_count; i++) {
        const struct run *run = &verify->runs[i];
        if (!run->parsed)
            continue;
        struct best below = {.run = NONE};
        for (size_t at = rank_of(backbone, run->first_seq); at > 0; at &= at - 1) {
            if (is_better(verify, backbone->tree[at], below))
                below = backbone->tree[at];
        }
        struct best mine = {.weight = below.weight + run->lines, .run = i};
        backbone->before[i] = below.run;
        for (size_t at = rank_of(backbone, run->last_seq) + 1; at <= backbone->count;
             at += at & (~at + 1)) {
            if (is_better(verify, mine, backbone->tree[at]))
                backbone->tree[at] = mine;
        }
        if (is_better(verify, mine, best))
            best = mine;
    }
    for (size_t i = 0; i < verify->run_count; i++)
        verify->runs[i].place = RUN_STRAY;
    for (size_t i = best.run; i != NONE; i = backbone->before[i])
        verify->runs[i].place = RUN_BACKBONE;
}

static enum status find_backbone(struct verify *verify)
{
    struct backbone backbone = {0};
    size_t count = verify->run_count;
    backbone.numbers = calloc(count, sizeof *backbone.numbers);
    backbone.tree = calloc(count + 1, sizeof *backbone.tree);
    backbone.before = calloc(count, sizeof *backbone.before);
    enum status status = ERR_MEMORY;
    if (backbone.numbers && backbone.tree && backbone.before) {
        for (size_t i = 0; i < count; i++)
            backbone.numbers[i] = verify->runs[i].last_seq;
        backbone.count = count;
        qsort(backbone.numbers, count, sizeof *backbone.numbers, compare_numbers);
        choose_backbone(verify, &backbone);
        status = OK;
    }
    free(backbone.numbers);
    free(backbone.tree);
    free(backbone.before);
    return status;
}

/* Strays that were read as two runs only because a copy might have ended there. */
static void merge_strays(struct verify *verify)
{
    size_t kept = 1;
    for (size_t i = 1; i < verify->run_count; i++) {
        struct run *before = &verify->runs[kept - 1];
        const struct run *run = &verify->runs[i];
        bool linked = before->parsed && run->parsed && before->place == RUN_STRAY &&
                      run->place == RUN_STRAY && run->first_seq == before->last_seq + 1 &&
                      strcmp(run->prev, before->hash) == 0;
        if (!linked) {
            verify->runs[kept++] = *run;
            continue;
        }
        before->last_file = run->last_file;
        before->last_line = run->last_line;
        before->last_seq = run->last_seq;
        before->lines += run->lines;
        memcpy(before->hash, run->hash, sizeof before->hash);
    }
    verify->run_count = kept;
}

/* A stretch between two neighbours of the backbone. */
struct gap {
    const struct run *left; /* NULL: before the first */
    const struct run *right;
    size_t first;     /* first run between them */
    size_t right_run; /* index of `right` */
    uint64_t from;    /* first number that is wanted */
    uint64_t wanted;  /* how many */
};

static bool next_gap(const struct verify *verify, struct gap *gap)
{
    size_t start = gap->right ? gap->right_run + 1 : 0;
    for (size_t i = start; i < verify->run_count; i++) {
        if (verify->runs[i].place != RUN_BACKBONE)
            continue;
        gap->left = gap->right;
        gap->right = &verify->runs[i];
        gap->first = start;
        gap->right_run = i;
        gap->from = gap->left ? gap->left->last_seq + 1 : 1;
        gap->wanted = gap->right->first_seq - gap->from;
        return true;
    }
    return false;
}

static bool fits(const struct run *stray, const struct gap *gap, uint64_t wanted)
{
    return stray->place == RUN_STRAY && stray->lines <= wanted && stray->first_seq >= gap->from &&
           stray->last_seq < gap->right->first_seq;
}

static uint64_t take_moved(struct run *stray, const struct gap *gap)
{
    stray->place = RUN_MOVED;
    stray->before = gap->right_run;
    return stray->lines;
}

/* Finds the strays that the lines around a gap name by their hashes. Returns how many lines came
 * home. */
static uint64_t match_gap(const struct gap *gap, const struct map *by_hash,
                          const struct map *by_prev)
{
    uint64_t found = 0;
    const char *hash = gap->right->prev;
    struct run *stray = map_get_str(by_hash, hash);
    while (stray && fits(stray, gap, gap->wanted - found)) {
        found += take_moved(stray, gap);
        stray = map_get_str(by_hash, stray->prev);
    }
    stray = gap->left ? map_get_str(by_prev, gap->left->hash) : NULL;
    while (stray && fits(stray, gap, gap->wanted - found)) {
        found += take_moved(stray, gap);
        stray = map_get_str(by_prev, stray->hash);
    }
    return found;
}

static enum status match_moved(struct verify *verify, uint64_t *home)
{
    struct map *by_hash = map_new();
    struct map *by_prev = map_new();
    enum status status = by_hash && by_prev ? OK : ERR_MEMORY;
    for (size_t i = 0; status == OK && i < verify->run_count; i++) {
        struct run *run = &verify->runs[i];
        if (!run->parsed || run->place != RUN_STRAY)
            continue;
        status = map_put_str(by_hash, run->hash, run);
        if (status == OK)
            status = map_put_str(by_prev, run->prev, run);
    }
    struct gap gap = {0};
    while (status == OK && next_gap(verify, &gap)) {
        if (gap.wanted > 0)
            home[gap.right_run] = match_gap(&gap, by_hash, by_prev);
    }
    map_free(by_hash);
    map_free(by_prev);
    return status;
}

static enum status find_moved(struct verify *verify, const struct run *run)
{
    const struct run *before = &verify->runs[run->before];
    return verify_find(verify, run->file, run->line,
                       "moved: %" PRIu64 " line(s) from here, records %" PRIu64 " to %" PRIu64
                       ", belong before line %" PRIu64 " of %s",
                       run->lines, run->first_seq, run->last_seq, before->line,
                       verify->files[before->file].name);
}

static enum status find_added(struct verify *verify, const struct run *run)
{
    if (!run->parsed)
        return verify_find(verify, run->file, run->line, "added: this line is not a record");
    return verify_find(verify, run->file, run->line,
                       "added: %" PRIu64 " line(s) from here, numbered %" PRIu64 " to %" PRIu64
                       ", are not part of the chain",
                       run->lines, run->first_seq, run->last_seq);
}

static enum status find_fault(struct verify *verify, const struct run *run, uint64_t lost)
{
    if (run->fault == RUN_FORGED)
        return verify_find(verify, run->file, run->line,
                           "bad signature: this tombstone was not signed for this place by a known "
                           "key, nor are the gaps up to the next one; %" PRIu64
                           " record(s) are missing here",
                           lost);
    return verify_find(verify, run->file, run->line,
                       "changed: the compressed bytes before this line are not those that were "
                       "written; %" PRIu64 " record(s) in them are lost",
                       lost);
}

/* One stray that stands in a gap. *left is what the gap still wants. */
static enum status judge_stray(struct verify *verify, const struct run *run, uint64_t *left)
{
    if (run->fault != RUN_SOUND) {
        uint64_t lost = *left;
        *left = 0;
        return find_fault(verify, run, lost);
    }
    if (run->partial) {
        uint64_t more = *left > 0 ? *left - 1 : 0;
        *left = 0;
        return verify_find(verify, run->file, run->line,
                           "truncated: the file stops in the middle of this line; %" PRIu64
                           " more record(s) are missing",
                           more);
    }
    if (*left == 0)
        return find_added(verify, run);
    uint64_t changed = run->lines < *left ? run->lines : *left;
    *left -= changed;
    if (changed == 1)
        return verify_find(verify, run->file, run->line,
                           "changed: this is not the line that was written");
    return verify_find(verify, run->file, run->line,
                       "changed: %" PRIu64 " lines from here are not those that were written",
                       changed);
}

/* True when b is the rest of the damage that a began: one line broken into pieces. */
static bool is_continued(const struct run *a, const struct run *b)
{
    return a && !b->parsed && !b->partial && b->fault != RUN_FORGED && a->last_file == b->file &&
           a->last_line + 1 == b->line;
}

static enum status judge_strays(struct verify *verify, size_t first, size_t end,
                                const struct run *split, uint64_t *left)
{
    enum status status = OK;
    const struct run *damaged = split;
    for (size_t i = first; status == OK && i < end; i++) {
        const struct run *run = &verify->runs[i];
        if (run->place == RUN_MOVED) {
            status = find_moved(verify, run);
            damaged = NULL;
            continue;
        }
        if (*left == 0 && is_continued(damaged, run)) {
            damaged = run;
            continue;
        }
        status = judge_stray(verify, run, left);
        damaged = run->parsed ? NULL : run;
    }
    return status;
}

static enum status find_missing(struct verify *verify, const struct gap *gap, uint64_t missing)
{
    const struct run *left = gap->left;
    const struct run *right = gap->right;
    const struct verify_file *after = &verify->files[right->file];
    uint64_t last_number = left ? verify->files[left->last_file].number : 0;
    if (right->header && after->number > last_number + 1) {
        char name[FILE_NAME_MAX];
        file_name(after->chain, last_number + 1, name);
        return verify_find_missing(verify, right->file, name, after->number - last_number - 1);
    }
    if (right->header && left && left->last_file != right->file)
        return verify_find(verify, left->last_file, left->last_line + 1,
                           "truncated: %" PRIu64
                           " record(s) that were written here, at the end of the file, are missing",
                           missing);
    return verify_find(verify, right->file, right->line,
                       "missing: %" PRIu64 " record(s) before this line, between %" PRIu64
                       " and %" PRIu64,
                       missing, gap->from, right->first_seq - 1);
}

/* A hash of anything else differs in nearly every digit; one that someone touched up does not. */
static bool is_touched_up(const char *a, const char *b)
{
    unsigned differ = 0;
    for (size_t i = 0; i < CHAIN_HASH_HEX; i++)
        differ += a[i] != b[i];
    return differ < CHAIN_HASH_HEX / 2;
}

/* The link between neighbours does not hold: which of the two lines was changed? */
static enum status find_changed(struct verify *verify, const struct gap *gap)
{
    const struct run *left = gap->left;
    const struct run *right = gap->right;
    if (!left || (right->lines == 1 && is_touched_up(left->hash, right->prev)))
        return verify_find(verify, right->file, right->line,
                           "changed: its link to the line before is not the one that was written");
    return verify_find(verify, left->last_file, left->last_line,
                       "changed: this is not the line whose hash the next one holds");
}

static enum status judge_gap(struct verify *verify, const struct gap *gap, uint64_t home)
{
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    uint64_t left = gap->wanted - home;
    const char *expected = gap->left ? gap->left->hash : zeros;
    bool broken = gap->wanted == 0 && strcmp(expected, gap->right->prev) != 0;
    enum status status = OK;
    if (broken)
        status = find_changed(verify, gap);
    if (status == OK)
        status = judge_strays(verify, gap->first, gap->right_run, broken ? gap->left : NULL, &left);
    if (status == OK && left > 0)
        status = find_missing(verify, gap, left);
    return status;
}

/* A line that was being written when the file was copied. */
static bool ends_chain(const struct verify *verify, size_t run)
{
    const struct verify_file *file = &verify->files[verify->runs[run].file];
    return run + 1 == verify->run_count &&
           (file + 1 == verify->files + verify->file_count || file[1].chain != file->chain);
}

static enum status judge_tail(struct verify *verify, size_t first)
{
    enum status status = OK;
    for (size_t i = first; status == OK && i < verify->run_count; i++) {
        const struct run *run = &verify->runs[i];
        uint64_t left = run->parsed || run->fault != RUN_SOUND ? 0 : 1;
        if (run->place == RUN_MOVED)
            status = find_moved(verify, run);
        else
            status = judge_stray(verify, run, &left);
        if (status == OK && verify->copy && run->partial && ends_chain(verify, i))
            verify_note_last(verify);
    }
    return status;
}

enum status verify_judge(struct verify *verify)
{
    if (verify->run_count == 0)
        return OK;
    uint64_t *home = calloc(verify->run_count, sizeof *home);
    enum status status = home ? find_backbone(verify) : ERR_MEMORY;
    if (status == OK) {
        merge_strays(verify);
        status = match_moved(verify, home);
    }
    struct gap gap = {0};
    while (status == OK && next_gap(verify, &gap))
        status = judge_gap(verify, &gap, home[gap.right_run]);
    if (status == OK)
        status = judge_tail(verify, gap.right ? gap.right_run + 1 : 0);
    free(home);
    return status;
}
