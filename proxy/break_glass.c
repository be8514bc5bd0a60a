/*
 * break_glass.c: what a reason must be, and whether an entry still holds (see break_glass.h).
 *
 * The attack is habit: a reason that is typed once and pasted for ever is none, so the shortest
 * ways round are closed (filler, one letter repeated, last time's text). Who wants to lie in whole
 * sentences can; the audit keeps them.
 *
 * Trust boundary: reason and patient are the client's texts; they are measured, compared and kept,
 * never put into a message or the log.
 */
#include "proxy/break_glass.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <pgvigil/map.h>
#include <pgvigil/text.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS_MIN 3
#define WORDS_MAX 64 /* that are told apart */

struct break_glass *break_glass_ref(struct break_glass *glass)
{
    if (glass != NULL)
        glass->refs++;
    return glass;
}

void break_glass_unref(struct break_glass *glass)
{
    if (glass == NULL || --glass->refs > 0)
        return;
    free(glass->role);
    free(glass->mission);
    free(glass->reason);
    free(glass->patient);
    free(glass);
}

/* ---- reasons ---- */

static bool in_word(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

/* Lower case, words with one space between them, nothing else: how two reasons are compared. */
static char *plain_reason(const char *reason)
{
    char *plain = malloc(strlen(reason) + 2);
    size_t used = 0;
    if (plain == NULL)
        return NULL;
    for (const char *at = reason; *at != '\0'; at++) {
        if (in_word((unsigned char)*at))
            plain[used++] = (char)tolower((unsigned char)*at);
        else if (used > 0 && plain[used - 1] != ' ')
            plain[used++] = ' ';
    }
    if (used > 0 && plain[used - 1] == ' ')
        used--;
    plain[used] = '\0';
    return plain;
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* "x", "aaaa": a word that says nothing. */
static bool one_letter(const char *word, size_t len)
{
    for (size_t i = 1; i < len; i++)
        if (word[i] != word[0])
            return false;
    return true;
}

/* Different words of a plain reason, as far as WORDS_MAX. */
static size_t different_words(const char *plain)
{
    const char *words[WORDS_MAX];
    size_t lengths[WORDS_MAX];
    size_t count = 0;
    while (*plain != '\0' && count < WORDS_MAX) {
        size_t len = strcspn(plain, " ");
        bool counts = !one_letter(plain, len);
        for (size_t i = 0; i < count && counts; i++)
            counts = lengths[i] != len || strncmp(words[i], plain, len) != 0;
        if (counts) {
            words[count] = plain;
            lengths[count++] = len;
        }
        plain += len;
        plain += strspn(plain, " ");
    }
    return count;
}

/* ---- last reasons ---- */

struct break_glass_registry {
    pthread_mutex_t lock;
    struct map *last; /* person -> 64 hexadecimal digits: the text itself is the audit's */
};

#define DIGEST_TEXT 65

static bool digest(const char *plain, char out[DIGEST_TEXT])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (EVP_Digest(plain, strlen(plain), bytes, &size, EVP_sha256(), NULL) != 1 || size != 32)
        return false;
    text_hex(bytes, size, out);
    return true;
}

struct break_glass_registry *break_glass_registry_new(void)
{
    struct break_glass_registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL)
        return NULL;
    registry->last = map_new();
    if (registry->last == NULL) {
        free(registry);
        return NULL;
    }
    pthread_mutex_init(&registry->lock, NULL);
    return registry;
}

void break_glass_registry_free(struct break_glass_registry *registry)
{
    if (registry == NULL)
        return;
    size_t cursor = 0;
    const char *key;
    size_t key_len;
    void *value;
    while (map_next(registry->last, &cursor, &key, &key_len, &value))
        free(value);
    map_free(registry->last);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

enum status break_glass_registry_note(struct break_glass_registry *registry, const char *person,
                                      const char *reason)
{
    char *plain = plain_reason(reason);
    char *hex = calloc(1, DIGEST_TEXT);
    enum status status = ERR_MEMORY;
    if (plain != NULL && hex != NULL && digest(plain, hex)) {
        pthread_mutex_lock(&registry->lock);
        void *old = map_get_str(registry->last, person);
        status = map_put_str(registry->last, person, hex);
        if (status == OK) {
            free(old);
            hex = NULL;
        }
        pthread_mutex_unlock(&registry->lock);
    }
    free(hex);
    free(plain);
    return status;
}

static bool given_before(struct break_glass_registry *registry, const char *person,
                         const char *plain)
{
    char hex[DIGEST_TEXT];
    if (!digest(plain, hex))
        return true;
    pthread_mutex_lock(&registry->lock);
    const char *last = map_get_str(registry->last, person);
    bool same = last != NULL && strcmp(last, hex) == 0;
    pthread_mutex_unlock(&registry->lock);
    return same;
}

/* ---- entering ---- */

struct entry {
    struct break_glass_registry *registry;
    const struct policy *policy;
    const struct policy_mission *mission;
    const struct identity *identity;
    struct arena *arena;
    struct break_glass_refusal *refusal;
};

#define REASON_HINT "SET pgvigil.reason = '...' first: who looks at the audit reads it."

static enum status refuse(const struct entry *entry, const char *what, const char *hint)
{
    entry->refusal->message =
        arena_printf(entry->arena, "break-glass mission \"%s\" was not entered for role \"%s\": %s",
                     entry->mission->name, entry->policy->roles[entry->identity->role].name, what);
    entry->refusal->hint = hint;
    return entry->refusal->message == NULL ? ERR_MEMORY : DENIED;
}

static enum status check_reason(const struct entry *entry)
{
    unsigned least = entry->mission->break_glass->reason_min;
    const char *reason = entry->identity->reason == NULL ? "" : entry->identity->reason;
    char *plain = plain_reason(reason);
    if (plain == NULL)
        return ERR_MEMORY;
    enum status status = OK;
    if (characters(plain) < least)
        status = refuse(entry,
                        arena_printf(entry->arena,
                                     "pgvigil.reason must have %u characters at least, letters and "
                                     "digits with one space between words",
                                     least),
                        REASON_HINT);
    else if (different_words(plain) < WORDS_MIN)
        status =
            refuse(entry, "pgvigil.reason must have three different words at least", REASON_HINT);
    else if (given_before(entry->registry, entry->identity->user->name, plain))
        status = refuse(entry, "pgvigil.reason is the one that this person gave the last time",
                        REASON_HINT);
    free(plain);
    return status;
}

static bool blank(const char *text)
{
    return text == NULL || text[strspn(text, " \t\r\n\f\v")] == '\0';
}

static bool requires_patient(const struct policy_break_glass *rule)
{
    for (size_t i = 0; i < rule->require_count; i++)
        if (strcmp(rule->require[i], "patient") == 0)
            return true;
    return false;
}

static bool copy_text(char **to, const char *from)
{
    *to = strdup(from);
    return *to != NULL;
}

enum status break_glass_enter(struct break_glass_registry *registry, const struct policy *policy,
                              int mission, const struct identity *identity, uint64_t now,
                              struct arena *arena, struct break_glass_refusal *refusal,
                              struct break_glass **glass)
{
    const struct policy_break_glass *rule = policy->missions[mission].break_glass;
    const struct entry entry = {registry, policy, &policy->missions[mission],
                                identity, arena,  refusal};
    enum status status = check_reason(&entry);
    if (status != OK)
        return status;
    bool patient = requires_patient(rule);
    if (patient && blank(identity->patient))
        return refuse(&entry, "pgvigil.patient has no value",
                      "SET pgvigil.patient = '...' first: the glass is broken for one patient.");
    struct break_glass *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return ERR_MEMORY;
    fresh->refs = 1;
    fresh->minutes = rule->minutes;
    fresh->until = now + (uint64_t)rule->minutes * 60000000u;
    if (!copy_text(&fresh->role, policy->roles[identity->role].name) ||
        !copy_text(&fresh->mission, policy->missions[mission].name) ||
        !copy_text(&fresh->reason, identity->reason) ||
        (patient && !copy_text(&fresh->patient, identity->patient))) {
        break_glass_unref(fresh);
        return ERR_MEMORY;
    }
    *glass = fresh;
    return OK;
}

bool break_glass_holds(const struct policy *policy, const struct identity *identity, uint64_t now)
{
    const struct break_glass *glass = identity->glass;
    bool breaks = identity->mission >= 0 && policy->missions[identity->mission].break_glass != NULL;
    if (!breaks || glass == NULL)
        return !breaks && glass == NULL;
    return now < glass->until &&
           strcmp(glass->mission, policy->missions[identity->mission].name) == 0 &&
           strcmp(glass->role, policy->roles[identity->role].name) == 0 &&
           identity->reason != NULL && strcmp(glass->reason, identity->reason) == 0 &&
           (glass->patient == NULL ||
            (identity->patient != NULL && strcmp(glass->patient, identity->patient) == 0));
}

static void drop(const struct policy *policy, struct identity *identity)
{
    bool breaks = identity->mission >= 0 && policy->missions[identity->mission].break_glass != NULL;
    if (breaks)
        identity->mission = policy->roles[identity->role].default_mission;
    break_glass_unref(identity->glass);
    identity->glass = NULL;
}

bool break_glass_settle(const struct policy *policy, struct identity *identity, uint64_t now)
{
    if (break_glass_holds(policy, identity, now))
        return false;
    drop(policy, identity);
    return true;
}

bool break_glass_leave(const struct policy *policy, struct identity *identity,
                       const struct break_glass *glass)
{
    if (identity->glass != glass || glass == NULL)
        return false;
    drop(policy, identity);
    return true;
}
