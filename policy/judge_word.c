/*
 * judge_word.c: SET pgvigil.user, although USER is a reserved word.
 *
 * PostgreSQL's grammar takes no reserved word for a part of a setting's name unless it is quoted,
 * so what people write would be a syntax error. A statement that begins so is no other one by that
 * grammar; its word is made a plain one, of the same length, before the text is parsed, and has its
 * name again in what the judge says. Such a statement is pgvigil's to do: the changed text is never
 * sent.
 */
#include "judge_private.h"

#include <string.h>
#include <strings.h>

#define PREFIX  "pgvigil"
#define WORD    "user"
#define STANDIN "usr_"

static bool is(const struct token_list *list, size_t index, int kind)
{
    return index < list->count && list->tokens[index].kind == kind;
}

/* Index of the word in the statement that begins at token `first`, or SIZE_MAX. */
static size_t find_word(const struct token_list *list, size_t first)
{
    size_t at = first + 1;
    if (is(list, first, PG_QUERY__TOKEN__SET) &&
        (is(list, at, PG_QUERY__TOKEN__LOCAL) || is(list, at, PG_QUERY__TOKEN__SESSION)))
        at++;
    else if (!is(list, first, PG_QUERY__TOKEN__SET) && !is(list, first, PG_QUERY__TOKEN__RESET) &&
             !is(list, first, PG_QUERY__TOKEN__SHOW))
        return SIZE_MAX;
    if (!is(list, at, PG_QUERY__TOKEN__IDENT) || !is(list, at + 1, PG_QUERY__TOKEN__ASCII_46) ||
        !is(list, at + 2, PG_QUERY__TOKEN__USER))
        return SIZE_MAX;
    size_t start = list->tokens[at].start;
    const char *behind = list->sql + start + strlen(PREFIX);
    bool named = strncasecmp(list->sql + start, PREFIX, strlen(PREFIX)) == 0 &&
                 strchr(". \t\r\n\f\v-/", *behind) != NULL && *behind != '\0';
    return named ? at + 2 : SIZE_MAX;
}

enum status judge_free_word(struct judge *judge)
{
    struct token_list *list = &judge->tokens;
    char *text = NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0 && !is(list, i - 1, PG_QUERY__TOKEN__ASCII_59))
            continue;
        size_t word = find_word(list, i);
        if (word == SIZE_MAX)
            continue;
        if (text == NULL)
            text = arena_strndup(judge->arena, list->sql, list->len);
        if (text == NULL)
            return judge_no_memory(judge);
        memcpy(text + list->tokens[word].start, STANDIN, sizeof(STANDIN) - 1);
        list->tokens[word].kind = PG_QUERY__TOKEN__IDENT;
    }
    if (text == NULL)
        return OK;
    struct judge_request *request = arena_alloc(judge->arena, sizeof *request);
    if (request == NULL)
        return judge_no_memory(judge);
    *request = *judge->request;
    request->sql = text;
    judge->request = request;
    list->sql = text;
    return OK;
}

void judge_restore_word(char *text)
{
    for (char *at = strstr(text, STANDIN); at != NULL; at = strstr(at, STANDIN))
        memcpy(at, WORD, sizeof(WORD) - 1);
}
