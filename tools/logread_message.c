/*
 * logread_message.c: what a message of PostgreSQL's log says of statements (see logread.h).
 *
 * "statement: ..." and "execute name: ...", by log_statement, or behind "duration: ... ms" by
 * log_min_duration_statement. parse and bind of the same statement say nothing new, nor does an
 * execution that goes on ("execute fetch from"). The words follow lc_messages; these languages
 * leave LOG as it is.
 */
#include "tools/logread.h"

#include <string.h>

static const struct words {
    const char *duration;
    const char *statement;
    const char *fetch; /* looked for before `execute`, which may begin it */
    const char *execute;
    const char *function;
} languages[] = {
    {"duration: ", "statement: ", "execute fetch from ", "execute ", "fastpath function call: "},
    {"durée : ", "instruction : ", "exécute fetch à partir de ", "exécute ",
     "appel de fonction fastpath : "},
    {"Dauer: ", "Anweisung: ", "Ausführen Fetch von ", "Ausführen ", "Fastpath-Funktionsaufruf: "},
    {"durata: ", "istruzione: ", "esecuzione di fetch da ", "esecuzione di ",
     "chiamata funzione fastpath: "},
    {"duración: ", "sentencia: ", "ejecutar fetch desde ", "ejecutar ",
     "llamada a función fastpath: "},
};

/* Behind `words` when the text begins with them, else NULL. */
static const char *behind(const char *text, const char *words)
{
    size_t len = strlen(words);
    return strncmp(text, words, len) == 0 ? text + len : NULL;
}

/* "12.345 ms" and what separates it from the rest. */
static const char *behind_duration(const char *text)
{
    text += strspn(text, "0123456789.");
    text = behind(text, " ms");
    return text == NULL ? "" : text + strspn(text, " ,");
}

enum logread_kind logread_message(const char *message, const char **text)
{
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        const struct words *words = &languages[i];
        const char *at = behind(message, words->duration);
        at = at == NULL ? message : behind_duration(at);
        *text = behind(at, words->statement);
        if (*text != NULL)
            return LOGREAD_STATEMENT;
        if (behind(at, words->fetch) != NULL)
            return LOGREAD_OTHER;
        if (behind(at, words->function) != NULL)
            return LOGREAD_FUNCTION;
        const char *name = behind(at, words->execute);
        const char *colon = name == NULL ? NULL : strstr(name, ": ");
        if (colon == NULL)
            continue;
        *text = colon + 2;
        return LOGREAD_STATEMENT;
    }
    return LOGREAD_OTHER;
}
