/* Explain: why a decision came out as it did, rule by rule. For people and for `lexecon policy`.
 *
 * It runs the same matching and the same conditions as lex_decide() over every rule of the policy,
 * also those that the request cannot reach, so its cost grows with the policy: never on the hot
 * path. */
#ifndef LEX_DECISION_EXPLAIN_H
#define LEX_DECISION_EXPLAIN_H

#include "core/decision/decision.h"

enum lex_match { LEX_MATCH_NO, LEX_MATCH_MAYBE, LEX_MATCH_YES };

struct lex_explained_condition {
    struct lex_span text;
    const char *truth;          /* "true", "false", "unknown" */
    const char *basis;          /* "server or attested", "the caller's word", "absent" */
    struct lex_fact_list facts; /* what it read, with values; absent facts have value null */
};

struct lex_explained_rule {
    struct lex_span id; /* of a rule, conflict or constraint */
    const char *kind;   /* "permits", "forbids", "requires", "conflicts", "constraint" */
    struct lex_span justification;
    const char *source; /* the document */
    unsigned line, column;
    enum lex_match match; /* of actor, action, object and resource; a constraint is always YES */
    const char *missed;   /* where NO or MAYBE: "actor", "action", "object", "resource" */
    const struct lex_explained_condition *conditions;
    size_t conditions_count;
    const char *effect; /* what it contributes: "approved", "denied", "escalated", "conditional",
                           "advice", "none" */
    bool decided;       /* it is among the verdict's rules */
};

struct lex_explanation {
    struct lex_decision decision;
    const struct lex_explained_rule *rules; /* in the documents' order */
    size_t count;
};

/* @owns everything lives in the arena, or borrows from policy and request
 * @errors LEX_LIMIT the arena is full */
LEX_STATUS lex_explain(const struct lex_decide_input *input, struct lex_arena *arena,
                       struct lex_explanation *ret);

#endif
