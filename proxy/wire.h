/*
 * wire.h: PostgreSQL's protocol 3.0 as bytes: bounded reading, and one encoder for each message
 * that pgvigil sends.
 *
 * Reading: wire_next cuts one message off a buffer after checking its type and length; a struct
 * wire_cursor reads its fields, fails once and stays failed, and wire_end is OK only when all was
 * read and nothing is left over. Both peers are distrusted: the client as an attacker, the server
 * as something that may be compromised or replaced. Nothing here copies: a message and what is read
 * from it lie in the buffer and stay valid until something is appended to it (buf_consume does not
 * move bytes).
 *
 * Writing: encoders append to a struct buf, whose sticky `failed` is looked at once, at the end.
 */
#ifndef PGVIGIL_PROXY_WIRE_H
#define PGVIGIL_PROXY_WIRE_H

#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_STARTUP_MAX  10000u      /* PostgreSQL's MAX_STARTUP_PACKET_LENGTH */
#define WIRE_SMALL_MAX    10000u      /* PQ_SMALL_MESSAGE_LIMIT: Sync, Execute, Describe... */
#define WIRE_AUTH_MAX     65535u      /* PG_MAX_AUTH_TOKEN_LENGTH */
#define WIRE_LARGE_MAX    0x3ffffffeu /* PQ_LARGE_MESSAGE_LIMIT: Query, Parse, Bind, CopyData */
#define WIRE_HEADER_BYTES 5u

struct wire_message {
    unsigned char type;        /* 0 for a start-up packet */
    const unsigned char *body; /* behind type and length */
    size_t len;                /* of body */
};

enum wire_from {
    WIRE_FROM_CLIENT,      /* Q P B E D C S H X F d c f */
    WIRE_FROM_CLIENT_AUTH, /* before AuthenticationOk: p only */
    WIRE_FROM_SERVER       /* every backend message type of protocol 3 */
};

/*
 * Cuts the next message off `buf` (its bytes are consumed, the body stays valid until the next
 * append). max_len bounds the body of the large types; small types have PostgreSQL's limits. OK.
 * NEED_MORE: not whole yet (length and type are checked as soon as they are there, so a bad one
 * does not wait for its body). ERR_PROTOCOL: unknown type, length below 4. ERR_LIMIT: longer than
 * its type may be.
 */
NODISCARD enum status wire_next(struct buf *buf, enum wire_from from, size_t max_len,
                                struct wire_message *message);
/* A whole message of this type stands at the start of the bytes; *size with its header. */
bool wire_row_size(const unsigned char *bytes, size_t len, unsigned char type, size_t *size);
/* The same checks on the header only, nothing consumed: for results that are passed on in pieces.
 * *len is the body's. */
NODISCARD enum status wire_peek(const struct buf *buf, enum wire_from from, size_t max_len,
                                unsigned char *type, size_t *len);
/* A start-up packet: no type byte, 8 to 10,000 bytes with its length. ERR_PROTOCOL for another
 * length. */
NODISCARD enum status wire_next_startup(struct buf *buf, struct wire_message *message);

/* ---- fields ---- */

struct wire_cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool failed; /* sticky: after it every getter gives 0, "" or NULL */
};

void wire_cursor_init(struct wire_cursor *cursor, const void *bytes, size_t len);
void wire_cursor_message(struct wire_cursor *cursor, const struct wire_message *message);
unsigned char wire_get_byte(struct wire_cursor *cursor);
uint16_t wire_get_u16(struct wire_cursor *cursor);
uint32_t wire_get_u32(struct wire_cursor *cursor);
int16_t wire_get_int16(struct wire_cursor *cursor);
int32_t wire_get_int32(struct wire_cursor *cursor);
/* Up to and with its NUL; "" on failure. */
const char *wire_get_cstr(struct wire_cursor *cursor);
/* `len` bytes; NULL on failure (and a non-NULL pointer for len 0). */
const unsigned char *wire_get_bytes(struct wire_cursor *cursor, size_t len);
/* An int32 length and its bytes; length -1 is NULL: *len = -1, returns NULL without failing. Below
 * -1 fails. */
const unsigned char *wire_get_value(struct wire_cursor *cursor, int32_t *len);
size_t wire_left(const struct wire_cursor *cursor);
/* OK when nothing failed and all was read; ERR_PROTOCOL. */
NODISCARD enum status wire_end(const struct wire_cursor *cursor);

/* ---- messages from the client, parsed whole (ERR_PROTOCOL when a field is off) ---- */

NODISCARD enum status wire_parse_query(const struct wire_message *message, const char **sql,
                                       size_t *len);

struct wire_parse {
    const char *statement;
    const char *sql;
    size_t sql_len;
    uint16_t type_count;
    const unsigned char *types; /* type_count OIDs in network order, unaligned */
};
NODISCARD enum status wire_parse_parse(const struct wire_message *message,
                                       struct wire_parse *parse);

struct wire_bind {
    const char *portal;
    const char *statement;
    uint16_t format_count;
    const unsigned char *formats; /* int16s in network order, unaligned; each is 0 or 1 */
    uint16_t value_count;
    const unsigned char *values; /* value_count values, lengths checked */
    size_t values_len;
    uint16_t result_format_count;
    const unsigned char *result_formats;
};
/* Also checks that format_count is 0, 1 or value_count, and that formats are 0 or 1. */
NODISCARD enum status wire_parse_bind(const struct wire_message *message, struct wire_bind *bind);
/* Format of result column `index` as the Bind asks for: 0 text, 1 binary. */
uint16_t wire_bind_result_format(const struct wire_bind *bind, size_t index);

/* Describe and Close: kind 'S' or 'P'. */
NODISCARD enum status wire_parse_target(const struct wire_message *message, unsigned char *kind,
                                        const char **name);
NODISCARD enum status wire_parse_execute(const struct wire_message *message, const char **portal,
                                         uint32_t *max_rows);
struct wire_call {
    uint32_t function; /* its OID */
    uint16_t value_count;
};
/* FunctionCall. Also checks that there are no, one or value_count formats, and that formats are 0
 * or 1. */
NODISCARD enum status wire_parse_call(const struct wire_message *message, struct wire_call *call);
/* Sync, Flush, Terminate, CopyDone: no body. */
NODISCARD enum status wire_parse_empty(const struct wire_message *message);

/* ---- messages from the server ---- */

/* ErrorResponse and NoticeResponse: fields by name, NULL when absent. Borrowed from the message;
 * set a field to NULL to drop it or to other text to replace it, then wire_put_report. Fields of
 * unknown types are dropped. */
struct wire_report {
    const char *severity;          /* S, localised */
    const char *severity_raw;      /* V */
    const char *sqlstate;          /* C */
    const char *message;           /* M */
    const char *detail;            /* D */
    const char *hint;              /* H */
    const char *position;          /* P */
    const char *internal_position; /* p */
    const char *internal_query;    /* q */
    const char *where;             /* W */
    const char *schema;            /* s */
    const char *table;             /* t */
    const char *column;            /* c */
    const char *data_type;         /* d */
    const char *constraint;        /* n */
    const char *file;              /* F */
    const char *line;              /* L */
    const char *routine;           /* R */
};
NODISCARD enum status wire_parse_report(const struct wire_message *message,
                                        struct wire_report *report);

struct wire_column {
    const char *name;
    uint32_t table_oid;
    int16_t attnum;
    uint32_t type_oid;
    int16_t type_len;
    int32_t type_mod;
    uint16_t format;
};
/* Reads the next column of a RowDescription: first wire_get_u16 for their number, then as many of
 * these. */
void wire_get_column(struct wire_cursor *cursor, struct wire_column *column);
/* Changes table OID and column number of each column in place (`body` may be the message's own,
 * cast). */
typedef void wire_origin_fn(uint32_t *table_oid, int16_t *attnum, void *context);
NODISCARD enum status wire_rewrite_origins(unsigned char *body, size_t len, wire_origin_fn *rewrite,
                                           void *context);
NODISCARD enum status wire_parse_ready(const struct wire_message *message, unsigned char *status);
NODISCARD enum status wire_parse_parameter_status(const struct wire_message *message,
                                                  const char **name, const char **value);
/* Rows of a CommandComplete tag ("SELECT 5", "INSERT 0 1"): its last word as a number, or 0. */
uint64_t wire_tag_rows(const char *tag);

/* ---- encoders: to the client ---- */

/* A message of your own: mark = wire_begin(out, 'T'); append fields; wire_finish(out, mark). Type
 * 0: no type byte. Between the two nothing may be consumed from `out`. */
size_t wire_begin(struct buf *out, unsigned char type);
void wire_finish(struct buf *out, size_t mark);
/* Passes a message on as it is. */
void wire_put_message(struct buf *out, const struct wire_message *message);

void wire_put_auth_ok(struct buf *out);
void wire_put_auth_sasl(struct buf *out, const char *const *mechanisms, size_t count);
void wire_put_auth_sasl_continue(struct buf *out, const void *bytes, size_t len);
void wire_put_auth_sasl_final(struct buf *out, const void *bytes, size_t len);
void wire_put_negotiate(struct buf *out, uint32_t newest_minor, const char *const *unknown,
                        size_t count);
void wire_put_parameter_status(struct buf *out, const char *name, const char *value);
void wire_put_notification(struct buf *out, uint32_t process_id, const char *channel,
                           const char *payload);
void wire_put_key_data(struct buf *out, uint32_t process_id, uint32_t secret_key);
void wire_put_ready(struct buf *out, unsigned char status); /* 'I', 'T', 'E' */
/* type 'E' or 'N'. */
void wire_put_report(struct buf *out, unsigned char type, const struct wire_report *report);
/* The usual error: severity "ERROR" or "FATAL", no detail. `hint` may be NULL. `position` 0: none.
 */
void wire_put_error(struct buf *out, const char *severity, const char *sqlstate,
                    const char *message, const char *hint, size_t position);
void wire_put_notice(struct buf *out, const char *severity, const char *sqlstate,
                     const char *message);
void wire_put_parse_complete(struct buf *out);
void wire_put_bind_complete(struct buf *out);
void wire_put_close_complete(struct buf *out);
void wire_put_no_data(struct buf *out);
void wire_put_portal_suspended(struct buf *out);
void wire_put_empty_query(struct buf *out);
void wire_put_command_complete(struct buf *out, const char *tag);
void wire_put_parameter_description(struct buf *out, const uint32_t *type_oids, size_t count);
void wire_put_row_description(struct buf *out, const struct wire_column *columns, size_t count);
/* Text values; NULL is SQL's null. */
void wire_put_data_row(struct buf *out, const char *const *values, size_t count);

/* ---- encoders: to the server ---- */

void wire_put_query(struct buf *out, const char *sql, size_t len);
/* `types` in host order, or use wire_parse's bytes with wire_put_parse_raw. */
void wire_put_parse(struct buf *out, const char *statement, const char *sql, size_t len,
                    const uint32_t *types, uint16_t type_count);
void wire_put_parse_raw(struct buf *out, const char *statement, const char *sql, size_t len,
                        const unsigned char *types, uint16_t type_count);
/* With portal and statement names as set in `bind`. */
void wire_put_bind(struct buf *out, const struct wire_bind *bind);
void wire_put_describe(struct buf *out, unsigned char kind, const char *name);
void wire_put_close(struct buf *out, unsigned char kind, const char *name);
void wire_put_execute(struct buf *out, const char *portal, uint32_t max_rows);
void wire_put_sync(struct buf *out);
void wire_put_flush(struct buf *out);
void wire_put_terminate(struct buf *out);

#endif
