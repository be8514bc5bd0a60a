/*
 * config_read.c: reading groups of pgvigil.cfg by a table of their keys (see config_read.h).
 *
 * Trust boundary: as config.c. Whatever is not in a table is refused by name.
 */
#include "proxy/config_read.h"

#include <errno.h>
#include <pgvigil/text.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FIELDS 16

/* The file a setting stands in, seen from where `main_file` is. libconfig tells an included file as
 * it was written, which is relative to the main file's directory. */
static const char *setting_file(const struct config_reader *reader, const config_setting_t *setting,
                                const char *main_file)
{
    const char *file = setting ? config_setting_source_file(setting) : NULL;
    if (!file || strcmp(file, reader->path) == 0)
        return main_file;
    const char *slash = strrchr(main_file, '/');
    if (*file == '/' || !slash)
        return file;
    const char *joined =
        arena_printf(reader->arena, "%.*s/%s", (int)(slash - main_file), main_file, file);
    return joined ? joined : file;
}

void config_complain(struct config_reader *reader, const config_setting_t *setting,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(reader->arena, format, args);
    va_end(args);
    unsigned line = setting ? config_setting_source_line(setting) : 0;
    buf_printf(reader->errors, "%s:%u: %s\n", setting_file(reader, setting, reader->path),
               line ? line : 1, text ? text : "out of memory");
    reader->error_count++;
}

struct policy_place config_place(struct config_reader *reader, const config_setting_t *setting)
{
    struct policy_place place = {
        .file = arena_strdup(reader->arena, setting_file(reader, setting, reader->path)),
        .line = config_setting_source_line(setting)};
    return place;
}

const config_setting_t *config_group(struct config_reader *reader, const config_setting_t *root,
                                     const char *name)
{
    const config_setting_t *group = config_setting_get_member(root, name);
    if (!group || config_setting_is_group(group))
        return group;
    config_complain(reader, group, "%s must be a group: %s = { ... };", name, name);
    return NULL;
}

const char *config_resolve(struct config_reader *reader, const config_setting_t *setting,
                           const char *path)
{
    if (*path == '/')
        return arena_strdup(reader->arena, path);
    /* The main file is known by its absolute name, so that a later chdir changes nothing. */
    const char *file = setting_file(reader, setting, reader->absolute);
    const char *slash = strrchr(file, '/');
    if (!slash)
        return arena_strdup(reader->arena, path);
    return arena_printf(reader->arena, "%.*s/%s", (int)(slash - file), file, path);
}

/* Like PostgreSQL: 0600, or 0640 when it is root's, as Debian's ssl-cert group uses. */
static bool others_may_read(const struct stat *about)
{
    unsigned open_to = (unsigned)about->st_mode & 0077U;
    return about->st_uid == 0 ? (open_to & ~040U) != 0 : open_to != 0;
}

static const char *read_path(struct config_reader *reader, const config_setting_t *setting,
                             const struct config_field *field, const char *text)
{
    if (!*text) {
        config_complain(reader, setting, "%s is empty", field->name);
        return NULL;
    }
    const char *path = config_resolve(reader, setting, text);
    if (!path || field->form == FIELD_PATH)
        return path;
    struct stat about;
    if (access(path, R_OK) != 0 || stat(path, &about) != 0) {
        config_complain(reader, setting, "%s \"%s\": %s; %s", field->name, path, strerror(errno),
                        field->remedy);
        reader->file_errors = true;
    } else if (field->form == FIELD_SECRET && others_may_read(&about)) {
        config_complain(reader, setting, "%s \"%s\" can be read by others; chmod 600 it",
                        field->name, path);
    }
    return path;
}

static void read_text(struct config_reader *reader, const config_setting_t *setting,
                      const struct config_field *field, const char **target)
{
    const char *text = config_setting_get_string(setting);
    if (!text) {
        config_complain(reader, setting, "%s must be a string in double quotes", field->name);
        return;
    }
    if (field->form == FIELD_TEXT)
        *target = arena_strdup(reader->arena, text);
    else if (field->form == FIELD_CONNINFO)
        *target = config_conninfo(reader, setting, text);
    else
        *target = read_path(reader, setting, field, text);
}

static bool read_number(struct config_reader *reader, const config_setting_t *setting,
                        const struct config_field *field, int64_t *number)
{
    int type = config_setting_type(setting);
    if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
        *number = config_setting_get_int64(setting);
        if (*number >= field->min && *number <= field->max)
            return true;
    }
    config_complain(reader, setting, "%s must be a number from %lld to %lld", field->name,
                    (long long)field->min, (long long)field->max);
    return false;
}

static void read_field(struct config_reader *reader, const config_setting_t *setting,
                       const struct config_field *field, void *target)
{
    void *at = (char *)target + field->offset;
    int64_t number = 0;
    switch (field->form) {
    case FIELD_TEXT:
    case FIELD_PATH:
    case FIELD_FILE:
    case FIELD_SECRET:
    case FIELD_CONNINFO:
        read_text(reader, setting, field, at);
        break;
    case FIELD_BOOL:
        if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
            *(bool *)at = config_setting_get_bool(setting) == CONFIG_TRUE;
        else
            config_complain(reader, setting, "%s must be true or false", field->name);
        break;
    case FIELD_U16:
        if (read_number(reader, setting, field, &number))
            *(uint16_t *)at = (uint16_t)number;
        break;
    case FIELD_UINT:
        if (read_number(reader, setting, field, &number))
            *(unsigned *)at = (unsigned)number;
        break;
    case FIELD_SIZE:
        if (read_number(reader, setting, field, &number))
            *(size_t *)at = (size_t)number;
        break;
    case FIELD_GROUP:
        break;
    }
}

static void complain_unknown(struct config_reader *reader, const config_setting_t *setting,
                             const struct config_field *fields)
{
    const char *names[MAX_FIELDS];
    size_t count = 0;
    for (const struct config_field *field = fields; field->name && count < MAX_FIELDS; field++)
        names[count++] = field->name;
    const char *name = config_setting_name(setting);
    const char *near = text_nearest(name, names, count);
    if (near) {
        config_complain(reader, setting, "unknown key \"%s\"; did you mean \"%s\"?", name, near);
        return;
    }
    struct buf list;
    buf_init(&list, 1024);
    for (size_t i = 0; i < count; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    buf_byte(&list, 0);
    config_complain(reader, setting, "unknown key \"%s\"; known here: %s", name,
                    list.failed ? "" : (const char *)buf_head(&list));
    buf_free(&list);
}

void config_read_fields(struct config_reader *reader, const config_setting_t *group,
                        const struct config_field *fields, void *target)
{
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, i);
        const struct config_field *field = fields;
        while (field->name && strcmp(field->name, config_setting_name(setting)) != 0)
            field++;
        if (field->name)
            read_field(reader, setting, field, target);
        else
            complain_unknown(reader, setting, fields);
    }
    for (const struct config_field *field = fields; field->name; field++) {
        if (!field->required || config_setting_get_member(group, field->name))
            continue;
        config_complain(reader, config_setting_is_root(group) ? NULL : group, "%s is missing",
                        field->name);
    }
}
