/* Canonical JSON: RFC 8785's own examples, and the order of names that only UTF-16 explains. */
#include "core/base/jcs.h"

#include <stdio.h>

#include "tests/unit/lex_check.h"

static struct lex_arena arena;
static struct lex_buf buf;

static const struct lex_json *parse(const char *text)
{
    const struct lex_json *root = NULL;
    struct lex_error err;
    lex_arena_fini(&arena);
    lex_arena_init(&arena, 4096, 1 << 20);
    ck_assert_msg(lex_json_parse(&arena, lex_span_str(text), &root, &err) == LEX_OK, "%s",
                  err.text);
    return root;
}

static const char *canonical(const char *text)
{
    lex_buf_fini(&buf);
    lex_buf_init(&buf, 1 << 20);
    lex_jcs_put(&buf, parse(text));
    return lex_buf_ok(&buf) ? lex_buf_str(&buf) : "(failed)";
}

static const char *number(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    lex_buf_fini(&buf);
    lex_buf_init(&buf, 64);
    lex_jcs_put_double(&buf, value);
    return lex_buf_ok(&buf) ? lex_buf_str(&buf) : "(failed)";
}

START_TEST(the_example_of_rfc_8785_section_3_2_2_has_its_canonical_form)
{
    const char *text =
        "{\n"
        "  \"numbers\": [333333333.33333329, 1E30, 4.50,\n"
        "              2e-3, 0.000000000000000000000000001],\n"
        "  \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n"
        "  \"literals\": [null, true, false]\n"
        "}";
    ck_assert_str_eq(
        canonical(text),
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,"
        "1e-27],\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}
END_TEST

START_TEST(names_are_sorted_as_rfc_8785_section_3_2_3_sorts_them)
{
    ck_assert_str_eq(
        canonical("{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\","
                  "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
                  "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
                  "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}"),
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
        "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
        "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
        "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}
END_TEST

START_TEST(numbers_print_as_in_rfc_8785_appendix_b)
{
    static const struct {
        uint64_t bits;
        const char *text;
    } cases[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x7fffffffffffffff, "(failed)"},
        {0x7ff0000000000000, "(failed)"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
        {0x0060000000000000, "7.120236347223045e-307"}, /* a power of two: the second nearest */
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        ck_assert_str_eq(number(cases[i].bits), cases[i].text);
}
END_TEST

START_TEST(a_value_and_its_canonical_form_have_the_same_canonical_form)
{
    const char *text = "{ \"b\" : [ 1.0 , -0 , 1e2 ], \"a\" : { \"z\" : {} , \"y\" : [ ] } }";
    ck_assert_str_eq(canonical(text), "{\"a\":{\"y\":[],\"z\":{}},\"b\":[1,0,100]}");
    char copy[64];
    (void)snprintf(copy, sizeof copy, "%s", canonical(text));
    ck_assert_str_eq(canonical(copy), copy);
}
END_TEST

START_TEST(an_object_of_a_hundred_members_is_sorted_whole)
{
    struct lex_buf text, wanted;
    lex_buf_init(&text, 2048);
    lex_buf_init(&wanted, 2048);
    for (int i = 0; i < 100; i++) {
        lex_buf_printf(&text, "%c\"%02d\": %d", i == 0 ? '{' : ',', 99 - i, 99 - i);
        lex_buf_printf(&wanted, "%c\"%02d\":%d", i == 0 ? '{' : ',', i, i);
    }
    lex_buf_putc(&text, '}');
    lex_buf_putc(&wanted, '}');
    ck_assert_str_eq(canonical(lex_buf_str(&text)), lex_buf_str(&wanted));
    lex_buf_fini(&text);
    lex_buf_fini(&wanted);
}
END_TEST

START_TEST(numbers_that_would_change_are_found)
{
    ck_assert_ptr_null(lex_jcs_inexact(parse("[9007199254740991, -9007199254740991, 0.1, \"x\"]")));
    ck_assert_span_eq(lex_jcs_inexact(parse("[1, {\"a\": 9007199254740992}]"))->text,
                      "9007199254740992");
    ck_assert_span_eq(lex_jcs_inexact(parse("[-9007199254740992]"))->text, "-9007199254740992");
    ck_assert_span_eq(lex_jcs_inexact(parse("[1e999]"))->text, "1e999");
    ck_assert_str_eq(canonical("[1e999]"), "(failed)");
}
END_TEST

LEX_CHECK_MAIN("jcs", the_example_of_rfc_8785_section_3_2_2_has_its_canonical_form,
               names_are_sorted_as_rfc_8785_section_3_2_3_sorts_them,
               numbers_print_as_in_rfc_8785_appendix_b,
               a_value_and_its_canonical_form_have_the_same_canonical_form,
               an_object_of_a_hundred_members_is_sorted_whole, numbers_that_would_change_are_found)
