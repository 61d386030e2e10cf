/* Duties: what must not come together (policy.md section 9).
 *
 * Two roles in one identity and two classes in one request are seen from the request alone. Two
 * actions by one actor are seen from the partition's history: approved decisions within the window,
 * in one resource or anywhere. What the history cannot say is not taken for a no: it escalates. */
#include <stdlib.h>

#include "core/decision/eval.h"

static void say_conflict(struct lex_eval *eval, const struct lex_conflict *conflict,
                         const char *lead)
{
    struct lex_sentence sentence;
    lex_sentence_init(&sentence);
    lex_tally_rule(&eval->tally, conflict->id);
    lex_sentence_put(&sentence, lex_span_str(lead));
    lex_sentence_name(&sentence,
                      lex_policy_term(eval->policy, conflict->kind, conflict->a)->canonical);
    lex_sentence_put(&sentence, LEX_SPAN(" and "));
    lex_sentence_name(&sentence,
                      lex_policy_term(eval->policy, conflict->kind, conflict->b)->canonical);
    lex_eval_reason(eval, &sentence);
}

static void deny(struct lex_eval *eval, const struct lex_conflict *conflict, enum lex_reason code,
                 const char *lead)
{
    if (lex_tally_lower(&eval->tally, LEX_OUTCOME_DENIED, code))
        say_conflict(eval, conflict, lead);
}

/* ---- roles and classes ---- */

static bool classes_hold(const struct lex_eval *eval, lex_term_id term)
{
    for (size_t i = 0; i < eval->classes_count; i++)
        if (lex_policy_is_a(eval->policy, LEX_KIND_DATA, eval->classes[i].term, term))
            return true;
    return false;
}

/* An unknown class may be any, one side each: no single term may be both. */
static bool classes_conflict(const struct lex_eval *eval, const struct lex_conflict *conflict)
{
    size_t sides = eval->unknown_classes;
    sides += classes_hold(eval, conflict->a);
    sides += classes_hold(eval, conflict->b);
    return sides >= 2;
}

/* ---- actions ---- */

void lex_duty_key(struct lex_span actor, const struct lex_term *action,
                  struct lex_history_key *ret_key)
{
    struct lex_span parts[] = {actor, action->canonical};
    lex_history_key(LEX_HISTORY_DUTY, parts, LEX_COUNT_OF(parts), ret_key);
}

/* 62 bits of a hash of the name, 2 of how: FNV-1a would do for honest names, the history's own key
 * is used because names come from requests. */
uint64_t lex_duty_tag(struct lex_span resource, unsigned how)
{
    struct lex_history_key key;
    uint64_t hash;
    lex_history_key(LEX_HISTORY_DUTY, &resource, 1, &key);
    memcpy(&hash, key.bytes, sizeof hash);
    return (hash & ~(uint64_t)3) | how;
}

/* Whether the duty was done at the request's own resource: NO, YES, or MAYBE where either names
 * none or one that the policy does not know, and another. */
static enum lex_match same_place(const struct lex_eval *eval, uint64_t tag)
{
    struct lex_span name = eval->request->resource;
    unsigned how = (unsigned)(tag & 3);
    uint64_t place = tag & ~(uint64_t)3;
    if (how == LEX_DUTY_NOWHERE || lex_span_absent(name))
        return how == LEX_DUTY_ABOVE ? LEX_MATCH_NO : LEX_MATCH_MAYBE;
    if (eval->resource == LEX_TERM_UNKNOWN || how == LEX_DUTY_UNKNOWN)
        return how == LEX_DUTY_ABOVE            ? LEX_MATCH_NO
               : place == lex_duty_tag(name, 0) ? LEX_MATCH_YES
                                                : LEX_MATCH_MAYBE;
    const struct lex_term *term = lex_policy_term(eval->policy, LEX_KIND_RESOURCE, eval->resource);
    if (place == lex_duty_tag(term->canonical, 0))
        return LEX_MATCH_YES;
    for (size_t i = 0; how == LEX_DUTY_ITSELF && i < term->above.count; i++)
        if (place ==
            lex_duty_tag(
                lex_policy_term(eval->policy, LEX_KIND_RESOURCE, term->above.items[i])->canonical,
                0))
            return LEX_MATCH_YES;
    return LEX_MATCH_NO;
}

static enum lex_match remembered(const struct lex_eval *eval, const struct lex_conflict *conflict,
                                 lex_term_id other)
{
    const struct lex_history *history = eval->input->history;
    const struct lex_history_item *item;
    struct lex_history_key key;
    enum lex_match found = LEX_MATCH_NO;
    uint64_t cursor = 0;
    int64_t since = eval->input->now_us - (int64_t)conflict->window_s * 1000000;
    if (history == NULL)
        return LEX_MATCH_MAYBE;
    lex_duty_key(lex_eval_actor_key(eval), lex_policy_term(eval->policy, LEX_KIND_ACTION, other),
                 &key);
    while ((item = lex_history_next(history, &key, since, &cursor)) != NULL) {
        enum lex_match place =
            conflict->scope == LEX_SCOPE_GLOBAL ? LEX_MATCH_YES : same_place(eval, item->tag);
        found = place > found ? place : found;
    }
    return found == LEX_MATCH_NO && !lex_history_complete(history, since) ? LEX_MATCH_MAYBE : found;
}

/* Both sides in one call: the action or its tool entails the other one too. */
static bool done_at_once(const struct lex_eval *eval, lex_term_id other)
{
    for (size_t i = 0; i < eval->actions_count; i++)
        if (lex_policy_is_a(eval->policy, LEX_KIND_ACTION, eval->actions[i], other))
            return true;
    return false;
}

static enum lex_match recorded(struct lex_eval *eval, struct lex_span name)
{
    const struct lex_fact *fact = lex_recorded(eval->input, name);
    if (fact == NULL)
        return LEX_MATCH_MAYBE;
    return lex_span_eq(fact->value, LEX_SPAN("true")) ? LEX_MATCH_YES : LEX_MATCH_NO;
}

/* Whether the actor did the other duty: looked up, and noted where it is known. */
static enum lex_match did_other(struct lex_eval *eval, const struct lex_conflict *conflict,
                                lex_term_id other)
{
    if (conflict->scope == LEX_SCOPE_SESSION)
        return LEX_MATCH_MAYBE; /* a request names no session */
    if (done_at_once(eval, other))
        return LEX_MATCH_YES;
    bool second = other == conflict->a;
    struct lex_span name = lex_arena_printf(eval->arena, "#duty.%c.%.*s", second ? 'a' : 'b',
                                            LEX_SPAN_FMT(conflict->id));
    if (lex_span_absent(name)) {
        eval->failed = true;
        return LEX_MATCH_MAYBE;
    }
    enum lex_match found =
        eval->input->recorded != NULL ? recorded(eval, name) : remembered(eval, conflict, other);
    for (size_t i = 0; i < eval->duties_count; i++)
        if (lex_span_eq(eval->duties[i].name, name)) {
            /* the same conflict for the tool, or another of the same id, which one name cannot tell
             */
            eval->reads_cut = eval->reads_cut || eval->duties[i].of != conflict;
            return found;
        }
    struct lex_read read = {.name = name, .provenance = LEX_PROVENANCE_SERVER, .of = conflict};
    read.json = found == LEX_MATCH_YES ? LEX_SPAN("true") : LEX_SPAN("false");
    if (found == LEX_MATCH_MAYBE)
        return found;
    if (eval->duties_count == LEX_DECISION_FACTS_MAX)
        eval->reads_cut = true;
    else
        eval->duties[eval->duties_count++] = read;
    return found;
}

static void check_duty(struct lex_eval *eval, const struct lex_conflict *conflict,
                       lex_term_id other)
{
    enum lex_match did = did_other(eval, conflict, other);
    if (did == LEX_MATCH_YES)
        deny(eval, conflict, LEX_REASON_SOD_CONFLICT, "Denied: one actor must not do both of ");
    if (did != LEX_MATCH_MAYBE || lex_eval_approved_by_default(eval, 1))
        return;
    lex_oblige_approval(eval, conflict->id, 1, LEX_SPAN("separation_of_duties"),
                        (struct lex_span){NULL, 0});
    if (lex_tally_lower(&eval->tally, LEX_OUTCOME_ESCALATED, LEX_REASON_SOD_STATE_UNAVAILABLE))
        say_conflict(eval, conflict,
                     "Escalated: it is not known who did the other of two duties that conflict: ");
}

/* ---- the step ---- */

static bool action_is(const struct lex_eval *eval, lex_term_id term)
{
    return lex_policy_is_a(eval->policy, LEX_KIND_ACTION, eval->action, term);
}

static void check(struct lex_eval *eval, const struct lex_conflict *conflict)
{
    switch (conflict->kind) {
    case LEX_KIND_ACTOR:
        if (lex_eval_actor_is(eval, conflict->a) && lex_eval_actor_is(eval, conflict->b))
            deny(eval, conflict, LEX_REASON_SOD_CONFLICT,
                 "Denied: one identity holds two roles that conflict: ");
        break;
    case LEX_KIND_DATA:
        if (classes_conflict(eval, conflict))
            deny(eval, conflict, LEX_REASON_COMBINATION_CONFLICT,
                 "Denied: data classes that must not meet: ");
        break;
    default:
        if (action_is(eval, conflict->a))
            check_duty(eval, conflict, conflict->b);
        if (action_is(eval, conflict->b))
            check_duty(eval, conflict, conflict->a);
        break;
    }
}

/* Numbers of the conflicts that some term of the request is a side of. */
struct candidates {
    uint32_t *items;
    size_t count, capacity;
};

static void add_term(struct lex_eval *eval, struct candidates *found, enum lex_kind kind,
                     lex_term_id term)
{
    const struct lex_conflict_ref *refs;
    if (!lex_policy_term(eval->policy, kind, term)->conflicted)
        return;
    size_t count = lex_policy_conflicts(eval->policy, kind, term, &refs);
    if (found->count + count > found->capacity) {
        size_t capacity = 2 * (found->count + count);
        uint32_t *items = lex_arena_alloc(eval->arena, capacity * sizeof *items);
        if (items == NULL) {
            eval->failed = true;
            return;
        }
        if (found->count != 0)
            memcpy(items, found->items, found->count * sizeof *items);
        found->items = items;
        found->capacity = capacity;
    }
    for (size_t i = 0; i < count; i++)
        found->items[found->count++] = refs[i].number;
}

static void add_classes(struct lex_eval *eval, struct candidates *found)
{
    for (size_t i = 0; i < eval->classes_count; i++) {
        if (eval->classes[i].term == LEX_TERM_UNKNOWN)
            continue;
        const struct lex_terms_above *above =
            &lex_policy_term(eval->policy, LEX_KIND_DATA, eval->classes[i].term)->above;
        add_term(eval, found, LEX_KIND_DATA, eval->classes[i].term);
        for (size_t j = 0; j < above->count; j++)
            add_term(eval, found, LEX_KIND_DATA, above->items[j]);
    }
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* In the documents' order, each once. With two unknown classes any pair may have met. */
void lex_step_conflicts(struct lex_eval *eval)
{
    const struct lex_policy *policy = eval->policy;
    struct candidates found = {NULL, 0, 0};
    if (policy->conflicts_count == 0)
        return;
    if (eval->unknown_classes >= 2) {
        for (size_t i = 0; i < policy->conflicts_count && lex_tally_open(&eval->tally); i++)
            check(eval, &policy->conflicts[i]);
        return;
    }
    for (size_t i = 0; i < eval->actors_up.count; i++)
        add_term(eval, &found, LEX_KIND_ACTOR, eval->actors_up.items[i]);
    for (size_t i = 0; i < eval->actions_above; i++)
        add_term(eval, &found, LEX_KIND_ACTION, eval->actions_up.items[i]);
    add_classes(eval, &found);
    if (found.count > 1)
        qsort(found.items, found.count, sizeof *found.items, by_number);
    for (size_t i = 0; i < found.count && lex_tally_open(&eval->tally); i++)
        if (i == 0 || found.items[i] != found.items[i - 1])
            check(eval, &policy->conflicts[found.items[i]]);
}
