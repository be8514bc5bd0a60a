/*
 * doc.h: what all documents share: options, the data that stand in each of them, and their end.
 *
 * A document is one JSON object; its HTML is made of that by a stylesheet (doc_render.h), and so is
 * what it has of CSV. Nothing in it is invented: what configuration, policy and command line do not
 * say is marked, told on stderr, and makes the exit status 1.
 */
#ifndef PGVIGIL_TOOLS_DOC_H
#define PGVIGIL_TOOLS_DOC_H

#include "tools/cli.h"
#include "tools/doc_render.h"
#include "tools/doc_time.h"

#include <jansson.h>
#include <pgvigil/config.h>
#include <pgvigil/policy.h>
#include <stdio.h>
#include <time.h>

enum doc_format { DOC_HTML, DOC_JSON, DOC_CSV };

struct doc_options {
    const char *config_file;
    const char *lang;
    const char *format;
    const char *output;
    const char *made;
};

/* Without -c, which some commands have of audit_reader.h. */
#define DOC_OPTIONS 4U
/* Puts DOC_OPTIONS rows there. `formats`: "html (default) or json". */
void doc_options(struct doc_options *options, const char *formats, struct cli_option *rows);
#define DOC_CONFIG_OPTION(options)                                                                 \
    {                                                                                              \
        'c', "config", "FILE", "the configuration; default " CLI_DEFAULT_CONFIG,                   \
            &(options).config_file, NULL                                                           \
    }

struct doc {
    const char *name; /* "register" */
    bool french;
    enum doc_format format;
    time_t made;
    struct config *config;
    struct policy *policy;
    json_t *data;
    json_t *printed; /* what JSON is, where that is not `data` */
    void *context;   /* for what writes its CSV */
};

/* Reads options, configuration and policy, and begins the data. `csv`: the document has that form.
 * CLI_FINE, or the exit code; doc_free in any case. */
int doc_begin(const struct cli_command *command, const struct doc_options *options,
              const char *name, bool csv, struct doc *doc);
/* Writes the document: as HTML by texts/<sheet>.xsl, as CSV by `csv`. Then tells what is missing.
 * CLI_FINE; CLI_FINDINGS: something is; CLI_CANNOT. */
int doc_end(const struct cli_command *command, const struct doc_options *options,
            const struct doc *doc, const char *sheet,
            void (*csv)(const struct doc *doc, FILE *out));
void doc_free(struct doc *doc);

/* Takes `value`. */
void doc_set(const struct doc *doc, const char *key, json_t *value);
/* What is in the document's language: `text` is French, `text_en` English. What is missing is told
 * as "policy: <what>.<key>", with _en behind it. */
json_t *doc_title(const struct doc *doc, const char *text, const char *text_en, const char *what,
                  const char *key);

/* doc_parts.c */
json_t *doc_organisation(const struct doc *doc);
json_t *doc_hosting(const struct doc *doc);
/* doc_measures.c: what protects the records, as the configuration has it. */
json_t *doc_measures(const struct doc *doc);
/* doc_policy.c: what missions are for, which data they use and who works under them. */
json_t *doc_activities(const struct doc *doc);
/* The categories that any role sees, and those of one column ("medical", or NULL). */
json_t *doc_categories(const struct doc *doc);
json_t *doc_category(const struct doc *doc, const char *name);
json_t *doc_retention(const struct doc *doc);
/* What may be asked for: do tables say whose rows are, and the rights that the policy holds. */
json_t *doc_rights(const struct doc *doc);

#endif
