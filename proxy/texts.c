/*
 * texts.c: what stands ready in words about the sessions that are at work (see texts.h).
 *
 * Trust boundary: these texts say who somebody is. A place belongs to the session whose pointer
 * stands in it, and that is compared each time; a session that is freed is taken out first, so that
 * no later one at the same address finds its words. What points into a place (session->who.encoded)
 * is emptied with it.
 */
#include "proxy/texts.h"

#include "proxy/session.h"

#include <stdlib.h>
#include <string.h>

/* Half a kilobyte each; people at work at once on one core are fewer. */
#define PLACES 512

/* One in so many takes a place from another: where more take turns than there are places, most of
 * those that have one find it again. */
#define PUTS_OUT 8

struct texts {
    unsigned workers; /* session numbers of one worker are that far apart */
    uint32_t draw;
    struct session_texts passing; /* of whoever came last and got no place */
    struct session_texts places[PLACES];
};

struct texts *texts_new(unsigned workers)
{
    struct texts *texts = calloc(1, sizeof *texts);
    if (texts != NULL)
        texts->workers = workers == 0 ? 1 : workers;
    return texts;
}

static void empty(struct session_texts *place)
{
    if (place->session != NULL)
        place->session->who.encoded = (struct audit_text){0};
    identity_text_free(&place->person.text);
    free(place->who);
    memset(place, 0, sizeof *place);
}

void texts_free(struct texts *texts)
{
    if (texts == NULL)
        return;
    for (size_t i = 0; i < PLACES; i++)
        empty(&texts->places[i]);
    empty(&texts->passing);
    free(texts);
}

/* Sessions that began one after the other have different places. */
static struct session_texts *place_of(struct texts *texts, const struct session *session)
{
    return &texts->places[session->id / texts->workers % PLACES];
}

/* Chance, so that no order in which sessions take turns is the worst one; nobody gains by guessing
 * it. */
static bool puts_out(struct texts *texts)
{
    texts->draw = texts->draw * 1664525u + 1013904223u;
    return (texts->draw >> 16) % PUTS_OUT == 0;
}

struct session_texts *texts_of(struct texts *texts, struct session *session)
{
    struct session_texts *place = place_of(texts, session);
    if (place->session == session)
        return place;
    if (texts->passing.session == session)
        return &texts->passing;
    if (place->session != NULL && !puts_out(texts))
        place = &texts->passing;
    empty(place);
    place->session = session;
    return place;
}

void texts_forget(struct texts *texts, const struct session *session)
{
    struct session_texts *place = place_of(texts, session);
    if (place->session == session)
        empty(place);
    if (texts->passing.session == session)
        empty(&texts->passing);
}
