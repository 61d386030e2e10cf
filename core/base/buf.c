#include "core/base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/text.h"

void lex_buf_init(struct lex_buf *buf, size_t max)
{
    *buf = (struct lex_buf){.max = max};
}

void lex_buf_borrow(struct lex_buf *buf, void *memory, size_t bytes)
{
    LEX_ASSERT(bytes != 0);
    *buf = (struct lex_buf){.data = memory, .cap = bytes, .max = bytes - 1};
}

void lex_buf_fini(struct lex_buf *buf)
{
    free(buf->data);
    *buf = (struct lex_buf){.max = buf->max};
}

void lex_buf_clear(struct lex_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data != NULL)
        buf->data[0] = 0;
}

const char *lex_buf_str(const struct lex_buf *buf)
{
    return buf->data != NULL ? (const char *)buf->data : "";
}

/* Room for `more` bytes and a NUL, or the sticky failure. */
static bool grow(struct lex_buf *buf, size_t more)
{
    if (buf->failed || more > buf->max - buf->len) {
        buf->failed = true;
        return false;
    }
    if (buf->len + more < buf->cap)
        return true;
    size_t cap = buf->cap != 0 ? buf->cap : 256;
    while (cap <= buf->len + more)
        cap *= 2;
    uint8_t *data = realloc(buf->data, cap);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void lex_buf_put(struct lex_buf *buf, const void *data, size_t len)
{
    if (!grow(buf, len))
        return;
    if (len != 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = 0;
}

void lex_buf_put_span(struct lex_buf *buf, struct lex_span span)
{
    lex_buf_put(buf, span.data, span.len);
}

void lex_buf_puts(struct lex_buf *buf, const char *text)
{
    lex_buf_put(buf, text, strlen(text));
}

void lex_buf_putc(struct lex_buf *buf, char c)
{
    lex_buf_put(buf, &c, 1);
}

void lex_buf_printf(struct lex_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        buf->failed = true;
    else if (grow(buf, (size_t)len)) {
        (void)vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void lex_buf_put_hex(struct lex_buf *buf, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        lex_buf_printf(buf, "%02x", data[i]);
}

static bool needs_escape(uint32_t code)
{
    return code < 0x20 || code == '"' || code == '\\' || (code >= 0x7f && code <= 0x9f) ||
           code == 0x2028 || code == 0x2029;
}

static void put_escaped(struct lex_buf *buf, uint32_t code)
{
    switch (code) {
    case '"': lex_buf_puts(buf, "\\\""); return;
    case '\\': lex_buf_puts(buf, "\\\\"); return;
    case '\n': lex_buf_puts(buf, "\\n"); return;
    case '\r': lex_buf_puts(buf, "\\r"); return;
    case '\t': lex_buf_puts(buf, "\\t"); return;
    default: lex_buf_printf(buf, "\\u%04x", code);
    }
}

void lex_buf_put_json(struct lex_buf *buf, struct lex_span span)
{
    lex_buf_putc(buf, '"');
    for (size_t at = 0; at < span.len;) {
        uint32_t code = 0xfffd;
        size_t n = lex_utf8_next(lex_span_of(span.data + at, span.len - at), &code);
        if (n == 0)
            lex_buf_puts(buf, "\\ufffd");
        else if (needs_escape(code))
            put_escaped(buf, code);
        else
            lex_buf_put(buf, span.data + at, n);
        at += n == 0 ? 1 : n;
    }
    lex_buf_putc(buf, '"');
}
