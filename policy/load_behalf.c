/*
 * load_behalf.c: a user's `on_behalf`: a login that many people share.
 *
 * Trust boundary and ownership: as value.c. Files of keys are only named here; the proxy reads
 * them.
 */
#include "value.h"

static void behalf_roles(const struct value *value)
{
    (void)value_names(value, &((struct raw_on_behalf *)value->entry)->roles);
}

static void behalf_from(const struct value *value)
{
    value_name(value, &((struct raw_on_behalf *)value->entry)->from);
}

static void behalf_proof(const struct value *value)
{
    value_name(value, &((struct raw_on_behalf *)value->entry)->proof);
}

static void behalf_keys(const struct value *value)
{
    value_name(value, &((struct raw_on_behalf *)value->entry)->keys);
}

static void behalf_issuer(const struct value *value)
{
    value_name(value, &((struct raw_on_behalf *)value->entry)->issuer);
}

static void behalf_audience(const struct value *value)
{
    value_name(value, &((struct raw_on_behalf *)value->entry)->audience);
}

static void behalf_claim(const struct value *value)
{
    value_name(value, &((struct raw_on_behalf *)value->entry)->claim);
}

static void behalf_absent(const struct value *value)
{
    value_name(value, &((struct raw_on_behalf *)value->entry)->absent);
}

static const struct value_key behalf_keys_known[] = {
    {"roles", "the roles in which it may act for others", behalf_roles},
    {"from", "what names the person: \"pgvigil.user\", \"pgvigil.token\" or \"application_name\"",
     behalf_from},
    {"proof", "\"jwt\", or \"none\" where the application is believed", behalf_proof},
    {"keys", NULL, behalf_keys},
    {"issuer", NULL, behalf_issuer},
    {"audience", NULL, behalf_audience},
    {"claim", NULL, behalf_claim},
    {"absent", NULL, behalf_absent},
};

void load_on_behalf(const struct value *value)
{
    struct raw_user *user = value->entry;
    struct raw_on_behalf *raw = arena_zalloc(value->loader->arena, 1, sizeof(*raw));
    struct value group = *value;
    if (raw == NULL)
        return;
    raw->on_behalf.place = value_place(value);
    user->on_behalf = raw;
    group.entry = raw;
    (void)value_group(&group, "on_behalf", KEYS(behalf_keys_known));
}
