/*
 * deed.c: what commands do to records, in the trail (deed.h).
 *
 * Trust boundary: who runs it is what the system says (operator.h), or who proved to be who with a
 * password. Details hold counts and names of tables, never a value.
 */
#include "tools/deed.h"

#include "tools/operator.h"

#include <pgvigil/audit.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DEED_CHAIN     (AUDIT_CHAIN_BY_HAND + 1U)
#define TURNS_A_SECOND 40U
#define WAIT_SECONDS   10U

struct deed {
    struct audit *audit;
    struct operator operator;
    const char *people;
    const char *database;
    const char *reason;
    uid_t before;
};

static enum status open_chain(const struct config *config, struct audit **audit, const char **why)
{
    struct audit_options options = config->audit;
    options.reserve_bytes = 0; /* the server's: it keeps its own records possible */
    enum status status = ERR_INVALID;
    for (unsigned i = 0; status == ERR_INVALID && i < WAIT_SECONDS * TURNS_A_SECOND; i++) {
        const struct timespec pause = {.tv_nsec = i ? 1000000000L / TURNS_A_SECOND : 0};
        (void)nanosleep(&pause, NULL);
        status = audit_open(&options, DEED_CHAIN, audit, why);
    }
    return status;
}

int deed_open(const struct cli_command *command, const struct config *config, const char *database,
              const char *people, struct deed **deed)
{
    struct deed *made = calloc(1, sizeof(*made));
    const char *why = "out of memory";
    *deed = NULL;
    if (!made)
        return cli_fail(command, CLI_CANNOT, "%s", why);
    made->people = people;
    made->database = database;
    made->before = geteuid();
    operator_find(&made->operator);
    if (!operator_become_owner(config->audit.directory))
        why = "cannot act as the owner of the trail's directory";
    else if (open_chain(config, &made->audit, &why) == OK) {
        *deed = made;
        return CLI_FINE;
    }
    deed_close(made);
    return cli_fail(command, CLI_CANNOT, "nothing is done, since it would leave no record: %s",
                    why ? why : "the trail cannot be opened");
}

void deed_because(struct deed *deed, const char *reason)
{
    deed->reason = reason;
}

enum status deed_append(struct deed *deed, const char *event, const char *subject,
                        const char *detail)
{
    const struct audit_session session = {.person =
                                              deed->people ? deed->people : deed->operator.person,
                                          .login = deed->operator.login,
                                          .database = deed->database,
                                          .reason = deed->reason,
                                          .patient = subject};
    return audit_event(deed->audit, event, &session, detail);
}

enum status deed_flush(struct deed *deed)
{
    return audit_flush(deed->audit);
}

void deed_close(struct deed *deed)
{
    if (!deed)
        return;
    audit_close(deed->audit);
    if (geteuid() != deed->before)
        (void)!seteuid(deed->before);
    free(deed);
}
