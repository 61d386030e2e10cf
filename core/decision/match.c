/* Match: which rules are about this request.
 *
 * Matching is three-valued: what cannot be excluded is MAYBE, and a restriction takes a MAYBE for a
 * yes. Every rule on a term applies to what lies below it; only a permit's action is narrower: it
 * covers what is a member of it and what it grants (policy.md section 4). */
#include <stdlib.h>

#include "core/decision/eval.h"

/* ---- collecting ---- */

static void make_room(struct lex_eval *eval, struct lex_rule_list *list)
{
    size_t capacity = 4 * list->capacity;
    const struct lex_rule **items =
        lex_arena_alloc(eval->arena, capacity * sizeof(const struct lex_rule *));
    if (items == NULL) {
        eval->failed = true;
        return;
    }
    memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->capacity = capacity;
}

/* What lies below by an edge that grants lends its permits and nothing else. */
static void add_rule(struct lex_eval *eval, const struct lex_rule *rule, bool below)
{
    struct lex_rule_list *list = &eval->rules[rule->verb];
    if (rule->verb == LEX_VERB_PERMITS ? !lex_match_action(eval, rule) : below)
        return;
    if (list->count == list->capacity)
        make_room(eval, list);
    if (!eval->failed)
        list->items[list->count++] = rule;
}

static void add_pair(struct lex_eval *eval, lex_term_id actor, lex_term_id action, bool below)
{
    const struct lex_rule *rule = lex_policy_pair(eval->policy, actor, action);
    if (rule == NULL)
        return;
    for (; !rule->last; rule++)
        add_rule(eval, rule, below);
    add_rule(eval, rule, below);
}

/* The pairs of one actor (or any) with the actions; the mask says which can have rules at all. */
static void add_actor(struct lex_eval *eval, lex_term_id actor, uint64_t paired, bool any_action)
{
    for (size_t i = 0; paired != 0 && i < eval->actions_up.count; i++)
        if ((paired & lex_action_bit(eval->actions_up.items[i])) != 0)
            add_pair(eval, actor, eval->actions_up.items[i], i >= eval->actions_above);
    if (any_action)
        add_pair(eval, actor, LEX_TERM_ANY, false);
}

static int by_order(const void *a, const void *b)
{
    const struct lex_rule *const *x = a, *const *y = b;
    return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

/* Pairs share no rule, so only their order has to be mended: rarely, and mostly of a few. */
static void sort_rules(struct lex_rule_list *list)
{
    bool sorted = true;
    for (size_t i = 1; i < list->count && sorted; i++)
        sorted = list->items[i - 1]->order < list->items[i]->order;
    if (!sorted)
        qsort(list->items, list->count, sizeof(const struct lex_rule *), by_order);
}

static bool is_above(const struct lex_term *term, lex_term_id action)
{
    return lex_terms_hold(&term->above, action);
}

/* The action and all above it, whose restrictions apply; then those below it whose permits do. */
static void collect_actions(struct lex_eval *eval)
{
    struct lex_term_list *up = &eval->actions_up;
    up->count = eval->actions_above = 0;
    up->items = up->inside;
    if (eval->action == LEX_TERM_UNKNOWN)
        return;
    const struct lex_term *term = lex_policy_term(eval->policy, LEX_KIND_ACTION, eval->action);
    size_t most = term->above.count + term->granted.count + 1;
    if (most > LEX_EVAL_TERMS_INLINE)
        up->items = lex_arena_alloc(eval->arena, most * sizeof *up->items);
    if (up->items == NULL) {
        eval->failed = true;
        return;
    }
    up->items[up->count++] = eval->action;
    for (size_t i = 0; i < term->above.count; i++)
        up->items[up->count++] = term->above.items[i];
    eval->actions_above = up->count;
    for (size_t i = 0; i < term->granted.count; i++)
        if (term->granted.items[i] != eval->action && !is_above(term, term->granted.items[i]))
            up->items[up->count++] = term->granted.items[i];
}

/* The rules of the actor and of all above it. */
static void collect_actors(struct lex_eval *eval)
{
    const struct lex_term *actors = eval->policy->terms[LEX_KIND_ACTOR].items;
    const struct lex_term *self = eval->actor == LEX_TERM_UNKNOWN ? NULL : &actors[eval->actor];
    if (self != NULL && self->ruled_count != LEX_RULED_MORE && !eval->has_roles) {
        for (size_t i = 0; i < self->ruled_count; i++)
            add_actor(eval, self->ruled[i].actor, self->ruled[i].paired, self->ruled[i].any_action);
        return;
    }
    for (size_t i = 0; i < eval->actors_up.count; i++) {
        const struct lex_term *actor = &actors[eval->actors_up.items[i]];
        add_actor(eval, eval->actors_up.items[i], actor->paired, actor->any_action);
    }
}

void lex_eval_collect(struct lex_eval *eval)
{
    const struct lex_policy *policy = eval->policy;
    collect_actions(eval);
    for (unsigned verb = 0; verb < LEX_RULE_VERBS; verb++) {
        eval->rules[verb].count = 0;
        eval->rules[verb].items = eval->rules[verb].inside;
        eval->rules[verb].capacity = LEX_EVAL_RULES_INLINE;
    }
    collect_actors(eval);
    add_actor(eval, LEX_TERM_ANY, policy->any_actor_paired, policy->any_actor_any_action);
    for (unsigned verb = 0; verb < LEX_RULE_VERBS; verb++)
        sort_rules(&eval->rules[verb]);
}

/* ---- the positions of a rule ---- */

static bool meets(const struct lex_policy *policy, enum lex_kind kind, lex_term_id id,
                  const lex_term_id *targets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lex_policy_is_a(policy, kind, id, targets[i]))
            return true;
    return false;
}

bool lex_match_action(const struct lex_eval *eval, const struct lex_rule *rule)
{
    if (rule->action == LEX_TERM_ANY || rule->action == eval->action)
        return true;
    if (eval->action == LEX_TERM_UNKNOWN)
        return false;
    const struct lex_term *term = lex_policy_term(eval->policy, LEX_KIND_ACTION, eval->action);
    return lex_terms_hold(rule->verb == LEX_VERB_PERMITS ? &term->granted : &term->above,
                          rule->action);
}

enum lex_match lex_match_object(const struct lex_eval *eval, const struct lex_rule *rule)
{
    if (rule->objects_count == 0)
        return LEX_MATCH_YES;
    for (size_t i = 0; i < eval->classes_count; i++)
        if (meets(eval->policy, LEX_KIND_DATA, eval->classes[i].term, lex_rule_objects(rule),
                  rule->objects_count))
            return LEX_MATCH_YES;
    if (eval->classes_count == 0)
        return eval->policy->options.undeclared_is_none ? LEX_MATCH_NO : LEX_MATCH_MAYBE;
    return eval->unknown_classes != 0 ? LEX_MATCH_MAYBE : LEX_MATCH_NO;
}

enum lex_match lex_match_resource(const struct lex_eval *eval, const struct lex_rule *rule)
{
    if (rule->resources_count == 0)
        return LEX_MATCH_YES;
    if (eval->resource == LEX_TERM_UNKNOWN)
        return LEX_MATCH_MAYBE;
    return meets(eval->policy, LEX_KIND_RESOURCE, eval->resource, lex_rule_resources(rule),
                 rule->resources_count)
               ? LEX_MATCH_YES
               : LEX_MATCH_NO;
}

bool lex_permit_resource(const struct lex_eval *eval, const struct lex_rule *rule)
{
    return rule->resources_count == 0 || lex_match_resource(eval, rule) == LEX_MATCH_YES;
}

bool lex_permit_covers(const struct lex_eval *eval, const struct lex_rule *rule,
                       const struct lex_class *class)
{
    bool unknown = class != NULL && class->term == LEX_TERM_UNKNOWN;
    if (rule->objects_count == 0)
        return !unknown || eval->mode != LEX_MODE_PARANOID;
    return class != NULL && !unknown &&
           meets(eval->policy, LEX_KIND_DATA, class->term, lex_rule_objects(rule),
                 rule->objects_count);
}
