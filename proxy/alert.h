/*
 * alert.h: the program that is told of a broken glass, within seconds.
 *
 * A thread of its own runs it, without a shell, with the facts in its environment: event loops only
 * put facts into a bounded queue. A few run at once, one that does not end is ended; what fails is
 * in the log. The facts are in the audit whatever becomes of the alert.
 */
#ifndef PGVIGIL_PROXY_ALERT_H
#define PGVIGIL_PROXY_ALERT_H

#include <pgvigil/status.h>
#include <stdint.h>

struct alert;

/* Texts are copied; NULL is left out. */
struct alert_facts {
    uint64_t session;
    const char *event; /* "break-glass" */
    const char *person;
    const char *login;
    const char *identity; /* as in the audit */
    const char *role;
    const char *mission;
    const char *purpose;
    const char *reason;
    const char *patient;
    const char *database;
    const char *address;
    const char *application;
    unsigned minutes;
};

NODISCARD enum status alert_start(const char *command, struct alert **alert);
/* What is queued is started; running programs are left to end by themselves. Accepts NULL. */
void alert_stop(struct alert *alert);
/* Any thread, never waits. Accepts NULL: no program is configured. */
void alert_post(struct alert *alert, const struct alert_facts *facts);

#endif
