/*
 * absent.c: chains of which a reader finds nothing (see audit.h).
 *
 * Who searches does not verify, and must be told at least that a whole chain is not there: what
 * only its sessions did is in no answer. The headers of each chain's first and last file say how
 * many there are.
 */
#include "file.h"
#include "lines.h"
#include "shelf.h"

#include <jansson.h>
#include <pgvigil/audit.h>
#include <string.h>

/* 0: it does not tell. */
static unsigned chains_of(const struct shelf *shelf, const struct shelf_file *file)
{
    struct lines *lines = NULL;
    const char *why = NULL;
    const char *line = NULL;
    size_t len = 0;
    json_int_t chains = 0;
    if (lines_open_at(shelf->dir_fd, file->name, &lines, &why) != OK)
        return 0;
    if (lines_next(lines, &line, &len) == OK) {
        json_t *header = json_loadb(line, len, 0, NULL);
        const char *type = json_string_value(json_object_get(header, "type"));
        if (type && strcmp(type, "header") == 0)
            chains = json_integer_value(json_object_get(header, "chains"));
        json_decref(header);
    }
    lines_close(lines);
    return chains > 0 && chains <= (json_int_t)AUDIT_CHAIN_BY_HAND ? (unsigned)chains : 0;
}

enum status audit_absent(const char *directory, unsigned *count, unsigned *first)
{
    struct shelf shelf;
    bool there[AUDIT_CHAIN_BY_HAND] = {false};
    unsigned all = 0;
    *count = *first = 0;
    enum status status = shelf_open(directory, &shelf);
    if (status != OK)
        return status;
    for (size_t i = 0; i < shelf.count; i++) {
        const struct shelf_file *file = &shelf.files[i];
        if (file->chain >= AUDIT_CHAIN_BY_HAND)
            break;
        bool begins = !there[file->chain];
        unsigned chains = begins || file->last ? chains_of(&shelf, file) : 0;
        there[file->chain] = true;
        all = chains > all ? chains : all;
        all = file->chain >= all ? file->chain + 1 : all;
    }
    shelf_close(&shelf);
    for (unsigned i = 0; i < all; i++) {
        if (!there[i] && (*count)++ == 0)
            *first = i;
    }
    return OK;
}
