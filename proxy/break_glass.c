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

#include <locale.h>
#include <openssl/evp.h>
#include <pgvigil/map.h>
#include <pgvigil/text.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

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
    free(glass->person);
    free(glass->role);
    free(glass->mission);
    free(glass->reason);
    free(glass->patient);
    free(glass);
}

struct break_glass_registry {
    pthread_mutex_t lock;
    struct map *last; /* person -> 64 hexadecimal digits: the text itself is the audit's */
    locale_t unicode; /* what a letter is, whatever the process's own locale says */
};

/* ---- reasons ---- */

/* The character at `at`, which is valid UTF-8 (statements and start-up settings were looked at). */
static uint32_t character(const unsigned char *at, size_t *len)
{
    unsigned char lead = at[0];
    *len = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t code = *len == 1 ? lead : lead & (0xFFu >> (*len + 1));
    for (size_t i = 1; i < *len; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            *len = i;
            return 0;
        }
        code = code << 6 | (at[i] & 0x3Fu);
    }
    return code;
}

/* UTF-8; `code` is a character. */
static size_t put_character(char *out, uint32_t code)
{
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (len == 1) {
        out[0] = (char)code;
        return 1;
    }
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)((0xF00u >> len & 0xF0) | code);
    return len;
}

/* Characters that nobody sees, and marks that stand over others: soft hyphen, joiners, directions,
 * variation selectors, tags, the empty letters of Hangul. */
static bool unseen(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0xAD, 0xAD},     {0x300, 0x36F},   {0x115F, 0x1160}, {0x180B, 0x180F},
                  {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164},
                  {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xE0000, 0xE0FFF}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* Lower case, words with one space between them, nothing else. The attack: a reason that nobody can
 * see, or last time's with something in it that nobody can see; so letters are Unicode's. */
static char *plain_reason(const struct break_glass_registry *registry, const char *reason)
{
    char *plain = malloc(4 * strlen(reason) + 2);
    size_t used = 0;
    size_t len = 0;
    if (plain == NULL)
        return NULL;
    for (const unsigned char *at = (const unsigned char *)reason; *at != '\0'; at += len) {
        uint32_t code = character(at, &len);
        if (unseen(code))
            continue;
        if (iswalnum_l((wint_t)code, registry->unicode))
            used +=
                put_character(plain + used, (uint32_t)towlower_l((wint_t)code, registry->unicode));
        else if (used > 0 && plain[used - 1] != ' ')
            plain[used++] = ' ';
    }
    if (used > 0 && plain[used - 1] == ' ')
        used--;
    plain[used] = '\0';
    return plain;
}

/* "x", "aaaa": a word that says nothing. */
static bool one_letter(const char *word, size_t len)
{
    size_t first = 0;
    (void)character((const unsigned char *)word, &first);
    for (size_t i = first; i < len; i++)
        if (word[i] != word[i - first])
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

#define DIGEST_TEXT 65

/* Of the letters alone: where a space stands tells two reasons apart as little as a comma does. */
static bool digest(const char *plain, char out[DIGEST_TEXT])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    while (done && *plain != '\0') {
        size_t len = strcspn(plain, " ");
        done = EVP_DigestUpdate(context, plain, len) == 1;
        plain += len + (plain[len] == ' ');
    }
    done = done && EVP_DigestFinal_ex(context, bytes, &size) == 1 && size == 32;
    EVP_MD_CTX_free(context);
    if (done)
        text_hex(bytes, size, out);
    return done;
}

struct break_glass_registry *break_glass_registry_new(void)
{
    struct break_glass_registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL)
        return NULL;
    registry->last = map_new();
    registry->unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (registry->unicode == (locale_t)0) /* of a system without it: ASCII */
        registry->unicode = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
    if (registry->last == NULL || registry->unicode == (locale_t)0) {
        if (registry->unicode != (locale_t)0)
            freelocale(registry->unicode);
        map_free(registry->last);
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
    freelocale(registry->unicode);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

enum status break_glass_registry_note(struct break_glass_registry *registry, const char *person,
                                      const char *reason)
{
    char *plain = plain_reason(registry, reason);
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
    char *plain = plain_reason(entry->registry, reason);
    if (plain == NULL)
        return ERR_MEMORY;
    enum status status = OK;
    if (text_characters(plain, strlen(plain)) < least)
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
    if (!copy_text(&fresh->person, identity->user->name) ||
        !copy_text(&fresh->role, policy->roles[identity->role].name) ||
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
    return now < glass->until && strcmp(glass->person, identity->user->name) == 0 &&
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
        identity->mission = identity_default_mission(identity, policy);
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
