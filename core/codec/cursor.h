/* Cursor: reading Avro's binary encoding from bytes that nobody vouches for.
 *
 * Every read is checked against the end; no length or count that a message claims sizes anything
 * before it is compared with the bytes that are left. Items that take no bytes at all (an array of
 * nulls) are bounded by a budget per message instead, or five bytes would ask for 2^24 items.
 * Source: Avro 1.11 specification, "Binary encoding". */
#ifndef LEX_CODEC_CURSOR_H
#define LEX_CODEC_CURSOR_H

#include "core/base/text.h"
#include "core/codec/codec.h"
#include "schemas/tables.h"

/* Items of all arrays and maps of one message: bounds the arena that a message can claim (1 MiB of
 * one-byte strings would otherwise become 16 MiB of spans). */
enum { LEX_CODEC_ITEMS_MAX = 65536, LEX_CODEC_DEPTH_MAX = 64 };

/* A switch over a field's kind runs once per field: as a call it would cost more than its cases. */
#define LEX_CODEC_HOT static inline __attribute__((always_inline))

struct lex_cursor {
    const uint8_t *at, *end;
    struct lex_arena *arena;
    size_t items_left;
    enum lex_undecodable why;
    const char *problem;   /* static text of the first failure, NULL before it */
    struct lex_span where; /* the field it happened in */
};

static inline void lex_cursor_init(struct lex_cursor *cursor, struct lex_span bytes,
                                   struct lex_arena *arena)
{
    *cursor = (struct lex_cursor){.at = bytes.data,
                                  .end = bytes.data + bytes.len,
                                  .arena = arena,
                                  .items_left = LEX_CODEC_ITEMS_MAX};
}

/* The first failure stands. Always LEX_REJECT, so that a guard is one line. */
enum lex_status lex_cursor_fail(struct lex_cursor *cursor, enum lex_undecodable why,
                                const char *problem);
/* Valid UTF-8, of strings that lex_cursor_ascii() does not settle. */
bool lex_cursor_utf8(struct lex_span text);
LEX_STATUS lex_cursor_long_slow(struct lex_cursor *cursor, int64_t *ret);

static inline size_t lex_cursor_left(const struct lex_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* A zigzag varint of at most ten bytes. */
static inline enum lex_status lex_cursor_long(struct lex_cursor *cursor, int64_t *ret)
{
    if (cursor->at == cursor->end || *cursor->at >= 0x80)
        return lex_cursor_long_slow(cursor, ret);
    uint8_t byte = *cursor->at++;
    *ret = (int64_t)(byte >> 1) ^ -(int64_t)(byte & 1);
    return LEX_OK;
}

static inline enum lex_status lex_cursor_int(struct lex_cursor *cursor, int32_t *ret)
{
    int64_t value = 0;
    LEX_TRY(lex_cursor_long(cursor, &value));
    if (value < INT32_MIN || value > INT32_MAX)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO, "an int is out of range");
    *ret = (int32_t)value;
    return LEX_OK;
}

static inline enum lex_status lex_cursor_bool(struct lex_cursor *cursor, bool *ret)
{
    if (cursor->at == cursor->end || *cursor->at > 1)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "a boolean is neither 0 nor 1");
    *ret = *cursor->at++ == 1;
    return LEX_OK;
}

/* Exactly `len` bytes, borrowed. */
static inline enum lex_status lex_cursor_fixed(struct lex_cursor *cursor, size_t len,
                                               struct lex_span *ret)
{
    if (len > lex_cursor_left(cursor))
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "the message ends inside a value");
    *ret = lex_span_of(cursor->at, len);
    cursor->at += len;
    return LEX_OK;
}

static inline enum lex_status lex_cursor_bytes(struct lex_cursor *cursor, struct lex_span *ret)
{
    int64_t len = 0;
    LEX_TRY(lex_cursor_long(cursor, &len));
    if (len < 0 || (uint64_t)len > lex_cursor_left(cursor))
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "a length reaches beyond the message");
    *ret = lex_span_of(cursor->at, (size_t)len);
    cursor->at += len;
    return LEX_OK;
}

/* Nearly every string is short and ASCII: two overlapping words settle it. */
static inline bool lex_cursor_ascii(struct lex_span text)
{
    const uint64_t tops = 0x8080808080808080u;
    uint64_t head = 0, tail = 0;
    if (text.len > 16)
        return false;
    if (text.len >= 8) {
        memcpy(&head, text.data, 8);
        memcpy(&tail, text.data + text.len - 8, 8);
    } else if (text.len >= 4) {
        memcpy(&head, text.data, 4);
        memcpy(&tail, text.data + text.len - 4, 4);
    } else if (text.len != 0) {
        head = (uint64_t)text.data[0] | text.data[text.len / 2] | text.data[text.len - 1];
    }
    return ((head | tail) & tops) == 0;
}

static inline enum lex_status lex_cursor_string(struct lex_cursor *cursor, struct lex_span *ret)
{
    struct lex_span text = {NULL, 0};
    LEX_TRY(lex_cursor_bytes(cursor, &text));
    if (!lex_cursor_ascii(text) && !lex_cursor_utf8(text))
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_INVALID_UTF8, "a string is not valid UTF-8");
    *ret = text;
    return LEX_OK;
}

/* IEEE 754, little-endian. */
LEX_STATUS lex_cursor_float(struct lex_cursor *cursor, double *ret);
LEX_STATUS lex_cursor_double(struct lex_cursor *cursor, double *ret);

/* One block of an array or a map: count 0 ends it. A negative count is followed by the block's size
 * in bytes, which lex_cursor_block_end checks.
 * @param min_bytes least that one item takes; with 0 only the budget bounds the count */
struct lex_block {
    size_t count;
    const uint8_t *end; /* where the block says it ends; NULL when it does not say */
};
LEX_STATUS lex_cursor_block(struct lex_cursor *cursor, size_t min_bytes, struct lex_block *ret);
LEX_STATUS lex_cursor_block_end(struct lex_cursor *cursor, const struct lex_block *block);

/* A list that grows in the arena, by doubling, up to `max` items. */
struct lex_vector {
    uint8_t *items;
    size_t count, cap, item_bytes, max;
};
/* Room for `more` items behind the last. @errors LEX_REJECT over max; LEX_LIMIT the arena is full
 */
LEX_STATUS lex_vector_reserve(struct lex_cursor *cursor, struct lex_vector *vector, size_t more);

/* A name that stands twice among the members, absent when there is none. n log n, so a hostile map
 * costs no square. @errors LEX_LIMIT the arena is full */
LEX_STATUS lex_members_duplicate(const struct lex_member_list *members, struct lex_arena *arena,
                                 struct lex_span *ret_key);
LEX_STATUS lex_spans_duplicate(struct lex_span *spans, size_t count, struct lex_span *ret);

#endif
