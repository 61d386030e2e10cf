/* Explain: the same questions that a decision asks, of every rule, with the answers kept. */
#include <stdlib.h>

#include "core/base/json.h"
#include "core/decision/eval.h"

struct explainer {
    struct lex_eval eval;
    struct lex_explanation *out;
    struct lex_explained_rule *rules;
    struct lex_arena *arena;
};

/* ---- conditions ---- */

static const char *word_of(lex_truths truth)
{
    return truth == LEX_TRUE ? "true" : truth == LEX_FALSE ? "false" : "unknown";
}

/* What a condition read: the notes that it left, on a list that was empty before. */
static enum lex_status read_of(struct explainer *x, struct lex_fact_list *ret)
{
    struct lex_eval *eval = &x->eval;
    size_t rates = eval->rates_count, duties = eval->duties_count;
    uint32_t used = eval->statements_used;
    eval->rates_count = eval->duties_count = 0;
    eval->statements_used = 0;
    enum lex_status status = lex_eval_facts(eval, ret);
    eval->rates_count = rates;
    eval->duties_count = duties;
    eval->statements_used = used;
    eval->reads_count = 0;
    return status;
}

static enum lex_status explain_condition(struct explainer *x, const struct lex_rule *rule,
                                         uint32_t number, enum lex_side side,
                                         struct lex_explained_condition *ret)
{
    const struct lex_condition *condition = &x->eval.policy->conditions[number];
    x->eval.reads_count = 0;
    x->eval.readings_kept = 0; /* so that this condition notes what it reads, too */
    struct lex_truth truth = lex_eval_condition(&x->eval, rule, condition, side);
    lex_truths trusted = x->eval.caller_trusted ? truth.all : truth.trusted;
    bool said = trusted != LEX_TRUE && trusted != LEX_FALSE;
    *ret = (struct lex_explained_condition){
        .text = condition->text,
        .truth = word_of(said ? truth.all : trusted),
        .basis = !said                      ? "server or attested"
                 : truth.all == LEX_UNKNOWN ? "absent"
                                            : "the caller's word",
    };
    return read_of(x, &ret->facts);
}

static enum lex_status explain_conditions(struct explainer *x, const struct lex_rule *rule,
                                          const uint32_t *numbers, size_t count, enum lex_side side,
                                          struct lex_explained_rule *ret)
{
    struct lex_explained_condition *items = lex_arena_calloc(x->arena, count, sizeof *items);
    if (items == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < count; i++)
        LEX_TRY(explain_condition(x, rule, numbers[i], side, &items[i]));
    ret->conditions = items;
    ret->conditions_count = count;
    return LEX_OK;
}

/* ---- what a rule came to ---- */

static bool actor_matches(const struct lex_eval *eval, const struct lex_rule *rule)
{
    return rule->actor == LEX_TERM_ANY || lex_eval_actor_is(eval, rule->actor);
}

static bool covers_some(const struct lex_eval *eval, const struct lex_rule *rule)
{
    if (eval->classes_count == 0)
        return lex_permit_covers(eval, rule, NULL);
    for (size_t i = 0; i < eval->classes_count; i++)
        if (lex_permit_covers(eval, rule, &eval->classes[i]))
            return true;
    return false;
}

static void match_permit(const struct lex_eval *eval, const struct lex_rule *rule,
                         struct lex_explained_rule *ret)
{
    ret->missed = !covers_some(eval, rule)           ? "object"
                  : !lex_permit_resource(eval, rule) ? "resource"
                                                     : NULL;
    ret->match = ret->missed == NULL ? LEX_MATCH_YES : LEX_MATCH_NO;
}

static void match_restriction(const struct lex_eval *eval, const struct lex_rule *rule,
                              struct lex_explained_rule *ret)
{
    enum lex_match object = lex_match_object(eval, rule);
    enum lex_match resource = lex_match_resource(eval, rule);
    ret->match = object < resource ? object : resource;
    ret->missed = ret->match == LEX_MATCH_YES ? NULL : object == ret->match ? "object" : "resource";
}

static void match_rule(const struct lex_eval *eval, const struct lex_rule *rule,
                       struct lex_explained_rule *ret)
{
    if (!actor_matches(eval, rule) || !lex_match_action(eval, rule)) {
        ret->match = LEX_MATCH_NO;
        ret->missed = actor_matches(eval, rule) ? "action" : "actor";
    } else if (rule->verb == LEX_VERB_PERMITS) {
        match_permit(eval, rule, ret);
    } else {
        match_restriction(eval, rule, ret);
    }
}

static const char *outcome_word(enum lex_outcome outcome)
{
    return (const char *)lex_outcome_name(outcome).data;
}

static const char *effect_of(struct explainer *x, const struct lex_rule *rule,
                             const struct lex_explained_rule *explained)
{
    struct lex_judgement judgement;
    if (explained->match == LEX_MATCH_NO)
        return "none";
    if (rule->verb == LEX_VERB_FORBIDS)
        return lex_judge_restriction(&x->eval, rule) == LEX_MATCH_NO ? "none" : "denied";
    judgement = lex_judge_rule(&x->eval, rule);
    if (rule->verb == LEX_VERB_REQUIRES && judgement.bound == LEX_OUTCOME_CONDITIONAL &&
        x->eval.mode == LEX_MODE_PARANOID && !lex_eval_approved_by_default(&x->eval, 1))
        return "escalated";
    return outcome_word(judgement.bound);
}

static bool decided(const struct explainer *x, struct lex_span id)
{
    const struct lex_span_list *rules = &x->out->decision.rules;
    for (size_t i = 0; i < rules->count; i++)
        if (lex_span_eq(rules->items[i], id))
            return true;
    return false;
}

/* ---- the kinds ---- */

static struct lex_explained_rule *next(struct explainer *x, struct lex_span id, const char *kind,
                                       struct lex_span justification, uint16_t document, size_t at)
{
    const struct lex_policy_document *from = &x->eval.policy->documents[document];
    struct lex_explained_rule *rule = &x->rules[x->out->count++];
    *rule = (struct lex_explained_rule){.id = id,
                                        .kind = kind,
                                        .justification = justification,
                                        .source = from->source,
                                        .match = LEX_MATCH_YES,
                                        .effect = "none",
                                        .decided = decided(x, id)};
    lex_json_where(from->text, at, &rule->line, &rule->column);
    return rule;
}

static enum lex_status explain_rule(struct explainer *x, const struct lex_rule *rule)
{
    static const char *const kinds[] = {
#define LEX_VERB(name, word) word,
#include "core/policy/verbs.def"
#undef LEX_VERB
    };
    struct lex_explained_rule *out = next(x, rule->id, kinds[rule->verb],
                                          lex_rule_justification(rule), rule->document, rule->at);
    match_rule(&x->eval, rule, out);
    LEX_TRY(explain_conditions(
        x, rule, lex_rule_conditions(rule), rule->conditions_count,
        rule->verb == LEX_VERB_FORBIDS ? LEX_SIDE_RESTRICTION : LEX_SIDE_GRANT, out));
    out->effect = effect_of(x, rule, out);
    return LEX_OK;
}

static void explain_conflict(struct explainer *x, const struct lex_conflict *conflict)
{
    struct lex_explained_rule *out = next(x, conflict->id, "conflicts", conflict->justification,
                                          conflict->document, conflict->at);
    if (!out->decided) {
        out->match = LEX_MATCH_NO;
        out->missed = "both sides";
        return;
    }
    out->effect = outcome_word(x->out->decision.outcome);
}

static enum lex_status explain_constraint(struct explainer *x,
                                          const struct lex_constraint *constraint)
{
    static const char *const effects[] = {"denied", "denied", "escalated", "conditional", "advice"};
    struct lex_explained_rule *out =
        next(x, constraint->id, "constraint", constraint->justification, constraint->document,
             constraint->at);
    LEX_TRY(explain_conditions(x, NULL, constraint->conditions, constraint->conditions_count,
                               constraint->good_case ? LEX_SIDE_GRANT : LEX_SIDE_TRIGGER, out));
    if (lex_judge_trigger(&x->eval, constraint))
        out->effect = effects[constraint->effect];
    return LEX_OK;
}

/* ---- the whole ---- */

static int by_order(const void *a, const void *b)
{
    const struct lex_rule *const *x = a, *const *y = b;
    return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

static enum lex_status explain_rules(struct explainer *x)
{
    const struct lex_policy *policy = x->eval.policy;
    const struct lex_rule **rules =
        lex_arena_alloc(x->arena, policy->rules_count * sizeof(const struct lex_rule *));
    if (rules == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < policy->rules_count; i++)
        rules[i] = &policy->rules[i];
    if (policy->rules_count != 0)
        qsort(rules, policy->rules_count, sizeof(const struct lex_rule *), by_order);
    for (size_t i = 0; i < policy->rules_count; i++)
        LEX_TRY(explain_rule(x, rules[i]));
    return LEX_OK;
}

static enum lex_status explain_all(struct explainer *x)
{
    const struct lex_policy *policy = x->eval.policy;
    size_t most = policy->rules_count + policy->conflicts_count + policy->constraints_count;
    x->rules = lex_arena_alloc(x->arena, (most + 1) * sizeof *x->rules);
    if (x->rules == NULL)
        return LEX_LIMIT;
    x->eval.action = x->eval.actions[0];
    lex_eval_collect(&x->eval);
    LEX_TRY(explain_rules(x));
    for (size_t i = 0; i < policy->conflicts_count; i++)
        explain_conflict(x, &policy->conflicts[i]);
    for (size_t i = 0; i < policy->constraints_count; i++)
        LEX_TRY(explain_constraint(x, &policy->constraints[i]));
    x->out->rules = x->rules;
    return x->eval.failed ? LEX_LIMIT : LEX_OK;
}

LEX_STATUS lex_explain(const struct lex_decide_input *input, struct lex_arena *arena,
                       struct lex_explanation *ret)
{
    struct explainer *x = lex_arena_alloc(arena, sizeof *x);
    struct lex_explanation out = {.count = 0};
    struct lex_decision scratch;
    if (x == NULL)
        return LEX_LIMIT;
    lex_decide(input, arena, &out.decision);
    *ret = out;
    x->out = ret;
    x->arena = arena;
    /* A verdict that stands before any rule is asked explains itself. */
    if (!lex_eval_begin(&x->eval, input, arena, &scratch))
        return LEX_OK;
    return explain_all(x);
}
