#include "core/worker/worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/worker/state.h"

enum {
    IDLE_POLL_MS = 1000,         /* with nothing to do; a request ends the wait */
    BACKOFF_FIRST_US = 5 * 1000, /* after an abort, doubled up to BACKOFF_LAST_US */
    BACKOFF_LAST_US = 1000 * 1000,
    /* A transaction that begins before the last one's markers are written is told to come back in
     * 20 ms; a few milliseconds of patience are cheaper. Only between small transactions that
     * follow each other closely: under load the wait hides behind deciding, and a lone request
     * finds it over. */
    SPACING_US = 4 * 1000,
    STEP_ARENA_MAX_BYTES = 8 << 20,
};

/* ---- life ---- */

static enum lex_status check_options(const struct lex_worker_options *o, struct lex_error *err)
{
    if (o->batch_max_records < 1 || o->batch_max_records > LEX_WORKER_BATCH_MAX)
        return lex_fail(err, LEX_REJECT, "batch_max_records must be 1 to %d", LEX_WORKER_BATCH_MAX);
    if (o->sign_batch_max < 1 || o->sign_batch_max > LEX_BATCH_MAX)
        return lex_fail(err, LEX_REJECT, "sign_batch_max must be 1 to %d", LEX_BATCH_MAX);
    if (o->commit_max_records < 1 || o->commit_max_bytes < 1)
        return lex_fail(err, LEX_REJECT,
                        "commit_max_records and commit_max_bytes must be at least 1");
    return LEX_OK;
}

LEX_STATUS lex_worker_new(const struct lex_worker_options *options, struct lex_worker **ret_worker,
                          struct lex_error *err)
{
    LEX_TRY(check_options(options, err));
    struct lex_worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    w->options = *options;
    w->slots_max = options->commit_max_records + LEX_WORKER_HELD_SLACK;
    w->slots = calloc(w->slots_max, sizeof *w->slots);
    w->leaving = LEX_EVENT_COUNT;
    w->drained = true; /* nothing is known to wait */
    lex_arena_init(&w->arena, 1 << 20, options->arena_max_bytes);
    lex_arena_init(&w->step_arena, 64 << 10, STEP_ARENA_MAX_BYTES);
    if (w->slots == NULL) {
        lex_worker_free(w);
        return lex_fail(err, LEX_LIMIT, "out of memory");
    }
    *ret_worker = w;
    return LEX_OK;
}

void lex_worker_free(struct lex_worker *worker)
{
    if (worker == NULL)
        return;
    while (worker->partitions_count != 0)
        lex_partition_drop(worker, worker->partitions[0]->id);
    lex_policy_unref(worker->policy);
    lex_policy_unref(worker->next_policy);
    lex_arena_fini(&worker->arena);
    lex_arena_fini(&worker->step_arena);
    free(worker->outputs.items);
    free(worker->slots);
    free(worker);
}

/* ---- the transaction ends ---- */

static void forget_transaction(struct lex_worker *w)
{
    w->txn = TXN_NONE;
    w->decided = 0;
    w->decided_bytes = 0;
    w->events_count = 0;
    w->outputs.count = 0;
    lex_arena_reset(&w->arena);
}

static void drop_slots(struct lex_worker *w, size_t count)
{
    memmove(w->slots, w->slots + count, (w->held - count) * sizeof *w->slots);
    w->held -= count;
}

static void committed(struct lex_worker *w)
{
    for (size_t i = 0; i < w->partitions_count; i++) {
        struct partition *p = w->partitions[i];
        if (p->working.written && p->history != NULL)
            lex_history_settle(p->history);
        p->working.written = false;
        p->committed = p->working;
    }
    if (w->drained && w->decided != 0)
        w->hold_until_us = w->mono_us + SPACING_US;
    lex_batch_settled(w);
    drop_slots(w, w->decided);
    forget_transaction(w);
    w->abort_backoff_us = 0;
    w->build_limit = 2 * w->build_limit > w->options.commit_max_records ? 0 : 2 * w->build_limit;
}

/* Rule 5: chain and history are where they were. What was decided is decided again. */
static void aborted(struct lex_worker *w)
{
    for (size_t i = 0; i < w->partitions_count; i++) {
        struct partition *p = w->partitions[i];
        if (LEX_PLANTED(ADVANCE_AFTER_ABORT))
            p->committed.chain = p->working.chain;
        if (p->working.written && p->history != NULL && !LEX_PLANTED(HISTORY_AFTER_ABORT))
            lex_history_rollback(p->history);
        p->working = p->committed;
    }
    forget_transaction(w);
    w->abort_backoff_us = w->abort_backoff_us == 0 ? BACKOFF_FIRST_US : 2 * w->abort_backoff_us;
    if (w->abort_backoff_us > BACKOFF_LAST_US)
        w->abort_backoff_us = BACKOFF_LAST_US;
    w->hold_until_us = w->mono_us + w->abort_backoff_us;
}

/* The producer is dead: a new one, and every partition recovers as if just assigned. The held
 * records go too, since consumption begins again at the stable offsets. */
static void fatal(struct lex_worker *w)
{
    aborted(w);
    w->phase = PHASE_STARTING;
    w->init_backoff_us = 0;
    if (LEX_PLANTED(SKIP_AFTER_FATAL))
        return;
    w->held = 0;
    for (size_t i = 0; i < w->partitions_count; i++)
        lex_partition_start_over(w, w->partitions[i]);
}

static void published(struct lex_worker *w, enum lex_published result)
{
    if (result == LEX_PUBLISHED_UNKNOWN && LEX_PLANTED(UNKNOWN_AS_FAILED))
        result = LEX_PUBLISHED_ABORTED;
    if (result == LEX_PUBLISHED_UNKNOWN && LEX_PLANTED(UNKNOWN_AS_COMMITTED))
        result = LEX_PUBLISHED_COMMITTED;
    switch (result) {
    case LEX_PUBLISHED_QUEUED: break;
    case LEX_PUBLISHED_COMMITTED: committed(w); break;
    case LEX_PUBLISHED_ABORTED: aborted(w); break;
    case LEX_PUBLISHED_UNKNOWN: w->txn = TXN_UNKNOWN; break;
    case LEX_PUBLISHED_FATAL: fatal(w); break;
    }
}

/* ---- events ---- */

static void take_records(struct lex_worker *w, const struct lex_event *event)
{
    LEX_ASSERT(event->count <= w->slots_max - w->held);
    for (size_t i = 0; i < event->count; i++) {
        struct slot *slot = &w->slots[w->held++];
        *slot = (struct slot){.record = event->records[i]};
        slot->partition = lex_partition_find(w, slot->record.partition);
    }
    w->drained = event->drained;
}

static void take_leaving(struct lex_worker *w, const struct lex_event *event)
{
    w->leaving = event->kind;
    w->leaving_count = 0;
    for (size_t i = 0; i < event->count && i < LEX_WORKER_PARTITIONS_MAX; i++)
        w->leaving_ids[w->leaving_count++] = event->partitions[i];
}

static void take_gone(struct lex_worker *w, const struct lex_event *event)
{
    for (size_t i = 0; i < event->count; i++) {
        struct partition *p = lex_partition_find(w, event->partitions[i]);
        if (p != NULL && p->state == PARTITION_ACTIVE)
            p->gone = true;
    }
}

static void take_inited(struct lex_worker *w, enum lex_status status)
{
    if (status == LEX_OK) {
        w->phase = PHASE_RUNNING;
        w->init_backoff_us = 0;
        w->hold_until_us = 0;
        return;
    }
    w->init_backoff_us = w->init_backoff_us == 0 ? 100 * 1000 : 2 * w->init_backoff_us;
    if (w->init_backoff_us > 5 * BACKOFF_LAST_US)
        w->init_backoff_us = 5 * BACKOFF_LAST_US;
    w->hold_until_us = w->mono_us + w->init_backoff_us;
}

static void take_policy(struct lex_worker *w, struct lex_policy *policy)
{
    lex_policy_unref(w->next_policy);
    w->next_policy = lex_policy_ref(policy);
    if (w->phase == PHASE_IDLE)
        w->phase = PHASE_STARTING;
}

static enum expected answer_of(enum lex_event_kind kind)
{
    switch (kind) {
    case LEX_EVENT_INITED: return EXPECT_INITED;
    case LEX_EVENT_OFFSETS: return EXPECT_OFFSETS;
    case LEX_EVENT_TAIL: return EXPECT_TAIL;
    case LEX_EVENT_HISTORY: return EXPECT_HISTORY;
    case LEX_EVENT_PUBLISHED: return EXPECT_PUBLISHED;
    default: return EXPECT_ANY;
    }
}

static void apply(struct lex_worker *w, const struct lex_event *event)
{
    LEX_ASSERT(answer_of(event->kind) == w->expected);
    w->expected = EXPECT_ANY;
    w->history_rests = event->kind == LEX_EVENT_HISTORY;
    w->wall_us = event->wall_us;
    w->mono_us = event->mono_us;
    switch (event->kind) {
    case LEX_EVENT_POLICY_LOADED: take_policy(w, event->policy); break;
    case LEX_EVENT_INITED: take_inited(w, event->status); break;
    case LEX_EVENT_ASSIGNED:
        for (size_t i = 0; i < event->count; i++)
            lex_partition_add(w, event->partitions[i]);
        break;
    case LEX_EVENT_REVOKED:
    case LEX_EVENT_LOST: take_leaving(w, event); break;
    case LEX_EVENT_OFFSETS:
        for (size_t i = 0; i < event->count; i++)
            lex_partition_offsets(w, &event->offsets[i]);
        break;
    case LEX_EVENT_TAIL:
        for (size_t i = 0; i < event->count; i++)
            lex_partition_tail(w, &event->tails[i]);
        break;
    case LEX_EVENT_HISTORY: lex_partition_history(w, event->history); break;
    case LEX_EVENT_RECORDS: take_records(w, event); break;
    case LEX_EVENT_TICK: w->drained = true; break;
    case LEX_EVENT_PUBLISHED: published(w, event->published); break;
    case LEX_EVENT_GONE: take_gone(w, event); break;
    case LEX_EVENT_STOP: w->stopping = true; break;
    case LEX_EVENT_COUNT: LEX_ASSERT(false);
    }
}

/* ---- the plan: what the state asks for next ---- */

static struct lex_action *add(struct lex_actions *acts, enum lex_action_kind kind)
{
    LEX_ASSERT(acts->count < LEX_ACTIONS_MAX);
    struct lex_action *action = &acts->items[acts->count++];
    *action = (struct lex_action){.kind = kind};
    return action;
}

static void *list(struct lex_worker *w, size_t count, size_t size)
{
    void *items = lex_arena_calloc(&w->step_arena, count == 0 ? 1 : count, size);
    LEX_ASSERT(items != NULL); /* at most a head for each of LEX_WORKER_PARTITIONS_MAX */
    return items;
}

/* Offset and head of every partition that this transaction wrote to (rule 2). */
static void fill_commits(struct lex_worker *w, struct lex_action *action)
{
    struct lex_commit *commits = list(w, w->partitions_count, sizeof *commits);
    for (size_t i = 0; i < w->partitions_count; i++) {
        struct partition *p = w->partitions[i];
        if (!p->working.written)
            continue;
        struct lex_head head = p->working.head;
        head.seq = p->working.chain.seq;
        head.prev = p->working.chain.prev;
        char *text = list(w, LEX_HEAD_TEXT_MAX_BYTES, 1);
        size_t len = lex_head_write(&head, text);
        int64_t next = p->working.next_offset;
        if (LEX_PLANTED(OFFSET_PAST_UNDECIDED))
            for (size_t k = w->decided; k < w->held; k++)
                if (w->slots[k].partition == p)
                    next = w->slots[k].record.offset + 1;
        if (LEX_PLANTED(OFFSET_WITHOUT_HEAD))
            len = 0;
        if (LEX_PLANTED(EVENT_WITHOUT_OFFSET) && p->working.next_offset == p->committed.next_offset)
            continue;
        commits[action->commits_count++] = (struct lex_commit){p->id, next, lex_span_of(text, len)};
    }
    action->commits = commits;
}

static void publish(struct lex_worker *w, bool commit, struct lex_actions *acts)
{
    struct lex_action *action = add(acts, LEX_ACTION_PUBLISH);
    action->commit = commit;
    action->outputs = w->outputs.items;
    action->count = w->outputs.count;
    if (commit)
        fill_commits(w, action);
    if (w->txn == TXN_NONE)
        w->txn_begin_us = w->mono_us;
    w->txn = TXN_OPEN;
    w->outputs.count = 0; /* the action's list stays until the next build */
    w->expected = EXPECT_PUBLISHED;
}

static bool commit_is_due(const struct lex_worker *w)
{
    return w->drained || w->decided >= w->options.commit_max_records ||
           w->decided_bytes >= w->options.commit_max_bytes ||
           w->mono_us - w->txn_begin_us >= w->options.commit_interval_us;
}

static void finish_leaving(struct lex_worker *w, struct lex_actions *acts)
{
    struct lex_action *action = add(acts, LEX_ACTION_ACK_REVOKE);
    action->partitions = w->leaving_ids;
    action->count = w->leaving_count;
    w->leaving = LEX_EVENT_COUNT;
    if (LEX_PLANTED(KEEP_AFTER_REVOKE) && w->held > w->decided)
        return;
    for (size_t i = 0; i < w->leaving_count; i++)
        lex_partition_drop(w, w->leaving_ids[i]);
}

/* Rule 7: the open transaction ends before the partitions go. */
static bool plan_leaving(struct lex_worker *w, struct lex_actions *acts)
{
    if (w->leaving == LEX_EVENT_COUNT)
        return false;
    bool lost = w->leaving == LEX_EVENT_LOST;
    if (w->txn == TXN_OPEN && !LEX_PLANTED(ACK_REVOKE_EARLY)) {
        if (!lost || LEX_PLANTED(COMMIT_AFTER_LOSS)) {
            publish(w, true, acts);
            return true;
        }
        add(acts, LEX_ACTION_ABORT);
        w->expected = EXPECT_PUBLISHED;
        return true;
    }
    finish_leaving(w, acts);
    return false;
}

static bool plan_stop(struct lex_worker *w, struct lex_actions *acts)
{
    if (!w->stopping)
        return false;
    if (w->txn == TXN_OPEN) {
        publish(w, true, acts);
        return true;
    }
    w->phase = PHASE_STOPPED;
    add(acts, LEX_ACTION_STOPPED);
    return true;
}

/* One transaction is decided under one policy: the open one ends first. */
static bool plan_policy(struct lex_worker *w, struct lex_actions *acts)
{
    if (w->next_policy == NULL)
        return false;
    if (w->txn == TXN_OPEN && !LEX_PLANTED(POLICY_BETWEEN)) {
        publish(w, true, acts);
        return true;
    }
    lex_policy_unref(w->policy);
    w->policy = w->next_policy;
    w->next_policy = NULL;
    for (size_t i = 0; i < w->partitions_count; i++)
        lex_partition_policy_changed(w, w->partitions[i]);
    return false;
}

/* Ask for what partitions in `state` still want, all in one call. */
static bool plan_fetch(struct lex_worker *w, enum partition_state state, enum lex_action_kind kind,
                       enum expected expected, struct lex_actions *acts)
{
    int32_t *ids = list(w, w->partitions_count, sizeof *ids);
    size_t count = 0;
    for (size_t i = 0; i < w->partitions_count; i++) {
        const struct partition *p = w->partitions[i];
        if (p->state == state && p->retry_at_us <= w->mono_us)
            ids[count++] = p->id;
    }
    if (count == 0)
        return false;
    struct lex_action *action = add(acts, kind);
    action->partitions = ids;
    action->count = count;
    w->expected = expected;
    return true;
}

/* One piece of one partition's history, then the others have their turn. */
static bool plan_history(struct lex_worker *w, struct lex_actions *acts)
{
    if (w->history_rests)
        return false;
    for (size_t i = 0; i < w->partitions_count; i++) {
        const struct partition *p = w->partitions[i];
        if (p->state != PARTITION_HISTORY || p->retry_at_us > w->mono_us)
            continue;
        add(acts, LEX_ACTION_FETCH_HISTORY)->history = lex_partition_history_wanted(w, p);
        w->expected = EXPECT_HISTORY;
        return true;
    }
    return false;
}

static bool plan_recovery(struct lex_worker *w, struct lex_actions *acts)
{
    for (size_t i = 0; i < w->partitions_count; i++) {
        struct partition *p = w->partitions[i];
        bool again = p->state == PARTITION_HALTED && p->retry_at_us <= w->mono_us;
        if (again || (p->gone && w->txn == TXN_NONE))
            lex_partition_start_over(w, p);
        lex_partition_check_waiting(w, p);
    }
    if (w->txn != TXN_NONE) /* a look-up may block: not with a transaction's clock running */
        return false;
    return plan_fetch(w, PARTITION_OFFSETS, LEX_ACTION_FETCH_OFFSETS, EXPECT_OFFSETS, acts) ||
           plan_fetch(w, PARTITION_TAIL, LEX_ACTION_FETCH_TAIL, EXPECT_TAIL, acts) ||
           plan_history(w, acts);
}

/* Where consumption of a partition stands: behind its newest held record, decided or not. */
static int64_t fetch_position(const struct lex_worker *w, const struct partition *p)
{
    int64_t next = p->working.next_offset;
    for (size_t i = w->decided; i < w->held; i++)
        if (w->slots[i].partition == p && w->slots[i].record.offset >= next)
            next = w->slots[i].record.offset + 1;
    return next;
}

static void plan_resume(struct lex_worker *w, struct lex_actions *acts)
{
    if (!w->need_resume)
        return;
    w->need_resume = false;
    struct lex_action *action = add(acts, LEX_ACTION_RESUME);
    struct lex_position *positions = list(w, w->partitions_count, sizeof *positions);
    for (size_t i = 0; i < w->partitions_count; i++)
        if (w->partitions[i]->state == PARTITION_ACTIVE)
            positions[action->count++] =
                (struct lex_position){w->partitions[i]->id, fetch_position(w, w->partitions[i])};
    action->positions = positions;
}

static void plan_telling(struct lex_worker *w, struct lex_actions *acts)
{
    bool ready = w->phase == PHASE_RUNNING && w->policy != NULL;
    for (size_t i = 0; i < w->partitions_count; i++) {
        struct partition *p = w->partitions[i];
        if (p->state == PARTITION_HALTED && !p->announced && acts->count < LEX_ACTIONS_MAX / 2) {
            struct lex_action *action = add(acts, LEX_ACTION_HALT);
            action->partitions = &p->id;
            action->count = 1;
            action->reason = p->reason;
            p->announced = true;
        }
        bool stands = p->state == PARTITION_HALTED || p->announced;
        ready =
            ready && (!stands || LEX_PLANTED(READY_WHILE_HALTED)) && p->state != PARTITION_WAITING;
    }
    if (ready == w->ready && w->ready_told)
        return;
    w->ready = ready;
    w->ready_told = true;
    add(acts, LEX_ACTION_SET_READY)->ready = ready;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long a poll may wait: until something else is due. An open transaction waits for nothing. */
static int poll_timeout_ms(const struct lex_worker *w)
{
    int64_t until = w->mono_us + IDLE_POLL_MS * 1000;
    if (w->txn == TXN_OPEN)
        return 0;
    if (w->hold_until_us > w->mono_us)
        until = earliest(until, w->hold_until_us);
    for (size_t i = 0; i < w->partitions_count && w->phase == PHASE_RUNNING; i++) {
        const struct partition *p = w->partitions[i];
        if (p->state == PARTITION_WAITING)
            until = earliest(until, p->wait_until_us);
        else if (p->state != PARTITION_ACTIVE)
            until = earliest(until, p->retry_at_us);
    }
    return until <= w->mono_us ? 0 : (int)((until - w->mono_us + 999) / 1000);
}

static void plan_poll(struct lex_worker *w, size_t max_records, struct lex_actions *acts)
{
    struct lex_action *action = add(acts, LEX_ACTION_POLL);
    action->timeout_ms = poll_timeout_ms(w);
    action->max_records = max_records;
}

/* Decide what is held, until there is something to publish or nothing left; true when the build ran
 * out of memory and the transaction has to end. */
static bool build(struct lex_worker *w)
{
    for (;;) {
        bool full = lex_batch_build(w);
        if (w->must_abort && w->txn == TXN_OPEN)
            return full;
        if (w->must_abort) {
            w->must_abort = false;
            aborted(w);
            w->hold_until_us = 0;
            continue;
        }
        if (w->outputs.count != 0 || w->txn == TXN_OPEN)
            return full;
        drop_slots(w, w->decided); /* skipped records only */
        w->decided = 0;
        if (!full)
            return false;
    }
}

static bool plan_batch(struct lex_worker *w, struct lex_actions *acts)
{
    if (w->hold_until_us > w->mono_us)
        return false;
    bool full = build(w);
    if (w->must_abort) {
        w->must_abort = false;
        add(acts, LEX_ACTION_ABORT);
        w->expected = EXPECT_PUBLISHED;
        return true;
    }
    if (w->txn == TXN_NONE)
        w->txn_begin_us = w->mono_us;
    bool commit = full || commit_is_due(w);
    if (w->outputs.count == 0 && (w->txn == TXN_NONE || !commit))
        return false;
    publish(w, commit, acts);
    return true;
}

static void plan(struct lex_worker *w, struct lex_actions *acts)
{
    if (w->phase == PHASE_STOPPED)
        return;
    if (w->txn == TXN_UNKNOWN) { /* rule 4: the same commit again, before anything else */
        add(acts, LEX_ACTION_RESUME_COMMIT);
        w->expected = EXPECT_PUBLISHED;
        return;
    }
    if (plan_leaving(w, acts) || plan_stop(w, acts) || plan_policy(w, acts))
        return;
    plan_telling(w, acts);
    if (w->phase == PHASE_STARTING && w->hold_until_us <= w->mono_us) {
        add(acts, LEX_ACTION_INIT);
        w->expected = EXPECT_INITED;
        return;
    }
    if (w->phase != PHASE_RUNNING) {
        plan_poll(w, 0, acts);
        return;
    }
    if (plan_recovery(w, acts))
        return;
    plan_telling(w, acts);
    plan_resume(w, acts);
    if (plan_batch(w, acts))
        return;
    bool wait = w->hold_until_us > w->mono_us || w->held > w->options.commit_max_records;
    plan_poll(w, wait ? 0 : w->options.batch_max_records, acts);
}

void lex_worker_step(struct lex_worker *worker, const struct lex_event *event,
                     struct lex_actions *ret_actions)
{
    lex_arena_reset(&worker->step_arena);
    ret_actions->count = 0;
    apply(worker, event);
    plan(worker, ret_actions);
}

/* ---- looking in ---- */

size_t lex_worker_held(const struct lex_worker *worker)
{
    return worker->held;
}

bool lex_worker_ready(const struct lex_worker *worker)
{
    return worker->ready;
}

size_t lex_worker_halted(const struct lex_worker *worker)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->partitions_count; i++)
        count +=
            worker->partitions[i]->state == PARTITION_HALTED || worker->partitions[i]->announced;
    return count;
}

static const char *state_name(const struct partition *p)
{
    if (p->announced)
        return "halted";
    switch (p->state) {
    case PARTITION_ACTIVE: return "active";
    case PARTITION_WAITING: return "waiting";
    case PARTITION_HALTED: return "halted";
    default: return "recovering";
    }
}

/* What halted before it was recovered stands where its offset says, if any. */
static int64_t next_offset_of(const struct partition *p)
{
    bool unrecovered = p->announced && p->committed.next_offset == 0;
    return unrecovered ? p->found.offset : p->committed.next_offset;
}

size_t lex_worker_partitions(const struct lex_worker *worker, struct lex_partition_view *out,
                             size_t max)
{
    size_t count = worker->partitions_count < max ? worker->partitions_count : max;
    for (size_t i = 0; i < count; i++) {
        const struct partition *p = worker->partitions[i];
        out[i] = (struct lex_partition_view){
            .partition = p->id,
            .state = state_name(p),
            .reason = p->announced ? p->reason : "",
            .seq = p->committed.chain.seq,
            .next_offset = next_offset_of(p),
        };
    }
    return count;
}
