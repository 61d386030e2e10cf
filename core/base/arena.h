/* Arena: memory for one batch, released all at once.
 *
 * Everything that a batch of requests needs (decoded strings, decisions, encoded entries) lives as
 * long as its transaction, so it is carved from chunks that are kept and reused: no allocation per
 * record, nothing to free on an error path. Pointers stay valid until reset. The ceiling is part of
 * the memory budget; past it an allocation returns NULL and the caller answers LEX_LIMIT. */
#ifndef LEX_BASE_ARENA_H
#define LEX_BASE_ARENA_H

#include "core/base/span.h"
#include "core/base/status.h"

struct lex_arena_chunk;

struct lex_arena {
    struct lex_arena_chunk *first, *current;
    size_t chunk_bytes; /* size of an ordinary chunk */
    size_t max_bytes;   /* ceiling over all chunks */
    size_t total_bytes; /* allocated from the system now */
};

/* A place to roll back to: what was allocated after it is given up. */
struct lex_arena_mark {
    struct lex_arena_chunk *chunk;
    size_t used;
};

void lex_arena_init(struct lex_arena *arena, size_t chunk_bytes, size_t max_bytes);
void lex_arena_fini(struct lex_arena *arena);

/* Keep the ordinary chunks for the next batch, give the oversized ones back. */
void lex_arena_reset(struct lex_arena *arena);

/* 16-byte aligned, not zeroed. NULL only past max_bytes or when the system has none. */
void *lex_arena_alloc(struct lex_arena *arena, size_t bytes);
/* The same, zeroed, for an array; NULL as well where count * size overflows. */
void *lex_arena_calloc(struct lex_arena *arena, size_t count, size_t size);
/* A copy of `span`; absent (NULL) when out of memory. An absent span stays absent. */
struct lex_span lex_arena_dup(struct lex_arena *arena, struct lex_span span);
/* printf into the arena; absent when out of memory. NUL-terminated, len excludes the NUL. */
struct lex_span lex_arena_printf(struct lex_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reserve up to `max` bytes at the current end, write, then keep only what was used: how encoders
 * write straight into the arena. At most one reservation is open at a time. */
uint8_t *lex_arena_reserve(struct lex_arena *arena, size_t max);
void lex_arena_commit(struct lex_arena *arena, size_t used);

/* Bytes that are taken now; what is kept for reuse does not count. */
size_t lex_arena_used(const struct lex_arena *arena);

struct lex_arena_mark lex_arena_mark(const struct lex_arena *arena);
void lex_arena_rollback(struct lex_arena *arena, struct lex_arena_mark mark);

#endif
