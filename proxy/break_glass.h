/*
 * break_glass.h: entering a mission that breaks the glass, and how long the entry holds.
 *
 * Such a mission opens what the person's role does not, so it asks for a reason first (and what the
 * policy requires: one patient), ends by itself, and is loud. An entry is bound to what it was made
 * with: another person, role, reason or patient ends it. Entries are immutable and shared by
 * reference count among the copies of an identity that a transaction may bring back; one thread.
 * The registry of last reasons is the whole process's.
 */
#ifndef PGVIGIL_PROXY_BREAK_GLASS_H
#define PGVIGIL_PROXY_BREAK_GLASS_H

#include "proxy/identity.h"

#include <pgvigil/arena.h>

struct break_glass {
    unsigned refs;
    uint64_t until; /* monotonic microseconds */
    unsigned minutes;
    char *person; /* names: places and indexes change with the policy */
    char *role;
    char *mission;
    char *reason;
    char *patient; /* NULL: not required */
};

struct break_glass *break_glass_ref(struct break_glass *glass); /* accepts NULL */
void break_glass_unref(struct break_glass *glass);              /* accepts NULL */

/* Who gave which reason last. Any thread. */
struct break_glass_registry;
struct break_glass_registry *break_glass_registry_new(void); /* NULL when out of memory */
void break_glass_registry_free(struct break_glass_registry *registry);
/* The person has entered with this reason. */
NODISCARD enum status break_glass_registry_note(struct break_glass_registry *registry,
                                                const char *person, const char *reason);

struct break_glass_refusal {
    const char *message; /* in the arena */
    const char *hint;
};
/* Whether `identity` may enter the mission with the reason and the settings it has. OK with an
 * entry (one reference), nothing else is changed. DENIED with *refusal. ERR_MEMORY. */
NODISCARD enum status break_glass_enter(struct break_glass_registry *registry,
                                        const struct policy *policy, int mission,
                                        const struct identity *identity, uint64_t now,
                                        struct arena *arena, struct break_glass_refusal *refusal,
                                        struct break_glass **glass);
/* Does the entry hold for what the identity is? Of a mission that breaks no glass: with none. */
bool break_glass_holds(const struct policy *policy, const struct identity *identity, uint64_t now);
/* Where it does not: back to the role's default mission. True: it was changed. */
bool break_glass_settle(const struct policy *policy, struct identity *identity, uint64_t now);
/* The same for one entry that is over: true when it was this identity's. */
bool break_glass_leave(const struct policy *policy, struct identity *identity,
                       const struct break_glass *glass);

#endif
