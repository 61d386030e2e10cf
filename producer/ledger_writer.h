/* Ledger writer: puts the records of an exported ledger back into an empty topic, byte for byte.
 *
 * Nobody but a worker writes entries; this writes records that a worker wrote once. Three things
 * keep it from making a second history: it refuses to begin while the service's group has members,
 * it keeps the order of a partition even across failures (an error ends it, and nothing behind a
 * lost record is written), and whoever calls it has compared first what the topic holds. */
#ifndef LEX_PRODUCER_LEDGER_WRITER_H
#define LEX_PRODUCER_LEDGER_WRITER_H

#include "core/config/config.h"

struct lex_ledger_writer; /* @thread one */

/* @param config  ledger_topic, group and kafka.*; borrowed
 * @errors LEX_REJECT the group has members, or a setting is refused; LEX_RETRY no broker answers */
LEX_STATUS lex_ledger_writer_new(const struct lex_config *config,
                                 struct lex_ledger_writer **ret_writer, struct lex_error *err);
/* Closing loses what was not flushed. NULL is fine. */
void lex_ledger_writer_free(struct lex_ledger_writer *writer);

/* Write one record behind those before it; waits where the queue is full.
 * @param timestamp_ms the record's, so that retention counts from when the entry was made
 * @errors LEX_REJECT it, or one before it, was refused: err says why; LEX_RETRY not in time */
LEX_STATUS lex_ledger_writer_put(struct lex_ledger_writer *writer, int32_t partition,
                                 int64_t timestamp_ms, struct lex_span value,
                                 struct lex_error *err);
/* @post all is acknowledged by every replica in sync. @errors as put */
LEX_STATUS lex_ledger_writer_flush(struct lex_ledger_writer *writer, struct lex_error *err);

#endif
