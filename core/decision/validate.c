/* Validate: what a request must be before anything is looked up in it. */
#include <math.h>
#include <stdlib.h>

#include "core/base/jcs.h"
#include "core/base/text.h"
#include "core/decision/eval.h"

/* ---- texts ---- */

/* For "actor is empty": one message per field and fault, made where it is needed. */
static const char *say(struct lex_arena *arena, const char *field, const char *problem)
{
    struct lex_span text = lex_arena_printf(arena, "%s %s", field, problem);
    return lex_span_absent(text) ? "a field is invalid" : (const char *)text.data;
}

static const char *name_problem(struct lex_arena *arena, const char *field, struct lex_span name,
                                bool required)
{
    if (lex_span_absent(name))
        return required ? say(arena, field, "is missing") : NULL;
    const char *problem = lex_name_problem(name);
    return problem == NULL ? NULL : say(arena, field, problem);
}

static const char *text_problem(struct lex_arena *arena, const char *field, struct lex_span text,
                                size_t max)
{
    if (lex_span_absent(text))
        return NULL;
    if (text.len > max)
        return say(arena, field, "is too long");
    return lex_utf8_valid(text) ? NULL : say(arena, field, "is not valid UTF-8");
}

static const char *names_problem(const struct lex_decide_input *input, struct lex_arena *arena)
{
    const struct lex_request *r = input->request;
    const struct {
        const char *field;
        struct lex_span name;
        bool required;
    } names[] = {
        {"request_id", r->request_id, !input->request_id_optional},
        {"actor", r->actor, true},
        {"proposed_action", r->proposed_action, true},
        {"tool", r->tool, false},
        {"resource", r->resource, false},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(names); i++) {
        const char *problem = name_problem(arena, names[i].field, names[i].name, names[i].required);
        if (problem != NULL)
            return problem;
    }
    return NULL;
}

static const char *texts_problem(const struct lex_request *r, struct lex_arena *arena)
{
    const struct {
        const char *field;
        struct lex_span text;
        size_t max;
    } texts[] = {
        {"user_intent", r->user_intent, LEX_INTENT_MAX_BYTES},
        {"requested_output_type", r->requested_output_type, LEX_NAME_MAX_BYTES},
        {"user_id", r->user_id, LEX_NAME_MAX_BYTES},
        {"nonce", r->nonce, LEX_REQUEST_MAX_BYTES},
        {"capability_token", r->capability_token, LEX_REQUEST_MAX_BYTES},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(texts); i++) {
        const char *problem = text_problem(arena, texts[i].field, texts[i].text, texts[i].max);
        if (problem != NULL)
            return problem;
    }
    return NULL;
}

static const char *classes_problem(const struct lex_request *r, struct lex_arena *arena)
{
    if (r->data_classes.count > LEX_DATA_CLASSES_MAX)
        return "data_classes has more than 64 names";
    for (size_t i = 0; i < r->data_classes.count; i++) {
        const char *problem = name_problem(arena, "a data class", r->data_classes.items[i], true);
        if (problem != NULL)
            return problem;
    }
    return NULL;
}

/* ---- context and arguments ---- */

static bool list_valid(const struct lex_span_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!lex_utf8_valid(list->items[i]))
            return false;
    return true;
}

/* Integers beyond 2^53 - 1 have no one canonical form, so no fingerprint could name them. */
static const char *value_problem(const struct lex_value *value)
{
    static const int64_t exact_max = ((int64_t)1 << 53) - 1;
    switch (value->type) {
    case LEX_VALUE_LONG:
        return value->i64 > exact_max || value->i64 < -exact_max
                   ? "has an integer beyond 9007199254740991"
                   : NULL;
    case LEX_VALUE_DOUBLE: return isfinite(value->f64) ? NULL : "has a number that is not finite";
    case LEX_VALUE_STRING: return lex_utf8_valid(value->text) ? NULL : "is not valid UTF-8";
    case LEX_VALUE_LIST: return list_valid(&value->list) ? NULL : "is not valid UTF-8";
    default: return NULL;
    }
}

static int by_key(const void *a, const void *b)
{
    const struct lex_span *x = a, *y = b;
    return lex_span_cmp(*x, *y);
}

static bool keys_repeat(const struct lex_member_list *context, struct lex_arena *arena)
{
    if (context->count < 2)
        return false;
    struct lex_arena_mark mark = lex_arena_mark(arena);
    struct lex_span *keys = lex_arena_calloc(arena, context->count, sizeof *keys);
    bool repeat = keys == NULL;
    for (size_t i = 0; keys != NULL && i < context->count; i++)
        keys[i] = context->items[i].key;
    if (keys != NULL)
        qsort(keys, context->count, sizeof *keys, by_key);
    for (size_t i = 1; keys != NULL && i < context->count; i++)
        repeat = repeat || lex_span_eq(keys[i - 1], keys[i]);
    lex_arena_rollback(arena, mark);
    return repeat;
}

static const char *context_problem(const struct lex_member_list *context, struct lex_arena *arena)
{
    for (size_t i = 0; i < context->count; i++) {
        const char *problem = lex_name_problem(context->items[i].key);
        if (problem != NULL)
            return say(arena, "a context key", problem);
        problem = value_problem(&context->items[i].value);
        if (problem != NULL)
            return say(arena, "context", problem);
    }
    return keys_repeat(context, arena) ? "context has a key twice" : NULL;
}

static const char *arguments_problem(struct lex_span arguments, struct lex_arena *arena)
{
    const struct lex_json *root;
    if (lex_span_absent(arguments))
        return NULL;
    struct lex_arena_mark mark = lex_arena_mark(arena);
    const char *problem = NULL;
    if (lex_json_parse(arena, arguments, &root, NULL) != LEX_OK || root->type != LEX_JSON_OBJECT)
        problem = "arguments is not a JSON object";
    else if (lex_jcs_inexact(root) != NULL)
        problem = "arguments has a number that no double holds exactly";
    lex_arena_rollback(arena, mark);
    return problem;
}

/* ---- the whole ---- */

static bool mode_known(struct lex_span mode)
{
    return lex_span_absent(mode) || lex_span_eq(mode, LEX_SPAN("permissive")) ||
           lex_span_eq(mode, LEX_SPAN("strict")) || lex_span_eq(mode, LEX_SPAN("paranoid"));
}

const char *lex_request_problem(const struct lex_decide_input *input, struct lex_arena *arena)
{
    const struct lex_request *r = input->request;
    const char *problem = names_problem(input, arena);
    if (problem == NULL)
        problem = classes_problem(r, arena);
    if (problem == NULL && (r->risk_level < 1 || r->risk_level > 5))
        problem = "risk_level is not from 1 to 5";
    if (problem == NULL && !mode_known(r->policy_mode))
        problem = "policy_mode is not permissive, strict or paranoid";
    if (problem == NULL)
        problem = texts_problem(r, arena);
    if (problem == NULL && r->attestations.count > LEX_ATTESTATIONS_MAX)
        problem = "attestations has more than 4 members";
    if (problem == NULL)
        problem = context_problem(&r->context, arena);
    return problem != NULL ? problem : arguments_problem(r->arguments, arena);
}
