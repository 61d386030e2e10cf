#include "consumer/topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/clock.h"
#include "producer/kafka.h"

enum {
    REACH_TIMEOUT_MS = 10000, /* for the first answer of any broker */
    LOOK_STEP_MS = 250,
    ADMIN_TIMEOUT_MS = 10000,
    APPEAR_TIMEOUT_MS = 5000, /* until a new topic is known */
    READ_TIMEOUT_MS = 2000,   /* until a fetch is answered */
    READ_STEP_MS = 100,
};

struct lex_topics {
    const struct lex_config *config;
    struct lex_kafka_handle handle;
    rd_kafka_t *rk;
    rd_kafka_queue_t *results;
    rd_kafka_resp_err_t worst; /* the client's error that says most about why nothing answers */
    char reason[512];
};

/* ---- what the client says by itself ---- */

/* How much an error tells an operator: a refused password more than a closed connection, that more
 * than "no broker". */
static int weight(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED: return 5;
    case RD_KAFKA_RESP_ERR__SSL: return 4;
    case RD_KAFKA_RESP_ERR__RESOLVE: return 3;
    case RD_KAFKA_RESP_ERR__TRANSPORT: return 2;
    case RD_KAFKA_RESP_ERR_NO_ERROR: return 0;
    default: return 1;
    }
}

/* Inside rd_kafka_poll, on our thread. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct lex_topics *t = ((struct lex_kafka_handle *)opaque)->owner;
    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        t->handle.all_down = true;
    if (weight((rd_kafka_resp_err_t)code) <= weight(t->worst))
        return;
    t->worst = (rd_kafka_resp_err_t)code;
    (void)snprintf(t->reason, sizeof t->reason, "%s", reason);
    char *after = strstr(t->reason, " (after "); /* so many milliseconds: not another problem */
    if (after != NULL)
        *after = 0;
}

static bool is_hopeless(const struct lex_topics *t)
{
    return t->handle.all_down || weight(t->worst) >= weight(RD_KAFKA_RESP_ERR__SSL);
}

static enum lex_status unreachable(struct lex_topics *t, rd_kafka_resp_err_t code,
                                   struct lex_error *err)
{
    const char *servers = lex_config_kafka_get(t->config, "bootstrap.servers");
    rd_kafka_resp_err_t shown = t->worst != RD_KAFKA_RESP_ERR_NO_ERROR ? t->worst : code;
    const char *advice = lex_kafka_advice(shown);
    if (advice[0] == 0)
        advice = lex_kafka_advice(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN);
    return lex_fail(err, LEX_RETRY, "no broker of %.200s can be used: %.300s. %s",
                    servers != NULL ? servers : "(kafka.bootstrap.servers is not set)",
                    t->reason[0] != 0 ? t->reason : rd_kafka_err2str(code), advice);
}

/* What a refused or failed request about `name` means. */
static enum lex_status refused(struct lex_topics *t, rd_kafka_resp_err_t code, const char *text,
                               const char *name, const char *operation, const char *acl,
                               struct lex_error *err)
{
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
        return lex_fail(err, LEX_REJECT,
                        "this user may not %s the topic %s: it needs %s (kafka-acls.sh "
                        "--bootstrap-server %s --add --allow-principal User:<name> %s)",
                        operation, name, acl, lex_config_kafka_get(t->config, "bootstrap.servers"),
                        acl);
    enum lex_status status = lex_kafka_class(code) == LEX_RETRY ? LEX_RETRY : LEX_REJECT;
    return lex_fail(err, status, "cannot %s the topic %s: %s", operation, name,
                    text != NULL && text[0] != 0 ? text : rd_kafka_err2str(code));
}

/* ---- life ---- */

LEX_STATUS lex_topics_new(const struct lex_config *config, struct lex_topics **ret_topics,
                          struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    struct lex_topics *t = calloc(1, sizeof *t);
    if (t == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    t->config = config;
    t->handle.logger = "lexecon.topics";
    t->handle.owner = t;
    const struct lex_kafka_setting tuning[] = {{"fetch.wait.max.ms", "10"}, {NULL, NULL}};
    const struct lex_kafka_setting fixed[] = {{"group.id", config->group},
                                              {"enable.partition.eof", "true"},
                                              {"allow.auto.create.topics", "false"},
                                              {"enable.auto.commit", "false"},
                                              {NULL, NULL}};
    enum lex_status status = lex_kafka_conf(config, &t->handle, tuning, fixed, &conf, err);
    if (status == LEX_OK) {
        rd_kafka_conf_set_error_cb(conf, on_error);
        status = lex_kafka_new(RD_KAFKA_CONSUMER, conf, &t->rk, err);
    }
    if (status != LEX_OK) {
        free(t);
        return status;
    }
    t->results = rd_kafka_queue_new(t->rk);
    *ret_topics = t;
    return LEX_OK;
}

void lex_topics_free(struct lex_topics *topics)
{
    if (topics == NULL)
        return;
    rd_kafka_queue_destroy(topics->results);
    rd_kafka_destroy(topics->rk);
    free(topics);
}

/* ---- looking ---- */

static void describe(const struct rd_kafka_metadata_topic *found, struct lex_topic *ret)
{
    struct lex_topic topic = {.exists = true, .partitions = found->partition_cnt};
    for (int i = 0; i < found->partition_cnt; i++) {
        int32_t replicas = found->partitions[i].replica_cnt;
        if (i == 0 || replicas < topic.replication)
            topic.replication = replicas;
    }
    *ret = topic;
}

static enum lex_status judge(struct lex_topics *t, const struct rd_kafka_metadata *metadata,
                             const char *name, struct lex_topic *ret, struct lex_error *err)
{
    rd_kafka_resp_err_t code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                                        : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    char acl[400];
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        describe(&metadata->topics[0], ret);
        return LEX_OK;
    }
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
        *ret = (struct lex_topic){0};
        return LEX_OK;
    }
    (void)snprintf(acl, sizeof acl, "--operation Describe --topic %s", name);
    return refused(t, code, NULL, name, "look at", acl, err);
}

static rd_kafka_resp_err_t ask(struct lex_topics *t, const char *name, int timeout_ms,
                               const struct rd_kafka_metadata **ret)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(t->rk, name, NULL);
    if (topic == NULL)
        return rd_kafka_last_error();
    rd_kafka_resp_err_t code = rd_kafka_metadata(t->rk, 0, topic, ret, timeout_ms);
    rd_kafka_topic_destroy(topic);
    (void)rd_kafka_poll(t->rk, 0);
    return code;
}

LEX_STATUS lex_topics_look(struct lex_topics *topics, const char *name, struct lex_topic *ret_topic,
                           struct lex_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int64_t until_us = lex_clock_mono_us() + REACH_TIMEOUT_MS * 1000;
    rd_kafka_resp_err_t code;
    do {
        code = ask(topics, name, LOOK_STEP_MS, &metadata);
        if (code == RD_KAFKA_RESP_ERR__TRANSPORT) /* fails at once, without waiting */
            (void)rd_kafka_poll(topics->rk, LOOK_STEP_MS);
    } while (code != RD_KAFKA_RESP_ERR_NO_ERROR && !is_hopeless(topics) &&
             lex_clock_mono_us() < until_us);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return unreachable(topics, code, err);
    enum lex_status status = judge(topics, metadata, name, ret_topic, err);
    rd_kafka_metadata_destroy(metadata);
    return status;
}

/* ---- settings ---- */

static rd_kafka_event_t *await_result(struct lex_topics *t)
{
    return rd_kafka_queue_poll(t->results, ADMIN_TIMEOUT_MS);
}

static int64_t number_of(const char *text)
{
    char *end;
    if (text == NULL || text[0] == 0)
        return 0;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno == 0 && *end == 0 ? value : 0;
}

static void read_settings(const rd_kafka_ConfigResource_t *resource, struct lex_topic_settings *ret)
{
    size_t count;
    struct lex_topic_settings settings = {.retention_bytes = -1};
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value == NULL)
            continue;
        if (strcmp(name, "cleanup.policy") == 0)
            (void)snprintf(settings.cleanup_policy, sizeof settings.cleanup_policy, "%s", value);
        else if (strcmp(name, "retention.ms") == 0)
            settings.retention_ms = number_of(value);
        else if (strcmp(name, "retention.bytes") == 0)
            settings.retention_bytes = number_of(value);
        else if (strcmp(name, "min.insync.replicas") == 0)
            settings.min_insync_replicas = number_of(value);
        else if (strcmp(name, "max.message.bytes") == 0)
            settings.max_message_bytes = number_of(value);
        else if (strcmp(name, "message.timestamp.type") == 0)
            settings.log_append_time = strcmp(value, "LogAppendTime") == 0;
    }
    *ret = settings;
}

static enum lex_status judge_settings(struct lex_topics *t, rd_kafka_event_t *event,
                                      const char *name, struct lex_topic_settings *ret,
                                      struct lex_error *err)
{
    char acl[400];
    size_t count = 0;
    (void)snprintf(acl, sizeof acl, "--operation DescribeConfigs --topic %s", name);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return refused(t, code, rd_kafka_event_error_string(event), name, "read the settings of",
                       acl, err);
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(result, &count);
    if (count != 1)
        return lex_fail(err, LEX_REJECT, "the broker does not tell the settings of %s", name);
    code = rd_kafka_ConfigResource_error(resources[0]);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return refused(t, code, rd_kafka_ConfigResource_error_string(resources[0]), name,
                       "read the settings of", acl, err);
    read_settings(resources[0], ret);
    return LEX_OK;
}

LEX_STATUS lex_topics_settings(struct lex_topics *topics, const char *name,
                               struct lex_topic_settings *ret_settings, struct lex_error *err)
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(topics->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(topics->rk, &resource, 1, options, topics->results);
    rd_kafka_event_t *event = await_result(topics);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    if (event == NULL)
        return lex_fail(err, LEX_RETRY, "the broker does not tell the settings of %s in time",
                        name);
    enum lex_status status = judge_settings(topics, event, name, ret_settings, err);
    rd_kafka_event_destroy(event);
    return status;
}

/* ---- reading ---- */

/* What a message says of the right to read; LEX_RETRY is nothing. */
static enum lex_status judge_read(struct lex_topics *t, const rd_kafka_message_t *message,
                                  const char *name, struct lex_error *err)
{
    char acl[400];
    const char *servers = lex_config_kafka_get(t->config, "bootstrap.servers");
    bool joins = t->config->role != LEX_ROLE_AUDIT; /* who does not needs no right to the group */
    if (message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED && joins)
        return lex_fail(err, LEX_REJECT,
                        "this user may not use the group %s: it needs --operation Read --group %s "
                        "(kafka-acls.sh --bootstrap-server %s --add --allow-principal User:<name> "
                        "--operation Read --group %s)",
                        t->config->group, t->config->group, servers, t->config->group);
    if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        (void)snprintf(acl, sizeof acl, "--operation Read --topic %s", name);
        return refused(t, message->err, NULL, name, "read", acl, err);
    }
    bool at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    return at_end || message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? LEX_OK : LEX_RETRY;
}

static enum lex_status await_read(struct lex_topics *t, const char *name, struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + READ_TIMEOUT_MS * 1000;
    enum lex_status status = LEX_RETRY;
    while (status == LEX_RETRY && lex_clock_mono_us() < until_us) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(t->rk, READ_STEP_MS);
        if (message == NULL)
            continue;
        status = judge_read(t, message, name, err);
        rd_kafka_message_destroy(message);
    }
    return status == LEX_RETRY ? LEX_OK : status;
}

LEX_STATUS lex_topics_read(struct lex_topics *topics, const char *name, struct lex_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, name, 0)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code = rd_kafka_assign(topics->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return lex_fail(err, LEX_RETRY, "the topic %s cannot be read: %s", name,
                        rd_kafka_err2str(code));
    enum lex_status status = await_read(topics, name, err);
    (void)rd_kafka_assign(topics->rk, NULL);
    return status;
}

/* ---- making ---- */

static void set_config(void *user, const char *name, const char *value)
{
    (void)rd_kafka_NewTopic_set_config(user, name, value);
}

static rd_kafka_NewTopic_t *new_topic(const struct lex_topic_plan *plan, struct lex_error *err)
{
    char text[512];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(plan->name, plan->partitions, plan->replication, text, sizeof text);
    if (topic == NULL) {
        (void)lex_fail(err, LEX_REJECT, "the topic %s cannot be made: %s", plan->name, text);
        return NULL;
    }
    lex_topic_plan_settings(plan, set_config, topic);
    return topic;
}

static enum lex_status judge_creation(struct lex_topics *t, rd_kafka_event_t *event,
                                      const char *name, struct lex_error *err)
{
    static const char acl[] = "--operation Create --cluster";
    size_t count = 0;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return refused(t, code, rd_kafka_event_error_string(event), name, "make", acl, err);
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    code = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__FAIL;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return LEX_OK;
    const char *text = count == 1 ? rd_kafka_topic_result_error_string(results[0]) : NULL;
    if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
        return lex_fail(err, LEX_REJECT,
                        "cannot make the topic %s: %.400s Start more brokers, or lower replication "
                        "and min_isr in ledger_requirements",
                        name, text != NULL ? text : rd_kafka_err2str(code));
    return refused(t, code, text, name, "make", acl, err);
}

/* Brokers learn of a new topic one after the other. */
static enum lex_status await_topic(struct lex_topics *t, const char *name, struct lex_error *err)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000000L};
    int64_t until_us = lex_clock_mono_us() + APPEAR_TIMEOUT_MS * 1000;
    struct lex_topic topic;
    do {
        LEX_TRY(lex_topics_look(t, name, &topic, err));
        if (topic.exists && topic.partitions > 0)
            return LEX_OK;
        (void)nanosleep(&pause, NULL);
    } while (lex_clock_mono_us() < until_us);
    return lex_fail(err, LEX_RETRY, "the topic %s was made, but no broker knows it yet", name);
}

LEX_STATUS lex_topics_create(struct lex_topics *topics, const struct lex_topic_plan *plan,
                             struct lex_error *err)
{
    rd_kafka_NewTopic_t *topic = new_topic(plan, err);
    if (topic == NULL)
        return LEX_REJECT;
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(topics->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(topics->rk, &topic, 1, options, topics->results);
    rd_kafka_event_t *event = await_result(topics);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    if (event == NULL)
        return lex_fail(err, LEX_RETRY, "the broker does not make the topic %s in time",
                        plan->name);
    enum lex_status status = judge_creation(topics, event, plan->name, err);
    rd_kafka_event_destroy(event);
    return status == LEX_OK ? await_topic(topics, plan->name, err) : status;
}
