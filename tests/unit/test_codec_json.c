/* Codec, JSON requests: the strict reader takes what is meant and names what is wrong, with its
 * place; each refusal stands beside the nearest thing that is taken. */
#include <stdio.h>

#include "core/codec/codec.h"
#include "core/codec/cursor.h"
#include "tests/unit/codec_fixture.h"
#include "tests/unit/lex_check.h"

static struct lex_arena arena;
static struct lex_codec *codec;
static struct lex_request request;
static enum lex_format format;
static enum lex_undecodable why;
static struct lex_error err;

static void setup(void)
{
    lex_arena_init(&arena, 1 << 16, 64 << 20);
    ck_assert_int_eq(lex_codec_new(NULL, &codec, &err), LEX_OK);
}

static void teardown(void)
{
    lex_codec_free(codec);
    lex_arena_fini(&arena);
}

static enum lex_status decode_span(struct lex_span text)
{
    why = LEX_UNDECODABLE_COUNT;
    err.text[0] = 0;
    return lex_decode_request(codec, text, &arena, &request, &format, &why, &err);
}

static enum lex_status decode(const char *text)
{
    return decode_span(lex_span_str(text));
}

static void takes(const char *text)
{
    enum lex_status status = decode(text);
    ck_assert_msg(status == LEX_OK, "%s: %s", text, err.text);
}

static void refuses(const char *text, enum lex_undecodable expected, const char *message)
{
    ck_assert_msg(decode(text) == LEX_REJECT, "taken: %s", text);
    ck_assert_msg(why == expected, "%s: %s instead of %s (%s)", text, lex_undecodable_name(why),
                  lex_undecodable_name(expected), err.text);
    ck_assert_msg(strstr(err.text, message) != NULL, "%s: '%s' lacks '%s'", text, err.text,
                  message);
}

#define REQUIRED "\"request_id\":\"r\",\"actor\":\"a\",\"proposed_action\":\"p\""

START_TEST(full_request_fills_every_member)
{
    takes(
        "{" REQUIRED
        ",\"tool\":\"t\",\"user_intent\":\"say \\\"h\\u00e9\\ud83d\\ude00\\\"\",\"resource\":\"s\","
        "\"data_classes\":[\"x\",\"y\"],\"risk_level\":4,\"requested_output_type\":\"o\","
        "\"policy_mode\":\"strict\",\"context\":{\"n\":null,\"b\":true,\"l\":-7,\"d\":1.5,"
        "\"s\":\"v\",\"a\":[\"1\",\"2\"],\"e\":[]},\"arguments\": {\"k\": [1, {}] } ,"
        "\"attestations\":[\"j\"],\"capability_token\":\"c\",\"user_id\":\"u\","
        "\"want_token\":true,\"deadline\":\"2026-01-01T00:00:00.5Z\",\"nonce\":\"n\"}");
    ck_assert_int_eq(format, LEX_FORMAT_JSON);
    ck_assert_span_eq(request.user_intent, "say \"h\xc3\xa9\xf0\x9f\x98\x80\"");
    ck_assert_uint_eq(request.data_classes.count, 2);
    ck_assert_int_eq(request.risk_level, 4);
    ck_assert_uint_eq(request.context.count, 7);
    ck_assert_int_eq(request.context.items[0].value.type, LEX_VALUE_NULL);
    ck_assert(request.context.items[1].value.boolean);
    ck_assert_int_eq(request.context.items[2].value.i64, -7);
    ck_assert(request.context.items[3].value.f64 == 1.5);
    ck_assert_span_eq(request.context.items[4].value.text, "v");
    ck_assert_span_eq(request.context.items[5].value.list.items[1], "2");
    ck_assert_uint_eq(request.context.items[6].value.list.count, 0);
    ck_assert_span_eq(request.arguments, "{\"k\": [1, {}] }");
    ck_assert(request.want_token && request.deadline.present);
    ck_assert_int_eq(request.deadline.value, 1767225600500000);
    ck_assert_span_eq(request.nonce, "n");
}
END_TEST

START_TEST(missing_members_are_absent_and_defaults_are_filled)
{
    takes(" {} ");
    ck_assert(lex_span_absent(request.request_id) && lex_span_absent(request.actor));
    ck_assert_int_eq(request.risk_level, 1);
    ck_assert(!request.want_token && !request.deadline.present);
    ck_assert_uint_eq(request.context.count + request.data_classes.count, 0);
}
END_TEST

START_TEST(null_is_absence_for_optional_members_only)
{
    takes("{" REQUIRED ",\"tool\":null,\"risk_level\":null,\"data_classes\":null,\"deadline\":null,"
          "\"arguments\":null,\"context\":null}");
    ck_assert(lex_span_absent(request.tool) && lex_span_absent(request.arguments));
    ck_assert_int_eq(request.risk_level, 1);
    ck_assert(!request.deadline.present);
    refuses("{\"actor\":null}", LEX_UNDECODABLE_WRONG_TYPE, "member 'actor': expected a string");
}
END_TEST

START_TEST(empty_string_is_present)
{
    takes("{\"actor\":\"\"}");
    ck_assert(!lex_span_absent(request.actor) && request.actor.len == 0);
}
END_TEST

START_TEST(wrong_types_are_named_with_their_place)
{
    refuses("{\"actor\":5}", LEX_UNDECODABLE_WRONG_TYPE,
            "line 1 column 10: member 'actor': expected a string");
    refuses("{\n \"risk_level\": \"3\"}", LEX_UNDECODABLE_WRONG_TYPE,
            "line 2 column 16: member 'risk_level': expected an integer");
    refuses("{\"risk_level\":3.0}", LEX_UNDECODABLE_WRONG_TYPE, "expected an integer");
    refuses("{\"risk_level\":1e0}", LEX_UNDECODABLE_WRONG_TYPE, "expected an integer");
    refuses("{\"want_token\":1}", LEX_UNDECODABLE_WRONG_TYPE, "expected true or false");
    refuses("{\"data_classes\":\"pii\"}", LEX_UNDECODABLE_WRONG_TYPE, "expected an array");
    refuses("{\"data_classes\":[1]}", LEX_UNDECODABLE_WRONG_TYPE, "expected a string");
    refuses("{\"context\":[]}", LEX_UNDECODABLE_WRONG_TYPE, "expected an object");
    refuses("{\"context\":{\"k\":{}}}", LEX_UNDECODABLE_WRONG_TYPE, "member 'context'");
    refuses("{\"context\":{\"k\":[1]}}", LEX_UNDECODABLE_WRONG_TYPE, "expected a string");
    refuses("{\"arguments\":\"{}\"}", LEX_UNDECODABLE_WRONG_TYPE, "expected an object");
    refuses("{\"arguments\":[]}", LEX_UNDECODABLE_WRONG_TYPE, "expected an object");
    refuses("{\"deadline\":1767225600}", LEX_UNDECODABLE_WRONG_TYPE, "expected a string");
    refuses("{\"deadline\":\"tomorrow\"}", LEX_UNDECODABLE_WRONG_TYPE, "RFC 3339");
}
END_TEST

START_TEST(numbers_out_of_range_are_refused)
{
    takes("{\"risk_level\":2147483647,\"context\":{\"k\":9223372036854775807,\"l\":1e308}}");
    ck_assert_int_eq(request.context.items[0].value.i64, INT64_MAX);
    refuses("{\"risk_level\":2147483648}", LEX_UNDECODABLE_WRONG_TYPE, "beyond 32 bits");
    refuses("{\"context\":{\"k\":9223372036854775808}}", LEX_UNDECODABLE_WRONG_TYPE,
            "beyond 64 bits");
    refuses("{\"context\":{\"k\":1e309}}", LEX_UNDECODABLE_WRONG_TYPE, "out of range");
}
END_TEST

START_TEST(members_that_stand_twice_are_refused_at_every_depth)
{
    refuses("{\"actor\":\"a\",\"actor\":\"a\"}", LEX_UNDECODABLE_DUPLICATE_MEMBER,
            "line 1 column 14: member 'actor': this member stands twice");
    refuses("{\"actor\":\"a\",\"\\u0061ctor\":\"a\"}", LEX_UNDECODABLE_DUPLICATE_MEMBER, "twice");
    refuses("{\"context\":{\"k\":1,\"k\":2}}", LEX_UNDECODABLE_DUPLICATE_MEMBER, "twice");
    refuses("{\"arguments\":{\"a\":{\"k\":1,\"k\":2}}}", LEX_UNDECODABLE_DUPLICATE_MEMBER, "twice");
    refuses("{\"x_a\":1,\"x_a\":2}", LEX_UNDECODABLE_DUPLICATE_MEMBER, "twice");
    refuses("{\"x_a\":{\"k\":1,\"k\":2}}", LEX_UNDECODABLE_DUPLICATE_MEMBER, "twice");
    takes("{\"arguments\":{\"k\":1,\"a\":{\"k\":1}},\"context\":{\"k\":1},\"x_k\":{\"k\":1}}");
}
END_TEST

START_TEST(many_members_are_searched_for_twins_too)
{
    char text[4096];
    for (int twin = 0; twin < 2; twin++) {
        int len = snprintf(text, sizeof text, "{\"arguments\":{");
        for (int i = 0; i < 100; i++)
            len += snprintf(text + len, sizeof text - (size_t)len, "%s\"k%d\":{\"k\":1}",
                            i == 0 ? "" : ",", twin && i == 99 ? 50 : i);
        snprintf(text + len, sizeof text - (size_t)len, "}}");
        if (twin)
            refuses(text, LEX_UNDECODABLE_DUPLICATE_MEMBER, "member twice");
        else
            takes(text);
    }
}
END_TEST

START_TEST(unknown_members_are_refused_except_extensions)
{
    refuses("{\"Actor\":\"a\"}", LEX_UNDECODABLE_UNKNOWN_MEMBER,
            "line 1 column 2: member 'Actor': no such member");
    refuses("{\"x\":1}", LEX_UNDECODABLE_UNKNOWN_MEMBER, "no such member");
    refuses("{\"x_\":1}", LEX_UNDECODABLE_UNKNOWN_MEMBER, "no such member");
    takes("{\"x_trace\":{\"any\":[1,2,{\"deep\":null}]}}");
    refuses("{\"x_trace\":{\"any\":[1,]}}", LEX_UNDECODABLE_MALFORMED_JSON, "expected a value");
}
END_TEST

START_TEST(bad_characters_are_told_from_bad_syntax)
{
    refuses("{\"actor\":\"\xc3(\"}", LEX_UNDECODABLE_INVALID_UTF8, "UTF-8");
    refuses("{\"actor\":\"\\ud800\"}", LEX_UNDECODABLE_INVALID_UTF8, "surrogate");
    refuses("{\"actor\":\"\\udc00\\ud800\"}", LEX_UNDECODABLE_INVALID_UTF8, "surrogate");
    refuses("{\"context\":{\"\xff\":1}}", LEX_UNDECODABLE_INVALID_UTF8, "UTF-8");
    refuses("{\"actor\":\"a\nb\"}", LEX_UNDECODABLE_MALFORMED_JSON, "control character");
    refuses("{\"actor\":\"\\q\"}", LEX_UNDECODABLE_MALFORMED_JSON, "escape");
}
END_TEST

START_TEST(bad_syntax_is_malformed)
{
    static const char *const texts[] = {
        "{",
        "{\"actor\"",
        "{\"actor\":",
        "{\"actor\":}",
        "{\"actor\":\"a\"",
        "{\"actor\":\"a\",}",
        "{\"actor\":\"a\"} x",
        "{\"actor\":\"a\"}{}",
        "{actor:\"a\"}",
        "{'actor':'a'}",
        "{\"risk_level\":01}",
        "{\"risk_level\":+1}",
        "{\"risk_level\":-}",
        "{\"context\":{\"k\":1.}}",
        "{\"context\":{\"k\":tru}}",
        "{\"context\":{\"k\":NaN}}",
        "{\"data_classes\":[\"a\",]}",
        "{\"data_classes\":[\"a\" \"b\"]}",
        "{\"arguments\":{\"a\":1]}",
        "{/* */}",
    };
    for (size_t i = 0; i < LEX_COUNT_OF(texts); i++)
        refuses(texts[i], LEX_UNDECODABLE_MALFORMED_JSON, "line 1 column ");
}
END_TEST

START_TEST(arguments_may_nest_to_depth_64_and_not_deeper)
{
    char text[1024];
    for (int depth = 62; depth <= 63; depth++) {
        int len = snprintf(text, sizeof text, "{\"arguments\":{\"a\":");
        memset(text + len, '[', (size_t)depth);
        memset(text + len + depth, ']', (size_t)depth);
        snprintf(text + len + 2 * depth, sizeof text - (size_t)(len + 2 * depth), "}}");
        if (depth == 62)
            takes(text);
        else
            refuses(text, LEX_UNDECODABLE_MALFORMED_JSON, "64 deep");
    }
}
END_TEST

static char *list_of(const char *head, const char *item, size_t count, const char *tail)
{
    char *text = malloc(strlen(head) + (strlen(item) + 1) * count + strlen(tail) + 1), *at = text;
    at = stpcpy(at, head);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(stpcpy(at, i == 0 ? "" : ","), item);
    (void)stpcpy(at, tail);
    return text;
}

START_TEST(lists_take_their_ceiling_and_not_one_more)
{
    char *good = list_of("{\"data_classes\":[", "\"\"", 4096, "]}");
    char *bad = list_of("{\"data_classes\":[", "\"\"", 4097, "]}");
    takes(good);
    ck_assert_uint_eq(request.data_classes.count, 4096);
    ck_assert_int_eq(decode(bad), LEX_REJECT);
    ck_assert_int_eq(why, LEX_UNDECODABLE_TOO_MANY_ITEMS);
    free(good);
    free(bad);
}
END_TEST

START_TEST(a_message_has_a_budget_of_items)
{
    size_t room = LEX_CODEC_ITEMS_MAX - 2; /* the members arguments and a are items as well */
    char *good = list_of("{\"arguments\":{\"a\":[", "1", room, "]}}");
    char *bad = list_of("{\"arguments\":{\"a\":[", "1", room + 1, "]}}");
    takes(good);
    ck_assert_int_eq(decode(bad), LEX_REJECT);
    ck_assert_int_eq(why, LEX_UNDECODABLE_TOO_MANY_ITEMS);
    free(good);
    free(bad);
}
END_TEST

START_TEST(framing_is_recognised_or_refused)
{
    refuses("[]", LEX_UNDECODABLE_UNKNOWN_FRAMING, "neither a JSON object");
    refuses("\"text\"", LEX_UNDECODABLE_UNKNOWN_FRAMING, "neither");
    refuses("\xef\xbb\xbf{}", LEX_UNDECODABLE_UNKNOWN_FRAMING, "neither");
    refuses("   ", LEX_UNDECODABLE_UNKNOWN_FRAMING, "neither");
    refuses("", LEX_UNDECODABLE_EMPTY, "no value");
    ck_assert_int_eq(decode_span((struct lex_span){NULL, 0}), LEX_REJECT);
    ck_assert_int_eq(why, LEX_UNDECODABLE_EMPTY);
    ck_assert_int_eq(decode_span(LEX_SPAN("\0\0\0\0\1abc")), LEX_REJECT);
    ck_assert_int_eq(why, LEX_UNDECODABLE_UNKNOWN_FRAMING);
    ck_assert_int_eq(format, LEX_FORMAT_AVRO);
    ck_assert_ptr_nonnull(strstr(err.text, "Confluent"));
    refuses("\xc3\x01short", LEX_UNDECODABLE_MALFORMED_AVRO, "fingerprint");
    refuses("\xc3\x01"
            "12345678",
            LEX_UNDECODABLE_UNKNOWN_SCHEMA, "3837363534333231");
    ck_assert_int_eq(format, LEX_FORMAT_AVRO);
}
END_TEST

START_TEST(request_of_one_mebibyte_is_taken_and_one_byte_more_is_not)
{
    size_t max = 1 << 20;
    char *text = malloc(max + 2);
    memset(text, ' ', max + 1);
    memcpy(text, "{}", 2);
    ck_assert_int_eq(decode_span(lex_span_of(text, max)), LEX_OK);
    ck_assert_int_eq(decode_span(lex_span_of(text, max + 1)), LEX_REJECT);
    ck_assert_int_eq(why, LEX_UNDECODABLE_TOO_LARGE);
    free(text);
}
END_TEST

START_TEST(full_arena_is_a_limit_and_not_a_crash)
{
    struct lex_arena small;
    char *text = list_of("{\"data_classes\":[", "\"\\u0041\"", 500, "]}");
    lex_arena_init(&small, 256, 1024);
    ck_assert_int_eq(
        lex_decode_request(codec, lex_span_str(text), &small, &request, &format, &why, &err),
        LEX_LIMIT);
    lex_arena_fini(&small);
    free(text);
}
END_TEST

START_TEST(failure_leaves_the_output_untouched)
{
    request.risk_level = 77;
    ck_assert_int_eq(decode("{\"risk_level\":3,\"actor\":5}"), LEX_REJECT);
    ck_assert_int_eq(request.risk_level, 77);
}
END_TEST

START_TEST(message_names_a_long_member_cut_between_characters)
{
    char text[256],
        *at = stpcpy(text, "{\"x"); /* an odd place, so that byte 64 is inside a character */
    for (int i = 0; i < 40; i++)
        at = stpcpy(at, "\xc3\xbc");
    (void)stpcpy(at, "a\":1}");
    ck_assert_int_eq(decode(text), LEX_REJECT);
    ck_assert(lex_utf8_valid(lex_span_str(err.text)));
}
END_TEST

/* Every truncation is an error; every change of one byte is answered. */
START_TEST(damaged_json_is_answered)
{
    static const char good[] =
        "{" REQUIRED
        ",\"tool\":\"\\u00e9\\ud83d\\ude00\",\"data_classes\":[\"x\"],\"risk_level\":4,"
        "\"context\":{\"n\":null,\"d\":1.5e3,\"a\":[\"1\"]},\"arguments\":{\"k\":[1,{}]},"
        "\"want_token\":true,\"deadline\":\"2026-01-01T00:00:00Z\"}";
    takes(good);
    for (size_t len = 0; len + 1 < sizeof good; len++) {
        char *copy = malloc(len == 0 ? 1 : len);
        memcpy(copy, good, len);
        ck_assert_int_eq(decode_span(lex_span_of(copy, len)), LEX_REJECT);
        free(copy);
    }
    for (size_t i = 0; i + 1 < sizeof good; i++)
        for (unsigned c = 0; c < 256; c++) {
            char *copy = malloc(sizeof good - 1);
            memcpy(copy, good, sizeof good - 1);
            copy[i] = (char)c;
            enum lex_status status = decode_span(lex_span_of(copy, sizeof good - 1));
            ck_assert(status == LEX_OK || (status == LEX_REJECT && err.text[0] != 0));
            free(copy);
            lex_arena_reset(&arena);
        }
}
END_TEST

START_TEST(client_encoding_is_read_back_in_both_formats)
{
    struct lex_request sent = fixture_request();
    uint8_t want[32], got[32];
    ck_assert_int_eq(lex_request_fingerprint(&sent, &arena, want, &err), LEX_OK);
    for (int i = LEX_FORMAT_AVRO; i <= LEX_FORMAT_JSON; i++) {
        struct lex_span value;
        ck_assert_int_eq(lex_encode_request((enum lex_format)i, &sent, &arena, &value), LEX_OK);
        enum lex_status status = decode_span(value);
        ck_assert_msg(status == LEX_OK, "%s", err.text);
        ck_assert_int_eq(format, i);
        ck_assert_int_eq(request.deadline.value, sent.deadline.value);
        ck_assert(request.want_token);
        ck_assert_span_eq(request.capability_token, "t.o.k");
        ck_assert_int_eq(lex_request_fingerprint(&request, &arena, got, &err), LEX_OK);
        ck_assert_mem_eq(got, want, 32);
    }
}
END_TEST

START_TEST(client_encoding_refuses_what_the_service_would)
{
    struct lex_request sent = fixture_request();
    struct lex_span value;
    sent.actor = LEX_SPAN("\xff");
    ck_assert_int_eq(lex_encode_request(LEX_FORMAT_JSON, &sent, &arena, &value), LEX_REJECT);
    ck_assert_int_eq(lex_encode_request(LEX_FORMAT_AVRO, &sent, &arena, &value), LEX_REJECT);
    sent = fixture_request();
    sent.arguments = LEX_SPAN("[1]");
    ck_assert_int_eq(lex_encode_request(LEX_FORMAT_JSON, &sent, &arena, &value), LEX_REJECT);
}
END_TEST

LEX_CHECK_MAIN_WITH(
    "codec_json", setup, teardown, full_request_fills_every_member,
    missing_members_are_absent_and_defaults_are_filled, null_is_absence_for_optional_members_only,
    empty_string_is_present, wrong_types_are_named_with_their_place,
    numbers_out_of_range_are_refused, members_that_stand_twice_are_refused_at_every_depth,
    many_members_are_searched_for_twins_too, unknown_members_are_refused_except_extensions,
    bad_characters_are_told_from_bad_syntax, bad_syntax_is_malformed,
    arguments_may_nest_to_depth_64_and_not_deeper, lists_take_their_ceiling_and_not_one_more,
    a_message_has_a_budget_of_items, framing_is_recognised_or_refused,
    request_of_one_mebibyte_is_taken_and_one_byte_more_is_not,
    full_arena_is_a_limit_and_not_a_crash, failure_leaves_the_output_untouched,
    message_names_a_long_member_cut_between_characters, damaged_json_is_answered,
    client_encoding_is_read_back_in_both_formats, client_encoding_refuses_what_the_service_would)
