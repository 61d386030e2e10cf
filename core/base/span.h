/* Span: borrowed bytes. Whoever holds one does not own them, and the owner outlives it.
 *
 * data == NULL means "absent" (an Avro null, a JSON member that was not there); an empty string is
 * data != NULL with len 0. Both print the same, so only lex_span_absent() may tell them apart. */
#ifndef LEX_BASE_SPAN_H
#define LEX_BASE_SPAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct lex_span {
    const uint8_t *data;
    size_t len;
};

/* Of a string literal, at compile time or run time. */
#define LEX_SPAN(literal) ((struct lex_span){(const uint8_t *)("" literal), sizeof(literal) - 1})
#define LEX_SPAN_INIT(literal)                             \
    {                                                      \
        (const uint8_t *)("" literal), sizeof(literal) - 1 \
    }
/* For printf("%.*s"): expands to two arguments. */
#define LEX_SPAN_FMT(span) (int)(span).len, (const char *)(span).data

static inline struct lex_span lex_span_of(const void *data, size_t len)
{
    return (struct lex_span){(const uint8_t *)data, len};
}

static inline struct lex_span lex_span_str(const char *text)
{
    return text == NULL ? (struct lex_span){NULL, 0} : lex_span_of(text, strlen(text));
}

static inline bool lex_span_absent(struct lex_span span)
{
    return span.data == NULL;
}

static inline bool lex_span_eq(struct lex_span a, struct lex_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Byte order, shorter first on a common prefix. */
static inline int lex_span_cmp(struct lex_span a, struct lex_span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.data, b.data, n);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

#endif
