/* Partition: one partition's way from assigned to active, and what stops it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/worker/state.h"

enum {
    RETRY_US = 100 * 1000,        /* an unstable offset is asked for again */
    HALTED_RETRY_US = 5000 * 1000 /* a halted partition looks whether a person released it */
};

static size_t place_of(const struct lex_worker *w, int32_t id)
{
    size_t low = 0, high = w->partitions_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (w->partitions[mid]->id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct partition *lex_partition_find(const struct lex_worker *w, int32_t id)
{
    size_t at = place_of(w, id);
    return at < w->partitions_count && w->partitions[at]->id == id ? w->partitions[at] : NULL;
}

void lex_partition_halt(const struct lex_worker *w, struct partition *p, const char *reason)
{
    p->retry_at_us = w->mono_us + HALTED_RETRY_US;
    p->state = PARTITION_HALTED;
    p->announced = p->announced && strcmp(p->reason, reason) == 0;
    (void)snprintf(p->reason, sizeof p->reason, "%.*s", (int)sizeof p->reason - 1, reason);
}

/* Its held records are nobody's now: skipped, and read again from where recovery says. */
static void forget_slots(struct lex_worker *w, const struct partition *p)
{
    for (size_t i = 0; i < w->held; i++)
        if (w->slots[i].partition == p)
            w->slots[i].partition = NULL;
}

void lex_partition_start_over(struct lex_worker *w, struct partition *p)
{
    p->state = PARTITION_OFFSETS;
    p->retry_at_us = 0;
    p->gone = false;
    lex_partition_forget_history(p);
    p->working = p->committed = (struct position){0};
    forget_slots(w, p);
    w->need_resume = true;
    struct lex_error err;
    if (lex_origin_format(w->options.origin_prefix, w->options.ledger_topic, p->id, p->origin,
                          &err) != LEX_OK)
        lex_partition_halt(w, p, err.text);
}

void lex_partition_add(struct lex_worker *w, int32_t id)
{
    size_t at = place_of(w, id);
    if (lex_partition_find(w, id) != NULL || w->partitions_count == LEX_WORKER_PARTITIONS_MAX)
        return;
    struct partition *p = calloc(1, sizeof *p);
    LEX_ASSERT(p != NULL); /* a few KiB on assignment; without it nothing here can go on */
    memmove(&w->partitions[at + 1], &w->partitions[at],
            (w->partitions_count - at) * sizeof w->partitions[0]);
    w->partitions[at] = p;
    w->partitions_count++;
    p->id = id;
    lex_partition_start_over(w, p);
}

void lex_partition_drop(struct lex_worker *w, int32_t id)
{
    size_t at = place_of(w, id);
    struct partition *p = lex_partition_find(w, id);
    if (p == NULL)
        return;
    forget_slots(w, p);
    memmove(&w->partitions[at], &w->partitions[at + 1],
            (w->partitions_count - at - 1) * sizeof w->partitions[0]);
    w->partitions_count--;
    lex_partition_forget_history(p);
    free(p);
}

void lex_partition_offsets(struct lex_worker *w, const struct lex_offset_found *found)
{
    struct partition *p = lex_partition_find(w, found->partition);
    if (p == NULL || p->state != PARTITION_OFFSETS)
        return;
    p->found = *found;
    p->found.metadata.len = 0;
    if (found->status == LEX_RETRY && LEX_PLANTED(IGNORE_UNSTABLE)) {
        p->found.offset = -1;
        p->state = PARTITION_TAIL;
        return;
    }
    if (found->status == LEX_RETRY) {
        p->retry_at_us = w->mono_us + RETRY_US;
        return;
    }
    if (found->status != LEX_OK) {
        lex_partition_halt(w, p,
                           found->reason != NULL ? found->reason : "its offset cannot be read");
        return;
    }
    /* Longer than any head: cut, so that parsing it fails and the partition halts. */
    size_t len =
        found->metadata.len < sizeof p->metadata ? found->metadata.len : sizeof p->metadata;
    if (len != 0)
        memcpy(p->metadata, found->metadata.data, len);
    p->found.metadata = lex_span_of(p->metadata, len);
    p->state = PARTITION_TAIL;
}

/* Whether the snapshot in force may not simply follow the policy that the chain last named (rule
 * 11): it is older. A published one besides where it has that one's version and another content: of
 * two that were signed under one version, the chain's is the one that came first. */
static bool snapshot_goes_back(const struct lex_worker *w, const struct lex_head *head)
{
    const struct lex_policy_info *info = lex_policy_info(w->policy);
    struct lex_head now = {0};
    if (!head->has_policy)
        return false;
    lex_head_set_policy(&now, info->id, info->version, info->hash);
    if (strcmp(now.policy_id, head->policy_id) != 0 || now.policy_version[0] == 0 ||
        head->policy_version[0] == 0)
        return false;
    int order = lex_policy_version_cmp(lex_span_str(now.policy_version),
                                       lex_span_str(head->policy_version));
    if (order != 0)
        return order < 0;
    return w->options.policy_published && !lex_hash_eq(&now.policy_hash, &head->policy_hash);
}

void lex_partition_policy_changed(struct lex_worker *w, struct partition *p)
{
    bool was_active = p->state == PARTITION_ACTIVE;
    if (!was_active && p->state != PARTITION_HISTORY)
        return;
    if (snapshot_goes_back(w, &p->committed.head)) {
        p->state = PARTITION_WAITING;
        p->wait_until_us = w->mono_us + w->options.policy_wait_us;
    } else {
        p->working.policy_change = p->committed.policy_change = LEX_POLICY_FORWARD;
        lex_partition_activate(w, p);
    }
    if (!was_active || p->state == PARTITION_ACTIVE)
        return;
    forget_slots(w, p);
    w->need_resume = true;
}

void lex_partition_check_waiting(struct lex_worker *w, struct partition *p)
{
    if (p->state != PARTITION_WAITING)
        return;
    bool back = snapshot_goes_back(w, &p->committed.head);
    bool allowed = w->options.policy_allow_rollback && !w->options.policy_published;
    bool patient = w->options.policy_published || w->mono_us < p->wait_until_us;
    if (back && !allowed && patient)
        return;
    enum lex_policy_change change = !back     ? LEX_POLICY_FORWARD
                                    : allowed ? LEX_POLICY_ROLLBACK
                                              : LEX_POLICY_REGRESSED;
    p->working.policy_change = p->committed.policy_change = change;
    lex_partition_activate(w, p);
}

bool lex_partition_policy_due(const struct lex_worker *w, const struct partition *p)
{
    const struct lex_policy_info *info = lex_policy_info(w->policy);
    return p->state == PARTITION_ACTIVE &&
           !lex_head_has_policy(&p->working.head, info->id, info->version, info->hash);
}

static void go_on(struct lex_worker *w, struct partition *p)
{
    const struct lex_recovered *r = &p->recovery;
    p->committed = (struct position){
        .chain = lex_chain_at(lex_span_str(p->origin), r->head.seq, &r->head.prev),
        .head = r->head,
        .next_offset = r->next_offset,
        .genesis_due = r->kind == LEX_RECOVERED_GENESIS,
        .recovery_due = r->kind == LEX_RECOVERED_FROM_LEDGER || r->deleted_from < r->next_offset,
    };
    p->working = p->committed;
    p->announced = p->suspect = false;
    p->state = PARTITION_WAITING;
    p->wait_until_us = w->mono_us + w->options.policy_wait_us;
    lex_partition_check_waiting(w, p);
}

/* Offset and tail are read one after the other. An owner that the group gave up in between, without
 * knowing it yet, sees its successor's work in one of them: the second look comes after a poll,
 * which tells it. What contradicts itself twice halts. */
static void contradiction(struct lex_worker *w, struct partition *p)
{
    if (p->suspect) {
        lex_partition_halt(w, p, p->recovery.reason);
        return;
    }
    p->suspect = true;
    p->state = PARTITION_OFFSETS;
    p->retry_at_us = w->mono_us + RETRY_US;
}

void lex_partition_tail(struct lex_worker *w, const struct lex_tail_found *found)
{
    struct partition *p = lex_partition_find(w, found->partition);
    if (p == NULL || p->state != PARTITION_TAIL)
        return;
    if (found->status == LEX_RETRY) {
        p->retry_at_us = w->mono_us + RETRY_US;
        return;
    }
    if (found->status != LEX_OK) {
        lex_partition_halt(w, p,
                           found->reason != NULL ? found->reason : "its ledger cannot be read");
        return;
    }
    struct lex_recover_input in = {
        .origin = lex_span_str(p->origin),
        .offset = p->found.offset,
        .metadata = p->found.metadata,
        .low = p->found.low,
        .high = p->found.high,
        .ever_held = found->ever_held,
        .entry = found->entry,
        .start_latest = w->options.start_latest,
    };
    if (LEX_PLANTED(IGNORE_TAIL) && in.metadata.len != 0)
        in.entry = (struct lex_span){0};
    if (LEX_PLANTED(GENESIS_AGAIN) && in.metadata.len == 0) {
        in.ever_held = false;
        in.entry = (struct lex_span){0};
    }
    struct lex_arena arena;
    lex_arena_init(&arena, 16384, 4 * LEX_LEDGER_ENTRY_MAX_BYTES);
    enum lex_status status = lex_recover(&in, &arena, &p->recovery);
    lex_arena_fini(&arena);
    if (status != LEX_OK)
        lex_partition_halt(w, p, "its ledger's last entry does not fit into memory");
    else if (p->recovery.kind == LEX_RECOVERED_HALT)
        contradiction(w, p);
    else
        go_on(w, p);
}
