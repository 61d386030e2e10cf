#include "consumer/record_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/topics.h"
#include "core/base/clock.h"
#include "producer/kafka.h"

enum { FETCH_WAIT_MS = 100, POLL_MS = 100, SILENT_MS = 15000, OFFSETS_TIMEOUT_MS = 10000 };

struct lex_record_reader {
    const struct lex_config *config;
    const char *topic;
    struct lex_kafka_handle handle;
    rd_kafka_t *rk;
    rd_kafka_message_t *message; /* what the last record borrows */
    bool *ended;                 /* of each partition */
    int32_t partitions, open;
};

/* ---- life ---- */

static enum lex_status find(struct lex_record_reader *r, struct lex_error *err)
{
    struct lex_topics *topics;
    struct lex_topic found;
    LEX_TRY(lex_topics_new(r->config, &topics, err));
    enum lex_status status = lex_topics_look(topics, r->topic, &found, err);
    lex_topics_free(topics);
    LEX_TRY(status);
    if (!found.exists)
        return lex_fail(err, LEX_REJECT, "the topic %s does not exist", r->topic);
    r->partitions = r->open = found.partitions;
    r->ended = calloc((size_t)found.partitions + 1, sizeof *r->ended);
    return r->ended != NULL ? LEX_OK : lex_fail(err, LEX_LIMIT, "out of memory");
}

static enum lex_status open_consumer(struct lex_record_reader *r, struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    char wait[16];
    (void)snprintf(wait, sizeof wait, "%d", FETCH_WAIT_MS);
    const struct lex_kafka_setting tuning[] = {
        {"fetch.wait.max.ms", wait}, {"fetch.error.backoff.ms", "100"}, {NULL, NULL}};
    const struct lex_kafka_setting fixed[] = {
        {"group.id", r->config->group},    {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},   {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "earliest"}, {"allow.auto.create.topics", "false"},
        {"enable.partition.eof", "true"},  {NULL, NULL}};
    LEX_TRY(lex_kafka_conf(r->config, &r->handle, tuning, fixed, &conf, err));
    LEX_TRY(lex_kafka_new(RD_KAFKA_CONSUMER, conf, &r->rk, err));
    (void)rd_kafka_poll_set_consumer(r->rk);
    return LEX_OK;
}

/* A partition without a record that late has nothing to read: its end is told as -1. */
static rd_kafka_resp_err_t place(struct lex_record_reader *r, rd_kafka_topic_partition_list_t *list,
                                 int64_t since_ms)
{
    for (int32_t p = 0; p < r->partitions; p++)
        rd_kafka_topic_partition_list_add(list, r->topic, p)->offset =
            since_ms < 0 ? RD_KAFKA_OFFSET_BEGINNING : since_ms;
    if (since_ms < 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    return rd_kafka_offsets_for_times(r->rk, list, OFFSETS_TIMEOUT_MS);
}

static enum lex_status assign(struct lex_record_reader *r, int64_t since_ms, struct lex_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(r->partitions);
    rd_kafka_resp_err_t code = place(r, list, since_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_assign(r->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return lex_fail(err, LEX_RETRY, "the topic %s cannot be read: %s", r->topic,
                        rd_kafka_err2str(code));
    return LEX_OK;
}

static enum lex_status open_topic(struct lex_record_reader *r, int64_t since_ms,
                                  struct lex_error *err)
{
    LEX_TRY(find(r, err));
    LEX_TRY(open_consumer(r, err));
    return assign(r, since_ms, err);
}

LEX_STATUS lex_record_reader_new(const struct lex_config *config, const char *topic,
                                 int64_t since_ms, struct lex_record_reader **ret_reader,
                                 struct lex_error *err)
{
    struct lex_record_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    r->config = config;
    r->topic = topic;
    r->handle.logger = "lexecon.records";
    r->handle.owner = r;
    enum lex_status status = open_topic(r, since_ms, err);
    if (status != LEX_OK) {
        lex_record_reader_free(r);
        return status;
    }
    *ret_reader = r;
    return LEX_OK;
}

static void drop_message(struct lex_record_reader *r)
{
    if (r->message != NULL)
        rd_kafka_message_destroy(r->message);
    r->message = NULL;
}

void lex_record_reader_free(struct lex_record_reader *reader)
{
    if (reader == NULL)
        return;
    drop_message(reader);
    if (reader->rk != NULL)
        rd_kafka_destroy(reader->rk);
    free(reader->ended);
    free(reader);
}

/* ---- reading ---- */

static void note_end(struct lex_record_reader *r, int32_t partition)
{
    if (partition < 0 || partition >= r->partitions || r->ended[partition])
        return;
    r->ended[partition] = true;
    r->open--;
}

/* What is no record: an end, a missing right, or weather. The group's rights are not asked for. */
static enum lex_status judge(struct lex_record_reader *r, const rd_kafka_message_t *message,
                             struct lex_error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        note_end(r, message->partition);
    if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return lex_fail(err, LEX_REJECT,
                        "this user may not read the topic %s: it needs --operation Read --topic %s",
                        r->topic, r->topic);
    return LEX_OK;
}

static void fill(const rd_kafka_message_t *message, struct lex_read_record *ret)
{
    *ret = (struct lex_read_record){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .value = lex_span_of(message->payload != NULL ? message->payload : "", message->len),
    };
    if (message->key != NULL)
        ret->key = lex_span_of(message->key, message->key_len);
}

LEX_STATUS lex_record_reader_next(struct lex_record_reader *reader,
                                  struct lex_read_record *ret_record, bool *ret_found,
                                  struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + SILENT_MS * 1000;
    drop_message(reader);
    while (reader->open > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, POLL_MS);
        if (message == NULL && lex_clock_mono_us() > until_us)
            return lex_fail(err, LEX_RETRY, "the topic %s was not read to its end in time",
                            reader->topic);
        if (message == NULL)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            reader->message = message;
            fill(message, ret_record);
            *ret_found = true;
            return LEX_OK;
        }
        enum lex_status status = judge(reader, message, err);
        rd_kafka_message_destroy(message);
        LEX_TRY(status);
    }
    *ret_found = false;
    return LEX_OK;
}

bool lex_record_reader_header(struct lex_record_reader *reader, size_t index, const char **ret_name,
                              struct lex_span *ret_value)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    if (reader->message == NULL ||
        rd_kafka_message_headers(reader->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_all(headers, index, ret_name, &value, &len) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    *ret_value = lex_span_of(value != NULL ? value : "", len);
    return true;
}

int32_t lex_record_reader_partitions(const struct lex_record_reader *reader)
{
    return reader->partitions;
}
