/*
 * incident.h: what of the trail belongs to an incident: whose data, which, by whom, when.
 *
 * Counting errs on the side of telling: a statement counts unless it was refused, also one whose
 * outcome is not known, and a relation whose columns the trail does not name counts with all
 * categories that the policy gives it. Patients are counted exactly, however many they are: a
 * number is told of the whole trail or not at all.
 */
#ifndef PGVIGIL_TOOLS_INCIDENT_H
#define PGVIGIL_TOOLS_INCIDENT_H

#include <jansson.h>
#include <pgvigil/arena.h>
#include <pgvigil/map.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Patients by their numbers, in ranges, and by their texts. malloc'ed; zero is empty. */
struct subject_set {
    struct subject_range {
        int64_t first, last;
    } * ranges;
    size_t count;
    size_t cap;
    size_t settled; /* how many there were when they were put together last */
    bool loose;     /* some were added since */
    json_t *texts;  /* an object of them, or NULL */
};

/* An element of a record's `patients`. ERR_MEMORY. */
NODISCARD enum status subject_set_add(struct subject_set *set, const json_t *element);
/* How many different ones. Sorts. */
uint64_t subject_set_count(struct subject_set *set);
/* As records list them: sorted, each once. */
json_t *subject_set_list(struct subject_set *set);
/* Sorted before. */
bool subject_set_have_number(const struct subject_set *set, int64_t number);
bool subject_set_have_text(const struct subject_set *set, const char *text);
void subject_set_free(struct subject_set *set);

#define INCIDENT_CELLS 9U

struct incident_group {
    const char *cells[INCIDENT_CELLS];
    uint64_t statements, rows, refused;
    bool written;
    struct subject_set patients;
    char first[28], last[28];
    uint64_t mark; /* the statement that has counted here last */
};

struct incident_groups {
    struct map *map;
    struct incident_group **list;
    size_t count;
    size_t cap;
    size_t most; /* no more are made */
};

struct incident {
    const struct policy *policy;
    struct arena *arena;
    struct incident_groups persons;    /* person, login */
    struct incident_groups tables;     /* "schema.name" */
    struct incident_groups columns;    /* category, "schema.name.column", shown|masked|written */
    struct incident_groups categories; /* its name; "" is none */
    struct incident_groups timeline;   /* hour, person, login, role, mission, address, application,
                                          glass, event */
    struct subject_set patients;
    uint64_t answers, statements, rows, refused, writes, inexact, uncertain, unnamed, left_out;
    uint64_t timeline_cut;    /* answers that have no line in the timeline */
    char first[28], last[28]; /* of what was not refused */
};

NODISCARD enum status incident_start(struct incident *incident, const struct policy *policy);
/* An answer of the search. ERR_LIMIT: the table would be too large; ERR_MEMORY. */
NODISCARD enum status incident_add(struct incident *incident, const json_t *answer);
void incident_end(struct incident *incident);

#endif
