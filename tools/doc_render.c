/*
 * doc_render.c: data in JSON, a stylesheet, a page (see doc_render.h).
 *
 * A stylesheet says its sentences in both languages, side by side: <t:fr>...</t:fr><t:en>...</t:en>
 * in the namespace TEXT_NAMESPACE. Before it is compiled those of the other language are taken out,
 * so that a translation is never looked up and never missing. shared.xsl is put into each.
 *
 * Trust boundary: the data. A name may be "<script>", a reason may hold a control character that no
 * XML may hold, or one that turns the direction of writing: the first is text to the serializer,
 * the others are written as \u{1b} (audit_cells.h) before they come into the tree.
 */
#include "tools/doc_render.h"
#include "tools/audit_cells.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxslt/documents.h>
#include <libxslt/security.h>
#include <libxslt/transform.h>
#include <libxslt/xsltutils.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_NAMESPACE "urn:pgvigil:text"
#define MISSING        "missing"
#define DEPTH_MAX      64U

static const xmlChar *xml(const char *text)
{
    return (const xmlChar *)text;
}

/* ---- what is missing ---- */

json_t *doc_missing(const char *key)
{
    return json_pack("{s:s}", MISSING, key);
}

json_t *doc_text(const char *text, const char *key)
{
    return text && *text ? json_string(text) : doc_missing(key);
}

struct gaps {
    json_t *seen;
    void (*tell)(const char *key, void *context);
    void *context;
};

static const char *missing_key(const json_t *value)
{
    return json_object_size(value) == 1 ? json_string_value(json_object_get(value, MISSING)) : NULL;
}

/* Data are made here, a few levels deep. NOLINTNEXTLINE(misc-no-recursion) */
static void find_gaps(struct gaps *gaps, const json_t *value)
{
    const char *key = missing_key(value);
    if (key && !json_object_get(gaps->seen, key)) {
        (void)json_object_set_new(gaps->seen, key, json_true());
        gaps->tell(key, gaps->context);
    }
    const char *name = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)(uintptr_t)value, name, member) find_gaps(gaps, member);
    for (size_t i = 0; i < json_array_size(value); i++)
        find_gaps(gaps, json_array_get(value, i));
}

size_t doc_missing_each(const json_t *data, void (*tell)(const char *key, void *context),
                        void *context)
{
    struct gaps gaps = {json_object(), tell, context};
    find_gaps(&gaps, data);
    size_t count = json_object_size(gaps.seen);
    json_decref(gaps.seen);
    return count;
}

/* ---- data into a tree ---- */

static bool put_text(xmlNodePtr node, const char *text)
{
    char *clean = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&clean, &size);
    if (!out)
        return false;
    cells_text(text, out);
    bool done = fclose(out) == 0;
    xmlNodePtr child = done ? xmlNewText(xml(clean)) : NULL;
    free(clean);
    return child && xmlAddChild(node, child);
}

static bool put_scalar(xmlNodePtr node, const json_t *value)
{
    char number[64];
    switch (json_typeof(value)) {
    case JSON_STRING:
        return put_text(node, json_string_value(value));
    case JSON_INTEGER:
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        return put_text(node, number);
    case JSON_REAL:
        (void)snprintf(number, sizeof number, "%g", json_real_value(value));
        return put_text(node, number);
    case JSON_TRUE:
        return put_text(node, "true");
    case JSON_FALSE:
        return put_text(node, "false");
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return true;
}

/* An object's members are elements of their names (which are ours), an array's are <item>. Null is
 * left out, so that a stylesheet asks whether the element is there.
 * NOLINTNEXTLINE(misc-no-recursion) */
static bool put_value(xmlNodePtr parent, const char *name, const json_t *value, unsigned depth)
{
    if (json_is_null(value))
        return true;
    xmlNodePtr node = depth < DEPTH_MAX ? xmlNewChild(parent, NULL, xml(name), NULL) : NULL;
    const char *key = missing_key(value);
    if (!node)
        return false;
    if (key)
        return xmlNewProp(node, xml(MISSING), xml(key)) != NULL;
    bool done = put_scalar(node, value);
    const char *member_name = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)(uintptr_t)value, member_name, member) done =
        done && put_value(node, member_name, member, depth + 1);
    for (size_t i = 0; done && i < json_array_size(value); i++)
        done = put_value(node, "item", json_array_get(value, i), depth + 1);
    return done;
}

static xmlDocPtr tree_of(const json_t *data)
{
    xmlDocPtr tree = xmlNewDoc(xml("1.0"));
    xmlNodePtr root = tree ? xmlNewDocNode(tree, NULL, xml("document"), NULL) : NULL;
    if (root) {
        (void)xmlDocSetRootElement(tree, root);
        const char *name = NULL;
        json_t *member = NULL;
        bool done = true;
        json_object_foreach((json_t *)(uintptr_t)data, name, member) done =
            done && put_value(root, name, member, 0);
        if (done)
            return tree;
    }
    xmlFreeDoc(tree);
    return NULL;
}

/* ---- stylesheets ---- */

static xmlDocPtr parse_sheet(const char *name)
{
    char file[64];
    size_t len = 0;
    (void)snprintf(file, sizeof file, "%s.xsl", name);
    const char *text = doc_texts_find(file, &len);
    return text ? xmlReadMemory(text, (int)len, file, "UTF-8", XML_PARSE_NONET) : NULL;
}

static bool is_text_of(const xmlNode *node, const char *lang)
{
    return node->type == XML_ELEMENT_NODE && node->ns &&
           strcmp((const char *)node->ns->href, TEXT_NAMESPACE) == 0 &&
           strcmp((const char *)node->name, lang) == 0;
}

/* Puts what the language says in its element's place, and takes the other's out. A stylesheet is a
 * few levels deep. NOLINTNEXTLINE(misc-no-recursion) */
static void choose_language(xmlNodePtr node, const char *keep, const char *drop)
{
    xmlNodePtr next = NULL;
    for (xmlNodePtr child = node->children; child; child = next) {
        next = child->next;
        if (is_text_of(child, drop)) {
            xmlUnlinkNode(child);
            xmlFreeNode(child);
            continue;
        }
        choose_language(child, keep, drop);
        if (!is_text_of(child, keep))
            continue;
        xmlNodePtr inner = NULL;
        for (xmlNodePtr at = child->children; at; at = inner) {
            inner = at->next;
            xmlUnlinkNode(at);
            (void)xmlAddPrevSibling(child, at);
        }
        xmlUnlinkNode(child);
        xmlFreeNode(child);
    }
}

/* The templates of shared.xsl behind those of the sheet. */
static bool add_shared(xmlDocPtr sheet)
{
    xmlDocPtr shared = parse_sheet("shared");
    xmlNodePtr from = shared ? xmlDocGetRootElement(shared) : NULL;
    xmlNodePtr into = xmlDocGetRootElement(sheet);
    bool done = from && into;
    for (xmlNodePtr child = done ? from->children : NULL; child && done; child = child->next) {
        xmlNodePtr copy = xmlDocCopyNode(child, sheet, 1);
        done = copy && xmlAddChild(into, copy);
    }
    xmlFreeDoc(shared);
    return done;
}

static xsltStylesheetPtr compile(const char *name, bool french)
{
    xmlDocPtr tree = parse_sheet(name);
    if (!tree || !add_shared(tree)) {
        xmlFreeDoc(tree);
        return NULL;
    }
    choose_language(xmlDocGetRootElement(tree), french ? "fr" : "en", french ? "en" : "fr");
    xsltStylesheetPtr sheet = xsltParseStylesheetDoc(tree);
    if (!sheet)
        xmlFreeDoc(tree);
    return sheet;
}

/* document(), xsl:import and xsl:include find nothing. */
static xmlDocPtr load_nothing(const xmlChar *uri, xmlDictPtr dict, int options, void *context,
                              xsltLoadType type)
{
    (void)uri;
    (void)dict;
    (void)options;
    (void)context;
    (void)type;
    return NULL;
}

static bool forbid_all(xsltSecurityPrefsPtr prefs, xsltTransformContextPtr context)
{
    static const xsltSecurityOption options[] = {
        XSLT_SECPREF_READ_FILE, XSLT_SECPREF_WRITE_FILE, XSLT_SECPREF_CREATE_DIRECTORY,
        XSLT_SECPREF_READ_NETWORK, XSLT_SECPREF_WRITE_NETWORK};
    bool done = prefs && context;
    for (size_t i = 0; done && i < sizeof options / sizeof options[0]; i++)
        done = xsltSetSecurityPrefs(prefs, options[i], xsltSecurityForbid) == 0;
    return done && xsltSetCtxtSecurityPrefs(prefs, context) == 0;
}

static enum status write_page(xmlDocPtr page, xsltStylesheetPtr sheet, FILE *out)
{
    xmlChar *text = NULL;
    int len = 0;
    if (xsltSaveResultToString(&text, &len, page, sheet) != 0 || !text)
        return ERR_MEMORY;
    bool done = fputs("<!DOCTYPE html>\n", out) >= 0 &&
                fwrite(text, 1, (size_t)len, out) == (size_t)len && fputc('\n', out) != EOF;
    xmlFree(text);
    return done ? OK : ERR_IO;
}

/* A sheet at work on data. */
struct rendering {
    xsltStylesheetPtr sheet;
    xsltSecurityPrefsPtr prefs;
    xsltTransformContextPtr context;
    xmlDocPtr tree;
    xmlDocPtr page;
};

static enum status render(struct rendering *work, const char *sheet, bool french,
                          const json_t *data)
{
    *work = (struct rendering){.prefs = xsltNewSecurityPrefs()};
    xsltSetLoaderFunc(load_nothing);
    work->sheet = compile(sheet, french);
    work->tree = tree_of(data);
    if (!work->sheet)
        return ERR_INTERNAL;
    work->context = work->tree ? xsltNewTransformContext(work->sheet, work->tree) : NULL;
    if (!work->context || !forbid_all(work->prefs, work->context))
        return ERR_MEMORY;
    work->page = xsltApplyStylesheetUser(work->sheet, work->tree, NULL, NULL, NULL, work->context);
    return work->page && work->context->state == XSLT_STATE_OK ? OK : ERR_INTERNAL;
}

static void render_end(struct rendering *work)
{
    xsltFreeTransformContext(work->context);
    xmlFreeDoc(work->page);
    xmlFreeDoc(work->tree);
    xsltFreeStylesheet(work->sheet);
    xsltFreeSecurityPrefs(work->prefs);
    xsltCleanupGlobals();
}

enum status doc_render(const char *sheet, bool french, const json_t *data, FILE *out)
{
    struct rendering work;
    enum status status = render(&work, sheet, french, data);
    if (status == OK)
        status = write_page(work.page, work.sheet, out);
    render_end(&work);
    return status;
}

static json_t *part_of(xmlDocPtr page, xmlNodePtr node)
{
    xmlBufferPtr html = xmlBufferCreate();
    xmlChar *id = xmlGetNoNsProp(node, xml("id"));
    xmlChar *title = xmlGetNoNsProp(node, xml("title"));
    bool fine = html != NULL;
    for (xmlNodePtr child = node->children; fine && child; child = child->next)
        fine = xmlNodeDump(html, page, child, 0, 0) >= 0;
    json_t *part = NULL;
    if (fine)
        part = json_pack("{s:s, s:s*, s:s}", "id", id ? (const char *)id : "", "title",
                         (const char *)title, "html", (const char *)xmlBufferContent(html));
    xmlFree(id);
    xmlFree(title);
    xmlBufferFree(html);
    return part;
}

enum status doc_render_parts(const char *sheet, bool french, const json_t *data, json_t **parts)
{
    struct rendering work;
    enum status status = render(&work, sheet, french, data);
    xmlNodePtr root = status == OK ? xmlDocGetRootElement(work.page) : NULL;
    *parts = json_array();
    for (xmlNodePtr node = root ? root->children : NULL; node && status == OK; node = node->next) {
        if (node->type == XML_ELEMENT_NODE &&
            json_array_append_new(*parts, part_of(work.page, node)) != 0)
            status = ERR_MEMORY;
    }
    render_end(&work);
    return status;
}
