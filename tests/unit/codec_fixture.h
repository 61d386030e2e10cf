/* Records that the codec's tests share: one request, one entry and one attestation with every kind
 * of field filled, and fixed values, so that their bytes can be written down. */
#ifndef LEX_TESTS_CODEC_FIXTURE_H
#define LEX_TESTS_CODEC_FIXTURE_H

#include "core/codec/codec.h"

static const uint8_t fixture_bytes[64] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

static inline struct lex_request fixture_request(void)
{
    static const struct lex_span classes[] = {LEX_SPAN_INIT("pii"), LEX_SPAN_INIT("finance")};
    static const struct lex_span regions[] = {LEX_SPAN_INIT("eu"), LEX_SPAN_INIT("us")};
    static const struct lex_span proofs[] = {LEX_SPAN_INIT("a.b.c")};
    static struct lex_member context[6];
    context[0] = (struct lex_member){LEX_SPAN("ticket"), {.type = LEX_VALUE_STRING}};
    context[0].value.text = LEX_SPAN("T-1");
    context[1] = (struct lex_member){LEX_SPAN("amount"), {.type = LEX_VALUE_DOUBLE}};
    context[1].value.f64 = 12.5;
    context[2] = (struct lex_member){LEX_SPAN("count"), {.type = LEX_VALUE_LONG}};
    context[2].value.i64 = -3;
    context[3] = (struct lex_member){LEX_SPAN("urgent"), {.type = LEX_VALUE_BOOL}};
    context[3].value.boolean = true;
    context[4] = (struct lex_member){LEX_SPAN("none"), {.type = LEX_VALUE_NULL}};
    context[5] = (struct lex_member){LEX_SPAN("regions"), {.type = LEX_VALUE_LIST}};
    context[5].value.list = (struct lex_span_list){regions, 2};
    return (struct lex_request){
        .request_id = LEX_SPAN("req-1"),
        .actor = LEX_SPAN("agent:billing"),
        .proposed_action = LEX_SPAN("read"),
        .tool = LEX_SPAN("crm.lookup"),
        .user_intent = LEX_SPAN("Ask for \"Müller\"\n"),
        .resource = LEX_SPAN("customer/42"),
        .data_classes = {classes, 2},
        .risk_level = 2,
        .policy_mode = LEX_SPAN("strict"),
        .context = {context, 6},
        .arguments = LEX_SPAN("{\"z\": 1, \"a\": [1.0, \"x\"]}"),
        .attestations = {proofs, 1},
        .capability_token = LEX_SPAN("t.o.k"),
        .want_token = true,
        .deadline = {true, 1767225600000000},
        .nonce = LEX_SPAN("n"),
    };
}

static inline struct lex_ledger_entry fixture_entry(void)
{
    static const struct lex_span rules[] = {LEX_SPAN_INIT("permit-read")};
    static const struct lex_span warnings[] = {LEX_SPAN_INIT("unknown data class: finance")};
    static const struct lex_span classes[] = {LEX_SPAN_INIT("pii")};
    static const struct lex_obligation obligations[] = {
        {.type = LEX_OBLIGATION_TYPE_APPROVAL,
         .approver = LEX_SPAN_INIT("manager"),
         .quorum = 1,
         .timeout_s = 3600,
         .rule = LEX_SPAN_INIT("permit-read")},
        {.type = LEX_OBLIGATION_TYPE_ADVICE, .condition = LEX_SPAN_INIT("log it")}};
    static const struct lex_fact facts[] = {{.name = LEX_SPAN_INIT("context.amount"),
                                             .provenance = LEX_PROVENANCE_CALLER,
                                             .value = LEX_SPAN_INIT("12.5")}};
    return (struct lex_ledger_entry){
        .log = LEX_SPAN("acme/main/lexecon.ledger/3"),
        .seq = 70000,
        .prev = lex_span_of(fixture_bytes, 32),
        .recorded_at = 1767225600123456,
        .event_type = LEX_EVENT_TYPE_DECISION,
        .node_id = LEX_SPAN("node-1"),
        .source = {LEX_SPAN("lexecon.requests"), 3, 123456789, 1767225600000},
        .decision_id = LEX_SPAN("dec_01KDW3Z1000003000000000000"),
        .request_id = LEX_SPAN("req-1"),
        .actor = LEX_SPAN("agent:billing"),
        .action = LEX_SPAN("read"),
        .tool = LEX_SPAN("crm.lookup"),
        .resource = LEX_SPAN("customer/42"),
        .data_classes = {classes, 1},
        .risk_given = 2,
        .risk_effective = 40,
        .mode_given = LEX_MODE_STRICT,
        .mode_policy = LEX_MODE_PERMISSIVE,
        .mode_effective = LEX_MODE_STRICT,
        .outcome = LEX_OUTCOME_APPROVED,
        .allowed = true,
        .reason_code = LEX_SPAN("PERMITTED"),
        .reason = LEX_SPAN("permit-read permits it"),
        .rules = {rules, 1},
        .obligations = {obligations, 2},
        .warnings = {warnings, 1},
        .facts = {facts, 1},
        .policy_id = LEX_SPAN("example"),
        .policy_version = LEX_SPAN("1.0.0"),
        .policy_hash = lex_span_of(fixture_bytes + 8, 32),
        .request_fingerprint = lex_span_of(fixture_bytes + 16, 32),
        .evaluated_at = {true, 1767225600123456},
        .valid_until = {true, 1767225900123456},
        .identity = LEX_SPAN("topic_acl"),
        .replayable = true,
    };
}

static inline struct lex_attestation fixture_attestation(void)
{
    static struct lex_span path[2];
    path[0] = lex_span_of(fixture_bytes + 1, 32);
    path[1] = lex_span_of(fixture_bytes + 2, 32);
    return (struct lex_attestation){.version = 1,
                                    .key_id = lex_span_of(fixture_bytes + 5, 4),
                                    .size = 4,
                                    .index = 2,
                                    .path = {path, 2},
                                    .signature = lex_span_of(fixture_bytes, 64)};
}

#endif
