/* Decision: request x policy x facts x clock -> verdict. Pure, total, and never open.
 *
 * lex_decide() cannot fail: whatever goes wrong inside it, the answer is "denied EVALUATION_ERROR".
 * It reads nothing but its arguments, so the same arguments give the same answer in the service, in
 * `lexecon decide`, in the simulator and in an auditor's replay. */
#ifndef LEX_DECISION_DECISION_H
#define LEX_DECISION_DECISION_H

#include "core/base/arena.h"
#include "core/policy/policy.h"
#include "schemas/records.h"

/* Ceilings (formats.md): more in a request is INVALID_REQUEST; more of our own output is cut and
 * counted. */
enum {
    LEX_NAME_MAX_BYTES = 512,
    LEX_INTENT_MAX_BYTES = 4096,
    LEX_DATA_CLASSES_MAX = 64,
    LEX_ATTESTATIONS_MAX = 4,
    LEX_DECISION_RULES_MAX = 32,
    LEX_DECISION_OBLIGATIONS_MAX = 32,
    LEX_DECISION_WARNINGS_MAX = 32,
    LEX_DECISION_FACTS_MAX = 32,
    LEX_FACT_MAX_BYTES = 256,
    LEX_REASON_MAX_BYTES = 1024,
    LEX_REQUEST_MAX_BYTES = 1 << 20,
};

/* Reason codes, from one table. */
enum lex_reason {
#define LEX_REASON(name) LEX_REASON_##name,
#include "core/decision/reasons.def"
#undef LEX_REASON
    LEX_REASON_COUNT
};
struct lex_span lex_reason_name(enum lex_reason reason); /* "FORBIDDEN" */

/* What stands beside the request. Everything here comes from the server or from verified
 * attestations, never from the caller's own words. */
struct lex_facts {
    struct lex_member_list attested; /* fact name -> value */
    struct lex_span_list roles;      /* attested roles */
    const struct lex_approval {
        struct lex_span approver; /* term name as attested */
        struct lex_span key; /* names the signer's key; distinct approvers have distinct ones */
        int64_t age_us;
    } * approvals;
    size_t approvals_count;
};

struct lex_decide_input {
    const struct lex_policy *policy; /* NULL: NO_ACTIVE_POLICY */
    const struct lex_request *request;
    const struct lex_facts *facts; /* NULL: none */
    enum lex_mode server_mode;     /* LEX_MODE_UNSET adds nothing */
    int64_t now_us;                /* the server's clock, wall */
    int64_t ttl_us;                /* default_ttl: valid_until = now + ttl, or earlier */
    bool request_id_optional;      /* offline decide: a request needs no request_id */
};

struct lex_decision {
    enum lex_outcome outcome;
    bool allowed; /* outcome == APPROVED, and nothing else */
    enum lex_reason reason_code;
    struct lex_span reason; /* for a person, valid UTF-8, at most LEX_REASON_MAX_BYTES */
    struct lex_span_list rules;
    struct lex_obligation_list obligations;
    struct lex_span_list warnings;
    struct lex_fact_list facts; /* those that decided */
    enum lex_mode mode_given, mode_policy, mode_server, mode_effective;
    int32_t risk_given;     /* the request's level, 0 when invalid */
    int32_t risk_effective; /* score 0..100 */
    int64_t valid_until_us;
    uint32_t cut; /* own output over a ceiling, pieces dropped */
};

/* Evaluate. Outputs borrow from the policy, the request and the arena.
 * @post ret->allowed == (ret->outcome == LEX_OUTCOME_APPROVED); a full arena gives EVALUATION_ERROR
 * @thread any; policy is immutable */
void lex_decide(const struct lex_decide_input *input, struct lex_arena *arena,
                struct lex_decision *ret);

/* A denial that some other layer must give (an internal error, an expired identity): all fields
 * set, no rule, nothing allowed. */
void lex_decide_denied(const struct lex_decide_input *input, enum lex_reason code,
                       struct lex_span reason, struct lex_decision *ret);

#endif
