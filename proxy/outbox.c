/*
 * outbox.c: the border between what may leave and what may not (see outbox.h).
 */
#include "proxy/outbox.h"

#include <string.h>

void outbox_init(struct outbox *outbox, size_t limit)
{
    memset(outbox, 0, sizeof *outbox);
    buf_init(&outbox->bytes, limit);
}

void outbox_free(struct outbox *outbox)
{
    buf_free(&outbox->bytes);
    outbox->safe = outbox->covered = outbox->marked = outbox->open = 0;
    outbox->cut = false;
}

void outbox_cover(struct outbox *outbox)
{
    outbox->covered = buf_len(&outbox->bytes);
}

void outbox_mark(struct outbox *outbox)
{
    outbox->marked = outbox->covered;
    outbox->marked_cut = outbox->open > 0 && outbox->covered == buf_len(&outbox->bytes);
}

void outbox_release_marked(struct outbox *outbox)
{
    if (outbox->marked > outbox->safe) {
        outbox->safe = outbox->marked;
        outbox->cut = outbox->marked_cut;
    }
    outbox->marked = 0;
}

void outbox_release(struct outbox *outbox)
{
    outbox_mark(outbox);
    outbox_release_marked(outbox);
}

void outbox_written(struct outbox *outbox, size_t size)
{
    buf_consume(&outbox->bytes, size);
    outbox->safe -= size;
    outbox->covered -= size;
    outbox->marked -= outbox->marked < size ? outbox->marked : size;
}

enum status outbox_drop_uncovered(struct outbox *outbox)
{
    if (outbox->open > 0)
        return ERR_PROTOCOL;
    outbox->bytes.tail -= outbox_uncovered(outbox);
    return OK;
}

static uint32_t message_size(const unsigned char *message)
{
    return ((uint32_t)message[1] << 24 | (uint32_t)message[2] << 16 | (uint32_t)message[3] << 8 |
            (uint32_t)message[4]) +
           1;
}

/* What a client is told between answers whatever happens to them: parameter changes and
 * notifications. */
static bool message_stays(unsigned char type)
{
    return type == 'Z' || type == 'S' || type == 'A';
}

/* Copies what stays of a covered run, with one error for each group of answers. */
static enum status withdraw_run(const unsigned char *run, size_t len, bool drops, const void *error,
                                size_t error_len, struct buf *kept, bool *in_group,
                                bool *in_transaction)
{
    size_t at = 0;
    *in_group = false;
    while (at < len) {
        if (len - at < 5)
            return ERR_PROTOCOL;
        size_t size = message_size(run + at);
        if (size > len - at)
            return ERR_PROTOCOL;
        unsigned char type = run[at];
        if (type == 'A' && drops) { /* nobody waits for it */
            at += size;
            continue;
        }
        if (!message_stays(type) && !*in_group) {
            buf_append(kept, error, error_len);
            *in_group = true;
        }
        if (message_stays(type))
            buf_append(kept, run + at, size);
        if (type == 'Z') {
            if (run[at + 5] == 'T' && *in_group && !kept->failed) {
                kept->data[kept->tail - 1] = 'E';
                *in_transaction = true;
            }
            *in_group = false;
        }
        at += size;
    }
    if (*in_group)
        *in_transaction = true;
    return kept->failed ? ERR_MEMORY : OK;
}

enum status outbox_withdraw(struct outbox *outbox, const void *error, size_t error_len,
                            bool *in_group, bool *in_transaction)
{
    *in_group = *in_transaction = false;
    if (!outbox_holds_covered(outbox))
        return OK;
    if (outbox->cut)
        return ERR_PROTOCOL;
    struct buf kept;
    buf_init(&kept, 0);
    const unsigned char *head = buf_head(&outbox->bytes);
    size_t len = buf_len(&outbox->bytes);
    buf_append(&kept, head, outbox->safe);
    enum status status = withdraw_run(head + outbox->safe, outbox->covered - outbox->safe,
                                      outbox->recorded_notifications, error, error_len, &kept,
                                      in_group, in_transaction);
    if (status == OK) {
        size_t safe = buf_len(&kept);
        if (!*in_group)
            buf_append(&kept, head + outbox->covered, len - outbox->covered);
        status = kept.failed ? ERR_MEMORY : OK;
        if (status == OK) {
            kept.limit = outbox->bytes.limit;
            buf_free(&outbox->bytes);
            outbox->bytes = kept;
            outbox->safe = outbox->covered = safe;
            outbox->marked = 0;
            return OK;
        }
    }
    buf_free(&kept);
    return status;
}
