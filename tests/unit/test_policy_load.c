/* Loading: both document forms, every alias, and an error with its place for everything else. */
#include "tests/unit/load_fixture.h"

START_TEST(list_and_dict_form_mean_the_same)
{
    struct lex_policy *list = load(
        "{'terms':[{'term_id':'actor:a','term_type':'actor'},{'id':'b','type':'action'}],"
        "'relations':[{'relation_id':'r','relation_type':'permits','source':'a','target':'b'}]}");
    struct lex_policy *dict =
        load("{'terms':{'actors':[{'id':'a','type':'ai'}],'actions':['b']},"
             "'relations':{'permits':[{'subject':'act_a','action':'axn_b'}]}}");
    const struct lex_rule *r = rule_of(list, "r"), *permit = rule_of(dict, "permits:0");
    ck_assert_uint_eq(r->actor, term_of(list, LEX_KIND_ACTOR, "actor:a"));
    ck_assert_uint_eq(r->action, term_of(list, LEX_KIND_ACTION, "action:b"));
    ck_assert_uint_eq(permit->actor, term_of(dict, LEX_KIND_ACTOR, "actor:a"));
    ck_assert_uint_eq(permit->action, term_of(dict, LEX_KIND_ACTION, "action:b"));
    ck_assert(dict->terms[LEX_KIND_ACTOR].items[permit->actor].ai);
    ck_assert(!list->terms[LEX_KIND_ACTOR].items[r->actor].ai);
    lex_policy_unref(list);
    lex_policy_unref(dict);
}
END_TEST

START_TEST(every_alias_of_a_key_is_read)
{
    static const char *const rules[] = {
        "'type':'forbids','source':'a','target':'b','object':'d'",
        "'type':'forbids','subject':'a','action':'b','data_class':'d'",
        "'relation_type':'forbids','actor':'a','action':'b','data_classes':['d']",
        "'type':'forbids','actor':'a','action':'b','metadata':{'object':'d'}",
        "'type':'forbids','actor':'a','source':'a','action':'b','object':'d','data_class':'d'"};
    for (size_t i = 0; i < LEX_COUNT_OF(rules); i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "{'terms':{'data_classes':['d','e']},'relations':[{%s}]}",
                       rules[i]);
        struct lex_policy *policy = load(text);
        const struct lex_rule *rule = rule_of(policy, "forbids:0");
        ck_assert_int_eq(rule->verb, LEX_VERB_FORBIDS);
        ck_assert_uint_eq(rule->actor, term_of(policy, LEX_KIND_ACTOR, "a"));
        ck_assert_uint_eq(rule->action, term_of(policy, LEX_KIND_ACTION, "b"));
        ck_assert_uint_eq(rule->objects_count, 1);
        ck_assert_uint_eq(lex_rule_objects(rule)[0], term_of(policy, LEX_KIND_DATA, "d"));
        lex_policy_unref(policy);
    }
    refused("{'relations':[{'type':'forbids','object':'d','data_class':'e'}]}",
            "p.json:1:46: ", "two names of the same thing");
    refused("{'relations':[{'type':'forbids','object':'d','metadata':{'object':'e'}}]}",
            "p.json:1:", "two names of the same thing");
}
END_TEST

START_TEST(errors_name_line_column_and_the_way_out)
{
    refused("", "p.json:1:1: ", "expected a value");
    refused("[]", "p.json:1:1: ", "must be an object");
    refused("{'mode':\n 'strikt'}", "p.json:2:2: ", "did you mean \"strict\"?");
    refused("{'relations':[\n{'type':'permit','subject':'*','action':'*'}]}",
            "p.json:2:9: ", "did you mean \"permits\"?");
    refused("{'relations':[{'type':'permits','subject':'a','acttion':'b'}]}",
            "p.json:1:47: ", "did you mean \"action\"?");
    refused("{'relations':[{'type':'permits','action':'b'}]}", "p.json:1:15: ", "no subject");
    refused("{'relations':[{'type':'permits','subject':'b'}]}", "p.json:1:15: ", "no action");
    refused("{'terms':[{'id':'a'}]}", "p.json:1:11: ", "no type");
    refused("{'terms':[{'id':'a','type':'acter'}]}", "p.json:1:28: ", "did you mean \"actor\"?");
    refused("{'terms':{'actorz':[]}}", "p.json:1:11: ", "did you mean \"actors\"?");
    refused("{'terms':[{'id':'action:a','type':'actor'}]}", "p.json:1:17: ", "another kind");
    refused("{'terms':[{'id':'a','term_id':'b','type':'actor'}]}", "p.json:1:", "two names");
    refused("{'options':{'strict_term':true}}", "p.json:1:13: ", "strict_terms");
    refused("{'effective_from':'2026-01-01'}", "p.json:1:19: ", "RFC 3339");
    refused("{'effective_from':'2026-01-02T00:00:00Z','effective_until':'2026-01-01T00:00:00Z'}",
            "p.json:1:60: ", "later");
    refused("{'enforcement':'log_only'}", "p.json:1:16: ", "in force");
    refused("{'enforcement':'log'}", "p.json:1:16: ", "enforce or log_only");
    refused("{'extends':'x'}", "p.json:1:2: ", "extends");
    refused("{'version':9007199254740992}", "p.json:1:12: ", "exact");
}
END_TEST

START_TEST(a_relation_or_condition_with_an_unknown_key_is_refused)
{
    refused("{'relations':[{'type':'permits','subject':'a','action':'b','only_if':'x'}]}",
            "p.json:1:60: ", "only_if");
    refused("{'relations':[{'type':'forbids','conditions':[{'type':'context_check','field':'x',"
            "'operator':'equals','value':1,'unless':2}]}]}",
            "p.json:1:", "unless");
    refused("{'constraints':[{'name':'n','condition':'x','action':'deny','except':'y'}]}",
            "p.json:1:", "except");
    struct lex_policy *policy = load("{'x_team':1,'terms':[{'id':'a','type':'actor','colour':1}]}");
    const struct lex_policy_lint *lints;
    ck_assert_uint_eq(lex_policy_lints(policy, &lints), 3); /* and the unused term */
    ck_assert_str_eq(lints[0].kind, "unknown_key");
    ck_assert_str_eq(lints[0].rank, "style");
    ck_assert_str_eq(lints[0].source, "p.json");
    ck_assert_uint_eq(lints[0].column, 2);
    ck_assert_ptr_nonnull(strstr((const char *)lints[0].text.data, "x_team"));
    ck_assert_ptr_nonnull(strstr((const char *)lints[2].text.data, "colour"));
    lex_policy_unref(policy);
}
END_TEST

START_TEST(a_condition_that_is_not_well_formed_is_refused)
{
    static const char *const bad[] = {
        "1",
        "''",
        "{'field':'x'}",
        "{'type':'moon'}",
        "{'type':'time_window','start':'09:00'}",
        "{'type':'time_window','start':'9:00','end':'17:00'}",
        "{'type':'time_window','start':'09:00','end':'24:00'}",
        "{'type':'time_window','start':'09:00','end':'17:00','days':[]}",
        "{'type':'time_window','start':'09:00','end':'17:00','timezone':'CET'}",
        "{'type':'rate_limit','max_requests':0,'window':'1h'}",
        "{'type':'rate_limit','max_requests':1,'window':'1 h'}",
        "{'type':'approval','timeout':5}",
        "{'type':'context_check','field':'x','operator':'equal','value':1}",
        "{'type':'context_check','field':'x','operator':'in','value':1}",
        "{'type':'context_check','field':'x','operator':'gt'}",
        "{'type':'context_check','field':'x','operator':'in','value':[]}",
        "{'type':'context_check','field':'x','operator':'in','value':[[1]]}",
        "{'type':'context_check','field':'x','operator':'gt','value':'1'}",
        "{'type':'context_check','field':'x','operator':'lte','value':true}",
        "{'type':'context_check','field':'x','operator':'equals','value':null}",
        "{'type':'context_check','field':'x','operator':'equals','value':[1]}",
        "{'type':'context_check','field':'x','operator':'contains','value':{}}",
        "{'type':'context_check','field':'x','operator':'exists','value':false}",
        "{'type':'context_check','field':'','operator':'exists'}",
        "{'type':'context_check','field':'#identity','operator':'exists'}",
        "{'type':'context_check','field':'arguments','operator':'exists'}",
        "{'type':'context_check','field':'arguments.','operator':'exists'}",
        "{'type':'context_check','field':'arguments.a..b','operator':'exists'}",
        "{'type':'context_check','field':'request.colour','operator':'exists'}",
        "{'type':'context_check','field':'data_class','operator':'equals','value':'d'}",
        "{'type':'context_check','field':'actor','operator':'exists'}",
        "{'type':'rate_limit','max_requests':1,'window':'61m'}",
        "{'type':'rate_limit','max_requests':1.5,'window':'1h'}",
        "{'type':'rate_limit','window':'1h'}",
        "{'type':'rate_limit','max_requests':1,'window':'1h','sum':'amount'}",
        "{'type':'rate_limit','max_requests':1,'window':'1h','sum':'arguments.'}",
        "{'type':'rate_limit','max_requests':0,'window':'1h','sum':'arguments.a'}",
        "{'type':'rate_limit','max_requests':-1,'window':'1h','sum':'arguments.a'}",
        "{'type':'rate_limit','max_requests':1e3,'window':'1h','sum':'arguments.a'}",
        "{'type':'rate_limit','max_requests':0.0000001,'window':'1h','sum':'arguments.a'}",
        "{'type':'rate_limit','max_requests':9000000000000.1,'window':'1h','sum':'arguments.a'}",
        "{'type':'approval','quorum':0}",
        "{'type':'approval','approver':'action:x'}",
        "{'type':'approval','timeout':'0m'}",
        "{'type':'data_class'}",
        "{'type':'data_class','value':'*'}",
        "null",
        "[['x']]"};
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        char text[512];
        (void)snprintf(
            text, sizeof text,
            "{'relations':[{'type':'permits','subject':'a','action':'b','condition':[%s]}]}",
            bad[i]);
        refused(text, "p.json:1:", " ");
    }
    refused("{'relations':[{'type':'forbids','condition':{'type':'approval'}}]}",
            "p.json:1:", "permits and requires");
    refused("{'constraints':[{'name':'n','action':'deny','condition':{'type':'rate_limit',"
            "'max_requests':1,'window':'1h'}}]}",
            "p.json:1:", "permits and requires");
    lex_policy_unref(
        load("{'relations':[{'type':'permits','subject':'a','action':'b','conditions':["
             "{'type':'time_window','start':'22:00','end':'06:00','timezone':'-03:30',"
             "'days':['monday']},{'type':'rate_limit','max_requests':10,'window':'1h',"
             "'sum':'arguments.amount'},{'type':'approval','approver':'boss',"
             "'quorum':2,'timeout':'10m'},{'type':'data_class','value':'d'},"
             "{'type':'context_check','field':'x','operator':'exists'},'a > 3 && b']}]}"));
}
END_TEST

START_TEST(what_has_no_meaning_in_a_relation_is_refused)
{
    refused("{'relations':[{'type':'requires','action':'b'}]}", "p.json:1:", "no condition");
    refused("{'relations':[{'type':'implies','source':'actor:a','target':'*'}]}", "p.json:1:", "*");
    refused("{'relations':[{'type':'implies','source':'actor:a','target':'action:b'}]}",
            "p.json:1:", "one kind");
    refused("{'relations':[{'type':'implies','source':'actor:a','target':'actor:b','object':'d'}]}",
            "p.json:1:", "object");
    refused(
        "{'relations':[{'type':'implies','source':'actor:a','target':'actor:b','grants':true}]}",
        "p.json:1:", "between actions");
    refused("{'relations':[{'type':'conflicts','source':'actor:a','target':'actor:b',"
            "'condition':'x'}]}",
            "p.json:1:", "condition");
    refused("{'relations':[{'type':'conflicts','source':'action:a','target':'action:b',"
            "'window':'2h'}]}",
            "p.json:1:", "one hour");
    refused("{'relations':[{'type':'permits','subject':'a','action':'b','object':[]}]}",
            "p.json:1:", "empty list");
    refused("{'relations':[{'type':'implies','source':'a','target':'b'}]}", "p.json:1:", "prefix");
    refused("{'constraints':[{'name':'n','condition':'x'}]}", "p.json:1:", "action");
    refused("{'constraints':[{'name':'n','action':'deny'}]}", "p.json:1:", "condition");
    refused("{'constraints':[{'name':'n','condition':'x','action':'d','effect':'stop'}]}",
            "p.json:1:", "effect");
}
END_TEST

START_TEST(a_name_means_a_term_by_the_highest_level_it_has_it_on)
{
    struct lex_policy *policy =
        load("{'terms':[{'id':'actor:a','type':'actor','label':'b'},"
             "{'id':'b','type':'actor','label':'Bee'},{'id':'c','type':'actor','label':'Bee'}]}");
    lex_term_id a = lex_policy_resolve(policy, LEX_KIND_ACTOR, LEX_SPAN("a"));
    lex_term_id b = lex_policy_resolve(policy, LEX_KIND_ACTOR, LEX_SPAN("b"));
    ck_assert_uint_ne(a, b);
    ck_assert_uint_eq(lex_policy_resolve(policy, LEX_KIND_ACTOR, LEX_SPAN("actor:b")), b);
    ck_assert_uint_eq(lex_policy_resolve(policy, LEX_KIND_ACTOR, LEX_SPAN("act_a")), a);
    ck_assert_uint_eq(lex_policy_resolve(policy, LEX_KIND_ACTOR, LEX_SPAN("Bee")),
                      LEX_TERM_AMBIGUOUS);
    ck_assert_uint_eq(lex_policy_resolve(policy, LEX_KIND_ACTION, LEX_SPAN("a")), LEX_TERM_UNKNOWN);
    const char *const wrong[] = {"A", " a", "a ", "actor:", "actor", "", "actor:actor:a", "ac"};
    for (size_t i = 0; i < LEX_COUNT_OF(wrong); i++)
        ck_assert_uint_eq(lex_policy_resolve(policy, LEX_KIND_ACTOR, lex_span_str(wrong[i])),
                          LEX_TERM_UNKNOWN);
    ck_assert(has_lint(policy, "ambiguous_name") && has_lint(policy, "shadowed_name"));
    lex_policy_unref(policy);
}
END_TEST

START_TEST(one_id_declared_twice_is_refused_and_a_poisoned_name_too)
{
    refused("{'terms':[{'id':'actor:a','type':'actor'},\n{'id':'a','type':'actor'}]}",
            "p.json:2:7: ", "first at line 1 column 17");
    refused(
        "{'terms':[{'id':'a','type':'actor','label':'x'},{'id':'b','type':'actor','label':'x'}],"
        "\n'relations':[{'type':'forbids','subject':'x'}]}",
        "p.json:2:42: ", "more than one");
}
END_TEST

START_TEST(names_keep_to_their_shape)
{
    refused("{'terms':[{'id':'','type':'actor'}]}", "p.json:1:17: ", "is empty");
    refused("{'terms':[{'id':'a\\u0007','type':'actor'}]}", "p.json:1:17: ", "control");
    refused("{'terms':[{'id':'a\\u0085','type':'actor'}]}", "p.json:1:17: ", "control");
    refused("{'terms':[{'id':'*','type':'actor'}]}", "p.json:1:17: ", "any");
    refused("{'terms':[{'id':'actor:','type':'actor'}]}", "p.json:1:17: ", "no name");
    refused("{'relations':[{'type':'forbids','subject':'actor:*'}]}", "p.json:1:43: ", "any");
    char name[514], text[700];
    memset(name, 'n', sizeof name);
    name[513] = 0;
    (void)snprintf(text, sizeof text, "{'terms':[{'id':'%s','type':'actor'}]}", name);
    refused(text, "p.json:1:17: ", "512");
    name[512] = 0;
    (void)snprintf(text, sizeof text, "{'terms':[{'id':'%s','type':'actor'}]}", name);
    lex_policy_unref(load(text));
}
END_TEST

START_TEST(an_undeclared_name_becomes_a_term_with_a_lint_or_an_error)
{
    struct lex_policy *policy = load("{'terms':[{'id':'reader','type':'actor'}],"
                                     "'relations':[{'type':'permits','subject':'raeder','action':"
                                     "'x'}]}");
    ck_assert_ptr_nonnull(strstr((const char *)lint_of(policy, "did_you_mean")->text.data,
                                 "did you mean \"actor:reader\"?"));
    ck_assert_uint_eq(rule_of(policy, "permits:0")->actor,
                      term_of(policy, LEX_KIND_ACTOR, "actor:raeder"));
    lex_policy_unref(policy);
    refused("{'options':{'strict_terms':true},'terms':[{'id':'reader','type':'actor'}],"
            "\n'relations':[{'type':'permits','subject':'raeder','action':'x'}]}",
            "p.json:2:42: ", "did you mean \"actor:reader\"?");
}
END_TEST

START_TEST(rules_may_name_terms_by_label_in_any_order_of_rules)
{
    static const char *const rules[] = {
        "{'type':'forbids','subject':'Boss','action':'x'},{'type':'permits','subject':'b',"
        "'action':'x'}",
        "{'type':'permits','subject':'b','action':'x'},{'type':'forbids','subject':'Boss',"
        "'action':'x'}"};
    for (size_t i = 0; i < 2; i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "{'terms':[{'id':'b','type':'actor','label':'Boss'}],'relations':[%s]}",
                       rules[i]);
        struct lex_policy *policy = load(text);
        lex_term_id boss = term_of(policy, LEX_KIND_ACTOR, "b");
        ck_assert_uint_eq(rule_of(policy, i == 0 ? "forbids:0" : "forbids:1")->actor, boss);
        ck_assert_uint_eq(rule_of(policy, i == 0 ? "permits:1" : "permits:0")->actor, boss);
        lex_policy_unref(policy);
    }
}
END_TEST

/* A request that says "phi" would mean data:phi, and the forbid of health records would miss it. */
START_TEST(an_undeclared_term_cannot_take_a_name_that_a_rule_has_used)
{
    static const char terms[] =
        "{'terms':[{'id':'data:health_record','type':'data_class','label':'phi'}%s],"
        "\n'relations':[%s]}";
    static const char by_label[] = "{'type':'forbids','subject':'a','object':'phi'}";
    static const char *const takes[] = {
        "{'type':'permits','subject':'b','action':'x','object':'data:phi'}",
        "{'type':'permits','subject':'b','action':'x','condition':'data_class == \\'data:phi\\''}",
        "{'type':'implies','source':'data:phi','target':'data:secret'}"};
    char text[1024], rules[512];
    for (size_t i = 0; i < 2 * LEX_COUNT_OF(takes); i++) {
        const char *first = i % 2 == 0 ? by_label : takes[i / 2],
                   *second = i % 2 == 0 ? takes[i / 2] : by_label;
        (void)snprintf(rules, sizeof rules, "%s,\n%s", first, second);
        (void)snprintf(text, sizeof text, terms, "", rules);
        refused(text, i % 2 == 0 ? "p.json:3:" : "p.json:2:", "takes the name \"phi\"");
        ck_assert_ptr_nonnull(strstr(fixture_err.text, "mean data:phi"));
        ck_assert_ptr_nonnull(strstr(fixture_err.text, "for data:health_record"));
        /* declared, the name means it in rules and requests alike */
        (void)snprintf(text, sizeof text, terms, ",{'id':'phi','type':'data_class'}", rules);
        lex_policy_unref(load(text));
    }
    (void)snprintf(text, sizeof text, terms, "", takes[0]); /* no rule has used the label */
    struct lex_policy *policy = load(text);
    ck_assert(has_lint(policy, "shadowed_name"));
    ck_assert_uint_eq(lex_policy_resolve(policy, LEX_KIND_DATA, LEX_SPAN("phi")),
                      term_of(policy, LEX_KIND_DATA, "data:phi"));
    lex_policy_unref(policy);
}
END_TEST

START_TEST(an_alias_that_a_group_was_named_by_cannot_be_taken_either)
{
    static const char terms[] = "{'terms':{'actors':['boss',{'id':'ann','member_of':'%s'}]},"
                                "'relations':[{'type':'forbids','subject':'actor:act_boss'}]}";
    char text[512];
    (void)snprintf(text, sizeof text, terms, "act_boss");
    refused(text, "p.json:1:", "takes the name \"act_boss\"");
    (void)snprintf(text, sizeof text, terms, "boss");
    lex_policy_unref(load(text));
}
END_TEST

START_TEST(a_cycle_in_the_hierarchy_is_refused)
{
    refused("{'relations':{'implies':[{'source':'actor:a','target':'actor:b'},"
            "{'source':'actor:b','target':'actor:c'},{'source':'actor:c','target':'actor:a'}]}}",
            "p.json:1:", "cycle");
    refused("{'terms':[{'id':'a','type':'actor','member_of':'a'}]}", "p.json:1:48: ", "cycle");
    refused("{'relations':{'implies':[{'source':'data:x','target':'data:a'},"
            "{'source':'data:x','target':'data:b'}],"
            "'conflicts':[{'source':'data:a','target':'data:b'}]}}",
            "p.json:1:", "both sides");
}
END_TEST

START_TEST(a_chain_of_many_terms_needs_no_stack)
{
    size_t cap = 4 << 20, n = 0;
    char *text = malloc(cap);
    n += (size_t)snprintf(text + n, cap - n, "{'relations':[");
    for (int i = 0; i < 5000; i++)
        n += (size_t)snprintf(text + n, cap - n,
                              "%s{'type':'implies','source':'actor:%d','target':'actor:%d'}",
                              i == 0 ? "" : ",", i, i + 1);
    (void)snprintf(text + n, cap - n, ",{'type':'forbids','subject':'actor:5000'}]}");
    struct lex_policy *policy = load(text);
    ck_assert(lex_policy_is_a(policy, LEX_KIND_ACTOR,
                              lex_policy_resolve(policy, LEX_KIND_ACTOR, LEX_SPAN("0")),
                              lex_policy_resolve(policy, LEX_KIND_ACTOR, LEX_SPAN("5000"))));
    lex_policy_unref(policy);
    free(text);
}
END_TEST

START_TEST(one_term_over_the_ceiling_is_refused)
{
    size_t cap = 8 << 20, n = 0;
    char *text = malloc(cap);
    struct lex_policy *policy = NULL;
    for (int count = LEX_POLICY_MAX_TERMS; count <= LEX_POLICY_MAX_TERMS + 1; count++) {
        n = (size_t)snprintf(text, cap, "{\"terms\":{\"actors\":[\"x\"");
        for (int i = 1; i < count; i++)
            n += (size_t)snprintf(text + n, cap - n, ",\"%d\"", i);
        n += (size_t)snprintf(text + n, cap - n, "]}}");
        enum lex_status status =
            lex_policy_load(lex_span_of(text, n), "p.json", &policy, &fixture_err);
        ck_assert_int_eq(status, count == LEX_POLICY_MAX_TERMS ? LEX_OK : LEX_LIMIT);
    }
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "65535"));
    lex_policy_unref(policy);
    free(text);
}
END_TEST

START_TEST(one_relation_over_the_ceiling_is_refused)
{
    size_t cap = 64 << 20, n = 0;
    char *text = malloc(cap);
    struct lex_policy *policy = NULL;
    n += (size_t)snprintf(text, cap, "{\"relations\":{\"forbids\":[{}");
    for (int i = 1; i < LEX_POLICY_MAX_RELATIONS + 1; i++) {
        memcpy(text + n, ",{}", 3);
        n += 3;
    }
    n += (size_t)snprintf(text + n, cap - n, "]}}");
    ck_assert_int_eq(lex_policy_load(lex_span_of(text, n), "p.json", &policy, &fixture_err),
                     LEX_LIMIT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "p.json:1:14: 1048577 relations"));
    free(text);
}
END_TEST

START_TEST(one_constraint_over_the_ceiling_is_refused)
{
    size_t cap = 8 << 20, n = 0;
    char *text = malloc(cap);
    struct lex_policy *policy = NULL;
    n += (size_t)snprintf(text, cap, "{\"constraints\":[{}");
    for (int i = 1; i < LEX_POLICY_MAX_RELATIONS + 1; i++) {
        memcpy(text + n, ",{}", 3);
        n += 3;
    }
    n += (size_t)snprintf(text + n, cap - n, "]}");
    ck_assert_int_eq(lex_policy_load(lex_span_of(text, n), "p.json", &policy, &fixture_err),
                     LEX_LIMIT);
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "p.json:1:16: more than the 1048576"));
    free(text);
}
END_TEST

/* A chain of n steps has n (n + 1) / 2 pairs: 5792 steps stay below 2^24 of them, 5793 do not. */
START_TEST(one_step_over_the_largest_hierarchy_is_refused)
{
    size_t cap = 1 << 20;
    char *text = malloc(cap);
    for (int steps = 5792; steps <= 5793; steps++) {
        struct lex_policy *policy = NULL;
        size_t n = (size_t)snprintf(text, cap, "{'relations':[");
        for (int i = 0; i < steps; i++)
            n += (size_t)snprintf(text + n, cap - n,
                                  "%s{'type':'implies','source':'actor:%d','target':'actor:%d'}",
                                  i == 0 ? "" : ",", i, i + 1);
        (void)snprintf(text + n, cap - n, "]}");
        ck_assert_int_eq(try_load(text, &policy), steps == 5792 ? LEX_OK : LEX_LIMIT);
        lex_policy_unref(policy);
    }
    ck_assert_ptr_nonnull(strstr(fixture_err.text, "16777216 pairs"));
    free(text);
}
END_TEST

START_TEST(one_byte_over_the_ceiling_is_refused_before_it_is_read)
{
    struct lex_policy *policy = NULL;
    struct lex_span text = {(const uint8_t *)"", (size_t)LEX_POLICY_MAX_BYTES + 1};
    ck_assert_int_eq(lex_policy_load(text, "p.json", &policy, &fixture_err), LEX_LIMIT);
    ck_assert_ptr_null(policy);
}
END_TEST

START_TEST(more_lints_than_the_ceiling_are_counted)
{
    size_t cap = 1 << 20, n = 0;
    char *text = malloc(cap);
    const struct lex_policy_lint *lints;
    n += (size_t)snprintf(text, cap, "{'terms':{'actors':[");
    for (int i = 0; i < LEX_POLICY_MAX_LINTS + 1; i++)
        n += (size_t)snprintf(text + n, cap - n, "%s'x%d'", i == 0 ? "" : ",\n", i);
    (void)snprintf(text + n, cap - n, "]}}");
    struct lex_policy *policy = load(text);
    ck_assert_uint_eq(lex_policy_lints(policy, &lints), LEX_POLICY_MAX_LINTS + 1);
    ck_assert_uint_eq(lints[10].line, 11);
    ck_assert_span_eq(lints[LEX_POLICY_MAX_LINTS].text, "1 more lints");
    lex_policy_unref(policy);
    free(text);
}
END_TEST

START_TEST(a_failed_load_leaves_nothing_and_a_reference_keeps_a_policy)
{
    struct lex_policy *policy = load("{'policy_id':'p','version':'1'}"), *other = policy;
    ck_assert_int_eq(try_load("{'policy_id':'q','relations':[{'type':'permits','subject':'*',"
                              "'action':'*'},{'type':'nonsense'}]}",
                              &other),
                     LEX_REJECT);
    ck_assert_ptr_eq(other, policy);
    struct lex_policy *second = lex_policy_ref(policy);
    lex_policy_unref(policy);
    ck_assert_span_eq(lex_policy_info(second)->id, "p");
    lex_policy_unref(second);
    lex_policy_unref(NULL);
}
END_TEST

START_TEST(versions_compare_as_numbers_where_they_are)
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {{"1.9", "1.10", -1},     {"1.0", "1", 0},
                 {"01.2", "1.2", 0},      {"2", "10", -1},
                 {"1.a", "1.B", 1},       {NULL, "9", 0},
                 {"9", NULL, 0},          {"1.2.3", "1.2", 1},
                 {"", "1", -1},           {"1..2", "1.2", 1}, /* no number, so above all that are */
                 {"1.10-rc1", "1.10", 1}, {"1.9", "1.10-rc1", -1},
                 {"", "a", -1},           {"99999999999999999999", "1", 1}};
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        int order = lex_policy_version_cmp(lex_span_str(cases[i].a), lex_span_str(cases[i].b));
        ck_assert_msg((order > 0) - (order < 0) == cases[i].order, "case %zu", i);
    }
}
END_TEST

/* A cycle would let old versions be walked back to, one allowed step after the other. */
START_TEST(versions_are_in_one_order)
{
    static const char *const versions[] = {"",     "0",    "1",       "1.9",  "1.10",  "1.10-rc1",
                                           "01.9", "1.0",  "1.10.0",  "2",    "10",    "1.",
                                           ".",    "1..2", "v1",      "v1.9", "v1.10", "1.9-rc1",
                                           "-1",   "1e3",  "2026-01", "a",    "A",     "\xc3\xa9"};
    enum { COUNT = LEX_COUNT_OF(versions) };
    int order[COUNT][COUNT];
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++) {
            int cmp = lex_policy_version_cmp(lex_span_str(versions[i]), lex_span_str(versions[j]));
            order[i][j] = (cmp > 0) - (cmp < 0);
        }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++) {
            ck_assert_int_eq(order[i][j], -order[j][i]);
            for (size_t k = 0; k < COUNT; k++)
                ck_assert_msg(order[i][j] > 0 || order[j][k] > 0 ||
                                  order[i][k] == (order[i][j] + order[j][k] < 0 ? -1 : 0),
                              "%s, %s, %s", versions[i], versions[j], versions[k]);
        }
}
END_TEST

START_TEST(the_five_policies_of_the_reference_system_load_unchanged)
{
    static const struct {
        const char *name, *id;
        size_t terms, relations, constraints;
        enum lex_mode mode;
    } cases[] = {
        {"example", "policy", 6, 4, 0, LEX_MODE_STRICT},
        {"enterprise_general", "Enterprise General AI Governance Policy", 14, 9, 5,
         LEX_MODE_STRICT},
        {"financial_services", "Financial Services AI Governance Policy", 17, 10, 6,
         LEX_MODE_STRICT},
        {"gdpr_compliance", "GDPR Compliance Policy", 11, 10, 5, LEX_MODE_STRICT},
        {"hipaa_healthcare", "HIPAA Healthcare Policy", 12, 9, 6, LEX_MODE_PARANOID},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_policy *policy = load_compat(cases[i].name);
        const struct lex_policy_info *info = lex_policy_info(policy);
        ck_assert_span_eq(info->id, cases[i].id);
        ck_assert_int_eq(info->mode, cases[i].mode);
        ck_assert_uint_eq(info->terms, cases[i].terms);
        ck_assert_uint_eq(info->relations, cases[i].relations);
        ck_assert_uint_eq(info->constraints, cases[i].constraints);
        lex_policy_unref(policy);
    }
}
END_TEST

START_TEST(a_documents_words_cannot_break_a_line_of_an_error)
{
    refused("{'relations':[{'type':'permits','subject':'a','action':'b','x\\ny\\u001b':1}]}",
            "p.json:1:", "x?y?");
}
END_TEST

LEX_CHECK_MAIN(
    "policy: loading", list_and_dict_form_mean_the_same, every_alias_of_a_key_is_read,
    errors_name_line_column_and_the_way_out, a_relation_or_condition_with_an_unknown_key_is_refused,
    a_condition_that_is_not_well_formed_is_refused, what_has_no_meaning_in_a_relation_is_refused,
    a_name_means_a_term_by_the_highest_level_it_has_it_on,
    one_id_declared_twice_is_refused_and_a_poisoned_name_too, names_keep_to_their_shape,
    an_undeclared_name_becomes_a_term_with_a_lint_or_an_error,
    rules_may_name_terms_by_label_in_any_order_of_rules,
    an_undeclared_term_cannot_take_a_name_that_a_rule_has_used,
    an_alias_that_a_group_was_named_by_cannot_be_taken_either, a_cycle_in_the_hierarchy_is_refused,
    a_chain_of_many_terms_needs_no_stack, one_term_over_the_ceiling_is_refused,
    one_relation_over_the_ceiling_is_refused, one_constraint_over_the_ceiling_is_refused,
    one_step_over_the_largest_hierarchy_is_refused,
    one_byte_over_the_ceiling_is_refused_before_it_is_read, more_lints_than_the_ceiling_are_counted,
    a_failed_load_leaves_nothing_and_a_reference_keeps_a_policy,
    versions_compare_as_numbers_where_they_are, versions_are_in_one_order,
    the_five_policies_of_the_reference_system_load_unchanged,
    a_documents_words_cannot_break_a_line_of_an_error)
