/*
 * judge_private.h: what the stages of judge() share. Private to policy/.
 *
 * One struct judge stands for one call; it borrows the request, allocates in the request's arena
 * and collects the verdict. Every stage returns OK or ends the call: DENIED and the failures always
 * come with a refusal that was filled in by judge_refuse().
 */
#ifndef PGVIGIL_JUDGE_PRIVATE_H
#define PGVIGIL_JUDGE_PRIVATE_H

#include "functions.h"
#include "scan.h"
#include "tree.h"

#include <pgvigil/constants.h>
#include <pgvigil/guard.h>
#include <pgvigil/judge.h>

#define JUDGE_MAX_BYTES      ((size_t)1 << 20)
#define JUDGE_MAX_TOKENS     ((size_t)250000)
#define JUDGE_MAX_ITEMS      ((size_t)1000) /* entries of one FROM */
#define JUDGE_MAX_NORMALIZED ((size_t)65536)
/* Levels of the syntax tree. libpg_query and protobuf-c need at most some kilobytes a level. */
#define JUDGE_MAX_DEPTH 3000

/* Columns that a sub-query, CTE or relation offers; `known` false: nothing can be said of a name.
 */
struct column_list {
    const char **names;
    size_t count;
    bool known;
    bool partly; /* there may be more, or others; else columns that PostgreSQL names are "" */
};

/* A relation the statement reads, with what it uses of it. */
struct relation_use {
    struct verdict_relation shown;
    const struct catalog_guard *guard; /* NULL for open catalogs */
    const char *const *columns;        /* the guard's, in order */
    size_t column_count;
    bool *used;    /* for each of them: read */
    bool *written; /* for each of them */
    bool cube;     /* judge_cube.c: groups of its rows are all that is given */
    bool grouped;  /* and a SELECT was judged that groups them */
};

/* Where in a query level an expression stands: PostgreSQL lets an aggregate or a grouping reach
 * some of them only. */
enum clause { CLAUSE_FROM, CLAUSE_WHERE, CLAUSE_GROUP, CLAUSE_OUTPUT };

/* One entry of FROM. */
struct range_item {
    const char *name;         /* what references call it; NULL when it has no name */
    const char *emitted;      /* what it is called in the text that is sent */
    struct relation_use *use; /* NULL: sub-query, CTE, function, join */
    const char *schema;       /* of a relation without an alias, so that schema.name.column works */
    struct column_list columns;
    bool hidden;     /* inside a join that has an alias */
    bool excluded;   /* the row that met a conflict: no entry of FROM */
    bool touched;    /* something refers to it */
    bool *ungrouped; /* for each column: used outside aggregates above the grouping */
    bool *grouped;   /* for each column: stands in GROUP BY */
    size_t wholes;   /* how often all of it is asked for at once: stars, whole rows */
    /* judge_subject.c: */
    bool aliased;                        /* its columns have other names here */
    const struct catalog_guard *subject; /* the relation's guard that tells whose a row is */
    bool subject_lists;                  /* it tells a list: a view of several */
    PgQuery__RangeVar *var;              /* the relation's place in the tree */
    size_t emitted_edit;                 /* and the edit that put its guard there */
    const char *emitted_suffix;          /* what that has behind the guard's name */
    struct carry *below;                 /* the sub-query or CTE */
    size_t gives;                        /* hidden columns that it has */
    bool carried;                        /* its own subject is read, and carried to the top */
    bool tied;                           /* judge_tie.c: its rows are of a patient who is told */
    bool people;                         /* judge_cube.c: its patients are counted */
};

/* How subjects leave a query level. */
enum carry_kind {
    CARRY_NOTHING = 0,
    CARRY_ROWS,     /* each row is of certain rows below */
    CARRY_GROUPS,   /* each row is of a group of rows: their subjects are collected */
    CARRY_DISTINCT, /* the same, once DISTINCT is written as GROUP BY */
    CARRY_SET       /* a set operation: a row is of its arms' rows */
};

/* A SELECT, or what writes, that was judged, as far as subjects may be carried out of it. */
struct carry {
    enum carry_kind kind;
    PgQuery__SelectStmt *select; /* NULL: it writes */
    PgQuery__Node ***targets;    /* its select list, or what RETURNING gives; NULL: a set */
    size_t *target_count;
    struct range_item *items;
    size_t item_count;
    struct carry *arms[2]; /* CARRY_SET */
    bool pads;             /* a constant more in its select list changes nothing */
    bool once;             /* CARRY_SET: each row once, collected as judge_subject_set.c says */
    bool tagged, left;     /* it is an arm of INTERSECT or EXCEPT, and tells which */
    size_t word;           /* CARRY_SET: the token UNION, INTERSECT or EXCEPT */
    size_t begin, end;     /* where it stands: its first token, and the one behind its last */
    const char **names;    /* what its columns are called */
    size_t leaves;         /* SELECTs whose lists are its rows */
    bool windows;          /* it calls window functions */
    bool writes;           /* INSERT, UPDATE or DELETE: each of its rows is somebody's */
    bool top;              /* its rows are the statement's */
    bool copies;           /* for COPY TO: its own are written as copy_shape says */
    size_t edit;           /* COPY of a table: the edit that holds the select list; */
    const char *columns;   /* the client's part of it, or NULL: it stands in the client's text */
    bool narrow;           /* its lists are collected once more: they are to be short */
    bool merges;           /* USING: what a star stands for is not the items' columns */
    size_t references;     /* how many FROM entries read it */
    size_t count;          /* hidden columns that it has of its own */
    uint32_t lists;        /* those that hold lists, bit by bit */
    size_t first, total;   /* its own are these of the hidden columns of a set; else of `count` */
};

struct cte {
    const char *name;
    struct column_list columns;
    struct carry *carry;    /* NULL: nothing is carried out of it */
    const struct cte *next; /* hidden by this one */
};

/* A query level: one SELECT. */
struct level {
    struct level *parent;
    const struct cte *ctes;
    struct range_item *items;
    size_t item_count, item_cap;
    size_t low, high; /* the items that the expression being walked can see */
    enum clause clause;
    unsigned aggregate_depth;
    bool aggregates; /* its rows may be of many rows */
    bool groups;     /* they are: an aggregate stands in it that can be of no other level */
    bool windows;    /* it calls a window function */
    bool ordered;    /* an aggregate's answer depends on the order of the rows */
    bool natural;    /* joins by whatever names there are */
    bool merges;     /* joins by USING */
    bool overfull;   /* an INSERT may have more values than columns */
    bool cube;       /* judge_cube.c: a table of patients stands in its FROM */
    bool told;       /* and an aggregate that is of this level groups it */
    bool sorts;      /* a bare name may mean an output column: ORDER BY, GROUP BY, DISTINCT ON */
    const PgQuery__SelectStmt *select;
};

/* A part of what an edit puts in: text, or a copy of what the client's bytes [from, to) become. */
struct piece {
    const char *text; /* NULL: a copy */
    size_t from, to;
    bool with_end; /* what is put in just at `to` belongs to it */
};

struct edit {
    size_t at;
    size_t removed;
    const struct piece *pieces;
    size_t piece_count;
    bool frame; /* see rewrite_frame */
    bool star;  /* it qualifies a star, and may be amended */
    bool first;
    size_t order;
};

/* judge_cube.c: the one column that an aggregate which adds is of. */
struct cube_argument {
    const PgQuery__ColumnRef *ref; /* NULL: there is none */
    bool adds;
    bool distinct; /* count(DISTINCT ...) */
};

struct judge {
    const struct judge_request *request;
    struct arena *arena;
    struct verdict *verdict;
    struct token_list tokens;
    const char *role;
    const char *mission;
    const char *catalog_schema; /* name of the schema of built-in guards */
    struct edit *edits;
    size_t edit_count, edit_cap;
    struct level *level; /* innermost */
    struct relation_use **uses;
    size_t use_count, use_cap;
    bool calls_foreign_function; /* one the policy allows: it may write */
    bool writes;                 /* holds an INSERT, UPDATE, DELETE or row lock */
    bool sequences;              /* calls nextval, currval or lastval */
    bool objects;                /* calls a function of large objects */
    bool changes;                /* calls what changes something: nextval, lo_create */
    bool foreign_type; /* a value of a type with operators of its own may be in the statement */
    bool castable;     /* a value that a function of the database's casts may be in it */
    const char
        *foreign_operator; /* the first one that such a type may give another meaning, or NULL */
    size_t foreign_at;
    struct verdict_unknown *unknown;
    size_t unknown_count, unknown_cap;
    struct carry *carried;     /* the SELECT that was judged last */
    size_t subjects_read;      /* relations in FROM that tell of somebody */
    bool subjects_mixed;       /* a row may hold what others' rows hold */
    size_t subjects_carried;   /* those whose subjects are carried to the top */
    PgQuery__Node *padding[2]; /* nobody, in a subject's place; the same for COPY: once needed */
    struct tie *ties;          /* of subjects that are equal, judge_tie.c */
    size_t tie_count, tie_cap, tie_work;
    struct verdict_named *named;
    size_t named_count, named_cap, named_work;
    size_t told;        /* columns that stars are written out as, for that */
    size_t sets;        /* set operations that are written anew */
    size_t work;        /* names compared, see judge_work */
    size_t copied;      /* bytes of the client's text that are sent twice */
    unsigned reg_casts; /* rewritten so far */
    unsigned depth;
    bool cubes;           /* judge_cube.c: the statement reads a table of patients */
    const char *changing; /* a function it calls that may answer otherwise for each row, or NULL */
    struct cube_argument argument;             /* of the call that is being judged */
    const struct catalog_relation **temporary; /* the session's own, as the text has left them */
    size_t temporary_count, temporary_cap;
    bool stored;                 /* the expression at hand becomes part of a table */
    PgQuery__RawStmt *around[3]; /* COPY FROM: what stands before it, and behind it; or NULL */
};

/* judge_refuse.c. `at` is a byte offset in the client's text, or SIZE_MAX. Always returns `status`.
 */
enum status judge_refuse(struct judge *judge, enum status status, const char *sqlstate,
                         const char *reason, const char *object, size_t at, const char *message);
void judge_hint(struct judge *judge, const char *hint);
/* `... for role "x" in mission "y"`, 42501. */
enum status judge_deny(struct judge *judge, const char *reason, const char *object, size_t at,
                       const char *what);
/* `<what> is not supported for role "x" in mission "y"`, 0A000. `hint` may be NULL. */
enum status judge_unsupported(struct judge *judge, const char *reason, const char *what,
                              const char *hint);
enum status judge_no_memory(struct judge *judge);
const char *judge_format(struct judge *judge, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Bytes to characters, 1-based. */
size_t judge_position(const char *sql, size_t at);

/* Counts comparisons of names. Past the bound ERR_LIMIT: a megabyte of references over a thousand
 * tables would hold a worker for minutes. */
#define JUDGE_MAX_WORK ((size_t)50000000)
NODISCARD enum status judge_work(struct judge *judge, size_t steps);

/* judge_statement.c */
NODISCARD enum status judge_statement(struct judge *judge, PgQuery__Node *node,
                                      struct verdict_statement *out);
NODISCARD enum status judge_unrestricted(struct judge *judge, PgQuery__Node *node,
                                         struct verdict_statement *out);
/* The query inside COPY, DECLARE or PREPARE, as the statement that it is by itself; `start`: the
 * byte where it begins. *out takes over whether it writes. */
NODISCARD enum status judge_held(struct judge *judge, PgQuery__Node *query, size_t start,
                                 struct verdict_statement *out);
/* judge_copy.c */
NODISCARD enum status judge_copy(struct judge *judge, PgQuery__CopyStmt *copy,
                                 struct verdict_statement *out);
/* judge_copy_from.c: puts the statements that COPY FROM needs beside it. */
NODISCARD enum status judge_copy_around(struct judge *judge, PgQuery__ParseResult *tree);
/* judge_cursor.c */
NODISCARD enum status judge_declare(struct judge *judge, PgQuery__DeclareCursorStmt *declare,
                                    struct verdict_statement *out);
NODISCARD enum status judge_fetch(struct judge *judge, const PgQuery__FetchStmt *fetch,
                                  struct verdict_statement *out);
NODISCARD enum status judge_close(struct judge *judge, const PgQuery__ClosePortalStmt *close,
                                  struct verdict_statement *out);
/* judge_prepare.c */
NODISCARD enum status judge_prepare(struct judge *judge, PgQuery__PrepareStmt *prepare,
                                    struct verdict_statement *out);
NODISCARD enum status judge_execute(struct judge *judge, PgQuery__ExecuteStmt *execute,
                                    struct verdict_statement *out);
/* judge_utility.c: what takes a word in the role's `allow`. `what`: "LOCK". */
NODISCARD enum status judge_allows(struct judge *judge, enum policy_allow allow, const char *what);
NODISCARD enum status judge_listen(struct judge *judge, const PgQuery__ListenStmt *listen,
                                   struct verdict_statement *out);
NODISCARD enum status judge_unlisten(struct judge *judge, const PgQuery__UnlistenStmt *unlisten,
                                     struct verdict_statement *out);
NODISCARD enum status judge_notify(struct judge *judge, const PgQuery__NotifyStmt *notify,
                                   struct verdict_statement *out);
/* pg_notify(channel, payload): the channel is asked about here where it stands in the text, and
 * else by PostgreSQL. */
NODISCARD enum status judge_notify_call(struct judge *judge, PgQuery__FuncCall *call);
/* judge_explain.c */
NODISCARD enum status judge_explain(struct judge *judge, PgQuery__ExplainStmt *explain,
                                    struct verdict_statement *out);
/* judge_two_phase.c: PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED. */
NODISCARD enum status judge_two_phase(struct judge *judge, PgQuery__TransactionStmt *statement,
                                      struct verdict_statement *out);
NODISCARD enum status judge_truncate(struct judge *judge, PgQuery__TruncateStmt *truncate,
                                     struct verdict_statement *out);
NODISCARD enum status judge_lock_table(struct judge *judge, PgQuery__LockStmt *lock,
                                       struct verdict_statement *out);
/* judge_temporary.c */
/* The session's own temporary relation of that name, or NULL. */
const struct catalog_relation *judge_temporary(const struct judge *judge, const char *name);
bool judge_is_temporary(const struct catalog_relation *relation);
bool judge_temporary_allowed(const struct judge *judge);
/* It is gone, or there, for what follows in the text. */
void judge_temporary_forget(struct judge *judge, const char *name);
NODISCARD enum status judge_temporary_note(struct judge *judge,
                                           const struct catalog_relation *relation);
/* DENIED where an expression is being judged that a table keeps: `what` may not stand in it. */
NODISCARD enum status judge_not_stored(struct judge *judge, const char *what);
NODISCARD enum status judge_stored(struct judge *judge, PgQuery__Node *expression);
/* WITH (...) of a table, an index or a constraint. */
NODISCARD enum status judge_storage(struct judge *judge, PgQuery__Node **options, size_t count);
/* A name that a client may give to what it makes. */
NODISCARD enum status judge_own_name(struct judge *judge, const char *name);
NODISCARD enum status judge_create_table(struct judge *judge, PgQuery__CreateStmt *create,
                                         struct verdict_statement *out);
NODISCARD enum status judge_create_table_as(struct judge *judge, PgQuery__CreateTableAsStmt *create,
                                            struct verdict_statement *out);
/* The SELECT whose INTO it is: the leftmost arm; NULL: it has none. */
PgQuery__SelectStmt *judge_into(PgQuery__SelectStmt *select);
NODISCARD enum status judge_select_into(struct judge *judge, PgQuery__SelectStmt *select,
                                        struct verdict_statement *out);
/* judge_temporary_use.c */
NODISCARD enum status judge_drop(struct judge *judge, PgQuery__DropStmt *drop,
                                 struct verdict_statement *out);
NODISCARD enum status judge_create_index(struct judge *judge, PgQuery__IndexStmt *index,
                                         struct verdict_statement *out);
NODISCARD enum status judge_analyze(struct judge *judge, PgQuery__VacuumStmt *vacuum,
                                    struct verdict_statement *out);
NODISCARD enum status judge_discard_temporary(struct judge *judge, struct verdict_statement *out);
/* The kind of a statement and the setting it names, without a judgement. */
NODISCARD enum status judge_outline(struct judge *judge, const PgQuery__Node *node,
                                    struct verdict_statement *out);
/* judge_set.c */
NODISCARD enum status judge_set(struct judge *judge, PgQuery__VariableSetStmt *set,
                                struct verdict_statement *out);
/* judge_word.c: lets a statement name pgvigil.user without quotes; the text of the request becomes
 * another one then. ERR_MEMORY. */
NODISCARD enum status judge_free_word(struct judge *judge);
/* The name as it was written, in a text that was made from it. */
void judge_restore_word(char *text);
NODISCARD enum status judge_show(struct judge *judge, const PgQuery__VariableShowStmt *show,
                                 struct verdict_statement *out);
/* Name and class of a setting for the outline; "" (RESET ALL): none. */
NODISCARD enum status judge_outline_setting(struct judge *judge, const char *name,
                                            struct verdict_statement *out);

/* judge_normal.c: a normalised text without the constants that libpg_query leaves in it. In the
 * arena; NULL: no memory. */
const char *judge_mask_constants(struct judge *judge, const char *sql, const PgQuery__Node *node);

/* judge_walk.c: the table of nodes that a query may hold. */
NODISCARD enum status judge_walk(struct judge *judge, PgQuery__Node *node);
NODISCARD enum status judge_walk_message(struct judge *judge, ProtobufCMessage *message);
NODISCARD enum status judge_walk_list(struct judge *judge, PgQuery__Node **nodes, size_t count);
NODISCARD enum status judge_walk_children(struct judge *judge, ProtobufCMessage *message);

/* judge_select.c */
NODISCARD enum status judge_select(struct judge *judge, PgQuery__SelectStmt *select,
                                   struct column_list *out);
/* WITH, in front of any kind of statement. */
NODISCARD enum status judge_with(struct judge *judge, PgQuery__WithClause *with);
/* The names under which the columns of SELECT or RETURNING are seen from outside. */
NODISCARD enum status judge_output_columns(struct judge *judge, PgQuery__Node **list, size_t count,
                                           struct column_list *out);
/* judge_name.c: what PostgreSQL calls an output column that has no name of its own, or NULL. */
const char *judge_output_name(const PgQuery__Node *node);
/* judge_from.c */
/* The target of a statement that writes becomes an item of the level. No CTE can stand for it. */
NODISCARD enum status judge_from_target(struct judge *judge, PgQuery__RangeVar *var);
NODISCARD enum status judge_from(struct judge *judge, PgQuery__Node *node);
/* judge_subject.c */
/* A SELECT, or what writes, is judged: judge->carried. */
NODISCARD enum status subject_note(struct judge *judge, PgQuery__SelectStmt *select,
                                   const struct level *level);
NODISCARD enum status subject_note_set(struct judge *judge, PgQuery__SelectStmt *select,
                                       struct carry *const arms[2]);
NODISCARD enum status subject_note_write(struct judge *judge, PgQuery__Node ***returning,
                                         size_t *count, const struct level *level);
/* The same of COPY's own SELECT of a table: its list is `columns` in that edit. */
NODISCARD enum status subject_note_copy(struct judge *judge, PgQuery__SelectStmt *select,
                                        const struct level *level, size_t edit,
                                        const char *columns);
/* The statement at hand gives its subjects, if it can: judge->carried is its SELECT, or NULL. */
NODISCARD enum status judge_subjects(struct judge *judge, struct verdict_statement *out);
/* judge_named.c */
/* A comparison: notes whom it names. Before its names are changed. */
NODISCARD enum status judge_named(struct judge *judge, const PgQuery__AExpr *expr);
/* A relation that an unrestricted statement reads becomes an item of its only level; `table`: what
 * the policy says of it, or NULL. */
NODISCARD enum status judge_named_relation(struct judge *judge, const PgQuery__RangeVar *var,
                                           const struct catalog_relation *relation,
                                           const struct policy_table *table);
/* The same of a sub-query, function or CTE, of which nothing is known. */
NODISCARD enum status judge_named_other(struct judge *judge, const PgQuery__Alias *alias,
                                        const char *name);
/* Those of the statement, in order. */
void judge_named_finish(struct judge *judge, struct verdict_statement *out);
/* A constant or parameter; *out has neither for another expression. */
NODISCARD enum status judge_value(struct judge *judge, const PgQuery__Node *node,
                                  struct verdict_named *out);
/* The item whose subject a reference is, beyond doubt, shown as it is; or NULL. */
struct range_item *judge_subject_item(struct judge *judge, const PgQuery__Node *node);
/* Is column `column` of the item its subject, shown as it is? *kind: of which type. */
bool judge_shows_subject(const struct judge *judge, const struct range_item *item, long column,
                         enum named_kind *kind);
/* PostgreSQL's own =. */
bool judge_is_equal(PgQuery__Node *const *name, size_t count);
/* judge_tie.c */
/* A level's WHERE, before its names are changed. */
NODISCARD enum status judge_tie_where(struct judge *judge, const PgQuery__Node *where);
/* What stands before IN (SELECT ...), before its names are changed; or NULL. */
struct range_item *judge_tie_outer(struct judge *judge, const PgQuery__SubLink *link);
/* The SELECT behind it was judged last. */
NODISCARD enum status judge_tie_in(struct judge *judge, struct range_item *outer);
/* How many relations are told by way of another one. Once, when subjects were carried out. */
size_t judge_tied(struct judge *judge);
/* judge_group.c: columns that depend on a grouped primary key. */
NODISCARD enum status judge_group(struct judge *judge, PgQuery__SelectStmt *select);
/* judge_column.c */
NODISCARD enum status judge_column_ref(struct judge *judge, PgQuery__ColumnRef *ref,
                                       PgQuery__Node *node);
/* A name that pgvigil brings into statements: to clients there is none. */
bool judge_is_own_name(const char *name);
/* A name that the client gives a column. */
NODISCARD enum status judge_new_name(struct judge *judge, const char *name);
NODISCARD enum status judge_field(struct judge *judge, const char *field, size_t at);
/* Refuses, 42703, with PostgreSQL's `message`; the hint says so where the policy hides it. */
enum status judge_hidden_column(struct judge *judge, const struct catalog_relation *relation,
                                const char *name, size_t at, const char *message);
/* (argument).field, which has passed judge_field. */
NODISCARD enum status judge_field_of(struct judge *judge, const PgQuery__Node *argument,
                                     const char *field);
/* No item has a column of that name. */
NODISCARD enum status judge_unknown(struct judge *judge, const char *name, size_t at);
/* judge_function.c */
NODISCARD enum status judge_function(struct judge *judge, PgQuery__FuncCall *call);
NODISCARD enum status judge_value_function(struct judge *judge, PgQuery__SQLValueFunction *function,
                                           PgQuery__Node *node);
/* judge_object.c: large objects. Whether the role may call it; *large false: it is another
 * function.
 */
NODISCARD enum status judge_large_object(struct judge *judge, const char *name, size_t at,
                                         bool *large);
/* judge_sequence.c */
bool judge_is_sequence_function(const char *name);
/* The call's argument becomes the qualified name of a sequence; its own name is left to the
 * caller. */
NODISCARD enum status judge_sequence(struct judge *judge, PgQuery__FuncCall *call,
                                     const char *function, size_t at);
/* Does a sequence of that name exist for the pair? `schema` "": along the path. */
bool judge_sequence_exists(const struct judge *judge, const char *schema, const char *name);
/* judge_operator.c */
NODISCARD /* At a statement's end: an operator and a type that together mean something outside
             pg_catalog. */
    NODISCARD enum status
    judge_foreign_operator(struct judge *judge);
enum status judge_operator(struct judge *judge, PgQuery__Node **name, size_t count, size_t at);
NODISCARD enum status judge_collation(struct judge *judge, PgQuery__CollateClause *collate);
/* types.c */
NODISCARD enum status judge_type(struct judge *judge, PgQuery__TypeName *type);
/* type_oid.c: of a type that judge_type has let through, for a parameter. */
NODISCARD enum status judge_type_oid(struct judge *judge, const PgQuery__TypeName *type,
                                     uint32_t *oid);
NODISCARD enum status judge_cast(struct judge *judge, PgQuery__TypeCast *cast, PgQuery__Node *node);
/* Is it the name of a type of PostgreSQL's own? */
bool judge_builtin_type(const char *name);
/* judge_reg.c: casts to regclass and its like. */
NODISCARD enum status judge_reg_cast(struct judge *judge, PgQuery__TypeCast *cast,
                                     PgQuery__Node *node, bool *done);
NODISCARD enum status judge_reg_compare(struct judge *judge, const PgQuery__AExpr *expr);
NODISCARD enum status judge_reg_target(struct judge *judge, PgQuery__ResTarget *target);
/* resolve.c: a name in FROM that is no CTE. Edits it; *item gets use, columns, names. */
NODISCARD enum status judge_relation(struct judge *judge, PgQuery__RangeVar *var,
                                     struct range_item *item);

/* Notes that the statement makes or writes a temporary relation. */
NODISCARD enum status judge_temporary_written(struct judge *judge,
                                              const struct catalog_relation *relation);

/* The policy file's own name: where policies stand on the proxy's disk is not the client's. */
const char *judge_file_name(const char *path);

/* scope.c */
void scope_enter(struct judge *judge, struct level *level, const PgQuery__SelectStmt *select);
void scope_leave(struct judge *judge);
struct range_item *scope_add(struct judge *judge); /* NULL: out of memory */
/* *cte NULL: there is none. ERR_LIMIT. */
NODISCARD enum status scope_cte(struct judge *judge, const char *name, const struct cte **cte);
NODISCARD enum status scope_push_cte(struct judge *judge, const char *name,
                                     const struct column_list *columns, struct carry *carry);
/* Renames the first columns as an alias list says. */
NODISCARD enum status scope_rename(struct judge *judge, struct column_list *columns,
                                   PgQuery__Node **names, size_t count);
/* The item that a qualifier means, innermost level first. *matches: how many in that level. */
struct range_item *scope_item(const struct judge *judge, const char *schema, const char *name,
                              struct level **level, size_t *matches);
/* Entries of FROM in all levels: what a search may have to look at. */
size_t scope_size(const struct judge *judge);
/* Index of a column, or -1. */
long scope_column(const struct range_item *item, const char *name);
void scope_use(struct level *level, struct range_item *item, long column); /* -1: all */

/* rewrite.c. Positions are byte offsets in the client's text. */
NODISCARD enum status rewrite_edit(struct judge *judge, size_t at, size_t removed,
                                   const char *text);
/* Gives an edit that stands already (its index) its text. */
NODISCARD enum status rewrite_amend(struct judge *judge, size_t edit, const char *text);
/*
 * An edit that may hold copies, and is never part of one. `first`: it comes before other edits at
 * the same place. A copy is of the text as it is sent, with the edits in it; the pieces are kept.
 * ERR_LIMIT when a statement copies more than JUDGE_MAX_BYTES.
 */
NODISCARD enum status rewrite_frame(struct judge *judge, size_t at, size_t removed, bool first,
                                    const struct piece *pieces, size_t count);
NODISCARD enum status rewrite_finish(struct judge *judge);
/* "schema"."name" quoted, in the arena. */
const char *rewrite_quote(struct judge *judge, const char *name);

/* judge_keep.c: a copy of the verdict in `arena`. ERR_MEMORY. */
NODISCARD enum status judge_keep(const struct judge_request *request, const struct verdict *from,
                                 struct arena *arena, struct verdict **verdict);

/* judge_constants.c: fills verdict->constants. */
NODISCARD enum status judge_constants(struct judge *judge, const PgQuery__ParseResult *tree);
/* judge_lookup.c: fills verdict->keyed, from what judge_constants found. */
NODISCARD enum status judge_lookup(struct judge *judge, const PgQuery__ParseResult *tree,
                                   const struct constants *tokens, const bool *free);
/* verify.c */
NODISCARD enum status verify(struct judge *judge, PgQuery__ParseResult *judged);

#endif
