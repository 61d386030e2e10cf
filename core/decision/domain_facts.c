/* Domain facts: which values of which facts a pair can tell apart.
 *
 * Of each fact all the constants are collected that it is compared with; between them nothing can
 * change. Facts that only rules read which both policies have, and which only restrict, are not
 * varied: they are set once such that those rules do not apply. */
#include <stdlib.h>

#include "core/decision/domain_parts.h"

enum { USES_MAX = LEX_DIFF_DIMENSIONS_MAX - DIM_FACTS, CONSTANTS_MAX = 64, HOLD_MAX = 4096 };

/* What is known of one fact. */
struct use {
    struct lex_span name, path;
    enum lex_fact_source source;
    uint8_t field;
    bool varied; /* else held */
    bool truth, boolean, exists, ordered;
    double numbers[CONSTANTS_MAX];
    struct lex_span strings[CONSTANTS_MAX], parts[CONSTANTS_MAX];
    size_t numbers_count, strings_count, parts_count;
};

struct uses {
    struct use *items;
    size_t count;
    bool varied; /* of what is collected now */
    bool risk;
    double risks[CONSTANTS_MAX];
    size_t risks_count;
};

/* ---- collecting ---- */

static void add_number(struct domain_pair *pair, double *numbers, size_t *count, double number)
{
    for (size_t i = 0; i < *count; i++)
        if (!(numbers[i] < number) && !(numbers[i] > number))
            return;
    if (*count == CONSTANTS_MAX)
        domain_small(pair, "a fact is compared with more than 64 numbers");
    else
        numbers[(*count)++] = number;
}

static void add_text(struct domain_pair *pair, struct lex_span *texts, size_t *count,
                     struct lex_span text)
{
    for (size_t i = 0; i < *count; i++)
        if (lex_span_eq(texts[i], text))
            return;
    if (*count == CONSTANTS_MAX)
        domain_small(pair, "a fact is compared with more than 64 texts");
    else
        texts[(*count)++] = text;
}

/* A field that only the dimensions vary, or a set: no fact of its own. */
static bool is_own(const struct lex_fact_info *fact)
{
    switch (fact->source) {
    case LEX_FACT_CONTEXT:
    case LEX_FACT_ARGUMENT:
    case LEX_FACT_TOKEN: return true;
    case LEX_FACT_REQUEST:
        return fact->field == LEX_REQUEST_FIELD_TOOL ||
               fact->field == LEX_REQUEST_FIELD_USER_INTENT ||
               fact->field == LEX_REQUEST_FIELD_REQUESTED_OUTPUT_TYPE ||
               fact->field == LEX_REQUEST_FIELD_USER_ID;
    default: return false;
    }
}

static struct use *use_of(struct domain_pair *pair, struct uses *uses,
                          const struct lex_fact_info *fact)
{
    uses->risk = uses->risk || fact->source == LEX_FACT_RISK_LEVEL ||
                 fact->source == LEX_FACT_RISK_SCORE ||
                 (fact->source == LEX_FACT_REQUEST && fact->field == LEX_REQUEST_FIELD_RISK_LEVEL);
    if (!is_own(fact))
        return NULL;
    for (size_t i = 0; i < uses->count; i++)
        if (lex_span_eq(uses->items[i].name, fact->name)) {
            uses->items[i].varied = uses->items[i].varied || uses->varied;
            return &uses->items[i];
        }
    if (uses->count == USES_MAX) {
        domain_small(pair, "more facts than are varied");
        return NULL;
    }
    struct use *use = &uses->items[uses->count++];
    *use = (struct use){.name = fact->name,
                        .path = fact->path,
                        .source = fact->source,
                        .field = fact->field,
                        .varied = uses->varied};
    return use;
}

static void add_operand(struct domain_pair *pair, struct use *use, const struct lex_node *node,
                        const struct lex_operand *other)
{
    bool part = node->op == LEX_OP_CONTAINS;
    switch (other->kind) {
    case LEX_OPERAND_FACT: /* another fact: below, equal, above */
        add_number(pair, use->numbers, &use->numbers_count, 1);
        add_number(pair, use->numbers, &use->numbers_count, 2);
        break;
    case LEX_OPERAND_BOOL: use->boolean = true; break;
    case LEX_OPERAND_NUMBER:
        add_number(pair, use->numbers, &use->numbers_count, other->number);
        use->ordered = use->ordered || (node->op >= LEX_OP_LT && node->op <= LEX_OP_GE);
        break;
    case LEX_OPERAND_STRING:
        add_text(pair, part ? use->parts : use->strings,
                 part ? &use->parts_count : &use->strings_count, other->text);
        break;
    }
}

static void add_risk(struct domain_pair *pair, struct uses *uses, const struct lex_fact_info *fact,
                     const struct lex_operand *other)
{
    if (fact->source == LEX_FACT_RISK_SCORE && other->kind == LEX_OPERAND_NUMBER)
        add_number(pair, uses->risks, &uses->risks_count, other->number);
}

static void add_node(struct domain_pair *pair, struct uses *uses, const struct lex_policy *policy,
                     const struct lex_node *node)
{
    struct use *use;
    if (node->a.kind == LEX_OPERAND_FACT) {
        const struct lex_fact_info *fact = &policy->facts[node->a.fact];
        use = use_of(pair, uses, fact);
        if (domain_has_b(node))
            add_risk(pair, uses, fact, &node->b);
        if (use != NULL && domain_has_b(node))
            add_operand(pair, use, node, &node->b);
        for (size_t i = 0; use != NULL && node->op == LEX_OP_IN && i < node->list.count; i++)
            add_operand(pair, use, node, &node->list.items[i]);
        if (use != NULL) {
            use->truth = use->truth || node->op == LEX_OP_TRUTH;
            use->exists = use->exists || node->op == LEX_OP_EXISTS;
        }
    }
    if (domain_has_b(node) && node->b.kind == LEX_OPERAND_FACT) {
        use = use_of(pair, uses, &policy->facts[node->b.fact]);
        add_risk(pair, uses, &policy->facts[node->b.fact], &node->a);
        if (use != NULL)
            add_operand(pair, use, node, &node->a);
    }
}

static void add_conditions(struct domain_pair *pair, struct uses *uses,
                           const struct lex_policy *policy, const uint32_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct lex_condition *condition = &policy->conditions[numbers[i]];
        for (uint32_t n = 0; n < condition->nodes_count; n++)
            if (domain_is_leaf(&condition->nodes[n]))
                add_node(pair, uses, policy, &condition->nodes[n]);
        if (condition->type != LEX_CONDITION_RATE_LIMIT || condition->rate.sum == UINT32_MAX)
            continue;
        struct use *use = use_of(pair, uses, &policy->facts[condition->rate.sum]);
        if (use == NULL)
            continue;
        use->ordered = true;
        add_number(pair, use->numbers, &use->numbers_count, (double)condition->rate.max / 1e6);
    }
}

static void add_done(struct domain_pair *pair, struct uses *uses, const struct lex_policy *policy,
                     const struct lex_constraint *constraint)
{
    struct use *use = constraint->done == UINT32_MAX
                          ? NULL
                          : use_of(pair, uses, &policy->facts[constraint->done]);
    if (use != NULL)
        use->truth = true;
}

/* @param varied  permits and what changed; else what both policies have and only restricts */
static void collect(struct domain *d, struct domain_pair *pair, struct uses *uses, bool varied)
{
    uses->varied = varied;
    for (int side = 0; side < SIDES; side++) {
        const struct lex_policy *policy = d->policy[side];
        for (size_t i = 0; i < pair->rules_count[side]; i++) {
            const struct domain_rule *rule = &pair->rules[side][i];
            if ((rule->changed || rule->rule->verb == LEX_VERB_PERMITS) == varied)
                add_conditions(pair, uses, policy, lex_rule_conditions(rule->rule),
                               rule->rule->conditions_count);
        }
        for (size_t i = 0; i < policy->constraints_count; i++) {
            const struct lex_constraint *constraint = &policy->constraints[i];
            if (!domain_restricts(constraint) || d->changed[side][i] != varied)
                continue;
            add_conditions(pair, uses, policy, constraint->conditions,
                           constraint->conditions_count);
            add_done(pair, uses, policy, constraint);
        }
    }
}

/* ---- values ---- */

struct options {
    struct domain *d;
    struct domain_variable *variable;
    size_t capacity;
    const struct lex_span *issuers;
    size_t issuers_count;
};

static void add_option(struct options *o, enum domain_how how, const struct lex_value *value,
                       struct lex_span issuer)
{
    void *items = o->variable->options;
    if (!domain_grow(o->d, &o->d->scratch, &items, o->variable->options_count, &o->capacity,
                     sizeof(struct domain_option)))
        return;
    o->variable->options = items;
    o->variable->options[o->variable->options_count++] =
        (struct domain_option){how, *value, issuer};
}

/* In each way that it can be said. */
static void add_value(struct options *o, const struct lex_value *value)
{
    static const struct lex_span none = {NULL, 0};
    if (o->variable->source != LEX_FACT_CONTEXT) {
        if (o->variable->source != LEX_FACT_REQUEST || value->type == LEX_VALUE_STRING)
            add_option(o, HOW_REQUEST, value, none);
        return;
    }
    for (size_t i = 0; i < o->issuers_count; i++)
        add_option(o, HOW_ATTESTED, value, o->issuers[i]);
    add_option(o, HOW_CALLER, value, none);
}

static void add_boolean(struct options *o, bool truth)
{
    add_value(o, &(struct lex_value){LEX_VALUE_BOOL, {.boolean = truth}});
}

static void add_double(struct options *o, double number)
{
    add_value(o, &(struct lex_value){LEX_VALUE_DOUBLE, {.f64 = number}});
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* On each constant; where order counts also below, between and above. */
static void add_numbers(struct options *o, struct use *use, bool ordered)
{
    size_t count = use->numbers_count;
    if (count == 0)
        return;
    qsort(use->numbers, count, sizeof *use->numbers, by_value);
    if (ordered)
        add_double(o, use->numbers[0] - 1);
    for (size_t i = 0; i < count; i++) {
        add_double(o, use->numbers[i]);
        if (ordered && i + 1 < count)
            add_double(o, use->numbers[i] + (use->numbers[i + 1] - use->numbers[i]) / 2);
    }
    add_double(o, use->numbers[count - 1] + 1);
}

static void add_string(struct options *o, struct lex_span text)
{
    add_value(o, &(struct lex_value){LEX_VALUE_STRING, {.text = text}});
}

static void add_list(struct options *o, const struct use *use, uint64_t mask)
{
    size_t count = 0;
    struct lex_span *items = domain_take(o->d, &o->d->scratch, use->parts_count, sizeof *items);
    for (size_t i = 0; items != NULL && i < use->parts_count; i++)
        if ((mask >> i & 1) != 0)
            items[count++] = use->parts[i];
    if (items != NULL)
        add_value(o, &(struct lex_value){LEX_VALUE_LIST, {.list = {items, count}}});
}

/* With and without each element: every choice of up to three, else none, one or all. */
static void add_lists(struct options *o, struct domain_pair *pair, const struct use *use)
{
    size_t count = use->parts_count;
    if (count == 0)
        return;
    if (count <= 3) {
        for (uint64_t mask = 0; mask < (uint64_t)1 << count; mask++)
            add_list(o, use, mask);
        return;
    }
    domain_small(pair, "a list is searched for more than three elements");
    add_list(o, use, 0);
    for (size_t i = 0; i < count; i++)
        add_list(o, use, (uint64_t)1 << i);
    add_list(o, use, UINT64_MAX);
}

/* ---- who attests ---- */

static bool may_attest(const struct domain *d, int side, struct lex_span name,
                       struct lex_span issuer)
{
    uint32_t index = lex_policy_fact(d->policy[side], name);
    if (index == UINT32_MAX)
        return true;
    const struct lex_span_list *attesters = &d->policy[side]->facts[index].attesters;
    for (size_t i = 0; i < attesters->count; i++)
        if (lex_span_eq(attesters->items[i], issuer))
            return true;
    return attesters->count == 0;
}

/* One issuer for each combination of policies that take its word; whom neither trusts is nobody. */
static void find_issuers(struct options *o, struct lex_span out[4])
{
    struct domain *d = o->d;
    unsigned seen = 1;
    for (int side = 0; side < SIDES; side++) {
        uint32_t index = lex_policy_fact(d->policy[side], o->variable->name);
        size_t count = index == UINT32_MAX ? 0 : d->policy[side]->facts[index].attesters.count;
        for (size_t i = 0; i <= count; i++) {
            struct lex_span issuer = i < count ? d->policy[side]->facts[index].attesters.items[i]
                                               : (struct lex_span){NULL, 0};
            unsigned bits = (unsigned)may_attest(d, OLD, o->variable->name, issuer) |
                            (unsigned)may_attest(d, NEW, o->variable->name, issuer) << 1;
            if ((seen >> bits & 1) != 0)
                continue;
            seen |= 1u << bits;
            out[o->issuers_count++] = issuer;
        }
    }
}

static void make_options(struct domain *d, struct domain_pair *pair, struct use *use,
                         struct domain_variable *variable)
{
    struct lex_span issuers[4];
    struct options o = {.d = d, .variable = variable, .issuers = issuers};
    *variable = (struct domain_variable){
        .name = use->name, .path = use->path, .source = use->source, .field = use->field};
    find_issuers(&o, issuers);
    add_option(&o, HOW_ABSENT, &(struct lex_value){.type = LEX_VALUE_NULL},
               (struct lex_span){NULL, 0});
    bool bare = use->numbers_count + use->strings_count + use->parts_count == 0;
    if (use->truth || use->boolean || bare) {
        add_boolean(&o, true);
        if (use->truth || use->boolean)
            add_boolean(&o, false);
    }
    add_numbers(&o, use, use->ordered || use->numbers_count > 1);
    for (size_t i = 0; i < use->strings_count; i++)
        add_string(&o, use->strings[i]);
    if (use->strings_count != 0 || use->source == LEX_FACT_REQUEST)
        add_string(&o, LEX_SPAN("another"));
    add_lists(&o, pair, use);
}

/* ---- holding open ---- */

/* A rule that both policies have and that can only lower a verdict. */
struct restriction {
    int side;
    const struct lex_rule *rule;
    const struct lex_constraint *constraint;
    const uint32_t *conditions;
    size_t count;
    bool good; /* it does not apply when all conditions hold; else when one does not */
};

struct holder {
    struct domain *d;
    struct domain_pair *pair;
    struct uses *uses;
    struct domain_variable *all; /* beside uses->items */
    size_t mine[USES_MAX];       /* held facts that the restriction reads */
    size_t mine_count;
    bool again; /* only look: a later restriction may have set a fact otherwise */
};

static void find_mine(struct holder *h, const struct restriction *r)
{
    const struct lex_policy *policy = h->d->policy[r->side];
    h->mine_count = 0;
    for (size_t u = 0; u < h->uses->count; u++) {
        uint32_t fact = lex_policy_fact(policy, h->uses->items[u].name);
        bool reads = r->constraint != NULL && r->constraint->done == fact && fact != UINT32_MAX;
        for (size_t i = 0; i < r->count; i++) {
            const struct lex_condition *condition = &policy->conditions[r->conditions[i]];
            for (uint32_t n = 0; n < condition->nodes_count; n++) {
                const struct lex_node *node = &condition->nodes[n];
                reads = reads ||
                        (domain_is_leaf(node) && node->a.kind == LEX_OPERAND_FACT &&
                         node->a.fact == fact) ||
                        (domain_has_b(node) && node->b.kind == LEX_OPERAND_FACT &&
                         node->b.fact == fact);
            }
            reads = reads || (condition->type == LEX_CONDITION_RATE_LIMIT &&
                              condition->rate.sum == fact && fact != UINT32_MAX);
        }
        if (reads && !h->uses->items[u].varied)
            h->mine[h->mine_count++] = u;
    }
}

/* Conditions on time, approvals, rates and sets have dimensions of their own. */
static bool is_about_facts(const struct domain *d, const struct restriction *r,
                           const struct lex_condition *condition)
{
    for (uint32_t n = 0; n < condition->nodes_count; n++)
        if (domain_is_leaf(&condition->nodes[n]) &&
            condition->nodes[n].a.kind == LEX_OPERAND_FACT &&
            is_own(&d->policy[r->side]->facts[condition->nodes[n].a.fact]))
            return true;
    return false;
}

static bool is_open(struct holder *h, const struct restriction *r)
{
    static const uint32_t zeros[LEX_DIFF_DIMENSIONS_MAX] = {0};
    struct domain_point point;
    struct lex_decision scratch;
    struct lex_eval eval;
    bool all = true, none = true;
    if (!domain_make_point(h->d, h->pair, zeros, &point))
        return false;
    struct lex_decide_input input = {.policy = h->d->policy[r->side],
                                     .request = &point.request,
                                     .facts = &point.facts,
                                     .now_us = point.now_us,
                                     .ttl_us = 1};
    (void)lex_eval_begin(&eval, &input, &h->d->work, &scratch);
    eval.action = eval.actions[0];
    for (size_t i = 0; i < r->count; i++) {
        const struct lex_condition *condition =
            &h->d->policy[r->side]->conditions[r->conditions[i]];
        if (!is_about_facts(h->d, r, condition))
            continue;
        struct lex_truth truth = lex_eval_condition(
            &eval, r->rule, condition, r->good ? LEX_SIDE_GRANT : LEX_SIDE_RESTRICTION);
        all = all && truth.trusted == LEX_TRUE;
        none = none && truth.trusted != LEX_FALSE;
    }
    return r->good ? all : !none;
}

/* The held facts of a restriction, counted through: false when there is no next. */
static bool next_choice(struct holder *h)
{
    for (size_t i = 0; i < h->mine_count; i++) {
        struct domain_variable *variable = &h->all[h->mine[i]];
        while (++variable->chosen < variable->options_count)
            if (variable->options[variable->chosen].how != HOW_CALLER)
                return true;
        variable->chosen = 0;
    }
    return false;
}

/* Facts that a former restriction set stay as they are unless nothing else will do. */
static void hold_open(struct holder *h, const struct restriction *r)
{
    size_t tries = 0;
    bool open;
    find_mine(h, r);
    if (h->mine_count == 0)
        return;
    do {
        open = is_open(h, r);
        lex_arena_reset(&h->d->work);
    } while (!open && !h->again && ++tries < HOLD_MAX && next_choice(h));
    for (size_t i = 0; !open && i < h->mine_count; i++)
        h->uses->items[h->mine[i]].varied = true; /* no way found: so all are tried */
}

static void hold_constraint(struct holder *h, int side, const struct lex_constraint *constraint)
{
    struct restriction r = {side,
                            NULL,
                            constraint,
                            constraint->conditions,
                            constraint->conditions_count,
                            constraint->good_case};
    for (size_t u = 0; constraint->done != UINT32_MAX && u < h->uses->count; u++)
        if (!h->uses->items[u].varied &&
            lex_policy_fact(h->d->policy[side], h->uses->items[u].name) == constraint->done)
            h->all[u].chosen = 1; /* attested as done */
    if (constraint->done == UINT32_MAX)
        hold_open(h, &r);
}

static void hold_all(struct holder *h)
{
    const struct domain_pair *pair = h->pair;
    for (int side = 0; side < SIDES; side++) {
        const struct lex_policy *policy = h->d->policy[side];
        for (size_t i = 0; i < pair->rules_count[side]; i++) {
            const struct lex_rule *rule = pair->rules[side][i].rule;
            struct restriction r = {side,
                                    rule,
                                    NULL,
                                    lex_rule_conditions(rule),
                                    rule->conditions_count,
                                    rule->verb == LEX_VERB_REQUIRES};
            if (!pair->rules[side][i].changed && rule->verb != LEX_VERB_PERMITS)
                hold_open(h, &r);
        }
        for (size_t i = 0; i < policy->constraints_count; i++)
            if (domain_restricts(&policy->constraints[i]) && !h->d->changed[side][i])
                hold_constraint(h, side, &policy->constraints[i]);
    }
}

/* ---- risk ---- */

static void add_risk_option(struct domain *d, struct domain_pair *pair, size_t *capacity,
                            int32_t level, int32_t assessed)
{
    void *items = pair->risks;
    for (size_t i = 0; i < pair->risks_count; i++)
        if (pair->risks[i].level == level && pair->risks[i].assessed == assessed)
            return;
    if (!domain_grow(d, &d->scratch, &items, pair->risks_count, capacity, sizeof *pair->risks))
        return;
    pair->risks = items;
    pair->risks[pair->risks_count++] = (struct domain_risk){level, assessed};
}

/* The gate stands at 80 in both policies: it tells nothing unless who passes it differs. */
static void make_risks(struct domain *d, struct domain_pair *pair, const struct uses *uses)
{
    size_t capacity = 0;
    add_risk_option(d, pair, &capacity, 1, 0);
    for (int32_t level = 2; uses->risk && level <= 5; level++)
        add_risk_option(d, pair, &capacity, level, 0);
    for (size_t i = 0; i < uses->risks_count; i++)
        for (int32_t step = -1; step <= 1; step++)
            if (uses->risks[i] + step >= 0 && uses->risks[i] + step <= 100)
                add_risk_option(d, pair, &capacity, 1, (int32_t)(uses->risks[i] + step));
    if (!pair->action->same || !d->same_options || !d->same_kind[LEX_KIND_ACTOR]) {
        add_risk_option(d, pair, &capacity, 4, 0);
        add_risk_option(d, pair, &capacity, 1, 80);
    }
}

/* ---- the whole ---- */

void domain_pair_facts(struct domain *d, struct domain_pair *pair)
{
    struct uses uses = {.items = domain_take(d, &d->scratch, USES_MAX, sizeof(struct use))};
    struct holder h = {.d = d, .pair = pair, .uses = &uses};
    h.all = domain_take(d, &d->scratch, USES_MAX, sizeof *h.all);
    pair->variables = domain_take(d, &d->scratch, USES_MAX, sizeof *pair->variables);
    if (d->failed)
        return;
    collect(d, pair, &uses, true);
    collect(d, pair, &uses, false);
    make_risks(d, pair, &uses);
    for (size_t i = 0; i < uses.count; i++)
        make_options(d, pair, &uses.items[i], &h.all[i]);
    pair->fixed = h.all;
    pair->fixed_count = uses.count;
    for (int round = 0; round < 2 && !d->failed; round++) {
        h.again = round == 1;
        hold_all(&h);
    }
    pair->fixed_count = 0;
    for (size_t i = 0; i < uses.count; i++)
        if (uses.items[i].varied)
            pair->variables[pair->variables_count++] = h.all[i];
        else if (h.all[i].chosen != 0)
            pair->fixed[pair->fixed_count++] = h.all[i];
}
