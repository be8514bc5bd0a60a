/*
 * operator.h: who runs a command, for the trail.
 */
#ifndef PGVIGIL_TOOLS_OPERATOR_H
#define PGVIGIL_TOOLS_OPERATOR_H

#include <stdbool.h>

struct operator
{
    char person[256]; /* who logged in to the system, or, where the kernel does not say, SUDO_USER
                         or the process's user */
    char login[256];  /* the process's user */
};

void operator_find(struct operator* operator);
/* What root makes in a trail's directory the server could not read, nor go on with: from here on
 * files are made as the directory's owner. False: that cannot be. */
bool operator_become_owner(const char *directory);

#endif
