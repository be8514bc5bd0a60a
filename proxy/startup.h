/*
 * startup.h: the packets that come before a session: SSLRequest, GSSENCRequest, CancelRequest,
 * StartupMessage.
 *
 * All bytes are the client's, before any authentication: lengths are bounded by wire_next_startup
 * (10,000), names and numbers of options here. Nothing is applied here; the session judges each
 * setting.
 */
#ifndef PGVIGIL_PROXY_STARTUP_H
#define PGVIGIL_PROXY_STARTUP_H

#include "proxy/wire.h"
#include <pgvigil/arena.h>
#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum startup_kind {
    STARTUP_SSL_REQUEST = 1, /* answer 'S' or 'N'; bytes already buffered behind it are an attack */
    STARTUP_GSS_REQUEST,     /* answer 'N' */
    STARTUP_CANCEL,          /* process_id, secret_key */
    STARTUP_SESSION
};

#define STARTUP_MAX_SETTINGS 256

struct startup_setting {
    const char *name; /* as sent; letters' case kept */
    const char *value;
};

struct startup {
    enum startup_kind kind;
    uint32_t process_id; /* STARTUP_CANCEL */
    uint32_t secret_key;
    uint16_t minor;       /* of protocol 3, as asked for */
    const char *user;     /* not empty */
    const char *database; /* the user's name when the client gave none */
    bool replication;     /* asks for a replication connection (anything but false/off/no/0): to be
                             refused */
    /* In the order in which PostgreSQL applies them: those of `options` first, then the others as
     * sent; the last one of a name wins. `-c a.b=1` and `--a-b=1` are the same; '-' in names became
     * '_'. */
    const struct startup_setting *settings;
    size_t setting_count;
    /* _pq_. parameters: none is known. */
    const char *const *unknown_options;
    size_t unknown_option_count;
    bool negotiate; /* a minor version above 0 or unknown options: send NegotiateProtocolVersion */
};

/*
 * Strings are copied to the arena. OK. ERR_PROTOCOL with *why: malformed, a protocol other than 3.x
 * (08P01 or 0A000: *sqlstate), no user (28000), `options` that are not settings, a name given twice
 * that must not be. ERR_LIMIT: too many settings. ERR_MEMORY.
 */
NODISCARD enum status startup_parse(const struct wire_message *message, struct arena *arena,
                                    struct startup *startup, const char **sqlstate,
                                    const char **why);

/* Splits and reads an `options` string by PostgreSQL's rules (white space separates, a backslash
 * takes the next character as it is; -c name=value, -cname=value, --name=value). Appends to *list.
 * Also for tests. */
NODISCARD enum status startup_parse_options(const char *options, struct arena *arena,
                                            struct startup_setting **list, size_t *count,
                                            size_t *cap, const char **why);

/* NegotiateProtocolVersion as `startup->negotiate` asks for: 3.0, and the options that are not
 * known. */
void startup_put_negotiate(struct buf *out, const struct startup *startup);

#endif
