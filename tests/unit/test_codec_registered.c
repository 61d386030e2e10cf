/* Framing: how a record names a registry's schema, and what is read by it. */
#include <stdio.h>

#include "core/codec/codec.h"
#include "core/codec/schema.h"
#include "core/decision/decision.h"
#include "schemas/tables.h"
#include "tests/unit/codec_fixture.h"
#include "tests/unit/lex_check.h"

static struct lex_arena arena;
static struct lex_error err;

static void setup(void)
{
    lex_arena_init(&arena, 1 << 16, 1 << 25);
}

static void teardown(void)
{
    lex_arena_fini(&arena);
}

static const uint8_t id_frame[] = {0, 0x01, 0x02, 0x03, 0x04, 'x'};
static const uint8_t guid_header[] = {1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const struct lex_span nothing = {NULL, 0};

START_TEST(an_id_in_front_is_read_big_endian)
{
    struct lex_schema_ref ref;
    char text[LEX_SCHEMA_REF_TEXT_MAX];
    ck_assert_int_eq(lex_framing_read(lex_span_of(id_frame, 6), nothing, &ref), LEX_FRAMING_PREFIX);
    ck_assert(!ref.guid);
    ck_assert_uint_eq(lex_schema_ref_id(&ref), 0x01020304);
    lex_schema_ref_text(&ref, text);
    ck_assert_str_eq(text, "16909060");
}
END_TEST

START_TEST(a_frame_that_ends_early_is_broken_at_every_length)
{
    struct lex_schema_ref ref = {.bytes = {9}};
    for (size_t len = 1; len < LEX_CONFLUENT_FRAME_BYTES; len++)
        ck_assert_int_eq(lex_framing_read(lex_span_of(id_frame, len), nothing, &ref),
                         LEX_FRAMING_BROKEN);
    ck_assert_uint_eq(ref.bytes[0], 9); /* untouched */
    ck_assert_int_eq(lex_framing_read(lex_span_of(id_frame, 5), nothing, &ref), LEX_FRAMING_PREFIX);
}
END_TEST

START_TEST(what_begins_otherwise_names_no_schema)
{
    struct lex_schema_ref ref;
    ck_assert_int_eq(lex_framing_read(LEX_SPAN("{}"), nothing, &ref), LEX_FRAMING_NONE);
    ck_assert_int_eq(lex_framing_read(LEX_SPAN("\xc3\x01"), nothing, &ref), LEX_FRAMING_NONE);
    ck_assert_int_eq(lex_framing_read(LEX_SPAN(""), nothing, &ref), LEX_FRAMING_NONE);
    ck_assert_int_eq(lex_framing_read(nothing, nothing, &ref), LEX_FRAMING_NONE);
    ck_assert_int_eq(lex_framing_read(nothing, lex_span_of(guid_header, 17), &ref),
                     LEX_FRAMING_NONE); /* a record without a value is that before all else */
}
END_TEST

START_TEST(a_header_comes_first_and_leaves_the_value_whole)
{
    struct lex_schema_ref ref;
    char text[LEX_SCHEMA_REF_TEXT_MAX];
    struct lex_span value = lex_span_of(id_frame, sizeof id_frame);
    ck_assert_int_eq(lex_framing_read(value, lex_span_of(guid_header, 17), &ref),
                     LEX_FRAMING_HEADER);
    ck_assert(ref.guid);
    lex_schema_ref_text(&ref, text);
    ck_assert_str_eq(text, "00010203-0405-0607-0809-0a0b0c0d0e0f");
    ck_assert_int_eq(lex_framing_read(LEX_SPAN("{}"), lex_span_of(id_frame, 5), &ref),
                     LEX_FRAMING_HEADER);
    ck_assert(!ref.guid);
    ck_assert_uint_eq(lex_schema_ref_id(&ref), 0x01020304);
}
END_TEST

START_TEST(a_header_of_another_form_is_broken)
{
    struct lex_schema_ref ref;
    struct lex_span value = lex_span_of(id_frame, 6);
    for (size_t len = 0; len < 17; len++)
        ck_assert_int_eq(lex_framing_read(value, lex_span_of(guid_header, len), &ref),
                         LEX_FRAMING_BROKEN);
    for (size_t len = 1; len < 5; len++)
        ck_assert_int_eq(lex_framing_read(value, lex_span_of(id_frame, len), &ref),
                         LEX_FRAMING_BROKEN);
    ck_assert_int_eq(lex_framing_read(value, value, &ref), LEX_FRAMING_BROKEN); /* one more */
    ck_assert_int_eq(lex_framing_read(value, LEX_SPAN("\2abcdefghijklmnop"), &ref),
                     LEX_FRAMING_BROKEN);
}
END_TEST

/* ---- bodies ---- */

static struct lex_span body_of_request(void)
{
    struct lex_request request = fixture_request();
    struct lex_span value;
    ck_assert_int_eq(lex_encode_request(LEX_FORMAT_AVRO, &request, &arena, &value), LEX_OK);
    return lex_span_of(value.data + LEX_FRAME_BYTES, value.len - LEX_FRAME_BYTES);
}

static enum lex_status decode(const struct lex_registered *registered, struct lex_span body,
                              struct lex_request *ret, enum lex_undecodable *ret_why)
{
    enum lex_format format;
    enum lex_status status =
        lex_decode_registered(registered, body, &arena, ret, &format, ret_why, &err);
    ck_assert_int_eq(format, LEX_FORMAT_CONFLUENT);
    return status;
}

START_TEST(a_body_of_our_own_schema_is_read_at_its_full_length_only)
{
    struct lex_request request = {.risk_level = 77};
    enum lex_undecodable why;
    struct lex_registered *registered = lex_registered_avro(lex_type_request.schema);
    struct lex_span body = body_of_request();
    for (size_t len = 0; len < body.len; len++)
        ck_assert_int_eq(decode(registered, lex_span_of(body.data, len), &request, &why),
                         LEX_REJECT);
    ck_assert_int_eq(request.risk_level, 77); /* untouched */
    ck_assert_int_eq(decode(registered, body, &request, &why), LEX_OK);
    ck_assert_span_eq(request.request_id, "req-1");
    struct lex_span more = lex_arena_printf(&arena, "%*s", (int)body.len + 1, "");
    memcpy((uint8_t *)more.data, body.data, body.len);
    ck_assert_int_eq(decode(registered, more, &request, &why), LEX_REJECT);
    ck_assert_int_eq(why, LEX_UNDECODABLE_MALFORMED_AVRO);
    lex_registered_unref(registered);
}
END_TEST

static const char WRITER[] =
    "{\"type\":\"record\",\"name\":\"Request\",\"namespace\":\"lexecon\",\"fields\":["
    "{\"name\":\"team\",\"type\":\"string\"},{\"name\":\"proposed_action\",\"type\":\"string\"},"
    "{\"name\":\"actor\",\"type\":\"string\"},{\"name\":\"request_id\",\"type\":\"string\"}]}";

START_TEST(another_writers_body_is_resolved_by_its_own_schema)
{
    struct lex_request request;
    enum lex_undecodable why;
    struct lex_registered *registered = lex_registered_avro(lex_span_str(WRITER));
    ck_assert_int_eq(decode(registered, LEX_SPAN("\6red\10read\10user\4r1"), &request, &why),
                     LEX_OK);
    ck_assert_span_eq(request.request_id, "r1");
    ck_assert_span_eq(request.actor, "user");
    ck_assert_span_eq(request.proposed_action, "read");
    ck_assert_int_eq(request.risk_level, 1);
    ck_assert_int_eq(decode(registered, body_of_request(), &request, &why), LEX_REJECT);
    lex_registered_unref(registered);
}
END_TEST

START_TEST(a_body_over_its_ceiling_is_refused_before_it_is_read)
{
    struct lex_request request;
    enum lex_undecodable why;
    struct lex_registered *registered = lex_registered_avro(lex_type_request.schema);
    uint8_t *much = lex_arena_calloc(&arena, LEX_REQUEST_MAX_BYTES + 1, 1);
    ck_assert_int_eq(
        decode(registered, lex_span_of(much, LEX_REQUEST_MAX_BYTES + 1), &request, &why),
        LEX_REJECT);
    ck_assert_int_eq(why, LEX_UNDECODABLE_TOO_LARGE);
    ck_assert_int_eq(decode(registered, lex_span_of(much, LEX_REQUEST_MAX_BYTES), &request, &why),
                     LEX_REJECT);
    ck_assert_int_ne(why, LEX_UNDECODABLE_TOO_LARGE);
    lex_registered_unref(registered);
}
END_TEST

START_TEST(a_schema_over_its_ceiling_is_incompatible)
{
    struct lex_request request;
    enum lex_undecodable why;
    for (size_t more = 0; more < 2; more++) {
        size_t len = LEX_SCHEMA_TEXT_MAX_BYTES + more;
        uint8_t *text = lex_arena_alloc(&arena, len);
        memset(text, ' ', len);
        memcpy(text, WRITER, sizeof WRITER - 1);
        struct lex_registered *registered = lex_registered_avro(lex_span_of(text, len));
        ck_assert_int_eq(decode(registered, LEX_SPAN("\6red\10read\10user\4r1"), &request, &why),
                         more == 0 ? LEX_OK : LEX_REJECT);
        if (more != 0)
            ck_assert_int_eq(why, LEX_UNDECODABLE_INCOMPATIBLE_SCHEMA);
        ck_assert_uint_le(lex_registered_bytes(registered), LEX_REGISTERED_MAX_BYTES + 4096);
        lex_registered_unref(registered);
    }
}
END_TEST

/* ---- verdicts ---- */

START_TEST(a_verdict_has_the_id_in_front_and_the_same_bytes_behind)
{
    struct lex_ledger_entry entry = fixture_entry();
    struct lex_attestation attestation = fixture_attestation();
    struct lex_span value, single, framed, inner;
    struct lex_verdict verdict;
    ck_assert_int_eq(lex_encode_framed(&lex_type_ledger_entry, &entry, &arena, 65535, &value),
                     LEX_OK);
    ck_assert_int_eq(lex_encode_verdict(LEX_FORMAT_AVRO, &entry, value, &attestation,
                                        LEX_SPAN("h.p.s"), &arena, 1 << 20, &single),
                     LEX_OK);
    ck_assert_int_eq(lex_encode_verdict_confluent(0x01020304, value, &attestation,
                                                  LEX_SPAN("h.p.s"), &arena, single.len - 5,
                                                  &framed),
                     LEX_OK);
    ck_assert_mem_eq(framed.data, id_frame, 5);
    ck_assert(
        lex_span_eq(lex_span_of(framed.data + 5, framed.len - 5),
                    lex_span_of(single.data + LEX_FRAME_BYTES, single.len - LEX_FRAME_BYTES)));
    ck_assert_int_eq(lex_decode_verdict(framed, &arena, &verdict, &inner, &err), LEX_OK);
    ck_assert(lex_span_eq(inner, value)); /* what is hashed and signed */
    ck_assert_int_eq(lex_encode_verdict_confluent(1, value, &attestation, LEX_SPAN("h.p.s"), &arena,
                                                  framed.len - 1, &framed),
                     LEX_LIMIT);
    ck_assert_int_eq(
        lex_encode_verdict_confluent(1, single, &attestation, nothing, &arena, 1 << 20, &framed),
        LEX_REJECT);
    for (size_t len = 0; len < framed.len; len += 3)
        ck_assert_int_eq(
            lex_decode_verdict(lex_span_of(framed.data, len), &arena, &verdict, &inner, &err),
            LEX_REJECT);
}
END_TEST

LEX_CHECK_MAIN_WITH("codec_registered", setup, teardown, an_id_in_front_is_read_big_endian,
                    a_frame_that_ends_early_is_broken_at_every_length,
                    what_begins_otherwise_names_no_schema,
                    a_header_comes_first_and_leaves_the_value_whole,
                    a_header_of_another_form_is_broken,
                    a_body_of_our_own_schema_is_read_at_its_full_length_only,
                    another_writers_body_is_resolved_by_its_own_schema,
                    a_body_over_its_ceiling_is_refused_before_it_is_read,
                    a_schema_over_its_ceiling_is_incompatible,
                    a_verdict_has_the_id_in_front_and_the_same_bytes_behind)
