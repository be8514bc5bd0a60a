/* When and from where a mission may be used. */
#include "policy/opening.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static bool open_at(const char *text, unsigned weekday, unsigned hour, unsigned minute)
{
    struct policy_hours hours;
    assert_int_equal(opening_read_hours(text, &hours), OK);
    struct policy_mission mission = {.hours = &hours, .hours_count = 1};
    return policy_hours_open(&mission, weekday, hour * 60 + minute);
}

static void hours_have_a_beginning_and_an_end(void **state)
{
    (void)state;
    assert_false(open_at("08:00-20:00", SUN, 7, 59));
    assert_true(open_at("08:00-20:00", SUN, 8, 0));
    assert_true(open_at("08:00-20:00", MON, 19, 59));
    assert_false(open_at("08:00-20:00", MON, 20, 0));
    assert_true(open_at("00:00-24:00", MON, 0, 0));
    assert_true(open_at("00:00-24:00", MON, 23, 59));
    assert_true(open_at("20:00-00:00", MON, 23, 59));
    assert_false(open_at("20:00-00:00", TUE, 0, 0));
    struct policy_hours none;
    assert_int_equal(opening_read_hours("00:00-00:00", &none), ERR_INVALID);
}

static void hours_have_days(void **state)
{
    (void)state;
    assert_true(open_at("mon-fri 08:00-20:00", FRI, 12, 0));
    assert_false(open_at("mon-fri 08:00-20:00", SAT, 12, 0));
    assert_true(open_at("Sat,SUN 08:00-20:00", SUN, 12, 0));
    assert_false(open_at("sat,sun 08:00-20:00", MON, 12, 0));
    assert_true(open_at("sat-mon,wed 08:00-20:00", SUN, 12, 0));
    assert_true(open_at("sat-mon,wed 08:00-20:00", WED, 12, 0));
    assert_false(open_at("sat-mon,wed 08:00-20:00", TUE, 12, 0));
}

static void hours_over_midnight_are_of_the_day_they_begin_on(void **state)
{
    (void)state;
    assert_true(open_at("fri 22:00-06:00", FRI, 22, 0));
    assert_true(open_at("fri 22:00-06:00", SAT, 5, 59));
    assert_false(open_at("fri 22:00-06:00", SAT, 6, 0));
    assert_false(open_at("fri 22:00-06:00", FRI, 5, 0));
    assert_false(open_at("fri 22:00-06:00", SAT, 22, 0));
    assert_true(open_at("sun 22:00-06:00", MON, 1, 0));
}

static void several_hours_add_up_and_none_is_always(void **state)
{
    (void)state;
    struct policy_hours hours[2];
    assert_int_equal(opening_read_hours("08:00-12:00", &hours[0]), OK);
    assert_int_equal(opening_read_hours("14:00-18:00", &hours[1]), OK);
    struct policy_mission mission = {.hours = hours, .hours_count = 2};
    assert_true(policy_hours_open(&mission, MON, 9 * 60));
    assert_false(policy_hours_open(&mission, MON, 13 * 60));
    assert_true(policy_hours_open(&mission, MON, 15 * 60));
    mission.hours_count = 0;
    assert_true(policy_hours_open(&mission, MON, 13 * 60));
}

static bool open_from(const char *text, const char *address)
{
    struct policy_network network;
    assert_int_equal(opening_read_network(text, &network), OK);
    struct policy_mission mission = {.addresses = &network, .address_count = 1};
    return policy_address_open(&mission, address);
}

static void networks_hold_their_addresses(void **state)
{
    (void)state;
    assert_true(open_from("10.0.0.0/8", "10.255.0.1"));
    assert_false(open_from("10.0.0.0/8", "11.0.0.1"));
    assert_true(open_from("192.0.2.128/25", "192.0.2.128"));
    assert_false(open_from("192.0.2.128/25", "192.0.2.127"));
    assert_true(open_from("192.0.2.7", "192.0.2.7"));
    assert_false(open_from("192.0.2.7", "192.0.2.6"));
    assert_true(open_from("0.0.0.0/0", "203.0.113.9"));
    assert_true(open_from("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(open_from("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(open_from("::1", "::1"));
}

static void the_two_kinds_of_address_are_not_mixed(void **state)
{
    (void)state;
    assert_false(open_from("::/0", "10.0.0.1"));
    assert_false(open_from("0.0.0.0/0", "2001:db8::1"));
    /* But an IPv4 client of a socket for both is one. */
    assert_true(open_from("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_false(open_from("10.0.0.0/8", "::ffff:11.1.2.3"));
    assert_false(open_from("::/0", "::ffff:10.1.2.3"));
}

static void what_is_no_address_is_nowhere(void **state)
{
    (void)state;
    static const char *const odd[] = {"", "localhost", "10.0.0", "10.0.0.1:5432", "::1%lo"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_false(open_from("0.0.0.0/0", odd[i]));
    struct policy_mission none = {0};
    assert_true(policy_address_open(&none, "10.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_have_a_beginning_and_an_end),
        cmocka_unit_test(hours_have_days),
        cmocka_unit_test(hours_over_midnight_are_of_the_day_they_begin_on),
        cmocka_unit_test(several_hours_add_up_and_none_is_always),
        cmocka_unit_test(networks_hold_their_addresses),
        cmocka_unit_test(the_two_kinds_of_address_are_not_mixed),
        cmocka_unit_test(what_is_no_address_is_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
