/*
 * policy_edit_private.h: between the two files that make a diff of edits.
 */
#ifndef PGVIGIL_TOOLS_POLICY_EDIT_PRIVATE_H
#define PGVIGIL_TOOLS_POLICY_EDIT_PRIVATE_H

#include "tools/policy_edit.h"

/* Of one file, in order, joined and with the blanks that go with them. ERR_MEMORY, ERR_INTERNAL. */
NODISCARD enum status policy_edit_settle(const struct policy_edits *edits, size_t file,
                                         struct policy_edit **out, size_t *count);

#endif
