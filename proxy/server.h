/*
 * server.h: one connection to the database, the upstream leg.
 *
 * libpq opened and authenticated it; its socket and SSL* are taken over here and spoken to in the
 * wire protocol. While ACTIVE it is bound to one session and every message is handed to result.c;
 * in the other states the server's answers are to pgvigil's own statements and are consumed here.
 * What the server says is checked like what a client says: it may be compromised or replaced, and
 * one that breaks the protocol is closed.
 *
 * Before a pair's connection serves a session, its role, identity and settings are made the
 * session's: a statement never runs under the identity of the one before, not even when setting it
 * failed. Ahead of a plain statement the identity is sent in the same implicit transaction, ahead
 * of BEGIN in one of its own, which costs no round trip (server_prepare.c): the server is ACTIVE at
 * once, with a REQUEST_IDENTITY in the session's queue. In all other cases the answer is awaited
 * (PREPARING). Inside a transaction the server takes an identity back with ROLLBACK, ROLLBACK TO
 * and errors: it is then `doubtful`, and sent again before anything else runs.
 */
#ifndef PGVIGIL_PROXY_SERVER_H
#define PGVIGIL_PROXY_SERVER_H

#include "proxy/pool.h"
#include "proxy/server_identity.h"
#include "proxy/statement.h"
#include "proxy/transport.h"
#include "proxy/wire.h"
#include "proxy/worker.h"

#include <libpq-fe.h>
#include <pgvigil/map.h>

enum server_state {
    SERVER_SYNCING,   /* taken over; our own Sync is unanswered. No session. */
    SERVER_IDLE,      /* in the pool's idle list. No session, nothing owed. */
    SERVER_CHECKING,  /* a Sync that asks whether it is still there is unanswered. No session. */
    SERVER_PREPARING, /* bound; our role and identity statement is unanswered */
    SERVER_ACTIVE,    /* bound; answers belong to the session's requests */
    SERVER_LENT, /* bound; another thread works on it with libpq (ddl.h): touch nothing of it */
    SERVER_RESETTING, /* DISCARD ALL is unanswered. No session. */
    SERVER_CLOSED     /* in the worker's dead list; freed at the end of the turn */
};

struct server_parameter {
    char *name;
    char *value;
};

struct server {
    TAILQ_ENTRY(server) link;       /* the pool's idle list, or the worker's dead list */
    TAILQ_ENTRY(server) dirty_link; /* the worker's */
    TAILQ_ENTRY(server) all_link;   /* the pool's */
    bool dirty;
    enum server_state state;
    uint64_t id;
    struct pool *pool;
    struct worker *worker;
    PGconn *conn; /* owned; its socket is `transport`'s */
    struct transport *transport;
    struct event *read_event;
    struct event *write_event;
    bool reading; /* the read event is on */
    struct buf in;
    struct buf out;
    struct session *session; /* PREPARING, ACTIVE */
    uint64_t policy_id;      /* the policy its start-up keys are of */
    uint64_t made_for;       /* observe mode: the session whose start-up options it has; 0: any */
    struct server_identity applied; /* what is in force */
    struct server_identity
        applying;  /* PREPARING, or REQUEST_IDENTITY is unanswered: what becomes so
                    */
    bool doubtful; /* the person may have gone back to an earlier one: a transaction in which it was
                      set was undone, in part or whole */
    uint64_t applied_session;
    uint64_t drew;   /* the session whose statements may have drawn from sequences here since they
                        were discarded; 0: none. What currval and lastval answer is its alone. */
    bool own_failed; /* an error answered our own statement */
    unsigned own_closes;     /* PREPARING in an open group: CloseCompletes still to come */
    bool own_in_transaction; /* PREPARING: the session has a transaction open there */
    char own_sqlstate[6];
    char own_message[256];
    size_t piece_left; /* of a long row that is passed on in pieces */
    unsigned char piece_type;
    bool listened; /* LISTEN was sent: it is reset before another session gets it */
    bool
        stale_cursors; /* declared WITH HOLD in a mission that has ended: closed before its next use
                        */
    struct server_parameter *parameters; /* ParameterStatus that differ from those of the start */
    size_t parameter_count;
    bool had_temporary;      /* the session has made temporary tables: reset before its next use */
    bool asks_temporary;     /* PREPARING: what temporary tables there are... */
    bool drops_temporary;    /* ...and has them dropped... */
    bool hears_temporary;    /* ...and the rows that come tell of them */
    struct map *prepared;    /* server-side statement names */
    size_t disused_at;       /* how many of them disused.h waits for */
    unsigned lookups;        /* those of them that lookup.h made... */
    unsigned lookups_missed; /* statements that found no place among them... */
    uint64_t lookups_world;  /* ...for that world */
    struct identity_text turn_names; /* the names in it are those of... */
    struct buf turn_parse;           /* ...these messages, which go ahead of an identity's values */
    struct statement *unnamed;       /* what the unnamed statement there is; a reference */
    struct dialect unnamed_dialect;  /* by which it was read */
    bool reread; /* something prepared may have been read anew by a dialect that is not its name's:
                    reset before another session has it */
    bool moving; /* IDLE, and on its way to another worker: in no list of idle ones */
    bool abandoned;   /* LENT: closed as soon as it comes back */
    unsigned cancels; /* cancel requests on their way */
    bool cancelled;   /* one was sent since it was bound: a late one could hit the next session */
    uint64_t opened;  /* monotonic microseconds, as the next */
    uint64_t idle_since;
    uint64_t looked;      /* IDLE: the worker's turn in which its socket was last looked at */
    uint64_t checked;     /* when it last answered while idle; 0: never */
    uint64_t asked_since; /* SYNCING, CHECKING, PREPARING, RESETTING: since when an answer is
                             awaited */
};

/* Takes `conn`, which is open. NULL: out of memory (conn is finished). */
struct server *server_new(struct pool *pool, PGconn *conn, uint64_t policy_id);
/* Binds an IDLE server to a session and makes the session's identity its own; session_server_ready
 * or session_server_lost follows (at once when nothing has to be sent). */
void server_bind(struct server *server, struct session *session);
/* An answer to REQUEST_IDENTITY. OK: with *turned the last one, and the server is the session's.
 * ERR_PROTOCOL: it is none. */
NODISCARD enum status server_turn_answer(struct server *server, const struct wire_message *message,
                                         bool *turned);
/* It was answered with an error, and nothing that was sent behind it has run or will: closes the
 * server. *sqlstate and *why are what the client is told, valid to the end of the turn. */
void server_turn_failed(struct server *server, const struct wire_message *message,
                        const char **sqlstate, const char **why);
/* An IDLE one that has the session's role, mission and person already. */
bool server_is_like(const struct server *server, struct session *session);
/* Makes the identity of an ACTIVE server its session's again after it changed, with nothing owed:
 * inside a transaction too, where session_follow_failed may come in session_server_lost's place.
 * Cursors of another person or mission are closed. */
void server_follow(struct server *server);
/* Lets libpq work on the socket of an ACTIVE server with nothing owed. False: not now, something is
 * on its way. */
bool server_lend(struct server *server);
/* It is ACTIVE again and its session goes on, or it is closed. */
void server_take_back(struct server *server);
/* The session lets go of an ACTIVE server, outside a transaction, with nothing owed. `reset`: state
 * was left on it. */
void server_release(struct server *server, bool reset);
/* An IDLE one goes to another worker: out of this one's lists and loop. Until it has joined nothing
 * may be done with it but server_join, by any thread. False: it cannot now. */
bool server_leave(struct server *server);
/* Into the pool's worker, whose thread calls; not among its idle ones yet. False: out of memory, it
 * is to be closed. */
bool server_join(struct server *server, struct pool *pool);
/* An IDLE one hears what came for it since the last turn: a server that has ended says so there.
 * False: it has, and is closed. */
bool server_is_there(struct server *server);
/* Asks an IDLE one, which nobody gets until it has answered. */
void server_check(struct server *server);
/* It has been open for longer than limits.server_lifetime_seconds: nobody gets it any more. */
bool server_is_old(const struct server *server);
/* Once a second: a server that leaves pgvigil's own statement unanswered for as long as a session
 * may wait for a connection (limits.connect_seconds) is given up; it would keep its session and its
 * place in the pool. */
void server_tick(struct server *server);
/* Ends the connection in any state, telling no session. */
void server_close(struct server *server, const char *reason);
void server_free(struct server *server);
/* Writes what is in `out`; called at the end of the turn. */
void server_write(struct server *server);
/* Switches reading on and off (back-pressure). */
void server_read(struct server *server, bool on);
/* Handles what was read already, after the session made room. */
void server_process(struct server *server);
/* Sends a cancel request for what runs on it now. */
void server_cancel(struct server *server);
/* Its session sends something that may write, and so draw from a sequence. */
void server_draws(struct server *server);
/* A simple query replaces the unnamed statement there. */
void server_forget_unnamed(struct server *server);
const char *server_parameter(const struct server *server, const char *name);
/* It has said so. */
void server_remember_parameter(struct server *server, const char *name, const char *value);

#endif
