/* Domain rules: what each rule says, whatever it is called and wherever it stands, and which rules
 * of two policies reach a pair of actor and action. */
#include <stdlib.h>

#include "core/decision/domain_parts.h"

/* ---- what is said, as a hash ---- */

static int by_bytes(const void *a, const void *b)
{
    const struct lex_hash *x = a, *y = b;
    return memcmp(x, y, sizeof *x);
}

static int by_text(const void *a, const void *b)
{
    const struct lex_span *x = a, *y = b;
    return lex_span_cmp(*x, *y);
}

static void put_text(struct lex_buf *buf, struct lex_span text)
{
    lex_buf_printf(buf, "%zu:", text.len);
    lex_buf_put_span(buf, text);
}

static void put_number(struct lex_buf *buf, int64_t number)
{
    lex_buf_printf(buf, "%lld;", (long long)number);
}

/* A fact's declaration is part of what a condition on it says. */
static void put_fact(struct lex_buf *buf, const struct lex_policy *policy, uint32_t index)
{
    if (index == UINT32_MAX)
        return;
    const struct lex_fact_info *fact = &policy->facts[index];
    put_text(buf, fact->name);
    put_number(buf, fact->type);
    put_number(buf, fact->required_declared);
    put_number(buf, fact->required);
    put_number(buf, fact->restricts);
    for (size_t i = 0; i < fact->attesters.count; i++)
        put_text(buf, fact->attesters.items[i]);
}

enum lex_kind domain_kind_of(enum lex_fact_source source)
{
    switch (source) {
    case LEX_FACT_DATA_CLASS: return LEX_KIND_DATA;
    case LEX_FACT_RESOURCE: return LEX_KIND_RESOURCE;
    case LEX_FACT_ACTOR: return LEX_KIND_ACTOR;
    case LEX_FACT_ACTION: return LEX_KIND_ACTION;
    default: return LEX_KIND_COUNT;
    }
}

static void put_leaf(struct lex_buf *buf, const struct lex_policy *policy,
                     const struct lex_node *node)
{
    if (node->a.kind == LEX_OPERAND_FACT)
        put_fact(buf, policy, node->a.fact);
    if (domain_has_b(node) && node->b.kind == LEX_OPERAND_FACT)
        put_fact(buf, policy, node->b.fact);
    if (node->op == LEX_OP_IS)
        put_text(buf, lex_policy_term(policy, domain_kind_of(policy->facts[node->a.fact].source),
                                      node->term)
                          ->canonical);
}

static void put_condition(struct lex_buf *buf, const struct lex_policy *policy,
                          const struct lex_condition *condition)
{
    put_number(buf, condition->type);
    put_text(buf, condition->text);
    for (uint32_t i = 0; i < condition->nodes_count; i++)
        if (domain_is_leaf(&condition->nodes[i]))
            put_leaf(buf, policy, &condition->nodes[i]);
    if (condition->type == LEX_CONDITION_APPROVAL)
        put_text(
            buf,
            condition->approval.approver == LEX_TERM_UNKNOWN
                ? policy->options.approver
                : lex_policy_term(policy, LEX_KIND_ACTOR, condition->approval.approver)->canonical);
    if (condition->type == LEX_CONDITION_RATE_LIMIT)
        put_fact(buf, policy, condition->rate.sum);
}

static struct lex_hash hash_of(struct domain *d, struct lex_buf *buf)
{
    struct lex_hash hash;
    struct lex_span bytes = lex_buf_span(buf);
    d->failed = d->failed || !lex_buf_ok(buf);
    lex_sha256(&bytes, 1, &hash);
    lex_buf_clear(buf);
    return hash;
}

static void put_terms(struct domain *d, struct lex_buf *buf, const struct lex_policy *policy,
                      enum lex_kind kind, const lex_term_id *ids, size_t count)
{
    struct lex_span *texts = domain_take(d, &d->scratch, count, sizeof *texts);
    if (texts == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        texts[i] = lex_policy_term(policy, kind, ids[i])->canonical;
    qsort(texts, count, sizeof *texts, by_text);
    put_number(buf, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        put_text(buf, texts[i]);
}

/* All must hold, so their order says nothing. */
static void put_conditions(struct domain *d, struct lex_buf *buf, int side, const uint32_t *numbers,
                           size_t count)
{
    struct lex_hash *hashes = domain_take(d, &d->scratch, count, sizeof *hashes);
    if (hashes == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        hashes[i] = d->conditions[side][numbers[i]];
    qsort(hashes, count, sizeof *hashes, by_bytes);
    lex_buf_put(buf, hashes, count * sizeof *hashes);
}

static void put_position(struct lex_buf *buf, const struct lex_policy *policy, enum lex_kind kind,
                         lex_term_id id)
{
    put_text(buf,
             id == LEX_TERM_ANY ? LEX_SPAN("*") : lex_policy_term(policy, kind, id)->canonical);
}

static void put_rule(struct domain *d, struct lex_buf *buf, int side, const struct lex_rule *rule)
{
    const struct lex_policy *policy = d->policy[side];
    put_number(buf, rule->verb);
    put_position(buf, policy, LEX_KIND_ACTOR, rule->actor);
    put_position(buf, policy, LEX_KIND_ACTION, rule->action);
    put_terms(d, buf, policy, LEX_KIND_DATA, lex_rule_objects(rule), rule->objects_count);
    put_terms(d, buf, policy, LEX_KIND_RESOURCE, lex_rule_resources(rule), rule->resources_count);
    put_conditions(d, buf, side, lex_rule_conditions(rule), rule->conditions_count);
}

static void put_constraint(struct domain *d, struct lex_buf *buf, int side,
                           const struct lex_constraint *constraint)
{
    put_number(buf,
               constraint->effect == LEX_EFFECT_THROTTLE ? LEX_EFFECT_DENY : constraint->effect);
    put_number(buf, constraint->good_case);
    put_number(buf, constraint->quorum);
    put_fact(buf, d->policy[side], constraint->done);
    put_conditions(d, buf, side, constraint->conditions, constraint->conditions_count);
}

static void put_conflict(struct lex_buf *buf, const struct lex_policy *policy,
                         const struct lex_conflict *conflict)
{
    struct lex_span names[] = {lex_policy_term(policy, conflict->kind, conflict->a)->canonical,
                               lex_policy_term(policy, conflict->kind, conflict->b)->canonical};
    qsort(names, 2, sizeof *names, by_text);
    put_number(buf, conflict->kind);
    put_text(buf, names[0]);
    put_text(buf, names[1]);
    put_number(buf, conflict->scope);
    put_number(buf, conflict->window_s);
}

/* ---- tables ---- */

static bool is_among(const struct lex_hash *sorted, size_t count, const struct lex_hash *hash)
{
    return count != 0 && bsearch(hash, sorted, count, sizeof *hash, by_bytes) != NULL;
}

/* Which of one side's hashes the other side has not. @return whether any */
static bool compare(struct domain *d, const struct lex_hash *own, size_t count,
                    const struct lex_hash *other, size_t other_count, bool *ret_changed)
{
    bool any = false;
    struct lex_hash *sorted = domain_take(d, &d->scratch, other_count, sizeof *sorted);
    if (sorted == NULL)
        return true;
    memcpy(sorted, other, other_count * sizeof *sorted);
    qsort(sorted, other_count, sizeof *sorted, by_bytes);
    for (size_t i = 0; i < count; i++) {
        ret_changed[i] = !is_among(sorted, other_count, &own[i]);
        any = any || ret_changed[i];
    }
    return any;
}

static void compare_constraints(struct domain *d, struct lex_buf *buf)
{
    struct lex_hash *hashes[SIDES];
    size_t count[SIDES];
    for (int side = 0; side < SIDES; side++) {
        const struct lex_policy *policy = d->policy[side];
        count[side] = policy->constraints_count;
        hashes[side] = domain_take(d, &d->keep, count[side], sizeof(struct lex_hash));
        d->changed[side] = domain_take(d, &d->keep, count[side], sizeof(bool));
        for (size_t i = 0; !d->failed && i < count[side]; i++) {
            if (domain_restricts(&policy->constraints[i]))
                put_constraint(d, buf, side, &policy->constraints[i]);
            else
                lex_buf_puts(buf, "advice"); /* all alike: they lower nothing */
            hashes[side][i] = hash_of(d, buf);
        }
    }
    if (d->failed)
        return;
    bool any = false;
    for (int side = 0; side < SIDES; side++) {
        (void)compare(d, hashes[side], count[side], hashes[!side], count[!side], d->changed[side]);
        for (size_t i = 0; i < count[side]; i++) {
            d->changed[side][i] =
                d->changed[side][i] && domain_restricts(&d->policy[side]->constraints[i]);
            any = any || d->changed[side][i];
        }
    }
    d->same_constraints = !any;
}

static void compare_conflicts(struct domain *d, struct lex_buf *buf)
{
    struct lex_hash *hashes[SIDES];
    size_t count[SIDES];
    for (int side = 0; side < SIDES; side++) {
        const struct lex_policy *policy = d->policy[side];
        count[side] = policy->conflicts_count;
        hashes[side] = domain_take(d, &d->keep, count[side], sizeof(struct lex_hash));
        d->conflict_changed[side] = domain_take(d, &d->keep, count[side], sizeof(bool));
        for (size_t i = 0; !d->failed && i < count[side]; i++) {
            put_conflict(buf, policy, &policy->conflicts[i]);
            hashes[side][i] = hash_of(d, buf);
        }
    }
    for (int side = 0; side < SIDES && !d->failed; side++)
        (void)compare(d, hashes[side], count[side], hashes[!side], count[!side],
                      d->conflict_changed[side]);
}

static bool same_options(const struct lex_policy *a, const struct lex_policy *b)
{
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++)
        if (a->options.open_world[kind] != b->options.open_world[kind])
            return false;
    return a->options.undeclared_is_none == b->options.undeclared_is_none &&
           a->options.context_trust == b->options.context_trust &&
           lex_span_eq(a->options.approver, b->options.approver) &&
           (a->options.approver_term == LEX_TERM_UNKNOWN) ==
               (b->options.approver_term == LEX_TERM_UNKNOWN) &&
           a->info.mode == b->info.mode && a->info.effective_from_us == b->info.effective_from_us &&
           a->info.effective_until_us == b->info.effective_until_us;
}

static void hash_side(struct domain *d, struct lex_buf *buf, int side)
{
    const struct lex_policy *policy = d->policy[side];
    d->conditions[side] =
        domain_take(d, &d->keep, policy->conditions_count, sizeof(struct lex_hash));
    d->rules[side] = domain_take(d, &d->keep, policy->rules_count, sizeof(struct lex_hash));
    for (size_t i = 0; !d->failed && i < policy->conditions_count; i++) {
        put_condition(buf, policy, &policy->conditions[i]);
        d->conditions[side][i] = hash_of(d, buf);
    }
    for (size_t i = 0; !d->failed && i < policy->rules_count; i++) {
        put_rule(d, buf, side, &policy->rules[i]);
        d->rules[side][i] = hash_of(d, buf);
        lex_arena_reset(&d->scratch);
    }
}

void domain_build_rules(struct domain *d)
{
    struct lex_buf buf;
    lex_buf_init(&buf, SIZE_MAX / 2);
    for (int side = 0; side < SIDES; side++)
        hash_side(d, &buf, side);
    compare_constraints(d, &buf);
    compare_conflicts(d, &buf);
    d->same_options = same_options(d->policy[OLD], d->policy[NEW]);
    lex_arena_reset(&d->scratch);
    lex_buf_fini(&buf);
}

/* ---- which terms are named ---- */

static void mark_rule(const struct lex_rule *rule, int side, enum lex_kind kind,
                      struct domain_marks *marks)
{
    if (kind == LEX_KIND_ACTOR)
        domain_mark(marks, side, rule->actor);
    if (kind == LEX_KIND_ACTION)
        domain_mark(marks, side, rule->action);
    for (size_t i = 0; kind == LEX_KIND_DATA && i < rule->objects_count; i++)
        domain_mark(marks, side, lex_rule_objects(rule)[i]);
    for (size_t i = 0; kind == LEX_KIND_RESOURCE && i < rule->resources_count; i++)
        domain_mark(marks, side, lex_rule_resources(rule)[i]);
}

void domain_mark_all(const struct domain *d, enum lex_kind kind, struct domain_marks *marks)
{
    for (int side = 0; side < SIDES; side++) {
        const struct lex_policy *policy = d->policy[side];
        for (size_t i = 0; i < policy->rules_count; i++)
            mark_rule(&policy->rules[i], side, kind, marks);
        for (size_t i = 0; i < policy->conflicts_count; i++)
            if (policy->conflicts[i].kind == kind) {
                domain_mark(marks, side, policy->conflicts[i].a);
                domain_mark(marks, side, policy->conflicts[i].b);
            }
        for (size_t i = 0; i < policy->conditions_count; i++) {
            const struct lex_condition *condition = &policy->conditions[i];
            for (uint32_t n = 0; n < condition->nodes_count; n++)
                if (condition->nodes[n].op == LEX_OP_IS &&
                    domain_kind_of(policy->facts[condition->nodes[n].a.fact].source) == kind)
                    domain_mark(marks, side, condition->nodes[n].term);
        }
    }
}

void domain_mark_approvers(const struct domain *d, struct domain_marks *marks)
{
    for (int side = 0; side < SIDES; side++) {
        const struct lex_policy *policy = d->policy[side];
        for (size_t i = 0; i < policy->conditions_count; i++)
            if (policy->conditions[i].type == LEX_CONDITION_APPROVAL)
                domain_mark(marks, side, policy->conditions[i].approval.approver);
        domain_mark(marks, side, policy->options.approver_term);
    }
}

/* ---- the rules of a pair ---- */

static void add_actor(struct domain *d, struct lex_term_list *list, const struct lex_policy *policy,
                      lex_term_id id)
{
    if (!domain_known(id))
        return;
    const struct lex_terms_above *above = &lex_policy_term(policy, LEX_KIND_ACTOR, id)->above;
    lex_term_id *items = domain_take(d, &d->scratch, list->count + above->count + 1, sizeof *items);
    if (items == NULL)
        return;
    if (list->count != 0)
        memcpy(items, list->items, list->count * sizeof *items);
    size_t count = list->count;
    for (size_t i = 0; i <= above->count; i++) {
        lex_term_id next = i == 0 ? id : above->items[i - 1];
        bool there = false;
        for (size_t k = 0; k < list->count; k++)
            there = there || items[k] == next;
        if (!there)
            items[count++] = next;
    }
    list->items = items;
    list->count = count;
}

static bool permits_cover(const struct lex_policy *policy, const struct lex_rule *rule,
                          lex_term_id action)
{
    if (rule->verb != LEX_VERB_PERMITS || rule->action == LEX_TERM_ANY || rule->action == action)
        return true;
    const struct lex_terms_above *granted =
        &lex_policy_term(policy, LEX_KIND_ACTION, action)->granted;
    for (size_t i = 0; i < granted->count; i++)
        if (granted->items[i] == rule->action)
            return true;
    return false;
}

/* @param below  the action stands below the pair's and only lends its permits */
static void add_pair(struct domain *d, struct domain_pair *pair, int side, size_t *capacity,
                     lex_term_id actor, lex_term_id action, bool below)
{
    const struct lex_policy *policy = d->policy[side];
    const struct lex_rule *rule = lex_policy_pair(policy, actor, action);
    for (bool more = rule != NULL; more; rule++) {
        void *rules = pair->rules[side];
        more = !rule->last;
        if ((below && rule->verb != LEX_VERB_PERMITS) ||
            !permits_cover(policy, rule, pair->action->term[side]) ||
            !domain_grow(d, &d->scratch, &rules, pair->rules_count[side], capacity,
                         sizeof(struct domain_rule)))
            continue;
        pair->rules[side] = rules;
        pair->rules[side][pair->rules_count[side]++] = (struct domain_rule){rule, false};
    }
}

static void add_rules_of(struct domain *d, struct domain_pair *pair, int side, size_t *capacity,
                         lex_term_id actor)
{
    lex_term_id action = pair->action->term[side];
    add_pair(d, pair, side, capacity, actor, LEX_TERM_ANY, false);
    if (!domain_known(action))
        return;
    const struct lex_term *term = lex_policy_term(d->policy[side], LEX_KIND_ACTION, action);
    add_pair(d, pair, side, capacity, actor, action, false);
    for (size_t i = 0; i < term->above.count; i++)
        add_pair(d, pair, side, capacity, actor, term->above.items[i], false);
    for (size_t i = 0; i < term->granted.count; i++)
        if (!lex_policy_is_a(d->policy[side], LEX_KIND_ACTION, action, term->granted.items[i]))
            add_pair(d, pair, side, capacity, actor, term->granted.items[i], true);
}

static void add_rules(struct domain *d, struct domain_pair *pair, int side)
{
    size_t capacity = 0;
    add_rules_of(d, pair, side, &capacity, LEX_TERM_ANY);
    for (size_t i = 0; i < pair->actors[side].count; i++)
        add_rules_of(d, pair, side, &capacity, pair->actors[side].items[i]);
}

/* @return whether each side's rules here are among the other's */
static bool mark_changed(struct domain *d, struct domain_pair *pair)
{
    bool same = true;
    for (int side = 0; side < SIDES && !d->failed; side++) {
        size_t count = pair->rules_count[!side];
        struct lex_hash *other = domain_take(d, &d->scratch, count, sizeof *other);
        if (other == NULL)
            return false;
        for (size_t i = 0; i < count; i++)
            other[i] = d->rules[!side][pair->rules[!side][i].rule - d->policy[!side]->rules];
        qsort(other, count, sizeof *other, by_bytes);
        for (size_t i = 0; i < pair->rules_count[side]; i++) {
            struct domain_rule *rule = &pair->rules[side][i];
            rule->changed =
                !is_among(other, count, &d->rules[side][rule->rule - d->policy[side]->rules]);
            same = same && !rule->changed;
        }
    }
    return same;
}

static bool meets_conflict(const struct domain *d, const struct domain_pair *pair, int side,
                           const struct lex_conflict *conflict)
{
    switch (conflict->kind) {
    case LEX_KIND_DATA: return true;
    case LEX_KIND_ACTION:
        return domain_is_a(d, side, LEX_KIND_ACTION, pair->action, conflict->a) ||
               domain_is_a(d, side, LEX_KIND_ACTION, pair->action, conflict->b);
    default:
        for (size_t i = 0; i < pair->actors[side].count; i++)
            if (pair->actors[side].items[i] == conflict->a ||
                pair->actors[side].items[i] == conflict->b)
                return true;
        return false;
    }
}

static bool same_conflicts(const struct domain *d, struct domain_pair *pair)
{
    bool same = true;
    for (int side = 0; side < SIDES; side++)
        for (size_t i = 0; i < d->policy[side]->conflicts_count; i++) {
            const struct lex_conflict *conflict = &d->policy[side]->conflicts[i];
            if (!meets_conflict(d, pair, side, conflict))
                continue;
            same = same && !d->conflict_changed[side][i];
            pair->duties = pair->duties || conflict->kind == LEX_KIND_ACTION;
        }
    return same;
}

void domain_pair_rules(struct domain *d, struct domain_pair *pair)
{
    for (int side = 0; side < SIDES; side++) {
        add_actor(d, &pair->actors[side], d->policy[side], pair->actor->term[side]);
        if (pair->role != NULL)
            add_actor(d, &pair->actors[side], d->policy[side], pair->role->term[side]);
        add_rules(d, pair, side);
    }
    bool rules = mark_changed(d, pair), conflicts = same_conflicts(d, pair);
    pair->same = rules && conflicts && d->same_constraints && d->same_options &&
                 pair->actor->same && pair->action->same &&
                 (pair->role == NULL || pair->role->same) && d->same_kind[LEX_KIND_DATA] &&
                 d->same_kind[LEX_KIND_RESOURCE] && d->same_kind[LEX_KIND_ACTOR];
}

void domain_each_condition(struct domain *d, struct domain_pair *pair, domain_visit *visit,
                           void *context)
{
    for (int side = 0; side < SIDES; side++) {
        const struct lex_policy *policy = d->policy[side];
        for (size_t i = 0; i < pair->rules_count[side]; i++) {
            const struct lex_rule *rule = pair->rules[side][i].rule;
            for (unsigned k = 0; k < rule->conditions_count; k++)
                visit(d, pair, side, &policy->conditions[lex_rule_conditions(rule)[k]], context);
        }
        for (size_t i = 0; i < policy->constraints_count; i++)
            for (uint32_t k = 0; domain_restricts(&policy->constraints[i]) &&
                                 k < policy->constraints[i].conditions_count;
                 k++)
                visit(d, pair, side, &policy->conditions[policy->constraints[i].conditions[k]],
                      context);
    }
}
