/*
 * observe.h: what enforcing would do to a statement, told without doing it.
 *
 * For those who look before they enforce: observe mode of the proxy, `pgvigil replay`, `pgvigil
 * test`. judge() decides what is sent; two of its answers are PostgreSQL's to complete, and are
 * completed here: that a column which the policy hides does not exist, where judge() cannot be sure
 * of it; and that `*` gives fewer columns than the table has. Nothing here can fail: whatever keeps
 * a statement from being judged (memory, depth, a catalog that is not there) is what enforcing
 * would refuse it for, and so the observation.
 *
 * Pure, as judge.h, and with its needs of stack. An observer is immutable once it is made: many
 * threads may use it.
 */
#ifndef PGVIGIL_OBSERVE_H
#define PGVIGIL_OBSERVE_H

#include <pgvigil/buf.h>
#include <pgvigil/judge.h>

struct observer;

/* A catalog with the guards that `deploy` would make, for where none stand: whatever guards
 * `catalog` has count for nothing. What could not be deployed is told in `why`, a line each, and
 * has no guard. *planned has one reference. ERR_MEMORY. */
NODISCARD enum status observe_plan(const struct policy *policy, const struct catalog *catalog,
                                   struct catalog **planned, struct buf *why);
/* Over the guards that `catalog` has. Takes references of its own. ERR_MEMORY. */
NODISCARD enum status observer_new(struct policy *policy, struct catalog *catalog,
                                   struct observer **observer);
void observer_free(struct observer *observer); /* accepts NULL */
/* With the guards; borrowed. */
struct catalog *observer_catalog(const struct observer *observer);

/* A relation that the statement names: what enforcing makes of it. Column names are catalog's. */
struct observed_relation {
    const char *schema;
    const char *name;
    const char *rule; /* "40-rules.cfg:12", or NULL: system catalogs, views without a rule */
    const char *const *shown;
    size_t shown_count;
    const char *const *masked;
    size_t masked_count;
    const char *const
        *hidden; /* the statement names them or has them by *, and they are not there */
    size_t hidden_count;
    const char *const *written;
    size_t written_count;
    bool writes;
    bool filtered; /* the rule has `rows`, or that of a table below the view has */
};

struct observed_statement {
    const struct observed_relation *relations;
    size_t relation_count;
};

struct observation {
    bool allowed;         /* a zeroed observation is a refusal */
    bool foretold;        /* judge() allows it, and PostgreSQL will not know the column `object` */
    bool rewritten;       /* another text would be sent */
    const char *sqlstate; /* of a refusal, as what follows */
    const char *reason;   /* as verdict_refusal's, and "mission": none is chosen */
    const char *object;
    const char *message;
    const char *hint;                            /* what the administrator could change, or NULL */
    const struct verdict *verdict;               /* NULL: it did not come to that */
    const struct observed_statement *statements; /* as many as the verdict's; NULL unless judge()
                                                    allows it */
    size_t statement_count;
};

/* `request->catalog` is the observer's to give; `request->mission` may be -1. `observer` NULL: the
 * catalog is not known. What the observation points to stands in the arena, the request, the
 * observer and its policy. */
void observe(const struct observer *observer, const struct judge_request *request,
             struct arena *arena, struct observation *out);

/* For judge_request.prepared: any name is a statement's. What EXECUTE runs was observed at its
 * PREPARE, and a name that there is not is PostgreSQL's to miss. */
const char *observe_prepared(void *context, const char *name, bool *writes);

/* An observation that is not judge()'s: something the proxy would refuse. */
void observe_refusal(struct observation *out, const char *sqlstate, const char *reason,
                     const char *object, const char *message, const char *hint);

#endif
