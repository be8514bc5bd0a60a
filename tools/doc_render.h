/*
 * doc_render.h: a document's data, in JSON, as a page of HTML by one of the stylesheets in texts/.
 *
 * The stylesheets are part of the program; the data come from configuration, policy and trail, and
 * hold what people have typed. Everything of theirs is put into the tree as text, and the
 * serializer escapes it: no stylesheet writes markup that data have made. Nothing is read from a
 * file or from the network, whatever a stylesheet asks for.
 */
#ifndef PGVIGIL_TOOLS_DOC_RENDER_H
#define PGVIGIL_TOOLS_DOC_RENDER_H

#include <jansson.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * What is not known stands in the data as the object { "missing": "what would say it" }. The page
 * shows it as À COMPLÉTER / TO BE COMPLETED.
 */
json_t *doc_missing(const char *key);
/* The text, or what would say it where there is none. */
json_t *doc_text(const char *text, const char *key);
/* Calls `tell` for each different key that is missing, in the order of the data. How many. */
size_t doc_missing_each(const json_t *data, void (*tell)(const char *key, void *context),
                        void *context);

/* `sheet`: "register", for texts/register.xsl. ERR_INTERNAL: the stylesheet is wrong; ERR_MEMORY;
 * ERR_IO. */
NODISCARD enum status doc_render(const char *sheet, bool french, const json_t *data, FILE *out);

/* The same for a sheet that makes pieces of HTML, <part id=""> each: [{ "id", "title", "html" }].
 * The caller owns *parts. */
NODISCARD enum status doc_render_parts(const char *sheet, bool french, const json_t *data,
                                       json_t **parts);

/* A file of texts/ as it is in the program, or NULL. */
const char *doc_texts_find(const char *name, size_t *len);

#endif
