/*
 * arena.c: memory that is given back all at once (see arena.h).
 *
 * Trust boundary: sizes come from clients' statements, so each sum and product is checked, and the
 * limit counts what malloc was asked for, not what was handed out. Ownership: the arena owns its
 * chunks.
 *
 * Under AddressSanitizer every unused byte of a chunk is poisoned and allocations are kept 16 bytes
 * apart, so that reading past one, or reading one after arena_reset, is caught as with malloc.
 */
#include <pgvigil/arena.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define REDZONE ((size_t)16)
/* Not inlined: GCC takes the call on fresh memory for a read of it. */
#define HINT static __attribute__((noinline))
#else
#define REDZONE ((size_t)0)
#define HINT    static inline
#endif

#define ALIGNMENT   ((size_t)16)
#define FIRST_CHUNK ((size_t)512) /* a session's start-up strings, a statement's own */
#define MAX_CHUNK   ((size_t)256 << 10)

struct chunk {
    struct chunk *next;
    size_t size; /* of bytes[] */
    size_t used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

struct arena {
    struct chunk *current; /* newest; `next` leads to older ones */
    struct chunk *first;   /* the one that stays on reset */
    size_t total;          /* bytes in chunks, headers included */
    size_t limit;
    size_t next_size;
    bool failed;
};

HINT void poison(void *place, size_t size)
{
#ifdef ARENA_ASAN
    __asan_poison_memory_region(place, size);
#else
    (void)place;
    (void)size;
#endif
}

HINT void unpoison(void *place, size_t size)
{
#ifdef ARENA_ASAN
    __asan_unpoison_memory_region(place, size);
#else
    (void)place;
    (void)size;
#endif
}

struct arena *arena_new(size_t limit)
{
    return arena_new_of(limit, FIRST_CHUNK);
}

struct arena *arena_new_of(size_t limit, size_t first)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        return NULL;
    arena->limit = limit;
    arena->next_size = first;
    return arena;
}

static void chunk_free(struct chunk *chunk)
{
    unpoison(chunk->bytes, chunk->size);
    free(chunk);
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    while (arena->current) {
        struct chunk *next = arena->current->next;
        chunk_free(arena->current);
        arena->current = next;
    }
    free(arena);
}

void arena_reset(struct arena *arena)
{
    /* A first chunk made for one huge allocation is not worth keeping. */
    struct chunk *kept = arena->first && arena->first->size <= MAX_CHUNK ? arena->first : NULL;
    struct chunk *chunk = arena->current;
    while (chunk) {
        struct chunk *next = chunk->next;
        if (chunk != kept)
            chunk_free(chunk);
        chunk = next;
    }
    arena->failed = false;
    arena->next_size = FIRST_CHUNK;
    arena->current = kept;
    arena->first = kept;
    arena->total = 0;
    if (!kept)
        return;
    arena->total = sizeof *kept + kept->size;
    kept->next = NULL;
    kept->used = 0;
    poison(kept->bytes, kept->size);
}

bool arena_failed(const struct arena *arena)
{
    return arena->failed;
}

size_t arena_size(const struct arena *arena)
{
    return arena->total;
}

static void *take(struct chunk *chunk, size_t size, size_t rounded)
{
    void *place = chunk->bytes + chunk->used;
    chunk->used += rounded;
    unpoison(place, size);
    return place;
}

/* A chunk of its own for a big allocation goes behind the current one, whose free space stays in
 * use. */
static struct chunk *add_chunk(struct arena *arena, size_t rounded)
{
    bool big = rounded > arena->next_size;
    size_t size = big ? rounded : arena->next_size;
    if (arena->limit) {
        size_t room = arena->limit > arena->total ? arena->limit - arena->total : 0;
        if (room < sizeof(struct chunk) + rounded)
            return NULL;
        if (size > room - sizeof(struct chunk))
            size = (room - sizeof(struct chunk)) & ~(ALIGNMENT - 1);
    }
    /* No overflow: arena_alloc bounds `rounded`, next_size is small.
     * NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI) */
    struct chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->size = size;
    chunk->used = 0;
    poison(chunk->bytes, size);
    arena->total += sizeof *chunk + size;
    if (!arena->first)
        arena->first = chunk;
    if (big && arena->current) {
        chunk->next = arena->current->next;
        arena->current->next = chunk;
    } else {
        chunk->next = arena->current;
        arena->current = chunk;
        if (arena->next_size < MAX_CHUNK)
            arena->next_size *= 2;
    }
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (arena->failed)
        return NULL;
    if (size > SIZE_MAX / 2) {
        arena->failed = true;
        return NULL;
    }
    size_t rounded = ((size ? size : 1) + REDZONE + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    struct chunk *chunk = arena->current;
    if (!chunk || chunk->size - chunk->used < rounded)
        chunk = add_chunk(arena, rounded);
    if (!chunk) {
        arena->failed = true;
        return NULL;
    }
    return take(chunk, size, rounded);
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        arena->failed = true;
        return NULL;
    }
    void *place = arena_alloc(arena, total);
    if (place && total)
        memset(place, 0, total);
    return place;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
    if (!text)
        return NULL;
    if (len == SIZE_MAX) {
        arena->failed = true;
        return NULL;
    }
    char *copy = arena_alloc(arena, len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) {
        arena->failed = true;
        return NULL;
    }
    char *text = arena_alloc(arena, (size_t)len + 1);
    if (text)
        (void)vsnprintf(text, (size_t)len + 1, format, args);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

void *arena_grow(struct arena *arena, void *array, size_t count, size_t *cap, size_t element_size)
{
    if (array && count < *cap)
        return array;
    size_t wanted = *cap ? *cap : 4;
    while (wanted <= count) {
        if (wanted > SIZE_MAX / 2) {
            arena->failed = true;
            return NULL;
        }
        wanted *= 2;
    }
    size_t total = 0;
    if (__builtin_mul_overflow(wanted, element_size, &total)) {
        arena->failed = true;
        return NULL;
    }
    void *moved = arena_alloc(arena, total);
    if (!moved)
        return NULL;
    if (array && count)
        memcpy(moved, array, count * element_size);
    *cap = wanted;
    return moved;
}
