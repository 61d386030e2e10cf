#include "tests/mock/mock.h"

#include <stdio.h>
#include <string.h>

static rd_kafka_t *new_producer(const char *bootstrap)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (bootstrap != NULL)
        (void)rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text, sizeof text);
    (void)rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    ck_assert_msg(rk != NULL, "%s", text);
    return rk;
}

static void load_config(struct mock *mock, const char *const *more)
{
    char bootstrap[128], name[] = "test";
    char *argv[] = {name};
    const char *environment[16] = {bootstrap,
                                   "LEXECON_NODE_ID=node",
                                   "LEXECON_TRANSACTION_TIMEOUT_MS=8000",
                                   "LEXECON_SESSION_TIMEOUT_MS=6000",
                                   "LEXECON_SERVER_WORKERS=1",
                                   "LEXECON_MEMORY_BUDGET_MB=64"};
    struct lex_error err = {{0}};
    (void)snprintf(bootstrap, sizeof bootstrap, "LEXECON_KAFKA_BOOTSTRAP_SERVERS=%s",
                   rd_kafka_mock_cluster_bootstraps(mock->cluster));
    for (size_t i = 0; more != NULL && more[i] != NULL; i++)
        environment[6 + i] = more[i];
    ck_assert_msg(lex_config_load(1, argv, (char **)environment, &mock->config, &err) == LEX_OK,
                  "%s", err.text);
}

void mock_start(struct mock *mock, const char *const *more)
{
    static const char *const topics[] = {"lexecon.requests", "lexecon.verdicts", "lexecon.ledger",
                                         "lexecon.dead-letters"};
    lex_log_init(LEX_LOG_CRITICAL, LEX_LOG_TEXT, 1);
    mock->rk = new_producer(NULL);
    mock->cluster = rd_kafka_mock_cluster_new(mock->rk, mock->brokers > 0 ? mock->brokers : 1);
    for (size_t i = 0; i < LEX_COUNT_OF(topics); i++)
        ck_assert_int_eq(rd_kafka_mock_topic_create(mock->cluster, topics[i], MOCK_PARTITIONS, 1),
                         0);
    load_config(mock, more);
}

void mock_stop(struct mock *mock)
{
    lex_config_free(mock->config);
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->rk);
}

void mock_push(struct mock *mock, int16_t api, size_t count, rd_kafka_resp_err_t code, int rtt_ms)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(rd_kafka_mock_broker_push_request_error_rtts(mock->cluster, MOCK_BROKER,
                                                                      api, 1, code, rtt_ms),
                         0);
}

size_t mock_left(struct mock *mock, int16_t api)
{
    size_t left = 0;
    (void)rd_kafka_mock_broker_error_stack_cnt(mock->cluster, MOCK_BROKER, api, &left);
    return left;
}

void mock_put(struct mock *mock, int32_t partition, int from, int to)
{
    char value[32];
    rd_kafka_t *rk = new_producer(rd_kafka_mock_cluster_bootstraps(mock->cluster));
    for (int n = from; n < to; n++) {
        (void)snprintf(value, sizeof value, "%d", n);
        ck_assert_int_eq(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("lexecon.requests"),
                                           RD_KAFKA_V_PARTITION(partition),
                                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                           RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_END),
                         0);
    }
    ck_assert_int_eq(rd_kafka_flush(rk, 10000), 0);
    rd_kafka_destroy(rk);
}
