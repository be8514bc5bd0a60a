/*
 * test_shared_identity.c: whom a shared login is, after each thing that may happen to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/break_glass.h"
#include "proxy/identity.h"

enum { NURSE, CLERK, WARDEN };
enum { WARD, OFFICE, NIGHT };
static const uint32_t nurse_missions[] = {WARD, NIGHT};
static const uint32_t clerk_missions[] = {OFFICE};
static const struct policy_break_glass glass = {.reason_min = 20, .minutes = 30};
static const struct policy_mission missions[] = {
    {.name = "ward"}, {.name = "office"}, {.name = "night", .break_glass = &glass}};
static const struct policy_role roles[] = {
    {.name = "nurse", .missions = nurse_missions, .mission_count = 2, .default_mission = WARD},
    {.name = "clerk", .missions = clerk_missions, .mission_count = 1, .default_mission = OFFICE},
    {.name = "warden", .missions = nurse_missions, .mission_count = 2, .default_mission = WARD}};
static const struct policy policy = {
    .missions = missions, .mission_count = 3, .roles = roles, .role_count = 3};

static const uint32_t ceiling[] = {NURSE, CLERK};
static const uint32_t clerk_only[] = {CLERK};
static const uint32_t warden_first[] = {WARDEN, NURSE, CLERK};
static const uint32_t warden_only[] = {WARDEN};
static const struct policy_on_behalf refuses = {.roles = ceiling, .role_count = 2, .absent = -1};
static const struct policy_on_behalf clerk_itself = {
    .roles = ceiling, .role_count = 2, .absent = CLERK};
static const struct policy_user app = {
    .name = "app", .roles = ceiling, .role_count = 2, .on_behalf = &refuses};
static const struct policy_user desk = {
    .name = "desk", .roles = clerk_only, .role_count = 1, .on_behalf = &clerk_itself};
static const struct policy_user anna = {.name = "anna", .roles = warden_first, .role_count = 3};
static const struct policy_user bert = {.name = "bert", .roles = clerk_only, .role_count = 1};
static const struct policy_user carl = {.name = "carl", .roles = warden_only, .role_count = 1};

static struct identity identity;

static void begin(const struct policy_user *login)
{
    identity_free(&identity);
    assert_int_equal(identity_init(&identity, &policy, login), OK);
}

static int tear_down(void **state)
{
    (void)state;
    identity_free(&identity);
    return 0;
}

static void check(const struct policy_user *user, enum identity_person person, int role,
                  int mission)
{
    assert_ptr_equal(identity.user, user);
    assert_int_equal(identity.person, person);
    assert_int_equal(identity.mission, mission);
    if (role >= 0)
        assert_int_equal(identity.role, role);
}

static void act_for(const struct policy_user *person)
{
    assert_int_equal(identity_act_for(&identity, &policy, person, IDENTITY_ASSERTED, 0), OK);
}

static void nobody_has_no_mission_and_can_take_none(void **state)
{
    (void)state;
    begin(&app);
    check(&app, IDENTITY_NOBODY, -1, -1);
    assert_int_equal(identity_choose_mission(&identity, &policy, "ward"), ERR_INVALID);
    assert_int_equal(identity_choose_role(&identity, &policy, "nurse"), ERR_INVALID);
    check(&app, IDENTITY_NOBODY, -1, -1);
    act_for(&bert);
    check(&bert, IDENTITY_ASSERTED, CLERK, OFFICE);
    identity_act_for_nobody(&identity, &policy);
    check(&app, IDENTITY_NOBODY, -1, -1);
}

static void login_with_a_role_of_its_own_has_no_other(void **state)
{
    (void)state;
    begin(&desk);
    check(&desk, IDENTITY_OWN, CLERK, OFFICE);
    assert_int_equal(identity_choose_role(&identity, &policy, "nurse"), ERR_INVALID);
    assert_int_equal(identity_choose_role(&identity, &policy, "clerk"), OK);
    act_for(&anna);
    check(&anna, IDENTITY_ASSERTED, NURSE, WARD);
    identity_act_for_nobody(&identity, &policy);
    check(&desk, IDENTITY_OWN, CLERK, OFFICE);
}

static void person_has_her_roles_within_the_ceiling(void **state)
{
    (void)state;
    begin(&app);
    act_for(&anna);
    check(&anna, IDENTITY_ASSERTED, NURSE, WARD);
    assert_int_equal(identity_choose_role(&identity, &policy, "warden"), ERR_INVALID);
    assert_int_equal(identity_choose_role(&identity, &policy, "clerk"), OK);
    assert_int_equal(identity_act_for(&identity, &policy, &carl, IDENTITY_ASSERTED, 0),
                     ERR_INVALID);
    assert_int_equal(identity_act_for(&identity, &policy, &app, IDENTITY_ASSERTED, 0), ERR_INVALID);
    assert_int_equal(identity_act_for(&identity, &policy, &desk, IDENTITY_ASSERTED, 0),
                     ERR_INVALID);
    check(&anna, IDENTITY_ASSERTED, CLERK, OFFICE);
}

static void reason_patient_and_glass_are_hers_who_gave_them(void **state)
{
    (void)state;
    begin(&app);
    act_for(&anna);
    struct break_glass *entry = calloc(1, sizeof *entry);
    assert_non_null(entry);
    entry->refs = 1;
    entry->until = 100;
    entry->person = strdup("anna");
    entry->role = strdup("nurse");
    entry->mission = strdup("night");
    entry->reason = strdup("a patient of another ward");
    assert_int_equal(identity_replace(&identity.reason, entry->reason), OK);
    assert_int_equal(identity_replace(&identity.patient, "7"), OK);
    identity.mission = NIGHT;
    identity.glass = entry;
    assert_true(break_glass_holds(&policy, &identity, 99));
    act_for(&anna);
    assert_true(break_glass_holds(&policy, &identity, 99));
    /* Were it not taken away, it would still not be his. */
    identity.user = &bert;
    assert_false(break_glass_holds(&policy, &identity, 99));
    identity.user = &anna;
    act_for(&bert);
    check(&bert, IDENTITY_ASSERTED, CLERK, OFFICE);
    assert_null(identity.glass);
    assert_null(identity.reason);
    assert_null(identity.patient);
    act_for(&anna);
    check(&anna, IDENTITY_ASSERTED, NURSE, WARD);
    assert_null(identity.reason);
}

static void proof_that_ends_leaves_nobody_even_where_the_login_is_somebody(void **state)
{
    (void)state;
    begin(&desk);
    assert_int_equal(identity_act_for(&identity, &policy, &anna, IDENTITY_PROVEN, 1000), OK);
    assert_int_equal(identity.until, 1000);
    assert_int_equal(identity_act_for(&identity, &policy, &anna, IDENTITY_PROVEN, 2000), OK);
    assert_int_equal(identity.until, 2000);
    identity_expire(&identity, &policy);
    check(&desk, IDENTITY_EXPIRED, -1, -1);
    assert_true(identity_is_nobody(&identity));
    assert_int_equal(identity_choose_role(&identity, &policy, "clerk"), ERR_INVALID);
    identity_act_for_nobody(&identity, &policy);
    check(&desk, IDENTITY_OWN, CLERK, OFFICE);
}

static void chosen_role_is_kept_by_who_has_it(void **state)
{
    (void)state;
    begin(&app);
    act_for(&anna);
    assert_int_equal(identity_choose_role(&identity, &policy, "clerk"), OK);
    identity.role_chosen = true;
    act_for(&bert);
    check(&bert, IDENTITY_ASSERTED, CLERK, OFFICE);
    act_for(&anna);
    check(&anna, IDENTITY_ASSERTED, CLERK, OFFICE);
    identity_act_for_nobody(&identity, &policy);
    act_for(&anna);
    check(&anna, IDENTITY_ASSERTED, NURSE, WARD);
}

static void start_comes_back_with_what_it_had(void **state)
{
    (void)state;
    struct identity start;
    begin(&app);
    act_for(&anna);
    assert_int_equal(identity_replace(&identity.reason, "of the start"), OK);
    assert_int_equal(identity_copy(&identity, &start), OK);
    act_for(&bert);
    assert_int_equal(identity_act_as_at_start(&identity, &policy, &start), OK);
    check(&anna, IDENTITY_ASSERTED, NURSE, WARD);
    assert_string_equal(identity.reason, "of the start");
    assert_true(identity_same_standing(&identity, &start));
    act_for(&bert);
    assert_false(identity_same_standing(&identity, &start));
    identity_free(&start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nobody_has_no_mission_and_can_take_none, tear_down),
        cmocka_unit_test_teardown(login_with_a_role_of_its_own_has_no_other, tear_down),
        cmocka_unit_test_teardown(person_has_her_roles_within_the_ceiling, tear_down),
        cmocka_unit_test_teardown(reason_patient_and_glass_are_hers_who_gave_them, tear_down),
        cmocka_unit_test_teardown(proof_that_ends_leaves_nobody_even_where_the_login_is_somebody,
                                  tear_down),
        cmocka_unit_test_teardown(chosen_role_is_kept_by_who_has_it, tear_down),
        cmocka_unit_test_teardown(start_comes_back_with_what_it_had, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
