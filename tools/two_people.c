/*
 * two_people.c: what nobody may do alone (two_people.h).
 *
 * Trust boundary: the person at the terminal is not trusted to be two. Passwords are compared as
 * the secrets they make, in constant time, and wiped; which of name, role and password was wrong is
 * not told. That a user is no single person, or has no password alone, is told: it stands in the
 * policy, and the admin can change it.
 */
#include "tools/two_people.h"

#include "proxy/scram.h"
#include "tools/password.h"

#include <openssl/crypto.h>
#include <pgvigil/buf.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool has_one_of(const struct policy_user *user, const uint32_t *roles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (policy_user_has_role(user, (int)roles[i]))
            return true;
    return false;
}

static bool knows_password(const struct policy_user *user, const char *password)
{
    struct scram_secret secret;
    struct buf made;
    const char *why = NULL;
    bool same = false;
    if (!user->secret || scram_parse_secret(user->secret, &secret) != OK)
        return false;
    buf_init(&made, 0);
    if (scram_make_secret(password, secret.salt, secret.salt_len, secret.iterations, &made, &why) ==
        OK)
        same = buf_len(&made) == strlen(user->secret) &&
               CRYPTO_memcmp(buf_head(&made), user->secret, buf_len(&made)) == 0;
    if (made.data)
        OPENSSL_cleanse(made.data, made.cap);
    buf_free(&made);
    OPENSSL_cleanse(&secret, sizeof secret);
    return same;
}

/* A name that an application logs in by is nobody's own, and who keeps its password is not told by
 * it; a password is half of what a user with a certificate proves, and no certificate is asked for
 * here. Before any password is asked for: the policy says it, not the person. */
static int check_one(const struct cli_command *command, const struct policy *policy,
                     const char *what, const char *name, bool french)
{
    const struct policy_user *user = policy_find_user(policy, name);
    if (user && user->on_behalf)
        return cli_fail(
            command, CLI_FINDINGS,
            french ? "%s (%s:%u) est le compte d’une application qui agit pour d’autres (« "
                     "on_behalf »), pas une personne, et ne peut pas %s : rien n’est fait ; nommez "
                     "l’utilisateur d’une personne"
                   : "%s (%s:%u) is a login that acts for others (\"on_behalf\"), not a person, "
                     "and may not %s: nothing is done; name a user of one person's",
            name, user->place.file, user->place.line, what);
    if (user && user->auth != AUTH_SCRAM)
        return cli_fail(
            command, CLI_FINDINGS,
            french ? "%s (%s:%u) ne se connecte pas par un seul mot de passe, et rien d’autre ne "
                     "peut être prouvé ici : rien n’est fait ; qui peut %s a un utilisateur avec "
                     "auth = \"scram\""
                   : "%s (%s:%u) does not log in with a password alone, and nothing else can be "
                     "proven here: nothing is done; who may %s has a user with auth = \"scram\"",
            name, user->place.file, user->place.line, what);
    return CLI_FINE;
}

static int ask_one(const struct cli_command *command, const struct policy *policy,
                   const uint32_t *roles, size_t role_count, const char *what, const char *name,
                   bool french)
{
    char password[PASSWORD_SIZE] = "";
    char prompt[256];
    (void)snprintf(prompt, sizeof prompt,
                   french ? "Mot de passe de %s : " : "Password of %s: ", name);
    int code = password_read(command, prompt, false, password);
    const struct policy_user *user = policy_find_user(policy, name);
    if (code == CLI_FINE &&
        (!user || !has_one_of(user, roles, role_count) || !knows_password(user, password)))
        code = cli_fail(
            command, CLI_FINDINGS,
            french ? "%s ne peut pas %s, ou ce n’est pas son mot de passe : rien n’est fait"
                   : "%s may not %s, or that is not the password: nothing is done",
            name, what);
    OPENSSL_cleanse(password, sizeof password);
    return code;
}

int two_people_ask(const struct cli_command *command, const struct policy *policy,
                   const uint32_t *roles, size_t role_count, const char *what, const char *by,
                   const char *and_by, bool french)
{
    if (!by || !and_by)
        return cli_fail(
            command, CLI_USAGE,
            french ? "il faut deux personnes pour %s : --by NOM --and-by NOM, utilisateurs de la "
                     "politique"
                   : "two people %s together: --by NAME --and-by NAME, users of the policy",
            what);
    const struct policy_user *one = policy_find_user(policy, by);
    const struct policy_user *other = policy_find_user(policy, and_by);
    if (strcasecmp(by, and_by) == 0 || (one && one == other) ||
        (one && other && one->secret && other->secret && strcmp(one->secret, other->secret) == 0))
        return cli_fail(command, CLI_USAGE,
                        french ? "--by et --and-by sont la même personne"
                               : "--by and --and-by are the same person");
    if (role_count == 0)
        return cli_fail(command, CLI_CANNOT,
                        french ? "la politique ne nomme aucun rôle dont les personnes peuvent %s : "
                                 "voir « retention »"
                               : "the policy names no role whose people may %s: see \"retention\"",
                        what);
    int code = check_one(command, policy, what, by, french);
    if (code == CLI_FINE)
        code = check_one(command, policy, what, and_by, french);
    if (code == CLI_FINE)
        code = ask_one(command, policy, roles, role_count, what, by, french);
    return code == CLI_FINE ? ask_one(command, policy, roles, role_count, what, and_by, french)
                            : code;
}
