/*
 * view.h: the tables that the console's SHOW answers with.
 *
 * Columns have PgBouncer's names where they mean what PgBouncer's mean, and pgvigil's own behind
 * them. What belongs to a worker is read in that worker's loop (view_collect) into cells, which are
 * put together in the asker's (view_finish). No text of SQL, no password, no reason and no patient
 * is in any of them.
 */
#ifndef PGVIGIL_PROXY_VIEW_H
#define PGVIGIL_PROXY_VIEW_H

#include "proxy/census.h"
#include "proxy/worker.h"

#include <pgvigil/buf.h>
#include <stdbool.h>

enum view_name {
    VIEW_NONE = 0, /* no SHOW that there is */
    VIEW_EMPTY,    /* no statement at all */
    VIEW_HELP,
    VIEW_VERSION,
    VIEW_CONFIG,
    VIEW_DATABASES,
    VIEW_STATS,
    VIEW_POOLS,
    VIEW_CLIENTS,
    VIEW_SERVERS
};

struct view_column {
    const char *name;
    bool number; /* bigint; else text */
};

struct view {
    enum view_name name;
    const char *word;
    const struct view_column *columns;
    size_t column_count;
    bool collects; /* asks every worker */
};

/* The words behind SHOW, for messages. */
#define VIEW_WORDS "STATS, POOLS, DATABASES, CLIENTS, SERVERS, CONFIG, VERSION, HELP"

const struct view *view_of(enum view_name name); /* NULL: it has no table */
/* What a text asks for: SHOW and a word in any case, a semicolon where one likes. */
enum view_name view_parse(const char *sql, size_t len);

/* Rows: for each cell a length and its bytes, ~0 for null; numbers as text. */
struct view_rows {
    struct buf cells;
    size_t count;
};
/* What one worker knows. */
struct view_part {
    struct view_rows rows;
    struct census *pools; /* two for each database; VIEW_POOLS and VIEW_DATABASES */
};

/* In the loop of `worker`. Out of memory: part->rows.cells.failed. */
void view_collect(const struct worker *worker, enum view_name name, struct view_part *part);
/* All rows: `parts` are the workers'; NULL where the view does not ask them. */
void view_finish(const struct worker *worker, enum view_name name, const struct view_part *parts,
                 struct view_rows *rows);

/* For view*.c. */
void view_put_text(struct view_rows *rows, const char *text); /* NULL: null */
void view_put_number(struct view_rows *rows, uint64_t number);
void view_put_config(const struct config *config, struct view_rows *rows);

#endif
