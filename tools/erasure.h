/*
 * erasure.h: which rows of a person may go because she asks for it, and why the others stay
 * (RGPD, article 17).
 *
 * A row goes when its table is `erasable` by the policy, or when the whole record is past its term.
 * It stays while a legal hold stands, which beats all, while its term runs, and where a row that
 * stays refers to it: nothing is torn out of another person's record. One row, not one table, is
 * what is decided about.
 */
#ifndef PGVIGIL_TOOLS_ERASURE_H
#define PGVIGIL_TOOLS_ERASURE_H

#include "tools/retention.h"

#include <jansson.h>

enum erasure_reason {
    ERASURE_NONE = 0,
    /* It goes: */
    ERASURE_ERASABLE, /* the policy declares it so */
    ERASURE_EXPIRED,  /* the term has ended */
    /* It stays: */
    ERASURE_HELD,         /* a legal hold */
    ERASURE_UNKNOWN,      /* no row tells whether there is a hold, or since when the term runs */
    ERASURE_TERM,         /* until a day that is known */
    ERASURE_NO_DATE,      /* of the term nobody can say when it ends */
    ERASURE_OTHER_TIME,   /* retention.except */
    ERASURE_LIVE,         /* in the archive: the database knows the person as a patient */
    ERASURE_NO_RETENTION, /* the policy says for no table how long it is kept */
    ERASURE_REFERRED      /* a row that stays refers to it */
};
/* "erasable", for certificates and JSON. */
const char *erasure_word(enum erasure_reason reason);

/* What the database that applications use says of the person. */
struct erasure_person {
    bool known;      /* there is a row of hers in retention.table */
    bool hold_known; /* here, or in the other database */
    bool held;       /* a legal hold */
    bool seen;       /* there is a last consultation */
    bool patient;    /* in the archive: the database knows a later visit, or a record that runs */
    enum policy_age age;
    char until[16]; /* last day of the term; "": nobody can say */
};

struct erasure_table {
    uint64_t goes, stays;
    enum erasure_reason why_goes, why_stays;
    const char *tied; /* for ERASURE_REFERRED: "public.notes refers to public.stays", the first */
    struct rows_sum sum; /* of those that go; erasure_sum */
};

/* One person in one database. In the retention's arenas. */
struct erasure {
    struct retention *retention;
    struct retention_side *side;
    struct rows rows; /* picked */
    const char *list; /* of the person alone */
    struct erasure_person person;
    struct erasure_table *tables; /* as records.tables */
    const struct rows_sum *sums;  /* of those that go, for rows_delete; erasure_delete */
    uint64_t goes, stays;
};

/* All of these: ERR_UPSTREAM, ERR_INVALID, ERR_MEMORY with a sentence in retention->why. */
/* Decides, inside a transaction of the caller's on the side; `lock`: rows that go are locked. */
NODISCARD enum status erasure_decide(struct retention *retention, struct retention_side *side,
                                     const char *patient, bool lock, struct erasure *erasure);
NODISCARD enum status erasure_sum(struct erasure *erasure);
/* Takes the rows away, and counts what is left: another number than was told is ERR_INVALID. */
NODISCARD enum status erasure_delete(struct erasure *erasure);
/* Before it is on record: what PostgreSQL could refuse at the commit it refuses now, and what has
 * really gone is what was to go. */
NODISCARD enum status erasure_check(const struct erasure *erasure);
/* The moment before the commit: does the database still say the same of the person? */
NODISCARD enum status erasure_still(struct erasure *erasure);

/* erasure_print.c: as text, and as JSON ({where, held, age, until, tables}). */
void erasure_print(const struct erasure *erasure, bool french);
json_t *erasure_json(const struct erasure *erasure);
/* Adds to *kept, for the register: "database: 12 of public.stays (to be kept until 2041-05-05)". In
 * retention->arena; nothing when nothing stays. */
NODISCARD enum status erasure_kept(const struct erasure *erasure, bool french, const char **kept);

#endif
