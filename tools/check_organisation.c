/*
 * check_organisation.c: `check` of the group `organisation`: a certificate that ends, people of the
 * host's who are not in the policy.
 *
 * What the file alone tells is config_organisation.c's; here is what depends on the day and on the
 * policy.
 */
#include "tools/check_organisation.h"
#include "tools/cli.h"

#include <stdio.h>
#include <time.h>

#define WARN_DAYS 90L

void advise_hosting(const struct config *config, time_t now)
{
    const struct config_hosting *hosting = &config->organisation.hosting;
    long left = hosting->expires_day - (long)(now / 86400);
    if (!hosting->hds_expires || left > WARN_DAYS)
        return;
    if (left < 0)
        printf("%s:%u: warning: the host's HDS certificate expired on %s: health records may not "
               "stay with a host that is not certified; ask for the new one and give its number "
               "and day here\n",
               hosting->expires_place.file, hosting->expires_place.line, hosting->hds_expires);
    else
        printf("%s:%u: warning: the host's HDS certificate expires on %s, in %ld days: ask the "
               "host for the next one\n",
               hosting->expires_place.file, hosting->expires_place.line, hosting->hds_expires,
               left);
}

int check_staff(const struct config *config, const struct policy *policy)
{
    const struct config_hosting *hosting = &config->organisation.hosting;
    int code = CLI_FINE;
    for (size_t i = 0; i < hosting->staff_count; i++) {
        if (policy_find_user(policy, hosting->staff[i]))
            continue;
        printf("%s:%u: organisation.hosting.staff: \"%s\" is no user of the policy: \"pgvigil "
               "audit report host-staff\" would find nothing of that person\n",
               hosting->place.file, hosting->place.line, hosting->staff[i]);
        code = CLI_FINDINGS;
    }
    return code;
}
