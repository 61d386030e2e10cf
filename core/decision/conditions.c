/* Conditions: what a truth does, by where its condition stands (the table of policy.md section 5).
 *
 *   grant        true only by the server or a signed statement; the caller's "no" is an admission,
 *                its "yes" is unverified
 *   restriction  out of force only by the server or a signed statement that says "no"
 *   trigger      triggered by anyone's "yes"; where a fact is required, by its absence too */
#include "core/decision/eval.h"

/* ---- one condition's truth ---- */

/* Inclusive minutes of the window's own zone. A window that wraps past midnight belongs to the day
 * it began. While inside, the verdict is valid until the window's last minute is over. */
static bool in_window(struct lex_eval *eval, const struct lex_condition *condition)
{
    static const int64_t minute_us = 60000000, day_minutes = 1440;
    int64_t now = eval->input->now_us;
    int64_t absolute = now / minute_us - (now % minute_us < 0);
    int64_t minutes = absolute + condition->window.zone;
    int64_t day = minutes / day_minutes - (minutes % day_minutes < 0);
    int64_t minute = minutes - day * day_minutes;
    int64_t start = condition->window.start, end = condition->window.end;
    bool wraps = start > end;
    bool inside = wraps ? minute >= start || minute <= end : minute >= start && minute <= end;
    bool evening = wraps && minute >= start;
    int64_t began = wraps && !evening ? day - 1 : day;
    int64_t weekday = ((began + 3) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; 0 is Monday */
    if (!inside || (condition->window.days >> weekday & 1) == 0)
        return false;
    int64_t left = end - minute + (evening ? day_minutes : 0) + 1;
    int64_t until = (absolute + left) * minute_us;
    if (until < eval->valid_until_us)
        eval->valid_until_us = until;
    return true;
}

static struct lex_truth known(bool truth)
{
    lex_truths value = truth ? LEX_TRUE : LEX_FALSE;
    return (struct lex_truth){value, value};
}

/* Once for each class of the request: a grant must hold for every one, a restriction or a trigger
 * for one. Without a class nothing is known of them. */
static struct lex_truth over_classes(struct lex_eval *eval, const struct lex_condition *condition,
                                     enum lex_side side)
{
    bool every = side == LEX_SIDE_GRANT;
    struct lex_truth result = {LEX_UNKNOWN, LEX_UNKNOWN};
    eval->class = NULL;
    if (eval->classes_count == 0)
        return lex_eval_expression(eval, condition, side);
    for (size_t i = 0; i < eval->classes_count; i++) {
        eval->class = &eval->classes[i];
        struct lex_truth truth = lex_eval_expression(eval, condition, side);
        if (i == 0)
            result = truth;
        else
            result = every ? lex_truth_and(result, truth) : lex_truth_or(result, truth);
    }
    eval->class = NULL;
    return result;
}

struct lex_truth lex_eval_condition(struct lex_eval *eval, const struct lex_rule *rule,
                                    const struct lex_condition *condition, enum lex_side side)
{
    lex_term_id approver;
    switch (condition->type) {
    case LEX_CONDITION_TIME_WINDOW: return known(in_window(eval, condition));
    case LEX_CONDITION_RATE_LIMIT: return lex_eval_rate(eval, rule, condition);
    case LEX_CONDITION_APPROVAL:
        approver = condition->approval.approver == LEX_TERM_UNKNOWN
                       ? eval->policy->options.approver_term
                       : condition->approval.approver;
        if (lex_eval_approved(eval, approver, condition->approval.quorum,
                              condition->approval.timeout_s))
            return known(true);
        return (struct lex_truth){LEX_UNKNOWN, LEX_UNKNOWN};
    default:
        return condition->reads_class ? over_classes(eval, condition, side)
                                      : lex_eval_expression(eval, condition, side);
    }
}

/* ---- grants ---- */

enum { GRANT_FALSE, GRANT_UNKNOWN, GRANT_TRUE };

static int grant_of(struct lex_eval *eval, struct lex_truth truth)
{
    lex_truths established = eval->caller_trusted ? truth.all : truth.trusted;
    if (established == LEX_TRUE)
        return GRANT_TRUE;
    if (established == LEX_FALSE || truth.all == LEX_FALSE)
        return GRANT_FALSE;
    if (truth.all == LEX_TRUE)
        lex_eval_warn(eval, LEX_SPAN("CONTEXT_UNVERIFIED"));
    return GRANT_UNKNOWN;
}

static enum lex_reason code_of_false(const struct lex_condition *condition)
{
    switch (condition->type) {
    case LEX_CONDITION_TIME_WINDOW: return LEX_REASON_OUTSIDE_TIME_WINDOW;
    case LEX_CONDITION_RATE_LIMIT: return LEX_REASON_RATE_LIMITED;
    default: return LEX_REASON_CONDITION_FALSE;
    }
}

static struct lex_judgement judge(struct lex_eval *eval, const struct lex_rule *rule,
                                  const struct lex_condition *condition)
{
    struct lex_truth truth = lex_eval_condition(eval, rule, condition, LEX_SIDE_GRANT);
    switch (grant_of(eval, truth)) {
    case GRANT_TRUE:
        return (struct lex_judgement){LEX_OUTCOME_APPROVED, LEX_REASON_PERMITTED, condition};
    case GRANT_FALSE:
        return (struct lex_judgement){LEX_OUTCOME_DENIED, code_of_false(condition), condition};
    default:
        if (condition->type == LEX_CONDITION_APPROVAL)
            return (struct lex_judgement){LEX_OUTCOME_ESCALATED, LEX_REASON_APPROVAL_REQUIRED,
                                          condition};
        return (struct lex_judgement){LEX_OUTCOME_CONDITIONAL, LEX_REASON_CONDITION_UNVERIFIED,
                                      condition};
    }
}

/* The lowest bound of a rule's conditions, the first of them on a tie. */
struct lex_judgement lex_judge_rule(struct lex_eval *eval, const struct lex_rule *rule)
{
    struct lex_judgement result = {LEX_OUTCOME_APPROVED, LEX_REASON_PERMITTED, NULL};
    const uint32_t *conditions = lex_rule_conditions(rule);
    for (unsigned i = 0; i < rule->conditions_count; i++) {
        struct lex_judgement one = judge(eval, rule, &eval->policy->conditions[conditions[i]]);
        if (one.bound < result.bound)
            result = one;
    }
    return result;
}

/* ---- restrictions ---- */

enum lex_match lex_judge_restriction(struct lex_eval *eval, const struct lex_rule *rule)
{
    struct lex_truth all = {LEX_TRUE, LEX_TRUE};
    const uint32_t *conditions = lex_rule_conditions(rule);
    for (unsigned i = 0; i < rule->conditions_count; i++)
        all = lex_truth_and(all,
                            lex_eval_condition(eval, rule, &eval->policy->conditions[conditions[i]],
                                               LEX_SIDE_RESTRICTION));
    lex_truths excluded = eval->caller_trusted ? all.all : all.trusted;
    if (excluded == LEX_FALSE)
        return LEX_MATCH_NO;
    return all.trusted == LEX_TRUE || all.all == LEX_TRUE ? LEX_MATCH_YES : LEX_MATCH_MAYBE;
}

/* ---- triggers ---- */

/* A fact that must be there: silence about it does not keep a constraint from triggering. */
static bool is_required(const struct lex_eval *eval, uint32_t fact)
{
    const struct lex_fact_info *info = &eval->policy->facts[fact];
    if (info->required_declared)
        return info->required;
    return eval->mode == LEX_MODE_PARANOID && info->restricts;
}

static bool operand_required(const struct lex_eval *eval, const struct lex_operand *operand)
{
    return operand->kind == LEX_OPERAND_FACT && is_required(eval, operand->fact);
}

static bool names_required(const struct lex_eval *eval, const struct lex_condition *condition)
{
    for (uint32_t i = 0; i < condition->nodes_count; i++) {
        const struct lex_node *node = &condition->nodes[i];
        bool connective = node->op == LEX_OP_AND || node->op == LEX_OP_OR || node->op == LEX_OP_NOT;
        bool two = node->op != LEX_OP_TRUTH && node->op != LEX_OP_IS && node->op != LEX_OP_IN &&
                   node->op != LEX_OP_EXISTS;
        if (!connective &&
            (operand_required(eval, &node->a) || (two && operand_required(eval, &node->b))))
            return true;
    }
    return false;
}

/* A good case must be established, as a grant must. */
static bool good_case_holds(struct lex_eval *eval, const struct lex_constraint *constraint)
{
    for (uint32_t i = 0; i < constraint->conditions_count; i++) {
        const struct lex_condition *condition =
            &eval->policy->conditions[constraint->conditions[i]];
        struct lex_truth truth = lex_eval_condition(eval, NULL, condition, LEX_SIDE_GRANT);
        if (grant_of(eval, truth) != GRANT_TRUE)
            return false;
    }
    return true;
}

bool lex_judge_trigger(struct lex_eval *eval, const struct lex_constraint *constraint)
{
    struct lex_truth all = {LEX_TRUE, LEX_TRUE};
    bool required = false;
    if (constraint->good_case)
        return !good_case_holds(eval, constraint);
    for (uint32_t i = 0; i < constraint->conditions_count; i++) {
        const struct lex_condition *condition =
            &eval->policy->conditions[constraint->conditions[i]];
        all = lex_truth_and(all, lex_eval_condition(eval, NULL, condition, LEX_SIDE_TRIGGER));
        required = required || names_required(eval, condition);
    }
    if ((all.trusted & LEX_TRUE) != 0)
        return true;
    if (all.trusted == LEX_FALSE)
        return false;
    if ((all.all & LEX_TRUE) != 0)
        return true;
    lex_truths settled = eval->caller_trusted ? all.all : all.trusted;
    return required && (settled & LEX_UNKNOWN) != 0;
}

/* ---- obligations ---- */

/* A condition's text as an obligation says it: an entry has to hold 32 of them. */
static struct lex_span said(struct lex_eval *eval, struct lex_span text)
{
    if (text.len <= LEX_OBLIGATION_TEXT_MAX_BYTES)
        return text;
    eval->tally.cut++;
    text.len = LEX_OBLIGATION_TEXT_MAX_BYTES;
    while (text.len != 0 && (text.data[text.len] & 0xc0) == 0x80)
        text.len--;
    return text;
}

void lex_oblige_approval(struct lex_eval *eval, struct lex_span rule, uint32_t quorum,
                         struct lex_span condition, struct lex_span action)
{
    struct lex_obligation obligation = {.type = LEX_OBLIGATION_TYPE_APPROVAL,
                                        .approver = eval->policy->options.approver,
                                        .quorum = (int32_t)quorum,
                                        .timeout_s = LEX_APPROVAL_DEFAULT_S,
                                        .rule = rule,
                                        .condition = said(eval, condition),
                                        .action = action};
    lex_tally_oblige(&eval->tally, &obligation);
}

static struct lex_obligation obligation_of(struct lex_eval *eval, const struct lex_rule *rule,
                                           const struct lex_condition *condition)
{
    struct lex_obligation obligation = {.type = LEX_OBLIGATION_TYPE_VERIFY,
                                        .rule = rule->id,
                                        .condition = said(eval, condition->text)};
    if (condition->type != LEX_CONDITION_APPROVAL)
        return obligation;
    lex_term_id approver = condition->approval.approver;
    obligation.type = LEX_OBLIGATION_TYPE_APPROVAL;
    obligation.approver = approver == LEX_TERM_UNKNOWN
                              ? eval->policy->options.approver
                              : lex_policy_term(eval->policy, LEX_KIND_ACTOR, approver)->canonical;
    obligation.quorum = (int32_t)condition->approval.quorum;
    obligation.timeout_s = (int32_t)condition->approval.timeout_s;
    return obligation;
}

void lex_oblige_conditions(struct lex_eval *eval, const struct lex_rule *rule)
{
    const uint32_t *conditions = lex_rule_conditions(rule);
    for (unsigned i = 0; i < rule->conditions_count; i++) {
        const struct lex_condition *condition = &eval->policy->conditions[conditions[i]];
        if (judge(eval, rule, condition).bound == LEX_OUTCOME_APPROVED)
            continue;
        struct lex_obligation obligation = obligation_of(eval, rule, condition);
        lex_tally_oblige(&eval->tally, &obligation);
    }
}
