/* Evaluate: the steps of policy.md section 7, from forbids to the risk gate.
 *
 * Matching is three-valued. A restriction that cannot be excluded (NO) is in force; a permit counts
 * only where everything about it is YES. The hierarchy widens restrictions and never permits. */
#include <stdlib.h>

#include "core/decision/eval.h"

enum match { NO, MAYBE, YES };

struct refs {
    const uint32_t *items;
    size_t count;
};

/* ---- which rules name this request ---- */

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Walk the groups of (actor or any) x (action or any): without `out` count them, with it copy. */
static size_t gather(const struct lex_policy *policy, enum lex_verb verb,
                     const struct lex_term_list *actors, const struct lex_term_list *actions,
                     uint32_t *out, struct refs *ret_last)
{
    size_t total = 0;
    for (size_t i = 0; i <= actors->count; i++)
        for (size_t j = 0; j <= actions->count; j++) {
            struct lex_rule_refs group =
                lex_policy_rules(policy, verb, i < actors->count ? actors->items[i] : LEX_TERM_ANY,
                                 j < actions->count ? actions->items[j] : LEX_TERM_ANY);
            if (group.count == 0)
                continue;
            if (out != NULL)
                memcpy(out + total, group.items, group.count * sizeof *out);
            *ret_last = (struct refs){group.items, group.count};
            total += group.count;
        }
    return total;
}

/* The rules of a verb that name these actors and actions, in the policy's order. Groups share no
 * rule, so only their order has to be mended. */
static struct refs collect(struct lex_eval *eval, enum lex_verb verb,
                           const struct lex_term_list *actors, const struct lex_term_list *actions)
{
    struct refs last = {NULL, 0};
    size_t total = gather(eval->policy, verb, actors, actions, NULL, &last);
    if (total == last.count)
        return last;
    uint32_t *items = lex_arena_calloc(eval->arena, total, sizeof *items);
    if (items == NULL) {
        eval->failed = true;
        return (struct refs){NULL, 0};
    }
    (void)gather(eval->policy, verb, actors, actions, items, &last);
    qsort(items, total, sizeof *items, by_number);
    return (struct refs){items, total};
}

/* ---- objects and resources of restrictions ---- */

static bool meets(const struct lex_policy *policy, enum lex_kind kind, lex_term_id id,
                  const lex_term_id *targets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (lex_policy_is_a(policy, kind, id, targets[i]))
            return true;
    return false;
}

static enum match match_object(const struct lex_eval *eval, const struct lex_rule *rule)
{
    if (rule->objects_count == 0)
        return YES;
    for (size_t i = 0; i < eval->classes_count; i++)
        if (meets(eval->policy, LEX_KIND_DATA, eval->classes[i].term, rule->objects,
                  rule->objects_count))
            return YES;
    if (eval->classes_count == 0)
        return eval->policy->options.undeclared_is_none ? NO : MAYBE;
    return eval->unknown_classes != 0 ? MAYBE : NO;
}

static enum match match_resource(const struct lex_eval *eval, const struct lex_rule *rule)
{
    if (rule->resources_count == 0)
        return YES;
    if (eval->resource == LEX_TERM_UNKNOWN)
        return MAYBE;
    return meets(eval->policy, LEX_KIND_RESOURCE, eval->resource, rule->resources,
                 rule->resources_count)
               ? YES
               : NO;
}

/* ---- forbids ---- */

static enum match match_forbid(const struct lex_eval *eval, const struct lex_rule *rule)
{
    enum match object = match_object(eval, rule), resource = match_resource(eval, rule);
    if (object == NO || resource == NO)
        return NO;
    return object == YES && resource == YES && rule->conditions_count == 0 ? YES : MAYBE;
}

static enum lex_reason code_of_forbid(const struct lex_eval *eval, const struct lex_rule *rule)
{
    if (match_forbid(eval, rule) == YES)
        return LEX_REASON_FORBIDDEN;
    if (match_object(eval, rule) != MAYBE)
        return LEX_REASON_FORBID_NOT_EXCLUDED;
    return eval->classes_count == 0 ? LEX_REASON_DATA_CLASS_UNDECLARED
                                    : LEX_REASON_UNKNOWN_DATA_CLASS;
}

static void deny_forbidden(struct lex_eval *eval, const struct lex_rule *const *rules, size_t count)
{
    struct lex_sentence sentence = {.len = 0};
    (void)lex_tally_lower(&eval->tally, LEX_OUTCOME_DENIED, code_of_forbid(eval, rules[0]));
    for (size_t i = 0; i < count; i++)
        lex_tally_rule(&eval->tally, rules[i]->id);
    lex_sentence_rules(&sentence, "Denied: ", rules, count, "Denied by ", " prohibition(s)");
    lex_eval_reason(eval, &sentence);
}

static void step_forbids(struct lex_eval *eval, const struct lex_term_list *actions)
{
    struct refs refs = collect(eval, LEX_VERB_FORBIDS, &eval->actors_up, actions);
    const struct lex_rule **rules =
        lex_arena_calloc(eval->arena, refs.count, sizeof(const struct lex_rule *));
    size_t count = 0;
    if (rules == NULL) {
        eval->failed = true;
        return;
    }
    for (enum match wanted = YES; wanted != NO; wanted--) /* true ones first */
        for (size_t i = 0; i < refs.count; i++)
            if (match_forbid(eval, &eval->policy->rules[refs.items[i]]) == wanted)
                rules[count++] = &eval->policy->rules[refs.items[i]];
    if (count != 0)
        deny_forbidden(eval, rules, count);
}

/* ---- conflicts ---- */

static void say_conflict(struct lex_eval *eval, const struct lex_conflict *conflict,
                         const char *lead)
{
    struct lex_sentence sentence = {.len = 0};
    lex_tally_rule(&eval->tally, conflict->id);
    lex_sentence_put(&sentence, lex_span_str(lead));
    lex_sentence_name(&sentence,
                      lex_policy_term(eval->policy, conflict->kind, conflict->a)->canonical);
    lex_sentence_put(&sentence, LEX_SPAN(" and "));
    lex_sentence_name(&sentence,
                      lex_policy_term(eval->policy, conflict->kind, conflict->b)->canonical);
    lex_eval_reason(eval, &sentence);
}

static bool actor_is(const struct lex_eval *eval, lex_term_id term)
{
    for (size_t i = 0; i < eval->actors_up.count; i++)
        if (eval->actors_up.items[i] == term)
            return true;
    return false;
}

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

static void deny_conflict(struct lex_eval *eval, const struct lex_conflict *conflict)
{
    if (conflict->kind == LEX_KIND_ACTOR && actor_is(eval, conflict->a) &&
        actor_is(eval, conflict->b)) {
        (void)lex_tally_lower(&eval->tally, LEX_OUTCOME_DENIED, LEX_REASON_SOD_CONFLICT);
        say_conflict(eval, conflict, "Denied: one identity holds two roles that conflict: ");
    } else if (conflict->kind == LEX_KIND_DATA && classes_conflict(eval, conflict)) {
        (void)lex_tally_lower(&eval->tally, LEX_OUTCOME_DENIED, LEX_REASON_COMBINATION_CONFLICT);
        say_conflict(eval, conflict, "Denied: data classes that must not meet: ");
    }
}

static void check_term(struct lex_eval *eval, enum lex_kind kind, lex_term_id term)
{
    struct lex_rule_refs refs = lex_policy_rules(eval->policy, LEX_VERB_CONFLICTS, kind, term);
    for (size_t i = 0; i < refs.count; i++)
        deny_conflict(eval, &eval->policy->conflicts[refs.items[i]]);
}

static void step_static_conflicts(struct lex_eval *eval)
{
    const struct lex_policy *policy = eval->policy;
    if (policy->conflicts_count == 0)
        return;
    for (size_t i = 0; i < eval->actors_up.count; i++)
        check_term(eval, LEX_KIND_ACTOR, eval->actors_up.items[i]);
    for (size_t i = 0; i < eval->classes_count; i++) {
        lex_term_id class = eval->classes[i].term;
        if (class == LEX_TERM_UNKNOWN)
            continue;
        const struct lex_terms_above *above = &lex_policy_term(policy, LEX_KIND_DATA, class)->above;
        check_term(eval, LEX_KIND_DATA, class);
        for (size_t j = 0; j < above->count; j++)
            check_term(eval, LEX_KIND_DATA, above->items[j]);
    }
    for (size_t i = 0; eval->unknown_classes >= 2 && i < policy->conflicts_count; i++)
        deny_conflict(eval, &policy->conflicts[i]);
}

/* What was done before is not known here, so a conflict between actions can never be excluded. */
static void step_action_conflicts(struct lex_eval *eval, const struct lex_term_list *actions)
{
    for (size_t i = 0; i < actions->count; i++) {
        struct lex_rule_refs refs =
            lex_policy_rules(eval->policy, LEX_VERB_CONFLICTS, LEX_KIND_ACTION, actions->items[i]);
        for (size_t j = 0; j < refs.count; j++) {
            const struct lex_conflict *conflict = &eval->policy->conflicts[refs.items[j]];
            lex_oblige_approval(eval, conflict->id, 1, LEX_SPAN("separation_of_duties"),
                                (struct lex_span){NULL, 0});
            if (lex_tally_lower(&eval->tally, LEX_OUTCOME_ESCALATED,
                                LEX_REASON_SOD_STATE_UNAVAILABLE))
                say_conflict(eval, conflict,
                             "Escalated: it is not known who did the other of two duties that "
                             "conflict: ");
        }
    }
}

/* ---- base permission ---- */

struct permit {
    const struct lex_rule *rule;
    struct lex_judgement judgement;
    bool covers_something;
};

struct permits {
    struct permit *items;
    size_t count;
};

/* The best permit of one class, and the bound it gives. */
struct cover {
    struct permit *permit; /* NULL: none covers it */
    enum lex_outcome bound;
    enum lex_reason code;
};

static bool has_term(const lex_term_id *terms, uint32_t count, lex_term_id term)
{
    for (uint32_t i = 0; i < count; i++)
        if (terms[i] == term)
            return true;
    return false;
}

static struct permits find_permits(struct lex_eval *eval, lex_term_id action)
{
    struct lex_term_list actions = {&action, action == LEX_TERM_UNKNOWN ? 0 : 1};
    struct refs refs = collect(eval, LEX_VERB_PERMITS, &eval->actors, &actions);
    struct permits permits = {lex_arena_calloc(eval->arena, refs.count, sizeof *permits.items), 0};
    if (permits.items == NULL) {
        eval->failed = true;
        return permits;
    }
    for (size_t i = 0; i < refs.count; i++) {
        const struct lex_rule *rule = &eval->policy->rules[refs.items[i]];
        if (rule->resources_count != 0 &&
            !has_term(rule->resources, rule->resources_count, eval->resource))
            continue;
        permits.items[permits.count++] =
            (struct permit){rule, lex_judge(eval, rule->conditions, rule->conditions_count), false};
    }
    return permits;
}

/* `class` is NULL for a request that declares none: that needs a permit without object. */
static bool covers(const struct lex_eval *eval, const struct lex_rule *rule,
                   const struct lex_class *class)
{
    if (rule->objects_count == 0)
        return class == NULL || class->term != LEX_TERM_UNKNOWN || eval->mode != LEX_MODE_PARANOID;
    return class != NULL && class->term != LEX_TERM_UNKNOWN &&
           has_term(rule->objects, rule->objects_count, class->term);
}

/* Why nothing covers it: in an open world an unknown name is the likelier cause. */
static enum lex_reason code_uncovered(const struct lex_eval *eval, const struct lex_class *class,
                                      lex_term_id action)
{
    if (class != NULL && class->term == LEX_TERM_UNKNOWN)
        return LEX_REASON_UNKNOWN_DATA_CLASS;
    if (!eval->actor_known)
        return LEX_REASON_UNKNOWN_ACTOR;
    return action == LEX_TERM_UNKNOWN ? LEX_REASON_UNKNOWN_ACTION : LEX_REASON_NOT_PERMITTED;
}

static struct cover cover_class(const struct lex_eval *eval, const struct permits *permits,
                                const struct lex_class *class, lex_term_id action)
{
    struct cover best = {NULL, LEX_OUTCOME_DENIED, code_uncovered(eval, class, action)};
    for (size_t i = 0; i < permits->count; i++) {
        struct permit *permit = &permits->items[i];
        if (!covers(eval, permit->rule, class))
            continue;
        permit->covers_something = true;
        if (best.permit == NULL || permit->judgement.bound > best.bound)
            best = (struct cover){permit, permit->judgement.bound, permit->judgement.code};
    }
    return best;
}

static void approve(struct lex_eval *eval, const struct permits *permits)
{
    const struct lex_rule **rules =
        lex_arena_calloc(eval->arena, permits->count, sizeof(const struct lex_rule *));
    struct lex_sentence sentence = {.len = 0};
    size_t count = 0;
    if (rules == NULL) {
        eval->failed = true;
        return;
    }
    if (!lex_tally_lower(&eval->tally, LEX_OUTCOME_APPROVED, LEX_REASON_PERMITTED))
        return;
    for (size_t i = 0; i < permits->count; i++)
        if (permits->items[i].covers_something &&
            permits->items[i].judgement.bound == LEX_OUTCOME_APPROVED)
            rules[count++] = permits->items[i].rule;
    for (size_t i = 0; i < count; i++)
        lex_tally_rule(&eval->tally, rules[i]->id);
    lex_sentence_rules(&sentence, "Permitted: ", rules, count, "Permitted by ",
                       " rule(s), no conflicts");
    lex_eval_reason(eval, &sentence);
}

static void approve_by_default(struct lex_eval *eval)
{
    struct lex_sentence sentence = {.len = 0};
    if (!lex_tally_lower(&eval->tally, LEX_OUTCOME_APPROVED, LEX_REASON_DEFAULT_PERMIT))
        return;
    lex_sentence_put(&sentence,
                     LEX_SPAN("Permitted by default: permissive mode, nothing forbids it"));
    lex_eval_reason(eval, &sentence);
}

static void say_uncovered(struct lex_sentence *sentence, enum lex_reason code,
                          const struct lex_eval *eval, const struct lex_class *class)
{
    switch (code) {
    case LEX_REASON_UNKNOWN_DATA_CLASS:
        lex_sentence_put(sentence, LEX_SPAN("Denied: the policy knows no data class "));
        lex_sentence_name(sentence, class->name);
        break;
    case LEX_REASON_UNKNOWN_ACTOR:
        lex_sentence_put(sentence, LEX_SPAN("Denied: the policy knows no actor "));
        lex_sentence_name(sentence, eval->request->actor);
        break;
    case LEX_REASON_UNKNOWN_ACTION:
        lex_sentence_put(sentence, LEX_SPAN("Denied: the policy knows no action "));
        lex_sentence_name(sentence, eval->request->proposed_action);
        break;
    default: lex_sentence_put(sentence, LEX_SPAN("Action not explicitly permitted")); break;
    }
}

static const char *lead_of(enum lex_outcome outcome)
{
    switch (outcome) {
    case LEX_OUTCOME_ESCALATED: return "Escalated: an approval is needed: ";
    case LEX_OUTCOME_CONDITIONAL: return "Conditional: to be verified: ";
    default: return "Denied: a condition does not hold: ";
    }
}

/* "<lead><condition>, for <rule>": what stands between the request and an approval. */
static void say_judgement(struct lex_eval *eval, const struct lex_rule *rule,
                          const struct lex_judgement *judgement)
{
    struct lex_sentence sentence = {.len = 0};
    bool possible =
        judgement->bound == LEX_OUTCOME_DENIED && judgement->code == LEX_REASON_NOT_PERMITTED;
    lex_sentence_put(&sentence, possible ? LEX_SPAN("Denied: a condition is not established: ")
                                         : lex_span_str(lead_of(judgement->bound)));
    lex_sentence_put(&sentence, judgement->condition->text);
    lex_sentence_put(&sentence, LEX_SPAN(", by "));
    lex_sentence_name(&sentence, rule->id);
    lex_eval_reason(eval, &sentence);
}

/* One class's bound below approved. */
static void lower_class(struct lex_eval *eval, const struct cover *cover,
                        const struct lex_class *class)
{
    struct lex_sentence sentence = {.len = 0};
    if (cover->permit != NULL && cover->bound != LEX_OUTCOME_DENIED)
        lex_oblige_conditions(eval, cover->permit->rule);
    if (!lex_tally_lower(&eval->tally, cover->bound, cover->code))
        return;
    if (cover->permit != NULL) {
        lex_tally_rule(&eval->tally, cover->permit->rule->id);
        say_judgement(eval, cover->permit->rule, &cover->permit->judgement);
        return;
    }
    say_uncovered(&sentence, cover->code, eval, class);
    lex_eval_reason(eval, &sentence);
}

static void step_permission(struct lex_eval *eval, lex_term_id action)
{
    struct permits permits = find_permits(eval, action);
    size_t classes = eval->classes_count == 0 ? 1 : eval->classes_count;
    bool whole = true;
    for (size_t i = 0; i < classes; i++) {
        const struct lex_class *class = eval->classes_count == 0 ? NULL : &eval->classes[i];
        struct cover cover = cover_class(eval, &permits, class, action);
        if (cover.bound == LEX_OUTCOME_APPROVED)
            continue;
        whole = false;
        if (eval->mode != LEX_MODE_PERMISSIVE)
            lower_class(eval, &cover, class);
    }
    if (whole)
        approve(eval, &permits);
    else if (eval->mode == LEX_MODE_PERMISSIVE)
        approve_by_default(eval);
}

/* ---- requires ---- */

static void require(struct lex_eval *eval, const struct lex_rule *rule)
{
    struct lex_judgement judgement = lex_judge(eval, rule->conditions, rule->conditions_count);
    bool paranoid = eval->mode == LEX_MODE_PARANOID;
    enum lex_outcome bound = judgement.bound;
    enum lex_reason code = judgement.code;
    if (bound == LEX_OUTCOME_DENIED && code != LEX_REASON_OUTSIDE_TIME_WINDOW)
        code = LEX_REASON_REQUIREMENT_NOT_MET;
    if (bound != LEX_OUTCOME_DENIED)
        lex_oblige_conditions(eval, rule);
    if (bound == LEX_OUTCOME_CONDITIONAL && paranoid) {
        bound = LEX_OUTCOME_ESCALATED;
        lex_oblige_approval(eval, rule->id, 1, judgement.condition->text,
                            (struct lex_span){NULL, 0});
    }
    if (!lex_tally_lower(&eval->tally, bound, code))
        return;
    lex_tally_rule(&eval->tally, rule->id);
    say_judgement(eval, rule, &judgement);
}

static void step_requires(struct lex_eval *eval, const struct lex_term_list *actions)
{
    struct refs refs = collect(eval, LEX_VERB_REQUIRES, &eval->actors_up, actions);
    for (size_t i = 0; i < refs.count && lex_tally_open(&eval->tally); i++) {
        const struct lex_rule *rule = &eval->policy->rules[refs.items[i]];
        if (match_object(eval, rule) != NO && match_resource(eval, rule) != NO)
            require(eval, rule);
    }
}

/* ---- constraints, risk gate ---- */

static const struct {
    enum lex_outcome bound;
    enum lex_reason code;
    const char *lead;
} effects[] = {
    [LEX_EFFECT_DENY] = {LEX_OUTCOME_DENIED, LEX_REASON_CONSTRAINT_DENIED, "Denied: "},
    [LEX_EFFECT_THROTTLE] = {LEX_OUTCOME_DENIED, LEX_REASON_RATE_LIMITED, "Denied: "},
    [LEX_EFFECT_ESCALATE] = {LEX_OUTCOME_ESCALATED, LEX_REASON_CONSTRAINT_ESCALATED, "Escalated: "},
    [LEX_EFFECT_OBLIGE] = {LEX_OUTCOME_CONDITIONAL, LEX_REASON_CONSTRAINT_OBLIGATION,
                           "Conditional: "},
    [LEX_EFFECT_ADVICE] = {LEX_OUTCOME_APPROVED, LEX_REASON_PERMITTED, ""},
};

static void oblige_constraint(struct lex_eval *eval, const struct lex_constraint *constraint)
{
    struct lex_obligation obligation = {
        .type = LEX_OBLIGATION_TYPE_ADVICE, .rule = constraint->id, .action = constraint->verb};
    if (constraint->effect == LEX_EFFECT_ESCALATE)
        lex_oblige_approval(eval, constraint->id, constraint->quorum, (struct lex_span){NULL, 0},
                            constraint->verb);
    if (constraint->effect == LEX_EFFECT_OBLIGE) {
        obligation.type = LEX_OBLIGATION_TYPE_VERIFY;
        obligation.condition =
            lex_arena_printf(eval->arena, "done.%.*s", LEX_SPAN_FMT(constraint->name));
        eval->failed = eval->failed || lex_span_absent(obligation.condition);
    }
    if (constraint->effect == LEX_EFFECT_OBLIGE || constraint->effect == LEX_EFFECT_ADVICE)
        lex_tally_oblige(&eval->tally, &obligation);
}

/* No trigger is evaluated here, so none can be excluded: every constraint counts as triggered. */
static void constrain(struct lex_eval *eval, const struct lex_constraint *constraint)
{
    struct lex_sentence sentence = {.len = 0};
    struct lex_span text =
        lex_span_absent(constraint->justification) ? constraint->name : constraint->justification;
    oblige_constraint(eval, constraint);
    if (constraint->effect == LEX_EFFECT_ADVICE ||
        !lex_tally_lower(&eval->tally, effects[constraint->effect].bound,
                         effects[constraint->effect].code))
        return;
    lex_tally_rule(&eval->tally, constraint->id);
    lex_sentence_put(&sentence, lex_span_str(effects[constraint->effect].lead));
    lex_sentence_put(&sentence, text);
    lex_eval_reason(eval, &sentence);
}

static void step_constraints(struct lex_eval *eval)
{
    for (size_t i = 0; i < eval->policy->constraints_count && lex_tally_open(&eval->tally); i++)
        constrain(eval, &eval->policy->constraints[i]);
}

static void step_risk(struct lex_eval *eval)
{
    static const int32_t gate = 80;
    struct lex_sentence sentence = {.len = 0};
    if (eval->mode != LEX_MODE_PARANOID || eval->risk_score < gate)
        return;
    lex_oblige_approval(eval, (struct lex_span){NULL, 0}, 1, LEX_SPAN("risk_score >= 80"),
                        eval->request->proposed_action);
    if (!lex_tally_lower(&eval->tally, LEX_OUTCOME_ESCALATED,
                         LEX_REASON_HUMAN_CONFIRMATION_REQUIRED))
        return;
    lex_sentence_put(&sentence, LEX_SPAN("Escalated: the risk score is 80 or more, and the mode is "
                                         "paranoid"));
    lex_eval_reason(eval, &sentence);
}

/* ---- the order ---- */

static void evaluate_action(struct lex_eval *eval, lex_term_id action, bool first)
{
    struct lex_term_list up = {NULL, 0};
    if (action != LEX_TERM_UNKNOWN) {
        const struct lex_terms_above *above =
            &lex_policy_term(eval->policy, LEX_KIND_ACTION, action)->above;
        up.items = lex_arena_calloc(eval->arena, above->count + 1, sizeof *up.items);
        if (up.items == NULL) {
            eval->failed = true;
            return;
        }
        up.items[up.count++] = action;
        for (size_t i = 0; i < above->count; i++)
            up.items[up.count++] = above->items[i];
    }
    step_forbids(eval, &up);
    if (first && lex_tally_open(&eval->tally))
        step_static_conflicts(eval);
    if (lex_tally_open(&eval->tally))
        step_action_conflicts(eval, &up);
    if (lex_tally_open(&eval->tally))
        step_permission(eval, action);
    if (lex_tally_open(&eval->tally))
        step_requires(eval, &up);
    if (first && lex_tally_open(&eval->tally))
        step_constraints(eval);
    if (first && lex_tally_open(&eval->tally))
        step_risk(eval);
}

void lex_evaluate(struct lex_eval *eval)
{
    for (size_t i = 0; i < eval->actions_count && lex_tally_open(&eval->tally); i++)
        evaluate_action(eval, eval->actions[i], i == 0);
}
