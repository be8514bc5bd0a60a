/*
 * config.h: pgvigil.cfg as plain data (docs/operations.md describes every key).
 *
 * Written by the administrator, so trusted in intent but not in form: config_load refuses unknown
 * keys, wrong types and files that are not there, and tells everything that is wrong at once.
 * Relative paths, those inside conninfos (sslrootcert and its like) too, are already resolved
 * against the file that names them. A struct config is immutable after config_load; all strings
 * live in it.
 */
#ifndef PGVIGIL_CONFIG_H
#define PGVIGIL_CONFIG_H

#include <pgvigil/audit.h>
#include <pgvigil/buf.h>
#include <pgvigil/organisation.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_listen {
    const char *address; /* numeric IPv4 or IPv6; "" or "*" is every address. Default 127.0.0.1 */
    uint16_t port;       /* default 6432 */
    const char
        *certificate; /* PEM chain, the server's own first; NULL only when plaintext is allowed */
    const char *key;  /* PEM; NULL with certificate */
    const char *client_ca; /* PEM bundle that client certificates are verified against, or NULL:
                              none asked */
    bool plaintext;        /* a client may stay without TLS; default false */
    unsigned backlog;      /* default 1024 */
    struct policy_place place;
};

struct config_database {
    const char *name; /* what clients ask for; unique */
    unsigned pool;    /* server connections at most (unrestricted ones not counted); default 20 */
    const char
        *conninfo;     /* of the login that runs pairs' statements; gssencmode=disable is in it */
    const char *owner; /* NOLOGIN role that owns the guards */
    const char *unrestricted; /* conninfo for unrestricted roles, or NULL: they are refused */
    const char *mode;         /* "enforce" (default) or "observe" */
    bool observe; /* nothing is enforced: all statements run unchanged as the unrestricted login,
                     and what would have become of them is on record */
    struct policy_place place;
};

struct config_limits {
    unsigned connections;             /* in all; default 1000 */
    unsigned connections_per_user;    /* 0: no limit; default 200 */
    unsigned connections_per_address; /* 0: no limit; default 500 */
    unsigned login_seconds;           /* from accept to the end of authentication; default 30 */
    unsigned connect_seconds; /* for a server connection to be opened and waited for; default 30 */
    unsigned idle_seconds;    /* a client without a statement is ended; 0 (default): never */
    unsigned server_idle_seconds;     /* a server connection nobody uses is closed; default 600 */
    unsigned server_check_seconds;    /* one that nobody has used for so long is asked whether it is
                                         still there; 0: never; default 30 */
    unsigned server_lifetime_seconds; /* a server connection that is older is closed once nobody
                                         uses it; 0: never; default 3600 */
    unsigned failed_logins;           /* per address before answers slow down; default 5 */
    size_t message_bytes; /* largest message from a client; default 64 MiB, at most 1 GiB - 1 */
    size_t statement_cache_bytes; /* judged statements that a worker keeps; 0: none; default 16 MiB
                                   */
    unsigned prepared_lookups;    /* statements by primary key that pgvigil prepares on a server
                                     connection of its own accord; 0: none; default 100 */
};

/* Clients that ask for a database of this name get the console, where they are in admin.users. */
#define CONFIG_CONSOLE_DATABASE "pgvigil"

struct config_admin {
    const char *address;  /* numeric IPv4 or IPv6; "" or "*" is every address. Default 127.0.0.1 */
    uint16_t port;        /* of the figures over HTTP; 0 (default): there are none */
    bool unauthenticated; /* it may be an address that others reach, though nobody is asked who they
                             are; default false */
    const char *const *users; /* of the policy: who may use the console */
    size_t user_count;
    struct policy_place place;
};

/* Where `pgvigil audit ship` sends records. */
struct config_ship {
    const char *kind; /* "syslog" or "postgresql" */
    bool table;       /* it is the latter; what follows up to conninfo is the former's */
    const char *site; /* names this proxy among others; default: the machine's name */
    const char *host;
    uint16_t port;           /* default 6514 */
    const char *name;        /* that the receiver's certificate must have; default: host */
    const char *ca;          /* PEM bundle that it is verified with */
    const char *certificate; /* PEM chain that is shown to the receiver, or NULL */
    const char *key;
    const char *facility; /* default "audit" */
    unsigned facility_number;
    const char *records;      /* "all" (default) or "checkpoints" */
    bool checkpoints_only;    /* it is the latter */
    size_t max_message_bytes; /* that the receiver takes; default 8192 */
    const char *state;        /* file with what was sent */
    const char *conninfo;     /* sslmode=verify-full, or a Unix socket */
    struct policy_place place;
};

struct config {
    const char *path; /* absolute */
    struct config_listen listen;
    const struct config_database *databases;
    size_t database_count; /* at least 1 */
    const char *policy;    /* directory or file */
    struct audit_options audit;
    const struct config_ship *ships;
    size_t ship_count;
    unsigned workers;          /* event loops; 0 was replaced by the number of cores */
    unsigned worker_fill;      /* sessions that share one before the next gets any */
    const char *pseudonym_key; /* file, or NULL; config_read_pseudonym_key reads it */
    struct config_limits limits;
    struct config_admin admin;
    struct config_organisation organisation;
    const char *alert_command; /* program that is told of broken glasses, or NULL */
    int log_level;             /* enum log_level */
    struct arena *arena;       /* owns everything above */
};

/*
 * Reads the file and checks all that can be checked without a network. Errors are appended to
 * `errors` as lines "file:line: what is wrong, and what would be right\n". OK; ERR_INVALID (see
 * errors); ERR_SYNTAX (the file does not parse); ERR_IO (cannot be read); ERR_MEMORY. *config is
 * set on OK only, freed by config_free (accepts NULL).
 */
NODISCARD enum status config_load(const char *path, struct config **config, struct buf *errors);
void config_free(struct config *config);

const struct config_database *config_find_database(const struct config *config,
                                                   const char *name); /* or NULL */

bool config_is_admin(const struct config *config, const char *user);

#define CONFIG_PSEUDONYM_KEY_BYTES 32
/* The file holds 64 hexadecimal digits (certs/make writes one). ERR_IO or ERR_INVALID with a
 * sentence in `why`. */
NODISCARD enum status config_read_pseudonym_key(const char *path,
                                                unsigned char key[CONFIG_PSEUDONYM_KEY_BYTES],
                                                struct buf *why);

#endif
