/* Metrics: counters, gauges and histograms for Prometheus, one row each in metrics.def.
 *
 * They are written on the hot path by several threads, so a write is one atomic, and finding a
 * series by its labels takes no lock once it exists. What strangers can name (an actor) is capped:
 * the first values are kept, the rest share the series "other", and so ten thousand hostile names
 * cost a bounded amount of memory here and in Prometheus.
 *
 * A series is never freed: a pointer to one stays good, also after lex_metric_drop. Counters
 * without labels exist at 0 from the start, because a rate over a counter that appears with its
 * first error does not see that error. */
#ifndef LEX_BASE_METRICS_H
#define LEX_BASE_METRICS_H

#include "core/base/buf.h"

#define LEX_METRIC_AT_ZERO(...)
enum lex_metric {
#define LEX_METRIC(id, ...) LEX_METRIC_##id,
#include "core/base/metrics.def"
#undef LEX_METRIC
    LEX_METRIC_COUNT
};
#undef LEX_METRIC_AT_ZERO

enum {
    LEX_METRIC_LABELS_MAX = 3,
    LEX_METRIC_VALUE_MAX = 128,     /* bytes of a label's value; what is longer is cut */
    LEX_METRIC_PAGE_MAX = 64 << 20, /* ceiling for the buffer that takes the whole page */
};

struct lex_series;

/* Without labels. @pre the metric has none and is of this kind */
void lex_metric_add(enum lex_metric metric, uint64_t count);
void lex_metric_set(enum lex_metric metric, double value);
void lex_metric_observe(enum lex_metric metric, double value);

/* Find or make the series of these label values, in metrics.def's order. Never NULL: over a ceiling
 * it is the series "other", or one that is not shown. An absent span is "".
 * @thread any */
struct lex_series *lex_metric_series(enum lex_metric metric, const struct lex_span *labels,
                                     size_t count);
void lex_series_add(struct lex_series *series, uint64_t count);
void lex_series_set(struct lex_series *series, double value);
void lex_series_observe(struct lex_series *series, double value);

/* A series vanishes from the page (a revoked partition) until somebody asks for it again. Nothing
 * happens if there is none. */
void lex_metric_drop(enum lex_metric metric, const struct lex_span *labels, size_t count);

/* The page: Prometheus text format 0.0.4, or OpenMetrics 1.0. */
void lex_metrics_write(struct lex_buf *out, bool openmetrics);
/* Its Content-Type. */
const char *lex_metrics_content_type(bool openmetrics);
/* docs/metrics.md. */
void lex_metrics_page(struct lex_buf *out);

#endif
