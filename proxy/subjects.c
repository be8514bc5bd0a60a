/*
 * subjects.c: whose rows are on their way to the client (see subjects.h).
 *
 * Trust boundary: the server's bytes; every length is checked. The texts are data of the hospital's
 * and go into the record as they are.
 */
#include "proxy/subjects.h"

#include "proxy/wire.h"

#include <pgvigil/buf.h>
#include <pgvigil/catalog.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP       ((size_t)64)
#define TEXT_RECORD_MAX ((size_t)256 << 10)

struct subjects {
    int64_t *numbers;
    size_t count, cap;
    struct buf texts; /* NUL-terminated, one behind the other */
    const char **listed;
    size_t text_count, listed_cap;
    bool sorted;
    bool over;   /* of a group there were more than are named */
    bool rising; /* the numbers are in order and each is there once */
};

struct subjects *subjects_new(void)
{
    struct subjects *subjects = calloc(1, sizeof *subjects);
    if (subjects == NULL)
        return NULL;
    subjects->rising = true;
    buf_init(&subjects->texts, 0);
    return subjects;
}

void subjects_free(struct subjects *subjects)
{
    if (subjects == NULL)
        return;
    free(subjects->numbers);
    free(subjects->listed);
    buf_free(&subjects->texts);
    free(subjects);
}

void subjects_clear(struct subjects *subjects)
{
    subjects->count = subjects->text_count = 0;
    subjects->sorted = subjects->over = false;
    subjects->rising = true;
    buf_clear(&subjects->texts);
}

/* Only what a number is written back as: "007" is somebody else than 7. */
static bool number_of(const char *text, size_t len, int64_t *number)
{
    bool negative = len > 1 && text[0] == '-';
    size_t at = negative ? 1 : 0;
    uint64_t value = 0;
    if (len - at == 0 || len - at > 18 || (text[at] == '0' && (len - at > 1 || negative)))
        return false;
    for (; at < len; at++) {
        if (text[at] < '0' || text[at] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[at] - '0');
    }
    *number = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void unite_numbers(struct subjects *subjects)
{
    size_t kept = 0;
    if (subjects->rising)
        return;
    qsort(subjects->numbers, subjects->count, sizeof *subjects->numbers, compare_numbers);
    for (size_t i = 0; i < subjects->count; i++) {
        if (kept == 0 || subjects->numbers[i] != subjects->numbers[kept - 1])
            subjects->numbers[kept++] = subjects->numbers[i];
    }
    subjects->count = kept;
    subjects->rising = true;
}

/* ERR_MEMORY leaves them as they are. */
static enum status unite_texts(struct subjects *subjects)
{
    if (subjects->text_count == 0)
        return OK;
    if (subjects->listed_cap < subjects->text_count) {
        const char **grown =
            realloc((void *)subjects->listed, subjects->text_count * sizeof *grown);
        if (grown == NULL)
            return ERR_MEMORY;
        subjects->listed = grown;
        subjects->listed_cap = subjects->text_count;
    }
    struct buf united;
    buf_init(&united, 0);
    const char *at = (const char *)buf_head(&subjects->texts);
    for (size_t i = 0; i < subjects->text_count; i++, at += strlen(at) + 1)
        subjects->listed[i] = at;
    qsort((void *)subjects->listed, subjects->text_count, sizeof *subjects->listed, compare_texts);
    size_t kept = 0;
    for (size_t i = 0; i < subjects->text_count; i++) {
        if (i == 0 || strcmp(subjects->listed[i], subjects->listed[i - 1]) != 0) {
            buf_cstr(&united, subjects->listed[i]);
            kept++;
        }
    }
    if (united.failed) {
        buf_free(&united);
        return ERR_MEMORY;
    }
    buf_free(&subjects->texts);
    subjects->texts = united;
    subjects->text_count = kept;
    at = (const char *)buf_head(&subjects->texts);
    for (size_t i = 0; i < kept; i++, at += strlen(at) + 1)
        subjects->listed[i] = at;
    return OK;
}

/* Before there is room for more, what is there twice goes. */
static enum status add_number(struct subjects *subjects, int64_t number)
{
    if (subjects->count > 0 && subjects->numbers[subjects->count - 1] == number)
        return OK;
    if (subjects->count == subjects->cap)
        unite_numbers(subjects);
    if (subjects->count * 2 > subjects->cap || subjects->cap == 0) {
        size_t cap = subjects->cap == 0 ? FIRST_CAP : subjects->cap * 2;
        int64_t *grown = realloc(subjects->numbers, cap * sizeof *grown);
        if (grown == NULL)
            return ERR_MEMORY;
        subjects->numbers = grown;
        subjects->cap = cap;
    }
    if (subjects->count > 0 && subjects->numbers[subjects->count - 1] >= number)
        subjects->rising = false;
    subjects->numbers[subjects->count++] = number;
    return OK;
}

static enum status add_text(struct subjects *subjects, const char *text, size_t len)
{
    if (memchr(text, '\0', len) != NULL)
        return ERR_PROTOCOL;
    buf_append(&subjects->texts, text, len);
    buf_byte(&subjects->texts, 0);
    subjects->text_count++;
    if (subjects->texts.failed)
        return ERR_MEMORY;
    return subjects->text_count >= 2 * SUBJECTS_RECORD_MAX ? unite_texts(subjects) : OK;
}

enum status subjects_add(struct subjects *subjects, const void *text, size_t len)
{
    int64_t number = 0;
    subjects->sorted = false;
    return number_of(text, len, &number) ? add_number(subjects, number)
                                         : add_text(subjects, text, len);
}

/* ---- lists ---- */

/* An element in quotes, which begins behind the first; *at comes to stand behind the last. */
static enum status add_quoted(struct subjects *subjects, char *text, size_t len, size_t *at)
{
    char *element = text + *at;
    size_t size = 0;
    while (*at < len && text[*at] != '"') {
        *at += text[*at] == '\\' ? 1 : 0;
        if (*at < len)
            element[size++] = text[(*at)++];
    }
    if (*at >= len)
        return ERR_PROTOCOL;
    (*at)++;
    return subjects_add(subjects, element, size);
}

static enum status add_plain(struct subjects *subjects, char *text, size_t len, size_t *at)
{
    char *element = text + *at;
    size_t size = 0;
    while (*at + size < len && element[size] != ',' && element[size] != '}')
        size++;
    *at += size;
    if (size == 0)
        return ERR_PROTOCOL;
    /* Nobody: an outer join. The word itself stands in quotes. */
    return size == 4 && memcmp(element, "NULL", 4) == 0 ? OK
                                                        : subjects_add(subjects, element, size);
}

/* One array, behind its brace. */
static enum status add_array(struct subjects *subjects, char *text, size_t len, size_t *at)
{
    char end = ',';
    while (end == ',') {
        bool quoted = *at < len && text[*at] == '"';
        *at += quoted ? 1 : 0;
        enum status status =
            quoted ? add_quoted(subjects, text, len, at) : add_plain(subjects, text, len, at);
        if (status != OK)
            return status;
        end = *at < len ? text[(*at)++] : '\0';
    }
    return end == '}' ? OK : ERR_PROTOCOL;
}

enum status subjects_add_list(struct subjects *subjects, char *text, size_t len)
{
    size_t at = 0;
    enum status status = OK;
    while (at < len && status == OK) {
        char first = text[at++];
        subjects->over = subjects->over || first == '!';
        if (first != '!')
            status = first == '{' ? add_array(subjects, text, len, &at) : ERR_PROTOCOL;
    }
    return status;
}

enum status subjects_merge(struct subjects *subjects, struct subjects *from)
{
    struct audit_patients all;
    subjects_list(from, &all);
    enum status status = all.failed ? ERR_MEMORY : OK;
    subjects->sorted = false;
    for (size_t i = 0; i < all.number_count && status == OK; i++)
        status = add_number(subjects, all.numbers[i]);
    for (size_t i = 0; i < all.text_count && status == OK; i++)
        status = add_text(subjects, all.texts[i], strlen(all.texts[i]));
    return status;
}

bool subjects_over(const struct subjects *subjects)
{
    return subjects->over;
}

bool subjects_full(struct subjects *subjects)
{
    return subjects->count + subjects->text_count >= SUBJECTS_RECORD_MAX ||
           buf_len(&subjects->texts) >= TEXT_RECORD_MAX;
}

void subjects_list(struct subjects *subjects, struct audit_patients *out)
{
    if (!subjects->sorted) {
        unite_numbers(subjects);
        subjects->sorted = unite_texts(subjects) == OK;
    }
    *out = (struct audit_patients){.numbers = subjects->numbers,
                                   .number_count = subjects->count,
                                   .texts = subjects->listed,
                                   .text_count = subjects->sorted ? subjects->text_count : 0,
                                   .failed = !subjects->sorted};
}

struct audit_patients subjects_part(struct audit_patients *rest)
{
    struct audit_patients part = *rest;
    size_t bytes = 0;
    if (part.number_count > SUBJECTS_RECORD_MAX)
        part.number_count = SUBJECTS_RECORD_MAX;
    part.text_count = 0;
    while (part.text_count < rest->text_count &&
           part.number_count + part.text_count < SUBJECTS_RECORD_MAX && bytes < TEXT_RECORD_MAX)
        bytes += strlen(rest->texts[part.text_count++]);
    if (part.number_count > 0)
        rest->numbers += part.number_count;
    if (part.text_count > 0)
        rest->texts += part.text_count;
    rest->number_count -= part.number_count;
    rest->text_count -= part.text_count;
    return part;
}

/* ---- in messages ---- */

static void store_u16(unsigned char *at, size_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

/* The rest of the message begins with its own number of columns, written over what was taken. */
static enum status shorten(unsigned char **body, size_t *len, size_t columns, size_t count,
                           size_t taken)
{
    store_u16(*body + taken, columns - count);
    *body += taken;
    *len -= taken;
    return OK;
}

bool subjects_are_in(struct subjects_shape shape, const unsigned char *body, size_t len)
{
    struct wire_cursor cursor;
    wire_cursor_init(&cursor, body, len);
    (void)wire_get_u16(&cursor);
    for (size_t i = 0; i < shape.count && !cursor.failed; i++) {
        int32_t value_len = 0;
        (void)wire_get_value(&cursor, &value_len);
    }
    return !cursor.failed;
}

enum status subjects_take(struct subjects *subjects, struct subjects_shape shape,
                          unsigned char **body, size_t *len)
{
    struct wire_cursor cursor;
    wire_cursor_init(&cursor, *body, *len);
    size_t columns = wire_get_u16(&cursor);
    if (columns < shape.count)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < shape.count; i++) {
        int32_t value_len = 0;
        const unsigned char *value = wire_get_value(&cursor, &value_len);
        if (value == NULL || subjects == NULL)
            continue;
        size_t size = (size_t)value_len;
        enum status status = (shape.lists >> i & 1) != 0
                                 ? subjects_add_list(subjects, (char *)value, size)
                                 : subjects_add(subjects, value, size);
        if (status != OK)
            return status;
    }
    size_t left = wire_left(&cursor);
    if (cursor.failed || left > *len - 2)
        return ERR_PROTOCOL;
    return shorten(body, len, columns, shape.count, *len - 2 - left);
}

static bool is_subject(const char *name)
{
    return strncmp(name, GUARD_SUBJECT_COLUMN, sizeof GUARD_SUBJECT_COLUMN - 1) == 0;
}

enum status subjects_undescribe(unsigned char **body, size_t *len, size_t *count, size_t *left)
{
    struct wire_cursor cursor;
    wire_cursor_init(&cursor, *body, *len);
    size_t columns = wire_get_u16(&cursor);
    size_t taken = 0;
    *count = 0;
    for (size_t i = 0; i < columns; i++) {
        struct wire_column column;
        wire_get_column(&cursor, &column);
        if (cursor.failed)
            return ERR_PROTOCOL;
        if (!is_subject(column.name))
            continue;
        if (*count != i)
            return ERR_PROTOCOL;
        (*count)++;
        taken = *len - 2 - wire_left(&cursor);
    }
    *left = columns - *count;
    return *count == 0 ? OK : shorten(body, len, columns, *count, taken);
}
