/*
 * tree.c: libpg_query's syntax trees in an arena, walked and compared by their descriptors.
 *
 * Nothing here knows a node by name: the comparison behind promise 5 and the walker behind "closed
 * by default" must not depend on a list that somebody could forget to extend. Trees come from
 * libpg_query's own serialiser; what a client chose is only their shape, which scan_depth has
 * bounded.
 */
#include "tree.h"

#include <string.h>

static void *arena_take(void *context, size_t size)
{
    return arena_alloc(context, size);
}

static void arena_give(void *context, void *pointer)
{
    (void)context;
    (void)pointer;
}

static void copy_error(const PgQueryError *error, struct arena *arena, const char **message,
                       size_t *position)
{
    *message = arena_strdup(arena, error->message == NULL ? "syntax error" : error->message);
    *position = error->cursorpos > 0 ? (size_t)error->cursorpos : 0;
}

enum status tree_parse(const char *sql, struct arena *arena, PgQuery__ParseResult **tree,
                       const char **message, size_t *position)
{
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql);
    enum status status = OK;
    if (result.error != NULL) {
        copy_error(result.error, arena, message, position);
        status = *message == NULL ? ERR_MEMORY : ERR_SYNTAX;
    } else {
        ProtobufCAllocator allocator = {arena_take, arena_give, arena};
        *tree = pg_query__parse_result__unpack(&allocator, result.parse_tree.len,
                                               (const uint8_t *)result.parse_tree.data);
        status = *tree == NULL ? ERR_MEMORY : OK;
    }
    pg_query_free_protobuf_parse_result(result);
    return status;
}

ProtobufCMessage *tree_content(const PgQuery__Node *node)
{
    /* Every member of the union is a pointer to a message. */
    return node == NULL || node->node_case == PG_QUERY__NODE__NODE__NOT_SET
               ? NULL
               : (ProtobufCMessage *)node->alias;
}

int tree_case(const ProtobufCMessageDescriptor *type)
{
    const ProtobufCMessageDescriptor *node = &pg_query__node__descriptor;
    for (unsigned i = 0; i < node->n_fields; i++) {
        if (node->fields[i].descriptor == type)
            return (int)node->fields[i].id;
    }
    return 0;
}

/* A field as it stands in a message. */
struct slot {
    size_t count; /* of elements; 0 when a oneof has another member */
    const char *at;
    size_t stride;
};

static size_t type_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        break;
    }
    return 0; /* no such field in a syntax tree: nothing is equal to it */
}

static struct slot slot_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const char *base = (const char *)message;
    struct slot slot = {1, base + field->offset, type_size(field->type)};
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&slot.count, base + field->quantifier_offset, sizeof(slot.count));
        memcpy(&slot.at, base + field->offset, sizeof(slot.at));
    } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t chosen = 0;
        memcpy(&chosen, base + field->quantifier_offset, sizeof(chosen));
        slot.count = chosen == field->id ? 1 : 0;
    }
    return slot;
}

static ProtobufCMessage *message_at(const struct slot *slot, size_t index)
{
    ProtobufCMessage *message = NULL;
    memcpy((void *)&message, slot->at + index * slot->stride, sizeof(ProtobufCMessage *));
    return message;
}

static bool is_location(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_INT32 &&
           (strcmp(field->name, "location") == 0 || strcmp(field->name, "stmt_location") == 0 ||
            strcmp(field->name, "stmt_len") == 0);
}

static bool strings_equal(const struct slot *a, const struct slot *b, size_t index)
{
    const char *x = NULL;
    const char *y = NULL;
    memcpy(&x, a->at + index * a->stride, sizeof(x));
    memcpy(&y, b->at + index * b->stride, sizeof(y));
    return strcmp(x == NULL ? "" : x, y == NULL ? "" : y) == 0;
}

static bool field_equal(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *a,
                        const ProtobufCMessage *b)
{
    struct slot x = slot_of(a, field);
    struct slot y = slot_of(b, field);
    if (x.count != y.count || x.stride == 0)
        return false;
    for (size_t i = 0; i < x.count; i++) {
        bool same = false;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE)
            same = tree_equal(message_at(&x, i), message_at(&y, i));
        else if (field->type == PROTOBUF_C_TYPE_STRING)
            same = strings_equal(&x, &y, i);
        else
            same = memcmp(x.at + i * x.stride, y.at + i * y.stride, x.stride) == 0;
        if (!same)
            return false;
    }
    return true;
}

bool tree_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->descriptor != b->descriptor || a->n_unknown_fields != 0 || b->n_unknown_fields != 0)
        return false;
    if (a->descriptor == &pg_query__node__descriptor) { /* over 200 members, one of them set */
        const PgQuery__Node *x = (const PgQuery__Node *)a;
        const PgQuery__Node *y = (const PgQuery__Node *)b;
        return x->node_case == y->node_case && tree_equal(tree_content(x), tree_content(y));
    }
    for (unsigned i = 0; i < a->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &a->descriptor->fields[i];
        if (!is_location(field) && !field_equal(field, a, b))
            return false;
    }
    return true;
}

enum status tree_children(const ProtobufCMessage *message, tree_visit *visit, void *context)
{
    if (message->descriptor == &pg_query__node__descriptor) {
        ProtobufCMessage *content = tree_content((const PgQuery__Node *)message);
        return content == NULL ? OK : visit(context, content);
    }
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        struct slot slot = slot_of(message, field);
        for (size_t k = 0; k < slot.count; k++) {
            ProtobufCMessage *child = message_at(&slot, k);
            enum status status = child == NULL ? OK : visit(context, child);
            if (status != OK)
                return status;
        }
    }
    return OK;
}

struct search {
    const ProtobufCMessageDescriptor *type;
    bool found;
};

static enum status search(void *context, ProtobufCMessage *message)
{
    struct search *wanted = context;
    wanted->found = wanted->found || message->descriptor == wanted->type;
    return wanted->found ? OK : tree_children(message, search, wanted);
}

bool tree_holds(const ProtobufCMessage *message, const ProtobufCMessageDescriptor *type)
{
    struct search wanted = {.type = type, .found = message->descriptor == type};
    return wanted.found || tree_children(message, search, &wanted) != OK || wanted.found;
}

static enum status forget_place(void *context, ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "location");
    const int32_t nowhere = -1;
    if (field != NULL && field->type == PROTOBUF_C_TYPE_INT32)
        memcpy((char *)message + field->offset, &nowhere, sizeof(nowhere));
    return tree_children(message, forget_place, context);
}

void tree_forget_places(ProtobufCMessage *message)
{
    (void)forget_place(NULL, message); /* OK always */
}

const char *tree_string(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_STRING ? node->string->sval
                                                                          : NULL;
}

PgQuery__Node *tree_new_string(struct arena *arena, const char *text)
{
    PgQuery__Node *node = arena_alloc(arena, sizeof(*node));
    PgQuery__String *string = arena_alloc(arena, sizeof(*string));
    char *copy = arena_strdup(arena, text);
    if (node == NULL || string == NULL || copy == NULL)
        return NULL;
    pg_query__node__init(node);
    pg_query__string__init(string);
    string->sval = copy;
    node->node_case = PG_QUERY__NODE__NODE_STRING;
    node->string = string;
    return node;
}

PgQuery__Node *tree_new_text(struct arena *arena, const char *text)
{
    PgQuery__Node *string = tree_new_string(arena, text);
    PgQuery__Node *node = arena_alloc(arena, sizeof(*node));
    PgQuery__AConst *constant = arena_alloc(arena, sizeof(*constant));
    if (string == NULL || node == NULL || constant == NULL)
        return NULL;
    pg_query__node__init(node);
    pg_query__a__const__init(constant);
    constant->val_case = PG_QUERY__A__CONST__VAL_SVAL;
    constant->sval = string->string;
    node->node_case = PG_QUERY__NODE__NODE_A_CONST;
    node->a_const = constant;
    return node;
}

PgQuery__Node *tree_new_target(struct arena *arena, PgQuery__Node *value)
{
    PgQuery__Node *node = arena_alloc(arena, sizeof(*node));
    PgQuery__ResTarget *target = arena_alloc(arena, sizeof(*target));
    if (node == NULL || target == NULL || value == NULL)
        return NULL;
    pg_query__node__init(node);
    pg_query__res_target__init(target);
    target->val = value;
    node->node_case = PG_QUERY__NODE__NODE_RES_TARGET;
    node->res_target = target;
    return node;
}

PgQuery__Node **tree_new_names(struct arena *arena, const char *schema, const char *name)
{
    PgQuery__Node **names = arena_zalloc(arena, 2, sizeof(PgQuery__Node *));
    if (names == NULL)
        return NULL;
    names[0] = tree_new_string(arena, schema);
    names[1] = tree_new_string(arena, name);
    return names[0] == NULL || names[1] == NULL ? NULL : names;
}

PgQuery__FuncCall *tree_new_call(struct arena *arena, const char *schema, const char *name,
                                 PgQuery__Node *argument, int32_t location)
{
    PgQuery__FuncCall *call = arena_alloc(arena, sizeof(*call));
    PgQuery__Node **names = tree_new_names(arena, schema, name);
    PgQuery__Node **args = arena_zalloc(arena, 1, sizeof(PgQuery__Node *));
    if (call == NULL || names == NULL || args == NULL)
        return NULL;
    pg_query__func_call__init(call);
    call->funcname = names;
    call->n_funcname = 2;
    if (argument != NULL) {
        args[0] = argument;
        call->args = args;
        call->n_args = 1;
    }
    call->funcformat = PG_QUERY__COERCION_FORM__COERCE_EXPLICIT_CALL;
    call->location = location;
    return call;
}

PgQuery__Node *tree_new_column(struct arena *arena, const char *item, const char *column)
{
    PgQuery__Node *node = arena_alloc(arena, sizeof(*node));
    PgQuery__ColumnRef *ref = arena_alloc(arena, sizeof(*ref));
    PgQuery__Node **fields = tree_new_names(arena, item, column);
    if (node == NULL || ref == NULL || fields == NULL)
        return NULL;
    pg_query__node__init(node);
    pg_query__column_ref__init(ref);
    ref->n_fields = 2;
    ref->fields = fields;
    node->node_case = PG_QUERY__NODE__NODE_COLUMN_REF;
    node->column_ref = ref;
    return node;
}

enum status tree_insert(struct arena *arena, PgQuery__Node ***nodes, size_t *count, size_t index,
                        PgQuery__Node *node)
{
    PgQuery__Node **longer = arena_zalloc(arena, *count + 1, sizeof(PgQuery__Node *));
    if (longer == NULL || node == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < *count; i++)
        longer[i < index ? i : i + 1] = (*nodes)[i];
    longer[index] = node;
    *nodes = longer;
    (*count)++;
    return OK;
}
