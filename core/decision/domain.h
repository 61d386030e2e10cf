/* Domain: which verdicts a change of a policy widens, and which it narrows, by enumeration.
 *
 * What a policy can tell apart is finite: names that stand in no rule are all alike, a number is
 * only ever compared with the numbers that are written down, time only with a window's minutes. So
 * both policies are asked about one request of each kind, with the very lex_decide() that the
 * service runs: no second reading of the language that could be wrong in another way.
 *
 * For each actor (alone, and with one attested role) and each action, one of each kind and one
 * unknown name, these are combined:
 *
 *   data classes  none, each, an unknown one; in sets as large as tell a difference. Which classes
 *                 stand together matters only to a conflict (two of them) and to a rule that looks
 *                 at classes in several places (its object and each condition: one more each),
 * since everything else is the minimum over single classes. Up to three; more is said resources
 * none, each, an unknown one modes         the policy's own, strict, paranoid risk          1 to 5
 * and the numbers that a risk score is compared with, where risk is read time          one instant
 * for each combination of time windows and effective dates approvals     none, or enough of each
 * kind that is asked for, of each age that is told apart history       none, each limit just
 * reached, each conflicting action done, unknown facts         absent, or a value on, below,
 * between and above what each is compared with (and lists with and without each element), attested
 * or as the caller says
 *
 * Rules that both policies have, and that only restrict, are held open instead: they lower both
 * verdicts alike, so facts that nobody else reads are set such that they do not apply.
 *
 * A pair of actor and action whose rules, conflicts and constraints mean the same in both policies
 * is not asked at all. A pair with more combinations than the budget allows is asked about each
 * single one and a pseudo-random choice of the others, always the same, and is reported as not
 * enumerated completely: the answer says "none found" there, never "none". */
#ifndef LEX_DECISION_DOMAIN_H
#define LEX_DECISION_DOMAIN_H

#include "core/decision/decision.h"

enum {
    LEX_DIFF_GROUPS_MAX = 1000, /* more kinds of change are counted, not described */
    LEX_DIFF_CLASSES_MAX = 3,   /* data classes in one request */
    LEX_DIFF_DIMENSIONS_MAX = 64,
    LEX_DIFF_ROLES_MAX = 1 << 18, /* actors with a role and an action that are looked at */
    LEX_DIFF_HISTORIES_MAX = 64,
};

struct lex_diff_options {
    uint64_t max_evaluations; /* of both policies together, over all pairs */
};

/* All changes of one kind: who, what, from which verdict to which. */
struct lex_diff_group {
    struct lex_span actor, role, action; /* role: attested besides; absent without one */
    enum lex_outcome old_outcome, new_outcome;
    enum lex_reason old_code, new_code;
    uint64_t count;          /* combinations of the domain that change so */
    struct lex_span example; /* one with the fewest members: JSON, a case for `lexecon decide` */
};

/* A pair that was not enumerated completely. */
struct lex_diff_cut {
    struct lex_span actor, role, action;
    const char *why;
    double combinations; /* there are; 0: as many as were asked, but the domain is too small */
    uint64_t asked;
};

struct lex_diff {
    const struct lex_diff_group *groups; /* by pair */
    size_t groups_count, groups_dropped; /* dropped: changes over LEX_DIFF_GROUPS_MAX */
    const struct lex_diff_cut *cuts;
    size_t cuts_count;
    size_t widened, narrowed; /* groups */
    uint64_t pairs, pairs_same, evaluations;
};

/* @owns   everything lives in the arena; spans may borrow from the policies
 * @errors LEX_LIMIT memory */
LEX_STATUS lex_policy_diff(const struct lex_policy *old_policy, const struct lex_policy *new_policy,
                           const struct lex_diff_options *options, struct lex_arena *arena,
                           struct lex_diff *ret_diff);

#endif
