/* Codec, Avro: what is encoded comes back, hostile bytes are an error and never more. */
#include <stdio.h>

#include "core/base/arena.h"
#include "core/codec/codec.h"
#include "core/codec/cursor.h"
#include "schemas/tables.h"
#include "tests/unit/codec_fixture.h"
#include "tests/unit/lex_check.h"

static struct lex_arena arena;

static void setup(void)
{
    lex_arena_init(&arena, 1 << 16, 64 << 20);
}

static void teardown(void)
{
    lex_arena_fini(&arena);
}

static struct lex_span encode(const struct lex_record_type *type, const void *record)
{
    struct lex_span value = {NULL, 0};
    ck_assert_int_eq(lex_encode_framed(type, record, &arena, 1 << 20, &value), LEX_OK);
    return value;
}

static struct lex_span encode_request(void)
{
    struct lex_request request = fixture_request();
    return encode(&lex_type_request, &request);
}

static struct lex_span encode_entry(void)
{
    struct lex_ledger_entry entry = fixture_entry();
    return encode(&lex_type_ledger_entry, &entry);
}

START_TEST(entry_round_trip_keeps_every_field)
{
    struct lex_ledger_entry back;
    struct lex_span value = encode_entry();
    ck_assert_int_eq(lex_decode_framed(&lex_type_ledger_entry, value, &arena, &back, NULL), LEX_OK);
    ck_assert_span_eq(back.log, "acme/main/lexecon.ledger/3");
    ck_assert_int_eq(back.seq, 70000);
    ck_assert(lex_span_eq(back.prev, lex_span_of(fixture_bytes, 32)));
    ck_assert_int_eq(back.source.offset, 123456789);
    ck_assert_uint_eq(back.obligations.count, 2);
    ck_assert_span_eq(back.obligations.items[0].approver, "manager");
    ck_assert(lex_span_absent(back.obligations.items[1].approver));
    ck_assert_int_eq(back.obligations.items[1].type, LEX_OBLIGATION_TYPE_ADVICE);
    ck_assert_span_eq(back.facts.items[0].value, "12.5");
    ck_assert(back.evaluated_at.present && back.evaluated_at.value == 1767225600123456);
    ck_assert(lex_span_absent(back.user_id));
    ck_assert(back.replayable && back.allowed);
    ck_assert(lex_span_eq(encode(&lex_type_ledger_entry, &back), value));
}
END_TEST

START_TEST(request_round_trip_keeps_every_context_type)
{
    struct lex_request back;
    struct lex_span value = encode_request();
    ck_assert_int_eq(lex_decode_framed(&lex_type_request, value, &arena, &back, NULL), LEX_OK);
    ck_assert_uint_eq(back.context.count, 6);
    ck_assert_span_eq(back.context.items[0].value.text, "T-1");
    ck_assert(back.context.items[1].value.f64 == 12.5);
    ck_assert_int_eq(back.context.items[2].value.i64, -3);
    ck_assert(back.context.items[3].value.boolean);
    ck_assert_int_eq(back.context.items[4].value.type, LEX_VALUE_NULL);
    ck_assert_span_eq(back.context.items[5].value.list.items[1], "us");
    ck_assert(lex_span_eq(encode(&lex_type_request, &back), value));
}
END_TEST

/* The wire is a contract: these bytes were once sent. */
START_TEST(request_bytes_stay_what_they_were)
{
    static const char want[] =
        "c301f30c7f7580d362410a7265712d311a6167656e743a62696c6c696e670872656164021463726d"
        "2e6c6f6f6b7570022441736b20666f7220224dc3bc6c6c6572220a0216637573746f6d65722f3432"
        "04067069690e66696e616e6365000400020c7374726963740c0c7469636b65740806542d310c616d"
        "6f756e740600000000000029400a636f756e7404050c757267656e740201086e6f6e65000e726567"
        "696f6e730a04046575047573000002327b227a223a20312c202261223a205b312e302c202278225d"
        "7d020a612e622e6300020a742e6f2e6b000102808082e288d2a30602026e";
    struct lex_span value = encode_request();
    char got[2 * 1024 + 1];
    ck_assert_uint_lt(value.len, 1024);
    for (size_t i = 0; i < value.len; i++)
        snprintf(got + 2 * i, 3, "%02x", value.data[i]);
    ck_assert_str_eq(got, want);
}
END_TEST

START_TEST(entry_bytes_stay_what_they_were)
{
    static const char want[] =
        "c301141627b336acbec53461636d652f6d61696e2f6c657865636f6e2e6c65646765722f33e0c508"
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f808991e288d2a306"
        "020c6e6f64652d31206c657865636f6e2e726571756573747306aab4de7580a0d5edee66023c6465"
        "635f30314b4457335a31303030303033303030303030303030303030020a7265712d31021a616765"
        "6e743a62696c6c696e67020872656164021463726d2e6c6f6f6b75700216637573746f6d65722f34"
        "32020670696900045004020004080102125045524d4954544544022c7065726d69742d7265616420"
        "7065726d69747320697402167065726d69742d72656164000400020e6d616e6167657202a0380216"
        "7065726d69742d7265616400000400000000020c6c6f6720697400000236756e6b6e6f776e206461"
        "746120636c6173733a2066696e616e636500021c636f6e746578742e616d6f756e74040831322e35"
        "00020e6578616d706c65020a312e302e300208090a0b0c0d0e0f101112131415161718191a1b1c1d"
        "1e1f202122232425262702101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c"
        "2d2e2f02808991e288d2a3060280959e808bd2a306000212746f7069635f61636c00010000";
    struct lex_span value = encode_entry();
    char got[2 * 1024 + 1];
    ck_assert_uint_lt(value.len, 1024);
    for (size_t i = 0; i < value.len; i++)
        snprintf(got + 2 * i, 3, "%02x", value.data[i]);
    ck_assert_str_eq(got, want);
}
END_TEST

START_TEST(encode_one_byte_over_max_is_a_limit)
{
    struct lex_ledger_entry entry = fixture_entry();
    struct lex_span value = encode_entry(), again = {NULL, 7};
    ck_assert_int_eq(
        lex_encode_framed(&lex_type_ledger_entry, &entry, &arena, value.len - 1, &again),
        LEX_LIMIT);
    ck_assert(again.len == 7);
    ck_assert_int_eq(lex_encode_framed(&lex_type_ledger_entry, &entry, &arena, value.len, &again),
                     LEX_OK);
}
END_TEST

START_TEST(encode_refuses_what_the_schema_cannot_hold)
{
    struct lex_span value;
    struct lex_ledger_entry entry = fixture_entry();
    entry.prev.len = 31;
    ck_assert_int_eq(lex_encode_framed(&lex_type_ledger_entry, &entry, &arena, 1 << 20, &value),
                     LEX_REJECT);
    entry = fixture_entry();
    entry.log = (struct lex_span){NULL, 0};
    ck_assert_int_eq(lex_encode_framed(&lex_type_ledger_entry, &entry, &arena, 1 << 20, &value),
                     LEX_REJECT);
    entry = fixture_entry();
    entry.outcome = LEX_OUTCOME_COUNT;
    ck_assert_int_eq(lex_encode_framed(&lex_type_ledger_entry, &entry, &arena, 1 << 20, &value),
                     LEX_REJECT);
}
END_TEST

START_TEST(encode_into_a_full_arena_is_a_limit)
{
    struct lex_arena small;
    struct lex_span value;
    struct lex_ledger_entry entry = fixture_entry();
    lex_arena_init(&small, 256, 256);
    ck_assert_int_eq(lex_encode_framed(&lex_type_ledger_entry, &entry, &small, 1 << 20, &value),
                     LEX_LIMIT);
    lex_arena_fini(&small);
}
END_TEST

/* ---- hostile bytes ---- */

/* A copy without slack behind it, so that the sanitizer sees each byte too far. */
static enum lex_status decode_copy(const struct lex_record_type *type, const uint8_t *data,
                                   size_t len)
{
    _Alignas(16) uint8_t record[LEX_RECORD_STRUCT_MAX_BYTES];
    struct lex_error err = {""};
    uint8_t *copy = malloc(len + 1);
    memcpy(copy, data, len);
    uint8_t *exact = realloc(copy, len == 0 ? 1 : len);
    enum lex_status status = lex_decode_framed(type, lex_span_of(exact, len), &arena, record, &err);
    ck_assert(status == LEX_OK || err.text[0] != 0);
    free(exact);
    lex_arena_reset(&arena);
    return status;
}

static void check_truncations(const struct lex_record_type *type, struct lex_span value)
{
    uint8_t bytes[2048];
    ck_assert_uint_le(value.len, sizeof bytes);
    memcpy(bytes, value.data, value.len);
    ck_assert_int_eq(decode_copy(type, bytes, value.len), LEX_OK);
    for (size_t len = 0; len < value.len; len++)
        ck_assert_int_eq(decode_copy(type, bytes, len), LEX_REJECT);
}

START_TEST(every_truncation_is_an_error)
{
    check_truncations(&lex_type_request, encode_request());
    check_truncations(&lex_type_ledger_entry, encode_entry());
}
END_TEST

START_TEST(one_byte_too_many_is_an_error)
{
    uint8_t bytes[2048] = {0};
    struct lex_span value = encode_entry();
    memcpy(bytes, value.data, value.len);
    ck_assert_int_eq(decode_copy(&lex_type_ledger_entry, bytes, value.len + 1), LEX_REJECT);
}
END_TEST

/* Any byte replaced by any other: an answer, never a crash, and the frame is always checked. */
static void check_flips(const struct lex_record_type *type, struct lex_span value)
{
    uint8_t bytes[2048];
    size_t len = value.len;
    memcpy(bytes, value.data, len);
    for (size_t i = 0; i < len; i++) {
        uint8_t good = bytes[i];
        for (unsigned flip = 1; flip < 256; flip++) {
            bytes[i] = (uint8_t)(good ^ flip);
            enum lex_status status = decode_copy(type, bytes, len);
            ck_assert(status == LEX_REJECT || (status == LEX_OK && i >= LEX_FRAME_BYTES));
        }
        bytes[i] = good;
    }
}

START_TEST(no_single_byte_change_crashes)
{
    check_flips(&lex_type_request, encode_request());
    check_flips(&lex_type_ledger_entry, encode_entry());
}
END_TEST

/* ---- arrays and maps, written by hand: only what stands before data_classes is fixed ---- */

struct bytes {
    uint8_t data[1 << 18];
    size_t len;
};

static void put(struct bytes *b, const void *data, size_t len)
{
    ck_assert_uint_le(b->len + len, sizeof b->data);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void put_long(struct bytes *b, int64_t value)
{
    uint64_t zigzag = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    uint8_t byte;
    for (; zigzag >= 0x80; zigzag >>= 7) {
        byte = (uint8_t)(zigzag | 0x80);
        put(b, &byte, 1);
    }
    byte = (uint8_t)zigzag;
    put(b, &byte, 1);
}

/* Frame, "r", "a", "p", no tool, no intent, no resource. */
static void put_head(struct bytes *b)
{
    b->len = 0;
    put(b, lex_type_request.frame, LEX_FRAME_BYTES);
    put(b,
        "\x02r\x02"
        "a\x02p\0\0\0",
        9);
}

/* What follows data_classes: risk 1, nothing else. */
static void put_tail(struct bytes *b, bool context)
{
    put(b, "\x02\0\0", 3);
    if (context)
        put(b, "\0", 1);
    put(b, "\0\0\0\0\0\0\0", 7);
}

static enum lex_status decode(struct bytes *b, struct lex_request *ret, struct lex_error *err)
{
    return lex_decode_framed(&lex_type_request, lex_span_of(b->data, b->len), &arena, ret, err);
}

static struct bytes b;
static struct lex_request request;
static struct lex_error err;

START_TEST(array_in_several_blocks_with_and_without_sizes_is_one_list)
{
    put_head(&b);
    put_long(&b, 1);
    put(&b, "\x02x", 2);
    put_long(&b, -2);
    put_long(&b, 4);
    put(&b, "\x02y\x02z", 4);
    put_long(&b, 0);
    put_tail(&b, true);
    ck_assert_int_eq(decode(&b, &request, &err), LEX_OK);
    ck_assert_uint_eq(request.data_classes.count, 3);
    ck_assert_span_eq(request.data_classes.items[2], "z");
}
END_TEST

START_TEST(block_size_that_differs_from_its_items_is_an_error)
{
    put_head(&b);
    put_long(&b, -2);
    put_long(&b, 5);
    put(&b, "\x02y\x02z", 4);
    put_long(&b, 0);
    put_tail(&b, true);
    ck_assert_int_eq(decode(&b, &request, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "block's size"));
}
END_TEST

START_TEST(count_is_bounded_by_the_bytes_that_are_left)
{
    static const int64_t counts[] = {1000, INT32_MAX, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < LEX_COUNT_OF(counts); i++) {
        put_head(&b);
        put_long(&b, counts[i]);
        put_tail(&b, true);
        size_t before = arena.total_bytes;
        ck_assert_int_eq(decode(&b, &request, &err), LEX_REJECT);
        ck_assert_uint_le(arena.total_bytes, before + (1 << 16) + 64);
    }
}
END_TEST

static enum lex_status decode_classes(size_t count, size_t per_block)
{
    put_head(&b);
    for (size_t i = 0; i < count; i += per_block) {
        size_t n = count - i < per_block ? count - i : per_block;
        put_long(&b, (int64_t)n);
        for (size_t k = 0; k < n; k++)
            put(&b, "\0", 1);
    }
    put_long(&b, 0);
    put_tail(&b, true);
    return decode(&b, &request, &err);
}

START_TEST(list_takes_its_ceiling_and_not_one_more)
{
    ck_assert_int_eq(decode_classes(4096, 5000), LEX_OK);
    ck_assert_uint_eq(request.data_classes.count, 4096);
    ck_assert_int_eq(decode_classes(4097, 5000), LEX_REJECT);
    ck_assert_int_eq(decode_classes(4096, 1), LEX_OK);
    ck_assert_int_eq(decode_classes(4097, 1), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "ceiling"));
}
END_TEST

/* 16 lists of 4096 empty strings and one more item: each list is under its ceiling. */
START_TEST(message_has_a_budget_of_items_over_all_lists)
{
    for (size_t last = 4079; last <= 4080; last++) {
        put_head(&b);
        put_long(&b, 0);
        put(&b, "\x02\0\0", 3);
        put_long(&b, 16);
        for (size_t i = 0; i < 16; i++) {
            char key[2] = {2, (char)('a' + i)};
            size_t items = i == 15 ? last + 1 : 4096;
            put(&b, key, 2);
            put_long(&b, LEX_VALUE_LIST);
            put_long(&b, (int64_t)items);
            for (size_t k = 0; k < items; k++)
                put(&b, "\0", 1);
            put_long(&b, 0);
        }
        put_long(&b, 0);
        put(&b, "\0\0\0\0\0\0\0", 7);
        ck_assert_int_eq(decode(&b, &request, &err), last == 4079 ? LEX_OK : LEX_REJECT);
    }
    ck_assert_ptr_nonnull(strstr(err.text, "65536"));
}
END_TEST

static enum lex_status decode_context(const char *first, const char *second)
{
    put_head(&b);
    put_long(&b, 0);
    put(&b, "\x02\0\0", 3);
    put_long(&b, 2);
    put_long(&b, (int64_t)strlen(first));
    put(&b, first, strlen(first));
    put(&b, "\0", 1);
    put_long(&b, (int64_t)strlen(second));
    put(&b, second, strlen(second));
    put(&b, "\0", 1);
    put_long(&b, 0);
    put(&b, "\0\0\0\0\0\0\0", 7);
    return decode(&b, &request, &err);
}

START_TEST(map_with_a_key_twice_is_an_error)
{
    ck_assert_int_eq(decode_context("k", "l"), LEX_OK);
    ck_assert_int_eq(decode_context("k", "k"), LEX_REJECT);
}
END_TEST

START_TEST(map_of_many_keys_finds_the_one_that_stands_twice)
{
    for (int same = 0; same < 2; same++) {
        put_head(&b);
        put_long(&b, 0);
        put(&b, "\x02\0\0", 3);
        put_long(&b, 100);
        for (int i = 0; i < 100; i++) {
            char key[8];
            int len = snprintf(key, sizeof key, "k%d", same && i == 99 ? 3 : i);
            put_long(&b, len);
            put(&b, key, (size_t)len);
            put(&b, "\0", 1);
        }
        put_long(&b, 0);
        put(&b, "\0\0\0\0\0\0\0", 7);
        ck_assert_int_eq(decode(&b, &request, &err), same ? LEX_REJECT : LEX_OK);
    }
}
END_TEST

START_TEST(strings_must_be_utf8)
{
    ck_assert_int_eq(decode_context("\xc3\xbc", "l"), LEX_OK);
    ck_assert_int_eq(decode_context("\xc3(", "l"), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "UTF-8"));
    ck_assert_int_eq(decode_context("\xed\xa0\x80", "l"), LEX_REJECT);
}
END_TEST

START_TEST(varint_of_eleven_bytes_or_beyond_64_bits_is_an_error)
{
    put_head(&b);
    put(&b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    put_tail(&b, true);
    ck_assert_int_eq(decode(&b, &request, &err), LEX_REJECT);
    put_head(&b);
    put(&b, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11);
    put_tail(&b, true);
    ck_assert_int_eq(decode(&b, &request, &err), LEX_REJECT);
}
END_TEST

START_TEST(int_beyond_32_bits_is_an_error)
{
    for (int over = 0; over < 2; over++) {
        put_head(&b);
        put_long(&b, 0);
        put_long(&b, (int64_t)INT32_MAX + over);
        put(&b, "\0\0\0\0\0\0\0\0\0\0", 10);
        ck_assert_int_eq(decode(&b, &request, &err), over ? LEX_REJECT : LEX_OK);
    }
}
END_TEST

START_TEST(failed_decode_leaves_the_output_untouched)
{
    struct lex_span value = encode_request();
    struct lex_request out = {.risk_level = 77};
    ck_assert_int_eq(lex_decode_framed(&lex_type_request, lex_span_of(value.data, value.len - 1),
                                       &arena, &out, &err),
                     LEX_REJECT);
    ck_assert_int_eq(out.risk_level, 77);
}
END_TEST

START_TEST(another_fingerprint_is_refused_by_name)
{
    struct lex_ledger_entry entry;
    ck_assert_int_eq(
        lex_decode_framed(&lex_type_ledger_entry, encode_request(), &arena, &entry, &err),
        LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "LedgerEntry"));
    ck_assert_ptr_nonnull(strstr(err.text, "4162d380757f0cf3"));
}
END_TEST

LEX_CHECK_MAIN_WITH("codec_avro", setup, teardown, entry_round_trip_keeps_every_field,
                    request_round_trip_keeps_every_context_type, request_bytes_stay_what_they_were,
                    entry_bytes_stay_what_they_were, encode_one_byte_over_max_is_a_limit,
                    encode_refuses_what_the_schema_cannot_hold, encode_into_a_full_arena_is_a_limit,
                    every_truncation_is_an_error, one_byte_too_many_is_an_error,
                    no_single_byte_change_crashes,
                    array_in_several_blocks_with_and_without_sizes_is_one_list,
                    block_size_that_differs_from_its_items_is_an_error,
                    count_is_bounded_by_the_bytes_that_are_left,
                    list_takes_its_ceiling_and_not_one_more,
                    message_has_a_budget_of_items_over_all_lists, map_with_a_key_twice_is_an_error,
                    map_of_many_keys_finds_the_one_that_stands_twice, strings_must_be_utf8,
                    varint_of_eleven_bytes_or_beyond_64_bits_is_an_error,
                    int_beyond_32_bits_is_an_error, failed_decode_leaves_the_output_untouched,
                    another_fingerprint_is_refused_by_name)
