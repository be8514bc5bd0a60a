/*
 * index_file.h: how an index stands on the disk, between index.c and index_make.c.
 *
 * head, blocks, ranges, pages; in the byte order of the machine, which the version number tells.
 */
#ifndef PGVIGIL_AUDIT_INDEX_FILE_H
#define PGVIGIL_AUDIT_INDEX_FILE_H

#include "chain.h"
#include "index.h"

#define INDEX_MAGIC      "PGVIGIDX"
#define INDEX_VERSION    0x01020301U
#define INDEX_BLOCK_SIZE ((uint64_t)64 << 10)
#define INDEX_BLOCK_BITS 24
#define INDEX_BLOCK_MASK (((uint64_t)1 << INDEX_BLOCK_BITS) - 1)
#define INDEX_BLOCKS_MAX ((uint64_t)1 << INDEX_BLOCK_BITS)
#define INDEX_KEYS_MAX   ((uint64_t)8 << 20)
#define INDEX_PAGE_KEYS  511U
#define INDEX_NO_KEY     UINT64_MAX             /* fills the last page */
#define INDEX_WILD       ((enum index_kind)'w') /* subjects that are not spelled as ours are */

struct index_head {
    char magic[8];
    uint32_t version;
    uint32_t reserved;
    uint64_t checksum; /* of head, blocks and ranges */
    uint64_t block_count;
    uint64_t range_count;
    uint64_t key_count;
    uint64_t text_size;   /* uncompressed; that it covers */
    uint64_t last_offset; /* of the last line */
    uint64_t lines;
    uint64_t damaged;           /* of them */
    char first[CHAIN_HASH_HEX]; /* of the first line, and of the last */
    char last[CHAIN_HASH_HEX];
};

/* Numbers that are too many to be keys. */
struct index_range {
    int64_t first;
    int64_t last;
    uint64_t block;
};

/* A key: the high bits of its hash, and the block. In order over all pages. */
struct index_page {
    uint64_t keys[INDEX_PAGE_KEYS];
    uint64_t checksum;
};

uint64_t index_key(enum index_kind kind, const void *text, size_t len);
uint64_t index_checksum(const struct index_head *head, const struct index_block *blocks,
                        const struct index_range *ranges);
uint64_t index_page_checksum(const struct index_page *page);

#endif
