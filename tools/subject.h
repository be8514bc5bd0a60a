/*
 * subject.h: `pgvigil subject`: what a person may ask of those who keep her records.
 */
#ifndef PGVIGIL_TOOLS_SUBJECT_H
#define PGVIGIL_TOOLS_SUBJECT_H

#include "tools/cli.h"
#include "tools/doc.h"
#include "tools/records.h"

#include <pgvigil/arena.h>

struct retention;

struct subject {
    const struct cli_command *command;
    /* Of the command line. */
    struct doc_options doc_options;
    const char *database_name, *as, *patient, *right, *note, *kind, *received, *id, *outcome,
        *reason, *key_file /* rectify: the row's key */;
    const char *archive_as, *by, *and_by, *certificates, *request;
    const char *table, *column, *value, *changes, *seen;
    bool apply, null, fhir;
    bool french;  /* of what erase and rectify tell */
    bool names;   /* of professionals, in the list of accesses */
    bool all;     /* closed requests too */
    bool unknown; /* a person of whom there is no row is meant */
    /* Opened. */
    struct config *config;
    struct policy *policy;
    const struct config_database *database;
    PGconn *conn;
    struct catalog *catalog;
    struct records records;    /* of every table with a subject */
    struct retention *archive; /* access, portability: where --archive is given; or NULL */
    struct arena *arena;
    struct buf why;
};

/* Configuration, policy, connection; with `records` the tables too. Tells what is wrong. */
int subject_open(struct subject *subject, bool records);
void subject_close(struct subject *subject);
/* --archive, if it is given: another database, and the archive of this one. */
int subject_open_archive(struct subject *subject);
/* The patient as the database writes her ("37" of "037"): else a right would be set for nobody, and
 * the trail be searched for nobody. CLI_FINDINGS, told: there is no row about such a person. */
int subject_find(struct subject *subject);
/* In one of the databases: *found (arena) is how it writes her, or NULL. CLI_FINE, or told. */
int subject_look(struct subject *subject, PGconn *conn, const struct records *records,
                 const char **found);
int subject_fail(struct subject *subject, enum status status);
/* One event in the trail, about the patient (or NULL), before what it tells of is released.
 * CLI_FINE or CLI_CANNOT. */
int subject_record(struct subject *subject, const char *event, const char *patient,
                   const char *detail);

int subject_access(struct subject *subject);
int subject_portability(struct subject *subject);
/* One of the databases that hold what is about her. */
struct subject_side {
    PGconn *conn;
    const struct records *records;
    const char *stands; /* "archive"; NULL: in the database that applications use */
};
/* A Bundle of what fhir_patient makes of her row there, inside a transaction of the caller's;
 * *bundle is NULL where there is none. CLI_FINDINGS, told: a value is left out. */
int subject_fhir(struct subject *subject, const struct subject_side *side, const char *list,
                 time_t made, json_t **bundle);
int subject_set(struct subject *subject);
int subject_lift(struct subject *subject);
int subject_verify(struct subject *subject);
int subject_request(struct subject *subject);
int subject_requests(struct subject *subject);
int subject_extend(struct subject *subject);
int subject_settle(struct subject *subject);
int subject_erase(struct subject *subject);
int subject_rectify(struct subject *subject);

/* subject_requests.c, for what answers a request. --request is one of this kind, of the patient;
 * *open: it is not settled yet. CLI_FINE, or told. */
int subject_check_request(struct subject *subject, const char *kind, bool *open);
int subject_settle_request(struct subject *subject, const char *outcome);
/* What has come of it so far; it stays open. */
int subject_note_request(struct subject *subject, const char *outcome);

#endif
