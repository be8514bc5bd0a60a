/*
 * cmd_notice.c: `pgvigil notice`: what patients are told (GDPR, article 13), for the waiting room.
 *
 * Trust boundary: as doc.c. What the page promises is what the policy gives: who sees which data is
 * computed from the rules, not written by hand.
 */
#include "tools/doc.h"

#include <string.h>

static const char about[] =
    "Writes what article 13 of the GDPR wants patients to be told, of what configuration and\n"
    "policy say, as a page to put up or to hand out: who answers for the data, why they are used,\n"
    "who sees them, how long they are kept, and the patients' rights.\n"
    "\n"
    "  --form poster    one page of A4, to be read from where people sit (default)\n"
    "  --form leaflet   the whole of it: each purpose with its data and recipients";

static const char exits[] =
    "Exit status: 0 complete, 1 something is to be completed, 2 wrong usage, 3 cannot be done.";

/* Whether any purpose stands on one of these letters of article 6. */
static bool stands_on(const struct policy *policy, const char *letters)
{
    for (size_t i = 0; i < policy->mission_count; i++) {
        const char *basis = policy->missions[i].legal_basis;
        if (basis && strchr(letters, basis[strlen(basis) - 1]))
            return true;
    }
    return false;
}

/* Which rights there are depends on why the data are used: articles 7.3, 20 and 21. */
static json_t *rights_of(const struct policy *policy)
{
    return json_pack("{s:b, s:b, s:b}", "objection", stands_on(policy, "ef"), "portability",
                     stands_on(policy, "ab"), "withdrawal", stands_on(policy, "a"));
}

/* Every role that has a mission, once. */
static json_t *recipients_of(const struct doc *doc)
{
    json_t *list = json_array();
    for (size_t i = 0; i < doc->policy->role_count; i++) {
        const struct policy_role *role = &doc->policy->roles[i];
        char what[128];
        (void)snprintf(what, sizeof what, "roles.%s", role->name);
        (void)json_array_append_new(
            list, json_pack("{s:s, s:o}", "name", role->name, "title",
                            doc_title(doc, role->title, role->title_en, what, "title")));
    }
    return list;
}

static void fill(struct doc *doc, const char *form)
{
    doc_set(doc, "form", json_string(form));
    doc_set(doc, "activities", doc_activities(doc));
    doc_set(doc, "categories", doc_categories(doc));
    doc_set(doc, "recipients", recipients_of(doc));
    doc_set(doc, "hosting", doc_hosting(doc));
    doc_set(doc, "retention", doc_retention(doc));
    doc_set(doc, "rights", rights_of(doc->policy));
}

int cmd_notice(int argc, char **argv)
{
    struct doc_options asked = {0};
    const char *form = "poster";
    struct cli_option options[DOC_OPTIONS + 3] = {
        DOC_CONFIG_OPTION(asked), {0, "form", "WORD", "poster (default) or leaflet", &form, NULL}};
    doc_options(&asked, "html (default) or json", options + 2);
    const struct cli_command command = {
        .name = "notice", .about = about, .exits = exits, .options = options};
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code != CLI_CONTINUE)
        return code;
    if (strcmp(form, "poster") != 0 && strcmp(form, "leaflet") != 0)
        return cli_fail(&command, CLI_USAGE, "--form is poster or leaflet, not '%s'", form);
    struct doc doc;
    code = doc_begin(&command, &asked, "notice", false, &doc);
    if (code == CLI_FINE) {
        fill(&doc, form);
        code = doc_end(&command, &asked, &doc, form, NULL);
    }
    doc_free(&doc);
    return code;
}
