#include "core/decision/coverage.h"

#include <stdlib.h>

#include "core/base/json.h"
#include "core/policy/model.h"

static int by_order(const void *a, const void *b)
{
    const struct lex_rule *const *x = a, *const *y = b;
    return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

static void put(struct lex_coverage *coverage, const struct lex_policy *policy, struct lex_span id,
                const char *kind, uint16_t document, size_t at)
{
    const struct lex_policy_document *from = &policy->documents[document];
    struct lex_covered_rule *rule = &coverage->rules[coverage->count++];
    *rule = (struct lex_covered_rule){.id = id, .kind = kind, .source = from->source};
    lex_json_where(from->text, at, &rule->line, &rule->column);
}

static void put_rule(struct lex_coverage *coverage, const struct lex_policy *policy,
                     const struct lex_rule *rule)
{
    static const char *const kinds[] = {
#define LEX_VERB(name, word) word,
#include "core/policy/verbs.def"
#undef LEX_VERB
    };
    put(coverage, policy, rule->id, kinds[rule->verb], rule->document, rule->at);
    coverage->rules[coverage->count - 1].permits = rule->verb == LEX_VERB_PERMITS;
}

LEX_STATUS lex_coverage_init(const struct lex_policy *policy, struct lex_arena *arena,
                             struct lex_coverage *ret_coverage)
{
    struct lex_coverage coverage = {NULL, 0};
    size_t most = policy->rules_count + policy->conflicts_count + policy->constraints_count;
    const struct lex_rule **rules =
        lex_arena_calloc(arena, policy->rules_count + 1, sizeof(const struct lex_rule *));
    coverage.rules = lex_arena_calloc(arena, most + 1, sizeof *coverage.rules);
    if (rules == NULL || coverage.rules == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < policy->rules_count; i++)
        rules[i] = &policy->rules[i];
    qsort(rules, policy->rules_count, sizeof(const struct lex_rule *), by_order);
    for (size_t i = 0; i < policy->rules_count; i++)
        put_rule(&coverage, policy, rules[i]);
    for (size_t i = 0; i < policy->conflicts_count; i++)
        put(&coverage, policy, policy->conflicts[i].id, "conflicts", policy->conflicts[i].document,
            policy->conflicts[i].at);
    for (size_t i = 0; i < policy->constraints_count; i++)
        put(&coverage, policy, policy->constraints[i].id, "constraint",
            policy->constraints[i].document, policy->constraints[i].at);
    *ret_coverage = coverage;
    return LEX_OK;
}

static bool decided(const struct lex_covered_rule *rule, const struct lex_decision *decision)
{
    if (rule->permits && decision->outcome != LEX_OUTCOME_APPROVED)
        return false;
    for (size_t i = 0; i < decision->rules.count; i++)
        if (lex_span_eq(decision->rules.items[i], rule->id))
            return true;
    for (size_t i = 0; i < decision->obligations.count && !rule->permits; i++)
        if (lex_span_eq(decision->obligations.items[i].rule, rule->id))
            return true;
    return false;
}

void lex_coverage_add(struct lex_coverage *coverage, const struct lex_decision *decision)
{
    for (size_t i = 0; i < coverage->count; i++)
        coverage->rules[i].verdicts += decided(&coverage->rules[i], decision);
}

size_t lex_coverage_covered(const struct lex_coverage *coverage)
{
    size_t covered = 0;
    for (size_t i = 0; i < coverage->count; i++)
        covered += coverage->rules[i].verdicts != 0;
    return covered;
}
