/* Coverage: which rules a verdict rested on. */
#include "core/decision/coverage.h"
#include "tests/unit/policy_fixture.h"

static struct lex_coverage coverage;

static const char text[] = "{'relations':[{'id':'p','type':'permits','actor':'a','action':'x'},"
                           "{'id':'q','type':'permits','actor':'a','action':'x','condition':'mfa'},"
                           "{'id':'f','type':'forbids','actor':'b','action':'x'},"
                           "{'id':'k','type':'conflicts','source':'data:d','target':'data:e'},"
                           "{'id':'i','type':'implies','source':'actor:c','target':'actor:b'}],"
                           "'constraints':[{'name':'tell','condition':'late','action':'log_it'},"
                           "{'name':'stop','condition':'stop','action':'deny'}]}";

static uint32_t verdicts_of(const char *id)
{
    for (size_t i = 0; i < coverage.count; i++)
        if (lex_span_eq(coverage.rules[i].id, lex_span_str(id)))
            return coverage.rules[i].verdicts;
    ck_abort_msg("no rule %s", id);
}

static void add(const struct lex_policy *policy, const struct ask *ask)
{
    struct lex_decision decision = decide(policy, ask);
    lex_coverage_add(&coverage, &decision);
}
#define ADD(...) add(policy, &(const struct ask){__VA_ARGS__})

START_TEST(every_rule_but_an_implies_is_there_with_its_place)
{
    struct lex_policy *policy = load(text);
    ck_assert_int_eq(lex_coverage_init(policy, &fixture_arena, &coverage), LEX_OK);
    ck_assert_uint_eq(coverage.count, 6);
    ck_assert_uint_eq(lex_coverage_covered(&coverage), 0);
    ck_assert_span_eq(coverage.rules[0].id, "p");
    ck_assert_str_eq(coverage.rules[0].kind, "permits");
    ck_assert_str_eq(coverage.rules[0].source, "p.json");
    ck_assert_uint_eq(coverage.rules[0].line, 1);
    ck_assert_uint_eq(coverage.rules[0].column, 15);
    ck_assert_str_eq(coverage.rules[3].kind, "conflicts");
    ck_assert_span_eq(coverage.rules[4].id, "constraint:tell");
    lex_policy_unref(policy);
}
END_TEST

START_TEST(a_rule_is_covered_by_the_verdict_that_it_decided_and_no_other)
{
    struct lex_policy *policy = load(text);
    ck_assert_int_eq(lex_coverage_init(policy, &fixture_arena, &coverage), LEX_OK);
    ADD(.actor = "a", .action = "x");
    ck_assert_uint_eq(verdicts_of("p"), 1);
    ck_assert_uint_eq(verdicts_of("q"), 0);
    ADD(.actor = "b", .action = "x");
    ck_assert_uint_eq(verdicts_of("f"), 1);
    ADD(.actor = "a", .action = "x", .classes = {"d", "e"});
    ck_assert_uint_eq(verdicts_of("k"), 1);
    ck_assert_uint_eq(verdicts_of("p"), 1); /* it matched, and did not decide */
    ADD(.actor = "a", .action = "x", .attested = FACT("stop", true));
    ck_assert_uint_eq(verdicts_of("constraint:stop"), 1);
    ck_assert_uint_eq(lex_coverage_covered(&coverage), 4);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(advice_is_covered_by_the_obligation_it_gives)
{
    struct lex_policy *policy = load(text);
    ck_assert_int_eq(lex_coverage_init(policy, &fixture_arena, &coverage), LEX_OK);
    ADD(.actor = "a", .action = "x", .attested = FACT("late", false));
    ck_assert_uint_eq(verdicts_of("constraint:tell"), 0);
    ADD(.actor = "a", .action = "x", .attested = FACT("late", true));
    ck_assert_uint_eq(verdicts_of("constraint:tell"), 1);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(a_permit_that_did_not_hold_is_not_covered)
{
    struct lex_policy *policy = load(
        "{'relations':[{'id':'q','type':'permits','actor':'a','action':'x','condition':'mfa'}]}");
    ck_assert_int_eq(lex_coverage_init(policy, &fixture_arena, &coverage), LEX_OK);
    ADD(.actor = "a", .action = "x");
    ADD(.actor = "a", .action = "x", .attested = FACT("mfa", false));
    ck_assert_uint_eq(verdicts_of("q"), 0);
    ADD(.actor = "a", .action = "x", .attested = FACT("mfa", true));
    ck_assert_uint_eq(verdicts_of("q"), 1);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(a_full_arena_is_a_limit)
{
    struct lex_policy *policy = load(text);
    struct lex_arena small;
    lex_arena_init(&small, 64, 64);
    ck_assert_int_eq(lex_coverage_init(policy, &small, &coverage), LEX_LIMIT);
    lex_arena_fini(&small);
    lex_policy_unref(policy);
}
END_TEST

LEX_CHECK_MAIN("coverage", every_rule_but_an_implies_is_there_with_its_place,
               a_rule_is_covered_by_the_verdict_that_it_decided_and_no_other,
               advice_is_covered_by_the_obligation_it_gives,
               a_permit_that_did_not_hold_is_not_covered, a_full_arena_is_a_limit)
