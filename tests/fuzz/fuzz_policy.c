/* Can any bytes crash, hang or leak the loader? And is what it takes a policy that holds together?
 *
 * The input is a policy, or an array of them. What loads must load again to the same hashes, from
 * its own text and from its canonical form; its rules must name terms, conditions and documents
 * that there are; and no error may be without text.
 *
 *     CC=clang cmake -S . -B build/fuzz -G Ninja -DLEX_FUZZ=ON -DLEX_SANITIZE=ON
 *     build/fuzz/bin/fuzz_policy -max_total_time=600 CORPUS tests/fuzz/corpus/policy */
#include <stdlib.h>

#include "core/base/jcs.h"
#include "core/policy/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_terms(const struct lex_policy *policy, enum lex_kind kind,
                        const lex_term_id *terms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(terms[i] < policy->terms[kind].count);
}

static void check_rule(const struct lex_policy *policy, const struct lex_rule *rule)
{
    check(rule->actor == LEX_TERM_ANY || rule->actor < policy->terms[LEX_KIND_ACTOR].count);
    check(rule->action == LEX_TERM_ANY || rule->action < policy->terms[LEX_KIND_ACTION].count);
    check(rule->document < policy->info.documents_count && rule->verb < LEX_RULE_VERBS);
    check_terms(policy, LEX_KIND_DATA, lex_rule_objects(rule), rule->objects_count);
    check_terms(policy, LEX_KIND_RESOURCE, lex_rule_resources(rule), rule->resources_count);
    for (size_t i = 0; i < rule->conditions_count; i++)
        check(lex_rule_conditions(rule)[i] < policy->conditions_count);
    check(lex_policy_pair(policy, rule->actor, rule->action) != NULL);
}

/* Postfix nodes that leave one truth, and hold no more open than a decision has room for. */
static void check_condition(const struct lex_policy *policy, const struct lex_condition *condition)
{
    size_t open = 0;
    for (uint32_t i = 0; i < condition->nodes_count; i++) {
        const struct lex_node *node = &condition->nodes[i];
        check(node->op == LEX_OP_NOT ? open >= 1 : node->op <= LEX_OP_OR ? open >= 2 : true);
        open = node->op == LEX_OP_NOT ? open : node->op <= LEX_OP_OR ? open - 1 : open + 1;
        check(open <= LEX_EXPRESSION_STACK_MAX);
        if (node->op > LEX_OP_NOT && node->a.kind == LEX_OPERAND_FACT)
            check(node->a.fact < policy->facts_count);
    }
    check(condition->nodes_count == 0 || open == 1);
}

static void check_names(const struct lex_policy *policy)
{
    for (unsigned kind = 0; kind < LEX_KIND_COUNT; kind++)
        for (size_t i = 0; i < policy->terms[kind].count; i++)
            check(lex_policy_resolve(policy, kind, policy->terms[kind].items[i].canonical) == i);
    for (size_t i = 0; i < policy->facts_count; i++)
        check(lex_policy_fact(policy, policy->facts[i].name) == i);
}

static void check_policy(const struct lex_policy *policy)
{
    const struct lex_policy_lint *lints;
    size_t count = lex_policy_lints(policy, &lints);
    for (size_t i = 0; i < policy->rules_count; i++)
        check_rule(policy, &policy->rules[i]);
    for (size_t i = 0; i < policy->conditions_count; i++)
        check_condition(policy, &policy->conditions[i]);
    for (size_t i = 0; i < count; i++)
        check(lints[i].line >= 1 && lints[i].column >= 1 && lints[i].text.len != 0);
    check_names(policy);
}

/* The same policy, from another text of it. */
static void check_again(const struct lex_policy *policy, struct lex_span text)
{
    struct lex_policy *again = NULL;
    struct lex_error err = {""};
    if (lex_policy_load(text, "again", &again, &err) != LEX_OK)
        abort();
    check(memcmp(policy->info.hash, again->info.hash, 32) == 0);
    check(policy->rules_count == again->rules_count && policy->info.terms == again->info.terms);
    lex_policy_unref(again);
}

/* 1e20 is exact, but its canonical form is a whole number beyond 2^53, which the loader refuses;
 * all other canonical forms load. */
static void check_canonical(const struct lex_policy *policy)
{
    struct lex_arena tree;
    struct lex_buf buf;
    const struct lex_json *root, *again;
    lex_arena_init(&tree, 1 << 16, SIZE_MAX / 4);
    lex_buf_init(&buf, SIZE_MAX / 4);
    check(lex_json_parse(&tree, policy->info.document, &root, NULL) == LEX_OK);
    lex_policy_canonical(root, &buf);
    check(lex_json_parse(&tree, lex_buf_span(&buf), &again, NULL) == LEX_OK);
    if (policy->info.documents_count == 1 && lex_jcs_inexact(again) == NULL)
        check_again(policy, lex_buf_span(&buf));
    lex_buf_fini(&buf);
    lex_arena_fini(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lex_policy *policy = NULL;
    struct lex_error err = {""};
    enum lex_status status = lex_policy_load(lex_span_of(data, size), "fuzz", &policy, &err);
    check((status == LEX_OK) == (policy != NULL) && (status == LEX_OK) == (err.text[0] == 0));
    if (status != LEX_OK)
        return 0;
    check_policy(policy);
    check_again(policy, policy->info.document);
    check_canonical(policy);
    lex_policy_unref(policy);
    return 0;
}
