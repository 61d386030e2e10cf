/* Laws (policy.md section 11) on random small policies: what may never raise a verdict. */
#include "tests/unit/policy_fixture.h"

enum { ROUNDS = 4000 };

static uint32_t state;
static unsigned pick(unsigned below)
{
    state = state * 1664525 + 1013904223; /* Numerical Recipes, "An Even Quicker Generator" */
    return (state >> 16) % below;
}

/* Names are declared up front, so that a rule that is added names nothing new. */
static const char head[] =
    "'terms':{'actors':['a0','a1',{'id':'a2','member_of':'a0'}],"
    "'actions':['x0',{'id':'x1','risk_level':4},'x2'],'data_classes':['d0','d1',"
    "{'id':'d2','member_of':'d0'}],'resources':['r0','r1']}";
static const char *const actors[] = {"a0", "a1", "a2", "zz"},
                         *const actions[] = {"x0", "x1", "x2", "yy"},
                         *const classes[] = {"d0", "d1", "d2", "dd"},
                         *const modes[] = {"permissive", "strict", "paranoid"};

struct rules {
    char text[8][256];
    size_t count;
};

static void add_rule(struct rules *rules, const char *verb, bool conditioned)
{
    char *out = rules->text[rules->count++];
    int n = snprintf(out, 256, "{'id':'%s%u','type':'%s','subject':'%s','action':'%s'", verb,
                     pick(1000), verb, pick(4) == 0 ? "*" : actors[pick(3)],
                     pick(4) == 0 ? "*" : actions[pick(3)]);
    if (pick(2) == 0)
        n += snprintf(out + n, 256 - (size_t)n, ",'object':'%s'", classes[pick(3)]);
    if (pick(6) == 0)
        n += snprintf(out + n, 256 - (size_t)n, ",'resource':'r%u'", pick(2));
    if (conditioned)
        n += snprintf(out + n, 256 - (size_t)n, ",'condition':'f%u'", pick(2));
    (void)snprintf(out + n, 256 - (size_t)n, "}");
}

static struct lex_policy *make(const struct rules *rules, const char *mode, bool reversed)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "{'mode':'%s',%s,'relations':[", mode, head);
    for (size_t i = 0; i < rules->count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%s", i == 0 ? "" : ",",
                      rules->text[reversed ? rules->count - 1 - i : i]);
    (void)snprintf(text + n, sizeof text - (size_t)n, "]}");
    return load(text);
}

static struct rules random_rules(void)
{
    static const char *const verbs[] = {"permits", "permits", "permits", "forbids", "requires"};
    struct rules rules = {.count = 0};
    for (unsigned i = pick(5); i != 0; i--) {
        const char *verb = verbs[pick(5)];
        add_rule(&rules, verb, verb[0] == 'r' || pick(4) == 0);
    }
    return rules;
}

static struct ask random_ask(void)
{
    struct ask ask = {.actor = actors[pick(4)], .action = actions[pick(4)]};
    for (unsigned i = 0, n = pick(3); i < n; i++)
        ask.classes[i] = classes[pick(4)];
    ask.resource = pick(3) == 0 ? "r0" : NULL;
    ask.risk = 1 + (int)pick(5);
    return ask;
}

static enum lex_outcome outcome(const struct lex_policy *policy, const struct ask *ask)
{
    return decide(policy, ask).outcome;
}

START_TEST(adding_a_restriction_never_raises_and_adding_a_permit_never_lowers)
{
    state = 1;
    for (int i = 0; i < ROUNDS; i++) {
        static const char *const verbs[] = {"forbids", "requires", "permits"};
        struct rules rules = random_rules();
        const char *mode = modes[pick(3)], *verb = verbs[pick(3)];
        struct ask ask = random_ask();
        struct lex_policy *before = make(&rules, mode, false);
        enum lex_outcome was = outcome(before, &ask);
        add_rule(&rules, verb, verb[0] == 'r' || pick(2) == 0);
        struct lex_policy *after = make(&rules, mode, false);
        enum lex_outcome is = outcome(after, &ask);
        ck_assert_msg(verb[0] == 'p' ? is >= was : is <= was, "round %d: %s %d -> %d", i,
                      rules.text[rules.count - 1], was, is);
        lex_policy_unref(before);
        lex_policy_unref(after);
    }
}
END_TEST

START_TEST(what_the_caller_adds_never_raises)
{
    state = 2;
    for (int i = 0; i < ROUNDS; i++) {
        struct rules rules = random_rules();
        struct lex_policy *policy = make(&rules, modes[pick(3)], false);
        struct ask ask = random_ask(), more = ask;
        switch (pick(5)) {
        case 0: more.mode = modes[pick(3)]; break;
        case 1: more.risk = ask.risk < 5 ? ask.risk + 1 : 5; break;
        case 2:
            if (ask.classes[0] != NULL) /* not for an empty set: that declares nothing */
                more.classes[2] = more.classes[1] == NULL ? NULL : classes[pick(4)];
            break;
        case 3: more.tool = actions[pick(4)]; break;
        default: /* where the caller is not trusted: that is the law's condition */
            ask.mode = more.mode = modes[1 + pick(2)];
            more.context = (struct lex_member)FACT("f0", pick(2) == 0);
            break;
        }
        ck_assert_msg(outcome(policy, &more) <= outcome(policy, &ask), "round %d", i);
        lex_policy_unref(policy);
    }
}
END_TEST

START_TEST(the_order_of_rules_changes_neither_outcome_nor_hash)
{
    state = 3;
    for (int i = 0; i < ROUNDS; i++) {
        struct rules rules = random_rules();
        const char *mode = modes[pick(3)];
        struct ask ask = random_ask();
        struct lex_policy *one = make(&rules, mode, false);
        enum lex_outcome expected = outcome(one, &ask);
        struct lex_policy *other = make(&rules, mode, true);
        ck_assert_int_eq(outcome(other, &ask), expected);
        ck_assert_mem_eq(lex_policy_info(one)->hash, lex_policy_info(other)->hash, 32);
        lex_policy_unref(one);
        lex_policy_unref(other);
    }
}
END_TEST

START_TEST(the_callers_word_alone_never_approves_a_conditioned_permit)
{
    state = 4;
    for (int i = 0; i < ROUNDS; i++) {
        struct rules rules = {.count = 0};
        for (unsigned n = 1 + pick(4); n != 0; n--)
            add_rule(&rules, "permits", true);
        struct ask ask = random_ask();
        ask.context = (struct lex_member)FACT("f0", pick(2) == 0);
        struct lex_policy *policy = make(&rules, modes[1 + pick(2)], false);
        ck_assert_int_ne(outcome(policy, &ask), LEX_OUTCOME_APPROVED);
        lex_policy_unref(policy);
    }
}
END_TEST

LEX_CHECK_MAIN("decision_laws", adding_a_restriction_never_raises_and_adding_a_permit_never_lowers,
               what_the_caller_adds_never_raises,
               the_order_of_rules_changes_neither_outcome_nor_hash,
               the_callers_word_alone_never_approves_a_conditioned_permit)
