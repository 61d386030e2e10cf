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
    struct lex_sentence sentence = {.len = 0};
    (void)lex_tally_lower(&eval->tally, LEX_OUTCOME_DENIED, code);
    lex_sentence_put(&sentence, lex_span_str(lead));
    lex_sentence_name(&sentence, name);
    lex_eval_reason(eval, &sentence);
}

static lex_term_id resolve(struct lex_eval *eval, enum lex_kind kind, struct lex_span name)
{
    if (lex_span_absent(name))
        return LEX_TERM_UNKNOWN;
    lex_term_id term = lex_policy_resolve(eval->policy, kind, name);
    if (term == LEX_TERM_AMBIGUOUS)
        deny_name(eval, LEX_REASON_AMBIGUOUS_TERM,
                  "Denied: more than one term of the policy has the name ", name);
    return term;
}

/* ---- actors and actions ---- */

static int by_number(const void *a, const void *b)
{
    const lex_term_id *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void sort_unique(struct lex_term_list *list)
{
    size_t count = 0;
    if (list->count < 2)
        return;
    qsort(list->items, list->count, sizeof *list->items, by_number);
    for (size_t i = 0; i < list->count; i++)
        if (count == 0 || list->items[count - 1] != list->items[i])
            list->items[count++] = list->items[i];
    list->count = count;
}

static void resolve_actors(struct lex_eval *eval)
{
    const struct lex_facts *facts = eval->input->facts;
    size_t roles = facts == NULL ? 0 : facts->roles.count;
    eval->actor = resolve(eval, LEX_KIND_ACTOR, eval->request->actor);
    eval->actors.items = lex_arena_calloc(eval->arena, roles + 1, sizeof *eval->actors.items);
    if (eval->actors.items == NULL) {
        eval->failed = true;
        return;
    }
    if (eval->actor < eval->policy->terms[LEX_KIND_ACTOR].count)
        eval->actors.items[eval->actors.count++] = eval->actor;
    for (size_t i = 0; i < roles; i++) {
        lex_term_id role = resolve(eval, LEX_KIND_ACTOR, facts->roles.items[i]);
        if (role < eval->policy->terms[LEX_KIND_ACTOR].count)
            eval->actors.items[eval->actors.count++] = role;
    }
    sort_unique(&eval->actors);
    eval->actor_known = eval->actors.count != 0;
}

/* The actors and all above them, whose restrictions apply. */
static void close_actors(struct lex_eval *eval)
{
    const struct lex_policy *policy = eval->policy;
    struct lex_term_list *up = &eval->actors_up;
    size_t most = eval->actors.count;
    for (size_t i = 0; i < eval->actors.count; i++)
        most += lex_policy_term(policy, LEX_KIND_ACTOR, eval->actors.items[i])->above.count;
    up->items = lex_arena_calloc(eval->arena, most + 1, sizeof *up->items);
    if (up->items == NULL) {
        eval->failed = true;
        return;
    }
    for (size_t i = 0; i < eval->actors.count; i++) {
        lex_term_id actor = eval->actors.items[i];
        const struct lex_terms_above *above =
            &lex_policy_term(policy, LEX_KIND_ACTOR, actor)->above;
        up->items[up->count++] = actor;
        for (size_t j = 0; j < above->count; j++)
            up->items[up->count++] = above->items[j];
    }
    sort_unique(up);
}

static void resolve_actions(struct lex_eval *eval)
{
    lex_term_id action = resolve(eval, LEX_KIND_ACTION, eval->request->proposed_action);
    lex_term_id tool = resolve(eval, LEX_KIND_ACTION, eval->request->tool);
    eval->actions[eval->actions_count++] = action;
    if (tool < eval->policy->terms[LEX_KIND_ACTION].count && tool != action)
        eval->actions[eval->actions_count++] = tool;
}

/* ---- data classes ---- */

static int by_name(const void *a, const void *b)
{
    const struct lex_class *x = a, *y = b;
    return lex_span_cmp(x->name, y->name);
}

static void resolve_classes(struct lex_eval *eval)
{
    const struct lex_span_list *names = &eval->request->data_classes;
    size_t count = 0;
    eval->classes = lex_arena_calloc(eval->arena, names->count, sizeof *eval->classes);
    if (eval->classes == NULL) {
        eval->failed = true;
        return;
    }
    for (size_t i = 0; i < names->count; i++)
        eval->classes[i].name = names->items[i];
    if (names->count > 1)
        qsort(eval->classes, names->count, sizeof *eval->classes, by_name);
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
    if (eval->failed || !lex_tally_open(&eval->tally))
        return;
    close_actors(eval);
    check_unknown(eval);
}
