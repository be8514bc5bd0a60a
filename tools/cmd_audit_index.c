/*
 * cmd_audit_index.c: `pgvigil audit index`: makes the indexes that `audit search` reads.
 *
 * Trust boundary: reads the trail, writes nothing but NAME.idx files. An index has hashes of
 * persons and patients: one whose file is gone is removed, so that it does not outlive what it is
 * about.
 */
#include "audit/index.h"
#include "audit/shelf.h"
#include "tools/cmd_audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char about[] =
    "Makes an index of each file of the trail that has none, beside the file or in --index,\n"
    "so that \"pgvigil audit search\" and \"report\" read only the parts that can name a patient "
    "or "
    "a\n"
    "person. Of a file that has grown since it is made anew, and what came behind it is read "
    "anyhow.\n"
    "Indexes of files that are gone are removed. Run it every night; it never touches the trail "
    "itself.\n"
    "\n"
    "--check makes each index anew, in memory, and compares: an index that somebody forged to "
    "hide\n"
    "records differs.";

struct indexer {
    const struct cli_command *command;
    struct shelf shelf;
    int dir_fd; /* of the indexes */
    bool check;
    bool anew;
    bool terminal;
    uint64_t made, there, differing, failed;
};

static void name_of(const struct shelf_file *file, char *out)
{
    shelf_stem(file, out);
    memcpy(out + strlen(out), INDEX_SUFFIX, sizeof INDEX_SUFFIX);
}

static void failed(struct indexer *indexer, const char *name, enum status status)
{
    indexer->failed++;
    const char *why = status == ERR_IO && errno ? strerror(errno)
                      : status == ERR_LIMIT
                          ? "names too many patients for an index: it is searched without one"
                      : status == ERR_INVALID ? "is damaged: it is searched without an index"
                                              : status_name(status);
    (void)cli_fail(indexer->command, CLI_CANNOT, "%s: %s", name, why);
}

static bool has_index(const struct indexer *indexer, const char *name, struct lines *lines)
{
    struct index *index = NULL;
    const char *why = NULL;
    enum status status = index_open(indexer->dir_fd, name, lines, &index, &why);
    bool whole = status == OK && index_is_whole(index);
    if (status == OK)
        index_close(index);
    return whole;
}

static void check_one(struct indexer *indexer, const struct shelf_file *file, const char *name,
                      struct lines *lines)
{
    bool same = false;
    enum status status = index_make(lines, indexer->dir_fd, NULL, name, &same);
    if (status == CLOSED)
        return;
    if (status != OK) {
        failed(indexer, file->name, status);
    } else if (!same) {
        indexer->differing++;
        (void)printf("%s: is not what %s makes: damaged, of another version, or forged\n", name,
                     file->name);
    } else {
        indexer->there++;
    }
}

static void index_one(struct indexer *indexer, const struct shelf_file *file)
{
    char name[SHELF_NAME_MAX + sizeof INDEX_SUFFIX];
    struct lines *lines = NULL;
    const char *why = NULL;
    bool same = false;
    name_of(file, name);
    enum status status = lines_open_at(indexer->shelf.dir_fd, file->name, &lines, &why);
    if (status != OK) {
        failed(indexer, file->name, status);
        return;
    }
    if (indexer->check) {
        check_one(indexer, file, name, lines);
    } else if (!indexer->anew && has_index(indexer, name, lines)) {
        indexer->there++;
    } else {
        status = lines_seek(lines, 0);
        if (status == OK)
            status = index_make(lines, indexer->dir_fd, name, NULL, &same);
        if (status == OK)
            indexer->made++;
        else
            failed(indexer, file->name, status);
    }
    lines_close(lines);
}

static bool is_orphan(const struct indexer *indexer, const char *name)
{
    char other[SHELF_NAME_MAX + sizeof INDEX_SUFFIX];
    size_t len = strlen(name);
    if (strncmp(name, "audit-", 6) != 0 || len < sizeof INDEX_SUFFIX ||
        strcmp(name + len - (sizeof INDEX_SUFFIX - 1), INDEX_SUFFIX) != 0)
        return false;
    for (size_t i = 0; i < indexer->shelf.count; i++) {
        name_of(&indexer->shelf.files[i], other);
        if (strcmp(other, name) == 0)
            return false;
    }
    return true;
}

static void remove_orphans(const struct indexer *indexer)
{
    int fd = openat(indexer->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry = NULL;
    if (!dir) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    /* One thread reads this DIR. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((entry = readdir(dir)) != NULL) {
        if (is_orphan(indexer, entry->d_name) && unlinkat(indexer->dir_fd, entry->d_name, 0) == 0)
            (void)printf("%s: removed, since its file is gone\n", entry->d_name);
    }
    (void)closedir(dir);
}

static int run(struct indexer *indexer)
{
    for (size_t i = 0; i < indexer->shelf.count; i++) {
        const struct shelf_file *file = &indexer->shelf.files[i];
        if (indexer->terminal)
            (void)fprintf(stderr, "\r\033[K%zu of %zu: %s", i + 1, indexer->shelf.count,
                          file->name);
        index_one(indexer, file);
    }
    if (indexer->terminal)
        (void)fputs("\r\033[K", stderr);
    if (indexer->check) {
        (void)printf("%llu index(es) are as they should be, %llu are not\n",
                     (unsigned long long)indexer->there, (unsigned long long)indexer->differing);
        return indexer->failed ? CLI_CANNOT : indexer->differing ? CLI_FINDINGS : CLI_FINE;
    }
    remove_orphans(indexer);
    (void)printf("%llu index(es) made, %llu were there\n", (unsigned long long)indexer->made,
                 (unsigned long long)indexer->there);
    return indexer->failed ? CLI_CANNOT : CLI_FINE;
}

static int start(struct indexer *indexer, const char *directory, const char *index_directory)
{
    if (shelf_open(directory, &indexer->shelf) != OK)
        return cli_fail(indexer->command, CLI_CANNOT, "%s: %s", directory,
                        errno ? strerror(errno) : "cannot be read");
    int code = CLI_CANNOT;
    const char *place = index_directory ? index_directory : directory;
    indexer->dir_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (indexer->dir_fd < 0)
        (void)cli_fail(indexer->command, CLI_CANNOT, "%s: %s", place, strerror(errno));
    else if (indexer->shelf.count == 0)
        (void)cli_fail(indexer->command, CLI_CANNOT, "%s holds no audit file", directory);
    else
        code = run(indexer);
    if (indexer->dir_fd >= 0)
        (void)close(indexer->dir_fd);
    shelf_close(&indexer->shelf);
    return code;
}

int cmd_audit_index(int argc, char **argv)
{
    struct indexer indexer = {.terminal = isatty(STDERR_FILENO) == 1};
    const char *index_directory = NULL;
    const struct cli_option options[] = {
        {0, "index", "DIRECTORY", "where the indexes go; default: beside the files",
         &index_directory, NULL},
        {0, "check", NULL, "write nothing, compare the indexes with new ones", NULL,
         &indexer.check},
        {0, "anew", NULL, "make those that are there, too", NULL, &indexer.anew},
        {0, NULL, NULL, NULL, NULL, NULL},
    };
    const struct cli_command command = {
        .name = "audit index",
        .operands = "DIRECTORY",
        .about = about,
        .exits =
            "Exit status: 0 done, 1 --check found a difference, 2 wrong usage, 3 a file cannot "
            "be indexed.",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
    };
    char **operands = NULL;
    size_t count = 0;
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code != CLI_CONTINUE)
        return code;
    indexer.command = &command;
    return start(&indexer, operands[0], index_directory);
}
