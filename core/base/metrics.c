#include "core/base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/host.h"
#include "core/base/text.h"

/* ---- the table ---- */

enum kind { COUNTER, GAUGE, HISTOGRAM, SCRAPE, SCRAPE_COUNTER };
enum bucket_set { NONE, EVALUATION, LATENCY, LONG, COUNT, BUCKET_SETS };
enum { BOUNDS_MAX = 20, KEY_MAX = LEX_METRIC_LABELS_MAX * (LEX_METRIC_VALUE_MAX + 1) };

struct bounds {
    size_t count;
    double upper[BOUNDS_MAX];
};

static const struct bounds bucket_sets[BUCKET_SETS] = {
    [EVALUATION] = {16,
                    {1e-7, 2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2,
                     1e-1, 1, 2.5, 10}},
    [LATENCY] = {16,
                 {0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
                  60}},
    [LONG] = {10, {0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600}},
    [COUNT] = {14, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 10000}},
};

struct definition {
    enum kind kind;
    const char *name, *labels, *capped;
    uint32_t cap, series_max;
    enum bucket_set buckets;
    const char *help;
};

static const struct definition definitions[LEX_METRIC_COUNT] = {
#define LEX_METRIC(id, kind, name, labels, capped, cap, series_max, buckets, help) \
    [LEX_METRIC_##id] = {kind, name, labels, capped, cap, series_max, buckets, help},
#define LEX_METRIC_AT_ZERO(...)
#include "core/base/metrics.def"
#undef LEX_METRIC
#undef LEX_METRIC_AT_ZERO
};

/* ---- series ----
 *
 * A set is an open-addressing table of pointers that only grows: readers probe it without a lock,
 * writers add under one. It is made at its ceiling's size, so that it never moves. */

struct series_key {
    size_t len;
    uint8_t bytes[KEY_MAX]; /* label values, each followed by 0xff, which no UTF-8 contains */
};

struct lex_series {
    const struct definition *definition;
    _Atomic uint64_t bits; /* a counter's count, or a gauge's or a histogram's sum as a double */
    _Atomic bool hidden;
    _Atomic uint64_t *buckets; /* of a histogram: count in each bucket, the last is +Inf */
    struct lex_series *_Atomic next;
    uint64_t hash;
    size_t key_len;
    uint8_t key[];
};

struct series_set {
    struct lex_series *_Atomic *slots;
    uint32_t slots_count; /* a power of two, at least twice the ceiling */
    _Atomic uint32_t count;
    struct lex_series *_Atomic first;
    struct lex_series *last;
};

struct metric {
    _Atomic bool ready;
    size_t labels_count;
    size_t capped_index; /* labels_count when none is */
    struct series_set series;
    struct series_set kept; /* values of the capped label that keep a series of their own */
    struct lex_series *_Atomic sink; /* takes what no ceiling left room for; never shown */
};

static struct metric metrics[LEX_METRIC_COUNT];
static pthread_mutex_t growing = PTHREAD_MUTEX_INITIALIZER;

/* FNV-1a (Fowler, Noll, Vo), eight bytes a step; the last multiplication spreads to the low bits.
 */
static uint64_t hash_key(const uint8_t *data, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; len >= 8; data += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, data, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    for (; len > 0; data++, len--)
        hash = (hash ^ *data) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

static struct lex_series *find(const struct series_set *set, uint64_t hash, const uint8_t *key,
                               size_t len)
{
    for (uint64_t at = hash;; at++) {
        struct lex_series *series =
            atomic_load_explicit(&set->slots[at & (set->slots_count - 1)], memory_order_acquire);
        if (series == NULL)
            return NULL;
        if (series->hash == hash && series->key_len == len && memcmp(series->key, key, len) == 0)
            return series;
    }
}

static void set_init(struct series_set *set, uint32_t ceiling)
{
    uint32_t slots = 4;
    while (slots < 2 * ceiling + 2)
        slots *= 2;
    set->slots = calloc(slots, sizeof *set->slots);
    LEX_ASSERT(set->slots != NULL);
    set->slots_count = slots;
}

static struct lex_series *series_new(const struct definition *definition, uint64_t hash,
                                     const uint8_t *key, size_t len)
{
    struct lex_series *series = calloc(1, sizeof *series + len);
    LEX_ASSERT(series != NULL);
    series->definition = definition;
    series->hash = hash;
    series->key_len = len;
    memcpy(series->key, key, len);
    if (definition->kind == HISTOGRAM) {
        series->buckets =
            calloc(bucket_sets[definition->buckets].count + 1, sizeof *series->buckets);
        LEX_ASSERT(series->buckets != NULL);
    }
    return series;
}

/* @pre `growing` is held, and the key is not in the set */
static struct lex_series *insert(struct series_set *set, const struct definition *definition,
                                 uint64_t hash, const uint8_t *key, size_t len)
{
    struct lex_series *series = series_new(definition, hash, key, len);
    uint64_t at = hash;
    while (atomic_load(&set->slots[at & (set->slots_count - 1)]) != NULL)
        at++;
    atomic_store_explicit(&set->slots[at & (set->slots_count - 1)], series, memory_order_release);
    if (set->last == NULL)
        atomic_store_explicit(&set->first, series, memory_order_release);
    else
        atomic_store_explicit(&set->last->next, series, memory_order_release);
    set->last = series;
    atomic_fetch_add(&set->count, 1);
    return series;
}

/* The n-th name in a comma-separated list; absent behind the last. */
static struct lex_span label_name(const char *labels, size_t n)
{
    for (; *labels != '\0'; n--) {
        size_t len = strcspn(labels, ",");
        if (n == 0)
            return lex_span_of(labels, len);
        labels += len + (labels[len] == ',');
    }
    return lex_span_of(NULL, 0);
}

static void metric_init(struct metric *metric, const struct definition *definition)
{
    size_t count = 0;
    size_t capped = SIZE_MAX;
    for (;; count++) {
        struct lex_span name = label_name(definition->labels, count);
        if (lex_span_absent(name))
            break;
        if (lex_span_eq(name, lex_span_str(definition->capped)))
            capped = count;
    }
    LEX_ASSERT(count <= LEX_METRIC_LABELS_MAX);
    metric->labels_count = count;
    metric->capped_index = capped == SIZE_MAX ? count : capped;
    set_init(&metric->series, definition->series_max);
    set_init(&metric->kept, definition->cap);
    atomic_store(&metric->sink, series_new(definition, 0, (const uint8_t *)"", 0));
}

static struct metric *metric_of(enum lex_metric id)
{
    struct metric *metric = &metrics[id];
    if (atomic_load_explicit(&metric->ready, memory_order_acquire))
        return metric;
    (void)pthread_mutex_lock(&growing);
    if (!atomic_load(&metric->ready)) {
        metric_init(metric, &definitions[id]);
        if (metric->labels_count == 0)
            (void)insert(&metric->series, &definitions[id], hash_key(NULL, 0), (const uint8_t *)"",
                         0);
        atomic_store_explicit(&metric->ready, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&growing);
    return metric;
}

/* ---- keys ---- */

/* The longest prefix of at most LEX_METRIC_VALUE_MAX bytes that does not end inside a code point.
 */
static struct lex_span cut(struct lex_span value)
{
    if (value.len <= LEX_METRIC_VALUE_MAX)
        return value;
    size_t len = LEX_METRIC_VALUE_MAX;
    while (len > 0 && (value.data[len] & 0xc0) == 0x80)
        len--;
    return lex_span_of(value.data, len);
}

static void key_put_bytes(struct series_key *key, size_t end, struct lex_span bytes)
{
    if (key->len + bytes.len > end)
        return;
    if (bytes.len > 0)
        memcpy(key->bytes + key->len, bytes.data, bytes.len);
    key->len += bytes.len;
}

/* What the format does not escape and no page should show. A line break it does escape. */
static bool is_unfit(uint32_t code)
{
    return (code < 0x20 && code != '\n') || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
           code == 0x2029;
}

/* Printable ASCII, as nearly all values are. */
static bool is_plain(struct lex_span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < 0x20 || value.data[i] > 0x7e)
            return false;
    return true;
}

/* Two values that print the same must have the same key, or the page would name one series twice:
 * so invalid UTF-8 and control characters are replaced here and not when it is printed. */
static void key_put(struct series_key *key, struct lex_span value)
{
    size_t end = key->len + LEX_METRIC_VALUE_MAX;
    value = cut(value);
    if (is_plain(value)) {
        key_put_bytes(key, end, value);
    } else {
        for (size_t at = 0; at < value.len;) {
            uint32_t code;
            size_t n = lex_utf8_next(lex_span_of(value.data + at, value.len - at), &code);
            bool unfit = n == 0 || is_unfit(code);
            key_put_bytes(key, end,
                          unfit ? LEX_SPAN("\xef\xbf\xbd") : lex_span_of(value.data + at, n));
            at += n == 0 ? 1 : n;
        }
    }
    key->bytes[key->len++] = 0xff;
}

static void key_of(struct series_key *key, const struct lex_span *labels, size_t count)
{
    key->len = 0;
    key->bytes[0] = 0;
    for (size_t i = 0; i < count; i++)
        key_put(key, labels[i]);
}

static void key_of_capped(struct series_key *key, const struct lex_span *labels, size_t count,
                          size_t capped)
{
    key->len = 0;
    for (size_t i = 0; i < count; i++)
        key_put(key, i == capped ? LEX_SPAN("other") : labels[i]);
}

/* ---- finding and making ---- */

/* Whether the capped label's value may have series of its own. @pre `growing` is held if `make` */
static bool keeps(struct metric *metric, const struct definition *definition, struct lex_span value,
                  bool make)
{
    struct series_key key = {.len = 0};
    key_put(&key, value);
    uint64_t hash = hash_key(key.bytes, key.len);
    if (find(&metric->kept, hash, key.bytes, key.len) != NULL)
        return true;
    if (!make || atomic_load(&metric->kept.count) >= definition->cap)
        return false;
    (void)insert(&metric->kept, definition, hash, key.bytes, key.len);
    return true;
}

static struct lex_series *make(struct metric *metric, const struct definition *definition,
                               const struct lex_span *labels, size_t count)
{
    struct series_key key;
    size_t capped = metric->capped_index;
    if (capped < count && !keeps(metric, definition, labels[capped], true))
        key_of_capped(&key, labels, count, capped);
    else
        key_of(&key, labels, count);
    uint64_t hash = hash_key(key.bytes, key.len);
    struct lex_series *series = find(&metric->series, hash, key.bytes, key.len);
    if (series != NULL)
        return series;
    if (atomic_load(&metric->series.count) < definition->series_max)
        return insert(&metric->series, definition, hash, key.bytes, key.len);
    return atomic_load(&metric->sink);
}

/* Without a lock: the series of these very labels, or the one of "other" where that is settled. */
static struct lex_series *look_up(struct metric *metric, const struct definition *definition,
                                  const struct lex_span *labels, size_t count)
{
    struct series_key key;
    key_of(&key, labels, count);
    struct lex_series *series =
        find(&metric->series, hash_key(key.bytes, key.len), key.bytes, key.len);
    size_t capped = metric->capped_index;
    if (series != NULL || capped >= count ||
        atomic_load_explicit(&metric->kept.count, memory_order_acquire) < definition->cap ||
        keeps(metric, definition, labels[capped], false))
        return series;
    key_of_capped(&key, labels, count, capped);
    return find(&metric->series, hash_key(key.bytes, key.len), key.bytes, key.len);
}

struct lex_series *lex_metric_series(enum lex_metric id, const struct lex_span *labels,
                                     size_t count)
{
    const struct definition *definition = &definitions[id];
    struct metric *metric = metric_of(id);
    LEX_ASSERT(count == metric->labels_count);
    struct lex_series *series = look_up(metric, definition, labels, count);
    if (series == NULL) {
        (void)pthread_mutex_lock(&growing);
        series = make(metric, definition, labels, count);
        (void)pthread_mutex_unlock(&growing);
        if (series == atomic_load(&metric->sink) && id != LEX_METRIC_SERIES_DROPPED)
            lex_metric_add(LEX_METRIC_SERIES_DROPPED, 1);
    }
    if (atomic_load_explicit(&series->hidden, memory_order_relaxed))
        atomic_store(&series->hidden, false);
    return series;
}

void lex_metric_drop(enum lex_metric id, const struct lex_span *labels, size_t count)
{
    struct metric *metric = metric_of(id);
    struct series_key key;
    key_of(&key, labels, count);
    struct lex_series *series =
        find(&metric->series, hash_key(key.bytes, key.len), key.bytes, key.len);
    if (series == NULL)
        return;
    atomic_store(&series->hidden, true);
    atomic_store(&series->bits, 0);
    for (size_t i = 0; series->buckets != NULL && i <= bucket_sets[definitions[id].buckets].count;
         i++)
        atomic_store(&series->buckets[i], 0);
}

/* ---- writing values ---- */

static double to_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void lex_series_add(struct lex_series *series, uint64_t count)
{
    LEX_ASSERT(series->definition->kind == COUNTER);
    atomic_fetch_add_explicit(&series->bits, count, memory_order_relaxed);
}

void lex_series_set(struct lex_series *series, double value)
{
    LEX_ASSERT(series->definition->kind == GAUGE);
    atomic_store_explicit(&series->bits, to_bits(value), memory_order_relaxed);
}

void lex_series_observe(struct lex_series *series, double value)
{
    LEX_ASSERT(series->definition->kind == HISTOGRAM);
    const struct bounds *bounds = &bucket_sets[series->definition->buckets];
    size_t bucket = 0;
    while (bucket < bounds->count && value > bounds->upper[bucket])
        bucket++;
    atomic_fetch_add_explicit(&series->buckets[bucket], 1, memory_order_relaxed);
    uint64_t old = atomic_load_explicit(&series->bits, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&series->bits, &old,
                                                  to_bits(to_double(old) + value),
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

static struct lex_series *only_series(enum lex_metric id)
{
    struct metric *metric = metric_of(id);
    LEX_ASSERT(metric->labels_count == 0);
    return atomic_load_explicit(&metric->series.first, memory_order_acquire);
}

void lex_metric_add(enum lex_metric metric, uint64_t count)
{
    lex_series_add(only_series(metric), count);
}

void lex_metric_set(enum lex_metric metric, double value)
{
    lex_series_set(only_series(metric), value);
}

void lex_metric_observe(enum lex_metric metric, double value)
{
    lex_series_observe(only_series(metric), value);
}

/* ---- what is computed for each page ---- */

static void scrape_value(enum lex_metric id, double value)
{
    atomic_store(&only_series(id)->bits, to_bits(value));
}

static void scrape_process(void)
{
    struct lex_host_usage usage;
    lex_host_usage(&usage);
    scrape_value(LEX_METRIC_PROCESS_CPU, usage.cpu_seconds);
    scrape_value(LEX_METRIC_PROCESS_RSS, usage.resident_bytes);
    scrape_value(LEX_METRIC_PROCESS_VIRTUAL, usage.virtual_bytes);
    scrape_value(LEX_METRIC_PROCESS_FDS, usage.open_fds);
    scrape_value(LEX_METRIC_PROCESS_MAX_FDS, usage.max_fds);
    scrape_value(LEX_METRIC_PROCESS_START, usage.start_seconds);
    struct timespec now;
    double wall = clock_gettime(CLOCK_REALTIME, &now) == 0
                      ? (double)now.tv_sec + (double)now.tv_nsec / 1e9
                      : usage.start_seconds;
    scrape_value(LEX_METRIC_NODE_UPTIME,
                 wall > usage.start_seconds ? wall - usage.start_seconds : 0);
    uint64_t limit = lex_host_memory_limit();
    scrape_value(LEX_METRIC_MEMORY_LIMIT, limit == UINT64_MAX ? INFINITY : (double)limit);
}

static void make_at_zero(void)
{
#define LEX_METRIC(...)
#define LEX_METRIC_AT_ZERO(id, ...)                                             \
    do {                                                                        \
        const char *const values[] = {__VA_ARGS__};                             \
        struct lex_span labels[LEX_COUNT_OF(values)];                           \
        for (size_t i = 0; i < LEX_COUNT_OF(values); i++)                       \
            labels[i] = lex_span_str(values[i]);                                \
        (void)lex_metric_series(LEX_METRIC_##id, labels, LEX_COUNT_OF(values)); \
    } while (0);
#include "core/base/metrics.def"
#undef LEX_METRIC
#undef LEX_METRIC_AT_ZERO
}

/* ---- the page ---- */

static void put_number(struct lex_buf *out, double value)
{
    if (isinf(value))
        lex_buf_puts(out, value > 0 ? "+Inf" : "-Inf");
    else if (isnan(value))
        lex_buf_puts(out, "NaN");
    else
        lex_buf_printf(out, "%.15g", value);
}

static void put_label_value(struct lex_buf *out, struct lex_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        switch (value.data[i]) {
        case '\\': lex_buf_puts(out, "\\\\"); break;
        case '"': lex_buf_puts(out, "\\\""); break;
        case '\n': lex_buf_puts(out, "\\n"); break;
        default: lex_buf_put(out, value.data + i, 1);
        }
    }
}

/* {a="b",c="d"}; `bound` is a bucket's upper bound, NULL elsewhere. */
static void put_labels(struct lex_buf *out, const struct lex_series *series, const char *bound)
{
    const uint8_t *at = series->key, *end = series->key + series->key_len;
    size_t n = 0;
    for (; at < end; n++) {
        const uint8_t *stop = memchr(at, 0xff, (size_t)(end - at));
        LEX_ASSERT(stop != NULL);
        lex_buf_putc(out, n == 0 ? '{' : ',');
        lex_buf_put_span(out, label_name(series->definition->labels, n));
        lex_buf_puts(out, "=\"");
        put_label_value(out, lex_span_of(at, (size_t)(stop - at)));
        lex_buf_putc(out, '"');
        at = stop + 1;
    }
    if (bound != NULL) {
        lex_buf_printf(out, "%cle=\"%s\"", n == 0 ? '{' : ',', bound);
        n++;
    }
    if (n > 0)
        lex_buf_putc(out, '}');
}

static void put_bound(char out[32], const struct bounds *bounds, size_t bucket, bool openmetrics)
{
    if (bucket == bounds->count)
        (void)snprintf(out, 32, "+Inf");
    else
        (void)snprintf(out, 32, "%g%s", bounds->upper[bucket],
                       openmetrics && floor(bounds->upper[bucket]) == bounds->upper[bucket] ? ".0"
                                                                                            : "");
}

/* The count is the sum of the buckets read here, so that the two agree whatever happens meanwhile.
 */
static void put_histogram(struct lex_buf *out, const struct lex_series *series, bool openmetrics)
{
    const struct definition *definition = series->definition;
    const struct bounds *bounds = &bucket_sets[definition->buckets];
    uint64_t total = 0;
    for (size_t i = 0; i <= bounds->count; i++) {
        char bound[32];
        put_bound(bound, bounds, i, openmetrics);
        total += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
        lex_buf_printf(out, "%s_bucket", definition->name);
        put_labels(out, series, bound);
        lex_buf_printf(out, " %llu\n", (unsigned long long)total);
    }
    lex_buf_printf(out, "%s_sum", definition->name);
    put_labels(out, series, NULL);
    lex_buf_putc(out, ' ');
    put_number(out, to_double(atomic_load_explicit(&series->bits, memory_order_relaxed)));
    lex_buf_printf(out, "\n%s_count", definition->name);
    put_labels(out, series, NULL);
    lex_buf_printf(out, " %llu\n", (unsigned long long)total);
}

static void put_series(struct lex_buf *out, const struct lex_series *series, bool openmetrics)
{
    const struct definition *definition = series->definition;
    if (definition->kind == HISTOGRAM) {
        put_histogram(out, series, openmetrics);
        return;
    }
    lex_buf_puts(out, definition->name);
    put_labels(out, series, NULL);
    lex_buf_putc(out, ' ');
    uint64_t bits = atomic_load_explicit(&series->bits, memory_order_relaxed);
    if (definition->kind == COUNTER)
        lex_buf_printf(out, "%llu", (unsigned long long)bits);
    else
        put_number(out, to_double(bits));
    lex_buf_putc(out, '\n');
}

static const char *kind_name(enum kind kind)
{
    static const char *const names[] = {[COUNTER] = "counter",
                                        [GAUGE] = "gauge",
                                        [HISTOGRAM] = "histogram",
                                        [SCRAPE] = "gauge",
                                        [SCRAPE_COUNTER] = "counter"};
    return names[kind];
}

/* OpenMetrics names a counter's family without _total. */
static int family_len(const struct definition *definition, bool openmetrics)
{
    size_t len = strlen(definition->name);
    bool counter = definition->kind == COUNTER || definition->kind == SCRAPE_COUNTER;
    return (int)(openmetrics && counter ? len - strlen("_total") : len);
}

static void put_metric(struct lex_buf *out, enum lex_metric id, bool openmetrics)
{
    const struct definition *definition = &definitions[id];
    int len = family_len(definition, openmetrics);
    lex_buf_printf(out, "# HELP %.*s %s\n", len, definition->name, definition->help);
    lex_buf_printf(out, "# TYPE %.*s %s\n", len, definition->name, kind_name(definition->kind));
    const struct lex_series *series =
        atomic_load_explicit(&metric_of(id)->series.first, memory_order_acquire);
    for (; series != NULL; series = atomic_load_explicit(&series->next, memory_order_acquire))
        if (!atomic_load_explicit(&series->hidden, memory_order_relaxed))
            put_series(out, series, openmetrics);
}

void lex_metrics_write(struct lex_buf *out, bool openmetrics)
{
    make_at_zero();
    scrape_process();
    for (int id = 0; id < LEX_METRIC_COUNT; id++)
        put_metric(out, (enum lex_metric)id, openmetrics);
    if (openmetrics)
        lex_buf_puts(out, "# EOF\n");
}

const char *lex_metrics_content_type(bool openmetrics)
{
    return openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                       : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- the reference ---- */

static void put_page_labels(struct lex_buf *out, const struct definition *definition)
{
    for (size_t n = 0; n < LEX_METRIC_LABELS_MAX; n++) {
        struct lex_span name = label_name(definition->labels, n);
        if (lex_span_absent(name))
            break;
        lex_buf_printf(out, "%s`%.*s`", n == 0 ? "" : ", ", LEX_SPAN_FMT(name));
    }
    if (definition->capped[0] != '\0')
        lex_buf_printf(out, " (%u values of `%s`, then `other`)", definition->cap,
                       definition->capped);
}

void lex_metrics_page(struct lex_buf *out)
{
    lex_buf_puts(out,
                 "# Metrics\n\n"
                 "Generated from core/base/metrics.def; `./dev docs` writes it again.\n\n"
                 "`GET /metrics` answers in Prometheus text format 0.0.4, or in OpenMetrics 1.0 "
                 "where `Accept` asks for it.\nLabel values are cut at 128 bytes; a label that "
                 "strangers choose keeps a capped set of values.\nCounters exist at 0 from the "
                 "start.\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for (size_t id = 0; id < LEX_METRIC_COUNT; id++) {
        const struct definition *definition = &definitions[id];
        lex_buf_printf(out, "| `%s` | %s | ", definition->name, kind_name(definition->kind));
        put_page_labels(out, definition);
        lex_buf_printf(out, " | %s |\n", definition->help);
    }
    lex_buf_puts(out, "\n## Buckets of the histograms\n\n");
    for (size_t id = 0; id < LEX_METRIC_COUNT; id++) {
        const struct bounds *bounds = &bucket_sets[definitions[id].buckets];
        if (definitions[id].kind != HISTOGRAM)
            continue;
        lex_buf_printf(out, "- `%s`:", definitions[id].name);
        for (size_t i = 0; i < bounds->count; i++)
            lex_buf_printf(out, " %g", bounds->upper[i]);
        lex_buf_putc(out, '\n');
    }
}
