/*
 * budget.h: how often a person has asked about groups of patients today (statements_per_day), in a
 * file: a restart gives nobody a second day.
 *
 * The file `budget.day` stands beside the trail, 0600, locked by the process that counts in it. It
 * has a line that names its format, then entries of 64 bytes: the SHA-256 of who, mission and
 * database; the day; the count; and a hash over these and the entry's place. One entry is written
 * for each statement that counts, before it is sent. Those of days that are over are written over,
 * so the file is as long as the busiest day needs.
 *
 * The hash of a name is no secret: whoever can read the file can read the trail beside it, which
 * says the same of the same people in clear; a key would add nothing but a way to lose the counts
 * with it. For the same reason the entries are checked against damage and not against forgery: who
 * can write there can take the file away.
 *
 * What is damaged counts as used up: for everybody, until the day is over.
 */
#ifndef PGVIGIL_PROXY_BUDGET_H
#define PGVIGIL_PROXY_BUDGET_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdint.h>

#define BUDGET_FILE        "budget.day"
#define BUDGET_FILE_ASIDE  "budget.damaged"
#define BUDGET_ENTRIES_MAX 65536U /* people, times missions, times databases: 4 MiB */

struct budget;

/* Reads what is there; nothing is made before somebody asks. Days are numbers that grow by one with
 * each. A count is written before the statement is sent; `synced`: a thread brings it to the disk,
 * and nobody waits for that. ERR_IO (errno), ERR_INVALID (another process counts there, or it is no
 * file), ERR_MEMORY; *why is a sentence. */
NODISCARD enum status budget_open(const char *directory, bool synced, uint64_t today,
                                  struct budget **budget, const char **why);
/* Waits for the disk. Accepts NULL. */
void budget_close(struct budget *budget);

/* `count` more statements of the day, or none: DENIED where `limit` does not leave as many.
 * ERR_INVALID: the file was damaged, so the day is used up. ERR_IO: it cannot be written.
 * ERR_LIMIT: it holds as many people as it may. ERR_MEMORY. Any thread. */
NODISCARD enum status budget_take(struct budget *budget, const char *person, const char *mission,
                                  const char *database, uint64_t limit, uint64_t count,
                                  uint64_t day);

#endif
