/*
 * fhir_terms.c: tables of codes (see fhir_terms.h).
 *
 * Trust boundary: records come from files that someone may have forged; their words are looked up,
 * never taken for a code of HL7's or DICOM's.
 */
#include "fhir_terms.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define DCM(code, display)                                                                         \
    {                                                                                              \
        FHIR_DCM, code, display                                                                    \
    }
#define NONE                                                                                       \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }

#define ACTIVITY       DCM("110100", "Application Activity")
#define LOG_USED       DCM("110101", "Audit Log Used")
#define PATIENT_RECORD DCM("110110", "Patient Record")
#define QUERY          DCM("110112", "Query")
#define ALERT          DCM("110113", "Security Alert")
#define AUTHENTICATION DCM("110114", "User Authentication")
#define RESTRICTED     DCM("110132", "Use of Restricted Function")

struct event_row {
    const char *event;
    struct fhir_class class;
};

static const struct event_row events[] = {
    {"start", {ACTIVITY, DCM("110120", "Application Start"), "E", "0"}},
    {"stop", {ACTIVITY, DCM("110121", "Application Stop"), "E", "0"}},
    {"reload", {ALERT, DCM("110129", "Security Configuration"), "E", "0"}},
    {"reload-failed", {ALERT, DCM("110129", "Security Configuration"), "E", "4"}},
    {"observe-mode", {ALERT, DCM("110129", "Security Configuration"), "E", "0"}},
    {"guards-redeployed", {ALERT, DCM("110129", "Security Configuration"), "E", "0"}},
    {"connect", {AUTHENTICATION, DCM("110122", "Login"), "E", "0"}},
    {"auth-failed", {AUTHENTICATION, DCM("110122", "Login"), "E", "4"}},
    {"disconnect", {AUTHENTICATION, DCM("110123", "Logout"), "E", "0"}},
    {"refused-connection", {ALERT, DCM("110126", "Node Authentication"), "E", "4"}},
    {"mission", {ALERT, DCM("110137", "User Security Attributes Changed"), "E", "0"}},
    {"break-glass-begin", {ALERT, DCM("110127", "Emergency Override Started"), "E", "0"}},
    {"break-glass-end", {ALERT, DCM("110138", "Emergency Override Stopped"), "E", "0"}},
    {"rolled-back", {QUERY, NONE, "E", "4"}},
    {"commit-unknown", {QUERY, NONE, "E", "8"}},
    {"console", {ALERT, RESTRICTED, "E", "0"}},
    {"key-changed", {ALERT, DCM("110129", "Security Configuration"), "E", "0"}},
    {"purge-begin", {LOG_USED, NONE, "D", "0"}},
    {"purge-end", {LOG_USED, NONE, "D", "0"}},
    /* What was not committed after all, and what two people could not prove, failed (4). */
    {"retention-archive", {PATIENT_RECORD, NONE, "U", "0"}},
    {"retention-archive-undone", {PATIENT_RECORD, NONE, "U", "4"}},
    {"retention-destroy", {PATIENT_RECORD, NONE, "D", "0"}},
    {"retention-destroy-undone", {PATIENT_RECORD, NONE, "D", "4"}},
    {"retention-refused", {ALERT, RESTRICTED, "E", "4"}},
    {"subject-access", {PATIENT_RECORD, NONE, "R", "0"}},
    {"subject-portability", {DCM("110106", "Export"), NONE, "R", "0"}},
    {"subject-rectify-plan", {PATIENT_RECORD, NONE, "R", "0"}},
    {"subject-rectify", {PATIENT_RECORD, NONE, "U", "0"}},
    {"subject-rectify-undone", {PATIENT_RECORD, NONE, "U", "4"}},
    {"subject-erase-plan", {PATIENT_RECORD, NONE, "R", "0"}},
    {"subject-erase", {PATIENT_RECORD, NONE, "D", "0"}},
    {"subject-erase-undone", {PATIENT_RECORD, NONE, "D", "4"}},
    {"subject-erase-refused", {ALERT, RESTRICTED, "E", "4"}},
    {"right-set", {PATIENT_RECORD, NONE, "U", "0"}},
    {"right-lifted", {PATIENT_RECORD, NONE, "U", "0"}},
    {"right-undone", {PATIENT_RECORD, NONE, "U", "4"}},
    {"request-received", {PATIENT_RECORD, NONE, "C", "0"}},
    {"request-extended", {PATIENT_RECORD, NONE, "U", "0"}},
    {"request-noted", {PATIENT_RECORD, NONE, "U", "0"}},
    {"request-settled", {PATIENT_RECORD, NONE, "U", "0"}},
    {"request-undone", {PATIENT_RECORD, NONE, "U", "4"}},
    {"requests-listed", {QUERY, NONE, "R", "0"}},
    {"tombstone", {LOG_USED, NONE, "D", "0"}},
    {"gap", {LOG_USED, NONE, "D", "0"}},
    {"audit-reserve", {ALERT, DCM("110133", "Audit Recording Stopped"), "E", "8"}},
    {"audit-restored", {ALERT, DCM("110134", "Audit Recording Started"), "E", "8"}},
    {"recovery", {ALERT, DCM("110134", "Audit Recording Started"), "E", "8"}},
};

/* Records of those who read the trail: each subcommand has an event of its own. */
static const char log_used_prefix[] = "audit-";

struct kind_row {
    const char *kind;
    char action;
};

/* By the statement's kind; where rows of a relation are written, `written` has the last word. */
static const struct kind_row kinds[] = {
    {"SELECT", 'R'},  {"VALUES", 'R'}, {"TABLE", 'R'},    {"FETCH", 'R'},
    {"EXECUTE", 'R'}, {"COPY", 'R'},   {"INSERT", 'C'},   {"MERGE", 'U'},
    {"UPDATE", 'U'},  {"DELETE", 'D'}, {"TRUNCATE", 'D'}, {"TRUNCATE TABLE", 'D'},
};

/* These read tables, or tell of them, but their rows are not those of the tables. */
static const char *const asked[] = {"DECLARE CURSOR", "EXPLAIN", "MOVE", "PREPARE"};

static const char *const purposes[] = {
    "BIORCH",    "BTG",      "CAREMGT",   "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "CLINTRL",
    "CLMATTCH",  "COC",      "COVAUTH",   "COVERAGE", "DISASTER",    "DONAT",      "DSRCH",
    "ELIGDTRM",  "ELIGVER",  "ENROLLM",   "ERTREAT",  "ETREAT",      "FAMRQT",     "FRAUD",
    "GOV",       "HACCRED",  "HCOMPL",    "HDECD",    "HDIRECT",     "HDM",        "HLEGAL",
    "HMARKT",    "HOPERAT",  "HOUTCOMS",  "HPAYMT",   "HPRGRP",      "HQUALIMP",   "HRESCH",
    "HSYSADMIN", "HTEST",    "LABELING",  "MEMADMIN", "METAMGT",     "MILCDM",     "MILDCRG",
    "PATADMIN",  "PATRQT",   "PATSFTY",   "PERFMSR",  "POARCH",      "POPHLTH",    "PRECLINTRCH",
    "PUBHLTH",   "PWATRNY",  "RECORDMGT", "REMITADV", "SUPNWK",      "SYSDEV",     "THREAT",
    "TRAIN",     "TRANSRCH", "TREAT",     "TREATDS",
};

/* clang-format off */
static const char *const texts[FHIR_TEXTS][FHIR_LANGS] = {
    [FHIR_REFUSED] = {"refused", "refusé"},
    [FHIR_ERROR] = {"error", "erreur"},
    [FHIR_UNFINISHED] = {"unfinished: the session or the server ended in the middle",
                         "inachevé : la session ou le serveur s'est terminé avant la fin"},
    [FHIR_DIED] = {"outcome unknown: pgvigil or its machine stopped before the statement was over; it "
                   "may have run, and rows may have been read",
                   "issue inconnue : pgvigil ou sa machine s'est arrêté avant la fin de l'instruction ; "
                   "elle a pu être exécutée, et des lignes ont pu être lues"},
    [FHIR_RUNNING] = {"outcome unknown: the trail has no end of this statement yet",
                      "issue inconnue : la trace n'a pas encore la fin de cette instruction"},
    [FHIR_OBSERVED] = {"observed, not enforced; it would have been refused",
                       "observé sans être appliqué ; aurait été refusé"},
};
/* clang-format on */

const char *fhir_text(enum fhir_text text, enum fhir_lang lang)
{
    return texts[text][lang];
}

const char *fhir_lang_code(enum fhir_lang lang)
{
    return lang == FHIR_FR ? "fr" : "en";
}

bool fhir_purpose_known(const char *code)
{
    for (size_t i = 0; i < sizeof purposes / sizeof purposes[0]; i++) {
        if (strcmp(purposes[i], code) == 0)
            return true;
    }
    return false;
}

static const char *text_of(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

struct fhir_class fhir_event_class(const json_t *record)
{
    const char *event = text_of(record, "event");
    if (!event)
        event = text_of(record, "type");
    for (size_t i = 0; event && i < sizeof events / sizeof events[0]; i++) {
        if (strcmp(events[i].event, event) == 0)
            return events[i].class;
    }
    if (event && strncmp(event, log_used_prefix, sizeof log_used_prefix - 1) == 0)
        return (struct fhir_class){LOG_USED, NONE, "R", "0"};
    return (struct fhir_class){ACTIVITY, NONE, "E", "0"};
}

static bool writes(const json_t *record)
{
    size_t index = 0;
    json_t *relation = NULL;
    json_array_foreach(json_object_get(record, "relations"), index, relation)
    {
        if (json_object_get(relation, "written"))
            return true;
    }
    return false;
}

/*
 * COPY says in its kind neither from nor to, and an unrestricted role's has no `written`: the first
 * FROM or TO outside brackets and quotes tells.
 */
static bool copies_in(const char *sql)
{
    int depth = 0;
    char quote = '\0';
    for (const char *at = sql; at && *at; at++) {
        if (quote) {
            quote = *at == quote ? '\0' : quote;
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (*at == '(' || *at == ')') {
            depth += *at == '(' ? 1 : -1;
        } else if (depth == 0 && at > sql && isspace((unsigned char)at[-1])) {
            if (strncasecmp(at, "FROM", 4) == 0 && isspace((unsigned char)at[4]))
                return true;
            if (strncasecmp(at, "TO", 2) == 0 && isspace((unsigned char)at[2]))
                return false;
        }
    }
    return false;
}

static char action_of(const json_t *record, const char *kind)
{
    char action = 'E';
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].kind, kind) == 0)
            action = kinds[i].action;
    }
    if (strcmp(kind, "COPY") == 0)
        return writes(record) || copies_in(text_of(record, "sql")) ? 'C' : 'R';
    /* WITH ... (DELETE ... RETURNING) SELECT. */
    return action == 'R' && writes(record) ? 'U' : action;
}

struct fhir_class fhir_statement_class(const json_t *record)
{
    const char *kind = text_of(record, "statement");
    char action = action_of(record, kind ? kind : "");
    switch (action) {
    case 'C':
        return (struct fhir_class){PATIENT_RECORD, NONE, "C", NULL};
    case 'U':
        return (struct fhir_class){PATIENT_RECORD, NONE, "U", NULL};
    case 'D':
        return (struct fhir_class){PATIENT_RECORD, NONE, "D", NULL};
    case 'R':
        return (struct fhir_class){QUERY, NONE, "R", NULL};
    default:
        break;
    }
    for (size_t i = 0; kind && i < sizeof asked / sizeof asked[0]; i++) {
        if (strcmp(asked[i], kind) == 0)
            return (struct fhir_class){QUERY, NONE, "E", NULL};
    }
    return (struct fhir_class){ACTIVITY, NONE, "E", NULL};
}

const char *fhir_sqlstate_outcome(const char *sqlstate)
{
    /* The database's or the machine's fault, not the statement's: connection, resources, operator,
     * system, internal. A cancelled statement (57014) is none. */
    static const char *const serious[] = {"08", "53", "57P", "58", "F0", "XX"};
    if (!sqlstate)
        return "0";
    for (size_t i = 0; i < sizeof serious / sizeof serious[0]; i++) {
        if (strncmp(sqlstate, serious[i], strlen(serious[i])) == 0)
            return "8";
    }
    return "4";
}
