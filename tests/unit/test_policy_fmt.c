/* The layout of policies: one form, whatever it was, with every value kept. */
#include "core/policy/fmt.h"
#include "tests/unit/policy_fixture.h"

static struct lex_buf out;

static void teardown(void)
{
    lex_buf_fini(&out);
}

static enum lex_status format(struct lex_span text)
{
    lex_buf_fini(&out);
    lex_buf_init(&out, 64 << 20);
    fixture_err.text[0] = 0;
    return lex_policy_format(text, "p.json", &out, &fixture_err);
}

static const char *laid_out(const char *text)
{
    fixture_start();
    ck_assert_msg(format(quoted(text)) == LEX_OK, "%s", fixture_err.text);
    struct lex_span once = lex_arena_dup(&fixture_arena, lex_buf_span(&out));
    ck_assert_int_eq(format(once), LEX_OK);
    ck_assert_msg(lex_span_eq(once, lex_buf_span(&out)), "twice is not once: %s",
                  lex_buf_str(&out));
    return lex_buf_str(&out);
}

START_TEST(keys_have_a_fixed_order_and_unknown_ones_keep_theirs)
{
    ck_assert_str_eq(
        laid_out("{'relations':[{'reason':'why','target':'x','source':'a','type':'permits',"
                 "'id':'r'}],'zebra':1,'mode':'strict','apple':2,'version':'1','policy_id':'p',"
                 "'terms':[{'type':'actor','id':'a'}],'options':{'b':1,'a':2}}"),
        "{\n"
        "  \"policy_id\": \"p\",\n"
        "  \"version\": \"1\",\n"
        "  \"mode\": \"strict\",\n"
        "  \"options\": {\"b\": 1, \"a\": 2},\n"
        "  \"terms\": [\n"
        "    {\"id\": \"a\", \"type\": \"actor\"}\n"
        "  ],\n"
        "  \"relations\": [\n"
        "    {\"id\": \"r\", \"type\": \"permits\", \"source\": \"a\", \"target\": \"x\", "
        "\"reason\": \"why\"}\n"
        "  ],\n"
        "  \"zebra\": 1,\n"
        "  \"apple\": 2\n"
        "}\n");
}
END_TEST

START_TEST(a_dict_of_lists_is_laid_out_as_lists)
{
    ck_assert_str_eq(laid_out("{'terms':{'actors':['a',{'name':'B','id':'b'}],'actions':[]}}"),
                     "{\n"
                     "  \"terms\": {\n"
                     "    \"actors\": [\n"
                     "      \"a\",\n"
                     "      {\"id\": \"b\", \"name\": \"B\"}\n"
                     "    ],\n"
                     "    \"actions\": []\n"
                     "  }\n"
                     "}\n");
}
END_TEST

START_TEST(what_is_longer_than_a_line_is_broken_and_what_just_fits_is_not)
{
    char text[512], fits[160];
    memset(fits, 'x', sizeof fits);
    for (int width = 70; width < 100; width++) {
        (void)snprintf(text, sizeof text, "{'relations':[{'id':'%.*s'}]}", width, fits);
        const char *made = laid_out(text);
        size_t longest = 0;
        for (const char *line = made; *line != '\0'; line += strcspn(line, "\n") + 1)
            longest = strcspn(line, "\n") > longest ? strcspn(line, "\n") : longest;
        bool whole = strstr(made, "    {\"id\": ") != NULL;
        ck_assert_int_eq(whole, 4 + 9 + width + 1 + 1 <= LEX_FMT_COLUMNS);
        if (whole)
            ck_assert_uint_le(longest, LEX_FMT_COLUMNS);
    }
}
END_TEST

START_TEST(numbers_keep_their_digits_and_texts_their_characters)
{
    ck_assert_str_eq(laid_out("{'n':[1.0,1e2,-0,10000000000000001],'s':'\\u00e4\\n\\u0001',"
                              "'e':[],'o':{},'z':null,'t':true}"),
                     "{\n"
                     "  \"n\": [1.0, 1e2, -0, 10000000000000001],\n"
                     "  \"s\": \"\xc3\xa4\\n\\u0001\",\n"
                     "  \"e\": [],\n"
                     "  \"o\": {},\n"
                     "  \"z\": null,\n"
                     "  \"t\": true\n"
                     "}\n");
}
END_TEST

START_TEST(several_documents_in_an_array_are_laid_out_each)
{
    ck_assert_str_eq(laid_out("[{'mode':'strict','name':'a'},{'name':'b'}]"),
                     "[\n"
                     "  {\n"
                     "    \"name\": \"a\",\n"
                     "    \"mode\": \"strict\"\n"
                     "  },\n"
                     "  {\n"
                     "    \"name\": \"b\"\n"
                     "  }\n"
                     "]\n");
}
END_TEST

START_TEST(what_is_no_policy_is_refused_with_its_place)
{
    static const char *const bad[] = {"1", "'x'",           "[]",       "[1]", "[{},1]",
                                      "",  "{'a':1,'a':2}", "{'a':1} x"};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        fixture_start();
        ck_assert_msg(format(quoted(bad[i])) == LEX_REJECT, "taken: %s", bad[i]);
        ck_assert_ptr_eq(strstr(fixture_err.text, "p.json:"), fixture_err.text);
    }
}
END_TEST

START_TEST(more_than_the_buffer_holds_is_a_limit)
{
    fixture_start();
    struct lex_span text = quoted("{'a':1}");
    lex_buf_fini(&out);
    lex_buf_init(&out, 13);
    ck_assert_int_eq(lex_policy_format(text, "p.json", &out, &fixture_err), LEX_OK);
    lex_buf_fini(&out);
    lex_buf_init(&out, 12);
    ck_assert_int_eq(lex_policy_format(text, "p.json", &out, &fixture_err), LEX_LIMIT);
}
END_TEST

LEX_CHECK_MAIN_WITH("policy_fmt", NULL, teardown,
                    keys_have_a_fixed_order_and_unknown_ones_keep_theirs,
                    a_dict_of_lists_is_laid_out_as_lists,
                    what_is_longer_than_a_line_is_broken_and_what_just_fits_is_not,
                    numbers_keep_their_digits_and_texts_their_characters,
                    several_documents_in_an_array_are_laid_out_each,
                    what_is_no_policy_is_refused_with_its_place,
                    more_than_the_buffer_holds_is_a_limit)
