/* Domain history: what was done before that a pair can tell apart.
 *
 * A limit is reached or not; of two limits on one rule the smaller is reached first, and of two
 * windows the shorter forgets first. Limited rules of both policies with one id, or that say the
 * same, share a series: a rule that only moved has not been used less. */
#include <stdlib.h>

#include "core/decision/domain_parts.h"

enum { WINDOWS_MAX = 8, TIMES_MAX = 2000 };

struct builder {
    struct domain *d;
    struct domain_pair *pair;
    size_t capacity;
};

/* ---- ages: now, and just out of each window but the longest ---- */

struct ages {
    uint32_t windows[WINDOWS_MAX];
    size_t count;
};

static void add_window(struct builder *b, struct ages *ages, uint32_t window_s)
{
    size_t i = 0;
    while (i < ages->count && ages->windows[i] < window_s)
        i++;
    if (i < ages->count && ages->windows[i] == window_s)
        return;
    if (ages->count == WINDOWS_MAX) {
        domain_small(b->pair, "more than 8 windows of one limit");
        return;
    }
    memmove(&ages->windows[i + 1], &ages->windows[i], (ages->count - i) * sizeof(uint32_t));
    ages->windows[i] = window_s;
    ages->count++;
}

/* The n-th age, of ages->count (at least one). */
static uint32_t age_at(const struct ages *ages, size_t n)
{
    return n == 0 ? 0 : ages->windows[n - 1] + 1;
}

static void add_use(struct builder *b, struct domain_series *series, size_t *capacity,
                    const struct domain_use *use)
{
    void *uses = series->uses;
    if (!domain_grow(b->d, &b->d->scratch, &uses, series->count, capacity, sizeof *use))
        return;
    series->uses = uses;
    series->uses[series->count++] = *use;
}

static void add_series(struct builder *b, const struct domain_series *series)
{
    void *items = b->pair->series;
    if (series->count == 0 || !domain_grow(b->d, &b->d->scratch, &items, b->pair->series_count,
                                           &b->capacity, sizeof *series))
        return;
    b->pair->series = items;
    b->pair->series[b->pair->series_count++] = *series;
}

/* ---- limits ---- */

static bool is_limited(const struct lex_policy *policy, const struct lex_rule *rule)
{
    for (unsigned i = 0; i < rule->conditions_count; i++)
        if (policy->conditions[lex_rule_conditions(rule)[i]].type == LEX_CONDITION_RATE_LIMIT)
            return true;
    return false;
}

static void add_limits(struct builder *b, struct domain_series *series, size_t *capacity,
                       const struct domain_use *proto, const struct ages *ages)
{
    for (int side = 0; side < SIDES; side++) {
        const struct lex_rule *rule = proto->rule[side];
        for (unsigned i = 0; rule != NULL && i < rule->conditions_count; i++) {
            const struct lex_condition *condition =
                &b->d->policy[side]->conditions[lex_rule_conditions(rule)[i]];
            struct domain_use use = *proto;
            if (condition->type != LEX_CONDITION_RATE_LIMIT)
                continue;
            bool sum = condition->rate.sum != UINT32_MAX;
            use.times =
                sum ? 1
                    : (uint32_t)(condition->rate.max < TIMES_MAX ? condition->rate.max : TIMES_MAX);
            use.millionths = sum ? condition->rate.max : 0;
            if (!sum && condition->rate.max > TIMES_MAX)
                domain_small(b->pair, "a limit of more than 2000 requests");
            for (size_t a = 0; a < ages->count; a++) {
                bool known = false;
                use.age_s = age_at(ages, a);
                for (size_t k = 0; k < series->count; k++)
                    known = known || (series->uses[k].times == use.times &&
                                      series->uses[k].millionths == use.millionths &&
                                      series->uses[k].age_s == use.age_s);
                if (!known)
                    add_use(b, series, capacity, &use);
            }
        }
    }
}

static void add_limited(struct builder *b, const struct lex_rule *const rules[SIDES])
{
    struct domain_series series = {NULL, 0};
    struct domain_use proto = {.rule = {rules[OLD], rules[NEW]}};
    struct ages ages = {.count = 0};
    size_t capacity = 0;
    for (int side = 0; side < SIDES; side++)
        for (unsigned i = 0; rules[side] != NULL && i < rules[side]->conditions_count; i++) {
            const struct lex_condition *condition =
                &b->d->policy[side]->conditions[lex_rule_conditions(rules[side])[i]];
            if (condition->type == LEX_CONDITION_RATE_LIMIT)
                add_window(b, &ages, condition->rate.window_s);
        }
    add_limits(b, &series, &capacity, &proto, &ages);
    add_series(b, &series);
}

static bool says_same(const struct domain *d, const struct lex_rule *a, const struct lex_rule *b)
{
    return lex_hash_eq(&d->rules[OLD][a - d->policy[OLD]->rules],
                       &d->rules[NEW][b - d->policy[NEW]->rules]);
}

/* The new policy's rule with this one's id, else one that says the same. */
static const struct lex_rule *partner(const struct builder *b, const struct lex_rule *old)
{
    const struct domain_pair *pair = b->pair;
    const struct lex_rule *same = NULL;
    for (size_t i = 0; i < pair->rules_count[NEW]; i++) {
        const struct lex_rule *rule = pair->rules[NEW][i].rule;
        if (!is_limited(b->d->policy[NEW], rule))
            continue;
        if (lex_span_eq(rule->id, old->id))
            return rule;
        if (same == NULL && says_same(b->d, old, rule))
            same = rule;
    }
    return same;
}

static void add_all_limited(struct builder *b)
{
    const struct domain_pair *pair = b->pair;
    bool *paired = domain_take(b->d, &b->d->scratch, pair->rules_count[NEW], sizeof *paired);
    for (size_t i = 0; paired != NULL && i < pair->rules_count[OLD]; i++) {
        const struct lex_rule *rules[SIDES] = {pair->rules[OLD][i].rule, NULL};
        if (!is_limited(b->d->policy[OLD], rules[OLD]))
            continue;
        rules[NEW] = partner(b, rules[OLD]);
        for (size_t k = 0; k < pair->rules_count[NEW]; k++)
            paired[k] = paired[k] || pair->rules[NEW][k].rule == rules[NEW];
        add_limited(b, rules);
    }
    for (size_t k = 0; paired != NULL && k < pair->rules_count[NEW]; k++) {
        const struct lex_rule *rules[SIDES] = {NULL, pair->rules[NEW][k].rule};
        if (!paired[k] && is_limited(b->d->policy[NEW], rules[NEW]))
            add_limited(b, rules);
    }
}

/* ---- duties ---- */

/* What conflicts with the pair's action, by one other action's name. */
struct duty {
    struct lex_span other;
    struct ages ages;
    bool placed;
};

static void find_duty(struct builder *b, struct duty *duties, size_t *count, int side,
                      const struct lex_conflict *conflict, lex_term_id own, lex_term_id other)
{
    size_t i = 0;
    struct lex_span name = lex_policy_term(b->d->policy[side], LEX_KIND_ACTION, other)->canonical;
    if (!domain_is_a(b->d, side, LEX_KIND_ACTION, b->pair->action, own))
        return;
    while (i < *count && !lex_span_eq(duties[i].other, name))
        i++;
    if (i == LEX_DIFF_HISTORIES_MAX) {
        domain_small(b->pair, "more than 64 actions that conflict");
        return;
    }
    if (i == *count)
        duties[(*count)++] = (struct duty){.other = name};
    duties[i].placed = duties[i].placed || conflict->scope == LEX_SCOPE_RESOURCE;
    add_window(b, &duties[i].ages, conflict->window_s);
}

static void add_duty(struct builder *b, const struct duty *duty)
{
    struct domain_series series = {NULL, 0};
    struct domain_use use = {.action = duty->other, .duty = true};
    size_t capacity = 0, places = duty->placed ? b->pair->resources.count : 0;
    for (size_t a = 0; a < duty->ages.count; a++)
        for (size_t r = 0; r <= places; r++) {
            use.age_s = age_at(&duty->ages, a);
            use.resource =
                r == 0 ? (struct lex_span){NULL, 0} : b->pair->resources.items[r - 1]->text;
            add_use(b, &series, &capacity, &use);
        }
    add_series(b, &series);
}

static void add_duties(struct builder *b)
{
    struct duty duties[LEX_DIFF_HISTORIES_MAX];
    size_t count = 0;
    for (int side = 0; side < SIDES; side++)
        for (size_t i = 0; i < b->d->policy[side]->conflicts_count; i++) {
            const struct lex_conflict *conflict = &b->d->policy[side]->conflicts[i];
            if (conflict->kind != LEX_KIND_ACTION || conflict->scope == LEX_SCOPE_SESSION)
                continue;
            find_duty(b, duties, &count, side, conflict, conflict->a, conflict->b);
            find_duty(b, duties, &count, side, conflict, conflict->b, conflict->a);
        }
    for (size_t i = 0; i < count; i++)
        add_duty(b, &duties[i]);
}

/* ---- the dimension ---- */

static void count_histories(struct domain_pair *pair)
{
    size_t product = 1, single = 2; /* nothing, and everything at its last */
    for (size_t i = 0; i < pair->series_count; i++) {
        single += pair->series[i].count;
        if (product <= LEX_DIFF_HISTORIES_MAX)
            product *= pair->series[i].count + 1;
    }
    pair->histories_single = product > LEX_DIFF_HISTORIES_MAX;
    pair->histories_count = pair->histories_single ? single : product;
    if (pair->histories_single)
        domain_small(pair, "several limits or duties, which were varied one at a time");
    if (pair->series_count != 0)
        pair->histories_count++; /* unknown */
}

size_t domain_history_option(const struct domain_pair *pair, size_t history, size_t series)
{
    if (!pair->histories_single) {
        for (size_t i = 0; i < series; i++)
            history /= pair->series[i].count + 1;
        return history % (pair->series[series].count + 1);
    }
    if (history + 2 == pair->histories_count) /* the last but unknown: all at once */
        return pair->series[series].count;
    for (size_t i = 0; i < series && history != 0; i++)
        history = history > pair->series[i].count ? history - pair->series[i].count : 0;
    return history <= pair->series[series].count ? history : 0;
}

void domain_pair_history(struct domain *d, struct domain_pair *pair)
{
    struct builder b = {d, pair, 0};
    add_all_limited(&b);
    add_duties(&b);
    count_histories(pair);
    pair->histories = domain_take(d, &d->scratch, pair->times_count * pair->histories_count,
                                  sizeof(struct lex_history *));
}

void domain_pair_fini(struct domain_pair *pair)
{
    for (size_t i = 0; pair->histories != NULL && i < pair->times_count * pair->histories_count;
         i++)
        lex_history_free(pair->histories[i]);
    pair->histories = NULL;
}
