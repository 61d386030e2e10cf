#ifndef LEX_SCHEMAS_RECORDS_H
#define LEX_SCHEMAS_RECORDS_H

#include "core/base/value.h"

enum lex_event_type {
    LEX_EVENT_TYPE_GENESIS, LEX_EVENT_TYPE_DECISION, LEX_EVENT_TYPE_REJECTION, LEX_EVENT_TYPE_POLICY,
    LEX_EVENT_TYPE_KEY, LEX_EVENT_TYPE_RECOVERY, LEX_EVENT_TYPE_OUTCOME, LEX_EVENT_TYPE_ERASE,
    LEX_EVENT_TYPE_PRUNE,
    LEX_EVENT_TYPE_COUNT
};
enum lex_mode { LEX_MODE_UNSET, LEX_MODE_PERMISSIVE, LEX_MODE_STRICT, LEX_MODE_PARANOID, LEX_MODE_COUNT };
enum lex_outcome {
    LEX_OUTCOME_NONE, LEX_OUTCOME_DENIED, LEX_OUTCOME_ESCALATED, LEX_OUTCOME_CONDITIONAL,
    LEX_OUTCOME_APPROVED, LEX_OUTCOME_COUNT
};
enum lex_obligation_type {
    LEX_OBLIGATION_TYPE_APPROVAL, LEX_OBLIGATION_TYPE_VERIFY, LEX_OBLIGATION_TYPE_ADVICE,
    LEX_OBLIGATION_TYPE_COUNT
};
enum lex_provenance {
    LEX_PROVENANCE_SERVER, LEX_PROVENANCE_ATTESTED, LEX_PROVENANCE_CALLER, LEX_PROVENANCE_COUNT
};

struct lex_request {
    struct lex_span request_id;
    struct lex_span actor;
    struct lex_span proposed_action;
    struct lex_span tool;
    struct lex_span user_intent;
    struct lex_span resource;
    struct lex_span_list data_classes;
    int32_t risk_level;
    struct lex_span requested_output_type;
    struct lex_span policy_mode;
    struct lex_member_list context;
    struct lex_span arguments;
    struct lex_span_list attestations;
    struct lex_span capability_token;
    struct lex_span user_id;
    bool want_token;
    struct lex_opt_i64 deadline;
    struct lex_span nonce;
};

struct lex_source {
    struct lex_span topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp;
};

struct lex_obligation {
    enum lex_obligation_type type;
    struct lex_span approver;
    int32_t quorum;
    int32_t timeout_s;
    struct lex_span rule;
    struct lex_span condition;
    struct lex_span action;
};
struct lex_obligation_list { const struct lex_obligation *items; size_t count; };

struct lex_fact {
    struct lex_span name;
    enum lex_provenance provenance;
    struct lex_span value;
};
struct lex_fact_list { const struct lex_fact *items; size_t count; };

struct lex_ledger_entry {
    struct lex_span log;
    int64_t seq;
    struct lex_span prev;
    int64_t recorded_at;
    enum lex_event_type event_type;
    struct lex_span node_id;
    struct lex_source source;
    struct lex_span decision_id;
    struct lex_span request_id;
    struct lex_span actor;
    struct lex_span action;
    struct lex_span tool;
    struct lex_span resource;
    struct lex_span_list data_classes;
    int32_t risk_given;
    int32_t risk_effective;
    enum lex_mode mode_given;
    enum lex_mode mode_policy;
    enum lex_mode mode_server;
    enum lex_mode mode_effective;
    enum lex_outcome outcome;
    bool allowed;
    struct lex_span reason_code;
    struct lex_span reason;
    struct lex_span_list rules;
    struct lex_obligation_list obligations;
    struct lex_span_list warnings;
    struct lex_fact_list facts;
    struct lex_span policy_id;
    struct lex_span policy_version;
    struct lex_span policy_hash;
    struct lex_span request_fingerprint;
    struct lex_opt_i64 evaluated_at;
    struct lex_opt_i64 valid_until;
    struct lex_span user_id;
    struct lex_span identity;
    struct lex_span trace_id;
    bool replayable;
    struct lex_span request;
    struct lex_span detail;
};

struct lex_attestation {
    int32_t version;
    struct lex_span key_id;
    int64_t size;
    int64_t index;
    struct lex_span_list path;
    struct lex_span signature;
};

struct lex_verdict {
    struct lex_ledger_entry entry;
    struct lex_attestation attestation;
    struct lex_span token;
};

#endif
