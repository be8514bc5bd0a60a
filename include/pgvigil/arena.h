/*
 * arena.h: memory that is given back all at once.
 *
 * An arena is a list of malloc'ed chunks that only grows until it is reset or freed. A session owns
 * one, each statement owns one. Everything an arena returned dies with arena_reset or arena_free;
 * nothing is freed alone. Not thread-safe: one thread at a time.
 *
 * The byte limit is the defence against a client that makes us allocate: past it every call returns
 * NULL and arena_failed() stays true until the reset, so that a sequence of allocations can be
 * checked once at its end.
 */
#ifndef PGVIGIL_ARENA_H
#define PGVIGIL_ARENA_H

#include <pgvigil/status.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Under AddressSanitizer, by what GCC and Clang say of it: what is kept to be used again hides a
 * use after the end. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

struct arena;

/* A new arena that may hold at most `limit` bytes (0: no limit). NULL when out of memory. Owned by
 * the caller, freed by arena_free (which accepts NULL). */
struct arena *arena_new(size_t limit);
/* The same, for what is reset and used again: `first` bytes (a multiple of 16) in its first chunk.
 */
struct arena *arena_new_of(size_t limit, size_t first);
void arena_free(struct arena *arena);
/* Forgets everything that was allocated; keeps the first chunk for the next turn. */
void arena_reset(struct arena *arena);
bool arena_failed(const struct arena *arena);
/* Bytes in chunks now. */
size_t arena_size(const struct arena *arena);

/* 16-byte aligned, not zeroed; NULL when out of memory or over the limit. size 0 gives a valid
 * pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same, zeroed, for `count` elements; checks the multiplication. */
void *arena_zalloc(struct arena *arena, size_t count, size_t size);
/* Copies of text, NUL-terminated. NULL text gives NULL. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Grows an array that stands in the arena: returns room for at least count + 1 elements, moving
 * when *cap is used up (the old copy stays until the reset). NULL on failure, *cap unchanged. */
void *arena_grow(struct arena *arena, void *array, size_t count, size_t *cap, size_t element_size);

#endif
