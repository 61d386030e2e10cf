/* The difference of two policies: every dimension of the domain tells a change that only it can
 * tell, what is no change is none, and no random request finds a change that was not reported. */
#include "cli/case.h"
#include "core/decision/domain.h"
#include "tests/unit/policy_fixture.h"

static struct lex_policy *policies[2];
static struct lex_arena diff_arena;
static struct lex_diff diff;
static uint64_t budget = 2000000;

static void teardown(void)
{
    for (int i = 0; i < 2; i++) {
        lex_policy_unref(policies[i]);
        policies[i] = NULL;
    }
    lex_arena_fini(&diff_arena);
}

static void compare_loaded(void)
{
    struct lex_diff_options options = {.max_evaluations = budget};
    lex_arena_fini(&diff_arena);
    lex_arena_init(&diff_arena, 64 << 10, SIZE_MAX / 4);
    ck_assert_int_eq(lex_policy_diff(policies[0], policies[1], &options, &diff_arena, &diff),
                     LEX_OK);
}

static void compare(const char *old_text, const char *new_text)
{
    teardown();
    policies[0] = load(old_text);
    policies[1] = load(new_text);
    compare_loaded();
}

/* Both ways: what is widened from old to new is narrowed back. */
#define ck_widens(old_text, new_text)                                                           \
    do {                                                                                        \
        compare(old_text, new_text);                                                            \
        ck_assert_msg(diff.widened != 0 && diff.narrowed == 0, "%zu, %zu: %s %s", diff.widened, \
                      diff.narrowed, old_text, new_text);                                       \
        ck_assert_uint_eq(diff.cuts_count, 0);                                                  \
        check_examples();                                                                       \
        compare(new_text, old_text);                                                            \
        ck_assert_uint_eq(diff.widened, 0);                                                     \
        ck_assert_uint_ne(diff.narrowed, 0);                                                    \
    } while (0)
#define ck_same(old_text, new_text)                                                        \
    do {                                                                                   \
        compare(old_text, new_text);                                                       \
        ck_assert_msg(                                                                     \
            diff.groups_count == 0, "%s %s: %.*s", old_text, new_text,                     \
            LEX_SPAN_FMT(diff.groups_count == 0 ? LEX_SPAN("") : diff.groups[0].example)); \
    } while (0)

/* ---- an example is a case that anybody can decide ---- */

static void check_example(struct lex_codec *codec, const struct lex_diff_group *group)
{
    for (int side = 0; side < 2; side++) {
        struct lex_offline offline = {.policy = policies[side], .codec = codec, .now_us = 0};
        const struct lex_case_text document = {"example", group->example};
        struct lex_decision decision;
        struct lex_case one;
        lex_arena_init(&offline.arena, 64 << 10, 64 << 20);
        lex_buf_init(&offline.facts, 0);
        enum lex_status status = lex_case_parse(&offline, &document, &one, &fixture_err);
        ck_assert_msg(status == LEX_OK, "%s: %.*s", fixture_err.text, LEX_SPAN_FMT(group->example));
        struct lex_decide_input input = lex_case_input(&offline, &one);
        lex_decide(&input, &offline.arena, &decision);
        ck_assert_msg(decision.outcome == (side == 0 ? group->old_outcome : group->new_outcome) &&
                          decision.reason_code == (side == 0 ? group->old_code : group->new_code),
                      "%.*s comes out otherwise", LEX_SPAN_FMT(group->example));
        lex_case_fini(&one);
        lex_arena_fini(&offline.arena);
    }
}

static void check_examples(void)
{
    struct lex_codec *codec;
    ck_assert_int_eq(lex_codec_new(&(struct lex_codec_options){NULL}, &codec, &fixture_err),
                     LEX_OK);
    for (size_t i = 0; i < diff.groups_count; i++)
        check_example(codec, &diff.groups[i]);
    lex_codec_free(codec);
}

/* A policy around some relations, with the names that the tests use. */
#define TERMS                                                                       \
    "'terms':[{'id':'actor:human','type':'actor'},{'id':'actor:a','type':'actor'}," \
    "{'id':'actor:b','type':'actor'},{'id':'action:x','type':'action'},"            \
    "{'id':'action:y','type':'action'},{'id':'data:d','type':'data_class'},"        \
    "{'id':'data:e','type':'data_class'},{'id':'resource:r','type':'resource'}]"
#define POLICY(relations) "{" TERMS ",'relations':[" relations "]}"
#define WITH(options, relations) "{" options "," TERMS ",'relations':[" relations "]}"
#define PERMIT "{'type':'permits','actor':'a','action':'x'}"
#define PERMIT_IF(condition) "{'type':'permits','actor':'a','action':'x','condition':" condition "}"
#define FORBID_D "{'type':'forbids','actor':'a','action':'x','object':'d'}"
#define CONSTRAINED(constraint) \
    "{" TERMS ",'relations':[" PERMIT "],'constraints':[" constraint "]}"

START_TEST(a_policy_is_the_same_as_itself_and_as_itself_in_another_order)
{
    ck_same(POLICY(PERMIT "," FORBID_D), POLICY(PERMIT "," FORBID_D));
    ck_assert_uint_eq(diff.pairs, diff.pairs_same);
    ck_assert_uint_eq(diff.evaluations, 0);
    ck_same(POLICY(PERMIT "," FORBID_D), POLICY(FORBID_D "," PERMIT));
    ck_same(POLICY("{'id':'one','type':'permits','actor':'a','action':'x'}"),
            POLICY("{'id':'two','type':'permits','actor':'a','action':'x','reason':'other'}"));
}
END_TEST

START_TEST(a_rule_that_another_one_contains_changes_no_verdict)
{
    ck_same(POLICY(PERMIT), POLICY(PERMIT "," PERMIT_IF("'mfa'")));
    ck_assert_uint_ne(diff.evaluations, 0);
    ck_same(POLICY(PERMIT ",{'type':'forbids','actor':'a','action':'*'}"), POLICY(""));
}
END_TEST

START_TEST(a_permit_widens_and_a_forbid_narrows_for_whom_they_name)
{
    compare(POLICY(""), POLICY(PERMIT));
    ck_assert_uint_eq(diff.narrowed, 0);
    ck_assert_span_eq(diff.groups[0].actor, "actor:a");
    ck_assert_span_eq(diff.groups[0].action, "action:x");
    ck_assert_int_eq(diff.groups[0].old_code, LEX_REASON_NOT_PERMITTED);
    ck_assert_int_eq(diff.groups[0].new_outcome, LEX_OUTCOME_APPROVED);
    check_examples();
    ck_widens(POLICY(PERMIT "," FORBID_D), POLICY(PERMIT));
}
END_TEST

START_TEST(classes_resources_and_pairs_of_classes_are_told_apart)
{
    ck_widens(POLICY("{'type':'permits','actor':'a','action':'x','object':'d'}"),
              POLICY("{'type':'permits','actor':'a','action':'x','object':['d','e']}"));
    ck_widens(POLICY("{'type':'permits','actor':'a','action':'x','resource':'r'}"), POLICY(PERMIT));
    ck_widens(POLICY(PERMIT ",{'type':'conflicts','source':'data:d','target':'data:e'}"),
              POLICY(PERMIT));
    ck_widens(POLICY(PERMIT ",{'type':'forbids','actor':'a','action':'x','object':'d',"
                            "'conditions':['data_class == e']}"),
              POLICY(PERMIT ",{'type':'forbids','actor':'a','action':'x','object':'d',"
                            "'conditions':['data_class == e','exporting']}"));
}
END_TEST

START_TEST(names_that_mean_something_else_are_told_apart)
{
    static const char old_text[] =
        "{'terms':[{'id':'actor:a','type':'actor','label':'Agent'}],'relations':[" PERMIT "]}";
    static const char new_text[] =
        "{'terms':[{'id':'actor:a','type':'actor'}],'relations':[" PERMIT "]}";
    compare(old_text, new_text);
    ck_assert_uint_ne(diff.narrowed, 0);
    for (size_t i = 0; i < diff.groups_count; i++)
        ck_assert_span_eq(diff.groups[i].actor, "Agent");
    ck_widens(POLICY(PERMIT), WITH("'options':{'open_world':['actor']}",
                                   PERMIT ",{'type':'permits','actor':'*','action':'x'}"));
    ck_widens(POLICY(PERMIT),
              "{'terms':[{'id':'actor:human','type':'actor'},{'id':'actor:a','type':'actor'},"
              "{'id':'actor:b','type':'actor','member_of':['a']},{'id':'action:x','type':'action'},"
              "{'id':'action:y','type':'action'},{'id':'data:d','type':'data_class'},"
              "{'id':'data:e','type':'data_class'},{'id':'resource:r','type':'resource'}],"
              "'relations':[" PERMIT "]}");
}
END_TEST

START_TEST(an_attested_role_shows_what_no_actor_alone_does)
{
    compare(POLICY(PERMIT ",{'type':'forbids','actor':'b','action':'x'}"), POLICY(PERMIT));
    ck_assert_uint_eq(diff.widened, diff.groups_count);
    ck_assert_uint_ne(diff.groups_count, 0);
    for (size_t i = 0; i < diff.groups_count; i++)
        ck_assert(!lex_span_absent(diff.groups[i].role));
    check_examples();
}
END_TEST

START_TEST(modes_and_risk_are_told_apart)
{
    ck_widens(WITH("'mode':'paranoid'", PERMIT ",{'type':'requires','action':'x','condition':'m'}"),
              WITH("'mode':'strict'", PERMIT ",{'type':'requires','action':'x','condition':'m'}"));
    ck_widens(CONSTRAINED("{'name':'c','condition':'risk_level > 3','action':'deny'}"),
              CONSTRAINED("{'name':'c','condition':'risk_level > 4','action':'deny'}"));
    ck_widens(CONSTRAINED("{'name':'c','condition':'risk_score > 50','action':'deny'}"),
              CONSTRAINED("{'name':'c','condition':'risk_score > 51','action':'deny'}"));
    compare("{'terms':[{'id':'action:x','type':'action','risk_level':5}],'relations':[" PERMIT "]}",
            "{'terms':[{'id':'action:x','type':'action'}],'relations':[" PERMIT "]}");
    ck_assert_uint_ne(diff.widened, 0); /* in paranoid */
}
END_TEST

START_TEST(a_minute_of_a_time_window_is_told_apart)
{
#define WINDOW(end) PERMIT_IF("{'type':'time_window','start':'09:00','end':'" end "'}")
    ck_widens(POLICY(WINDOW("17:00")), POLICY(WINDOW("17:01")));
    ck_same(POLICY(WINDOW("17:00")), POLICY(WINDOW("17:00")));
    ck_widens(POLICY(PERMIT_IF("{'type':'time_window','start':'22:00','end':'02:00',"
                               "'days':['friday']}")),
              POLICY(PERMIT_IF("{'type':'time_window','start':'22:00','end':'02:00',"
                               "'days':['friday','saturday']}")));
    ck_same(POLICY(PERMIT_IF("{'type':'time_window','start':'09:00','end':'17:00',"
                             "'timezone':'+01:00'}")),
            POLICY(PERMIT_IF("{'type':'time_window','start':'08:00','end':'16:00'}")));
    ck_widens(WITH("'effective_from':'2026-03-01T00:00:00Z'", PERMIT),
              WITH("'effective_from':'2026-02-01T00:00:00Z'", PERMIT));
}
END_TEST

START_TEST(approvers_their_number_and_their_time_are_told_apart)
{
#define APPROVAL(members) PERMIT_IF("{'type':'approval'" members "}")
    ck_widens(POLICY(APPROVAL("")), POLICY(PERMIT));
    ck_widens(POLICY(APPROVAL(",'timeout':'5m'")), POLICY(APPROVAL(",'timeout':'6m'")));
    ck_widens(POLICY(APPROVAL(",'approver':'human'") ",{'type':'implies','source':'actor:b',"
                                                     "'target':'actor:human'}"),
              POLICY(APPROVAL(",'approver':'human'") ",{'type':'implies','source':'actor:b',"
                                                     "'target':'actor:human'},"
                                                     "{'type':'implies','source':'actor:c',"
                                                     "'target':'actor:human'}"));
    ck_widens(POLICY(APPROVAL(",'quorum':2") ",{'type':'implies','source':'actor:b',"
                                             "'target':'actor:human'}"),
              POLICY(APPROVAL(",'quorum':1") ",{'type':'implies','source':'actor:b',"
                                             "'target':'actor:human'}"));
    ck_widens(CONSTRAINED("{'name':'c','condition':'big','action':'require_dual_approval'}"),
              CONSTRAINED("{'name':'c','condition':'big','action':'require_approval'}"));
}
END_TEST

START_TEST(limits_and_duties_of_the_past_are_told_apart)
{
#define LIMIT(max, window) \
    PERMIT_IF("{'type':'rate_limit','max_requests':" max ",'window':'" window "'}")
    ck_widens(POLICY(LIMIT("10", "1h")), POLICY(LIMIT("11", "1h")));
    ck_widens(POLICY(LIMIT("10", "1h")), POLICY(LIMIT("10", "30m")));
    ck_widens(POLICY(PERMIT_IF("{'type':'rate_limit','max_requests':100,'window':'1h',"
                               "'sum':'arguments.amount'}")),
              POLICY(PERMIT_IF("{'type':'rate_limit','max_requests':101,'window':'1h',"
                               "'sum':'arguments.amount'}")));
#define PERMIT_BOTH PERMIT ",{'type':'permits','actor':'a','action':'y'}"
    ck_widens(POLICY(PERMIT_BOTH ",{'type':'conflicts','source':'action:x','target':'action:y'}"),
              POLICY(PERMIT_BOTH));
    ck_widens(POLICY(PERMIT_BOTH ",{'type':'conflicts','source':'action:x','target':'action:y'}"),
              POLICY(PERMIT_BOTH ",{'type':'conflicts','source':'action:x','target':'action:y',"
                                 "'scope':'resource'}"));
}
END_TEST

START_TEST(a_rule_that_moved_has_been_used_as_often)
{
    ck_same(POLICY(LIMIT("10", "1h")),
            POLICY("{'type':'permits','actor':'b','action':'y'},"
                   "{'type':'forbids','actor':'b','action':'y'}," LIMIT("10", "1h")));
}
END_TEST

START_TEST(values_of_facts_and_who_says_them_are_told_apart)
{
    ck_widens(POLICY(PERMIT_IF("'amount < 100'")), POLICY(PERMIT_IF("'amount <= 100'")));
    ck_widens(POLICY(PERMIT_IF("'arguments.a.b == 1'")),
              POLICY(PERMIT_IF("'arguments.a.b == 1 || arguments.a.b == 2'")));
    ck_widens(POLICY(PERMIT_IF("'team == \\'red\\''")),
              POLICY(PERMIT_IF("'team == \\'red\\' || team == \\'blue\\''")));
    ck_widens(POLICY(PERMIT_IF("{'type':'context_check','field':'tags','operator':'contains',"
                               "'value':'ok'}")),
              POLICY(PERMIT_IF("'seen'") "," PERMIT_IF(
                  "{'type':'context_check','field':'tags','operator':'contains',"
                  "'value':'ok'}")));
    compare(WITH("'options':{'facts':{'mfa':{'attested_by':['hr']}}}", PERMIT_IF("'mfa'")),
            WITH("'options':{'facts':{'mfa':{'attested_by':['hr','it']}}}", PERMIT_IF("'mfa'")));
    ck_assert_uint_ne(diff.widened, 0);
    ck_assert_uint_ne(diff.narrowed, 0); /* where the new one says no */
    check_examples();
    ck_widens(WITH("'options':{'context_trust':'attested'}", PERMIT_IF("'mfa'")),
              WITH("'options':{'context_trust':'caller'}", PERMIT_IF("'mfa'")));
    ck_widens(POLICY(PERMIT_IF("'token.action == \\'x\\''")), POLICY(PERMIT));
    ck_same(POLICY(PERMIT_IF("'mfa && ok'")), POLICY(PERMIT_IF("'ok && mfa'")));
    ck_same(POLICY(PERMIT_IF("'!(amount > 5)'")), POLICY(PERMIT_IF("'amount <= 5'")));
}
END_TEST

START_TEST(constraints_that_both_have_hide_no_change)
{
#define MANY                                                                    \
    "{'name':'c1','condition':'f1 && g1 > 3','action':'deny','effect':'deny'}," \
    "{'name':'c2','condition':'f2 || g2 == 7','action':'require_approval'},"    \
    "{'name':'c3','condition':'f3','action':'deny_unless_seen'},"               \
    "{'name':'c4','condition':'f4','action':'verify_it'},"                      \
    "{'name':'c5','condition':'arguments.size > 9 && f5','action':'throttle'}"
    ck_widens("{" TERMS ",'relations':[" PERMIT_IF("'mfa'") "],'constraints':[" MANY "]}",
              "{" TERMS ",'relations':[" PERMIT "],'constraints':[" MANY "]}");
    ck_assert_uint_lt(diff.evaluations, 20000);
    ck_widens("{" TERMS ",'mode':'paranoid','relations':[" PERMIT "],'constraints':[" MANY
              ",{'name':'new','condition':'late','action':'deny'}]}",
              "{" TERMS ",'mode':'paranoid','relations':[" PERMIT "],'constraints':[" MANY "]}");
}
END_TEST

START_TEST(more_combinations_than_the_budget_are_reported_as_not_complete)
{
    char old_text[8192], new_text[8192], conditions[4096] = "";
    for (int i = 0; i < 20; i++)
        (void)snprintf(conditions + strlen(conditions), sizeof conditions - strlen(conditions),
                       "%s'fact%d > %d'", i == 0 ? "" : ",", i, i);
    (void)snprintf(old_text, sizeof old_text,
                   "{" TERMS ",'relations':[{'type':'permits','actor':'a','action':'x',"
                   "'conditions':[%s]}]}",
                   conditions);
    (void)snprintf(new_text, sizeof new_text, POLICY(PERMIT));
    budget = 20000;
    compare(old_text, new_text);
    budget = 2000000;
    ck_assert_uint_eq(diff.cuts_count, 1);
    ck_assert_span_eq(diff.cuts[0].actor, "actor:a");
    ck_assert_uint_ne(diff.widened, 0);
    ck_assert_uint_le(diff.evaluations, 20002);
    compare(new_text, new_text);
    ck_assert_uint_eq(diff.cuts_count, 0);
}
END_TEST

/* n actions that one actor may do, or may not. */
static const char *many_actions(unsigned n, bool permitted)
{
    static char texts[2][256 << 10];
    char *text = texts[permitted];
    size_t at =
        (size_t)snprintf(text, sizeof texts[0], "{'terms':[{'id':'actor:a','type':'actor'}");
    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof texts[0] - at,
                               ",{'id':'action:x%u','type':'action'}", i);
    at += (size_t)snprintf(text + at, sizeof texts[0] - at, "],'relations':[");
    for (unsigned i = 0; permitted && i < n; i++)
        at += (size_t)snprintf(text + at, sizeof texts[0] - at,
                               "%s{'type':'permits','actor':'a','action':'x%u','object':'d'}",
                               i == 0 ? "" : ",", i);
    (void)snprintf(text + at, sizeof texts[0] - at, "]}");
    return text;
}

START_TEST(one_kind_of_change_more_than_the_ceiling_is_counted_and_not_described)
{
    compare(many_actions(LEX_DIFF_GROUPS_MAX, false), many_actions(LEX_DIFF_GROUPS_MAX, true));
    ck_assert_uint_eq(diff.groups_count, LEX_DIFF_GROUPS_MAX);
    ck_assert_uint_eq(diff.groups_dropped, 0);
    compare(many_actions(LEX_DIFF_GROUPS_MAX + 1, false),
            many_actions(LEX_DIFF_GROUPS_MAX + 1, true));
    ck_assert_uint_eq(diff.groups_count, LEX_DIFF_GROUPS_MAX);
    ck_assert_uint_ne(diff.groups_dropped, 0);
}
END_TEST

START_TEST(classes_in_more_places_than_are_tried_are_reported_as_not_complete)
{
    compare(POLICY(PERMIT ",{'type':'forbids','actor':'a','action':'x','object':'d','conditions':["
                          "'data_class == d','data_class == e']}"),
            POLICY(PERMIT));
    ck_assert_uint_eq(diff.cuts_count, 0);
    compare(POLICY(PERMIT ",{'type':'forbids','actor':'a','action':'x','object':'d','conditions':["
                          "'data_class == d','data_class == e','data_class == f']}"),
            POLICY(PERMIT));
    ck_assert_uint_ne(diff.cuts_count, 0);
    ck_assert_ptr_nonnull(strstr(diff.cuts[0].why, "three places"));
}
END_TEST

/* ---- random policies, random requests ---- */

enum { ROUNDS = 16 };
static uint64_t state;

static unsigned roll(unsigned sides)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % sides);
}

/* The next rolls, in order: the order in which a call's arguments are evaluated is nobody's. */
static const char *pick(const char *const *items)
{
    unsigned count = 0;
    while (items[count] != NULL)
        count++;
    return items[roll(count)];
}
#define PICK(name, ...) const char *name = pick((const char *const[]){__VA_ARGS__, NULL})

static void put_random_rule(char *out, size_t size)
{
    PICK(type, "permits", "permits", "forbids", "requires");
    PICK(actor, "a", "b", "c", "*");
    PICK(action, "x", "y", "*");
    PICK(object, "d", "e", "f");
    PICK(resource, "r", "s");
    PICK(condition, "'mfa'", "'!mfa'", "'amount > 5'", "'amount <= 7 && mfa'", "'data_class == d'",
         "'resource == r || mfa'", "'risk_level > 3'", "'actor == b'", "'arguments.n == 1'",
         "'team == \\'red\\''");
    size_t at =
        (size_t)snprintf(out, size, "{'type':'%s','actor':'%s','action':'%s'", type, actor, action);
    if (roll(3) == 0)
        at += (size_t)snprintf(out + at, size - at, ",'object':'%s'", object);
    if (roll(4) == 0)
        at += (size_t)snprintf(out + at, size - at, ",'resource':'%s'", resource);
    if (strcmp(type, "requires") == 0 || roll(2) == 0)
        at += (size_t)snprintf(out + at, size - at, ",'condition':%s", condition);
    (void)snprintf(out + at, size - at, "}");
}

static void random_policy(char *out, size_t size)
{
    char rule[512];
    unsigned count = 1 + roll(5);
    PICK(mode, "strict", "strict", "paranoid", "permissive");
    PICK(b_is, "", ",'member_of':['a']");
    PICK(e_is, "", ",'member_of':['d']");
    PICK(trigger, "late", "amount > 7 && late", "data_class == e");
    PICK(verb, "deny", "require_approval", "verify_it", "log_it");
    size_t at = (size_t)snprintf(
        out, size,
        "{'mode':'%s','terms':[{'id':'actor:human','type':'actor'},{'id':'actor:b','type':'actor'%"
        "s},"
        "{'id':'action:x','type':'action'},{'id':'action:y','type':'action'},"
        "{'id':'data:d','type':'data_class'},{'id':'data:e','type':'data_class'%s},"
        "{'id':'data:f','type':'data_class'},{'id':'resource:r','type':'resource'}],"
        "'constraints':[{'name':'k','condition':'%s','action':'%s'}],'relations':[",
        mode, b_is, e_is, trigger, verb);
    for (unsigned i = 0; i < count; i++) {
        put_random_rule(rule, sizeof rule);
        at += (size_t)snprintf(out + at, size - at, "%s%s", i == 0 ? "" : ",", rule);
    }
    (void)snprintf(out + at, size - at, "]}");
}

/* One request of any shape; the same for both policies. */
struct random_ask {
    struct lex_span classes[3], role;
    struct lex_member context[4];
    struct lex_attested_fact attested[4];
    struct lex_approval approval;
    struct lex_request request;
    struct lex_facts facts;
};

static struct lex_value random_value(const char *name)
{
    PICK(team, "red", "blue");
    int64_t amount = 3 + roll(8);
    if (strcmp(name, "amount") == 0)
        return (struct lex_value){LEX_VALUE_LONG, {.i64 = amount}};
    if (strcmp(name, "team") == 0)
        return (struct lex_value){LEX_VALUE_STRING, {.text = lex_span_str(team)}};
    return (struct lex_value){LEX_VALUE_BOOL, {.boolean = roll(2) == 0}};
}

static void random_facts(struct random_ask *ask)
{
    static const char *const names[] = {"mfa", "amount", "team", "late"};
    size_t context = 0, attested = 0;
    for (size_t i = 0; i < 4; i++) {
        struct lex_member said = {lex_span_str(names[i]), random_value(names[i])};
        struct lex_member signed_too = {lex_span_str(names[i]), random_value(names[i])};
        if (roll(2) == 0)
            ask->attested[attested++] =
                (struct lex_attested_fact){.member = signed_too, .statement = UINT8_MAX};
        if (roll(3) == 0)
            ask->context[context++] = said;
    }
    ask->request.context = (struct lex_member_list){ask->context, context};
    ask->facts.attested = ask->attested;
    ask->facts.attested_count = attested;
}

static void random_ask(struct random_ask *ask)
{
    memset(ask, 0, sizeof *ask);
    PICK(actor, "a", "b", "c", "human", "stranger");
    PICK(action, "x", "y", "z");
    PICK(resource, "r", "s", "t", "");
    PICK(mode, "strict", "paranoid", "", "");
    PICK(arguments, "{\"n\":1}", "{\"n\":2}", "");
    PICK(role, "a", "b", "c");
    for (size_t i = 0; i < 3; i++) {
        PICK(class, "d", "e", "f", "nothing");
        ask->classes[i] = lex_span_str(class);
    }
    ask->approval = (struct lex_approval){
        .approver = LEX_SPAN("human"), .key = LEX_SPAN("k"), .statement = UINT8_MAX};
    ask->role = lex_span_str(role);
    ask->request =
        (struct lex_request){.request_id = LEX_SPAN("r"),
                             .actor = lex_span_str(actor),
                             .proposed_action = lex_span_str(action),
                             .resource = lex_span_str(*resource == '\0' ? NULL : resource),
                             .policy_mode = lex_span_str(*mode == '\0' ? NULL : mode),
                             .arguments = lex_span_str(*arguments == '\0' ? NULL : arguments),
                             .data_classes = {ask->classes, roll(4)}};
    ask->request.risk_level = (int32_t)(1 + roll(5));
    random_facts(ask);
    ask->facts.approvals = &ask->approval;
    ask->facts.approvals_count = roll(2);
    ask->facts.identity = roll(3) == 0;
    ask->facts.roles = (struct lex_span_list){&ask->role, ask->facts.identity};
}

/* Whether some request changes: bit 0 wider, bit 1 narrower. */
static unsigned found_by_chance(unsigned tries)
{
    unsigned found = 0;
    struct lex_arena arena;
    lex_arena_init(&arena, 64 << 10, 16 << 20);
    for (unsigned i = 0; i < tries; i++) {
        struct random_ask ask;
        struct lex_decision decisions[2];
        random_ask(&ask);
        for (int side = 0; side < 2; side++) {
            struct lex_decide_input input = {
                .policy = policies[side], .request = &ask.request, .facts = &ask.facts};
            lex_decide(&input, &arena, &decisions[side]);
        }
        found |= (decisions[1].outcome > decisions[0].outcome ? 1u : 0) |
                 (decisions[1].outcome < decisions[0].outcome ? 2u : 0);
        lex_arena_reset(&arena);
    }
    lex_arena_fini(&arena);
    return found;
}

START_TEST(no_random_request_finds_a_change_that_was_not_reported)
{
    static char texts[2][8192];
    unsigned changed = 0, whole = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        state = 0x9e3779b97f4a7c15u * (round + 1);
        teardown();
        for (int side = 0; side < 2; side++) {
            random_policy(texts[side], sizeof texts[side]);
            if (side == 1 && roll(2) == 0) { /* a small change: the first one, with one more rule */
                (void)snprintf(texts[1], sizeof texts[1], "%.*s,", (int)strlen(texts[0]) - 2,
                               texts[0]);
                put_random_rule(texts[1] + strlen(texts[1]), 512);
                (void)snprintf(texts[1] + strlen(texts[1]), 8, "]}");
            }
            policies[side] = load(texts[side]);
        }
        compare_loaded();
        unsigned found = found_by_chance(3000);
        changed += found != 0;
        whole += diff.cuts_count == 0;
        ck_assert_msg((found & 1) == 0 || diff.widened != 0 || diff.cuts_count != 0,
                      "round %u widens unseen:\n%s\n%s", round, texts[0], texts[1]);
        ck_assert_msg((found & 2) == 0 || diff.narrowed != 0 || diff.cuts_count != 0,
                      "round %u narrows unseen:\n%s\n%s", round, texts[0], texts[1]);
        check_examples();
    }
    ck_assert_uint_gt(changed, ROUNDS / 2);
    ck_assert_uint_gt(whole, ROUNDS / 2);
}
END_TEST

LEX_CHECK_MAIN_WITH(
    "policy_diff", NULL, teardown, a_policy_is_the_same_as_itself_and_as_itself_in_another_order,
    a_rule_that_another_one_contains_changes_no_verdict,
    a_permit_widens_and_a_forbid_narrows_for_whom_they_name,
    classes_resources_and_pairs_of_classes_are_told_apart,
    names_that_mean_something_else_are_told_apart, an_attested_role_shows_what_no_actor_alone_does,
    modes_and_risk_are_told_apart, a_minute_of_a_time_window_is_told_apart,
    approvers_their_number_and_their_time_are_told_apart,
    limits_and_duties_of_the_past_are_told_apart, a_rule_that_moved_has_been_used_as_often,
    values_of_facts_and_who_says_them_are_told_apart, constraints_that_both_have_hide_no_change,
    more_combinations_than_the_budget_are_reported_as_not_complete,
    one_kind_of_change_more_than_the_ceiling_is_counted_and_not_described,
    classes_in_more_places_than_are_tried_are_reported_as_not_complete,
    no_random_request_finds_a_change_that_was_not_reported)
