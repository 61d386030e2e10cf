#include "producer/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"

enum {
    ARENA_CHUNK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 256 << 20,
    METADATA_STEP_MS = 500, /* between two looks at what went wrong */
    POLL_MS = 50,
    NOTE_MAX_BYTES = 512,
};

/* One request on its way. `open` until it was answered or could not be written. */
struct pending {
    struct lex_question question;
    struct lex_span value;   /* as it is sent */
    rd_kafka_resp_err_t err; /* of its delivery */
    bool delivered;          /* where it was written is known */
    int64_t sent_us;         /* monotonic */
};

struct lex_client {
    const struct lex_config *config;
    const struct lex_pins *pins;
    struct lex_kafka_handle handle;
    rd_kafka_t *consumer, *producer;
    rd_kafka_topic_t *requests, *verdicts; /* the producer's, the consumer's */
    rd_kafka_queue_t *queue;
    rd_kafka_topic_partition_list_t *ends;
    int32_t written; /* the highest partition that a request was written to */
    bool reading;    /* the partitions of `ends` feed the queue */
    long per_second; /* 0: all at once */
    struct lex_arena arena;

    struct pending *pending;
    struct lex_answer *answers;
    size_t *by_id; /* indexes into both, sorted by request id */
    size_t count, undelivered, proven, silent;
    int64_t refused_us; /* of the last refusal */
    int64_t unreadable; /* messages that were no verdicts */

    rd_kafka_resp_err_t trouble; /* the most telling error that librdkafka reported */
    char trouble_text[NOTE_MAX_BYTES];
    char unreadable_text[NOTE_MAX_BYTES];
};

/* ---- what went wrong ---- */

/* "no broker answers" follows every other error, and must not hide it. */
static bool is_vague(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
           code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__TRANSPORT;
}

/* @thread whoever polls a handle, which is the client's own */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct lex_client *c = ((struct lex_kafka_handle *)opaque)->owner;
    (void)rk;
    if (!is_vague(c->trouble) || (is_vague((rd_kafka_resp_err_t)code) && c->trouble != 0))
        return;
    c->trouble = (rd_kafka_resp_err_t)code;
    (void)snprintf(c->trouble_text, sizeof c->trouble_text, "%s", reason);
}

/* Asking again cannot help. */
static bool is_hopeless(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
           code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM;
}

/* `what` failed with `code`; where that says little, what librdkafka told aside of it says more. */
static enum lex_status failed(struct lex_client *c, const char *what, rd_kafka_resp_err_t code,
                              struct lex_error *err)
{
    (void)rd_kafka_poll(c->consumer, 0);
    bool aside = is_vague(code) && c->trouble != RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t cause = aside ? c->trouble : code;
    const char *advice = lex_kafka_advice(cause);
    enum lex_status status = lex_kafka_class(cause) == LEX_RETRY ? LEX_RETRY : LEX_REJECT;
    return lex_fail(err, status, "%s: %s%s%s", what,
                    aside ? c->trouble_text : rd_kafka_err2str(code), advice[0] != 0 ? "; " : "",
                    advice);
}

static enum lex_status no_topic(const char *topic, const char *option, struct lex_error *err)
{
    return lex_fail(err, LEX_REJECT,
                    "there is no topic %s on this cluster: is the service set up on it, and is "
                    "this its %s?",
                    topic, option);
}

/* ---- connect ---- */

static enum lex_status new_consumer(struct lex_client *c, struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    /* A short wait, since librdkafka's mock broker never wakes a long poll. */
    const struct lex_kafka_setting tuning[] = {{"fetch.wait.max.ms", "20"},
                                               {"fetch.error.backoff.ms", "50"},
                                               {"queued.max.messages.kbytes", "32768"},
                                               {NULL, NULL}};
    const struct lex_kafka_setting fixed[] = {{"isolation.level", "read_committed"},
                                              {"enable.auto.commit", "false"},
                                              {"enable.auto.offset.store", "false"},
                                              {"auto.offset.reset", "error"},
                                              {NULL, NULL}};
    LEX_TRY(lex_kafka_conf(c->config, &c->handle, tuning, fixed, &conf, err));
    rd_kafka_conf_set_error_cb(conf, on_error);
    return lex_kafka_new(RD_KAFKA_CONSUMER, conf, &c->consumer, err);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct lex_client *c = ((struct lex_kafka_handle *)opaque)->owner;
    struct pending *pending = message->_private;
    (void)rk;
    pending->err = message->err;
    pending->delivered = true;
    pending->question.partition = message->partition;
    pending->question.offset = message->offset;
    if (message->partition > c->written)
        c->written = message->partition;
    c->undelivered--;
}

static enum lex_status new_producer(struct lex_client *c, struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    const struct lex_kafka_setting tuning[] = {{"linger.ms", "0"},
                                               {"partitioner", "murmur2_random"},
                                               {"max.in.flight", LEX_KAFKA_IN_FLIGHT},
                                               {NULL, NULL}};
    const struct lex_kafka_setting fixed[] = {
        {"acks", "all"}, {"enable.idempotence", "true"}, {NULL, NULL}};
    LEX_TRY(lex_kafka_conf(c->config, &c->handle, tuning, fixed, &conf, err));
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return lex_kafka_new(RD_KAFKA_PRODUCER, conf, &c->producer, err);
}

/* Metadata of one topic, asked again until the time is over or the answer is final. Asked through a
 * topic handle that stays, so that librdkafka keeps the leaders: otherwise the first produce and
 * the first fetch each wait up to a second for them. */
static enum lex_status describe(struct lex_client *c, rd_kafka_t *rk, rd_kafka_topic_t *topic,
                                const struct rd_kafka_metadata **ret_metadata,
                                struct lex_error *err)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int64_t until_us = lex_clock_mono_us() + LEX_CLIENT_CONNECT_MS * 1000;
    if (topic == NULL)
        return failed(c, "the topics", rd_kafka_last_error(), err);
    while (lex_kafka_class(code) == LEX_RETRY && !is_hopeless(c->trouble) &&
           lex_clock_mono_us() < until_us) {
        code = rd_kafka_metadata(rk, 0, topic, ret_metadata, METADATA_STEP_MS);
        (void)rd_kafka_poll(rk, 0);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return LEX_OK;
    return failed(c, "Kafka cannot be reached", code, err);
}

/* @post *ret_partitions is at least 1 */
static enum lex_status find_topic(struct lex_client *c, rd_kafka_t *rk, rd_kafka_topic_t *topic,
                                  const char *option, int32_t *ret_partitions,
                                  struct lex_error *err)
{
    const struct rd_kafka_metadata *metadata;
    LEX_TRY(describe(c, rk, topic, &metadata, err));
    const char *name = rd_kafka_topic_name(topic);
    bool found = metadata->topic_cnt == 1;
    rd_kafka_resp_err_t code =
        found ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    int32_t partitions = found ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return lex_fail(err, LEX_REJECT,
                        "this user may not use the topic %s: a client needs Write and Describe on "
                        "requests, Read and Describe on verdicts",
                        name);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || partitions == 0)
        return no_topic(name, option, err);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(c, name, code, err);
    *ret_partitions = partitions;
    return LEX_OK;
}

/* The consumer looks for both topics first: unlike a producer's, its question never makes one. */
static enum lex_status open_topics(struct lex_client *c, struct lex_error *err)
{
    int32_t partitions;
    const char *requests = c->config->requests_topic, *verdicts = c->config->verdicts_topic;
    rd_kafka_topic_t *look = rd_kafka_topic_new(c->consumer, requests, NULL);
    enum lex_status status = find_topic(c, c->consumer, look, "requests topic", &partitions, err);
    if (look != NULL)
        rd_kafka_topic_destroy(look);
    LEX_TRY(status);
    c->requests = rd_kafka_topic_new(c->producer, requests, NULL);
    LEX_TRY(find_topic(c, c->producer, c->requests, "requests topic", &partitions, err));
    c->verdicts = rd_kafka_topic_new(c->consumer, verdicts, NULL);
    LEX_TRY(find_topic(c, c->consumer, c->verdicts, "verdicts topic", &partitions, err));
    c->ends = rd_kafka_topic_partition_list_new(partitions);
    rd_kafka_topic_partition_list_add_range(c->ends, verdicts, 0, partitions - 1);
    c->queue = rd_kafka_queue_new(c->consumer);
    return LEX_OK;
}

static enum lex_status connect_client(struct lex_client *c, struct lex_error *err)
{
    if (lex_config_kafka_get(c->config, "bootstrap.servers") == NULL)
        return lex_fail(err, LEX_REJECT,
                        "no broker is known: set kafka.bootstrap.servers (host:port, ...)");
    LEX_TRY(new_consumer(c, err));
    LEX_TRY(new_producer(c, err));
    return open_topics(c, err);
}

LEX_STATUS lex_client_new(const struct lex_config *config, const struct lex_pins *pins,
                          struct lex_client **ret_client, struct lex_error *err)
{
    struct lex_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    c->config = config;
    c->pins = pins;
    c->handle.logger = "lexecon.client";
    c->handle.owner = c;
    lex_arena_init(&c->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    enum lex_status status = connect_client(c, err);
    if (status != LEX_OK) {
        lex_client_free(c);
        return status;
    }
    *ret_client = c;
    return LEX_OK;
}

static void stop_reading(struct lex_client *c)
{
    for (int i = 0; c->reading && i < c->ends->cnt; i++)
        (void)rd_kafka_consume_stop(c->verdicts, c->ends->elems[i].partition);
    c->reading = false;
}

void lex_client_free(struct lex_client *client)
{
    if (client == NULL)
        return;
    stop_reading(client);
    if (client->queue != NULL)
        rd_kafka_queue_destroy(client->queue);
    if (client->verdicts != NULL)
        rd_kafka_topic_destroy(client->verdicts);
    if (client->requests != NULL)
        rd_kafka_topic_destroy(client->requests);
    if (client->ends != NULL)
        rd_kafka_topic_partition_list_destroy(client->ends);
    if (client->producer != NULL)
        rd_kafka_destroy(client->producer);
    if (client->consumer != NULL)
        rd_kafka_destroy(client->consumer);
    lex_arena_fini(&client->arena);
    free(client);
}

/* ---- before sending ---- */

static int by_request_id(const void *a, const void *b, void *context)
{
    const struct pending *pending = context;
    return lex_span_cmp(pending[*(const size_t *)a].question.request->request_id,
                        pending[*(const size_t *)b].question.request->request_id);
}

static enum lex_status check_distinct(struct lex_client *c, size_t *ret_bad, struct lex_error *err)
{
    for (size_t i = 0; i < c->count; i++)
        c->by_id[i] = i;
    qsort_r(c->by_id, c->count, sizeof *c->by_id, by_request_id, c->pending);
    for (size_t i = 1; i < c->count; i++) {
        if (by_request_id(&c->by_id[i - 1], &c->by_id[i], c->pending) != 0)
            continue;
        *ret_bad = c->by_id[i];
        return lex_fail(err, LEX_REJECT, "its request_id stands twice; each needs one of its own");
    }
    return LEX_OK;
}

static enum lex_status prepare_one(struct lex_client *c, const struct lex_ask *ask, size_t at,
                                   struct lex_error *err)
{
    struct pending *pending = &c->pending[at];
    LEX_TRY(lex_question_init(ask->request, &c->arena, &pending->question, err));
    pending->question.topic = lex_span_str(c->config->requests_topic);
    enum lex_status status =
        lex_encode_request(ask->format, ask->request, &c->arena, &pending->value);
    if (status != LEX_OK)
        return lex_fail(err, status, "it cannot be written as %s: %s",
                        ask->format == LEX_FORMAT_AVRO ? "Avro" : "JSON",
                        status == LEX_LIMIT
                            ? "it is too large"
                            : "a required member is missing or a text is not valid UTF-8");
    c->answers[at] = (struct lex_answer){.kind = LEX_ANSWER_NONE, .partition = -1, .offset = -1};
    return LEX_OK;
}

static enum lex_status prepare(struct lex_client *c, const struct lex_ask *asks, size_t count,
                               size_t *ret_bad, struct lex_error *err)
{
    if (count == 0 || count > LEX_CLIENT_ASKS_MAX)
        return lex_fail(err, LEX_LIMIT, "%zu requests at once; expected 1 to %d", count,
                        LEX_CLIENT_ASKS_MAX);
    c->pending = lex_arena_calloc(&c->arena, count, sizeof *c->pending);
    c->answers = lex_arena_calloc(&c->arena, count, sizeof *c->answers);
    c->by_id = lex_arena_calloc(&c->arena, count, sizeof *c->by_id);
    if (c->pending == NULL || c->answers == NULL || c->by_id == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    c->count = c->silent = count;
    c->undelivered = c->proven = 0;
    c->refused_us = c->unreadable = 0;
    for (size_t i = 0; i < count; i++) {
        *ret_bad = i;
        LEX_TRY(prepare_one(c, &asks[i], i, err));
    }
    return check_distinct(c, ret_bad, err);
}

/* Stand at the end of every partition, before the first request can have an answer. The end of
 * committed reading is the last stable offset, which is early enough. */
static enum lex_status start_reading(struct lex_client *c, int timeout_ms, struct lex_error *err)
{
    for (int i = 0; i < c->ends->cnt; i++)
        c->ends->elems[i].offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(c->consumer, c->ends, timeout_ms);
    for (int i = 0; i < c->ends->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = c->ends->elems[i].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(c, "the ends of the verdicts topic", code, err);
    c->reading = true;
    for (int i = 0; i < c->ends->cnt; i++)
        if (rd_kafka_consume_start_queue(c->verdicts, c->ends->elems[i].partition,
                                         c->ends->elems[i].offset, c->queue) != 0)
            return failed(c, "the verdicts topic", rd_kafka_last_error(), err);
    return LEX_OK;
}

/* ---- sending ---- */

/* NULL where there is none. The producer takes them over when it takes the record. */
static rd_kafka_headers_t *headers_of(const struct lex_ask *ask)
{
    if (lex_span_absent(ask->traceparent))
        return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    (void)rd_kafka_header_add(headers, "traceparent", -1, ask->traceparent.data,
                              (ssize_t)ask->traceparent.len);
    return headers;
}

static void send_one(struct lex_client *c, const struct lex_ask *ask, struct pending *pending)
{
    struct lex_span key = lex_span_absent(ask->key) ? ask->request->actor : ask->key;
    rd_kafka_headers_t *headers = headers_of(ask);
    /* librdkafka copies the payload; the key it always copies */
    rd_kafka_resp_err_t code = rd_kafka_producev(
        c->producer, RD_KAFKA_V_RKT(c->requests), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY((void *)(uintptr_t)key.data, key.len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)pending->value.data, pending->value.len),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(pending), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL)
        rd_kafka_headers_destroy(headers);
    pending->err = code;
    pending->sent_us = lex_clock_mono_us();
    c->undelivered += code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool is_purged(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

static struct lex_span explain_unwritten(struct lex_client *c, rd_kafka_resp_err_t code)
{
    if (is_purged(code))
        code = c->trouble != 0 ? c->trouble : RD_KAFKA_RESP_ERR__TIMED_OUT;
    const char *advice = lex_kafka_advice(code);
    return lex_arena_printf(&c->arena, "the request could not be written: %s%s%s",
                            rd_kafka_err2str(code), advice[0] != 0 ? ": " : "", advice);
}

/* Why a request that has no verdict has none. */
static const char *explain(struct lex_client *c, const struct pending *pending, int64_t timeout_ms)
{
    struct lex_span text;
    if (pending->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        text = explain_unwritten(c, pending->err);
    else if (c->unreadable != 0)
        text = lex_arena_printf(
            &c->arena, "no verdict within %lld ms; %lld message(s) could not be read as one: %s",
            (long long)timeout_ms, (long long)c->unreadable, c->unreadable_text);
    else if (!is_vague(c->trouble))
        text = lex_arena_printf(&c->arena, "no verdict within %lld ms; Kafka says: %s",
                                (long long)timeout_ms, c->trouble_text);
    else
        text = lex_arena_printf(&c->arena,
                                "no verdict within %lld ms: is the service running and ready?",
                                (long long)timeout_ms);
    return lex_span_absent(text) ? "no verdict" : (const char *)text.data;
}

/* Wait until each request is known to be written, or not. What is still under way when the time is
 * over is given up: librdkafka must not report on a `pending` that is gone. */
static void finish_sending(struct lex_client *c, int64_t until_us)
{
    while (c->undelivered != 0 && lex_clock_mono_us() < until_us)
        (void)rd_kafka_poll(c->producer, POLL_MS);
    while (c->undelivered != 0) {
        (void)rd_kafka_purge(c->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_poll(c->producer, POLL_MS);
    }
}

/* Requests that were not written are not waited for. */
static void close_undelivered(struct lex_client *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct pending *pending = &c->pending[i];
        c->silent -= pending->err != RD_KAFKA_RESP_ERR_NO_ERROR;
        c->answers[i].partition = pending->question.partition;
        c->answers[i].offset = pending->question.offset;
    }
}

/* ---- verdicts ---- */

static struct pending *find(struct lex_client *c, struct lex_span request_id)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct pending *pending = &c->pending[c->by_id[middle]];
        int order = lex_span_cmp(pending->question.request->request_id, request_id);
        if (order == 0)
            return pending;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void refuse(struct lex_client *c, struct lex_answer *answer, const struct lex_error *err)
{
    struct lex_span why = lex_arena_printf(&c->arena, "%s", err->text);
    if (answer->kind == LEX_ANSWER_NONE)
        c->silent--;
    answer->kind = LEX_ANSWER_REFUSED;
    answer->why = lex_span_absent(why) ? "the verdict does not verify" : (const char *)why.data;
    c->refused_us = lex_clock_mono_us();
}

/* Whatever others write under our request's id is no second verdict of the service. */
static bool is_proven(struct lex_client *c, const struct pending *pending, struct lex_span value)
{
    struct lex_error err;
    struct lex_verdict verdict;
    struct lex_span entry_value;
    struct lex_arena_mark mark = lex_arena_mark(&c->arena);
    enum lex_status status =
        lex_answer_check(c->pins, &pending->question, value, lex_clock_wall_us(), &c->arena,
                         &verdict, &entry_value, &err);
    lex_arena_rollback(&c->arena, mark);
    return status == LEX_OK;
}

static void judge(struct lex_client *c, struct pending *pending, struct lex_span value)
{
    struct lex_error err;
    struct lex_answer *answer = &c->answers[pending - c->pending];
    if (answer->kind == LEX_ANSWER_PROVEN) {
        answer->again += is_proven(c, pending, value);
        return;
    }
    struct lex_span kept = lex_arena_dup(&c->arena, value);
    enum lex_status status =
        lex_span_absent(kept)
            ? lex_fail(&err, LEX_LIMIT, "no memory for the verdict")
            : lex_answer_check(c->pins, &pending->question, kept, lex_clock_wall_us(), &c->arena,
                               &answer->verdict, &answer->entry_value, &err);
    if (status != LEX_OK) {
        refuse(c, answer, &err);
        return;
    }
    if (answer->kind == LEX_ANSWER_NONE)
        c->silent--;
    answer->kind = LEX_ANSWER_PROVEN;
    answer->allowed = answer->verdict.entry.allowed;
    answer->why = "";
    if (c->per_second > 0)
        answer->latency_us = lex_clock_mono_us() - pending->sent_us;
    c->proven++;
}

/* A verdict may be here before the broker's word where its request was written, and is held against
 * that word. */
static void await_delivery(struct lex_client *c, const struct pending *pending)
{
    int64_t until_us = lex_clock_mono_us() + LEX_CLIENT_CONNECT_MS * 1000;
    while (!pending->delivered && pending->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
           lex_clock_mono_us() < until_us)
        (void)rd_kafka_poll(c->producer, POLL_MS);
}

/* Other clients' verdicts pass by here as well; they leave nothing behind. */
static void take_value(struct lex_client *c, struct lex_span value)
{
    struct lex_error err;
    struct lex_span request_id;
    struct lex_arena_mark mark = lex_arena_mark(&c->arena);
    if (lex_answer_peek(value, &c->arena, &request_id, &err) != LEX_OK) {
        if (c->unreadable++ == 0)
            (void)snprintf(c->unreadable_text, sizeof c->unreadable_text, "%.500s", err.text);
        lex_arena_rollback(&c->arena, mark);
        return;
    }
    struct pending *pending = find(c, request_id);
    lex_arena_rollback(&c->arena, mark);
    if (pending == NULL)
        return;
    await_delivery(c, pending);
    judge(c, pending, value);
}

static bool is_over(const struct lex_client *c, int64_t until_us)
{
    int64_t now_us = lex_clock_mono_us();
    bool waited =
        c->refused_us != 0 && now_us - c->refused_us > LEX_CLIENT_SECOND_CHANCE_MS * INT64_C(1000);
    bool nobody = c->silent == 0 && (c->refused_us == 0 || waited);
    return c->proven == c->count || nobody || now_us >= until_us;
}

/* Partitions were added since we began to read: a request in one of them is answered in one of
 * them, so they are read from their beginning. To ask for them also tells the consumer that they
 * are there. */
static void follow_growth(struct lex_client *c)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(c->consumer, 0, c->verdicts, &metadata, METADATA_STEP_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return; /* the next read asks again */
    int32_t partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    for (int32_t p = c->ends->cnt; p < partitions; p++) {
        (void)rd_kafka_topic_partition_list_add(c->ends, c->config->verdicts_topic, p);
        if (rd_kafka_consume_start_queue(c->verdicts, p, RD_KAFKA_OFFSET_BEGINNING, c->queue) != 0)
            on_error(c->consumer, rd_kafka_last_error(), "an added partition", &c->handle);
    }
}

static void read_one(struct lex_client *c, int wait_ms)
{
    if (c->written >= c->ends->cnt)
        follow_growth(c);
    rd_kafka_message_t *message = rd_kafka_consume_queue(c->queue, wait_ms);
    (void)rd_kafka_poll(c->consumer, 0);
    if (message == NULL)
        return;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        take_value(c, lex_span_of(message->payload, message->len));
    else
        on_error(c->consumer, message->err, rd_kafka_message_errstr(message), &c->handle);
    rd_kafka_message_destroy(message);
}

static void read_verdicts(struct lex_client *c, int64_t until_us)
{
    while (!is_over(c, until_us))
        read_one(c, POLL_MS);
}

/* Until it is the turn of request `at`; what comes meanwhile is read, or it would look late. */
static void await_turn(struct lex_client *c, int64_t start_us, size_t at, int64_t until_us)
{
    int64_t turn_us = start_us + (int64_t)at * INT64_C(1000000) / c->per_second;
    int64_t now_us = lex_clock_mono_us();
    while (now_us < turn_us && now_us < until_us) {
        (void)rd_kafka_poll(c->producer, 0);
        read_one(c, (int)((turn_us - now_us) / 1000) < POLL_MS
                        ? (int)((turn_us - now_us + 999) / 1000)
                        : POLL_MS);
        now_us = lex_clock_mono_us();
    }
}

static void send_all(struct lex_client *c, const struct lex_ask *asks, int64_t until_us)
{
    int64_t start_us = lex_clock_mono_us();
    for (size_t i = 0; i < c->count; i++) {
        if (c->per_second > 0)
            await_turn(c, start_us, i, until_us);
        send_one(c, &asks[i], &c->pending[i]);
    }
}

void lex_client_pace(struct lex_client *client, long per_second)
{
    client->per_second = per_second;
}

LEX_STATUS lex_client_ask(struct lex_client *client, const struct lex_ask *asks, size_t count,
                          int64_t timeout_ms, const struct lex_answer **ret_answers,
                          size_t *ret_bad, struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + timeout_ms * 1000;
    lex_arena_reset(&client->arena);
    LEX_TRY(prepare(client, asks, count, ret_bad, err));
    *ret_bad = count;
    enum lex_status status = start_reading(client, LEX_CLIENT_CONNECT_MS, err);
    if (status != LEX_OK) {
        stop_reading(client);
        return status;
    }
    send_all(client, asks, until_us);
    finish_sending(client, until_us);
    close_undelivered(client);
    read_verdicts(client, until_us);
    stop_reading(client);
    for (size_t i = 0; i < count; i++)
        if (client->answers[i].kind == LEX_ANSWER_NONE)
            client->answers[i].why = explain(client, &client->pending[i], timeout_ms);
    *ret_answers = client->answers;
    return LEX_OK;
}
