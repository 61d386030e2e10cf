#include "producer/kafka.h"

#include <stdio.h>
#include <syslog.h>

#include "core/base/clock.h"

/* ---- errors, by what to do (pipeline.md, "Kafka's errors") ---- */

static const struct {
    rd_kafka_resp_err_t code;
    enum lex_status status;
} CLASSES[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, LEX_OK},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, LEX_RETRY},
    {RD_KAFKA_RESP_ERR__TRANSPORT, LEX_RETRY},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, LEX_RETRY},
    {RD_KAFKA_RESP_ERR__RESOLVE, LEX_RETRY},
    {RD_KAFKA_RESP_ERR__WAIT_COORD, LEX_RETRY},
    {RD_KAFKA_RESP_ERR__IN_PROGRESS, LEX_RETRY},
    {RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS, LEX_RETRY},
    {RD_KAFKA_RESP_ERR__RETRY, LEX_RETRY},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, LEX_RETRY},
    {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, LEX_ABORT},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, LEX_ABORT},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, LEX_ABORT},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, LEX_ABORT},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, LEX_ABORT},
};

enum lex_status lex_kafka_class(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < LEX_COUNT_OF(CLASSES); i++)
        if (CLASSES[i].code == code)
            return CLASSES[i].status;
    return LEX_HALT;
}

enum lex_status lex_kafka_error_class(const rd_kafka_error_t *error)
{
    if (error == NULL)
        return LEX_OK;
    if (rd_kafka_error_is_fatal(error))
        return LEX_HALT;
    if (rd_kafka_error_txn_requires_abort(error))
        return LEX_ABORT;
    if (rd_kafka_error_is_retriable(error))
        return LEX_RETRY;
    return lex_kafka_class(rd_kafka_error_code(error));
}

static const struct {
    rd_kafka_resp_err_t code;
    const char *text;
} ADVICE[] = {
    {RD_KAFKA_RESP_ERR__AUTHENTICATION,
     "the broker refuses this user: check kafka.sasl.username, kafka.sasl.password, "
     "kafka.sasl.mechanism, and that the listener speaks SASL (kafka.security.protocol)"},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
     "the broker refuses this user: check kafka.sasl.username, kafka.sasl.password, "
     "kafka.sasl.mechanism, and that the listener speaks SASL (kafka.security.protocol)"},
    {RD_KAFKA_RESP_ERR__SSL,
     "TLS fails: check kafka.ssl.ca.location, that the certificate names this host, and that "
     "kafka.security.protocol is what the listener speaks (ssl or sasl_ssl)"},
    {RD_KAFKA_RESP_ERR__RESOLVE,
     "a broker's name does not resolve: check kafka.bootstrap.servers and the brokers' advertised "
     "listeners"},
    {RD_KAFKA_RESP_ERR__TRANSPORT,
     "a broker does not answer: check kafka.bootstrap.servers, that the port is open, and that "
     "kafka.security.protocol is what the listener speaks"},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
     "no broker answers: check kafka.bootstrap.servers, that the port is open, and that "
     "kafka.security.protocol is what the listener speaks"},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
     "this user may not use a topic: it needs Read and Describe on requests, Write and Describe on "
     "verdicts and dead letters, and Read, Write, Describe and DescribeConfigs on the ledger"},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
     "this user may not use the consumer group: it needs Read on the group that `group` names"},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
     "this user may not use the transactional id: it needs Write and Describe on transactional ids "
     "that begin with '<group>.' (a prefixed ACL)"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
     "this user may not write idempotently: it needs IdempotentWrite on the cluster, or Write on "
     "its transactional ids"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
     "a topic does not exist: make it, or set create_topics=true"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
     "a topic does not exist: make it, or set create_topics=true"},
    {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
     "transaction_timeout_ms is over the broker's transaction.max.timeout.ms: lower it"},
    {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT,
     "session_timeout_ms is outside the broker's group.min.session.timeout.ms and "
     "group.max.session.timeout.ms"},
    {RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
     "the group's other members use another assignor: set `assignor` alike in all of them"},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
     "another living process has this name: give each its own LEXECON_INSTANCE"},
    {RD_KAFKA_RESP_ERR__FENCED,
     "another living process has this name: give each its own LEXECON_INSTANCE"},
    {RD_KAFKA_RESP_ERR__STATE,
     "it had failed before; the Kafka client's own line before this one says why"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
     "fewer replicas are in sync than the topic's min.insync.replicas: bring the brokers back"},
};

const char *lex_kafka_advice(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < LEX_COUNT_OF(ADVICE); i++)
        if (ADVICE[i].code == code)
            return ADVICE[i].text;
    return "";
}

/* The same for a line of the client's, which may be the only one that names the topic. */
static const char *advice_in(const char *text)
{
    for (size_t i = 0; i < LEX_COUNT_OF(ADVICE); i++)
        if (strstr(text, rd_kafka_err2str(ADVICE[i].code)) != NULL)
            return ADVICE[i].text;
    return "";
}

/* ---- callbacks: on librdkafka's threads, or inside rd_kafka_poll ---- */

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct lex_kafka_handle *handle = rk != NULL ? rd_kafka_opaque(rk) : NULL;
    const char *logger = handle != NULL ? handle->logger : "lexecon.kafka";
    const char *advice = level <= LOG_WARNING ? advice_in(text) : "";
    enum lex_log_level ours = level <= LOG_ERR       ? LEX_LOG_ERROR
                              : level == LOG_WARNING ? LEX_LOG_WARNING
                                                     : LEX_LOG_DEBUG;
    if (advice[0] != 0)
        LEX_LOG(ours, logger, "Kafka client", lex_log_str("facility", facility),
                lex_log_str("text", text), lex_log_str("todo", advice));
    else
        LEX_LOG(ours, logger, "Kafka client", lex_log_str("facility", facility),
                lex_log_str("text", text));
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct lex_kafka_handle *handle = opaque;
    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        handle->all_down = true;
    const char *advice = lex_kafka_advice((rd_kafka_resp_err_t)code);
    if (advice[0] != 0)
        LEX_LOG(LEX_LOG_ERROR, handle->logger, "Kafka error", lex_log_str("error", reason),
                lex_log_str("todo", advice));
    else
        LEX_LOG(LEX_LOG_WARNING, handle->logger, "Kafka error", lex_log_str("error", reason));
}

/* ---- configuration ---- */

/* Refresh: librdkafka's five minutes would be how long a partition stands still whose leader died,
 * since it asks once when the connection breaks, and a cluster takes some 9 s to choose another
 * leader; and how long new partitions are not seen. Back-off: at librdkafka's 10 s, a restart of
 * the broker costs a transaction's messages their transaction.timeout.ms. */
static const struct lex_kafka_setting everywhere[] = {
    {"topic.metadata.refresh.interval.ms", "10000"},
    {"reconnect.backoff.max.ms", "1000"},
    {NULL, NULL}};

static enum lex_status set(rd_kafka_conf_t *conf, const char *key, const char *value,
                           struct lex_error *err)
{
    char text[512];
    if (rd_kafka_conf_set(conf, key, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT, "kafka.%s: %s", key, text);
}

static enum lex_status set_all(rd_kafka_conf_t *conf, const struct lex_kafka_setting *settings,
                               struct lex_error *err)
{
    for (; settings != NULL && settings->key != NULL; settings++)
        LEX_TRY(set(conf, settings->key, settings->value, err));
    return LEX_OK;
}

static enum lex_status fill(rd_kafka_conf_t *conf, const struct lex_config *config,
                            const struct lex_kafka_setting *tuning,
                            const struct lex_kafka_setting *fixed, struct lex_error *err)
{
    LEX_TRY(set_all(conf, everywhere, err));
    LEX_TRY(set_all(conf, tuning, err));
    for (size_t i = 0; i < config->kafka_count; i++)
        LEX_TRY(set(conf, config->kafka[i].key, config->kafka[i].value, err));
    return set_all(conf, fixed, err);
}

LEX_STATUS lex_kafka_conf(const struct lex_config *config, struct lex_kafka_handle *handle,
                          const struct lex_kafka_setting *tuning,
                          const struct lex_kafka_setting *fixed, rd_kafka_conf_t **ret_conf,
                          struct lex_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum lex_status status = fill(conf, config, tuning, fixed, err);
    if (status != LEX_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    rd_kafka_conf_set_opaque(conf, handle);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    *ret_conf = conf;
    return LEX_OK;
}

LEX_STATUS lex_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_rk,
                         struct lex_error *err)
{
    char text[512];
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return lex_fail(err, LEX_REJECT,
                        "the Kafka client does not start with these kafka.* settings: %s", text);
    }
    *ret_rk = rk;
    return LEX_OK;
}

/* ---- ranges ---- */

enum { ALONE_TIMEOUT_MS = 1000 }; /* for one partition, after the call for all of them failed */

static rd_kafka_resp_err_t ask_bound(rd_kafka_t *rk, const char *topic,
                                     struct lex_kafka_range *ranges, size_t count, int64_t bound,
                                     int64_t until_us)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, ranges[i].partition)->offset = bound;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(rk, list, lex_clock_left_ms(until_us));
    for (size_t i = 0; i < count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = list->elems[i].err;
        *(bound == RD_KAFKA_OFFSET_END ? &ranges[i].high : &ranges[i].low) = list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

static rd_kafka_resp_err_t ask_bounds(rd_kafka_t *rk, const char *topic,
                                      struct lex_kafka_range *ranges, size_t count, int timeout_ms)
{
    int64_t until_us = lex_clock_mono_us() + (int64_t)timeout_ms * 1000;
    rd_kafka_resp_err_t code =
        ask_bound(rk, topic, ranges, count, RD_KAFKA_OFFSET_BEGINNING, until_us);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = ask_bound(rk, topic, ranges, count, RD_KAFKA_OFFSET_END, until_us);
    for (size_t i = 0; i < count; i++)
        ranges[i].code = code;
    return code;
}

void lex_kafka_ranges(rd_kafka_t *rk, const char *topic, struct lex_kafka_range *ranges,
                      size_t count, int timeout_ms)
{
    int64_t until_us = lex_clock_mono_us() + (int64_t)timeout_ms * 1000;
    if (count == 1) {
        (void)ask_bounds(rk, topic, ranges, 1, timeout_ms);
        return;
    }
    if (count == 0 ||
        ask_bounds(rk, topic, ranges, count, timeout_ms / 2) == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (size_t i = 0; i < count; i++) {
        int left_ms = lex_clock_left_ms(until_us);
        ranges[i].code = RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (left_ms > 0)
            (void)ask_bounds(rk, topic, &ranges[i], 1,
                             left_ms < ALONE_TIMEOUT_MS ? left_ms : ALONE_TIMEOUT_MS);
    }
}
