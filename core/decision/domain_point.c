/* Domain point: from digits to what lex_decide() reads, and to the same as text. */
#include <stdlib.h>

#include "core/base/jcs.h"
#include "core/base/text.h"
#include "core/decision/domain_parts.h"

static const int64_t micros = 1000000;

/* ---- history ---- */

struct items {
    struct lex_history_item *items;
    size_t count, capacity;
};

static void put_items(struct domain *d, struct items *all, const struct lex_history_item *items,
                      size_t count, size_t from)
{
    for (size_t i = 0; i < count; i++) {
        bool there = false;
        void *grown = all->items;
        for (size_t k = from; k < all->count; k++)
            there = there || (all->items[k].tag == items[i].tag &&
                              memcmp(&all->items[k].key, &items[i].key, sizeof items->key) == 0);
        if (there || !domain_grow(d, &d->work, &grown, all->count, &all->capacity, sizeof *items))
            continue;
        all->items = grown;
        all->items[all->count++] = items[i];
    }
}

static struct lex_span actor_on(const struct domain *d, const struct domain_pair *pair, int side)
{
    lex_term_id term = pair->actor->term[side];
    return domain_known(term) ? lex_policy_term(d->policy[side], LEX_KIND_ACTOR, term)->canonical
                              : pair->actor->text;
}

/* One use as both policies remember it. */
static void put_use(struct domain *d, const struct domain_pair *pair, const struct domain_use *use,
                    int64_t now_us, struct items *all)
{
    int64_t time_us = now_us - use->age_s * micros;
    struct lex_ledger_entry entry = {.event_type = LEX_EVENT_TYPE_DECISION,
                                     .outcome = LEX_OUTCOME_APPROVED,
                                     .actor = pair->actor->text,
                                     .action = use->action,
                                     .resource = use->resource,
                                     .recorded_at = time_us,
                                     .evaluated_at = {true, time_us}};
    size_t from = all->count;
    for (int side = 0; side < SIDES; side++) {
        const struct lex_history_item *items = NULL;
        size_t count = 0;
        enum lex_status status = LEX_OK;
        if (use->duty)
            status = lex_remember(d->policy[side], &entry, &d->work, &items, &count);
        else if (use->rule[side] != NULL)
            status = lex_remember_use(d->policy[side], use->rule[side]->id, actor_on(d, pair, side),
                                      use->millionths, time_us, &d->work, &items, &count);
        d->failed = d->failed || status == LEX_LIMIT;
        if (status == LEX_OK)
            put_items(d, all, items, count, from);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct lex_history_item *x = a, *y = b;
    return (x->time_us > y->time_us) - (x->time_us < y->time_us);
}

static struct lex_history *make_history(struct domain *d, const struct domain_pair *pair,
                                        size_t number, int64_t now_us)
{
    struct lex_history *history;
    struct items all = {NULL, 0, 0};
    if (lex_history_new(&history) != LEX_OK) {
        d->failed = true;
        return NULL;
    }
    for (size_t s = 0; s < pair->series_count; s++) {
        size_t option = domain_history_option(pair, number, s);
        const struct domain_use *use = option == 0 ? NULL : &pair->series[s].uses[option - 1];
        uint32_t times = use == NULL ? 0 : use->duty ? 1 : use->times;
        for (uint32_t i = 0; i < times; i++)
            put_use(d, pair, use, now_us, &all);
    }
    if (all.count > 1)
        qsort(all.items, all.count, sizeof *all.items, by_time);
    for (size_t i = 0; i < all.count && !d->failed; i++) {
        lex_history_entry(history, (int64_t)i, all.items[i].time_us);
        d->failed = lex_history_add(history, &all.items[i]) != LEX_OK;
    }
    lex_history_settle(history);
    return history;
}

static bool is_unknown_history(const struct domain_pair *pair, size_t number)
{
    return pair->series_count != 0 && number + 1 == pair->histories_count;
}

/* Made once for each instant; NULL where it is unknown, or where the pair has none yet. */
static const struct lex_history *history_at(struct domain *d, struct domain_pair *pair,
                                            size_t number, size_t time)
{
    if (pair->histories == NULL || is_unknown_history(pair, number))
        return NULL;
    struct lex_history **slot = &pair->histories[time * pair->histories_count + number];
    if (*slot == NULL)
        *slot = make_history(d, pair, number, pair->times[time]);
    return *slot;
}

/* ---- arguments ---- */

struct argument {
    struct lex_span path;
    const struct lex_value *value;
};

static void put_value(struct lex_buf *out, const struct lex_value *value)
{
    switch (value->type) {
    case LEX_VALUE_NULL: lex_buf_puts(out, "null"); break;
    case LEX_VALUE_BOOL: lex_buf_puts(out, value->boolean ? "true" : "false"); break;
    case LEX_VALUE_LONG: lex_jcs_put_int64(out, value->i64); break;
    case LEX_VALUE_DOUBLE: lex_jcs_put_double(out, value->f64); break;
    case LEX_VALUE_STRING: lex_jcs_put_string(out, value->text); break;
    case LEX_VALUE_LIST:
        lex_buf_putc(out, '[');
        for (size_t i = 0; i < value->list.count; i++) {
            lex_buf_puts(out, i == 0 ? "" : ",");
            lex_jcs_put_string(out, value->list.items[i]);
        }
        lex_buf_putc(out, ']');
        break;
    }
}

/* The first word of a path, and what is behind it. */
static struct lex_span split(struct lex_span path, struct lex_span *ret_rest)
{
    size_t end = 0;
    while (end < path.len && path.data[end] != '.')
        end++;
    *ret_rest = end == path.len ? (struct lex_span){NULL, 0}
                                : lex_span_of(path.data + end + 1, path.len - end - 1);
    return lex_span_of(path.data, end);
}

/* Paths that begin alike share an object. False: one would stand inside another. */
static bool put_arguments(struct lex_buf *out, const struct argument *arguments, size_t count)
{
    bool first = true;
    lex_buf_putc(out, '{');
    for (size_t i = 0; i < count; i++) {
        struct argument inside[LEX_DIFF_DIMENSIONS_MAX];
        size_t inside_count = 0, leaves = 0;
        struct lex_span rest, word = split(arguments[i].path, &rest);
        bool again = false;
        for (size_t k = 0; k < count; k++) {
            struct lex_span other = split(arguments[k].path, &rest);
            if (!lex_span_eq(other, word))
                continue;
            again = again || k < i;
            leaves += lex_span_absent(rest);
            if (!lex_span_absent(rest))
                inside[inside_count++] = (struct argument){rest, arguments[k].value};
        }
        if (again)
            continue;
        if (leaves != 0 && inside_count != 0)
            return false;
        lex_buf_puts(out, first ? "" : ",");
        first = false;
        lex_jcs_put_string(out, word);
        lex_buf_putc(out, ':');
        if (leaves != 0)
            put_value(out, arguments[i].value);
        else if (!put_arguments(out, inside, inside_count))
            return false;
    }
    lex_buf_putc(out, '}');
    return true;
}

static bool set_arguments(struct domain *d, const struct argument *arguments, size_t count,
                          struct lex_request *request)
{
    struct lex_buf buf;
    if (count == 0)
        return true;
    lex_buf_init(&buf, LEX_REQUEST_MAX_BYTES);
    bool fits = put_arguments(&buf, arguments, count) && lex_buf_ok(&buf);
    if (fits)
        request->arguments = lex_arena_dup(&d->work, lex_buf_span(&buf));
    lex_buf_fini(&buf);
    return fits && !lex_span_absent(request->arguments);
}

/* ---- facts ---- */

static void set_field(struct lex_request *request, uint8_t field, struct lex_span text)
{
    switch ((enum lex_request_field)field) {
    case LEX_REQUEST_FIELD_TOOL: request->tool = text; break;
    case LEX_REQUEST_FIELD_USER_INTENT: request->user_intent = text; break;
    case LEX_REQUEST_FIELD_REQUESTED_OUTPUT_TYPE: request->requested_output_type = text; break;
    case LEX_REQUEST_FIELD_USER_ID: request->user_id = text; break;
    default: break; /* the others are dimensions */
    }
}

static void set_fact(struct domain_point *point, const struct domain_variable *variable,
                     size_t option, struct argument *arguments, size_t *arguments_count)
{
    const struct domain_option *said = &variable->options[option];
    const struct lex_member member = {variable->name, said->value};
    switch (said->how) {
    case HOW_ABSENT: break;
    case HOW_ATTESTED:
        point->attested[point->facts.attested_count++] = (struct lex_attested_fact){
            .member = member, .issuer = said->issuer, .statement = UINT8_MAX};
        break;
    case HOW_CALLER: point->context[point->context_count++] = member; break;
    case HOW_REQUEST:
        if (variable->source == LEX_FACT_ARGUMENT)
            arguments[(*arguments_count)++] = (struct argument){variable->path, &said->value};
        else if (variable->source == LEX_FACT_TOKEN)
            point->token[point->token_count++] = (struct lex_member){variable->path, said->value};
        else
            set_field(&point->request, variable->field, said->value.text);
        break;
    }
}

static bool set_facts(struct domain *d, const struct domain_pair *pair, const uint32_t *digits,
                      struct domain_point *point)
{
    struct argument arguments[LEX_DIFF_DIMENSIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < pair->fixed_count; i++)
        set_fact(point, &pair->fixed[i], pair->fixed[i].chosen, arguments, &count);
    for (size_t i = 0; i < pair->variables_count; i++)
        set_fact(point, &pair->variables[i], digits[DIM_FACTS + i], arguments, &count);
    return set_arguments(d, arguments, count, &point->request);
}

/* ---- the point ---- */

static void set_request(const struct domain_pair *pair, const uint32_t *digits,
                        struct domain_point *point)
{
    const struct domain_name *const *set =
        &pair->class_sets[digits[DIM_CLASSES] * LEX_DIFF_CLASSES_MAX];
    enum lex_mode mode = pair->modes[digits[DIM_MODE]];
    size_t count = 0;
    for (; count < LEX_DIFF_CLASSES_MAX && set[count] != NULL; count++)
        point->classes[count] = set[count]->text;
    point->request = (struct lex_request){.request_id = LEX_SPAN("diff"),
                                          .actor = pair->actor->text,
                                          .proposed_action = pair->action->text,
                                          .data_classes = {point->classes, count},
                                          .risk_level = pair->risks[digits[DIM_RISK]].level};
    if (digits[DIM_RESOURCE] != 0)
        point->request.resource = pair->resources.items[digits[DIM_RESOURCE] - 1]->text;
    if (mode != LEX_MODE_UNSET)
        point->request.policy_mode = lex_mode_name(mode);
}

static void set_approvals(const struct domain_pair *pair, const uint32_t *digits,
                          struct domain_point *point)
{
    const struct domain_approvals *approvals = &pair->approvals[digits[DIM_APPROVALS]];
    for (size_t i = 0; i < approvals->count; i++) {
        point->approvals[i] = approvals->items[i];
        point->approvals[i].issued_us = point->now_us - approvals->age_s * micros;
    }
    point->facts.approvals = point->approvals;
    point->facts.approvals_count = approvals->count;
}

bool domain_make_point(struct domain *d, struct domain_pair *pair, const uint32_t *digits,
                       struct domain_point *ret)
{
    ret->facts = (struct lex_facts){.risk_score = pair->risks[digits[DIM_RISK]].assessed};
    ret->context_count = ret->token_count = 0;
    ret->now_us = pair->times[digits[DIM_TIME]];
    set_request(pair, digits, ret);
    set_approvals(pair, digits, ret);
    if (pair->role != NULL) {
        ret->role = pair->role->text;
        ret->facts.roles = (struct lex_span_list){&ret->role, 1};
        ret->facts.identity = true; /* who vouches for the actor vouches for the role */
    }
    if (!set_facts(d, pair, digits, ret))
        return false;
    ret->facts.attested = ret->attested;
    ret->facts.token = (struct lex_member_list){ret->token, ret->token_count};
    ret->request.context = (struct lex_member_list){ret->context, ret->context_count};
    ret->history = history_at(d, pair, digits[DIM_HISTORY], digits[DIM_TIME]);
    return !d->failed;
}

/* ---- as text ---- */

/* Members of an object that is still open. */
static void put_key(struct lex_buf *out, bool *first, const char *key)
{
    lex_buf_printf(out, "%s\"%s\":", *first ? "" : ",", key);
    *first = false;
}

static void put_text(struct lex_buf *out, bool *first, const char *key, struct lex_span text)
{
    if (lex_span_absent(text))
        return;
    put_key(out, first, key);
    lex_jcs_put_string(out, text);
}

static void put_members(struct lex_buf *out, bool *first, const char *key,
                        const struct lex_member_list *list)
{
    if (list->count == 0)
        return;
    put_key(out, first, key);
    for (size_t i = 0; i < list->count; i++) {
        lex_buf_putc(out, i == 0 ? '{' : ',');
        lex_jcs_put_string(out, list->items[i].key);
        lex_buf_putc(out, ':');
        put_value(out, &list->items[i].value);
    }
    lex_buf_putc(out, '}');
}

static void put_request(struct lex_buf *out, const struct lex_request *request)
{
    bool first = true;
    lex_buf_puts(out, "{\"request\":{");
    put_text(out, &first, "actor", request->actor);
    put_text(out, &first, "proposed_action", request->proposed_action);
    put_text(out, &first, "tool", request->tool);
    put_text(out, &first, "resource", request->resource);
    if (request->data_classes.count != 0) {
        const struct lex_value list = {LEX_VALUE_LIST, {.list = request->data_classes}};
        put_key(out, &first, "data_classes");
        put_value(out, &list);
    }
    if (request->risk_level != 1) {
        put_key(out, &first, "risk_level");
        lex_buf_printf(out, "%d", request->risk_level);
    }
    put_text(out, &first, "policy_mode", request->policy_mode);
    put_text(out, &first, "user_intent", request->user_intent);
    put_text(out, &first, "requested_output_type", request->requested_output_type);
    put_text(out, &first, "user_id", request->user_id);
    put_members(out, &first, "context", &request->context);
    if (!lex_span_absent(request->arguments)) {
        put_key(out, &first, "arguments");
        lex_buf_put_span(out, request->arguments);
    }
    lex_buf_putc(out, '}');
}

static void put_attested(struct lex_buf *out, bool *first, const struct lex_facts *facts)
{
    if (facts->attested_count == 0)
        return;
    put_key(out, first, "attested");
    for (size_t i = 0; i < facts->attested_count; i++) {
        const struct lex_attested_fact *fact = &facts->attested[i];
        bool bare = lex_span_absent(fact->issuer);
        lex_buf_putc(out, i == 0 ? '{' : ',');
        lex_jcs_put_string(out, fact->member.key);
        lex_buf_puts(out, bare ? ":" : ":{\"value\":");
        put_value(out, &fact->member.value);
        if (bare)
            continue;
        lex_buf_puts(out, ",\"issuer\":");
        lex_jcs_put_string(out, fact->issuer);
        lex_buf_putc(out, '}');
    }
    lex_buf_putc(out, '}');
}

static void put_approvals(struct lex_buf *out, bool *first,
                          const struct domain_approvals *approvals)
{
    if (approvals->count == 0)
        return;
    put_key(out, first, "approvals");
    for (size_t i = 0; i < approvals->count; i++) {
        lex_buf_puts(out, i == 0 ? "[{\"approver\":" : ",{\"approver\":");
        lex_jcs_put_string(out, approvals->items[i].approver);
        lex_buf_puts(out, ",\"key\":");
        lex_jcs_put_string(out, approvals->items[i].key);
        lex_buf_printf(out, ",\"age_s\":%u}", approvals->age_s);
    }
    lex_buf_putc(out, ']');
}

static void put_rate(struct domain *d, struct lex_buf *out, const struct domain_pair *pair,
                     const struct domain_use *use, bool *first)
{
    for (int side = 0; side < SIDES; side++) {
        if (use->rule[side] == NULL || (side == NEW && use->rule[OLD] != NULL &&
                                        lex_span_eq(use->rule[OLD]->id, use->rule[NEW]->id)))
            continue;
        lex_buf_puts(out, *first ? "{\"rule\":" : ",{\"rule\":");
        *first = false;
        lex_jcs_put_string(out, use->rule[side]->id);
        lex_buf_puts(out, ",\"actor\":");
        lex_jcs_put_string(out, actor_on(d, pair, side));
        lex_buf_printf(out, ",\"age_s\":%u", use->age_s);
        if (use->times != 1)
            lex_buf_printf(out, ",\"times\":%u", use->times);
        if (use->millionths != 0) {
            lex_buf_puts(out, ",\"amount\":");
            lex_jcs_put_double(out, (double)use->millionths / 1e6);
        }
        lex_buf_putc(out, '}');
    }
}

static void put_duty(struct lex_buf *out, const struct domain_pair *pair,
                     const struct domain_use *use, bool *first)
{
    lex_buf_puts(out, *first ? "{\"actor\":" : ",{\"actor\":");
    *first = false;
    lex_jcs_put_string(out, pair->actor->text);
    lex_buf_puts(out, ",\"action\":");
    lex_jcs_put_string(out, use->action);
    if (!lex_span_absent(use->resource)) {
        lex_buf_puts(out, ",\"resource\":");
        lex_jcs_put_string(out, use->resource);
    }
    lex_buf_printf(out, ",\"age_s\":%u}", use->age_s);
}

static void put_history(struct domain *d, struct lex_buf *out, bool *first,
                        const struct domain_pair *pair, size_t number)
{
    if (is_unknown_history(pair, number)) {
        put_key(out, first, "history");
        lex_buf_puts(out, "{\"complete\":false}");
        return;
    }
    if (number == 0)
        return;
    put_key(out, first, "history");
    bool any = false;
    for (int duty = 0; duty < 2; duty++) {
        bool none = true;
        for (size_t s = 0; s < pair->series_count; s++) {
            size_t option = domain_history_option(pair, number, s);
            const struct domain_use *use = option == 0 ? NULL : &pair->series[s].uses[option - 1];
            if (use == NULL || use->duty != (duty == 1))
                continue;
            if (none)
                lex_buf_printf(out, "%s%s", any ? "," : "{",
                               duty == 1 ? "\"duties\":[" : "\"rates\":[");
            any = true;
            if (duty == 1)
                put_duty(out, pair, use, &none);
            else
                put_rate(d, out, pair, use, &none);
        }
        lex_buf_puts(out, none ? "" : "]");
    }
    lex_buf_puts(out, any ? "}" : "{}");
}

static void put_facts(struct domain *d, struct lex_buf *out, const struct domain_pair *pair,
                      const uint32_t *digits, const struct domain_point *point)
{
    size_t start = out->len;
    bool first = true;
    lex_buf_puts(out, ",\"facts\":{");
    size_t open = out->len;
    put_attested(out, &first, &point->facts);
    if (point->facts.roles.count != 0) {
        const struct lex_value roles = {LEX_VALUE_LIST, {.list = point->facts.roles}};
        put_key(out, &first, "identity");
        lex_buf_puts(out, "true,\"roles\":");
        put_value(out, &roles);
    }
    put_approvals(out, &first, &pair->approvals[digits[DIM_APPROVALS]]);
    put_members(out, &first, "token", &point->facts.token);
    if (point->facts.risk_score != 0) {
        put_key(out, &first, "risk_score");
        lex_buf_printf(out, "%d", point->facts.risk_score);
    }
    put_history(d, out, &first, pair, digits[DIM_HISTORY]);
    bool empty = out->len == open;
    if (empty)
        out->len = start;
    else
        lex_buf_putc(out, '}');
}

struct lex_span domain_example(struct domain *d, struct domain_pair *pair, const uint32_t *digits)
{
    struct domain_point point;
    struct lex_buf out;
    char now[LEX_RFC3339_MAX];
    struct lex_span text = {NULL, 0};
    if (!domain_make_point(d, pair, digits, &point))
        return text;
    lex_buf_init(&out, LEX_REQUEST_MAX_BYTES);
    put_request(&out, &point.request);
    put_facts(d, &out, pair, digits, &point);
    lex_rfc3339_millis(point.now_us, now);
    lex_buf_printf(&out, ",\"now\":\"%s\"}", now);
    if (lex_buf_ok(&out))
        text = lex_arena_dup(d->out, lex_buf_span(&out));
    lex_buf_fini(&out);
    return text;
}
