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

#include <pgvigil/text.h>
#include <stdlib.h>
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

/* One thread's. */
struct parameter_values {
    unsigned references;
    const char *texts[PARAMETER_COUNT]; /* in `bytes`, or NULL */
    char bytes[];
};

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

static struct parameter_values *values_new(const char *const texts[PARAMETER_COUNT])
{
    size_t size = 0;
    for (size_t i = 0; i < PARAMETER_COUNT; i++)
        size += texts[i] == NULL ? 0 : strlen(texts[i]) + 1;
    struct parameter_values *values = calloc(1, sizeof *values + size);
    if (values == NULL)
        return NULL;
    char *at = values->bytes;
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        if (texts[i] == NULL)
            continue;
        size_t len = strlen(texts[i]) + 1;
        values->texts[i] = memcpy(at, texts[i], len);
        at += len;
    }
    values->references = 1;
    return values;
}

void parameter_values_unref(struct parameter_values *values)
{
    if (values != NULL && --values->references == 0)
        free(values);
}

bool parameters_start(struct parameters *parameters, const char *const values[PARAMETER_COUNT],
                      struct parameter_values **known)
{
    bool alike = *known != NULL;
    for (size_t i = 0; alike && i < PARAMETER_COUNT; i++)
        alike = text_same((*known)->texts[i], values[i]);
    if (!alike) {
        struct parameter_values *fresh = values_new(values);
        if (fresh == NULL)
            return false;
        parameter_values_unref(*known);
        *known = fresh;
    }
    parameter_values_unref(parameters->start);
    parameters->start = *known;
    parameters->start->references++;
    return true;
}

void parameters_free(struct parameters *parameters)
{
    parameter_values_unref(parameters->start);
    *parameters = (struct parameters){0};
}

void parameters_told(struct parameters *parameters, const char *name, const char *value)
{
    for (size_t i = 0; parameters->start != NULL && i < PARAMETER_COUNT; i++) {
        const char *start = parameters->start->texts[i];
        if (start == NULL || strcmp(names[i], name) != 0)
            continue;
        unsigned bit = 1u << i;
        unsigned other =
            strcmp(start, value) != 0 ? parameters->other | bit : parameters->other & ~bit;
        parameters->other = (uint16_t)other;
    }
}

void parameters_reset(struct parameters *parameters, struct buf *out)
{
    for (size_t i = 0; i < PARAMETER_COUNT; i++)
        if ((parameters->other & 1u << i) != 0)
            wire_put_parameter_status(out, names[i], parameters->start->texts[i]);
    parameters->other = 0;
}
