/*
 * ship_table.c: records into a table of a central PostgreSQL (see ship.h, examples/central.sql).
 *
 * Trust boundary: the server proves who it is (sslmode=verify-full, which the configuration
 * demands); we log in as a role that may insert records and keep its place, and nothing else.
 *
 * The place up to which the trail was sent stands in that database, and moves in the transaction
 * that brings the records: whenever either side ends, both are there or neither. The place is moved
 * from where we believe it to be, so two shippers of one site cannot both have their way, and the
 * primary key is the second wall.
 */
#include "tools/ship.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <pgvigil/buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA    "pgvigil_audit"
#define DAY       10U /* of 2026-01-31T... */
#define DAYS_KEPT 64U

static const char copy_command[] =
    "COPY " SCHEMA ".record (site, chain, seq, time, hash, type, event, person, role, mission, "
    "decision, break_glass, line) FROM STDIN";

struct table_ship {
    struct ship *ship;
    PGconn *conn;
    struct ship_batch batch;
    struct tail_position *before; /* places in the database; owned */
    size_t before_count;
    char days[DAYS_KEPT][DAY + 1]; /* that have a partition */
    size_t day_count;
};

static enum status db_failed(struct table_ship *link, const char *what)
{
    const char *said = PQerrorMessage(link->conn);
    return ship_failed(link->ship, ERR_UPSTREAM, "%s: %.*s", what, (int)strcspn(said, "\n"), said);
}

/* One statement; rows are not looked at. */
static enum status execute(struct table_ship *link, const char *sql, int count,
                           const char *const *values, ExecStatusType wanted)
{
    PGresult *result = PQexecParams(link->conn, sql, count, NULL, values, NULL, NULL, 0);
    enum status status = PQresultStatus(result) == wanted ? OK : db_failed(link, sql);
    PQclear(result);
    return status;
}

/* ---- rows ---- */

static bool is_special(char byte)
{
    return byte == '\\' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* COPY's text format: what would end a value or a row is escaped. NULL: \N. */
static void put_value(struct buf *out, const char *text, size_t len)
{
    if (!text) {
        buf_append(out, "\\N\t", 3);
        return;
    }
    const char *end = text + len;
    while (text < end) {
        size_t plain = 0;
        while (text + plain < end && !is_special(text[plain]))
            plain++;
        buf_append(out, text, plain);
        text += plain;
        if (text == end)
            break;
        const char escaped[2] = {'\\', *text == '\n'   ? 'n'
                                       : *text == '\r' ? 'r'
                                       : *text == '\t' ? 't'
                                                       : '\\'};
        buf_append(out, escaped, sizeof escaped);
        text++;
    }
    buf_byte(out, '\t');
}

static void put_text(struct buf *out, const char *text)
{
    put_value(out, text, text ? strlen(text) : 0);
}

static void put_row(struct table_ship *link, const struct tail_line *line)
{
    static const char *const columns[] = {"event", "person", "role", "mission", "decision"};
    size_t len = line->len - 1;
    json_t *record = json_loadb(line->bytes, len, 0, NULL);
    struct buf *out = &link->batch.bytes;
    put_text(out, link->ship->to->site);
    buf_printf(out, "%u\t%" PRIu64 "\t", line->at.chain, line->head.seq);
    put_text(out, line->head.time);
    put_text(out, line->hash);
    put_text(out, line->head.type);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        put_text(out, json_string_value(json_object_get(record, columns[i])));
    put_text(out, json_is_true(json_object_get(record, "break_glass")) ? "t" : "f");
    json_decref(record);
    put_value(out, line->bytes, len);
    /* The tabulator behind the last value is the row's end. */
    if (!out->failed)
        out->data[out->tail - 1] = '\n';
    link->batch.records++;
}

/* ---- partitions ---- */

static enum status make_partition(struct table_ship *link, const char *time)
{
    char day[DAY + 1];
    memcpy(day, time, DAY);
    day[DAY] = '\0';
    for (size_t i = 0; i < link->day_count; i++) {
        if (strcmp(link->days[i], day) == 0)
            return OK;
    }
    const char *const values[] = {day};
    enum status status =
        execute(link, "SELECT " SCHEMA ".make_partition($1::date)", 1, values, PGRES_TUPLES_OK);
    if (status != OK)
        return status;
    if (link->day_count == DAYS_KEPT)
        link->day_count = 0;
    memcpy(link->days[link->day_count++], day, sizeof day);
    return OK;
}

/* ---- places ---- */

static bool read_place(const PGresult *result, int row, struct tail_position *out)
{
    *out = (struct tail_position){
        .chain = (unsigned)strtoul(PQgetvalue(result, row, 0), NULL, 10),
        .file = strtoull(PQgetvalue(result, row, 1), NULL, 10),
        .offset = strtoull(PQgetvalue(result, row, 2), NULL, 10),
        .seq = strtoull(PQgetvalue(result, row, 3), NULL, 10),
    };
    const char *hash = PQgetvalue(result, row, 4);
    if (strlen(hash) != CHAIN_HASH_HEX)
        return false;
    memcpy(out->hash, hash, CHAIN_HASH_HEX + 1);
    return out->file > 0 && out->seq > 0;
}

static enum status load_places(struct table_ship *link)
{
    const char *const values[] = {link->ship->to->site};
    PGresult *result = PQexecParams(link->conn,
                                    "SELECT chain, file_number, file_offset, seq, hash FROM " SCHEMA
                                    ".position WHERE site = $1",
                                    1, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        PQclear(result);
        return db_failed(link, "the saved places cannot be read");
    }
    int count = PQntuples(result);
    enum status status = OK;
    link->before = calloc((size_t)count + 1, sizeof *link->before);
    if (!link->before)
        status = ERR_MEMORY;
    for (int i = 0; status == OK && i < count; i++) {
        if (!read_place(result, i, &link->before[i]))
            status = ship_failed(link->ship, ERR_INVALID,
                                 "a row of " SCHEMA ".position is none that was written there");
    }
    link->before_count = (size_t)count;
    PQclear(result);
    return status;
}

static const struct tail_position *place_before(const struct table_ship *link, unsigned chain)
{
    for (size_t i = 0; i < link->before_count; i++) {
        if (link->before[i].chain == chain)
            return &link->before[i];
    }
    return NULL;
}

static enum status move_place(struct table_ship *link, const struct tail_position *to)
{
    const struct tail_position *from = place_before(link, to->chain);
    if (from && from->seq == to->seq)
        return OK;
    char text[5][24];
    (void)snprintf(text[0], sizeof text[0], "%u", to->chain);
    (void)snprintf(text[1], sizeof text[1], "%" PRIu64, to->file);
    (void)snprintf(text[2], sizeof text[2], "%" PRIu64, to->offset);
    (void)snprintf(text[3], sizeof text[3], "%" PRIu64, to->seq);
    (void)snprintf(text[4], sizeof text[4], "%" PRIu64, from ? from->seq : 0);
    const char *const values[] = {
        link->ship->to->site,    text[0], text[1], text[2], text[3], to->hash, text[4],
        from ? from->hash : NULL};
    PGresult *result =
        from ? PQexecParams(link->conn,
                            "UPDATE " SCHEMA ".position SET file_number = $3, file_offset = $4, "
                            "seq = $5, hash = $6, updated = now() "
                            "WHERE site = $1 AND chain = $2 AND seq = $7 AND hash = $8",
                            8, NULL, values, NULL, NULL, 0)
             : PQexecParams(link->conn,
                            "INSERT INTO " SCHEMA ".position "
                            "(site, chain, file_number, file_offset, seq, hash, updated) "
                            "VALUES ($1, $2, $3, $4, $5, $6, now())",
                            6, NULL, values, NULL, NULL, 0);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    bool moved = done && strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    if (!done)
        return db_failed(link, "the place cannot be moved");
    return moved ? OK
                 : ship_failed(link->ship, ERR_UPSTREAM,
                               "site \"%s\" has another place for chain %u than was read: does "
                               "another pgvigil audit ship, or another proxy, have that site?",
                               link->ship->to->site, to->chain);
}

/* ---- a batch ---- */

static enum status copy_rows(struct table_ship *link)
{
    PGresult *result = PQexec(link->conn, copy_command);
    bool ready = PQresultStatus(result) == PGRES_COPY_IN;
    PQclear(result);
    if (!ready)
        return db_failed(link, "COPY is refused");
    const char *rows = (const char *)buf_head(&link->batch.bytes);
    if (PQputCopyData(link->conn, rows, (int)buf_len(&link->batch.bytes)) != 1 ||
        PQputCopyEnd(link->conn, NULL) != 1)
        return db_failed(link, "the connection broke");
    enum status status = OK;
    while ((result = PQgetResult(link->conn)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            status = db_failed(link, "the records are refused");
        PQclear(result);
    }
    return status;
}

static enum status remember(struct table_ship *link, const struct tail_position *places,
                            size_t count)
{
    struct tail_position *copy = calloc(count + 1, sizeof *copy);
    if (!copy)
        return ERR_MEMORY;
    memcpy(copy, places, count * sizeof *copy);
    free(link->before);
    link->before = copy;
    link->before_count = count;
    return OK;
}

static enum status send_all(void *context, struct tail *tail)
{
    struct table_ship *link = context;
    size_t count = 0;
    const struct tail_position *places = tail_positions(tail, &count);
    enum status status = tail_settle(tail);
    if (status != OK)
        return ship_failed(link->ship, status, "%s", tail_why(tail));
    status = execute(link, "BEGIN", 0, NULL, PGRES_COMMAND_OK);
    for (size_t i = 0; status == OK && i < count; i++)
        status = move_place(link, &places[i]);
    if (status == OK)
        status = copy_rows(link);
    if (status == OK)
        status = execute(link, "COMMIT", 0, NULL, PGRES_COMMAND_OK);
    if (status == OK)
        status = remember(link, places, count);
    if (status == OK)
        ship_confirmed(link->ship, link->batch.records);
    return status;
}

static enum status put_line(void *context, const struct tail_line *line)
{
    put_row(context, line);
    /* Outside the batch's transaction: it locks the whole table for a moment, and Citus wants
     * nothing of the kind beside COPY. */
    return make_partition(context, line->head.time);
}

/* What a database says besides errors is nobody's to read here. */
static void silent(void *context, const char *message)
{
    (void)context;
    (void)message;
}

enum status ship_table(struct ship *ship)
{
    struct table_ship link = {.ship = ship};
    const struct ship_receiver receiver = {put_line, send_all, &link};
    struct tail *tail = NULL;
    const char *why = NULL;
    buf_init(&link.batch.bytes, 0);
    link.conn = PQconnectdb(ship->to->conninfo);
    enum status status = OK;
    if (PQstatus(link.conn) != CONNECTION_OK)
        status = db_failed(&link, "no connection");
    else
        (void)PQsetNoticeProcessor(link.conn, silent, NULL);
    if (status == OK && PQsetClientEncoding(link.conn, "UTF8") != 0)
        status = db_failed(&link, "no UTF-8");
    if (status == OK)
        status = load_places(&link);
    if (status == OK && (status = tail_open(ship->directory, &tail, &why)) != OK)
        (void)ship_failed(ship, status, "%s", why);
    if (status == OK && (status = tail_resume(tail, link.before, link.before_count)) != OK)
        (void)ship_failed(ship, status, "%s", tail_why(tail));
    if (status == OK)
        status = ship_follow(ship, tail, &link.batch, &receiver);
    tail_close(tail);
    PQfinish(link.conn);
    free(link.before);
    buf_free(&link.batch.bytes);
    return status;
}
