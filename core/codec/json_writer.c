#include "core/codec/json_writer.h"

#include "core/base/jcs.h"

/* ---- the bound: six times the Avro encoding covers every value, names come on top ---- */

static size_t names_bound(const struct lex_record_type *type, const void *record)
{
    size_t bytes = 2;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct lex_field *field = &type->fields[i];
        bytes += field->name.len + 4;
        if (field->kind == LEX_FIELD_RECORD)
            bytes += names_bound(field->record, lex_field_of(record, field));
        if (field->kind != LEX_FIELD_RECORD_LIST)
            continue;
        struct lex_any_list list;
        memcpy(&list, lex_field_of(record, field), sizeof list);
        for (size_t k = 0; k < list.count; k++)
            bytes +=
                names_bound(field->record, (const uint8_t *)list.items + k * field->record->size);
    }
    return bytes;
}

size_t lex_json_bound(const struct lex_record_type *type, const void *record)
{
    return 6 * lex_record_bound(type, record) + names_bound(type, record);
}

/* ---- values ---- */

/* Cold: JSON inside a record is checked again before it is written as JSON, since a value that is
 * none would break the whole object. In an arena of its own, because `out` has the other one open.
 */
static bool holds_json(struct lex_span text, bool object)
{
    struct lex_arena scratch;
    const struct lex_json *root = NULL;
    lex_arena_init(&scratch, 64 * 1024, 64 * 1024 * 1024);
    bool good = lex_json_parse(&scratch, text, &root, NULL) == LEX_OK &&
                (!object || root->type == LEX_JSON_OBJECT);
    lex_arena_fini(&scratch);
    return good;
}

static enum lex_status put_text(struct lex_text *out, const struct lex_field *field,
                                struct lex_span text)
{
    bool json = field->text == LEX_TEXT_JSON || field->text == LEX_TEXT_OBJECT;
    if (json && holds_json(text, field->text == LEX_TEXT_OBJECT))
        lex_text_put(out, text);
    else if (field->text == LEX_TEXT_OBJECT)
        return LEX_REJECT;
    else
        lex_text_safe_string(out, text);
    return LEX_OK;
}

static void put_fixed(struct lex_text *out, const struct lex_field *field, struct lex_span bytes)
{
    if (field->text == LEX_TEXT_HEX)
        lex_text_hex(out, bytes);
    else
        lex_text_base64(out, bytes);
}

static void put_spans(struct lex_text *out, const struct lex_field *field,
                      const struct lex_span_list *list)
{
    lex_text_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i != 0)
            lex_text_char(out, ',');
        if (field->kind == LEX_FIELD_FIXED_LIST)
            put_fixed(out, field, list->items[i]);
        else
            lex_text_safe_string(out, list->items[i]);
    }
    lex_text_char(out, ']');
}

static enum lex_status put_records(struct lex_text *out, const struct lex_record_type *type,
                                   const struct lex_any_list *list)
{
    lex_text_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i != 0)
            lex_text_char(out, ',');
        LEX_TRY(lex_json_write(out, type, (const uint8_t *)list->items + i * type->size));
    }
    lex_text_char(out, ']');
    return LEX_OK;
}

static void put_long(struct lex_text *out, const struct lex_field *field, int64_t value)
{
    if (field->text == LEX_TEXT_MICROS)
        lex_text_micros(out, value);
    else if (field->text == LEX_TEXT_MILLIS && value >= 0)
        lex_text_millis(out, value);
    else
        lex_text_i64(out, value);
}

static void put_bool(struct lex_text *out, bool value)
{
    lex_text_put(out, value ? LEX_SPAN("true") : LEX_SPAN("false"));
}

/* ECMAScript prints 5.0 as 5, which would come back as a long: a fraction is put back. */
static void put_double(struct lex_text *out, double value)
{
    struct lex_buf buf = lex_text_lend(out);
    lex_jcs_put_double(&buf, value);
    bool fraction = false;
    for (size_t i = 0; i < buf.len; i++)
        fraction = fraction || buf.data[i] == '.' || buf.data[i] == 'e';
    if (!fraction)
        lex_buf_puts(&buf, ".0");
    lex_text_take_back(out, &buf);
}

static void put_value(struct lex_text *out, const struct lex_field *field,
                      const struct lex_value *value)
{
    switch (value->type) {
    case LEX_VALUE_NULL: LEX_TEXT_LITERAL(out, "null"); break;
    case LEX_VALUE_BOOL: put_bool(out, value->boolean); break;
    case LEX_VALUE_LONG: lex_text_i64(out, value->i64); break;
    case LEX_VALUE_DOUBLE: put_double(out, value->f64); break;
    case LEX_VALUE_STRING: lex_text_safe_string(out, value->text); break;
    case LEX_VALUE_LIST: put_spans(out, field, &value->list); break;
    }
}

static void put_members(struct lex_text *out, const struct lex_field *field,
                        const struct lex_member_list *list)
{
    lex_text_char(out, '{');
    for (size_t i = 0; i < list->count; i++) {
        if (i != 0)
            lex_text_char(out, ',');
        lex_text_safe_string(out, list->items[i].key);
        lex_text_char(out, ':');
        put_value(out, field, &list->items[i].value);
    }
    lex_text_char(out, '}');
}

static void put_enum(struct lex_text *out, const struct lex_enum_type *symbols, const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    if (value < symbols->count)
        lex_text_safe_string(out, symbols->symbols[value]);
    else
        LEX_TEXT_LITERAL(out, "null");
}

static struct lex_span span_at(const void *at)
{
    return *(const struct lex_span *)at;
}

static bool is_absent(const struct lex_field *field, const void *at)
{
    switch ((enum lex_field_kind)field->kind) {
    case LEX_FIELD_STRING:
    case LEX_FIELD_OPT_STRING:
    case LEX_FIELD_FIXED:
    case LEX_FIELD_OPT_FIXED: return lex_span_absent(span_at(at));
    case LEX_FIELD_OPT_LONG: return !((const struct lex_opt_i64 *)at)->present;
    default: return false;
    }
}

LEX_STATUS lex_json_write_field(struct lex_text *out, const struct lex_field *field,
                                const void *record)
{
    const void *at = lex_field_of(record, field);
    switch ((enum lex_field_kind)field->kind) {
    case LEX_FIELD_BOOL: put_bool(out, *(const bool *)at); break;
    case LEX_FIELD_INT: lex_text_i64(out, *(const int32_t *)at); break;
    case LEX_FIELD_LONG: put_long(out, field, *(const int64_t *)at); break;
    case LEX_FIELD_OPT_LONG: put_long(out, field, ((const struct lex_opt_i64 *)at)->value); break;
    case LEX_FIELD_STRING:
    case LEX_FIELD_OPT_STRING: return put_text(out, field, span_at(at));
    case LEX_FIELD_FIXED:
    case LEX_FIELD_OPT_FIXED: put_fixed(out, field, span_at(at)); break;
    case LEX_FIELD_ENUM: put_enum(out, field->symbols, at); break;
    case LEX_FIELD_RECORD: return lex_json_write(out, field->record, at);
    case LEX_FIELD_STRING_LIST:
    case LEX_FIELD_FIXED_LIST: put_spans(out, field, at); break;
    case LEX_FIELD_RECORD_LIST: return put_records(out, field->record, at);
    case LEX_FIELD_VALUE_MAP: put_members(out, field, at); break;
    }
    return LEX_OK;
}

LEX_STATUS lex_json_write(struct lex_text *out, const struct lex_record_type *type,
                          const void *record)
{
    bool first = true;
    lex_text_char(out, '{');
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct lex_field *field = &type->fields[i];
        if (is_absent(field, lex_field_of(record, field)))
            continue;
        if (!first)
            lex_text_char(out, ',');
        first = false;
        lex_text_char(out, '"');
        lex_text_put(out, field->name);
        LEX_TEXT_LITERAL(out, "\":");
        LEX_TRY(lex_json_write_field(out, field, record));
    }
    lex_text_char(out, '}');
    return LEX_OK;
}
