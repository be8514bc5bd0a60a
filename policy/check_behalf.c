/*
 * check_behalf.c: logins that act for others.
 *
 * The attacks that a load stops: a ceiling that makes the application's password the DBA's, a proof
 * that nothing checks, and a token that was made for another application of the same issuer.
 */
#include "load.h"

#include <string.h>

static void check_from(struct loader *loader, struct raw_on_behalf *raw)
{
    static const char *const names[] = {
        [PERSON_FROM_USER] = "pgvigil.user",
        [PERSON_FROM_TOKEN] = "pgvigil.token",
        [PERSON_FROM_APPLICATION] = "application_name",
    };
    if (raw->from.text == NULL)
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], raw->from.text) != 0)
            continue;
        raw->on_behalf.from = (enum policy_person_from)i;
        return;
    }
    load_report(loader, raw->from.place,
                "\"from\" must be \"pgvigil.user\", \"pgvigil.token\" or \"application_name\": the "
                "setting that names the person");
    raw->from.text = NULL;
}

static void check_proof(struct loader *loader, struct raw_on_behalf *raw)
{
    if (raw->proof.text == NULL)
        return;
    raw->on_behalf.proven = strcmp(raw->proof.text, "jwt") == 0;
    if (!raw->on_behalf.proven && strcmp(raw->proof.text, "none") != 0) {
        load_report(
            loader, raw->proof.place,
            "\"proof\" must be \"jwt\" (a signed token), or \"none\" where the application is "
            "believed whom it acts for");
        raw->proof.text = NULL;
    }
    if (raw->proof.text == NULL || raw->from.text == NULL)
        return;
    bool token = raw->on_behalf.from == PERSON_FROM_TOKEN;
    if (raw->on_behalf.proven && !token)
        load_report(
            loader, raw->proof.place,
            "proof = \"jwt\" needs from = \"pgvigil.token\": a name in \"%s\" proves nothing",
            raw->from.text);
    if (!raw->on_behalf.proven && token)
        load_report(
            loader, raw->proof.place,
            "from = \"pgvigil.token\" needs proof = \"jwt\": a token that nobody checks is only "
            "a name; take from = \"pgvigil.user\" for that");
}

/* What a token is checked by: all of it, or none where there is no token. */
static void check_token_keys(struct loader *loader, const struct policy_user *user,
                             struct raw_on_behalf *raw)
{
    const struct {
        const struct raw_name *name;
        const char *key;
        const char *needed; /* NULL: has a default */
    } keys[] = {
        {&raw->keys, "keys", "the file with the issuer's public keys (PEM, or a JWK set)"},
        {&raw->issuer, "issuer", "who must have issued a token (iss)"},
        {&raw->audience, "audience",
         "whom a token must be made for (aud); else one that was made for "
         "another application would do"},
        {&raw->claim, "claim", NULL},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        bool given = keys[i].name->place.file != NULL;
        if (raw->on_behalf.proven && !given && keys[i].needed != NULL)
            load_report(loader, raw->on_behalf.place,
                        "user \"%s\": proof = \"jwt\" needs \"%s\": %s", user->name, keys[i].key,
                        keys[i].needed);
        if (!raw->on_behalf.proven && given && raw->proof.text != NULL)
            load_report(loader, keys[i].name->place,
                        "user \"%s\": \"%s\" is for proof = \"jwt\": remove it, or have the person "
                        "proven",
                        user->name, keys[i].key);
    }
}

static void check_ceiling(struct loader *loader, const struct policy_user *user,
                          struct raw_on_behalf *raw, const char *const *roles)
{
    const struct policy *policy = loader->policy;
    raw->on_behalf.roles = check_indexes(loader, &raw->roles, "role", roles, policy->role_count,
                                         &raw->on_behalf.role_count);
    if (raw->roles.place.file != NULL && raw->roles.count == 0)
        load_report(loader, raw->roles.place,
                    "user \"%s\" may act for others in no role: name one, or remove on_behalf",
                    user->name);
    for (size_t i = 0; i < raw->roles.count; i++) {
        int role = policy_find_role(policy, raw->roles.items[i].text);
        if (role >= 0 && policy->roles[role].unrestricted)
            load_report(
                loader, raw->roles.items[i].place,
                "user \"%s\" may not act for others in the unrestricted role \"%s\": whoever "
                "works without limits logs in herself",
                user->name, policy->roles[role].name);
    }
}

static void check_absent(struct loader *loader, const struct policy_user *user,
                         struct raw_on_behalf *raw)
{
    const struct policy *policy = loader->policy;
    struct policy_on_behalf *on_behalf = &raw->on_behalf;
    on_behalf->absent = -1;
    if (raw->absent.text == NULL || strcmp(raw->absent.text, "refuse") == 0)
        return;
    for (size_t i = 0; i < on_behalf->role_count; i++)
        if (strcmp(policy->roles[on_behalf->roles[i]].name, raw->absent.text) == 0)
            on_behalf->absent = (int)on_behalf->roles[i];
    if (on_behalf->absent < 0)
        load_report(
            loader, raw->absent.place,
            "user \"%s\": \"absent\" is \"refuse\", or the role among those of on_behalf that "
            "the login itself has while it acts for nobody; \"%s\" is neither",
            user->name, raw->absent.text);
}

static const char *beside(struct loader *loader, const struct raw_name *name)
{
    if (name->text == NULL || name->text[0] == '/')
        return name->text;
    const char *slash = strrchr(name->place.file, '/');
    int folder = slash == NULL ? 0 : (int)(slash - name->place.file) + 1;
    return arena_printf(loader->arena, "%.*s%s", folder, name->place.file, name->text);
}

void check_on_behalf(struct loader *loader, struct raw_user *raw_user, const char *const *roles)
{
    struct policy_user *user = &raw_user->user;
    struct raw_on_behalf *raw = raw_user->on_behalf;
    struct policy_on_behalf *on_behalf = &raw->on_behalf;
    if (raw_user->roles.place.file != NULL)
        load_report(loader, raw_user->roles.place,
                    "user \"%s\" acts for others: the roles stand in on_behalf, and its own is "
                    "\"absent\" there; remove \"roles\"",
                    user->name);
    if (raw_user->auth.text != NULL && strcmp(raw_user->auth.text, "none") == 0)
        load_report(loader, on_behalf->place,
                    "user \"%s\" cannot log in (auth = \"none\"), so it acts for nobody: remove "
                    "on_behalf",
                    user->name);
    check_from(loader, raw);
    check_proof(loader, raw);
    check_token_keys(loader, user, raw);
    check_ceiling(loader, user, raw, roles);
    check_absent(loader, user, raw);
    on_behalf->keys = beside(loader, &raw->keys);
    on_behalf->keys_place = raw->keys.place;
    on_behalf->issuer = raw->issuer.text;
    on_behalf->audience = raw->audience.text;
    on_behalf->claim = raw->claim.text != NULL ? raw->claim.text : on_behalf->proven ? "sub" : NULL;
    user->on_behalf = on_behalf;
    bool own = on_behalf->absent >= 0;
    uint32_t *role = arena_alloc(loader->arena, sizeof(*role));
    if (role == NULL)
        return;
    *role = own ? (uint32_t)on_behalf->absent : 0;
    user->roles = own ? role : on_behalf->roles;
    user->role_count = own ? 1 : on_behalf->role_count;
}
