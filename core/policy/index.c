/* Index: from an (actor, action) pair to the rules that name exactly these.
 *
 * A decision asks for the few pairs its request can match, open positions included, so its cost
 * does not grow with the number of rules that are about something else. The rules themselves are
 * sorted by pair and verb: what one look-up finds lies side by side. Each actor carries a mask of
 * the actions it has rules with, so that most of the pairs that a hierarchy spans are excluded
 * without a look-up; a bit that two actions share costs one look-up that finds nothing. */
#include <stdlib.h>

#include "core/policy/load.h"

/* ---- pairs: from actor and action to the number of their first rule ----
 *
 * A slot is four bytes: a rule's number and a few bits of the pair's hash. Which pair it is stands
 * in the rule itself, which is about to be read anyway; so the table stays small enough for the
 * nearer caches, and a look-up waits for the far one once, for the rule. */

enum { NUMBER_BITS = 21, NUMBER_MASK = (1 << NUMBER_BITS) - 1 }; /* number + 1; 0: a free slot */
_Static_assert((int)LEX_POLICY_MAX_RELATIONS < (int)NUMBER_MASK, "a slot holds any rule's number");

static uint64_t hash_pair(lex_term_id actor, lex_term_id action)
{
    uint64_t key = (uint64_t)actor << 32 | action;
    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9; /* the finalizer of SplitMix64 */
    key = (key ^ key >> 27) * 0x94d049bb133111eb;
    return key ^ key >> 31;
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32) & ~(uint32_t)NUMBER_MASK;
}

static void put_pair(const struct lex_policy *policy, uint32_t number)
{
    const struct lex_rule *rule = &policy->rules[number];
    uint64_t hash = hash_pair(rule->actor, rule->action);
    size_t mask = policy->pairs_capacity - 1, at = (size_t)hash & mask;
    while (policy->pairs[at] != 0)
        at = (at + 1) & mask;
    policy->pairs[at] = tag_of(hash) | (number + 1);
}

const struct lex_rule *lex_policy_pair(const struct lex_policy *policy, lex_term_id actor,
                                       lex_term_id action)
{
    uint64_t hash = hash_pair(actor, action);
    size_t mask = policy->pairs_capacity - 1, at = (size_t)hash & mask;
    uint32_t tag = tag_of(hash);
    for (uint32_t slot; (slot = policy->pairs[at]) != 0; at = (at + 1) & mask) {
        const struct lex_rule *rule = &policy->rules[(slot & NUMBER_MASK) - 1];
        if ((slot & ~(uint32_t)NUMBER_MASK) == tag && rule->actor == actor &&
            rule->action == action)
            return rule;
    }
    return NULL;
}

void lex_policy_ask_pair(const struct lex_policy *policy, lex_term_id actor, lex_term_id action)
{
    size_t mask = policy->pairs_capacity - 1;
    __builtin_prefetch(&policy->pairs[(size_t)hash_pair(actor, action) & mask]);
}

void lex_policy_ask_rule(const struct lex_policy *policy, lex_term_id actor, lex_term_id action)
{
    size_t mask = policy->pairs_capacity - 1;
    uint32_t slot = policy->pairs[(size_t)hash_pair(actor, action) & mask];
    if (slot != 0)
        __builtin_prefetch(&policy->rules[(slot & NUMBER_MASK) - 1]);
}

/* ---- the order of rules ---- */

struct key {
    uint64_t pair, place; /* actor and action; verb and order */
    uint32_t index;
};

static int by_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->pair != y->pair)
        return x->pair < y->pair ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Room for rules that begin on a line of the cache each. */
static struct lex_rule *new_rules(struct lex_arena *arena, size_t count)
{
    static const uintptr_t line = sizeof(struct lex_rule);
    uint8_t *bytes = lex_arena_alloc(arena, (count + 1) * sizeof(struct lex_rule));
    uintptr_t skip = (line - (uintptr_t)bytes % line) % line;
    return bytes == NULL ? NULL : (struct lex_rule *)(void *)(bytes + skip);
}

static bool same_pair(const struct lex_rule *a, const struct lex_rule *b)
{
    return a->actor == b->actor && a->action == b->action;
}

static LEX_STATUS sort_rules(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    size_t count = policy->rules_count;
    struct key *keys = lex_arena_alloc(&loader->tree, count * sizeof *keys);
    struct lex_rule *sorted = new_rules(&policy->arena, count);
    if (keys == NULL || sorted == NULL)
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < count; i++) {
        const struct lex_rule *rule = &policy->rules[i];
        keys[i] = (struct key){(uint64_t)rule->actor << 32 | rule->action,
                               (uint64_t)rule->verb << 32 | rule->order, (uint32_t)i};
    }
    qsort(keys, count, sizeof *keys, by_key);
    for (size_t i = 0; i < count; i++)
        sorted[i] = policy->rules[keys[i].index];
    for (size_t i = 0; i < count; i++)
        sorted[i].last = i + 1 == count || !same_pair(&sorted[i], &sorted[i + 1]);
    policy->rules = sorted;
    return LEX_OK;
}

/* ---- what actors and actions carry ---- */

static void note_pair(struct lex_policy *policy, lex_term_id actor, lex_term_id action)
{
    struct lex_term *term =
        actor == LEX_TERM_ANY ? NULL : &policy->terms[LEX_KIND_ACTOR].items[actor];
    bool *any_action = term == NULL ? &policy->any_actor_any_action : &term->any_action;
    uint64_t *paired = term == NULL ? &policy->any_actor_paired : &term->paired;
    if (action == LEX_TERM_ANY)
        *any_action = true;
    else
        *paired |= lex_action_bit(action);
}

static LEX_STATUS index_pairs(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    size_t pairs = 0;
    for (size_t i = 0; i < policy->rules_count; i++)
        pairs += policy->rules[i].last;
    policy->pairs_capacity = 16;
    while (policy->pairs_capacity < 2 * pairs)
        policy->pairs_capacity *= 2;
    policy->pairs = lex_arena_calloc(&policy->arena, policy->pairs_capacity, sizeof *policy->pairs);
    if (policy->pairs == NULL)
        return lex_load_no_memory(loader);
    for (uint32_t i = 0; i < policy->rules_count; i++) {
        if (i != 0 && !policy->rules[i - 1].last)
            continue;
        put_pair(policy, i);
        note_pair(policy, policy->rules[i].actor, policy->rules[i].action);
    }
    return LEX_OK;
}

static void add_ruled(const struct lex_terms *actors, struct lex_term *term, lex_term_id id)
{
    const struct lex_term *actor = &actors->items[id];
    if ((actor->paired == 0 && !actor->any_action) || term->ruled_count == LEX_RULED_MORE)
        return;
    if (term->ruled_count == LEX_RULED_MAX)
        term->ruled_count = LEX_RULED_MORE;
    else
        term->ruled[term->ruled_count++] = (struct lex_ruled){actor->paired, id, actor->any_action};
}

/* A user of a group of a role finds the role's rules without a look at what lies between. */
static void gather_ruled(struct lex_terms *actors)
{
    for (lex_term_id id = 0; id < actors->count; id++) {
        struct lex_term *term = &actors->items[id];
        add_ruled(actors, term, id);
        for (size_t i = 0; i < term->above.count; i++)
            add_ruled(actors, term, term->above.items[i]);
    }
}

/* ---- conflicts ---- */

static int by_term(const void *a, const void *b)
{
    const struct lex_conflict_ref *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->term != y->term)
        return x->term < y->term ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static LEX_STATUS index_conflicts(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    policy->conflict_refs = lex_arena_calloc(&policy->arena, 2 * policy->conflicts_count,
                                             sizeof *policy->conflict_refs);
    if (policy->conflict_refs == NULL)
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < policy->conflicts_count; i++) {
        const struct lex_conflict *conflict = &policy->conflicts[i];
        lex_term_id sides[] = {conflict->a, conflict->b};
        for (size_t j = 0; j < 2; j++) {
            policy->conflict_refs[policy->conflict_refs_count++] =
                (struct lex_conflict_ref){conflict->kind, sides[j], (uint32_t)i};
            policy->terms[conflict->kind].items[sides[j]].conflicted = true;
        }
    }
    qsort(policy->conflict_refs, policy->conflict_refs_count, sizeof *policy->conflict_refs,
          by_term);
    return LEX_OK;
}

size_t lex_policy_conflicts(const struct lex_policy *policy, enum lex_kind kind, lex_term_id term,
                            const struct lex_conflict_ref **ret_refs)
{
    const struct lex_conflict_ref wanted = {.kind = kind, .term = term};
    size_t low = 0, high = policy->conflict_refs_count, end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_term(&policy->conflict_refs[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < policy->conflict_refs_count; end++)
        if (policy->conflict_refs[end].kind != kind || policy->conflict_refs[end].term != term)
            break;
    *ret_refs = policy->conflict_refs + low;
    return end - low;
}

/* ---- the whole ---- */

LEX_STATUS lex_load_index(struct lex_loader *loader)
{
    LEX_TRY(sort_rules(loader));
    LEX_TRY(index_pairs(loader));
    gather_ruled(&loader->policy->terms[LEX_KIND_ACTOR]);
    return index_conflicts(loader);
}
