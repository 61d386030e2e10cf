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
        if (verb.len < prefix.len || memcmp(verb.data, prefix.data, prefix.len) != 0)
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
    if (effect_of_verb(constraint->verb, &constraint->effect))
        return LEX_OK;
    constraint->effect = LEX_EFFECT_ESCALATE;
    lex_load_lint(loader, LEX_LINT_DOUBT, node->at,
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
    constraint->id = lex_arena_printf(arena, "constraint:%.*s", LEX_SPAN_FMT(constraint->name));
    return lex_span_absent(constraint->id) ? lex_load_no_memory(loader) : LEX_OK;
}

static LEX_STATUS read_constraint(struct lex_loader *loader, const struct lex_json *node,
                                  size_t index)
{
    struct lex_constraint constraint = {.at = node->at};
    const struct lex_json *nodes[2];
    LEX_TRY(lex_load_expect(loader, node, LEX_JSON_OBJECT, "a constraint"));
    LEX_TRY(lex_load_known_keys(loader, node, known_keys, "a constraint"));
    LEX_TRY(read_name(loader, node, index, &constraint));
    LEX_TRY(lex_load_text(loader, node, reason_keys, &constraint.justification));
    LEX_TRY(read_effect(loader, node, &constraint));
    LEX_TRY(lex_load_alias(loader, node, condition_keys, &nodes[0]));
    LEX_TRY(lex_load_alias(loader, node, conditions_keys, &nodes[1]));
    LEX_TRY(lex_load_conditions(loader, LEX_PLACE_TRIGGER, nodes, 2, &constraint.conditions,
                                &constraint.conditions_count));
    if (constraint.conditions_count == 0)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "this constraint has no condition; write what triggers it");
    loader->policy->constraints[loader->policy->constraints_count++] = constraint;
    return LEX_OK;
}

LEX_STATUS lex_load_constraints(struct lex_loader *loader)
{
    const struct lex_json *constraints = lex_json_get(loader->root, "constraints");
    struct lex_policy *policy = loader->policy;
    size_t index = 0;
    if (constraints == NULL || constraints->type == LEX_JSON_NULL)
        return LEX_OK;
    if (constraints->type != LEX_JSON_OBJECT)
        LEX_TRY(lex_load_expect(loader, constraints, LEX_JSON_ARRAY, "\"constraints\""));
    if (constraints->count > LEX_POLICY_MAX_RELATIONS)
        return lex_load_fail(loader, LEX_LIMIT, constraints->at,
                             "more than the %d constraints that a policy may have",
                             LEX_POLICY_MAX_RELATIONS);
    policy->constraints =
        lex_arena_calloc(&policy->arena, constraints->count, sizeof *policy->constraints);
    if (policy->constraints == NULL)
        return lex_load_no_memory(loader);
    for (const struct lex_json *node = constraints->child; node != NULL; node = node->next)
        LEX_TRY(read_constraint(loader, node, index++));
    policy->info.constraints = policy->constraints_count;
    return LEX_OK;
}
