/*
 * settings.c: which settings a restricted session may see and change.
 *
 * Closed by default. What is not here is refused: among it role, session_authorization,
 * row_security, session_replication_role, transform_null_equals, backslash_quote, array_nulls,
 * debug_*, trace_*, log_*, and every setting of extensions. pgvigil.u_*, .s_*, .key_*, .address and
 * .search_path are how guards learn who asks; no client may name them.
 */
#include <pgvigil/judge.h>
#include <string.h>
#include <strings.h>

static const struct setting {
    const char *name;
    enum setting_class class;
} settings[] = {
    {"application_name", SETTING_FORWARD},
    {"bytea_output", SETTING_FORWARD},
    {"client_encoding", SETTING_FORWARD},     /* UTF-8 only: SQL text is judged as UTF-8 */
    {"client_min_messages", SETTING_FORWARD}, /* notice or quieter: debug messages print trees */
    {"datestyle", SETTING_FORWARD},
    {"default_text_search_config", SETTING_FORWARD},
    {"default_transaction_deferrable", SETTING_FORWARD},
    {"default_transaction_isolation", SETTING_FORWARD},
    {"default_transaction_read_only", SETTING_FORWARD},
    {"extra_float_digits", SETTING_FORWARD},
    {"idle_in_transaction_session_timeout", SETTING_FORWARD},
    {"idle_session_timeout", SETTING_FORWARD},
    {"in_hot_standby", SETTING_READ_ONLY},
    {"integer_datetimes", SETTING_READ_ONLY},
    {"intervalstyle", SETTING_FORWARD},
    {"is_superuser", SETTING_READ_ONLY},
    {"jit", SETTING_FORWARD}, /* drivers turn it off for their catalog queries */
    {"lc_collate", SETTING_READ_ONLY},
    {"lc_ctype", SETTING_READ_ONLY},
    {"lc_monetary", SETTING_FORWARD},
    {"lc_numeric", SETTING_FORWARD},
    {"lc_time", SETTING_FORWARD},
    {"lock_timeout", SETTING_FORWARD},
    {"max_identifier_length", SETTING_READ_ONLY},
    {"max_index_keys", SETTING_READ_ONLY},
    {"plan_cache_mode", SETTING_FORWARD},
    {"search_path", SETTING_PATH},
    {"server_encoding", SETTING_READ_ONLY},
    {"server_version", SETTING_READ_ONLY},
    {"server_version_num", SETTING_READ_ONLY},
    {"standard_conforming_strings", SETTING_FORWARD}, /* on only: off changes where strings end */
    {"statement_timeout", SETTING_FORWARD},
    {"timezone", SETTING_FORWARD},
    {"transaction_deferrable", SETTING_FORWARD},
    {"transaction_isolation", SETTING_FORWARD},
    {"transaction_read_only", SETTING_FORWARD},
    {"xmlbinary", SETTING_FORWARD},
    {"xmloption", SETTING_FORWARD},
};

/* pgvigil.<word>, but for the names that server connections use. */
static enum setting_class own_class(const char *name)
{
    static const char *const closed[] = {"u_", "s_", "key_"};
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        if (strncasecmp(name, closed[i], strlen(closed[i])) == 0)
            return SETTING_REFUSED;
    }
    if (name[0] == '\0' || strcasecmp(name, "address") == 0 || strcasecmp(name, "search_path") == 0)
        return SETTING_REFUSED;
    for (const char *at = name; *at != '\0'; at++) {
        bool word = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_' ||
                    (*at >= '0' && *at <= '9' && at != name);
        if (!word)
            return SETTING_REFUSED;
    }
    return SETTING_PGVIGIL;
}

enum setting_class setting_class(const char *name)
{
    if (strncasecmp(name, "pgvigil.", 8) == 0)
        return own_class(name + 8);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (strcasecmp(name, settings[i].name) == 0)
            return settings[i].class;
    }
    return SETTING_REFUSED;
}

static bool one_of(const char *value, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(value, list[i]) == 0)
            return true;
    }
    return false;
}

/* PostgreSQL looks at letters and digits only: "UTF-8" is UTF8. */
static bool is_utf8_name(const char *value)
{
    char name[16];
    size_t len = 0;
    for (const char *at = value; *at != '\0'; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            if (len + 1 >= sizeof(name))
                return false;
            name[len++] = c;
        }
    }
    name[len] = '\0';
    return strcmp(name, "utf8") == 0 || strcmp(name, "unicode") == 0;
}

/* Not harmless: how a float or bytea is written. PostgreSQL takes that for immutable, and a plan
 * holds the text of a constant that was cast to one. */
bool setting_reads_constants(const char *name)
{
    static const char *const others[] = {"application_name",
                                         "client_encoding", /* see above: one value */
                                         "client_min_messages",
                                         "default_transaction_deferrable",
                                         "default_transaction_isolation",
                                         "default_transaction_read_only",
                                         "idle_in_transaction_session_timeout",
                                         "idle_session_timeout",
                                         "jit",
                                         "lock_timeout",
                                         "plan_cache_mode",
                                         "search_path", /* pgvigil's own */
                                         "session characteristics",
                                         "standard_conforming_strings", /* see above: one value */
                                         "statement_timeout",
                                         "transaction",
                                         "transaction_deferrable",
                                         "transaction_isolation",
                                         "transaction_read_only"};
    return strncasecmp(name, "pgvigil.", 8) != 0 &&
           !one_of(name, others, sizeof(others) / sizeof(others[0]));
}

bool setting_value_allowed(const char *name, const char *value)
{
    static const char *const messages[] = {"notice", "warning", "error"};
    static const char *const on[] = {"on", "true", "yes", "1", "t", "y", "tr", "tru", "ye"};
    if (strcasecmp(name, "client_min_messages") == 0)
        return one_of(value, messages, sizeof(messages) / sizeof(messages[0]));
    if (strcasecmp(name, "client_encoding") == 0)
        return is_utf8_name(value);
    if (strcasecmp(name, "standard_conforming_strings") == 0)
        return one_of(value, on, sizeof(on) / sizeof(on[0]));
    if (strcasecmp(name, "search_path") == 0)
        return strncmp(value, "pgvigil:", 8) != 0 && strncmp(value, "pg_temp", 7) != 0 &&
               strncmp(value, "pg_toast", 8) != 0;
    return true;
}
