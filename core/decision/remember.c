/* Remember: what an approved decision leaves behind, read off its own ledger entry.
 *
 * There is one way from an entry to the history, and both who decides and who recovers take it. So
 * nothing can be remembered that the ledger does not hold, and nothing that it holds is forgotten
 * by a restart. */
#include <stdio.h>

#include "core/base/text.h"
#include "core/decision/eval.h"

enum { ITEMS_MAX = 512 }; /* an entry's: 32 facts, and duties by closures; more is a limit */

struct items {
    struct lex_history_item list[ITEMS_MAX];
    size_t count;
    int64_t time_us;
    bool full;
};

/* One item a series and place: two limits of a rule that count the same share one. */
static void add(struct items *items, const struct lex_history_key *key, int64_t amount,
                uint64_t tag)
{
    for (size_t i = 0; i < items->count; i++)
        if (items->list[i].tag == tag &&
            memcmp(items->list[i].key.bytes, key->bytes, sizeof key->bytes) == 0)
            return;
    if (items->count == ITEMS_MAX)
        items->full = true;
    else
        items->list[items->count++] = (struct lex_history_item){*key, items->time_us, amount, tag};
}

/* ---- facts of the engine's own ---- */

static bool has_prefix(struct lex_span text, const char *prefix)
{
    return text.len > strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

static bool hex_key(const struct lex_json *node, struct lex_history_key *ret)
{
    return lex_json_is(node, LEX_JSON_STRING) && node->text.len == 2 * sizeof ret->bytes &&
           lex_hex_decode(node->text, ret->bytes, sizeof ret->bytes) == LEX_OK;
}

static enum lex_status add_rate(struct items *items, const struct lex_json *value)
{
    const struct lex_json *amount = lex_json_get(value, "add");
    struct lex_history_key key;
    int64_t number;
    if (!lex_json_is(amount, LEX_JSON_NUMBER) || lex_json_int64(amount->text, &number) != LEX_OK ||
        number < -1 || !hex_key(lex_json_get(value, "key"), &key))
        return LEX_REJECT;
    if (number >= 0)
        add(items, &key, number, 0);
    return LEX_OK;
}

static enum lex_status add_statement(struct items *items, const struct lex_json *value)
{
    const struct lex_json *kid = lex_json_get(value, "kid"), *jti = lex_json_get(value, "jti");
    struct lex_history_key key;
    if (!lex_json_is(kid, LEX_JSON_STRING) || !lex_json_is(jti, LEX_JSON_STRING))
        return LEX_REJECT;
    struct lex_span parts[] = {kid->text, jti->text};
    lex_history_key(LEX_HISTORY_USED, parts, LEX_COUNT_OF(parts), &key);
    add(items, &key, 0, 0);
    return LEX_OK;
}

static enum lex_status add_fact(struct items *items, const struct lex_fact *fact,
                                struct lex_arena *arena)
{
    const struct lex_json *value;
    bool rate = fact->provenance == LEX_PROVENANCE_SERVER && has_prefix(fact->name, "#rate.");
    bool statement =
        fact->provenance == LEX_PROVENANCE_ATTESTED && has_prefix(fact->name, "#statement.");
    if (!rate && !statement)
        return LEX_OK;
    LEX_TRY(lex_json_parse(arena, fact->value, &value, NULL));
    return rate ? add_rate(items, value) : add_statement(items, value);
}

/* ---- duties ---- */

/* The resolved term, or the name as given (lex_eval_actor_key). */
static struct lex_span actor_key(const struct lex_policy *policy, struct lex_span name)
{
    lex_term_id actor = lex_policy_resolve(policy, LEX_KIND_ACTOR, name);
    bool known = actor != LEX_TERM_UNKNOWN && actor != LEX_TERM_AMBIGUOUS;
    return known ? lex_policy_term(policy, LEX_KIND_ACTOR, actor)->canonical : name;
}

static void add_duty_at(struct items *items, const struct lex_policy *policy, struct lex_span place,
                        const struct lex_history_key *key)
{
    lex_term_id term = lex_policy_resolve(policy, LEX_KIND_RESOURCE, place);
    if (lex_span_absent(place)) {
        add(items, key, 0, LEX_DUTY_NOWHERE);
        return;
    }
    if (term == LEX_TERM_UNKNOWN || term == LEX_TERM_AMBIGUOUS) {
        add(items, key, 0, lex_duty_tag(place, LEX_DUTY_UNKNOWN));
        return;
    }
    const struct lex_term *resource = lex_policy_term(policy, LEX_KIND_RESOURCE, term);
    add(items, key, 0, lex_duty_tag(resource->canonical, LEX_DUTY_ITSELF));
    for (size_t i = 0; i < resource->above.count && !items->full; i++)
        add(items, key, 0,
            lex_duty_tag(
                lex_policy_term(policy, LEX_KIND_RESOURCE, resource->above.items[i])->canonical,
                LEX_DUTY_ABOVE));
}

static void add_duty(struct items *items, const struct lex_policy *policy,
                     const struct lex_ledger_entry *entry, lex_term_id action)
{
    const struct lex_term *term = lex_policy_term(policy, LEX_KIND_ACTION, action);
    struct lex_history_key key;
    if (!term->conflicted)
        return;
    lex_duty_key(actor_key(policy, entry->actor), term, &key);
    add_duty_at(items, policy, entry->resource, &key);
}

static void add_duties(struct items *items, const struct lex_policy *policy,
                       const struct lex_ledger_entry *entry, struct lex_span name)
{
    lex_term_id action = lex_policy_resolve(policy, LEX_KIND_ACTION, name);
    if (lex_span_absent(name) || action == LEX_TERM_UNKNOWN || action == LEX_TERM_AMBIGUOUS)
        return;
    const struct lex_terms_above *above = &lex_policy_term(policy, LEX_KIND_ACTION, action)->above;
    add_duty(items, policy, entry, action);
    for (size_t i = 0; i < above->count && !items->full; i++)
        add_duty(items, policy, entry, above->items[i]);
}

/* ---- the whole ---- */

static enum lex_status keep(const struct items *items, struct lex_arena *arena,
                            const struct lex_history_item **ret_items, size_t *ret_count)
{
    struct lex_history_item *kept = lex_arena_alloc(arena, items->count * sizeof *kept);
    if (items->full || kept == NULL)
        return LEX_LIMIT;
    memcpy(kept, items->list, items->count * sizeof *kept);
    *ret_items = kept;
    *ret_count = items->count;
    return LEX_OK;
}

LEX_STATUS lex_remember(const struct lex_policy *policy, const struct lex_ledger_entry *entry,
                        struct lex_arena *arena, const struct lex_history_item **ret_items,
                        size_t *ret_count)
{
    struct items items;
    items.count = 0;
    items.full = false;
    items.time_us = entry->evaluated_at.value;
    *ret_count = 0;
    if (entry->event_type != LEX_EVENT_TYPE_DECISION || entry->outcome != LEX_OUTCOME_APPROVED)
        return LEX_OK;
    for (size_t i = 0; i < entry->facts.count; i++)
        LEX_TRY(add_fact(&items, &entry->facts.items[i], arena));
    if (policy->conflicts_count != 0) {
        add_duties(&items, policy, entry, entry->action);
        add_duties(&items, policy, entry, entry->tool);
    }
    return items.count == 0 && !items.full ? LEX_OK : keep(&items, arena, ret_items, ret_count);
}

static const struct lex_rule *find_rule(const struct lex_policy *policy, struct lex_span id)
{
    for (size_t i = 0; i < policy->rules_count; i++)
        if (lex_span_eq(policy->rules[i].id, id))
            return &policy->rules[i];
    return NULL;
}

LEX_STATUS lex_remember_use(const struct lex_policy *policy, struct lex_span rule_id,
                            struct lex_span actor, int64_t millionths, int64_t time_us,
                            struct lex_arena *arena, const struct lex_history_item **ret_items,
                            size_t *ret_count)
{
    const struct lex_rule *rule = find_rule(policy, rule_id);
    struct items items;
    actor = actor_key(policy, actor);
    items.count = 0;
    items.full = false;
    items.time_us = time_us;
    for (unsigned i = 0; rule != NULL && i < rule->conditions_count; i++) {
        const struct lex_condition *condition = &policy->conditions[lex_rule_conditions(rule)[i]];
        struct lex_history_key key;
        if (condition->type != LEX_CONDITION_RATE_LIMIT)
            continue;
        lex_rate_key(policy, rule, condition, actor, &key);
        add(&items, &key, condition->rate.sum == UINT32_MAX ? 1 : millionths, 0);
    }
    return items.count == 0 ? LEX_REJECT : keep(&items, arena, ret_items, ret_count);
}
