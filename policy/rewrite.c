/*
 * rewrite.c: the edits that turn the client's text into the one that is sent.
 *
 * Everything not edited goes upstream byte by byte as the client wrote it; nothing is ever printed
 * from a tree (libpg_query's deparser is not safe, see the hazards). What has to stand in two
 * places is copied, bytes and edits. Inserted names are always quoted. That the result means what
 * was judged is verify.c's to show.
 */
#include "judge_private.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

static enum status add_edit(struct judge *judge, const struct edit *edit)
{
    struct edit *edits =
        arena_grow(judge->arena, judge->edits, judge->edit_count, &judge->edit_cap, sizeof(*edits));
    if (edits == NULL)
        return judge_no_memory(judge);
    judge->edits = edits;
    judge->edits[judge->edit_count] = *edit;
    judge->edits[judge->edit_count].order = judge->edit_count;
    judge->edit_count++;
    return OK;
}

enum status rewrite_edit(struct judge *judge, size_t at, size_t removed, const char *text)
{
    struct piece *piece = arena_alloc(judge->arena, sizeof(*piece));
    if (text == NULL || piece == NULL)
        return judge_no_memory(judge);
    *piece = (struct piece){.text = text};
    return add_edit(
        judge, &(struct edit){.at = at, .removed = removed, .pieces = piece, .piece_count = 1});
}

enum status rewrite_amend(struct judge *judge, size_t edit, const char *text)
{
    struct piece *piece = arena_alloc(judge->arena, sizeof(*piece));
    if (piece == NULL)
        return judge_no_memory(judge);
    *piece = (struct piece){.text = text};
    judge->edits[edit].pieces = piece;
    judge->edits[edit].piece_count = 1;
    return OK;
}

enum status rewrite_frame(struct judge *judge, size_t at, size_t removed, bool first,
                          const struct piece *pieces, size_t count)
{
    struct piece *kept = arena_zalloc(judge->arena, count, sizeof(*kept));
    if (kept == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < count; i++) {
        kept[i] = pieces[i];
        bool copy = kept[i].text == NULL;
        if (copy && kept[i].from >= kept[i].to)
            return judge_no_memory(judge); /* a text that could not be made */
        judge->copied += copy ? kept[i].to - kept[i].from : 0;
    }
    if (judge->copied > JUDGE_MAX_BYTES)
        return judge_refuse(judge, ERR_LIMIT, "54000", "length", "length", at,
                            "the statement grows too long when it is rewritten");
    return add_edit(judge, &(struct edit){.at = at,
                                          .removed = removed,
                                          .pieces = kept,
                                          .piece_count = count,
                                          .frame = true,
                                          .first = first});
}

const char *rewrite_quote(struct judge *judge, const char *name)
{
    return text_ident(judge->arena, name);
}

static int edit_compare(const void *a, const void *b)
{
    const struct edit *x = a;
    const struct edit *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->first != y->first)
        return x->first ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* A name put where the client's text has one must not run into what stands beside it: `t"x"` is a
 * table and its alias. */
static bool needs_space(char before, char after)
{
    return before != ' ' && before != '\0' && before != '(' && before != ',' && before != '.' &&
           before != '[' && after != '.' && after != ' ';
}

static void put(struct buf *out, const char *text)
{
    size_t len = buf_len(out);
    char last = len == 0 ? '\0' : (char)out->data[out->tail - 1];
    if (text[0] != '\0' && needs_space(last, text[0]))
        buf_byte(out, ' ');
    buf_str(out, text);
}

/* The first edit that stands at `at` or behind it. */
static size_t edit_from(const struct judge *judge, size_t at)
{
    size_t low = 0;
    size_t high = judge->edit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (judge->edits[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What [from, to) becomes, once more: frames are of the place, not of what stands in it. */
static bool put_copy(struct buf *out, const struct judge *judge, const struct piece *piece)
{
    const char *sql = judge->request->sql;
    size_t at = piece->from;
    for (size_t i = edit_from(judge, at); i < judge->edit_count; i++) {
        const struct edit *edit = &judge->edits[i];
        if (edit->at > piece->to || (edit->at == piece->to && !piece->with_end))
            break;
        if (edit->frame)
            continue;
        if (edit->at < at || edit->at + edit->removed > piece->to)
            return false;
        buf_append(out, sql + at, edit->at - at);
        for (size_t k = 0; k < edit->piece_count; k++)
            put(out, edit->pieces[k].text == NULL ? "" : edit->pieces[k].text);
        at = edit->at + edit->removed;
    }
    buf_append(out, sql + at, piece->to - at);
    return true;
}

static bool put_edit(struct buf *out, const struct judge *judge, const struct edit *edit,
                     struct verdict_edit *shown)
{
    size_t before = buf_len(out);
    bool done = true;
    for (size_t i = 0; i < edit->piece_count; i++) {
        const struct piece *piece = &edit->pieces[i];
        if (piece->text != NULL)
            put(out, piece->text);
        else
            done = put_copy(out, judge, piece) && done;
    }
    char next = judge->request->sql[edit->at + edit->removed];
    char last = buf_len(out) == before ? '\0' : (char)out->data[out->tail - 1];
    if (last == '"' && (next == '"' || next == '&' || next == '\''))
        buf_byte(out, ' ');
    *shown = (struct verdict_edit){edit->at, edit->removed, buf_len(out) - before};
    return done;
}

enum status rewrite_finish(struct judge *judge)
{
    const struct judge_request *request = judge->request;
    struct verdict *verdict = judge->verdict;
    verdict->sql = request->sql;
    verdict->sql_len = request->len;
    if (judge->edit_count == 0)
        return OK;
    qsort(judge->edits, judge->edit_count, sizeof(judge->edits[0]), edit_compare);
    struct verdict_edit *shown = arena_zalloc(judge->arena, judge->edit_count, sizeof(*shown));
    if (shown == NULL)
        return judge_no_memory(judge);
    struct buf out;
    buf_init(&out, 0);
    size_t at = 0;
    bool overlap = false;
    for (size_t i = 0; i < judge->edit_count && !overlap; i++) {
        const struct edit *edit = &judge->edits[i];
        overlap = edit->at < at || edit->at + edit->removed > request->len;
        if (!overlap) {
            buf_append(&out, request->sql + at, edit->at - at);
            overlap = !put_edit(&out, judge, edit, &shown[i]);
            at = edit->at + edit->removed;
        }
    }
    if (!overlap)
        buf_append(&out, request->sql + at, request->len - at);
    char *sql = out.failed || overlap
                    ? NULL
                    : arena_strndup(judge->arena, (const char *)buf_head(&out), buf_len(&out));
    verdict->sql = sql;
    verdict->sql_len = buf_len(&out);
    verdict->edits = shown;
    verdict->edit_count = judge->edit_count;
    buf_free(&out);
    if (overlap)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "rewriting", SIZE_MAX,
                            "the statement could not be rewritten: two changes meet in one place");
    return sql == NULL ? judge_no_memory(judge) : OK;
}

/* Byte offset of a 1-based character position. */
static size_t byte_at(const char *sql, size_t position)
{
    size_t at = 0;
    for (size_t i = 1; i < position && sql[at] != '\0'; i++) {
        at++;
        while (((unsigned char)sql[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

size_t verdict_map_position(const struct verdict *verdict, const char *client_sql, size_t position)
{
    if (position == 0 || verdict->sql == NULL)
        return 0;
    size_t target = byte_at(verdict->sql, position);
    size_t sent = 0;   /* byte in the text that was sent */
    size_t client = 0; /* the same place in the client's */
    for (size_t i = 0; i < verdict->edit_count; i++) {
        const struct verdict_edit *edit = &verdict->edits[i];
        size_t start = sent + (edit->at - client);
        if (target < start)
            break;
        if (target < start + edit->inserted)
            return judge_position(client_sql, edit->at);
        sent = start + edit->inserted;
        client = edit->at + edit->removed;
    }
    return judge_position(client_sql, client + (target - sent));
}
