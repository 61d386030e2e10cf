/* The canonical form of a request (RFC 8785) and its fingerprint: what an approver signs and what a
 * token is bound to.
 *
 * Anybody must be able to compute it in one line of any language, so it is plain canonical JSON of
 * a fixed set of members; here it is written straight, because the members' order is known and only
 * context and arguments have to be sorted. The order of MEMBERS is the one that RFC 8785 asks for;
 * a test compares the result with the general canonicaliser. */
#include <math.h>
#include <stdlib.h>

#include "core/base/jcs.h"
#include "core/codec/codec.h"
#include "core/codec/text_writer.h"
#include "core/crypto/crypto.h"

static const int64_t exact_max = ((int64_t)1 << 53) - 1;

struct canonical {
    const struct lex_request *request;
    struct lex_arena *arena;
    struct lex_error *err;
    struct lex_span_list data_classes; /* sorted, unique */
    const struct lex_member **context; /* sorted */
    const struct lex_json *arguments;  /* parsed; NULL when absent */
    size_t arguments_numbers;
};

/* ---- data classes: sorted by code points, each once ---- */

static bool ascending(const struct lex_span_list *list)
{
    for (size_t i = 1; i < list->count; i++)
        if (lex_span_cmp(list->items[i - 1], list->items[i]) >= 0)
            return false;
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    const struct lex_span *x = a, *y = b;
    return lex_span_cmp(*x, *y);
}

static enum lex_status sort_classes(struct canonical *c)
{
    const struct lex_span_list *given = &c->request->data_classes;
    c->data_classes = *given;
    if (ascending(given))
        return LEX_OK;
    struct lex_span *sorted = lex_arena_alloc(c->arena, given->count * sizeof *sorted);
    if (sorted == NULL)
        return LEX_LIMIT;
    memcpy(sorted, given->items, given->count * sizeof *sorted);
    qsort(sorted, given->count, sizeof *sorted, by_bytes);
    size_t kept = 1;
    for (size_t i = 1; i < given->count; i++)
        if (!lex_span_eq(sorted[kept - 1], sorted[i]))
            sorted[kept++] = sorted[i];
    c->data_classes = (struct lex_span_list){sorted, kept};
    return LEX_OK;
}

/* ---- context: members sorted by UTF-16 code units ---- */

static int by_key(const void *a, const void *b)
{
    const struct lex_member *const *x = a, *const *y = b;
    return lex_jcs_cmp((*x)->key, (*y)->key);
}

static enum lex_status check_value(struct canonical *c, const struct lex_member *member)
{
    const struct lex_value *value = &member->value;
    if (value->type == LEX_VALUE_LONG && (value->i64 < -exact_max || value->i64 > exact_max))
        return lex_fail(c->err, LEX_REJECT,
                        "context '%.*s': an integer beyond 2^53-1; give it as a string",
                        LEX_SPAN_FMT(member->key));
    if (value->type == LEX_VALUE_DOUBLE && !isfinite(value->f64))
        return lex_fail(c->err, LEX_REJECT, "context '%.*s': a number that is not finite",
                        LEX_SPAN_FMT(member->key));
    return LEX_OK;
}

static enum lex_status sort_context(struct canonical *c)
{
    const struct lex_member_list *given = &c->request->context;
    if (given->count == 0)
        return LEX_OK;
    c->context = lex_arena_alloc(c->arena, given->count * sizeof(const struct lex_member *));
    if (c->context == NULL)
        return LEX_LIMIT;
    bool sorted = true;
    for (size_t i = 0; i < given->count; i++) {
        LEX_TRY(check_value(c, &given->items[i]));
        c->context[i] = &given->items[i];
        sorted = sorted && (i == 0 || by_key(&c->context[i - 1], &c->context[i]) < 0);
    }
    if (!sorted)
        qsort(c->context, given->count, sizeof(const struct lex_member *), by_key);
    return LEX_OK;
}

/* ---- arguments ---- */

static size_t count_numbers(const struct lex_json *node)
{
    size_t count = node->type == LEX_JSON_NUMBER;
    if (node->type == LEX_JSON_ARRAY || node->type == LEX_JSON_OBJECT)
        for (const struct lex_json *child = node->child; child != NULL; child = child->next)
            count += count_numbers(child);
    return count;
}

static enum lex_status parse_arguments(struct canonical *c)
{
    struct lex_error why;
    if (lex_span_absent(c->request->arguments))
        return LEX_OK;
    enum lex_status status = lex_json_parse(c->arena, c->request->arguments, &c->arguments, &why);
    if (status != LEX_OK)
        return lex_fail(c->err, status, "arguments: %.900s", why.text);
    if (!lex_json_is(c->arguments, LEX_JSON_OBJECT))
        return lex_fail(c->err, LEX_REJECT, "arguments: expected the text of a JSON object");
    const struct lex_json *inexact = lex_jcs_inexact(c->arguments);
    if (inexact != NULL)
        return lex_fail(c->err, LEX_REJECT,
                        "arguments: the number %.*s is beyond 2^53-1; give it as a string",
                        (int)(inexact->text.len < 64 ? inexact->text.len : 64),
                        (const char *)inexact->text.data);
    c->arguments_numbers = count_numbers(c->arguments);
    return LEX_OK;
}

/* ---- the writer ---- */

static void put_opt(struct lex_text *out, struct lex_span value)
{
    if (lex_span_absent(value))
        LEX_TEXT_LITERAL(out, "null");
    else
        lex_text_string(out, value);
}

static void put_list(struct lex_text *out, const struct lex_span_list *list)
{
    lex_text_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i != 0)
            lex_text_char(out, ',');
        lex_text_string(out, list->items[i]);
    }
    lex_text_char(out, ']');
}

/* The decimals that people write (12.5, 0.01), without a trial per digit: m / 10^k with the
 * smallest k that gives the value back. With at most 15 digits no other decimal as short does, so
 * this is the shortest one; a division of two exact doubles is correctly rounded, so the comparison
 * is exact. */
static bool put_short_decimal(struct lex_text *out, double value)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    double size = fabs(value);
    if (!(size >= 1e-6 && size < 1e9))
        return false;
    for (unsigned k = 0; k < LEX_COUNT_OF(powers); k++) {
        double whole = rint(size * powers[k]);
        if (whole / powers[k] != size)
            continue;
        int64_t digits = (int64_t)whole, power = (int64_t)powers[k];
        if (value < 0)
            lex_text_char(out, '-');
        lex_text_i64(out, digits / power);
        if (k != 0)
            lex_text_char(out, '.');
        for (power /= 10; power > 0; power /= 10)
            lex_text_char(out, (char)('0' + digits / power % 10));
        return true;
    }
    return false;
}

static void put_double(struct lex_text *out, double value)
{
    if (put_short_decimal(out, value))
        return;
    struct lex_buf buf = lex_text_lend(out);
    lex_jcs_put_double(&buf, value);
    lex_text_take_back(out, &buf);
}

static void put_value(struct lex_text *out, const struct lex_value *value)
{
    switch (value->type) {
    case LEX_VALUE_NULL: LEX_TEXT_LITERAL(out, "null"); break;
    case LEX_VALUE_BOOL:
        lex_text_put(out, value->boolean ? LEX_SPAN("true") : LEX_SPAN("false"));
        break;
    case LEX_VALUE_LONG: lex_text_i64(out, value->i64); break;
    case LEX_VALUE_DOUBLE: put_double(out, value->f64); break;
    case LEX_VALUE_STRING: lex_text_string(out, value->text); break;
    case LEX_VALUE_LIST: put_list(out, &value->list); break;
    }
}

static void put_context(struct lex_text *out, const struct canonical *c)
{
    lex_text_char(out, '{');
    for (size_t i = 0; i < c->request->context.count; i++) {
        if (i != 0)
            lex_text_char(out, ',');
        lex_text_string(out, c->context[i]->key);
        lex_text_char(out, ':');
        put_value(out, &c->context[i]->value);
    }
    lex_text_char(out, '}');
}

static void put_arguments(struct lex_text *out, const struct canonical *c)
{
    if (c->arguments == NULL) {
        LEX_TEXT_LITERAL(out, "null");
        return;
    }
    struct lex_buf buf = lex_text_lend(out);
    lex_jcs_put(&buf, c->arguments);
    lex_text_take_back(out, &buf);
}

static void put_request(struct lex_text *out, const struct canonical *c)
{
    const struct lex_request *r = c->request;
    LEX_TEXT_LITERAL(out, "{\"actor\":");
    put_opt(out, r->actor);
    LEX_TEXT_LITERAL(out, ",\"arguments\":");
    put_arguments(out, c);
    LEX_TEXT_LITERAL(out, ",\"context\":");
    put_context(out, c);
    LEX_TEXT_LITERAL(out, ",\"data_classes\":");
    put_list(out, &c->data_classes);
    LEX_TEXT_LITERAL(out, ",\"nonce\":");
    put_opt(out, r->nonce);
    LEX_TEXT_LITERAL(out, ",\"policy_mode\":");
    put_opt(out, r->policy_mode);
    LEX_TEXT_LITERAL(out, ",\"proposed_action\":");
    put_opt(out, r->proposed_action);
    LEX_TEXT_LITERAL(out, ",\"requested_output_type\":");
    put_opt(out, r->requested_output_type);
    LEX_TEXT_LITERAL(out, ",\"resource\":");
    put_opt(out, r->resource);
    LEX_TEXT_LITERAL(out, ",\"risk_level\":");
    lex_text_i64(out, r->risk_level);
    LEX_TEXT_LITERAL(out, ",\"tool\":");
    put_opt(out, r->tool);
    LEX_TEXT_LITERAL(out, ",\"user_id\":");
    put_opt(out, r->user_id);
    LEX_TEXT_LITERAL(out, ",\"user_intent\":");
    put_opt(out, r->user_intent);
    lex_text_char(out, '}');
}

static size_t list_bound(const struct lex_span_list *list)
{
    size_t bytes = 2;
    for (size_t i = 0; i < list->count; i++)
        bytes += lex_text_string_bound(list->items[i]) + 1;
    return bytes;
}

/* A string never grows when it becomes canonical, a number may ("1e20" has 21 digits). */
static size_t bound_of(const struct canonical *c)
{
    const struct lex_request *r = c->request;
    const struct lex_span texts[] = {r->actor,           r->nonce,       r->policy_mode,
                                     r->proposed_action, r->resource,    r->tool,
                                     r->user_id,         r->user_intent, r->requested_output_type};
    size_t bytes = 512 + list_bound(&c->data_classes);
    for (size_t i = 0; i < LEX_COUNT_OF(texts); i++)
        bytes += lex_text_string_bound(texts[i]);
    for (size_t i = 0; i < r->context.count; i++) {
        const struct lex_member *member = &r->context.items[i];
        bytes += lex_text_string_bound(member->key) + 40;
        if (member->value.type == LEX_VALUE_STRING)
            bytes += lex_text_string_bound(member->value.text);
        else if (member->value.type == LEX_VALUE_LIST)
            bytes += list_bound(&member->value.list);
    }
    return bytes + r->arguments.len + 32 * c->arguments_numbers;
}

static enum lex_status write_canonical(const struct lex_request *request, struct lex_arena *arena,
                                       struct lex_span *ret_json, struct lex_error *err)
{
    struct canonical c = {.request = request, .arena = arena, .err = err};
    struct lex_text out;
    LEX_TRY(sort_classes(&c));
    LEX_TRY(sort_context(&c));
    LEX_TRY(parse_arguments(&c));
    LEX_TRY(lex_text_begin(&out, arena, bound_of(&c)));
    put_request(&out, &c);
    return lex_text_end(&out, arena, SIZE_MAX, ret_json);
}

LEX_STATUS lex_request_canonical(const struct lex_request *request, struct lex_arena *arena,
                                 struct lex_span *ret_json, struct lex_error *err)
{
    enum lex_status status = write_canonical(request, arena, ret_json, err);
    if (status == LEX_LIMIT)
        return lex_fail(err, status,
                        "the request's canonical form needs more memory than it may have");
    return status;
}

LEX_STATUS lex_request_fingerprint(const struct lex_request *request, struct lex_arena *arena,
                                   uint8_t ret_hash[32], struct lex_error *err)
{
    struct lex_arena_mark mark = lex_arena_mark(arena);
    struct lex_span parts[2] = {LEX_SPAN("lexecon-request/v1\n"), {NULL, 0}};
    enum lex_status status = lex_request_canonical(request, arena, &parts[1], err);
    if (status == LEX_OK) {
        struct lex_hash hash;
        lex_sha256(parts, LEX_COUNT_OF(parts), &hash);
        memcpy(ret_hash, hash.bytes, sizeof hash.bytes);
    }
    lex_arena_rollback(arena, mark);
    return status;
}
