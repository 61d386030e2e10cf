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
 * @param prefetch_kb what may wait in the client: little where only ends are read; more than a
 * second of reading where everything is, since librdkafka 2.0.2 pauses that long once it is full
 * @errors LEX_REJECT a setting that librdkafka refuses */
LEX_STATUS lex_ledger_reader_new(const struct lex_config *config, const char *logger, int wait_ms,
                                 int prefetch_kb, struct lex_ledger_reader **ret_reader,
                                 struct lex_error *err);
void lex_ledger_reader_free(struct lex_ledger_reader *reader);

/* Partitions of the ledger topic. @errors LEX_RETRY no broker; LEX_REJECT no such topic, no right
 */
LEX_STATUS lex_ledger_reader_partitions(struct lex_ledger_reader *reader, int32_t *ret_count,
                                        struct lex_error *err);

/* Whether a broker is there, as far as anybody knows: the client has not said that none is since
 * one last answered lex_ledger_reader_partitions. */
bool lex_ledger_reader_connected(const struct lex_ledger_reader *reader);

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

struct lex_ledger_record {
    int32_t partition;
    int64_t offset;        /* Kafka's */
    struct lex_span value; /* until the next call */
    bool end;  /* no record: all of this partition that is committed was read, up to `offset` */
    bool gone; /* no record: the topic no longer holds the next offset; seek anew */
};
/* The next record of any partition.
 * @errors LEX_RETRY nothing within timeout_ms, or no broker; LEX_HALT err says why: no right, no
 *         topic */
LEX_STATUS lex_ledger_reader_next(struct lex_ledger_reader *reader, int timeout_ms,
                                  struct lex_ledger_record *ret_item, struct lex_error *err);
/* The offsets between which committed records of a partition may stand: the log's beginning and the
 * end of what is committed. @errors LEX_RETRY no answer; LEX_REJECT no right, no such partition */
LEX_STATUS lex_ledger_reader_range(struct lex_ledger_reader *reader, int32_t partition,
                                   int64_t *ret_low, int64_t *ret_high, struct lex_error *err);
/* Take what the client has to say while nothing is read. It says that a broker is away once a
 * second, and keeps all of it until somebody listens.
 * @pre nothing is being read: a record would be lost */
void lex_ledger_reader_serve(struct lex_ledger_reader *reader);
/* Committed records between what was read of a partition and its end, about; -1 where unknown. */
int64_t lex_ledger_reader_lag(struct lex_ledger_reader *reader, int32_t partition, int64_t next);

#endif
