/*
 * classify.c: the decision about a column (see classify.h).
 */
#include "tools/classify.h"

#include <string.h>

#define FEW_VALUES 10

/* Kinds that one word of a name stands for. */
static bool kin(enum kind one, enum kind other)
{
    static const enum kind families[][3] = {{KIND_NIR, KIND_NIR_WITHOUT_KEY, KIND_INS},
                                            {KIND_PHONE, KIND_PHONE_DIGITS, KIND_PHONE},
                                            {KIND_GIVEN_NAME, KIND_FAMILY_NAME, KIND_FULL_NAME}};
    if (one == other)
        return one != KIND_NONE;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        unsigned found = 0;
        for (size_t j = 0; j < 3; j++)
            found |= (families[i][j] == one ? 1u : 0) | (families[i][j] == other ? 2u : 0);
        if (found == 3)
            return true;
    }
    return false;
}

static bool is_name(enum kind kind)
{
    return kind == KIND_GIVEN_NAME || kind == KIND_FAMILY_NAME || kind == KIND_FULL_NAME;
}

static bool share(size_t part, size_t whole, size_t percent)
{
    return part * 100 >= whole * percent;
}

static bool of_people(enum table_about about)
{
    return about == ABOUT_PATIENT || about == ABOUT_PERSON || about == ABOUT_PROFESSIONAL;
}

/* ---- by values ---- */

static bool proven(const struct detector *detector, const struct traits *traits,
                   const struct hit *hit)
{
    /* A name that says the same is worth half of them: results have few codes. */
    bool named = !detector->needs_name && kin(detector->kind, hit->kind);
    size_t distinct = named ? (detector->distinct + 1) / 2 : detector->distinct;
    if (traits->values < CLASSIFY_VALUES || (detector->unordered && traits->ordered))
        return false;
    /* Births lie decades apart: dates of one year are of something else. */
    if (detector->kind == KIND_BIRTH_DATE && traits->last_year - traits->first_year < 10)
        return false;
    return traits->distinct_valid[detector->kind] >= distinct &&
           share(traits->valid[detector->kind], traits->values, detector->percent);
}

static const struct detector *by_values(const struct traits *traits, const struct hit *hit)
{
    size_t count = 0;
    const struct detector *table = detect_table(&count);
    const struct detector *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!proven(&table[i], traits, hit) ||
            (table[i].needs_name && !kin(table[i].kind, hit->kind)))
            continue;
        if (best == NULL || (is_name(best->kind) && table[i].kind == hit->kind))
            best = &table[i];
    }
    return best;
}

static struct finding from_values(const struct detector *detector, const struct hit *hit)
{
    bool both = kin(detector->kind, hit->kind);
    struct finding finding = {.category = detector->category,
                              .confidence = CONFIDENCE_HIGH,
                              .grounds = both ? GROUNDS_VALUES_AND_NAME : GROUNDS_VALUES,
                              .kind = detector->kind,
                              .hit = *hit};
    /* Lists of frequent names hold words that are in other columns as well. */
    if (is_name(detector->kind) && !both)
        finding.confidence = CONFIDENCE_MEDIUM;
    /* What stands in the place of an identifier is one: a hash of a NIR, a file number as UUID. */
    if (detector->category == CATEGORY_TECHNICAL && hit->category > CATEGORY_BILLING) {
        finding.category = hit->kind == KIND_NONE ? hit->category : CATEGORY_NONE;
        finding.confidence = hit->kind == KIND_NONE ? CONFIDENCE_MEDIUM : CONFIDENCE_NONE;
        finding.grounds = hit->kind == KIND_NONE ? GROUNDS_NAME : GROUNDS_CONTRADICTED;
    }
    return finding;
}

/* ---- by what longer text holds ---- */

static bool holds_identifiers(const struct subject_matter *matter)
{
    const struct traits *traits = matter->traits;
    bool long_text = matter->class == VALUE_DOCUMENT || share(traits->prose, traits->values, 30);
    return traits->values >= 20 && long_text && traits->holding >= 3 &&
           share(traits->holding, traits->values, 2);
}

/* ---- by name ---- */

/* Of the values, how many are of the name's kind, in percent. */
static size_t agreeing(const struct traits *traits, enum kind kind)
{
    size_t most = 0;
    if (traits->values == 0)
        return 0;
    for (size_t i = KIND_NONE + 1; i < KIND_COUNT; i++)
        if (kin((enum kind)i, kind) && traits->valid[i] > most)
            most = traits->valid[i];
    /* No list has all names, all ways to write a street, all countries' postcodes. */
    if (is_name(kind) && traits->name_like > most)
        most = traits->name_like;
    if (kind == KIND_ADDRESS || kind == KIND_POSTCODE)
        most = traits->values;
    return most * 100 / traits->values;
}

/* A diagnosis or an act may stand in words where another database has its code. */
static bool in_words(enum kind kind, const struct traits *traits)
{
    return (kind == KIND_ICD10 || kind == KIND_CCAM) &&
           share(traits->name_like + traits->prose, traits->values, 50);
}

static struct finding from_name(const struct subject_matter *matter, const struct hit *hit)
{
    const struct traits *traits = matter->traits;
    struct finding finding = {.category = hit->category,
                              .confidence = CONFIDENCE_LOW,
                              .grounds = GROUNDS_NAME,
                              .hit = *hit};
    if (hit->kind == KIND_NONE)
        return finding;
    size_t percent = agreeing(traits, hit->kind);
    bool few = traits->values < CLASSIFY_VALUES || traits->distinct < FEW_VALUES;
    if (traits->values >= FEW_VALUES && percent < 50 && in_words(hit->kind, traits))
        return finding;
    if (traits->values >= FEW_VALUES && percent < 50) {
        finding.category = CATEGORY_NONE;
        finding.confidence = CONFIDENCE_NONE;
        finding.grounds = GROUNDS_CONTRADICTED;
    } else if (few) {
        finding.grounds = GROUNDS_NAME_FEW;
    } else if (!hit->weak && !is_name(hit->kind) && hit->kind != KIND_ADDRESS &&
               hit->kind != KIND_POSTCODE) {
        finding.confidence = CONFIDENCE_MEDIUM;
    }
    return finding;
}

static bool usable(const struct subject_matter *matter, const struct hit *hit)
{
    if (hit->category == CATEGORY_NONE || (hit->weak && !of_people(matter->about)))
        return false;
    /* A comment on a code or a country is about nobody. */
    if (hit->category == CATEGORY_FREE_TEXT && !matter->linked && !of_people(matter->about))
        return false;
    return !hit->medical || matter->medical || matter->about == ABOUT_MEDICAL;
}

/* pk_item, fk_encounter, id, patient_id: a number that stands for a row. */
static bool numbers_rows(const struct subject_matter *matter)
{
    struct tokens tokens;
    if (matter->class != VALUE_NUMBER && matter->class != VALUE_UUID)
        return false;
    vocabulary_split(matter->name, &tokens);
    if (matter->key || tokens.count == 0)
        return matter->key;
    const char *first = tokens.word[0];
    const char *last = tokens.word[tokens.count - 1];
    return strcmp(first, "pk") == 0 || strcmp(first, "fk") == 0 || strcmp(first, "id") == 0 ||
           strcmp(last, "id") == 0 || strcmp(last, "pk") == 0;
}

/* ---- all of it ---- */

/* A professional's name and telephone are personal data, and another service's affair. */
static void of_staff(struct finding *finding)
{
    bool person = finding->category == CATEGORY_IDENTIFIER || finding->category == CATEGORY_CONTACT;
    if (person && finding->kind != KIND_NIR && finding->kind != KIND_INS &&
        finding->hit.kind != KIND_NIR)
        finding->category = CATEGORY_STAFF;
}

/* "Code" of a table of acts. */
static struct hit code_of_table(const struct subject_matter *matter)
{
    const struct hit silent = {0};
    struct tokens tokens;
    vocabulary_split(matter->name, &tokens);
    if (tokens.count != 1 || strcmp(tokens.word[0], "code") != 0)
        return silent;
    struct hit hit = vocabulary_column(matter->table, matter->class);
    bool code = hit.kind == KIND_ICD10 || hit.kind == KIND_CCAM || hit.kind == KIND_LOINC ||
                hit.kind == KIND_ATC || hit.kind == KIND_CIP13 || hit.kind == KIND_CIP7;
    return code && !hit.weak && !hit.medical ? hit : silent;
}

static struct finding decide(const struct subject_matter *matter)
{
    struct hit hit = vocabulary_column(matter->name, matter->class);
    const struct hit silent = {0};
    if (!usable(matter, &hit))
        hit = silent;
    if (hit.category == CATEGORY_NONE && hit.words == NULL)
        hit = code_of_table(matter);
    const struct detector *detector = by_values(matter->traits, &hit);
    if (detector != NULL && detector->category != CATEGORY_TECHNICAL)
        return from_values(detector, &hit);
    if (numbers_rows(matter) && (hit.kind == KIND_NONE || matter->key))
        return (struct finding){.category = CATEGORY_ADMIN,
                                .confidence = CONFIDENCE_MEDIUM,
                                .grounds = GROUNDS_KEY,
                                .hit = hit};
    if (detector != NULL)
        return from_values(detector, &hit);
    if (holds_identifiers(matter))
        return (struct finding){.category = CATEGORY_FREE_TEXT,
                                .confidence =
                                    share(matter->traits->holding, matter->traits->values, 10)
                                        ? CONFIDENCE_HIGH
                                        : CONFIDENCE_MEDIUM,
                                .grounds = GROUNDS_CONTAINS,
                                .hit = hit};
    return hit.category == CATEGORY_NONE ? (struct finding){.hit = hit} : from_name(matter, &hit);
}

struct finding classify(const struct subject_matter *matter)
{
    struct finding finding = decide(matter);
    if (matter->about == ABOUT_PROFESSIONAL)
        of_staff(&finding);
    return finding;
}
