/*
 * cmd_register.c: `pgvigil register`: the record of processing activities (GDPR, article 30).
 *
 * Trust boundary: as doc.c. No database and no trail is looked at: what the policy lets people do
 * is the processing.
 */
#include "tools/audit_cells.h"
#include "tools/doc.h"

#include <string.h>

static const char about[] =
    "Writes the record of processing activities that article 30 of the GDPR asks for, of what\n"
    "configuration and policy say: a processing for each mission, with its purpose, legal basis,\n"
    "categories of data and of persons, recipients, retention, and the security measures that are\n"
    "switched on. What the files do not say is marked, and told on stderr with the key that would\n"
    "say it.";

static const char exits[] =
    "Exit status: 0 complete, 1 something is to be completed, 2 wrong usage, 3 cannot be done.";

/* "a, b (masked)": the titles of a list. */
static void join(const json_t *list, const char *key, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_object_get(json_array_get(list, i), key);
        const char *text = json_string_value(value);
        buf_printf(out, "%s%s", i ? ", " : "", text ? text : "?");
    }
}

static void cell(const json_t *value, const struct doc *doc, FILE *out)
{
    const char *text = json_string_value(value);
    cells_csv(text ? text : doc->french ? "À COMPLÉTER" : "TO BE COMPLETED", false, out);
}

static void print_row(const struct doc *doc, const json_t *activity, struct buf *room, FILE *out)
{
    static const char *const keys[] = {"title", "description", "legal_basis"};
    cells_csv(json_string_value(json_object_get(activity, "name")), true, out);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        cell(json_object_get(activity, keys[i]), doc, out);
    const json_t *special = json_object_get(activity, "special_basis");
    if (json_is_null(special))
        cells_csv("", false, out);
    else
        cell(special, doc, out);
    join(json_object_get(activity, "categories"), "title", room);
    cells_csv(cells_string(room), false, out);
    cells_csv(json_is_true(json_object_get(activity, "sensitive")) ? doc->french ? "oui" : "yes"
              : doc->french                                        ? "non"
                                                                   : "no",
              false, out);
    join(json_object_get(activity, "recipients"), "title", room);
    cells_csv(cells_string(room), false, out);
    cell(json_object_get(activity, "retention"), doc, out);
    cells_csv_end(out);
}

static void print_csv(const struct doc *doc, FILE *out)
{
    static const char *const headings[][2] = {
        {"Mission", "Mission"},
        {"Processing", "Traitement"},
        {"Purpose", "Finalité"},
        {"Legal basis (GDPR, article 6)", "Base légale (RGPD, article 6)"},
        {"Exception (GDPR, article 9)", "Exception (RGPD, article 9)"},
        {"Categories of data", "Catégories de données"},
        {"Sensitive", "Données sensibles"},
        {"Recipients", "Destinataires"},
        {"Retention", "Durée de conservation"},
    };
    struct buf room;
    buf_init(&room, 0);
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
        cells_csv(headings[i][doc->french], i == 0, out);
    cells_csv_end(out);
    const json_t *activities = json_object_get(doc->data, "activities");
    for (size_t i = 0; i < json_array_size(activities); i++)
        print_row(doc, json_array_get(activities, i), &room, out);
    buf_free(&room);
}

static void fill(struct doc *doc)
{
    const struct audit_retention *trail = &doc->config->audit.retention;
    doc_set(doc, "hosting", doc_hosting(doc));
    doc_set(doc, "activities", doc_activities(doc));
    doc_set(doc, "security", doc_measures(doc));
    doc_set(doc, "trail_retention",
            trail->technical_days
                ? json_pack("{s:I, s:I}", "technical_days", (json_int_t)trail->technical_days,
                            "care_years", (json_int_t)trail->care_years)
                : doc_missing("pgvigil.cfg: audit.retention"));
}

int cmd_register(int argc, char **argv)
{
    struct doc_options asked = {0};
    struct cli_option options[DOC_OPTIONS + 2] = {DOC_CONFIG_OPTION(asked)};
    doc_options(&asked, "html (default), csv or json", options + 1);
    const struct cli_command command = {
        .name = "register", .about = about, .exits = exits, .options = options};
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code != CLI_CONTINUE)
        return code;
    struct doc doc;
    code = doc_begin(&command, &asked, "register", true, &doc);
    if (code == CLI_FINE) {
        fill(&doc);
        code = doc_end(&command, &asked, &doc, "register", print_csv);
    }
    doc_free(&doc);
    return code;
}
