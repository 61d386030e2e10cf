/* Decisions that rest on more than the request: provenance, approvals, limits, duties, and the
 * entry from which each can be made again. */
#include "core/decision/explain.h"
#include "core/history/history.h"
#include "tests/unit/policy_fixture.h"

enum { NOW = 1000000000 };

/* ---- one request with everything beside it ---- */

struct scene {
    struct lex_request request;
    struct lex_facts facts;
    struct lex_member context[4];
    struct lex_attested_fact attested[4];
    struct lex_statement statements[4];
    struct lex_approval approvals[4];
    struct lex_history *history;
    int64_t now_us;
};

static struct scene scene_of(const char *actor, const char *action)
{
    return (struct scene){.request = {.request_id = LEX_SPAN("r"),
                                      .actor = lex_span_str(actor),
                                      .proposed_action = lex_span_str(action),
                                      .risk_level = 1},
                          .now_us = NOW};
}

static void say(struct scene *s, const char *name, struct lex_value value)
{
    s->context[s->request.context.count++] = (struct lex_member){lex_span_str(name), value};
}

static void attest(struct scene *s, const char *name, struct lex_value value)
{
    s->attested[s->facts.attested_count] = (struct lex_attested_fact){
        {lex_span_str(name), value}, LEX_SPAN("hr"), (uint8_t)s->facts.statements_count};
    s->facts.attested_count++;
    s->statements[s->facts.statements_count++] = (struct lex_statement){
        LEX_STATEMENT_FACT, LEX_SPAN("hr-1"), LEX_SPAN("j"), NOW - 1000, NOW + 200000000};
}

static void approve(struct scene *s, const char *approver, const char *key, int64_t age_s)
{
    s->approvals[s->facts.approvals_count++] =
        (struct lex_approval){lex_span_str(approver), lex_span_str(key), NOW - age_s * 1000000,
                              (uint8_t)s->facts.statements_count};
    s->statements[s->facts.statements_count++] =
        (struct lex_statement){LEX_STATEMENT_APPROVAL, lex_span_str(key), lex_span_str(key),
                               NOW - age_s * 1000000, NOW + 100000000};
}

static struct lex_value flag(bool boolean)
{
    return (struct lex_value){LEX_VALUE_BOOL, {.boolean = boolean}};
}

static struct lex_decision answer(const struct lex_policy *policy, struct scene *s)
{
    struct lex_decision decision;
    s->request.context.items = s->context;
    s->facts.attested = s->attested;
    s->facts.statements = s->statements;
    s->facts.approvals = s->approvals;
    struct lex_decide_input input = {.policy = policy,
                                     .request = &s->request,
                                     .facts = &s->facts,
                                     .history = s->history,
                                     .now_us = s->now_us,
                                     .ttl_us = 300000000};
    lex_decide(&input, &fixture_arena, &decision);
    return decision;
}

#define ck_answer(policy, scene, outcome_, code)              \
    do {                                                      \
        struct lex_decision d_ = answer(policy, scene);       \
        ck_assert_str_eq(code_of(&d_), code);                 \
        ck_assert_int_eq(d_.outcome, LEX_OUTCOME_##outcome_); \
    } while (0)

static struct lex_policy *with_rule(const char *rule)
{
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "{'terms':{'actors':['a','b',{'id':'human'},{'id':'boss','member_of':'human'},"
                   "{'id':'chief','member_of':'human'},{'id':'robot','type':'ai','member_of':"
                   "'human'}],'actions':['go']},'relations':[%s]}",
                   rule);
    return load(text);
}

/* ---- provenance ---- */

START_TEST(a_grant_needs_a_fact_that_the_caller_did_not_say)
{
    struct lex_policy *p =
        with_rule("{'type':'permits','subject':'a','action':'go','condition':'mfa'}");
    struct scene s = scene_of("a", "go");
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED");
    say(&s, "mfa", flag(true));
    struct lex_decision d = answer(p, &s);
    ck_assert_int_eq(d.outcome, LEX_OUTCOME_CONDITIONAL);
    ck_assert_span_eq(d.warnings.items[0], "CONTEXT_UNVERIFIED");
    attest(&s, "mfa", flag(true));
    d = answer(p, &s);
    ck_assert(d.allowed && d.replayable);
    ck_assert_int_eq(d.valid_until_us, NOW + 200000000); /* the attestation ends first */
    s = scene_of("a", "go");
    attest(&s, "mfa", flag(true));
    say(&s, "mfa", flag(false));
    ck_answer(p, &s, APPROVED, "PERMITTED"); /* attested over caller */
    s = scene_of("a", "go");
    say(&s, "mfa", flag(false));
    ck_answer(p, &s, DENIED, "CONDITION_FALSE"); /* an admission */
    s = scene_of("a", "go");
    attest(&s, "mfa", (struct lex_value){LEX_VALUE_STRING, {.text = LEX_SPAN("true")}});
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED"); /* no boolean */
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_forbid_is_lifted_only_by_a_fact_that_the_caller_did_not_say)
{
    struct lex_policy *p = with_rule("{'type':'permits','subject':'*','action':'*'},"
                                     "{'type':'forbids','action':'go','condition':'frozen'}");
    struct scene s = scene_of("a", "go");
    ck_answer(p, &s, DENIED, "FORBID_NOT_EXCLUDED");
    say(&s, "frozen", flag(false));
    ck_answer(p, &s, DENIED, "FORBID_NOT_EXCLUDED");
    s.context[0].value = flag(true);
    ck_answer(p, &s, DENIED, "FORBIDDEN");
    s = scene_of("a", "go");
    attest(&s, "frozen", flag(false));
    ck_answer(p, &s, APPROVED, "PERMITTED");
    s = scene_of("a", "go");
    attest(&s, "frozen", flag(true));
    ck_answer(p, &s, DENIED, "FORBIDDEN");
    lex_policy_unref(p);
}
END_TEST

START_TEST(only_a_named_issuer_may_attest_a_fact_that_says_so)
{
    struct lex_policy *p = load("{'options':{'facts':{'mfa':{'type':'boolean','attested_by':"
                                "['idp']}}},'relations':[{'type':'permits','subject':'a',"
                                "'action':'go','condition':'mfa'}]}");
    struct scene s = scene_of("a", "go");
    attest(&s, "mfa", flag(true));
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED");
    s.attested[0].issuer = LEX_SPAN("idp");
    ck_answer(p, &s, APPROVED, "PERMITTED");
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_fact_of_another_type_than_declared_is_unknown)
{
    struct lex_policy *p = load("{'options':{'facts':{'level':{'type':'string'}}},'relations':["
                                "{'type':'permits','subject':'a','action':'go','condition':"
                                "'level == 3 || level != 4'}]}");
    struct scene s = scene_of("a", "go");
    attest(&s, "level", (struct lex_value){LEX_VALUE_LONG, {.i64 = 3}});
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED");
    lex_policy_unref(p);
    p = load("{'relations':[{'type':'permits','subject':'a','action':'go','condition':"
             "'level == 3 || level != 4'}]}");
    ck_answer(p, &s, APPROVED, "PERMITTED");
    lex_policy_unref(p);
}
END_TEST

START_TEST(two_statements_that_disagree_establish_nothing)
{
    struct lex_policy *p =
        with_rule("{'type':'permits','subject':'a','action':'go','condition':'mfa'}");
    struct scene s = scene_of("a", "go");
    attest(&s, "mfa", flag(true));
    attest(&s, "mfa", flag(true));
    ck_answer(p, &s, APPROVED, "PERMITTED");
    s.attested[1].member.value = flag(false);
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED");
    s.attested[0].member.value = flag(false);
    s.attested[1].member.value = flag(true);
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED");
    lex_policy_unref(p);
}
END_TEST

START_TEST(absence_is_certain_only_of_what_comes_with_the_call)
{
    static const struct {
        const char *field, *code;
    } cases[] = {{"arguments.x", "CONDITION_FALSE"},
                 {"token.x", "CONDITION_FALSE"},
                 {"request.tool", "CONDITION_FALSE"},
                 {"request.user_intent", "CONDITION_UNVERIFIED"},
                 {"x", "CONDITION_UNVERIFIED"}};
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "{'type':'permits','subject':'a','action':'go','condition':{'type':"
                       "'context_check','field':'%s','operator':'exists'}}",
                       cases[i].field);
        struct lex_policy *p = with_rule(text);
        struct scene s = scene_of("a", "go");
        struct lex_decision d = answer(p, &s);
        ck_assert_msg(strcmp(code_of(&d), cases[i].code) == 0, "%s: %s", cases[i].field,
                      code_of(&d));
        lex_policy_unref(p);
    }
}
END_TEST

START_TEST(the_arguments_of_the_call_are_the_servers_facts)
{
    struct lex_policy *p = with_rule("{'type':'permits','subject':'a','action':'go','conditions':["
                                     "'arguments.to.amount <= 100','arguments.kind == \\'x\\'']}");
    struct scene s = scene_of("a", "go");
    s.request.arguments = LEX_SPAN("{\"to\":{\"amount\":100},\"kind\":\"x\"}");
    ck_answer(p, &s, APPROVED, "PERMITTED");
    s.request.arguments = LEX_SPAN("{\"to\":{\"amount\":100.5},\"kind\":\"x\"}");
    ck_answer(p, &s, DENIED, "CONDITION_FALSE");
    s.request.arguments = LEX_SPAN("{\"to\":{\"amount\":\"1\"},\"kind\":\"x\"}");
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED");
    s.request.arguments = LEX_SPAN("{\"to.amount\":1,\"kind\":\"x\"}");
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED");
    s.request.arguments = (struct lex_span){NULL, 0};
    say(&s, "arguments.to.amount",
        (struct lex_value){LEX_VALUE_LONG, {.i64 = 1}}); /* a context key, and no argument */
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED");
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_constraint_is_triggered_by_anyones_word_and_where_required_by_silence)
{
    static const char form[] =
        "{'mode':'%s','terms':{'actors':['a'],'actions':['go']},'relations':[{'type':'permits',"
        "'subject':'a','action':'go'}],'constraints':{'n':{'condition':'odd','action':'%s'}}}";
    static const struct {
        const char *mode, *verb, *quiet, *no, *yes;
    } cases[] = {
        {"strict", "deny", "PERMITTED", "PERMITTED", "CONSTRAINT_DENIED"},
        {"paranoid", "deny", "CONSTRAINT_DENIED", "CONSTRAINT_DENIED", "CONSTRAINT_DENIED"},
        {"paranoid", "verify_it", "PERMITTED", "PERMITTED", "CONSTRAINT_OBLIGATION"},
        {"strict", "deny_if_even", "CONSTRAINT_DENIED", "CONSTRAINT_DENIED", "CONSTRAINT_DENIED"},
        {"permissive", "deny_if_even", "CONSTRAINT_DENIED", "CONSTRAINT_DENIED", "PERMITTED"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        char text[512];
        (void)snprintf(text, sizeof text, form, cases[i].mode, cases[i].verb);
        struct lex_policy *p = load(text);
        struct scene s = scene_of("a", "go");
        struct lex_decision d = answer(p, &s);
        ck_assert_str_eq(code_of(&d), cases[i].quiet);
        say(&s, "odd", flag(false));
        d = answer(p, &s);
        ck_assert_str_eq(code_of(&d), cases[i].no);
        s.context[0].value = flag(true);
        d = answer(p, &s);
        ck_assert_str_eq(code_of(&d), cases[i].yes);
        s = scene_of("a", "go");
        attest(&s, "odd", flag(strstr(cases[i].verb, "_if_") != NULL));
        d = answer(p, &s);
        ck_assert_str_eq(code_of(&d), "PERMITTED");
        lex_policy_unref(p);
    }
}
END_TEST

START_TEST(an_unknown_class_may_be_any_in_a_trigger)
{
    struct lex_policy *p =
        load("{'terms':{'actors':['a'],'actions':['go'],'data_classes':['x','y']},'relations':[{"
             "'type':'permits','subject':'a','action':'go'}],'constraints':{"
             "'n':{'condition':'data_class == x','action':'deny'}}}");
    ck_told(p, "denied CONSTRAINT_DENIED constraint:n", .actor = "a", .action = "go",
            .classes = {"typo"});
    ck_told(p, "denied CONSTRAINT_DENIED constraint:n", .actor = "a", .action = "go",
            .classes = {"y", "x"});
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "go", .classes = {"y"});
    ck_told(p, "approved PERMITTED permits:0", .actor = "a", .action = "go");
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_misspelt_class_or_resource_evades_no_trigger)
{
    static const char form[] =
        "{'mode':'%s','options':{'facts':{'outside':{'required':%s}}},'terms':{'actors':['a'],"
        "'actions':['go'],'data_classes':['phi','y'],'resources':['vault','r']},'relations':[{'"
        "type':"
        "'permits','subject':'a','action':'go'}],'constraints':{'n':{'condition':'%s','action':"
        "'deny'}}}";
    static const char *const triggers[] = {
        "data_class == phi && outside", "resource == vault && outside",
        "(data_class == phi || resource == vault) && outside", "!(resource != vault || !outside)"};
    struct lex_span class = LEX_SPAN("phii");
    for (size_t i = 0; i < 3 * LEX_COUNT_OF(triggers); i++) {
        static const char *const modes[] = {"strict", "strict", "paranoid"};
        bool silent = i % 3 != 0; /* nobody says it, and it is required: declared, or by the mode */
        char text[1024];
        (void)snprintf(text, sizeof text, form, modes[i % 3], i % 3 == 1 ? "true" : "null",
                       triggers[i / 3]);
        struct lex_policy *p = load(text);
        struct scene s = scene_of("a", "go");
        s.request.data_classes = (struct lex_span_list){&class, 1};
        s.request.resource = LEX_SPAN("Vault");
        if (i % 3 == 2 && i / 3 == 0)
            s.request.data_classes.count = 0; /* paranoid denies an unknown class by itself */
        if (!silent)
            say(&s, "outside", flag(true));
        struct lex_decision d = answer(p, &s);
        ck_assert_msg(d.outcome == LEX_OUTCOME_DENIED, "%s: %s", text, code_of(&d));
        lex_policy_unref(p);
    }
}
END_TEST

/* ---- approvals ---- */

static const char dual[] = "{'type':'permits','subject':'*','action':'go','condition':"
                           "{'type':'approval','approver':'human','quorum':2,'timeout':'1m'}}";

START_TEST(a_quorum_needs_distinct_people_with_distinct_keys)
{
    struct lex_policy *p = with_rule(dual);
    static const struct {
        const char *who[2], *key[2];
        int64_t age_s;
        bool enough;
    } cases[] = {
        {{"boss", "chief"}, {"k1", "k2"}, 59, true},
        {{"boss", "chief"}, {"k1", "k1"}, 0, false},
        {{"boss", "boss"}, {"k1", "k2"}, 0, false},
        {{"boss", "actor:boss"}, {"k1", "k2"}, 0, false},
        {{"boss", "robot"}, {"k1", "k2"}, 0, false},
        {{"boss", "a"}, {"k1", "k2"}, 0, false},
        {{"boss", "human"}, {"k1", "k2"}, 60, true},
        {{"boss", "chief"}, {"k1", "k2"}, 61, false},
        {{"boss", "nobody"}, {"k1", "k2"}, 0, false},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        struct scene s = scene_of("a", "go");
        for (size_t j = 0; j < 2; j++)
            approve(&s, cases[i].who[j], cases[i].key[j], cases[i].age_s);
        struct lex_decision d = answer(p, &s);
        ck_assert_msg(d.allowed == cases[i].enough, "case %zu", i);
        ck_assert_str_eq(code_of(&d), cases[i].enough ? "PERMITTED" : "APPROVAL_REQUIRED");
    }
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_member_of_machines_approves_nothing)
{
    struct lex_policy *p =
        load("{'terms':{'actors':['a','human',{'id':'bots','type':'ai','member_of':'human'},"
             "{'id':'b1','member_of':'bots'},{'id':'ann','member_of':'human'}],'actions':['go']},"
             "'relations':[{'type':'permits','subject':'a','action':'go','condition':"
             "{'type':'approval','approver':'human'}}]}");
    struct scene s = scene_of("a", "go");
    approve(&s, "b1", "k1", 0);
    ck_answer(p, &s, ESCALATED, "APPROVAL_REQUIRED");
    approve(&s, "ann", "k2", 0);
    ck_answer(p, &s, APPROVED, "PERMITTED");
    lex_policy_unref(p);
}
END_TEST

START_TEST(nobody_approves_its_own_request_under_any_name_or_key)
{
    struct lex_policy *p = with_rule("{'type':'permits','subject':'*','action':'go','condition':"
                                     "{'type':'approval','approver':'human'}}");
    struct scene s = scene_of("boss", "go");
    approve(&s, "actor:boss", "k1", 0);
    ck_answer(p, &s, ESCALATED, "APPROVAL_REQUIRED");
    s = scene_of("boss", "go");
    approve(&s, "chief", "k1", 0);
    ck_answer(p, &s, APPROVED, "PERMITTED");
    s.facts.requester_key = LEX_SPAN("k1");
    ck_answer(p, &s, ESCALATED, "APPROVAL_REQUIRED");
    s.facts.requester_key = LEX_SPAN("k2");
    ck_answer(p, &s, APPROVED, "PERMITTED");
    lex_policy_unref(p);
}
END_TEST

START_TEST(
    a_default_approval_discharges_constraint_and_risk_but_leaves_a_paranoid_require_conditional)
{
    struct lex_policy *p = load(
        "{'mode':'paranoid','terms':{'actors':['a','human'],'actions':['go','do']},'relations':["
        "{'type':'permits','subject':'a','action':'*'},"
        "{'type':'requires','action':'do','condition':'checked'}],'constraints':{"
        "'two':{'condition':'action == go && risk_level >= 2','action':'require_dual_approval'},"
        "'one':{'condition':'action == go && risk_level >= 1','action':'trigger_review'}}}");
    struct scene s = scene_of("a", "go");
    ck_answer(p, &s, ESCALATED, "CONSTRAINT_ESCALATED");
    approve(&s, "human", "k1", 300);
    ck_answer(p, &s, APPROVED, "PERMITTED");
    s.request.risk_level = 2;
    ck_answer(p, &s, ESCALATED, "CONSTRAINT_ESCALATED"); /* a quorum of two */
    s = scene_of("a", "do");
    ck_answer(p, &s, ESCALATED, "CONDITION_UNVERIFIED");
    approve(&s, "human", "k1", 0);
    ck_answer(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED");
    attest(&s, "checked", flag(true));
    ck_answer(p, &s, APPROVED, "PERMITTED");
    s.request.risk_level = 4;
    ck_answer(p, &s, APPROVED, "PERMITTED");
    s.facts.approvals_count = 0;
    ck_answer(p, &s, ESCALATED, "HUMAN_CONFIRMATION_REQUIRED");
    lex_policy_unref(p);
}
END_TEST

START_TEST(an_obligation_is_discharged_by_an_attested_deed_only)
{
    struct lex_policy *p = load("{'relations':[{'type':'permits','subject':'a','action':'go'}],"
                                "'constraints':{'n':{'condition':'action == go','action':"
                                "'redact_names'}}}");
    struct scene s = scene_of("a", "go");
    ck_answer(p, &s, CONDITIONAL, "CONSTRAINT_OBLIGATION");
    say(&s, "done.n", flag(true));
    ck_answer(p, &s, CONDITIONAL, "CONSTRAINT_OBLIGATION");
    attest(&s, "done.n", flag(true));
    ck_answer(p, &s, APPROVED, "PERMITTED");
    lex_policy_unref(p);
}
END_TEST

/* ---- the history ---- */

/* The entry that a decision becomes, as far as it matters here. */
static struct lex_ledger_entry entry_of(const struct scene *s, const struct lex_decision *d)
{
    return (struct lex_ledger_entry){.event_type = LEX_EVENT_TYPE_DECISION,
                                     .actor = s->request.actor,
                                     .action = s->request.proposed_action,
                                     .tool = s->request.tool,
                                     .resource = s->request.resource,
                                     .data_classes = s->request.data_classes,
                                     .risk_given = d->risk_given,
                                     .mode_given = d->mode_given,
                                     .mode_server = d->mode_server,
                                     .outcome = d->outcome,
                                     .reason_code = lex_reason_name(d->reason_code),
                                     .facts = d->facts,
                                     .replayable = d->replayable,
                                     .evaluated_at = {true, s->now_us},
                                     .valid_until = {true, d->valid_until_us}};
}

/* Decide, check that the entry alone gives the same, and remember it, as a worker does. */
static struct lex_decision settle(const struct lex_policy *policy, struct scene *s)
{
    static int64_t seq;
    const struct lex_history_item *items;
    struct lex_decision d = answer(policy, s), again;
    struct lex_ledger_entry entry = entry_of(s, &d);
    size_t count;
    ck_assert_msg(lex_decide_recorded(&entry, policy, &fixture_arena, &again, &fixture_err) ==
                      LEX_OK,
                  "%s", fixture_err.text);
    ck_assert_str_eq(code_of(&again), code_of(&d));
    ck_assert_int_eq(again.outcome, d.outcome);
    ck_assert_uint_eq(again.rules.count, d.rules.count);
    ck_assert_uint_eq(again.obligations.count, d.obligations.count);
    ck_assert_int_eq(lex_remember(policy, &entry, &fixture_arena, &items, &count), LEX_OK);
    if (s->history == NULL)
        return d;
    lex_history_entry(s->history, seq++, s->now_us);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(lex_history_add(s->history, &items[i]), LEX_OK);
    return d;
}

static struct lex_history *new_history(void)
{
    struct lex_history *history = NULL;
    ck_assert_int_eq(lex_history_new(&history), LEX_OK);
    return history;
}

#define ck_settle(policy, scene, outcome_, code)              \
    do {                                                      \
        struct lex_decision d_ = settle(policy, scene);       \
        ck_assert_str_eq(code_of(&d_), code);                 \
        ck_assert_int_eq(d_.outcome, LEX_OUTCOME_##outcome_); \
    } while (0)

START_TEST(a_rate_limit_counts_approved_verdicts_of_one_actor_in_a_sliding_window)
{
    struct lex_policy *p =
        with_rule("{'id':'r','type':'permits','subject':'*','action':'go','condition':"
                  "{'type':'rate_limit','max_requests':2,'window':'1m'}},"
                  "{'type':'forbids','action':'go','resource':'secret'}");
    struct scene s = scene_of("a", "go");
    s.request.resource = LEX_SPAN("open");
    ck_settle(p, &s, DENIED, "FORBID_NOT_EXCLUDED"); /* an unknown resource may be the secret */
    s.request.resource = LEX_SPAN("secret");
    s.history = new_history();
    ck_settle(p, &s, DENIED, "FORBIDDEN"); /* takes no place */
    lex_policy_unref(p);
    p = with_rule("{'id':'r','type':'permits','subject':'*','action':'go','condition':"
                  "{'type':'rate_limit','max_requests':2,'window':'1m'}}");
    s.request.resource = (struct lex_span){NULL, 0};
    ck_settle(p, &s, APPROVED, "PERMITTED");
    s.request.actor = LEX_SPAN("actor:a"); /* the same term */
    s.now_us = NOW + 30000000;
    ck_settle(p, &s, APPROVED, "PERMITTED");
    ck_settle(p, &s, DENIED, "RATE_LIMITED");
    s.request.actor = LEX_SPAN("b");
    ck_settle(p, &s, APPROVED, "PERMITTED");
    s.request.actor = LEX_SPAN("a");
    s.now_us = NOW + 60000000 - 1;
    ck_settle(p, &s, DENIED, "RATE_LIMITED");
    s.now_us = NOW + 60000000; /* the first one has left the window */
    ck_settle(p, &s, APPROVED, "PERMITTED");
    lex_history_free(s.history);
    s.history = NULL;
    ck_settle(p, &s, CONDITIONAL, "CONDITION_UNVERIFIED"); /* nobody knows */
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_sum_is_exact_and_an_amount_that_is_none_is_unknown)
{
    struct lex_policy *p =
        with_rule("{'id':'r','type':'permits','subject':'a','action':'go','condition':{'type':"
                  "'rate_limit','max_requests':1,'window':'1h','sum':'arguments.amount'}}");
    static const struct {
        const char *arguments, *code;
    } steps[] = {
        {"{\"amount\":0.1}", "PERMITTED"},
        {"{\"amount\":0.2}", "PERMITTED"},
        {"{\"amount\":0.700001}", "RATE_LIMITED"},
        {"{\"amount\":0.7}", "PERMITTED"},
        {"{\"amount\":0.000001}", "RATE_LIMITED"},
        {"{\"amount\":0}", "PERMITTED"},
        {"{\"amount\":-1}", "CONDITION_UNVERIFIED"},
        {"{\"amount\":\"1\"}", "CONDITION_UNVERIFIED"},
        {"{\"amount\":1e-7}", "CONDITION_UNVERIFIED"},
        {"{}", "CONDITION_UNVERIFIED"},
    };
    struct scene s = scene_of("a", "go");
    s.history = new_history();
    for (size_t i = 0; i < LEX_COUNT_OF(steps); i++) {
        s.request.arguments = lex_span_str(steps[i].arguments);
        struct lex_decision d = settle(p, &s);
        ck_assert_msg(strcmp(code_of(&d), steps[i].code) == 0, "%s: %s", steps[i].arguments,
                      code_of(&d));
    }
    lex_history_free(s.history);
    lex_policy_unref(p);
}
END_TEST

START_TEST(a_limited_permit_is_not_used_up_where_an_unlimited_one_covers)
{
    struct lex_policy *p =
        load("{'terms':{'actors':['a'],'actions':['go'],'data_classes':['x','y']},'relations':["
             "{'id':'slow','type':'permits','subject':'a','action':'go','condition':"
             "{'type':'rate_limit','max_requests':1,'window':'1m'}},"
             "{'id':'free','type':'permits','subject':'a','action':'go','object':'x'}]}");
    struct lex_span x = LEX_SPAN("x"), y = LEX_SPAN("y");
    struct scene s = scene_of("a", "go");
    s.history = new_history();
    s.request.data_classes = (struct lex_span_list){&x, 1};
    ck_settle(p, &s, APPROVED, "PERMITTED");
    ck_assert_uint_eq(lex_history_count(s.history), 0);
    s.request.data_classes = (struct lex_span_list){&y, 1};
    ck_settle(p, &s, APPROVED, "PERMITTED");
    ck_assert_uint_eq(lex_history_count(s.history), 1);
    ck_settle(p, &s, DENIED, "RATE_LIMITED");
    s.request.data_classes = (struct lex_span_list){&x, 1};
    ck_settle(p, &s, APPROVED, "PERMITTED");
    lex_history_free(s.history);
    lex_policy_unref(p);
}
END_TEST

START_TEST(two_duties_do_not_meet_in_one_actor)
{
    static const char form[] =
        "{'terms':{'actors':['a','b','human'],'actions':['make','pay','look',{'id':'wire',"
        "'member_of':'pay'}],'resources':['i1','i2',{'id':'i3','member_of':'i2'}]},'relations':["
        "{'type':'permits','subject':'*','action':'*'},"
        "{'id':'duty','type':'conflicts','source':'action:make','target':'action:pay','scope':"
        "'%s','window':'10m'}]}";
    static const struct {
        const char *scope, *actor, *action, *resource, *code;
        int64_t after_s;
    } cases[] = {
        {"global", "a", "pay", NULL, "SOD_CONFLICT", 0},
        {"global", "a", "wire", "i2", "SOD_CONFLICT", 599},
        {"global", "a", "pay", NULL, "PERMITTED", 600},
        {"global", "b", "pay", NULL, "PERMITTED", 0},
        {"global", "a", "look", NULL, "PERMITTED", 0},
        {"resource", "a", "pay", "i2", "SOD_CONFLICT", 0},
        {"resource", "a", "pay", "resource:i3", "SOD_CONFLICT", 0},
        {"resource", "a", "pay", "i1", "PERMITTED", 0},
        {"resource", "a", "pay", NULL, "SOD_STATE_UNAVAILABLE", 0},
        {"resource", "a", "pay", "typo", "SOD_STATE_UNAVAILABLE", 0},
        {"session", "b", "pay", "i1", "SOD_STATE_UNAVAILABLE", 0},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(cases); i++) {
        char text[1024];
        (void)snprintf(text, sizeof text, form, cases[i].scope);
        struct lex_policy *p = load(text);
        struct scene s = scene_of("a", "make");
        s.request.resource = LEX_SPAN("i2");
        s.history = new_history();
        approve(&s, "human", "k", 0); /* so that a duty of a session is approved too */
        struct lex_decision d = settle(p, &s);
        ck_assert(d.allowed);
        s.facts.approvals_count = s.facts.statements_count = 0;
        s.request.actor = lex_span_str(cases[i].actor);
        s.request.proposed_action = lex_span_str(cases[i].action);
        s.request.resource = lex_span_str(cases[i].resource);
        s.now_us = NOW + cases[i].after_s * 1000000;
        d = settle(p, &s);
        ck_assert_msg(strcmp(code_of(&d), cases[i].code) == 0, "case %zu: %s", i, code_of(&d));
        lex_history_reset(s.history, s.now_us);
        d = settle(p, &s); /* a history that begins now excludes nothing */
        if (strcmp(cases[i].action, "look") != 0)
            ck_assert_str_eq(code_of(&d), "SOD_STATE_UNAVAILABLE");
        lex_history_free(s.history);
        lex_policy_unref(p);
    }
}
END_TEST

START_TEST(a_used_attestation_is_remembered_by_its_own_entry)
{
    struct lex_policy *p =
        with_rule("{'type':'permits','subject':'a','action':'go','condition':'mfa'}");
    struct lex_span parts[] = {LEX_SPAN("hr-1"), LEX_SPAN("j")};
    struct lex_history_key key;
    int64_t count, total;
    struct scene s = scene_of("a", "go");
    s.history = new_history();
    lex_history_key(LEX_HISTORY_USED, parts, 2, &key);
    attest(&s, "mfa", flag(false));
    ck_settle(p, &s, DENIED, "CONDITION_FALSE"); /* it counted, but for no approval */
    ck_assert(lex_history_window(s.history, &key, NOW - 600000000, 0, &count, &total));
    ck_assert_int_eq(count, 0);
    s.attested[0].member.value = flag(true);
    ck_settle(p, &s, APPROVED, "PERMITTED");
    ck_assert(lex_history_window(s.history, &key, NOW - 600000000, 0, &count, &total));
    ck_assert_int_eq(count, 1);
    lex_history_free(s.history);
    lex_policy_unref(p);
}
END_TEST

/* ---- the entry ---- */

START_TEST(a_fact_too_large_for_an_entry_makes_it_not_replayable)
{
    struct lex_policy *p =
        with_rule("{'type':'permits','subject':'a','action':'go','condition':'note != \\'x\\''}");
    char note[LEX_FACT_MAX_BYTES + 1];
    struct lex_decision again;
    struct scene s = scene_of("a", "go");
    memset(note, 'n', sizeof note);
    attest(
        &s, "note",
        (struct lex_value){LEX_VALUE_STRING, {.text = lex_span_of(note, LEX_FACT_MAX_BYTES - 2)}});
    struct lex_decision d = answer(p, &s);
    ck_assert(d.allowed && d.replayable);
    s.attested[0].member.value.text.len++;
    d = answer(p, &s);
    ck_assert(d.allowed && !d.replayable);
    struct lex_ledger_entry entry = entry_of(&s, &d);
    ck_assert_int_eq(lex_decide_recorded(&entry, p, &fixture_arena, &again, &fixture_err),
                     LEX_REJECT);
    lex_policy_unref(p);
}
END_TEST

START_TEST(an_altered_fact_gives_another_decision)
{
    struct lex_policy *p =
        with_rule("{'type':'permits','subject':'a','action':'go','condition':'mfa'}");
    struct lex_decision again;
    struct scene s = scene_of("a", "go");
    attest(&s, "mfa", flag(true));
    struct lex_decision d = settle(p, &s);
    struct lex_fact facts[LEX_DECISION_FACTS_MAX];
    memcpy(facts, d.facts.items, d.facts.count * sizeof *facts);
    for (size_t i = 0; i < d.facts.count; i++)
        if (lex_span_eq(facts[i].name, LEX_SPAN("mfa")))
            facts[i].value = LEX_SPAN("false");
    struct lex_ledger_entry entry = entry_of(&s, &d);
    entry.facts.items = facts;
    ck_assert_int_eq(lex_decide_recorded(&entry, p, &fixture_arena, &again, &fixture_err), LEX_OK);
    ck_assert_int_eq(again.outcome, LEX_OUTCOME_DENIED);
    lex_policy_unref(p);
}
END_TEST

START_TEST(an_actor_without_its_attestation_is_unknown_where_one_is_demanded)
{
    struct lex_policy *p = with_rule("{'type':'permits','subject':'boss','action':'go'}");
    struct lex_span role = LEX_SPAN("boss");
    struct scene s = scene_of("a", "go");
    struct lex_decide_input input = {
        .policy = p, .request = &s.request, .facts = &s.facts, .identity_required = true};
    struct lex_decision d;
    s.facts.roles = (struct lex_span_list){&role, 1};
    lex_decide(&input, &fixture_arena, &d);
    ck_assert_str_eq(code_of(&d), "UNKNOWN_ACTOR");
    s.facts.identity = true;
    lex_decide(&input, &fixture_arena, &d);
    ck_assert(d.allowed);
    ck_assert_span_eq(d.facts.items[0].name, "#identity");
    lex_policy_unref(p);
}
END_TEST

/* ---- explain ---- */

START_TEST(an_explanation_says_which_condition_and_which_fact_decided)
{
    struct lex_policy *p = with_rule(
        "{'id':'one','type':'permits','subject':'a','action':'go','conditions':['mfa','risk_level "
        "<= 3']},{'id':'two','type':'permits','subject':'b','action':'go'}");
    struct lex_explanation x;
    struct scene s = scene_of("a", "go");
    struct lex_decide_input input = {
        .policy = p, .request = &s.request, .facts = &s.facts, .now_us = NOW};
    say(&s, "mfa", flag(false));
    s.request.context.items = s.context;
    ck_assert_int_eq(lex_explain(&input, &fixture_arena, &x), LEX_OK);
    ck_assert_int_eq(x.decision.outcome, LEX_OUTCOME_DENIED);
    ck_assert_uint_eq(x.count, 2);
    ck_assert_int_eq(x.rules[0].match, LEX_MATCH_YES);
    ck_assert(x.rules[0].decided);
    ck_assert_str_eq(x.rules[0].effect, "denied");
    ck_assert_uint_eq(x.rules[0].conditions_count, 2);
    ck_assert_str_eq(x.rules[0].conditions[0].truth, "false");
    ck_assert_str_eq(x.rules[0].conditions[0].basis, "the caller's word");
    ck_assert_span_eq(x.rules[0].conditions[0].facts.items[0].name, "mfa");
    ck_assert_span_eq(x.rules[0].conditions[0].facts.items[0].value, "false");
    ck_assert_str_eq(x.rules[0].conditions[1].truth, "true");
    ck_assert_int_eq(x.rules[1].match, LEX_MATCH_NO);
    ck_assert_str_eq(x.rules[1].missed, "actor");
    ck_assert(!x.rules[1].decided);
    lex_policy_unref(p);
}
END_TEST

LEX_CHECK_MAIN(
    "decision_state", a_grant_needs_a_fact_that_the_caller_did_not_say,
    a_forbid_is_lifted_only_by_a_fact_that_the_caller_did_not_say,
    only_a_named_issuer_may_attest_a_fact_that_says_so,
    a_fact_of_another_type_than_declared_is_unknown, two_statements_that_disagree_establish_nothing,
    absence_is_certain_only_of_what_comes_with_the_call,
    the_arguments_of_the_call_are_the_servers_facts,
    a_constraint_is_triggered_by_anyones_word_and_where_required_by_silence,
    an_unknown_class_may_be_any_in_a_trigger, a_misspelt_class_or_resource_evades_no_trigger,
    a_quorum_needs_distinct_people_with_distinct_keys, a_member_of_machines_approves_nothing,
    nobody_approves_its_own_request_under_any_name_or_key,
    a_default_approval_discharges_constraint_and_risk_but_leaves_a_paranoid_require_conditional,
    an_obligation_is_discharged_by_an_attested_deed_only,
    a_rate_limit_counts_approved_verdicts_of_one_actor_in_a_sliding_window,
    a_sum_is_exact_and_an_amount_that_is_none_is_unknown,
    a_limited_permit_is_not_used_up_where_an_unlimited_one_covers,
    two_duties_do_not_meet_in_one_actor, a_used_attestation_is_remembered_by_its_own_entry,
    a_fact_too_large_for_an_entry_makes_it_not_replayable, an_altered_fact_gives_another_decision,
    an_actor_without_its_attestation_is_unknown_where_one_is_demanded,
    an_explanation_says_which_condition_and_which_fact_decided)
