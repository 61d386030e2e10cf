/* Lint: what is legal in a policy and yet probably not meant: the policy as a whole, its names and
 * its approvers. lint_rules.c compares rules with each other, lint_conditions.c looks into one. */
#include <stdlib.h>

#include "core/policy/lint.h"

/* ---- what holds for every rule ---- */

static void lint_mode(struct lex_loader *loader)
{
    if (loader->policy->info.mode != LEX_MODE_PERMISSIVE)
        return;
    lex_load_enter(loader, 0);
    lex_load_lint(loader, LEX_LINT_PERMISSIVE_MODE, loader->root->at,
                  "permissive mode: what no rule names is allowed, so a misspelt name evades a "
                  "forbid");
}

static void lint_always_allow(struct lex_loader *loader, const struct lex_rule *rule)
{
    if (rule->verb == LEX_VERB_PERMITS && rule->actor == LEX_TERM_ANY &&
        rule->action == LEX_TERM_ANY && rule->objects_count == 0 && rule->resources_count == 0 &&
        rule->conditions_count == 0)
        lex_load_lint(loader, LEX_LINT_ALWAYS_ALLOW, rule->at,
                      "always allow: any actor, any action");
}

/* ---- ids ---- */

/* A rule, conflict or constraint, for its id. */
struct named {
    struct lex_span id;
    size_t at;
    uint16_t document;
};

static struct named named_at(const struct lex_policy *policy, size_t index)
{
    if (index < policy->rules_count) {
        const struct lex_rule *rule = &policy->rules[index];
        return (struct named){rule->id, rule->at, rule->document};
    }
    index -= policy->rules_count;
    if (index < policy->conflicts_count) {
        const struct lex_conflict *conflict = &policy->conflicts[index];
        return (struct named){conflict->id, conflict->at, conflict->document};
    }
    const struct lex_constraint *constraint = &policy->constraints[index - policy->conflicts_count];
    return (struct named){constraint->id, constraint->at, constraint->document};
}

/* FNV-1a, 32 bits. */
static uint32_t hash_id(struct lex_span id)
{
    uint32_t hash = 0x811c9dc5;
    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ id.data[i]) * 0x01000193;
    return hash;
}

/* A table of its own, of eight bytes a slot: all ids of a large policy pass through it. */
struct id_slot {
    uint32_t hash, number; /* number 0: free; else an index and 1 */
};

/* Enter an id; false when another rule has it already. */
static bool enter_id(const struct lex_policy *policy, struct id_slot *slots, size_t capacity,
                     struct lex_span id, size_t number)
{
    uint32_t hash = hash_id(id);
    size_t at = (hash ^ hash >> 15) & (capacity - 1);
    for (; slots[at].number != 0; at = (at + 1) & (capacity - 1))
        if (slots[at].hash == hash && lex_span_eq(named_at(policy, slots[at].number - 1).id, id))
            return false;
    slots[at] = (struct id_slot){hash, (uint32_t)number + 1};
    return true;
}

static LEX_STATUS lint_ids(struct lex_loader *loader)
{
    const struct lex_policy *policy = loader->policy;
    size_t count = policy->rules_count + policy->conflicts_count + policy->constraints_count;
    size_t capacity = 16;
    while (capacity < 2 * count)
        capacity *= 2;
    struct id_slot *slots = lex_arena_calloc(&loader->tree, capacity, sizeof *slots);
    if (slots == NULL)
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < count; i++) {
        struct named named = named_at(policy, i);
        if (enter_id(policy, slots, capacity, named.id, i))
            continue;
        lex_load_enter(loader, named.document);
        lex_load_lint(loader, LEX_LINT_DUPLICATE_ID, named.at,
                      "duplicate id: another rule is called \"%.*s\" too; verdicts and counters "
                      "could not tell them apart",
                      LEX_SPAN_FMT(named.id));
    }
    return LEX_OK;
}

/* ---- terms ---- */

/* A term is used if a rule names it or something above it: then the rule is about it. */
static bool is_used(const struct lex_terms *terms, const struct lex_term *term)
{
    bool used = term->used;
    for (size_t i = 0; i < term->above.count && !used; i++)
        used = terms->items[term->above.items[i]].used;
    return used;
}

static void lint_terms(struct lex_loader *loader)
{
    for (unsigned kind = 0; kind < LEX_KIND_CONTEXT; kind++) {
        const struct lex_terms *terms = &loader->policy->terms[kind];
        for (size_t i = 0; i < terms->count; i++) {
            const struct lex_term *term = &terms->items[i];
            if (is_used(terms, term))
                continue;
            lex_load_enter(loader, term->document);
            lex_load_lint(loader, LEX_LINT_UNUSED_TERM, term->at, "unused term: no rule names %.*s",
                          LEX_SPAN_FMT(term->canonical));
        }
    }
}

/* ---- approvers ---- */

/* Of each actor, how many declared or named ones can sign as it: not machines, itself or below. */
static LEX_STATUS count_approvers(struct lex_loader *loader, uint32_t **ret_counts)
{
    const struct lex_terms *actors = &loader->policy->terms[LEX_KIND_ACTOR];
    uint32_t *counts = lex_arena_calloc(&loader->tree, actors->count, sizeof *counts);
    if (counts == NULL)
        return lex_load_no_memory(loader);
    for (size_t i = 0; i < actors->count; i++) {
        const struct lex_terms_above *above = &actors->items[i].above;
        if (actors->items[i].ai)
            continue;
        counts[i]++;
        for (size_t j = 0; j < above->count; j++)
            counts[above->items[j]]++;
    }
    *ret_counts = counts;
    return LEX_OK;
}

static void lint_approver(struct lex_loader *loader, const uint32_t *counts, lex_term_id approver,
                          uint32_t quorum, size_t at)
{
    const struct lex_policy *policy = loader->policy;
    if (quorum > LEX_APPROVALS_MAX)
        lex_load_lint(loader, LEX_LINT_CANNOT_BE_APPROVED, at,
                      "cannot be approved: a quorum of %u, but a request carries %d approvals at "
                      "most",
                      quorum, LEX_APPROVALS_MAX);
    else if (approver < policy->terms[LEX_KIND_ACTOR].count && counts[approver] < quorum)
        lex_load_lint(loader, LEX_LINT_CANNOT_BE_APPROVED, at,
                      "cannot be approved: a quorum of %u, but only %u known actor(s) that are no "
                      "machine can sign as %.*s",
                      quorum, counts[approver],
                      LEX_SPAN_FMT(lex_policy_term(policy, LEX_KIND_ACTOR, approver)->canonical));
}

static void lint_approvals_of(struct lex_loader *loader, const uint32_t *counts,
                              const struct lex_rule *rule, bool *nobody)
{
    const struct lex_policy *policy = loader->policy;
    for (size_t i = 0; i < rule->conditions_count; i++) {
        const struct lex_condition *condition = &policy->conditions[lex_rule_conditions(rule)[i]];
        if (condition->type != LEX_CONDITION_APPROVAL)
            continue;
        lex_term_id approver = condition->approval.approver;
        if (approver == LEX_TERM_UNKNOWN)
            approver = policy->options.approver_term;
        *nobody = *nobody || approver == LEX_TERM_UNKNOWN;
        lex_load_enter(loader, rule->document);
        lint_approver(loader, counts, approver, condition->approval.quorum, rule->at);
    }
}

/* Besides rules and constraints: paranoid escalates by itself, and so does a conflict whose history
 * is not known yet. */
static bool escalates_by_itself(const struct lex_policy *policy)
{
    bool escalates = policy->info.mode == LEX_MODE_PARANOID;
    for (size_t i = 0; i < policy->conflicts_count; i++)
        escalates = escalates || policy->conflicts[i].kind == LEX_KIND_ACTION;
    return escalates;
}

static LEX_STATUS lint_approvers(struct lex_loader *loader)
{
    const struct lex_policy *policy = loader->policy;
    const lex_term_id approver = policy->options.approver_term;
    bool nobody = approver == LEX_TERM_UNKNOWN && escalates_by_itself(policy);
    uint32_t *counts = NULL;
    LEX_TRY(count_approvers(loader, &counts));
    for (size_t i = 0; i < policy->rules_count; i++)
        lint_approvals_of(loader, counts, &policy->rules[i], &nobody);
    for (size_t i = 0; i < policy->constraints_count; i++) {
        const struct lex_constraint *constraint = &policy->constraints[i];
        if (constraint->effect != LEX_EFFECT_ESCALATE)
            continue;
        nobody = nobody || approver == LEX_TERM_UNKNOWN;
        lex_load_enter(loader, constraint->document);
        lint_approver(loader, counts, approver, constraint->quorum, constraint->at);
    }
    lex_load_enter(loader, 0);
    if (nobody)
        lex_load_lint(loader, LEX_LINT_NOBODY_CAN_APPROVE, loader->root->at,
                      "nobody can approve: there is neither an actor \"actor:human\" nor "
                      "options.approver");
    return LEX_OK;
}

/* ---- all ---- */

LEX_STATUS lex_load_lint_policy(struct lex_loader *loader)
{
    const struct lex_policy *policy = loader->policy;
    lint_mode(loader);
    for (size_t i = 0; i < policy->rules_count; i++) {
        lex_load_enter(loader, policy->rules[i].document);
        lint_always_allow(loader, &policy->rules[i]);
    }
    LEX_TRY(lint_ids(loader));
    lint_terms(loader);
    LEX_TRY(lint_approvers(loader));
    LEX_TRY(lex_lint_rules(loader));
    return lex_lint_conditions(loader);
}
