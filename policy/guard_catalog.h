/*
 * guard_catalog.h: the built-in guards over the system catalogs, as text. Private to policy/.
 *
 * Static data; nothing to free. In the SQL texts "@." stands for the quoted catalog schema and a
 * dot, so that
 * @."visible" names a helper beside the view.
 */
#ifndef PGVIGIL_GUARD_CATALOG_H
#define PGVIGIL_GUARD_CATALOG_H

#include <stddef.h>

/* A view over one catalog relation. */
struct guard_catalog_view {
    const char *schema;
    const char *name;
    /*
     * Column list, separated by newlines: "name" shows it as it is, "name=expression" shows the
     * expression under that name, cast to the catalog's own type. A column the server does not have
     * is left out, and so is one that is not listed: what a later version adds is closed. "*": all
     * of them, only with WHERE false.
     */
    const char *columns;
    /* What follows the list. The catalog relation stands before it as t, unless this begins with
     * FROM. */
    const char *from;
};

const struct guard_catalog_view *guard_catalog_views(size_t *count);
/* Statements that make what views and functions stand on, to be run first. */
const char *const *guard_catalog_helpers(size_t *count);
/* CREATE FUNCTION statements, in order. */
const char *const *guard_catalog_functions(size_t *count);

#endif
