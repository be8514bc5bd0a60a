/*
 * status.c: the names of enum status, for logs and tests.
 */
#include <pgvigil/status.h>

#include <stddef.h>

static const char *const names[STATUS_COUNT] = {
    [OK] = "ok",
    [NEED_MORE] = "need_more",
    [DENIED] = "denied",
    [NEED_CATALOG] = "need_catalog",
    [CLOSED] = "closed",
    [ERR_MEMORY] = "err_memory",
    [ERR_SYNTAX] = "err_syntax",
    [ERR_INVALID] = "err_invalid",
    [ERR_LIMIT] = "err_limit",
    [ERR_PROTOCOL] = "err_protocol",
    [ERR_AUTH] = "err_auth",
    [ERR_TLS] = "err_tls",
    [ERR_IO] = "err_io",
    [ERR_UPSTREAM] = "err_upstream",
    [ERR_AUDIT] = "err_audit",
    [ERR_INTERNAL] = "err_internal",
};

const char *status_name(enum status status)
{
    size_t index = (size_t)status;
    if (index >= STATUS_COUNT || !names[index])
        return "unknown";
    return names[index];
}
