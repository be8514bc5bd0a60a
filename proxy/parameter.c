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

#include <string.h>

static const char *const names[] = {"server_version",
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
