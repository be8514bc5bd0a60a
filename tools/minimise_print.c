/*
 * minimise_print.c: what `pgvigil minimise` found, for people, in English and French.
 */
#include "tools/minimise.h"

#include <string.h>

#define EN 0
#define FR 1

struct print {
    const struct minimise *minimise;
    unsigned lang;
    FILE *out;
};

static const char *const rights[][2] = {{"read", "lire"},
                                        {"insert", "insérer"},
                                        {"update", "modifier"},
                                        {"delete", "supprimer"},
                                        {"truncate", "vider (TRUNCATE)"}};

static const char *const keeps[][2] = {
    [KEEP_NOT] = {"", ""},
    [KEEP_GLASS] = {"breaks the glass: rare by its nature", "bris de glace : rare par nature"},
    [KEEP_RETENTION] = {"reaches archived or expired records",
                        "atteint des dossiers archivés ou échus"},
    [KEEP_RIGHTS] = {"a right of the persons excepts it (rights.except)",
                     "un droit des personnes l’excepte (rights.except)"},
    [KEEP_DESTROYER] = {"its role destroys what is expired (retention.destroy)",
                        "sa fonction détruit ce qui est échu (retention.destroy)"},
    [KEEP_PURPOSE] = {"rare by its purpose", "rare par sa finalité"},
    [KEEP_ASKED] = {"--keep", "--keep"},
    [KEEP_YOUNG] = {"the policy of --was does not have it: too young",
                    "absente de la politique de --was : trop récente"},
    [KEEP_FROZEN] = {"the trail does not tell what it used through",
                     "la piste ne dit pas ce qui a été utilisé à travers"}};

static const char *const stays[][2] = {
    [STAY_NOT] = {"", ""},
    [STAY_DEFAULT] = {"it is the role’s default mission",
                      "c’est la mission par défaut de la fonction"},
    [STAY_LAST] = {"the role would have no mission left, or another default",
                   "il ne resterait pas de mission à la fonction, ou une autre par défaut"},
    [STAY_ROLE] = {"nobody worked in this role at all: see pgvigil review",
                   "personne n’a travaillé dans cette fonction : voir pgvigil review"},
    [STAY_TEXT] = {"its place in the files cannot be cut by itself",
                   "sa place dans les fichiers ne se laisse pas couper seule"}};

static const char *const hands[][2] = {
    [HAND_NOT] = {"", ""},
    [HAND_STAYS] = {"", ""},
    [HAND_SHARED] = {"the rule also serves", "la règle sert aussi à"},
    [HAND_CATALOG] = {"give --catalog: without it nobody knows what else would open it",
                      "donnez --catalog : sans lui, rien ne dit ce qui l’ouvrirait encore"},
    [HAND_OPENED] =
        {"another rule, a parent’s rule or a view’s tables might open it instead",
         "une autre règle, celle d’une table parente ou les tables d’une vue pourraient "
         "l’ouvrir à sa place"},
    [HAND_NAME] = {"its name cannot be a key, so no exclusion can name it",
                   "son nom ne peut être une clé : aucune exclusion ne peut le nommer"},
    [HAND_WRITTEN] = {"it may be written, and that right cannot be taken by itself",
                      "elle peut être écrite, et ce droit ne se laisse pas retirer seul"},
    [HAND_REFUSED] = {"", ""},
    [HAND_TEXT] = {"its place in the files cannot be cut by itself",
                   "sa place dans les fichiers ne se laisse pas couper seule"}};

static const char *say(const struct print *print, const char *english, const char *french)
{
    return print->lang == FR ? french : english;
}

static const char *colon(const struct print *print)
{
    return say(print, ":", " :");
}

static void put_pair(const struct print *print, int role, int mission)
{
    const struct policy *policy = print->minimise->policy;
    (void)fprintf(print->out, "%s/%s", policy->roles[role].name, policy->missions[mission].name);
}

static void put_fate(const struct print *print, const struct unused *one)
{
    FILE *out = print->out;
    if (one->cut) {
        (void)fprintf(out, "  %s\n", say(print, "cut", "retiré"));
        return;
    }
    (void)fprintf(out, "  %s%s ", say(print, "by hand", "à la main"), colon(print));
    if (one->why == HAND_STAYS) {
        (void)fprintf(out, "%s\n", stays[one->pair->stays][print->lang]);
    } else if (one->why == HAND_REFUSED) {
        (void)fprintf(out, "%s\n", one->detail);
    } else if (one->why == HAND_SHARED) {
        (void)fprintf(out, "%s ", hands[one->why][print->lang]);
        put_pair(print, one->user->role, one->user->mission);
        (void)fprintf(out, " (%s)\n", one->user->full);
    } else {
        (void)fprintf(out, "%s\n", hands[one->why][print->lang]);
    }
}

static bool same_fate(const struct unused *a, const struct unused *b)
{
    return a->pair == b->pair && a->target == b->target && a->how == b->how && a->cut == b->cut &&
           a->why == b->why && a->user == b->user && a->detail == b->detail;
}

static size_t how_index(enum use_how how)
{
    return how == USE_INSERT     ? 1
           : how == USE_UPDATE   ? 2
           : how == USE_DELETE   ? 3
           : how == USE_TRUNCATE ? 4
                                 : 0;
}

/* The columns that share right and fate stand on one line. */
static void put_columns(const struct print *print, size_t from, bool *done)
{
    const struct minimise *minimise = print->minimise;
    const struct unused *one = &minimise->unused[from];
    (void)fprintf(print->out, "      %s", rights[how_index(one->how)][print->lang]);
    bool first = true;
    for (size_t i = from; one->column != NULL && i < minimise->unused_count; i++) {
        if (done[i] || !same_fate(one, &minimise->unused[i]))
            continue;
        done[i] = true;
        (void)fprintf(print->out, "%s ", first ? colon(print) : ",");
        (void)fputs(minimise->unused[i].column, print->out);
        first = false;
    }
    put_fate(print, one);
}

static void put_target(const struct print *print, const struct target *target, bool whole)
{
    const struct minimise *minimise = print->minimise;
    (void)fprintf(print->out, "    %s (%s)", target->full,
                  minimise_place(minimise, &minimise->policy->rules[target->rule].place));
    (void)fputs(whole ? say(print, ": never touched", " : jamais consultée") : "\n", print->out);
}

static void put_unused(const struct print *print)
{
    const struct minimise *minimise = print->minimise;
    const struct pair *pair = NULL;
    const struct target *target = NULL;
    bool *done = arena_zalloc(minimise->arena, minimise->unused_count + 1, sizeof(*done));
    for (size_t i = 0; done != NULL && i < minimise->unused_count; i++) {
        const struct unused *one = &minimise->unused[i];
        if (done[i])
            continue;
        if (one->pair != pair) {
            (void)fputs("\n  ", print->out);
            put_pair(print, one->pair->role, one->pair->mission);
            (void)fputs(one->target == NULL
                            ? say(print, ": mission never entered", " : mission jamais choisie")
                            : "\n",
                        print->out);
            target = NULL;
        }
        pair = one->pair;
        if (one->target != NULL && one->target != target)
            put_target(print, one->target, one->how == USE_TOUCH);
        target = one->target;
        if (one->how == USE_ALL || one->how == USE_TOUCH)
            put_fate(print, one);
        else
            put_columns(print, i, done);
    }
    if (minimise->unused_count == 0)
        (void)fprintf(print->out, "\n  %s\n",
                      say(print, "nothing: everything is used", "rien : tout sert"));
}

static void put_kept(const struct print *print)
{
    const struct minimise *minimise = print->minimise;
    bool any = minimise->frozen_count > 0;
    for (size_t i = 0; i < minimise->pair_count; i++)
        any = any || minimise->pairs[i].keep != KEEP_NOT;
    if (!any)
        return;
    (void)fprintf(print->out, "\n%s\n",
                  say(print, "Left as it is, used or not", "Laissé tel quel, utilisé ou non"));
    for (size_t i = 0; i < minimise->pair_count; i++) {
        const struct pair *pair = &minimise->pairs[i];
        if (pair->keep == KEEP_NOT)
            continue;
        (void)fputs("  ", print->out);
        put_pair(print, pair->role, pair->mission);
        (void)fprintf(print->out, "%s %s%s%s\n", colon(print), keeps[pair->keep][print->lang],
                      pair->detail == NULL ? "" : " ", pair->detail == NULL ? "" : pair->detail);
    }
    for (size_t i = 0; i < minimise->frozen_count; i++) {
        const struct use_frozen *frozen = &minimise->frozen[i];
        (void)fprintf(print->out, "  %s/%s %s%s %s (%s)\n", frozen->pair->role,
                      frozen->pair->mission, frozen->relation, colon(print),
                      say(print, "the record does not tell what was needed of it",
                          "l’enregistrement ne dit pas ce qu’il en fallait"),
                      frozen->why);
    }
}

/* What the rows of today come to, and for how many of these patients there was a need. */
static void put_people(const struct print *print, const struct pair_use *use)
{
    const struct minimise *minimise = print->minimise;
    for (size_t i = 0; i < minimise->reach_count; i++) {
        const struct reach *reach = minimise->reaches_of[i];
        if (reach->use->pair != use)
            continue;
        (void)fprintf(print->out, "    %s%s ", reach->use->person, colon(print));
        if (reach->session)
            (void)fprintf(print->out, "%s\n",
                          say(print, "what is in reach depends on what the client says",
                              "ce qui est accessible dépend de ce que dit le client"));
        else
            (void)fprintf(print->out, "%s %llu, %s %s%llu\n",
                          say(print, "patients in reach", "patients accessibles"),
                          (unsigned long long)reach->in_reach,
                          say(print, "of these seen", "dont vus"),
                          reach->use->inexact ? say(print, "at least ", "au moins ") : "",
                          (unsigned long long)reach->seen);
    }
}

static void put_spares(const struct print *print)
{
    const struct minimise *minimise = print->minimise;
    if (minimise->spare_count == 0)
        return;
    (void)fprintf(print->out, "\n%s\n",
                  say(print,
                      "Values without which, by today's rows, nothing that was seen would be out "
                      "of reach (by hand)",
                      "Valeurs sans lesquelles, d’après les lignes d’aujourd’hui, rien de ce qui a "
                      "été vu ne serait hors d’atteinte (à la main)"));
    for (size_t i = 0; i < minimise->spare_count; i++) {
        const struct spare *spare = &minimise->spares[i];
        (void)fprintf(print->out, "  %s %s = \"%s\" (%s)%s %s %llu\n", spare->user->name,
                      spare->attribute, spare->value, minimise_place(minimise, &spare->user->place),
                      colon(print),
                      say(print, "patients that it alone opens", "patients qu’elle seule ouvre"),
                      (unsigned long long)spare->patients);
    }
}

static void put_rows(const struct print *print)
{
    const struct minimise *minimise = print->minimise;
    (void)fprintf(print->out, "\n%s\n",
                  say(print, "Rows, as far as the trail tells: whose records were in the answers",
                      "Lignes, autant que la piste le dise : de qui étaient les dossiers donnés"));
    for (size_t i = 0; i < minimise->pair_count; i++) {
        const struct pair *pair = &minimise->pairs[i];
        if (pair->use == NULL)
            continue;
        (void)fputs("  ", print->out);
        put_pair(print, pair->role, pair->mission);
        (void)fprintf(print->out, "%s %s %llu, %s %llu, patients %s%zu\n", colon(print),
                      say(print, "statements", "requêtes"),
                      (unsigned long long)pair->use->statements, say(print, "rows", "lignes"),
                      (unsigned long long)pair->use->rows,
                      pair->use->inexact ? say(print, "at least ", "au moins ") : "",
                      map_count(pair->use->patients));
        for (size_t k = 0; k < minimise->target_count; k++) {
            const struct target *target = minimise->targets[k];
            if (target->role == pair->role && target->mission == pair->mission &&
                minimise_reaches_all(target, minimise->policy))
                (void)fprintf(
                    print->out, "    %s%s %s (%s)\n", target->full, colon(print),
                    say(print, "all patients are in reach", "tous les patients sont accessibles"),
                    minimise_place(minimise, &minimise->policy->rules[target->rule].place));
        }
        put_people(print, pair->use);
    }
    put_spares(print);
}

void minimise_print(const struct minimise *minimise, bool french, unsigned days, FILE *out)
{
    const struct print print = {.minimise = minimise, .lang = french ? FR : EN, .out = out};
    (void)fprintf(out, "%s %.10s (%s %u)\n",
                  say(&print, "Granted and not used since", "Accordé et non utilisé depuis le"),
                  minimise->since, say(&print, "days:", "jours :"), days);
    (void)fprintf(out, "%s %.10s %s %.10s.\n",
                  say(&print, "The trail reaches from", "La piste va du"), minimise->reaches,
                  say(&print, "to", "au"), minimise->last);
    put_unused(&print);
    put_kept(&print);
    put_rows(&print);
    if (minimise->smaller == NULL || minimise->edits.count == 0)
        return;
    (void)fprintf(out, "\n%s\n",
                  say(&print, "The smaller policy (in its directory: patch -p1)",
                      "La politique réduite (dans son répertoire : patch -p1)"));
}
