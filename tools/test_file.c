/*
 * test_file.c: files of policy tests (see policy_test.h).
 *
 * Read as policies are: what is not understood is an error with its line, lest a test be taken for
 * one that asks more than it does.
 */
#include "tools/policy_test.h"

#include "policy/value.h"

#include <arpa/inet.h>
#include <pgvigil/map.h>
#include <pgvigil/text.h>
#include <string.h>

struct reading {
    struct test_file *file;
    struct pile cases;
};

static struct test_case *case_of(const struct value *value)
{
    return value->entry;
}

static struct test_gives *gives_of(const struct value *value)
{
    return &case_of(value)->gives;
}

/* ---- rows ---- */

static bool cell(const struct value *value, const char **text)
{
    struct arena *arena = value->loader->arena;
    int type = config_setting_type(value->setting);
    if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
        *text =
            arena_printf(arena, "%lld",
                         type == CONFIG_TYPE_INT ? (long long)config_setting_get_int(value->setting)
                                                 : config_setting_get_int64(value->setting));
        return *text != NULL;
    }
    return value_string(value, text);
}

static bool row(const struct value *value, struct test_row *out)
{
    struct loader *loader = value->loader;
    out->place = value_place(value);
    bool group = config_setting_type(value->setting) == CONFIG_TYPE_GROUP;
    size_t count = group ? (size_t)config_setting_length(value->setting) : 0;
    if (count == 0) {
        load_report(loader, out->place,
                    "a row is a group of columns and their text: { id = \"1\"; bed = \"12\"; }");
        return false;
    }
    out->columns = arena_zalloc(loader->arena, count, sizeof(*out->columns));
    out->values = arena_zalloc(loader->arena, count, sizeof(*out->values));
    for (size_t i = 0; out->columns != NULL && out->values != NULL && i < count; i++) {
        struct value member = *value;
        member.setting = config_setting_get_elem(value->setting, (unsigned)i);
        out->columns[i] = arena_strdup(loader->arena, config_setting_name(member.setting));
        if (!cell(&member, &out->values[i]))
            return false;
        out->count++;
    }
    return out->count == count;
}

static void rows(const struct value *value, struct test_rows *out)
{
    int count = config_setting_length(value->setting);
    if (config_setting_type(value->setting) != CONFIG_TYPE_LIST || count == 0) {
        load_report(value->loader, value_place(value),
                    "\"%s\" is a list of rows: ( { id = \"1\"; }, { id = \"2\"; } )",
                    config_setting_name(value->setting));
        return;
    }
    out->items = arena_zalloc(value->loader->arena, (size_t)count, sizeof(*out->items));
    for (int i = 0; out->items != NULL && i < count; i++) {
        struct value element = *value;
        element.setting = config_setting_get_elem(value->setting, (unsigned)i);
        if (row(&element, &out->items[out->count]))
            out->count++;
    }
}

/* ---- gives ---- */

static void gives_relations(const struct value *value)
{
    (void)value_names(value, &gives_of(value)->relations);
}

static void gives_shown(const struct value *value)
{
    (void)value_names(value, &gives_of(value)->shown);
}

static void gives_masked(const struct value *value)
{
    (void)value_names(value, &gives_of(value)->masked);
}

static void gives_written(const struct value *value)
{
    (void)value_names(value, &gives_of(value)->written);
}

static void gives_hidden(const struct value *value)
{
    (void)value_names(value, &gives_of(value)->hidden);
}

#define MOST_ROWS 1000000000ULL

static void gives_rows(const struct value *value)
{
    (void)value_count(value, 0, MOST_ROWS, &gives_of(value)->rows);
}

static void gives_rows_at_least(const struct value *value)
{
    (void)value_count(value, 1, MOST_ROWS, &gives_of(value)->rows_at_least);
}

static void gives_rows_at_most(const struct value *value)
{
    (void)value_count(value, 0, MOST_ROWS, &gives_of(value)->rows_at_most);
}

static void gives_null(const struct value *value)
{
    (void)value_names(value, &gives_of(value)->nulls);
}

static void gives_differs(const struct value *value)
{
    (void)value_names(value, &gives_of(value)->differs);
}

static void gives_contains(const struct value *value)
{
    rows(value, &gives_of(value)->contains);
}

static void gives_lacks(const struct value *value)
{
    rows(value, &gives_of(value)->lacks);
}

static const struct value_key gives_keys[] = {
    {"relations", NULL, gives_relations},
    {"shown", NULL, gives_shown},
    {"masked", NULL, gives_masked},
    {"written", NULL, gives_written},
    {"hidden", NULL, gives_hidden},
    {"rows", NULL, gives_rows},
    {"rows_at_least", NULL, gives_rows_at_least},
    {"rows_at_most", NULL, gives_rows_at_most},
    {"null", NULL, gives_null},
    {"differs", NULL, gives_differs},
    {"contains", NULL, gives_contains},
    {"lacks", NULL, gives_lacks},
};

static void case_gives(const struct value *value)
{
    struct test_gives *gives = gives_of(value);
    case_of(value)->has_gives = true;
    gives->rows = gives->rows_at_least = gives->rows_at_most = TEST_ANY;
    (void)value_group(value, "\"gives\"", KEYS(gives_keys));
}

/* ---- refused ---- */

static void refused_reason(const struct value *value)
{
    case_of(value)->refused.reason = value_text(value);
}

static void refused_object(const struct value *value)
{
    case_of(value)->refused.object = value_text(value);
}

static void refused_sqlstate(const struct value *value)
{
    const char *code = value_text(value);
    case_of(value)->refused.sqlstate = code;
    if (code != NULL &&
        (strlen(code) != 5 || strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5))
        load_report(value->loader, value_place(value),
                    "an SQLSTATE has five digits or capitals: \"42501\"");
}

static const struct value_key refused_keys[] = {
    {"reason", "the word that explain and the audit say: \"relation\", \"column\", \"statement\"",
     refused_reason},
    {"object", NULL, refused_object},
    {"sqlstate", NULL, refused_sqlstate},
};

static void case_refused(const struct value *value)
{
    case_of(value)->has_refused = true;
    (void)value_group(value, "\"refused\"", KEYS(refused_keys));
}

/* ---- a test ---- */

static void case_name(const struct value *value)
{
    case_of(value)->name = value_text(value);
}

static void case_user(const struct value *value)
{
    case_of(value)->user = value_text(value);
}

static void case_role(const struct value *value)
{
    case_of(value)->role = value_text(value);
}

static void case_mission(const struct value *value)
{
    case_of(value)->mission = value_text(value);
}

static void case_sql(const struct value *value)
{
    case_of(value)->sql = value_text(value);
}

static void case_path(const struct value *value)
{
    (void)value_names(value, &case_of(value)->path);
}

static void case_address(const struct value *value)
{
    unsigned char number[16];
    const char *address = value_text(value);
    case_of(value)->address = address;
    if (address != NULL && inet_pton(AF_INET, address, number) != 1 &&
        inet_pton(AF_INET6, address, number) != 1)
        load_report(value->loader, value_place(value),
                    "\"address\" is the client's IPv4 or IPv6 address");
}

static void setting_reason(const struct value *value)
{
    case_of(value)->reason = value_text(value);
}

static void setting_patient(const struct value *value)
{
    const char *text = NULL;
    if (cell(value, &text))
        case_of(value)->patient = text;
}

static const struct value_key setting_keys[] = {
    {"reason", NULL, setting_reason},
    {"patient", NULL, setting_patient},
};

static void case_settings(const struct value *value)
{
    (void)value_group(value, "\"settings\"", KEYS(setting_keys));
}

static const struct value_key case_keys[] = {
    {"name", "what it is about, in words", case_name},
    {"user", "whose session it is", case_user},
    {"role", NULL, case_role},
    {"mission", NULL, case_mission},
    {"settings", NULL, case_settings},
    {"address", NULL, case_address},
    {"path", NULL, case_path},
    {"sql", "the statement", case_sql},
    {"gives", NULL, case_gives},
    {"refused", NULL, case_refused},
};

static void read_cases(const struct value *value)
{
    struct reading *reading = value->loader->context;
    value_entries(value, "a test", KEYS(case_keys), &reading->cases, sizeof(struct test_case),
                  offsetof(struct test_case, place));
}

/* ---- the file ---- */

static const char *beside(const struct value *value)
{
    const char *path = value_text(value);
    const char *file = value_place(value).file;
    const char *slash = file == NULL ? NULL : strrchr(file, '/');
    if (path == NULL || path[0] == '/' || slash == NULL)
        return path;
    return arena_printf(value->loader->arena, "%.*s/%s", (int)(slash - file), file, path);
}

static void read_policy(const struct value *value)
{
    ((struct reading *)value->loader->context)->file->policy = beside(value);
}

static void read_catalog(const struct value *value)
{
    ((struct reading *)value->loader->context)->file->catalog = beside(value);
}

static const struct value_key top_keys[] = {
    {"policy", NULL, read_policy},
    {"catalog", NULL, read_catalog},
    {"tests", NULL, read_cases},
};

static void check_case(struct loader *loader, const struct test_case *test, struct map *names)
{
    if (test->has_gives == test->has_refused)
        load_report(loader, test->place,
                    "a test says what must come: either gives = { ... } or refused = { ... }");
    const struct test_gives *gives = &test->gives;
    if (test->has_gives && gives->rows != TEST_ANY &&
        (gives->rows_at_least != TEST_ANY || gives->rows_at_most != TEST_ANY))
        load_report(loader, test->place, "\"rows\" is exact: leave the bounds out");
    if (test->name == NULL)
        return;
    const struct test_case *first = map_get_str(names, test->name);
    if (first != NULL)
        load_report(loader, test->place, "a test of that name is in %s:%u", first->place.file,
                    first->place.line);
    else if (map_put_str(names, test->name, (void *)(uintptr_t)test) != OK)
        load_report(loader, test->place, "out of memory");
}

/* Once for each document: an included file is one of its own. */
static void read_document(struct loader *loader, const struct document *document,
                          config_setting_t *root)
{
    struct reading *reading = loader->context;
    struct value value = {.loader = loader, .document = document, .setting = root};
    (void)value_group(&value, "a file of tests", KEYS(top_keys));
    struct map *names = map_new();
    struct test_case *cases = reading->cases.items;
    for (size_t i = 0; names != NULL && i < reading->cases.count; i++)
        check_case(loader, &cases[i], names);
    map_free(names);
}

enum status test_file_read(const char *path, struct test_file *file, struct policy_errors *errors)
{
    *file = (struct test_file){.arena = arena_new(0)};
    *errors = (struct policy_errors){0};
    struct reading reading = {.file = file};
    if (file->arena == NULL)
        return ERR_MEMORY;
    enum status status = load_file(path, read_document, &reading, file->arena, errors);
    file->cases = reading.cases.items;
    file->count = reading.cases.count;
    return status;
}

void test_file_free(struct test_file *file)
{
    arena_free(file->arena);
    *file = (struct test_file){0};
}

bool test_wants_rows(const struct test_case *test)
{
    const struct test_gives *gives = &test->gives;
    if (!test->has_gives)
        return test->has_refused && test->refused.reason != NULL &&
               strcmp(test->refused.reason, "database") == 0;
    return gives->rows != TEST_ANY || gives->rows_at_least != TEST_ANY ||
           gives->rows_at_most != TEST_ANY || gives->nulls.count > 0 || gives->differs.count > 0 ||
           gives->contains.count > 0 || gives->lacks.count > 0;
}
