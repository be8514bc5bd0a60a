/*
 * test_cells.c: what answers tell together, against a computation that knows every row's history.
 *
 * Random answers over a few hundred rows of some patients are offered; whatever was admitted, rows
 * with the same history (in which answers, once or more often, with which values) must be of k
 * patients or more, and no two sets of patients may differ by fewer. State is kept in files of a
 * folder of the test's own.
 */
#include "proxy/cells.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS     240
#define PATIENTS 90
#define ANSWERS  400
#define K        3
#define DAY      86400
#define NOW      (20000LL * DAY)

static char folder[] = "/tmp/pgvigil-cells-XXXXXX";

static const struct policy_aggregate bounds = {.k = K, .answers_per_day = 10, .remember_days = 30};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static struct cells_person *open_person(struct cells *cells, const char *name)
{
    struct cells_person *person = NULL;
    assert_int_equal(cells_open(cells, name, "stats", "records", &person), OK);
    return person;
}

static struct cells_row row_of(unsigned row)
{
    return (struct cells_row){.row = row + 1000, .patient = row % PATIENTS + 5};
}

static enum status admit_range(struct cells_person *person, unsigned from, unsigned to,
                               uint8_t columns, bool *fresh)
{
    struct cells_row rows[ROWS];
    size_t count = 0;
    for (unsigned i = from; i < to; i++) {
        rows[count] = row_of(i);
        rows[count++].columns = columns;
    }
    return cells_admit(person, &bounds, rows, count, NOW, fresh);
}

/* ---- against every row's history ---- */

struct history {
    unsigned char marks[ROWS][ANSWERS]; /* 0: not in it; how often and which values */
    bool patients[ANSWERS][PATIENTS];
    size_t answers;
};

static size_t patients_alike(const struct history *history, unsigned like)
{
    bool seen[PATIENTS] = {false};
    size_t count = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        if (memcmp(history->marks[i], history->marks[like], ANSWERS) != 0 || seen[i % PATIENTS])
            continue;
        seen[i % PATIENTS] = true;
        count++;
    }
    return count;
}

static void check_history(const struct history *history)
{
    static const unsigned char never[ANSWERS];
    for (unsigned i = 0; i < ROWS; i++)
        assert_true(memcmp(history->marks[i], never, ANSWERS) == 0 ||
                    patients_alike(history, i) >= K);
    for (size_t a = 0; a < history->answers; a++)
        for (size_t b = 0; b < history->answers; b++) {
            size_t more = 0;
            for (unsigned i = 0; i < PATIENTS; i++)
                more += history->patients[a][i] && !history->patients[b][i] ? 1 : 0;
            assert_true(more == 0 || more >= K);
        }
}

/* A range, or its ends, all but one, some of them twice, some without a value. */
static size_t make_answer(uint32_t *seed, struct cells_row *rows, unsigned char *marks)
{
    unsigned from = next_random(seed) % ROWS;
    unsigned to = from + next_random(seed) % (ROWS - from) + 1;
    unsigned skipped = next_random(seed) % 2 == 0 ? next_random(seed) % ROWS : ROWS;
    unsigned twice = next_random(seed) % 4 == 0 ? next_random(seed) % ROWS : ROWS;
    unsigned bare = next_random(seed) % 4 == 0 ? next_random(seed) % ROWS : ROWS;
    bool inside = next_random(seed) % 3 != 0;
    size_t count = 0;
    memset(marks, 0, ROWS);
    for (unsigned i = 0; i < ROWS; i++) {
        if ((i >= from && i < to) != inside || i == skipped)
            continue;
        struct cells_row row = row_of(i);
        row.columns = i < bare ? 1 : 0;
        marks[i] = (unsigned char)(2 | row.columns);
        rows[count++] = row;
        if (i >= twice) {
            rows[count++] = row;
            marks[i] |= 4;
        }
    }
    return count;
}

/* The column is told if as many have a value, and none or as many have not. */
static void drop_untold(unsigned char *marks)
{
    bool with[PATIENTS] = {false};
    bool without[PATIENTS] = {false};
    size_t values = 0;
    size_t none = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        if (marks[i] != 0 && (marks[i] & 1) != 0)
            with[i % PATIENTS] = true;
        if (marks[i] != 0 && (marks[i] & 1) == 0)
            without[i % PATIENTS] = true;
    }
    for (unsigned i = 0; i < PATIENTS; i++) {
        values += with[i] ? 1 : 0;
        none += without[i] ? 1 : 0;
    }
    for (unsigned i = 0; i < ROWS && (values < K || (none > 0 && none < K)); i++)
        marks[i] &= 0xfe;
}

static void admitted_answers_tell_no_fewer_apart(void **state)
{
    (void)state;
    size_t admitted = 0;
    size_t denied = 0;
    for (uint32_t seed = 1; seed <= 12; seed++) {
        char name[16];
        uint32_t random = seed;
        struct history *history = calloc(1, sizeof *history);
        struct cells *cells = cells_new(folder, false);
        assert_non_null(history);
        (void)snprintf(name, sizeof name, "anna%u", seed);
        for (size_t i = 0; i < ANSWERS; i++) {
            struct cells_row rows[2 * ROWS];
            unsigned char marks[ROWS];
            bool fresh = false;
            size_t count = make_answer(&random, rows, marks);
            struct cells_person *person = open_person(cells, name);
            enum status status = cells_admit(person, &bounds, rows, count, NOW, &fresh);
            assert_true(status == OK || status == DENIED);
            denied += status == DENIED ? 1 : 0;
            admitted += status == OK ? 1 : 0;
            drop_untold(marks);
            for (unsigned k = 0; k < ROWS && status == OK; k++) {
                history->marks[k][history->answers] = marks[k];
                if (marks[k] != 0)
                    history->patients[history->answers][k % PATIENTS] = true;
            }
            history->answers += status == OK ? 1 : 0;
            /* From time to time the process ends. */
            if (next_random(&random) % 8 != 0)
                continue;
            assert_int_equal(cells_save(person), OK);
            cells_free(cells);
            cells = cells_new(folder, false);
        }
        check_history(history);
        cells_free(cells);
        free(history);
    }
    assert_true(admitted > 50 && denied > 50); /* else it shows nothing */
}

/* ---- by hand ---- */

static void all_but_one_is_denied_and_all_again_is_not(void **state)
{
    (void)state;
    struct cells *cells = cells_new(folder, false);
    struct cells_person *person = open_person(cells, "berta");
    bool fresh = false;
    assert_int_equal(admit_range(person, 0, PATIENTS, 0, &fresh), OK);
    assert_true(fresh);
    assert_int_equal(admit_range(person, 0, PATIENTS, 0, &fresh), OK);
    assert_false(fresh);
    assert_int_equal(admit_range(person, 1, PATIENTS, 0, &fresh), DENIED);
    assert_int_equal(admit_range(person, K, PATIENTS, 0, &fresh), OK);
    assert_true(fresh);
    assert_int_equal(admit_range(person, 0, K, 0, &fresh), OK);
    assert_true(fresh);
    assert_int_equal(admit_range(person, 0, K - 1, 0, &fresh), DENIED);
    assert_int_equal(admit_range(person, 0, 0, 0, &fresh), DENIED);
    cells_free(cells);
}

static void other_rows_of_all_patients_but_one_are_denied(void **state)
{
    (void)state;
    struct cells *cells = cells_new(folder, false);
    struct cells_person *person = open_person(cells, "carla");
    bool fresh = false;
    assert_int_equal(admit_range(person, 0, PATIENTS, 0, &fresh), OK);
    assert_int_equal(admit_range(person, PATIENTS + 1, 2 * PATIENTS, 0, &fresh), DENIED);
    assert_int_equal(admit_range(person, PATIENTS, 2 * PATIENTS, 0, &fresh), OK);
    assert_true(fresh);
    cells_free(cells);
}

static void budget_is_the_days_and_outlives_the_process(void **state)
{
    (void)state;
    struct cells *cells = cells_new(folder, false);
    struct cells_person *person = open_person(cells, "dora");
    assert_int_equal(cells_left(person, &bounds, NOW), 10);
    cells_charge(person, 7, NOW);
    assert_int_equal(cells_left(person, &bounds, NOW + DAY - 1), 3);
    assert_int_equal(cells_save(person), OK);
    cells_free(cells);
    cells = cells_new(folder, true);
    person = open_person(cells, "dora");
    assert_int_equal(cells_left(person, &bounds, NOW), 3);
    cells_charge(person, 7, NOW);
    assert_int_equal(cells_left(person, &bounds, NOW), 0);
    assert_int_equal(cells_left(person, &bounds, NOW + DAY), 10);
    /* A clock that is put back gives the day no second budget. */
    cells_charge(person, 4, NOW + DAY);
    assert_int_equal(cells_left(person, &bounds, NOW), 6);
    cells_free(cells);
}

static void answers_are_remembered_as_long_as_the_policy_says(void **state)
{
    (void)state;
    struct cells *cells = cells_new(folder, false);
    struct cells_person *person = open_person(cells, "emma");
    struct cells_row rows[PATIENTS];
    bool fresh = false;
    assert_int_equal(admit_range(person, 0, PATIENTS, 0, &fresh), OK);
    for (unsigned i = 1; i < PATIENTS; i++)
        rows[i - 1] = row_of(i);
    assert_int_equal(cells_admit(person, &bounds, rows, PATIENTS - 1, NOW + 29LL * DAY, &fresh),
                     DENIED);
    assert_int_equal(cells_admit(person, &bounds, rows, PATIENTS - 1, NOW + 30LL * DAY, &fresh),
                     OK);
    cells_free(cells);
}

static void what_was_told_under_a_smaller_k_is_told_no_more(void **state)
{
    (void)state;
    static const struct policy_aggregate larger = {
        .k = K + 2, .answers_per_day = 10, .remember_days = 30};
    struct cells *cells = cells_new(folder, false);
    struct cells_person *person = open_person(cells, "flora");
    struct cells_row rows[K];
    bool fresh = false;
    for (unsigned i = 0; i < K; i++)
        rows[i] = row_of(i);
    assert_int_equal(cells_admit(person, &bounds, rows, K, NOW, &fresh), OK);
    assert_int_equal(cells_admit(person, &bounds, rows, K, NOW, &fresh), OK);
    assert_int_equal(cells_admit(person, &larger, rows, K, NOW, &fresh), DENIED);
    cells_free(cells);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admitted_answers_tell_no_fewer_apart),
        cmocka_unit_test(all_but_one_is_denied_and_all_again_is_not),
        cmocka_unit_test(other_rows_of_all_patients_but_one_are_denied),
        cmocka_unit_test(budget_is_the_days_and_outlives_the_process),
        cmocka_unit_test(answers_are_remembered_as_long_as_the_policy_says),
        cmocka_unit_test(what_was_told_under_a_smaller_k_is_told_no_more),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
