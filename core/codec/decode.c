#include <inttypes.h>

#include "core/codec/record.h"

/* ---- lists ---- */

static void store_list(void *at, const struct lex_vector *vector)
{
    struct lex_any_list list = {vector->items, vector->count};
    memcpy(at, &list, sizeof list);
}

/* Items of one block, read by `kind`. */
static enum lex_status decode_span(struct lex_cursor *cursor, size_t fixed, struct lex_span *ret)
{
    return fixed != 0 ? lex_cursor_fixed(cursor, fixed, ret) : lex_cursor_string(cursor, ret);
}

/* An array of strings (fixed == 0), or of fixed values of that many bytes. */
static enum lex_status decode_spans(struct lex_cursor *cursor, size_t fixed, size_t max, void *at)
{
    struct lex_vector vector = {.item_bytes = sizeof(struct lex_span), .max = max};
    struct lex_block block;
    for (;;) {
        LEX_TRY(lex_cursor_block(cursor, fixed != 0 ? fixed : 1, &block));
        if (block.count == 0)
            break;
        LEX_TRY(lex_vector_reserve(cursor, &vector, block.count));
        for (size_t i = 0; i < block.count; i++) {
            struct lex_span item = {NULL, 0};
            LEX_TRY(decode_span(cursor, fixed, &item));
            memcpy(vector.items + vector.count++ * sizeof item, &item, sizeof item);
        }
        LEX_TRY(lex_cursor_block_end(cursor, &block));
    }
    store_list(at, &vector);
    return LEX_OK;
}

static enum lex_status decode_records(struct lex_cursor *cursor, const struct lex_field *field,
                                      void *at)
{
    const struct lex_record_type *type = field->record;
    struct lex_vector vector = {.item_bytes = type->size, .max = field->max_items};
    struct lex_block block;
    for (;;) {
        LEX_TRY(lex_cursor_block(cursor, type->min_bytes, &block));
        if (block.count == 0)
            break;
        LEX_TRY(lex_vector_reserve(cursor, &vector, block.count));
        for (size_t i = 0; i < block.count; i++)
            LEX_TRY(lex_record_decode(cursor, type, vector.items + vector.count++ * type->size));
        LEX_TRY(lex_cursor_block_end(cursor, &block));
    }
    store_list(at, &vector);
    return LEX_OK;
}

static enum lex_status decode_value(struct lex_cursor *cursor, size_t max, struct lex_value *ret)
{
    int64_t branch = 0;
    LEX_TRY(lex_cursor_long(cursor, &branch));
    *ret = (struct lex_value){.type = LEX_VALUE_NULL};
    if (branch < 0 || branch > LEX_VALUE_LIST)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "a union names a branch that it does not have");
    ret->type = (enum lex_value_type)branch;
    switch (ret->type) {
    case LEX_VALUE_NULL: return LEX_OK;
    case LEX_VALUE_BOOL: return lex_cursor_bool(cursor, &ret->boolean);
    case LEX_VALUE_LONG: return lex_cursor_long(cursor, &ret->i64);
    case LEX_VALUE_DOUBLE: return lex_cursor_double(cursor, &ret->f64);
    case LEX_VALUE_STRING: return lex_cursor_string(cursor, &ret->text);
    case LEX_VALUE_LIST: return decode_spans(cursor, 0, max, &ret->list);
    }
    return LEX_REJECT;
}

static enum lex_status decode_members(struct lex_cursor *cursor, size_t max,
                                      struct lex_member_list *ret)
{
    struct lex_vector vector = {.item_bytes = sizeof(struct lex_member), .max = max};
    struct lex_block block;
    for (;;) {
        LEX_TRY(lex_cursor_block(cursor, 2, &block));
        if (block.count == 0)
            break;
        LEX_TRY(lex_vector_reserve(cursor, &vector, block.count));
        for (size_t i = 0; i < block.count; i++) {
            struct lex_member member = {{NULL, 0}, {0}};
            LEX_TRY(lex_cursor_string(cursor, &member.key));
            LEX_TRY(decode_value(cursor, max, &member.value));
            memcpy(vector.items + vector.count++ * sizeof member, &member, sizeof member);
        }
        LEX_TRY(lex_cursor_block_end(cursor, &block));
    }
    struct lex_span twice = {NULL, 0};
    store_list(ret, &vector);
    LEX_TRY(lex_members_duplicate(ret, cursor->arena, &twice));
    return lex_span_absent(twice) ? LEX_OK
                                  : lex_cursor_fail(cursor, LEX_UNDECODABLE_DUPLICATE_MEMBER,
                                                    "a key stands twice in a map");
}

/* ---- fields ---- */

/* The branch of a union of null and something. */
static inline enum lex_status decode_present(struct lex_cursor *cursor, bool *ret)
{
    if (cursor->at == cursor->end || (*cursor->at & 0xfd) != 0)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "a union names a branch that it does not have");
    *ret = *cursor->at++ == 2;
    return LEX_OK;
}

static inline enum lex_status decode_opt_string(struct lex_cursor *cursor, struct lex_span *ret)
{
    bool present = false;
    *ret = (struct lex_span){NULL, 0};
    LEX_TRY(decode_present(cursor, &present));
    return present ? lex_cursor_string(cursor, ret) : LEX_OK;
}

static enum lex_status decode_opt_fixed(struct lex_cursor *cursor, size_t size,
                                        struct lex_span *ret)
{
    bool present = false;
    *ret = (struct lex_span){NULL, 0};
    LEX_TRY(decode_present(cursor, &present));
    return present ? lex_cursor_fixed(cursor, size, ret) : LEX_OK;
}

static enum lex_status decode_opt_long(struct lex_cursor *cursor, struct lex_opt_i64 *ret)
{
    *ret = (struct lex_opt_i64){0};
    LEX_TRY(decode_present(cursor, &ret->present));
    return ret->present ? lex_cursor_long(cursor, &ret->value) : LEX_OK;
}

static enum lex_status decode_enum(struct lex_cursor *cursor, const struct lex_enum_type *symbols,
                                   void *at)
{
    int64_t value = 0;
    LEX_TRY(lex_cursor_long(cursor, &value));
    if (value < 0 || value >= symbols->count)
        return lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                               "an enum names a symbol that it does not have");
    uint32_t symbol = (uint32_t)value;
    memcpy(at, &symbol, sizeof symbol);
    return LEX_OK;
}

LEX_CODEC_HOT enum lex_status decode_field(struct lex_cursor *cursor, const struct lex_field *field,
                                           void *at)
{
    switch ((enum lex_field_kind)field->kind) {
    case LEX_FIELD_BOOL: return lex_cursor_bool(cursor, at);
    case LEX_FIELD_INT: return lex_cursor_int(cursor, at);
    case LEX_FIELD_LONG: return lex_cursor_long(cursor, at);
    case LEX_FIELD_OPT_LONG: return decode_opt_long(cursor, at);
    case LEX_FIELD_STRING: return lex_cursor_string(cursor, at);
    case LEX_FIELD_OPT_STRING: return decode_opt_string(cursor, at);
    case LEX_FIELD_FIXED: return lex_cursor_fixed(cursor, field->size, at);
    case LEX_FIELD_OPT_FIXED: return decode_opt_fixed(cursor, field->size, at);
    case LEX_FIELD_ENUM: return decode_enum(cursor, field->symbols, at);
    case LEX_FIELD_RECORD: return lex_record_decode(cursor, field->record, at);
    case LEX_FIELD_STRING_LIST: return decode_spans(cursor, 0, field->max_items, at);
    case LEX_FIELD_FIXED_LIST: return decode_spans(cursor, field->size, field->max_items, at);
    case LEX_FIELD_RECORD_LIST: return decode_records(cursor, field, at);
    case LEX_FIELD_VALUE_MAP: return decode_members(cursor, field->max_items, at);
    }
    return LEX_REJECT;
}

LEX_STATUS lex_record_decode_from(struct lex_cursor *cursor, const struct lex_record_type *type,
                                  uint32_t first, void *record)
{
    for (uint32_t i = first; i < type->field_count; i++) {
        const struct lex_field *field = &type->fields[i];
        enum lex_status status = decode_field(cursor, field, lex_field_in(record, field));
        if (status == LEX_OK)
            continue;
        if (lex_span_absent(cursor->where))
            cursor->where = field->name;
        return status;
    }
    return LEX_OK;
}

LEX_STATUS lex_record_decode(struct lex_cursor *cursor, const struct lex_record_type *type,
                             void *record)
{
    return lex_record_decode_from(cursor, type, 0, record);
}

enum lex_status lex_cursor_explain(const struct lex_cursor *cursor, enum lex_status status,
                                   const struct lex_record_type *type, struct lex_error *err)
{
    if (status == LEX_LIMIT)
        return lex_fail(err, status, "the message needs more memory than its batch may have");
    if (lex_span_absent(cursor->where))
        return lex_fail(err, status, "%.*s: %s", LEX_SPAN_FMT(type->name), cursor->problem);
    return lex_fail(err, status, "%.*s, field '%.*s': %s", LEX_SPAN_FMT(type->name),
                    LEX_SPAN_FMT(cursor->where), cursor->problem);
}

/* ---- public ---- */

/* The frame names the shipped schema of `type`, and nothing else will do. */
static enum lex_status check_frame(const struct lex_record_type *type, struct lex_span value,
                                   struct lex_error *err)
{
    if (value.len < LEX_FRAME_BYTES || value.data[0] != 0xc3 || value.data[1] != 0x01)
        return lex_fail(err, LEX_REJECT,
                        "no Avro single-object encoding (C3 01 and 8 bytes of fingerprint)");
    if (memcmp(value.data, type->frame, LEX_FRAME_BYTES) == 0)
        return LEX_OK;
    uint64_t fingerprint = 0;
    for (unsigned i = 0; i < 8; i++)
        fingerprint |= (uint64_t)value.data[2 + i] << (8 * i);
    return lex_fail(err, LEX_REJECT,
                    "schema fingerprint %016" PRIx64 " is not that of %.*s; only schemas that "
                    "this program was shipped with are accepted",
                    fingerprint, LEX_SPAN_FMT(type->name));
}

static enum lex_status check_end(struct lex_cursor *cursor)
{
    return cursor->at == cursor->end ? LEX_OK
                                     : lex_cursor_fail(cursor, LEX_UNDECODABLE_MALFORMED_AVRO,
                                                       "bytes are left over behind the record");
}

static struct lex_span body_of(struct lex_span value)
{
    return lex_span_of(value.data + LEX_FRAME_BYTES, value.len - LEX_FRAME_BYTES);
}

LEX_STATUS lex_decode_framed(const struct lex_record_type *type, struct lex_span value,
                             struct lex_arena *arena, void *ret_record, struct lex_error *err)
{
    _Alignas(16) uint8_t record[LEX_RECORD_STRUCT_MAX_BYTES];
    struct lex_cursor cursor;
    LEX_TRY(check_frame(type, value, err));
    lex_cursor_init(&cursor, body_of(value), arena);
    enum lex_status status = lex_record_decode(&cursor, type, record);
    if (status == LEX_OK)
        status = check_end(&cursor);
    if (status != LEX_OK)
        return lex_cursor_explain(&cursor, status, type, err);
    memcpy(ret_record, record, type->size);
    return LEX_OK;
}

/* A registry's id is not asked about: whatever it names, the bytes count only as far as their entry
 * is signed. */
static enum lex_status open_verdict(struct lex_span value, struct lex_span *ret_body,
                                    struct lex_error *err)
{
    if (value.len >= LEX_CONFLUENT_FRAME_BYTES && value.data[0] == 0x00) {
        *ret_body = lex_span_of(value.data + LEX_CONFLUENT_FRAME_BYTES,
                                value.len - LEX_CONFLUENT_FRAME_BYTES);
        return LEX_OK;
    }
    LEX_TRY(check_frame(&lex_type_verdict, value, err));
    *ret_body = body_of(value);
    return LEX_OK;
}

LEX_STATUS lex_decode_verdict(struct lex_span value, struct lex_arena *arena,
                              struct lex_verdict *ret_verdict, struct lex_span *ret_entry_value,
                              struct lex_error *err)
{
    struct lex_verdict verdict;
    struct lex_cursor cursor;
    struct lex_span body = {NULL, 0};
    LEX_TRY(open_verdict(value, &body, err));
    lex_cursor_init(&cursor, body, arena);
    enum lex_status status = lex_record_decode(&cursor, &lex_type_ledger_entry, &verdict.entry);
    size_t entry_bytes = (size_t)(cursor.at - body.data);
    if (status == LEX_OK)
        status = lex_record_decode_from(&cursor, &lex_type_verdict, 1, &verdict);
    if (status == LEX_OK)
        status = check_end(&cursor);
    uint8_t *entry =
        status == LEX_OK ? lex_arena_alloc(arena, LEX_FRAME_BYTES + entry_bytes) : NULL;
    if (status == LEX_OK && entry == NULL)
        status = LEX_LIMIT;
    if (status != LEX_OK)
        return lex_cursor_explain(&cursor, status, &lex_type_verdict, err);
    memcpy(entry, lex_type_ledger_entry.frame, LEX_FRAME_BYTES);
    memcpy(entry + LEX_FRAME_BYTES, body.data, entry_bytes);
    *ret_entry_value = lex_span_of(entry, LEX_FRAME_BYTES + entry_bytes);
    *ret_verdict = verdict;
    return LEX_OK;
}
