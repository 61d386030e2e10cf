#include "tests/broker/topic.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "producer/kafka.h"

enum { CALL_MS = 20000 };

void topic_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "%s: ", program_invocation_short_name);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, key, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        topic_die("%s", text);
}

static rd_kafka_t *client_of(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL)
        topic_die("%s", text);
    return rk;
}

rd_kafka_t *topic_consumer(const struct topic_client *client)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", client->bootstrap);
    set(conf, "group.id", client->group != NULL ? client->group : "audit");
    set(conf, "isolation.level", client->committed_only ? "read_committed" : "read_uncommitted");
    set(conf, "enable.auto.commit", "false");
    set(conf, "auto.offset.reset", "error");
    set(conf, "enable.partition.eof", "true");
    set(conf, "check.crcs", "true");
    return client_of(RD_KAFKA_CONSUMER, conf);
}

rd_kafka_t *topic_producer(const struct topic_client *client)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", client->bootstrap);
    set(conf, "enable.idempotence", "true");
    set(conf, "max.in.flight", LEX_KAFKA_IN_FLIGHT);
    set(conf, "linger.ms", "0");
    return client_of(RD_KAFKA_PRODUCER, conf);
}

int topic_partitions(rd_kafka_t *rk, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, handle, &metadata, CALL_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1)
        code = metadata->topics[0].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        topic_die("%s: %s", topic, rd_kafka_err2str(code));
    int count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return count;
}

void topic_range(rd_kafka_t *rk, const char *topic, int partitions, int64_t **ret_begins,
                 int64_t **ret_ends)
{
    *ret_begins = calloc((size_t)partitions + 1, sizeof **ret_begins);
    *ret_ends = calloc((size_t)partitions + 1, sizeof **ret_ends);
    if (*ret_begins == NULL || *ret_ends == NULL)
        topic_die("out of memory");
    for (int i = 0; i < partitions; i++) {
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(rk, topic, i, &(*ret_begins)[i],
                                                                    &(*ret_ends)[i], CALL_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            topic_die("%s/%d: %s", topic, i, rd_kafka_err2str(code));
    }
}

static void assign(rd_kafka_t *rk, const char *topic, int partitions, const int64_t *begins)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = begins[i];
    rd_kafka_resp_err_t code = rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        topic_die("%s: %s", topic, rd_kafka_err2str(code));
}

void topic_read(const struct topic_client *client, const char *topic,
                void (*take)(void *user, const rd_kafka_message_t *message), void *user)
{
    rd_kafka_t *rk = topic_consumer(client);
    int64_t *begins, *ends;
    int partitions = topic_partitions(rk, topic), open = partitions;
    bool *done = calloc((size_t)partitions + 1, sizeof *done);
    topic_range(rk, topic, partitions, &begins, &ends);
    (void)rd_kafka_poll_set_consumer(rk);
    assign(rk, topic, partitions, begins);
    while (open > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, CALL_MS);
        if (message == NULL)
            topic_die("%s: nothing came for %d s, %d partitions are not read to their end", topic,
                      CALL_MS / 1000, open);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            take(user, message);
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            open -= !done[message->partition];
            done[message->partition] = true;
        } else {
            topic_die("%s: %s", topic, rd_kafka_message_errstr(message));
        }
        rd_kafka_message_destroy(message);
    }
    free(done);
    free(begins);
    free(ends);
    (void)rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static bool is_settled(rd_kafka_t *stable, rd_kafka_t *high, const char *topic, int partitions)
{
    int64_t *begins, *stable_ends, *ends;
    topic_range(stable, topic, partitions, &begins, &stable_ends);
    free(begins);
    topic_range(high, topic, partitions, &begins, &ends);
    bool same = memcmp(stable_ends, ends, (size_t)partitions * sizeof *ends) == 0;
    free(begins);
    free(stable_ends);
    free(ends);
    return same;
}

bool topic_settle(const char *bootstrap, const char *topic, int seconds)
{
    rd_kafka_t *stable = topic_consumer(&(struct topic_client){bootstrap, NULL, true});
    rd_kafka_t *high = topic_consumer(&(struct topic_client){bootstrap, NULL, false});
    int partitions = topic_partitions(stable, topic);
    bool settled = is_settled(stable, high, topic, partitions);
    for (int i = 0; !settled && i < seconds * 5; i++) {
        (void)usleep(200 * 1000);
        settled = is_settled(stable, high, topic, partitions);
    }
    rd_kafka_destroy(stable);
    rd_kafka_destroy(high);
    return settled;
}

void topic_put(rd_kafka_t *producer, const char *topic, int32_t partition, struct lex_span key,
               struct lex_span value, const rd_kafka_headers_t *headers)
{
    rd_kafka_headers_t *copy =
        headers != NULL ? rd_kafka_headers_copy(headers) : rd_kafka_headers_new(1);
    rd_kafka_resp_err_t code =
        rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY((void *)(uintptr_t)key.data, key.len),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len),
                          RD_KAFKA_V_HEADERS(copy), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_flush(producer, CALL_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        topic_die("%s/%d: cannot put: %s", topic, partition, rd_kafka_err2str(code));
}
