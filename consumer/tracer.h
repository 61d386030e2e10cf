/* Tracer: hands spans to a collector, over HTTP, in a thread of its own.
 *
 *     worker 0 ..n --- offer ---> queue (bounded) ---> thread ---> POST /v1/traces
 *
 * What must hold: a worker never waits for a collector. An offer copies the span's bytes and takes
 * a lock for as long as it takes to store one pointer; where the queue is full the span is dropped
 * and counted, and the batch is decided all the same. Without an endpoint there is no tracer at
 * all: no thread, no queue, and a NULL that whoever would make spans looks at first.
 *
 * A call that fails for now (429, 502, 503, 504, or nobody answers) is tried again with growing,
 * randomized pauses, not before Retry-After, until OTEL_BSP_EXPORT_TIMEOUT is over; then the batch
 * is given up and counted, since what is new is worth more than what is old.
 *
 * Sources: the OpenTelemetry specification's batching span processor, and "OTLP/HTTP" of
 * https://opentelemetry.io/docs/specs/otlp/. */
#ifndef LEX_CONSUMER_TRACER_H
#define LEX_CONSUMER_TRACER_H

#include "core/base/otlp.h"
#include "core/config/config.h"

struct lex_tracer;

/* @pre lex_web_init, lex_crypto_init
 * @post *ret_tracer is NULL where no traces are to be exported
 * @errors LEX_LIMIT memory, threads; LEX_REJECT a setting of libcurl
 * @thread main */
LEX_STATUS lex_tracer_start(const struct lex_config *config, struct lex_tracer **ret_tracer,
                            struct lex_error *err);
/* Send what waits, for at most timeout_ms, and end. NULL is fine. Nobody offers any more. */
void lex_tracer_stop(struct lex_tracer *tracer, int timeout_ms);

/* Take a copy of a span as lex_otlp_put_span made it; drop it where the queue is full.
 * @thread any */
void lex_tracer_offer(struct lex_tracer *tracer, struct lex_span span);

/* ---- what is decided without input or output ---- */

enum lex_tracer_next { LEX_TRACER_SENT, LEX_TRACER_AGAIN, LEX_TRACER_GIVE_UP };
/* What an answer's HTTP status asks for; 0 where nobody answered. */
enum lex_tracer_next lex_tracer_next(int status);
/* How long to wait before attempt `attempt` (1, 2, ...), in ms: doubling from a second to half a
 * minute, of which `random` takes away up to a half; never less than `retry_after_s`. */
int64_t lex_tracer_pause_ms(int attempt, uint32_t random, int64_t retry_after_s);

#endif
