/*
 * judge.h: SQL text in, verdict out.
 *
 * The whole of the policy library's work on a statement: parse (libpg_query) -> resolve -> decide
 * -> rewrite -> verify. Pure: no sockets, no clock, no environment. Everything a verdict points to
 * lives in the arena given, or in the policy and catalog the caller holds references to.
 *
 * STACK: libpg_query and protobuf-c recurse on deep expressions. The caller's thread must have at
 * least JUDGE_STACK_BYTES of stack (untouched pages are free); judge() bounds depth by a token
 * pre-scan and by counting in its own walkers, and answers ERR_LIMIT rather than overflow.
 */
#ifndef PGVIGIL_JUDGE_H
#define PGVIGIL_JUDGE_H

#include <pgvigil/arena.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JUDGE_STACK_BYTES ((size_t)256 << 20)
#define JUDGE_MAX_UNKNOWN ((size_t)1000)

/* The schema by which a session's own temporary relations go; no schema of a snapshot has that
 * name.
 */
#define JUDGE_TEMPORARY_SCHEMA "pg_temp"

/* The temporary table of COPY FROM; nothing of the server's that names it may reach a client. */
#define JUDGE_COPY_TABLE "pgvigil copy"

/* A forwarded setting that the client asked for at its start. */
struct judge_setting {
    char *name; /* lower case */
    char *value;
};

struct judge_request {
    const struct policy *policy;
    const struct catalog *catalog;  /* may be NULL for an unrestricted role only */
    const struct policy_user *user; /* the person: attributes that rules need must be there */
    int role;                       /* indexes into the policy */
    int mission;
    const char *const *path; /* search_path as schema names, "$user" already resolved or dropped */
    size_t path_count;
    const char *const *session_settings; /* names of :session.<setting>s that have a value */
    size_t session_setting_count;
    const struct judge_setting *start_settings; /* what RESET of one goes back to: a server
                                                   connection does not know them as its defaults */
    size_t start_setting_count;
    const char *sql; /* NUL-terminated at sql[len]; valid UTF-8 is checked here */
    size_t len;
    bool extended; /* Parse: at most one statement */
    /* EXECUTE: the server's name of the statement that the session calls `name`, or NULL; *writes
     * (false before): it may write. NULL:
     * none is known. */
    const char *(*prepared)(void *context, const char *name, bool *writes);
    void *context;
    /* What stands in the session's own temporary schema, of any relkind; columns of tables only.
     * It hides relations of the database. Empty unless the role's `allow` has "temporary". */
    const struct catalog_relation *temporary;
    size_t temporary_count;
    /* As an unrestricted role, whatever the role is: what runs in observe mode. */
    bool unrestricted;
    bool wants_unknown;   /* fills verdict->unknown */
    bool wants_constants; /* fills verdict->constants */
    bool sketch; /* only what the statement may and names: no normalised text, no fingerprint, and
                    no text to send, which is not verified either */
};

enum statement_kind {
    STATEMENT_EMPTY = 0,
    STATEMENT_SELECT,    /* SELECT, VALUES, TABLE: goes upstream rewritten */
    STATEMENT_WRITE,     /* INSERT, UPDATE, DELETE: the same */
    STATEMENT_COPY_TO,   /* COPY ... TO STDOUT, of a query: goes upstream rewritten */
    STATEMENT_COPY_FROM, /* COPY ... FROM STDIN: goes upstream as four statements, the second of
                            which is the COPY and the third tells the number of rows */
    STATEMENT_DECLARE,   /* DECLARE CURSOR: goes upstream rewritten */
    STATEMENT_FETCH,     /* FETCH, MOVE: as written; reads what its target was declared for */
    STATEMENT_CLOSE,     /* CLOSE: as written; target NULL for ALL */
    STATEMENT_PREPARE,   /* SQL's PREPARE: pgvigil's to do, by the protocol's Parse of what it holds
                          */
    STATEMENT_EXECUTE,   /* SQL's EXECUTE: goes upstream with the server's name for its target */
    STATEMENT_LISTEN,    /* as written; target is the channel */
    STATEMENT_UNLISTEN,  /* as written; target NULL for * */
    STATEMENT_PREPARE_TRANSACTION, /* with a name that is the person's; ends a transaction as COMMIT
                                      does */
    STATEMENT_EXPLAIN, /* goes upstream rewritten; of its rows only node types may be shown */
    STATEMENT_UTILITY, /* LOCK, TRUNCATE, NOTIFY, COMMIT PREPARED: goes upstream rewritten, gives no
                          rows, changes nothing   that is   tracked */
    STATEMENT_TEMPORARY, /* CREATE, DROP and the like of temporary tables, SELECT INTO: goes
                            upstream rewritten, gives no rows, may change what `temporary` holds */
    STATEMENT_BEGIN,     /* BEGIN, START TRANSACTION: as written */
    STATEMENT_COMMIT,    /* COMMIT, END */
    STATEMENT_ROLLBACK,
    STATEMENT_SAVEPOINT,
    STATEMENT_RELEASE,
    STATEMENT_ROLLBACK_TO,
    STATEMENT_SET, /* see setting below; SETTING_FORWARD goes upstream, the others are pgvigil's to
                      apply */
    STATEMENT_RESET,
    STATEMENT_SHOW,
    STATEMENT_DISCARD,    /* DISCARD ALL: pgvigil's to apply */
    STATEMENT_DEALLOCATE, /* pgvigil's to apply */
    STATEMENT_OTHER       /* unrestricted roles only: anything else, unchanged */
};

/* What may be done with a setting (policy/settings.c: the reviewed list, each with a reason). */
enum setting_class {
    SETTING_REFUSED = 0, /* everything that is not listed */
    SETTING_FORWARD,     /* harmless: DateStyle, TimeZone, statement_timeout, application_name... */
    SETTING_PATH,        /* search_path: tracked by pgvigil, never sent */
    SETTING_PGVIGIL,     /* pgvigil.mission, .role, .reason, .patient: pgvigil's own */
    SETTING_READ_ONLY    /* SHOW only: server_version, is_superuser... */
};
enum setting_class setting_class(const char *name); /* any case */
/* Whether a value is allowed too (client_min_messages at least notice, client_encoding not
 * client-only...). */
bool setting_value_allowed(const char *name, const char *value);
/* May what a plan holds of a text's constants depend on it ('01/02/2020', by DateStyle)? Any case;
 * true for what is not known to say nothing of them. */
bool setting_reads_constants(const char *name);

struct verdict_column {
    const char *name;
    bool masked;
    bool read;
    bool written;
};

/* A relation that a statement reads, as the policy names it. */
struct verdict_relation {
    const struct catalog_relation *relation; /* NULL for an unrestricted role without a catalog */
    const char *schema;
    const char *name;
    const char *guard; /* "schema"."view" as sent, or NULL (open catalogs, unrestricted) */
    const struct policy_rule *rule; /* NULL for built-in catalog guards */
    const struct policy_table *table;
    const struct verdict_column
        *columns; /* those named in the statement, or all of the guard's for * */
    size_t column_count;
    bool writes; /* rows of it are inserted, updated or deleted */
};

/* How COPY TO writes rows. Subjects stand there as "x" and the bytes' hexadecimal digits, or as
 * nothing for nobody: no delimiter or quote can be in them. */
enum copy_format { COPY_UNKNOWN = 0, COPY_TEXT, COPY_CSV, COPY_BINARY };
struct copy_shape {
    enum copy_format format;
    char delimiter;
    char quote; /* CSV */
};

/* How PostgreSQL writes values of a subject's type. */
enum named_kind {
    NAMED_INTEGER, /* smallint, integer, bigint */
    NAMED_TEXT,
    NAMED_PADDED, /* character(n): blanks at its end do not count */
    NAMED_UUID
};

/* A patient whom a statement names by a value that it compares with a subject. */
struct verdict_named {
    enum named_kind kind;
    bool cast;          /* a cast stands at it: its type is not the subject's */
    bool list;          /* PostgreSQL's text form of an array, or a parameter that is one */
    uint32_t parameter; /* $n; 0: it is `text` */
    const char *text;
    size_t at;       /* its place in the client's text, or SIZE_MAX */
    size_t constant; /* which of constants_find's it is, if another may stand there; SIZE_MAX: none
                        of them */
};

struct verdict_statement {
    enum statement_kind kind;
    const char
        *tag;     /* "SELECT", "BEGIN", "SET", "CREATE TABLE": for the audit and canned replies */
    size_t start; /* byte range in the client's text */
    size_t len;
    bool
        writes; /* may change something: its begin record must be written before it goes upstream */
    bool sequences; /* draws from a sequence, or asks what was drawn: the server connection's state
                       is the session's */
    bool objects;   /* calls a function of large objects: it may leave a descriptor open until the
                       transaction ends */
    const struct verdict_relation *relations; /* and sequences, which have no `relation` */
    size_t relation_count;
    /* SET, RESET, SHOW */
    const char *setting; /* lower case; NULL for RESET ALL */
    enum setting_class setting_class;
    const char *const
        *values; /* list for search_path; one otherwise; count 0 with SET TO DEFAULT */
    size_t value_count;
    bool local; /* SET LOCAL */
    const char
        *target; /* name of a savepoint, cursor, prepared statement or transaction; NULL for ALL */
    size_t held; /* PREPARE: the byte where the statement starts that it holds; it ends
                    with this one */
    const uint32_t *types; /* PREPARE: OIDs of its parameters' types */
    size_t type_count;
    size_t subjects;        /* columns in front of the client's that tell whose a row is */
    uint32_t subject_lists; /* bit by bit, which of them hold lists: rows of groups */
    bool subjects_only;     /* the client asked for no rows */
    bool subjects_open;     /* it reads rows of somebody that those columns do not tell */
    bool aggregate;         /* it asks about groups of patients, in a mission that gives no rows */
    const struct verdict_named *named; /* whom it asks about, parameters behind, in order */
    size_t named_count;
    const struct verdict_named *arguments; /* EXECUTE: text NULL and parameter 0 for what is neither
                                              constant nor parameter */
    size_t argument_count;
    bool hold;              /* DECLARE ... WITH HOLD */
    struct copy_shape copy; /* COPY TO with subjects: how to find them in its lines */
    bool copy_header;       /* COPY: a line of column names comes before the rows */
    bool chain;             /* COMMIT, ROLLBACK: AND CHAIN */
    const char *normalized; /* literals replaced by $n */
    char fingerprint[17];
};

/* One replacement in the client's text. Sorted, not overlapping. */
struct verdict_edit {
    size_t at;       /* byte offset in the client's text */
    size_t removed;  /* bytes there */
    size_t inserted; /* bytes in verdict->sql that stand for it */
};

/* A column that nothing in FROM has, by the names that are known here: PostgreSQL will say that it
 * does not exist, or know it after all (the columns of a function, say). */
struct verdict_unknown {
    const char *name;
    size_t at; /* byte offset in the client's text; SIZE_MAX: its place is not known */
};

/* Why not. Texts are complete sentences for the user; they name the object, the role and the
 * mission. */
struct verdict_refusal {
    const char *sqlstate; /* "42501", "42601", "0A000", "54001"... */
    const char *message;
    const char *hint;   /* what the admin could change, or NULL */
    const char *reason; /* short stable word for the audit and figures: "relation", "column",
                           "function", "statement", "node", "setting", "operator", "type",
                           "attribute", "syntax", "depth", ... */
    const char *object; /* what was refused, by name */
    size_t position;    /* 1-based, in characters of the client's text; 0: none */
};

/* What a constant is compared with, and so what type a parameter in its place has. A string may be
 * none of that type: then it is to stay in the text, since its error tells where. */
enum verdict_key {
    KEY_NONE = 0,
    KEY_NUMBER,   /* a plain integer: int4, whatever integer the column is */
    KEY_SMALLINT, /* strings, as the next: what PostgreSQL reads them as is the column's type */
    KEY_INTEGER,
    KEY_BIGINT,
    KEY_UUID,
    KEY_TEXT /* or varchar, which has text's operators */
};

struct verdict {
    bool allowed; /* a zeroed verdict denies */
    bool unrestricted;
    const struct verdict_statement *statements;
    size_t statement_count;
    /* Of a text of several statements: each of them, whatever became of it, so that it can be taken
     * apart where pgvigil has something to do in its middle. Only kind, setting, setting_class and
     * start are filled in; kind is STATEMENT_OTHER for what is neither SET and its like nor
     * transaction control. Count 0: one statement, or none that parses. */
    const struct verdict_statement *outline;
    size_t outline_count;
    const char *sql; /* what goes upstream (all statements), NUL-terminated */
    size_t sql_len;
    const struct verdict_edit *edits;
    size_t edit_count;
    const struct verdict_unknown *unknown; /* the first JUDGE_MAX_UNKNOWN of them */
    size_t unknown_count;
    /* Of each of the constants that constants_find finds: the same verdict holds whatever another
     * value of its class stands there. NULL: of none, or the text is not of that kind. */
    const bool *constants;
    size_t constant_count;
    /* As many (enum verdict_key): free ones by which a SELECT picks one row by its primary key; the
     * rest of it may be sent once, with parameters in their place (policy/judge_lookup.c). NULL:
     * there are none. */
    const unsigned char *keyed;
    size_t keyed_count;             /* how many are not KEY_NONE */
    struct verdict_refusal refusal; /* when !allowed */
    const char *pair;               /* server-side role and guard schema; NULL for unrestricted */
};

/* May Parse give a parameter of a session of the pair the type of that OID? */
bool judge_parameter_type(const struct catalog *catalog, const char *pair, uint32_t oid);

/*
 * OK: verdict->allowed. DENIED: refused, refusal says why. ERR_SYNTAX: the text does not parse,
 * refusal holds PostgreSQL's own error. ERR_LIMIT: too deep or too long (refusal set). ERR_MEMORY:
 * *verdict is NULL. ERR_INTERNAL: verification failed (refusal set): the text must not be sent.
 */
NODISCARD enum status judge(const struct judge_request *request, struct arena *arena,
                            struct verdict **verdict);

/*
 * The same for a FunctionCall of `function` with `count` arguments: as `SELECT schema.name($1,
 * ...)`, which is the verdict's text; request->sql is not looked at. What is allowed is to be sent
 * as the message that came, so a function that a guard stands for is refused, and a parameter of a
 * type that Parse may not name.
 */
NODISCARD enum status judge_call(const struct judge_request *request, uint32_t function,
                                 size_t count, struct arena *arena, const char **sql,
                                 struct verdict **verdict);
/* May FunctionCall call a function of pg_catalog of that name, for some role? */
bool judge_callable(const char *name);

/* An error position in the text that was sent -> in the client's text; both 1-based in characters.
 * 0 in, or a place the client did not write: 0, or the start of what was replaced. */
size_t verdict_map_position(const struct verdict *verdict, const char *client_sql, size_t position);

#endif
