/*
 * erasure_print.c: what would go and what stays of a person, for people and for machines.
 *
 * Trust boundary: counts, names of tables and reasons; no value of a row.
 */
#include "tools/erasure.h"

#include <stdio.h>
#include <string.h>

static bool is_live(const struct erasure *erasure)
{
    return erasure->side == &erasure->retention->live;
}

/* The years of the policy, whatever they are. */
static void print_term(const struct erasure *erasure, const char *until, bool french)
{
    const struct policy_retention *rule = erasure->retention->policy->retention;
    unsigned years = rule->active_years + rule->archive_years;
    if (french && *until)
        printf("à garder jusqu’au %.2s/%.2s/%.4s inclus", until + 8, until + 5, until);
    else if (french)
        printf("à garder, sans que l’on sache jusqu’à quand");
    else
        printf("to be kept %s%s", *until ? "up to and with " : "since nobody can say until when",
               until);
    printf(french ? ", partie du dossier que la politique ne déclare pas effaçable :\n    %u ans "
                    "après la dernière consultation"
                  : ", part of the record, which the policy does not declare erasable:\n    %u "
                    "years from the last consultation",
           years);
    if (rule->birth)
        printf(french ? ", au moins jusqu’au %ue anniversaire" : ", at least to the age of %u",
               rule->minor_years);
    if (rule->death)
        printf(french ? ", %u ans après un décès" : ", %u years from a death", rule->death_years);
    printf(" (code de la santé publique, art. R. 1112-7)");
}

static const struct {
    enum erasure_reason reason;
    const char *fr, *en;
} texts[] = {
    {ERASURE_HELD,
     "à garder, gel juridique (litige, enquête) : rien n’est effacé tant qu’il dure (RGPD, "
     "art. 17.3.e)",
     "to be kept, legal hold: nothing is erased while it stands (GDPR, article 17.3.e)"},
    {ERASURE_UNKNOWN,
     "à garder : aucune ligne de la table des personnes ne dit s’il y a un gel juridique, ni\n    "
     "depuis quand court la durée (si le dossier est archivé : --archive)",
     "to be kept: no row of the people's table says whether there is a legal hold, or since\n    "
     "when the term runs (if the record is archived: --archive)"},
    {ERASURE_OTHER_TIME,
     "à garder pour une autre durée (« except » de « retention » : par exemple les factures)",
     "to be kept for another time (\"except\" of \"retention\": invoices, for instance)"},
    {ERASURE_LIVE,
     "à garder : la base connaît cette personne comme patient, son dossier court encore",
     "to be kept: the database knows the person as a patient, the record still runs"},
    {ERASURE_NO_RETENTION,
     "à garder : la politique ne dit ni pour combien de temps (« retention »), ni qu’elle est "
     "effaçable (« erasable »)",
     "to be kept: the policy says neither for how long (\"retention\"), nor that it is "
     "\"erasable\""},
    {ERASURE_REFERRED, "à garder, puisqu’une ligne conservée s’y rapporte",
     "to be kept, since a row that stays needs it"},
};

static void print_reason(const struct erasure *erasure, enum erasure_reason reason, bool french)
{
    bool done = erasure->retention->apply;
    printf("  ");
    if (reason == ERASURE_ERASABLE)
        printf(french ? "%s : la politique le déclare effaçable"
                      : "%s: the policy declares it erasable",
               french ? (done ? "effacé" : "à effacer") : (done ? "erased" : "to be erased"));
    else if (reason == ERASURE_EXPIRED)
        printf(french ? "%s : la durée de conservation est échue" : "%s: the term has ended",
               french ? (done ? "effacé" : "à effacer") : (done ? "erased" : "to be erased"));
    else if (reason == ERASURE_TERM || reason == ERASURE_NO_DATE)
        print_term(erasure, reason == ERASURE_TERM ? erasure->person.until : "", french);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].reason == reason)
            printf("%s", french ? texts[i].fr : texts[i].en);
    (void)putchar('\n');
}

/* Rows of a table that go, or stay, for that reason. */
static uint64_t rows_for(const struct erasure_table *one, enum erasure_reason reason)
{
    if (one->goes > 0 && one->why_goes == reason)
        return one->goes;
    return one->stays > 0 && one->why_stays == reason ? one->stays : 0;
}

static void print_group(const struct erasure *erasure, enum erasure_reason reason, bool french)
{
    bool told = false;
    /* The person first, then what refers to her. */
    for (size_t i = erasure->rows.records->count; i-- > 0;) {
        const struct erasure_table *one = &erasure->tables[i];
        uint64_t rows = rows_for(one, reason);
        if (rows == 0)
            continue;
        if (!told)
            print_reason(erasure, reason, french);
        told = true;
        printf("    %6llu  %s", (unsigned long long)rows, erasure->rows.records->tables[i].told);
        if (reason == ERASURE_REFERRED && one->tied)
            printf(french ? " (par %s)" : " (by %s)", one->tied);
        (void)putchar('\n');
    }
}

void erasure_print(const struct erasure *erasure, bool french)
{
    if (is_live(erasure))
        puts(french ? "Base de données" : "Database");
    else
        puts(french ? "Archives" : "Archive");
    for (int reason = ERASURE_ERASABLE; reason <= ERASURE_REFERRED; reason++)
        print_group(erasure, (enum erasure_reason)reason, french);
    if (erasure->goes + erasure->stays == 0)
        puts(french ? "  aucune ligne" : "  no row");
    unseen_print(erasure->rows.records->unseen, erasure->rows.records->unseen_count, french);
}

/* ---- for the register: short ---- */

static const struct {
    const char *fr, *en;
} kept_texts[] = {
    [ERASURE_HELD] = {"gel juridique", "legal hold"},
    [ERASURE_UNKNOWN] = {"gel ou durée inconnus", "hold or term unknown"},
    [ERASURE_NO_DATE] = {"à garder, terme inconnu", "to be kept, nobody can say until when"},
    [ERASURE_OTHER_TIME] = {"à garder pour une autre durée", "to be kept for another time"},
    [ERASURE_LIVE] = {"dossier encore en cours", "the record still runs"},
    [ERASURE_NO_RETENTION] = {"la politique ne dit pas pour combien de temps",
                              "the policy does not say for how long"},
};

static const char *kept_why(const struct erasure *erasure, enum erasure_reason reason,
                            const char *tied, bool french)
{
    struct arena *arena = erasure->retention->arena;
    const char *until = erasure->person.until;
    if (reason == ERASURE_REFERRED)
        return arena_printf(arena,
                            french ? "une ligne conservée s’y rapporte : %s"
                                   : "a row that stays needs it: %s",
                            tied ? tied : "?");
    if (reason == ERASURE_TERM)
        return french ? arena_printf(arena, "à garder jusqu’au %.2s/%.2s/%.4s inclus", until + 8,
                                     until + 5, until)
                      : arena_printf(arena, "to be kept up to and with %s", until);
    return french ? kept_texts[reason].fr : kept_texts[reason].en;
}

/* "1 of public.patients, 2 of public.stays": what stays for that reason, and what refers to the
 * last of them; "" is none, NULL no memory. */
static const char *kept_for(const struct erasure *erasure, enum erasure_reason reason, size_t *from,
                            bool french, const char **tied)
{
    const char *list = "";
    while (list != NULL && (*from)-- > 0) {
        const struct erasure_table *one = &erasure->tables[*from];
        if (one->stays == 0 || one->why_stays != reason)
            continue;
        list = arena_printf(erasure->retention->arena, french ? "%s%s%llu de %s" : "%s%s%llu of %s",
                            list, *list == '\0' ? "" : ", ", (unsigned long long)one->stays,
                            erasure->rows.records->tables[*from].told);
        *tied = one->tied;
        /* Each has its own that refers to it. */
        if (reason == ERASURE_REFERRED)
            return list;
    }
    *from = 0;
    return list;
}

enum status erasure_kept(const struct erasure *erasure, bool french, const char **kept)
{
    struct arena *arena = erasure->retention->arena;
    const char *side = is_live(erasure) ? (french ? "base : " : "database: ")
                                        : (french ? "archives : " : "archive: ");
    const char *then = **kept == '\0' ? "" : french ? " ; " : "; ";
    for (int reason = ERASURE_HELD; reason <= ERASURE_REFERRED; reason++) {
        size_t from = erasure->rows.records->count;
        while (from > 0) {
            const char *tied = NULL;
            const char *list = kept_for(erasure, (enum erasure_reason)reason, &from, french, &tied);
            if (list != NULL && *list == '\0')
                continue;
            const char *why = kept_why(erasure, (enum erasure_reason)reason, tied, french);
            if (list == NULL || why == NULL)
                return ERR_MEMORY;
            *kept = arena_printf(arena, "%s%s%s%s (%s)", *kept, then, side, list, why);
            if (*kept == NULL)
                return ERR_MEMORY;
            then = ", ";
            side = "";
        }
    }
    return OK;
}

json_t *erasure_json(const struct erasure *erasure)
{
    json_t *tables = json_array();
    for (size_t i = erasure->rows.records->count; i-- > 0;) {
        const struct erasure_table *one = &erasure->tables[i];
        if (one->goes + one->stays == 0)
            continue;
        json_t *table = json_pack("{s:s, s:I, s:I}", "table", erasure->rows.records->tables[i].told,
                                  "goes", (json_int_t)one->goes, "stays", (json_int_t)one->stays);
        if (one->goes > 0)
            (void)json_object_set_new(table, "why_goes", json_string(erasure_word(one->why_goes)));
        if (one->stays > 0)
            (void)json_object_set_new(table, "why_stays",
                                      json_string(erasure_word(one->why_stays)));
        if (one->stays > 0 && one->why_stays == ERASURE_REFERRED)
            (void)json_object_set_new(table, "needed_by", json_string(one->tied ? one->tied : ""));
        (void)json_array_append_new(tables, table);
    }
    return json_pack(
        "{s:s, s:b, s:s*, s:s*, s:o, s:o}", "where", is_live(erasure) ? "database" : "archive",
        "held", erasure->person.held ? 1 : 0, "age",
        erasure->person.known ? policy_age_word(erasure->person.age) : NULL, "until",
        erasure->person.until[0] ? erasure->person.until : NULL, "tables", tables, "not_looked_at",
        unseen_json(erasure->rows.records->unseen, erasure->rows.records->unseen_count));
}
