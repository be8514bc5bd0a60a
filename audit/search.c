/*
 * search.c: the records of a trail that meet a query (see search.h): its chains, in the order of
 * time.
 */
#include "search_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status make_chains(struct search *search)
{
    const struct shelf *shelf = &search->shelf;
    search->chains = calloc(shelf->count, sizeof *search->chains);
    if (!search->chains)
        return ERR_MEMORY;
    for (size_t i = 0; i < shelf->count; i++) {
        if (i == 0 || shelf->files[i - 1].last)
            search->chains[search->chain_count++] =
                (struct search_chain){.search = search, .first = i, .at = i};
        search->chains[search->chain_count - 1].end = i + 1;
    }
    /* Their first answers are found only now: each needs to know how many there are. */
    enum status status = OK;
    for (size_t i = 0; i < search->chain_count && status == OK; i++)
        status = search_chain_next(&search->chains[i]);
    return status;
}

enum status search_open(const char *directory, const char *index_directory, bool indexed,
                        const struct query *query, const struct search_events *events,
                        struct search **search)
{
    struct search *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return ERR_MEMORY;
    fresh->index_fd = -1;
    fresh->query = query;
    fresh->events = *events;
    fresh->indexed = indexed;
    enum status status = shelf_open(directory, &fresh->shelf);
    if (status == OK && fresh->shelf.count == 0)
        status = CLOSED;
    if (status == OK && indexed && index_directory) {
        fresh->index_fd = open(index_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fresh->index_fd < 0)
            status = ERR_IO;
    } else if (status == OK && indexed) {
        fresh->index_fd = fresh->shelf.dir_fd;
    }
    fresh->counts.twice = fresh->shelf.twice;
    if (status == OK)
        status = make_chains(fresh);
    if (status != OK) {
        int error = errno;
        search_close(fresh);
        errno = error;
        return status;
    }
    *search = fresh;
    return OK;
}

enum status search_next(struct search *search, const json_t **answer)
{
    struct search_chain *earliest = NULL;
    json_decref(search->answer);
    search->answer = NULL;
    for (size_t i = 0; i < search->chain_count; i++) {
        struct search_chain *chain = &search->chains[i];
        if (chain->answer && (!earliest || strcmp(chain->time, earliest->time) < 0))
            earliest = chain;
    }
    if (!earliest)
        return CLOSED;
    search->answer = earliest->answer;
    search->counts.answers++;
    *answer = search->answer;
    return search_chain_next(earliest);
}

const struct search_counts *search_count(const struct search *search)
{
    return &search->counts;
}

void search_close(struct search *search)
{
    if (!search)
        return;
    for (size_t i = 0; i < search->chain_count; i++)
        search_chain_close(&search->chains[i]);
    if (search->index_fd >= 0 && search->index_fd != search->shelf.dir_fd)
        (void)close(search->index_fd);
    shelf_close(&search->shelf);
    free(search->chains);
    json_decref(search->answer);
    free(search);
}
