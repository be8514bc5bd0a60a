/*
 * guard_catalog.h: the built-in guards over the system catalogs, as text. Private to policy/.
 *
 * Static data; nothing to free. In the SQL texts @ stands for the quoted catalog schema
 * ("pgvigil:catalog@..."), so that @."visible" names a helper beside the view.
 */
#ifndef PGVIGIL_GUARD_CATALOG_H
#define PGVIGIL_GUARD_CATALOG_H

#include <stddef.h>

/* A view over one catalog relation. */
struct guard_catalog_view {
    const char *schema;
    const char *name;
    /*
     * Column list: "name" shows it as it is, "name=expression" shows the expression under that
     * name, cast to the catalog's own type; separated by newlines. A column the server does not
     * have is left out, and so is one that is not listed: what a later version adds is closed.
     * NULL: `from` is a whole SELECT.
     */
    const char *columns;
    const char *from; /* FROM and WHERE; the catalog relation is aliased t */
};

const struct guard_catalog_view *guard_catalog_views(size_t *count);

#endif
