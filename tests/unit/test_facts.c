/* Facts from JSON: what a policy test may say of attestations and of the past, and what it may not.
 */
#include "core/codec/facts.h"

#include "tests/unit/policy_fixture.h"

static const int64_t now_us = (int64_t)10000 * 1000000;

struct outcome {
    struct lex_policy *policy;
    struct lex_facts facts;
    struct lex_history *history;
    enum lex_status status;
};

static struct outcome read_facts(const char *text)
{
    struct outcome read = {.policy = load("{'relations':["
                                          "{'id':'limit','type':'permits','subject':'a','action':"
                                          "'x','condition':{'type':'rate_limit','max_requests':2,"
                                          "'window':'1m'}},"
                                          "{'id':'sum','type':'permits','subject':'a','action':"
                                          "'y','condition':{'type':'rate_limit','max_requests':2,"
                                          "'window':'1m','sum':'arguments.n'}},"
                                          "{'id':'free','type':'permits','subject':'a',"
                                          "'action':'z'},"
                                          "{'id':'duty','type':'conflicts','source':'action:z',"
                                          "'target':'action:v'}]}")};
    const struct lex_json *node = NULL;
    ck_assert_int_eq(lex_json_parse(&fixture_arena, quoted(text), &node, &fixture_err), LEX_OK);
    fixture_err.text[0] = 0;
    read.status = lex_facts_from_json(node, read.policy, now_us, &fixture_arena, &read.facts,
                                      &read.history, &fixture_err);
    return read;
}

static void finish(struct outcome *read)
{
    if (read->status == LEX_OK)
        lex_history_free(read->history);
    lex_policy_unref(read->policy);
}

static void facts_refused(const char *text, const char *part)
{
    struct outcome read = read_facts(text);
    ck_assert_msg(read.status == LEX_REJECT, "taken: %s", text);
    ck_assert_msg(strstr(fixture_err.text, part) != NULL, "%s: %s", text, fixture_err.text);
    finish(&read);
}

/* The code of a decision for actor `a` under the facts. */
static const char *code_under(const char *facts, const char *action, const char *arguments)
{
    struct outcome read = read_facts(facts);
    struct lex_decision decision;
    ck_assert_msg(read.status == LEX_OK, "%s: %s", facts, fixture_err.text);
    struct lex_request request = {.request_id = LEX_SPAN("r"),
                                  .actor = LEX_SPAN("a"),
                                  .proposed_action = lex_span_str(action),
                                  .arguments = lex_span_str(arguments),
                                  .risk_level = 1};
    struct lex_decide_input input = {.policy = read.policy,
                                     .request = &request,
                                     .facts = &read.facts,
                                     .history = read.history,
                                     .now_us = now_us,
                                     .ttl_us = 1000};
    lex_decide(&input, &fixture_arena, &decision);
    finish(&read);
    return code_of(&decision);
}

START_TEST(every_member_is_read)
{
    struct outcome read = read_facts(
        "{'attested':{'mfa':true,'n':{'value':5,'issuer':'hr'},'none':null,'some':['a','b']},"
        "'roles':['r'],'identity':true,'requester_key':'k1',"
        "'approvals':[{'approver':'human','key':'k2','age_s':12.5}],'token':{'action':'x'},"
        "'risk_score':100}");
    ck_assert_int_eq(read.status, LEX_OK);
    ck_assert_uint_eq(read.facts.attested_count, 4);
    ck_assert_span_eq(read.facts.attested[0].member.key, "mfa");
    ck_assert(read.facts.attested[0].member.value.boolean);
    ck_assert(lex_span_absent(read.facts.attested[0].issuer));
    ck_assert_int_eq(read.facts.attested[1].member.value.i64, 5);
    ck_assert_span_eq(read.facts.attested[1].issuer, "hr");
    ck_assert_int_eq(read.facts.attested[2].member.value.type, LEX_VALUE_NULL);
    ck_assert_uint_eq(read.facts.attested[3].member.value.list.count, 2);
    ck_assert_uint_eq(read.facts.roles.count, 1);
    ck_assert(read.facts.identity);
    ck_assert_span_eq(read.facts.requester_key, "k1");
    ck_assert_uint_eq(read.facts.approvals_count, 1);
    ck_assert_int_eq(read.facts.approvals[0].issued_us, now_us - 12500000);
    ck_assert_uint_eq(read.facts.token.count, 1);
    ck_assert_int_eq(read.facts.risk_score, 100);
    finish(&read);
}
END_TEST

START_TEST(no_facts_are_an_empty_and_complete_history)
{
    ck_assert_str_eq(code_under("{}", "x", NULL), "PERMITTED");
    struct outcome read = read_facts("{}");
    ck_assert_uint_eq(read.facts.attested_count, 0);
    ck_assert(!read.facts.identity);
    ck_assert(lex_history_complete(read.history, INT64_MIN));
    finish(&read);
}
END_TEST

START_TEST(what_has_another_form_is_refused_with_its_name)
{
    facts_refused("[]", "object");
    facts_refused("{'attest':{}}", "attest");
    facts_refused("{'attested':[]}", "attested");
    facts_refused("{'attested':{'a':{'issuer':'hr'}}}", "value");
    facts_refused("{'attested':{'a':{'value':1,'issuer':2}}}", "issuer");
    facts_refused("{'attested':{'a':[1]}}", "strings");
    facts_refused("{'attested':{'#statement.0':1}}", "#");
    facts_refused("{'roles':'r'}", "roles");
    facts_refused("{'identity':1}", "identity");
    facts_refused("{'requester_key':1}", "requester_key");
    facts_refused("{'approvals':{}}", "approvals");
    facts_refused("{'approvals':[{'key':'k','age_s':1}]}", "approver");
    facts_refused("{'approvals':[{'approver':'h','age_s':1}]}", "key");
    facts_refused("{'approvals':[{'approver':'h','key':'k'}]}", "age_s");
    facts_refused("{'approvals':[{'approver':'h','key':'k','age_s':-1}]}", "age_s");
    facts_refused("{'token':'x'}", "token");
    facts_refused("{'risk_score':101}", "risk_score");
    facts_refused("{'risk_score':1.5}", "risk_score");
    facts_refused("{'history':[]}", "history");
    facts_refused("{'history':{'complete':'no'}}", "complete");
    facts_refused("{'history':{'rates':{}}}", "rates");
    facts_refused("{'history':{'rates':[1]}}", "rates");
    facts_refused("{'history':{'rates':[{'rule':'limit','age_s':1}]}}", "actor");
    facts_refused("{'history':{'rates':[{'rule':'free','actor':'actor:a','age_s':1}]}}",
                  "rate_limit");
    facts_refused("{'history':{'duties':[{'actor':'a','age_s':1}]}}", "action");
}
END_TEST

START_TEST(one_approval_more_than_a_request_may_bring_is_refused)
{
#define ONE "{'approver':'h','key':'k','age_s':1}"
    struct outcome read = read_facts("{'approvals':[" ONE "," ONE "," ONE "," ONE "]}");
    ck_assert_int_eq(read.status, LEX_OK);
    ck_assert_uint_eq(read.facts.approvals_count, LEX_ATTESTATIONS_MAX);
    finish(&read);
    facts_refused("{'approvals':[" ONE "," ONE "," ONE "," ONE "," ONE "]}", "approvals");
#undef ONE
}
END_TEST

#define USE(age) "{'rule':'limit','actor':'actor:a','age_s':" age "}"
#define SUM(amount) "{'rule':'sum','actor':'actor:a','age_s':1,'amount':" amount "}"

START_TEST(uses_of_a_limit_count_in_any_order_and_within_the_window)
{
    ck_assert_str_eq(code_under("{'history':{'rates':[" USE("1") "]}}", "x", NULL), "PERMITTED");
    ck_assert_str_eq(code_under("{'history':{'rates':[" USE("1") "," USE("59.9") "]}}", "x", NULL),
                     "RATE_LIMITED");
    ck_assert_str_eq(code_under("{'history':{'rates':[" USE("1") "," USE("60") "]}}", "x", NULL),
                     "PERMITTED");
    ck_assert_str_eq(code_under("{'history':{'rates':[{'rule':'limit','actor':'actor:b','age_s':1},"
                                "{'rule':'limit','actor':'actor:b','age_s':1}]}}",
                                "x", NULL),
                     "PERMITTED");
}
END_TEST

START_TEST(amounts_are_exact_to_the_sixth_decimal_and_no_further)
{
    ck_assert_str_eq(
        code_under("{'history':{'rates':[" SUM("1.999999") "]}}", "y", "{\"n\":0.000001}"),
        "PERMITTED");
    ck_assert_str_eq(
        code_under("{'history':{'rates':[" SUM("1.999999") "]}}", "y", "{\"n\":0.000002}"),
        "RATE_LIMITED");
    facts_refused("{'history':{'rates':[" SUM("0.0000001") "]}}", "amount");
    facts_refused("{'history':{'rates':[" SUM("-1") "]}}", "amount");
    facts_refused("{'history':{'rates':[" SUM("1e3") "]}}", "amount");
    facts_refused("{'history':{'rates':[" SUM("99999999999999999999") "]}}", "amount");
}
END_TEST

START_TEST(a_history_is_unknown_beyond_what_it_is_complete_for)
{
    static const char duties[] = "'duties':[{'actor':'a','action':'v','age_s':20}]}}";
    char text[256];
    ck_assert_str_eq(code_under("{'history':{'complete':false}}", "x", NULL),
                     "CONDITION_UNVERIFIED");
    ck_assert_str_eq(code_under("{'history':{'complete':59.9}}", "x", NULL),
                     "CONDITION_UNVERIFIED");
    ck_assert_str_eq(code_under("{'history':{'complete':60}}", "x", NULL), "PERMITTED");
    (void)snprintf(text, sizeof text, "{'history':{%s", duties);
    ck_assert_str_eq(code_under(text, "z", NULL), "SOD_CONFLICT");
    (void)snprintf(text, sizeof text, "{'history':{'complete':30,%s", duties);
    ck_assert_str_eq(code_under(text, "z", NULL), "SOD_CONFLICT");
    (void)snprintf(text, sizeof text, "{'history':{'complete':10,%s", duties);
    ck_assert_str_eq(code_under(text, "z", NULL), "SOD_STATE_UNAVAILABLE");
}
END_TEST

LEX_CHECK_MAIN("facts", every_member_is_read, no_facts_are_an_empty_and_complete_history,
               what_has_another_form_is_refused_with_its_name,
               one_approval_more_than_a_request_may_bring_is_refused,
               uses_of_a_limit_count_in_any_order_and_within_the_window,
               amounts_are_exact_to_the_sixth_decimal_and_no_further,
               a_history_is_unknown_beyond_what_it_is_complete_for)
