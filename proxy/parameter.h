/*
 * parameter.h: the parameters that a restricted session is told about.
 */
#ifndef PGVIGIL_PROXY_PARAMETER_H
#define PGVIGIL_PROXY_PARAMETER_H

#include <stdbool.h>
#include <stddef.h>

/* Told as the server says it. False for what pgvigil says itself (parameter.c) and for all that is
 * not on the list. */
bool parameter_passes(const char *name);
/* The names for which that is true, from 0 on; NULL behind the last. */
const char *parameter_name(size_t index);

#endif
