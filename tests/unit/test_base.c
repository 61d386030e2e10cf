/* Base: arena, buffer, text and JSON keep their contracts, also one byte over each ceiling. */
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "tests/unit/lex_check.h"

START_TEST(arena_pointers_stay_valid_until_reset)
{
    struct lex_arena arena;
    lex_arena_init(&arena, 64, 4096);
    struct lex_span a = lex_arena_dup(&arena, LEX_SPAN("first"));
    for (int i = 0; i < 20; i++)
        ck_assert_ptr_nonnull(lex_arena_alloc(&arena, 40));
    ck_assert_span_eq(a, "first");
    lex_arena_reset(&arena);
    ck_assert_ptr_eq(lex_arena_alloc(&arena, 1), (const void *)a.data);
    lex_arena_fini(&arena);
    ck_assert_uint_eq(arena.total_bytes, 0);
}
END_TEST

START_TEST(arena_over_its_ceiling_gives_null)
{
    struct lex_arena arena;
    lex_arena_init(&arena, 1024, 2048);
    ck_assert_ptr_nonnull(lex_arena_alloc(&arena, 1024));
    ck_assert_ptr_null(lex_arena_alloc(&arena, 1025));
    ck_assert_ptr_null(lex_arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(lex_arena_calloc(&arena, SIZE_MAX / 2, 4));
    lex_arena_fini(&arena);
}
END_TEST

START_TEST(arena_rollback_gives_back_later_chunks)
{
    struct lex_arena arena;
    lex_arena_init(&arena, 64, 1024);
    void *first = lex_arena_alloc(&arena, 16);
    struct lex_arena_mark mark = lex_arena_mark(&arena);
    void *second = lex_arena_alloc(&arena, 16);
    ck_assert_ptr_nonnull(lex_arena_alloc(&arena, 64));
    lex_arena_rollback(&arena, mark);
    ck_assert_ptr_eq(lex_arena_alloc(&arena, 16), second);
    ck_assert_ptr_ne(first, second);
    lex_arena_fini(&arena);
}
END_TEST

START_TEST(buf_one_byte_over_its_ceiling_fails_and_stays_failed)
{
    struct lex_buf buf;
    lex_buf_init(&buf, 4);
    lex_buf_puts(&buf, "1234");
    ck_assert(lex_buf_ok(&buf));
    lex_buf_putc(&buf, '5');
    lex_buf_puts(&buf, "");
    ck_assert(!lex_buf_ok(&buf));
    ck_assert_str_eq(lex_buf_str(&buf), "1234");
    lex_buf_fini(&buf);
}
END_TEST

START_TEST(json_literal_of_hostile_bytes_has_no_control_characters)
{
    struct lex_buf buf;
    lex_buf_init(&buf, 1024);
    lex_buf_put_json(&buf, LEX_SPAN("a\"\x1b[0m\n\xc2\x9b\xff\xe2\x80\xa8\\"));
    ck_assert_str_eq(lex_buf_str(&buf), "\"a\\\"\\u001b[0m\\n\\u009b\\ufffd\\u2028\\\\\"");
    lex_buf_fini(&buf);
}
END_TEST

START_TEST(utf8_refuses_overlong_surrogates_and_cut_sequences)
{
    ck_assert(lex_utf8_valid(LEX_SPAN("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")));
    const char *bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                         "\xe2\x82", "\x80",         "\xff"};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++)
        ck_assert_msg(!lex_utf8_valid(lex_span_str(bad[i])), "case %zu", i);
}
END_TEST

START_TEST(base64_round_trips_and_refuses_what_is_not_canonical)
{
    static const char *const vectors[][2] = {/* RFC 4648 section 10 */
                                             {"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < LEX_COUNT_OF(vectors); i++) {
        struct lex_buf buf;
        uint8_t out[16];
        size_t len = 99;
        lex_buf_init(&buf, 64);
        lex_buf_put_base64(&buf, lex_span_str(vectors[i][0]));
        ck_assert_str_eq(lex_buf_str(&buf), vectors[i][1]);
        ck_assert_int_eq(lex_base64_decode(lex_span_str(vectors[i][1]), out, 16, &len), LEX_OK);
        ck_assert(lex_span_eq(lex_span_of(out, len), lex_span_str(vectors[i][0])));
        lex_buf_fini(&buf);
    }
    const char *bad[] = {"Zg=", "Zh==", "Z===", "Zm9v=", "Zm 9", "Zg"};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        uint8_t out[16];
        size_t len;
        ck_assert_msg(lex_base64_decode(lex_span_str(bad[i]), out, 16, &len) == LEX_REJECT, "%s",
                      bad[i]);
    }
}
END_TEST

START_TEST(rfc3339_reads_zones_and_writes_them_back_in_utc)
{
    int64_t us;
    char text[LEX_RFC3339_MAX];
    ck_assert_int_eq(lex_rfc3339_parse(LEX_SPAN("2026-01-01T13:00:00.25+01:00"), &us), LEX_OK);
    lex_rfc3339_micros(us, text);
    ck_assert_str_eq(text, "2026-01-01T12:00:00.250000Z");
    ck_assert_int_eq(lex_rfc3339_parse(LEX_SPAN("1970-01-01T00:00:00Z"), &us), LEX_OK);
    ck_assert_int_eq(us, 0);
    const char *bad[] = {"2026-01-01T12:00:00",       "2026-02-29T12:00:00Z",
                         "2026-01-01 12:00",          "2026-01-01T24:00:00Z",
                         "2026-01-01T12:00:60Z",      "2026-01-01T12:00:00.Z",
                         "2026-01-01T12:00:00+24:00", ""};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++)
        ck_assert_msg(lex_rfc3339_parse(lex_span_str(bad[i]), &us) == LEX_REJECT, "%s", bad[i]);
}
END_TEST

START_TEST(edit_distance_counts_a_swap_as_one)
{
    ck_assert_uint_eq(lex_edit_distance(LEX_SPAN("read"), LEX_SPAN("raed"), 2), 1);
    ck_assert_uint_eq(lex_edit_distance(LEX_SPAN("read"), LEX_SPAN("write"), 2), 3);
    ck_assert_uint_eq(lex_edit_distance(LEX_SPAN(""), LEX_SPAN("ab"), 2), 2);
}
END_TEST

static enum lex_status parse(const char *text, const struct lex_json **root, struct lex_error *err)
{
    static struct lex_arena arena;
    lex_arena_fini(&arena);
    lex_arena_init(&arena, 4096, 1 << 20);
    return lex_json_parse(&arena, lex_span_str(text), root, err);
}

START_TEST(json_tree_keeps_types_places_and_unescaped_strings)
{
    const struct lex_json *root;
    struct lex_error err;
    ck_assert_int_eq(
        parse("{\"a\": [1, -2.5e3, \"\\u00fc\\ud83d\\ude00\\n\"],\n \"b\": null}", &root, &err),
        LEX_OK);
    const struct lex_json *a = lex_json_get(root, "a");
    ck_assert_uint_eq(a->count, 3);
    ck_assert(a->child->integer && !a->child->next->integer);
    ck_assert_span_eq(a->child->next->next->text, "\xc3\xbc\xf0\x9f\x98\x80\n");
    const struct lex_json *b = lex_json_get(root, "b");
    unsigned line, column;
    lex_json_where(root->text, b->at, &line, &column);
    ck_assert_uint_eq(line, 2);
    ck_assert_uint_eq(column, 7);
}
END_TEST

START_TEST(json_refuses_what_is_not_strict)
{
    const char *bad[] = {"",
                         "{",
                         "[1,]",
                         "{\"a\":1,}",
                         "01",
                         "1.",
                         "1e",
                         "+1",
                         "\"\\x\"",
                         "\"\t\"",
                         "\"a",
                         "nul",
                         "[1] 2",
                         "{\"a\":1,\"a\":2}",
                         "{\"a\" 1}",
                         "'a'",
                         "\"\xff\"",
                         "\"\\ud800\"",
                         "\"\\udc00\"",
                         "// x\n1",
                         "\"\\u12",
                         "-",
                         "\"\\ud800\\u0041\"",
                         "{\"a\":1,\"\\u0061\":2}"};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        const struct lex_json *root;
        struct lex_error err;
        ck_assert_msg(parse(bad[i], &root, &err) == LEX_REJECT, "taken: %s", bad[i]);
        ck_assert_msg(strstr(err.text, "line 1 column ") != NULL ||
                          strstr(err.text, "line 2") != NULL,
                      "%s", err.text);
    }
}
END_TEST

START_TEST(json_nested_64_deep_is_taken_and_65_is_not)
{
    char text[131] = {0};
    const struct lex_json *root;
    struct lex_error err;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    ck_assert_int_eq(parse(text, &root, &err), LEX_OK);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    ck_assert_int_eq(parse(text, &root, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "64"));
}
END_TEST

START_TEST(json_integers_are_exact_to_the_last_of_int64)
{
    int64_t value;
    ck_assert_int_eq(lex_json_int64(LEX_SPAN("-9223372036854775808"), &value), LEX_OK);
    ck_assert(value == INT64_MIN);
    ck_assert_int_eq(lex_json_int64(LEX_SPAN("9223372036854775807"), &value), LEX_OK);
    ck_assert(value == INT64_MAX);
    ck_assert_int_eq(lex_json_int64(LEX_SPAN("9223372036854775808"), &value), LEX_REJECT);
    ck_assert_int_eq(lex_json_int64(LEX_SPAN("-"), &value), LEX_REJECT);
}
END_TEST

LEX_CHECK_MAIN("base", arena_pointers_stay_valid_until_reset, arena_over_its_ceiling_gives_null,
               arena_rollback_gives_back_later_chunks,
               buf_one_byte_over_its_ceiling_fails_and_stays_failed,
               json_literal_of_hostile_bytes_has_no_control_characters,
               utf8_refuses_overlong_surrogates_and_cut_sequences,
               base64_round_trips_and_refuses_what_is_not_canonical,
               rfc3339_reads_zones_and_writes_them_back_in_utc, edit_distance_counts_a_swap_as_one,
               json_tree_keeps_types_places_and_unescaped_strings, json_refuses_what_is_not_strict,
               json_nested_64_deep_is_taken_and_65_is_not,
               json_integers_are_exact_to_the_last_of_int64)
