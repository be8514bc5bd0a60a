/*
 * pgvigil.cfg: defaults, paths, and every error with its line.
 *
 * Each test writes a file into a directory of its own; messages are compared as they would be
 * printed, with the directory's name taken out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgvigil/config.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct config *config;
static struct buf errors;

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/pgvigil-config-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/policy", dir);
    if (mkdir(path, 0700) != 0)
        return -1;
    write_file("server.crt", "x", 0644);
    write_file("server.key", "x", 0600);
    write_file("ca.crt", "x", 0644);
    write_file("audit.pem", "x", 0600);
    write_file("pseudonym.key",
               "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n", 0600);
    buf_init(&errors, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_free(config);
    config = NULL;
    buf_free(&errors);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command); // NOLINT(cert-env33-c): a directory of our own
}

#define LISTEN "listen = { certificate = \"server.crt\"; key = \"server.key\"; };\n"
#define DATABASE                                                                                   \
    "{ name = \"records\"; owner = \"o\"; conninfo = \"host=db dbname=records user=pgvigil\"; }"
#define REST "policy = \"policy\"; audit = { directory = \"audit\"; key = \"audit.pem\"; };\n"

static enum status load(const char *text)
{
    char path[128];
    write_file("pgvigil.cfg", text, 0600);
    (void)snprintf(path, sizeof path, "%s/pgvigil.cfg", dir);
    config_free(config);
    buf_clear(&errors);
    enum status status = config_load(path, &config, &errors);
    buf_byte(&errors, 0);
    return status;
}

/* The errors, without the directory. */
static const char *told(void)
{
    static char text[8192];
    char *to = text;
    for (const char *at = (const char *)buf_head(&errors); *at;) {
        if (strncmp(at, dir, strlen(dir)) == 0 && at[strlen(dir)] == '/')
            at += strlen(dir) + 1;
        else
            *to++ = *at++;
    }
    *to = '\0';
    return text;
}

static const char *in_dir(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void smallest_file_has_its_defaults(void **state)
{
    (void)state;
    assert_int_equal(load(LISTEN "databases = ( " DATABASE " );\n" REST), OK);
    assert_string_equal(told(), "");
    assert_string_equal(config->listen.address, "127.0.0.1");
    assert_int_equal(config->listen.port, 6432);
    assert_string_equal(config->listen.certificate, in_dir("server.crt"));
    assert_null(config->listen.client_ca);
    assert_false(config->listen.plaintext);
    assert_int_equal(config->database_count, 1);
    assert_int_equal(config->databases[0].pool, 20);
    assert_null(config->databases[0].unrestricted);
    assert_string_equal(config->databases[0].conninfo,
                        "user='pgvigil' dbname='records' host='db' gssencmode='disable'");
    assert_string_equal(config->policy, in_dir("policy"));
    assert_string_equal(config->audit.directory, in_dir("audit"));
    assert_int_equal(config->audit.durability, AUDIT_WRITTEN);
    assert_int_equal(config->audit.checkpoint_seconds, 60);
    assert_true(config->workers >= 1);
    assert_int_equal(config->worker_fill, 16);
    assert_int_equal(config->limits.message_bytes, 64 << 20);
    assert_int_equal(config->limits.server_lifetime_seconds, 3600);
    assert_int_equal(config->limits.server_check_seconds, 30);
    assert_int_equal(config->limits.statement_cache_bytes, 16 << 20);
    assert_ptr_equal(config_find_database(config, "records"), &config->databases[0]);
    assert_null(config_find_database(config, "other"));
    assert_int_equal(config->admin.port, 0);
    assert_false(config_is_admin(config, ""));
}

static void every_key_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        load("listen = { address = \"::1\"; port = 1; certificate = \"server.crt\"; key = "
             "\"server.key\"; "
             "client_ca = \"ca.crt\"; plaintext = true; backlog = 5; };\n"
             "databases = ( { name = \"a\"; pool = 3; owner = \"o\"; conninfo = \"user=u "
             "dbname=a\"; "
             "unrestricted = \"user=d dbname=a\"; } );\n"
             "policy = \"policy\"; workers = 3; worker_fill = 5; pseudonym_key = "
             "\"pseudonym.key\"; log_level = "
             "\"debug\";\n"
             "audit = { directory = \"/var/a\"; key = \"audit.pem\"; durability = \"synced\"; "
             "checkpoint_seconds = 7; file_bytes = 1000000L; };\n"
             "limits = { connections = 10; connections_per_user = 0; connections_per_address = 4; "
             "login_seconds = 5; connect_seconds = 6; idle_seconds = 7; server_idle_seconds = 8; "
             "server_check_seconds = 0; failed_logins = 9; message_bytes = 100000; };\n"
             "admin = { address = \"::1\"; port = 9; users = [ \"it1\", \"it2\" ]; };\n"),
        OK);
    assert_string_equal(config->admin.address, "::1");
    assert_int_equal(config->admin.port, 9);
    assert_true(config_is_admin(config, "it2"));
    assert_false(config_is_admin(config, "it3"));
    assert_string_equal(config->listen.address, "::1");
    assert_int_equal(config->listen.port, 1);
    assert_int_equal(config->listen.backlog, 5);
    assert_true(config->listen.plaintext);
    assert_string_equal(config->listen.client_ca, in_dir("ca.crt"));
    assert_string_equal(config->databases[0].unrestricted,
                        "user='d' dbname='a' gssencmode='disable'");
    assert_int_equal(config->workers, 3);
    assert_int_equal(config->worker_fill, 5);
    assert_int_equal(config->log_level, 0);
    assert_string_equal(config->audit.directory, "/var/a");
    assert_int_equal(config->audit.durability, AUDIT_SYNCED);
    assert_int_equal(config->audit.file_bytes, 1000000);
    assert_int_equal(config->limits.connections_per_user, 0);
    assert_int_equal(config->limits.server_check_seconds, 0);
    assert_int_equal(config->limits.failed_logins, 9);
    assert_int_equal(config->limits.message_bytes, 100000);
}

#define AUDIT_OF(more)                                                                             \
    LISTEN "databases = ( " DATABASE " );\npolicy = \"policy\";\n"                                 \
           "audit = { directory = \"audit\"; key = \"audit.pem\"; " more "};\n"

static void audit_files_end_daily_unless_told(void **state)
{
    (void)state;
    assert_int_equal(load(AUDIT_OF("")), OK);
    assert_true(config->audit.daily);
    assert_true(config->audit.compress);
    assert_int_equal(load(AUDIT_OF("rotate = \"size\"; compress = false; ")), OK);
    assert_false(config->audit.daily);
    assert_false(config->audit.compress);
    assert_int_equal(load(AUDIT_OF("rotate = \"hourly\"; ")), ERR_INVALID);
    assert_string_equal(told(),
                        "pgvigil.cfg:4: audit.rotate is \"daily\" (a new file each day, UTC, "
                        "and past file_bytes) or \"size\" (past file_bytes only), not "
                        "\"hourly\"\n");
}

static void audit_retention_outside_the_recommendation_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error; /* part of it; NULL: none */
    } cases[] = {
        {AUDIT_OF(""), NULL},
        {AUDIT_OF("retention = { technical_days = 180; }; "), NULL},
        {AUDIT_OF("retention = { technical_days = 365; care_years = 20; }; "), NULL},
        {AUDIT_OF("retention = { technical_days = 730; justification = \"claims under article "
                  "L. 1142-28 are brought late\"; }; "),
         NULL},
        {AUDIT_OF("\n retention = {\n technical_days = 179; }; "),
         "pgvigil.cfg:6: audit.retention.technical_days = 179 is less than six months"},
        {AUDIT_OF("\n retention = {\n technical_days = 366; }; "),
         "pgvigil.cfg:6: audit.retention.technical_days = 366 is more than a year"},
        {AUDIT_OF("retention = { technical_days = 730; justification = \"because\"; }; "),
         "pgvigil.cfg:4: audit.retention.justification must say why"},
        {AUDIT_OF("retention = { care_years = 20; }; "),
         "pgvigil.cfg:4: audit.retention.care_years needs technical_days"},
        {AUDIT_OF("retention = { technical_days = 1095; care_years = 2; justification = \"a "
                  "reason that is long enough\"; }; "),
         "pgvigil.cfg:4: audit.retention.care_years = 2 is less than technical_days"},
        {AUDIT_OF("retention = { days = 5; }; "), "pgvigil.cfg:4: unknown key \"days\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(load(cases[i].text), cases[i].error ? ERR_INVALID : OK);
        if (cases[i].error && strncmp(told(), cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("wanted %s, got %s", cases[i].error, told());
    }
    assert_int_equal(load(cases[2].text), OK);
    assert_int_equal(config->audit.retention.technical_days, 365);
    assert_int_equal(config->audit.retention.care_years, 20);
}

static void files_inside_a_conninfo_start_from_the_file(void **state)
{
    (void)state;
    assert_int_equal(load(LISTEN
                          "databases = ( { name = \"records\"; owner = \"o\"; conninfo = "
                          "\"host=a,b user=u dbname=d "
                          "password='it\\\\'s \\\\\\\\ ok' sslmode=verify-full sslrootcert=ca.crt "
                          "sslkey=/etc/hostname\"; } );\n" REST),
                     OK);
    char expected[512];
    (void)snprintf(expected, sizeof expected, "sslrootcert='%s/ca.crt'", dir);
    assert_non_null(strstr(config->databases[0].conninfo, expected));
    assert_non_null(strstr(config->databases[0].conninfo, "sslkey='/etc/hostname'"));
    assert_non_null(strstr(config->databases[0].conninfo, "password='it\\'s \\\\ ok'"));
}

static void included_files_resolve_from_their_own_place(void **state)
{
    (void)state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/conf.d", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("conf.d/listen.cfg", "listen = { certificate = \"s.crt\"; key = \"s.key\"; };\n",
               0600);
    write_file("conf.d/s.crt", "x", 0644);
    write_file("conf.d/s.key", "x", 0600);
    assert_int_equal(load("@include \"conf.d/listen.cfg\"\ndatabases = ( " DATABASE " );\n" REST),
                     OK);
    assert_string_equal(config->listen.certificate, in_dir("conf.d/s.crt"));
    assert_string_equal(config->policy, in_dir("policy"));
    write_file("conf.d/listen.cfg", "listen = { certificate = \"gone.crt\"; key = \"s.key\"; };\n",
               0600);
    assert_int_equal(load("@include \"conf.d/listen.cfg\"\ndatabases = ( " DATABASE " );\n" REST),
                     ERR_INVALID);
    assert_string_equal(
        told(), "conf.d/listen.cfg:1: certificate \"conf.d/gone.crt\": No such file or directory; "
                "run certs/make for a development one, or give the path of yours\n");
}

static void all_errors_are_told_at_once_with_their_lines(void **state)
{
    (void)state;
    assert_int_equal(
        load("listen = {\n"
             "  port = 70000;\n"
             "  certificat = \"server.crt\";\n"
             "  key = \"gone.key\";\n"
             "  plaintext = 1;\n"
             "};\n"
             "databases = (\n"
             "  { name = \"a\"; owner = \"o\"; conninfo = \"host\"; },\n"
             "  { name = \"a\"; conninfo = \"user=u dbname=d gssencmode=prefer\"; },\n"
             "  { name = \"b\"; owner = \"o\"; pool = 0;\n"
             "    conninfo = \"user=u dbname=d\"; unrestricted = \"user=u dbname=d\"; }\n"
             ");\n"
             "audit = { directory = 5; key = \"audit.pem\"; durability = \"maybe\"; };\n"
             "colour = \"red\";\n"),
        ERR_INVALID);
    assert_null(config);
    assert_string_equal(
        told(),
        "pgvigil.cfg:14: unknown key \"colour\"; known here: policy, workers, worker_fill, "
        "pseudonym_key, "
        "log_level, listen, "
        "databases, audit, limits, alert, admin, organisation\n"
        "pgvigil.cfg:1: policy is missing\n"
        "pgvigil.cfg:2: port must be a number from 1 to 65535\n"
        "pgvigil.cfg:3: unknown key \"certificat\"; did you mean \"certificate\"?\n"
        "pgvigil.cfg:4: key \"gone.key\": No such file or directory; run certs/make for a "
        "development one, or give "
        "the path of yours\n"
        "pgvigil.cfg:5: plaintext must be true or false\n"
        "pgvigil.cfg:1: listen.certificate and listen.key come together\n"
        "pgvigil.cfg:8: conninfo: missing \"=\" after \"host\" in connection info string\n"
        "pgvigil.cfg:9: conninfo: gssencmode must be \"disable\"; encryption is TLS's work here\n"
        "pgvigil.cfg:9: owner is missing\n"
        "pgvigil.cfg:9: database \"a\" stands here twice (first in line 8)\n"
        "pgvigil.cfg:10: pool must be a number from 1 to 10000\n"
        "pgvigil.cfg:10: unrestricted uses the login \"u\" of conninfo; give it a login of its "
        "own\n"
        "pgvigil.cfg:13: directory must be a string in double quotes\n"
        "pgvigil.cfg:13: audit.durability is \"written\" or \"synced\", not \"maybe\"\n");
}

#define WITH_ADMIN(text) LISTEN "databases = ( " DATABASE " );\n" REST "admin = { " text " };\n"

static void admin_port_without_authentication_is_for_this_machine(void **state)
{
    (void)state;
    static const char *const loopback[] = {
        WITH_ADMIN("port = 9;"),
        WITH_ADMIN("port = 9; address = \"127.8.9.1\";"),
        WITH_ADMIN("port = 9; address = \"::1\";"),
        WITH_ADMIN("port = 9; address = \"::ffff:127.0.0.1\";"),
        WITH_ADMIN("port = 9; address = \"10.0.0.1\"; unauthenticated = true;"),
        WITH_ADMIN("users = [];"),
    };
    static const char *const others[] = {
        WITH_ADMIN("port = 9; address = \"10.0.0.1\";"),
        WITH_ADMIN("port = 9; address = \"0.0.0.0\";"),
        WITH_ADMIN("port = 9; address = \"*\";"),
        WITH_ADMIN("port = 9; address = \"\";"),
        WITH_ADMIN("port = 9; address = \"::\";"),
        WITH_ADMIN("port = 9; address = \"::ffff:10.0.0.1\";"),
        WITH_ADMIN("port = 9; address = \"10.0.0.1\"; unauthenticated = false;"),
    };
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        assert_int_equal(load(loopback[i]), OK);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(load(others[i]), ERR_INVALID);
        assert_non_null(strstr(told(), "is not a loopback address"));
    }
}

static void admin_that_is_not_understood_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } wrong[] = {
        {WITH_ADMIN("address = \"127.0.0.1\";"), "admin.address needs admin.port"},
        {WITH_ADMIN("port = 9; address = \"localhost\";"), "is not an IPv4 or IPv6 address"},
        {WITH_ADMIN("users = \"it1\";"), "admin.users must be names"},
        {WITH_ADMIN("users = [ 1 ];"), "admin.users must be names"},
        {WITH_ADMIN("users = [ \"\" ];"), "admin.users must be names"},
        {WITH_ADMIN("port = 0;"), "port must be a number from 1 to 65535"},
        {WITH_ADMIN("password = \"x\";"), "unknown key \"password\""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(load(wrong[i].text), ERR_INVALID);
        assert_non_null(strstr(told(), wrong[i].says));
    }
}

static void console_name_is_no_database(void **state)
{
    (void)state;
    assert_int_equal(load(LISTEN "databases = ( { name = \"pgvigil\"; owner = \"o\"; conninfo = "
                                 "\"host=db dbname=pgvigil user=pgvigil\"; } );\n" REST),
                     ERR_INVALID);
    assert_non_null(strstr(told(), "kept for pgvigil's own console"));
}

static void wrong_shapes_are_told(void **state)
{
    (void)state;
    assert_int_equal(load("listen = 5;\ndatabases = { };\npolicy = 1;\naudit = ( );\n"),
                     ERR_INVALID);
    assert_string_equal(
        told(),
        "pgvigil.cfg:3: policy must be a string in double quotes\n"
        "pgvigil.cfg:1: listen must be a group: listen = { ... };\n"
        "pgvigil.cfg:1: listen has no certificate and key; certs/make writes a pair for "
        "development (or plaintext = true, for tests only)\n"
        "pgvigil.cfg:2: databases must be a list of groups: ( { name = \"records\"; ... } )\n"
        "pgvigil.cfg:4: audit must be a group: audit = { ... };\n");
    assert_int_equal(load(LISTEN "databases = ( 5 );\n" REST), ERR_INVALID);
    assert_string_equal(told(),
                        "pgvigil.cfg:2: an entry of databases must be a group { name = ...; }\n");
    assert_int_equal(load(LISTEN "databases = ( );\n" REST), ERR_INVALID);
}

static void an_empty_file_misses_what_must_be_there(void **state)
{
    (void)state;
    assert_int_equal(load(""), ERR_INVALID);
    assert_string_equal(
        told(), "pgvigil.cfg:1: policy is missing\n"
                "pgvigil.cfg:1: databases is missing\n"
                "pgvigil.cfg:1: audit is missing\n"
                "pgvigil.cfg:1: listen has no certificate and key; certs/make writes a pair for "
                "development (or plaintext = true, for tests only)\n");
}

static void plaintext_needs_no_certificate(void **state)
{
    (void)state;
    assert_int_equal(load("listen = { plaintext = true; };\ndatabases = ( " DATABASE " );\n" REST),
                     OK);
    assert_null(config->listen.certificate);
    assert_int_equal(load("listen = { plaintext = false; };\ndatabases = ( " DATABASE " );\n" REST),
                     ERR_INVALID);
}

static void client_ca_without_a_certificate_is_refused(void **state)
{
    (void)state;
    assert_int_equal(
        load("listen = { plaintext = true; client_ca = \"ca.crt\"; };\ndatabases = ( " DATABASE
             " );\n" REST),
        ERR_INVALID);
    assert_string_equal(
        told(), "pgvigil.cfg:1: listen.client_ca needs listen.certificate and listen.key\n");
}

static void keys_that_others_can_read_are_refused(void **state)
{
    (void)state;
    write_file("server.key", "x", 0644);
    assert_int_equal(load(LISTEN "databases = ( " DATABASE " );\n" REST), ERR_INVALID);
    assert_string_equal(told(),
                        "pgvigil.cfg:1: key \"server.key\" can be read by others; chmod 600 it\n");
    write_file("server.key", "x", 0600);
    assert_int_equal(load(LISTEN "databases = ( " DATABASE " );\n" REST), OK);
}

static void addresses_must_be_numeric(void **state)
{
    (void)state;
    static const char *const good[] = {"", "*", "0.0.0.0", "::", "192.0.2.1"};
    static const char *const bad[] = {"localhost", "1.2.3", "300.1.1.1", ":::"};
    char text[512];
    for (size_t i = 0; i < 9; i++) {
        bool fine = i < 5;
        (void)snprintf(text, sizeof text,
                       "listen = { plaintext = true; address = \"%s\"; };\ndatabases = ( %s );\n%s",
                       fine ? good[i] : bad[i - 5], DATABASE, REST);
        assert_int_equal(load(text), fine ? OK : ERR_INVALID);
    }
}

static void conninfos_must_name_login_and_database(void **state)
{
    (void)state;
    assert_int_equal(
        load(LISTEN
             "databases = ( { name = \"a\"; owner = \"o\"; conninfo = \"host=x\"; } );\n" REST),
        ERR_INVALID);
    assert_string_equal(
        told(), "pgvigil.cfg:2: conninfo names no user\npgvigil.cfg:2: conninfo names no dbname\n");
    assert_int_equal(load(LISTEN "databases = ( { name = \"a\"; owner = \"o\"; conninfo = \"user=u "
                                 "dbname=d replication=true\"; } );\n" REST),
                     ERR_INVALID);
    assert_int_equal(load(LISTEN "databases = ( { name = \"a\"; owner = \"o\"; conninfo = \"user=u "
                                 "dbname=d sslrootcert=gone\"; } );\n" REST),
                     ERR_INVALID);
    assert_string_equal(
        told(),
        "pgvigil.cfg:2: conninfo: sslrootcert \"gone\": No such file or directory; give the "
        "path of yours\n");
}

static void syntax_errors_have_a_line(void **state)
{
    (void)state;
    assert_int_equal(load("listen = { };\npolicy = ;\n"), ERR_SYNTAX);
    assert_string_equal(told(), "pgvigil.cfg:2: syntax error\n");
    assert_int_equal(load("policy = \"a\";\npolicy = \"b\";\n"), ERR_SYNTAX);
    assert_string_equal(told(), "pgvigil.cfg:2: duplicate setting name\n");
}

static void a_missing_file_is_told(void **state)
{
    (void)state;
    buf_clear(&errors);
    assert_int_equal(config_load(in_dir("none.cfg"), &config, &errors), ERR_IO);
    buf_byte(&errors, 0);
    assert_string_equal(told(),
                        "none.cfg: cannot read the configuration: No such file or directory\n");
}

static void pseudonym_keys_are_64_digits(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "00", "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEF",
        "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF0",
        "g0112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"};
    unsigned char key[CONFIG_PSEUDONYM_KEY_BYTES];
    assert_int_equal(config_read_pseudonym_key(in_dir("pseudonym.key"), key, &errors), OK);
    assert_int_equal(key[1], 0x11);
    assert_int_equal(key[31], 0xff);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file("pseudonym.key", bad[i], 0600);
        assert_int_equal(config_read_pseudonym_key(in_dir("pseudonym.key"), key, &errors),
                         ERR_INVALID);
    }
    assert_int_equal(
        load(LISTEN "databases = ( " DATABASE " );\npseudonym_key = \"pseudonym.key\";\n" REST),
        ERR_INVALID);
    assert_string_equal(
        told(),
        "pgvigil.cfg:3: \"pseudonym.key\" must hold 64 hexadecimal digits and nothing else\n");
    assert_int_equal(config_read_pseudonym_key(in_dir("none"), key, &errors), ERR_IO);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(smallest_file_has_its_defaults),
        TEST(every_key_is_read),
        TEST(audit_files_end_daily_unless_told),
        TEST(audit_retention_outside_the_recommendation_says_why),
        TEST(files_inside_a_conninfo_start_from_the_file),
        TEST(included_files_resolve_from_their_own_place),
        TEST(all_errors_are_told_at_once_with_their_lines),
        TEST(admin_port_without_authentication_is_for_this_machine),
        TEST(admin_that_is_not_understood_is_told),
        TEST(console_name_is_no_database),
        TEST(wrong_shapes_are_told),
        TEST(an_empty_file_misses_what_must_be_there),
        TEST(plaintext_needs_no_certificate),
        TEST(client_ca_without_a_certificate_is_refused),
        TEST(keys_that_others_can_read_are_refused),
        TEST(addresses_must_be_numeric),
        TEST(conninfos_must_name_login_and_database),
        TEST(syntax_errors_have_a_line),
        TEST(a_missing_file_is_told),
        TEST(pseudonym_keys_are_64_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
