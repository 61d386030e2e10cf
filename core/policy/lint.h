/* Lint: the parts of the linter. Private to core/policy. */
#ifndef LEX_POLICY_LINT_H
#define LEX_POLICY_LINT_H

#include "core/policy/load.h"

/* As many approvals as a request carries attestations (core/decision). */
enum { LEX_APPROVALS_MAX = 4 };

/* Rules against rules: duplicates, contradictions, what is unreachable or redundant. */
LEX_STATUS lex_lint_rules(struct lex_loader *loader);
/* Into the conditions of each rule: what can never hold, and what breaks the laws of policy.md
 * section 11. */
LEX_STATUS lex_lint_conditions(struct lex_loader *loader);

#endif
