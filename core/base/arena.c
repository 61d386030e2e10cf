#include "core/base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { ALIGN = 16 };

struct lex_arena_chunk {
    struct lex_arena_chunk *next;
    size_t size, used;
    alignas(ALIGN) uint8_t data[];
};

void lex_arena_init(struct lex_arena *arena, size_t chunk_bytes, size_t max_bytes)
{
    *arena = (struct lex_arena){.chunk_bytes = chunk_bytes, .max_bytes = max_bytes};
}

static void free_from(struct lex_arena *arena, struct lex_arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct lex_arena_chunk *next = chunk->next;
        arena->total_bytes -= sizeof *chunk + chunk->size;
        free(chunk);
        chunk = next;
    }
}

void lex_arena_fini(struct lex_arena *arena)
{
    free_from(arena, arena->first);
    arena->first = arena->current = NULL;
}

void lex_arena_reset(struct lex_arena *arena)
{
    struct lex_arena_chunk **link = &arena->first;
    while (*link != NULL) {
        struct lex_arena_chunk *chunk = *link;
        chunk->used = 0;
        if (chunk->size <= arena->chunk_bytes) {
            link = &chunk->next;
            continue;
        }
        *link = chunk->next;
        chunk->next = NULL;
        free_from(arena, chunk);
    }
    arena->current = arena->first;
}

enum { HUGE_BYTES = 4 << 20 };

/* A large table that is read at random costs a miss of the address cache on top of each miss of the
 * data's: large pages spare the former. Only advice; where the system has none, nothing changes. */
static void advise(void *memory, size_t size)
{
    static const uintptr_t page = 4096;
    uintptr_t start = ((uintptr_t)memory + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)memory + size) & ~(page - 1);
    if (size >= HUGE_BYTES)
        (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
}

static struct lex_arena_chunk *new_chunk(struct lex_arena *arena, size_t bytes)
{
    size_t size = bytes > arena->chunk_bytes ? bytes : arena->chunk_bytes;
    if (size > arena->max_bytes ||
        arena->total_bytes + sizeof(struct lex_arena_chunk) + size > arena->max_bytes)
        return NULL;
    struct lex_arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL)
        return NULL;
    advise(chunk, size);
    *chunk = (struct lex_arena_chunk){.size = size};
    arena->total_bytes += sizeof *chunk + size;
    return chunk;
}

static bool fits(const struct lex_arena_chunk *chunk, size_t bytes)
{
    return chunk != NULL && chunk->size - chunk->used >= bytes;
}

/* Make `current` a chunk with room: itself, the next kept one, or a new one linked after it. */
static bool make_room(struct lex_arena *arena, size_t bytes)
{
    if (fits(arena->current, bytes))
        return true;
    struct lex_arena_chunk *next = arena->current != NULL ? arena->current->next : arena->first;
    if (!fits(next, bytes)) {
        struct lex_arena_chunk *chunk = new_chunk(arena, bytes);
        if (chunk == NULL)
            return false;
        chunk->next = next;
        if (arena->current != NULL)
            arena->current->next = chunk;
        else
            arena->first = chunk;
        next = chunk;
    }
    arena->current = next;
    return true;
}

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

uint8_t *lex_arena_reserve(struct lex_arena *arena, size_t max)
{
    if (max > arena->max_bytes || !make_room(arena, aligned(max)))
        return NULL;
    return arena->current->data + arena->current->used;
}

void lex_arena_commit(struct lex_arena *arena, size_t used)
{
    LEX_ASSERT(fits(arena->current, aligned(used)));
    arena->current->used += aligned(used);
}

void *lex_arena_alloc(struct lex_arena *arena, size_t bytes)
{
    uint8_t *data = lex_arena_reserve(arena, bytes);
    if (data != NULL)
        lex_arena_commit(arena, bytes);
    return data;
}

void *lex_arena_calloc(struct lex_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *data = lex_arena_alloc(arena, bytes);
    return data == NULL ? NULL : memset(data, 0, bytes);
}

struct lex_span lex_arena_dup(struct lex_arena *arena, struct lex_span span)
{
    if (lex_span_absent(span))
        return span;
    uint8_t *copy = lex_arena_alloc(arena, span.len);
    if (copy != NULL)
        memcpy(copy, span.data, span.len);
    return lex_span_of(copy, copy == NULL ? 0 : span.len);
}

struct lex_span lex_arena_printf(struct lex_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : lex_arena_alloc(arena, (size_t)len + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return lex_span_of(text, text == NULL ? 0 : (size_t)len);
}

size_t lex_arena_used(const struct lex_arena *arena)
{
    size_t used = 0;
    for (const struct lex_arena_chunk *chunk = arena->first; chunk != NULL; chunk = chunk->next) {
        used += chunk->used;
        if (chunk == arena->current)
            break;
    }
    return used;
}

struct lex_arena_mark lex_arena_mark(const struct lex_arena *arena)
{
    return (struct lex_arena_mark){arena->current, arena->current ? arena->current->used : 0};
}

void lex_arena_rollback(struct lex_arena *arena, struct lex_arena_mark mark)
{
    struct lex_arena_chunk *later = mark.chunk != NULL ? mark.chunk->next : arena->first;
    for (; later != NULL; later = later->next)
        later->used = 0;
    if (mark.chunk != NULL)
        mark.chunk->used = mark.used;
    arena->current = mark.chunk != NULL ? mark.chunk : arena->first;
}
