/* Kafka: what every librdkafka handle of ours shares: its configuration, its logs, its errors.
 *
 * Settings come in three layers: our tuning, over it the user's kafka.*, and on top the few that
 * exactly-once depends on, which config refuses to take from a user. An error is one of four
 * classes; the table in kafka.c says which, and anything that it does not know is fatal, because an
 * unknown error is no licence to go on. */
#ifndef LEX_PRODUCER_KAFKA_H
#define LEX_PRODUCER_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "core/base/status.h"
#include "core/config/config.h"

/* Produce requests on their way at once, of a producer that has no transactions. Of two, the second
 * may reach a new leader when the first came too early for it: a gap in the sequence, which ends an
 * idempotent producer for good (librdkafka before 2.3: its issue 4438). */
#define LEX_KAFKA_IN_FLIGHT "1"

/* One setting of ours; a list ends with {NULL, NULL}. */
struct lex_kafka_setting {
    const char *key, *value;
};

/* What a handle's callbacks need; the rd_kafka_t's opaque. Outlives the handle. */
struct lex_kafka_handle {
    const char *logger;    /* "lexecon.producer" */
    void *owner;           /* for the owner's own callbacks */
    _Atomic bool all_down; /* set by librdkafka's thread when no broker answers; cleared by the
                              owner when a call succeeds */
};

/* @param tuning  applied first; the user may overrule it
 * @param fixed   applied last; the user may not
 * @owns    *ret_conf is the caller's until rd_kafka_new takes it
 * @errors  LEX_REJECT a setting that librdkafka refuses: err names it and says why */
LEX_STATUS lex_kafka_conf(const struct lex_config *config, struct lex_kafka_handle *handle,
                          const struct lex_kafka_setting *tuning,
                          const struct lex_kafka_setting *fixed, rd_kafka_conf_t **ret_conf,
                          struct lex_error *err);
/* rd_kafka_new that consumes `conf` on failure too. @errors LEX_REJECT */
LEX_STATUS lex_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_rk,
                         struct lex_error *err);

/* The class of an error code: RETRY (the same call again), ABORT (the transaction is lost), HALT
 * (this handle is dead, or the error is not known). */
enum lex_status lex_kafka_class(rd_kafka_resp_err_t code);
/* The class of an error object; what librdkafka says of it wins over the table. NULL is OK. */
enum lex_status lex_kafka_error_class(const rd_kafka_error_t *error);
/* What an operator has to change, in words; "" where the code says nothing of the kind. */
const char *lex_kafka_advice(rd_kafka_resp_err_t code);

/* What of one partition can be read: from `low` to before `high`, which is the last stable offset
 * for a handle that reads what is committed. Both are set where `code` is
 * RD_KAFKA_RESP_ERR_NO_ERROR. */
struct lex_kafka_range {
    int32_t partition;
    rd_kafka_resp_err_t code;
    int64_t low, high;
};
/* Ask the leaders of `count` partitions for their ranges: all in two requests a leader, and, where
 * one of them does not answer, each by itself, so that it costs the others nothing. Blocks for
 * timeout_ms at most, whatever has died: rd_kafka_query_watermark_offsets, which does the same for
 * one partition, waits for a dead leader as long as it is dead (librdkafka 2.0.2). */
void lex_kafka_ranges(rd_kafka_t *rk, const char *topic, struct lex_kafka_range *ranges,
                      size_t count, int timeout_ms);

#endif
