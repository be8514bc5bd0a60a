/*
 * judge_subject.h: what judge_subject.c (who gives subjects), judge_subject_list.c (what a list
 * allows) and judge_subject_text.c (how they are written) know together. Private to them.
 */
#ifndef PGVIGIL_JUDGE_SUBJECT_H
#define PGVIGIL_JUDGE_SUBJECT_H

#include "judge_private.h"

/* PostgreSQL's own limit of a select list. */
#define TARGETS_MAX ((size_t)1664)
/* Of one text: what stars may be written out as, and columns of set operations. */
#define SUBJECT_COLUMNS_MAX ((size_t)10000)

/* judge_subject_list.c */
/* The star that a target is, or NULL. */
const PgQuery__ColumnRef *subject_star(const PgQuery__Node *target);
/* Does it stand for all that the item has? */
bool subject_covers(const PgQuery__ColumnRef *star, const struct range_item *item);
/* Where a star stands in the text. */
struct star_place {
    size_t at, end;
    size_t edit; /* the one that qualifies it, or SIZE_MAX */
};
/* false: it has no place, or something else is changed there. */
bool subject_star_place(const struct judge *judge, const PgQuery__ColumnRef *star,
                        struct star_place *place);
/* The number that stands for a column, or NULL: an element of ORDER BY or of GROUP BY. */
PgQuery__AConst *subject_number(const PgQuery__Node *element);
/* How many columns the client sees of a level that gives something and has DISTINCT; SIZE_MAX: it
 * is not known. */
size_t subject_shown(const struct carry *carry);
/* How often the select list asks for all that the item has, and can each of these be written out?
 */
size_t subject_stars_over(const struct carry *carry, const struct range_item *item);
bool subject_stars_can_be_told(const struct judge *judge, const struct carry *carry,
                               const struct range_item *item);
/* How many columns the client sees: of what is not known, one each. */
size_t subject_shown_columns(const struct carry *carry, bool *star);
/* Does each number in ORDER BY and GROUP BY mean one of the client's columns? */
bool subject_clauses_are_plain(const struct carry *carry);
/* The SELECT whose list a set operation's columns are; else itself. */
const struct carry *subject_first_arm(const struct carry *carry);
/* An element of GROUP BY that holds others. */
bool subject_is_nested(const PgQuery__Node *element);
/* Does each row that it reads become a row of the statement's, or part of one? */
bool subject_loses_nothing(const struct carry *carry);
/* Can DISTINCT become GROUP BY? */
bool subject_distinct_is_told(const struct judge *judge, const struct carry *carry);

/* judge_subject_set.c */
/* Can it be written so that each row tells of all that it is made of? */
bool subject_set_is_told(struct judge *judge, struct carry *carry);
/* Writes it, its arms included. `end`: where the statement ends. */
NODISCARD enum status subject_set_carry_out(struct judge *judge, struct carry *carry, size_t end);

/* judge_subject.c */
/* Patients that a row of groups may name; 0: none. */
uint64_t subject_bound(const struct judge *judge);
/* Must a record name everybody? The bound does not hold then. */
bool subject_is_exact(const struct judge *judge);
/* judge_subject_list.c */
/* Is the token this reserved word, and no name behind AS or a dot? */
bool subject_is_word(const struct token_list *list, size_t index, int word);
/* Does a level end with this token, or its clauses behind WHERE, GROUP BY and WINDOW begin? */
bool subject_ends_level(const struct token_list *list, size_t index);
/* The byte where the clauses behind WHERE begin, or the level ends; SIZE_MAX: it was not found.
 * `end`: where the statement does. */
size_t subject_tail(const struct judge *judge, const struct carry *carry, size_t end);

/* judge_subject_text.c */
/* In which arm of an INTERSECT or EXCEPT a row was. */
#define SUBJECT_ARM GUARD_SUBJECT_COLUMN " arm"
/* Columns in front of the client's. */
static inline size_t subject_hidden(const struct carry *carry)
{
    return carry->total + (carry->tagged ? 1 : 0);
}
/* "pgvigil subject 1" */
const char *subject_column_name(struct judge *judge, size_t index);
/* Nobody, in a subject's place. */
const char *subject_padding(const struct carry *carry);
/* The subjects of a group's rows in one text, of one column; `lists`: which holds such texts. NULL:
 * no memory. */
const char *subject_collected(struct judge *judge, const struct carry *carry, const char *column,
                              bool lists);
const char *subject_for_copy(struct judge *judge, const char *expression);
/* One SELECT, without places; NULL: no memory. */
PgQuery__SelectStmt *subject_parsed(struct judge *judge, const char *sql);
/* Numbers of columns in ORDER BY, GROUP BY and DISTINCT ON move. */
NODISCARD enum status subject_shift_numbers(struct judge *judge, const struct carry *carry);
/* What was found when it was judged is not there. */
enum status subject_lost(struct judge *judge, const char *what, size_t at);
/* Writes what judge_subject.c found into text and tree. `end`: where the statement ends. */
NODISCARD enum status subject_carry_out(struct judge *judge, struct carry *carry, size_t end);

#endif
