/*
 * config_read.h: reading groups of pgvigil.cfg by a table of their keys. Private to config*.c.
 */
#ifndef PGVIGIL_PROXY_CONFIG_READ_H
#define PGVIGIL_PROXY_CONFIG_READ_H

#include <libconfig.h>
#include <pgvigil/config.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_reader {
    struct arena *arena;
    struct buf *errors;
    const char *path;     /* as given: for messages */
    const char *absolute; /* resolved: relative paths start from its directory */
    size_t error_count;
    bool file_errors; /* some file is missing: do not complain about its content too */
};

enum field_form {
    FIELD_TEXT = 1, /* const char * */
    FIELD_PATH,     /* const char *, resolved; need not exist */
    FIELD_FILE,     /* resolved; must be readable */
    FIELD_SECRET,   /* FIELD_FILE, and nobody else may read it */
    FIELD_CONNINFO, /* const char *, checked and rewritten */
    FIELD_BOOL,     /* bool */
    FIELD_U16,      /* uint16_t */
    FIELD_UINT,     /* unsigned */
    FIELD_SIZE,     /* size_t */
    FIELD_GROUP     /* known, read elsewhere */
};

/* A key: what it holds and where in the struct it goes. A table ends with a NULL name. */
struct config_field {
    const char *name;
    size_t offset;
    int64_t min, max;
    const char *remedy; /* what to do when the file is missing */
    enum field_form form;
    bool required;
};

/* "file:line: sentence\n"; `setting` NULL: the file as a whole. */
void config_complain(struct config_reader *reader, const config_setting_t *setting,
                     const char *format, ...) __attribute__((format(printf, 3, 4)));
struct policy_place config_place(struct config_reader *reader, const config_setting_t *setting);
/* The member that must be a group; NULL when it is not there or, told, something else. */
const config_setting_t *config_group(struct config_reader *reader, const config_setting_t *root,
                                     const char *name);
/* Reads every key of a group into `target`; tells unknown and missing ones. */
void config_read_fields(struct config_reader *reader, const config_setting_t *group,
                        const struct config_field *fields, void *target);
/* Absolute, relative to the file that `setting` stands in. NULL: out of memory. */
const char *config_resolve(struct config_reader *reader, const config_setting_t *setting,
                           const char *path);
/* Parses, resolves file names, adds gssencmode=disable. NULL after telling what is wrong. */
const char *config_conninfo(struct config_reader *reader, const config_setting_t *setting,
                            const char *conninfo);
/* keyword='value', as libpq reads it, behind what is there. */
void config_put_option(struct buf *out, const char *keyword, const char *value);
/* A value of a conninfo that config_conninfo returned, in the arena; NULL when it has none. */
const char *config_conninfo_value(struct config_reader *reader, const char *conninfo,
                                  const char *keyword);
/* audit.ship, a member of `audit`. */
void config_read_ship(struct config_reader *reader, const config_setting_t *audit,
                      struct config *config);
/* organisation, a member of the root. */
void config_read_organisation(struct config_reader *reader, const config_setting_t *root,
                              struct config_organisation *organisation);

#endif
