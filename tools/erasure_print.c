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
    if (french)
        printf("partie du dossier, que la politique ne déclare pas effaçable : conservée %s%s "
               "(%u ans après la dernière consultation",
               *until ? "jusqu’au " : "tant que la date de fin est inconnue", until, years);
    else
        printf("part of the record, which the policy does not declare erasable: kept %s%s (%u "
               "years from the last consultation",
               *until ? "until the end of " : "since nobody can say when its term ends", until,
               years);
    if (rule->birth)
        printf(french ? ", au moins jusqu’au %ue anniversaire" : ", at least to the age of %u",
               rule->minor_years);
    if (rule->death)
        printf(french ? ", %u ans après un décès" : ", %u years from a death", rule->death_years);
    printf(french ? " ; code de la santé publique, art. R. 1112-7)"
                  : "; code de la santé publique, art. R. 1112-7)");
}

static void print_stays(const struct erasure *erasure, const struct erasure_table *one, bool french)
{
    static const struct {
        enum erasure_reason reason;
        const char *fr, *en;
    } texts[] = {
        {ERASURE_HELD,
         "gel juridique (litige, enquête) : rien n’est effacé tant qu’il dure (RGPD, art. 17.3.e)",
         "legal hold: nothing is erased while it stands (GDPR, article 17.3.e)"},
        {ERASURE_UNKNOWN,
         "aucune ligne de la table des personnes ne dit s’il y a un gel juridique, ni depuis quand "
         "court la durée (si le dossier est archivé : --archive)",
         "no row of the people's table says whether there is a legal hold, or since when the term "
         "runs (if the record is archived: --archive)"},
        {ERASURE_OTHER_TIME,
         "conservée pour une autre durée (« except » de « retention » : par exemple les factures)",
         "kept for another time (\"except\" of \"retention\": invoices, for instance)"},
        {ERASURE_LIVE, "la base connaît cette personne comme patient : son dossier court encore",
         "the database knows the person as a patient: the record still runs"},
        {ERASURE_NO_RETENTION,
         "la politique ne dit pas combien de temps elle est conservée (« retention »), ni qu’elle "
         "est effaçable (« erasable »)",
         "the policy does not say for how long it is kept (\"retention\"), nor that it is "
         "\"erasable\""},
    };
    if (one->why_stays == ERASURE_TERM || one->why_stays == ERASURE_NO_DATE) {
        print_term(erasure, one->why_stays == ERASURE_TERM ? erasure->person.until : "", french);
        return;
    }
    if (one->why_stays == ERASURE_REFERRED)
        printf(french ? "une ligne conservée s’y rapporte : %s" : "a row that stays needs it: %s",
               one->tied ? one->tied : "");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].reason == one->why_stays)
            printf("%s", french ? texts[i].fr : texts[i].en);
}

static void print_table(const struct erasure *erasure, size_t n, bool french)
{
    const struct erasure_table *one = &erasure->tables[n];
    const char *told = erasure->rows.records->tables[n].told;
    if (one->goes > 0) {
        printf("  %-28s %6llu ", told, (unsigned long long)one->goes);
        if (one->why_goes == ERASURE_EXPIRED)
            puts(french ? "à effacer : sa durée de conservation est échue"
                        : "to be erased: its term has ended");
        else
            puts(french ? "à effacer : la politique la déclare effaçable"
                        : "to be erased: the policy declares it erasable");
    }
    if (one->stays > 0) {
        printf("  %-28s %6llu ", told, (unsigned long long)one->stays);
        printf("%s", french ? "à garder : " : "to be kept: ");
        print_stays(erasure, one, french);
        (void)putchar('\n');
    }
}

void erasure_print(const struct erasure *erasure, bool french)
{
    if (is_live(erasure))
        puts(french ? "Base de données :" : "Database:");
    else
        puts(french ? "Archives :" : "Archive:");
    /* The person first, then what refers to her. */
    for (size_t i = erasure->rows.records->count; i-- > 0;)
        print_table(erasure, i, french);
    if (erasure->goes + erasure->stays == 0)
        puts(french ? "  aucune ligne" : "  no row");
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
    return json_pack("{s:s, s:b, s:s*, s:s*, s:o}", "where",
                     is_live(erasure) ? "database" : "archive", "held",
                     erasure->person.held ? 1 : 0, "age",
                     erasure->person.known ? policy_age_word(erasure->person.age) : NULL, "until",
                     erasure->person.until[0] ? erasure->person.until : NULL, "tables", tables);
}
