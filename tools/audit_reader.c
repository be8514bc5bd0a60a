/*
 * audit_reader.c: those who read the trail are on record (see audit_reader.h).
 *
 * Trust boundary: who reads is what the system says (operator.h). SUDO_USER is an environment
 * variable and is named only as what it is.
 */
#include "tools/audit_reader.h"
#include "audit/key.h"
#include "audit/shelf.h"
#include "tools/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <pgvigil/audit.h>
#include <pgvigil/buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_SECONDS 5U /* for another reader */

void audit_reader_options(struct audit_reader *reader, struct cli_option *options)
{
    const struct cli_option rows[AUDIT_READER_OPTIONS] = {
        {'c', "config", "FILE",
         "the server's configuration, default ./" CLI_DEFAULT_CONFIG
         ": its key signs the record of this read",
         &reader->config_file, NULL},
        {0, "key", "FILE", "an Ed25519 key of your own that signs it", &reader->key_file, NULL},
        {0, "require-record", NULL, "do not read if that cannot be recorded", NULL,
         &reader->require},
        {0, NULL, NULL, NULL, NULL, NULL},
    };
    memcpy(options, rows, sizeof rows);
}

/* How much of an argument is on record: of a connection string, which may hold a password, nothing.
 * getopt_long takes "--a", too. *next: the value is the next argument. */
static int told(const char *argument, bool *next)
{
    size_t len = strcspn(argument, "=");
    bool conninfo = len > 2 && strncmp(argument, "--as", len) == 0;
    bool hidden = *next;
    *next = !hidden && conninfo && argument[len] == '\0';
    return hidden ? 0 : (int)(conninfo ? len : strlen(argument));
}

void audit_reader_remember(struct audit_reader *reader, int argc, char **argv)
{
    bool next = false;
    size_t used = (size_t)snprintf(reader->asked, sizeof reader->asked, "%s", reader->doing);
    for (int i = 1; i < argc && used < sizeof reader->asked; i++)
        used += (size_t)snprintf(reader->asked + used, sizeof reader->asked - used, " %.*s",
                                 told(argv[i], &next), argv[i]);
}

/* ---- who ---- */

struct who {
    struct operator operator;
    char detail[4096];
};

static void find_who(const struct audit_reader *reader, struct who *who)
{
    const char *sudo = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
    operator_find(&who->operator);
    (void)snprintf(who->detail, sizeof who->detail, "%s%s%s%s", reader->asked,
                   sudo && *sudo ? " (SUDO_USER " : "", sudo && *sudo ? sudo : "",
                   sudo && *sudo ? ")" : "");
}

/* ---- with what ---- */

static bool same_place(const char *one, const char *other)
{
    struct stat a;
    struct stat b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* NULL, or why there is no key. *config is to be freed. */
static const char *find_options(const struct audit_reader *reader, const char *directory,
                                struct config **config, struct audit_options *options)
{
    const char *file = reader->config_file ? reader->config_file : CLI_DEFAULT_CONFIG;
    if (reader->key_file) {
        *options = (struct audit_options){.directory = directory, .key_file = reader->key_file};
        return NULL;
    }
    if (!reader->config_file && access(file, F_OK) != 0)
        return "no key signs it: give the server's configuration (-c) or a key (--key)";
    struct buf errors;
    buf_init(&errors, (size_t)1 << 20);
    enum status status = config_load(file, config, &errors);
    buf_free(&errors);
    if (status != OK)
        return "the configuration cannot be read, or is wrong (pgvigil check tells more)";
    if (!same_place((*config)->audit.directory, directory))
        return "the configuration is of a server that writes its trail elsewhere";
    *options = (*config)->audit;
    options->directory = directory;
    return NULL;
}

static enum status append(const struct audit_options *options, const struct who *who,
                          const char *patient, const char **why)
{
    const struct audit_session session = {
        .person = who->operator.person, .login = who->operator.login, .patient = patient};
    struct key *key = NULL;
    enum status status = key_load(options->key_file, &key);
    if (status != OK) {
        *why = "the key cannot be read, or is no Ed25519 private key";
        return status;
    }
    char digits[4] = "";
    memcpy(digits, key_fingerprint(key), 3);
    key_free(key);
    unsigned chain = AUDIT_READERS_CHAIN + (unsigned)strtoul(digits, NULL, 16);
    return audit_by_hand(options, chain, WAIT_SECONDS, "audit-read", &session, who->detail, why);
}

int audit_reader_record(const struct audit_reader *reader, const struct cli_command *command,
                        const char *directory, const char *patient)
{
    struct shelf shelf;
    if (shelf_open(directory, &shelf) != OK)
        return CLI_FINE; /* there is nothing to read, which the search tells */
    size_t files = shelf.count;
    shelf_close(&shelf);
    if (files == 0)
        return CLI_FINE;
    struct config *config = NULL;
    struct audit_options options = {0};
    struct who who;
    uid_t before = geteuid();
    find_who(reader, &who);
    const char *why = find_options(reader, directory, &config, &options);
    if (!why && access(directory, W_OK) != 0)
        why = "the directory cannot be written to";
    if (!why && !operator_become_owner(directory))
        why = "cannot act as the directory's owner";
    if (!why && append(&options, &who, patient, &why) != OK && !why)
        why = "out of memory";
    if (geteuid() != before && seteuid(before) != 0)
        why = "cannot act as myself again";
    int code = CLI_FINE;
    if (why && reader->require)
        code = cli_fail(command, CLI_CANNOT,
                        "nothing is read, since this read would leave no record: %s", why);
    else if (why)
        (void)cli_fail(command, CLI_FINE, "this read leaves no record: %s", why);
    config_free(config);
    return code;
}
