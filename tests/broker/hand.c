/* lex_hand: what operators and accidents do to a cluster, for the tests on a real broker.
 *
 * One deed a call, over Kafka's protocol: Kafka's own tools do the same and take a JVM's start
 * each. Nothing of the service is linked in. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/status.h"
#include "tests/broker/topic.h"

enum { CALL_MS = 20000, STEP_US = 100 * 1000 };

/* Topics are <prefix>.requests and so on; the group is the prefix. */
static const char *const KINDS[] = {"requests", "verdicts", "ledger", "dead-letters"};
static char requests[256];
static struct topic_client client;

static int64_t number(const char *text)
{
    char *end;
    int64_t value = strtoll(text, &end, 10);
    if (*text == 0 || *end != 0)
        topic_die("%s is no number", text);
    return value;
}

static void must(rd_kafka_resp_err_t code, const char *what)
{
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        topic_die("%s: %s", what, rd_kafka_err2str(code));
}

/* ---- topics ---- */

static rd_kafka_event_t *answer_of(rd_kafka_queue_t *queue, const char *what)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    if (event == NULL)
        topic_die("%s: no answer", what);
    must(rd_kafka_event_error(event), what);
    return event;
}

/* Nothing of them is ever deleted: what was lost is to be seen. */
static rd_kafka_NewTopic_t *new_topic(const char *name, int partitions)
{
    char text[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, text, sizeof text);
    if (topic == NULL)
        topic_die("%s", text);
    must(rd_kafka_NewTopic_set_config(topic, "retention.ms", "-1"), name);
    must(rd_kafka_NewTopic_set_config(topic, "retention.bytes", "-1"), name);
    return topic;
}

/* A partition without a leader is nobody's test. */
static void wait_for_leaders(rd_kafka_t *rk, const char *topic, int partitions)
{
    int64_t low, high;
    for (int i = 0; i < partitions; i++)
        while (rd_kafka_query_watermark_offsets(rk, topic, i, &low, &high, CALL_MS) !=
               RD_KAFKA_RESP_ERR_NO_ERROR)
            (void)usleep(STEP_US);
}

static void make_topics(char **args)
{
    rd_kafka_NewTopic_t *topics[LEX_COUNT_OF(KINDS)];
    rd_kafka_t *rk = topic_producer(&client);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    for (size_t i = 0; i < LEX_COUNT_OF(KINDS); i++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%s.%s", client.group, KINDS[i]);
        topics[i] = new_topic(name, (int)number(args[0]));
    }
    rd_kafka_CreateTopics(rk, topics, LEX_COUNT_OF(KINDS), NULL, queue);
    rd_kafka_event_t *event = answer_of(queue, "topics");
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++)
        must(rd_kafka_topic_result_error(results[i]), rd_kafka_topic_result_name(results[i]));
    rd_kafka_event_destroy(event);
    for (size_t i = 0; i < LEX_COUNT_OF(KINDS); i++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%s.%s", client.group, KINDS[i]);
        wait_for_leaders(rk, name, (int)number(args[0]));
    }
    rd_kafka_NewTopic_destroy_array(topics, LEX_COUNT_OF(KINDS));
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

/* What retention does: the partition begins at `before` from now on. */
static void delete_records(char **args)
{
    rd_kafka_t *rk = topic_producer(&client);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, args[0], (int32_t)number(args[1]))->offset =
        number(args[2]);
    rd_kafka_DeleteRecords_t *ask = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(rk, &ask, 1, NULL, queue);
    rd_kafka_event_t *event = answer_of(queue, "delete");
    must(rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event))
             ->elems[0]
             .err,
         "delete");
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(ask);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

/* ---- records ---- */

/* Requests of which none can be decoded, each in its own way. */
static const struct lex_span BAD[] = {
    LEX_SPAN_INIT("{\"request_id\":\"x\",\"actor\":\"user\""),
    LEX_SPAN_INIT("\xc3\x01wholly unknown schema"),
    LEX_SPAN_INIT(""),
    LEX_SPAN_INIT("{\"request_id\":\"x\",\"request_id\":\"y\"}"),
    LEX_SPAN_INIT("{\"request_id\":\"x\",\"surprise\":1}"),
    LEX_SPAN_INIT("neither this nor that"),
    LEX_SPAN_INIT("{\"request_id\":7}"),
};

static void put_bad(char **args)
{
    rd_kafka_t *rk = topic_producer(&client);
    int32_t partitions = (int32_t)number(args[0]);
    for (int64_t n = 0; n < number(args[1]); n++) {
        char key[32];
        (void)snprintf(key, sizeof key, "bad-%lld", (long long)n);
        topic_put(rk, requests, (int32_t)(n % partitions), lex_span_str(key),
                  BAD[(size_t)n % LEX_COUNT_OF(BAD)], NULL);
    }
    rd_kafka_destroy(rk);
}

/* A file, byte for byte, under a key: whatever somebody could write. */
static void put_file(char **args)
{
    static char value[1 << 20];
    FILE *file = fopen(args[2], "rb");
    if (file == NULL)
        topic_die("%s cannot be opened", args[2]);
    size_t len = fread(value, 1, sizeof value, file);
    (void)fclose(file);
    rd_kafka_t *rk = topic_producer(&client);
    topic_put(rk, args[0], 0, lex_span_str(args[1]), lex_span_of(value, len), NULL);
    rd_kafka_destroy(rk);
}

struct last {
    int32_t partition;
    rd_kafka_t *producer;
    rd_kafka_headers_t *headers;
    char key[256], value[65536];
    size_t key_len, value_len;
};

static void take_last(void *user, const rd_kafka_message_t *message)
{
    struct last *last = user;
    rd_kafka_headers_t *headers;
    if (message->partition != last->partition)
        return;
    if (message->len > sizeof last->value || message->key_len > sizeof last->key)
        topic_die("a record of %zu bytes is too long for this", message->len);
    if (last->headers != NULL)
        rd_kafka_headers_destroy(last->headers);
    last->headers = rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR
                        ? rd_kafka_headers_copy(headers)
                        : NULL;
    last->key_len = message->key_len;
    last->value_len = message->len;
    if (message->key_len != 0)
        memcpy(last->key, message->key, message->key_len);
    if (message->len != 0)
        memcpy(last->value, message->payload, message->len);
}

/* A bug of ours, planted: the partition's last record stands there a second time. */
static void repeat_last(char **args)
{
    static struct last last;
    last.partition = (int32_t)number(args[1]);
    rd_kafka_t *rk = topic_producer(&client);
    const struct topic_client committed = {client.bootstrap, NULL, true};
    topic_read(&committed, args[0], take_last, &last);
    topic_put(rk, args[0], last.partition, lex_span_of(last.key, last.key_len),
              lex_span_of(last.value, last.value_len), last.headers);
    if (last.headers != NULL)
        rd_kafka_headers_destroy(last.headers);
    rd_kafka_destroy(rk);
}

/* ---- requests of a transaction: the partition ends with a marker that is no request ---- */

static void must_not(rd_kafka_error_t *error, const char *what)
{
    if (error != NULL)
        topic_die("%s: %s", what, rd_kafka_error_string(error));
}

static rd_kafka_t *transactional_producer(void)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", client.bootstrap, text, sizeof text) !=
            RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "transactional.id", requests, text, sizeof text) !=
            RD_KAFKA_CONF_OK)
        topic_die("%s", text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (rk == NULL)
        topic_die("%s", text);
    must_not(rd_kafka_init_transactions(rk, CALL_MS), "init_transactions");
    return rk;
}

static void put_transaction(char **args)
{
    rd_kafka_t *rk = transactional_producer();
    int64_t count = number(args[1]);
    must_not(rd_kafka_begin_transaction(rk), "begin");
    for (int64_t i = 0; i < count; i++)
        topic_put(rk, requests, (int32_t)number(args[0]), (struct lex_span){0},
                  LEX_SPAN("no request"), NULL);
    if (strcmp(args[2], "abort") == 0)
        must_not(rd_kafka_abort_transaction(rk, CALL_MS), "abort");
    else
        must_not(rd_kafka_commit_transaction(rk, CALL_MS), "commit");
    rd_kafka_destroy(rk);
}

/* ---- the group's offsets ---- */

static rd_kafka_topic_partition_list_t *committed(rd_kafka_t *rk, int partitions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        (void)rd_kafka_topic_partition_list_add(list, requests, i);
    rd_kafka_resp_err_t code = rd_kafka_committed(rk, list, CALL_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_topic_partition_list_destroy(list);
        return NULL;
    }
    return list;
}

/* "<partition> <offset> <metadata>" of each. */
static void print_offsets(char **args)
{
    (void)args;
    rd_kafka_t *rk = topic_consumer(&client);
    rd_kafka_topic_partition_list_t *list = committed(rk, topic_partitions(rk, requests));
    if (list == NULL)
        topic_die("the group's offsets cannot be read");
    for (int i = 0; i < list->cnt; i++)
        printf("%d %lld %.*s\n", list->elems[i].partition, (long long)list->elems[i].offset,
               (int)list->elems[i].metadata_size, (const char *)list->elems[i].metadata);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

/* Of a group that nobody is in. */
static void commit_offset(char **args)
{
    rd_kafka_t *rk = topic_consumer(&client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *at =
        rd_kafka_topic_partition_list_add(list, requests, (int32_t)number(args[0]));
    at->offset = number(args[1]);
    at->metadata = strdup(args[2]);
    at->metadata_size = strlen(args[2]);
    must(rd_kafka_commit(rk, list, 0), "commit");
    must(list->elems[0].err, "commit");
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

static void forget_offsets(char **args)
{
    (void)args;
    rd_kafka_t *rk = topic_producer(&client);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    int partitions = topic_partitions(rk, requests);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        (void)rd_kafka_topic_partition_list_add(list, requests, i);
    rd_kafka_DeleteConsumerGroupOffsets_t *ask =
        rd_kafka_DeleteConsumerGroupOffsets_new(client.group, list);
    rd_kafka_DeleteConsumerGroupOffsets(rk, &ask, 1, NULL, queue);
    rd_kafka_event_destroy(answer_of(queue, "forget"));
    rd_kafka_DeleteConsumerGroupOffsets_destroy(ask);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

/* ---- waiting ---- */

static int64_t sum_committed(rd_kafka_t *rk, int partitions)
{
    int64_t sum = 0;
    rd_kafka_topic_partition_list_t *list = committed(rk, partitions);
    for (int i = 0; list != NULL && i < list->cnt; i++)
        sum += list->elems[i].offset > 0 ? list->elems[i].offset : 0;
    if (list != NULL)
        rd_kafka_topic_partition_list_destroy(list);
    return sum;
}

static int64_t sum_ends(rd_kafka_t *rk, int partitions)
{
    int64_t *begins, *ends, sum = 0;
    topic_range(rk, requests, partitions, &begins, &ends);
    for (int i = 0; i < partitions; i++)
        sum += ends[i];
    free(begins);
    free(ends);
    return sum;
}

/* Until the group's offsets say that so many requests are answered; "all": as many as there are. */
static void wait_answered(char **args)
{
    rd_kafka_t *rk = topic_consumer(&client);
    int partitions = topic_partitions(rk, requests);
    int64_t want = strcmp(args[0], "all") == 0 ? sum_ends(rk, partitions) : number(args[0]);
    int64_t answered = 0;
    time_t until = time(NULL) + number(args[1]);
    while ((answered = sum_committed(rk, partitions)) < want && time(NULL) < until)
        (void)usleep(STEP_US);
    rd_kafka_destroy(rk);
    if (answered < want)
        topic_die("%lld of %lld requests are answered after %s s", (long long)answered,
                  (long long)want, args[1]);
}

/* ---- the program ---- */

static const struct deed {
    const char *name, *operands;
    int count;
    void (*run)(char **args);
} DEEDS[] = {
    {"topics", "PARTITIONS", 1, make_topics},
    {"delete", "TOPIC PARTITION BEFORE", 3, delete_records},
    {"bad", "PARTITIONS COUNT", 2, put_bad},
    {"put", "TOPIC KEY FILE", 3, put_file},
    {"repeat", "TOPIC PARTITION", 2, repeat_last},
    {"transaction", "PARTITION COUNT commit|abort", 3, put_transaction},
    {"offsets", "", 0, print_offsets},
    {"commit", "PARTITION OFFSET METADATA", 3, commit_offset},
    {"forget", "", 0, forget_offsets},
    {"wait", "ANSWERED|all SECONDS", 2, wait_answered},
};

static int usage(void)
{
    (void)fputs("usage: lex_hand HOST:PORT PREFIX DEED\n", stderr);
    for (size_t i = 0; i < LEX_COUNT_OF(DEEDS); i++)
        (void)fprintf(stderr, "  %s %s\n", DEEDS[i].name, DEEDS[i].operands);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return usage();
    client.bootstrap = argv[1];
    client.group = argv[2];
    (void)snprintf(requests, sizeof requests, "%s.requests", argv[2]);
    for (size_t i = 0; i < LEX_COUNT_OF(DEEDS); i++)
        if (strcmp(argv[3], DEEDS[i].name) == 0 && argc - 4 == DEEDS[i].count) {
            DEEDS[i].run(argv + 4);
            return 0;
        }
    return usage();
}
