/* Rates: limits on how often, or how much in all, one actor may use one rule.
 *
 * The count is the partition's history of approved verdicts in a sliding window. A limit is looked
 * at while rules are judged and taken only at the end, when the verdict is approved and the rule is
 * one that it rests on: a request that is denied costs nobody a place. */
#include <math.h>

#include "core/decision/eval.h"

static const struct lex_truth unknown = {LEX_UNKNOWN, LEX_UNKNOWN};

/* A finite amount in millionths, exactly, or false: negative, too large, or with more decimals. */
static bool millionths(const struct lex_value *value, int64_t *ret)
{
    static const double most = 9e12;
    double amount;
    if (value == NULL || (value->type != LEX_VALUE_LONG && value->type != LEX_VALUE_DOUBLE))
        return false;
    amount = value->type == LEX_VALUE_LONG ? (double)value->i64 : value->f64;
    if (!(amount >= 0) || amount > most)
        return false;
    double scaled = nearbyint(amount * 1e6);
    *ret = (int64_t)scaled;
    return scaled / 1e6 >= amount && scaled / 1e6 <= amount;
}

/* Not the window and not the limit itself: a policy that only changes these goes on counting. */
void lex_rate_key(const struct lex_policy *policy, const struct lex_rule *rule,
                  const struct lex_condition *condition, struct lex_span actor,
                  struct lex_history_key *ret_key)
{
    struct lex_span counted =
        condition->rate.sum == UINT32_MAX ? LEX_SPAN("") : policy->facts[condition->rate.sum].name;
    struct lex_span parts[] = {rule->id, actor, counted};
    lex_history_key(LEX_HISTORY_RATE, parts, LEX_COUNT_OF(parts), ret_key);
}

struct lex_span lex_rate_name(const struct lex_eval *eval, const struct lex_rule *rule,
                              const struct lex_condition *condition)
{
    const uint32_t *conditions = lex_rule_conditions(rule);
    unsigned at = 0;
    while (&eval->policy->conditions[conditions[at]] != condition)
        at++;
    return lex_arena_printf(eval->arena, "#rate.%u.%.*s", at, LEX_SPAN_FMT(rule->id));
}

static struct lex_rate_use *find(struct lex_eval *eval, const struct lex_rule *rule,
                                 const struct lex_condition *condition)
{
    for (size_t i = 0; i < eval->rates_count; i++)
        if (eval->rates[i].rule == rule && eval->rates[i].condition == condition)
            return &eval->rates[i];
    return NULL;
}

static bool amount_of(struct lex_eval *eval, const struct lex_condition *condition, int64_t *ret)
{
    *ret = 1;
    return condition->rate.sum == UINT32_MAX ||
           millionths(lex_eval_read(eval, condition->rate.sum).trusted, ret);
}

/* A number among the members of a recorded rate. */
static bool recorded_number(const struct lex_json *node, const char *key, int64_t *ret)
{
    const struct lex_json *member = lex_json_get(node, key);
    return lex_json_is(member, LEX_JSON_NUMBER) && lex_json_int64(member->text, ret) == LEX_OK;
}

static bool recorded_use(struct lex_eval *eval, const struct lex_rule *rule,
                         const struct lex_condition *condition, int64_t *ret_used)
{
    const struct lex_json *node;
    const struct lex_fact *fact = lex_recorded(eval->input, lex_rate_name(eval, rule, condition));
    return fact != NULL && lex_json_parse(eval->arena, fact->value, &node, NULL) == LEX_OK &&
           recorded_number(node, "used", ret_used);
}

/* How much of the limit is used; false where nobody can know. */
static bool used_of(struct lex_eval *eval, const struct lex_condition *condition,
                    const struct lex_rule *rule, const struct lex_history_key *key,
                    int64_t *ret_used)
{
    int64_t count, total;
    bool sums = condition->rate.sum != UINT32_MAX;
    int64_t since = eval->input->now_us - (int64_t)condition->rate.window_s * 1000000;
    if (eval->input->recorded != NULL)
        return recorded_use(eval, rule, condition, ret_used);
    if (eval->input->history == NULL ||
        !lex_history_window(eval->input->history, key, since, sums ? 0 : condition->rate.max,
                            &count, &total))
        return false;
    *ret_used = sums ? total : count;
    return true;
}

static struct lex_truth judge(const struct lex_condition *condition, const struct lex_rate_use *use)
{
    int64_t after;
    bool over = __builtin_add_overflow(use->used, use->add, &after) || after > condition->rate.max;
    lex_truths truth = over ? LEX_FALSE : LEX_TRUE;
    return (struct lex_truth){truth, truth};
}

struct lex_truth lex_eval_rate(struct lex_eval *eval, const struct lex_rule *rule,
                               const struct lex_condition *condition)
{
    struct lex_rate_use *known = find(eval, rule, condition);
    if (known != NULL)
        return judge(condition, known);
    struct lex_rate_use use = {.rule = rule, .condition = condition};
    lex_rate_key(eval->policy, rule, condition, lex_eval_actor_key(eval), &use.key);
    if (eval->rates_count == LEX_RATES_MAX || !amount_of(eval, condition, &use.add) ||
        !used_of(eval, condition, rule, &use.key, &use.used))
        return unknown;
    for (size_t i = 0; i < eval->rates_count; i++) /* one name cannot tell two of the same id */
        eval->reads_cut = eval->reads_cut || (eval->rates[i].rule != rule &&
                                              lex_span_eq(eval->rates[i].rule->id, rule->id));
    eval->rates[eval->rates_count++] = use;
    return judge(condition, &use);
}

void lex_eval_reserve(struct lex_eval *eval, const struct lex_rule *rule)
{
    for (size_t i = 0; i < eval->rates_count; i++)
        if (eval->rates[i].rule == rule)
            eval->rates[i].reserved = true;
}
