#include "tests/sim/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- randomness: splitmix64 (Steele, Lea, Flood 2014) ---- */

uint64_t sim_random(struct sim_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t sim_below(struct sim_random *random, uint64_t bound)
{
    return sim_random(random) % bound;
}

bool sim_chance(struct sim_random *random, unsigned percent)
{
    return sim_below(random, 100) < percent;
}

/* ---- life ---- */

void sim_model_init(struct sim_model *model, uint64_t seed)
{
    *model = (struct sim_model){.random = {seed}, .now_us = 1000000, .hash = 14695981039346656037u};
    model->partitions_count = 1 + (int)sim_below(&model->random, SIM_PARTITIONS_MAX);
    model->nodes_count = 1 + (int)sim_below(&model->random, SIM_NODES_MAX);
}

void sim_log_fini(struct sim_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free(log->items[i].data);
    free(log->items);
}

void sim_model_fini(struct sim_model *model)
{
    for (int p = 0; p < SIM_PARTITIONS_MAX; p++) {
        struct sim_partition *partition = &model->partitions[p];
        sim_log_fini(&partition->requests);
        sim_log_fini(&partition->verdicts);
        sim_log_fini(&partition->ledger);
        sim_log_fini(&partition->letters);
        free(partition->asked);
    }
}

/* FNV-1a over every line, so that one seed has one hash. */
void sim_note(struct sim_model *model, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (const char *c = line; *c != 0; c++)
        model->hash = (model->hash ^ (uint8_t)*c) * 1099511628211u;
    if (model->trace)
        printf("%10.3f ms  %s\n", (double)model->now_us / 1000, line);
}

/* ---- logs ---- */

void sim_append(struct sim_log *log, const void *data, size_t len, int64_t txn,
                enum sim_state state)
{
    if (log->count == log->cap) {
        log->cap = log->cap == 0 ? 64 : 2 * log->cap;
        log->items = realloc(log->items, log->cap * sizeof *log->items);
        LEX_ASSERT(log->items != NULL);
    }
    struct sim_item *item = &log->items[log->count++];
    *item = (struct sim_item){malloc(len + 1), len, txn, state};
    LEX_ASSERT(item->data != NULL);
    if (len != 0)
        memcpy(item->data, data, len);
}

static void settle(struct sim_log *log, int64_t txn, enum sim_state state)
{
    for (size_t i = log->count; i-- > 0;)
        if (log->items[i].txn == txn && log->items[i].state == SIM_PENDING)
            log->items[i].state = state;
}

bool sim_log_unstable(const struct sim_log *log)
{
    for (size_t i = log->count; i-- > log->low;)
        if (log->items[i].state == SIM_PENDING)
            return true;
    return false;
}

const struct sim_item *sim_next_committed(const struct sim_log *log, size_t *at)
{
    while (*at < log->count && log->items[*at].state == SIM_ABORTED)
        ++*at;
    if (*at == log->count || log->items[*at].state != SIM_COMMITTED)
        return NULL;
    return &log->items[(*at)++];
}

const struct sim_item *sim_tail(const struct sim_log *log)
{
    const struct sim_item *last = NULL;
    for (size_t i = log->low; i < log->count; i++) {
        if (log->items[i].state == SIM_PENDING)
            break; /* the last stable offset */
        if (log->items[i].state == SIM_COMMITTED)
            last = &log->items[i];
    }
    return last;
}

/* ---- transactions ---- */

static void end_transaction(struct sim_model *model, int node, bool commit)
{
    struct sim_producer *producer = &model->producers[node];
    enum sim_state state = commit ? SIM_COMMITTED : SIM_ABORTED;
    for (int p = 0; p < model->partitions_count; p++) {
        struct sim_partition *partition = &model->partitions[p];
        settle(&partition->verdicts, producer->txn, state);
        settle(&partition->ledger, producer->txn, state);
        settle(&partition->letters, producer->txn, state);
        struct sim_pending *pending = &producer->offsets[p];
        if (pending->set && commit) {
            partition->committed = true;
            partition->tampered = false;
            partition->offset = pending->offset;
            memcpy(partition->metadata, pending->metadata, pending->metadata_len);
            partition->metadata_len = pending->metadata_len;
        }
        pending->set = false;
    }
    producer->open = false;
}

void sim_init_transactions(struct sim_model *model, int node)
{
    struct sim_producer *producer = &model->producers[node];
    producer->epoch++;
    if (producer->open)
        end_transaction(model, node, false);
}

static bool begin(struct sim_model *model, int node, int epoch)
{
    struct sim_producer *producer = &model->producers[node];
    if (producer->epoch != epoch)
        return false;
    if (!producer->open) {
        producer->open = true;
        producer->txn = model->next_txn++;
        producer->begin_us = model->now_us;
    }
    return true;
}

bool sim_produce(struct sim_model *model, int node, int epoch, struct sim_log *log,
                 struct lex_span value)
{
    if (!begin(model, node, epoch))
        return false;
    sim_append(log, value.data, value.len, model->producers[node].txn, SIM_PENDING);
    return true;
}

enum lex_status sim_send_offsets(struct sim_model *model, int node, int epoch, int member,
                                 int generation, const struct lex_commit *commits, size_t count)
{
    if (!begin(model, node, epoch))
        return LEX_HALT;
    bool anonymous = generation < 0; /* no member, no generation: taken, even in a live group */
    if (!anonymous && (!model->members[member].in_group || generation != model->generation))
        return LEX_ABORT;
    for (size_t i = 0; i < count; i++) {
        struct sim_pending *pending = &model->producers[node].offsets[commits[i].partition];
        LEX_ASSERT(commits[i].metadata.len < SIM_METADATA_MAX);
        *pending = (struct sim_pending){.set = true, .offset = commits[i].next_offset};
        memcpy(pending->metadata, commits[i].metadata.data, commits[i].metadata.len);
        pending->metadata_len = commits[i].metadata.len;
    }
    return LEX_OK;
}

bool sim_end(struct sim_model *model, int node, int epoch, bool commit)
{
    if (model->producers[node].epoch != epoch)
        return false;
    if (model->producers[node].open)
        end_transaction(model, node, commit);
    return true;
}

void sim_expire_transactions(struct sim_model *model, int64_t age_us)
{
    for (int n = 0; n < model->nodes_count; n++) {
        struct sim_producer *producer = &model->producers[n];
        if (!producer->open || model->now_us - producer->begin_us < age_us)
            continue;
        sim_note(model, "coordinator aborts transaction %lld of node %d", (long long)producer->txn,
                 n);
        producer->epoch++;
        end_transaction(model, n, false);
    }
}

bool sim_unstable(const struct sim_model *model, int partition)
{
    for (int n = 0; n < model->nodes_count; n++)
        if (model->producers[n].open && model->producers[n].offsets[partition].set)
            return true;
    return false;
}

/* ---- the group: eager, as the range assignor has it ---- */

static void start_rebalance(struct sim_model *model)
{
    model->rebalancing = true;
    for (size_t m = 0; m < model->members_count; m++)
        model->members[m].joined = false;
}

int sim_join(struct sim_model *model, int node)
{
    LEX_ASSERT(model->members_count < SIM_MEMBERS_MAX);
    int member = (int)model->members_count++;
    model->members[member] =
        (struct sim_member){.in_group = true, .node = node, .heard_us = model->now_us};
    start_rebalance(model);
    model->members[member].joined = true;
    return member;
}

void sim_leave(struct sim_model *model, int member)
{
    if (!model->members[member].in_group)
        return;
    model->members[member] = (struct sim_member){.node = model->members[member].node};
    start_rebalance(model);
}

void sim_expire_members(struct sim_model *model, int64_t session_us)
{
    for (size_t m = 0; m < model->members_count; m++)
        if (model->members[m].in_group && model->now_us - model->members[m].heard_us > session_us) {
            sim_note(model, "group expels member %zu", m);
            sim_leave(model, (int)m);
        }
}

void sim_complete_rebalance(struct sim_model *model)
{
    int joined[SIM_MEMBERS_MAX], count = 0;
    for (size_t m = 0; m < model->members_count; m++) {
        if (!model->members[m].in_group)
            continue;
        if (!model->members[m].joined)
            return;
        joined[count++] = (int)m;
    }
    if (!model->rebalancing || count == 0)
        return;
    model->generation++;
    model->rebalancing = false;
    int shift = (int)sim_below(&model->random, (uint64_t)count);
    for (int m = 0; m < count; m++)
        memset(model->members[joined[m]].owns, 0, sizeof model->members[0].owns);
    for (int p = 0; p < model->partitions_count; p++)
        model->members[joined[(p + shift) % count]].owns[p] = true;
    sim_note(model, "generation %d of %d members", model->generation, count);
}
