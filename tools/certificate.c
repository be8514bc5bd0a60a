/*
 * certificate.c: what was destroyed or erased, signed (certificate.h).
 *
 * Trust boundary: a file that is verified comes from anywhere: Jansson parses it, and what is not
 * exactly a certificate is refused.
 */
#include "tools/certificate.h"

#include "audit/key.h"
#include "tools/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CANONICAL (JSON_COMPACT | JSON_SORT_KEYS)

#define PREFIX "pgvigil certificate 1\n"

/* What is signed; malloc'ed. */
static char *prefixed(const char *body)
{
    size_t size = sizeof PREFIX + strlen(body);
    char *text = malloc(size);
    if (text)
        (void)snprintf(text, size, "%s%s", PREFIX, body);
    return text;
}

bool certificate_sign(const struct key *key, const char *body,
                      char signature[CERTIFICATE_SIGNATURE])
{
    unsigned char bytes[KEY_SIGNATURE];
    char *text = prefixed(body);
    bool fine = text && key_sign(key, text, strlen(text), bytes) == OK;
    if (fine)
        text_hex(bytes, sizeof bytes, signature);
    free(text);
    return fine;
}

bool certificate_now(char time_text[CERTIFICATE_TIME])
{
    struct tm tm;
    time_t now = time(NULL);
    return gmtime_r(&now, &tm) &&
           strftime(time_text, CERTIFICATE_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0;
}

bool certificate_new_id(char id[CERTIFICATE_ID])
{
    unsigned char random[8];
    char hex[17];
    char day[16];
    struct tm tm;
    time_t now = time(NULL);
    if (RAND_bytes(random, sizeof random) != 1 || !gmtime_r(&now, &tm) ||
        strftime(day, sizeof day, "%Y%m%dT%H%M%S", &tm) == 0)
        return false;
    text_hex(random, sizeof random, hex);
    (void)snprintf(id, CERTIFICATE_ID, "%s-%s", day, hex);
    return true;
}

bool certificate_seal(const struct key *key, const char *id, const char *what, const char *sha256,
                      char out[65])
{
    static const char prefix[] = "pgvigil seal 1";
    unsigned char signature[KEY_SIGNATURE];
    unsigned char hash[SHA256_DIGEST_LENGTH];
    size_t size = sizeof prefix + strlen(id) + strlen(what) + strlen(sha256) + 3;
    char *text = malloc(size);
    if (!text)
        return false;
    (void)snprintf(text, size, "%s\n%s\n%s\n%s", prefix, id, what, sha256);
    bool fine = key_sign(key, text, strlen(text), signature) == OK &&
                SHA256(signature, sizeof signature, hash) != NULL;
    if (fine)
        text_hex(hash, sizeof hash, out);
    free(text);
    return fine;
}

/* The file's text, malloc'ed; NULL: no memory, or the body is no JSON. */
static char *file_text(const char *body, const char *signature)
{
    json_t *certificate = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    json_t *all = certificate
                      ? json_pack("{s:O, s:s}", "certificate", certificate, "signature", signature)
                      : NULL;
    char *text = all ? json_dumps(all, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    json_decref(all);
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

/* It becomes the name of a file. */
static bool is_id(const char *id)
{
    return *id && strlen(id) < 64 &&
           strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") ==
               strlen(id);
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

int certificate_open(struct certificate_folder *folder, const struct audit_options *trail)
{
    char path[4096];
    if (key_load(trail->key_file, &folder->key) != OK)
        return cli_fail(folder->command, CLI_CANNOT,
                        folder->french ? "%s n’est pas une clé privée Ed25519, ou n’est pas lisible"
                                       : "%s is no Ed25519 private key, or cannot be read",
                        trail->key_file);
    if ((size_t)snprintf(path, sizeof path, "%s/public.pem", trail->directory) >= sizeof path ||
        key_ring_load(path, &folder->known) != OK)
        folder->known = NULL;
    return CLI_FINE;
}

void certificate_close(struct certificate_folder *folder)
{
    key_free(folder->key);
    key_ring_free(folder->known);
}

bool certificate_is_signed(const struct certificate_folder *folder, const char *body,
                           const char *signature)
{
    char own[CERTIFICATE_SIGNATURE] = "";
    unsigned char bytes[KEY_SIGNATURE];
    if (certificate_sign(folder->key, body, own) && strcmp(own, signature) == 0)
        return true;
    char *text = folder->known && from_hex(signature, bytes, sizeof bytes) ? prefixed(body) : NULL;
    bool known = text && key_ring_verify(folder->known, text, strlen(text), bytes);
    free(text);
    return known;
}

/* What stands there is this certificate, however it is laid out. */
static bool is_file_of(const char *path, const char *body, const char *signature)
{
    const char *theirs = NULL;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    json_t *certificate = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    bool same = json_unpack(file, "{s:s}", "signature", &theirs) == 0 &&
                strcmp(theirs, signature) == 0 &&
                json_equal(json_object_get(file, "certificate"), certificate);
    json_decref(certificate);
    json_decref(file);
    return same;
}

/* A certificate of that name, and not another's put under it. */
static bool is_named(const char *body, const char *id)
{
    const char *own = NULL;
    json_t *certificate = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    bool named = json_unpack(certificate, "{s:s}", "id", &own) == 0 && strcmp(own, id) == 0;
    json_decref(certificate);
    return named;
}

/* What stands in a table, anybody who may write there has perhaps put there; it is told, and stops
 * nobody's erasure. */
static int foreign(const struct certificate_folder *folder, const char *id)
{
    if (folder->quiet)
        return CLI_FINDINGS;
    if (!is_id(id))
        return cli_fail(folder->command, CLI_FINDINGS,
                        folder->french
                            ? "la base contient un certificat sous un nom que pgvigil ne donne "
                              "pas : il n’est pas écrit"
                            : "the database has a certificate under a name that pgvigil gives "
                              "none: it is not written");
    return cli_fail(
        folder->command, CLI_FINDINGS,
        folder->french
            ? "le certificat %s de la base n’a pas été signé par cette clé, ni par une "
              "clé antérieure du journal d’audit (public.pem) : il n’est pas écrit ; trouvez "
              "qui l’y a mis, ou rendez la clé à public.pem"
            : "certificate %s of the database was not signed with this key, nor with "
              "an earlier one of the trail (public.pem): it is not written; find out "
              "who put it there, or give its key back to public.pem",
        id);
}

static int write_one(const struct certificate_folder *folder, const char *id, const char *body,
                     const char *signature)
{
    char path[4096];
    if (!is_id(id) || !is_named(body, id) || !certificate_is_signed(folder, body, signature))
        return foreign(folder, id);
    if ((mkdir(folder->directory, 0700) != 0 && errno != EEXIST) ||
        (size_t)snprintf(path, sizeof path, "%s/%s.json", folder->directory, id) >= sizeof path)
        return cli_fail(folder->command, CLI_CANNOT, "%s: %s", folder->directory, strerror(errno));
    struct stat there;
    if (lstat(path, &there) == 0 && is_file_of(path, body, signature))
        return CLI_FINE;
    if (lstat(path, &there) == 0)
        return folder->quiet
                   ? CLI_FINDINGS
                   : cli_fail(folder->command, CLI_FINDINGS,
                              folder->french
                                  ? "%s existe et n’est pas le certificat de ce nom que la base "
                                    "contient : il reste tel quel ; déplacez-le, et le certificat "
                                    "sera écrit au prochain passage"
                                  : "%s is there, and is not the certificate of that name that the "
                                    "database has: it stays as it is; move it away, and the next "
                                    "run writes the certificate",
                              path);
    char *text = file_text(body, signature);
    int code = CLI_FINE;
    if (!text)
        code = cli_fail(folder->command, CLI_CANNOT, "out of memory");
    else if (!put_file(path, text) || !sync_folder(folder->directory))
        code = cli_fail(folder->command, CLI_CANNOT, "%s: %s", path, strerror(errno));
    free(text);
    return code;
}

int certificate_write_all(const struct certificate_folder *folder, PGconn *conn)
{
    PGresult *result = PQexec(conn, "SELECT id, body, signature FROM " ROWS_SCHEMA
                                    ".certificates ORDER BY at, id");
    int code = CLI_FINE;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        code = cli_fail(folder->command, CLI_CANNOT, "%s", PQerrorMessage(conn));
    for (int row = 0; code < CLI_USAGE && row < PQntuples(result); row++) {
        int written = write_one(folder, PQgetvalue(result, row, 0), PQgetvalue(result, row, 1),
                                PQgetvalue(result, row, 2));
        code = written > code ? written : code;
    }
    PQclear(result);
    return code;
}

int certificate_verify(const struct cli_command *command, const char *public_key_file,
                       const char *file)
{
    struct key_ring *ring = NULL;
    json_error_t error;
    unsigned char signature[KEY_SIGNATURE];
    const char *hex = NULL;
    const char *what = NULL;
    const char *id = NULL;
    json_t *certificate = NULL;
    if (key_ring_load(public_key_file, &ring) != OK)
        return cli_fail(command, CLI_CANNOT, "%s holds no Ed25519 public key, or cannot be read",
                        public_key_file);
    json_t *all = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    int code = CLI_FINE;
    if (!all)
        code = cli_fail(command, CLI_CANNOT, "%s:%d: %s", file, error.line, error.text);
    else if (json_unpack(all, "{s:o, s:s !}", "certificate", &certificate, "signature", &hex) !=
                 0 ||
             json_unpack(certificate, "{s:s, s:s}", "what", &what, "id", &id) != 0 ||
             (strcmp(what, "destruction") != 0 && strcmp(what, "erasure") != 0) || !is_id(id) ||
             !from_hex(hex, signature, sizeof signature))
        code =
            cli_fail(command, CLI_FINDINGS, "%s is no certificate of destruction or erasure", file);
    if (code == CLI_FINE) {
        char *canonical = json_dumps(certificate, CANONICAL);
        char *text = canonical ? prefixed(canonical) : NULL;
        if (!text)
            code = cli_fail(command, CLI_CANNOT, "out of memory");
        else if (!key_ring_verify(ring, text, strlen(text), signature))
            code = cli_fail(command, CLI_FINDINGS,
                            "%s is not what was signed, or was signed with another key", file);
        free(text);
        free(canonical);
    }
    if (code == CLI_FINE)
        printf("%s: certificate %s, signed and whole\n", file, id);
    json_decref(all);
    key_ring_free(ring);
    return code;
}
