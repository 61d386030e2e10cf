#include "core/codec/cursor.h"

#include <stdlib.h>

enum lex_status lex_cursor_fail(struct lex_cursor *cursor, enum lex_undecodable why,
                                const char *problem)
{
    if (cursor->problem == NULL) {
        cursor->problem = problem;
        cursor->why = why;
    }
    return LEX_REJECT;
}

bool lex_cursor_utf8(struct lex_span text)
{
    uint64_t word, any = 0;
    size_t at = 0;
    for (; at + 8 <= text.len; at += 8) {
        memcpy(&word, text.data + at, sizeof word);
        any |= word;
    }
    for (; at < text.len; at++)
        any |= text.data[at];
    return (any & 0x8080808080808080u) == 0 || lex_utf8_valid(text);
}

LEX_STATUS lex_cursor_long_slow(struct lex_cursor *cursor, int64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (cursor->at == cursor->end)
            return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                                   "the message ends inside a number");
        uint8_t byte = *cursor->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = (int64_t)(value >> 1 ^ (0 - (value & 1)));
            return LEX_OK;
        }
    }
    return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO, "a number is out of range");
}

LEX_STATUS lex_cursor_float(struct lex_cursor *cursor, double *ret)
{
    struct lex_span raw = {NULL, 0};
    LEX_TRY(lex_cursor_fixed(cursor, 4, &raw));
    uint32_t bits = 0;
    for (unsigned i = 0; i < 4; i++)
        bits |= (uint32_t)raw.data[i] << (8 * i);
    float value;
    memcpy(&value, &bits, sizeof value);
    *ret = (double)value;
    return LEX_OK;
}

LEX_STATUS lex_cursor_double(struct lex_cursor *cursor, double *ret)
{
    struct lex_span raw = {NULL, 0};
    LEX_TRY(lex_cursor_fixed(cursor, 8, &raw));
    uint64_t bits = 0;
    for (unsigned i = 0; i < 8; i++)
        bits |= (uint64_t)raw.data[i] << (8 * i);
    memcpy(ret, &bits, sizeof *ret);
    return LEX_OK;
}

LEX_STATUS lex_cursor_block(struct lex_cursor *cursor, size_t min_bytes, struct lex_block *ret)
{
    int64_t count = 0, size = 0;
    const uint8_t *end = NULL;
    LEX_TRY(lex_cursor_long(cursor, &count));
    if (count < 0) {
        LEX_TRY(lex_cursor_long(cursor, &size));
        if (size < 0 || (uint64_t)size > lex_cursor_left(cursor) || count == INT64_MIN)
            return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                                   "a block's size reaches beyond the message");
        count = -count;
        end = cursor->at + size;
    }
    if (min_bytes != 0 && (uint64_t)count > lex_cursor_left(cursor) / min_bytes)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "a count promises more items than the message has bytes for");
    if ((uint64_t)count > cursor->items_left)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_TOO_MANY_ITEMS,
                               "the arrays and maps of one message have more than 65536 items");
    cursor->items_left -= (size_t)count;
    *ret = (struct lex_block){(size_t)count, end};
    return LEX_OK;
}

LEX_STATUS lex_cursor_block_end(struct lex_cursor *cursor, const struct lex_block *block)
{
    if (block->end != NULL && block->end != cursor->at)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "a block's size differs from what its items take");
    return LEX_OK;
}

LEX_STATUS lex_vector_reserve(struct lex_cursor *cursor, struct lex_vector *vector, size_t more)
{
    if (more > vector->max - vector->count)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_TOO_MANY_ITEMS,
                               "an array or a map has more items than its ceiling");
    if (vector->count + more <= vector->cap)
        return LEX_OK;
    size_t cap = vector->cap * 2 > vector->count + more ? vector->cap * 2 : vector->count + more;
    uint8_t *items = lex_arena_alloc(cursor->arena, cap * vector->item_bytes);
    if (items == NULL)
        return LEX_LIMIT;
    if (vector->count != 0)
        memcpy(items, vector->items, vector->count * vector->item_bytes);
    vector->items = items;
    vector->cap = cap;
    return LEX_OK;
}

static int compare_spans(const void *a, const void *b)
{
    const struct lex_span *x = a, *y = b;
    return lex_span_cmp(*x, *y);
}

/* Sorts `spans`. */
LEX_STATUS lex_spans_duplicate(struct lex_span *spans, size_t count, struct lex_span *ret)
{
    *ret = (struct lex_span){NULL, 0};
    if (count > 1)
        qsort(spans, count, sizeof *spans, compare_spans);
    for (size_t i = 1; i < count; i++) {
        if (!lex_span_eq(spans[i - 1], spans[i]))
            continue;
        *ret = spans[i];
        return LEX_OK;
    }
    return LEX_OK;
}

/* Most maps have a handful of members: comparing each with each is faster than a sort. */
static struct lex_span duplicate_of_few(const struct lex_member_list *members)
{
    for (size_t i = 1; i < members->count; i++)
        for (size_t j = 0; j < i; j++)
            if (lex_span_eq(members->items[i].key, members->items[j].key))
                return members->items[i].key;
    return (struct lex_span){NULL, 0};
}

LEX_STATUS lex_members_duplicate(const struct lex_member_list *members, struct lex_arena *arena,
                                 struct lex_span *ret_key)
{
    if (members->count <= 16) {
        *ret_key = duplicate_of_few(members);
        return LEX_OK;
    }
    struct lex_arena_mark mark = lex_arena_mark(arena);
    struct lex_span *keys = lex_arena_alloc(arena, members->count * sizeof *keys);
    if (keys == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < members->count; i++)
        keys[i] = members->items[i].key;
    enum lex_status status = lex_spans_duplicate(keys, members->count, ret_key);
    lex_arena_rollback(arena, mark);
    return status;
}
