/* A line of `lexecon decide`: strict types, no unknown member, stand-ins for what is attested. */
#include "cli/decide_line.h"
#include "tests/unit/policy_fixture.h"

static struct lex_decide_line line;

static enum lex_status parse(const char *text)
{
    fixture_start();
    fixture_err.text[0] = 0;
    return lex_decide_line_parse(quoted(text), &fixture_arena, &line, &fixture_err);
}

START_TEST(every_member_is_read_and_defaults_are_filled)
{
    ck_assert_int_eq(
        parse("{'request_id':'r','actor':'a','proposed_action':'b','tool':null,'risk_level':3,"
              "'data_classes':['d','e'],'context':{'n':null,'t':true,'i':7,'f':0.5,'s':'x',"
              "'l':['y']},'arguments':{'k':[1]},'want_token':true,'x_trace':{'any':1},"
              "'deadline':'1970-01-01T00:00:01Z','attested_context':{'ok':false},'roles':['q'],"
              "'approvals':[{'approver':'boss','key':'k1','age_seconds':1.5}],"
              "'now':'1970-01-01T00:00:02Z'}"),
        LEX_OK);
    ck_assert_span_eq(line.request.actor, "a");
    ck_assert(lex_span_absent(line.request.tool));
    ck_assert_int_eq(line.request.risk_level, 3);
    ck_assert_uint_eq(line.request.data_classes.count, 2);
    ck_assert_uint_eq(line.request.context.count, 6);
    ck_assert_int_eq(line.request.context.items[3].value.type, LEX_VALUE_DOUBLE);
    ck_assert_span_eq(line.request.arguments, "{\"k\":[1]}");
    ck_assert_int_eq(line.request.deadline.value, 1000000);
    ck_assert_int_eq(line.facts.attested.items[0].value.type, LEX_VALUE_BOOL);
    ck_assert_span_eq(line.facts.roles.items[0], "q");
    ck_assert_int_eq(line.facts.approvals[0].age_us, 1500000);
    ck_assert_int_eq(line.now_us.value, 2000000);
    ck_assert_int_eq(parse("{}"), LEX_OK);
    ck_assert_int_eq(line.request.risk_level, 1);
    ck_assert(!line.now_us.present);
}
END_TEST

START_TEST(a_wrong_type_or_an_unknown_member_is_refused_and_the_id_kept)
{
    static const char *const bad[] = {
        "'actor':1",
        "'risk_level':'1'",
        "'risk_level':1.0",
        "'risk_level':4294967297",
        "'data_classes':'d'",
        "'data_classes':[1]",
        "'context':[]",
        "'context':{'a':{}}",
        "'context':{'a':[1]}",
        "'arguments':'{}'",
        "'want_token':1",
        "'deadline':5",
        "'now':'2026-01-01'",
        "'roles':'q'",
        "'approvals':[{'approver':'a','key':'k'}]",
        "'approvals':[{'approver':'a','key':'k','age_seconds':-1}]",
        "'approvals':[{'approver':'a','key':'k','age_seconds':1,'x':1}]",
        "'attested_context':1",
        "'actr':'a'",
        "'actor':'a','actor':'b'"};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "{%s,'request_id':'r7'}", bad[i]);
        ck_assert_msg(parse(text) == LEX_REJECT, "taken: %s", text);
        ck_assert_uint_ne(strlen(fixture_err.text), 0);
        if (i + 1 < LEX_COUNT_OF(bad)) /* the last one is no JSON that could be read */
            ck_assert_span_eq(line.request.request_id, "r7");
    }
    ck_assert_int_eq(parse("[]"), LEX_REJECT);
    ck_assert_int_eq(parse("{'actr':1}"), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "did you mean \"actor\"?"));
}
END_TEST

LEX_CHECK_MAIN("decide_line", every_member_is_read_and_defaults_are_filled,
               a_wrong_type_or_an_unknown_member_is_refused_and_the_id_kept)
