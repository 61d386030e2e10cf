/* Mock: librdkafka's own broker in the test's process, with errors pushed onto its requests.
 *
 * It answers the next requests of a kind with the errors that were pushed, one each. So every class
 * of error can be met where it would be met, which a real broker hardly ever allows. It is no proof
 * of atomicity (see consumer/embedded.h): that is what tests/broker is for. */
#ifndef LEX_TESTS_MOCK_H
#define LEX_TESTS_MOCK_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "core/config/config.h"
#include "tests/unit/lex_check.h"

/* API keys of the Kafka protocol (its guide, "Protocol API Keys"). */
enum {
    API_PRODUCE = 0,
    API_FETCH = 1,
    API_LIST_OFFSETS = 2,
    API_OFFSET_FETCH = 9,
    API_HEARTBEAT = 12,
    API_INIT_PRODUCER_ID = 22,
    API_ADD_PARTITIONS_TO_TXN = 24,
    API_ADD_OFFSETS_TO_TXN = 25,
    API_END_TXN = 26,
    API_TXN_OFFSET_COMMIT = 28,
};

enum { MOCK_PARTITIONS = 2, MOCK_BROKER = 1 };

struct mock {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
    struct lex_config *config;
    int brokers; /* set before mock_start; 0: one */
};

/* A broker with the service's topics, and a configuration that leads to it. `more` are further
 * environment entries, NULL-terminated. */
void mock_start(struct mock *mock, const char *const *more);
void mock_stop(struct mock *mock);
/* The next `count` requests of this kind are answered so, each after rtt_ms. */
void mock_push(struct mock *mock, int16_t api, size_t count, rd_kafka_resp_err_t code, int rtt_ms);
/* Pushed and not met yet. */
size_t mock_left(struct mock *mock, int16_t api);
/* Put the requests "from" up to "to" - 1 on a partition, in order. */
void mock_put(struct mock *mock, int32_t partition, int from, int to);

#endif
