#include "producer/publisher.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"

enum {
    INIT_TIMEOUT_MS = 5000,
    CALL_TIMEOUT_MS = 5000, /* of one commit or send_offsets; then it is asked again */
    PRIME_TIMEOUT_MS = 1000,
    FULL_WAIT_MS = 5,
    OUTPUTS = 3,
};

struct lex_publisher {
    const struct lex_config *config;
    struct lex_membership membership;
    struct lex_kafka_handle handle;
    char transactional_id[768];
    rd_kafka_t *rk;
    rd_kafka_topic_t *topics[OUTPUTS]; /* by enum lex_output_kind */
    int32_t partitions[OUTPUTS];       /* of each, as last seen; 0 where unknown */
    bool open;
    uintptr_t transaction; /* the number of the open one, which its records carry */
    size_t produced, delivered, undelivered; /* records of it */
};

static const char *output_name(const struct lex_publisher *p, int output)
{
    switch ((enum lex_output_kind)output) {
    case LEX_OUTPUT_VERDICT: return p->config->verdicts_topic;
    case LEX_OUTPUT_LEDGER: return p->config->ledger_topic;
    default: return p->config->dead_letters_topic;
    }
}

/* ---- life ---- */

LEX_STATUS lex_publisher_new(const struct lex_config *config, int slot,
                             struct lex_membership membership, struct lex_publisher **ret_publisher,
                             struct lex_error *err)
{
    struct lex_publisher *p = calloc(1, sizeof *p);
    if (p == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    p->config = config;
    p->membership = membership;
    p->handle.logger = "lexecon.producer";
    (void)snprintf(p->transactional_id, sizeof p->transactional_id, "%s.%s.%s.%d", config->group,
                   config->node_id, config->instance, slot);
    *ret_publisher = p;
    return LEX_OK;
}

static void destroy_client(struct lex_publisher *p)
{
    for (int i = 0; i < OUTPUTS; i++) {
        if (p->topics[i] != NULL)
            rd_kafka_topic_destroy(p->topics[i]);
        p->topics[i] = NULL;
    }
    if (p->rk != NULL)
        rd_kafka_destroy(p->rk);
    p->rk = NULL;
    p->open = false;
}

void lex_publisher_free(struct lex_publisher *publisher)
{
    if (publisher == NULL)
        return;
    if (publisher->rk != NULL)
        (void)rd_kafka_purge(publisher->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    destroy_client(publisher);
    free(publisher);
}

/* Which of the open transaction's records are in the log. librdkafka 2.0.2 alone is not believed:
 * after an abort on a broker that restarted, it was seen to commit the next transaction although
 * none of its records had reached the broker, which left a gap in a ledger. (Also, without a
 * callback a commit's flush polls in steps of 10 ms.) */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct lex_kafka_handle *handle = opaque;
    struct lex_publisher *p =
        (struct lex_publisher *)(void *)((char *)handle - offsetof(struct lex_publisher, handle));
    (void)rk;
    if ((uintptr_t)message->_private != p->transaction)
        return; /* of one that was aborted */
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        p->delivered++;
    else
        p->undelivered++;
}

static enum lex_status new_client(struct lex_publisher *p, struct lex_error *err)
{
    char timeout[24], queue_kb[24];
    int64_t workers = p->config->server_workers > 0 ? p->config->server_workers : 1;
    (void)snprintf(timeout, sizeof timeout, "%lld", (long long)p->config->transaction_timeout_ms);
    (void)snprintf(queue_kb, sizeof queue_kb, "%lld",
                   (long long)(p->config->memory_budget_mb * 1024 / workers / 3));
    const struct lex_kafka_setting tuning[] = {
        {"linger.ms", "1"},
        {"retry.backoff.ms", "1"}, /* at 100, each transaction after the first waits 100 ms */
        {"queue.buffering.max.kbytes", queue_kb},
        {"queue.buffering.max.messages", "200000"},
        {"batch.size", "1000000"},
        {"message.max.bytes", "2000000"},
        {"socket.nagle.disable", "true"},
        {NULL, NULL}};
    const struct lex_kafka_setting fixed[] = {{"transactional.id", p->transactional_id},
                                              {"transaction.timeout.ms", timeout},
                                              {"enable.idempotence", "true"},
                                              {"acks", "all"},
                                              {NULL, NULL}};
    rd_kafka_conf_t *conf;
    LEX_TRY(lex_kafka_conf(p->config, &p->handle, tuning, fixed, &conf, err));
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return lex_kafka_new(RD_KAFKA_PRODUCER, conf, &p->rk, err);
}

/* Ask for an output topic's partitions. It also primes the client, whose first produce otherwise
 * waits up to a second, and whose own refresh comes too late for a partition that was just added.
 */
static void learn(struct lex_publisher *p, int output)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(p->rk, 0, p->topics[output], &metadata, PRIME_TIMEOUT_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
        p->partitions[output] = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
}

static void prime(struct lex_publisher *p)
{
    for (int i = 0; i < OUTPUTS; i++) {
        p->topics[i] = rd_kafka_topic_new(p->rk, output_name(p, i), NULL);
        LEX_ASSERT(p->topics[i] != NULL); /* a name that config checked */
        p->partitions[i] = 0;
        learn(p, i);
    }
}

const char *lex_publisher_lacks(struct lex_publisher *publisher, int32_t partition,
                                int32_t *ret_partitions)
{
    for (int i = 0; i < OUTPUTS && publisher->rk != NULL; i++) {
        if (partition >= publisher->partitions[i])
            learn(publisher, i);
        *ret_partitions = publisher->partitions[i];
        if (publisher->partitions[i] != 0 && partition >= publisher->partitions[i])
            return output_name(publisher, i);
    }
    return NULL;
}

static void explain(const rd_kafka_error_t *error, const char *call, struct lex_error *err)
{
    const char *advice = lex_kafka_advice(rd_kafka_error_code(error));
    (void)lex_fail(err, LEX_OK, "%s: %s%s%s", call, rd_kafka_error_string(error),
                   advice[0] != 0 ? ": " : "", advice);
}

LEX_STATUS lex_publisher_init(struct lex_publisher *publisher, struct lex_error *err)
{
    destroy_client(publisher);
    LEX_TRY(new_client(publisher, err));
    rd_kafka_error_t *error = rd_kafka_init_transactions(publisher->rk, INIT_TIMEOUT_MS);
    enum lex_status status = lex_kafka_error_class(error);
    if (error != NULL) {
        explain(error, "init_transactions", err);
        rd_kafka_error_destroy(error);
        destroy_client(publisher);
        return status == LEX_RETRY ? LEX_RETRY : LEX_REJECT;
    }
    publisher->handle.all_down = false;
    prime(publisher);
    return LEX_OK;
}

/* ---- results ---- */

static enum lex_published failed(struct lex_publisher *p, enum lex_status status)
{
    p->open = false;
    return status == LEX_ABORT ? LEX_PUBLISHED_ABORTED : LEX_PUBLISHED_FATAL;
}

enum lex_published lex_publisher_abort(struct lex_publisher *publisher, struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + publisher->config->transaction_timeout_ms * 1000;
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(publisher->rk, CALL_TIMEOUT_MS);
        enum lex_status status = lex_kafka_error_class(error);
        if (error == NULL)
            return failed(publisher, LEX_ABORT);
        explain(error, "abort_transaction", err);
        rd_kafka_error_destroy(error);
        if (status != LEX_RETRY || lex_clock_mono_us() > until_us)
            return failed(publisher, LEX_HALT);
    }
}

/* What an error of a transactional call leads to; consumes it. */
static enum lex_published resolve(struct lex_publisher *p, rd_kafka_error_t *error,
                                  const char *call, struct lex_error *err)
{
    enum lex_status status = lex_kafka_error_class(error);
    struct lex_error ignored;
    explain(error, call, err);
    rd_kafka_error_destroy(error);
    return status == LEX_ABORT ? lex_publisher_abort(p, &ignored) : failed(p, LEX_HALT);
}

/* ---- producing ---- */

static enum lex_status begin(struct lex_publisher *p, struct lex_error *err)
{
    if (p->open)
        return LEX_OK;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(p->rk);
    if (error != NULL) {
        explain(error, "begin_transaction", err);
        rd_kafka_error_destroy(error);
        return LEX_HALT;
    }
    p->open = true;
    p->transaction++;
    p->produced = p->delivered = p->undelivered = 0;
    return LEX_OK;
}

static rd_kafka_resp_err_t produce_with_headers(struct lex_publisher *p,
                                                const struct lex_output *out)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(out->headers_count);
    for (size_t i = 0; i < out->headers_count; i++)
        (void)rd_kafka_header_add(headers, out->headers[i].name, -1, out->headers[i].value.data,
                                  (ssize_t)out->headers[i].value.len);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        p->rk, RD_KAFKA_V_RKT(p->topics[out->kind]), RD_KAFKA_V_PARTITION(out->partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY((void *)(uintptr_t)out->key.data, out->key.len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)out->value.data, out->value.len),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE((void *)p->transaction), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers);
    return code;
}

static rd_kafka_resp_err_t produce_one(struct lex_publisher *p, const struct lex_output *out)
{
    if (out->headers_count != 0)
        return produce_with_headers(p, out);
    int failed = rd_kafka_produce(p->topics[out->kind], out->partition, RD_KAFKA_MSG_F_COPY,
                                  (void *)(uintptr_t)out->value.data, out->value.len, out->key.data,
                                  out->key.len, (void *)p->transaction);
    return failed == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

/* A full queue is waited out: backpressure, never drop. */
static rd_kafka_resp_err_t produce(struct lex_publisher *p, const struct lex_output *out)
{
    int64_t until_us = lex_clock_mono_us() + p->config->transaction_timeout_ms * 1000;
    rd_kafka_resp_err_t code = produce_one(p, out);
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && lex_clock_mono_us() < until_us) {
        (void)rd_kafka_poll(p->rk, FULL_WAIT_MS);
        code = produce_one(p, out);
    }
    return code;
}

static enum lex_published produce_failed(struct lex_publisher *p, rd_kafka_resp_err_t code,
                                         struct lex_error *err)
{
    struct lex_error ignored;
    const char *advice = lex_kafka_advice(code);
    (void)lex_fail(err, LEX_OK, "produce: %s%s%s", rd_kafka_err2str(code),
                   advice[0] != 0 ? ": " : "", advice);
    enum lex_status status = lex_kafka_class(code);
    return status == LEX_HALT && rd_kafka_fatal_error(p->rk, NULL, 0) != 0
               ? failed(p, LEX_HALT)
               : lex_publisher_abort(p, &ignored);
}

/* ---- committing ---- */

static rd_kafka_topic_partition_list_t *offsets_of(const struct lex_publisher *p,
                                                   const struct lex_commit *commits, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(
            list, p->config->requests_topic, commits[i].partition);
        LEX_ASSERT(commits[i].metadata.len != 0); /* an offset without its head would erase it */
        at->offset = commits[i].next_offset;
        at->metadata = strndup((const char *)commits[i].metadata.data, commits[i].metadata.len);
        at->metadata_size = at->metadata != NULL ? commits[i].metadata.len : 0;
        LEX_ASSERT(at->metadata != NULL);
    }
    return list;
}

/* The one function that sends offsets. */
static rd_kafka_error_t *send_offsets(struct lex_publisher *p, const struct lex_action *action,
                                      bool *ret_member)
{
    rd_kafka_error_t *error;
    int64_t until_us = lex_clock_mono_us() + p->config->transaction_timeout_ms * 1000;
    rd_kafka_consumer_group_metadata_t *group =
        p->membership.metadata(p->membership.user, action->commits, action->commits_count);
    *ret_member = group != NULL;
    if (group == NULL)
        return NULL;
    rd_kafka_topic_partition_list_t *offsets =
        offsets_of(p, action->commits, action->commits_count);
    for (;;) {
        error = rd_kafka_send_offsets_to_transaction(p->rk, offsets, group, CALL_TIMEOUT_MS);
        if (lex_kafka_error_class(error) != LEX_RETRY || lex_clock_mono_us() > until_us)
            break;
        rd_kafka_error_destroy(error);
    }
    rd_kafka_topic_partition_list_destroy(offsets);
    rd_kafka_consumer_group_metadata_destroy(group);
    return error;
}

/* Every record of the transaction is in the log: only then may it be committed. Asked again while
 * some are on their way; what cannot be delivered any more ends in an abort. */
static bool all_delivered(struct lex_publisher *p, enum lex_published *ret_published,
                          struct lex_error *err)
{
    struct lex_error ignored;
    if (p->delivered + p->undelivered < p->produced &&
        rd_kafka_flush(p->rk, CALL_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        p->undelivered = p->produced - p->delivered; /* nothing is on its way any more */
    if (p->undelivered != 0) {
        (void)lex_fail(err, LEX_OK, "%zu of the transaction's %zu records were not delivered",
                       p->undelivered, p->produced);
        *ret_published = lex_publisher_abort(p, &ignored);
        return false;
    }
    if (p->delivered == p->produced)
        return true;
    (void)lex_fail(err, LEX_OK, "%zu of the transaction's %zu records are still on their way",
                   p->produced - p->delivered, p->produced);
    *ret_published = LEX_PUBLISHED_UNKNOWN;
    return false;
}

enum lex_published lex_publisher_resume_commit(struct lex_publisher *publisher,
                                               struct lex_error *err)
{
    enum lex_published published;
    if (!all_delivered(publisher, &published, err))
        return published;
    rd_kafka_error_t *error = rd_kafka_commit_transaction(publisher->rk, CALL_TIMEOUT_MS);
    if (error == NULL) {
        publisher->open = false;
        publisher->handle.all_down = false;
        return LEX_PUBLISHED_COMMITTED;
    }
    if (lex_kafka_error_class(error) != LEX_RETRY)
        return resolve(publisher, error, "commit_transaction", err);
    explain(error, "commit_transaction", err);
    rd_kafka_error_destroy(error);
    return LEX_PUBLISHED_UNKNOWN;
}

static enum lex_published commit(struct lex_publisher *p, const struct lex_action *action,
                                 struct lex_error *err)
{
    bool member;
    LEX_ASSERT(action->commits_count != 0); /* a transaction without offsets is not fenced */
    rd_kafka_error_t *error = send_offsets(p, action, &member);
    if (!member) {
        struct lex_error ignored;
        (void)lex_fail(err, LEX_OK, "no member of the group, or a partition is not ours any more");
        return lex_publisher_abort(p, &ignored);
    }
    if (error != NULL)
        return resolve(p, error, "send_offsets_to_transaction", err);
    return lex_publisher_resume_commit(p, err);
}

enum lex_published lex_publisher_publish(struct lex_publisher *publisher,
                                         const struct lex_action *action, struct lex_error *err)
{
    if (begin(publisher, err) != LEX_OK)
        return failed(publisher, LEX_HALT);
    for (size_t i = 0; i < action->count; i++) {
        rd_kafka_resp_err_t code = produce(publisher, &action->outputs[i]);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return produce_failed(publisher, code, err);
        publisher->produced++;
    }
    return action->commit ? commit(publisher, action, err) : LEX_PUBLISHED_QUEUED;
}

void lex_publisher_poll(struct lex_publisher *publisher)
{
    if (publisher->rk != NULL)
        (void)rd_kafka_poll(publisher->rk, 0);
}

size_t lex_publisher_queued(const struct lex_publisher *publisher)
{
    int queued = publisher->rk != NULL ? rd_kafka_outq_len(publisher->rk) : 0;
    return queued > 0 ? (size_t)queued : 0;
}

struct lex_kafka_handle *lex_publisher_handle(struct lex_publisher *publisher)
{
    return &publisher->handle;
}
