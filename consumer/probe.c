#include "consumer/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "producer/kafka.h"

enum {
    HELLO_TIMEOUT_MS = 8000,
    STEP_MS = 100,
    GROUP_TIMEOUT_MS = 6000,
    OFFSETS_TIMEOUT_MS = 5000,
    INIT_TIMEOUT_MS = 10000,
    WRITE_TIMEOUT_MS = 6000,
    ABORT_TIMEOUT_MS = 5000,
    NEWEST_TIMEOUT_MS = 3000,
    NEWEST_PARTITIONS_MAX = 16,
    NO_PARTITION = 1000000, /* topics have at most 10,000 */
    TXN_ID_MAX_BYTES = 1024,
    TEXT_MAX_BYTES = 512,
};

static const char LOGGER[] = "lexecon.doctor";

/* What the client says by itself; written on librdkafka's threads, hence the lock. */
struct told {
    pthread_mutex_t lock;
    int txn_offset_commit, fetch;
    rd_kafka_resp_err_t worst;
    char reason[TEXT_MAX_BYTES], line[TEXT_MAX_BYTES];
};

struct lex_probe {
    const struct lex_config *config;
    struct lex_kafka_handle handle;
    struct told told;
    rd_kafka_t *rk;
};

/* ---- addresses ---- */

enum { DEFAULT_PORT = 9092 };

/* A port stands behind the last colon, unless that is inside an IPv6 address. */
static bool has_port(const char *host)
{
    const char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');
    return colon != NULL && (bracket == NULL || colon > bracket);
}

bool lex_probe_next_address(const char **list, char ret_address[LEX_PROBE_ADDRESS_MAX_BYTES])
{
    const char *at = *list + strspn(*list, " ,");
    size_t len = strcspn(at, " ,");
    if (len == 0)
        return false;
    *list = at + len;
    char one[LEX_PROBE_ADDRESS_MAX_BYTES - 8];
    (void)snprintf(one, sizeof one, "%.*s", (int)len, at);
    const char *scheme = strstr(one, "://");
    const char *host = scheme != NULL ? scheme + 3 : one;
    if (has_port(host))
        (void)snprintf(ret_address, LEX_PROBE_ADDRESS_MAX_BYTES, "%s", host);
    else
        (void)snprintf(ret_address, LEX_PROBE_ADDRESS_MAX_BYTES, "%s:%d", host, DEFAULT_PORT);
    return true;
}

static enum lex_status split(const char *address, char host[LEX_PROBE_ADDRESS_MAX_BYTES],
                             const char **ret_port, struct lex_error *err)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == 0 ||
        (size_t)(colon - address) >= LEX_PROBE_ADDRESS_MAX_BYTES)
        return lex_fail(err, LEX_REJECT, "%s is no address: expected HOST:PORT", address);
    bool bracketed = address[0] == '[' && colon[-1] == ']';
    size_t from = bracketed ? 1 : 0, len = (size_t)(colon - address) - 2 * from;
    (void)snprintf(host, LEX_PROBE_ADDRESS_MAX_BYTES, "%.*s", (int)len, address + from);
    *ret_port = colon + 1;
    return LEX_OK;
}

/* @return 0, or errno */
static int connect_to(const struct addrinfo *info, int timeout_ms)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int error = connect(fd, info->ai_addr, info->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        socklen_t len = sizeof error;
        int ready = poll(&wait, 1, timeout_ms);
        if (ready <= 0)
            error = ready == 0 ? ETIMEDOUT : errno;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
            error = errno;
    }
    (void)close(fd);
    return error;
}

LEX_STATUS lex_probe_connect(const char *address, int timeout_ms, struct lex_error *err)
{
    char host[LEX_PROBE_ADDRESS_MAX_BYTES];
    const char *port = NULL;
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    LEX_TRY(split(address, host, &port, err));
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0)
        return lex_fail(err, LEX_REJECT, "the name %s does not resolve: %s", host,
                        gai_strerror(code));
    int error = 0;
    for (const struct addrinfo *info = found; info != NULL; info = info->ai_next) {
        error = connect_to(info, timeout_ms);
        if (error == 0)
            break;
    }
    freeaddrinfo(found);
    return error == 0
               ? LEX_OK
               : lex_fail(err, LEX_RETRY, "%s does not answer: %s", address, strerror(error));
}

/* ---- what the client says ---- */

/* As topics.c weighs it: a refused password says more than a closed connection. */
static int weight(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return 0;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED: return 5;
    case RD_KAFKA_RESP_ERR__SSL: return 4;
    case RD_KAFKA_RESP_ERR__RESOLVE: return 3;
    case RD_KAFKA_RESP_ERR__TRANSPORT: return 2;
    default: return 1;
    }
}

/* Inside rd_kafka_poll, on our thread. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct lex_probe *p = ((struct lex_kafka_handle *)opaque)->owner;
    (void)rk;
    if (weight((rd_kafka_resp_err_t)code) <= weight(p->told.worst))
        return;
    p->told.worst = (rd_kafka_resp_err_t)code;
    (void)snprintf(p->told.reason, sizeof p->told.reason, "%s", reason);
    char *after = strstr(p->told.reason, " (after ");
    if (after != NULL)
        *after = 0;
}

/* "... ApiKey Fetch (1) Versions 4..18": the client keeps what it learns to itself, but says it
 * here. */
static void hear_version(const char *text, const char *name, int *ret)
{
    const char *at = strstr(text, name);
    const char *dots = at != NULL ? strstr(at, "..") : NULL;
    int64_t newest;
    if (dots == NULL || lex_json_int64(lex_span_str(dots + 2), &newest) != LEX_OK)
        return;
    *ret = newest >= 0 && newest <= INT16_MAX ? (int)newest : -1; /* a version has 16 bits */
}

/* @thread librdkafka's */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct lex_kafka_handle *handle = rk != NULL ? rd_kafka_opaque(rk) : NULL;
    if (handle == NULL)
        return;
    struct lex_probe *p = handle->owner;
    (void)pthread_mutex_lock(&p->told.lock);
    if (strcmp(facility, "APIVERSION") == 0) {
        hear_version(text, "ApiKey TxnOffsetCommit (28)", &p->told.txn_offset_commit);
        hear_version(text, "ApiKey Fetch (1)", &p->told.fetch);
    } else if (level <= LOG_ERR) {
        (void)snprintf(p->told.line, sizeof p->told.line, "%s", text);
    }
    (void)pthread_mutex_unlock(&p->told.lock);
}

/* ---- life ---- */

static void init(struct lex_probe *p, const struct lex_config *config)
{
    *p = (struct lex_probe){.config = config};
    p->handle.logger = LOGGER;
    p->handle.owner = p;
    (void)pthread_mutex_init(&p->told.lock, NULL);
    p->told.txn_offset_commit = p->told.fetch = -1;
}

static enum lex_status open_client(
    struct lex_probe *p, rd_kafka_type_t type, const struct lex_kafka_setting *fixed,
    void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *), struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    const struct lex_kafka_setting tuning[] = {
        {"fetch.wait.max.ms", "50"}, {"reconnect.backoff.max.ms", "500"}, {NULL, NULL}};
    LEX_TRY(lex_kafka_conf(p->config, &p->handle, type == RD_KAFKA_CONSUMER ? tuning : NULL, fixed,
                           &conf, err));
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (delivered != NULL)
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    return lex_kafka_new(type, conf, &p->rk, err);
}

LEX_STATUS lex_probe_new(const struct lex_config *config, const char *address,
                         struct lex_probe **ret_probe, struct lex_error *err)
{
    struct lex_probe *p = malloc(sizeof *p);
    if (p == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    init(p, config);
    const struct lex_kafka_setting fixed[] = {
        {"group.id", config->group},
        {"debug", "feature"},
        {"isolation.level", "read_committed"},
        {"enable.partition.eof", "true"},
        {"enable.auto.commit", "false"},
        {"allow.auto.create.topics", "false"},
        {address != NULL ? "bootstrap.servers" : NULL, address},
        {NULL, NULL}};
    enum lex_status status = open_client(p, RD_KAFKA_CONSUMER, fixed, NULL, err);
    if (status != LEX_OK) {
        lex_probe_free(p);
        return status;
    }
    *ret_probe = p;
    return LEX_OK;
}

static void fini(struct lex_probe *p)
{
    if (p->rk != NULL)
        rd_kafka_destroy(p->rk);
    (void)pthread_mutex_destroy(&p->told.lock);
}

void lex_probe_free(struct lex_probe *probe)
{
    if (probe == NULL)
        return;
    fini(probe);
    free(probe);
}

/* ---- hello ---- */

static void name_brokers(const struct rd_kafka_metadata *metadata, struct lex_probe_cluster *ret)
{
    for (int i = 0; i < metadata->broker_cnt && ret->brokers_count < LEX_PROBE_BROKERS_MAX; i++) {
        const char *host = metadata->brokers[i].host;
        bool bare = strchr(host, ':') != NULL && host[0] != '[';
        (void)snprintf(ret->brokers[ret->brokers_count++], LEX_PROBE_ADDRESS_MAX_BYTES,
                       bare ? "[%s]:%d" : "%s:%d", host, metadata->brokers[i].port);
    }
}

/* Where nothing came, what the client said meanwhile tells where it ended. */
static enum lex_status unreachable(struct lex_probe *p, rd_kafka_resp_err_t code,
                                   struct lex_error *err)
{
    rd_kafka_resp_err_t shown = p->told.worst != RD_KAFKA_RESP_ERR_NO_ERROR ? p->told.worst : code;
    const char *advice = lex_kafka_advice(shown);
    if (advice[0] == 0)
        advice = lex_kafka_advice(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN);
    return lex_fail(err, LEX_RETRY, "%.400s\n%s",
                    p->told.reason[0] != 0 ? p->told.reason : rd_kafka_err2str(code), advice);
}

LEX_STATUS lex_probe_hello(struct lex_probe *probe, struct lex_probe_cluster *ret_cluster,
                           struct lex_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int64_t until_us = lex_clock_mono_us() + HELLO_TIMEOUT_MS * 1000;
    rd_kafka_resp_err_t code;
    do {
        code = rd_kafka_metadata(probe->rk, 0, NULL, &metadata, 3 * STEP_MS);
        (void)rd_kafka_poll(probe->rk,
                            code == RD_KAFKA_RESP_ERR__TRANSPORT ? 3 * STEP_MS : STEP_MS / 10);
    } while (code != RD_KAFKA_RESP_ERR_NO_ERROR &&
             weight(probe->told.worst) < weight(RD_KAFKA_RESP_ERR__SSL) &&
             lex_clock_mono_us() < until_us);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return unreachable(probe, code, err);
    struct lex_probe_cluster cluster = {.brokers_count = 0};
    name_brokers(metadata, &cluster);
    rd_kafka_metadata_destroy(metadata);
    (void)pthread_mutex_lock(&probe->told.lock);
    cluster.txn_offset_commit = probe->told.txn_offset_commit;
    cluster.fetch = probe->told.fetch;
    (void)pthread_mutex_unlock(&probe->told.lock);
    *ret_cluster = cluster;
    return LEX_OK;
}

/* The newest Fetch that each line of versions speaks: Kafka's protocol guide. */
static const struct {
    int fetch;
    const char *version;
} VERSIONS[] = {{17, "3.9"}, {16, "3.7"}, {15, "3.5"}, {14, "3.5"},
                {13, "3.1"}, {12, "2.7"}, {11, "2.3"}};

const char *lex_probe_version(const struct lex_probe_cluster *cluster)
{
    for (size_t i = 0; i < LEX_COUNT_OF(VERSIONS); i++)
        if (cluster->fetch >= VERSIONS[i].fetch)
            return VERSIONS[i].version;
    return cluster->fetch < 0 ? "unknown" : "older than 2.3";
}

bool lex_probe_version_suffices(const struct lex_probe_cluster *cluster)
{
    return cluster->txn_offset_commit >= 3;
}

const char *lex_probe_client_version(void)
{
    return rd_kafka_version_str();
}

/* ---- the group ---- */

static enum lex_status undescribed(rd_kafka_resp_err_t code, const char *text,
                                   struct lex_error *err)
{
    bool refused = code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    return lex_fail(err, refused ? LEX_REJECT : LEX_RETRY, "the group cannot be described: %s",
                    text);
}

static enum lex_status read_group(rd_kafka_event_t *event, struct lex_probe_group *ret,
                                  struct lex_error *err)
{
    size_t count = 0;
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return undescribed(rd_kafka_event_error(event), rd_kafka_event_error_string(event), err);
    const rd_kafka_ConsumerGroupDescription_t **groups =
        rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    if (count != 1)
        return lex_fail(err, LEX_RETRY, "the group cannot be described");
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
    if (error != NULL)
        return undescribed(rd_kafka_error_code(error), rd_kafka_error_string(error), err);
    const char *assignor = rd_kafka_ConsumerGroupDescription_partition_assignor(groups[0]);
    (void)snprintf(
        ret->state, sizeof ret->state, "%s",
        rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(groups[0])));
    (void)snprintf(ret->assignor, sizeof ret->assignor, "%s", assignor != NULL ? assignor : "");
    ret->members = rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
    return LEX_OK;
}

static enum lex_status describe(struct lex_probe *p, struct lex_probe_group *ret,
                                struct lex_error *err)
{
    const char *names[] = {p->config->group};
    rd_kafka_queue_t *queue = rd_kafka_queue_new(p->rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(p->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    char text[TEXT_MAX_BYTES];
    (void)rd_kafka_AdminOptions_set_request_timeout(options, OFFSETS_TIMEOUT_MS, text, sizeof text);
    rd_kafka_DescribeConsumerGroups(p->rk, names, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 2 * OFFSETS_TIMEOUT_MS);
    enum lex_status status = event != NULL ? read_group(event, ret, err)
                                           : lex_fail(err, LEX_RETRY,
                                                      "the group is not described "
                                                      "in time");
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return status;
}

static enum lex_status add_lag(struct lex_probe *p, const rd_kafka_topic_partition_t *one,
                               struct lex_probe_group *ret, struct lex_error *err)
{
    struct lex_kafka_range range = {.partition = one->partition};
    lex_kafka_ranges(p->rk, p->config->requests_topic, &range, 1, OFFSETS_TIMEOUT_MS);
    if (range.code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return lex_fail(err, LEX_RETRY, "the requests' ends are not told: %s",
                        rd_kafka_err2str(range.code));
    bool committed = one->offset >= 0;
    int64_t from = committed && one->offset > range.low ? one->offset : range.low;
    ret->committed += committed;
    ret->lag += range.high > from ? range.high - from : 0;
    return LEX_OK;
}

LEX_STATUS lex_probe_group_look(struct lex_probe *probe, int32_t partitions,
                                struct lex_probe_group *ret_group, struct lex_error *err)
{
    struct lex_probe_group group = {.partitions = partitions};
    LEX_TRY(describe(probe, &group, err));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, probe->config->requests_topic, i);
    rd_kafka_resp_err_t code = rd_kafka_committed(probe->rk, list, OFFSETS_TIMEOUT_MS);
    enum lex_status status = code == RD_KAFKA_RESP_ERR_NO_ERROR
                                 ? LEX_OK
                                 : lex_fail(err, LEX_RETRY, "the group's offsets are not told: %s",
                                            rd_kafka_err2str(code));
    for (int i = 0; i < list->cnt && status == LEX_OK; i++)
        status = add_lag(probe, &list->elems[i], &group, err);
    rd_kafka_topic_partition_list_destroy(list);
    if (status == LEX_OK)
        *ret_group = group;
    return status;
}

/* ---- the right to it ---- */

static enum lex_status no_group_right(struct lex_probe *p, struct lex_error *err)
{
    return lex_fail(err, LEX_REJECT, "this user may not use the group %s", p->config->group);
}

static rd_kafka_resp_err_t offer_offset(struct lex_probe *p)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, p->config->requests_topic, NO_PARTITION)->offset = 0;
    rd_kafka_resp_err_t code = rd_kafka_commit(p->rk, list, 0);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

LEX_STATUS lex_probe_group_right(struct lex_probe *probe, struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + GROUP_TIMEOUT_MS * 1000;
    struct lex_probe_group ignored;
    rd_kafka_resp_err_t code;
    /* Without the right to describe it the client finds no coordinator, and waits for one. */
    if (describe(probe, &ignored, err) == LEX_REJECT)
        return no_group_right(probe, err);
    do {
        (void)rd_kafka_poll(probe->rk, STEP_MS);
        code = offer_offset(probe);
        if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
            return no_group_right(probe, err);
        if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
            code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            return LEX_OK;
    } while (lex_clock_mono_us() < until_us);
    return lex_fail(err, LEX_RETRY, "the group's coordinator does not answer: %s",
                    rd_kafka_err2str(code));
}

/* ---- writing ---- */

struct delivery {
    bool done;
    rd_kafka_resp_err_t code;
    int64_t broker_ms;
};

/* Inside rd_kafka_poll, on our thread. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct delivery *d = message->_private;
    rd_kafka_timestamp_type_t type;
    (void)rk;
    (void)opaque;
    int64_t ms = rd_kafka_message_timestamp(message, &type);
    d->done = true;
    d->code = message->err;
    d->broker_ms = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? ms : -1;
}

static enum lex_status refused(const char *what, const char *text, struct lex_error *err)
{
    return lex_fail(err, LEX_REJECT, "this user may not %s: %s", what, text);
}

static bool is_authorization(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
}

/* @owns error */
static enum lex_status judge_error(rd_kafka_error_t *error, struct lex_error *err)
{
    if (error == NULL)
        return LEX_OK;
    bool auth = is_authorization(rd_kafka_error_code(error));
    enum lex_status status =
        auth ? refused("use the transactional ids of this group", rd_kafka_error_string(error), err)
             : lex_fail(err, LEX_RETRY, "no transaction: %s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return status;
}

/* A right that is missing fails the transaction before the record leaves: then the record is purged
 * and the client's own line has the reason. */
static enum lex_status judge_delivery(struct lex_probe *p, const char *topic,
                                      const struct delivery *d, struct lex_error *err)
{
    char line[TEXT_MAX_BYTES];
    (void)pthread_mutex_lock(&p->told.lock);
    (void)snprintf(line, sizeof line, "%s", p->told.line);
    (void)pthread_mutex_unlock(&p->told.lock);
    if (!d->done)
        return lex_fail(err, LEX_RETRY, "a record for %s is not taken in time", topic);
    if (d->code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return LEX_OK;
    if (d->code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        strstr(line, "Topic authorization failed") != NULL)
        return lex_fail(err, LEX_REJECT, "this user may not write to the topic %s", topic);
    return lex_fail(err, LEX_RETRY, "a record for %s is not taken: %s", topic,
                    d->code == RD_KAFKA_RESP_ERR__PURGE_QUEUE && line[0] != 0
                        ? line
                        : rd_kafka_err2str(d->code));
}

static enum lex_status write_record(struct lex_probe *p, const char *topic,
                                    struct lex_probe_written *ret, struct lex_error *err)
{
    struct delivery d = {.broker_ms = -1};
    int64_t until_us = lex_clock_mono_us() + WRITE_TIMEOUT_MS * 1000;
    int64_t before_us = lex_clock_wall_us();
    LEX_TRY(judge_error(rd_kafka_begin_transaction(p->rk), err));
    rd_kafka_resp_err_t code =
        rd_kafka_producev(p->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                          RD_KAFKA_V_KEY((void *)(uintptr_t)LOGGER, sizeof LOGGER - 1),
                          RD_KAFKA_V_OPAQUE(&d), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        d.done = true;
        d.code = code;
    }
    while (!d.done && lex_clock_mono_us() < until_us)
        (void)rd_kafka_poll(p->rk, STEP_MS / 10);
    *ret = (struct lex_probe_written){d.broker_ms, (before_us + lex_clock_wall_us()) / 2000};
    enum lex_status status = judge_delivery(p, topic, &d, err);
    rd_kafka_error_t *error = rd_kafka_abort_transaction(p->rk, ABORT_TIMEOUT_MS);
    if (error != NULL)
        rd_kafka_error_destroy(error); /* then its timeout aborts it */
    (void)rd_kafka_poll(p->rk, 0);     /* a purged record is told, or it would outlive `d` */
    return status;
}

struct lex_probe_writer {
    struct lex_probe client; /* its rk is NULL where a new one is to be made */
    char id[TXN_ID_MAX_BYTES];
};

/* One that failed is done with: a fatal error stays. */
static void close_client(struct lex_probe *p)
{
    if (p->rk != NULL)
        rd_kafka_destroy(p->rk);
    p->rk = NULL;
    p->told.line[0] = 0;
}

static enum lex_status ensure_client(struct lex_probe_writer *w, struct lex_error *err)
{
    if (w->client.rk != NULL)
        return LEX_OK;
    const struct lex_kafka_setting fixed[] = {{"transactional.id", w->id},
                                              {"transaction.timeout.ms", "5000"},
                                              {"message.timeout.ms", "5000"},
                                              {"linger.ms", "0"},
                                              {NULL, NULL}};
    LEX_TRY(open_client(&w->client, RD_KAFKA_PRODUCER, fixed, on_delivery, err));
    return judge_error(rd_kafka_init_transactions(w->client.rk, INIT_TIMEOUT_MS), err);
}

LEX_STATUS lex_probe_writer_new(const struct lex_config *config,
                                struct lex_probe_writer **ret_writer, struct lex_error *err)
{
    struct lex_probe_writer *w = malloc(sizeof *w);
    if (w == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    init(&w->client, config);
    (void)snprintf(w->id, sizeof w->id, "%s.%s.%s.doctor", config->group, config->node_id,
                   config->instance);
    *ret_writer = w;
    return LEX_OK;
}

void lex_probe_writer_free(struct lex_probe_writer *writer)
{
    if (writer == NULL)
        return;
    fini(&writer->client);
    free(writer);
}

LEX_STATUS lex_probe_write(struct lex_probe_writer *writer, const char *topic,
                           struct lex_probe_written *ret_written, struct lex_error *err)
{
    struct lex_probe_written written = {-1, lex_clock_wall_us() / 1000};
    enum lex_status status = ensure_client(writer, err);
    if (status == LEX_OK && topic != NULL)
        status = write_record(&writer->client, topic, &written, err);
    if (status != LEX_OK) {
        close_client(&writer->client);
        return status;
    }
    *ret_written = written;
    return LEX_OK;
}

/* ---- reading ---- */

/* The last few offsets, since the very last may hold a marker. */
static enum lex_status assign_ends(struct lex_probe *p, const char *topic, int32_t partitions,
                                   struct lex_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_TAIL(16);
    rd_kafka_resp_err_t code = rd_kafka_assign(p->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? LEX_OK
               : lex_fail(err, LEX_RETRY, "the topic %s cannot be read: %s", topic,
                          rd_kafka_err2str(code));
}

LEX_STATUS lex_probe_newest(struct lex_probe *probe, const char *topic, int32_t partitions,
                            int64_t *ret_ms, struct lex_error *err)
{
    int64_t newest_ms = -1, until_us = lex_clock_mono_us() + NEWEST_TIMEOUT_MS * 1000;
    int32_t open = partitions < NEWEST_PARTITIONS_MAX ? partitions : NEWEST_PARTITIONS_MAX;
    (void)rd_kafka_poll_set_consumer(probe->rk);
    LEX_TRY(assign_ends(probe, topic, open, err));
    while (open > 0 && lex_clock_mono_us() < until_us) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(probe->rk, STEP_MS);
        if (message == NULL)
            continue;
        int64_t ms = message->err == RD_KAFKA_RESP_ERR_NO_ERROR
                         ? rd_kafka_message_timestamp(message, NULL)
                         : -1;
        open -= message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        newest_ms = ms > newest_ms ? ms : newest_ms;
        rd_kafka_message_destroy(message);
    }
    (void)rd_kafka_assign(probe->rk, NULL);
    if (open > 0 && newest_ms < 0)
        return lex_fail(err, LEX_RETRY, "the topic %s is not read in time", topic);
    *ret_ms = newest_ms;
    return LEX_OK;
}
