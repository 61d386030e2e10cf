/* Validate: what a request must be before anything is looked up in it. */
#include <math.h>
#include <stddef.h>
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

static inline const char *name_problem(struct lex_arena *arena, const char *field,
                                       struct lex_span name, bool required)
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

/* The request's texts, and what each may be. */
static const struct {
    const char *field;
    size_t offset;
    size_t max; /* 0: a name */
    bool required;
} texts[] = {
#define TEXT(member, max, required)                                  \
    {                                                                \
#member, offsetof(struct lex_request, member), max, required \
    }
    TEXT(actor, 0, true),
    TEXT(proposed_action, 0, true),
    TEXT(request_id, 0, false), /* required but offline, and there checked apart */
    TEXT(tool, 0, false),
    TEXT(resource, 0, false),
    TEXT(user_intent, LEX_INTENT_MAX_BYTES, false),
    TEXT(requested_output_type, LEX_NAME_MAX_BYTES, false),
    TEXT(user_id, LEX_NAME_MAX_BYTES, false),
    TEXT(nonce, LEX_REQUEST_MAX_BYTES, false),
    TEXT(capability_token, LEX_REQUEST_MAX_BYTES, false),
#undef TEXT
};

enum { ALWAYS_COUNT = 3 }; /* the first ones are in every request */

static const char *texts_problem(const struct lex_decide_input *input, struct lex_arena *arena)
{
    const struct lex_request *r = input->request;
    if (lex_span_absent(r->request_id) && !input->request_id_optional)
        return "request_id is missing";
    bool few = r->tool.data == NULL && r->resource.data == NULL && r->user_intent.data == NULL &&
               r->requested_output_type.data == NULL && r->user_id.data == NULL &&
               r->nonce.data == NULL && r->capability_token.data == NULL;
    for (size_t i = 0; i < (few ? ALWAYS_COUNT : LEX_COUNT_OF(texts)); i++) {
        struct lex_span text =
            *(const struct lex_span *)(const void *)((const char *)r + texts[i].offset);
        const char *problem;
        if (lex_span_absent(text) && !texts[i].required)
            continue;
        problem = texts[i].max == 0 ? name_problem(arena, texts[i].field, text, texts[i].required)
                                    : text_problem(arena, texts[i].field, text, texts[i].max);
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

/* Parsed once: what conditions read of the call is a walk over this tree. */
static const char *arguments_problem(struct lex_eval *eval)
{
    struct lex_span arguments = eval->request->arguments;
    if (lex_span_absent(arguments))
        return NULL;
    if (lex_json_parse(eval->arena, arguments, &eval->arguments, NULL) != LEX_OK ||
        eval->arguments->type != LEX_JSON_OBJECT)
        return "arguments is not a JSON object";
    return lex_jcs_inexact(eval->arguments) != NULL
               ? "arguments has a number that no double holds exactly"
               : NULL;
}

/* ---- the whole ---- */

static bool mode_known(struct lex_span mode)
{
    return lex_span_absent(mode) || lex_span_eq(mode, LEX_SPAN("permissive")) ||
           lex_span_eq(mode, LEX_SPAN("strict")) || lex_span_eq(mode, LEX_SPAN("paranoid"));
}

const char *lex_request_problem(struct lex_eval *eval)
{
    const struct lex_request *r = eval->request;
    const char *problem = texts_problem(eval->input, eval->arena);
    if (problem == NULL && r->data_classes.count != 0)
        problem = classes_problem(r, eval->arena);
    if (problem == NULL && (r->risk_level < 1 || r->risk_level > 5))
        problem = "risk_level is not from 1 to 5";
    if (problem == NULL && !mode_known(r->policy_mode))
        problem = "policy_mode is not permissive, strict or paranoid";
    if (problem == NULL && r->attestations.count > LEX_ATTESTATIONS_MAX)
        problem = "attestations has more than 4 members";
    if (problem == NULL && r->context.count != 0)
        problem = context_problem(&r->context, eval->arena);
    return problem != NULL ? problem : arguments_problem(eval);
}
