#include "producer/ledger_writer.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "producer/kafka.h"

enum {
    ASK_MS = 5000,
    TRIES = 6,
    POLL_MS = 50,
    FLUSH_STEP_MS = 500,
    SILENCE_US = 60 * 1000000LL, /* so long may nothing be acknowledged */
    PURGE_MS = 1000,
};

struct lex_ledger_writer {
    const struct lex_config *config;
    struct lex_kafka_handle handle;
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    size_t sent, acknowledged;
    int64_t heard_us; /* monotonic: when something was acknowledged last */
    rd_kafka_resp_err_t problem;
};

/* Inside rd_kafka_poll, on our thread. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct lex_ledger_writer *w = ((struct lex_kafka_handle *)opaque)->owner;
    (void)rk;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (w->problem == RD_KAFKA_RESP_ERR_NO_ERROR)
            w->problem = message->err;
        return;
    }
    w->acknowledged++;
    w->heard_us = lex_clock_mono_us();
}

/* A gapless producer ends at its first lost record: what is behind it would fork the chain. */
static enum lex_status open_producer(struct lex_ledger_writer *w, struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    const struct lex_kafka_setting tuning[] = {
        {"linger.ms", "20"}, {"max.in.flight", LEX_KAFKA_IN_FLIGHT}, {NULL, NULL}};
    const struct lex_kafka_setting fixed[] = {{"acks", "all"},
                                              {"enable.idempotence", "true"},
                                              {"enable.gapless.guarantee", "true"},
                                              {NULL, NULL}};
    LEX_TRY(lex_kafka_conf(w->config, &w->handle, tuning, fixed, &conf, err));
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    LEX_TRY(lex_kafka_new(RD_KAFKA_PRODUCER, conf, &w->rk, err));
    w->topic = rd_kafka_topic_new(w->rk, w->config->ledger_topic, NULL);
    return w->topic != NULL ? LEX_OK : lex_fail(err, LEX_LIMIT, "out of memory");
}

static int members_of(const struct rd_kafka_group_list *groups)
{
    int members = 0;
    for (int i = 0; i < groups->group_cnt; i++)
        members += groups->groups[i].member_cnt;
    return members;
}

/* A group that never was is as good as an empty one. */
static enum lex_status check_idle(struct lex_ledger_writer *w, struct lex_error *err)
{
    const struct rd_kafka_group_list *groups = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int i = 0; i < TRIES && code != RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = rd_kafka_list_groups(w->rk, w->config->group, &groups, ASK_MS);
        if (code == RD_KAFKA_RESP_ERR__PARTIAL) /* a broker is away: it may hold this group */
            rd_kafka_group_list_destroy(groups);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return lex_fail(err, LEX_RETRY, "the group %s cannot be looked at: %s", w->config->group,
                        rd_kafka_err2str(code));
    int members = members_of(groups);
    rd_kafka_group_list_destroy(groups);
    if (members == 0)
        return LEX_OK;
    return lex_fail(err, LEX_REJECT,
                    "the group %s has %d members: stop every node of the service first, since a "
                    "node that decides begins a chain of its own",
                    w->config->group, members);
}

LEX_STATUS lex_ledger_writer_new(const struct lex_config *config,
                                 struct lex_ledger_writer **ret_writer, struct lex_error *err)
{
    struct lex_ledger_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    w->config = config;
    w->handle = (struct lex_kafka_handle){.logger = "lexecon.ledger", .owner = w};
    w->heard_us = lex_clock_mono_us();
    enum lex_status status = open_producer(w, err);
    if (status == LEX_OK)
        status = check_idle(w, err);
    if (status != LEX_OK) {
        lex_ledger_writer_free(w);
        return status;
    }
    *ret_writer = w;
    return LEX_OK;
}

void lex_ledger_writer_free(struct lex_ledger_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->topic != NULL)
        rd_kafka_topic_destroy(writer->topic);
    if (writer->rk != NULL) {
        (void)rd_kafka_purge(writer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(writer->rk, PURGE_MS);
        rd_kafka_destroy(writer->rk);
    }
    free(writer);
}

static enum lex_status check(const struct lex_ledger_writer *w, struct lex_error *err)
{
    if (w->problem != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *advice = lex_kafka_advice(w->problem);
        return lex_fail(err, LEX_REJECT, "the topic %s cannot be written: %s%s%s",
                        w->config->ledger_topic, rd_kafka_err2str(w->problem),
                        advice[0] != 0 ? "; " : "", advice);
    }
    if (w->sent > w->acknowledged && lex_clock_mono_us() - w->heard_us > SILENCE_US)
        return lex_fail(err, LEX_RETRY, "the topic %s: %zu records are not acknowledged in time",
                        w->config->ledger_topic, w->sent - w->acknowledged);
    return LEX_OK;
}

LEX_STATUS lex_ledger_writer_put(struct lex_ledger_writer *writer, int32_t partition,
                                 int64_t timestamp_ms, struct lex_span value, struct lex_error *err)
{
    rd_kafka_resp_err_t code;
    do {
        LEX_TRY(check(writer, err));
        code =
            rd_kafka_producev(writer->rk, RD_KAFKA_V_RKT(writer->topic),
                              RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_TIMESTAMP(timestamp_ms),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        (void)rd_kafka_poll(writer->rk, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? POLL_MS : 0);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        writer->sent++;
        return LEX_OK;
    }
    writer->problem = code;
    return check(writer, err);
}

LEX_STATUS lex_ledger_writer_flush(struct lex_ledger_writer *writer, struct lex_error *err)
{
    do {
        (void)rd_kafka_flush(writer->rk, FLUSH_STEP_MS);
        LEX_TRY(check(writer, err));
    } while (writer->acknowledged < writer->sent);
    return LEX_OK;
}
