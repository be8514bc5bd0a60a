/*
 * explain.c: what of a plan a restricted session is shown (see explain.h).
 *
 * Trust boundary: the server's text holds the guard's conditions, constants of the policy's and of
 * other people's identity, and names of hidden tables. Nothing of it is copied but spaces, an arrow
 * and words of PostgreSQL's own list of node types; a word that is not in it ends the line.
 */
#include "proxy/explain.h"

#include <string.h>

/* Of the names of PostgreSQL's plan nodes. */
static const char *const words[] = {
    "Aggregate",      "All",           "Anti",       "Append",
    "Async",          "Backward",      "Bitmap",     "BitmapAnd",
    "BitmapOr",       "CTE",           "Custom",     "Delete",
    "Except",         "Finalize",      "Foreign",    "Full",
    "Function",       "Gather",        "Group",      "GroupAggregate",
    "Hash",           "HashAggregate", "HashSetOp",  "Heap",
    "Incremental",    "Index",         "Insert",     "Intersect",
    "Join",           "Left",          "Limit",      "LockRows",
    "Loop",           "Materialize",   "Memoize",    "Merge",
    "MixedAggregate", "Named",         "Nested",     "Only",
    "Parallel",       "Partial",       "ProjectSet", "Range",
    "Recursive",      "Result",        "Right",      "Sample",
    "Scan",           "Semi",          "Seq",        "SetOp",
    "Sort",           "Subquery",      "Table",      "Tid",
    "Tuplestore",     "Union",         "Unique",     "Update",
    "Values",         "WindowAgg",     "WorkTable"};

#define ARROW "->  "

static bool known(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
            return true;
    return false;
}

bool explain_runs(const struct request *head)
{
    const struct verdict_statement *one = statement_at(head->statement, head->index);
    return one != NULL && one->kind == STATEMENT_EXPLAIN;
}

bool explain_line(const char *line, size_t len, struct buf *out)
{
    size_t at = 0;
    while (at < len && line[at] == ' ')
        at++;
    bool arrow = len - at > strlen(ARROW) && memcmp(line + at, ARROW, strlen(ARROW)) == 0;
    /* The root has no arrow, and what stands below it is indented. */
    if (!arrow && at > 0)
        return false;
    size_t start = at + (arrow ? strlen(ARROW) : 0);
    size_t end = start;
    while (end < len) {
        size_t next = end + (end > start ? 1 : 0);
        size_t stop = next;
        while (stop < len && line[stop] != ' ')
            stop++;
        if (!known(line + next, stop - next))
            break;
        end = stop;
    }
    if (end == start)
        return false;
    buf_append(out, line, end);
    return true;
}

bool explain_row(const struct wire_message *message, struct buf *room, struct wire_message *shown)
{
    struct wire_cursor cursor;
    struct buf line;
    wire_cursor_message(&cursor, message);
    uint16_t columns = wire_get_u16(&cursor);
    uint32_t len = wire_get_u32(&cursor);
    const unsigned char *text = wire_get_bytes(&cursor, len);
    if (columns != 1 || text == NULL || wire_end(&cursor) != OK)
        return false;
    buf_init(&line, 0);
    bool whole = explain_line((const char *)text, len, &line) && !line.failed;
    if (whole) {
        buf_u16(room, 1);
        buf_u32(room, (uint32_t)buf_len(&line));
        buf_append(room, buf_head(&line), buf_len(&line));
        *shown = *message;
        shown->body = buf_head(room);
        shown->len = buf_len(room);
    }
    buf_free(&line);
    return whole && !room->failed;
}
