#include "consumer/ledger_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"

enum {
    CALL_TIMEOUT_MS = 2000,
    RANGES_TIMEOUT_MS = 5000, /* of all partitions together */
    TAIL_FIRST_STEP = 64,     /* records back from the end, then eight times as many, ... */
    TAIL_TIMEOUT_MS = 5000,   /* for one step of all partitions together */
};

struct tail {
    int32_t partition;
    int64_t low, high, from, step;
    rd_kafka_message_t *last;
    bool done;
    bool ended;    /* this step; librdkafka tells an end again when the log moves */
    bool unstable; /* a transaction is open on it: what it holds is not known yet */
};

struct lex_ledger_reader {
    const struct lex_config *config;
    struct lex_kafka_handle handle;
    bool answered; /* a broker, the last time that one was asked for the partitions */
    rd_kafka_t *rk;
    rd_kafka_message_t *message; /* what the last item borrows */
    struct tail *tails;
    size_t tails_count;
    char reason[256];
};

/* ---- life ---- */

LEX_STATUS lex_ledger_reader_new(const struct lex_config *config, const char *logger, int wait_ms,
                                 int prefetch_kb, struct lex_ledger_reader **ret_reader,
                                 struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    char wait[16], queue_kb[16], queue_messages[16];
    struct lex_ledger_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    r->config = config;
    r->handle.logger = logger;
    r->handle.owner = r;
    (void)snprintf(wait, sizeof wait, "%d", config->embedded ? 10 : wait_ms);
    (void)snprintf(queue_kb, sizeof queue_kb, "%d", prefetch_kb);
    (void)snprintf(queue_messages, sizeof queue_messages, "%d", prefetch_kb * 4); /* of 256 bytes */
    const struct lex_kafka_setting tuning[] = {{"fetch.wait.max.ms", wait},
                                               {"queued.min.messages", queue_messages},
                                               {"queued.max.messages.kbytes", queue_kb},
                                               {"fetch.max.bytes", "4194304"},
                                               {"fetch.error.backoff.ms", "50"},
                                               {NULL, NULL}};
    /* Assigned by hand, so the group is only a name that librdkafka asks for; it is never joined.
     */
    const struct lex_kafka_setting fixed[] = {{"group.id", config->group},
                                              {"isolation.level", "read_committed"},
                                              {"enable.auto.commit", "false"},
                                              {"enable.auto.offset.store", "false"},
                                              {"auto.offset.reset", "error"},
                                              {"enable.partition.eof", "true"},
                                              {NULL, NULL}};
    enum lex_status status = lex_kafka_conf(config, &r->handle, tuning, fixed, &conf, err);
    if (status == LEX_OK)
        status = lex_kafka_new(RD_KAFKA_CONSUMER, conf, &r->rk, err);
    if (status != LEX_OK) {
        free(r);
        return status;
    }
    (void)rd_kafka_poll_set_consumer(r->rk);
    *ret_reader = r;
    return LEX_OK;
}

static void drop_message(struct lex_ledger_reader *r)
{
    if (r->message != NULL)
        rd_kafka_message_destroy(r->message);
    r->message = NULL;
}

static void drop_tails(struct lex_ledger_reader *r)
{
    for (size_t i = 0; i < r->tails_count; i++)
        if (r->tails[i].last != NULL)
            rd_kafka_message_destroy(r->tails[i].last);
    free(r->tails);
    r->tails = NULL;
    r->tails_count = 0;
}

void lex_ledger_reader_free(struct lex_ledger_reader *reader)
{
    if (reader == NULL)
        return;
    drop_message(reader);
    drop_tails(reader);
    rd_kafka_destroy(reader->rk);
    free(reader);
}

/* ---- the topic ---- */

static enum lex_status failed(rd_kafka_resp_err_t code, const char *what, struct lex_error *err)
{
    const char *advice = lex_kafka_advice(code);
    enum lex_status status = lex_kafka_class(code);
    return lex_fail(err, status == LEX_RETRY ? LEX_RETRY : LEX_REJECT, "%s: %s%s%s", what,
                    rd_kafka_err2str(code), advice[0] != 0 ? ": " : "", advice);
}

LEX_STATUS lex_ledger_reader_partitions(struct lex_ledger_reader *reader, int32_t *ret_count,
                                        struct lex_error *err)
{
    const char *name = reader->config->ledger_topic;
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(reader->rk, name, NULL);
    rd_kafka_resp_err_t code =
        topic == NULL ? rd_kafka_last_error()
                      : rd_kafka_metadata(reader->rk, 0, topic, &metadata, CALL_TIMEOUT_MS);
    if (topic != NULL)
        rd_kafka_topic_destroy(topic);
    reader->answered = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!reader->answered)
        return failed(code, name, err);
    reader->handle.all_down = false;
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                    : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    int32_t count = code == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(code, name, err);
    *ret_count = count;
    return LEX_OK;
}

bool lex_ledger_reader_connected(const struct lex_ledger_reader *reader)
{
    return reader->answered && !reader->handle.all_down;
}

LEX_STATUS lex_ledger_reader_seek(struct lex_ledger_reader *reader,
                                  const struct lex_position *positions, size_t count,
                                  struct lex_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count + 1);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, reader->config->ledger_topic,
                                          positions[i].partition)
            ->offset = positions[i].next_offset == LEX_LEDGER_BEGIN ? RD_KAFKA_OFFSET_BEGINNING
                                                                    : positions[i].next_offset;
    drop_message(reader);
    rd_kafka_resp_err_t code = rd_kafka_assign(reader->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? LEX_OK : failed(code, "assign", err);
}

LEX_STATUS lex_ledger_reader_next(struct lex_ledger_reader *reader, int timeout_ms,
                                  struct lex_ledger_record *ret_item, struct lex_error *err)
{
    drop_message(reader);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, timeout_ms);
    if (message == NULL)
        return lex_fail(err, LEX_RETRY, "nothing new");
    reader->message = message;
    *ret_item =
        (struct lex_ledger_record){.partition = message->partition, .offset = message->offset};
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ret_item->end = true;
        return LEX_OK;
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ret_item->value = lex_span_of(message->payload, message->len);
        return LEX_OK;
    }
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        ret_item->gone = true;
        return LEX_OK;
    }
    /* librdkafka asks for the group's coordinator; who assigns by hand needs none. */
    if (message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        return lex_fail(err, LEX_RETRY, "nothing new");
    enum lex_status status = failed(message->err, rd_kafka_message_errstr(message), err);
    return status == LEX_RETRY ? LEX_RETRY : LEX_HALT;
}

LEX_STATUS lex_ledger_reader_range(struct lex_ledger_reader *reader, int32_t partition,
                                   int64_t *ret_low, int64_t *ret_high, struct lex_error *err)
{
    struct lex_kafka_range range = {.partition = partition};
    lex_kafka_ranges(reader->rk, reader->config->ledger_topic, &range, 1, CALL_TIMEOUT_MS);
    if (range.code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(range.code, reader->config->ledger_topic, err);
    *ret_low = range.low;
    *ret_high = range.high;
    return LEX_OK;
}

void lex_ledger_reader_serve(struct lex_ledger_reader *reader)
{
    rd_kafka_message_t *message;
    while ((message = rd_kafka_consumer_poll(reader->rk, 0)) != NULL)
        rd_kafka_message_destroy(message);
}

int64_t lex_ledger_reader_lag(struct lex_ledger_reader *reader, int32_t partition, int64_t next)
{
    int64_t low, high;
    rd_kafka_resp_err_t code = rd_kafka_get_watermark_offsets(
        reader->rk, reader->config->ledger_topic, partition, &low, &high);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0)
        return -1;
    return high > next ? high - next : 0;
}

/* ---- tails ---- */

static struct tail *tail_of(struct lex_ledger_reader *r, int32_t partition)
{
    for (size_t i = 0; i < r->tails_count; i++)
        if (r->tails[i].partition == partition)
            return &r->tails[i];
    return NULL;
}

/* Start the next step back for every partition that has found nothing yet; how many those are. */
static size_t step_back(struct lex_ledger_reader *r, struct lex_position *positions)
{
    size_t count = 0;
    for (size_t i = 0; i < r->tails_count; i++) {
        struct tail *tail = &r->tails[i];
        if (tail->last != NULL || tail->from == tail->low || tail->unstable)
            tail->done = true;
        if (tail->done)
            continue;
        tail->ended = false;
        tail->step = tail->step == 0 ? TAIL_FIRST_STEP : 8 * tail->step;
        tail->from = tail->high - tail->low > tail->step ? tail->high - tail->step : tail->low;
        positions[count++] = (struct lex_position){tail->partition, tail->from};
    }
    return count;
}

/* The end of committed reading is the last stable offset; the fetch also told the high watermark.
 */
static bool is_unstable(struct lex_ledger_reader *r, const struct lex_ledger_record *end)
{
    int64_t low, high;
    rd_kafka_resp_err_t code =
        rd_kafka_get_watermark_offsets(r->rk, r->config->ledger_topic, end->partition, &low, &high);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && high > end->offset;
}

/* Read `open` partitions to their ends, keeping the newest record of each. */
static enum lex_status read_ends(struct lex_ledger_reader *r, size_t open, struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + TAIL_TIMEOUT_MS * 1000;
    while (open != 0) {
        struct lex_ledger_record item;
        enum lex_status status = lex_ledger_reader_next(r, 100, &item, err);
        if (status == LEX_HALT || lex_clock_mono_us() > until_us)
            return status == LEX_HALT ? LEX_HALT : LEX_RETRY;
        struct tail *tail = status == LEX_OK ? tail_of(r, item.partition) : NULL;
        if (tail == NULL)
            continue;
        if (item.gone)
            return LEX_RETRY; /* retention passed by since the range was asked for */
        if (item.end) {
            open -= !tail->ended;
            tail->unstable = tail->unstable || is_unstable(r, &item);
            tail->ended = true;
            continue;
        }
        if (tail->last != NULL)
            rd_kafka_message_destroy(tail->last);
        tail->last = r->message;
        r->message = NULL;
    }
    return LEX_OK;
}

static enum lex_status find_tails(struct lex_ledger_reader *r, struct lex_error *err)
{
    struct lex_position *positions = calloc(r->tails_count + 1, sizeof *positions);
    enum lex_status status = positions == NULL ? LEX_RETRY : LEX_OK;
    size_t open;
    while (status == LEX_OK && (open = step_back(r, positions)) != 0) {
        status = lex_ledger_reader_seek(r, positions, open, err);
        if (status == LEX_OK)
            status = read_ends(r, open, err);
    }
    free(positions);
    (void)rd_kafka_assign(r->rk, NULL);
    return status;
}

/* What this client knows of the topic may be older than the failure: its leader has moved, or the
 * topic has grown. To ask the cluster also renews what the client knows. -1: nobody answers. */
static int32_t partitions_now(struct lex_ledger_reader *r, const struct lex_kafka_range *ranges,
                              size_t count)
{
    struct lex_error err;
    int32_t partitions;
    for (size_t i = 0; i < count; i++)
        if (ranges[i].code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return lex_ledger_reader_partitions(r, &partitions, &err) == LEX_OK ? partitions : -1;
    return -1;
}

static void take_range(struct lex_ledger_reader *r, const struct lex_kafka_range *range,
                       int32_t partitions, struct tail *tail, struct lex_tail_found *found)
{
    bool unheard_of = range->code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    *tail = (struct tail){
        .partition = range->partition, .low = range->low, .high = range->high, .from = -1};
    *found = (struct lex_tail_found){.partition = range->partition, .status = LEX_OK};
    tail->done = range->code != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!tail->done)
        return;
    found->status =
        lex_kafka_class(range->code) == LEX_RETRY || (unheard_of && range->partition < partitions)
            ? LEX_RETRY
            : LEX_REJECT;
    const char *advice = lex_kafka_advice(range->code);
    (void)snprintf(r->reason, sizeof r->reason, "its ledger partition cannot be read: %s%s%s",
                   rd_kafka_err2str(range->code), advice[0] != 0 ? ": " : "", advice);
    found->reason = r->reason;
}

static void ask_ranges(struct lex_ledger_reader *r, const int32_t *partitions, size_t count,
                       struct lex_tail_found *ret_found)
{
    struct lex_kafka_range *ranges = calloc(count + 1, sizeof *ranges);
    LEX_ASSERT(ranges != NULL); /* for at most LEX_WORKER_PARTITIONS_MAX */
    for (size_t i = 0; i < count; i++)
        ranges[i].partition = partitions[i];
    lex_kafka_ranges(r->rk, r->config->ledger_topic, ranges, count, RANGES_TIMEOUT_MS);
    int32_t now = partitions_now(r, ranges, count);
    for (size_t i = 0; i < count; i++)
        take_range(r, &ranges[i], now, &r->tails[i], &ret_found[i]);
    free(ranges);
}

void lex_ledger_reader_tails(struct lex_ledger_reader *reader, const int32_t *partitions,
                             size_t count, struct lex_tail_found *ret_found)
{
    struct lex_error err = {{0}};
    drop_tails(reader);
    reader->tails = calloc(count + 1, sizeof *reader->tails);
    LEX_ASSERT(reader->tails != NULL); /* for at most LEX_WORKER_PARTITIONS_MAX */
    reader->tails_count = count;
    ask_ranges(reader, partitions, count, ret_found);
    enum lex_status status = find_tails(reader, &err);
    for (size_t i = 0; i < count; i++) {
        const struct tail *tail = &reader->tails[i];
        if (ret_found[i].status != LEX_OK)
            continue;
        ret_found[i].status = status == LEX_OK && !tail->unstable ? LEX_OK : LEX_RETRY;
        ret_found[i].ever_held = tail->low > 0 || tail->last != NULL;
        if (tail->last != NULL)
            ret_found[i].entry = lex_span_of(tail->last->payload, tail->last->len);
    }
}
