/*
 * audit_tally_kinds.c: what each report counts (see audit_tally.h).
 */
#include "tools/audit_tally.h"

#include <string.h>

static bool is(const json_t *answer, const char *key, const char *word)
{
    const char *text = tally_text(answer, key);
    return text && strcmp(text, word) == 0;
}

static bool is_glass(const json_t *answer)
{
    return json_is_true(json_object_get(answer, "break_glass"));
}

/* The day of a record, copied: "2026-01-31". */
static const char *day_of(const json_t *answer, char out[11])
{
    const char *time = tally_text(answer, "time");
    (void)snprintf(out, 11, "%.10s", time ? time : "");
    return out;
}

/* It may have run, or only in part. */
static bool is_uncertain(const json_t *answer)
{
    return is(answer, "outcome", "unknown") || is(answer, "outcome", "unfinished") ||
           json_is_true(json_object_get(answer, "headless"));
}

/* ---- patient ---- */

static const struct tally_column patient_columns[] = {
    {"day", {"Day", "Jour"}, TALLY_CELL, 0},
    {"person", {"Person", "Personne"}, TALLY_CELL, 1},
    {"role", {"Role", "Fonction"}, TALLY_CELL, 2},
    {"mission", {"Mission", "Mission"}, TALLY_CELL, 3},
    {"break_glass", {"Break-glass", "Bris de glace"}, TALLY_CELL, 4},
    {"times", {"Times", "Accès"}, TALLY_NUMBER, 0},
    {"uncertain", {"Outcome unknown", "Issue inconnue"}, TALLY_NUMBER, 1},
    {"inexact", {"List not exact", "Liste non exacte"}, TALLY_NUMBER, 2},
    {"first", {"First (UTC)", "Premier (UTC)"}, TALLY_FIRST, 0},
    {"last", {"Last (UTC)", "Dernier (UTC)"}, TALLY_LAST, 0},
    {"reason", {"Reason given", "Motif donné"}, TALLY_CELL, 5},
    {"tables", {"Tables", "Tables"}, TALLY_SET, 0},
};

static enum status add_patient(struct tally *tally, const json_t *answer)
{
    char day[11];
    bool opening = is(answer, "event", "break-glass-begin");
    /* What was refused showed nothing; that a glass was broken for somebody is told even if nothing
     * was read then. */
    if ((!is(answer, "type", "statement") && !opening) || is(answer, "outcome", "refused"))
        return OK;
    const char *cells[TALLY_CELLS] = {day_of(answer, day),
                                      tally_text(answer, "person"),
                                      tally_text(answer, "role"),
                                      tally_text(answer, "mission"),
                                      tally_yes(tally, is_glass(answer) || opening),
                                      tally_text(answer, "reason")};
    struct tally_group *group = tally_group(tally, cells);
    if (!group)
        return ERR_LIMIT;
    tally_time(group, tally_text(answer, "time"));
    if (opening)
        return OK;
    tally_time(group, tally_text(answer, "ended"));
    group->numbers[0]++;
    group->numbers[1] += is_uncertain(answer);
    group->numbers[2] += json_object_get(answer, "subjects") != NULL;
    return tally_relations(tally, group, 0, answer);
}

/* ---- user ---- */

static const struct tally_column user_columns[] = {
    {"day", {"Day", "Jour"}, TALLY_CELL, 0},
    {"login", {"Login", "Connexion"}, TALLY_CELL, 1},
    {"role", {"Role", "Fonction"}, TALLY_CELL, 2},
    {"mission", {"Mission", "Mission"}, TALLY_CELL, 3},
    {"break_glass", {"Break-glass", "Bris de glace"}, TALLY_CELL, 4},
    {"statements", {"Statements", "Requêtes"}, TALLY_NUMBER, 0},
    {"rows", {"Rows", "Lignes"}, TALLY_NUMBER, 1},
    {"refused", {"Refused", "Refusées"}, TALLY_NUMBER, 2},
    {"uncertain", {"Outcome unknown", "Issue inconnue"}, TALLY_NUMBER, 3},
    {"first", {"First (UTC)", "Première (UTC)"}, TALLY_FIRST, 0},
    {"last", {"Last (UTC)", "Dernière (UTC)"}, TALLY_LAST, 0},
    {"kinds", {"Kinds", "Genres"}, TALLY_SET, 1},
    {"tables", {"Tables", "Tables"}, TALLY_SET, 0},
};

static enum status add_user(struct tally *tally, const json_t *answer)
{
    char day[11];
    if (!is(answer, "type", "statement"))
        return OK;
    const char *cells[TALLY_CELLS] = {day_of(answer, day), tally_text(answer, "login"),
                                      tally_text(answer, "role"), tally_text(answer, "mission"),
                                      tally_yes(tally, is_glass(answer))};
    struct tally_group *group = tally_group(tally, cells);
    if (!group)
        return ERR_LIMIT;
    tally_time(group, tally_text(answer, "time"));
    tally_time(group, tally_text(answer, "ended"));
    group->numbers[0]++;
    group->numbers[1] += (uint64_t)json_integer_value(json_object_get(answer, "rows"));
    group->numbers[2] += is(answer, "outcome", "refused");
    group->numbers[3] += is_uncertain(answer);
    const char *kind = tally_text(answer, "statement");
    enum status status = kind ? tally_name(tally, group, 1, kind) : OK;
    return status == OK ? tally_relations(tally, group, 0, answer) : status;
}

/* ---- host-staff ---- */

static const struct tally_column staff_columns[] = {
    {"day", {"Day", "Jour"}, TALLY_CELL, 0},
    {"person", {"Person", "Personne"}, TALLY_CELL, 1},
    {"login", {"Login", "Connexion"}, TALLY_CELL, 2},
    {"role", {"Role", "Fonction"}, TALLY_CELL, 3},
    {"mission", {"Mission", "Mission"}, TALLY_CELL, 4},
    {"statements", {"Statements", "Requêtes"}, TALLY_NUMBER, 0},
    {"rows", {"Rows", "Lignes"}, TALLY_NUMBER, 1},
    {"refused", {"Refused", "Refusées"}, TALLY_NUMBER, 2},
    {"uncertain", {"Outcome unknown", "Issue inconnue"}, TALLY_NUMBER, 3},
    {"first", {"First (UTC)", "Première (UTC)"}, TALLY_FIRST, 0},
    {"last", {"Last (UTC)", "Dernière (UTC)"}, TALLY_LAST, 0},
    {"reason", {"Reason given", "Motif donné"}, TALLY_CELL, 5},
    {"kinds", {"Kinds", "Genres"}, TALLY_SET, 1},
    {"tables", {"Tables", "Tables"}, TALLY_SET, 0},
};

static bool is_staff(const struct config_hosting *hosting, const char *name)
{
    for (size_t i = 0; name && i < hosting->staff_count; i++) {
        if (strcmp(hosting->staff[i], name) == 0)
            return true;
    }
    return false;
}

static enum status add_staff(struct tally *tally, const json_t *answer)
{
    const struct config_hosting *hosting = &tally->config->organisation.hosting;
    const char *person = tally_text(answer, "person");
    const char *login = tally_text(answer, "login");
    char day[11];
    if (!is(answer, "type", "statement") ||
        (!is_staff(hosting, person) && !is_staff(hosting, login)))
        return OK;
    const char *cells[TALLY_CELLS] = {day_of(answer, day),
                                      person,
                                      login,
                                      tally_text(answer, "role"),
                                      tally_text(answer, "mission"),
                                      tally_text(answer, "reason")};
    struct tally_group *group = tally_group(tally, cells);
    if (!group)
        return ERR_LIMIT;
    tally_time(group, tally_text(answer, "time"));
    tally_time(group, tally_text(answer, "ended"));
    group->numbers[0]++;
    group->numbers[1] += (uint64_t)json_integer_value(json_object_get(answer, "rows"));
    group->numbers[2] += is(answer, "outcome", "refused");
    group->numbers[3] += is_uncertain(answer);
    const char *kind = tally_text(answer, "statement");
    enum status status = kind ? tally_name(tally, group, 1, kind) : OK;
    return status == OK ? tally_relations(tally, group, 0, answer) : status;
}

/* ---- break-glass ---- */

static const struct tally_column glass_columns[] = {
    {"opened", {"Opened (UTC)", "Ouvert (UTC)"}, TALLY_CELL, 0},
    {"closed", {"Closed (UTC)", "Refermé (UTC)"}, TALLY_CELL, 1},
    {"person", {"Person", "Personne"}, TALLY_CELL, 2},
    {"role", {"Role", "Fonction"}, TALLY_CELL, 3},
    {"mission", {"Mission", "Mission"}, TALLY_CELL, 4},
    {"patient", {"For patient", "Pour le patient"}, TALLY_CELL, 5},
    {"reason", {"Reason given", "Motif donné"}, TALLY_CELL, 6},
    {"statements", {"Statements", "Requêtes"}, TALLY_NUMBER, 0},
    {"rows", {"Rows", "Lignes"}, TALLY_NUMBER, 1},
    {"refused", {"Refused", "Refusées"}, TALLY_NUMBER, 2},
    {"last", {"Last record (UTC)", "Dernier enregistrement (UTC)"}, TALLY_LAST, 0},
    {"end", {"How it ended", "Fin"}, TALLY_CELL, 7},
    {"tables", {"Tables", "Tables"}, TALLY_SET, 0},
    {"patients", {"Patients in the rows", "Patients dans les lignes"}, TALLY_SET, 1},
};

static int session_key(const json_t *answer, char out[64])
{
    return snprintf(out, 64, "%lld/%lld",
                    (long long)json_integer_value(json_object_get(answer, "chain")),
                    (long long)json_integer_value(json_object_get(answer, "session")));
}

static enum status open_glass(struct tally *tally, const json_t *answer, bool begins,
                              struct tally_group **out)
{
    char key[64];
    int len = session_key(answer, key);
    struct tally_group *group = tally_new_group(tally);
    if (!group)
        return ERR_LIMIT;
    static const char *const keys[] = {"time",    NULL,      "person", "role",
                                       "mission", "patient", "reason"};
    for (size_t i = begins ? 0 : 1; i < sizeof keys / sizeof keys[0]; i++)
        group->cells[i] = keys[i] ? arena_strdup(tally->arena, tally_text(answer, keys[i])) : NULL;
    tally_time(group, tally_text(answer, "time"));
    *out = group;
    return arena_failed(tally->arena) ? ERR_LIMIT : map_put(tally->open, key, (size_t)len, group);
}

static enum status glass_patients(struct tally *tally, struct tally_group *group,
                                  const json_t *answer)
{
    const json_t *list = json_object_get(answer, "patients");
    enum status status = OK;
    for (size_t i = 0; i < json_array_size(list) && status == OK; i++) {
        const json_t *element = json_array_get(list, i);
        char pair[64];
        json_int_t first = json_integer_value(json_array_get(element, 0));
        json_int_t last = json_integer_value(json_array_get(element, 1));
        (void)snprintf(pair, sizeof pair, first == last ? "%lld" : "%lld-%lld", (long long)first,
                       (long long)last);
        const char *text = json_string_value(element);
        status = tally_name(tally, group, 1, text ? text : pair);
    }
    return status;
}

static enum status add_glass(struct tally *tally, const json_t *answer)
{
    char key[64];
    int len = session_key(answer, key);
    struct tally_group *group = map_get(tally->open, key, (size_t)len);
    enum status status = OK;
    if (is(answer, "event", "break-glass-begin"))
        return open_glass(tally, answer, true, &group);
    bool ends = is(answer, "event", "break-glass-end");
    if (!ends && (!is(answer, "type", "statement") || !is_glass(answer)))
        return OK;
    /* It was broken before the period. */
    if (!group)
        status = open_glass(tally, answer, false, &group);
    if (status != OK)
        return status;
    tally_time(group, tally_text(answer, "time"));
    tally_time(group, tally_text(answer, "ended"));
    if (ends) {
        group->cells[1] = arena_strdup(tally->arena, tally_text(answer, "time"));
        group->cells[7] = arena_strdup(tally->arena, tally_text(answer, "detail"));
        (void)map_remove(tally->open, key, (size_t)len);
        return arena_failed(tally->arena) ? ERR_LIMIT : OK;
    }
    group->numbers[0]++;
    group->numbers[1] += (uint64_t)json_integer_value(json_object_get(answer, "rows"));
    group->numbers[2] += is(answer, "outcome", "refused");
    status = tally_relations(tally, group, 0, answer);
    return status == OK ? glass_patients(tally, group, answer) : status;
}

/* ---- refusals ---- */

static const struct tally_column refusal_columns[] = {
    {"count", {"Count", "Nombre"}, TALLY_NUMBER, 0},
    {"person", {"Person", "Personne"}, TALLY_CELL, 0},
    {"role", {"Role", "Fonction"}, TALLY_CELL, 1},
    {"mission", {"Mission", "Mission"}, TALLY_CELL, 2},
    {"reason", {"Reason", "Motif"}, TALLY_CELL, 3},
    {"object", {"Object", "Objet"}, TALLY_CELL, 4},
    {"first", {"First (UTC)", "Premier (UTC)"}, TALLY_FIRST, 0},
    {"last", {"Last (UTC)", "Dernier (UTC)"}, TALLY_LAST, 0},
};

static enum status add_refusal(struct tally *tally, const json_t *answer)
{
    char word[64];
    const char *object = tally_text(answer, "detail");
    const char *reason = tally_text(answer, "event");
    if (is(answer, "type", "statement")) {
        if (!is(answer, "decision", "deny"))
            return OK;
        const char *refused = tally_text(answer, "refused");
        size_t len = refused ? strcspn(refused, " ") : 0;
        (void)snprintf(word, sizeof word, "%.*s", (int)(len < 63 ? len : 63),
                       refused ? refused : "");
        object = refused && refused[len] ? refused + len + 1 : NULL;
        reason = word;
    } else if (!is(answer, "event", "auth-failed") && !is(answer, "event", "refused-connection")) {
        return OK;
    }
    const char *person = tally_text(answer, "person");
    const char *cells[TALLY_CELLS] = {person ? person : tally_text(answer, "login"),
                                      tally_text(answer, "role"), tally_text(answer, "mission"),
                                      reason, object};
    struct tally_group *group = tally_group(tally, cells);
    if (!group)
        return ERR_LIMIT;
    group->numbers[0]++;
    tally_time(group, tally_text(answer, "time"));
    return OK;
}

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct tally_kind kinds[] = {
    {.name = "patient",
     .about = "who saw a patient: --patient",
     .title = {"Who had access to this patient's data", "Qui a eu accès aux données de ce patient"},
     .note =
         {"Times: statements whose rows were about the patient, or that ran while a glass was "
          "broken for the patient.\nStatements whose list of patients is not exact are counted "
          "only if the list names the patient (--inexact counts all of them).",
          "Accès : requêtes dont des lignes concernaient le patient, ou exécutées pendant un bris "
          "de glace à son propos.\nCelles dont la liste des patients n'est pas exacte ne sont "
          "comptées que si elle le nomme (--inexact les compte toutes)."},
     .columns = patient_columns,
     .column_count = COUNT(patient_columns),
     .needs_patient = true,
     .add = add_patient},
    {.name = "user",
     .about = "what a person did: --user",
     .title = {"What this person did", "Ce que cette personne a fait"},
     .columns = user_columns,
     .column_count = COUNT(user_columns),
     .needs_user = true,
     .add = add_user},
    {.name = "host-staff",
     .about = "what the host's people did: organisation.hosting.staff of -c",
     .title = {"What the host's people did", "Ce qu’ont fait les personnels de l’hébergeur"},
     .note = {"Only what went through pgvigil is on record: who reaches the database's machine or "
              "files by itself is not.",
              "Seul ce qui passe par pgvigil est tracé : un accès direct à la machine ou aux "
              "fichiers de la base ne l’est pas."},
     .columns = staff_columns,
     .column_count = COUNT(staff_columns),
     .needs_staff = true,
     .add = add_staff},
    {.name = "break-glass",
     .about = "each broken glass: for whom, why, what was read, how it ended",
     .title = {"Broken glasses", "Bris de glace"},
     .note = {"Opened is empty: before the period. Closed is empty: no end is on record.",
              "« Ouvert » vide : avant la période. « Refermé » vide : aucune fin enregistrée."},
     .columns = glass_columns,
     .column_count = COUNT(glass_columns),
     .either = {"\"break_glass\":true", "\"event\":\"break-glass-"},
     .add = add_glass},
    {.name = "refusals",
     .about = "what was refused, to whom, how often",
     .title = {"Refusals", "Refus"},
     .columns = refusal_columns,
     .column_count = COUNT(refusal_columns),
     .by_count = true,
     .either = {"\"decision\":\"deny\"", "\"event\":\"auth-failed\"",
                "\"event\":\"refused-connection\""},
     .add = add_refusal},
};

const struct tally_kind *tally_kind_at(size_t index)
{
    return index < COUNT(kinds) ? &kinds[index] : index == COUNT(kinds) ? &tally_grants : NULL;
}
