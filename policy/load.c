/*
 * load.c: policy files into a policy, or into everything that is wrong with them.
 *
 * Trust boundary: an administrator's files; a load that fails leaves nothing behind. Ownership:
 * until the end the policy has one reference, this function's; messages are in the errors' arena.
 */
#include "load.h"
#include "private.h"

#include <pgvigil/text.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void *load_push(struct arena *arena, struct pile *pile, size_t size)
{
    char *items = arena_grow(arena, pile->items, pile->count, &pile->cap, size);
    if (items == NULL)
        return NULL;
    pile->items = items;
    return memset(items + pile->count++ * size, 0, size);
}

void load_report(struct loader *loader, struct policy_place place, const char *format, ...)
{
    struct arena *arena = loader->errors->arena;
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(arena, format, args);
    va_end(args);
    struct loader_error *error = load_push(arena, &loader->reports, sizeof(*error));
    if (error != NULL && message != NULL)
        *error = (struct loader_error){.error = {.place = place, .message = message},
                                       .order = loader->reports.count};
    else if (error != NULL)
        loader->reports.count--;
}

bool check_name(struct loader *loader, struct policy_place place, const char *what,
                const char *name)
{
    size_t len = 0;
    while (isalnum((unsigned char)name[len]) || name[len] == '_' || name[len] == '-')
        len++;
    if (isalpha((unsigned char)name[0]) && name[len] == '\0' && len <= 48)
        return true;
    load_report(
        loader, place,
        "\"%s\" cannot be the name of %s: a letter, then letters, digits, _ and -, up to 48", name,
        what);
    return false;
}

int check_find(struct loader *loader, const struct raw_name *name, const char *what,
               const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name->text) == 0)
            return (int)i;
    const char *nearest = text_nearest(name->text, names, count);
    if (nearest != NULL)
        load_report(loader, name->place, "unknown %s \"%s\" (did you mean \"%s\"?)", what,
                    name->text, nearest);
    else
        load_report(loader, name->place, "unknown %s \"%s\": none is declared with that name", what,
                    name->text);
    return -1;
}

struct top_key {
    const char *name;
    void (*load)(struct loader *, const struct document *, config_setting_t *);
};

static const struct top_key top_keys[] = {
    {"tables", load_tables},         {"masks", load_masks},
    {"attributes", load_attributes}, {"missions", load_missions},
    {"roles", load_roles},           {"filters", load_filters},
    {"rules", load_rules},           {"functions", load_functions},
    {"sequences", load_sequences},   {"users", load_users},
    {"retention", load_retention},   {"rights", load_rights},
    {"categories", load_categories}, {"fhir_patient", load_fhir_patient},
};
#define TOP_KEY_COUNT (sizeof(top_keys) / sizeof(top_keys[0]))

void load_document(struct loader *loader, const struct document *document, config_setting_t *root)
{
    const char *names[TOP_KEY_COUNT];
    for (size_t key = 0; key < TOP_KEY_COUNT; key++)
        names[key] = top_keys[key].name;
    for (int i = 0; i < config_setting_length(root); i++) {
        config_setting_t *setting = config_setting_get_elem(root, (unsigned)i);
        const char *name = config_setting_name(setting);
        size_t key = 0;
        while (key < TOP_KEY_COUNT && strcmp(names[key], name) != 0)
            key++;
        if (key < TOP_KEY_COUNT) {
            top_keys[key].load(loader, document, setting);
            continue;
        }
        struct policy_place place = document_place(document, config_setting_source_line(setting));
        const char *nearest = text_nearest(name, names, TOP_KEY_COUNT);
        if (nearest != NULL)
            load_report(loader, place, "unknown key \"%s\" (did you mean \"%s\"?)", name, nearest);
        else
            load_report(
                loader, place,
                "unknown key \"%s\"; known are: tables, masks, attributes, missions, roles, "
                "filters, rules, functions, sequences, users, retention, rights, categories, "
                "fhir_patient",
                name);
    }
}

static int is_policy_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".cfg") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_directory(struct loader *loader, const char *path)
{
    struct dirent **entries = NULL;
    struct policy_place place = {.file = path};
    int count = scandir(path, &entries, is_policy_file, by_name);
    if (count < 0) {
        load_report(loader, place, "cannot read the directory: %s", strerror(errno));
        loader->io_failed = true;
        return;
    }
    if (count == 0)
        load_report(loader, place, "no policy here: the directory holds no *.cfg file");
    size_t len = strlen(path);
    const char *slash = len > 0 && path[len - 1] == '/' ? "" : "/";
    for (int i = 0; i < count; i++) {
        char *file = arena_printf(loader->arena, "%s%s%s", path, slash, entries[i]->d_name);
        if (file != NULL)
            source_read(loader, file, (struct policy_place){0});
        free(entries[i]);
    }
    free((void *)entries);
}

static void read_path(struct loader *loader, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        load_report(loader, (struct policy_place){.file = path}, "cannot read the policy: %s",
                    strerror(errno));
        loader->io_failed = true;
    } else if (S_ISDIR(info.st_mode)) {
        read_directory(loader, path);
    } else {
        source_read(loader, path, (struct policy_place){0});
    }
}

/* Where a file stands in the order of reading. */
static size_t file_rank(const struct loader *loader, const char *name)
{
    const struct loader_file *files = loader->files.items;
    for (size_t i = 0; i < loader->files.count; i++)
        if (files[i].name == name || (name != NULL && strcmp(files[i].name, name) == 0))
            return i;
    return 0;
}

struct ranked {
    struct loader_error error;
    size_t rank;
};

static int by_place(const void *a, const void *b)
{
    const struct ranked *one = a;
    const struct ranked *two = b;
    if (one->rank != two->rank)
        return one->rank < two->rank ? -1 : 1;
    if (one->error.error.place.line != two->error.error.place.line)
        return one->error.error.place.line < two->error.error.place.line ? -1 : 1;
    return one->error.order < two->error.order ? -1 : 1;
}

/* Sorts what was reported, drops repetitions, and makes it independent of the policy's arena. */
static enum status finish_errors(struct loader *loader)
{
    struct policy_errors *errors = loader->errors;
    const struct loader_error *reports = loader->reports.items;
    size_t count = loader->reports.count;
    struct ranked *ranked = arena_alloc(errors->arena, (count + 1) * sizeof(*ranked));
    errors->errors = arena_alloc(errors->arena, (count + 1) * sizeof(*errors->errors));
    if (ranked == NULL || errors->errors == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        ranked[i] = (struct ranked){.error = reports[i],
                                    .rank = file_rank(loader, reports[i].error.place.file)};
    qsort(ranked, count, sizeof(*ranked), by_place);
    for (size_t i = 0; i < count; i++) {
        struct policy_error error = ranked[i].error.error;
        if (i > 0 && ranked[i - 1].rank == ranked[i].rank &&
            ranked[i - 1].error.error.place.line == error.place.line &&
            strcmp(ranked[i - 1].error.error.message, error.message) == 0)
            continue;
        error.place.file = arena_strdup(errors->arena, error.place.file);
        errors->errors[errors->count++] = error;
    }
    return arena_failed(errors->arena) ? ERR_MEMORY : OK;
}

static struct policy *policy_new(const char *path)
{
    struct arena *arena = arena_new(0);
    struct policy *policy = arena == NULL ? NULL : arena_zalloc(arena, 1, sizeof(*policy));
    struct policy_private *private =
        policy == NULL ? NULL : arena_zalloc(arena, 1, sizeof(*private));
    if (private == NULL) {
        arena_free(arena);
        return NULL;
    }
    policy->private = private;
    policy->path = arena_strdup(arena, path);
    private->arena = arena;
    private->users = map_new();
    private->tables = map_new();
    private->rules = map_new();
    atomic_init(&private->references, 1);
    if (policy->path == NULL || private->users == NULL || private->tables == NULL ||
        private->rules == NULL) {
        policy_unref(policy);
        return NULL;
    }
    return policy;
}

static enum status load_all(struct loader *loader, const char *path)
{
    read_path(loader, path);
    if (arena_failed(loader->arena))
        return ERR_MEMORY;
    check_data(loader);
    check_people(loader);
    check_users(loader);
    check_categories(loader);
    check_rules(loader);
    check_conditions(loader);
    check_aggregates(loader);
    check_fhir(loader);
    if (arena_failed(loader->arena) || arena_failed(loader->errors->arena))
        return ERR_MEMORY;
    if (loader->reports.count > 0)
        return loader->io_failed ? ERR_IO : ERR_INVALID;
    if (policy_index_conditions(loader->policy) != OK)
        return ERR_MEMORY;
    enum status status = policy_digest(loader->policy);
    return status == OK ? policy_make_names(loader->policy, loader->arena) : status;
}

static enum status out_of_memory(struct policy_errors *errors)
{
    static struct policy_error error = {.place = {.file = "policy"}, .message = "out of memory"};
    arena_free(errors->arena);
    *errors = (struct policy_errors){.errors = &error, .count = 1};
    return ERR_MEMORY;
}

enum status policy_load(const char *path, struct policy **policy, struct policy_errors *errors)
{
    *policy = NULL;
    *errors = (struct policy_errors){.arena = arena_new(0)};
    struct loader loader = {.read = load_document, .errors = errors, .policy = policy_new(path)};
    if (errors->arena == NULL || loader.policy == NULL) {
        policy_unref(loader.policy);
        return out_of_memory(errors);
    }
    loader.arena = loader.policy->private->arena;
    enum status status = load_all(&loader, path);
    if (status != ERR_MEMORY && finish_errors(&loader) != OK)
        status = ERR_MEMORY;
    if (status == OK) {
        *policy = loader.policy;
        return OK;
    }
    policy_unref(loader.policy);
    return status == ERR_MEMORY ? out_of_memory(errors) : status;
}

enum status load_file(const char *path, load_reader *read, void *context, struct arena *arena,
                      struct policy_errors *errors)
{
    *errors = (struct policy_errors){.arena = arena_new(0)};
    struct loader loader = {.read = read, .context = context, .arena = arena, .errors = errors};
    if (errors->arena == NULL)
        return out_of_memory(errors);
    source_read(&loader, path, (struct policy_place){0});
    if (arena_failed(arena) || finish_errors(&loader) != OK)
        return out_of_memory(errors);
    if (errors->count == 0)
        return OK;
    return loader.io_failed ? ERR_IO : ERR_INVALID;
}
