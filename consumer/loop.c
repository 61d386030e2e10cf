#include "consumer/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "consumer/history_reader.h"
#include "consumer/intake.h"
#include "consumer/ledger_reader.h"
#include "consumer/observer.h"
#include "core/base/clock.h"
#include "producer/publisher.h"

enum {
    PING_TIMEOUT_MS = 500,
    ASK_LAG_US = 200 * 1000,
    TAIL_WAIT_MS = 5,
    TAIL_PREFETCH_KB = 1024,
    GAUGES_EVERY_US = 1000 * 1000,
    PAST_IDLE_US = 5 * 1000 * 1000,          /* nothing is recovered any more */
    RECOVERY_PATIENCE_US = 30 * 1000 * 1000, /* longer than a dead transaction takes to go */
    ABORTS_IN_A_ROW = 3, /* one or two are a rebalance's; more, and nothing gets done */
    ARENA_MIN_BYTES = 32 << 20,
    OUTPUT_MAX_BYTES = 1900000, /* under the producer's message.max.bytes, headers included */
};

struct lex_loop {
    struct lex_loop_shared shared;
    int slot;
    pthread_t thread;
    _Atomic bool stop_wanted, ended;

    struct lex_codec *codec;
    struct lex_worker *worker;
    char token_kid[LEX_KID_HEX_BYTES];
    struct lex_jwk token_key; /* of tokens that come back */
    struct lex_intake *intake;
    struct lex_publisher *publisher;
    struct lex_ledger_reader *tails;
    struct lex_history_reader *past; /* while partitions read their history; else NULL */
    int64_t past_used_us;
    struct lex_observer observer;
    struct lex_health_worker *health;

    struct lex_actions actions;
    size_t next;
    bool stop_told, stopped, inited, acknowledged;
    uint64_t policy_generation;
    int aborts;
    int64_t gauges_at_us, txn_begin_us, recovering_since_us;
    char reason[1024]; /* of a look-up's refusal */
    size_t halted_told, assigned_told, queued_told, ask_lag_from;
    struct lex_partition_view views[LEX_WORKER_PARTITIONS_MAX];
    size_t views_count;
};

static const char LOGGER[] = "lexecon.worker";

/* ---- life ---- */

static enum lex_verdicts verdicts_of(enum lex_config_verdict_format format)
{
    switch (format) {
    case LEX_VERDICT_AVRO: return LEX_VERDICTS_AVRO;
    case LEX_VERDICT_JSON: return LEX_VERDICTS_JSON;
    case LEX_VERDICT_CONFLUENT: return LEX_VERDICTS_CONFLUENT;
    case LEX_VERDICT_SAME: break;
    }
    return LEX_VERDICTS_SAME;
}

static enum lex_status new_worker(struct lex_loop *loop, struct lex_error *err)
{
    const struct lex_config *c = loop->shared.config;
    int64_t workers = c->server_workers > 0 ? c->server_workers : 1;
    int64_t arena = c->memory_budget_mb * (1 << 20) / workers / 4;
    struct lex_worker_options options = {
        .keyring = loop->shared.keyring,
        .codec = loop->codec,
        .observer = lex_observer_callbacks(&loop->observer),
        .node_id = lex_span_str(c->node_id),
        .origin_prefix = lex_span_str(c->origin_prefix),
        .requests_topic = lex_span_str(c->requests_topic),
        .ledger_topic = lex_span_str(c->ledger_topic),
        .verdict_format = verdicts_of(c->verdict_format),
        .server_mode = c->policy_mode,
        .start_latest = c->start_offset == LEX_START_LATEST,
        .identity_required = c->identity == LEX_IDENTITY_ATTESTED,
        .key_check_actor = c->key_check == LEX_KEY_CHECK_ACTOR,
        .identity = loop->shared.identity,
        .token_keys = {&loop->token_key, 1},
        .token_issuer = lex_span_str(c->token_issuer),
        .token_audience = lex_span_str(c->token_audience),
        .token_alg = c->token_alg == LEX_TOKEN_ALG_ED25519 ? LEX_JWT_ED25519 : LEX_JWT_EDDSA,
        .token_always = c->token_format == LEX_TOKEN_FORMAT_JWT_ALWAYS,
        .token_max_ttl_us = c->max_ttl * 1000000,
        .content_full = c->ledger_content == LEX_CONTENT_FULL,
        .dead_letter_digest = c->dead_letter_content == LEX_CONTENT_DIGEST,
        .policy_allow_rollback = c->policy_allow_rollback,
        .policy_published = lex_config_policy_topic(c) != NULL,
        .ttl_us = c->default_ttl * 1000000,
        .policy_wait_us = c->policy_wait_ms * 1000,
        .commit_interval_us = c->commit_interval_ms * 1000,
        .commit_max_records = (size_t)c->commit_max_records,
        .batch_max_records = (size_t)c->batch_max_records,
        .sign_batch_max = (size_t)c->sign_batch_max,
        .request_max_bytes = (size_t)c->request_max_bytes,
        .dead_letter_max_bytes = (size_t)c->dead_letter_max_bytes,
        .output_max_bytes = OUTPUT_MAX_BYTES,
        .commit_max_bytes = (size_t)(arena > ARENA_MIN_BYTES ? arena : ARENA_MIN_BYTES),
        .arena_max_bytes = (size_t)(arena > ARENA_MIN_BYTES ? arena : ARENA_MIN_BYTES),
    };
    lex_jwk_of_keyring(loop->shared.keyring, options.token_alg, loop->token_kid, &loop->token_key);
    return lex_worker_new(&options, &loop->worker, err);
}

static void rebalanced(void *user, enum lex_event_kind kind, const int32_t *partitions,
                       size_t count);

static enum lex_status build(struct lex_loop *loop, struct lex_error *err)
{
    const struct lex_config *c = loop->shared.config;
    struct lex_codec_options codec = {.schema_dir = c->schema_dir};
    struct lex_intake_listener listener = {loop, rebalanced};
    LEX_TRY(lex_codec_new(&codec, &loop->codec, err));
    LEX_TRY(new_worker(loop, err));
    LEX_TRY(lex_intake_new(c, loop->slot, listener, &loop->intake, err));
    if (loop->shared.registry != NULL)
        LEX_TRY(lex_intake_use_registry(loop->intake, loop->shared.registry, err));
    LEX_TRY(lex_ledger_reader_new(c, "lexecon.recovery", TAIL_WAIT_MS, TAIL_PREFETCH_KB,
                                  &loop->tails, err));
    return lex_publisher_new(c, loop->slot, lex_intake_membership(loop->intake), &loop->publisher,
                             err);
}

static void free_loop(struct lex_loop *loop)
{
    lex_publisher_free(loop->publisher);
    lex_intake_free(loop->intake);
    lex_ledger_reader_free(loop->tails);
    lex_history_reader_free(loop->past);
    lex_worker_free(loop->worker);
    lex_codec_free(loop->codec);
    free(loop);
}

LEX_STATUS lex_loop_new(const struct lex_loop_shared *shared, int slot, struct lex_loop **ret_loop,
                        struct lex_error *err)
{
    struct lex_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    loop->shared = *shared;
    loop->slot = slot;
    loop->health = &shared->health->workers[slot];
    lex_observer_init(&loop->observer, shared->config, slot, shared->tracer);
    enum lex_status status = build(loop, err);
    if (status != LEX_OK) {
        free_loop(loop);
        return status;
    }
    *ret_loop = loop;
    return LEX_OK;
}

/* ---- events ---- */

static void feed(struct lex_loop *loop, struct lex_event event)
{
    event.wall_us = lex_clock_wall_us();
    event.mono_us = lex_clock_mono_us();
    loop->next = 0;
    lex_worker_step(loop->worker, &event, &loop->actions);
    lex_intake_release(loop->intake, lex_worker_held(loop->worker));
}

static void count_transaction(struct lex_loop *loop, enum lex_published result)
{
    static const char *const names[] = {NULL, "committed", "aborted", "unknown", "fatal"};
    if (names[result] == NULL)
        return;
    struct lex_span label = lex_span_str(names[result]);
    lex_series_add(lex_metric_series(LEX_METRIC_TRANSACTIONS, &label, 1), 1);
    if (result == LEX_PUBLISHED_COMMITTED)
        lex_metric_observe(LEX_METRIC_TRANSACTION_DURATION,
                           (double)(lex_clock_mono_us() - loop->txn_begin_us) / 1e6);
    if (result != LEX_PUBLISHED_UNKNOWN)
        loop->txn_begin_us = 0;
}

static void tell_health(struct lex_loop *loop);

static void published(struct lex_loop *loop, enum lex_published result, const struct lex_error *err)
{
    count_transaction(loop, result);
    if (result == LEX_PUBLISHED_COMMITTED)
        loop->aborts = 0;
    else if (loop->aborts < ABORTS_IN_A_ROW &&
             (result == LEX_PUBLISHED_ABORTED || result == LEX_PUBLISHED_FATAL))
        loop->aborts++;
    if (result == LEX_PUBLISHED_UNKNOWN) /* no broker answers, whatever the client says of it */
        lex_publisher_handle(loop->publisher)->all_down = true;
    if (result == LEX_PUBLISHED_FATAL)
        LEX_LOG(LEX_LOG_ERROR, LOGGER, "Producer lost, recovering",
                lex_log_str("error", err->text));
    else if (result == LEX_PUBLISHED_ABORTED || result == LEX_PUBLISHED_UNKNOWN)
        LEX_LOG(LEX_LOG_WARNING, LOGGER,
                result == LEX_PUBLISHED_ABORTED ? "Transaction aborted, deciding again"
                                                : "Commit without an answer, asking again",
                lex_log_str("error", err->text));
    if (result == LEX_PUBLISHED_FATAL)
        loop->inited = false;
    tell_health(loop);
    feed(loop, (struct lex_event){.kind = LEX_EVENT_PUBLISHED, .published = result});
    lex_batch_span_end(&loop->observer.span, result, err->text);
}

/* ---- telling the outside ---- */

static bool is_active(const struct lex_partition_view *views, size_t count, int32_t partition)
{
    for (size_t i = 0; i < count; i++)
        if (views[i].partition == partition)
            return views[i].state[0] == 'a';
    return false;
}

static void tell_owned(const struct lex_loop *loop, const struct lex_partition_view *view,
                       bool active)
{
    if (loop->shared.owned != NULL)
        loop->shared.owned(loop->shared.owned_user, view->partition, active, view->seq);
}

static bool is_ours(const struct lex_partition_view *views, size_t count, int32_t partition)
{
    for (size_t i = 0; i < count; i++)
        if (views[i].partition == partition)
            return true;
    return false;
}

/* What was active and is no longer, then what is and was not: every "active" is followed by one
 * end. What is not ours any more has no gauges here: its new owner has them. */
static void tell_changes(struct lex_loop *loop, const struct lex_partition_view *before,
                         size_t before_count)
{
    for (size_t i = 0; i < before_count; i++) {
        bool was = before[i].state[0] == 'a';
        if (!is_ours(loop->views, loop->views_count, before[i].partition))
            lex_observer_forget(&loop->observer, before[i].partition);
        if (was && !is_active(loop->views, loop->views_count, before[i].partition))
            tell_owned(loop, &before[i], false);
    }
    for (size_t i = 0; i < loop->views_count; i++)
        if (loop->views[i].state[0] == 'a' &&
            !is_active(before, before_count, loop->views[i].partition))
            tell_owned(loop, &loop->views[i], true);
}

/* Of partitions that stand still, so nothing is fetched of them: a few each time, so that the
 * worker is back at its poll soon. */
static void ask_lag(struct lex_loop *loop, bool asked[LEX_WORKER_PARTITIONS_MAX])
{
    int64_t until_us = lex_clock_mono_us() + ASK_LAG_US;
    size_t count = loop->views_count;
    for (size_t i = 0; i < count && lex_clock_mono_us() < until_us; i++) {
        size_t at = (loop->ask_lag_from + i) % count;
        const struct lex_partition_view *view = &loop->views[at];
        if (view->state[0] != 'w' && view->state[0] != 'h')
            continue;
        struct lex_waiting waiting = lex_intake_ask_waiting(loop->intake, view->partition,
                                                            view->next_offset, ASK_LAG_US / 1000);
        lex_observer_partition(&loop->observer, view, &waiting);
        asked[at] = true;
        loop->ask_lag_from = at + 1;
    }
}

static void tell_lag(struct lex_loop *loop)
{
    bool asked[LEX_WORKER_PARTITIONS_MAX] = {false};
    lex_intake_survey(loop->intake);
    if (!lex_intake_handle(loop->intake)->all_down)
        ask_lag(loop, asked);
    for (size_t i = 0; i < loop->views_count; i++) {
        const struct lex_partition_view *view = &loop->views[i];
        struct lex_waiting waiting =
            lex_intake_waiting(loop->intake, view->partition, view->next_offset);
        if (!asked[i])
            lex_observer_partition(&loop->observer, view, &waiting);
    }
}

static void tell_partitions(struct lex_loop *loop)
{
    static _Thread_local struct lex_partition_view before[LEX_WORKER_PARTITIONS_MAX];
    size_t before_count = loop->views_count;
    bool waiting = false;
    int64_t recovering = 0;
    memcpy(before, loop->views, before_count * sizeof before[0]);
    loop->views_count = lex_worker_partitions(loop->worker, loop->views, LEX_WORKER_PARTITIONS_MAX);
    tell_changes(loop, before, before_count);
    for (size_t i = 0; i < loop->views_count; i++) {
        const struct lex_partition_view *view = &loop->views[i];
        waiting = waiting || view->state[0] == 'w';
        recovering += view->state[0] == 'r';
    }
    tell_lag(loop);
    if (waiting && !loop->health->policy_behind)
        LEX_LOG(LEX_LOG_WARNING, LOGGER,
                "The policy in force is older than the ledger's: partitions wait for the newer one",
                lex_log_i64("worker", loop->slot));
    loop->health->policy_behind = waiting;
    if (recovering == 0)
        loop->recovering_since_us = 0;
    else if (loop->recovering_since_us == 0)
        loop->recovering_since_us = lex_clock_mono_us();
    bool long_ago =
        recovering != 0 && lex_clock_mono_us() - loop->recovering_since_us > RECOVERY_PATIENCE_US;
    if (long_ago)
        LEX_LOG(LEX_LOG_WARNING, LOGGER,
                "Partitions do not recover: their offsets or ledgers stay unstable",
                lex_log_i64("partitions", recovering),
                lex_log_str("todo", "look for a transaction that hangs: kafka-transactions.sh "
                                    "find-hanging, then abort"));
    loop->health->recovering = long_ago ? recovering : 0;
}

static void tell_health(struct lex_loop *loop)
{
    struct lex_health *health = loop->shared.health;
    size_t halted = lex_worker_halted(loop->worker);
    size_t assigned = lex_intake_assigned(loop->intake);
    health->halted_partitions += (int64_t)halted - (int64_t)loop->halted_told;
    health->assigned_partitions += (int64_t)assigned - (int64_t)loop->assigned_told;
    size_t queued = lex_publisher_queued(loop->publisher);
    health->producer_queue += (int64_t)queued - (int64_t)loop->queued_told;
    loop->queued_told = queued;
    loop->halted_told = halted;
    loop->assigned_told = assigned;
    loop->health->refused = loop->aborts == ABORTS_IN_A_ROW || lex_intake_refused(loop->intake);
    loop->health->broker_connected = loop->inited && !lex_intake_handle(loop->intake)->all_down &&
                                     !lex_publisher_handle(loop->publisher)->all_down;
}

static void drop_past(struct lex_loop *loop, int64_t now_us)
{
    if (loop->past == NULL || now_us - loop->past_used_us < PAST_IDLE_US)
        return;
    lex_history_reader_free(loop->past);
    loop->past = NULL;
}

static void tell_gauges(struct lex_loop *loop, int64_t now_us)
{
    tell_health(loop);
    if (now_us < loop->gauges_at_us)
        return;
    loop->gauges_at_us = now_us + GAUGES_EVERY_US;
    tell_partitions(loop);
    lex_ledger_reader_serve(loop->tails);
    drop_past(loop, now_us);
    if (lex_intake_handle(loop->intake)->all_down ||
        lex_publisher_handle(loop->publisher)->all_down) {
        bool up = lex_intake_ping(loop->intake, PING_TIMEOUT_MS);
        lex_intake_handle(loop->intake)->all_down = !up;
        lex_publisher_handle(loop->publisher)->all_down = !up;
    }
}

/* ---- actions ---- */

static void init(struct lex_loop *loop)
{
    struct lex_error err = {{0}};
    enum lex_status status = lex_publisher_init(loop->publisher, &err);
    if (status == LEX_OK)
        status = lex_intake_subscribe(loop->intake, &err);
    if (status != LEX_OK)
        LEX_LOG(status == LEX_RETRY ? LEX_LOG_WARNING : LEX_LOG_ERROR, LOGGER,
                "Producer not ready, trying again", lex_log_str("error", err.text));
    loop->inited = status == LEX_OK;
    feed(loop, (struct lex_event){.kind = LEX_EVENT_INITED,
                                  .status = status == LEX_OK ? LEX_OK : LEX_RETRY});
}

static void tell_lookup(const char *what, size_t partitions, int64_t begin_us)
{
    LEX_LOG(LEX_LOG_DEBUG, LOGGER, what, lex_log_i64("partitions", (int64_t)partitions),
            lex_log_i64("took_us", lex_clock_mono_us() - begin_us));
}

static void fetch_offsets(struct lex_loop *loop, const struct lex_action *action)
{
    static _Thread_local struct lex_offset_found found[LEX_WORKER_PARTITIONS_MAX];
    int64_t begin_us = lex_clock_mono_us();
    lex_intake_offsets(loop->intake, action->partitions, action->count, found);
    tell_lookup("Committed offsets read", action->count, begin_us);
    feed(loop,
         (struct lex_event){.kind = LEX_EVENT_OFFSETS, .offsets = found, .count = action->count});
}

/* A partition without its peers halts alone; the others go on. */
static void check_peers(struct lex_loop *loop, struct lex_tail_found *found)
{
    int32_t partitions;
    const char *topic = lex_publisher_lacks(loop->publisher, found->partition, &partitions);
    if (topic == NULL)
        return;
    (void)snprintf(loop->reason, sizeof loop->reason,
                   "the topic %s has only %d partitions: give it as many as the requests have "
                   "(kafka-topics.sh --alter --topic %s --partitions N)",
                   topic, partitions, topic);
    found->status = LEX_REJECT;
    found->reason = loop->reason;
}

static void fetch_tail(struct lex_loop *loop, const struct lex_action *action)
{
    static _Thread_local struct lex_tail_found found[LEX_WORKER_PARTITIONS_MAX];
    int64_t begin_us = lex_clock_mono_us();
    lex_ledger_reader_tails(loop->tails, action->partitions, action->count, found);
    tell_lookup("Ledger tails read", action->count, begin_us);
    for (size_t i = 0; i < action->count; i++)
        check_peers(loop, &found[i]);
    feed(loop, (struct lex_event){.kind = LEX_EVENT_TAIL, .tails = found, .count = action->count});
}

static void fetch_history(struct lex_loop *loop, const struct lex_action *action)
{
    struct lex_history_found found = {.partition = action->history.partition, .status = LEX_RETRY};
    struct lex_error err = {{0}};
    if (loop->past == NULL &&
        lex_history_reader_new(loop->shared.config, &loop->past, &err) != LEX_OK)
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "History cannot be read yet",
                lex_log_str("error", err.text));
    if (loop->past != NULL)
        lex_history_reader_read(loop->past, &action->history, &found);
    loop->past_used_us = lex_clock_mono_us();
    feed(loop, (struct lex_event){.kind = LEX_EVENT_HISTORY, .history = &found, .count = 1});
}

static bool feed_what_waits(struct lex_loop *loop)
{
    if (loop->stop_wanted && !loop->stop_told) {
        loop->stop_told = true;
        feed(loop, (struct lex_event){.kind = LEX_EVENT_STOP});
        return true;
    }
    if (loop->policy_generation == loop->shared.policies->generation)
        return false;
    struct lex_policy *policy =
        lex_policy_slot_get(loop->shared.policies, &loop->policy_generation);
    feed(loop, (struct lex_event){.kind = LEX_EVENT_POLICY_LOADED, .policy = policy});
    lex_policy_unref(policy);
    return true;
}

static void end_fatally(struct lex_loop *loop, const struct lex_error *err)
{
    LEX_LOG(LEX_LOG_CRITICAL, LOGGER, "Worker ends", lex_log_str("error", err->text));
    loop->health->fatal = true;
    loop->stopped = true;
}

static void poll(struct lex_loop *loop, const struct lex_action *action)
{
    const struct lex_record *records = NULL;
    size_t count = 0;
    bool drained = true;
    struct lex_error err = {{0}};
    static _Thread_local int32_t gone[LEX_WORKER_PARTITIONS_MAX];
    tell_gauges(loop, lex_clock_mono_us());
    lex_publisher_poll(loop->publisher);
    if (feed_what_waits(loop))
        return;
    switch (lex_intake_poll(loop->intake, action->timeout_ms, action->max_records, &records, &count,
                            &drained, gone, &err)) {
    case LEX_POLLED_REBALANCED: return; /* the listener fed the worker */
    case LEX_POLLED_FATAL: end_fatally(loop, &err); return;
    case LEX_POLLED_NOTHING: feed(loop, (struct lex_event){.kind = LEX_EVENT_TICK}); return;
    case LEX_POLLED_GONE:
        feed(loop, (struct lex_event){.kind = LEX_EVENT_GONE, .partitions = gone, .count = count});
        return;
    case LEX_POLLED_RECORDS:
        lex_batch_span_received(&loop->observer.span);
        feed(loop, (struct lex_event){.kind = LEX_EVENT_RECORDS,
                                      .records = records,
                                      .count = count,
                                      .drained = drained});
    }
}

static void tell_halt(const struct lex_action *action)
{
    LEX_LOG(LEX_LOG_CRITICAL, LOGGER, "Partition halted",
            lex_log_i64("partition", action->partitions[0]), lex_log_str("error", action->reason),
            lex_log_str("todo", "look at both states with `lexecon ledger recover`, then choose"));
}

static void publish(struct lex_loop *loop, const struct lex_action *action)
{
    struct lex_error err = {{0}};
    if (loop->txn_begin_us == 0)
        loop->txn_begin_us = lex_clock_mono_us();
    lex_batch_span_publish(&loop->observer.span, action);
    published(loop, lex_publisher_publish(loop->publisher, action, &err), &err);
}

static void execute(struct lex_loop *loop)
{
    LEX_ASSERT(loop->next < loop->actions.count);
    const struct lex_action *action = &loop->actions.items[loop->next++];
    struct lex_error err = {{0}};
    loop->health->last_poll_mono_us =
        lex_clock_mono_us(); /* alive: also while a commit is retried */
    switch (action->kind) {
    case LEX_ACTION_INIT: init(loop); break;
    case LEX_ACTION_FETCH_OFFSETS: fetch_offsets(loop, action); break;
    case LEX_ACTION_FETCH_TAIL: fetch_tail(loop, action); break;
    case LEX_ACTION_FETCH_HISTORY: fetch_history(loop, action); break;
    case LEX_ACTION_RESUME:
        lex_intake_resume(loop->intake, action->positions, action->count);
        tell_partitions(loop); /* now: the mirror begins where the partition stands */
        break;
    case LEX_ACTION_POLL: poll(loop, action); break;
    case LEX_ACTION_PUBLISH: publish(loop, action); break;
    case LEX_ACTION_RESUME_COMMIT:
        published(loop, lex_publisher_resume_commit(loop->publisher, &err), &err);
        break;
    case LEX_ACTION_ABORT: published(loop, lex_publisher_abort(loop->publisher, &err), &err); break;
    case LEX_ACTION_ACK_REVOKE: loop->acknowledged = true; break;
    case LEX_ACTION_HALT: tell_halt(action); break;
    case LEX_ACTION_SET_READY:
        LEX_LOG(LEX_LOG_INFO, LOGGER, action->ready ? "Worker ready" : "Worker not ready",
                lex_log_i64("worker", loop->slot));
        break;
    case LEX_ACTION_STOPPED: loop->stopped = true; break;
    case LEX_ACTION_COUNT: LEX_ASSERT(false);
    }
}

/* Inside a poll. A revoke is answered before this returns: the open transaction ends first. */
static void rebalanced(void *user, enum lex_event_kind kind, const int32_t *partitions,
                       size_t count)
{
    struct lex_loop *loop = user;
    static const char *const names[LEX_EVENT_COUNT] = {[LEX_EVENT_ASSIGNED] = "assigned",
                                                       [LEX_EVENT_REVOKED] = "revoked",
                                                       [LEX_EVENT_LOST] = "lost"};
    struct lex_span label = lex_span_str(names[kind]);
    lex_series_add(lex_metric_series(LEX_METRIC_REBALANCES, &label, 1), 1);
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Rebalance", lex_log_str("event", names[kind]),
            lex_log_i64("worker", loop->slot), lex_log_i64("partitions", (int64_t)count));
    if (loop->stopped)
        return;
    loop->acknowledged = kind == LEX_EVENT_ASSIGNED;
    feed(loop, (struct lex_event){.kind = kind, .partitions = partitions, .count = count});
    while (!loop->acknowledged && !loop->stopped)
        execute(loop);
}

/* ---- the thread ---- */

static void *run(void *user)
{
    struct lex_loop *loop = user;
    feed(loop, (struct lex_event){.kind = LEX_EVENT_TICK});
    while (!loop->stopped)
        execute(loop);
    /* Consumer first: its revoke finds no open transaction. */
    lex_intake_close(loop->intake);
    lex_publisher_free(loop->publisher);
    loop->publisher = NULL;
    loop->health->last_poll_mono_us = 0;
    loop->ended = true;
    return NULL;
}

LEX_STATUS lex_loop_start(struct lex_loop *loop, struct lex_error *err)
{
    if (pthread_create(&loop->thread, NULL, run, loop) != 0)
        return lex_fail(err, LEX_LIMIT, "a worker's thread does not start");
    return LEX_OK;
}

void lex_loop_stop(struct lex_loop *loop)
{
    loop->stop_wanted = true;
    lex_loop_wake(loop);
}

void lex_loop_wake(struct lex_loop *loop)
{
    lex_intake_wake(loop->intake);
}

bool lex_loop_ended(const struct lex_loop *loop)
{
    return loop->ended;
}

void lex_loop_join(struct lex_loop *loop)
{
    (void)pthread_join(loop->thread, NULL);
    free_loop(loop);
}
