#include "producer/resend.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "producer/kafka.h"

enum { WRITE_TIMEOUT_MS = 15000, POLL_MS = 20, PURGE_MS = 1000 };

struct lex_resend {
    struct lex_kafka_handle handle;
    rd_kafka_t *rk;
    bool done;
    rd_kafka_resp_err_t code;
    int32_t partition;
    int64_t offset;
};

/* Inside rd_kafka_poll, on our thread. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct lex_resend *r = ((struct lex_kafka_handle *)opaque)->owner;
    (void)rk;
    r->done = true;
    r->code = message->err;
    r->partition = message->partition;
    r->offset = message->offset;
}

LEX_STATUS lex_resend_new(const struct lex_config *config, struct lex_resend **ret_resend,
                          struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    struct lex_resend *r = calloc(1, sizeof *r);
    if (r == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    r->handle = (struct lex_kafka_handle){.logger = "lexecon.resend", .owner = r};
    const struct lex_kafka_setting tuning[] = {{"linger.ms", "0"},
                                               {"message.timeout.ms", "10000"},
                                               {"message.max.bytes", "4194304"},
                                               {"max.in.flight", LEX_KAFKA_IN_FLIGHT},
                                               {NULL, NULL}};
    /* The key leads to the same partition as every other writer's. */
    const struct lex_kafka_setting fixed[] = {{"partitioner", "murmur2_random"},
                                              {"acks", "all"},
                                              {"enable.idempotence", "true"},
                                              {NULL, NULL}};
    enum lex_status status = lex_kafka_conf(config, &r->handle, tuning, fixed, &conf, err);
    if (status == LEX_OK) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        status = lex_kafka_new(RD_KAFKA_PRODUCER, conf, &r->rk, err);
    }
    if (status != LEX_OK) {
        free(r);
        return status;
    }
    *ret_resend = r;
    return LEX_OK;
}

void lex_resend_free(struct lex_resend *resend)
{
    if (resend == NULL)
        return;
    (void)rd_kafka_purge(resend->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(resend->rk, PURGE_MS);
    rd_kafka_destroy(resend->rk);
    free(resend);
}

static rd_kafka_headers_t *headers_of(const struct lex_resend_record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->headers_count);
    for (size_t i = 0; i < record->headers_count; i++)
        (void)rd_kafka_header_add(headers, record->headers[i].name, -1,
                                  record->headers[i].value.data,
                                  (ssize_t)record->headers[i].value.len);
    return headers;
}

/* The headers are the client's once it took the record. */
static rd_kafka_resp_err_t hand_over(struct lex_resend *r, const struct lex_resend_record *record)
{
    rd_kafka_headers_t *headers = headers_of(record);
    bool keyed = !lex_span_absent(record->key);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        r->rk, RD_KAFKA_V_TOPIC(record->topic), RD_KAFKA_V_PARTITION(record->partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(keyed ? (void *)(uintptr_t)record->key.data : NULL,
                       keyed ? record->key.len : 0),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value.data, record->value.len),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers);
    return code;
}

LEX_STATUS lex_resend_write(struct lex_resend *resend, const struct lex_resend_record *record,
                            int32_t *ret_partition, int64_t *ret_offset, struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + WRITE_TIMEOUT_MS * 1000;
    resend->done = false;
    rd_kafka_resp_err_t code = hand_over(resend, record);
    while (code == RD_KAFKA_RESP_ERR_NO_ERROR && !resend->done && lex_clock_mono_us() < until_us)
        (void)rd_kafka_poll(resend->rk, POLL_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = resend->done ? resend->code : RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *advice = lex_kafka_advice(code);
        bool again = code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || lex_kafka_class(code) == LEX_RETRY;
        return lex_fail(err, again ? LEX_RETRY : LEX_REJECT,
                        "the topic %s cannot be written: %s%s%s", record->topic,
                        rd_kafka_err2str(code), advice[0] != 0 ? "; " : "", advice);
    }
    *ret_partition = resend->partition;
    *ret_offset = resend->offset;
    return LEX_OK;
}
