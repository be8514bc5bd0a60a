/*
 * texts.c: the stylesheets of documents, as they were when the program was built.
 */
#include "tools/doc_render.h"

#include <string.h>

struct entry {
    const char *name;
    const unsigned char *bytes;
    size_t len;
};

#include "texts_table.inc"

const char *doc_texts_find(const char *name, size_t *len)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        if (strcmp(entries[i].name, name) != 0)
            continue;
        *len = entries[i].len;
        return (const char *)entries[i].bytes;
    }
    return NULL;
}
