/*
 * server_parameter.c: what a server connection has said of its settings (ParameterStatus).
 *
 * Trust boundary: the server's bytes; what it may name is bounded.
 */
#include "proxy/server.h"

#include <stdlib.h>
#include <string.h>

const char *server_parameter(const struct server *server, const char *name)
{
    for (size_t i = 0; i < server->parameter_count; i++)
        if (strcmp(server->parameters[i].name, name) == 0)
            return server->parameters[i].value;
    return PQparameterStatus(server->conn, name);
}

void server_remember_parameter(struct server *server, const char *name, const char *value)
{
    char *copy = strdup(value);
    if (copy == NULL)
        return;
    for (size_t i = 0; i < server->parameter_count; i++) {
        if (strcmp(server->parameters[i].name, name) == 0) {
            free(server->parameters[i].value);
            server->parameters[i].value = copy;
            return;
        }
    }
    char *own_name = strdup(name);
    struct server_parameter *grown =
        server->parameter_count >= 64
            ? NULL
            : realloc(server->parameters, (server->parameter_count + 1) * sizeof *grown);
    if (grown != NULL)
        server->parameters = grown;
    if (grown == NULL || own_name == NULL) {
        free(copy);
        free(own_name);
        return;
    }
    grown[server->parameter_count].name = own_name;
    grown[server->parameter_count].value = copy;
    server->parameter_count++;
}
