/* Loading: what a document that is well formed compiles to: rules, conditions, facts, constraints,
 * the hierarchy, and what its history must hold. */
#include "tests/unit/load_fixture.h"

START_TEST(a_rule_keeps_its_lists_sorted_and_once_and_its_words_with_their_lead)
{
    struct lex_policy *policy =
        load("{'terms':{'data_classes':['d','e','f']},'relations':["
             "{'type':'forbids','id':'f','object':['f','d','f'],'resource':['r','q'],"
             "'reason':'because'},"
             "{'type':'permits','id':'p','subject':'*','action':'x','justification':'good',"
             "'object':['d','*'],'resource':'*'},"
             "{'type':'requires','id':'q','condition':'m','reason':'need'},"
             "{'type':'permits','id':'o','subject':'*','action':'x','reason':''}]}");
    const struct lex_rule *f = rule_of(policy, "f"), *p = rule_of(policy, "p"),
                          *q = rule_of(policy, "q"), *o = rule_of(policy, "o");
    ck_assert_uint_eq(f->objects_count, 2);
    ck_assert_uint_eq(lex_rule_objects(f)[0], term_of(policy, LEX_KIND_DATA, "d"));
    ck_assert_uint_eq(lex_rule_objects(f)[1], term_of(policy, LEX_KIND_DATA, "f"));
    ck_assert_uint_eq(f->resources_count, 2);
    ck_assert_uint_eq(lex_rule_resources(f)[0], term_of(policy, LEX_KIND_RESOURCE, "r"));
    ck_assert_uint_eq(f->actor, LEX_TERM_ANY);
    ck_assert_uint_eq(f->action, LEX_TERM_ANY);
    ck_assert_span_eq(f->said, "Denied: because");
    ck_assert_span_eq(lex_rule_justification(f), "because");
    ck_assert_uint_eq(p->objects_count + p->resources_count, 0);
    ck_assert_span_eq(p->said, "Permitted: good");
    ck_assert_span_eq(lex_rule_justification(p), "good");
    ck_assert_span_eq(q->said, "need");
    ck_assert_span_eq(lex_rule_justification(q), "need");
    ck_assert(lex_span_absent(o->said) && lex_span_absent(lex_rule_justification(o)));
    ck_assert_uint_eq(f->order, 0);
    ck_assert_uint_eq(o->order, 3);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(equal_conditions_are_one_condition)
{
    struct lex_policy *policy =
        load("{'relations':[{'type':'forbids','id':'f','conditions':['a','b','a']},"
             "{'type':'forbids','id':'g','condition':'b','conditions':["
             "{'type':'context_check','field':'x','operator':'equals','value':1}]},"
             "{'type':'forbids','id':'h','conditions':['b',"
             "{'value':1.0,'operator':'equals', 'field':'x','type':'context_check'}]}]}");
    const struct lex_rule *f = rule_of(policy, "f"), *g = rule_of(policy, "g"),
                          *h = rule_of(policy, "h");
    ck_assert_uint_eq(policy->conditions_count, 3);
    ck_assert_uint_eq(f->conditions_count, 2);
    ck_assert_uint_eq(lex_rule_conditions(f)[1], lex_rule_conditions(g)[0]);
    ck_assert_uint_eq(lex_rule_conditions(g)[1], lex_rule_conditions(h)[1]);
    ck_assert_uint_ne(lex_rule_conditions(f)[0], lex_rule_conditions(f)[1]);
    ck_assert_span_eq(policy->conditions[lex_rule_conditions(h)[1]].text,
                      "{\"field\":\"x\",\"operator\":\"equals\",\"type\":\"context_check\","
                      "\"value\":1}");
    lex_policy_unref(policy);
}
END_TEST

/* The text of the one is the other's canonical form; which comes first must not matter. */
START_TEST(a_string_is_never_the_structured_condition_that_it_spells)
{
    static const char object[] = "{'type':'forbids','condition':{'type':'data_class','value':'d'}}";
    static const char string[] =
        "{'type':'forbids','condition':'{\\'type\\':\\'data_class\\',\\'value\\':\\'d\\'}'}";
    char text[512];
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(text, sizeof text, "{'relations':[%s,\n%s]}", i == 0 ? object : string,
                       i == 0 ? string : object);
        refused(text, i == 0 ? "p.json:2:" : "p.json:1:", "expected");
    }
    (void)snprintf(text, sizeof text, "{'relations':[%s,\n%s]}", object, object);
    struct lex_policy *policy = load(text);
    ck_assert_uint_eq(policy->conditions_count, 1);
    lex_policy_unref(policy);
}
END_TEST

/* The condition of a policy of one rule. */
static struct lex_policy *with_condition(const char *condition, struct lex_condition *ret)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{'terms':{'actors':['boss']},'relations':[{'type':'permits','subject':'a',"
                   "'action':'b','condition':%s}]}",
                   condition);
    struct lex_policy *policy = load(text);
    ck_assert_uint_eq(policy->conditions_count, 1);
    *ret = policy->conditions[0];
    return policy;
}

START_TEST(a_time_window_is_minutes_days_and_an_offset)
{
    struct lex_condition c;
    lex_policy_unref(with_condition("{'type':'time_window','start':'22:05','end':'06:00',"
                                    "'timezone':'-03:30','days':['monday','sunday']}",
                                    &c));
    ck_assert_int_eq(c.type, LEX_CONDITION_TIME_WINDOW);
    ck_assert_uint_eq(c.window.start, 22 * 60 + 5);
    ck_assert_uint_eq(c.window.end, 360);
    ck_assert_int_eq(c.window.zone, -210);
    ck_assert_uint_eq(c.window.days, 0x41);
    lex_policy_unref(with_condition("{'type':'time_window','start':'00:00','end':'23:59'}", &c));
    ck_assert_int_eq(c.window.zone, 0);
    ck_assert_uint_eq(c.window.days, 0x7f);
}
END_TEST

START_TEST(a_rate_is_requests_or_exact_millionths)
{
    struct lex_condition c;
    struct lex_policy *policy =
        with_condition("{'type':'rate_limit','max_requests':10,'window':'1h'}", &c);
    ck_assert_int_eq(c.rate.max, 10);
    ck_assert_uint_eq(c.rate.window_s, 3600);
    ck_assert_uint_eq(c.rate.sum, UINT32_MAX);
    ck_assert(policy->info.remembers);
    lex_policy_unref(policy);
    static const struct {
        const char *max;
        int64_t millionths;
    } cases[] = {{"1", 1000000},
                 {"0.1", 100000},
                 {"2.50", 2500000},
                 {"0.000001", 1},
                 {"9000000000000", 9000000000000000000},
                 {"1234567.654321", 1234567654321}};
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        char text[128];
        (void)snprintf(text, sizeof text,
                       "{'type':'rate_limit','max_requests':%s,'window':'90s','sum':"
                       "'arguments.amount'}",
                       cases[i].max);
        policy = with_condition(text, &c);
        ck_assert_int_eq(c.rate.max, cases[i].millionths);
        ck_assert_uint_eq(c.rate.window_s, 90);
        ck_assert_int_eq(policy->facts[c.rate.sum].source, LEX_FACT_ARGUMENT);
        ck_assert_span_eq(policy->facts[c.rate.sum].path, "amount");
        lex_policy_unref(policy);
    }
}
END_TEST

START_TEST(an_approval_has_an_approver_or_leaves_it_to_the_options)
{
    struct lex_condition c;
    struct lex_policy *policy =
        with_condition("{'type':'approval','approver':'boss','quorum':2,'timeout':'10m'}", &c);
    ck_assert_uint_eq(c.approval.approver, term_of(policy, LEX_KIND_ACTOR, "boss"));
    ck_assert_uint_eq(c.approval.quorum, 2);
    ck_assert_uint_eq(c.approval.timeout_s, 600);
    ck_assert(!policy->info.remembers);
    lex_policy_unref(policy);
    policy = with_condition("{'type':'approval'}", &c);
    ck_assert_uint_eq(c.approval.approver, LEX_TERM_UNKNOWN);
    ck_assert_uint_eq(c.approval.quorum, 1);
    ck_assert_uint_eq(c.approval.timeout_s, 300);
    lex_policy_unref(policy);
}
END_TEST

START_TEST(the_options_approver_is_a_term_or_nobody)
{
    struct lex_policy *policy = load("{'options':{'approver':'boss'}}");
    ck_assert_span_eq(policy->options.approver, "actor:boss");
    ck_assert_uint_eq(policy->options.approver_term, term_of(policy, LEX_KIND_ACTOR, "boss"));
    lex_policy_unref(policy);
    policy = load("{'terms':{'actors':['human']}}");
    ck_assert_uint_eq(policy->options.approver_term, term_of(policy, LEX_KIND_ACTOR, "human"));
    lex_policy_unref(policy);
    policy = load("{'terms':{'actors':['machine']}}");
    ck_assert_span_eq(policy->options.approver, "actor:human");
    ck_assert_uint_eq(policy->options.approver_term, LEX_TERM_UNKNOWN);
    lex_policy_unref(policy);
    refused("{'options':{'approver':'action:x'}}", "p.json:1:24: ", "another kind");
}
END_TEST

START_TEST(options_are_read_and_nothing_else)
{
    struct lex_policy *policy =
        load("{'options':{'open_world':['action'],'undeclared_data_classes':'treat_as_none',"
             "'context_trust':'caller','strict_terms':false}}");
    ck_assert(policy->options.open_world[LEX_KIND_ACTION]);
    ck_assert(!policy->options.open_world[LEX_KIND_ACTOR]);
    ck_assert(policy->options.undeclared_is_none && !policy->options.strict_terms);
    ck_assert_int_eq(policy->options.context_trust, LEX_TRUST_CALLER);
    lex_policy_unref(policy);
    policy = load("{'options':{'context_trust':'attested'}}");
    ck_assert_int_eq(policy->options.context_trust, LEX_TRUST_ATTESTED);
    ck_assert(!policy->options.undeclared_is_none);
    lex_policy_unref(policy);
    policy = load("{}");
    ck_assert_int_eq(policy->options.context_trust, LEX_TRUST_BY_MODE);
    lex_policy_unref(policy);
    refused("{'options':{'context_trust':'all'}}", "p.json:1:29: ", "caller");
    refused("{'options':{'open_world':['resource']}}", "p.json:1:27: ", "open_world");
    refused("{'options':{'undeclared_data_classes':'none'}}", "p.json:1:39: ", "treat_as_none");
}
END_TEST

/* ---- facts ---- */

START_TEST(declared_facts_have_types_attesters_and_needs)
{
    struct lex_policy *policy =
        load("{'options':{'facts':{'mfa':{'type':'boolean','attested_by':'idp','required':true},"
             "'level':{'type':'number','attested_by':['a','b']},'site':{'type':'string'},"
             "'tags':{'type':'list','required':false},'data_class':{'required':true},"
             "'arguments.amount':{'type':'number','required':true},'any.thing':{}}},"
             "'relations':[{'type':'forbids','conditions':['mfa','level > 3']}]}");
    const struct lex_fact_info *mfa = &policy->facts[lex_policy_fact(policy, LEX_SPAN("mfa"))];
    ck_assert_int_eq(mfa->type, LEX_FACT_BOOLEAN);
    ck_assert(mfa->required_declared && mfa->required && !mfa->restricts);
    ck_assert_uint_eq(mfa->attesters.count, 1);
    ck_assert_span_eq(mfa->attesters.items[0], "idp");
    const struct lex_fact_info *level = &policy->facts[lex_policy_fact(policy, LEX_SPAN("level"))];
    ck_assert_int_eq(level->type, LEX_FACT_NUMBER);
    ck_assert_uint_eq(level->attesters.count, 2);
    ck_assert(!level->required_declared);
    const struct lex_fact_info *tags = &policy->facts[lex_policy_fact(policy, LEX_SPAN("tags"))];
    ck_assert_int_eq(tags->type, LEX_FACT_LIST);
    ck_assert(tags->required_declared && !tags->required);
    const struct lex_fact_info *set =
        &policy->facts[lex_policy_fact(policy, LEX_SPAN("data_class"))];
    ck_assert_int_eq(set->source, LEX_FACT_DATA_CLASS);
    ck_assert(set->required);
    ck_assert_uint_eq(lex_policy_fact(policy, LEX_SPAN("nothing")), UINT32_MAX);
    ck_assert(has_lint(policy, "unused_fact"));
    lex_policy_unref(policy);
}
END_TEST

START_TEST(a_fact_that_cannot_be_declared_is_refused)
{
    static const char *const bad[] = {
        "'x':true",
        "'x':{'typ':'boolean'}",
        "'x':{'type':'bool'}",
        "'x':{'type':1}",
        "'x':{'required':'yes'}",
        "'x':{'attested_by':[]}",
        "'x':{'attested_by':''}",
        "'x':{'attested_by':[1]}",
        "'':{}",
        "'#identity':{}",
        "'actor':{}",
        "'action':{'required':true}",
        "'risk_level':{}",
        "'arguments':{}",
        "'request.colour':{}",
        "'request.tool':{'type':'number'}",
        "'data_class':{'type':'string'}",
        "'arguments.x':{'attested_by':'idp'}",
    };
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{'options':{'facts':{%s}}}", bad[i]);
        refused(text, "p.json:1:", " ");
    }
}
END_TEST

START_TEST(one_fact_over_the_ceiling_is_refused)
{
    size_t cap = 4 << 20;
    char *text = malloc(cap);
    for (int count = LEX_POLICY_MAX_FACTS; count <= LEX_POLICY_MAX_FACTS + 1; count++) {
        struct lex_policy *policy = NULL;
        size_t n = (size_t)snprintf(text, cap, "{\"options\":{\"facts\":{");
        for (int i = 0; i < count; i++)
            n += (size_t)snprintf(text + n, cap - n, "%s\"f%d\":{}", i == 0 ? "" : ",", i);
        n += (size_t)snprintf(text + n, cap - n, "}}}");
        ck_assert_int_eq(lex_policy_load(lex_span_of(text, n), "p.json", &policy, &fixture_err),
                         count == LEX_POLICY_MAX_FACTS ? LEX_OK : LEX_LIMIT);
        lex_policy_unref(policy);
    }
    free(text);
}
END_TEST

/* before, count times 'item number', after. */
static char *long_list(int count, const char *before, const char *item, const char *after)
{
    size_t cap = 4 << 20;
    char *text = malloc(cap);
    size_t n = (size_t)snprintf(text, cap, "%s", before);
    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, cap - n, "%s'%s%d'", i == 0 ? "" : ",", item, i);
    (void)snprintf(text + n, cap - n, "%s", after);
    return text;
}

START_TEST(one_entry_over_a_rules_longest_list_is_refused)
{
    static const struct {
        const char *before, *item, *after;
    } cases[] = {
        {"{'relations':[{'type':'forbids','object':[", "c", "]}]}"},
        {"{'relations':[{'type':'forbids','resource':[", "c", "]}]}"},
        {"{'relations':[{'type':'forbids','conditions':[", "x > ", "]}]}"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++)
        for (int count = LEX_RULE_LIST_MAX; count <= LEX_RULE_LIST_MAX + 1; count++) {
            char *text = long_list(count, cases[i].before, cases[i].item, cases[i].after);
            struct lex_policy *policy = NULL;
            ck_assert_int_eq(try_load(text, &policy),
                             count == LEX_RULE_LIST_MAX ? LEX_OK : LEX_LIMIT);
            lex_policy_unref(policy);
            free(text);
        }
}
END_TEST

/* ---- constraints ---- */

static struct lex_constraint constraint_of(const char *action, struct lex_policy **ret_policy)
{
    char text[256];
    (void)snprintf(text, sizeof text,
                   "{'constraints':[{'name':'n','condition':'x && y > 3','action':'%s'}]}", action);
    *ret_policy = load(text);
    ck_assert_uint_eq((*ret_policy)->constraints_count, 1);
    return (*ret_policy)->constraints[0];
}

START_TEST(a_verb_gives_the_effect_the_quorum_and_the_good_case)
{
    static const struct {
        const char *verb;
        enum lex_effect effect;
        uint32_t quorum;
        bool good_case;
    } cases[] = {
        {"deny", LEX_EFFECT_DENY, 1, false},
        {"deny_if_unverified", LEX_EFFECT_DENY, 1, true},
        {"deny_unless_logged", LEX_EFFECT_DENY, 1, true},
        {"deny_ifx", LEX_EFFECT_DENY, 1, false},
        {"block_transfer", LEX_EFFECT_DENY, 1, false},
        {"throttle", LEX_EFFECT_THROTTLE, 1, false},
        {"limit_rate", LEX_EFFECT_THROTTLE, 1, false},
        {"require_approval", LEX_EFFECT_ESCALATE, 1, false},
        {"require_dual_authorization", LEX_EFFECT_ESCALATE, 2, false},
        {"require_individual_review", LEX_EFFECT_ESCALATE, 1, false},
        {"require_human_oversight", LEX_EFFECT_ESCALATE, 1, false},
        {"require_encryption", LEX_EFFECT_OBLIGE, 1, false},
        {"verify_source", LEX_EFFECT_OBLIGE, 1, false},
        {"redact_names", LEX_EFFECT_OBLIGE, 1, false},
        {"trigger_investigation", LEX_EFFECT_ESCALATE, 1, false},
        {"allow_with_logging", LEX_EFFECT_ADVICE, 1, false},
        {"notify_owner", LEX_EFFECT_ADVICE, 1, false},
        {"ponder", LEX_EFFECT_ESCALATE, 1, false},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct lex_policy *policy;
        struct lex_constraint c = constraint_of(cases[i].verb, &policy);
        ck_assert_msg(c.effect == cases[i].effect, "%s", cases[i].verb);
        ck_assert_msg(c.quorum == cases[i].quorum, "%s", cases[i].verb);
        ck_assert_msg(c.good_case == cases[i].good_case, "%s", cases[i].verb);
        bool obliges = cases[i].effect == LEX_EFFECT_OBLIGE;
        ck_assert_uint_eq(c.done,
                          obliges ? lex_policy_fact(policy, LEX_SPAN("done.n")) : UINT32_MAX);
        bool restricts = cases[i].effect <= LEX_EFFECT_ESCALATE;
        ck_assert_int_eq(policy->facts[lex_policy_fact(policy, LEX_SPAN("x"))].restricts,
                         restricts);
        ck_assert_int_eq(policy->facts[lex_policy_fact(policy, LEX_SPAN("y"))].restricts,
                         restricts);
        lex_policy_unref(policy);
    }
}
END_TEST

START_TEST(an_explicit_effect_overrides_the_verb_and_makes_a_plain_trigger)
{
    struct lex_policy *policy =
        load("{'constraints':{'n':{'condition':['x','y'],'action':'deny_if_odd','effect':'oblige'},"
             "'m':{'conditions':['x'],'effect':'throttle'}}}");
    const struct lex_constraint *n = &policy->constraints[0], *m = &policy->constraints[1];
    ck_assert_int_eq(n->effect, LEX_EFFECT_OBLIGE);
    ck_assert(!n->good_case);
    ck_assert_span_eq(n->id, "constraint:n");
    ck_assert_span_eq(n->name, "n");
    ck_assert_uint_eq(n->conditions_count, 2);
    ck_assert_span_eq(policy->facts[n->done].name, "done.n");
    ck_assert_int_eq(policy->facts[n->done].source, LEX_FACT_CONTEXT);
    ck_assert_int_eq(m->effect, LEX_EFFECT_THROTTLE);
    ck_assert_uint_eq(m->conditions[0], n->conditions[0]);
    lex_policy_unref(policy);
}
END_TEST

/* ---- conflicts and the hierarchy ---- */

START_TEST(a_conflict_between_actions_has_a_scope_and_a_window)
{
    struct lex_policy *policy =
        load("{'relations':{'conflicts':[{'source':'action:a','target':'action:b'},"
             "{'source':'action:c','target':'action:d','scope':'resource','window':'10m'},"
             "{'source':'action:e','target':'action:f','scope':'session'},"
             "{'source':'actor:a','target':'actor:b','reason':'apart'}]}}");
    const struct lex_conflict *c = policy->conflicts;
    ck_assert_uint_eq(policy->conflicts_count, 4);
    ck_assert_int_eq(c[0].scope, LEX_SCOPE_GLOBAL);
    ck_assert_uint_eq(c[0].window_s, 3600);
    ck_assert_int_eq(c[1].scope, LEX_SCOPE_RESOURCE);
    ck_assert_uint_eq(c[1].window_s, 600);
    ck_assert_int_eq(c[2].scope, LEX_SCOPE_SESSION);
    ck_assert_int_eq(c[3].kind, LEX_KIND_ACTOR);
    ck_assert_span_eq(c[3].justification, "apart");
    ck_assert_span_eq(c[3].id, "conflicts:3");
    ck_assert(policy->info.remembers);
    lex_policy_unref(policy);
    refused(
        "{'relations':{'conflicts':[{'source':'actor:a','target':'actor:b','scope':'global'}]}}",
        "p.json:1:", "between actions");
    refused("{'relations':{'conflicts':[{'source':'action:a','target':'action:b','scope':'day'}]}}",
            "p.json:1:", "session, resource or global");
    refused("{'relations':{'conflicts':[{'source':'action:a','target':'action:a'}]}}",
            "p.json:1:", "itself");
    refused("{'relations':{'conflicts':[{'source':'action:a','target':'action:b','metadata':"
            "{'condition':'x'}}]}}",
            "p.json:1:", "condition");
}
END_TEST

START_TEST(what_lies_above_is_transitive_and_for_other_kinds_is_granted_too)
{
    struct lex_policy *policy =
        load("{'terms':{'actors':[{'id':'a','member_of':['b','c']},{'id':'b','member_of':'d'}]},"
             "'relations':{'implies':[{'source':'actor:c','target':'actor:e'}]}}");
    const struct lex_term *a =
        lex_policy_term(policy, LEX_KIND_ACTOR, term_of(policy, LEX_KIND_ACTOR, "a"));
    const char *const above[] = {"b", "c", "d", "e"};
    ck_assert_uint_eq(a->above.count, 4);
    for (size_t i = 0; i < LEX_COUNT_OF(above); i++)
        ck_assert(holds_term(a->above, term_of(policy, LEX_KIND_ACTOR, above[i])));
    for (size_t i = 1; i < a->above.count; i++)
        ck_assert_uint_lt(a->above.items[i - 1], a->above.items[i]);
    ck_assert_ptr_eq(a->granted.items, a->above.items);
    lex_policy_unref(policy);
}
END_TEST

/* A permit on what an action is covers it; one on what it entails does not; and one on what entails
 * it does, if the entailment grants. */
START_TEST(permits_reach_an_action_through_membership_and_granting_entailment_only)
{
    struct lex_policy *policy =
        load("{'terms':{'actions':[{'id':'read_file','member_of':'read'},'read','open','audit']},"
             "'relations':{'implies':[{'source':'action:read','target':'action:open',"
             "'grants':true},{'source':'action:read','target':'action:audit'},"
             "{'source':'action:export','target':'action:read','grants':true}]}}");
    struct lex_terms_above granted[4], above[4];
    static const char *const names[] = {"read_file", "read", "open", "audit"};
    for (size_t i = 0; i < 4; i++) {
        const struct lex_term *term =
            lex_policy_term(policy, LEX_KIND_ACTION, term_of(policy, LEX_KIND_ACTION, names[i]));
        granted[i] = term->granted;
        above[i] = term->above;
    }
    lex_term_id read_ = term_of(policy, LEX_KIND_ACTION, "read"),
                open_ = term_of(policy, LEX_KIND_ACTION, "open"),
                export_ = term_of(policy, LEX_KIND_ACTION, "export");
    ck_assert_uint_eq(above[0].count, 3); /* read, open, audit */
    ck_assert(holds_term(above[0], open_));
    ck_assert_uint_eq(granted[0].count, 2); /* read, and what grants it */
    ck_assert(holds_term(granted[0], read_) && holds_term(granted[0], export_));
    ck_assert_uint_eq(granted[1].count, 1);
    ck_assert(holds_term(granted[1], export_));
    ck_assert_uint_eq(granted[2].count, 2); /* read and export grant open */
    ck_assert(holds_term(granted[2], read_) && holds_term(granted[2], export_));
    ck_assert_uint_eq(granted[3].count, 0); /* audit is only entailed */
    lex_policy_unref(policy);
}
END_TEST

START_TEST(an_action_is_as_risky_as_what_it_entails)
{
    struct lex_policy *policy = load(
        "{'terms':{'actions':[{'id':'a','risk_level':2},{'id':'b','risk_level':5},"
        "{'id':'c','metadata':{'risk_level':1}}]},'relations':{'implies':["
        "{'source':'action:a','target':'action:c'},{'source':'action:c','target':'action:b'}]}}");
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(policy->terms[LEX_KIND_ACTION].items[i].risk_level, 5);
    lex_policy_unref(policy);
    refused("{'terms':{'actions':[{'id':'a','risk_level':6}]}}", "p.json:1:", "1 to 5");
    refused("{'terms':{'actions':[{'id':'a','risk_level':2.0}]}}", "p.json:1:", "whole number");
}
END_TEST

/* ---- what a history must hold ---- */

static bool same_history(const char *a, const char *b)
{
    char text[2][1024];
    bool same;
    (void)snprintf(text[0], sizeof text[0], "{'relations':[%s]}", a);
    (void)snprintf(text[1], sizeof text[1], "{'relations':[%s]}", b);
    struct lex_policy *x = load(text[0]);
    struct lex_policy_info info = x->info;
    struct lex_policy *y = load(text[1]);
    same = memcmp(info.history_hash, y->info.history_hash, 32) == 0;
    lex_policy_unref(x);
    lex_policy_unref(y);
    return same;
}

START_TEST(the_history_hash_names_what_is_counted_and_nothing_else)
{
#define RATE(id, max, window)                                                         \
    "{'id':'" id "','type':'permits','subject':'*','action':'x','condition':{'type':" \
    "'rate_limit','max_requests':" max ",'window':'" window "'}}"
#define DUTY(a, b, more) \
    "{'type':'conflicts','source':'action:" a "','target':'action:" b "'" more "}"
    static const char permit[] = "{'type':'permits','subject':'a','action':'y'}";
    ck_assert(same_history("", permit));
    ck_assert(!same_history("", RATE("r", "1", "1h")));
    ck_assert(same_history(RATE("r", "1", "1h"),
                           "{'type':'forbids','object':'d'}," RATE("r", "1", "60m")));
    ck_assert(same_history(RATE("r", "1", "1h") "," RATE("s", "1", "1h"),
                           RATE("s", "1", "1h") "," RATE("r", "1", "1h")));
    ck_assert(!same_history(RATE("r", "1", "1h"), RATE("s", "1", "1h")));
    ck_assert(!same_history(RATE("r", "1", "1h"), RATE("r", "2", "1h")));
    ck_assert(!same_history(RATE("r", "1", "1h"), RATE("r", "1", "59m")));
    ck_assert(same_history(DUTY("a", "b", ""), DUTY("a", "b", "")));
    ck_assert(!same_history(DUTY("a", "b", ""), DUTY("a", "c", "")));
    ck_assert(!same_history(DUTY("a", "b", ""), DUTY("a", "b", ",'window':'5m'")));
    ck_assert(!same_history(DUTY("a", "b", ""), DUTY("a", "b", ",'scope':'resource'")));
    ck_assert(same_history("", "{'type':'conflicts','source':'actor:a','target':'actor:b'}"));
}
END_TEST

/* What a duty's items mean depends on the closures and names of the policy that wrote them. */
START_TEST(a_history_of_duties_is_of_one_policy_only)
{
#define IMPLIES(a, b) "{'type':'implies','source':'action:" a "','target':'action:" b "'}"
    ck_assert(!same_history(DUTY("a", "b", "") "," IMPLIES("c", "a"),
                            DUTY("a", "b", "") "," IMPLIES("c", "b")));
    ck_assert(same_history(DUTY("a", "b", "") "," IMPLIES("c", "a"),
                           IMPLIES("c", "a") "," DUTY("a", "b", "")));
    ck_assert(same_history(IMPLIES("c", "a"), IMPLIES("c", "b")));
    ck_assert(same_history(RATE("r", "1", "1h") "," IMPLIES("c", "a"),
                           RATE("r", "1", "1h") "," IMPLIES("c", "b")));
}
END_TEST

LEX_CHECK_MAIN("policy: compiled",
               a_rule_keeps_its_lists_sorted_and_once_and_its_words_with_their_lead,
               equal_conditions_are_one_condition,
               a_string_is_never_the_structured_condition_that_it_spells,
               a_time_window_is_minutes_days_and_an_offset, a_rate_is_requests_or_exact_millionths,
               an_approval_has_an_approver_or_leaves_it_to_the_options,
               the_options_approver_is_a_term_or_nobody, options_are_read_and_nothing_else,
               declared_facts_have_types_attesters_and_needs,
               a_fact_that_cannot_be_declared_is_refused, one_fact_over_the_ceiling_is_refused,
               one_entry_over_a_rules_longest_list_is_refused,
               a_verb_gives_the_effect_the_quorum_and_the_good_case,
               an_explicit_effect_overrides_the_verb_and_makes_a_plain_trigger,
               a_conflict_between_actions_has_a_scope_and_a_window,
               what_lies_above_is_transitive_and_for_other_kinds_is_granted_too,
               permits_reach_an_action_through_membership_and_granting_entailment_only,
               an_action_is_as_risky_as_what_it_entails,
               the_history_hash_names_what_is_counted_and_nothing_else,
               a_history_of_duties_is_of_one_policy_only)
