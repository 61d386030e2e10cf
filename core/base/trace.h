/* Trace: the W3C Trace Context of a record, as its `traceparent` header says it.
 *
 * The header comes from strangers, so it is read strictly or not at all: what is not exactly a
 * traceparent is no trace context, and its bytes go nowhere. What is handed on, is handed on as it
 * came: a request's trace then holds its verdict, its ledger entry and its dead letter, whatever
 * this service does with its own spans.
 *
 * Source: W3C Trace Context, https://www.w3.org/TR/trace-context/, section 3.2. */
#ifndef LEX_BASE_TRACE_H
#define LEX_BASE_TRACE_H

#include "core/base/span.h"

enum {
    LEX_TRACEPARENT_BYTES = 55,      /* of version 00; later ones may be longer */
    LEX_TRACEPARENT_MAX_BYTES = 256, /* of a later version: a longer one counts as none */
    LEX_TRACE_ID_BYTES = 16,
    LEX_SPAN_ID_BYTES = 8,
    LEX_TRACE_SAMPLED = 0x01,
};

struct lex_trace {
    struct lex_span trace_id, span_id; /* 32 and 16 lower-case hex digits, in the header's bytes */
    uint8_t flags;
};

/* Whether `traceparent` is one. Not: of version ff, with upper-case digits, with an id that is all
 * zero, of version 00 and longer, absent. */
bool lex_trace_parse(struct lex_span traceparent, struct lex_trace *ret_trace);

#endif
