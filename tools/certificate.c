/*
 * certificate.c: what was destroyed, signed (certificate.h).
 *
 * Trust boundary: a file that is verified comes from anywhere: Jansson parses it, and what is not
 * exactly a certificate is refused.
 */
#include "tools/certificate.h"

#include "audit/key.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CANONICAL (JSON_COMPACT | JSON_SORT_KEYS)

/* The signed file's text, malloc'ed; NULL: no memory, or the body is no JSON. */
static char *signed_text(const struct key *key, const char *body)
{
    unsigned char signature[KEY_SIGNATURE];
    char hex[2 * KEY_SIGNATURE + 1];
    json_t *certificate = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    char *canonical = certificate ? json_dumps(certificate, CANONICAL) : NULL;
    char *text = NULL;
    if (canonical && key_sign(key, canonical, strlen(canonical), signature) == OK) {
        text_hex(signature, sizeof signature, hex);
        json_t *all = json_pack("{s:O, s:s, s:s}", "certificate", certificate, "key",
                                key_fingerprint(key), "signature", hex);
        text = all ? json_dumps(all, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
        json_decref(all);
    }
    free(canonical);
    json_decref(certificate);
    return text;
}

/* Written beside, synced, renamed: whoever looks sees a whole one. */
static bool put_file(const char *path, const char *text)
{
    char beside[4096];
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside)
        return false;
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    size_t len = strlen(text);
    bool fine = write(fd, text, len) == (ssize_t)len && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    fine = close(fd) == 0 && fine && rename(beside, path) == 0;
    if (!fine)
        (void)unlink(beside);
    return fine;
}

static bool sync_folder(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool fine = fsync(fd) == 0;
    (void)close(fd);
    return fine;
}

int certificate_write(const struct cli_command *command, const char *key_file,
                      const char *directory, const char *id, const char *body)
{
    char path[4096];
    struct key *key = NULL;
    if ((mkdir(directory, 0700) != 0 && errno != EEXIST) ||
        (size_t)snprintf(path, sizeof path, "%s/%s.json", directory, id) >= sizeof path)
        return cli_fail(command, CLI_CANNOT, "%s: %s", directory, strerror(errno));
    if (access(path, F_OK) == 0)
        return CLI_FINE;
    if (key_load(key_file, &key) != OK)
        return cli_fail(command, CLI_CANNOT, "%s is no Ed25519 private key, or cannot be read",
                        key_file);
    char *text = signed_text(key, body);
    int code = CLI_FINE;
    if (!text)
        code = cli_fail(command, CLI_CANNOT, "certificate %s cannot be signed", id);
    else if (!put_file(path, text) || !sync_folder(directory))
        code = cli_fail(command, CLI_CANNOT, "%s: %s", path, strerror(errno));
    free(text);
    key_free(key);
    return code;
}

static bool from_hex(const char *hex, unsigned char *out, size_t size)
{
    if (strlen(hex) != 2 * size || strspn(hex, "0123456789abcdef") != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

int certificate_verify(const struct cli_command *command, const char *public_key_file,
                       const char *file)
{
    struct key_ring *ring = NULL;
    json_error_t error;
    unsigned char signature[KEY_SIGNATURE];
    const char *hex = NULL;
    const char *fingerprint = NULL;
    json_t *certificate = NULL;
    if (key_ring_load(public_key_file, &ring) != OK)
        return cli_fail(command, CLI_CANNOT, "%s holds no Ed25519 public key, or cannot be read",
                        public_key_file);
    json_t *all = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    int code = CLI_FINE;
    if (!all)
        code = cli_fail(command, CLI_CANNOT, "%s:%d: %s", file, error.line, error.text);
    else if (json_unpack(all, "{s:o, s:s, s:s !}", "certificate", &certificate, "key", &fingerprint,
                         "signature", &hex) != 0 ||
             !from_hex(hex, signature, sizeof signature))
        code = cli_fail(command, CLI_FINDINGS, "%s is no certificate of destruction", file);
    if (code == CLI_FINE) {
        char *canonical = json_dumps(certificate, CANONICAL);
        if (!canonical)
            code = cli_fail(command, CLI_CANNOT, "out of memory");
        else if (!key_ring_verify(ring, canonical, strlen(canonical), signature))
            code = cli_fail(command, CLI_FINDINGS,
                            "%s is not what was signed, or was signed with another key", file);
        free(canonical);
    }
    if (code == CLI_FINE)
        printf("%s: signed with key %.16s, and whole\n", file, fingerprint);
    json_decref(all);
    key_ring_free(ring);
    return code;
}
