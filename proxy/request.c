/*
 * request.c: the queue that joins the two halves of a pipelined session (see request.h).
 */
#include "proxy/request.h"

#include <stdlib.h>
#include <string.h>

/* The extended protocol takes five entries for a statement. */
#define SPARES_MAX 64

struct request_spares {
    struct request *entries[SPARES_MAX];
    unsigned count;
};

struct request_spares *request_spares_new(void)
{
    return calloc(1, sizeof(struct request_spares));
}

void requests_init(struct requests *requests, struct request_spares *spares)
{
    TAILQ_INIT(&requests->list);
    requests->count = 0;
    requests->remote = 0;
    requests->parses = 0;
    requests->spares = spares;
}

static bool request_remote(const struct request *request)
{
    return request->kind != REQUEST_LOCAL;
}

struct request *requests_add(struct requests *requests, enum request_kind kind)
{
    struct request *request = NULL;
    struct request_spares *spares = requests->spares;
    if (spares->count > 0) {
        request = spares->entries[--spares->count];
        memset(request, 0, sizeof *request);
    } else {
        request = calloc(1, sizeof *request);
    }
    if (request == NULL)
        return NULL;
    request->kind = kind;
    TAILQ_INSERT_TAIL(&requests->list, request, link);
    requests->count++;
    if (request_remote(request))
        requests->remote++;
    if (kind == REQUEST_PARSE)
        requests->parses++;
    return request;
}

struct request *requests_add_canned(struct requests *requests, enum request_kind kind,
                                    const void *bytes, size_t len)
{
    unsigned char *copy = malloc(len + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, bytes, len);
    struct request *request = requests_add(requests, kind);
    if (request == NULL) {
        free(copy);
        return NULL;
    }
    request->canned = copy;
    request->canned_len = len;
    return request;
}

struct request *requests_head(const struct requests *requests)
{
    return TAILQ_FIRST(&requests->list);
}

void requests_remove(struct requests *requests, struct request *request)
{
    TAILQ_REMOVE(&requests->list, request, link);
    requests->count--;
    if (request_remote(request))
        requests->remote--;
    if (request->kind == REQUEST_PARSE)
        requests->parses--;
    if (request->kind == REQUEST_PARSE && request->statement != NULL)
        request->statement->parsing--;
    statement_unref(request->statement);
    statement_unref(request->displaced);
    uses_unref(request->uses);
    portal_rows_unref(request->portal_rows);
    free(request->name);
    free(request->canned);
    struct request_spares *spares = requests->spares;
    if (spares->count < SPARES_MAX)
        spares->entries[spares->count++] = request;
    else
        free(request);
}

void request_spares_free(struct request_spares *spares)
{
    if (spares == NULL)
        return;
    while (spares->count > 0)
        free(spares->entries[--spares->count]);
    free(spares);
}

void requests_end_here(struct requests *requests, struct request *request)
{
    if (request_remote(request))
        requests->remote--;
    request->kind = REQUEST_LOCAL;
    request->ready = true;
}

void requests_pop(struct requests *requests)
{
    requests_remove(requests, TAILQ_FIRST(&requests->list));
}

void requests_clear(struct requests *requests)
{
    struct request *next = NULL;
    for (struct request *request = TAILQ_FIRST(&requests->list); request != NULL; request = next) {
        next = TAILQ_NEXT(request, link);
        requests_remove(requests, request);
    }
}

void requests_skip_group(struct requests *requests, request_skip_fn *skip, void *context)
{
    struct request *last = TAILQ_FIRST(&requests->list);
    while (last != NULL && last->kind != REQUEST_SYNC)
        last = TAILQ_NEXT(last, link);
    struct request *at = last == NULL ? TAILQ_LAST(&requests->list, request_list)
                                      : TAILQ_PREV(last, request_list, link);
    while (at != NULL) {
        struct request *before = TAILQ_PREV(at, request_list, link);
        skip(at, context);
        requests_remove(requests, at);
        at = before;
    }
}
