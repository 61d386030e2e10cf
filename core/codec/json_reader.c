#include "core/codec/json_reader.h"

/* Names of the objects that are open, one after the other: to find those that stand twice. */
struct names {
    struct lex_span *items;
    size_t count, cap;
    struct lex_span few[32]; /* where they live until there are more */
};

struct reader {
    struct lex_json_scanner scan;
    struct names names;
    size_t items_left; /* budget over all arrays and objects, as in cursor.h */
    unsigned depth;
    enum lex_undecodable why; /* LEX_UNDECODABLE_COUNT: the scanner's problem says it */
    struct lex_span member;   /* of the top object, for the message */
};

static enum lex_status refuse(struct reader *r, enum lex_undecodable why, const char *problem)
{
    if (r->scan.problem == NULL)
        r->why = why;
    return lex_json_problem(&r->scan, problem);
}

/* The next value is none of the type that is wanted; or it is no value at all. */
static enum lex_status wrong_type(struct reader *r, const char *expected)
{
    uint8_t c = lex_json_peek(&r->scan);
    bool value = c != 0 && strchr("\"{[-0123456789tfn", c) != NULL;
    return value ? refuse(r, LEX_UNDECODABLE_WRONG_TYPE, expected)
                 : lex_json_problem(&r->scan, "expected a value");
}

static enum lex_status spend_item(struct reader *r)
{
    if (r->items_left == 0)
        return refuse(r, LEX_UNDECODABLE_TOO_MANY_ITEMS,
                      "the arrays and objects of one message have more than 65536 items");
    r->items_left--;
    return LEX_OK;
}

/* ---- names ---- */

static enum lex_status grow_names(struct reader *r)
{
    struct names *n = &r->names;
    struct lex_span *items = lex_arena_alloc(r->scan.arena, 2 * n->cap * sizeof *items);
    if (items == NULL)
        return LEX_LIMIT;
    memcpy(items, n->items, n->count * sizeof *items);
    n->items = items;
    n->cap *= 2;
    return LEX_OK;
}

enum { FEW_NAMES = 16 }; /* up to here each name is compared with each; beyond, sorted at the end */

/* One more name of the object whose names begin at `base`; `at` is its place. */
static enum lex_status add_name(struct reader *r, size_t base, struct lex_span name, size_t at)
{
    struct names *n = &r->names;
    for (size_t i = base; i < n->count && n->count - base <= FEW_NAMES; i++) {
        if (!lex_span_eq(n->items[i], name))
            continue;
        r->scan.at = at;
        return refuse(r, LEX_UNDECODABLE_DUPLICATE_MEMBER, "this member stands twice");
    }
    if (n->count == n->cap)
        LEX_TRY(grow_names(r));
    n->items[n->count++] = name;
    return LEX_OK;
}

/* The object ends: look for names that stand twice where there were too many to compare. */
static enum lex_status end_names(struct reader *r, size_t base)
{
    struct lex_span twice = {NULL, 0};
    size_t count = r->names.count - base;
    if (count > FEW_NAMES)
        LEX_TRY(lex_spans_duplicate(r->names.items + base, count, &twice));
    r->names.count = base;
    return lex_span_absent(twice) ? LEX_OK
                                  : refuse(r, LEX_UNDECODABLE_DUPLICATE_MEMBER,
                                           "an object that ends here has a member twice");
}

/* "name" : of one member. */
static enum lex_status scan_name(struct reader *r, struct lex_span *ret_name, size_t *ret_at)
{
    LEX_TRY(spend_item(r));
    (void)lex_json_peek(&r->scan);
    *ret_at = r->scan.at;
    LEX_TRY(lex_json_scan_string(&r->scan, ret_name));
    return lex_json_take(&r->scan, ':')
               ? LEX_OK
               : lex_json_problem(&r->scan, "expected a colon after the member's name");
}

static enum lex_status end_of(struct reader *r, char close)
{
    if (lex_json_take(&r->scan, close))
        return LEX_OK;
    return lex_json_problem(&r->scan, close == '}' ? "expected a comma or the end of the object"
                                                   : "expected a comma or the end of the array");
}

/* ---- values that are checked and not kept ---- */

static enum lex_status skip_value(struct reader *r);

static enum lex_status skip_object(struct reader *r)
{
    size_t base = r->names.count, at = 0;
    struct lex_span name = {NULL, 0};
    if (lex_json_take(&r->scan, '}'))
        return LEX_OK;
    do {
        LEX_TRY(scan_name(r, &name, &at));
        LEX_TRY(add_name(r, base, name, at));
        LEX_TRY(skip_value(r));
    } while (lex_json_take(&r->scan, ','));
    LEX_TRY(end_of(r, '}'));
    return end_names(r, base);
}

static enum lex_status skip_array(struct reader *r)
{
    if (lex_json_take(&r->scan, ']'))
        return LEX_OK;
    do {
        LEX_TRY(spend_item(r));
        LEX_TRY(skip_value(r));
    } while (lex_json_take(&r->scan, ','));
    return end_of(r, ']');
}

static enum lex_status skip_nested(struct reader *r, char open)
{
    if (r->depth == LEX_JSON_DEPTH_MAX)
        return lex_json_problem(&r->scan, "nested more than 64 deep");
    r->depth++;
    r->scan.at++;
    LEX_TRY(open == '{' ? skip_object(r) : skip_array(r));
    r->depth--;
    return LEX_OK;
}

static enum lex_status skip_value(struct reader *r)
{
    struct lex_span ignored;
    bool integer;
    uint8_t c = lex_json_peek(&r->scan);
    switch (c) {
    case '{':
    case '[': return skip_nested(r, (char)c);
    case '"': return lex_json_scan_string(&r->scan, &ignored);
    case 't': return lex_json_scan_word(&r->scan, "true");
    case 'f': return lex_json_scan_word(&r->scan, "false");
    case 'n': return lex_json_scan_word(&r->scan, "null");
    default: return lex_json_scan_number(&r->scan, &ignored, &integer);
    }
}

/* ---- values ---- */

static enum lex_status read_string(struct reader *r, struct lex_span *ret)
{
    if (lex_json_peek(&r->scan) != '"')
        return wrong_type(r, "expected a string");
    return lex_json_scan_string(&r->scan, ret);
}

static bool at_number(struct reader *r)
{
    uint8_t c = lex_json_peek(&r->scan);
    return c == '-' || (c >= '0' && c <= '9');
}

static enum lex_status read_integer(struct reader *r, int64_t *ret)
{
    struct lex_span literal = {NULL, 0};
    bool integer = false;
    if (!at_number(r))
        return wrong_type(r, "expected an integer");
    size_t at = r->scan.at;
    LEX_TRY(lex_json_scan_number(&r->scan, &literal, &integer));
    if (integer && lex_json_int64(literal, ret) == LEX_OK)
        return LEX_OK;
    r->scan.at = at;
    return refuse(r, LEX_UNDECODABLE_WRONG_TYPE,
                  integer ? "the integer is beyond 64 bits" : "expected an integer");
}

static enum lex_status read_int32(struct reader *r, int32_t *ret)
{
    int64_t value = 0;
    LEX_TRY(read_integer(r, &value));
    if (value < INT32_MIN || value > INT32_MAX)
        return refuse(r, LEX_UNDECODABLE_WRONG_TYPE, "the integer is beyond 32 bits");
    *ret = (int32_t)value;
    return LEX_OK;
}

static enum lex_status read_bool(struct reader *r, bool *ret)
{
    uint8_t c = lex_json_peek(&r->scan);
    if (c != 't' && c != 'f')
        return wrong_type(r, "expected true or false");
    LEX_TRY(lex_json_scan_word(&r->scan, c == 't' ? "true" : "false"));
    *ret = c == 't';
    return LEX_OK;
}

static enum lex_status read_instant(struct reader *r, int64_t *ret)
{
    struct lex_span text = {NULL, 0};
    (void)lex_json_peek(&r->scan);
    size_t at = r->scan.at;
    LEX_TRY(read_string(r, &text));
    if (lex_rfc3339_parse(text, ret) == LEX_OK)
        return LEX_OK;
    r->scan.at = at;
    return refuse(r, LEX_UNDECODABLE_WRONG_TYPE,
                  "expected an RFC 3339 instant with its zone, as \"2026-01-31T12:00:00Z\"");
}

static enum lex_status read_opt_long(struct reader *r, const struct lex_field *field,
                                     struct lex_opt_i64 *ret)
{
    ret->present = true;
    return field->text == LEX_TEXT_MICROS ? read_instant(r, &ret->value)
                                          : read_integer(r, &ret->value);
}

/* An object whose text is kept as it stands. */
static enum lex_status read_object_text(struct reader *r, struct lex_span *ret)
{
    if (lex_json_peek(&r->scan) != '{')
        return wrong_type(r, "expected an object");
    size_t start = r->scan.at;
    LEX_TRY(skip_value(r));
    *ret = lex_span_of(r->scan.text.data + start, r->scan.at - start);
    return LEX_OK;
}

static enum lex_status read_fixed(struct reader *r, const struct lex_field *field,
                                  struct lex_span *ret)
{
    struct lex_span text = {NULL, 0};
    size_t len = field->size;
    LEX_TRY(read_string(r, &text));
    uint8_t *bytes = lex_arena_alloc(r->scan.arena, field->size);
    if (bytes == NULL)
        return LEX_LIMIT;
    bool hex = field->text == LEX_TEXT_HEX;
    bool good = hex ? text.len == 2 * len && lex_hex_decode(text, bytes, len) == LEX_OK
                    : lex_base64_decode(text, bytes, len, &len) == LEX_OK && len == field->size;
    if (!good)
        return refuse(r, LEX_UNDECODABLE_WRONG_TYPE,
                      hex ? "expected hexadecimal digits of the right number"
                          : "expected base64 of the right length");
    *ret = lex_span_of(bytes, field->size);
    return LEX_OK;
}

/* Room for one more item of a list; grows in the arena by doubling. */
static enum lex_status grow_list(struct reader *r, struct lex_vector *v)
{
    LEX_TRY(spend_item(r));
    if (v->count == v->max)
        return refuse(r, LEX_UNDECODABLE_TOO_MANY_ITEMS,
                      "this list or map has more items than its ceiling");
    if (v->count < v->cap)
        return LEX_OK;
    size_t cap = v->cap == 0 ? 4 : 2 * v->cap;
    uint8_t *items = lex_arena_alloc(r->scan.arena, cap * v->item_bytes);
    if (items == NULL)
        return LEX_LIMIT;
    if (v->count != 0)
        memcpy(items, v->items, v->count * v->item_bytes);
    v->items = items;
    v->cap = cap;
    return LEX_OK;
}

static enum lex_status read_span(struct reader *r, const struct lex_field *field,
                                 struct lex_span *ret)
{
    return field->kind == LEX_FIELD_FIXED_LIST ? read_fixed(r, field, ret) : read_string(r, ret);
}

static enum lex_status read_list(struct reader *r, const struct lex_field *field,
                                 struct lex_span_list *ret)
{
    struct lex_vector v = {.item_bytes = sizeof(struct lex_span), .max = field->max_items};
    *ret = (struct lex_span_list){NULL, 0};
    if (lex_json_peek(&r->scan) != '[')
        return wrong_type(r, "expected an array of strings");
    r->scan.at++;
    if (lex_json_take(&r->scan, ']'))
        return LEX_OK;
    do {
        struct lex_span item = {NULL, 0};
        LEX_TRY(grow_list(r, &v));
        LEX_TRY(read_span(r, field, &item));
        memcpy(v.items + v.count++ * sizeof item, &item, sizeof item);
    } while (lex_json_take(&r->scan, ','));
    memcpy(&ret->items, &(void *){v.items}, sizeof ret->items);
    ret->count = v.count;
    return end_of(r, ']');
}

static enum lex_status read_number(struct reader *r, struct lex_value *ret)
{
    struct lex_span literal = {NULL, 0};
    bool integer = false;
    size_t at = r->scan.at;
    LEX_TRY(lex_json_scan_number(&r->scan, &literal, &integer));
    ret->type = integer ? LEX_VALUE_LONG : LEX_VALUE_DOUBLE;
    if (integer ? lex_json_int64(literal, &ret->i64) == LEX_OK
                : lex_json_double(literal, &ret->f64) == LEX_OK)
        return LEX_OK;
    r->scan.at = at;
    return refuse(r, LEX_UNDECODABLE_WRONG_TYPE,
                  integer ? "the integer is beyond 64 bits" : "the number is out of range");
}

static enum lex_status read_value(struct reader *r, const struct lex_field *field,
                                  struct lex_value *ret)
{
    switch (lex_json_peek(&r->scan)) {
    case 'n': ret->type = LEX_VALUE_NULL; return lex_json_scan_word(&r->scan, "null");
    case 't':
    case 'f': ret->type = LEX_VALUE_BOOL; return read_bool(r, &ret->boolean);
    case '"': ret->type = LEX_VALUE_STRING; return lex_json_scan_string(&r->scan, &ret->text);
    case '[': ret->type = LEX_VALUE_LIST; return read_list(r, field, &ret->list);
    default:
        return at_number(r) ? read_number(r, ret)
                            : wrong_type(r, "expected null, true, false, a number, a string or an "
                                            "array of strings");
    }
}

static enum lex_status read_map(struct reader *r, const struct lex_field *field,
                                struct lex_member_list *ret)
{
    struct lex_vector v = {.item_bytes = sizeof(struct lex_member), .max = field->max_items};
    size_t base = r->names.count, at = 0;
    *ret = (struct lex_member_list){NULL, 0};
    if (lex_json_peek(&r->scan) != '{')
        return wrong_type(r, "expected an object");
    r->scan.at++;
    if (lex_json_take(&r->scan, '}'))
        return LEX_OK;
    do {
        struct lex_member member = {{NULL, 0}, {0}};
        LEX_TRY(grow_list(r, &v));
        LEX_TRY(scan_name(r, &member.key, &at));
        LEX_TRY(add_name(r, base, member.key, at));
        LEX_TRY(read_value(r, field, &member.value));
        memcpy(v.items + v.count++ * sizeof member, &member, sizeof member);
    } while (lex_json_take(&r->scan, ','));
    memcpy(&ret->items, &(void *){v.items}, sizeof ret->items);
    ret->count = v.count;
    LEX_TRY(end_of(r, '}'));
    return end_names(r, base);
}

static enum lex_status read_field(struct reader *r, const struct lex_field *field, void *at)
{
    if (!field->required && lex_json_peek(&r->scan) == 'n')
        return lex_json_scan_word(&r->scan, "null");
    switch ((enum lex_field_kind)field->kind) {
    case LEX_FIELD_BOOL: return read_bool(r, at);
    case LEX_FIELD_INT: return read_int32(r, at);
    case LEX_FIELD_LONG:
        return field->text == LEX_TEXT_MICROS ? read_instant(r, at) : read_integer(r, at);
    case LEX_FIELD_OPT_LONG: return read_opt_long(r, field, at);
    case LEX_FIELD_STRING:
    case LEX_FIELD_OPT_STRING:
        return field->text == LEX_TEXT_OBJECT ? read_object_text(r, at) : read_string(r, at);
    case LEX_FIELD_FIXED:
    case LEX_FIELD_OPT_FIXED: return read_fixed(r, field, at);
    case LEX_FIELD_STRING_LIST:
    case LEX_FIELD_FIXED_LIST: return read_list(r, field, at);
    case LEX_FIELD_VALUE_MAP: return read_map(r, field, at);
    case LEX_FIELD_ENUM:
    case LEX_FIELD_RECORD:
    case LEX_FIELD_RECORD_LIST: break;
    }
    LEX_ASSERT(false);
    return LEX_REJECT;
}

/* ---- the object ---- */

/* Writers keep an order, so the search begins behind the member that came last. */
static const struct lex_field *find_field(const struct lex_record_type *type, struct lex_span name,
                                          uint32_t *hint)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        uint32_t at = (*hint + i) % type->field_count;
        if (!lex_span_eq(type->fields[at].name, name))
            continue;
        *hint = at + 1;
        return &type->fields[at];
    }
    return NULL;
}

static bool is_extension(struct lex_span name)
{
    return name.len > 2 && name.data[0] == 'x' && name.data[1] == '_';
}

static enum lex_status read_member(struct reader *r, const struct lex_record_type *type,
                                   void *record, uint64_t *seen, uint32_t *hint)
{
    size_t at = 0;
    r->member = (struct lex_span){NULL, 0};
    LEX_TRY(scan_name(r, &r->member, &at));
    const struct lex_field *field = find_field(type, r->member, hint);
    if (field == NULL && is_extension(r->member)) {
        LEX_TRY(add_name(r, 0, r->member, at));
        return skip_value(r);
    }
    size_t behind = r->scan.at;
    r->scan.at = at;
    if (field == NULL)
        return refuse(r, LEX_UNDECODABLE_UNKNOWN_MEMBER,
                      "no such member; extensions begin with \"x_\"");
    uint64_t bit = (uint64_t)1 << (field - type->fields);
    if (*seen & bit)
        return refuse(r, LEX_UNDECODABLE_DUPLICATE_MEMBER, "this member stands twice");
    *seen |= bit;
    r->scan.at = behind;
    return read_field(r, field, lex_field_in(record, field));
}

static enum lex_status read_members(struct reader *r, const struct lex_record_type *type,
                                    void *record)
{
    uint64_t seen = 0;
    uint32_t hint = 0;
    if (!lex_json_take(&r->scan, '{'))
        return wrong_type(r, "expected an object");
    if (lex_json_take(&r->scan, '}'))
        return LEX_OK;
    do {
        LEX_TRY(read_member(r, type, record, &seen, &hint));
    } while (lex_json_take(&r->scan, ','));
    LEX_TRY(end_of(r, '}'));
    return end_names(r, 0);
}

static enum lex_status read_document(struct reader *r, const struct lex_record_type *type,
                                     void *record)
{
    LEX_TRY(read_members(r, type, record));
    r->member = (struct lex_span){NULL, 0};
    if (lex_json_peek(&r->scan) != 0 || r->scan.at < r->scan.text.len)
        return lex_json_problem(&r->scan, "expected the end of the document");
    return LEX_OK;
}

static enum lex_undecodable class_of(const struct reader *r)
{
    if (r->why != LEX_UNDECODABLE_COUNT)
        return r->why;
    bool characters =
        r->scan.problem == lex_json_bad_utf8 || r->scan.problem == lex_json_lone_surrogate;
    return characters ? LEX_UNDECODABLE_INVALID_UTF8 : LEX_UNDECODABLE_MALFORMED_JSON;
}

/* At most 64 bytes of a name, cut between characters: the message may become part of an entry. */
static int shown_bytes(struct lex_span name)
{
    size_t n = name.len < 64 ? name.len : 64;
    while (n < name.len && n > 0 && (name.data[n] & 0xc0) == 0x80)
        n--;
    return (int)n;
}

static enum lex_status explain(const struct reader *r, struct lex_error *err)
{
    unsigned line, column;
    lex_json_where(r->scan.text, r->scan.problem_at, &line, &column);
    if (lex_span_absent(r->member))
        return lex_fail(err, LEX_REJECT, "line %u column %u: %s", line, column, r->scan.problem);
    return lex_fail(err, LEX_REJECT, "line %u column %u: member '%.*s': %s", line, column,
                    shown_bytes(r->member), (const char *)r->member.data, r->scan.problem);
}

LEX_STATUS lex_json_read(const struct lex_record_type *type, struct lex_span text,
                         struct lex_arena *arena, void *record, enum lex_undecodable *ret_why,
                         struct lex_error *err)
{
    struct reader r;
    LEX_ASSERT(type->field_count <= 64);
    lex_json_scan_init(&r.scan, text, arena);
    r.names.items = r.names.few;
    r.names.count = 0;
    r.names.cap = LEX_COUNT_OF(r.names.few);
    r.items_left = LEX_CODEC_ITEMS_MAX;
    r.depth = 1;
    r.why = LEX_UNDECODABLE_COUNT;
    r.member = (struct lex_span){NULL, 0};
    memcpy(record, type->defaults, type->size);
    enum lex_status status = read_document(&r, type, record);
    if (status == LEX_LIMIT)
        return lex_fail(err, status, "the request needs more memory than its batch may have");
    if (status == LEX_OK)
        return LEX_OK;
    *ret_why = class_of(&r);
    return explain(&r, err);
}
