/* Expression: the truth of one condition, over what is known and over what is said.
 *
 * A postfix program on a stack of pairs (model.h bounds it at load). Every leaf is evaluated: there
 * is no short cut, so what a decision reads does not depend on the order in which a rule was
 * written, and neither does its entry. */
#include "core/decision/eval.h"

/* ---- logic on sets of truths ---- */

static lex_truths both_true(lex_truths a, lex_truths b)
{
    bool unknown = ((a & LEX_UNKNOWN) != 0 && (b & (LEX_UNKNOWN | LEX_TRUE)) != 0) ||
                   ((b & LEX_UNKNOWN) != 0 && (a & (LEX_UNKNOWN | LEX_TRUE)) != 0);
    return (lex_truths)((a & b & LEX_TRUE) | ((a | b) & LEX_FALSE) | (unknown ? LEX_UNKNOWN : 0));
}

static lex_truths negated(lex_truths a)
{
    return (lex_truths)((a & LEX_TRUE) << 1 | (a & LEX_FALSE) >> 1 | (a & LEX_UNKNOWN));
}

static lex_truths known(bool truth)
{
    return truth ? LEX_TRUE : LEX_FALSE;
}

struct lex_truth lex_truth_and(struct lex_truth a, struct lex_truth b)
{
    return (struct lex_truth){both_true(a.trusted, b.trusted), both_true(a.all, b.all)};
}

static struct lex_truth not_(struct lex_truth a)
{
    return (struct lex_truth){negated(a.trusted), negated(a.all)};
}

struct lex_truth lex_truth_or(struct lex_truth a, struct lex_truth b)
{
    return not_(lex_truth_and(not_(a), not_(b)));
}

/* ---- comparisons: a pair of values to a truth; another type is unknown ---- */

static bool number_of(const struct lex_value *value, double *ret)
{
    *ret = value->type == LEX_VALUE_LONG ? (double)value->i64 : value->f64;
    return value->type == LEX_VALUE_LONG || value->type == LEX_VALUE_DOUBLE;
}

static lex_truths equal(const struct lex_value *a, const struct lex_value *b)
{
    double x, y;
    if (a->type == LEX_VALUE_BOOL && b->type == LEX_VALUE_BOOL)
        return known(a->boolean == b->boolean);
    if (a->type == LEX_VALUE_STRING && b->type == LEX_VALUE_STRING)
        return known(lex_span_eq(a->text, b->text));
    if (number_of(a, &x) && number_of(b, &y))
        return known(!(x < y) && !(x > y));
    return LEX_UNKNOWN;
}

static lex_truths ordered(const struct lex_value *a, const struct lex_value *b, enum lex_op op)
{
    double x, y;
    if (!number_of(a, &x) || !number_of(b, &y))
        return LEX_UNKNOWN;
    switch (op) {
    case LEX_OP_LT: return known(x < y);
    case LEX_OP_LE: return known(x <= y);
    case LEX_OP_GT: return known(x > y);
    default: return known(x >= y);
    }
}

static bool has_part(struct lex_span text, struct lex_span part)
{
    return part.len == 0 || memmem(text.data, text.len, part.data, part.len) != NULL;
}

static lex_truths contains(const struct lex_value *a, const struct lex_value *b)
{
    if (b->type != LEX_VALUE_STRING)
        return LEX_UNKNOWN;
    if (a->type == LEX_VALUE_STRING)
        return known(has_part(a->text, b->text));
    if (a->type != LEX_VALUE_LIST)
        return LEX_UNKNOWN;
    for (size_t i = 0; i < a->list.count; i++)
        if (lex_span_eq(a->list.items[i], b->text))
            return LEX_TRUE;
    return LEX_FALSE;
}

static lex_truths compare(enum lex_op op, const struct lex_value *a, const struct lex_value *b)
{
    if (a == NULL || b == NULL)
        return LEX_UNKNOWN;
    switch (op) {
    case LEX_OP_EQ: return equal(a, b);
    case LEX_OP_NE: return negated(equal(a, b));
    case LEX_OP_CONTAINS: return contains(a, b);
    default: return ordered(a, b, op);
    }
}

/* ---- leaves ---- */

/* An operand's value for both readers; `hold` is where a literal's value is made. */
static struct lex_reading operand(struct lex_eval *eval, const struct lex_operand *operand,
                                  struct lex_value *hold)
{
    switch (operand->kind) {
    case LEX_OPERAND_FACT: return lex_eval_read(eval, operand->fact);
    case LEX_OPERAND_BOOL:
        *hold = (struct lex_value){LEX_VALUE_BOOL, {.boolean = operand->boolean}};
        break;
    case LEX_OPERAND_NUMBER:
        *hold = (struct lex_value){LEX_VALUE_DOUBLE, {.f64 = operand->number}};
        break;
    case LEX_OPERAND_STRING:
        *hold = (struct lex_value){LEX_VALUE_STRING, {.text = operand->text}};
        break;
    }
    return (struct lex_reading){true, true, false, hold, hold};
}

static struct lex_truth comparison(struct lex_eval *eval, const struct lex_node *node)
{
    struct lex_value hold_a, hold_b;
    struct lex_reading a = operand(eval, &node->a, &hold_a), b = operand(eval, &node->b, &hold_b);
    return (struct lex_truth){compare(node->op, a.trusted, b.trusted),
                              compare(node->op, a.all, b.all)};
}

static lex_truths truth_of(const struct lex_value *value)
{
    return value == NULL || value->type != LEX_VALUE_BOOL ? LEX_UNKNOWN : known(value->boolean);
}

/* An or of equals. */
static lex_truths in_list(const struct lex_value *value, const struct lex_node *node)
{
    lex_truths result = LEX_FALSE;
    for (size_t i = 0; i < node->list.count; i++) {
        struct lex_value hold = {.type = LEX_VALUE_NULL};
        struct lex_reading item = operand(NULL, &node->list.items[i], &hold);
        result = negated(both_true(negated(result), negated(compare(LEX_OP_EQ, value, item.all))));
    }
    return value == NULL ? LEX_UNKNOWN : result;
}

/* What is not there is false where it would have come with the call itself, and unknown where
 * others may yet say it, the caller among them: or saying something would raise a verdict. */
static struct lex_truth exists(struct lex_eval *eval, const struct lex_node *node)
{
    const struct lex_fact_info *fact = &eval->policy->facts[node->a.fact];
    struct lex_reading reading = lex_eval_read(eval, node->a.fact);
    bool certain = fact->source == LEX_FACT_ARGUMENT || fact->source == LEX_FACT_TOKEN ||
                   (fact->source == LEX_FACT_REQUEST && lex_request_field_governed(fact->field));
    lex_truths absent = certain ? LEX_FALSE : LEX_UNKNOWN;
    if (reading.ill_typed)
        return (struct lex_truth){LEX_UNKNOWN, LEX_UNKNOWN};
    if (!reading.all_present)
        return (struct lex_truth){absent, absent};
    return (struct lex_truth){reading.trusted_present ? LEX_TRUE : LEX_UNKNOWN, LEX_TRUE};
}

/* ---- membership in the request's sets ---- */

static struct lex_truth same(lex_truths truth)
{
    return (struct lex_truth){truth, truth};
}

/* A name that the policy does not know may be any: a trigger that it could meet is in force, a
 * grant or an exclusion that rests on it is not established. */
static lex_truths unknown_name(enum lex_side side)
{
    return side == LEX_SIDE_TRIGGER ? LEX_BOTH : LEX_UNKNOWN;
}

static struct lex_truth membership(struct lex_eval *eval, const struct lex_node *node,
                                   enum lex_side side)
{
    const struct lex_policy *policy = eval->policy;
    switch (policy->facts[node->a.fact].source) {
    case LEX_FACT_DATA_CLASS:
        if (eval->class == NULL)
            return same(LEX_UNKNOWN);
        if (eval->class->term == LEX_TERM_UNKNOWN)
            return same(unknown_name(side));
        return same(known(lex_policy_is_a(policy, LEX_KIND_DATA, eval->class->term, node->term)));
    case LEX_FACT_RESOURCE:
        if (lex_span_absent(eval->request->resource))
            return same(LEX_UNKNOWN);
        if (eval->resource == LEX_TERM_UNKNOWN)
            return same(unknown_name(side));
        return same(known(lex_policy_is_a(policy, LEX_KIND_RESOURCE, eval->resource, node->term)));
    case LEX_FACT_ACTOR:
        if (lex_eval_actor_is(eval, node->term))
            return same(LEX_TRUE);
        return same(eval->actor == LEX_TERM_UNKNOWN ? unknown_name(side) : LEX_FALSE);
    default:
        if (eval->action == LEX_TERM_UNKNOWN)
            return same(unknown_name(side));
        return same(known(lex_policy_is_a(policy, LEX_KIND_ACTION, eval->action, node->term)));
    }
}

static struct lex_truth leaf(struct lex_eval *eval, const struct lex_node *node, enum lex_side side)
{
    struct lex_value hold;
    struct lex_reading a;
    switch (node->op) {
    case LEX_OP_TRUTH:
        a = operand(eval, &node->a, &hold);
        return (struct lex_truth){truth_of(a.trusted), truth_of(a.all)};
    case LEX_OP_IS: return membership(eval, node, side);
    case LEX_OP_IN:
        a = operand(eval, &node->a, &hold);
        return (struct lex_truth){in_list(a.trusted, node), in_list(a.all, node)};
    case LEX_OP_EXISTS: return exists(eval, node);
    default: return comparison(eval, node);
    }
}

struct lex_truth lex_eval_expression(struct lex_eval *eval, const struct lex_condition *condition,
                                     enum lex_side side)
{
    struct lex_truth stack[LEX_EXPRESSION_STACK_MAX];
    size_t depth = 0;
    for (uint32_t i = 0; i < condition->nodes_count; i++) {
        const struct lex_node *node = &condition->nodes[i];
        if (node->op == LEX_OP_NOT) {
            stack[depth - 1] = not_(stack[depth - 1]);
        } else if (node->op == LEX_OP_AND || node->op == LEX_OP_OR) {
            struct lex_truth b = stack[--depth], a = stack[depth - 1];
            stack[depth - 1] = node->op == LEX_OP_AND ? lex_truth_and(a, b) : lex_truth_or(a, b);
        } else {
            LEX_ASSERT(depth < LEX_EXPRESSION_STACK_MAX);
            stack[depth++] = leaf(eval, node, side);
        }
    }
    LEX_ASSERT(depth == 1);
    return stack[0];
}
