/* Text writer: JSON straight into a piece of the arena.
 *
 * lex_buf grows by malloc and asks for room at each byte; on the way of a request that would cost
 * more than the hash. Here the caller reserves a bound once and each put compares with its end;
 * what does not fit fails for good and is noticed once, at the end. */
#ifndef LEX_CODEC_TEXT_WRITER_H
#define LEX_CODEC_TEXT_WRITER_H

#include "core/base/arena.h"
#include "core/base/buf.h"

struct lex_text {
    uint8_t *start, *at, *end;
    bool failed;
};

/* Reserve `bound` bytes of the arena. @errors LEX_LIMIT */
LEX_STATUS lex_text_begin(struct lex_text *text, struct lex_arena *arena, size_t bound);
/* Keep what was written. @errors LEX_LIMIT it did not fit, or is over max_bytes */
LEX_STATUS lex_text_end(struct lex_text *text, struct lex_arena *arena, size_t max_bytes,
                        struct lex_span *ret);

static inline bool lex_text_room(struct lex_text *text, size_t more)
{
    if (more > (size_t)(text->end - text->at))
        text->failed = true;
    return !text->failed;
}

static inline void lex_text_put(struct lex_text *text, struct lex_span bytes)
{
    if (bytes.len == 0 || !lex_text_room(text, bytes.len))
        return;
    memcpy(text->at, bytes.data, bytes.len);
    text->at += bytes.len;
}
#define LEX_TEXT_LITERAL(text, literal) lex_text_put((text), LEX_SPAN(literal))

static inline void lex_text_char(struct lex_text *text, char c)
{
    if (lex_text_room(text, 1))
        *text->at++ = (uint8_t)c;
}

void lex_text_i64(struct lex_text *text, int64_t value);
/* A JSON string with the fewest escapes, as RFC 8785 wants it. @pre valid UTF-8 */
void lex_text_string(struct lex_text *text, struct lex_span value);
/* A JSON string that cannot harm a terminal either: DEL, C1 and U+2028/2029 escaped as well. */
void lex_text_safe_string(struct lex_text *text, struct lex_span value);
void lex_text_base64(struct lex_text *text, struct lex_span bytes); /* with its quotes */
void lex_text_hex(struct lex_text *text, struct lex_span bytes);    /* with its quotes */
void lex_text_micros(struct lex_text *text, int64_t us);            /* with its quotes */
void lex_text_millis(struct lex_text *text, int64_t ms);            /* with its quotes */

/* Lend the rest of the room to a function that writes to a lex_buf; it can never grow. */
struct lex_buf lex_text_lend(const struct lex_text *text);
void lex_text_take_back(struct lex_text *text, const struct lex_buf *buf);

/* Most that a JSON string takes, quotes included; looks closer at long ones, where six times the
 * length would be memory. */
size_t lex_text_long_bound(struct lex_span value);
static inline size_t lex_text_string_bound(struct lex_span value)
{
    return value.len <= 1024 ? 6 * value.len + 2 : lex_text_long_bound(value);
}

#endif
