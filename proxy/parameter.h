/*
 * parameter.h: the parameters that a restricted session is told about.
 */
#ifndef PGVIGIL_PROXY_PARAMETER_H
#define PGVIGIL_PROXY_PARAMETER_H

#include <pgvigil/buf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARAMETER_COUNT 10

struct parameter_values;

/* Told as the server says it. False for what pgvigil says itself (parameter.c) and for all that is
 * not on the list. */
bool parameter_passes(const char *name);
/* The names for which that is true, from 0 on; NULL behind the last. */
const char *parameter_name(size_t index);

/* What a session's client was told: drivers read dates and times by it. RESET ALL gives the server
 * connection back, and what the next one says of itself is no news to the client. Zeroed: nothing
 * was told. */
struct parameters {
    struct parameter_values *start; /* at the session's start: a reference; or NULL */
    uint16_t other;                 /* bit by bit: told another value since */
};
/* At the start; NULL: the server did not tell that one. *known are the last that a session of the
 * thread was told, owned by its worker: those of one server are nearly always the same, and are had
 * once. False: out of memory. */
bool parameters_start(struct parameters *parameters, const char *const values[PARAMETER_COUNT],
                      struct parameter_values **known);
void parameters_free(struct parameters *parameters);
/* Accepts NULL. */
void parameter_values_unref(struct parameter_values *values);
/* A ParameterStatus goes to the client. */
void parameters_told(struct parameters *parameters, const char *name, const char *value);
/* Tells the client that all are as at the start. */
void parameters_reset(struct parameters *parameters, struct buf *out);

#endif
