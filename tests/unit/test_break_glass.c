/* What it takes to break the glass, and what ends it. */
#include "proxy/break_glass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE UINT64_C(60000000)

static const char *const patient[] = {"patient"};
static const struct policy_break_glass rule = {
    .reason_min = 20, .minutes = 60, .require = patient, .require_count = 1};
static const struct policy_break_glass loose = {.reason_min = 1, .minutes = 1};
static const struct policy_mission missions[] = {{.name = "care"},
                                                 {.name = "emergency", .break_glass = &rule},
                                                 {.name = "loose", .break_glass = &loose}};
static const uint32_t both[] = {0, 1, 2};
static const struct policy_role roles[] = {
    {.name = "nurse", .missions = both, .mission_count = 3, .default_mission = 0},
    {.name = "medic", .missions = both, .mission_count = 3, .default_mission = -1}};
static const struct policy policy = {
    .missions = missions, .mission_count = 3, .roles = roles, .role_count = 2};
static const struct policy_user anna = {.name = "anna"};
static const struct policy_user bert = {.name = "bert"};

static struct identity identity;
static struct break_glass_registry *registry;
static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    memset(&identity, 0, sizeof identity);
    identity.user = &anna;
    registry = break_glass_registry_new();
    arena = arena_new(0);
    return registry == NULL || arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    identity_free(&identity);
    break_glass_registry_free(registry);
    arena_free(arena);
    return 0;
}

static void give(const char *reason, const char *who)
{
    assert_int_equal(identity_replace(&identity.reason, reason), OK);
    assert_int_equal(identity_replace(&identity.patient, who), OK);
}

static enum status enter(int mission)
{
    struct break_glass_refusal refusal = {NULL, NULL};
    struct break_glass *glass = NULL;
    enum status status =
        break_glass_enter(registry, &policy, mission, &identity, MINUTE, arena, &refusal, &glass);
    if (status == OK) {
        break_glass_unref(identity.glass);
        identity.glass = glass;
        identity.mission = mission;
    } else {
        assert_non_null(refusal.message);
        assert_non_null(refusal.hint);
        /* Neither is anybody else's business. */
        assert_null(identity.reason == NULL || identity.reason[0] == '\0'
                        ? NULL
                        : strstr(refusal.message, identity.reason));
    }
    return status;
}

#define UNSEEN "\xe2\x80\x8b\xe2\x80\x8c\xe2\x81\xa0\xef\xbb\xbf\xef\xb8\x8f\xcd\x8f"
#define GOOD   "cardiac arrest in the emergency room"

static void reasons_that_say_nothing_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        NULL, "", "                              ", "urgence", "a b c d e f g h i j k l m n o p",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaa bbbbbbbbb ccccccc ddddddd eeee",
        "emergency emergency emergency emergency", "emergency room Emergency ROOM emergency, room!",
        "one . . . . . . . . . . . . two three",
        "\xc3\xa9t\xc3\xa9 \xc3\xa0 \xc3\xaele \xc3\xa9t\xc3\xa9",
        /* "éééé" and the like; characters that nobody sees; spaces that
         * are not ASCII's; words told apart by what is not seen. */
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 "
        "\xc3\xa8\xc3\xa8\xc3\xa8\xc3\xa8\xc3\xa8\xc3\xa8\xc3\xa8 "
        "\xc3\xa0\xc3\xa0\xc3\xa0\xc3\xa0\xc3\xa0\xc3\xa0\xc3\xa0",
        UNSEEN UNSEEN UNSEEN " " UNSEEN "\xe2\x80\x8c " UNSEEN "\xe2\x80\x8d",
        "\xe3\x85\xa4\xef\xbe\xa0\xe3\x85\xa4\xef\xbe\xa0 "
        "\xef\xbe\xa0\xe3\x85\xa4\xe1\x85\x9f\xe1\x85\xa0\xe3\x85\xa4 "
        "\xe1\x85\x9f\xe1\x85\xa0\xe3\x85\xa4\xe3\x85\xa4\xe3\x85\xa4 "
        "\xe3\x85\xa4\xe3\x85\xa4\xe3\x85\xa4\xe3\x85\xa4\xe3\x85\xa4",
        "urgence\xc2\xa0urgence\xe2\x80\x83urgence",
        "urgence urg\xe2\x80\x8b"
        "ence \xef\xbb\xbfurgence ur\xc2\xadgence"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        give(bad[i], "7");
        assert_int_equal(enter(1), DENIED);
        assert_null(identity.glass);
    }
    give(GOOD, "7");
    assert_int_equal(enter(1), OK);
    give("arr\xc3\xaat cardiaque, salle 3", "7");
    assert_int_equal(enter(1), OK);
    give("\xd0\xbe\xd1\x81\xd1\x82\xd0\xb0\xd0\xbd\xd0\xbe\xd0\xb2\xd0\xba\xd0\xb0 "
         "\xd1\x81\xd0\xb5\xd1\x80\xd0\xb4\xd1\x86\xd0\xb0 \xd0\xb2 "
         "\xd0\xbf\xd1\x80\xd0\xb8\xd1\x91\xd0\xbc\xd0\xbd\xd0\xbe\xd0\xbc",
         "7");
    assert_int_equal(enter(1), OK);
}

static void a_required_patient_must_be_given(void **state)
{
    (void)state;
    static const char *const bad[] = {NULL, "", " \t\n"};
    for (size_t i = 0; i < 3; i++) {
        give(GOOD, bad[i]);
        assert_int_equal(enter(1), DENIED);
    }
    give("three different words", NULL);
    assert_int_equal(enter(2), OK);
}

static void the_reason_of_the_last_time_is_refused(void **state)
{
    (void)state;
    give(GOOD, "7");
    assert_int_equal(enter(1), OK);
    assert_int_equal(break_glass_registry_note(registry, "anna", GOOD), OK);
    assert_int_equal(enter(1), DENIED);
    give("  Cardiac arrest,   in the emergency ROOM. ", "8");
    assert_int_equal(enter(1), DENIED);
    /* What nobody can see, and where the spaces stand, does not make it another one. */
    give("cardiac\xc2\xa0"
         "arrest in the emer\xe2\x80\x8bgency room\xef\xbb\xbf",
         "7");
    assert_int_equal(enter(1), DENIED);
    give("card iac arrest inthe emergency r o o m", "7");
    assert_int_equal(enter(1), DENIED);
    assert_int_equal(break_glass_registry_note(registry, "anna", "ARR\xc3\x8aT cardiaque subit"),
                     OK);
    give("arr\xc3\xaat cardiaque subit", "7");
    assert_int_equal(enter(2), DENIED);
    assert_int_equal(break_glass_registry_note(registry, "anna", GOOD), OK);
    give("cardiac arrest in the emergency corridor", "7");
    assert_int_equal(enter(1), OK);
    /* Somebody else may say the same. */
    give(GOOD, "7");
    identity.user = &bert;
    assert_int_equal(enter(1), OK);
    /* And only the last one counts. */
    identity.user = &anna;
    assert_int_equal(break_glass_registry_note(registry, "anna", "something else was it"), OK);
    assert_int_equal(enter(1), OK);
}

static void an_entry_ends_with_what_it_was_made_for(void **state)
{
    (void)state;
    give(GOOD, "7");
    assert_int_equal(enter(1), OK);
    uint64_t until = MINUTE + 60 * MINUTE;
    assert_true(break_glass_holds(&policy, &identity, until - 1));
    assert_false(break_glass_holds(&policy, &identity, until));
    give(GOOD, "8");
    assert_false(break_glass_holds(&policy, &identity, MINUTE));
    give(GOOD, NULL);
    assert_false(break_glass_holds(&policy, &identity, MINUTE));
    give("cardiac arrest in the emergency hall", "7");
    assert_false(break_glass_holds(&policy, &identity, MINUTE));
    give(GOOD, "7");
    identity.role = 1;
    assert_false(break_glass_holds(&policy, &identity, MINUTE));
    identity.role = 0;
    identity.mission = 2;
    assert_false(break_glass_holds(&policy, &identity, MINUTE));
    identity.mission = 0;
    assert_false(break_glass_holds(&policy, &identity, MINUTE));
    identity.mission = 1;
    assert_true(break_glass_holds(&policy, &identity, MINUTE));
}

static void what_does_not_hold_falls_back(void **state)
{
    (void)state;
    give(GOOD, "7");
    assert_int_equal(enter(1), OK);
    assert_false(break_glass_settle(&policy, &identity, MINUTE));
    give(GOOD, "8");
    assert_true(break_glass_settle(&policy, &identity, MINUTE));
    assert_int_equal(identity.mission, 0);
    assert_null(identity.glass);
    assert_false(break_glass_settle(&policy, &identity, MINUTE));
    /* A mission that breaks the glass, without an entry. */
    identity.mission = 1;
    identity.role = 1;
    assert_true(break_glass_settle(&policy, &identity, MINUTE));
    assert_int_equal(identity.mission, -1);
    /* An entry of its own is not another's. */
    assert_int_equal(enter(1), OK);
    struct break_glass other = {.refs = 1};
    assert_false(break_glass_leave(&policy, &identity, &other));
    assert_true(break_glass_leave(&policy, &identity, identity.glass));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(reasons_that_say_nothing_are_refused),   CASE(a_required_patient_must_be_given),
        CASE(the_reason_of_the_last_time_is_refused), CASE(an_entry_ends_with_what_it_was_made_for),
        CASE(what_does_not_hold_falls_back),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
