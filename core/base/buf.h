/* Buf: a growing byte buffer with a ceiling, for output that is read once (a page, a document, a
 * line). Failure is sticky: append as often as you like, ask lex_buf_ok() once at the end. */
#ifndef LEX_BASE_BUF_H
#define LEX_BASE_BUF_H

#include "core/base/span.h"
#include "core/base/status.h"

struct lex_buf {
    uint8_t *data; /* NULL until the first append; a NUL always follows the last byte */
    size_t len, cap, max;
    bool failed; /* an append did not fit under max, or memory ran out; len is what did fit */
};

void lex_buf_init(struct lex_buf *buf, size_t max);
/* On the caller's memory, of which the last byte is for the NUL: never allocates, needs no _fini.
 */
void lex_buf_borrow(struct lex_buf *buf, void *memory, size_t bytes);
void lex_buf_fini(struct lex_buf *buf);
void lex_buf_clear(struct lex_buf *buf);
static inline bool lex_buf_ok(const struct lex_buf *buf)
{
    return !buf->failed;
}
static inline struct lex_span lex_buf_span(const struct lex_buf *buf)
{
    return lex_span_of(buf->data != NULL ? (const void *)buf->data : "", buf->len);
}
/* NUL-terminated; valid until the next append. */
const char *lex_buf_str(const struct lex_buf *buf);

void lex_buf_put(struct lex_buf *buf, const void *data, size_t len);
void lex_buf_put_span(struct lex_buf *buf, struct lex_span span);
void lex_buf_puts(struct lex_buf *buf, const char *text);
void lex_buf_putc(struct lex_buf *buf, char c);
void lex_buf_printf(struct lex_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A JSON string literal with its quotes; escapes quotes, backslash, C0 and DEL..C1, U+2028/2029,
 * and invalid UTF-8 (each bad byte as U+FFFD), so that a hostile value can neither break a line nor
 * a terminal. For logs and answers; canonical JSON has its own rules (jcs.h). */
void lex_buf_put_json(struct lex_buf *buf, struct lex_span span);
void lex_buf_put_hex(struct lex_buf *buf, const uint8_t *data, size_t len);

#endif
