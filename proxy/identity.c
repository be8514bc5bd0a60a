/*
 * identity.c: the person, her role and her mission as texts (see identity.h).
 *
 * Attack kept in mind: a value that ends its literal. Every value goes through text_quote_literal,
 * every name is the policy's or passed setting_class.
 */
#include "proxy/identity.h"

#include "proxy/break_glass.h"

#include <ctype.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum status identity_replace(char **place, const char *value)
{
    char *copy = value == NULL ? NULL : strdup(value);
    if (value != NULL && copy == NULL)
        return ERR_MEMORY;
    free(*place);
    *place = copy;
    return OK;
}

enum status identity_name_application(struct identity *identity, const char *value)
{
    char name[64];
    if (value == NULL)
        return identity_replace(&identity->application, NULL);
    size_t len = strnlen(value, sizeof name - 1);
    if (value[len] != '\0')
        while (len > 0 && ((unsigned char)value[len] & 0xC0) == 0x80)
            len--;
    memcpy(name, value, len);
    name[len] = '\0';
    return identity_replace(&identity->application, name);
}

/* PostgreSQL's, without "$user": nearly everybody's, and had once. */
static const char *const usual_path[] = {"public"};

static void free_path(const char *const *path, size_t count)
{
    if (path == usual_path)
        return;
    for (size_t i = 0; i < count; i++)
        free((void *)path[i]);
    free((void *)path);
}

void identity_clear_settings(struct identity *identity)
{
    for (size_t i = 0; i < identity->setting_count; i++) {
        free(identity->settings[i].name);
        free(identity->settings[i].value);
    }
    free(identity->settings);
    identity->settings = NULL;
    identity->setting_count = 0;
}

void identity_free(struct identity *identity)
{
    break_glass_unref(identity->glass);
    free(identity->application);
    free(identity->reason);
    free(identity->patient);
    free_path(identity->path, identity->path_count);
    identity_clear_settings(identity);
    memset(identity, 0, sizeof *identity);
    identity->role = identity->mission = -1;
}

enum status identity_init(struct identity *identity, const struct policy *policy,
                          const struct policy_user *user)
{
    memset(identity, 0, sizeof *identity);
    identity->login = identity->user = user;
    identity->role = (int)user->roles[0];
    identity->mission = policy->roles[user->roles[0]].default_mission;
    if (user->on_behalf != NULL)
        identity_act_for_nobody(identity, policy);
    return identity_set_path(identity, usual_path, 1);
}

/* ---- the person ---- */

bool identity_is_nobody(const struct identity *identity)
{
    return identity->person == IDENTITY_NOBODY || identity->person == IDENTITY_EXPIRED;
}

bool identity_same_person(const struct identity *a, const struct identity *b)
{
    return a->user == b->user && a->person == b->person;
}

static bool has_role(const struct identity *identity, int role)
{
    const struct policy_user *login = identity->login;
    if (identity_is_nobody(identity))
        return false;
    if (login->on_behalf == NULL)
        return policy_user_has_role(identity->user, role);
    return identity->person == IDENTITY_OWN ? role == login->on_behalf->absent
                                            : policy_may_act(login, identity->user, role);
}

int identity_default_mission(const struct identity *identity, const struct policy *policy)
{
    return identity_is_nobody(identity) ? -1 : policy->roles[identity->role].default_mission;
}

/* What one person gave is not the next one's. */
static void leave_person(struct identity *identity)
{
    break_glass_unref(identity->glass);
    identity->glass = NULL;
    free(identity->reason);
    free(identity->patient);
    identity->reason = identity->patient = NULL;
    identity->until = 0;
}

static void become_login(struct identity *identity, const struct policy *policy,
                         enum identity_person kind)
{
    const struct policy_user *login = identity->login;
    leave_person(identity);
    identity->user = login;
    identity->person = kind;
    identity->role = (int)login->roles[0];
    identity->role_chosen = false;
    identity->mission = identity_default_mission(identity, policy);
}

void identity_act_for_nobody(struct identity *identity, const struct policy *policy)
{
    bool own = identity->login->on_behalf->absent >= 0;
    if (own && identity->user == identity->login && identity->person == IDENTITY_OWN)
        return; /* a mission that it has chosen stays */
    become_login(identity, policy, own ? IDENTITY_OWN : IDENTITY_NOBODY);
}

void identity_expire(struct identity *identity, const struct policy *policy)
{
    become_login(identity, policy, IDENTITY_EXPIRED);
}

void identity_first_role(struct identity *identity, const struct policy *policy)
{
    const struct policy_user *user = identity->user;
    for (size_t i = 0; i < user->role_count; i++) {
        if (!has_role(identity, (int)user->roles[i]))
            continue;
        identity->role = (int)user->roles[i];
        identity->mission = policy->roles[identity->role].default_mission;
        break;
    }
    identity->role_chosen = false;
}

static bool may_act_at_all(const struct policy_user *login, const struct policy_user *person)
{
    bool may = false;
    for (size_t i = 0; i < person->role_count; i++)
        may = may || policy_may_act(login, person, (int)person->roles[i]);
    return may;
}

enum status identity_act_for(struct identity *identity, const struct policy *policy,
                             const struct policy_user *person, enum identity_person kind,
                             int64_t until)
{
    if (!may_act_at_all(identity->login, person))
        return ERR_INVALID;
    if (identity->user == person && identity->person == kind) {
        identity->until = until;
        return OK;
    }
    leave_person(identity);
    identity->user = person;
    identity->person = kind;
    identity->until = until;
    if (identity->role_chosen && has_role(identity, identity->role))
        identity->mission = policy->roles[identity->role].default_mission;
    else
        identity_first_role(identity, policy);
    return OK;
}

enum status identity_act_as_at_start(struct identity *identity, const struct policy *policy,
                                     const struct identity *start)
{
    bool same = identity_same_person(identity, start);
    bool over = start->person == IDENTITY_EXPIRED;
    if (!over && start->user == start->login)
        identity_act_for_nobody(identity, policy);
    /* The second cannot be: she was acted for at the start. */
    else if (over ||
             identity_act_for(identity, policy, start->user, start->person, start->until) != OK)
        identity_expire(identity, policy);
    if (same || !identity_same_person(identity, start))
        return OK;
    enum status status = identity_replace(&identity->reason, start->reason);
    return status == OK ? identity_replace(&identity->patient, start->patient) : status;
}

enum status identity_choose_role(struct identity *identity, const struct policy *policy,
                                 const char *name)
{
    int role = policy_find_role(policy, name);
    if (role < 0 || !has_role(identity, role))
        return ERR_INVALID;
    identity->role = role;
    if (identity->mission < 0 || !policy_role_has_mission(policy, role, identity->mission))
        identity->mission = policy->roles[role].default_mission;
    return OK;
}

enum status identity_choose_mission(struct identity *identity, const struct policy *policy,
                                    const char *name)
{
    int mission = policy_find_mission(policy, name);
    if (mission < 0 || identity_is_nobody(identity) ||
        !policy_role_has_mission(policy, identity->role, mission))
        return ERR_INVALID;
    identity->mission = mission;
    return OK;
}

/* Of a shared login that has no person: what the newer policy says it is then. */
static enum status move_login(struct identity *identity, const struct policy *to,
                              const struct policy_user *login)
{
    identity->login = identity->user = login;
    if (identity->person == IDENTITY_EXPIRED)
        identity_expire(identity, to);
    else
        become_login(identity, to, login->on_behalf->absent >= 0 ? IDENTITY_OWN : IDENTITY_NOBODY);
    return OK;
}

/* The same rule for naming people: what was named by another one would not be believed now. */
static bool same_rule(const struct policy_user *a, const struct policy_user *b)
{
    return (a->on_behalf == NULL) == (b->on_behalf == NULL) &&
           (a->on_behalf == NULL || (a->on_behalf->from == b->on_behalf->from &&
                                     a->on_behalf->proven == b->on_behalf->proven));
}

enum status identity_move(struct identity *identity, const struct policy *from,
                          const struct policy *to)
{
    const struct policy_user *login = policy_find_user(to, identity->login->name);
    if (login == NULL || login->auth == AUTH_NONE || !same_rule(identity->login, login))
        return ERR_INVALID;
    if (login->on_behalf != NULL && identity->user == identity->login)
        return move_login(identity, to, login);
    struct identity moved = *identity;
    moved.login = login;
    moved.user = policy_find_user(to, identity->user->name);
    moved.role = policy_find_role(to, from->roles[identity->role].name);
    if (moved.user == NULL || moved.role < 0 || !has_role(&moved, moved.role))
        return ERR_INVALID;
    moved.mission = -1;
    if (identity->mission >= 0) {
        moved.mission = policy_find_mission(to, from->missions[identity->mission].name);
        if (moved.mission < 0 || !policy_role_has_mission(to, moved.role, moved.mission))
            return ERR_INVALID;
    }
    *identity = moved;
    return OK;
}

enum status identity_set_path(struct identity *identity, const char *const *names, size_t count)
{
    if (count == 1 && strcmp(names[0], usual_path[0]) == 0) {
        free_path(identity->path, identity->path_count);
        identity->path = usual_path;
        identity->path_count = 1;
        return OK;
    }
    const char **path = calloc(count + 1, sizeof *path);
    if (path == NULL)
        return ERR_MEMORY;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        /* The login's own schema: no person has one. */
        if (strcmp(names[i], "$user") == 0 || names[i][0] == '\0')
            continue;
        path[used] = strdup(names[i]);
        if (path[used] == NULL) {
            free_path(path, used);
            return ERR_MEMORY;
        }
        used++;
    }
    free_path(identity->path, identity->path_count);
    identity->path = path;
    identity->path_count = used;
    return OK;
}

/* One name off a list; NULL with *bad for an open quote. In the buffer given. */
static const char *next_name(const char **at, char *out, size_t size, bool *bad)
{
    const char *c = *at;
    size_t used = 0;
    while (isspace((unsigned char)*c))
        c++;
    bool quoted = *c == '"';
    if (quoted)
        c++;
    while (*c != '\0' && used + 1 < size) {
        if (quoted && *c == '"') {
            if (c[1] != '"')
                break;
            c++;
        } else if (!quoted && (*c == ',' || isspace((unsigned char)*c))) {
            break;
        }
        out[used++] = quoted ? *c : (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        c++;
    }
    out[used] = '\0';
    *bad = used + 1 >= size || (quoted && *c != '"');
    if (quoted && *c == '"')
        c++;
    while (isspace((unsigned char)*c))
        c++;
    if (*c == ',')
        c++;
    else if (*c != '\0')
        *bad = true;
    *at = c;
    return out;
}

enum status identity_parse_path(struct identity *identity, const char *text)
{
    char names[32][64];
    const char *list[32];
    size_t count = 0;
    while (*text != '\0') {
        bool bad = false;
        if (count == 32)
            return ERR_INVALID;
        list[count] = next_name(&text, names[count], sizeof names[count], &bad);
        if (bad)
            return ERR_INVALID;
        count++;
    }
    return identity_set_path(identity, list, count);
}

static bool plain_name(const char *name)
{
    if (!(*name >= 'a' && *name <= 'z') && *name != '_')
        return false;
    for (; *name != '\0'; name++)
        if (!(*name >= 'a' && *name <= 'z') && !(*name >= '0' && *name <= '9') && *name != '_')
            return false;
    return true;
}

void identity_show_path(const struct identity *identity, struct buf *out)
{
    for (size_t i = 0; i < identity->path_count; i++) {
        if (i > 0)
            buf_str(out, ", ");
        if (plain_name(identity->path[i]))
            buf_str(out, identity->path[i]);
        else
            text_quote_ident(out, identity->path[i]);
    }
}

static size_t find_setting(const struct identity *identity, const char *name)
{
    size_t i = 0;
    while (i < identity->setting_count && strcasecmp(identity->settings[i].name, name) != 0)
        i++;
    return i;
}

enum status identity_set(struct identity *identity, const char *name, const char *value)
{
    size_t i = find_setting(identity, name);
    if (value == NULL) {
        if (i == identity->setting_count)
            return OK;
        free(identity->settings[i].name);
        free(identity->settings[i].value);
        identity->settings[i] = identity->settings[--identity->setting_count];
        return OK;
    }
    if (i < identity->setting_count)
        return identity_replace(&identity->settings[i].value, value);
    struct judge_setting *grown = realloc(identity->settings, (i + 1) * sizeof *grown);
    if (grown == NULL)
        return ERR_MEMORY;
    identity->settings = grown;
    grown[i].name = strdup(name);
    grown[i].value = strdup(value);
    if (grown[i].name == NULL || grown[i].value == NULL) {
        free(grown[i].name);
        free(grown[i].value);
        return ERR_MEMORY;
    }
    for (char *c = grown[i].name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    identity->setting_count = i + 1;
    return OK;
}

static void put_config(struct buf *out, const char *name, const char *value)
{
    buf_str(out, ",pg_catalog.set_config(");
    text_quote_literal(out, name);
    buf_byte(out, ',');
    text_quote_literal(out, value);
    buf_str(out, ",false)");
}

static const char *attribute_value(const struct policy_user *user, size_t attribute)
{
    for (size_t i = 0; i < user->attribute_count; i++)
        if (user->attributes[i].attribute == attribute)
            return user->attributes[i].setting;
    /* Empty, never the value of the person before: its cast fails or matches nothing. */
    return "";
}

static void put_pair(struct buf *out, const char *name, const char *value)
{
    buf_cstr(out, name);
    buf_cstr(out, value);
}

enum status identity_person(const struct identity *identity, const struct policy *policy,
                            const char *pair, const char *address, struct identity_text *out)
{
    const struct policy_names *names = policy->names;
    struct buf text;
    buf_init(&text, 0);
    /* Without a mission it is the login itself, which may do nothing. */
    put_pair(&text, "role", pair == NULL ? "none" : pair);
    put_pair(&text, names->user_name, identity->user->name);
    put_pair(&text, names->address, address);
    for (size_t i = 0; i < policy->attribute_count; i++)
        put_pair(&text, names->attributes[i], attribute_value(identity->user, i));
    put_pair(&text, names->reason, identity->reason == NULL ? "" : identity->reason);
    put_pair(&text, names->patient, identity->patient == NULL ? "" : identity->patient);
    size_t path_at = buf_len(&text);
    buf_cstr(&text, "pgvigil.search_path");
    text_quote_array(&text, identity->path, identity->path_count);
    buf_byte(&text, '\0');
    return identity_text_take(out, &text, path_at) ? OK : ERR_MEMORY;
}

enum status identity_preferences(const struct identity *identity, struct buf *out)
{
    /* set_config, not SET: it reads lists (search_path, DateStyle) from one text. */
    if (identity->setting_count > 0)
        buf_str(out, "SELECT 1");
    for (size_t i = 0; i < identity->setting_count; i++)
        put_config(out, identity->settings[i].name, identity->settings[i].value);
    return out->failed ? ERR_MEMORY : OK;
}

/* ---- copies ---- */

static bool copy_text(char **to, const char *from)
{
    *to = from == NULL ? NULL : strdup(from);
    return from == NULL || *to != NULL;
}

enum status identity_copy(const struct identity *from, struct identity *to)
{
    memset(to, 0, sizeof *to);
    to->login = from->login;
    to->user = from->user;
    to->person = from->person;
    to->until = from->until;
    to->role_chosen = from->role_chosen;
    to->role = from->role;
    to->mission = from->mission;
    to->glass = break_glass_ref(from->glass);
    bool good = copy_text(&to->application, from->application) &&
                copy_text(&to->reason, from->reason) && copy_text(&to->patient, from->patient);
    if (good && identity_set_path(to, from->path, from->path_count) == OK)
        return OK;
    identity_free(to);
    return ERR_MEMORY;
}

void identity_take(struct identity *to, struct identity *from)
{
    struct judge_setting *settings = to->settings;
    size_t count = to->setting_count;
    to->settings = NULL;
    to->setting_count = 0;
    identity_clear_settings(from);
    identity_free(to);
    *to = *from;
    to->settings = settings;
    to->setting_count = count;
    memset(from, 0, sizeof *from);
    from->role = from->mission = -1;
}

bool identity_same_standing(const struct identity *a, const struct identity *b)
{
    return identity_same_person(a, b) && a->role == b->role && a->mission == b->mission &&
           a->glass == b->glass && text_same(a->reason, b->reason) &&
           text_same(a->patient, b->patient);
}

bool identity_same_path(const struct identity *a, const struct identity *b)
{
    if (a->path_count != b->path_count)
        return false;
    for (size_t i = 0; i < a->path_count; i++)
        if (strcmp(a->path[i], b->path[i]) != 0)
            return false;
    return true;
}
