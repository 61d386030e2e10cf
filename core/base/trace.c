#include "core/base/trace.h"

/* version "-" trace-id "-" parent-id "-" flags: 2, 32, 16 and 2 digits */
enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53 };

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_hex(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (digit(text[i]) < 0)
            return false;
    return true;
}

static bool is_zero(struct lex_span id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] != '0')
            return false;
    return true;
}

/* A later version may go on behind another dash; this one ends here. */
static bool has_version(struct lex_span header)
{
    if (!is_hex(header.data, 2) || (header.data[0] == 'f' && header.data[1] == 'f'))
        return false;
    if (header.data[0] == '0' && header.data[1] == '0')
        return header.len == LEX_TRACEPARENT_BYTES;
    return header.len == LEX_TRACEPARENT_BYTES || header.data[LEX_TRACEPARENT_BYTES] == '-';
}

bool lex_trace_parse(struct lex_span traceparent, struct lex_trace *ret_trace)
{
    const uint8_t *text = traceparent.data;
    if (traceparent.len < LEX_TRACEPARENT_BYTES || traceparent.len > LEX_TRACEPARENT_MAX_BYTES)
        return false;
    if (!has_version(traceparent) || text[2] != '-' || text[35] != '-' || text[52] != '-')
        return false;
    struct lex_trace trace = {.trace_id = lex_span_of(text + TRACE_AT, 2 * LEX_TRACE_ID_BYTES),
                              .span_id = lex_span_of(text + PARENT_AT, 2 * LEX_SPAN_ID_BYTES)};
    if (!is_hex(trace.trace_id.data, trace.trace_id.len) ||
        !is_hex(trace.span_id.data, trace.span_id.len) || !is_hex(text + FLAGS_AT, 2) ||
        is_zero(trace.trace_id) || is_zero(trace.span_id))
        return false;
    trace.flags = (uint8_t)(digit(text[FLAGS_AT]) * 16 + digit(text[FLAGS_AT + 1]));
    *ret_trace = trace;
    return true;
}
