/*
 * server_identity.c: the texts that make a connection somebody's (see server_identity.h).
 */
#include "proxy/server_identity.h"

#include <stdlib.h>
#include <string.h>

void server_identity_forget_preferences(struct server_identity *identity)
{
    for (size_t i = 0; i < identity->name_count; i++)
        free(identity->names[i]);
    free(identity->names);
    free(identity->preferences);
    identity->names = NULL;
    identity->preferences = NULL;
    identity->name_count = 0;
}

void server_identity_forget(struct server_identity *identity)
{
    identity_text_free(&identity->person);
    server_identity_forget_preferences(identity);
    memset(identity, 0, sizeof *identity);
}

bool server_identity_copy_names(const struct identity *identity, struct server_identity *out)
{
    out->names = calloc(identity->setting_count + 1, sizeof *out->names);
    for (size_t i = 0; out->names != NULL && i < identity->setting_count; i++) {
        out->names[i] = strdup(identity->settings[i].name);
        if (out->names[i] == NULL)
            return false;
        out->name_count++;
    }
    return out->names != NULL;
}

char *server_identity_take_text(struct buf *buf)
{
    buf_byte(buf, '\0');
    char *text = buf->failed ? NULL : strdup((const char *)buf_head(buf));
    buf_free(buf);
    return text;
}
