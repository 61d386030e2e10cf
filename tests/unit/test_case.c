/* Cases: a request and what stands beside it, for the commands that decide offline. */
#include "cli/case.h"
#include "tests/unit/policy_fixture.h"

static struct lex_offline offline;
static struct lex_case one;
static char policy_path[] = "/tmp/lexecon_case_XXXXXX";

static void setup(void)
{
    static const char text[] =
        "{\"relations\":[{\"id\":\"r1\",\"type\":\"permits\",\"source\":\"a\",\"target\":\"b\","
        "\"conditions\":[\"mfa\",{\"type\":\"rate_limit\",\"max_requests\":2,\"window\":\"1h\"}]}]"
        "}";
    (void)snprintf(policy_path, sizeof policy_path, "/tmp/lexecon_case_XXXXXX");
    int fd = mkstemp(policy_path);
    FILE *file = fdopen(fd, "w");
    ck_assert(fputs(text, file) >= 0 && fclose(file) == 0);
    fixture_start();
    ck_assert_msg(lex_offline_init(&offline, policy_path, &fixture_err) == LEX_OK, "%s",
                  fixture_err.text);
}

static void teardown(void)
{
    lex_offline_fini(&offline);
    (void)remove(policy_path);
}

static enum lex_status parse_as(const char *source, const char *text)
{
    const struct lex_case_text document = {source, quoted(text)};
    fixture_err.text[0] = 0;
    lex_case_fini(&one);
    return lex_case_parse(&offline, &document, &one, &fixture_err);
}

static void check_refused(const char *text, const char *says)
{
    ck_assert_msg(parse_as("c.json", text) != LEX_OK, "taken: %s", text);
    ck_assert_msg(strstr(fixture_err.text, says) != NULL, "%s: expected '%s' in '%s'", text, says,
                  fixture_err.text);
}

static struct lex_decision decided(void)
{
    struct lex_decision decision;
    struct lex_decide_input input = lex_case_input(&offline, &one);
    lex_decide(&input, &offline.arena, &decision);
    return decision;
}

START_TEST(a_bare_request_is_a_case_with_no_facts)
{
    ck_assert_int_eq(parse_as(NULL, "{'request_id':'r','actor':'a','proposed_action':'b'}"),
                     LEX_OK);
    ck_assert_span_eq(one.request.actor, "a");
    ck_assert_int_eq(one.request.risk_level, 1);
    ck_assert_int_eq(one.mode, LEX_MODE_UNSET);
    ck_assert_ptr_nonnull(one.history);
    ck_assert_int_eq(decided().outcome, LEX_OUTCOME_CONDITIONAL);
}
END_TEST

START_TEST(facts_clock_and_mode_of_a_case_are_its_own)
{
    ck_assert_int_eq(parse_as("c.json", "{'name':'n','request':{'actor':'a','proposed_action':'b'},"
                                        "'facts':{'attested':{'mfa':true}},"
                                        "'now':'1970-01-01T00:00:02Z','mode':'paranoid'}"),
                     LEX_OK);
    ck_assert_span_eq(one.name, "n");
    ck_assert_int_eq(one.now_us, 2000000);
    ck_assert_int_eq(one.mode, LEX_MODE_PARANOID);
    ck_assert_int_eq(decided().outcome, LEX_OUTCOME_APPROVED);
}
END_TEST

START_TEST(a_full_history_of_a_case_limits)
{
    ck_assert_int_eq(
        parse_as("c.json",
                 "{'request':{'actor':'a','proposed_action':'b'},"
                 "'facts':{'attested':{'mfa':true},'history':{'rates':["
                 "{'rule':'r1','actor':'actor:a','age_s':1},{'rule':'r1','actor':'actor:a',"
                 "'age_s':2}]}}}"),
        LEX_OK);
    ck_assert_int_eq(decided().reason_code, LEX_REASON_RATE_LIMITED);
}
END_TEST

START_TEST(errors_name_the_place_in_the_document_and_the_nearest_name)
{
    check_refused("{'request':{'actor':'a'},\n 'fact':{}}", "c.json:2:2: unknown member \"fact\"");
    check_refused("{'request':{'actor':'a'},\n 'fact':{}}", "did you mean \"facts\"?");
    check_refused("{'request':{\n  'actr':'a'}}", "c.json:2:3: unknown member \"actr\"");
    check_refused("{'request':{\n  'actr':'a'}}", "did you mean \"actor\"?");
    check_refused("{'request':{'actor':'a',\n  'risk_level':'1'}}", "c.json:2:");
    check_refused("{'request':{'actor':'a'},\n'now':'today'}", "c.json:2:7: \"now\" must be");
    check_refused("{'request':{'actor':'a'},'mode':'strickt'}", "permissive, strict or paranoid");
    check_refused("{'request':{'actor':'a'},\n'facts':{'atested':{}}}",
                  "did you mean \"attested\"?");
    check_refused("{'request':{'actor':'a'},\n'facts':{'attested':[]}}", "c.json:2:");
    check_refused("{'request':[]}", "a request must be an object");
    check_refused("[]", "a request must be an object");
    check_refused("{", "c.json: ");
}
END_TEST

START_TEST(the_id_of_a_request_that_cannot_be_read_is_kept)
{
    ck_assert_int_ne(parse_as(NULL, "{'actor':1,'request_id':'r7'}"), LEX_OK);
    ck_assert_span_eq(one.request.request_id, "r7");
    ck_assert_int_ne(parse_as(NULL, "{'request_id':7}"), LEX_OK);
    ck_assert(lex_span_absent(one.request.request_id));
}
END_TEST

START_TEST(members_of_ones_own_are_taken)
{
    ck_assert_int_eq(parse_as(NULL, "{'x_why':1,'request':{'actor':'a','x_trace':{}}}"), LEX_OK);
}
END_TEST

START_TEST(flags_that_name_no_instant_or_mode_are_refused)
{
    ck_assert_int_eq(lex_offline_now(&offline, "1970-01-01T00:00:01Z", &fixture_err), LEX_OK);
    ck_assert_int_eq(offline.now_us, 1000000);
    ck_assert_int_eq(lex_offline_now(&offline, "noon", &fixture_err), LEX_REJECT);
    ck_assert_int_eq(lex_offline_mode(&offline, "strict", &fixture_err), LEX_OK);
    ck_assert_int_eq(lex_offline_mode(&offline, "strct", &fixture_err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "did you mean strict?"));
}
END_TEST

LEX_CHECK_MAIN_WITH("case", setup, teardown, a_bare_request_is_a_case_with_no_facts,
                    facts_clock_and_mode_of_a_case_are_its_own, a_full_history_of_a_case_limits,
                    errors_name_the_place_in_the_document_and_the_nearest_name,
                    the_id_of_a_request_that_cannot_be_read_is_kept, members_of_ones_own_are_taken,
                    flags_that_name_no_instant_or_mode_are_refused)
