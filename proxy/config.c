/*
 * config.c: pgvigil.cfg as plain data (see config.h).
 *
 * Trust boundary: the administrator's file. A key that is not known is an error and never ignored
 * (a misspelt "client_ca" must not silently ask nobody for a certificate), as is a private key that
 * others can read. All errors are collected, so that one run of `pgvigil check` tells everything.
 * Ownership: one arena per configuration, which also holds the struct.
 */
#include "proxy/config_read.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pgvigil/log.h>
#include <pgvigil/text.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAKE_HINT "run certs/make for a development one, or give the path of yours"

/* ---- what may stand where ---- */

#define FIELD(kind, type, member, ...)                                                             \
    {                                                                                              \
        .name = #member, .form = kind, .offset = offsetof(type, member), __VA_ARGS__               \
    }

static const struct config_field listen_fields[] = {
    FIELD(FIELD_TEXT, struct config_listen, address),
    FIELD(FIELD_U16, struct config_listen, port, .min = 1, .max = 65535),
    FIELD(FIELD_FILE, struct config_listen, certificate, .remedy = MAKE_HINT),
    FIELD(FIELD_SECRET, struct config_listen, key, .remedy = MAKE_HINT),
    FIELD(FIELD_FILE, struct config_listen, client_ca, .remedy = MAKE_HINT),
    FIELD(FIELD_BOOL, struct config_listen, plaintext),
    FIELD(FIELD_UINT, struct config_listen, backlog, .min = 1, .max = 65535),
    {.name = NULL}};

static const struct config_field database_fields[] = {
    FIELD(FIELD_TEXT, struct config_database, name, .required = true),
    FIELD(FIELD_UINT, struct config_database, pool, .min = 1, .max = 10000),
    FIELD(FIELD_CONNINFO, struct config_database, conninfo, .required = true),
    FIELD(FIELD_TEXT, struct config_database, owner, .required = true),
    FIELD(FIELD_CONNINFO, struct config_database, unrestricted),
    FIELD(FIELD_TEXT, struct config_database, mode),
    {.name = NULL}};

static const struct config_field limit_fields[] = {
    FIELD(FIELD_UINT, struct config_limits, connections, .min = 1, .max = 1000000),
    FIELD(FIELD_UINT, struct config_limits, connections_per_user, .max = 1000000),
    FIELD(FIELD_UINT, struct config_limits, connections_per_address, .max = 1000000),
    FIELD(FIELD_UINT, struct config_limits, login_seconds, .min = 1, .max = 3600),
    FIELD(FIELD_UINT, struct config_limits, connect_seconds, .min = 1, .max = 3600),
    FIELD(FIELD_UINT, struct config_limits, idle_seconds, .max = 31536000),
    FIELD(FIELD_UINT, struct config_limits, server_idle_seconds, .min = 1, .max = 31536000),
    FIELD(FIELD_UINT, struct config_limits, server_check_seconds, .max = 31536000),
    FIELD(FIELD_UINT, struct config_limits, server_lifetime_seconds, .max = 31536000),
    FIELD(FIELD_UINT, struct config_limits, failed_logins, .min = 1, .max = 1000000),
    FIELD(FIELD_SIZE, struct config_limits, message_bytes, .min = 16384, .max = 0x3ffffffe),
    FIELD(FIELD_SIZE, struct config_limits, statement_cache_bytes, .max = 0x3fffffff),
    FIELD(FIELD_UINT, struct config_limits, prepared_lookups, .max = 400),
    {.name = NULL}};

struct audit_fields {
    const char *directory;
    const char *key;
    const char *durability;
    const char *rotate;
    unsigned checkpoint_seconds;
    size_t file_bytes;
    size_t reserve_bytes;
    bool compress;
};

static const struct config_field audit_field_list[] = {
    FIELD(FIELD_PATH, struct audit_fields, directory, .required = true),
    FIELD(FIELD_SECRET, struct audit_fields, key, .required = true, .remedy = MAKE_HINT),
    FIELD(FIELD_TEXT, struct audit_fields, durability),
    FIELD(FIELD_UINT, struct audit_fields, checkpoint_seconds, .min = 1, .max = 86400),
    FIELD(FIELD_SIZE, struct audit_fields, file_bytes, .min = 65536, .max = (int64_t)1 << 40),
    FIELD(FIELD_SIZE, struct audit_fields, reserve_bytes, .max = (int64_t)1 << 30),
    FIELD(FIELD_TEXT, struct audit_fields, rotate),
    FIELD(FIELD_BOOL, struct audit_fields, compress),
    {.name = "retention", .form = FIELD_GROUP},
    {.name = "ship", .form = FIELD_GROUP},
    {.name = NULL}};

static const struct config_field retention_fields[] = {
    FIELD(FIELD_UINT, struct audit_retention, technical_days, .min = 1, .max = 36500),
    FIELD(FIELD_TEXT, struct audit_retention, justification),
    FIELD(FIELD_UINT, struct audit_retention, care_years, .min = 1, .max = 1000),
    {.name = NULL}};

struct alert_fields {
    const char *command;
};

static const struct config_field alert_field_list[] = {
    FIELD(FIELD_FILE, struct alert_fields, command, .required = true,
          .remedy = "give the path of a program; arguments are not possible"),
    {.name = NULL}};

static const struct config_field admin_fields[] = {
    FIELD(FIELD_TEXT, struct config_admin, address),
    FIELD(FIELD_U16, struct config_admin, port, .min = 1, .max = 65535),
    FIELD(FIELD_BOOL, struct config_admin, unauthenticated),
    {.name = "users", .form = FIELD_GROUP},
    {.name = NULL}};

struct top_fields {
    const char *policy;
    unsigned workers;
    unsigned worker_fill;
    const char *pseudonym_key;
    const char *log_level;
};

static const struct config_field top_field_list[] = {
    FIELD(FIELD_FILE, struct top_fields, policy, .required = true,
          .remedy = "give the policy's directory or file"),
    FIELD(FIELD_UINT, struct top_fields, workers, .max = 256),
    FIELD(FIELD_UINT, struct top_fields, worker_fill, .min = 1, .max = 100000),
    FIELD(FIELD_SECRET, struct top_fields, pseudonym_key,
          .remedy = "run certs/make, or write 64 random hexadecimal digits"),
    FIELD(FIELD_TEXT, struct top_fields, log_level),
    {.name = "listen", .form = FIELD_GROUP},
    {.name = "databases", .form = FIELD_GROUP, .required = true},
    {.name = "audit", .form = FIELD_GROUP, .required = true},
    {.name = "limits", .form = FIELD_GROUP},
    {.name = "alert", .form = FIELD_GROUP},
    {.name = "admin", .form = FIELD_GROUP},
    {.name = "organisation", .form = FIELD_GROUP},
    {.name = NULL}};

/* ---- groups ---- */

static void check_address(struct config_reader *reader, const config_setting_t *group,
                          const char *key, const char *address)
{
    unsigned char number[16];
    if (*address && strcmp(address, "*") != 0 && inet_pton(AF_INET, address, number) != 1 &&
        inet_pton(AF_INET6, address, number) != 1)
        config_complain(reader, group,
                        "%s \"%s\" is not an IPv4 or IPv6 address (\"*\": every one)", key,
                        address);
}

static void read_listen(struct config_reader *reader, const config_setting_t *root,
                        struct config_listen *listen)
{
    listen->address = "127.0.0.1";
    listen->port = 6432;
    listen->backlog = 1024;
    const config_setting_t *group = config_group(reader, root, "listen");
    listen->place = config_place(reader, group ? group : root);
    if (group)
        config_read_fields(reader, group, listen_fields, listen);
    check_address(reader, group, "listen.address", listen->address);
    if (!listen->certificate != !listen->key)
        config_complain(reader, group, "listen.certificate and listen.key come together");
    else if (!listen->certificate && !listen->plaintext)
        config_complain(
            reader, group ? group : root,
            "listen has no certificate and key; certs/make writes a pair for development "
            "(or plaintext = true, for tests only)");
    if (listen->client_ca && !listen->certificate)
        config_complain(reader, group, "listen.client_ca needs listen.certificate and listen.key");
}

static void read_mode(struct config_reader *reader, const config_setting_t *setting,
                      struct config_database *database)
{
    const config_setting_t *mode = config_setting_get_member(setting, "mode");
    if (!database->mode || strcmp(database->mode, "enforce") == 0) {
        database->mode = "enforce";
        return;
    }
    database->observe = strcmp(database->mode, "observe") == 0;
    if (!database->observe)
        config_complain(reader, mode, "mode is \"enforce\" or \"observe\", not \"%s\"",
                        database->mode);
    else if (!config_setting_get_member(setting, "unrestricted"))
        config_complain(reader, mode,
                        "mode = \"observe\" needs unrestricted: every statement runs as that "
                        "login, with all its rights");
}

static void read_database(struct config_reader *reader, const config_setting_t *setting,
                          struct config_database *database)
{
    database->pool = 20;
    database->place = config_place(reader, setting);
    if (!config_setting_is_group(setting)) {
        config_complain(reader, setting, "an entry of databases must be a group { name = ...; }");
        return;
    }
    config_read_fields(reader, setting, database_fields, database);
    read_mode(reader, setting, database);
    if (database->name && !*database->name)
        config_complain(reader, setting, "a database's name is empty");
    if (database->name && strcmp(database->name, CONFIG_CONSOLE_DATABASE) == 0)
        config_complain(reader, setting,
                        "the name \"" CONFIG_CONSOLE_DATABASE
                        "\" is kept for pgvigil's own console; call the database otherwise (its "
                        "name in PostgreSQL stands in conninfo)");
    if (!database->conninfo || !database->unrestricted)
        return;
    const char *login = config_conninfo_value(reader, database->conninfo, "user");
    const char *other = config_conninfo_value(reader, database->unrestricted, "user");
    /* The login of pairs must not be one that can reach the tables: the second wall would be gone.
     */
    if (login && other && strcmp(login, other) == 0)
        config_complain(
            reader, setting,
            "unrestricted uses the login \"%s\" of conninfo; give it a login of its own", login);
}

static void read_databases(struct config_reader *reader, const config_setting_t *root,
                           struct config *config)
{
    const config_setting_t *list = config_setting_get_member(root, "databases");
    if (!list)
        return; /* the missing key was told */
    if (!config_setting_is_list(list) || config_setting_length(list) == 0) {
        config_complain(reader, list,
                        "databases must be a list of groups: ( { name = \"records\"; ... } )");
        return;
    }
    size_t count = (size_t)config_setting_length(list);
    struct config_database *databases = arena_zalloc(reader->arena, count, sizeof *databases);
    if (!databases)
        return;
    config->databases = databases;
    config->database_count = count;
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(list, (unsigned)i);
        read_database(reader, setting, &databases[i]);
        for (size_t j = 0; j < i && databases[i].name; j++) {
            if (databases[j].name && strcmp(databases[j].name, databases[i].name) == 0)
                config_complain(reader, setting,
                                "database \"%s\" stands here twice (first in line %u)",
                                databases[i].name, databases[j].place.line);
        }
    }
}

/* Délibération 2021-122 of the CNIL: logs are kept for six to twelve months; for longer only where
 * that is justified, and the justification is written down. */
#define TECHNICAL_DAYS_LEAST 180U
#define TECHNICAL_DAYS_MOST  365U
#define JUSTIFICATION_LEAST  20U
#define JUSTIFICATION_MOST   1000U

static void read_retention(struct config_reader *reader, const config_setting_t *audit,
                           struct audit_retention *retention)
{
    const config_setting_t *group = config_group(reader, audit, "retention");
    if (!group)
        return;
    config_read_fields(reader, group, retention_fields, retention);
    const config_setting_t *days = config_setting_get_member(group, "technical_days");
    const config_setting_t *years = config_setting_get_member(group, "care_years");
    const config_setting_t *why = config_setting_get_member(group, "justification");
    size_t len = retention->justification ? strlen(retention->justification) : 0;
    if (days && retention->technical_days > 0 && retention->technical_days < TECHNICAL_DAYS_LEAST)
        config_complain(reader, days,
                        "audit.retention.technical_days = %u is less than six months: the CNIL's "
                        "recommendation on logging (2021-122) says that logs are kept for six to "
                        "twelve months, since misuse is mostly found late; give 180 to 365",
                        retention->technical_days);
    if (retention->technical_days > TECHNICAL_DAYS_MOST && len == 0)
        config_complain(reader, days,
                        "audit.retention.technical_days = %u is more than a year, and the CNIL's "
                        "recommendation on logging (2021-122) wants a written reason for that: "
                        "give audit.retention.justification, or 180 to 365",
                        retention->technical_days);
    if (why && (len < JUSTIFICATION_LEAST || len > JUSTIFICATION_MOST))
        config_complain(reader, why,
                        "audit.retention.justification must say why in %u to %u bytes; an auditor "
                        "will read it",
                        JUSTIFICATION_LEAST, JUSTIFICATION_MOST);
    if (retention->care_years > 0 && retention->technical_days == 0 && !days)
        config_complain(reader, years,
                        "audit.retention.care_years needs technical_days: what is technical is not "
                        "kept for longer than what is about care");
    if (retention->care_years > 0 && retention->technical_days / 365U > retention->care_years)
        config_complain(
            reader, years,
            "audit.retention.care_years = %u is less than technical_days: what is about "
            "care is kept for at least as long",
            retention->care_years);
}

static void read_rotate(struct config_reader *reader, const config_setting_t *group,
                        const char *rotate, struct audit_options *audit)
{
    audit->daily = !rotate || strcmp(rotate, "daily") == 0;
    if (!audit->daily && strcmp(rotate, "size") != 0)
        config_complain(reader, config_setting_get_member(group, "rotate"),
                        "audit.rotate is \"daily\" (a new file each day, UTC, and past file_bytes) "
                        "or \"size\" (past file_bytes only), not \"%s\"",
                        rotate);
}

static void read_audit(struct config_reader *reader, const config_setting_t *root,
                       struct config *config)
{
    struct audit_options *audit = &config->audit;
    struct audit_fields fields = {.checkpoint_seconds = 60,
                                  .file_bytes = (size_t)256 << 20,
                                  .reserve_bytes = (size_t)1 << 20,
                                  .compress = true};
    const config_setting_t *group = config_group(reader, root, "audit");
    if (!group)
        return;
    config_read_fields(reader, group, audit_field_list, &fields);
    config_read_ship(reader, group, config);
    audit->directory = fields.directory;
    audit->key_file = fields.key;
    audit->checkpoint_seconds = fields.checkpoint_seconds;
    audit->file_bytes = fields.file_bytes;
    audit->reserve_bytes = fields.reserve_bytes;
    audit->compress = fields.compress;
    read_rotate(reader, group, fields.rotate, audit);
    read_retention(reader, group, &audit->retention);
    audit->durability = AUDIT_WRITTEN;
    if (fields.durability && strcmp(fields.durability, "synced") == 0)
        audit->durability = AUDIT_SYNCED;
    else if (fields.durability && strcmp(fields.durability, "written") != 0)
        config_complain(reader, group, "audit.durability is \"written\" or \"synced\", not \"%s\"",
                        fields.durability);
}

static void read_limits(struct config_reader *reader, const config_setting_t *root,
                        struct config_limits *limits)
{
    *limits = (struct config_limits){.connections = 1000,
                                     .connections_per_user = 200,
                                     .connections_per_address = 500,
                                     .login_seconds = 30,
                                     .connect_seconds = 30,
                                     .server_idle_seconds = 600,
                                     .server_check_seconds = 30,
                                     .server_lifetime_seconds = 3600,
                                     .failed_logins = 5,
                                     .message_bytes = (size_t)64 << 20,
                                     .statement_cache_bytes = (size_t)16 << 20,
                                     .prepared_lookups = 100};
    const config_setting_t *group = config_group(reader, root, "limits");
    if (group)
        config_read_fields(reader, group, limit_fields, limits);
}

static void read_alert(struct config_reader *reader, const config_setting_t *root,
                       struct config *config)
{
    struct alert_fields fields = {0};
    const config_setting_t *group = config_group(reader, root, "alert");
    if (!group)
        return;
    config_read_fields(reader, group, alert_field_list, &fields);
    config->alert_command = fields.command;
    struct stat about;
    if (fields.command && access(fields.command, R_OK) == 0 &&
        (stat(fields.command, &about) != 0 || !S_ISREG(about.st_mode) ||
         access(fields.command, X_OK) != 0))
        config_complain(reader, group, "alert.command \"%s\" is not a program that can be run",
                        fields.command);
}

static bool is_loopback(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1)
        return (ntohl(four.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address, &six) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127));
}

static void read_admin_users(struct config_reader *reader, const config_setting_t *group,
                             struct config_admin *admin)
{
    const config_setting_t *list = config_setting_get_member(group, "users");
    size_t count = list ? (size_t)config_setting_length(list) : 0;
    bool fine = !list || config_setting_is_array(list) || config_setting_is_list(list);
    const char **users = arena_zalloc(reader->arena, count + 1, sizeof *users);
    for (size_t i = 0; fine && users && i < count; i++) {
        const char *name = config_setting_get_string_elem(list, (int)i);
        fine = name && *name;
        users[i] = fine ? arena_strdup(reader->arena, name) : NULL;
    }
    if (!fine)
        config_complain(reader, list,
                        "admin.users must be names of the policy's users: [ \"it1\", \"it2\" ]");
    admin->users = users;
    admin->user_count = fine && users ? count : 0;
}

static void read_admin(struct config_reader *reader, const config_setting_t *root,
                       struct config_admin *admin)
{
    admin->address = "127.0.0.1";
    const config_setting_t *group = config_group(reader, root, "admin");
    admin->place = config_place(reader, group ? group : root);
    if (!group)
        return;
    config_read_fields(reader, group, admin_fields, admin);
    read_admin_users(reader, group, admin);
    check_address(reader, group, "admin.address", admin->address);
    if (!config_setting_get_member(group, "port") &&
        (config_setting_get_member(group, "address") || admin->unauthenticated))
        config_complain(reader, group, "admin.address needs admin.port");
    /* Whoever reaches the port reads how busy the hospital is, and when its audit fails. */
    if (!is_loopback(admin->address) && !admin->unauthenticated)
        config_complain(reader, group,
                        "admin.address \"%s\" is not a loopback address, and the port asks nobody "
                        "who they are; unauthenticated = true allows it, behind a firewall",
                        admin->address);
}

static int read_log_level(struct config_reader *reader, const config_setting_t *root,
                          const char *name)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (int i = 0; name && i < 4; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    if (name)
        config_complain(reader, config_setting_get_member(root, "log_level"),
                        "log_level is \"debug\", \"info\", \"warning\" or \"error\", not \"%s\"",
                        name);
    return LOG_LEVEL_INFO;
}

static unsigned cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : (unsigned)count;
}

static void read_top(struct config_reader *reader, const config_setting_t *root,
                     struct config *config)
{
    struct top_fields fields = {.worker_fill = 16};
    config_read_fields(reader, root, top_field_list, &fields);
    config->policy = fields.policy;
    config->pseudonym_key = fields.pseudonym_key;
    config->workers = fields.workers ? fields.workers : cores();
    config->worker_fill = fields.worker_fill;
    config->log_level = read_log_level(reader, root, fields.log_level);
    read_listen(reader, root, &config->listen);
    read_databases(reader, root, config);
    read_audit(reader, root, config);
    read_limits(reader, root, &config->limits);
    read_alert(reader, root, config);
    read_admin(reader, root, &config->admin);
    config_read_organisation(reader, root, &config->organisation);
    unsigned char key[CONFIG_PSEUDONYM_KEY_BYTES];
    struct buf why;
    buf_init(&why, 4096);
    if (config->pseudonym_key && !reader->file_errors &&
        config_read_pseudonym_key(config->pseudonym_key, key, &why) != OK)
        config_complain(reader, config_setting_get_member(root, "pseudonym_key"), "%.*s",
                        (int)buf_len(&why), (const char *)buf_head(&why));
    explicit_bzero(key, sizeof key);
    buf_free(&why);
}

/* ---- the file ---- */

static enum status read_file(struct config_reader *reader, config_t *file, const char *path)
{
    if (access(path, R_OK) != 0) {
        buf_printf(reader->errors, "%s: cannot read the configuration: %s\n", path,
                   strerror(errno));
        return ERR_IO;
    }
    const char *slash = strrchr(path, '/');
    char *directory = slash ? arena_strndup(reader->arena, path, (size_t)(slash - path) + 1)
                            : arena_strdup(reader->arena, ".");
    if (!directory)
        return ERR_MEMORY;
    config_set_include_dir(file, directory);
    if (config_read_file(file, path) == CONFIG_TRUE)
        return OK;
    const char *where = config_error_file(file) ? config_error_file(file) : path;
    buf_printf(reader->errors, "%s:%d: %s\n", where, config_error_line(file),
               config_error_text(file) ? config_error_text(file) : "cannot be read");
    return config_error_type(file) == CONFIG_ERR_FILE_IO ? ERR_IO : ERR_SYNTAX;
}

enum status config_load(const char *path, struct config **config, struct buf *errors)
{
    *config = NULL;
    struct arena *arena = arena_new((size_t)16 << 20);
    struct config *fresh = arena ? arena_zalloc(arena, 1, sizeof *fresh) : NULL;
    if (!fresh) {
        arena_free(arena);
        return ERR_MEMORY;
    }
    fresh->arena = arena;
    struct config_reader reader = {.arena = arena, .errors = errors, .path = path};
    config_t file;
    config_init(&file);
    char *absolute = NULL;
    enum status status = read_file(&reader, &file, path);
    if (status != OK)
        goto done;
    absolute = realpath(path, NULL);
    fresh->path = arena_strdup(arena, absolute ? absolute : path);
    reader.absolute = fresh->path;
    read_top(&reader, config_root_setting(&file), fresh);
    if (arena_failed(arena) || errors->failed)
        status = ERR_MEMORY;
    else if (reader.error_count > 0)
        status = ERR_INVALID;
done:
    free(absolute);
    config_destroy(&file);
    if (status != OK) {
        config_free(fresh);
        return status;
    }
    *config = fresh;
    return OK;
}

void config_free(struct config *config)
{
    if (config)
        arena_free(config->arena); /* which holds the struct too */
}

const struct config_database *config_find_database(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->database_count; i++) {
        if (strcmp(config->databases[i].name, name) == 0)
            return &config->databases[i];
    }
    return NULL;
}

bool config_is_admin(const struct config *config, const char *user)
{
    for (size_t i = 0; i < config->admin.user_count; i++) {
        if (strcmp(config->admin.users[i], user) == 0)
            return true;
    }
    return false;
}

static int nibble(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum status config_read_pseudonym_key(const char *path,
                                      unsigned char key[CONFIG_PSEUDONYM_KEY_BYTES],
                                      struct buf *why)
{
    char text[2 * CONFIG_PSEUDONYM_KEY_BYTES + 3] = {0};
    FILE *file = fopen(path, "re");
    if (!file) {
        buf_printf(why, "cannot read \"%s\": %s", path, strerror(errno));
        return ERR_IO;
    }
    setvbuf(file, NULL, _IONBF, 0); /* the key must not stay in stdio's buffer */
    size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    enum status status = len == 2 * (size_t)CONFIG_PSEUDONYM_KEY_BYTES ? OK : ERR_INVALID;
    for (size_t i = 0; status == OK && i < CONFIG_PSEUDONYM_KEY_BYTES; i++) {
        int high = nibble(text[2 * i]);
        int low = nibble(text[2 * i + 1]);
        if (high < 0 || low < 0)
            status = ERR_INVALID;
        else
            key[i] = (unsigned char)(high * 16 + low);
    }
    explicit_bzero(text, sizeof text);
    if (status != OK)
        buf_printf(why, "\"%s\" must hold 64 hexadecimal digits and nothing else", path);
    return status;
}
