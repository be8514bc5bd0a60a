/*
 * policy_edit.h: small changes to a policy's files, and what they come to: new text, a diff.
 *
 * A change takes bytes away or puts others in their place; blanks that are left over go with them,
 * and so does a line of which nothing is left. Everything else, comments above all, stays as it is.
 *
 * Ownership: all texts stand in the arena of the policy_text.
 */
#ifndef PGVIGIL_TOOLS_POLICY_EDIT_H
#define PGVIGIL_TOOLS_POLICY_EDIT_H

#include "tools/policy_text.h"

#include <stdio.h>

struct policy_edit {
    size_t file;
    size_t start, end;
    const char *with; /* "": taken away */
};

struct policy_edits {
    const struct policy_text *text;
    struct policy_edit *items;
    size_t count, cap;
    bool failed; /* no memory */
};

void policy_edit_add(struct policy_edits *edits, size_t file, size_t start, size_t end,
                     const char *with);
/* In the place of a value. */
void policy_edit_value(struct policy_edits *edits, const struct text_node *node, const char *with);
/* A setting, with its semicolon. */
void policy_edit_cut_setting(struct policy_edits *edits, const struct text_node *setting);
/* Those elements of an array or a list for which `cut` is true, with the commas that are then too
 * many. `cut` has as many elements as the list. */
void policy_edit_cut_elements(struct policy_edits *edits, const struct text_node *list,
                              const bool *cut);
/* name = "value"; for each name, behind a setting: on lines of their own where that one stands on
 * one. Once for a setting. */
void policy_edit_put_settings(struct policy_edits *edits, const struct text_node *behind,
                              const char *const *names, size_t count, const char *value);

/* A file with its edits. *bytes is the file's own where there is none. ERR_MEMORY; ERR_INTERNAL:
 * two of them touch the same bytes. */
NODISCARD enum status policy_edit_apply(const struct policy_edits *edits, size_t file,
                                        const char **bytes, size_t *len);
/* As `diff -u` tells it, for `patch -p1` in the policy's directory. */
NODISCARD enum status policy_edit_diff(const struct policy_edits *edits, FILE *out);

#endif
