/* Coverage: which rules of a policy some verdict rested on. For policy tests.
 *
 * A rule is covered by a verdict that it decided: a forbid, a requires, a conflict or a constraint
 * by one that lists it among its rules or obliges something in its name; a permit only by an
 * approved one, since a permit that was tried and did not hold has not shown that it permits. So a
 * rule that no case needs, because another one always decides, stays uncovered: that is what the
 * number is for. */
#ifndef LEX_DECISION_COVERAGE_H
#define LEX_DECISION_COVERAGE_H

#include "core/decision/decision.h"

struct lex_covered_rule {
    struct lex_span id;
    const char *kind;   /* "permits", "forbids", "requires", "conflicts", "constraint" */
    const char *source; /* the document */
    unsigned line, column;
    uint32_t verdicts; /* that it decided */
    bool permits;
};

struct lex_coverage {
    struct lex_covered_rule *rules; /* in the documents' order */
    size_t count;
};

/* All permits, forbids, requires, conflicts and constraints of a policy; implies are no rules.
 * @owns   everything lives in the arena, or borrows from the policy
 * @errors LEX_LIMIT the arena is full */
LEX_STATUS lex_coverage_init(const struct lex_policy *policy, struct lex_arena *arena,
                             struct lex_coverage *ret_coverage);
/* Count what a verdict of this policy rested on. Rules that share an id count together. */
void lex_coverage_add(struct lex_coverage *coverage, const struct lex_decision *decision);
size_t lex_coverage_covered(const struct lex_coverage *coverage);

#endif
