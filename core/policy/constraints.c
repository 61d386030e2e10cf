/* Constraints: a trigger and an effect, the effect read from the verb. */
#include <stdio.h>

#include "core/policy/load.h"

static lex_words known_keys = {"name",          "condition", "conditions",  "action",   "effect",
                               "justification", "reason",    "description", "metadata", NULL};
static lex_words name_keys = {"name", NULL};
static lex_words verb_keys = {"action", NULL};
static lex_words effect_keys = {"effect", NULL};
static lex_words reason_keys = {"justification", "reason", NULL};
static lex_words condition_keys = {"condition", NULL};
static lex_words conditions_keys = {"conditions", NULL};
static lex_words effects = {
#define LEX_EFFECT(name, word) word,
#include "core/policy/effects.def"
#undef LEX_EFFECT
    NULL};

/* ---- the verb's effect ---- */

/* First match wins. `word` must stand somewhere after the prefix; NULL asks for nothing. */
static const struct {
    const char *prefix, *word;
    enum lex_effect effect;
} verb_effects[] = {
    {"deny", NULL, LEX_EFFECT_DENY},
    {"block", NULL, LEX_EFFECT_DENY},
    {"throttle", NULL, LEX_EFFECT_THROTTLE},
    {"limit", NULL, LEX_EFFECT_THROTTLE},
    {"require_", "approval", LEX_EFFECT_ESCALATE},
    {"require_", "review", LEX_EFFECT_ESCALATE},
    {"require_", "confirmation", LEX_EFFECT_ESCALATE},
    {"require_", "authorization", LEX_EFFECT_ESCALATE},
    {"require_", "assessment", LEX_EFFECT_ESCALATE},
    {"require_", "oversight", LEX_EFFECT_ESCALATE},
    {"require_", NULL, LEX_EFFECT_OBLIGE},
    {"verify_", NULL, LEX_EFFECT_OBLIGE},
    {"reduce_", NULL, LEX_EFFECT_OBLIGE},
    {"redact_", NULL, LEX_EFFECT_OBLIGE},
    {"trigger_", NULL, LEX_EFFECT_ESCALATE},
    {"allow_with_", NULL, LEX_EFFECT_ADVICE},
    {"provide_", NULL, LEX_EFFECT_ADVICE},
    {"log_", NULL, LEX_EFFECT_ADVICE},
    {"alert_", NULL, LEX_EFFECT_ADVICE},
    {"notify_", NULL, LEX_EFFECT_ADVICE},
};

static bool has_prefix(struct lex_span text, struct lex_span prefix)
{
    return text.len >= prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0;
}

static bool contains(struct lex_span text, struct lex_span part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (memcmp(text.data + i, part.data, part.len) == 0)
            return true;
    return false;
}

/* "dual" as a word of its own: "individual" holds no two people. */
static bool is_dual(struct lex_span verb)
{
    for (size_t at = 0; at < verb.len;) {
        size_t end = at;
        while (end < verb.len && verb.data[end] != '_')
            end++;
        if (lex_span_eq(lex_span_of(verb.data + at, end - at), LEX_SPAN("dual")))
            return true;
        at = end + 1;
    }
    return false;
}

static bool effect_of_verb(struct lex_span verb, enum lex_effect *ret_effect)
{
    for (size_t i = 0; i < LEX_COUNT_OF(verb_effects); i++) {
        struct lex_span prefix = lex_span_str(verb_effects[i].prefix);
        struct lex_span word = lex_span_str(verb_effects[i].word);
        if (!has_prefix(verb, prefix))
            continue;
        struct lex_span rest = lex_span_of(verb.data + prefix.len, verb.len - prefix.len);
        if (!lex_span_absent(word) && !contains(rest, word))
            continue;
        *ret_effect = verb_effects[i].effect;
        return true;
    }
    return false;
}

static LEX_STATUS read_effect(struct lex_loader *loader, const struct lex_json *node,
                              struct lex_constraint *constraint)
{
    struct lex_span effect;
    LEX_TRY(lex_load_text(loader, node, verb_keys, &constraint->verb));
    LEX_TRY(lex_load_text(loader, node, effect_keys, &effect));
    constraint->quorum = is_dual(constraint->verb) ? 2 : 1;
    if (!lex_span_absent(effect)) {
        int index = lex_load_word(effect, effects);
        if (index < 0)
            return lex_load_fail(loader, LEX_REJECT, lex_json_get(node, "effect")->at,
                                 "\"effect\" must be deny, throttle, escalate, oblige or advice");
        constraint->effect = (enum lex_effect)index;
        return LEX_OK;
    }
    if (lex_span_absent(constraint->verb) || constraint->verb.len == 0)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "this constraint has no \"action\"; write what it does, like "
                             "\"deny\" or \"require_approval\"");
    constraint->good_case = has_prefix(constraint->verb, LEX_SPAN("deny_if_")) ||
                            has_prefix(constraint->verb, LEX_SPAN("deny_unless_"));
    if (effect_of_verb(constraint->verb, &constraint->effect))
        return LEX_OK;
    constraint->effect = LEX_EFFECT_ESCALATE;
    lex_load_lint(loader, LEX_LINT_UNKNOWN_VERB, node->at,
                  "unknown verb \"%.*s\": the constraint escalates; give it an \"effect\"",
                  LEX_SPAN_FMT(constraint->verb));
    return LEX_OK;
}

/* ---- one constraint ---- */

static LEX_STATUS read_name(struct lex_loader *loader, const struct lex_json *node, size_t index,
                            struct lex_constraint *constraint)
{
    struct lex_arena *arena = &loader->policy->arena;
    LEX_TRY(lex_load_text(loader, node, name_keys, &constraint->name));
    if (lex_span_absent(constraint->name) && !lex_span_absent(node->key))
        constraint->name = lex_load_keep(loader, node->key);
    if (lex_span_absent(constraint->name))
        constraint->name = lex_arena_printf(arena, "%zu", index);
    const char *problem = lex_name_problem(constraint->name);
    if (problem != NULL)
        return lex_load_fail(loader, LEX_REJECT, node->at, "this constraint's name %s", problem);
    struct lex_span id = lex_arena_printf(arena, "constraint:%.*s", LEX_SPAN_FMT(constraint->name));
    return lex_span_absent(id) ? lex_load_no_memory(loader)
                               : lex_load_own_id(loader, id, node->at, &constraint->id);
}

/* ---- what a constraint reads ---- */

static void restrict_operand(struct lex_loader *loader, const struct lex_operand *operand)
{
    if (operand->kind == LEX_OPERAND_FACT)
        loader->facts[operand->fact].restricts = true;
}

/* The facts that a denying, throttling or escalating constraint names: paranoid wants them. */
static void restrict_facts(struct lex_loader *loader, const struct lex_condition *condition)
{
    for (uint32_t i = 0; i < condition->nodes_count; i++) {
        const struct lex_node *node = &condition->nodes[i];
        if (node->op <= LEX_OP_NOT)
            continue;
        restrict_operand(loader, &node->a);
        if (node->op >= LEX_OP_EQ && node->op <= LEX_OP_GE)
            restrict_operand(loader, &node->b);
    }
}

/* Of several documents each has its own: what one document's obligation is discharged by must not
 * discharge another's of the same name. */
static LEX_STATUS read_done(struct lex_loader *loader, const struct lex_json *node,
                            struct lex_constraint *constraint)
{
    constraint->done = UINT32_MAX;
    if (constraint->effect != LEX_EFFECT_OBLIGE)
        return LEX_OK;
    struct lex_span own;
    LEX_TRY(lex_load_own_id(loader, constraint->name, node->at, &own));
    struct lex_span done = lex_arena_printf(&loader->policy->arena, "done.%.*s", LEX_SPAN_FMT(own));
    if (lex_span_absent(done))
        return lex_load_no_memory(loader);
    return lex_load_fact(loader, done, node->at, LEX_USE_TRUTH, &constraint->done);
}

static LEX_STATUS read_trigger(struct lex_loader *loader, const struct lex_json *node,
                               struct lex_constraint *constraint)
{
    const struct lex_json *nodes[2];
    loader->list_count = 0;
    loader->rule_number++;
    LEX_TRY(lex_load_alias(loader, node, condition_keys, &nodes[0]));
    LEX_TRY(lex_load_alias(loader, node, conditions_keys, &nodes[1]));
    LEX_TRY(lex_load_conditions(loader, LEX_PLACE_TRIGGER, nodes, 2));
    if (loader->list_count == 0)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "this constraint has no condition; write what triggers it");
    if (loader->list_count > LEX_RULE_LIST_MAX)
        return lex_load_fail(loader, LEX_LIMIT, node->at,
                             "one constraint may name %d conditions at most", LEX_RULE_LIST_MAX);
    uint32_t *conditions =
        lex_arena_calloc(&loader->policy->arena, loader->list_count, sizeof *conditions);
    if (conditions == NULL)
        return lex_load_no_memory(loader);
    memcpy(conditions, loader->list, loader->list_count * sizeof *conditions);
    constraint->conditions = conditions;
    constraint->conditions_count = (uint32_t)loader->list_count;
    return LEX_OK;
}

static LEX_STATUS read_constraint(struct lex_loader *loader, const struct lex_json *node,
                                  size_t index)
{
    struct lex_constraint constraint = {.at = node->at, .document = loader->document};
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_OBJECT, "a constraint"));
    LEX_TRY(lex_load_known_keys(loader, node, known_keys, "a constraint"));
    LEX_TRY(read_name(loader, node, index, &constraint));
    LEX_TRY(lex_load_text(loader, node, reason_keys, &constraint.justification));
    LEX_TRY(read_effect(loader, node, &constraint));
    LEX_TRY(read_trigger(loader, node, &constraint));
    LEX_TRY(read_done(loader, node, &constraint));
    if (constraint.effect <= LEX_EFFECT_ESCALATE)
        for (uint32_t i = 0; i < constraint.conditions_count; i++)
            restrict_facts(loader, &loader->conditions[constraint.conditions[i]]);
    loader->policy->constraints[loader->policy->constraints_count++] = constraint;
    return LEX_OK;
}

LEX_STATUS lex_load_allocate_constraints(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    size_t count = 0;
    for (size_t i = 0; i < loader->enforced; i++) {
        const struct lex_json *constraints = lex_json_get(loader->roots[i], "constraints");
        count += constraints == NULL ? 0 : constraints->count;
        if (count <= LEX_POLICY_MAX_RELATIONS)
            continue;
        lex_load_enter(loader, i);
        return lex_load_fail(loader, LEX_LIMIT, constraints->at,
                             "more than the %d constraints that a policy may have",
                             LEX_POLICY_MAX_RELATIONS);
    }
    policy->constraints = lex_arena_calloc(&policy->arena, count, sizeof *policy->constraints);
    return policy->constraints == NULL ? lex_load_no_memory(loader) : LEX_OK;
}

LEX_STATUS lex_load_constraints(struct lex_loader *loader)
{
    const struct lex_json *constraints = lex_json_get(loader->root, "constraints");
    size_t index = 0;
    if (constraints == NULL || constraints->type == LEX_JSON_NULL)
        return LEX_OK;
    if (constraints->type != LEX_JSON_OBJECT)
        LEX_TRY(lex_load_expect(loader, constraints, LEX_JSON_ARRAY, "\"constraints\""));
    for (const struct lex_json *node = constraints->child; node != NULL; node = node->next)
        LEX_TRY(read_constraint(loader, node, index++));
    return LEX_OK;
}
