/*
 * judge_set.c: SET, RESET, SHOW.
 *
 * settings.c has the list; here the statement's forms are reduced to (name, values). For
 * unrestricted roles every setting goes upstream as written, but for pgvigil's own.
 */
#include "judge_private.h"

#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

static const char *lower(struct judge *judge, const char *name)
{
    char *copy = arena_strdup(judge->arena, name);
    for (char *at = copy; at != NULL && *at != '\0'; at++)
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
    if (copy != NULL && strncmp(copy, "pgvigil.", 8) == 0)
        judge_restore_word(copy);
    return copy;
}

static enum status refuse_setting(struct judge *judge, const char *name, const char *what)
{
    return judge_deny(judge, "setting", name, SIZE_MAX,
                      judge_format(judge, "setting \"%s\" %s", name, what));
}

static enum setting_class class_of(const struct judge *judge, const char *name)
{
    enum setting_class class = setting_class(name);
    if (!judge->verdict->unrestricted)
        return class;
    return class == SETTING_PGVIGIL                ? class
           : strncasecmp(name, "pgvigil.", 8) == 0 ? SETTING_REFUSED
                                                   : SETTING_FORWARD;
}

/* NULL: not a plain constant. */
static const char *value_text(struct judge *judge, const PgQuery__Node *node)
{
    const PgQuery__AConst *constant =
        node->node_case == PG_QUERY__NODE__NODE_A_CONST ? node->a_const : NULL;
    if (constant == NULL || constant->isnull)
        return NULL;
    switch ((int)constant->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        return judge_format(judge, "%d", constant->ival->ival);
    case PG_QUERY__A__CONST__VAL_FVAL:
        return constant->fval->fval;
    case PG_QUERY__A__CONST__VAL_SVAL:
        return constant->sval->sval;
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        return constant->boolval->boolval ? "true" : "false";
    default:
        return NULL;
    }
}

static enum status read_values(struct judge *judge, const PgQuery__VariableSetStmt *set,
                               struct verdict_statement *out)
{
    const char **values = arena_zalloc(judge->arena, set->n_args + 1, sizeof(*values));
    if (values == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < set->n_args; i++) {
        values[i] = value_text(judge, set->args[i]);
        bool forwarded = judge->verdict->unrestricted && out->setting_class == SETTING_FORWARD;
        if (values[i] == NULL && forwarded)
            values[i] = "";
        if (values[i] == NULL)
            return refuse_setting(judge, out->setting, "takes a plain constant here");
        if (!judge->verdict->unrestricted && !setting_value_allowed(out->setting, values[i]))
            return refuse_setting(judge, out->setting, "may not get that value");
    }
    bool list = out->setting_class == SETTING_PATH || out->setting_class == SETTING_FORWARD;
    if (set->n_args > 1 && !list)
        return judge_refuse(judge, DENIED, "22023", "setting", out->setting, SIZE_MAX,
                            judge_format(judge, "SET %s takes only one argument", out->setting));
    out->values = values;
    out->value_count = set->n_args;
    return OK;
}

/* SET TRANSACTION, SET SESSION CHARACTERISTICS AS TRANSACTION. */
static enum status set_transaction(struct judge *judge, const PgQuery__VariableSetStmt *set,
                                   struct verdict_statement *out)
{
    bool transaction = strcmp(set->name, "TRANSACTION") == 0;
    out->setting = transaction ? "transaction" : "session characteristics";
    out->setting_class = SETTING_FORWARD;
    out->local = transaction;
    if (judge->verdict->unrestricted || transaction ||
        strcmp(set->name, "SESSION CHARACTERISTICS") == 0)
        return OK;
    return refuse_setting(judge, set->name, "may not be changed"); /* TRANSACTION SNAPSHOT */
}

static const char *start_value(const struct judge *judge, const char *name)
{
    for (size_t i = 0; i < judge->request->start_setting_count; i++)
        if (strcmp(judge->request->start_settings[i].name, name) == 0)
            return judge->request->start_settings[i].value;
    return NULL;
}

/* RESET x and SET x TO DEFAULT of what the client asked for at its start: SET x to that. */
static enum status to_start(struct judge *judge, PgQuery__VariableSetStmt *set,
                            struct verdict_statement *out)
{
    const char *value = judge->verdict->unrestricted || out->setting_class != SETTING_FORWARD
                            ? NULL
                            : start_value(judge, out->setting);
    if (value == NULL)
        return OK;
    struct buf text;
    buf_init(&text, 0);
    buf_str(&text, set->is_local ? "SET LOCAL " : "SET ");
    text_quote_ident(&text, out->setting);
    buf_str(&text, " TO ");
    text_quote_literal(&text, value);
    const char *kept =
        text.failed ? NULL
                    : arena_strndup(judge->arena, (const char *)buf_head(&text), buf_len(&text));
    buf_free(&text);
    set->name = arena_strdup(judge->arena, out->setting);
    set->kind = PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE;
    set->n_args = 0;
    PgQuery__Node *constant = tree_new_text(judge->arena, value);
    if (kept == NULL || set->name == NULL || constant == NULL ||
        tree_insert(judge->arena, &set->args, &set->n_args, 0, constant) != OK)
        return judge_no_memory(judge);
    return rewrite_edit(judge, out->start, out->len, kept);
}

enum status judge_set(struct judge *judge, PgQuery__VariableSetStmt *set,
                      struct verdict_statement *out)
{
    bool reset = set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET ||
                 set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL;
    out->kind = reset ? STATEMENT_RESET : STATEMENT_SET;
    out->tag = reset ? "RESET" : "SET";
    out->local = set->is_local;
    if (set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL) {
        out->setting_class = judge->verdict->unrestricted ? SETTING_FORWARD : SETTING_PGVIGIL;
        return OK;
    }
    if (set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_MULTI)
        return set_transaction(judge, set, out);
    out->setting = lower(judge, set->name);
    if (out->setting == NULL)
        return judge_no_memory(judge);
    out->setting_class = class_of(judge, out->setting);
    bool changes = out->setting_class == SETTING_FORWARD || out->setting_class == SETTING_PATH ||
                   out->setting_class == SETTING_PGVIGIL;
    if (!changes)
        return refuse_setting(judge, out->setting, "may not be changed");
    switch ((int)set->kind) {
    case PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE:
        return read_values(judge, set, out);
    case PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT:
    case PG_QUERY__VARIABLE_SET_KIND__VAR_RESET:
        return to_start(judge, set, out);
    default:
        return judge->verdict->unrestricted && out->setting_class == SETTING_FORWARD
                   ? OK
                   : refuse_setting(judge, out->setting, "may not be set FROM CURRENT");
    }
}

enum status judge_outline_setting(struct judge *judge, const char *name,
                                  struct verdict_statement *out)
{
    out->setting = name[0] == '\0' ? NULL : lower(judge, name);
    if (name[0] != '\0' && out->setting == NULL)
        return judge_no_memory(judge);
    out->setting_class = out->setting == NULL ? SETTING_PGVIGIL : class_of(judge, out->setting);
    return OK;
}

enum status judge_show(struct judge *judge, const PgQuery__VariableShowStmt *show,
                       struct verdict_statement *out)
{
    out->kind = STATEMENT_SHOW;
    out->tag = "SHOW";
    out->setting = lower(judge, show->name);
    if (out->setting == NULL)
        return judge_no_memory(judge);
    out->setting_class = class_of(judge, out->setting);
    if (out->setting_class == SETTING_REFUSED)
        return refuse_setting(judge, out->setting, "may not be shown");
    return OK;
}
