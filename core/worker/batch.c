/* Batch: held records into outputs. A request's way, once through each room: bytes -> request ->
 * decision -> entry (encoded once, hashed once) -> attestation -> verdict.
 *
 * Memory is the transaction's arena. When it runs full with something decided, the transaction
 * commits and the rest follows; when a single record does not fit alone, it is refused and
 * recorded. So no input can stop a partition, and none can abort for ever (pipeline.md, rule 9). */
#include <stdlib.h>
#include <time.h>

#include "core/ledger/events.h"
#include "core/worker/deadletter.h"
#include "core/worker/state.h"

/* ---- outputs ---- */

static void emit(struct lex_worker *w, const struct lex_output *output)
{
    struct outputs *out = &w->outputs;
    if (out->count == out->cap) {
        out->cap = out->cap == 0 ? 1024 : 2 * out->cap;
        out->items = realloc(out->items, out->cap * sizeof *out->items);
        LEX_ASSERT(out->items != NULL); /* bounded by two for each held record */
    }
    out->items[out->count++] = *output;
}

/* ---- entries ---- */

static struct lex_ledger_entry *new_entry(struct lex_worker *w, const struct partition *p,
                                          enum lex_event_type type)
{
    struct lex_ledger_entry *entry = lex_arena_calloc(&w->arena, 1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->event_type = type;
    entry->recorded_at = w->wall_us;
    entry->node_id = w->options.node_id;
    entry->replayable = true;
    entry->source = (struct lex_source){.topic = w->options.requests_topic,
                                        .partition = p->id,
                                        .offset = p->working.head.last_source_offset,
                                        .timestamp = -1};
    return entry;
}

/* A name as it may stand in an entry: whole code points, at most LEX_NAME_MAX_BYTES. A longer one
 * was denied INVALID_REQUEST; the entry says by which beginning it was known. */
static struct lex_span clip(struct lex_span text)
{
    if (text.len <= LEX_NAME_MAX_BYTES)
        return text;
    text.len = LEX_NAME_MAX_BYTES;
    while (text.len > 0 && (text.data[text.len] & 0xc0) == 0x80)
        text.len--;
    return text;
}

static struct lex_span_list clip_list(struct lex_worker *w, struct lex_span_list list)
{
    struct lex_span_list out = {.count = list.count};
    if (out.count > LEX_DATA_CLASSES_MAX)
        out.count = LEX_DATA_CLASSES_MAX;
    struct lex_span *items = lex_arena_calloc(&w->arena, out.count, sizeof *items);
    if (items == NULL)
        return (struct lex_span_list){0};
    for (size_t i = 0; i < out.count; i++)
        items[i] = clip(list.items[i]);
    out.items = items;
    return out;
}

/* ---- event entries: genesis, recovery, policy ---- */

static enum lex_status append_event(struct lex_worker *w, struct partition *p,
                                    enum lex_event_type type, struct lex_span detail)
{
    struct lex_ledger_entry *entry = new_entry(w, p, type);
    struct lex_output output = {.kind = LEX_OUTPUT_LEDGER, .partition = p->id};
    struct lex_hash leaf;
    if (entry == NULL || w->events_count == LEX_COUNT_OF(w->events))
        return LEX_LIMIT;
    entry->detail = detail;
    if (type == LEX_EVENT_TYPE_POLICY) {
        const struct lex_policy_info *info = lex_policy_info(w->policy);
        entry->policy_id = info->id;
        entry->policy_version = info->version;
        entry->policy_hash = lex_span_of(info->hash, sizeof info->hash);
    }
    LEX_TRY(lex_chain_append(&p->working.chain, entry, &w->arena, &output.value, &leaf));
    LEX_TRY(lex_partition_learn(p, entry, NULL, 0));
    emit(w, &output);
    w->events[w->events_count++] = entry;
    p->working.written = true;
    return LEX_OK;
}

static enum lex_status append_genesis(struct lex_worker *w, struct partition *p)
{
    struct lex_span detail;
    LEX_TRY(lex_event_genesis(w->options.keyring, &w->arena, &detail));
    LEX_TRY(append_event(w, p, LEX_EVENT_TYPE_GENESIS, detail));
    p->working.genesis_due = false;
    return LEX_OK;
}

static struct lex_recovery_state state_of(bool present, const struct lex_head *head)
{
    return (struct lex_recovery_state){present, head->seq, head->prev, head->last_source_offset};
}

static enum lex_status append_recovery(struct lex_worker *w, struct partition *p)
{
    const struct lex_recovered *from = &p->recovery;
    struct lex_span detail;
    struct lex_error err;
    struct lex_recovery recovery = {
        .kind = from->kind == LEX_RECOVERED_FROM_LEDGER ? LEX_RECOVERY_OFFSETS_LOST
                                                        : LEX_RECOVERY_REQUESTS_DELETED,
        .has_source_gap = from->deleted_from < from->next_offset,
        .source_from = from->deleted_from,
        .source_to = from->next_offset - 1,
        .head = state_of(from->has_head, &from->from_head),
        .ledger = state_of(from->has_tail, &from->from_tail),
    };
    LEX_TRY(lex_event_recovery(&recovery, &w->arena, &detail, &err));
    LEX_TRY(append_event(w, p, LEX_EVENT_TYPE_RECOVERY, detail));
    p->working.recovery_due = false;
    return LEX_OK;
}

static enum lex_status append_policy(struct lex_worker *w, struct partition *p)
{
    const struct lex_policy_info *info = lex_policy_info(w->policy);
    struct lex_span detail;
    LEX_TRY(lex_event_policy(info->document, p->working.policy_change, &w->arena, &detail));
    LEX_TRY(append_event(w, p, LEX_EVENT_TYPE_POLICY, detail));
    lex_head_set_policy(&p->working.head, info->id, info->version, info->hash);
    p->working.policy_change = LEX_POLICY_FORWARD;
    return LEX_OK;
}

static enum lex_status append_due_events(struct lex_worker *w, struct partition *p)
{
    if (p->working.genesis_due)
        LEX_TRY(append_genesis(w, p));
    if (p->working.recovery_due)
        LEX_TRY(append_recovery(w, p));
    return lex_partition_policy_due(w, p) ? append_policy(w, p) : LEX_OK;
}

/* True when memory is full: what was appended commits first. Each event is whole or not there, so a
 * half-done partition goes on with the next one that is due. */
static bool append_events(struct lex_worker *w)
{
    for (size_t i = 0; i < w->partitions_count; i++) {
        struct partition *p = w->partitions[i];
        if (p->state != PARTITION_ACTIVE)
            continue;
        enum lex_status status = append_due_events(w, p);
        if (status == LEX_OK)
            continue;
        LEX_ASSERT(status == LEX_LIMIT && (w->decided != 0 || w->events_count != 0));
        return true;
    }
    return false;
}

/* ---- rejections ---- */

static enum lex_status reject(struct lex_worker *w, struct slot *slot, enum lex_undecodable why,
                              const char *text)
{
    struct partition *p = slot->partition;
    struct lex_ledger_entry *entry = new_entry(w, p, LEX_EVENT_TYPE_REJECTION);
    if (entry == NULL)
        return LEX_LIMIT;
    struct lex_output letter = {.kind = LEX_OUTPUT_DEAD_LETTER, .partition = p->id};
    LEX_TRY(lex_dead_letter(&w->options, &slot->record, why, text, &w->arena, &letter));
    entry->source.offset = slot->record.offset;
    entry->source.timestamp = slot->record.timestamp_ms;
    LEX_TRY(lex_event_rejection(lex_span_str(lex_undecodable_name(why)), lex_span_str(text),
                                slot->record.value, &w->arena, &entry->detail));
    LEX_TRY(lex_chain_append(&p->working.chain, entry, &w->arena, &slot->value, &slot->leaf));
    LEX_TRY(lex_partition_learn(p, entry, NULL, 0));
    slot->entry = entry;
    slot->decision = false;
    slot->why = why;
    emit(w, &letter);
    return LEX_OK;
}

/* ---- decisions ---- */

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* for a metric only: it decides nothing */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct lex_decide_input input_of(const struct lex_worker *w, const struct partition *p,
                                        const struct lex_request *request,
                                        const struct lex_facts *facts)
{
    return (struct lex_decide_input){
        .policy = w->policy,
        .request = request,
        .facts = facts,
        .history = p->history,
        .server_mode = w->options.server_mode,
        .now_us = w->wall_us,
        .ttl_us = w->options.ttl_us,
        .identity_required = w->options.identity_required,
    };
}

/* A limit or a duty counts in one partition, and the key chooses it: an actor under two keys would
 * have two counts. A request without an actor is left to the decision, which denies it as that.
 * @return what is wrong, NULL: nothing */
static const char *key_problem(const struct lex_worker *w, const struct slot *slot,
                               const struct lex_request *request)
{
    if (!w->options.key_check_actor || request->actor.len == 0)
        return NULL;
    struct lex_span name = lex_policy_actor_name(w->policy, request->actor);
    return lex_span_eq(slot->record.key, name)
               ? NULL
               : "Denied: the record's key is not its actor's canonical name (key_check=actor)";
}

/* @param invalid what makes a request invalid that only the fingerprint or the record sees; NULL:
 *                nothing */
static void evaluate(struct lex_worker *w, struct slot *slot, const struct lex_decide_input *in,
                     const char *invalid, struct lex_decision *ret)
{
    int64_t begin = now_ns();
    if (invalid != NULL)
        lex_decide_denied(in, LEX_REASON_INVALID_REQUEST,
                          lex_arena_dup(&w->arena, lex_span_str(invalid)), ret);
    else
        lex_decide(in, &w->arena, ret);
    if (LEX_PLANTED(ERROR_IS_ALLOW) && invalid != NULL) {
        ret->outcome = LEX_OUTCOME_APPROVED;
        ret->allowed = true;
    }
    slot->evaluation_ns = now_ns() - begin;
    LEX_ASSERT(ret->allowed == (ret->outcome == LEX_OUTCOME_APPROVED));
}

static void fill_request(struct lex_worker *w, struct lex_ledger_entry *entry,
                         const struct lex_request *request)
{
    entry->request_id = clip(request->request_id);
    entry->actor = clip(request->actor);
    entry->action = clip(request->proposed_action);
    entry->tool = clip(request->tool);
    entry->resource = clip(request->resource);
    entry->user_id = clip(request->user_id);
    entry->data_classes = clip_list(w, request->data_classes);
}

static void fill_decision(struct lex_worker *w, struct lex_ledger_entry *entry,
                          const struct lex_decision *decision)
{
    entry->risk_given = decision->risk_given;
    entry->risk_effective = decision->risk_effective;
    entry->mode_given = decision->mode_given;
    entry->mode_policy = decision->mode_policy;
    entry->mode_server = decision->mode_server;
    entry->mode_effective = decision->mode_effective;
    entry->outcome = decision->outcome;
    entry->allowed = decision->allowed;
    entry->reason_code = lex_reason_name(decision->reason_code);
    entry->reason = decision->reason;
    entry->rules = decision->rules;
    entry->obligations = decision->obligations;
    entry->warnings = decision->warnings;
    entry->facts = decision->facts;
    entry->replayable = decision->replayable;
    entry->evaluated_at = (struct lex_opt_i64){true, w->wall_us};
    entry->valid_until = (struct lex_opt_i64){true, decision->valid_until_us};
    const struct lex_policy_info *info = lex_policy_info(w->policy);
    entry->policy_id = info->id;
    entry->policy_version = info->version;
    entry->policy_hash = lex_span_of(info->hash, sizeof info->hash);
}

enum { EMBEDDED_REQUEST_MAX_BYTES = 32 << 10 };

static enum lex_status embed_request(struct lex_worker *w, const struct lex_request *request,
                                     struct lex_ledger_entry *entry)
{
    struct lex_span json;
    struct lex_error err;
    enum lex_status status = lex_request_canonical(request, &w->arena, &json, &err);
    if (status == LEX_OK && json.len <= EMBEDDED_REQUEST_MAX_BYTES)
        entry->request = json;
    return status == LEX_LIMIT ? status : LEX_OK;
}

static enum lex_status fill_origin(struct lex_worker *w, const struct slot *slot,
                                   struct lex_ledger_entry *entry)
{
    const struct partition *p = slot->partition;
    char *id = lex_arena_alloc(&w->arena, LEX_DECISION_ID_CHARS + 1);
    if (id == NULL)
        return LEX_LIMIT;
    lex_decision_id(slot->record.timestamp_ms, p->id, slot->record.offset, p->working.chain.tag,
                    id);
    entry->decision_id = lex_span_of(id, LEX_DECISION_ID_CHARS);
    entry->source.offset = slot->record.offset;
    entry->source.timestamp = slot->record.timestamp_ms;
    entry->identity = w->options.identity_required ? LEX_SPAN("attested") : LEX_SPAN("topic_acl");
    entry->trace_id = slot->trace_id;
    return LEX_OK;
}

/* What an approved decision leaves behind, read off its entry. An entry that nothing can be read
 * off is our bug, and an approval that nobody would remember is none. */
static enum lex_status remember(struct lex_worker *w, const struct lex_decide_input *in,
                                struct lex_decision *decision, struct lex_ledger_entry *entry,
                                const struct lex_history_item **ret_items, size_t *ret_count)
{
    *ret_count = 0;
    if (in->history == NULL)
        return LEX_OK;
    enum lex_status status = lex_remember(w->policy, entry, &w->arena, ret_items, ret_count);
    if (status != LEX_REJECT)
        return status;
    lex_decide_denied(in, LEX_REASON_EVALUATION_ERROR, LEX_SPAN("Denied: an internal error"),
                      decision);
    fill_decision(w, entry, decision);
    *ret_count = 0;
    return LEX_OK;
}

static enum lex_status append_decision(struct lex_worker *w, struct slot *slot,
                                       const struct lex_decide_input *in,
                                       struct lex_decision *decision,
                                       struct lex_ledger_entry *entry)
{
    struct partition *p = slot->partition;
    const struct lex_history_item *items = NULL;
    size_t count;
    LEX_TRY(remember(w, in, decision, entry, &items, &count));
    if (LEX_PLANTED(USED_FORGOTTEN) && in->facts != NULL && in->facts->approvals_count != 0)
        count = 0;
    LEX_TRY(lex_chain_append(&p->working.chain, entry, &w->arena, &slot->value, &slot->leaf));
    LEX_TRY(lex_partition_learn(p, entry, items, count));
    LEX_TRY(lex_evidence_token(w, slot, entry, in->request->want_token));
    slot->entry = entry;
    slot->decision = true;
    slot->reason_code = decision->reason_code;
    return LEX_OK;
}

static enum lex_status decide(struct lex_worker *w, struct slot *slot,
                              const struct lex_request *request)
{
    struct lex_decision decision;
    struct lex_error err = {{0}};
    struct lex_facts facts = {0};
    struct lex_ledger_entry *entry = new_entry(w, slot->partition, LEX_EVENT_TYPE_DECISION);
    uint8_t *fingerprint = lex_arena_alloc(&w->arena, LEX_HASH_BYTES);
    if (entry == NULL || fingerprint == NULL)
        return LEX_LIMIT;
    enum lex_status status = lex_request_fingerprint(request, &w->arena, fingerprint, &err);
    if (status == LEX_LIMIT)
        return status;
    bool printed = status == LEX_OK;
    const char *invalid = printed ? key_problem(w, slot, request) : err.text;
    if (invalid == NULL)
        LEX_TRY(lex_evidence_gather(w, slot, request, fingerprint, &facts));
    struct lex_decide_input in = input_of(w, slot->partition, request, &facts);
    evaluate(w, slot, &in, invalid, &decision);
    fill_request(w, entry, request);
    fill_decision(w, entry, &decision);
    LEX_TRY(fill_origin(w, slot, entry));
    if (printed) {
        entry->request_fingerprint = lex_span_of(fingerprint, LEX_HASH_BYTES);
        if (w->options.content_full)
            LEX_TRY(embed_request(w, request, entry));
    }
    if (invalid == NULL)
        lex_shadow_compare(w, slot, &in, &decision, entry);
    return append_decision(w, slot, &in, &decision, entry);
}

static enum lex_status decode(struct lex_worker *w, struct slot *slot,
                              struct lex_request *ret_request, enum lex_undecodable *ret_why,
                              struct lex_error *err)
{
    const struct lex_record *record = &slot->record;
    struct lex_span value = record->value;
    if (record->registered == NULL)
        return lex_decode_request(w->options.codec, value, &w->arena, ret_request, &slot->format,
                                  ret_why, err);
    LEX_ASSERT(record->frame_bytes <= value.len);
    struct lex_span body =
        lex_span_of(value.data + record->frame_bytes, value.len - record->frame_bytes);
    return lex_decode_registered(record->registered, body, &w->arena, ret_request, &slot->format,
                                 ret_why, err);
}

static enum lex_status answer(struct lex_worker *w, struct slot *slot)
{
    struct lex_request request;
    struct lex_error err = {{0}};
    enum lex_undecodable why = LEX_UNDECODABLE_COUNT;
    if (slot->refused)
        return reject(w, slot, LEX_UNDECODABLE_OUTPUT_TOO_LARGE,
                      "answering needs more memory than a transaction may have");
    if (slot->record.value.len > w->options.request_max_bytes)
        return reject(w, slot, LEX_UNDECODABLE_TOO_LARGE, "larger than request_max_bytes");
    enum lex_status status = decode(w, slot, &request, &why, &err);
    if (status == LEX_LIMIT)
        return status;
    if (status != LEX_OK)
        return reject(w, slot, why, err.text);
    status = decide(w, slot, &request);
    /* The entry cannot hold it although the ceilings were checked: our bug, and still no allow. */
    return status == LEX_OK || status == LEX_LIMIT
               ? status
               : reject(w, slot, LEX_UNDECODABLE_OUTPUT_TOO_LARGE,
                        "the entry cannot hold the answer");
}

/* ---- signing and verdicts ---- */

static enum lex_format format_of(const struct lex_worker *w, const struct slot *slot)
{
    switch (w->options.verdict_format) {
    case LEX_VERDICTS_AVRO: return LEX_FORMAT_AVRO;
    case LEX_VERDICTS_JSON: return LEX_FORMAT_JSON;
    case LEX_VERDICTS_CONFLUENT: return LEX_FORMAT_CONFLUENT;
    case LEX_VERDICTS_SAME: break;
    }
    return slot->format;
}

static enum lex_status encode_verdict(struct lex_worker *w, const struct slot *slot,
                                      const struct lex_attestation *attestation,
                                      struct lex_span *ret)
{
    enum lex_format format = format_of(w, slot);
    size_t max_bytes = w->options.output_max_bytes;
    if (format != LEX_FORMAT_CONFLUENT)
        return lex_encode_verdict(format, slot->entry, slot->value, attestation, slot->token,
                                  &w->arena, max_bytes, ret);
    LEX_ASSERT(slot->record.verdict_schema != 0);
    return lex_encode_verdict_confluent(slot->record.verdict_schema, slot->value, attestation,
                                        slot->token, &w->arena, max_bytes, ret);
}

static enum lex_status emit_slot(struct lex_worker *w, const struct slot *slot,
                                 const struct lex_attestation *attestation)
{
    struct lex_output output = {.kind = LEX_OUTPUT_LEDGER,
                                .partition = slot->partition->id,
                                .key = lex_output_key(&slot->record),
                                .value = slot->value,
                                .headers = &slot->trace,
                                .headers_count = lex_span_absent(slot->trace.value) ? 0 : 1};
    bool alone = LEX_PLANTED(VERDICT_WITHOUT_ENTRY) && slot->reason_code == LEX_REASON_FORBIDDEN;
    if (!alone)
        emit(w, &output);
    if (!slot->decision)
        return LEX_OK;
    output.kind = LEX_OUTPUT_VERDICT;
    LEX_TRY(encode_verdict(w, slot, attestation, &output.value));
    emit(w, &output);
    return LEX_OK;
}

/* One signature over the next decisions of one partition among slots [from, to). */
static enum lex_status sign_run(struct lex_worker *w, struct partition *p, size_t from, size_t to,
                                size_t *ret_next)
{
    size_t max = w->options.sign_batch_max, count = 0, at = from;
    struct lex_hash *leaves = lex_arena_calloc(&w->arena, max, sizeof *leaves);
    struct lex_attestation *attestations = lex_arena_calloc(&w->arena, max, sizeof *attestations);
    if (leaves == NULL || attestations == NULL)
        return LEX_LIMIT;
    for (; at < to && count < max; at++)
        if (w->slots[at].partition == p && w->slots[at].entry != NULL && w->slots[at].decision)
            leaves[count++] = w->slots[at].leaf;
    *ret_next = at;
    if (count != 0)
        LEX_TRY(lex_attest_batch(w->options.keyring, p->working.chain.origin, leaves, count,
                                 &w->arena, attestations));
    size_t index = 0;
    for (size_t i = from; i < at; i++) {
        struct slot *slot = &w->slots[i];
        if (slot->partition == p && slot->entry != NULL)
            LEX_TRY(emit_slot(w, slot, slot->decision ? &attestations[index++] : NULL));
    }
    if (count != 0 && w->options.observer.signed_batch != NULL)
        w->options.observer.signed_batch(w->options.observer.user, count);
    return LEX_OK;
}

static enum lex_status sign(struct lex_worker *w, size_t from, size_t to)
{
    for (size_t i = 0; i < w->partitions_count; i++) {
        struct partition *p = w->partitions[i];
        if (!p->touched)
            continue;
        p->touched = false;
        for (size_t at = from; at < to;)
            LEX_TRY(sign_run(w, p, at, to, &at));
    }
    return LEX_OK;
}

/* ---- the batch ---- */

static bool is_ours(const struct slot *slot)
{
    return slot->partition != NULL && slot->partition->state == PARTITION_ACTIVE &&
           slot->record.offset >= slot->partition->working.next_offset;
}

/* What is a trace context is handed on with all that answers the request; what is none goes
 * nowhere. */
static void take_trace(struct slot *slot)
{
    struct lex_trace trace = {{0}, {0}, 0};
    bool traced = lex_trace_parse(slot->record.traceparent, &trace);
    slot->trace_id = trace.trace_id;
    slot->trace = (struct lex_header){"traceparent",
                                      traced ? slot->record.traceparent : (struct lex_span){0}};
}

/* What a slot says of an earlier attempt is void. */
static void clear(struct slot *slot)
{
    slot->entry = NULL;
    slot->token = (struct lex_span){0};
    slot->token_exp_s = 0;
    slot->token_presented = false;
    slot->token_why = LEX_IDENTITY_WHY_COUNT;
    slot->problems = NULL;
    slot->flips = 0;
    take_trace(slot);
}

static void advance(struct slot *slot)
{
    struct position *at = &slot->partition->working;
    at->next_offset = slot->record.offset + 1;
    at->head.last_source_offset = slot->record.offset;
    at->written = true;
    slot->partition->touched = true;
}

/* Half of the memory is for entries, half for the verdicts that are made of them: past it the
 * transaction ends, with room to sign what it holds. Looked at now and then: it costs a walk. */
static bool half_full(const struct lex_worker *w, size_t at)
{
    return at % 16 == 0 && lex_arena_used(&w->arena) > w->options.arena_max_bytes / 2;
}

/* Where a partition stood before a record that could not be answered. */
struct place {
    struct lex_chain chain;
    struct lex_history_mark mark;
};

static struct place place_of(const struct partition *p)
{
    struct place place = {.chain = p->working.chain};
    if (p->history != NULL)
        place.mark = lex_history_mark(p->history);
    return place;
}

static void back_to(struct partition *p, const struct place *place)
{
    p->working.chain = place->chain;
    if (p->history != NULL)
        lex_history_rollback_to(p->history, place->mark);
}

/* Answer slot after slot until the end or until memory is full; returns the first not answered. */
static size_t answer_all(struct lex_worker *w, size_t from, size_t to)
{
    size_t at = from;
    for (; at < to; at++) {
        struct slot *slot = &w->slots[at];
        clear(slot);
        if (at != 0 && half_full(w, at))
            break;
        if (!is_ours(slot) || (LEX_PLANTED(DROP_UNDECODABLE) && slot->record.value.len < 3))
            continue;
        struct place before = place_of(slot->partition);
        enum lex_status status = answer(w, slot);
        LEX_ASSERT(status == LEX_OK || status == LEX_LIMIT);
        if (status == LEX_LIMIT) {
            back_to(slot->partition, &before);
            break;
        }
        w->decided_bytes += slot->record.value.len;
        advance(slot);
    }
    return at;
}

bool lex_batch_build(struct lex_worker *w)
{
    w->outputs.count = 0;
    if (append_events(w))
        return true;
    size_t from = w->decided, to = w->held;
    if (w->build_limit != 0 && to - from > w->build_limit)
        to = from + w->build_limit;
    size_t end = answer_all(w, from, to);
    if (sign(w, from, end) != LEX_OK) {
        /* Too much for the memory at once: all of it again, in smaller transactions. */
        bool alone = end - from <= 1 && w->txn == TXN_NONE && w->events_count == 0;
        w->build_limit = end - from > 3 ? (end - from) / 2 : 1;
        if (alone)
            w->slots[from].refused = true;
        w->must_abort = true;
        return true;
    }
    w->decided = end;
    if (end == to)
        return to < w->held;
    if (end == from && w->txn == TXN_NONE && w->outputs.count == 0 && end == 0)
        w->slots[end].refused = true; /* it does not fit alone: refuse it, next time round */
    return true;
}

void lex_batch_settled(struct lex_worker *w)
{
    const struct lex_worker_observer *o = &w->options.observer;
    for (size_t i = 0; i < w->events_count && o->recorded != NULL; i++)
        o->recorded(o->user, w->events[i]);
    if (o->settled == NULL)
        return;
    struct lex_settled *items = lex_arena_calloc(&w->step_arena, w->decided + 1, sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < w->decided && items != NULL; i++) {
        const struct slot *slot = &w->slots[i];
        if (slot->entry != NULL)
            items[count++] = (struct lex_settled){
                .record = &slot->record,
                .entry = slot->entry,
                .reason_code = slot->reason_code,
                .why = slot->why,
                .evaluation_ns = slot->evaluation_ns,
                .problems = slot->problems,
                .token_presented = slot->token_presented,
                .token_why = slot->token_why,
                .token_exp_s = slot->token_exp_s,
                .flips = slot->flips,
            };
    }
    if (count != 0)
        o->settled(o->user, items, count);
}
