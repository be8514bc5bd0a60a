/*
 * verify_beside.c: what the chains of a trail say of each other (see verify.h).
 *
 * A chain that was taken away whole, or whose end was cut off, leaves nothing in its own files that
 * tells. The others do: their headers say how many a server writes, their checkpoints how many
 * records each had, and an event what a server missed when it started.
 *
 * Trust boundary: only checkpoints whose signature is good are asked. A header that was changed is
 * a finding of its own chain.
 */
#include "heights.h"
#include "recover.h"
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a finding about an end says last. */
#define COPY_HINT                                                                                  \
    " (if this is an archive, or was copied while the server wrote, say so with --copy)"

/* ---- chains without a file ---- */

static const char *hint(const struct verify *verify)
{
    return verify->copy ? "" : COPY_HINT;
}

/* `says`: the file whose header knows of it; NULL: there is a later chain. */
static void tell_missing(struct verify *verify, unsigned chain, const struct verify_file *says)
{
    struct audit_verify_result *result = verify->result;
    char name[FILE_NAME_MAX];
    file_name(chain, 1, name);
    if (result->chains_missing++ == 0)
        result->first_missing = chain;
    if (says)
        verify_tell(verify, name, 0, verify->copy,
                    "missing: of chain %u there is no file, though %s says that the server writes "
                    "%u chains, from 0 on%s",
                    chain, says->name, says->chains, hint(verify));
    else
        verify_tell(verify, name, 0, verify->copy,
                    "missing: of chain %u there is no file, though there is a later chain%s", chain,
                    hint(verify));
}

/* The files are sorted by chain. Those of readers and of commands have chains of their own, which
 * need not be there. */
void verify_missing_chains(struct verify *verify)
{
    const struct verify_file *says = NULL;
    unsigned next = 0;
    size_t servers = 0;
    for (; servers < verify->file_count && verify->files[servers].chain < AUDIT_CHAIN_BY_HAND;
         servers++) {
        const struct verify_file *file = &verify->files[servers];
        if (file->chains > (says ? says->chains : 0))
            says = file;
    }
    for (size_t i = 0; i <= servers; i++) {
        unsigned all = says ? says->chains : 0;
        unsigned chain = i < servers ? verify->files[i].chain : all;
        for (; next < chain; next++)
            tell_missing(verify, next, next < all ? says : NULL);
        if (i < servers)
            next = chain + 1;
    }
}

/* ---- what checkpoints and events say ---- */

struct taking {
    struct verify *verify;
    struct claim from;
    enum status status;
};

static struct claim *find_claim(struct claim *claims, size_t first, size_t count, unsigned chain)
{
    for (size_t i = first; i < count; i++)
        if (claims[i].chain == chain)
            return &claims[i];
    return NULL;
}

static enum status put_claim(struct claim **claims, size_t *count, size_t *cap,
                             const struct claim *claim)
{
    enum status status = verify_grow((void **)claims, *count, cap, sizeof **claims);
    if (status == OK)
        (*claims)[(*count)++] = *claim;
    return status;
}

/* How far each chain had got, as any says. */
static void take_highest(struct taking *taking, const struct claim *claim)
{
    struct verify *verify = taking->verify;
    struct claim *there = find_claim(verify->claims, 0, verify->claim_count, claim->chain);
    if (!there)
        taking->status =
            put_claim(&verify->claims, &verify->claim_count, &verify->claim_cap, claim);
    else if (there->seq < claim->seq)
        *there = *claim;
}

/* Which record it was. In one run the last one vouches for those before it: whoever wrote that
 * chain has linked from one to the next in memory. So memory follows the starts, not the trail. */
static void take_last(struct taking *taking, const struct claim *claim)
{
    struct verify *verify = taking->verify;
    struct claim *there =
        find_claim(verify->named, verify->run_named, verify->named_count, claim->chain);
    if (!there)
        taking->status = put_claim(&verify->named, &verify->named_count, &verify->named_cap, claim);
    else
        *there = *claim;
}

static void take_claim(const struct heights_named *named, void *context)
{
    struct taking *taking = context;
    struct claim claim = taking->from;
    claim.chain = named->chain;
    claim.seq = named->seq;
    memcpy(claim.hash, named->hash, sizeof claim.hash);
    if (taking->status == OK)
        take_highest(taking, &claim);
    if (taking->status == OK && claim.hash[0])
        take_last(taking, &claim);
}

/* The run is known before what it names. */
static void begin_run(struct verify *verify, const char *line, size_t len)
{
    static const char words[] = ",\"since\":\"";
    const char *at = memmem(line, len, words, sizeof words - 1);
    const char *since = at ? at + sizeof words - 1 : line;
    bool known = at && (size_t)(line + len - since) > CHAIN_TIME;
    if (known && memcmp(since, verify->since, CHAIN_TIME) == 0)
        return;
    verify->run_named = verify->named_count;
    memset(verify->since, 0, sizeof verify->since);
    if (known)
        memcpy(verify->since, since, CHAIN_TIME);
}

enum status verify_take_beside(struct verify *verify, size_t file, uint64_t number,
                               const char *line, size_t len, const char *time)
{
    struct taking taking = {.verify = verify, .from = {.file = file, .line = number}, .status = OK};
    (void)snprintf(taking.from.time, sizeof taking.from.time, "%s", time);
    begin_run(verify, line, len);
    if (!heights_read(line, len, take_claim, &taking) && taking.status == OK)
        return verify_find(verify, file, number,
                           "unreadable: this checkpoint is signed, but what it names of the other "
                           "chains cannot be read: they were not all compared with it (an older "
                           "version signed whatever a file in the directory said)");
    return taking.status;
}

/* Inside a value every quote is escaped: only a server writes this. */
enum status verify_take_event(struct verify *verify, size_t file, uint64_t number, const char *line,
                              size_t len)
{
    static const char words[] = "\"type\":\"event\",\"event\":\"audit-behind\",";
    static const char detail[] = "\"detail\":\"chain ";
    if (memmem(line, len, words, sizeof words - 1) == NULL)
        return OK;
    const char *at = memmem(line, len, detail, sizeof detail - 1);
    unsigned long chain = at ? strtoul(at + sizeof detail - 1, NULL, 10) : 0;
    return verify_find(
        verify, file, number,
        "truncated: when the server started here, records of chain %lu that had been "
        "signed were gone, or others stood in their place; this event says which",
        chain);
}

enum status verify_end_chain(struct verify *verify, unsigned chain)
{
    enum status status = verify_grow((void **)&verify->ends, verify->end_count, &verify->end_cap,
                                     sizeof *verify->ends);
    if (status == OK)
        verify->ends[verify->end_count++] =
            (struct chain_end){.chain = chain, .last_seq = verify->last_seq};
    return status;
}

/* A server that runs has written on since its chain was read. */
static uint64_t present_seq(const struct verify *verify, unsigned chain)
{
    struct recovered found;
    enum status status = recover_chain(verify->dir_fd, chain, "", verify->hasher, &found);
    return status == OK ? found.chain.next_seq - 1 : 0;
}

static void judge_claim(struct verify *verify, const struct claim *claim)
{
    const struct chain_end *end = NULL;
    char name[FILE_NAME_MAX];
    for (size_t i = 0; i < verify->end_count && !end; i++)
        if (verify->ends[i].chain == claim->chain)
            end = &verify->ends[i];
    uint64_t last = end ? end->last_seq : 0;
    if (last < claim->seq && present_seq(verify, claim->chain) > last)
        last = present_seq(verify, claim->chain);
    if (last >= claim->seq)
        return;
    const char *by = verify->files[claim->file].name;
    file_name(claim->chain, 1, name);
    if (last > 0)
        verify_tell(verify, name, 0, verify->copy,
                    "truncated: chain %u ends with record %" PRIu64 ", but %s:%" PRIu64
                    ", signed at %s, names its record %" PRIu64
                    ": what was written in between is %s%s",
                    claim->chain, last, by, claim->line, claim->time, claim->seq,
                    verify->copy ? "gone, or elsewhere" : "gone", hint(verify));
    else
        verify_tell(verify, name, 0, verify->copy,
                    "missing: of chain %u there is no file, but %s:%" PRIu64
                    ", signed at %s, names its record %" PRIu64 "%s",
                    claim->chain, by, claim->line, claim->time, claim->seq, hint(verify));
}

static bool is_told(const struct verify *verify, unsigned chain)
{
    unsigned all = 0;
    bool there = false;
    for (size_t i = 0; i < verify->file_count; i++) {
        const struct verify_file *file = &verify->files[i];
        if (file->chain >= AUDIT_CHAIN_BY_HAND)
            continue;
        all = file->chains > all ? file->chains : all;
        all = file->chain >= all ? file->chain + 1 : all;
        there = there || file->chain == chain;
    }
    return !there && chain < all;
}

void verify_judge_beside(struct verify *verify)
{
    for (size_t i = 0; i < verify->claim_count; i++)
        if (!is_told(verify, verify->claims[i].chain))
            judge_claim(verify, &verify->claims[i]);
}
