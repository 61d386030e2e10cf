/* Ledger reader: read_committed reading of ledger partitions, outside any group.
 *
 * Three use it: a worker's recovery (the last committed entry), the mirror (everything, in order,
 * for ever) and `lexecon ledger` (a topic as a file). It never commits an offset and never sees an
 * entry of a transaction that is open or aborted.
 * @thread whoever made it; one reader is never shared */
#ifndef LEX_CONSUMER_LEDGER_READER_H
#define LEX_CONSUMER_LEDGER_READER_H

#include "core/worker/worker.h"
#include "producer/kafka.h"

struct lex_ledger_reader;

/* @param logger  names it in log lines, as struct lex_kafka_handle says
 * @param wait_ms how long the broker may hold a fetch back that finds nothing new: small where the
 * end is what is looked for, larger where it is followed
 * @errors LEX_REJECT a setting that librdkafka refuses */
LEX_STATUS lex_ledger_reader_new(const struct lex_config *config, const char *logger, int wait_ms,
                                 struct lex_ledger_reader **ret_reader, struct lex_error *err);
void lex_ledger_reader_free(struct lex_ledger_reader *reader);

/* Partitions of the ledger topic. @errors LEX_RETRY no broker; LEX_REJECT no such topic, no right
 */
LEX_STATUS lex_ledger_reader_partitions(struct lex_ledger_reader *reader, int32_t *ret_count,
                                        struct lex_error *err);

/* The last committed entry of each partition. Spans live until the next call.
 * Reads backwards in growing steps, since the end of a log may hold markers and aborted batches. */
void lex_ledger_reader_tails(struct lex_ledger_reader *reader, const int32_t *partitions,
                             size_t count, struct lex_tail_found *ret_found);

/* Read these partitions from these Kafka offsets on (LEX_LEDGER_BEGIN: from the log's beginning).
 * Replaces what was read before. */
enum { LEX_LEDGER_BEGIN = -2 };
LEX_STATUS lex_ledger_reader_seek(struct lex_ledger_reader *reader,
                                  const struct lex_position *positions, size_t count,
                                  struct lex_error *err);

struct lex_ledger_item {
    int32_t partition;
    int64_t offset;        /* Kafka's */
    struct lex_span value; /* until the next call */
    bool end;              /* no record: all of this partition that is committed was read */
};
/* The next record of any partition.
 * @errors LEX_RETRY nothing within timeout_ms, or no broker; LEX_HALT err says why: the offset is
 *         gone, no right, no topic */
LEX_STATUS lex_ledger_reader_next(struct lex_ledger_reader *reader, int timeout_ms,
                                  struct lex_ledger_item *ret_item, struct lex_error *err);
/* Committed records between what was read of a partition and its end, about; -1 where unknown. */
int64_t lex_ledger_reader_lag(struct lex_ledger_reader *reader, int32_t partition, int64_t next);

#endif
