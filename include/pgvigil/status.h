/*
 * status.h: what a function that can fail returns.
 *
 * OK is 0. NEED_MORE, DENIED and NEED_CATALOG are results, not errors: the first asks for more
 * input, the second is the policy's answer, the third asks for a fresh catalog snapshot and a
 * second try. Everything from ERR_MEMORY on is a failure; the caller ends what it was doing.
 */
#ifndef PGVIGIL_STATUS_H
#define PGVIGIL_STATUS_H

enum status {
    OK = 0,
    NEED_MORE,    /* the input ends before the thing does; call again with more */
    DENIED,       /* the policy or the allow-lists say no; the output tells why */
    NEED_CATALOG, /* names something the snapshot does not hold */
    CLOSED,       /* the peer ended in an orderly way */
    ERR_MEMORY,   /* allocation failed or an arena's limit was reached */
    ERR_SYNTAX,   /* SQL or a file does not parse */
    ERR_INVALID,  /* a value is outside what it may be */
    ERR_LIMIT,    /* longer, deeper or more than a bound allows */
    ERR_PROTOCOL, /* the peer broke the wire protocol */
    ERR_AUTH,     /* authentication failed */
    ERR_TLS,      /* OpenSSL reported a failure */
    ERR_IO,       /* a system call failed; errno was logged */
    ERR_UPSTREAM, /* the database server failed or went away */
    ERR_AUDIT,    /* a record could not be written: what it covers must not be released */
    ERR_INTERNAL, /* an invariant does not hold: a bug */
    STATUS_COUNT
};

#define NODISCARD __attribute__((warn_unused_result))

/* A short lower-case name ("need_more"); never NULL, "unknown" for a value out of range. */
const char *status_name(enum status status);

#endif
