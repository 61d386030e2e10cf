#include "core/worker/deadletter.h"

#include "core/base/trace.h"

static const char SCHEMA_HEADER[] = "__value_schema_id";
enum { SCHEMA_HEADER_MAX = 64 };

static bool is_token_char(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* Blank every run that has a JWT's looks: base64url of `{"` ("eyJ") with a dot behind it (RFC 7519,
 * section 3.1). Bytes keep their number, so offsets in error messages stay right. */
static void blank_tokens(uint8_t *data, size_t len)
{
    for (size_t at = 0; at + 3 <= len; at++) {
        if (memcmp(data + at, "eyJ", 3) != 0)
            continue;
        size_t end = at;
        bool dotted = false;
        for (; end < len && is_token_char(data[end]); end++)
            dotted = dotted || data[end] == '.';
        if (dotted || end == len) /* cut off in the middle: still a token */
            memset(data + at, '*', end - at);
        at = end - 1;
    }
}

static struct lex_span original(const struct lex_worker_options *options,
                                const struct lex_record *record, struct lex_arena *arena)
{
    size_t len = record->value.len < options->dead_letter_max_bytes
                     ? record->value.len
                     : options->dead_letter_max_bytes;
    if (options->dead_letter_digest || lex_span_absent(record->value))
        len = 0;
    uint8_t *copy = lex_arena_alloc(arena, len);
    if (copy == NULL)
        return (struct lex_span){0};
    if (len != 0)
        memcpy(copy, record->value.data, len);
    blank_tokens(copy, len);
    return lex_span_of(copy, len);
}

static struct lex_span sha256_hex(struct lex_span value, struct lex_arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    struct lex_hash hash;
    lex_sha256(&value, 1, &hash);
    uint8_t *text = lex_arena_alloc(arena, 2 * sizeof hash.bytes);
    if (text == NULL)
        return (struct lex_span){0};
    for (size_t i = 0; i < sizeof hash.bytes; i++) {
        text[2 * i] = (uint8_t)digits[hash.bytes[i] >> 4];
        text[2 * i + 1] = (uint8_t)digits[hash.bytes[i] & 15];
    }
    return lex_span_of(text, 2 * sizeof hash.bytes);
}

struct lex_span lex_output_key(const struct lex_record *record)
{
    return record->key.len <= LEX_OUTPUT_KEY_MAX_BYTES ? record->key : (struct lex_span){0};
}

LEX_STATUS lex_dead_letter(const struct lex_worker_options *options,
                           const struct lex_record *record, enum lex_undecodable why,
                           const char *text, struct lex_arena *arena, struct lex_output *ret)
{
    const struct lex_span none = {0};
    struct lex_trace trace;
    /* Without the schema's name nobody could read the value later. */
    bool named = record->schema_header.len != 0 && record->schema_header.len <= SCHEMA_HEADER_MAX;
    struct lex_header headers[] = {
        {"__connect.errors.topic", options->requests_topic},
        {"__connect.errors.partition", lex_arena_printf(arena, "%d", record->partition)},
        {"__connect.errors.offset", lex_arena_printf(arena, "%lld", (long long)record->offset)},
        {"__connect.errors.exception.class.name", lex_span_str(lex_undecodable_name(why))},
        {"__connect.errors.exception.message", lex_arena_dup(arena, lex_span_str(text))},
        {"lexecon.original.bytes", lex_arena_printf(arena, "%zu", record->value.len)},
        {"lexecon.original.sha256", sha256_hex(record->value, arena)},
        {SCHEMA_HEADER, named ? record->schema_header : none},
        {"traceparent", lex_trace_parse(record->traceparent, &trace) ? record->traceparent : none},
    };
    enum { OURS = 7 }; /* the others are the record's own, where it has them */
    _Static_assert(LEX_COUNT_OF(headers) <= LEX_OUTPUT_HEADERS_MAX, "a producer's ceiling");
    struct lex_header *kept = lex_arena_calloc(arena, LEX_COUNT_OF(headers), sizeof *kept);
    struct lex_span value = original(options, record, arena);
    if (kept == NULL || lex_span_absent(value))
        return LEX_LIMIT;
    size_t count = 0;
    for (size_t i = 0; i < LEX_COUNT_OF(headers); i++) {
        if (!lex_span_absent(headers[i].value))
            kept[count++] = headers[i];
        else if (i < OURS)
            return LEX_LIMIT;
    }
    ret->key = lex_output_key(record);
    ret->value = value;
    ret->headers = kept;
    ret->headers_count = count;
    return LEX_OK;
}
