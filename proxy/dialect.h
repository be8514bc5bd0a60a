/*
 * dialect.h: how the server reads the constants of a text that a session prepares there.
 *
 * '01/02/2020' is a day in January or in February by DateStyle, and a time of the day is another
 * moment under another TimeZone. PostgreSQL reads them once, when the text is parsed (documentation
 * of 15, 55.2.3 Extended Query), and a prepared statement keeps what it read. So does its plan with
 * what it computes of constants: how a float is written, what the text of a SQL function holds.
 * Sessions share what a server connection has prepared, so a text is one statement for those alone
 * who would have its constants read alike.
 *
 * A session that has its server's own defaults, or the same start-up settings as others, reads as
 * they do. What it sets afterwards may be undone by the end of the transaction, which is known only
 * later: from then on it reads as nobody else, and as nobody it was before.
 */
#ifndef PGVIGIL_PROXY_DIALECT_H
#define PGVIGIL_PROXY_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct statement;

/* Equal where constants are read alike. Zeros: by the server's own settings. SHA-256, cut: who
 * could choose a collision would have another's dates read as she likes. */
struct dialect {
    unsigned char digest[16];
};

struct dialects {
    struct dialect now;
    uint32_t turns;
    bool open; /* a setting was sent whose end is not known yet */
};

bool dialect_same(const struct dialect *a, const struct dialect *b);
/* The server's name for what `name` is by no dialect: the same by none. "" when it fails. Zeros
 * stand behind its end. */
#define DIALECT_NAME_BYTES 40
void dialect_name(const struct dialect *dialect, const char name[DIALECT_NAME_BYTES],
                  char out[DIALECT_NAME_BYTES]);
/* Is there a string in it? */
bool dialect_has_strings(const char *sql, size_t len);

/* Its server connection has, or will have, the settings it started with. */
void dialect_start(struct session *session);
/* The statement goes upstream. */
void dialect_sent(struct session *session, const struct statement *statement);
/* What was just sent may undo what was set. */
void dialect_undone(struct session *session);
/* All is answered, and no transaction is open. */
void dialect_settled(struct session *session);

#endif
