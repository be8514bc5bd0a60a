/*
 * organisation.h: who answers for the records, and who hosts them: the group `organisation` of
 * pgvigil.cfg as plain data (docs/operations.md describes every key).
 *
 * Nothing is enforced by it but its own form; documents are made of it (docs/rgpd.md). A text that
 * is not said is NULL, and the documents mark its place. All of it lives in the struct config.
 */
#ifndef PGVIGIL_ORGANISATION_H
#define PGVIGIL_ORGANISATION_H

#include <pgvigil/policy.h>
#include <stdbool.h>
#include <stddef.h>

/* The controller: whoever decides why and how the records are kept (GDPR, article 4.7). */
struct config_controller {
    const char *name;
    const char *role;
    const char *email;
};

/* The data protection officer; `not_designated` says why there is none. Never both. */
struct config_dpo {
    const char *name;
    const char *email;
    const char *phone;
    const char *organisation;
    const char *not_designated;
    bool external;
};

#define CONFIG_HDS_SCOPES 6U

struct config_hosting {
    const char *host;
    const char *hds_certificate;
    bool scope[CONFIG_HDS_SCOPES]; /* activities 1 to 6 of the HDS certification */
    bool scope_said;
    const char *hds_expires; /* "2027-06-30" */
    long expires_day;        /* the same, in days since 1970-01-01 */
    const char *country;     /* ISO 3166: "FR" */
    bool in_eea;             /* the country is of the European Economic Area */
    const char *outside_eea_reason;
    const char *processor_contract;
    const char *const *staff; /* users of the policy who are the host's people */
    size_t staff_count;
    struct policy_place place;
    struct policy_place expires_place;
};

struct config_organisation {
    bool said; /* the group is there */
    const char *name;
    const char *kind;
    const char *address;
    const char *siret;
    const char *finess;
    const char *phone;
    const char *email;
    struct config_controller controller;
    struct config_dpo dpo;
    struct config_hosting hosting;
    struct policy_place place;
};

/* Days since 1970-01-01 of "2027-06-30"; false: no such day. */
bool config_read_day(const char *text, long *day);

#endif
