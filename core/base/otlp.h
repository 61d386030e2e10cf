/* OTLP: spans as bytes for a collector of traces. Pure functions, no input and no output.
 *
 * One encoding, protobuf: the OpenTelemetry specification makes it the default, and every collector
 * takes it. A span is encoded once, by whoever made it, into bytes that stand for themselves; a
 * request is a resource and such bytes behind each other. So what waits for the exporter owns
 * nothing but memory of its own size, and no string of a batch outlives the batch.
 *
 * The mistake it prevents: numbers of fields spread over the code. They stand in otlp.c alone.
 *
 * Sources: opentelemetry-proto 1.x, trace/v1/trace.proto, common/v1/common.proto,
 * resource/v1/resource.proto and collector/trace/v1/trace_service.proto; the Protocol Buffers
 * encoding, https://protobuf.dev/programming-guides/encoding/. */
#ifndef LEX_BASE_OTLP_H
#define LEX_BASE_OTLP_H

#include "core/base/buf.h"
#include "core/base/trace.h"

enum lex_otlp_kind { LEX_OTLP_INTERNAL = 1, LEX_OTLP_PRODUCER = 4, LEX_OTLP_CONSUMER = 5 };

enum {
    LEX_OTLP_LINKS_MAX = 128,         /* of one span; further ones are counted */
    LEX_OTLP_ATTRIBUTES_MAX = 64,     /* of one span or resource */
    LEX_OTLP_STRING_MAX_BYTES = 1024, /* of a value; what is longer is cut between characters */
};

/* A named value. A list of numbers where `numbers` is set, a number where `text` is absent. */
struct lex_otlp_attribute {
    const char *key;
    struct lex_span text;
    int64_t number;
    const int64_t *numbers;
    size_t count;
};
static inline struct lex_otlp_attribute lex_otlp_text(const char *key, struct lex_span text)
{
    struct lex_span present = lex_span_absent(text) ? LEX_SPAN("") : text;
    return (struct lex_otlp_attribute){.key = key, .text = present};
}
static inline struct lex_otlp_attribute lex_otlp_number(const char *key, int64_t number)
{
    return (struct lex_otlp_attribute){.key = key, .number = number};
}
static inline struct lex_otlp_attribute lex_otlp_numbers(const char *key, const int64_t *numbers,
                                                         size_t count)
{
    return (struct lex_otlp_attribute){.key = key, .numbers = numbers, .count = count};
}

/* Another span that this one has to do with: here, a request's. */
struct lex_otlp_link {
    uint8_t trace_id[LEX_TRACE_ID_BYTES], span_id[LEX_SPAN_ID_BYTES];
    uint8_t flags;
};

struct lex_otlp_span {
    uint8_t trace_id[LEX_TRACE_ID_BYTES], span_id[LEX_SPAN_ID_BYTES];
    struct lex_span name;
    enum lex_otlp_kind kind;
    int64_t begin_us, end_us; /* wall */
    const struct lex_otlp_attribute *attributes;
    size_t attributes_count;
    const struct lex_otlp_link *links;
    size_t links_count, links_dropped;
    struct lex_span error; /* absent: no error. Else the status is ERROR, with this description */
};

/* Append the span, as a field of what holds spans. It has no parent and is sampled.
 * @pre at most LEX_OTLP_LINKS_MAX links and LEX_OTLP_ATTRIBUTES_MAX attributes */
void lex_otlp_put_span(struct lex_buf *out, const struct lex_otlp_span *span);

/* Who sends. */
struct lex_otlp_resource {
    const struct lex_otlp_attribute *attributes;
    size_t attributes_count;
    struct lex_span scope_name, scope_version;
};
/* Append an ExportTraceServiceRequest of `count` spans as lex_otlp_put_span made them. */
void lex_otlp_put_request(struct lex_buf *out, const struct lex_otlp_resource *resource,
                          const struct lex_span *spans, size_t count);

/* How many spans the collector says that it refused, of an ExportTraceServiceResponse; 0 where it
 * says nothing, or nothing that can be read: an answer decides nothing. */
int64_t lex_otlp_rejected(struct lex_span response);

#endif
