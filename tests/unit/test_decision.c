/* Decisions: what policy.md says of each request. */
#include "core/base/buf.h"
#include "core/policy/model.h"
#include "tests/unit/policy_fixture.h"

/* ---- the worked example ---- */

START_TEST(the_example_policy_answers_as_specified)
{
    struct lex_policy *p = load_compat("example");
    static const char user_read[] = "approved PERMITTED permits:actor:user:action:read";
    static const char forbidden[] = "denied FORBIDDEN forbids:actor:model:action:write";
    ck_told(p, user_read, .actor = "actor:user", .action = "action:read");
    ck_told(p, user_read, .actor = "user", .action = "read");
    ck_told(p, user_read, .actor = "User", .action = "Read Data");
    ck_told(p, user_read, .actor = "act_user", .action = "axn_read");
    ck_told(p, "approved PERMITTED permits:actor:user:action:write", .actor = "user",
            .action = "write");
    ck_told(p, "approved PERMITTED permits:actor:model:action:search", .actor = "model",
            .action = "search", .classes = {"pii"});
    ck_told(p, forbidden, .actor = "model", .action = "write");
    ck_told(p, "denied NOT_PERMITTED", .actor = "model", .action = "read");
    ck_told(p, "denied NOT_PERMITTED", .actor = "user", .action = "search");
    ck_told(p, "denied UNKNOWN_ACTOR", .actor = "robot", .action = "read");
    ck_told(p, "denied UNKNOWN_ACTOR", .actor = "robot", .action = "fly");
    ck_told(p, "denied UNKNOWN_ACTION", .actor = "user", .action = "fly");
    /* an unknown class: covered by a permit without object, except in paranoid */
    ck_told(p, user_read, .actor = "user", .action = "read", .classes = {"typo"});
    ck_told(p, "denied UNKNOWN_DATA_CLASS", .actor = "user", .action = "read", .classes = {"typo"},
            .mode = "paranoid");
    /* a tool that is an action: both, and the lower one wins */
    ck_told(p, forbidden, .actor = "model", .action = "search", .tool = "write");
    ck_told(p, "approved PERMITTED permits:actor:model:action:search", .actor = "model",
            .action = "search", .tool = "grep");
    /* roles */
    ck_told(p, forbidden, .actor = "user", .action = "write", .role = "model");
    ck_told(p, user_read, .actor = "robot", .action = "read", .role = "user");
    ck_told(p, "denied UNKNOWN_ACTOR", .actor = "robot", .action = "read", .role = "ghost");
    /* risk */
    ck_told(p, user_read, .actor = "user", .action = "read", .risk = 5);
    ck_told(p, user_read, .actor = "user", .action = "read", .risk = 3, .mode = "paranoid");
    ck_told(p, "escalated HUMAN_CONFIRMATION_REQUIRED", .actor = "user", .action = "read",
            .risk = 4, .mode = "paranoid");
    ck_told(p, forbidden, .actor = "model", .action = "write", .risk = 5, .mode = "paranoid");
    lex_policy_unref(p);
}
END_TEST

START_TEST(reasons_say_what_policy_md_says)
{
    struct lex_policy *p = load_compat("example");
    struct lex_decision d = decide(p, &(struct ask){.actor = "user", .action = "read"});
    ck_assert_span_eq(d.reason, "Permitted by 1 rule(s), no conflicts");
    d = decide(p, &(struct ask){.actor = "model", .action = "write"});
    ck_assert_span_eq(d.reason, "Denied by 1 prohibition(s)");
    d = decide(p, &(struct ask){.actor = "model", .action = "read"});
    ck_assert_span_eq(d.reason, "Action not explicitly permitted");
    lex_policy_unref(p);
    p = load("{'relations':[{'type':'permits','subject':'a','action':'b','reason':'j1'},"
             "{'type':'permits','subject':'*','action':'b'},"
             "{'type':'permits','subject':'a','action':'*','metadata':{'justification':'j2'}},"
             "{'type':'permits','subject':'*','action':'*','justification':'j3'},"
             "{'type':'permits','subject':'*','action':'b','justification':'j4','object':'d'},"
             "{'type':'forbids','action':'c','justification':'no'}]}");
    d = decide(p, &(struct ask){.actor = "a", .action = "b"});
    ck_assert_span_eq(d.reason, "Permitted: j1; j2; j3");
    ck_assert_uint_eq(d.rules.count, 4);
    d = decide(p, &(struct ask){.actor = "a", .action = "c"});
    ck_assert_span_eq(d.reason, "Denied: no");
    lex_policy_unref(p);
}
END_TEST

/* ---- names ---- */

START_TEST(a_part_of_a_name_is_an_unknown_name)
{
    struct lex_policy *p = load_compat("example");
    static const char *const parts[] = {"use",   "ser",        "users",       "USER",
                                        " user", "actor:use",  "actor:user ", "actor:actor:user",
                                        "*",     "action:read"};
    for (size_t i = 0; i < LEX_COUNT_OF(parts); i++)
        ck_told(p, "denied UNKNOWN_ACTOR", .actor = parts[i], .action = "read");
    ck_told(p, "denied UNKNOWN_ACTION", .actor = "user", .action = "rea");
    ck_told(p, "denied UNKNOWN_ACTION", .actor = "user", .action = "read Data");
    lex_policy_unref(p);
}
END_TEST

START_TEST(an_ambiguous_name_is_denied_wherever_it_stands)
{
    struct lex_policy *p = load(
        "{'terms':[{'id':'a','type':'actor','label':'X'},{'id':'b','type':'actor','label':'X'},"
        "{'id':'d','type':'data_class','label':'X'},{'id':'e','type':'data_class','label':'X'}],"
        "'mode':'permissive','relations':[{'type':'permits','subject':'*','action':'*'}]}");
    ck_told(p, "denied AMBIGUOUS_TERM", .actor = "X", .action = "y");
    ck_told(p, "denied AMBIGUOUS_TERM", .actor = "a", .action = "y", .classes = {"X"});
    ck_told(p, "denied AMBIGUOUS_TERM", .actor = "a", .action = "y", .role = "X");
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "y");
    lex_policy_unref(p);
}
END_TEST

START_TEST(the_world_is_closed_unless_an_option_opens_it)
{
    static const char rules[] = "'relations':[{'type':'permits','subject':'*','action':'go'},"
                                "{'type':'permits','subject':'a','action':'*'}]}";
    char text[512];
    (void)snprintf(text, sizeof text, "{%s", rules);
    struct lex_policy *p = load(text);
    ck_told(p, "denied UNKNOWN_ACTOR", .actor = "z", .action = "go");
    ck_told(p, "denied UNKNOWN_ACTION", .actor = "a", .action = "z");
    lex_policy_unref(p);
    (void)snprintf(text, sizeof text, "{'options':{'open_world':['actor','action']},%s", rules);
    p = load(text);
    ck_told(p, "approved PERMITTED permits:0", .actor = "z", .action = "go");
    ck_told(p, "approved PERMITTED permits:1", .actor = "a", .action = "z");
    ck_told(p, "denied UNKNOWN_ACTOR", .actor = "z", .action = "z");
    struct lex_decision d = decide(p, &(struct ask){.actor = "z", .action = "go"});
    ck_assert_uint_eq(d.warnings.count, 1);
    ck_assert_span_eq(d.warnings.items[0], "UNKNOWN_NAME");
    lex_policy_unref(p);
}
END_TEST

/* ---- data classes and resources ---- */

START_TEST(every_data_class_must_be_covered)
{
    struct lex_policy *p =
        load("{'relations':[{'type':'permits','subject':'a','action':'b','object':'d'},"
             "{'type':'permits','subject':'a','action':'b','object':['e','f']},"
             "{'type':'permits','subject':'z','action':'b','object':'g'}]}");
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "b", .classes = {"d"});
    ck_told(p, "approved PERMITTED permits:0,permits:1", .actor = "a", .action = "b",
            .classes = {"f", "d", "d", "data:f"});
    ck_told(p, "denied NOT_PERMITTED", .actor = "a", .action = "b", .classes = {"d", "g"});
    ck_told(p, "denied UNKNOWN_DATA_CLASS", .actor = "a", .action = "b", .classes = {"d", "h"});
    ck_told(p, "denied NOT_PERMITTED", .actor = "a", .action = "b");
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_forbid_on_a_class_is_in_force_unless_it_can_be_excluded)
{
    static const char rules[] = "'relations':[{'type':'permits','subject':'a','action':'b'},"
                                "{'type':'forbids','subject':'a','action':'b','object':'secret'},"
                                "{'type':'forbids','subject':'z','object':'plain'}]}";
    char text[512];
    (void)snprintf(text, sizeof text, "{%s", rules);
    struct lex_policy *p = load(text);
    ck_told(p, "denied FORBIDDEN forbids:1", .actor = "a", .action = "b", .classes = {"secret"});
    ck_told(p, "denied FORBIDDEN forbids:1", .actor = "a", .action = "b",
            .classes = {"plain", "secret"}); /* a harmless class excuses nothing */
    ck_told(p, "denied DATA_CLASS_UNDECLARED forbids:1", .actor = "a", .action = "b");
    ck_told(p, "denied UNKNOWN_DATA_CLASS forbids:1", .actor = "a", .action = "b",
            .classes = {"secrets"});
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "b", .classes = {"plain"});
    lex_policy_unref(p);
    (void)snprintf(text, sizeof text, "{'options':{'undeclared_data_classes':'treat_as_none'},%s",
                   rules);
    p = load(text);
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "b");
    ck_told(p, "denied UNKNOWN_DATA_CLASS forbids:1", .actor = "a", .action = "b",
            .classes = {"secrets"});
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_true_forbid_gives_the_code_before_an_unknown_one)
{
    struct lex_policy *p =
        load("{'relations':[{'id':'unknown','type':'forbids','action':'b','object':'d'},"
             "{'id':'conditioned','type':'forbids','action':'b','condition':'x'},"
             "{'id':'true','type':'forbids','subject':'a','action':'b'},"
             "{'id':'other','type':'permits','subject':'c','action':'b'}]}");
    ck_told(p, "denied FORBIDDEN true,unknown,conditioned", .actor = "a", .action = "b");
    ck_told(p, "denied DATA_CLASS_UNDECLARED unknown,conditioned", .actor = "c", .action = "b");
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_resource_narrows_a_permit_and_an_unknown_one_excludes_no_forbid)
{
    struct lex_policy *p =
        load("{'relations':[{'type':'permits','subject':'a','action':'b','resource':'r'},"
             "{'type':'permits','subject':'a','action':'c'},"
             "{'type':'forbids','subject':'a','action':'c','resource':'vault'},"
             "{'type':'permits','subject':'a','action':'d','resource':'*'}]}");
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "b", .resource = "r");
    ck_told(p, "denied NOT_PERMITTED", .actor = "a", .action = "b");
    ck_told(p, "denied NOT_PERMITTED", .actor = "a", .action = "b", .resource = "rr");
    ck_told(p, "denied FORBIDDEN forbids:2", .actor = "a", .action = "c", .resource = "vault");
    ck_told(p, "denied FORBID_NOT_EXCLUDED forbids:2", .actor = "a", .action = "c");
    ck_told(p, "denied FORBID_NOT_EXCLUDED forbids:2", .actor = "a", .action = "c",
            .resource = "vaults");
    ck_told(p, "approved PERMITTED permits:1", .actor = "a", .action = "c", .resource = "r");
    ck_told(p, "approved PERMITTED permits:3", .actor = "a", .action = "d");
    lex_policy_unref(p);
}
END_TEST

/* ---- modes ---- */

START_TEST(the_strictest_mode_rules_and_a_weaker_one_is_told)
{
    struct lex_policy *p = load("{'mode':'permissive','terms':{'actors':['a'],'actions':['b']}}");
    ck_told(p, "approved DEFAULT_PERMIT", .actor = "a", .action = "b");
    ck_told(p, "denied NOT_PERMITTED", .actor = "a", .action = "b", .mode = "strict");
    ck_told(p, "denied NOT_PERMITTED", .actor = "a", .action = "b", .server = LEX_MODE_STRICT,
            .mode = "permissive");
    struct lex_decision d = decide(
        p,
        &(struct ask){.actor = "a", .action = "b", .server = LEX_MODE_PARANOID, .mode = "strict"});
    ck_assert_int_eq(d.mode_effective, LEX_MODE_PARANOID);
    ck_assert_int_eq(d.mode_given, LEX_MODE_STRICT);
    ck_assert_int_eq(d.mode_policy, LEX_MODE_PERMISSIVE);
    ck_assert_int_eq(d.mode_server, LEX_MODE_PARANOID);
    ck_assert_uint_eq(d.warnings.count, 1);
    ck_assert_span_eq(d.warnings.items[0], "MODE_WEAKENING_IGNORED");
    d = decide(p, &(struct ask){.actor = "a", .action = "b", .mode = "strict"});
    ck_assert_uint_eq(d.warnings.count, 0);
    lex_policy_unref(p);
}
END_TEST

START_TEST(permissive_allows_the_unknown_and_says_so_but_no_forbid)
{
    struct lex_policy *p = load("{'mode':'permissive','relations':[{'type':'forbids','action':'b'},"
                                "{'type':'permits','subject':'a','action':'c','condition':'x'},"
                                "{'type':'permits','subject':'a','action':'d','object':'e'}]}");
    ck_told(p, "approved DEFAULT_PERMIT", .actor = "zz", .action = "yy");
    ck_told(p, "denied FORBIDDEN forbids:0", .actor = "zz", .action = "b");
    ck_told(p, "approved DEFAULT_PERMIT", .actor = "a", .action = "c");
    ck_told(p, "approved DEFAULT_PERMIT", .actor = "a", .action = "d", .classes = {"e", "f"});
    ck_told(p, "approved PERMITTED permits:2", .actor = "a", .action = "d", .classes = {"e"});
    struct lex_decision d = decide(p, &(struct ask){.actor = "zz", .action = "yy"});
    ck_assert_uint_eq(d.warnings.count, 1);
    ck_assert_span_eq(d.warnings.items[0], "UNKNOWN_NAME");
    lex_policy_unref(p);
}
END_TEST

/* ---- what is bound, not evaluated ---- */

START_TEST(a_conditioned_permit_is_never_an_approval)
{
    struct lex_policy *p = load(
        "{'relations':[{'type':'permits','subject':'a','action':'b','conditions':['ok','fine']},"
        "{'type':'permits','subject':'a','action':'c','condition':'n < 5 || !late'},"
        "{'type':'permits','subject':'a','action':'d','conditions':['ok',{'type':'approval',"
        "'approver':'boss','quorum':2,'timeout':'10m'}]}]}");
    struct ask ask = {.actor = "a", .action = "b"};
    struct lex_decision d = decide(p, &ask);
    ck_assert_str_eq(told(p, &ask), "conditional CONDITION_UNVERIFIED permits:0");
    ck_assert_uint_eq(d.obligations.count, 2);
    ck_assert_int_eq(d.obligations.items[0].type, LEX_OBLIGATION_TYPE_VERIFY);
    ck_assert_span_eq(d.obligations.items[0].condition, "ok");
    ck_assert_span_eq(d.obligations.items[0].rule, "permits:0");
    ck_told(p, "conditional CONDITION_UNVERIFIED permits:0", .actor = "a", .action = "b",
            .attested = FACT("ok", true));
    ck_told(p, "conditional CONDITION_UNVERIFIED permits:0", .actor = "a", .action = "b",
            .context = FACT("ok", true));
    ck_told(p, "denied CONDITION_FALSE permits:0", .actor = "a", .action = "b",
            .attested = FACT("fine", false));
    ck_told(p, "denied CONDITION_FALSE permits:0", .actor = "a", .action = "b",
            .context = FACT("fine", false)); /* an admission counts */
    ck_told(p, "conditional CONDITION_UNVERIFIED permits:0", .actor = "a", .action = "b",
            .attested = FACT("fine", true), .context = FACT("fine", false));
    ck_told(p, "conditional CONDITION_UNVERIFIED permits:1", .actor = "a", .action = "c");
    ck_told(p, "conditional CONDITION_UNVERIFIED permits:1", .actor = "a", .action = "c",
            .context = FACT("late", true)); /* of another type than the condition asks for */
    ask = (struct ask){.actor = "a", .action = "d"};
    ck_assert_str_eq(told(p, &ask), "escalated APPROVAL_REQUIRED permits:2");
    d = decide(p, &ask);
    ck_assert_uint_eq(d.obligations.count, 2);
    ck_assert_int_eq(d.obligations.items[0].type, LEX_OBLIGATION_TYPE_APPROVAL);
    ck_assert_span_eq(d.obligations.items[0].approver, "actor:boss");
    ck_assert_int_eq(d.obligations.items[0].quorum, 2);
    ck_assert_int_eq(d.obligations.items[0].timeout_s, 600);
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_false_expression_grants_nothing)
{
    static const char *const expressions[] = {"x && false",
                                              "risk_level > 3",
                                              "actor == z",
                                              "x && request.risk_level != 1",
                                              "exists_not && !(action == b)",
                                              "!true"};
    for (size_t i = 0; i < LEX_COUNT_OF(expressions); i++) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "{\"relations\":[{\"type\":\"permits\",\"subject\":\"a\",\"action\":\"b\","
                       "\"condition\":\"%s\"}]}",
                       expressions[i]);
        struct lex_policy *p = NULL;
        fixture_start();
        ck_assert_int_eq(lex_policy_load(lex_span_str(text), "p", &p, &fixture_err), LEX_OK);
        struct lex_decision d = decide(p, &(struct ask){.actor = "a", .action = "b"});
        ck_assert_msg(d.outcome == LEX_OUTCOME_DENIED, "%s", expressions[i]);
        lex_policy_unref(p);
    }
}
END_TEST

START_TEST(a_permit_outside_its_time_window_is_none)
{
    struct lex_policy *p =
        load("{'relations':[{'type':'permits','subject':'a','action':'b','condition':"
             "{'type':'time_window','start':'22:00','end':'06:00','timezone':'+01:00',"
             "'days':['thursday']}}]}"); /* 1970-01-01 was a Thursday */
    static const struct {
        int64_t minute;
        bool inside;
    } cases[] = {{20 * 60 + 59, false},         {21 * 60, true},  {24 * 60 + 5 * 60, true},
                 {24 * 60 + 5 * 60 + 1, false}, {5 * 60, false},  {45 * 60, false},
                 {7 * 24 * 60 + 21 * 60, true}, {-3 * 60, false}, {-7 * 24 * 60 + 21 * 60, true}};
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_decision d = decide(
            p, &(struct ask){.actor = "a", .action = "b", .now_us = cases[i].minute * 60000000});
        ck_assert_msg(d.allowed == cases[i].inside, "case %zu", i);
        ck_assert_str_eq(code_of(&d), cases[i].inside ? "PERMITTED" : "OUTSIDE_TIME_WINDOW");
    }
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_conditioned_forbid_is_in_force)
{
    struct lex_policy *p = load("{'relations':[{'type':'permits','subject':'a','action':'b'},"
                                "{'type':'forbids','subject':'a','action':'b','condition':'x'}]}");
    ck_told(p, "denied FORBID_NOT_EXCLUDED forbids:1", .actor = "a", .action = "b");
    ck_told(p, "denied FORBID_NOT_EXCLUDED forbids:1", .actor = "a", .action = "b",
            .context = FACT("x", false));
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_requires_is_conditional_and_in_paranoid_escalated)
{
    struct lex_policy *p =
        load("{'relations':[{'type':'permits','subject':'a','action':'*'},"
             "{'type':'requires','action':'b','condition':'logged'},"
             "{'type':'requires','source':'c','target':'condition:logged'},"
             "{'type':'requires','action':'d','object':'secret','condition':'logged'},"
             "{'type':'permits','subject':'z','action':'z','object':'plain'}]}");
    ck_told(p, "conditional CONDITION_UNVERIFIED requires:1", .actor = "a", .action = "b");
    ck_told(p, "conditional CONDITION_UNVERIFIED requires:2", .actor = "a", .action = "c");
    ck_told(p, "conditional CONDITION_UNVERIFIED requires:3", .actor = "a", .action = "d");
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "d", .classes = {"plain"});
    ck_told(p, "denied REQUIREMENT_NOT_MET requires:1", .actor = "a", .action = "b",
            .context = FACT("logged", false));
    struct ask ask = {.actor = "a", .action = "b", .mode = "paranoid"};
    ck_assert_str_eq(told(p, &ask), "escalated CONDITION_UNVERIFIED requires:1");
    struct lex_decision d = decide(p, &ask);
    ck_assert_int_eq(d.obligations.items[0].type, LEX_OBLIGATION_TYPE_APPROVAL);
    ck_assert_span_eq(d.obligations.items[0].approver, "actor:human");
    ck_assert_int_eq(d.obligations.items[1].type, LEX_OBLIGATION_TYPE_VERIFY);
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_triggered_constraint_has_the_effect_of_its_verb)
{
    static const struct {
        const char *verb, *told;
        int32_t quorum;
    } cases[] = {
        {"deny_and_log", "denied CONSTRAINT_DENIED constraint:n", 0},
        {"block", "denied CONSTRAINT_DENIED constraint:n", 0},
        {"deny_if_purpose_mismatch", "denied CONSTRAINT_DENIED constraint:n", 0},
        {"throttle_requests", "denied RATE_LIMITED constraint:n", 0},
        {"limit_rate", "denied RATE_LIMITED constraint:n", 0},
        {"require_human_review", "escalated CONSTRAINT_ESCALATED constraint:n", 1},
        {"require_dual_authorization", "escalated CONSTRAINT_ESCALATED constraint:n", 2},
        {"require_individual_approval", "escalated CONSTRAINT_ESCALATED constraint:n", 1},
        {"trigger_alarm", "escalated CONSTRAINT_ESCALATED constraint:n", 1},
        {"ponder", "escalated CONSTRAINT_ESCALATED constraint:n", 1},
        {"require_deletion", "conditional CONSTRAINT_OBLIGATION constraint:n", 0},
        {"verify_no_review", "conditional CONSTRAINT_OBLIGATION constraint:n", 0},
        {"reduce_to_minimum", "conditional CONSTRAINT_OBLIGATION constraint:n", 0},
        {"redact_names", "conditional CONSTRAINT_OBLIGATION constraint:n", 0},
        {"allow_with_logging", "approved PERMITTED permits:0", 0},
        {"notify_owner", "approved PERMITTED permits:0", 0},
        {"deny','effect':'advice", "approved PERMITTED permits:0", 0},
        {"log_it','effect':'deny", "denied CONSTRAINT_DENIED constraint:n", 0},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        char text[512];
        struct ask ask = {.actor = "a", .action = "b", .context = FACT("x", true)};
        (void)snprintf(text, sizeof text,
                       "{'relations':[{'type':'permits','subject':'a','action':'b'}],"
                       "'constraints':{'n':{'condition':'x','action':'%s'}}}",
                       cases[i].verb);
        struct lex_policy *p = load(text);
        ck_assert_msg(strcmp(told(p, &ask), cases[i].told) == 0, "%s: %s", cases[i].verb,
                      told(p, &ask));
        struct lex_decision d = decide(p, &ask);
        ck_assert_uint_eq(d.obligations.count, d.outcome == LEX_OUTCOME_DENIED ? 0 : 1);
        if (d.outcome == LEX_OUTCOME_ESCALATED)
            ck_assert_int_eq(d.obligations.items[0].quorum, cases[i].quorum);
        if (d.outcome == LEX_OUTCOME_CONDITIONAL)
            ck_assert_span_eq(d.obligations.items[0].condition, "done.n");
        ck_assert_str_eq(told(p, &(struct ask){.actor = "b", .action = "b"}),
                         "denied UNKNOWN_ACTOR");
        lex_policy_unref(p);
    }
}
END_TEST

START_TEST(conflicts_that_cannot_be_excluded_are_in_force)
{
    struct lex_policy *p =
        load("{'relations':{'permits':[{'subject':'*','action':'*'}],'conflicts':["
             "{'id':'duty','source':'action:pay','target':'action:approve'},"
             "{'id':'mix','source':'data:x','target':'data:y'},"
             "{'id':'roles','source':'actor:p','target':'actor:q'}]},"
             "'terms':{'actors':['a'],'actions':['read'],'data_classes':['z']}}");
    ck_told(p, "escalated SOD_STATE_UNAVAILABLE duty", .actor = "a", .action = "pay");
    ck_told(p, "escalated SOD_STATE_UNAVAILABLE duty", .actor = "a", .action = "read",
            .tool = "approve");
    ck_told(p, "denied COMBINATION_CONFLICT mix", .actor = "a", .action = "read",
            .classes = {"x", "z", "y"});
    ck_told(p, "denied COMBINATION_CONFLICT mix", .actor = "a", .action = "read",
            .classes = {"x", "typo"});
    ck_told(p, "denied COMBINATION_CONFLICT mix", .actor = "a", .action = "read",
            .classes = {"typo", "other"});
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "read",
            .classes = {"x", "z"});
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "read",
            .classes = {"z", "typo"});
    ck_told(p, "denied SOD_CONFLICT roles", .actor = "p", .action = "read", .role = "q");
    ck_told(p, "approved PERMITTED permits:0", .actor = "p", .action = "read", .role = "a");
    lex_policy_unref(p);
}
END_TEST

START_TEST(the_hierarchy_spreads_every_rule_but_permits_between_actions)
{
    struct lex_policy *p =
        load("{'terms':{'actors':[{'id':'bot','member_of':'machines'},'machines','man'],"
             "'data_classes':[{'id':'ssn','member_of':['pii']},'pii','note'],"
             "'actions':['read','export','copy','print']},"
             "'relations':{'permits':[{'subject':'machines','action':'print'},"
             "{'subject':'*','action':'copy'},{'subject':'*','action':'read'},"
             "{'subject':'*','action':'export'}],"
             "'implies':[{'source':'action:export','target':'action:copy'},"
             "{'source':'actor:machines','target':'actor:things'}],"
             "'forbids':[{'subject':'things','action':'copy'},"
             "{'action':'read','object':'pii'}],"
             "'requires':[{'subject':'machines','action':'print','condition':'x'}]}}");
    ck_told(p, "conditional CONDITION_UNVERIFIED requires:0", .actor = "bot", .action = "print");
    ck_told(p, "approved PERMITTED permits:0", .actor = "bot", .action = "print",
            .attested = FACT("x", true));
    ck_told(p, "denied NOT_PERMITTED", .actor = "man", .action = "print");
    ck_told(p, "denied FORBIDDEN forbids:0", .actor = "bot", .action = "copy");
    ck_told(p, "denied FORBIDDEN forbids:0", .actor = "bot", .action = "export");
    ck_told(p, "approved PERMITTED permits:3", .actor = "man", .action = "export");
    ck_told(p, "denied FORBIDDEN forbids:1", .actor = "man", .action = "read", .classes = {"ssn"});
    ck_told(p, "approved PERMITTED permits:2", .actor = "man", .action = "read",
            .classes = {"note"});
    lex_policy_unref(p);
}
END_TEST

START_TEST(the_risk_of_an_action_counts_and_so_does_what_it_entails)
{
    struct lex_policy *p =
        load("{'mode':'paranoid','terms':{'actors':['a'],'actions':[{'id':'wipe','risk_level':4},"
             "{'id':'reset'},{'id':'look','metadata':{'risk_level':2}}]},"
             "'relations':{'permits':[{'subject':'*','action':'*'}],"
             "'implies':[{'source':'action:reset','target':'action:wipe'}]}}");
    ck_told(p, "escalated HUMAN_CONFIRMATION_REQUIRED", .actor = "a", .action = "wipe");
    ck_told(p, "escalated HUMAN_CONFIRMATION_REQUIRED", .actor = "a", .action = "reset");
    ck_told(p, "escalated HUMAN_CONFIRMATION_REQUIRED", .actor = "a", .action = "look",
            .tool = "wipe");
    struct lex_decision d = decide(p, &(struct ask){.actor = "a", .action = "look"});
    ck_assert(d.allowed);
    ck_assert_int_eq(d.risk_given, 1);
    ck_assert_int_eq(d.risk_effective, 40);
    lex_policy_unref(p);
}
END_TEST

/* ---- the reference system's other four policies ---- */

START_TEST(the_other_four_policies_never_give_more_than_specified)
{
    struct lex_policy *p = load_compat("hipaa_healthcare");
    struct lex_decision d = decide(
        p, &(struct ask){.actor = "healthcare_provider", .action = "view_phi", .classes = {"phi"}});
    ck_assert_int_eq(d.outcome, LEX_OUTCOME_DENIED);
    d = decide(p, &(struct ask){.actor = "ai_clinical_assistant",
                                .action = "view_phi",
                                .classes = {"phi", "deidentified"}});
    ck_assert_str_eq(code_of(&d), "FORBIDDEN");
    lex_policy_unref(p);
    p = load_compat("gdpr_compliance");
    d = decide(p, &(struct ask){.actor = "ai_model", .action = "read", .classes = {"public"}});
    ck_assert_str_eq(code_of(&d), "CONSTRAINT_DENIED");
    d = decide(p, &(struct ask){.actor = "ai_model",
                                .action = "read",
                                .classes = {"public", "personal_data"}});
    ck_assert_str_eq(code_of(&d), "FORBIDDEN");
    lex_policy_unref(p);
    p = load_compat("financial_services");
    struct ask trade = {
        .actor = "ai_trading_system", .action = "analyze_market_data", .classes = {"market_data"}};
    d = decide(p, &trade);
    ck_assert_str_eq(code_of(&d), "PERMITTED");
    trade.context = (struct lex_member)FACT("unusual_pattern_detected", true);
    d = decide(p, &trade);
    ck_assert_str_eq(code_of(&d), "CONSTRAINT_ESCALATED");
    d = decide(p, &(struct ask){.actor = "ai_trading_system", .action = "execute_trade"});
    ck_assert_str_eq(code_of(&d), "FORBID_NOT_EXCLUDED");
    lex_policy_unref(p);
    p = load_compat("enterprise_general");
    d = decide(p, &(struct ask){.actor = "ai_assistant",
                                .action = "send_email",
                                .attested = FACT("external_recipient", false)});
    ck_assert_int_eq(d.outcome, LEX_OUTCOME_DENIED);
    lex_policy_unref(p);
}
END_TEST

/* ---- before any rule ---- */

START_TEST(a_policy_outside_its_dates_decides_nothing)
{
    struct lex_policy *p = load("{'mode':'permissive','effective_from':'1970-01-01T00:00:01Z',"
                                "'effective_until':'1970-01-01T00:00:02Z'}");
    ck_told(p, "denied NO_ACTIVE_POLICY", .actor = "a", .action = "b", .now_us = 999999);
    ck_told(p, "approved DEFAULT_PERMIT", .actor = "a", .action = "b", .now_us = 1000000);
    ck_told(p, "denied NO_ACTIVE_POLICY", .actor = "a", .action = "b", .now_us = 2000000);
    struct lex_decision d =
        decide(p, &(struct ask){.actor = "a", .action = "b", .now_us = 1999500});
    ck_assert_int_eq(d.valid_until_us, 2000000);
    d = decide(p, &(struct ask){.actor = "a", .action = "b", .now_us = 1500000});
    ck_assert_int_eq(d.valid_until_us, 1501000);
    ck_told(NULL, "denied NO_ACTIVE_POLICY", .actor = "a", .action = "b");
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_full_arena_is_an_error_and_never_an_allow)
{
    struct lex_policy *p = load("{'relations':[{'type':'permits','subject':'*','action':'*'},"
                                "{'type':'permits','subject':'a','action':'b'}]}");
    struct lex_request request = {.request_id = LEX_SPAN("r"),
                                  .actor = LEX_SPAN("a"),
                                  .proposed_action = LEX_SPAN("b"),
                                  .risk_level = 1};
    struct lex_decide_input input = {.policy = p, .request = &request};
    bool refused = false, allowed = false;
    for (size_t max = 0; max < 4096; max += 16) {
        struct lex_arena arena;
        struct lex_decision decision;
        lex_arena_init(&arena, 16, max);
        lex_decide(&input, &arena, &decision);
        if (decision.allowed)
            allowed = true;
        else
            ck_assert_str_eq(code_of(&decision), "EVALUATION_ERROR");
        refused = refused || !decision.allowed;
        lex_arena_fini(&arena);
    }
    ck_assert(refused && allowed);
    lex_policy_unref(p);
}
END_TEST

START_TEST(more_rules_than_the_ceiling_are_cut_and_counted)
{
    char text[8192];
    size_t n = (size_t)snprintf(text, sizeof text, "{'relations':{'permits':[");
    for (int i = 0; i < LEX_DECISION_RULES_MAX + 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s{'subject':'a','action':'b'}",
                              i == 0 ? "" : ",");
    (void)snprintf(text + n, sizeof text - n, "]}}");
    struct lex_policy *p = load(text);
    struct lex_decision d = decide(p, &(struct ask){.actor = "a", .action = "b"});
    ck_assert_uint_eq(d.rules.count, LEX_DECISION_RULES_MAX);
    ck_assert_uint_eq(d.cut, 1);
    ck_assert_span_eq(d.reason, "Permitted by 33 rule(s), no conflicts");
    lex_policy_unref(p);
}
END_TEST

START_TEST(an_approval_obligation_is_never_cut_from_an_escalated_verdict)
{
    char text[8192];
    size_t n =
        (size_t)snprintf(text, sizeof text,
                         "{'relations':{'permits':[{'subject':'a','action':'b'}]},'constraints':[");
    for (int i = 0; i < LEX_DECISION_OBLIGATIONS_MAX + 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "{'name':'v%d','condition':'x','action':'verify_it'},", i);
    (void)snprintf(text + n, sizeof text - n,
                   "{'name':'last','condition':'x','action':'require_approval'}]}");
    struct lex_policy *p = load(text);
    struct lex_decision d =
        decide(p, &(struct ask){.actor = "a", .action = "b", .context = FACT("x", true)});
    ck_assert_int_eq(d.outcome, LEX_OUTCOME_ESCALATED);
    ck_assert_uint_eq(d.obligations.count, LEX_DECISION_OBLIGATIONS_MAX);
    ck_assert_int_eq(d.obligations.items[0].type, LEX_OBLIGATION_TYPE_APPROVAL);
    ck_assert_uint_gt(d.cut, 0);
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_long_reason_is_cut_on_a_whole_character)
{
    struct lex_buf text;
    lex_buf_init(&text, 4096);
    lex_buf_puts(&text, "{'relations':[{'type':'permits','subject':'a','action':'b','reason':'x");
    for (int i = 0; i < 600; i++)
        lex_buf_puts(&text, "\xc3\xbc");
    lex_buf_puts(&text, "'}]}");
    struct lex_policy *p = load(lex_buf_str(&text));
    lex_buf_fini(&text);
    struct lex_decision d = decide(p, &(struct ask){.actor = "a", .action = "b"});
    ck_assert_uint_eq(d.reason.len, LEX_REASON_MAX_BYTES);
    ck_assert_uint_eq(d.reason.data[d.reason.len - 1], 0xbc);
    lex_policy_unref(p);
}
END_TEST

LEX_CHECK_MAIN("decision", the_example_policy_answers_as_specified, reasons_say_what_policy_md_says,
               a_part_of_a_name_is_an_unknown_name, an_ambiguous_name_is_denied_wherever_it_stands,
               the_world_is_closed_unless_an_option_opens_it, every_data_class_must_be_covered,
               a_forbid_on_a_class_is_in_force_unless_it_can_be_excluded,
               a_true_forbid_gives_the_code_before_an_unknown_one,
               a_resource_narrows_a_permit_and_an_unknown_one_excludes_no_forbid,
               the_strictest_mode_rules_and_a_weaker_one_is_told,
               permissive_allows_the_unknown_and_says_so_but_no_forbid,
               a_conditioned_permit_is_never_an_approval, a_false_expression_grants_nothing,
               a_permit_outside_its_time_window_is_none, a_conditioned_forbid_is_in_force,
               a_requires_is_conditional_and_in_paranoid_escalated,
               a_triggered_constraint_has_the_effect_of_its_verb,
               conflicts_that_cannot_be_excluded_are_in_force,
               the_hierarchy_spreads_every_rule_but_permits_between_actions,
               the_risk_of_an_action_counts_and_so_does_what_it_entails,
               the_other_four_policies_never_give_more_than_specified,
               a_policy_outside_its_dates_decides_nothing,
               a_full_arena_is_an_error_and_never_an_allow,
               more_rules_than_the_ceiling_are_cut_and_counted,
               an_approval_obligation_is_never_cut_from_an_escalated_verdict,
               a_long_reason_is_cut_on_a_whole_character)
