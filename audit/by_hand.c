/*
 * by_hand.c: a record of a command that a person runs, in a chain of its own (see audit.h).
 *
 * Commands come and go beside a running server, whose chains are locked by it. Theirs is opened for
 * one event and closed again, with a signature.
 */
#include <pgvigil/audit.h>
#include <time.h>

#define TURNS_A_SECOND 40U

enum status audit_by_hand(const struct audit_options *options, unsigned chain, unsigned seconds,
                          const char *event, const struct audit_session *session,
                          const char *detail, const char **why)
{
    struct audit *audit = NULL;
    enum status status = ERR_INVALID;
    /* The server's is what keeps its own records possible. */
    struct audit_options without = *options;
    without.reserve_bytes = 0;
    /* ERR_INVALID is a key that is none, too: that is told before the chain is locked, and stays.
     */
    for (unsigned i = 0; status == ERR_INVALID && i < seconds * TURNS_A_SECOND; i++) {
        const struct timespec pause = {.tv_nsec = i ? 1000000000L / TURNS_A_SECOND : 0};
        (void)nanosleep(&pause, NULL);
        status = audit_open(&without, chain, &audit, why);
    }
    if (status != OK)
        return status;
    status = audit_event(audit, event, session, detail);
    if (status == OK)
        status = audit_flush(audit);
    if (status != OK)
        *why = "a record cannot be written: is the disk full?";
    audit_close(audit);
    return status;
}
