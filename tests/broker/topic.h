/* Topic: reading and writing topics in the tests on a real broker, without anything of the
 * service's.
 *
 * Whoever checks the service must not use the code that he checks: this is plain librdkafka, read
 * committed, every partition from its beginning to its end. Whatever goes wrong here ends the
 * program with a message, since a test that cannot look has not passed. */
#ifndef LEX_TESTS_BROKER_TOPIC_H
#define LEX_TESTS_BROKER_TOPIC_H

#include <librdkafka/rdkafka.h>

#include "core/base/span.h"

/* Print "<program>: ..." and exit with status 2: not a finding, the test could not be made. */
void topic_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

struct topic_client {
    const char *bootstrap, *group;
    bool committed_only; /* read_committed, which also makes committed offsets the stable ones */
};
rd_kafka_t *topic_consumer(const struct topic_client *client);
rd_kafka_t *topic_producer(const struct topic_client *client);

int topic_partitions(rd_kafka_t *rk, const char *topic);

/* Offsets of all partitions; `ends` are high watermarks, or the last stable offsets where the
 * client reads committed records only. @owns both are the caller's to free */
void topic_range(rd_kafka_t *rk, const char *topic, int partitions, int64_t **ret_begins,
                 int64_t **ret_ends);

/* Every record of every partition, in each partition's order.
 * @pre no transaction is open: topic_settle */
void topic_read(const struct topic_client *client, const char *topic,
                void (*take)(void *user, const rd_kafka_message_t *message), void *user);
/* Wait until no transaction is open on the topic's partitions; false after `seconds`. */
bool topic_settle(const char *bootstrap, const char *topic, int seconds);

/* Put one record and wait until it is there. @param headers copied; NULL for none */
void topic_put(rd_kafka_t *producer, const char *topic, int32_t partition, struct lex_span key,
               struct lex_span value, const rd_kafka_headers_t *headers);

#endif
