/*
 * review.c: who used which right, and when (see review.h).
 *
 * Trust boundary: as of `audit search`. A statement that was refused is no use of a right; it is
 * counted by itself, since who is refused again and again may lack one.
 */
#include "tools/review.h"
#include "tools/audit_tally.h"

#include <stdio.h>
#include <string.h>

#define ARENA_BYTES ((size_t)64 << 20)
#define KEY_BYTES   1024
#define SEPARATOR   '\x1f'

enum status review_start(struct review *review)
{
    bool fine = true;
    *review = (struct review){.arena = arena_new(ARENA_BYTES)};
    for (size_t i = 0; i < REVIEW_VIEWS; i++) {
        review->views[i] = (struct review_view){map_new(), map_new()};
        fine = fine && review->views[i].whole && review->views[i].rights;
    }
    return fine && review->arena ? OK : ERR_MEMORY;
}

void review_end(struct review *review)
{
    for (size_t i = 0; i < REVIEW_VIEWS; i++) {
        map_free(review->views[i].whole);
        map_free(review->views[i].rights);
    }
    arena_free(review->arena);
}

static size_t right_key(char key[KEY_BYTES], const char *name, const char *role,
                        const char *mission)
{
    int len = snprintf(key, KEY_BYTES, "%s%c%s%c%s", name, SEPARATOR, role ? role : "", SEPARATOR,
                       mission ? mission : "");
    return len < 0 || len >= KEY_BYTES ? KEY_BYTES - 1 : (size_t)len;
}

static struct review_use *use_of(struct review *review, struct map *map, const char *key,
                                 size_t len, const char *name)
{
    struct review_use *use = map_get(map, key, len);
    if (use)
        return use;
    use = arena_zalloc(review->arena, 1, sizeof *use);
    const char *copy = arena_strdup(review->arena, name);
    if (!use || !copy || map_put(map, key, len, use) != OK)
        return NULL;
    use->name = copy;
    return use;
}

static void widen(char first[28], char last[28], const char *time)
{
    if (!first[0] || strcmp(time, first) < 0)
        (void)snprintf(first, 28, "%s", time);
    if (strcmp(time, last) > 0)
        (void)snprintf(last, 28, "%s", time);
}

static void count(struct review_use *use, const char *time, bool refused)
{
    if (refused) {
        use->refused++;
        return;
    }
    use->statements++;
    widen(use->first, use->last, time);
}

static enum status count_as(struct review *review, enum review_as as, const json_t *answer,
                            const char *time, bool refused)
{
    static const char *const keys[REVIEW_VIEWS] = {"person", "login"};
    struct review_view *view = &review->views[as];
    const char *name = tally_text(answer, keys[as]);
    char key[KEY_BYTES];
    if (!name)
        return OK;
    size_t len = right_key(key, name, tally_text(answer, "role"), tally_text(answer, "mission"));
    struct review_use *right = use_of(review, view->rights, key, len, name);
    struct review_use *whole = use_of(review, view->whole, name, strlen(name), name);
    if (!right || !whole)
        return ERR_LIMIT;
    count(right, time, refused);
    count(whole, time, refused);
    return OK;
}

enum status review_add(struct review *review, const json_t *answer)
{
    const char *time = tally_text(answer, "time");
    const char *type = tally_text(answer, "type");
    const char *outcome = tally_text(answer, "outcome");
    if (!time)
        return OK;
    review->records++;
    widen(review->first, review->last, time);
    if (!type || strcmp(type, "statement") != 0)
        return OK;
    bool refused = outcome && strcmp(outcome, "refused") == 0;
    enum status status = count_as(review, REVIEW_PERSON, answer, time, refused);
    return status == OK ? count_as(review, REVIEW_LOGIN, answer, time, refused) : status;
}

const struct review_use *review_whole(const struct review *review, enum review_as as,
                                      const char *name)
{
    return map_get_str(review->views[as].whole, name);
}

const struct review_use *review_right(const struct review *review, enum review_as as,
                                      const char *name, const char *role, const char *mission)
{
    char key[KEY_BYTES];
    size_t len = right_key(key, name, role, mission);
    return map_get(review->views[as].rights, key, len);
}
