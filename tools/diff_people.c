/*
 * diff_people.c: roles, missions and users of two policies (see diff.h).
 *
 * Secrets are compared and never told.
 */
#include "tools/diff.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <string.h>

static enum diff_direction gained(bool now)
{
    return now ? DIFF_GAIN : DIFF_LOSS;
}

static const char *take(struct diff *diff, struct buf *text)
{
    const char *taken = text_take(text, diff->arena);
    diff->failed = diff->failed || taken == NULL;
    return taken == NULL ? "" : taken;
}

/* ---- missions ---- */

/* "break-glass: a reason of 20 characters, 60 minutes, patient" */
static const char *break_glass(struct diff *diff, const struct policy_break_glass *rules)
{
    struct buf out;
    if (rules == NULL)
        return "no break-glass";
    buf_init(&out, 0);
    buf_printf(&out, "break-glass: a reason of %u characters, %u minutes", rules->reason_min,
               rules->minutes);
    for (size_t i = 0; i < rules->require_count; i++)
        buf_printf(&out, ", %s", rules->require[i]);
    return take(diff, &out);
}

static bool requires(const struct policy_break_glass *rules, const char *setting)
{
    for (size_t i = 0; i < rules->require_count; i++)
        if (strcmp(rules->require[i], setting) == 0)
            return true;
    return false;
}

static bool all_required(const struct policy_break_glass *of, const struct policy_break_glass *by)
{
    for (size_t i = 0; i < of->require_count; i++)
        if (!requires(by, of->require[i]))
            return false;
    return true;
}

/* Does `a` let through whatever `b` does? */
static bool at_least_as_open(const struct policy_break_glass *a, const struct policy_break_glass *b)
{
    if (a == NULL || b == NULL)
        return a == NULL;
    return a->reason_min <= b->reason_min && a->minutes >= b->minutes && all_required(a, b);
}

static void compare_break_glass(struct diff *diff, const struct policy_mission *old,
                                const struct policy_mission *new)
{
    bool no_less = at_least_as_open(new->break_glass, old->break_glass);
    bool no_more = at_least_as_open(old->break_glass, new->break_glass);
    if (no_less && no_more)
        return;
    struct diff_item item = {.direction = no_less   ? DIFF_GAIN
                                          : no_more ? DIFF_LOSS
                                                    : DIFF_CHANGE,
                             .kind = DIFF_BREAK_GLASS,
                             .mission = new->name,
                             .from = break_glass(diff, old->break_glass),
                             .to = break_glass(diff, new->break_glass)};
    diff_add(diff, &item);
}

/* What `count` texts are, one by one; `none` where there are none. */
struct listed {
    const struct policy_mission *mission;
    size_t count;
    const char *(*text)(const struct policy_mission *mission, size_t index);
    const char *none;
};

static const char *hours_text(const struct policy_mission *mission, size_t index)
{
    return mission->hours[index].text;
}

static const char *address_text(const struct policy_mission *mission, size_t index)
{
    return mission->addresses[index].text;
}

static const char *in_one_line(struct diff *diff, const struct listed *listed)
{
    struct buf out;
    if (listed->count == 0)
        return listed->none;
    buf_init(&out, 0);
    for (size_t i = 0; i < listed->count; i++)
        buf_printf(&out, "%s%s", i == 0 ? "" : "; ", listed->text(listed->mission, i));
    return take(diff, &out);
}

/* None of them is no limit. */
static void compare_listed(struct diff *diff, enum diff_kind kind, const struct listed *old,
                           const struct listed *new)
{
    struct diff_item item = {.direction = new->count == 0   ? DIFF_GAIN
                                          : old->count == 0 ? DIFF_LOSS
                                                            : DIFF_CHANGE,
                             .kind = kind,
                             .mission = new->mission->name,
                             .from = in_one_line(diff, old),
                             .to = in_one_line(diff, new)};
    if (strcmp(item.from, item.to) != 0)
        diff_add(diff, &item);
}

static void compare_openings(struct diff *diff, const struct policy_mission *old,
                             const struct policy_mission *new)
{
    const struct listed hours[] = {{old, old->hours_count, hours_text, "always"},
                                   {new, new->hours_count, hours_text, "always"}};
    const struct listed addresses[] = {{old, old->address_count, address_text, "everywhere"},
                                       {new, new->address_count, address_text, "everywhere"}};
    compare_listed(diff, DIFF_HOURS, &hours[0], &hours[1]);
    compare_listed(diff, DIFF_ADDRESSES, &addresses[0], &addresses[1]);
}

static const char *group_bound(struct diff *diff, uint64_t patients)
{
    return patients == 0 ? "none"
                         : diff_format(diff, "%llu patients", (unsigned long long)patients);
}

/* What is on record; in a mission that refuses what is not, also what may be asked. */
static void compare_subjects(struct diff *diff, const struct policy_mission *old,
                             const struct policy_mission *new)
{
    bool opens = (old->group_subjects == 0) != (new->group_subjects == 0);
    struct diff_item exact = {.direction = gained(!new->exact_subjects),
                              .kind = DIFF_EXACT_SUBJECTS,
                              .mission = new->name,
                              .from = old->exact_subjects ? "refused" : "allowed",
                              .to = new->exact_subjects ? "refused" : "allowed"};
    struct diff_item groups = {
        .direction = opens && new->exact_subjects ? gained(new->group_subjects > 0) : DIFF_OTHER,
        .kind = DIFF_GROUP_SUBJECTS,
        .mission = new->name,
        .from = group_bound(diff, old->group_subjects),
        .to = group_bound(diff, new->group_subjects)};
    if (old->exact_subjects != new->exact_subjects)
        diff_add(diff, &exact);
    if (old->group_subjects != new->group_subjects)
        diff_add(diff, &groups);
}

static const char *aggregate_text(struct diff *diff, const struct policy_aggregate *aggregate)
{
    return aggregate == NULL ? "rows"
                             : diff_format(diff, "cells of %llu; %llu statements a day",
                                           (unsigned long long)aggregate->k,
                                           (unsigned long long)aggregate->statements_per_day);
}

/* More where each bound is as wide or wider; a bound for a bound is for somebody to look at. */
static void compare_aggregate(struct diff *diff, const struct policy_mission *old,
                              const struct policy_mission *new)
{
    const struct policy_aggregate *was = old->aggregate_only;
    const struct policy_aggregate *is = new->aggregate_only;
    bool both = was != NULL && is != NULL;
    bool wider = both && is->k <= was->k && is->statements_per_day >= was->statements_per_day;
    bool narrower = both && is->k >= was->k && is->statements_per_day <= was->statements_per_day;
    struct diff_item item = {.direction = wider || is == NULL       ? DIFF_GAIN
                                          : narrower || was == NULL ? DIFF_LOSS
                                                                    : DIFF_CHANGE,
                             .kind = DIFF_AGGREGATE_ONLY,
                             .mission = new->name,
                             .from = aggregate_text(diff, was),
                             .to = aggregate_text(diff, is)};
    if (item.from != NULL && item.to != NULL && strcmp(item.from, item.to) != 0)
        diff_add(diff, &item);
}

static const char *row_limit(struct diff *diff, uint64_t rows)
{
    return rows == 0 ? "no limit" : diff_format(diff, "%llu rows", (unsigned long long)rows);
}

static const char *about_mission(struct diff *diff, const struct policy_mission *mission)
{
    return diff_format(diff, "%s%s%s", mission->title == NULL ? "no title" : mission->title,
                       mission->purpose == NULL ? "" : ", ",
                       mission->purpose == NULL ? "" : mission->purpose);
}

/* All of it, where the other policy has no such mission. */
static const char *whole_mission(struct diff *diff, const struct policy_mission *mission)
{
    return mission == NULL ? NULL
                           : diff_format(diff, "%s; %s; %s", about_mission(diff, mission),
                                         row_limit(diff, mission->max_rows),
                                         break_glass(diff, mission->break_glass));
}

static const struct policy_mission *mission_of(const struct policy *policy, const char *name)
{
    int found = policy_find_mission(policy, name);
    return found < 0 ? NULL : &policy->missions[found];
}

static void compare_limit(struct diff *diff, enum diff_kind kind, const char *mission, uint64_t old,
                          uint64_t new)
{
    bool more = new == 0 || (old != 0 && new > old);
    struct diff_item limit = {.direction = gained(more),
                              .kind = kind,
                              .mission = mission,
                              .from = row_limit(diff, old),
                              .to = row_limit(diff, new)};
    if (old != new)
        diff_add(diff, &limit);
}

static void compare_mission(struct diff *diff, const char *name)
{
    const struct policy_mission *old = mission_of(diff->old, name);
    const struct policy_mission *new = mission_of(diff->new, name);
    struct diff_item about = {.direction = DIFF_OTHER, .kind = DIFF_MISSION, .mission = name};
    if (old == NULL || new == NULL) {
        about.from = whole_mission(diff, old);
        about.to = whole_mission(diff, new);
        diff_add(diff, &about);
        return;
    }
    about.from = about_mission(diff, old);
    about.to = about_mission(diff, new);
    if (!text_same(old->title, new->title) || !text_same(old->purpose, new->purpose))
        diff_add(diff, &about);
    compare_limit(diff, DIFF_MAX_ROWS, name, old->max_rows, new->max_rows);
    compare_limit(diff, DIFF_ROWS_PER_HOUR, name, old->rows_per_hour, new->rows_per_hour);
    compare_openings(diff, old, new);
    compare_subjects(diff, old, new);
    compare_aggregate(diff, old, new);
    compare_break_glass(diff, old, new);
}

static void compare_missions(struct diff *diff)
{
    struct diff_names names = {0};
    for (size_t i = 0; i < diff->old->mission_count; i++)
        diff_names_add(diff, &names, diff->old->missions[i].name);
    for (size_t i = 0; i < diff->new->mission_count; i++)
        diff_names_add(diff, &names, diff->new->missions[i].name);
    diff_names_sort(&names);
    for (size_t i = 0; i < names.count; i++)
        compare_mission(diff, names.items[i]);
}

/* ---- roles ---- */

static const struct policy_role *role_of(const struct policy *policy, const char *name)
{
    int found = policy_find_role(policy, name);
    return found < 0 ? NULL : &policy->roles[found];
}

static bool has_mission(const struct policy *policy, const char *role, const char *mission)
{
    return policy_role_has_mission(policy, policy_find_role(policy, role),
                                   policy_find_mission(policy, mission));
}

static void role_missions(struct diff *diff, const char *role)
{
    struct diff_names names = {0};
    for (size_t i = 0; i < diff->old->mission_count; i++)
        diff_names_add(diff, &names, diff->old->missions[i].name);
    for (size_t i = 0; i < diff->new->mission_count; i++)
        diff_names_add(diff, &names, diff->new->missions[i].name);
    diff_names_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        bool was = has_mission(diff->old, role, names.items[i]);
        bool is = has_mission(diff->new, role, names.items[i]);
        struct diff_item item = {.direction = gained(is),
                                 .kind = DIFF_ROLE_MISSION,
                                 .role = role,
                                 .mission = names.items[i],
                                 .from = was ? "yes" : "no",
                                 .to = is ? "yes" : "no"};
        if (was != is)
            diff_add(diff, &item);
    }
}

static const char *default_mission(const struct policy *policy, const struct policy_role *role)
{
    return role->default_mission < 0 ? "none" : policy->missions[role->default_mission].name;
}

static bool has_channel(const struct policy *policy, const char *role, const char *channel)
{
    int found = policy_find_role(policy, role);
    for (size_t i = 0; found >= 0 && i < policy->roles[found].channel_count; i++)
        if (strcmp(policy->roles[found].channels[i], channel) == 0)
            return true;
    return false;
}

static void add_channels(struct diff *diff, struct diff_names *names, const struct policy *policy,
                         const char *role)
{
    int found = policy_find_role(policy, role);
    for (size_t i = 0; found >= 0 && i < policy->roles[found].channel_count; i++)
        diff_names_add(diff, names, policy->roles[found].channels[i]);
}

/* As they are written: of two patterns nobody knows which one holds more. */
static void compare_channels(struct diff *diff, const char *role)
{
    struct diff_names names = {0};
    add_channels(diff, &names, diff->old, role);
    add_channels(diff, &names, diff->new, role);
    diff_names_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        bool was = has_channel(diff->old, role, names.items[i]);
        bool is = has_channel(diff->new, role, names.items[i]);
        struct diff_item item = {.direction = gained(is),
                                 .kind = DIFF_CHANNEL,
                                 .role = role,
                                 .object = names.items[i],
                                 .from = was ? "yes" : "no",
                                 .to = is ? "yes" : "no"};
        if (was != is)
            diff_add(diff, &item);
    }
}

/* A role that is new or gone is told as a whole, but for what it may do beside its rules. */
static void compare_allow(struct diff *diff, const char *role)
{
    int old = policy_find_role(diff->old, role);
    int new = policy_find_role(diff->new, role);
    for (size_t i = 0; policy_allow_word(i) != NULL; i++) {
        enum policy_allow allow = policy_allow_find(policy_allow_word(i));
        bool was = policy_role_allows(diff->old, old, allow);
        bool is = policy_role_allows(diff->new, new, allow);
        struct diff_item item = {.direction = gained(is),
                                 .kind = DIFF_ALLOW,
                                 .role = role,
                                 .object = policy_allow_word(i),
                                 .from = was ? "yes" : "no",
                                 .to = is ? "yes" : "no"};
        if (was != is)
            diff_add(diff, &item);
    }
}

static void compare_role(struct diff *diff, const char *name)
{
    const struct policy_role *old = role_of(diff->old, name);
    const struct policy_role *new = role_of(diff->new, name);
    bool was = old != NULL && old->unrestricted;
    bool is = new != NULL &&new->unrestricted;
    struct diff_item role = {.direction = gained(new != NULL),
                             .kind = DIFF_ROLE,
                             .role = name,
                             .from = old == NULL ? "no" : "yes",
                             .to = new == NULL ? "no" : "yes"};
    struct diff_item unrestricted = {.direction = gained(is),
                                     .kind = DIFF_UNRESTRICTED,
                                     .role = name,
                                     .from = was ? "yes" : "no",
                                     .to = is ? "yes" : "no"};
    if (old == NULL || new == NULL)
        diff_add(diff, &role);
    if (was != is)
        diff_add(diff, &unrestricted);
    role_missions(diff, name);
    compare_allow(diff, name);
    compare_channels(diff, name);
    if (old == NULL || new == NULL)
        return;
    struct diff_item fallback = {.direction = DIFF_OTHER,
                                 .kind = DIFF_DEFAULT,
                                 .role = name,
                                 .from = default_mission(diff->old, old),
                                 .to = default_mission(diff->new, new)};
    if (!text_same(fallback.from, fallback.to))
        diff_add(diff, &fallback);
}

static void compare_roles(struct diff *diff)
{
    struct diff_names names = {0};
    for (size_t i = 0; i < diff->old->role_count; i++)
        diff_names_add(diff, &names, diff->old->roles[i].name);
    for (size_t i = 0; i < diff->new->role_count; i++)
        diff_names_add(diff, &names, diff->new->roles[i].name);
    diff_names_sort(&names);
    for (size_t i = 0; i < names.count; i++)
        compare_role(diff, names.items[i]);
}

/* ---- attributes ---- */

static const char *type_of(const struct policy *policy, const char *attribute)
{
    for (size_t i = 0; i < policy->attribute_count; i++)
        if (strcmp(policy->attributes[i].name, attribute) == 0)
            return policy->attributes[i].type;
    return NULL;
}

/* Another type is another cast, and perhaps other rows. One that is new or gone is nobody's yet, or
 * its users are told. */
static void compare_attributes(struct diff *diff)
{
    struct diff_names names = {0};
    for (size_t i = 0; i < diff->old->attribute_count; i++)
        diff_names_add(diff, &names, diff->old->attributes[i].name);
    for (size_t i = 0; i < diff->new->attribute_count; i++)
        diff_names_add(diff, &names, diff->new->attributes[i].name);
    diff_names_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        struct diff_item item = {.direction = DIFF_CHANGE,
                                 .kind = DIFF_ATTRIBUTE,
                                 .object = names.items[i],
                                 .from = type_of(diff->old, names.items[i]),
                                 .to = type_of(diff->new, names.items[i])};
        if (item.from == NULL || item.to == NULL)
            item.direction = DIFF_OTHER;
        if (!text_same(item.from, item.to))
            diff_add(diff, &item);
    }
}

/* ---- users ---- */

static const char *value_of(const struct policy *policy, const struct policy_user *user,
                            const char *attribute)
{
    for (size_t i = 0; user != NULL && i < user->attribute_count; i++)
        if (strcmp(policy->attributes[user->attributes[i].attribute].name, attribute) == 0)
            return user->attributes[i].setting;
    return NULL;
}

static void user_attributes(struct diff *diff, const struct policy_user *old,
                            const struct policy_user *new)
{
    struct diff_names names = {0};
    for (size_t i = 0; i < old->attribute_count; i++)
        diff_names_add(diff, &names, diff->old->attributes[old->attributes[i].attribute].name);
    for (size_t i = 0; i < new->attribute_count; i++)
        diff_names_add(diff, &names, diff->new->attributes[new->attributes[i].attribute].name);
    diff_names_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        struct diff_item item = {.direction = DIFF_CHANGE,
                                 .kind = DIFF_USER_ATTRIBUTE,
                                 .user = new->name,
                                 .object = names.items[i],
                                 .from = value_of(diff->old, old, names.items[i]),
                                 .to = value_of(diff->new, new, names.items[i])};
        if (text_same(item.from, item.to))
            continue;
        /* Without the attribute, the relations whose rules need it are refused. */
        if (item.from == NULL || item.to == NULL)
            item.direction = gained(item.from == NULL);
        diff_add(diff, &item);
    }
}

static const char *auth_name(enum policy_auth auth)
{
    switch (auth) {
    case AUTH_NONE:
        return "nothing";
    case AUTH_SCRAM:
        return "password";
    case AUTH_CERT:
        return "certificate";
    case AUTH_CERT_AND_SCRAM:
        return "certificate and password";
    }
    return "nothing";
}

/* "; acts for others as nurse, clerk, named by pgvigil.user, not proven" */
static void put_on_behalf(struct buf *out, const struct policy *policy,
                          const struct policy_on_behalf *on_behalf)
{
    static const char *const names[] = {
        [PERSON_FROM_USER] = "pgvigil.user",
        [PERSON_FROM_TOKEN] = "pgvigil.token",
        [PERSON_FROM_APPLICATION] = "application_name",
    };
    for (size_t i = 0; i < on_behalf->role_count; i++)
        buf_printf(out, "%s%s", i == 0 ? "; acts for others as " : ", ",
                   policy->roles[on_behalf->roles[i]].name);
    buf_printf(out, ", named by %s, ", names[on_behalf->from]);
    if (on_behalf->proven)
        buf_printf(out, "proven by tokens of %s for %s (%s) with the keys %s", on_behalf->issuer,
                   on_behalf->audience, on_behalf->claim, on_behalf->keys);
    else
        buf_str(out, "not proven");
    if (on_behalf->absent >= 0)
        buf_printf(out, "; for itself %s", policy->roles[on_behalf->absent].name);
}

static const char *login_of(struct diff *diff, const struct policy *policy,
                            const struct policy_user *user)
{
    struct buf out;
    buf_init(&out, 0);
    buf_printf(&out, "%s%s%s", auth_name(user->auth), user->certificate_cn == NULL ? "" : " of ",
               user->certificate_cn == NULL ? "" : user->certificate_cn);
    if (user->on_behalf != NULL)
        put_on_behalf(&out, policy, user->on_behalf);
    return take(diff, &out);
}

static void user_login(struct diff *diff, const struct policy_user *old,
                       const struct policy_user *new)
{
    struct diff_item item = {.direction = DIFF_CHANGE,
                             .kind = DIFF_USER_LOGIN,
                             .user = new->name,
                             .from = login_of(diff, diff->old, old),
                             .to = login_of(diff, diff->new, new)};
    if (!text_same(item.from, item.to)) {
        diff_add(diff, &item);
    } else if (!text_same(old->secret, new->secret)) {
        item.from = item.to = "password (not the same)";
        diff_add(diff, &item);
    }
}

static bool has_role(const struct policy *policy, const struct policy_user *user, const char *role)
{
    for (size_t i = 0; user != NULL && i < user->role_count; i++)
        if (strcmp(policy->roles[user->roles[i]].name, role) == 0)
            return true;
    return false;
}

static const char *first_role(const struct policy *policy, const struct policy_user *user)
{
    return policy->roles[user->roles[0]].name;
}

static void user_roles(struct diff *diff, const struct policy_user *old,
                       const struct policy_user *new)
{
    struct diff_names names = {0};
    for (size_t i = 0; i < old->role_count; i++)
        diff_names_add(diff, &names, diff->old->roles[old->roles[i]].name);
    for (size_t i = 0; i < new->role_count; i++)
        diff_names_add(diff, &names, diff->new->roles[new->roles[i]].name);
    diff_names_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        bool was = has_role(diff->old, old, names.items[i]);
        bool is = has_role(diff->new, new, names.items[i]);
        struct diff_item item = {.direction = gained(is),
                                 .kind = DIFF_USER_ROLE,
                                 .user = new->name,
                                 .role = names.items[i],
                                 .from = was ? "yes" : "no",
                                 .to = is ? "yes" : "no"};
        if (was != is)
            diff_add(diff, &item);
    }
    struct diff_item fallback = {.direction = DIFF_OTHER,
                                 .kind = DIFF_DEFAULT,
                                 .user = new->name,
                                 .from = first_role(diff->old, old),
                                 .to = first_role(diff->new, new)};
    if (!text_same(fallback.from, fallback.to))
        diff_add(diff, &fallback);
}

/* "nurse, receptionist; by password; wards={"1","2"}" */
static const char *whole_user(struct diff *diff, const struct policy *policy,
                              const struct policy_user *user)
{
    struct buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < user->role_count; i++)
        buf_printf(&out, "%s%s", i == 0 ? "" : ", ", policy->roles[user->roles[i]].name);
    buf_printf(&out, "; by %s", login_of(diff, policy, user));
    struct diff_names names = {0};
    for (size_t i = 0; i < user->attribute_count; i++)
        diff_names_add(diff, &names, policy->attributes[user->attributes[i].attribute].name);
    diff_names_sort(&names);
    for (size_t i = 0; i < names.count; i++)
        buf_printf(&out, "; %s=%s", names.items[i], value_of(policy, user, names.items[i]));
    return take(diff, &out);
}

static void compare_user(struct diff *diff, const char *name)
{
    const struct policy_user *old = policy_find_user(diff->old, name);
    const struct policy_user *new = policy_find_user(diff->new, name);
    if (old != NULL && new != NULL) {
        user_roles(diff, old, new);
        user_attributes(diff, old, new);
        user_login(diff, old, new);
        return;
    }
    struct diff_item item = {.direction = gained(old == NULL),
                             .kind = DIFF_USER,
                             .user = name,
                             .from = old == NULL ? NULL : whole_user(diff, diff->old, old),
                             .to = new == NULL ? NULL : whole_user(diff, diff->new, new)};
    diff_add(diff, &item);
}

static void compare_users(struct diff *diff)
{
    struct diff_names names = {0};
    for (size_t i = 0; i < diff->old->user_count; i++)
        diff_names_add(diff, &names, diff->old->users[i].name);
    for (size_t i = 0; i < diff->new->user_count; i++)
        diff_names_add(diff, &names, diff->new->users[i].name);
    diff_names_sort(&names);
    for (size_t i = 0; i < names.count; i++)
        compare_user(diff, names.items[i]);
}

void diff_people(struct diff *diff)
{
    compare_missions(diff);
    compare_roles(diff);
    compare_attributes(diff);
    compare_users(diff);
}
