/* The commands for authors of policies: what they print, what they refuse, and how they end. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "tests/unit/lex_check.h"

static char folder[] = "/tmp/lexecon_tools_XXXXXX";
static char printed[256 << 10];
static char paths[32][128];

static void setup(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lexecon_tools_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    char command[256];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A path in the folder; 32 of them live at a time. */
static const char *at(const char *name)
{
    static unsigned next;
    char *path = paths[next++ % 32];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* A file with ' for ". */
static const char *put(const char *name, const char *text)
{
    const char *path = at(name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (; *text != '\0'; text++)
        ck_assert_int_ne(fputc(*text == '\'' ? '"' : *text, file), EOF);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static const char *get(const char *name)
{
    static char text[64 << 10];
    FILE *file = fopen(at(name), "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

typedef int command(int argc, char **argv);

/* Run with up to eight words and a standard input, all output into `printed`. */
static int run(command *run_it, const char *input, const char *const *words)
{
    char name[] = "this";
    char *argv[16] = {name};
    int argc = 1, saved[3] = {dup(0), dup(1), dup(2)};
    const char *in_path = put("stdin", input == NULL ? "" : input), *out_path = at("stdout");
    for (; *words != NULL; words++)
        argv[argc++] = (char *)*words;
    (void)fflush(stdout);
    ck_assert_ptr_nonnull(freopen(in_path, "r", stdin));
    int out = open(out_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(out, 0);
    dup2(out, 1);
    dup2(out, 2);
    int status = run_it(argc, argv);
    (void)fflush(stdout);
    dup2(saved[1], 1);
    dup2(saved[2], 2);
    ssize_t n = pread(out, printed, sizeof printed - 1, 0);
    printed[n > 0 ? n : 0] = '\0';
    close(out);
    dup2(saved[0], 0);
    for (int i = 0; i < 3; i++)
        close(saved[i]);
    return status;
}

#define RUN(command, input, ...) run(command, input, (const char *const[]){__VA_ARGS__, NULL})

static void says(const char *text)
{
    ck_assert_msg(strstr(printed, text) != NULL, "expected '%s' in '%s'", text, printed);
}

static void says_not(const char *text)
{
    ck_assert_msg(strstr(printed, text) == NULL, "not expected '%s' in '%s'", text, printed);
}

#define TERMS                                                                       \
    "'terms':[{'id':'actor:human','type':'actor'},{'id':'actor:a','type':'actor'}," \
    "{'id':'actor:b','type':'actor'},{'id':'action:x','type':'action'}]"
#define RULES                                                                                 \
    "'relations':[{'id':'p1','type':'permits','actor':'a','action':'x','condition':'mfa'},\n" \
    "{'id':'f1','type':'forbids','actor':'b','action':'x','reason':'not b'}]"
static const char policy_text[] = "{" TERMS ",\n" RULES "}";

/* ---- check ---- */

START_TEST(check_names_the_place_of_lints_and_errors)
{
    const char *good = put("good.json", policy_text);
    ck_assert_int_eq(RUN(lex_cli_policy_check, NULL, good), LEX_EXIT_OK);
    says("ok: ");
    says("2 relations");
    const char *odd = put("odd.json", "{" TERMS ",'relations':[{'type':'permits','actor':'*',"
                                      "'action':'*'}]}");
    ck_assert_int_eq(RUN(lex_cli_policy_check, NULL, odd), LEX_EXIT_OK);
    says("odd.json:1:");
    says(": danger: always_allow: ");
    ck_assert_int_eq(RUN(lex_cli_policy_check, NULL, "--deny-warnings", odd), LEX_EXIT_NO);
    const char *bad = put("bad.json", "{'relations':[\n{'type':'permits','actr':'a'}]}");
    ck_assert_int_eq(RUN(lex_cli_policy_check, NULL, bad, good), LEX_EXIT_NO);
    says("bad.json:2:19: ");
    says("did you mean");
    ck_assert_int_eq(RUN(lex_cli_policy_check, NULL, at("none.json")), LEX_EXIT_USAGE);
}
END_TEST

START_TEST(check_in_json_has_every_part)
{
    const char *odd =
        put("odd.json", "{'policy_id':'me','version':'3'," TERMS
                        ",'relations':[{'type':'permits','actor':'*','action':'*'}]}");
    ck_assert_int_eq(RUN(lex_cli_policy_check, NULL, "--json", odd), LEX_EXIT_OK);
    says("\"valid\":true,\"error\":null,\"id\":\"me\",\"version\":\"3\",\"hash\":\"");
    says("\"line\":1,\"column\":");
    says("\"rank\":\"danger\",\"kind\":\"always_allow\",\"text\":\"");
    const char *bad = put("bad.json", "{");
    ck_assert_int_eq(RUN(lex_cli_policy_check, NULL, "--json", bad), LEX_EXIT_NO);
    says("\"valid\":false,\"error\":\"");
    says("\"lints\":[]}");
}
END_TEST

START_TEST(a_directory_is_one_policy_without_its_tests)
{
    ck_assert_int_eq(mkdir(at("all"), 0700), 0);
    put("all/one.json", "{'policy_id':'one','relations':[{'type':'permits','actor':'a','action':"
                        "'x'}]}");
    put("all/two.json", "{'policy_id':'two','relations':[{'type':'forbids','actor':'b','action':"
                        "'x'}]}");
    put("all/one.test.json", "{'cases':[{'request':{'actor':'a','proposed_action':'x'},"
                             "'expect':{'outcome':'approved','rules':['one/permits:0']}}]}");
    ck_assert_int_eq(RUN(lex_cli_policy_check, NULL, at("all")), LEX_EXIT_OK);
    says("2 documents, ");
    ck_assert_int_eq(RUN(lex_cli_policy_hash, NULL, at("all")), LEX_EXIT_OK);
    says("\"policy_hash\":\"");
    ck_assert_int_eq(RUN(lex_cli_policy_test, NULL, at("all")), LEX_EXIT_OK);
    says("1 passed, 0 failed");
    ck_assert_int_eq(
        RUN(lex_cli_decide, "{'actor':'b','proposed_action':'x'}", "--policy", at("all")),
        LEX_EXIT_OK);
    says("\"rules\":[\"two/forbids:0\"]");
}
END_TEST

/* ---- hash ---- */

START_TEST(hash_covers_content_and_not_layout)
{
    char first[512];
    ck_assert_int_eq(RUN(lex_cli_policy_hash, NULL, put("a.json", policy_text)), LEX_EXIT_OK);
    (void)snprintf(first, sizeof first, "%s", strstr(printed, "\"policy_hash\""));
    ck_assert_int_eq(RUN(lex_cli_policy_hash, NULL, put("a.json", "{" RULES ",\n\n" TERMS "}")),
                     LEX_EXIT_OK);
    says(first);
    ck_assert_int_eq(RUN(lex_cli_policy_hash, NULL, put("a.json", "{" RULES "}")), LEX_EXIT_OK);
    says_not(first);
    ck_assert_int_eq(RUN(lex_cli_policy_hash, NULL, put("a.json", "{")), LEX_EXIT_NO);
    ck_assert_int_eq(RUN(lex_cli_policy_hash, NULL, at("none.json")), LEX_EXIT_USAGE);
}
END_TEST

/* ---- decide ---- */

START_TEST(decide_takes_facts_a_clock_and_a_mode)
{
    static const char request[] = "{'actor':'a','proposed_action':'x'}\n";
    const char *policy = put("p.json", policy_text);
    const char *facts = put("facts.json", "{'attested':{'mfa':true}}");
    ck_assert_int_eq(RUN(lex_cli_decide, request, "--policy", policy), LEX_EXIT_OK);
    says("\"outcome\":\"conditional\"");
    ck_assert_int_eq(RUN(lex_cli_decide, request, "--policy", policy, "--facts", facts),
                     LEX_EXIT_OK);
    says("\"outcome\":\"approved\"");
    put("late.json", "{'effective_from':'2030-01-01T00:00:00Z'," RULES "}");
    ck_assert_int_eq(
        RUN(lex_cli_decide, request, "--policy", at("late.json"), "--now", "2029-01-01T00:00:00Z"),
        LEX_EXIT_OK);
    says("NO_ACTIVE_POLICY");
    ck_assert_int_eq(RUN(lex_cli_decide, request, "--policy", at("late.json"), "--now",
                         "2031-01-01T00:00:00Z", "--mode", "paranoid"),
                     LEX_EXIT_OK);
    says("\"outcome\":\"conditional\"");
}
END_TEST

START_TEST(decide_takes_a_case_and_denies_what_is_no_request)
{
    const char *policy = put("p.json", policy_text);
    ck_assert_int_eq(
        RUN(lex_cli_decide,
            "{'request':{'request_id':'r1','actor':'a','proposed_action':'x'},"
            "'facts':{'attested':{'mfa':true}},'expect':{'outcome':'denied'}}\n"
            "{'request':{'request_id':'r2','actor':'a','proposed_action':'x'},'fact':{}}\n"
            "nonsense\n",
            "--policy", policy),
        LEX_EXIT_OK);
    says("\"outcome\":\"approved\"");
    says("\"request_id\":\"r1\"");
    says("\"reason_code\":\"INVALID_REQUEST\"");
    says("did you mean \\\"facts\\\"?");
    says("\"request_id\":\"r2\"");
}
END_TEST

START_TEST(decide_refuses_facts_a_clock_and_a_mode_that_are_none)
{
    const char *policy = put("p.json", policy_text);
    const char *facts = put("facts.json", "{\n'atested':{}}");
    ck_assert_int_eq(RUN(lex_cli_decide, "", "--policy", policy, "--facts", facts), LEX_EXIT_USAGE);
    says("facts.json:2:1: unknown member \"atested\"; did you mean \"attested\"?");
    ck_assert_int_eq(RUN(lex_cli_decide, "", "--policy", policy, "--facts", at("none")),
                     LEX_EXIT_USAGE);
    ck_assert_int_eq(RUN(lex_cli_decide, "", "--policy", policy, "--now", "noon"), LEX_EXIT_USAGE);
    ck_assert_int_eq(RUN(lex_cli_decide, "", "--policy", policy, "--mode", "strikt"),
                     LEX_EXIT_USAGE);
    says("did you mean strict?");
}
END_TEST

/* ---- test ---- */

#define CASE(members) "{'cases':[{'request':{'actor':'a','proposed_action':'x'}," members "}]}"

static int test_with(const char *cases)
{
    put("p.json", policy_text);
    put("p.test.json", cases);
    return RUN(lex_cli_policy_test, NULL, at("p.json"));
}

START_TEST(cases_that_hold_pass_and_others_say_why)
{
    ck_assert_int_eq(
        test_with(CASE("'name':'one','facts':{'attested':{'mfa':true}},"
                       "'expect':{'outcome':'approved','reason_code':'PERMITTED','rules':['p1'],"
                       "'allowed':true,'warnings':[],'obligations':[]}")),
        LEX_EXIT_OK);
    says("ok 1 - \"one\"\n1..1\n# 1 passed, 0 failed\n");
    says("coverage: 1 of 2 rules decide a case (50 %)");
    says("no case decides forbids f1  ");
    says("p.json:3:1");
    ck_assert_int_eq(test_with(CASE("'name':'one','expect':{'outcome':'approved'}")), LEX_EXIT_NO);
    says("not ok 1 - \"one\"\n#   at ");
    says("outcome: expected \"approved\", got \"conditional\"");
    says("reason: ");
    says("0 passed, 1 failed");
}
END_TEST

START_TEST(each_expectation_can_fail)
{
    static const char *const wrong[] = {
        "'outcome':'denied'",
        "'reason_code':'PERMITTED'",
        "'rules':[]",
        "'rules':['p1','f1']",
        "'allowed':true",
        "'warnings':['UNKNOWN_NAME']",
        "'obligations':[]",
        "'obligations':[{'type':'approval'}]",
        "'obligations':[{'type':'verify','rule':'f1'}]",
        "'obligations':[{'type':'verify'},{'type':'verify'}]",
    };
    static const char *const right[] = {
        "'outcome':'conditional'",
        "'reason_code':'CONDITION_UNVERIFIED'",
        "'rules':['p1']",
        "'allowed':false",
        "'warnings':[]",
        "'obligations':[{'type':'verify','rule':'p1','condition':'mfa'}]",
    };
    char text[512];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(text, sizeof text, CASE("'expect':{%s}"), wrong[i]);
        ck_assert_msg(test_with(text) == LEX_EXIT_NO, "%s: %s", wrong[i], printed);
        says(": expected ");
    }
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        (void)snprintf(text, sizeof text, CASE("'expect':{%s}"), right[i]);
        ck_assert_msg(test_with(text) == LEX_EXIT_OK, "%s: %s", right[i], printed);
    }
}
END_TEST

START_TEST(a_case_that_cannot_be_meant_is_an_error_with_its_place)
{
    static const char *const bad[][2] = {
        {"{'cases':[{'request':{'actor':'a'}}]}", "p.test.json:1:11: the case expects nothing"},
        {CASE("'expect':{}"), "expects nothing"},
        {CASE("'expect':{'outcom':'denied'}"), "did you mean \"outcome\"?"},
        {CASE("'expect':{'outcome':'aproved'}"), "did you mean \"approved\"?"},
        {CASE("'expect':{'reason_code':'PERMITED'}"), "did you mean \"PERMITTED\"?"},
        {CASE("'expect':{'allowed':'yes'}"), "must be true or false"},
        {CASE("'expect':{'rules':'p1'}"), "must be an array of strings"},
        {CASE("'expect':{'obligations':[{'typ':'verify'}]}"), "did you mean \"type\"?"},
        {CASE("'expct':{}"), "did you mean \"expect\"?"},
        {"{'cases':[{'name':'n'}]}", "an object with a \"request\""},
        {"{'casess':[]}", "did you mean \"cases\"?"},
        {"[]", "an object with an array \"cases\""},
        {"{'cases':", "p.test.json: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(test_with(bad[i][0]) == LEX_EXIT_USAGE, "%s: %s", bad[i][0], printed);
        says(bad[i][1]);
    }
    ck_assert_int_eq(test_with("{'cases':[]}"), LEX_EXIT_NO);
    says("a test that asks nothing fails");
    put("alone.json", policy_text);
    ck_assert_int_eq(RUN(lex_cli_policy_test, NULL, at("alone.json")), LEX_EXIT_USAGE);
    says("alone.test.json");
}
END_TEST

START_TEST(coverage_below_the_minimum_fails)
{
    put("p.json", policy_text);
    put("c.json", CASE("'facts':{'attested':{'mfa':true}},'expect':{'outcome':'approved'}"));
    ck_assert_int_eq(
        RUN(lex_cli_policy_test, NULL, "--coverage-min", "50", at("p.json"), at("c.json")),
        LEX_EXIT_OK);
    ck_assert_int_eq(
        RUN(lex_cli_policy_test, NULL, "--coverage-min", "51", at("p.json"), at("c.json")),
        LEX_EXIT_NO);
    says("the coverage is 50 %, less than 51 %");
    put("d.json", CASE("'expect':{'outcome':'conditional'}")); /* tried, but not what permits */
    ck_assert_int_eq(
        RUN(lex_cli_policy_test, NULL, "--coverage-min", "1", at("p.json"), at("d.json")),
        LEX_EXIT_NO);
    ck_assert_int_eq(RUN(lex_cli_policy_test, NULL, "--coverage-min", "101", at("p.json")),
                     LEX_EXIT_USAGE);
}
END_TEST

START_TEST(test_in_json_names_cases_and_uncovered_rules)
{
    put("p.json", policy_text);
    put("p.test.json", CASE("'name':'n','expect':{'outcome':'approved'}"));
    ck_assert_int_eq(RUN(lex_cli_policy_test, NULL, "--json", at("p.json")), LEX_EXIT_NO);
    says("\"passed\":false,\"name\":\"n\",\"verdict\":{\"outcome\":\"conditional\"");
    says("\"passed\":0,\"failed\":1,\"coverage\":{\"percent\":0,\"rules\":2,\"covered\":0,");
    says("{\"id\":\"f1\",\"kind\":\"forbids\",");
}
END_TEST

/* ---- explain ---- */

START_TEST(explain_says_why_and_hides_what_is_about_others)
{
    const char *policy = put("p.json", policy_text);
    ck_assert_int_eq(RUN(lex_cli_policy_explain,
                         "{'actor':'a','proposed_action':'x','context':{'mfa':true}}", "--policy",
                         policy),
                     LEX_EXIT_OK);
    says("verdict:  conditional CONDITION_UNVERIFIED");
    says("* conditional permits    p1  matches  ");
    says("if true    mfa  [the caller's word]");
    says("read: mfa = true (caller)");
    says("1 rule about other actors or actions; --all shows them.");
    says_not(" f1 ");
    ck_assert_int_eq(RUN(lex_cli_policy_explain, "{'actor':'a','proposed_action':'x'}", "--all",
                         "--policy", policy),
                     LEX_EXIT_OK);
    says(" f1  misses on its actor");
    says("because not b");
}
END_TEST

START_TEST(explain_in_json_has_every_rule)
{
    const char *policy = put("p.json", policy_text);
    const char *facts = put("f.json", "{'attested':{'mfa':false}}");
    ck_assert_int_eq(RUN(lex_cli_policy_explain, "{'actor':'a','proposed_action':'x'}", "--json",
                         "--policy", policy, "--facts", facts),
                     LEX_EXIT_OK);
    says("\"outcome\":\"denied\"");
    says("{\"id\":\"p1\",\"kind\":\"permits\",");
    says("\"truth\":\"false\",\"basis\":\"server or attested\",\"facts\":[{\"name\":\"mfa\","
         "\"provenance\":\"attested\",\"value\":false}]");
    says("\"id\":\"f1\"");
    says("\"match\":\"no\",\"missed\":\"actor\"");
}
END_TEST

START_TEST(explain_of_a_verdict_before_any_rule_says_so_and_of_no_request_fails)
{
    const char *policy = put("p.json", policy_text);
    ck_assert_int_eq(
        RUN(lex_cli_policy_explain, "{'actor':'who','proposed_action':'x'}", "--policy", policy),
        LEX_EXIT_OK);
    says("denied UNKNOWN_ACTOR");
    says("No rule was asked");
    ck_assert_int_eq(RUN(lex_cli_policy_explain, "{'actr':'a'}", "--policy", policy),
                     LEX_EXIT_USAGE);
    says("stdin:1:2: unknown member \"actr\"; did you mean \"actor\"?");
    ck_assert_int_eq(RUN(lex_cli_policy_explain, "", "--policy", policy, "--request", at("none")),
                     LEX_EXIT_USAGE);
}
END_TEST

/* ---- diff ---- */

START_TEST(diff_ends_by_what_it_is_asked_to_fail_on)
{
    const char *old_path = put("old.json", policy_text);
    const char *new_path = put("new.json", "{" TERMS ",'relations':[{'id':'p1','type':'permits',"
                                           "'actor':'a','action':'x'}]}");
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, old_path, old_path), LEX_EXIT_OK);
    says("0 kinds of verdict widened, 0 narrowed");
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, old_path, new_path), LEX_EXIT_NO);
    says("widened   actor:a -> action:x");
    says("conditional CONDITION_UNVERIFIED -> approved PERMITTED");
    says("example: {\"request\":{\"actor\":\"actor:a\",\"proposed_action\":\"action:x\"}");
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, "--fail-on", "narrow", old_path, new_path),
                     LEX_EXIT_OK);
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, "--fail-on=widen", old_path, new_path),
                     LEX_EXIT_NO);
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, "--fail-on=widen", new_path, old_path),
                     LEX_EXIT_OK);
    says("narrowed  actor:a -> action:x");
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, "--fail-on=all", new_path, old_path),
                     LEX_EXIT_USAGE);
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, old_path, put("bad.json", "{")),
                     LEX_EXIT_USAGE);
}
END_TEST

START_TEST(an_incomplete_diff_fails_and_says_so)
{
    const char *old_path = put("old.json", policy_text);
    const char *new_path = put("new.json", "{" TERMS ",'relations':[{'id':'p1','type':'permits',"
                                           "'actor':'a','action':'x','condition':'mfa && new'}]}");
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, "--max-evaluations", "20", "--limit", "1",
                         "--fail-on", "narrow", new_path, old_path),
                     LEX_EXIT_NO);
    says("incomplete ");
    says("NOT complete: ");
    ck_assert_int_eq(
        RUN(lex_cli_policy_diff, NULL, "--json", "--max-evaluations", "20", new_path, old_path),
        LEX_EXIT_NO);
    says("{\"complete\":false,");
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, "--json", new_path, old_path), LEX_EXIT_NO);
    says("{\"complete\":true,");
    says("\"change\":\"widened\",\"old\":{\"outcome\":\"");
    ck_assert_int_eq(RUN(lex_cli_policy_diff, NULL, "--max-evaluations", "0", new_path, old_path),
                     LEX_EXIT_USAGE);
}
END_TEST

/* ---- fmt ---- */

START_TEST(fmt_lays_out_and_keeps_the_hash)
{
    char hash[512];
    put("p.json", policy_text);
    ck_assert_int_eq(RUN(lex_cli_policy_hash, NULL, at("p.json")), LEX_EXIT_OK);
    (void)snprintf(hash, sizeof hash, "%s", strstr(printed, "\"policy_hash\""));
    ck_assert_int_eq(RUN(lex_cli_policy_fmt, NULL, at("p.json")), LEX_EXIT_OK);
    says("{\n  \"terms\": [\n    {\"id\": \"actor:human\", \"type\": \"actor\"},\n");
    ck_assert_int_eq(RUN(lex_cli_policy_fmt, NULL, "--check", at("p.json")), LEX_EXIT_NO);
    says("p.json\n");
    ck_assert_int_eq(chmod(at("p.json"), 0640), 0);
    ck_assert_int_eq(RUN(lex_cli_policy_fmt, NULL, "--write", at("p.json")), LEX_EXIT_OK);
    says("p.json\n");
    struct stat info;
    ck_assert_int_eq(stat(at("p.json"), &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0640);
    ck_assert_ptr_nonnull(strstr(get("p.json"), "\n  \"relations\": [\n    {\"id\": \"p1\", "));
    ck_assert_int_eq(RUN(lex_cli_policy_fmt, NULL, "--check", at("p.json")), LEX_EXIT_OK);
    ck_assert_str_eq(printed, "");
    ck_assert_int_eq(RUN(lex_cli_policy_hash, NULL, at("p.json")), LEX_EXIT_OK);
    says(hash);
}
END_TEST

START_TEST(fmt_of_no_policy_fails_and_writes_nothing)
{
    put("p.json", "{'a':1,}");
    ck_assert_int_eq(RUN(lex_cli_policy_fmt, NULL, "--write", at("p.json")), LEX_EXIT_USAGE);
    ck_assert_str_eq(get("p.json"), "{\"a\":1,}");
    ck_assert_int_eq(RUN(lex_cli_policy_fmt, NULL, put("p.json", "'text'")), LEX_EXIT_USAGE);
    ck_assert_int_eq(RUN(lex_cli_policy_fmt, NULL, "--check", "--write", at("p.json")),
                     LEX_EXIT_USAGE);
    ck_assert_int_eq(RUN(lex_cli_policy_fmt, "{}", "--write", "-"), LEX_EXIT_USAGE);
    ck_assert_int_eq(RUN(lex_cli_policy_fmt, "{'a':1}", "-"), LEX_EXIT_OK);
    ck_assert_str_eq(printed, "{\n  \"a\": 1\n}\n");
}
END_TEST

LEX_CHECK_MAIN_WITH("policy_tools", setup, teardown, check_names_the_place_of_lints_and_errors,
                    check_in_json_has_every_part, a_directory_is_one_policy_without_its_tests,
                    hash_covers_content_and_not_layout, decide_takes_facts_a_clock_and_a_mode,
                    decide_takes_a_case_and_denies_what_is_no_request,
                    decide_refuses_facts_a_clock_and_a_mode_that_are_none,
                    cases_that_hold_pass_and_others_say_why, each_expectation_can_fail,
                    a_case_that_cannot_be_meant_is_an_error_with_its_place,
                    coverage_below_the_minimum_fails, test_in_json_names_cases_and_uncovered_rules,
                    explain_says_why_and_hides_what_is_about_others, explain_in_json_has_every_rule,
                    explain_of_a_verdict_before_any_rule_says_so_and_of_no_request_fails,
                    diff_ends_by_what_it_is_asked_to_fail_on, an_incomplete_diff_fails_and_says_so,
                    fmt_lays_out_and_keeps_the_hash, fmt_of_no_policy_fails_and_writes_nothing)
