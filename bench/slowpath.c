/*
 * slowpath.c: what judging a first-seen statement costs beside libpg_query's own part of it.
 *
 * Own part: parse and unpack of the client's text and of the text that is sent, which none can do
 * without who reads the one and verifies the other. Medians of rounds that take turns; the ratio is
 * what the bench's results hold.
 */
#define JUDGE_FIXTURE_PLAIN
#include "policy/guard_tree.h"
#include "tests/golden/judge_fixture.h"

#include <time.h>

#define ROUNDS 41
#define TIMES  40

static const struct {
    const char *name;
    const char *sql;
} texts[] = {
    {"short",
     "SELECT id AS c1, family_name, given_name, birth_date FROM public.patients WHERE id = 7"},
    {"long",
     "WITH near AS (SELECT p.id, p.family_name, p.given_name, p.birth_date, p.ward_id FROM "
     "public.patients AS p WHERE p.id BETWEEN 7 AND 10), counted AS (SELECT ward_id, count(*) AS "
     "patients, min(birth_date) AS oldest FROM near GROUP BY ward_id) SELECT near.id AS c1, "
     "near.family_name || ' ' || near.given_name AS name, near.birth_date, counted.patients, CASE "
     "WHEN near.birth_date = counted.oldest THEN 'oldest' ELSE '' END AS mark FROM near JOIN "
     "counted ON counted.ward_id = near.ward_id WHERE EXISTS (SELECT 1 FROM public.patients AS o "
     "WHERE o.ward_id = near.ward_id AND o.id <> near.id) ORDER BY near.id LIMIT 10"},
};

static double microseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double judging(const struct fixture_session *session, const char *sql, char *sent,
                      size_t size)
{
    double begin = microseconds();
    for (int i = 0; i < TIMES; i++) {
        struct arena *arena = arena_new((size_t)256 << 20);
        struct verdict *verdict = NULL;
        if (fixture_judge(session, sql, strlen(sql), arena, &verdict) != OK)
            abort();
        if (i == 0)
            (void)snprintf(sent, size, "%s", verdict->sql);
        arena_free(arena);
    }
    return (microseconds() - begin) / TIMES;
}

static double parsing(const char *sql)
{
    double begin = microseconds();
    for (int i = 0; i < TIMES; i++) {
        PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(sql);
        PgQuery__ParseResult *tree = pg_query__parse_result__unpack(
            NULL, parsed.parse_tree.len, (const uint8_t *)parsed.parse_tree.data);
        if (tree == NULL)
            abort();
        pg_query__parse_result__free_unpacked(tree, NULL);
        pg_query_free_protobuf_parse_result(parsed);
    }
    return (microseconds() - begin) / TIMES;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static void *measure(void *unused)
{
    struct fixture_session nurse = {
        .role = "nurse", .path = {"public", "ehr"}, .path_count = 2, .constants = true};
    (void)snprintf(nurse.mission, sizeof nurse.mission, "care");
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        static char sent[16384];
        double judged[ROUNDS];
        double own[ROUNDS];
        (void)judging(&nurse, texts[t].sql, sent, sizeof sent);
        for (int i = 0; i < ROUNDS; i++) {
            judged[i] = judging(&nurse, texts[t].sql, sent, sizeof sent);
            own[i] = parsing(texts[t].sql) + parsing(sent);
        }
        double with = median(judged);
        double alone = median(own);
        printf("%s %zu %zu %.1f %.1f %.2f\n", texts[t].name, strlen(texts[t].sql), strlen(sent),
               with, alone, with / alone);
    }
    return unused;
}

/* Prints for each text: its name, its bytes, those of what is sent, microseconds of judging, of
 * libpg_query's own part, the ratio. */
int main(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (fixture_setup(NULL) != 0)
        return 1;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, JUDGE_STACK_BYTES);
    if (pthread_create(&thread, &attributes, measure, NULL) != 0)
        return 1;
    (void)pthread_join(thread, NULL);
    (void)pthread_attr_destroy(&attributes);
    return 0;
}
