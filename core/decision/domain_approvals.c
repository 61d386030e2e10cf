/* Domain approvals: which signed approvals a pair can tell apart.
 *
 * Whoever escalates asks for an approver, a number of them and a time. Of the actors that may sign
 * for the same of these one group is kept, in each of the numbers and each of the ages. */
#include "core/decision/domain_parts.h"

enum { WANTS_MAX = 64, AGES_MAX = 4, GROUPS_MAX = 8 };

struct want {
    int side;
    lex_term_id approver;
    uint32_t quorum, timeout_s;
};
struct wants {
    struct want items[WANTS_MAX];
    size_t count;
};

static void add_want(struct domain_pair *pair, struct wants *wants, struct want want)
{
    if (!domain_known(want.approver) || want.quorum > LEX_ATTESTATIONS_MAX)
        return; /* nobody can give it */
    for (size_t i = 0; i < wants->count; i++)
        if (memcmp(&wants->items[i], &want, sizeof want) == 0)
            return;
    if (wants->count == WANTS_MAX)
        domain_small(pair, "more than 64 kinds of approval");
    else
        wants->items[wants->count++] = want;
}

static void want_condition(struct domain *d, struct domain_pair *pair, int side,
                           const struct lex_condition *condition, void *context)
{
    struct want want = {.side = side};
    if (condition->type != LEX_CONDITION_APPROVAL)
        return;
    want.approver = condition->approval.approver == LEX_TERM_UNKNOWN
                        ? d->policy[side]->options.approver_term
                        : condition->approval.approver;
    want.quorum = condition->approval.quorum;
    want.timeout_s = condition->approval.timeout_s;
    add_want(pair, context, want);
}

static bool escalates(const struct domain *d, const struct domain_pair *pair, int side)
{
    for (size_t i = 0; i < pair->rules_count[side]; i++)
        if (pair->rules[side][i].rule->verb == LEX_VERB_REQUIRES)
            return true; /* in paranoid */
    return pair->duties || d->policy[OLD]->options.approver_term == LEX_TERM_UNKNOWN ||
           d->policy[NEW]->options.approver_term == LEX_TERM_UNKNOWN ||
           !lex_span_eq(d->policy[OLD]->options.approver, d->policy[NEW]->options.approver);
}

static void collect(struct domain *d, struct domain_pair *pair, struct wants *wants)
{
    domain_each_condition(d, pair, want_condition, wants);
    for (int side = 0; side < SIDES; side++) {
        const struct lex_policy *policy = d->policy[side];
        struct want want = {side, policy->options.approver_term, 1, LEX_APPROVAL_DEFAULT_S};
        if (escalates(d, pair, side))
            add_want(pair, wants, want);
        for (size_t i = 0; i < policy->constraints_count; i++) {
            want.quorum = policy->constraints[i].quorum;
            if (policy->constraints[i].effect == LEX_EFFECT_ESCALATE)
                add_want(pair, wants, want);
        }
    }
}

/* ---- who may sign ---- */

static uint64_t signs_for(const struct domain *d, const struct domain_pair *pair,
                          const struct wants *wants, const struct domain_name *name)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < wants->count; i++) {
        const struct want *want = &wants->items[i];
        lex_term_id term = name->term[want->side];
        bool may = domain_known(term) && term != pair->actor->term[want->side] &&
                   !lex_policy_term(d->policy[want->side], LEX_KIND_ACTOR, term)->ai &&
                   domain_is_a(d, want->side, LEX_KIND_ACTOR, name, want->approver);
        bits |= (uint64_t)may << i;
    }
    return bits;
}

struct group {
    uint64_t bits;
    const struct domain_name *names[LEX_ATTESTATIONS_MAX];
    size_t count;
};

static size_t find_groups(const struct domain *d, struct domain_pair *pair,
                          const struct wants *wants, struct group groups[GROUPS_MAX])
{
    const struct domain_names *actors = &d->names[LEX_KIND_ACTOR];
    size_t count = 0;
    for (size_t i = 0; i < actors->count; i++) {
        uint64_t bits = signs_for(d, pair, wants, actors->items[i]);
        size_t k = 0;
        while (k < count && groups[k].bits != bits)
            k++;
        if (bits == 0)
            continue;
        if (k == GROUPS_MAX) {
            domain_small(pair, "more than 8 groups of approvers");
            continue;
        }
        if (k == count)
            groups[count++] = (struct group){.bits = bits};
        if (groups[k].count < LEX_ATTESTATIONS_MAX)
            groups[k].names[groups[k].count++] = actors->items[i];
    }
    return count;
}

/* ---- the options ---- */

static void add_option(struct domain *d, struct domain_pair *pair, size_t *capacity,
                       const struct group *group, uint32_t quorum, uint32_t age_s)
{
    static const char *const keys[LEX_ATTESTATIONS_MAX] = {"key-1", "key-2", "key-3", "key-4"};
    void *items = pair->approvals;
    if (!domain_grow(d, &d->scratch, &items, pair->approvals_count, capacity,
                     sizeof *pair->approvals))
        return;
    pair->approvals = items;
    struct domain_approvals *option = &pair->approvals[pair->approvals_count++];
    *option = (struct domain_approvals){.age_s = age_s, .count = quorum};
    for (uint32_t i = 0; i < quorum; i++)
        option->items[i] = (struct lex_approval){.approver = group->names[i]->text,
                                                 .key = lex_span_str(keys[i]),
                                                 .statement = UINT8_MAX};
}

/* Just made, and as old as each time but the shortest allows. */
static size_t distinct_ages(struct domain_pair *pair, const struct wants *wants,
                            uint32_t ages[AGES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < wants->count; i++) {
        size_t k = 0;
        while (k < count && ages[k] != wants->items[i].timeout_s)
            k++;
        if (k == AGES_MAX)
            domain_small(pair, "more than 4 times for approvals");
        else if (k == count)
            ages[count++] = wants->items[i].timeout_s;
    }
    size_t shortest = 0;
    for (size_t k = 1; k < count; k++)
        shortest = ages[k] < ages[shortest] ? k : shortest;
    if (count != 0) {
        ages[shortest] = ages[0];
        ages[0] = 0;
    }
    return count;
}

static bool wants_quorum(const struct wants *wants, uint32_t quorum)
{
    for (size_t i = 0; i < wants->count; i++)
        if (wants->items[i].quorum == quorum)
            return true;
    return false;
}

void domain_pair_approvals(struct domain *d, struct domain_pair *pair)
{
    static const struct group nobody = {.count = 0};
    struct wants wants = {.count = 0};
    struct group groups[GROUPS_MAX];
    uint32_t ages[AGES_MAX];
    size_t capacity = 0;
    collect(d, pair, &wants);
    size_t groups_count = find_groups(d, pair, &wants, groups);
    size_t ages_count = distinct_ages(pair, &wants, ages);
    add_option(d, pair, &capacity, &nobody, 0, 0);
    for (size_t g = 0; g < groups_count; g++)
        for (uint32_t quorum = 1; quorum <= groups[g].count; quorum++)
            for (size_t a = 0; wants_quorum(&wants, quorum) && a < ages_count; a++)
                add_option(d, pair, &capacity, &groups[g], quorum, ages[a]);
}
