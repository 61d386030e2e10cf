#include "producer/policies.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "producer/kafka.h"

enum { POLL_MS = 50, PURGE_MS = 1000 };

static const char published_prefix[] = "policy/", archive_prefix[] = "archive/";

/* ---- keys ---- */

void lex_policies_published_key(struct lex_span id, char out[LEX_POLICIES_KEY_MAX_BYTES])
{
    static const uint8_t no_hash[LEX_HASH_BYTES] = {0};
    struct lex_head head;
    lex_head_set_policy(&head, id, (struct lex_span){NULL, 0}, no_hash);
    (void)snprintf(out, LEX_POLICIES_KEY_MAX_BYTES, "%s%s", published_prefix, head.policy_id);
}

void lex_policies_archive_key(const struct lex_policy_info *info, size_t piece,
                              char out[LEX_POLICIES_KEY_MAX_BYTES])
{
    struct lex_head head;
    struct lex_buf key;
    lex_head_set_policy(&head, info->id, info->version, info->hash);
    lex_buf_borrow(&key, out, LEX_POLICIES_KEY_MAX_BYTES);
    lex_buf_printf(&key, "%s%s@%s#", archive_prefix, head.policy_id, head.policy_version);
    lex_buf_put_hex(&key, info->hash, sizeof info->hash);
    lex_buf_printf(&key, "/%zu", piece);
    LEX_ASSERT(lex_buf_ok(&key));
}

static bool takes_prefix(struct lex_span *text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (text->len < len || memcmp(text->data, prefix, len) != 0)
        return false;
    *text = lex_span_of(text->data + len, text->len - len);
    return true;
}

/* From the end, since ids and versions may hold any of the marks: "#<hash>/<n>". */
static bool read_archive(struct lex_span rest, struct lex_policies_key *key)
{
    int64_t piece = -1;
    size_t slash = rest.len;
    while (slash > 0 && rest.data[slash - 1] != '/')
        slash--;
    struct lex_span number = lex_span_of(rest.data + slash, rest.len - slash);
    size_t hex = 2 * LEX_HASH_BYTES;
    if (slash < hex + 2 || lex_json_int64(number, &piece) != LEX_OK || piece < 0 ||
        piece >= LEX_ARCHIVE_CHUNKS_MAX || rest.data[slash - hex - 2] != '#')
        return false;
    key->piece = (size_t)piece;
    return lex_hex_decode(lex_span_of(rest.data + slash - hex - 1, hex), key->hash.bytes,
                          sizeof key->hash.bytes) == LEX_OK;
}

struct lex_policies_key lex_policies_read_key(struct lex_span key)
{
    struct lex_policies_key found = {.kind = LEX_POLICIES_OTHER};
    if (lex_span_absent(key))
        return found;
    if (takes_prefix(&key, published_prefix)) {
        found.kind = LEX_POLICIES_PUBLISHED;
        found.id = key;
    } else if (takes_prefix(&key, archive_prefix) && read_archive(key, &found)) {
        found.kind = LEX_POLICIES_ARCHIVED;
    }
    return found;
}

/* ---- writing ---- */

struct writer {
    const struct lex_config *config;
    struct lex_kafka_handle handle;
    rd_kafka_t *rk;
    size_t sent, acknowledged;
    rd_kafka_resp_err_t problem; /* the first refusal */
};

/* Inside rd_kafka_poll, on our thread. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct writer *w = ((struct lex_kafka_handle *)opaque)->owner;
    (void)rk;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        w->acknowledged++;
    else if (w->problem == RD_KAFKA_RESP_ERR_NO_ERROR)
        w->problem = message->err;
}

static enum lex_status open_writer(struct writer *w, int timeout_ms, struct lex_error *err)
{
    rd_kafka_conf_t *conf;
    char timeout[16], bytes[16];
    w->handle = (struct lex_kafka_handle){.logger = "lexecon.policy", .owner = w};
    (void)snprintf(timeout, sizeof timeout, "%d", timeout_ms);
    (void)snprintf(bytes, sizeof bytes, "%d", LEX_PUBLISHED_MAX_BYTES + (1 << 20));
    const struct lex_kafka_setting tuning[] = {{"linger.ms", "0"},
                                               {"partitioner", "murmur2_random"},
                                               {"message.max.bytes", bytes},
                                               {"message.timeout.ms", timeout},
                                               {"max.in.flight", LEX_KAFKA_IN_FLIGHT},
                                               {NULL, NULL}};
    /* One piece to a batch: a broker takes about a megabyte at once. */
    const struct lex_kafka_setting fixed[] = {
        {"acks", "all"}, {"enable.idempotence", "true"}, {"batch.num.messages", "1"}, {NULL, NULL}};
    LEX_TRY(lex_kafka_conf(w->config, &w->handle, tuning, fixed, &conf, err));
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return lex_kafka_new(RD_KAFKA_PRODUCER, conf, &w->rk, err);
}

static void close_writer(struct writer *w)
{
    if (w->rk == NULL)
        return;
    (void)rd_kafka_purge(w->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(w->rk, PURGE_MS);
    rd_kafka_destroy(w->rk);
}

static enum lex_status refused(const struct writer *w, rd_kafka_resp_err_t code, size_t bytes,
                               struct lex_error *err)
{
    const char *topic = w->config->policies_topic;
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return lex_fail(err, LEX_REJECT,
                        "the topic %s does not take a record of %zu bytes: raise its "
                        "max.message.bytes (kafka-configs.sh --alter --entity-type topics "
                        "--entity-name %s --add-config max.message.bytes=%zu)",
                        topic, bytes, topic, bytes + (bytes >> 3) + 4096);
    bool right = code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    const char *advice =
        right ? "this user needs Write and Describe on it" : lex_kafka_advice(code);
    bool again = code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || lex_kafka_class(code) == LEX_RETRY;
    return lex_fail(err, again ? LEX_RETRY : LEX_REJECT, "the topic %s cannot be written: %s%s%s",
                    topic, rd_kafka_err2str(code), advice[0] != 0 ? "; " : "", advice);
}

static enum lex_status put(struct writer *w, const char *key, struct lex_span value,
                           struct lex_error *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_producev(w->rk, RD_KAFKA_V_TOPIC(w->config->policies_topic),
                          RD_KAFKA_V_KEY((void *)(uintptr_t)key, strlen(key)),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return refused(w, code, value.len, err);
    w->sent++;
    return LEX_OK;
}

/* Until all is acknowledged, something is refused, or the time is over. */
static enum lex_status await(struct writer *w, int64_t until_us, size_t bytes,
                             struct lex_error *err)
{
    while (w->acknowledged < w->sent && w->problem == RD_KAFKA_RESP_ERR_NO_ERROR &&
           lex_clock_mono_us() < until_us)
        (void)rd_kafka_poll(w->rk, POLL_MS);
    if (w->problem != RD_KAFKA_RESP_ERR_NO_ERROR)
        return refused(w, w->problem, bytes, err);
    if (w->acknowledged == w->sent)
        return LEX_OK;
    return refused(w, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, bytes, err);
}

static enum lex_status put_pieces(struct writer *w, const struct lex_policy_info *info,
                                  int64_t until_us, struct lex_error *err)
{
    struct lex_span document = info->document;
    for (size_t piece = 0; piece <= document.len / LEX_ARCHIVE_CHUNK_BYTES; piece++) {
        char key[LEX_POLICIES_KEY_MAX_BYTES];
        size_t at = piece * LEX_ARCHIVE_CHUNK_BYTES, left = document.len - at;
        size_t len = left < LEX_ARCHIVE_CHUNK_BYTES ? left : LEX_ARCHIVE_CHUNK_BYTES;
        lex_policies_archive_key(info, piece, key);
        LEX_TRY(put(w, key, lex_span_of(document.data + at, len), err));
        LEX_TRY(await(w, until_us, len, err)); /* one at a time: one copy in memory, not all */
    }
    return LEX_OK;
}

LEX_STATUS lex_policies_archive(const struct lex_config *config, const struct lex_policy_info *info,
                                int timeout_ms, struct lex_error *err)
{
    LEX_CLEANUP(close_writer) struct writer w = {.config = config};
    int64_t until_us = lex_clock_mono_us() + (int64_t)timeout_ms * 1000;
    LEX_TRY(open_writer(&w, timeout_ms, err));
    return put_pieces(&w, info, until_us, err);
}

LEX_STATUS lex_policies_publish(const struct lex_config *config, struct lex_span id,
                                struct lex_span signed_text, int timeout_ms, struct lex_error *err)
{
    LEX_CLEANUP(close_writer) struct writer w = {.config = config};
    char key[LEX_POLICIES_KEY_MAX_BYTES];
    int64_t until_us = lex_clock_mono_us() + (int64_t)timeout_ms * 1000;
    LEX_TRY(open_writer(&w, timeout_ms, err));
    lex_policies_published_key(id, key);
    LEX_TRY(put(&w, key, signed_text, err));
    return await(&w, until_us, signed_text.len, err);
}
