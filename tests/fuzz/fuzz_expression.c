/* Can any text crash or hang the expression parser? And is what it takes postfix code that a
 * decision can run?
 *
 * The input is the text of one condition: it is put into a policy as a JSON string.
 *
 *     CC=clang cmake -S . -B build/fuzz -G Ninja -DLEX_FUZZ=ON -DLEX_SANITIZE=ON
 *     build/fuzz/bin/fuzz_expression -max_total_time=600 CORPUS tests/fuzz/corpus/expression */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/policy/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* One truth is left at the end, and each part reads what there is. */
static void check_nodes(const struct lex_policy *policy, const struct lex_condition *condition)
{
    size_t open = 0;
    check(condition->nodes_count >= 1 && condition->nodes_count <= LEX_EXPRESSION_NODES_MAX);
    for (uint32_t i = 0; i < condition->nodes_count; i++) {
        const struct lex_node *node = &condition->nodes[i];
        if (node->op == LEX_OP_NOT) {
            check(open >= 1);
            continue;
        }
        if (node->op <= LEX_OP_OR) {
            check(open >= 2);
            open--;
            continue;
        }
        check(++open <= LEX_EXPRESSION_STACK_MAX);
        if (node->a.kind == LEX_OPERAND_FACT)
            check(node->a.fact < policy->facts_count);
    }
    check(open == 1);
}

/* "x:line:column: at character n of this condition: text", with the place inside the document. */
static void check_error(const struct lex_error *err, struct lex_span document)
{
    unsigned line = 0, column = 0;
    check(sscanf(err->text, "x:%u:%u: ", &line, &column) == 2);
    check(line == 1 && column >= 1 && column <= document.len + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lex_policy *policy = NULL;
    struct lex_error err = {""};
    struct lex_buf document;
    lex_buf_init(&document, 8 << 20);
    lex_buf_puts(&document, "{\"relations\":[{\"type\":\"forbids\",\"condition\":");
    lex_buf_put_json(&document, lex_span_of(data, size));
    lex_buf_puts(&document, "}]}");
    if (lex_buf_ok(&document)) {
        enum lex_status status = lex_policy_load(lex_buf_span(&document), "x", &policy, &err);
        check((status == LEX_OK) == (policy != NULL));
        if (status == LEX_OK)
            check_nodes(policy, &policy->conditions[0]);
        else
            check_error(&err, lex_buf_span(&document));
    }
    lex_policy_unref(policy);
    lex_buf_fini(&document);
    return 0;
}
