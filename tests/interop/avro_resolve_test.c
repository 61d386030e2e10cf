/* Resolution: what Avro's rules say about another writer's schema, rule by rule, on a record that
 * has aliases, defaults and an enum default (kitchen.avsc); then through schema_dir on the request.
 */
#include <stdio.h>
#include <unistd.h>

#include "core/codec/codec.h"
#include "core/codec/resolve.h"
#include "tests/kitchen.h"
#include "tests/unit/lex_check.h"

extern const struct lex_record_type lex_type_kitchen;

static struct lex_arena arena;
static struct lex_error err;
static struct lex_cursor cursor;
static struct lex_kitchen kitchen;

static void setup(void)
{
    lex_arena_init(&arena, 1 << 16, 64 << 20);
    err.text[0] = 0;
}

static void teardown(void)
{
    lex_arena_fini(&arena);
}

static enum lex_status plan_of(const char *writer, const struct lex_plan **ret)
{
    const struct lex_schema *schema = NULL;
    ck_assert_msg(lex_schema_parse(lex_span_str(writer), &arena, &schema, &err) == LEX_OK, "%s: %s",
                  writer, err.text);
    return lex_plan_new(schema, &lex_type_kitchen, &arena, ret, &err);
}

static enum lex_status run(const char *writer, struct lex_span bytes)
{
    const struct lex_plan *plan = NULL;
    enum lex_status status = plan_of(writer, &plan);
    ck_assert_msg(status == LEX_OK, "%s: %s", writer, err.text);
    /* Without slack behind it, so that the sanitizer sees each byte too far. */
    uint8_t *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    struct lex_span kept = lex_arena_dup(&arena, bytes);
    lex_cursor_init(&cursor, lex_span_of(copy, bytes.len), &arena);
    status = lex_plan_run(plan, &cursor, &kitchen);
    free(copy);
    lex_cursor_init(&cursor, kept, &arena);
    enum lex_status again = lex_plan_run(plan, &cursor, &kitchen);
    ck_assert_int_eq(status, again);
    return status;
}

static void resolves(const char *writer, struct lex_span bytes)
{
    enum lex_status status = run(writer, bytes);
    ck_assert_msg(status == LEX_OK, "%s: %s", writer, cursor.problem);
    ck_assert_ptr_eq(cursor.at, cursor.end);
}

static void fails(const char *writer, struct lex_span bytes, enum lex_undecodable why)
{
    ck_assert_msg(run(writer, bytes) == LEX_REJECT, "%s", writer);
    ck_assert_msg(cursor.why == why, "%s: %s", writer, cursor.problem);
}

static void incompatible(const char *writer, const char *message)
{
    const struct lex_plan *plan = NULL;
    ck_assert_msg(plan_of(writer, &plan) == LEX_REJECT, "%s", writer);
    ck_assert_msg(strstr(err.text, message) != NULL, "%s: '%s' lacks '%s'", writer, err.text,
                  message);
}

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"Kitchen\",\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define ID FIELD("id", "\"string\"")

START_TEST(missing_fields_take_their_defaults)
{
    resolves(RECORD(ID), LEX_SPAN("\x02k"));
    ck_assert_span_eq(kitchen.id, "k");
    ck_assert_int_eq(kitchen.level, 7);
    ck_assert(kitchen.flag);
    ck_assert_span_eq(kitchen.note, "none");
    ck_assert_int_eq(kitchen.color, LEX_COLOR_RED);
    ck_assert(lex_span_absent(kitchen.digest) && !kitchen.limit.present);
    ck_assert_uint_eq(kitchen.parts.count + kitchen.digests.count + kitchen.extra.count, 0);
}
END_TEST

START_TEST(missing_required_field_is_incompatible)
{
    incompatible(RECORD(FIELD("level", "\"long\"")), "no field 'id', which is required");
}
END_TEST

START_TEST(aliases_name_older_fields_and_the_name_itself_goes_first)
{
    resolves(RECORD(FIELD("identifier", "\"string\"")), LEX_SPAN("\x02k"));
    ck_assert_span_eq(kitchen.id, "k");
    resolves(RECORD(FIELD("identifier", "\"string\"") "," ID), LEX_SPAN("\x02x\x02k"));
    ck_assert_span_eq(kitchen.id, "k");
    resolves("{\"type\":\"record\",\"name\":\"a.b.OldKitchen\",\"fields\":[" ID "]}",
             LEX_SPAN("\x02k"));
    incompatible("{\"type\":\"record\",\"name\":\"NewKitchen\",\"fields\":[" ID "]}",
                 "no record Kitchen");
    incompatible("\"string\"", "no record Kitchen");
}
END_TEST

START_TEST(order_of_fields_is_the_writers)
{
    resolves(RECORD(FIELD("flag", "\"boolean\"") "," ID "," FIELD("level", "\"long\"")),
             LEX_SPAN("\0\x02k\x05"));
    ck_assert_int_eq(kitchen.level, -3);
    ck_assert(!kitchen.flag);
}
END_TEST

START_TEST(int_becomes_long_and_stays_32_bits)
{
    resolves(RECORD(ID "," FIELD("level", "\"int\"")), LEX_SPAN("\x02k\xfe\xff\xff\xff\x0f"));
    ck_assert_int_eq(kitchen.level, INT32_MAX);
    fails(RECORD(ID "," FIELD("level", "\"int\"")), LEX_SPAN("\x02k\x80\x80\x80\x80\x10"),
          LEX_UNDECODABLE_MALFORMED_AVRO);
    resolves(RECORD(ID "," FIELD("limit", "\"int\"")), LEX_SPAN("\x02k\x08"));
    ck_assert(kitchen.limit.present && kitchen.limit.value == 4);
    incompatible(RECORD(ID "," FIELD("level", "\"double\"")), "field 'level': the writer's double");
    incompatible(RECORD(ID "," FIELD("level", "\"string\"")), "field 'level'");
}
END_TEST

START_TEST(bytes_become_a_string_if_they_are_utf8)
{
    resolves(RECORD(FIELD("id", "\"bytes\"")), LEX_SPAN("\x02k"));
    ck_assert_span_eq(kitchen.id, "k");
    fails(RECORD(FIELD("id", "\"bytes\"")), LEX_SPAN("\x02\xff"), LEX_UNDECODABLE_INVALID_UTF8);
}
END_TEST

START_TEST(narrowing_is_incompatible)
{
    incompatible(RECORD(ID "," FIELD(
                     "parts", "{\"type\":\"array\",\"items\":{\"type\":\"record\","
                              "\"name\":\"Part\",\"fields\":[" FIELD(
                                  "label", "\"string\"") "," FIELD("weight", "\"long\"") "]}}")),
                 "field 'weight': the writer's long");
}
END_TEST

#define COLOR(symbols) "{\"type\":\"enum\",\"name\":\"Color\",\"symbols\":[" symbols "]}"

START_TEST(enum_symbols_are_matched_by_name_and_unknown_ones_take_the_default)
{
    const char *writer = RECORD(ID "," FIELD("color", COLOR("\"green\",\"blue\",\"red\"")));
    resolves(writer, LEX_SPAN("\x02k\0"));
    ck_assert_int_eq(kitchen.color, LEX_COLOR_GREEN);
    resolves(writer, LEX_SPAN("\x02k\x02"));
    ck_assert_int_eq(kitchen.color, LEX_COLOR_UNKNOWN);
    resolves(writer, LEX_SPAN("\x02k\x04"));
    ck_assert_int_eq(kitchen.color, LEX_COLOR_RED);
    fails(writer, LEX_SPAN("\x02k\x06"), LEX_UNDECODABLE_MALFORMED_AVRO);
    fails(writer, LEX_SPAN("\x02k\x01"), LEX_UNDECODABLE_MALFORMED_AVRO);
}
END_TEST

START_TEST(unknown_symbol_without_a_default_fails_the_message_that_has_it)
{
    const char *writer = RECORD(ID "," FIELD("size", "{\"type\":\"enum\",\"name\":\"Size\","
                                                     "\"symbols\":[\"large\",\"huge\"]}"));
    resolves(writer, LEX_SPAN("\x02k\0"));
    ck_assert_int_eq(kitchen.size, LEX_SIZE_LARGE);
    fails(writer, LEX_SPAN("\x02k\x02"), LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA);
}
END_TEST

START_TEST(enum_of_another_name_is_incompatible)
{
    incompatible(
        RECORD(ID "," FIELD("color", "{\"type\":\"enum\",\"name\":\"Hue\",\"symbols\":[\"red\"]}")),
        "field 'color'");
}
END_TEST

#define DIGEST(name, size) "{\"type\":\"fixed\",\"name\":\"" name "\",\"size\":" size "}"

START_TEST(fixed_needs_the_same_name_and_size)
{
    resolves(RECORD(ID "," FIELD("digest", DIGEST("x.Digest", "4"))), LEX_SPAN("\x02k"
                                                                               "abcd"));
    ck_assert_span_eq(kitchen.digest, "abcd");
    resolves(
        RECORD(ID "," FIELD("digests", "{\"type\":\"array\",\"items\":" DIGEST("Digest", "4") "}")),
        LEX_SPAN("\x02k\x04"
                 "abcdefgh\0"));
    ck_assert_span_eq(kitchen.digests.items[1], "efgh");
    incompatible(RECORD(ID "," FIELD("digest", DIGEST("Digest", "5"))), "field 'digest'");
    incompatible(RECORD(ID "," FIELD("digest", DIGEST("Hash", "4"))), "field 'digest'");
}
END_TEST

START_TEST(union_of_the_writer_is_decided_per_message)
{
    const char *writer = RECORD(ID "," FIELD("level", "[\"null\",\"int\",\"string\",\"long\"]"));
    resolves(writer, LEX_SPAN("\x02k\x02\x06"));
    ck_assert_int_eq(kitchen.level, 3);
    resolves(writer, LEX_SPAN("\x02k\x06\x08"));
    ck_assert_int_eq(kitchen.level, 4);
    fails(writer, LEX_SPAN("\x02k\0"), LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA);
    fails(writer, LEX_SPAN("\x02k\x04\x02x"), LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA);
    fails(writer, LEX_SPAN("\x02k\x08"), LEX_UNDECODABLE_MALFORMED_AVRO);
    incompatible(RECORD(ID "," FIELD("level", "[\"null\",\"string\"]")), "field 'level'");
}
END_TEST

START_TEST(optional_of_the_reader_takes_null_alone_and_value_alone)
{
    resolves(RECORD(ID "," FIELD("limit", "[\"long\",\"null\"]")), LEX_SPAN("\x02k\x02"));
    ck_assert(!kitchen.limit.present);
    resolves(RECORD(ID "," FIELD("limit", "[\"long\",\"null\"]")), LEX_SPAN("\x02k\0\x0a"));
    ck_assert(kitchen.limit.present && kitchen.limit.value == 5);
    resolves(RECORD(ID "," FIELD("digest", "\"null\"")), LEX_SPAN("\x02k"));
    ck_assert(lex_span_absent(kitchen.digest));
    incompatible(RECORD(FIELD("id", "\"null\"")), "field 'id': the writer's null");
}
END_TEST

START_TEST(list_of_records_is_resolved_item_by_item)
{
    const char *writer = RECORD(
        ID "," FIELD("parts", "{\"type\":\"array\",\"items\":{\"type\":"
                              "\"record\",\"name\":\"Part\",\"fields\":[" FIELD(
                                  "junk", "\"float\"") "," FIELD("label", "\"string\"") "]}}"));
    resolves(writer, LEX_SPAN("\x02k\x02"
                              "ffff\x02"
                              "a\x01\x0c"
                              "ffff\x02"
                              "b\0"));
    ck_assert_uint_eq(kitchen.parts.count, 2);
    ck_assert_span_eq(kitchen.parts.items[1].label, "b");
    ck_assert_int_eq(kitchen.parts.items[1].weight, 1);
    fails(writer,
          LEX_SPAN("\x02k\x0a"
                   "ffff\0ffff\0ffff\0ffff\0ffff\0\0"),
          LEX_UNDECODABLE_TOO_MANY_ITEMS);
}
END_TEST

#define EXTRA(type) RECORD(ID "," FIELD("extra", "{\"type\":\"map\",\"values\":" type "}"))

START_TEST(values_of_a_map_are_promoted_to_the_first_branch_that_fits)
{
    resolves(EXTRA("\"int\""), LEX_SPAN("\x02k\x02\x02"
                                        "a\x06\0"));
    ck_assert_int_eq(kitchen.extra.items[0].value.type, LEX_VALUE_LONG);
    ck_assert_int_eq(kitchen.extra.items[0].value.i64, 3);
    resolves(EXTRA("\"float\""), LEX_SPAN("\x02k\x02\x02"
                                          "a\0\0\xc0\x3f\0"));
    ck_assert_int_eq(kitchen.extra.items[0].value.type, LEX_VALUE_DOUBLE);
    ck_assert(kitchen.extra.items[0].value.f64 == 1.5);
    resolves(EXTRA("[\"bytes\",\"boolean\",\"null\",{\"type\":\"array\",\"items\":\"bytes\"}]"),
             LEX_SPAN("\x02k\x08\x02"
                      "a\0\x02z\x02"
                      "b\x02\x01\x02"
                      "c\x04\x02"
                      "d\x06\x02\x02q\0\0"));
    ck_assert_span_eq(kitchen.extra.items[0].value.text, "z");
    ck_assert(kitchen.extra.items[1].value.boolean);
    ck_assert_int_eq(kitchen.extra.items[2].value.type, LEX_VALUE_NULL);
    ck_assert_span_eq(kitchen.extra.items[3].value.list.items[0], "q");
    fails(EXTRA("\"int\""),
          LEX_SPAN("\x02k\x04\x02"
                   "a\x06\x02"
                   "a\x06\0"),
          LEX_UNDECODABLE_DUPLICATE_MEMBER);
    incompatible(EXTRA("{\"type\":\"map\",\"values\":\"int\"}"), "field 'extra': the writer's map");
}
END_TEST

/* ---- what is skipped ---- */

#define SKIP(type) RECORD(FIELD("junk", type) "," ID)

START_TEST(unknown_fields_of_every_type_are_skipped)
{
    static const struct {
        const char *writer;
        struct lex_span junk;
    } cases[] = {
        {SKIP("\"null\""), LEX_SPAN_INIT("")},
        {SKIP("\"boolean\""), LEX_SPAN_INIT("\x01")},
        {SKIP("\"int\""), LEX_SPAN_INIT("\x80\x01")},
        {SKIP("\"long\""), LEX_SPAN_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
        {SKIP("\"float\""), LEX_SPAN_INIT("1234")},
        {SKIP("\"double\""), LEX_SPAN_INIT("12345678")},
        {SKIP("\"bytes\""), LEX_SPAN_INIT("\x04\xff\xff")},
        {SKIP("\"string\""), LEX_SPAN_INIT("\x04hi")},
        {SKIP(DIGEST("D", "3")), LEX_SPAN_INIT("123")},
        {SKIP("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}"), LEX_SPAN_INIT("\0")},
        {SKIP("[\"null\",\"string\"]"), LEX_SPAN_INIT("\x02\x02x")},
        {SKIP("{\"type\":\"array\",\"items\":\"int\"}"),
         LEX_SPAN_INIT("\x04\x02\x04\x01\x02\x02\0")},
        {SKIP("{\"type\":\"map\",\"values\":\"int\"}"), LEX_SPAN_INIT("\x02\x02"
                                                                      "a\x02\0")},
        {SKIP("{\"type\":\"record\",\"name\":\"N\",\"fields\":[{\"name\":\"v\",\"type\":\"int\"},"
              "{\"name\":\"n\",\"type\":[\"null\",\"N\"]}]}"),
         LEX_SPAN_INIT("\x02\x02\x04\0")},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        uint8_t bytes[64];
        memcpy(bytes, cases[i].junk.data, cases[i].junk.len);
        memcpy(bytes + cases[i].junk.len, "\x02k", 2);
        resolves(cases[i].writer, lex_span_of(bytes, cases[i].junk.len + 2));
        ck_assert_span_eq(kitchen.id, "k");
        for (size_t len = 0; len < cases[i].junk.len + 2; len++)
            fails(cases[i].writer, lex_span_of(bytes, len), LEX_UNDECODABLE_MALFORMED_AVRO);
    }
}
END_TEST

/* Five bytes that ask for 2^24 nulls: bounded by the budget, and no loop runs. */
START_TEST(items_without_bytes_are_bounded_by_the_budget)
{
    const char *writer = SKIP("{\"type\":\"array\",\"items\":\"null\"}");
    resolves(writer, LEX_SPAN("\x80\x80\x08\0\x02k"));
    fails(writer, LEX_SPAN("\x82\x80\x08\0\x02k"), LEX_UNDECODABLE_TOO_MANY_ITEMS);
    fails(writer, LEX_SPAN("\x80\x80\x04\x80\x80\x04\x02\0\x02k"), LEX_UNDECODABLE_TOO_MANY_ITEMS);
    fails(writer, LEX_SPAN("\x80\x80\x80\x10\0\x02k"), LEX_UNDECODABLE_TOO_MANY_ITEMS);
}
END_TEST

START_TEST(recursive_schema_is_skipped_to_a_depth_and_no_further)
{
    const char *writer = SKIP("{\"type\":\"record\",\"name\":\"N\",\"fields\":[{\"name\":\"n\","
                              "\"type\":[\"null\",\"N\"]}]}");
    uint8_t bytes[4096];
    memset(bytes, 2, sizeof bytes);
    bytes[30] = 0;
    memcpy(bytes + 31, "\x02k", 2);
    resolves(writer, lex_span_of(bytes, 33));
    bytes[30] = 2;
    bytes[31] = 2;
    fails(writer, lex_span_of(bytes, sizeof bytes), LEX_UNDECODABLE_MALFORMED_AVRO);
}
END_TEST

/* ---- through the codec ---- */

static char dir[64];

static void write_schema(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/lexecon-schemas-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    char path[128];
    static const char *const names[] = {"a.avsc", "b.avsc", "notes.txt"};
    for (size_t i = 0; i < LEX_COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static const char old_request[] =
    "{\"type\":\"record\",\"name\":\"com.agent.Request\",\"fields\":[" FIELD(
        "priority",
        "\"int\"") "," FIELD("request_id",
                             "\"string\"") "," FIELD("actor",
                                                     "\"string\"") "," FIELD("proposed_action",
                                                                             "\"string\"") "]}";

static enum lex_status decode_with(struct lex_codec *codec, const char *schema,
                                   struct lex_span body, struct lex_request *request,
                                   enum lex_undecodable *why)
{
    const struct lex_schema *parsed = NULL;
    enum lex_format format;
    uint64_t fingerprint = 0;
    uint8_t bytes[256] = {0xc3, 0x01};
    ck_assert_int_eq(lex_schema_parse(lex_span_str(schema), &arena, &parsed, &err), LEX_OK);
    ck_assert_int_eq(lex_schema_fingerprint(parsed, &fingerprint), LEX_OK);
    for (unsigned i = 0; i < 8; i++)
        bytes[2 + i] = (uint8_t)(fingerprint >> (8 * i));
    memcpy(bytes + 10, body.data, body.len);
    struct lex_span value = lex_arena_dup(&arena, lex_span_of(bytes, 10 + body.len));
    return lex_decode_request(codec, value, &arena, request, &format, why, &err);
}

START_TEST(schema_dir_makes_a_writer_known)
{
    struct lex_codec *codec = NULL;
    struct lex_request request;
    enum lex_undecodable why;
    struct lex_span body = LEX_SPAN("\x0a\x02r\x02"
                                    "a\x02p");
    make_dir();
    ck_assert_int_eq(lex_codec_new(NULL, &codec, &err), LEX_OK);
    ck_assert_int_eq(decode_with(codec, old_request, body, &request, &why), LEX_REJECT);
    ck_assert_int_eq(why, LEX_UNDECODABLE_UNKNOWN_SCHEMA);
    ck_assert_ptr_nonnull(strstr(err.text, "schema_dir"));
    lex_codec_free(codec);

    write_schema("a.avsc", old_request);
    write_schema("b.avsc", RECORD(ID));
    write_schema("notes.txt", "no schema");
    struct lex_codec_options options = {dir};
    enum lex_status status = lex_codec_new(&options, &codec, &err);
    ck_assert_msg(status == LEX_OK, "%s", err.text);
    for (int i = 0; i < 2; i++) {
        status = decode_with(codec, old_request, body, &request, &why);
        ck_assert_msg(status == LEX_OK, "%s", err.text);
        ck_assert_span_eq(request.actor, "a");
        ck_assert_int_eq(request.risk_level, 1);
        ck_assert_int_eq(decode_with(codec, RECORD(ID), LEX_SPAN("\x02k"), &request, &why),
                         LEX_REJECT);
        ck_assert_int_eq(why, LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA);
        ck_assert_ptr_nonnull(strstr(err.text, "no record Request"));
    }
    ck_assert_int_eq(decode_with(codec, old_request,
                                 LEX_SPAN("\x0a\x02r\x02"
                                          "a\x02pq"),
                                 &request, &why),
                     LEX_REJECT);
    ck_assert_int_eq(why, LEX_UNDECODABLE_MALFORMED_AVRO);
    lex_codec_free(codec);
    remove_dir();
}
END_TEST

START_TEST(bad_schema_in_schema_dir_is_refused_by_name)
{
    struct lex_codec *codec = NULL;
    make_dir();
    write_schema("a.avsc", "{\"type\":\"record\",\n\"fields\":[]}");
    struct lex_codec_options options = {dir};
    ck_assert_int_eq(lex_codec_new(&options, &codec, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "a.avsc: line 1 column 1"));
    ck_assert_ptr_null(codec);
    remove_dir();
    ck_assert_int_eq(lex_codec_new(&options, &codec, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot be read"));
}
END_TEST

LEX_CHECK_MAIN_WITH("avro_resolve", setup, teardown, missing_fields_take_their_defaults,
                    missing_required_field_is_incompatible,
                    aliases_name_older_fields_and_the_name_itself_goes_first,
                    order_of_fields_is_the_writers, int_becomes_long_and_stays_32_bits,
                    bytes_become_a_string_if_they_are_utf8, narrowing_is_incompatible,
                    enum_symbols_are_matched_by_name_and_unknown_ones_take_the_default,
                    unknown_symbol_without_a_default_fails_the_message_that_has_it,
                    enum_of_another_name_is_incompatible, fixed_needs_the_same_name_and_size,
                    union_of_the_writer_is_decided_per_message,
                    optional_of_the_reader_takes_null_alone_and_value_alone,
                    list_of_records_is_resolved_item_by_item,
                    values_of_a_map_are_promoted_to_the_first_branch_that_fits,
                    unknown_fields_of_every_type_are_skipped,
                    items_without_bytes_are_bounded_by_the_budget,
                    recursive_schema_is_skipped_to_a_depth_and_no_further,
                    schema_dir_makes_a_writer_known, bad_schema_in_schema_dir_is_refused_by_name)
