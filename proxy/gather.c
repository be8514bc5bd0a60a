/*
 * gather.c: parts of a view from all workers (see gather.h).
 *
 * Who frees: the last of those that still have it to do. Workers end together, and one that ends
 * still runs what is in its mailbox, on another thread, when the asker may be closed already: so
 * once a worker is stopping nothing is posted any more.
 */
#include "proxy/gather.h"

#include <pgvigil/log.h>
#include <stdlib.h>

struct gathering {
    struct gather gather;
    struct worker *asker;
    unsigned part_count;
    gather_done_fn *done;
    atomic_uint outstanding; /* parts that are not there yet */
};

static void gathering_free(struct gathering *gathering)
{
    for (unsigned i = 0; i < gathering->part_count; i++) {
        buf_free(&gathering->gather.parts[i].rows.cells);
        free(gathering->gather.parts[i].pools);
    }
    free(gathering->gather.parts);
    free(gathering);
}

static void deliver(struct worker *worker, void *context)
{
    struct gathering *gathering = context;
    if (!worker->stopping)
        gathering->done(worker, &gathering->gather);
    gathering_free(gathering);
}

/* What the others wrote into their parts is seen by the last one, and by the asker through its
 * mailbox. */
static void part_done(struct worker *worker, struct gathering *gathering)
{
    if (atomic_fetch_sub_explicit(&gathering->outstanding, 1, memory_order_acq_rel) != 1)
        return;
    if (!worker->stopping && worker_post(gathering->asker, deliver, gathering) == OK)
        return;
    if (!worker->stopping)
        log_event(LOG_LEVEL_ERROR, "session=%lu event=answer-lost why=\"out of memory\"",
                  (unsigned long)gathering->gather.session);
    gathering_free(gathering);
}

static void collect(struct worker *worker, void *context)
{
    struct gathering *gathering = context;
    view_collect(worker, gathering->gather.view, &gathering->gather.parts[worker->index]);
    part_done(worker, gathering);
}

enum status gather_start(struct worker *asker, uint64_t session, uint64_t serial,
                         enum view_name view, gather_done_fn *done)
{
    unsigned count = asker->config->workers;
    struct gathering *gathering = calloc(1, sizeof *gathering);
    if (gathering == NULL)
        return ERR_MEMORY;
    gathering->gather.parts = calloc(count, sizeof *gathering->gather.parts);
    if (gathering->gather.parts == NULL) {
        free(gathering);
        return ERR_MEMORY;
    }
    gathering->gather.session = session;
    gathering->gather.serial = serial;
    gathering->gather.view = view;
    gathering->asker = asker;
    gathering->part_count = count;
    gathering->done = done;
    for (unsigned i = 0; i < count; i++)
        buf_init(&gathering->gather.parts[i].rows.cells, 0);
    atomic_init(&gathering->outstanding, count + 1);
    for (unsigned i = 0; i < count; i++) {
        struct worker *worker = &asker->process->workers[i];
        if (worker_post(worker, collect, gathering) == OK)
            continue;
        gathering->gather.parts[i].rows.cells.failed = true;
        part_done(asker, gathering);
    }
    part_done(asker, gathering); /* our own share, so that none of them can be the last too early */
    return OK;
}
