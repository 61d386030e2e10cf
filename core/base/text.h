/* Text: the small encodings that more than one module needs. UTF-8 (RFC 3629), base64 (RFC 4648,
 * standard and url-safe), hexadecimal, RFC 3339 instants, edit distance for "did you mean". */
#ifndef LEX_BASE_TEXT_H
#define LEX_BASE_TEXT_H

#include "core/base/buf.h"

/* Decode one code point: bytes consumed (1..4), 0 on invalid UTF-8 (overlong, surrogate, above
 * U+10FFFF, cut off) or an empty span. */
size_t lex_utf8_next(struct lex_span span, uint32_t *ret_code);
bool lex_utf8_valid(struct lex_span span);
/* Writes 1..4 bytes to out. @pre code is a Unicode scalar value */
size_t lex_utf8_put(uint32_t code, uint8_t out[4]);

/* Encoded length without padding for url-safe, with padding for standard. */
void lex_buf_put_base64(struct lex_buf *buf, struct lex_span span);
void lex_buf_put_base64url(struct lex_buf *buf, struct lex_span span);
/* The same, url-safe, into memory of the caller: where a buffer that grows would cost too much. */
static inline size_t lex_base64url_len(size_t bytes)
{
    return bytes / 3 * 4 + (bytes % 3 == 0 ? 0 : bytes % 3 + 1);
}
/* @pre out has room for lex_base64url_len(span.len) @return that many */
size_t lex_base64url_encode(struct lex_span span, uint8_t *out);
/* Strict: canonical padding (standard) or none (url), no blanks, zero spare bits.
 * @errors LEX_REJECT malformed; LEX_LIMIT more than `cap` bytes */
LEX_STATUS lex_base64_decode(struct lex_span text, uint8_t *out, size_t cap, size_t *ret_len);
LEX_STATUS lex_base64url_decode(struct lex_span text, uint8_t *out, size_t cap, size_t *ret_len);
/* Exactly 2 * len lower or upper case digits. @errors LEX_REJECT */
LEX_STATUS lex_hex_decode(struct lex_span text, uint8_t *out, size_t len);

/* RFC 3339 with zone ("Z" or an offset), to microseconds since 1970 UTC; finer digits are cut, a
 * leap second (60) is refused. @errors LEX_REJECT */
LEX_STATUS lex_rfc3339_parse(struct lex_span text, int64_t *ret_us);
enum { LEX_RFC3339_MAX = 32 };
/* "2026-01-01T12:00:00.000000Z" (micros) or with three digits (millis); NUL-terminated. */
void lex_rfc3339_micros(int64_t us, char out[LEX_RFC3339_MAX]);
void lex_rfc3339_millis(int64_t us, char out[LEX_RFC3339_MAX]);

/* Optimal string alignment distance, at most `max` + 1; for names up to 64 bytes, else max + 1. */
size_t lex_edit_distance(struct lex_span a, struct lex_span b, size_t max);

#endif
