/*
 * policy_text.h: a policy's files as text: what stands where, to the byte.
 *
 * policy_load() tells what a policy means, and the line on which it says so. Who wants to change a
 * file and leave all else in it as it is (comments, layout, the order of things) needs the bytes:
 * tokens with their offsets, put together to the settings that libconfig would make of them.
 *
 * Trust boundary: files that policy_load() has accepted; this reader takes the same syntax and
 * refuses what it does not understand. What it found is only ever proposed, and its effect is
 * loaded and compared before it is. Ownership: everything stands in the arena that the caller
 * gives.
 */
#ifndef PGVIGIL_TOOLS_POLICY_TEXT_H
#define PGVIGIL_TOOLS_POLICY_TEXT_H

#include <pgvigil/arena.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

struct text_file {
    const char *path; /* as policy_load() calls it */
    const char *name; /* relative to the policy's directory; NULL: it stands elsewhere */
    const char *bytes;
    size_t len;
    unsigned long long device, inode;
    unsigned readings; /* @include puts a file into more than one place */
    bool fixed;        /* included by an absolute path */
};

enum text_mark { TEXT_WORD = 'w', TEXT_STRING = '"' }; /* all others are themselves: { ; = */

struct text_token {
    size_t file; /* index */
    size_t start, end;
    unsigned reading; /* tokens of one reading stand in one piece of text */
    unsigned line;
    char mark;
};

enum text_kind { NODE_SCALAR, NODE_STRING, NODE_GROUP, NODE_ARRAY, NODE_LIST };

struct text_node {
    enum text_kind kind;
    const char *name;               /* of a setting; else NULL */
    const char *value;              /* of a string, decoded; of a scalar, as it is written */
    const struct text_token *begin; /* the name, or the value's first token */
    const struct text_token *first; /* of the value */
    const struct text_token *last;
    const struct text_token *separator; /* the ; or , behind it; NULL: there is none */
    struct text_node **items;
    size_t count, cap;
};

struct policy_text {
    struct arena *arena;
    const char *folder; /* the policy's directory, absolute */
    struct text_file *files;
    size_t file_count, file_cap;
    struct text_node **roots; /* groups of top-level settings, in policy_load()'s order */
    size_t root_count, root_cap;
    unsigned readings;
    const char *why; /* of a failure */
};

/* `path` is absolute. ERR_IO, ERR_SYNTAX with text->why; ERR_MEMORY. */
NODISCARD enum status policy_text_read(const char *path, struct arena *arena,
                                       struct policy_text *text);
/* Of a group; NULL: it has none of that name. */
const struct text_node *text_member(const struct text_node *group, const char *name);
/* The elements of the top-level lists of that name, in policy_load()'s order. */
NODISCARD enum status policy_text_entries(const struct policy_text *text, const char *name,
                                          const struct text_node ***entries, size_t *count);
/* May the bytes from one token to the other be changed, with no effect elsewhere? */
bool policy_text_editable(const struct policy_text *text, const struct text_token *first,
                          const struct text_token *last);

/* ---- between the files that do it ---- */

struct text_tokens {
    struct text_token *items;
    size_t count, cap;
};
/* policy_text_parse.c: the settings of one document. ERR_SYNTAX, ERR_MEMORY. */
NODISCARD enum status policy_text_parse(struct policy_text *text, const struct text_tokens *tokens,
                                        struct text_node **root);

#endif
