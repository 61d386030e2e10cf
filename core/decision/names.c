/* Names: from what the request says to terms of the policy, once, before any rule is looked at. */
#include <stdlib.h>

#include "core/decision/eval.h"

void lex_eval_warn(struct lex_eval *eval, struct lex_span warning)
{
    for (size_t i = 0; i < eval->warnings_count; i++)
        if (lex_span_eq(eval->warnings[i], warning))
            return;
    if (eval->warnings_count == LEX_DECISION_WARNINGS_MAX)
        eval->tally.cut++;
    else
        eval->warnings[eval->warnings_count++] = warning;
}

static void deny_name(struct lex_eval *eval, enum lex_reason code, const char *lead,
                      struct lex_span name)
{
    struct lex_sentence sentence;
    lex_sentence_init(&sentence);
    (void)lex_tally_lower(&eval->tally, LEX_OUTCOME_DENIED, code);
    lex_sentence_put(&sentence, lex_span_str(lead));
    lex_sentence_name(&sentence, name);
    lex_eval_reason(eval, &sentence);
}

static lex_term_id settle(struct lex_eval *eval, lex_term_id term, struct lex_span name)
{
    if (term != LEX_TERM_AMBIGUOUS)
        return term;
    deny_name(eval, LEX_REASON_AMBIGUOUS_TERM,
              "Denied: more than one term of the policy has the name ", name);
    return LEX_TERM_UNKNOWN;
}

static lex_term_id resolve(struct lex_eval *eval, enum lex_kind kind, struct lex_span name)
{
    return lex_span_absent(name) ? LEX_TERM_UNKNOWN
                                 : settle(eval, lex_policy_resolve(eval->policy, kind, name), name);
}

/* ---- the way to the rules, ahead of everything ---- */

static lex_term_id said(const struct lex_eval *eval, enum lex_kind kind, struct lex_span name)
{
    bool name_like = !lex_span_absent(name) && name.len <= LEX_NAME_MAX_BYTES;
    return name_like ? lex_policy_resolve(eval->policy, kind, name) : LEX_TERM_UNKNOWN;
}

enum { FAR_PAIRS = 1 << 12 }; /* the rules of fewer are near anyway */

/* Call `ask` for the pairs of the action with the actor and those above it that have rules. */
static void ask_for(const struct lex_eval *eval,
                    void (*ask)(const struct lex_policy *, lex_term_id, lex_term_id))
{
    const struct lex_terms *actors = &eval->policy->terms[LEX_KIND_ACTOR];
    if (eval->policy->pairs_capacity < FAR_PAIRS || eval->said_actor >= actors->count ||
        eval->said_action >= eval->policy->terms[LEX_KIND_ACTION].count)
        return;
    const struct lex_term *actor = &actors->items[eval->said_actor];
    uint64_t bit = lex_action_bit(eval->said_action);
    for (size_t i = 0; i < actor->ruled_count && i < LEX_RULED_MAX; i++)
        if ((actor->ruled[i].paired & bit) != 0)
            ask(eval->policy, actor->ruled[i].actor, eval->said_action);
}

void lex_eval_look_ahead(struct lex_eval *eval)
{
    eval->said_actor = said(eval, LEX_KIND_ACTOR, eval->request->actor);
    eval->said_action = said(eval, LEX_KIND_ACTION, eval->request->proposed_action);
    ask_for(eval, lex_policy_ask_pair);
}

void lex_eval_look_further(const struct lex_eval *eval)
{
    ask_for(eval, lex_policy_ask_rule);
}

/* ---- actors and actions ---- */

bool lex_eval_actor_is(const struct lex_eval *eval, lex_term_id term)
{
    for (size_t i = 0; i < eval->actors_up.count; i++)
        if (eval->actors_up.items[i] == term)
            return true;
    return false;
}

struct lex_span lex_eval_actor_key(const struct lex_eval *eval)
{
    return eval->actor == LEX_TERM_UNKNOWN
               ? eval->request->actor
               : lex_policy_term(eval->policy, LEX_KIND_ACTOR, eval->actor)->canonical;
}

static bool make_room(struct lex_eval *eval, size_t more)
{
    struct lex_term_list *up = &eval->actors_up;
    if (up->count + more <= up->capacity)
        return true;
    size_t capacity = 2 * (up->count + more);
    lex_term_id *items = lex_arena_alloc(eval->arena, capacity * sizeof *items);
    if (items == NULL) {
        eval->failed = true;
        return false;
    }
    memcpy(items, up->items, up->count * sizeof *items);
    up->items = items;
    up->capacity = capacity;
    return true;
}

/* A term and all above it: whatever is said of them is said of the requester. */
static void add_closure(struct lex_eval *eval, lex_term_id term)
{
    if (term == LEX_TERM_UNKNOWN)
        return;
    struct lex_term_list *up = &eval->actors_up;
    const struct lex_terms_above *above =
        &lex_policy_term(eval->policy, LEX_KIND_ACTOR, term)->above;
    eval->actor_known = true;
    if (!make_room(eval, above->count + 1))
        return;
    up->items[up->count++] = term;
    for (size_t i = 0; i < above->count; i++)
        up->items[up->count++] = above->items[i];
}

static int by_number(const void *a, const void *b)
{
    const lex_term_id *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void sort_unique(struct lex_term_list *list)
{
    size_t count = 0;
    qsort(list->items, list->count, sizeof *list->items, by_number);
    for (size_t i = 0; i < list->count; i++)
        if (count == 0 || list->items[count - 1] != list->items[i])
            list->items[count++] = list->items[i];
    list->count = count;
}

static void resolve_actors(struct lex_eval *eval)
{
    const struct lex_facts *facts = eval->input->facts;
    size_t roles = facts == NULL || !facts->identity ? 0 : facts->roles.count;
    eval->has_roles = roles != 0;
    eval->actors_up.count = 0;
    eval->actors_up.items = eval->actors_up.inside;
    eval->actors_up.capacity = LEX_EVAL_TERMS_INLINE;
    eval->actor = settle(eval, eval->said_actor, eval->request->actor);
    add_closure(eval, eval->actor);
    for (size_t i = 0; i < roles && !eval->failed; i++)
        add_closure(eval, resolve(eval, LEX_KIND_ACTOR, facts->roles.items[i]));
    if (roles != 0)
        sort_unique(&eval->actors_up); /* two closures may share terms */
}

static void resolve_actions(struct lex_eval *eval)
{
    lex_term_id action = settle(eval, eval->said_action, eval->request->proposed_action);
    lex_term_id tool = resolve(eval, LEX_KIND_ACTION, eval->request->tool);
    eval->actions[eval->actions_count++] = action;
    if (tool != LEX_TERM_UNKNOWN && tool != action)
        eval->actions[eval->actions_count++] = tool;
}

/* ---- data classes ---- */

static int by_name(const void *a, const void *b)
{
    const struct lex_class *x = a, *y = b;
    return lex_span_cmp(x->name, y->name);
}

static bool make_classes(struct lex_eval *eval, const struct lex_span_list *names)
{
    eval->classes = eval->classes_inside;
    if (names->count > LEX_EVAL_CLASSES_INLINE)
        eval->classes = lex_arena_alloc(eval->arena, names->count * sizeof *eval->classes);
    if (eval->classes == NULL) {
        eval->failed = true;
        return false;
    }
    for (size_t i = 0; i < names->count; i++)
        eval->classes[i] = (struct lex_class){names->items[i], LEX_TERM_UNKNOWN};
    if (names->count > 1)
        qsort(eval->classes, names->count, sizeof *eval->classes, by_name);
    return true;
}

static void resolve_classes(struct lex_eval *eval)
{
    const struct lex_span_list *names = &eval->request->data_classes;
    size_t count = 0;
    if (!make_classes(eval, names))
        return;
    for (size_t i = 0; i < names->count; i++) {
        struct lex_class class = eval->classes[i];
        if (count != 0 && lex_span_eq(eval->classes[count - 1].name, class.name))
            continue;
        class.term = resolve(eval, LEX_KIND_DATA, class.name);
        eval->unknown_classes += class.term == LEX_TERM_UNKNOWN;
        eval->classes[count++] = class;
    }
    eval->classes_count = count;
}

/* ---- unknown names ---- */

static void check_unknown(struct lex_eval *eval)
{
    const struct lex_options *options = &eval->policy->options;
    bool permissive = eval->mode == LEX_MODE_PERMISSIVE;
    bool action_known = eval->actions[0] != LEX_TERM_UNKNOWN;
    if (!eval->actor_known && !permissive && !options->open_world[LEX_KIND_ACTOR])
        deny_name(eval, LEX_REASON_UNKNOWN_ACTOR, "Denied: the policy knows no actor ",
                  eval->request->actor);
    else if (!action_known && !permissive && !options->open_world[LEX_KIND_ACTION])
        deny_name(eval, LEX_REASON_UNKNOWN_ACTION, "Denied: the policy knows no action ",
                  eval->request->proposed_action);
    else if (!eval->actor_known || !action_known)
        lex_eval_warn(eval, LEX_SPAN("UNKNOWN_NAME"));
    bool resource = eval->resource == LEX_TERM_UNKNOWN && !lex_span_absent(eval->request->resource);
    if (permissive && (eval->unknown_classes != 0 || resource))
        lex_eval_warn(eval, LEX_SPAN("UNKNOWN_NAME"));
}

void lex_eval_resolve(struct lex_eval *eval)
{
    resolve_actors(eval);
    resolve_actions(eval);
    eval->resource = resolve(eval, LEX_KIND_RESOURCE, eval->request->resource);
    resolve_classes(eval);
    if (!eval->failed && lex_tally_open(&eval->tally))
        check_unknown(eval);
}
