#include "consumer/batch_span.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/crypto/crypto.h"

void lex_batch_span_init(struct lex_batch_span *span, struct lex_tracer *tracer,
                         const struct lex_config *config, int worker)
{
    *span = (struct lex_batch_span){.tracer = tracer, .config = config, .worker = worker};
}

static void begin(struct lex_batch_span *s)
{
    lex_batch_span_init(s, s->tracer, s->config, s->worker);
    s->begin_us = lex_clock_wall_us();
    s->begin_mono_us = lex_clock_mono_us();
}

void lex_batch_span_received(struct lex_batch_span *span)
{
    if (span->tracer != NULL && !span->open)
        begin(span);
}

/* ---- collecting ---- */

static struct lex_span header_of(const struct lex_output *output)
{
    for (size_t i = 0; i < output->headers_count; i++)
        if (strcmp(output->headers[i].name, "traceparent") == 0)
            return output->headers[i].value;
    return (struct lex_span){0};
}

/* Only what is sampled is linked to: the others were not recorded, and lead nowhere. */
static void add_link(struct lex_batch_span *s, struct lex_span traceparent)
{
    struct lex_trace trace;
    if (!lex_trace_parse(traceparent, &trace))
        return;
    s->traced++;
    if ((trace.flags & LEX_TRACE_SAMPLED) == 0)
        return;
    s->sampled++;
    if (s->links_count >= (size_t)s->config->otel.links_max)
        return;
    struct lex_otlp_link link = {.flags = trace.flags};
    if (lex_hex_decode(trace.trace_id, link.trace_id, sizeof link.trace_id) == LEX_OK &&
        lex_hex_decode(trace.span_id, link.span_id, sizeof link.span_id) == LEX_OK)
        s->links[s->links_count++] = link;
}

static void add_partition(struct lex_batch_span *s, int32_t partition)
{
    for (size_t i = s->partitions_count; i > 0; i--)
        if (s->partitions[i - 1] == partition)
            return;
    if (s->partitions_count < LEX_BATCH_SPAN_PARTITIONS_MAX)
        s->partitions[s->partitions_count++] = partition;
}

/* A request has exactly one answer: a verdict or a dead letter. */
void lex_batch_span_publish(struct lex_batch_span *span, const struct lex_action *action)
{
    if (span->tracer == NULL)
        return;
    if (span->begin_us == 0)
        begin(span);
    if (!span->open)
        span->published_mono_us = lex_clock_mono_us();
    span->open = true;
    for (size_t i = 0; i < action->count; i++) {
        const struct lex_output *output = &action->outputs[i];
        if (output->kind == LEX_OUTPUT_LEDGER)
            continue;
        span->requests++;
        span->dead_letters += output->kind == LEX_OUTPUT_DEAD_LETTER;
        add_partition(span, output->partition);
        add_link(span, header_of(output));
    }
}

static void note_policy(struct lex_batch_span *s, const struct lex_ledger_entry *entry)
{
    static const char digits[] = "0123456789abcdef";
    if (s->policy_known || entry->policy_hash.len != LEX_HASH_BYTES)
        return;
    for (size_t i = 0; i < LEX_HASH_BYTES; i++) {
        s->policy_hash[2 * i] = digits[entry->policy_hash.data[i] >> 4];
        s->policy_hash[2 * i + 1] = digits[entry->policy_hash.data[i] & 15];
    }
    (void)snprintf(s->policy, sizeof s->policy, "%.*s", LEX_SPAN_FMT(entry->policy_id));
    s->policy_known = true;
}

void lex_batch_span_settled(struct lex_batch_span *span, const struct lex_settled *items,
                            size_t count)
{
    if (span->tracer == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        if (items[i].entry->event_type != LEX_EVENT_TYPE_DECISION)
            continue;
        span->denied += !items[i].entry->allowed;
        note_policy(span, items[i].entry);
    }
}

/* ---- the span ---- */

bool lex_batch_span_sampled(const struct lex_otel *otel, size_t traced, size_t sampled,
                            uint64_t dice)
{
    if (otel->parent_based && traced != 0)
        return sampled != 0;
    switch (otel->sampler) {
    case LEX_OTEL_ALWAYS_ON: return true;
    case LEX_OTEL_ALWAYS_OFF: return false;
    case LEX_OTEL_RATIO: break;
    }
    return (double)(dice >> 11) < otel->ratio * 0x1p53;
}

static const char *name_of(enum lex_published result)
{
    return result == LEX_PUBLISHED_COMMITTED ? "committed"
           : result == LEX_PUBLISHED_ABORTED ? "aborted"
                                             : "fatal";
}

enum { ATTRIBUTES = 20 };

/* Semantic conventions, "Messaging spans" and "Kafka"; what is ours begins with lexecon. */
static size_t list_attributes(const struct lex_batch_span *s, enum lex_published result,
                              char number[24], struct lex_otlp_attribute out[ATTRIBUTES])
{
    const struct lex_config *c = s->config;
    bool committed = result == LEX_PUBLISHED_COMMITTED;
    int64_t now_us = lex_clock_mono_us();
    size_t n = 0;
    out[n++] = lex_otlp_text("messaging.system", LEX_SPAN("kafka"));
    out[n++] = lex_otlp_text("messaging.operation.type", LEX_SPAN("process"));
    out[n++] = lex_otlp_text("messaging.operation.name", LEX_SPAN("process"));
    out[n++] = lex_otlp_text("messaging.destination.name", lex_span_str(c->requests_topic));
    out[n++] = lex_otlp_text("messaging.consumer.group.name", lex_span_str(c->group));
    out[n++] = lex_otlp_number("messaging.batch.message_count", s->requests);
    if (s->partitions_count == 1) {
        (void)snprintf(number, 24, "%lld", (long long)s->partitions[0]);
        out[n++] = lex_otlp_text("messaging.destination.partition.id", lex_span_str(number));
    }
    out[n++] = lex_otlp_numbers("lexecon.partitions", s->partitions, s->partitions_count);
    out[n++] = lex_otlp_number("lexecon.worker", s->worker);
    out[n++] = lex_otlp_text("lexecon.transaction.result", lex_span_str(name_of(result)));
    out[n++] = lex_otlp_number("lexecon.decide_us", s->published_mono_us - s->begin_mono_us);
    out[n++] = lex_otlp_number("lexecon.publish_us", now_us - s->published_mono_us);
    out[n++] = lex_otlp_number("lexecon.dead_letters", s->dead_letters);
    if (s->unanswered != 0)
        out[n++] = lex_otlp_number("lexecon.commits.unanswered", s->unanswered);
    if (committed)
        out[n++] = lex_otlp_number("lexecon.decisions.denied", s->denied);
    if (s->policy_known) {
        out[n++] = lex_otlp_text("lexecon.policy.id", lex_span_str(s->policy));
        out[n++] = lex_otlp_text("lexecon.policy.hash", lex_span_str(s->policy_hash));
    }
    if (!committed)
        out[n++] = lex_otlp_text("error.type", lex_span_str(name_of(result)));
    LEX_ASSERT(n <= ATTRIBUTES);
    return n;
}

static void offer(struct lex_batch_span *s, enum lex_published result, const char *error)
{
    struct lex_otlp_attribute attributes[ATTRIBUTES];
    char name[300], number[24];
    struct lex_buf bytes;
    struct lex_otlp_span span = {.kind = LEX_OTLP_CONSUMER,
                                 .begin_us = s->begin_us,
                                 .end_us = s->begin_us + lex_clock_mono_us() - s->begin_mono_us,
                                 .attributes = attributes,
                                 .links = s->links,
                                 .links_count = s->links_count,
                                 .links_dropped = s->sampled - s->links_count};
    (void)snprintf(name, sizeof name, "process %s", s->config->requests_topic);
    span.name = lex_span_str(name);
    span.attributes_count = list_attributes(s, result, number, attributes);
    if (result != LEX_PUBLISHED_COMMITTED)
        span.error = lex_span_str(error);
    lex_random(span.trace_id, sizeof span.trace_id);
    lex_random(span.span_id, sizeof span.span_id);
    lex_buf_init(&bytes, LEX_BATCH_SPAN_MAX_BYTES);
    lex_otlp_put_span(&bytes, &span);
    if (lex_buf_ok(&bytes))
        lex_tracer_offer(s->tracer, lex_buf_span(&bytes));
    lex_buf_fini(&bytes);
}

void lex_batch_span_end(struct lex_batch_span *span, enum lex_published result, const char *error)
{
    uint64_t dice;
    if (span->tracer == NULL || !span->open || result == LEX_PUBLISHED_QUEUED)
        return;
    if (result == LEX_PUBLISHED_UNKNOWN) {
        span->unanswered++;
        return;
    }
    lex_random(&dice, sizeof dice);
    /* A transaction of events alone (a policy's entry) processes no message: no span. */
    if (span->requests != 0 &&
        lex_batch_span_sampled(&span->config->otel, span->traced, span->sampled, dice))
        offer(span, result, error);
    lex_batch_span_init(span, span->tracer, span->config, span->worker);
}
