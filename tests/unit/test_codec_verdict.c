/* Codec: the request's fingerprint, and verdicts in both formats with the entry that they carry. */
#include <math.h>
#include <stdio.h>

#include "core/base/jcs.h"
#include "core/base/text.h"
#include "core/codec/codec.h"
#include "core/codec/text_writer.h"
#include "core/crypto/crypto.h"
#include "schemas/tables.h"
#include "tests/unit/codec_fixture.h"
#include "tests/unit/lex_check.h"

static struct lex_arena arena;
static struct lex_error err;

static void setup(void)
{
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    lex_arena_init(&arena, 1 << 16, 64 << 20);
}

static void teardown(void)
{
    lex_arena_fini(&arena);
}

/* ---- canonical form ---- */

static struct lex_span canonical(const struct lex_request *request)
{
    struct lex_span json = {NULL, 0};
    enum lex_status status = lex_request_canonical(request, &arena, &json, &err);
    ck_assert_msg(status == LEX_OK, "%s", err.text);
    return json;
}

static void same_as_general_form(const struct lex_request *request, const char *json)
{
    const struct lex_json *root;
    struct lex_buf buf;
    lex_buf_init(&buf, 1 << 20);
    ck_assert_msg(lex_json_parse(&arena, lex_span_str(json), &root, &err) == LEX_OK, "%s",
                  err.text);
    lex_jcs_put(&buf, root);
    ck_assert(lex_buf_ok(&buf));
    ck_assert_span_eq(canonical(request), lex_buf_str(&buf));
    lex_buf_fini(&buf);
}

START_TEST(canonical_form_is_what_the_general_canonicaliser_writes)
{
    struct lex_request request = fixture_request();
    same_as_general_form(
        &request, "{\"tool\":\"crm.lookup\",\"user_intent\":\"Ask for \\\"M\\u00fcller\\\"\\n\","
                  "\"actor\":\"agent:billing\",\"proposed_action\":\"read\",\"user_id\":null,"
                  "\"nonce\":\"n\",\"requested_output_type\":null,\"policy_mode\":\"strict\","
                  "\"resource\":\"customer/42\",\"risk_level\":2,"
                  "\"data_classes\":[\"finance\",\"pii\"],"
                  "\"context\":{\"ticket\":\"T-1\",\"amount\":12.5,\"count\":-3,\"urgent\":true,"
                  "\"none\":null,\"regions\":[\"eu\",\"us\"]},"
                  "\"arguments\":{\"z\":1,\"a\":[1,\"x\"]}}");
}
END_TEST

START_TEST(canonical_form_of_an_empty_request_has_nulls_and_defaults)
{
    struct lex_request request = {.risk_level = 1};
    ck_assert_span_eq(canonical(&request),
                      "{\"actor\":null,\"arguments\":null,\"context\":{},\"data_classes\":[],"
                      "\"nonce\":null,\"policy_mode\":null,\"proposed_action\":null,"
                      "\"requested_output_type\":null,\"resource\":null,\"risk_level\":1,"
                      "\"tool\":null,\"user_id\":null,\"user_intent\":null}");
}
END_TEST

/* U+1F600 (surrogates D83D..) stands before U+E000 in UTF-16, behind it in bytes. */
START_TEST(context_is_sorted_by_utf16_units_and_classes_by_code_points)
{
    static const struct lex_span classes[] = {LEX_SPAN_INIT("\xf0\x9f\x98\x80"),
                                              LEX_SPAN_INIT("\xee\x80\x80"), LEX_SPAN_INIT("b"),
                                              LEX_SPAN_INIT("a"), LEX_SPAN_INIT("b")};
    static const struct lex_member context[] = {{.key = LEX_SPAN_INIT("\xee\x80\x80")},
                                                {.key = LEX_SPAN_INIT("\xf0\x9f\x98\x80")},
                                                {.key = LEX_SPAN_INIT("a")}};
    struct lex_request request = {
        .risk_level = 1, .data_classes = {classes, 5}, .context = {context, 3}};
    struct lex_span json = canonical(&request);
    ck_assert_ptr_nonnull(memmem(json.data, json.len, "[\"a\",\"b\",\"\xee\x80\x80\",\"\xf0", 16));
    ck_assert_ptr_nonnull(
        memmem(json.data, json.len, "{\"a\":null,\"\xf0\x9f\x98\x80\":null,", 22));
}
END_TEST

START_TEST(strings_of_every_byte_are_escaped_as_jcs_does)
{
    char text[400];
    size_t len = 0;
    for (char c = 1; c < 127; c++)
        text[len++] = c;
    memcpy(text + len,
           "\xc2\x80\xe2\x80\xa8\x7f"
           "nd!",
           10);
    struct lex_span all = lex_span_of(text, len + 9);
    for (size_t from = 0; from < 40; from++) {
        struct lex_request request = {.risk_level = 1,
                                      .actor = lex_span_of(all.data + from, all.len - from)};
        struct lex_buf buf;
        lex_buf_init(&buf, 4096);
        lex_jcs_put_string(&buf, request.actor);
        struct lex_span json = canonical(&request), want = lex_buf_span(&buf);
        ck_assert_mem_eq(json.data + 9, want.data, want.len);
        ck_assert_mem_eq(json.data + 9 + want.len, ",\"arg", 5);
        lex_buf_fini(&buf);
    }
}
END_TEST

START_TEST(doubles_are_written_as_jcs_does)
{
    static const double values[] = {0.0,
                                    -0.0,
                                    1.0,
                                    -1.5,
                                    0.1,
                                    0.01,
                                    1e-6,
                                    1.5e-6,
                                    9e-7,
                                    12.5,
                                    999999999.999999,
                                    1e9,
                                    1e15,
                                    1e20,
                                    1e21,
                                    0.1 + 0.2,
                                    1.0 / 3,
                                    5e-324,
                                    1.7976931348623157e308,
                                    123456.789,
                                    0.000123};
    struct lex_member member = {LEX_SPAN("k"), {.type = LEX_VALUE_DOUBLE}};
    struct lex_request request = {.risk_level = 1, .context = {&member, 1}};
    uint64_t state = 1;
    for (size_t i = 0; i < 20000; i++) {
        struct lex_buf buf;
        char want[64];
        state = state * 6364136223846793005u + 1442695040888963407u;
        member.value.f64 = i < LEX_COUNT_OF(values) ? values[i]
                                                    : (double)((int64_t)state >> 24) /
                                                          (double)(1 + (state >> 7) % 100000);
        lex_buf_init(&buf, 64);
        lex_jcs_put_double(&buf, member.value.f64);
        snprintf(want, sizeof want, "\"context\":{\"k\":%s}", lex_buf_str(&buf));
        struct lex_span json = canonical(&request);
        ck_assert_msg(memmem(json.data, json.len, want, strlen(want)) != NULL, "%s", want);
        lex_buf_fini(&buf);
        lex_arena_reset(&arena);
    }
}
END_TEST

/* ---- fingerprint ---- */

static void fingerprint(const struct lex_request *request, uint8_t ret[32])
{
    enum lex_status status = lex_request_fingerprint(request, &arena, ret, &err);
    ck_assert_msg(status == LEX_OK, "%s", err.text);
}

START_TEST(fingerprint_is_the_hash_of_prefix_and_canonical_form)
{
    struct lex_request request = fixture_request();
    struct lex_span parts[] = {LEX_SPAN("lexecon-request/v1\n"), canonical(&request)};
    struct lex_hash want;
    uint8_t got[32];
    lex_sha256(parts, 2, &want);
    fingerprint(&request, got);
    ck_assert_mem_eq(got, want.bytes, 32);
}
END_TEST

START_TEST(fingerprint_ignores_what_is_not_the_call_itself)
{
    struct lex_request request = fixture_request();
    uint8_t want[32], got[32];
    fingerprint(&request, want);
    request.request_id = LEX_SPAN("another");
    request.attestations.count = 0;
    request.capability_token = (struct lex_span){NULL, 0};
    request.want_token = false;
    request.deadline.present = false;
    request.arguments = LEX_SPAN("{\"a\":[1,\"x\"],\"z\":1e0}");
    fingerprint(&request, got);
    ck_assert_mem_eq(got, want, 32);
    request.nonce = LEX_SPAN("m");
    fingerprint(&request, got);
    ck_assert(memcmp(got, want, 32) != 0);
}
END_TEST

static void check_context_long(int64_t value, enum lex_status expected)
{
    struct lex_member member = {LEX_SPAN("k"), {.type = LEX_VALUE_LONG}};
    struct lex_request request = {.risk_level = 1, .context = {&member, 1}};
    uint8_t got[32];
    member.value.i64 = value;
    ck_assert_int_eq(lex_request_fingerprint(&request, &arena, got, &err), expected);
}

START_TEST(integers_beyond_2_to_53_have_no_fingerprint)
{
    const int64_t max = ((int64_t)1 << 53) - 1;
    check_context_long(max, LEX_OK);
    check_context_long(-max, LEX_OK);
    check_context_long(max + 1, LEX_REJECT);
    check_context_long(-max - 1, LEX_REJECT);
}
END_TEST

START_TEST(numbers_that_are_not_finite_have_no_fingerprint)
{
    struct lex_member member = {LEX_SPAN("k"), {.type = LEX_VALUE_DOUBLE}};
    struct lex_request request = {.risk_level = 1, .context = {&member, 1}};
    uint8_t got[32];
    member.value.f64 = (double)NAN;
    ck_assert_int_eq(lex_request_fingerprint(&request, &arena, got, &err), LEX_REJECT);
    member.value.f64 = -0.0;
    ck_assert_int_eq(lex_request_fingerprint(&request, &arena, got, &err), LEX_OK);
}
END_TEST

START_TEST(arguments_must_be_an_object_with_exact_numbers)
{
    static const struct {
        const char *text;
        enum lex_status status;
    } cases[] = {{"{}", LEX_OK},
                 {"{\"n\":9007199254740991}", LEX_OK},
                 {"{\"n\":[9007199254740992]}", LEX_REJECT},
                 {"{\"n\":1e20}", LEX_OK},
                 {"{\"n\":1e999}", LEX_REJECT},
                 {"[]", LEX_REJECT},
                 {"", LEX_REJECT},
                 {"{", LEX_REJECT},
                 {"{\"a\":1,\"a\":1}", LEX_REJECT}};
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_request request = {.risk_level = 1, .arguments = lex_span_str(cases[i].text)};
        uint8_t got[32];
        enum lex_status status = lex_request_fingerprint(&request, &arena, got, &err);
        ck_assert_msg(status == cases[i].status, "%s", cases[i].text);
    }
}
END_TEST

/* "1e20" has 21 digits: more than the text, still within the room that is reserved. */
START_TEST(numbers_that_grow_fit)
{
    char text[4096], *at = stpcpy(text, "{\"a\":[1e20");
    for (int i = 0; i < 500; i++)
        at = stpcpy(at, ",1e20");
    (void)stpcpy(at, "]}");
    struct lex_request request = {.risk_level = 1, .arguments = lex_span_str(text)};
    ck_assert_uint_gt(canonical(&request).len, 500 * 21);
}
END_TEST

START_TEST(fingerprint_gives_its_memory_back)
{
    struct lex_request request = fixture_request();
    uint8_t hash[32];
    (void)lex_arena_alloc(&arena, 16);
    struct lex_arena_mark before = lex_arena_mark(&arena);
    fingerprint(&request, hash);
    struct lex_arena_mark after = lex_arena_mark(&arena);
    ck_assert(before.chunk == after.chunk && before.used == after.used);
}
END_TEST

/* ---- verdicts ---- */

static struct lex_ledger_entry entry;
static struct lex_span entry_value;
static struct lex_attestation attestation;

static struct lex_span verdict_of(enum lex_format format, struct lex_span token)
{
    struct lex_span value = {NULL, 0};
    entry = fixture_entry();
    attestation = fixture_attestation();
    ck_assert_int_eq(lex_encode_framed(&lex_type_ledger_entry, &entry, &arena, 65535, &entry_value),
                     LEX_OK);
    ck_assert_int_eq(lex_encode_verdict(format, &entry, entry_value, &attestation, token, &arena,
                                        1 << 20, &value),
                     LEX_OK);
    return value;
}

static void check_verdict(const struct lex_verdict *verdict, struct lex_span value)
{
    ck_assert(lex_span_eq(value, entry_value));
    ck_assert_span_eq(verdict->entry.request_id, "req-1");
    ck_assert(verdict->entry.allowed);
    ck_assert_int_eq(verdict->attestation.index, 2);
    ck_assert_uint_eq(verdict->attestation.path.count, 2);
    ck_assert(lex_span_eq(verdict->attestation.path.items[1], attestation.path.items[1]));
    ck_assert(lex_span_eq(verdict->attestation.signature, attestation.signature));
    ck_assert(lex_span_eq(verdict->attestation.key_id, attestation.key_id));
    ck_assert_span_eq(verdict->token, "h.p.s");
}

START_TEST(avro_verdict_carries_the_entry_byte_for_byte)
{
    struct lex_verdict verdict;
    struct lex_span value = verdict_of(LEX_FORMAT_AVRO, LEX_SPAN("h.p.s")), inner;
    ck_assert_mem_eq(value.data + LEX_FRAME_BYTES, entry_value.data + LEX_FRAME_BYTES,
                     entry_value.len - LEX_FRAME_BYTES);
    ck_assert_int_eq(lex_decode_verdict(value, &arena, &verdict, &inner, &err), LEX_OK);
    check_verdict(&verdict, inner);
    ck_assert_int_eq(lex_decode_framed(&lex_type_verdict, value, &arena, &verdict, &err), LEX_OK);
}
END_TEST

START_TEST(json_verdict_carries_the_entry_byte_for_byte)
{
    struct lex_verdict verdict;
    struct lex_span value = verdict_of(LEX_FORMAT_JSON, LEX_SPAN("h.p.s")), inner;
    enum lex_status status = lex_decode_verdict_json(value, &arena, &verdict, &inner, &err);
    ck_assert_msg(status == LEX_OK, "%s", err.text);
    check_verdict(&verdict, inner);
}
END_TEST

START_TEST(verdict_without_a_token_has_none)
{
    struct lex_verdict verdict;
    struct lex_span inner, value = verdict_of(LEX_FORMAT_JSON, (struct lex_span){NULL, 0});
    ck_assert_ptr_null(memmem(value.data, value.len, "\"token\"", 7));
    ck_assert_int_eq(lex_decode_verdict_json(value, &arena, &verdict, &inner, &err), LEX_OK);
    ck_assert(lex_span_absent(verdict.token));
    value = verdict_of(LEX_FORMAT_AVRO, (struct lex_span){NULL, 0});
    ck_assert_int_eq(lex_decode_verdict(value, &arena, &verdict, &inner, &err), LEX_OK);
    ck_assert(lex_span_absent(verdict.token));
}
END_TEST

START_TEST(verdict_one_byte_over_max_is_a_limit)
{
    for (int i = LEX_FORMAT_AVRO; i <= LEX_FORMAT_JSON; i++) {
        enum lex_format format = (enum lex_format)i;
        struct lex_span value = verdict_of(format, LEX_SPAN("h.p.s")), again;
        ck_assert_int_eq(lex_encode_verdict(format, &entry, entry_value, &attestation,
                                            LEX_SPAN("h.p.s"), &arena, value.len, &again),
                         LEX_OK);
        ck_assert_int_eq(lex_encode_verdict(format, &entry, entry_value, &attestation,
                                            LEX_SPAN("h.p.s"), &arena, value.len - 1, &again),
                         LEX_LIMIT);
    }
}
END_TEST

START_TEST(verdict_of_something_else_than_an_entry_is_refused)
{
    struct lex_span value = verdict_of(LEX_FORMAT_AVRO, LEX_SPAN("h.p.s")), again;
    ck_assert_int_eq(lex_encode_verdict(LEX_FORMAT_AVRO, &entry, value, &attestation,
                                        (struct lex_span){NULL, 0}, &arena, 1 << 20, &again),
                     LEX_REJECT);
}
END_TEST

/* Replace the first `from` of a JSON verdict by `to`. */
static enum lex_status decode_replaced(const char *from, const char *to)
{
    struct lex_verdict verdict;
    struct lex_span inner, value = verdict_of(LEX_FORMAT_JSON, LEX_SPAN("h.p.s"));
    const uint8_t *at = memmem(value.data, value.len, from, strlen(from));
    ck_assert_msg(at != NULL, "%s", from);
    size_t before = (size_t)(at - value.data);
    struct lex_span changed =
        lex_arena_printf(&arena, "%.*s%s%.*s", (int)before, (const char *)value.data, to,
                         (int)(value.len - before - strlen(from)), (const char *)at + strlen(from));
    err.text[0] = 0;
    return lex_decode_verdict_json(changed, &arena, &verdict, &inner, &err);
}

START_TEST(readable_members_that_disagree_with_the_entry_are_refused)
{
    static const char *const changes[][2] = {
        {"\"request_id\":\"req-1\"", "\"request_id\":\"req-2\""},
        {"\"outcome\":\"approved\"", "\"outcome\":\"denied\""},
        {"\"allowed\":true", "\"allowed\":false"},
        {"\"reason_code\":\"PERMITTED\"", "\"reason_code\":\"FORBIDDEN\""},
        {"\"rules\":[\"permit-read\"]", "\"rules\":[]"},
        {"\"quorum\":1", "\"quorum\":0"},
        {"\"warnings\":[", "\"warnings\":[\"more\","},
        {"\"version\":\"1.0.0\"", "\"version\":\"1.0.1\""},
        {"\"hash\":\"08", "\"hash\":\"09"},
        {"\"actor\":\"agent:billing\"", "\"actor\":\"agent:admin\""},
        {"\"action\":\"read\"", "\"action\":\"write\""},
        {"\"valid_until\":\"2026-", "\"valid_until\":\"2036-"},
        {"\"evaluated_at\":\"2026-", "\"evaluated_at\":null,\"x\":\"2026-"},
        {"\"log\":\"acme", "\"log\":\"evil"},
        {"\"seq\":70000", "\"seq\":70001"},
        {"\"seq\":70000", "\"seq\":\"70000\""},
    };
    ck_assert_int_eq(decode_replaced("\"seq\":70000", "\"seq\" : 70000"), LEX_OK);
    for (size_t i = 0; i < LEX_COUNT_OF(changes); i++) {
        ck_assert_msg(decode_replaced(changes[i][0], changes[i][1]) == LEX_REJECT, "%s",
                      changes[i][1]);
        ck_assert_msg(strstr(err.text, "disagrees") != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(json_verdict_with_a_member_too_many_or_too_few_is_refused)
{
    ck_assert_int_eq(decode_replaced("\"seq\":70000", "\"seq\":70000,\"valid\":true"), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "'valid' is none"));
    ck_assert_int_eq(decode_replaced("\"seq\":70000,", ""), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "no member 'seq'"));
    ck_assert_int_eq(decode_replaced("\"allowed\":true,", "\"allowed\":true,\"allowed\":true,"),
                     LEX_REJECT);
    ck_assert_int_eq(decode_replaced("\"size\":4,", ""), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "'attestation' has no 'size'"));
    ck_assert_int_eq(decode_replaced("\"size\":4,", "\"size\":4,\"scale\":1,"), LEX_REJECT);
    ck_assert_int_eq(decode_replaced("\"key_id\":\"05", "\"key_id\":\"5"), LEX_REJECT);
    ck_assert_int_eq(decode_replaced("\"token\":\"h.p.s\"", "\"token\":1"), LEX_REJECT);
    ck_assert_int_eq(decode_replaced("\"entry\":\"ww", "\"entry\":\"w!"), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "base64"));
    ck_assert_int_eq(decode_replaced("\"entry\":\"ww", "\"entry\":\"xw"), LEX_REJECT);
}
END_TEST

START_TEST(damaged_avro_verdicts_are_answered)
{
    struct lex_span value = verdict_of(LEX_FORMAT_AVRO, LEX_SPAN("h.p.s")), inner;
    struct lex_verdict verdict;
    uint8_t bytes[2048];
    size_t len = value.len;
    memcpy(bytes, value.data, len);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);
        memcpy(copy, bytes, cut);
        ck_assert_int_eq(lex_decode_verdict(lex_span_of(copy, cut), &arena, &verdict, &inner, &err),
                         LEX_REJECT);
        free(copy);
    }
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 0x55;
        enum lex_status status =
            lex_decode_verdict(lex_span_of(bytes, len), &arena, &verdict, &inner, &err);
        ck_assert(status == LEX_OK || status == LEX_REJECT);
        bytes[i] ^= 0x55;
        lex_arena_reset(&arena);
    }
}
END_TEST

/* The writer's base64 against the decoder of core/base, for each remainder of three. */
START_TEST(base64_of_every_length_is_read_back)
{
    for (size_t len = 0; len <= sizeof fixture_bytes; len++) {
        struct lex_text text;
        struct lex_span json;
        uint8_t back[sizeof fixture_bytes];
        size_t got = 0;
        ck_assert_int_eq(lex_text_begin(&text, &arena, 128), LEX_OK);
        lex_text_base64(&text, lex_span_of(fixture_bytes, len));
        ck_assert_int_eq(lex_text_end(&text, &arena, 128, &json), LEX_OK);
        ck_assert_int_eq(
            lex_base64_decode(lex_span_of(json.data + 1, json.len - 2), back, sizeof back, &got),
            LEX_OK);
        ck_assert_uint_eq(got, len);
        ck_assert(memcmp(back, fixture_bytes, len) == 0);
    }
}
END_TEST

START_TEST(text_over_its_room_is_a_limit)
{
    struct lex_text text;
    struct lex_span json;
    ck_assert_int_eq(lex_text_begin(&text, &arena, 4), LEX_OK);
    lex_text_string(&text, LEX_SPAN("ab"));
    ck_assert_int_eq(lex_text_end(&text, &arena, 4, &json), LEX_OK);
    ck_assert_int_eq(lex_text_begin(&text, &arena, 4), LEX_OK);
    lex_text_string(&text, LEX_SPAN("abc"));
    ck_assert_int_eq(lex_text_end(&text, &arena, 99, &json), LEX_LIMIT);
}
END_TEST

/* ---- an entry for people ---- */

START_TEST(entry_as_json_shows_instants_hashes_and_json_readably)
{
    struct lex_ledger_entry shown = fixture_entry();
    const struct lex_json *root;
    struct lex_span json;
    shown.detail = LEX_SPAN("{\"why\":\"x\"}");
    shown.reason = LEX_SPAN("a\x1b[31m\xe2\x80\xa8");
    ck_assert_int_eq(lex_entry_to_json(&shown, &arena, &json), LEX_OK);
    ck_assert_int_eq(lex_json_parse(&arena, json, &root, &err), LEX_OK);
    ck_assert_span_eq(lex_json_get(root, "recorded_at")->text, "2026-01-01T00:00:00.123456Z");
    ck_assert_span_eq(lex_json_get(root, "prev")->text,
                      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    ck_assert_span_eq(lex_json_get(lex_json_get(root, "source"), "timestamp")->text,
                      "2026-01-01T00:00:00.000Z");
    ck_assert(lex_json_is(lex_json_get(root, "detail"), LEX_JSON_OBJECT));
    ck_assert(
        lex_json_is(lex_json_get(lex_json_get(root, "facts")->child, "value"), LEX_JSON_NUMBER));
    ck_assert_ptr_null(lex_json_get(root, "user_id"));
    ck_assert_ptr_null(memchr(json.data, 0x1b, json.len));
    ck_assert_ptr_nonnull(memmem(json.data, json.len, "\\u001b[31m\\u2028", 16));
}
END_TEST

START_TEST(instants_are_written_as_the_calendar_has_them)
{
    static const int64_t instants[] = {0,
                                       951782400000000,  /* 2000-02-29 */
                                       951868800000000,  /* 2000-03-01 */
                                       4107542399999999, /* 2100-02-28, no leap year */
                                       4107542400000000,
                                       253402300799999999, /* the last of year 9999 */
                                       253402300800000000,
                                       -1};
    struct lex_ledger_entry shown = fixture_entry();
    uint64_t state = 7;
    for (size_t i = 0; i < 5000; i++) {
        const struct lex_json *root;
        struct lex_span json;
        char want[LEX_RFC3339_MAX];
        state = state * 6364136223846793005u + 1442695040888963407u;
        shown.recorded_at =
            i < LEX_COUNT_OF(instants) ? instants[i] : (int64_t)(state % 253402300800000000u);
        lex_rfc3339_micros(shown.recorded_at, want);
        ck_assert_int_eq(lex_entry_to_json(&shown, &arena, &json), LEX_OK);
        ck_assert_int_eq(lex_json_parse(&arena, json, &root, &err), LEX_OK);
        ck_assert_span_eq(lex_json_get(root, "recorded_at")->text, want);
        lex_arena_reset(&arena);
    }
}
END_TEST

START_TEST(entry_as_json_stays_json_when_a_detail_is_none)
{
    struct lex_ledger_entry shown = fixture_entry();
    const struct lex_json *root;
    struct lex_span json;
    shown.detail = LEX_SPAN("\"},{");
    ck_assert_int_eq(lex_entry_to_json(&shown, &arena, &json), LEX_OK);
    ck_assert_int_eq(lex_json_parse(&arena, json, &root, &err), LEX_OK);
    ck_assert_span_eq(lex_json_get(root, "detail")->text, "\"},{");
}
END_TEST

LEX_CHECK_MAIN_WITH(
    "codec_verdict", setup, teardown, canonical_form_is_what_the_general_canonicaliser_writes,
    canonical_form_of_an_empty_request_has_nulls_and_defaults,
    context_is_sorted_by_utf16_units_and_classes_by_code_points,
    strings_of_every_byte_are_escaped_as_jcs_does,
    fingerprint_is_the_hash_of_prefix_and_canonical_form,
    fingerprint_ignores_what_is_not_the_call_itself, integers_beyond_2_to_53_have_no_fingerprint,
    numbers_that_are_not_finite_have_no_fingerprint, arguments_must_be_an_object_with_exact_numbers,
    numbers_that_grow_fit, doubles_are_written_as_jcs_does,
    instants_are_written_as_the_calendar_has_them, fingerprint_gives_its_memory_back,
    avro_verdict_carries_the_entry_byte_for_byte, json_verdict_carries_the_entry_byte_for_byte,
    verdict_without_a_token_has_none, verdict_one_byte_over_max_is_a_limit,
    verdict_of_something_else_than_an_entry_is_refused,
    readable_members_that_disagree_with_the_entry_are_refused,
    json_verdict_with_a_member_too_many_or_too_few_is_refused, damaged_avro_verdicts_are_answered,
    base64_of_every_length_is_read_back, text_over_its_room_is_a_limit,
    entry_as_json_shows_instants_hashes_and_json_readably,
    entry_as_json_stays_json_when_a_detail_is_none)
