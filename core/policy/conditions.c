/* Conditions: what stands behind "only if". Parsed and checked here; core/decision judges them. */
#include <stdio.h>

#include "core/base/jcs.h"
#include "core/policy/load.h"

static lex_words types = {
#define LEX_CONDITION(name, type) type,
#include "core/policy/conditions.def"
#undef LEX_CONDITION
    NULL};

/* ---- expressions ---- */

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_path_byte(uint8_t c)
{
    return is_letter(c) || c == '_' || c == '.' || (c >= '0' && c <= '9');
}

static struct lex_span trim(struct lex_span text)
{
    while (text.len != 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = lex_span_of(text.data + 1, text.len - 1);
    while (text.len != 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool has_prefix(struct lex_span text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

bool lex_path_is_governed(struct lex_span path)
{
    static lex_words words = {"true",     "false",      "actor",      "action", "data_class",
                              "resource", "risk_level", "risk_score", NULL};
    return lex_load_word(path, words) >= 0 || has_prefix(path, "arguments.") ||
           has_prefix(path, "request.") || has_prefix(path, "token.");
}

/* An expression that is one fact and nothing else; absent for any other. */
static struct lex_span bare_fact(struct lex_span text)
{
    text = trim(text);
    bool bare = text.len != 0 && (is_letter(text.data[0]) || text.data[0] == '_');
    for (size_t i = 0; i < text.len; i++)
        bare = bare && is_path_byte(text.data[i]);
    return bare && !lex_path_is_governed(text) ? text : (struct lex_span){NULL, 0};
}

static LEX_STATUS read_expression(struct lex_loader *loader, const struct lex_json *node,
                                  struct lex_condition *condition)
{
    if (trim(node->text).len == 0)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "an empty condition; write an expression, or leave the key out");
    condition->type = LEX_CONDITION_EXPRESSION;
    condition->text = lex_load_keep(loader, node->text);
    if (lex_span_absent(condition->text))
        return lex_load_no_memory(loader);
    condition->name = bare_fact(condition->text);
    return LEX_OK;
}

/* ---- the members of structured conditions ---- */

static LEX_STATUS member(struct lex_loader *loader, const struct lex_json *node, const char *key,
                         enum lex_json_type type, bool required, const struct lex_json **ret)
{
    char what[64];
    *ret = lex_json_get(node, key);
    if (lex_json_is(*ret, LEX_JSON_NULL))
        *ret = NULL;
    if (*ret == NULL && required)
        return lex_load_fail(loader, LEX_REJECT, node->at, "this condition lacks \"%s\"", key);
    (void)snprintf(what, sizeof what, "\"%s\"", key);
    return *ret == NULL ? LEX_OK : lex_load_expect(loader, *ret, type, what);
}

static bool two_digits(const uint8_t *text, unsigned *ret)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return false;
    *ret = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
    return true;
}

/* HH:MM, 00:00 to 23:59, as minutes of the day. */
static bool clock_time(struct lex_span text, unsigned *ret_minutes)
{
    unsigned hours, minutes;
    if (text.len != 5 || text.data[2] != ':' || !two_digits(text.data, &hours) ||
        !two_digits(text.data + 3, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_minutes = hours * 60 + minutes;
    return true;
}

static LEX_STATUS read_time(struct lex_loader *loader, const struct lex_json *node, const char *key,
                            uint16_t *ret_minutes)
{
    const struct lex_json *time;
    unsigned minutes;
    LEX_TRY(member(loader, node, key, LEX_JSON_STRING, true, &time));
    if (!clock_time(time->text, &minutes))
        return lex_load_fail(loader, LEX_REJECT, time->at,
                             "\"%s\" must be a time HH:MM from 00:00 to 23:59", key);
    *ret_minutes = (uint16_t)minutes;
    return LEX_OK;
}

static LEX_STATUS read_zone(struct lex_loader *loader, const struct lex_json *node,
                            int16_t *ret_minutes)
{
    const struct lex_json *zone;
    unsigned minutes = 0;
    LEX_TRY(member(loader, node, "timezone", LEX_JSON_STRING, false, &zone));
    *ret_minutes = 0;
    if (zone == NULL || lex_span_eq(zone->text, LEX_SPAN("UTC")))
        return LEX_OK;
    bool sign = zone->text.len == 6 && (zone->text.data[0] == '+' || zone->text.data[0] == '-');
    if (!sign || !clock_time(lex_span_of(zone->text.data + 1, 5), &minutes))
        return lex_load_fail(loader, LEX_REJECT, zone->at,
                             "\"timezone\" must be UTC or a fixed offset like +01:00");
    *ret_minutes = (int16_t)(zone->text.data[0] == '-' ? -(int)minutes : (int)minutes);
    return LEX_OK;
}

static LEX_STATUS read_days(struct lex_loader *loader, const struct lex_json *node,
                            uint8_t *ret_days)
{
    static lex_words names = {"monday", "tuesday",  "wednesday", "thursday",
                              "friday", "saturday", "sunday",    NULL};
    const struct lex_json *days;
    LEX_TRY(member(loader, node, "days", LEX_JSON_ARRAY, false, &days));
    *ret_days = days == NULL ? 0x7f : 0;
    for (const struct lex_json *day = days == NULL ? NULL : days->child; day; day = day->next) {
        int index = day->type == LEX_JSON_STRING ? lex_load_word(day->text, names) : -1;
        if (index < 0)
            return lex_load_fail(loader, LEX_REJECT, day->at,
                                 "\"days\" must list names from monday to sunday");
        *ret_days = (uint8_t)(*ret_days | 1u << index);
    }
    if (*ret_days == 0)
        return lex_load_fail(loader, LEX_REJECT, days->at, "\"days\" names no day");
    return LEX_OK;
}

static LEX_STATUS read_count(struct lex_loader *loader, const struct lex_json *node,
                             const char *key, bool required, int64_t fallback, int64_t *ret)
{
    const struct lex_json *number;
    LEX_TRY(member(loader, node, key, LEX_JSON_NUMBER, required, &number));
    *ret = fallback;
    if (number == NULL)
        return LEX_OK;
    if (!number->integer || lex_json_int64(number->text, ret) != LEX_OK || *ret < 1 ||
        *ret > INT32_MAX)
        return lex_load_fail(loader, LEX_REJECT, number->at,
                             "\"%s\" must be a whole number from 1 to 2147483647", key);
    return LEX_OK;
}

/* A positive integer and s, m, h or d, in seconds. */
static bool duration(struct lex_span text, int64_t *ret_seconds)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    int64_t count;
    if (text.len < 2 || text.data[0] == '0' ||
        lex_json_int64(lex_span_of(text.data, text.len - 1), &count) != LEX_OK || count < 1)
        return false;
    for (size_t i = 0; i < LEX_COUNT_OF(units); i++)
        if (text.data[text.len - 1] == (uint8_t)units[i].unit)
            return !__builtin_mul_overflow(count, units[i].seconds, ret_seconds) &&
                   *ret_seconds <= INT32_MAX;
    return false;
}

LEX_STATUS lex_load_duration(struct lex_loader *loader, const struct lex_json *node,
                             const char *key, bool required, int64_t fallback, int64_t *ret)
{
    const struct lex_json *text;
    LEX_TRY(member(loader, node, key, LEX_JSON_STRING, required, &text));
    *ret = fallback;
    if (text != NULL && !duration(text->text, ret))
        return lex_load_fail(loader, LEX_REJECT, text->at,
                             "\"%s\" must be a duration: a positive whole number and s, m, h or d, "
                             "like \"5m\"",
                             key);
    return LEX_OK;
}

/* ---- the types ---- */

static LEX_STATUS read_time_window(struct lex_loader *loader, const struct lex_json *node,
                                   struct lex_condition *condition)
{
    static lex_words known = {"type", "start", "end", "timezone", "days", NULL};
    LEX_TRY(lex_load_known_keys(loader, node, known, "a time_window"));
    LEX_TRY(read_time(loader, node, "start", &condition->window.start));
    LEX_TRY(read_time(loader, node, "end", &condition->window.end));
    LEX_TRY(read_zone(loader, node, &condition->window.zone));
    return read_days(loader, node, &condition->window.days);
}

static LEX_STATUS read_rate_limit(struct lex_loader *loader, const struct lex_json *node)
{
    static lex_words known = {"type", "max_requests", "window", "sum", NULL};
    const struct lex_json *sum;
    int64_t number;
    LEX_TRY(lex_load_known_keys(loader, node, known, "a rate_limit"));
    LEX_TRY(read_count(loader, node, "max_requests", true, 0, &number));
    LEX_TRY(lex_load_duration(loader, node, "window", true, 0, &number));
    LEX_TRY(member(loader, node, "sum", LEX_JSON_STRING, false, &sum));
    if (sum != NULL && !has_prefix(sum->text, "arguments."))
        return lex_load_fail(loader, LEX_REJECT, sum->at,
                             "\"sum\" must name a number of the call, like arguments.amount");
    return LEX_OK;
}

static LEX_STATUS read_approval(struct lex_loader *loader, const struct lex_json *node,
                                struct lex_condition *condition)
{
    static lex_words known = {"type", "approver", "timeout", "quorum", NULL};
    const struct lex_json *approver;
    int64_t timeout_s, quorum;
    LEX_TRY(lex_load_known_keys(loader, node, known, "an approval"));
    LEX_TRY(member(loader, node, "approver", LEX_JSON_STRING, false, &approver));
    LEX_TRY(lex_load_duration(loader, node, "timeout", false, 300, &timeout_s));
    LEX_TRY(read_count(loader, node, "quorum", false, 1, &quorum));
    condition->approval.timeout_s = (uint32_t)timeout_s;
    condition->approval.quorum = (uint32_t)quorum;
    condition->approval.approver = LEX_TERM_UNKNOWN;
    return approver == NULL ? LEX_OK
                            : lex_load_ref(loader, LEX_KIND_ACTOR, approver->text, approver->at,
                                           &condition->approval.approver);
}

static LEX_STATUS read_context_check(struct lex_loader *loader, const struct lex_json *node,
                                     struct lex_condition *condition)
{
    static lex_words known = {"type", "field", "operator", "value", NULL};
    static lex_words operators = {"equals", "not_equals", "gt",       "gte",    "lt", "lte",
                                  "in",     "not_in",     "contains", "exists", NULL};
    const struct lex_json *field, *operator_, *value = lex_json_get(node, "value");
    char suggestion[128];
    LEX_TRY(lex_load_known_keys(loader, node, known, "a context_check"));
    LEX_TRY(member(loader, node, "field", LEX_JSON_STRING, true, &field));
    LEX_TRY(member(loader, node, "operator", LEX_JSON_STRING, true, &operator_));
    int index = lex_load_word(operator_->text, operators);
    if (index < 0)
        return lex_load_fail(
            loader, LEX_REJECT, operator_->at, "unknown operator \"%.*s\"%s",
            LEX_SPAN_FMT(operator_->text),
            lex_load_suggest(operator_->text, operators, suggestion, sizeof suggestion));
    bool exists = strcmp(operators[index], "exists") == 0;
    bool list = strcmp(operators[index], "in") == 0 || strcmp(operators[index], "not_in") == 0;
    if (!exists && value == NULL)
        return lex_load_fail(loader, LEX_REJECT, node->at, "this condition lacks \"value\"");
    if (list && value->type != LEX_JSON_ARRAY)
        return lex_load_fail(loader, LEX_REJECT, value->at, "\"value\" must be an array for \"%s\"",
                             operators[index]);
    condition->name = lex_load_keep(loader, field->text);
    return lex_span_absent(condition->name) ? lex_load_no_memory(loader) : LEX_OK;
}

static LEX_STATUS read_data_class(struct lex_loader *loader, const struct lex_json *node,
                                  struct lex_condition *condition)
{
    static lex_words known = {"type", "value", NULL};
    const struct lex_json *value;
    LEX_TRY(lex_load_known_keys(loader, node, known, "a data_class condition"));
    LEX_TRY(member(loader, node, "value", LEX_JSON_STRING, true, &value));
    return lex_load_ref(loader, LEX_KIND_DATA, value->text, value->at, &condition->data_class);
}

static LEX_STATUS read_by_type(struct lex_loader *loader, const struct lex_json *node,
                               struct lex_condition *condition)
{
    switch (condition->type) {
    case LEX_CONDITION_TIME_WINDOW: return read_time_window(loader, node, condition);
    case LEX_CONDITION_RATE_LIMIT: return read_rate_limit(loader, node);
    case LEX_CONDITION_APPROVAL: return read_approval(loader, node, condition);
    case LEX_CONDITION_CONTEXT_CHECK: return read_context_check(loader, node, condition);
    default: return read_data_class(loader, node, condition);
    }
}

static LEX_STATUS keep_canonical(struct lex_loader *loader, const struct lex_json *node,
                                 struct lex_span *ret_text)
{
    struct lex_buf buf;
    lex_buf_init(&buf, SIZE_MAX / 2);
    lex_jcs_put(&buf, node);
    if (lex_buf_ok(&buf))
        *ret_text = lex_arena_dup(&loader->policy->arena, lex_buf_span(&buf));
    lex_buf_fini(&buf);
    return lex_span_absent(*ret_text) ? lex_load_no_memory(loader) : LEX_OK;
}

static LEX_STATUS read_structured(struct lex_loader *loader, enum lex_condition_place place,
                                  const struct lex_json *node, struct lex_condition *condition)
{
    const struct lex_json *type;
    char suggestion[128];
    LEX_TRY(member(loader, node, "type", LEX_JSON_STRING, true, &type));
    int index = lex_load_word(type->text, types);
    if (index < 0)
        return lex_load_fail(loader, LEX_REJECT, type->at, "unknown condition type \"%.*s\"%s",
                             LEX_SPAN_FMT(type->text),
                             lex_load_suggest(type->text, types, suggestion, sizeof suggestion));
    condition->type = (enum lex_condition_type)(index + LEX_CONDITION_EXPRESSION + 1);
    bool stateful =
        condition->type == LEX_CONDITION_RATE_LIMIT || condition->type == LEX_CONDITION_APPROVAL;
    if (stateful && place != LEX_PLACE_GRANT)
        return lex_load_fail(loader, LEX_REJECT, type->at,
                             "\"%s\" may stand in permits and requires only", types[index]);
    LEX_TRY(read_by_type(loader, node, condition));
    return keep_canonical(loader, node, &condition->text);
}

static LEX_STATUS read_one(struct lex_loader *loader, enum lex_condition_place place,
                           const struct lex_json *node, struct lex_condition *condition)
{
    if (node->type == LEX_JSON_STRING)
        return read_expression(loader, node, condition);
    if (node->type == LEX_JSON_OBJECT)
        return read_structured(loader, place, node, condition);
    return lex_load_fail(loader, LEX_REJECT, node->at,
                         "a condition must be an expression (a string) or an object with a "
                         "\"type\", but it is %s",
                         lex_json_type_name(node->type));
}

LEX_STATUS lex_load_conditions(struct lex_loader *loader, enum lex_condition_place place,
                               const struct lex_json *const *nodes, size_t nodes_count,
                               const struct lex_condition **ret_items, uint32_t *ret_count)
{
    size_t count = 0, n = 0;
    for (size_t i = 0; i < nodes_count; i++)
        if (nodes[i] != NULL)
            count += nodes[i]->type == LEX_JSON_ARRAY ? nodes[i]->count : 1;
    *ret_items = NULL;
    *ret_count = (uint32_t)count;
    if (count == 0)
        return LEX_OK;
    struct lex_condition *items = lex_arena_calloc(&loader->policy->arena, count, sizeof *items);
    if (items == NULL)
        return lex_load_no_memory(loader);
    *ret_items = items;
    for (size_t i = 0; i < nodes_count; i++) {
        const struct lex_json *node = nodes[i];
        bool list = lex_json_is(node, LEX_JSON_ARRAY);
        for (node = list ? node->child : node; node != NULL; node = list ? node->next : NULL)
            LEX_TRY(read_one(loader, place, node, &items[n++]));
    }
    return LEX_OK;
}
