/*
 * disused.c: see disused.h.
 */
#include "proxy/disused.h"

#include "proxy/session.h"
#include "proxy/wire.h"

#include <pgvigil/map.h>

/* Nothing in flight, and nothing that could have a Close skipped: it is forgotten here when it is
 * sent, and a text whose name PostgreSQL still had could not be prepared again. An open group whose
 * messages are all answered has not failed there, or the session would be skipping; but where the
 * identity could not be changed in it, the server is doubtful, and skips before the session does.
 * A statement that waits for its turn may be known there by a name that the session has given away.
 */
static bool at_rest(const struct session *session)
{
    bool deaf = session->group_forwarded && session->server->doubtful;
    return !deaf && session->requests.count == 0 && session->state == SESSION_READY &&
           session->pending == NULL && session->preparing == NULL && session->script == NULL;
}

/* Sends their Closes; *kept are the others. False: out of memory. */
static bool close_others(struct session *session, const struct map *needed, struct map *kept)
{
    struct server *server = session->server;
    size_t cursor = 0;
    const char *name;
    size_t len;
    void *value;
    while (map_next(server->prepared, &cursor, &name, &len, &value)) {
        bool stays = map_get(needed, name, len) != NULL;
        if (stays && map_put(kept, name, len, value) != OK)
            return false;
        if (!stays)
            wire_put_close(&server->out, 'S', name);
    }
    return true;
}

/* With a Sync, since the client may send no other for hours; in a group of the client's, which a
 * Sync would end and commit, with a Flush. */
static bool end_closes(struct session *session, size_t count)
{
    struct request *request = requests_add(&session->requests, REQUEST_DISUSED);
    if (request == NULL)
        return false;
    request->own = true;
    request->closes = count;
    request->in_group = session->group_forwarded;
    request->group = session->group;
    if (request->in_group)
        wire_put_flush(&session->server->out);
    else
        wire_put_sync(&session->server->out);
    return true;
}

void disused_close(struct session *session)
{
    struct server *server = session->server;
    size_t count = map_count(server->prepared);
    if (count < PREPARED_MAX || count < server->disused_at || !at_rest(session))
        return;
    struct map *needed = map_new();
    struct map *kept = map_new();
    if (needed == NULL || kept == NULL || !statements_on_server(session->statements, needed))
        goto done;
    bool good = close_others(session, needed, kept);
    /* Not each time for a session that needs them all. */
    server->disused_at = 2 * map_count(kept);
    if (map_count(kept) < count) {
        good = good && end_closes(session, count - map_count(kept));
        server->out.failed = server->out.failed || !good; /* some may be closed: it is lost */
        map_free(server->prepared);
        server->prepared = kept;
        server->lookups = server->lookups_missed = 0;
        kept = NULL;
        worker_touch_server(session->worker, server);
    }
done:
    map_free(needed);
    map_free(kept);
}
