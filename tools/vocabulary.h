/*
 * vocabulary.h: what the name of a column says, in French and English.
 *
 * Names are taken apart (date_naissance, dateNaissance, DDN, "Date de naissance") and looked up as
 * runs of words; the longest run wins, so that "adresse ip" is no address and "file name" no name.
 */
#ifndef PGVIGIL_TOOLS_VOCABULARY_H
#define PGVIGIL_TOOLS_VOCABULARY_H

#include "tools/detect.h"

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

#define TOKENS_MAX 16
struct tokens {
    char text[160];
    const char *word[TOKENS_MAX];
    size_t count;
};
/* Small letters without accents; what does not fit is left out. */
void vocabulary_split(const char *name, struct tokens *tokens);

/* What a table is about. */
enum table_about {
    ABOUT_NOTHING = 0,
    ABOUT_PATIENT,      /* patients, identity, usagers */
    ABOUT_PERSON,       /* persons of any kind: contacts, users of an application */
    ABOUT_PROFESSIONAL, /* physicians, staff, users */
    ABOUT_MEDICAL,      /* allergies, vaccinations, prescriptions */
    ABOUT_THING         /* what has a name and is nobody: services, drugs, countries */
};
enum table_about vocabulary_table(const char *name);

struct hit {
    enum category category; /* CATEGORY_NONE: the name says nothing */
    enum kind kind;         /* KIND_NONE: by the name only */
    bool weak;              /* says it in a table of people only ("name", "title") */
    bool medical;           /* says it in a table about medicine only ("result", "value") */
    const char *words;      /* the run that was found: "date naissance" */
};
/* A zeroed hit where nothing is found, or where the type cannot hold such a thing. */
struct hit vocabulary_column(const char *name, enum value_class class);

#endif
