/*
 * doc.c: what all documents share (see doc.h).
 *
 * Trust boundary: configuration and policy are the administrator's. A document names people and
 * their doings: a file that is written here can be read by its owner only.
 */
#include "tools/doc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void doc_options(struct doc_options *options, const char *formats, struct cli_option *rows)
{
    const struct cli_option made[DOC_OPTIONS] = {
        {0, "lang", "WORD", "fr or en; default: the locale's", &options->lang, NULL},
        {0, "format", "WORD", formats, &options->format, NULL},
        {'o', "output", "FILE", "write there instead of to stdout", &options->output, NULL},
        {0, "made", "TIME", "the document's date; default: now", &options->made, NULL},
    };
    memcpy(rows, made, sizeof made);
}

static int read_format(const struct cli_command *command, const char *word, bool csv,
                       enum doc_format *format)
{
    static const char *const words[] = {"html", "json", "csv"};
    for (size_t i = 0; i < (csv ? 3U : 2U); i++) {
        if (strcmp(word ? word : "html", words[i]) == 0) {
            *format = (enum doc_format)i;
            return CLI_FINE;
        }
    }
    return cli_fail(command, CLI_USAGE, "--format is %s, not '%s'",
                    csv ? "html, json or csv" : "html or json", word);
}

static void put_frame(struct doc *doc)
{
    char local[DOC_TIME_BYTES];
    char day[11];
    doc_time_local(doc->made, local);
    (void)snprintf(day, sizeof day, "%.10s", local);
    doc->data = json_object();
    doc_set(doc, "document", json_string(doc->name));
    doc_set(doc, "language", json_string(doc->french ? "fr" : "en"));
    doc_set(doc, "made_on", json_string(day));
    doc_set(doc, "made_at", json_string(local));
    doc_set(doc, "program", json_string("pgvigil " PGVIGIL_VERSION));
    doc_set(doc, "generation", json_string(doc->policy->generation));
    doc_set(doc, "organisation", doc_organisation(doc));
}

int doc_begin(const struct cli_command *command, const struct doc_options *options,
              const char *name, bool csv, struct doc *doc)
{
    const char *why = NULL;
    *doc = (struct doc){.name = name, .made = time(NULL)};
    int code = read_format(command, options->format, csv, &doc->format);
    if (code != CLI_FINE)
        return code;
    code = cli_read_lang(command, options->lang, &doc->french);
    if (code != CLI_CONTINUE)
        return code;
    if (options->made && !doc_time_parse(options->made, &doc->made, &why))
        return cli_fail(command, CLI_USAGE, "--made %s: %s", options->made, why);
    const char *file = options->config_file ? options->config_file : CLI_DEFAULT_CONFIG;
    code = cli_load_config(file, &doc->config, stderr);
    if (code == CLI_FINE)
        code = cli_load_policy(doc->config->policy, &doc->policy, stderr);
    if (code != CLI_FINE)
        return CLI_CANNOT;
    put_frame(doc);
    return doc->data ? CLI_FINE : cli_fail(command, CLI_CANNOT, "out of memory");
}

void doc_free(struct doc *doc)
{
    json_decref(doc->data);
    json_decref(doc->printed);
    policy_unref(doc->policy);
    config_free(doc->config);
}

void doc_set(const struct doc *doc, const char *key, json_t *value)
{
    (void)json_object_set_new(doc->data, key, value);
}

json_t *doc_title(const struct doc *doc, const char *text, const char *text_en, const char *what,
                  const char *key)
{
    char missing[256];
    const char *found = doc->french ? text : text_en;
    (void)snprintf(missing, sizeof missing, "policy: %s.%s%s", what, key, doc->french ? "" : "_en");
    return doc_text(found, missing);
}

/* ---- the end ---- */

static enum status print(const struct doc *doc, const char *sheet,
                         void (*csv)(const struct doc *doc, FILE *out), FILE *out)
{
    switch (doc->format) {
    case DOC_HTML:
        return doc_render(sheet, doc->french, doc->data, out);
    case DOC_JSON:
        return json_dumpf(doc->printed ? doc->printed : doc->data, out, JSON_INDENT(1)) == 0 &&
                       fputc('\n', out) != EOF
                   ? OK
                   : ERR_IO;
    case DOC_CSV:
        csv(doc, out);
        return OK;
    }
    return ERR_INTERNAL;
}

static FILE *open_output(const char *path)
{
    if (!path)
        return stdout;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    /* One that was there before may be open to everybody. */
    bool closed = fd >= 0 && fchmod(fd, 0600) == 0;
    FILE *out = closed ? fdopen(fd, "w") : NULL;
    if (!out && fd >= 0)
        (void)close(fd);
    return out;
}

static void tell_missing(const char *key, void *context)
{
    (void)cli_fail(context, CLI_FINDINGS, "to be completed: %s", key);
}

int doc_end(const struct cli_command *command, const struct doc_options *options,
            const struct doc *doc, const char *sheet, void (*csv)(const struct doc *doc, FILE *out))
{
    FILE *out = open_output(options->output);
    if (!out)
        return cli_fail(command, CLI_CANNOT, "%s: %s", options->output, strerror(errno));
    enum status status = print(doc, sheet, csv, out);
    if (fflush(out) != 0 || ferror(out))
        status = status == OK ? ERR_IO : status;
    if (out != stdout && fclose(out) != 0)
        status = status == OK ? ERR_IO : status;
    if (status != OK)
        return cli_fail(command, CLI_CANNOT, "the document cannot be written: %s",
                        status == ERR_IO ? strerror(errno) : status_name(status));
    size_t missing =
        doc_missing_each(doc->data, tell_missing, (struct cli_command *)(uintptr_t)command);
    return missing > 0 ? CLI_FINDINGS : CLI_FINE;
}
