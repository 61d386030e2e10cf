/* Observer: what a worker committed, told as metrics and log lines. One per worker, its thread
 * only. */
#ifndef LEX_CONSUMER_OBSERVER_H
#define LEX_CONSUMER_OBSERVER_H

#include "core/base/metrics.h"
#include "core/config/config.h"
#include "core/worker/worker.h"

enum { LEX_OBSERVER_SLOTS = 1024 };

struct lex_observer {
    const struct lex_config *config;
    int64_t second;             /* wall, of the log's allowance */
    int64_t logged, suppressed; /* lines of this second; decisions not logged since the last line */
    struct lex_span group, topic;
    struct { /* when the request that was settled last was sent; a slot per partition number, the
                later one wins: it is a gauge */
        int32_t partition;
        int64_t sent_ms;
    } last[LEX_OBSERVER_SLOTS];
};

void lex_observer_init(struct lex_observer *observer, const struct lex_config *config);
struct lex_worker_observer lex_observer_callbacks(struct lex_observer *observer);

/* Gauges of a partition (lag, chain), and their end when it is given up. */
void lex_observer_partition(struct lex_observer *observer, int32_t partition, int64_t lag,
                            int64_t chain_entries);
void lex_observer_forget(struct lex_observer *observer, int32_t partition);

#endif
