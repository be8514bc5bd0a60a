/*
 * load_texts.c: what documents say of missions, roles and categories, in people's words.
 *
 * Guards do not depend on a word of it, so it is not part of the digest: a better sentence is a
 * reload. Trust boundary and ownership: as value.c. The texts end up in documents that patients
 * read; what writes those escapes them (tools/doc_render.c).
 */
#include "value.h"

#include <string.h>

static struct policy_mission *mission_of(const struct value *value)
{
    return &((struct raw_mission *)value->entry)->mission;
}

void load_mission_title_en(const struct value *value)
{
    mission_of(value)->title_en = value_text(value);
}

void load_mission_description(const struct value *value)
{
    mission_of(value)->description = value_text(value);
}

void load_mission_description_en(const struct value *value)
{
    mission_of(value)->description_en = value_text(value);
}

/* "6.1." and one of the letters: documents turn it into words, so another text would have none. */
static const char *read_basis(const struct value *value, const char *article, const char *letters,
                              const char *example)
{
    const char *text = value_text(value);
    size_t len = strlen(article);
    if (text == NULL)
        return NULL;
    if (strncmp(text, article, len) == 0 && text[len] != '\0' && text[len + 1] == '\0' &&
        strchr(letters, text[len]) != NULL)
        return text;
    load_report(value->loader, value_place(value),
                "\"%s\" is no legal basis: write the GDPR's article, \"%s%c\" to \"%s%c\" (%s)",
                text, article, letters[0], article, letters[strlen(letters) - 1], example);
    return NULL;
}

void load_mission_legal_basis(const struct value *value)
{
    mission_of(value)->legal_basis =
        read_basis(value, "6.1.", "abcdef", "6.1.c: a legal obligation; 6.1.e: a public interest");
}

void load_mission_special_basis(const struct value *value)
{
    mission_of(value)->special_basis =
        read_basis(value, "9.2.", "abcdefghij", "9.2.h: care; 9.2.j: research");
}

void load_role_title(const struct value *value)
{
    ((struct raw_role *)value->entry)->role.title = value_text(value);
}

void load_role_title_en(const struct value *value)
{
    ((struct raw_role *)value->entry)->role.title_en = value_text(value);
}

/* categories */

static struct policy_category_text *category_of(const struct value *value)
{
    return value->entry;
}

static void category_name(const struct value *value)
{
    category_of(value)->name = value_text(value);
}

static void category_title(const struct value *value)
{
    category_of(value)->title = value_text(value);
}

static void category_title_en(const struct value *value)
{
    category_of(value)->title_en = value_text(value);
}

static void category_sensitive(const struct value *value)
{
    (void)value_bool(value, &category_of(value)->sensitive);
}

static void category_persons(const struct value *value)
{
    static const char *const words[] = {"", "patients", "staff", "nobody"};
    const char *text = value_text(value);
    for (size_t i = 1; text != NULL && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(text, words[i]) == 0) {
            category_of(value)->persons = (enum policy_persons)i;
            return;
        }
    if (text != NULL)
        load_report(value->loader, value_place(value),
                    "\"persons\" says whom the data are about: \"patients\", \"staff\" or "
                    "\"nobody\", not \"%s\"",
                    text);
}

static const struct value_key category_keys[] = {
    {"name", "what \"columns\" of a table calls it", category_name},
    {"title", NULL, category_title},
    {"title_en", NULL, category_title_en},
    {"sensitive", "true for health and the like (GDPR, article 9), else false", category_sensitive},
    {"persons", NULL, category_persons},
};

void load_categories(struct loader *loader, const struct document *document, config_setting_t *list)
{
    struct value value = {.loader = loader, .document = document, .setting = list};
    value_entries(&value, "a category", KEYS(category_keys), &loader->categories,
                  sizeof(struct policy_category_text),
                  offsetof(struct policy_category_text, place));
}
