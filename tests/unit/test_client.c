/* Client: it stands at the end before it sends, waits for proof, and takes everything else for no.
 * The broker is librdkafka's mock cluster; the service is a few lines that sign what they are told.
 */
#include "producer/client.h"

#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/base/clock.h"
#include "core/ledger/chain.h"
#include "tests/unit/lex_check.h"

enum { PARTITIONS = 4, TIMEOUT_MS = 5000 };

static struct lex_error err;
static struct lex_keyring *keyring, *stranger;
static struct lex_pins *pins;
static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *cluster;
static struct lex_config *config;

static struct lex_pins *pins_of(const struct lex_keyring *keys)
{
    struct lex_buf text;
    struct lex_pins *made = NULL;
    lex_buf_init(&text, 1 << 16);
    ck_assert_int_eq(lex_pins_write(keys, &text), LEX_OK);
    ck_assert_int_eq(lex_pins_parse(lex_buf_span(&text), &made, &err), LEX_OK);
    lex_buf_fini(&text);
    return made;
}

static struct lex_keyring *keys_of(uint8_t first)
{
    uint8_t seed[LEX_SEED_BYTES] = {first};
    struct lex_keyring *made = NULL;
    ck_assert_int_eq(lex_keyring_from_seed(seed, "acme/main", &made, &err), LEX_OK);
    return made;
}

static void load_config(const char *servers)
{
    char name[] = "test";
    char *args[] = {name, NULL}, *none[] = {NULL};
    ck_assert_int_eq(lex_config_load(1, args, none, &config, &err), LEX_OK);
    ck_assert_int_eq(lex_config_use_bootstrap(config, servers, &err), LEX_OK);
}

static void setup(void)
{
    char text[256];
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, 2);
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
    keyring = keys_of(1);
    stranger = keys_of(2);
    pins = pins_of(keyring);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);
    host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, "lexecon.requests", PARTITIONS, 1), 0);
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, "lexecon.verdicts", PARTITIONS, 1), 0);
    load_config(rd_kafka_mock_cluster_bootstraps(cluster));
}

static void teardown(void)
{
    lex_config_free(config);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    lex_pins_free(pins);
    lex_keyring_free(stranger);
    lex_keyring_free(keyring);
}

/* ---- a service: reads requests, answers `answers` of them ---- */

struct service {
    pthread_t thread;
    atomic_bool stop;
    const struct lex_keyring *first,
        *then;         /* who signs each request's first answer, and a second */
    const char *noise; /* written before each answer */
    rd_kafka_t *consumer, *producer;
    rd_kafka_topic_t *verdicts;
    struct lex_codec *codec;
};

static void write_verdict(struct service *s, int32_t partition, struct lex_span value)
{
    ck_assert_int_eq(rd_kafka_producev(s->producer, RD_KAFKA_V_RKT(s->verdicts),
                                       RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len),
                                       RD_KAFKA_V_END),
                     0);
    ck_assert_int_eq(rd_kafka_flush(s->producer, TIMEOUT_MS), 0);
}

static void sign(struct service *s, const struct lex_keyring *keys, struct lex_arena *arena,
                 struct lex_ledger_entry *entry)
{
    struct lex_hash leaf;
    struct lex_attestation attestation;
    struct lex_span value, verdict;
    ck_assert_int_eq(
        lex_encode_framed(&lex_type_ledger_entry, entry, arena, LEX_LEDGER_ENTRY_MAX_BYTES, &value),
        LEX_OK);
    lex_leaf_hash(value, &leaf);
    ck_assert_int_eq(lex_attest_batch(keys, entry->log, &leaf, 1, arena, &attestation), LEX_OK);
    ck_assert_int_eq(lex_encode_verdict(LEX_FORMAT_AVRO, entry, value, &attestation,
                                        (struct lex_span){NULL, 0}, arena, 1 << 20, &verdict),
                     LEX_OK);
    write_verdict(s, entry->source.partition, verdict);
}

static void answer(struct service *s, const rd_kafka_message_t *message)
{
    static const uint8_t zeros[LEX_HASH_BYTES];
    struct lex_arena arena;
    struct lex_request request;
    enum lex_format format;
    enum lex_undecodable why;
    uint8_t fingerprint[LEX_HASH_BYTES];
    char log[LEX_ORIGIN_MAX_BYTES];
    lex_arena_init(&arena, 1 << 16, 1 << 24);
    ck_assert_int_eq(lex_decode_request(s->codec, lex_span_of(message->payload, message->len),
                                        &arena, &request, &format, &why, &err),
                     LEX_OK);
    ck_assert_int_eq(lex_request_fingerprint(&request, &arena, fingerprint, &err), LEX_OK);
    (void)snprintf(log, sizeof log, "acme/main/lexecon.ledger/%d", message->partition);
    struct lex_ledger_entry entry = {
        .log = lex_span_str(log),
        .prev = lex_span_of(zeros, sizeof zeros),
        .event_type = LEX_EVENT_TYPE_DECISION,
        .node_id = LEX_SPAN("n"),
        .source = {LEX_SPAN("lexecon.requests"), message->partition, message->offset, 0},
        .request_id = request.request_id,
        .actor = request.actor,
        .action = request.proposed_action,
        .outcome = LEX_OUTCOME_APPROVED,
        .allowed = true,
        .request_fingerprint = lex_span_of(fingerprint, sizeof fingerprint),
        .valid_until = {true, lex_clock_wall_us() + 60000000},
    };
    if (s->noise != NULL)
        write_verdict(s, message->partition, lex_span_str(s->noise));
    sign(s, s->first, &arena, &entry);
    if (s->then != NULL)
        sign(s, s->then, &arena, &entry);
    lex_arena_fini(&arena);
}

static void *serve(void *context)
{
    struct service *s = context;
    while (!s->stop) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(s->consumer, 20);
        if (message == NULL)
            continue;
        if (message->err == 0)
            answer(s, message);
        rd_kafka_message_destroy(message);
    }
    return NULL;
}

static rd_kafka_t *handle_of(rd_kafka_type_t type)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *settings[][2] = {{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster)},
                                 {"group.id", "service"},
                                 {"fetch.wait.max.ms", "10"},
                                 {"log_level", "0"}};
    for (size_t i = 0; i < LEX_COUNT_OF(settings); i++)
        ck_assert_int_eq(rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof text),
                         RD_KAFKA_CONF_OK);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    ck_assert_msg(rk != NULL, "%s", text);
    return rk;
}

static void start(struct service *s)
{
    s->consumer = handle_of(RD_KAFKA_CONSUMER);
    s->producer = handle_of(RD_KAFKA_PRODUCER);
    s->verdicts = rd_kafka_topic_new(s->producer, "lexecon.verdicts", NULL);
    const struct rd_kafka_metadata *metadata; /* or the first produce waits a second for it */
    ck_assert_int_eq(rd_kafka_metadata(s->producer, 0, s->verdicts, &metadata, TIMEOUT_MS), 0);
    rd_kafka_metadata_destroy(metadata);
    ck_assert_int_eq(lex_codec_new(NULL, &s->codec, &err), LEX_OK);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(list, "lexecon.requests", i)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    (void)rd_kafka_poll_set_consumer(s->consumer);
    ck_assert_int_eq(rd_kafka_assign(s->consumer, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct service *s)
{
    s->stop = true;
    (void)pthread_join(s->thread, NULL);
    rd_kafka_destroy(s->consumer);
    rd_kafka_topic_destroy(s->verdicts);
    rd_kafka_destroy(s->producer);
    lex_codec_free(s->codec);
}

/* ---- asking ---- */

static struct lex_request request_of(const char *id, const char *actor)
{
    return (struct lex_request){.request_id = lex_span_str(id),
                                .actor = lex_span_str(actor),
                                .proposed_action = LEX_SPAN("read"),
                                .risk_level = 1};
}

static const struct lex_request two[2] = {
    {.request_id = LEX_SPAN_INIT("one"),
     .actor = LEX_SPAN_INIT("user"),
     .proposed_action = LEX_SPAN_INIT("read"),
     .risk_level = 1},
    {.request_id = LEX_SPAN_INIT("two"),
     .actor = LEX_SPAN_INIT("model"),
     .proposed_action = LEX_SPAN_INIT("search"),
     .risk_level = 1},
};
static const struct lex_ask asks[2] = {{.request = &two[0], .format = LEX_FORMAT_JSON},
                                       {.request = &two[1], .format = LEX_FORMAT_AVRO}};

/* Ask both, with a service or with none; the answers' kinds and permissions must be these. */
static void expect_answers(struct service *service, int64_t timeout_ms, enum lex_answer_kind kind,
                           const char *words)
{
    size_t bad;
    struct lex_client *client;
    const struct lex_answer *answers;
    if (service != NULL)
        start(service);
    ck_assert_msg(lex_client_new(config, pins, &client, &err) == LEX_OK, "%s", err.text);
    ck_assert_msg(lex_client_ask(client, asks, 2, timeout_ms, &answers, &bad, &err) == LEX_OK, "%s",
                  err.text);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_msg(answers[i].kind == kind, "answer %zu: %d, %s", i, answers[i].kind,
                      answers[i].why);
        ck_assert_int_eq(answers[i].allowed, kind == LEX_ANSWER_PROVEN);
        ck_assert_int_eq(answers[i].latency_us, 0); /* only where a pace was asked for */
        ck_assert_msg(strstr(answers[i].why, words) != NULL, "'%s' does not say '%s'",
                      answers[i].why, words);
    }
    lex_client_free(client);
    if (service != NULL)
        stop(service);
}

START_TEST(proven_answers_of_both_formats_are_believed)
{
    struct service service = {.first = keyring};
    expect_answers(&service, TIMEOUT_MS, LEX_ANSWER_PROVEN, "");
}
END_TEST

START_TEST(silence_is_a_denial)
{
    expect_answers(NULL, 300, LEX_ANSWER_NONE, "no verdict within 300 ms");
}
END_TEST

START_TEST(strangers_signature_is_a_denial_before_the_time_is_over)
{
    struct service service = {.first = stranger};
    int64_t begin_us = lex_clock_mono_us();
    expect_answers(&service, 60000, LEX_ANSWER_REFUSED, "pinned");
    ck_assert_int_lt(lex_clock_mono_us() - begin_us, 30000000);
}
END_TEST

START_TEST(true_verdict_behind_a_false_one_is_believed)
{
    struct service service = {.first = stranger, .then = keyring};
    expect_answers(&service, TIMEOUT_MS, LEX_ANSWER_PROVEN, "");
}
END_TEST

START_TEST(false_verdict_behind_a_true_one_changes_nothing)
{
    struct service service = {.first = keyring, .then = stranger};
    expect_answers(&service, TIMEOUT_MS, LEX_ANSWER_PROVEN, "");
}
END_TEST

START_TEST(noise_on_the_topic_is_passed_over)
{
    struct service service = {.first = keyring, .noise = "{\"request_id\":\"one\"}"};
    expect_answers(&service, TIMEOUT_MS, LEX_ANSWER_PROVEN, "");
}
END_TEST

/* Two requests in one partition, so that all about the first is read before the second's verdict.
 */
static struct lex_answer paced_first(struct service *service, long per_second, int64_t *ret_took_us)
{
    size_t bad;
    struct lex_client *client;
    const struct lex_answer *answers;
    struct lex_ask together[2] = {asks[0], asks[1]};
    together[0].key = together[1].key = LEX_SPAN("one");
    start(service);
    ck_assert_msg(lex_client_new(config, pins, &client, &err) == LEX_OK, "%s", err.text);
    lex_client_pace(client, per_second);
    int64_t begin_us = lex_clock_mono_us();
    ck_assert_int_eq(lex_client_ask(client, together, 2, TIMEOUT_MS, &answers, &bad, &err), LEX_OK);
    *ret_took_us = lex_clock_mono_us() - begin_us;
    struct lex_answer first = answers[0];
    ck_assert_int_eq(answers[1].kind, LEX_ANSWER_PROVEN);
    lex_client_free(client);
    stop(service);
    return first;
}

START_TEST(paced_requests_take_their_time_and_are_measured)
{
    int64_t took_us;
    struct service service = {.first = keyring};
    struct lex_answer first = paced_first(&service, 3, &took_us);
    ck_assert_int_eq(first.kind, LEX_ANSWER_PROVEN);
    ck_assert_int_ge(took_us, 330000);
    ck_assert_int_gt(first.latency_us, 0);
    ck_assert_int_lt(first.latency_us, TIMEOUT_MS * 1000);
    ck_assert_uint_eq(first.again, 0);
}
END_TEST

START_TEST(second_true_verdict_is_counted)
{
    int64_t took_us;
    struct service twice = {.first = keyring, .then = keyring};
    ck_assert_uint_eq(paced_first(&twice, 1, &took_us).again, 1);
}
END_TEST

START_TEST(second_false_verdict_is_not_counted)
{
    int64_t took_us;
    struct service noisy = {.first = keyring, .then = stranger};
    ck_assert_uint_eq(paced_first(&noisy, 1, &took_us).again, 0);
}
END_TEST

START_TEST(request_id_that_stands_twice_is_told_before_sending)
{
    size_t bad = 9;
    struct lex_client *client;
    const struct lex_answer *answers;
    struct lex_request a = request_of("same", "user"), b = request_of("same", "model");
    struct lex_ask pair[] = {{.request = &a, .format = LEX_FORMAT_JSON},
                             {.request = &b, .format = LEX_FORMAT_JSON}};
    ck_assert_int_eq(lex_client_new(config, pins, &client, &err), LEX_OK);
    ck_assert_int_eq(lex_client_ask(client, pair, 2, TIMEOUT_MS, &answers, &bad, &err), LEX_REJECT);
    ck_assert_int_lt(bad, 2);
    ck_assert_msg(strstr(err.text, "twice") != NULL, "%s", err.text);
    ck_assert_int_eq(
        lex_client_ask(client, pair, LEX_CLIENT_ASKS_MAX + 1, TIMEOUT_MS, &answers, &bad, &err),
        LEX_LIMIT);
    lex_client_free(client);
}
END_TEST

START_TEST(address_without_a_broker_is_told_in_words)
{
    struct lex_client *client;
    ck_assert_int_eq(lex_config_use_bootstrap(config, "127.0.0.1:1", &err), LEX_OK);
    ck_assert_int_eq(lex_client_new(config, pins, &client, &err), LEX_RETRY);
    ck_assert_msg(strstr(err.text, "127.0.0.1:1") != NULL &&
                      strstr(err.text, "bootstrap.servers") != NULL,
                  "%s", err.text);
}
END_TEST

START_TEST(topic_that_is_not_there_is_told_in_words)
{
    struct lex_client *client;
    config->verdicts_topic = "lexecon.verdict";
    rd_kafka_mock_topic_set_error(cluster, "lexecon.verdict",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    ck_assert_int_eq(lex_client_new(config, pins, &client, &err), LEX_REJECT);
    ck_assert_msg(strstr(err.text, "no topic lexecon.verdict ") != NULL, "%s", err.text);
}
END_TEST

LEX_CHECK_MAIN_WITH("client", setup, teardown, proven_answers_of_both_formats_are_believed,
                    silence_is_a_denial, strangers_signature_is_a_denial_before_the_time_is_over,
                    true_verdict_behind_a_false_one_is_believed,
                    false_verdict_behind_a_true_one_changes_nothing,
                    noise_on_the_topic_is_passed_over,
                    paced_requests_take_their_time_and_are_measured, second_true_verdict_is_counted,
                    second_false_verdict_is_not_counted,
                    request_id_that_stands_twice_is_told_before_sending,
                    address_without_a_broker_is_told_in_words,
                    topic_that_is_not_there_is_told_in_words)
