/*
 * check_users.c: users, their credentials and attributes.
 *
 * Trust boundary: secrets and attribute values are here. No message holds one: users and attributes
 * are named, values are counted.
 */
#include "expression_check.h"
#include "load.h"
#include "private.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct type_info {
    bool is_list;
    const char *base;
};

/* Bytes that `len` characters of base64 stand for, or -1 when they are not base64. */
static int base64_bytes(const char *text, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t pad = 0;
    if (len == 0 || len % 4 != 0 || len > 1024)
        return -1;
    while (pad < 2 && text[len - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < len - pad; i++)
        if (strchr(digits, text[i]) == NULL)
            return -1;
    return (int)(len / 4 * 3 - pad);
}

/* SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, as in pg_authid. */
static bool is_scram_secret(const char *secret)
{
    static const char prefix[] = "SCRAM-SHA-256$";
    if (strncmp(secret, prefix, sizeof(prefix) - 1) != 0)
        return false;
    const char *at = secret + sizeof(prefix) - 1;
    char *end = NULL;
    if (*at < '1' || *at > '9')
        return false;
    errno = 0;
    unsigned long iterations = strtoul(at, &end, 10);
    if (errno != 0 || *end != ':' || iterations < 4096 || iterations > INT_MAX)
        return false;
    const char *salt = end + 1;
    const char *stored = strchr(salt, '$');
    const char *server = stored == NULL ? NULL : strchr(stored + 1, ':');
    return server != NULL && base64_bytes(salt, (size_t)(stored - salt)) >= 8 &&
           base64_bytes(stored + 1, (size_t)(server - stored - 1)) == 32 &&
           base64_bytes(server + 1, strlen(server + 1)) == 32;
}

static bool is_integer(const char *text, long long least, long long most)
{
    char *end = NULL;
    const char *digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    if (*digits < '0' || *digits > '9')
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && value >= least && value <= most;
}

static bool is_boolean(const char *text)
{
    static const char *const words[] = {"true", "false", "t",   "f", "yes",
                                        "no",   "on",    "off", "1", "0"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i], text) == 0)
            return true;
    return false;
}

static bool is_date(const char *text)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
        return false;
    for (int i = 0; i < 10; i++)
        if (i != 4 && i != 7 && (text[i] < '0' || text[i] > '9'))
            return false;
    int year = (int)strtol(text, NULL, 10);
    int month = (int)strtol(text + 5, NULL, 10);
    int day = (int)strtol(text + 8, NULL, 10);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month != 2 || day < 29 || leap;
}

/* What the value must look like, when it does not; NULL when it does or nobody knows. */
static const char *unlike_type(const char *base, const char *value)
{
    if (strcmp(base, "int2") == 0)
        return is_integer(value, SHRT_MIN, SHRT_MAX) ? NULL : "a whole number";
    if (strcmp(base, "int4") == 0)
        return is_integer(value, INT_MIN, INT_MAX) ? NULL : "a whole number";
    if (strcmp(base, "int8") == 0)
        return is_integer(value, LLONG_MIN, LLONG_MAX) ? NULL : "a whole number";
    if (strcmp(base, "bool") == 0)
        return is_boolean(value) ? NULL : "true or false";
    if (strcmp(base, "date") == 0)
        return is_date(value) ? NULL : "a date like 2024-12-31";
    if (strcmp(base, "uuid") == 0)
        return text_is_uuid(value, strlen(value)) ? NULL : "a UUID";
    return NULL;
}

static const char *array_literal(struct loader *loader,
                                 const struct policy_user_attribute *attribute)
{
    struct buf text;
    buf_init(&text, 0);
    text_quote_array(&text, attribute->values, attribute->value_count);
    return text_take(&text, loader->arena);
}

static void check_values(struct loader *loader, const struct raw_user *user,
                         const struct raw_attribute *raw, const struct type_info *type,
                         const struct policy_attribute *attribute)
{
    for (size_t i = 0; i < raw->value_count; i++) {
        const char *expected = unlike_type(type->base, raw->values[i].text);
        if (expected == NULL)
            continue;
        if (raw->is_list)
            load_report(
                loader, raw->values[i].place,
                "user \"%s\": value %zu of \"%s\" does not look like its type %s: it must be %s",
                user->user.name, i + 1, attribute->name, attribute->type, expected);
        else
            load_report(
                loader, raw->values[i].place,
                "user \"%s\": the value of \"%s\" does not look like its type %s: it must be %s",
                user->user.name, attribute->name, attribute->type, expected);
    }
}

static void check_attribute(struct loader *loader, struct raw_user *user,
                            const struct raw_attribute *raw, const char *const *names,
                            const struct type_info *types)
{
    const struct policy *policy = loader->policy;
    struct policy_user_attribute *attributes =
        (struct policy_user_attribute *)(uintptr_t)user->user.attributes;
    int index = check_find(loader, &raw->name, "attribute", names, policy->attribute_count);
    if (index < 0)
        return;
    const struct policy_attribute *declared = &policy->attributes[index];
    if (raw->is_list != types[index].is_list) {
        load_report(loader, raw->name.place,
                    raw->is_list
                        ? "user \"%s\": \"%s\" is of type %s, which is no array: give one "
                          "value in quotes"
                        : "user \"%s\": \"%s\" is of type %s: give a list, [ \"a\", \"b\" ]",
                    user->user.name, declared->name, declared->type);
        return;
    }
    check_values(loader, user, raw, &types[index], declared);
    const char **values = arena_alloc(loader->arena, (raw->value_count + 1) * sizeof(*values));
    if (values == NULL)
        return;
    for (size_t i = 0; i < raw->value_count; i++)
        values[i] = raw->values[i].text;
    struct policy_user_attribute *out = &attributes[user->user.attribute_count++];
    *out = (struct policy_user_attribute){.attribute = (uint32_t)index,
                                          .is_list = raw->is_list,
                                          .values = values,
                                          .value_count = raw->value_count};
    out->setting = raw->is_list ? array_literal(loader, out) : values[0];
}

/* Whoever is only acted for cannot log in, whatever the file still holds of her. */
static void check_no_credentials(struct loader *loader, const struct raw_user *raw)
{
    const struct raw_name *unused[] = {&raw->secret, &raw->cn};
    static const char *const keys[] = {"secret", "certificate_cn"};
    for (size_t i = 0; i < sizeof(unused) / sizeof(unused[0]); i++)
        if (unused[i]->place.file != NULL)
            load_report(loader, unused[i]->place,
                        "user \"%s\": auth = \"none\" uses no \"%s\": remove it", raw->user.name,
                        keys[i]);
}

static void check_credentials(struct loader *loader, struct raw_user *raw)
{
    struct policy_user *user = &raw->user;
    if (raw->auth.text == NULL)
        return;
    if (strcmp(raw->auth.text, "scram") == 0)
        user->auth = AUTH_SCRAM;
    else if (strcmp(raw->auth.text, "cert") == 0)
        user->auth = AUTH_CERT;
    else if (strcmp(raw->auth.text, "cert+scram") == 0)
        user->auth = AUTH_CERT_AND_SCRAM;
    if (user->auth == AUTH_NONE && strcmp(raw->auth.text, "none") != 0) {
        load_report(loader, raw->auth.place,
                    "user \"%s\": \"auth\" must be \"scram\", \"cert\", \"cert+scram\" or \"none\"",
                    user->name);
        return;
    }
    if (user->auth == AUTH_NONE) {
        check_no_credentials(loader, raw);
        return;
    }
    bool scram = user->auth != AUTH_CERT;
    bool cert = user->auth != AUTH_SCRAM;
    if (scram && raw->secret.place.file == NULL)
        load_report(
            loader, user->place,
            "user \"%s\" has no \"secret\", which auth = \"%s\" needs: make one with pgvigil "
            "passwd",
            user->name, raw->auth.text);
    if (!scram && raw->secret.place.file != NULL)
        load_report(loader, raw->secret.place,
                    "user \"%s\": auth = \"cert\" uses no \"secret\": remove it, or write "
                    "\"cert+scram\"",
                    user->name);
    if (scram && raw->secret.text != NULL && !is_scram_secret(raw->secret.text))
        load_report(
            loader, raw->secret.place,
            "user \"%s\": \"secret\" is not of the form SCRAM-SHA-256$<iterations, at least "
            "4096>:<salt>$<StoredKey>:<ServerKey>: make one with pgvigil passwd",
            user->name);
    if (cert && raw->cn.place.file == NULL)
        load_report(loader, user->place,
                    "user \"%s\" has no \"certificate_cn\", which auth = \"%s\" needs", user->name,
                    raw->auth.text);
    if (!cert && raw->cn.place.file != NULL)
        load_report(loader, raw->cn.place,
                    "user \"%s\": auth = \"scram\" uses no \"certificate_cn\": remove it, or write "
                    "\"cert+scram\"",
                    user->name);
    user->secret = raw->secret.text;
    user->certificate_cn = raw->cn.text;
}

/* Free, but printable and as long as PostgreSQL takes from a client. */
static void check_user_name(struct loader *loader, struct policy_place place, const char *name)
{
    bool printable = strlen(name) <= 63;
    for (const char *c = name; *c != '\0'; c++)
        printable = printable && (unsigned char)*c >= 0x20 && *c != 0x7f;
    if (!printable)
        load_report(loader, place, "a user's name must be printable and at most 63 bytes long");
}

static void check_own_roles(struct loader *loader, struct raw_user *raw, const char *const *roles)
{
    struct policy_user *user = &raw->user;
    user->roles = check_indexes(loader, &raw->roles, "role", roles, loader->policy->role_count,
                                &user->role_count);
    if (raw->roles.place.file != NULL && raw->roles.count == 0)
        load_report(loader, raw->roles.place,
                    "user \"%s\" has no role: nobody can work without one", user->name);
}

static void check_user(struct loader *loader, struct raw_user *raw, const char *const *roles,
                       const char *const *attributes, const struct type_info *types)
{
    struct policy_user *user = &raw->user;
    check_user_name(loader, user->place, user->name);
    check_credentials(loader, raw);
    if (raw->on_behalf != NULL)
        check_on_behalf(loader, raw, roles);
    else
        check_own_roles(loader, raw, roles);
    user->attributes =
        arena_zalloc(loader->arena, raw->attribute_count + 1, sizeof(*user->attributes));
    for (size_t i = 0; user->attributes != NULL && i < raw->attribute_count; i++)
        check_attribute(loader, raw, &raw->attributes[i], attributes, types);
}

static void check_common_name(struct loader *loader, const struct policy_user *user,
                              struct map *seen, struct policy_place place)
{
    const struct policy_user *first = map_get_str(seen, user->certificate_cn);
    if (first != NULL)
        load_report(loader, place,
                    "certificate_cn \"%s\" is user \"%s\" already: a certificate is one person",
                    user->certificate_cn, first->name);
    else if (map_put_str(seen, user->certificate_cn, (void *)(uintptr_t)user) != OK)
        load_report(loader, place, "out of memory");
}

static struct type_info *attribute_types(struct loader *loader, const char **names)
{
    const struct policy *policy = loader->policy;
    struct type_info *types =
        arena_zalloc(loader->arena, policy->attribute_count + 1, sizeof(*types));
    for (size_t i = 0; types != NULL && i < policy->attribute_count; i++) {
        const char *what = NULL;
        names[i] = policy->attributes[i].name;
        types[i].base = "";
        if (expression_check_type(policy->attributes[i].type, loader->arena, &types[i].is_list,
                                  &types[i].base, &what) != OK)
            types[i].base = ""; /* reported by check_data */
    }
    return types;
}

void check_users(struct loader *loader)
{
    struct policy *policy = loader->policy;
    struct raw_user *raw = loader->users.items;
    struct arena *arena = loader->arena;
    struct policy_user *users = arena_alloc(arena, (loader->users.count + 1) * sizeof(*users));
    const char **roles = arena_alloc(arena, (policy->role_count + 1) * sizeof(*roles));
    const char **attributes =
        arena_alloc(arena, (policy->attribute_count + 1) * sizeof(*attributes));
    struct map *names = map_new();
    struct map *common_names = map_new();
    size_t count = 0;
    if (users == NULL || roles == NULL || attributes == NULL || names == NULL ||
        common_names == NULL)
        goto failed;
    for (size_t i = 0; i < policy->role_count; i++)
        roles[i] = policy->roles[i].name;
    const struct type_info *types = attribute_types(loader, attributes);
    for (size_t i = 0; types != NULL && i < loader->users.count; i++) {
        if (raw[i].user.name == NULL)
            continue;
        check_user(loader, &raw[i], roles, attributes, types);
        if (check_duplicate(loader, "user", raw[i].user.name, raw[i].user.place, names))
            continue;
        users[count] = raw[i].user;
        if (users[count].certificate_cn != NULL)
            check_common_name(loader, &users[count], common_names, raw[i].cn.place);
        count++;
    }
    policy->users = users;
    policy->user_count = count;
    if (policy_index_users(policy) == OK)
        goto done;
failed:
    load_report(loader, (struct policy_place){.file = policy->path}, "out of memory");
done:
    map_free(names);
    map_free(common_names);
}
