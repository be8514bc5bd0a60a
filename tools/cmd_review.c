/*
 * cmd_review.c: `pgvigil review`: accounts and rights, once a year, to be gone through and signed.
 *
 * Trust boundary: as of `audit search`; reading the trail is itself on record. Since when somebody
 * has a right no file says: the document says so, and gives the first use that the trail knows.
 */
#include "tools/audit_filter.h"
#include "tools/audit_reader.h"
#include "tools/doc.h"
#include "tools/review.h"

#include <stdlib.h>
#include <string.h>

static const char about[] =
    "Lists every account of the policy with its roles and missions, what the trail says of their\n"
    "use (first, last, how often), and room to decide and to sign. Accounts that have gone but "
    "stand\n"
    "in the trail are listed, too.\n"
    "\n"
    "The period is that of --from and --to (UTC); without, the whole trail. Since when somebody "
    "has\n"
    "a right no file says: what is told is its first use.";

static const char exits[] =
    "Exit status: 0 complete, 1 something is to be completed, 2 wrong usage, 3 cannot be done, or\n"
    "part of the trail could not be read and uses may lack.";

struct options {
    struct query query;
    struct audit_reader reader;
    struct doc_options doc;
    struct audit_index index;
};

static json_t *use_data(const struct review_use *use)
{
    if (!use || !use->statements)
        return json_pack("{s:I, s:I}", "statements", (json_int_t)0, "refused",
                         (json_int_t)(use ? use->refused : 0));
    return json_pack("{s:I, s:I, s:s, s:s}", "statements", (json_int_t)use->statements, "refused",
                     (json_int_t)use->refused, "first", use->first, "last", use->last);
}

/* Takes `data`, an object, and answers it with the use's members. */
static json_t *with_use(json_t *data, const struct review_use *use)
{
    json_t *more = use_data(use);
    (void)json_object_update(data, more);
    json_decref(more);
    return data;
}

static const char *auth_word(enum policy_auth auth)
{
    static const char *const words[] = {"none", "scram", "cert", "cert+scram"};
    return words[auth];
}

static enum review_as as_of(const struct policy_user *user)
{
    return user->on_behalf ? REVIEW_LOGIN : REVIEW_PERSON;
}

static json_t *rights_of(const struct doc *doc, const struct review *review,
                         const struct policy_user *user)
{
    json_t *list = json_array();
    for (size_t i = 0; i < user->role_count; i++) {
        const struct policy_role *role = &doc->policy->roles[user->roles[i]];
        char what[128];
        (void)snprintf(what, sizeof what, "roles.%s", role->name);
        for (size_t k = 0; k < role->mission_count; k++) {
            const struct policy_mission *mission = &doc->policy->missions[role->missions[k]];
            char why[128];
            (void)snprintf(why, sizeof why, "missions.%s", mission->name);
            json_t *right = json_pack(
                "{s:s, s:o, s:s, s:o, s:b, s:b}", "role", role->name, "role_title",
                doc_title(doc, role->title, role->title_en, what, "title"), "mission",
                mission->name, "mission_title",
                doc_title(doc, mission->title, mission->title_en, why, "title"), "unrestricted",
                role->unrestricted, "break_glass", mission->break_glass != NULL);
            const struct review_use *use =
                review_right(review, as_of(user), user->name, role->name, mission->name);
            (void)json_array_append_new(list, with_use(right, use));
        }
    }
    return list;
}

static bool is_staff(const struct config_hosting *hosting, const char *name)
{
    for (size_t i = 0; i < hosting->staff_count; i++) {
        if (strcmp(hosting->staff[i], name) == 0)
            return true;
    }
    return false;
}

static json_t *accounts_of(const struct doc *doc, const struct review *review)
{
    json_t *list = json_array();
    for (size_t i = 0; i < doc->policy->user_count; i++) {
        const struct policy_user *user = &doc->policy->users[i];
        json_t *account =
            json_pack("{s:s, s:s, s:b, s:b, s:b, s:o}", "name", user->name, "auth",
                      auth_word(user->auth), "acts_for_others", user->on_behalf != NULL, "admin",
                      config_is_admin(doc->config, user->name), "hosts",
                      is_staff(&doc->config->organisation.hosting, user->name), "rights",
                      rights_of(doc, review, user));
        (void)json_array_append_new(
            list, with_use(account, review_whole(review, as_of(user), user->name)));
    }
    return list;
}

static int by_name(const void *left, const void *right)
{
    return strcmp((*(const struct review_use *const *)left)->name,
                  (*(const struct review_use *const *)right)->name);
}

/* Who stands in the trail and not in the policy. */
static json_t *gone_of(const struct doc *doc, const struct review *review)
{
    const struct map *people = review->views[REVIEW_PERSON].whole;
    json_t *list = json_array();
    size_t count = 0;
    size_t cursor = 0;
    const char *key = NULL;
    size_t len = 0;
    void *value = NULL;
    const struct review_use **gone = calloc(map_count(people) + 1, sizeof(struct review_use *));
    while (gone && map_next(people, &cursor, &key, &len, &value)) {
        const struct review_use *use = value;
        if (!policy_find_user(doc->policy, use->name))
            gone[count++] = use;
    }
    if (gone)
        qsort((void *)gone, count, sizeof(struct review_use *), by_name);
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list,
                                    with_use(json_pack("{s:s}", "name", gone[i]->name), gone[i]));
    free((void *)gone);
    return list;
}

/* *read: the trail was gone through to its end. */
static int gather(const struct cli_command *command, const struct options *options,
                  const char *directory, struct review *review, bool *read)
{
    struct audit_teller teller;
    struct search_events events;
    struct search *search = NULL;
    const json_t *answer = NULL;
    audit_teller_events(&teller, &events);
    int code = audit_reader_record(&options->reader, command, directory, NULL);
    if (code == CLI_FINE)
        code = audit_search_open(command, directory, &options->index, &options->query, &events,
                                 &search);
    if (code != CLI_FINE)
        return code;
    enum status status = OK;
    while (status == OK && (status = search_next(search, &answer)) == OK)
        status = review_add(review, answer);
    code = audit_teller_end(&teller, command, search_count(search));
    search_close(search);
    *read = status == CLOSED;
    return status == CLOSED ? code : cli_fail(command, CLI_CANNOT, "%s", status_name(status));
}

static void fill(const struct doc *doc, const struct options *options, const struct review *review)
{
    json_t *accounts = accounts_of(doc, review);
    json_int_t unused = 0;
    for (size_t i = 0; i < json_array_size(accounts); i++)
        unused +=
            json_integer_value(json_object_get(json_array_get(accounts, i), "statements")) == 0;
    doc_set(doc, "from", options->query.from ? json_string(options->query.from) : json_null());
    doc_set(doc, "to", options->query.to ? json_string(options->query.to) : json_null());
    doc_set(doc, "trail_first", review->first[0] ? json_string(review->first) : json_null());
    doc_set(doc, "trail_last", review->last[0] ? json_string(review->last) : json_null());
    doc_set(doc, "unused", json_integer(unused));
    doc_set(doc, "accounts", accounts);
    doc_set(doc, "gone", gone_of(doc, review));
}

static int run(const struct cli_command *command, struct options *options, const char *directory)
{
    struct doc doc = {.name = NULL};
    struct review review = {.arena = NULL};
    const char *why = NULL;
    options->doc.config_file = options->reader.config_file;
    enum status status = query_prepare(&options->query, &why);
    if (status != OK)
        return cli_fail(command, status == ERR_INVALID ? CLI_USAGE : CLI_CANNOT, "%s",
                        why ? why : status_name(status));
    int code = doc_begin(command, &options->doc, "review", false, &doc);
    if (code == CLI_FINE && review_start(&review) != OK)
        code = cli_fail(command, CLI_CANNOT, "out of memory");
    if (code == CLI_FINE) {
        bool read = false;
        int damage = gather(command, options, directory, &review, &read);
        doc_set(&doc, "damaged", json_boolean(damage != CLI_FINE));
        fill(&doc, options, &review);
        /* A trail that cannot be read must not make everybody look unused. */
        if (read)
            code = doc_end(command, &options->doc, &doc, "review", NULL);
        code = damage != CLI_FINE ? damage : code;
    }
    review_end(&review);
    doc_free(&doc);
    return code;
}

int cmd_review(int argc, char **argv)
{
    struct options options = {.reader = {.doing = "review"}};
    struct cli_option table[2 + AUDIT_INDEX_OPTIONS + DOC_OPTIONS + AUDIT_READER_OPTIONS] = {
        {0, "from", "TIME", "UTC: 2026, 2026-01, 2026-01-31...", &options.query.from, NULL},
        {0, "to", "TIME", "the same; all of it is in", &options.query.to, NULL}};
    struct cli_option *rows = table + 2;
    audit_index_options(&options.index, rows);
    doc_options(&options.doc, "html (default) or json", rows += AUDIT_INDEX_OPTIONS);
    audit_reader_options(&options.reader, rows + DOC_OPTIONS);
    const struct cli_command command = {.name = "review",
                                        .operands = "DIRECTORY",
                                        .about = about,
                                        .exits = exits,
                                        .options = table,
                                        .min_operands = 1,
                                        .max_operands = 1};
    char **operands = NULL;
    size_t count = 0;
    audit_reader_remember(&options.reader, argc, argv);
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code == CLI_CONTINUE)
        code = run(&command, &options, operands[0]);
    query_free(&options.query);
    return code;
}
