/*
 * detect_text.c: identifiers inside longer text (see detect.h).
 *
 * Stricter than the kinds of whole values: prose holds many numbers and capitals, and what is told
 * of it is that somebody could be recognised in it.
 */
#include "tools/detect.h"

#include <ctype.h>
#include <string.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) != 0 || (c & 0x80) != 0;
}

static const char *const titles[HOLDS_COUNT][2] = {
    [HOLDS_NIR] = {"NIR", "NIR"},
    [HOLDS_PHONE] = {"telephone numbers", "numéros de téléphone"},
    [HOLDS_EMAIL] = {"e-mail addresses", "adresses électroniques"},
    [HOLDS_BIRTH_DATE] = {"dates of birth", "dates de naissance"},
    [HOLDS_NAME] = {"names of people", "noms de personnes"}};

const char *detect_holds_title(enum text_holds holds, bool french)
{
    return titles[holds][french ? 1 : 0];
}

/* The run of digits, blanks and dots that begins here, as far as a number may go. */
static size_t number_run(const char *text, size_t len)
{
    size_t run = 0;
    size_t end = 0;
    for (; run < len && run < 24; run++) {
        char c = text[run];
        if (isdigit((unsigned char)c) || ((c == 'A' || c == 'B') && run > 4))
            end = run + 1;
        else if (c != ' ' && c != '.' && c != '-' && !(c == '+' && run == 0))
            break;
    }
    return end;
}

static unsigned holds_number(const char *text, size_t len)
{
    size_t run = number_run(text, len);
    char number[32];
    if (run < 10)
        return 0;
    memcpy(number, text, run);
    number[run] = '\0';
    if (detect_nir(number, run, 0))
        return 1u << HOLDS_NIR;
    return detect_phone(number, run, 0) ? 1u << HOLDS_PHONE : 0;
}

/* The word around an @. */
static bool holds_email(const char *text, const char *at)
{
    const char *from = at;
    const char *to = at + 1;
    while (from > text && (is_word(from[-1]) || strchr("._%+-", from[-1]) != NULL))
        from--;
    while (is_word(*to) || *to == '-' || (*to == '.' && is_word(to[1])))
        to++;
    return detect_email(from, (size_t)(to - from), 0);
}

/* Lower and upper case; the text is as it is, accents and all. */
static bool starts(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

/* "né le 30/05/1961", "née le", "né(e) le", "born 1961-05-30", "date of birth: ...": the word and a
 * date close behind. */
static bool holds_birth(const char *text, size_t left)
{
    static const char *const words[] = {"né le ", "née le ", "né(e) le ", "ne le ",   "born ",
                                        "DDN ",   "DDN:",    "naissance", "of birth", "DOB"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if (!starts(text, words[i]))
            continue;
        for (size_t at = size; at < size + 12 && at + 10 <= left; at++)
            if (detect_date(text + at, 10) != 0)
                return true;
    }
    return false;
}

/* A capital, and a second letter: DUPONT, Dupont, Éloi. */
static bool capital(const char *text)
{
    bool upper = isupper((unsigned char)text[0]) != 0 ||
                 ((unsigned char)text[0] == 0xc3 && ((unsigned char)text[1] & 0xe0) == 0x80);
    return upper && is_word(text[1]);
}

/* "Mme Dupont", "Dr Martin"; or a given name of the list and a capital behind it. */
static bool holds_name(const char *text, size_t left)
{
    static const char *const forms[] = {"Mme ",     "Madame ", "M. ",   "Monsieur ", "Mlle ",
                                        "Docteur ", "Dr ",     "Pr ",   "Mr ",       "Mrs ",
                                        "Ms ",      "Miss ",   "Herr ", "Frau "};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strncmp(text, forms[i], strlen(forms[i])) == 0 && capital(text + strlen(forms[i])))
            return true;
    size_t word = 0;
    while (word < left && is_word(text[word]))
        word++;
    return word > 2 && word + 2 < left && capital(text) && text[word] == ' ' &&
           capital(text + word + 1) && detect_given_name(text, word, 0);
}

unsigned detect_holds(const char *text, size_t len)
{
    unsigned holds = 0;
    for (size_t i = 0; i < len; i++) {
        bool begins = i == 0 || !is_word(text[i - 1]);
        if (text[i] == '@' && holds_email(text, text + i))
            holds |= 1u << HOLDS_EMAIL;
        if (!begins)
            continue;
        if (isdigit((unsigned char)text[i]) || text[i] == '+')
            holds |= holds_number(text + i, len - i);
        if (holds_birth(text + i, len - i))
            holds |= 1u << HOLDS_BIRTH_DATE;
        if (holds_name(text + i, len - i))
            holds |= 1u << HOLDS_NAME;
    }
    return holds;
}

/* Six words of letters, more letters than anything else. */
bool detect_is_prose(const char *text, size_t len)
{
    size_t words = 0;
    size_t letters = 0;
    for (size_t i = 0; i < len; i++) {
        bool letter = isalpha((unsigned char)text[i]) != 0 || (text[i] & 0x80) != 0;
        letters += letter ? 1 : 0;
        words += letter && (i == 0 || !is_word(text[i - 1])) ? 1 : 0;
    }
    return words >= 6 && letters * 2 > len;
}
