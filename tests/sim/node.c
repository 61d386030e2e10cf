#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

static void feed(struct sim_node *node, struct lex_event event)
{
    event.wall_us = SIM_EPOCH_US + node->model->now_us;
    event.mono_us = node->model->now_us;
    node->next = 0;
    node->stage = SIM_STAGE_PRODUCE;
    node->stalled = false;
    node->poll_since_us = node->model->now_us;
    lex_worker_step(node->worker, &event, &node->actions);
}

static bool fault(struct sim_node *node, unsigned percent)
{
    return !node->model->calm && sim_chance(&node->model->random, percent);
}

/* ---- life ---- */

void sim_node_start(struct sim_node *node)
{
    struct lex_worker_options options = {
        .keyring = node->world->keyring,
        .codec = node->world->codec,
        .identity = node->world->identity,
        .node_id = LEX_SPAN("sim"),
        .origin_prefix = LEX_SPAN("sim/one"),
        .requests_topic = LEX_SPAN("requests"),
        .ledger_topic = LEX_SPAN("ledger"),
        .ttl_us = 300000000,
        .policy_wait_us = 200000,
        .commit_interval_us = 5000,
        .commit_max_records = 16,
        .commit_max_bytes = 64 << 20,
        .batch_max_records = SIM_BATCH_MAX,
        .sign_batch_max = 4,
        .request_max_bytes = 900000,
        .dead_letter_max_bytes = 1000,
        .output_max_bytes = 1000000,
        .arena_max_bytes = 1600000,
    };
    struct lex_error err;
    LEX_ASSERT(lex_worker_new(&options, &node->worker, &err) == LEX_OK);
    node->alive = true;
    node->stopping = node->ready = node->revoking = node->losing = false;
    node->member = -1;
    node->generation = -1;
    node->owned_count = 0;
    node->paused_until_us = 0;
    node->halted_wrongly = false;
    node->past_partition = -1;
    for (int p = 0; p < SIM_PARTITIONS_MAX; p++)
        node->position[p] = -1;
    node->policy = node->policy_wanted;
    sim_note(node->model, "node %d starts", node->id);
    feed(node, (struct lex_event){.kind = LEX_EVENT_POLICY_LOADED,
                                  .policy = node->world->policies[node->policy]});
}

void sim_node_kill(struct sim_node *node)
{
    lex_worker_free(node->worker);
    node->worker = NULL;
    node->alive = false;
}

/* ---- looking things up ---- */

static void init(struct sim_node *node)
{
    if (fault(node, 10)) {
        feed(node, (struct lex_event){.kind = LEX_EVENT_INITED, .status = LEX_RETRY});
        return;
    }
    sim_init_transactions(node->model, node->id);
    node->epoch = node->model->producers[node->id].epoch;
    if (node->member < 0)
        node->member = sim_join(node->model, node->id);
    feed(node, (struct lex_event){.kind = LEX_EVENT_INITED, .status = LEX_OK});
}

static void fetch_offsets(struct sim_node *node, const struct lex_action *action)
{
    struct lex_offset_found found[SIM_PARTITIONS_MAX];
    for (size_t i = 0; i < action->count; i++) {
        int32_t id = action->partitions[i];
        const struct sim_partition *p = &node->model->partitions[id];
        found[i] = (struct lex_offset_found){
            .partition = id,
            .status = sim_unstable(node->model, id) || fault(node, 5) ? LEX_RETRY : LEX_OK,
            .offset = p->committed ? p->offset : -1,
            .metadata = lex_span_of(p->metadata, p->committed ? p->metadata_len : 0),
            .low = (int64_t)p->requests.low,
            .high = (int64_t)p->requests.count,
        };
    }
    feed(node,
         (struct lex_event){.kind = LEX_EVENT_OFFSETS, .offsets = found, .count = action->count});
}

static void fetch_tail(struct sim_node *node, const struct lex_action *action)
{
    struct lex_tail_found found[SIM_PARTITIONS_MAX];
    for (size_t i = 0; i < action->count; i++) {
        int32_t id = action->partitions[i];
        const struct sim_log *ledger = &node->model->partitions[id].ledger;
        const struct sim_item *tail = sim_tail(ledger);
        found[i] = (struct lex_tail_found){
            .partition = id,
            .status = sim_log_unstable(ledger) || fault(node, 5) ? LEX_RETRY : LEX_OK,
            .ever_held = ledger->low != 0 || tail != NULL,
            .entry = tail == NULL ? (struct lex_span){0} : lex_span_of(tail->data, tail->len),
        };
    }
    feed(node, (struct lex_event){.kind = LEX_EVENT_TAIL, .tails = found, .count = action->count});
}

/* Where reading begins: at the entry that is wanted, or somewhere before it. */
static void find_past(struct sim_node *node, const struct lex_history_wanted *wanted)
{
    const struct sim_log *ledger = &node->model->partitions[wanted->partition].ledger;
    int64_t seq = 0, begin = wanted->from;
    if (begin > 0 && sim_chance(&node->model->random, 50))
        begin = (int64_t)sim_below(&node->model->random, (uint64_t)begin);
    node->past = ledger->low;
    node->past_partition = wanted->partition;
    while (seq < begin && sim_next_committed(ledger, &node->past) != NULL)
        seq++;
}

/* A piece of a ledger: committed entries in order, as many as the model likes. */
static void fetch_history(struct sim_node *node, const struct lex_history_wanted *wanted)
{
    enum { PIECE = 12 };
    const struct sim_log *ledger = &node->model->partitions[wanted->partition].ledger;
    struct lex_span values[PIECE];
    const struct sim_item *item = NULL;
    struct lex_history_found found = {
        .partition = wanted->partition, .status = LEX_OK, .values = values};
    size_t max = (size_t)sim_below(&node->model->random, PIECE + 1);
    if (!wanted->more)
        find_past(node, wanted);
    if (node->past_partition != wanted->partition || fault(node, 5)) {
        found.status = LEX_RETRY;
        node->past_partition = -1;
    } else {
        while (found.count < max && (item = sim_next_committed(ledger, &node->past)) != NULL)
            values[found.count++] = lex_span_of(item->data, item->len);
        found.more = node->past < ledger->count; /* the rest, or what is not decided yet */
    }
    feed(node, (struct lex_event){.kind = LEX_EVENT_HISTORY, .history = &found, .count = 1});
}

/* ---- publishing ---- */

static void published(struct sim_node *node, enum lex_published result)
{
    static const char *const names[] = {"queued", "committed", "aborted", "unknown", "fatal"};
    sim_note(node->model, "node %d: %s", node->id, names[result]);
    feed(node, (struct lex_event){.kind = LEX_EVENT_PUBLISHED, .published = result});
}

static void abort_transaction(struct sim_node *node)
{
    bool done = sim_end(node->model, node->id, node->epoch, false);
    published(node, done ? LEX_PUBLISHED_ABORTED : LEX_PUBLISHED_FATAL);
}

static struct sim_log *log_of(struct sim_partition *partition, enum lex_output_kind kind)
{
    switch (kind) {
    case LEX_OUTPUT_VERDICT: return &partition->verdicts;
    case LEX_OUTPUT_LEDGER: return &partition->ledger;
    default: return &partition->letters;
    }
}

static void produce(struct sim_node *node, const struct lex_action *action)
{
    for (size_t i = 0; i < action->count; i++) {
        const struct lex_output *out = &action->outputs[i];
        struct sim_partition *partition = &node->model->partitions[out->partition];
        if (i != 0 && fault(node, 1)) {
            abort_transaction(node);
            return;
        }
        if (!sim_produce(node->model, node->id, node->epoch, log_of(partition, out->kind),
                         out->value)) {
            published(node, LEX_PUBLISHED_FATAL);
            return;
        }
    }
    if (action->commit)
        node->stage = SIM_STAGE_OFFSETS;
    else
        published(node, LEX_PUBLISHED_QUEUED);
}

static void send_offsets(struct sim_node *node, const struct lex_action *action)
{
    enum lex_status status = LEX_OK;
    if (action->commits_count != 0)
        status = sim_send_offsets(node->model, node->id, node->epoch, node->member,
                                  node->generation, action->commits, action->commits_count);
    if (status == LEX_HALT)
        published(node, LEX_PUBLISHED_FATAL);
    else if (status != LEX_OK || fault(node, 2))
        abort_transaction(node);
    else
        node->stage = SIM_STAGE_COMMIT;
}

/* The same for the first commit and for each repetition: applied or not, answered or not, or
 * answered with a fence although it was applied. */
static void commit(struct sim_node *node)
{
    if (fault(node, 2) && sim_end(node->model, node->id, node->epoch, true)) {
        node->model->producers[node->id].epoch++;
        published(node, LEX_PUBLISHED_FATAL);
        return;
    }
    bool silent = fault(node, 6), applied = !silent || sim_chance(&node->model->random, 50);
    if (applied && !sim_end(node->model, node->id, node->epoch, true))
        published(node, LEX_PUBLISHED_FATAL);
    else
        published(node, silent ? LEX_PUBLISHED_UNKNOWN : LEX_PUBLISHED_COMMITTED);
}

/* The worst moment to stand still: decided, and not a byte of it sent. */
static bool stalls(struct sim_node *node)
{
    if (node->stalled || !fault(node, 3))
        return false;
    node->stalled = true;
    node->paused_until_us =
        node->model->now_us + 250000 + (int64_t)sim_below(&node->model->random, 1000000);
    sim_note(node->model, "node %d stands still before it publishes", node->id);
    return true;
}

static void publish(struct sim_node *node, const struct lex_action *action)
{
    if (node->stage == SIM_STAGE_PRODUCE && stalls(node))
        return;
    switch (node->stage) {
    case SIM_STAGE_PRODUCE: produce(node, action); break;
    case SIM_STAGE_OFFSETS: send_offsets(node, action); break;
    case SIM_STAGE_COMMIT: commit(node); break;
    }
}

/* ---- the group ---- */

static void tell_leaving(struct sim_node *node, bool lost)
{
    node->revoking = !lost;
    node->losing = lost;
    if (lost)
        node->generation = -1; /* librdkafka forgets its member id */
    sim_note(node->model, "node %d: %s", node->id, lost ? "lost" : "revoked");
    feed(node, (struct lex_event){.kind = lost ? LEX_EVENT_LOST : LEX_EVENT_REVOKED,
                                  .partitions = node->owned,
                                  .count = node->owned_count});
}

static void acknowledge(struct sim_node *node)
{
    node->owned_count = 0;
    for (int p = 0; p < SIM_PARTITIONS_MAX; p++)
        node->position[p] = -1;
    if (node->losing)
        node->member = sim_join(node->model, node->id);
    else
        node->model->members[node->member].joined = true;
    node->losing = node->revoking = false;
}

static void tell_assigned(struct sim_node *node)
{
    struct sim_member *member = &node->model->members[node->member];
    node->generation = node->model->generation;
    node->owned_count = 0;
    for (int p = 0; p < node->model->partitions_count; p++)
        if (member->owns[p])
            node->owned[node->owned_count++] = p;
    sim_note(node->model, "node %d: %zu partitions", node->id, node->owned_count);
    feed(node, (struct lex_event){.kind = LEX_EVENT_ASSIGNED,
                                  .partitions = node->owned,
                                  .count = node->owned_count});
}

/* True when the group had something to say. */
static bool poll_group(struct sim_node *node)
{
    struct sim_model *model = node->model;
    if (node->member < 0)
        return false;
    struct sim_member *member = &model->members[node->member];
    if (!member->in_group) {
        if (node->owned_count != 0)
            tell_leaving(node, true);
        else
            node->member = sim_join(model, node->id);
        return true;
    }
    member->heard_us = model->now_us;
    if (model->rebalancing && !member->joined) {
        if (node->owned_count == 0)
            member->joined = true;
        else
            tell_leaving(node, false);
        return true;
    }
    if (model->rebalancing || node->generation == model->generation)
        return false;
    tell_assigned(node);
    return true;
}

/* ---- polling ---- */

static bool poll_policy(struct sim_node *node)
{
    if (node->stopping) {
        feed(node, (struct lex_event){.kind = LEX_EVENT_STOP});
        return true;
    }
    if (node->policy == node->policy_wanted)
        return false;
    node->policy = node->policy_wanted;
    sim_note(node->model, "node %d: policy %d", node->id, node->policy + 1);
    feed(node, (struct lex_event){.kind = LEX_EVENT_POLICY_LOADED,
                                  .policy = node->world->policies[node->policy]});
    return true;
}

static bool poll_gone(struct sim_node *node)
{
    for (int32_t p = 0; p < node->model->partitions_count; p++) {
        int64_t low = (int64_t)node->model->partitions[p].requests.low;
        if (node->position[p] < 0 || node->position[p] >= low)
            continue;
        node->position[p] = -1;
        sim_note(node->model, "node %d: partition %d is gone", node->id, p);
        feed(node, (struct lex_event){.kind = LEX_EVENT_GONE, .partitions = &p, .count = 1});
        return true;
    }
    return false;
}

static size_t gather(struct sim_node *node, size_t max, bool *ret_drained)
{
    size_t count = 0;
    *ret_drained = true;
    for (int32_t p = 0; p < node->model->partitions_count; p++) {
        const struct sim_log *log = &node->model->partitions[p].requests;
        while (node->position[p] >= 0 && node->position[p] < (int64_t)log->count) {
            if (count == max) {
                *ret_drained = false;
                return count;
            }
            const struct sim_item *item = &log->items[node->position[p]];
            node->records[count++] = (struct lex_record){
                .partition = p,
                .offset = node->position[p]++,
                .timestamp_ms = 1700000000000,
                .value = lex_span_of(item->data, item->len),
            };
        }
    }
    return count;
}

static bool poll(struct sim_node *node, const struct lex_action *action)
{
    bool drained,
        waited = node->model->now_us - node->poll_since_us >= (int64_t)action->timeout_ms * 1000;
    if (poll_group(node) || poll_policy(node) || poll_gone(node))
        return true;
    size_t max = action->max_records < SIM_BATCH_MAX ? action->max_records : SIM_BATCH_MAX;
    if (max > 1)
        max = 1 + (size_t)sim_below(&node->model->random, max);
    size_t count = gather(node, max, &drained);
    if (count == 0 && !waited)
        return false;
    if (count == 0)
        feed(node, (struct lex_event){.kind = LEX_EVENT_TICK});
    else
        feed(node, (struct lex_event){.kind = LEX_EVENT_RECORDS,
                                      .records = node->records,
                                      .count = count,
                                      .drained = drained});
    return true;
}

static void resume(struct sim_node *node, const struct lex_action *action)
{
    for (int p = 0; p < SIM_PARTITIONS_MAX; p++)
        node->position[p] = -1;
    for (size_t i = 0; i < action->count; i++)
        node->position[action->positions[i].partition] = action->positions[i].next_offset;
}

/* A node that the group gave up judges by what it saw before; its word counts for nothing. */
static bool is_member(const struct sim_node *node)
{
    return node->member >= 0 && node->model->members[node->member].in_group &&
           node->generation == node->model->generation;
}

static bool may_halt(const struct sim_node *node, int32_t partition)
{
    const struct sim_partition *p = &node->model->partitions[partition];
    return p->doubtful || (p->healed_us != 0 && node->model->now_us - p->healed_us < 500000);
}

bool sim_node_run(struct sim_node *node)
{
    LEX_ASSERT(node->next < node->actions.count);
    const struct lex_action *action = &node->actions.items[node->next];
    if (action->kind == LEX_ACTION_POLL)
        return poll(node, action);
    if (action->kind == LEX_ACTION_PUBLISH) {
        publish(node, action);
        return true;
    }
    node->next++;
    switch (action->kind) {
    case LEX_ACTION_INIT: init(node); break;
    case LEX_ACTION_FETCH_OFFSETS: fetch_offsets(node, action); break;
    case LEX_ACTION_FETCH_TAIL: fetch_tail(node, action); break;
    case LEX_ACTION_FETCH_HISTORY: fetch_history(node, &action->history); break;
    case LEX_ACTION_RESUME: resume(node, action); break;
    case LEX_ACTION_RESUME_COMMIT: commit(node); break;
    case LEX_ACTION_ABORT: abort_transaction(node); break;
    case LEX_ACTION_ACK_REVOKE: acknowledge(node); break;
    case LEX_ACTION_HALT:
        sim_note(node->model, "node %d halts partition %d: %s", node->id, action->partitions[0],
                 action->reason);
        node->halted_wrongly = is_member(node) && !may_halt(node, action->partitions[0]);
        break;
    case LEX_ACTION_SET_READY: node->ready = action->ready; break;
    case LEX_ACTION_STOPPED:
        sim_note(node->model, "node %d stopped", node->id);
        if (node->member >= 0)
            sim_leave(node->model, node->member);
        sim_node_kill(node);
        break;
    default: LEX_ASSERT(false);
    }
    return true;
}
