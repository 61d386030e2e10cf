/* Rebuild: a partition's history, read back from its ledger before anything is decided on it.
 *
 * Who restarts must answer as who ran through. So both learn from entries alone, through
 * lex_remember() and in the chain's order, and the reading begins no later than core/history says.
 * What the ledger cannot tell any more (retention, a declared gap, a broken link) makes the history
 * complete only since then: less is known, and what is not known allows nothing. A ledger that
 * cannot be read holds a partition up for a bounded time, not for ever.
 *
 * Each entry must name the hash of the one before it. The alternative, to trust the topic, would
 * let whoever can write to it lift a limit. */
#include <stdlib.h>

#include "core/worker/state.h"

enum {
    RETRY_US = 100 * 1000,
    PATIENCE_US = 30 * 1000 * 1000, /* without a single new entry */
};

/* ---- when ---- */

static bool is_needed(const struct lex_worker *w)
{
    return w->options.identity != NULL || lex_policy_info(w->policy)->remembers;
}

void lex_partition_forget_history(struct partition *p)
{
    lex_history_free(p->history);
    p->history = NULL;
    p->history_known = false;
}

static void go_active(struct lex_worker *w, struct partition *p)
{
    if (p->state == PARTITION_ACTIVE)
        return; /* a new policy that asks for nothing new delays nothing */
    p->state = PARTITION_ACTIVE;
    w->need_resume = true;
}

static void begin(struct lex_worker *w, struct partition *p)
{
    if (p->history == NULL && lex_history_new(&p->history) != LEX_OK)
        p->history = NULL;
    LEX_ASSERT(p->history != NULL); /* a few hundred bytes on assignment */
    lex_history_reset(p->history, INT64_MIN);
    p->history_known = false;
    memcpy(p->history_hash, lex_policy_info(w->policy)->history_hash, sizeof p->history_hash);
    p->rebuild = (struct rebuild){.next = lex_history_first_entry(p->committed.chain.seq),
                                  .until_us = w->mono_us + PATIENCE_US};
}

void lex_partition_activate(struct lex_worker *w, struct partition *p)
{
    const uint8_t *hash = lex_policy_info(w->policy)->history_hash;
    bool known = p->history_known ||
                 (LEX_PLANTED(HISTORY_HALF) && p->history != NULL && p->state == PARTITION_WAITING);
    bool same = memcmp(p->history_hash, hash, sizeof p->history_hash) == 0;
    known = known && (same || LEX_PLANTED(HISTORY_OF_ANOTHER));
    if (!is_needed(w))
        lex_partition_forget_history(p);
    if (known || !is_needed(w)) {
        go_active(w, p);
        return;
    }
    begin(w, p);
    if (p->committed.chain.seq == 0 || LEX_PLANTED(HISTORY_EMPTY)) {
        p->history_known = true; /* no entry yet: it is complete since ever */
        go_active(w, p);
        return;
    }
    p->state = PARTITION_HISTORY;
    p->retry_at_us = 0;
}

struct lex_history_wanted lex_partition_history_wanted(const struct lex_worker *w,
                                                       const struct partition *p)
{
    static const int64_t reach_us =
        (int64_t)(LEX_HISTORY_SPAN_S + 3 * LEX_HISTORY_SKEW_S) * 1000000;
    bool anew = p->rebuild.entries == 0;
    return (struct lex_history_wanted){.partition = p->id,
                                       .from = p->rebuild.next,
                                       .to = p->committed.chain.seq,
                                       .since_us = anew ? w->wall_us - reach_us : INT64_MIN,
                                       .more = p->rebuild.more};
}

/* ---- what an entry leaves behind ---- */

static int64_t time_of(const struct lex_ledger_entry *entry)
{
    bool decided = entry->event_type == LEX_EVENT_TYPE_DECISION && entry->evaluated_at.present;
    return decided ? entry->evaluated_at.value : entry->recorded_at;
}

LEX_STATUS lex_partition_learn(struct partition *p, const struct lex_ledger_entry *entry,
                               const struct lex_history_item *items, size_t count)
{
    if (p->history == NULL)
        return LEX_OK;
    lex_history_entry(p->history, entry->seq, time_of(entry));
    for (size_t i = 0; i < count; i++)
        LEX_TRY(lex_history_add(p->history, &items[i]));
    return LEX_OK;
}

/* ---- reading ---- */

static void finish(struct lex_worker *w, struct partition *p)
{
    const struct lex_worker_observer *o = &w->options.observer;
    p->history_known = true;
    go_active(w, p);
    if (o->remembered != NULL)
        o->remembered(o->user, p->id, p->rebuild.entries, lex_history_complete_since(p->history),
                      p->rebuild.problem);
}

/* Not to be known: complete from now on only. */
static void give_up(struct lex_worker *w, struct partition *p, const char *problem)
{
    lex_history_reset(p->history, w->wall_us);
    p->rebuild.problem = problem;
    finish(w, p);
}

/* Whether the entry goes on where the last one ended; the first one always does. */
static bool goes_on(const struct partition *p, const struct lex_ledger_entry *entry)
{
    return p->rebuild.entries == 0 ||
           (entry->seq == p->rebuild.next && entry->prev.len == LEX_HASH_BYTES &&
            memcmp(entry->prev.data, p->rebuild.prev.bytes, LEX_HASH_BYTES) == 0);
}

static enum lex_status learn(struct lex_worker *w, struct partition *p,
                             const struct lex_ledger_entry *entry)
{
    const struct lex_history_item *items = NULL;
    size_t count = 0;
    bool first = p->rebuild.entries == 0;
    if (first && entry->seq > p->rebuild.next)
        lex_history_reset(p->history, time_of(entry));
    if (!goes_on(p, entry)) {
        p->rebuild.problem = "the ledger has a gap or a broken link";
        lex_history_reset(p->history, time_of(entry));
    }
    enum lex_status status = lex_remember(w->policy, entry, &w->step_arena, &items, &count);
    if (status == LEX_OK)
        status = lex_partition_learn(p, entry, items, count);
    return status;
}

static enum lex_status take_value(struct lex_worker *w, struct partition *p, struct lex_span value)
{
    struct lex_ledger_entry entry;
    struct lex_error err;
    LEX_TRY(lex_decode_framed(&lex_type_ledger_entry, value, &w->step_arena, &entry, &err));
    if (!lex_span_eq(entry.log, lex_span_str(p->origin)))
        return LEX_REJECT;
    if (entry.seq < p->rebuild.next || entry.seq >= p->committed.chain.seq)
        return LEX_OK;
    LEX_TRY(learn(w, p, &entry));
    lex_history_settle(p->history); /* nothing of it is ever taken back */
    lex_leaf_hash(value, &p->rebuild.prev);
    p->rebuild.next = entry.seq + 1;
    p->rebuild.entries++;
    return LEX_OK;
}

/* All values of a piece; what cannot be learned from makes all before it unknown. */
static void take_values(struct lex_worker *w, struct partition *p,
                        const struct lex_history_found *found)
{
    for (size_t i = 0; i < found->count; i++) {
        struct lex_arena_mark mark = lex_arena_mark(&w->step_arena);
        if (take_value(w, p, found->values[i]) != LEX_OK) {
            p->rebuild.problem = "the ledger has a record that nothing can be learned from";
            p->rebuild.prev = (struct lex_hash){{0}}; /* nothing links to it */
        }
        lex_arena_rollback(&w->step_arena, mark);
    }
}

static bool has_arrived(const struct partition *p)
{
    const struct lex_chain *chain = &p->committed.chain;
    return p->rebuild.next == chain->seq && p->rebuild.entries != 0 &&
           lex_hash_eq(&p->rebuild.prev, &chain->prev);
}

static void try_again(struct lex_worker *w, struct partition *p)
{
    p->rebuild.more = false;
    p->retry_at_us = w->mono_us + RETRY_US;
    if (w->mono_us >= p->rebuild.until_us)
        give_up(w, p, "its ledger could not be read in time");
}

void lex_partition_history(struct lex_worker *w, const struct lex_history_found *found)
{
    struct partition *p = lex_partition_find(w, found->partition);
    if (p == NULL || p->state != PARTITION_HISTORY)
        return;
    if (found->status == LEX_RETRY) {
        try_again(w, p);
        return;
    }
    if (found->status != LEX_OK) {
        give_up(w, p, found->reason != NULL ? found->reason : "its ledger cannot be read");
        return;
    }
    int64_t before = p->rebuild.entries;
    take_values(w, p, found);
    if (p->rebuild.entries != before)
        p->rebuild.until_us = w->mono_us + PATIENCE_US;
    p->rebuild.more = true;
    if (has_arrived(p))
        finish(w, p);
    else if (!found->more)
        give_up(w, p, "its ledger does not reach up to the chain's head");
    else if (w->mono_us >= p->rebuild.until_us)
        give_up(w, p, "its ledger could not be read in time");
}
