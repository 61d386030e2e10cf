#include "core/codec/record.h"

/* ---- the bound ---- */

static size_t spans_bound(const struct lex_span_list *list)
{
    size_t bytes = 0;
    for (size_t i = 0; i < list->count; i++)
        bytes += 10 + list->items[i].len;
    return bytes;
}

static size_t records_bound(const struct lex_record_type *type, const struct lex_any_list *list)
{
    size_t bytes = 0;
    for (size_t i = 0; i < list->count; i++)
        bytes += lex_record_bound(type, (const uint8_t *)list->items + i * type->size);
    return bytes;
}

static size_t members_bound(const struct lex_member_list *list)
{
    size_t bytes = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct lex_value *value = &list->items[i].value;
        bytes += 10 + list->items[i].key.len + 11;
        if (value->type == LEX_VALUE_STRING)
            bytes += value->text.len;
        else if (value->type == LEX_VALUE_LIST)
            bytes += 11 + spans_bound(&value->list);
    }
    return bytes;
}

size_t lex_record_bound(const struct lex_record_type *type, const void *record)
{
    size_t bytes = type->scalar_bytes;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct lex_field *field = &type->fields[i];
        const void *at = lex_field_of(record, field);
        switch ((enum lex_field_kind)field->kind) {
        case LEX_FIELD_STRING:
        case LEX_FIELD_OPT_STRING: bytes += ((const struct lex_span *)at)->len; break;
        case LEX_FIELD_STRING_LIST:
        case LEX_FIELD_FIXED_LIST: bytes += spans_bound(at); break;
        case LEX_FIELD_RECORD_LIST: bytes += records_bound(field->record, at); break;
        case LEX_FIELD_RECORD: bytes += lex_record_bound(field->record, at); break;
        case LEX_FIELD_VALUE_MAP: bytes += members_bound(at); break;
        case LEX_FIELD_BOOL:
        case LEX_FIELD_INT:
        case LEX_FIELD_LONG:
        case LEX_FIELD_OPT_LONG:
        case LEX_FIELD_FIXED:
        case LEX_FIELD_OPT_FIXED:
        case LEX_FIELD_ENUM: break;
        }
    }
    return bytes;
}

/* ---- the writer ---- */

LEX_CODEC_HOT uint8_t *put_long(uint8_t *out, int64_t value)
{
    uint64_t zigzag = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    while (zigzag >= 0x80) {
        *out++ = (uint8_t)(zigzag | 0x80);
        zigzag >>= 7;
    }
    *out++ = (uint8_t)zigzag;
    return out;
}

/* Most strings of an entry are short: two overlapping words beat a call of memcpy. */
static inline uint8_t *put_raw(uint8_t *out, struct lex_span bytes)
{
    uint64_t head = 0, tail = 0;
    if (bytes.len > 16) {
        memcpy(out, bytes.data, bytes.len);
    } else if (bytes.len >= 8) {
        memcpy(&head, bytes.data, 8);
        memcpy(&tail, bytes.data + bytes.len - 8, 8);
        memcpy(out, &head, 8);
        memcpy(out + bytes.len - 8, &tail, 8);
    } else if (bytes.len >= 4) {
        memcpy(&head, bytes.data, 4);
        memcpy(&tail, bytes.data + bytes.len - 4, 4);
        memcpy(out, &head, 4);
        memcpy(out + bytes.len - 4, &tail, 4);
    } else if (bytes.len != 0) {
        out[0] = bytes.data[0];
        out[bytes.len / 2] = bytes.data[bytes.len / 2];
        out[bytes.len - 1] = bytes.data[bytes.len - 1];
    }
    return out + bytes.len;
}

static inline uint8_t *put_string(uint8_t *out, struct lex_span text)
{
    return put_raw(put_long(out, (int64_t)text.len), text);
}

static inline uint8_t *put_opt_string(uint8_t *out, struct lex_span text)
{
    *out++ = lex_span_absent(text) ? 0 : 2;
    return lex_span_absent(text) ? out : put_string(out, text);
}

static inline uint8_t *put_fixed(uint8_t *out, struct lex_span bytes, size_t size)
{
    return lex_span_absent(bytes) || bytes.len != size ? NULL : put_raw(out, bytes);
}

static inline uint8_t *put_opt_fixed(uint8_t *out, struct lex_span bytes, size_t size)
{
    *out++ = lex_span_absent(bytes) ? 0 : 2;
    return lex_span_absent(bytes) ? out : put_fixed(out, bytes, size);
}

/* An array is one block and its end; an empty one is the end alone. */
static uint8_t *put_strings(uint8_t *out, const struct lex_span_list *list)
{
    if (list->count != 0)
        out = put_long(out, (int64_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        if (lex_span_absent(list->items[i]))
            return NULL;
        out = put_string(out, list->items[i]);
    }
    *out++ = 0;
    return out;
}

static uint8_t *put_fixeds(uint8_t *out, const struct lex_span_list *list, size_t size)
{
    if (list->count != 0)
        out = put_long(out, (int64_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        out = put_fixed(out, list->items[i], size);
        if (out == NULL)
            return NULL;
    }
    *out++ = 0;
    return out;
}

static uint8_t *put_records(uint8_t *out, const struct lex_any_list *list,
                            const struct lex_record_type *type)
{
    if (list->count != 0)
        out = put_long(out, (int64_t)list->count);
    for (size_t i = 0; i < list->count && out != NULL; i++)
        out = lex_record_write(type, (const uint8_t *)list->items + i * type->size, out);
    if (out != NULL)
        *out++ = 0;
    return out;
}

static uint8_t *put_double(uint8_t *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (unsigned i = 0; i < 8; i++)
        *out++ = (uint8_t)(bits >> (8 * i));
    return out;
}

static uint8_t *put_value(uint8_t *out, const struct lex_value *value)
{
    if ((unsigned)value->type > LEX_VALUE_LIST)
        return NULL;
    out = put_long(out, value->type);
    switch (value->type) {
    case LEX_VALUE_NULL: return out;
    case LEX_VALUE_BOOL: *out = value->boolean; return out + 1;
    case LEX_VALUE_LONG: return put_long(out, value->i64);
    case LEX_VALUE_DOUBLE: return put_double(out, value->f64);
    case LEX_VALUE_STRING:
        return lex_span_absent(value->text) ? NULL : put_string(out, value->text);
    case LEX_VALUE_LIST: return put_strings(out, &value->list);
    }
    return NULL;
}

static uint8_t *put_members(uint8_t *out, const struct lex_member_list *list)
{
    if (list->count != 0)
        out = put_long(out, (int64_t)list->count);
    for (size_t i = 0; i < list->count && out != NULL; i++)
        out = lex_span_absent(list->items[i].key)
                  ? NULL
                  : put_value(put_string(out, list->items[i].key), &list->items[i].value);
    if (out != NULL)
        *out++ = 0;
    return out;
}

static uint8_t *put_opt_long(uint8_t *out, const struct lex_opt_i64 *value)
{
    *out++ = value->present ? 2 : 0;
    return value->present ? put_long(out, value->value) : out;
}

static inline uint8_t *put_enum(uint8_t *out, const void *at, const struct lex_enum_type *symbols)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value < symbols->count ? put_long(out, value) : NULL;
}

static inline struct lex_span span_at(const void *at)
{
    return *(const struct lex_span *)at;
}

LEX_CODEC_HOT uint8_t *put_field(uint8_t *out, const struct lex_field *field, const void *at)
{
    switch ((enum lex_field_kind)field->kind) {
    case LEX_FIELD_BOOL: *out = *(const bool *)at; return out + 1;
    case LEX_FIELD_INT: return put_long(out, *(const int32_t *)at);
    case LEX_FIELD_LONG: return put_long(out, *(const int64_t *)at);
    case LEX_FIELD_OPT_LONG: return put_opt_long(out, at);
    case LEX_FIELD_STRING:
        return lex_span_absent(span_at(at)) ? NULL : put_string(out, span_at(at));
    case LEX_FIELD_OPT_STRING: return put_opt_string(out, span_at(at));
    case LEX_FIELD_FIXED: return put_fixed(out, span_at(at), field->size);
    case LEX_FIELD_OPT_FIXED: return put_opt_fixed(out, span_at(at), field->size);
    case LEX_FIELD_ENUM: return put_enum(out, at, field->symbols);
    case LEX_FIELD_RECORD: return lex_record_write(field->record, at, out);
    case LEX_FIELD_STRING_LIST: return put_strings(out, at);
    case LEX_FIELD_FIXED_LIST: return put_fixeds(out, at, field->size);
    case LEX_FIELD_RECORD_LIST: return put_records(out, at, field->record);
    case LEX_FIELD_VALUE_MAP: return put_members(out, at);
    }
    return NULL;
}

uint8_t *lex_record_write_from(const struct lex_record_type *type, uint32_t first,
                               const void *record, uint8_t *out)
{
    for (uint32_t i = first; i < type->field_count; i++) {
        const struct lex_field *field = &type->fields[i];
        out = put_field(out, field, lex_field_of(record, field));
        if (out == NULL)
            return NULL;
    }
    return out;
}

uint8_t *lex_record_write(const struct lex_record_type *type, const void *record, uint8_t *out)
{
    return lex_record_write_from(type, 0, record, out);
}

LEX_STATUS lex_encode_framed(const struct lex_record_type *type, const void *record,
                             struct lex_arena *arena, size_t max_bytes, struct lex_span *ret)
{
    size_t bound = LEX_FRAME_BYTES + lex_record_bound(type, record);
    uint8_t *start = lex_arena_reserve(arena, bound);
    if (start == NULL)
        return LEX_LIMIT;
    memcpy(start, type->frame, LEX_FRAME_BYTES);
    uint8_t *end = lex_record_write(type, record, start + LEX_FRAME_BYTES);
    if (end == NULL)
        return LEX_REJECT;
    size_t len = (size_t)(end - start);
    LEX_ASSERT(len <= bound);
    if (len > max_bytes)
        return LEX_LIMIT;
    lex_arena_commit(arena, len);
    *ret = lex_span_of(start, len);
    return LEX_OK;
}
