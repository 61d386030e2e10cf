#include "consumer/mirror_thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "consumer/ledger_reader.h"
#include "consumer/mirror_check.h"
#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/ledger/mirror.h"

enum {
    POLL_MS = 100,
    FETCH_WAIT_MS = 200,
    PREFETCH_LEAST_KB = 4096,
    PREFETCH_MOST_KB = 65536,
    BATCH_RECORDS = 2000,         /* between two looks at everything else */
    COMMIT_AFTER_US = 200 * 1000, /* a row waits so long at most */
    GAUGES_EVERY_US = 1000 * 1000,
    TOPIC_EVERY_US = 30 * 1000 * 1000, /* new partitions; STUCK ones again */
    TOPIC_SOON_US = 1000 * 1000,       /* where an answer about one partition is missing */
    TOPIC_AGAIN_US = 5 * 1000 * 1000,  /* where nobody tells of the topic */
    BACKOFF_FIRST_US = 100 * 1000,
    BACKOFF_MAX_US = 5000 * 1000,
    CHECK_SLICE_US = 20 * 1000,
    CHECK_REST_US = 60 * 1000, /* a quarter of one core at most */
    DRAIN_SETTLE_MS = 100,     /* a commit returns before its markers are written */
    SEARCH_FIRST_STEP = 64,    /* records back from the end, then eight times as many, ... */
    ARENA_CHUNK_BYTES = 128 << 10,
    ARENA_MAX_BYTES = 4 << 20,
};

static const char LOGGER[] = "lexecon.mirror";

enum follow_state { SEARCHING, FOLLOWING, BROKEN, STUCK };

/* A partition of the ledger that this mirror has to do with. */
struct follow {
    int32_t partition;
    enum follow_state state;
    int64_t seen; /* Kafka offset behind what was read last; -1: nothing yet */
    /* SEARCHING: the place of entry `wanted` - 1 is looked for in steps from the end */
    int64_t wanted, low, high, from, step;
    int64_t drain_to; /* while draining: the end of what is committed; -1: not known */
};

/* What the workers said of a partition. Guarded by the mutex. */
struct ownership {
    int32_t owners;
    int64_t seq; /* of the last activation */
};

struct lex_mirror_thread {
    const struct lex_config *config;
    struct lex_health *health;
    pthread_t thread;
    bool started;
    char *path;
    _Atomic bool stop_wanted;
    int64_t stop_by_us; /* written before stop_wanted */

    pthread_mutex_t mutex;
    bool news; /* ownerships changed; guarded */
    struct ownership ownerships[LEX_MIRROR_PARTITIONS_MAX];

    struct lex_store *store;
    struct lex_mirror *mirror;
    struct lex_ledger_reader *reader;
    struct lex_mirror_check *check;
    struct lex_arena arena;
    struct follow follows[LEX_MIRROR_PARTITIONS_MAX];
    size_t follows_count;
    bool reseek; /* what is read no longer fits what is followed */
    bool dead;   /* the file is corrupt: nothing until it is deleted */
    bool check_failed;
    int64_t commit_at_us; /* 0: nothing to commit */
    int64_t paused_until_us, backoff_us;
    int64_t topic_at_us, gauges_at_us, check_at_us, check_begin_us;
    int64_t rows_counted; /* of the mirror's committed rows, in the metric */
};

/* ---- telling ---- */

static void count_check(const char *result)
{
    struct lex_span label = lex_span_str(result);
    lex_series_add(lex_metric_series(LEX_METRIC_LEDGER_INTEGRITY_CHECKS, &label, 1), 1);
}

static void tell_broken(const struct lex_mirror_thread *t)
{
    bool broken = t->dead || t->check_failed;
    for (size_t i = 0; i < t->follows_count; i++)
        broken = broken || t->follows[i].state == BROKEN || t->follows[i].state == STUCK;
    t->health->mirror_broken = broken;
}

static void tell_lag(const struct lex_mirror_thread *t)
{
    int64_t lag = 0;
    for (size_t i = 0; i < t->follows_count; i++) {
        const struct follow *f = &t->follows[i];
        int64_t next = lex_mirror_next_offset(t->mirror, f->partition);
        int64_t behind = lex_ledger_reader_lag(t->reader, f->partition,
                                               f->seen > next ? f->seen
                                               : next > 0     ? next
                                                              : 0);
        if (f->state == FOLLOWING && behind > 0)
            lag += behind;
    }
    t->health->mirror_lag = lag;
    lex_metric_set(LEX_METRIC_MIRROR_LAG_ENTRIES, (double)lag);
}

/* An audit node has no worker that would notice, and a ledger on which nobody decides says nothing
 * of the broker either: once it is away, it is asked for every second. */
static void tell_broker(struct lex_mirror_thread *t)
{
    int32_t count;
    struct lex_error ignored;
    if (t->config->role != LEX_ROLE_AUDIT)
        return;
    if (!lex_ledger_reader_connected(t->reader))
        (void)(lex_ledger_reader_partitions(t->reader, &count, &ignored) == LEX_OK);
    t->health->mirror_connected = lex_ledger_reader_connected(t->reader);
}

static void tell_rows(struct lex_mirror_thread *t)
{
    int64_t rows = lex_mirror_stats(t->mirror).committed_rows;
    if (rows > t->rows_counted)
        lex_metric_add(LEX_METRIC_MIRROR_ENTRIES, (uint64_t)(rows - t->rows_counted));
    t->rows_counted = rows;
}

/* ---- the partitions that are followed ---- */

static struct follow *find(struct lex_mirror_thread *t, int32_t partition)
{
    for (size_t i = 0; i < t->follows_count; i++)
        if (t->follows[i].partition == partition)
            return &t->follows[i];
    return NULL;
}

static struct follow *add(struct lex_mirror_thread *t, int32_t partition)
{
    if (t->follows_count == LEX_MIRROR_PARTITIONS_MAX)
        return NULL;
    struct follow *f = &t->follows[t->follows_count++];
    *f = (struct follow){.partition = partition, .state = SEARCHING, .seen = -1};
    return f;
}

static void drop(struct lex_mirror_thread *t, struct follow *f)
{
    t->follows_count--;
    *f = t->follows[t->follows_count];
    t->reseek = true;
}

static void stick(struct lex_mirror_thread *t, struct follow *f, const char *error)
{
    LEX_LOG(LEX_LOG_CRITICAL, LOGGER, "Mirror stands still for a partition",
            lex_log_i64("partition", f->partition), lex_log_str("error", error));
    f->state = STUCK;
    t->reseek = true;
}

/* A question waits behind the fetch that the broker is holding back, on the same connection: for
 * many partitions that adds up, so reading stops while questions are asked. */
static void quieten(struct lex_mirror_thread *t)
{
    struct lex_error ignored;
    if (!t->reseek)
        (void)(lex_ledger_reader_seek(t->reader, NULL, 0, &ignored) == LEX_OK);
    t->reseek = true;
}

/* ---- failures ---- */

static void pause_for(struct lex_mirror_thread *t, int64_t us)
{
    t->paused_until_us = lex_clock_mono_us() + us;
}

static void back_off(struct lex_mirror_thread *t)
{
    t->backoff_us = t->backoff_us == 0 ? BACKOFF_FIRST_US : 2 * t->backoff_us;
    if (t->backoff_us > BACKOFF_MAX_US)
        t->backoff_us = BACKOFF_MAX_US;
    pause_for(t, t->backoff_us);
}

/* The store failed. The mirror stands at its last commit, so everything is read again from there.
 */
static void store_failed(struct lex_mirror_thread *t, enum lex_status status,
                         const struct lex_error *err)
{
    t->commit_at_us = 0;
    t->reseek = true;
    t->dead = status == LEX_HALT;
    LEX_LOG(t->dead ? LEX_LOG_CRITICAL : LEX_LOG_ERROR, LOGGER,
            t->dead ? "Mirror is damaged and stands still" : "Mirror cannot write, trying again",
            lex_log_str("error", err->text));
    if (t->dead)
        count_check("failed");
    back_off(t);
}

static void reader_failed(struct lex_mirror_thread *t, const struct lex_error *err)
{
    LEX_LOG(LEX_LOG_ERROR, LOGGER, "Ledger cannot be read, trying again",
            lex_log_str("error", err->text));
    t->reseek = true;
    pause_for(t, TOPIC_SOON_US);
}

static void commit(struct lex_mirror_thread *t)
{
    struct lex_error err = {{0}};
    t->commit_at_us = 0;
    enum lex_status status = lex_mirror_commit(t->mirror, &err);
    if (status != LEX_OK)
        store_failed(t, status, &err);
    else
        t->backoff_us = 0;
}

/* ---- finding the place to begin at ---- */

/* From the file's position, from genesis, or from `start`. A topic that was cut before the mirror
 * first saw it begins with a gap. */
static enum lex_status follow_from(struct lex_mirror_thread *t, struct follow *f,
                                   const struct lex_mirror_start *start, struct lex_error *err)
{
    int64_t next, low, high;
    enum lex_status status = lex_mirror_assign(t->mirror, f->partition, start, &next, err);
    if (status == LEX_HALT) {
        stick(t, f, err->text);
        return LEX_OK;
    }
    LEX_TRY(status);
    if (next == LEX_MIRROR_BEGINNING) {
        LEX_TRY(lex_ledger_reader_range(t->reader, f->partition, &low, &high, err));
        lex_mirror_truncated(t->mirror, f->partition, low);
    }
    f->state = FOLLOWING;
    f->seen = -1;
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Mirror follows a partition",
            lex_log_i64("partition", f->partition),
            lex_log_i64("ledger_offset", lex_mirror_next_offset(t->mirror, f->partition)));
    return LEX_OK;
}

/* One step further back. */
static void search_back(struct lex_mirror_thread *t, struct follow *f)
{
    f->step = f->step == 0 ? SEARCH_FIRST_STEP : 8 * f->step;
    f->from = f->high - f->low > f->step ? f->high - f->step : f->low;
    f->seen = -1;
    t->reseek = true;
}

/* A partition that the file does not know, of a worker whose chain has gone on for a while. */
static enum lex_status search(struct lex_mirror_thread *t, struct follow *f, struct lex_error *err)
{
    quieten(t);
    LEX_TRY(lex_ledger_reader_range(t->reader, f->partition, &f->low, &f->high, err));
    f->step = 0;
    search_back(t, f);
    return LEX_OK;
}

/* Whether the record tells where entry `wanted` begins; *ret_feed: it is the first to be stored. A
 * search that reaches genesis takes the whole chain, since a mirror without a gap is worth more
 * than the few records that it costs. */
static bool found_start(const struct follow *f, const struct lex_ledger_entry *entry,
                        const struct lex_ledger_record *record, struct lex_mirror_start *ret_start,
                        bool *ret_feed)
{
    struct lex_mirror_start start = {.seq = entry->seq, .kafka_offset = record->offset};
    *ret_feed = entry->seq == 0 || entry->seq >= f->wanted;
    if (*ret_feed && entry->seq > 0)
        memcpy(start.prev.bytes, entry->prev.data, LEX_HASH_BYTES);
    if (!*ret_feed) {
        start.seq = entry->seq + 1;
        start.kafka_offset = record->offset + 1;
        lex_leaf_hash(record->value, &start.prev);
    }
    *ret_start = start;
    return *ret_feed || entry->seq == f->wanted - 1;
}

static enum lex_status feed(struct lex_mirror_thread *t, struct follow *f,
                            const struct lex_ledger_record *record, struct lex_error *err);

static enum lex_status search_in(struct lex_mirror_thread *t, struct follow *f,
                                 const struct lex_ledger_record *record, struct lex_error *err)
{
    struct lex_ledger_entry entry;
    struct lex_mirror_start start;
    struct lex_error ignored;
    bool first = f->seen < 0, feed_it = false;
    f->seen = record->offset + 1;
    lex_arena_reset(&t->arena);
    if (lex_ledger_decode(record->value, &t->arena, &entry, &ignored) != LEX_OK)
        return LEX_OK; /* before our range, or the verifier's business once we have a place */
    if (first && f->from > f->low && entry.seq >= f->wanted) {
        search_back(t, f);
        return LEX_OK;
    }
    if (!found_start(f, &entry, record, &start, &feed_it))
        return LEX_OK;
    f->seen = -1; /* a failure reads the step again */
    LEX_TRY(follow_from(t, f, start.seq > 0 ? &start : NULL, err));
    return feed_it && f->state == FOLLOWING ? feed(t, f, record, err) : LEX_OK;
}

/* ---- records ---- */

static void broke(struct lex_mirror_thread *t, struct follow *f, const struct lex_error *err)
{
    LEX_LOG(
        LEX_LOG_CRITICAL, LOGGER, "Ledger chain broken: the mirror stops at the last good entry",
        lex_log_i64("partition", f->partition), lex_log_str("error", err->text),
        lex_log_str("todo", "the bytes are kept in the mirror's table `broken`; check the topic "
                            "with `lexecon ledger verify --topic`"));
    count_check("failed");
    f->state = BROKEN;
    t->reseek = true;
}

static enum lex_status feed(struct lex_mirror_thread *t, struct follow *f,
                            const struct lex_ledger_record *record, struct lex_error *err)
{
    enum lex_mirror_result result;
    LEX_TRY(lex_mirror_feed(t->mirror, f->partition, record->offset, record->value, &result, err));
    f->seen = record->offset + 1;
    if (result == LEX_MIRROR_BROKE)
        broke(t, f, err);
    if (result == LEX_MIRROR_TAKEN && t->commit_at_us == 0)
        t->commit_at_us = lex_clock_mono_us() + COMMIT_AFTER_US;
    return LEX_OK;
}

/* The topic no longer holds what comes next. Retention makes it so in one direction only. */
static enum lex_status gone(struct lex_mirror_thread *t, struct follow *f, struct lex_error *err)
{
    int64_t low, high, next = lex_mirror_next_offset(t->mirror, f->partition);
    quieten(t);
    if (f->state == SEARCHING)
        return search(t, f, err);
    LEX_TRY(lex_ledger_reader_range(t->reader, f->partition, &low, &high, err));
    if (next > high) {
        stick(
            t, f,
            "the mirror is ahead of the ledger topic: was the topic made anew, or is this another "
            "cluster's mirror? Give each ledger a mirror_path of its own");
        return LEX_OK;
    }
    if (low > next) {
        LEX_LOG(LEX_LOG_CRITICAL, LOGGER,
                "Ledger entries were deleted before they were mirrored: the mirror has a gap",
                lex_log_i64("partition", f->partition), lex_log_i64("from_offset", next),
                lex_log_i64("to_offset", low - 1),
                lex_log_str("todo", "raise the ledger topic's retention"));
        lex_mirror_truncated(t->mirror, f->partition, low);
    }
    return LEX_OK;
}

static enum lex_status take(struct lex_mirror_thread *t, const struct lex_ledger_record *record,
                            struct lex_error *err)
{
    struct follow *f = find(t, record->partition);
    if (f == NULL || f->state == BROKEN || f->state == STUCK)
        return LEX_OK;
    if (record->gone)
        return gone(t, f, err);
    if (record->end && f->state == SEARCHING && f->seen < 0 && f->from > f->low)
        search_back(t, f);
    else if (record->end)
        f->seen = f->state == SEARCHING && f->seen < 0 ? -1 : record->offset;
    else
        return f->state == SEARCHING ? search_in(t, f, record, err) : feed(t, f, record, err);
    return LEX_OK;
}

/* Read exactly what is followed, from where each stands. */
static void seek(struct lex_mirror_thread *t)
{
    static struct lex_position positions[LEX_MIRROR_PARTITIONS_MAX];
    struct lex_error err = {{0}};
    size_t count = 0;
    for (size_t i = 0; i < t->follows_count; i++) {
        const struct follow *f = &t->follows[i];
        int64_t next = f->state == FOLLOWING ? lex_mirror_next_offset(t->mirror, f->partition)
                       : f->seen >= 0        ? f->seen
                                             : f->from;
        if (f->state == FOLLOWING || f->state == SEARCHING)
            positions[count++] = (struct lex_position){
                f->partition, next == LEX_MIRROR_BEGINNING ? LEX_LEDGER_BEGIN : next};
    }
    t->reseek = false;
    if (lex_ledger_reader_seek(t->reader, positions, count, &err) != LEX_OK)
        reader_failed(t, &err);
}

static void read_some(struct lex_mirror_thread *t, int first_wait_ms)
{
    struct lex_error err = {{0}};
    struct lex_ledger_record record;
    for (int i = 0; i < BATCH_RECORDS && !t->reseek; i++) {
        enum lex_status status =
            lex_ledger_reader_next(t->reader, i == 0 ? first_wait_ms : 0, &record, &err);
        if (status == LEX_RETRY)
            return;
        if (status != LEX_OK) {
            reader_failed(t, &err);
            return;
        }
        bool of_reader = record.gone || record.end;
        status = take(t, &record, &err);
        if (status == LEX_OK)
            continue;
        if (of_reader)
            reader_failed(t, &err);
        else
            store_failed(t, status, &err);
        return;
    }
}

/* ---- what is to be followed ---- */

/* @post on a failure that will pass the partition is not followed, and asked for again soon */
static void begin(struct lex_mirror_thread *t, int32_t partition, int64_t seq)
{
    struct lex_error err = {{0}};
    struct lex_store_position position;
    bool known = false;
    struct follow *f = find(t, partition);
    if (f == NULL)
        f = add(t, partition);
    if (f == NULL)
        return;
    f->wanted = seq;
    quieten(t);
    enum lex_status status = lex_store_position(t->store, partition, &position, &known, &err);
    if (status == LEX_OK)
        status = known || seq <= 0 ? follow_from(t, f, NULL, &err) : search(t, f, &err);
    if (status == LEX_OK)
        return;
    LEX_LOG(LEX_LOG_WARNING, LOGGER, "Mirror cannot follow a partition yet",
            lex_log_i64("partition", partition), lex_log_str("error", err.text));
    drop(t, f);
    t->topic_at_us = lex_clock_mono_us() + TOPIC_SOON_US;
}

static void end(struct lex_mirror_thread *t, struct follow *f)
{
    struct lex_error err = {{0}};
    enum lex_status status = lex_mirror_revoke(t->mirror, f->partition, &err);
    if (status != LEX_OK)
        store_failed(t, status, &err);
    drop(t, f);
}

static void begin_or_retry(struct lex_mirror_thread *t, int32_t partition, int64_t seq)
{
    const struct follow *f = find(t, partition);
    if (f == NULL || f->state == STUCK)
        begin(t, partition, seq);
}

static void look_at_topic(struct lex_mirror_thread *t)
{
    struct lex_error err = {{0}};
    int32_t count = 0;
    enum lex_status status = lex_ledger_reader_partitions(t->reader, &count, &err);
    if (status != LEX_OK) {
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "Ledger topic cannot be looked at, trying again",
                lex_log_str("error", err.text));
        t->topic_at_us = lex_clock_mono_us() + TOPIC_AGAIN_US;
        return;
    }
    if (count > LEX_MIRROR_PARTITIONS_MAX)
        LEX_LOG(LEX_LOG_ERROR, LOGGER, "More partitions than a mirror follows",
                lex_log_i64("partitions", count),
                lex_log_i64("followed", LEX_MIRROR_PARTITIONS_MAX));
    for (int32_t p = 0; p < count && p < LEX_MIRROR_PARTITIONS_MAX && !t->stop_wanted; p++)
        begin_or_retry(t, p, 0);
}

static void look_at_owners(struct lex_mirror_thread *t)
{
    static struct ownership now[LEX_MIRROR_PARTITIONS_MAX];
    (void)pthread_mutex_lock(&t->mutex);
    memcpy(now, t->ownerships, sizeof now);
    t->news = false;
    (void)pthread_mutex_unlock(&t->mutex);
    for (size_t i = t->follows_count; i-- > 0;)
        if (now[t->follows[i].partition].owners <= 0)
            end(t, &t->follows[i]);
    for (int32_t p = 0; p < LEX_MIRROR_PARTITIONS_MAX; p++)
        if (now[p].owners > 0)
            begin_or_retry(t, p, now[p].seq);
}

static bool has_news(struct lex_mirror_thread *t)
{
    (void)pthread_mutex_lock(&t->mutex);
    bool news = t->news;
    (void)pthread_mutex_unlock(&t->mutex);
    return news;
}

static void look_around(struct lex_mirror_thread *t, int64_t now_us)
{
    bool owned = t->config->mirror_scope == LEX_MIRROR_SCOPE_OWNED;
    if (now_us < t->topic_at_us && !(owned && has_news(t)))
        return;
    t->topic_at_us = now_us + TOPIC_EVERY_US;
    if (owned)
        look_at_owners(t);
    else
        look_at_topic(t);
}

/* ---- the file ---- */

static enum lex_status open_mirror(struct lex_mirror_thread *t, struct lex_error *err)
{
    const struct lex_mirror_options options = {
        .scope =
            t->config->mirror_scope == LEX_MIRROR_SCOPE_ALL ? LEX_MIRROR_ALL : LEX_MIRROR_OWNED,
        .origin_prefix = lex_span_str(t->config->origin_prefix),
        .ledger_topic = lex_span_str(t->config->ledger_topic),
    };
    LEX_TRY(lex_store_open(t->path, LEX_STORE_WRITE, &t->store, err));
    return lex_mirror_new(&options, t->store, &t->mirror, err);
}

static void close_mirror(struct lex_mirror_thread *t)
{
    lex_mirror_check_free(t->check);
    t->check = NULL;
    lex_mirror_free(t->mirror);
    t->mirror = NULL;
    lex_store_close(t->store);
    t->store = NULL;
}

/* The mirror of another ledger is told before anything is read. */
static enum lex_status check_origins(struct lex_mirror_thread *t, struct lex_error *err)
{
    int32_t partition = -1;
    struct lex_store_position position;
    char origin[LEX_ORIGIN_MAX_BYTES];
    bool found = false;
    for (;;) {
        LEX_TRY(lex_store_next_partition(t->store, partition, &partition, err));
        if (partition < 0)
            return LEX_OK;
        LEX_TRY(lex_origin_format(lex_span_str(t->config->origin_prefix),
                                  lex_span_str(t->config->ledger_topic), partition, origin, err));
        LEX_TRY(lex_store_position(t->store, partition, &position, &found, err));
        if (found && strcmp(position.origin, origin) != 0)
            return lex_fail(err, LEX_HALT,
                            "mirror %s holds the log %s, but origin_prefix and ledger_topic name "
                            "%s: set mirror_path to another file, or put the settings right",
                            t->path, position.origin, origin);
    }
}

/* Deleted under our feet, which is how an operator asks for a new one. */
static void reopen_if_gone(struct lex_mirror_thread *t)
{
    struct lex_error err = {{0}};
    if (t->store != NULL && !lex_store_gone(t->store))
        return;
    if (t->store != NULL)
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "The mirror's file was deleted: it is rebuilt",
                lex_log_str("path", t->path));
    close_mirror(t);
    if (open_mirror(t, &err) != LEX_OK) {
        LEX_LOG(LEX_LOG_ERROR, LOGGER, "Mirror does not open, trying again",
                lex_log_str("error", err.text));
        close_mirror(t);
        return;
    }
    t->follows_count = 0;
    t->rows_counted = 0;
    t->dead = t->check_failed = false;
    t->commit_at_us = t->backoff_us = t->paused_until_us = t->topic_at_us = 0;
    t->reseek = true;
}

/* ---- verifying the file ---- */

static void check_ends(struct lex_mirror_thread *t, enum lex_status status,
                       const struct lex_error *err)
{
    double seconds = (double)(lex_clock_mono_us() - t->check_begin_us) / 1e6;
    t->check_failed = status == LEX_REJECT || status == LEX_HALT;
    if (status == LEX_OK || t->check_failed) {
        count_check(t->check_failed ? "failed" : "passed");
        lex_metric_observe(LEX_METRIC_LEDGER_VERIFICATION_DURATION, seconds);
    }
    if (t->check_failed)
        LEX_LOG(LEX_LOG_CRITICAL, LOGGER, "The mirror's file was altered",
                lex_log_str("path", t->path), lex_log_str("error", err->text),
                lex_log_str("todo",
                            "keep a copy of it for whoever looks into it, stop the service, "
                            "delete the file, start: it is rebuilt from the ledger topic"));
    else if (status == LEX_OK)
        LEX_LOG(LEX_LOG_INFO, LOGGER, "Mirror verified",
                lex_log_i64("entries", lex_mirror_check_entries(t->check)),
                lex_log_i64("took_ms", (int64_t)(seconds * 1000)));
    lex_mirror_check_free(t->check);
    t->check = NULL;
    t->check_at_us = lex_clock_mono_us() + t->config->integrity_check_interval * 1000000;
}

static void check_some(struct lex_mirror_thread *t, int64_t now_us)
{
    struct lex_error err = {{0}};
    bool done = false;
    enum lex_status status = LEX_OK;
    if (!t->config->auto_verify || t->dead || now_us < t->check_at_us)
        return;
    t->check_at_us = now_us + CHECK_REST_US;
    if (t->check == NULL) {
        t->check_begin_us = now_us;
        if (lex_mirror_check_new(t->path, &t->check, &err) != LEX_OK)
            return; /* deleted just now, or damaged, which who writes it finds too */
    }
    status = lex_mirror_check_step(t->check, CHECK_SLICE_US, &done, &err);
    t->check_at_us = lex_clock_mono_us() + CHECK_REST_US;
    if (status != LEX_OK || done)
        check_ends(t, status, &err);
}

/* ---- the thread ---- */

static void sleep_ms(int ms)
{
    struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)nanosleep(&wait, NULL);
}

static void every_second(struct lex_mirror_thread *t, int64_t now_us)
{
    if (now_us < t->gauges_at_us)
        return;
    t->gauges_at_us = now_us + GAUGES_EVERY_US;
    tell_broker(t);
    reopen_if_gone(t);
    if (t->store == NULL)
        return;
    tell_rows(t);
    tell_lag(t);
    tell_broken(t);
}

static int wait_ms(const struct lex_mirror_thread *t, int64_t now_us)
{
    if (t->commit_at_us == 0)
        return POLL_MS;
    int64_t left_ms = (t->commit_at_us - now_us) / 1000;
    return left_ms <= 0 ? 0 : left_ms < POLL_MS ? (int)left_ms : POLL_MS;
}

static void turn(struct lex_mirror_thread *t)
{
    int64_t now_us = lex_clock_mono_us();
    every_second(t, now_us);
    if (t->store == NULL || t->dead || now_us < t->paused_until_us) {
        sleep_ms(POLL_MS);
        return;
    }
    look_around(t, now_us);
    if (t->reseek)
        seek(t);
    if (t->follows_count == 0) {
        lex_ledger_reader_serve(t->reader);
        sleep_ms(POLL_MS);
    } else
        read_some(t, wait_ms(t, now_us));
    now_us = lex_clock_mono_us();
    if (t->commit_at_us != 0 && now_us >= t->commit_at_us)
        commit(t);
    check_some(t, now_us);
    tell_broken(t);
}

/* ---- the end ---- */

/* The end of what is committed, for each. Without a broker there is nothing to wait for. */
static void ask_ends(struct lex_mirror_thread *t)
{
    struct lex_error err;
    int64_t low;
    enum lex_status status = LEX_OK;
    quieten(t);
    for (size_t i = 0; i < t->follows_count; i++) {
        struct follow *f = &t->follows[i];
        f->drain_to = -1;
        if (f->state == FOLLOWING && status == LEX_OK)
            status = lex_ledger_reader_range(t->reader, f->partition, &low, &f->drain_to, &err);
    }
}

static bool is_drained(const struct lex_mirror_thread *t)
{
    for (size_t i = 0; i < t->follows_count; i++) {
        const struct follow *f = &t->follows[i];
        int64_t next = lex_mirror_next_offset(t->mirror, f->partition);
        if (f->state == FOLLOWING && next < f->drain_to && f->seen < f->drain_to)
            return false;
    }
    return true;
}

static void drain(struct lex_mirror_thread *t)
{
    if (t->store == NULL || t->dead)
        return;
    sleep_ms(DRAIN_SETTLE_MS);
    look_around(t, lex_clock_mono_us());
    ask_ends(t);
    while (!is_drained(t) && lex_clock_mono_us() < t->stop_by_us && !t->dead && t->store != NULL)
        turn(t);
    if (t->store == NULL || t->dead)
        return;
    if (lex_clock_mono_us() >= t->paused_until_us)
        commit(t);
    if (!is_drained(t))
        LEX_LOG(LEX_LOG_WARNING, LOGGER,
                "Mirror stops before the ledger's end; it goes on from there at the next start");
}

static void *run(void *user)
{
    struct lex_mirror_thread *t = user;
    while (!t->stop_wanted)
        turn(t);
    drain(t);
    if (t->mirror != NULL)
        tell_rows(t);
    return NULL;
}

static void free_thread(struct lex_mirror_thread *t)
{
    lex_ledger_reader_free(t->reader);
    close_mirror(t);
    lex_arena_fini(&t->arena);
    (void)pthread_mutex_destroy(&t->mutex);
    free(t->path);
    free(t);
}

/* ---- start and stop ---- */

/* A sixteenth of the budget; its messages cost librdkafka about as much again. */
static int prefetch_kb(const struct lex_config *config)
{
    int64_t kb = config->memory_budget_mb * 1024 / 16;
    return (int)(kb < PREFETCH_LEAST_KB  ? PREFETCH_LEAST_KB
                 : kb > PREFETCH_MOST_KB ? PREFETCH_MOST_KB
                                         : kb);
}

static enum lex_status choose_path(struct lex_mirror_thread *t, struct lex_error *err)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char name[4096];
    size_t bytes = strlen(t->config->mirror_path) + sizeof ".embedded";
    t->path = malloc(bytes);
    if (t->path == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory for the mirror");
    (void)snprintf(t->path, bytes, "%s%s", t->config->mirror_path,
                   t->config->embedded ? ".embedded" : "");
    for (size_t i = 0; t->config->embedded && i < LEX_COUNT_OF(endings); i++) {
        (void)snprintf(name, sizeof name, "%s%s", t->path, endings[i]);
        (void)unlink(name);
    }
    return LEX_OK;
}

static enum lex_status start(struct lex_mirror_thread *t, struct lex_error *err)
{
    LEX_TRY(choose_path(t, err));
    LEX_TRY(open_mirror(t, err));
    LEX_TRY(check_origins(t, err));
    if (lex_config_kafka_get(t->config, "bootstrap.servers") == NULL)
        return LEX_OK;
    LEX_TRY(lex_ledger_reader_new(t->config, LOGGER, FETCH_WAIT_MS, prefetch_kb(t->config),
                                  &t->reader, err));
    t->check_at_us = lex_clock_mono_us() + t->config->integrity_check_interval * 1000000;
    if (pthread_create(&t->thread, NULL, run, t) != 0)
        return lex_fail(err, LEX_LIMIT, "the mirror's thread does not start");
    t->started = true;
    return LEX_OK;
}

LEX_STATUS lex_mirror_thread_start(const struct lex_config *config, struct lex_health *health,
                                   struct lex_mirror_thread **ret_thread, struct lex_error *err)
{
    if (config->mirror_scope == LEX_MIRROR_SCOPE_OFF) {
        *ret_thread = NULL;
        return LEX_OK;
    }
    struct lex_mirror_thread *t = calloc(1, sizeof *t);
    if (t == NULL)
        return lex_fail(err, LEX_LIMIT, "no memory for the mirror");
    t->config = config;
    t->health = health;
    (void)pthread_mutex_init(&t->mutex, NULL);
    lex_arena_init(&t->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    enum lex_status status = start(t, err);
    if (status != LEX_OK) {
        free_thread(t);
        return status;
    }
    health->mirror_on = true;
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Mirror open", lex_log_str("path", t->path));
    *ret_thread = t;
    return LEX_OK;
}

void lex_mirror_thread_owned(void *thread, int32_t partition, bool active, int64_t seq)
{
    struct lex_mirror_thread *t = thread;
    if (t == NULL || t->config->mirror_scope != LEX_MIRROR_SCOPE_OWNED || partition < 0)
        return;
    if (partition >= LEX_MIRROR_PARTITIONS_MAX) {
        LEX_LOG(LEX_LOG_ERROR, LOGGER, "More partitions than a mirror follows",
                lex_log_i64("partition", partition));
        return;
    }
    (void)pthread_mutex_lock(&t->mutex);
    struct ownership *ownership = &t->ownerships[partition];
    ownership->owners += active ? 1 : -1;
    if (active)
        ownership->seq = seq;
    t->news = true;
    (void)pthread_mutex_unlock(&t->mutex);
}

void lex_mirror_thread_stop(struct lex_mirror_thread *thread, int timeout_ms)
{
    if (thread == NULL)
        return;
    thread->stop_by_us = lex_clock_mono_us() + (int64_t)timeout_ms * 1000;
    thread->stop_wanted = true;
    if (thread->started)
        (void)pthread_join(thread->thread, NULL);
    thread->health->mirror_on = false;
    free_thread(thread);
}
