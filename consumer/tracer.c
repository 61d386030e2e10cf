#include "consumer/tracer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "consumer/web.h"
#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/crypto/crypto.h"

enum {
    REQUEST_MAX_BYTES = 32 << 20, /* LEX_OTEL_BATCH_MAX spans with all their links, and more */
    ANSWER_MAX_BYTES = 64 << 10,
    PAUSE_FIRST_MS = 1000,
    PAUSE_MAX_MS = 30 * 1000,
    RETRY_AFTER_MAX_S = 3600,
};

static const char LOGGER[] = "lexecon.traces";

/* A span that waits, in one piece with its bytes. */
struct waiting {
    size_t len;
    uint8_t bytes[];
};

struct lex_tracer {
    const struct lex_config *config;
    struct lex_web *web;
    pthread_t thread;
    struct lex_otlp_attribute attributes[LEX_OTLP_ATTRIBUTES_MAX];
    struct lex_otlp_resource resource;
    _Atomic bool cut; /* whatever is being sent ends now */

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t woken;
    bool stopping;
    int64_t stop_until_us;
    struct waiting **queue; /* ring of config->otel.queue_size */
    size_t first, count;

    struct waiting *batch[LEX_OTEL_BATCH_MAX]; /* the thread's: taken, not yet answered for */
    size_t batch_count;
    bool failing; /* told once, until it works again */
};

/* ---- what is decided without input or output ---- */

enum lex_tracer_next lex_tracer_next(int status)
{
    if (status >= 200 && status < 300)
        return LEX_TRACER_SENT;
    switch (status) {
    case 0: /* nobody answered */
    case 429:
    case 502:
    case 503:
    case 504: return LEX_TRACER_AGAIN;
    default: return LEX_TRACER_GIVE_UP;
    }
}

int64_t lex_tracer_pause_ms(int attempt, uint32_t random, int64_t retry_after_s)
{
    int64_t pause = PAUSE_FIRST_MS;
    for (int i = 1; i < attempt && pause < PAUSE_MAX_MS; i++)
        pause *= 2;
    if (pause > PAUSE_MAX_MS)
        pause = PAUSE_MAX_MS;
    pause -= random % (uint32_t)(pause / 2 + 1);
    int64_t asked_s = retry_after_s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : retry_after_s;
    return asked_s * 1000 > pause ? asked_s * 1000 : pause;
}

/* ---- the queue ---- */

void lex_tracer_offer(struct lex_tracer *tracer, struct lex_span span)
{
    size_t size = (size_t)tracer->config->otel.queue_size;
    struct waiting *item = malloc(sizeof *item + span.len);
    bool taken = false;
    if (item != NULL) {
        item->len = span.len;
        memcpy(item->bytes, span.data, span.len);
        (void)pthread_mutex_lock(&tracer->lock);
        taken = tracer->count < size;
        if (taken)
            tracer->queue[(tracer->first + tracer->count++) % size] = item;
        if (tracer->count == (size_t)tracer->config->otel.batch_size)
            (void)pthread_cond_signal(&tracer->woken);
        (void)pthread_mutex_unlock(&tracer->lock);
    }
    if (taken)
        return;
    free(item);
    lex_metric_add(LEX_METRIC_SPANS_DROPPED, 1);
}

/* Until a batch is full, the delay is over, or the end has come. @pre locked */
static void wait_for_batch(struct lex_tracer *t)
{
    const struct lex_otel *otel = &t->config->otel;
    int64_t until_us = lex_clock_mono_us() + otel->schedule_delay_ms * 1000;
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    while (!t->stopping && t->count < (size_t)otel->batch_size &&
           pthread_cond_timedwait(&t->woken, &t->lock, &until) == 0)
        ;
}

/* @return false once nothing waits and nothing will come */
static bool take_batch(struct lex_tracer *t)
{
    size_t size = (size_t)t->config->otel.queue_size;
    (void)pthread_mutex_lock(&t->lock);
    wait_for_batch(t);
    while (t->count != 0 && t->batch_count < (size_t)t->config->otel.batch_size) {
        t->batch[t->batch_count++] = t->queue[t->first];
        t->first = (t->first + 1) % size;
        t->count--;
    }
    bool more = t->batch_count != 0 || !t->stopping;
    (void)pthread_mutex_unlock(&t->lock);
    return more;
}

static void drop_batch(struct lex_tracer *t)
{
    for (size_t i = 0; i < t->batch_count; i++)
        free(t->batch[i]);
    t->batch_count = 0;
}

static void count_exported(const char *result, size_t spans)
{
    struct lex_span label = lex_span_str(result);
    lex_series_add(lex_metric_series(LEX_METRIC_SPANS_EXPORTED, &label, 1), spans);
}

/* ---- sending ---- */

static LEX_STATUS encode(const struct lex_tracer *t, struct lex_buf *ret_body)
{
    struct lex_span *spans = calloc(t->batch_count, sizeof *spans);
    if (spans == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < t->batch_count; i++)
        spans[i] = lex_span_of(t->batch[i]->bytes, t->batch[i]->len);
    lex_otlp_put_request(ret_body, &t->resource, spans, t->batch_count);
    free(spans);
    return lex_buf_ok(ret_body) ? LEX_OK : LEX_LIMIT;
}

static LEX_STATUS call(const struct lex_tracer *t, struct lex_span body,
                       struct lex_web_answer *ret_answer, struct lex_error *err)
{
    const struct lex_otel *otel = &t->config->otel;
    _Static_assert(LEX_OTEL_PAIRS_MAX + 2 <= LEX_WEB_HEADERS_MAX, "all headers have room");
    struct lex_web_request request = {.method = "POST", .url = otel->endpoint, .body = body};
    size_t count = 0;
    request.headers[count++] = "Content-Type: application/x-protobuf";
    request.headers[count++] = "User-Agent: lexecon/" LEX_VERSION;
    for (size_t i = 0; i < otel->headers_count; i++)
        request.headers[count++] = otel->headers[i];
    enum lex_status status = lex_web_call(t->web, &request, ret_answer, err);
    if (status == LEX_OK && lex_tracer_next(ret_answer->status) != LEX_TRACER_SENT)
        (void)lex_fail(err, LEX_OK, "HTTP status %d", ret_answer->status);
    return status;
}

static void tell_failure(struct lex_tracer *t, const struct lex_error *err)
{
    if (t->failing)
        return;
    t->failing = true;
    LEX_LOG(LEX_LOG_WARNING, LOGGER, "Traces are not delivered",
            lex_log_str("endpoint", t->config->otel.endpoint), lex_log_str("error", err->text),
            lex_log_str("todo", "check OTEL_EXPORTER_OTLP_ENDPOINT and the collector; decisions go "
                                "on, and spans are dropped and counted"));
}

static void tell_success(struct lex_tracer *t)
{
    if (t->failing)
        LEX_LOG(LEX_LOG_INFO, LOGGER, "Traces are delivered again");
    t->failing = false;
}

static void settle(struct lex_tracer *t, const struct lex_web_answer *answer)
{
    int64_t rejected = lex_otlp_rejected(answer->body);
    size_t refused = rejected < (int64_t)t->batch_count ? (size_t)rejected : t->batch_count;
    count_exported("sent", t->batch_count - refused);
    if (refused != 0) {
        count_exported("rejected", refused);
        LEX_LOG(LEX_LOG_WARNING, LOGGER, "The collector refused spans",
                lex_log_i64("spans", (int64_t)refused));
    }
    tell_success(t);
}

/* Wait until it is time for the next attempt. @return false: there is none before the end */
static bool pause_until(struct lex_tracer *t, int64_t at_us, int64_t end_us)
{
    struct timespec until = {at_us / 1000000, at_us % 1000000 * 1000};
    (void)pthread_mutex_lock(&t->lock);
    bool stopping = t->stopping;
    while (at_us < end_us && t->stopping == stopping &&
           pthread_cond_timedwait(&t->woken, &t->lock, &until) == 0)
        ;
    /* A stop that came meanwhile leaves one more attempt, at once. */
    if (t->stopping && t->stop_until_us < end_us)
        end_us = t->stop_until_us;
    (void)pthread_mutex_unlock(&t->lock);
    return at_us < end_us && lex_clock_mono_us() < end_us;
}

/* One batch, until it is taken, refused, or its time is over. @return whether it was taken */
static bool deliver(struct lex_tracer *t, struct lex_span body)
{
    int64_t end_us = lex_clock_mono_us() + t->config->otel.export_timeout_ms * 1000;
    for (int attempt = 1;; attempt++) {
        struct lex_error err = {{0}};
        struct lex_web_answer answer = {.retry_after_s = -1};
        enum lex_status status = call(t, body, &answer, &err);
        enum lex_tracer_next next = status == LEX_OK      ? lex_tracer_next(answer.status)
                                    : status == LEX_RETRY ? LEX_TRACER_AGAIN
                                                          : LEX_TRACER_GIVE_UP;
        if (next == LEX_TRACER_SENT) {
            settle(t, &answer);
            return true;
        }
        tell_failure(t, &err);
        uint32_t random;
        lex_random(&random, sizeof random);
        int64_t pause_ms = lex_tracer_pause_ms(attempt, random, answer.retry_after_s);
        if (next == LEX_TRACER_GIVE_UP || t->cut ||
            !pause_until(t, lex_clock_mono_us() + pause_ms * 1000, end_us))
            return false;
    }
}

static void *run(void *user)
{
    struct lex_tracer *t = user;
    (void)pthread_setname_np(pthread_self(), "lex-traces");
    while (take_batch(t)) {
        struct lex_buf body;
        lex_buf_init(&body, REQUEST_MAX_BYTES);
        bool sent = t->batch_count == 0 ||
                    (!t->cut && encode(t, &body) == LEX_OK && deliver(t, lex_buf_span(&body)));
        if (!sent)
            count_exported("failed", t->batch_count);
        drop_batch(t);
        lex_buf_fini(&body);
    }
    return NULL;
}

/* ---- life ---- */

static void add(struct lex_tracer *t, const char *key, const char *value)
{
    LEX_ASSERT(t->resource.attributes_count < LEX_OTLP_ATTRIBUTES_MAX);
    t->attributes[t->resource.attributes_count++] = lex_otlp_text(key, lex_span_str(value));
}

/* Semantic conventions, "Resource". What the operator names wins over what we would say. */
static void fill_resource(struct lex_tracer *t)
{
    const struct lex_otel *otel = &t->config->otel;
    const struct lex_otel_pair ours[] = {{"service.version", LEX_VERSION},
                                         {"service.instance.id", t->config->node_id},
                                         {"telemetry.sdk.name", "lexecon"},
                                         {"telemetry.sdk.language", "c"},
                                         {"telemetry.sdk.version", LEX_VERSION}};
    add(t, "service.name", otel->service_name);
    for (size_t i = 0; i < otel->attributes_count; i++)
        if (strcmp(otel->attributes[i].key, "service.name") != 0)
            add(t, otel->attributes[i].key, otel->attributes[i].value);
    for (size_t i = 0; i < LEX_COUNT_OF(ours); i++) {
        bool named = false;
        for (size_t k = 0; k < otel->attributes_count; k++)
            named = named || strcmp(otel->attributes[k].key, ours[i].key) == 0;
        if (!named)
            add(t, ours[i].key, ours[i].value);
    }
    t->resource.attributes = t->attributes;
    t->resource.scope_name = LEX_SPAN("lexecon.worker");
    t->resource.scope_version = LEX_SPAN(LEX_VERSION);
}

static void free_tracer(struct lex_tracer *t)
{
    drop_batch(t);
    for (; t->count != 0; t->count--, t->first++)
        free(t->queue[t->first % (size_t)t->config->otel.queue_size]);
    lex_web_free(t->web);
    free(t->queue);
    (void)pthread_cond_destroy(&t->woken);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

static void init_waiting(struct lex_tracer *t)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&t->woken, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&t->lock, NULL);
}

static LEX_STATUS build(struct lex_tracer *t, struct lex_error *err)
{
    const struct lex_otel *otel = &t->config->otel;
    struct lex_web_options options = {.ca_file = otel->certificate,
                                      .timeout_ms = (int)otel->timeout_ms,
                                      .answer_max_bytes = ANSWER_MAX_BYTES,
                                      .cancel = &t->cut};
    t->queue = calloc((size_t)otel->queue_size, sizeof *t->queue);
    if (t->queue == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    fill_resource(t);
    LEX_TRY(lex_web_new(&options, &t->web, err));
    if (pthread_create(&t->thread, NULL, run, t) != 0)
        return lex_fail(err, LEX_LIMIT, "the thread of the traces does not start");
    return LEX_OK;
}

LEX_STATUS lex_tracer_start(const struct lex_config *config, struct lex_tracer **ret_tracer,
                            struct lex_error *err)
{
    *ret_tracer = NULL;
    if (!config->otel.on)
        return LEX_OK;
    struct lex_tracer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    t->config = config;
    init_waiting(t);
    enum lex_status status = build(t, err);
    if (status != LEX_OK) {
        free_tracer(t);
        return status;
    }
    LEX_LOG(LEX_LOG_INFO, LOGGER, "Traces are exported",
            lex_log_str("endpoint", config->otel.endpoint));
    if (config->otel.compression_ignored)
        LEX_LOG(LEX_LOG_WARNING, LOGGER,
                "OTEL_EXPORTER_OTLP_COMPRESSION has no effect: nothing is compressed");
    *ret_tracer = t;
    return LEX_OK;
}

void lex_tracer_stop(struct lex_tracer *tracer, int timeout_ms)
{
    if (tracer == NULL)
        return;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&tracer->lock);
    tracer->stopping = true;
    tracer->stop_until_us = lex_clock_mono_us() + (int64_t)timeout_ms * 1000;
    (void)pthread_cond_signal(&tracer->woken);
    (void)pthread_mutex_unlock(&tracer->lock);
    if (pthread_timedjoin_np(tracer->thread, NULL, &until) != 0) {
        atomic_store(&tracer->cut, true); /* the call that is under way ends within a second */
        (void)pthread_join(tracer->thread, NULL);
    }
    free_tracer(tracer);
}
