/* Decide line: one line of `lexecon decide` to a request and what stands in for attested facts.
 *
 * The service never reads this form: there, facts, roles, approvals and the clock come from
 * verified attestations and from the server. Here, and nowhere else, a line may name them itself,
 * so that a policy can be tried out. */
#ifndef LEX_CLI_DECIDE_LINE_H
#define LEX_CLI_DECIDE_LINE_H

#include "core/decision/decision.h"

struct lex_decide_line {
    struct lex_request request;
    struct lex_facts facts;
    struct lex_opt_i64 now_us; /* member `now` */
};

/* @post   on failure ret->request.request_id is set where the line has one, to be echoed
 * @errors LEX_REJECT not a request: err says which member and what was expected; LEX_LIMIT arena */
LEX_STATUS lex_decide_line_parse(struct lex_span text, struct lex_arena *arena,
                                 struct lex_decide_line *ret, struct lex_error *err);

#endif
