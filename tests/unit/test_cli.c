/* Flags of the `lexecon` command: what is taken, what is refused, and what the refusal says. */
#include "tests/unit/lex_check.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"

static bool json;
static const char *policy;
static long long count;
static struct lex_cli_list labels, operands;
static char printed[8192];

static const struct lex_cli_flag flags[] = {
    {"json", NULL, "Print JSON.", LEX_CLI_BOOL, &json, false},
    {"policy", "FILE", "The policy.", LEX_CLI_STR, &policy, true},
    {"count", "N", "How many.", LEX_CLI_INT, &count, false},
    {"label", "NAME", "A label; may be repeated.", LEX_CLI_LIST, &labels, false},
};
static const struct lex_cli_usage usage = {
    "try this", "FILE...", "Tries this.", flags, sizeof flags / sizeof flags[0], 0, 2};

/* Parse up to eight words, with stdout and stderr going to `printed`. */
static int parse(const char *const *words)
{
    char name[] = "this";
    char *argv[80] = {name};
    int argc = 1, ends[2], saved[2] = {dup(1), dup(2)};
    for (; *words != NULL; words++)
        argv[argc++] = (char *)*words;
    json = false;
    policy = NULL;
    count = 0;
    labels.count = operands.count = 0;
    fflush(stdout);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    close(ends[1]);
    int status = lex_cli_parse(&usage, argc, argv, &operands);
    fflush(stdout);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    close(saved[0]);
    close(saved[1]);
    ssize_t n = read(ends[0], printed, sizeof printed - 1);
    printed[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    return status;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void check_refused(int status, const char *says)
{
    ck_assert_int_eq(status, LEX_EXIT_USAGE);
    ck_assert_msg(strstr(printed, says) != NULL, "expected '%s' in '%s'", says, printed);
}

START_TEST(flags_and_operands_may_stand_in_any_order)
{
    ck_assert_int_eq(PARSE("one", "--policy", "p.json", "--json", "--count=-3", "--label=a",
                           "--label", "b", "two"),
                     0);
    ck_assert(json);
    ck_assert_str_eq(policy, "p.json");
    ck_assert_int_eq(count, -3);
    ck_assert_uint_eq(labels.count, 2);
    ck_assert_str_eq(labels.items[1], "b");
    ck_assert_uint_eq(operands.count, 2);
    ck_assert_str_eq(operands.items[0], "one");
    ck_assert_str_eq(operands.items[1], "two");
    ck_assert_str_eq(printed, "");
}
END_TEST

START_TEST(two_dashes_end_the_flags_and_one_dash_is_an_operand)
{
    ck_assert_int_eq(PARSE("--policy=p", "-", "--", "--json"), 0);
    ck_assert_uint_eq(operands.count, 2);
    ck_assert_str_eq(operands.items[0], "-");
    ck_assert_str_eq(operands.items[1], "--json");
    ck_assert(!json);
}
END_TEST

START_TEST(a_switch_may_be_turned_off)
{
    ck_assert_int_eq(PARSE("--policy=p", "--json", "--json=false"), 0);
    ck_assert(!json);
    check_refused(PARSE("--policy=p", "--json=perhaps"), "--json: expected true or false");
}
END_TEST

START_TEST(wrong_flags_name_what_was_expected)
{
    check_refused(PARSE("--polcy=p"),
                  "lexecon try this: unknown flag --polcy; did you mean --policy?");
    check_refused(PARSE("--zzzzzzzz"), "`lexecon try this --help` lists the flags");
    check_refused(PARSE("--json"), "--policy FILE is required");
    check_refused(PARSE("--policy"), "--policy needs a value: --policy FILE");
    check_refused(PARSE("--policy=p", "--count=1.5"),
                  "--count: expected a whole number, got '1.5'");
    check_refused(PARSE("--policy=p", "--count=9223372036854775808"), "expected a whole number");
    check_refused(PARSE("--policy=p", "-j"), "unknown flag -j; flags have two dashes");
    check_refused(PARSE("--policy=p", "1", "2", "3"), "too many operands (3, at most 2)");
}
END_TEST

START_TEST(a_list_takes_its_ceiling_and_not_one_more)
{
    static const char label[] = "--label=a", given[] = "--policy=p";
    const char *words[LEX_CLI_LIST_MAX + 3] = {given};
    for (int i = 0; i < LEX_CLI_LIST_MAX; i++)
        words[i + 1] = label;
    ck_assert_int_eq(parse(words), 0);
    ck_assert_uint_eq(labels.count, LEX_CLI_LIST_MAX);
    words[LEX_CLI_LIST_MAX + 1] = label;
    check_refused(parse(words), "--label: at most 64 times");
}
END_TEST

START_TEST(help_shows_every_flag_and_does_nothing_else)
{
    ck_assert_int_eq(PARSE("--bad", "--help"), 1);
    ck_assert_ptr_nonnull(strstr(printed, "usage: lexecon try this --policy FILE [flags] FILE..."));
    for (size_t i = 0; i < usage.flags_count; i++)
        ck_assert_ptr_nonnull(strstr(printed, flags[i].help));
    ck_assert_int_ne(PARSE("--policy=p", "--", "--help"), 1);
}
END_TEST

LEX_CHECK_MAIN("cli", flags_and_operands_may_stand_in_any_order,
               two_dashes_end_the_flags_and_one_dash_is_an_operand, a_switch_may_be_turned_off,
               wrong_flags_name_what_was_expected, a_list_takes_its_ceiling_and_not_one_more,
               help_shows_every_flag_and_does_nothing_else)
