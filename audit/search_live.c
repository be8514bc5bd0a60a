/*
 * search_live.c: a search of lines as they are written (see search_live.h).
 *
 * Each chain is a search of its own over one file, the one that it is being written to.
 */
#include "search_live.h"
#include "file.h"
#include "search_chain.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct live_chain {
    struct search search;
    struct search_chain chain;
    struct shelf_file file;
};

struct search_live {
    int dir_fd;
    const struct query *query;
    struct search_events events;
    struct live_chain **chains; /* owned, each too */
    size_t count;
    json_t *answer; /* that is lent */
};

enum status search_live_open(const char *directory, const struct query *query,
                             const struct search_events *events, struct search_live **live)
{
    struct search_live *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return ERR_MEMORY;
    fresh->query = query;
    fresh->events = *events;
    fresh->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fresh->dir_fd < 0) {
        free(fresh);
        return ERR_IO;
    }
    *live = fresh;
    return OK;
}

static struct live_chain *chain_of(struct search_live *live, unsigned number)
{
    for (size_t i = 0; i < live->count; i++) {
        if (live->chains[i]->file.chain == number)
            return live->chains[i];
    }
    struct live_chain **grown =
        realloc(live->chains, (live->count + 1) * sizeof(struct live_chain *));
    if (!grown)
        return NULL;
    live->chains = grown;
    struct live_chain *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return NULL;
    fresh->file.chain = number;
    fresh->search = (struct search){.query = live->query,
                                    .events = live->events,
                                    .index_fd = -1,
                                    .chains = &fresh->chain,
                                    .chain_count = 1};
    fresh->search.shelf = (struct shelf){.dir_fd = live->dir_fd, .files = &fresh->file, .count = 1};
    /* What was written before is as good as skipped: a begin is looked for in the file. */
    fresh->chain = (struct search_chain){.search = &fresh->search, .end = 1, .skipped = true};
    live->chains[live->count++] = fresh;
    return fresh;
}

/* The file may have been compressed by now. */
static void name_file(struct search_live *live, struct live_chain *chain, uint64_t number)
{
    char plain[FILE_NAME_MAX];
    file_name(chain->file.chain, number, plain);
    bool there = faccessat(live->dir_fd, plain, F_OK, 0) == 0;
    (void)snprintf(chain->file.name, sizeof chain->file.name, "%s%s", plain, there ? "" : ".zst");
    chain->file.number = number;
}

enum status search_live_line(struct search_live *live, unsigned chain, uint64_t file,
                             const char *line, size_t len, const json_t **answer)
{
    json_decref(live->answer);
    live->answer = NULL;
    *answer = NULL;
    struct live_chain *at = chain_of(live, chain);
    if (!at)
        return ERR_MEMORY;
    if (at->file.number != file)
        name_file(live, at, file);
    enum status status = search_chain_feed(&at->chain, line, len);
    live->answer = at->chain.answer;
    at->chain.answer = NULL;
    *answer = live->answer;
    return status;
}

uint64_t search_live_damaged(const struct search_live *live)
{
    uint64_t damaged = 0;
    for (size_t i = 0; i < live->count; i++)
        damaged += live->chains[i]->search.counts.damaged;
    return damaged;
}

void search_live_close(struct search_live *live)
{
    if (!live)
        return;
    for (size_t i = 0; i < live->count; i++) {
        search_chain_close(&live->chains[i]->chain);
        free(live->chains[i]);
    }
    free(live->chains);
    json_decref(live->answer);
    (void)close(live->dir_fd);
    free(live);
}
