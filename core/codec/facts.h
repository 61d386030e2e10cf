/* Facts: what stands beside a request, as JSON. For `lexecon decide --facts`, policy tests and the
 * laws; the service itself gets facts from verified statements only.
 *
 *     {"attested": {"mfa": true, "amount_checked": {"value": 5, "issuer": "hr"}},
 *      "roles": ["actor:oncall"], "identity": true, "requester_key": "k1",
 *      "approvals": [{"approver": "actor:human", "key": "k2", "age_s": 12}],
 *      "token": {"action": "action:read"}, "risk_score": 0,
 *      "history": {"complete": true,
 *                  "rates": [{"rule": "r1", "actor": "actor:a", "age_s": 5, "amount": 12.5,
 *                             "times": 1}],
 *                  "duties": [{"actor": "actor:a", "action": "action:pay", "resource":
 * "resource:x", "age_s": 60}]}}
 *
 * All members may be absent; roles and requester_key imply an identity. Without "history", the
 * history is empty and complete; "complete" is true, false, or for how many seconds back it is.
 * Ages are seconds before the request's clock; a fraction is allowed. */
#ifndef LEX_CODEC_FACTS_H
#define LEX_CODEC_FACTS_H

#include "core/base/json.h"
#include "core/decision/decision.h"
#include "core/history/history.h"

/* @param policy  for the names in "history"
 * @owns  ret_facts lives in the arena (strings may borrow from the node's text); *ret_history is
 *        the caller's to free
 * @errors LEX_REJECT err says which member, what was expected; LEX_LIMIT memory */
LEX_STATUS lex_facts_from_json(const struct lex_json *node, const struct lex_policy *policy,
                               int64_t now_us, struct lex_arena *arena, struct lex_facts *ret_facts,
                               struct lex_history **ret_history, struct lex_error *err);

#endif
