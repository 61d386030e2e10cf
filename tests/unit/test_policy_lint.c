/* Lints: each finds what it is for, and is silent where there is nothing to say. */
#include "core/policy/lint.h"
#include "tests/unit/load_fixture.h"

/* The relations of a policy that has a few terms, groups among them. */
static struct lex_policy *relations(const char *list)
{
    char text[2048];
    (void)snprintf(
        text, sizeof text,
        "{'terms':{'actors':[{'id':'ann','member_of':'staff'},'bob','staff','human'],"
        "'actions':[{'id':'read_file','member_of':'read'},'read','write'],"
        "'data_classes':[{'id':'name','member_of':'pii'},'pii','log']},\n'relations':[%s]}",
        list);
    return load(text);
}

static unsigned count_of(const struct lex_policy *policy, const char *kind)
{
    const struct lex_policy_lint *lints;
    size_t count = lex_policy_lints(policy, &lints);
    unsigned found = 0;
    for (size_t i = 0; i < count; i++)
        found += strcmp(lints[i].kind, kind) == 0;
    return found;
}

struct lint_case {
    const char *relations;
    unsigned count;
};

static void check_cases(const char *kind, const struct lint_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct lex_policy *policy = relations(cases[i].relations);
        ck_assert_msg(count_of(policy, kind) == cases[i].count, "%s: %u of %s", cases[i].relations,
                      count_of(policy, kind), kind);
        lex_policy_unref(policy);
    }
}

#define P "'type':'permits','subject':"
#define F "{'type':'forbids'"
#define Q "{'type':'requires'"

START_TEST(a_permit_that_is_always_overridden_is_unreachable)
{
    static const struct lint_case cases[] = {
        {"{" P "'ann','action':'read'}," F ",'subject':'ann','action':'read'}", 1},
        {"{" P "'ann','action':'read'}," F "}", 1},
        {"{" P "'ann','action':'read'}," F ",'subject':'staff'}", 1},
        {"{" P "'ann','action':'read_file'}," F ",'action':'read'}", 1},
        {"{" P "'ann','action':'read','object':'name'}," F ",'object':['pii','log']}", 1},
        {"{" P "'ann','action':'read','object':['name','log']}," F ",'object':['pii','log']}", 1},
        {"{" P "'ann','action':'read','resource':'r'}," F ",'resource':'r'}", 1},
        {"{" P "'ann','action':'read','conditions':['a','b']}," F ",'condition':'b'}", 1},
        {"{" P "'ann','action':'read','condition':'b'}," F ",'conditions':['a','b']}", 0},
        {"{" P "'ann','action':'read'}," F ",'condition':'b'}", 0},
        {"{" P "'staff','action':'read'}," F ",'subject':'ann'}", 0},
        {"{" P "'*','action':'read'}," F ",'subject':'ann','action':'read'}", 0},
        {"{" P "'ann','action':'read'}," F ",'action':'read_file'}", 0},
        {"{" P "'ann','action':'read','object':'pii'}," F ",'object':'name'}", 0},
        {"{" P "'ann','action':'read','object':['name','log']}," F ",'object':'pii'}", 0},
        {"{" P "'ann','action':'read'}," F ",'object':'pii'}", 0},
        {"{" P "'ann','action':'read'}," F ",'resource':'r'}", 0},
        {"{" P "'ann','action':'read'}," F ",'subject':'bob'}", 0},
    };
    check_cases("unreachable_permit", cases, LEX_COUNT_OF(cases));
}
END_TEST

/* A permit on read also covers open, which a forbid on read is not about. */
START_TEST(a_permit_whose_action_is_granted_further_stays_reachable)
{
    static const struct lint_case cases[] = {
        {"{'type':'implies','source':'action:read','target':'action:open','grants':true},"
         "{" P "'ann','action':'read'}," F ",'action':'read'}",
         0},
        {"{'type':'implies','source':'action:read','target':'action:open'},"
         "{" P "'ann','action':'read'}," F ",'action':'read'}",
         1},
        {"{'type':'implies','source':'action:read','target':'action:open','grants':true},"
         "{" P "'ann','action':'read'}," F ",'subject':'ann'}",
         1},
    };
    check_cases("unreachable_permit", cases, LEX_COUNT_OF(cases));
}
END_TEST

START_TEST(a_permit_and_a_forbid_of_the_same_contradict)
{
    static const struct lint_case cases[] = {
        {"{" P "'ann','action':'read'}," F ",'subject':'ann','action':'read'}", 1},
        {"{" P "'ann','action':'read','conditions':['a','b']}," F
         ",'subject':'ann','action':'read','conditions':['b','a']}",
         1},
        {"{" P "'ann','action':'read','object':['pii','log']}," F
         ",'subject':'ann','action':'read','object':['log','pii']}",
         1},
        {"{" P "'ann','action':'read'}," F ",'subject':'ann'}", 0},
        {"{" P "'ann','action':'read','condition':'a'}," F ",'subject':'ann','action':'read'}", 0},
    };
    check_cases("contradiction", cases, LEX_COUNT_OF(cases));
}
END_TEST

START_TEST(a_rule_said_twice_is_a_duplicate)
{
    static const struct lint_case cases[] = {
        {"{" P "'ann','action':'read'},{" P "'ann','action':'read'}", 1},
        {"{" P "'ann','action':'read','object':['pii','log'],'conditions':['a','b']},"
         "{" P "'ann','action':'read','object':['log','pii'],'conditions':['b','a']}",
         1},
        {F ",'action':'read'}," F ",'action':'read'}," F ",'action':'read'}", 2},
        {"{" P "'ann','action':'read'},{" P "'bob','action':'read'}", 0},
        {"{" P "'ann','action':'read'},{" P "'ann','action':'read','object':'log'}", 0},
        {"{" P "'ann','action':'read'},{" P "'ann','action':'read','condition':'a'}", 0},
        {F ",'object':'log'}," F ",'resource':'log'}", 0},
    };
    check_cases("duplicate_rule", cases, LEX_COUNT_OF(cases));
}
END_TEST

START_TEST(a_forbid_within_a_wider_one_is_redundant)
{
    static const struct lint_case cases[] = {
        {F ",'subject':'ann'}," F ",'subject':'staff'}", 1},
        {F ",'subject':'ann','condition':'a'}," F ",'subject':'ann'}", 1},
        {F ",'object':'name'}," F ",'object':'pii'}", 1},
        {F ",'subject':'ann','action':'read','object':'name','resource':'r'}," F ",'object':'pii'}",
         1},
        {F ",'object':'pii'}," F ",'object':'name'}", 1},
        {F ",'subject':'ann'}," F ",'subject':'ann'}", 0}, /* a duplicate */
        {F ",'subject':'ann'}," F ",'subject':'staff','condition':'a'}", 0},
        {F ",'object':'pii'}," F ",'resource':'r'}", 0},
        {F ",'subject':'ann'}," F ",'action':'read'}", 0},
    };
    check_cases("redundant_forbid", cases, LEX_COUNT_OF(cases));
}
END_TEST

START_TEST(a_requires_that_a_wider_one_demands_too_is_redundant)
{
    static const char rate[] = Q
        ",'subject':'ann','condition':{'type':'rate_limit','max_requests':"
        "1,'window':'1h'}}," Q ",'condition':{'type':'rate_limit','max_requests':1,'window':'1h'}}";
    const struct lint_case cases[] = {
        {Q ",'subject':'ann','condition':'a'}," Q ",'subject':'staff','conditions':['a','b']}", 1},
        {Q ",'subject':'ann','condition':'a'}," Q ",'condition':'a'}", 1},
        {Q ",'subject':'ann','conditions':['a','b']}," Q ",'condition':'a'}", 0},
        {Q ",'subject':'staff','condition':'a'}," Q ",'subject':'ann','condition':'a'}", 1},
        {Q ",'subject':'bob','condition':'a'}," Q ",'subject':'ann','condition':'a'}", 0},
        {rate, 0}, /* each counts for itself */
    };
    check_cases("redundant_requires", cases, LEX_COUNT_OF(cases));
}
END_TEST

START_TEST(a_pair_with_many_rules_is_searched_by_object)
{
    char text[32768];
    size_t n = 0;
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "%s{'type':'forbids','subject':'ann','action':'read','object':'c%d'}",
                              i == 0 ? "" : ",", i);
    (void)snprintf(text + n, sizeof text - n,
                   ",{" P "'ann','action':'read','object':'c59'}"
                   ",{" P "'ann','action':'read','object':'c60'}");
    char *document = malloc(65536);
    (void)snprintf(document, 65536, "{'relations':[%s]}", text);
    struct lex_policy *policy = load(document);
    ck_assert_uint_eq(count_of(policy, "unreachable_permit"), 1);
    ck_assert_uint_eq(count_of(policy, "contradiction"), 1);
    lex_policy_unref(policy);
    free(document);
}
END_TEST

START_TEST(conditions_that_can_never_all_hold_are_found)
{
    static const char *const never[] = {
        "'false'",
        "'!true'",
        "'a','!a'",
        "'a == 1','a == 2'",
        "'a == 1 && a == 2'",
        "'a == true && !a'",
        "'a && a == false'",
        "'x > 5 && x < 3'",
        "'x > 5 && x <= 5'",
        "'x >= 5','x < 5'",
        "'5 < x && x < 5'",
        "'x == 3 && x > 3'",
        "'x == 3 && x != 3'",
        "'!(x <= 5) && x < 5'",
        "'!(a || b) && (b && c)'",
        "'!(!a || b) && b'",
        "'b && (c && (d && !b))'",
        "'data_class == name && data_class != pii'",
        "'data_class == log','!(data_class == log)'",
        "{'type':'context_check','field':'x','operator':'in','value':[1,2]},'x == 3'",
        "{'type':'context_check','field':'x','operator':'in','value':[1,2]},'x > 2'",
        ("{'type':'context_check','field':'x','operator':'in','value':[1,2]},"
         "{'type':'context_check','field':'x','operator':'in','value':[3]}"),
        "'a == 1 && a == true'",
    };
    static const char *const sometimes[] = {
        "'true'",
        "'a','b'",
        "'a || !a'",
        "'a == 1 || a == 2'",
        "'x > 3 && x < 5'",
        "'x >= 5 && x <= 5'",
        "'x != 3 && x != 4'",
        "'x == 3 && x > 2'",
        "'x < y && y < x'", /* nothing is known of two facts */
        "'!(a && b) && a'",
        "'data_class == name && data_class == log'",
        "'data_class == pii && data_class != name'",
        "'resource == name && data_class != name'",
        "{'type':'context_check','field':'x','operator':'in','value':[1,2]},'x >= 2'",
        "{'type':'context_check','field':'x','operator':'not_in','value':[1,2]},'x == 3'",
        "{'type':'time_window','start':'09:00','end':'08:00'}",
    };
    char text[512];
    for (size_t i = 0; i < LEX_COUNT_OF(never) + LEX_COUNT_OF(sometimes); i++) {
        bool is_never = i < LEX_COUNT_OF(never);
        const char *conditions = is_never ? never[i] : sometimes[i - LEX_COUNT_OF(never)];
        (void)snprintf(text, sizeof text, "{" P "'ann','action':'read','conditions':[%s]}",
                       conditions);
        struct lex_policy *policy = relations(text);
        ck_assert_msg(has_lint(policy, "unsatisfiable_condition") == is_never, "%s", conditions);
        lex_policy_unref(policy);
    }
}
END_TEST

START_TEST(what_may_rise_with_the_request_is_found_where_it_matters)
{
    static const struct {
        const char *condition;
        bool grant, restriction; /* where it is a lint */
    } cases[] = {
        {"risk_level >= 4", true, false},
        {"risk_score < 80", false, true},
        {"!(risk_level >= 4)", false, true},
        {"4 > request.risk_level", false, true},
        {"risk_level == 3", true, true},
        {"a && (b || risk_level > x)", true, false},
        {"request.tool == 'shell'", true, true},
        {"request.actor == 'ann'", false, true},
        {"'ann' != request.proposed_action", false, true},
        {"request.resource == 'r'", false, true},
        {"a && request.data_classes == 'pii'", true, true},
        {"request.user_intent == 'ann'", false, false},
        {"actor == ann", false, false},
        {"resource == r && action == x", false, false},
        {"a > 3 && arguments.n < 5", false, false},
        {"data_class == pii", false, false},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        for (size_t j = 0; j < 2; j++) {
            struct lex_policy *policy = NULL;
            const char *word = j == 0 ? "permits" : "forbids";
            char document[1024];
            (void)snprintf(document, sizeof document,
                           "{\"relations\":[{\"type\":\"%s\",\"subject\":\"a\",\"action\":\"b\","
                           "\"condition\":\"%s\"}]}",
                           word, cases[i].condition);
            ck_assert_int_eq(
                lex_policy_load(lex_span_str(document), "p.json", &policy, &fixture_err), LEX_OK);
            ck_assert_msg(has_lint(policy, "reads_risk_or_tool") ==
                              (j == 0 ? cases[i].grant : cases[i].restriction),
                          "%s %s", word, cases[i].condition);
            lex_policy_unref(policy);
        }
    }
}
END_TEST

START_TEST(a_constraint_that_more_risk_would_lift_is_found)
{
    static const struct {
        const char *condition, *action;
        bool found;
    } cases[] = {{"risk_level < 3", "deny", true},
                 {"risk_level > 3", "deny", false},
                 {"risk_level > 3", "deny_unless_high", true},
                 {"risk_level < 3", "deny_unless_low", false},
                 {"risk_level < 3", "log_it", false}};
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "{'constraints':[{'name':'n','condition':'%s','action':'%s'}]}",
                       cases[i].condition, cases[i].action);
        struct lex_policy *policy = load(text);
        ck_assert_msg(has_lint(policy, "reads_risk_or_tool") == cases[i].found, "%s", text);
        lex_policy_unref(policy);
    }
}
END_TEST

/* Where a permit compares a spelling, another one gets less; elsewhere it would get more. */
START_TEST(a_restriction_that_compares_a_spelling_is_found)
{
    static const struct {
        const char *rule;
        bool found;
    } cases[] = {{"'relations':[{'type':'permits','subject':'a','action':'b'", false},
                 {"'relations':[{'type':'forbids'", true},
                 {"'relations':[{'type':'requires','subject':'a','action':'b'", true},
                 {"'constraints':[{'name':'n','action':'deny'", true},
                 {"'constraints':[{'name':'n','action':'require_review'", true},
                 {"'constraints':[{'name':'n','action':'log_it'", false}};
    static const struct {
        const char *condition;
        bool spelling;
    } conditions[] = {
        {"'request.resource == \\'db\\''", true},
        {"{'type':'context_check','field':'request.actor','operator':'in','value':['ann']}", true},
        {"{'type':'context_check','field':'request.actor','operator':'exists'}", false},
        {"'resource == db'", false},
        {"'request.user_id == \\'ann\\''", false}};
    for (size_t i = 0; i < LEX_COUNT_OF(cases) * LEX_COUNT_OF(conditions); i++) {
        size_t c = i % LEX_COUNT_OF(conditions), r = i / LEX_COUNT_OF(conditions);
        char text[512];
        (void)snprintf(text, sizeof text, "{%s,'condition':%s}]}", cases[r].rule,
                       conditions[c].condition);
        struct lex_policy *policy = load(text);
        const struct lex_policy_lint *lint = lint_of(policy, "reads_risk_or_tool");
        ck_assert_msg((lint != NULL) == (cases[r].found && conditions[c].spelling), "%s", text);
        if (lint != NULL)
            ck_assert_ptr_nonnull(strstr((const char *)lint->text.data, "compares a spelling"));
        lex_policy_unref(policy);
    }
}
END_TEST

START_TEST(a_fact_has_one_type)
{
    static const struct {
        const char *options, *conditions;
        const char *found; /* NULL: nothing */
    } cases[] = {
        {"", "'a','a > 3'", "mixed_types"},
        {"", "'a == 3','a == true'", "mixed_types"},
        {"", "'a > 3','a == b','b'", NULL},
        {"", "'a > 3 && a < 9'", NULL},
        {"'facts':{'a':{'type':'boolean'}}", "'a > 3'", "type_mismatch"},
        {"'facts':{'a':{'type':'number'}}", "'a'", "type_mismatch"},
        {"'facts':{'a':{'type':'list'}}", "'a == 3'", "type_mismatch"},
        {"'facts':{'a':{'type':'string'}}", "'a == true'", "type_mismatch"},
        {"'facts':{'a':{'type':'number'}}", "'a > 3'", NULL},
        {"'facts':{'a':{'type':'string'}}",
         "{'type':'context_check','field':'a','operator':'contains','value':'x'}", NULL},
        {"", "'risk_level'", "type_mismatch"},
        {"", "'request.tool > 3'", "type_mismatch"},
        {"", "'risk_level == true'", "type_mismatch"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "{'options':{%s},'relations':[{'type':'forbids','conditions':[%s]}]}",
                       cases[i].options, cases[i].conditions);
        struct lex_policy *policy = load(text);
        static const char *const kinds[] = {"mixed_types", "type_mismatch"};
        for (size_t j = 0; j < LEX_COUNT_OF(kinds); j++) {
            bool wanted = cases[i].found != NULL && strcmp(cases[i].found, kinds[j]) == 0;
            ck_assert_msg(has_lint(policy, kinds[j]) == wanted, "%s: %s", text, kinds[j]);
        }
        lex_policy_unref(policy);
    }
}
END_TEST

START_TEST(an_approval_that_nobody_can_give_is_found)
{
    static const struct {
        const char *text;
        bool cannot, nobody;
    } cases[] = {
#define ASK(condition)                                                        \
    "'relations':[{'type':'permits','subject':'*','action':'x','condition':{" \
    "'type':'approval'" condition "}}]}"
        {"{'terms':{'actors':['human']}," ASK(""), false, false},
        {"{'terms':{'actors':['human']}," ASK(",'quorum':2"), true, false},
        {"{'terms':{'actors':['human',{'id':'ann','member_of':'human'}]}," ASK(",'quorum':2"),
         false, false},
        {"{'terms':{'actors':['human',{'id':'ann','member_of':'human','type':'ai'}]}," ASK(
             ",'quorum':2"),
         true, false},
        {"{'terms':{'actors':[{'id':'human','type':'ai'}]}," ASK(""), true, false},
        {"{'terms':{'actors':['human']}," ASK(",'quorum':5"), true, false},
        {"{'terms':{'actors':['ann']}," ASK(""), false, true},
        {"{'terms':{'actors':['ann']},'options':{'approver':'ann'}," ASK(""), false, false},
        {"{'terms':{'actors':['ann']}," ASK(",'approver':'ann'"), false, false},
        {"{'mode':'paranoid'}", false, true},
        {"{'mode':'strict'}", false, false},
        {"{'constraints':[{'name':'n','condition':'a','action':'require_review'}]}", false, true},
        {"{'constraints':[{'name':'n','condition':'a','action':'deny'}]}", false, false},
        {"{'terms':{'actors':['human']},'constraints':[{'name':'n','condition':'a','action':"
         "'require_dual_review'}]}",
         true, false},
        {"{'relations':{'conflicts':[{'source':'action:a','target':'action:b'}]}}", false, true},
        {"{'relations':{'conflicts':[{'source':'actor:a','target':'actor:b'}]}}", false, false},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_policy *policy = load(cases[i].text);
        ck_assert_msg(has_lint(policy, "cannot_be_approved") == cases[i].cannot, "%s",
                      cases[i].text);
        ck_assert_msg(has_lint(policy, "nobody_can_approve") == cases[i].nobody, "%s",
                      cases[i].text);
        lex_policy_unref(policy);
    }
}
END_TEST

START_TEST(a_term_is_unused_when_no_rule_is_about_it)
{
    struct lex_policy *policy =
        load("{'terms':{'actors':[{'id':'ann','member_of':'staff'},'staff',"
             "{'id':'bob','member_of':'guests'},'guests'],'contexts':['office']},"
             "'relations':[{'type':'forbids','subject':'staff'}]}");
    ck_assert_uint_eq(count_of(policy, "unused_term"), 2); /* bob and guests */
    lex_policy_unref(policy);
}
END_TEST

START_TEST(two_rules_with_one_id_are_found)
{
    struct lex_policy *policy =
        load("{'relations':[{'id':'r','type':'forbids'},{'id':'s','type':'forbids','object':'d'},"
             "{'id':'permits:3','type':'forbids','object':'e'},"
             "{'type':'permits','subject':'a','action':'b'},"
             "{'id':'r','type':'conflicts','source':'actor:a','target':'actor:c'}],"
             "'constraints':[{'name':'n','condition':'x','action':'deny'},"
             "{'name':'n','condition':'y','action':'deny'}]}");
    ck_assert_uint_eq(count_of(policy, "duplicate_id"), 3);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(what_is_legal_and_not_meant_is_found_and_a_clean_policy_has_none)
{
    struct lex_policy *policy =
        load("{'mode':'permissive','relations':[{'type':'permits','subject':'*','action':'*'},"
             "{'type':'permits','subject':'a','action':'b'}],"
             "'constraints':[{'name':'n','condition':'x','action':'ponder'}]}");
    static const char *const wanted[] = {"always_allow", "permissive_mode", "unknown_verb",
                                         "undeclared_term"};
    for (size_t i = 0; i < LEX_COUNT_OF(wanted); i++)
        ck_assert_msg(has_lint(policy, wanted[i]), "%s", wanted[i]);
    lex_policy_unref(policy);
    policy = load("{'terms':{'actors':['a'],'actions':['b']},"
                  "'relations':[{'type':'permits','subject':'a','action':'b'}]}");
    const struct lex_policy_lint *lints;
    ck_assert_uint_eq(lex_policy_lints(policy, &lints), 0);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(the_worst_comes_first_and_then_the_place)
{
    struct lex_policy *policy =
        load("{'x':1,\n'mode':'permissive','relations':[\n{'type':'forbids','subject':'a'},\n"
             "{'type':'permits','subject':'*','action':'*'},{'type':'forbids','subject':'b'}]}");
    const struct lex_policy_lint *lints;
    size_t count = lex_policy_lints(policy, &lints);
    ck_assert_uint_eq(count, 5);
    ck_assert_str_eq(lints[0].kind, "permissive_mode");
    ck_assert_str_eq(lints[0].rank, "danger");
    ck_assert_str_eq(lints[1].kind, "always_allow");
    ck_assert_uint_eq(lints[1].line, 4);
    ck_assert_str_eq(lints[2].kind, "undeclared_term");
    ck_assert_str_eq(lints[2].rank, "doubt");
    ck_assert_uint_eq(lints[2].line, 3);
    ck_assert_uint_eq(lints[3].line, 4);
    ck_assert_str_eq(lints[4].rank, "style");
    lex_policy_unref(policy);
}
END_TEST

LEX_CHECK_MAIN("policy_lint", a_permit_that_is_always_overridden_is_unreachable,
               a_permit_whose_action_is_granted_further_stays_reachable,
               a_permit_and_a_forbid_of_the_same_contradict, a_rule_said_twice_is_a_duplicate,
               a_forbid_within_a_wider_one_is_redundant,
               a_requires_that_a_wider_one_demands_too_is_redundant,
               a_pair_with_many_rules_is_searched_by_object,
               conditions_that_can_never_all_hold_are_found,
               what_may_rise_with_the_request_is_found_where_it_matters,
               a_constraint_that_more_risk_would_lift_is_found,
               a_restriction_that_compares_a_spelling_is_found, a_fact_has_one_type,
               an_approval_that_nobody_can_give_is_found, a_term_is_unused_when_no_rule_is_about_it,
               two_rules_with_one_id_are_found,
               what_is_legal_and_not_meant_is_found_and_a_clean_policy_has_none,
               the_worst_comes_first_and_then_the_place)
