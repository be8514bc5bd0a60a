/*
 * named.h: the patients that a statement names in its conditions (judge.h: struct verdict_named).
 *
 * Where the rows of a statement do not tell whose they are, its record names those that it asks
 * about: by a constant of its text, by an argument of EXECUTE, or by a parameter that Bind gives.
 * Values that no patient's number can be written as are left out, as are those of unusual types:
 * what is named is said beside `subjects: "aggregate"`, and decides nothing.
 */
#ifndef PGVIGIL_PROXY_NAMED_H
#define PGVIGIL_PROXY_NAMED_H

#include "proxy/statement.h"
#include "proxy/subjects.h"
#include "proxy/wire.h"

/* Adds a value in text format. ERR_MEMORY. */
NODISCARD enum status named_add_text(struct subjects *subjects, const struct verdict_named *named,
                                     const char *text, size_t len);
/* The same in binary format, of a type by its OID, 0: that of the subject. ERR_MEMORY. */
NODISCARD enum status named_add_binary(struct subjects *subjects, const struct verdict_named *named,
                                       uint32_t type, const unsigned char *value, size_t len);

/* Whom the statement names by the Bind's parameters. *subjects is the caller's to free, NULL: it
 * names nobody so. ERR_MEMORY. */
NODISCARD enum status named_bound(const struct statement *statement, const struct wire_bind *bind,
                                  struct subjects **subjects);

/* Does statement `index` name anybody where its record needs it? Accepts NULL. */
bool named_any(const struct statement *statement, size_t index);
/* Adds those of its text, and by `arguments` (NULL: none) of the EXECUTE that runs it. ERR_MEMORY.
 */
NODISCARD enum status named_add(struct subjects *subjects, const struct statement *statement,
                                size_t index, const struct verdict_statement *arguments);

#endif
