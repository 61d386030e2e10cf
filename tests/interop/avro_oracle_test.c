/* avro-c as the oracle for equal schemas: what we encode it decodes to the same values, and the
 * bytes that it encodes from those are ours. Random records, one fixed seed. */
#include <avro.h>
#include <stdio.h>

#include "core/codec/codec.h"
#include "schemas/tables.h"
#include "tests/unit/codec_fixture.h"
#include "tests/unit/lex_check.h"

static struct lex_arena arena;
static uint64_t state;

static void setup(void)
{
    lex_arena_init(&arena, 1 << 16, 64 << 20);
    state = 20260101;
}

static void teardown(void)
{
    lex_arena_fini(&arena);
}

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003) */
static uint64_t random_u64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static size_t below(size_t n)
{
    return (size_t)(random_u64() % n);
}

static int64_t random_long(void)
{
    return (int64_t)random_u64() >> below(64);
}

static struct lex_span random_bytes(size_t len)
{
    uint8_t *bytes = lex_arena_alloc(&arena, len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)random_u64();
    return lex_span_of(bytes, len);
}

static struct lex_span random_string(void)
{
    static const char *const pieces[] = {
        "a", "Z", "0", "\"", "\n", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    size_t count = below(below(8) == 0 ? 200 : 20);
    char *text = lex_arena_alloc(&arena, 4 * count + 1), *at = text;
    *at = 0;
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, pieces[below(LEX_COUNT_OF(pieces))]);
    return lex_span_of(text, (size_t)(at - text));
}

static struct lex_span maybe(struct lex_span value)
{
    return below(2) ? value : (struct lex_span){NULL, 0};
}

static struct lex_span_list random_strings(size_t fixed)
{
    size_t count = below(5);
    struct lex_span *items = lex_arena_calloc(&arena, count + 1, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = fixed ? random_bytes(fixed) : random_string();
    return (struct lex_span_list){items, count};
}

static struct lex_value random_value(void)
{
    struct lex_value value = {.type = (enum lex_value_type)below(6)};
    switch (value.type) {
    case LEX_VALUE_NULL: break;
    case LEX_VALUE_BOOL: value.boolean = below(2); break;
    case LEX_VALUE_LONG: value.i64 = random_long(); break;
    case LEX_VALUE_DOUBLE: value.f64 = (double)random_long() / 3; break;
    case LEX_VALUE_STRING: value.text = random_string(); break;
    case LEX_VALUE_LIST: value.list = random_strings(0); break;
    }
    return value;
}

static struct lex_member_list random_members(void)
{
    size_t count = below(6);
    struct lex_member *items = lex_arena_calloc(&arena, count + 1, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct lex_member){lex_arena_printf(&arena, "key%zu", i), random_value()};
    return (struct lex_member_list){items, count};
}

static void random_record(const struct lex_record_type *type, void *record);

static void random_records(const struct lex_record_type *type, void *at)
{
    struct {
        void *items;
        size_t count;
    } list = {NULL, below(4)};
    list.items = lex_arena_calloc(&arena, list.count + 1, type->size);
    for (size_t i = 0; i < list.count; i++)
        random_record(type, (uint8_t *)list.items + i * type->size);
    memcpy(at, &list, sizeof list);
}

/* Driven by the same tables as the codec; that the tables are right, avro-c says. */
static void random_record(const struct lex_record_type *type, void *record)
{
    memset(record, 0, type->size);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct lex_field *f = &type->fields[i];
        void *at = (uint8_t *)record + f->offset;
        switch ((enum lex_field_kind)f->kind) {
        case LEX_FIELD_BOOL: *(bool *)at = below(2); break;
        case LEX_FIELD_INT: *(int32_t *)at = (int32_t)random_long(); break;
        case LEX_FIELD_LONG: *(int64_t *)at = random_long(); break;
        case LEX_FIELD_OPT_LONG:
            *(struct lex_opt_i64 *)at = (struct lex_opt_i64){below(2), random_long()};
            break;
        case LEX_FIELD_STRING: *(struct lex_span *)at = random_string(); break;
        case LEX_FIELD_OPT_STRING: *(struct lex_span *)at = maybe(random_string()); break;
        case LEX_FIELD_FIXED: *(struct lex_span *)at = random_bytes(f->size); break;
        case LEX_FIELD_OPT_FIXED: *(struct lex_span *)at = maybe(random_bytes(f->size)); break;
        case LEX_FIELD_ENUM: memcpy(at, &(uint32_t){(uint32_t)below(f->symbols->count)}, 4); break;
        case LEX_FIELD_RECORD: random_record(f->record, at); break;
        case LEX_FIELD_STRING_LIST: *(struct lex_span_list *)at = random_strings(0); break;
        case LEX_FIELD_FIXED_LIST: *(struct lex_span_list *)at = random_strings(f->size); break;
        case LEX_FIELD_RECORD_LIST: random_records(f->record, at); break;
        case LEX_FIELD_VALUE_MAP: *(struct lex_member_list *)at = random_members(); break;
        }
    }
}

/* ---- what avro-c read, field by field ---- */

static void same_string(avro_value_t *value, struct lex_span want)
{
    const char *text;
    size_t size;
    ck_assert_int_eq(avro_value_get_string(value, &text, &size), 0);
    ck_assert(lex_span_eq(lex_span_of(text, size - 1), want));
}

static void same_fixed(avro_value_t *value, struct lex_span want)
{
    const void *bytes;
    size_t size;
    ck_assert_int_eq(avro_value_get_fixed(value, &bytes, &size), 0);
    ck_assert(lex_span_eq(lex_span_of(bytes, size), want));
}

static void same_long(avro_value_t *value, int64_t want)
{
    int64_t got;
    ck_assert_int_eq(avro_value_get_long(value, &got), 0);
    ck_assert_int_eq(got, want);
}

/* The branch of a union; false where it is null. */
static bool branch_of(avro_value_t *value, bool present, avro_value_t *ret)
{
    int branch;
    ck_assert_int_eq(avro_value_get_discriminant(value, &branch), 0);
    ck_assert_int_eq(branch, present);
    ck_assert_int_eq(avro_value_get_current_branch(value, ret), 0);
    return present;
}

static void same_spans(avro_value_t *value, const struct lex_span_list *want, bool fixed)
{
    size_t count;
    ck_assert_int_eq(avro_value_get_size(value, &count), 0);
    ck_assert_uint_eq(count, want->count);
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;
        ck_assert_int_eq(avro_value_get_by_index(value, i, &item, NULL), 0);
        if (fixed)
            same_fixed(&item, want->items[i]);
        else
            same_string(&item, want->items[i]);
    }
}

static void same_value(avro_value_t *value, const struct lex_value *want)
{
    avro_value_t inner;
    int branch, flag;
    double number;
    ck_assert_int_eq(avro_value_get_discriminant(value, &branch), 0);
    ck_assert_int_eq(branch, (int)want->type);
    ck_assert_int_eq(avro_value_get_current_branch(value, &inner), 0);
    switch (want->type) {
    case LEX_VALUE_NULL: break;
    case LEX_VALUE_BOOL:
        ck_assert_int_eq(avro_value_get_boolean(&inner, &flag), 0);
        ck_assert_int_eq(flag, want->boolean);
        break;
    case LEX_VALUE_LONG: same_long(&inner, want->i64); break;
    case LEX_VALUE_DOUBLE:
        ck_assert_int_eq(avro_value_get_double(&inner, &number), 0);
        ck_assert(number == want->f64);
        break;
    case LEX_VALUE_STRING: same_string(&inner, want->text); break;
    case LEX_VALUE_LIST: same_spans(&inner, &want->list, false); break;
    }
}

static void same_members(avro_value_t *value, const struct lex_member_list *want)
{
    size_t count;
    ck_assert_int_eq(avro_value_get_size(value, &count), 0);
    ck_assert_uint_eq(count, want->count);
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;
        const char *key;
        ck_assert_int_eq(avro_value_get_by_index(value, i, &item, &key), 0);
        ck_assert(lex_span_eq(lex_span_str(key), want->items[i].key));
        same_value(&item, &want->items[i].value);
    }
}

static void same_record(avro_value_t *value, const struct lex_record_type *type,
                        const void *record);

static void same_records(avro_value_t *value, const struct lex_record_type *type, const void *at)
{
    struct {
        const void *items;
        size_t count;
    } want;
    size_t count;
    memcpy(&want, at, sizeof want);
    ck_assert_int_eq(avro_value_get_size(value, &count), 0);
    ck_assert_uint_eq(count, want.count);
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;
        ck_assert_int_eq(avro_value_get_by_index(value, i, &item, NULL), 0);
        same_record(&item, type, (const uint8_t *)want.items + i * type->size);
    }
}

static void same_record(avro_value_t *value, const struct lex_record_type *type, const void *record)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct lex_field *f = &type->fields[i];
        const void *at = (const uint8_t *)record + f->offset;
        const struct lex_span *span = at;
        const struct lex_opt_i64 *opt = at;
        avro_value_t field, inner;
        const char *name;
        int flag;
        int32_t small;
        uint32_t symbol;
        ck_assert_int_eq(avro_value_get_by_index(value, i, &field, &name), 0);
        ck_assert(lex_span_eq(lex_span_str(name), f->name));
        switch ((enum lex_field_kind)f->kind) {
        case LEX_FIELD_BOOL:
            ck_assert_int_eq(avro_value_get_boolean(&field, &flag), 0);
            ck_assert_int_eq(flag, *(const bool *)at);
            break;
        case LEX_FIELD_INT:
            ck_assert_int_eq(avro_value_get_int(&field, &small), 0);
            ck_assert_int_eq(small, *(const int32_t *)at);
            break;
        case LEX_FIELD_LONG: same_long(&field, *(const int64_t *)at); break;
        case LEX_FIELD_OPT_LONG:
            if (branch_of(&field, opt->present, &inner))
                same_long(&inner, opt->value);
            break;
        case LEX_FIELD_STRING: same_string(&field, *span); break;
        case LEX_FIELD_OPT_STRING:
            if (branch_of(&field, !lex_span_absent(*span), &inner))
                same_string(&inner, *span);
            break;
        case LEX_FIELD_FIXED: same_fixed(&field, *span); break;
        case LEX_FIELD_OPT_FIXED:
            if (branch_of(&field, !lex_span_absent(*span), &inner))
                same_fixed(&inner, *span);
            break;
        case LEX_FIELD_ENUM:
            memcpy(&symbol, at, sizeof symbol);
            ck_assert_int_eq(avro_value_get_enum(&field, &flag), 0);
            ck_assert_int_eq(flag, (int)symbol);
            break;
        case LEX_FIELD_RECORD: same_record(&field, f->record, at); break;
        case LEX_FIELD_STRING_LIST: same_spans(&field, at, false); break;
        case LEX_FIELD_FIXED_LIST: same_spans(&field, at, true); break;
        case LEX_FIELD_RECORD_LIST: same_records(&field, f->record, at); break;
        case LEX_FIELD_VALUE_MAP: same_members(&field, at); break;
        }
    }
}

/* ---- both ways ---- */

struct oracle {
    avro_schema_t schema;
    avro_value_iface_t *iface;
    avro_value_t value;
};

static void check_one(struct oracle *oracle, const struct lex_record_type *type, const void *record)
{
    _Alignas(16) uint8_t back[LEX_RECORD_STRUCT_MAX_BYTES];
    struct lex_span value, again;
    size_t size;
    ck_assert_int_eq(lex_encode_framed(type, record, &arena, 1 << 20, &value), LEX_OK);
    avro_reader_t reader = avro_reader_memory((const char *)value.data + LEX_FRAME_BYTES,
                                              (int64_t)value.len - LEX_FRAME_BYTES);
    avro_value_reset(&oracle->value);
    ck_assert_msg(avro_value_read(reader, &oracle->value) == 0, "%s", avro_strerror());
    avro_reader_free(reader);
    same_record(&oracle->value, type, record);

    ck_assert_int_eq(avro_value_sizeof(&oracle->value, &size), 0);
    uint8_t *theirs = lex_arena_alloc(&arena, LEX_FRAME_BYTES + size);
    memcpy(theirs, type->frame, LEX_FRAME_BYTES);
    avro_writer_t writer = avro_writer_memory((char *)theirs + LEX_FRAME_BYTES, (int64_t)size);
    ck_assert_int_eq(avro_value_write(writer, &oracle->value), 0);
    avro_writer_free(writer);
    ck_assert_int_eq(
        lex_decode_framed(type, lex_span_of(theirs, LEX_FRAME_BYTES + size), &arena, back, NULL),
        LEX_OK);
    ck_assert_int_eq(lex_encode_framed(type, back, &arena, 1 << 20, &again), LEX_OK);
    ck_assert(lex_span_eq(again, value));
}

static void check_type(const struct lex_record_type *type, size_t rounds)
{
    _Alignas(16) uint8_t record[LEX_RECORD_STRUCT_MAX_BYTES];
    struct oracle oracle;
    struct lex_span text = type->schema;
    ck_assert_msg(avro_schema_from_json_length((const char *)text.data, text.len, &oracle.schema) ==
                      0,
                  "%s", avro_strerror());
    oracle.iface = avro_generic_class_from_schema(oracle.schema);
    ck_assert_int_eq(avro_generic_value_new(oracle.iface, &oracle.value), 0);
    for (size_t i = 0; i < rounds; i++) {
        random_record(type, record);
        check_one(&oracle, type, record);
        lex_arena_reset(&arena);
    }
    avro_value_decref(&oracle.value);
    avro_value_iface_decref(oracle.iface);
    avro_schema_decref(oracle.schema);
}

START_TEST(avro_c_reads_our_requests_and_writes_the_same_bytes)
{
    check_type(&lex_type_request, 2000);
}
END_TEST

START_TEST(avro_c_reads_our_entries_and_writes_the_same_bytes)
{
    check_type(&lex_type_ledger_entry, 2000);
}
END_TEST

START_TEST(avro_c_reads_our_verdicts_and_writes_the_same_bytes)
{
    check_type(&lex_type_verdict, 1000);
}
END_TEST

LEX_CHECK_MAIN_WITH("avro_oracle", setup, teardown,
                    avro_c_reads_our_requests_and_writes_the_same_bytes,
                    avro_c_reads_our_entries_and_writes_the_same_bytes,
                    avro_c_reads_our_verdicts_and_writes_the_same_bytes)
