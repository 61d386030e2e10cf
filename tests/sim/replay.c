/* Replay: what a worker answered while it was killed, fenced, aborted and moved is what one would
 * have answered that never was: for each committed decision, the request is decided again from the
 * committed entries before it and nothing else. And the entry alone, with its policy, gives the
 * same answer a third time. */
#include "tests/sim/sim.h"

static const struct lex_policy *policy_of(const struct sim_checker *c,
                                          const struct lex_ledger_entry *entry)
{
    for (int i = 0; i < SIM_POLICIES; i++)
        if (lex_span_eq(entry->policy_hash,
                        lex_span_of(lex_policy_info(c->world->policies[i])->hash, 32)))
            return c->world->policies[i];
    return NULL;
}

static bool learn_entry(struct sim_checked *seen, const struct lex_ledger_entry *entry,
                        struct lex_arena *arena)
{
    const struct lex_history_item *items = NULL;
    size_t count = 0;
    bool decided = entry->event_type == LEX_EVENT_TYPE_DECISION;
    lex_history_entry(seen->history, entry->seq,
                      decided ? entry->evaluated_at.value : entry->recorded_at);
    if (lex_remember(seen->learned_under, entry, arena, &items, &count) != LEX_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (lex_history_add(seen->history, &items[i]) != LEX_OK)
            return false;
    lex_history_settle(seen->history);
    return true;
}

/* All committed entries before `seq`, from nothing. */
static bool learn_anew(struct sim_checker *c, const struct sim_model *model, int p, int64_t seq,
                       const struct lex_policy *policy)
{
    struct sim_checked *seen = &c->partitions[p];
    const struct sim_item *item;
    struct lex_ledger_entry entry;
    size_t at = 0;
    lex_history_free(seen->history);
    if (lex_history_new(&seen->history) != LEX_OK)
        return false;
    seen->learned_under = policy;
    while ((item = sim_next_committed(&model->partitions[p].ledger, &at)) != NULL) {
        struct lex_arena_mark mark = lex_arena_mark(&c->arena);
        if (lex_decode_framed(&lex_type_ledger_entry, lex_span_of(item->data, item->len), &c->arena,
                              &entry, NULL) != LEX_OK)
            return false;
        if (entry.seq >= seq)
            return true;
        if (!learn_entry(seen, &entry, &c->arena))
            return false;
        lex_arena_rollback(&c->arena, mark);
    }
    return true;
}

bool sim_learn(struct sim_checker *checker, int p, const struct lex_ledger_entry *entry)
{
    struct sim_checked *seen = &checker->partitions[p];
    return seen->history == NULL || learn_entry(seen, entry, &checker->arena) ||
           sim_violated(checker, "partition %d: nothing can be learned from entry %lld", p,
                        (long long)entry->seq);
}

static bool was_used(void *context, struct lex_span kid, struct lex_span jti, int64_t issued_us)
{
    struct lex_span parts[] = {kid, jti};
    struct lex_history_key key;
    uint64_t cursor = 0;
    (void)issued_us;
    lex_history_key(LEX_HISTORY_USED, parts, LEX_COUNT_OF(parts), &key);
    return lex_history_next(context, &key, INT64_MIN, &cursor) != NULL;
}

static bool decide_again(struct sim_checker *c, const struct sim_model *model, int p,
                         const struct lex_ledger_entry *entry, struct lex_decision *ret)
{
    const struct sim_item *item = &model->partitions[p].requests.items[entry->source.offset];
    struct lex_request request;
    struct lex_facts facts = {0};
    struct lex_identity_problems problems;
    enum lex_format format;
    enum lex_undecodable why;
    uint8_t fingerprint[32];
    if (lex_decode_request(c->world->codec, lex_span_of(item->data, item->len), &c->arena, &request,
                           &format, &why, NULL) != LEX_OK ||
        lex_request_fingerprint(&request, &c->arena, fingerprint, NULL) != LEX_OK)
        return false;
    struct lex_identity_input identity = {
        .request = &request,
        .fingerprint = fingerprint,
        .origin = entry->log,
        .now_us = entry->evaluated_at.value,
        .used = was_used,
        .used_context = c->partitions[p].history,
        .kinds = LEX_STATEMENTS_ALL,
    };
    LEX_ASSERT(lex_identity_verify(c->world->identity, &identity, &c->arena, &facts, &problems) ==
               LEX_OK);
    struct lex_decide_input in = {
        .policy = c->partitions[p].learned_under,
        .request = &request,
        .facts = &facts,
        .history = c->partitions[p].history,
        .now_us = entry->evaluated_at.value,
        .ttl_us = 300000000,
    };
    lex_decide(&in, &c->arena, ret);
    return true;
}

static bool is_same(const struct lex_ledger_entry *entry, const struct lex_decision *decision)
{
    return entry->outcome == decision->outcome && entry->allowed == decision->allowed &&
           lex_span_eq(entry->reason_code, lex_reason_name(decision->reason_code)) &&
           entry->rules.count == decision->rules.count;
}

static bool replay_from_entry(struct sim_checker *c, int p, const struct lex_ledger_entry *entry)
{
    struct lex_decision decision;
    struct lex_error err = {{0}};
    if (!entry->replayable ||
        lex_span_eq(entry->reason_code, lex_reason_name(LEX_REASON_INVALID_REQUEST)))
        return true; /* it rests on more than the entry holds */
    if (lex_decide_recorded(entry, c->partitions[p].learned_under, &c->arena, &decision, &err) !=
        LEX_OK)
        return sim_violated(c, "partition %d: entry %lld cannot be decided again: %s", p,
                            (long long)entry->seq, err.text);
    return is_same(entry, &decision) ||
           sim_violated(c, "partition %d: entry %lld says %.*s, and %.*s when decided again", p,
                        (long long)entry->seq, LEX_SPAN_FMT(entry->reason_code),
                        LEX_SPAN_FMT(lex_reason_name(decision.reason_code)));
}

bool sim_replay(struct sim_checker *checker, const struct sim_model *model, int p,
                const struct lex_ledger_entry *entry)
{
    struct sim_checked *seen = &checker->partitions[p];
    const struct lex_policy *policy = policy_of(checker, entry);
    struct lex_decision decision;
    bool anew = seen->history == NULL || seen->learned_under != policy || entry->seq % 32 == 0;
    if (policy == NULL)
        return sim_violated(checker, "partition %d: decided under an unknown policy", p);
    if (anew && !learn_anew(checker, model, p, entry->seq, policy))
        return sim_violated(checker, "partition %d: its ledger teaches nothing", p);
    if (!decide_again(checker, model, p, entry, &decision))
        return true; /* INVALID_REQUEST before anything was evaluated: expect.c looks at it */
    if (!is_same(entry, &decision))
        return sim_violated(checker,
                            "partition %d: entry %lld says %.*s; without faults it were %.*s", p,
                            (long long)entry->seq, LEX_SPAN_FMT(entry->reason_code),
                            LEX_SPAN_FMT(lex_reason_name(decision.reason_code)));
    return replay_from_entry(checker, p, entry);
}
