/* lex_load: puts requests on the request topic, as many or as fast as asked, and tells what it put.
 *
 * Request i of partition p carries the id "p-i", so that whoever reads the answers can tell whether
 * each was answered, once and in order, without keeping a list. */
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

#include "core/base/clock.h"
#include "core/codec/codec.h"
#include "producer/kafka.h"

struct load {
    const char *bootstrap, *topic, *format;
    long count, partitions, rate, first;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    long failed;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct load *load = opaque;
    (void)rk;
    load->failed += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static int usage(void)
{
    (void)fputs(
        "usage: lex_load --bootstrap HOST:PORT [--topic lexecon.requests] [--count 1000]\n"
        "         [--partitions 8] [--format json|avro|mixed] [--rate PER_SECOND] [--first N]\n"
        "Request i of partition p has the id \"p-i\"; --first is the first i.\n",
        stderr);
    return 2;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, key, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        (void)fprintf(stderr, "lex_load: %s\n", text);
        exit(2);
    }
}

static void start(struct load *load)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", load->bootstrap);
    set(conf, "enable.idempotence", "true");
    set(conf, "max.in.flight", LEX_KAFKA_IN_FLIGHT);
    set(conf, "linger.ms", load->rate > 0 ? "0" : "20");
    set(conf, "queue.buffering.max.messages", "200000");
    rd_kafka_conf_set_opaque(conf, load);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    load->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (load->rk == NULL) {
        (void)fprintf(stderr, "lex_load: %s\n", text);
        exit(1);
    }
    load->rkt = rd_kafka_topic_new(load->rk, load->topic, NULL);
}

/* The examples of example_policy.json in turn: permitted, forbidden, not permitted, with a context.
 */
static struct lex_span encode(struct lex_arena *arena, const char *id, long i, bool avro)
{
    static const struct lex_member context[] = {
        {LEX_SPAN_INIT("purpose"), {.type = LEX_VALUE_STRING, .text = LEX_SPAN_INIT("support")}},
        {LEX_SPAN_INIT("ticket"), {.type = LEX_VALUE_LONG, .i64 = 48213}}};
    static const struct lex_span actors[] = {LEX_SPAN_INIT("user"), LEX_SPAN_INIT("model"),
                                             LEX_SPAN_INIT("model"), LEX_SPAN_INIT("user")};
    static const struct lex_span actions[] = {LEX_SPAN_INIT("read"), LEX_SPAN_INIT("search"),
                                              LEX_SPAN_INIT("write"), LEX_SPAN_INIT("write")};
    struct lex_span value;
    struct lex_request request = {
        .request_id = lex_span_str(id),
        .actor = actors[i % 4],
        .proposed_action = actions[i % 4],
        .tool = LEX_SPAN("crm.lookup"),
        .user_intent = LEX_SPAN("find the customer's last invoice"),
        .resource = LEX_SPAN("res:crm/customers"),
        .risk_level = 1 + (int32_t)(i % 3),
        .context = {context, LEX_COUNT_OF(context)},
        .user_id = LEX_SPAN("u-4711"),
    };
    if (lex_encode_request(avro ? LEX_FORMAT_AVRO : LEX_FORMAT_JSON, &request, arena, &value) !=
        LEX_OK)
        exit(1);
    return value;
}

static void put(struct load *load, int32_t partition, const char *id, struct lex_span value)
{
    while (rd_kafka_produce(load->rkt, partition, RD_KAFKA_MSG_F_COPY,
                            (void *)(uintptr_t)value.data, value.len, id, strlen(id), NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            exit(1);
        (void)rd_kafka_poll(load->rk, 10);
    }
}

static void run(struct load *load)
{
    struct lex_arena arena;
    int64_t begin_us = lex_clock_mono_us();
    bool avro = strcmp(load->format, "avro") == 0, mixed = strcmp(load->format, "mixed") == 0;
    lex_arena_init(&arena, 64 << 10, 1 << 20);
    for (long n = 0; n < load->count; n++) {
        char id[48];
        int32_t partition = (int32_t)(n % load->partitions);
        long i = load->first + n / load->partitions;
        (void)snprintf(id, sizeof id, "%d-%ld", partition, i);
        lex_arena_reset(&arena);
        put(load, partition, id, encode(&arena, id, i, mixed ? i % 2 == 0 : avro));
        if (n % 256 == 0)
            (void)rd_kafka_poll(load->rk, 0);
        while (load->rate > 0 && lex_clock_mono_us() - begin_us < n * 1000000 / load->rate)
            (void)rd_kafka_poll(load->rk, 1);
    }
    lex_arena_fini(&arena);
    (void)rd_kafka_flush(load->rk, 60000);
    double seconds = (double)(lex_clock_mono_us() - begin_us) / 1e6;
    printf("%ld requests in %.2f s (%.0f/s), %ld failed\n", load->count, seconds,
           (double)load->count / seconds, load->failed + rd_kafka_outq_len(load->rk));
}

int main(int argc, char **argv)
{
    struct load load = {
        .topic = "lexecon.requests", .format = "mixed", .count = 1000, .partitions = 8};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *flag = argv[i], *value = argv[i + 1];
        if (strcmp(flag, "--bootstrap") == 0)
            load.bootstrap = value;
        else if (strcmp(flag, "--topic") == 0)
            load.topic = value;
        else if (strcmp(flag, "--format") == 0)
            load.format = value;
        else if (strcmp(flag, "--count") == 0)
            load.count = strtol(value, NULL, 10);
        else if (strcmp(flag, "--partitions") == 0)
            load.partitions = strtol(value, NULL, 10);
        else if (strcmp(flag, "--rate") == 0)
            load.rate = strtol(value, NULL, 10);
        else if (strcmp(flag, "--first") == 0)
            load.first = strtol(value, NULL, 10);
        else
            return usage();
    }
    if (load.bootstrap == NULL || argc % 2 == 0)
        return usage();
    start(&load);
    run(&load);
    rd_kafka_topic_destroy(load.rkt);
    rd_kafka_destroy(load.rk);
    return load.failed == 0 ? 0 : 1;
}
