/* Lint: into the conditions of one rule.
 *
 * Three questions. Can they all hold at once? Their conjuncts are compared in pairs, which is exact
 * for ranges and constants of one fact (intervals that meet in pairs have a point in common). And
 * does the rule keep the laws of policy.md section 11? More risk, a tool or one more data class
 * must never raise a verdict, so a grant should not begin to hold through them, nor a forbid cease
 * to. And does a restriction compare what the caller wrote, where another name of the same term
 * would get past it? */
#include <math.h>

#include "core/policy/lint.h"

enum {
    CONJUNCTS_MAX = 64, /* of one rule that are compared */
    PAIRS_MAX =
        1 << 23, /* of conjuncts, in all: past it there are fewer lints, not a slower load */
};

/* ---- conjuncts ---- */

enum demand {
    DEMAND_NEVER, /* it cannot hold */
    DEMAND_EQUAL, /* the fact is the value */
    DEMAND_OTHER, /* it is another value */
    DEMAND_RANGE, /* a number in low .. high */
    DEMAND_IN,    /* one of a list */
    DEMAND_HOLDS, /* the set holds the term */
    DEMAND_LACKS,
};

struct conjunct {
    enum demand demand;
    uint32_t fact;
    struct lex_operand value;
    double low, high;
    bool low_open, high_open; /* the end itself is outside */
    const struct lex_operand *items;
    size_t count;
    lex_term_id term;
};

struct conjuncts {
    struct conjunct items[CONJUNCTS_MAX];
    size_t count;
};

static struct conjunct range_of(enum lex_op op, double limit)
{
    struct conjunct conjunct = {.demand = DEMAND_RANGE, .low = -INFINITY, .high = INFINITY};
    bool above = op == LEX_OP_GT || op == LEX_OP_GE;
    if (above)
        conjunct.low = limit;
    else
        conjunct.high = limit;
    conjunct.low_open = op == LEX_OP_GT;
    conjunct.high_open = op == LEX_OP_LT;
    return conjunct;
}

static enum lex_op turned(enum lex_op op)
{
    switch (op) {
    case LEX_OP_LT: return LEX_OP_GT;
    case LEX_OP_LE: return LEX_OP_GE;
    case LEX_OP_GT: return LEX_OP_LT;
    case LEX_OP_GE: return LEX_OP_LE;
    default: return op;
    }
}

static enum lex_op opposite(enum lex_op op)
{
    switch (op) {
    case LEX_OP_EQ: return LEX_OP_NE;
    case LEX_OP_NE: return LEX_OP_EQ;
    case LEX_OP_LT: return LEX_OP_GE;
    case LEX_OP_LE: return LEX_OP_GT;
    case LEX_OP_GT: return LEX_OP_LE;
    default: return LEX_OP_LT;
    }
}

/* A comparison with a constant, the fact on the left; two facts say nothing here. */
static bool of_comparison(const struct lex_node *node, bool negated, struct conjunct *ret)
{
    bool left = node->a.kind == LEX_OPERAND_FACT, right = node->b.kind == LEX_OPERAND_FACT;
    const struct lex_operand *fact = left ? &node->a : &node->b,
                             *value = left ? &node->b : &node->a;
    enum lex_op op = left ? node->op : turned(node->op);
    if (left == right)
        return false;
    op = negated ? opposite(op) : op;
    if (op >= LEX_OP_LT)
        *ret = range_of(op, value->number);
    else
        *ret = (struct conjunct){.demand = op == LEX_OP_EQ ? DEMAND_EQUAL : DEMAND_OTHER,
                                 .value = *value};
    ret->fact = fact->fact;
    return true;
}

static bool of_truth(const struct lex_node *node, bool negated, struct conjunct *ret)
{
    if (node->a.kind == LEX_OPERAND_FACT) {
        *ret = (struct conjunct){.demand = DEMAND_EQUAL,
                                 .fact = node->a.fact,
                                 .value = {.kind = LEX_OPERAND_BOOL, .boolean = !negated}};
        return true;
    }
    *ret = (struct conjunct){.demand = DEMAND_NEVER};
    return node->a.boolean == negated; /* a constant that holds demands nothing */
}

static bool of_leaf(const struct lex_node *node, bool negated, struct conjunct *ret)
{
    if (node->op == LEX_OP_TRUTH)
        return of_truth(node, negated, ret);
    if (node->op >= LEX_OP_EQ && node->op <= LEX_OP_GE)
        return of_comparison(node, negated, ret);
    *ret = (struct conjunct){.fact = node->a.fact};
    if (node->op == LEX_OP_IS) {
        ret->demand = negated ? DEMAND_LACKS : DEMAND_HOLDS;
        ret->term = node->term;
        return true;
    }
    if (node->op != LEX_OP_IN || negated)
        return false;
    ret->demand = DEMAND_IN;
    ret->items = node->list.items;
    ret->count = node->list.count;
    return true;
}

/* Where the operand begins that ends before `end`, in postfix order. */
static uint32_t start_of(const struct lex_node *nodes, uint32_t end)
{
    for (uint32_t wanted = 1; wanted != 0;) {
        enum lex_op op = nodes[--end].op;
        if (op <= LEX_OP_OR)
            wanted++;
        else if (op != LEX_OP_NOT)
            wanted--;
    }
    return end;
}

/* The conjuncts of nodes[start .. end); under a NOT, an OR is what joins them (De Morgan). To the
 * left it goes on by the loop, to the right by recursion, which no expression can make deeper than
 * LEX_EXPRESSION_STACK_MAX. */
static void collect(const struct lex_node *nodes, uint32_t start, uint32_t end, bool negated,
                    struct conjuncts *out)
{
    for (;;) {
        enum lex_op last = nodes[end - 1].op;
        if (last == LEX_OP_NOT) {
            negated = !negated;
            end--;
            continue;
        }
        if (last != (negated ? LEX_OP_OR : LEX_OP_AND))
            break;
        uint32_t right = start_of(nodes, end - 1);
        collect(nodes, right, end - 1, negated, out);
        end = right;
    }
    if (end - start == 1 && out->count < CONJUNCTS_MAX)
        out->count += of_leaf(&nodes[start], negated, &out->items[out->count]);
}

/* ---- can two of them hold together? ---- */

static bool same_value(const struct lex_operand *a, const struct lex_operand *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case LEX_OPERAND_BOOL: return a->boolean == b->boolean;
    case LEX_OPERAND_NUMBER: return a->number == b->number;
    default: return lex_span_eq(a->text, b->text);
    }
}

static bool in_range(const struct conjunct *range, const struct lex_operand *value)
{
    if (value->kind != LEX_OPERAND_NUMBER)
        return false;
    return (range->low_open ? value->number > range->low : value->number >= range->low) &&
           (range->high_open ? value->number < range->high : value->number <= range->high);
}

static bool ranges_meet(const struct conjunct *a, const struct conjunct *b)
{
    double low = fmax(a->low, b->low), high = fmin(a->high, b->high);
    bool open = (a->low == low && a->low_open) || (b->low == low && b->low_open) ||
                (a->high == high && a->high_open) || (b->high == high && b->high_open);
    return low < high || (low == high && !open);
}

static bool listed(const struct conjunct *list, const struct lex_operand *value)
{
    for (size_t i = 0; i < list->count; i++)
        if (same_value(&list->items[i], value))
            return true;
    return false;
}

/* Whether `value`, which `a` demands, is one that `b` takes. */
static bool takes(const struct conjunct *b, const struct lex_operand *value)
{
    switch (b->demand) {
    case DEMAND_EQUAL: return same_value(&b->value, value);
    case DEMAND_OTHER: return !same_value(&b->value, value);
    case DEMAND_RANGE: return in_range(b, value);
    case DEMAND_IN: return listed(b, value);
    default: return true;
    }
}

static bool takes_any(const struct conjunct *b, const struct conjunct *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (takes(b, &list->items[i]))
            return true;
    return false;
}

static bool can_meet(const struct lex_policy *policy, const struct conjunct *a,
                     const struct conjunct *b)
{
    static const enum lex_kind kinds[] = {LEX_KIND_DATA, LEX_KIND_RESOURCE, LEX_KIND_ACTOR,
                                          LEX_KIND_ACTION};
    if (a->demand == DEMAND_HOLDS && b->demand == DEMAND_LACKS)
        return !lex_policy_is_a(policy, kinds[policy->facts[a->fact].source - LEX_FACT_DATA_CLASS],
                                a->term, b->term);
    if (a->demand == DEMAND_EQUAL)
        return takes(b, &a->value);
    if (a->demand == DEMAND_IN)
        return takes_any(b, a);
    return a->demand != DEMAND_RANGE || b->demand != DEMAND_RANGE || ranges_meet(a, b);
}

static bool can_hold(const struct lex_policy *policy, const struct conjuncts *all,
                     size_t *pairs_left)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct conjunct *a = &all->items[i];
        if (a->demand == DEMAND_NEVER)
            return false;
        for (size_t j = 0; j < i && *pairs_left != 0; j++) {
            --*pairs_left;
            const struct conjunct *b = &all->items[j];
            if (a->fact == b->fact && (!can_meet(policy, a, b) || !can_meet(policy, b, a)))
                return false;
        }
    }
    return true;
}

static bool all_can_hold(const struct lex_policy *policy, const uint32_t *conditions, size_t count,
                         size_t *pairs_left)
{
    struct conjuncts all;
    all.count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct lex_condition *condition = &policy->conditions[conditions[i]];
        if (condition->nodes_count != 0)
            collect(condition->nodes, 0, condition->nodes_count, false, &all);
    }
    return can_hold(policy, &all, pairs_left);
}

/* ---- what rises with the request ---- */

/* Which way a condition may turn as the request asks for more: bits. */
enum trend {
    TREND_RISES = 1, /* it may begin to hold */
    TREND_FALLS = 2, /* it may cease to */
};

static unsigned flip(unsigned trend)
{
    return (trend & TREND_RISES ? TREND_FALLS : 0u) | (trend & TREND_FALLS ? TREND_RISES : 0u);
}

static bool grows(const struct lex_policy *policy, const struct lex_operand *operand)
{
    if (operand->kind != LEX_OPERAND_FACT)
        return false;
    const struct lex_fact_info *fact = &policy->facts[operand->fact];
    return fact->source == LEX_FACT_RISK_LEVEL || fact->source == LEX_FACT_RISK_SCORE ||
           (fact->source == LEX_FACT_REQUEST &&
            (fact->field == LEX_REQUEST_FIELD_RISK_LEVEL || fact->field == LEX_REQUEST_FIELD_TOOL ||
             fact->field == LEX_REQUEST_FIELD_DATA_CLASSES));
}

static unsigned trend_of_leaf(const struct lex_policy *policy, const struct lex_node *node)
{
    static const unsigned both = TREND_RISES | TREND_FALLS;
    bool compares = node->op >= LEX_OP_EQ && node->op <= LEX_OP_GE;
    bool left = grows(policy, &node->a), right = compares && grows(policy, &node->b);
    if (node->op == LEX_OP_IS || (!left && !right))
        return 0;
    if (left && right)
        return both;
    switch (left ? node->op : turned(node->op)) {
    case LEX_OP_GT:
    case LEX_OP_GE:
    case LEX_OP_CONTAINS:
    case LEX_OP_EXISTS: return TREND_RISES;
    case LEX_OP_LT:
    case LEX_OP_LE: return TREND_FALLS;
    default: return both;
    }
}

static unsigned trend_of(const struct lex_policy *policy, const struct lex_condition *condition)
{
    unsigned stack[LEX_EXPRESSION_STACK_MAX + 1], top = 0;
    for (uint32_t i = 0; i < condition->nodes_count; i++) {
        const struct lex_node *node = &condition->nodes[i];
        if (node->op == LEX_OP_NOT) {
            stack[top - 1] = flip(stack[top - 1]);
        } else if (node->op <= LEX_OP_OR) {
            top--;
            stack[top - 1] |= stack[top];
        } else {
            stack[top++] = trend_of_leaf(policy, node);
        }
    }
    return top == 0 ? 0 : stack[0];
}

/* ---- what compares a spelling ---- */

/* The request's own words for what is asked of. A name and its aliases are one term, and these are
 * whichever of them the caller wrote. */
static bool is_spelling(const struct lex_policy *policy, const struct lex_operand *operand)
{
    if (operand->kind != LEX_OPERAND_FACT ||
        policy->facts[operand->fact].source != LEX_FACT_REQUEST)
        return false;
    switch ((enum lex_request_field)policy->facts[operand->fact].field) {
    case LEX_REQUEST_FIELD_ACTOR:
    case LEX_REQUEST_FIELD_PROPOSED_ACTION:
    case LEX_REQUEST_FIELD_TOOL:
    case LEX_REQUEST_FIELD_RESOURCE:
    case LEX_REQUEST_FIELD_DATA_CLASSES: return true;
    default: return false;
    }
}

static bool reads_spelling(const struct lex_policy *policy, const struct lex_condition *condition)
{
    for (uint32_t i = 0; i < condition->nodes_count; i++) {
        const struct lex_node *node = &condition->nodes[i];
        bool compares = node->op >= LEX_OP_EQ && node->op <= LEX_OP_GE;
        bool tests = compares || node->op == LEX_OP_IN || node->op == LEX_OP_CONTAINS;
        if ((tests && is_spelling(policy, &node->a)) || (compares && is_spelling(policy, &node->b)))
            return true;
    }
    return false;
}

/* ---- lints ---- */

/* What a rule or constraint would rather not have in its conditions. */
struct unwanted {
    unsigned trends;
    bool spelling;
};

struct looked {
    struct lex_loader *loader;
    uint8_t *trends; /* of each condition */
    bool *spellings; /* likewise */
    size_t pairs_left;
};

static void look(struct looked *looked, const uint32_t *conditions, size_t count,
                 struct unwanted unwanted, uint16_t document, size_t at)
{
    const struct lex_policy *policy = looked->loader->policy;
    struct unwanted found = {0, false};
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        found.trends |= looked->trends[conditions[i]];
        found.spelling = found.spelling || looked->spellings[conditions[i]];
    }
    lex_load_enter(looked->loader, document);
    if (!all_can_hold(policy, conditions, count, &looked->pairs_left))
        lex_load_lint(looked->loader, LEX_LINT_UNSATISFIABLE, at,
                      "unsatisfiable: these conditions can never all hold");
    if ((found.trends & unwanted.trends) != 0)
        lex_load_lint(looked->loader, LEX_LINT_READS_RISK, at,
                      "reads risk, the tool or the data classes: more of them may raise this "
                      "verdict, which the laws of the language otherwise exclude");
    if (found.spelling && unwanted.spelling)
        lex_load_lint(
            looked->loader, LEX_LINT_READS_RISK, at,
            "compares a spelling: a request.* field is what the caller wrote, and another "
            "name of the same evades it; write resource == name, data_class == name, "
            "actor == name or action == name");
}

static void look_at_rule(struct looked *looked, const struct lex_rule *rule)
{
    struct unwanted unwanted = {
        .trends = rule->verb == LEX_VERB_FORBIDS ? TREND_FALLS : TREND_RISES,
        .spelling = rule->verb != LEX_VERB_PERMITS,
    };
    look(looked, lex_rule_conditions(rule), rule->conditions_count, unwanted, rule->document,
         rule->at);
}

static void look_at_constraint(struct looked *looked, const struct lex_constraint *constraint)
{
    bool advice = constraint->effect == LEX_EFFECT_ADVICE;
    unsigned bad = constraint->good_case ? TREND_RISES : TREND_FALLS;
    struct unwanted unwanted = {.trends = advice ? 0 : bad, .spelling = !advice};
    look(looked, constraint->conditions, constraint->conditions_count, unwanted,
         constraint->document, constraint->at);
}

LEX_STATUS lex_lint_conditions(struct lex_loader *loader)
{
    const struct lex_policy *policy = loader->policy;
    struct looked looked = {
        loader, lex_arena_calloc(&loader->tree, policy->conditions_count, sizeof(uint8_t)),
        lex_arena_calloc(&loader->tree, policy->conditions_count, sizeof(bool)), PAIRS_MAX};
    if (looked.trends == NULL || looked.spellings == NULL)
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < policy->conditions_count; i++) {
        looked.trends[i] = (uint8_t)trend_of(policy, &policy->conditions[i]);
        looked.spellings[i] = reads_spelling(policy, &policy->conditions[i]);
    }
    for (size_t i = 0; i < policy->rules_count; i++)
        look_at_rule(&looked, &policy->rules[i]);
    for (size_t i = 0; i < policy->constraints_count; i++)
        look_at_constraint(&looked, &policy->constraints[i]);
    return LEX_OK;
}
