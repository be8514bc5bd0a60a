/*
 * evidence.c: what speaks for a finding, in words (see findings.h).
 *
 * Trust boundary: what is printed goes into files and mail. Names of columns, words of our own
 * vocabulary and counts; never a value.
 */
#include "tools/findings.h"

#include <string.h>

const char *findings_confidence(enum confidence confidence, bool french)
{
    static const char *const words[][2] = {[CONFIDENCE_NONE] = {"none", "aucune"},
                                           [CONFIDENCE_LOW] = {"low", "faible"},
                                           [CONFIDENCE_MEDIUM] = {"medium", "moyenne"},
                                           [CONFIDENCE_HIGH] = {"high", "élevée"}};
    return words[confidence][french ? 1 : 0];
}

const char *findings_unread(const struct sampled_table *table, bool french)
{
    static const char *const words[][2] = {
        [SAMPLED_NOT] = {"values were not read", "valeurs non lues"},
        [SAMPLED_ROWS] = {"", ""},
        [SAMPLED_EMPTY] = {"no rows", "aucune ligne"},
        [SAMPLED_REFUSED] = {"PostgreSQL refused to read it", "lecture refusée par PostgreSQL"},
        [SAMPLED_SLOW] = {"it was locked, or took too long", "verrouillée, ou trop longue à lire"}};
    if (table->remote)
        return french ? "table distante, non lue" : "a foreign table is not read";
    return words[table->state][french ? 1 : 0];
}

static void put_words(const struct hit *hit, bool french, FILE *out)
{
    int len = (int)strcspn(hit->words, ",");
    (void)fprintf(out, french ? "« %.*s »" : "\"%.*s\"", len, hit->words);
}

static void put_values(const struct sampled_column *column, bool french, FILE *out)
{
    const struct finding *finding = &column->finding;
    const struct detector *detector = detect_of(finding->kind);
    const struct traits *traits = &column->traits;
    if (detector == NULL)
        return;
    (void)fprintf(out,
                  french ? "%s : %zu valeurs sur %zu, dont %zu différentes"
                         : "%s: %zu of %zu values, %zu of them different",
                  detector->title[french ? 1 : 0], traits->valid[finding->kind], traits->values,
                  traits->distinct_valid[finding->kind]);
    if (finding->grounds == GROUNDS_VALUES_AND_NAME) {
        (void)fputs(french ? " ; le nom aussi le dit : " : "; the name says it too: ", out);
        put_words(&finding->hit, french, out);
    }
    if (detector->needs_name)
        (void)fputs(french ? " (les valeurs seules ne suffiraient pas)"
                           : " (values alone would not tell)",
                    out);
}

static void put_name(const struct sampled_column *column, bool french, FILE *out)
{
    const struct finding *finding = &column->finding;
    (void)fputs(french ? "par le nom seul : " : "by the name only: ", out);
    put_words(&finding->hit, french, out);
    if (finding->grounds == GROUNDS_NAME_FEW)
        (void)fprintf(out,
                      french ? " ; %zu valeurs (%zu différentes), trop peu pour en juger"
                             : "; %zu values (%zu different) are too few to tell",
                      column->traits.values, column->traits.distinct);
}

static void put_contains(const struct sampled_column *column, bool french, FILE *out)
{
    bool first = true;
    (void)fputs(french ? "texte qui contient " : "text that contains ", out);
    for (size_t i = 0; i < HOLDS_COUNT; i++) {
        if (column->traits.holds[i] == 0)
            continue;
        (void)fprintf(out, french ? "%s%s (%zu valeurs sur %zu)" : "%s%s (%zu of %zu values)",
                      first ? "" : ", ", detect_holds_title((enum text_holds)i, french),
                      column->traits.holds[i], column->traits.values);
        first = false;
    }
}

static void put_contradicted(const struct sampled_column *column, bool french, FILE *out)
{
    const struct finding *finding = &column->finding;
    (void)fputs(french ? "le nom dit " : "the name says ", out);
    put_words(&finding->hit, french, out);
    (void)fprintf(out,
                  french ? ", les %zu valeurs lues disent autre chose : à regarder"
                         : ", the %zu values that were read say otherwise: look at it",
                  column->traits.values);
}

void findings_evidence(const struct sampled_column *column, bool french, FILE *out)
{
    switch (column->finding.grounds) {
    case GROUNDS_NONE:
        (void)fputs(french ? "ni le nom ni les valeurs ne disent ce que c’est"
                           : "neither name nor values tell what it is",
                    out);
        return;
    case GROUNDS_VALUES:
    case GROUNDS_VALUES_AND_NAME:
        put_values(column, french, out);
        return;
    case GROUNDS_NAME:
    case GROUNDS_NAME_FEW:
        put_name(column, french, out);
        return;
    case GROUNDS_KEY:
        (void)fputs(french ? "numéro de ligne, ou renvoi à une ligne"
                           : "numbers rows, or points to one",
                    out);
        return;
    case GROUNDS_CONTAINS:
        put_contains(column, french, out);
        return;
    case GROUNDS_CONTRADICTED:
        put_contradicted(column, french, out);
        return;
    }
}
