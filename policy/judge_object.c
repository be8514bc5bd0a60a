/*
 * judge_object.c: large objects, for roles whose `allow` has "large-objects".
 *
 * They have no column that a rule could speak of: what a session reaches is what PostgreSQL gives
 * the pair's role, which owns what was made under it (docs/threat-model.md says what that means).
 * So all that is judged is the word, and that a function is one of these: never lo_import and
 * lo_export, which read and write files of the server.
 */
#include "judge_private.h"

#include <string.h>

/* Sorted as they stand in functions.list; what the others read changes nothing. */
static const struct object_function {
    const char *name;
    bool changes;
} functions[] = {
    {"lo_close", false},     {"lo_creat", true},  {"lo_create", true},   {"lo_from_bytea", true},
    {"lo_get", false},       {"lo_lseek", false}, {"lo_lseek64", false}, {"lo_open", true},
    {"lo_put", true},        {"lo_tell", false},  {"lo_tell64", false},  {"lo_truncate", true},
    {"lo_truncate64", true}, {"lo_unlink", true}, {"loread", false},     {"lowrite", true},
};

static const struct object_function *find(const char *name)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    }
    return NULL;
}

bool judge_callable(const char *name)
{
    const char *reason = NULL;
    return find(name) != NULL || functions_class(name, &reason) == FUNCTION_ALLOWED;
}

enum status judge_large_object(struct judge *judge, const char *name, size_t at, bool *large)
{
    const struct judge_request *request = judge->request;
    const struct object_function *function = find(name);
    *large = function != NULL;
    if (function == NULL)
        return OK;
    judge->objects = true;
    judge->changes = judge->changes || function->changes;
    if (policy_role_allows(request->policy, request->role, ALLOW_LARGE_OBJECTS))
        return OK;
    enum status status = judge_deny(judge, "function", name, at,
                                    judge_format(judge, "function \"%s\" is not available", name));
    const struct policy_place *place = &request->policy->roles[request->role].place;
    judge_hint(judge,
               judge_format(judge, "It takes \"large-objects\" in `allow` of the role at %s:%u.",
                            judge_file_name(place->file), place->line));
    return status;
}
