/* Lint: what is legal in a policy and yet probably not meant. */
#include <stdlib.h>

#include "core/policy/load.h"

static bool same_terms(const lex_term_id *a, uint32_t a_count, const lex_term_id *b,
                       uint32_t b_count)
{
    return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * sizeof *a) == 0);
}

static bool same_scope(const struct lex_rule *a, const struct lex_rule *b)
{
    return a->actor == b->actor && a->action == b->action &&
           same_terms(a->objects, a->objects_count, b->objects, b->objects_count) &&
           same_terms(a->resources, a->resources_count, b->resources, b->resources_count);
}

static bool same_conditions(const struct lex_rule *a, const struct lex_rule *b)
{
    if (a->conditions_count != b->conditions_count)
        return false;
    for (uint32_t i = 0; i < a->conditions_count; i++)
        if (!lex_span_eq(a->conditions[i].text, b->conditions[i].text))
            return false;
    return true;
}

/* A permit that a forbid without conditions meets wherever it holds can never be the verdict. */
static void lint_permit(struct lex_loader *loader, const struct lex_rule *permit)
{
    const struct lex_policy *policy = loader->policy;
    lex_term_id actors[] = {permit->actor, LEX_TERM_ANY},
                actions[] = {permit->action, LEX_TERM_ANY};
    if (permit->actor == LEX_TERM_ANY && permit->action == LEX_TERM_ANY &&
        permit->objects_count == 0 && permit->resources_count == 0 && permit->conditions_count == 0)
        lex_load_lint(loader, LEX_LINT_DANGER, permit->at, "always allow: any actor, any action");
    for (size_t i = 0; i < 4; i++) {
        struct lex_rule_refs refs =
            lex_policy_rules(policy, LEX_VERB_FORBIDS, actors[i / 2], actions[i % 2]);
        for (size_t j = 0; j < refs.count && j < 8; j++) {
            const struct lex_rule *forbid = &policy->rules[refs.items[j]];
            bool whole = forbid->objects_count == 0 && forbid->resources_count == 0;
            if (forbid->conditions_count != 0 || !(whole || same_scope(permit, forbid)))
                continue;
            lex_load_lint(loader, LEX_LINT_DOUBT, permit->at,
                          "unreachable permit: the forbid \"%.*s\" always overrides it",
                          LEX_SPAN_FMT(forbid->id));
            return;
        }
    }
}

/* Neighbours in one group: the index has brought equal keys together. A few are looked at. */
static void lint_duplicate(struct lex_loader *loader, const struct lex_rule *rule)
{
    const struct lex_policy *policy = loader->policy;
    struct lex_rule_refs refs = lex_policy_rules(policy, rule->verb, rule->actor, rule->action);
    for (size_t i = 0; i < refs.count && i < 64; i++) {
        const struct lex_rule *other = &policy->rules[refs.items[i]];
        if (other >= rule)
            return;
        if (!same_scope(other, rule) || !same_conditions(other, rule))
            continue;
        lex_load_lint(loader, LEX_LINT_STYLE, rule->at,
                      "duplicate rule: it says what \"%.*s\" says", LEX_SPAN_FMT(other->id));
        return;
    }
}

static bool escalates(const struct lex_policy *policy)
{
    if (policy->info.mode == LEX_MODE_PARANOID || policy->conflicts_count != 0)
        return true;
    for (size_t i = 0; i < policy->constraints_count; i++)
        if (policy->constraints[i].effect == LEX_EFFECT_ESCALATE)
            return true;
    return false;
}

static void lint_terms(struct lex_loader *loader)
{
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++)
        for (size_t i = 0; i < loader->policy->terms[kind].count; i++) {
            const struct lex_term *term = &loader->policy->terms[kind].items[i];
            if (!term->used)
                lex_load_lint(loader, LEX_LINT_STYLE, term->at, "unused term: no rule names %.*s",
                              LEX_SPAN_FMT(term->canonical));
        }
}

void lex_load_lint_policy(struct lex_loader *loader)
{
    const struct lex_policy *policy = loader->policy;
    lex_term_id approver = lex_policy_resolve(policy, LEX_KIND_ACTOR, policy->options.approver);
    if (policy->info.mode == LEX_MODE_PERMISSIVE)
        lex_load_lint(loader, LEX_LINT_DANGER, 0,
                      "permissive mode: what no rule names is allowed, so a misspelt name evades a "
                      "forbid");
    if (approver >= policy->terms[LEX_KIND_ACTOR].count && escalates(policy))
        lex_load_lint(loader, LEX_LINT_DOUBT, 0,
                      "nobody can approve: there is neither an actor \"actor:human\" nor "
                      "options.approver");
    for (size_t i = 0; i < policy->rules_count; i++) {
        if (policy->rules[i].verb == LEX_VERB_PERMITS)
            lint_permit(loader, &policy->rules[i]);
        lint_duplicate(loader, &policy->rules[i]);
    }
    lint_terms(loader);
}
