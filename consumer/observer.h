/* Observer: what a worker committed, told as metrics and log lines. One per worker, its thread
 * only. */
#ifndef LEX_CONSUMER_OBSERVER_H
#define LEX_CONSUMER_OBSERVER_H

#include "consumer/batch_span.h"
#include "consumer/intake.h"
#include "core/base/metrics.h"
#include "core/config/config.h"
#include "core/worker/worker.h"

enum { LEX_OBSERVER_SLOTS = 1024 };

/* A partition that stands still although requests wait in it. */
struct lex_observer_slot {
    int32_t partition;
    int64_t next_offset;
    int64_t since_mono_us; /* 0: nothing */
};

struct lex_observer {
    const struct lex_config *config;
    struct lex_batch_span span; /* of the worker's transaction: its trace */
    int64_t second;             /* wall, of the log's allowance */
    int64_t logged, suppressed; /* lines of this second; decisions not logged since the last line */
    struct lex_span group, topic;
    struct lex_observer_slot slots[LEX_OBSERVER_SLOTS]; /* by partition number: the later wins */
};

/* `tracer`: NULL for no traces. */
void lex_observer_init(struct lex_observer *observer, const struct lex_config *config, int worker,
                       struct lex_tracer *tracer);
struct lex_worker_observer lex_observer_callbacks(struct lex_observer *observer);

/* Gauges of a partition (lag, chain), and their end when it is given up. */
void lex_observer_partition(struct lex_observer *observer, const struct lex_partition_view *view,
                            const struct lex_waiting *waiting);
void lex_observer_forget(struct lex_observer *observer, int32_t partition);

#endif
