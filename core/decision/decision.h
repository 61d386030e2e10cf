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
    LEX_OBLIGATION_TEXT_MAX_BYTES = 512,
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

/* ---- what stands beside the request: from the server or from verified statements, never from the
 * caller's own words ---- */

/* A verified attestation (formats.md, "Who speaks"): what its claims said stands in the lists
 * below, each with the index of its statement. One that was used before is not among them. */
enum lex_statement_kind { LEX_STATEMENT_IDENTITY, LEX_STATEMENT_FACT, LEX_STATEMENT_APPROVAL };
struct lex_statement {
    enum lex_statement_kind kind;
    struct lex_span kid, jti; /* printable, at most LEX_STATEMENT_NAME_MAX_BYTES each */
    int64_t issued_us, expires_us;
};
enum { LEX_STATEMENT_NAME_MAX_BYTES = 64 };

struct lex_attested_fact {
    struct lex_member member;
    struct lex_span issuer; /* `iss`; options.facts may name who may attest a fact */
    uint8_t statement;
};

struct lex_approval {
    struct lex_span approver; /* term name as attested */
    struct lex_span key;      /* names the signer's key; distinct approvers have distinct ones */
    int64_t issued_us;
    uint8_t statement;
};

struct lex_facts {
    const struct lex_statement *statements; /* at most LEX_ATTESTATIONS_MAX */
    size_t statements_count;
    const struct lex_attested_fact *attested;
    size_t attested_count;
    const struct lex_approval *approvals;
    size_t approvals_count;
    struct lex_span_list roles;    /* attested roles */
    struct lex_span requester_key; /* the key of the identity attestation; absent without one */
    bool identity;                 /* a valid identity attestation names the request's actor */
    struct lex_member_list token;  /* claims of a presented, verified capability token */
    int32_t risk_score; /* the server-assessed score, 0 to 100; 0 until a source exists */
};

struct lex_history;

struct lex_decide_input {
    const struct lex_policy *policy; /* NULL: NO_ACTIVE_POLICY */
    const struct lex_request *request;
    const struct lex_facts *facts;        /* NULL: none */
    const struct lex_history *history;    /* NULL: unknown */
    const struct lex_fact_list *recorded; /* an entry's facts: read instead of arguments, token and
                                             history, to decide again what was decided; else NULL */
    enum lex_mode server_mode;            /* LEX_MODE_UNSET adds nothing */
    int64_t now_us;                       /* the server's clock, wall */
    int64_t ttl_us;                       /* default_ttl: valid_until = now + ttl, or earlier */
    bool request_id_optional;             /* offline decide: a request needs no request_id */
    bool identity_required;               /* identity=attested: without facts->identity no actor is
                                             known */
};

struct lex_decision {
    enum lex_outcome outcome;
    bool allowed; /* outcome == APPROVED, and nothing else */
    enum lex_reason reason_code;
    struct lex_span reason; /* for a person, valid UTF-8, at most LEX_REASON_MAX_BYTES */
    struct lex_span_list rules;
    struct lex_obligation_list obligations;
    struct lex_span_list warnings;
    /* Those that decided, as they stand in the entry. Names that begin with # are the engine's own:
     * "#identity" {"roles":[..],"kid":..}, "#statement.<n>" {"kind":..,"kid":..,"jti":..,..} of an
     * approval or fact attestation that counted, "#rate.<n>.<rule>"
     * {"add":n,"key":..,"used":n} of the rule's n-th condition (add -1: not reserved),
     * "#duty.<a|b>.<conflict>" true or false,
     * "#risk" the server-assessed score. No expression can name them. */
    struct lex_fact_list facts;
    bool replayable; /* nothing of `facts` was cut */
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

/* ---- what an approved decision leaves in the partition's history ---- */

/* The items that a decision's entry adds, made from nothing but the entry and the policy, so that
 * the worker that decides and the one that rebuilds the history from the ledger do the same:
 * reserved rates ("#rate." with "add"), duties (its action and all above it that a conflict names),
 * used attestations ("#statement."). Other entries, and decisions that are not approved, add none.
 * @owns   the items live in the arena
 * @errors LEX_LIMIT the arena is full
 *         LEX_REJECT a fact of the engine's own that the engine does not write */
struct lex_history_item;
LEX_STATUS lex_remember(const struct lex_policy *policy, const struct lex_ledger_entry *entry,
                        struct lex_arena *arena, const struct lex_history_item **ret_items,
                        size_t *ret_count);

/* The items that one approved use of a rule by an actor (any of its names) leaves: how a history
 * is written down by hand. @param millionths of the amount, for limits that sum
 * @errors LEX_REJECT the policy has no such rule, or it has no limit; LEX_LIMIT the arena is full
 */
LEX_STATUS lex_remember_use(const struct lex_policy *policy, struct lex_span rule,
                            struct lex_span actor, int64_t millionths, int64_t time_us,
                            struct lex_arena *arena, const struct lex_history_item **ret_items,
                            size_t *ret_count);

/* ---- an entry, decided again ---- */

/* The input that an entry and its policy give: request, facts and clock from the entry alone. A
 * replayable decision comes out the same: outcome, code, rules and obligations.
 * @owns   everything lives in the arena
 * @errors LEX_REJECT not a decision, or not replayable; LEX_LIMIT the arena is full */
LEX_STATUS lex_decide_recorded(const struct lex_ledger_entry *entry,
                               const struct lex_policy *policy, struct lex_arena *arena,
                               struct lex_decision *ret, struct lex_error *err);

#endif
