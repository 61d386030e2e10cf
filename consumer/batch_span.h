/* Batch span: the span of one transaction of one worker.
 *
 * A transaction decides the requests of many traces at once, so its span is in none of them: it
 * begins a trace of its own and has a link to each request (OpenTelemetry's semantic conventions
 * for messaging spans, "Batch receiving"). It is collected from what the worker publishes, not from
 * what it decided, so a transaction that aborts has a span too, with its links and the status
 * ERROR.
 *
 * No child spans: where a transaction's time goes stands in two attributes, and a span for each
 * request would cost more than its decision does. Without a tracer nothing here does anything.
 *
 * @thread all functions: one worker's */
#ifndef LEX_CONSUMER_BATCH_SPAN_H
#define LEX_CONSUMER_BATCH_SPAN_H

#include "consumer/tracer.h"
#include "core/worker/worker.h"

enum {
    LEX_BATCH_SPAN_PARTITIONS_MAX = 64, /* that are named */
    LEX_BATCH_SPAN_MAX_BYTES = 64 << 10,
};

struct lex_batch_span {
    struct lex_tracer *tracer; /* NULL: no traces */
    const struct lex_config *config;
    int worker;

    /* Of the transaction that is open, or that would begin with the records that came last. */
    bool open;
    int64_t begin_us, begin_mono_us, published_mono_us;
    int64_t requests, dead_letters, denied, unanswered;
    size_t traced, sampled; /* requests with a trace context; of these, sampled ones */
    struct lex_otlp_link links[LEX_OTLP_LINKS_MAX];
    size_t links_count;
    int64_t partitions[LEX_BATCH_SPAN_PARTITIONS_MAX];
    size_t partitions_count;
    bool policy_known;
    char policy[256], policy_hash[65];
};

void lex_batch_span_init(struct lex_batch_span *span, struct lex_tracer *tracer,
                         const struct lex_config *config, int worker);
/* Records came: where no transaction is open, the next one begins now. */
void lex_batch_span_received(struct lex_batch_span *span);
/* Outputs are about to be published. */
void lex_batch_span_publish(struct lex_batch_span *span, const struct lex_action *action);
/* What the transaction decided, once it committed. Before lex_batch_span_end. */
void lex_batch_span_settled(struct lex_batch_span *span, const struct lex_settled *items,
                            size_t count);
/* How a publish ended. Ends the span where the transaction did, and offers it to the tracer.
 * `error` describes an abort or a lost producer. */
void lex_batch_span_end(struct lex_batch_span *span, enum lex_published result, const char *error);

/* Whether a batch is sampled, of which `traced` requests have a trace context and `sampled` of
 * these are sampled; `dice` is random (specification, "Built-in samplers"). */
bool lex_batch_span_sampled(const struct lex_otel *otel, size_t traced, size_t sampled,
                            uint64_t dice);

#endif
