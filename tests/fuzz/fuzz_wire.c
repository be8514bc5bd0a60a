/*
 * fuzz_wire.c: what comes before and around SQL: start-up packets, messages of both sides, SCRAM.
 *
 * The first byte chooses. Beyond not crashing: what a parser accepted and an encoder writes again
 * must be the bytes that came, and nobody is ever let in who does not know the password.
 */
#include "proxy/scram.h"
#include "proxy/startup.h"
#include "proxy/wire.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth, const char *what)
{
    if (truth)
        return;
    (void)fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static void same(const struct buf *out, const struct wire_message *message)
{
    require(buf_len(out) == message->len + WIRE_HEADER_BYTES &&
                memcmp(buf_head(out) + WIRE_HEADER_BYTES, message->body, message->len) == 0,
            "a message written again is the one that was read");
}

static void try_startup(struct buf *in)
{
    struct wire_message message;
    struct startup startup;
    const char *sqlstate = NULL;
    const char *why = NULL;
    struct arena *arena = arena_new(1 << 20);
    while (arena && wire_next_startup(in, &message) == OK) {
        if (startup_parse(&message, arena, &startup, &sqlstate, &why) != OK)
            continue;
        require(startup.kind != STARTUP_SESSION || (startup.user && *startup.user),
                "a session has a user");
        struct buf out;
        buf_init(&out, 0);
        startup_put_negotiate(&out, &startup);
        buf_free(&out);
    }
    arena_free(arena);
}

static void try_client_message(const struct wire_message *message, struct buf *out)
{
    const char *text = NULL;
    size_t len = 0;
    uint32_t rows = 0;
    unsigned char kind = 0;
    struct wire_parse parse;
    struct wire_bind bind;
    if (message->type == 'Q' && wire_parse_query(message, &text, &len) == OK) {
        wire_put_query(out, text, len);
        same(out, message);
    } else if (message->type == 'P' && wire_parse_parse(message, &parse) == OK) {
        wire_put_parse_raw(out, parse.statement, parse.sql, parse.sql_len, parse.types,
                           parse.type_count);
        same(out, message);
    } else if (message->type == 'B' && wire_parse_bind(message, &bind) == OK) {
        require(wire_bind_result_format(&bind, 0) <= 1, "formats are 0 or 1");
        wire_put_bind(out, &bind);
        same(out, message);
    } else if (message->type == 'D' && wire_parse_target(message, &kind, &text) == OK) {
        wire_put_describe(out, kind, text);
        same(out, message);
    } else if (message->type == 'E' && wire_parse_execute(message, &text, &rows) == OK) {
        require(rows <= INT32_MAX, "a row limit is not negative");
    }
}

static void to_zero(uint32_t *table_oid, int16_t *attnum, void *context)
{
    (void)context;
    *table_oid = 0;
    *attnum = 0;
}

static void try_server_message(const struct wire_message *message, struct buf *out)
{
    struct wire_report report;
    if (message->type == 'E' && wire_parse_report(message, &report) == OK) {
        wire_put_report(out, 'E', &report);
        require(buf_len(out) <= message->len + WIRE_HEADER_BYTES, "a report only loses fields");
    } else if (message->type == 'T') {
        unsigned char *copy = malloc(message->len + 1);
        if (!copy)
            return;
        memcpy(copy, message->body, message->len);
        enum status status = wire_rewrite_origins(copy, message->len, to_zero, NULL);
        require(status == OK || status == ERR_PROTOCOL, "origins are rewritten or refused");
        free(copy);
    } else if (message->type == 'C' && message->len > 0 && !message->body[message->len - 1]) {
        (void)wire_tag_rows((const char *)message->body);
    }
}

static void try_messages(struct buf *in, enum wire_from from)
{
    struct wire_message message;
    struct buf out;
    buf_init(&out, 0);
    while (wire_next(in, from, 65536, &message) == OK) {
        buf_clear(&out);
        if (from == WIRE_FROM_CLIENT)
            try_client_message(&message, &out);
        else
            try_server_message(&message, &out);
    }
    buf_free(&out);
}

static void try_scram(struct buf *in, bool bound)
{
    static bool ready;
    if (!ready)
        require(scram_init() == OK, "there is randomness");
    ready = true;
    struct scram_options options = {
        .user = "nurse1",
        .secret = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
                  "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                  "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        .binding = bound ? (const unsigned char *)"0123456789abcdef0123456789abcdef" : NULL,
        .binding_len = bound ? 32 : 0};
    struct scram *scram = scram_new(&options);
    struct wire_message message;
    struct buf out;
    const char *why = NULL;
    buf_init(&out, 0);
    while (scram && wire_next(in, WIRE_FROM_CLIENT_AUTH, 0, &message) == OK) {
        enum status status = scram_step(scram, &message, &out, &why);
        require(status != OK, "nobody comes in by chance");
        require(status == NEED_MORE || (why && *why), "a refusal says why");
    }
    buf_free(&out);
    scram_free(scram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf in;
    if (size == 0)
        return 0;
    buf_init(&in, 0);
    buf_append(&in, data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        try_startup(&in);
        break;
    case 1:
        try_messages(&in, WIRE_FROM_CLIENT);
        break;
    case 2:
        try_messages(&in, WIRE_FROM_SERVER);
        break;
    default:
        try_scram(&in, data[0] % 5 == 4);
        break;
    }
    buf_free(&in);
    return 0;
}
