/*
 * pgvigil.cfg: the group `organisation`: what it may hold, and what must not be printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <pgvigil/config.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct config *config;
static struct buf errors;

static void write_file(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/pgvigil-organisation-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    write_file("audit.pem", "x");
    write_file("policy.cfg", "");
    buf_init(&errors, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_free(config);
    config = NULL;
    buf_free(&errors);
    static const char *const names[] = {"audit.pem", "policy.cfg", "pgvigil.cfg"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

/* The group begins in line 5. */
static enum status load(const char *group)
{
    char text[4096];
    char path[256];
    (void)snprintf(
        text, sizeof text,
        "listen = { plaintext = true; };\n"
        "databases = ( { name = \"a\"; owner = \"o\"; conninfo = \"dbname=a user=u\"; } );\n"
        "policy = \"policy.cfg\";\n"
        "audit = { directory = \"audit\"; key = \"audit.pem\"; };\n%s\n",
        group);
    write_file("pgvigil.cfg", text);
    (void)snprintf(path, sizeof path, "%s/pgvigil.cfg", dir);
    config_free(config);
    config = NULL;
    buf_clear(&errors);
    return config_load(path, &config, &errors);
}

static const char *told(void)
{
    buf_byte(&errors, 0);
    return (const char *)buf_head(&errors);
}

static void absent_group_says_nothing(void **state)
{
    (void)state;
    assert_int_equal(load(""), OK);
    assert_false(config->organisation.said);
    assert_null(config->organisation.name);
    assert_null(config->organisation.dpo.not_designated);
    assert_false(config->organisation.hosting.in_eea);
}

static void every_key_is_read(void **state)
{
    (void)state;
    enum status status = load(
        "organisation = { name = \"Maison\"; kind = \"MSP\"; address = \"1 rue\";\n"
        "siret = \"73282932000074\"; finess = \"2A0000123\"; phone = \"01\"; email = \"a@b.fr\";\n"
        "controller = { name = \"Dr A\"; role = \"gérante\"; email = \"c@b.fr\"; };\n"
        "dpo = { name = \"D\"; email = \"d@b.fr\"; phone = \"02\"; external = true;\n"
        "        organisation = \"Cabinet\"; };\n"
        "hosting = { host = \"H\"; hds_certificate = \"C-1\"; hds_scope = [ \"1\", \"6\" ];\n"
        "            hds_expires = \"2028-02-29\"; country = \"FR\"; processor_contract = \"K\";\n"
        "            staff = [ \"host1\", \"host2\" ]; }; };");
    assert_string_equal(told(), "");
    assert_int_equal(status, OK);
    const struct config_organisation *one = &config->organisation;
    assert_true(one->said);
    assert_string_equal(one->name, "Maison");
    assert_string_equal(one->siret, "73282932000074");
    assert_string_equal(one->finess, "2A0000123");
    assert_string_equal(one->controller.role, "gérante");
    assert_true(one->dpo.external);
    assert_string_equal(one->dpo.organisation, "Cabinet");
    assert_true(one->hosting.scope_said && one->hosting.scope[0] && one->hosting.scope[5]);
    assert_false(one->hosting.scope[1]);
    assert_true(one->hosting.in_eea);
    assert_int_equal(one->hosting.staff_count, 2);
    assert_string_equal(one->hosting.staff[1], "host2");
    assert_int_equal(one->hosting.expires_place.line, 11);
}

static void what_cannot_be_true_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } wrong[] = {
        {"siret = \"73282932000075\";", "cfg:5: siret \"73282932000075\" is none"},
        {"siret = \"732 829 320 00074\";", "is none"},
        {"siret = \"7328293200007\";", "is none"},
        {"finess = \"12345678\";", "finess \"12345678\" is none"},
        {"finess = \"2C0000123\";", "is none"},
        {"finess = \"2A000012\";", "is none"},
        {"email = \"nobody\";", "email \"nobody\" is no address"},
        {"colour = \"red\";", "unknown key \"colour\""},
        {"dpo = { nam = \"x\"; };", "did you mean \"name\"?"},
        {"dpo = { name = \"x\"; not_designated = \"small\"; };", "dpo.not_designated says why"},
        {"dpo = { not_designated = \"\"; };", "must say why"},
        {"dpo = { external = \"yes\"; };", "external must be true or false"},
        {"hosting = { country = \"France\"; };", "two capitals of ISO 3166"},
        {"hosting = { country = \"US\"; };", "outside the European Economic Area"},
        {"hosting = { country = \"CH\"; outside_eea_reason = \"\"; };", "outside the European"},
        {"hosting = { country = \"GB\"; };", "outside the European Economic Area"},
        {"hosting = { hds_expires = \"2027-02-29\"; };", "hds_expires \"2027-02-29\" is no day"},
        {"hosting = { hds_expires = \"30/06/2027\"; };", "is no day"},
        {"hosting = { hds_expires = \"2027-06-31\"; };", "is no day"},
        {"hosting = { hds_scope = [ \"7\" ]; };", "\"1\" to \"6\""},
        {"hosting = { hds_scope = \"1\"; };", "\"1\" to \"6\""},
        {"hosting = { staff = \"me\"; };", "staff must be names"},
        {"hosting = { staff = [ \"\" ]; };", "staff must be names"},
        {"hosting = 5;", "hosting must be a group"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "organisation = { %s };", wrong[i].text);
        assert_int_equal(load(text), ERR_INVALID);
        if (!strstr(told(), wrong[i].says))
            fail_msg("%s: %s", wrong[i].text, told());
    }
}

static void what_can_be_true_is_taken(void **state)
{
    (void)state;
    static const char *const right[] = {
        "siret = \"35600000000048\";", /* La Poste, by Luhn */
        "siret = \"35600000049837\";", /* and an office, by its plain sum */
        "finess = \"750000123\";",
        "dpo = { not_designated = \"médecin seul\"; };",
        "hosting = { country = \"RE\"; };",
        "hosting = { country = \"IS\"; };",
        "hosting = { country = \"US\"; outside_eea_reason = \"clauses types\"; };",
        "hosting = { hds_expires = \"2028-02-29\"; };",
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "organisation = { %s };", right[i]);
        enum status status = load(text);
        assert_string_equal(told(), "");
        assert_int_equal(status, OK);
    }
}

static void a_day_is_the_calendars(void **state)
{
    (void)state;
    long day = 0;
    for (long expected = 0; expected < 50000; expected++) {
        time_t at = (time_t)expected * 86400;
        struct tm tm;
        char text[32];
        assert_non_null(gmtime_r(&at, &tm));
        assert_int_equal(strftime(text, sizeof text, "%Y-%m-%d", &tm), 10);
        assert_true(config_read_day(text, &day));
        assert_int_equal(day, expected);
    }
    static const char *const none[] = {"",           "2027-6-30",  "2027-13-01",  "2027-00-10",
                                       "2027-01-00", "1969-12-31", "2027-01-01 ", "2100-02-29",
                                       "x027-01-01"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(config_read_day(none[i], &day));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(absent_group_says_nothing),   TEST(every_key_is_read),
        TEST(what_cannot_be_true_is_told), TEST(what_can_be_true_is_taken),
        TEST(a_day_is_the_calendars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
