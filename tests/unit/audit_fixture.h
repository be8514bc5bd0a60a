/*
 * audit_fixture.h: a directory, a key and some records, for the tests of the trail.
 */
#ifndef PGVIGIL_TESTS_AUDIT_FIXTURE_H
#define PGVIGIL_TESTS_AUDIT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pgvigil/audit.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char base[64];       /* removed at the end */
    char directory[128]; /* the trail */
    char key[128];
    char public_key[160];
    struct audit_options options;
};

static const char *const shown_columns[] = {"id", "ward_id", "family_name"};
static const char *const masked_columns[] = {"birth_date"};
static const struct audit_relation some_relations[] = {
    {"public", "patients", shown_columns, 3, masked_columns, 1, NULL, 0},
    {"public", "stays", shown_columns, 1, NULL, 0, NULL, 0},
};
static const struct audit_session some_session = {
    .id = 42,
    .person = "nurse1",
    .login = "nurse1",
    .auth = "scram-sha-256",
    .database = "records",
    .role = "nurse",
    .mission = "care",
    .purpose = "TREAT",
    .address = "192.0.2.17",
    .port = 50123,
    .application = "psql",
    .tls = "TLSv1.3",
};
static const struct audit_statement some_statement = {
    .kind = "SELECT",
    .sql = "SELECT p.id, p.family_name, p.birth_date FROM public.patients p JOIN public.stays s ON "
           "s.patient_id = p.id WHERE p.ward_id = $1 AND s.left_at IS NULL ORDER BY 2 LIMIT $2",
    .fingerprint = "50fde20626009aba",
    .relations = some_relations,
    .relation_count = 2,
    .decision = "allow",
    .rule = "10-care.cfg:12",
};
static const struct audit_outcome some_outcome = {
    .tag = "SELECT 12",
    .rows = 12,
    .bytes = 980,
    .microseconds = 1834,
};

static inline void fixture_make_key(const char *path)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(pkey);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(out);
    assert_int_equal(PEM_write_PrivateKey(out, pkey, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(out), 0);
    EVP_PKEY_free(pkey);
}

static inline void fixture_remove_files(const char *directory)
{
    DIR *dir = opendir(directory);
    struct dirent *entry = NULL;
    while (dir && (entry = readdir(dir)) != NULL) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        (void)unlink(path);
    }
    if (dir)
        (void)closedir(dir);
}

static inline void fixture_start(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    (void)snprintf(fixture->base, sizeof fixture->base, "/tmp/pgvigil-audit-XXXXXX");
    assert_non_null(mkdtemp(fixture->base));
    (void)snprintf(fixture->directory, sizeof fixture->directory, "%s/trail", fixture->base);
    (void)snprintf(fixture->key, sizeof fixture->key, "%s/audit.pem", fixture->base);
    (void)snprintf(fixture->public_key, sizeof fixture->public_key, "%s/public.pem",
                   fixture->directory);
    fixture_make_key(fixture->key);
    fixture->options = (struct audit_options){.directory = fixture->directory,
                                              .key_file = fixture->key,
                                              .durability = AUDIT_WRITTEN,
                                              .checkpoint_seconds = 3600};
}

static inline void fixture_end(struct fixture *fixture)
{
    fixture_remove_files(fixture->directory);
    (void)rmdir(fixture->directory);
    fixture_remove_files(fixture->base);
    (void)rmdir(fixture->base);
}

static inline struct audit *fixture_open(struct fixture *fixture, unsigned chain)
{
    struct audit *audit = NULL;
    const char *why = NULL;
    enum status status = audit_open(&fixture->options, chain, &audit, &why);
    if (status != OK)
        fail_msg("audit_open: %s", why ? why : "(no reason)");
    return audit;
}

static inline void fixture_append(struct audit *audit, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(audit_whole(audit, &some_session, &some_statement, &some_outcome), OK);
        assert_int_equal(audit_flush(audit), OK);
    }
}

/* The whole file, NUL-terminated; freed by the caller. */
static inline char *fixture_read(const struct fixture *fixture, const char *name, size_t *len)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    FILE *in = fopen(path, "r");
    if (!in)
        return NULL;
    struct stat st;
    assert_int_equal(fstat(fileno(in), &st), 0);
    char *bytes = malloc((size_t)st.st_size + 1);
    assert_non_null(bytes);
    *len = fread(bytes, 1, (size_t)st.st_size, in);
    bytes[*len] = '\0';
    assert_int_equal(fclose(in), 0);
    return bytes;
}

static inline void fixture_write(const struct fixture *fixture, const char *name, const char *bytes,
                                 size_t len)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

#define FINDINGS_MAX 64U

struct findings {
    size_t count;
    struct {
        char file[64];
        uint64_t line;
        char message[256];
    } at[FINDINGS_MAX];
};

static inline void fixture_on_finding(const struct audit_finding *finding, void *context)
{
    struct findings *all = context;
    if (finding->note)
        return;
    if (all->count < FINDINGS_MAX) {
        (void)snprintf(all->at[all->count].file, sizeof all->at[0].file, "%s", finding->file);
        (void)snprintf(all->at[all->count].message, sizeof all->at[0].message, "%s",
                       finding->message);
        all->at[all->count].line = finding->line;
    }
    all->count++;
}

static inline struct audit_verify_result fixture_verify(const struct fixture *fixture,
                                                        struct findings *findings)
{
    struct audit_verify_result result = {0};
    memset(findings, 0, sizeof *findings);
    assert_int_equal(audit_verify(fixture->directory, fixture->public_key, fixture_on_finding, NULL,
                                  findings, &result),
                     OK);
    assert_int_equal(result.findings, findings->count);
    return result;
}

static inline void fixture_print(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count && i < FINDINGS_MAX; i++)
        print_message("  %s:%lu: %s\n", findings->at[i].file, (unsigned long)findings->at[i].line,
                      findings->at[i].message);
}

#endif
