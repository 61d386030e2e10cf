#include "consumer/observer.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/json.h"

void lex_observer_init(struct lex_observer *observer, const struct lex_config *config, int worker,
                       struct lex_tracer *tracer)
{
    *observer = (struct lex_observer){.config = config,
                                      .group = lex_span_str(config->group),
                                      .topic = lex_span_str(config->requests_topic)};
    lex_batch_span_init(&observer->span, tracer, config, worker);
}

/* ---- metrics ---- */

static struct lex_span risk_name(int32_t level)
{
    static const char *const names[] = {"0", "1", "2", "3", "4", "5"};
    return lex_span_str(level >= 0 && level <= 5 ? names[level] : "0");
}

static struct lex_span mode_name(enum lex_mode mode)
{
    static const char *const names[] = {"unset", "permissive", "strict", "paranoid"};
    return lex_span_str((size_t)mode < LEX_COUNT_OF(names) ? names[mode] : "unset");
}

static void count_decision(const struct lex_settled *item)
{
    const struct lex_ledger_entry *entry = item->entry;
    struct lex_span actor = entry->actor;
    struct lex_span labels[] = {entry->allowed ? LEX_SPAN("true") : LEX_SPAN("false"), actor,
                                risk_name(entry->risk_given)};
    lex_series_add(lex_metric_series(LEX_METRIC_DECISIONS, labels, 3), 1);
    struct lex_span mode = mode_name(entry->mode_effective);
    lex_series_observe(lex_metric_series(LEX_METRIC_DECISION_EVALUATION_DURATION, &mode, 1),
                       (double)item->evaluation_ns / 1e9);
    if (entry->allowed)
        return;
    struct lex_span denied[] = {entry->reason_code, actor};
    lex_series_add(lex_metric_series(LEX_METRIC_DECISIONS_DENIED, denied, 2), 1);
    if (item->reason_code == LEX_REASON_EVALUATION_ERROR) {
        struct lex_span type = LEX_SPAN("internal");
        lex_series_add(lex_metric_series(LEX_METRIC_POLICY_EVALUATION_ERRORS, &type, 1), 1);
    }
}

static void count_rejection(const struct lex_settled *item)
{
    struct lex_span reason = lex_span_str(lex_undecodable_name(item->why));
    lex_series_add(lex_metric_series(LEX_METRIC_DEAD_LETTERS, &reason, 1), 1);
}

/* ---- logs ---- */

static const char *message_of(const struct lex_ledger_entry *entry)
{
    switch (entry->outcome) {
    case LEX_OUTCOME_APPROVED: return "Decision approved";
    case LEX_OUTCOME_CONDITIONAL: return "Decision conditional";
    case LEX_OUTCOME_ESCALATED: return "Decision escalated";
    default: return "Decision denied";
    }
}

/* {"allowed":..,"actor":..,"risk_level":..}, as the guide's log line has it. */
static void put_decision(struct lex_buf *buf, const struct lex_ledger_entry *entry)
{
    lex_buf_printf(buf, "{\"allowed\":%s,\"actor\":", entry->allowed ? "true" : "false");
    lex_buf_put_json(buf, entry->actor);
    lex_buf_printf(buf, ",\"risk_level\":%d}", entry->risk_given);
}

static void log_item(struct lex_observer *o, const struct lex_settled *item)
{
    const struct lex_ledger_entry *entry = item->entry;
    bool decision = entry->event_type == LEX_EVENT_TYPE_DECISION;
    struct lex_log_site unlimited = {0}; /* the allowance below is the limit */
    struct lex_buf json;
    lex_buf_init(&json, 8192);
    if (decision)
        put_decision(&json, entry);
    struct lex_log_field fields[14];
    struct lex_trace trace;
    size_t n = 0;
    if (decision) {
        fields[n++] = lex_log_span("request_id", entry->request_id);
        if (!lex_span_absent(entry->user_id))
            fields[n++] = lex_log_span("user_id", entry->user_id);
        fields[n++] = lex_log_raw("decision", lex_buf_span(&json));
        fields[n++] = lex_log_span("reason_code", entry->reason_code);
    } else {
        fields[n++] = lex_log_str("reason", lex_undecodable_name(item->why));
    }
    fields[n++] = lex_log_span("topic", o->topic);
    fields[n++] = lex_log_i64("partition", item->record->partition);
    fields[n++] = lex_log_i64("offset", item->record->offset);
    fields[n++] = lex_log_i64("seq", entry->seq);
    if (lex_trace_parse(item->record->traceparent, &trace)) {
        fields[n++] = lex_log_span("trace_id", trace.trace_id);
        fields[n++] = lex_log_span("span_id", trace.span_id);
    }
    if (o->suppressed != 0)
        fields[n++] = lex_log_i64("not_logged", o->suppressed);
    fields[n] = (struct lex_log_field){0};
    o->suppressed = 0;
    lex_log_write(&unlimited, decision ? LEX_LOG_INFO : LEX_LOG_WARNING, "lexecon.worker",
                  decision ? message_of(entry) : "Request dead-lettered", fields);
    lex_buf_fini(&json);
}

static void log_within_allowance(struct lex_observer *o, const struct lex_settled *item,
                                 int64_t second)
{
    if (second != o->second) {
        o->second = second;
        o->logged = 0;
    }
    if (o->logged >= o->config->log_decisions_per_second) {
        o->suppressed++;
        return;
    }
    o->logged++;
    log_item(o, item);
}

/* ---- callbacks ---- */

/* Statements and tokens: what came, what did not count, what went out. */
static void count_evidence(const struct lex_settled *item)
{
    for (size_t i = 0; item->problems != NULL && i < item->problems->count; i++) {
        struct lex_span why = lex_identity_why_name(item->problems->items[i].why);
        lex_series_add(lex_metric_series(LEX_METRIC_ATTESTATIONS_REFUSED, &why, 1), 1);
    }
    if (item->token_presented) {
        struct lex_span valid =
            item->token_why == LEX_IDENTITY_WHY_COUNT ? LEX_SPAN("true") : LEX_SPAN("false");
        lex_series_add(lex_metric_series(LEX_METRIC_TOKENS_VERIFIED, &valid, 1), 1);
    }
    if (item->token_exp_s == 0)
        return;
    lex_series_add(lex_metric_series(LEX_METRIC_TOKENS_ISSUED, &item->entry->action, 1), 1);
    lex_token_active_add(item->token_exp_s);
}

static void settled(void *user, const struct lex_settled *items, size_t count)
{
    struct lex_observer *o = user;
    int64_t now_us = lex_clock_wall_us();
    lex_batch_span_settled(&o->span, items, count);
    lex_metric_add(LEX_METRIC_REQUESTS_CONSUMED, count);
    lex_metric_add(LEX_METRIC_LEDGER_ENTRIES, count);
    lex_metric_observe(LEX_METRIC_BATCH_REQUESTS, (double)count);
    for (size_t i = 0; i < count; i++) {
        count_evidence(&items[i]);
        lex_metric_add(LEX_METRIC_SHADOW_FLIPS, items[i].flips);
        if (items[i].entry->event_type == LEX_EVENT_TYPE_DECISION)
            count_decision(&items[i]);
        else
            count_rejection(&items[i]);
        int64_t sent_ms = items[i].record->timestamp_ms;
        if (sent_ms >= 0)
            lex_metric_observe(LEX_METRIC_REQUEST_AGE, (double)(now_us - sent_ms * 1000) / 1e6);
        if (lex_log_enabled(LEX_LOG_INFO))
            log_within_allowance(o, &items[i], now_us / 1000000);
    }
}

/* Requests that a recovery entry declares deleted, undecided: {"source_gap":{"from":a,"to":b},...}.
 */
static void count_lost(const struct lex_ledger_entry *entry)
{
    struct lex_arena arena;
    const struct lex_json *root = NULL;
    int64_t from, to;
    lex_arena_init(&arena, 16384, 1 << 20);
    if (lex_json_parse(&arena, entry->detail, &root, NULL) == LEX_OK) {
        const struct lex_json *gap = lex_json_get(root, "source_gap");
        const struct lex_json *first = lex_json_get(gap, "from"), *last = lex_json_get(gap, "to");
        if (first != NULL && last != NULL && lex_json_int64(first->text, &from) == LEX_OK &&
            lex_json_int64(last->text, &to) == LEX_OK && to >= from)
            lex_metric_add(LEX_METRIC_REQUESTS_LOST, (uint64_t)(to - from + 1));
    }
    lex_arena_fini(&arena);
}

static void recorded(void *user, const struct lex_ledger_entry *entry)
{
    static const char *const names[] = {"genesis",  "decision", "rejection", "policy", "key",
                                        "recovery", "outcome",  "erase",     "prune"};
    (void)user;
    lex_metric_add(LEX_METRIC_LEDGER_ENTRIES, 1);
    bool recovery = entry->event_type == LEX_EVENT_TYPE_RECOVERY;
    if (recovery)
        count_lost(entry);
    LEX_LOG(recovery ? LEX_LOG_WARNING : LEX_LOG_INFO, "lexecon.ledger", "Ledger event",
            lex_log_str("event", names[entry->event_type]),
            lex_log_i64("partition", entry->source.partition), lex_log_i64("seq", entry->seq));
}

static void signed_batch(void *user, size_t verdicts)
{
    (void)user;
    lex_metric_add(LEX_METRIC_SIGNATURES, 1);
    lex_metric_observe(LEX_METRIC_SIGN_BATCH_VERDICTS, (double)verdicts);
}

static void remembered(void *user, int32_t partition, int64_t entries, int64_t complete_us,
                       const char *problem)
{
    (void)user;
    if (problem == NULL)
        LEX_LOG(LEX_LOG_INFO, "lexecon.worker", "History read back",
                lex_log_i64("partition", partition), lex_log_i64("entries", entries));
    else
        LEX_LOG(LEX_LOG_WARNING, "lexecon.worker",
                "History is not whole: what reaches further back is unknown and allows nothing",
                lex_log_i64("partition", partition), lex_log_i64("entries", entries),
                lex_log_i64("complete_since_us", complete_us), lex_log_str("error", problem));
}

struct lex_worker_observer lex_observer_callbacks(struct lex_observer *observer)
{
    return (struct lex_worker_observer){observer, settled, recorded, signed_batch, remembered};
}

/* ---- partitions ---- */

/* Since when it stands there with requests behind it; 0 while it moves, or nothing waits. Where it
 * is not known how many wait, what was known last holds while it does not move. */
static int64_t behind_since(struct lex_observer *o, const struct lex_partition_view *view,
                            int64_t waiting)
{
    struct lex_observer_slot *slot = &o->slots[(uint32_t)view->partition % LEX_OBSERVER_SLOTS];
    bool same = slot->partition == view->partition && slot->next_offset == view->next_offset;
    if (waiting == 0 || (waiting < 0 && !same))
        *slot = (struct lex_observer_slot){0};
    else if (waiting > 0 && (!same || slot->since_mono_us == 0))
        *slot = (struct lex_observer_slot){view->partition, view->next_offset, lex_clock_mono_us()};
    return slot->since_mono_us;
}

/* The age of the oldest request that is here. Where none has come here although some wait (the
 * partition is halted, or waits for a policy), at least how long it has been standing still: that
 * needs no record, and it grows. */
static double lag_seconds(struct lex_observer *o, const struct lex_partition_view *view,
                          const struct lex_waiting *waiting)
{
    int64_t since_us = behind_since(o, view, waiting->count);
    if (since_us == 0)
        return 0;
    double still = (double)(lex_clock_mono_us() - since_us) / 1e6;
    double age = (double)(lex_clock_wall_us() / 1000 - waiting->oldest_ms) / 1000;
    return waiting->oldest_ms >= 0 && age > still ? age : still;
}

void lex_observer_partition(struct lex_observer *observer, const struct lex_partition_view *view,
                            const struct lex_waiting *waiting)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", view->partition);
    struct lex_span labels[] = {observer->group, observer->topic, lex_span_str(number)};
    if (waiting->count >= 0)
        lex_series_set(lex_metric_series(LEX_METRIC_CONSUMER_LAG, labels, 3),
                       (double)waiting->count);
    lex_series_set(lex_metric_series(LEX_METRIC_CONSUMER_LAG_SECONDS, &labels[1], 2),
                   lag_seconds(observer, view, waiting));
    if (view->state[0] == 'a')
        lex_series_set(lex_metric_series(LEX_METRIC_CHAIN_ENTRIES, &labels[2], 1),
                       (double)view->seq);
    else
        lex_metric_drop(LEX_METRIC_CHAIN_ENTRIES, &labels[2], 1);
}

void lex_observer_forget(struct lex_observer *observer, int32_t partition)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", partition);
    struct lex_span labels[] = {observer->group, observer->topic, lex_span_str(number)};
    lex_metric_drop(LEX_METRIC_CONSUMER_LAG, labels, 3);
    lex_metric_drop(LEX_METRIC_CONSUMER_LAG_SECONDS, &labels[1], 2);
    lex_metric_drop(LEX_METRIC_CHAIN_ENTRIES, &labels[2], 1);
}
