#include "core/base/otlp.h"

#include "core/base/text.h"

/* ---- protobuf ---- */

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum { VARINT_MAX_BYTES = 10 };

static size_t varint(uint64_t value, uint8_t out[VARINT_MAX_BYTES])
{
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (uint8_t)(value | 0x80);
    out[len++] = (uint8_t)value;
    return len;
}

static void put_varint(struct lex_buf *out, uint64_t value)
{
    uint8_t bytes[VARINT_MAX_BYTES];
    lex_buf_put(out, bytes, varint(value, bytes));
}

static void put_tag(struct lex_buf *out, unsigned field, enum wire wire)
{
    put_varint(out, (uint64_t)field << 3 | (unsigned)wire);
}

static void put_number(struct lex_buf *out, unsigned field, uint64_t value)
{
    put_tag(out, field, WIRE_VARINT);
    put_varint(out, value);
}

static void put_fixed(struct lex_buf *out, unsigned field, uint64_t value, size_t bytes)
{
    uint8_t little[8];
    put_tag(out, field, bytes == 8 ? WIRE_FIXED64 : WIRE_FIXED32);
    for (size_t i = 0; i < bytes; i++)
        little[i] = (uint8_t)(value >> (8 * i));
    lex_buf_put(out, little, bytes);
}

static void put_bytes(struct lex_buf *out, unsigned field, const void *data, size_t len)
{
    put_tag(out, field, WIRE_BYTES);
    put_varint(out, len);
    lex_buf_put(out, data, len);
}

/* A protobuf string is UTF-8, and one that is not makes a collector refuse the whole request: what
 * is no UTF-8, or too long, ends before the first character that cannot stay. */
static void put_string(struct lex_buf *out, unsigned field, struct lex_span text)
{
    size_t len = 0, step;
    uint32_t code;
    while ((step = lex_utf8_next(lex_span_of(text.data + len, text.len - len), &code)) != 0 &&
           len + step <= LEX_OTLP_STRING_MAX_BYTES)
        len += step;
    put_bytes(out, field, text.data, len);
}

/* A message inside of a message: its length stands before it and is known behind it, so the bytes
 * move by the length's length. They are few; a buffer for each level would cost more. */
static size_t begin(struct lex_buf *out, unsigned field)
{
    put_tag(out, field, WIRE_BYTES);
    return out->len;
}

static void end(struct lex_buf *out, size_t start)
{
    uint8_t length[VARINT_MAX_BYTES];
    size_t len = out->len - start, more = varint(len, length);
    lex_buf_put(out, length, more); /* room; written over below */
    if (!lex_buf_ok(out))
        return;
    memmove(out->data + start + more, out->data + start, len);
    memcpy(out->data + start, length, more);
}

/* ---- common.proto ---- */

static void put_numbers(struct lex_buf *out, const struct lex_otlp_attribute *attribute)
{
    size_t array = begin(out, 5); /* AnyValue.array_value */
    for (size_t i = 0; i < attribute->count; i++) {
        size_t value = begin(out, 1);                        /* ArrayValue.values */
        put_number(out, 3, (uint64_t)attribute->numbers[i]); /* AnyValue.int_value */
        end(out, value);
    }
    end(out, array);
}

static void put_attribute(struct lex_buf *out, unsigned field,
                          const struct lex_otlp_attribute *attribute)
{
    size_t pair = begin(out, field);
    put_string(out, 1, lex_span_str(attribute->key)); /* KeyValue.key */
    size_t value = begin(out, 2);                     /* KeyValue.value */
    if (attribute->numbers != NULL)
        put_numbers(out, attribute);
    else if (lex_span_absent(attribute->text))
        put_number(out, 3, (uint64_t)attribute->number); /* AnyValue.int_value */
    else
        put_string(out, 1, attribute->text); /* AnyValue.string_value */
    end(out, value);
    end(out, pair);
}

/* ---- trace.proto ---- */

/* The low eight bits are W3C's; 0x100 and 0x200: it is known to come from elsewhere. */
enum { FLAGS_REMOTE = 0x300 };

static void put_link(struct lex_buf *out, const struct lex_otlp_link *link)
{
    size_t start = begin(out, 13); /* Span.links */
    put_bytes(out, 1, link->trace_id, sizeof link->trace_id);
    put_bytes(out, 2, link->span_id, sizeof link->span_id);
    put_fixed(out, 6, link->flags | FLAGS_REMOTE, 4);
    end(out, start);
}

static void put_status(struct lex_buf *out, struct lex_span error)
{
    if (lex_span_absent(error))
        return;
    size_t start = begin(out, 15); /* Span.status */
    put_string(out, 2, error);     /* Status.message */
    put_number(out, 3, 2);         /* Status.code: STATUS_CODE_ERROR */
    end(out, start);
}

void lex_otlp_put_span(struct lex_buf *out, const struct lex_otlp_span *span)
{
    LEX_ASSERT(span->links_count <= LEX_OTLP_LINKS_MAX);
    LEX_ASSERT(span->attributes_count <= LEX_OTLP_ATTRIBUTES_MAX);
    size_t start = begin(out, 2); /* ScopeSpans.spans */
    put_bytes(out, 1, span->trace_id, sizeof span->trace_id);
    put_bytes(out, 2, span->span_id, sizeof span->span_id);
    put_string(out, 5, span->name);
    put_number(out, 6, (uint64_t)span->kind);
    put_fixed(out, 7, (uint64_t)span->begin_us * 1000, 8);
    put_fixed(out, 8, (uint64_t)span->end_us * 1000, 8);
    for (size_t i = 0; i < span->attributes_count; i++)
        put_attribute(out, 9, &span->attributes[i]);
    for (size_t i = 0; i < span->links_count; i++)
        put_link(out, &span->links[i]);
    if (span->links_dropped != 0)
        put_number(out, 14, span->links_dropped);
    put_status(out, span->error);
    put_fixed(out, 16, LEX_TRACE_SAMPLED, 4);
    end(out, start);
}

void lex_otlp_put_request(struct lex_buf *out, const struct lex_otlp_resource *resource,
                          const struct lex_span *spans, size_t count)
{
    LEX_ASSERT(resource->attributes_count <= LEX_OTLP_ATTRIBUTES_MAX);
    size_t all = begin(out, 1);   /* ExportTraceServiceRequest.resource_spans */
    size_t about = begin(out, 1); /* ResourceSpans.resource */
    for (size_t i = 0; i < resource->attributes_count; i++)
        put_attribute(out, 1, &resource->attributes[i]);
    end(out, about);
    size_t scoped = begin(out, 2); /* ResourceSpans.scope_spans */
    size_t scope = begin(out, 1);  /* ScopeSpans.scope */
    put_string(out, 1, resource->scope_name);
    put_string(out, 2, resource->scope_version);
    end(out, scope);
    for (size_t i = 0; i < count; i++)
        lex_buf_put_span(out, spans[i]);
    end(out, scoped);
    end(out, all);
}

/* ---- the answer ---- */

static bool take_varint(struct lex_span *in, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < in->len && i < VARINT_MAX_BYTES; i++) {
        value |= (uint64_t)(in->data[i] & 0x7f) << (7 * i);
        if (in->data[i] < 0x80) {
            *ret_value = value;
            *in = lex_span_of(in->data + i + 1, in->len - i - 1);
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct lex_span *in, uint64_t len, struct lex_span *ret_bytes)
{
    if (len > in->len)
        return false;
    *ret_bytes = lex_span_of(in->data, (size_t)len);
    *in = lex_span_of(in->data + len, in->len - (size_t)len);
    return true;
}

struct field {
    uint64_t tag;
    uint64_t number;       /* of a varint */
    struct lex_span bytes; /* of the others */
};

static bool take_field(struct lex_span *in, struct field *ret_field)
{
    struct field field = {0};
    uint64_t len = 0;
    if (!take_varint(in, &field.tag))
        return false;
    switch (field.tag & 7) {
    case WIRE_VARINT: *ret_field = field; return take_varint(in, &ret_field->number);
    case WIRE_FIXED64: len = 8; break;
    case WIRE_FIXED32: len = 4; break;
    case WIRE_BYTES:
        if (!take_varint(in, &len))
            return false;
        break;
    default: return false;
    }
    *ret_field = field;
    return take_bytes(in, len, &ret_field->bytes);
}

/* The last field `number` of `wire` type in `in`. */
static bool find_field(struct lex_span in, unsigned number, enum wire wire, struct field *ret_field)
{
    bool found = false;
    struct field field;
    while (in.len != 0) {
        if (!take_field(&in, &field))
            return false;
        if (field.tag != ((uint64_t)number << 3 | (unsigned)wire))
            continue;
        *ret_field = field;
        found = true;
    }
    return found;
}

int64_t lex_otlp_rejected(struct lex_span response)
{
    struct field partial, rejected;
    /* ExportTraceServiceResponse.partial_success, ExportTracePartialSuccess.rejected_spans */
    if (!find_field(response, 1, WIRE_BYTES, &partial) ||
        !find_field(partial.bytes, 1, WIRE_VARINT, &rejected))
        return 0;
    return rejected.number <= INT64_MAX ? (int64_t)rejected.number : 0;
}
