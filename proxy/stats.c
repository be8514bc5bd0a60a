/*
 * stats.c: sums and averages (see stats.h).
 */
#include "proxy/stats.h"

#include <stdlib.h>
#include <string.h>

#define PERIOD_MICROSECONDS 60000000u

struct stats {
    pthread_mutex_t lock;
    size_t count;
    uint64_t since;  /* when `newer` was taken; 0: never */
    uint64_t before; /* when `older` was */
    struct meter_sum *newer;
    struct meter_sum *older;
};

struct stats *stats_new(const struct config *config)
{
    struct stats *stats = calloc(1, sizeof *stats);
    if (stats == NULL)
        return NULL;
    pthread_mutex_init(&stats->lock, NULL);
    stats->count = config->database_count;
    stats->newer = calloc(stats->count, sizeof *stats->newer);
    stats->older = calloc(stats->count, sizeof *stats->older);
    if (stats->newer != NULL && stats->older != NULL)
        return stats;
    stats_free(stats);
    return NULL;
}

void stats_free(struct stats *stats)
{
    if (stats == NULL)
        return;
    pthread_mutex_destroy(&stats->lock);
    free(stats->newer);
    free(stats->older);
    free(stats);
}

static void sum_workers(const struct process *process, size_t database, struct meter_sum *sum)
{
    memset(sum, 0, sizeof *sum);
    for (unsigned i = 0; i < process->config->workers; i++)
        meter_sum(&process->workers[i].meters[database], sum);
}

void stats_tick(struct stats *stats, const struct process *process, uint64_t now)
{
    /* One thread writes: what it has written it may read. */
    if (stats->since != 0 && now < stats->since + PERIOD_MICROSECONDS)
        return;
    pthread_mutex_lock(&stats->lock);
    struct meter_sum *oldest = stats->older;
    stats->older = stats->newer;
    stats->before = stats->since;
    stats->newer = oldest;
    stats->since = now;
    for (size_t i = 0; i < stats->count; i++)
        sum_workers(process, i, &stats->newer[i]);
    pthread_mutex_unlock(&stats->lock);
}

static void subtract(const struct meter_sum *newer, const struct meter_sum *older,
                     struct meter_sum *grown)
{
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        grown->figures[i] = newer->figures[i] - older->figures[i];
    for (size_t i = 0; i < HISTOGRAM_COUNT; i++) {
        grown->histograms[i].count = newer->histograms[i].count - older->histograms[i].count;
        grown->histograms[i].microseconds =
            newer->histograms[i].microseconds - older->histograms[i].microseconds;
    }
}

void stats_read(struct stats *stats, const struct process *process, size_t database,
                struct stats_line *line)
{
    memset(line, 0, sizeof *line);
    sum_workers(process, database, &line->total);
    pthread_mutex_lock(&stats->lock);
    if (stats->before != 0) {
        line->seconds = (double)(stats->since - stats->before) * 1e-6;
        subtract(&stats->newer[database], &stats->older[database], &line->grown);
    }
    pthread_mutex_unlock(&stats->lock);
}
