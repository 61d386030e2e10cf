/* Requests: each ceiling one over, each field malformed, and what comes before any rule. */
#include <math.h>

#include "tests/unit/policy_fixture.h"

static struct lex_policy *policy;
static char long_text[LEX_INTENT_MAX_BYTES + 2];

static struct lex_request good(void)
{
    return (struct lex_request){.request_id = LEX_SPAN("r"),
                                .actor = LEX_SPAN("a"),
                                .proposed_action = LEX_SPAN("b"),
                                .risk_level = 1};
}

static const char *answer(const struct lex_request *request, bool id_optional)
{
    struct lex_decision decision;
    struct lex_decide_input input = {
        .policy = policy, .request = request, .now_us = 1000, .request_id_optional = id_optional};
    if (policy == NULL)
        policy = load("{'relations':[{'type':'permits','subject':'a','action':'b'}]}");
    input.policy = policy;
    memset(long_text, 'x', sizeof long_text - 1);
    lex_decide(&input, &fixture_arena, &decision);
    ck_assert_int_eq(decision.allowed, decision.outcome == LEX_OUTCOME_APPROVED);
    return code_of(&decision);
}

#define ck_invalid(statement)                                                               \
    do {                                                                                    \
        struct lex_request r = good();                                                      \
        statement;                                                                          \
        ck_assert_msg(strcmp(answer(&r, false), "INVALID_REQUEST") == 0, "%s", #statement); \
    } while (0)
#define ck_valid(statement)                                                                 \
    do {                                                                                    \
        struct lex_request r = good();                                                      \
        statement;                                                                          \
        ck_assert_msg(strcmp(answer(&r, false), "INVALID_REQUEST") != 0, "%s", #statement); \
    } while (0)

static struct lex_span first(size_t len)
{
    memset(long_text, 'x', sizeof long_text - 1);
    return lex_span_of(long_text, len);
}

START_TEST(required_members_must_be_there_and_not_empty)
{
    ck_valid((void)r);
    ck_invalid(r.request_id = lex_span_str(NULL));
    ck_invalid(r.request_id = LEX_SPAN(""));
    ck_invalid(r.actor = lex_span_str(NULL));
    ck_invalid(r.actor = LEX_SPAN(""));
    ck_invalid(r.proposed_action = lex_span_str(NULL));
    ck_invalid(r.proposed_action = LEX_SPAN(""));
    struct lex_request r = good();
    r.request_id = lex_span_str(NULL);
    ck_assert_str_eq(answer(&r, true), "PERMITTED");
}
END_TEST

START_TEST(names_are_utf8_without_controls_up_to_512_bytes)
{
    ck_valid(r.actor = first(512));
    ck_invalid(r.actor = first(513));
    ck_invalid(r.proposed_action = first(513));
    ck_invalid(r.tool = first(513));
    ck_invalid(r.resource = first(513));
    ck_invalid(r.request_id = first(513));
    ck_invalid(r.actor = LEX_SPAN("a\n"));
    ck_invalid(r.actor = LEX_SPAN("a\0"));
    ck_invalid(r.actor = LEX_SPAN("a\x7f"));
    ck_invalid(r.actor = LEX_SPAN("a\xc2\x85"));
    ck_invalid(r.actor = LEX_SPAN("a\xff"));
    ck_invalid(r.tool = LEX_SPAN("\xed\xa0\x80"));
    ck_valid(r.actor = LEX_SPAN("gr\xc3\xbc\xc3\x9f"));
}
END_TEST

START_TEST(lists_and_texts_keep_to_their_ceilings)
{
    struct lex_span names[65];
    for (size_t i = 0; i < 65; i++)
        names[i] = LEX_SPAN("same");
    ck_valid(r.data_classes = ((struct lex_span_list){names, 64}));
    ck_invalid(r.data_classes = ((struct lex_span_list){names, 65}));
    ck_valid(r.attestations = ((struct lex_span_list){names, 4}));
    ck_invalid(r.attestations = ((struct lex_span_list){names, 5}));
    names[1] = LEX_SPAN("");
    ck_invalid(r.data_classes = ((struct lex_span_list){names, 2}));
    ck_valid(r.user_intent = first(LEX_INTENT_MAX_BYTES));
    ck_invalid(r.user_intent = first(LEX_INTENT_MAX_BYTES + 1));
    ck_invalid(r.user_intent = LEX_SPAN("\xff"));
    ck_valid(r.user_intent = LEX_SPAN("two\nlines"));
}
END_TEST

START_TEST(risk_and_mode_are_from_their_lists)
{
    ck_invalid(r.risk_level = 0);
    ck_invalid(r.risk_level = 6);
    ck_invalid(r.risk_level = -1);
    ck_valid(r.risk_level = 5);
    ck_valid(r.policy_mode = LEX_SPAN("paranoid"));
    ck_invalid(r.policy_mode = LEX_SPAN("Strict"));
    ck_invalid(r.policy_mode = LEX_SPAN(""));
}
END_TEST

START_TEST(context_and_arguments_have_one_canonical_form)
{
    struct lex_member m[2] = {{LEX_SPAN_INIT("k"), {.type = LEX_VALUE_LONG, {.i64 = 1}}},
                              {LEX_SPAN_INIT("l"), {.type = LEX_VALUE_NULL}}};
    ck_valid(r.context = ((struct lex_member_list){m, 2}));
    m[1].key = m[0].key;
    ck_invalid(r.context = ((struct lex_member_list){m, 2}));
    m[0].value.i64 = 9007199254740991;
    ck_valid(r.context = ((struct lex_member_list){m, 1}));
    m[0].value.i64 = 9007199254740992;
    ck_invalid(r.context = ((struct lex_member_list){m, 1}));
    m[0].value = (struct lex_value){.type = LEX_VALUE_DOUBLE, {.f64 = INFINITY}};
    ck_invalid(r.context = ((struct lex_member_list){m, 1}));
    m[0].value = (struct lex_value){.type = LEX_VALUE_STRING, {.text = LEX_SPAN("\xff")}};
    ck_invalid(r.context = ((struct lex_member_list){m, 1}));
    ck_valid(r.arguments = LEX_SPAN("{\"a\":[1,{}]}"));
    ck_invalid(r.arguments = LEX_SPAN("[1]"));
    ck_invalid(r.arguments = LEX_SPAN(""));
    ck_invalid(r.arguments = LEX_SPAN("{\"a\":1,\"a\":2}"));
    ck_invalid(r.arguments = LEX_SPAN("{\"a\":9007199254740992}"));
    ck_invalid(r.arguments = LEX_SPAN("{\"a\":1e999}"));
}
END_TEST

START_TEST(a_deadline_has_passed_only_after_its_instant)
{
    struct lex_request r = good();
    r.deadline = (struct lex_opt_i64){true, 1000};
    ck_assert_str_eq(answer(&r, false), "PERMITTED");
    r.deadline.value = 999;
    ck_assert_str_eq(answer(&r, false), "REQUEST_EXPIRED");
    r.actor = LEX_SPAN("");
    ck_assert_str_eq(answer(&r, false), "INVALID_REQUEST");
}
END_TEST

START_TEST(a_denial_from_outside_has_every_field_and_no_rule)
{
    struct lex_request r = good();
    struct lex_decision d;
    r.risk_level = 77;
    struct lex_decide_input input = {
        .request = &r, .server_mode = LEX_MODE_STRICT, .now_us = 5, .ttl_us = INT64_MAX};
    lex_decide_denied(&input, LEX_REASON_EVALUATION_ERROR, LEX_SPAN("why"), &d);
    ck_assert_int_eq(d.outcome, LEX_OUTCOME_DENIED);
    ck_assert(!d.allowed);
    ck_assert_span_eq(d.reason, "why");
    ck_assert_int_eq(d.risk_given, 0);
    ck_assert_int_eq(d.mode_effective, LEX_MODE_STRICT);
    ck_assert(d.valid_until_us == INT64_MAX);
    ck_assert_uint_eq(d.rules.count, 0);
}
END_TEST

LEX_CHECK_MAIN("decision_request", required_members_must_be_there_and_not_empty,
               names_are_utf8_without_controls_up_to_512_bytes,
               lists_and_texts_keep_to_their_ceilings, risk_and_mode_are_from_their_lists,
               context_and_arguments_have_one_canonical_form,
               a_deadline_has_passed_only_after_its_instant,
               a_denial_from_outside_has_every_field_and_no_rule)
