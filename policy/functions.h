/*
 * functions.h: the reviewed list of pg_catalog's functions. Private to policy/.
 */
#ifndef PGVIGIL_FUNCTIONS_H
#define PGVIGIL_FUNCTIONS_H

#include <stdbool.h>

/* *reason: why a denied one is, or NULL. */
enum function_class { FUNCTION_UNKNOWN = 0, FUNCTION_DENIED, FUNCTION_GUARDED, FUNCTION_ALLOWED };
enum function_class functions_class(const char *name, const char **reason);
bool functions_aggregate(const char *name);
/* Does an allowed one answer otherwise each time it is called in one statement? */
bool functions_volatile(const char *name);

#endif
