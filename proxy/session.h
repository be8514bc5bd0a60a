/*
 * session.h: one client, from its first byte to its last.
 *
 * The struct is plain data for the modules that share a session's work: session.c (socket, states,
 * end), auth.c (start-up and authentication), query.c and command.c (what the client asks),
 * result.c (what the server answers). Others see the functions only. Everything from the client is
 * hostile until the dispatch tables let it through.
 *
 * A session belongs to its worker; it is put on the worker's dead list by session_end and freed at
 * the end of the turn.
 */
#ifndef PGVIGIL_PROXY_SESSION_H
#define PGVIGIL_PROXY_SESSION_H

#include "proxy/dialect.h"
#include "proxy/identity.h"
#include "proxy/login.h"
#include "proxy/outbox.h"
#include "proxy/parameter.h"
#include "proxy/quota.h"
#include "proxy/request.h"
#include "proxy/server.h"
#include "proxy/temporary.h"
#include "proxy/transaction.h"
#include "proxy/transport.h"
#include "proxy/undone.h"
#include "proxy/use.h"
#include "proxy/worker.h"

#include <pgvigil/audit.h>

struct console;

/* May an identity go ahead of what a session has to send, its answer not being awaited? */
enum ahead {
    AHEAD_NEVER = 0, /* it is awaited */
    AHEAD_SHARED,    /* in the implicit transaction of what follows (query_is_plain) */
    AHEAD_SYNCED     /* in one of its own, of BEGIN: whoever it is run as, it does nothing */
};

enum session_state {
    SESSION_ACCEPTED =
        0, /* plain socket; SSLRequest, direct TLS, or (configured) a plain start-up packet */
    SESSION_TLS_HANDSHAKE, /* OpenSSL is at work */
    SESSION_STARTUP, /* the channel is as safe as it will be; StartupMessage or CancelRequest */
    SESSION_AUTHENTICATING, /* SASL; only 'p' messages */
    SESSION_DELAYED,        /* failed to log in; hears it when `delayed_until` has come */
    SESSION_LOGIN, /* authenticated; waits for a server to learn its parameters. Queued in a pool or
                      bound. */
    SESSION_READY, /* reads and forwards messages */
    SESSION_SKIPPING,    /* an extended-protocol message was refused here: drops all up to Sync */
    SESSION_WAIT_SERVER, /* the message at the head of `in` needs a server: queued in a pool, or
                            being prepared */
    SESSION_WAIT_DRAIN,  /* the message at the head of `in` needs every earlier request answered */
    SESSION_WAIT_AUDIT,  /* the message at the head of `in` may go once its begin record is flushed
                          */
    SESSION_COPY_IN,     /* the server wants CopyData */
    SESSION_WAIT_ROWS,   /* the console's: workers are asked for what they have */
    SESSION_CLOSING,     /* nothing is read or handled any more; the output leaves, then the end */
    SESSION_DEAD,        /* on the dead list: touch nothing */
    SESSION_STATE_COUNT
};

struct session {
    TAILQ_ENTRY(session) link;         /* the worker's sessions, or its dead */
    TAILQ_ENTRY(session) touched_link; /* the worker's touched */
    TAILQ_ENTRY(session) wait_link;    /* a pool's waiting */
    TAILQ_ENTRY(session) flush_link;   /* the worker's unflushed */
    TAILQ_ENTRY(session) sync_link;    /* the worker's syncing */
    bool touched;
    bool unflushed; /* group commit: the next flush is to cover something of it */
    bool syncing;   /* the one under way does */
    struct {
        bool glass;    /* its glass_entered */
        bool waits;    /* WAIT_AUDIT's record */
        bool welcome;  /* its "connect" */
    } held;            /* syncing: what is covered beside the marked bytes */
    bool reading;      /* the read event is on */
    bool server_asked; /* observe mode: its own connection is being opened */
    enum ahead ahead;  /* WAIT_SERVER: what it waits with */
    enum session_state state;
    struct pool *waiting_in; /* not NULL: in that pool's queue */
    uint64_t waiting_since;
    uint64_t wait_began; /* by the clock, where it really has to wait; else 0 */

    uint64_t id;
    struct worker *worker;
    struct meter *meter; /* the worker's, of its database */
    struct transport *transport;
    struct event *read_event;
    struct event *write_event; /* NULL: it has never had to wait */
    struct buf in;
    struct outbox out;
    uint64_t accepted;    /* monotonic microseconds */
    uint64_t last_active; /* last message from the client */
    uint64_t began;       /* the first statement of the transaction; 0: none has been answered */
    uint64_t answered;    /* its last statement was */

    struct login *login; /* NULL: its client has logged in */
    struct arena *arena; /* of the refusal at hand where no statement has one; NULL: none yet */
    const struct config_database *database;
    size_t database_index;

    struct world *world;    /* a reference; changes between transactions only */
    uint64_t bound_epoch;   /* the epoch that the bound server was prepared for */
    uint64_t epoch;         /* grows when a verdict could come out otherwise */
    uint64_t context;       /* what a verdict depends on beside the text (statement_cache.h) */
    uint64_t context_epoch; /* as it was at that epoch */
    struct identity identity;
    struct identity *start; /* as it was after the start-up settings, what RESET goes back to; NULL:
                               as it is now (mission_keep_start) */
    struct parameters parameters;   /* what the client was told of its server */
    struct transaction transaction; /* what would undo changes of it */
    struct audit_session who;
    struct subjects *subjects; /* of the rows that no record covers yet; NULL: none */
    uint32_t key_id;           /* BackendKeyData */
    uint32_t key_secret;
    bool reset_parameters; /* they are as at the start, which it is to hear */
    bool admitted;         /* counted by admission under its address */
    bool counted;          /* counted under its user */
    bool welcomed;         /* the flush of its "connect" record succeeded */
    bool connected;        /* a "connect" record was made: a "disconnect" follows */

    struct console *console; /* it is one of the console's: has no database, role, mission or
                                server, and what follows is unused */
    struct requests requests;
    struct statements *statements;
    struct dialects dialects; /* how its texts' constants are read */
    struct cursors *cursors;  /* those that SQL declared on `server` */
    struct temporary temporary;
    struct server *server; /* bound, or NULL */
    bool pinned;           /* keeps its server until it ends */
    bool served;           /* its server has been ready for it since it was bound */
    bool bereft;           /* what it kept on a server went with that, and it has not heard yet */
    bool objects_open;     /* descriptors of large objects may be open in this transaction */
    unsigned char tx;      /* last status of ReadyForQuery: I, T, E */
    bool group_forwarded;  /* something went upstream since the last Sync */
    bool answer_waits;     /* what may leave is pgvigil's own first answers of a group whose next
                              ones the server owes: they leave together, as from PostgreSQL */
    bool answer_due;       /* the client sent Flush: it leaves now */
    uint64_t group;        /* number of Syncs and queries so far */
    uint64_t wrote_group;  /* the last one in which something was executed that writes */
    bool unsettled; /* what was sent last may undo an own setting: nothing is judged before it is
                       answered */
    bool begins; /* but for the BEGIN at the head of `in`, which goes behind an identity at once */
    bool listening;       /* LISTEN was sent: keeps its server, see notification.h */
    bool unlistens;       /* UNLISTEN * has run in the transaction that is open */
    struct undone undone; /* what no ReadyForQuery has confirmed */
    bool guards_changed;  /* guards were made again in the open transaction */
    bool schema_changed;  /* something of the client's may have changed the catalogs in it */
    bool settings_sent;   /* settings that are not pgvigil's were changed on the server */
    bool muted; /* answers are dropped up to the next ReadyForQuery: an error was given for them */
    bool poisoned; /* the client was told that its transaction failed: a T is shown as E until it is
                      so */
    char *shown_application;           /* what the client was told last; NULL: that of the start */
    struct break_glass *glass_entered; /* its record is not flushed yet; a reference */
    struct rows_taken *rows_taken; /* of the person's hour, not passed on yet; NULL: never any */
    char *glass_notice; /* what the next statement is refused with: its mission is over; or NULL */

    struct statement
        *pending; /* the statement of the message at the head of `in`, judged already */
    struct uses *pending_uses;   /* what it reads by other statements' names, or NULL */
    struct statement *preparing; /* what the PREPARE at hand holds, judged already; or NULL */
    uint64_t pending_audit;      /* WAIT_AUDIT: id of its begin record */
    bool pending_begun;
    bool pending_asked;    /* its statements of the day are taken, however often it waits */
    bool pending_failed;   /* the flush failed */
    bool follow_failed;    /* lost_*: the transaction has failed on the server already */
    char lost_sqlstate[6]; /* why WAIT_SERVER ended without a server; "" otherwise */
    char refused_sqlstate[6];
    struct script *script; /* a text that is run in parts; NULL: none */
    char *lost_message;    /* see session_lost_text */
    uint16_t port;         /* the client's, as the address */
    char address[];
};

/* ---- life ---- */

/* Takes `fd`. */
void session_accept(struct worker *worker, int fd, const char *address, uint16_t port);
/* The one setter: logs old -> new, asserts the table. */
void session_enter(struct session *session, enum session_state state);
/* The one way out of a failure: log line, audit record where due, FATAL to the client where it can
 * still read one, end. `reason` is a sentence for the client ("terminating connection ...");
 * sqlstate NULL takes the status's own. */
void session_fail(struct session *session, enum status status, const char *sqlstate,
                  const char *reason);
/* The end without a word: the client went away. */
void session_end(struct session *session, const char *reason);
void session_free(struct session *session);
/* Of the world's certificate; `direct` as for transport_start_tls. False: the session ended. */
bool session_start_tls(struct session *session, bool direct);
/* Its next server connection has the settings of its start. */
void session_settings_gone(struct session *session);
/* Welcomed: lets go of what only a login needs. */
void session_logged_in(struct session *session);

/* ---- the loop ---- */

/* Handles what stands in `in` as far as the state allows. */
void session_process(struct session *session);
/* End of a turn: `flushed` tells whether the audit's flush succeeded; releases or withdraws,
 * writes. */
void session_settle(struct session *session, bool flushed);
/* Group commit (commit.h): something of it waits for a flush; one begins that covers it; it has
 * ended, and what came meanwhile waits for the next. */
bool session_waits_flush(const struct session *session);
void session_hold(struct session *session);
void session_settle_held(struct session *session, bool flushed);
/* True when it waited for the flush and goes on now. */
void session_resume(struct session *session, bool flushed);
void session_write(struct session *session);
/* Back-pressure: switches reading of both legs. */
void session_balance(struct session *session);
/* Once a second. */
void session_tick(struct session *session);

/* ---- from the upstream leg ---- */

/* identity_person's, for a server of pairs: made once for an epoch, and borrowed until the next
 * call for a session of the worker. NULL: out of memory. */
const struct identity_text *session_person_text(struct session *session);
/* Room for SESSION_LOST_BYTES of text, the session's lost_message: few ever need it. */
#define SESSION_LOST_BYTES 256
char *session_lost_text(struct session *session);
void session_server_ready(struct session *session, struct server *server);
/* No server can be had, or the bound one is gone: an error for what waits, or the end of the
 * session when answers are owed. `sqlstate` and `message` as the client gets them. */
void session_server_lost(struct session *session, const char *sqlstate, const char *message);
/* What needs a server next is refused with that. */
void session_lose(struct session *session, const char *sqlstate, const char *message);
/* Its server is closed, and with it what the session kept there; session_server_lost may follow. */
void session_server_gone(struct session *session);
/* The identity could not be set inside the transaction, which has failed with that on the server.
 */
void session_follow_failed(struct session *session, const char *sqlstate, const char *message);
/* Lets go of a server of the other kind (guarded, unrestricted) than the role's, where nothing is
 * owed. */
void session_fit_server(struct session *session);
/* After an answer: lets go of the server when nothing holds it. */
void session_maybe_release(struct session *session);
/* Asks the server what became of temporary tables as soon as it can be, though nothing waits for
 * it: the connection is free again when none is left. */
void session_settle_ahead(struct session *session);
/* Takes up the worker's world, outside transactions. False: the session ended. */
bool session_refresh_world(struct session *session);

/* ---- shared helpers ---- */

/* Its statements run as they are, on a server connection of its own: the role is unrestricted, or
 * the database is in observe mode. */
bool session_unrestricted(const struct session *session);
/* The pool of the role's kind. */
struct pool *session_pool(const struct session *session);
/* Whatever its role may do, nothing is enforced: what would be is recorded (observed.h). */
bool session_observed(const struct session *session);
/* Role and mission of the moment into `who`. */
void session_update_who(struct session *session);
/* The same of another identity; texts are borrowed from it. */
void session_fill_who(const struct session *session, const struct identity *identity,
                      struct audit_session *who);
/* Something a verdict depends on has changed. */
void session_new_epoch(struct session *session);
/* Takes up the meter of its database. */
void session_use_meter(struct session *session, struct meter *meter);
/* It is in a pool's queue, or was; how long is measured where it really had to wait: most find a
 * server connection free. */
void session_begin_wait(struct session *session);
void session_end_wait(struct session *session);
/* The server is ready for the next query: a transaction may be over. */
void session_count_transaction(struct session *session);
/* Bytes of an answer that needs no record, in order behind what is there. */
void session_say(struct session *session, const struct buf *bytes);
/* Has the open transaction fail on the server too, unseen by the client. */
void session_poison(struct session *session);

#endif
