/*
 * policy_text.c: a policy's files into tokens, @include followed as policy/source.c does: at the
 * top level a document of its own, which is read first; inside brackets put in its place.
 */
#include "tools/policy_text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES    ((size_t)64 << 20)
#define INCLUDE_DEPTH 16U

/* Where we are in one file. */
struct scan {
    struct policy_text *text;
    struct text_tokens *tokens; /* of the document */
    size_t *depth;              /* of its brackets */
    size_t file;
    size_t at;
    unsigned reading;
    unsigned line;
    unsigned includes;
};

static enum status fail(struct policy_text *text, enum status status, const char *path,
                        const char *why)
{
    text->why = arena_printf(text->arena, "%s: %s", path, why);
    return status;
}

static enum status read_bytes(struct policy_text *text, struct text_file *file)
{
    struct stat info;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(text, ERR_IO, file->path, strerror(errno));
    char *bytes = NULL;
    size_t done = 0;
    enum status status = OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || (size_t)info.st_size > FILE_BYTES)
        status = fail(text, ERR_IO, file->path, "is not a regular file of at most 64 MiB");
    else if (!(bytes = arena_alloc(text->arena, (size_t)info.st_size + 1)))
        status = ERR_MEMORY;
    while (status == OK && done < (size_t)info.st_size) {
        ssize_t got = read(fd, bytes + done, (size_t)info.st_size - done);
        if (got <= 0 && errno != EINTR)
            status = fail(text, ERR_IO, file->path, got == 0 ? "became shorter" : strerror(errno));
        done += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    if (status != OK)
        return status;
    bytes[done] = '\0';
    file->bytes = bytes;
    file->len = done;
    file->device = info.st_dev;
    file->inode = info.st_ino;
    return OK;
}

/* The file's entry, read once however often it is included. */
static enum status find_file(struct policy_text *text, const char *path, bool fixed, size_t *index)
{
    struct text_file file = {.path = path, .readings = 1, .fixed = fixed};
    enum status status = read_bytes(text, &file);
    if (status != OK)
        return status;
    for (size_t i = 0; i < text->file_count; i++) {
        struct text_file *known = &text->files[i];
        if (known->device == file.device && known->inode == file.inode) {
            known->readings++;
            known->fixed = known->fixed || fixed;
            *index = i;
            return OK;
        }
    }
    size_t folder = strlen(text->folder);
    if (strncmp(path, text->folder, folder) == 0 && path[folder] == '/' &&
        strstr(path + folder, "/../") == NULL)
        file.name = path + folder + 1;
    struct text_file *files =
        arena_grow(text->arena, text->files, text->file_count, &text->file_cap, sizeof(*files));
    if (files == NULL)
        return ERR_MEMORY;
    text->files = files;
    files[text->file_count] = file;
    *index = text->file_count++;
    return OK;
}

static enum status push(struct scan *scan, size_t start, unsigned line, char mark)
{
    struct text_tokens *tokens = scan->tokens;
    struct text_token *items =
        arena_grow(scan->text->arena, tokens->items, tokens->count, &tokens->cap, sizeof(*items));
    if (items == NULL)
        return ERR_MEMORY;
    tokens->items = items;
    items[tokens->count++] = (struct text_token){.file = scan->file,
                                                 .start = start,
                                                 .end = scan->at,
                                                 .reading = scan->reading,
                                                 .line = line,
                                                 .mark = mark};
    return OK;
}

static const char *here(const struct scan *scan)
{
    return scan->text->files[scan->file].bytes + scan->at;
}

static enum status scan_file(struct policy_text *text, const char *path, bool fixed,
                             struct text_tokens *tokens, size_t *depth, unsigned includes);
static enum status read_document(struct policy_text *text, const char *path, bool fixed,
                                 unsigned includes);

static enum status take_include(struct scan *scan)
{
    struct policy_text *text = scan->text;
    const char *path = text->files[scan->file].path;
    const char *line = here(scan);
    size_t len = strcspn(line, "\r\n");
    const char *open = memchr(line, '"', len);
    const char *close = open ? memchr(open + 1, '"', len - (size_t)(open + 1 - line)) : NULL;
    if (!close || scan->includes == INCLUDE_DEPTH)
        return fail(text, ERR_SYNTAX, path, "an @include that cannot be followed");
    scan->at += len;
    const char *slash = strrchr(path, '/');
    bool absolute = open[1] == '/';
    const char *included =
        arena_printf(text->arena, "%.*s%.*s", absolute ? 0 : (int)(slash + 1 - path), path,
                     (int)(close - open - 1), open + 1);
    if (included == NULL)
        return ERR_MEMORY;
    return *scan->depth == 0
               ? read_document(text, included, absolute, scan->includes + 1)
               : scan_file(text, included, absolute, scan->tokens, scan->depth, scan->includes + 1);
}

static enum status take_comment(struct scan *scan)
{
    const char *text = here(scan);
    if (text[0] == '#' || text[1] == '/') {
        scan->at += strcspn(text, "\n");
        return OK;
    }
    const char *end = strstr(text + 2, "*/");
    if (end == NULL)
        return fail(scan->text, ERR_SYNTAX, scan->text->files[scan->file].path,
                    "a comment has no end");
    for (const char *c = text; c < end; c++)
        scan->line += *c == '\n' ? 1 : 0;
    scan->at += (size_t)(end + 2 - text);
    return OK;
}

static enum status take_string(struct scan *scan)
{
    size_t start = scan->at;
    unsigned line = scan->line;
    const char *text = here(scan);
    size_t len = 1;
    while (text[len] != '"' && text[len] != '\0') {
        scan->line += text[len] == '\n' ? 1 : 0;
        len += text[len] == '\\' && text[len + 1] != '\0' ? 2 : 1;
    }
    if (text[len] == '\0')
        return fail(scan->text, ERR_SYNTAX, scan->text->files[scan->file].path,
                    "a string has no end");
    scan->at += len + 1;
    return push(scan, start, line, TEXT_STRING);
}

static bool is_word(char byte)
{
    return isalnum((unsigned char)byte) || (byte != '\0' && strchr("_-+.*", byte) != NULL);
}

static enum status take(struct scan *scan)
{
    size_t start = scan->at;
    char byte = *here(scan);
    char second = here(scan)[1];
    if (byte == '@')
        return take_include(scan);
    if (byte == '#' || (byte == '/' && (second == '/' || second == '*')))
        return take_comment(scan);
    if (byte == '"')
        return take_string(scan);
    if (is_word(byte)) {
        while (is_word(*here(scan)))
            scan->at++;
        return push(scan, start, scan->line, TEXT_WORD);
    }
    scan->at++;
    if (strchr("{[(", byte) != NULL)
        ++*scan->depth;
    else if (strchr("}])", byte) != NULL && *scan->depth > 0)
        --*scan->depth;
    return push(scan, start, scan->line, byte);
}

static enum status scan_file(struct policy_text *text, const char *path, bool fixed,
                             struct text_tokens *tokens, size_t *depth, unsigned includes)
{
    struct scan scan = {.text = text,
                        .tokens = tokens,
                        .depth = depth,
                        .reading = ++text->readings,
                        .line = 1,
                        .includes = includes};
    enum status status = find_file(text, path, fixed, &scan.file);
    while (status == OK && *here(&scan) != '\0') {
        char byte = *here(&scan);
        if (isspace((unsigned char)byte)) {
            scan.line += byte == '\n' ? 1 : 0;
            scan.at++;
            continue;
        }
        status = take(&scan);
    }
    return status;
}

static enum status read_document(struct policy_text *text, const char *path, bool fixed,
                                 unsigned includes)
{
    struct text_tokens *tokens = arena_zalloc(text->arena, 1, sizeof(*tokens));
    struct text_node *root = NULL;
    size_t depth = 0;
    if (tokens == NULL)
        return ERR_MEMORY;
    enum status status = scan_file(text, path, fixed, tokens, &depth, includes);
    if (status == OK)
        status = policy_text_parse(text, tokens, &root);
    if (status == ERR_SYNTAX && text->why == NULL)
        return fail(text, ERR_SYNTAX, path, "this text cannot be followed");
    if (status != OK)
        return status;
    struct text_node **roots = arena_grow(text->arena, (void *)text->roots, text->root_count,
                                          &text->root_cap, sizeof(struct text_node *));
    if (roots == NULL)
        return ERR_MEMORY;
    text->roots = roots;
    roots[text->root_count++] = root;
    return OK;
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

enum status policy_text_read(const char *path, struct arena *arena, struct policy_text *text)
{
    *text = (struct policy_text){.arena = arena};
    struct stat info;
    if (stat(path, &info) != 0)
        return fail(text, ERR_IO, path, strerror(errno));
    if (!S_ISDIR(info.st_mode)) {
        const char *slash = strrchr(path, '/');
        text->folder = arena_strndup(arena, path, (size_t)(slash - path));
        return text->folder == NULL ? ERR_MEMORY : read_document(text, path, false, 0);
    }
    struct dirent **entries = NULL;
    text->folder = path;
    int count = scandir(path, &entries, is_policy_file, by_name);
    enum status status = count < 0 ? fail(text, ERR_IO, path, strerror(errno)) : OK;
    for (int i = 0; i < count; i++) {
        const char *file = arena_printf(arena, "%s/%s", path, entries[i]->d_name);
        if (status == OK)
            status = file == NULL ? ERR_MEMORY : read_document(text, file, false, 0);
        free(entries[i]);
    }
    free((void *)entries);
    return status;
}

const struct text_node *text_member(const struct text_node *group, const char *name)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->items[i]->name != NULL && strcmp(group->items[i]->name, name) == 0)
            return group->items[i];
    return NULL;
}

enum status policy_text_entries(const struct policy_text *text, const char *name,
                                const struct text_node ***entries, size_t *count)
{
    size_t total = 0;
    *count = 0;
    for (size_t i = 0; i < text->root_count; i++) {
        const struct text_node *list = text_member(text->roots[i], name);
        total += list == NULL ? 0 : list->count;
    }
    const struct text_node **all =
        arena_alloc(text->arena, (total + 1) * sizeof(const struct text_node *));
    if (all == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < text->root_count; i++) {
        const struct text_node *list = text_member(text->roots[i], name);
        for (size_t k = 0; list != NULL && k < list->count; k++)
            all[(*count)++] = list->items[k];
    }
    *entries = all;
    return OK;
}

/* A tab or a line end ends a name in a diff, and patch(1) would look for another file. */
static bool is_plain_name(const char *name)
{
    for (; *name != '\0'; name++)
        if ((unsigned char)*name < ' ' || *name == 0x7f)
            return false;
    return true;
}

bool policy_text_editable(const struct policy_text *text, const struct text_token *first,
                          const struct text_token *last)
{
    const struct text_file *file = &text->files[first->file];
    return first->reading == last->reading && file->name != NULL && file->readings == 1 &&
           !file->fixed && is_plain_name(file->name);
}
