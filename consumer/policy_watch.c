#include "consumer/policy_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "consumer/policy_files.h"
#include "consumer/policy_topic.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/base/text.h"
#include "core/crypto/jwt.h"
#include "core/ledger/events.h"

enum {
    TOPIC_POLL_MS = 200,    /* how long a stop may wait for the topic's reader */
    AGAIN_US = 2000 * 1000, /* between two attempts to reach the topic, or to archive */
    ARCHIVE_TIMEOUT_MS = 10000,
    READ_ATTEMPTS = 5, /* files that change while they are read */
    ARCHIVED_MAX = 64, /* hashes remembered; of one more the oldest is archived again */
    HASH_TEXT_BYTES = 2 * LEX_HASH_BYTES + 1,
    RETIRE_US = 10 * 1000 * 1000, /* until then every worker has passed on to the next one */
};

static const char LOGGER[] = "lexecon.policy";

struct lex_policy_watch {
    const struct lex_config *config;
    struct lex_policy_slot *slot; /* its policy is written by this thread only */
    struct lex_health *health;
    void (*changed)(void *user);
    void *user;

    struct lex_policy *next; /* accepted, not in force yet */
    int64_t archive_at_us;   /* mono: when to try again */
    struct lex_hash archived[ARCHIVED_MAX];
    size_t archived_count;
    char told[LEX_ERROR_TEXT_MAX]; /* what stands in the way now; told once */

    /* The one before: kept, so that it is this thread that frees it, which takes milliseconds where
     * it is large, and not a worker between two batches. */
    struct lex_policy *retired;
    int64_t retired_until_us; /* mono */

    struct lex_policy_files seen; /* of a file or directory */
    bool looked;

    const char *topic_id; /* NULL: a file or directory */
    struct lex_public_key key;
    struct lex_policy_topic *topic; /* NULL: to be opened */
    int64_t topic_at_us;            /* mono: when */

    pthread_t thread;
    pthread_mutex_t lock; /* over the two below */
    pthread_cond_t wake;
    bool stop, now;
};

/* ---- telling ---- */

/* What did not become a policy. */
static void refuse(struct lex_policy_watch *w, const char *text)
{
    lex_metric_add(LEX_METRIC_POLICY_LOAD_FAILURES, 1);
    lex_health_set_policy_problem(w->health, text);
    LEX_LOG(LEX_LOG_ERROR, LOGGER,
            w->slot->policy != NULL ? "Policy refused, the one before stays in force"
                                    : "Policy refused, none is in force",
            lex_log_str("error", text));
}

/* What keeps us from loading at all; it is tried again, and told again when it changed. */
static void hinder(struct lex_policy_watch *w, const char *message, const char *text)
{
    if (strcmp(w->told, text) == 0)
        return;
    (void)snprintf(w->told, sizeof w->told, "%s", text);
    lex_health_set_policy_problem(w->health, text);
    LEX_LOG(LEX_LOG_ERROR, LOGGER, message, lex_log_str("error", text));
}

static void unhinder(struct lex_policy_watch *w)
{
    w->told[0] = 0;
    lex_health_set_policy_problem(w->health, "");
}

static void hash_text(const struct lex_policy_info *info, char out[HASH_TEXT_BYTES])
{
    struct lex_buf buf;
    lex_buf_borrow(&buf, out, HASH_TEXT_BYTES);
    lex_buf_put_hex(&buf, info->hash, sizeof info->hash);
}

static void set_info(const struct lex_policy *policy, bool in_force)
{
    if (policy == NULL)
        return;
    const struct lex_policy_info *info = lex_policy_info(policy);
    char hash[HASH_TEXT_BYTES];
    hash_text(info, hash);
    struct lex_span labels[] = {info->id, info->version, lex_span_str(hash)};
    if (in_force)
        lex_series_set(lex_metric_series(LEX_METRIC_POLICY_INFO, labels, 3), 1);
    else
        lex_metric_drop(LEX_METRIC_POLICY_INFO, labels, 3);
}

static void announce(const struct lex_policy *policy)
{
    const struct lex_policy_info *info = lex_policy_info(policy);
    char hash[HASH_TEXT_BYTES];
    hash_text(info, hash);
    lex_series_add(lex_metric_series(LEX_METRIC_POLICIES_LOADED, &info->id, 1), 1);
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Policy loaded", lex_log_span("policy_id", info->id),
            lex_log_span("version", info->version), lex_log_str("hash", hash),
            lex_log_i64("documents", (int64_t)info->documents_count),
            lex_log_i64("relations", (int64_t)info->relations));
}

/* ---- into force ---- */

static bool is_archived(const struct lex_policy_watch *w, const struct lex_policy_info *info)
{
    for (size_t i = 0; i < w->archived_count; i++)
        if (memcmp(w->archived[i].bytes, info->hash, LEX_HASH_BYTES) == 0)
            return true;
    return false;
}

static void note_archived(struct lex_policy_watch *w, const struct lex_policy_info *info)
{
    if (w->archived_count == ARCHIVED_MAX) {
        memmove(&w->archived[0], &w->archived[1], (ARCHIVED_MAX - 1) * sizeof w->archived[0]);
        w->archived_count--;
    }
    memcpy(w->archived[w->archived_count++].bytes, info->hash, LEX_HASH_BYTES);
}

static enum lex_status archive(const struct lex_config *config, const struct lex_policy_info *info,
                               struct lex_error *err)
{
    if (lex_config_kafka_get(config, "bootstrap.servers") == NULL)
        return lex_fail(err, LEX_RETRY, "no broker is named");
    LEX_TRY(lex_policy_topic_look(config, err));
    return lex_policies_archive(config, info, ARCHIVE_TIMEOUT_MS, err);
}

/* Whether its document is where an auditor will look for it. */
static bool is_kept(struct lex_policy_watch *w, const struct lex_policy_info *info)
{
    struct lex_error err = {{0}};
    if (lex_event_policy_embeds(info->document) || is_archived(w, info))
        return true;
    if (lex_clock_mono_us() < w->archive_at_us)
        return false;
    if (archive(w->config, info, &err) != LEX_OK) {
        w->archive_at_us = lex_clock_mono_us() + AGAIN_US;
        hinder(w, "A policy waits: its text cannot be archived", err.text);
        return false;
    }
    note_archived(w, info);
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Policy text archived",
            lex_log_str("topic", w->config->policies_topic),
            lex_log_i64("bytes", (int64_t)info->document.len));
    return true;
}

static void free_retired(struct lex_policy_watch *w)
{
    lex_policy_unref(w->retired);
    w->retired = NULL;
}

static void retire(struct lex_policy_watch *w, struct lex_policy *policy)
{
    free_retired(w);
    w->retired = policy != NULL ? lex_policy_ref(policy) : NULL;
    w->retired_until_us = lex_clock_mono_us() + RETIRE_US;
}

/* The swap. Who reads the one that was in force until now may read it on. */
static void settle(struct lex_policy_watch *w)
{
    if (w->next == NULL || !is_kept(w, lex_policy_info(w->next)))
        return;
    struct lex_policy *policy = w->next;
    w->next = NULL;
    unhinder(w);
    set_info(w->slot->policy, false);
    set_info(policy, true);
    announce(policy);
    retire(w, w->slot->policy);
    lex_policy_slot_set(w->slot, policy);
    w->health->policy_loaded = true;
    if (w->changed != NULL)
        w->changed(w->user);
}

/* @owns takes over the caller's reference */
static void take_next(struct lex_policy_watch *w, struct lex_policy *policy)
{
    lex_policy_unref(w->next);
    w->next = policy;
    w->archive_at_us = 0;
}

/* What a further policy is held against. */
static const struct lex_policy *newest(const struct lex_policy_watch *w)
{
    return w->next != NULL ? w->next : w->slot->policy;
}

/* ---- a file or a directory ---- */

static const struct lex_policy_document *document_of(const struct lex_policy *policy,
                                                     struct lex_span id)
{
    size_t count;
    const struct lex_policy_document *documents = lex_policy_documents(policy, &count);
    for (size_t i = 0; i < count; i++)
        if (lex_span_eq(documents[i].id, id))
            return &documents[i];
    return NULL;
}

/* The document whose version is lower than that of the same one in force; NULL where none is. */
static const struct lex_policy_document *older_document(const struct lex_policy *in_force,
                                                        const struct lex_policy *policy)
{
    size_t count;
    const struct lex_policy_document *documents = lex_policy_documents(policy, &count);
    for (size_t i = 0; i < count; i++) {
        const struct lex_policy_document *old = document_of(in_force, documents[i].id);
        if (old != NULL && lex_policy_version_cmp(documents[i].version, old->version) < 0)
            return &documents[i];
    }
    return NULL;
}

/* A file is edited forward; going back is for whoever says so. */
static bool goes_back(struct lex_policy_watch *w, const struct lex_policy *policy)
{
    struct lex_error err;
    const struct lex_policy *in_force = newest(w);
    if (in_force == NULL || w->config->policy_allow_rollback)
        return false;
    const struct lex_policy_document *older = older_document(in_force, policy);
    if (older == NULL)
        return false;
    (void)lex_fail(
        &err, LEX_REJECT,
        "%s: its version %.*s is lower than the one in force; policy_allow_rollback=true "
        "takes it",
        older->source, LEX_SPAN_FMT(older->version));
    refuse(w, err.text);
    return true;
}

/* Of files that are being changed, half of the old and half of the new could be read: they are read
 * until nothing changed meanwhile. */
static enum lex_status read_files(struct lex_policy_watch *w, struct lex_policy **ret_policy,
                                  struct lex_error *err)
{
    for (int i = 0; i < READ_ATTEMPTS; i++) {
        struct lex_policy *policy = NULL;
        w->seen = lex_policy_files_look(w->config->policy);
        enum lex_status status = lex_policy_load_path(w->config->policy, &policy, err);
        struct lex_policy_files after = lex_policy_files_look(w->config->policy);
        if (lex_hash_eq(&after.mark, &w->seen.mark)) {
            *ret_policy = policy;
            return status;
        }
        if (status == LEX_OK)
            lex_policy_unref(policy);
    }
    w->looked = false; /* the next look is a change, whatever it sees */
    return lex_fail(err, LEX_RETRY, "%s: changes while it is read", w->config->policy);
}

static void load_files(struct lex_policy_watch *w)
{
    struct lex_policy *policy = NULL;
    struct lex_error err = {{0}};
    int64_t begin_us = lex_clock_mono_us();
    w->looked = true;
    if (read_files(w, &policy, &err) != LEX_OK) {
        refuse(w, err.text);
        return;
    }
    lex_metric_observe(LEX_METRIC_POLICY_LOAD_DURATION,
                       (double)(lex_clock_mono_us() - begin_us) / 1e6);
    if (goes_back(w, policy))
        lex_policy_unref(policy);
    else
        take_next(w, policy);
}

static void check_files(struct lex_policy_watch *w, bool asked)
{
    struct lex_policy_files now = lex_policy_files_look(w->config->policy);
    if (!w->looked || asked || !lex_hash_eq(&now.mark, &w->seen.mark))
        load_files(w);
}

/* ---- the topic ---- */

static void open_topic(struct lex_policy_watch *w)
{
    struct lex_error err = {{0}};
    if (lex_config_kafka_get(w->config, "bootstrap.servers") == NULL) {
        hinder(w, "The policy is not read: none is in force", "no broker is named");
        return;
    }
    if (lex_policy_topic_new(w->config, &w->topic, &err) != LEX_OK) {
        w->topic_at_us = lex_clock_mono_us() + AGAIN_US;
        hinder(w, "The policies topic is not read, trying again", err.text);
    }
}

static void refuse_order(struct lex_policy_watch *w, const char *source,
                         enum lex_policy_order order, const struct lex_policy_info *info)
{
    struct lex_error err;
    (void)lex_fail(&err, LEX_REJECT,
                   order == LEX_POLICY_OLDER
                       ? "%s: version %.*s is older than the newest that was published; publish it "
                         "under a higher version"
                       : "%s: version %.*s was published with another content; publish it under a "
                         "higher version",
                   source, LEX_SPAN_FMT(info->version));
    refuse(w, err.text);
}

/* One record under our key. */
static void take_published(struct lex_policy_watch *w, const struct lex_policy_record *record)
{
    struct lex_policy *policy;
    struct lex_error err = {{0}};
    char source[LEX_POLICIES_KEY_MAX_BYTES];
    int64_t begin_us = lex_clock_mono_us();
    (void)snprintf(source, sizeof source, "%s/%d/%lld", w->config->policies_topic,
                   record->partition, (long long)record->offset);
    if (lex_policy_published(&w->key, lex_span_str(w->topic_id), record->value, source, &policy,
                             &err) != LEX_OK) {
        refuse(w, err.text);
        return;
    }
    lex_metric_observe(LEX_METRIC_POLICY_LOAD_DURATION,
                       (double)(lex_clock_mono_us() - begin_us) / 1e6);
    const struct lex_policy *last = newest(w);
    enum lex_policy_order order =
        lex_policy_order_of(last != NULL ? lex_policy_info(last) : NULL, lex_policy_info(policy));
    if (order == LEX_POLICY_NEWER) {
        take_next(w, policy);
        return;
    }
    if (order != LEX_POLICY_SAME)
        refuse_order(w, source, order, lex_policy_info(policy));
    lex_policy_unref(policy);
}

static bool is_ours(const struct lex_policy_watch *w, struct lex_span key)
{
    char ours[LEX_POLICIES_KEY_MAX_BYTES];
    lex_policies_published_key(lex_span_str(w->topic_id), ours);
    return lex_span_eq(key, lex_span_str(ours));
}

/* Read on; settle at the end of what there is, so that a start does not go through old versions. */
static void follow_topic(struct lex_policy_watch *w)
{
    struct lex_policy_record record;
    struct lex_error err = {{0}};
    bool found = false, end = false;
    if (w->topic == NULL && lex_clock_mono_us() >= w->topic_at_us)
        open_topic(w);
    if (w->topic == NULL)
        return;
    enum lex_status status =
        lex_policy_topic_next(w->topic, TOPIC_POLL_MS, &record, &found, &end, &err);
    if (status != LEX_OK)
        hinder(w, "The policies topic is not read, trying again", err.text);
    else if (found && is_ours(w, record.key))
        take_published(w, &record);
    else if (!found && end) {
        if (w->told[0] != 0 && w->next == NULL)
            unhinder(w); /* it answers again */
        settle(w);
    }
}

/* ---- the thread ---- */

static struct timespec poll_deadline(const struct lex_policy_watch *w)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + (w->topic_id == NULL ? w->config->policy_poll_ms
                                  : w->topic == NULL  ? TOPIC_POLL_MS
                                                      : 0) *
                                     1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    return until;
}

/* True when it is time to look; false when it is time to end. */
static bool wait_for_reason(struct lex_policy_watch *w, bool *ret_asked)
{
    struct timespec until = poll_deadline(w);
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stop && !w->now)
        if (pthread_cond_timedwait(&w->wake, &w->lock, &until) == ETIMEDOUT)
            break;
    *ret_asked = w->now;
    w->now = false;
    bool go_on = !w->stop;
    (void)pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *run(void *user)
{
    struct lex_policy_watch *w = user;
    bool asked = false;
    do {
        if (w->retired != NULL && lex_clock_mono_us() > w->retired_until_us)
            free_retired(w);
        if (w->topic_id != NULL) {
            follow_topic(w);
        } else {
            check_files(w, asked);
            settle(w);
        }
    } while (wait_for_reason(w, &asked));
    return NULL;
}

/* What is small comes into force before the service serves; what must be archived first waits for
 * the thread, since a broker may be away. */
static void load_first(struct lex_policy_watch *w)
{
    if (w->topic_id != NULL)
        return;
    check_files(w, false);
    if (w->next != NULL && lex_event_policy_embeds(lex_policy_info(w->next)->document))
        settle(w);
}

static enum lex_status new_watch(const struct lex_config *config, struct lex_policy_watch **ret,
                                 struct lex_error *err)
{
    struct lex_policy_watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    w->config = config;
    w->topic_id = lex_config_policy_topic(config);
    enum lex_status status =
        w->topic_id == NULL ? LEX_OK : lex_public_key_load(config->policy_key, &w->key, err);
    if (status != LEX_OK) {
        free(w);
        return status;
    }
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->wake, NULL);
    *ret = w;
    return LEX_OK;
}

static void free_watch(struct lex_policy_watch *w)
{
    lex_policy_unref(w->next);
    lex_policy_unref(w->retired);
    lex_policy_topic_free(w->topic);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->wake);
    free(w);
}

LEX_STATUS lex_policy_watch_start(const struct lex_config *config, struct lex_policy_slot *slot,
                                  struct lex_health *health, void (*changed)(void *user),
                                  void *user, struct lex_policy_watch **ret_watch,
                                  struct lex_error *err)
{
    struct lex_policy_watch *w = NULL;
    *ret_watch = NULL;
    if (config->policy == NULL) {
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "No policy: this node decides nothing",
                lex_log_str("todo", "set LEXECON_POLICY to a policy file, a directory of them, or "
                                    "topic:<policy_id>"));
        return LEX_OK;
    }
    LEX_TRY(new_watch(config, &w, err));
    w->slot = slot;
    w->health = health;
    w->changed = changed;
    w->user = user;
    load_first(w);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        free_watch(w);
        return lex_fail(err, LEX_LIMIT, "the policy watcher's thread does not start");
    }
    *ret_watch = w;
    return LEX_OK;
}

static void signal_thread(struct lex_policy_watch *watch, bool stop)
{
    (void)pthread_mutex_lock(&watch->lock);
    watch->stop = watch->stop || stop;
    watch->now = true;
    (void)pthread_cond_signal(&watch->wake);
    (void)pthread_mutex_unlock(&watch->lock);
}

void lex_policy_watch_now(struct lex_policy_watch *watch)
{
    if (watch != NULL)
        signal_thread(watch, false);
}

void lex_policy_watch_stop(struct lex_policy_watch *watch)
{
    if (watch == NULL)
        return;
    signal_thread(watch, true);
    (void)pthread_join(watch->thread, NULL);
    free_watch(watch);
}
