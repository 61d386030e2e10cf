/* lex_passthrough: the yardstick. A plain transactional consume-produce loop that does no work: for
 * each record it produces two payloads of given sizes (as the service does), or echoes the record
 * (--echo), and commits by time under load, at once when the input is drained.
 *
 * It shares no code with the service, only librdkafka and the settings that matter to speed. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <librdkafka/rdkafka.h>

#include "core/base/clock.h"
#include "core/base/status.h"

enum { BATCH = 1000, IDLE_MS = 1000, CALL_MS = 10000 };

struct pass {
    const char *bootstrap, *in, *out, *out2, *group;
    long count, verdict_bytes, entry_bytes, commit_ms;
    bool echo;
    rd_kafka_t *consumer, *producer;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *to, *to2;
    rd_kafka_topic_partition_list_t *offsets;
    rd_kafka_message_t *batch[BATCH];
    int64_t first_us, begin_us, cpu_first_us;
    long done, in_txn, transactions;
    char payload[1 << 16];
};

static int64_t cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "lex_passthrough: %s: %s\n", what, why);
    exit(1);
}

static void must(rd_kafka_error_t *error, const char *what)
{
    if (error != NULL)
        die(what, rd_kafka_error_string(error));
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("delivery", rd_kafka_err2str(message->err));
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *const (*settings)[2])
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (; (*settings)[0] != NULL; settings++)
        if (rd_kafka_conf_set(conf, (*settings)[0], (*settings)[1], text, sizeof text) !=
            RD_KAFKA_CONF_OK)
            die((*settings)[0], text);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL)
        die("client", text);
    return rk;
}

static void start(struct pass *p)
{
    const char *const in[][2] = {
        {"bootstrap.servers", p->bootstrap},   {"group.id", p->group},
        {"isolation.level", "read_committed"}, {"enable.auto.commit", "false"},
        {"auto.offset.reset", "earliest"},     {"fetch.wait.max.ms", "100"},
        {"queued.min.messages", "100000"},     {"queued.max.messages.kbytes", "65536"},
        {"socket.nagle.disable", "true"},      {NULL, NULL}};
    const char *const out[][2] = {{"bootstrap.servers", p->bootstrap},
                                  {"transactional.id", p->group},
                                  {"linger.ms", "1"},
                                  {"retry.backoff.ms", "1"},
                                  {"queue.buffering.max.messages", "200000"},
                                  {"batch.size", "1000000"},
                                  {"socket.nagle.disable", "true"},
                                  {NULL, NULL}};
    p->consumer = client(RD_KAFKA_CONSUMER, in);
    p->producer = client(RD_KAFKA_PRODUCER, out);
    (void)rd_kafka_poll_set_consumer(p->consumer);
    p->queue = rd_kafka_queue_get_consumer(p->consumer);
    p->to = rd_kafka_topic_new(p->producer, p->out, NULL);
    p->to2 = rd_kafka_topic_new(p->producer, p->out2, NULL);
    must(rd_kafka_init_transactions(p->producer, 30000), "init_transactions");
    p->offsets = rd_kafka_topic_partition_list_new(64);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(topics, p->in, RD_KAFKA_PARTITION_UA);
    if (rd_kafka_subscribe(p->consumer, topics) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("subscribe", p->in);
    rd_kafka_topic_partition_list_destroy(topics);
}

static void produce(struct pass *p, rd_kafka_topic_t *topic, const rd_kafka_message_t *from,
                    void *payload, size_t len)
{
    while (rd_kafka_produce(topic, from->partition, RD_KAFKA_MSG_F_COPY, payload, len, from->key,
                            from->key_len, NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            die("produce", rd_kafka_err2str(rd_kafka_last_error()));
        (void)rd_kafka_poll(p->producer, 5);
    }
}

static void note_offset(struct pass *p, const rd_kafka_message_t *message)
{
    rd_kafka_topic_partition_t *at =
        rd_kafka_topic_partition_list_find(p->offsets, p->in, message->partition);
    if (at == NULL)
        at = rd_kafka_topic_partition_list_add(p->offsets, p->in, message->partition);
    at->offset = message->offset + 1;
}

static void commit(struct pass *p)
{
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(p->consumer);
    must(rd_kafka_send_offsets_to_transaction(p->producer, p->offsets, group, CALL_MS),
         "send_offsets");
    must(rd_kafka_commit_transaction(p->producer, CALL_MS), "commit");
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(p->offsets);
    p->offsets = rd_kafka_topic_partition_list_new(64);
    p->done += p->in_txn;
    p->in_txn = 0;
    p->transactions++;
}

static size_t take(struct pass *p)
{
    size_t count = 0;
    rd_kafka_message_t *first = rd_kafka_consumer_poll(p->consumer, p->in_txn != 0 ? 0 : IDLE_MS);
    if (first == NULL)
        return 0;
    p->batch[count++] = first;
    ssize_t more = rd_kafka_consume_batch_queue(p->queue, 0, p->batch + 1, BATCH - 1);
    return more > 0 ? count + (size_t)more : count;
}

static void pass_on(struct pass *p, rd_kafka_message_t *message)
{
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (p->echo) {
        produce(p, p->to, message, message->payload, message->len);
    } else {
        produce(p, p->to, message, p->payload, (size_t)p->verdict_bytes);
        produce(p, p->to2, message, p->payload, (size_t)p->entry_bytes);
    }
    note_offset(p, message);
    p->in_txn++;
}

static void step(struct pass *p)
{
    size_t count = take(p);
    if (count != 0 && p->first_us == 0) {
        p->first_us = lex_clock_mono_us();
        p->cpu_first_us = cpu_us();
    }
    if (count != 0 && p->in_txn == 0) {
        must(rd_kafka_begin_transaction(p->producer), "begin");
        p->begin_us = lex_clock_mono_us();
    }
    for (size_t i = 0; i < count; i++) {
        pass_on(p, p->batch[i]);
        rd_kafka_message_destroy(p->batch[i]);
    }
    (void)rd_kafka_poll(p->producer, 0);
    bool due = count < BATCH || p->in_txn >= 10000 ||
               lex_clock_mono_us() - p->begin_us >= p->commit_ms * 1000;
    if (p->in_txn != 0 && due)
        commit(p);
}

static void report(const struct pass *p)
{
    double seconds = (double)(lex_clock_mono_us() - p->first_us) / 1e6;
    double cpu = (double)(cpu_us() - p->cpu_first_us);
    printf("{\"records\":%ld,\"seconds\":%.3f,\"per_second\":%.0f,\"cpu_us\":%.2f,"
           "\"transactions\":%ld}\n",
           p->done, seconds, (double)p->done / seconds, cpu / (double)p->done, p->transactions);
}

int main(int argc, char **argv)
{
    static struct pass p = {.in = "lexecon.requests",
                            .out = "lexecon.verdicts",
                            .out2 = "lexecon.ledger",
                            .group = "passthrough",
                            .verdict_bytes = 800,
                            .entry_bytes = 500,
                            .commit_ms = 50};
    for (int i = 1; i < argc; i++) {
        const char *flag = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        i++;
        if (strcmp(flag, "--bootstrap") == 0)
            p.bootstrap = value;
        else if (strcmp(flag, "--group") == 0)
            p.group = value;
        else if (strcmp(flag, "--in") == 0)
            p.in = value;
        else if (strcmp(flag, "--out") == 0)
            p.out = value;
        else if (strcmp(flag, "--out2") == 0)
            p.out2 = value;
        else if (strcmp(flag, "--count") == 0)
            p.count = strtol(value, NULL, 10);
        else if (strcmp(flag, "--verdict-bytes") == 0)
            p.verdict_bytes = strtol(value, NULL, 10);
        else if (strcmp(flag, "--entry-bytes") == 0)
            p.entry_bytes = strtol(value, NULL, 10);
        else if (strcmp(flag, "--commit-ms") == 0)
            p.commit_ms = strtol(value, NULL, 10);
        else if (strcmp(flag, "--echo") == 0) {
            p.echo = true;
            i--;
        } else {
            (void)fprintf(stderr, "lex_passthrough: what is %s?\n", flag);
            return 2;
        }
    }
    if (p.bootstrap == NULL || p.count <= 0 || p.verdict_bytes > (long)sizeof p.payload ||
        p.entry_bytes > (long)sizeof p.payload) {
        (void)fputs("usage: lex_passthrough --bootstrap HOST:PORT --count N [--in T] [--out T] "
                    "[--out2 T]\n         [--group G] [--verdict-bytes N] [--entry-bytes N] "
                    "[--commit-ms 50] [--echo]\nEnds after N records.\n",
                    stderr);
        return 2;
    }
    memset(p.payload, 'x', sizeof p.payload);
    start(&p);
    while (p.done < p.count)
        step(&p);
    report(&p);
    rd_kafka_topic_partition_list_destroy(p.offsets);
    rd_kafka_queue_destroy(p.queue);
    (void)rd_kafka_consumer_close(p.consumer);
    rd_kafka_topic_destroy(p.to);
    rd_kafka_topic_destroy(p.to2);
    rd_kafka_destroy(p.producer);
    rd_kafka_destroy(p.consumer);
    return 0;
}
