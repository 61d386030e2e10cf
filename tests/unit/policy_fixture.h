/* What the policy and decision tests share: policies and requests in one line each. */
#ifndef LEX_TESTS_POLICY_FIXTURE_H
#define LEX_TESTS_POLICY_FIXTURE_H

#include "core/decision/decision.h"
#include "tests/unit/load_fixture.h"

/* One request; what is NULL or 0 is absent, risk 0 is 1. */
struct ask {
    const char *actor, *action, *classes[4], *tool, *resource, *mode, *role;
    int risk;
    enum lex_mode server;
    struct lex_member attested, context; /* key absent: none */
    int64_t now_us;
};

#define FACT(name, value)           \
    {                               \
        LEX_SPAN_INIT(name),        \
        {                           \
            .type = LEX_VALUE_BOOL, \
            {                       \
                .boolean = (value)  \
            }                       \
        }                           \
    }

static inline struct lex_decision decide(const struct lex_policy *policy, const struct ask *ask)
{
    struct lex_span classes[4], role = lex_span_str(ask->role);
    struct lex_decision decision;
    size_t count = 0;
    while (count < 4 && ask->classes[count] != NULL) {
        classes[count] = lex_span_str(ask->classes[count]);
        count++;
    }
    struct lex_request request = {
        .request_id = LEX_SPAN("r"),
        .actor = lex_span_str(ask->actor),
        .proposed_action = lex_span_str(ask->action),
        .tool = lex_span_str(ask->tool),
        .resource = lex_span_str(ask->resource),
        .data_classes = {classes, count},
        .risk_level = ask->risk == 0 ? 1 : ask->risk,
        .policy_mode = lex_span_str(ask->mode),
        .context = {&ask->context, lex_span_absent(ask->context.key) ? 0 : 1},
    };
    struct lex_attested_fact attested = {.member = ask->attested, .statement = UINT8_MAX};
    struct lex_facts facts = {
        .attested = &attested,
        .attested_count = lex_span_absent(ask->attested.key) ? 0 : 1,
        .identity = ask->role != NULL,
        .roles = {&role, ask->role == NULL ? 0 : 1},
    };
    struct lex_decide_input input = {.policy = policy,
                                     .request = &request,
                                     .facts = &facts,
                                     .server_mode = ask->server,
                                     .now_us = ask->now_us,
                                     .ttl_us = 1000};
    lex_decide(&input, &fixture_arena, &decision);
    ck_assert_int_eq(decision.allowed, decision.outcome == LEX_OUTCOME_APPROVED);
    ck_assert_uint_ne(decision.reason.len, 0);
    return decision;
}

static inline const char *code_of(const struct lex_decision *decision)
{
    return (const char *)lex_reason_name(decision->reason_code).data;
}

/* "denied FORBIDDEN rule1,rule2" */
static inline const char *told(const struct lex_policy *policy, const struct ask *ask)
{
    static const char *const outcomes[] = {"none", "denied", "escalated", "conditional",
                                           "approved"};
    static char text[4096];
    struct lex_decision decision = decide(policy, ask);
    int n = snprintf(text, sizeof text, "%s %s", outcomes[decision.outcome], code_of(&decision));
    for (size_t i = 0; i < decision.rules.count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%c%.*s", i == 0 ? ' ' : ',',
                      LEX_SPAN_FMT(decision.rules.items[i]));
    return text;
}

#define ck_told(policy, wanted, ...) \
    ck_assert_str_eq(told(policy, &(const struct ask){__VA_ARGS__}), wanted)

#endif
