/*
 * doc_parts.c: the organisation and its host, as documents tell of them (see doc.h).
 */
#include "tools/doc.h"

#include <string.h>

#define CFG "pgvigil.cfg: organisation."

/* What may be left out without making the document incomplete. */
static json_t *optional(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *dpo_of(const struct config_dpo *dpo)
{
    if (dpo->not_designated)
        return json_pack("{s:s}", "not_designated", dpo->not_designated);
    return json_pack("{s:o, s:o, s:o, s:o, s:b}", "name",
                     doc_text(dpo->name, CFG "dpo.name or dpo.not_designated"), "email",
                     dpo->phone && !dpo->email ? json_null()
                                               : doc_text(dpo->email, CFG "dpo.email"),
                     "phone", optional(dpo->phone), "organisation", optional(dpo->organisation),
                     "external", dpo->external);
}

/* Where people write to who want their rights. */
static json_t *contact_of(const struct config_organisation *organisation)
{
    const char *email = organisation->dpo.email ? organisation->dpo.email : organisation->email;
    const char *phone = organisation->dpo.phone ? organisation->dpo.phone : organisation->phone;
    bool none = !email && !phone && !organisation->address;
    return json_pack("{s:o, s:o, s:o}", "email", none ? doc_missing(CFG "email") : optional(email),
                     "phone", optional(phone), "address", optional(organisation->address));
}

json_t *doc_organisation(const struct doc *doc)
{
    const struct config_organisation *one = &doc->config->organisation;
    const struct config_controller *who = &one->controller;
    json_t *data = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", doc_text(one->name, CFG "name"), "kind",
        optional(one->kind), "address", doc_text(one->address, CFG "address"), "siret",
        optional(one->siret), "finess", optional(one->finess), "phone", optional(one->phone),
        "email", one->phone ? optional(one->email) : doc_text(one->email, CFG "email"));
    (void)json_object_set_new(data, "controller",
                              json_pack("{s:o, s:o, s:o}", "name",
                                        doc_text(who->name, CFG "controller.name"), "role",
                                        optional(who->role), "email", optional(who->email)));
    (void)json_object_set_new(data, "dpo", dpo_of(&one->dpo));
    (void)json_object_set_new(data, "contact", contact_of(one));
    return data;
}

static json_t *scope_of(const struct config_hosting *hosting)
{
    if (!hosting->scope_said)
        return doc_missing(CFG "hosting.hds_scope");
    json_t *scope = json_array();
    for (unsigned i = 0; i < CONFIG_HDS_SCOPES; i++) {
        if (hosting->scope[i])
            (void)json_array_append_new(scope, json_integer((json_int_t)i + 1));
    }
    return scope;
}

json_t *doc_hosting(const struct doc *doc)
{
    const struct config_hosting *one = &doc->config->organisation.hosting;
    long today = (long)(doc->made / 86400);
    json_t *data = json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "host", doc_text(one->host, CFG "hosting.host"), "certificate",
        doc_text(one->hds_certificate, CFG "hosting.hds_certificate"), "scope", scope_of(one),
        "expires", doc_text(one->hds_expires, CFG "hosting.hds_expires"), "contract",
        doc_text(one->processor_contract, CFG "hosting.processor_contract"));
    if (one->hds_expires)
        (void)json_object_set_new(data, "expired", json_boolean(one->expires_day < today));
    (void)json_object_set_new(data, "country", doc_text(one->country, CFG "hosting.country"));
    if (one->country) {
        (void)json_object_set_new(data, "in_eea", json_boolean(one->in_eea));
        (void)json_object_set_new(data, "outside_eea_reason",
                                  one->in_eea ? json_null() : optional(one->outside_eea_reason));
    }
    return data;
}
