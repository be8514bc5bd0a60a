/*
 * operator.c: who runs a command (operator.h).
 *
 * Trust boundary: what the system says: the process's user, and the login user that the kernel
 * keeps
 * (/proc/self/loginuid), which sudo and su do not change. SUDO_USER, an environment variable, is
 * taken only where the kernel does not say, and only from root.
 */
#include "tools/operator.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void user_name(uid_t uid, char *out, size_t size)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char room[4096];
    if (getpwuid_r(uid, &entry, room, sizeof room, &found) == 0 && found)
        (void)snprintf(out, size, "%s", found->pw_name);
    else
        (void)snprintf(out, size, "uid %lu", (unsigned long)uid);
}

/* False: nobody logged in (a cron job, a container), or the kernel does not say. */
static bool login_user(char *out, size_t size)
{
    char text[32] = "";
    int fd = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, sizeof text - 1);
    (void)close(fd);
    char *end = NULL;
    unsigned long uid = len > 0 ? strtoul(text, &end, 10) : UINT32_MAX;
    if (len <= 0 || end == text || uid >= UINT32_MAX)
        return false;
    user_name((uid_t)uid, out, size);
    return true;
}

void operator_find(struct operator* operator)
{
    /* Nobody changes the environment. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *sudo = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
    bool known = login_user(operator->person, sizeof operator->person);
    user_name(getuid(), operator->login, sizeof operator->login);
    if (!known)
        (void)snprintf(operator->person, sizeof operator->person, "%s",
                       sudo && *sudo ? sudo : operator->login);
}

bool operator_become_owner(const char *directory)
{
    struct stat st;
    if (geteuid() != 0 || stat(directory, &st) != 0 || st.st_uid == 0)
        return true;
    return seteuid(st.st_uid) == 0;
}
