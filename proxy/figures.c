/*
 * figures.c: sums of observations (see figures.h).
 *
 * Trust boundary: names come from clients and from the policy; they are quoted. Nothing of a
 * statement is here but the words of a refusal and the name of what it refuses.
 */
#include "proxy/figures.h"

#include <pgvigil/arena.h>
#include <pgvigil/buf.h>
#include <pgvigil/log.h>
#include <pgvigil/map.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIGURES_MAX       1000
#define REFUSALS_MAX      1000
#define NAME_MAX_LOG      200
#define TELL_MICROSECONDS 60000000u

struct figure {
    struct figure *next;
    const char *database, *application, *user, *role, *mission;
    uint64_t statements, refused, hidden, masked, filtered;
    uint64_t told; /* statements, when it was last told */
};

struct figures {
    pthread_mutex_t lock;
    struct map *by_name;
    struct map *refusals; /* what was told already */
    struct figure *first;
    struct figure *others;
    uint64_t next; /* of figures_tick alone */
    struct arena *arena;
};

struct figures *figures_new(void)
{
    struct figures *figures = calloc(1, sizeof *figures);
    if (figures == NULL)
        return NULL;
    pthread_mutex_init(&figures->lock, NULL);
    figures->by_name = map_new();
    figures->refusals = map_new();
    figures->arena = arena_new(0);
    if (figures->arena != NULL)
        figures->others = arena_zalloc(figures->arena, 1, sizeof *figures->others);
    if (figures->by_name == NULL || figures->refusals == NULL || figures->others == NULL) {
        figures_free(figures);
        return NULL;
    }
    *figures->others = (struct figure){.database = "(others)",
                                       .application = "(others)",
                                       .user = "(others)",
                                       .role = "(others)",
                                       .mission = "(others)"};
    figures->first = figures->others;
    return figures;
}

static void tell(struct figure *figure)
{
    char database[NAME_MAX_LOG];
    char application[NAME_MAX_LOG];
    char user[NAME_MAX_LOG];
    char role[NAME_MAX_LOG];
    char mission[NAME_MAX_LOG];
    if (figure->told == figure->statements)
        return;
    figure->told = figure->statements;
    log_event(
        figure->refused > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
        "event=observed database=%s application=%s user=%s role=%s mission=%s statements=%lu "
        "refused=%lu hidden=%lu masked=%lu filtered=%lu",
        log_quote(figure->database, database, sizeof database),
        log_quote(figure->application, application, sizeof application),
        log_quote(figure->user, user, sizeof user), log_quote(figure->role, role, sizeof role),
        log_quote(figure->mission, mission, sizeof mission), (unsigned long)figure->statements,
        (unsigned long)figure->refused, (unsigned long)figure->hidden,
        (unsigned long)figure->masked, (unsigned long)figure->filtered);
}

static void tell_all(struct figures *figures)
{
    pthread_mutex_lock(&figures->lock);
    for (struct figure *figure = figures->first; figure != NULL; figure = figure->next)
        tell(figure);
    pthread_mutex_unlock(&figures->lock);
}

void figures_tick(struct figures *figures, uint64_t now)
{
    if (now < figures->next)
        return;
    figures->next = now + TELL_MICROSECONDS;
    tell_all(figures);
}

void figures_free(struct figures *figures)
{
    if (figures == NULL)
        return;
    if (figures->first != NULL)
        tell_all(figures);
    map_free(figures->by_name);
    map_free(figures->refusals);
    arena_free(figures->arena);
    pthread_mutex_destroy(&figures->lock);
    free(figures);
}

static const char *text(const char *value)
{
    return value == NULL ? "" : value;
}

/* Names with NULs between: no name can be taken for another's end. */
static void put_names(struct buf *key, const struct audit_session *who)
{
    buf_cstr(key, text(who->database));
    buf_cstr(key, text(who->application));
    buf_cstr(key, text(who->person));
    buf_cstr(key, text(who->role));
    buf_cstr(key, text(who->mission));
}

static struct figure *add(struct figures *figures, const struct audit_session *who,
                          const struct buf *key)
{
    struct arena *arena = figures->arena;
    if (map_count(figures->by_name) >= FIGURES_MAX)
        return figures->others;
    struct figure *figure = arena_zalloc(arena, 1, sizeof *figure);
    if (figure == NULL)
        return figures->others;
    figure->database = arena_strdup(arena, text(who->database));
    figure->application = arena_strdup(arena, text(who->application));
    figure->user = arena_strdup(arena, text(who->person));
    figure->role = arena_strdup(arena, text(who->role));
    figure->mission = arena_strdup(arena, text(who->mission));
    if (figure->database == NULL || figure->application == NULL || figure->user == NULL ||
        figure->role == NULL || figure->mission == NULL ||
        map_put(figures->by_name, buf_head(key), buf_len(key), figure) != OK)
        return figures->others;
    figure->next = figures->first;
    figures->first = figure;
    return figure;
}

static void tell_refusal(struct figures *figures, const struct audit_session *who,
                         const struct audit_observed *observed, struct buf *key)
{
    char application[NAME_MAX_LOG];
    char user[NAME_MAX_LOG];
    char object[NAME_MAX_LOG];
    char hint[512];
    buf_cstr(key, text(observed->reason));
    buf_cstr(key, text(observed->object));
    if (key->failed || map_count(figures->refusals) >= REFUSALS_MAX ||
        map_get(figures->refusals, buf_head(key), buf_len(key)) != NULL ||
        map_put(figures->refusals, buf_head(key), buf_len(key), figures) != OK)
        return;
    log_event(LOG_LEVEL_WARNING,
              "event=observed-refusal application=%s user=%s reason=%s object=%s hint=%s",
              log_quote(text(who->application), application, sizeof application),
              log_quote(text(who->person), user, sizeof user), text(observed->reason),
              log_quote(text(observed->object), object, sizeof object),
              log_quote(text(observed->hint), hint, sizeof hint));
}

void figures_count(struct figures *figures, const struct audit_session *who,
                   const struct audit_observed *observed)
{
    bool hidden = false;
    bool masked = false;
    bool filtered = false;
    for (size_t i = 0; i < observed->relation_count; i++) {
        hidden = hidden || observed->relations[i].hidden_count > 0;
        masked = masked || observed->relations[i].masked_count > 0;
        filtered = filtered || observed->relations[i].filtered;
    }
    bool refused = strcmp(observed->decision, "allow") != 0;
    struct buf key;
    buf_init(&key, 0);
    put_names(&key, who);
    pthread_mutex_lock(&figures->lock);
    struct figure *figure =
        key.failed ? figures->others : map_get(figures->by_name, buf_head(&key), buf_len(&key));
    if (figure == NULL)
        figure = add(figures, who, &key);
    figure->statements++;
    figure->refused += refused;
    figure->hidden += hidden && !refused;
    figure->masked += masked && !refused;
    figure->filtered += filtered && !refused;
    if (refused)
        tell_refusal(figures, who, observed, &key);
    pthread_mutex_unlock(&figures->lock);
    buf_free(&key);
}
