/*
 * config_conninfo.c: connection strings in pgvigil.cfg (see config_read.h).
 *
 * Trust boundary: the administrator's text, given to libpq as it will be used. It is taken apart by
 * libpq and put together again with every value quoted, so that nobody ever splices text into it;
 * file names in it become absolute.
 */
#include "proxy/config_read.h"

#include <errno.h>
#include <libpq-fe.h>
#include <pgvigil/text.h>
#include <string.h>
#include <unistd.h>

static bool names_file(const char *keyword)
{
    static const char *const keywords[] = {"sslrootcert", "sslcert",   "sslkey",
                                           "sslcrl",      "sslcrldir", "passfile"};
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (strcmp(keyword, keywords[i]) == 0)
            return true;
    }
    return false;
}

void config_put_option(struct buf *out, const char *keyword, const char *value)
{
    buf_printf(out, "%s%s='", buf_len(out) ? " " : "", keyword);
    for (const char *at = value; *at; at++) {
        if (*at == '\'' || *at == '\\')
            buf_byte(out, '\\');
        buf_byte(out, (unsigned char)*at);
    }
    buf_byte(out, '\'');
}

/* One option checked and appended. */
static void take_option(struct config_reader *reader, const config_setting_t *setting,
                        const char *keyword, const char *value, struct buf *out)
{
    const char *name = config_setting_name(setting);
    if (strcmp(keyword, "gssencmode") == 0) {
        if (strcmp(value, "disable") != 0)
            config_complain(reader, setting,
                            "%s: gssencmode must be \"disable\"; encryption is TLS's work here",
                            name);
        return;
    }
    if (strcmp(keyword, "replication") == 0) {
        config_complain(reader, setting, "%s: a replication connection cannot be used", name);
        return;
    }
    if (names_file(keyword) && *value) {
        value = config_resolve(reader, setting, value);
        if (!value)
            return;
        if (access(value, R_OK) != 0)
            config_complain(reader, setting, "%s: %s \"%s\": %s; give the path of yours", name,
                            keyword, value, strerror(errno));
    }
    config_put_option(out, keyword, value);
}

static void check_present(struct config_reader *reader, const config_setting_t *setting,
                          const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (strcmp(option->keyword, keyword) == 0 && option->val && *option->val)
            return;
    }
    config_complain(reader, setting, "%s names no %s", config_setting_name(setting), keyword);
}

const char *config_conninfo(struct config_reader *reader, const config_setting_t *setting,
                            const char *conninfo)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);
    if (!options) {
        size_t len = message ? strcspn(message, "\n") : 0;
        config_complain(reader, setting, "%s: %.*s", config_setting_name(setting), (int)len,
                        message ? message : "");
        PQfreemem(message);
        return NULL;
    }
    struct buf out;
    buf_init(&out, 65536);
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (option->val)
            take_option(reader, setting, option->keyword, option->val, &out);
    }
    check_present(reader, setting, options, "user");
    check_present(reader, setting, options, "dbname");
    config_put_option(&out, "gssencmode", "disable");
    PQconninfoFree(options);
    return text_take(&out, reader->arena);
}

const char *config_conninfo_value(struct config_reader *reader, const char *conninfo,
                                  const char *keyword)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    const char *value = NULL;
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        if (option->val && strcmp(option->keyword, keyword) == 0)
            value = arena_strdup(reader->arena, option->val);
    }
    PQconninfoFree(options);
    return value;
}
