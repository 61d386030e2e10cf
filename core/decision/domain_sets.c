/* Domain sets: which data classes, resources and modes a pair can tell apart. */
#include "core/decision/domain_parts.h"

/* ---- which terms the pair's rules name ---- */

struct marking {
    struct domain_marks marks;
    enum lex_kind kind;
};

static void mark_condition(struct domain *d, struct domain_pair *pair, int side,
                           const struct lex_condition *condition, void *context)
{
    struct marking *m = context;
    (void)pair;
    for (uint32_t i = 0; i < condition->nodes_count; i++) {
        const struct lex_node *node = &condition->nodes[i];
        if (node->op == LEX_OP_IS &&
            domain_kind_of(d->policy[side]->facts[node->a.fact].source) == m->kind)
            domain_mark(&m->marks, side, node->term);
    }
}

static struct domain_names alike(struct domain *d, struct domain_pair *pair, enum lex_kind kind)
{
    struct marking m = {domain_marks_new(d, &d->scratch, kind), kind};
    for (int side = 0; side < SIDES && !d->failed; side++) {
        const struct lex_policy *policy = d->policy[side];
        for (size_t i = 0; i < pair->rules_count[side]; i++) {
            const struct lex_rule *rule = pair->rules[side][i].rule;
            bool data = kind == LEX_KIND_DATA;
            const lex_term_id *ids = data ? lex_rule_objects(rule) : lex_rule_resources(rule);
            for (size_t k = 0; k < (data ? rule->objects_count : rule->resources_count); k++)
                domain_mark(&m.marks, side, ids[k]);
        }
        for (size_t i = 0; i < policy->conflicts_count; i++)
            if (policy->conflicts[i].kind == kind) {
                domain_mark(&m.marks, side, policy->conflicts[i].a);
                domain_mark(&m.marks, side, policy->conflicts[i].b);
            }
    }
    if (d->failed)
        return (struct domain_names){NULL, 0};
    domain_each_condition(d, pair, mark_condition, &m);
    return domain_collapse(d, &d->scratch, kind, &m.marks);
}

/* ---- how many classes at once ---- */

static unsigned classes_read(const struct lex_policy *policy, const uint32_t *numbers, size_t count)
{
    unsigned read = 0;
    for (size_t i = 0; i < count; i++) {
        const struct lex_condition *condition = &policy->conditions[numbers[i]];
        read += condition->reads_class;
        for (uint32_t n = 0; n < condition->nodes_count; n++) {
            const struct lex_node *node = &condition->nodes[n];
            read += domain_is_leaf(node) && node->a.kind == LEX_OPERAND_FACT &&
                    policy->facts[node->a.fact].source == LEX_FACT_REQUEST &&
                    policy->facts[node->a.fact].field == LEX_REQUEST_FIELD_DATA_CLASSES;
        }
    }
    return read;
}

static unsigned larger(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/* The places at which one rule, one constraint or one conflict looks at classes. */
static unsigned places(const struct domain *d, const struct domain_pair *pair, int side)
{
    const struct lex_policy *policy = d->policy[side];
    unsigned most = 1;
    for (size_t i = 0; i < pair->rules_count[side]; i++) {
        const struct lex_rule *rule = pair->rules[side][i].rule;
        unsigned objects = rule->objects_count != 0;
        most = larger(most, objects + classes_read(policy, lex_rule_conditions(rule),
                                                   rule->conditions_count));
    }
    for (size_t i = 0; i < policy->constraints_count; i++)
        most = larger(most, classes_read(policy, policy->constraints[i].conditions,
                                         policy->constraints[i].conditions_count));
    for (size_t i = 0; i < policy->conflicts_count; i++)
        if (policy->conflicts[i].kind == LEX_KIND_DATA)
            most = larger(most, 2);
    return most;
}

struct sets {
    const struct domain_name **items;
    size_t count, capacity; /* of sets, LEX_DIFF_CLASSES_MAX names each */
};

static void add_set(struct domain *d, struct sets *sets, const struct domain_name *const *names,
                    size_t count)
{
    void *items = sets->items;
    if (!domain_grow(d, &d->scratch, &items, sets->count, &sets->capacity,
                     LEX_DIFF_CLASSES_MAX * sizeof(const struct domain_name *)))
        return;
    sets->items = items;
    const struct domain_name **set = &sets->items[sets->count++ * LEX_DIFF_CLASSES_MAX];
    for (size_t i = 0; i < LEX_DIFF_CLASSES_MAX; i++)
        set[i] = i < count ? names[i] : NULL;
}

/* Sets of exactly `size`, in order, so that the small ones come first. */
static void add_sets(struct domain *d, struct sets *sets, const struct domain_names *all,
                     const struct domain_name **chosen, size_t have, size_t from, size_t size)
{
    if (have == size) {
        add_set(d, sets, chosen, size);
        return;
    }
    for (size_t i = from; i < all->count && !d->failed; i++) {
        chosen[have] = all->items[i];
        add_sets(d, sets, all, chosen, have + 1, i + 1, size);
    }
}

/* Two unknown classes are more than one: any conflict may have met. */
static struct domain_names with_second_unknown(struct domain *d, const struct domain_names *all)
{
    struct domain_names more = {NULL, all->count + 1};
    struct domain_name *second = domain_take(d, &d->scratch, 1, sizeof *second);
    more.items = domain_take(d, &d->scratch, more.count, sizeof(const struct domain_name *));
    if (d->failed)
        return *all;
    *second = *all->items[all->count - 1];
    second->text = d->unknown[LEX_KIND_DATA][1];
    memcpy(more.items, all->items, all->count * sizeof(const struct domain_name *));
    more.items[all->count] = second;
    return more;
}

static void make_class_sets(struct domain *d, struct domain_pair *pair)
{
    const struct domain_name *chosen[LEX_DIFF_CLASSES_MAX];
    struct domain_names names = alike(d, pair, LEX_KIND_DATA);
    struct sets sets = {NULL, 0, 0};
    unsigned most = larger(places(d, pair, OLD), places(d, pair, NEW));
    if (most > LEX_DIFF_CLASSES_MAX) {
        domain_small(pair, "a rule looks at data classes in more than three places");
        most = LEX_DIFF_CLASSES_MAX;
    }
    if (d->failed)
        return;
    if (most > 1)
        names = with_second_unknown(d, &names);
    for (size_t size = 0; size <= most; size++)
        add_sets(d, &sets, &names, chosen, 0, 0, size);
    pair->class_sets = sets.items;
    pair->class_sets_count = sets.count;
}

/* ---- the whole ---- */

static void make_modes(const struct domain *d, struct domain_pair *pair)
{
    pair->modes[pair->modes_count++] = LEX_MODE_UNSET;
    if (d->policy[OLD]->info.mode == LEX_MODE_PERMISSIVE ||
        d->policy[NEW]->info.mode == LEX_MODE_PERMISSIVE)
        pair->modes[pair->modes_count++] = LEX_MODE_STRICT;
    if (d->policy[OLD]->info.mode != LEX_MODE_PARANOID ||
        d->policy[NEW]->info.mode != LEX_MODE_PARANOID)
        pair->modes[pair->modes_count++] = LEX_MODE_PARANOID;
}

void domain_pair_sets(struct domain *d, struct domain_pair *pair)
{
    make_class_sets(d, pair);
    pair->resources = alike(d, pair, LEX_KIND_RESOURCE);
    make_modes(d, pair);
}
