/*
 * catalog_same.h: whether two snapshots say the same, so that a periodic refresh that finds nothing
 * new does not have every prepared statement judged again.
 */
#ifndef PGVIGIL_PROXY_CATALOG_SAME_H
#define PGVIGIL_PROXY_CATALOG_SAME_H

#include <pgvigil/catalog.h>
#include <stdbool.h>

bool catalog_same(const struct catalog *a, const struct catalog *b);

#endif
