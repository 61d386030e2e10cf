/* Lint: rules compared with rules.
 *
 * What is the same or wider is found through tables, never by comparing each rule with each other:
 * a rule that could cover another one names the same or a higher actor and action, and the index
 * knows which pairs have rules at all; where one pair has many, they are found by their objects.
 * The look-ups have a budget; past it a huge policy has fewer lints, not a slower load. */
#include <stdlib.h>

#include "core/policy/lint.h"

enum {
    STEPS = 1 << 20,    /* look-ups and comparisons, in all */
    PRODUCT_MAX = 4096, /* of two lists' lengths, to be compared */
    FEW = 16,           /* rules of one pair that are simply walked */
};

/* A rule of a pair that has many, under one of its objects. */
struct link {
    uint32_t rule, next;
    lex_term_id object; /* or LEX_TERM_ANY */
};
enum { NO_LINK = UINT32_MAX };

struct cover {
    struct lex_loader *loader;
    uint32_t *heads; /* capacity of them, a power of two; into links, by the hash of the key */
    size_t capacity;
    struct link *links;
    bool *lends; /* an action whose permits cover one that does not lie below it */
    size_t steps_left;
};

/* ---- two rules ---- */

static bool same_list(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * sizeof *a) == 0);
}

/* Objects and resources are sorted, so that equal sets are equal lists. */
static bool same_scope(const struct lex_rule *a, const struct lex_rule *b)
{
    return a->actor == b->actor && a->action == b->action &&
           same_list(lex_rule_objects(a), a->objects_count, lex_rule_objects(b),
                     b->objects_count) &&
           same_list(lex_rule_resources(a), a->resources_count, lex_rule_resources(b),
                     b->resources_count);
}

static bool has(const uint32_t *list, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == number)
            return true;
    return false;
}

/* Whether all conditions of `a` are among those of `b`. */
static bool conditions_within(const struct lex_rule *a, const struct lex_rule *b)
{
    if (a->conditions_count > b->conditions_count ||
        (size_t)a->conditions_count * b->conditions_count > PRODUCT_MAX)
        return false;
    for (size_t i = 0; i < a->conditions_count; i++)
        if (!has(lex_rule_conditions(b), b->conditions_count, lex_rule_conditions(a)[i]))
            return false;
    return true;
}

static bool same_conditions(const struct lex_rule *a, const struct lex_rule *b)
{
    return a->conditions_count == b->conditions_count && conditions_within(a, b);
}

/* Whether every one of `narrow` is one of `wide` or lies below it; no terms at all are any. */
static bool terms_within(const struct lex_policy *policy, enum lex_kind kind,
                         const lex_term_id *narrow, size_t narrow_count, const lex_term_id *wide,
                         size_t wide_count)
{
    if (wide_count == 0)
        return true;
    if (narrow_count == 0 || narrow_count * wide_count > PRODUCT_MAX)
        return false;
    for (size_t i = 0; i < narrow_count; i++) {
        bool within = false;
        for (size_t j = 0; j < wide_count && !within; j++)
            within = lex_policy_is_a(policy, kind, narrow[i], wide[j]);
        if (!within)
            return false;
    }
    return true;
}

static bool position_within(const struct lex_policy *policy, enum lex_kind kind, lex_term_id narrow,
                            lex_term_id wide)
{
    return wide == LEX_TERM_ANY || lex_policy_is_a(policy, kind, narrow, wide);
}

/* Whether every request that `narrow` is about is one that `wide` is about. */
static bool scope_within(const struct lex_policy *policy, const struct lex_rule *narrow,
                         const struct lex_rule *wide)
{
    return position_within(policy, LEX_KIND_ACTOR, narrow->actor, wide->actor) &&
           position_within(policy, LEX_KIND_ACTION, narrow->action, wide->action) &&
           terms_within(policy, LEX_KIND_DATA, lex_rule_objects(narrow), narrow->objects_count,
                        lex_rule_objects(wide), wide->objects_count) &&
           terms_within(policy, LEX_KIND_RESOURCE, lex_rule_resources(narrow),
                        narrow->resources_count, lex_rule_resources(wide), wide->resources_count);
}

/* ---- the table of pairs with many rules ---- */

static size_t mix(uint64_t key)
{
    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9; /* the finalizer of SplitMix64 */
    key = (key ^ key >> 27) * 0x94d049bb133111eb;
    return (size_t)(key ^ key >> 31);
}

static size_t hash_key(unsigned verb, lex_term_id actor, lex_term_id action, lex_term_id object)
{
    return mix(mix((uint64_t)actor << 32 | action) + ((uint64_t)verb << 32 | object));
}

static void add_link(struct cover *cover, uint32_t number, lex_term_id object, uint32_t *links)
{
    const struct lex_rule *rule = &cover->loader->policy->rules[number];
    size_t at = hash_key(rule->verb, rule->actor, rule->action, object) & (cover->capacity - 1);
    cover->links[*links] = (struct link){number, cover->heads[at], object};
    cover->heads[at] = (*links)++;
}

/* Where the pair ends whose first rule stands at `at`. */
static size_t pair_end(const struct lex_policy *policy, size_t at)
{
    while (!policy->rules[at].last)
        at++;
    return at + 1;
}

static size_t links_of(const struct lex_rule *rule)
{
    if (rule->verb == LEX_VERB_PERMITS)
        return 0;
    return rule->objects_count == 0 ? 1 : rule->objects_count;
}

static void add_pair(struct cover *cover, size_t from, size_t end, uint32_t *links)
{
    for (size_t i = end; i-- > from;) { /* the earliest comes first in its chain */
        const struct lex_rule *rule = &cover->loader->policy->rules[i];
        if (links_of(rule) != 0 && rule->objects_count == 0)
            add_link(cover, (uint32_t)i, LEX_TERM_ANY, links);
        for (size_t j = 0; j < links_of(rule) && j < rule->objects_count; j++)
            add_link(cover, (uint32_t)i, lex_rule_objects(rule)[j], links);
    }
}

/* Enter the pairs that have many rules, or, before there are links, count what they need. */
static size_t each_pair(struct cover *cover)
{
    const struct lex_policy *policy = cover->loader->policy;
    size_t count = 0;
    uint32_t links = 0;
    for (size_t at = 0, end; at < policy->rules_count; at = end) {
        end = pair_end(policy, at);
        if (end - at <= FEW)
            continue;
        for (size_t i = at; i < end; i++)
            count += links_of(&policy->rules[i]);
        if (cover->links != NULL)
            add_pair(cover, at, end, &links);
    }
    return count;
}

static void find_lenders(struct cover *cover)
{
    const struct lex_terms *actions = &cover->loader->policy->terms[LEX_KIND_ACTION];
    for (lex_term_id i = 0; i < actions->count; i++)
        for (size_t j = 0; j < actions->items[i].granted.count; j++) {
            lex_term_id lender = actions->items[i].granted.items[j];
            if (!lex_policy_is_a(cover->loader->policy, LEX_KIND_ACTION, i, lender))
                cover->lends[lender] = true;
        }
}

static LEX_STATUS cover_init(struct cover *cover)
{
    struct lex_arena *arena = &cover->loader->tree;
    size_t links = each_pair(cover);
    for (cover->capacity = 16; cover->capacity < 2 * links;)
        cover->capacity *= 2;
    cover->heads = lex_arena_calloc(arena, cover->capacity, sizeof *cover->heads);
    cover->links = lex_arena_calloc(arena, links, sizeof *cover->links);
    cover->lends =
        lex_arena_calloc(arena, cover->loader->policy->terms[LEX_KIND_ACTION].count, sizeof(bool));
    if (cover->heads == NULL || cover->links == NULL || cover->lends == NULL)
        return lex_load_no_memory(cover->loader);
    memset(cover->heads, 0xff, cover->capacity * sizeof *cover->heads);
    (void)each_pair(cover);
    find_lenders(cover);
    return LEX_OK;
}

/* ---- what could cover a rule ---- */

/* The `at`th of: any, the term itself, what lies above it. False past the last. */
static bool wider(const struct lex_policy *policy, enum lex_kind kind, lex_term_id term, size_t at,
                  lex_term_id *ret_term)
{
    *ret_term = at == 0 ? LEX_TERM_ANY : term;
    if (at < 2)
        return at == 0 || term != LEX_TERM_ANY;
    const struct lex_terms_above *above =
        term == LEX_TERM_ANY ? NULL : &policy->terms[kind].items[term].above;
    if (above == NULL || at - 2 >= above->count)
        return false;
    *ret_term = above->items[at - 2];
    return true;
}

static bool may_be_paired(const struct lex_policy *policy, lex_term_id actor, lex_term_id action)
{
    const struct lex_term *term =
        actor == LEX_TERM_ANY ? NULL : &policy->terms[LEX_KIND_ACTOR].items[actor];
    if (action == LEX_TERM_ANY)
        return term == NULL ? policy->any_actor_any_action : term->any_action;
    return ((term == NULL ? policy->any_actor_paired : term->paired) & lex_action_bit(action)) != 0;
}

/* Whether `other` makes `rule` pointless: a forbid does that to a permit or a narrower forbid that
 * never stands without it, a requires to a narrower one that demands no more. */
static bool makes_pointless(const struct cover *cover, const struct lex_rule *other,
                            const struct lex_rule *rule)
{
    const struct lex_policy *policy = cover->loader->policy;
    bool demands = rule->verb == LEX_VERB_REQUIRES;
    bool within = demands ? conditions_within(rule, other) : conditions_within(other, rule);
    if (other == rule || !within || !scope_within(policy, rule, other))
        return false;
    if (rule->verb == LEX_VERB_PERMITS)
        return other->action == LEX_TERM_ANY || !cover->lends[rule->action];
    bool mutual = scope_within(policy, other, rule) && same_conditions(rule, other);
    return !mutual || (other->order < rule->order && !same_scope(rule, other));
}

/* What covers a rule covers the first of its objects. */
static const struct lex_rule *by_object(struct cover *cover, unsigned verb, lex_term_id actor,
                                        lex_term_id action, lex_term_id object,
                                        const struct lex_rule *rule)
{
    size_t at = hash_key(verb, actor, action, object) & (cover->capacity - 1);
    for (uint32_t i = cover->heads[at]; i != NO_LINK; i = cover->links[i].next) {
        const struct lex_rule *other = &cover->loader->policy->rules[cover->links[i].rule];
        if (cover->steps_left == 0)
            return NULL;
        cover->steps_left--;
        if (cover->links[i].object == object && other->verb == verb &&
            makes_pointless(cover, other, rule))
            return other;
    }
    return NULL;
}

/* Among the rules of a pair, of which `first` is the first. */
static const struct lex_rule *in_pair(struct cover *cover, unsigned verb,
                                      const struct lex_rule *first, const struct lex_rule *rule)
{
    const struct lex_policy *policy = cover->loader->policy;
    lex_term_id object = rule->objects_count == 0 ? LEX_TERM_ANY : lex_rule_objects(rule)[0], wide;
    for (size_t i = 0; i < FEW; i++) {
        if (first[i].verb == verb && makes_pointless(cover, &first[i], rule))
            return &first[i];
        if (first[i].last)
            return NULL;
    }
    for (size_t at = 0; wider(policy, LEX_KIND_DATA, object, at, &wide); at++) {
        const struct lex_rule *found =
            by_object(cover, verb, first->actor, first->action, wide, rule);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* A rule of `verb` that makes `rule` pointless, NULL when there is none (or the budget is spent).
 */
static const struct lex_rule *covering(struct cover *cover, unsigned verb,
                                       const struct lex_rule *rule)
{
    const struct lex_policy *policy = cover->loader->policy;
    lex_term_id actor, action;
    for (size_t i = 0; wider(policy, LEX_KIND_ACTOR, rule->actor, i, &actor); i++)
        for (size_t j = 0; wider(policy, LEX_KIND_ACTION, rule->action, j, &action); j++) {
            if (cover->steps_left == 0)
                return NULL;
            cover->steps_left--;
            if (!may_be_paired(policy, actor, action))
                continue;
            const struct lex_rule *first = lex_policy_pair(policy, actor, action);
            const struct lex_rule *found = first == NULL ? NULL : in_pair(cover, verb, first, rule);
            if (found != NULL)
                return found;
        }
    return NULL;
}

/* ---- lints ---- */

static void lint_permit(struct cover *cover, const struct lex_rule *permit)
{
    const struct lex_rule *forbid = covering(cover, LEX_VERB_FORBIDS, permit);
    if (forbid == NULL)
        return;
    lex_load_lint(cover->loader, LEX_LINT_UNREACHABLE_PERMIT, permit->at,
                  "unreachable permit: the forbid \"%.*s\" always overrides it",
                  LEX_SPAN_FMT(forbid->id));
    if (same_scope(permit, forbid) && same_conditions(permit, forbid))
        lex_load_lint(cover->loader, LEX_LINT_CONTRADICTION, permit->at,
                      "contradiction: \"%.*s\" forbids exactly what this permits",
                      LEX_SPAN_FMT(forbid->id));
}

static bool has_rate(const struct lex_policy *policy, const struct lex_rule *rule)
{
    for (size_t i = 0; i < rule->conditions_count; i++)
        if (policy->conditions[lex_rule_conditions(rule)[i]].type == LEX_CONDITION_RATE_LIMIT)
            return true;
    return false;
}

static void lint_redundant(struct cover *cover, const struct lex_rule *rule)
{
    bool forbids = rule->verb == LEX_VERB_FORBIDS;
    if (!forbids && has_rate(cover->loader->policy, rule))
        return; /* it counts for itself */
    const struct lex_rule *wide = covering(cover, rule->verb, rule);
    if (wide == NULL)
        return;
    lex_load_lint(cover->loader, forbids ? LEX_LINT_REDUNDANT_FORBID : LEX_LINT_REDUNDANT_REQUIRES,
                  rule->at,
                  forbids ? "redundant forbid: \"%.*s\" forbids all of it"
                          : "redundant requires: \"%.*s\" demands all of it",
                  LEX_SPAN_FMT(wide->id));
}

/* ---- duplicates ---- */

static size_t hash_list(size_t hash, const uint32_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = mix(hash + list[i]);
    return hash;
}

static size_t hash_rule(const struct lex_rule *rule)
{
    size_t hash = hash_key(rule->verb, rule->actor, rule->action, LEX_TERM_ANY), conditions = 0;
    hash = hash_list(hash, lex_rule_objects(rule), rule->objects_count);
    hash = hash_list(hash + 1, lex_rule_resources(rule), rule->resources_count);
    for (size_t i = 0; i < rule->conditions_count; i++)
        conditions += mix(lex_rule_conditions(rule)[i]); /* a set: in any order */
    return mix(hash + conditions);
}

static LEX_STATUS lint_duplicates(struct lex_loader *loader)
{
    const struct lex_policy *policy = loader->policy;
    size_t capacity = 16;
    while (capacity < 2 * policy->rules_count)
        capacity *= 2;
    const struct lex_rule **slots =
        lex_arena_calloc(&loader->tree, capacity, sizeof(const struct lex_rule *));
    if (slots == NULL)
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < policy->rules_count; i++) {
        const struct lex_rule *rule = &policy->rules[i];
        size_t at = hash_rule(rule) & (capacity - 1);
        while (slots[at] != NULL &&
               !(slots[at]->verb == rule->verb && same_scope(slots[at], rule) &&
                 same_conditions(slots[at], rule)))
            at = (at + 1) & (capacity - 1);
        if (slots[at] != NULL) {
            lex_load_enter(loader, rule->document);
            lex_load_lint(loader, LEX_LINT_DUPLICATE_RULE, rule->at,
                          "duplicate rule: it says what \"%.*s\" says",
                          LEX_SPAN_FMT(slots[at]->id));
        } else {
            slots[at] = rule;
        }
    }
    return LEX_OK;
}

LEX_STATUS lex_lint_rules(struct lex_loader *loader)
{
    struct cover cover = {.loader = loader, .steps_left = STEPS};
    const struct lex_policy *policy = loader->policy;
    LEX_TRY(lint_duplicates(loader));
    LEX_TRY(cover_init(&cover));
    for (size_t i = 0; i < policy->rules_count; i++) {
        lex_load_enter(loader, policy->rules[i].document);
        if (policy->rules[i].verb == LEX_VERB_PERMITS)
            lint_permit(&cover, &policy->rules[i]);
        else
            lint_redundant(&cover, &policy->rules[i]);
    }
    return LEX_OK;
}
