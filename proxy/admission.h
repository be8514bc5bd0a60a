/*
 * admission.h: how many connections there may be, in all, per address and per user, and how fast
 * logins may fail.
 *
 * Shared by the acceptor and all workers (a mutex inside). The answer to a failed login is delayed
 * once an address has failed limits.failed_logins times lately, so that passwords cannot be tried
 * quickly; nothing blocks meanwhile.
 */
#ifndef PGVIGIL_PROXY_ADMISSION_H
#define PGVIGIL_PROXY_ADMISSION_H

#include <pgvigil/config.h>
#include <stdbool.h>
#include <stdint.h>

struct admission;

struct admission *admission_new(const struct config_limits *limits);
void admission_free(struct admission *admission);
/* False: too many, in all or from there; *total says which. */
bool admission_enter(struct admission *admission, const char *address, bool *total);
void admission_leave(struct admission *admission, const char *address);
bool admission_user_enter(struct admission *admission, const char *user);
void admission_user_leave(struct admission *admission, const char *user);
/* Counts a failed login; returns by how many milliseconds its answer is to be delayed. */
unsigned admission_failed(struct admission *admission, const char *address, uint64_t now);
void admission_succeeded(struct admission *admission, const char *address);

#endif
