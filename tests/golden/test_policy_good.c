/*
 * Golden files for what a policy becomes: policy/good/<name>.cfg or a directory <name>, with a dump
 * of the loaded policy in <name>.dump. PGVIGIL_GOLDEN=update writes the dumps instead of comparing.
 */
#include <pgvigil/buf.h>
#include <pgvigil/policy.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER TEST_SOURCE_DIR "/tests/golden/policy/good/"

static const char *text(const char *value)
{
    return value == NULL ? "-" : value;
}

static void dump_names(struct buf *out, const char *key, const char *const *names, size_t count)
{
    buf_printf(out, " %s=[", key);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : " ", names[i]);
    buf_str(out, "]");
}

static void dump_place(struct buf *out, struct policy_place place)
{
    const char *file = place.file;
    if (file != NULL && strncmp(file, FOLDER, strlen(FOLDER)) == 0)
        file += strlen(FOLDER);
    buf_printf(out, " @%s:%u\n", text(file), place.line);
}

static void dump_table(struct buf *out, const struct policy_table *table)
{
    buf_printf(out, "table %s . %s%s%s subject=%s", table->schema, table->name,
               table->pattern ? " (pattern)" : "", table->erasable ? " (erasable)" : "",
               text(table->subject));
    dump_names(out, "except", table->except, table->except_count);
    dump_place(out, table->place);
    for (size_t i = 0; i < table->dimension_count + table->measure_count; i++) {
        bool measure = i >= table->dimension_count;
        const char *name =
            measure ? table->measures[i - table->dimension_count] : table->dimensions[i];
        assert_int_equal(policy_part_of(table, name), measure ? PART_MEASURE : PART_DIMENSION);
        buf_printf(out, " %s %s\n", measure ? "measure" : "dimension", name);
    }
    for (size_t i = 0; i < table->category_count; i++) {
        dump_names(out, table->categories[i].name, table->categories[i].columns,
                   table->categories[i].column_count);
        dump_place(out, table->categories[i].place);
    }
    for (size_t i = 0; i < table->columns_like_count; i++) {
        buf_printf(out, " %s -> %s", table->columns_like[i].match, table->columns_like[i].category);
        dump_place(out, table->columns_like[i].place);
    }
}

static void dump_rule(struct buf *out, const struct policy *policy, const struct policy_rule *rule)
{
    buf_str(out, "rule for");
    for (size_t i = 0; i < rule->role_count; i++)
        buf_printf(out, " %s", policy->roles[rule->roles[i]].name);
    buf_str(out, " under");
    for (size_t i = 0; i < rule->mission_count; i++)
        buf_printf(out, " %s", policy->missions[rule->missions[i]].name);
    dump_names(out, "tables", rule->tables, rule->table_count);
    dump_names(out, "insert", rule->insert, rule->insert_count);
    dump_names(out, "update", rule->update, rule->update_count);
    buf_str(out, rule->truncate ? " truncate" : "");
    buf_printf(out, " delete=%d filter=%s", rule->delete_rows, text(rule->filter_name));
    dump_place(out, rule->place);
    buf_printf(out, " rows: %s\n", text(rule->rows));
    for (size_t i = 0; i < rule->column_count; i++) {
        buf_printf(out, " %s = %s", rule->columns[i].name,
                   policy->masks[rule->columns[i].mask].name);
        dump_place(out, rule->columns[i].place);
    }
}

static void dump_on_behalf(struct buf *out, const struct policy *policy,
                           const struct policy_on_behalf *on_behalf)
{
    const char *keys = on_behalf->keys;
    if (keys != NULL && strncmp(keys, FOLDER, strlen(FOLDER)) == 0)
        keys += strlen(FOLDER);
    buf_str(out, " on behalf:");
    for (size_t i = 0; i < on_behalf->role_count; i++)
        buf_printf(out, " %s", policy->roles[on_behalf->roles[i]].name);
    buf_printf(out, " from=%d proven=%d keys=%s issuer=%s audience=%s claim=%s absent=%s",
               (int)on_behalf->from, on_behalf->proven, text(keys), text(on_behalf->issuer),
               text(on_behalf->audience), text(on_behalf->claim),
               on_behalf->absent < 0 ? "refuse" : policy->roles[on_behalf->absent].name);
    dump_place(out, on_behalf->place);
}

static void dump_user(struct buf *out, const struct policy *policy, const struct policy_user *user)
{
    buf_printf(out, "user %s auth=%d secret=%s cn=%s roles:", user->name, (int)user->auth,
               user->secret == NULL ? "no" : "yes", text(user->certificate_cn));
    for (size_t i = 0; i < user->role_count; i++)
        buf_printf(out, " %s", policy->roles[user->roles[i]].name);
    dump_place(out, user->place);
    if (user->on_behalf != NULL)
        dump_on_behalf(out, policy, user->on_behalf);
    for (size_t i = 0; i < user->attribute_count; i++)
        buf_printf(out, " %s: %s\n", policy->attributes[user->attributes[i].attribute].name,
                   user->attributes[i].setting);
}

static void dump_people(struct buf *out, const struct policy *policy)
{
    for (size_t i = 0; i < policy->mission_count; i++) {
        const struct policy_mission *mission = &policy->missions[i];
        buf_printf(out, "mission %s title=%s purpose=%s max_rows=%llu", mission->name,
                   text(mission->title), text(mission->purpose),
                   (unsigned long long)mission->max_rows);
        if (mission->rows_per_hour > 0)
            buf_printf(out, " rows_per_hour=%llu", (unsigned long long)mission->rows_per_hour);
        if (mission->group_subjects > 0)
            buf_printf(out, " group_subjects=%llu", (unsigned long long)mission->group_subjects);
        if (mission->exact_subjects)
            buf_printf(out, " exact_subjects");
        if (mission->ages != AGE_ACTIVE)
            buf_printf(out, " ages=%u", mission->ages);
        if (mission->aggregate_only != NULL)
            buf_printf(out, " aggregate_only=%llu/%llu",
                       (unsigned long long)mission->aggregate_only->k,
                       (unsigned long long)mission->aggregate_only->statements_per_day);
        for (size_t k = 0; k < mission->hours_count; k++)
            buf_printf(out, " hours=%02x:%u-%u", mission->hours[k].days, mission->hours[k].from,
                       mission->hours[k].to);
        for (size_t k = 0; k < mission->address_count; k++)
            buf_printf(out, " from=%s(%u)", mission->addresses[k].text,
                       mission->addresses[k].prefix);
        dump_place(out, mission->place);
    }
    for (size_t i = 0; i < policy->role_count; i++) {
        const struct policy_role *role = &policy->roles[i];
        buf_printf(out, "role %s%s missions:", role->name,
                   role->unrestricted ? " (unrestricted)" : "");
        for (size_t k = 0; k < role->mission_count; k++)
            buf_printf(out, " %s", policy->missions[role->missions[k]].name);
        buf_printf(out, " default=%s",
                   role->default_mission < 0 ? "-" : policy->missions[role->default_mission].name);
        for (size_t k = 0; policy_allow_word(k) != NULL; k++)
            if (policy_role_allows(policy, (int)i, policy_allow_find(policy_allow_word(k))))
                buf_printf(out, " allow=%s", policy_allow_word(k));
        for (size_t k = 0; k < role->channel_count; k++)
            buf_printf(out, " channel=%s", role->channels[k]);
        dump_place(out, role->place);
    }
}

static void dump_right(struct buf *out, const struct policy *policy,
                       const struct policy_right *right)
{
    buf_printf(out, "right %s kind=%d %s", right->name, (int)right->kind,
               right->but ? "but under" : "under");
    for (size_t i = 0; i < right->mission_count; i++)
        buf_printf(out, " %s", policy->missions[right->missions[i]].name);
    buf_str(out, " for");
    for (size_t i = 0; i < right->role_count; i++)
        buf_printf(out, " %s", policy->roles[right->roles[i]].name);
    buf_str(out, " of");
    for (size_t i = 0; i < right->table_count; i++)
        buf_printf(out, " %s.%s", policy->tables[right->tables[i]].schema,
                   policy->tables[right->tables[i]].name);
    dump_place(out, right->place);
    buf_printf(out, " hide: %s\n", right->hide);
}

static void dump_retention(struct buf *out, const struct policy *policy)
{
    const struct policy_retention *retention = policy->retention;
    buf_printf(out, "retention of %s: %u active, %u archived, minors %u, deaths %u, in %s",
               retention->table, retention->active_years, retention->archive_years,
               retention->minor_years, retention->death_years, retention->time_zone);
    for (size_t i = 0; i < retention->excepted_count; i++)
        buf_printf(out, " but %s", policy->tables[retention->excepted[i]].name);
    dump_place(out, retention->place);
    buf_printf(out, " last: %s\n birth: %s\n death: %s\n hold: %s\n", retention->last,
               text(retention->birth), text(retention->death), text(retention->hold));
}

static void dump_parts(struct buf *out, const char *what, const struct policy_fhir_part *parts,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, " %s %s use=%s: %s", what, parts[i].system, text(parts[i].use),
                   parts[i].value);
        dump_place(out, parts[i].place);
    }
}

static void dump_fhir(struct buf *out, const struct policy_fhir_patient *patient)
{
    buf_printf(out, "fhir patient of %s address=%s", patient->table, text(patient->address_use));
    dump_place(out, patient->place);
    for (size_t i = 0; i < FHIR_ELEMENTS; i++)
        if (patient->values[i] != NULL) {
            buf_printf(out, " %zu: %s", i, patient->values[i]);
            dump_place(out, patient->places[i]);
        }
    for (size_t i = 0; i < patient->gender_count; i++)
        buf_printf(out, " %s is %s\n", patient->genders[i].from, patient->genders[i].to);
    dump_parts(out, "identifier", patient->identifiers, patient->identifier_count);
    dump_parts(out, "telecom", patient->telecoms, patient->telecom_count);
}

/* What a rule becomes for a relation: the first one of each pair. */
static void dump_conditioned(struct buf *out, const struct policy *policy)
{
    for (size_t r = 0; r < policy->role_count; r++)
        for (size_t m = 0; m < policy->roles[r].mission_count; m++)
            for (size_t t = 0; t < policy->table_count; t++) {
                int mission = (int)policy->roles[r].missions[m];
                const struct policy_table *table = &policy->tables[t];
                const struct policy_rule *rule =
                    policy_rule_for(policy, (int)r, mission, table->schema, table->name);
                if (rule == NULL || rule->condition_count == 0)
                    continue;
                buf_printf(out, "%s/%s %s.%s", policy->roles[r].name,
                           policy->missions[mission].name, table->schema, table->name);
                dump_names(out, "also", rule->conditions, rule->condition_count);
                buf_printf(out, ": %s\n", rule->rows);
            }
}

static void dump_policy(struct buf *out, const struct policy *policy)
{
    for (size_t i = 0; i < policy->table_count; i++)
        dump_table(out, &policy->tables[i]);
    for (size_t i = 0; i < policy->mask_count; i++)
        buf_printf(out, "mask %zu %s kind=%d: %s\n", i, policy->masks[i].name,
                   (int)policy->masks[i].kind, text(policy->masks[i].expression));
    for (size_t i = 0; i < policy->attribute_count; i++) {
        buf_printf(out, "attribute %s %s", policy->attributes[i].name, policy->attributes[i].type);
        dump_place(out, policy->attributes[i].place);
    }
    dump_people(out, policy);
    for (size_t i = 0; i < policy->filter_count; i++) {
        buf_printf(out, "filter %s: %s", policy->filters[i].name, policy->filters[i].expression);
        dump_place(out, policy->filters[i].place);
    }
    for (size_t i = 0; i < policy->rule_count; i++)
        dump_rule(out, policy, &policy->rules[i]);
    for (size_t i = 0; i < policy->function_count; i++) {
        const struct policy_function *function = &policy->functions[i];
        buf_printf(out, "function %s . %s roles=%zu missions=%zu", function->schema, function->name,
                   function->role_count, function->mission_count);
        dump_place(out, function->place);
    }
    for (size_t i = 0; i < policy->sequence_count; i++) {
        const struct policy_function *sequence = &policy->sequences[i];
        buf_printf(out, "sequence %s . %s roles=%zu missions=%zu", sequence->schema, sequence->name,
                   sequence->role_count, sequence->mission_count);
        dump_place(out, sequence->place);
    }
    for (size_t i = 0; i < policy->user_count; i++)
        dump_user(out, policy, &policy->users[i]);
    for (size_t i = 0; i < policy->right_count; i++)
        dump_right(out, policy, &policy->rights[i]);
    if (policy->retention != NULL)
        dump_retention(out, policy);
    if (policy->fhir_patient != NULL)
        dump_fhir(out, policy->fhir_patient);
    dump_conditioned(out, policy);
    buf_printf(out, "digest %s\n", policy->digest);
    buf_byte(out, '\0');
}

static bool compare(const char *path, const char *actual)
{
    const char *mode = getenv("PGVIGIL_GOLDEN");
    bool update = mode != NULL && strcmp(mode, "update") == 0;
    static char expected[1 << 16];
    FILE *file = fopen(path, update ? "we" : "re");
    assert_non_null(file);
    if (update) {
        assert_true(fputs(actual, file) >= 0);
        assert_int_equal(fclose(file), 0);
        return true;
    }
    size_t len = fread(expected, 1, sizeof(expected) - 1, file);
    expected[len] = '\0';
    assert_int_equal(fclose(file), 0);
    if (strcmp(expected, actual) != 0)
        print_error("%s: expected\n%s\nbut got\n%s\n", path, expected, actual);
    return strcmp(expected, actual) == 0;
}

static void good_policies_become_what_they_say(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {FOLDER "design.cfg", FOLDER "design.dump"},
        {FOLDER "directory", FOLDER "directory.dump"},
        {FOLDER "crlf.cfg", FOLDER "crlf.dump"},
        {FOLDER "limits.cfg", FOLDER "limits.dump"},
        {FOLDER "aggregate.cfg", FOLDER "aggregate.dump"},
        {FOLDER "sequences.cfg", FOLDER "sequences.dump"},
        {FOLDER "expressions.cfg", FOLDER "expressions.dump"},
        {FOLDER "empty.cfg", FOLDER "empty.dump"},
        {FOLDER "allow.cfg", FOLDER "allow.dump"},
        {FOLDER "on-behalf.cfg", FOLDER "on-behalf.dump"},
        {FOLDER "rights.cfg", FOLDER "rights.dump"},
        {FOLDER "fhir.cfg", FOLDER "fhir.dump"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy *policy = NULL;
        struct policy_errors errors = {0};
        struct buf out;
        buf_init(&out, 0);
        enum status status = policy_load(cases[i][0], &policy, &errors);
        if (status != OK) {
            policy_errors_print(&errors, &out);
            buf_byte(&out, '\0');
            print_error("%s", (const char *)out.data);
        }
        assert_int_equal(status, OK);
        assert_int_equal(errors.count, 0);
        assert_string_equal(policy->path, cases[i][0]);
        dump_policy(&out, policy);
        assert_null(strstr((const char *)out.data, "SCRAM-SHA-256"));
        assert_true(compare(cases[i][1], (const char *)out.data));
        buf_free(&out);
        policy_errors_free(&errors);
        policy_unref(policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_policies_become_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
