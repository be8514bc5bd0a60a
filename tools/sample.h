/*
 * sample.h: what a database holds, column by column, and what a few of its values are like.
 *
 * The catalog is read once; then each table gets one short read-only transaction with a bounded
 * number of rows and of bytes a value, so that a hospital's database does not notice. Of values
 * only counts remain (traits.h).
 *
 * Trust boundary: runs with a DBA's rights over schemas that others may write to. Nothing of theirs
 * is called: views and foreign tables are not read, row security is off (a policy's function would
 * run as the DBA; a table that needs it is refused by PostgreSQL, and said), only types of
 * PostgreSQL's own (and citext) are cast to text, the search path is empty. No value is sent back.
 */
#ifndef PGVIGIL_TOOLS_SAMPLE_H
#define PGVIGIL_TOOLS_SAMPLE_H

#include "tools/classify.h"
#include "tools/traits.h"

#include <libpq-fe.h>
#include <pgvigil/arena.h>
#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sampled_column {
    const char *name;
    const char *type; /* as format_type has it */
    enum value_class class;
    int16_t attnum;
    bool primary;       /* in the primary key */
    bool foreign;       /* in a foreign key */
    uint32_t refers_to; /* OID of the table that it alone refers to, or 0 */
    int16_t refers_attnum;
    struct traits traits;
    struct finding finding; /* classify.h fills it */
};

enum sampled_state {
    SAMPLED_NOT = 0, /* another kind of relation, or no column that can be read */
    SAMPLED_ROWS,
    SAMPLED_EMPTY,
    SAMPLED_REFUSED, /* PostgreSQL did not let us, see `sqlstate` */
    SAMPLED_SLOW     /* it took longer, or was locked longer, than a scan may */
};

struct sampled_table {
    uint32_t oid;
    const char *schema;
    const char *name;
    char kind;      /* pg_class.relkind: r p m f */
    bool inherited; /* has children that are tables of their own: ONLY */
    bool remote;    /* foreign, or a partition of it is */
    enum sampled_state state;
    char sqlstate[6];
    size_t rows; /* that were read */
    struct sampled_column *columns;
    size_t column_count;
    /* findings.c fills these: */
    enum table_about about;
    bool persons;           /* a row is a person */
    const char *subject;    /* SQL expression, or NULL: whose rows they are is not known */
    bool subject_by_name;   /* no foreign key leads there */
    const char *subject_of; /* "public.patients" */
};

struct sampling {
    struct sampled_table *tables; /* by schema and name; no partitions, no views */
    size_t table_count;
    size_t view_count;
    const char *database;
    struct arena *arena; /* borrowed */
};

#define SAMPLE_ROWS    1000
#define SAMPLE_BYTES   512
#define SAMPLE_SECONDS 5

/* ERR_UPSTREAM, ERR_MEMORY, with a sentence (no value in it) appended to `why`. The connection is
 * left with the settings of a scan. */
NODISCARD enum status sample_catalog(PGconn *conn, struct arena *arena, struct sampling *sampling,
                                     struct buf *why);
/* One table's values; what PostgreSQL refuses is in its state. `today` is yyyymmdd. */
NODISCARD enum status sample_table(PGconn *conn, struct sampled_table *table, size_t rows,
                                   int today, struct buf *why);
struct sampled_table *sample_find(const struct sampling *sampling, uint32_t oid);

#endif
