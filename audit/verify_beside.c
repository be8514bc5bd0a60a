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

#define MESSAGE_MAX 400U

static void tell(struct verify *verify, const char *name, uint64_t line, bool note,
                 const char *message)
{
    const struct audit_finding out = {.file = name, .line = line, .message = message, .note = note};
    verify->result->findings += note ? 0 : 1;
    if (verify->on_finding)
        verify->on_finding(&out, verify->context);
}

/* ---- chains without a file ---- */

/* `says`: the file whose header knows of it; NULL: there is a later chain. */
static void tell_missing(struct verify *verify, unsigned chain, const struct verify_file *says)
{
    struct audit_verify_result *result = verify->result;
    char name[FILE_NAME_MAX];
    char message[MESSAGE_MAX];
    file_name(chain, 1, name);
    if (says)
        (void)snprintf(
            message, sizeof message,
            "missing: of chain %u there is no file, though %s says that the server writes "
            "%u chains, from 0 on",
            chain, says->name, says->chains);
    else
        (void)snprintf(message, sizeof message,
                       "missing: of chain %u there is no file, though there is a later chain",
                       chain);
    if (result->chains_missing++ == 0)
        result->first_missing = chain;
    tell(verify, name, 0, false, message);
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

static void take_claim(unsigned chain, uint64_t seq, void *context)
{
    struct taking *taking = context;
    struct verify *verify = taking->verify;
    struct claim *claim = NULL;
    for (size_t i = 0; i < verify->claim_count && !claim; i++)
        if (verify->claims[i].chain == chain)
            claim = &verify->claims[i];
    if (taking->status != OK || (claim && claim->seq >= seq))
        return;
    if (!claim) {
        taking->status = verify_grow((void **)&verify->claims, verify->claim_count,
                                     &verify->claim_cap, sizeof *verify->claims);
        if (taking->status != OK)
            return;
        claim = &verify->claims[verify->claim_count++];
    }
    *claim = taking->from;
    claim->chain = chain;
    claim->seq = seq;
}

enum status verify_take_beside(struct verify *verify, size_t file, uint64_t number,
                               const char *line, size_t len, const char *time)
{
    struct taking taking = {.verify = verify, .from = {.file = file, .line = number}, .status = OK};
    (void)snprintf(taking.from.time, sizeof taking.from.time, "%s", time);
    (void)heights_read(line, len, take_claim, &taking);
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
        "signed were gone; this event says how many there were",
        chain);
}

enum status verify_end_chain(struct verify *verify, unsigned chain)
{
    enum status status = verify_grow((void **)&verify->ends, verify->end_count, &verify->end_cap,
                                     sizeof *verify->ends);
    if (status == OK)
        verify->ends[verify->end_count++] = (struct chain_end){
            .chain = chain, .last_seq = verify->last_seq, .closed = verify->closed};
    return status;
}

/* A server that runs has written on since its chain was read. */
static uint64_t present_seq(const struct verify *verify, unsigned chain)
{
    struct recovered found;
    enum status status = recover_chain(verify->dir_fd, chain, "", verify->hasher, &found);
    return status == OK ? found.chain.next_seq - 1 : 0;
}

/* Closed files that were moved away, all but the newest of each chain: there the ends are
 * elsewhere.
 */
static bool is_archive(const struct verify *verify)
{
    for (size_t i = 0; i < verify->end_count; i++)
        if (!verify->ends[i].closed)
            return false;
    return true;
}

static void judge_claim(struct verify *verify, const struct claim *claim, bool archive)
{
    const struct chain_end *end = NULL;
    char name[FILE_NAME_MAX];
    char message[MESSAGE_MAX];
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
        (void)snprintf(message, sizeof message,
                       "truncated: chain %u ends with record %" PRIu64 ", but %s:%" PRIu64
                       ", signed at %s, names its record %" PRIu64 ": what was written in between "
                       "is gone%s",
                       claim->chain, last, by, claim->line, claim->time, claim->seq,
                       archive ? " or in a later file, elsewhere" : "");
    else
        (void)snprintf(message, sizeof message,
                       "missing: of chain %u there is no file, but %s:%" PRIu64
                       ", signed at %s, names its record %" PRIu64,
                       claim->chain, by, claim->line, claim->time, claim->seq);
    tell(verify, name, 0, archive && last > 0, message);
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
    bool archive = is_archive(verify);
    for (size_t i = 0; i < verify->claim_count; i++)
        if (!is_told(verify, verify->claims[i].chain))
            judge_claim(verify, &verify->claims[i], archive);
}
