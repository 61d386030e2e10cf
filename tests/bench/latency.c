/* lex_latency: one request at a time at a fixed rate; for each, the time from just before it is
 * handed to the client library to the moment when a read_committed reader holds the answer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "core/base/clock.h"

enum { REQUESTS_MAX = 1000000, WAIT_US = 5000000 };

struct latency {
    const char *bootstrap, *in, *out;
    long rate, seconds, sent;
    _Atomic long answers;
    _Atomic bool reading, done;
    int64_t *sent_us, *took_us;
    long long run; /* tells this run's keys from another's */
    int32_t partitions;
};

static rd_kafka_t *client(rd_kafka_type_t type, const char *const (*settings)[2])
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (; (*settings)[0] != NULL; settings++)
        if (rd_kafka_conf_set(conf, (*settings)[0], (*settings)[1], text, sizeof text) !=
            RD_KAFKA_CONF_OK) {
            (void)fprintf(stderr, "lex_latency: %s\n", text);
            exit(2);
        }
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL) {
        (void)fprintf(stderr, "lex_latency: %s\n", text);
        exit(1);
    }
    return rk;
}

static void assign_ends(struct latency *l, rd_kafka_t *rk)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, l->out, NULL);
    if (rd_kafka_metadata(rk, 0, topic, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        exit(1);
    l->partitions = metadata->topics[0].partition_cnt;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(l->partitions);
    for (int32_t p = 0; p < l->partitions; p++) {
        int64_t low, high = 0;
        (void)rd_kafka_query_watermark_offsets(rk, l->out, p, &low, &high, 10000);
        rd_kafka_topic_partition_list_add(list, l->out, p)->offset = high;
    }
    (void)rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
}

/* The key is "<run>-<number>": verdicts keep their request's key. */
static void take(struct latency *l, const rd_kafka_message_t *message)
{
    long long run;
    long number;
    char key[64] = {0};
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || message->key_len >= sizeof key)
        return;
    memcpy(key, message->key, message->key_len);
    if (sscanf(key, "%lld-%ld", &run, &number) != 2 || run != l->run || number < 0 ||
        number >= REQUESTS_MAX || l->took_us[number] != 0)
        return;
    l->took_us[number] = lex_clock_mono_us() - l->sent_us[number];
    l->answers++;
}

static void *read_answers(void *user)
{
    struct latency *l = user;
    const char *const settings[][2] = {{"bootstrap.servers", l->bootstrap},
                                       {"group.id", "latency"},
                                       {"isolation.level", "read_committed"},
                                       {"enable.auto.commit", "false"},
                                       {"fetch.wait.max.ms", "100"},
                                       {"socket.nagle.disable", "true"},
                                       {NULL, NULL}};
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, settings);
    (void)rd_kafka_poll_set_consumer(rk);
    assign_ends(l, rk);
    l->reading = true;
    while (!l->done) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);
        if (message == NULL)
            continue;
        take(l, message);
        rd_kafka_message_destroy(message);
    }
    (void)rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return NULL;
}

static void send_one(struct latency *l, rd_kafka_topic_t *topic, long number)
{
    char key[64], value[512];
    (void)snprintf(key, sizeof key, "%lld-%ld", l->run, number);
    int len = snprintf(value, sizeof value,
                       "{\"request_id\":\"%s\",\"actor\":\"user\",\"proposed_action\":\"read\","
                       "\"tool\":\"crm.lookup\",\"risk_level\":1}",
                       key);
    l->sent_us[number] = lex_clock_mono_us();
    (void)rd_kafka_produce(topic, (int32_t)(number % l->partitions), RD_KAFKA_MSG_F_COPY, value,
                           (size_t)len, key, strlen(key), NULL);
}

static void run(struct latency *l)
{
    const char *const settings[][2] = {{"bootstrap.servers", l->bootstrap},
                                       {"linger.ms", "0"},
                                       {"acks", "all"},
                                       {"socket.nagle.disable", "true"},
                                       {NULL, NULL}};
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, settings);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, l->in, NULL);
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, 10000) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    while (!l->reading)
        (void)rd_kafka_poll(rk, 10);
    long total = l->rate * l->seconds < REQUESTS_MAX ? l->rate * l->seconds : REQUESTS_MAX;
    int64_t begin_us = lex_clock_mono_us();
    for (; l->sent < total; l->sent++) {
        while (lex_clock_mono_us() - begin_us < l->sent * 1000000 / l->rate)
            (void)rd_kafka_poll(rk, 1);
        send_one(l, topic, l->sent);
    }
    (void)rd_kafka_flush(rk, 10000);
    int64_t until_us = lex_clock_mono_us() + WAIT_US;
    while (l->answers < l->sent && lex_clock_mono_us() < until_us)
        (void)rd_kafka_poll(rk, 10);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double at(const int64_t *sorted, long count, double share)
{
    return count == 0 ? 0 : (double)sorted[(long)(share * (double)(count - 1))] / 1000;
}

static void report(struct latency *l)
{
    long count = 0;
    for (long i = 0; i < l->sent; i++)
        if (l->took_us[i] != 0)
            l->took_us[count++] = l->took_us[i];
    qsort(l->took_us, (size_t)count, sizeof *l->took_us, by_value);
    printf("{\"sent\":%ld,\"answers\":%ld,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f}\n",
           l->sent, count, at(l->took_us, count, 0.5), at(l->took_us, count, 0.99),
           at(l->took_us, count, 0.999));
}

int main(int argc, char **argv)
{
    struct latency l = {.rate = 500, .seconds = 10, .run = lex_clock_wall_us()};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--bootstrap") == 0)
            l.bootstrap = argv[i + 1];
        else if (strcmp(argv[i], "--in") == 0)
            l.in = argv[i + 1];
        else if (strcmp(argv[i], "--out") == 0)
            l.out = argv[i + 1];
        else if (strcmp(argv[i], "--rate") == 0)
            l.rate = strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            l.seconds = strtol(argv[i + 1], NULL, 10);
    }
    if (l.bootstrap == NULL || l.in == NULL || l.out == NULL || l.rate < 1) {
        (void)fputs("usage: lex_latency --bootstrap HOST:PORT --in TOPIC --out TOPIC [--rate 500] "
                    "[--seconds 10]\n",
                    stderr);
        return 2;
    }
    l.sent_us = calloc(REQUESTS_MAX, sizeof *l.sent_us);
    l.took_us = calloc(REQUESTS_MAX, sizeof *l.took_us);
    pthread_t reader;
    if (l.sent_us == NULL || l.took_us == NULL ||
        pthread_create(&reader, NULL, read_answers, &l) != 0)
        return 1;
    run(&l);
    l.done = true;
    (void)pthread_join(reader, NULL);
    report(&l);
    free(l.sent_us);
    free(l.took_us);
    return 0;
}
