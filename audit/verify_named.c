/*
 * verify_named.c: is each record the one that other chains' checkpoints name? (see verify.h)
 *
 * A chain that was cut off and filled up again to the same number is whole for itself: only the
 * hashes that others signed before tell. They are compared when all chains have been read, since a
 * chain is named by those behind it too; only files that hold a named record are read again.
 */
#include "lines.h"
#include "verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What does not fit of the chain in hand. */
struct misfit {
    const struct claim *claim; /* the earliest; NULL: all fit */
    size_t file;
    uint64_t line;
    uint64_t more;
};

static int compare_claims(const void *left, const void *right)
{
    const struct claim *a = left;
    const struct claim *b = right;
    if (a->chain != b->chain)
        return a->chain < b->chain ? -1 : 1;
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return strcmp(a->hash, b->hash);
}

/* Chains that rest are named the same in every run. */
static void drop_repetitions(struct verify *verify)
{
    size_t kept = 0;
    struct claim *list = verify->named;
    if (!list)
        return;
    qsort(list, verify->named_count, sizeof *list, compare_claims);
    for (size_t i = 0; i < verify->named_count; i++)
        if (kept == 0 || compare_claims(&list[kept - 1], &list[i]) != 0)
            list[kept++] = list[i];
    verify->named_count = kept;
}

/* The first that names the record or a later one of that chain. */
static size_t claim_from(const struct verify *verify, unsigned chain, uint64_t seq)
{
    const struct claim wanted = {.chain = chain, .seq = seq};
    size_t low = 0;
    size_t high = verify->named_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_claims(&verify->named[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool names(const struct verify *verify, size_t at, unsigned chain, uint64_t to)
{
    return at < verify->named_count && verify->named[at].chain == chain &&
           verify->named[at].seq <= to;
}

/* Of a purged stretch the last line's hash is known, and no other. */
static enum status compare_line(struct verify *verify, size_t index, uint64_t number,
                                const char *line, size_t len, struct misfit *misfit)
{
    char hash[CHAIN_HASH_HEX + 1];
    struct chain_line parsed;
    struct chain_tombstone stone;
    unsigned chain = verify->files[index].chain;
    if (!chain_line_parse(line, len, &parsed))
        return OK;
    bool is_stone = chain_tombstone_parse(line, len, &stone);
    uint64_t seq = is_stone ? stone.last : parsed.seq;
    size_t at = claim_from(verify, chain, seq);
    if (!names(verify, at, chain, seq))
        return OK;
    if (is_stone)
        memcpy(hash, stone.hash, sizeof hash);
    enum status status = is_stone ? OK : hasher_line(verify->hasher, line, len, hash);
    for (; status == OK && names(verify, at, chain, seq); at++) {
        const struct claim *claim = &verify->named[at];
        if (strncmp(claim->hash, hash, strlen(claim->hash)) == 0)
            continue;
        if (misfit->claim)
            misfit->more++;
        else
            *misfit = (struct misfit){.claim = claim, .file = index, .line = number};
    }
    return status;
}

static enum status compare_file(struct verify *verify, size_t index, struct misfit *misfit)
{
    struct lines *lines = NULL;
    uint64_t number = 0;
    enum status status = verify_open(verify, &verify->files[index], &lines);
    while (status == OK) {
        const char *line = NULL;
        size_t len = 0;
        status = lines_next(lines, &line, &len);
        number += status == OK || status == ERR_LIMIT ? 1 : 0;
        if (status == OK)
            status = compare_line(verify, index, number, line, len, misfit);
        else if (status == ERR_LIMIT || status == ERR_INVALID)
            status = OK;
    }
    lines_close(lines);
    return status == CLOSED || status == NEED_MORE ? OK : status;
}

/* The chain's newest file may have grown since it was read. */
static bool holds_named(const struct verify *verify, size_t index)
{
    const struct verify_file *file = &verify->files[index];
    bool newest = index + 1 == verify->file_count || file[1].chain != file->chain;
    return file->first_seq > 0 && !file->duplicate &&
           names(verify, claim_from(verify, file->chain, file->first_seq), file->chain,
                 newest ? UINT64_MAX : file->last_seq);
}

static void tell_misfit(struct verify *verify, const struct misfit *misfit)
{
    const struct claim *claim = misfit->claim;
    if (claim)
        verify_tell(verify, verify->files[misfit->file].name, misfit->line, false,
                    "changed: this is not the record %" PRIu64 " of chain %u that %s:%" PRIu64
                    ", signed at %s, names: the chain was cut off before, and written anew "
                    "(%" PRIu64 " more that are named do not fit either)",
                    claim->seq, claim->chain, verify->files[claim->file].name, claim->line,
                    claim->time, misfit->more);
}

enum status verify_judge_named(struct verify *verify)
{
    enum status status = OK;
    struct misfit misfit = {0};
    drop_repetitions(verify);
    for (size_t i = 0; status == OK && i < verify->file_count; i++) {
        if (i > 0 && verify->files[i].chain != verify->files[i - 1].chain) {
            tell_misfit(verify, &misfit);
            misfit = (struct misfit){0};
        }
        if (holds_named(verify, i))
            status = compare_file(verify, i, &misfit);
    }
    tell_misfit(verify, &misfit);
    return status;
}
