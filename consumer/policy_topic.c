#include "consumer/policy_topic.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/topics.h"
#include "core/base/clock.h"
#include "core/identity/token.h"

enum {
    FETCH_WAIT_MS = 100,
    PREFETCH_KB = 16384,
    RECEIVE_MAX_BYTES = LEX_PUBLISHED_MAX_BYTES + (16 << 20), /* one answer to a fetch */
    PARTITIONS_MAX = 1024,
    ARENA_CHUNK_BYTES = 64 << 10,
    POLL_MS = 100,
    NAME_MAX_BYTES = 96, /* of a name from a document, in a message */
};
/* A signed text is taken apart in memory: header and payload, beside the text itself. */
static const size_t arena_max_bytes = 2 * (size_t)LEX_JWS_MAX_BYTES;

struct lex_policy_topic {
    const struct lex_config *config;
    struct lex_kafka_handle handle;
    rd_kafka_t *rk;
    rd_kafka_message_t *message; /* what the last record borrows */
    bool ended[PARTITIONS_MAX];
    int32_t partitions, open; /* of the topic; those not read to their end yet */
};

/* ---- life ---- */

static enum lex_status find(const struct lex_config *config, int32_t *ret_partitions,
                            struct lex_error *err)
{
    struct lex_topics *topics;
    struct lex_topic found;
    LEX_TRY(lex_topics_new(config, &topics, err));
    enum lex_status status = lex_topics_look(topics, config->policies_topic, &found, err);
    lex_topics_free(topics);
    LEX_TRY(status);
    if (!found.exists)
        return lex_fail(err, LEX_REJECT,
                        "the topic %s does not exist: set create_topics=true, or kafka-topics.sh "
                        "--bootstrap-server %s --create --partitions 1 --topic %s --config "
                        "cleanup.policy=compact",
                        config->policies_topic, lex_config_kafka_get(config, "bootstrap.servers"),
                        config->policies_topic);
    if (found.partitions > PARTITIONS_MAX)
        return lex_fail(err, LEX_REJECT, "the topic %s has %d partitions: at most %d are read",
                        config->policies_topic, found.partitions, PARTITIONS_MAX);
    *ret_partitions = found.partitions;
    return LEX_OK;
}

LEX_STATUS lex_policy_topic_look(const struct lex_config *config, struct lex_error *err)
{
    int32_t partitions;
    return find(config, &partitions, err);
}

static enum lex_status open_consumer(struct lex_policy_topic *t, struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    char wait[16], queue_kb[16], receive[16];
    (void)snprintf(wait, sizeof wait, "%d", t->config->embedded ? 10 : FETCH_WAIT_MS);
    (void)snprintf(queue_kb, sizeof queue_kb, "%d", PREFETCH_KB);
    (void)snprintf(receive, sizeof receive, "%d", RECEIVE_MAX_BYTES);
    const struct lex_kafka_setting tuning[] = {{"fetch.wait.max.ms", wait},
                                               {"queued.max.messages.kbytes", queue_kb},
                                               {"receive.message.max.bytes", receive},
                                               {"fetch.error.backoff.ms", "100"},
                                               {NULL, NULL}};
    /* Assigned by hand: the group is only a name that librdkafka asks for; it is never joined. */
    const struct lex_kafka_setting fixed[] = {
        {"group.id", t->config->group},    {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},   {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "earliest"}, {"allow.auto.create.topics", "false"},
        {"enable.partition.eof", "true"},  {NULL, NULL}};
    LEX_TRY(lex_kafka_conf(t->config, &t->handle, tuning, fixed, &conf, err));
    LEX_TRY(lex_kafka_new(RD_KAFKA_CONSUMER, conf, &t->rk, err));
    (void)rd_kafka_poll_set_consumer(t->rk);
    return LEX_OK;
}

static enum lex_status assign(struct lex_policy_topic *t, struct lex_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(t->partitions);
    for (int32_t p = 0; p < t->partitions; p++)
        rd_kafka_topic_partition_list_add(list, t->config->policies_topic, p)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t code = rd_kafka_assign(t->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    t->open = t->partitions;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return lex_fail(err, LEX_RETRY, "the topic %s cannot be read: %s",
                        t->config->policies_topic, rd_kafka_err2str(code));
    return LEX_OK;
}

static enum lex_status open_topic(struct lex_policy_topic *t, struct lex_error *err)
{
    LEX_TRY(find(t->config, &t->partitions, err));
    LEX_TRY(open_consumer(t, err));
    return assign(t, err);
}

LEX_STATUS lex_policy_topic_new(const struct lex_config *config,
                                struct lex_policy_topic **ret_topic, struct lex_error *err)
{
    struct lex_policy_topic *t = calloc(1, sizeof *t);
    if (t == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    t->config = config;
    t->handle.logger = "lexecon.policy";
    t->handle.owner = t;
    enum lex_status status = open_topic(t, err);
    if (status != LEX_OK) {
        lex_policy_topic_free(t);
        return status;
    }
    *ret_topic = t;
    return LEX_OK;
}

static void drop_message(struct lex_policy_topic *t)
{
    if (t->message != NULL)
        rd_kafka_message_destroy(t->message);
    t->message = NULL;
}

void lex_policy_topic_free(struct lex_policy_topic *topic)
{
    if (topic == NULL)
        return;
    drop_message(topic);
    if (topic->rk != NULL)
        rd_kafka_destroy(topic->rk);
    free(topic);
}

/* ---- records ---- */

static void note_end(struct lex_policy_topic *t, int32_t partition)
{
    if (partition < 0 || partition >= t->partitions || t->ended[partition])
        return;
    t->ended[partition] = true;
    t->open--;
}

static enum lex_status failed(const struct lex_policy_topic *t, const rd_kafka_message_t *message,
                              struct lex_error *err)
{
    const char *topic = t->config->policies_topic;
    if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return lex_fail(err, LEX_REJECT,
                        "this user may not read the topic %s: it needs Read and Describe on it",
                        topic);
    enum lex_status status = lex_kafka_class(message->err) == LEX_RETRY ? LEX_RETRY : LEX_REJECT;
    return lex_fail(err, status, "the topic %s cannot be read: %s", topic,
                    rd_kafka_message_errstr(message));
}

LEX_STATUS lex_policy_topic_next(struct lex_policy_topic *topic, int timeout_ms,
                                 struct lex_policy_record *ret_record, bool *ret_found,
                                 bool *ret_end, struct lex_error *err)
{
    drop_message(topic);
    *ret_found = false;
    rd_kafka_message_t *message = rd_kafka_consumer_poll(topic->rk, timeout_ms);
    topic->message = message;
    if (message != NULL && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        note_end(topic, message->partition);
    else if (message != NULL && message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        ; /* librdkafka asks for the group's coordinator; who assigns by hand needs none */
    else if (message != NULL && message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(topic, message, err);
    else if (message != NULL) {
        *ret_found = true;
        *ret_record = (struct lex_policy_record){
            .partition = message->partition,
            .offset = message->offset,
            .key = lex_span_of(message->key, message->key_len),
            .value = lex_span_of(message->payload, message->len),
        };
    }
    *ret_end = topic->open == 0;
    return LEX_OK;
}

/* ---- published policies ---- */

static struct lex_span shown(struct lex_span name)
{
    return lex_span_of(name.data, name.len < NAME_MAX_BYTES ? name.len : NAME_MAX_BYTES);
}

/* Files that were written with an editor end with a line's end. */
static struct lex_span without_line_end(struct lex_span text)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    return text;
}

static enum lex_status check_names(struct lex_span id, const struct lex_policy_info *info,
                                   const char *source, struct lex_error *err)
{
    if (!lex_span_absent(id) && !lex_span_eq(info->id, id))
        return lex_fail(err, LEX_REJECT,
                        "%s: the document's policy_id is \"%.*s\", expected \"%.*s\"", source,
                        LEX_SPAN_FMT(shown(info->id)), LEX_SPAN_FMT(shown(id)));
    if (lex_span_absent(info->version))
        return lex_fail(err, LEX_REJECT,
                        "%s: the document has no \"version\"; a published policy needs one, so "
                        "that an older one cannot be passed off as new",
                        source);
    return LEX_OK;
}

static enum lex_status open_published(const struct lex_public_key *key, struct lex_span value,
                                      const char *source, struct lex_policy **ret_policy,
                                      struct lex_error *err)
{
    LEX_CLEANUP(lex_arena_fini) struct lex_arena arena;
    struct lex_span document;
    struct lex_error why;
    lex_arena_init(&arena, ARENA_CHUNK_BYTES, arena_max_bytes);
    enum lex_status status =
        lex_policy_jws_verify(key, without_line_end(value), &arena, &document, &why);
    if (status != LEX_OK)
        return lex_fail(err, status, "%s: %s", source, why.text);
    return lex_policy_load(document, source, ret_policy, err);
}

LEX_STATUS lex_policy_published(const struct lex_public_key *key, struct lex_span id,
                                struct lex_span value, const char *source,
                                struct lex_policy **ret_policy, struct lex_error *err)
{
    struct lex_policy *policy;
    if (value.len == 0)
        return lex_fail(err, LEX_REJECT,
                        "%s: the record is empty; a policy that was published cannot be taken "
                        "back, only followed by a newer one",
                        source);
    LEX_TRY(open_published(key, value, source, &policy, err));
    enum lex_status status = check_names(id, lex_policy_info(policy), source, err);
    if (status != LEX_OK) {
        lex_policy_unref(policy);
        return status;
    }
    *ret_policy = policy;
    return LEX_OK;
}

enum lex_policy_order lex_policy_order_of(const struct lex_policy_info *in_force,
                                          const struct lex_policy_info *offered)
{
    int order = in_force == NULL ? 1 : lex_policy_version_cmp(offered->version, in_force->version);
    if (order != 0)
        return order > 0 ? LEX_POLICY_NEWER : LEX_POLICY_OLDER;
    return memcmp(offered->hash, in_force->hash, sizeof offered->hash) == 0 ? LEX_POLICY_SAME
                                                                            : LEX_POLICY_ALTERED;
}

/* ---- the archive ---- */

struct assembly {
    const struct lex_hash *hash;
    struct lex_span pieces[LEX_ARCHIVE_CHUNKS_MAX]; /* on the heap; absent: not seen yet */
};

static void assembly_fini(struct assembly *a)
{
    for (size_t i = 0; i < LEX_ARCHIVE_CHUNKS_MAX; i++)
        free((void *)(uintptr_t)a->pieces[i].data);
}

/* The last one of a key counts, as compaction would have it. */
static enum lex_status take_piece(struct assembly *a, const struct lex_policy_record *record,
                                  struct lex_error *err)
{
    struct lex_policies_key key = lex_policies_read_key(record->key);
    if (key.kind != LEX_POLICIES_ARCHIVED || !lex_hash_eq(&key.hash, a->hash) ||
        record->value.len > LEX_ARCHIVE_CHUNK_BYTES)
        return LEX_OK;
    uint8_t *copy = malloc(record->value.len + 1);
    if (copy == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    if (record->value.len != 0)
        memcpy(copy, record->value.data, record->value.len);
    free((void *)(uintptr_t)a->pieces[key.piece].data);
    a->pieces[key.piece] = lex_span_of(copy, record->value.len);
    return LEX_OK;
}

static enum lex_status read_pieces(struct lex_policy_topic *t, struct assembly *a,
                                   int64_t timeout_ms, struct lex_error *err)
{
    int64_t until_us = lex_clock_mono_us() + timeout_ms * 1000;
    bool found = true, end = false;
    while (found || !end) {
        struct lex_policy_record record;
        enum lex_status status = lex_policy_topic_next(t, POLL_MS, &record, &found, &end, err);
        if (status != LEX_OK && status != LEX_RETRY)
            return status;
        if (found && status == LEX_OK)
            LEX_TRY(take_piece(a, &record, err));
        if (lex_clock_mono_us() > until_us)
            return lex_fail(err, LEX_RETRY, "the topic %s was not read to its end in time",
                            t->config->policies_topic);
    }
    return LEX_OK;
}

static enum lex_status join(const struct assembly *a, struct lex_buf *text, struct lex_error *err)
{
    for (size_t i = 0; i < LEX_ARCHIVE_CHUNKS_MAX; i++) {
        if (lex_span_absent(a->pieces[i]))
            return i == 0 ? lex_fail(err, LEX_REJECT, "the archive does not have it")
                          : lex_fail(err, LEX_REJECT, "its piece %zu is missing in the archive", i);
        lex_buf_put_span(text, a->pieces[i]);
        if (a->pieces[i].len < LEX_ARCHIVE_CHUNK_BYTES)
            break;
    }
    return lex_buf_ok(text) ? LEX_OK : lex_fail(err, LEX_LIMIT, "the archived text is too large");
}

static enum lex_status load_archived(const struct assembly *a, struct lex_policy **ret_policy,
                                     struct lex_error *err)
{
    LEX_CLEANUP(lex_buf_fini) struct lex_buf text;
    struct lex_policy *policy;
    lex_buf_init(&text, LEX_POLICY_MAX_BYTES);
    LEX_TRY(join(a, &text, err));
    LEX_TRY(lex_policy_load(lex_buf_span(&text), "archive", &policy, err));
    if (memcmp(lex_policy_info(policy)->hash, a->hash->bytes, LEX_HASH_BYTES) != 0) {
        lex_policy_unref(policy);
        return lex_fail(err, LEX_REJECT, "the archived text is another policy's");
    }
    *ret_policy = policy;
    return LEX_OK;
}

LEX_STATUS lex_policy_topic_archived(const struct lex_config *config, const struct lex_hash *hash,
                                     int64_t timeout_ms, struct lex_policy **ret_policy,
                                     struct lex_error *err)
{
    LEX_CLEANUP(assembly_fini) struct assembly assembly = {.hash = hash};
    struct lex_policy_topic *topic;
    LEX_TRY(lex_policy_topic_new(config, &topic, err));
    enum lex_status status = read_pieces(topic, &assembly, timeout_ms, err);
    lex_policy_topic_free(topic);
    LEX_TRY(status);
    return load_archived(&assembly, ret_policy, err);
}
