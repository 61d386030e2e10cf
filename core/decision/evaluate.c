/* Evaluate: the steps of policy.md section 7, from forbids to the risk gate.
 *
 * Each step only lowers the tally. Once it is denied nothing lower can come, and the steps that are
 * left are not taken. */
#include "core/decision/eval.h"

void lex_say_judgement(struct lex_eval *eval, const struct lex_rule *rule,
                       const struct lex_judgement *judgement)
{
    struct lex_sentence sentence;
    lex_sentence_init(&sentence);
    lex_sentence_put(&sentence, judgement->bound == LEX_OUTCOME_DENIED
                                    ? LEX_SPAN("Denied: a condition does not hold: ")
                                : judgement->bound == LEX_OUTCOME_ESCALATED
                                    ? LEX_SPAN("Escalated: an approval is needed: ")
                                    : LEX_SPAN("Conditional: to be verified: "));
    lex_sentence_put(&sentence, judgement->condition->text);
    lex_sentence_put(&sentence, LEX_SPAN(", by "));
    lex_sentence_name(&sentence, rule->id);
    lex_eval_reason(eval, &sentence);
}

/* ---- forbids ---- */

static enum lex_match least(enum lex_match a, enum lex_match b)
{
    return a < b ? a : b;
}

struct forbid {
    const struct lex_rule *rule;
    enum lex_match object, match;
};

static struct forbid match_forbid(struct lex_eval *eval, const struct lex_rule *rule)
{
    struct forbid forbid = {rule, lex_match_object(eval, rule), LEX_MATCH_NO};
    enum lex_match place = least(forbid.object, lex_match_resource(eval, rule));
    if (place != LEX_MATCH_NO && rule->conditions_count != 0)
        place = least(place, lex_judge_restriction(eval, rule));
    forbid.match = place;
    return forbid;
}

static enum lex_reason code_of_forbid(const struct lex_eval *eval, const struct forbid *forbid)
{
    if (forbid->match == LEX_MATCH_YES)
        return LEX_REASON_FORBIDDEN;
    if (forbid->object != LEX_MATCH_MAYBE)
        return LEX_REASON_FORBID_NOT_EXCLUDED;
    return eval->classes_count == 0 ? LEX_REASON_DATA_CLASS_UNDECLARED
                                    : LEX_REASON_UNKNOWN_DATA_CLASS;
}

/* Those that are in force, true ones before unknown ones; `forbids` has room for all. */
static size_t in_force(struct lex_eval *eval, struct forbid *forbids, const struct lex_rule **rules,
                       enum lex_reason *ret_code)
{
    const struct lex_rule_list *list = &eval->rules[LEX_VERB_FORBIDS];
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        forbids[i] = match_forbid(eval, list->items[i]);
    for (int wanted = LEX_MATCH_YES; wanted != LEX_MATCH_NO; wanted--)
        for (size_t i = 0; i < list->count; i++) {
            if ((int)forbids[i].match != wanted)
                continue;
            if (count == 0)
                *ret_code = code_of_forbid(eval, &forbids[i]);
            rules[count++] = forbids[i].rule;
        }
    return count;
}

static void step_forbids(struct lex_eval *eval)
{
    const struct lex_rule *few_rules[LEX_EVAL_RULES_INLINE], **rules = few_rules;
    struct forbid few[LEX_EVAL_RULES_INLINE], *forbids = few;
    enum lex_reason code = LEX_REASON_FORBIDDEN;
    size_t most = eval->rules[LEX_VERB_FORBIDS].count;
    if (most == 0)
        return;
    if (most > LEX_EVAL_RULES_INLINE) {
        rules = lex_arena_alloc(eval->arena, most * sizeof(const struct lex_rule *));
        forbids = lex_arena_alloc(eval->arena, most * sizeof *forbids);
    }
    if (rules == NULL || forbids == NULL) {
        eval->failed = true;
        return;
    }
    size_t count = in_force(eval, forbids, rules, &code);
    if (count == 0 || !lex_tally_lower(&eval->tally, LEX_OUTCOME_DENIED, code))
        return;
    for (size_t i = 0; i < count; i++)
        lex_tally_rule(&eval->tally, rules[i]->id);
    lex_eval_reason_rules(eval, rules, count, "Denied by ", " prohibition(s)");
}

/* ---- requires ---- */

static void require(struct lex_eval *eval, const struct lex_rule *rule)
{
    struct lex_judgement judgement = lex_judge_rule(eval, rule);
    enum lex_reason code = judgement.code;
    if (judgement.bound == LEX_OUTCOME_DENIED && code == LEX_REASON_CONDITION_FALSE)
        code = LEX_REASON_REQUIREMENT_NOT_MET;
    if (judgement.bound == LEX_OUTCOME_APPROVED)
        lex_eval_reserve(eval, rule);
    else if (judgement.bound != LEX_OUTCOME_DENIED)
        lex_oblige_conditions(eval, rule);
    if (judgement.bound == LEX_OUTCOME_CONDITIONAL && eval->mode == LEX_MODE_PARANOID &&
        !lex_eval_approved_by_default(eval, 1)) {
        judgement.bound = LEX_OUTCOME_ESCALATED;
        lex_oblige_approval(eval, rule->id, 1, judgement.condition->text,
                            (struct lex_span){NULL, 0});
    }
    if (judgement.bound == LEX_OUTCOME_APPROVED ||
        !lex_tally_lower(&eval->tally, judgement.bound, code))
        return;
    lex_tally_rule(&eval->tally, rule->id);
    lex_say_judgement(eval, rule, &judgement);
}

static void step_requires(struct lex_eval *eval)
{
    const struct lex_rule_list *list = &eval->rules[LEX_VERB_REQUIRES];
    for (size_t i = 0; i < list->count && lex_tally_open(&eval->tally); i++)
        if (lex_match_object(eval, list->items[i]) != LEX_MATCH_NO &&
            lex_match_resource(eval, list->items[i]) != LEX_MATCH_NO)
            require(eval, list->items[i]);
}

/* ---- constraints ---- */

static const struct {
    enum lex_outcome bound;
    enum lex_reason code;
    struct lex_span lead;
} effects[] = {
    [LEX_EFFECT_DENY] = {LEX_OUTCOME_DENIED, LEX_REASON_CONSTRAINT_DENIED,
                         LEX_SPAN_INIT("Denied: ")},
    [LEX_EFFECT_THROTTLE] = {LEX_OUTCOME_DENIED, LEX_REASON_RATE_LIMITED,
                             LEX_SPAN_INIT("Denied: ")},
    [LEX_EFFECT_ESCALATE] = {LEX_OUTCOME_ESCALATED, LEX_REASON_CONSTRAINT_ESCALATED,
                             LEX_SPAN_INIT("Escalated: ")},
    [LEX_EFFECT_OBLIGE] = {LEX_OUTCOME_CONDITIONAL, LEX_REASON_CONSTRAINT_OBLIGATION,
                           LEX_SPAN_INIT("Conditional: ")},
    [LEX_EFFECT_ADVICE] = {LEX_OUTCOME_APPROVED, LEX_REASON_PERMITTED, LEX_SPAN_INIT("")},
};

/* What was escalated may have been approved, what was obliged may be attested as done. */
static bool discharged(struct lex_eval *eval, const struct lex_constraint *constraint)
{
    struct lex_reading done;
    if (constraint->effect == LEX_EFFECT_ESCALATE)
        return lex_eval_approved_by_default(eval, constraint->quorum);
    if (constraint->effect != LEX_EFFECT_OBLIGE)
        return false;
    done = lex_eval_read(eval, constraint->done);
    return done.trusted != NULL && done.trusted->type == LEX_VALUE_BOOL && done.trusted->boolean;
}

static void oblige_constraint(struct lex_eval *eval, const struct lex_constraint *constraint)
{
    struct lex_obligation obligation = {
        .type = LEX_OBLIGATION_TYPE_ADVICE, .rule = constraint->id, .action = constraint->verb};
    switch (constraint->effect) {
    case LEX_EFFECT_ESCALATE:
        lex_oblige_approval(eval, constraint->id, constraint->quorum, (struct lex_span){NULL, 0},
                            constraint->verb);
        return;
    case LEX_EFFECT_OBLIGE:
        obligation.type = LEX_OBLIGATION_TYPE_VERIFY;
        obligation.condition = eval->policy->facts[constraint->done].name;
        break;
    case LEX_EFFECT_ADVICE: break;
    default: return; /* nothing discharges a denial */
    }
    lex_tally_oblige(&eval->tally, &obligation);
}

static void constrain(struct lex_eval *eval, const struct lex_constraint *constraint)
{
    struct lex_sentence sentence;
    if (!lex_judge_trigger(eval, constraint) || discharged(eval, constraint))
        return;
    oblige_constraint(eval, constraint);
    if (constraint->effect == LEX_EFFECT_ADVICE ||
        !lex_tally_lower(&eval->tally, effects[constraint->effect].bound,
                         effects[constraint->effect].code))
        return;
    lex_tally_rule(&eval->tally, constraint->id);
    lex_sentence_init(&sentence);
    lex_sentence_put(&sentence, effects[constraint->effect].lead);
    lex_sentence_put(&sentence, lex_span_absent(constraint->justification)
                                    ? constraint->name
                                    : constraint->justification);
    lex_eval_reason(eval, &sentence);
}

static void step_constraints(struct lex_eval *eval)
{
    for (size_t i = 0; i < eval->policy->constraints_count && lex_tally_open(&eval->tally); i++)
        constrain(eval, &eval->policy->constraints[i]);
}

/* ---- risk gate ---- */

static void step_risk(struct lex_eval *eval)
{
    static const int32_t gate = 80;
    int32_t assessed = eval->input->facts == NULL ? 0 : eval->input->facts->risk_score;
    bool closed = assessed >= gate || (eval->mode == LEX_MODE_PARANOID && eval->risk_score >= gate);
    if (!closed || lex_eval_approved_by_default(eval, 1))
        return;
    lex_oblige_approval(eval, (struct lex_span){NULL, 0}, 1, LEX_SPAN("risk_score >= 80"),
                        eval->request->proposed_action);
    if (lex_tally_lower(&eval->tally, LEX_OUTCOME_ESCALATED,
                        LEX_REASON_HUMAN_CONFIRMATION_REQUIRED))
        lex_eval_reason_is(eval, assessed >= gate
                                     ? LEX_SPAN("Escalated: the assessed risk score is 80 or more")
                                     : LEX_SPAN("Escalated: the risk score is 80 or more, and the "
                                                "mode is paranoid"));
}

/* ---- the order ---- */

static void evaluate_action(struct lex_eval *eval, lex_term_id action)
{
    static void (*const steps[])(struct lex_eval *) = {
        step_forbids,  lex_step_conflicts, lex_step_permission,
        step_requires, step_constraints,   step_risk,
    };
    eval->action = action;
    lex_eval_collect(eval);
    for (size_t i = 0; i < LEX_COUNT_OF(steps); i++)
        if (lex_tally_open(&eval->tally) && !eval->failed)
            steps[i](eval);
}

void lex_evaluate(struct lex_eval *eval)
{
    for (size_t i = 0; i < eval->actions_count && lex_tally_open(&eval->tally); i++)
        evaluate_action(eval, eval->actions[i]);
}
