/* The invariants, from outside: nothing here shares code with the worker but the codec and hashes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "tests/sim/sim.h"

void sim_checker_init(struct sim_checker *checker, const struct sim_world *world,
                      struct sim_model *model)
{
    *checker = (struct sim_checker){.world = world};
    lex_arena_init(&checker->arena, 256 << 10, 8 << 20);
    for (int p = 0; p < model->partitions_count; p++) {
        char origin[64];
        (void)snprintf(origin, sizeof origin, "sim/one/ledger/%d", p);
        lex_genesis_hash(lex_span_str(origin), &checker->partitions[p].prev);
        checker->partitions[p].txn = -1;
    }
}

void sim_checker_fini(struct sim_checker *checker)
{
    for (int p = 0; p < SIM_PARTITIONS_MAX; p++) {
        lex_history_free(checker->partitions[p].history);
        free(checker->partitions[p].uses);
    }
    lex_arena_fini(&checker->arena);
}

bool sim_violated(struct sim_checker *checker, const char *format, ...)
{
    if (checker->violation[0] == 0) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(checker->violation, sizeof checker->violation, format, args);
        va_end(args);
    }
    return false;
}

static bool check_verdict(struct sim_checker *c, struct sim_model *model, int p,
                          const struct sim_item *item, const struct lex_hash *leaf,
                          struct lex_span origin)
{
    const struct sim_item *answer =
        sim_next_committed(&model->partitions[p].verdicts, &c->partitions[p].verdicts);
    struct lex_verdict verdict;
    struct lex_span entry;
    struct lex_error err = {{0}};
    if (answer == NULL || answer->txn != item->txn)
        return sim_violated(c, "partition %d: a decision entry without its verdict", p);
    struct lex_span value = lex_span_of(answer->data, answer->len);
    enum lex_status status = answer->data[0] == '{'
                                 ? lex_decode_verdict_json(value, &c->arena, &verdict, &entry, &err)
                                 : lex_decode_verdict(value, &c->arena, &verdict, &entry, &err);
    if (status != LEX_OK)
        return sim_violated(c, "partition %d: a verdict cannot be read: %s", p, err.text);
    if (!lex_span_eq(entry, lex_span_of(item->data, item->len)))
        return sim_violated(c, "partition %d: verdict and ledger entry differ", p);
    if (lex_attestation_verify(c->world->pins, origin, leaf, &verdict.attestation, &err) != LEX_OK)
        return sim_violated(c, "partition %d: a proof does not verify: %s", p, err.text);
    return true;
}

static bool check_decision(struct sim_checker *c, struct sim_model *model, int p,
                           const struct sim_item *item, const struct lex_ledger_entry *entry,
                           const struct lex_hash *leaf)
{
    struct sim_checked *seen = &c->partitions[p];
    if (!seen->has_policy || entry->policy_hash.len != 32 ||
        memcmp(seen->policy_hash, entry->policy_hash.data, 32) != 0)
        return sim_violated(c, "partition %d: decided under a policy that the chain did not name",
                            p);
    if (seen->txn == item->txn && memcmp(seen->txn_policy, entry->policy_hash.data, 32) != 0)
        return sim_violated(c, "partition %d: one transaction, two policies", p);
    seen->txn = item->txn;
    memcpy(seen->txn_policy, entry->policy_hash.data, 32);
    seen->decisions++;
    return sim_expect(c, model, p, entry) && sim_replay(c, model, p, entry) &&
           check_verdict(c, model, p, item, leaf, entry->log);
}

static bool check_rejection(struct sim_checker *c, struct sim_model *model, int p,
                            const struct sim_item *item, int64_t offset)
{
    const struct sim_item *letter =
        sim_next_committed(&model->partitions[p].letters, &c->partitions[p].letters);
    enum sim_request kind = model->partitions[p].asked[offset].kind;
    c->partitions[p].rejections++;
    if (letter == NULL || letter->txn != item->txn)
        return sim_violated(c, "partition %d: a rejection without its dead letter", p);
    if (kind != SIM_UNDECODABLE && kind != SIM_LARGE)
        return sim_violated(c, "partition %d: request %lld can be decoded and was rejected", p,
                            (long long)offset);
    return true;
}

static bool check_recovery(struct sim_checker *c, int p, const struct lex_ledger_entry *entry)
{
    const struct lex_json *root, *gap, *from, *to;
    struct lex_error err;
    int64_t first, last;
    if (lex_json_parse(&c->arena, entry->detail, &root, &err) != LEX_OK)
        return sim_violated(c, "partition %d: a recovery entry without detail", p);
    gap = lex_json_get(root, "source_gap");
    from = lex_json_get(gap, "from");
    to = lex_json_get(gap, "to");
    if (from == NULL || to == NULL)
        return true;
    if (lex_json_int64(from->text, &first) != LEX_OK || lex_json_int64(to->text, &last) != LEX_OK ||
        first != c->partitions[p].next_request)
        return sim_violated(c, "partition %d: a gap is declared from %.*s, but %lld is next", p,
                            LEX_SPAN_FMT(from->text), (long long)c->partitions[p].next_request);
    c->partitions[p].next_request = last + 1;
    return true;
}

static bool check_entry(struct sim_checker *c, struct sim_model *model, int p,
                        const struct sim_item *item, struct lex_ledger_entry *ret_entry)
{
    struct sim_checked *seen = &c->partitions[p];
    struct lex_span value = lex_span_of(item->data, item->len);
    struct lex_error err = {{0}};
    struct lex_hash leaf;
    lex_arena_reset(&c->arena);
    if (lex_decode_framed(&lex_type_ledger_entry, value, &c->arena, ret_entry, &err) != LEX_OK)
        return sim_violated(c, "partition %d: an entry cannot be read: %s", p, err.text);
    if (ret_entry->seq != seen->seq)
        return sim_violated(c, "partition %d: entry %lld where %lld was due", p,
                            (long long)ret_entry->seq, (long long)seen->seq);
    if (memcmp(ret_entry->prev.data, seen->prev.bytes, 32) != 0)
        return sim_violated(c, "partition %d: entry %lld does not link", p,
                            (long long)ret_entry->seq);
    lex_leaf_hash(value, &leaf);
    seen->prev = leaf;
    seen->seq++;
    if (ret_entry->event_type == LEX_EVENT_TYPE_POLICY) {
        memcpy(seen->policy_hash, ret_entry->policy_hash.data, 32);
        seen->has_policy = true;
        return true;
    }
    if (ret_entry->event_type == LEX_EVENT_TYPE_RECOVERY)
        return check_recovery(c, p, ret_entry);
    if (ret_entry->event_type == LEX_EVENT_TYPE_GENESIS)
        return ret_entry->seq == 0 || sim_violated(c, "partition %d: a second genesis", p);
    if (ret_entry->source.offset != seen->next_request)
        return sim_violated(c, "partition %d: request %lld answered where %lld was due", p,
                            (long long)ret_entry->source.offset, (long long)seen->next_request);
    seen->next_request++;
    if (model->partitions[p].doubtful)
        return sim_violated(c, "partition %d: decided on a doubtful chain", p);
    if (ret_entry->event_type == LEX_EVENT_TYPE_REJECTION)
        return check_rejection(c, model, p, item, ret_entry->source.offset);
    return check_decision(c, model, p, item, ret_entry, &leaf);
}

/* The head that travels with the offset names exactly what the ledger holds. */
static bool check_head(struct sim_checker *c, const struct sim_partition *partition, int p)
{
    const struct sim_checked *seen = &c->partitions[p];
    struct lex_head head;
    struct lex_error err = {{0}};
    if (lex_head_parse(lex_span_of(partition->metadata, partition->metadata_len), &head, &err) !=
        LEX_OK)
        return sim_violated(c, "partition %d: an offset without its head: %s", p, err.text);
    if (head.seq != seen->seq || memcmp(head.prev.bytes, seen->prev.bytes, LEX_HASH_BYTES) != 0)
        return sim_violated(c, "partition %d: the head names entry %lld, the ledger has %lld", p,
                            (long long)head.seq, (long long)seen->seq);
    return true;
}

static bool check_partition(struct sim_checker *c, struct sim_model *model, int p)
{
    struct sim_partition *partition = &model->partitions[p];
    struct sim_checked *seen = &c->partitions[p];
    const struct sim_item *item;
    struct lex_ledger_entry entry;
    while ((item = sim_next_committed(&partition->ledger, &seen->ledger)) != NULL)
        if (!check_entry(c, model, p, item, &entry) || !sim_learn(c, p, &entry))
            return false;
    size_t verdicts = seen->verdicts, letters = seen->letters;
    if (sim_next_committed(&partition->verdicts, &verdicts) != NULL &&
        seen->ledger == partition->ledger.count)
        return sim_violated(c, "partition %d: a verdict without its entry", p);
    if (sim_next_committed(&partition->letters, &letters) != NULL &&
        seen->ledger == partition->ledger.count)
        return sim_violated(c, "partition %d: a dead letter without its entry", p);
    if (sim_log_unstable(&partition->ledger))
        return true; /* what lies behind an open transaction is not seen yet */
    if (partition->committed && !partition->doubtful && !partition->tampered &&
        !check_head(c, partition, p))
        return false;
    if (partition->committed && !partition->doubtful && partition->offset > seen->next_request &&
        partition->offset > (int64_t)partition->requests.low)
        return sim_violated(c, "partition %d: offset %lld is past the undecided request %lld", p,
                            (long long)partition->offset, (long long)seen->next_request);
    return true;
}

bool sim_check(struct sim_checker *checker, struct sim_model *model, const struct sim_node *nodes)
{
    for (int p = 0; p < model->partitions_count; p++)
        if (!check_partition(checker, model, p))
            return false;
    for (int n = 0; n < model->nodes_count; n++)
        if (nodes[n].alive && nodes[n].ready && lex_worker_halted(nodes[n].worker) != 0 &&
            nodes[n].actions.items[nodes[n].next].kind == LEX_ACTION_POLL)
            return sim_violated(checker, "node %d says ready with a halted partition", n);
    for (int n = 0; n < model->nodes_count; n++)
        if (nodes[n].alive && nodes[n].halted_wrongly)
            return sim_violated(checker, "node %d halts a partition without cause", n);
    return true;
}

bool sim_check_drained(struct sim_checker *checker, const struct sim_model *model,
                       const struct sim_node *nodes)
{
    for (int p = 0; p < model->partitions_count; p++)
        if (checker->partitions[p].next_request != (int64_t)model->partitions[p].requests.count)
            return sim_violated(checker, "partition %d: request %lld of %zu was never answered", p,
                                (long long)checker->partitions[p].next_request,
                                model->partitions[p].requests.count);
    for (int n = 0; n < model->nodes_count; n++)
        if (nodes[n].alive && !nodes[n].ready)
            return sim_violated(checker, "node %d is healed and does not say ready", n);
    return true;
}
