/* Facts from JSON: what the service takes from verified statements, said plainly.
 *
 * It feeds the decision the very shapes that core/identity and core/history feed it, so that a
 * policy test says something about the service: a duty goes through lex_remember() like any entry
 * of a ledger, and every approval hangs on a statement of its own, as if it had been presented.
 * Nothing here is reachable from a request. */
#include "core/codec/facts.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/text.h"

enum { MICROS = 1000000, STATEMENT_S = 600, AGE_MAX_S = 1000000000, TIMES_MAX = 100000 };

enum { NO_STATEMENT = UINT8_MAX }; /* a fact that is simply so */

struct reader {
    struct lex_arena *arena;
    struct lex_error *err;
    const struct lex_policy *policy;
    int64_t now_us;
    struct lex_facts facts;
    struct lex_history *history;
};

/* ---- small readers ---- */

static enum lex_status expected(struct reader *reader, const char *where, const char *what)
{
    return lex_fail(reader->err, LEX_REJECT, "facts: %s must be %s", where, what);
}

static enum lex_status no_memory(struct reader *reader)
{
    return lex_fail(reader->err, LEX_LIMIT, "facts: more memory is needed than they may have");
}

/* An absent member leaves *ret as it is. */
static enum lex_status read_text(struct reader *reader, const struct lex_json *object,
                                 const char *key, bool required, struct lex_span *ret)
{
    const struct lex_json *node = lex_json_get(object, key);
    if (node == NULL && !required)
        return LEX_OK;
    if (!lex_json_is(node, LEX_JSON_STRING))
        return expected(reader, key, "a string");
    *ret = node->text;
    return LEX_OK;
}

/* "age_s" before the request's clock. */
static enum lex_status read_time(struct reader *reader, const struct lex_json *object, int64_t *ret)
{
    const struct lex_json *node = lex_json_get(object, "age_s");
    double seconds = -1;
    if (!lex_json_is(node, LEX_JSON_NUMBER) || lex_json_double(node->text, &seconds) != LEX_OK ||
        !(seconds >= 0 && seconds <= AGE_MAX_S))
        return expected(reader, "age_s", "a number of seconds, not negative");
    *ret = reader->now_us - llround(seconds * MICROS);
    return LEX_OK;
}

static enum lex_status read_texts(struct reader *reader, const struct lex_json *node,
                                  const char *where, struct lex_span_list *ret)
{
    size_t count = 0;
    if (!lex_json_is(node, LEX_JSON_ARRAY))
        return expected(reader, where, "an array of strings");
    struct lex_span *items = lex_arena_calloc(reader->arena, node->count, sizeof *items);
    if (items == NULL)
        return no_memory(reader);
    for (const struct lex_json *item = node->child; item != NULL; item = item->next) {
        if (item->type != LEX_JSON_STRING)
            return expected(reader, where, "an array of strings");
        items[count++] = item->text;
    }
    *ret = (struct lex_span_list){items, count};
    return LEX_OK;
}

static enum lex_status read_number(struct reader *reader, const struct lex_json *node,
                                   struct lex_value *ret)
{
    ret->type = LEX_VALUE_LONG;
    if (node->integer && lex_json_int64(node->text, &ret->i64) == LEX_OK)
        return LEX_OK;
    ret->type = LEX_VALUE_DOUBLE;
    if (lex_json_double(node->text, &ret->f64) == LEX_OK)
        return LEX_OK;
    return expected(reader, "a fact's number", "within the range of a double");
}

/* The values that a request's context may have. */
static enum lex_status read_value(struct reader *reader, const struct lex_json *node,
                                  struct lex_value *ret)
{
    *ret = (struct lex_value){.type = LEX_VALUE_NULL};
    switch (node->type) {
    case LEX_JSON_NULL: return LEX_OK;
    case LEX_JSON_BOOL:
        ret->type = LEX_VALUE_BOOL;
        ret->boolean = node->boolean;
        return LEX_OK;
    case LEX_JSON_NUMBER: return read_number(reader, node, ret);
    case LEX_JSON_STRING:
        ret->type = LEX_VALUE_STRING;
        ret->text = node->text;
        return LEX_OK;
    case LEX_JSON_ARRAY:
        ret->type = LEX_VALUE_LIST;
        return read_texts(reader, node, "a fact's list", &ret->list);
    default: return expected(reader, "a fact", "null, a boolean, a number, a string or strings");
    }
}

/* ---- facts, approvals, token ---- */

/* Either the value, or {"value": .., "issuer": ".."}. */
static enum lex_status read_attested_fact(struct reader *reader, const struct lex_json *node,
                                          struct lex_attested_fact *ret)
{
    const struct lex_json *value = node;
    *ret = (struct lex_attested_fact){.member.key = node->key, .statement = NO_STATEMENT};
    if (node->key.len == 0 || node->key.data[0] == '#')
        return expected(reader, "a fact's name", "without the # that begins the engine's own");
    if (node->type == LEX_JSON_OBJECT) {
        value = lex_json_get(node, "value");
        if (value == NULL)
            return expected(reader, "an attested fact", "a value, or an object with one");
        LEX_TRY(read_text(reader, node, "issuer", false, &ret->issuer));
    }
    return read_value(reader, value, &ret->member.value);
}

static enum lex_status read_attested(struct reader *reader, const struct lex_json *node)
{
    size_t count = 0;
    if (node->type != LEX_JSON_OBJECT)
        return expected(reader, "attested", "an object");
    struct lex_attested_fact *items = lex_arena_calloc(reader->arena, node->count, sizeof *items);
    if (items == NULL)
        return no_memory(reader);
    for (const struct lex_json *fact = node->child; fact != NULL; fact = fact->next)
        LEX_TRY(read_attested_fact(reader, fact, &items[count++]));
    reader->facts.attested = items;
    reader->facts.attested_count = count;
    return LEX_OK;
}

static enum lex_status read_approval(struct reader *reader, const struct lex_json *node,
                                     struct lex_approval *ret, struct lex_statement *ret_statement)
{
    if (node->type != LEX_JSON_OBJECT)
        return expected(reader, "an approval", "an object with approver, key and age_s");
    LEX_TRY(read_text(reader, node, "approver", true, &ret->approver));
    LEX_TRY(read_text(reader, node, "key", true, &ret->key));
    LEX_TRY(read_time(reader, node, &ret->issued_us));
    *ret_statement =
        (struct lex_statement){.kind = LEX_STATEMENT_APPROVAL,
                               .kid = ret->key,
                               .jti = ret->approver,
                               .issued_us = ret->issued_us,
                               .expires_us = ret->issued_us + (int64_t)STATEMENT_S * MICROS};
    return LEX_OK;
}

static enum lex_status read_approvals(struct reader *reader, const struct lex_json *node)
{
    size_t count = 0;
    if (node->type != LEX_JSON_ARRAY)
        return expected(reader, "approvals", "an array");
    if (node->count > LEX_ATTESTATIONS_MAX)
        return expected(reader, "approvals", "at most 4, as many as a request may bring");
    struct lex_approval *items = lex_arena_calloc(reader->arena, node->count, sizeof *items);
    struct lex_statement *statements =
        lex_arena_calloc(reader->arena, node->count, sizeof *statements);
    if (items == NULL || statements == NULL)
        return no_memory(reader);
    for (const struct lex_json *item = node->child; item != NULL; item = item->next, count++) {
        items[count].statement = (uint8_t)count;
        LEX_TRY(read_approval(reader, item, &items[count], &statements[count]));
    }
    reader->facts.statements = statements;
    reader->facts.statements_count = count;
    reader->facts.approvals = items;
    reader->facts.approvals_count = count;
    return LEX_OK;
}

static enum lex_status read_token(struct reader *reader, const struct lex_json *node)
{
    size_t count = 0;
    if (node->type != LEX_JSON_OBJECT)
        return expected(reader, "token", "an object");
    struct lex_member *items = lex_arena_calloc(reader->arena, node->count, sizeof *items);
    if (items == NULL)
        return no_memory(reader);
    for (const struct lex_json *claim = node->child; claim != NULL; claim = claim->next) {
        items[count].key = claim->key;
        LEX_TRY(read_value(reader, claim, &items[count++].value));
    }
    reader->facts.token = (struct lex_member_list){items, count};
    return LEX_OK;
}

static enum lex_status read_roles(struct reader *reader, const struct lex_json *node)
{
    return read_texts(reader, node, "roles", &reader->facts.roles);
}

static enum lex_status read_identity(struct reader *reader, const struct lex_json *node)
{
    if (node->type != LEX_JSON_BOOL)
        return expected(reader, "identity", "true or false");
    reader->facts.identity = node->boolean;
    return LEX_OK;
}

static enum lex_status read_requester_key(struct reader *reader, const struct lex_json *node)
{
    if (node->type != LEX_JSON_STRING)
        return expected(reader, "requester_key", "a string");
    reader->facts.requester_key = node->text;
    return LEX_OK;
}

static enum lex_status read_risk_score(struct reader *reader, const struct lex_json *node)
{
    int64_t score = -1;
    if (node->type != LEX_JSON_NUMBER || !node->integer ||
        lex_json_int64(node->text, &score) != LEX_OK || score < 0 || score > 100)
        return expected(reader, "risk_score", "a whole number from 0 to 100");
    reader->facts.risk_score = (int32_t)score;
    return LEX_OK;
}

/* ---- history ---- */

/* Items in the order of their times, as a ledger has them. */
struct items {
    struct lex_history_item *items;
    size_t count, capacity;
};

static enum lex_status put_item(struct reader *reader, struct items *items,
                                const struct lex_history_item *item)
{
    if (items->count == items->capacity) {
        size_t capacity = items->capacity == 0 ? 16 : items->capacity * 2;
        struct lex_history_item *grown = lex_arena_calloc(reader->arena, capacity, sizeof *grown);
        if (grown == NULL)
            return no_memory(reader);
        if (items->count > 0)
            memcpy(grown, items->items, items->count * sizeof *grown);
        items->items = grown;
        items->capacity = capacity;
    }
    items->items[items->count++] = *item;
    return LEX_OK;
}

static enum lex_status put_items(struct reader *reader, struct items *items,
                                 const struct lex_history_item *found, size_t count)
{
    for (size_t i = 0; i < count; i++)
        LEX_TRY(put_item(reader, items, &found[i]));
    return LEX_OK;
}

/* A plain decimal with at most six places, in millionths: exact, which no double would be. */
static bool read_millionths(struct lex_span text, int64_t *ret)
{
    int64_t value = 0;
    int places = -1;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '.' && places < 0) {
            places = 0;
            continue;
        }
        if (c < '0' || c > '9' || places == 6 || value > (INT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (c - '0');
        places += places >= 0;
    }
    for (int i = places < 0 ? 0 : places; i < 6; i++) {
        if (value > INT64_MAX / 10)
            return false;
        value *= 10;
    }
    *ret = value;
    return true;
}

/* Approved uses of a limited rule: one, or as many as "times" says. */
static enum lex_status read_rate(struct reader *reader, const struct lex_json *node,
                                 struct items *items)
{
    struct lex_span rule, actor;
    int64_t time_us, millionths = 0;
    const struct lex_history_item *found = NULL;
    size_t count = 0;
    const struct lex_json *amount = lex_json_get(node, "amount");
    const struct lex_json *often = lex_json_get(node, "times");
    int64_t times = 1;
    LEX_TRY(read_text(reader, node, "rule", true, &rule));
    LEX_TRY(read_text(reader, node, "actor", true, &actor));
    LEX_TRY(read_time(reader, node, &time_us));
    if (amount != NULL &&
        (amount->type != LEX_JSON_NUMBER || !read_millionths(amount->text, &millionths)))
        return expected(reader, "amount", "a decimal, not negative, with at most six places");
    if (often != NULL &&
        (often->type != LEX_JSON_NUMBER || lex_json_int64(often->text, &times) != LEX_OK ||
         times < 1 || times > TIMES_MAX))
        return expected(reader, "times", "a whole number from 1 to 100000");
    enum lex_status status = lex_remember_use(reader->policy, rule, actor, millionths, time_us,
                                              reader->arena, &found, &count);
    if (status == LEX_REJECT)
        return lex_fail(reader->err, LEX_REJECT,
                        "facts: \"%.*s\" must be the id of a rule with a rate_limit",
                        LEX_SPAN_FMT(rule));
    LEX_TRY(status);
    for (int64_t i = 0; i < times; i++)
        LEX_TRY(put_items(reader, items, found, count));
    return LEX_OK;
}

/* An approved decision like any other: what it leaves behind is lex_remember's business. */
static enum lex_status read_duty(struct reader *reader, const struct lex_json *node,
                                 struct items *items)
{
    const struct lex_history_item *found = NULL;
    size_t count = 0;
    struct lex_ledger_entry entry = {.event_type = LEX_EVENT_TYPE_DECISION,
                                     .outcome = LEX_OUTCOME_APPROVED,
                                     .allowed = true,
                                     .replayable = true};
    LEX_TRY(read_text(reader, node, "actor", true, &entry.actor));
    LEX_TRY(read_text(reader, node, "action", true, &entry.action));
    LEX_TRY(read_text(reader, node, "resource", false, &entry.resource));
    LEX_TRY(read_time(reader, node, &entry.recorded_at));
    entry.evaluated_at = (struct lex_opt_i64){true, entry.recorded_at};
    LEX_TRY(lex_remember(reader->policy, &entry, reader->arena, &found, &count));
    return put_items(reader, items, found, count);
}

static enum lex_status read_each(struct reader *reader, const struct lex_json *history,
                                 const char *key, struct items *items,
                                 enum lex_status (*read)(struct reader *reader,
                                                         const struct lex_json *node,
                                                         struct items *items))
{
    const struct lex_json *list = lex_json_get(history, key);
    if (list == NULL)
        return LEX_OK;
    if (list->type != LEX_JSON_ARRAY)
        return expected(reader, key, "an array of objects");
    for (const struct lex_json *node = list->child; node != NULL; node = node->next) {
        if (node->type != LEX_JSON_OBJECT)
            return expected(reader, key, "an array of objects");
        LEX_TRY(read(reader, node, items));
    }
    return LEX_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct lex_history_item *x = a, *y = b;
    return (x->time_us > y->time_us) - (x->time_us < y->time_us);
}

/* @param since_us  a history that is complete only since then holds nothing before */
static enum lex_status fill_history(struct reader *reader, const struct items *items,
                                    int64_t since_us)
{
    if (items->count > 1)
        qsort(items->items, items->count, sizeof items->items[0], by_time);
    lex_history_reset(reader->history, since_us);
    for (size_t i = 0; i < items->count; i++) {
        if (items->items[i].time_us <= since_us)
            continue;
        lex_history_entry(reader->history, (int64_t)i, items->items[i].time_us);
        if (lex_history_add(reader->history, &items->items[i]) != LEX_OK)
            return no_memory(reader);
    }
    lex_history_settle(reader->history);
    return LEX_OK;
}

/* "complete": true since ever, false only from now on, a number of seconds for so long. */
static enum lex_status read_complete(struct reader *reader, const struct lex_json *node,
                                     int64_t *ret_since_us)
{
    double seconds = 0;
    *ret_since_us = INT64_MIN;
    if (node == NULL || (node->type == LEX_JSON_BOOL && node->boolean))
        return LEX_OK;
    bool number = node->type == LEX_JSON_NUMBER;
    if ((!number && node->type != LEX_JSON_BOOL) ||
        (number && lex_json_double(node->text, &seconds) != LEX_OK) ||
        !(seconds >= 0 && seconds <= AGE_MAX_S))
        return expected(reader, "complete", "true, false or a number of seconds");
    *ret_since_us = reader->now_us - llround(seconds * MICROS);
    return LEX_OK;
}

static enum lex_status read_history(struct reader *reader, const struct lex_json *node)
{
    struct items items = {NULL, 0, 0};
    int64_t since_us;
    if (node->type != LEX_JSON_OBJECT)
        return expected(reader, "history", "an object with complete, rates and duties");
    LEX_TRY(read_complete(reader, lex_json_get(node, "complete"), &since_us));
    LEX_TRY(read_each(reader, node, "rates", &items, read_rate));
    LEX_TRY(read_each(reader, node, "duties", &items, read_duty));
    return fill_history(reader, &items, since_us);
}

/* ---- the whole ---- */

static const struct {
    const char *name;
    enum lex_status (*read)(struct reader *reader, const struct lex_json *node);
} members[] = {
    {"attested", read_attested}, {"approvals", read_approvals},
    {"roles", read_roles},       {"identity", read_identity},
    {"token", read_token},       {"requester_key", read_requester_key},
    {"history", read_history},   {"risk_score", read_risk_score},
};

static enum lex_status read_member(struct reader *reader, const struct lex_json *member)
{
    for (size_t i = 0; i < LEX_COUNT_OF(members); i++)
        if (lex_span_eq(member->key, lex_span_str(members[i].name)))
            return members[i].read(reader, member);
    return lex_fail(reader->err, LEX_REJECT,
                    "facts: unknown member \"%.*s\"; expected attested, roles, identity, "
                    "requester_key, approvals, token, risk_score or history",
                    LEX_SPAN_FMT(member->key));
}

/* Roles and a requester's key come from an identity attestation and from nothing else. */
static enum lex_status check_identity(struct reader *reader, const struct lex_json *node)
{
    bool said = lex_json_get(node, "identity") != NULL;
    bool needed = reader->facts.roles.count != 0 || !lex_span_absent(reader->facts.requester_key);
    if (said && needed && !reader->facts.identity)
        return expected(reader, "identity", "true where there are roles or a requester_key");
    reader->facts.identity = reader->facts.identity || needed;
    return LEX_OK;
}

static enum lex_status read_all(struct reader *reader, const struct lex_json *node)
{
    if (!lex_json_is(node, LEX_JSON_OBJECT))
        return expected(reader, "they", "an object");
    for (const struct lex_json *member = node->child; member != NULL; member = member->next)
        LEX_TRY(read_member(reader, member));
    return check_identity(reader, node);
}

LEX_STATUS lex_facts_from_json(const struct lex_json *node, const struct lex_policy *policy,
                               int64_t now_us, struct lex_arena *arena, struct lex_facts *ret_facts,
                               struct lex_history **ret_history, struct lex_error *err)
{
    struct reader reader = {
        .arena = arena, .err = err, .policy = policy, .now_us = now_us, .history = NULL};
    LEX_TRY(lex_history_new(&reader.history));
    enum lex_status status = read_all(&reader, node);
    if (status != LEX_OK) {
        lex_history_free(reader.history);
        return status;
    }
    *ret_facts = reader.facts;
    *ret_history = reader.history;
    return LEX_OK;
}
