#include "consumer/embedded.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

struct lex_embedded {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
};

static void ignore_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

static enum lex_status create_topics(struct lex_embedded *e, const struct lex_config *config,
                                     int partitions, struct lex_error *err)
{
    const char *const topics[] = {config->requests_topic, config->verdicts_topic,
                                  config->ledger_topic, config->dead_letters_topic,
                                  config->policies_topic};
    enum { POLICIES = LEX_COUNT_OF(topics) - 1 };
    for (size_t i = 0; i < LEX_COUNT_OF(topics); i++) {
        rd_kafka_resp_err_t code =
            rd_kafka_mock_topic_create(e->cluster, topics[i], i == POLICIES ? 1 : partitions, 1);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return lex_fail(err, LEX_REJECT, "the embedded broker refuses the topic %s: %s",
                            topics[i], rd_kafka_err2str(code));
    }
    return LEX_OK;
}

LEX_STATUS lex_embedded_start(const struct lex_config *config, int partitions,
                              struct lex_embedded **ret_embedded, struct lex_error *err)
{
    char text[256];
    struct lex_embedded *e = calloc(1, sizeof *e);
    if (e == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, ignore_log);
    e->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (e->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        free(e);
        return lex_fail(err, LEX_REJECT, "the embedded broker does not start: %s", text);
    }
    e->cluster = rd_kafka_mock_cluster_new(e->rk, 1);
    enum lex_status status = e->cluster != NULL
                                 ? create_topics(e, config, partitions, err)
                                 : lex_fail(err, LEX_REJECT, "the embedded broker does not start");
    if (status != LEX_OK) {
        lex_embedded_stop(e);
        return status;
    }
    *ret_embedded = e;
    return LEX_OK;
}

void lex_embedded_stop(struct lex_embedded *embedded)
{
    if (embedded == NULL)
        return;
    if (embedded->cluster != NULL)
        rd_kafka_mock_cluster_destroy(embedded->cluster);
    rd_kafka_destroy(embedded->rk);
    free(embedded);
}

const char *lex_embedded_bootstrap(const struct lex_embedded *embedded)
{
    return rd_kafka_mock_cluster_bootstraps(embedded->cluster);
}
