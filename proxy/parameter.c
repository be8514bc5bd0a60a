/*
 * parameter.c: the reviewed list of parameters (see parameter.h).
 *
 * Trust boundary: a server reports what it likes (an extension's settings, those of newer
 * versions), and a shared connection knows of the login it was opened with and of those who used it
 * before. A restricted session hears of the parameters below only: what a client must know to read
 * answers, and how the server stands. Of application_name, is_superuser and session_authorization
 * pgvigil tells its own: the name the client gave, "off", and the person.
 */
#include "proxy/parameter.h"

#include "proxy/wire.h"

#include <string.h>

static const char *const names[PARAMETER_COUNT] = {"server_version",
                                                   "server_encoding",
                                                   "client_encoding",
                                                   "DateStyle",
                                                   "TimeZone",
                                                   "integer_datetimes",
                                                   "IntervalStyle",
                                                   "in_hot_standby",
                                                   "standard_conforming_strings",
                                                   "default_transaction_read_only"};

bool parameter_passes(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

const char *parameter_name(size_t index)
{
    return index < sizeof names / sizeof names[0] ? names[index] : NULL;
}

bool parameters_start(struct parameters *parameters, size_t index, const char *value,
                      struct arena *arena)
{
    parameters->start[index] = arena_strdup(arena, value);
    return parameters->start[index] != NULL;
}

void parameters_told(struct parameters *parameters, const char *name, const char *value)
{
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        const char *start = parameters->start[i];
        if (start != NULL && strcmp(names[i], name) == 0)
            parameters->other[i] = strcmp(start, value) != 0;
    }
}

void parameters_reset(struct parameters *parameters, struct buf *out)
{
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        if (parameters->other[i])
            wire_put_parameter_status(out, names[i], parameters->start[i]);
        parameters->other[i] = false;
    }
}
