/*
 * cmd_dpia.c: `pgvigil dpia`: a file that the CNIL's PIA tool imports (GDPR, article 35).
 *
 * Trust boundary: as doc.c. The tool shows answers as HTML: each is made by texts/dpia.xsl, so that
 * a name with markup stays text there, too. Titles and names are plain text to the tool.
 *
 * The form is the one that the tool's own import reads (LINCnil/pia, src/app/services/
 * pia.service.ts: importData, importAnswers, importMeasures): `pia`, and the arrays answers,
 * measures, evaluations and comments, all of which must be there. An answer names its question by
 * the number that pia_architecture.json gives it.
 */
#include "tools/doc.h"

#include <stdlib.h>
#include <string.h>

static const char about[] =
    "Writes an impact assessment that the CNIL's PIA tool imports (JSON), begun with what\n"
    "configuration and policy know: the processing, who answers for it, data and recipients,\n"
    "purposes and legal bases, hosting, and the security measures that are switched on. What "
    "needs\n"
    "judgement (necessity, impacts, threats, severity, likelihood, the officer's opinion) is left "
    "to\n"
    "those who judge: the tool shows it as not answered.";

static const char exits[] = "Exit status: 0 all that files can say is said, 1 something is to be "
                            "completed, 2 wrong usage, 3\n"
                            "cannot be done.";

#define PIA_ID 1

static void fill(struct doc *doc)
{
    doc_set(doc, "activities", doc_activities(doc));
    doc_set(doc, "categories", doc_categories(doc));
    doc_set(doc, "hosting", doc_hosting(doc));
    doc_set(doc, "retention", doc_retention(doc));
    doc_set(doc, "rights", doc_rights(doc));
    doc_set(doc, "security", doc_measures(doc));
    doc_set(doc, "databases", json_integer((json_int_t)doc->config->database_count));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* What the tool takes for plain text: a value of the data, or the word for its lack. */
static const char *plain(const struct doc *doc, const json_t *value)
{
    const char *text = json_string_value(value);
    return text ? text : doc->french ? "À COMPLÉTER" : "TO BE COMPLETED";
}

static json_t *officer_of(const struct doc *doc)
{
    const json_t *dpo = json_object_get(json_object_get(doc->data, "organisation"), "dpo");
    const char *none = json_string_value(json_object_get(dpo, "not_designated"));
    if (none)
        return json_sprintf("%s%s", doc->french ? "Non désigné : " : "Not designated: ", none);
    return json_string(plain(doc, json_object_get(dpo, "name")));
}

static json_t *assessment_of(const struct doc *doc, const char *now)
{
    const json_t *name = json_object_get(json_object_get(doc->data, "organisation"), "name");
    return json_pack(
        "{s:i, s:i, s:o, s:s, s:s, s:s, s:s, s:n, s:n, s:o, s:n, s:n, s:n, s:n, s:n, s:n, s:i, "
        "s:i, "
        "s:s, s:s}",
        "id", PIA_ID, "status", 0, "name",
        json_sprintf("%s – %s", doc->french ? "Dossiers des patients" : "Patients’ records",
                     plain(doc, name)),
        "category", "", "author_name", "", "evaluator_name", "", "validator_name", "", "dpo_status",
        "dpo_opinion", "dpos_names", officer_of(doc), "people_names", "concerned_people_opinion",
        "concerned_people_status", "concerned_people_searched_opinion",
        "concerned_people_searched_content", "rejected_reason", "is_example", 0, "is_archive", 0,
        "created_at", now, "updated_at", now);
}

static json_t *answer_of(const json_t *part, json_int_t id, json_int_t question, const char *now)
{
    return json_pack("{s:I, s:i, s:I, s:{s:s, s:n, s:n}, s:s}", "id", id, "pia_id", PIA_ID,
                     "reference_to", question, "data", "text", text_of(part, "html"), "gauge",
                     "list", "created_at", now);
}

static json_t *measure_of(const json_t *part, json_int_t id, const char *now)
{
    return json_pack("{s:I, s:i, s:s, s:s, s:s, s:s}", "id", id, "pia_id", PIA_ID, "title",
                     text_of(part, "title"), "content", text_of(part, "html"), "placeholder",
                     "measures.default_placeholder", "created_at", now);
}

static json_t *file_of(const struct doc *doc, const json_t *parts)
{
    json_t *answers = json_array();
    json_t *measures = json_array();
    char now[DOC_TIME_BYTES];
    doc_time_utc(doc->made, now);
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        const char *id = text_of(part, "id");
        long question = strtol(id, NULL, 10);
        if (strcmp(id, "measure") == 0)
            (void)json_array_append_new(
                measures, measure_of(part, (json_int_t)json_array_size(measures) + 1, now));
        else
            (void)json_array_append_new(
                answers, answer_of(part, (json_int_t)json_array_size(answers) + 1, question, now));
    }
    return json_pack("{s:o, s:o, s:o, s:[], s:[]}", "pia", assessment_of(doc, now), "answers",
                     answers, "measures", measures, "evaluations", "comments");
}

static int write_file(const struct cli_command *command, const struct doc_options *asked,
                      struct doc *doc)
{
    json_t *parts = NULL;
    fill(doc);
    enum status status = doc_render_parts("dpia", doc->french, doc->data, &parts);
    if (status == OK)
        doc->printed = file_of(doc, parts);
    json_decref(parts);
    if (status != OK || !doc->printed)
        return cli_fail(command, CLI_CANNOT, "the file cannot be made: %s",
                        status_name(status == OK ? ERR_MEMORY : status));
    return doc_end(command, asked, doc, NULL, NULL);
}

int cmd_dpia(int argc, char **argv)
{
    struct doc_options asked = {0};
    struct cli_option options[DOC_OPTIONS + 2] = {DOC_CONFIG_OPTION(asked)};
    doc_options(&asked, "json, the only one", options + 1);
    const struct cli_command command = {
        .name = "dpia", .about = about, .exits = exits, .options = options};
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code != CLI_CONTINUE)
        return code;
    if (asked.format && strcmp(asked.format, "json") != 0)
        return cli_fail(&command, CLI_USAGE, "--format is json, not '%s'", asked.format);
    asked.format = "json";
    struct doc doc;
    code = doc_begin(&command, &asked, "dpia", false, &doc);
    if (code == CLI_FINE)
        code = write_file(&command, &asked, &doc);
    doc_free(&doc);
    return code;
}
