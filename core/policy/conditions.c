/* Conditions: what stands behind "only if". Parsed and checked here; core/decision judges them.
 *
 * They are interned: a condition that a thousand rules share is compiled once and judged once in a
 * request. Two texts meet twice, as they are written (which costs a look-up) and in canonical form
 * (which finds the same condition behind another layout). */
#include <stdio.h>

#include "core/base/jcs.h"
#include "core/policy/load.h"

static lex_words types = {
#define LEX_CONDITION(name, type) type,
#include "core/policy/conditions.def"
#undef LEX_CONDITION
    NULL};

static bool has_prefix(struct lex_span text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
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

enum {
    MILLIONTHS = 1000000,
    FRACTION_DIGITS = 6,
};
static const int64_t total_max = 9000000000000; /* a larger one does not count in millionths */

/* A decimal number without exponent, exactly, in millionths. */
static bool millionths(struct lex_span text, int64_t *ret)
{
    int64_t value = 0;
    size_t digits = 0, fraction = 0;
    bool dot = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '.' && !dot) {
            dot = true;
            continue;
        }
        if (c < '0' || c > '9' || ++digits > 19 || (fraction += dot) > FRACTION_DIGITS ||
            __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, c - '0', &value))
            return false;
    }
    for (; fraction < FRACTION_DIGITS; fraction++)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    *ret = value;
    return value > 0 && value <= total_max * MILLIONTHS;
}

static LEX_STATUS read_total(struct lex_loader *loader, const struct lex_json *node,
                             struct lex_condition *condition)
{
    const struct lex_json *total;
    LEX_TRY(member(loader, node, "max_requests", LEX_JSON_NUMBER, true, &total));
    if (!millionths(total->text, &condition->rate.max))
        return lex_load_fail(loader, LEX_REJECT, total->at,
                             "\"max_requests\" of a sum must be a number above 0 and up to "
                             "9000000000000, with at most 6 decimals and no exponent");
    return LEX_OK;
}

static LEX_STATUS read_sum(struct lex_loader *loader, const struct lex_json *sum,
                           struct lex_condition *condition)
{
    if (!has_prefix(sum->text, "arguments."))
        return lex_load_fail(loader, LEX_REJECT, sum->at,
                             "\"sum\" must name a number of the call, like arguments.amount");
    return lex_load_fact(loader, sum->text, sum->at, LEX_USE_NUMBER, &condition->rate.sum);
}

static LEX_STATUS read_rate_limit(struct lex_loader *loader, const struct lex_json *node,
                                  struct lex_condition *condition)
{
    static lex_words known = {"type", "max_requests", "window", "sum", NULL};
    const struct lex_json *sum;
    int64_t window_s;
    LEX_TRY(lex_load_known_keys(loader, node, known, "a rate_limit"));
    LEX_TRY(member(loader, node, "sum", LEX_JSON_STRING, false, &sum));
    LEX_TRY(lex_load_duration(loader, node, "window", true, 0, &window_s));
    if (window_s > LEX_RATE_WINDOW_MAX_S)
        return lex_load_fail(loader, LEX_REJECT, lex_json_get(node, "window")->at,
                             "\"window\" may be one hour at most, as far as a partition's history "
                             "reaches back");
    condition->rate.window_s = (uint32_t)window_s;
    condition->rate.sum = UINT32_MAX;
    if (sum == NULL)
        return read_count(loader, node, "max_requests", true, 0, &condition->rate.max);
    LEX_TRY(read_total(loader, node, condition));
    return read_sum(loader, sum, condition);
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

/* ---- context_check and data_class: expressions of one leaf ---- */

static const struct {
    const char *word;
    enum lex_op op;
    bool negated;
} operators[] = {
    {"equals", LEX_OP_EQ, false},
    {"not_equals", LEX_OP_NE, false},
    {"gt", LEX_OP_GT, false},
    {"gte", LEX_OP_GE, false},
    {"lt", LEX_OP_LT, false},
    {"lte", LEX_OP_LE, false},
    {"in", LEX_OP_IN, false},
    {"not_in", LEX_OP_IN, true},
    {"contains", LEX_OP_CONTAINS, false},
    {"exists", LEX_OP_EXISTS, false},
};
static lex_words operator_words = {"equals", "not_equals", "gt",       "gte",    "lt", "lte",
                                   "in",     "not_in",     "contains", "exists", NULL};

static LEX_STATUS read_scalar(struct lex_loader *loader, const struct lex_json *node,
                              struct lex_operand *ret, unsigned *use)
{
    switch (node->type) {
    case LEX_JSON_BOOL:
        *ret = (struct lex_operand){.kind = LEX_OPERAND_BOOL, .boolean = node->boolean};
        *use |= LEX_USE_TRUTH;
        return LEX_OK;
    case LEX_JSON_NUMBER:
        *use |= LEX_USE_NUMBER;
        ret->kind = LEX_OPERAND_NUMBER;
        if (lex_json_double(node->text, &ret->number) == LEX_OK)
            return LEX_OK;
        break;
    case LEX_JSON_STRING:
        *ret = (struct lex_operand){.kind = LEX_OPERAND_STRING,
                                    .text = lex_load_keep(loader, node->text)};
        *use |= LEX_USE_STRING;
        return lex_span_absent(ret->text) ? lex_load_no_memory(loader) : LEX_OK;
    default: break;
    }
    return lex_load_fail(loader, LEX_REJECT, node->at,
                         "expected a string, a number, true or false to compare with, but this is "
                         "%s",
                         node->type == LEX_JSON_NUMBER ? "too large a number"
                                                       : lex_json_type_name(node->type));
}

static LEX_STATUS read_in(struct lex_loader *loader, const struct lex_json *value,
                          struct lex_node *leaf, unsigned *use)
{
    size_t count = 0;
    LEX_TRY(lex_load_expect(loader, value, LEX_JSON_ARRAY, "\"value\" of in and not_in"));
    if (value->count == 0)
        return lex_load_fail(loader, LEX_REJECT, value->at,
                             "an empty \"value\" can never be met; list what the field may be");
    struct lex_operand *items =
        lex_arena_calloc(&loader->policy->arena, value->count, sizeof *items);
    if (items == NULL)
        return lex_load_no_memory(loader);
    for (const struct lex_json *item = value->child; item != NULL; item = item->next)
        LEX_TRY(read_scalar(loader, item, &items[count++], use));
    leaf->list.items = items;
    leaf->list.count = count;
    return LEX_OK;
}

static LEX_STATUS read_exists(struct lex_loader *loader, const struct lex_json *value)
{
    if (value == NULL || (value->type == LEX_JSON_BOOL && value->boolean))
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, value->at,
                         "\"exists\" asks only whether the field is there; leave \"value\" out");
}

static LEX_STATUS read_value(struct lex_loader *loader, const struct lex_json *node,
                             struct lex_node *leaf, unsigned *use)
{
    const struct lex_json *value = lex_json_get(node, "value");
    bool ordered = leaf->op >= LEX_OP_LT && leaf->op <= LEX_OP_GE;
    if (lex_json_is(value, LEX_JSON_NULL))
        value = NULL;
    *use = leaf->op == LEX_OP_EXISTS ? LEX_USE_ANY : 0;
    if (leaf->op == LEX_OP_EXISTS)
        return read_exists(loader, value);
    if (value == NULL)
        return lex_load_fail(loader, LEX_REJECT, node->at, "this condition lacks \"value\"");
    if (leaf->op == LEX_OP_IN)
        return read_in(loader, value, leaf, use);
    if (ordered)
        LEX_TRY(
            lex_load_expect(loader, value, LEX_JSON_NUMBER, "\"value\" of gt, gte, lt and lte"));
    LEX_TRY(read_scalar(loader, value, &leaf->b, use));
    *use = leaf->op == LEX_OP_CONTAINS ? LEX_USE_LIST : *use;
    return LEX_OK;
}

static LEX_STATUS read_field(struct lex_loader *loader, const struct lex_json *field, unsigned use,
                             struct lex_node *leaf)
{
    leaf->a.kind = LEX_OPERAND_FACT;
    LEX_TRY(lex_load_fact(loader, field->text, field->at, use, &leaf->a.fact));
    if (loader->facts[leaf->a.fact].source < LEX_FACT_DATA_CLASS)
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, field->at,
                         "\"%.*s\" is a set of names, not a field; write the expression "
                         "\"%.*s == name\"",
                         LEX_SPAN_FMT(field->text), LEX_SPAN_FMT(field->text));
}

static LEX_STATUS read_context_check(struct lex_loader *loader, const struct lex_json *node,
                                     struct lex_condition *condition)
{
    static lex_words known = {"type", "field", "operator", "value", NULL};
    const struct lex_json *field, *operator_;
    struct lex_node leaf = {.op = LEX_OP_EQ};
    char suggestion[128];
    unsigned use;
    LEX_TRY(lex_load_known_keys(loader, node, known, "a context_check"));
    LEX_TRY(member(loader, node, "field", LEX_JSON_STRING, true, &field));
    LEX_TRY(member(loader, node, "operator", LEX_JSON_STRING, true, &operator_));
    int index = lex_load_word(operator_->text, operator_words);
    if (index < 0)
        return lex_load_fail(
            loader, LEX_REJECT, operator_->at,
            "unknown operator \"%.*s\"%s; expected equals, not_equals, gt, gte, lt, lte, in, "
            "not_in, contains or exists",
            LEX_SPAN_FMT(operator_->text),
            lex_load_suggest(operator_->text, operator_words, suggestion, sizeof suggestion));
    leaf.op = operators[index].op;
    LEX_TRY(read_value(loader, node, &leaf, &use));
    LEX_TRY(read_field(loader, field, use, &leaf));
    return lex_load_leaf(loader, &leaf, operators[index].negated, condition);
}

static LEX_STATUS read_data_class(struct lex_loader *loader, const struct lex_json *node,
                                  struct lex_condition *condition)
{
    static lex_words known = {"type", "value", NULL};
    struct lex_node leaf = {.op = LEX_OP_IS, .a = {.kind = LEX_OPERAND_FACT}};
    const struct lex_json *value;
    LEX_TRY(lex_load_known_keys(loader, node, known, "a data_class condition"));
    LEX_TRY(member(loader, node, "value", LEX_JSON_STRING, true, &value));
    LEX_TRY(lex_load_ref(loader, LEX_KIND_DATA, value->text, value->at, &leaf.term));
    LEX_TRY(lex_load_fact(loader, LEX_SPAN("data_class"), value->at, LEX_USE_ANY, &leaf.a.fact));
    condition->reads_class = true;
    return lex_load_leaf(loader, &leaf, false, condition);
}

static LEX_STATUS read_by_type(struct lex_loader *loader, const struct lex_json *node,
                               struct lex_condition *condition)
{
    switch (condition->type) {
    case LEX_CONDITION_TIME_WINDOW: return read_time_window(loader, node, condition);
    case LEX_CONDITION_RATE_LIMIT: return read_rate_limit(loader, node, condition);
    case LEX_CONDITION_APPROVAL: return read_approval(loader, node, condition);
    case LEX_CONDITION_CONTEXT_CHECK: return read_context_check(loader, node, condition);
    default: return read_data_class(loader, node, condition);
    }
}

/* ---- interning ---- */

static LEX_STATUS canonical_text(struct lex_loader *loader, const struct lex_json *node,
                                 struct lex_span *ret_text)
{
    struct lex_buf buf;
    lex_buf_init(&buf, SIZE_MAX / 2);
    lex_jcs_put(&buf, node);
    *ret_text = (struct lex_span){NULL, 0};
    if (lex_buf_ok(&buf))
        *ret_text = lex_arena_dup(&loader->policy->arena, lex_buf_span(&buf));
    lex_buf_fini(&buf);
    return lex_span_absent(*ret_text) ? lex_load_no_memory(loader) : LEX_OK;
}

static LEX_STATUS structured_type(struct lex_loader *loader, const struct lex_json *node,
                                  struct lex_condition *condition)
{
    const struct lex_json *type;
    char suggestion[128];
    LEX_TRY(member(loader, node, "type", LEX_JSON_STRING, true, &type));
    int index = lex_load_word(type->text, types);
    if (index < 0)
        return lex_load_fail(loader, LEX_REJECT, type->at,
                             "unknown condition type \"%.*s\"%s; expected time_window, rate_limit, "
                             "approval, context_check or data_class",
                             LEX_SPAN_FMT(type->text),
                             lex_load_suggest(type->text, types, suggestion, sizeof suggestion));
    condition->type = (enum lex_condition_type)(index + LEX_CONDITION_EXPRESSION + 1);
    return LEX_OK;
}

static LEX_STATUS compile(struct lex_loader *loader, const struct lex_json *node,
                          struct lex_condition *condition)
{
    if (node->type == LEX_JSON_STRING) {
        condition->text = lex_load_keep(loader, node->text);
        return lex_span_absent(condition->text) ? lex_load_no_memory(loader)
                                                : lex_load_expression(loader, node, condition);
    }
    LEX_TRY(structured_type(loader, node, condition));
    LEX_TRY(read_by_type(loader, node, condition));
    return canonical_text(loader, node, &condition->text);
}

static LEX_STATUS add_condition(struct lex_loader *loader, const struct lex_condition *condition)
{
    void *items = loader->conditions, *stamps = loader->conditions_rule;
    LEX_TRY(lex_load_grow(loader, &items, loader->conditions_count, &loader->conditions_capacity,
                          sizeof *loader->conditions));
    loader->conditions = items;
    LEX_TRY(lex_load_grow(loader, &stamps, loader->conditions_count,
                          &loader->conditions_rule_capacity, sizeof *loader->conditions_rule));
    loader->conditions_rule = stamps;
    loader->conditions_rule[loader->conditions_count] = 0;
    loader->conditions[loader->conditions_count++] = *condition;
    return LEX_OK;
}

static LEX_STATUS remember(struct lex_loader *loader, struct lex_names *known, struct lex_span text,
                           uint32_t index)
{
    struct lex_name name = {.term = index};
    return lex_names_put(known, text, name) == LEX_OK ? LEX_OK : lex_load_no_memory(loader);
}

static LEX_STATUS intern(struct lex_loader *loader, const struct lex_json *node,
                         uint32_t *ret_index)
{
    struct lex_condition condition = {.type = LEX_CONDITION_EXPRESSION};
    struct lex_names *table =
        node->type == LEX_JSON_STRING ? &loader->known_expressions : &loader->known_structured;
    const struct lex_name *known = lex_names_find(table, node->text);
    if (known == NULL) {
        LEX_TRY(compile(loader, node, &condition));
        known = lex_names_find(table, condition.text);
        *ret_index = known != NULL ? known->term : (uint32_t)loader->conditions_count;
        if (known == NULL) {
            LEX_TRY(add_condition(loader, &condition));
            LEX_TRY(remember(loader, table, condition.text, *ret_index));
        }
        /* the tree's texts live as long as the table that they are keys of */
        return remember(loader, table, node->text, *ret_index);
    }
    *ret_index = known->term;
    return LEX_OK;
}

static LEX_STATUS check_place(struct lex_loader *loader, enum lex_condition_place place,
                              const struct lex_json *node, enum lex_condition_type type)
{
    bool stateful = type == LEX_CONDITION_RATE_LIMIT || type == LEX_CONDITION_APPROVAL;
    if (!stateful || place == LEX_PLACE_GRANT)
        return LEX_OK;
    return lex_load_fail(loader, LEX_REJECT, node->at,
                         "\"%s\" may stand in permits and requires only",
                         types[type - LEX_CONDITION_EXPRESSION - 1]);
}

static LEX_STATUS read_one(struct lex_loader *loader, enum lex_condition_place place,
                           const struct lex_json *node)
{
    uint32_t index;
    if (node->type != LEX_JSON_STRING && node->type != LEX_JSON_OBJECT)
        return lex_load_fail(loader, LEX_REJECT, node->at,
                             "a condition must be an expression (a string) or an object with a "
                             "\"type\", but it is %s",
                             lex_json_type_name(node->type));
    LEX_TRY(intern(loader, node, &index));
    LEX_TRY(check_place(loader, place, node, loader->conditions[index].type));
    if (loader->conditions_rule[index] == loader->rule_number)
        return LEX_OK; /* said twice in one rule */
    loader->conditions_rule[index] = loader->rule_number;
    return lex_load_list_put(loader, index);
}

LEX_STATUS lex_load_conditions(struct lex_loader *loader, enum lex_condition_place place,
                               const struct lex_json *const *nodes, size_t nodes_count)
{
    for (size_t i = 0; i < nodes_count; i++) {
        const struct lex_json *node = nodes[i];
        bool list = lex_json_is(node, LEX_JSON_ARRAY);
        for (node = list ? node->child : node; node != NULL; node = list ? node->next : NULL)
            LEX_TRY(read_one(loader, place, node));
    }
    return LEX_OK;
}

LEX_STATUS lex_load_finish_conditions(struct lex_loader *loader)
{
    struct lex_policy *policy = loader->policy;
    size_t count = loader->conditions_count;
    policy->conditions = lex_arena_calloc(&policy->arena, count, sizeof *policy->conditions);
    if (policy->conditions == NULL)
        return lex_load_no_memory(loader);
    if (count != 0)
        memcpy(policy->conditions, loader->conditions, count * sizeof *policy->conditions);
    policy->conditions_count = count;
    return LEX_OK;
}
