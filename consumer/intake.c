#include "consumer/intake.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/backlog.h"
#include "core/base/clock.h"

enum {
    OFFSETS_TIMEOUT_MS = 2000,
    UNSTABLE_TIMEOUT_MS = 200, /* one partition's, after the whole call timed out */
    PING_TIMEOUT_MS = 2000,
    LOOKUP_TIMEOUT_MS = 5000, /* of all partitions together */
    METADATA_COPY_BYTES =
        1025, /* one over a head's ceiling, so that a longer one is seen as such */
    HELD_FIRST = 4096,
    BACKLOG_SHARE = 16,    /* of a worker's memory, for what waits for a schema */
    BACKLOG_POLL_MS = 100, /* while a partition waits for a schema, between two looks */
};

/* Handed over, until its transaction committed. */
struct held {
    rd_kafka_message_t *message;
    struct lex_registered *registered; /* a reference, or NULL */
};

/* Of a partition: records that are here and not decided, and what is behind the last of them. */
struct here {
    int64_t count, next_offset, oldest_ms;
};

struct lex_intake {
    const struct lex_config *config;
    struct lex_intake_listener listener;
    struct lex_kafka_handle handle;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *topic; /* the requests, for records that librdkafka hands over by topic */
    bool subscribed, rebalanced, refused;
    bool parked; /* fetching is paused: the stash is full */
    bool paused; /* some partition is, for its schema's sake */
    bool lost;   /* the assignment was lost; an assign of ours makes librdkafka forget that */
    int32_t active[LEX_WORKER_PARTITIONS_MAX]; /* consumed now: what RESUME said */
    int64_t next[LEX_WORKER_PARTITIONS_MAX];   /* of each: behind what was handed over */
    int64_t end[LEX_WORKER_PARTITIONS_MAX];    /* of each: where the fetcher had seen all, or -1 */
    struct here here[LEX_WORKER_PARTITIONS_MAX]; /* of each: see lex_intake_survey */
    size_t active_count, assigned_count, last_place;
    struct lex_registry *registry; /* NULL: none */
    struct lex_backlog *backlog;

    struct held *held; /* ring: oldest at `first` */
    size_t held_cap, held_first, held_count;
    rd_kafka_message_t **stash; /* arrived while no records were wanted */
    size_t stash_count, stash_bytes;
    int32_t gone[LEX_WORKER_PARTITIONS_MAX]; /* lost their next offset; told once by librdkafka */
    size_t gone_count;
    rd_kafka_message_t *taken[LEX_WORKER_BATCH_MAX];
    struct lex_framed framed[LEX_WORKER_BATCH_MAX]; /* of the first of them, from the backlog */
    size_t framed_count;
    struct lex_record records[LEX_WORKER_BATCH_MAX];

    struct lex_kafka_range ranges[LEX_WORKER_PARTITIONS_MAX]; /* of one look-up */
    char (*metadata)[METADATA_COPY_BYTES];
    size_t metadata_cap;
    char reason[256];
};

/* Fetching is paused at STASH_PARK; a few records may still be on their way. */
enum { STASH_MAX = 1024, STASH_PARK = 900, STASH_PARK_BYTES = 8 << 20 };

/* ---- held messages ---- */

static struct held *held_at(struct lex_intake *s, size_t index)
{
    return &s->held[(s->held_first + index) % s->held_cap];
}

static void hold(struct lex_intake *s, struct held held)
{
    if (s->held_count == s->held_cap) {
        size_t cap = s->held_cap == 0 ? HELD_FIRST : 2 * s->held_cap;
        struct held *grown = calloc(cap, sizeof *grown);
        LEX_ASSERT(grown != NULL); /* bounded by commit_max_records and its slack */
        for (size_t i = 0; i < s->held_count; i++)
            grown[i] = *held_at(s, i);
        free(s->held);
        s->held = grown;
        s->held_cap = cap;
        s->held_first = 0;
    }
    s->held_count++;
    *held_at(s, s->held_count - 1) = held;
}

void lex_intake_release(struct lex_intake *intake, size_t keep)
{
    while (intake->held_count > keep) {
        rd_kafka_message_destroy(held_at(intake, 0)->message);
        lex_registered_unref(held_at(intake, 0)->registered);
        intake->held_first = (intake->held_first + 1) % intake->held_cap;
        intake->held_count--;
    }
}

/* What was not handed over, the backlog's included: it is read again. */
static void drop_stash(struct lex_intake *s)
{
    if (s->backlog != NULL)
        lex_backlog_clear(s->backlog);
    for (size_t i = 0; i < s->stash_count; i++)
        rd_kafka_message_destroy(s->stash[i]);
    s->stash_count = s->stash_bytes = 0;
}

/* ---- rebalance ---- */

static void rebalance_failed(const struct lex_intake *s, rd_kafka_resp_err_t code)
{
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        LEX_LOG(LEX_LOG_ERROR, s->handle.logger, "Assignment failed",
                lex_log_str("error", rd_kafka_err2str(code)));
}

static void set_paused(struct lex_intake *s, const int32_t *partitions, size_t count, bool on)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count + 1);
    for (size_t i = 0; i < count; i++)
        (void)rd_kafka_topic_partition_list_add(list, s->config->requests_topic, partitions[i]);
    rebalance_failed(s, on ? rd_kafka_pause_partitions(s->rk, list)
                           : rd_kafka_resume_partitions(s->rk, list));
    rd_kafka_topic_partition_list_destroy(list);
}

/* Stop or go on fetching what is active, but for what waits for its schema. What was fetched and
 * not taken is dropped by a pause and fetched again, so this is for a wait that outlasts the stash,
 * not for each short one. */
static void park(struct lex_intake *s, bool on)
{
    static _Thread_local int32_t partitions[LEX_WORKER_PARTITIONS_MAX];
    size_t count = 0;
    if (s->parked == on)
        return;
    for (size_t i = 0; i < s->active_count; i++)
        if (s->backlog == NULL || !lex_backlog_keeps(s->backlog, s->active[i]))
            partitions[count++] = s->active[i];
    set_paused(s, partitions, count, on);
    s->parked = on;
}

/* The backlog's: one partition waits for its schema, or no longer. */
static void pause_one(void *user, int32_t partition, bool on)
{
    struct lex_intake *s = user;
    set_paused(s, &partition, 1, on);
    s->paused = s->paused || on;
}

/* Before an assignment: librdkafka would keep a pause over it. */
static void unpause(struct lex_intake *s)
{
    if (s->parked || s->paused)
        set_paused(s, s->active, s->active_count, false);
    s->parked = s->paused = false;
}

static void tell(struct lex_intake *s, enum lex_event_kind kind,
                 const rd_kafka_topic_partition_list_t *list)
{
    int32_t ids[LEX_WORKER_PARTITIONS_MAX];
    size_t count = 0;
    for (int i = 0; i < list->cnt && count < LEX_WORKER_PARTITIONS_MAX; i++)
        ids[count++] = list->elems[i].partition;
    if (count < (size_t)list->cnt)
        LEX_LOG(LEX_LOG_CRITICAL, s->handle.logger,
                "More partitions than one worker takes: the rest stand still",
                lex_log_i64("assigned", list->cnt), lex_log_i64("taken", (int64_t)count),
                lex_log_str("todo", "run more workers or processes"));
    s->rebalanced = true;
    s->gone_count = 0;
    drop_stash(s);
    s->listener.rebalanced(s->listener.user, kind, ids, count);
}

static void forget_active(struct lex_intake *s, const rd_kafka_topic_partition_list_t *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->active_count; i++) {
        bool leaves = false;
        for (int k = 0; k < list->cnt; k++)
            leaves = leaves || list->elems[k].partition == s->active[i];
        if (leaves)
            continue;
        s->next[kept] = s->next[i];
        s->end[kept] = s->end[i];
        s->active[kept++] = s->active[i];
    }
    s->active_count = kept;
}

/* Runs inside lex_intake_poll (or close), on the worker's thread. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct lex_intake *s = ((struct lex_kafka_handle *)opaque)->owner;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(1);
        s->assigned_count += (size_t)list->cnt;
        s->refused = false;
        rebalance_failed(s, rd_kafka_assign(rk, none));
        rd_kafka_topic_partition_list_destroy(none);
        tell(s, LEX_EVENT_ASSIGNED, list);
        rd_kafka_yield(rk); /* the poll that serves this would wait its whole time-out otherwise */
        return;
    }
    bool lost =
        s->lost || rd_kafka_assignment_lost(rk) || code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS;
    tell(s, lost ? LEX_EVENT_LOST : LEX_EVENT_REVOKED, list);
    unpause(s);
    forget_active(s, list);
    s->lost = false;
    s->assigned_count -=
        s->assigned_count < (size_t)list->cnt ? s->assigned_count : (size_t)list->cnt;
    rebalance_failed(s, rd_kafka_assign(rk, NULL));
    rd_kafka_yield(rk);
}

/* ---- life ---- */

/* Prefetch decides throughput, and memory. A third of a worker's budget is for what waits in the
 * queue; a small record costs the library about as much again, which the count bounds. */
static enum lex_status configure(struct lex_intake *s, int slot, rd_kafka_conf_t **ret_conf,
                                 struct lex_error *err)
{
    const struct lex_config *c = s->config;
    char session[24], queue_kb[24], queue_messages[24], instance[512], fetch[24];
    int64_t workers = c->server_workers > 0 ? c->server_workers : 1;
    int64_t share_kb = c->memory_budget_mb * 1024 / workers / 4;
    (void)snprintf(session, sizeof session, "%lld", (long long)c->session_timeout_ms);
    (void)snprintf(queue_kb, sizeof queue_kb, "%lld", (long long)share_kb);
    (void)snprintf(queue_messages, sizeof queue_messages, "%lld",
                   (long long)(share_kb > 100000 ? 100000
                               : share_kb < 1000 ? 1000
                                                 : share_kb));
    (void)snprintf(fetch, sizeof fetch, "%lld",
                   (long long)(share_kb * 1024 / 4 > 1 << 20 ? share_kb * 1024 / 4 : 1 << 20));
    (void)snprintf(instance, sizeof instance, "%s.%s.%d", c->node_id, c->instance, slot);
    const struct lex_kafka_setting tuning[] = {
        {"queued.min.messages", queue_messages},
        {"queued.max.messages.kbytes", queue_kb},
        {"fetch.max.bytes", fetch},
        {"max.partition.fetch.bytes", "1048576"},
        {"fetch.wait.max.ms", c->embedded ? "10" : "100"},
        {"fetch.error.backoff.ms", "50"},
        {"max.poll.interval.ms", "300000"},
        {"heartbeat.interval.ms", c->session_timeout_ms < 9000 ? "500" : "1000"},
        {"socket.nagle.disable", "true"},
        {NULL, NULL}};
    const struct lex_kafka_setting fixed[] = {
        {"group.id", c->group},
        {"session.timeout.ms", session},
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {"partition.assignment.strategy",
         c->assignor == LEX_ASSIGNOR_ROUNDROBIN ? "roundrobin" : "range"},
        {c->static_member ? "group.instance.id" : NULL, instance},
        {NULL, NULL}};
    return lex_kafka_conf(c, &s->handle, tuning, fixed, ret_conf, err);
}

LEX_STATUS lex_intake_new(const struct lex_config *config, int slot,
                          struct lex_intake_listener listener, struct lex_intake **ret_intake,
                          struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    struct lex_intake *s = calloc(1, sizeof *s);
    if (s == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    s->config = config;
    s->listener = listener;
    s->handle.logger = "lexecon.consumer";
    s->handle.owner = s;
    s->stash = calloc(STASH_MAX, sizeof *s->stash);
    enum lex_status status = configure(s, slot, &conf, err);
    if (status == LEX_OK) {
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
        status = lex_kafka_new(RD_KAFKA_CONSUMER, conf, &s->rk, err);
    }
    if (status != LEX_OK) {
        lex_intake_free(s);
        return status;
    }
    (void)rd_kafka_poll_set_consumer(s->rk);
    s->queue = rd_kafka_queue_get_consumer(s->rk);
    *ret_intake = s;
    return LEX_OK;
}

LEX_STATUS lex_intake_use_registry(struct lex_intake *intake, struct lex_registry *registry,
                                   struct lex_error *err)
{
    const struct lex_config *c = intake->config;
    enum lex_config_verdict_format format = c->verdict_format;
    int64_t workers = c->server_workers > 0 ? c->server_workers : 1;
    struct lex_backlog_options options = {
        .registry = registry,
        .unknown_ms = c->schema_registry_unknown_ms,
        .max_bytes = (size_t)(c->memory_budget_mb * (1 << 20) / workers / BACKLOG_SHARE),
        .request_max_bytes = (size_t)c->request_max_bytes,
        .needs_verdict_id = format == LEX_VERDICT_SAME || format == LEX_VERDICT_CONFLUENT,
        .pause = pause_one,
        .user = intake,
    };
    LEX_TRY(lex_backlog_new(&options, &intake->backlog, err));
    intake->registry = registry;
    return LEX_OK;
}

LEX_STATUS lex_intake_subscribe(struct lex_intake *intake, struct lex_error *err)
{
    if (intake->subscribed)
        return LEX_OK;
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(topics, intake->config->requests_topic,
                                            RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(intake->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return lex_fail(err, LEX_REJECT, "subscribing to %s: %s", intake->config->requests_topic,
                        rd_kafka_err2str(code));
    intake->subscribed = true;
    return LEX_OK;
}

void lex_intake_close(struct lex_intake *intake)
{
    lex_intake_release(intake, 0);
    drop_stash(intake);
    if (intake->subscribed)
        (void)rd_kafka_consumer_close(intake->rk);
    intake->subscribed = false;
}

void lex_intake_wake(struct lex_intake *intake)
{
    rd_kafka_queue_yield(intake->queue);
}

void lex_intake_free(struct lex_intake *intake)
{
    if (intake == NULL)
        return;
    lex_intake_close(intake);
    if (intake->queue != NULL)
        rd_kafka_queue_destroy(intake->queue);
    if (intake->topic != NULL)
        rd_kafka_topic_destroy(intake->topic);
    if (intake->rk != NULL)
        rd_kafka_destroy(intake->rk);
    free(intake->metadata);
    lex_backlog_free(intake->backlog);
    free(intake->stash);
    free(intake->held);
    free(intake);
}

/* ---- consuming ---- */

/* Where it stands in `active`, or active_count. Records come in runs of one partition, so the place
 * of the last one is looked at first. */
static size_t place_of(struct lex_intake *s, int32_t partition)
{
    if (s->last_place < s->active_count && s->active[s->last_place] == partition)
        return s->last_place;
    for (s->last_place = 0; s->last_place < s->active_count; s->last_place++)
        if (s->active[s->last_place] == partition)
            break;
    return s->last_place;
}

static bool is_active(struct lex_intake *s, int32_t partition)
{
    return place_of(s, partition) < s->active_count;
}

/* Consume the active partitions, and nothing else, from `next` on. */
static void consume_from_next(struct lex_intake *s)
{
    s->lost = s->lost || rd_kafka_assignment_lost(s->rk);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)s->active_count + 1);
    for (size_t i = 0; i < s->active_count; i++)
        rd_kafka_topic_partition_list_add(list, s->config->requests_topic, s->active[i])->offset =
            s->next[i];
    for (size_t i = 0; i < s->active_count; i++)
        s->end[i] = -1;
    rebalance_failed(s, rd_kafka_assign(s->rk, list));
    rd_kafka_topic_partition_list_destroy(list);
}

void lex_intake_resume(struct lex_intake *intake, const struct lex_position *positions,
                       size_t count)
{
    LEX_ASSERT(count <= LEX_WORKER_PARTITIONS_MAX);
    drop_stash(intake);
    unpause(intake);
    intake->gone_count = 0;
    intake->active_count = count;
    for (size_t i = 0; i < count; i++) {
        intake->active[i] = positions[i].partition;
        intake->next[i] = positions[i].next_offset;
    }
    consume_from_next(intake);
}

/* More stood behind a record that waited for its schema than is kept: read it again. */
static void rewind_backlog(struct lex_intake *s)
{
    drop_stash(s);
    unpause(s);
    consume_from_next(s);
}

static struct lex_span traceparent_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "traceparent", &value, &size) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
        return (struct lex_span){0};
    return lex_span_of(value, size);
}

static struct lex_record record_of(const struct lex_intake *s, const rd_kafka_message_t *message,
                                   const struct lex_framed *framed)
{
    rd_kafka_timestamp_type_t type;
    int64_t timestamp = rd_kafka_message_timestamp(message, &type);
    return (struct lex_record){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp,
        .key = lex_span_of(message->key, message->key_len),
        .value = lex_span_of(message->payload, message->len),
        .traceparent = traceparent_of(message),
        .registered = framed->registered,
        .frame_bytes = framed->frame_bytes,
        .schema_header = framed->header,
        .verdict_schema = s->registry == NULL ? 0 : lex_registry_verdict_id(s->registry),
    };
}

/* Behind the first `count`. */
static size_t take_stash(struct lex_intake *s, size_t count, size_t max)
{
    size_t more = s->stash_count < max - count ? s->stash_count : max - count;
    memcpy(s->taken + count, s->stash, more * sizeof *s->taken);
    for (size_t i = 0; i < more; i++)
        s->stash_bytes -= s->stash[i]->len + s->stash[i]->key_len;
    s->stash_count -= more;
    memmove(s->stash, s->stash + more, s->stash_count * sizeof *s->stash);
    return count + more;
}

/* What waited for its schema and has it now: it stood before all that comes later. */
static size_t take_backlog(struct lex_intake *s, size_t max)
{
    s->framed_count = 0;
    if (s->backlog == NULL)
        return 0;
    if (lex_backlog_must_rewind(s->backlog))
        rewind_backlog(s);
    s->framed_count = lex_backlog_take(s->backlog, s->taken, s->framed, max);
    return s->framed_count;
}

/* Behind the first `count`: one blocking poll, which also serves callbacks, then what else is
 * there.
 *
 * One by one, and not by rd_kafka_consume_batch_queue: from librdkafka 2.2.0 to 2.13.1 (its issue
 * 4844) that call counts the end of a partition, and any error, as a record consumed. The next
 * pause then goes on one record further, and a request is never seen. */
static size_t take_messages(struct lex_intake *s, int timeout_ms, size_t count, size_t max)
{
    if (s->backlog != NULL && lex_backlog_waiting(s->backlog) != 0 && timeout_ms > BACKLOG_POLL_MS)
        timeout_ms = BACKLOG_POLL_MS;
    while (count < max && !s->rebalanced) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(s->rk, count != 0 ? 0 : timeout_ms);
        if (message == NULL)
            break;
        s->taken[count++] = message;
    }
    return count;
}

/* While no records are wanted, a poll serves callbacks and puts the one record that may come along
 * behind those in the stash. It always polls: a consumer that does not is no member for long, and
 * would not hear that it is none. */
static size_t take_none(struct lex_intake *s, int timeout_ms)
{
    if (s->stash_count >= STASH_PARK || s->stash_bytes >= STASH_PARK_BYTES)
        park(s, true);
    return take_messages(s, timeout_ms, 0, 1);
}

struct taken {
    size_t records;
    bool fatal;
};

static void note_gone(struct lex_intake *s, int32_t partition)
{
    for (size_t i = 0; i < s->gone_count; i++)
        if (s->gone[i] == partition)
            return;
    if (is_active(s, partition) && s->gone_count < LEX_WORKER_PARTITIONS_MAX)
        s->gone[s->gone_count++] = partition;
}

/* All that stands before `end` has come. */
static void note_end(struct lex_intake *s, int32_t partition, int64_t end)
{
    if (is_active(s, partition))
        s->end[place_of(s, partition)] = end;
}

/* A message that carries an error instead of a record; consumes it. */
static void take_error(struct lex_intake *s, rd_kafka_message_t *message, struct taken *ret,
                       struct lex_error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        note_end(s, message->partition, message->offset);
        rd_kafka_message_destroy(message);
        return;
    }
    rd_kafka_resp_err_t code = message->err;
    char text[512];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(s->rk, text, sizeof text);
    if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        ret->fatal = true;
        (void)lex_fail(err, LEX_HALT, "the consumer cannot go on: %s: %s", text,
                       lex_kafka_advice(fatal));
    } else if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
               code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        note_gone(s, message->partition);
    } else {
        s->refused = s->refused || code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
                     code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        LEX_LOG(LEX_LOG_WARNING, s->handle.logger, "Consumer error",
                lex_log_str("error", rd_kafka_message_errstr(message)),
                lex_log_str("todo", lex_kafka_advice(code)));
    }
    rd_kafka_message_destroy(message);
}

static void hand_over(struct lex_intake *s, rd_kafka_message_t *message,
                      const struct lex_framed *framed, struct taken *taken)
{
    hold(s, (struct held){message, framed->registered});
    s->records[taken->records++] = record_of(s, message, framed);
    s->next[place_of(s, message->partition)] = message->offset + 1;
}

/* The first ones come from the backlog and have their schema; the others may go there. */
static void keep_or_hand_over(struct lex_intake *s, size_t index, struct taken *taken)
{
    rd_kafka_message_t *message = s->taken[index];
    struct lex_framed framed = {0};
    if (index < s->framed_count)
        framed = s->framed[index];
    else if (s->backlog != NULL && !lex_backlog_admit(s->backlog, message, &framed))
        return;
    hand_over(s, message, &framed, taken);
}

static struct taken sort_out(struct lex_intake *s, size_t count, bool keep, struct lex_error *err)
{
    struct taken taken = {0};
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_t *message = s->taken[i];
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            take_error(s, message, &taken, err);
        } else if (!is_active(s, message->partition)) {
            rd_kafka_message_destroy(message);
        } else if (!keep) {
            LEX_ASSERT(s->stash_count < STASH_MAX); /* parked long before */
            s->stash_bytes += message->len + message->key_len;
            s->stash[s->stash_count++] = message;
        } else {
            keep_or_hand_over(s, i, &taken);
        }
    }
    return taken;
}

enum lex_polled lex_intake_poll(struct lex_intake *intake, int timeout_ms, size_t max,
                                const struct lex_record **ret_records, size_t *ret_count,
                                bool *ret_drained, int32_t gone[LEX_WORKER_PARTITIONS_MAX],
                                struct lex_error *err)
{
    bool keep = max != 0;
    if (max > LEX_WORKER_BATCH_MAX)
        max = LEX_WORKER_BATCH_MAX;
    intake->rebalanced = false;
    if (keep)
        park(intake, false);
    intake->framed_count = 0;
    size_t count = keep ? take_stash(intake, take_backlog(intake, max), max) : 0;
    count = keep ? take_messages(intake, timeout_ms, count, max) : take_none(intake, timeout_ms);
    if (intake->rebalanced) {
        /* Whatever came along is read again from where RESUME says. */
        for (size_t i = 0; i < count; i++)
            rd_kafka_message_destroy(intake->taken[i]);
        for (size_t i = 0; i < intake->framed_count; i++)
            lex_registered_unref(intake->framed[i].registered);
        return LEX_POLLED_REBALANCED;
    }
    struct taken taken = sort_out(intake, count, keep, err);
    intake->refused = intake->refused && taken.records == 0;
    *ret_records = intake->records;
    *ret_count = taken.records;
    *ret_drained = count < max;
    if (count != 0)
        intake->handle.all_down = false;
    if (taken.fatal)
        return LEX_POLLED_FATAL;
    if (taken.records != 0)
        return LEX_POLLED_RECORDS;
    if (intake->gone_count == 0)
        return LEX_POLLED_NOTHING;
    /* What came beside records waits for a poll that brings none. */
    *ret_count = intake->gone_count;
    memcpy(gone, intake->gone, intake->gone_count * sizeof *gone);
    intake->gone_count = 0;
    return LEX_POLLED_GONE;
}

/* ---- looking up ---- */

static void take_committed(struct lex_intake *s, const rd_kafka_topic_partition_t *at, size_t index,
                           struct lex_offset_found *ret)
{
    if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        ret->status = lex_kafka_class(at->err) == LEX_RETRY ? LEX_RETRY : LEX_REJECT;
        (void)snprintf(s->reason, sizeof s->reason, "its committed offset cannot be read: %s",
                       rd_kafka_err2str(at->err));
        ret->reason = s->reason;
        return;
    }
    size_t len = at->metadata_size < METADATA_COPY_BYTES ? at->metadata_size : METADATA_COPY_BYTES;
    if (len != 0)
        memcpy(s->metadata[index], at->metadata, len);
    ret->status = LEX_OK;
    ret->offset = at->offset >= 0 ? at->offset : -1;
    ret->metadata = lex_span_of(s->metadata[index], at->offset >= 0 ? len : 0);
}

static rd_kafka_resp_err_t ask_committed(struct lex_intake *s, const int32_t *partitions,
                                         size_t count, int timeout_ms, size_t first,
                                         struct lex_offset_found *found)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        (void)rd_kafka_topic_partition_list_add(list, s->config->requests_topic, partitions[i]);
    rd_kafka_resp_err_t code = rd_kafka_committed(s->rk, list, timeout_ms);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        take_committed(s, &list->elems[i], first + (size_t)i, &found[i]);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

static void ask_ranges(struct lex_intake *s, struct lex_offset_found *found, size_t count,
                       int timeout_ms)
{
    size_t asked = 0;
    bool silent = false;
    for (size_t i = 0; i < count; i++)
        if (found[i].status == LEX_OK)
            s->ranges[asked++] = (struct lex_kafka_range){.partition = found[i].partition};
    lex_kafka_ranges(s->rk, s->config->requests_topic, s->ranges, asked, timeout_ms);
    const struct lex_kafka_range *range = s->ranges;
    for (size_t i = 0; i < count; i++) {
        if (found[i].status != LEX_OK)
            continue;
        found[i].low = range->low;
        found[i].high = range->high;
        found[i].status = range->code == RD_KAFKA_RESP_ERR_NO_ERROR ? LEX_OK : LEX_RETRY;
        silent = silent || found[i].status != LEX_OK;
        range++;
    }
    /* librdkafka goes on asking a leader that died; only to ask the cluster makes it forget. */
    if (silent)
        (void)lex_intake_ping(s, PING_TIMEOUT_MS);
}

void lex_intake_offsets(struct lex_intake *intake, const int32_t *partitions, size_t count,
                        struct lex_offset_found *ret_found)
{
    if (count > intake->metadata_cap) {
        free(intake->metadata);
        intake->metadata = calloc(count, sizeof *intake->metadata);
        LEX_ASSERT(intake->metadata != NULL); /* a KiB for each of LEX_WORKER_PARTITIONS_MAX */
        intake->metadata_cap = count;
    }
    int64_t until_us = lex_clock_mono_us() + LOOKUP_TIMEOUT_MS * 1000;
    for (size_t i = 0; i < count; i++)
        ret_found[i] = (struct lex_offset_found){
            .partition = partitions[i], .status = LEX_RETRY, .offset = -1};
    /* A pending offset of one partition times the whole call out: then each by itself. */
    if (ask_committed(intake, partitions, count, OFFSETS_TIMEOUT_MS, 0, ret_found) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        for (size_t i = 0; i < count && lex_clock_mono_us() < until_us; i++)
            (void)ask_committed(intake, partitions + i, 1, UNSTABLE_TIMEOUT_MS, i, ret_found + i);
    /* Past the deadline the rest is for the next time: one silent broker must not keep the worker
     * from polling. */
    ask_ranges(intake, ret_found, count, lex_clock_left_ms(until_us));
}

/* ---- membership ---- */

/* Rule 6: a member id, an assignment that is not lost, and partitions that are ours. The broker
 * checks none of it for an empty member. */
static rd_kafka_consumer_group_metadata_t *metadata_now(void *user,
                                                        const struct lex_commit *commits,
                                                        size_t count)
{
    struct lex_intake *s = user;
    for (size_t i = 0; i < count; i++)
        if (!is_active(s, commits[i].partition))
            return NULL;
    /* Taken first: what is checked after it held when it was taken, or its generation is refused.
     */
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(s->rk);
    char *member = rd_kafka_memberid(s->rk);
    bool is_member =
        member != NULL && member[0] != 0 && !s->lost && !rd_kafka_assignment_lost(s->rk);
    if (member != NULL)
        rd_kafka_mem_free(s->rk, member);
    if (is_member || metadata == NULL)
        return metadata;
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return NULL;
}

struct lex_membership lex_intake_membership(struct lex_intake *intake)
{
    return (struct lex_membership){intake, metadata_now};
}

struct lex_kafka_handle *lex_intake_handle(struct lex_intake *intake)
{
    return &intake->handle;
}

bool lex_intake_ping(struct lex_intake *intake, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata;
    if (intake->topic == NULL)
        intake->topic = rd_kafka_topic_new(intake->rk, intake->config->requests_topic, NULL);
    if (intake->topic == NULL || rd_kafka_metadata(intake->rk, 0, intake->topic, &metadata,
                                                   timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    rd_kafka_metadata_destroy(metadata);
    return true;
}

/* ---- how much waits ----
 *
 * The high watermark is one past the last record, and the last record may be the marker of a
 * transaction of those who write requests: counted by offsets alone, a partition at rest would stay
 * one behind for ever. So the end is taken from the fetcher, which says where it stood when it had
 * seen everything (partition EOF), and what is between that and the watermark came later. */

static void survey_one(void *user, const rd_kafka_message_t *message)
{
    struct lex_intake *s = user;
    if (!is_active(s, message->partition))
        return;
    rd_kafka_timestamp_type_t type;
    struct here *here = &s->here[place_of(s, message->partition)];
    int64_t timestamp = rd_kafka_message_timestamp(message, &type);
    here->count++;
    if (message->offset >= here->next_offset)
        here->next_offset = message->offset + 1;
    if (timestamp >= 0 && (here->oldest_ms < 0 || timestamp < here->oldest_ms))
        here->oldest_ms = timestamp;
}

void lex_intake_survey(struct lex_intake *intake)
{
    for (size_t i = 0; i < intake->active_count; i++)
        intake->here[i] = (struct here){.oldest_ms = -1};
    for (size_t i = 0; i < intake->held_count; i++)
        survey_one(intake, held_at(intake, i)->message);
    if (intake->backlog != NULL)
        lex_backlog_each(intake->backlog, survey_one, intake);
    for (size_t i = 0; i < intake->stash_count; i++)
        survey_one(intake, intake->stash[i]);
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct lex_waiting lex_intake_waiting(struct lex_intake *intake, int32_t partition,
                                      int64_t next_offset)
{
    int64_t low, high;
    size_t at = place_of(intake, partition);
    if (at == intake->active_count ||
        rd_kafka_get_watermark_offsets(intake->rk, intake->config->requests_topic, partition, &low,
                                       &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0)
        return (struct lex_waiting){-1, -1};
    const struct here *here = &intake->here[at];
    int64_t seen = most(most(next_offset, here->next_offset), intake->end[at]);
    return (struct lex_waiting){here->count + most(high - seen, 0), here->oldest_ms};
}

struct lex_waiting lex_intake_ask_waiting(struct lex_intake *intake, int32_t partition,
                                          int64_t next_offset, int timeout_ms)
{
    struct lex_kafka_range range = {.partition = partition};
    lex_kafka_ranges(intake->rk, intake->config->requests_topic, &range, 1, timeout_ms);
    if (range.code != RD_KAFKA_RESP_ERR_NO_ERROR || next_offset < 0)
        return (struct lex_waiting){-1, -1};
    return (struct lex_waiting){most(range.high - most(next_offset, range.low), 0), -1};
}

size_t lex_intake_assigned(const struct lex_intake *intake)
{
    return intake->assigned_count;
}

bool lex_intake_refused(const struct lex_intake *intake)
{
    return intake->refused;
}
