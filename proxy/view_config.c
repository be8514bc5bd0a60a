/*
 * view_config.c: SHOW CONFIG (see view.h).
 *
 * Trust boundary: pgvigil.cfg holds passwords of database logins. Every value that libpq itself
 * would hide in a dialogue is hidden here; of keys the file's name is shown, never what is in it.
 */
#include "proxy/config_read.h"
#include "proxy/view.h"

#include <libpq-fe.h>
#include <pgvigil/log.h>
#include <stdio.h>
#include <string.h>

static void put(struct view_rows *rows, const char *key, const char *value, const char *standard)
{
    view_put_text(rows, key);
    view_put_text(rows, value);
    view_put_text(rows, standard);
    view_put_text(rows, "no"); /* pgvigil.cfg is read at the start only */
    rows->count++;
}

static void put_size(struct view_rows *rows, const char *key, size_t value, const char *standard)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", value);
    put(rows, key, text, standard);
}

static void put_bool(struct view_rows *rows, const char *key, bool value)
{
    put(rows, key, value ? "true" : "false", "false");
}

/* libpq marks what is a secret. */
static void put_conninfo(struct view_rows *rows, const char *key, const char *conninfo)
{
    PQconninfoOption *options = conninfo == NULL ? NULL : PQconninfoParse(conninfo, NULL);
    struct buf out;
    buf_init(&out, 0);
    for (const PQconninfoOption *option = options; option != NULL && option->keyword; option++) {
        bool secret = strchr(option->dispchar, '*') != NULL;
        if (option->val != NULL)
            config_put_option(&out, option->keyword, secret ? "***" : option->val);
    }
    buf_byte(&out, '\0');
    put(rows, key, options == NULL || out.failed ? NULL : (const char *)buf_head(&out), NULL);
    rows->cells.failed = rows->cells.failed || out.failed;
    buf_free(&out);
    PQconninfoFree(options);
}

static void put_databases(const struct config *config, struct view_rows *rows)
{
    for (size_t i = 0; i < config->database_count; i++) {
        const struct config_database *database = &config->databases[i];
        char key[256];
        snprintf(key, sizeof key, "databases.%.200s.conninfo", database->name);
        put_conninfo(rows, key, database->conninfo);
        snprintf(key, sizeof key, "databases.%.200s.unrestricted", database->name);
        put_conninfo(rows, key, database->unrestricted);
        snprintf(key, sizeof key, "databases.%.200s.owner", database->name);
        put(rows, key, database->owner, NULL);
        snprintf(key, sizeof key, "databases.%.200s.pool", database->name);
        put_size(rows, key, database->pool, "20");
        snprintf(key, sizeof key, "databases.%.200s.mode", database->name);
        put(rows, key, database->mode, "enforce");
    }
}

static void put_limits(const struct config_limits *limits, struct view_rows *rows)
{
    put_size(rows, "limits.connections", limits->connections, "1000");
    put_size(rows, "limits.connections_per_user", limits->connections_per_user, "200");
    put_size(rows, "limits.connections_per_address", limits->connections_per_address, "500");
    put_size(rows, "limits.login_seconds", limits->login_seconds, "30");
    put_size(rows, "limits.connect_seconds", limits->connect_seconds, "30");
    put_size(rows, "limits.idle_seconds", limits->idle_seconds, "0");
    put_size(rows, "limits.server_idle_seconds", limits->server_idle_seconds, "600");
    put_size(rows, "limits.server_check_seconds", limits->server_check_seconds, "30");
    put_size(rows, "limits.server_lifetime_seconds", limits->server_lifetime_seconds, "3600");
    put_size(rows, "limits.failed_logins", limits->failed_logins, "5");
    put_size(rows, "limits.message_bytes", limits->message_bytes, "67108864");
    put_size(rows, "limits.statement_cache_bytes", limits->statement_cache_bytes, "16777216");
    put_size(rows, "limits.prepared_lookups", limits->prepared_lookups, "100");
}

static void put_admin(const struct config_admin *admin, struct view_rows *rows)
{
    struct buf users;
    buf_init(&users, 0);
    for (size_t i = 0; i < admin->user_count; i++)
        buf_printf(&users, "%s%s", i == 0 ? "" : ", ", admin->users[i]);
    buf_byte(&users, '\0');
    put(rows, "admin.address", admin->port == 0 ? NULL : admin->address, "127.0.0.1");
    put_size(rows, "admin.port", admin->port, "0");
    put_bool(rows, "admin.unauthenticated", admin->unauthenticated);
    put(rows, "admin.users", users.failed ? NULL : (const char *)buf_head(&users), "");
    rows->cells.failed = rows->cells.failed || users.failed;
    buf_free(&users);
}

/* Where records go; how one gets in there is not for the console. */
static void put_ships(const struct config *config, struct view_rows *rows)
{
    struct buf text;
    buf_init(&text, 0);
    for (size_t i = 0; i < config->ship_count; i++) {
        const struct config_ship *ship = &config->ships[i];
        buf_printf(&text, "%s%s", i == 0 ? "" : ", ", ship->kind);
        if (!ship->table)
            buf_printf(&text, " %s:%u", ship->host, (unsigned)ship->port);
    }
    buf_byte(&text, '\0');
    put(rows, "audit.ship", text.failed ? NULL : (const char *)buf_head(&text), "");
    rows->cells.failed = rows->cells.failed || text.failed;
    buf_free(&text);
}

void view_put_config(const struct config *config, struct view_rows *rows)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    const struct config_listen *listen = &config->listen;
    put(rows, "config", config->path, NULL);
    put(rows, "listen.address", listen->address, "127.0.0.1");
    put_size(rows, "listen.port", listen->port, "6432");
    put(rows, "listen.certificate", listen->certificate, NULL);
    put(rows, "listen.key", listen->key, NULL);
    put(rows, "listen.client_ca", listen->client_ca, NULL);
    put_bool(rows, "listen.plaintext", listen->plaintext);
    put_size(rows, "listen.backlog", listen->backlog, "1024");
    put_databases(config, rows);
    put(rows, "policy", config->policy, NULL);
    put(rows, "audit.directory", config->audit.directory, NULL);
    put(rows, "audit.key", config->audit.key_file, NULL);
    put(rows, "audit.durability", config->audit.durability == AUDIT_SYNCED ? "synced" : "written",
        "written");
    put_size(rows, "audit.checkpoint_seconds", config->audit.checkpoint_seconds, "60");
    put_size(rows, "audit.file_bytes", config->audit.file_bytes, "268435456");
    put_size(rows, "audit.reserve_bytes", config->audit.reserve_bytes, "1048576");
    put(rows, "audit.rotate", config->audit.daily ? "daily" : "size", "daily");
    put(rows, "audit.compress", config->audit.compress ? "true" : "false", "true");
    put_size(rows, "audit.retention.technical_days", config->audit.retention.technical_days, "0");
    put(rows, "audit.retention.justification", config->audit.retention.justification, NULL);
    put_size(rows, "audit.retention.care_years", config->audit.retention.care_years, "0");
    put_ships(config, rows);
    put(rows, "alert.command", config->alert_command, NULL);
    put_size(rows, "workers", config->workers, "0");
    put_size(rows, "worker_fill", config->worker_fill, "16");
    put(rows, "pseudonym_key", config->pseudonym_key, NULL);
    put(rows, "log_level", levels[config->log_level], "info");
    put(rows, "organisation.name", config->organisation.name, NULL);
    put(rows, "organisation.dpo.name", config->organisation.dpo.name, NULL);
    put(rows, "organisation.hosting.host", config->organisation.hosting.host, NULL);
    put_limits(&config->limits, rows);
    put_admin(&config->admin, rows);
}
