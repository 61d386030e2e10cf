/* Index: from (verb, actor, action) to the rules that name exactly these.
 *
 * A decision asks for the few pairs its request can match, open positions included, so its cost
 * does not grow with the number of rules that are about something else. Conflicts stand in the same
 * table under (conflicts, kind, term), once for each side. */
#include <stdlib.h>

#include "core/policy/load.h"

struct entry {
    enum lex_verb verb;
    lex_term_id actor, action;
    uint32_t number;
};

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->verb != y->verb)
        return x->verb < y->verb ? -1 : 1;
    if (x->actor != y->actor)
        return x->actor < y->actor ? -1 : 1;
    if (x->action != y->action)
        return x->action < y->action ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static size_t hash_key(enum lex_verb verb, lex_term_id actor, lex_term_id action)
{
    uint64_t key = ((uint64_t)actor << 32 | action) + (uint64_t)verb * 0x9e3779b97f4a7c15;
    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9; /* the finalizer of SplitMix64 */
    key = (key ^ key >> 27) * 0x94d049bb133111eb;
    return (size_t)(key ^ key >> 31);
}

static struct lex_rule_group *slot_of(const struct lex_policy *policy, enum lex_verb verb,
                                      lex_term_id actor, lex_term_id action)
{
    size_t mask = policy->groups_capacity - 1, at = hash_key(verb, actor, action) & mask;
    for (;; at = (at + 1) & mask) {
        struct lex_rule_group *group = &policy->groups[at];
        if (group->rules == NULL ||
            (group->verb == verb && group->actor == actor && group->action == action))
            return group;
    }
}

struct lex_rule_refs lex_policy_rules(const struct lex_policy *policy, enum lex_verb verb,
                                      lex_term_id actor, lex_term_id action)
{
    const struct lex_rule_group *group = slot_of(policy, verb, actor, action);
    return (struct lex_rule_refs){group->rules, group->rules == NULL ? 0 : group->count};
}

static size_t fill(const struct lex_policy *policy, struct entry *entries)
{
    size_t count = 0;
    for (size_t i = 0; i < policy->rules_count; i++) {
        const struct lex_rule *rule = &policy->rules[i];
        entries[count++] = (struct entry){rule->verb, rule->actor, rule->action, (uint32_t)i};
    }
    for (size_t i = 0; i < policy->conflicts_count; i++) {
        const struct lex_conflict *conflict = &policy->conflicts[i];
        lex_term_id sides[] = {conflict->a, conflict->b};
        for (size_t j = 0; j < 2; j++)
            entries[count++] =
                (struct entry){LEX_VERB_CONFLICTS, conflict->kind, sides[j], (uint32_t)i};
    }
    qsort(entries, count, sizeof *entries, by_key);
    return count;
}

static bool same_key(const struct entry *a, const struct entry *b)
{
    return a->verb == b->verb && a->actor == b->actor && a->action == b->action;
}

static void make_groups(struct lex_policy *policy, const struct entry *entries, size_t count,
                        uint32_t *numbers)
{
    for (size_t at = 0, end; at < count; at = end) {
        for (end = at; end < count && same_key(&entries[at], &entries[end]); end++)
            numbers[end] = entries[end].number;
        *slot_of(policy, entries[at].verb, entries[at].actor, entries[at].action) =
            (struct lex_rule_group){entries[at].verb, entries[at].actor, entries[at].action,
                                    numbers + at, end - at};
    }
}

LEX_STATUS lex_load_index(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    size_t most = policy->rules_count + 2 * policy->conflicts_count;
    struct entry *entries = lex_arena_calloc(&loader->tree, most + 1, sizeof *entries);
    uint32_t *numbers = lex_arena_calloc(&policy->arena, most + 1, sizeof *numbers);
    policy->groups_capacity = 16;
    while (policy->groups_capacity < 2 * most)
        policy->groups_capacity *= 2;
    policy->groups =
        lex_arena_calloc(&policy->arena, policy->groups_capacity, sizeof *policy->groups);
    if (entries == NULL || numbers == NULL || policy->groups == NULL)
        return lex_load_no_memory(loader);
    make_groups(policy, entries, fill(policy, entries), numbers);
    return LEX_OK;
}
