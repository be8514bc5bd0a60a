/*
 * config_ship.c: audit.ship in pgvigil.cfg: where records are sent (see config.h).
 *
 * Trust boundary: as config.c. Records tell who works with which patients: a receiver that is not
 * verified, by its certificate and its name, is refused here and not at night.
 */
#include "proxy/config_read.h"

#include <pgvigil/text.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIELD(kind_of, member, ...)                                                                \
    {                                                                                              \
        .name = #member, .form = kind_of, .offset = offsetof(struct config_ship, member),          \
        __VA_ARGS__                                                                                \
    }

static const struct config_field ship_fields[] = {
    FIELD(FIELD_TEXT, kind, .required = true),
    FIELD(FIELD_TEXT, site),
    FIELD(FIELD_TEXT, records),
    FIELD(FIELD_TEXT, host),
    FIELD(FIELD_U16, port, .min = 1, .max = 65535),
    FIELD(FIELD_TEXT, name),
    FIELD(FIELD_FILE, ca, .remedy = "give the certificate that the receiver's is signed by"),
    FIELD(FIELD_FILE, certificate, .remedy = "give the path of yours"),
    FIELD(FIELD_SECRET, key, .remedy = "give the path of yours"),
    FIELD(FIELD_TEXT, facility),
    FIELD(FIELD_SIZE, max_message_bytes, .min = 2048, .max = 1 << 20),
    FIELD(FIELD_PATH, state),
    FIELD(FIELD_CONNINFO, conninfo),
    {.name = NULL}};

/* Which keys are whose; the others are both's. */
static const char *const syslog_keys[] = {
    "records",           "host", "port", "name", "ca", "certificate", "key", "facility",
    "max_message_bytes", "state"};
static const char *const table_keys[] = {"conninfo"};

static const struct {
    const char *name;
    unsigned number;
} facilities[] = {
    {"audit", 13},  {"authpriv", 10}, {"local0", 16}, {"local1", 17}, {"local2", 18},
    {"local3", 19}, {"local4", 20},   {"local5", 21}, {"local6", 22}, {"local7", 23},
};

static void refuse_keys(struct config_reader *reader, const config_setting_t *setting,
                        const char *kind, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *stray = config_setting_get_member(setting, keys[i]);
        if (stray)
            config_complain(reader, stray, "%s has no meaning where kind is \"%s\"", keys[i], kind);
    }
}

static void need(struct config_reader *reader, const config_setting_t *setting, const char *kind,
                 const char *key)
{
    if (!config_setting_get_member(setting, key))
        config_complain(reader, setting, "%s is missing: kind \"%s\" needs it", key, kind);
}

static void read_facility(struct config_reader *reader, const config_setting_t *setting,
                          struct config_ship *ship)
{
    for (size_t i = 0; i < sizeof facilities / sizeof facilities[0]; i++) {
        if (strcmp(ship->facility, facilities[i].name) == 0) {
            ship->facility_number = facilities[i].number;
            return;
        }
    }
    config_complain(reader, config_setting_get_member(setting, "facility"),
                    "facility is \"audit\" (13), \"authpriv\" (10) or \"local0\" to \"local7\", "
                    "not \"%s\"",
                    ship->facility);
}

static void read_syslog(struct config_reader *reader, const config_setting_t *setting,
                        struct config_ship *ship)
{
    refuse_keys(reader, setting, ship->kind, table_keys, sizeof table_keys / sizeof table_keys[0]);
    need(reader, setting, ship->kind, "host");
    need(reader, setting, ship->kind, "ca");
    need(reader, setting, ship->kind, "state");
    if (!ship->name)
        ship->name = ship->host;
    if (!ship->certificate != !ship->key)
        config_complain(reader, setting, "certificate and key come together");
    read_facility(reader, setting, ship);
    ship->checkpoints_only = strcmp(ship->records, "checkpoints") == 0;
    if (!ship->checkpoints_only && strcmp(ship->records, "all") != 0)
        config_complain(reader, config_setting_get_member(setting, "records"),
                        "records is \"all\" or \"checkpoints\", not \"%s\"", ship->records);
}

static void read_table(struct config_reader *reader, const config_setting_t *setting,
                       struct config_ship *ship)
{
    ship->table = true;
    refuse_keys(reader, setting, ship->kind, syslog_keys,
                sizeof syslog_keys / sizeof syslog_keys[0]);
    need(reader, setting, ship->kind, "conninfo");
    if (!ship->conninfo)
        return;
    const char *host = config_conninfo_value(reader, ship->conninfo, "host");
    const char *mode = config_conninfo_value(reader, ship->conninfo, "sslmode");
    if ((!host || *host != '/') && (!mode || strcmp(mode, "verify-full") != 0))
        config_complain(reader, config_setting_get_member(setting, "conninfo"),
                        "conninfo needs sslmode=verify-full: records tell who works with which "
                        "patients, and go to nobody who has not proved to be the receiver");
    /* A server that hangs must not hold up the end of the shipper, or hide that it is away. */
    struct buf out;
    buf_init(&out, 65536);
    buf_str(&out, ship->conninfo);
    static const char *const defaults[][2] = {{"connect_timeout", "10"},
                                              {"tcp_user_timeout", "60000"},
                                              {"application_name", "pgvigil-ship"}};
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        if (!config_conninfo_value(reader, ship->conninfo, defaults[i][0]))
            config_put_option(&out, defaults[i][0], defaults[i][1]);
    }
    ship->conninfo = text_take(&out, reader->arena);
}

/* The HOSTNAME of RFC 5424, and what tells one proxy's records from another's. */
static void check_site(struct config_reader *reader, const config_setting_t *setting,
                       const char *site)
{
    size_t len = strlen(site);
    bool fine = len > 0 && len <= 255;
    for (const char *at = site; *at; at++)
        fine = fine && *at > ' ' && *at < 0x7f && *at != '"' && *at != '\\' && *at != ']';
    if (!fine)
        config_complain(reader, setting,
                        "site \"%s\" must be 1 to 255 ASCII characters without spaces, quotes, "
                        "backslashes and ]: give one",
                        site);
}

static void read_one(struct config_reader *reader, const config_setting_t *setting,
                     struct config_ship *ship)
{
    static char here[256];
    ship->port = 6514;
    ship->facility = "audit";
    ship->records = "all";
    ship->max_message_bytes = 8192;
    ship->place = config_place(reader, setting);
    if (!config_setting_is_group(setting)) {
        config_complain(reader, setting, "an entry of ship must be a group { kind = ...; }");
        return;
    }
    config_read_fields(reader, setting, ship_fields, ship);
    if (!ship->site) {
        if (gethostname(here, sizeof here - 1) != 0)
            here[0] = '\0';
        ship->site = arena_strdup(reader->arena, here);
    }
    if (ship->site)
        check_site(reader, setting, ship->site);
    if (!ship->kind)
        return;
    if (strcmp(ship->kind, "syslog") == 0)
        read_syslog(reader, setting, ship);
    else if (strcmp(ship->kind, "postgresql") == 0)
        read_table(reader, setting, ship);
    else
        config_complain(reader, config_setting_get_member(setting, "kind"),
                        "kind is \"syslog\" or \"postgresql\", not \"%s\"", ship->kind);
}

void config_read_ship(struct config_reader *reader, const config_setting_t *audit,
                      struct config *config)
{
    const config_setting_t *list = config_setting_get_member(audit, "ship");
    if (!list)
        return;
    if (!config_setting_is_list(list)) {
        config_complain(reader, list,
                        "ship must be a list of groups: ( { kind = \"syslog\"; ... } )");
        return;
    }
    size_t count = (size_t)config_setting_length(list);
    struct config_ship *ships = arena_zalloc(reader->arena, count + 1, sizeof *ships);
    if (!ships)
        return;
    for (size_t i = 0; i < count; i++) {
        read_one(reader, config_setting_get_elem(list, (unsigned)i), &ships[i]);
        for (size_t j = 0; j < i; j++) {
            if (ships[i].state && ships[j].state && strcmp(ships[i].state, ships[j].state) == 0)
                config_complain(reader, config_setting_get_elem(list, (unsigned)i),
                                "state is that of the entry in line %u: each needs its own",
                                ships[j].place.line);
        }
    }
    config->ships = ships;
    config->ship_count = count;
}
